//! The program itself, killed at the worst moment.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::json;

use crate::common::gateway::Setup;
use crate::common::ports::Ports;
use crate::common::{s, until};
use crate::receiver::Receiver;

#[test]
fn an_event_that_nobody_had_yet_arrives_after_a_sudden_end_with_the_id_it_had() {
    let ports = Arc::new(Ports::block());
    let address: SocketAddr = format!("127.0.0.1:{}", ports.at(9)).parse().unwrap();
    let mut gateway = Setup::new().on(ports).with("routing", "private_networks = [\"127.0.0.0/8\"]").start();
    let hook = gateway.post("/v1/webhooks", &json!({ "url": format!("http://{address}/told"), "events": ["room."] }));
    let path = format!("/v1/webhooks/{}", hook["id"].as_str().unwrap());
    // Nobody listens there yet.
    gateway.add_room(json!({ "name": "Team" }));
    let waiting = until("an event that was tried and waits", s(5), || {
        let items = gateway.get(&format!("{path}/deliveries?state=waiting"))["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["attempts"] == 1)
    });
    assert_eq!(waiting["error"], "unreachable");
    gateway.signal("KILL");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let receiver = runtime.block_on(Receiver::start_at(address, []));
    gateway.restart();
    let all = until("everything to be known as delivered", s(15), || {
        let all = gateway.get(&format!("{path}/deliveries"))["items"].as_array().unwrap().clone();
        all.iter().all(|item| item["state"] == "delivered").then_some(all)
    });
    let told = receiver.told();
    let told_then = told.iter().find(|told| json!(told.header("webhook-id")) == waiting["id"]).expect("with its id");
    assert_eq!(told_then.event(), waiting["event"]);
    assert!(told_then.is_signed_by(hook["secret"].as_str().unwrap()));
    assert_eq!(told.len(), all.len(), "and each once");
    assert!(!gateway.log().contains("whsec_"), "secrets are not logged");
    gateway.done();
}
