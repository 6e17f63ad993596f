//! People in a room: who hears whom.

use serde_json::json;

use crate::common::gateway::{self, PIN};
use crate::common::{baresip, linphone, ms, phone, s, talk, until, until_clear};

/// The voices: tones that no harmonic of another meets.
const ALL: &[f64] = &[440.0, 1000.0, 1500.0];

#[test]
fn three_telephones_each_hear_the_two_others_and_not_themselves() {
    let (gateway, room) = gateway::Setup::new().start_with_room();
    let mut anna = baresip::Setup::tone(440.0).codecs("pcmu").start();
    let mut ben = linphone::Setup::tone(1000.0).codec("PCMA").start();
    let mut carl = phone::Setup::tone(1500.0).with(&["--codec", "pcmu", "--ptime", "30"]).call(&gateway.uri());
    anna.call(&gateway.uri());
    anna.key(PIN);
    ben.call(&gateway.uri());
    ben.key(PIN);
    carl.answered();
    carl.key(PIN);
    gateway.has_in_room(&room, 3, s(20));
    until_clear(&[440.0, 1000.0], || carl.heard());
    talk(s(4));
    let shown = gateway.get(&format!("/v1/rooms/{room}"));
    assert_eq!(
        shown["participants"].as_array().unwrap().iter().filter(|p| p["speaking"] == true).count(),
        3,
        "{shown}"
    );
    anna.hang_up();
    ben.hang_up();
    carl.hang_up();
    anna.heard().last(s(3)).between(s(0), ms(2500)).hears_exactly("Anna", &[1000.0, 1500.0], ALL);
    ben.heard().last(s(3)).between(s(0), ms(2000)).hears_exactly("Ben", &[440.0, 1500.0], ALL);
    carl.heard().last(s(3)).between(s(0), ms(2000)).hears_exactly("Carl", &[440.0, 1000.0], ALL);
    gateway.done();
}

#[test]
fn a_caller_who_presses_star_six_is_not_heard_until_pressing_it_again() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[440.0], || ben.heard());
    ben.heard().last(ms(600)).hears_exactly("Ben before", &[440.0], ALL);
    anna.key("*6");
    until("the roster to show Anna muted", s(5), || {
        gateway.participants(&room).iter().any(|p| p["muted_by_self"] == true).then_some(())
    });
    talk(s(2));
    ben.heard().last(s(1)).hears_exactly("Ben while Anna is muted", &[], &[440.0]);
    anna.key("*6");
    until("the roster to show nobody muted", s(5), || {
        gateway.participants(&room).iter().all(|p| p["muted_by_self"] == false).then_some(())
    });
    talk(s(2));
    ben.heard().last(s(1)).hears_exactly("Ben after", &[440.0], ALL);
    anna.hang_up();
    ben.hang_up();
    gateway.done();
}

#[test]
fn what_a_host_does_by_api_is_heard_and_seen() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    gateway.has_in_room(&room, 1, s(10));
    let first = gateway.participants(&room)[0]["id"].as_str().unwrap().to_owned();
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[440.0], || ben.heard());
    gateway.post(&format!("/v1/rooms/{room}/participants/{first}/mute"), &json!({}));
    talk(s(2));
    ben.heard().last(s(1)).hears_exactly("Ben", &[], &[440.0]);
    gateway.post(&format!("/v1/rooms/{room}/participants/{first}/unmute"), &json!({}));
    talk(s(2));
    ben.heard().last(s(1)).hears_exactly("Ben", &[440.0], ALL);
    gateway.post(&format!("/v1/rooms/{room}/participants/{first}/remove"), &json!({}));
    assert!(anna.tells("ended", s(10))["by"] == "them");
    gateway.has_in_room(&room, 1, s(5));
    ben.hang_up();
    gateway.done();
}

#[test]
fn a_phone_on_hold_hears_and_says_nothing_and_comes_back() {
    let (gateway, room) = gateway::Setup::new().with("media", "timeout = \"5s\"").start_with_open_room();
    let mut anna = baresip::Setup::tone(440.0).start();
    anna.call(&gateway.uri());
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    anna.hold();
    until("the roster to show Anna held", s(5), || {
        gateway.participants(&room).iter().any(|p| p["held"] == true).then_some(())
    });
    // Longer than the media timeout, which a hold suspends.
    talk(s(7));
    ben.heard().last(s(1)).hears_exactly("Ben", &[], &[440.0]);
    anna.resume();
    until("the roster to show nobody held", s(5), || {
        gateway.participants(&room).iter().all(|p| p["held"] == false).then_some(())
    });
    talk(s(2));
    ben.heard().last(s(1)).hears_exactly("Ben", &[440.0], ALL);
    anna.hang_up();
    ben.hang_up();
    gateway.done();
}

#[test]
fn a_caller_on_hold_misses_what_is_said_and_hears_again_when_back() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[1000.0], || anna.heard());
    anna.hold();
    anna.tells("changed", s(5));
    talk(s(2));
    anna.heard().last(ms(800)).hears_exactly("Anna on hold", &[], ALL);
    ben.heard().last(ms(800)).hears_exactly("Ben", &[], &[440.0]);
    anna.resume();
    until_clear(&[1000.0], || anna.heard());
    until_clear(&[440.0], || ben.heard());
    anna.hang_up();
    ben.hang_up();
    gateway.done();
}

#[test]
fn two_wideband_telephones_of_one_codec_hear_each_other() {
    let codecs = r#"codecs = ["OPUS", "G722", "PCMU"]"#;
    let (gateway, room) = gateway::Setup::new().with("media", codecs).start_with_open_room();
    for codec in ["opus", "g722"] {
        let mut anna = baresip::Setup::tone(440.0).codecs(codec).start();
        let mut ben = baresip::Setup::tone(1000.0).codecs(codec).start();
        anna.call(&gateway.uri());
        ben.call(&gateway.uri());
        gateway.has_in_room(&room, 2, s(20));
        until_clear(&[1000.0], || anna.heard());
        until_clear(&[440.0], || ben.heard());
        talk(s(3));
        anna.hang_up();
        ben.hang_up();
        anna.heard().last(s(2)).between(s(0), ms(1500)).hears_exactly(&format!("Anna in {codec}"), &[1000.0], ALL);
        ben.heard().last(s(2)).between(s(0), ms(1500)).hears_exactly(&format!("Ben in {codec}"), &[440.0], ALL);
        gateway.settles();
    }
    gateway.done();
}
