//! Receiving datagrams.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::UdpSocket;

use super::arrival::Arrival;
use super::counts::count;
use super::{Shared, stun};
use crate::sip::transport::{Source, Transport};
use crate::wire::sip::{Message, Method, ParseError};

/// Datagrams taken before other tasks get a turn. More: they wait. Less: more wake-ups under load.
const BATCH: usize = 64;

/// Receives on one socket for ever. Ends with the task.
pub(super) async fn receive(local: SocketAddr, socket: Arc<UdpSocket>, shared: Shared) {
    // The longest datagram there is, so that none is cut without notice.
    let mut buffer = vec![0u8; 65_536];
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, remote)) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    take(datagram, local, remote, &socket, &shared);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The kernel reports here what became of an earlier datagram (ICMP); the next receive goes on.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

fn take(datagram: &[u8], local: SocketAddr, remote: SocketAddr, socket: &UdpSocket, shared: &Shared) {
    let counts = &shared.counts;
    count(&counts.datagrams_received);
    if is_keep_alive(datagram) {
        count(&counts.keep_alives);
        return;
    }
    if stun::is_stun(datagram) {
        count(&counts.stun_requests);
        if let Some(answer) = stun::answer(datagram, remote) {
            let _ = socket.try_send_to(&answer, remote);
        }
        return;
    }
    let source = Source { transport: Transport::Udp, local, remote, flow: None };
    let message = Message::parse(&Bytes::copy_from_slice(datagram));
    if message.is_err() {
        count(&counts.malformed);
    }
    let new_work = is_new_work(&message);
    shared.gate.offer(Arrival::Message { message: Box::new(message), source }, new_work);
}

/// Nothing, line ends, or the four zero bytes some phones send.
fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ')) || datagram == [0; 4]
}

/// What would begin something. ACK, CANCEL and BYE end what is there already: they relieve us, as responses do.
fn is_new_work(message: &Result<Message, ParseError>) -> bool {
    match message {
        Ok(Message::Request(request)) => !matches!(request.method, Method::Ack | Method::Cancel | Method::Bye),
        Ok(Message::Response(_)) => false,
        Err(_) => true,
    }
}
