//! Starting, stopping, dying, coming back.

use std::time::Instant;

use crate::common::gateway;
use crate::common::{phone, s, sipp, talk, until};

#[test]
fn a_gateway_that_goes_out_of_service_lets_calls_finish_and_takes_no_new_ones() {
    let (mut gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    gateway.signal("TERM");
    until("readiness to be off", s(5), || (gateway.ask("GET", "/readyz", None).0 == 503).then_some(()));
    sipp::Setup::new("unavailable", &gateway.sip()).play(s(10));
    talk(s(2));
    ben.heard().last(s(1)).hears_exactly("Ben", &[440.0], &[440.0, 1000.0]);
    anna.hang_up();
    ben.hang_up();
    assert!(gateway.ended(s(10)).success());
    gateway.logged_no_error();
}

#[test]
fn calls_that_outlast_the_drain_limit_are_ended_with_a_reason() {
    let (mut gateway, room) = gateway::Setup::new().with("drain", "limit = \"2s\"").start_with_open_room();
    let mut caller = sipp::Setup::new("stays", &gateway.sip()).start();
    gateway.has_in_room(&room, 1, s(10));
    gateway.signal("TERM");
    caller.succeeds(s(10));
    assert!(caller.messages().contains("Reason: Q.850"), "{}", caller.messages());
    gateway.ended(s(10));
    gateway.logged_no_error();
}

#[test]
fn a_second_signal_ends_at_once() {
    let (mut gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut caller = sipp::Setup::new("stays", &gateway.sip()).start();
    gateway.has_in_room(&room, 1, s(10));
    gateway.signal("TERM");
    until("readiness to be off", s(5), || (gateway.ask("GET", "/readyz", None).0 == 503).then_some(()));
    let asked = Instant::now();
    gateway.signal("TERM");
    gateway.ended(s(5));
    assert!(asked.elapsed() < s(4));
    caller.succeeds(s(5));
}

#[test]
fn a_gateway_killed_in_a_call_opens_its_database_again_and_closes_the_call_as_cut_off() {
    let (mut gateway, room) = gateway::Setup::new().with("media", "timeout = \"5s\"").start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    gateway.has_in_room(&room, 1, s(10));
    until("the record to be kept", s(5), || {
        gateway.get("/v1/call-records").to_string().contains("\"answered\":\"2").then_some(())
    });
    gateway.signal("KILL");
    gateway.ended(s(5));
    gateway.restart();
    let records = gateway.get("/v1/call-records").to_string();
    assert!(records.contains("\"cut_off\""), "{records}");
    assert!(gateway.participants(&room).is_empty());
    // What was configured is still there: the next call gets in.
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    gateway.has_in_room(&room, 1, s(10));
    ben.hang_up();
    anna.hang_up();
    gateway.done();
}
