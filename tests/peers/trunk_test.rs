//! `ringlift trunk test` against carriers that do as they should, and carriers that do not.

use serde_json::{Value, json};

use crate::common::gateway::{self, Gateway};
use crate::common::ports::Ports;
use crate::common::{kamailio, phone, s, sipp};

/// What the number is that sends back what it hears, and whom it is to transfer itself to.
const ECHO: &str = "+494055501";
const TARGET: &str = "+493055502";

fn carrier(gateway: &Gateway, uri: &str, change: impl FnOnce(&mut Value)) {
    let mut outbound = json!({ "targets": [{ "uri": uri }] });
    change(&mut outbound);
    let numbers = json!({ "country": "49" });
    gateway.post(
        "/v1/trunks",
        &json!({ "name": "carrier", "networks": [], "profile": "kamailio", "numbers": numbers, "outbound": outbound }),
    );
}

fn account(kamailio: &kamailio::Kamailio, password: &str) -> impl FnOnce(&mut Value) {
    let aor = format!("sip:{}@{}", kamailio::USER, kamailio.address());
    let credentials = json!({ "username": kamailio::USER, "password": password });
    move |outbound| {
        outbound["credentials"] = credentials;
        outbound["register"] = json!({ "aor": aor, "expires": 90 });
    }
}

/// The report, and the exit code.
#[track_caller]
fn tested(gateway: &Gateway, words: &[&str]) -> (Value, String, i32) {
    let (json, _, _) = gateway.run(&[&["trunk", "test", "carrier", "--json"], words].concat(), s(90));
    let (text, said, code) = gateway.run(&[&["trunk", "test", "Carrier"], words].concat(), s(90));
    let report = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}\n{said}\n{text}"));
    (report, text, code)
}

fn step<'a>(report: &'a Value, name: &str) -> &'a Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}: {report:#}"))
}

#[test]
fn a_good_carrier_passes_every_step_and_the_report_names_no_secret() {
    let gateway = gateway::Setup::new().start();
    let mut echo = sipp::Setup::new("echo", "127.0.0.1").calls(2, 10, 10).with(&["-rtp_echo"]).start();
    let kamailio = kamailio::Setup::towards(&format!("127.0.0.1:{}", echo.port())).start();
    carrier(&gateway, &format!("sip:{}", kamailio.address()), account(&kamailio, kamailio::PASSWORD));
    let (report, text, code) = tested(&gateway, &["--call", ECHO, "--refer", TARGET]);
    assert_eq!((&report["passed"], code), (&json!(true), 0), "{report:#}\n{text}");
    for name in ["options", "register", "call", "echo", "keys", "hold", "resume", "refresh", "refer", "hang_up"] {
        assert_eq!(step(&report, name)["outcome"], "ok", "{name}: {report:#}");
    }
    let heard = &step(&report, "echo")["echo"];
    assert_eq!((&heard["sent"], &heard["heard"]), (&json!(3), &json!(3)), "{heard}");
    assert!(heard["round_trip_ms"].as_u64().unwrap() < 400, "{heard}");
    assert!(heard["level_db"].as_f64().unwrap().abs() < 1.0, "{heard}");
    assert!(step(&report, "keys")["seen"].as_str().unwrap().contains("6 came back"), "{report:#}");
    let lines: Vec<&str> = step(&report, "call")["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["line"].as_str().unwrap())
        .collect();
    assert!(lines.iter().any(|line| line.starts_with("SIP/2.0 407")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("ACK ")), "{lines:?}");
    let sdp = step(&report, "call")["messages"].as_array().unwrap().iter().rev().find_map(|it| it["sdp"].as_str());
    assert!(sdp.is_some_and(|sdp| sdp.starts_with("PCMU/8000 (0), telephone-event/8000 (101)")), "{sdp:?}");
    for told in [report.to_string(), text] {
        assert!(told.contains("Echo/1") && told.contains("Call-ID") | told.contains("call_id"), "{told}");
        let secret = [kamailio::PASSWORD, "Digest", "55501", "55502"].into_iter().find(|secret| told.contains(secret));
        assert_eq!(secret, None, "{told}");
    }
    let (whole, _, _) = gateway.run(&["trunk", "test", "carrier", "--show-numbers", "--json"], s(60));
    assert!(whole.contains("\"skipped\"") && !whole.contains("\"failed\""), "{whole}");
    echo.succeeds(s(10));
    drop(kamailio);
    gateway.done();
}

#[test]
fn a_carrier_that_is_not_there_and_one_that_knows_another_password_are_told_apart() {
    let gateway = gateway::Setup::new().start();
    let kamailio = kamailio::Setup::towards("127.0.0.1:9").start();
    carrier(&gateway, &format!("sip:{}", kamailio.address()), account(&kamailio, "another one"));
    let (report, text, code) = tested(&gateway, &["--call", ECHO]);
    assert_eq!((&report["passed"], code), (&json!(false), 1), "{text}");
    assert_eq!(step(&report, "options")["outcome"], "ok");
    for name in ["register", "call"] {
        let step = step(&report, name);
        assert_eq!(step["outcome"], "failed", "{step:#}");
        assert!(step["advice"].as_str().unwrap().contains("password"), "{step:#}");
    }
    assert_eq!(step(&report, "echo")["outcome"], "skipped");
    assert!(!text.contains("another one"), "{text}");
    drop(kamailio);

    let silent = gateway.get("/v1/trunks")["items"][0]["id"].as_str().unwrap().to_owned();
    gateway.delete(&format!("/v1/trunks/{silent}"));
    // Nothing listens there.
    carrier(&gateway, "sip:127.0.0.1:9", |_| {});
    let (report, text, code) = tested(&gateway, &[]);
    assert_eq!(code, 1, "{text}");
    let options = step(&report, "options");
    assert_eq!(options["outcome"], "failed", "{options:#}");
    assert!(options["advice"].as_str().unwrap().contains("firewall"), "{options:#}");
    let (_, said, code) = gateway.run(&["trunk", "test", "nobody"], s(20));
    assert!(code == 2 && said.contains("there is no trunk nobody; there are: carrier"), "{said}");
    gateway.done();
}

#[test]
fn a_number_that_answers_and_sends_nothing_back_fails_the_echo_alone() {
    let gateway = gateway::Setup::new().start();
    let address = format!("127.0.0.1:{}", Ports::block().at(0));
    let mut desk = phone::Setup::tone(440.0).with(&["--calls", "2", "--listen", &address]).wait();
    desk.tells("listening", s(10));
    carrier(&gateway, &format!("sip:{address}"), |_| {});
    let (report, text, code) = tested(&gateway, &["--call", ECHO]);
    assert_eq!(code, 1, "{text}");
    assert_eq!(step(&report, "call")["outcome"], "ok", "{report:#}");
    let echo = step(&report, "echo");
    assert_eq!((&echo["outcome"], &echo["echo"]["other"]), (&json!("failed"), &json!(true)), "{echo:#}");
    assert!(echo["advice"].as_str().unwrap().contains("sends back what it hears"), "{echo:#}");
    for name in ["keys", "hold", "resume", "refresh", "hang_up"] {
        assert_eq!(step(&report, name)["outcome"], "ok", "{name}: {report:#}");
    }
    drop(desk);
    gateway.done();
}
