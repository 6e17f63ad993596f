//! Carriers: Kamailio as an edge that dies and comes back, as a call manager that redirects and asks for credentials, as
//! the registrar calls come from; one that is found by name; one whose rtpengine encrypts.

use std::time::Instant;

use serde_json::{Value, json};

use crate::common::gateway::{self, Gateway};
use crate::common::ports::Ports;
use crate::common::process::Folder;
use crate::common::wiretap::Wiretap;
use crate::common::{baresip, dns, kamailio, ms, phone, rtpengine, s, talk, until, until_clear};
use crate::registrar::{account, add_extension, event, registering};

/// The voices: tones that no harmonic of another meets.
const ANNA: f64 = 440.0;
const BEN: f64 = 1000.0;
const CARLA: f64 = 1500.0;
const DORA: f64 = 620.0;
const ALL: &[f64] = &[ANNA, BEN, CARLA, DORA];

/// A carrier that is asked every second how it is, and believed at once.
const EDGE: &str = "about = \"An edge that is watched closely\"\nproof = [\"tests/peers\"]\n\
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
    tap.hears("Anna", &anna.rtp_ports(), BEN, ALL);
    kamailio.kill();
    let state = marked(&gateway, trunk, &kamailio.address(), false);
    assert_eq!(state["up"], true, "the other place takes calls: {state}");
    let (down, told) = event(&gateway, 0, "trunk.target_down");
    assert_eq!(told["address"], format!("udp {}", kamailio.address()), "{told}");
    hears("Ben without the edge", &ben, ANNA);
    tap.hears("Anna without the edge", &anna.rtp_ports(), BEN, ALL);
    // The next call goes where there is somebody, and waits for nobody else.
    let dialled = Instant::now();
    carla.call(&outside);
    assert!(dialled.elapsed() < s(2), "the call waited {:?}", dialled.elapsed());
    hears("Dora", &dora, CARLA);
    tap.hears("Carla", &carla.rtp_ports(), DORA, ALL);
    // Nobody answers the BYE of the first: the call is over all the same, and soon forgotten.
    anna.hang_up();
    anna.closed(s(5));
    until("two calls", s(10), || (gateway.calls().len() == 2).then_some(()));
    until("two dialogs", s(15), || (gateway.status()["dialogs"] == 2).then_some(()));
    drop(ben);
    ben = waits_at(ports.at(0), BEN);
    kamailio.run();
    marked(&gateway, trunk, &kamailio.address(), true);
    event(&gateway, down, "trunk.target_up");
    anna.dial(&outside);
    hears("Ben by the edge that is back", &ben, ANNA);
    tap.hears("Anna by the edge that is back", &anna.rtp_ports(), BEN, ALL);
    ben.hang_up();
    until("two calls", s(10), || (gateway.calls().len() == 2).then_some(()));
    carla.hang_up();
    dora.ended(s(10));
    drop((anna, carla));
    gateway.done();
}

/// Anna's telephone, who may call out.
fn annas(gateway: &Gateway) -> baresip::Baresip {
    add_caller(gateway, "101");
    let mut anna = baresip::Setup::tone(ANNA).account(account(gateway, "101", "udp")).start();
    anna.registered(s(15));
    anna
}

/// Anna and Ben hear each other; she hangs up.
#[track_caller]
fn talk_and_part(tap: &Wiretap, anna: &mut baresip::Baresip, ben: &mut phone::Phone) {
    hears("Ben", ben, ANNA);
    tap.hears("Anna", &anna.rtp_ports(), BEN, ALL);
    anna.hang_up();
    ben.ended(s(10));
}

#[test]
fn a_call_manager_that_redirects_and_then_asks_who_we_are_is_followed() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    let ports = Ports::block();
    let kamailio = kamailio::Setup::towards(&format!("127.0.0.1:{}", ports.at(0))).sha256().start();
    let mut ben = waits_at(ports.at(0), BEN);
    gateway.post(
        "/v1/trunks",
        &json!({
            "name": "manager", "networks": [], "profile": "kamailio", "numbers": { "country": "49" },
            "outbound": {
                "targets": [{ "uri": format!("sip:{}", kamailio.address()) }],
                "credentials": { "username": kamailio::USER, "password": kamailio::PASSWORD },
                "follow_redirects": true,
            },
        }),
    );
    let mut anna = annas(&gateway);
    anna.call(&format!("sip:+4930777123@{}", gateway.sip()));
    let messages = tap.messages(kamailio.port(), Instant::now() - s(30));
    let invited: Vec<&str> = messages.iter().filter(|m| m.text.starts_with("INVITE ")).map(|m| m.user()).collect();
    assert_eq!(invited, ["+4930777123", "+4940555", "+4940555"], "redirected, then asked for credentials");
    talk_and_part(&tap, &mut anna, &mut ben);
    drop((anna, kamailio));
    gateway.done();
}

#[test]
fn calls_come_in_from_the_registrar_that_the_gateway_registered_with() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    let kamailio = kamailio::Setup::towards(&gateway.sip()).start();
    let anna = annas(&gateway);
    let id = gateway.get("/v1/extensions")["items"][0]["id"].clone();
    gateway.post(
        "/v1/rules",
        &json!({ "name": "Office", "when": { "sources": ["trunk"] }, "then": { "to": "extension", "extension": id } }),
    );
    registering(&gateway, &kamailio, 90);
    event(&gateway, 0, "trunk.up");
    let uri = format!("sip:{}@{}", kamailio::USER, kamailio.address());
    let mut ben = phone::Setup::tone(BEN).call(&uri);
    ben.answered();
    hears("Ben", &ben, ANNA);
    tap.hears("Anna", &anna.rtp_ports(), BEN, ALL);
    ben.hang_up();
    until("no call", s(5), || gateway.calls().is_empty().then_some(()));
    drop((anna, kamailio));
    gateway.done();
}

#[test]
fn a_carrier_known_by_name_is_called_at_its_next_address_when_the_first_is_silent() {
    let dns = dns::Dns::start();
    let ports = Ports::block();
    dns.set("carrier.test", 60, [dns::naptr(10, "SIP+D2U", "_sip._udp.carrier.test")]);
    let line = |priority, port, name| dns::srv(priority, 0, port, name);
    let lines = [line(10, ports.at(7), "dead.carrier.test"), line(20, ports.at(0), "alive.carrier.test")];
    dns.set("_sip._udp.carrier.test", 60, lines);
    dns.set("dead.carrier.test", 60, [dns::address("127.0.0.1")]);
    dns.set("alive.carrier.test", 60, [dns::address("127.0.0.1")]);
    let servers = format!("servers = [\"{}\"]", dns.address());
    let gateway = gateway::Setup::new().with("sip", "t1 = \"50ms\"").with("dns", &servers).start();
    let tap = Wiretap::on(&gateway);
    let mut ben = waits_at(ports.at(0), BEN);
    let made = gateway.post(
        "/v1/trunks",
        &json!({
            "name": "carrier", "networks": [], "profile": "kamailio", "numbers": { "country": "49" },
            "outbound": { "targets": [{ "uri": "sip:carrier.test" }] },
        }),
    );
    let mut anna = annas(&gateway);
    anna.call(&format!("sip:+4989123456@{}", gateway.sip()));
    talk_and_part(&tap, &mut anna, &mut ben);
    assert!(dns.asked().contains(&"SRV _sip._udp.carrier.test".to_owned()));
    let tried = tap.messages(ports.at(7), Instant::now() - s(60));
    assert!(tried.iter().any(|m| m.method() == "INVITE" || m.method() == "OPTIONS"), "the first is tried first");
    let state = gateway.get(&format!("/v1/trunks/{}", made["id"].as_str().unwrap()))["state"].clone();
    assert_eq!(state["far_ends"].as_array().map(Vec::len), Some(2), "{state}");
    drop(anna);
    gateway.done();
}

/// A gateway that encrypts with its trunks, by a handshake where it is to offer that.
fn secretive(offer_dtls: bool) -> (Gateway, Folder) {
    let profiles = Folder::new("profiles");
    profiles.write(
        "secret.toml",
        &format!(
            "about = \"A carrier that wants encryption\"\nproof = [\"tests/peers\"]\n\
             [srtp]\npolicy = \"require\"\noffer_dtls = {offer_dtls}\n"
        ),
    );
    let directory = format!("directory = {:?}", profiles.path());
    (gateway::Setup::new().with("profiles", &directory).start(), profiles)
}

/// Panics unless an offer and its answer between the gateway and Kamailio are encrypted this way.
#[track_caller]
fn described_as(tap: &Wiretap, kamailio: &kamailio::Kamailio, way: &str) {
    let messages = tap.messages(kamailio.port(), Instant::now() - s(30));
    let described: Vec<&str> =
        messages.iter().flat_map(|m| m.text.lines()).filter(|line| line.starts_with("m=audio")).collect();
    assert!(described.len() >= 2, "an offer and an answer: {described:?}");
    assert!(described.iter().all(|line| line.contains(&format!(" {way} "))), "{described:?}");
}

#[test]
fn rtpengine_reads_what_we_offer_to_encrypt_and_we_what_it_encrypts() {
    for (offer_dtls, way) in [(false, "RTP/SAVP"), (true, "UDP/TLS/RTP/SAVP")] {
        let (gateway, _profiles) = secretive(offer_dtls);
        let tap = Wiretap::on(&gateway);
        let ports = Ports::block();
        let engine = rtpengine::Rtpengine::start();
        let towards = kamailio::Setup::towards(&format!("127.0.0.1:{}", ports.at(0)));
        let kamailio = towards.through(&engine, "RTP/AVP").start();
        let mut ben = waits_at(ports.at(0), BEN);
        gateway.post(
            "/v1/trunks",
            &json!({
                "name": "carrier", "networks": [], "profile": "secret", "numbers": { "country": "49" },
                "outbound": { "targets": [{ "uri": format!("sip:{}", kamailio.address()) }] },
            }),
        );
        let mut anna = annas(&gateway);
        anna.call(&format!("sip:+4989123456@{}", gateway.sip()));
        described_as(&tap, &kamailio, way);
        talk_and_part(&tap, &mut anna, &mut ben);
        drop((anna, kamailio, engine));
        gateway.done();
    }
}

#[test]
fn what_rtpengine_offers_to_encrypt_is_answered_so_that_it_reads_us_and_we_it() {
    for (flags, way) in [("RTP/SAVP DTLS=off", "RTP/SAVP"), ("UDP/TLS/RTP/SAVP SDES=off", "UDP/TLS/RTP/SAVP")] {
        let (gateway, _profiles) = secretive(false);
        let tap = Wiretap::on(&gateway);
        let engine = rtpengine::Rtpengine::start();
        let kamailio = kamailio::Setup::towards(&gateway.sip()).through(&engine, flags).start();
        gateway.post("/v1/trunks", &json!({ "name": "carrier", "networks": ["127.0.0.1/32"], "profile": "secret" }));
        let mut anna = annas(&gateway);
        let id = gateway.get("/v1/extensions")["items"][0]["id"].clone();
        let then = json!({ "to": "extension", "extension": id });
        gateway.post("/v1/rules", &json!({ "name": "In", "when": { "sources": ["trunk"] }, "then": then }));
        let mut ben = phone::Setup::tone(BEN).call(&format!("sip:+4930901820@{}", kamailio.address()));
        ben.answered();
        described_as(&tap, &kamailio, way);
        talk_and_part(&tap, &mut anna, &mut ben);
        drop((anna, kamailio, engine));
        gateway.done();
    }
}
