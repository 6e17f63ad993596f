//! SIPp's races and rarities: each ends with nothing left.

use serde_json::json;

use crate::common::gateway::{self, Gateway, NUMBER};
use crate::common::{s, sipp, until};

/// What comes while the next request is still to be sent does not end the call.
const PATIENT: [&str; 2] = ["-default_behaviors", "all,-abortunexp"];

/// Plays scenarios against one gateway with an open room, after each of which nothing is left.
fn each_leaves_nothing(scenarios: &[&str]) -> Gateway {
    let (gateway, _) = gateway::Setup::new().start_with_open_room();
    for scenario in scenarios {
        sipp::Setup::new(scenario, &gateway.sip()).with(&PATIENT).play(s(60));
        gateway.settles();
    }
    gateway
}

#[test]
fn a_late_ack_a_late_offer_and_holds_are_served() {
    each_leaves_nothing(&["call", "late_ack", "late_offer", "hold"]).done();
}

#[test]
fn an_answer_that_nobody_acknowledges_is_taken_back_after_64_t1() {
    let (gateway, _) = gateway::Setup::new().with("sip", "t1 = \"100ms\"").start_with_open_room();
    let messages = sipp::Setup::new("no_ack", &gateway.sip()).play(s(60));
    let answers = messages.matches("SIP/2.0 200 OK").count();
    assert!(answers >= 5, "the answer was repeated {answers} times only");
    gateway.settles();
    gateway.records("no_ack");
    gateway.done();
}

#[test]
fn a_cancel_that_crosses_the_answer_leaves_nothing() {
    let (gateway, _) = gateway::Setup::new().start_with_open_room();
    sipp::Setup::new("cancel_race", &gateway.sip()).with(&PATIENT).calls(50, 50, 50).play(s(60));
    gateway.done();
}

#[test]
fn byes_that_cross_each_other_or_a_reinvite_leave_nothing() {
    let gateway = each_leaves_nothing(&["bye_during_reinvite"]);
    let mut crossing = sipp::Setup::new("bye_crosses_bye", &gateway.sip()).start();
    let call = until("the call to be up", s(5), || {
        gateway
            .calls()
            .iter()
            .find(|call| call["state"] == "in_room")
            .map(|call| call["id"].as_str().unwrap().to_owned())
    });
    gateway.delete(&format!("/v1/calls/{call}"));
    crossing.succeeds(s(30));
    gateway.done();
}

#[test]
fn requests_sent_thrice_are_answered_alike_and_make_one_call() {
    let gateway = each_leaves_nothing(&["everything_thrice", "merged_invite"]);
    let status = gateway.status();
    assert_eq!(status["answered"], 2, "{status}");
    gateway.done();
}

#[test]
fn a_stranger_gets_a_refusal_and_nothing_else() {
    let gateway = gateway::Setup::new().start();
    gateway.add_trunk("127.0.0.9/32");
    let room = gateway.add_room(json!({ "name": "Private", "first_caller": "start" }));
    gateway.add_number(NUMBER, &room);
    sipp::Setup::new("refused", &gateway.sip()).calls(20, 20, 20).play(s(20));
    let status = gateway.status();
    assert_eq!(
        (&status["answered"], &status["calls"], &status["ports"]),
        (&json!(0), &json!(0), &json!(0)),
        "{status}"
    );
    assert!(gateway.participants(&room).is_empty());
    // Who is known is served meanwhile.
    sipp::Setup::new("call", &gateway.sip()).from([127, 0, 0, 9]).play(s(20));
    gateway.done();
}
