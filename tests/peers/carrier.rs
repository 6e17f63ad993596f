//! Kamailio between us and the world: a carrier's edge that dies and comes back.

use std::time::Instant;

use serde_json::{Value, json};

use crate::common::gateway::{self, Gateway};
use crate::common::ports::Ports;
use crate::common::process::Folder;
use crate::common::wiretap::Wiretap;
use crate::common::{baresip, kamailio, ms, phone, s, talk, until, until_clear};
use crate::registrar::{account, add_extension};

/// The voices: tones that no harmonic of another meets.
const ANNA: f64 = 440.0;
const BEN: f64 = 1000.0;
const CARLA: f64 = 1500.0;
const DORA: f64 = 620.0;
const ALL: &[f64] = &[ANNA, BEN, CARLA, DORA];

/// A carrier that is asked every second how it is, and believed at once.
const EDGE: &str = "about = \"An edge that is watched closely\"\nproof = \"tests/peers\"\n\
                    [options]\nevery = 1\ndown_after = 2\nup_after = 1\n";

/// Somebody whose telephones may call out.
fn add_caller(gateway: &Gateway, user: &str) {
    let id = add_extension(gateway, user);
    gateway.patch(&format!("/v1/extensions/{id}"), &json!({ "limits": { "calling": "allowed", "countries": ["49"] } }));
}

/// A telephone that waits at this port for a call.
fn waits_at(port: u16, voice: f64) -> phone::Phone {
    let mut phone = phone::Setup::tone(voice).with(&["--listen", &format!("127.0.0.1:{port}")]).wait();
    phone.tells("listening", s(10));
    phone
}

/// Waits until our own phone hears this voice and no other.
#[track_caller]
fn hears(who: &str, phone: &phone::Phone, voice: f64) {
    until_clear(&[voice], || phone.heard());
    talk(ms(700));
    phone.heard().last(ms(700)).hears_exactly(who, &[voice], ALL);
}

/// Waits until baresip hears this voice, and no other from then on.
#[track_caller]
fn is_heard_by(tap: &Wiretap, who: &str, phone: &baresip::Baresip, voice: f64) {
    let began = Instant::now();
    until_clear(&[voice], || tap.heard(&phone.rtp_ports(), began));
    let since = Instant::now();
    talk(ms(700));
    tap.heard(&phone.rtp_ports(), since).hears_exactly(who, &[voice], ALL);
}

/// Waits until the trunk's place at this address is seen as up or down; what is told of the trunk then.
#[track_caller]
fn marked(gateway: &Gateway, trunk: &str, address: &str, up: bool) -> Value {
    until(&format!("{address} to be marked as {}", if up { "up" } else { "down" }), s(20), || {
        let state = gateway.get(&format!("/v1/trunks/{trunk}"))["state"].clone();
        let far_ends = state["far_ends"].as_array()?;
        let far_end = far_ends.iter().find(|far| far["address"] == format!("udp {address}"))?;
        (far_end["up"] == up).then(|| state.clone())
    })
}

#[test]
fn a_call_outlives_the_carriers_edge_and_the_next_takes_another_until_it_is_back() {
    let profiles = Folder::new("profiles");
    profiles.write("edge.toml", EDGE);
    let directory = format!("directory = {:?}", profiles.path());
    let setup = gateway::Setup::new().with("sip", "t1 = \"100ms\"").with("profiles", &directory);
    let gateway = setup.start();
    let tap = Wiretap::on(&gateway);
    let ports = Ports::block();
    let (bens, doras) = (format!("127.0.0.1:{}", ports.at(0)), format!("127.0.0.1:{}", ports.at(1)));
    let mut kamailio = kamailio::Setup::towards(&bens).start();
    let mut ben = waits_at(ports.at(0), BEN);
    let mut dora = waits_at(ports.at(1), DORA);
    let made = gateway.post(
        "/v1/trunks",
        &json!({
            "name": "carrier", "networks": [], "profile": "edge", "numbers": { "country": "49" },
            "outbound": { "targets": [
                { "uri": format!("sip:{}", kamailio.address()), "priority": 1 },
                { "uri": format!("sip:{doras}"), "priority": 2 },
            ] },
        }),
    );
    let trunk = made["id"].as_str().unwrap();
    add_caller(&gateway, "101");
    add_caller(&gateway, "103");
    let mut anna = baresip::Setup::tone(ANNA).account(account(&gateway, "101", "udp")).start();
    let mut carla = baresip::Setup::tone(CARLA).account(account(&gateway, "103", "udp")).start();
    marked(&gateway, trunk, &kamailio.address(), true);
    let outside = format!("sip:+4989123456@{}", gateway.sip());
    anna.call(&outside);
    hears("Ben", &ben, ANNA);
    is_heard_by(&tap, "Anna", &anna, BEN);
    kamailio.kill();
    let state = marked(&gateway, trunk, &kamailio.address(), false);
    assert_eq!(state["up"], true, "the other place takes calls: {state}");
    hears("Ben without the edge", &ben, ANNA);
    is_heard_by(&tap, "Anna without the edge", &anna, BEN);
    // The next call goes where there is somebody, and waits for nobody else.
    let dialled = Instant::now();
    carla.call(&outside);
    assert!(dialled.elapsed() < s(2), "the call waited {:?}", dialled.elapsed());
    hears("Dora", &dora, CARLA);
    is_heard_by(&tap, "Carla", &carla, DORA);
    // Nobody answers the BYE of the first: the call is over all the same, and soon forgotten.
    anna.hang_up();
    anna.closed(s(5));
    until("two calls", s(10), || (gateway.calls().len() == 2).then_some(()));
    until("two dialogs", s(15), || (gateway.status()["dialogs"] == 2).then_some(()));
    drop(ben);
    ben = waits_at(ports.at(0), BEN);
    kamailio.run();
    marked(&gateway, trunk, &kamailio.address(), true);
    anna.dial(&outside);
    hears("Ben by the edge that is back", &ben, ANNA);
    is_heard_by(&tap, "Anna by the edge that is back", &anna, BEN);
    ben.hang_up();
    until("two calls", s(10), || (gateway.calls().len() == 2).then_some(()));
    carla.hang_up();
    dora.ended(s(10));
    drop((anna, carla));
    gateway.done();
}
