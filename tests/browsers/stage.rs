//! The planes, a small server that lets everyone in, and the browsers' driver.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use ringlift::base::{LegId, ParticipantId, Rng, RoomId};
use ringlift::engine::clock::Clock;
use ringlift::engine::media::{self, MediaPlane};
use ringlift::engine::web::{Settings, WebPlane};
use ringlift::media::clip::ClipLibrary;
use ringlift::media::command::MediaCommand;
use ringlift::media::web::{Shown, Source, WebCommand, WebEvent, Wish};
use ringlift::webrtc::{Candidate, Wire};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

const ROOM: RoomId = RoomId::from_bits(1);

/// What browsers are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wires {
    Udp,
    Tcp,
}

/// A room with an open door.
pub struct Stage {
    origin: String,
    stop: watch::Sender<bool>,
    tasks: tokio::task::JoinSet<()>,
}

enum Asked {
    Offer(u64, String, oneshot::Sender<Result<String, String>>),
    Watch(u64, Vec<Wish>),
    Shown(u64, oneshot::Sender<Vec<Shown>>),
}

type Asks = mpsc::UnboundedSender<Asked>;

/// Serialises the tests: three browsers that encode video take the whole machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[derive(serde::Deserialize)]
struct Who {
    leg: u64,
}

#[derive(serde::Deserialize)]
struct Wanted {
    slot: u8,
    participant: u64,
    source: Source,
    height: u16,
}

impl Stage {
    pub async fn open(wires: Wires) -> Self {
        let clock = Clock::start();
        let settings = media::Settings {
            threads: 1,
            v4: Some(Ipv4Addr::LOCALHOST),
            v6: None,
            first_port: 19_000,
            last_port: 19_099,
            quarantine: Duration::from_millis(50),
            wing: ringlift::media::bridge::WING,
            real_time: false,
            identity: None,
        };
        let clips = Arc::new(ClipLibrary::with_tones());
        let mut media = MediaPlane::start(settings, clips, clock, Rng::from_number(1)).unwrap();
        let ends = media.web_ends().unwrap();
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let wire = if wires == Wires::Udp { Wire::Udp } else { Wire::Tcp };
        let settings = Settings {
            udp: if wires == Wires::Udp { vec![free] } else { Vec::new() },
            tcp: if wires == Wires::Tcp { vec![free] } else { Vec::new() },
            candidates: vec![Candidate { wire, address: free }],
            max_peers: 20,
        };
        let web = WebPlane::start(settings, ends, clock, Rng::from_number(2)).unwrap();
        let (asks, asked) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", address(&listener));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(direct(media, web, asked, stopped.clone()));
        tasks.spawn(serve(listener, asks, stopped));
        Self { origin, stop, tasks }
    }

    /// Lets the browsers act; what they saw.
    #[allow(clippy::await_holding_lock, reason = "the other tests wait in threads of their own")]
    pub async fn play(&self, scenario: &str) -> Value {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut driver = std::process::Command::new("node");
        driver
            .arg(here.join("tests/browsers/drive.mjs"))
            .arg(here.join("web/node_modules/playwright-core"))
            .arg(chromium())
            .args([&self.origin, scenario]);
        // It ends by itself: whatever a scenario waits for has a limit.
        let output = tokio::task::spawn_blocking(move || driver.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(said.trim())
            .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
    }

    pub async fn close(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

fn address(listener: &tokio::net::TcpListener) -> SocketAddr {
    listener.local_addr().unwrap()
}

pub fn chromium() -> PathBuf {
    let known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    known
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .expect("Chromium is not installed (apt install chromium)")
}

async fn serve(listener: tokio::net::TcpListener, asks: Asks, mut stopped: watch::Receiver<bool>) {
    let router = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/offer", post(offer))
        .route("/watch", post(watch_others))
        .route("/shown", get(shown))
        .with_state(asks);
    let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
    axum::serve(listener, router).with_graceful_shutdown(stop).await.unwrap();
}

async fn offer(State(asks): State<Asks>, Query(who): Query<Who>, sdp: String) -> Result<String, (StatusCode, String)> {
    let (answer, answered) = oneshot::channel();
    asks.send(Asked::Offer(who.leg, sdp, answer)).ok().unwrap();
    answered.await.unwrap().map_err(|why| (StatusCode::BAD_REQUEST, why))
}

async fn watch_others(State(asks): State<Asks>, Query(who): Query<Who>, body: String) {
    let wanted: Vec<Wanted> = serde_json::from_str(&body).unwrap();
    let wish = |wanted: &Wanted| Wish {
        slot: wanted.slot,
        participant: ParticipantId::from_bits(wanted.participant),
        source: wanted.source,
        height: wanted.height,
    };
    asks.send(Asked::Watch(who.leg, wanted.iter().map(wish).collect())).ok().unwrap();
}

async fn shown(State(asks): State<Asks>, Query(who): Query<Who>) -> axum::Json<Vec<Shown>> {
    let (answer, answered) = oneshot::channel();
    asks.send(Asked::Shown(who.leg, answer)).ok().unwrap();
    axum::Json(answered.await.unwrap())
}

/// Lets somebody into the room, with everything permitted. The person of leg n is participant n.
fn seat(media: &mut MediaPlane, web: &mut WebPlane, leg: LegId) {
    let participant = ParticipantId::from_bits(leg.bits());
    media.send(MediaCommand::OpenWeb { leg });
    media.send(MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: false, audience: None });
    web.send(WebCommand::Place { leg, place: Some((ROOM, participant)) });
    for source in [Source::Microphone, Source::Camera, Source::Screen] {
        web.send(WebCommand::Publish { leg, source, on: true });
    }
}

/// Does what the gateway would, for a room that lets everyone in.
async fn direct(
    mut media: MediaPlane,
    web: WebPlane,
    mut asked: mpsc::UnboundedReceiver<Asked>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut web = Some(web);
    let mut waiting: BTreeMap<LegId, oneshot::Sender<Result<String, String>>> = BTreeMap::new();
    let mut told: BTreeMap<LegId, Vec<Shown>> = BTreeMap::new();
    let mut seated: Vec<LegId> = Vec::new();
    loop {
        tokio::select! {
            Some(asked) = asked.recv() => match asked {
                Asked::Offer(number, sdp, answer) => {
                    let leg = LegId::from_bits(number);
                    waiting.insert(leg, answer);
                    let web = web.as_mut().unwrap();
                    web.send(WebCommand::Offer { leg, sdp });
                    if !seated.contains(&leg) {
                        seated.push(leg);
                        seat(&mut media, web, leg);
                    }
                }
                Asked::Watch(number, wishes) => {
                    web.as_mut().unwrap().send(WebCommand::Watch { leg: LegId::from_bits(number), wishes });
                }
                Asked::Shown(number, answer) => {
                    let _ = answer.send(told.get(&LegId::from_bits(number)).cloned().unwrap_or_default());
                }
            },
            event = ringlift::engine::web::next(&mut web) => {
                eprintln!("{}", format!("{event:?}").chars().take(300).collect::<String>());
                match event {
                    WebEvent::Answered { leg, sdp } => drop(waiting.remove(&leg).map(|answer| answer.send(Ok(sdp)))),
                    WebEvent::Refused { leg, why } => drop(waiting.remove(&leg).map(|answer| answer.send(Err(why)))),
                    WebEvent::Showing { leg, slots } => drop(told.insert(leg, slots)),
                    WebEvent::Lost { leg } => {
                        media.send(MediaCommand::Close { leg });
                        // A page that began anew may have offered before the end of its old connection was known here.
                        if waiting.contains_key(&leg) {
                            seat(&mut media, web.as_mut().unwrap(), leg);
                        } else {
                            seated.retain(|seated| *seated != leg);
                        }
                    }
                    _ => {}
                }
            }
            _ = media.next() => {}
            _ = stopped.wait_for(|stop| *stop) => break,
        }
    }
    for (name, total) in web.as_ref().unwrap().counts().read() {
        eprintln!("{name} {total}");
    }
    web.take().unwrap().finish().await;
    media.finish().await;
}
