//! Rank 7: SIP on the wire. UDP, TCP and TLS, IPv4 and IPv6: sockets in front of [`crate::sip`].
//!
//! Each listener has a receiving task that parses and hands on through one bounded channel, read by
//! [`Transports::next`]. When it is full, requests by UDP are dropped first (their senders repeat them), and connections
//! are not read. Sending never waits: a datagram goes to the kernel, a message for a connection to that connection's
//! bounded queue; a connection whose queue overflows is closed.

pub mod counts;
pub mod tls;

mod accept;
mod arrival;
mod flow;
mod listen;
pub mod peers;
pub mod relay;
mod stun;
mod udp;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use rustls::ServerConfig;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

pub use arrival::{Arrival, CloseReason};
pub use listen::ListenError;

use crate::base::Utc;
use crate::route::TlsRules;
use crate::sip::endpoint::SendRef;
use crate::sip::transport::{FlowId, Target, Transport};
use arrival::{Gate, Report};
use counts::{Counts, count};
use flow::{FlowHandle, Outgoing};
use peers::Peers;
use tls::Certificates;

/// How long connections may take to carry the last messages.
const FAREWELL: Duration = Duration::from_secs(1);

/// How messages are carried.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen, in the order in which senders without a preference use them.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// What is known of certificates; without it no TLS listener is started and no TLS connection opened.
    pub tls: Option<tls::Settings>,
    /// Bounds in numbers and time.
    pub limits: Limits,
}

/// Bounds in numbers and time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections accepted at once, in all. More: descriptors and 100 KB each under TLS. Less: phones cannot register.
    pub connections: usize,
    /// Connections accepted at once of one IPv4 address or IPv6 /64. More: one host may take all. Less: an office behind
    /// one NAT is cut.
    pub connections_per_source: usize,
    /// A connection without a first message, a handshake, or a message begun and not ended. Longer: slow-loris is
    /// cheaper. Shorter: bad radio links are cut.
    pub message_deadline: Duration,
    /// A connection on which nothing comes, keep-alives included, and that never brought a call. Longer: idle ones hold
    /// descriptors. Shorter: phones connect again and again.
    pub idle: Duration,
    /// Until a connection of ours must stand. Longer than timer B is useless.
    pub connect: Duration,
    /// Messages waiting for one connection. More: memory for those who do not read. Less: bursts cut connections.
    pub flow_queue: usize,
    /// Messages waiting for the gateway. More: they are answered too late to matter. Less: bursts are dropped.
    pub gateway_queue: usize,
    /// Receive buffer of a UDP socket in bytes, as far as the kernel allows: at 1,500 bytes a message, 4 MiB hold a burst of
    /// some 1,000 INVITEs and what the kernel adds.
    pub udp_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_source: 256,
            message_deadline: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            connect: Duration::from_secs(8),
            flow_queue: 128,
            gateway_queue: 4096,
            udp_buffer: 4 << 20,
        }
    }
}

/// What every task of the transports shares.
#[derive(Debug, Clone)]
struct Shared {
    limits: Arc<Limits>,
    counts: Arc<Counts>,
    gate: Gate,
    next_flow: Arc<AtomicU64>,
}

/// Why a message did not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// No socket of that transport and address family.
    NoSocket,
    /// The kernel refused.
    Refused,
    /// The connection is gone.
    FlowGone,
    /// The far end does not read; the connection is being closed.
    NotReading,
    /// TLS is not configured.
    NoTls,
}

/// Every socket SIP uses.
#[derive(Debug)]
pub struct Transports {
    shared: Shared,
    reports: mpsc::Receiver<Report>,
    udp: Vec<(SocketAddr, Arc<UdpSocket>)>,
    listening: Vec<(Transport, SocketAddr)>,
    flows: BTreeMap<FlowId, FlowHandle>,
    by_remote: BTreeMap<(Transport, SocketAddr), FlowId>,
    certificates: Option<Certificates>,
    peers: Peers,
    tasks: JoinSet<()>,
}

impl Transports {
    /// Binds every listener and starts receiving. Must be called within a tokio runtime.
    pub fn start(settings: Settings) -> Result<Self, ListenError> {
        let certificates = settings.tls.map(Certificates::load).transpose().map_err(ListenError::Certificate)?;
        let (sender, reports) = mpsc::channel(settings.limits.gateway_queue.max(16));
        let counts = Arc::new(Counts::default());
        let shared = Shared {
            limits: Arc::new(settings.limits),
            gate: Gate::new(sender, counts.clone()),
            counts,
            next_flow: Arc::new(AtomicU64::new(1)),
        };
        let mut tasks = JoinSet::new();
        let (mut udp, mut listening, mut accepting) = (Vec::new(), Vec::new(), Vec::new());
        for (transport, address) in settings.listen {
            match transport {
                Transport::Udp => {
                    let (local, socket) = listen::udp(address, shared.limits.udp_buffer)?;
                    let socket = Arc::new(socket);
                    tasks.spawn(udp::receive(local, socket.clone(), shared.clone()));
                    udp.push((local, socket));
                    listening.push((transport, local));
                }
                Transport::Tcp | Transport::Tls => {
                    if transport == Transport::Tls && certificates.is_none() {
                        return Err(ListenError::NoCertificate(address));
                    }
                    let (local, listener) = listen::tcp(transport, address)?;
                    accepting.push(accept::Listener { transport, local, listener });
                    listening.push((transport, local));
                }
            }
        }
        if !accepting.is_empty() {
            tasks.spawn(accept::run(accepting, certificates.as_ref().map(Certificates::server), shared.clone()));
        }
        Ok(Self {
            shared,
            reports,
            udp,
            listening,
            flows: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            certificates,
            peers: Peers::default(),
            tasks,
        })
    }

    /// The next thing that came. May be dropped and called again without loss.
    pub async fn next(&mut self) -> Arrival {
        loop {
            match self.reports.recv().await {
                Some(report) => {
                    if let Some(arrival) = self.absorb(report) {
                        return arrival;
                    }
                }
                // Cannot happen: `shared` holds a sender. Waiting is the one answer that harms nobody.
                None => std::future::pending().await,
            }
        }
    }

    /// The next thing that came, if it is here already.
    pub fn try_next(&mut self) -> Option<Arrival> {
        loop {
            let report = self.reports.try_recv().ok()?;
            if let Some(arrival) = self.absorb(report) {
                return Some(arrival);
            }
        }
    }

    /// Sends a message; never waits. A connection that has to be opened first takes the message with it, and its failure
    /// arrives as [`Arrival::FlowClosed`].
    pub fn send(&mut self, target: &Target, bytes: Bytes, reference: SendRef) -> Result<(), SendError> {
        match (target.transport, target.flow) {
            (Transport::Udp, _) => self.send_datagram(target, &bytes),
            (_, Some(flow)) => self.send_on(flow, Outgoing { bytes, reference }),
            (transport, None) => match self.by_remote.get(&(transport, target.remote)).copied() {
                Some(flow) => self.send_on(flow, Outgoing { bytes, reference }),
                None => self.connect(transport, target.remote, Outgoing { bytes, reference }),
            },
        }
    }

    /// Closes a connection once what waits for it is written.
    pub fn close(&mut self, flow: FlowId) {
        self.forget(flow);
    }

    /// Reads the certificate files again; new handshakes use what they say. On an error the old ones stay.
    pub fn reload_certificates(&mut self, now: Utc) -> Result<(), tls::CertificateError> {
        let Some(certificates) = &self.certificates else { return Ok(()) };
        let ours = certificates.reload(now);
        ours.and(self.peers.reload(certificates.client()))
    }

    /// The certificate in use, now and after each reload, for other listeners that show it too.
    pub fn certificate(&self) -> Option<watch::Receiver<Arc<ServerConfig>>> {
        self.certificates.as_ref().map(Certificates::server)
    }

    /// Says who is reached by TLS at an address, and by which rules, before something is sent there: the certificate
    /// must carry the name. Without it the address itself must be in the certificate.
    pub fn expect_peer(
        &mut self,
        remote: SocketAddr,
        name: &str,
        rules: Option<&TlsRules>,
    ) -> Result<(), tls::CertificateError> {
        let Some(certificates) = &self.certificates else { return Ok(()) };
        if self.peers.set(remote, name, rules, certificates.client())? {
            // The connection that stands was made by other rules; what it carries goes on, new messages take a new one.
            self.by_remote.remove(&(Transport::Tls, remote));
        }
        Ok(())
    }

    /// Closes every connection once what waits for it is written, within a second.
    pub async fn finish(mut self) {
        let flows: Vec<FlowId> = self.flows.keys().copied().collect();
        let mut open = flows.len();
        for flow in flows {
            self.forget(flow);
        }
        let closing = async {
            while open > 0 {
                if let Arrival::FlowClosed { .. } = self.next().await {
                    open -= 1;
                }
            }
        };
        // Who has not read the last words by then will not.
        let _ = tokio::time::timeout(FAREWELL, closing).await;
    }

    /// Where it listens, ports chosen by the system included.
    pub fn listening(&self) -> &[(Transport, SocketAddr)] {
        &self.listening
    }

    /// The totals.
    pub fn counts(&self) -> Arc<Counts> {
        self.shared.counts.clone()
    }

    /// Connections open or being opened.
    pub fn open_flows(&self) -> usize {
        self.flows.len()
    }

    /// Messages waiting for the gateway.
    pub fn waiting(&self) -> usize {
        self.reports.len()
    }

    fn absorb(&mut self, report: Report) -> Option<Arrival> {
        match report {
            Report::Arrived(arrival) => {
                if let Arrival::FlowClosed { flow, .. } = &arrival {
                    self.forget(*flow);
                    while self.tasks.try_join_next().is_some() {}
                }
                Some(arrival)
            }
            Report::Opened { flow, handle } => {
                self.by_remote.insert((handle.transport, handle.remote), flow);
                self.flows.insert(flow, handle);
                None
            }
        }
    }

    fn send_datagram(&self, target: &Target, bytes: &[u8]) -> Result<(), SendError> {
        let socket = self.udp_socket(target).ok_or(SendError::NoSocket)?;
        match socket.try_send_to(bytes, target.remote) {
            Ok(_) => {
                count(&self.shared.counts.datagrams_sent);
                Ok(())
            }
            // A full send buffer passes and the message is repeated by its transaction: no reason to fail it.
            Err(error) => {
                count(&self.shared.counts.datagrams_unsent);
                if error.kind() == std::io::ErrorKind::WouldBlock { Ok(()) } else { Err(SendError::Refused) }
            }
        }
    }

    /// The socket a datagram leaves by: the one asked for, else one of the family that can reach the far end.
    fn udp_socket(&self, target: &Target) -> Option<&UdpSocket> {
        let remote = target.remote.ip();
        let reaches = |local: &SocketAddr| {
            local.is_ipv4() == remote.is_ipv4()
                && (local.ip().is_unspecified() || local.ip().is_loopback() == remote.is_loopback())
        };
        let asked = target.local.and_then(|wanted| self.udp.iter().find(|(local, _)| *local == wanted));
        asked
            .or_else(|| self.udp.iter().find(|(local, _)| reaches(local)))
            .or_else(|| self.udp.iter().find(|(local, _)| local.is_ipv4() == remote.is_ipv4()))
            .map(|(_, socket)| &**socket)
    }

    fn send_on(&mut self, flow: FlowId, outgoing: Outgoing) -> Result<(), SendError> {
        let handle = self.flows.get(&flow).ok_or(SendError::FlowGone)?;
        match handle.queue.try_send(outgoing) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(SendError::FlowGone),
            Err(mpsc::error::TrySendError::Full(_)) => {
                handle.abandon();
                self.forget(flow);
                Err(SendError::NotReading)
            }
        }
    }

    fn connect(&mut self, transport: Transport, remote: SocketAddr, first: Outgoing) -> Result<(), SendError> {
        let connector =
            match (transport, &self.certificates) {
                (Transport::Tls, None) => return Err(SendError::NoTls),
                (Transport::Tls, Some(certificates)) => Some(self.peers.get(remote).unwrap_or_else(|| {
                    (TlsConnector::from(certificates.client().clone()), tls::server_name(remote.ip()))
                })),
                (Transport::Udp | Transport::Tcp, _) => None,
            };
        let flow = FlowId(self.shared.next_flow.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let (handle, ends) = FlowHandle::new(transport, remote, &self.shared.limits);
        // The queue is new and holds at least one message.
        let _ = handle.queue.try_send(first);
        self.by_remote.insert((transport, remote), flow);
        self.flows.insert(flow, handle);
        self.tasks.spawn(flow::connect(flow, transport, remote, connector, ends, self.shared.clone()));
        Ok(())
    }

    fn forget(&mut self, flow: FlowId) {
        if let Some(handle) = self.flows.remove(&flow) {
            let key = (handle.transport, handle.remote);
            if self.by_remote.get(&key) == Some(&flow) {
                self.by_remote.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
