//! The way into a room: greeting, PIN, goodbye.

use ringlift::wire::codec::Codec;

use crate::common::bare::Bare;
use crate::common::gateway::{self, PIN};
use crate::common::{baresip, linphone, ms, phone, s, sipp, talk};

#[test]
fn a_caller_is_greeted_and_digits_keyed_during_the_greeting_count() {
    let (gateway, room) = gateway::Setup::new().start_with_room();
    let mut anna = baresip::Setup::tone(440.0).start();
    anna.call(&gateway.uri());
    talk(ms(1200));
    assert!(anna.heard().is_audible(), "no greeting within {:?}", anna.heard().length());
    anna.key("12");
    anna.key("34#");
    gateway.has_in_room(&room, 1, s(8));
    anna.hang_up();
    gateway.done();
}

#[test]
fn a_phone_with_opus_that_knows_events_at_8_khz_alone_keys_its_pin() {
    let (gateway, room) = gateway::Setup::new().with("media", r#"codecs = ["OPUS", "PCMU"]"#).start_with_room();
    let anna = Bare::call(&gateway, Codec::Opus, 0.0);
    anna.mouth().key(PIN);
    gateway.has_in_room(&room, 1, s(8));
    anna.hang_up();
    gateway.done();
}

#[test]
fn the_hash_after_the_pin_may_be_left_out() {
    let (gateway, room) = gateway::Setup::new().with("attendant", "between_digits = \"1s\"").start_with_room();
    let mut anna = phone::Setup::silent().call(&gateway.uri());
    anna.answered();
    anna.key("1234");
    gateway.has_in_room(&room, 1, s(15));
    anna.hang_up();
    gateway.done();
}

#[test]
fn three_wrong_pins_end_the_call_after_a_goodbye() {
    let (gateway, room) = gateway::Setup::new().start_with_room();
    let mut anna = phone::Setup::silent().call(&gateway.uri());
    anna.answered();
    for _ in 0..3 {
        anna.key("9999#");
        talk(ms(2500));
    }
    let ended = anna.tells("ended", s(20));
    assert_eq!(ended["by"], "them", "{ended}");
    assert!(anna.heard().last(s(3)).is_audible(), "no goodbye");
    assert!(gateway.participants(&room).is_empty());
    gateway.settles();
    gateway.records("wrong_pin");
    gateway.done();
}

#[test]
fn digits_by_info_count_in_both_content_types() {
    // linphone sends its second INFO five seconds after the first.
    let (gateway, room) = gateway::Setup::new().with("attendant", "between_digits = \"9s\"").start_with_room();
    let mut caller = sipp::Setup::new("pin_by_info", &gateway.sip()).with(&["-d", "6000"]).start();
    gateway.has_in_room(&room, 1, s(8));
    caller.succeeds(s(30));
    gateway.settles();
    let mut linphone = linphone::Setup::tone(440.0).by_info().start();
    linphone.call(&gateway.uri());
    linphone.key(PIN);
    gateway.has_in_room(&room, 1, s(25));
    linphone.hang_up();
    for by in ["info", "info-plain"] {
        let mut phone = phone::Setup::silent().with(&["--digits-by", by, "--digits", PIN]).call(&gateway.uri());
        gateway.has_in_room(&room, 1, s(8));
        phone.hang_up();
        gateway.settles();
    }
    gateway.done();
}

#[test]
fn a_wrong_pin_is_asked_for_again_and_the_right_one_is_taken() {
    let (gateway, room) = gateway::Setup::new().start_with_room();
    let mut anna = baresip::Setup::tone(440.0).codecs("pcma").start();
    anna.call(&gateway.uri());
    anna.key("4711#");
    talk(s(3));
    anna.key(PIN);
    gateway.has_in_room(&room, 1, s(10));
    anna.hang_up();
    gateway.done();
}
