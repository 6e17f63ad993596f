//! One RTP packet (RFC 3550 §5.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! |                     CSRC, CC times                            |
//! |  extension profile            |  extension length in words    |   when X
//! |                     extension, payload, padding               |
//! ```

use std::fmt;

/// The fixed part of an RTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// First packet after a pause, or first of an event.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the payload's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Length on the wire.
    pub const LENGTH: usize = 12;

    /// Writes the header of a packet without CSRCs, extension or padding.
    pub fn write(&self, out: &mut [u8; Self::LENGTH]) {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let kind = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        *out = [0x80, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
    }
}

/// An RTP packet, borrowed from its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed part.
    pub header: Header,
    /// Contributing sources, four bytes each, at most fifteen.
    pub csrcs: &'a [u8],
    /// Header extension: profile and data, whole words.
    pub extension: Option<(u16, &'a [u8])>,
    /// The payload, padding removed.
    pub payload: &'a [u8],
    /// How many bytes of padding followed, its count byte included; 0 where there was none.
    pub padding: u8,
}

/// Why a datagram is not RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRtp {
    /// Shorter than its header says.
    Short,
    /// Not version 2.
    Version,
    /// The padding count is zero or more than what is there.
    Padding,
}

impl fmt::Display for NotRtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotRtp::Short => "shorter than its RTP header says",
            NotRtp::Version => "not RTP version 2",
            NotRtp::Padding => "impossible RTP padding",
        })
    }
}

impl std::error::Error for NotRtp {}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotRtp> {
        let (fixed, rest) = bytes.split_first_chunk::<{ Header::LENGTH }>().ok_or(NotRtp::Short)?;
        let [flags, kind, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *fixed;
        if flags >> 6 != 2 {
            return Err(NotRtp::Version);
        }
        let header = Header {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        };
        let (csrcs, rest) = rest.split_at_checked(usize::from(flags & 0x0f) * 4).ok_or(NotRtp::Short)?;
        let (extension, rest) = if flags & 0x10 != 0 {
            let ([p0, p1, l0, l1], rest) = rest.split_first_chunk::<4>().ok_or(NotRtp::Short)?;
            let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            let (data, rest) = rest.split_at_checked(length).ok_or(NotRtp::Short)?;
            (Some((u16::from_be_bytes([*p0, *p1]), data)), rest)
        } else {
            (None, rest)
        };
        let padding = if flags & 0x20 != 0 { rest.last().copied().ok_or(NotRtp::Padding)? } else { 0 };
        if flags & 0x20 != 0 && (padding == 0 || usize::from(padding) > rest.len()) {
            return Err(NotRtp::Padding);
        }
        let payload = rest.get(..rest.len() - usize::from(padding)).ok_or(NotRtp::Padding)?;
        Ok(Self { header, csrcs, extension, payload, padding })
    }

    /// Appends the packet to `out`. CSRCs beyond fifteen and bytes beyond whole words are left out.
    pub fn write(&self, out: &mut Vec<u8>) {
        let sources = (self.csrcs.len() / 4).min(15);
        let mut fixed = [0; Header::LENGTH];
        self.header.write(&mut fixed);
        fixed[0] |= (u8::from(self.padding > 0) << 5)
            | (u8::from(self.extension.is_some()) << 4)
            | u8::try_from(sources).unwrap_or(0);
        out.extend_from_slice(&fixed);
        out.extend(self.csrcs.iter().take(sources * 4));
        if let Some((profile, data)) = self.extension {
            let words = u16::try_from(data.len() / 4).unwrap_or(u16::MAX);
            out.extend_from_slice(&profile.to_be_bytes());
            out.extend_from_slice(&words.to_be_bytes());
            out.extend(data.iter().take(usize::from(words) * 4));
        }
        out.extend_from_slice(self.payload);
        if self.padding > 0 {
            out.resize(out.len() + usize::from(self.padding) - 1, 0);
            out.push(self.padding);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_parses_back(
            (marker, payload_type, sequence, timestamp, ssrc) in any::<(bool, u8, u16, u32, u32)>(),
            csrcs in proptest::collection::vec(any::<[u8; 4]>(), 0..16),
            extension in proptest::option::of((any::<u16>(), proptest::collection::vec(any::<[u8; 4]>(), 0..9))),
            payload in proptest::collection::vec(any::<u8>(), 0..500),
            padding in any::<u8>(),
        ) {
            let csrcs = csrcs.concat();
            let extension = extension.map(|(profile, data)| (profile, data.concat()));
            let packet = Packet {
                header: Header { marker, payload_type: payload_type & 0x7f, sequence, timestamp, ssrc },
                csrcs: &csrcs,
                extension: extension.as_ref().map(|(profile, data)| (*profile, data.as_slice())),
                payload: &payload,
                padding,
            };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Packet::parse(&bytes);
        }
    }

    #[test]
    fn a_packet_that_is_cut_or_lies_about_its_padding_is_refused() {
        let mut bytes = vec![0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        assert!(Packet::parse(&bytes).is_ok_and(|p| p.payload.is_empty()));
        assert_eq!(Packet::parse(&bytes[..11]), Err(NotRtp::Short));
        bytes[0] = 0xa0;
        assert_eq!(Packet::parse(&bytes), Err(NotRtp::Padding));
        bytes.push(2);
        assert_eq!(Packet::parse(&bytes), Err(NotRtp::Padding));
        bytes[0] = 0x40;
        assert_eq!(Packet::parse(&bytes), Err(NotRtp::Version));
        bytes[0] = 0x81;
        assert_eq!(Packet::parse(&bytes), Err(NotRtp::Short));
    }
}
