//! A media thread: it owns a [`Plane`], the sockets of its legs, and a turn every 5 ms.
//!
//! ```text
//! t      wake at an absolute deadline
//!        orders in (ring) ── strangers' packets and RTCP in (epoll) ── browsers' voices in (ring)
//!        ── of some units at a time that are due: packets in, mix, encode, packets out
//!        ── reports out (ring, one ring of the doorbell)
//! t+5ms  the next
//! ```
//!
//! Where there are many units some are due in between: the thread wakes for them, and for packets that go on as they come.
//!
//! Audio waits in its socket until its room is mixed: what a leg needs is fetched into the processor's caches once in 20 ms instead of twice, and nobody
//! has to ask which sockets are readable. When it came is the kernel's word, so that waiting there is no jitter. Packets that go on as they come, from
//! one of two people to the other, wake the thread in between, at most once a millisecond. Between orders nothing allocates, locks or logs. A thread with no leg sleeps until
//! it is rung for.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use tracing::{debug, warn};

use crate::base::{Instant, LegId};
use crate::engine::clock::{Clock, Stamps};
use crate::engine::media_batch::{ALONE, Arrivals, Departures, TOGETHER};
use crate::engine::media_seats::{Found, Seats};
use crate::engine::media_web::ThreadEnds;
use crate::engine::media_worker::{Counts, Longest, Moved, Order, Report, Worker, add};
use crate::engine::os::{Doorbell, make_real_time, prefer_this_thread};
use crate::engine::sockets::{Datagram, Ear, LegSockets};
use crate::media::command::{Figures, MediaCommand, MediaEvent};
use crate::media::leg::Leg;
use crate::media::outlet::LegKey;
use crate::media::plane::{Plane, STEP, Unit};

/// Between turns. More: reports and orders wait longer. Less: more wake-ups.
pub(super) const TURN: Duration = Duration::from_millis(5);
/// Between wake-ups for packets that go on as they come. More: they wait longer. Less: a wake-up each.
const HURRY: Duration = Duration::from_millis(1);
/// A thread without legs looks for orders at least this often, should a ring of its doorbell be lost.
const NAP: Duration = Duration::from_secs(1);
/// Orders in a thread's ring. More wait with the sender.
const ORDERS: usize = 4096;
/// Reports in a thread's ring. More wait here, or are dropped when they can be.
const REPORTS: usize = 8192;
/// Turns between two rings for what may wait: who speaks, and figures. More: a name lights up later. Less: a switch to another thread and back for
/// each word.
const PATIENCE: u8 = 8;
/// The same where no page and no program follows what happens: half a second. More: the log of events says later who spoke, and of
/// a word whose speaker is muted or gone by then, nothing.
const LONG_PATIENCE: u8 = 100;
/// Packets of one socket taken in one wake-up. More: a flood keeps the mix
/// waiting. Less: after a pause of the machine, packets wait for the next wake-up.
const ROUNDS: usize = 64;
/// A packet that came within this is the last of its socket, where packets come every 20 ms: what waits behind it is read at the next tick. More: one of
/// two that came together waits for longer. Less: most sockets are asked in vain.
const RECENT: Duration = Duration::from_millis(18);

/// What a thread shares with the others.
pub(super) struct Ends {
    /// Rung for what it reports.
    pub bell: Arc<Doorbell>,
    /// Whether it is to end.
    pub stop: Arc<AtomicBool>,
    /// Whether anybody follows what happens.
    pub watched: Arc<AtomicBool>,
    /// To and from the web thread.
    pub web: ThreadEnds,
    /// Whether it is to run before all ordinary threads.
    pub real_time: bool,
}

/// Starts a thread.
pub(super) fn start(index: usize, plane: Plane, clock: Clock, ends: Ends) -> io::Result<Worker> {
    let Ends { bell, stop, watched, web, real_time } = ends;
    let (orders, inbox) = RingBuffer::new(ORDERS);
    let (outbox, reports) = RingBuffer::new(REPORTS);
    let doorbell = Arc::new(Doorbell::new()?);
    let asleep = Arc::new(AtomicBool::new(false));
    let counts = Arc::new(Counts::default());
    let longest = Arc::new(AtomicU64::new(0));
    let thread = Thread {
        plane,
        seats: Seats::new(&doorbell)?,
        web,
        orders: inbox,
        reports: outbox,
        backlog: VecDeque::with_capacity(REPORTS),
        events: Vec::with_capacity(1024),
        doorbell: doorbell.clone(),
        asleep: asleep.clone(),
        bell: Rung(bell),
        rung: false,
        waiting: 0,
        stop,
        watched,
        clock,
        counts: counts.clone(),
        longest: longest.clone(),
        at: None,
        units: Vec::with_capacity(TOGETHER),
        members: Vec::new(),
        taken: 0..0,
        arrivals: Arrivals::default(),
        departures: Departures::default(),
    };
    let spawned = std::thread::Builder::new().name(format!("media-{index}")).spawn(move || {
        if real_time && let Err(error) = make_real_time() {
            warn!(thread = index, %error, "media.real_time: the system refuses it; permit it (systemd: LimitRTPRIO=1 and RestrictRealtime=no) or leave it out");
        }
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
        longest: Longest::new(longest),
        orders,
        waiting: VecDeque::new(),
        reports,
        doorbell,
        asleep,
        thread: Some(spawned),
    })
}

struct Thread {
    plane: Plane,
    seats: Seats,
    /// To and from the web thread.
    web: ThreadEnds,
    orders: Consumer<Order>,
    reports: Producer<Report>,
    /// Reports that found the ring full and may not be dropped.
    backlog: VecDeque<Report>,
    events: Vec<MediaEvent>,
    doorbell: Arc<Doorbell>,
    asleep: Arc<AtomicBool>,
    bell: Rung,
    rung: bool,
    /// Turns since the first report that may wait, that one included; none where there is none.
    waiting: u8,
    stop: Arc<AtomicBool>,
    watched: Arc<AtomicBool>,
    clock: Clock,
    counts: Arc<Counts>,
    /// The longest time awake in one go, in microseconds, since that was asked last.
    longest: Arc<AtomicU64>,
    /// Whose packet or order is being dealt with: who ends if that fails.
    at: Option<LegId>,
    /// What is being ticked, and the legs of all of it.
    units: Vec<Unit>,
    members: Vec<(Unit, LegKey)>,
    /// Of which of them the first datagrams have been taken.
    taken: Range<usize>,
    arrivals: Arrivals,
    departures: Departures,
}

/// The gateway's doorbell; rung when the thread ends, however it ends, so that its end is noticed.
struct Rung(Arc<Doorbell>);

impl Drop for Rung {
    fn drop(&mut self) {
        self.0.ring();
    }
}

impl Thread {
    fn run(mut self) {
        let mut turn = self.next_turn();
        while !self.stop.load(Ordering::Acquire) && !self.reports.is_abandoned() {
            if self.plane.rooms() == 0 && self.plane.is_empty() && self.backlog.is_empty() {
                self.nap();
                turn = self.next_turn();
            }
            let due = self.plane.poll_timeout().map_or(turn, |unit| unit.min(turn));
            self.wait_until(due);
            let began = self.clock.mono();
            // The latest deadline that has passed: what was missed before it is the plane's to make up for.
            let now = began.floor(STEP).max(due);
            let missed = now.since(due).as_millis() / TURN.as_millis();
            if missed > 0 {
                add(&self.counts.late, 1);
                add(&self.counts.skipped, u64::try_from(missed).unwrap_or(u64::MAX));
            }
            self.plane.overtake(now);
            let whole = now >= turn;
            if whole {
                self.take_orders(now);
            }
            let stamps = Stamps::new(&self.clock, now.since(due));
            if whole {
                self.receive(&stamps, now);
                self.hear(now);
                turn = now.floor(TURN) + TURN;
            } else if self.seats.any_hurried() {
                let found = self.seats.wait_hurried(Duration::ZERO);
                self.read_all(found, &stamps, now);
            }
            self.tick(&stamps, now);
            self.web.ring();
            while let Some((key, hurry)) = self.plane.poll_turned() {
                self.seats.hurry(key, hurry);
            }
            self.report(whole);
            let busy = u64::try_from(self.clock.mono().since(began).as_micros()).unwrap_or(u64::MAX);
            add(&self.counts.busy_us, busy);
            add(&self.counts.wakes, 1);
            if busy > self.longest.load(Ordering::Relaxed) {
                self.longest.store(busy, Ordering::Relaxed);
            }
        }
    }

    fn next_turn(&self) -> Instant {
        self.clock.mono().floor(TURN) + TURN
    }

    /// Sleeps until rung for.
    fn nap(&mut self) {
        self.asleep.store(true, Ordering::SeqCst);
        // An order pushed before the flag was seen rang for nobody.
        if self.orders.is_empty() && !self.stop.load(Ordering::SeqCst) {
            self.seats.wait(NAP);
            self.doorbell.answer();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn take_orders(&mut self, now: Instant) {
        let mut taken = 0;
        while let Ok(order) = self.orders.pop() {
            taken += 1;
            self.at = order.leg();
            if catch_unwind(AssertUnwindSafe(|| self.obey(order, now))).is_err() {
                self.end_failed(now);
            }
            self.settle_events();
            if taken >= ORDERS {
                break;
            }
        }
        if taken > 0 {
            // Room for all of them in one room, so that a tick asks for none.
            self.members.reserve(self.plane.len());
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
                    let sockets = self.seats.unseat(leg);
                    (sockets.is_some() || state.is_browser()).then(|| Box::new(Moved { state, sockets }))
                });
                self.push(Report::Taken { leg, moved });
            }
            Order::Insert { leg, moved } => {
                let Moved { state, sockets } = *moved;
                let key = self.plane.insert_leg(state, now);
                if let Some(sockets) = sockets {
                    self.seat(leg, key, sockets, now);
                }
            }
            Order::Span { room, span } => self.plane.span(room, span, now),
            #[cfg(test)]
            Order::Fail { room } => self.plane.fail_next(room),
        }
    }

    fn command(&mut self, command: MediaCommand, now: Instant) {
        let mut outlet = self.seats.outlet(&mut self.web);
        self.plane.handle(command, now, &mut outlet, &mut self.events);
        outlet.count(&self.counts);
    }

    fn receive(&mut self, stamps: &Stamps, now: Instant) {
        for _ in 0..ROUNDS {
            let found = self.seats.wait(Duration::ZERO);
            self.read_all(found, stamps, now);
            let hurried = if self.seats.any_hurried() { self.seats.wait_hurried(Duration::ZERO) } else { 0 };
            self.read_all(hurried, stamps, now);
            if found == 0 && hurried == 0 {
                break;
            }
        }
    }

    /// Sleeps until the next deadline, but for packets that go on as they come.
    fn wait_until(&mut self, due: Instant) {
        while self.seats.any_hurried() {
            let left = due.since(self.clock.mono());
            // The kernel counts this wait in milliseconds.
            if left < Duration::from_millis(1) {
                break;
            }
            let found = self.seats.wait_hurried(left);
            if found > 0 {
                let now = self.clock.mono();
                // Packets that waited while we stood still find the time as it is.
                self.plane.overtake(now);
                self.read_all(found, &Stamps::new(&self.clock, now.since(due)), now);
                let rested = now + HURRY;
                let busy = self.clock.mono().since(now).as_micros();
                add(&self.counts.busy_us, u64::try_from(busy).unwrap_or(u64::MAX));
                add(&self.counts.hurried, 1);
                self.clock.sleep_until(rested.min(due));
            }
        }
        self.clock.sleep_until(due);
    }

    /// Takes one packet of each socket that was found.
    fn read_all(&mut self, found: usize, stamps: &Stamps, now: Instant) {
        let mut next = 0;
        // A packet that makes us fail ends its leg; the others' are read on.
        while next < found {
            if catch_unwind(AssertUnwindSafe(|| self.read(&mut next, found, stamps, now))).is_err() {
                self.end_failed(now);
            }
        }
        if !self.events.is_empty() {
            self.settle_events();
        }
    }

    fn read(&mut self, next: &mut usize, found: usize, stamps: &Stamps, now: Instant) {
        while *next < found {
            let index = *next;
            *next += 1;
            match self.seats.found(index) {
                Some(Found::Ear(key, ear)) => {
                    self.take_one(key, ear);
                    self.hand_over(key, ear, ALONE, stamps, now);
                }
                Some(Found::Doorbell) => self.doorbell.answer(),
                None => {}
            }
        }
    }

    /// Takes what waits for the legs of units that are about to be ticked.
    fn read_members(&mut self, stamps: &Stamps, now: Instant) {
        self.taken = 0..0;
        let mut next = 0;
        while next < self.members.len() {
            if catch_unwind(AssertUnwindSafe(|| self.read_some(&mut next, stamps, now))).is_err() {
                self.end_failed(now);
            }
        }
        if !self.events.is_empty() {
            self.settle_events();
        }
    }

    fn read_some(&mut self, next: &mut usize, stamps: &Stamps, now: Instant) {
        while let Some((unit, key)) = self.members.get(*next).copied() {
            if *next >= self.taken.end {
                self.take_some(*next);
            }
            let place = *next - self.taken.start;
            *next += 1;
            self.read_waiting(key, place, stamps, now);
            self.at = self.plane.leg(key).map(Leg::id);
            let mut outlet = self.seats.outlet(&mut self.web);
            self.plane.listen(unit, key, &mut outlet, &mut self.events);
            outlet.count(&self.counts);
        }
    }

    /// Takes the first datagrams of the next few members.
    fn take_some(&mut self, first: usize) {
        self.taken = first..first;
        for place in 0..TOGETHER {
            let Some((_, key)) = self.members.get(self.taken.end).copied() else { return };
            self.taken.end += 1;
            self.seats.fetch(self.plane.foresee());
            let seat = self.seats.get(key).filter(|seat| !seat.hurried);
            self.arrivals.take(place, |inbox| seat?.sockets.receive(Ear::Rtp, inbox));
        }
    }

    /// Takes what waits for one leg, of which the first may have been taken.
    fn read_waiting(&mut self, key: LegKey, mut place: usize, stamps: &Stamps, now: Instant) {
        for round in 0..ROUNDS {
            if round > 0 {
                place = ALONE;
                self.take_one(key, Ear::Rtp);
            }
            let Some(age) = self.hand_over(key, Ear::Rtp, place, stamps, now) else { break };
            // Asking a socket in vain costs half of what a packet does. Had there been more, this one would be older.
            let last = age.is_some_and(|age| age < RECENT);
            if last && self.plane.leg(key).is_some_and(Leg::is_served) {
                break;
            }
        }
    }

    /// Takes a datagram of a leg's socket, if there is one.
    fn take_one(&mut self, key: LegKey, ear: Ear) {
        let seat = self.seats.get(key);
        self.arrivals.take(ALONE, |inbox| seat?.sockets.receive(ear, inbox));
    }

    /// Gives what was taken for a place to its leg; says how old it is, if that is known, where there was something.
    fn hand_over(
        &mut self,
        key: LegKey,
        ear: Ear,
        place: usize,
        stamps: &Stamps,
        now: Instant,
    ) -> Option<Option<Duration>> {
        let (Datagram { from, stamp, .. }, bytes) = self.arrivals.get(place)?;
        self.at = self.seats.get(key).map(|seat| seat.leg);
        let arrived = stamps.arrived(stamp, now);
        let mut outlet = self.seats.outlet(&mut self.web);
        match ear {
            Ear::Rtp | Ear::Trap => self.plane.receive_rtp(key, from, bytes, arrived, &mut outlet, &mut self.events),
            Ear::Rtcp => self.plane.receive_rtcp(key, from, bytes, arrived),
        }
        outlet.count(&self.counts);
        add(&self.counts.received, 1);
        Some(stamps.age(stamp))
    }

    /// Takes browsers' voices, at most as many as the ring holds.
    fn hear(&mut self, now: Instant) {
        let voices = self.web.voices.slots();
        for _ in 0..voices {
            if catch_unwind(AssertUnwindSafe(|| self.hear_one(now))).is_err() {
                self.end_failed(now);
            }
        }
        if !self.events.is_empty() {
            self.settle_events();
        }
        add(&self.counts.voices, u64::try_from(voices).unwrap_or(0));
    }

    fn hear_one(&mut self, now: Instant) {
        let Ok(voice) = self.web.voices.pop() else { return };
        self.at = Some(voice.leg);
        let mut outlet = self.seats.outlet(&mut self.web);
        self.plane.receive_voice(&voice, now, &mut outlet, &mut self.events);
        outlet.count(&self.counts);
    }

    fn tick(&mut self, stamps: &Stamps, now: Instant) {
        while let Some(unit) = self.plane.poll_due(now) {
            self.units.clear();
            self.members.clear();
            let mut next = Some(unit);
            while let Some(unit) = next {
                self.units.push(unit);
                self.plane.members(unit, &mut self.members);
                let room = self.members.len() < TOGETHER && self.units.len() < TOGETHER;
                next = if room { self.plane.poll_more() } else { None };
            }
            self.read_members(stamps, now);
            self.tick_units();
        }
    }

    fn tick_units(&mut self) {
        for at in 0..self.units.len() {
            let Some(unit) = self.units.get(at).copied() else { break };
            let mut outlet = self.seats.outlet_by(&mut self.web, &mut self.departures);
            let ticked = catch_unwind(AssertUnwindSafe(|| self.plane.tick(unit, &mut outlet, &mut self.events)));
            // Before their sockets are dealt with, if they are to be.
            if at + 1 == self.units.len() || ticked.is_err() || !self.events.is_empty() {
                outlet.flush();
            }
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
        if self.seats.seat(leg, key, sockets).is_err() {
            // The kernel has no room to watch it: a leg that hears nothing is no leg.
            self.command(MediaCommand::Close { leg }, now);
        }
    }

    /// After a change of the far end, everyone may be heard until the new one is known.
    fn open_to_all(&mut self, leg: LegId) {
        let latched = self.plane.key(leg).and_then(|key| self.plane.leg(key)).and_then(Leg::latched);
        if latched.is_none()
            && let Some(sockets) = self.seats.sockets_of(leg)
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
                    if let Some(sockets) = self.seats.sockets_of(leg) {
                        sockets.connect(remote);
                    }
                    self.push(Report::Event(event));
                }
                MediaEvent::Closed { leg, mut figures } => {
                    let sockets = self.seats.unseat(leg);
                    if let Some(sockets) = &sockets {
                        let (losses, news) = sockets.losses();
                        figures.note_system(losses, news);
                    }
                    self.push(Report::Closed { leg, figures, sockets });
                }
                MediaEvent::Measured { .. } | MediaEvent::Talking { .. } => {
                    let event = self.with_losses(event);
                    if self.backlog.is_empty() && self.reports.push(Report::Event(event)).is_ok() {
                        self.waiting = self.waiting.max(1);
                        // Thousands who begin at once: who is told of it is to make room.
                        self.rung |= self.reports.slots() < REPORTS / 2;
                    } else {
                        add(&self.counts.reports_dropped, 1);
                    }
                }
                MediaEvent::Digit { .. }
                | MediaEvent::DigitBegan { .. }
                | MediaEvent::Played { .. }
                | MediaEvent::Sounded { .. }
                | MediaEvent::Echo { .. }
                | MediaEvent::Music { .. }
                | MediaEvent::Secured { .. }
                | MediaEvent::SecurityFailed { .. }
                | MediaEvent::TimedOut { .. }
                | MediaEvent::Slots { .. }
                | MediaEvent::BridgeFailed { .. } => self.push(Report::Event(event)),
            }
        }
        self.events = events;
    }

    /// Adds what the system lost to a leg's figures.
    fn with_losses(&mut self, event: MediaEvent) -> MediaEvent {
        let MediaEvent::Measured { leg, mut figures } = event else { return event };
        if let Some(sockets) = self.seats.sockets_of(leg) {
            let (losses, news) = sockets.losses();
            figures.note_system(losses, news);
        }
        MediaEvent::Measured { leg, figures }
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
    fn report(&mut self, whole: bool) {
        while let Some(report) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(report)) = self.reports.push(report) {
                self.backlog.push_front(report);
                break;
            }
            self.rung = true;
        }
        if whole && self.waiting > 0 {
            self.waiting += 1;
        }
        let patience = if self.watched.load(Ordering::Relaxed) { PATIENCE } else { LONG_PATIENCE };
        if std::mem::take(&mut self.rung) || self.waiting > patience {
            self.waiting = 0;
            self.bell.0.ring();
        }
    }
}
