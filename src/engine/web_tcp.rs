//! Browsers that come by TCP, because their network lets nothing else through: two bytes of length before each datagram
//! (RFC 4571 §2). A connection that no check vouches for within seconds is closed.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::base::Instant;
use crate::engine::os::Epoll;

/// Longest datagram in a stream. A browser's are below 1,500 bytes.
const LONGEST: usize = 4096;
/// How long a connection may be open without a check that vouches for it.
const UNPROVEN: Duration = Duration::from_secs(10);
/// What waits for a browser that reads slowly. More: what it gets is old. Less: a keyframe does not fit, and is lost.
const WAITING: usize = 256 * 1024;
/// What is read of one stream in a turn, so that a flood does not hold the others up.
const A_TURN: usize = 64 * 1024;

/// All of them.
pub(super) struct Streams {
    listeners: Vec<TcpListener>,
    streams: BTreeMap<u32, Stream>,
    next: u32,
    most: usize,
    scratch: Vec<u8>,
}

struct Stream {
    socket: TcpStream,
    remote: SocketAddr,
    local: SocketAddr,
    opened: Instant,
    proven: bool,
    inward: Vec<u8>,
    outward: Vec<u8>,
}

impl Streams {
    /// Listens at these addresses, under tokens from `first` on; at most so many connections.
    pub fn listen(addresses: &[SocketAddr], most: usize, epoll: &Epoll, first: u64) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for (address, token) in addresses.iter().zip(first..) {
            let listener = TcpListener::bind(address)
                .map_err(|error| io::Error::new(error.kind(), format!("tcp {address}: {error}")))?;
            listener.set_nonblocking(true)?;
            epoll.add(&listener, token)?;
            listeners.push(listener);
        }
        Ok(Self { listeners, streams: BTreeMap::new(), next: 0, most, scratch: vec![0; 16 * 1024] })
    }

    /// Takes new connections; each is watched under its number, which `token` makes a token.
    pub fn accept(&mut self, listener: usize, epoll: &Epoll, token: impl Fn(u32) -> u64, now: Instant) {
        let Some(listener) = self.listeners.get(listener) else { return };
        while let Ok((socket, remote)) = listener.accept() {
            let Ok(local) = socket.local_addr() else { continue };
            if self.streams.len() >= self.most || socket.set_nonblocking(true).is_err() {
                continue;
            }
            let _ = socket.set_nodelay(true);
            self.next = self.next.wrapping_add(1);
            let number = self.next;
            if epoll.add(&socket, token(number)).is_err() {
                continue;
            }
            let (inward, outward) = (Vec::new(), Vec::new());
            let stream = Stream { socket, remote, local, opened: now, proven: false, inward, outward };
            self.streams.insert(number, stream);
        }
    }

    /// Reads a stream; each datagram is handed on with its sender and the address it came to. One that ended or does not
    /// speak the protocol is closed.
    pub fn receive(&mut self, number: u32, mut each: impl FnMut(SocketAddr, SocketAddr, &[u8])) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let (mut ended, mut read) = (false, 0);
        while read < A_TURN {
            match stream.socket.read(&mut self.scratch) {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(length) => {
                    read += length;
                    stream.inward.extend_from_slice(self.scratch.get(..length).unwrap_or_default());
                    let mut begin = 0;
                    while let Some([high, low]) = stream.inward.get(begin..begin + 2) {
                        let length = usize::from(u16::from_be_bytes([*high, *low]));
                        if length > LONGEST {
                            ended = true;
                            break;
                        }
                        let Some(datagram) = stream.inward.get(begin + 2..begin + 2 + length) else { break };
                        each(stream.remote, stream.local, datagram);
                        begin += 2 + length;
                    }
                    stream.inward.drain(..begin.min(stream.inward.len()));
                    if ended {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    ended = true;
                    break;
                }
            }
        }
        if ended {
            self.streams.remove(&number);
        }
    }

    /// A check has vouched for it.
    pub fn prove(&mut self, number: u32) {
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.proven = true;
        }
    }

    /// Sends a datagram; false where it is lost, because too much waits already or the stream is gone.
    pub fn send(&mut self, number: u32, bytes: &[u8]) -> bool {
        let Some(stream) = self.streams.get_mut(&number) else { return false };
        let Ok(length) = u16::try_from(bytes.len()) else { return false };
        if stream.outward.len() + bytes.len() > WAITING {
            return false;
        }
        stream.outward.extend_from_slice(&length.to_be_bytes());
        stream.outward.extend_from_slice(bytes);
        true
    }

    /// Gives to the kernel what waits; true where something still does.
    pub fn flush(&mut self) -> bool {
        let mut waits = false;
        self.streams.retain(|_, stream| {
            while !stream.outward.is_empty() {
                match stream.socket.write(&stream.outward) {
                    Ok(written) if written > 0 => drop(stream.outward.drain(..written.min(stream.outward.len()))),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        waits = true;
                        break;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => return false,
                }
            }
            true
        });
        waits
    }

    /// Closes those that nobody vouched for in time.
    pub fn close_unproven(&mut self, now: Instant) {
        self.streams.retain(|_, stream| stream.proven || now.since(stream.opened) < UNPROVEN);
    }

    /// Open connections.
    pub fn open(&self) -> usize {
        self.streams.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    fn begin() -> (Streams, Epoll, TcpStream) {
        let epoll = Epoll::new().unwrap();
        let mut streams = Streams::listen(&["127.0.0.1:0".parse().unwrap()], 2, &epoll, 5).unwrap();
        let client = TcpStream::connect(streams.listeners[0].local_addr().unwrap()).unwrap();
        while streams.open() == 0 {
            streams.accept(0, &epoll, |number| 100 + u64::from(number), at(1));
        }
        (streams, epoll, client)
    }

    fn hear(streams: &mut Streams, datagrams: usize) -> Vec<Vec<u8>> {
        let mut heard = Vec::new();
        for _ in 0..100_000 {
            streams.receive(1, |_, _, bytes| heard.push(bytes.to_vec()));
            if heard.len() >= datagrams || streams.open() == 0 {
                break;
            }
        }
        heard
    }

    #[test]
    fn datagrams_in_a_stream_are_told_apart_wherever_it_was_cut() {
        let (mut streams, _epoll, mut client) = begin();
        client.write_all(&[0, 3, 1, 2]).unwrap();
        client.write_all(&[3, 0, 1, 9, 0]).unwrap();
        assert_eq!(hear(&mut streams, 2), [vec![1, 2, 3], vec![9]]);
        client.write_all(&[2, 7, 7]).unwrap();
        assert_eq!(hear(&mut streams, 1), [vec![7, 7]]);
        assert!(streams.send(1, &[5, 6]));
        streams.flush();
        let mut bytes = [0; 4];
        client.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, [0, 2, 5, 6]);
    }

    #[test]
    fn one_that_does_not_speak_the_protocol_or_proves_nothing_is_closed() {
        let (mut streams, _epoll, mut client) = begin();
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        assert_eq!(hear(&mut streams, 1), Vec::<Vec<u8>>::new());
        assert_eq!(streams.open(), 0);
        let (mut streams, _epoll, _client) = begin();
        streams.close_unproven(at(10));
        assert_eq!(streams.open(), 1);
        streams.close_unproven(at(11));
        assert_eq!(streams.open(), 0);
    }

    #[test]
    fn for_a_browser_that_does_not_read_so_much_waits_and_no_more() {
        let (mut streams, _epoll, _client) = begin();
        let mut sent = 0u32;
        for _ in 0..20_000 {
            sent += u32::from(streams.send(1, &[0; 1200]));
            streams.flush();
        }
        assert!(sent < 20_000);
        assert!(streams.streams[&1].outward.len() <= WAITING + 2);
    }
}
