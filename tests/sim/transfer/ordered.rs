//! The operator hands calls over: by REFER where the carrier takes it, else bridged.

use super::*;

#[test]
fn an_operator_hands_a_call_over_by_bridging() {
    let mut world = house_with(|profile| profile.refer.sends = ReferSupport::None);
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let order = |to: &str| Command::Transfer {
        leg: bobs,
        to: to.into(),
        consult: None,
        headers: vec![("X-Ticket".into(), "7".into())],
        uui: Some("00fa;encoding=hex".into()),
    };
    assert_eq!(world.ask(order("+49892201")), Ok(Reply::Done));
    assert!(matches!(world.ask(order("+49892202")), Err(Denial::Conflict(_))), "once at a time");
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    assert_eq!(invite.headers.get(Name::UserToUser), Some("00fa;encoding=hex"));
    assert_eq!(invite.headers.get(Name::from("X-Ticket")), Some("7"));
    carla.answer(&mut world, &invite);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1, "her telephone did not ask for it");
    assert_eq!(transferred(&world), [(bobs, Some(annas), TransferWay::Bridged)]);
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn an_operator_joins_two_calls_of_one_who_hands_over() {
    for by_far_end in [false, true] {
        let mut world = house_with(|profile| profile.refer.sends = ReferSupport::None);
        let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
        let (mut anna2, mut carla) = consult(&mut world);
        let (bobs, carlas) = (leg_of(&mut world, &bob), leg_of(&mut world, &carla));
        let consult = if by_far_end { carlas } else { leg_of(&mut world, &anna2) };
        let order =
            Command::Transfer { leg: bobs, to: String::new(), consult: Some(consult), headers: vec![], uui: None };
        assert_eq!(world.ask(order), Ok(Reply::Done));
        assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
        assert_eq!(anna.take(&mut world, Method::Bye).len() + anna2.take(&mut world, Method::Bye).len(), 2);
        assert_eq!(world.calls().len(), 2, "one dialog each");
        bob.hang_up(&mut world);
        carla.look(&mut world);
        world.ends_clean();
    }
}

/// Bob, who came by the carrier, is to be sent to a number that the carrier reaches by itself.
fn refer_to_carrier(world: &mut World) -> (Line, Line, LegId, ringlift::wire::sip::Request) {
    let (mut bob, anna) = talking(world, 1, "+49891101", ANNA);
    let bobs = leg_of(world, &bob);
    let order = Command::Transfer {
        leg: bobs,
        to: "+493077712".into(),
        consult: None,
        headers: vec![("X-Ticket".into(), "7".into())],
        uui: Some("00fa;encoding=hex".into()),
    };
    assert_eq!(world.ask(order), Ok(Reply::Done));
    let refer = bob.take(world, Method::Refer).remove(0);
    (bob, anna, bobs, refer)
}

fn notify(line: &mut Line, world: &mut World, state: &str, status: &str) {
    let more = format!("Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n");
    line.notify(world, &more, &format!("SIP/2.0 {status}\r\n"));
}

#[test]
fn a_carrier_that_takes_refer_calls_by_itself_and_both_legs_end() {
    let mut world = house_with(|profile| {
        profile.refer.uri = "sip:{number}@sip.carrier.example".into();
        profile.refer.uui_in_refer_to = true;
    });
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    assert_eq!(
        refer.headers.get(Name::ReferTo),
        Some("<sip:+493077712@sip.carrier.example?User-to-User=00fa%3Bencoding%3Dhex>")
    );
    assert_eq!(refer.headers.get(Name::from("X-Ticket")), Some("7"));
    assert!(refer.headers.has(Name::ReferredBy));
    bob.reply(&mut world, &refer, "202 Accepted", "", "");
    notify(&mut bob, &mut world, "active;expires=60", "100 Trying");
    notify(&mut bob, &mut world, "active;expires=60", "180 Ringing");
    assert!(transferred(&world).is_empty());
    notify(&mut bob, &mut world, "terminated;reason=noresource", "200 OK");
    assert_eq!(transferred(&world).len(), 1);
    assert_eq!(transferred(&world)[0].0, bobs);
    assert_eq!(transferred(&world)[0].2, TransferWay::Referred);
    assert_eq!(bob.take(&mut world, Method::Bye).len(), 1);
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_caller_who_has_not_acknowledged_our_answer_yet_is_referred_once_it_has() {
    for acknowledges in [true, false] {
        let mut world = house();
        let mut phone = Phone::new(1);
        world.invite(&mut phone, "+49891101");
        let mut anna = Line::at(ANNA);
        anna.pick_up(&mut world);
        world.response(&phone).expect("it rings");
        let answer = world.response(&phone).expect("an answer");
        assert_eq!(answer.status.code(), 200);
        phone.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
        let mut bob = Line::of(&phone);
        let order = Command::Transfer {
            leg: leg_of(&mut world, &bob),
            to: "+493077712".into(),
            consult: None,
            headers: vec![],
            uui: None,
        };
        assert_eq!(world.ask(order), Ok(Reply::Done));
        assert!(bob.take(&mut world, Method::Refer).is_empty(), "it may not have heard that it is answered");
        if acknowledges {
            world.ack(&mut phone, &answer);
            bob = Line::of(&phone);
            let refer = bob.take(&mut world, Method::Refer).remove(0);
            bob.reply(&mut world, &refer, "202 Accepted", "", "");
            notify(&mut bob, &mut world, "terminated;reason=noresource", "200 OK");
            assert_eq!(transferred(&world)[0].2, TransferWay::Referred);
        } else {
            world.pass(Duration::from_secs(40));
            assert!(bob.take(&mut world, Method::Refer).is_empty());
            assert_eq!(failures(&world).len(), 1, "its call ended without");
        }
        anna.look(&mut world);
        bob.look(&mut world);
        world.ends_clean();
    }
}

#[test]
fn a_carrier_that_refuses_refer_is_bridged() {
    for refusal in ["603 Decline", "405 Method Not Allowed", "403 Forbidden"] {
        let mut world = house();
        let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
        assert_eq!(refer.headers.get(Name::UserToUser), Some("00fa;encoding=hex"));
        bob.reply(&mut world, &refer, refusal, "", "");
        let mut carla = Line::at("192.0.2.50:5060");
        let invite = carla.rung(&mut world);
        assert_eq!(invite.uri.user(), Some("+493077712"));
        assert_eq!(invite.headers.get(Name::UserToUser), Some("00fa;encoding=hex"));
        carla.answer(&mut world, &invite);
        let carlas = leg_of(&mut world, &carla);
        assert_eq!(hears(&mut world, bobs), both(bobs, carlas), "{refusal}");
        assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
        bob.hang_up(&mut world);
        carla.look(&mut world);
        world.ends_clean();
    }
}

#[test]
fn a_carrier_that_asks_for_credentials_gets_them_with_the_refer() {
    let mut world = house_of(
        |_| {},
        |trunk| {
            let password = Secret::new("s3cret");
            if let Some(outbound) = &mut trunk.outbound {
                outbound.credentials = Some(Credentials { username: "acc7".into(), password });
            }
        },
    );
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    assert!(!refer.headers.has(Name::ProxyAuthorization));
    let challenge = "Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\r\n";
    bob.reply(&mut world, &refer, "407 Proxy Authentication Required", challenge, "");
    let again = bob.take(&mut world, Method::Refer).remove(0);
    assert!(again.headers.get(Name::ProxyAuthorization).is_some_and(|value| value.contains("username=\"acc7\"")));
    assert_eq!(again.headers.get(Name::ReferTo), refer.headers.get(Name::ReferTo));
    bob.reply(&mut world, &again, "202 Accepted", "", "");
    notify(&mut bob, &mut world, "terminated;reason=noresource", "200 OK");
    assert_eq!(transferred(&world).first().map(|it| (it.0, it.2)), Some((bobs, TransferWay::Referred)));
    for line in [&mut bob, &mut anna] {
        assert_eq!(line.take(&mut world, Method::Bye).len(), 1);
    }
    world.ends_clean();
}

#[test]
fn a_carrier_whose_target_is_busy_keeps_the_call_with_us() {
    let mut world = house();
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    bob.reply(&mut world, &refer, "202 Accepted", "", "");
    notify(&mut bob, &mut world, "terminated;reason=noresource", "486 Busy Here");
    assert_eq!(failures(&world), [(Cause::Busy, 486)]);
    let annas = leg_of(&mut world, &anna);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "they talk on, and nobody was rung twice");
    assert!(Line::at("192.0.2.50:5060").take(&mut world, Method::Invite).is_empty());
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_carrier_that_reports_nothing_has_taken_over_when_it_hangs_up() {
    let mut world = house_with(|profile| profile.refer.notify = false);
    let (mut bob, mut anna, bobs, refer) = refer_to_carrier(&mut world);
    assert_eq!(refer.headers.get(Name::ReferSub), Some("false"));
    bob.reply(&mut world, &refer, "202 Accepted", "Refer-Sub: false\r\n", "");
    world.pass(Duration::from_secs(5));
    assert!(transferred(&world).is_empty());
    bob.hang_up(&mut world);
    assert_eq!(transferred(&world).first().map(|it| (it.0, it.2)), Some((bobs, TransferWay::Referred)));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();

    // And one that does neither did not.
    let mut world = house_with(|profile| profile.refer.notify = false);
    let (mut bob, mut anna, _, refer) = refer_to_carrier(&mut world);
    bob.reply(&mut world, &refer, "202 Accepted", "Refer-Sub: false\r\n", "");
    world.pass(Duration::from_secs(33));
    assert_eq!(failures(&world).len(), 1);
    assert_eq!(world.calls().len(), 2);
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn somebody_in_a_meeting_is_handed_to_a_person() {
    let mut world = house_with(|profile| profile.refer.sends = ReferSupport::None);
    let mut phone = Phone::new(5);
    world.invite(&mut phone, "meet");
    let answer = world.response(&phone).unwrap();
    world.ack(&mut phone, &answer);
    let mut bob = Line::of(&phone);
    let bobs = leg_of(&mut world, &bob);
    world.pass(Duration::from_secs(1));
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM));
    let order = |to: &str| Command::Transfer { leg: bobs, to: to.into(), consult: None, headers: vec![], uui: None };
    assert_eq!(world.ask(order("+49892201")), Ok(Reply::Done));
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM), "in the meeting until somebody answers");
    carla.reply(&mut world, &invite, "486 Busy Here", "", "");
    assert_eq!(failures(&world), [(Cause::Busy, 486)]);
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM));
    assert_eq!(world.ask(order("+49892202")), Ok(Reply::Done));
    carla.pick_up(&mut world);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert!(world.room().participants.is_empty());
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_transfer_that_nobody_can_ask_for_is_denied() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let bobs = leg_of(&mut world, &bob);
    let order = |to: &str, headers: Vec<(String, String)>, uui: Option<String>| Command::Transfer {
        leg: bobs,
        to: to.into(),
        consult: None,
        headers,
        uui,
    };
    assert!(matches!(world.ask(order("nobody", vec![], None)), Err(Denial::Conflict(_))));
    assert!(matches!(world.ask(order("+499001234567", vec![], None)), Err(Denial::Conflict(_))));
    assert!(matches!(world.ask(order("", vec![], None)), Err(Denial::Invalid(_))));
    let evil = vec![("From".to_owned(), "<sip:boss>".to_owned())];
    assert!(matches!(world.ask(order("+49892201", evil, None)), Err(Denial::Invalid(_))));
    assert!(matches!(world.ask(order("+49892201", vec![], Some("xyz".into()))), Err(Denial::Invalid(_))));
    let nobody = Command::Transfer {
        leg: LegId::from_bits(7),
        to: "+49892201".into(),
        consult: None,
        headers: vec![],
        uui: None,
    };
    assert!(matches!(world.ask(nobody), Err(Denial::NotFound(_))));
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}
