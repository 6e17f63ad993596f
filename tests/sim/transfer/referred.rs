//! A telephone or a carrier asks us by REFER to call somebody.

use super::*;

#[test]
fn a_blind_transfer_connects_the_caller_with_the_target_and_lets_the_referrer_go() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    assert_eq!(anna.told(&mut world), ["100 Trying"]);
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "the call goes on while the target rings");
    carla.ring(&mut world, &invite);
    assert_eq!(anna.told(&mut world), ["180 Ringing"]);
    carla.answer(&mut world, &invite);
    assert_eq!(anna.told(&mut world), ["200 OK, the last"]);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(invite.headers.get(Name::ReferredBy), Some("<sip:anna@office>"));
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(transferred(&world), [(bobs, Some(annas), TransferWay::Bridged)]);
    assert_eq!(opened(&world, bobs), 1, "the same stream goes on to the one who was not touched");
    bob.look(&mut world);
    assert!(bob.seen.iter().all(|request| request.method == Method::Ack), "the caller's telephone was asked nothing");
    // The phone hangs up by itself, as it should.
    anna.hang_up(&mut world);
    assert_eq!(anna.answered(&mut world, Method::Bye), Some(200));
    assert_eq!(world.calls().len(), 2, "one dialog each");
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_referrer_that_does_not_hang_up_is_hung_up() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 0, "not at once: the phone is told first");
    world.pass(Duration::from_secs(6));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    assert_eq!(world.calls().len(), 2);
    carla.hang_up(&mut world);
    assert_eq!(bob.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_busy_target_leaves_the_call_with_the_referrer() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    carla.reply(&mut world, &invite, "486 Busy Here", "", "");
    assert_eq!(anna.told(&mut world), ["100 Trying", "486 Busy Here, the last"]);
    assert_eq!(failures(&world), [(Cause::Busy, 486)]);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas));
    // And another try is one more try.
    anna.request(&mut world, "REFER", &refer("+49892202"), "");
    carla.pick_up(&mut world);
    assert_eq!(anna.told(&mut world).last().unwrap(), "200 OK, the last");
    bob.hang_up(&mut world);
    anna.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_referrer_who_hangs_up_at_once_has_handed_over_all_the_same() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let bobs = leg_of(&mut world, &bob);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    anna.hang_up(&mut world);
    assert_eq!(bob.take(&mut world, Method::Bye).len(), 0, "the caller waits for the target");
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(anna.told(&mut world).last().unwrap(), "200 OK, the last", "also after the goodbye (RFC 5057)");
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_caller_whose_referrer_is_gone_and_whose_target_is_busy_is_told_so() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    anna.hang_up(&mut world);
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    carla.reply(&mut world, &invite, "486 Busy Here", "", "");
    let bye = bob.take(&mut world, Method::Bye);
    assert!(bye[0].headers.get(Name::Reason).unwrap().contains("Q.850;cause=17"));
    assert_eq!(anna.told(&mut world).last().unwrap(), "486 Busy Here, the last");
    world.ends_clean();
}

#[test]
fn a_caller_who_hangs_up_while_the_target_rings_silences_it() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    let mut carla = Line::at(CARLA);
    let invite = carla.rung(&mut world);
    carla.ring(&mut world, &invite);
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Cancel).len(), 1);
    carla.reply(&mut world, &invite, "487 Request Terminated", "", "");
    assert_eq!(anna.told(&mut world).last().unwrap(), "487 Request Terminated, the last");
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1, "nobody is left to talk to");
    assert_eq!(failures(&world).len(), 1);
    world.ends_clean();
}

#[test]
fn the_same_call_is_handed_over_once_at_a_time() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    anna.request(&mut world, "REFER", &refer("+49892202"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(491));
    bob.request(&mut world, "REFER", &refer("+49892202"), "");
    assert_eq!(bob.answered(&mut world, Method::Refer), Some(491));
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    assert_eq!(world.calls().len(), 3);
    for line in [&mut anna, &mut bob] {
        line.hang_up(&mut world);
    }
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_refer_to_a_premium_number_is_refused_and_counted() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    anna.request(&mut world, "REFER", &refer("+499001234567"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(403));
    assert_eq!(world.status().refused.get(&Cause::NotAllowed), Some(&1));
    anna.request(&mut world, "REFER", &refer("nobody"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(404));
    assert!(anna.told(&mut world).is_empty(), "what is refused is not reported upon");
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "nothing else is disturbed");
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_profile_that_takes_no_refer_declines_it() {
    let mut world = house_with(|profile| profile.refer.takes = false);
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(603));
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_caller_is_transferred_into_a_meeting() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let bobs = leg_of(&mut world, &bob);
    anna.request(&mut world, "REFER", &refer("meet"), "");
    assert_eq!(anna.told(&mut world), ["100 Trying", "200 OK, the last"]);
    assert_eq!(call_of(&mut world, &bob).unwrap().room, Some(ROOM));
    assert_eq!(hears(&mut world, bobs), [bobs]);
    anna.hang_up(&mut world);
    bob.hang_up(&mut world);
    world.ends_clean();
}

#[test]
fn a_referrer_who_has_no_call_left_to_spend_is_refused() {
    let mut world = house_of(|_| {}, |_| {});
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let mut trunk = office(2, ANNA);
    trunk.limits.max_calls = 0;
    world.ask(Command::PutTrunk(trunk)).unwrap();
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(403));
    assert!(world.status().refused.contains_key(&Cause::LimitReached));
    assert!(Line::at(CARLA).take(&mut world, Method::Invite).is_empty(), "nobody was rung");
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn an_extension_hands_over_by_its_own_rights_and_its_caller_is_shown() {
    let mut world = house();
    let (_, mut anna) = desk(&mut world, 101);
    let (_, mut carla) = desk(&mut world, 102);
    world
        .ask(Command::PutRule(Box::new(rule(
            1,
            "house",
            Destination::Extension { extension: ExtensionId::from_bits(101) },
        ))))
        .unwrap();
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "house");
    anna.pick_up(&mut world);
    for code in [180, 200] {
        let answer = world.response(&phone).unwrap();
        assert_eq!(answer.status.code(), code);
        if code == 200 {
            world.ack(&mut phone, &answer);
        }
    }
    let mut bob = Line::of(&phone);
    anna.request(&mut world, "REFER", &refer("+499001234567"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(403));
    anna.request(&mut world, "REFER", &refer("102"), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    let invite = carla.rung(&mut world);
    let from = invite.headers.get(Name::From).unwrap();
    assert!(from.contains("491700000001"), "Carla sees who is handed to her: {from}");
    carla.answer(&mut world, &invite);
    let (bobs, carlas) = (leg_of(&mut world, &bob), leg_of(&mut world, &carla));
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    anna.hang_up(&mut world);
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Bye).len(), 1);
}

#[test]
fn a_refer_and_a_reinvite_that_cross_do_not_disturb_each_other() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let hold = anna.sdp("sendonly");
    anna.request(&mut world, "INVITE", "", &hold);
    anna.request(&mut world, "REFER", &refer("+49892201"), "");
    assert_eq!(anna.answered(&mut world, Method::Invite), Some(200));
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    let bobs = leg_of(&mut world, &bob);
    assert!(world.heard.get(&bobs).is_some_and(|heard| heard.contains(&"music".to_owned())), "Bob is held");
    let mut carla = Line::at(CARLA);
    carla.pick_up(&mut world);
    let carlas = leg_of(&mut world, &carla);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert!(!world.playing.contains_key(&bobs), "and hears no music any more");
    anna.hang_up(&mut world);
    bob.hang_up(&mut world);
    carla.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_meeting_is_nobodys_to_hand_over() {
    let mut world = house();
    let mut comes = |last: u8| {
        let mut phone = Phone::new(last);
        world.invite(&mut phone, "meet");
        let answer = world.response(&phone).unwrap();
        world.ack(&mut phone, &answer);
        world.pass(Duration::from_secs(1));
        Line::of(&phone)
    };
    let (mut bob, mut eve) = (comes(5), comes(6));
    for target in ["+49892201", "meet", "1000"] {
        eve.request(&mut world, "REFER", &refer(target), "");
        assert_eq!(eve.answered(&mut world, Method::Refer), Some(603), "{target}");
    }
    assert_eq!(world.room().participants.len(), 2, "everybody stays, and nobody is rung");
    assert_eq!(world.calls().len(), 2);
    bob.hang_up(&mut world);
    eve.hang_up(&mut world);
    world.ends_clean();
}
