//! The web thread: it owns the hub, the sockets of browsers, and the ring ends towards the media threads.
//!
//! ```text
//! wait: sockets, doorbells, the hub's next deadline
//! turn: orders ── datagrams ── voices of rooms ── time ──► the hub's orders: datagrams, voices, events
//! rest until a millisecond after the turn began
//! ```
//!
//! The rest bounds wake-ups: a busy node takes what came in a millisecond at once. Each turn's work is bounded, so that a flood
//! keeps neither orders nor voices waiting.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer};
use tracing::debug;

use crate::base::{Instant, Rng};
use crate::engine::clock::Clock;
use crate::engine::media_web::WebEnds;
use crate::engine::os::{Doorbell, Epoll, Ready, prefer_this_thread};
use crate::engine::web::Settings;
use crate::engine::web_tcp::Streams;
use crate::engine::web_udp::{Burst, Mail, WebSocket};
use crate::media::web::{WebCommand, WebEvent};
use crate::webrtc::epoch::Epoch;
use crate::webrtc::hub::Hub;
use crate::webrtc::identity::Identity;
use crate::webrtc::{self, Output, Via, Wire};

/// From one turn to the next. More: packets wait. Less: more wake-ups, each of which costs more than the calls in it.
const REST: Duration = Duration::from_millis(1);
/// A thread with nothing to do looks up at least this often, should a ring of its doorbell be lost.
const NAP: Duration = Duration::from_secs(1);
/// While something waits for a slow stream.
const RETRY: Duration = Duration::from_millis(5);
/// Times each socket is read in a turn. More: a flood keeps voices waiting. Less: bursts stay longer with the kernel.
const ROUNDS: usize = 8;
/// Orders and voices taken in a turn.
const BATCH: usize = 1024;
/// Events that wait for room before figures are left out.
const WAITING: usize = 1024;
/// Between two looks at streams that proved nothing, and two updates of the counts.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What epoll tells of a descriptor.
const ORDERS: u64 = 0;
const VOICES: u64 = 1;
const SOCKETS: u64 = 16;
const LISTENERS: u64 = 1 << 16;
const STREAMS: u64 = 1 << 32;

/// The thread's end of what ties it to the control side.
pub(super) struct Link {
    pub orders: Consumer<WebCommand>,
    pub events: Producer<WebEvent>,
    /// Rung when there are events.
    pub bell: Arc<Doorbell>,
    /// Rings when there are orders.
    pub doorbell: Arc<Doorbell>,
    pub stop: Arc<AtomicBool>,
    pub counts: Arc<Counts>,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the thread counts.
        #[derive(Debug, Default)]
        pub struct Counts {
            /// Browsers now.
            pub peers: AtomicU64,
            /// TCP connections now.
            pub streams: AtomicU64,
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
    /// Datagrams read.
    received,
    /// Datagrams sent.
    sent,
    /// Datagrams the kernel did not take.
    unsent,
    /// Datagrams of nobody known.
    strangers,
    /// Datagrams that no browser sends.
    malformed,
    /// Datagrams above what one browser may send.
    flooded,
    /// Packets of pictures handed on.
    pictures,
    /// Packets of voices handed on.
    voices,
    /// Voices that found no media thread, or its ring full.
    voices_lost,
    /// Keyframes that viewers wanted.
    keyframes_wanted,
    /// Offers refused.
    refused,
    /// Faults of ours that ended a connection.
    failed,
    /// Turns.
    turns,
    /// Microseconds awake.
    busy_us,
}

/// Binds everything and starts the thread.
pub(super) fn start(
    settings: Settings,
    identity: Identity,
    ends: WebEnds,
    link: Link,
    (clock, rng): (Clock, Rng),
) -> io::Result<JoinHandle<()>> {
    let epoll = Epoll::new()?;
    epoll.add(&link.doorbell, ORDERS)?;
    epoll.add(ends.doorbell(), VOICES)?;
    let mut sockets = Vec::new();
    for (address, token) in settings.udp.iter().zip(SOCKETS..) {
        let socket = WebSocket::bind(*address)
            .map_err(|error| io::Error::new(error.kind(), format!("udp {address}: {error}")))?;
        epoll.add(&socket, token)?;
        sockets.push((socket, Burst::default()));
    }
    // Beside the browsers' own, a few that are being tried.
    let streams = Streams::listen(&settings.tcp, settings.max_peers.saturating_mul(2) + 16, &epoll, LISTENERS)?;
    let hub = webrtc::Settings { candidates: settings.candidates, max_peers: settings.max_peers };
    let thread = Thread {
        hub: Hub::new(hub, identity, epoch(clock), rng),
        ready: Ready::with_capacity(256),
        epoll,
        sockets,
        streams,
        mail: Mail::new(),
        ends,
        backlog: VecDeque::new(),
        rung: false,
        unsent: 0,
        sent: 0,
        next_look: Instant::START,
        clock,
        link,
    };
    std::thread::Builder::new().name("web".into()).spawn(move || {
        if let Err(error) = prefer_this_thread() {
            debug!(%error, "web thread at ordinary priority; CAP_SYS_NICE would raise it");
        }
        thread.run();
    })
}

/// The standard library's instant at which the clock began.
#[allow(
    clippy::disallowed_methods,
    reason = "the library's instants cannot be made otherwise; differences alone count"
)]
fn epoch(clock: Clock) -> Epoch {
    let now = std::time::Instant::now();
    Epoch(now.checked_sub(clock.mono().since_start()).unwrap_or(now))
}

struct Thread {
    hub: Hub,
    epoll: Epoll,
    ready: Ready,
    /// Each with what is about to leave by it.
    sockets: Vec<(WebSocket, Burst)>,
    streams: Streams,
    mail: Mail,
    ends: WebEnds,
    /// Events that found the ring full.
    backlog: VecDeque<WebEvent>,
    rung: bool,
    unsent: u64,
    sent: u64,
    next_look: Instant,
    clock: Clock,
    link: Link,
}

impl Thread {
    fn run(mut self) {
        let mut slow = false;
        while !self.link.stop.load(Ordering::Acquire) && !self.link.events.is_abandoned() {
            let now = self.clock.mono();
            let mut wait = self.hub.poll_timeout().map_or(NAP, |at| at.since(now)).min(NAP);
            if slow || !self.backlog.is_empty() {
                wait = wait.min(RETRY);
            }
            // The kernel counts in milliseconds, downwards: not to wake too early and turn about for nothing, one more.
            let wait = if wait.is_zero() { wait } else { wait + Duration::from_millis(1) };
            let found = self.epoll.wait(&mut self.ready, wait);
            let began = self.clock.mono();
            self.take_orders(began);
            for index in 0..found {
                if let Some(token) = self.ready.token(index) {
                    self.take(token, began);
                }
            }
            self.take_voices(began);
            self.hub.advance(began);
            self.perform();
            slow = self.streams.flush();
            self.report(began);
            let busy = self.clock.mono().since(began);
            add(&self.link.counts.busy_us, u64::try_from(busy.as_micros()).unwrap_or(u64::MAX));
            add(&self.link.counts.turns, 1);
            self.clock.sleep_until(began + REST);
        }
    }

    fn take_orders(&mut self, now: Instant) {
        for _ in 0..BATCH {
            let Ok(order) = self.link.orders.pop() else { break };
            self.hub.command(order, now);
            self.perform();
        }
    }

    fn take(&mut self, token: u64, now: Instant) {
        match token {
            ORDERS => self.link.doorbell.answer(),
            VOICES => self.ends.doorbell().answer(),
            STREAMS.. => self.read_stream(u32::try_from(token - STREAMS).unwrap_or(u32::MAX), now),
            LISTENERS.. => {
                let listener = usize::try_from(token - LISTENERS).unwrap_or(usize::MAX);
                self.streams.accept(listener, &self.epoll, |number| STREAMS + u64::from(number), now);
            }
            SOCKETS.. => self.read_socket(usize::try_from(token - SOCKETS).unwrap_or(usize::MAX), now),
            _ => {}
        }
    }

    fn read_socket(&mut self, index: usize, now: Instant) {
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        for _ in 0..ROUNDS {
            let Some((socket, _)) = self.sockets.get(index) else { return };
            let hub = &mut self.hub;
            let count = socket.receive(&mut self.mail, |from, local, bytes| {
                hub.receive(Via { wire: Wire::Udp, socket: number, local }, from, bytes, now);
            });
            if count == 0 {
                break;
            }
            // What came is answered before more is read: orders do not pile up.
            self.hub.advance(now);
            self.perform();
        }
    }

    fn read_stream(&mut self, number: u32, now: Instant) {
        let (hub, mut from) = (&mut self.hub, None);
        self.streams.receive(number, |remote, _, bytes| {
            hub.receive(Via { wire: Wire::Tcp, socket: number, local: None }, remote, bytes, now);
            from = Some(remote);
        });
        if from.is_some_and(|from| self.hub.knows(Wire::Tcp, from)) {
            self.streams.prove(number);
        }
    }

    fn take_voices(&mut self, now: Instant) {
        for _ in 0..BATCH {
            let Some(frame) = self.ends.poll_slot() else { return };
            self.hub.voice(&frame, now);
        }
        // There may be more: the doorbell was answered.
        self.ends.doorbell().ring();
    }

    /// Carries out what the hub ordered.
    fn perform(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            match output {
                Output::Send { via: Via { wire: Wire::Udp, socket, local }, to, bytes } => {
                    self.sent += 1;
                    self.send(socket, to, local, &bytes);
                }
                Output::Send { via, bytes, .. } => {
                    self.sent += 1;
                    self.unsent += u64::from(!self.streams.send(via.socket, &bytes));
                }
                Output::Voice(voice) => {
                    self.ends.speak(*voice);
                }
                Output::Event(event) => self.push(event),
            }
        }
        for (socket, burst) in &mut self.sockets {
            self.unsent += u64::from(!socket.send(burst));
        }
    }

    fn send(&mut self, socket: u32, to: SocketAddr, from: Option<IpAddr>, bytes: &[u8]) {
        let Some((socket, burst)) = usize::try_from(socket).ok().and_then(|index| self.sockets.get_mut(index)) else {
            return;
        };
        let longest = socket.longest_burst();
        if !burst.add(to, from, bytes, longest) {
            self.unsent += u64::from(!socket.send(burst));
            burst.add(to, from, bytes, longest);
        }
    }

    fn push(&mut self, event: WebEvent) {
        if matches!(event, WebEvent::Measured { .. }) && self.backlog.len() > WAITING {
            return;
        }
        self.backlog.push_back(event);
    }

    fn report(&mut self, now: Instant) {
        while let Some(event) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(event)) = self.link.events.push(event) {
                self.backlog.push_front(event);
                break;
            }
            self.rung = true;
        }
        if std::mem::take(&mut self.rung) {
            self.link.bell.ring();
        }
        if now < self.next_look {
            return;
        }
        self.next_look = now + HOUSEKEEPING;
        self.streams.close_unproven(now);
        let (ours, counts) = (&self.link.counts, self.hub.counts());
        for (counter, total) in [
            (&ours.peers, u64::try_from(self.hub.peers()).unwrap_or(u64::MAX)),
            (&ours.streams, u64::try_from(self.streams.open()).unwrap_or(u64::MAX)),
            (&ours.received, counts.received),
            (&ours.sent, self.sent),
            (&ours.unsent, self.unsent),
            (&ours.strangers, counts.strangers),
            (&ours.malformed, counts.malformed),
            (&ours.flooded, counts.flooded),
            (&ours.pictures, counts.pictures),
            (&ours.voices, counts.voices),
            (&ours.voices_lost, self.ends.dropped()),
            (&ours.keyframes_wanted, counts.keyframes_wanted),
            (&ours.refused, counts.refused),
            (&ours.failed, counts.failed),
        ] {
            counter.store(total, Ordering::Relaxed);
        }
    }
}

/// One writer per counter: no need for an atomic addition, only for whole reads.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}
