//! Buffer and decoder of a stream whose decoder has a memory: G.722 and Opus.
//!
//! ```text
//!   packets ──► by media time ──► decoded in order, just ahead of the play point ──► samples that wait ──► a frame
//! ```
//!
//! What is decoded cannot be decoded again, so samples wait here: as many as a frame takes, and a pitch period more
//! where it is to be shortened. Who is not heard is not decoded.
//!
//! Opus could fill gaps itself, but a decoder that did has to go on from what it invented, also where the packet was only
//! late. So gaps are filled as for other codecs, and the decoder hears of a loss when the next packet shows that it was one: from
//! that packet's copy of the lost one, where it has one. If that comes in time the copy is played.

use super::conceal::{Conceal, LONGEST_PERIOD};
use super::jitter::Ring;
use super::noise::Noise;
use super::packets::Packets;
use super::timeline::{HELD, Placed, Timeline};
use super::{FRAME, LONGEST_PACKET, Rate, SHORTEST_PACKET, stretch};
use crate::wire::codec::{Codec, g722, opus};

const FRAME_I: i64 = FRAME as i64;

/// What the level of a voice counts as while packets are passed on undecoded.
const VOICE: u16 = 1000;

/// A G.722 stream quieter than this by its scales alone is not decoded to be measured. Higher: soft speech comes late.
const FAINT: u16 = 8;

/// Opus invents in pieces of 2.5 ms.
const PIECE: i64 = 20;

/// A packet of Opus that its encoder calls no voice is a pause where its mean magnitude is this at most (−36 dBov), and no tone.
/// Higher: lost music is filled with noise. Lower: a loud room falls dead between two packets of a pause.
const PAUSE: u16 = 500;

/// Media time for which the noise of a pause goes on without a packet: 1 s. Encoders describe it anew each 0.4 s.
const PAUSED: i64 = 8000;

/// Most media time of a gap that a decoder of Opus is told of: 60 ms. More: work for what has faded out.
const TOLD: i64 = 480;

/// How much each lost packet of Opus counts beside one that came, and from which sum on a frame of delay is worth it, so that
/// copies come in time: at about one loss in fifty packets. Later: gaps are heard. Sooner: delay for nothing.
const LOSS: u32 = 50;
const LOSSY: u32 = 150;
/// Most of it: 13 s after the last loss the delay is given back.
const LOSSIEST: u32 = 650;

/// Media time of G.722 decoded to find the far end's state where packets were passed on undecoded, or silence was passed over: 240 ms. More: work at each
/// first word. Less: the first sound of a word is too soft, after 100 ms by a sixth; where the mix takes over in the middle of one, twice as loud.
const SETTLED: i64 = 1920;

/// What of it gaps are filled from: 50 ms.
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
}

#[derive(Debug)]
enum Decoder {
    /// `passed`: so much media time that came lies undecoded before what is next.
    G722 {
        ring: Box<Ring>,
        decoder: Box<g722::Decoder>,
        gauge: g722::Gauge,
        conceal: Conceal,
        passed: i64,
    },
    Opus(Box<Opus>),
}

#[derive(Debug)]
struct Opus {
    packets: Packets,
    decoder: opus::Decoder,
    conceal: Conceal,
    /// Up to which media time the decoder knows what was.
    told: i64,
    /// Length of the last packet.
    length: i64,
    /// The last packet was of a pause, in which a far end may send nothing (DTX): the decoder makes noise like it.
    faint: bool,
    /// How loud that is, and where the last packet ended.
    room: u16,
    ended: i64,
    /// Losses of late.
    losses: u32,
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
            passed: 0,
        };
        Self::new(Codec::G722, decoder, (FRAME + 2 * LONGEST_PERIOD) * factor)
    }

    /// Of an Opus stream.
    pub fn opus() -> Self {
        let room = (FRAME + LONGEST_PERIOD) * Rate::Full.factor() + opus::LONGEST;
        let opus = Opus {
            packets: Packets::default(),
            decoder: opus::Decoder::default(),
            conceal: Conceal::new(Rate::Full.factor()),
            told: 0,
            length: FRAME_I,
            faint: false,
            room: 0,
            ended: 0,
            losses: 0,
        };
        Self::new(Codec::Opus, Decoder::Opus(Box::new(opus)), room)
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
        }
    }

    /// Begins anew with the next packet.
    pub fn reset(&mut self) {
        self.time.reset();
        self.held = 0;
        if let Decoder::Opus(opus) = &mut self.decoder {
            opus.packets.clear();
            (opus.told, opus.faint) = (0, false);
        }
    }

    /// Begins anew with another source, whose encoder knows nothing of what this decoder heard: its loud beginning would be louder still.
    pub fn begin_anew(&mut self) {
        self.reset();
        if let Decoder::G722 { decoder, gauge, passed, .. } = &mut self.decoder {
            *passed = 0;
            **decoder = g722::Decoder::default();
            *gauge = g722::Gauge::default();
        }
    }

    /// The media time that a payload lasts, none for one that cannot be.
    pub fn duration(&self, payload: &[u8]) -> Option<i64> {
        match self.decoder {
            Decoder::G722 { .. } => {
                let length = Some(payload.len()).filter(|length| (SHORTEST_PACKET..=LONGEST_PACKET).contains(length));
                length.map(|length| length as i64)
            }
            Decoder::Opus(_) => opus::duration(payload).map(|samples| i64::from(samples) / 6),
        }
    }

    /// Takes a packet that lasts `length`.
    pub fn insert(&mut self, timestamp: u32, length: i64, payload: &[u8], arrived: i64) -> Placed {
        let generation = self.time.generation();
        let placed = match &mut self.decoder {
            Decoder::G722 { ring, .. } => {
                self.time.insert(timestamp, length, arrived, |start, time| ring.keep(start, payload, time))
            }
            Decoder::Opus(opus) => self.time.insert(timestamp, length, arrived, |start, time| {
                if time.generation() != generation {
                    opus.packets.clear();
                    opus.told = 0;
                }
                opus.packets.insert(start, length, payload);
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
            return match &self.decoder {
                _ if self.time.is_silent(play) => self.noise.loudness(),
                Decoder::Opus(opus) if opus.pauses(play) => opus.room,
                Decoder::Opus(_) | Decoder::G722 { .. } => 0,
            };
        }
        let glance = self.glance();
        if self.held == 0 && glance < FAINT {
            return glance;
        }
        self.fill(FRAME, tick);
        let frame = self.ahead.get(..FRAME * self.factor).unwrap_or(&[]);
        mean(frame)
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
            Decoder::Opus(opus) if self.held == 0 => match opus.packets.at(play) {
                Some((.., packet)) if self.time.is_there(play, 1) && opus::voice(packet) => VOICE,
                Some((.., packet)) if self.time.is_there(play, 1) && opus::audible(packet) => FAINT,
                Some(_) | None => 0,
            },
            Decoder::Opus(_) => FAINT,
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
        if let Decoder::G722 { passed, .. } = &mut self.decoder {
            let came = from_held == 0 && self.time.is_there(self.time.play(), step);
            *passed = if came { (*passed + step).min(SETTLED) } else { 0 };
        }
        self.drop_held(usize::try_from(from_held).unwrap_or(0) * self.factor);
        self.time.advance(step - from_held);
        self.invented = false;
    }

    /// So much of its time has passed in which we stood still.
    pub fn lapse(&mut self, by: i64) {
        let held = (self.held / self.factor) as i64;
        (self.held, self.invented) = (0, false);
        if let Decoder::G722 { passed, .. } = &mut self.decoder {
            *passed = 0;
        }
        self.time.lapse((by - held).max(0));
    }

    /// Silence is played while a key is down.
    pub fn silent(&mut self, out: &mut [i16]) {
        out.fill(0);
        self.note(out);
        self.conceal().reset();
    }

    /// Nobody heard what came before.
    pub fn forget(&mut self) {
        if self.held == 0 {
            self.conceal().reset();
        }
    }

    /// The far end hears on where packets were passed on up to `end`: the decoder catches up. Returns the state of G.722's there, which is that of the
    /// far end's.
    pub fn recall(&mut self, end: Option<i64>) -> Option<g722::Decoder> {
        if !self.time.started() {
            return None;
        }
        let play = self.time.play();
        self.held = 0;
        match &mut self.decoder {
            Decoder::G722 { ring, decoder, conceal, passed, .. } => {
                let (mut bytes, mut samples) = ([0; WARM_UP], [0; WARM_UP * 2]);
                let end = end.unwrap_or(play);
                // Beyond what was passed on nothing came.
                let from = play.min(end);
                // Where much waits, the ring has less of what was before.
                let kept = play + self.time.ahead() - HELD as i64;
                let warm = (from - WARM_UP as i64).max(kept).min(from);
                let first = (from - SETTLED).max(kept).min(warm);
                pass_over(ring, decoder, first, warm);
                let length = usize::try_from(from - warm).unwrap_or(0).min(WARM_UP);
                let bytes = bytes.get_mut(..length).unwrap_or_default();
                let samples = samples.get_mut(..2 * length).unwrap_or_default();
                ring.read(warm, bytes);
                decoder.decode(bytes, samples);
                *passed = 0;
                conceal.reset();
                conceal.heard(samples);
                // What went out early it has heard already.
                let mut far = (**decoder).clone();
                pass_over(ring, &mut far, from, end);
                Some(far)
            }
            Decoder::Opus(opus) => {
                if let Some((start, length, packet)) = opus.packets.at(play - 1) {
                    // Into what waits, of which there is nothing now.
                    let count = opus.decoder.decode(packet, &mut self.ahead);
                    opus.told = start + length;
                    opus.conceal.reset();
                    opus.conceal.heard(self.ahead.get_mut(..count).unwrap_or(&mut []));
                }
                None
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
            Decoder::Opus(opus) => {
                let (start, length, packet) = opus.packets.at(start)?;
                Some((start, start + length, packet))
            }
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
                continue;
            }
            let silent = self.time.is_silent(at);
            if !silent && self.recover(at) {
                continue;
            }
            let run = (1..left).find(|more| self.time.is_there(at + *more as i64, 1)).unwrap_or(left);
            let run = match &self.decoder {
                Decoder::Opus(opus) if opus.pauses(at) => run.next_multiple_of(PIECE as usize),
                Decoder::Opus(_) | Decoder::G722 { .. } => run,
            };
            let Some(room) = self.ahead.get_mut(self.held..self.held + run * self.factor) else { return };
            let mut more = 0;
            if silent {
                self.noise.fill(room);
            } else {
                self.invented |= match &mut self.decoder {
                    Decoder::G722 { conceal, .. } => conceal.fill(room),
                    Decoder::Opus(opus) => opus.invent(at, run as i64, room),
                };
                // More delay is wanted: this gap grows, and what should fill it may yet come.
                more = (-wanted - stretched).clamp(0, run as i64);
                stretched += more;
            }
            self.held += run * self.factor;
            self.time.advance(run as i64 - more);
        }
        if stretched > 0 {
            self.time.delay_next();
        }
    }

    /// Plays the copy of a lost packet that the next one carries, where that has come.
    fn recover(&mut self, at: i64) -> bool {
        let Decoder::Opus(opus) = &mut self.decoder else { return false };
        if opus.told != at {
            return false;
        }
        let length = opus.length;
        let Some((start, next, packet)) = opus.packets.at(at + length) else { return false };
        let Some(room) = self.ahead.get_mut(self.held..self.held + usize::try_from(length).unwrap_or(0) * self.factor)
        else {
            return false;
        };
        let fits = (start, next) == (at + length, length) && self.time.is_there(start, 1);
        if !fits || !opus::has_copy(packet) || opus.decoder.recover(packet, room) != room.len() {
            return false;
        }
        opus.told = start;
        opus.losses = (opus.losses + LOSS).min(LOSSIEST);
        opus.conceal.heard(room);
        self.held += room.len();
        self.time.advance(length);
        true
    }

    /// Decodes what is there at a place; false where it cannot be.
    fn decode(&mut self, at: i64, left: usize) -> bool {
        let delayed = self.time.take_delayed();
        let count = match &mut self.decoder {
            Decoder::G722 { ring, decoder, passed, .. } => {
                if *passed > 0 {
                    // A far end's silence moves its state as well: without it the first sound is a whisper.
                    // What lies far behind has made room for what waits.
                    let passed = std::mem::take(passed).min(HELD as i64 - self.time.ahead()).max(0);
                    pass_over(ring, decoder, at - passed, at);
                }
                let run = (1..left).find(|more| !self.time.is_there(at + *more as i64, 1)).unwrap_or(left);
                let Some(room) = self.ahead.get_mut(self.held..self.held + run * self.factor) else { return false };
                let (first, second) = ring.slices(at, run);
                let (head, tail) = room.split_at_mut(first.len() * self.factor);
                decoder.decode(first, head);
                decoder.decode(second, tail);
                self.time.advance(run as i64);
                room.len()
            }
            Decoder::Opus(opus) => {
                let Some(room) = self.ahead.get_mut(self.held..) else { return false };
                let Some((start, length, count)) = opus.decode(at, room) else { return false };
                // What of it was played before, stretched or late, is not played again.
                let skipped = usize::try_from(at - start).unwrap_or(0) * self.factor;
                if count <= skipped {
                    return false;
                }
                room.copy_within(skipped..count, 0);
                self.time.reserve(if opus.losses >= LOSSY { FRAME_I } else { 0 });
                self.time.advance(start + length - at);
                count - skipped
            }
        };
        let (held, factor) = (self.held, self.factor);
        let Self { decoder, ahead, .. } = self;
        let conceal = match decoder {
            Decoder::G722 { conceal, .. } => conceal,
            Decoder::Opus(opus) => &mut opus.conceal,
        };
        let wait = match ahead.get(held..held + count) {
            Some(room) if delayed => conceal.wait(room) * factor,
            _ => 0,
        };
        let wait = if held + wait + count <= ahead.len() { wait } else { 0 };
        if wait > 0 {
            ahead.copy_within(held..held + count, held + wait);
            conceal.fill(ahead.get_mut(held..held + wait).unwrap_or(&mut []));
        }
        conceal.heard(ahead.get_mut(held + wait..held + wait + count).unwrap_or(&mut []));
        self.held += wait + count;
        true
    }

    fn conceal(&mut self) -> &mut Conceal {
        match &mut self.decoder {
            Decoder::G722 { conceal, .. } => conceal,
            Decoder::Opus(opus) => &mut opus.conceal,
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
impl Opus {
    /// Decodes the packet that covers a place: where it begins, how long it lasts, how many samples it had.
    fn decode(&mut self, at: i64, room: &mut [i16]) -> Option<(i64, i64, usize)> {
        let (start, length, packet) = self.packets.at(at)?;
        let gap = (start - self.told).min(TOLD) / PIECE * PIECE;
        if gap > 0 && self.told > 0 {
            // Nobody hears this: what follows is written over it.
            let told = usize::try_from(gap).ok().and_then(|gap| room.get_mut(..gap * Rate::Full.factor()));
            if let Some(told) = told {
                self.decoder.recover(packet, told);
            }
            if self.conceal.is_filling() && opus::has_copy(packet) {
                self.losses = (self.losses + LOSS).min(LOSSIEST);
            }
        }
        let count = self.decoder.decode(packet, room);
        self.told = start + length;
        self.length = length;
        self.room = mean(room.get(..count).unwrap_or(&[]));
        self.faint = !opus::audible(packet) || !opus::voice(packet) && self.room <= PAUSE;
        self.ended = self.told;
        self.losses = self.losses.saturating_sub(1);
        Some((start, length, count))
    }

    /// Whether nothing is missing at a place where nothing came: the last packet was of a pause.
    fn pauses(&self, at: i64) -> bool {
        self.faint && at - self.ended < PAUSED
    }

    /// Fills a gap; returns whether with more than silence.
    fn invent(&mut self, at: i64, length: i64, room: &mut [i16]) -> bool {
        if self.pauses(at) && length % PIECE == 0 {
            let count = self.decoder.conceal(room);
            self.told = at + length;
            room.get_mut(count..).unwrap_or(&mut []).fill(0);
            self.conceal.heard(room);
            return false;
        }
        self.conceal.fill(room)
    }
}

/// Decodes what nobody hears, for the decoder's state.
fn pass_over(ring: &Ring, decoder: &mut g722::Decoder, from: i64, until: i64) {
    for at in (from..until).step_by(FRAME) {
        let (mut bytes, mut samples) = ([0; FRAME], [0; FRAME * 2]);
        let length = usize::try_from(until - at).unwrap_or(0).min(FRAME);
        let bytes = bytes.get_mut(..length).unwrap_or(&mut []);
        ring.read(at, bytes);
        decoder.decode(bytes, &mut samples);
    }
}

/// The mean magnitude.
fn mean(samples: &[i16]) -> u16 {
    let sum: u64 = samples.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
    u16::try_from(sum / samples.len().max(1) as u64).unwrap_or(u16::MAX)
}
