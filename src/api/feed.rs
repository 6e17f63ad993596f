//! The event log as one reader follows it: from the store up to now, then live, with no gap and no repetition between.
//!
//! ```text
//! after=n: pages from the store … until a page is not full
//!          subscribe, let the writer settle, the rest from the store, what the writer could not write
//! then:    live, skipping what was sent already
//! ```
//!
//! A reader slower than the events is ended with a reason once it lags behind by the subscription's bound; it comes
//! back with the last number it saw and reads on from the store.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::App;
use crate::base::RoomId;
use crate::base::id::KeyId;
use crate::gateway::event::Event;
use crate::store::Store;

/// How often a silent stream says something, so that proxies keep it and the reader knows that it lives. Longer: NATs
/// and proxies forget it. Shorter: phones wake up for nothing.
pub const PING: Duration = Duration::from_secs(15);

/// Streams at once. Each costs a connection and a few KiB.
pub const STREAMS: u64 = 1000;

/// Events read from the store at a time.
const PAGE: u32 = 500;

/// What a reader gets next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// An event.
    Event(Arc<Event>),
    /// Events between what the reader saw and this number are not kept any more: read rooms and calls anew.
    Gap(u64),
    /// Nothing happened for a while.
    Ping,
    /// The stream ends, for this reason.
    End(&'static str),
}

/// One reader's place in the log.
#[derive(Debug)]
pub struct Feed {
    app: App,
    key: KeyId,
    room: Option<RoomId>,
    /// The last number sent or skipped.
    last: u64,
    ready: VecDeque<Next>,
    state: State,
    closing: watch::Receiver<bool>,
    ping_at: Instant,
}

#[derive(Debug)]
enum State {
    /// Reading the store, far behind.
    Behind,
    /// Hearing events as they happen.
    Live(broadcast::Receiver<Arc<Event>>),
    /// Over.
    Ended,
}

enum Heard {
    Event(Result<Arc<Event>, RecvError>),
    Closing,
    Nothing,
}

impl Feed {
    /// Begins after this number, or now. `None` when there are as many streams as may be.
    pub fn begin(app: &App, key: KeyId, after: Option<u64>, room: Option<RoomId>) -> Option<Self> {
        if !app.counts.stream_opens(STREAMS) {
            return None;
        }
        let state = match after {
            Some(_) => State::Behind,
            None => State::Live(app.handle.events()),
        };
        Some(Self {
            app: app.clone(),
            key,
            room,
            last: after.unwrap_or(0),
            ready: VecDeque::new(),
            state,
            closing: app.closing.subscribe(),
            ping_at: Instant::now() + PING,
        })
    }

    /// What comes next; `None` after the end. May be dropped while it waits and called again.
    pub async fn next(&mut self) -> Option<Next> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                if let Next::End(_) = next {
                    self.state = State::Ended;
                }
                return Some(next);
            }
            match &mut self.state {
                State::Ended => return None,
                State::Behind => {
                    if let Err(reason) = self.catch_up().await {
                        self.ready.push_back(Next::End(reason));
                    }
                }
                State::Live(events) => {
                    let heard = tokio::select! {
                        biased;
                        _ = self.closing.wait_for(|closing| *closing) => Heard::Closing,
                        event = events.recv() => Heard::Event(event),
                        () = sleep_until(self.ping_at) => Heard::Nothing,
                    };
                    self.hear(heard).await;
                }
            }
        }
    }

    async fn hear(&mut self, heard: Heard) {
        let next = match heard {
            Heard::Event(Ok(event)) => return self.take(event),
            Heard::Event(Err(RecvError::Lagged(_))) => {
                self.app.counts.slow_reader();
                Next::End("too slow: come back with the last number you saw")
            }
            Heard::Event(Err(RecvError::Closed)) | Heard::Closing => Next::End("the node stops"),
            Heard::Nothing => {
                self.ping_at = Instant::now() + PING;
                if self.may_stay().await { Next::Ping } else { Next::End("the key was revoked") }
            }
        };
        self.ready.push_back(next);
    }

    /// A key revoked in the meantime ends its streams. A database that does not answer ends none.
    async fn may_stay(&self) -> bool {
        !matches!(self.app.handle.store().live_key(self.key).await, Ok(None))
    }

    fn take(&mut self, event: Arc<Event>) {
        if event.seq <= self.last {
            return;
        }
        self.last = event.seq;
        if self.room.is_none() || event.what.room() == self.room {
            self.ready.push_back(Next::Event(event));
        }
    }

    async fn catch_up(&mut self) -> Result<(), &'static str> {
        const FAILED: &str = "the database does not answer: come back with the last number you saw";
        let store = self.app.handle.store().clone();
        self.look_for_gap(&store).await.ok_or(FAILED)?;
        let page = store.events(self.last, self.room, PAGE).await.map_err(|_| FAILED)?;
        let full = page.len() >= PAGE as usize;
        page.into_iter().for_each(|event| self.take(Arc::new(event)));
        if full {
            return Ok(());
        }
        let events = self.app.handle.events();
        let rest = self.app.handle.writer().settle().await.ok_or("the node stops")?;
        loop {
            let page = store.events(self.last, self.room, PAGE).await.map_err(|_| FAILED)?;
            let full = page.len() >= PAGE as usize;
            page.into_iter().for_each(|event| self.take(Arc::new(event)));
            if !full {
                break;
            }
        }
        rest.into_iter().for_each(|event| self.take(event));
        self.state = State::Live(events);
        Ok(())
    }
}

impl Feed {
    /// Notes what cannot be told any more: numbers pruned since, or never given here (of another node, or from before
    /// a backup was restored). `None` when the database does not answer.
    async fn look_for_gap(&mut self, store: &Store) -> Option<()> {
        let (first, mut last) = store.event_range().await.ok()?.unwrap_or((0, 0));
        if self.last > last {
            // What was published just now may not be written yet.
            let rest = self.app.handle.writer().settle().await?;
            last = store.event_range().await.ok()?.map_or(0, |(_, last)| last);
            last = rest.last().map_or(last, |event| event.seq.max(last));
            if self.last > last {
                self.last = last;
                self.ready.push_back(Next::Gap(last));
            }
        } else if self.last > 0 && self.last + 1 < first {
            self.last = first.saturating_sub(1);
            self.ready.push_back(Next::Gap(first));
        }
        Some(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.app.counts.stream_closed();
    }
}
