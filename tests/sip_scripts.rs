//! Calls whose far end a test plays by hand, message by message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Cause, Now};
use ringlift::sip::Endpoint;
use ringlift::sip::endpoint::{Attempt, Event, Input};
use ringlift::wire::sip::{Name, Status, Text};
use sip_world::{ANSWER, OFFER, World, address, answer_to, nobody, outbound, request, tag_of, willing};

fn carol() -> SocketAddr {
    address(77)
}

fn us() -> SocketAddr {
    address(1)
}

/// Carol calls and is connected; returns our tag.
fn connected(world: &mut World, more: &str) -> String {
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, more, OFFER));
    world.pass_ms(10);
    let ok = world.expect("SIP/2.0 200");
    let tag = tag_of(ok.field("To"));
    world.inject(carol(), us(), &request("ACK", carol(), "z9hG4bK1a", &tag, "call-1", 1, "", ""));
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { .. })), 1);
    tag
}

fn in_dialog(world: &mut World, method: &str, branch: &str, tag: &str, seq: u32, more: &str, body: &str) {
    world.inject(carol(), us(), &request(method, carol(), branch, tag, "call-1", seq, more, body));
    world.pass_ms(5);
}

fn hang_up(world: &mut World, tag: &str, seq: u32) {
    in_dialog(world, "BYE", "z9hG4bKbye", tag, seq, "", "");
    world.expect("SIP/2.0 200");
    world.settle();
}

fn refresh_nothing(_: &mut Endpoint, _: &Event, _: Now) {}

#[test]
fn a_caller_without_an_offer_gets_ours_and_answers_in_the_ack() {
    let mut world = World::new(1, &[willing]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, "", ""));
    world.pass_ms(10);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!(ok.body(), ANSWER);
    let tag = tag_of(ok.field("To"));
    in_dialog(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", OFFER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { sdp: Some(sdp), .. } if *sdp == OFFER)), 1);
    hang_up(&mut world, &tag, 2);
}

#[test]
fn a_reinvite_without_an_offer_gets_ours_and_its_ack_the_answer() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    in_dialog(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", "");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Offered { sdp: None, .. })), 1);
    assert_eq!(world.expect("SIP/2.0 200").body(), ANSWER);
    in_dialog(&mut world, "ACK", "z9hG4bK2a", &tag, 2, "", OFFER);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { sdp: Some(sdp), .. } if *sdp == OFFER)), 1);
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_reinvite_while_one_is_pending_is_told_to_come_back() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    world.nodes[0].user = refresh_nothing;
    in_dialog(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", OFFER);
    in_dialog(&mut world, "INVITE", "z9hG4bK3", &tag, 3, "", OFFER);
    let later = world.expect("SIP/2.0 500");
    assert!(later.field("Retry-After").parse::<u32>().unwrap() <= 10);
    in_dialog(&mut world, "ACK", "z9hG4bK3", &tag, 3, "", "");
    in_dialog(&mut world, "UPDATE", "z9hG4bK4", &tag, 4, "", OFFER);
    world.expect("SIP/2.0 500");
    let leg = world.invited(0);
    let headers = vec![(Name::Warning, Text::from("304 192.0.2.1 \"Media type not available\""))];
    world.with(0, |endpoint, now| endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &headers, now));
    world.pass_ms(5);
    assert!(world.expect("SIP/2.0 488").field("Warning").starts_with("304"));
    in_dialog(&mut world, "ACK", "z9hG4bK2", &tag, 2, "", "");
    assert!(world.ended(0, leg).is_empty(), "the call goes on");
    hang_up(&mut world, &tag, 5);
}

#[test]
fn a_reinvite_that_meets_ours_gets_491() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(Bytes::from_static(OFFER.as_bytes())), now));
    world.pass_ms(5);
    let ours = world.expect("INVITE");
    in_dialog(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", OFFER);
    world.expect("SIP/2.0 491");
    in_dialog(&mut world, "ACK", "z9hG4bK2", &tag, 2, "", "");
    world.inject(carol(), us(), &answer_to(&ours, "491 Request Pending", "", "", ""));
    world.pass_ms(5);
    world.expect("ACK");
    world.pass_ms(2005);
    let again = world.expect("INVITE");
    assert_eq!((ours.field("CSeq"), again.field("CSeq")), ("1 INVITE", "2 INVITE"));
    world.inject(carol(), us(), &answer_to(&again, "200 OK", "", "", ANSWER));
    world.pass_ms(5);
    world.expect("ACK");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_reinvite_cancelled_leaves_the_call_up() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    world.nodes[0].user = refresh_nothing;
    in_dialog(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", OFFER);
    in_dialog(&mut world, "CANCEL", "z9hG4bK2", &tag, 2, "", "");
    world.expect("SIP/2.0 200");
    world.expect("SIP/2.0 487");
    in_dialog(&mut world, "ACK", "z9hG4bK2", &tag, 2, "", "");
    assert!(world.ended(0, world.invited(0)).is_empty());
    hang_up(&mut world, &tag, 3);
}

#[test]
fn a_bye_while_their_reinvite_waits_ends_it_with_487() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    world.nodes[0].user = refresh_nothing;
    in_dialog(&mut world, "INVITE", "z9hG4bK2", &tag, 2, "", OFFER);
    in_dialog(&mut world, "BYE", "z9hG4bK3", &tag, 3, "Reason: Q.850;text=\"bye\"\r\n", "");
    world.expect("SIP/2.0 200");
    world.expect("SIP/2.0 487");
    assert_eq!(world.ended(0, world.invited(0)), [Cause::HungUp]);
    world.settle();
}

#[test]
fn a_bye_before_the_answer_cancels() {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, "", OFFER));
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.ring(leg, Status::RINGING, None, &Vec::new(), now));
    world.pass_ms(5);
    let tag = tag_of(world.expect("SIP/2.0 180").field("To"));
    in_dialog(&mut world, "BYE", "z9hG4bK2", &tag, 2, "", "");
    world.expect("SIP/2.0 200");
    world.expect("SIP/2.0 487");
    assert_eq!(world.ended(0, leg), [Cause::Cancelled]);
    world.settle();
}

#[test]
fn a_cancel_after_the_answer_is_answered_and_changes_nothing() {
    let mut world = World::new(1, &[willing]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, "", OFFER));
    world.pass_ms(5);
    let tag = tag_of(world.expect("SIP/2.0 200").field("To"));
    world.inject(carol(), us(), &request("CANCEL", carol(), "z9hG4bK1", "", "call-1", 1, "", ""));
    world.pass_ms(5);
    assert_eq!(tag_of(world.expect("SIP/2.0 200").field("To")), tag, "§9.2: the INVITE's tag");
    in_dialog(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Acked { .. })), 1);
    hang_up(&mut world, &tag, 2);
}

#[test]
fn requests_out_of_order_are_refused_and_gaps_are_not() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    in_dialog(&mut world, "INFO", "z9hG4bK2", &tag, 40, "", "");
    world.expect("SIP/2.0 200");
    in_dialog(&mut world, "INFO", "z9hG4bK3", &tag, 39, "", "");
    world.expect("SIP/2.0 500");
    hang_up(&mut world, &tag, 41);
}

#[test]
fn an_update_without_sdp_moves_the_contact() {
    let mut world = World::new(1, &[willing]);
    let tag = connected(&mut world, "");
    let text = request("UPDATE", carol(), "z9hG4bK2", &tag, "call-1", 2, "", "")
        .replace("Contact: <sip:carol@192.0.2.77:5060>", "Contact: <sip:carol@192.0.2.78:5070>");
    world.inject(carol(), us(), &text);
    world.pass_ms(5);
    world.expect("SIP/2.0 200");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Offered { .. })), 0);
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::RoomEnded, now));
    world.pass_ms(5);
    let bye = world.expect("BYE sip:carol@192.0.2.78:5070");
    assert_eq!(bye.to, "192.0.2.78:5070".parse::<SocketAddr>().unwrap());
    assert!(bye.field("Reason").contains("Q.850;cause=16"));
    world.inject(carol(), us(), &answer_to(&bye, "200 OK", "", "", ""));
    world.settle();
}

#[test]
fn an_answer_repeats_the_record_route_and_our_bye_follows_it() {
    let routes = "Record-Route: <sip:192.0.2.61;lr>, <sip:192.0.2.62:5070;lr>\r\n";
    let mut world = World::new(1, &[willing]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, routes, OFFER));
    world.pass_ms(5);
    let ok = world.expect("SIP/2.0 200");
    assert_eq!(ok.field("Record-Route"), "<sip:192.0.2.61;lr>, <sip:192.0.2.62:5070;lr>");
    let tag = tag_of(ok.field("To"));
    in_dialog(&mut world, "ACK", "z9hG4bK1a", &tag, 1, "", "");
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::RoomEnded, now));
    world.pass_ms(5);
    let bye = world.expect("BYE sip:carol@192.0.2.77:5060");
    assert_eq!(bye.to, "192.0.2.61:5060".parse::<SocketAddr>().unwrap());
    assert!(bye.text.contains("Route: <sip:192.0.2.61;lr>\r\nRoute: <sip:192.0.2.62:5070;lr>\r\n"));
    world.inject(carol(), us(), &answer_to(&bye, "200 OK", "", "", ""));
    world.settle();
}

#[test]
fn a_strict_first_hop_is_written_into_the_request_uri() {
    let mut world = World::new(1, &[willing]);
    connected(&mut world, "Record-Route: <sip:192.0.2.61>\r\n");
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::RoomEnded, now));
    world.pass_ms(5);
    let bye = world.expect("BYE sip:192.0.2.61 SIP/2.0");
    assert_eq!(bye.field("Route"), "<sip:carol@192.0.2.77:5060>");
    world.inject(carol(), us(), &answer_to(&bye, "200 OK", "", "", ""));
    world.settle();
}

/// We call Bob, whom the test plays; returns our INVITE.
fn calling(world: &mut World) -> (ringlift::base::LegId, sip_world::Seen) {
    let leg = world.call(0, address(60));
    world.pass_ms(5);
    (leg, world.expect("INVITE"))
}

#[test]
fn two_phones_that_answer_are_both_acknowledged_and_the_second_is_hung_up() {
    let mut world = World::new(1, &[nobody]);
    let (leg, invite) = calling(&mut world);
    let bob = address(60);
    world.inject(bob, us(), &answer_to(&invite, "180 Ringing", "one", "", ""));
    world.inject(bob, us(), &answer_to(&invite, "180 Ringing", "two", "", ""));
    world.inject(bob, us(), &answer_to(&invite, "200 OK", "one", "", ANSWER));
    world.inject(bob, us(), &answer_to(&invite, "200 OK", "two", "", ANSWER));
    world.pass_ms(5);
    assert_eq!(tag_of(world.expect("ACK").field("To")), "one");
    assert_eq!(tag_of(world.expect("ACK").field("To")), "two");
    let bye = world.expect("BYE");
    assert_eq!(tag_of(bye.field("To")), "two");
    world.inject(bob, us(), &answer_to(&bye, "200 OK", "", "", ""));
    world.inject(bob, us(), &answer_to(&invite, "200 OK", "one", "", ANSWER));
    world.pass_ms(5);
    assert_eq!(tag_of(world.expect("ACK").field("To")), "one", "a repeated 2xx is acknowledged again");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Answered { .. })), 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(5);
    let bye = world.expect("BYE");
    world.inject(bob, us(), &answer_to(&bye, "200 OK", "", "", ""));
    world.inject(bob, us(), &answer_to(&invite, "200 OK", "one", "", ANSWER));
    world.pass_ms(5);
    world.expect("ACK");
    world.settle();
}

#[test]
fn a_refusal_is_acknowledged_with_its_branch_and_told_once() {
    let mut world = World::new(1, &[nobody]);
    let (leg, invite) = calling(&mut world);
    let bob = address(60);
    for _ in 0..3 {
        world.inject(bob, us(), &answer_to(&invite, "486 Busy Here", "t", "Reason: Q.850;cause=17\r\n", ""));
    }
    world.pass_ms(5);
    for _ in 0..3 {
        let ack = world.expect("ACK sip:bob@192.0.2.60:5060");
        assert_eq!(ack.field("Via"), invite.field("Via"));
        assert_eq!(tag_of(ack.field("To")), "t");
    }
    assert_eq!(world.ended(0, leg), [Cause::Busy]);
    world.settle();
}

#[test]
fn a_challenge_is_reported_and_the_second_attempt_keeps_call_id_and_tag() {
    let mut world = World::new(1, &[nobody]);
    let (leg, invite) = calling(&mut world);
    let challenge = "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\r\n";
    world.inject(address(60), us(), &answer_to(&invite, "401 Unauthorized", "t", challenge, ""));
    assert_eq!(world.happened(0, |e| matches!(e, Event::Refused { status: Status::UNAUTHORIZED, .. })), 1);
    let attempt = world.nodes[0].events.iter().find_map(|(_, event)| match event {
        Event::Refused { leg: other, response, .. } if *other == leg => Attempt::of(response),
        _ => None,
    });
    assert!(attempt.is_some());
    let mut again = outbound(address(60));
    again.again = attempt;
    again.headers = vec![(Name::Authorization, Text::from("Digest username=\"u\""))];
    world.with(0, |endpoint, now| endpoint.invite(again, now));
    world.pass_ms(5);
    let second = world.expect("INVITE");
    assert_eq!(second.field("Call-ID"), invite.field("Call-ID"));
    assert_eq!(second.field("From"), invite.field("From"));
    assert_eq!(second.field("CSeq"), "2 INVITE");
    world.inject(address(60), us(), &answer_to(&second, "200 OK", "t2", "", ANSWER));
    world.pass_ms(5);
    let ack = world.expect("ACK sip:bob@192.0.2.60:5060 SIP/2.0\r\nVia");
    let ack = if ack.field("CSeq") == "2 ACK" { ack } else { world.expect("ACK") };
    assert_eq!(ack.field("Authorization"), "Digest username=\"u\"");
    let leg = world.nodes[0].endpoint.legs().next().unwrap();
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_reinvite_the_far_end_knows_nothing_of_ends_the_call() {
    let mut world = World::new(1, &[willing]);
    connected(&mut world, "");
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(Bytes::from_static(OFFER.as_bytes())), now));
    world.pass_ms(5);
    let ours = world.expect("INVITE");
    world.inject(carol(), us(), &answer_to(&ours, "481 Call/Transaction Does Not Exist", "", "", ""));
    world.pass_ms(5);
    world.expect("ACK");
    world.expect("BYE");
    assert_eq!(world.ended(0, leg), [Cause::TransportFailed]);
    world.settle();
}

#[test]
fn a_far_end_that_answers_neither_cancel_nor_invite_is_forgotten() {
    let mut world = World::new(1, &[nobody]);
    let (leg, invite) = calling(&mut world);
    world.inject(address(60), us(), &answer_to(&invite, "180 Ringing", "t", "", ""));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass(Duration::from_secs(70));
    assert!(world.nodes[0].endpoint.is_empty(), "{:?}", world.nodes[0].endpoint.counts());
}

#[test]
fn a_transport_that_cannot_send_ends_the_call() {
    let mut world = World::new(1, &[nobody]);
    world.no_tcp = true;
    let mut call = outbound(address(60));
    call.target = ringlift::sip::Target::new(ringlift::sip::Transport::Tcp, address(60));
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    assert_eq!(world.ended(0, leg), [Cause::TransportFailed]);
    world.with(0, |endpoint, now| endpoint.handle(Input::Timeout, now));
    world.settle();
}

#[test]
fn ringing_is_repeated_each_minute_and_ends_after_its_limit() {
    let mut world = World::new(1, &[nobody]);
    world.inject(carol(), us(), &request("INVITE", carol(), "z9hG4bK1", "", "call-1", 1, "", OFFER));
    let leg = world.invited(0);
    world.with(0, |endpoint, now| endpoint.ring(leg, Status::RINGING, None, &Vec::new(), now));
    world.pass(Duration::from_secs(299));
    assert_eq!(world.sent(us(), "SIP/2.0 180"), 5);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.ended(0, leg), [Cause::NoAnswer]);
    world.expect("SIP/2.0 480");
    world.settle();
}

/// Carol's connection breaks while her call rings: told so, or found out by failing to send.
#[test]
fn an_answer_whose_connection_is_gone_goes_to_where_the_caller_listens() {
    use ringlift::sip::endpoint::Output;
    use ringlift::sip::{FlowId, Source, Transport};
    use ringlift::wire::sip::Message;
    for told in [true, false] {
        let mut endpoint = Endpoint::new(sip_world::settings(us()), ringlift::base::Rng::from_number(3));
        let now = Now::default();
        let flow = FlowId(7);
        let remote: SocketAddr = "192.0.2.77:49152".parse().unwrap();
        let source = Source { transport: Transport::Tcp, local: us(), remote, flow: Some(flow) };
        let text = request("INVITE", address(77), "z9hG4bK1", "", "call-1", 1, "", OFFER).replace("/UDP", "/TCP");
        endpoint.handle(Input::Received { message: Message::parse(&Bytes::from(text)), source }, now);
        let mut leg = None;
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Send { to, .. } => assert_eq!((to.flow, to.remote), (Some(flow), remote)),
                Output::Event(Event::Invited { leg: new, .. }) => leg = Some(new),
                Output::Event(event) => panic!("{event:?}"),
            }
        }
        if told {
            endpoint.handle(Input::FlowClosed { flow }, now);
        }
        endpoint.answer(leg.unwrap(), Bytes::from_static(ANSWER.as_bytes()), &Vec::new(), now);
        let mut sends = Vec::new();
        while let Some(output) = endpoint.poll_output() {
            if let Output::Send { to, reference, .. } = output {
                sends.push((to.flow, to.remote));
                if to.flow.is_some() {
                    endpoint.handle(Input::SendFailed { reference }, now);
                }
            }
        }
        assert_eq!(sends.last(), Some(&(None, address(77))), "told: {told}");
    }
}

/// Carol takes every connection and closes it: an answer and a BYE are not tried on her for ever.
#[test]
fn a_far_end_that_closes_every_connection_is_sent_little() {
    use ringlift::sip::endpoint::Output;
    use ringlift::sip::{FlowId, Source, Transport};
    use ringlift::wire::sip::Message;
    for answered in [true, false] {
        let mut endpoint = Endpoint::new(sip_world::settings(us()), ringlift::base::Rng::from_number(3));
        let now = Now::default();
        let remote: SocketAddr = "192.0.2.77:49152".parse().unwrap();
        let source = Source { transport: Transport::Tcp, local: us(), remote, flow: Some(FlowId(7)) };
        let text = request("INVITE", address(77), "z9hG4bK1", "", "call-1", 1, "", OFFER).replace("/UDP", "/TCP");
        endpoint.handle(Input::Received { message: Message::parse(&Bytes::from(text)), source }, now);
        let mut tag = String::new();
        while let Some(output) = endpoint.poll_output() {
            let Output::Event(Event::Invited { leg, .. }) = output else { continue };
            if answered {
                endpoint.answer(leg, Bytes::from_static(ANSWER.as_bytes()), &Vec::new(), now);
            } else {
                endpoint.refuse(leg, Status::BUSY_HERE, Cause::Busy, &Vec::new(), now);
            }
            tag = endpoint.dialog(leg).map(|dialog| dialog.local_tag.to_string()).unwrap_or_default();
        }
        if answered {
            let ack = request("ACK", address(77), "z9hG4bK2", &tag, "call-1", 1, "", "").replace("/UDP", "/TCP");
            endpoint.handle(Input::Received { message: Message::parse(&Bytes::from(ack)), source }, now);
            while endpoint.poll_output().is_some() {}
            let leg = endpoint.legs().next().unwrap();
            endpoint.hang_up(leg, Cause::HungUpByOperator, now);
        }
        let mut sent = 0;
        for flow in 7..30 {
            endpoint.handle(Input::FlowClosed { flow: FlowId(flow) }, now);
            while let Some(output) = endpoint.poll_output() {
                sent += usize::from(matches!(output, Output::Send { .. }));
            }
        }
        assert!((1..=4).contains(&sent), "answered: {answered}, sent {sent}");
    }
}
