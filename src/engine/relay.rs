//! Relays as the gateway's loop sees them: one task per relay holds the tunnel, however often it is made anew, and the other
//! ends of its legs' sockets.
//!
//! ```text
//! API ── a tunnel that was let in ──► Relays ── orders ──► line ──► writer ──► tunnel ──► relay
//!                                       ▲                   │ ▲
//!            facts: up, lost, SIP ──────┴───────────────────┘ └── the tunnel's frames; audio goes to the leg's socket at once
//! media threads ── packets ──► a task per leg ──► writer
//! ```
//!
//! Ports are bound at the relay when it starts and told in its hello, so that choosing one for a call needs no question and no
//! answer: what is said on the tunnel stays in order.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::base::Utc;
use crate::base::id::RelayId;
use crate::engine::clock;
use crate::engine::sockets::LegSockets;
use crate::gateway::relays::Reach;
use crate::sip::endpoint::SendRef;
use crate::sip::transport::Source;
use crate::transport::SendError;
use crate::transport::relay::writer::Writer;
use crate::transport::relay::{Malformed, Packet};
use crate::wire::sip::{Message, ParseError};

/// Facts that may wait for the gateway's loop. When it is full, requests are dropped, which their senders repeat.
const FACTS: usize = 1024;
/// Orders that may wait for one relay's task.
const ORDERS: usize = 2048;
/// Tunnels that were let in and wait for the loop.
const ARRIVALS: usize = 64;
/// How long a port rests after a call, so that its late packets are not heard in the next.
const REST: Duration = Duration::from_secs(5);

/// A tunnel that was let in: what comes, how to answer, and the task that writes.
pub struct Tunnel {
    /// What comes. An error is the tunnel's end.
    pub packets: BoxStream<'static, Result<Packet, Malformed>>,
    /// How to answer.
    pub writer: Writer,
    /// Writes; to be run.
    pub writing: BoxFuture<'static, ()>,
    /// What people call the relay.
    pub name: String,
    /// Where it comes from.
    pub from: SocketAddr,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").field("name", &self.name).field("from", &self.from).finish_non_exhaustive()
    }
}

/// Something happened at a relay.
#[derive(Debug)]
pub enum Fact {
    /// It is there, or says anew whom it reaches.
    Up {
        /// Which.
        relay: RelayId,
        /// What it reaches.
        reach: Reach,
    },
    /// Its tunnel is gone.
    Lost {
        /// Which.
        relay: RelayId,
        /// For good: it has told the phones already.
        ended: bool,
    },
    /// A SIP message came.
    Message {
        /// What.
        message: Box<Result<Message, ParseError>>,
        /// How.
        source: Source,
    },
    /// A SIP message did not go out.
    Unsent {
        /// Which.
        reference: SendRef,
    },
}

/// How a relay stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Whether its tunnel stands.
    pub connected: bool,
    /// Since when it does, or does not.
    pub since: Utc,
    /// Where its tunnel comes, or came, from.
    pub from: SocketAddr,
    /// The program and its version.
    pub software: String,
    /// Where it is reached in its network.
    pub reach: Reach,
    /// Port pairs that it has.
    pub ports: usize,
    /// Of them in calls.
    pub in_use: usize,
}

/// Where tunnels are brought, and where it is seen how relays stand. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    arrivals: mpsc::Sender<Arrival>,
    views: watch::Receiver<BTreeMap<RelayId, View>>,
}

#[derive(Debug)]
enum Arrival {
    Tunnel(RelayId, Box<Tunnel>),
    Revoked(RelayId),
}

/// What a line is ordered.
#[derive(Debug)]
enum Order {
    Tunnel(Box<Tunnel>),
    Revoke,
    Sip { to: SocketAddr, bytes: Bytes, reference: SendRef },
    Bind { port: u16, ends: [OwnedFd; 2] },
}

/// What a line reports.
#[derive(Debug)]
enum Report {
    Fact(Fact),
    Hello { relay: RelayId, reach: Reach, ports: Vec<u16>, software: String, from: SocketAddr },
    Released { relay: RelayId, port: u16 },
}

/// Every relay.
#[derive(Debug)]
pub struct Relays {
    /// Names this run of the node, to relays that remember the last.
    run: u64,
    lines: BTreeMap<RelayId, Line>,
    arrivals: mpsc::Receiver<Arrival>,
    reports: mpsc::Receiver<Report>,
    report: mpsc::Sender<Report>,
    views: watch::Sender<BTreeMap<RelayId, View>>,
}

/// The loop's side of one relay.
#[derive(Debug)]
struct Line {
    orders: mpsc::Sender<Order>,
    connected: bool,
    ports: Vec<u16>,
    in_use: BTreeSet<u16>,
    resting: BTreeMap<u16, Instant>,
    next: usize,
}

/// The next fact of relays; for ever where there are none. May be dropped and called again without loss.
pub async fn next(relays: &mut Option<Relays>) -> Fact {
    match relays {
        Some(relays) => relays.next().await,
        None => std::future::pending().await,
    }
}

impl Door {
    /// Brings a tunnel in whose secret was right. False where the node ends.
    pub async fn bring(&self, relay: RelayId, tunnel: Tunnel) -> bool {
        self.arrivals.send(Arrival::Tunnel(relay, Box::new(tunnel))).await.is_ok()
    }

    /// Its secret is not good any more: what stands by it ends.
    pub async fn revoke(&self, relay: RelayId) {
        // The node ends: so does the tunnel.
        let _ = self.arrivals.send(Arrival::Revoked(relay)).await;
    }

    /// How a relay stands; none that has not come since this start.
    pub fn view(&self, relay: RelayId) -> Option<View> {
        self.views.borrow().get(&relay).cloned()
    }
}

impl Relays {
    /// None yet, and where they come; `run` names this run of the node.
    pub fn new(run: u64) -> (Self, Door) {
        let (knock, arrivals) = mpsc::channel(ARRIVALS);
        let (report, reports) = mpsc::channel(FACTS);
        let (views, seen) = watch::channel(BTreeMap::new());
        (Self { run, lines: BTreeMap::new(), arrivals, reports, report, views }, Door { arrivals: knock, views: seen })
    }

    /// The next fact. May be dropped and called again without loss.
    pub async fn next(&mut self) -> Fact {
        loop {
            let fact = tokio::select! {
                Some(report) = self.reports.recv() => self.absorb(report),
                Some(arrival) = self.arrivals.recv() => {
                    self.arrived(arrival);
                    None
                }
                // Cannot happen: `report` is ours. Waiting is the one answer that harms nobody.
                else => std::future::pending().await,
            };
            if let Some(fact) = fact {
                return fact;
            }
        }
    }

    /// The next fact, if it is here already.
    pub fn try_next(&mut self) -> Option<Fact> {
        loop {
            let report = self.reports.try_recv().ok()?;
            if let Some(fact) = self.absorb(report) {
                return Some(fact);
            }
        }
    }

    /// Sends a SIP message from a relay's socket. While the tunnel is away it is lost, as a datagram may be, and its sender repeats it.
    pub fn send(&self, relay: RelayId, to: SocketAddr, bytes: Bytes, reference: SendRef) -> Result<(), SendError> {
        let line = self.lines.get(&relay).ok_or(SendError::NoSocket)?;
        line.orders.try_send(Order::Sip { to, bytes, reference }).map_err(|_| SendError::NotReading)
    }

    /// Takes a port pair of a relay for a leg; none where it has none left or is not there.
    pub fn bind(&mut self, relay: RelayId) -> Option<LegSockets> {
        let line = self.lines.get_mut(&relay).filter(|line| line.connected)?;
        let now = Instant::now();
        line.resting.retain(|_, until| *until > now);
        let free = |port: &u16| !line.in_use.contains(port) && !line.resting.contains_key(port);
        // In turn, so that a port rests as long as can be.
        let found = line.ports.iter().cycle().skip(line.next).take(line.ports.len()).position(free)?;
        let at = (line.next + found) % line.ports.len().max(1);
        let port = *line.ports.get(at)?;
        let (sockets, ends) = LegSockets::relayed(port).ok()?;
        line.orders.try_send(Order::Bind { port, ends }).ok()?;
        line.next = (at + 1) % line.ports.len().max(1);
        line.in_use.insert(port);
        self.count(relay);
        Some(sockets)
    }

    fn arrived(&mut self, arrival: Arrival) {
        let (relay, order) = match arrival {
            Arrival::Tunnel(relay, tunnel) => (relay, Order::Tunnel(tunnel)),
            Arrival::Revoked(relay) => (relay, Order::Revoke),
        };
        let (report, run) = (self.report.clone(), self.run);
        let line = self.lines.entry(relay).or_insert_with(|| {
            let (orders, ordered) = mpsc::channel(ORDERS);
            tokio::spawn(line::run(relay, run, ordered, report));
            let (ports, in_use, resting) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
            Line { orders, connected: false, ports, in_use, resting, next: 0 }
        });
        // A line that is so far behind takes the next tunnel: the relay comes back.
        let _ = line.orders.try_send(order);
    }

    fn absorb(&mut self, report: Report) -> Option<Fact> {
        match report {
            Report::Fact(fact) => {
                match &fact {
                    Fact::Lost { relay, .. } => {
                        if let Some(line) = self.lines.get_mut(relay) {
                            line.connected = false;
                        }
                        self.see(*relay, |view| (view.connected, view.since) = (false, clock::utc()));
                    }
                    Fact::Up { relay, reach } => self.see(*relay, |view| view.reach = reach.clone()),
                    Fact::Message { .. } | Fact::Unsent { .. } => {}
                }
                Some(fact)
            }
            Report::Hello { relay, reach, ports, software, from } => {
                let line = self.lines.get_mut(&relay)?;
                (line.connected, line.next) = (true, 0);
                line.ports = ports;
                let (ports, in_use) = (line.ports.len(), line.in_use.len());
                let since = clock::utc();
                let view = View { connected: true, since, from, software, reach: reach.clone(), ports, in_use };
                self.views.send_modify(|views| drop(views.insert(relay, view)));
                Some(Fact::Up { relay, reach })
            }
            Report::Released { relay, port } => {
                if let Some(line) = self.lines.get_mut(&relay) {
                    line.in_use.remove(&port);
                    line.resting.insert(port, Instant::now() + REST);
                }
                self.count(relay);
                None
            }
        }
    }

    fn count(&self, relay: RelayId) {
        let in_use = self.lines.get(&relay).map_or(0, |line| line.in_use.len());
        self.see(relay, |view| view.in_use = in_use);
    }

    fn see(&self, relay: RelayId, change: impl FnOnce(&mut View)) {
        self.views.send_modify(|views| {
            if let Some(view) = views.get_mut(&relay) {
                change(view);
            }
        });
    }
}
