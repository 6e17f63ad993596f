//! The meeting's doors, over real sockets.

use futures_util::SinkExt;
use ringlift::api::Settings;
use ringlift::api::meet::prune::sweep;
use ringlift::base::ParticipantId;
use ringlift::gateway::command::Command;
use ringlift::room::Operation;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::house::House;
use crate::node::{fresh_path, ok, problem};

#[tokio::test]
async fn somebody_invited_meets_somebody_with_the_passcode() {
    let house = House::start().await;
    let room = house.room("Monday call").await;
    ok(house.post("/v1/dids", json!({ "called": "+4930901820", "action": { "to": "attendant" } }))).await;
    let made = house.invite(room, json!({ "role": "host", "name": "Hanna" })).await;
    let link = made["link"].as_str().unwrap();
    assert_eq!(link, format!("http://{}/j/{}", house.address, made["ticket"].as_str().unwrap()));
    assert_eq!(made["dial_in"]["one_tap"], "+4930901820,,482913#");
    assert!(made["qr"].as_str().unwrap().contains("<svg") && made["personal"] == true);
    for language in ["en", "de", "es", "fr", "pt", "zh"] {
        let text = made["text"][language].as_str().unwrap();
        assert!(text.contains(link) && text.contains("Monday call") && text.contains("482913"), "{text}");
    }
    let (mut hanna, welcome) = house.joined(json!({ "ticket": made["ticket"] })).await;
    assert_eq!((&welcome["role"], &welcome["people"][0]["name"]), (&json!("host"), &json!("Hanna")));
    assert_eq!(welcome["dial_in"]["numbers"], json!(["+4930901820"]));
    let (mut anna, welcome) = house.joined(json!({ "passcode": "482913", "name": "<b>Anna</b>" })).await;
    let you = welcome["you"].clone();
    assert_eq!(hanna.told("joined").await["person"]["name"], "<b>Anna</b>", "as it was written; pages show text");
    anna.says(json!({ "type": "chat", "text": "hello" })).await;
    assert_eq!(hanna.told("chat").await["line"]["text"], "hello");
    // By API: the same state at both pages.
    let mute = json!({ "operation": "mute", "participant": you });
    let view = ok(house.post(&format!("/v1/rooms/{room}/operations"), mute)).await;
    assert!(
        view["participants"].as_array().unwrap().iter().any(|p| p["audio_by"] == "web" && p["muted_by_host"] == true)
    );
    for page in [&mut hanna, &mut anna] {
        let muted = |told: &Value| told["type"] == "changed" && told["person"]["muted_by_host"] == true;
        assert_eq!(page.until(muted).await["person"]["id"], you);
    }
    // The log has what was said to all, and who came.
    let events = house.handle.store();
    house.handle.writer().settle().await.unwrap();
    let kinds: Vec<String> = events
        .events(0, Some(room), 100)
        .await
        .unwrap()
        .iter()
        .map(|event| serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert!(kinds.contains(&"chat.said".into()) && kinds.contains(&"participant.joined".into()), "{kinds:?}");
    // Withdrawn, it opens nothing; who came by it stays.
    let listed = ok(house.get(&format!("/v1/rooms/{room}/invitations"))).await;
    assert_eq!(listed["items"][0]["used"], 1);
    assert!(!listed.to_string().contains(made["ticket"].as_str().unwrap()));
    let id = made["id"].as_str().unwrap();
    let gone = house.client.delete(house.url(&format!("/v1/invitations/{id}"))).bearer_auth(&house.admin);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    let mut late = house.page().await;
    assert_eq!(late.joins(json!({ "ticket": made["ticket"] })).await["code"], "revoked_ticket");
    assert_eq!(hanna.says(json!({ "type": "ping" })).await["type"], "pong");
    house.stop().await;
}

#[tokio::test]
async fn other_sites_are_shut_out() {
    let house = House::start().await;
    for origin in [None, Some("https://evil.example"), Some("null"), Some("http://127.0.0.1:1")] {
        assert_eq!(house.page_from(origin).await.err(), Some(403), "{origin:?}");
    }
    assert!(house.page_from(Some(&format!("http://{}", house.address))).await.is_ok());
    problem(house.get("/meet/socket").header("origin", house.url("")), 400).await;
}

#[tokio::test]
async fn ten_megabytes_and_nonsense_disturb_nobody() {
    let house = House::start().await;
    let room = house.room("Room").await;
    let (mut anna, _) = house.joined(json!({ "passcode": "482913", "name": "Anna" })).await;
    let (mut bomber, _) = house.joined(json!({ "passcode": "482913", "name": "B" })).await;
    let line = json!({ "id": 9, "type": "chat", "text": "x".repeat(10 << 20) }).to_string();
    // The far end closes before all of it is taken.
    let _ = bomber.socket.send(Message::text(line)).await;
    assert!(matches!(bomber.closed().await, Some(1009) | None));
    let (mut odd, _) = house.joined(json!({ "passcode": "482913", "name": "C" })).await;
    for text in ["", "[]", "nonsense", "{\"id\":1}", "{\"id\":-1,\"type\":\"ping\"}", "\u{0}", "{\"type\":\"ping\"}"] {
        odd.sends(text).await;
        assert_eq!(odd.told("problem").await["code"], "bad_message", "{text}");
    }
    odd.socket.send(Message::binary(vec![0xff; 100])).await.unwrap();
    assert_eq!(odd.told("problem").await["code"], "bad_message");
    let deep = format!("{{\"id\":1,\"type\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    odd.sends(&deep).await;
    assert_eq!(odd.told("problem").await["code"], "bad_message");
    for _ in 0..20 {
        odd.sends("x").await;
    }
    assert_eq!(odd.closed().await, Some(1000));
    assert_eq!(anna.says(json!({ "type": "ping" })).await["type"], "pong");
    assert_eq!(ok(house.get(&format!("/v1/rooms/{room}"))).await["participants"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_page_that_does_not_read_is_cut_off_and_the_others_hear_everything() {
    let house = House::start().await;
    let room = house.room("Room").await;
    let (mut anna, _) = house.joined(json!({ "passcode": "482913", "name": "Anna" })).await;
    let (_stuck, welcome) = house.joined(json!({ "passcode": "482913", "name": "Stuck" })).await;
    let you: ParticipantId = welcome["you"].as_str().unwrap().parse().unwrap();
    let mut away = false;
    'all: for turn in 0..400 {
        for nth in 0..50 {
            let name = format!("{turn} {nth} {}", "n".repeat(40));
            let operation = Operation::Rename { participant: you, name };
            let done = house.handle.ask(Command::Operate { room, operation }).await;
            assert!(matches!(done, Ok(Ok(_))));
        }
        // Whoever reads is told each of them.
        let mark = format!("{turn} 49 ");
        let told = |told: &Value| told["person"]["name"].as_str().is_some_and(|name| name.starts_with(&mark));
        away = anna.until(told).await["person"]["away"] == true;
        if away {
            break 'all;
        }
    }
    assert!(away, "the other is cut off, its place kept for a while");
}

fn a_png(width: u32, height: u32, length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.resize(length.max(bytes.len()), 0);
    bytes
}

#[tokio::test]
async fn pictures_are_looked_at_before_they_are_passed_on() {
    let house = House::start().await;
    house.room("Room").await;
    let (mut host, _) = house.joined(json!({ "passcode": "998877", "name": "Host" })).await;
    let (_anna, welcome) = house.joined(json!({ "passcode": "482913", "name": "Anna" })).await;
    let resume = welcome["resume"].as_str().unwrap();
    let put = |resume: &str, body: Vec<u8>| house.client.put(house.url("/meet/avatar")).bearer_auth(resume).body(body);
    problem(put("0000", a_png(64, 64, 500)), 401).await;
    problem(house.client.put(house.url("/meet/avatar")).body("x"), 401).await;
    problem(put(resume, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec()), 415).await;
    problem(put(resume, a_png(60_000, 60_000, 500)), 422).await;
    problem(put(resume, a_png(64, 64, 300 * 1024)), 413).await;
    let body = a_png(64, 64, 200 * 1024);
    let set = ok(put(resume, body.clone())).await;
    let path = set["avatar"].as_str().unwrap();
    let seen = host.until(|told| told["type"] == "changed" && told["person"]["avatar"] != Value::Null).await;
    assert_eq!((&seen["person"]["avatar"], &seen["person"]["id"]), (&set["avatar"], &welcome["you"]));
    let shown = house.client.get(house.url(path)).send().await.unwrap();
    assert_eq!(shown.headers()["content-type"], "image/png");
    assert_eq!(shown.headers()["x-content-type-options"], "nosniff");
    assert!(shown.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(shown.bytes().await.unwrap(), body);
    problem(house.client.get(house.url("/meet/avatar/..%2f..%2fetc")), 404).await;
    let gone = house.client.delete(house.url("/meet/avatar")).bearer_auth(resume);
    assert_eq!(ok(gone).await["avatar"], Value::Null);
}

#[tokio::test]
async fn who_may_make_a_meeting_without_an_account() {
    let house = House::start().await;
    let site = house.url("");
    let make = |house: &House| {
        let asked =
            house.client.post(house.url("/meet/rooms")).json(&json!({ "name": "<i>Ours</i>", "your_name": "Ida" }));
        asked.header("origin", &site).header("x-ringlift-page", "1")
    };
    assert_eq!(ok(house.client.get(house.url("/meet/info"))).await["create"], "login");
    assert_eq!(problem(make(&house), 403).await["type"], "urn:ringlift:problem:login-needed");
    assert_eq!(make(&house).bearer_auth(&house.admin).send().await.unwrap().status(), 201, "by key");
    let open = House::start_at(fresh_path(), Settings { open_rooms: true, ..Settings::default() }).await;
    let made = open.client.post(open.url("/meet/rooms")).json(&json!({ "name": "<i>Ours</i>", "your_name": "Ida" }));
    problem(made.try_clone().unwrap(), 403).await;
    problem(made.try_clone().unwrap().header("origin", "https://evil.example").header("x-ringlift-page", "1"), 403)
        .await;
    let made = ok(made.header("origin", open.url("")).header("x-ringlift-page", "1")).await;
    let (mut ida, welcome) = open.joined(json!({ "ticket": made["host"]["ticket"] })).await;
    assert_eq!((&welcome["role"], &welcome["room"]["name"]), (&json!("host"), &json!("<i>Ours</i>")));
    let (_, welcome) = open.joined(json!({ "ticket": made["guests"]["ticket"], "name": "Gus" })).await;
    assert_eq!((&welcome["role"], welcome["people"].as_array().unwrap().len()), (&json!("guest"), 2));
    assert_eq!(ida.told("joined").await["person"]["name"], "Gus");
    let here = Settings { of_this_machine: true, ..Settings::default() };
    let here = House::start_at(fresh_path(), here).await;
    assert_eq!(ok(here.client.get(here.url("/meet/info"))).await["create"], "open");
    let passed_on = here.client.get(here.url("/meet/info")).header("x-forwarded-for", "203.0.113.9");
    assert_eq!(ok(passed_on).await["create"], "login", "a proxy brings people from elsewhere");
}

#[tokio::test]
async fn after_a_restart_pages_come_back_by_their_tickets() {
    let house = House::start().await;
    let room = house.room("Room").await;
    let made = house.invite(room, json!({ "name": "Anna" })).await;
    let (mut anna, welcome) = house.joined(json!({ "ticket": made["ticket"] })).await;
    let path = house.stop().await;
    assert_eq!(anna.closed().await, Some(1001), "the node stops");
    let house = House::start_at(path, Settings::default()).await;
    let by = json!({ "resume": welcome["resume"], "ticket": made["ticket"], "name": "Anna" });
    let (_, again) = house.joined(by).await;
    assert_eq!((&again["resumed"], &again["people"][0]["name"]), (&json!(false), &json!("Anna")));
}

#[tokio::test]
async fn a_link_is_looked_at_before_it_is_used_and_one_that_is_withdrawn_says_so() {
    let house = House::start().await;
    let room = house.room("Monday call").await;
    let made = house.invite(room, json!({ "name": "Ben", "uses": 1 })).await;
    let ticket = made["ticket"].as_str().unwrap().to_owned();
    let look = || house.client.get(house.url("/meet/invitation")).bearer_auth(&ticket);
    for _ in 0..2 {
        let seen = ok(look()).await;
        assert_eq!(
            (&seen["room"], &seen["name"], &seen["role"]),
            (&json!("Monday call"), &json!("Ben"), &json!("guest"))
        );
        assert_eq!((&seen["lobby"], &seen["personal"], &seen["started"]), (&json!(false), &json!(true), &json!(false)));
    }
    let listed = ok(house.get(&format!("/v1/rooms/{room}/invitations"))).await;
    assert_eq!(listed["items"][0]["used"], 0, "looking spends nothing");
    let (mut ben, welcome) = house.joined(json!({ "ticket": ticket })).await;
    ben.says(json!({ "type": "leave" })).await;
    assert!(problem(look(), 410).await["type"].as_str().unwrap().ends_with(":used-ticket"));
    let returns = look().header("x-ringlift-resume", welcome["resume"].as_str().unwrap());
    assert_eq!(ok(returns).await["name"], "Ben", "for whoever used it");
    // What brings him back is kept as a hash.
    house.handle.writer().settle().await.unwrap();
    let kept = house.handle.store().resumes(ringlift::store::clock::utc()).await.unwrap();
    assert_eq!(kept.len(), 1);
    let id = made["id"].as_str().unwrap();
    let gone = house.client.delete(house.url(&format!("/v1/invitations/{id}"))).bearer_auth(&house.admin);
    assert_eq!(gone.send().await.unwrap().status(), 204);
    assert!(problem(look(), 410).await["type"].as_str().unwrap().ends_with(":revoked-ticket"));
    let unknown = house.client.get(house.url("/meet/invitation")).bearer_auth("0000000000000000000000000a");
    assert!(problem(unknown, 404).await["type"].as_str().unwrap().ends_with(":bad-ticket"));
    problem(house.client.get(house.url("/meet/invitation")), 401).await;
    house.stop().await;
}

#[tokio::test]
async fn a_meeting_made_without_an_account_is_taken_away_when_nobody_uses_it_and_never_while_somebody_does() {
    let house = House::start_at(fresh_path(), Settings { open_rooms: true, ..Settings::default() }).await;
    let make = || {
        let origin = format!("http://{}", house.address);
        let request =
            house.client.post(house.url("/meet/rooms")).header("origin", origin).header("x-ringlift-page", "1");
        ok(request.json(&json!({ "name": "Try" })))
    };
    let (used, unused) = (make().await, make().await);
    let kept = house.room("Of the house").await;
    let (mut host, _) = house.joined(json!({ "ticket": used["host"]["ticket"] })).await;
    let no_time = std::time::Duration::ZERO;
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(sweep(&house.app, hour).await.unwrap(), 0, "not yet");
    assert_eq!(sweep(&house.app, no_time).await.unwrap(), 1);
    let rooms = ok(house.get("/v1/rooms")).await.to_string();
    let id = |made: &Value| made["room"]["id"].as_str().unwrap().to_owned();
    assert!(rooms.contains(&id(&used)) && !rooms.contains(&id(&unused)) && rooms.contains(&kept.to_string()));
    let mut late = house.page().await;
    assert_eq!(late.joins(json!({ "ticket": unused["host"]["ticket"] })).await["code"], "bad_ticket");
    host.says(json!({ "type": "leave" })).await;
    assert_eq!(sweep(&house.app, hour).await.unwrap(), 0, "somebody was there a moment ago");
    assert_eq!(sweep(&house.app, no_time).await.unwrap(), 1);
    house.handle.writer().settle().await.unwrap();
    let events = house.handle.store().events(0, None, 1000).await.unwrap();
    let deleted = events.iter().filter(|event| serde_json::to_value(event).unwrap()["type"] == "room.deleted");
    assert_eq!(deleted.count(), 2);
    house.stop().await;
}

#[tokio::test]
async fn whoever_spent_the_only_use_of_a_link_comes_back_after_a_restart() {
    let house = House::start().await;
    let room = house.room("Monday call").await;
    let made = house.invite(room, json!({ "role": "member", "name": "Mia", "uses": 1 })).await;
    let (_, welcome) = house.joined(json!({ "ticket": made["ticket"] })).await;
    let house = House::start_at(house.stop().await, Settings::default()).await;
    let mut stranger = house.page().await;
    assert_eq!(stranger.joins(json!({ "ticket": made["ticket"] })).await["code"], "used_ticket");
    let by = json!({ "ticket": made["ticket"], "resume": welcome["resume"] });
    let (_, again) = house.joined(by).await;
    assert_eq!((&again["role"], &again["people"][0]["name"]), (&json!("member"), &json!("Mia")));
    house.stop().await;
}
