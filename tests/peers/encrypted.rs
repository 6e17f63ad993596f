//! Encrypted telephones and plain ones in one room.

use serde_json::json;

use crate::common::{baresip, gateway, linphone, ms, phone, s, talk, until_clear};

/// The voices: tones that no harmonic of another meets.
const ALL: &[f64] = &[440.0, 1000.0, 1500.0];

#[test]
fn two_encrypted_telephones_and_a_plain_one_hear_each_other() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = baresip::Setup::tone(440.0).encrypted("srtp-mand").start();
    let mut ben = linphone::Setup::tone(1000.0).encrypted("srtp").start();
    let mut carl = phone::Setup::tone(1500.0).call(&gateway.uri());
    anna.call(&gateway.uri());
    ben.call(&gateway.uri());
    gateway.has_in_room(&room, 3, s(20));
    until_clear(&[440.0, 1000.0], || carl.heard());
    talk(s(4));
    anna.hang_up();
    ben.hang_up();
    carl.hang_up();
    anna.heard().last(s(3)).between(s(0), ms(2500)).hears_exactly("Anna", &[1000.0, 1500.0], ALL);
    ben.heard().last(s(3)).between(s(0), ms(2000)).hears_exactly("Ben", &[440.0, 1500.0], ALL);
    carl.heard().last(s(3)).between(s(0), ms(2000)).hears_exactly("Carl", &[440.0, 1000.0], ALL);
    assert_eq!(anna.log().matches("m=audio").count(), anna.log().matches("RTP/SAVP").count(), "{}", anna.log());
    gateway.done();
}

#[test]
fn keys_made_by_a_handshake_serve_telephones_with_either_kind_of_certificate() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = baresip::Setup::tone(440.0).encrypted("dtls_srtp").start();
    let mut ben = linphone::Setup::tone(1000.0).encrypted("dtls").start();
    let mut carl = phone::Setup::tone(1500.0).call(&gateway.uri());
    anna.call(&gateway.uri());
    ben.call(&gateway.uri());
    gateway.has_in_room(&room, 3, s(20));
    until_clear(&[440.0, 1000.0], || carl.heard());
    talk(s(4));
    anna.hang_up();
    ben.hang_up();
    carl.hang_up();
    anna.heard().last(s(3)).between(s(0), ms(2500)).hears_exactly("Anna", &[1000.0, 1500.0], ALL);
    ben.heard().last(s(3)).between(s(0), ms(2000)).hears_exactly("Ben", &[440.0, 1500.0], ALL);
    carl.heard().last(s(3)).between(s(0), ms(2000)).hears_exactly("Carl", &[440.0, 1000.0], ALL);
    gateway.done();
}

#[test]
fn an_encrypted_telephone_holds_and_comes_back_still_encrypted() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut carl = phone::Setup::tone(1500.0).call(&gateway.uri());
    let mut anna = baresip::Setup::tone(440.0).encrypted("srtp-mand").start();
    anna.call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[440.0], || carl.heard());
    anna.hold();
    talk(s(3));
    carl.heard().last(s(1)).hears_exactly("Carl while Anna holds", &[], &[440.0]);
    anna.resume();
    talk(s(3));
    carl.heard().last(s(1)).hears_exactly("Carl after", &[440.0], ALL);
    anna.hang_up();
    carl.hang_up();
    anna.heard().last(s(2)).between(s(0), ms(1500)).hears_exactly("Anna after", &[1500.0], ALL);
    assert_eq!(anna.log().matches("m=audio").count(), anna.log().matches("RTP/SAVP").count());
    gateway.done();
}

#[test]
fn a_trunk_that_demands_encryption_takes_either_kind_and_nothing_plain() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let trunk = gateway.get("/v1/trunks")["items"][0]["id"].as_str().unwrap().to_owned();
    gateway.patch(&format!("/v1/trunks/{trunk}"), &json!({ "profile": "whatsapp" }));
    let mut ben = linphone::Setup::tone(1000.0).encrypted("dtls").start();
    ben.call(&gateway.uri());
    gateway.has_in_room(&room, 1, s(20));
    let mut anna = baresip::Setup::tone(440.0).encrypted("srtp-mand").start();
    anna.call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(20));
    until_clear(&[1000.0], || anna.heard());
    let mut plain = baresip::Setup::tone(1500.0).start();
    plain.dial(&gateway.uri());
    let refused = plain.closed(s(10));
    assert!(refused.contains("488"), "{refused}");
    talk(s(3));
    anna.hang_up();
    ben.hang_up();
    anna.heard().last(s(2)).between(s(0), ms(1500)).hears_exactly("Anna", &[1000.0], ALL);
    ben.heard().last(s(2)).between(s(0), ms(1500)).hears_exactly("Ben", &[440.0], ALL);
    gateway.records("not_encrypted");
    gateway.done();
}

#[test]
fn wideband_telephones_are_encrypted_like_all_others() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let trunk = gateway.get("/v1/trunks")["items"][0]["id"].as_str().unwrap().to_owned();
    gateway.patch(&format!("/v1/trunks/{trunk}"), &json!({ "profile": "whatsapp" }));
    let mut anna = baresip::Setup::tone(440.0).codecs("opus").encrypted("srtp-mand").start();
    anna.call(&gateway.uri());
    gateway.has_in_room(&room, 1, s(20));
    gateway.patch(&format!("/v1/trunks/{trunk}"), &json!({ "profile": "asterisk" }));
    let mut ben = baresip::Setup::tone(1000.0).codecs("g722").encrypted("dtls_srtp").start();
    ben.call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(20));
    until_clear(&[440.0], || ben.heard());
    talk(s(4));
    anna.hang_up();
    ben.hang_up();
    anna.heard().last(s(3)).between(s(0), ms(2500)).hears_exactly("Anna", &[1000.0], ALL);
    ben.heard().last(s(3)).between(s(0), ms(2500)).hears_exactly("Ben", &[440.0], ALL);
    gateway.done();
}
