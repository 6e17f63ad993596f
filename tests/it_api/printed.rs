//! Codes on paper, over real sockets: made, listed, scanned by a stranger's page, taken back, and good after a restart.

use ringlift::api::Settings;
use serde_json::{Value, json};

use crate::house::House;
use crate::node::{is_problem, ok, problem};

/// What a stranger's page asks.
async fn asks(house: &House, path: &str, body: Value) -> reqwest::Response {
    let request = house.client.post(house.url(&format!("/meet/codes/{path}"))).json(&body);
    let site = format!("http://{}", house.address);
    request.header("x-ringlift-page", "1").header("origin", site).send().await.unwrap()
}

async fn poster(house: &House, more: Value) -> Value {
    let room = house.room("Reception").await;
    let mut body = json!({ "title": "Poster", "room": room, "name": "Visitor", "context": "door 7" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ok(house.post("/v1/codes/printed", body)).await
}

#[tokio::test]
async fn a_stranger_scans_a_poster_comes_into_the_room_and_the_log_knows_why() {
    let house = House::start().await;
    let made = poster(&house, json!({ "uses": 2 })).await;
    let (id, link) = (made["id"].as_str().unwrap(), made["link"].as_str().unwrap());
    assert!(made["qr"].as_str().unwrap().contains("<svg") && made["digits"].as_str().unwrap().len() == 10);
    let png = house.get(&format!("/v1/codes/printed/{id}/qr.png")).send().await.unwrap();
    assert_eq!(png.headers()["content-type"], "image/png");
    assert!(png.bytes().await.unwrap().starts_with(b"\x89PNG"));
    let info: Value = asks(&house, "info", json!({ "ticket": link })).await.json().await.unwrap();
    assert_eq!(
        (&info["kind"], &info["name"], &info["person"]),
        (&json!("call"), &json!("Poster"), &json!("Reception"))
    );
    let claim: Value = asks(&house, "redeem", json!({ "ticket": link })).await.json().await.unwrap();
    let (_page, welcome) = house.joined(json!({ "ticket": claim["ticket"] })).await;
    assert_eq!(welcome["people"][0]["name"], "Visitor");
    house.handle.writer().settle().await.unwrap();
    let events = house.handle.store().events(0, None, 100).await.unwrap();
    let events: Vec<Value> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let used = events.iter().find(|event| event["type"] == "code.printed_used").expect("told");
    assert_eq!((&used["context"], &used["code"], &used["used"]), (&json!("door 7"), &json!(id), &json!(1)));
    let shown = ok(house.get(&format!("/v1/codes/printed/{id}"))).await;
    assert_eq!((&shown["used"], &shown["state"]), (&json!(1), &json!("open")));
    // After a restart it is good once more, by its digits; its picture is known no more.
    let path = house.stop().await;
    let house = House::start_at(path, Settings::default()).await;
    let digits = json!({ "digits": made["digits"] });
    let claim: Value = asks(&house, "redeem", digits.clone()).await.json().await.unwrap();
    house.joined(json!({ "ticket": claim["ticket"] })).await;
    let used_up = is_problem(asks(&house, "redeem", digits).await, 410).await;
    assert_eq!(used_up["type"], "urn:ringlift:problem:code-used-up");
    problem(house.get(&format!("/v1/codes/printed/{id}/qr.svg")), 409).await;
    house.stop().await;
}

#[tokio::test]
async fn printed_codes_are_listed_by_pages_and_taken_back() {
    let house = House::start().await;
    let mut made = Vec::new();
    let room = house.room("Reception").await;
    for number in 0..5 {
        let body = json!({ "title": format!("Letter {number}"), "room": room });
        made.push(ok(house.post("/v1/codes/printed", body)).await);
    }
    let first = ok(house.get("/v1/codes/printed?limit=3")).await;
    let next = first["next"].as_str().unwrap();
    let rest = ok(house.get(&format!("/v1/codes/printed?limit=3&cursor={next}"))).await;
    let ids =
        |page: &Value| -> Vec<Value> { page["items"].as_array().unwrap().iter().map(|of| of["id"].clone()).collect() };
    let mut listed = [ids(&first), ids(&rest)].concat();
    assert!(listed.len() == 5 && rest["next"].is_null());
    listed.sort_by_key(Value::to_string);
    let mut all: Vec<Value> = made.iter().map(|of| of["id"].clone()).collect();
    all.sort_by_key(Value::to_string);
    assert_eq!(listed, all);
    for secret in ["link", "digits"] {
        assert!(!format!("{first}{rest}").contains(made[0][secret].as_str().unwrap()), "{secret}s are shown once");
    }
    let place = format!("/v1/codes/printed/{}", made[0]["id"].as_str().unwrap());
    let gone = house.client.delete(house.url(&place)).bearer_auth(&house.admin).send().await.unwrap();
    assert_eq!(gone.status(), 204);
    assert_eq!(ok(house.get(&place)).await["state"], "revoked");
    let closed = is_problem(asks(&house, "info", json!({ "ticket": made[0]["link"] })).await, 410).await;
    assert_eq!(closed["type"], "urn:ringlift:problem:code-revoked");
    problem(house.get("/v1/codes/printed?limit=0"), 400).await;
    problem(house.get("/v1/codes/printed?cursor=x"), 400).await;
    problem(house.get("/v1/codes/printed/code_0000000000001"), 404).await;
    house.stop().await;
}

#[tokio::test]
async fn what_cannot_be_printed_is_refused_with_its_place() {
    let house = House::start().await;
    let room = house.room("Reception").await;
    let both = json!({ "title": "Poster", "room": room, "to": "204" });
    let neither = json!({ "title": "Poster" });
    let untitled = json!({ "room": room });
    let yesterday = json!({ "title": "Poster", "room": room, "expires": "2001-01-01T00:00:00Z" });
    for body in [both, neither, untitled, yesterday, json!({ "title": "Poster", "to": "112" })] {
        problem(house.post("/v1/codes/printed", body), 422).await;
    }
    let wrong = problem(house.post("/v1/codes/printed", json!({ "title": "P", "room": room, "expires": "soon" })), 422);
    assert_eq!(wrong.await["errors"][0]["pointer"], "/expires");
    let nowhere = json!({ "title": "Poster", "room": "room_0000000000009" });
    problem(house.post("/v1/codes/printed", nowhere), 404).await;
    let twice = house.post("/v1/codes/printed", json!({ "title": "P", "room": room })).header("idempotency-key", "a1");
    problem(twice, 400).await;
    house.stop().await;
}
