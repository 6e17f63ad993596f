//! People of the house call each other with telephones of other people's making: what each hears after every step.

use std::ops::RangeInclusive;
use std::time::Instant;

use serde_json::json;

use crate::common::baresip::{self, Baresip};
use crate::common::gateway::{self, Gateway};
use crate::common::linphone::{self, Linphone};
use crate::common::process::Folder;
use crate::common::wiretap::Wiretap;
use crate::common::{ms, phone, s, talk, until, until_clear};
use crate::registrar::{PASSWORD, account, add_extension};

/// The voices: tones that no harmonic of another meets.
const ANNA: f64 = 440.0;
const BEN: f64 = 1000.0;
const CARLA: f64 = 1500.0;
const ALL: &[f64] = &[ANNA, BEN, CARLA];

/// Waits until so many telephones are registered.
#[track_caller]
fn registrations(gateway: &Gateway, count: u64) {
    until(&format!("{count} telephones to register"), s(15), || {
        (gateway.status()["registrations"] == count).then_some(())
    });
}

/// Waits until whoever listens at these ports hears music, and no voice.
#[track_caller]
fn hears_music(tap: &Wiretap, who: &str, ports: &RangeInclusive<u16>) {
    let silent = |since| {
        let heard = tap.heard(ports, since);
        (heard.length() >= ms(600)).then(|| (heard.is_audible(), ALL.iter().all(|voice| heard.level(*voice) < -45.0)))
    };
    let mut since = Instant::now();
    until(&format!("{who} to hear music"), s(8), || {
        let (audible, no_voice) = silent(since)?;
        if !(audible && no_voice) {
            since = Instant::now();
        }
        (audible && no_voice).then_some(())
    });
}

/// Panics unless nothing but silence reaches these ports.
#[track_caller]
fn hears_nothing(tap: &Wiretap, who: &str, ports: &RangeInclusive<u16>) {
    let since = Instant::now();
    talk(ms(400));
    let heard = tap.heard(ports, since);
    assert!(!heard.is_audible(), "{who} hears something");
}

/// Anna's baresip and Ben's linphone, registered.
fn anna_and_ben(gateway: &Gateway) -> (Baresip, Linphone) {
    add_extension(gateway, "101");
    add_extension(gateway, "102");
    let anna = baresip::Setup::tone(ANNA).codecs("pcma").account(account(gateway, "101", "udp")).start();
    let ben = linphone::Setup::tone(BEN).answering().account(account(gateway, "102", "udp")).start();
    registrations(gateway, 2);
    (anna, ben)
}

fn held(gateway: &Gateway) -> usize {
    gateway.calls().iter().filter(|call| call["held"] == true).count()
}

#[test]
fn two_people_hear_each_other_and_music_while_one_holds() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    let (mut anna, mut ben) = anna_and_ben(&gateway);
    let began = Instant::now();
    let (annas, bens) = (anna.rtp_ports(), ben.rtp_ports());
    ben.call(&format!("sip:101@{}", gateway.sip()));
    tap.hears("Anna", &annas, BEN, ALL);
    tap.hears("Ben", &bens, ANNA, ALL);
    anna.hold();
    until("a held call", s(5), || (held(&gateway) == 1).then_some(()));
    hears_music(&tap, "Ben", &bens);
    hears_nothing(&tap, "Anna, who holds", &annas);
    anna.resume();
    tap.hears("Ben", &bens, ANNA, ALL);
    tap.hears("Anna", &annas, BEN, ALL);
    assert_eq!(held(&gateway), 0);
    ben.hold();
    until("a held call", s(5), || (held(&gateway) == 1).then_some(()));
    hears_music(&tap, "Anna", &annas);
    hears_nothing(&tap, "Ben, who holds", &bens);
    ben.resume();
    tap.hears("Anna", &annas, BEN, ALL);
    tap.hears("Ben", &bens, ANNA, ALL);
    assert_eq!(tap.dialogs(anna.sip_port(), began).len(), 1, "Anna's one dialog");
    anna.hang_up();
    anna.closed(s(5));
    ben.ended(s(5));
    drop((anna, ben));
    gateway.done();
}

/// Carla's baresip, registered as the third.
fn carla(gateway: &Gateway) -> Baresip {
    add_extension(gateway, "103");
    let carla = baresip::Setup::tone(CARLA).codecs("pcma,pcmu").account(account(gateway, "103", "udp")).start();
    registrations(gateway, 3);
    carla
}

#[test]
fn baresip_hands_its_caller_over_without_asking_and_the_caller_keeps_its_call() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    let (mut anna, mut ben) = anna_and_ben(&gateway);
    let mut carla = carla(&gateway);
    let began = Instant::now();
    let (annas, bens, carlas) = (anna.rtp_ports(), ben.rtp_ports(), carla.rtp_ports());
    ben.call(&format!("sip:101@{}", gateway.sip()));
    tap.hears("Anna", &annas, BEN, ALL);
    tap.hears("Ben", &bens, ANNA, ALL);
    anna.transfer(&format!("sip:103@{}", gateway.sip()));
    carla.established(s(10));
    tap.hears("Ben", &bens, CARLA, ALL);
    tap.hears("Carla", &carlas, BEN, ALL);
    anna.closed(s(10));
    until("two calls", s(5), || (gateway.calls().len() == 2).then_some(()));
    tap.is_one_stream("Ben", &bens, began);
    assert_eq!(tap.dialogs(ben.sip_port(), began).len(), 1, "Ben's one dialog");
    ben.hang_up();
    carla.closed(s(5));
    drop((anna, ben, carla));
    gateway.done();
}

#[test]
fn linphone_asks_a_third_and_joins_both_who_keep_their_streams_and_their_one_dialog() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    let (mut anna, mut ben) = anna_and_ben(&gateway);
    let mut carla = carla(&gateway);
    let began = Instant::now();
    let (annas, bens, carlas) = (anna.rtp_ports(), ben.rtp_ports(), carla.rtp_ports());
    anna.call(&format!("sip:102@{}", gateway.sip()));
    tap.hears("Anna", &annas, BEN, ALL);
    tap.hears("Ben", &bens, ANNA, ALL);
    ben.hold();
    hears_music(&tap, "Anna", &annas);
    ben.say(&format!("call sip:103@{}", gateway.sip()));
    carla.established(s(10));
    tap.hears("Carla", &carlas, BEN, ALL);
    tap.hears("Ben", &bens, CARLA, ALL);
    let asked = Instant::now();
    ben.join(1, 2);
    tap.hears("Anna", &annas, CARLA, ALL);
    tap.hears("Carla", &carlas, ANNA, ALL);
    until("one call for each who stays", s(5), || (gateway.calls().len() == 2).then_some(()));
    let status = gateway.status();
    assert_eq!((&status["calls"], &status["dialogs"]), (&json!(2), &json!(2)), "{status}");
    for (who, phone, ports) in [("Anna", &anna, &annas), ("Carla", &carla, &carlas)] {
        tap.is_one_stream(who, ports, began);
        let dialogs = tap.dialogs(phone.sip_port(), began);
        assert_eq!(dialogs.len(), 1, "{who}: {dialogs:?}");
        let told = tap.messages(phone.sip_port(), asked);
        assert!(told.iter().all(|m| m.method() == "REGISTER"), "{who} was asked for something: {told:#?}");
    }
    // What is left is the call that was: its end is of the dialog it began in.
    carla.hang_up();
    anna.closed(s(5));
    assert_eq!(tap.dialogs(anna.sip_port(), began).len(), 1);
    assert_eq!(tap.dialogs(carla.sip_port(), began).len(), 1);
    drop((anna, ben, carla));
    gateway.done();
}

#[test]
fn linphone_hands_its_caller_over_to_our_own_phone_without_asking() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    let (mut anna, mut ben) = anna_and_ben(&gateway);
    add_extension(&gateway, "103");
    let folder = Folder::new("password");
    let password = folder.write("password", PASSWORD);
    let words = ["--register", &format!("sip:103@{}", gateway.sip()), "--user", "103", "--listen", "127.0.0.1:0"];
    let words = [&words[..], &["--password-file", password.to_str().unwrap()]].concat();
    let mut carla = phone::Setup::tone(CARLA).with(&words).wait();
    registrations(&gateway, 3);
    let began = Instant::now();
    let (annas, bens) = (anna.rtp_ports(), ben.rtp_ports());
    anna.call(&format!("sip:102@{}", gateway.sip()));
    tap.hears("Anna", &annas, BEN, ALL);
    tap.hears("Ben", &bens, ANNA, ALL);
    ben.transfer(&format!("sip:103@{}", gateway.sip()));
    carla.answered();
    tap.hears("Anna", &annas, CARLA, ALL);
    until_clear(&[ANNA], || carla.heard());
    talk(ms(600));
    carla.heard().last(ms(600)).hears_exactly("Carla", &[ANNA], ALL);
    until("two calls", s(5), || (gateway.calls().len() == 2).then_some(()));
    tap.is_one_stream("Anna", &annas, began);
    assert_eq!(tap.dialogs(anna.sip_port(), began).len(), 1, "Anna's one dialog");
    anna.hang_up();
    anna.closed(s(5));
    carla.ended(s(5));
    drop((anna, ben));
    gateway.done();
}

#[test]
fn telephones_that_registered_over_tls_and_tcp_are_reached_by_the_connection_they_made() {
    let gateway = gateway::Setup::new().tls().start();
    let tap = Wiretap::on(&gateway);
    for user in ["101", "102", "103"] {
        add_extension(&gateway, user);
    }
    let mut anna = baresip::Setup::tone(ANNA).codecs("pcma").account(account(&gateway, "101", "tls")).start();
    let mut ben = linphone::Setup::tone(BEN).answering().account(account(&gateway, "102", "tls")).start();
    let mut carla = baresip::Setup::tone(CARLA).codecs("pcma").account(account(&gateway, "103", "tcp")).start();
    registrations(&gateway, 3);
    let shown = gateway.get("/v1/registrations");
    let by = |way: &str| {
        shown["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|phone| phone["address"].as_str().unwrap().starts_with(way))
            .count()
    };
    assert_eq!((by("tls "), by("tcp ")), (2, 1), "{shown}");
    carla.call(&format!("sip:102@{};transport=tcp", gateway.sip()));
    ben.called();
    tap.hears("Carla", &carla.rtp_ports(), BEN, ALL);
    tap.hears("Ben", &ben.rtp_ports(), CARLA, ALL);
    carla.hang_up();
    carla.closed(s(5));
    ben.ended(s(5));
    ben.call(&format!("sip:101@{};transport=tls", gateway.sips()));
    tap.hears("Anna", &anna.rtp_ports(), BEN, ALL);
    tap.hears("Ben", &ben.rtp_ports(), ANNA, ALL);
    ben.hang_up();
    anna.closed(s(5));
    drop((anna, ben, carla));
    gateway.done();
}
