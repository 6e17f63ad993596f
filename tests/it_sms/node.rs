//! A store, a texter and the doors, around one provider.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringlift::api::{self, Shared};
use ringlift::base::{PhoneNumber, Secret, Utc};
use ringlift::engine::handle::{Handle, Inbox};
use ringlift::engine::texter::{Settings, Texter};
use ringlift::sms::{self, Kind};
use ringlift::store::text::Text;
use ringlift::store::{self, Store, Writer, clock};
use ringlift::texting::{TextEvent, TextFailure, TextId, TextOrder, TextState, Texting};

use crate::common::process::Folder;
use crate::common::providers::telnyx::TelnyxKey;
use crate::common::providers::{ACCOUNT, Brand, FROM, Provider, SECRET, SIGNATURE_SECRET};

pub const TO: &str = "+15551234567";

/// A running node.
pub struct Node {
    pub texter: Texter,
    pub store: Store,
    pub key: TelnyxKey,
    pub address: SocketAddr,
    _handle: Handle,
    _inbox: Inbox,
    _folder: Folder,
}

/// What it is told of a provider.
pub fn settings(provider: &Provider, key: &TelnyxKey) -> sms::Settings {
    let (kind, signing) = match provider.brand {
        Brand::Twilio => (Kind::Twilio, String::new()),
        Brand::Telnyx => (Kind::Telnyx, key.public()),
        Brand::Vonage => (Kind::Vonage, SIGNATURE_SECRET.to_owned()),
    };
    sms::Settings {
        kind,
        from: FROM.into(),
        account: ACCOUNT.into(),
        secret: Secret::new(SECRET),
        signing: Secret::new(signing),
        url: provider.url(),
        timeout: Duration::from_millis(1500),
        ..sms::Settings::default()
    }
}

/// An order; each has words of its own.
pub fn order() -> TextOrder {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    TextOrder {
        id: TextId::from_bits(number),
        to: PhoneNumber::parse(TO).unwrap(),
        from: None,
        body: Secret::new(format!("Your meeting: https://rl.example/e/{number:022} Reply STOP to end")),
        call: None,
        consent: "key *3".into(),
        until: Utc(clock::utc().0 + 60_000),
    }
}

impl Node {
    pub async fn around(provider: &Provider) -> Self {
        let key = TelnyxKey::new();
        let provider = settings(provider, &key);
        Self::with(
            Settings { provider, look_up: true, look_up_kept: Duration::from_secs(60), ..Settings::default() },
            key,
        )
        .await
    }

    pub async fn with(settings: Settings, key: TelnyxKey) -> Self {
        let folder = Folder::new("sms");
        let path = folder.file("node.db");
        let store = Store::open(&path, clock::utc()).await.unwrap().store;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings { public_url: format!("http://{address}"), ..settings };
        let texter = Texter::start(store.clone(), settings).await.unwrap();
        let writer = Writer::start(store.clone(), store::Settings { path, event_days: 0, record_days: 0 });
        let (handle, inbox) = Handle::new(store.clone(), writer);
        let app = Shared::start(
            handle.clone(),
            api::Settings { texts: Some(texter.desk()), key_burst: 3, ..api::Settings::default() },
        );
        tokio::spawn(api::serve(listener, None, app, std::future::pending()));
        Self { texter, store, key, address, _handle: handle, _inbox: inbox, _folder: folder }
    }

    /// The next fact about a text.
    pub async fn event(&mut self) -> TextEvent {
        loop {
            if let Texting::Text(event) = self.fact().await {
                return event;
            }
        }
    }

    pub async fn fact(&mut self) -> Texting {
        tokio::time::timeout(Duration::from_secs(15), self.texter.next()).await.expect("something happens")
    }

    /// Facts until one of this state.
    pub async fn until(&mut self, state: TextState) -> TextEvent {
        loop {
            let event = self.event().await;
            if event.state == state {
                return event;
            }
            assert!(!event.state.is_final(), "it ended as {event:?}");
        }
    }

    /// Orders a text and waits for its end or for the provider to have it.
    pub async fn send(&mut self) -> (TextOrder, TextState, Option<TextFailure>) {
        let order = order();
        self.texter.submit(order.clone());
        loop {
            let event = self.event().await;
            if !matches!(event.state, TextState::Queued | TextState::Handing) {
                return (order, event.state, event.reason);
            }
        }
    }

    pub async fn text(&self, id: TextId) -> Text {
        self.store.text(id).await.unwrap()
    }

    /// Where the provider reports.
    pub fn status_url(&self, kind: Kind, id: TextId) -> String {
        format!("http://{}/sms/{}/status/{id}", self.address, kind.name())
    }

    pub fn inbound_url(&self, kind: Kind) -> String {
        format!("http://{}/sms/{}/inbound", self.address, kind.name())
    }
}
