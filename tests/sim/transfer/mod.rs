//! People hand their calls over: what each telephone sees, who talks with whom, and what the log says.

mod attended;
mod ordered;
mod referred;
mod replaced;

use std::time::Duration;

use ringlift::base::id::{ExtensionId, RuleId, TrunkId};
use ringlift::base::phone_number::NumberPlan;
use ringlift::base::{Cause, LegId, RoomId, Secret};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::event::{Happening, TransferWay};
use ringlift::gateway::view::CallView;
use ringlift::media::command::MediaCommand;
use ringlift::profile::{Book, Profile, ReferSupport};
use ringlift::route::{Credentials, Destination, Outbound, OutboundTarget, Rule, Trunk, When};
use ringlift::wire::sip::{Method, Name};

use crate::line::Line;
use crate::telephone::{Telephone, extension};
use crate::world::{Phone, ROOM, World};

/// The office of the one who hands over, of the one who takes over, and a carrier.
const OFFICES: [(u64, &str, &str); 3] =
    [(2, "203.0.113.9:5060", "+498911*"), (3, "198.18.0.7:5060", "+498922*"), (4, "198.18.1.7:5060", "+1212*")];
const ANNA: &str = "203.0.113.9:5060";

const CARLA: &str = "198.18.0.7:5060";

fn house() -> World {
    house_with(|_| {})
}

fn house_with(change: impl Fn(&mut Profile)) -> World {
    house_of(change, |_| {})
}

fn german() -> NumberPlan {
    NumberPlan {
        country: Some("49".into()),
        national_prefix: Some("0".into()),
        international_prefix: Some("00".into()),
    }
}

fn out(address: &str) -> Outbound {
    Outbound {
        targets: vec![OutboundTarget { uri: format!("sip:{address}"), priority: 1, weight: 1 }],
        ..serde_json::from_str(r#"{"targets":[]}"#).unwrap()
    }
}

fn office(id: u64, address: &str) -> Trunk {
    let ip = address.split(':').next().unwrap();
    Trunk {
        networks: vec![format!("{ip}/32").parse().unwrap()],
        numbers: german(),
        outbound: Some(out(address)),
        ..Trunk::new(TrunkId::from_bits(id), format!("office {id}"))
    }
}

fn house_of(change: impl Fn(&mut Profile), carrier: impl Fn(&mut Trunk)) -> World {
    World::of(
        |_| {},
        |_| {},
        |directory| {
            for trunk in &mut directory.trunks {
                trunk.numbers = german();
                trunk.outbound = Some(out("192.0.2.50:5060"));
                carrier(trunk);
            }
            let mut profile = Profile { name: "generic".into(), ..Profile::default() };
            change(&mut profile);
            directory.profiles = Book::new([profile]);
            for (id, address, called) in OFFICES {
                directory.trunks.push(office(id, address));
                directory.rules.push(rule(
                    id,
                    called,
                    Destination::Trunk { trunks: vec![TrunkId::from_bits(id)], strip: 0, prefix: String::new() },
                ));
            }
            let outward = Destination::Trunk { trunks: vec![TrunkId::from_bits(1)], strip: 0, prefix: String::new() };
            directory.rules.push(rule(20, "+49900*", outward.clone()));
            directory.rules.push(rule(21, "+4930777*", outward));
            directory.rules.push(rule(22, "meet", Destination::Room { room: ROOM }));
        },
    )
}

fn rule(bits: u64, called: &str, then: Destination) -> Rule {
    Rule {
        id: RuleId::from_bits(bits),
        position: u32::try_from(bits).unwrap(),
        name: called.to_owned(),
        enabled: true,
        when: When { called: vec![called.parse().unwrap()], ..When::default() },
        then,
    }
}

/// A caller talks with somebody at this address.
fn talking(world: &mut World, caller: u8, called: &str, at: &str) -> (Line, Line) {
    let mut phone = Phone::new(caller);
    world.invite(&mut phone, called);
    let mut desk = Line::at(at);
    desk.pick_up(world);
    let answer = world.response(&phone).expect("an answer");
    assert_eq!(answer.status.code(), 180);
    let answer = world.response(&phone).expect("an answer");
    assert_eq!(answer.status.code(), 200, "the caller is connected");
    world.ack(&mut phone, &answer);
    (Line::of(&phone), desk)
}

/// The leg of a telephone's call.
fn leg_of(world: &mut World, line: &Line) -> LegId {
    world.calls().iter().find(|call| call.call_id == line.call_id).expect("its call").id
}

fn call_of(world: &mut World, line: &Line) -> Option<CallView> {
    world.calls().into_iter().find(|call| call.call_id == line.call_id)
}

/// Who is in the bridge with this telephone, itself included; from the media plane's orders alone.
fn hears(world: &mut World, leg: LegId) -> Vec<LegId> {
    let mut places: std::collections::BTreeMap<LegId, RoomId> = Default::default();
    for order in &world.orders {
        match order {
            MediaCommand::Join { leg, room, .. } => drop(places.insert(*leg, *room)),
            MediaCommand::Leave { leg } | MediaCommand::Close { leg } => drop(places.remove(leg)),
            _ => {}
        }
    }
    let Some(room) = places.get(&leg).copied() else { return Vec::new() };
    places.into_iter().filter(|(_, other)| *other == room).map(|(leg, _)| leg).collect()
}

fn both(one: LegId, other: LegId) -> Vec<LegId> {
    Vec::from([one.min(other), one.max(other)])
}

fn transferred(world: &World) -> Vec<(LegId, Option<LegId>, TransferWay)> {
    let of = |event: &Happening| match event {
        Happening::CallTransferred { call, by, way, .. } => Some((*call, *by, *way)),
        _ => None,
    };
    world.events.iter().filter_map(of).collect()
}

fn failures(world: &World) -> Vec<(Cause, u16)> {
    let of = |event: &Happening| match event {
        Happening::CallTransferFailed { cause, status, .. } => Some((*cause, *status)),
        _ => None,
    };
    world.events.iter().filter_map(of).collect()
}

fn opened(world: &World, leg: LegId) -> usize {
    world.orders.iter().filter(|order| matches!(order, MediaCommand::Open { leg: it, .. } if *it == leg)).count()
}

fn refer(to: &str) -> String {
    format!("Refer-To: <sip:{to}@198.51.100.1>\r\nReferred-By: <sip:anna@office>\r\n")
}

/// Anna calls Carla on another line.
fn consult(world: &mut World) -> (Line, Line) {
    let mut phone = Phone { call_id: "consult".into(), ..Phone::at("203.0.113.9".parse().unwrap(), 9) };
    world.invite(&mut phone, "+49892201");
    let mut carla = Line::at(CARLA);
    carla.pick_up(world);
    let mut anna = Line::of(&phone);
    anna.look(world);
    let answer = anna.answers.iter().find(|answer| answer.status.code() == 200).expect("an answer").clone();
    world.ack(&mut phone, &answer);
    (Line::of(&phone), carla)
}

/// A telephone of the house, registered at its own address.
fn desk(world: &mut World, number: u64) -> (Telephone, Line) {
    extension(world, number);
    let mut desk = Telephone::new(number);
    assert_eq!(desk.register(world, 600).status.code(), 200);
    let line = Line::at(&desk.source.remote.to_string());
    (Telephone { call_id: format!("call-of-{number}"), seq: 0, ..desk }, line)
}
