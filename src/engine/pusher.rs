//! Tells browsers of links by their push services ([`crate::push`]). One task per notification: every browser of the number at
//! once, and the first push service that takes it is the answer. Nothing is tried again: a text follows within seconds.
//!
//! ```text
//! submit ──► store: whose browsers ──► POST to each push service ──► taken
//!                     │ none: nobody          │ 404, 410: the browser is forgotten
//!                     └───────────────────────┴ none took it: why
//! ```

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT};
use reqwest::{StatusCode, Url};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::clock;
use super::fetch::{AGENT, Outward, why};
use super::os;
use crate::base::id::ElevationId;
use crate::base::{PhoneNumber, Utc};
use crate::elevation::Reason;
use crate::elevation::push::{LONGEST_ENDPOINT, PushOrder, PushOutcome, Subscription};
use crate::gateway::fetch::FetchError;
use crate::push::{self, Vapid};
use crate::route::Network;
use crate::store::{Store, StoreError};

/// How long a push service has. Longer: the text that follows comes later. Shorter: one that is far away is never in time.
const PATIENCE: Duration = Duration::from_secs(4);

/// Requests under way. More: slow push services tie up sockets. Fewer: bursts of calls get texts instead.
const AT_ONCE: usize = 64;

/// How long a browser counts as the number's owner's after a text to the number proved it. Longer: carriers give numbers that
/// were returned to others, and the former owner's browser would open the new one's seat. Shorter: people get texts in between.
const PROVED: Duration = Duration::from_secs(90 * 24 * 3600);

/// What the pusher is given at start.
#[derive(Debug)]
pub struct Settings {
    /// The node's key.
    pub key: Vapid,
    /// A `mailto:` or `https:` address of whoever runs the node, for whoever runs a push service; or nothing.
    pub contact: String,
    /// Networks besides the public internet where push services may be.
    pub opened: Vec<Network>,
}

/// Tells browsers.
#[derive(Debug)]
pub struct Pusher {
    desk: Desk,
    facts: mpsc::UnboundedReceiver<Fact>,
}

/// Takes browsers in and lets them go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Shared>);

/// Why a browser is not taken in.
#[derive(Debug)]
pub enum NotKept {
    /// Its push service is at no address where requests may go.
    Endpoint,
    /// Its key is none.
    Key,
    /// It cannot be written.
    Store(StoreError),
}

type Fact = (ElevationId, PushOutcome);

#[derive(Debug)]
struct Shared {
    store: Store,
    key: Vapid,
    contact: String,
    outward: Outward,
    opened: Vec<Network>,
    permits: Semaphore,
    facts: mpsc::UnboundedSender<Fact>,
}

/// The node's key, kept in this file for its owner alone; made where there is none. A file that is no key is left as it is:
/// browsers are subscribed for the key that was in it.
#[allow(clippy::disallowed_methods, reason = "the node's own key is a file, read once at start")]
pub fn key(file: &Path) -> io::Result<Vapid> {
    let wrong = |why: push::BadKey| io::Error::new(io::ErrorKind::InvalidData, why);
    match std::fs::read(file) {
        Ok(pem) => Vapid::read(&pem).map_err(wrong),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pem = Vapid::make().map_err(wrong)?;
            os::replace_secret(file, &pem)?;
            Vapid::read(pem.as_bytes()).map_err(wrong)
        }
        Err(error) => Err(error),
    }
}

impl Pusher {
    /// Starts. Must be called within a tokio runtime.
    pub fn start(store: Store, settings: Settings) -> Self {
        let (sender, facts) = mpsc::unbounded_channel();
        let Settings { key, contact, opened } = settings;
        let outward = Outward::new(opened.clone());
        let permits = Semaphore::new(AT_ONCE);
        Self { desk: Desk(Arc::new(Shared { store, key, contact, outward, opened, permits, facts: sender })), facts }
    }

    /// Sends a notification; what came of it comes from [`Pusher::next`], whatever that is.
    pub fn submit(&self, order: PushOrder) {
        let shared = self.desk.0.clone();
        tokio::spawn(async move {
            let outcome = shared.push(&order).await;
            tracing::info!(elevation = %order.elevation, ?outcome, "notification");
            // Nobody listens any more: the program ends.
            let _ = shared.facts.send((order.elevation, outcome));
        });
    }

    /// The next fact. May be dropped and called again without loss.
    pub async fn next(&mut self) -> Fact {
        match self.facts.recv().await {
            Some(fact) => fact,
            // Cannot happen: a sender is held here. Waiting is the one answer that harms nobody.
            None => std::future::pending().await,
        }
    }

    /// Where browsers are taken in.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }
}

/// The next fact; never, where nobody is notified.
pub async fn next(pusher: &mut Option<Pusher>) -> Fact {
    match pusher {
        Some(pusher) => pusher.next().await,
        None => std::future::pending().await,
    }
}

impl Desk {
    /// Keeps a browser whose owner proved that this number is theirs.
    pub async fn keep(&self, number: &PhoneNumber, of: &Subscription) -> Result<(), NotKept> {
        let endpoint = of.endpoint.expose();
        if endpoint.len() > LONGEST_ENDPOINT || self.0.address(endpoint).is_err() {
            return Err(NotKept::Endpoint);
        }
        if !push::is_key(&of.key) {
            return Err(NotKept::Key);
        }
        let now = clock::utc();
        self.0.store.prune_pushes(since(now)).await.map_err(NotKept::Store)?;
        self.0.store.put_push(number, of, now).await.map_err(NotKept::Store)
    }

    /// Forgets a browser; false where there was none.
    pub async fn forget(&self, endpoint: &str, auth: &[u8; 16]) -> Result<bool, StoreError> {
        self.0.store.withdraw_push(endpoint, auth).await
    }
}

impl Shared {
    async fn push(self: &Arc<Self>, order: &PushOrder) -> PushOutcome {
        let known = match self.store.pushes(&order.to, since(clock::utc())).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "whom to notify cannot be read");
                return PushOutcome::Failed(Reason::PushDown);
            }
        };
        if known.is_empty() {
            return PushOutcome::Nobody;
        }
        let mut asked = JoinSet::new();
        for to in known {
            let (shared, message, topic) = (self.clone(), push::payload(order), push::topic(order));
            asked.spawn(async move {
                let told = timeout(PATIENCE, shared.tell(&to, &message, &topic)).await;
                let told = told.unwrap_or(Err(Reason::PushDown));
                if told == Err(Reason::PushGone)
                    && let Err(error) = shared.store.drop_push(to.endpoint.expose()).await
                {
                    tracing::warn!(%error, "a browser that is gone cannot be forgotten");
                }
                told
            });
        }
        let mut worst = Reason::PushGone;
        while let Some(told) = asked.join_next().await {
            match told {
                Ok(Ok(())) => {
                    // The others are told, too; nobody waits for that.
                    asked.detach_all();
                    return PushOutcome::Taken;
                }
                Ok(Err(why)) => worst = worst.max(why),
                Err(_) => worst = worst.max(Reason::PushDown),
            }
        }
        PushOutcome::Failed(worst)
    }

    /// Asks one push service to tell one browser.
    async fn tell(&self, to: &Subscription, message: &[u8], topic: &str) -> Result<(), Reason> {
        let _permit = self.permits.acquire().await.map_err(|_| Reason::PushDown)?;
        let refused = |why: &str| {
            tracing::warn!(why, "a notification cannot be sent");
            Reason::PushRefused
        };
        let (client, url) = self.address(to.endpoint.expose()).map_err(|_| refused("where it goes is forbidden"))?;
        let origin = url.origin().ascii_serialization();
        let body = push::seal(to, message).map_err(|_| refused("the browser's key is none"))?;
        let says = self.key.authorization(&origin, &self.contact, clock::utc());
        let says = says.ok_or_else(|| refused("our key signs nothing"))?;
        let answer = client
            .post(url)
            .header(AUTHORIZATION, says)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .header(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"))
            .header(USER_AGENT, HeaderValue::from_static(AGENT))
            .header("TTL", push::TTL)
            .header("Urgency", HeaderValue::from_static("high"))
            .header("Topic", topic)
            .body(body)
            .send()
            .await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(StatusCode::NOT_FOUND | StatusCode::GONE) => Err(Reason::PushGone),
            Ok(status) if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => Err(Reason::PushDown),
            Ok(status) => {
                tracing::warn!(%origin, %status, "a push service refuses a notification");
                Err(Reason::PushRefused)
            }
            Err(error) => match why(&error) {
                FetchError::Forbidden => Err(refused("where it goes is forbidden")),
                _ => Err(Reason::PushDown),
            },
        }
    }

    /// A push service's address, where requests may go there: encrypted (RFC 8030 §8), but for networks that the operator opened.
    fn address(&self, endpoint: &str) -> Result<(reqwest::Client, Url), FetchError> {
        let (client, url) = self.outward.to(endpoint)?;
        let named = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']'));
        let address = named.and_then(|host| host.parse::<IpAddr>().ok());
        let opened = address.is_some_and(|address| self.opened.iter().any(|network| network.contains(address)));
        if url.scheme() == "https" || opened { Ok((client, url)) } else { Err(FetchError::Forbidden) }
    }
}

fn since(now: Utc) -> Utc {
    Utc(now.0.saturating_sub(i64::try_from(PROVED.as_millis()).unwrap_or(i64::MAX)))
}
