//! Rank 7: browsers' peer connections as one machine around str0m: no socket, no clock, no thread. It is told what came and
//! what is ordered, and says what is to be sent; `engine/web` carries it out.
//!
//! ```text
//! datagrams ─ receive ──▶┌─────┐──▶ Output::Send   datagrams, and by which socket
//! orders ─── command ───▶│ Hub │──▶ Output::Voice  to the media plane: a browser's Opus
//! voices ─── voice ─────▶│     │──▶ Output::Event  to the gateway
//! time ───── advance ───▶└─────┘
//! ```
//!
//! One UDP port serves every browser. A check (STUN) is for whom its ufrag names; everything else is from whom its address
//! belongs to, since a check vouched for it. Nobody is looked for among all.

pub mod answer;
pub mod epoch;
pub mod glance;
pub mod hub;
pub mod identity;
pub mod layers;
mod leg;
pub mod line;
pub mod offer;
mod peer;
mod published;
pub mod rate;
mod rooms;
pub mod stun;
#[cfg(test)]
mod tests;
pub mod track;
mod watching;
mod ways;

use std::net::{IpAddr, SocketAddr};

use crate::media::web::{Voice, WebEvent};

/// How datagrams go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wire {
    /// Each for itself.
    Udp,
    /// One after the other in a stream (RFC 4571).
    Tcp,
}

/// By which way a datagram came, and its answer goes: chosen and understood by whoever owns the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via {
    /// How.
    pub wire: Wire,
    /// Which socket, or which connection.
    pub socket: u32,
    /// Which address of ours it was sent to, where the socket has several.
    pub local: Option<IpAddr>,
}

/// An address at which browsers are told to find us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// How.
    pub wire: Wire,
    /// Where.
    pub address: SocketAddr,
}

impl Candidate {
    /// For str0m: a host candidate, which is all that an agent that makes no checks has (RFC 8445 §2.5).
    pub(crate) fn host(&self) -> Option<str0m::Candidate> {
        match self.wire {
            Wire::Udp => str0m::Candidate::host(self.address, "udp").ok(),
            // Browsers connect to us, never we to them (RFC 6544 §4.5).
            Wire::Tcp => {
                let built = str0m::Candidate::builder().tcp().host(self.address);
                built.tcptype(str0m::net::TcpType::Passive).build().ok()
            }
        }
    }
}

/// How the hub is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where browsers find us.
    pub candidates: Vec<Candidate>,
    /// Most peer connections at once.
    pub max_peers: usize,
}

/// An order to whoever owns sockets and rings.
#[derive(Debug)]
pub enum Output {
    /// Send a datagram.
    Send {
        /// By which way.
        via: Via,
        /// Where.
        to: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// A browser's voice for the media plane.
    Voice(Box<Voice>),
    /// A fact for the gateway.
    Event(WebEvent),
}
