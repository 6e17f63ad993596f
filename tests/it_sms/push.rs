//! Notifications of browsers in the program as it is shipped: a text proves whose number it is, the next link comes to the
//! browser, and where that fails the text comes after all.

use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::common::providers::push::{Browser, PushService, Pushed};
use crate::common::{s, until};
use crate::elevation::World;

const BEN: &str = "+4915112345672";
const TONE: f64 = 620.0;

/// What a page sends to `/meet/push`; the answer's status and the end of its problem's name.
fn sends(world: &World, method: reqwest::Method, body: &Value) -> (u16, String) {
    let url = format!("http://{}/meet/push", world.gateway.api());
    world.runtime.block_on(async {
        let request = reqwest::Client::new()
            .request(method, url)
            .header("x-ringlift-page", "1")
            .header("origin", "https://gw.example.org")
            .json(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap_or_default();
        (status, problem["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap().to_owned())
    })
}

/// Ben calls and presses the key; what is done with the call up, then he hangs up.
fn elevated<T>(world: &World, then: impl FnOnce() -> T) -> T {
    let mut ben = world.calls(TONE, BEN);
    ben.key("*3");
    let done = then();
    ben.hang_up();
    world.gateway.settles();
    done
}

fn arrived(service: &PushService, count: usize) -> Pushed {
    until("a notification", s(10), || service.pushed().get(count - 1).cloned())
}

/// The steps of the latest elevation, with their reasons, until this one; from the event after which was read before.
fn steps(world: &World, after: &mut u64, last: &str) -> Vec<(String, Value)> {
    let events = world.gateway.events(*after, &format!("elevation.{last}"));
    *after = events.iter().filter_map(|event| event["seq"].as_u64()).max().unwrap();
    let from = events.iter().rposition(|event| event["type"] == "elevation.asked").unwrap();
    let told = |event: &Value| {
        let step = event["type"].as_str()?.strip_prefix("elevation.")?.to_owned();
        Some((step, event["reason"].clone()))
    };
    events[from..].iter().filter_map(told).collect()
}

#[test]
fn the_next_link_comes_to_the_browser_that_a_text_proved_and_to_nobody_else() {
    let world = World::new();
    let service = world.runtime.block_on(PushService::start());
    let (phone, tablet) = (Browser::at(&service, 7), Browser::at(&service, 9));
    let key = world.gateway.file("push.pem");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "its owner's alone");

    let mut after = 0;

    // The first time a text comes, and its link's page is asked whether it wants to be told the next time.
    let public = elevated(&world, || {
        let (status, done) = world.posts("/meet/elevate", &json!({ "ticket": world.link() }));
        assert_eq!(status, 200, "{done}");
        let holder = done["holder"].as_str().unwrap();
        let post = |body: &Value| sends(&world, reqwest::Method::POST, body);
        assert_eq!(post(&phone.posts("0c2f4h6k8m1p3r5t7v9x0z2b4d")), (404, "elevation-unknown".into()));
        for (field, wrong) in [
            ("endpoint", json!("http://203.0.113.9/not-encrypted")),
            ("endpoint", json!("https://10.0.0.1/private")),
            ("endpoint", json!("file:///etc/passwd")),
            ("keys", json!({ "p256dh": "AAAA", "auth": "AAAA" })),
        ] {
            let mut body = phone.posts(holder);
            body[field] = wrong;
            assert_eq!(post(&body).0, 422, "{body}");
        }
        for browser in [&phone, &phone, &tablet] {
            assert_eq!(post(&browser.posts(holder)).0, 204);
        }
        steps(&world, &mut after, "authenticated");
        done["push"].as_str().expect("the key to subscribe with").to_owned()
    });
    assert!(service.pushed().is_empty() && world.provider.taken().len() == 1);

    // The second time both browsers are told, and there is no text.
    elevated(&world, || {
        arrived(&service, 2);
        let pushed = service.pushed();
        let find = |of: &Browser| pushed.iter().find(|one| of.endpoint.ends_with(&one.path)).expect("both are told");
        let message: Value = serde_json::from_slice(&phone.reads(&find(&phone).body)).unwrap();
        assert_eq!(message, serde_json::from_slice::<Value>(&tablet.reads(&find(&tablet).body)).unwrap());
        assert_eq!((message["room"].as_str(), message.as_object().unwrap().len()), (Some("Open"), 2));
        for one in &pushed {
            let (claims, signer) = one.sender();
            assert_eq!((claims["aud"].as_str(), &signer), (Some(&*service.origin()), &public));
            assert_eq!(claims["sub"], "https://gw.example.org");
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
            assert!((now + 60..=now + 24 * 3600).contains(&claims["exp"].as_u64().unwrap()));
            assert_eq!((one.header("ttl"), one.header("urgency")), ("60", "high"));
            assert_eq!(one.header("content-encoding"), "aes128gcm");
            let topic = one.header("topic");
            assert!(!topic.is_empty() && topic.len() <= 32 && topic == pushed[0].header("topic"), "{topic}");
            assert_eq!(one.body.len(), pushed[0].body.len());
        }
        let link = message["link"].as_str().unwrap().strip_prefix("https://gw.example.org/e/").expect("a link");
        let (status, done) = world.posts("/meet/elevate", &json!({ "ticket": link }));
        assert_eq!(status, 200, "{done}");
        assert!(done.get("push").is_none(), "a notification proves nothing of the number");
        let refused = sends(&world, reqwest::Method::POST, &phone.posts(done["holder"].as_str().unwrap()));
        assert_eq!(refused, (403, "elevation-not-proved".into()));
        let names: Vec<String> = steps(&world, &mut after, "authenticated").into_iter().map(|(step, _)| step).collect();
        assert_eq!(names[..4], ["asked", "pushed", "opened", "authenticated"]);
        let log = world.gateway.log();
        for secret in [link, "push/7", "15112345672"] {
            assert!(!log.contains(secret), "a secret is in the log");
        }
    });
    assert_eq!(world.provider.taken().len(), 1, "no text");

    // One browser ends it; of the other its push service says that it is gone: the text comes at once, and why is told.
    assert_eq!(sends(&world, reqwest::Method::DELETE, &tablet.ends()).0, 204);
    service.will([410]);
    elevated(&world, || {
        until("the text", s(5), || (world.provider.taken().len() == 2).then_some(()));
        let told = steps(&world, &mut after, "texted");
        assert_eq!(told[..2], [("asked".into(), Value::Null), ("texted".into(), json!("push_gone"))]);
    });
    assert_eq!(service.pushed().len(), 3);
    elevated(&world, || until("the text", s(5), || (world.provider.taken().len() == 3).then_some(())));
    assert_eq!(service.pushed().len(), 3, "who is gone is asked no more");
}

#[test]
fn a_push_service_that_is_down_costs_no_time_and_the_key_outlives_a_restart() {
    let mut world = World::new();
    let service = world.runtime.block_on(PushService::start());
    let phone = Browser::at(&service, 7);
    let mut after = 0;
    let public = elevated(&world, || {
        let (_, done) = world.posts("/meet/elevate", &json!({ "ticket": world.link() }));
        let (status, why) = sends(&world, reqwest::Method::POST, &phone.posts(done["holder"].as_str().unwrap()));
        assert_eq!(status, 204, "{why}");
        steps(&world, &mut after, "authenticated");
        done["push"].clone()
    });
    world.gateway.restart();
    service.will([503]);
    elevated(&world, || {
        until("the text", s(5), || (world.provider.taken().len() == 2).then_some(()));
        assert_eq!(steps(&world, &mut after, "texted")[1], ("texted".into(), json!("push_down")));
    });
    elevated(&world, || {
        let pushed = arrived(&service, 2);
        assert_eq!(json!(pushed.sender().1), public, "browsers are subscribed for this key alone");
    });
}

#[test]
fn two_callers_are_elevated_at_once_one_by_a_notification_and_one_by_a_text() {
    let world = World::new();
    let service = world.runtime.block_on(PushService::start());
    let phone = Browser::at(&service, 7);
    elevated(&world, || {
        let (_, done) = world.posts("/meet/elevate", &json!({ "ticket": world.link() }));
        let (status, why) = sends(&world, reqwest::Method::POST, &phone.posts(done["holder"].as_str().unwrap()));
        assert_eq!(status, 204, "{why}");
    });
    let mut ben = world.calls(TONE, BEN);
    let mut carla = world.calls(800.0, "+4915112345680");
    world.gateway.has_in_room(&world.room, 2, s(5));
    let before: Vec<Value> = world.gateway.calls().iter().map(|call| call["call_id"].clone()).collect();
    ben.key("*3");
    carla.key("*3");
    let message: Value = serde_json::from_slice(&phone.reads(&arrived(&service, 1).body)).unwrap();
    until("the text", s(10), || (world.provider.taken().len() == 2).then_some(()));
    let text = world.provider.taken().pop().unwrap();
    assert_eq!(text.to, "+4915112345680", "of the two, who has no browser that is told");
    let by_text = world.link();
    let by_push = message["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (link, ending) in [(by_push, "72"), (by_text, "80")] {
        let (status, done) = world.posts("/meet/elevate", &json!({ "ticket": link }));
        assert_eq!(status, 200, "{done}");
        let welcome = world.joins(done["ticket"].as_str().unwrap());
        assert_eq!(welcome["you"], world.participant(ending)["id"], "each in the own seat");
    }
    assert_eq!(world.gateway.participants(&world.room).len(), 2);
    let after: Vec<Value> = world.gateway.calls().iter().map(|call| call["call_id"].clone()).collect();
    assert_eq!(after, before, "the same dialogs");
    assert_eq!((world.provider.taken().len(), service.pushed().len()), (2, 1));
    ben.hang_up();
    carla.hang_up();
}
