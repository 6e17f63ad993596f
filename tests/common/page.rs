//! A meeting's page without a browser: its socket alone, and no audio.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::gateway::Gateway;
use super::s;

/// A page that joined a meeting.
pub struct Page {
    runtime: Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    /// What it was told and nobody has asked for.
    early: Vec<Value>,
}

impl Page {
    /// Joins with this passcode, by this name.
    #[track_caller]
    pub fn joins(gateway: &Gateway, passcode: &str, name: &str) -> Self {
        let site = format!("http://{}", gateway.api());
        Self::joins_by(gateway, &site, json!({ "passcode": passcode, "name": name })).0
    }

    /// Joins from this site, by what is given; with what it is welcomed with.
    #[track_caller]
    pub fn joins_by(gateway: &Gateway, site: &str, by: Value) -> (Self, Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut request = format!("ws://{}/meet/socket", gateway.api()).into_client_request().unwrap();
        request.headers_mut().insert("origin", site.parse().unwrap());
        let (socket, _) = runtime.block_on(tokio_tungstenite::connect_async(request)).unwrap();
        let mut page = Self { runtime, socket, next: 1, early: Vec::new() };
        let mut join = by;
        (join["type"], join["version"]) = (json!("join"), json!(1));
        let welcome = page.says(join);
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (page, welcome)
    }

    /// Says something, and returns the answer.
    #[track_caller]
    pub fn says(&mut self, mut message: Value) -> Value {
        let id = self.next;
        self.next += 1;
        message["id"] = json!(id);
        self.runtime.block_on(self.socket.send(Message::text(message.to_string()))).unwrap();
        self.told(s(10), |told| told["id"] == json!(id))
    }

    /// Waits until it is told something that fits, also before now.
    #[track_caller]
    pub fn told(&mut self, limit: Duration, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.early.iter().position(&fits) {
            return self.early.remove(index);
        }
        let (socket, early) = (&mut self.socket, &mut self.early);
        let hears = async {
            loop {
                let next = socket.next().await.expect("no end").expect("no error");
                let Message::Text(text) = next else { continue };
                let told: Value = serde_json::from_str(text.as_str()).unwrap();
                if fits(&told) {
                    return told;
                }
                early.push(told);
            }
        };
        let told = self.runtime.block_on(async { tokio::time::timeout(limit, hears).await });
        told.unwrap_or_else(|_| panic!("the page is not told so; but {:?}", self.early))
    }

    /// Leaves the meeting for good.
    #[track_caller]
    pub fn leaves(mut self) {
        self.runtime.block_on(self.socket.send(Message::text(r#"{"id":0,"type":"leave"}"#))).unwrap();
        self.told(s(10), |told| told["type"] == "bye");
    }

    /// Has its person called at this number; what it was told of callbacks before counts no more.
    #[track_caller]
    pub fn calls_me(&mut self, number: &str) {
        self.early.retain(|told| told["type"] != "callback");
        self.says(json!({ "type": "call_me", "number": number }));
    }

    /// Waits until its callback stands there, and says what it was told with it.
    #[track_caller]
    pub fn callback(&mut self, state: &str) -> Value {
        self.told(s(20), |told| told["type"] == "callback" && told["state"] == state)
    }
}
