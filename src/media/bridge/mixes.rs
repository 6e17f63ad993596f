//! Who is heard, at every rate at which somebody listens.
//!
//! A frame is resampled once for each rate, not once for each listener: sums and differences may be taken at any rate,
//! since resampling a sum is the sum of what is resampled.

use crate::base::ParticipantId;
use crate::base::fetch::fetch;
use crate::media::audience::{self, Audience};
use crate::media::egress::Encoded;
use crate::media::resample::Resampler;
use crate::media::{FRAME, Rate, mix};

/// Room to mix in: of one tick, so that all rooms of a thread share it, and find it in the processor's caches.
pub struct Desk {
    /// By rate: of each voice a frame, one after the other, and their sum.
    frames: [Box<[i16]>; 3],
    totals: [Box<[i32]>; 3],
    sum: Box<[i32]>,
    frame: Box<[i16]>,
    /// What one leg alone hears.
    pub(super) own: Encoded,
}

impl Desk {
    /// For rooms that decode at most so many voices.
    pub(super) fn new(voices: usize) -> Self {
        Self {
            frames: Rate::ALL.map(|rate| vec![0; rate.samples() * voices].into()),
            totals: Rate::ALL.map(|rate| vec![0; rate.samples()].into()),
            sum: vec![0; Rate::MOST].into(),
            frame: vec![0; Rate::MOST].into(),
            own: Encoded::default(),
        }
    }
}

/// The voices of one tick at one rate; between ticks without room for them.
// In this order, so that a tick without tones needs the memory of its beginning alone.
#[repr(C)]
pub(super) struct Mix {
    rate: Rate,
    /// One frame after the other.
    frames: Box<[i16]>,
    total: Box<[i32]>,
    tones: Resampler,
}

/// The voices of one tick at every rate that is listened to.
pub(super) struct Mixes {
    mixes: [Option<Box<Mix>>; 3],
    owners: Box<[Option<Owner>]>,
    count: usize,
    /// The totals of this tick have been begun, with silence or a voice; else they are anything.
    begun: bool,
    /// Room to add up in, and for what came of it.
    sum: Box<[i32]>,
    frame: Box<[i16]>,
}

/// Whose a voice is, and whom it is meant for.
#[derive(Clone, Copy)]
pub(super) struct Owner {
    pub(super) participant: ParticipantId,
    pub(super) audience: Option<Audience>,
}

impl Owner {
    /// How loud it is in what everybody hears.
    fn common(&self) -> i32 {
        self.audience.map_or(audience::FULL, |audience| audience.others())
    }

    /// How loud one person hears it.
    fn gain(&self, listener: ParticipantId) -> i32 {
        match self.audience {
            _ if self.participant == listener => 0,
            None => audience::FULL,
            Some(audience) => audience.gain(listener),
        }
    }
}

/// From one rate to the others that are listened to.
#[derive(Default)]
pub(super) struct Resamplers([Option<Box<Resampler>>; 3]);

impl Resamplers {
    /// For a voice at `rate`, where these are listened to.
    pub(super) fn prepare(&mut self, rate: Rate, mixes: &Mixes) {
        for to in Rate::ALL {
            let needed = to != rate && mixes.of(to).is_some();
            if let Some(resampler) = self.0.get_mut(to.index()) {
                match resampler {
                    Some(kept) if needed && kept.from() == rate => {}
                    _ => *resampler = needed.then(|| Box::new(Resampler::new(rate, to))),
                }
            }
        }
    }

    /// Nobody heard what came before.
    pub(super) fn reset(&mut self) {
        self.0.iter_mut().flatten().for_each(|resampler| resampler.reset());
    }
}

impl Mixes {
    /// For so many voices, listened to by nobody yet.
    pub(super) fn new(voices: usize) -> Self {
        Self {
            mixes: [None, None, None],
            owners: vec![None; voices].into(),
            count: 0,
            begun: false,
            sum: Box::default(),
            frame: Box::default(),
        }
    }

    /// For so many voices, before a tick.
    pub(super) fn make_room(&mut self, voices: usize) {
        self.count = 0;
        self.owners = vec![None; voices].into();
    }

    /// Takes a desk's room, or gives it back.
    pub(super) fn exchange(&mut self, desk: &mut Desk) {
        std::mem::swap(&mut self.sum, &mut desk.sum);
        std::mem::swap(&mut self.frame, &mut desk.frame);
        for (mix, (frames, total)) in self.mixes.iter_mut().zip(desk.frames.iter_mut().zip(&mut desk.totals)) {
            if let Some(mix) = mix {
                std::mem::swap(&mut mix.frames, frames);
                std::mem::swap(&mut mix.total, total);
            }
        }
    }

    /// Asks for the memory that these rates need.
    pub(super) fn prepare(&mut self, listened: impl Fn(Rate) -> bool) {
        for rate in Rate::ALL {
            if let Some(mix) = self.mixes.get_mut(rate.index()) {
                match mix {
                    Some(_) if listened(rate) => {}
                    _ => *mix = listened(rate).then(|| Box::new(Mix::new(rate))),
                }
            }
        }
    }

    /// Nobody is heard yet in this tick.
    pub(super) fn clear(&mut self) {
        (self.count, self.begun) = (0, false);
    }

    /// Where nobody has been added, silence is.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.mixes.iter_mut().flatten().for_each(|mix| mix.total.fill(0));
        }
    }

    /// Asks the processor for what each tick needs.
    pub(super) fn fetch(&self) {
        for mix in self.mixes.iter().flatten() {
            fetch(&mix.rate);
            fetch(&mix.total);
        }
    }

    /// Adds a voice, if there is room for it: `decode` fills a frame at its rate. Returns its number.
    pub(super) fn add(
        &mut self,
        owner: Owner,
        rate: Rate,
        resamplers: &mut Resamplers,
        decode: impl FnOnce(&mut [i16]),
    ) -> Option<usize> {
        let (index, Some(place)) = (self.count, self.owners.get_mut(self.count)) else { return None };
        *place = Some(owner);
        self.count += 1;
        // The first that everybody hears is written where others are added.
        let first = !self.begun && owner.common() == audience::FULL;
        if !first {
            self.begin();
        }
        // Decoded where it is kept, if somebody listens at its rate.
        let mut kept = self.mixes.get_mut(rate.index())?.as_mut().map(|mix| std::mem::take(&mut mix.frames));
        let frame = match &mut kept {
            Some(frames) => frames.get_mut(index * rate.samples()..(index + 1) * rate.samples()),
            None => self.frame.get_mut(..rate.samples()),
        };
        if let Some(voice) = frame {
            decode(voice);
            for (mix, resampler) in self.mixes.iter_mut().zip(&mut resamplers.0) {
                let Some(mix) = mix else { continue };
                let length = mix.rate.samples();
                let frame = match mix.frames.get_mut(index * length..(index + 1) * length) {
                    _ if mix.rate == rate => &*voice,
                    Some(frame) => {
                        match resampler {
                            Some(resampler) => resampler.process(voice, frame),
                            None => frame.fill(0),
                        }
                        &*frame
                    }
                    None => &[],
                };
                match first {
                    true => mix::set(&mut mix.total, frame),
                    false => mix::add_at(&mut mix.total, frame, owner.common()),
                }
            }
            self.begun = true;
        }
        if let (Some(Some(mix)), Some(frames)) = (self.mixes.get_mut(rate.index()), kept) {
            mix.frames = frames;
        }
        Some(index)
    }

    /// A voice of this tick at a rate that is listened to.
    pub(super) fn voice(&self, rate: Rate, number: usize) -> &[i16] {
        let length = rate.samples();
        let frame = self.of(rate).and_then(|mix| mix.frames.get(number * length..(number + 1) * length));
        frame.unwrap_or_default()
    }

    /// Adds a tone at 8 kHz that everyone hears.
    pub(super) fn add_tone(&mut self, tone: &[i16; FRAME]) {
        self.begin();
        for mix in self.mixes.iter_mut().flatten() {
            let Some(frame) = self.frame.get_mut(..mix.rate.samples()) else { continue };
            mix.tones.process(tone, frame);
            mix::add(&mut mix.total, frame);
        }
    }

    /// Whether a participant hears something else than those who are silent, and whether it hears nothing.
    pub(super) fn ear(&self, participant: ParticipantId) -> (bool, bool) {
        let voices = self.owners.iter().take(self.count).flatten();
        voices.fold((false, true), |(own, nothing), voice| {
            let gain = voice.gain(participant);
            (own || gain != voice.common(), nothing && gain == 0)
        })
    }

    /// What a participant hears at a rate: everything but itself, each voice as loud as is meant for it; `None` hears what
    /// all hear who are silent.
    pub(super) fn heard(&mut self, rate: Rate, participant: Option<ParticipantId>) -> &mut [i16] {
        self.begin();
        let length = rate.samples();
        let (Some(Some(mix)), Some(out)) = (self.mixes.get(rate.index()), self.frame.get_mut(..length)) else {
            return &mut [];
        };
        match (participant, self.sum.get_mut(..length)) {
            (Some(participant), Some(sum)) => {
                sum.copy_from_slice(&mix.total);
                for (owner, frame) in self.owners.iter().zip(mix.frames.chunks_exact(length)).take(self.count) {
                    let Some(owner) = owner else { continue };
                    let (from, to) = (owner.common(), owner.gain(participant));
                    if from != to {
                        mix::regain(sum, frame, from, to);
                    }
                }
                mix::limit(sum, out);
            }
            (_, _) => mix::limit(&mix.total, out),
        }
        out
    }

    fn of(&self, rate: Rate) -> Option<&Mix> {
        self.mixes.get(rate.index())?.as_deref()
    }
}

impl Mix {
    fn new(rate: Rate) -> Self {
        Self { rate, frames: Box::default(), total: Box::default(), tones: Resampler::new(Rate::Narrow, rate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Rate; 3] = Rate::ALL;

    /// A room at whose rates somebody listens, and resamplers of a voice in it.
    fn room(listened: &[Rate], voice: Rate) -> (Mixes, Resamplers) {
        let mut mixes = Mixes::new(4);
        mixes.prepare(|rate| listened.contains(&rate));
        let mut resamplers = Resamplers::default();
        resamplers.prepare(voice, &mixes);
        (mixes, resamplers)
    }

    fn full(participant: ParticipantId) -> Owner {
        Owner { participant, audience: None }
    }

    /// The loudest sample that is heard at any of these rates.
    fn loudest(mixes: &mut Mixes, listener: Option<ParticipantId>) -> u16 {
        let of = |rate| mixes.heard(rate, listener).iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        ALL.map(of).into_iter().max().unwrap_or(0)
    }

    #[test]
    fn a_room_hears_nothing_of_another_that_mixes_at_the_same_desk() {
        let [a, b, x] = [1, 2, 3].map(ParticipantId::from_bits);
        let mut desk = Desk::new(4);
        let shout = |frame: &mut [i16]| frame.fill(20_000);
        for voice in ALL {
            for listened in [&ALL[..], &ALL[..1], &ALL[2..]] {
                let mut loud = room(&ALL, voice);
                loud.0.exchange(&mut desk);
                loud.0.clear();
                (0..4).for_each(|_| assert!(loud.0.add(full(a), voice, &mut loud.1, shout).is_some()));
                assert!(loudest(&mut loud.0, Some(b)) > 10_000, "it is heard where it is said");
                loud.0.exchange(&mut desk);

                let (mut mixes, mut whispers) = room(listened, voice);
                let (_, mut talks) = room(listened, voice);
                let mut next = |say: &mut dyn FnMut(&mut Mixes)| {
                    mixes.exchange(&mut desk);
                    mixes.clear();
                    say(&mut mixes);
                    let heard = [None, Some(b), Some(x)].map(|listener| loudest(&mut mixes, listener));
                    mixes.exchange(&mut desk);
                    heard
                };
                assert_eq!(next(&mut |_| {}), [0; 3], "nobody speaks");
                let whisper = Owner { participant: a, audience: Some(Audience::new(&[x], 0)) };
                let mut to_one =
                    |mixes: &mut Mixes| mixes.add(whisper, voice, &mut whispers, |frame| frame.fill(900)).is_some();
                let mut to_all =
                    |mixes: &mut Mixes| mixes.add(full(b), voice, &mut talks, |frame| frame.fill(100)).is_some();
                let heard = next(&mut |mixes| assert!(to_one(mixes)));
                assert_eq!(heard[..2], [0; 2], "a whisper is for one");
                assert!((1..1200).contains(&heard[2]), "{heard:?}");
                let heard = next(&mut |mixes| assert!(to_one(mixes) && to_all(mixes)));
                assert!(heard[0] < 150 && heard[1] == 0, "and who speaks beside it does not hear it: {heard:?}");
                assert!((300..1300).contains(&heard[2]), "{heard:?}");
                let heard = next(&mut |mixes| assert!(to_all(mixes)));
                assert!(heard[0] < 150 && heard[1] == 0 && heard[2] < 150, "one voice alone: {heard:?}");
                let heard = next(&mut |mixes| mixes.add_tone(&[50; FRAME]));
                assert!(heard.iter().all(|sample| *sample < 100), "a tone alone: {heard:?}");
            }
        }
    }
}
