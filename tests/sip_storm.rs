//! A storm of requests that make little sense, from someone who knows our tags: nothing may stay, nobody may be told
//! twice, and no ACK may ever be answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod sip_world;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Cause, LegId, Now, Rng};
use ringlift::sip::Endpoint;
use ringlift::sip::endpoint::Event;
use ringlift::wire::sip::Status;
use sip_world::{ANSWER, OFFER, World, address, answer_to, request, tag_of};

const METHODS: [&str; 10] = ["INVITE", "INVITE", "INVITE", "ACK", "ACK", "BYE", "CANCEL", "UPDATE", "INFO", "OPTIONS"];

fn hesitant(endpoint: &mut Endpoint, event: &Event, now: Now) {
    match event {
        Event::Request { transaction, .. } | Event::Info { transaction, .. } => {
            endpoint.respond(*transaction, Status::OK, &Vec::new(), None, now);
        }
        _ => {}
    }
}

fn pick<'a, T: ?Sized>(rng: &mut Rng, from: &[&'a T]) -> &'a T {
    from[rng.below(from.len() as u64) as usize]
}

/// The same with one character or one line changed.
fn spoiled(rng: &mut Rng, text: &str) -> String {
    if rng.below(2) == 0 {
        let gone = rng.below(10) as usize;
        return text.split("\r\n").enumerate().filter(|(n, _)| *n != gone).map(|(_, l)| format!("{l}\r\n")).collect();
    }
    let (at, other) =
        (rng.below(text.len() as u64) as usize, pick(rng, &[";", "<", ">", ",", "\"", ":", "\0", "é", "9"]));
    text.chars().enumerate().map(|(n, c)| if n == at { other.to_owned() } else { c.to_string() }).collect()
}

/// Does something random with a leg.
fn meddle(world: &mut World, rng: &mut Rng, leg: LegId) {
    let sdp = Bytes::from_static(ANSWER.as_bytes());
    let none = Vec::new();
    world.with(0, |endpoint, now| match rng.below(9) {
        0 => endpoint.ring(leg, Status::RINGING, None, &none, now),
        1 | 2 => endpoint.answer(leg, sdp, &none, now),
        3 => endpoint.refuse(leg, Status::BUSY_HERE, Cause::RoomFull, &none, now),
        4 => endpoint.hang_up(leg, Cause::RoomEnded, now),
        5 => endpoint.accept_offer(leg, sdp, now),
        6 => endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &none, now),
        7 => endpoint.reinvite(leg, Some(sdp), now),
        _ => {
            endpoint.info(leg, "application/dtmf", b"1", now);
        }
    });
}

#[test]
fn whatever_comes_in_whatever_order_nothing_stays_and_each_call_ends_once() {
    let (mut invited, mut confirmed, mut offered) = (0, 0, 0);
    for seed in 0..300u64 {
        let mut rng = Rng::from_number(seed);
        let mut world = World::new(seed, &[hesitant]);
        let carol = address(77);
        let (mut tags, mut legs): (Vec<(String, String)>, Vec<LegId>) = (Vec::new(), Vec::new());
        for step in 0..120 {
            let method = pick(&mut rng, &METHODS);
            let mut call_id = pick(&mut rng, &["one", "two", "three"]).to_owned();
            let branch = format!("z9hG4bK{}", rng.below(12));
            let tag = if tags.is_empty() || rng.below(3) == 0 {
                String::new()
            } else {
                let (call, tag) = tags[rng.below(tags.len() as u64) as usize].clone();
                call_id = call;
                tag
            };
            let seq = step / 6 + rng.below(4) as u32 + 1;
            let body = if rng.below(3) == 0 { "" } else { OFFER };
            let text = request(method, carol, &branch, &tag, &call_id, seq, "", body);
            let text = if rng.below(6) == 0 { spoiled(&mut rng, &text) } else { text };
            world.inject(carol, address(1), &text);
            world.pass_ms(rng.below(400));
            while let Some(seen) = world.received() {
                let tag = tag_of(seen.field("To"));
                if seen.text.starts_with("SIP/2.0") {
                    // A spoilt request line may be of some other method than its CSeq.
                    let to_ack = seen.field("CSeq").ends_with("ACK") && !seen.text.starts_with("SIP/2.0 400");
                    assert!(!to_ack, "an ACK was answered");
                    let call_id = seen.field("Call-ID").to_owned();
                    let (seq, method) = seen.field("CSeq").split_once(' ').unwrap_or_default();
                    if seen.text.starts_with("SIP/2.0 200") && method == "INVITE" && rng.below(2) == 0 {
                        let (branch, seq) = (format!("z9hG4bKack{}", rng.next_u32()), seq.parse().unwrap_or(1));
                        world.inject(
                            carol,
                            address(1),
                            &request("ACK", carol, &branch, &tag, &call_id, seq, "", OFFER),
                        );
                    }
                    if !tag.is_empty() && !tags.iter().any(|(_, known)| *known == tag) {
                        tags.push((call_id, tag));
                    }
                } else if !seen.text.starts_with("ACK") {
                    let status = pick(
                        &mut rng,
                        &["100 Trying", "200 OK", "491 Request Pending", "481 No", "500 No", "408 No", "302 Away"],
                    );
                    world.inject(carol, address(1), &answer_to(&seen, status, "carol", "", ANSWER));
                }
            }
            legs.extend(world.nodes[0].events.iter().filter_map(|(_, event)| match event {
                Event::Invited { leg, .. } => Some(*leg),
                _ => None,
            }));
            legs.dedup();
            if let Some(leg) = legs.get(rng.below(legs.len().max(1) as u64) as usize).copied() {
                meddle(&mut world, &mut rng, leg);
            }
        }
        let all: Vec<LegId> = world.nodes[0].endpoint.legs().collect();
        for leg in all {
            world.with(0, |endpoint, now| endpoint.hang_up(leg, Cause::RoomEnded, now));
        }
        assert_eq!(world.nodes[0].endpoint.counts().legs, 0, "seed {seed}");
        world.pass(Duration::from_secs(1));
        world.settle();
        let mut ends: BTreeMap<LegId, i32> = BTreeMap::new();
        for (_, event) in &world.nodes[0].events {
            match event {
                Event::Invited { leg, .. } => *ends.entry(*leg).or_default() += 1,
                Event::Ended { leg, .. } => *ends.entry(*leg).or_default() -= 1,
                Event::Acked { .. } => confirmed += 1,
                Event::Offered { .. } | Event::Modified { .. } => offered += 1,
                _ => {}
            }
        }
        invited += ends.len();
        assert!(ends.values().all(|balance| *balance == 0), "seed {seed}: {ends:?}");
    }
    let reached = format!("{invited} calls, {confirmed} confirmed, {offered} changes");
    assert!(invited > 1000 && confirmed > 100 && offered > 100, "the storm must reach something: {reached}");
}
