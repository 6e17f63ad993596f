//! What people see of calls: roster, event log, page, metrics, records, explanations.

use serde_json::json;

use crate::common::gateway::{self, NUMBER, PIN};
use crate::common::{phone, s, until};

#[test]
fn a_call_is_told_alike_by_roster_events_records_and_metrics() {
    let (gateway, room) = gateway::Setup::new().start_with_room();
    let from = ["--from", "sip:+4915112345678@127.0.0.1"];
    let mut anna = phone::Setup::tone(440.0).with(&from).with(&["--digits", PIN]).call(&gateway.uri());
    let mut ben = phone::Setup::tone(1000.0).with(&["--digits", PIN]).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(12));
    until("both to speak", s(10), || {
        gateway.participants(&room).iter().all(|person| person["speaking"] == true).then_some(())
    });
    let calls = gateway.calls();
    assert_eq!(calls.iter().filter(|call| call["room"] == room && call["state"] == "in_room").count(), 2, "{calls:?}");
    assert!(calls.iter().all(|call| call["to"] == NUMBER), "{calls:?}");
    let figures = gateway.status();
    assert_eq!((&figures["calls"], &figures["participants"], &figures["ports"]), (&json!(2), &json!(2), &json!(2)));
    anna.hang_up();
    ben.hang_up();

    let events = gateway.events(0, "room.ended");
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, two| one < two), "{numbers:?}");
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((count("call.began"), count("call.answered"), count("participant.joined")), (2, 2, 2), "{events:?}");
    assert_eq!((count("participant.left"), count("room.started")), (2, 1), "{events:?}");
    assert!(count("participant.speaking") >= 2, "{events:?}");
    // Who comes back later goes on where he was.
    let middle = numbers[numbers.len() / 2];
    assert_eq!(gateway.events(middle, "room.ended")[0]["seq"], middle + 1);

    gateway.records("hung_up");
    let told = json!({ "events": events, "log": gateway.log() }).to_string();
    for secret in ["4915112345678", PIN, PIN.trim_end_matches('#')] {
        assert!(
            !told.contains(&format!("\"{secret}")) && !told.contains("4915112345678"),
            "a secret is told: {secret}"
        );
    }
    let metrics = gateway.get("/metrics");
    assert!(metrics.as_str().unwrap().contains("ringlift_"), "{metrics}");
    let (status, page) = gateway.ask("GET", "/", None);
    assert!(status == 200 && page.as_str().unwrap().contains("<html"), "{status} {page}");
    gateway.done();
}

#[test]
fn what_explain_says_is_what_happens() {
    let (gateway, _) = gateway::Setup::new().start_with_open_room();
    let explain = |to: &str, source: &str| gateway.post("/v1/explain", &json!({ "to": to, "source": source }));
    let known = explain(NUMBER, "127.0.0.1");
    assert!(known["refusal"].is_null(), "{known}");
    let stranger = explain(NUMBER, "192.0.2.7");
    assert_eq!(stranger["refusal"], "not_authorised", "{stranger}");
    let astray = explain("+4930901821", "127.0.0.1");
    assert_eq!(astray["refusal"], "no_route", "{astray}");
    let rule = format!("number {NUMBER}");
    let near = astray["steps"].as_array().unwrap().iter().find(|step| step["rule"] == rule).unwrap();
    assert!(near["matched"] == false && near["why"].as_str().unwrap().contains("is read as"), "{astray}");
    let mut anna = phone::Setup::silent().call(&gateway.uri().replace("1820", "1821"));
    assert_eq!(anna.tells("refused", s(10))["status"], 404);
    assert_eq!(anna.ended(s(5)).code(), Some(1));
    gateway.done();
}

#[test]
fn bad_requests_are_answered_with_what_is_wrong_and_break_nothing() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let (status, problem) = gateway.ask("POST", "/v1/rooms", Some(&json!({ "name": "X", "colour": "red" })));
    assert!((400..500).contains(&status) && problem.to_string().contains("colour"), "{status} {problem}");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for noise in [&b"INVITE sip:x SIP/2.0\r\n\r\n"[..], b"\0\0\0\0", b"SIP/2.0 200 OK\r\n\r\n", &[0xff; 1400]] {
        socket.send_to(noise, gateway.sip()).unwrap();
    }
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    gateway.has_in_room(&room, 1, s(10));
    anna.hang_up();
    assert!(gateway.status()["sip"]["malformed"].as_u64().unwrap() > 0, "{}", gateway.status());
    gateway.done();
}
