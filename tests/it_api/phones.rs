//! Desk phones that fetch their settings at an address that opens once.

use serde_json::json;

use crate::node::{Node, ok, problem};

/// What a phone asks for behind a proxy with TLS; `from` is where the proxy says that it is.
async fn fetch(node: &Node, url: &str, file: &str, from: &str) -> reqwest::Response {
    let path = url.strip_prefix("https://pbx.example.org").unwrap();
    let asked = node.client.get(node.url(&format!("{path}{file}")));
    asked.header("X-Forwarded-Proto", "https").header("X-Forwarded-For", from).send().await.unwrap()
}

#[tokio::test]
async fn a_phone_fetches_its_password_once_and_nobody_after_it() {
    let node = Node::start().await;
    let extension = ok(node.post("/v1/extensions", json!({ "user": "101", "password": "a long password" }))).await;
    let sent = json!({ "extension": extension["id"], "mac": "00:15:65:AB:CD:EF", "family": "yealink",
        "lamps": [{ "label": "Eve", "user": "102" }] });
    let made = ok(node.post("/v1/phones", sent.clone())).await;
    let url = made["url"].as_str().unwrap().to_owned();
    assert!(problem(node.post("/v1/phones", sent), 409).await.to_string().contains("hardware address"));

    let plain =
        node.client.get(node.url(&format!("{}001565abcdef.cfg", url.strip_prefix("https://pbx.example.org").unwrap())));
    assert_eq!(plain.send().await.unwrap().status(), 403, "not without TLS");
    assert_eq!(
        fetch(&node, &url, "y000000000066.cfg", "192.0.2.7").await.status(),
        404,
        "nothing to say for its model"
    );
    assert_eq!(fetch(&node, &url, "001565ffffff.cfg", "192.0.2.7").await.status(), 404, "another phone's");
    let answer = fetch(&node, &url, "001565abcdef.cfg", "192.0.2.7").await;
    assert_eq!((answer.status().as_u16(), answer.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
    let text = answer.text().await.unwrap();
    assert!(text.contains("account.1.password = a long password") && text.contains("linekey.2.value = 102"), "{text}");
    assert_eq!(fetch(&node, &url, "001565abcdef.cfg", "192.0.2.7").await.status(), 200, "it restarts and reads again");
    assert_eq!(fetch(&node, &url, "001565abcdef.cfg", "192.0.2.8").await.status(), 404, "nobody else");
    assert_eq!(
        fetch(&node, "https://pbx.example.org/provision/guess/", "001565abcdef.cfg", "192.0.2.8").await.status(),
        404
    );

    let path = format!("/v1/phones/{}", made["id"].as_str().unwrap());
    let shown = ok(node.get(&path)).await;
    assert!(shown["fetched"].is_string() && !shown.to_string().contains("provision/"), "{shown}");
    let renewed = ok(node.client.post(node.url(&format!("{path}/renew"))).bearer_auth(&node.admin)).await;
    assert_eq!(fetch(&node, &url, "001565abcdef.cfg", "192.0.2.7").await.status(), 404, "the old address");
    let new = renewed["url"].as_str().unwrap();
    assert_eq!(fetch(&node, new, "001565abcdef.cfg", "192.0.2.8").await.status(), 200);
}
