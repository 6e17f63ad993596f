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

use futures_util::{SinkExt, StreamExt};
use ringlift::media::encoder::Encoder;
use ringlift::wire::codec::{Codec, opus};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use browser::Browser;
use common::gateway::{Gateway, NUMBER, Setup};
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
        let page = runtime.block_on(Page::scan(&gateway, code["link"].as_str().unwrap()));
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
        let wish = json!({ "extension": user, "participant": page.participant });
        gateway.post(&format!("/v1/rooms/{room}/callbacks"), &wish);
        desk.answered();
        let began = Instant::now();
        desk.key("1");
        let new = first(&far, began, TONES[2]);
        asked.push(new - began);
        common::talk(s(1));
        by_callback.push(gap(&far.since(began), &TONES[1..]));
        page.leave();
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

/// A page that has somebody's place, on a thread of its own.
struct Page {
    participant: String,
    ends: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Page {
    /// Reads a code, joins by it, and speaks.
    async fn scan(gateway: &Gateway, link: &str) -> Self {
        let client = reqwest::Client::new();
        let asked = client.post(format!("http://{}/meet/codes/redeem", gateway.api())).json(&json!({ "ticket": link }));
        let asked = asked.header("x-ringlift-page", "1").header("origin", SITE);
        let claim: Value = asked.send().await.unwrap().json().await.unwrap();
        let ticket = claim["ticket"].as_str().unwrap_or_else(|| panic!("no ticket in {claim}"));
        let mut request = format!("ws://{}/meet/socket", gateway.api()).into_client_request().unwrap();
        request.headers_mut().insert("origin", SITE.parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let join = json!({ "id": 1, "type": "join", "version": 1, "ticket": ticket });
        socket.send(Message::text(join.to_string())).await.unwrap();
        let (mut browser, offer, pending) = Browser::new(words(TONES[1]));
        let mut pending = Some(pending);
        socket.send(Message::text(json!({ "id": 2, "type": "offer", "sdp": offer }).to_string())).await.unwrap();
        let mut participant = None;
        while participant.is_none() || pending.is_some() {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
            let said: Value = serde_json::from_str(&text).unwrap();
            match said["type"].as_str().unwrap() {
                "welcome" => participant = said["you"].as_str().map(str::to_owned),
                "answer" => browser.take(pending.take().unwrap(), said["sdp"].as_str().unwrap()),
                "problem" => panic!("{said}"),
                _ => {}
            }
        }
        let hub = gateway.web();
        let ends = Arc::new(AtomicBool::new(false));
        let stop = ends.clone();
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Acquire) {
                browser.live(hub, true);
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        // The socket is kept by a task: a page that drops it would be taken for lost.
        let stop = ends.clone();
        tokio::spawn(async move {
            while !stop.load(Ordering::Acquire) {
                let _ = tokio::time::timeout(Duration::from_millis(50), socket.next()).await;
            }
            let _ = socket.send(Message::text(json!({ "id": 9, "type": "leave" }).to_string())).await;
        });
        Self { participant: participant.unwrap(), ends, thread }
    }

    fn leave(self) {
        self.ends.store(true, Ordering::Release);
        self.thread.join().unwrap();
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
