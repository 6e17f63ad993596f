//! Whole calls between endpoints, in virtual time, over networks good and bad.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Cause, Now};
use ringlift::sip::endpoint::{Event, OutboundRequest};
use ringlift::sip::{Endpoint, Target, Transport};
use ringlift::wire::sip::{Method, NameAddr, Status, Uri};
use sip_world::{ANSWER, OFFER, World, address, ms, nobody, outbound, willing};

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn two_people_talk_and_the_caller_hangs_up() {
    let mut world = World::new(1, &[nobody, willing]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Progress { status: Status::RINGING, .. })), 1);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Answered { sdp: Some(sdp), .. } if *sdp == ANSWER)), 1);
    assert_eq!(world.happened(1, |e| matches!(e, Event::Acked { .. })), 1);
    let trying: Vec<&str> = world.log.iter().map(|seen| seen.first_line()).collect();
    assert_eq!(
        trying,
        [
            "INVITE sip:bob@192.0.2.2:5060 SIP/2.0",
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK",
            "ACK sip:192.0.2.2:5060 SIP/2.0"
        ]
    );
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(100);
    assert_eq!(world.ended(0, leg), [Cause::HungUp]);
    assert_eq!(world.ended(1, far), [Cause::HungUp]);
    assert_eq!(world.nodes[0].endpoint.counts().legs, 0);
    world.settle();
}

#[test]
fn the_called_side_hangs_up_with_a_reason() {
    let mut world = World::new(2, &[nobody, willing]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::MediaTimeout, now));
    world.pass_ms(100);
    assert_eq!(world.ended(0, leg), [Cause::HungUpByCallee]);
    let q850 = world.nodes[0].events.iter().find_map(|(_, event)| match event {
        Event::Ended { reasons, .. } => reasons.iter().find(|r| r.protocol == "Q.850").and_then(|r| r.cause),
        _ => None,
    });
    assert_eq!(q850, Some(102));
    world.settle();
}

#[test]
fn a_refused_caller_hears_why_and_when_to_come_back() {
    fn busy(endpoint: &mut Endpoint, event: &Event, now: Now) {
        if let Event::Invited { leg, .. } = event {
            endpoint.refuse(*leg, Status::SERVICE_UNAVAILABLE, Cause::Draining, &Vec::new(), now);
        }
    }
    let mut world = World::new(3, &[nobody, busy]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let refused = |e: &Event| {
        matches!(e, Event::Refused { status: Status::SERVICE_UNAVAILABLE, retry_after: Some(after), .. }
            if *after == Duration::from_secs(10))
    };
    assert_eq!(world.happened(0, refused), 1);
    assert_eq!(world.ended(0, leg), [Cause::Rejected]);
    assert_eq!(world.sent(address(1), "ACK"), 1);
    world.settle();
}

#[test]
fn a_caller_who_gives_up_while_it_rings_is_cancelled() {
    fn ringing(endpoint: &mut Endpoint, event: &Event, now: Now) {
        if let Event::Invited { leg, .. } = event {
            endpoint.ring(*leg, Status::RINGING, None, &Vec::new(), now);
        }
    }
    let mut world = World::new(4, &[nobody, ringing]);
    let leg = world.call(0, address(2));
    world.pass_ms(2000);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(2000);
    let far = world.invited(1);
    assert_eq!(world.ended(0, leg), [Cause::HungUp]);
    assert_eq!(world.ended(1, far), [Cause::Cancelled]);
    assert_eq!(world.happened(1, |e| matches!(e, Event::Cancelled { .. })), 1);
    assert_eq!(world.sent(address(2), "SIP/2.0 487"), 1);
    world.settle();
}

#[test]
fn a_cancel_waits_for_the_first_provisional_answer() {
    let mut world = World::new(5, &[nobody, nobody]);
    world.lose = Some(|seen| seen.first_line() == "SIP/2.0 100 Trying" && seen.at < ms(400));
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(100);
    assert_eq!(world.sent(address(1), "CANCEL"), 0);
    world.pass_ms(1000);
    assert_eq!(world.sent(address(1), "CANCEL"), 1);
    assert_eq!(world.ended(1, world.invited(1)), [Cause::Cancelled]);
    world.settle();
}

#[test]
fn an_answer_that_crosses_a_cancel_is_acknowledged_and_hung_up() {
    let mut world = World::new(6, &[nobody, nobody]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.with(1, |endpoint, now| endpoint.answer(far, sdp(ANSWER), &Vec::new(), now));
    world.pass_ms(1000);
    assert_eq!(world.sent(address(2), "SIP/2.0 487"), 0);
    assert_eq!(world.sent(address(1), "ACK"), 1);
    assert_eq!(world.sent(address(1), "BYE"), 1);
    assert_eq!(world.ended(0, leg), [Cause::HungUp]);
    assert_eq!(world.ended(1, far), [Cause::HungUp]);
    world.settle();
}

#[test]
fn an_answer_nobody_acknowledges_is_repeated_then_hung_up() {
    let mut world = World::new(7, &[nobody, willing]);
    world.lose = Some(|seen| seen.text.starts_with("ACK"));
    let leg = world.call(0, address(2));
    world.pass(Duration::from_secs(31));
    let far = world.invited(1);
    assert_eq!(world.sent(address(2), "SIP/2.0 200"), 10, "0, .5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5");
    assert!(world.ended(1, far).is_empty());
    world.pass(Duration::from_secs(2));
    assert_eq!(world.ended(1, far), [Cause::NoAck]);
    assert_eq!(world.ended(0, leg), [Cause::HungUpByCallee]);
    world.settle();
}

#[test]
fn a_called_side_that_hangs_up_before_the_ack_waits_for_it() {
    let mut world = World::new(8, &[nobody, willing]);
    world.lose = Some(|seen| seen.text.starts_with("ACK") && seen.at < ms(1000));
    world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::RoomEnded, now));
    assert_eq!(world.ended(1, far), [Cause::RoomEnded], "for its user the leg is over at once");
    world.pass_ms(500);
    assert_eq!(world.sent(address(2), "BYE"), 0);
    world.pass_ms(3000);
    assert_eq!(world.sent(address(2), "BYE"), 1);
    world.settle();
}

#[test]
fn a_bye_that_overtakes_the_ack_ends_the_call() {
    let mut world = World::new(9, &[nobody, willing]);
    world.lose = Some(|seen| seen.text.starts_with("ACK"));
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(1000);
    assert_eq!(world.ended(1, world.invited(1)), [Cause::HungUp]);
    let answers = world.sent(address(2), "SIP/2.0 200");
    world.pass_ms(10_000);
    assert_eq!(world.sent(address(2), "SIP/2.0 200"), answers, "the answer is no longer repeated");
    world.settle();
}

#[test]
fn two_byes_that_cross_are_both_answered_with_200() {
    let mut world = World::new(10, &[nobody, willing]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::RoomEnded, now));
    world.pass_ms(1000);
    assert_eq!(world.sent(address(1), "SIP/2.0 200"), 1);
    assert_eq!(world.sent(address(2), "SIP/2.0 200"), 2);
    assert_eq!((world.ended(0, leg), world.ended(1, far)), (vec![Cause::HungUp], vec![Cause::RoomEnded]));
    world.settle();
}

#[test]
fn hold_and_resume_go_both_ways() {
    let mut world = World::new(11, &[willing, willing]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now));
    world.pass_ms(100);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    world.with(1, |endpoint, now| endpoint.reinvite(far, Some(sdp(OFFER)), now));
    world.pass_ms(100);
    assert_eq!(world.happened(1, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Offered { sdp: Some(_), .. })), 1);
    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::RoomEnded, now));
    world.settle();
    assert_eq!(world.ended(0, leg).len(), 1);
}

#[test]
fn offers_that_cross_are_both_made_again_and_both_accepted() {
    let mut world = World::new(12, &[willing, willing]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now));
    world.with(1, |endpoint, now| endpoint.reinvite(far, Some(sdp(OFFER)), now));
    world.pass_ms(100);
    assert_eq!(world.sent(address(1), "SIP/2.0 491") + world.sent(address(2), "SIP/2.0 491"), 2);
    world.pass_ms(10_000);
    for node in 0..2 {
        assert_eq!(world.happened(node, |e| matches!(e, Event::Modified { result: Ok(_), .. })), 1);
    }
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_bye_against_a_reinvite_ends_both() {
    for seed in 0..20 {
        let mut world = World::new(100 + seed, &[nobody, nobody]);
        world.jitter = 300;
        let leg = world.call(0, address(2));
        world.pass_ms(1000);
        let far = world.invited(1);
        world.with(1, |endpoint, now| endpoint.answer(far, sdp(ANSWER), &Vec::new(), now));
        world.pass_ms(2000);
        world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now));
        world.pass_ms(seed * 10);
        world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::RoomEnded, now));
        world.settle();
        assert_eq!(world.ended(0, leg).len(), 1);
        assert_eq!(world.ended(1, far), [Cause::RoomEnded]);
    }
}

#[test]
fn a_call_nobody_takes_is_given_up() {
    let mut world = World::new(13, &[nobody]);
    let leg = world.call(0, address(9));
    world.pass(Duration::from_secs(40));
    assert_eq!(world.ended(0, leg), [Cause::TransportFailed]);
    assert_eq!(world.sent(address(1), "INVITE"), 7);
    world.settle();
}

#[test]
fn a_phone_that_rings_for_ever_is_given_up() {
    let mut world = World::new(14, &[nobody, nobody]);
    let leg = world.call(0, address(2));
    world.pass(Duration::from_secs(185));
    assert_eq!(world.ended(0, leg), [Cause::NoAnswer]);
    assert_eq!(world.ended(1, world.invited(1)), [Cause::Cancelled]);
    world.settle();
}

#[test]
fn a_call_goes_by_tcp_and_its_connection_may_break() {
    let mut world = World::new(15, &[nobody, willing]);
    let mut call = outbound(address(2));
    call.target = Target::new(Transport::Tcp, address(2));
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    world.pass_ms(100);
    let far = world.invited(1);
    assert!(world.log.iter().all(|seen| seen.transport == Transport::Tcp));
    world.break_connections();
    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::RoomEnded, now));
    world.pass_ms(100);
    assert_eq!(world.ended(0, leg), [Cause::HungUpByCallee]);
    world.settle();
}

#[test]
fn a_long_invite_goes_by_tcp_and_by_udp_where_tcp_fails() {
    for no_tcp in [false, true] {
        let mut world = World::new(16, &[nobody, willing]);
        world.no_tcp = no_tcp;
        let mut call = outbound(address(2));
        call.sdp = Some(Bytes::from(format!("{OFFER}{}", "a=x-filler:0123456789\r\n".repeat(60))));
        let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
        world.pass_ms(100);
        let invite = world.log.iter().find(|seen| seen.text.starts_with("INVITE")).unwrap();
        let expected = if no_tcp { Transport::Udp } else { Transport::Tcp };
        assert_eq!(invite.transport, expected);
        assert!(invite.field("Via").starts_with(if no_tcp { "SIP/2.0/UDP" } else { "SIP/2.0/TCP" }));
        assert_eq!(world.happened(0, |e| matches!(e, Event::Answered { .. })), 1, "without TCP: {no_tcp}");
        world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
        world.settle();
    }
}

#[test]
fn a_keepalive_by_options_is_answered_with_what_we_can() {
    let mut world = World::new(17, &[nobody, willing]);
    let request = OutboundRequest {
        method: Method::Options,
        uri: Uri::parse("sip:192.0.2.2").unwrap(),
        from: NameAddr::parse("<sip:192.0.2.1>").unwrap(),
        to: NameAddr::parse("<sip:192.0.2.2>").unwrap(),
        target: Target::new(Transport::Udp, address(2)),
        routes: Vec::new(),
        headers: Vec::new(),
        body: None,
        again: None,
    };
    world.with(0, |endpoint, now| endpoint.request(request, now));
    world.pass_ms(100);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Response { result: Ok(r), .. } if r.status == Status::OK)), 1);
    let answer = world.log.iter().find(|seen| seen.text.starts_with("SIP/2.0 200")).unwrap();
    assert!(answer.field("Allow").contains("INVITE") && answer.field("Accept") == "application/sdp");
    world.settle();
}

#[test]
fn an_info_reaches_the_other_side_once() {
    let mut world = World::new(18, &[nobody, willing]);
    world.doubled = 100;
    world.jitter = 20;
    let leg = world.call(0, address(2));
    world.pass_ms(1000);
    world.with(0, |endpoint, now| endpoint.info(leg, "application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", now));
    world.pass_ms(1000);
    assert_eq!(world.happened(1, |e| matches!(e, Event::Info { .. })), 1);
    assert_eq!(world.happened(0, |e| matches!(e, Event::Response { result: Ok(_), .. })), 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

/// Whoever does what when, over networks that lose, double and reorder: each side is told one end, and nothing is left.
#[test]
fn over_bad_networks_every_call_ends_once_on_both_sides_and_leaves_nothing() {
    let (mut answered, mut offered) = (0, 0);
    for seed in 0..400u64 {
        let users: [sip_world::User; 2] = [willing, if seed % 3 == 0 { nobody } else { willing }];
        let mut world = World::new(1000 + seed, &users);
        world.loss = 20 + seed % 31;
        world.doubled = seed % 40;
        world.jitter = 1 + (seed * 37) % 900;
        let leg = world.call(0, address(2));
        for step in 0..4 {
            world.pass_ms(50 + (seed * 7919 + step * 104_729) % 2500);
            let far = world.nodes[1].events.iter().find_map(|(_, event)| match event {
                Event::Invited { leg, .. } => Some(*leg),
                _ => None,
            });
            match ((seed + step) % 7, far) {
                (0, _) => world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now)),
                (1, Some(far)) => world.with(1, |endpoint, now| endpoint.reinvite(far, Some(sdp(OFFER)), now)),
                (2, Some(far)) => world.with(1, |endpoint, now| endpoint.answer(far, sdp(ANSWER), &Vec::new(), now)),
                (3, _) if step > 1 => world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now)),
                (4, Some(far)) if step > 1 => {
                    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::RoomEnded, now));
                }
                (5, _) => {
                    world.with(0, |endpoint, now| {
                        endpoint.info(leg, "application/dtmf", b"5", now);
                    });
                }
                _ => {}
            }
        }
        world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
        world.pass(Duration::from_secs(130));
        world.settle();
        for node in 0..2 {
            let invited = world.happened(node, |e| matches!(e, Event::Invited { .. }));
            let ended = world.happened(node, |e| matches!(e, Event::Ended { .. }));
            let began = if node == 0 { 1 } else { invited };
            assert_eq!(ended, began, "seed {seed}, node {node}");
            answered += world.happened(node, |e| matches!(e, Event::Answered { .. }));
            offered += world.happened(node, |e| matches!(e, Event::Modified { result: Ok(_), .. }));
        }
    }
    assert!(answered > 200 && offered > 50, "the runs must reach something: {answered} answered, {offered} changed");
}

#[test]
fn another_node_takes_over_a_call_and_ends_it() {
    let mut world = World::new(20, &[willing, willing, nobody]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    let saved = serde_json::to_string(world.nodes[1].endpoint.dialog(far).unwrap()).unwrap();
    let dialog = serde_json::from_str(&saved).unwrap();
    let taken = world.with(2, |endpoint, _| endpoint.adopt(dialog)).unwrap();
    world.with(2, |endpoint, now| endpoint.reinvite(taken, Some(sdp(OFFER)), now));
    world.pass_ms(100);
    assert_eq!(world.happened(2, |e| matches!(e, Event::Modified { result: Ok(Some(_)), .. })), 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(100);
    assert_eq!(world.ended(2, taken), [Cause::HungUp], "the caller's BYE goes to the new Contact");
}

/// Connections break at any moment, with what is on its way.
#[test]
fn over_connections_that_break_every_call_ends_once_and_leaves_nothing() {
    let mut answered = 0;
    for seed in 0..200u64 {
        let mut world = World::new(5000 + seed, &[willing, willing]);
        let mut call = outbound(address(2));
        call.target = Target::new(Transport::Tcp, address(2));
        let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
        for step in 0..4u64 {
            world.pass_ms((seed * 7 + step * 13) % 6);
            world.break_connections();
            world.pass_ms((seed * 31 + step) % 700);
            if step == 2 {
                world.with(0, |endpoint, now| endpoint.reinvite(leg, Some(sdp(OFFER)), now));
            }
        }
        let node = usize::from(seed % 2 == 0);
        let leg = world.nodes[node].endpoint.legs().next();
        if let Some(leg) = leg {
            world.with(node, |endpoint, now| endpoint.hang_up(leg, Cause::RoomEnded, now));
        }
        world.break_connections();
        world.settle();
        for node in 0..2 {
            let began = if node == 0 { 1 } else { world.happened(1, |e| matches!(e, Event::Invited { .. })) };
            assert_eq!(world.happened(node, |e| matches!(e, Event::Ended { .. })), began, "seed {seed}, node {node}");
        }
        answered += world.happened(0, |e| matches!(e, Event::Answered { .. }));
    }
    assert!(answered > 150, "{answered}");
}

#[test]
fn a_call_by_sips_goes_by_tls_and_names_a_sips_contact() {
    let mut world = World::new(21, &[nobody, willing]);
    for node in 0..2 {
        let mut secure = sip_world::settings(world.nodes[node].address);
        secure.advertised.push(ringlift::sip::transport::Advertised {
            transport: Transport::Tls,
            ipv6: false,
            address: ringlift::sip::transport::HostPort { host: format!("node{node}.example.org"), port: 5061 },
        });
        world.nodes[node].endpoint = Endpoint::new(secure, ringlift::base::Rng::from_number(node as u64));
    }
    let mut call = outbound(address(2));
    call.uri = Uri::parse("sips:bob@node1.example.org").unwrap();
    call.target = Target::new(Transport::Tls, address(2));
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    world.pass_ms(100);
    let invite = world.log.iter().find(|seen| seen.text.starts_with("INVITE")).unwrap();
    assert_eq!(invite.field("Contact"), "<sips:node0.example.org:5061>");
    assert!(invite.field("Via").starts_with("SIP/2.0/TLS node0.example.org:5061;branch="));
    let ok = world.log.iter().find(|seen| seen.text.starts_with("SIP/2.0 200")).unwrap();
    assert_eq!(ok.field("Contact"), "<sips:node1.example.org:5061>");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(100);
    let bye = world.log.iter().find(|seen| seen.text.starts_with("BYE")).unwrap();
    assert_eq!((bye.first_line(), bye.transport), ("BYE sips:node1.example.org:5061 SIP/2.0", Transport::Tls));
    assert_eq!(world.ended(1, world.invited(1)), [Cause::HungUp]);
    world.settle();
}
