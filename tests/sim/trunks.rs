//! Trunks that answer, fall silent and come back; registrations with carriers; names that the DNS knows.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use ringlift::base::Secret;
use ringlift::base::id::TrunkId;
use ringlift::gateway::Directory;
use ringlift::gateway::command::{Command, Reply};
use ringlift::gateway::event::Happening;
use ringlift::gateway::view::TrunkStateView;
use ringlift::profile::{Book, Profile};
use ringlift::route::{Credentials, Register, Trunk};
use ringlift::sip::locate::{Kind, Lookup, Question, Records, Srv};
use ringlift::wire::sip::{Message, Method, Name, Request};

use crate::desks::OUTSIDE;
use crate::telephone::Telephone;
use crate::world::{Phone, World};

const TRUNK: TrunkId = TrunkId::from_bits(2);

/// An office whose carriers are probed every half a minute; `change` has its outward trunk.
fn office(change: impl FnOnce(&mut Trunk)) -> World {
    World::office_with(|directory: &mut Directory| {
        let mut probed = Profile { name: "probed".into(), ..Profile::default() };
        probed.options.every = 30;
        let mut kept = probed.clone();
        (kept.name, kept.options.every, kept.transport.keep_alive) = ("kept".into(), 0, 25);
        directory.profiles = Book::new([probed, kept]);
        let trunk = directory.trunks.iter_mut().find(|trunk| trunk.id == TRUNK).unwrap();
        trunk.profile = "probed".into();
        change(trunk);
    })
}

fn uris(trunk: &mut Trunk, uris: &[&str]) {
    let outbound = trunk.outbound.as_mut().unwrap();
    let model = outbound.targets[0].clone();
    outbound.targets = uris
        .iter()
        .zip(1..)
        .map(|(uri, priority)| ringlift::route::OutboundTarget { uri: (*uri).into(), priority, ..model.clone() })
        .collect();
}

fn far(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// What is at an address.
fn edge(address: SocketAddr) -> Telephone {
    let mut edge = Telephone::new(1);
    edge.source.remote = address;
    edge
}

/// Lets time pass while those who are alive answer OPTIONS with 200; what else came to anybody.
fn pass(world: &mut World, seconds: u64, alive: &[SocketAddr], all: &[SocketAddr]) -> Vec<(SocketAddr, Request)> {
    let mut others = Vec::new();
    for _ in 0..seconds {
        world.pass(Duration::from_secs(1));
        for address in all {
            while let Some(message) = world.next_at(*address) {
                match message {
                    Message::Request(request) if request.method == Method::Options => {
                        if alive.contains(address) {
                            edge(*address).answer(world, &request, 200, "");
                        }
                    }
                    Message::Request(request) => others.push((*address, request)),
                    Message::Response(_) => {}
                }
            }
        }
    }
    others
}

fn told(world: &World) -> Vec<String> {
    let told = world.events.iter().filter_map(|event| match event {
        Happening::TrunkUp { .. } => Some("up".to_owned()),
        Happening::TrunkDown { why, .. } => Some(format!("down: {why}")),
        _ => None,
    });
    told.collect()
}

/// What is told of the places that take a trunk's calls.
fn told_of_targets(world: &World) -> Vec<String> {
    let told = world.events.iter().filter_map(|event| match event {
        Happening::TrunkTargetUp { address, .. } => Some(format!("{address} up")),
        Happening::TrunkTargetDown { address, why, .. } => Some(format!("{address} down: {why}")),
        _ => None,
    });
    told.collect()
}

fn state(world: &mut World) -> TrunkStateView {
    match world.ask(Command::TrunkStates { trunk: Some(TRUNK) }) {
        Ok(Reply::TrunkStates(states)) => states[0].clone(),
        other => panic!("{other:?}"),
    }
}

/// Somebody calls out; where the INVITE goes first, and it is refused there.
fn calls_out(world: &mut World, number: u8, all: &[SocketAddr]) -> Option<SocketAddr> {
    let mut phone = Phone::new(number);
    world.invite(&mut phone, OUTSIDE);
    for address in all {
        while let Some(message) = world.next_at(*address) {
            if let Message::Request(request) = message
                && request.method == Method::Invite
            {
                edge(*address).answer(world, &request, 486, "");
                return Some(*address);
            }
        }
    }
    None
}

#[test]
fn a_carrier_that_stops_answering_is_left_out_and_comes_back_by_itself() {
    let (first, second) = (far("203.0.113.10:5060"), far("203.0.113.11:5060"));
    let all = [first, second];
    let mut world = office(|_| {});
    pass(&mut world, 60, &all, &all);
    assert_eq!(told(&world), ["up"]);
    assert_eq!(calls_out(&mut world, 1, &all), Some(first), "the lower priority");
    pass(&mut world, 90, &[second], &all);
    assert_eq!(told(&world), ["up"], "the other takes its calls");
    assert_eq!(told_of_targets(&world).split_off(2), ["udp 203.0.113.10:5060 down: no answer to OPTIONS"]);
    let far_ends = state(&mut world).far_ends;
    assert_eq!(far_ends.iter().map(|far| far.up).collect::<Vec<_>>(), [Some(false), Some(true)]);
    assert_eq!(calls_out(&mut world, 2, &all), Some(second), "the dead one is not even tried");
    pass(&mut world, 90, &[], &all);
    assert_eq!(told(&world), ["up", "down: no answer to OPTIONS"], "within three intervals");
    let mut phone = Phone::new(3);
    world.invite(&mut phone, OUTSIDE);
    let refusal = world.response(&phone).expect("an answer at once");
    assert!(refusal.status.code() >= 500, "{}", refusal.status);
    pass(&mut world, 65, &all, &all);
    assert_eq!(told(&world).last().unwrap(), "up");
    let back = told_of_targets(&world).split_off(4);
    assert_eq!(back.len(), 2, "both are back: {back:?}");
    assert!(back.iter().all(|told| told.ends_with(" up")), "{back:?}");
    assert_eq!(calls_out(&mut world, 4, &all), Some(first));
    assert_eq!(told(&world).len(), 3);
}

#[test]
fn a_carrier_that_asks_to_be_left_alone_is() {
    let (first, second) = (far("203.0.113.10:5060"), far("203.0.113.11:5060"));
    let mut world = office(|trunk| trunk.profile = "generic".into());
    let mut phone = Phone::new(1);
    world.invite(&mut phone, OUTSIDE);
    let invite = edge(first).request(&mut world).unwrap();
    edge(first).answer(&mut world, &invite, 503, "Retry-After: 120\n");
    assert!(edge(second).request(&mut world).is_some(), "the next at once");
    assert!(state(&mut world).far_ends[0].resting);
    world.pass(Duration::from_secs(100));
    assert_eq!(calls_out(&mut world, 2, &[first, second]), Some(second));
    world.pass(Duration::from_secs(21));
    assert_eq!(calls_out(&mut world, 3, &[first, second]), Some(first));
}

/// A trunk that registers with 203.0.113.10.
fn registering(trunk: &mut Trunk) {
    uris(trunk, &["sip:203.0.113.10"]);
    trunk.profile = "kept".into();
    let outbound = trunk.outbound.as_mut().unwrap();
    outbound.credentials = Some(Credentials { username: "acc7".into(), password: Secret::new("s3cret") });
    outbound.register = Some(Register { aor: "sip:acc7@203.0.113.10".into(), registrar: None, expires: 60 });
}

#[test]
fn a_trunk_registers_is_called_by_it_and_keeps_it() {
    let address = far("203.0.113.10:5060");
    let carrier = edge(address);
    let mut world = office(registering);
    let first = carrier.request(&mut world).expect("a REGISTER");
    assert_eq!(first.method, Method::Register);
    assert_eq!(first.uri.as_str(), "sip:203.0.113.10");
    assert_eq!(first.headers.get(Name::Contact), Some("<sip:acc7@198.51.100.1:5060>;expires=60"));
    carrier.answer(&mut world, &first, 401, "WWW-Authenticate: Digest realm=\"c\", nonce=\"n\", qop=\"auth\"\n");
    let second = carrier.request(&mut world).unwrap();
    assert!(second.headers.get(Name::Authorization).unwrap().contains("username=\"acc7\""));
    assert_eq!(second.headers.call_id(), first.headers.call_id());
    carrier.answer(&mut world, &second, 423, "Min-Expires: 300\n");
    let third = carrier.request(&mut world).unwrap();
    carrier.answer(&mut world, &third, 200, "Contact: <sip:acc7@198.51.100.1:5060>;expires=300\n");
    assert_eq!(told(&world), ["up"]);
    let view = state(&mut world);
    assert_eq!((view.registration.as_deref(), view.registered_for), (Some("registered"), Some(300)));
    // Its calls come from the registrar, to our contact: no network of the trunk is needed.
    let offer = Phone::new(1).offer("sendrecv");
    let mut caller = edge(address);
    let to_us = |caller: &mut Telephone, world: &mut World, uri: &str| {
        caller.call_id = format!("from-carrier-{}", caller.seq);
        caller.send(world, "INVITE", uri, "Contact: <sip:gw@203.0.113.10>\n", &offer);
        caller.response(world).unwrap().status.code()
    };
    assert_eq!(to_us(&mut caller, &mut world, "sip:acc7@198.51.100.1:5060"), 404, "the trunk is known; no rule for it");
    assert!([401, 403].contains(&to_us(&mut caller, &mut world, "sip:other@198.51.100.1:5060")), "not to anybody else");
    world.pass(Duration::from_secs(26));
    assert_eq!(world.pings, [address], "a way through NAT stays open");
    let refreshed = (0..260).find_map(|_| {
        world.pass(Duration::from_secs(1));
        carrier.request(&mut world).filter(|request| request.method == Method::Register)
    });
    let refreshed = refreshed.expect("a refresh before its time is up");
    assert!(refreshed.headers.get(Name::Authorization).unwrap().contains("nc=00000003"), "with credentials at once");
    // Nobody answers any more: down, and back by itself.
    let others = pass(&mut world, 120, &[], &[address]);
    assert_eq!(told(&world), ["up", "down: its registrar does not answer"]);
    let last = others.iter().rev().map(|(_, request)| request).find(|request| request.method == Method::Register);
    assert!(last.is_some(), "it is tried again");
    let again = (0..120).find_map(|_| {
        world.pass(Duration::from_secs(1));
        carrier.request(&mut world).filter(|request| request.method == Method::Register)
    });
    carrier.answer(&mut world, &again.unwrap(), 200, "Expires: 300\n");
    assert_eq!(told(&world).last().unwrap(), "up");
    // Taken away, it is taken back.
    world.ask(Command::DeleteTrunk(TRUNK)).unwrap();
    let over = carrier.request(&mut world).unwrap();
    assert_eq!(over.headers.get(Name::Contact), Some("<sip:acc7@198.51.100.1:5060>;expires=0"));
    carrier.answer(&mut world, &over, 200, "");
    world.ends_clean();
}

#[test]
fn a_wrong_account_is_told_in_words() {
    let carrier = edge(far("203.0.113.10:5060"));
    let mut world = office(registering);
    let first = carrier.request(&mut world).expect("a REGISTER");
    carrier.answer(&mut world, &first, 403, "");
    assert_eq!(told(&world), ["down: the registration was refused with 403 Forbidden"]);
    assert_eq!(state(&mut world).registration.as_deref(), Some("failed: 403 Forbidden"));
    world.pass(Duration::from_secs(25));
    assert!(carrier.request(&mut world).is_none(), "an account is not locked by our haste");
}

fn srv(priority: u16, target: &str) -> Srv {
    Srv { priority, weight: 1, port: 5060, target: target.into() }
}

fn set(world: &mut World, name: &str, kind: Kind, records: Records, ttl: u64) {
    let found = Lookup::Found { records, ttl: Duration::from_secs(ttl) };
    world.dns.get_or_insert_default().insert(Question::new(name, kind), found);
}

fn ip(world: &mut World, name: &str, ip: &str) {
    set(world, name, Kind::A, Records::Addresses(vec![ip.parse().unwrap()]), 60);
}

#[test]
fn a_carrier_by_name_is_followed_through_the_dns_and_its_dead_half_is_passed_over() {
    let (a, b, c) = (far("203.0.113.21:5060"), far("203.0.113.22:5060"), far("203.0.113.23:5060"));
    let mut world = office(|trunk| {
        uris(trunk, &["sip:carrier.test;transport=udp"]);
        trunk.profile = "generic".into();
    });
    let services = Records::Services(vec![srv(20, "b.carrier.test"), srv(10, "a.carrier.test")]);
    set(&mut world, "_sip._udp.carrier.test", Kind::Srv, services, 60);
    ip(&mut world, "a.carrier.test", "203.0.113.21");
    ip(&mut world, "b.carrier.test", "203.0.113.22");
    world.pass(Duration::from_secs(60));
    let mut phone = Phone::new(1);
    world.invite(&mut phone, OUTSIDE);
    let invite = edge(a).request(&mut world).expect("the lower priority first");
    assert_eq!(invite.uri.host().unwrap().to_string(), "carrier.test");
    // It is dead: within the same call the other is tried.
    let tried = (0..40).find(|_| {
        world.pass(Duration::from_secs(1));
        edge(b).request(&mut world).is_some()
    });
    assert!(tried.is_some_and(|seconds| seconds <= 4), "the other after {tried:?} seconds");
    while world.next_at(a).is_some() {}
    assert_eq!(calls_out(&mut world, 2, &[a, b]), Some(b), "the next call does not wait for it");
    // The nameservers are gone: what was known serves.
    let dns = world.dns.take();
    world.pass(Duration::from_secs(300));
    let mut phone = Phone::new(3);
    world.invite(&mut phone, OUTSIDE);
    world.pass(Duration::from_millis(400));
    assert!(edge(a).request(&mut world).is_some(), "called within half a second");
    // They are back and say something else: new calls follow.
    world.dns = dns;
    let services = Records::Services(vec![srv(10, "c.carrier.test")]);
    set(&mut world, "_sip._udp.carrier.test", Kind::Srv, services, 60);
    ip(&mut world, "c.carrier.test", "203.0.113.23");
    world.pass(Duration::from_secs(90));
    assert_eq!(calls_out(&mut world, 4, &[c]), Some(c));
}

#[test]
fn a_name_that_nobody_knows_takes_a_trunk_down_and_no_caller_waits() {
    let mut world = office(|trunk| uris(trunk, &["sip:nowhere.test"]));
    world.pass(Duration::from_secs(1));
    assert_eq!(told(&world), ["down: no address is found for it"]);
    let mut phone = Phone::new(1);
    world.invite(&mut phone, OUTSIDE);
    assert!(world.response(&phone).is_some_and(|refusal| refusal.status.code() >= 500));
}

#[test]
fn who_is_at_an_address_is_said_before_tls_goes_there() {
    let mut world = office(|trunk| uris(trunk, &["sip:secure.test;transport=tls"]));
    ip(&mut world, "secure.test", "203.0.113.30");
    world.pass(Duration::from_secs(70));
    let expected: BTreeSet<(SocketAddr, String)> = world.peers.iter().cloned().collect();
    assert_eq!(expected, BTreeSet::from([(far("203.0.113.30:5061"), "secure.test".to_owned())]));
    assert_eq!(world.peers.len(), 1, "once");
    assert!(world.next_at(far("203.0.113.30:5061")).is_some(), "and then OPTIONS");
}

#[test]
fn a_node_out_of_service_says_so_to_those_who_ask() {
    let mut world = World::new();
    let mut asking = Telephone::new(9);
    asking.send(&mut world, "OPTIONS", "sip:198.51.100.1", "", "");
    assert_eq!(asking.response(&mut world).unwrap().status.code(), 200);
    world.give(ringlift::gateway::Input::DrainAsked);
    asking.send(&mut world, "OPTIONS", "sip:198.51.100.1", "", "");
    let answer = asking.response(&mut world).unwrap();
    assert_eq!((answer.status.code(), answer.headers.has(Name::RetryAfter)), (503, true));
}
