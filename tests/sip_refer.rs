//! REFER, its reports and Replaces between endpoints, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::net::SocketAddr;

use bytes::Bytes;
use ringlift::base::{Cause, LegId, Now};
use ringlift::sip::Endpoint;
use ringlift::sip::endpoint::{Event, ReferId, ReferStep};
use ringlift::sip::refer_to::ReferTo;
use ringlift::sip::replaces::Replaces;
use ringlift::sip::uui::Uui;
use ringlift::wire::sip::{Name, Status, Text, Uri};
use sip_world::{ANSWER, OFFER, Seen, World, address, answer_to, ms, nobody, outbound, request, tag_of, willing};

/// Answers calls and takes on REFERs; what becomes of them is the test's.
fn referee(endpoint: &mut Endpoint, event: &Event, now: Now) {
    match event {
        Event::Referred { leg, refer, .. } => endpoint.accept_refer(*leg, *refer, now),
        event => willing(endpoint, event, now),
    }
}

/// Answers calls and lets nobody be referred.
fn loyal(endpoint: &mut Endpoint, event: &Event, now: Now) {
    match event {
        Event::Referred { leg, refer, .. } => {
            endpoint.refuse_refer(*leg, *refer, Status::FORBIDDEN, &Vec::new(), now);
        }
        event => willing(endpoint, event, now),
    }
}

fn bob() -> ReferTo {
    ReferTo::new(Uri::parse("sip:bob@example.org").unwrap())
}

fn referred(world: &World, node: usize) -> (LegId, ReferId, ReferTo) {
    let asked = |event: &Event| match event {
        Event::Referred { leg, refer, to, .. } => Some((*leg, *refer, (**to).clone())),
        _ => None,
    };
    world.nodes[node].events.iter().rev().find_map(|(_, event)| asked(event)).expect("nobody was referred")
}

fn steps(world: &World, node: usize) -> Vec<String> {
    let step = |event: &Event| match event {
        Event::ReferProgress { step, .. } => Some(format!("{step:?}")),
        _ => None,
    };
    world.nodes[node].events.iter().filter_map(|(_, event)| step(event)).collect()
}

fn notifies(world: &World, from: SocketAddr) -> Vec<(String, String)> {
    let sent = world.log.iter().filter(|seen| seen.from == from && seen.text.starts_with("NOTIFY"));
    let state = |seen: &Seen| seen.field("Subscription-State").split(';').next().unwrap_or_default().to_owned();
    sent.map(|seen| (seen.body().trim().to_owned(), state(seen))).collect()
}

/// Two nodes in a call; the second takes on what it is referred to.
fn in_call(seed: u64, user: sip_world::User) -> (World, LegId) {
    let mut world = World::new(seed, &[nobody, user]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    (world, leg)
}

#[test]
fn a_referrer_hears_how_the_target_rings_and_answers() {
    let (mut world, leg) = in_call(1, referee);
    let to = ReferTo { uui: vec![Uui::parse("00FA;encoding=hex").unwrap()], ..bob() };
    let by = vec![(Name::ReferredBy, Text::from("<sip:alice@example.org>"))];
    world.with(0, |endpoint, now| endpoint.refer(leg, &to, true, &by, now)).unwrap();
    world.pass_ms(100);
    let (far, refer, seen) = referred(&world, 1);
    assert_eq!(seen, to);
    let told = world.happened(1, |e| {
        matches!(e, Event::Referred { uui, referred_by: Some(by), .. }
            if uui.len() == 1 && by.uri.user() == Some("alice"))
    });
    assert_eq!(told, 1);
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::RINGING, now));
    world.pass_ms(100);
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::OK, now));
    world.pass_ms(100);
    assert_eq!(
        steps(&world, 0),
        ["Accepted(subscribed: true)", "Progress(100 Trying)", "Progress(180 Ringing)", "Finished(200 OK)"]
    );
    let said: Vec<(String, String)> =
        [("SIP/2.0 100 Trying", "active"), ("SIP/2.0 180 Ringing", "active"), ("SIP/2.0 200 OK", "terminated")]
            .map(|(line, state)| (line.to_owned(), state.to_owned()))
            .to_vec();
    assert_eq!(notifies(&world, address(2)), said);
    let first = world.log.iter().find(|seen| seen.text.starts_with("NOTIFY")).unwrap();
    assert_eq!(first.field("Event"), "refer");
    assert_eq!(first.field("Content-Type"), "message/sipfrag;version=2.0");
    assert!(first.field("Contact").contains("192.0.2.2"));
    assert_eq!(world.sent(address(2), "SIP/2.0 202"), 1);
    // The call goes on until somebody ends it.
    assert!(world.ended(0, leg).is_empty());
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::Transferred, now));
    world.settle();
}

#[test]
fn a_second_refer_in_a_call_names_itself_in_its_reports() {
    let (mut world, leg) = in_call(2, referee);
    for _ in 0..2 {
        world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
        world.pass_ms(100);
    }
    let refers: Vec<&Seen> = world.log.iter().filter(|seen| seen.text.starts_with("REFER")).collect();
    let second = refers[1].field("CSeq").split(' ').next().unwrap().to_owned();
    let events: Vec<&str> =
        world.log.iter().filter(|s| s.text.starts_with("NOTIFY")).map(|s| s.field("Event")).collect();
    assert_eq!(events, ["refer", &format!("refer;id={second}")]);
    let (far, refer, _) = referred(&world, 1);
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::BUSY_HERE, now));
    world.pass_ms(100);
    let finished =
        world.happened(0, |e| matches!(e, Event::ReferProgress { step: ReferStep::Finished(Status::BUSY_HERE), .. }));
    assert_eq!(finished, 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_refused_refer_leaves_the_call_up() {
    let (mut world, leg) = in_call(3, loyal);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.pass_ms(100);
    assert_eq!(steps(&world, 0), ["Refused(403 Forbidden)"]);
    assert_eq!(world.sent(address(2), "NOTIFY"), 0);
    assert!(world.ended(0, leg).is_empty());
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_referrer_who_wants_no_reports_gets_none() {
    let (mut world, leg) = in_call(4, referee);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), false, &Vec::new(), now)).unwrap();
    world.pass_ms(100);
    let (far, refer, _) = referred(&world, 1);
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::OK, now));
    world.pass_ms(100);
    assert_eq!(steps(&world, 0), ["Accepted(subscribed: false)"]);
    assert_eq!(world.sent(address(2), "NOTIFY"), 0);
    let accepted = world.log.iter().find(|seen| seen.text.starts_with("SIP/2.0 202")).unwrap();
    assert_eq!(accepted.field("Refer-Sub"), "false");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::Transferred, now));
    world.settle();
}

#[test]
fn a_far_end_whose_reports_are_lost_is_not_waited_for_for_ever() {
    let (mut world, leg) = in_call(5, referee);
    world.lose = Some(|seen| seen.text.starts_with("NOTIFY"));
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.pass(ms(31_000));
    assert_eq!(steps(&world, 0), ["Accepted(subscribed: true)"]);
    world.pass(ms(2_000));
    assert_eq!(steps(&world, 0), ["Accepted(subscribed: true)", "Lost"]);
    // Who never heard our reports has none; the call is another matter.
    assert!(world.ended(0, leg).is_empty());
    assert!(world.ended(1, world.invited(1)).is_empty());
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_target_that_rings_longer_than_the_subscription_ends_it() {
    let (mut world, leg) = in_call(6, referee);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.pass_ms(100);
    let (far, refer, _) = referred(&world, 1);
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::RINGING, now));
    world.pass(ms(181_000));
    let last = notifies(&world, address(2)).pop().unwrap();
    assert_eq!(last, ("SIP/2.0 180 Ringing".to_owned(), "terminated".to_owned()));
    assert_eq!(steps(&world, 0).last().unwrap(), "Lost");
    let count = world.sent(address(2), "NOTIFY");
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::OK, now));
    world.pass_ms(100);
    assert_eq!(world.sent(address(2), "NOTIFY"), count, "nobody listens any more");
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_referrer_who_hangs_up_still_hears_what_came_of_it() {
    let (mut world, leg) = in_call(7, referee);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.pass_ms(100);
    let (far, refer, _) = referred(&world, 1);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::Transferred, now));
    world.pass_ms(100);
    assert_eq!(world.ended(1, far), [Cause::HungUp]);
    assert!(!world.nodes[1].endpoint.is_empty(), "the subscription outlives the call");
    world.with(1, |endpoint, now| endpoint.report_refer(far, refer, Status::OK, now));
    world.pass_ms(100);
    assert_eq!(steps(&world, 0).last().unwrap(), "Finished(200 OK)");
    assert_eq!(world.sent(address(1), "SIP/2.0 481"), 0);
    world.settle();
}

#[test]
fn a_goodbye_answers_a_refer_that_nobody_has_decided() {
    let (mut world, leg) = in_call(8, willing);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.pass_ms(100);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.pass_ms(100);
    assert_eq!(steps(&world, 0), ["Refused(487 Request Terminated)"]);
    world.settle();
}

#[test]
fn reports_come_in_order_over_a_network_that_loses_and_doubles() {
    for seed in 0..20 {
        let (mut world, leg) = in_call(100 + seed, referee);
        (world.loss, world.doubled, world.jitter) = (30, 20, 300);
        world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
        world.pass(ms(8_000));
        let (far, refer, _) = referred(&world, 1);
        for status in [Status::RINGING, Status::SESSION_PROGRESS, Status::OK] {
            world.with(1, |endpoint, now| endpoint.report_refer(far, refer, status, now));
        }
        world.pass(ms(30_000));
        let steps = steps(&world, 0);
        assert_eq!(steps.first().map(String::as_str), Some("Accepted(subscribed: true)"), "{seed}");
        assert_eq!(steps.last().map(String::as_str), Some("Finished(200 OK)"), "{seed}: {steps:?}");
        assert_eq!(steps.iter().filter(|step| step.starts_with("Finished")).count(), 1, "{seed}");
        (world.loss, world.doubled) = (0, 0);
        world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
        world.settle();
    }
}

/// A peer of the test's own in a call with the one node: its address and the node's tag.
fn played(seed: u64, user: sip_world::User) -> (World, SocketAddr, String) {
    let mut world = World::new(seed, &[user]);
    let carol = address(9);
    world.inject(carol, address(1), &request("INVITE", carol, "z9hG4bKi", "", "carols", 1, "", OFFER));
    world.pass_ms(100);
    let answer = world.expect("SIP/2.0 200");
    let tag = tag_of(answer.field("To"));
    world.inject(carol, address(1), &request("ACK", carol, "z9hG4bKa", &tag, "carols", 1, "", ""));
    world.pass_ms(100);
    world.inbox.clear();
    (world, carol, tag)
}

#[test]
fn what_is_no_refer_is_refused_and_named() {
    let (mut world, carol, tag) = played(20, referee);
    let cases = [
        ("", "SIP/2.0 400"),
        ("Refer-To: <sip:a@example.org>\r\nRefer-To: <sip:b@example.org>\r\n", "SIP/2.0 400"),
        ("Refer-To: <sip:a@example.org?Replaces=nonsense>\r\n", "SIP/2.0 400"),
        ("Refer-To: <http://example.org/page>\r\n", "SIP/2.0 416"),
        ("Refer-To: <sip:a@example.org;method=BYE>\r\n", "SIP/2.0 603"),
    ];
    for (seq, (more, expected)) in (2u32..).zip(cases) {
        let branch = format!("z9hG4bKr{seq}");
        world.inject(carol, address(1), &request("REFER", carol, &branch, &tag, "carols", seq, more, ""));
        world.pass_ms(100);
        world.expect(expected);
    }
    assert_eq!(world.happened(0, |e| matches!(e, Event::Referred { .. })), 0);
    // The call is undisturbed.
    world.inject(carol, address(1), &request("BYE", carol, "z9hG4bKb", &tag, "carols", 50, "", ""));
    world.pass_ms(100);
    world.expect("SIP/2.0 200");
    world.settle();
}

#[test]
fn nobody_is_referred_outside_a_call() {
    let mut world = World::new(21, &[referee]);
    let eve = address(9);
    let to = "Refer-To: <sip:+900123@example.org>\r\n";
    world.inject(eve, address(1), &request("REFER", eve, "z9hG4bK1", "", "eves", 1, to, ""));
    world.pass_ms(10);
    world.expect("SIP/2.0 403");
    let named = format!("{to}Target-Dialog: carols;local-tag=carol;remote-tag=unknown\r\n");
    world.inject(eve, address(1), &request("REFER", eve, "z9hG4bK2", "", "eves", 2, &named, ""));
    world.pass_ms(10);
    world.expect("SIP/2.0 481");
    assert_eq!(world.happened(0, |e| matches!(e, Event::Referred { .. })), 0);
    world.settle();

    let (mut world, carol, tag) = played(22, referee);
    let named = format!("{to}Target-Dialog: carols;local-tag=carol;remote-tag={tag}\r\n");
    world.inject(carol, address(1), &request("REFER", carol, "z9hG4bK3", "", "apart", 1, &named, ""));
    world.pass_ms(10);
    world.expect("SIP/2.0 403");
}

#[test]
fn a_referrer_who_wants_to_hear_no_more_says_so() {
    let (mut world, carol, tag) = played(23, |endpoint, event, now| match event {
        Event::Referred { leg, refer, .. } => endpoint.accept_refer(*leg, *refer, now),
        event => willing(endpoint, event, now),
    });
    let to = "Refer-To: <sip:bob@example.org>\r\n";
    world.inject(carol, address(1), &request("REFER", carol, "z9hG4bKr", &tag, "carols", 2, to, ""));
    world.pass_ms(10);
    let accepted = world.expect("SIP/2.0 202");
    assert!(accepted.field("Contact").contains("192.0.2.1"));
    let trying = world.expect("NOTIFY");
    assert_eq!(trying.field("Subscription-State"), "active;expires=180");
    // 481: she does not know the subscription. The call is another matter (RFC 5057).
    world.inject(carol, address(1), &answer_to(&trying, "481 Gone", "", "", ""));
    world.pass_ms(10);
    let (leg, refer, _) = referred(&world, 0);
    world.with(0, |endpoint, now| endpoint.report_refer(leg, refer, Status::OK, now));
    world.pass_ms(10);
    assert!(world.received().is_none());
    assert!(world.ended(0, leg).is_empty());
    world.inject(carol, address(1), &request("BYE", carol, "z9hG4bKb", &tag, "carols", 3, "", ""));
    world.settle();
}

#[test]
fn a_report_that_overtakes_the_answer_to_the_refer_counts() {
    let mut world = World::new(24, &[nobody]);
    let peer = address(7);
    let leg = world.call(0, peer);
    world.pass_ms(10);
    let invite = world.expect("INVITE");
    world.inject(peer, address(1), &answer_to(&invite, "200 OK", "peer", "", ANSWER));
    world.pass_ms(10);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.pass_ms(10);
    let refer = world.expect("REFER");
    assert_eq!(refer.field("Refer-To"), "<sip:bob@example.org>");
    assert!(refer.field("Contact").contains("192.0.2.1"));
    let call_id = invite.field("Call-ID").to_owned();
    let ours = tag_of(invite.field("From"));
    let notify = |seq: u32, state: &str, line: &str| {
        let body = format!("{line}\r\n");
        format!(
            "NOTIFY sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bKn{seq}\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@example.org>;tag=peer\r\nTo: <sip:alice@example.org>;tag={ours}\r\nCall-ID: {call_id}\r\n\
             CSeq: {seq} NOTIFY\r\nContact: <sip:bob@{peer}>\r\nEvent: refer\r\nSubscription-State: {state}\r\n\
             Content-Type: message/sipfrag\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    world.inject(peer, address(1), &notify(1, "active;expires=60", "SIP/2.0 100 Trying"));
    world.pass_ms(10);
    world.inject(peer, address(1), &answer_to(&refer, "202 Accepted", "peer", "", ""));
    world.pass_ms(10);
    world.inject(peer, address(1), &notify(2, "terminated;reason=noresource", "SIP/2.0 603 Decline"));
    world.pass_ms(10);
    assert_eq!(steps(&world, 0), ["Accepted(subscribed: true)", "Progress(100 Trying)", "Finished(603 Decline)"]);
    // A report about nothing, after the last.
    world.inject(peer, address(1), &notify(3, "active", "SIP/2.0 200 OK"));
    world.pass_ms(10);
    world.expect("SIP/2.0 481");
    assert!(world.ended(0, leg).is_empty());
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_replaces_header_finds_its_call_and_no_other() {
    let (mut world, leg) = in_call(30, willing);
    let far = world.invited(1);
    // As the far end is told to name it, it finds it.
    let named = world.nodes[0].endpoint.replaces(leg).unwrap();
    assert_eq!(world.nodes[1].endpoint.dialog_of(&named), Some(far));
    assert_eq!(world.nodes[1].endpoint.replaced_by(&named), Ok(far));
    assert_eq!(world.nodes[0].endpoint.dialog_of(&named), None, "the tags are the other way round");
    let early = Replaces { early_only: true, ..named.clone() };
    assert_eq!(world.nodes[1].endpoint.replaced_by(&early), Err(Status::BUSY_HERE));
    for wrong in [
        Replaces { call_id: Text::from("other"), ..named.clone() },
        Replaces { to_tag: Text::from("other"), ..named.clone() },
        Replaces { from_tag: Text::from("other"), ..named.clone() },
    ] {
        assert_eq!(world.nodes[1].endpoint.replaced_by(&wrong), Err(Status::CALL_DOES_NOT_EXIST));
    }
    world.lose = Some(|seen| seen.text.contains(" BYE\r\n"));
    world.with(1, |endpoint, now| endpoint.hang_up(far, Cause::HungUp, now));
    assert_eq!(world.nodes[1].endpoint.replaced_by(&named), Err(Status::DECLINE), "it is over");
    world.lose = None;
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_call_that_rings_may_be_picked_up_and_one_that_comes_in_may_not() {
    fn ringing(endpoint: &mut Endpoint, event: &Event, now: Now) {
        if let Event::Invited { leg, .. } = event {
            endpoint.ring(*leg, Status::RINGING, None, &Vec::new(), now);
        }
    }
    let mut world = World::new(31, &[nobody, ringing]);
    let leg = world.call(0, address(2));
    world.pass_ms(100);
    let far = world.invited(1);
    let invite = world.log.iter().find(|seen| seen.text.starts_with("INVITE")).unwrap();
    let ringing = world.log.iter().find(|seen| seen.text.starts_with("SIP/2.0 180")).unwrap();
    let (call_id, ours, theirs) =
        (invite.field("Call-ID").to_owned(), tag_of(invite.field("From")), tag_of(ringing.field("To")));
    let text = |to: &str, from: &str| format!("{call_id};to-tag={to};from-tag={from};early-only");
    let at_caller = Replaces::parse(&text(&ours, &theirs)).unwrap();
    assert_eq!(world.nodes[0].endpoint.replaced_by(&at_caller), Ok(leg));
    let at_called = Replaces::parse(&text(&theirs, &ours)).unwrap();
    assert_eq!(world.nodes[1].endpoint.dialog_of(&at_called), Some(far));
    assert_eq!(world.nodes[1].endpoint.replaced_by(&at_called), Err(Status::CALL_DOES_NOT_EXIST));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::Replaced, now));
    world.settle();
}

#[test]
fn an_invite_carries_a_replaces_header_out_and_in() {
    let mut world = World::new(32, &[nobody, willing]);
    let mut call = outbound(address(2));
    let replaces = Replaces::parse("a@b;to-tag=1;from-tag=2;early-only").unwrap();
    call.headers.push((Name::Replaces, Text::from(replaces.to_string())));
    call.headers.push((Name::Require, Text::from_static("replaces")));
    let leg = world.with(0, |endpoint, now| endpoint.invite(call, now));
    world.pass_ms(100);
    let read = world.nodes[1].events.iter().find_map(|(_, event)| match event {
        Event::Invited { request, .. } => Replaces::of(&request.headers),
        _ => None,
    });
    assert_eq!(read, Some(Ok(replaces)));
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}

#[test]
fn a_refer_while_an_offer_is_under_way_is_taken_on_and_the_offer_answered() {
    let (mut world, leg) = in_call(33, referee);
    let far = world.invited(1);
    world.with(0, |endpoint, now| endpoint.refer(leg, &bob(), true, &Vec::new(), now)).unwrap();
    world.with(1, |endpoint, now| endpoint.reinvite(far, Bytes::from_static(OFFER.as_bytes()).into(), now));
    world.pass_ms(50);
    world.with(0, |endpoint, now| endpoint.accept_offer(leg, Bytes::from_static(ANSWER.as_bytes()), now));
    world.pass_ms(100);
    assert_eq!(world.happened(1, |e| matches!(e, Event::Modified { result: Ok(_), .. })), 1);
    assert_eq!(steps(&world, 0), ["Accepted(subscribed: true)", "Progress(100 Trying)"]);
    world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::HungUp, now));
    world.settle();
}
