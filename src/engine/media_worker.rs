//! What a media thread is told, what it tells, and its control side.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use rtrb::{Consumer, Producer};

use crate::base::{LegId, RoomId};
use crate::engine::os::Doorbell;
use crate::engine::sockets::LegSockets;
use crate::media::bridge::Span;
use crate::media::command::{Figures, LegSetup, MediaCommand, MediaEvent};
use crate::media::leg::Leg;

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
    /// A room is a wing of a larger one from now on, or has got other wings, or (none) is a room again.
    Span { room: RoomId, span: Option<Span> },
    /// The room's next tick fails, as by a fault of ours.
    #[cfg(test)]
    Fail { room: RoomId },
}

/// A leg between two threads: packets wait in its sockets, a browser's voice is let fall.
pub(super) struct Moved {
    pub(super) state: Box<Leg>,
    /// A browser's has none.
    pub(super) sockets: Option<Box<LegSockets>>,
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

impl Order {
    /// The leg it is about.
    pub(super) fn leg(&self) -> Option<LegId> {
        match self {
            Order::Open { leg, .. } | Order::Take { leg } | Order::Insert { leg, .. } => Some(*leg),
            Order::Span { .. } => None,
            #[cfg(test)]
            Order::Fail { .. } => None,
            Order::Command(command) => match command {
                MediaCommand::Open { leg, .. }
                | MediaCommand::OpenWeb { leg }
                | MediaCommand::Modify { leg, .. }
                | MediaCommand::Play { leg, .. }
                | MediaCommand::StopPlaying { leg }
                | MediaCommand::Join { leg, .. }
                | MediaCommand::Leave { leg }
                | MediaCommand::Mute { leg, .. }
                | MediaCommand::SendDigit { leg, .. }
                | MediaCommand::Sound { leg }
                | MediaCommand::Treat { leg, .. }
                | MediaCommand::Direct { leg, .. }
                | MediaCommand::Close { leg } => Some(*leg),
                MediaCommand::PlayToRoom { .. } => None,
            },
        }
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Open { leg, .. } => write!(f, "Open({leg})"),
            Order::Command(command) => command.fmt(f),
            Order::Take { leg } => write!(f, "Take({leg})"),
            Order::Insert { leg, .. } => write!(f, "Insert({leg})"),
            Order::Span { room, span } => {
                write!(f, "Span({room}, {} others)", span.as_ref().map_or(0, |span| span.others.len()))
            }
            #[cfg(test)]
            Order::Fail { room } => write!(f, "Fail({room})"),
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
    /// Wake-ups between them, for packets that go on as they come.
    hurried,
    /// Datagrams read.
    received,
    /// Datagrams sent.
    sent,
    /// Datagrams the kernel did not take.
    unsent,
    /// Browsers' voices taken.
    voices,
    /// Packets of rooms' voices handed to the web plane.
    slots,
    /// Those that it had no room for.
    slots_dropped,
    /// Periodic reports dropped because the gateway fell behind.
    reports_dropped,
    /// Faults of ours that ended a leg or a room.
    failed,
    /// Microseconds awake.
    busy_us,
}

/// One writer per counter: no need for an atomic addition, only for whole reads.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    if more > 0 {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }
}

/// Reports for which a longest time is remembered: a minute's.
const REMEMBERED: usize = 12;

/// The longest time that a thread was awake in one go, of late.
#[derive(Debug)]
pub(super) struct Longest {
    /// Since it was asked last, in microseconds, as the thread writes it.
    fresh: Arc<AtomicU64>,
    past: VecDeque<u64>,
}

impl Longest {
    pub(super) fn new(fresh: Arc<AtomicU64>) -> Self {
        Self { fresh, past: VecDeque::with_capacity(REMEMBERED) }
    }

    /// In microseconds, of the last reports and since.
    pub(super) fn read(&mut self) -> u64 {
        if self.past.len() == REMEMBERED {
            self.past.pop_front();
        }
        // A time that is written just now may be told twice.
        self.past.push_back(self.fresh.swap(0, Ordering::Relaxed));
        self.past.iter().copied().max().unwrap_or(0)
    }
}

/// The control side of a thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) index: usize,
    /// Legs that are here or on their way.
    pub(super) legs: usize,
    pub(super) dead: bool,
    pub(super) counts: Arc<Counts>,
    pub(super) longest: Longest,
    pub(super) orders: Producer<Order>,
    pub(super) waiting: VecDeque<Order>,
    pub(super) reports: Consumer<Report>,
    pub(super) doorbell: Arc<Doorbell>,
    pub(super) asleep: Arc<AtomicBool>,
    pub(super) thread: Option<JoinHandle<()>>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longest_time_is_taken_once_and_told_for_a_minute_of_reports() {
        let fresh = Arc::new(AtomicU64::new(0));
        let mut longest = Longest::new(fresh.clone());
        assert_eq!(longest.read(), 0);
        fresh.store(900, Ordering::Relaxed);
        assert_eq!(longest.read(), 900);
        assert_eq!(fresh.load(Ordering::Relaxed), 0, "the thread measures anew");
        fresh.store(700, Ordering::Relaxed);
        assert_eq!(longest.read(), 900, "what is shorter takes nothing away");
        // That report and the next ten: with the one that brought it, a minute's.
        assert!((2..REMEMBERED).all(|_| longest.read() == 900));
        assert_eq!(longest.read(), 700, "then it is forgotten, and the next is the longest");
        assert_eq!(longest.read(), 0);
    }
}
