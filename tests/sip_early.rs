//! Calls of ours before they are answered: forks with early dialogs, early SDP, PRACK, late offers, early UPDATE, with far
//! ends that the test plays message by message (RFC 3261 §12.1.2, §13.2.2, RFC 3262 §4, RFC 3311).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::net::SocketAddr;

use bytes::Bytes;
use ringlift::base::{Cause, LegId, Support};
use ringlift::sip::endpoint::{Event, Fork, Manner, OutboundInvite};
use ringlift::wire::sip::Status;
use sip_world::{ANSWER, OFFER, Seen, World, address, answer_to, nobody, outbound};

const RELIABLE: &str = "Require: 100rel\r\nRSeq: ";
const LATER: &str =
    "v=0\r\no=- 2 3 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 5002 RTP/AVP 0\r\n";

fn bob() -> SocketAddr {
    address(9)
}

fn us() -> SocketAddr {
    address(1)
}

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// We call Bob.
fn calling(seed: u64, call: OutboundInvite) -> (World, LegId, Seen) {
    let mut world = World::new(seed, &[nobody]);
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    world.pass_ms(5);
    let invite = world.expect("INVITE");
    (world, leg, invite)
}

fn late(call: OutboundInvite) -> OutboundInvite {
    OutboundInvite { sdp: None, ..call }
}

/// One of Bob's phones answers.
fn says(world: &mut World, request: &Seen, status: &str, tag: &str, more: &str, body: &str) {
    world.inject(bob(), us(), &answer_to(request, status, tag, more, body));
    world.pass_ms(5);
}

/// One of Bob's phones asks something in its dialog.
fn asks(world: &mut World, invite: &Seen, method: &str, tag: &str, seq: u32, body: &str) {
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let text = format!(
        "{method} sip:us@{} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{method}{seq}{tag};rport\r\nMax-Forwards: 70\r\n\
         From: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {seq} {method}\r\nContact: <sip:{tag}@{}>\r\n\
         {content}Content-Length: {}\r\n\r\n{body}",
        us(),
        bob(),
        invite.field("To"),
        invite.field("From"),
        invite.field("Call-ID"),
        bob(),
        body.len(),
    );
    world.inject(bob(), us(), &text);
    world.pass_ms(5);
}

fn seq_of(request: &Seen) -> u32 {
    request.field("CSeq").split(' ').next().unwrap().parse().unwrap()
}

/// The far ends that were heard of, in order, with the SDP that each brought.
fn progress(world: &World) -> Vec<(Fork, u16, bool, bool)> {
    let told = world.nodes[0].events.iter().filter_map(|(_, event)| match event {
        Event::Progress { fork, status, sdp, reliable, .. } => Some((*fork, status.code(), sdp.is_some(), *reliable)),
        _ => None,
    });
    told.collect()
}

fn answered(world: &World) -> (Fork, Option<Bytes>, bool) {
    let told = world.nodes[0].events.iter().find_map(|(_, event)| match event {
        Event::Answered { fork, sdp, offer, .. } => Some((*fork, sdp.clone(), *offer)),
        _ => None,
    });
    told.expect("nobody answered")
}

/// We hang up; the far end that is up answers, and nothing is left.
fn part(world: &mut World, leg: LegId) -> Seen {
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    let bye = world.expect("BYE");
    says(world, &bye, "200 OK", "", "", "");
    world.settle();
    bye
}

#[test]
fn two_phones_play_early_media_and_the_one_that_answers_first_has_the_call() {
    let (mut world, leg, invite) = calling(1, outbound(bob()));
    says(&mut world, &invite, "183 Session Progress", "kitchen", "", ANSWER);
    says(&mut world, &invite, "180 Ringing", "study", "", "");
    says(&mut world, &invite, "183 Session Progress", "study", "", LATER);
    let told = progress(&world);
    assert_eq!(told.len(), 3);
    assert!(told[0].0 != told[1].0 && told[1].0 == told[2].0, "{told:?}");
    assert_eq!((told[0].2, told[1].2, told[2].2), (true, false, true));
    says(&mut world, &invite, "200 OK", "study", "", LATER);
    let ack = world.expect("ACK");
    assert!(ack.field("To").contains("tag=study"));
    let (fork, sdp, offer) = answered(&world);
    assert_eq!((fork, offer), (told[1].0, false));
    assert_eq!(sdp.unwrap(), LATER);
    // The other one was picked up in the same moment.
    says(&mut world, &invite, "200 OK", "kitchen", "", ANSWER);
    assert!(world.expect("ACK").field("To").contains("tag=kitchen"));
    let bye = world.expect("BYE");
    assert!(bye.field("To").contains("tag=kitchen"));
    assert!(bye.field("Reason").contains("SIP;cause=200;text=\"Call completed elsewhere\""), "{}", bye.text);
    says(&mut world, &bye, "200 OK", "", "", "");
    assert!(world.ended(0, leg).is_empty());
    part(&mut world, leg);
}

#[test]
fn a_reliable_183_is_acknowledged_once_however_often_it_comes() {
    let (mut world, leg, invite) = calling(2, outbound(bob()));
    assert!(invite.field("Supported").contains("100rel") && invite.field("Allow").contains("PRACK"));
    for _ in 0..3 {
        says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}7\r\n"), ANSWER);
    }
    let prack = world.expect("PRACK");
    assert_eq!((prack.field("RAck"), prack.field("CSeq")), ("7 1 INVITE", "2 PRACK"));
    assert!(prack.first_line().contains("bob@"), "to the Contact of the 183");
    says(&mut world, &prack, "200 OK", "", "", "");
    // One is missing between: this one comes too early.
    says(&mut world, &invite, "180 Ringing", "b", &format!("{RELIABLE}9\r\n"), "");
    says(&mut world, &invite, "180 Ringing", "b", &format!("{RELIABLE}8\r\n"), "");
    let prack = world.expect("PRACK");
    assert_eq!((prack.field("RAck"), prack.field("CSeq")), ("8 1 INVITE", "3 PRACK"));
    says(&mut world, &prack, "200 OK", "", "", "");
    assert_eq!(world.sent(us(), "PRACK"), 2);
    assert_eq!(progress(&world).iter().map(|told| (told.1, told.3)).collect::<Vec<_>>(), [(183, true), (180, true)]);
    // The answer was given in the 183; the 200 has none.
    says(&mut world, &invite, "200 OK", "b", "", "");
    assert_eq!(seq_of(&world.expect("ACK")), 1);
    let (_, sdp, offer) = answered(&world);
    assert_eq!((sdp.unwrap(), offer), (sdp_of(ANSWER), false));
    assert_eq!(seq_of(&part(&mut world, leg)), 4, "counted on from the PRACKs");
}

fn sdp_of(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[test]
fn a_lost_prack_goes_out_again_until_it_is_answered() {
    let (mut world, leg, invite) = calling(3, outbound(bob()));
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}1\r\n"), ANSWER);
    world.pass_ms(1600);
    assert_eq!(world.sent(us(), "PRACK"), 3, "at 0, 0.5 and 1.5 s");
    let prack = world.expect("PRACK");
    says(&mut world, &prack, "200 OK", "", "", "");
    world.pass_ms(10_000);
    assert_eq!(world.sent(us(), "PRACK"), 3);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn without_prack_in_its_manner_a_far_end_is_not_told_of_it() {
    let manner = Manner { prack: Support::Off, ..Manner::default() };
    let (mut world, leg, invite) = calling(4, OutboundInvite { manner, ..outbound(bob()) });
    assert!(!invite.field("Supported").contains("100rel"));
    says(&mut world, &invite, "183 Session Progress", "b", "", ANSWER);
    assert_eq!(world.sent(us(), "PRACK"), 0);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
    let manner = Manner { prack: Support::Require, ..Manner::default() };
    let (mut world, leg, invite) = calling(4, OutboundInvite { manner, ..outbound(bob()) });
    assert!(invite.field("Require").contains("100rel"));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_late_answer_that_crosses_our_cancel_is_hung_up_with_a_number_after_its_pracks() {
    let (mut world, leg, invite) = calling(5, outbound(bob()));
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}1\r\n"), ANSWER);
    let prack = world.expect("PRACK");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    let cancel = world.expect("CANCEL");
    says(&mut world, &prack, "481 Call/Transaction Does Not Exist", "", "", "");
    says(&mut world, &cancel, "200 OK", "b", "", "");
    says(&mut world, &invite, "200 OK", "b", "", "");
    assert_eq!(seq_of(&world.expect("ACK")), 1);
    let bye = world.expect("BYE");
    assert_eq!(seq_of(&bye), 3);
    says(&mut world, &bye, "200 OK", "", "", "");
    assert_eq!(world.ended(0, leg), [Cause::HungUp]);
    world.settle();
}

#[test]
fn an_offer_in_the_200_is_answered_in_the_ack_as_soon_as_the_user_does() {
    let (mut world, leg, invite) = calling(6, late(outbound(bob())));
    assert!(invite.body().is_empty());
    says(&mut world, &invite, "180 Ringing", "b", "", "");
    says(&mut world, &invite, "200 OK", "b", "", OFFER);
    says(&mut world, &invite, "200 OK", "b", "", OFFER);
    assert_eq!(world.sent(us(), "ACK"), 0, "the user has not answered yet");
    let (_, theirs, offer) = answered(&world);
    assert_eq!((theirs.unwrap(), offer), (sdp_of(OFFER), true));
    world.with(0, |endpoint, now| endpoint.accept_offer(leg, sdp(ANSWER), now));
    world.pass_ms(5);
    assert_eq!(world.expect("ACK").body(), ANSWER);
    says(&mut world, &invite, "200 OK", "b", "", OFFER);
    assert_eq!(world.expect("ACK").body(), ANSWER, "the ACK was lost");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Answered { .. })), 1);
    part(&mut world, leg);
}

#[test]
fn who_hangs_up_on_an_offer_in_the_200_acknowledges_it_first() {
    let (mut world, leg, invite) = calling(7, late(outbound(bob())));
    says(&mut world, &invite, "200 OK", "b", "", OFFER);
    world.with(0, |endpoint, now| endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &Vec::new(), now));
    world.pass_ms(5);
    assert!(world.expect("ACK").body().is_empty());
    let bye = world.expect("BYE");
    says(&mut world, &bye, "200 OK", "", "", "");
    assert_eq!(world.ended(0, leg), [Cause::NoCommonCodec]);
    world.settle();
}

#[test]
fn an_offer_in_a_reliable_183_is_answered_in_its_prack() {
    let (mut world, leg, invite) = calling(8, late(outbound(bob())));
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}5\r\n"), OFFER);
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}5\r\n"), OFFER);
    assert_eq!(world.sent(us(), "PRACK"), 0);
    let fork = world.nodes[0].events.iter().find_map(|(_, event)| match event {
        Event::EarlyOffered { fork, sdp, .. } if *sdp == OFFER => Some(*fork),
        _ => None,
    });
    assert_eq!(world.happened(0, |e| matches!(e, Event::EarlyOffered { .. })), 1);
    world.with(0, |endpoint, now| endpoint.accept_early_offer(leg, fork.unwrap(), sdp(ANSWER), now));
    world.pass_ms(5);
    let prack = world.expect("PRACK");
    assert_eq!((prack.field("RAck"), prack.body()), ("5 1 INVITE", ANSWER));
    says(&mut world, &prack, "200 OK", "", "", "");
    says(&mut world, &invite, "200 OK", "b", "", "");
    assert!(world.expect("ACK").body().is_empty());
    let (_, theirs, offer) = answered(&world);
    assert_eq!((theirs.unwrap(), offer), (sdp_of(OFFER), false));
    part(&mut world, leg);
}

#[test]
fn an_early_offer_without_a_common_codec_ends_that_far_end_alone() {
    let (mut world, leg, invite) = calling(9, late(outbound(bob())));
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}5\r\n"), OFFER);
    let fork = progress(&world)[0].0;
    world.with(0, |endpoint, now| endpoint.refuse_early_offer(leg, fork, Status::NOT_ACCEPTABLE_HERE, now));
    world.pass_ms(5);
    let prack = world.expect("PRACK");
    assert!(prack.body().is_empty());
    let bye = world.expect("BYE");
    assert_eq!((seq_of(&prack), seq_of(&bye)), (2, 3));
    says(&mut world, &prack, "200 OK", "", "", "");
    says(&mut world, &bye, "200 OK", "", "", "");
    assert!(world.ended(0, leg).is_empty(), "another may still answer");
    says(&mut world, &invite, "487 Request Terminated", "b", "", "");
    assert_eq!(world.ended(0, leg), [Cause::Cancelled]);
    world.settle();
}

#[test]
fn a_far_end_changes_its_early_media_by_update_once_the_first_answer_is_certain() {
    let (mut world, leg, invite) = calling(10, outbound(bob()));
    says(&mut world, &invite, "183 Session Progress", "b", "", ANSWER);
    asks(&mut world, &invite, "UPDATE", "b", 1, LATER);
    world.expect("SIP/2.0 491");
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}1\r\n"), ANSWER);
    let prack = world.expect("PRACK");
    says(&mut world, &prack, "200 OK", "", "", "");
    asks(&mut world, &invite, "UPDATE", "b", 2, LATER);
    asks(&mut world, &invite, "UPDATE", "b", 3, LATER);
    assert!(world.expect("SIP/2.0 500").field("Retry-After").parse::<u32>().unwrap() <= 10);
    let fork = progress(&world)[0].0;
    let offers = world.happened(0, |e| matches!(e, Event::EarlyOffered { sdp, .. } if *sdp == LATER));
    assert_eq!(offers, 1);
    world.with(0, |endpoint, now| endpoint.accept_early_offer(leg, fork, sdp(OFFER), now));
    world.pass_ms(5);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!((ok.field("CSeq"), ok.body()), ("2 UPDATE", OFFER));
    asks(&mut world, &invite, "UPDATE", "b", 4, "");
    assert_eq!(world.expect("SIP/2.0 200").field("CSeq"), "4 UPDATE");
    asks(&mut world, &invite, "UPDATE", "b", 4, "");
    assert_eq!(world.happened(0, |e| matches!(e, Event::EarlyOffered { .. })), 1);
    says(&mut world, &invite, "200 OK", "b", "", "");
    world.expect("ACK");
    let (_, theirs, _) = answered(&world);
    assert_eq!(theirs.unwrap(), LATER, "what it said last");
    part(&mut world, leg);
}

#[test]
fn an_update_that_was_not_answered_when_the_call_was_is_answered_after() {
    let (mut world, leg, invite) = calling(11, outbound(bob()));
    says(&mut world, &invite, "183 Session Progress", "b", &format!("{RELIABLE}1\r\n"), ANSWER);
    let prack = world.expect("PRACK");
    says(&mut world, &prack, "200 OK", "", "", "");
    asks(&mut world, &invite, "UPDATE", "b", 1, LATER);
    let fork = progress(&world)[0].0;
    says(&mut world, &invite, "200 OK", "b", "", "");
    world.expect("ACK");
    world.with(0, |endpoint, now| endpoint.accept_early_offer(leg, fork, sdp(OFFER), now));
    world.pass_ms(5);
    assert_eq!(world.expect("SIP/2.0 200").field("CSeq"), "1 UPDATE");
    part(&mut world, leg);
}

#[test]
fn we_change_what_we_offer_before_the_answer_by_update() {
    let (mut world, leg, invite) = calling(12, outbound(bob()));
    let reliable = format!("Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE\r\n{RELIABLE}1\r\n");
    says(&mut world, &invite, "183 Session Progress", "b", &reliable, ANSWER);
    let prack = world.expect("PRACK");
    says(&mut world, &prack, "200 OK", "", "", "");
    world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
    world.pass_ms(5);
    let update = world.expect("UPDATE");
    assert_eq!((update.field("CSeq"), update.body()), ("3 UPDATE", OFFER));
    // Theirs meets ours.
    asks(&mut world, &invite, "UPDATE", "b", 1, LATER);
    world.expect("SIP/2.0 491");
    says(&mut world, &update, "200 OK", "", "", LATER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(s)), .. } if *s == LATER)), 1);
    // The next one is answered after the call is.
    world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
    world.pass_ms(5);
    let update = world.expect("UPDATE");
    says(&mut world, &invite, "200 OK", "b", "", "");
    world.expect("ACK");
    says(&mut world, &update, "200 OK", "", "", LATER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(s)), .. } if *s == LATER)), 2);
    assert_eq!(seq_of(&part(&mut world, leg)), 5);
}

#[test]
fn an_update_to_a_far_end_that_takes_none_waits_until_the_call_is_up_and_goes_by_reinvite() {
    let (mut world, leg, invite) = calling(13, outbound(bob()));
    says(&mut world, &invite, "180 Ringing", "b", "", "");
    world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
    world.pass_ms(3000);
    assert_eq!(world.sent(us(), "UPDATE") + world.sent(us(), "INVITE"), 1);
    says(&mut world, &invite, "200 OK", "b", "", ANSWER);
    world.expect("ACK");
    let again = world.expect("INVITE");
    assert_eq!(seq_of(&again), 2);
    says(&mut world, &again, "200 OK", "", "", ANSWER);
    world.expect("ACK");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    part(&mut world, leg);
}

#[test]
fn a_far_end_that_is_done_is_told_of_and_the_others_ring_on() {
    let (mut world, leg, invite) = calling(14, outbound(bob()));
    says(&mut world, &invite, "183 Session Progress", "b", "", ANSWER);
    says(&mut world, &invite, "180 Ringing", "c", "", "");
    says(&mut world, &invite, "199 Early Dialog Terminated", "b", "", "");
    let told = progress(&world);
    assert_eq!((told[2].0, told[2].1), (told[0].0, 199));
    says(&mut world, &invite, "200 OK", "c", "", ANSWER);
    world.expect("ACK");
    assert_eq!(answered(&world).0, told[1].0);
    part(&mut world, leg);
}

#[test]
fn a_bye_from_the_only_far_end_before_its_answer_ends_the_call() {
    let (mut world, leg, invite) = calling(15, outbound(bob()));
    says(&mut world, &invite, "180 Ringing", "b", "", "");
    asks(&mut world, &invite, "BYE", "b", 1, "");
    world.expect("SIP/2.0 200");
    let cancel = world.expect("CANCEL");
    assert_eq!(world.ended(0, leg), [Cause::HungUpByCallee]);
    says(&mut world, &cancel, "200 OK", "b", "", "");
    says(&mut world, &invite, "487 Request Terminated", "b", "", "");
    world.settle();
}

#[test]
fn a_request_of_a_far_end_that_was_never_heard_of_belongs_to_no_call() {
    let (mut world, leg, invite) = calling(16, outbound(bob()));
    says(&mut world, &invite, "180 Ringing", "b", "", "");
    asks(&mut world, &invite, "UPDATE", "stranger", 1, LATER);
    world.expect("SIP/2.0 481");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_proxy_gone_wild_with_forks_fills_nothing() {
    let (mut world, leg, invite) = calling(17, outbound(bob()));
    for fork in 0..200 {
        says(&mut world, &invite, "183 Session Progress", &format!("f{fork}"), &format!("{RELIABLE}1\r\n"), ANSWER);
    }
    assert_eq!(world.nodes[0].endpoint.counts().client_transactions, 17, "the INVITE and 16 PRACKs");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}
