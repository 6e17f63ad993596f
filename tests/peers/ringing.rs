//! Who rings, who does not, and who is told that somebody else was quicker.

use std::time::Instant;

use serde_json::json;

use crate::common::baresip::{self, Baresip};
use crate::common::gateway::{self, Gateway};
use crate::common::wiretap::Wiretap;
use crate::common::{s, until};
use crate::registrar::{account, add_extension};

/// The voices: tones that no harmonic of another meets.
const ALL: &[f64] = &[440.0, 1000.0, 1500.0];

/// A telephone that rings until it is answered.
fn desk(gateway: &Gateway, user: &'static str, voice: f64) -> Baresip {
    let mut desk = baresip::Setup::tone(voice).ringing().account(account(gateway, user, "udp")).start();
    desk.registered(s(15));
    desk
}

#[test]
fn two_telephones_of_one_person_ring_and_the_other_is_told_who_was_quicker() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    add_extension(&gateway, "101");
    add_extension(&gateway, "102");
    let mut anna = desk(&gateway, "101", 440.0);
    let (mut upstairs, mut downstairs) = (desk(&gateway, "102", 1000.0), desk(&gateway, "102", 1500.0));
    until("three telephones", s(10), || (gateway.status()["registrations"] == 3).then_some(()));
    let began = Instant::now();
    anna.dial(&format!("sip:102@{}", gateway.sip()));
    upstairs.incoming(s(10));
    downstairs.incoming(s(10));
    downstairs.accept();
    anna.established(s(10));
    upstairs.closed(s(10));
    let told = tap.messages(upstairs.sip_port(), began);
    let cancel = told.iter().find(|message| message.text.starts_with("CANCEL ")).expect("a CANCEL");
    let reason = cancel.header("Reason");
    assert!(reason.contains("cause=200") && reason.contains("completed elsewhere"), "{reason}");
    tap.hears("Anna", &anna.rtp_ports(), 1500.0, ALL);
    tap.hears("downstairs", &downstairs.rtp_ports(), 440.0, ALL);
    assert!(tap.sounds(&upstairs.rtp_ports(), began).is_empty(), "upstairs hears nothing");
    anna.hang_up();
    downstairs.closed(s(5));
    gateway.records("answered_elsewhere");
    drop((anna, upstairs, downstairs));
    gateway.done();
}

#[test]
fn whoever_wishes_not_to_be_disturbed_is_not_rung_until_the_wish_is_taken_back() {
    let gateway = gateway::Setup::new().start();
    let tap = Wiretap::on(&gateway);
    add_extension(&gateway, "101");
    let bens = add_extension(&gateway, "102");
    let path = format!("/v1/extensions/{bens}");
    let (mut anna, mut ben) = (desk(&gateway, "101", 440.0), desk(&gateway, "102", 1000.0));
    gateway.patch(&path, &json!({ "dnd": true }));
    let began = Instant::now();
    let uri = format!("sip:102@{}", gateway.sip());
    anna.dial(&uri);
    let refused = anna.closed(s(10));
    assert!(refused.contains("480"), "{refused}");
    let rung = |ben: &Baresip| tap.messages(ben.sip_port(), began).iter().any(|m| m.text.starts_with("INVITE "));
    assert!(!rung(&ben), "it was rung");
    gateway.records("do_not_disturb");
    gateway.patch(&path, &json!({ "dnd": false }));
    anna.dial(&uri);
    ben.incoming(s(10));
    ben.accept();
    tap.hears("Anna", &anna.rtp_ports(), 1000.0, ALL);
    ben.hang_up();
    // Who is gone before it is told of the end is told for half a minute.
    until("both ends of the call to be over", s(10), || (gateway.status()["dialogs"] == 0).then_some(()));
    assert!(gateway.calls().is_empty());
    drop((anna, ben));
    gateway.done();
}
