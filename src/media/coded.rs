//! Buffer and decoder of a stream whose decoder has a memory: G.722 and Opus.
//!
//! ```text
//!   packets ──► by media time ──► decoded in order, just ahead of the play point ──► samples that wait ──► a frame
//! ```
//!
//! What is decoded cannot be decoded again, so samples wait here: as many as a frame takes, and a pitch period more
//! where it is to be shortened. Who is not heard is not decoded.

use super::conceal::{Conceal, LONGEST_PERIOD};
use super::jitter::Ring;
use super::noise::Noise;
use super::packets::Packets;
use super::timeline::{Placed, Timeline};
use super::{FRAME, LONGEST_PACKET, Rate, stretch};
use crate::wire::codec::{Codec, g722, opus};

const FRAME_I: i64 = FRAME as i64;

/// What the level of a voice counts as while packets are passed on undecoded.
const VOICE: u16 = 1000;

/// A G.722 stream quieter than this by its scales alone is not decoded to be measured. Higher: soft speech comes late.
const FAINT: u16 = 8;

/// Opus invents in pieces of 2.5 ms.
const PIECE: usize = 20;

/// Media time that Opus invents audibly; after it the decoder has faded out.
const AUDIBLE: usize = 800;

/// Media time of G.722 decoded to find the far end's state where packets were passed on undecoded: 50 ms.
const WARM_UP: usize = 400;

/// The buffer and decoder of one stream.
#[derive(Debug)]
pub struct Coded {
    pub(super) time: Timeline,
    pub(super) noise: Noise,
    decoder: Decoder,
    factor: usize,
    /// Decoded and not yet played.
    ahead: Box<[i16]>,
    held: usize,
    /// What was played last.
    before: Box<[i16]>,
    /// At which tick delay was last looked at, and what was found.
    looked: (i64, i64),
    /// Whether what is held was invented in part.
    invented: bool,
    /// Media time invented in a row.
    gap: usize,
}

#[derive(Debug)]
enum Decoder {
    G722 { ring: Box<Ring>, decoder: Box<g722::Decoder>, gauge: g722::Gauge, conceal: Conceal },
    Opus { packets: Packets, decoder: opus::Decoder },
}

impl Coded {
    /// Of a G.722 stream.
    pub fn g722() -> Self {
        let factor = Rate::Wide.factor();
        let decoder = Decoder::G722 {
            ring: Box::default(),
            decoder: Box::default(),
            gauge: g722::Gauge::default(),
            conceal: Conceal::new(factor),
        };
        Self::new(Codec::G722, decoder, (FRAME + 2 * LONGEST_PERIOD) * factor)
    }

    /// Of an Opus stream.
    pub fn opus() -> Self {
        let room = (FRAME + LONGEST_PERIOD) * Rate::Full.factor() + opus::LONGEST;
        let decoder = Decoder::Opus { packets: Packets::default(), decoder: opus::Decoder::default() };
        Self::new(Codec::Opus, decoder, room)
    }

    fn new(codec: Codec, decoder: Decoder, room: usize) -> Self {
        let factor = Rate::of(codec).factor();
        Self {
            time: Timeline::new(codec.clock_rate()),
            noise: Noise::default(),
            decoder,
            factor,
            ahead: vec![0; room].into(),
            held: 0,
            before: vec![0; LONGEST_PERIOD * factor].into(),
            looked: (i64::MIN, 0),
            invented: false,
            gap: 0,
        }
    }

    /// Begins anew with the next packet.
    pub fn reset(&mut self) {
        self.time.reset();
        self.held = 0;
        if let Decoder::Opus { packets, .. } = &mut self.decoder {
            packets.clear();
        }
    }

    /// The media time that a payload lasts, none for one that cannot be.
    pub fn duration(&self, payload: &[u8]) -> Option<i64> {
        match self.decoder {
            Decoder::G722 { .. } => i64::try_from(payload.len()).ok().filter(|length| *length <= LONGEST_PACKET as i64),
            Decoder::Opus { .. } => opus::duration(payload).map(|samples| i64::from(samples) / 6),
        }
    }

    /// Takes a packet that lasts `length`.
    pub fn insert(&mut self, timestamp: u32, length: i64, payload: &[u8], arrived: i64) -> Placed {
        let generation = self.time.generation();
        let placed = match &mut self.decoder {
            Decoder::G722 { ring, .. } => {
                self.time.insert(timestamp, length, arrived, |start, time| ring.keep(start, payload, time))
            }
            Decoder::Opus { packets, .. } => self.time.insert(timestamp, length, arrived, |start, time| {
                if time.generation() != generation {
                    packets.clear();
                }
                packets.insert(start, length, payload);
            }),
        };
        if self.time.generation() != generation {
            self.held = 0;
        }
        placed
    }

    /// How loud the next frame is, decoded where that is needed to know.
    pub fn level(&mut self, tick: i64) -> u16 {
        if !self.time.started() {
            return 0;
        }
        let play = self.time.play();
        if self.held == 0 && !self.time.is_there(play, 1) {
            return if self.time.is_silent(play) { self.noise.loudness() } else { 0 };
        }
        let glance = self.glance();
        if self.held == 0 && glance < FAINT {
            return glance;
        }
        self.fill(FRAME, tick);
        let frame = self.ahead.get(..FRAME * self.factor).unwrap_or(&[]);
        let sum: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        u16::try_from(sum / (FRAME * self.factor) as u64).unwrap_or(u16::MAX)
    }

    /// About how loud the next frame is, without decoding.
    pub fn glance(&mut self) -> u16 {
        let play = self.time.play();
        match &mut self.decoder {
            Decoder::G722 { ring, gauge, .. } => {
                if !self.time.is_there(play, FRAME_I) {
                    return 0;
                }
                let (first, second) = ring.slices(play, FRAME);
                let level = gauge.measure(first);
                if second.is_empty() { level } else { gauge.measure(second) }
            }
            Decoder::Opus { packets, .. } if self.held == 0 => match packets.at(play) {
                Some((.., packet)) if self.time.is_there(play, 1) && opus::voice(packet) => VOICE,
                Some((.., packet)) if self.time.is_there(play, 1) && opus::audible(packet) => FAINT,
                Some(_) | None => 0,
            },
            Decoder::Opus { .. } => FAINT,
        }
    }

    /// Plays the next frame; returns whether something audible had to be invented.
    pub fn take(&mut self, tick: i64, out: &mut [i16]) -> bool {
        if !self.time.started() {
            out.fill(0);
            return false;
        }
        self.fill(FRAME, tick);
        let wanted = self.looked.1;
        let invented = std::mem::take(&mut self.invented);
        let shift = if invented { 0 } else { self.scaled(wanted, tick, out) };
        if shift == 0 {
            let frame = self.ahead.get(..out.len()).unwrap_or(&[]);
            out.iter_mut().zip(frame).for_each(|(out, sample)| *out = *sample);
        }
        self.drop_held(usize::try_from(FRAME_I + shift).unwrap_or(0) * self.factor);
        self.note(out);
        invented
    }

    /// Steps over the next frame, which nobody hears.
    pub fn skip(&mut self, tick: i64) {
        if !self.time.started() {
            return;
        }
        let wanted = self.look(tick);
        let step = (FRAME_I + wanted.max(-FRAME_I)).max(0);
        let held = (self.held / self.factor) as i64;
        let from_held = held.min(step);
        self.drop_held(usize::try_from(from_held).unwrap_or(0) * self.factor);
        self.time.advance(step - from_held);
        self.invented = false;
    }

    /// Silence is played while a key is down.
    pub fn silent(&mut self, out: &mut [i16]) {
        out.fill(0);
        self.note(out);
        if let Decoder::G722 { conceal, .. } = &mut self.decoder {
            conceal.reset();
        }
    }

    /// Nobody heard what came before.
    pub fn forget(&mut self) {
        if let Decoder::G722 { conceal, .. } = &mut self.decoder
            && self.held == 0
        {
            conceal.reset();
        }
    }

    /// The far end hears on where packets were passed on: the decoder catches up.
    pub fn recall(&mut self) {
        if !self.time.started() {
            return;
        }
        let play = self.time.play();
        self.held = 0;
        let mut samples = [0; WARM_UP * 2];
        match &mut self.decoder {
            Decoder::G722 { ring, decoder, conceal, .. } => {
                let mut bytes = [0; WARM_UP];
                ring.read(play - WARM_UP as i64, &mut bytes);
                decoder.decode(&bytes, &mut samples);
                conceal.reset();
                conceal.heard(&mut samples);
            }
            Decoder::Opus { packets, decoder } => {
                if let Some((.., packet)) = packets.at(play - 1) {
                    // Into what waits, of which there is nothing now.
                    decoder.decode(packet, &mut self.ahead);
                }
            }
        }
    }

    /// What waits at a place: where it begins and ends, and its bytes, copied; a run of them where they can be cut.
    pub fn packet<'a>(&'a self, from: i64, bytes: &'a mut [u8; FRAME]) -> Option<(i64, i64, &'a [u8])> {
        let (start, end) = self.time.waiting(from)?;
        match &self.decoder {
            Decoder::G722 { ring, .. } => {
                let end = end.min(start + FRAME_I);
                let bytes = bytes.get_mut(..usize::try_from(end - start).ok()?)?;
                ring.read(start, bytes);
                Some((start, end, bytes))
            }
            Decoder::Opus { packets, .. } => {
                let (start, length, packet) = packets.at(start)?;
                Some((start, start + length, packet))
            }
        }
    }

    /// The G.722 state of what was decoded last.
    pub fn g722_state(&self) -> Option<&g722::Decoder> {
        match &self.decoder {
            Decoder::G722 { decoder, .. } => Some(decoder),
            Decoder::Opus { .. } => None,
        }
    }

    /// How much delay is to change, once a tick.
    fn look(&mut self, tick: i64) -> i64 {
        if self.looked.0 != tick {
            let play = self.time.play() - (self.held / self.factor) as i64;
            self.looked = (tick, self.time.wanted(tick, play));
        }
        self.looked.1
    }

    /// Decodes until so much media time is held; what is missing is invented.
    fn fill(&mut self, units: usize, tick: i64) {
        let wanted = self.look(tick);
        let mut stretched = 0;
        while self.held < units * self.factor {
            let at = self.time.play();
            let left = (units * self.factor - self.held).div_ceil(self.factor);
            if self.time.is_there(at, 1) && self.decode(at, left) {
                self.gap = 0;
                continue;
            }
            let run = (1..left).find(|more| self.time.is_there(at + *more as i64, 1)).unwrap_or(left);
            let run = match self.decoder {
                Decoder::G722 { .. } => run,
                Decoder::Opus { .. } => run.next_multiple_of(PIECE),
            };
            let silent = self.time.is_silent(at);
            let Some(room) = self.ahead.get_mut(self.held..self.held + run * self.factor) else { return };
            let mut more = 0;
            if silent {
                self.noise.fill(room);
                self.gap = 0;
            } else {
                let audible = match &mut self.decoder {
                    Decoder::G722 { conceal, .. } => conceal.fill(room),
                    Decoder::Opus { packets, decoder } => {
                        let next = packets.at(at + run as i64);
                        let next = next.filter(|(start, length, _)| (*start, *length) == (at + run as i64, run as i64));
                        let count = match next {
                            Some((.., packet)) => decoder.recover(packet, room),
                            None => decoder.conceal(room),
                        };
                        if let Some(rest) = room.get_mut(count..) {
                            rest.fill(0);
                        }
                        self.gap < AUDIBLE
                    }
                };
                self.invented |= audible;
                self.gap += run;
                // More delay is wanted: this gap grows, and what should fill it may yet come.
                more = (-wanted - stretched).clamp(0, run as i64);
                stretched += more;
            }
            self.held += run * self.factor;
            self.time.advance(run as i64 - more);
        }
    }

    /// Decodes what is there at a place; false where it cannot be.
    fn decode(&mut self, at: i64, left: usize) -> bool {
        match &mut self.decoder {
            Decoder::G722 { ring, decoder, conceal, .. } => {
                let run = (1..left).find(|more| !self.time.is_there(at + *more as i64, 1)).unwrap_or(left);
                let Some(room) = self.ahead.get_mut(self.held..self.held + run * self.factor) else { return false };
                let (first, second) = ring.slices(at, run);
                let (head, tail) = room.split_at_mut(first.len() * self.factor);
                decoder.decode(first, head);
                decoder.decode(second, tail);
                conceal.heard(room);
                self.held += room.len();
                self.time.advance(run as i64);
                true
            }
            Decoder::Opus { packets, decoder } => {
                let Some((start, length, packet)) = packets.at(at) else { return false };
                let Some(room) = self.ahead.get_mut(self.held..) else { return false };
                let count = decoder.decode(packet, room);
                // What of it was played before, stretched or late, is not played again.
                let skipped = usize::try_from(at - start).unwrap_or(0) * self.factor;
                if count <= skipped {
                    return false;
                }
                room.copy_within(skipped..count, 0);
                self.held += count - skipped;
                self.time.advance(start + length - at);
                true
            }
        }
    }

    /// Plays a frame shortened or stretched; returns by how much, 0 where it cannot.
    fn scaled(&mut self, wanted: i64, tick: i64, out: &mut [i16]) -> i64 {
        let most = stretch::most(wanted);
        if most == 0 {
            return 0;
        }
        let needed = FRAME + if wanted > 0 { most } else { 0 };
        let missing = needed.saturating_sub(self.held / self.factor);
        if missing > 0 {
            if !self.time.is_there(self.time.play(), missing as i64) {
                return 0;
            }
            self.fill(needed, tick);
        }
        let here = self.ahead.get(..needed * self.factor).unwrap_or(&[]);
        stretch::play(wanted, self.factor, &self.before, here, out)
    }

    fn drop_held(&mut self, samples: usize) {
        let samples = samples.min(self.held);
        self.ahead.copy_within(samples..self.held, 0);
        self.held -= samples;
    }

    /// Remembers what was played.
    fn note(&mut self, out: &[i16]) {
        let length = self.before.len();
        if let Some(last) = out.len().checked_sub(length).and_then(|from| out.get(from..)) {
            self.before.copy_from_slice(last);
        }
    }
}
