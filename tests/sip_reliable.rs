//! Calls to us before they are answered: reliable provisional answers and what is demanded of callers, by callers that the
//! test plays message by message (RFC 3262 §3, RFC 3311, RFC 4028 §9).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Cause, LegId, Support};
use ringlift::sip::endpoint::{Event, Manner, SessionTimer};
use ringlift::wire::sip::{Method, Status};
use sip_world::{ANSWER, OFFER, Seen, World, address, nobody, outbound, request, tag_of};

const KNOWS: &str = "Supported: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n";
const DEMANDS: &str = "Require: 100rel\r\n";

fn carol() -> SocketAddr {
    address(77)
}

fn us() -> SocketAddr {
    address(1)
}

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Carol calls; the leg is in our hands.
fn called(more: &str, offer: &str) -> (World, LegId) {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, more, offer));
    world.pass_ms(5);
    world.expect("SIP/2.0 100");
    let leg = world.invited(0);
    (world, leg)
}

fn asks(world: &mut World, method: &str, branch: &str, tag: &str, seq: u32, more: &str, body: &str) {
    world.inject(carol(), us(), &request(method, carol(), branch, tag, "call-1", seq, more, body));
    world.pass_ms(5);
}

fn ring(world: &mut World, leg: LegId, status: Status, sdp: Option<Bytes>) {
    world.with(0, |endpoint, now| endpoint.ring(leg, status, sdp, &Vec::new(), now));
    world.pass_ms(5);
}

fn answer(world: &mut World, leg: LegId) {
    world.with(0, |endpoint, now| endpoint.answer(leg, sdp(ANSWER), &Vec::new(), now));
    world.pass_ms(5);
}

fn rack(provisional: &Seen) -> String {
    format!("RAck: {} 1 INVITE\r\n", provisional.field("RSeq"))
}

fn hang_up(world: &mut World, tag: &str, seq: u32) {
    asks(world, "BYE", "z9hG4bKbye", tag, seq, "", "");
    world.expect("SIP/2.0 200");
    world.settle();
}

#[test]
fn early_media_goes_out_again_until_its_prack_and_the_200_waits_for_it() {
    let (mut world, leg) = called(KNOWS, OFFER);
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let first = world.expect("SIP/2.0 183");
    assert_eq!((first.field("Require"), first.body()), ("100rel", ANSWER));
    assert!(first.field("Allow").contains("UPDATE"));
    answer(&mut world, leg);
    world.pass(Duration::from_millis(7600));
    assert_eq!(world.sent(us(), "SIP/2.0 183"), 5, "at 0, 0.5, 1.5, 3.5 and 7.5 s");
    assert_eq!(world.sent(us(), "SIP/2.0 200"), 0);
    let tag = tag_of(first.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&first), "");
    assert_eq!(world.expect("SIP/2.0 200").field("CSeq"), "2 PRACK");
    let ok = world.expect("SIP/2.0 200");
    assert_eq!(ok.field("CSeq"), "1 INVITE");
    assert!(ok.body().is_empty(), "the answer is in the 183");
    // A copy of the PRACK gets the same answer.
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&first), "");
    assert_eq!(world.expect("SIP/2.0 200").field("CSeq"), "2 PRACK");
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Pracked { sdp: None, .. })), 1);
    assert_eq!(
        world.happened(0, |e| matches!(e, Event::Acked { sdp: None, .. })),
        1,
        "the ACK has the INVITE's number"
    );
    world.pass_ms(20_000);
    assert_eq!(world.sent(us(), "SIP/2.0 183"), 5);
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_183_that_nobody_acknowledges_ends_the_call_after_32_seconds() {
    let (mut world, leg) = called(KNOWS, OFFER);
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    answer(&mut world, leg);
    let tag = tag_of(world.expect("SIP/2.0 183").field("To"));
    world.pass(Duration::from_millis(31_900));
    assert!(world.ended(0, leg).is_empty());
    world.pass(Duration::from_millis(200));
    assert_eq!(world.sent(us(), "SIP/2.0 183"), 7);
    world.expect("SIP/2.0 504");
    assert_eq!(world.ended(0, leg), [Cause::NoAck]);
    asks(&mut world, "ACK", "z9hG4bK1", &tag, 1, "", "");
    world.settle();
}

#[test]
fn who_demands_it_gets_every_1xx_reliably_one_after_the_other() {
    let (mut world, leg) = called(DEMANDS, OFFER);
    ring(&mut world, leg, Status::RINGING, None);
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    ring(&mut world, leg, Status::RINGING, None);
    let first = world.expect("SIP/2.0 180");
    assert_eq!(world.sent(us(), "SIP/2.0 183"), 0, "the 180 is not acknowledged");
    let tag = tag_of(first.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&first), "");
    let second = world.expect("SIP/2.0 183");
    asks(&mut world, "PRACK", "z9hG4bK3", &tag, 3, &rack(&second), "");
    let third = world.expect("SIP/2.0 180");
    let rseq = |seen: &Seen| seen.field("RSeq").parse::<u32>().unwrap();
    assert_eq!((rseq(&second), rseq(&third)), (rseq(&first) + 1, rseq(&first) + 2));
    asks(&mut world, "PRACK", "z9hG4bK4", &tag, 4, &rack(&third), "");
    answer(&mut world, leg);
    assert!(world.expect("SIP/2.0 200 OK\r\n").body().is_empty());
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    hang_up(&mut world, &tag, 5);
}

#[test]
fn a_caller_who_only_knows_it_hears_a_plain_180() {
    let (mut world, leg) = called(KNOWS, OFFER);
    ring(&mut world, leg, Status::RINGING, None);
    let ringing = world.expect("SIP/2.0 180");
    assert_eq!(ringing.field("RSeq"), "");
    world.pass_ms(20_000);
    assert_eq!(world.sent(us(), "SIP/2.0 180"), 1);
    answer(&mut world, leg);
    let tag = tag_of(ringing.field("To"));
    assert_eq!(world.expect("SIP/2.0 200").body(), ANSWER);
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    hang_up(&mut world, &tag, 2);
}

#[test]
fn a_200_overtakes_an_unacknowledged_180_and_its_prack_is_still_welcome() {
    let (mut world, leg) = called(DEMANDS, OFFER);
    ring(&mut world, leg, Status::RINGING, None);
    let ringing = world.expect("SIP/2.0 180");
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    answer(&mut world, leg);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!((ok.field("CSeq"), ok.body()), ("1 INVITE", ANSWER), "the 183 waited in vain, its SDP is here");
    let tag = tag_of(ok.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&ringing), "");
    assert_eq!(world.expect("SIP/2.0 200").field("CSeq"), "2 PRACK");
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    world.pass_ms(5000);
    assert_eq!((world.sent(us(), "SIP/2.0 180"), world.sent(us(), "SIP/2.0 183")), (1, 0));
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_prack_that_crosses_the_callers_own_cancel_finds_no_call() {
    let (mut world, leg) = called(KNOWS, OFFER);
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let progress = world.expect("SIP/2.0 183");
    let tag = tag_of(progress.field("To"));
    asks(&mut world, "CANCEL", "z9hG4bK1", "", 1, "", "");
    world.expect("SIP/2.0 200");
    world.expect("SIP/2.0 487");
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&progress), "");
    assert_eq!(world.expect("SIP/2.0 481").field("CSeq"), "2 PRACK");
    asks(&mut world, "ACK", "z9hG4bK1", &tag, 1, "", "");
    assert_eq!(world.ended(0, leg), [Cause::Cancelled]);
    let before = world.sent(us(), "SIP/2.0 183");
    world.pass_ms(20_000);
    assert_eq!(world.sent(us(), "SIP/2.0 183"), before);
    world.settle();
}

#[test]
fn a_prack_for_what_we_never_said_is_refused_and_the_183_goes_on() {
    let (mut world, leg) = called(KNOWS, OFFER);
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let progress = world.expect("SIP/2.0 183");
    let tag = tag_of(progress.field("To"));
    let rseq = progress.field("RSeq");
    let wrong = ["99999 1 INVITE".to_owned(), format!("{rseq} 2 INVITE"), format!("{rseq} 1 UPDATE"), "x".to_owned()];
    for (value, seq) in wrong.iter().zip(2..) {
        asks(&mut world, "PRACK", &format!("z9hG4bK{seq}"), &tag, seq, &format!("RAck: {value}\r\n"), "");
        assert_eq!(world.expect("SIP/2.0 481").field("CSeq"), format!("{seq} PRACK"));
    }
    world.pass_ms(1600);
    assert_eq!(world.sent(us(), "SIP/2.0 183"), 3);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::Busy, now));
    world.pass_ms(5);
    world.expect("SIP/2.0 486");
    asks(&mut world, "ACK", "z9hG4bK1", &tag, 1, "", "");
    world.settle();
}

#[test]
fn a_caller_without_an_offer_answers_our_early_one_in_the_prack() {
    let (mut world, leg) = called(KNOWS, "");
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let progress = world.expect("SIP/2.0 183");
    let tag = tag_of(progress.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&progress), OFFER);
    world.expect("SIP/2.0 200");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Pracked { sdp: Some(s), .. } if *s == OFFER)), 1);
    answer(&mut world, leg);
    assert!(world.expect("SIP/2.0 200").body().is_empty());
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { sdp: None, .. })), 1);
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_prack_that_forgets_the_answer_is_given_the_offer_once_more() {
    let (mut world, leg) = called(KNOWS, "");
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let progress = world.expect("SIP/2.0 183");
    let tag = tag_of(progress.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&progress), "");
    world.expect("SIP/2.0 200");
    answer(&mut world, leg);
    assert_eq!(world.expect("SIP/2.0 200").body(), ANSWER);
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", OFFER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { sdp: Some(s), .. } if *s == OFFER)), 1);
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_prack_may_offer_anew_and_an_update_too_before_the_answer() {
    let (mut world, leg) = called(KNOWS, OFFER);
    asks(&mut world, "UPDATE", "z9hG4bKu0", "", 2, "", OFFER);
    world.expect("SIP/2.0 481");
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let progress = world.expect("SIP/2.0 183");
    let tag = tag_of(progress.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&progress), OFFER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Offered { sdp: Some(_), method: Method::Prack, .. })), 1);
    world.with(0, |endpoint, now| endpoint.accept_offer(leg, sdp(ANSWER), now));
    world.pass_ms(5);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!((ok.field("CSeq"), ok.body()), ("2 PRACK", ANSWER));
    asks(&mut world, "UPDATE", "z9hG4bK3", &tag, 3, "", OFFER);
    asks(&mut world, "UPDATE", "z9hG4bK4", &tag, 4, "", OFFER);
    world.expect("SIP/2.0 500");
    world.with(0, |endpoint, now| endpoint.accept_offer(leg, sdp(ANSWER), now));
    world.pass_ms(5);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!((ok.field("CSeq"), ok.body()), ("3 UPDATE", ANSWER));
    // And ours to her.
    world.with(0, |endpoint, now| endpoint.update(leg, sdp(ANSWER), now));
    world.pass_ms(5);
    let ours = world.expect("UPDATE");
    asks(&mut world, "UPDATE", "z9hG4bK5", &tag, 5, "", OFFER);
    world.expect("SIP/2.0 491");
    world.inject(carol(), us(), &sip_world::answer_to(&ours, "200 OK", "", "", OFFER));
    world.pass_ms(5);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    answer(&mut world, leg);
    world.expect("SIP/2.0 200");
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    hang_up(&mut world, &tag, 6);
}

#[test]
fn what_still_waits_when_the_caller_gives_up_is_ended_with_the_call() {
    let (mut world, leg) = called(KNOWS, OFFER);
    ring(&mut world, leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)));
    let progress = world.expect("SIP/2.0 183");
    let tag = tag_of(progress.field("To"));
    asks(&mut world, "PRACK", "z9hG4bK2", &tag, 2, &rack(&progress), OFFER);
    asks(&mut world, "CANCEL", "z9hG4bK1", "", 1, "", "");
    assert_eq!(world.expect("SIP/2.0 487").field("CSeq"), "1 INVITE");
    assert_eq!(world.expect("SIP/2.0 487").field("CSeq"), "2 PRACK");
    asks(&mut world, "ACK", "z9hG4bK1", &tag, 1, "", "");
    assert_eq!(world.ended(0, leg), [Cause::Cancelled]);
    world.settle();
}

/// How a caller is refused who does not speak in this manner.
fn refused(manner: Manner, more: &str) -> Seen {
    let (mut world, leg) = called(more, OFFER);
    let goes_on = world.with(0, |endpoint, now| endpoint.set_manner(leg, manner, now));
    world.pass_ms(5);
    assert!(!goes_on);
    assert_eq!(world.ended(0, leg), [Cause::Rejected]);
    answer(&mut world, leg);
    let refusal = world.received().unwrap();
    let tag = tag_of(refusal.field("To"));
    asks(&mut world, "ACK", "z9hG4bK1", &tag, 1, "", "");
    world.settle();
    refusal
}

#[test]
fn a_caller_who_does_not_speak_in_the_profiles_manner_is_told_what_is_missing() {
    let mute = Manner { prack: Support::Off, timer: None, update: false };
    let refusal = refused(mute, DEMANDS);
    assert_eq!((refusal.first_line(), refusal.field("Unsupported")), ("SIP/2.0 420 Bad Extension", "100rel"));
    let refusal = refused(mute, "Require: timer\r\n");
    assert_eq!((refusal.first_line(), refusal.field("Unsupported")), ("SIP/2.0 420 Bad Extension", "timer"));
    let strict = Manner { prack: Support::Require, ..Manner::default() };
    let refusal = refused(strict, "");
    assert_eq!((refusal.first_line(), refusal.field("Require")), ("SIP/2.0 421 Extension Required", "100rel"));
    let slow = Manner { timer: Some(SessionTimer { min_se: 600, ..SessionTimer::default() }), ..Manner::default() };
    let refusal = refused(slow, "Supported: timer\r\nSession-Expires: 599\r\n");
    assert_eq!((refusal.first_line(), refusal.field("Min-SE")), ("SIP/2.0 422 Session Interval Too Small", "600"));
    let (mut world, leg) = called("Supported: timer\r\nSession-Expires: 600\r\n", OFFER);
    assert!(world.with(0, |endpoint, now| endpoint.set_manner(leg, slow, now)));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::Busy, now));
    world.settle();
}

/// Reliable early media, late offers and early UPDATEs between two of us, over networks that lose, double and reorder.
#[test]
fn over_bad_networks_calls_with_early_media_end_once_and_leave_nothing() {
    let (mut up, mut acknowledged, mut refreshed) = (0, 0, 0);
    for seed in 0..300u64 {
        let mut world = World::new(9000 + seed, &[nobody, nobody]);
        world.loss = seed % 35;
        world.doubled = seed % 40;
        world.jitter = 1 + (seed * 37) % 700;
        let timer = SessionTimer { expires: 90, demand: true, by_update: seed % 2 == 0, ..SessionTimer::default() };
        let manner = Manner { prack: Support::Require, timer: Some(timer), update: true };
        let mut call = outbound(address(2));
        call.manner = manner;
        if seed % 3 == 0 {
            call.sdp = None;
        }
        let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
        let mut done = [0usize; 2];
        for step in 0..120u64 {
            world.pass_ms(250);
            for (node, done) in done.iter_mut().enumerate() {
                // Copied out, so that the world can be told.
                let events: Vec<Event> =
                    world.nodes[node].events.iter().skip(*done).map(|(_, event)| event.clone()).collect();
                *done += events.len();
                for event in events {
                    world.with(node, |endpoint, now| match event {
                        Event::Invited { leg, .. } => {
                            endpoint.set_manner(leg, manner, now);
                            endpoint.ring(leg, Status::RINGING, None, &Vec::new(), now);
                            endpoint.ring(leg, Status::SESSION_PROGRESS, Some(sdp(ANSWER)), &Vec::new(), now);
                        }
                        Event::EarlyOffered { leg, fork, .. } => {
                            endpoint.accept_early_offer(leg, fork, sdp(ANSWER), now)
                        }
                        Event::Answered { leg, offer: true, .. } => endpoint.accept_offer(leg, sdp(ANSWER), now),
                        // After a re-INVITE without SDP this is an offer; else there is nothing to accept.
                        Event::Offered { leg, .. } | Event::Modified { leg, result: Ok(Some(_)) } => {
                            endpoint.accept_offer(leg, sdp(ANSWER), now);
                        }
                        Event::Pracked { leg, .. } if seed % 5 == 0 => endpoint.update(leg, sdp(OFFER), now),
                        _ => {}
                    });
                }
            }
            let far = world.nodes[1].endpoint.legs().next();
            match (step, far) {
                (12, Some(far)) if seed % 7 != 0 => answer_as(&mut world, far),
                (20 | 22, Some(far)) if seed % 4 == 1 => {
                    world.with(1, |endpoint, now| endpoint.update(far, sdp(OFFER), now));
                    world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
                }
                (24, _) if seed % 4 == 2 => world.with(0, |endpoint, now| endpoint.reinvite(leg, None, now)),
                _ => {}
            }
        }
        world.pass(Duration::from_secs(200));
        refreshed += world.happened(0, |e| matches!(e, Event::Refreshed { .. }));
        world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
        world.pass(Duration::from_secs(400));
        world.settle();
        for node in 0..2 {
            let began = if node == 0 { 1 } else { world.happened(1, |e| matches!(e, Event::Invited { .. })) };
            assert_eq!(world.happened(node, |e| matches!(e, Event::Ended { .. })), began, "seed {seed}, node {node}");
        }
        up += world.happened(0, |e| matches!(e, Event::Answered { .. }));
        acknowledged += world.happened(1, |e| matches!(e, Event::Pracked { .. }));
    }
    let told = format!("{up} up, {acknowledged} acknowledged, {refreshed} refreshed");
    assert!(up > 180 && acknowledged > 400 && refreshed > 150, "the runs must reach something: {told}");
}

fn answer_as(world: &mut World, leg: LegId) {
    world.with(1, |endpoint, now| endpoint.answer(leg, sdp(ANSWER), &Vec::new(), now));
}
