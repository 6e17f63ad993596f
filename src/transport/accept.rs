//! Accepting connections within bounds: one task for all listeners, which alone counts them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::arrival::Report;
use super::counts::count;
use super::flow::{self, FlowHandle};
use super::{Shared, listen, tls};
use crate::sip::transport::{FlowId, Source, Transport};

/// After an accept failed for want of descriptors. Shorter: a busy loop. Longer: phones wait.
const BREATHER: Duration = Duration::from_millis(50);

/// One listener.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    pub(super) listener: TcpListener,
}

/// Accepts on all listeners for ever.
pub(super) async fn run(listeners: Vec<Listener>, server: Option<watch::Receiver<Arc<ServerConfig>>>, shared: Shared) {
    let mut connections: JoinSet<IpAddr> = JoinSet::new();
    let mut by_source: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut first = 0;
    loop {
        tokio::select! {
            Some(ended) = connections.join_next() => {
                // A task of ours does not panic; were one to, its source would keep the place until the restart.
                if let Ok(source) = ended {
                    release(&mut by_source, source);
                }
            }
            (index, accepted) = accept(&listeners, first) => {
                first = index + 1;
                let Ok((stream, remote)) = accepted else {
                    tokio::time::sleep(BREATHER).await;
                    continue;
                };
                let Some(listener) = listeners.get(index) else { continue };
                let group = group(remote.ip());
                let of_source = by_source.get(&group).copied().unwrap_or(0);
                if connections.len() >= shared.limits.connections {
                    count(&shared.counts.refused_total);
                } else if of_source >= shared.limits.connections_per_source {
                    count(&shared.counts.refused_source);
                } else {
                    count(&shared.counts.accepted);
                    by_source.insert(group, of_source + 1);
                    let acceptor = (listener.transport == Transport::Tls).then(|| server.clone()).flatten();
                    let (transport, local, shared) = (listener.transport, listener.local, shared.clone());
                    connections.spawn(async move {
                        serve(stream, transport, local, remote, acceptor, shared).await;
                        group
                    });
                }
            }
        }
    }
}

/// The next connection of any listener, beginning with the one after the last served, so that none starves.
async fn accept(listeners: &[Listener], first: usize) -> (usize, std::io::Result<(TcpStream, SocketAddr)>) {
    std::future::poll_fn(|context| {
        for step in 0..listeners.len() {
            let index = (first + step) % listeners.len();
            if let Some(listener) = listeners.get(index)
                && let Poll::Ready(accepted) = listener.listener.poll_accept(context)
            {
                return Poll::Ready((index, accepted));
            }
        }
        Poll::Pending
    })
    .await
}

async fn serve(
    stream: TcpStream,
    transport: Transport,
    local: SocketAddr,
    remote: SocketAddr,
    server: Option<watch::Receiver<Arc<ServerConfig>>>,
    shared: Shared,
) {
    listen::tune(&stream);
    let local = stream.local_addr().unwrap_or(local);
    let flow = FlowId(shared.next_flow.fetch_add(1, Ordering::Relaxed));
    let source = Source { transport, local, remote, flow: Some(flow) };
    let (handle, ends) = FlowHandle::new(transport, remote, &shared.limits);
    match server {
        None => {
            shared.gate.deliver(Report::Opened { flow, handle }).await;
            flow::run(stream, flow, source, ends, shared).await;
        }
        Some(server) => {
            let handshake = timeout(shared.limits.message_deadline, tls::acceptor(&server).accept(stream));
            let Ok(Ok(stream)) = handshake.await else {
                count(&shared.counts.handshakes_failed);
                return;
            };
            shared.gate.deliver(Report::Opened { flow, handle }).await;
            flow::run(stream, flow, source, ends, shared).await;
        }
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one IPv6 subscriber has.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
    }
}

fn release(by_source: &mut BTreeMap<IpAddr, usize>, source: IpAddr) {
    if let Some(places) = by_source.get_mut(&source) {
        *places -= 1;
        if *places == 0 {
            by_source.remove(&source);
        }
    }
}
