//! How long a move takes, and what the far end hears of it: a call goes from a telephone to a browser by a code, and from there to
//! a desk phone that is called back, in the whole program over loopback. Each device has a tone of its own; the far end notes
//! which tone is in each packet that it is sent.
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

#[path = "browser/mod.rs"]
mod browser;
#[path = "../tests/common/mod.rs"]
#[allow(unused_imports, reason = "its own tests are the tests' to run")]
mod common;
#[path = "moving/far.rs"]
mod far;

use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ringlift::media::encoder::Encoder;
use ringlift::wire::codec::{Codec, opus};
use serde_json::{Value, json};

use browser::Browser;
use common::gateway::{Gateway, NUMBER, Setup};
use common::page::Page;
use common::phone::Setup as PhoneSetup;
use common::s;
use far::{Far, Heard};

/// Calls that are moved, one after the other.
const CALLS: usize = 24;
/// What telephone, browser and desk phone say, in hertz: whole periods in 20 ms.
const TONES: [f64; 3] = [450.0, 650.0, 1050.0];
const PASSWORD: &str = "correct horse battery";
const SITE: &str = "https://gw.example.org";

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (gateway, room) = Setup::new().with("api", &format!("public_url = \"{SITE}\"")).start_with_open_room();
    let secret = gateway.file("desk.password");
    std::fs::write(&secret, PASSWORD).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let far = Far::call(&gateway.sip(), NUMBER);
    let [mut read, mut asked, mut by_code, mut by_callback] = [const { Vec::new() }; 4];
    for call in 0..CALLS {
        far.forget();
        let mut phone = PhoneSetup::tone(TONES[0]).call(&gateway.uri());
        phone.answered();
        let leg = common::until("the telephone to be heard", s(20), || {
            let last = far.since(Instant::now() - Duration::from_millis(100));
            let call =
                gateway.calls().into_iter().find(|call| call["from"] != "+4930901899" && !call["room"].is_null())?;
            (last.len() > 2 && last.iter().all(|one| one.has(TONES[0])))
                .then(|| call["id"].as_str().unwrap().to_owned())
        });
        let code = gateway.post(&format!("/v1/calls/{leg}/codes"), &json!({ "confirm": "nobody" }));
        let began = Instant::now();
        let taker = Taker::scans(&gateway, &runtime, code["link"].as_str().unwrap());
        let new = first(&far, began, TONES[1]);
        read.push(new - began);
        common::until("the telephone to be let go", s(10), || {
            (phone.told().iter().any(|told| told["what"] == "ended")).then_some(())
        });
        by_code.push(gap(&far.since(began), &TONES[..2]));

        // One telephone is not rung so often: each call has a desk of its own.
        let user = (201 + call).to_string();
        gateway.post("/v1/extensions", &json!({ "user": user, "name": "Desk", "password": PASSWORD }));
        let aor = format!("sip:{user}@{}", gateway.sip());
        let register = ["--register", &aor, "--user", &user, "--password-file", secret.to_str().unwrap()];
        let mut desk = PhoneSetup::tone(TONES[2]).with(&register).wait();
        desk.tells("registered", s(10));
        let wish = json!({ "extension": user, "participant": taker.participant });
        gateway.post(&format!("/v1/rooms/{room}/callbacks"), &wish);
        desk.answered();
        let began = Instant::now();
        desk.key("1");
        let new = first(&far, began, TONES[2]);
        asked.push(new - began);
        common::talk(s(1));
        by_callback.push(gap(&far.since(began), &TONES[1..]));
        taker.leaves();
        desk.hang_up();
        common::until("one to be left", s(20), || (gateway.participants(&room).len() == 1).then_some(()));
    }
    for (what, all) in [
        ("from the reading of a code to the browser's voice at the far end", &mut read),
        ("from the key 1 on a desk phone that was called back to its voice", &mut asked),
        ("without either voice at the far end, telephone to browser by a code", &mut by_code),
        ("without either voice at the far end, browser to desk phone by a callback", &mut by_callback),
    ] {
        all.sort_unstable();
        let (middle, most) = (all[all.len() / 2], all[all.len() * 99 / 100]);
        println!("{what}: {middle:.0?} in the middle, {most:.0?} for 99 %; {CALLS} moves");
    }
}

/// When this tone was there first.
fn first(far: &Far, since: Instant, hertz: f64) -> Instant {
    common::until("the new device to be heard", s(20), || {
        far.since(since).into_iter().find(|one| one.has(hertz)).map(|one| one.at)
    })
}

/// The longest that none of these tones was there, by what the far end played and not by when it came.
fn gap(heard: &[Heard], tones: &[f64]) -> Duration {
    let mut longest = 0;
    let mut last: Option<u32> = None;
    for one in heard.iter().filter(|one| tones.iter().any(|hertz| one.has(*hertz))) {
        if let Some(last) = last {
            longest = longest.max(one.stamp.wrapping_sub(last).saturating_sub(160));
        }
        last = Some(one.stamp);
    }
    Duration::from_micros(u64::from(longest) * 125)
}

/// A browser that has somebody's place, on a thread of its own.
struct Taker {
    page: Page,
    participant: Value,
    ends: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Taker {
    /// Reads a code, joins by it, and speaks.
    fn scans(gateway: &Gateway, runtime: &tokio::runtime::Runtime, link: &str) -> Self {
        let asked = reqwest::Client::new().post(format!("http://{}/meet/codes/redeem", gateway.api()));
        let asked = asked.header("x-ringlift-page", "1").header("origin", SITE).json(&json!({ "ticket": link }));
        let claim: Value = runtime.block_on(async { asked.send().await.unwrap().json().await.unwrap() });
        let (mut page, welcome) = Page::joins_by(gateway, SITE, json!({ "ticket": claim["ticket"] }));
        let (mut browser, offer, pending) = Browser::new(words(TONES[1]));
        let answer = page.says(json!({ "type": "offer", "sdp": offer }));
        browser.take(pending, answer["sdp"].as_str().unwrap());
        let (hub, ends) = (gateway.web(), Arc::new(AtomicBool::new(false)));
        let stop = ends.clone();
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                browser.live(hub, true);
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        Self { page, participant: welcome["you"].clone(), ends, thread }
    }

    fn leaves(self) {
        self.ends.store(true, Ordering::Release);
        self.thread.join().unwrap();
        self.page.leaves();
    }
}

/// A second of a tone, as packets of Opus.
fn words(hertz: f64) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(Codec::Opus, &opus::Parameters::default());
    let sample = |n: usize| ((TAU * hertz * n as f64 / 48_000.0).sin() * 32767.0 * 0.2) as i16;
    let packets = (0..100).map(|packet| {
        let samples: Vec<i16> = (0..960).map(|n| sample(packet * 960 + n)).collect();
        let mut payload = vec![0; 1500];
        let length = encoder.encode(&samples, &mut payload);
        payload.truncate(length);
        payload
    });
    // The first ones tell of a beginning: what is said over and over has none.
    packets.skip(50).collect()
}
