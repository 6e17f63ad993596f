//! RTP and RTCP (RFC 3550) and telephone-events (RFC 4733): bytes to values and back.

pub mod packet;
pub mod rtcp;
pub mod telephone_event;
pub mod xr;

pub use packet::{Header, NotRtp, Packet};
pub use telephone_event::{NotAnEvent, TelephoneEvent};

/// Whether a datagram on a shared port is RTCP rather than RTP (RFC 5761 §4): its second byte is an RTCP packet
/// type, a range that RTP payload types with the marker bit keep out of.
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| (192..=223).contains(kind))
}
