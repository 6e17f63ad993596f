//! Events that arrive.

use std::time::Duration;

use ringlift::base::LegId;
use ringlift::gateway::event::Happening;
use ringlift::gateway::view::CallDirection;
use serde_json::{Value, json};

use crate::node::Node;
use crate::receiver::{Manner, Receiver};

#[tokio::test]
async fn an_event_arrives_as_it_stands_in_the_log_signed_and_masked() {
    let (node, receiver) = (Node::start().await, Receiver::start([]).await);
    let (hook, secret) = node.hook(&receiver.url(), &["call.", "room.ended"]).await;
    node.room();
    let began = node.happens(Happening::CallBegan {
        call: LegId::from_bits(1),
        direction: CallDirection::Inbound,
        from: Some("+••••••••51".into()),
        to: "1000".into(),
    });
    let told = receiver.has(1).await;
    let told = &told[0];
    assert!(told.head.starts_with("POST /told HTTP/1.1"), "{}", told.head);
    assert_eq!(told.header("content-type"), "application/json");
    assert!(told.is_signed_by(&secret));
    assert!(!told.is_signed_by("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let logged = &node.store.events(0, None, 10).await.unwrap()[1];
    assert_eq!(told.body, serde_json::to_string(logged).unwrap(), "the same text as in the log");
    let event = told.event();
    assert_eq!(
        (&event["seq"], &event["type"], &event["from"]),
        (&json!(began), &json!("call.began"), &json!("+••••••••51"))
    );
    let delivered = node.has(&hook, "delivered", 1).await;
    assert_eq!(delivered[0]["id"], json!(told.header("webhook-id")));
    assert_eq!((&delivered[0]["status"], &delivered[0]["attempts"]), (&json!(204), &json!(1)));
    assert_eq!(delivered[0]["event"], event);
    assert_eq!(receiver.told().len(), 1, "rooms' events are not wanted");
    let shown = node.shown(&hook).await;
    assert!(shown["last_success"].is_string() && shown["last_failure"].is_null(), "{shown}");
}

#[tokio::test]
async fn a_receiver_that_is_slow_delays_nobody_else_and_is_told_four_at_once() {
    let node = Node::start().await;
    let slow = Receiver::start(vec![Manner::Silent; 1000]).await;
    let quick = Receiver::start([]).await;
    let (slow_hook, _) = node.hook(&slow.url(), &[]).await;
    let (quick_hook, _) = node.hook(&quick.url(), &[]).await;
    let began = std::time::Instant::now();
    for _ in 0..40 {
        node.call();
    }
    let mut told: Vec<u64> = quick.has(40).await.iter().map(|told| told.event()["seq"].as_u64().unwrap()).collect();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    told.sort_unstable();
    assert_eq!(told, (1..=40).collect::<Vec<u64>>(), "each once");
    node.has(&quick_hook, "delivered", 40).await;
    slow.has(4).await;
    assert!(slow.most_at_once() <= 4 && quick.most_at_once() <= 4);
    assert_eq!(node.shown(&slow_hook).await["waiting"], 40);
    // It comes to its senses, and is told everything.
    slow.will([]);
    node.has(&slow_hook, "delivered", 40).await;
}

#[tokio::test]
async fn for_a_day_both_secrets_sign_after_a_rotation() {
    let (node, receiver) = (Node::start().await, Receiver::start([]).await);
    let (hook, first) = node.hook(&receiver.url(), &[]).await;
    let (status, rotated) = node.ask("POST", &format!("/v1/webhooks/{hook}/secret"), Value::Null).await;
    let second = rotated["secret"].as_str().unwrap();
    assert_eq!(status, 200);
    assert_ne!(second, first);
    assert!(rotated["old_secret_until"].is_string());
    node.call();
    let told = receiver.has(1).await;
    assert!(told[0].is_signed_by(&first) && told[0].is_signed_by(second));
    assert_eq!(told[0].header("webhook-signature").split(' ').count(), 2);
    // A second rotation ends the first secret.
    node.ask("POST", &format!("/v1/webhooks/{hook}/secret"), Value::Null).await;
    node.call();
    let told = receiver.has(2).await;
    assert!(!told[1].is_signed_by(&first) && told[1].is_signed_by(second));
}

#[tokio::test]
async fn one_that_is_switched_off_is_told_nothing_and_goes_on_with_what_waited() {
    let (node, receiver) = (Node::start().await, Receiver::start([Manner::Answers(500, "")]).await);
    let (hook, _) = node.hook(&receiver.url(), &[]).await;
    let waited = node.call();
    receiver.has(1).await;
    let path = format!("/v1/webhooks/{hook}");
    assert_eq!(node.ask("PATCH", &path, json!({ "enabled": false })).await.0, 200);
    node.call();
    node.settles().await;
    let before = receiver.told().len();
    assert_eq!(
        node.ask("PATCH", &path, json!({ "enabled": true, "description": "ours" })).await.1["description"],
        "ours"
    );
    let told = receiver.has(before + 1).await;
    assert_eq!(told.last().unwrap().event()["seq"], json!(waited));
    let after = node.call();
    let told = receiver.has(before + 2).await;
    assert_eq!(told.last().unwrap().event()["seq"], json!(after), "what happened meanwhile is not told");
}
