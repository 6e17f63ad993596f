//! Our packets, protected.

use super::cipher::{Cipher, RTCP, RTP};
use super::{Head, RTCP_CLEAR, RTCP_INDEX, RTCP_TAG};
use crate::media::command::SrtpKey;

/// Protects what one leg sends: one synchronisation source.
#[derive(Clone)]
pub struct Sender {
    rtp: Cipher,
    rtcp: Cipher,
    tag: usize,
    /// Rollover counter and the highest sequence number sent, none before the first packet.
    last: Option<(u32, u16)>,
    rtcp_index: u32,
}

impl Sender {
    /// Begins with a key; none where it does not fit its suite.
    pub fn new(key: &SrtpKey) -> Option<Self> {
        Some(Self {
            rtp: Cipher::derive(key, RTP)?,
            rtcp: Cipher::derive(key, RTCP)?,
            tag: key.suite.tag_length(),
            last: None,
            rtcp_index: 0,
        })
    }

    /// Another key for the same stream: its counters go on (RFC 3711 §3.3.1).
    pub fn rekey(&mut self, key: &SrtpKey) -> bool {
        let Some(next) = Self::new(key) else { return false };
        *self = Self { last: self.last, rtcp_index: self.rtcp_index, ..next };
        true
    }

    /// Writes an RTP packet protected into `out`; returns its length, none where it is no RTP or has no room.
    pub fn rtp(&mut self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        let Head { length, sequence, ssrc } = Head::read(packet)?;
        let counter = match self.last {
            None => 0,
            Some(last) => rollover(last, sequence),
        };
        if self.last.is_none_or(|last| (counter, sequence) > last) {
            self.last = Some((counter, sequence));
        }
        let (body, tag) = out.get_mut(..packet.len() + self.tag)?.split_at_mut(packet.len());
        body.copy_from_slice(packet);
        let index = u64::from(counter) << 16 | u64::from(sequence);
        self.rtp.apply(ssrc, index, body.get_mut(length..)?);
        let full = self.rtp.tag(body, &counter.to_be_bytes());
        tag.copy_from_slice(full.get(..self.tag)?);
        Some(packet.len() + self.tag)
    }

    /// The same for a compound RTCP packet (RFC 3711 §3.4).
    pub fn rtcp(&mut self, packet: &[u8], out: &mut [u8]) -> Option<usize> {
        let ssrc = u32::from_be_bytes(packet.get(4..RTCP_CLEAR)?.try_into().ok()?);
        self.rtcp_index = (self.rtcp_index + 1) & 0x7fff_ffff;
        let signed = packet.len() + RTCP_INDEX;
        let (body, tag) = out.get_mut(..signed + RTCP_TAG)?.split_at_mut(signed);
        let (report, index) = body.split_at_mut(packet.len());
        report.copy_from_slice(packet);
        self.rtcp.apply(ssrc, u64::from(self.rtcp_index), report.get_mut(RTCP_CLEAR..)?);
        index.copy_from_slice(&(self.rtcp_index | 0x8000_0000).to_be_bytes());
        tag.copy_from_slice(self.rtcp.tag(body, &[]).get(..RTCP_TAG)?);
        Some(signed + RTCP_TAG)
    }
}

/// The rollover counter of a sequence number, by where the highest one stood (RFC 3711 §3.3.1).
pub(super) fn rollover((counter, highest): (u32, u16), sequence: u16) -> u32 {
    if highest < 0x8000 && sequence.wrapping_sub(highest) > 0x8000 && sequence > highest {
        // One of before the wrap; before the very first there is none.
        counter.saturating_sub(1)
    } else if highest >= 0x8000 && sequence < highest - 0x8000 {
        counter.wrapping_add(1)
    } else {
        counter
    }
}
