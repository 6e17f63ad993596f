//! What is refused, with which code and which headers, seen on the wire (RFC 3261 §8.2).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::net::SocketAddr;

use ringlift::base::{Cause, Now, Rng};
use ringlift::sip::Endpoint;
use ringlift::sip::endpoint::{Event, Settings};
use ringlift::wire::sip::Status;
use sip_world::{OFFER, Seen, World, address, answer_to, nobody, request, settings, tag_of, willing};

fn carol() -> SocketAddr {
    address(77)
}

fn us() -> SocketAddr {
    address(1)
}

/// Sends one request from Carol and returns the answer; checks that it kept nothing.
fn refused(text: &str) -> Seen {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), text);
    world.pass_ms(10);
    let answer = world.received().expect("an answer");
    assert!(world.received().is_none(), "one answer");
    assert!(world.nodes[0].endpoint.is_empty(), "nothing is kept");
    assert!(!tag_of(answer.field("To")).is_empty(), "the answer has a tag");
    answer
}

fn invite(more: &str) -> String {
    request("INVITE", carol(), "z9hG4bKa", "", "call-1", 1, more, OFFER)
}

#[test]
fn a_request_we_do_not_serve_is_told_what_we_do_serve() {
    let answer = refused(&request("PUBLISH", carol(), "z9hG4bKa", "", "c", 1, "", ""));
    assert_eq!(answer.first_line(), "SIP/2.0 405 Method Not Allowed");
    assert!(answer.field("Allow").contains("INVITE, ACK"));
    let answer = refused(&request("DANCE", carol(), "z9hG4bKa", "", "c", 1, "", ""));
    assert_eq!(answer.first_line(), "SIP/2.0 501 Not Implemented");
    assert!(answer.field("Allow").contains("BYE"));
}

#[test]
fn an_extension_we_do_not_know_is_named_in_unsupported() {
    let answer = refused(&invite("Require: 100rel, nothingSupportsThis, norThis\r\n"));
    assert_eq!(answer.first_line(), "SIP/2.0 420 Bad Extension");
    assert_eq!(answer.field("Unsupported"), "nothingSupportsThis, norThis");
}

#[test]
fn a_body_we_cannot_read_is_told_what_we_can() {
    let text = invite("").replace("application/sdp", "application/isup");
    let answer = refused(&text);
    assert_eq!(answer.first_line(), "SIP/2.0 415 Unsupported Media Type");
    assert_eq!(answer.field("Accept"), "application/sdp");
    let answer = refused(&invite("Content-Encoding: gzip\r\n"));
    assert_eq!(answer.field("Accept-Encoding"), "identity");
}

#[test]
fn an_optional_body_we_cannot_read_is_passed_over() {
    let mut world = World::new(1, &[nobody]);
    let text = invite("Content-Disposition: render; handling=optional\r\n").replace("application/sdp", "text/fancy");
    world.inject(carol(), us(), &text);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Invited { .. })), 1);
}

#[test]
fn a_scheme_we_do_not_know_a_path_too_long_and_a_circle_have_their_codes() {
    let answer =
        refused(&invite("").replace("INVITE sip:room@192.0.2.1", "INVITE nobodyKnowsThisScheme:totallyopaque"));
    assert_eq!(answer.first_line(), "SIP/2.0 416 Unsupported URI Scheme");
    let answer = refused(&invite("").replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert_eq!(answer.first_line(), "SIP/2.0 483 Too Many Hops");
}

#[test]
fn options_at_the_end_of_its_path_is_answered() {
    let mut world = World::new(1, &[willing]);
    let text = request("OPTIONS", carol(), "z9hG4bKa", "", "c", 1, "", "").replace("Forwards: 70", "Forwards: 0");
    world.inject(carol(), us(), &text);
    world.pass_ms(10);
    world.expect("SIP/2.0 200");
    world.settle();
}

#[test]
fn our_own_invite_that_comes_back_is_a_circle_and_to_another_number_a_spiral() {
    let mut world = World::new(1, &[nobody]);
    world.call(0, address(50));
    world.pass_ms(10);
    let sent = world.expect("INVITE").text;
    let via = "Via: SIP/2.0/UDP 192.0.2.77:5060;branch=z9hG4bKproxy\r\n";
    let back = sent.replacen("Via:", &format!("{via}Via:"), 1);
    world.inject(carol(), us(), &back);
    world.pass_ms(10);
    assert_eq!(world.expect("SIP/2.0").first_line(), "SIP/2.0 482 Loop Detected");
    world.inject(carol(), us(), &back.replace("INVITE sip:bob@", "INVITE sip:other@"));
    assert_eq!(world.happened(0, |e| matches!(e, Event::Invited { .. })), 1);
}

#[test]
fn requests_of_calls_we_do_not_know_get_481() {
    for method in ["BYE", "INVITE", "INFO", "UPDATE"] {
        let answer = refused(&request(method, carol(), "z9hG4bKa", "nosuchtag", "c", 7, "", ""));
        assert_eq!(answer.first_line(), "SIP/2.0 481 Call/Transaction Does Not Exist", "{method}");
    }
    for method in ["BYE", "CANCEL", "INFO"] {
        let answer = refused(&request(method, carol(), "z9hG4bKa", "", "c", 7, "", ""));
        assert_eq!(answer.first_line(), "SIP/2.0 481 Call/Transaction Does Not Exist", "{method}");
    }
}

#[test]
fn a_copy_of_an_invite_by_another_path_is_merged() {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &invite(""));
    world.inject(address(78), us(), &invite("").replace("z9hG4bKa", "z9hG4bKb"));
    world.pass_ms(10);
    world.expect("SIP/2.0 100");
    assert_eq!(world.expect("SIP/2.0").first_line(), "SIP/2.0 482 Merged Request");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Invited { .. })), 1);
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.refuse(leg, Status::NOT_FOUND, Cause::NoRoute, &Vec::new(), now));
    world.settle();
}

#[test]
fn a_retransmitted_invite_gets_its_refusal_again_and_an_ack_silences_it() {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &invite(""));
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.refuse(leg, Status::NOT_FOUND, Cause::NoRoute, &Vec::new(), now));
    world.pass_ms(10);
    let first = world.expect("SIP/2.0 404");
    assert!(first.field("Reason").contains("Q.850;cause=1"));
    world.inject(carol(), us(), &invite(""));
    world.pass_ms(10);
    assert_eq!(world.expect("SIP/2.0 404").text, first.text);
    let tag = tag_of(first.field("To"));
    world.inject(carol(), us(), &request("ACK", carol(), "z9hG4bKa", &tag, "call-1", 1, "", ""));
    world.inject(carol(), us(), &invite(""));
    world.pass_ms(4000);
    assert!(world.received().is_none(), "acknowledged: neither timer nor copy is answered");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Invited { .. })), 1);
    world.settle();
}

#[test]
fn an_ack_is_never_answered() {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &request("ACK", carol(), "z9hG4bKa", "nosuch", "c", 1, "Require: x\r\n", ""));
    world.inject(
        carol(),
        us(),
        &request("ACK", carol(), "z9hG4bKb", "", "c", 1, "", "").replace("Max-Forwards: 70", "Max-Forwards: 0"),
    );
    world.inject(
        carol(),
        us(),
        &request("ACK", carol(), "z9hG4bKc", "", "c", 1, "", "").replace("CSeq: 1 ACK", "CSeq: x"),
    );
    world.pass_ms(100);
    assert!(world.received().is_none());
    assert_eq!(world.nodes[0].endpoint.counters().stray_acks, 2);
    assert_eq!(world.nodes[0].endpoint.counters().malformed, 1);
}

#[test]
fn a_malformed_request_is_told_so_and_a_flood_of_them_is_not() {
    let bad = invite("").replace("CSeq: 1 INVITE", "CSeq: 1 BYE");
    let answer = refused(&bad);
    assert!(answer.first_line().starts_with("SIP/2.0 400 "), "{}", answer.first_line());
    assert!(refused(&invite("").replace(" SIP/2.0\r\nVia", " SIP/7.0\r\nVia")).first_line().starts_with("SIP/2.0 505"));
    let mut world = World::new(1, &[nobody]);
    for _ in 0..1000 {
        world.inject(carol(), us(), &bad);
    }
    world.pass_ms(10);
    let counters = *world.nodes[0].endpoint.counters();
    assert_eq!((counters.malformed, counters.malformed_unanswered), (1000, 990));
    assert_eq!(world.inbox.len(), 10);
}

#[test]
fn an_invite_without_contact_is_malformed() {
    let text = invite("").lines().filter(|line| !line.starts_with("Contact")).collect::<Vec<_>>().join("\r\n") + "\r\n";
    assert!(refused(&text).first_line().starts_with("SIP/2.0 400"));
}

#[test]
fn beyond_the_limits_new_calls_get_503_and_calls_that_are_up_go_on() {
    let mut world = World::new(1, &[willing]);
    let mut tight = settings(us());
    tight.limits.legs = 1;
    world.nodes[0].endpoint = Endpoint::new(tight, Rng::from_number(5));
    world.inject(carol(), us(), &invite(""));
    world.pass_ms(10);
    let ok = world.expect("SIP/2.0 200");
    let tag = tag_of(ok.field("To"));
    world.inject(carol(), us(), &request("ACK", carol(), "z9hG4bKack", &tag, "call-1", 1, "", ""));
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bKz", "", "call-2", 1, "", OFFER));
    world.pass_ms(10);
    let full = world.expect("SIP/2.0 503");
    assert_eq!(full.field("Retry-After"), "10");
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bKy", &tag, "call-1", 2, "", OFFER));
    world.pass_ms(10);
    world.expect("SIP/2.0 200");
    world.inject(carol(), us(), &request("ACK", carol(), "z9hG4bKx", &tag, "call-1", 2, "", ""));
    world.inject(carol(), us(), &request("BYE", carol(), "z9hG4bKw", &tag, "call-1", 3, "", ""));
    world.pass_ms(10);
    world.expect("SIP/2.0 200");
    world.settle();
}

#[test]
fn an_answer_to_nothing_is_dropped_and_counted() {
    let mut world = World::new(1, &[nobody]);
    let seen = Seen {
        at: std::time::Duration::ZERO,
        from: us(),
        to: carol(),
        transport: ringlift::sip::Transport::Udp,
        text: invite(""),
    };
    world.inject(carol(), us(), &answer_to(&seen, "200 OK", "x", "", ""));
    world.pass_ms(100);
    assert!(world.received().is_none());
    assert_eq!(world.nodes[0].endpoint.counters().stray_responses, 1);
}

#[test]
fn an_old_phone_without_branches_is_served() {
    let strip = |text: String| text.replace(";branch=z9hG4bKa;rport", "").replace(";branch=z9hG4bKb;rport", "");
    let mut world = World::new(1, &[willing]);
    world.inject(carol(), us(), &strip(invite("")));
    world.inject(carol(), us(), &strip(invite("")));
    world.pass_ms(10);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Invited { .. })), 1);
    let ok = world.expect("SIP/2.0 200");
    let tag = tag_of(ok.field("To"));
    world.inject(carol(), us(), &strip(request("ACK", carol(), "z9hG4bKa", &tag, "call-1", 1, "", "")));
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { .. })), 1);
    world.inject(carol(), us(), &strip(request("BYE", carol(), "z9hG4bKb", &tag, "call-1", 2, "", "")));
    world.pass_ms(10);
    world.expect("SIP/2.0 200");
    world.settle();
}

#[test]
fn a_service_over_ipv6_speaks_of_itself_in_brackets() {
    let here: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
    let there: SocketAddr = "[2001:db8::9]:5060".parse().unwrap();
    let mut world = World::new(1, &[willing]);
    world.nodes[0].address = here;
    world.nodes[0].endpoint = Endpoint::new(Settings { ..settings(here) }, Rng::from_number(5));
    world.inject(there, here, &request("INVITE", there, "z9hG4bKa", "", "call-6", 1, "", OFFER));
    world.pass_ms(10);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!(ok.field("Contact"), "<sip:[2001:db8::1]:5060>");
    assert_eq!(ok.to, there);
    let tag = tag_of(ok.field("To"));
    world.inject(there, here, &request("ACK", there, "z9hG4bKb", &tag, "call-6", 1, "", ""));
    let leg = world.invited(0);
    world.with(0, |endpoint: &mut Endpoint, now: Now| endpoint.hang_up(leg, Cause::RoomEnded, now));
    world.pass_ms(10);
    let bye = world.expect("BYE sip:carol@[2001:db8::9]:5060 SIP/2.0");
    assert!(bye.field("Via").starts_with("SIP/2.0/UDP [2001:db8::1]:5060;branch="));
    world.inject(there, here, &answer_to(&bye, "200 OK", "", "", ""));
    world.settle();
}
