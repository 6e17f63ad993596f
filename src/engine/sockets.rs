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

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::os;
use crate::media::outlet::Port;

/// Expedited forwarding (RFC 3246), as RFC 4594 asks for telephony; networks that do not know it ignore it.
const EXPEDITED: u32 = 46 << 2;

/// The sockets of one leg. Dropping it closes them.
#[derive(Debug)]
pub struct LegSockets {
    /// Even port.
    rtp: UdpSocket,
    /// The same port, for strangers; none where the system has no second socket to give.
    trap: Option<UdpSocket>,
    /// Odd port.
    rtcp: UdpSocket,
    port: u16,
    connected: Option<SocketAddr>,
    /// Datagrams that the kernel did not take.
    unsent: Cell<u64>,
    /// What [`LegSockets::losses`] told last.
    told: Cell<u64>,
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
        Ok(Self {
            rtp: rtp.into(),
            trap: trap.map(Into::into),
            rtcp: rtcp.into(),
            port,
            connected: None,
            unsent: Cell::new(0),
            told: Cell::new(0),
        })
    }

    /// The even port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the system lost: datagrams dropped before they were read, and those that it did not take; and how many of both
    /// are news since this was last asked.
    pub fn losses(&self) -> ((u64, u64), u64) {
        let (dropped, unsent) = (os::dropped_at(&self.rtp).map_or(0, u64::from), self.unsent.get());
        let all = dropped + unsent;
        ((dropped, unsent), all.saturating_sub(self.told.replace(all)))
    }

    /// Adds all sockets to an epoll set; `token` gives each its own.
    pub fn watch(&self, epoll: &os::Epoll, token: impl Fn(Ear) -> u64) -> io::Result<()> {
        epoll.add(&self.rtp, token(Ear::Rtp))?;
        if let Some(trap) = &self.trap {
            epoll.add(trap, token(Ear::Trap))?;
        }
        epoll.add(&self.rtcp, token(Ear::Rtcp))
    }

    /// Takes all sockets out of it.
    pub fn unwatch(&self, epoll: &os::Epoll) {
        // One that is not in it was never added: nothing to undo.
        let _ = epoll.remove(&self.rtp);
        let _ = self.trap.as_ref().map(|trap| epoll.remove(trap));
        let _ = epoll.remove(&self.rtcp);
    }

    /// Adds the one that hears the far end to another set.
    pub fn watch_rtp(&self, epoll: &os::Epoll, token: u64) -> io::Result<()> {
        epoll.add(&self.rtp, token)
    }

    /// Takes it out of a set.
    pub fn unwatch_rtp(&self, epoll: &os::Epoll) {
        let _ = epoll.remove(&self.rtp);
    }

    /// Hears the far end alone from now on.
    pub fn connect(&mut self, remote: SocketAddr) {
        // Refused, as when there is no route: it stays open to all, and the plane tells friend from stranger.
        if self.connected != Some(remote) && self.rtp.connect(remote).is_ok() {
            self.connected = Some(remote);
        }
    }

    /// Hears everyone again.
    pub fn disconnect(&mut self) {
        if self.connected.is_some() && os::disconnect(&self.rtp).is_ok() {
            self.connected = None;
        }
    }

    /// Takes one datagram; none when there is none.
    pub fn receive(&self, ear: Ear, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let socket = match ear {
            Ear::Rtp => &self.rtp,
            Ear::Trap => self.trap.as_ref()?,
            Ear::Rtcp => &self.rtcp,
        };
        // An error is what became of a datagram of ours (ICMP): reading on finds what came after it.
        for _ in 0..2 {
            let outcome = match (ear, self.connected) {
                (Ear::Rtp, Some(remote)) => socket.recv(buffer).map(|length| (length, remote)),
                _ => socket.recv_from(buffer),
            };
            match outcome {
                Ok(received) => return Some(received),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    /// Sends one datagram; false when the kernel did not take it.
    pub fn send(&self, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        let send = || match port {
            Port::Rtp if self.connected == Some(to) => self.rtp.send(bytes),
            Port::Rtp => self.rtp.send_to(bytes, to),
            Port::Rtcp => self.rtcp.send_to(bytes, to),
        };
        let sent = match send() {
            Ok(_) => true,
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
        let mut buffer = [0; 64];
        sockets.receive(ear, &mut buffer).map(|(length, _)| buffer[..length].to_vec())
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
        (0..2000).for_each(|_| drop(friend.send_to(&[0; 1000], here).unwrap()));
        let ((dropped, unsent), news) = sockets.losses();
        assert!(dropped > 100 && unsent == 0 && news == dropped, "{dropped} {unsent} {news}");
        assert_eq!(sockets.losses(), ((dropped, 0), 0), "told once");
    }

    #[test]
    fn a_port_that_another_holds_is_not_shared() {
        let first = bind();
        let again = LegSockets::bind(IpAddr::from([127, 0, 0, 1]), first.port());
        assert_eq!(again.map(drop).map_err(|error| error.kind()), Err(io::ErrorKind::AddrInUse));
    }

    #[test]
    fn what_nobody_receives_does_not_stop_the_next_packet() {
        let mut sockets = bind();
        let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        sockets.connect(nobody);
        for _ in 0..6 {
            assert!(sockets.send(Port::Rtp, nobody, b"x"));
        }
    }
}
