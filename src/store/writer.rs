//! The writer: takes records and events as they happen, writes them in batches, and never makes a call wait.
//!
//! ```text
//! gateway loop ── try_send ──> channel (16,384) ──> spool ──> one transaction per 50 ms (of who speaks: per second) or 1,000 items
//!                    │ full: lost, counted           │ database fails: kept, tried again after 0.1 s … 5 s
//!                                                    │ 8,000 events or 8,000 calls kept: the next is lost, counted
//! ```
//!
//! What is lost is the log of a call, never the call. Of one call only the newest state is kept while waiting, so a full
//! disk costs memory per call, not per change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{error, info, warn};

use super::invitation::Invited;
use super::{Settings, Store, StoreError, clock, code, device, event, invitation, record, seat};
use crate::base::id::{CodeId, TicketId};
use crate::base::{LegId, Utc};
use crate::gateway::Record;
use crate::gateway::device::PersonRecord;
use crate::gateway::event::{Event, Happening};
use crate::gateway::view::CallRecord;
use crate::media::command::Figures;
use crate::ticket::Ticket;

/// Longest time between what happened and its transaction. Longer: more is lost by a `kill -9`. Shorter: a
/// transaction per event, and the disk never rests.
const BATCH_TIME: Duration = Duration::from_millis(50);

/// The same for who speaks and who does not, which happens all the time and is over when it is read. Longer: more waits in
/// memory, and whoever is told of it by webhook is told later.
const LAZY_TIME: Duration = Duration::from_secs(1);

/// Items in one transaction. More: API writes wait longer behind it. Fewer: a burst takes more of them.
const BATCH_ITEMS: usize = 1000;

/// Items between the gateway and the writer: what happens while one transaction is under way.
const CHANNEL: usize = 16_384;

/// Events kept while the database fails; below the gap that a start leaves in the numbers, so that none repeats.
const SPOOL_EVENTS: usize = 8_000;

/// Calls kept while the database fails.
const SPOOL_CALLS: usize = 8_000;

/// First and longest pause before a failed transaction is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How long the last transaction may take at the end. Longer: a full disk holds up the exit.
const LAST: Duration = Duration::from_secs(5);

/// How often what is too old is looked for.
const PRUNE: Duration = Duration::from_secs(24 * 3600);

/// How long pictures are kept: browsers keep their own and send them again.
const PICTURE_DAYS: u32 = 7;

/// The way to the writer. Cheap to clone; none of its methods waits except [`Writer::settle`] and [`Writer::finish`].
#[derive(Debug, Clone)]
pub struct Writer {
    items: mpsc::Sender<Item>,
    counters: Arc<Counters>,
}

/// What the writer did.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events and record changes written.
    pub written: AtomicU64,
    /// Transactions that failed and were tried again.
    pub failures: AtomicU64,
    /// Events that were never written.
    pub events_lost: AtomicU64,
    /// Record changes that were never written.
    pub records_lost: AtomicU64,
    /// Items waiting now.
    pub waiting: AtomicU64,
    /// Whether the last transaction failed.
    pub failing: AtomicBool,
}

#[derive(Debug)]
enum Item {
    Event(Arc<Event>),
    Record(Record),
    Settle(oneshot::Sender<Vec<Arc<Event>>>),
    Finish(oneshot::Sender<()>),
}

impl Writer {
    /// Starts the writer's task on the current runtime.
    pub fn start(store: Store, settings: Settings) -> Self {
        let (items, inbox) = mpsc::channel(CHANNEL);
        let counters = Arc::new(Counters::default());
        let task = Task {
            store,
            settings,
            inbox,
            counters: counters.clone(),
            spool: Spool::default(),
            settling: Vec::new(),
            retry: None,
            prune_at: Instant::now(),
        };
        tokio::spawn(task.run());
        Self { items, counters }
    }

    /// Keeps an event.
    pub fn event(&self, event: Arc<Event>) {
        if self.items.try_send(Item::Event(event)).is_err() {
            self.counters.events_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Keeps what is known of a call.
    pub fn record(&self, record: Record) {
        if self.items.try_send(Item::Record(record)).is_err() {
            self.counters.records_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything given before is written, or cannot be: then returns the events that are not, in order.
    /// None when the writer has ended.
    pub async fn settle(&self) -> Option<Vec<Arc<Event>>> {
        let (answer, answered) = oneshot::channel();
        self.items.send(Item::Settle(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Writes what is left and ends the task.
    pub async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.items.send(Item::Finish(done)).await.is_ok() {
            let _ = finished.await;
        }
    }

    /// What it did so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}

#[derive(Debug, Default)]
struct Spool {
    events: VecDeque<Arc<Event>>,
    calls: BTreeMap<LegId, Pending>,
    /// Invitations that were made in meetings.
    invited: Vec<Invited>,
    /// How many came by invitations.
    used: BTreeMap<TicketId, u32>,
    /// What brings people back, and what does so no more (none).
    resumes: BTreeMap<TicketId, Option<(Box<Ticket>, Utc)>>,
    /// Invitations that were withdrawn in meetings.
    revoked: BTreeMap<TicketId, Utc>,
    /// How many calls printed codes began, and when the last.
    codes: BTreeMap<CodeId, (u32, Utc)>,
    /// What changed about people's devices, in order.
    people: Vec<PersonRecord>,
}

/// What is to be written of one call: only the newest.
#[derive(Debug, Default)]
struct Pending {
    record: Option<Box<CallRecord>>,
    figures: Option<Figures>,
}

impl Spool {
    fn len(&self) -> usize {
        self.events.len()
            + self.calls.len()
            + self.invited.len()
            + self.used.len()
            + self.resumes.len()
            + self.revoked.len()
            + self.people.len()
            + self.codes.len()
    }

    fn take(&mut self, item: Record, counters: &Counters) {
        let (leg, item) = match item {
            Record::Began(record) | Record::Changed(record) | Record::Ended(record) => {
                (record.id, Pending { record: Some(record), figures: None })
            }
            Record::Measured { leg, figures } => (leg, Pending { record: None, figures: Some(*figures) }),
            Record::Invited { ticket, created } => {
                // Their number is bounded by the throttle of each room.
                self.invited.extend(Invited::of(*ticket, created));
                return;
            }
            Record::ResumeKept { ticket, at } => {
                self.resumes.insert(ticket.id, Some((ticket, at)));
                return;
            }
            Record::ResumeGone { ticket } => {
                self.resumes.insert(ticket, None);
                return;
            }
            Record::Person(what) => {
                if self.people.len() >= SPOOL_CALLS {
                    counters.records_lost.fetch_add(1, Ordering::Relaxed);
                } else {
                    self.people.push(what);
                }
                return;
            }
            Record::TicketRevoked { ticket, at } => {
                self.revoked.insert(ticket, at);
                return;
            }
            Record::CodeUsed { code, used, at } => {
                // As many as there may be printed codes.
                self.codes.insert(code, (used, at));
                return;
            }
            Record::TicketUsed { ticket, used } => {
                // As many as there may be invitations.
                self.used.insert(ticket, used);
                return;
            }
        };
        if self.calls.len() >= SPOOL_CALLS && !self.calls.contains_key(&leg) {
            counters.records_lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let pending = self.calls.entry(leg).or_default();
        pending.record = item.record.or(pending.record.take());
        pending.figures = item.figures.or(pending.figures.take());
    }
}

struct Task {
    store: Store,
    settings: Settings,
    inbox: mpsc::Receiver<Item>,
    counters: Arc<Counters>,
    spool: Spool,
    settling: Vec<oneshot::Sender<Vec<Arc<Event>>>>,
    /// After a failure: when to try again, and how long the pause was.
    retry: Option<(Instant, Duration)>,
    prune_at: Instant,
}

impl Task {
    async fn run(mut self) {
        loop {
            let finish = self.collect().await;
            if Instant::now() >= self.prune_at {
                self.prune_at = Instant::now() + PRUNE;
                self.prune().await;
            }
            if finish.is_some() {
                if tokio::time::timeout(LAST, self.commit()).await.is_err() || self.spool.len() > 0 {
                    error!(lost = self.spool.len(), "the database could not take the last records and events");
                }
                self.settle();
                if let Some(Some(done)) = finish {
                    let _ = done.send(());
                }
                return;
            }
            if self.retry.is_none_or(|(at, _)| Instant::now() >= at) {
                self.commit().await;
            }
            self.settle();
        }
    }

    /// Takes items for one batch. `Some` when the end was asked for or nobody is left to ask.
    async fn collect(&mut self) -> Option<Option<oneshot::Sender<()>>> {
        let mut deadline = self.retry.map(|(at, _)| at);
        if self.spool.len() > 0 && deadline.is_none() {
            deadline = Some(Instant::now());
        }
        let (mut taken, mut items) = (0, Vec::new());
        loop {
            let room = BATCH_ITEMS - taken;
            let came = match deadline {
                Some(at) => match timeout_at(at, self.inbox.recv_many(&mut items, room)).await {
                    Ok(came) => came,
                    Err(_) => return None,
                },
                None => tokio::select! {
                    came = self.inbox.recv_many(&mut items, room) => came,
                    () = sleep_until(self.prune_at) => return None,
                },
            };
            if came == 0 {
                return Some(None);
            }
            taken += came;
            let mut wait = LAZY_TIME;
            let mut ends = None;
            for item in items.drain(..) {
                match item {
                    // Nobody gives anything after it.
                    Item::Finish(done) => ends = Some(Some(Some(done))),
                    Item::Settle(answer) => {
                        self.settling.push(answer);
                        ends = ends.or(Some(None));
                    }
                    Item::Event(event) => {
                        if !matches!(event.what, Happening::Speaking { .. }) {
                            wait = BATCH_TIME;
                        }
                        if self.spool.events.len() >= SPOOL_EVENTS {
                            self.counters.events_lost.fetch_add(1, Ordering::Relaxed);
                        } else {
                            self.spool.events.push_back(event);
                        }
                    }
                    Item::Record(record) => {
                        wait = BATCH_TIME;
                        self.spool.take(record, &self.counters);
                    }
                }
            }
            self.counters.waiting.store(self.spool.len() as u64, Ordering::Relaxed);
            if let Some(end) = ends {
                return end;
            }
            if taken >= BATCH_ITEMS {
                return None;
            }
            if self.retry.is_none() {
                let at = Instant::now() + wait;
                deadline = Some(deadline.map_or(at, |before| before.min(at)));
            }
        }
    }

    async fn commit(&mut self) {
        while self.spool.len() > 0 {
            match write(&self.store, &self.spool).await {
                Ok((events, calls)) => {
                    self.spool.invited.clear();
                    self.spool.used.clear();
                    self.spool.resumes.clear();
                    self.spool.revoked.clear();
                    self.spool.people.clear();
                    self.spool.codes.clear();
                    self.spool.events.drain(..events);
                    for leg in &calls {
                        self.spool.calls.remove(leg);
                    }
                    self.counters.written.fetch_add((events + calls.len()) as u64, Ordering::Relaxed);
                    self.counters.waiting.store(self.spool.len() as u64, Ordering::Relaxed);
                    if self.retry.take().is_some() {
                        info!("the database takes records and events again");
                        self.counters.failing.store(false, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    self.counters.failures.fetch_add(1, Ordering::Relaxed);
                    let pause = match self.retry {
                        // Said once, not at every try.
                        None => {
                            warn!(%error, "the database takes no records and events; calls go on, they are kept and tried again");
                            self.counters.failing.store(true, Ordering::Relaxed);
                            RETRY.0
                        }
                        Some((_, pause)) => (pause * 2).min(RETRY.1),
                    };
                    self.retry = Some((Instant::now() + pause, pause));
                    return;
                }
            }
        }
    }

    fn settle(&mut self) {
        for answer in self.settling.drain(..) {
            let _ = answer.send(self.spool.events.iter().cloned().collect());
        }
    }

    async fn prune(&self) {
        let now = clock::utc();
        let before = |days: u32| (days > 0).then(|| Utc(now.0.saturating_sub(i64::from(days) * 86_400_000)));
        let mut outcomes = vec![
            self.store.prune_idempotency(now).await,
            self.store.prune_seats(now).await,
            self.store.prune_deliveries(now).await,
            self.store.prune_personal_links(now).await,
            self.store.prune_devices(now).await,
            self.store.prune_printed(Utc(now.0.saturating_sub(code::KNOWN))).await,
        ];
        if let Some(before) = before(PICTURE_DAYS) {
            outcomes.push(self.store.prune_pictures(before).await);
        }
        if let Some(before) = before(self.settings.event_days) {
            outcomes.push(self.store.prune_events(before).await);
        }
        if let Some(before) = before(self.settings.record_days) {
            outcomes.push(self.store.prune_records(before).await);
        }
        for error in outcomes.into_iter().filter_map(Result::err) {
            warn!(%error, "what is too old could not be pruned; it is tried again in a day");
        }
    }
}

/// Writes a batch; returns how many events and which calls it held.
async fn write(store: &Store, spool: &Spool) -> Result<(usize, Vec<LegId>), StoreError> {
    let mut tx = store.begin().await?;
    let mut calls = Vec::new();
    for (leg, pending) in spool.calls.iter().take(BATCH_ITEMS) {
        if let Some(record) = &pending.record {
            record::write(&mut tx, record).await?;
        }
        if let Some(figures) = &pending.figures {
            record::write_figures(&mut tx, *leg, figures).await?;
        }
        calls.push(*leg);
    }
    for invited in &spool.invited {
        invitation::write(&mut tx, invited).await?;
    }
    for (ticket, used) in &spool.used {
        invitation::write_used(&mut tx, *ticket, *used).await?;
    }
    for (id, kept) in &spool.resumes {
        match kept {
            Some((ticket, at)) => seat::write(&mut tx, ticket, *at).await?,
            None => seat::remove(&mut tx, *id).await?,
        }
    }
    for (ticket, at) in &spool.revoked {
        invitation::write_revoked(&mut tx, *ticket, *at).await?;
    }
    for (id, (used, at)) in &spool.codes {
        code::write_used(&mut tx, *id, *used, *at).await?;
    }
    for what in &spool.people {
        device::write(&mut tx, what).await?;
    }
    let events = spool.events.len().min(BATCH_ITEMS);
    let told = events > 0 && event::write(&mut tx, spool.events.iter().take(events).map(|event| &**event)).await?;
    tx.commit().await?;
    if told {
        store.webhooks_changed();
    }
    Ok((events, calls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::WebhookId;
    use crate::base::{ParticipantId, RoomId, Secret};
    use crate::store::webhook::Webhook;

    fn event(seq: u64) -> Arc<Event> {
        Arc::new(Event { seq, at: Utc(0), what: Happening::CallAnswered { call: LegId::from_bits(seq) } })
    }

    async fn begin(name: &str) -> (Store, Writer) {
        let folder = std::env::temp_dir().join(format!("ringlift-writer-{}-{name}", std::process::id()));
        // Left behind by an earlier process of that number.
        let _ = std::fs::remove_dir_all(&folder);
        let path = folder.join("node.db");
        let store = Store::open(&path, Utc(0)).await.unwrap().store;
        let writer = Writer::start(store.clone(), Settings { path, event_days: 0, record_days: 0 });
        writer.settle().await.unwrap();
        (store, writer)
    }

    async fn until_it_takes_again(writer: &Writer) {
        while writer.counters().failing.load(Ordering::Relaxed) {
            writer.settle().await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(writer.settle().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_failing_database_holds_nobody_up_and_what_it_missed_is_written_when_it_works_again() {
        let (store, writer) = begin("failing").await;
        sqlx::query("alter table event rename to away").execute(&store.writes).await.unwrap();
        (1..=3000).for_each(|seq| writer.event(event(seq)));
        let rest = writer.settle().await.unwrap();
        let counters = writer.counters();
        assert!(counters.failing.load(Ordering::Relaxed) && counters.failures.load(Ordering::Relaxed) >= 1);
        assert_eq!(rest.len(), 3000, "readers get what is not written from memory");
        // More than is kept: counted, the oldest kept.
        (3001..=SPOOL_EVENTS as u64 + 5).for_each(|seq| writer.event(event(seq)));
        assert_eq!(writer.settle().await.unwrap().len(), SPOOL_EVENTS);
        assert_eq!(counters.events_lost.load(Ordering::Relaxed), 5);
        sqlx::query("alter table away rename to event").execute(&store.writes).await.unwrap();
        until_it_takes_again(&writer).await;
        assert_eq!(store.event_range().await.unwrap(), Some((1, SPOOL_EVENTS as u64)));
        assert_eq!(store.events(0, None, 100_000).await.unwrap().len(), SPOOL_EVENTS);
    }

    #[tokio::test]
    async fn a_full_disk_loses_nothing() {
        let (store, writer) = begin("full").await;
        // SQLite's own limit on this connection: beyond it every write fails as on a full disk.
        sqlx::query("pragma max_page_count = 1").execute(&store.writes).await.unwrap();
        (1..=3000).for_each(|seq| writer.event(event(seq)));
        assert_eq!(writer.settle().await.unwrap().len(), 3000);
        sqlx::query("pragma max_page_count = 1000000").execute(&store.writes).await.unwrap();
        until_it_takes_again(&writer).await;
        assert!(writer.counters().failures.load(Ordering::Relaxed) >= 1);
        assert_eq!(store.event_range().await.unwrap(), Some((1, 3000)));
        writer.finish().await;
    }

    #[tokio::test]
    async fn who_speaks_is_written_with_what_comes_after_it_and_told_in_order_to_who_asks() {
        let (store, writer) = begin("lazy").await;
        let speaking = |seq| {
            let (room, participant) = (RoomId::from_bits(1), ParticipantId::from_bits(2));
            let what = Happening::Speaking { room, participant, speaking: seq % 2 == 0 };
            Arc::new(Event { seq, at: Utc(0), what })
        };
        for seq in 1..=1200 {
            writer.event(if seq % 3 == 0 { event(seq) } else { speaking(seq) });
        }
        assert!(writer.settle().await.unwrap().is_empty(), "whoever asks finds everything written");
        let seqs: Vec<u64> = store.events(0, None, 2000).await.unwrap().iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=1200).collect::<Vec<_>>());
        sqlx::query("alter table event rename to away").execute(&store.writes).await.unwrap();
        for seq in [1201, 1203, 1205] {
            writer.event(event(seq));
            writer.event(speaking(seq + 1));
        }
        let rest: Vec<u64> = writer.settle().await.unwrap().iter().map(|event| event.seq).collect();
        // Readers go by the last number that they have.
        assert_eq!(rest, [1201, 1202, 1203, 1204, 1205, 1206], "of what is not written too");
        sqlx::query("alter table away rename to event").execute(&store.writes).await.unwrap();
        until_it_takes_again(&writer).await;
        // By itself, without anybody asking or anything else happening; and whoever wants to be told of it is.
        let hook = Webhook {
            id: WebhookId::from_bits(1),
            url: "https://example.com/".into(),
            description: String::new(),
            events: vec!["participant.speaking".into()],
            enabled: true,
            gone: false,
            secret: Secret::new("secret".to_owned()),
            old_secret: None,
            created: Utc(0),
            succeeded: None,
            failed: None,
            counts: (0, 0),
        };
        store.add_webhook(&hook).await.unwrap();
        let mut told = store.webhook_changes();
        writer.event(speaking(1207));
        tokio::time::timeout(Duration::from_secs(30), told.changed()).await.unwrap().unwrap();
        assert_eq!(store.event_range().await.unwrap(), Some((1, 1207)));
        assert_eq!(store.webhook(hook.id).await.unwrap().counts, (1, 0));
    }

    #[tokio::test]
    async fn of_a_waiting_call_only_the_newest_is_kept() {
        let counters = Counters::default();
        let mut spool = Spool::default();
        let leg = LegId::from_bits(1);
        for received in 0..100 {
            spool.take(
                Record::Measured { leg, figures: Box::new(Figures { received, ..Figures::default() }) },
                &counters,
            );
        }
        assert_eq!(spool.len(), 1);
        assert_eq!(spool.calls.get(&leg).and_then(|pending| pending.figures).map(|figures| figures.received), Some(99));
    }
}
