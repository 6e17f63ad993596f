//! How long elevation takes within our control: from the wish to the text at the provider, and from the tap to the seat, in the
//! whole program over loopback, beside a bare request to the same program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    dead_code,
    reason = "a measuring program that stops where it cannot go on"
)]

#[path = "../tests/common/mod.rs"]
#[allow(unused_imports, reason = "its own tests are the tests' to run")]
mod common;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use common::gateway::Setup;
use common::page::Page;
use common::phone::Setup as PhoneSetup;
use common::providers::{ACCOUNT, Brand, FROM, Provider, SECRET};
use common::s;

const SITE: &str = "https://gw.example.org";
/// Calls that are elevated, one after the other: each has a number of its own.
const CALLS: u32 = 24;
/// Between two looks: what is measured is true to this.
const LOOK: Duration = Duration::from_micros(100);

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let provider = runtime.block_on(Provider::start(Brand::Twilio));
    let (gateway, room) = Setup::new()
        .with("api", &format!("public_url = \"{SITE}\""))
        .with("routing", "private_networks = [\"127.0.0.0/8\"]")
        .with("sms", "provider = \"twilio\"")
        .with("sms", &format!("account = \"{ACCOUNT}\""))
        .with("sms", &format!("secret = \"{SECRET}\""))
        .with("sms", &format!("from = \"{FROM}\""))
        .with("sms", &format!("url = \"{}\"", provider.url()))
        .start_with_open_room();
    let client = reqwest::Client::new();
    let [mut bare, mut handed, mut tapped, mut seated] = [const { Vec::new() }; 4];
    for call in 0..CALLS {
        let from = format!("sip:+49151123{:05}@127.0.0.1", 45_000 + call);
        let mut phone = PhoneSetup::tone(440.0).with(&["--from", &from]).call(&gateway.uri());
        phone.answered();
        let leg = common::until("the call to come into the room", s(10), || {
            let call = gateway.calls().into_iter().find(|call| !call["room"].is_null())?;
            let there = !gateway.participants(&room).is_empty();
            call["id"].as_str().filter(|_| there).map(str::to_owned)
        });
        let post = |path: String, body: Value| {
            let request = client.post(format!("http://{}{path}", gateway.api())).bearer_auth(gateway.key()).json(&body);
            let request = request.header("x-ringlift-page", "1").header("origin", SITE);
            async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
        };
        let began = Instant::now();
        runtime.block_on(async {
            let healthy = client.get(format!("http://{}/healthz", gateway.api())).send().await.unwrap();
            assert_eq!(healthy.status(), 200);
        });
        bare.push(began.elapsed());
        let count = provider.taken().len();
        let began = Instant::now();
        let asked = runtime.block_on(post(format!("/v1/calls/{leg}/elevate"), json!({})));
        while provider.taken().len() == count {
            assert!(began.elapsed() < s(10), "no text: {asked}");
            std::thread::park_timeout(LOOK);
        }
        handed.push(began.elapsed());
        let text = provider.taken().pop().unwrap().body;
        let link = text.split_whitespace().find_map(|word| word.strip_prefix(SITE)?.strip_prefix("/e/")).unwrap();
        let began = Instant::now();
        let done = runtime.block_on(post("/meet/elevate".into(), json!({ "ticket": link })));
        tapped.push(began.elapsed());
        let (_page, _) = Page::joins_by(&gateway, SITE, json!({ "ticket": done["ticket"] }));
        seated.push(began.elapsed());
        phone.hang_up();
        common::until("the call to end", s(10), || gateway.calls().is_empty().then_some(()));
    }
    bare.sort_unstable();
    let unit = bare[bare.len() / 2];
    println!("a bare request, answered: {unit:?} in the middle; {CALLS} calls");
    for (what, all) in [
        ("from the wish to the text at the provider", &mut handed),
        ("from the tap to its answer", &mut tapped),
        ("from the tap to the seat", &mut seated),
    ] {
        let all = sorted(all);
        let (middle, worst) = (all[all.len() / 2], all[all.len() * 99 / 100]);
        let times = middle.as_secs_f64() / unit.as_secs_f64();
        println!("{what}: {middle:?} in the middle, {worst:?} for 99 %; {times:.1} times the bare request");
    }
}

fn sorted(all: &mut [Duration]) -> &[Duration] {
    all.sort_unstable();
    all
}
