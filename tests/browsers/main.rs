//! Real Chromium, headless, against the web plane and the media plane: what people in browsers hear and see.
//!
//! The gateway is not here: a page asks this test's own small server for an answer to its offer, and everyone is let into one
//! room at once. What the gateway decides is tested where it decides.

#![cfg(feature = "node")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test in real time that cannot go on should say where"
)]

#[path = "../common/mod.rs"]
mod common;

mod network;
mod stage;

use serde_json::Value;
use stage::{Stage, Wires};

/// What a scenario saw, once it came about.
pub async fn play(scenario: &str, wires: Wires) -> Value {
    let stage = Stage::open(wires).await;
    let outcome = stage.play(scenario).await;
    stage.close().await;
    assert_eq!(outcome["ok"], true, "{outcome:#}");
    outcome["seen"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_browsers_hear_and_see_exactly_the_others() {
    let seen = play("meeting", Wires::Udp).await;
    eprintln!("{}", serde_json::to_string(&seen).unwrap());
    for leg in ["1", "2", "3"] {
        let sent = seen["seen"][leg]["sent"].as_array().unwrap();
        let voice = sent.iter().find(|sent| sent["kind"] == "audio").unwrap();
        assert!(voice["fmtp"].as_str().unwrap().contains("usedtx=1"), "{voice}");
        assert!(sent.iter().any(|sent| sent["rid"] == "q" && sent["codec"] == "video/VP8"), "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_as_sharp_as_the_place_it_is_shown_in() {
    let seen = play("layers", Wires::Udp).await;
    eprintln!("{}", serde_json::to_string(&seen).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_is_shown_beside_the_camera_and_stays_when_that_is_off() {
    play("screen", Wires::Udp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_and_picture_go_on_over_a_restart_and_over_a_new_connection() {
    play("restart", Wires::Udp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_but_tcp_gets_through_browsers_hear_and_see_all_the_same() {
    let seen = play("meeting", Wires::Tcp).await;
    assert_eq!(seen["seen"]["1"]["pair"]["protocol"], "tcp");
}
