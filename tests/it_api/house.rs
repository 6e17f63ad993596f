//! A node whose gateway is the real one, without sockets for calls: store, writer, handle, router, listener, pages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, RequestBuilder};
use ringlift::api::{self, Settings, Shared};
use ringlift::base::{Rng, RoomId};
use ringlift::engine::clock::Clock;
use ringlift::engine::handle::{Handle, Inbox};
use ringlift::engine::pages::Pages;
use ringlift::gateway::command::CommandId;
use ringlift::gateway::{Directory, Gateway, Input, Output};
use ringlift::media::web::{WebCommand, WebEvent};
use ringlift::sip::endpoint;
use ringlift::store::{self, Store, Writer, clock};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::node::{fresh_path, ok};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running house.
pub struct House {
    pub address: SocketAddr,
    pub handle: Handle,
    pub app: api::App,
    pub admin: String,
    pub client: Client,
    pub path: std::path::PathBuf,
    stop: Option<oneshot::Sender<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl House {
    pub async fn start() -> Self {
        Self::start_at(fresh_path(), Settings::default()).await
    }

    pub async fn start_at(path: std::path::PathBuf, settings: Settings) -> Self {
        let opened = Store::open(&path, clock::utc()).await.unwrap();
        let kept = store::Settings { path: path.clone(), event_days: 30, record_days: 30 };
        let writer = Writer::start(opened.store.clone(), kept);
        let (handle, inbox) = Handle::new(opened.store.clone(), writer);
        let (_, admin) = opened.store.add_key("test", &["admin".to_owned()], clock::utc()).await.unwrap();
        let table = opened.store.table().await.unwrap();
        let directory = Directory {
            dids: table.dids.into_values().collect(),
            rooms: opened.store.rooms().await.unwrap(),
            tickets: {
                let mut tickets = opened.store.tickets(clock::utc()).await.unwrap();
                tickets.extend(opened.store.resumes(clock::utc()).await.unwrap());
                tickets
            },
            printed: opened.store.printed().await.unwrap(),
            next_seq: opened.next_seq,
            ..Directory::default()
        };
        let time = Clock::start();
        let gateway = Gateway::new(
            Default::default(),
            endpoint::Settings::default(),
            Default::default(),
            directory,
            Rng::from_number(u64::try_from(clock::utc().0).unwrap()),
            time.now(),
        );
        let owner = tokio::spawn(own(gateway, inbox, time));
        let app = Shared::start(handle.clone(), settings);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(api::serve(listener, None, app.clone(), async move {
            let _ = stopped.await;
        }));
        let (client, admin) = (Client::new(), admin.expose().to_owned());
        Self { address, handle, app, admin, client, path, stop: Some(stop), tasks: vec![served, owner] }
    }

    /// Ends it and keeps the file.
    pub async fn stop(mut self) -> std::path::PathBuf {
        let _ = self.stop.take().unwrap().send(());
        self.tasks.remove(0).await.unwrap();
        self.tasks.remove(0).abort();
        self.handle.writer().finish().await;
        self.handle.store().close().await;
        self.path.clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn post(&self, path: &str, body: Value) -> RequestBuilder {
        self.client.post(self.url(path)).bearer_auth(&self.admin).json(&body)
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(&self.admin)
    }

    /// Makes a room; its id.
    pub async fn room(&self, name: &str) -> RoomId {
        let body = json!({ "name": name, "pin": "482913", "host_pin": "998877", "first_caller": "start" });
        ok(self.post("/v1/rooms", body)).await["settings"]["id"].as_str().unwrap().parse().unwrap()
    }

    /// Invites somebody; the answer.
    pub async fn invite(&self, room: RoomId, body: Value) -> Value {
        ok(self.post(&format!("/v1/rooms/{room}/invitations"), body)).await
    }

    /// A page connects from this site.
    pub async fn page(&self) -> Page {
        self.page_from(Some(&format!("http://{}", self.address))).await.unwrap()
    }

    pub async fn page_from(&self, origin: Option<&str>) -> Result<Page, u16> {
        let mut request = format!("ws://{}/meet/socket", self.address).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Page { socket, next: 1, early: Vec::new() }),
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// A page that joined; its welcome.
    pub async fn joined(&self, by: Value) -> (Page, Value) {
        let mut page = self.page().await;
        let welcome = page.joins(by).await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (page, welcome)
    }
}

/// The loop around the gateway, as far as pages and the API need it.
async fn own(mut gateway: Gateway, mut inbox: Inbox, time: Clock) {
    let mut pages = Pages::default();
    let (mut waiting, mut commands) = (BTreeMap::new(), 0);
    loop {
        let alarm = gateway.poll_timeout().map_or(Duration::from_secs(1), |at| time.until(at));
        let input = tokio::select! {
            Some(asked) = inbox.commands.recv() => {
                commands += 1;
                waiting.insert(CommandId(commands), asked.answer);
                Input::Asked { id: CommandId(commands), command: Box::new(asked.command) }
            }
            Some(from) = inbox.pages.recv() => Input::Web(pages.take(from)),
            () = tokio::time::sleep(alarm) => Input::Timeout,
        };
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            gateway.handle(input, time.now());
            while let Some(output) = gateway.poll_output() {
                match output {
                    Output::Web(order) => inputs.extend(pages.perform(order).into_iter().map(Input::Web)),
                    Output::WebMedia(WebCommand::Offer { leg, .. }) => {
                        inputs.push(Input::WebMedia(WebEvent::Refused { leg, why: "no audio here".into() }));
                    }
                    Output::Answer { id, outcome } => drop(waiting.remove(&id).unwrap().send(outcome)),
                    Output::Publish(event) => inbox.outbox.publish(event),
                    Output::Record(record) => inbox.outbox.record(record),
                    _ => {}
                }
            }
        }
    }
}

/// A page.
pub struct Page {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
    early: Vec<Value>,
}

impl Page {
    /// Says something and returns the answer; what comes before it is kept.
    pub async fn says(&mut self, mut message: Value) -> Value {
        let id = self.next;
        self.next += 1;
        message["id"] = json!(id);
        self.sends(&message.to_string()).await;
        self.until(|told| told["id"] == json!(id)).await
    }

    pub async fn sends(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn joins(&mut self, by: Value) -> Value {
        let mut join = json!({ "type": "join", "version": 1 });
        for (name, value) in by.as_object().unwrap() {
            join[name] = value.clone();
        }
        self.says(join).await
    }

    /// What it is told that fits, also before now.
    pub async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.early.iter().position(&fits) {
            return self.early.remove(index);
        }
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("something in time");
            match next.expect("no end").expect("no error") {
                Message::Text(text) => {
                    let told: Value = serde_json::from_str(text.as_str()).unwrap();
                    if fits(&told) {
                        return told;
                    }
                    self.early.push(told);
                }
                Message::Close(frame) => panic!("closed: {frame:?}; told {:?}", self.early),
                _ => {}
            }
        }
    }

    pub async fn told(&mut self, kind: &str) -> Value {
        self.until(|told| told["type"] == kind).await
    }

    /// How it is closed; none where the connection just ends.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
