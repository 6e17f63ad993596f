//! A call that is up: session timers in both roles, changes that collide, offers asked for (RFC 4028, RFC 3261 §14,
//! RFC 3311 §5).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Cause, LegId, Secret};
use ringlift::sip::auth::Prover;
use ringlift::sip::endpoint::{Event, Manner, OutboundInvite, SessionInterval, SessionTimer};
use ringlift::wire::sip::{Message, Method, Status};
use sip_world::{ANSWER, OFFER, Seen, World, address, answer_to, nobody, outbound, request, tag_of, willing};

const TIMER: &str = "Supported: timer\r\nSession-Expires: ";

fn carol() -> SocketAddr {
    address(77)
}

fn us() -> SocketAddr {
    address(1)
}

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn asking(timer: SessionTimer) -> Manner {
    Manner { timer: Some(SessionTimer { demand: true, ..timer }), ..Manner::default() }
}

/// Carol calls and is connected; returns the leg, our tag and our 200.
fn connected(more: &str) -> (World, LegId, String, Seen) {
    let mut world = World::new(1, &[willing]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, more, OFFER));
    world.pass_ms(5);
    let ok = world.expect("SIP/2.0 200");
    let tag = tag_of(ok.field("To"));
    world.inject(carol(), us(), &request("ACK", carol(), "z9hG4bK1a", &tag, "call-1", 1, "", ""));
    let leg = world.invited(0);
    (world, leg, tag, ok)
}

/// We call Bob, who answers with this.
fn calling(manner: Manner, more: &str) -> (World, LegId, Seen) {
    let mut world = World::new(1, &[willing]);
    let call = OutboundInvite { manner, ..outbound(carol()) };
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    world.pass_ms(5);
    let invite = world.expect("INVITE");
    says(&mut world, &invite, "200 OK", "b", more, ANSWER);
    world.expect("ACK");
    (world, leg, invite)
}

fn says(world: &mut World, request: &Seen, status: &str, tag: &str, more: &str, body: &str) {
    world.inject(carol(), us(), &answer_to(request, status, tag, more, body));
    world.pass_ms(5);
}

fn asks(world: &mut World, method: &str, branch: &str, tag: &str, seq: u32, more: &str, body: &str) {
    world.inject(carol(), us(), &request(method, carol(), branch, tag, "call-1", seq, more, body));
    world.pass_ms(5);
}

fn interval(world: &World, leg: LegId) -> Option<SessionInterval> {
    world.nodes[0].endpoint.session_interval(leg)
}

fn runs(seconds: u64, ours: bool) -> Option<SessionInterval> {
    Some(SessionInterval { expires: secs(seconds), ours })
}

/// The call is ended by our BYE for want of refreshes.
fn expires(world: &mut World, leg: LegId) {
    let bye = world.expect("BYE");
    assert!(bye.field("Reason").contains("SIP;cause=408"), "{}", bye.text);
    assert_eq!(world.ended(0, leg), [Cause::SessionExpired]);
    says(world, &bye, "200 OK", "", "", "");
    world.settle();
}

#[test]
fn a_call_of_hours_is_refreshed_and_one_whose_network_is_gone_ends_on_both_sides() {
    for by_update in [true, false] {
        let mut world = World::new(1, &[willing, willing]);
        let timer = SessionTimer { expires: 600, by_update, ..SessionTimer::default() };
        let call = OutboundInvite { manner: asking(timer), ..outbound(address(2)) };
        let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
        world.pass(secs(7200));
        let far = world.invited(1);
        assert!(world.ended(0, leg).is_empty() && world.ended(1, far).is_empty());
        let (updates, invites) = (world.sent(us(), "UPDATE"), world.sent(us(), "INVITE"));
        assert!(if by_update { updates >= 23 && invites == 1 } else { updates == 0 && invites >= 24 });
        assert!(world.happened(0, |e| matches!(e, Event::Refreshed { sdp: None, .. })) >= 23);
        if !by_update {
            let last = world.log.iter().rfind(|seen| seen.text.starts_with("INVITE")).unwrap();
            assert_eq!(last.body(), OFFER, "what stands is offered again");
        }
        world.lose = Some(|_| true);
        world.pass(secs(700));
        assert_eq!(world.ended(0, leg), [Cause::SessionExpired]);
        assert_eq!(world.ended(1, far), [Cause::SessionExpired]);
        world.settle();
    }
}

#[test]
fn a_caller_who_asks_for_a_timer_refreshes_it_and_is_hung_up_when_it_stops() {
    let (mut world, leg, tag, ok) = connected(&format!("{TIMER}1800\r\n"));
    assert_eq!((ok.field("Session-Expires"), ok.field("Require")), ("1800;refresher=uac", "timer"));
    assert_eq!(interval(&world, leg), runs(1800, false));
    world.pass(secs(1700));
    asks(&mut world, "UPDATE", "z9hG4bK2", &tag, 2, &format!("{TIMER}1800;refresher=uac\r\n"), "");
    let ok = world.expect("SIP/2.0 200");
    assert_eq!(ok.field("Session-Expires"), "1800;refresher=uac");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Refreshed { .. })), 1);
    world.pass(secs(1767));
    assert!(world.ended(0, leg).is_empty());
    assert_eq!(world.sent(us(), "UPDATE") + world.sent(us(), "INVITE"), 0, "it was not ours to refresh");
    world.pass(secs(2));
    expires(&mut world, leg);
}

#[test]
fn a_caller_who_leaves_it_to_us_is_refreshed_by_reinvite_where_it_takes_no_update() {
    let (mut world, leg, _, ok) =
        connected(&format!("Allow: INVITE, ACK, BYE, CANCEL\r\n{TIMER}600;refresher=uas\r\n"));
    assert_eq!(ok.field("Session-Expires"), "600;refresher=uas");
    world.pass(secs(301));
    let refresh = world.expect("INVITE");
    assert_eq!(refresh.body(), ANSWER, "what stands is offered again");
    assert_eq!(refresh.field("Session-Expires"), "600;refresher=uac");
    assert!(refresh.field("Supported").contains("timer") && !refresh.field("Supported").contains("100rel"));
    says(&mut world, &refresh, "200 OK", "", "Session-Expires: 600;refresher=uac\r\n", OFFER);
    world.expect("ACK");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Refreshed { sdp: None, .. })), 1, "nothing changed");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { .. })), 0);
    world.pass(secs(301));
    let refresh = world.expect("INVITE");
    says(&mut world, &refresh, "200 OK", "", "Session-Expires: 600;refresher=uac\r\n", ANSWER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Refreshed { sdp: Some(s), .. } if *s == ANSWER)), 1, "moved");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_caller_who_knows_nothing_of_timers_is_refreshed_by_us_where_the_manner_demands_it() {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, "Allow: UPDATE\r\n", OFFER));
    let leg = world.invited(0);
    assert!(world.with(0, |endpoint, now| endpoint.set_manner(leg, asking(SessionTimer::default()), now)));
    world.with(0, |endpoint, now| endpoint.answer(leg, sdp(ANSWER), &Vec::new(), now));
    world.pass_ms(5);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!((ok.field("Session-Expires"), ok.field("Require")), ("1800;refresher=uas", ""));
    let tag = tag_of(ok.field("To"));
    asks(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    world.pass(secs(901));
    let refresh = world.expect("UPDATE");
    assert!(refresh.body().is_empty());
    // It echoes nothing, and is alive all the same.
    says(&mut world, &refresh, "200 OK", "", "", "");
    assert_eq!(interval(&world, leg), runs(1800, true));
    world.inbox.clear();
    world.pass(secs(901));
    let refresh = world.expect("UPDATE");
    says(&mut world, &refresh, "481 Call/Transaction Does Not Exist", "", "", "");
    assert_eq!(world.ended(0, leg), [Cause::SessionExpired]);
    world.settle();
}

#[test]
fn without_a_wish_on_either_side_no_timer_runs() {
    let (mut world, leg, _, ok) = connected("Supported: timer\r\n");
    assert_eq!(ok.field("Session-Expires"), "");
    assert_eq!(interval(&world, leg), None);
    world.pass(secs(100_000));
    assert!(world.ended(0, leg).is_empty());
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_far_end_we_call_says_who_refreshes() {
    let manner = asking(SessionTimer::default());
    for (more, expected) in [
        ("Session-Expires: 900;refresher=uas\r\n", runs(900, false)),
        ("Require: timer\r\nSession-Expires: 900;refresher=uac\r\n", runs(900, true)),
        ("Session-Expires: 900\r\n", runs(900, true)),
        ("", runs(1800, true)),
        ("Session-Expires: 1;refresher=uac\r\n", runs(10, true)),
        ("Session-Expires: nonsense\r\n", runs(1800, true)),
    ] {
        let (mut world, leg, invite) = calling(manner, more);
        assert_eq!((invite.field("Session-Expires"), invite.field("Min-SE")), ("1800", "90"));
        assert_eq!(interval(&world, leg), expected, "{more}");
        world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
        world.settle();
    }
    let (mut world, leg, invite) = calling(Manner { timer: None, ..manner }, "Session-Expires: 900;refresher=uas\r\n");
    assert_eq!((invite.field("Session-Expires"), interval(&world, leg)), ("", None));
    assert!(!invite.field("Supported").contains("timer"));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_422_is_met_with_the_interval_it_asks_for_and_proxies_that_outbid_each_other_with_patience_once() {
    let mut world = World::new(1, &[willing]);
    let timer = SessionTimer { expires: 120, ..SessionTimer::default() };
    let call = OutboundInvite { manner: asking(timer), ..outbound(carol()) };
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    world.pass_ms(5);
    let first = world.expect("INVITE");
    assert_eq!(first.field("Session-Expires"), "120");
    says(&mut world, &first, "422 Session Interval Too Small", "x", "Min-SE: 300\r\n", "");
    world.expect("ACK");
    let second = world.expect("INVITE");
    assert_eq!((second.field("Session-Expires"), second.field("Min-SE")), ("300", "300"));
    assert_eq!((first.field("CSeq"), second.field("CSeq")), ("1 INVITE", "2 INVITE"));
    assert_eq!((first.field("Call-ID"), first.field("From")), (second.field("Call-ID"), second.field("From")));
    assert!(!second.field("To").contains("tag"));
    let mut last = second;
    for asked in [400, 500] {
        says(&mut world, &last, "422 Session Interval Too Small", "x", &format!("Min-SE: {asked}\r\n"), "");
        last = world.expect("INVITE");
    }
    says(&mut world, &last, "422 Session Interval Too Small", "x", "Min-SE: 600\r\n", "");
    assert_eq!(world.sent(us(), "INVITE"), 4);
    let refused = |e: &Event| matches!(e, Event::Refused { status: Status::SESSION_INTERVAL_TOO_SMALL, .. });
    assert_eq!((world.happened(0, refused), world.ended(0, leg).len()), (1, 1));
    world.settle();
}

#[test]
fn a_422_that_asks_for_nothing_new_is_a_refusal() {
    for more in ["", "Min-SE: 0\r\n"] {
        let mut world = World::new(1, &[willing]);
        let call = OutboundInvite { manner: asking(SessionTimer::default()), ..outbound(carol()) };
        let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
        world.pass_ms(5);
        let invite = world.expect("INVITE");
        says(&mut world, &invite, "422 Session Interval Too Small", "x", more, "");
        assert_eq!((world.sent(us(), "INVITE"), world.ended(0, leg).len()), (1, 1));
        world.settle();
    }
}

#[test]
fn too_short_an_interval_in_a_call_is_refused_and_the_call_goes_on() {
    let (mut world, leg, tag, _) = connected(&format!("{TIMER}1800\r\n"));
    asks(&mut world, "UPDATE", "z9hG4bK2", &tag, 2, &format!("{TIMER}60\r\n"), "");
    assert_eq!(world.expect("SIP/2.0 422").field("Min-SE"), "90");
    asks(&mut world, "INVITE", "z9hG4bK3", &tag, 3, &format!("{TIMER}60\r\n"), OFFER);
    assert_eq!(world.expect("SIP/2.0 422").field("Min-SE"), "90");
    asks(&mut world, "ACK", "z9hG4bK3", &tag, 3, "", "");
    // Who knows nothing of timers cannot be told; a proxy put it there.
    asks(&mut world, "UPDATE", "z9hG4bK4", &tag, 4, "Session-Expires: 60\r\n", "");
    assert_eq!(world.expect("SIP/2.0 200").field("Session-Expires"), "90;refresher=uas");
    assert_eq!(interval(&world, leg), runs(90, true));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_hold_by_reinvite_refreshes_too_and_keeps_the_roles() {
    let (mut world, leg, tag, _) = connected(&format!("{TIMER}1800;refresher=uac\r\n"));
    world.pass(secs(1700));
    asks(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "Supported: timer\r\n", OFFER);
    assert_eq!(world.expect("SIP/2.0 200").field("Session-Expires"), "1800;refresher=uac");
    asks(&mut world, "ACK", "z9hG4bK2a", &tag, 2, "", "");
    world.pass(secs(1700));
    assert!(world.ended(0, leg).is_empty());
    // Ours says who refreshes as well.
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(ANSWER)), now));
    world.pass_ms(5);
    let hold = world.expect("INVITE");
    assert_eq!(hold.field("Session-Expires"), "1800;refresher=uas");
    says(&mut world, &hold, "200 OK", "", "Session-Expires: 1800;refresher=uas\r\n", OFFER);
    assert_eq!(interval(&world, leg), runs(1800, false));
    world.pass(secs(1770));
    let bye = world.expect("BYE");
    says(&mut world, &bye, "200 OK", "", "", "");
    assert_eq!(world.ended(0, leg), [Cause::SessionExpired]);
    world.settle();
}

#[test]
fn a_refresh_is_repeated_while_it_is_lost_and_asked_again_where_it_is_refused() {
    let (mut world, leg, _, _) = connected(&format!("Allow: UPDATE\r\n{TIMER}600;refresher=uas\r\n"));
    world.pass(secs(304));
    assert_eq!(world.sent(us(), "UPDATE"), 4, "at 0, 0.5, 1.5 and 3.5 s");
    let refresh = world.expect("UPDATE");
    says(&mut world, &refresh, "500 Server Internal Error", "", "", "");
    assert!(world.ended(0, leg).is_empty());
    world.inbox.clear();
    world.pass(secs(76));
    let refresh = world.expect("UPDATE");
    // It does not take UPDATE after all.
    says(&mut world, &refresh, "405 Method Not Allowed", "", "", "");
    world.pass_ms(5);
    let refresh = world.expect("INVITE");
    says(&mut world, &refresh, "422 Session Interval Too Small", "", "Min-SE: 900\r\n", "");
    let refresh = world.expect("INVITE");
    assert_eq!((refresh.field("Session-Expires"), refresh.field("Min-SE")), ("900;refresher=uac", "900"));
    says(&mut world, &refresh, "200 OK", "", "Session-Expires: 900;refresher=uac\r\n", OFFER);
    assert_eq!(interval(&world, leg), runs(900, true));
    world.inbox.clear();
    // Nobody answers any more: the refresh times out, or the session does, whichever is first.
    world.pass(secs(500));
    expires(&mut world, leg);
}

#[test]
fn updates_that_meet_are_both_refused_and_both_made_again() {
    for seed in 0..10 {
        let mut world = World::new(50 + seed, &[willing, willing]);
        let leg = world.call(0, address(2));
        world.pass_ms(100);
        let far = world.invited(1);
        world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
        world.with(1, |endpoint, now| endpoint.update(far, sdp(OFFER), now));
        world.pass_ms(100);
        assert_eq!(world.sent(address(1), "SIP/2.0 491") + world.sent(address(2), "SIP/2.0 491"), 2);
        world.pass_ms(10_000);
        for node in 0..2 {
            assert_eq!(world.happened(node, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
        }
        assert_eq!(world.sent(us(), "INVITE"), 1, "all by UPDATE");
        world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
        world.settle();
    }
}

#[test]
fn a_far_end_that_always_says_491_is_given_up_asking() {
    let (mut world, leg, _, _) = connected("Allow: UPDATE\r\n");
    world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
    for _ in 0..40 {
        world.pass_ms(5);
        while let Some(seen) = world.received() {
            if seen.text.starts_with("UPDATE") {
                says(&mut world, &seen, "491 Request Pending", "", "", "");
            }
        }
        world.pass_ms(4100);
    }
    let updates = world.log.iter().filter(|seen| seen.text.starts_with("UPDATE")).map(|seen| seen.field("CSeq"));
    assert_eq!(updates.collect::<std::collections::BTreeSet<_>>().len(), 9);
    let refused = |e: &Event| matches!(e, Event::Modified { result: Err(Status::REQUEST_PENDING), .. });
    assert_eq!(world.happened(0, refused), 1);
    assert!(world.ended(0, leg).is_empty());
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn their_reinvite_that_meets_our_update_gets_491_and_ours_goes_through() {
    let (mut world, leg, tag, _) = connected("Allow: UPDATE\r\n");
    world.with(0, |endpoint, now| endpoint.update(leg, sdp(OFFER), now));
    world.pass_ms(5);
    let update = world.expect("UPDATE");
    asks(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", OFFER);
    world.expect("SIP/2.0 491");
    asks(&mut world, "ACK", "z9hG4bK2", &tag, 2, "", "");
    asks(&mut world, "UPDATE", "z9hG4bK3", &tag, 3, "", OFFER);
    world.expect("SIP/2.0 491");
    // One that offers nothing is no collision.
    asks(&mut world, "UPDATE", "z9hG4bK4", &tag, 4, "", "");
    world.expect("SIP/2.0 200");
    says(&mut world, &update, "200 OK", "", "", ANSWER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn an_offer_that_finds_theirs_under_way_is_made_again_when_they_say() {
    let (mut world, leg, _, _) = connected("");
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now));
    world.pass_ms(5);
    let first = world.expect("INVITE");
    says(&mut world, &first, "500 Server Internal Error", "", "Retry-After: 3\r\n", "");
    world.pass_ms(2900);
    assert_eq!(world.sent(us(), "INVITE"), 1);
    world.pass_ms(200);
    let second = world.expect("INVITE");
    says(&mut world, &second, "200 OK", "", "", ANSWER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn their_offer_that_we_ask_for_is_answered_in_the_ack() {
    let (mut world, leg, tag, _) = connected("");
    world.with(0, |endpoint, now| endpoint.reinvite(leg, None, now));
    world.pass_ms(5);
    let ask = world.expect("INVITE");
    assert!(ask.body().is_empty());
    says(&mut world, &ask, "200 OK", "", "", OFFER);
    says(&mut world, &ask, "200 OK", "", "", OFFER);
    assert_eq!(world.sent(us(), "ACK"), 0);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(s)), .. } if *s == OFFER)), 1);
    // Meanwhile a key is pressed, and theirs has to wait.
    world.with(0, |endpoint, now| endpoint.info(leg, "application/dtmf", b"5", now));
    asks(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", OFFER);
    world.expect("SIP/2.0 500");
    world.with(0, |endpoint, now| endpoint.accept_offer(leg, sdp(ANSWER), now));
    world.pass_ms(5);
    let ack = world.expect("ACK");
    assert_eq!((ack.field("CSeq"), ack.body()), ("1 ACK", ANSWER), "the number of its INVITE");
    says(&mut world, &ask, "200 OK", "", "", OFFER);
    assert_eq!(world.expect("ACK").body(), ANSWER);
    // One that is not to our liking is answered by what stands.
    world.with(0, |endpoint, now| endpoint.reinvite(leg, None, now));
    world.pass_ms(5);
    let ask = world.expect("INVITE");
    says(&mut world, &ask, "200 OK", "", "", OFFER);
    world.with(0, |endpoint, now| endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &Vec::new(), now));
    world.pass_ms(5);
    assert_eq!(world.expect("ACK").body(), ANSWER);
    // And one that is open when we hang up is acknowledged before the BYE.
    world.with(0, |endpoint, now| endpoint.reinvite(leg, None, now));
    world.pass_ms(5);
    let ask = world.expect("INVITE");
    says(&mut world, &ask, "200 OK", "", "", OFFER);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    world.expect("ACK");
    let bye = world.expect("BYE");
    says(&mut world, &bye, "200 OK", "", "", "");
    world.settle();
}

/// A carrier's question for credentials.
fn challenge(nonce: &str, stale: &str) -> String {
    format!("Proxy-Authenticate: Digest realm=\"carrier\", nonce=\"{nonce}\", qop=\"auth\"{stale}\r\n")
}

/// We call Carol, whose challenges in the call we can answer.
fn calling_an_account() -> (World, LegId) {
    let (mut world, leg, _) = calling(Manner::default(), "Allow: INVITE, ACK, BYE, UPDATE, INFO, REFER\r\n");
    world.with(0, |endpoint, _| endpoint.set_credentials(leg, Prover::new("acc7", Secret::new("s3cret"))));
    world.inbox.clear();
    (world, leg)
}

fn asked(world: &mut World, request: &Seen, nonce: &str, stale: &str) {
    says(world, request, "407 Proxy Authentication Required", "", &challenge(nonce, stale), "");
}

/// The nonce, and which use of it, that a request shows.
fn shown(request: &Seen) -> (String, String) {
    let value = request.field("Proxy-Authorization");
    let part = |name: &str| {
        let rest = value.split_once(&format!("{name}=")).map_or("", |(_, rest)| rest);
        rest.split(',').next().unwrap_or_default().trim_matches('"').to_owned()
    };
    (part(" nonce"), part("nc"))
}

fn once(nonce: &str) -> (String, String) {
    (nonce.to_owned(), "00000001".to_owned())
}

#[test]
fn a_carrier_that_asks_for_credentials_in_a_call_gets_them_with_a_hold_and_then_unasked() {
    let (mut world, leg) = calling_an_account();
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now));
    world.pass_ms(5);
    let first = world.expect("INVITE");
    assert_eq!(first.field("Proxy-Authorization"), "");
    asked(&mut world, &first, "n1", "");
    world.expect("ACK");
    let again = world.expect("INVITE");
    assert_eq!(shown(&again), once("n1"));
    assert_eq!((first.field("CSeq"), again.field("CSeq")), ("2 INVITE", "3 INVITE"));
    assert_eq!((again.body(), again.field("Contact")), (first.body(), first.field("Contact")));
    assert_eq!(again.field("To"), first.field("To"));
    says(&mut world, &again, "200 OK", "", "", ANSWER);
    let ack = world.expect("ACK");
    assert_eq!(ack.field("Proxy-Authorization"), again.field("Proxy-Authorization"), "the ACK shows the same");
    assert_eq!(ack.field("CSeq"), "3 ACK");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    let bye = world.expect("BYE");
    assert_eq!(shown(&bye), ("n1".to_owned(), "00000002".to_owned()), "unasked, with the count risen");
    says(&mut world, &bye, "200 OK", "", "", "");
    world.settle();
}

#[test]
fn a_bye_that_a_carrier_refuses_for_want_of_credentials_is_sent_again_with_them() {
    let (mut world, leg) = calling_an_account();
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    let first = world.expect("BYE");
    asked(&mut world, &first, "n1", "");
    let second = world.expect("BYE");
    assert_eq!((shown(&second), second.field("Reason")), (once("n1"), first.field("Reason")));
    asked(&mut world, &second, "n2", ", stale=true");
    let third = world.expect("BYE");
    assert_eq!((shown(&third), third.field("CSeq")), (once("n2"), "4 BYE"), "the password was right, the nonce old");
    says(&mut world, &third, "200 OK", "", "", "");
    world.settle();
}

#[test]
fn wrong_credentials_in_a_call_are_shown_once_and_the_call_goes_on() {
    let (mut world, leg) = calling_an_account();
    for by_update in [false, true] {
        world.with(0, |endpoint, now| match by_update {
            true => endpoint.update(leg, sdp(OFFER), now),
            false => endpoint.reinvite(leg, Some(sdp(OFFER)), now),
        });
        world.pass_ms(5);
        for nonce in ["n1", "n2"] {
            let change = world.expect(if by_update { "UPDATE" } else { "INVITE" });
            asked(&mut world, &change, &format!("{nonce}{by_update}"), "");
        }
        let refused = |e: &Event| matches!(e, Event::Modified { result: Err(status), .. } if status.code() == 407);
        assert_eq!(world.happened(0, refused), 1 + usize::from(by_update));
        world.inbox.clear();
    }
    assert!(world.ended(0, leg).is_empty());
    let info = world.with(0, |endpoint, now| endpoint.info(leg, "application/dtmf-relay", b"Signal=1", now));
    world.pass_ms(5);
    let first = world.expect("INFO");
    asked(&mut world, &first, "n9", "");
    let again = world.expect("INFO");
    assert_eq!((again.body(), again.field("Content-Type")), (first.body(), "application/dtmf-relay"));
    says(&mut world, &again, "200 OK", "", "", "");
    let told = |e: &Event| matches!(e, Event::Response { transaction, result: Ok(r), .. } if Some(*transaction) == info && r.status.code() == 200);
    assert_eq!(world.happened(0, told), 1, "under the id that the user knows");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    for nonce in ["n3", "n4"] {
        let bye = world.expect("BYE");
        asked(&mut world, &bye, nonce, "");
    }
    world.settle();
}

#[test]
fn a_call_repeated_for_a_longer_session_counts_its_nonce_up() {
    let mut world = World::new(1, &[willing]);
    let call = OutboundInvite { manner: asking(SessionTimer::default()), ..outbound(carol()) };
    let first = world.with(0, |endpoint, now| endpoint.invite(call.clone(), now));
    world.pass_ms(5);
    let invite = world.expect("INVITE");
    let refusal = answer_to(&invite, "407 Proxy Authentication Required", "x", &challenge("n1", ""), "");
    let Ok(Message::Response(refusal)) = Message::parse(&Bytes::from(refusal)) else { panic!("no answer") };
    says(&mut world, &invite, "486 Busy Here", "x", "", "");
    assert_eq!(world.ended(0, first).len(), 1);
    let mut prover = Prover::new("acc7", Secret::new("s3cret"));
    assert!(prover.take(&refusal));
    let headers = prover.headers(&Method::Invite, &call.uri, &mut world.rng);
    prover.passed();
    let second = world.with(0, |endpoint, now| endpoint.invite(OutboundInvite { headers, ..call }, now));
    world.with(0, |endpoint, _| endpoint.set_credentials(second, prover));
    world.pass_ms(5);
    let invite = world.expect("INVITE");
    assert_eq!(shown(&invite), once("n1"));
    says(&mut world, &invite, "422 Session Interval Too Small", "x", "Min-SE: 3600\r\n", "");
    let longer = world.expect("INVITE");
    assert_eq!(shown(&longer), ("n1".to_owned(), "00000002".to_owned()));
    assert_eq!(longer.field("Session-Expires"), "3600");
    assert_eq!(longer.text.matches("Proxy-Authorization").count(), 1);
}
