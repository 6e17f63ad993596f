//! The UDP sockets of browsers: many datagrams for one call of the operating system where that pays, and each answer from the
//! address that it was asked at.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};

/// Buffers read into at once. The kernel may put a burst of one sender into one of them (GRO), so that each must hold as many
/// bytes as that can have. More: memory, 64 KiB each. Fewer: more calls.
const BUFFERS: usize = 8;
/// What the kernel may put into one.
const BUFFER: usize = 65_536;
/// What the kernel keeps for us while we are busy, and for the network while it is. Less: a burst of keyframes is lost here.
const KEPT: usize = 2 * 1024 * 1024;
/// Most bytes of one burst to one browser (GSO): an IPv4 datagram's limit, less headers.
const BURST: usize = 60_000;

/// One socket.
#[derive(Debug)]
pub(super) struct WebSocket {
    socket: UdpSocket,
    state: UdpSocketState,
}

/// What arrives, while it is looked at.
pub(super) struct Mail {
    buffers: Vec<Vec<u8>>,
    metas: [RecvMeta; BUFFERS],
}

/// Datagrams of one size to one browser, that leave by one call; the last may be shorter.
#[derive(Debug, Default)]
pub(super) struct Burst {
    to: Option<(SocketAddr, Option<IpAddr>)>,
    bytes: Vec<u8>,
    segment: usize,
    segments: usize,
    closed: bool,
}

impl WebSocket {
    /// Binds it.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        // As much as the system allows.
        let _ = socket.set_recv_buffer_size(KEPT);
        let _ = socket.set_send_buffer_size(KEPT);
        socket.bind(&address.into())?;
        let socket = UdpSocket::from(socket);
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket, state })
    }

    /// Reads what is there, as far as `mail` has room; each datagram is handed on with its sender and the address of ours that
    /// it was sent to. Returns how many there were.
    pub fn receive(&self, mail: &mut Mail, mut each: impl FnMut(SocketAddr, Option<IpAddr>, &[u8])) -> usize {
        let found = {
            let mut slices: Vec<IoSliceMut<'_>> =
                mail.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
            // An error is what became of a datagram of ours (ICMP), or that there is nothing.
            self.state.recv((&self.socket).into(), &mut slices, &mut mail.metas).unwrap_or(0)
        };
        let mut count = 0;
        for (buffer, meta) in mail.buffers.iter().zip(&mail.metas).take(found) {
            let bytes = buffer.get(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks(meta.stride.max(1)) {
                each(meta.addr, meta.dst_ip, datagram);
                count += 1;
            }
        }
        count
    }

    /// Sends a burst; false where the kernel did not take it. Nothing is tried again: to a browser it is a loss like others.
    pub fn send(&self, burst: &mut Burst) -> bool {
        let Some((destination, src_ip)) = burst.to.take() else { return true };
        let segment_size = (burst.segments > 1).then_some(burst.segment);
        let transmit = Transmit { destination, ecn: None, contents: &burst.bytes, segment_size, src_ip };
        let sent = self.state.try_send((&self.socket).into(), &transmit).is_ok();
        burst.bytes.clear();
        (burst.segments, burst.closed) = (0, false);
        sent
    }

    /// How many datagrams one burst may have.
    pub fn longest_burst(&self) -> usize {
        self.state.max_gso_segments()
    }
}

impl AsFd for WebSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Mail {
    /// Room for some.
    pub fn new() -> Self {
        Self { buffers: vec![vec![0; BUFFER]; BUFFERS], metas: [RecvMeta::default(); BUFFERS] }
    }
}

impl Burst {
    /// Takes a datagram into the burst; false where it needs one of its own, after this has been sent.
    pub fn add(&mut self, to: SocketAddr, from: Option<IpAddr>, bytes: &[u8], longest: usize) -> bool {
        if self.to.is_none() {
            (self.to, self.segment) = (Some((to, from)), bytes.len());
        } else if self.closed
            || self.to != Some((to, from))
            || bytes.len() > self.segment
            || self.segments >= longest
            || self.bytes.len() + bytes.len() > BURST
        {
            return false;
        }
        self.closed = bytes.len() < self.segment;
        self.bytes.extend_from_slice(bytes);
        self.segments += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_arrives_as_the_datagrams_it_was_made_of() {
        let socket = WebSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let browser = WebSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = browser.socket.local_addr().unwrap();
        let mut burst = Burst::default();
        let longest = socket.longest_burst();
        for length in [100, 100, 40] {
            if !burst.add(to, None, &vec![u8::try_from(length).unwrap(); length], longest) {
                assert!(socket.send(&mut burst));
                assert!(burst.add(to, None, &vec![u8::try_from(length).unwrap(); length], longest));
            }
        }
        assert!(!burst.add(to, None, &[1; 40], longest), "after a shorter one nothing follows");
        assert!(!burst.add("127.0.0.1:9".parse().unwrap(), None, &[1; 10], longest), "another browser");
        assert!(socket.send(&mut burst));
        let (mut mail, mut lengths) = (Mail::new(), Vec::new());
        for _ in 0..100 {
            browser.receive(&mut mail, |_, _, bytes| lengths.push(bytes.len()));
            if lengths.len() == 3 {
                break;
            }
        }
        assert_eq!(lengths, [100, 100, 40]);
    }
}
