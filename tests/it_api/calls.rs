//! Calls made, held, handed over and ended by a program.

use reqwest::StatusCode;
use ringlift::api::scope::Scope;
use ringlift::base::{LegId, Secret};
use ringlift::gateway::command::{Command, Playable};
use ringlift::gateway::merge::MergeRequest;
use serde_json::{Value, json};

use crate::house::House;
use crate::node::{Node, ok, problem};

#[tokio::test]
async fn a_call_asked_for_twice_rings_once() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    let body =
        json!({ "to": "+49301111", "from": "ext_0000000000001", "headers": { "X-Order": "1871" }, "seconds": 30 });
    let send = |body: &Value| node.post("/v1/calls", body.clone()).header("Idempotency-Key", "order-1871").send();
    let (first, second) = tokio::join!(send(&body), send(&body));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.status(), second.status()), (StatusCode::CREATED, StatusCode::CREATED));
    let replayed = |one: &reqwest::Response| one.headers().contains_key("idempotency-replayed");
    assert!(replayed(&first) != replayed(&second), "one of the two is the repetition");
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let (first, second) = (first.text().await.unwrap(), second.text().await.unwrap());
    assert_eq!(first, second);
    let told = node.told().await;
    assert!(
        matches!(&told[..], [Command::Dial(request)] if request.headers == [("X-Order".to_owned(), "1871".to_owned())]),
        "{told:?}"
    );
    let call = ok(node.get(&location)).await;
    assert_eq!(
        (&call["state"], &call["direction"], &call["to"]),
        (&json!("ringing"), &json!("outbound"), &json!("+49301111"))
    );
    let other = json!({ "to": "+49302222", "from": "ext_0000000000001" });
    let reused = problem(node.post("/v1/calls", other.clone()).header("Idempotency-Key", "order-1871"), 422).await;
    assert_eq!(reused["type"], "urn:ringlift:problem:idempotency-key-reused");
    // What has no body, too.
    for again in [false, true] {
        let held = node.client.post(node.url(&format!("{location}/hold"))).bearer_auth(&node.admin);
        let held = held.header("Idempotency-Key", "hold-once").send().await.unwrap();
        assert_eq!(
            (held.status(), held.headers().contains_key("idempotency-replayed")),
            (StatusCode::NO_CONTENT, again)
        );
    }
    assert_eq!(node.told().await.len(), 1);
    // What was refused may be tried again under the same key.
    let resume = async |status| {
        let request = node.post(&format!("{location}/resume"), Value::Null).header("Idempotency-Key", "resume");
        assert_eq!(request.send().await.unwrap().status(), status);
    };
    resume(StatusCode::NO_CONTENT).await;
    let request = node.post(&format!("{location}/resume"), Value::Null).header("Idempotency-Key", "another");
    problem(request, 409).await;
    ok(node.post(&format!("/v1/rooms/{room}/dial"), json!({ "to": "+49303333", "name": "Dora" }))).await;
    assert!(
        matches!(&node.told().await[..], [Command::Unhold(_), Command::Unhold(_), Command::AddToRoom { room: into, .. }] if *into == room)
    );
}

#[tokio::test]
async fn a_live_call_is_held_keyed_played_to_handed_over_and_hung_up() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    let (leg, _) = node.join(room, "+15551234567").await;
    let (other, _) = node.join(room, "+15551234568").await;
    let path = format!("/v1/calls/{leg}");
    let post = async |verb: &str, body: Value| {
        let status = node.post(&format!("{path}/{verb}"), body).send().await.unwrap().status();
        assert_eq!(status, StatusCode::NO_CONTENT, "{verb}");
        node.told().await.pop()
    };
    post("hold", Value::Null).await;
    assert_eq!(ok(node.get(&path)).await["held_by_us"], true);
    post("resume", Value::Null).await;
    assert_eq!(ok(node.get(&path)).await["held_by_us"], false);
    let digits = Secret::new("1w4711#");
    assert_eq!(post("digits", json!({ "digits": "1w4711#" })).await, Some(Command::SendDigits { leg, digits }));
    let what = vec![Playable::Pause { milliseconds: 200 }, Playable::Music {}];
    let body = json!({ "what": [{ "play": "pause", "milliseconds": 200 }, { "play": "music" }], "repeat": true });
    assert_eq!(post("play", body).await, Some(Command::Play { leg, what, repeat: true }));
    assert_eq!(post("stop-playing", Value::Null).await, Some(Command::StopPlaying(leg)));
    assert_eq!(post("answer", Value::Null).await, Some(Command::Answer(leg)));
    let handed = post("transfer", json!({ "to": "102", "uui": "56a390f3;encoding=hex" })).await;
    let transfer = |to: &str, consult, uui: Option<&str>| Command::Transfer {
        leg,
        to: to.to_owned(),
        consult,
        headers: vec![],
        uui: uui.map(String::from),
    };
    assert_eq!(handed, Some(transfer("102", None, Some("56a390f3;encoding=hex"))));
    let handed = post("transfer", json!({ "consult": other })).await;
    assert_eq!(handed, Some(transfer("", Some(other), None)));
    let request = MergeRequest { room, by: None, both: true };
    let merged = post("merge", json!({ "room": room, "both": true })).await;
    assert_eq!(merged, Some(Command::Merge { leg, request }));
    post("hangup", Value::Null).await;
    assert_eq!(ok(node.get(&path)).await["cause"], "hung_up_by_operator");
    problem(node.post(&format!("{path}/hold"), Value::Null), 404).await;
}

#[tokio::test]
async fn nonsense_is_done_to_no_call() {
    let node = Node::start().await;
    let room = node.room("Monday call", "4711").await;
    let (leg, _) = node.join(room, "+15551234567").await;
    let path = format!("/v1/calls/{leg}");
    for (path, body, pointer, says) in [
        ("/v1/calls", json!({ "to": "101" }), "/from", "whose call it is"),
        ("/v1/calls", json!({ "from": "ext_0000000000001" }), "/to", "a number or a user"),
        ("/v1/calls", json!({ "to": "a\r\nb", "from": "ext_0000000000001" }), "/to", "a number or a user"),
        ("/v1/calls", json!({ "to": "101", "from": "101" }), "/from", "not an id"),
        ("/v1/calls", json!({ "to": "101", "room": room, "seconds": 2 }), "/seconds", "5 to 600"),
        ("/v1/calls", json!({ "to": "101", "room": room, "caller_id": "me" }), "/caller_id", ""),
        (
            "/v1/calls",
            json!({ "to": "101", "room": room, "headers": { "Route": "x" } }),
            "/headers/Route",
            "begins with X-",
        ),
        (
            "/v1/calls",
            json!({ "to": "101", "room": room, "headers": { "X-A": "b\nVia: c" } }),
            "/headers/X-A",
            "control",
        ),
        ("/v1/rooms/{room}/dial", json!({ "to": "101", "from": "ext_0000000000001" }), "/from", "leave it out"),
        ("{leg}/digits", json!({ "digits": "" }), "/digits", "1 to 128"),
        ("{leg}/digits", json!({ "digits": "1x" }), "/digits", "1 to 128"),
        ("{leg}/play", json!({ "what": [] }), "/what", "1 to 32"),
        ("{leg}/play", json!({ "what": [{ "play": "noise" }] }), "/what/0/play", "none of its values"),
        ("{leg}/play", json!({ "what": [{ "play": "prompt", "name": "gossip" }] }), "/what/0/name", "no such prompt"),
        ("{leg}/transfer", json!({}), "/to", "to whom"),
        ("{leg}/transfer", json!({ "consult": leg }), "/consult", "the call itself"),
        ("{leg}/merge", json!({}), "/room", "is missing"),
    ] {
        let path = path.replace("{leg}", &path_of(leg)).replace("{room}", &room.to_string());
        let refused = problem(node.post(&path, body), 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        assert!(refused.to_string().contains(says), "{refused}");
    }
    problem(node.post(&format!("{path}/dance"), Value::Null), 404).await;
    problem(node.post("/v1/rooms/room_0000000000000/dial", json!({ "to": "101" })), 404).await;
    let reader = node.key(&[Scope::CallsRead, Scope::RoomsWrite]).await;
    let dialling =
        node.client.post(node.url("/v1/calls")).bearer_auth(reader).json(&json!({ "to": "101", "room": room }));
    problem(dialling, 403).await;
}

fn path_of(leg: LegId) -> String {
    format!("/v1/calls/{leg}")
}

#[tokio::test]
async fn a_call_that_is_to_move_with_no_channel_at_all_is_refused_by_the_name_of_the_key() {
    let house = House::start().await;
    for channels in [json!([]), json!(["data"])] {
        let asked = house.post("/v1/calls/leg_0000000000000/move", json!({ "channels": channels }));
        let refused = problem(asked, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], "/channels", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("`audio`, `video`"), "{refused}");
    }
    house.stop().await;
}
