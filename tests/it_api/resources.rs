//! Making, changing, deleting and asking.

use reqwest::StatusCode;
use ringlift::api::scope::Scope;
use serde_json::{Value, json};

use crate::node::{Node, ok, problem};

#[tokio::test]
async fn a_trunk_is_made_changed_and_deleted_and_never_shows_its_password() {
    let node = Node::start().await;
    let sent = json!({ "name": "Carrier A", "networks": ["203.0.113.0/24"], "credentials": { "username": "ring", "password": "correct horse" },
        "numbers": { "country": "49", "national_prefix": "0", "international_prefix": "00" } });
    let made = node.post("/v1/trunks", sent.clone()).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    let text = made.text().await.unwrap();
    assert!(!text.contains("correct horse"));
    let shown = ok(node.get(&location)).await;
    assert_eq!(shown["username"], "ring");
    assert!(!shown.to_string().contains("correct horse"));
    assert_eq!(ok(node.get("/v1/trunks")).await["items"].as_array().unwrap().len(), 1);

    let renamed = json!({ "name": "Carrier B", "credentials": { "username": "ring" } });
    assert_eq!(ok(node.put(&location, renamed)).await["name"], "Carrier B");
    let id = location.rsplit('/').next().unwrap().parse().unwrap();
    let stored = node.handle.store().trunk(id).await.unwrap();
    assert_eq!(stored.credentials.unwrap().password.expose(), "correct horse", "kept when not sent");
    let taken = problem(node.post("/v1/trunks", json!({ "name": "Carrier B", "networks": ["192.0.2.1"] })), 409).await;
    assert_eq!(taken["errors"][0]["pointer"], "/name");
    let taken = problem(
        node.post("/v1/trunks", json!({ "name": "C", "credentials": { "username": "ring", "password": "12345678" } })),
        409,
    )
    .await;
    assert_eq!(taken["errors"][0]["pointer"], "/credentials/username");

    let did = json!({ "called": "+4930901820", "trunk": id.to_string(), "action": { "to": "attendant" } });
    let did = ok(node.post("/v1/dids", did)).await["id"].as_str().unwrap().to_owned();
    let used = problem(node.delete(&location), 409).await;
    assert!(used["detail"].as_str().unwrap().contains("the number +4930901820 still names this trunk"));
    assert_eq!(node.delete(&format!("/v1/dids/{did}")).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(node.delete(&location).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    problem(node.get(&location), 404).await;
    problem(node.delete(&location), 404).await;
}

#[tokio::test]
async fn a_number_leads_where_it_says_and_explain_says_why() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    ok(node.post(
        "/v1/trunks",
        json!({ "name": "A", "networks": ["192.0.2.0/24"], "numbers": { "country": "49", "national_prefix": "0" } }),
    ))
    .await;
    let made = ok(node.post(
        "/v1/dids",
        json!({ "called": "+4930901820", "action": { "to": "room", "room": room }, "languages": ["de", "en"] }),
    ))
    .await;
    let explained =
        ok(node.post("/v1/explain", json!({ "to": "030901820", "from": "01701234567", "source": "192.0.2.4" }))).await;
    assert_eq!(explained["did"], made["id"]);
    assert_eq!(explained["action"]["room"], room.to_string());
    assert_eq!(explained["called"], "+4930901820");
    assert!(!explained.to_string().contains("1701234567"), "the caller is masked: {explained}");

    let twice =
        problem(node.post("/v1/dids", json!({ "called": "+4930901820", "action": { "to": "attendant" } })), 409).await;
    assert_eq!(twice["errors"][0]["pointer"], "/called");
    let nowhere = json!({ "called": "meet", "action": { "to": "room", "room": "room_0000000000000" } });
    assert_eq!(problem(node.post("/v1/dids", nowhere), 422).await["errors"][0]["pointer"], "/action");
    let by_nobody = json!({ "called": "meet", "trunk": "trunk_0000000000000", "action": { "to": "attendant" } });
    assert_eq!(problem(node.post("/v1/dids", by_nobody), 422).await["errors"][0]["pointer"], "/trunk");
    let path = format!("/v1/dids/{}", made["id"].as_str().unwrap());
    ok(node.put(&path, json!({ "called": "+4930901821", "action": { "to": "refuse", "cause": "refused_by_rule" } })))
        .await;
    assert_eq!(ok(node.get(&path)).await["action"]["cause"], "refused_by_rule");
    let explained = ok(node.post("/v1/explain", json!({ "to": "030901820", "source": "192.0.2.4" }))).await;
    assert_eq!(explained["refusal"], "no_route");
    problem(node.post("/v1/explain", json!({ "source": "192.0.2.4" })), 422).await;
}

#[tokio::test]
async fn a_room_keeps_what_it_was_given_over_a_restart() {
    let node = Node::start().await;
    let sent = json!({ "name": "Board", "pin": "4711", "host_pin": "0815", "first_caller": "host", "lobby": true, "tones_up_to": 0, "keys": "webex", "language": "de" });
    let made = ok(node.post("/v1/rooms", sent)).await;
    let path = format!("/v1/rooms/{}", made["settings"]["id"].as_str().unwrap());
    let node = Node::start_at(node.stop().await).await;
    let shown = ok(node.get(&path)).await;
    assert_eq!(shown["settings"], made["settings"]);
    assert_eq!(shown["settings"]["max_participants"], 1000);

    for pin in ["4711", "0815"] {
        for field in ["pin", "host_pin"] {
            let taken = problem(node.post("/v1/rooms", json!({ "name": "Other", field: pin })), 409).await;
            assert_eq!(taken["detail"], "this PIN opens another room, or the same room in the other role");
        }
    }
    // Guest and host PIN may change places.
    ok(node.put(&path, json!({ "name": "Board", "pin": "0815", "host_pin": "4711" }))).await;
    let did =
        ok(node
            .post("/v1/dids", json!({ "called": "meet", "action": { "to": "room", "room": made["settings"]["id"] } })))
        .await;
    problem(node.delete(&path), 409).await;
    ok(node.get(&path)).await;
    assert!(
        node.delete(&format!("/v1/dids/{}", did["id"].as_str().unwrap())).send().await.unwrap().status().is_success()
    );
    assert_eq!(node.delete(&path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    problem(node.get(&path), 404).await;
}

#[tokio::test]
async fn a_room_with_people_in_it_stays() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    let (leg, _) = node.join(room, "+15551234567").await;
    let path = format!("/v1/rooms/{room}");
    let refused = problem(node.delete(&path), 409).await;
    assert_eq!(refused["detail"], "people are in the room");
    assert_eq!(node.handle.store().room(room).await.unwrap().name, "Monday call", "nothing was deleted");
    node.delete(&format!("/v1/calls/{leg}")).send().await.unwrap();
    assert_eq!(node.delete(&path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_pin_is_drawn_where_none_is_chosen() {
    let node = Node::start().await;
    let mut pins = std::collections::BTreeSet::new();
    for n in 0..20 {
        let made = ok(node.post("/v1/rooms", json!({ "name": format!("R{n}"), "pin_digits": 6 }))).await;
        let pin = made["settings"]["pin"].as_str().unwrap().to_owned();
        assert!(pin.len() == 6 && pin.bytes().all(|b| b.is_ascii_digit()));
        pins.insert(pin);
    }
    assert_eq!(pins.len(), 20);
}

#[tokio::test]
async fn a_creation_sent_twice_happens_once() {
    let node = Node::start().await;
    for (path, body, other) in [
        ("/v1/rooms", json!({ "name": "R", "pin_digits": 6 }), json!({ "name": "S" })),
        ("/v1/trunks", json!({ "name": "T", "networks": ["192.0.2.1"] }), json!({ "name": "U" })),
        (
            "/v1/dids",
            json!({ "called": "*", "action": { "to": "attendant" } }),
            json!({ "called": "x", "action": { "to": "attendant" } }),
        ),
    ] {
        let send = |body: &Value| node.post(path, body.clone()).header("Idempotency-Key", "once").send();
        let first = send(&body).await.unwrap();
        if path == "/v1/rooms" {
            assert_eq!(first.status(), StatusCode::CREATED);
        } else {
            // The same key on another path is another request.
            assert_eq!(first.status(), StatusCode::UNPROCESSABLE_ENTITY);
            continue;
        }
        let location = first.headers()["location"].clone();
        let first = first.text().await.unwrap();
        let second = send(&body).await.unwrap();
        assert_eq!((second.status(), &second.headers()["location"]), (StatusCode::CREATED, &location));
        assert_eq!(second.headers()["idempotency-replayed"], "true");
        assert_eq!(second.text().await.unwrap(), first);
        let reused = problem(node.post(path, other).header("Idempotency-Key", "once"), 422).await;
        assert_eq!(reused["type"], "urn:ringlift:problem:idempotency-key-reused");
        assert_eq!(ok(node.get(path)).await["items"].as_array().unwrap().len(), 1);
        // Another API key's idempotency keys are its own.
        let key = node.key(&[Scope::RoomsWrite]).await;
        let theirs = node.client.post(node.url(path)).bearer_auth(key).header("Idempotency-Key", "once").json(&body);
        assert_ne!(ok(theirs).await.to_string(), first);
    }
    // What failed may be tried again under the same key.
    let send =
        |pin: &str| node.post("/v1/rooms", json!({ "name": "R", "pin": pin })).header("Idempotency-Key", "again");
    ok(node.post("/v1/rooms", json!({ "name": "R", "pin": "99" }))).await;
    problem(send("99"), 409).await;
    ok(send("98")).await;
    problem(node.post("/v1/rooms", json!({ "name": "R" })).header("Idempotency-Key", "x".repeat(256)), 400).await;
    problem(node.post("/v1/keys", json!({ "name": "R", "scopes": ["admin"] })).header("Idempotency-Key", "x"), 400)
        .await;
}

#[tokio::test]
async fn many_at_once_with_one_idempotency_key_make_one_room() {
    let node = Node::start().await;
    let sends = (0..20)
        .map(|_| ok(node.post("/v1/rooms", json!({ "name": "R", "pin_digits": 8 })).header("Idempotency-Key", "k")));
    let made = futures_util::future::join_all(sends).await;
    assert!(made.iter().all(|one| *one == made[0]));
    assert_eq!(ok(node.get("/v1/rooms")).await["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_done_in_a_room_is_seen_in_the_room() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    let (_, anna) = node.join(room, "+15551234567").await;
    let base = format!("/v1/rooms/{room}");
    let after = ok(node.post(&format!("{base}/operations"), json!({ "operation": "mute", "participant": anna }))).await;
    assert_eq!(after["participants"][0]["muted_by_host"], true);
    assert_eq!(node.post(&format!("{base}/lock"), Value::Null).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(ok(node.get(&base)).await["locked"], true);
    let done = node
        .client
        .post(node.url(&format!("{base}/participants/{anna}/mute")))
        .bearer_auth(&node.admin)
        .send()
        .await
        .unwrap();
    assert_eq!(done.status(), StatusCode::NO_CONTENT, "no body and no content type are needed");

    let refused = problem(node.post(&format!("{base}/participants/{anna}/admit"), Value::Null), 409).await;
    assert_eq!(refused["detail"], "the participant does not wait in the lobby");
    problem(node.post(&format!("{base}/participants/par_0000000000000/mute"), Value::Null), 404).await;
    problem(node.post(&format!("{base}/participants/{anna}/dance"), Value::Null), 404).await;
    problem(node.post(&format!("{base}/dance"), Value::Null), 404).await;
    let unknown = problem(node.post(&format!("{base}/operations"), json!({ "operation": "dance" })), 422).await;
    assert!(unknown["detail"].as_str().unwrap().contains("`dance` is none of its values"), "{unknown}");
}

#[tokio::test]
async fn a_call_is_live_then_a_record() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    let (leg, _) = node.join(room, "+15551234567").await;
    let path = format!("/v1/calls/{leg}");
    assert_eq!(ok(node.get(&path)).await["state"], "in_room");
    assert_eq!(ok(node.get("/v1/calls")).await["items"][0]["from"], "+15551234567");
    assert_eq!(node.delete(&path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let record = ok(node.get(&path)).await;
    assert_eq!(record["cause"], "hung_up_by_operator");
    assert_eq!(record["side"], "ours");
    assert_eq!(record["talked_ms"], 1500);
    problem(node.delete(&path), 404).await;
    problem(node.get("/v1/calls/leg_0000000000000"), 404).await;
}

#[tokio::test]
async fn call_records_are_paged_and_filtered() {
    let node = Node::start().await;
    let (one, other) = (node.room("One", "1").await, node.room("Other", "2").await);
    let mut legs = Vec::new();
    for n in 0..7 {
        let room = if n % 2 == 0 { one } else { other };
        legs.push(node.join(room, &format!("+1555123456{n}")).await.0.to_string());
    }
    node.delete(&format!("/v1/calls/{}", legs[0])).send().await.unwrap();
    node.handle.writer().settle().await.unwrap();
    let (mut seen, mut path) = (Vec::new(), "/v1/call-records?limit=3".to_owned());
    loop {
        let page = ok(node.get(&path)).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/call-records?limit=3&cursor={next}");
    }
    let mut sorted = seen.clone();
    sorted.sort();
    legs.sort();
    assert_eq!(sorted, legs, "each once");
    let count =
        async |query: &str| ok(node.get(&format!("/v1/call-records?{query}"))).await["items"].as_array().unwrap().len();
    assert_eq!(count(&format!("room={one}")).await, 4);
    assert_eq!(count("cause=hung_up_by_operator").await, 1);
    assert_eq!(count("cause=no_route").await, 0);
    assert_eq!(count("since=2020-01-01T00:00:00Z").await, 7);
    assert_eq!(count("until=2020-01-01T00:00:00%2B01:00").await, 0);
    for query in ["limit=0", "limit=501", "limit=x", "room=r", "cause=tired", "since=today", "cursor=x", "colour=red"] {
        let refused = problem(node.get(&format!("/v1/call-records?{query}")), 400).await;
        let name = query.split('=').next().unwrap();
        assert!(refused.to_string().contains(name), "{refused}");
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_leaves_the_rest() {
    let node = Node::start().await;
    let patch = |path: &str, body: Value| {
        let request = node.client.patch(node.url(path)).bearer_auth(&node.admin);
        request.header("content-type", "application/merge-patch+json").body(body.to_string())
    };
    let sent = json!({ "name": "Carrier A", "networks": ["203.0.113.0/24"], "credentials": { "username": "ring", "password": "correct horse" },
        "numbers": { "country": "49", "national_prefix": "0" }, "max_calls": 30 });
    let trunk = ok(node.post("/v1/trunks", sent)).await;
    let path = format!("/v1/trunks/{}", trunk["id"].as_str().unwrap());
    let after = ok(patch(&path, json!({ "max_calls": null, "numbers": { "country": "44" }, "enabled": false }))).await;
    let mut expected = trunk.clone();
    (expected["max_calls"], expected["numbers"]["country"], expected["enabled"]) =
        (Value::Null, "44".into(), false.into());
    assert_eq!(after, expected);
    let stored = node.handle.store().trunk(trunk["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(stored.credentials.unwrap().password.expose(), "correct horse");
    // By its networks alone from now on.
    assert_eq!(ok(patch(&path, json!({ "credentials": null }))).await["username"], Value::Null);
    for (body, pointer, says) in [
        (json!({ "networks": [] }), "/networks", "nobody can be known"),
        (json!({ "name": null }), "/name", "is missing"),
        (json!({ "colour": "red" }), "/colour", "no such field"),
        (json!({ "networks": { "x": 1 } }), "/networks", "write a list"),
    ] {
        let refused = problem(patch(&path, body), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
    }
    problem(patch("/v1/trunks/trunk_0000000000000", json!({})), 404).await;
    let operations = node.client.patch(node.url(&path)).bearer_auth(&node.admin);
    let refused = operations.header("content-type", "application/json-patch+json").body("[]").send().await.unwrap();
    assert_eq!(refused.headers()["accept-patch"], "application/merge-patch+json");
    crate::node::is_problem(refused, 415).await;

    let room =
        ok(node.post("/v1/rooms", json!({ "name": "Board", "pin": "4711", "host_pin": "0815", "lobby": true }))).await;
    let path = format!("/v1/rooms/{}", room["settings"]["id"].as_str().unwrap());
    let after = ok(patch(&path, json!({ "name": "Council", "host_pin": null }))).await;
    assert_eq!(after["settings"]["pin"], "4711");
    assert_eq!((&after["settings"]["name"], &after["settings"]["host_pin"]), (&json!("Council"), &Value::Null));
    assert_eq!(after["settings"]["lobby"], true);
    let did =
        ok(node.post("/v1/dids", json!({ "called": "meet", "action": { "to": "attendant" }, "languages": ["de"] })))
            .await;
    let path = format!("/v1/dids/{}", did["id"].as_str().unwrap());
    assert_eq!(ok(patch(&path, json!({ "called": "board" }))).await["languages"], json!(["de"]));
}

#[tokio::test]
async fn numbers_rooms_and_people_say_who_may_have_video_added_and_keep_it() {
    let node = Node::start().await;
    let rules = json!({ "allowed": true, "on_arrival": false, "pin": "unproved" });
    let mut paths = Vec::new();
    for (of, mut sent) in [
        ("dids", json!({ "called": "meet", "action": { "to": "attendant" } })),
        ("rooms", json!({ "name": "Board" })),
        ("extensions", json!({ "user": "101" })),
    ] {
        sent["elevation"] = rules.clone();
        let made = ok(node.post(&format!("/v1/{of}"), sent)).await;
        let id = made["id"].as_str().or(made["settings"]["id"].as_str()).unwrap();
        paths.push(format!("/v1/{of}/{id}"));
    }
    let node = Node::start_at(node.stop().await).await;
    let patch = |path: &str, body: Value| node.client.patch(node.url(path)).bearer_auth(&node.admin).json(&body);
    let of = |shown: &Value| shown.get("settings").unwrap_or(shown)["elevation"].clone();
    for path in &paths {
        assert_eq!(of(&ok(node.get(path)).await), rules, "{path}: over a restart");
        assert_eq!(of(&ok(patch(path, json!({}))).await), rules, "{path}: what is not named stays");
        let after = ok(patch(path, json!({ "elevation": { "pin": null, "by_host": false } }))).await;
        assert_eq!(of(&after), json!({ "allowed": true, "by_host": false, "on_arrival": false }), "{path}");
        let refused = problem(patch(path, json!({ "elevation": { "pin": "sometimes" } })), 422).await;
        assert!(refused["errors"][0]["pointer"].as_str().unwrap().starts_with("/elevation"), "{refused}");
    }
}

#[tokio::test]
async fn however_many_change_one_trunk_at_once_the_gateway_has_what_the_store_has() {
    let node = Node::start().await;
    let made = ok(node.post("/v1/trunks", json!({ "name": "T", "networks": ["192.0.2.0/24"] }))).await;
    let path = format!("/v1/trunks/{}", made["id"].as_str().unwrap());
    for round in 0..4 {
        let puts = (0..12).map(|n| {
            let body = json!({ "name": format!("T{round}.{n}"), "networks": ["192.0.2.0/24"], "max_calls": n + 1 });
            let request =
                node.put(&path, body).timeout(std::time::Duration::from_millis(if n % 3 == 0 { 3 } else { 5000 }));
            // Every third hangs up before the answer.
            async move { drop(request.send().await) }
        });
        futures_util::future::join_all(puts).await;
        // After all that came before.
        ok(node.post("/v1/rooms", json!({ "name": "R" }))).await;
        let stored = ok(node.get(&path)).await["name"].as_str().unwrap().to_owned();
        let explained = ok(node.post("/v1/explain", json!({ "to": "1", "source": "192.0.2.4" }))).await;
        let known = explained["steps"][0]["rule"].as_str().unwrap();
        assert!(known.ends_with(&stored), "the store has {stored}, the gateway {known}");
    }
}
