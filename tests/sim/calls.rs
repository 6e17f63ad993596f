//! Two people talk through us: rung, answered, refused, cancelled, hung up by either.

use std::time::Duration;

use ringlift::base::Cause;
use ringlift::gateway::Record;
use ringlift::gateway::command::{Command, Denial, DialRequest, Playable, Reply};
use ringlift::gateway::event::Happening;
use ringlift::gateway::view::CallState;
use ringlift::media::command::MediaCommand;
use ringlift::wire::sip::{Method, Name};

use crate::desks::{Desk, OUTSIDE};
use crate::world::{Phone, World};

fn ended(world: &World) -> Vec<Cause> {
    let of = |record: &Record| match record {
        Record::Ended(call) => call.cause,
        Record::Began(_)
        | Record::Changed(_)
        | Record::Measured { .. }
        | Record::Invited { .. }
        | Record::ResumeKept { .. }
        | Record::ResumeGone { .. }
        | Record::TicketRevoked { .. }
        | Record::Person(_)
        | Record::CodeUsed { .. }
        | Record::TicketUsed { .. } => None,
    };
    world.records.iter().filter_map(of).collect()
}

/// A caller rings out and the carrier's telephone rings.
fn ringing(world: &mut World) -> (Phone, Desk) {
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, OUTSIDE);
    world.rung(&mut desk);
    world.rings(&desk);
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    (phone, desk)
}

/// Two people talk.
pub fn talking(world: &mut World) -> (Phone, Desk) {
    let (mut phone, desk) = ringing(world);
    world.answers(&desk);
    let answer = world.response(&phone).expect("an answer");
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut phone, &answer);
    (phone, desk)
}

#[test]
fn a_caller_is_connected_when_the_called_telephone_is_answered() {
    let mut world = World::office();
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, OUTSIDE);
    let invite = world.rung(&mut desk);
    assert_eq!(invite.uri.to_string(), format!("sip:{OUTSIDE}@203.0.113.10"));
    assert_eq!(invite.headers.max_forwards(), Some(69));
    let pai = invite.headers.get(Name::PAssertedIdentity).unwrap();
    assert!(pai.contains("sip:+491700000001@203.0.113.10"), "{pai}");
    world.rings(&desk);
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    assert!(world.calls().iter().all(|call| call.state == CallState::Ringing));
    world.answers(&desk);
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 200);
    let sdp = String::from_utf8_lossy(&answer.body).to_string();
    assert!(sdp.contains("RTP/AVP 0 101"), "the callee's codec, so that packets can be forwarded: {sdp}");
    world.ack(&mut phone, &answer);
    let joined = world.orders.iter().filter(|order| matches!(order, MediaCommand::Join { muted: false, .. })).count();
    assert_eq!(joined, 2, "both are in one bridge");
    assert!(world.events.iter().any(|event| matches!(event, Happening::CallBridged { .. })));
    assert!(world.calls().iter().all(|call| call.state == CallState::InRoom && call.room.is_some()));
    assert!(world.heard.is_empty() && world.tones.is_empty(), "a call is no meeting: nothing is said");
    world.bye(&mut phone);
    assert!(world.is_hung_up(&desk).contains("cause=16"));
    assert_eq!(ended(&world), [Cause::HungUp, Cause::HungUp]);
    world.ends_clean();
}

#[test]
fn the_called_side_may_hang_up_first() {
    let mut world = World::office();
    let (phone, mut desk) = talking(&mut world);
    world.asks(&mut desk, "BYE", "");
    assert!(world.caller_is_hung_up(&phone).contains("cause=16"));
    assert_eq!(ended(&world), [Cause::HungUpByCallee, Cause::HungUpByCallee]);
    world.ends_clean();
}

#[test]
fn a_caller_who_gives_up_silences_the_telephone() {
    for rings in [false, true] {
        let mut world = World::office();
        let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
        world.invite(&mut phone, OUTSIDE);
        let invite = world.rung(&mut desk);
        if rings {
            world.rings(&desk);
        } else {
            world.respond(&desk, &invite, "100 Trying", "", "");
        }
        let cancel =
            phone.request_text("CANCEL", &format!("sip:{OUTSIDE}@198.51.100.1"), "").replace("CANCEL1", "INVITE1");
        world.send(&phone, &cancel);
        assert!(world.is_cancelled(&desk).contains("487"));
        assert_eq!(ended(&world), [Cause::Cancelled, Cause::Cancelled], "rings: {rings}");
        world.ends_clean();
    }
}

#[test]
fn the_caller_hears_why_nobody_answers() {
    for (status, code, cause) in [
        ("486 Busy Here", 486, Cause::Busy),
        ("603 Decline", 603, Cause::Declined),
        ("404 Not Found", 404, Cause::NoRoute),
        ("480 Temporarily Unavailable", 480, Cause::NoAnswer),
    ] {
        let mut world = World::office();
        let (phone, desk) = ringing(&mut world);
        world.refuses(&desk, status, "Reason: Q.850;cause=17;text=\"User busy\"");
        let refusal = world.response(&phone).expect("a refusal");
        assert_eq!(refusal.status.code(), code, "{status}");
        assert_eq!(refusal.headers.get(Name::Reason), Some("Q.850;cause=17;text=\"User busy\""));
        world.caller_takes_refusal(&phone, OUTSIDE, &refusal);
        assert_eq!(ended(&world), [cause, cause], "{status}");
        world.ends_clean();
    }
}

#[test]
fn it_does_not_ring_for_ever() {
    let mut world = World::office();
    let (phone, desk) = ringing(&mut world);
    world.pass(Duration::from_secs(61));
    assert!(world.is_cancelled(&desk).contains("480"));
    assert_eq!(world.final_response(&phone).unwrap().status.code(), 480);
    assert!(world.asked(&Desk::carrier(11), &Method::Invite).is_none(), "the same telephone is not rung again");
    world.ends_clean();
}

#[test]
fn what_is_said_before_the_answer_is_heard() {
    let mut world = World::office();
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, OUTSIDE);
    let invite = world.rung(&mut desk);
    world.respond(&desk, &invite, "183 Session Progress", "", &desk.sdp("sendrecv"));
    let progress = world.response(&phone).unwrap();
    assert_eq!(progress.status.code(), 183);
    let early = String::from_utf8_lossy(&progress.body).to_string();
    assert!(early.contains("m=audio"), "{early}");
    assert_eq!(world.bridged.len(), 2, "both ways, before the answer");
    world.answers(&desk);
    let answer = world.response(&phone).unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.body), early, "the 200 says what the 183 said");
    world.ack(&mut phone, &answer);
    let joins = world.orders.iter().filter(|order| matches!(order, MediaCommand::Join { .. })).count();
    assert_eq!(joins, 2, "nobody is taken out of the bridge and put back");
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn a_carrier_that_asks_for_credentials_gets_them() {
    let mut world = World::office();
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, OUTSIDE);
    let first = world.rung(&mut desk);
    world.refuses(
        &desk,
        "407 Proxy Authentication Required",
        "Proxy-Authenticate: Digest realm=\"c\", nonce=\"n1\", qop=\"auth\"",
    );
    let second = world.rung(&mut desk);
    assert_eq!(second.headers.call_id(), first.headers.call_id());
    let shown = second.headers.get(Name::ProxyAuthorization).unwrap();
    assert!(shown.contains("username=\"acc7\"") && shown.contains("nonce=\"n1\""), "{shown}");
    assert_eq!(world.calls().len(), 2, "one leg to the carrier");
    world.answers(&desk);
    let answer = world.response(&phone).unwrap();
    world.ack(&mut phone, &answer);
    // What follows in the call shows them unasked, and answers a nonce that has grown old.
    let carriers = world.leg_at(true);
    assert_eq!(world.ask(Command::Hold(carriers)), Ok(Reply::Done));
    let hold = world.rung(&mut desk);
    assert!(hold.headers.get(Name::ProxyAuthorization).unwrap().contains("nc=00000002"));
    world.refuses(
        &desk,
        "407 Proxy Authentication Required",
        "Proxy-Authenticate: Digest realm=\"c\", nonce=\"n2\", qop=\"auth\", stale=true",
    );
    let hold = world.rung(&mut desk);
    let shown = hold.headers.get(Name::ProxyAuthorization).unwrap();
    assert!(shown.contains("nonce=\"n2\"") && shown.contains("nc=00000001"), "{shown}");
    world.answers(&desk);
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn a_wrong_password_at_the_carrier_is_no_endless_loop() {
    let mut world = World::office();
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    world.invite(&mut phone, OUTSIDE);
    for _ in 0..2 {
        world.rung(&mut desk);
        world.refuses(&desk, "401 Unauthorized", "WWW-Authenticate: Digest realm=\"c\", nonce=\"n1\"");
    }
    assert!(world.response(&phone).unwrap().status.is_failure());
    world.ends_clean();
}

#[test]
fn a_silent_carrier_is_passed_over_within_four_seconds() {
    let mut world = World::office();
    let (mut phone, mut first, mut second) = (Phone::new(1), Desk::carrier(10), Desk::carrier(11));
    world.invite(&mut phone, OUTSIDE);
    world.rung(&mut first);
    world.pass(Duration::from_secs(4));
    world.rung(&mut second);
    world.rings(&second);
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    world.answers(&second);
    let answer = world.response(&phone).unwrap();
    world.ack(&mut phone, &answer);
    world.bye(&mut phone);
    world.is_hung_up(&second);
    let mut again = Phone::new(2);
    world.invite(&mut again, OUTSIDE);
    world.rung(&mut second);
    world.answers(&second);
    let answer = world.response(&again).unwrap();
    world.ack(&mut again, &answer);
    world.bye(&mut again);
    world.is_hung_up(&second);
    world.ends_clean();
}

#[test]
fn only_silent_carriers_are_a_clear_failure_within_eight_seconds_each() {
    let mut world = World::office();
    let (mut phone, mut first, mut second) = (Phone::new(1), Desk::carrier(10), Desk::carrier(11));
    world.invite(&mut phone, OUTSIDE);
    world.rung(&mut first);
    world.pass(Duration::from_millis(3600));
    world.rung(&mut second);
    world.pass(Duration::from_secs(8));
    let refusal = world.response(&phone).unwrap();
    assert_eq!(refusal.status.code(), 503);
    world.caller_takes_refusal(&phone, OUTSIDE, &refusal);
    world.ends_clean();
}

#[test]
fn a_carrier_that_is_full_rests_and_the_next_takes_the_call() {
    let mut world = World::office();
    let (mut phone, mut first, mut second) = (Phone::new(1), Desk::carrier(10), Desk::carrier(11));
    world.invite(&mut phone, OUTSIDE);
    world.rung(&mut first);
    world.refuses(&first, "503 Service Unavailable", "Retry-After: 40");
    world.rung(&mut second);
    world.refuses(&second, "486 Busy Here", "");
    assert_eq!(world.response(&phone).unwrap().status.code(), 486);
    let mut other = Phone::new(2);
    world.invite(&mut other, OUTSIDE);
    assert!(world.asked(&first, &Method::Invite).is_none(), "it rests");
    world.rung(&mut second);
    world.refuses(&second, "486 Busy Here", "");
    assert_eq!(world.response(&other).unwrap().status.code(), 486);
    world.ends_clean();
}

#[test]
fn a_carrier_that_rang_is_not_replaced_by_another() {
    let mut world = World::office();
    let (phone, desk) = ringing(&mut world);
    world.refuses(&desk, "503 Service Unavailable", "");
    assert!(world.asked(&Desk::carrier(11), &Method::Invite).is_none(), "no second ringing");
    assert!(world.response(&phone).unwrap().status.is_failure());
    world.ends_clean();
}

#[test]
fn a_call_that_goes_in_circles_ends() {
    let mut world = World::office();
    let mut phone = Phone::new(1);
    let text = phone
        .request_text("INVITE", &format!("sip:{OUTSIDE}@198.51.100.1"), &phone.offer("sendrecv"))
        .replace("Max-Forwards: 70", "Max-Forwards: 1");
    world.send(&phone, &text);
    assert_eq!(world.response(&phone).unwrap().status.code(), 483);
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_none());
    phone.cseq += 1;
    world.ends_clean();
}

#[test]
fn a_caller_without_an_offer_is_offered_the_callees_codec() {
    let mut world = World::office();
    let (mut phone, mut desk) = (Phone::new(1), Desk::carrier(10));
    let text = phone.request_text("INVITE", &format!("sip:{OUTSIDE}@198.51.100.1"), "");
    world.send(&phone, &text);
    world.rung(&mut desk);
    world.answers(&desk);
    let answer = world.response(&phone).unwrap();
    let sdp = String::from_utf8_lossy(&answer.body).to_string();
    assert!(sdp.contains("RTP/AVP 0 "), "{sdp}");
    assert_eq!(world.bridged.len(), 1, "nothing can be sent to the caller yet");
    phone.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
    phone.target = answer.headers.contact().unwrap().uri.to_string();
    let ack = phone.request_text("ACK", &phone.target.clone(), &phone.offer("sendrecv"));
    world.send(&phone, &ack);
    assert_eq!(world.bridged.len(), 2);
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

/// What was ordered of the media plane since.
fn orders_since(world: &World, before: usize) -> Vec<String> {
    world.orders.iter().skip(before).map(|order| format!("{order:?}")).collect()
}

#[test]
fn whoever_is_put_on_hold_hears_music_and_the_holder_is_not_heard() {
    for (hold, answer) in [("sendonly", "recvonly"), ("inactive", "inactive"), ("0.0.0.0", "recvonly")] {
        for by_caller in [true, false] {
            let mut world = World::office();
            let (mut phone, mut desk) = talking(&mut world);
            let (caller, callee) = (world.leg_at(false), world.leg_at(true));
            let (holder, held) = if by_caller { (caller, callee) } else { (callee, caller) };
            for (step, direction) in [hold, "sendrecv"].into_iter().enumerate() {
                let offer = |sdp: String| match direction {
                    "0.0.0.0" => sdp
                        .replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")
                        .replace("c=IN IP4 203.0.113.10", "c=IN IP4 0.0.0.0")
                        .replace("a=0.0.0.0", "a=sendonly"),
                    _ => sdp,
                };
                let answered = if by_caller {
                    phone.cseq += 1;
                    let text = phone.request_text("INVITE", &phone.target.clone(), &offer(phone.offer(direction)));
                    world.send(&phone, &text);
                    let answered = world.response(&phone).unwrap();
                    let ack = phone.request_text("ACK", &phone.target.clone(), "");
                    world.send(&phone, &ack);
                    answered
                } else {
                    let sdp = offer(desk.sdp(direction));
                    world.asks(&mut desk, "INVITE", &sdp);
                    let answered = world.response(&desk.as_phone()).unwrap();
                    world.acks(&desk);
                    answered
                };
                assert_eq!(answered.status.code(), 200);
                let sdp = String::from_utf8_lossy(&answered.body).to_string();
                let expected = if step == 0 { answer } else { "sendrecv" };
                assert!(sdp.contains(&format!("a={expected}")), "{direction} is answered {expected}: {sdp}");
                assert_eq!(world.bridged.get(&holder), Some(&(step == 0)), "its music stays out");
                assert_eq!(world.playing.contains_key(&held), step == 0, "{hold}: music for the other");
                let view = world.calls().into_iter().find(|call| call.id == holder).unwrap();
                assert_eq!((view.held, view.held_by_us), (step == 0, false));
            }
            assert!(world.asked(&desk, &Method::Invite).is_none() || !by_caller, "nobody else is asked anything");
            world.bye(&mut phone);
            world.is_hung_up(&desk);
            world.ends_clean();
        }
    }
}

#[test]
fn the_operator_holds_and_resumes_a_call() {
    let mut world = World::office();
    let (mut phone, mut desk) = talking(&mut world);
    let callee = world.leg_at(true);
    assert_eq!(world.ask(Command::Hold(callee)), Ok(Reply::Done));
    let offer = world.rung(&mut desk);
    assert!(String::from_utf8_lossy(&offer.body).contains("a=sendonly"));
    assert!(world.was_told(callee, "music"), "at once");
    assert!(!world.bridged.contains_key(&callee), "it hears nothing of the call");
    world.respond(&desk, &offer, "200 OK", "", &desk.sdp("recvonly"));
    assert!(world.asked(&desk, &Method::Ack).is_some());
    let view = world.calls().into_iter().find(|call| call.id == callee).unwrap();
    assert_eq!((view.held, view.held_by_us), (false, true));
    assert_eq!(world.ask(Command::Unhold(callee)), Ok(Reply::Done));
    let offer = world.rung(&mut desk);
    assert!(String::from_utf8_lossy(&offer.body).contains("a=sendrecv"));
    world.respond(&desk, &offer, "200 OK", "", &desk.sdp("sendrecv"));
    assert!(world.asked(&desk, &Method::Ack).is_some());
    assert_eq!(world.bridged.get(&callee), Some(&false));
    assert!(!world.playing.contains_key(&callee));
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn a_third_person_joins_a_call_of_two_and_nobody_renegotiates() {
    let mut world = World::office();
    let (mut phone, desk) = talking(&mut world);
    let room = world.calls().first().and_then(|call| call.room).unwrap();
    let request = DialRequest { to: "+4930555777".into(), ..DialRequest::default() };
    let outcome = world.ask(Command::AddToRoom { room, request: Box::new(request) });
    let Ok(Reply::Dialled { call, room: into }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(into, room);
    let mut third = Desk { tag: "third".into(), ..Desk::carrier(10) };
    let invite = world.rung(&mut third);
    assert!(invite.uri.to_string().contains("+4930555777"));
    world.answers(&third);
    assert_eq!(world.bridged.len(), 3);
    assert!(world.bridged.contains_key(&call), "the leg that was promised");
    assert!(world.next(&phone).is_none() && world.asked(&desk, &Method::Invite).is_none(), "no re-INVITE");
    world.bye(&mut phone);
    assert_eq!(world.bridged.len(), 2, "two go on");
    world.asks(&mut third, "BYE", "");
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn keys_reach_the_other_side_whichever_way_they_came() {
    let mut world = World::office();
    let (mut phone, desk) = talking(&mut world);
    let (caller, callee) = (world.leg_at(false), world.leg_at(true));
    let before = world.orders.len();
    phone.cseq += 1;
    let info =
        phone.request_with("INFO", &phone.target.clone(), "application/dtmf-relay", "Signal=5\r\nDuration=100\r\n");
    world.send(&phone, &info);
    assert_eq!(world.response(&phone).unwrap().status.code(), 200);
    assert!(orders_since(&world, before).contains(&format!("SendDigit({callee})")));
    let before = world.orders.len();
    world.key(caller, "7");
    assert!(!orders_since(&world, before).iter().any(|order| order.starts_with("SendDigit")), "forwarded as it comes");
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn the_operator_keys_with_pauses_and_plays() {
    let mut world = World::office();
    let (mut phone, desk) = talking(&mut world);
    let callee = world.leg_at(true);
    let sent =
        |world: &World| world.orders.iter().filter(|order| matches!(order, MediaCommand::SendDigit { .. })).count();
    let digits = ringlift::base::Secret::new("1p2#");
    assert_eq!(world.ask(Command::SendDigits { leg: callee, digits }), Ok(Reply::Done));
    world.pass(Duration::from_secs(1));
    assert_eq!(sent(&world), 1, "it pauses");
    world.pass(Duration::from_secs(2));
    assert_eq!(sent(&world), 3);
    let wrong = Command::SendDigits { leg: callee, digits: ringlift::base::Secret::new("12x") };
    assert!(matches!(world.ask(wrong), Err(Denial::Invalid(_))));
    let play = Command::Play { leg: callee, what: vec![Playable::Prompt { name: "greeting".into() }], repeat: true };
    assert_eq!(world.ask(play), Ok(Reply::Done));
    assert!(world.was_told(callee, "greeting"));
    assert_eq!(world.ask(Command::StopPlaying(callee)), Ok(Reply::Done));
    assert!(!world.playing.contains_key(&callee));
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn a_caller_may_be_answered_before_anybody_picks_up() {
    let mut world = World::office();
    let (mut phone, desk) = ringing(&mut world);
    let caller = world.leg_at(false);
    assert_eq!(world.ask(Command::Answer(caller)), Ok(Reply::Done));
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut phone, &answer);
    assert!(world.was_told(caller, "music"));
    world.answers(&desk);
    assert!(!world.playing.contains_key(&caller));
    assert_eq!(world.bridged.len(), 2);
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn the_words_of_whoever_hangs_up_reach_the_other() {
    let mut world = World::office();
    let (phone, mut desk) = talking(&mut world);
    desk.more = "Reason: Q.850;cause=27;text=\"Destination out of order\"".into();
    world.asks(&mut desk, "BYE", "");
    assert_eq!(world.caller_is_hung_up(&phone), "Q.850;cause=27;text=\"Destination out of order\"");
    world.ends_clean();
}

#[test]
fn a_redirecting_call_manager_is_followed_where_its_trunk_says_so() {
    for follow in [true, false] {
        let mut world = World::office_with(|directory| {
            for outbound in directory.trunks.iter_mut().filter_map(|trunk| trunk.outbound.as_mut()) {
                outbound.follow_redirects = follow;
            }
        });
        let (mut phone, mut manager, mut gateway) = (Phone::new(1), Desk::carrier(10), Desk::carrier(99));
        world.invite(&mut phone, OUTSIDE);
        let invite = world.rung(&mut manager);
        let contacts = "Contact: <sip:+4930555501@203.0.113.98>;q=0.2, <sip:+4930555501@203.0.113.99;x=1>;q=0.8, <sip:+9001234@203.0.113.97>;q=1.0";
        world.respond(&manager, &invite, "302 Moved Temporarily", contacts, "");
        if !follow {
            assert!(world.response(&phone).unwrap().status.is_failure());
            assert!(world.asked(&gateway, &Method::Invite).is_none());
            world.ends_clean();
            continue;
        }
        assert!(world.asked(&Desk::carrier(97), &Method::Invite).is_none(), "the same limits hold for another number");
        let invite = world.rung(&mut gateway);
        assert_eq!(invite.uri.to_string(), "sip:+4930555501@203.0.113.99;x=1");
        world.answers(&gateway);
        let answer = world.response(&phone).unwrap();
        world.ack(&mut phone, &answer);
        world.bye(&mut phone);
        world.is_hung_up(&gateway);
        world.ends_clean();
    }
}

#[test]
fn whoever_is_taken_out_of_a_room_while_ringing_is_rung_no_longer() {
    let mut world = World::office();
    let (mut phone, desk) = talking(&mut world);
    let room = world.calls().first().and_then(|call| call.room).unwrap();
    let request = DialRequest { to: "+4930555777".into(), ..DialRequest::default() };
    world.ask(Command::AddToRoom { room, request: Box::new(request) }).unwrap();
    let mut third = Desk { tag: "third".into(), ..Desk::carrier(10) };
    world.rung(&mut third);
    world.rings(&third);
    let Ok(Reply::Room(view)) = world.ask(Command::Room { room, numbers: true }) else { panic!("no room") };
    let ringing = view.participants.iter().find(|p| p.state == ringlift::room::State::Ringing).unwrap();
    assert_eq!(ringing.number.as_deref(), Some("+4930555777"));
    let operation = ringlift::room::Operation::Remove { participant: ringing.id };
    world.ask(Command::Operate { room, operation }).unwrap();
    world.is_cancelled(&third);
    assert_eq!(world.bridged.len(), 2, "the others go on");
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}
