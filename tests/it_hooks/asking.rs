//! The API of webhooks.

use serde_json::{Value, json};

use crate::node::Node;
use crate::receiver::Receiver;

#[tokio::test]
async fn a_secret_is_shown_once_and_what_is_wrong_is_named() {
    let node = Node::start().await;
    let (hook, secret) = node.hook("https://example.org/hook", &["call."]).await;
    assert!(secret.starts_with("whsec_") && secret.len() == 50);
    for path in ["/v1/webhooks".to_owned(), format!("/v1/webhooks/{hook}")] {
        let (status, shown) = node.ask("GET", &path, Value::Null).await;
        assert!(status == 200 && !shown.to_string().contains("whsec_"), "{shown}");
    }
    for (body, pointer) in [
        (json!({ "url": "ftp://example.org" }), "/url"),
        (json!({ "url": "https://" }), "/url"),
        (json!({ "url": "https://example.org", "events": ["Call"] }), "/events/0"),
        (json!({ "url": "https://example.org", "events": [""] }), "/events/0"),
        (json!({ "url": "https://example.org", "description": "x".repeat(201) }), "/description"),
    ] {
        let (status, problem) = node.ask("POST", "/v1/webhooks", body).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!(pointer)), "{problem}");
    }
    let (_, changed) = node.ask("PATCH", &format!("/v1/webhooks/{hook}"), json!({ "events": null })).await;
    assert_eq!((&changed["events"], &changed["url"]), (&json!([]), &json!("https://example.org/hook")));
    for (method, path) in
        [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/secret"), ("GET", "/deliveries"), ("POST", "/replay")]
    {
        let body = if method == "PATCH" { json!({}) } else { Value::Null };
        let (status, _) = node.ask(method, &format!("/v1/webhooks/hook_0000000000000{path}"), body).await;
        assert_eq!(status, 404, "{method} {path}");
    }
    let query = format!("/v1/webhooks/{hook}/deliveries?state=lost");
    assert_eq!(node.ask("GET", &query, Value::Null).await.0, 400);
}

#[tokio::test]
async fn who_may_not_follow_events_cannot_have_them_sent() {
    let node = Node::start().await;
    let key = async |scopes: Value| {
        let (_, made) = node.ask("POST", "/v1/keys", json!({ "name": "k", "scopes": scopes })).await;
        made["key"].as_str().unwrap().to_owned()
    };
    let body = json!({ "url": "https://example.org/hook" });
    let blind = key(json!(["webhooks:write"])).await;
    assert_eq!(node.ask_with(&blind, "POST", "/v1/webhooks", body.clone()).await.0, 403);
    let reader = key(json!(["webhooks:read", "events:read"])).await;
    assert_eq!(node.ask_with(&reader, "POST", "/v1/webhooks", body.clone()).await.0, 403);
    assert_eq!(node.ask_with(&reader, "GET", "/v1/webhooks", Value::Null).await.0, 200);
    let able = key(json!(["webhooks:write", "events:read"])).await;
    assert_eq!(node.ask_with(&able, "POST", "/v1/webhooks", body).await.0, 201);
}

#[tokio::test]
async fn deliveries_are_paged_and_go_with_their_webhook() {
    let (node, receiver) = (Node::start().await, Receiver::start([]).await);
    let (hook, _) = node.hook(&receiver.url(), &[]).await;
    for _ in 0..5 {
        node.call();
    }
    node.has(&hook, "delivered", 5).await;
    let path = format!("/v1/webhooks/{hook}");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (_, page) = node.ask("GET", &format!("{path}/deliveries?limit=2{cursor}"), Value::Null).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    assert_eq!(node.ask("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(node.ask("GET", &format!("{path}/deliveries"), Value::Null).await.0, 404);
    node.call();
    node.settles().await;
    assert_eq!(receiver.told().len(), 5);
}
