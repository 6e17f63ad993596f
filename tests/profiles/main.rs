//! Every profile that comes with the program, against SIPp speaking its dialect; what came of it is `docs/interop.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test in real time that cannot go on should say where"
)]

#[path = "../common/mod.rs"]
mod common;

mod dialect;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use common::gateway::{self, Gateway};
use common::ports::Ports;
use common::process::Folder;
use common::sipp::{self, Sipp};
use common::{s, until};
use dialect::Far;
use ringlift::profile::{OptionsRules, Profile};
use serde_json::{Value, json};
use table::{Cell, Table};

/// As whom the house calls.
const HOUSE: &str = "+4998099";
/// The telephone of the house that calls are transferred to.
const OTHER: &str = "+4997001";
/// Far ends that play a scenario at the same time. More: SIPp starts slowly on few cores, and waits run out. Fewer: the
/// test takes longer.
const AT_ONCE: usize = 15;

struct World {
    gateway: Gateway,
    fars: Vec<Far>,
    trunks: BTreeMap<String, String>,
    folder: Folder,
    ports: Ports,
    _house: Sipp,
}

impl World {
    fn new() -> Self {
        let (folder, ports) = (Folder::new("profiles"), Ports::block());
        let built_in = ringlift::config::profiles::built_in().unwrap();
        // Probes would come in the middle of a scenario; they have tests of their own.
        for profile in &built_in {
            let quiet = Profile { options: OptionsRules { every: 0, ..profile.options.clone() }, ..profile.clone() };
            let mut table = toml::Table::try_from(&quiet).unwrap();
            table.remove("name");
            folder.write(&format!("{}.toml", profile.name), &table.to_string());
        }
        let gateway = gateway::Setup::new()
            .with("profiles", &format!("directory = {:?}", folder.path()))
            .with("routing", "country = \"49\"")
            .with("limits", "calls_per_second = 1000")
            .with("limits", "max_calls = 140")
            .start();
        // Everybody of the house is one telephone that answers whoever calls.
        let house = sipp::Setup::of("uas".into(), "127.0.0.1").built_in().calls(100_000, 10, 1000);
        let house = house.with(&["-timeout", "1000"]).start();
        let to_house = format!("sip:127.0.0.1:{};transport=udp", house.port());
        let mut world = Self { gateway, fars: Vec::new(), trunks: BTreeMap::new(), folder, ports, _house: house };
        world.lead("house", "generic", "127.0.0.1", &to_house, &[OTHER, "+499800*"]);
        for (profile, place) in built_in.into_iter().zip(10..) {
            let far = Far { profile, place };
            let [a, b, c, d] = far.address();
            let (address, name) = (format!("{a}.{b}.{c}.{d}"), far.profile.name.clone());
            let uri = format!("sip:{address}:{};transport=udp", world.ports.at(0));
            let trunk = world.lead(&name, &name, &address, &uri, &[&far.number(), &far.neighbour()]);
            world.trunks.insert(name, trunk);
            world.fars.push(far);
        }
        world
    }

    /// Makes a trunk, and leads these numbers to it.
    fn lead(&self, name: &str, profile: &str, address: &str, uri: &str, called: &[&str]) -> String {
        let made = self.gateway.post(
            "/v1/trunks",
            &json!({
                "name": name, "profile": profile, "networks": [format!("{address}/32")],
                "limits": { "calling": "allowed", "countries": ["49"], "premium": false,
                    "max_calls": 140, "calls_per_second": 1000, "minutes_per_day": 0 },
                "outbound": { "targets": [{ "uri": uri }], "caller_id": HOUSE,
                    "credentials": { "username": "account", "password": "carrier secret" } },
            }),
        );
        let id = made["id"].as_str().unwrap().to_owned();
        let position = self.trunks.len() + 1;
        self.gateway.post(
            "/v1/rules",
            &json!({ "position": position, "name": name, "when": { "called": called },
            "then": { "to": "trunk", "trunks": [id] } }),
        );
        id
    }

    /// Begins a scenario at a far end, with so many calls.
    fn play(&self, far: &Far, scenario: &str, calls: u32, port: u16) -> Sipp {
        let filled = far.fill(&std::fs::read_to_string(scenario_file(scenario)).unwrap(), OTHER, HOUSE);
        let file = self.folder.write(&format!("{}-{scenario}.xml", far.profile.name), &filled);
        let setup = sipp::Setup::of(file, &self.gateway.sip()).from(far.address()).port(self.ports.at(port));
        setup.calls(calls, 10, 10).with(&["-cid_str", &format!("{scenario}-%u-%p-%s")]).start()
    }

    /// Waits until a far end's call of this scenario is up, and somebody of the house talks with it.
    #[track_caller]
    fn up(&self, far: &Far, scenario: &str, number: u32) -> Value {
        let start = format!("{scenario}-{number}-");
        let trunk = &self.trunks[&far.profile.name];
        until(&format!("{scenario} of {} to be up", far.profile.name), s(20), || {
            let calls = self.gateway.calls();
            let is_it =
                |call: &&Value| call["trunk"] == **trunk && call["call_id"].as_str().unwrap().starts_with(&start);
            let call = calls.iter().find(is_it)?.clone();
            (self.in_room(&calls, &call["room"])?.len() == 2).then_some(call)
        })
    }

    /// Who is in a room, by direction and number: `inbound +49…` dialled it, `outbound +49…` was dialled; none where one of
    /// them is not up.
    fn in_room(&self, calls: &[Value], room: &Value) -> Option<Vec<String>> {
        let here = calls.iter().filter(|call| call["room"] == *room && !room.is_null());
        let mut dialled = Vec::new();
        for call in here {
            (call["state"] == "in_room").then_some(())?;
            let number = call["to"].as_str().unwrap().trim_start_matches('+');
            dialled.push(format!("{} +{number}", call["direction"].as_str().unwrap()));
        }
        dialled.sort();
        Some(dialled)
    }

    /// Waits until these two, by direction and number, are alone in a call, and ends it.
    #[track_caller]
    fn talk_and_end(&self, far: &Far, these: [(&str, &str); 2]) {
        let mut these = these.map(|(direction, number)| format!("{direction} {number}"));
        these.sort_unstable();
        let call = until(&format!("{these:?} to be left with each other by {}", far.profile.name), s(20), || {
            let calls = self.gateway.calls();
            let talks = |call: &&Value| self.in_room(&calls, &call["room"]).is_some_and(|here| here == these);
            calls.iter().find(talks).map(|call| call["id"].as_str().unwrap().to_owned())
        });
        self.gateway.delete(&format!("/v1/calls/{call}"));
    }

    /// Plays a scenario at every far end it is for, some at a time, so many calls each; `act` does our part of it, and may
    /// have another telephone play along.
    fn all(
        &self,
        table: &mut Table,
        (cell, scenario, calls): (Cell, &str, u32),
        fits: impl Fn(&Far) -> bool,
        act: impl Fn(&Far, &Sipp) -> Option<Sipp>,
    ) {
        let fars: Vec<&Far> = self.fars.iter().filter(|far| fits(far)).collect();
        for some in fars.chunks(AT_ONCE) {
            let playing: Vec<Sipp> = some.iter().map(|far| self.play(far, scenario, calls, 0)).collect();
            let along: Vec<Option<Sipp>> = some.iter().zip(&playing).map(|(far, sipp)| act(far, sipp)).collect();
            for ((far, mut sipp), along) in some.iter().zip(playing).zip(along) {
                sipp.succeeds(s(40));
                if let Some(mut along) = along {
                    along.succeeds(s(40));
                }
                table.passed(&far.profile.name, cell, scenario);
            }
            self.gateway.settles();
        }
    }

    /// Hands a call over.
    fn transfer(&self, call: &Value, to: &Value) {
        self.gateway.post(&format!("/v1/calls/{}/transfer", call["id"].as_str().unwrap()), to);
    }
}

fn scenario_file(name: &str) -> String {
    format!("{}/tests/profiles/scenarios/{name}.xml", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_scenario_that_a_profile_names_is_there_and_every_one_that_is_there_is_named() {
    let mut named = BTreeSet::new();
    for profile in ringlift::config::profiles::built_in().unwrap() {
        assert!(profile.proof.len() >= 6, "{}: {:?}", profile.name, profile.proof);
        for scenario in profile.proof {
            assert!(std::fs::exists(scenario_file(&scenario)).unwrap(), "{}: {scenario}", profile.name);
            named.insert(scenario);
        }
    }
    let folder = scenario_file("any");
    let there = std::fs::read_dir(std::path::Path::new(&folder).parent().unwrap()).unwrap();
    let there = there.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let there: BTreeSet<String> = there.filter_map(|name| name.strip_suffix(".xml").map(str::to_owned)).collect();
    assert_eq!(there, named);
}

#[test]
fn every_profile_calls_is_called_held_resumed_refreshed_transferred_and_hung_up() {
    let world = World::new();
    let gateway = &world.gateway;
    let mut seen = Table::of(world.fars.iter().map(|far| &far.profile));

    world.all(&mut seen, (Cell::In, "in", 1), |_| true, |_, _| None);
    for cell in [Cell::HoldThem, Cell::ByeThem, Cell::Refresh] {
        seen.along(cell, Cell::In);
    }

    let hold = |far: &Far, sipp: &Sipp| {
        let call = format!("/v1/calls/{}", world.up(far, "held", 1)["id"].as_str().unwrap());
        for (act, held, offers) in [("hold", true, 1), ("resume", false, 2)] {
            gateway.post(&format!("{call}/{act}"), &json!({}));
            assert_eq!(gateway.get(&call)["held_by_us"], held, "{call}");
            // A hang-up before our offer is answered is tried elsewhere.
            let acknowledged = || sipp.messages().matches("\nACK sip:account@").count() == offers;
            until(&format!("{act} to be agreed on"), s(20), || acknowledged().then_some(()));
        }
        gateway.delete(&call);
        None
    };
    world.all(&mut seen, (Cell::HoldUs, "held", 1), |_| true, hold);
    seen.along(Cell::ByeUs, Cell::HoldUs);

    // Somebody of the house calls, hears the answer, and hangs up.
    let call = |far: &Far, _: &Sipp| {
        let caller = sipp::Setup::of("uac".into(), &gateway.sip()).built_in().to(&far.number());
        let place = u16::from(far.place - world.fars[0].place);
        Some(caller.port(world.ports.at(16 + 8 * place)).with(&["-d", "100"]).start())
    };
    world.all(&mut seen, (Cell::Out, "out", 1), |_| true, call);

    // Whoever it talked with talks with the other one now, and it is out.
    let handed_over = |far: &Far, _: &Sipp| {
        world.talk_and_end(far, [("outbound", &far.called()), ("outbound", OTHER)]);
        None
    };
    world.all(&mut seen, (Cell::BlindThem, "refers", 1), |far| far.profile.refer.takes, handed_over);
    world.all(&mut seen, (Cell::BlindThem, "refers_not", 1), |far| !far.profile.refer.takes, |_, _| None);

    let refer = |far: &Far, _: &Sipp| {
        world.transfer(&world.up(far, "referred", 1), &json!({ "to": far.neighbour() }));
        None
    };
    world.all(&mut seen, (Cell::BlindUs, "referred", 1), |far| far.is_referred(false), refer);
    let bridge = |far: &Far, _: &Sipp| {
        world.transfer(&world.up(far, "stays", 1), &json!({ "to": OTHER }));
        world.talk_and_end(far, [("inbound", &far.called()), ("outbound", OTHER)]);
        None
    };
    world.all(&mut seen, (Cell::BlindUs, "stays", 1), |far| !far.is_referred(false), bridge);

    // Both whom it talked with talk with each other now, and it is out.
    let joined = |far: &Far, _: &Sipp| {
        world.talk_and_end(far, [("outbound", &far.called()); 2]);
        None
    };
    world.all(&mut seen, (Cell::AttendedThem, "attends", 1), |far| far.profile.refer.takes, joined);
    world.all(&mut seen, (Cell::AttendedThem, "attends_not", 1), |far| !far.profile.refer.takes, |_, _| None);

    let refer_to_own = |far: &Far, _: &Sipp| {
        let second = world.play(far, "stays", 1, 8);
        let consult = &world.up(far, "stays", 1)["id"];
        world.transfer(&world.up(far, "joined", 1), &json!({ "consult": consult }));
        Some(second)
    };
    world.all(&mut seen, (Cell::AttendedUs, "joined", 1), |far| far.is_referred(true), refer_to_own);
    let join = |far: &Far, _: &Sipp| {
        let consult = &world.up(far, "stays", 2)["id"];
        world.transfer(&world.up(far, "stays", 1), &json!({ "consult": consult }));
        world.talk_and_end(far, [("inbound", &far.called()); 2]);
        None
    };
    world.all(&mut seen, (Cell::AttendedUs, "stays", 2), |far| !far.is_referred(true), join);

    for far in &world.fars {
        let named: BTreeSet<String> = far.profile.proof.iter().cloned().collect();
        assert_eq!(seen.played(&far.profile.name), named, "{}", far.profile.name);
    }
    seen.write();
    world.gateway.done();
}
