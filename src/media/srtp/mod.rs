//! SRTP and SRTCP (RFC 3711, RFC 6188): a leg's packets encrypted and authenticated, and believed only when they are.
//!
//! ```text
//!  RTP header (clear) │ payload (AES in counter mode)                  │ MKI │ tag, 80 or 32 bits of HMAC-SHA1
//!  RTCP header, SSRC (clear) │ reports (AES in counter mode) │ E, index │ MKI │ tag, 80 bits
//! ```
//! Nothing here allocates per packet. The key derivation rate is zero always, as RFC 4568 has it where none is named.

mod cipher;
mod guard;
mod receive;
mod send;

use crate::wire::rtp::Header;

pub use guard::{Guard, LONGEST};
pub use receive::{Receiver, Refused};
pub use send::Sender;

/// The tag on RTCP is of ten bytes in every suite (RFC 4568 §6.2.1, RFC 6188 §4).
const RTCP_TAG: usize = 10;

/// E and the index of an SRTCP packet.
const RTCP_INDEX: usize = 4;

/// What stays readable of an RTCP packet: the first report's header and SSRC.
const RTCP_CLEAR: usize = 8;

/// Most bytes by which protection makes a packet of ours longer: an index and a tag; we send no MKI.
pub const OVERHEAD: usize = RTCP_INDEX + RTCP_TAG;

/// What protection needs to know of an RTP packet. Its padding cannot be read while it is enciphered.
#[derive(Debug, Clone, Copy)]
struct Head {
    /// Of everything before the payload, in bytes.
    length: usize,
    sequence: u16,
    ssrc: u32,
}

impl Head {
    fn read(packet: &[u8]) -> Option<Self> {
        let [flags, _, s0, s1, _, _, _, _, c0, c1, c2, c3] = *packet.first_chunk::<{ Header::LENGTH }>()?;
        if flags >> 6 != 2 {
            return None;
        }
        let mut length = Header::LENGTH + 4 * usize::from(flags & 0x0f);
        if flags & 0x10 != 0 {
            let words = packet.get(length + 2..length + 4)?.try_into().ok().map(u16::from_be_bytes)?;
            length += 4 + 4 * usize::from(words);
        }
        (packet.len() >= length).then_some(Self {
            length,
            sequence: u16::from_be_bytes([s0, s1]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        })
    }
}

#[cfg(test)]
mod tests;
