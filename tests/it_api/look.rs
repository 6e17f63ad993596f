//! A node to look at the page with: `cargo test --test it_api a_node_to_look_at -- --ignored --nocapture`.

use std::time::Duration;

use ringlift::gateway::event::Happening;
use ringlift::gateway::view::CallState;
use ringlift::media::command::Figures;
use ringlift::room::{Role, State};
use serde_json::json;
use tokio::sync::mpsc;

use crate::node::{Node, ok};

/// Serves until standard input ends. Each line of input is a happening: `speak`, `lobby`, `leave`, `drain`.
#[tokio::test]
#[ignore = "for people and for the page's own tests: it serves until its standard input ends"]
async fn a_node_to_look_at() {
    let node = Node::start().await;
    let board = ok(node
        .post("/v1/rooms", json!({ "name": "Board meeting", "pin": "482913", "host_pin": "77120458", "lobby": true })))
    .await;
    let monday = ok(node.post("/v1/rooms", json!({ "name": "Monday call", "pin": "4711" }))).await;
    for name in ["Support hotline", "Zoë’s room <b>&amp;</b>", "All hands"] {
        ok(node.post("/v1/rooms", json!({ "name": name, "pin_digits": 6 }))).await;
    }
    let id = |room: &serde_json::Value| room["settings"]["id"].as_str().unwrap().to_owned();
    ok(node.post("/v1/dids", json!({ "called": "+4930901820", "action": { "to": "attendant" } }))).await;
    ok(node.post("/v1/dids", json!({ "called": "board", "action": { "to": "room", "room": id(&board) } }))).await;
    let room = id(&board).parse().unwrap();
    let (_, anna) = node.join(room, "+4930123451").await;
    let (_, ben) = node.join(room, "+4917012345677").await;
    let (_, carla) = node.join(room, "+15551234567").await;
    let (_, dan) = node.join(room, "+33140205060").await;
    node.alter(anna, |one, call| {
        (one.name, one.display, one.role) = (Some("Anna Schmidt".into()), "Anna Schmidt".into(), Role::Host);
        call.figures =
            Some(Figures { received: 4000, lost: 3, jitter_ms: 4.2, round_trip_ms: Some(23.0), ..Figures::default() });
    })
    .await;
    node.alter(ben, |one, call| {
        (one.muted_by_host, one.hand) = (true, Some(1));
        call.figures = Some(Figures {
            received: 4000,
            lost: 90,
            jitter_ms: 34.0,
            round_trip_ms: Some(140.0),
            ..Figures::default()
        });
    })
    .await;
    node.alter(carla, |one, call| {
        one.state = State::Lobby;
        call.figures = Some(Figures { received: 900, lost: 150, jitter_ms: 60.0, ..Figures::default() });
    })
    .await;
    node.alter(dan, |one, call| {
        one.held = true;
        (call.state, call.held) = (CallState::InRoom, true);
    })
    .await;
    let other = id(&monday).parse().unwrap();
    let (_, eve) = node.join(other, "+4989123456").await;
    let mut people = Vec::new();
    for (user, name, number) in
        [("101", "Anna Schmidt", Some("+4930901821")), ("102", "Ben Yılmaz", None), ("front-desk", "front-desk", None)]
    {
        let made = ok(node.post("/v1/extensions", json!({ "user": user, "name": name, "number": number }))).await;
        people.push(made["id"].as_str().unwrap().to_owned());
    }
    node.register(people[0].parse().unwrap(), "Yealink SIP-T54W 96.86.0.75").await;
    node.register(people[0].parse().unwrap(), "Linphone Desktop/5.2.4").await;
    node.register(people[1].parse().unwrap(), "baresip v3.1.0").await;
    ok(node.post("/v1/groups", json!({ "user": "600", "name": "Sales", "members": [people[0], people[1]] }))).await;
    let out = |host: &str| json!({ "targets": [{ "uri": format!("sip:{host}") }], "register": { "aor": format!("sip:acme@{host}") } });
    ok(node.post(
        "/v1/trunks",
        json!({ "name": "Carrier A", "networks": ["203.0.113.0/24"], "outbound": out("sip.carrier.example") }),
    ))
    .await;
    ok(node.post("/v1/trunks", json!({ "name": "A dead carrier", "outbound": { "targets": [{ "uri": "sip:198.51.100.7:5061;transport=tls" }] } }))).await;
    ok(node.post("/v1/trunks", json!({ "name": "Switchboard", "networks": ["192.168.1.5"] }))).await;
    ok(node.post("/v1/calls", json!({ "from": people[0], "to": "102" }))).await;
    println!("look at http://{}/console#key={}", node.address, node.admin);
    let (sender, mut lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut speaking = false;
    loop {
        tokio::select! {
            line = lines.recv() => match line.as_deref() {
                Some("speak") => {
                    speaking = !speaking;
                    node.happens(Happening::Speaking { room, participant: anna, speaking }).await;
                    println!("spoke");
                }
                Some("lobby") => {
                    let (_, who) = node.join(room, "+442079460000").await;
                    node.alter(who, |one, _| one.state = State::Lobby).await;
                }
                Some("leave") => node.leave(eve).await,
                Some("drain") => node.drain(),
                Some(_) => {}
                None => return,
            },
            () = tokio::time::sleep(Duration::from_secs(3600)) => return,
        }
    }
}
