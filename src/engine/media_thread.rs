//! A media thread: it owns a [`Plane`], the sockets of its legs, and one wake-up every 5 ms.
//!
//! ```text
//! t      wake at an absolute deadline
//!        orders in (ring) ── packets in (epoll, until nothing is readable) ── units that are due: mix, encode, packets out
//!        ── reports out (ring, one ring of the doorbell)
//! t+5ms  the next
//! ```
//!
//! A wake-up costs more than the system calls in it: draining every 5 ms is cheaper than waking for each packet, and
//! adds 2.5 ms of delay on average. Between orders nothing allocates, locks or logs. A thread with no leg sleeps until
//! it is rung for.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use tracing::debug;

use crate::base::{Instant, LegId};
use crate::engine::clock::Clock;
use crate::engine::os::{Doorbell, Epoll, Ready, prefer_this_thread};
use crate::engine::sockets::{Ear, LegSockets};
use crate::media::clip::ClipLibrary;
use crate::media::command::{Figures, LegSetup, MediaCommand, MediaEvent};
use crate::media::leg::Leg;
use crate::media::outlet::{LegKey, Outgoing, Outlet};
use crate::media::plane::{Plane, Unit};

/// Between wake-ups. More: fewer of them, but packets wait longer. Less: the reverse.
const WAKE: Duration = Duration::from_millis(5);
/// A thread without legs looks for orders at least this often, should a ring of its doorbell be lost.
const NAP: Duration = Duration::from_secs(1);
/// Orders in a thread's ring. More wait with the sender.
const ORDERS: usize = 4096;
/// Reports in a thread's ring. More wait here, or are dropped when they can be.
const REPORTS: usize = 8192;
/// Sockets looked at by one call of epoll. More: memory. Less: more calls under load.
const READY: usize = 1024;
/// Rounds of reading in one wake-up; each takes at most one packet of each socket. More: a flood keeps the mix
/// waiting. Less: after a pause of the machine, packets wait for the next wake-up.
const ROUNDS: usize = 64;
/// Longest datagram looked at; a longer one is cut, and is no RTP of ours.
const DATAGRAM: usize = 2048;

/// An order to a thread.
pub(super) enum Order {
    /// A leg begins on these sockets.
    Open { leg: LegId, setup: Box<LegSetup>, sockets: Box<LegSockets> },
    /// Anything that needs no socket.
    Command(MediaCommand),
    /// The leg goes to another thread.
    Take { leg: LegId },
    /// It arrives there.
    Insert { leg: LegId, moved: Box<Moved> },
}

/// A leg between two threads: packets wait in its sockets.
pub(super) struct Moved {
    state: Box<Leg>,
    sockets: Box<LegSockets>,
}

/// What a thread reports.
pub(super) enum Report {
    /// For the gateway.
    Event(MediaEvent),
    /// A leg is gone; its sockets are closed where that may take time.
    Closed { leg: LegId, figures: Figures, sockets: Option<Box<LegSockets>> },
    /// As [`Order::Take`] asked; none when the leg is not there.
    Taken { leg: LegId, moved: Option<Box<Moved>> },
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Open { leg, .. } => write!(f, "Open({leg})"),
            Order::Command(command) => command.fmt(f),
            Order::Take { leg } => write!(f, "Take({leg})"),
            Order::Insert { leg, .. } => write!(f, "Insert({leg})"),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Event(event) => event.fmt(f),
            Report::Closed { leg, .. } => write!(f, "Closed({leg})"),
            Report::Taken { leg, moved } => write!(f, "Taken({leg}, {})", moved.is_some()),
        }
    }
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What a thread counts.
        #[derive(Debug, Default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Counts {
            /// Every total with its name.
            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counts! {
    /// Wake-ups.
    wakes,
    /// Wake-ups that came more than one period late.
    late,
    /// Periods that passed without a wake-up; the plane makes up for a bounded number of them.
    skipped,
    /// Datagrams read.
    received,
    /// Datagrams sent.
    sent,
    /// Datagrams the kernel did not take.
    unsent,
    /// Periodic reports dropped because the gateway fell behind.
    reports_dropped,
    /// Faults of ours that ended a leg or a room.
    failed,
    /// Microseconds awake.
    busy_us,
}

/// The control side of a thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) index: usize,
    /// Legs that are here or on their way.
    pub(super) legs: usize,
    pub(super) dead: bool,
    pub(super) counts: Arc<Counts>,
    orders: Producer<Order>,
    waiting: VecDeque<Order>,
    reports: Consumer<Report>,
    doorbell: Arc<Doorbell>,
    asleep: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Gives an order; it waits here when the ring is full.
    pub(super) fn post(&mut self, order: Order) {
        if self.dead {
            return;
        }
        self.waiting.push_back(order);
        self.flush();
    }

    /// Moves waiting orders into the ring as far as it has room, and wakes a sleeping thread.
    pub(super) fn flush(&mut self) {
        let mut moved = false;
        while let Some(order) = self.waiting.pop_front() {
            match self.orders.push(order) {
                Ok(()) => moved = true,
                Err(rtrb::PushError::Full(order)) => {
                    self.waiting.push_front(order);
                    break;
                }
            }
        }
        if moved && self.asleep.load(Ordering::SeqCst) {
            self.doorbell.ring();
        }
    }

    /// The next report.
    pub(super) fn take(&mut self) -> Option<Report> {
        self.reports.pop().ok()
    }

    /// Whether the thread ended though nobody asked it to, and everything it reported has been taken.
    pub(super) fn has_died(&self) -> bool {
        !self.dead && self.thread.is_some() && self.reports.is_abandoned() && self.reports.is_empty()
    }

    /// Wakes the thread to find out that it is to end.
    pub(super) fn stop(&mut self) -> Option<JoinHandle<()>> {
        self.doorbell.ring();
        self.thread.take()
    }
}

/// Starts a thread.
pub(super) fn start(
    index: usize,
    clips: Arc<ClipLibrary>,
    clock: Clock,
    bell: Arc<Doorbell>,
    stop: Arc<AtomicBool>,
) -> io::Result<Worker> {
    let (orders, inbox) = RingBuffer::new(ORDERS);
    let (outbox, reports) = RingBuffer::new(REPORTS);
    let doorbell = Arc::new(Doorbell::new()?);
    let asleep = Arc::new(AtomicBool::new(false));
    let counts = Arc::new(Counts::default());
    let epoll = Epoll::new()?;
    epoll.add(&*doorbell, DOORBELL)?;
    let thread = Thread {
        plane: Plane::new(clips),
        sockets: Vec::new(),
        epoll,
        ready: Ready::with_capacity(READY),
        orders: inbox,
        reports: outbox,
        backlog: VecDeque::with_capacity(REPORTS),
        events: Vec::with_capacity(1024),
        doorbell: doorbell.clone(),
        asleep: asleep.clone(),
        bell: Rung(bell),
        rung: false,
        stop,
        clock,
        counts: counts.clone(),
        keys: BTreeMap::new(),
        at: None,
    };
    let spawned = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || {
        match prefer_this_thread() {
            Ok(()) => debug!(thread = index, "media thread preferred by the scheduler"),
            Err(error) => {
                debug!(thread = index, %error, "media thread at ordinary priority; CAP_SYS_NICE would raise it")
            }
        }
        thread.run();
    })?;
    Ok(Worker {
        index,
        legs: 0,
        dead: false,
        counts,
        orders,
        waiting: VecDeque::new(),
        reports,
        doorbell,
        asleep,
        thread: Some(spawned),
    })
}

/// The token of the thread's own doorbell; no leg has it.
const DOORBELL: u64 = u64::MAX;

fn token(key: LegKey, ear: Ear) -> u64 {
    let ear = match ear {
        Ear::Rtp => 0,
        Ear::Trap => 1,
        Ear::Rtcp => 2,
    };
    u64::from(key.0) << 2 | ear
}

fn untoken(token: u64) -> Option<(LegKey, Ear)> {
    let ear = match token & 3 {
        0 => Ear::Rtp,
        1 => Ear::Trap,
        2 => Ear::Rtcp,
        _ => return None,
    };
    Some((LegKey(u32::try_from(token >> 2).ok()?), ear))
}

struct Thread {
    plane: Plane,
    /// By [`LegKey`].
    sockets: Vec<Option<Seat>>,
    epoll: Epoll,
    ready: Ready,
    orders: Consumer<Order>,
    reports: Producer<Report>,
    /// Reports that found the ring full and may not be dropped.
    backlog: VecDeque<Report>,
    events: Vec<MediaEvent>,
    doorbell: Arc<Doorbell>,
    asleep: Arc<AtomicBool>,
    bell: Rung,
    rung: bool,
    stop: Arc<AtomicBool>,
    clock: Clock,
    counts: Arc<Counts>,
    keys: BTreeMap<LegId, LegKey>,
    /// Whose packet or order is being dealt with: who ends if that fails.
    at: Option<LegId>,
}

struct Seat {
    leg: LegId,
    sockets: Box<LegSockets>,
}

/// The gateway's doorbell; rung when the thread ends, however it ends, so that its end is noticed.
struct Rung(Arc<Doorbell>);

impl Drop for Rung {
    fn drop(&mut self) {
        self.0.ring();
    }
}

/// Sends from a leg's sockets.
struct Sockets<'a> {
    seats: &'a [Option<Seat>],
    sent: u64,
    unsent: u64,
}

impl Outlet for Sockets<'_> {
    fn send(&mut self, packet: Outgoing<'_>) {
        let seat = self.seats.get(packet.leg.0 as usize).and_then(Option::as_ref);
        if seat.is_some_and(|seat| seat.sockets.send(packet.port, packet.to, packet.bytes)) {
            self.sent += 1;
        } else {
            self.unsent += 1;
        }
    }
}

impl Thread {
    fn run(mut self) {
        let mut due = grid(self.clock.mono()) + WAKE;
        while !self.stop.load(Ordering::Acquire) && !self.reports.is_abandoned() {
            if self.plane.is_empty() && self.backlog.is_empty() {
                self.nap();
                due = grid(self.clock.mono()) + WAKE;
            }
            self.clock.sleep_until(due);
            let began = self.clock.mono();
            // The latest deadline that has passed: what was missed before it is the plane's to make up for.
            let now = grid(began).max(due);
            let missed = now.since(due).as_millis() / WAKE.as_millis();
            if missed > 0 {
                add(&self.counts.late, 1);
                add(&self.counts.skipped, u64::try_from(missed).unwrap_or(u64::MAX));
            }
            self.take_orders(now);
            self.receive(now);
            self.tick(now);
            self.report();
            let busy = self.clock.mono().since(began).as_micros();
            add(&self.counts.busy_us, u64::try_from(busy).unwrap_or(u64::MAX));
            add(&self.counts.wakes, 1);
            due = now + WAKE;
        }
    }

    /// Sleeps until rung for.
    fn nap(&mut self) {
        self.asleep.store(true, Ordering::SeqCst);
        // An order pushed before the flag was seen rang for nobody.
        if self.orders.is_empty() && !self.stop.load(Ordering::SeqCst) {
            self.epoll.wait(&mut self.ready, NAP);
            self.doorbell.answer();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn take_orders(&mut self, now: Instant) {
        let mut taken = 0;
        while let Ok(order) = self.orders.pop() {
            taken += 1;
            self.at = leg_of(&order);
            if catch_unwind(AssertUnwindSafe(|| self.obey(order, now))).is_err() {
                self.end_failed(now);
            }
            self.settle_events();
            if taken >= ORDERS {
                break;
            }
        }
        // Whoever gives them may wait for room.
        self.rung |= taken >= ORDERS / 2;
    }

    fn obey(&mut self, order: Order, now: Instant) {
        match order {
            Order::Open { leg, setup, sockets } => {
                self.command(MediaCommand::Open { leg, setup }, now);
                match self.plane.key(leg) {
                    Some(key) => self.seat(leg, key, sockets, now),
                    None => self.push(Report::Closed { leg, figures: Figures::default(), sockets: Some(sockets) }),
                }
            }
            Order::Command(command) => {
                let modified = if let MediaCommand::Modify { leg, .. } = &command { Some(*leg) } else { None };
                self.command(command, now);
                if let Some(leg) = modified {
                    self.open_to_all(leg);
                }
            }
            Order::Take { leg } => {
                let state = self.plane.take_leg(leg);
                let moved = state.and_then(|state| {
                    let sockets = self.unseat(leg)?;
                    Some(Box::new(Moved { state, sockets }))
                });
                self.push(Report::Taken { leg, moved });
            }
            Order::Insert { leg, moved } => {
                let Moved { state, sockets } = *moved;
                let key = self.plane.insert_leg(state, now);
                self.seat(leg, key, sockets, now);
            }
        }
    }

    fn command(&mut self, command: MediaCommand, now: Instant) {
        let mut outlet = Sockets { seats: &self.sockets, sent: 0, unsent: 0 };
        self.plane.handle(command, now, &mut outlet, &mut self.events);
        outlet.count(&self.counts);
    }

    fn receive(&mut self, now: Instant) {
        for _ in 0..ROUNDS {
            let found = self.epoll.wait(&mut self.ready, Duration::ZERO);
            if found == 0 {
                break;
            }
            let mut next = 0;
            // A packet that makes us fail ends its leg; the others' are read on.
            while next < found {
                if catch_unwind(AssertUnwindSafe(|| self.read(&mut next, found, now))).is_err() {
                    self.end_failed(now);
                }
            }
            self.settle_events();
        }
    }

    /// Takes one packet of each socket that is ready.
    fn read(&mut self, next: &mut usize, found: usize, now: Instant) {
        let mut buffer = [0; DATAGRAM];
        let mut received = 0;
        while *next < found {
            let index = *next;
            *next += 1;
            let Some(token) = self.ready.token(index) else { continue };
            if token == DOORBELL {
                self.doorbell.answer();
                continue;
            }
            let Some((key, ear)) = untoken(token) else { continue };
            let Some(seat) = self.sockets.get(key.0 as usize).and_then(Option::as_ref) else { continue };
            let Some((length, from)) = seat.sockets.receive(ear, &mut buffer) else { continue };
            let bytes = buffer.get(..length).unwrap_or_default();
            self.at = Some(seat.leg);
            received += 1;
            let mut outlet = Sockets { seats: &self.sockets, sent: 0, unsent: 0 };
            match ear {
                Ear::Rtp | Ear::Trap => self.plane.receive_rtp(key, from, bytes, now, &mut outlet, &mut self.events),
                Ear::Rtcp => self.plane.receive_rtcp(key, from, bytes, now),
            }
            outlet.count(&self.counts);
        }
        add(&self.counts.received, received);
    }

    fn tick(&mut self, now: Instant) {
        while let Some(unit) = self.plane.poll_due(now) {
            let mut outlet = Sockets { seats: &self.sockets, sent: 0, unsent: 0 };
            let ticked = catch_unwind(AssertUnwindSafe(|| self.plane.tick(unit, &mut outlet, &mut self.events)));
            outlet.count(&self.counts);
            if ticked.is_err() {
                self.fail(unit);
            }
            if !self.events.is_empty() {
                self.settle_events();
            }
        }
    }

    /// A unit has failed: only its legs end.
    fn fail(&mut self, unit: Unit) {
        add(&self.counts.failed, 1);
        self.plane.fail(unit, &mut self.events);
    }

    /// The leg whose packet or order failed ends.
    fn end_failed(&mut self, now: Instant) {
        add(&self.counts.failed, 1);
        let Some(leg) = self.at.take() else { return };
        // If it cannot even say goodbye, it goes without.
        let closed = catch_unwind(AssertUnwindSafe(|| self.command(MediaCommand::Close { leg }, now)));
        if closed.is_err() || self.plane.key(leg).is_none() {
            self.plane.take_leg(leg);
        }
        if !self.events.iter().any(|event| matches!(event, MediaEvent::Closed { leg: closed, .. } if *closed == leg)) {
            self.events.push(MediaEvent::Closed { leg, figures: Figures::default() });
        }
    }

    fn seat(&mut self, leg: LegId, key: LegKey, sockets: Box<LegSockets>, now: Instant) {
        let index = key.0 as usize;
        if self.sockets.len() <= index {
            self.sockets.resize_with(index + 1, || None);
        }
        let watched = sockets.watch(&self.epoll, |ear| token(key, ear));
        if let Some(seat) = self.sockets.get_mut(index) {
            *seat = Some(Seat { leg, sockets });
        }
        self.keys.insert(leg, key);
        if watched.is_err() {
            // The kernel has no room to watch it: a leg that hears nothing is no leg.
            self.command(MediaCommand::Close { leg }, now);
        }
    }

    fn unseat(&mut self, leg: LegId) -> Option<Box<LegSockets>> {
        let key = self.keys.remove(&leg)?;
        let seat = self.sockets.get_mut(key.0 as usize)?.take()?;
        seat.sockets.unwatch(&self.epoll);
        Some(seat.sockets)
    }

    fn sockets_of(&mut self, leg: LegId) -> Option<&mut LegSockets> {
        let key = self.keys.get(&leg)?;
        self.sockets.get_mut(key.0 as usize)?.as_mut().map(|seat| &mut *seat.sockets)
    }

    /// After a change of the far end, everyone may be heard until the new one is known.
    fn open_to_all(&mut self, leg: LegId) {
        let latched = self.plane.key(leg).and_then(|key| self.plane.leg(key)).and_then(Leg::latched);
        if latched.is_none()
            && let Some(sockets) = self.sockets_of(leg)
        {
            sockets.disconnect();
        }
    }

    /// Does what events ask of the sockets, and passes the events on.
    fn settle_events(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                MediaEvent::Latched { leg, remote } => {
                    if let Some(sockets) = self.sockets_of(leg) {
                        sockets.connect(remote);
                    }
                    self.push(Report::Event(event));
                }
                MediaEvent::Closed { leg, figures } => {
                    let sockets = self.unseat(leg);
                    self.push(Report::Closed { leg, figures, sockets });
                }
                MediaEvent::Measured { .. } | MediaEvent::Talking { .. } => {
                    if self.backlog.is_empty() && self.reports.push(Report::Event(event)).is_ok() {
                        self.rung = true;
                    } else {
                        add(&self.counts.reports_dropped, 1);
                    }
                }
                MediaEvent::Digit { .. }
                | MediaEvent::DigitBegan { .. }
                | MediaEvent::Played { .. }
                | MediaEvent::Secured { .. }
                | MediaEvent::SecurityFailed { .. }
                | MediaEvent::TimedOut { .. }
                | MediaEvent::BridgeFailed { .. } => self.push(Report::Event(event)),
            }
        }
        self.events = events;
    }

    /// Reports what may not be lost.
    fn push(&mut self, report: Report) {
        self.rung = true;
        if !self.backlog.is_empty() {
            self.backlog.push_back(report);
        } else if let Err(rtrb::PushError::Full(report)) = self.reports.push(report) {
            self.backlog.push_back(report);
        }
    }

    /// Moves what waited into the ring, and rings once for everything of this wake-up.
    fn report(&mut self) {
        while let Some(report) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(report)) = self.reports.push(report) {
                self.backlog.push_front(report);
                break;
            }
            self.rung = true;
        }
        if std::mem::take(&mut self.rung) {
            self.bell.0.ring();
        }
    }
}

impl Sockets<'_> {
    fn count(&self, counts: &Counts) {
        add(&counts.sent, self.sent);
        add(&counts.unsent, self.unsent);
    }
}

/// One writer per counter: no need for an atomic addition, only for whole reads.
fn add(counter: &AtomicU64, more: u64) {
    if more > 0 {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }
}

/// The latest deadline at or before `now`.
fn grid(now: Instant) -> Instant {
    let period = WAKE.as_nanos();
    let whole = now.since_start().as_nanos() / period * period;
    Instant::from_start(Duration::from_nanos(u64::try_from(whole).unwrap_or(u64::MAX)))
}

fn leg_of(order: &Order) -> Option<LegId> {
    match order {
        Order::Open { leg, .. } | Order::Take { leg } | Order::Insert { leg, .. } => Some(*leg),
        Order::Command(command) => match command {
            MediaCommand::Open { leg, .. }
            | MediaCommand::Modify { leg, .. }
            | MediaCommand::Play { leg, .. }
            | MediaCommand::StopPlaying { leg }
            | MediaCommand::Join { leg, .. }
            | MediaCommand::Leave { leg }
            | MediaCommand::Mute { leg, .. }
            | MediaCommand::SendDigit { leg, .. }
            | MediaCommand::Close { leg } => Some(*leg),
            MediaCommand::PlayToRoom { .. } => None,
        },
    }
}
