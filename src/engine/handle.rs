//! The way to the gateway for those who ask it (the API): commands in, answers back, events as they happen.
//!
//! The engine's loop owns the gateway and the [`Inbox`]; everyone else holds a [`Handle`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::engine::pages::{FromPage, INBOX};
use crate::gateway::Record;
use crate::gateway::command::{Command, Outcome};
use crate::gateway::event::Event;
use crate::store::{Store, Writer};

/// Commands waiting for the gateway. More: answers get old. Fewer: a burst of API calls is refused.
const COMMANDS: usize = 256;

/// Events a subscriber may lag behind before it is told so. More: memory. Fewer: a slow reader is dropped sooner.
const EVENTS: usize = 4096;

/// How long an answer may take. The gateway answers at once; longer means that it is stuck.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the gateway and hears of events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Asked>,
    pages: mpsc::Sender<FromPage>,
    events: broadcast::Sender<Arc<Event>>,
    store: Store,
    writer: Writer,
}

/// One command, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub command: Command,
    /// Where the answer goes; whoever asked may have gone, and the failed send is to be ignored.
    pub answer: oneshot::Sender<Outcome>,
}

/// The gateway's end: commands to take, events and records to give.
#[derive(Debug)]
pub struct Inbox {
    /// Commands, in order.
    pub commands: mpsc::Receiver<Asked>,
    /// What pages' connections bring, in order.
    pub pages: mpsc::Receiver<FromPage>,
    /// Where events and records go.
    pub outbox: Outbox,
}

/// Where events and records go. Its methods never wait.
#[derive(Debug, Clone)]
pub struct Outbox {
    events: broadcast::Sender<Arc<Event>>,
    writer: Writer,
}

/// The gateway does not answer: it is stopping, or overloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable;

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gateway does not answer")
    }
}

impl std::error::Error for Unavailable {}

impl Handle {
    /// Both ends.
    pub fn new(store: Store, writer: Writer) -> (Self, Inbox) {
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (pages, from_pages) = mpsc::channel(INBOX);
        let (events, _) = broadcast::channel(EVENTS);
        let outbox = Outbox { events: events.clone(), writer: writer.clone() };
        (Self { commands, pages, events, store, writer }, Inbox { commands: asked, pages: from_pages, outbox })
    }

    /// Asks the gateway.
    pub async fn ask(&self, command: Command) -> Result<Outcome, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.commands.try_send(Asked { command, answer }).map_err(|_| Unavailable)?;
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(Unavailable),
        }
    }

    /// The way by which pages' connections bring what they hear. Whoever sends waits while it is full: TCP slows the page.
    pub fn pages(&self) -> &mpsc::Sender<FromPage> {
        &self.pages
    }

    /// Whether the gateway has ended: nothing that is asked will ever be answered.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Hears every event from now on.
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The writer of records and events.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }
}

impl Outbox {
    /// Keeps and publishes an event. Kept first: whoever subscribes and then asks the store misses none.
    pub fn publish(&self, event: Event) {
        let event = Arc::new(event);
        self.writer.event(event.clone());
        // No subscriber is no error.
        let _ = self.events.send(event);
    }

    /// Whether somebody hears events as they happen.
    pub fn is_heard(&self) -> bool {
        self.events.receiver_count() > 0
    }

    /// Keeps what is known of a call.
    pub fn record(&self, record: Record) {
        self.writer.record(record);
    }

    /// The writer, to let it finish at the end.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }
}
