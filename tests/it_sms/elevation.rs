//! The program as it is shipped: a telephone calls, presses the key, the provider gets the text, its link is opened, and a
//! page sits in the telephone's seat, while the call goes on without a gap.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::common::gateway::{Gateway, Setup};
use crate::common::phone::{Phone, Setup as PhoneSetup};
use crate::common::providers::{ACCOUNT, Brand, FROM, Provider, SECRET};
use crate::common::{s, until};

const ANNA: f64 = 440.0;
const BEN: f64 = 620.0;

pub struct World {
    pub runtime: tokio::runtime::Runtime,
    pub provider: Provider,
    pub gateway: Gateway,
    pub room: String,
}

impl World {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let provider = runtime.block_on(Provider::start(Brand::Twilio));
        let (gateway, room) = Setup::new()
            .with("api", "public_url = \"https://gw.example.org\"")
            // Where the push service is, too.
            .with("routing", "private_networks = [\"127.0.0.0/8\"]")
            .with("sms", "provider = \"twilio\"")
            .with("sms", &format!("account = \"{ACCOUNT}\""))
            .with("sms", &format!("secret = \"{SECRET}\""))
            .with("sms", &format!("from = \"{FROM}\""))
            .with("sms", &format!("url = \"{}\"", provider.url()))
            .start_with_open_room();
        Self { runtime, provider, gateway, room }
    }

    pub fn calls(&self, tone: f64, number: &str) -> Phone {
        let from = format!("sip:{number}@127.0.0.1");
        let mut phone = PhoneSetup::tone(tone).with(&["--from", &from]).call(&self.gateway.uri());
        phone.answered();
        phone
    }

    /// Whose number ends so.
    pub fn participant(&self, ending: &str) -> Value {
        let all = self.gateway.participants(&self.room);
        let found = all.into_iter().find(|one| one["number"].as_str().is_some_and(|number| number.ends_with(ending)));
        found.expect("a participant")
    }

    /// What a page posts.
    pub fn posts(&self, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.gateway.api());
        self.runtime.block_on(async {
            let request = reqwest::Client::new()
                .post(url)
                .header("x-ringlift-page", "1")
                .header("origin", "https://gw.example.org")
                .json(body);
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap())
        })
    }

    /// A page joins by a ticket; its welcome.
    pub fn joins(&self, ticket: &str) -> Value {
        let api = self.gateway.api();
        self.runtime.block_on(async {
            let mut request = format!("ws://{api}/meet/socket").into_client_request().unwrap();
            request.headers_mut().insert("origin", "https://gw.example.org".parse().unwrap());
            let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
            let join = json!({ "id": 1, "type": "join", "version": 1, "ticket": ticket });
            socket.send(Message::text(join.to_string())).await.unwrap();
            let said = async {
                loop {
                    // A ping may come first.
                    if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                        return serde_json::from_str(&text).unwrap();
                    }
                }
            };
            tokio::time::timeout(s(10), said).await.expect("a welcome")
        })
    }

    /// The end of the link in the text that the provider has.
    pub fn link(&self) -> String {
        let body = until("the text to arrive", s(10), || self.provider.taken().last().map(|text| text.body.clone()));
        let link = body.split_whitespace().find(|word| word.starts_with("https://gw.example.org/e/")).expect("a link");
        link.rsplit('/').next().unwrap().to_owned()
    }
}

#[test]
fn a_caller_presses_the_key_and_a_tap_later_a_page_sits_in_the_same_seat_and_the_call_has_no_gap() {
    let world = World::new();
    let mut anna = world.calls(ANNA, "+4915112345671");
    let mut ben = world.calls(BEN, "+4915112345672");
    world.gateway.has_in_room(&world.room, 2, s(5));
    let before = world.gateway.calls();
    ben.key("*3");
    let link = world.link();
    let text = world.provider.taken().pop().unwrap();
    assert_eq!(text.to, "+4915112345672");
    let seat = world.participant("72");
    // From here on: a preview, the tap, the page, and nothing of it is heard.
    let heard_until = anna.heard().length();
    let page = world.runtime.block_on(async {
        let url = format!("http://{}/e/{link}", world.gateway.api());
        reqwest::get(url).await.unwrap().status().as_u16()
    });
    assert_eq!(page, 200);
    let (status, info) = world.posts("/meet/elevate/info", &json!({ "ticket": link }));
    assert_eq!((status, &info["used"], &info["name"]), (200, &json!(false), &json!("Open")), "{info}");
    let (status, done) = world.posts("/meet/elevate", &json!({ "ticket": link }));
    assert_eq!(status, 200, "{done}");
    let welcome = world.joins(done["ticket"].as_str().unwrap());
    assert_eq!((&welcome["type"], &welcome["you"]), (&json!("welcome"), &seat["id"]), "{welcome}");
    let me = welcome["people"].as_array().unwrap().iter().find(|one| one["id"] == seat["id"]).unwrap();
    assert_eq!(me["audio"], "phone");
    let (status, refused) = world.posts("/meet/elevate", &json!({ "ticket": link }));
    assert_eq!((status, &refused["type"]), (409, &json!("urn:ringlift:problem:elevation-used")));
    let (status, refused) = world.posts("/meet/elevate", &json!({ "ticket": "0000000000000000000000" }));
    assert_eq!((status, &refused["type"]), (404, &json!("urn:ringlift:problem:elevation-unknown")));
    assert_eq!(world.gateway.participants(&world.room).len(), 2, "one person, one seat");
    until("three seconds more to be heard", s(10), || (anna.heard().length() > heard_until + s(3)).then_some(()));
    let since = anna.heard().last(s(3));
    let gaps = since.gaps(BEN);
    // A busy machine is late by itself; a leg that is moved, held or spoken over is silent for much longer.
    assert!(gaps.iter().all(|gap| *gap < Duration::from_millis(200)), "the telephone's voice goes on: {gaps:?}");
    let ids = |calls: &[Value]| -> Vec<(Value, Value)> {
        calls.iter().map(|call| (call["id"].clone(), call["call_id"].clone())).collect()
    };
    assert_eq!(ids(&world.gateway.calls()), ids(&before), "the same dialogs");
    // Every step is in the log, and nothing that opens anything.
    let steps: Vec<String> = world
        .gateway
        .events(0, "elevation.bound")
        .iter()
        .filter_map(|event| event["type"].as_str()?.strip_prefix("elevation.").map(str::to_owned))
        .collect();
    for step in ["asked", "texted", "sent", "opened", "authenticated", "bound"] {
        assert!(steps.iter().any(|one| one == step), "{step} in {steps:?}");
    }
    let log = world.gateway.log();
    for secret in [&link, done["ticket"].as_str().unwrap(), done["holder"].as_str().unwrap(), "15112345672"] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    anna.hang_up();
    ben.hang_up();
}

#[test]
fn killed_between_the_tap_and_the_page_the_call_is_on_record_and_a_new_one_is_elevated_anew() {
    let mut world = World::new();
    let mut ben = world.calls(BEN, "+4915112345672");
    ben.key("*3");
    let link = world.link();
    let (status, done) = world.posts("/meet/elevate", &json!({ "ticket": link }));
    assert_eq!(status, 200, "{done}");
    world.gateway.restart();
    drop(ben);
    let cut_off = world.gateway.get("/v1/call-records");
    assert!(cut_off.to_string().contains("cut_off"), "{cut_off}");
    let (status, refused) = world.posts("/meet/elevate", &json!({ "ticket": link }));
    assert_eq!((status, &refused["type"]), (404, &json!("urn:ringlift:problem:elevation-unknown")));
    assert_eq!(world.provider.taken().len(), 1, "no second text for the first wish");
    let mut ben = world.calls(BEN, "+4915112345672");
    ben.key("*3");
    until("a second text, for the second wish", s(10), || (world.provider.taken().len() == 2).then_some(()));
    let (status, done) = world.posts("/meet/elevate", &json!({ "ticket": world.link() }));
    assert_eq!(status, 200, "{done}");
    assert_eq!(world.joins(done["ticket"].as_str().unwrap())["type"], "welcome");
    ben.hang_up();
}
