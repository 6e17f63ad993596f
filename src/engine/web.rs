//! The control side of the web plane: orders to the thread that owns browsers' peer connections, and what it reports.
//!
//! ```text
//! gateway's loop ── WebCommand (ring) ──► web thread: Hub, sockets ◄── Voice, SlotFrame (rings) ──► media threads
//!                ◄── WebEvent (ring, a doorbell) ──
//! ```
//!
//! Orders are never dropped: what a full ring does not take waits here. Of the events a full ring refuses, periodic figures
//! are dropped; all others wait with the thread.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rtrb::{Consumer, Producer, RingBuffer};
use tokio::io::unix::AsyncFd;

use crate::base::Rng;
use crate::engine::clock::Clock;
use crate::engine::media_web::WebEnds;
use crate::engine::os::{self, Doorbell};
use crate::engine::web_thread::{self, Counts};
use crate::media::web::{WebCommand, WebEvent};
use crate::webrtc::{self, Candidate};

/// Orders in the ring. More wait here.
const ORDERS: usize = 1024;
/// Events in the ring. More wait with the thread.
const EVENTS: usize = 4096;

/// How the web plane is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// UDP addresses.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// What browsers are told.
    pub candidates: Vec<Candidate>,
    /// Most browsers at once.
    pub max_peers: usize,
}

/// The web plane as the gateway's loop sees it.
#[derive(Debug)]
pub struct WebPlane {
    orders: Producer<WebCommand>,
    waiting: VecDeque<WebCommand>,
    events: Consumer<WebEvent>,
    bell: AsyncFd<Arc<Doorbell>>,
    doorbell: Arc<Doorbell>,
    stop: Arc<AtomicBool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

impl WebPlane {
    /// Binds the sockets and starts the thread. Must be called within a tokio runtime.
    pub fn start(settings: Settings, ends: WebEnds, clock: Clock, rng: Rng) -> io::Result<Self> {
        let (orders, inbox) = RingBuffer::new(ORDERS);
        let (outbox, events) = RingBuffer::new(EVENTS);
        let (bell, doorbell) = (Arc::new(Doorbell::new()?), Arc::new(Doorbell::new()?));
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let link = web_thread::Link {
            orders: inbox,
            events: outbox,
            bell: bell.clone(),
            doorbell: doorbell.clone(),
            stop: stop.clone(),
            counts: counts.clone(),
        };
        let identity = webrtc::identity::Identity::generate()
            .ok_or_else(|| io::Error::other("no certificate for browsers can be made"))?;
        let thread = web_thread::start(settings, identity, ends, link, (clock, rng))?;
        let bell = os::listen(bell)?;
        let (waiting, thread) = (VecDeque::new(), Some(thread));
        Ok(Self { orders, waiting, events, bell, doorbell, stop, counts, thread })
    }

    /// Gives an order.
    pub fn send(&mut self, command: WebCommand) {
        self.waiting.push_back(command);
        self.flush();
    }

    /// The next event. May be dropped and called again without loss.
    pub async fn next(&mut self) -> WebEvent {
        loop {
            if let Some(event) = self.try_next() {
                return event;
            }
            match self.bell.readable().await {
                Ok(mut guard) => {
                    // Silenced before the ring is read: what comes after that rings again.
                    guard.clear_ready();
                    guard.get_inner().answer();
                }
                // The runtime is going down.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// The next event, if it is here already.
    pub fn try_next(&mut self) -> Option<WebEvent> {
        self.flush();
        self.events.pop().ok()
    }

    /// What the thread counted, as of the last second.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Hands the figures to the metrics.
    #[allow(clippy::cast_precision_loss, reason = "gauges are floating point")]
    pub fn report(&mut self) {
        // Orders that waited for room go out even where no event comes.
        self.flush();
        metrics::gauge!("ringlift_web_peers").set(self.counts.peers.load(Ordering::Relaxed) as f64);
        metrics::gauge!("ringlift_web_streams").set(self.counts.streams.load(Ordering::Relaxed) as f64);
        for (name, total) in self.counts.read() {
            metrics::counter!("ringlift_web_total", "what" => name).absolute(total);
        }
    }

    /// Ends the thread and closes its sockets.
    pub async fn finish(mut self) {
        self.stop.store(true, Ordering::Release);
        self.doorbell.ring();
        let thread = self.thread.take();
        // It ends within one wake-up; joining blocks, so it is done where blocking is allowed.
        let _ = tokio::task::spawn_blocking(move || thread.map(JoinHandle::join)).await;
    }

    fn flush(&mut self) {
        let mut moved = false;
        while let Some(order) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(order)) = self.orders.push(order) {
                self.waiting.push_front(order);
                break;
            }
            moved = true;
        }
        if moved {
            self.doorbell.ring();
        }
    }
}

/// The next event where there is a web plane; waits for ever where there is none.
pub async fn next(plane: &mut Option<WebPlane>) -> WebEvent {
    match plane {
        Some(plane) => plane.next().await,
        None => std::future::pending().await,
    }
}
