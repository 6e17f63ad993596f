//! Opening sockets.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::tls::CertificateError;
use crate::sip::transport::Transport;

/// A connection whose far end is silent this long is probed. Shorter: needless packets. Longer: half-open ones linger.
const PROBE_AFTER: Duration = Duration::from_secs(60);
/// Between probes; with the kernel's nine it takes under four minutes to find out.
const PROBE_EVERY: Duration = Duration::from_secs(15);
/// Connections the kernel holds until they are accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Why a listener could not be started.
#[derive(Debug)]
pub enum ListenError {
    /// The address cannot be bound.
    Bind(Transport, SocketAddr, io::Error),
    /// A TLS listener has no certificate.
    NoCertificate(SocketAddr),
    /// The certificate cannot be used.
    Certificate(CertificateError),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenError::Bind(transport, address, error) => {
                write!(f, "cannot listen on {transport} {address}: {error}")?;
                match error.kind() {
                    io::ErrorKind::AddrInUse => f.write_str("; another program has this port"),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; ports below 1024 need the capability CAP_NET_BIND_SERVICE")
                    }
                    io::ErrorKind::AddrNotAvailable => f.write_str("; this machine has no such address"),
                    _ => Ok(()),
                }
            }
            ListenError::NoCertificate(address) => {
                write!(f, "cannot listen on tls {address}: no certificate is configured")
            }
            ListenError::Certificate(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ListenError {}

/// A bound UDP socket and its address.
pub(super) fn udp(address: SocketAddr, buffer: usize) -> Result<(SocketAddr, UdpSocket), ListenError> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // The kernel gives what `net.core.rmem_max` allows and says nothing; a smaller buffer still works.
        let _ = socket.set_recv_buffer_size(buffer);
        let _ = socket.set_send_buffer_size(buffer);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok((socket.local_addr()?, socket))
    };
    bind().map_err(|error| ListenError::Bind(Transport::Udp, address, error))
}

/// A listening TCP socket and its address.
pub(super) fn tcp(transport: Transport, address: SocketAddr) -> Result<(SocketAddr, TcpListener), ListenError> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the old connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        Ok((listener.local_addr()?, listener))
    };
    bind().map_err(|error| ListenError::Bind(transport, address, error))
}

/// Sends at once and finds half-open connections. What the kernel refuses here costs comfort only.
pub(super) fn tune(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY);
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
