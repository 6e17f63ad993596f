//! `ringlift phone` where credentials are asked for: at a registrar, and at the gateway.

use std::net::UdpSocket;
use std::time::Instant;

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
fn a_phone_that_waits_registers_again_before_its_time_is_over() {
    let registrar = UdpSocket::bind("127.0.0.1:0").unwrap();
    registrar.set_read_timeout(Some(s(10))).unwrap();
    let address = registrar.local_addr().unwrap();
    let mut phone = phone::Setup::silent().with(&["--register", &format!("sip:alice@{address}")]).wait();
    let began = Instant::now();
    // A registrar that grants two seconds: three REGISTERs of one series.
    let asked: Vec<(String, u32)> = (0..3).map(|_| grants(&registrar, 2)).collect();
    let took = began.elapsed();
    assert!(asked.iter().all(|(call, _)| *call == asked[0].0), "{asked:?}");
    assert!(asked.windows(2).all(|pair| pair[1].1 > pair[0].1), "{asked:?}");
    assert!(took > s(2) && took < s(4), "{took:?}");
    phone.tells("registered", s(5));
}

/// Answers the next REGISTER with so many seconds; its Call-ID and CSeq.
fn grants(registrar: &UdpSocket, seconds: u32) -> (String, u32) {
    let mut buffer = [0; 4096];
    let (length, from) = registrar.recv_from(&mut buffer).expect("a REGISTER in time");
    let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(request.starts_with("REGISTER "), "{request}");
    let field = |name: &str| {
        let line = request.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")));
        line.unwrap_or_else(|| panic!("no {name} in {request}")).split_once(':').unwrap().1.trim().to_owned()
    };
    let contact = field("contact").split(';').next().unwrap().to_owned();
    let answer = format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag=r\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: {contact};expires={seconds}\r\nContent-Length: 0\r\n\r\n",
        field("via"),
        field("from"),
        field("to"),
        field("call-id"),
        field("cseq"),
    );
    registrar.send_to(answer.as_bytes(), from).unwrap();
    (field("call-id"), field("cseq").split(' ').next().unwrap().parse().unwrap())
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
