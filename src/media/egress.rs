//! A leg's outgoing stream: sequence numbers, timestamps, packets of the negotiated length.

use super::{FRAME, LONGEST_PACKET};
use crate::wire::codec::g711::Law;
use crate::wire::rtp::{Header, TelephoneEvent};

const HEADER: usize = Header::LENGTH;

/// Longest packet sent: 60 ms.
const LONGEST: usize = 480;

/// An encoded frame behind room for a header. All who hear the same share one: each writes its header over the last
/// one's and sends.
#[derive(Debug, Clone)]
pub struct Encoded {
    bytes: [u8; HEADER + FRAME],
}

impl Default for Encoded {
    fn default() -> Self {
        Self { bytes: [0; HEADER + FRAME] }
    }
}

impl Encoded {
    /// Encodes a frame.
    pub fn encode(&mut self, law: Law, frame: &super::Frame) {
        law.encode(frame, &mut self.bytes[HEADER..]);
    }

    /// Silence.
    pub fn silence(&mut self, law: Law) {
        self.bytes[HEADER..].fill(law.silence());
    }
}

/// One leg's stream out.
#[derive(Debug, Clone)]
pub struct Egress {
    ssrc: u32,
    sequence: u16,
    /// Of the next sample to go out; goes on while nothing is sent.
    timestamp: u32,
    marker: bool,
    packets: u32,
    octets: u32,
    payload_type: u8,
    /// Samples per packet.
    length: usize,
    /// Samples waiting for the rest of a packet longer than a frame.
    pending: usize,
    /// Ticks whose audio went out before they came.
    early: u8,
    bytes: [u8; HEADER + LONGEST],
}

impl Egress {
    /// Begins with the setup's numbers; `ptime` is 10, 20, 30, 40 or 60 ms, anything else is taken as 20.
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32, payload_type: u8, ptime: u8) -> Self {
        Self {
            ssrc,
            sequence,
            timestamp,
            marker: true,
            packets: 0,
            octets: 0,
            payload_type,
            length: length(ptime),
            pending: 0,
            early: 0,
            bytes: [0; HEADER + LONGEST],
        }
    }

    /// Another payload type or packet length from now on.
    pub fn modify(&mut self, payload_type: u8, ptime: u8) {
        if (self.payload_type, self.length) != (payload_type, length(ptime)) {
            self.payload_type = payload_type;
            self.length = length(ptime);
            self.interrupt();
        }
    }

    /// Sends a frame, at once or when its packet is full.
    pub fn frame(&mut self, frame: &mut Encoded, mut send: impl FnMut(&[u8])) {
        if self.length == FRAME && self.pending == 0 {
            let header = self.header(self.timestamp, FRAME);
            write(&header, &mut frame.bytes);
            send(&frame.bytes);
        } else {
            let mut rest = &frame.bytes[HEADER..];
            let begun = self.timestamp.wrapping_sub(self.pending as u32);
            let mut at = begun;
            while !rest.is_empty() {
                let count = rest.len().min(self.length - self.pending);
                let (now, later) = rest.split_at(count);
                let from = HEADER + self.pending;
                self.bytes[from..from + count].copy_from_slice(now);
                self.pending += count;
                rest = later;
                if self.pending == self.length {
                    let header = self.header(at, self.length);
                    write(&header, &mut self.bytes);
                    send(&self.bytes[..HEADER + self.length]);
                    at = at.wrapping_add(self.length as u32);
                    self.pending = 0;
                }
            }
        }
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
    }

    /// Lets a frame's time pass unsent: a hold, or nowhere to send to.
    pub fn pause(&mut self) {
        self.interrupt();
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
    }

    /// Sends a telephone-event in place of a frame.
    pub fn event(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        event: TelephoneEvent,
        mut send: impl FnMut(&[u8]),
    ) {
        self.interrupt();
        let mut packet = [0; HEADER + TelephoneEvent::LENGTH];
        let header = Header { marker, payload_type, ..self.header(timestamp, TelephoneEvent::LENGTH) };
        write(&header, &mut packet);
        packet[HEADER..].copy_from_slice(&event.write());
        send(&packet);
        // The audio after the event begins anew.
        self.marker = true;
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
    }

    /// Sends what waits for the rest of its packet.
    pub fn flush(&mut self, mut send: impl FnMut(&[u8])) {
        if self.pending > 0 {
            let header = self.header(self.timestamp.wrapping_sub(self.pending as u32), self.pending);
            write(&header, &mut self.bytes);
            send(self.bytes.get(..HEADER + self.pending).unwrap_or(&[]));
            self.pending = 0;
        }
    }

    /// Sends a payload under our next number.
    pub fn payload(&mut self, timestamp: u32, payload: &[u8], send: impl FnMut(&[u8])) {
        let header = self.header(timestamp, 0);
        self.packet(&header, payload, send);
    }

    /// Sends a packet of another stream; its numbers are ours already.
    pub fn pass(&mut self, mut header: Header, payload: &[u8], send: impl FnMut(&[u8])) {
        header.ssrc = self.ssrc;
        header.marker |= std::mem::take(&mut self.marker);
        let next = header.sequence.wrapping_add(1);
        if next.wrapping_sub(self.sequence).cast_signed() > 0 {
            self.sequence = next;
        }
        self.packets = self.packets.wrapping_add(1);
        self.packet(&header, payload, send);
    }

    /// So many ticks will have nothing to send.
    pub fn wait(&mut self, ticks: u8) {
        self.early = ticks;
    }

    /// How many ticks still have nothing to send.
    pub fn early(&self) -> u8 {
        self.early
    }

    /// Whether a tick's audio went out before it came.
    pub fn take_early(&mut self) -> bool {
        let early = self.early > 0;
        self.early = self.early.saturating_sub(1);
        early
    }

    /// What comes next begins anew.
    pub fn interrupt(&mut self) {
        self.pending = 0;
        self.marker = true;
    }

    /// The next sequence number.
    pub fn sequence(&self) -> u16 {
        self.sequence
    }

    /// The payload type of audio.
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// Where the next sample lies.
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.timestamp = timestamp;
    }

    /// The timestamp of the next sample.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Packets and payload bytes sent, for sender reports.
    pub fn counters(&self) -> (u32, u32) {
        (self.packets, self.octets)
    }

    /// Our synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    fn packet(&mut self, header: &Header, payload: &[u8], mut send: impl FnMut(&[u8])) {
        let mut packet = [0; HEADER + LONGEST_PACKET];
        let Some(rest) = packet.get_mut(HEADER..HEADER + payload.len()) else { return };
        rest.copy_from_slice(payload);
        write(header, &mut packet);
        self.octets = self.octets.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        send(packet.get(..HEADER + payload.len()).unwrap_or(&[]));
    }

    fn header(&mut self, timestamp: u32, payload: usize) -> Header {
        let (sequence, marker) = (self.sequence, self.marker);
        self.sequence = sequence.wrapping_add(1);
        self.marker = false;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
        Header { marker, payload_type: self.payload_type, sequence, timestamp, ssrc: self.ssrc }
    }
}

fn write(header: &Header, packet: &mut [u8]) {
    if let Some(fixed) = packet.first_chunk_mut() {
        header.write(fixed);
    }
}

fn length(ptime: u8) -> usize {
    match ptime {
        10 | 30 | 40 | 60 => usize::from(ptime) * 8,
        _ => FRAME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtp::Packet;

    #[test]
    fn every_packet_length_carries_every_sample_once_and_in_order() {
        for ptime in [10, 20, 30, 40, 60] {
            let mut egress = Egress::new(1, 65_530, u32::MAX - 500, 0, ptime);
            let mut frame = Encoded::default();
            let (mut next, mut sequence, mut expected, mut first) = (0u8, 65_530u16, u32::MAX - 500, true);
            for tick in 0..12u8 {
                for (index, byte) in frame.bytes[HEADER..].iter_mut().enumerate() {
                    *byte = tick.wrapping_mul(160).wrapping_add(index as u8);
                }
                egress.frame(&mut frame, |bytes| {
                    let packet = Packet::parse(bytes).unwrap();
                    assert_eq!(packet.payload.len(), usize::from(ptime) * 8);
                    assert_eq!((packet.header.sequence, packet.header.timestamp), (sequence, expected));
                    assert_eq!(packet.header.marker, first);
                    for byte in packet.payload {
                        assert_eq!(*byte, next);
                        next = next.wrapping_add(1);
                    }
                    first = false;
                    sequence = sequence.wrapping_add(1);
                    expected = expected.wrapping_add(u32::from(ptime) * 8);
                });
            }
            assert_eq!(egress.counters().1, 12 * 160);
        }
    }
}
