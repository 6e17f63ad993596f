//! The sockets in the customer's network, and who is within their reach.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as Plain};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::Instant;

use super::options::Bounds;
use super::{RelayError, RelayOptions};
use crate::transport::relay::control::Manager;
use crate::transport::relay::frame::{self, Audio};
use crate::transport::relay::writer::Writer;

/// Expedited forwarding (RFC 3246), as RFC 4594 asks for telephony.
const EXPEDITED: u32 = 46 << 2;

/// The sockets, and who is within their reach.
#[derive(Debug)]
pub(super) struct Town {
    bounds: Bounds,
    managers: Vec<Manager>,
    pub(super) sip: UdpSocket,
    /// Where they are reached.
    pub(super) address: IpAddr,
    ports: BTreeMap<u16, Port>,
    /// The tunnel, as the ports' tasks see it.
    pub(super) tunnel: watch::Sender<Option<Writer>>,
}

/// A pair of ports.
#[derive(Debug)]
struct Port {
    rtp: Arc<UdpSocket>,
    rtcp: Arc<UdpSocket>,
    /// It is in a call.
    bound: Arc<AtomicBool>,
}

impl Town {
    /// Binds everything, and finds the call managers.
    pub(super) async fn open(options: &RelayOptions, bounds: Bounds) -> Result<Self, RelayError> {
        let managers = look_up(&bounds).await;
        let known = managers.iter().flat_map(|manager| &manager.addresses).next();
        let address = match (options.address, known) {
            (Some(address), _) => address,
            (None, Some(manager)) => towards(*manager)
                .map_err(|error| RelayError::Bind(format!("no way to the call manager {manager}: {error}")))?,
            (None, None) => {
                let why = "no call manager is found by its name: name this machine's address there by --address";
                return Err(RelayError::Usage(why.to_owned()));
            }
        };
        let taken = |port: u16| move |error: io::Error| RelayError::Bind(format!("UDP {address} port {port}: {error}"));
        let sip = bind(address, options.sip_port).map_err(taken(options.sip_port))?;
        let (tunnel, _) = watch::channel(None);
        let began = Instant::now();
        let mut ports = BTreeMap::new();
        for port in (0..options.calls).map(|call| options.first_port + 2 * call) {
            let (rtp, rtcp) =
                (bind(address, port).map_err(taken(port))?, bind(address, port + 1).map_err(taken(port + 1))?);
            let found = Port { rtp: Arc::new(rtp), rtcp: Arc::new(rtcp), bound: Arc::default() };
            let listener = Listener {
                port,
                bound: found.bound.clone(),
                networks: bounds.audio.clone(),
                tunnel: tunnel.subscribe(),
                began,
            };
            tokio::spawn(listener.clone().listen(found.rtp.clone(), Audio::Rtp));
            tokio::spawn(listener.listen(found.rtcp.clone(), Audio::Rtcp));
            ports.insert(port, found);
        }
        Ok(Self { bounds, managers, sip, address, ports, tunnel })
    }

    /// Where SIP is reached.
    pub(super) fn sip_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.sip.local_addr().map_or(0, |local| local.port()))
    }

    /// The even ports.
    pub(super) fn ports(&self) -> Vec<u16> {
        self.ports.keys().copied().collect()
    }

    /// The call managers, as they were found.
    pub(super) fn managers(&self) -> &[Manager] {
        &self.managers
    }

    /// Takes the call managers' addresses anew; whether they have changed. One that is not found any more stays where it was.
    pub(super) fn found(&mut self, found: Vec<Manager>) -> bool {
        let mut managers = found;
        for manager in managers.iter_mut().filter(|manager| manager.addresses.is_empty()) {
            if let Some(before) = self.managers.iter().find(|before| before.name == manager.name) {
                manager.addresses.clone_from(&before.addresses);
            }
        }
        let changed = managers != self.managers;
        self.managers = managers;
        changed
    }

    /// Who is looked for.
    pub(super) fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Whether SIP may be sent there.
    pub(super) fn may_speak_with(&self, to: SocketAddr) -> bool {
        self.managers.iter().any(|manager| manager.addresses.contains(&to))
            || self.bounds.sip.iter().any(|network| network.contains(to.ip()))
    }

    /// Whether SIP is taken from there: a call manager sends from whatever port it likes.
    pub(super) fn may_be_heard(&self, from: IpAddr) -> bool {
        self.is_manager(from) || self.bounds.sip.iter().any(|network| network.contains(from))
    }

    /// Whether it is a call manager's address.
    pub(super) fn is_manager(&self, address: IpAddr) -> bool {
        self.managers.iter().any(|manager| manager.addresses.iter().any(|known| known.ip() == address))
    }

    /// Whether audio may be sent there at all.
    pub(super) fn may_hear(&self, address: IpAddr) -> bool {
        self.bounds.audio.iter().any(|network| network.contains(address))
    }

    /// Lets audio pass at a port, or no more. False for a port that is none of ours.
    pub(super) fn bind(&self, port: u16, bound: bool) -> bool {
        let found = self.ports.get(&port);
        found.inspect(|port| port.bound.store(bound, Ordering::Release)).is_some()
    }

    /// No call is at any port.
    pub(super) fn release_all(&self) {
        self.ports.values().for_each(|port| port.bound.store(false, Ordering::Release));
    }

    /// Sends a packet of audio from a port that is in a call.
    pub(super) fn play(&self, stream: Audio, port: u16, to: SocketAddr, packet: &[u8]) {
        let Some(port) = self.ports.get(&port).filter(|port| port.bound.load(Ordering::Acquire)) else { return };
        let socket = if stream == Audio::Rtp { &port.rtp } else { &port.rtcp };
        // What the kernel does not take is lost, as on any network.
        let _ = socket.try_send_to(packet, to);
    }
}

/// One socket's task.
#[derive(Clone)]
struct Listener {
    port: u16,
    bound: Arc<AtomicBool>,
    networks: Vec<crate::route::Network>,
    tunnel: watch::Receiver<Option<Writer>>,
    began: Instant,
}

impl Listener {
    /// Sends on what comes from where phones are, while there is a call.
    async fn listen(self, socket: Arc<UdpSocket>, stream: Audio) {
        let mut buffer = vec![0; frame::ADDRESS + frame::LONGEST_AUDIO + 1];
        loop {
            let (address, packet) = buffer.split_at_mut(frame::ADDRESS);
            // An error is what became of a datagram of ours: reading on finds what came after it.
            let Ok((length, from)) = socket.recv_from(packet).await else { continue };
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            let welcome = self.bound.load(Ordering::Acquire)
                && length <= frame::LONGEST_AUDIO
                && self.networks.iter().any(|network| network.contains(from.ip()));
            if !welcome {
                continue;
            }
            address.copy_from_slice(&frame::address(from));
            if let (Some(tunnel), Some(addressed)) = (&*self.tunnel.borrow(), buffer.get(..frame::ADDRESS + length)) {
                tunnel.play(frame::audio(stream, self.port, stamp(self.began), addressed));
            }
        }
    }
}

/// Our clock, in milliseconds, as stamps have it.
#[allow(clippy::cast_possible_truncation, reason = "it goes around")]
pub(super) fn stamp(began: Instant) -> u32 {
    began.elapsed().as_millis() as u32
}

/// Finds the call managers; one that is not found has no address.
pub(super) async fn look_up(bounds: &Bounds) -> Vec<Manager> {
    let mut managers: Vec<Manager> = Vec::new();
    for (name, port) in &bounds.managers {
        let addresses = match tokio::net::lookup_host((name.as_str(), *port)).await {
            Ok(found) => found.take(16).collect(),
            Err(error) => {
                tracing::warn!(name, %error, "a call manager is not found");
                Vec::new()
            }
        };
        managers.push(Manager { name: name.clone(), addresses });
    }
    managers
}

/// Our address on the way there: the kernel's choice, without a packet sent.
fn towards(remote: SocketAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = if remote.is_ipv6() { ([0u16; 8], 0).into() } else { ([0u8; 4], 0).into() };
    let socket = Plain::bind(any)?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

fn bind(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, port);
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv4() {
        let _ = socket.set_tos_v4(EXPEDITED);
    } else {
        let _ = socket.set_tclass_v6(EXPEDITED);
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
