//! The UDP sockets of one leg.
//!
//! ```text
//! port    before the far end is known        after it is
//! even    rtp and trap hear everyone         rtp is connected to it; the kernel gives strangers to the trap,
//!                                            where the plane counts them
//! odd     rtcp hears everyone                the same
//! ```
//!
//! Connected sockets are cheaper to send from and to receive on; the trap keeps what comes from elsewhere countable.
//!
//! A leg behind a relay has its ports there. Its sockets here are the ends of two pairs, whose other ends the relay's task
//! holds; each packet has its address in front (`transport::relay::frame`).

use std::cell::Cell;
use std::io::{self, IoSlice, Read};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::os::{self, Inbox, Received};
use crate::media::outlet::Port;
use crate::transport::relay::frame;

/// Expedited forwarding (RFC 3246), as RFC 4594 asks for telephony; networks that do not know it ignore it.
const EXPEDITED: u32 = 46 << 2;

/// The sockets of one leg. Dropping it closes them.
#[derive(Debug)]
pub struct LegSockets {
    kind: Kind,
    /// Datagrams that the kernel did not take.
    unsent: Cell<u64>,
    /// What [`LegSockets::losses`] told last.
    told: Cell<u64>,
}

#[derive(Debug)]
enum Kind {
    Own(Own),
    Relayed {
        /// Even port, there.
        port: u16,
        rtp: Socket,
        rtcp: Socket,
    },
}

/// Sockets of this machine.
#[derive(Debug)]
struct Own {
    /// Even port.
    rtp: UdpSocket,
    /// The same port, for strangers; none where the system has no second socket to give.
    trap: Option<UdpSocket>,
    /// Odd port.
    rtcp: UdpSocket,
    port: u16,
    connected: Option<SocketAddr>,
}

/// A datagram that a leg's socket had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// In bytes.
    pub length: usize,
    /// Whence.
    pub from: SocketAddr,
    /// When the kernel had it, since 1970 by the wall clock, where it said so.
    pub stamp: Option<Duration>,
}

/// One of a leg's sockets, as its epoll token names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ear {
    /// Even port.
    Rtp,
    /// Even port, strangers.
    Trap,
    /// Odd port.
    Rtcp,
}

impl LegSockets {
    /// Binds `port` and the one above on `address`; fails when another program has either.
    pub fn bind(address: IpAddr, port: u16) -> io::Result<Self> {
        let above = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        let rtp = open(SocketAddr::new(address, port), false)?;
        let rtcp = open(SocketAddr::new(address, above), false)?;
        // Shared only after it was had alone: a second program on the same port must be noticed, not joined.
        rtp.set_reuse_port(true)?;
        let trap = open(SocketAddr::new(address, port), true).ok();
        let trap = trap.map(Into::into);
        Ok(Self::of(Kind::Own(Own { rtp: rtp.into(), trap, rtcp: rtcp.into(), port, connected: None })))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, unsent: Cell::new(0), told: Cell::new(0) }
    }

    /// The sockets of a leg whose ports are bound at a relay, and their other ends: RTP, then RTCP.
    pub fn relayed(port: u16) -> io::Result<(Self, [OwnedFd; 2])> {
        let ((rtp, rtp_there), (rtcp, rtcp_there)) = (pair()?, pair()?);
        Ok((Self::of(Kind::Relayed { port, rtp, rtcp }), [rtp_there.into(), rtcp_there.into()]))
    }

    /// The even port, here or at the relay.
    pub fn port(&self) -> u16 {
        match &self.kind {
            Kind::Own(own) => own.port,
            Kind::Relayed { port, .. } => *port,
        }
    }

    /// Whether its ports are a relay's.
    pub fn is_relayed(&self) -> bool {
        matches!(self.kind, Kind::Relayed { .. })
    }

    /// What the system lost: datagrams dropped before they were read, and those that it did not take; and how many of both
    /// are news since this was last asked.
    pub fn losses(&self) -> ((u64, u64), u64) {
        let dropped = match &self.kind {
            Kind::Own(own) => os::dropped_at(&own.rtp).map_or(0, u64::from),
            // What a full pair refuses is counted where it is sent.
            Kind::Relayed { .. } => 0,
        };
        let unsent = self.unsent.get();
        let all = dropped + unsent;
        ((dropped, unsent), all.saturating_sub(self.told.replace(all)))
    }

    /// Adds those to an epoll set on which packets are rare: all but the one that hears the far end. That of a relayed leg too, whose packets
    /// come with no word of when they came. `token` gives each its own.
    pub fn watch(&self, epoll: &os::Epoll, token: impl Fn(Ear) -> u64) -> io::Result<()> {
        match &self.kind {
            Kind::Own(own) => {
                if let Some(trap) = &own.trap {
                    epoll.add(trap, token(Ear::Trap))?;
                }
                epoll.add(&own.rtcp, token(Ear::Rtcp))
            }
            Kind::Relayed { rtp, rtcp, .. } => {
                epoll.add(rtp, token(Ear::Rtp))?;
                epoll.add(rtcp, token(Ear::Rtcp))
            }
        }
    }

    /// Takes them out of it.
    pub fn unwatch(&self, epoll: &os::Epoll) {
        // One that is not in it was never added: nothing to undo.
        let _ = match &self.kind {
            Kind::Own(own) => {
                let _ = own.trap.as_ref().map(|trap| epoll.remove(trap));
                epoll.remove(&own.rtcp)
            }
            Kind::Relayed { rtp, rtcp, .. } => {
                let _ = epoll.remove(rtp);
                epoll.remove(rtcp)
            }
        };
    }

    /// Adds the one that hears the far end to a set.
    pub fn watch_rtp(&self, epoll: &os::Epoll, token: u64) -> io::Result<()> {
        match &self.kind {
            Kind::Own(own) => epoll.add(&own.rtp, token),
            Kind::Relayed { rtp, .. } => epoll.add(rtp, token),
        }
    }

    /// Takes it out of a set.
    pub fn unwatch_rtp(&self, epoll: &os::Epoll) {
        let _ = match &self.kind {
            Kind::Own(own) => epoll.remove(&own.rtp),
            Kind::Relayed { rtp, .. } => epoll.remove(rtp),
        };
    }

    /// Hears the far end alone from now on.
    pub fn connect(&mut self, remote: SocketAddr) {
        // Refused, as when there is no route: it stays open to all, and the plane tells friend from stranger.
        let Kind::Own(own) = &mut self.kind else { return };
        if own.connected != Some(remote) && own.rtp.connect(remote).is_ok() {
            own.connected = Some(remote);
        }
    }

    /// Hears everyone again.
    pub fn disconnect(&mut self) {
        let Kind::Own(own) = &mut self.kind else { return };
        if own.connected.is_some() && os::disconnect(&own.rtp).is_ok() {
            own.connected = None;
        }
    }

    /// Takes one datagram; none when there is none.
    pub fn receive(&self, ear: Ear, inbox: &mut Inbox) -> Option<Datagram> {
        let own = match &self.kind {
            Kind::Own(own) => own,
            Kind::Relayed { rtp, rtcp, .. } => {
                let socket = if ear == Ear::Rtcp { rtcp } else { rtp };
                return receive_addressed(socket, inbox.room());
            }
        };
        let socket = match ear {
            Ear::Rtp => &own.rtp,
            Ear::Trap => own.trap.as_ref()?,
            Ear::Rtcp => &own.rtcp,
        };
        let known = own.connected.filter(|_| ear == Ear::Rtp);
        // An error is what became of a datagram of ours (ICMP): reading on finds what came after it.
        for _ in 0..2 {
            match inbox.receive(socket, known.is_none()) {
                Ok(Received { length, from, stamp }) => {
                    return Some(Datagram { length, from: known.or(from)?, stamp });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends one datagram; false when the kernel did not take it.
    pub fn send(&self, port: Port, to: &SocketAddr, bytes: &[u8]) -> bool {
        let send = || match (&self.kind, port) {
            (Kind::Own(own), Port::Rtp) if own.connected.as_ref() == Some(to) => os::send(&own.rtp, bytes),
            (Kind::Own(own), Port::Rtp) => own.rtp.send_to(bytes, *to).map(drop),
            (Kind::Own(own), Port::Rtcp) => own.rtcp.send_to(bytes, *to).map(drop),
            (Kind::Relayed { rtp, .. }, Port::Rtp) => send_addressed(rtp, *to, bytes).map(drop),
            (Kind::Relayed { rtcp, .. }, Port::Rtcp) => send_addressed(rtcp, *to, bytes).map(drop),
        };
        self.try_to(send)
    }

    /// Whether RTP to this far end can be left to [`LegSockets::send_on`].
    pub fn is_connected(&self, to: &SocketAddr) -> bool {
        matches!(&self.kind, Kind::Own(own) if own.connected.as_ref() == Some(to))
    }

    /// Sends RTP to the far end that it is connected to; false when the kernel did not take it.
    pub fn send_on(&self, bytes: &[u8]) -> bool {
        match &self.kind {
            Kind::Own(own) if own.connected.is_some() => self.try_to(|| os::send(&own.rtp, bytes)),
            Kind::Own(_) | Kind::Relayed { .. } => false,
        }
    }

    fn try_to(&self, send: impl Fn() -> io::Result<()>) -> bool {
        let sent = match send() {
            Ok(()) => true,
            // The report that an earlier datagram found nobody is given instead of sending this one: once more.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => send().is_ok(),
            Err(_) => false,
        };
        if !sent {
            self.unsent.set(self.unsent.get() + 1);
        }
        sent
    }
}

/// Sends a packet with its address in front.
fn send_addressed(socket: &Socket, to: SocketAddr, packet: &[u8]) -> io::Result<usize> {
    socket.send_vectored(&[IoSlice::new(&frame::address(to)), IoSlice::new(packet)])
}

/// Takes a packet with its address in front, which goes.
fn receive_addressed(mut socket: &Socket, buffer: &mut [u8]) -> Option<Datagram> {
    // Nothing: the relay's task has ended. The leg hears silence, as of a far end that is gone.
    let length = socket.read(buffer).ok()?;
    let from = frame::read_address(buffer.get(..length)?)?;
    buffer.copy_within(frame::ADDRESS..length, 0);
    Some(Datagram { length: length - frame::ADDRESS, from, stamp: None })
}

/// Two ends, between which whole packets pass: few, for what waits grows old.
fn pair() -> io::Result<(Socket, Socket)> {
    /// The kernel doubles it, and counts some 800 bytes for a packet of 20 ms: a fifth of a second. More: what waits is old when
    /// it is heard. Less: a burst loses packets.
    const BUFFER: usize = 4096;
    let (here, there) = Socket::pair(Domain::UNIX, Type::SEQPACKET, None)?;
    for socket in [&here, &there] {
        socket.set_nonblocking(true)?;
        socket.set_send_buffer_size(BUFFER)?;
    }
    Ok((here, there))
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
        let _ = socket.set_tclass_v6(EXPEDITED);
    } else {
        let _ = socket.set_tos_v4(EXPEDITED);
    }
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    // Refused: a packet counts as come when it is read, and jitter is told less exactly.
    let _ = os::stamp_arrivals(&socket);
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind() -> LegSockets {
        (13_000..14_000).step_by(2).find_map(|port| LegSockets::bind(IpAddr::from([127, 0, 0, 1]), port).ok()).unwrap()
    }

    fn hear(sockets: &LegSockets, ear: Ear) -> Option<Vec<u8>> {
        let mut inbox = Inbox::new();
        sockets.receive(ear, &mut inbox).map(|datagram| inbox.bytes(datagram.length).to_vec())
    }

    #[test]
    fn once_the_far_end_is_known_strangers_are_heard_apart() {
        let mut sockets = bind();
        let here = SocketAddr::from(([127, 0, 0, 1], sockets.port()));
        let (friend, stranger) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        friend.send_to(b"early", here).unwrap();
        let early = hear(&sockets, Ear::Rtp).or_else(|| hear(&sockets, Ear::Trap));
        assert_eq!(early.as_deref(), Some(&b"early"[..]));
        sockets.connect(friend.local_addr().unwrap());
        for _ in 0..10 {
            friend.send_to(b"friend", here).unwrap();
            stranger.send_to(b"stranger", here).unwrap();
        }
        for _ in 0..10 {
            assert_eq!(hear(&sockets, Ear::Rtp).as_deref(), Some(&b"friend"[..]));
            assert_eq!(hear(&sockets, Ear::Trap).as_deref(), Some(&b"stranger"[..]));
        }
        assert_eq!((hear(&sockets, Ear::Rtp), hear(&sockets, Ear::Trap)), (None, None));
        sockets.disconnect();
        stranger.send_to(b"new", here).unwrap();
        assert!(hear(&sockets, Ear::Rtp).or_else(|| hear(&sockets, Ear::Trap)).is_some());
    }

    #[test]
    fn packets_that_nobody_reads_in_time_are_counted_as_ours() {
        let sockets = bind();
        let here = SocketAddr::from(([127, 0, 0, 1], sockets.port()));
        // Either of the two sockets of the port may have the friend's, until it is known.
        let friend = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut sockets = sockets;
        sockets.connect(friend.local_addr().unwrap());
        assert_eq!(sockets.losses(), ((0, 0), 0));
        for _ in 0..2000 {
            friend.send_to(&[0; 1000], here).unwrap();
        }
        let ((dropped, unsent), news) = sockets.losses();
        assert!(dropped > 100 && unsent == 0 && news == dropped, "{dropped} {unsent} {news}");
        assert_eq!(sockets.losses(), ((dropped, 0), 0), "told once");
    }

    #[test]
    fn a_datagram_says_when_the_kernel_had_it() {
        let sockets = bind();
        let here = SocketAddr::from(([127, 0, 0, 1], sockets.port()));
        let friend = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = os::wall();
        friend.send_to(b"now", here).unwrap();
        let after = os::wall();
        let mut inbox = Inbox::new();
        let datagram = sockets.receive(Ear::Rtp, &mut inbox).or_else(|| sockets.receive(Ear::Trap, &mut inbox));
        let Datagram { length, from, stamp } = datagram.unwrap();
        assert_eq!((length, from), (3, friend.local_addr().unwrap()));
        let stamp = stamp.unwrap();
        assert!(before <= stamp && stamp <= after, "{before:?} {stamp:?} {after:?}");
    }

    #[test]
    fn a_port_that_another_holds_is_not_shared() {
        let first = bind();
        let again = LegSockets::bind(IpAddr::from([127, 0, 0, 1]), first.port());
        assert_eq!(again.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::AddrInUse));
    }

    #[test]
    fn behind_a_relay_each_packet_says_whence_it_comes_and_whither_it_goes() {
        let (sockets, [rtp, rtcp]) = LegSockets::relayed(30_000).unwrap();
        let phone: SocketAddr = "10.0.0.20:4000".parse().unwrap();
        assert_eq!((sockets.port(), sockets.is_relayed(), hear(&sockets, Ear::Rtp)), (30_000, true, None));
        assert!(sockets.send(Port::Rtcp, &phone, b"report"));
        let (rtp, rtcp) = (Socket::from(rtp), Socket::from(rtcp));
        let mut buffer = [0; 64];
        let length = (&rtcp).read(&mut buffer).unwrap();
        assert_eq!(frame::read_address(&buffer), Some(phone));
        assert_eq!(&buffer[frame::ADDRESS..length], b"report");
        rtp.send(&[&frame::address(phone)[..], b"voice"].concat()).unwrap();
        let mut inbox = Inbox::new();
        let datagram = Datagram { length: 5, from: phone, stamp: None };
        assert_eq!(sockets.receive(Ear::Rtp, &mut inbox), Some(datagram));
        assert_eq!(inbox.bytes(5), b"voice");
        // Nobody takes what is sent: some wait, the others are lost, and nothing blocks.
        let taken = (0..1000).filter(|_| sockets.send(Port::Rtp, &phone, &[0; 172])).count();
        assert!((4..100).contains(&taken), "{taken}");
        drop(rtp);
        assert_eq!(hear(&sockets, Ear::Rtp), None, "the relay's task has ended");
    }

    #[test]
    fn what_nobody_receives_does_not_stop_the_next_packet() {
        let mut sockets = bind();
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        sockets.connect(nobody);
        for _ in 0..6 {
            assert!(sockets.send(Port::Rtp, &nobody, b"x"));
        }
    }
}
