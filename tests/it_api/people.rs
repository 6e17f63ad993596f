//! Extensions, groups, ordered rules, and trunks that calls go out by.

use reqwest::StatusCode;
use ringlift::base::id::ExtensionId;
use serde_json::{Value, json};

use crate::node::{Node, ok, problem};

async fn extension(node: &Node, user: &str) -> String {
    ok(node.post("/v1/extensions", json!({ "user": user }))).await["id"].as_str().unwrap().to_owned()
}

fn patch(node: &Node, path: &str, body: Value) -> reqwest::RequestBuilder {
    node.client.patch(node.url(path)).bearer_auth(&node.admin).json(&body)
}

#[tokio::test]
async fn a_password_is_drawn_shown_once_and_never_again() {
    let node = Node::start().await;
    let sent = json!({ "user": "101", "name": "Anna Schmidt", "number": "+4930901821", "limits": { "max_calls": 2 } });
    let made = ok(node.post("/v1/extensions", sent.clone()).header("Idempotency-Key", "anna")).await;
    let password = made["password"].as_str().unwrap().to_owned();
    assert!(password.len() == 20 && password.bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(ok(node.post("/v1/extensions", sent).header("Idempotency-Key", "anna")).await, made, "the same answer");
    let path = format!("/v1/extensions/{}", made["id"].as_str().unwrap());
    for shown in [ok(node.get(&path)).await, ok(node.get("/v1/extensions")).await] {
        assert!(!shown.to_string().contains(&password) && !shown.to_string().contains("password"), "{shown}");
    }
    let stored = async |id: &Value| {
        let id: ExtensionId = id.as_str().unwrap().parse().unwrap();
        node.handle.store().extension(id).await.unwrap()
    };
    assert_eq!(stored(&made["id"]).await.password.expose(), password);
    // What is not said of limits is as configured.
    assert_eq!((&made["limits"]["max_calls"], &made["limits"]["premium"]), (&json!(2), &json!(false)));
    assert_eq!(made["limits"]["minutes_per_day"], 600);

    let after = ok(patch(&node, &path, json!({ "dnd": true, "limits": { "countries": ["49", "41"] } }))).await;
    assert_eq!((&after["dnd"], &after["name"]), (&json!(true), &json!("Anna Schmidt")));
    assert_eq!((&after["limits"]["countries"], &after["limits"]["max_calls"]), (&json!(["49", "41"]), &json!(2)));
    assert_eq!(stored(&made["id"]).await.password.expose(), password, "kept");
    let drawn = ok(node.client.post(node.url(&format!("{path}/password"))).bearer_auth(&node.admin)).await;
    assert_ne!(drawn["password"], password);
    assert_eq!(stored(&made["id"]).await.password.expose(), drawn["password"]);
    let own = ok(node.post("/v1/extensions", json!({ "user": "102", "password": "correct horse" }))).await;
    assert!(own.get("password").is_none(), "who chose it knows it");
    // A restart keeps everything.
    let (before, id) = (ok(node.get(&path)).await, made["id"].clone());
    let node = Node::start_at(node.stop().await).await;
    assert_eq!(ok(node.get(&path)).await, before);
    let id: ExtensionId = id.as_str().unwrap().parse().unwrap();
    assert_eq!(node.handle.store().table().await.unwrap().extensions.by_user("101").unwrap().id, id);
}

#[tokio::test]
async fn what_is_dialled_is_exactly_ones() {
    let node = Node::start().await;
    let anna = extension(&node, "101").await;
    let taken = async |path: &str, body: Value, pointer: &str| {
        let refused = problem(node.post(path, body), 409).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    };
    taken("/v1/extensions", json!({ "user": "101" }), "/user").await;
    taken("/v1/groups", json!({ "user": "101", "members": [anna] }), "/user").await;
    let credentials = json!({ "username": "101", "password": "correct horse" });
    taken("/v1/trunks", json!({ "name": "T", "credentials": credentials }), "/credentials/username").await;
    ok(node.post("/v1/groups", json!({ "user": "600", "members": [anna] }))).await;
    taken("/v1/extensions", json!({ "user": "600" }), "/user").await;
    ok(node.post("/v1/extensions", json!({ "user": "103", "number": "+4930901823" }))).await;
    taken("/v1/extensions", json!({ "user": "104", "number": "+4930901823" }), "/number").await;
    // A name that was given up is free.
    ok(patch(&node, &format!("/v1/extensions/{anna}"), json!({ "user": "anna" }))).await;
    extension(&node, "101").await;
}

#[tokio::test]
async fn a_group_rings_those_who_are_there() {
    let node = Node::start().await;
    let (anna, ben) = (extension(&node, "101").await, extension(&node, "102").await);
    let sent = json!({ "user": "600", "name": "Sales", "members": [ben, anna], "ring": "serial" });
    let made = ok(node.post("/v1/groups", sent)).await;
    assert_eq!(
        (&made["members"], &made["ring"], &made["seconds"]),
        (&json!([ben, anna]), &json!("serial"), &json!(20))
    );
    let path = format!("/v1/groups/{}", made["id"].as_str().unwrap());
    assert_eq!(ok(node.get(&path)).await, made, "in order");
    let refused = problem(node.delete(&format!("/v1/extensions/{anna}")), 409).await;
    assert_eq!(refused["detail"], "the group Sales still names this extension: change or delete it first");
    assert_eq!(ok(patch(&node, &path, json!({ "members": [ben], "seconds": 30 }))).await["members"], json!([ben]));
    assert_eq!(node.delete(&format!("/v1/extensions/{anna}")).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    for (body, pointer) in [
        (json!({ "user": "601", "members": [] }), "/members"),
        (json!({ "user": "601", "members": [ben, ben] }), "/members/1"),
        (json!({ "user": "601", "members": [ben, anna] }), "/members/1"),
        (json!({ "user": "601", "members": [ben], "seconds": 2 }), "/seconds"),
        (json!({ "user": "601", "members": [ben], "ring": "random" }), "/ring"),
        (json!({ "user": "6 01", "members": [ben] }), "/user"),
        (json!({ "user": "112", "members": [ben] }), "/user"),
    ] {
        assert_eq!(problem(node.post("/v1/groups", body), 422).await["errors"][0]["pointer"], pointer);
    }
    let did =
        ok(node.post("/v1/dids", json!({ "called": "+4930901820", "action": { "to": "group", "group": made["id"] } })))
            .await;
    let refused = problem(node.delete(&path), 409).await;
    assert_eq!(refused["detail"], "the number +4930901820 still names this group: change or delete it first");
    node.delete(&format!("/v1/dids/{}", did["id"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(node.delete(&path).send().await.unwrap().status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn rules_keep_their_order_whoever_comes_between() {
    let node = Node::start().await;
    let anna = extension(&node, "101").await;
    let rule = async |name: &str, position: Option<u32>| {
        let then = json!({ "to": "extension", "extension": anna });
        let made = ok(node.post("/v1/rules", json!({ "name": name, "position": position, "then": then }))).await;
        made["id"].as_str().unwrap().to_owned()
    };
    let order = async || {
        let list = ok(node.get("/v1/rules")).await;
        let items = list["items"].as_array().unwrap().clone();
        let positions: Vec<u64> = items.iter().map(|rule| rule["position"].as_u64().unwrap()).collect();
        assert_eq!(positions, (1..=items.len() as u64).collect::<Vec<_>>());
        items.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let (a, b) = (rule("A", None).await, rule("B", None).await);
    let (c, d) = (rule("C", Some(1)).await, rule("D", Some(99)).await);
    assert_eq!(order().await, "C A B D");
    assert_eq!(ok(patch(&node, &format!("/v1/rules/{c}"), json!({ "position": 3 }))).await["position"], 3);
    assert_eq!(order().await, "A B C D");
    let put = json!({ "name": "B2", "then": { "to": "refuse", "cause": "blocked" } });
    assert_eq!(ok(node.put(&format!("/v1/rules/{b}"), put)).await["position"], 2, "where it was");

    let listed = node.get("/v1/rules").send().await.unwrap();
    let tag = listed.headers()["etag"].to_str().unwrap().to_owned();
    let version = listed.json::<Value>().await.unwrap()["version"].clone();
    assert_eq!(tag, format!("\"{}\"", version.as_str().unwrap()));
    let wanted = json!({ "rules": [d, c, b, a] });
    assert_eq!(
        problem(node.put("/v1/rules/order", wanted.clone()), 428).await["type"],
        "urn:ringlift:problem:version-required"
    );
    ok(node.put("/v1/rules/order", wanted.clone()).header("If-Match", &tag)).await;
    assert_eq!(order().await, "D C B2 A");
    // Somebody else's order, made from the list before.
    problem(node.put("/v1/rules/order", json!({ "rules": [a, b, c, d], "version": version })), 412).await;
    let version = ok(node.get("/v1/rules")).await["version"].clone();
    for wrong in [json!([a, b, c]), json!([a, a, b, c]), json!([a, b, c, "rule_0000000000000"])] {
        let refused = problem(node.put("/v1/rules/order", json!({ "rules": wrong, "version": version })), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], "/rules");
    }
    assert_eq!(node.delete(&format!("/v1/rules/{c}")).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(order().await, "D B2 A");
    // The gateway walks the same list.
    let explained = ok(node.post("/v1/explain", json!({ "to": "1", "source": "192.0.2.4", "party": anna }))).await;
    let walked: Vec<&str> =
        explained["steps"].as_array().unwrap().iter().filter_map(|step| step["rule"].as_str()).collect();
    assert!(walked.iter().any(|step| step.ends_with(" D")), "{explained}");
    let node = Node::start_at(node.stop().await).await;
    let names: Vec<String> =
        node.handle.store().table().await.unwrap().rules.into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["D", "B2", "A"]);
}

#[tokio::test]
async fn a_rule_that_points_nowhere_is_refused() {
    let node = Node::start().await;
    let anna = extension(&node, "101").await;
    let elsewhere = json!({ "to": "extension", "extension": anna });
    for (body, pointer, says) in [
        (json!({ "name": "R", "then": { "to": "room", "room": "room_0000000000000" } }), "/then", "there is no room_"),
        (
            json!({ "name": "R", "then": { "to": "group", "group": "group_0000000000000" } }),
            "/then",
            "there is no group_",
        ),
        (json!({ "name": "R", "then": { "to": "trunk", "trunks": [] } }), "/then/trunks", "at least one"),
        (
            json!({ "name": "R", "then": { "to": "trunk", "trunks": ["trunk_0000000000000"] } }),
            "/then/trunks",
            "there is no trunk_",
        ),
        (
            json!({ "name": "R", "then": { "to": "webhook", "url": "ftp://x", "fallback": { "to": "attendant" } } }),
            "/then/url",
            "http",
        ),
        (json!({ "name": "R", "then": { "to": "moon" } }), "/then/to", "none of its values"),
        (
            json!({ "name": "R", "then": elsewhere, "when": { "sources": ["trunk_0000000000000"] } }),
            "/when/sources/0",
            "no such trunk",
        ),
        (json!({ "name": "R", "then": elsewhere, "when": { "called": ["1-22"] } }), "/when/called/0", "no range"),
        (
            json!({ "name": "R", "then": elsewhere, "when": { "time": { "zone": "Mars/Olympus" } } }),
            "/when/time/zone",
            "no time zone",
        ),
        (json!({ "name": "R", "then": elsewhere, "position": 0 }), "/position", "from 1"),
        (json!({ "name": "", "then": elsewhere }), "/name", "1 to 100"),
        (json!({ "name": "R" }), "/then", "is missing"),
    ] {
        let refused = problem(node.post("/v1/rules", body), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
    }
    // What a rule names stays: where it leads, and whose calls it is for.
    let ben = extension(&node, "102").await;
    ok(node.post("/v1/rules", json!({ "name": "Ben", "when": { "sources": [ben] }, "then": elsewhere }))).await;
    for id in [anna, ben] {
        let refused = problem(node.delete(&format!("/v1/extensions/{id}")), 409).await;
        assert_eq!(refused["detail"], "the rule Ben still names this extension: change or delete it first");
    }
}

#[tokio::test]
async fn a_webhooks_secret_is_kept_and_never_shown() {
    let node = Node::start().await;
    let webhook = |secret: Option<&str>| {
        let mut then =
            json!({ "to": "webhook", "url": "https://pbx.example/route", "fallback": { "to": "attendant" } });
        if let Some(secret) = secret {
            then["secret"] = secret.into();
        }
        then
    };
    let made = ok(node.post("/v1/rules", json!({ "name": "Ask", "then": webhook(Some("s3cr3t-s3cr3t")) }))).await;
    let path = format!("/v1/rules/{}", made["id"].as_str().unwrap());
    let did = ok(node.post("/v1/dids", json!({ "called": "*", "action": webhook(Some("s3cr3t-s3cr3t")) }))).await;
    for shown in
        [made.clone(), ok(node.get("/v1/rules")).await, ok(node.get(&path)).await, did, ok(node.get("/v1/dids")).await]
    {
        assert!(!shown.to_string().contains("s3cr3t"), "{shown}");
    }
    let stored =
        async || serde_json::to_value(node.handle.store().rules().await.unwrap()).unwrap()[0]["then"]["secret"].clone();
    ok(node.put(&path, json!({ "name": "Ask again", "then": webhook(None) }))).await;
    ok(patch(&node, &path, json!({ "enabled": false }))).await;
    assert_eq!(stored().await, "s3cr3t-s3cr3t", "kept when not sent");
    ok(patch(&node, &path, json!({ "then": { "secret": null } }))).await;
    assert_eq!(stored().await, Value::Null);
}

#[tokio::test]
async fn calls_go_out_by_a_trunk_whose_passwords_are_never_shown() {
    let node = Node::start().await;
    let sent = json!({ "name": "Carrier A", "profile": "generic", "calls_per_second": 5,
        "outbound": { "targets": [{ "uri": "sip:carrier.example" }, { "uri": "sip:198.51.100.7:5061;transport=tls", "priority": 10 }],
            "credentials": { "username": "acme", "password": "correct horse" },
            "register": { "aor": "sip:acme@carrier.example", "expires": 600 }, "caller_id": "+4930901820" },
        "tls": { "min_version": "1.3", "server_name": "carrier.example" }, "limits": { "countries": ["49"] },
        "identity": { "check": "show" } });
    let made = ok(node.post("/v1/trunks", sent)).await;
    assert!(!made.to_string().contains("correct horse"));
    let path = format!("/v1/trunks/{}", made["id"].as_str().unwrap());
    assert_eq!(made["outbound"]["username"], "acme");
    assert_eq!(
        made["outbound"]["targets"][1],
        json!({ "uri": "sip:198.51.100.7:5061;transport=tls", "priority": 10, "weight": 1 })
    );
    assert_eq!((&made["tls"]["verify"], &made["limits"]["max_calls"]), (&json!(true), &json!(100)));
    assert_eq!(ok(node.get(&path)).await["state"]["registration"], "registered");
    let after = ok(patch(&node, &path, json!({ "outbound": { "caller_id": "+4930901829" } }))).await;
    assert_eq!(
        (&after["outbound"]["caller_id"], &after["outbound"]["username"]),
        (&json!("+4930901829"), &json!("acme"))
    );
    let node = Node::start_at(node.stop().await).await;
    let mut again = ok(node.get(&path)).await;
    again["state"]["since"] = after["state"]["since"].clone();
    assert_eq!(again, after, "over a restart");
    let dead = json!({ "name": "dead", "outbound": { "targets": [{ "uri": "sip:gone.example" }] } });
    ok(node.post("/v1/trunks", dead)).await;
    let inbound = ok(node.post("/v1/trunks", json!({ "name": "inbound", "networks": ["192.0.2.1"] }))).await;
    let list = ok(node.get("/v1/trunks")).await;
    let state =
        |name: &str| list["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["state"].clone();
    assert_eq!((&state("dead")["up"], &state("dead")["why"]), (&json!(false), &json!("no answer to OPTIONS for 32 s")));
    assert_eq!((state("inbound"), &inbound["state"]), (Value::Null, &Value::Null), "nothing goes out there");
    let stored = node.handle.store().trunk(made["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(stored.outbound.unwrap().credentials.unwrap().password.expose(), "correct horse");
    for (field, value, pointer) in [
        ("profile", json!("martian"), "/profile"),
        ("calls_per_second", json!(0), "/calls_per_second"),
        ("outbound", json!({ "targets": [] }), "/outbound/targets"),
        ("outbound", json!({ "targets": [{ "uri": "tel:+49301" }] }), "/outbound/targets/0/uri"),
        (
            "outbound",
            json!({ "targets": [{ "uri": "sip:x.example" }], "register": { "aor": "sip:x.example" } }),
            "/outbound/register/aor",
        ),
        (
            "outbound",
            json!({ "targets": [{ "uri": "sip:x.example" }], "credentials": { "username": "a" } }),
            "/outbound/credentials/password",
        ),
        ("tls", json!({ "certificate": "/etc/a.pem" }), "/tls/key"),
        ("tls", json!({ "min_version": "1.1" }), "/tls/min_version"),
        ("limits", json!({ "countries": ["Germany"] }), "/limits/countries/0"),
    ] {
        let mut body = json!({ "name": "B", "networks": ["192.0.2.1"] });
        body[field] = value;
        let refused = problem(node.post("/v1/trunks", body), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    assert!(ok(node.get("/v1/profiles")).await["items"].as_array().unwrap().iter().any(|one| one["name"] == "generic"));
}

#[tokio::test]
async fn who_is_registered_is_seen_with_the_telephone_it_is() {
    let node = Node::start().await;
    let (anna, ben) = (extension(&node, "101").await, extension(&node, "102").await);
    node.register(anna.parse().unwrap(), "Yealink SIP-T54W 96.86.0.75").await;
    node.register(anna.parse().unwrap(), "Linphone/5.2").await;
    node.register(ben.parse().unwrap(), "baresip v3.1").await;
    let agents = |list: &Value| {
        let one = |phone: &Value| phone["user_agent"].as_str().unwrap().split(['/', ' ']).next().unwrap().to_owned();
        list.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let shown = ok(node.get(&format!("/v1/extensions/{anna}"))).await;
    assert_eq!(agents(&shown["registered"]), ["Yealink", "Linphone"]);
    let list = ok(node.get("/v1/extensions")).await;
    assert_eq!(agents(&list["items"][1]["registered"]), ["baresip"]);
    assert_eq!(agents(&ok(node.get("/v1/registrations")).await["items"]).len(), 3);
    let theirs = ok(node.get(&format!("/v1/registrations?extension={ben}"))).await;
    assert_eq!(agents(&theirs["items"]), ["baresip"]);
    problem(node.get("/v1/registrations?extension=102"), 400).await;
    let reload = node.client.post(node.url(&format!("/v1/extensions/{anna}/check-sync"))).bearer_auth(&node.admin);
    assert_eq!(reload.send().await.unwrap().status(), StatusCode::NO_CONTENT);
}
