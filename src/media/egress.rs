//! A leg's outgoing stream: sequence numbers, timestamps, packets of the negotiated length.

use super::encoder::Encoder;
use super::{FRAME, LONGEST_PAYLOAD};
use crate::wire::codec::Codec;
use crate::wire::codec::g711::Law;
use crate::wire::rtp::{Header, TelephoneEvent};

const HEADER: usize = Header::LENGTH;

/// Longest packet sent: 60 ms.
const LONGEST: usize = 480;

/// Longest payload of one frame. Opus keeps to it; it would take 192 kbit/s to need more.
const ENCODED: usize = 480;

/// An encoded frame behind room for a header. All who hear the same share one: each writes its header over the last
/// one's and sends.
#[derive(Debug, Clone)]
pub struct Encoded {
    bytes: [u8; HEADER + ENCODED],
    length: usize,
}

impl Default for Encoded {
    fn default() -> Self {
        Self { bytes: [0; HEADER + ENCODED], length: 0 }
    }
}

impl Encoded {
    /// Encodes a frame at the encoder's rate.
    pub fn encode(&mut self, encoder: &mut Encoder, frame: &[i16]) {
        self.length = encoder.encode(frame, &mut self.bytes[HEADER..]);
    }

    /// Silence.
    pub fn silence(&mut self, law: Law) {
        self.length = FRAME;
        self.bytes[HEADER..].fill(law.silence());
    }

    fn payload(&self) -> &[u8] {
        self.bytes.get(HEADER..HEADER + self.length).unwrap_or(&[])
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
    /// Numbers that no packet had.
    left_out: u32,
    payload_type: u8,
    /// Timestamp units per 1/8000 s.
    clock: u32,
    /// Media time, and bytes, per packet; none where a frame is a packet.
    length: Option<usize>,
    /// Bytes waiting for the rest of a packet longer than a frame.
    pending: usize,
    /// Ticks whose audio went out before they came.
    early: u8,
    /// Room for such a packet; none where there are none.
    bytes: Box<[u8]>,
}

impl Egress {
    /// Begins with the setup's numbers; `ptime` is 10, 20, 30, 40 or 60 ms, anything else is taken as 20.
    pub fn new(ssrc: u32, sequence: u16, timestamp: u32, codec: Codec, payload_type: u8, ptime: u8) -> Self {
        Self {
            ssrc,
            sequence,
            timestamp,
            marker: true,
            packets: 0,
            octets: 0,
            left_out: 0,
            payload_type,
            clock: clock(codec),
            length: length(codec, ptime),
            pending: 0,
            early: 0,
            bytes: room(length(codec, ptime)),
        }
    }

    /// Another codec, payload type or packet length from now on.
    pub fn modify(&mut self, codec: Codec, payload_type: u8, ptime: u8) {
        let new = (payload_type, clock(codec), length(codec, ptime));
        if (self.payload_type, self.clock, self.length) != new {
            (self.payload_type, self.clock, self.length) = new;
            self.bytes = room(self.length);
            self.interrupt();
        }
    }

    /// Sends a frame, at once or when its packet is full.
    pub fn frame(&mut self, frame: &mut Encoded, mut send: impl FnMut(&[u8])) {
        match self.length {
            _ if frame.length == 0 => return self.pause(),
            Some(length) if length != FRAME || self.pending > 0 => self.pack(length, frame, send),
            Some(_) | None => {
                let header = self.header(self.timestamp, frame.length);
                write(&header, &mut frame.bytes);
                send(frame.bytes.get(..HEADER + frame.length).unwrap_or(&[]));
            }
        }
        self.pass_tick();
    }

    /// Sends what is full of packets of another length than a frame's.
    fn pack(&mut self, length: usize, frame: &Encoded, mut send: impl FnMut(&[u8])) {
        let mut rest = frame.payload();
        let mut at = self.timestamp.wrapping_sub(self.pending as u32 * self.clock);
        while !rest.is_empty() {
            let count = rest.len().min(length - self.pending);
            let (now, later) = rest.split_at(count);
            let from = HEADER + self.pending;
            self.bytes[from..from + count].copy_from_slice(now);
            self.pending += count;
            rest = later;
            if self.pending == length {
                let header = self.header(at, length);
                write(&header, &mut self.bytes);
                send(&self.bytes[..HEADER + length]);
                at = at.wrapping_add(length as u32 * self.clock);
                self.pending = 0;
            }
        }
    }

    /// Lets a frame's time pass unsent: a hold, or nowhere to send to.
    pub fn pause(&mut self) {
        self.interrupt();
        self.pass_tick();
    }

    /// Lets the time of so many frames pass, which nobody had the time to send.
    pub fn lapse(&mut self, frames: u32) {
        // What went out before its time is not missing.
        let early = u8::try_from(frames).unwrap_or(u8::MAX).min(self.early);
        self.early -= early;
        let frames = frames - u32::from(early);
        if frames == 0 {
            return;
        }
        self.interrupt();
        self.timestamp = self.timestamp.wrapping_add(frames.wrapping_mul(FRAME as u32 * self.clock));
    }

    /// Timestamp units per 1/8000 s.
    pub fn clock(&self) -> u32 {
        self.clock
    }

    /// Sends a packet of another kind in place of a frame, such as comfort noise.
    pub fn other(&mut self, payload_type: u8, payload: &[u8], send: impl FnMut(&[u8])) {
        self.interrupt();
        let header = Header { marker: false, payload_type, ..self.header(self.timestamp, 0) };
        self.packet(&header, payload, send);
        // The audio after it begins anew.
        self.marker = true;
        self.pass_tick();
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
        self.pass_tick();
    }

    /// Sends what waits for the rest of its packet.
    pub fn flush(&mut self, mut send: impl FnMut(&[u8])) {
        if self.pending > 0 {
            let header = self.header(self.timestamp.wrapping_sub(self.pending as u32 * self.clock), self.pending);
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
        let ahead = next.wrapping_sub(self.sequence).cast_signed();
        if ahead > 0 {
            self.sequence = next;
            self.left_out = self.left_out.wrapping_add(u32::from(ahead.unsigned_abs()) - 1);
        } else {
            // Late: its number had been left out.
            self.left_out = self.left_out.saturating_sub(1);
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

    /// Numbers that no packet had, because the one that was to be passed on under it never came to us.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Our synchronisation source.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    fn pass_tick(&mut self) {
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32 * self.clock);
    }

    fn packet(&mut self, header: &Header, payload: &[u8], mut send: impl FnMut(&[u8])) {
        let mut packet = [0; HEADER + LONGEST_PAYLOAD];
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

fn length(codec: Codec, ptime: u8) -> Option<usize> {
    match (codec, ptime) {
        (Codec::Opus, _) => None,
        (_, 10 | 30 | 40 | 60) => Some(usize::from(ptime) * 8),
        (_, _) => Some(FRAME),
    }
}

/// Room for packets of another length than a frame's.
fn room(length: Option<usize>) -> Box<[u8]> {
    match length {
        Some(length) if length != FRAME => vec![0; HEADER + LONGEST].into(),
        Some(_) | None => Box::default(),
    }
}

fn clock(codec: Codec) -> u32 {
    codec.clock_rate() / 8000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtp::Packet;

    #[test]
    fn numbers_that_never_came_to_be_passed_on_are_counted_until_they_come() {
        let mut egress = Egress::new(1, 65_534, 0, Codec::Pcmu, 0, 20);
        let mut pass = |sequence: u16| {
            let header = Header { marker: false, payload_type: 0, sequence, timestamp: 0, ssrc: 9 };
            egress.pass(header, &[0; 160], |_| {});
            egress.left_out()
        };
        assert_eq!([65_534, 65_535, 2, 4, 3, 1, 5].map(&mut pass), [0, 0, 2, 3, 2, 1, 1]);
    }

    #[test]
    fn every_packet_length_carries_every_sample_once_and_in_order() {
        for ptime in [10, 20, 30, 40, 60] {
            let mut egress = Egress::new(1, 65_530, u32::MAX - 500, Codec::Pcmu, 0, ptime);
            let mut frame = Encoded::default();
            frame.silence(Law::Mu);
            let (mut next, mut sequence, mut expected, mut first) = (0u8, 65_530u16, u32::MAX - 500, true);
            for tick in 0..12u8 {
                for (index, byte) in frame.bytes[HEADER..HEADER + FRAME].iter_mut().enumerate() {
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
