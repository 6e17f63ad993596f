//! Who may do what, and what they see.

use reqwest::header::{CONTENT_TYPE, HOST, ORIGIN};
use reqwest::{Method, StatusCode};
use ringlift::api::scope::Scope;
use serde_json::{Value, json};

use crate::node::{Node, is_problem, ok, problem};

/// Every operation of the description: path with ids filled in, method, scopes.
pub fn operations() -> Vec<(String, Method, Vec<String>)> {
    let doc = serde_json::to_value(ringlift::api::serve::description()).unwrap();
    let mut all = Vec::new();
    for (path, methods) in doc["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let family = path.split('/').nth(2).unwrap_or_default();
            let id = match family {
                "trunks" => "trunk_0000000000000",
                "dids" => "did_0000000000000",
                "rooms" => "room_0000000000000",
                "calls" => "leg_0000000000000",
                "keys" => "key_0000000000000",
                "extensions" => "ext_0000000000000",
                "groups" => "group_0000000000000",
                "rules" => "rule_0000000000000",
                "phones" => "phone_0000000000000",
                "elevations" => "elv_0000000000000",
                "invitations" => "tkt_0000000000000",
                "texts" => "text_0000000000000",
                "webhooks" => "hook_0000000000000",
                "callbacks" => "cbk_0000000000000",
                "codes" => "code_0000000000000",
                "devices" => "dev_0000000000000",
                "relays" => "relay_0000000000000",
                _ => "",
            };
            let verb = match family {
                "calls" => "hold",
                _ if path.contains("{participant}") => "mute",
                _ => "lock",
            };
            let path = path.replace("{id}", id).replace("{participant}", "par_0000000000000").replace("{verb}", verb);
            let path = path.replace("{delivery}", "msg_0000000000000");
            let scopes = operation["security"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| one["key"].as_array())
                .flatten();
            let scopes = scopes.map(|scope| scope.as_str().unwrap().to_owned()).collect();
            all.push((path, Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), scopes));
        }
    }
    all
}

/// A body that the route can read, so that what is refused is refused for another reason.
fn body(path: &str) -> Value {
    match path.split('/').nth(2).unwrap_or_default() {
        "trunks" if path.ends_with("/test") => json!({ "call": "9196" }),
        "trunks" => json!({ "name": "T", "networks": ["192.0.2.1"] }),
        "dids" => json!({ "called": "*", "action": { "to": "attendant" } }),
        "rooms" if path.ends_with("/callbacks") => json!({ "number": "+4930901820" }),
        "rooms" if path.ends_with("/move") => json!({}),
        "extensions" if path.ends_with("/move") => json!({}),
        "extensions" if path.ends_with("/me_link") => json!({}),
        "extensions" if path.ends_with("/follow") => json!({ "follow": true }),
        "calls" if path.ends_with("/move") || path.ends_with("/codes") => json!({}),
        "codes" if path.ends_with("/answer") => json!({ "allow": true }),
        "codes" if path.ends_with("/state") => json!({ "claim": "0000" }),
        "devices" if path.ends_with("/answer") => json!({ "call": "par_0000000000000", "takes": true }),
        "devices" if path.ends_with("/reports") => json!({}),
        "devices" => json!({ "extension": "ext_0000000000000", "name": "Tablet" }),
        "relays" => json!({ "name": "Office" }),
        "rooms" if path.ends_with("/dial") => json!({ "to": "101" }),
        "calls" if path.ends_with("/elevate") => json!({}),
        "calls" if path.ends_with("/digits") => json!({ "digits": "1" }),
        "calls" if path.ends_with("/play") => json!({ "what": [{ "play": "music" }] }),
        "calls" if path.ends_with("/merge") => json!({ "room": "room_0000000000000" }),
        "calls" if path.ends_with("/transfer") => json!({ "to": "101" }),
        "calls" if path.ends_with("/calls") => json!({ "to": "101", "from": "ext_0000000000000" }),
        "rooms" if path.ends_with("operations") => json!({ "operation": "lock" }),
        "rooms" if path.ends_with("/invitations") => json!({}),
        "rooms" => json!({ "name": "R" }),
        "extensions" => json!({ "user": "101" }),
        "phones" => json!({ "extension": "ext_0000000000000", "mac": "00:15:65:12:34:56", "family": "yealink" }),
        "groups" => json!({ "user": "600", "members": [] }),
        "rules" if path.ends_with("/order") => json!({ "rules": [], "version": "*" }),
        "rules" => json!({ "name": "R", "then": { "to": "attendant" } }),
        "explain" => json!({ "to": "x", "source": "127.0.0.1" }),
        "webhooks" => json!({ "url": "https://example.org/hook" }),
        "keys" => json!({ "name": "K", "scopes": ["rooms:read"] }),
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_route_is_described_and_asks_for_its_scope() {
    let node = Node::start().await;
    let all = operations();
    assert!(all.len() >= 30, "{}", all.len());
    let described = serde_json::to_value(ringlift::api::serve::description()).unwrap();
    let text = described.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(described.pointer(reference).is_some(), "{reference} is referred to and is not there");
    }
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].to_string()), "{method} {path} has a name of its own");
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let text = response["description"].as_str().unwrap_or_default();
                assert!(!text.is_empty(), "OpenAPI 3.1 wants {method} {path} {status} described");
            }
        }
    }
    // A relay shows a secret of its own, no key.
    let open = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/login", "/relay"];
    for (path, method, scopes) in all {
        // Who may at the meeting's doors is tried in `meet`.
        if open.contains(&path.as_str()) || path.starts_with("/meet/") {
            continue;
        }
        let ask = |key: Option<&str>| {
            let mut request = node.client.request(method.clone(), node.url(&path));
            if [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
                request = request.json(&body(&path));
            }
            if path.ends_with("/ws") {
                let upgrade = [
                    ("connection", "upgrade"),
                    ("upgrade", "websocket"),
                    ("sec-websocket-version", "13"),
                    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
                ];
                request = upgrade.into_iter().fold(request, |request, (name, value)| request.header(name, value));
            }
            match key {
                Some(key) => request.bearer_auth(key),
                None => request,
            }
        };
        let stranger = ask(None).send().await.unwrap();
        let challenge = stranger.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
        assert!(challenge.is_some_and(|value| value.starts_with("Bearer")), "{method} {path}");
        is_problem(stranger, 401).await;
        // Every scope but one that is needed: refused. Those that are, alone: let through.
        for needed in &scopes {
            let others: Vec<Scope> =
                Scope::ALL.into_iter().filter(|scope| scope.name() != needed && *scope != Scope::Admin).collect();
            let refused = ask(Some(&node.key(&others).await)).send().await.unwrap();
            assert!(
                refused.headers()["www-authenticate"].to_str().unwrap().contains(needed.as_str()),
                "{method} {path}"
            );
            is_problem(refused, 403).await;
        }
        if scopes.is_empty() {
            continue;
        }
        let named: Vec<Scope> = scopes.iter().map(|scope| Scope::named(scope).unwrap()).collect();
        let let_in = ask(Some(&node.key(&named).await)).send().await.unwrap();
        assert!(![401, 403, 405, 500].contains(&let_in.status().as_u16()), "{method} {path}: {}", let_in.status());
    }
}

#[tokio::test]
async fn numbers_and_pins_are_shown_to_those_with_the_right() {
    let node = Node::start().await;
    let room = node.room("Monday call", "471147").await;
    let (leg, _) = node.join(room, "+15551234567").await;
    let reader = node.key(&[Scope::RoomsRead, Scope::CallsRead]).await;
    let numbers = node.key(&[Scope::RoomsRead, Scope::CallsRead, Scope::NumbersRead]).await;
    let writer = node.key(&[Scope::RoomsRead, Scope::RoomsWrite]).await;
    let see = async |key: &str, path: &str| {
        let response = node.client.get(node.url(path)).bearer_auth(key).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.unwrap()
    };
    node.handle.writer().settle().await.unwrap();
    for path in [
        format!("/v1/rooms/{room}"),
        "/v1/rooms".into(),
        "/v1/calls".into(),
        format!("/v1/calls/{leg}"),
        "/v1/call-records".into(),
    ] {
        let (masked, whole) = (see(&reader, &path).await, see(&numbers, &path).await);
        assert!(!masked.contains("5551234567") && masked.contains("•••••••••67"), "{path}: {masked}");
        assert!(whole.contains("+15551234567"), "{path}: {whole}");
        assert!(!masked.contains("471147") && !whole.contains("471147"));
    }
    assert!(see(&writer, &format!("/v1/rooms/{room}")).await.contains("471147"));
    assert!(see(&writer, "/v1/rooms").await.contains("471147"));
}

#[tokio::test]
async fn a_key_is_shown_once_and_opens_until_it_is_revoked() {
    let node = Node::start().await;
    let made =
        ok(node.post("/v1/keys", json!({ "name": "calendar", "scopes": ["rooms:read", "rooms:read", "keys:write"] })))
            .await;
    let (key, id) = (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
    assert_eq!(made["scopes"], json!(["rooms:read", "keys:write"]));
    let list = ok(node.get("/v1/keys")).await;
    assert!(!list.to_string().contains(&key));
    let file = std::fs::read(&node.path).unwrap();
    assert!(!file.windows(key.len()).any(|window| window == key.as_bytes()), "the file holds the hash alone");
    let with_it = |path: &str| node.client.get(node.url(path)).bearer_auth(&key);
    ok(with_it("/v1/rooms")).await;
    let more = node
        .client
        .post(node.url("/v1/keys"))
        .bearer_auth(&key)
        .json(&json!({ "name": "more", "scopes": ["rooms:read", "calls:write"] }));
    let refused = problem(more, 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/scopes/1", "nobody gives what it lacks");
    // Both may have been made in the same millisecond: the list's order does not tell them apart.
    let first = list["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).find(|one| *one != id);
    let first = first.unwrap();
    problem(node.client.delete(node.url(&format!("/v1/keys/{first}"))).bearer_auth(&key), 403).await;
    problem(node.delete(&format!("/v1/keys/{first}")), 409).await;
    assert_eq!(node.delete(&format!("/v1/keys/{id}")).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    problem(with_it("/v1/rooms"), 401).await;
    let left = ok(node.get("/v1/keys")).await;
    let revoked = left["items"].as_array().unwrap().iter().find(|one| one["id"] == id.as_str()).unwrap();
    assert!(revoked["revoked"].is_string());
}

#[tokio::test]
async fn wrong_keys_are_throttled_and_right_ones_are_not() {
    let node = Node::start().await;
    let wrong = || node.client.get(node.url("/v1/rooms")).bearer_auth(format!("rlk_{}", "0".repeat(64)));
    for _ in 0..10 {
        problem(wrong(), 401).await;
    }
    let throttled = wrong().send().await.unwrap();
    assert!(throttled.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    is_problem(throttled, 429).await;
    ok(node.get("/v1/rooms")).await;
    problem(node.client.get(node.url("/v1/rooms")).header("authorization", "Basic eDp5"), 401).await;
    problem(node.client.get(node.url("/v1/rooms")).bearer_auth("short"), 429).await;
}

#[tokio::test]
async fn the_page_logs_in_by_cookie_and_no_other_site_can_use_it() {
    let node = Node::start().await;
    problem(node.client.post(node.url("/v1/login")).json(&json!({ "key": "rlk_wrong" })), 401).await;
    let login = node.client.post(node.url("/v1/login")).json(&json!({ "key": node.admin })).send().await.unwrap();
    assert_eq!(login.status(), StatusCode::OK);
    let set = login.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        set.contains("HttpOnly")
            && set.contains("SameSite=Strict")
            && !set.contains(&node.admin)
            && !set.contains("Secure"),
        "{set}"
    );
    let cookie = set.split(';').next().unwrap().to_owned();
    let by_cookie = |method: Method, path: &str| node.client.request(method, node.url(path)).header("cookie", &cookie);
    assert_eq!(ok(by_cookie(Method::GET, "/v1/session")).await["scopes"], json!(["admin"]));
    let make = || by_cookie(Method::POST, "/v1/rooms").json(&json!({ "name": "R" }));
    assert_eq!(problem(make(), 403).await["type"], "urn:ringlift:problem:foreign-origin");
    problem(make().header("x-ringlift-page", "1").header(ORIGIN, "https://evil.example"), 403).await;
    problem(by_cookie(Method::GET, "/v1/rooms").header(ORIGIN, "https://evil.example"), 403).await;
    let own = format!("http://{}", node.address);
    ok(make().header("x-ringlift-page", "1").header(ORIGIN, own)).await;
    problem(by_cookie(Method::POST, "/v1/logout"), 403).await;
    let out = by_cookie(Method::POST, "/v1/logout").header("x-ringlift-page", "1").send().await.unwrap();
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    problem(by_cookie(Method::GET, "/v1/session"), 401).await;
}

#[tokio::test]
async fn the_page_and_its_files_come_with_a_strict_policy() {
    let node = Node::start().await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/console", "text/html"),
        ("/m/482913", "text/html"),
        ("/j/a-ticket", "text/html"),
        ("/e", "text/html"),
        ("/e/a-ticket", "text/html"),
        ("/scan", "text/html"),
        ("/c", "text/html"),
        ("/c/", "text/html"),
        ("/c/a-ticket", "text/html"),
        ("/landing.js", "text/javascript"),
        ("/meeting.js", "text/javascript"),
        ("/language.js", "text/javascript"),
        ("/de.js", "text/javascript"),
        ("/es.js", "text/javascript"),
        ("/fr.js", "text/javascript"),
        ("/pt.js", "text/javascript"),
        ("/zh.js", "text/javascript"),
        ("/push.js", "text/javascript"),
        ("/meeting.css", "text/css"),
        ("/console.js", "text/javascript"),
        ("/console.css", "text/css"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let response = node.client.get(node.url(path)).header(HOST, "any").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with(kind));
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(
            policy.contains("default-src 'none'")
                && policy.contains("frame-ancestors 'none'")
                && !policy.contains("unsafe")
        );
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let tag = response.headers()["etag"].clone();
        let again = node.client.get(node.url(path)).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path} is sent once");
    }
}

#[tokio::test]
async fn a_browser_that_can_is_sent_the_page_compressed() {
    let node = Node::start().await;
    let plain = node.client.get(node.url("/console.js")).send().await.unwrap().bytes().await.unwrap();
    let asked = node.client.get(node.url("/console.js")).header("accept-encoding", "br, gzip;q=0.8");
    let packed = asked.send().await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() * 2 < plain.len(), "{} of {}", packed.len(), plain.len());
    let refused = node.client.get(node.url("/console.js")).header("accept-encoding", "gzip;q=0").send().await.unwrap();
    assert!(!refused.headers().contains_key("content-encoding"));
}

#[tokio::test]
async fn readiness_and_metrics_tell_how_it_is() {
    let node = Node::start().await;
    let plain = async |path: &str| {
        let response = node.client.get(node.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    assert_eq!(plain("/healthz").await.0, 200);
    assert_eq!(plain("/readyz").await, (200, "ready\n".into()));
    let room = node.room("R", "1").await;
    node.join(room, "+15551234567").await;
    let (status, text) = plain("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "ringlift_calls 1\n",
        "ringlift_refused_total{cause=\"no_route\"} 2\n",
        "# TYPE ringlift_calls gauge\n",
        "ringlift_store_healthy 1\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("555123"));
    let status = ok(node.get("/v1/status")).await;
    assert_eq!(status["gateway"]["calls"], 1);
    assert_eq!(status["store"]["healthy"], true);
    node.drain();
    assert_eq!(plain("/readyz").await, (503, "draining\n".into()));
    assert_eq!(plain("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_first_key_that_could_not_be_shown_is_made_anew_at_the_next_start() {
    use ringlift::api::first_key::{first_key, take_back};
    let opened = ringlift::store::Store::open(&crate::node::fresh_path(), ringlift::store::clock::utc()).await.unwrap();
    let lost = first_key(&opened.store).await.unwrap().unwrap();
    take_back(&opened.store, &lost).await.unwrap();
    assert!(opened.store.key_by_secret(lost.expose()).await.unwrap().is_none(), "it opens nothing");
    assert!(first_key(&opened.store).await.unwrap().is_some());
    assert!(first_key(&opened.store).await.unwrap().is_none(), "one that was shown is the last");
}
