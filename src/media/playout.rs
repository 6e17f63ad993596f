//! What came from one far end, on its way to being heard: one buffer for each kind of codec.

use super::coded::Coded;
use super::jitter::JitterBuffer;
use super::noise::Noise;
use super::timeline::{Placed, Timeline};
use super::{FRAME, LONGEST_PACKET, SHORTEST_PACKET};
use crate::base::fetch::fetch;
use crate::wire::codec::{Codec, g722};

/// A stream's buffer and decoder.
#[derive(Debug)]
pub enum Playout {
    /// G.711: decoded by arithmetic, anywhere and at any time.
    Bytes(Box<JitterBuffer>),
    /// Anything whose decoder has a memory.
    Coded(Box<Coded>),
}

impl Playout {
    /// Of a stream of this codec.
    pub fn new(codec: Codec) -> Self {
        match (codec.law(), codec) {
            (Some(law), _) => Playout::Bytes(Box::new(JitterBuffer::new(law))),
            (None, Codec::Opus) => Playout::Coded(Box::new(Coded::opus())),
            (None, Codec::G722 | Codec::Pcmu | Codec::Pcma) => Playout::Coded(Box::new(Coded::g722())),
        }
    }

    /// Begins anew with another source.
    pub fn begin_anew(&mut self) {
        match self {
            Playout::Bytes(buffer) => buffer.time.reset(),
            Playout::Coded(buffer) => buffer.begin_anew(),
        }
    }

    /// Begins anew with the next packet: the end of a hold, another clock.
    pub fn reset(&mut self) {
        match self {
            Playout::Bytes(buffer) => buffer.time.reset(),
            Playout::Coded(buffer) => buffer.reset(),
        }
    }

    /// The media time that a payload lasts, none for one that cannot be.
    pub fn duration(&self, payload: &[u8]) -> Option<i64> {
        match self {
            Playout::Bytes(_) => {
                let length = Some(payload.len()).filter(|length| (SHORTEST_PACKET..=LONGEST_PACKET).contains(length));
                length.map(|length| length as i64)
            }
            Playout::Coded(buffer) => buffer.duration(payload),
        }
    }

    /// Takes a payload that lasts `length`; `arrived` and `tick` elsewhere are in media time on one clock.
    pub fn insert(&mut self, timestamp: u32, length: i64, payload: &[u8], arrived: i64) -> Placed {
        match self {
            Playout::Bytes(buffer) => buffer.insert(timestamp, payload, arrived),
            Playout::Coded(buffer) => buffer.insert(timestamp, length, payload, arrived),
        }
    }

    /// From this timestamp on, absence means comfort noise of that description, or silence, until audio comes again.
    pub fn insert_silence(&mut self, timestamp: u32, noise: Option<&[u8]>) {
        let (time, own) = self.parts();
        time.insert_silence(timestamp);
        own.set(noise);
    }

    /// How loud the next frame is; `glance` where nobody is to hear it, and about will do.
    pub fn level(&mut self, tick: i64, glance: bool) -> u16 {
        match self {
            Playout::Bytes(buffer) => buffer.level(),
            Playout::Coded(buffer) if glance => buffer.glance(),
            Playout::Coded(buffer) => buffer.level(tick),
        }
    }

    /// Steps over the next frame, which nobody hears.
    pub fn skip(&mut self, tick: i64) {
        match self {
            Playout::Bytes(buffer) => buffer.time.skip(tick),
            Playout::Coded(buffer) => buffer.skip(tick),
        }
    }

    /// Plays the next frame at the codec's rate; returns whether something audible had to be invented.
    pub fn take(&mut self, tick: i64, out: &mut [i16]) -> bool {
        match self {
            Playout::Bytes(buffer) => buffer.take(tick, out),
            Playout::Coded(buffer) => buffer.take(tick, out),
        }
    }

    /// Plays silence over the next frame.
    pub fn silent(&mut self, tick: i64, out: &mut [i16]) {
        self.skip(tick);
        match self {
            Playout::Bytes(buffer) => buffer.silent(out),
            Playout::Coded(buffer) => buffer.silent(out),
        }
    }

    /// Nobody heard what came before: gaps are not filled from it.
    pub fn forget(&mut self) {
        match self {
            Playout::Bytes(buffer) => buffer.forget(),
            Playout::Coded(buffer) => buffer.forget(),
        }
    }

    /// The far end hears on, in the middle of a word, where packets were passed on up to `end`. Returns the state of what decoded them there.
    pub fn recall(&mut self, end: Option<i64>) -> Option<g722::Decoder> {
        match self {
            Playout::Bytes(buffer) => {
                buffer.recall();
                None
            }
            Playout::Coded(buffer) => buffer.recall(end),
        }
    }

    /// So much of its time has passed in which we stood still; where nobody hears it.
    pub fn lapse(&mut self, by: i64) {
        match self {
            Playout::Bytes(buffer) => buffer.time.lapse(by),
            Playout::Coded(buffer) => buffer.lapse(by),
        }
    }

    /// Moves the play point, where nobody hears it.
    pub fn step(&mut self, by: i64) {
        self.parts().0.step(by);
    }

    /// What waits at a place or after it: where it begins and ends, and its bytes; `bytes` is room for a copy.
    pub fn packet<'a>(&'a self, from: i64, bytes: &'a mut [u8; FRAME]) -> Option<(i64, i64, &'a [u8])> {
        match self {
            Playout::Bytes(buffer) => {
                let (start, end) = buffer.time.waiting(from)?;
                let end = end.min(start + FRAME as i64);
                let bytes = bytes.get_mut(..usize::try_from(end - start).ok()?)?;
                buffer.read(start, bytes);
                Some((start, end, bytes))
            }
            Playout::Coded(buffer) => buffer.packet(from, bytes),
        }
    }

    /// Asks the processor for what the next packet and the next frame need.
    pub fn fetch(&self) {
        match self {
            Playout::Bytes(buffer) => buffer.fetch(),
            Playout::Coded(buffer) => fetch(&**buffer),
        }
    }

    /// Asks it for what that points to, also for what a voice needs that is heard; to be called once that is there.
    pub fn fetch_places(&self, voiced: bool) {
        match self {
            Playout::Bytes(buffer) => buffer.fetch_places(voiced),
            Playout::Coded(buffer) => buffer.time.fetch_places(),
        }
    }

    /// Where it is in time.
    pub fn time(&self) -> &Timeline {
        match self {
            Playout::Bytes(buffer) => &buffer.time,
            Playout::Coded(buffer) => &buffer.time,
        }
    }

    fn parts(&mut self) -> (&mut Timeline, &mut Noise) {
        match self {
            Playout::Bytes(buffer) => (&mut buffer.time, &mut buffer.noise),
            Playout::Coded(buffer) => (&mut buffer.time, &mut buffer.noise),
        }
    }
}
