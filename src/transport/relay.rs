//! The tunnel between a relay in a customer's network and the gateway: what both ends say, over one WebSocket that the
//! relay opens.
//!
//! ```text
//! text    control, as JSON: hello, welcome, bind, release, managers, unsent, alive
//! binary  SIP       1 | number u32 | address 18 | message
//!         RTP       2 | port u16 | stamp u32 | address 18 | packet
//!         RTCP      3 | the same
//! ```
//!
//! Numbers are in network order; an address is 16 bytes (IPv4 mapped into IPv6) and a port: of who sent it, towards the gateway;
//! of who is to have it, towards the relay. `port` is the even RTP port at the relay; `stamp` is the sender's clock in
//! milliseconds, from which the other end knows what waited on the way ([`fresh`]).

pub mod control;
pub mod frame;
pub mod fresh;
pub mod writer;

use std::time::Duration;

use bytes::Bytes;

/// The version of all this; ends of different versions do not talk.
pub const VERSION: u32 = 1;
/// The path at the gateway.
pub const PATH: &str = "/relay";
/// Each end says something at least this often. Longer: a dead tunnel is noticed later. Shorter: traffic for nothing.
pub const ALIVE: Duration = Duration::from_secs(2);
/// A tunnel on which nothing comes is dead after three of them.
pub const DEAD: Duration = Duration::from_secs(6);
/// Audio that waited longer than this is dropped. More: people talk over each other after each hiccup. Less: a slow link
/// loses what a jitter buffer would have caught.
pub const STALE: Duration = Duration::from_millis(100);
/// The longest frame: a SIP message of the longest kind, and its head.
pub const LONGEST_FRAME: usize = 65_535 + 64;
/// Calls at once by one relay, and port pairs that it may bind.
pub const MOST_PORTS: usize = 1000;

/// What goes through the WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Control.
    Text(String),
    /// SIP or audio.
    Binary(Bytes),
    /// The end, with a code (RFC 6455 §7.4) and why.
    Close(u16, String),
}

/// Why an end closes the tunnel, as the close frame says it.
pub mod close {
    /// The gateway or the relay ends.
    pub const GOING: u16 = 1001;
    /// Something came that cannot be understood.
    pub const MALFORMED: u16 = 1002;
    /// The far end does not read, or says nothing.
    pub const STUCK: u16 = 1008;
    /// Another relay came with the same secret. Whoever hears it stops: two that each come back would push each other out for ever.
    pub const REPLACED: u16 = 4001;
    /// Its secret is not good any more. Whoever hears it stops.
    pub const REVOKED: u16 = 4003;
    /// The other end speaks another version. Whoever hears it stops.
    pub const VERSION: u16 = 4004;
}

/// Something came that is not of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}
