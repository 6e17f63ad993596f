//! A node without a gateway: what happens is what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ringlift::api::{self, Settings, Shared};
use ringlift::base::{LegId, RoomId};
use ringlift::engine::clock;
use ringlift::engine::courier::{self, Courier};
use ringlift::engine::handle::{Handle, Inbox};
use ringlift::gateway::event::{Event, Happening};
use ringlift::hooks::pace::Pace;
use ringlift::store::{self, Store, Writer};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::common::process::Folder;

/// Quick enough for a test; the pauses still grow.
pub const PACE: Pace = Pace {
    first: Duration::from_millis(50),
    longest: Duration::from_secs(2),
    attempts: 5,
    rest: Duration::from_millis(20),
};

pub struct Node {
    pub store: Store,
    pub key: String,
    url: String,
    writer: Writer,
    client: reqwest::Client,
    seq: AtomicU64,
    _courier: Courier,
    _inbox: Inbox,
    _folder: Folder,
}

impl Node {
    /// One that may tell receivers on this machine.
    pub async fn start() -> Self {
        let opened = vec!["127.0.0.0/8".parse().unwrap()];
        Self::with(courier::Settings {
            pace: PACE,
            patience: Duration::from_millis(1500),
            ..courier::Settings::new(opened)
        })
        .await
    }

    pub async fn with(settings: courier::Settings) -> Self {
        let folder = Folder::new("hooks");
        let path = folder.file("node.db");
        let store = Store::open(&path, clock::utc()).await.unwrap().store;
        let writer = Writer::start(store.clone(), store::Settings { path, event_days: 1, record_days: 1 });
        let (handle, inbox) = Handle::new(store.clone(), writer.clone());
        let key = api::first_key::first_key(&store).await.unwrap().unwrap().expose().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared::start(handle, Settings { opened: settings.opened.clone(), ..Settings::default() });
        tokio::spawn(api::serve(listener, None, shared, std::future::pending()));
        let courier = Courier::start(store.clone(), settings);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let seq = AtomicU64::new(1);
        Self { store, key, url, writer, client, seq, _courier: courier, _inbox: inbox, _folder: folder }
    }

    /// Asks the API; the status, and what it says.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.ask_with(&self.key, method, path, body).await
    }

    /// The same with another key.
    pub async fn ask_with(&self, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let mut request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.url)).bearer_auth(key);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Adds a webhook: its id and its secret.
    pub async fn hook(&self, url: &str, events: &[&str]) -> (String, String) {
        let (status, made) =
            self.ask("POST", "/v1/webhooks", serde_json::json!({ "url": url, "events": events })).await;
        assert_eq!(status, 201, "{made}");
        (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned())
    }

    /// A webhook as it is shown.
    pub async fn shown(&self, id: &str) -> Value {
        self.ask("GET", &format!("/v1/webhooks/{id}"), Value::Null).await.1
    }

    /// Its deliveries, the newest first.
    pub async fn deliveries(&self, id: &str, query: &str) -> Vec<Value> {
        let (status, list) = self.ask("GET", &format!("/v1/webhooks/{id}/deliveries{query}"), Value::Null).await;
        assert_eq!(status, 200, "{list}");
        list["items"].as_array().unwrap().clone()
    }

    /// Waits until so many of its deliveries are in this state.
    #[track_caller]
    pub fn has(&self, id: &str, state: &str, count: usize) -> impl Future<Output = Vec<Value>> {
        let place = std::panic::Location::caller();
        let (id, query) = (id.to_owned(), format!("?state={state}&limit=500"));
        async move {
            let end = Instant::now() + Duration::from_secs(15);
            let mut pause = Duration::from_millis(2);
            loop {
                let found = self.deliveries(&id, &query).await;
                if found.len() == count {
                    return found;
                }
                assert!(Instant::now() < end, "{place}: {} are {query}, not {count}", found.len());
                // The store says nobody when a delivery's state changes.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(100));
            }
        }
    }

    /// Something happens; its number.
    pub fn happens(&self, what: Happening) -> u64 {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        self.writer.event(Arc::new(Event { seq, at: clock::utc(), what }));
        seq
    }

    /// A call is answered.
    pub fn call(&self) -> u64 {
        self.happens(Happening::CallAnswered { call: LegId::from_bits(7) })
    }

    /// A room is locked.
    pub fn room(&self) -> u64 {
        self.happens(Happening::RoomLocked { room: RoomId::from_bits(7), locked: true })
    }

    /// Waits until all that happened is in the log.
    pub async fn settles(&self) {
        self.writer.settle().await.unwrap();
    }
}
