//! `ringlift phone` where credentials are asked for: at a registrar, and at the gateway.

use serde_json::json;

use crate::common::gateway::{self, NUMBER};
use crate::common::process::Folder;
use crate::common::{phone, s, sipp};

#[test]
fn a_phone_registers_with_the_strongest_digest_it_is_offered() {
    let folder = Folder::new("password");
    let password = folder.write("password", "wonderland\n");
    let mut registrar = sipp::Setup::new("registrar", "127.0.0.1").start();
    let words = ["--user", "alice", "--password-file", password.to_str().unwrap()];
    let mut phone = phone::Setup::silent().with(&words).register(&format!("sip:alice@127.0.0.1:{}", registrar.port()));
    phone.tells("registered", s(10));
    assert!(phone.ended(s(5)).success());
    registrar.succeeds(s(10));
}

#[test]
fn a_trunk_known_by_its_password_gets_in_and_a_wrong_password_does_not() {
    let gateway = gateway::Setup::new().start();
    let credentials = json!({ "username": "branch", "password": "open sesame" });
    gateway.post("/v1/trunks", &json!({ "name": "branch", "credentials": credentials }));
    let room = gateway.add_room(json!({ "name": "Open", "first_caller": "start", "tones_up_to": 0 }));
    gateway.add_number(NUMBER, &room);
    let folder = Folder::new("password");
    for (password, lets_in) in [("open sesame", true), ("open barley", false)] {
        let file = folder.write("password", password);
        let words = ["--user", "branch", "--password-file", file.to_str().unwrap()];
        let mut phone = phone::Setup::tone(440.0).with(&words).call(&gateway.uri());
        phone.tells("challenged", s(10));
        if lets_in {
            gateway.has_in_room(&room, 1, s(10));
            phone.hang_up();
        } else {
            phone.tells("refused", s(10));
            assert_eq!(phone.ended(s(10)).code(), Some(1));
        }
    }
    let log = gateway.log();
    assert!(!log.contains("sesame") && !log.contains("barley"), "a password is in the log");
    gateway.done();
}
