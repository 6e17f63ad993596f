//! Binary frames: SIP messages and packets of audio, with where they come from or go to.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

use super::Malformed;

/// Bytes of an address.
pub const ADDRESS: usize = 18;
/// Bytes before the address of a packet of audio.
const AUDIO_HEAD: usize = 7;
/// Bytes before the message of a SIP frame.
const SIP_HEAD: usize = 5 + ADDRESS;
/// The longest packet of audio; a longer one is none of ours.
pub const LONGEST_AUDIO: usize = 2000;

const SIP: u8 = 1;
const RTP: u8 = 2;
const RTCP: u8 = 3;

/// Which of a leg's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audio {
    /// Even port.
    Rtp,
    /// Odd port.
    Rtcp,
}

/// What a binary frame holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A SIP message.
    Sip {
        /// Its number, towards the relay: what [`super::control::FromRelay::Unsent`] names.
        number: u32,
        /// Whence, or whither.
        peer: SocketAddr,
        /// The message.
        bytes: Bytes,
    },
    /// A packet of audio.
    Audio {
        /// Which stream.
        stream: Audio,
        /// The relay's even port.
        port: u16,
        /// The sender's clock, in milliseconds; it goes around.
        stamp: u32,
        /// Whence, or whither.
        peer: SocketAddr,
        /// The packet.
        bytes: Bytes,
    },
}

impl Frame {
    /// Reads a frame; its bytes are not copied.
    pub fn parse(frame: &Bytes) -> Result<Self, Malformed> {
        match frame.first() {
            Some(&SIP) => {
                let number = frame.get(1..5).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
                let peer = frame.get(5..SIP_HEAD).and_then(read_address);
                let (Some(number), Some(peer)) = (number, peer) else {
                    return Err(Malformed("a SIP frame is cut short"));
                };
                Ok(Frame::Sip { number, peer, bytes: frame.slice(SIP_HEAD..) })
            }
            Some(kind @ &(RTP | RTCP)) => {
                let port = frame.get(1..3).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes);
                let stamp = frame.get(3..AUDIO_HEAD).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
                let peer = frame.get(AUDIO_HEAD..AUDIO_HEAD + ADDRESS).and_then(read_address);
                let (Some(port), Some(stamp), Some(peer)) = (port, stamp, peer) else {
                    return Err(Malformed("a frame of audio is cut short"));
                };
                let bytes = frame.slice(AUDIO_HEAD + ADDRESS..);
                if bytes.len() > LONGEST_AUDIO {
                    return Err(Malformed("a packet of audio is too long"));
                }
                let stream = if *kind == RTP { Audio::Rtp } else { Audio::Rtcp };
                Ok(Frame::Audio { stream, port, stamp, peer, bytes })
            }
            Some(_) => Err(Malformed("a frame of an unknown kind")),
            None => Err(Malformed("an empty frame")),
        }
    }
}

/// A SIP message as a frame.
pub fn sip(number: u32, peer: SocketAddr, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(SIP_HEAD + message.len());
    frame.put_u8(SIP);
    frame.put_u32(number);
    frame.put_slice(&address(peer));
    frame.put_slice(message);
    frame.freeze()
}

/// A packet of audio as a frame; `addressed` is its address and the packet, as [`address`] writes it.
pub fn audio(stream: Audio, port: u16, stamp: u32, addressed: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(AUDIO_HEAD + addressed.len());
    frame.put_u8(if stream == Audio::Rtp { RTP } else { RTCP });
    frame.put_u16(port);
    frame.put_u32(stamp);
    frame.put_slice(addressed);
    frame.freeze()
}

/// An address as it is written.
pub fn address(address: SocketAddr) -> [u8; ADDRESS] {
    let ip = match address.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut bytes = [0; ADDRESS];
    for (slot, byte) in bytes.iter_mut().zip(ip.octets().into_iter().chain(address.port().to_be_bytes())) {
        *slot = byte;
    }
    bytes
}

/// Reads an address; none where there is not all of it.
pub fn read_address(bytes: &[u8]) -> Option<SocketAddr> {
    let ip: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
    let port: [u8; 2] = bytes.get(16..ADDRESS)?.try_into().ok()?;
    Some(SocketAddr::new(Ipv6Addr::from(ip).to_canonical(), u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_for_both_families() {
        for text in ["10.1.2.3:5060", "[2001:db8::1]:5060"] {
            let peer: SocketAddr = text.parse().unwrap();
            assert_eq!(read_address(&address(peer)), Some(peer));
            let message = Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\n\r\n");
            assert_eq!(Frame::parse(&sip(7, peer, &message)), Ok(Frame::Sip { number: 7, peer, bytes: message }));
            let packet = Bytes::from_static(&[0x80; 172]);
            let addressed = [&address(peer)[..], &packet[..]].concat();
            let read = Frame::parse(&audio(Audio::Rtcp, 30_002, u32::MAX, &addressed));
            let stream = Audio::Rtcp;
            assert_eq!(read, Ok(Frame::Audio { stream, port: 30_002, stamp: u32::MAX, peer, bytes: packet }));
        }
    }

    #[test]
    fn no_beginning_of_a_frame_and_no_unknown_kind_is_taken_for_one() {
        let peer = "10.1.2.3:5060".parse().unwrap();
        let whole = audio(Audio::Rtp, 30_000, 1, &address(peer));
        for length in 0..whole.len() {
            assert!(Frame::parse(&whole.slice(..length)).is_err(), "{length}");
        }
        let whole = sip(1, peer, b"");
        for length in 0..whole.len() {
            assert!(Frame::parse(&whole.slice(..length)).is_err(), "{length}");
        }
        assert!(Frame::parse(&Bytes::from_static(&[9; 64])).is_err());
        let long = audio(Audio::Rtp, 30_000, 1, &[0; ADDRESS + LONGEST_AUDIO + 1]);
        assert!(Frame::parse(&long).is_err());
    }
}
