//! What is done to a telephone's voice before a room hears it.

use super::Leg;
use crate::base::Instant;
use crate::base::fetch::fetch;
use crate::media::cancel::Canceller;
use crate::media::command::{MediaEvent, Treatment};
use crate::media::denoise::Denoise;
use crate::media::echo::LineEcho;
use crate::media::inband::Inband;
use crate::media::loudness::{Loudness, Others};
use crate::media::music::Music;
use crate::media::{Rate, samples_at};

/// Each part asks for its memory when it is switched on.
#[derive(Debug, Default)]
pub(super) struct Treated {
    what: Treatment,
    /// At which rate.
    rate: Option<Rate>,
    tones: Option<Box<Inband>>,
    denoise: Option<Box<Denoise>>,
    level: Option<Box<Loudness>>,
    others: Others,
    music: Option<Box<Music>>,
    echo: Option<Box<Canceller>>,
    /// What it sends began or ceased to be music, and that is not told yet.
    news: Option<bool>,
    /// It sends its keys as telephone-events: tones are only their copies.
    events: bool,
    /// Keys that went down and are not told yet.
    keys: [Option<char>; 2],
}

impl Treated {
    /// Asks the processor for what a voice needs that is heard.
    pub(super) fn fetch(&self) {
        self.level.as_deref().into_iter().for_each(fetch);
    }

    fn prepare(&mut self, what: Treatment, rate: Rate, found: Option<LineEcho>) {
        if self.rate != Some(rate) {
            *self = Self { keys: self.keys, events: self.events, ..Self::default() };
        }
        (self.what, self.rate) = (what, Some(rate));
        renew(&mut self.tones, what.tones, || Inband::new(rate));
        renew(&mut self.denoise, what.denoise, || Denoise::new(rate));
        renew(&mut self.level, what.level, Loudness::default);
        renew(&mut self.music, what.music, || Music::new(rate));
        match (found.filter(|_| what.echo), &mut self.echo) {
            (Some(found), Some(echo)) => echo.aim(found),
            (found, echo) => *echo = found.map(|found| Box::new(Canceller::new(rate, found))),
        }
    }

    /// Listens for keys, and silences them.
    fn listen(&mut self, frame: &mut [i16]) {
        let key = self.tones.as_mut().and_then(|tones| tones.hear(frame));
        if let Some(key) = key.filter(|_| !self.events) {
            let free = self.keys.iter_mut().find(|place| place.is_none());
            free.into_iter().for_each(|place| *place = Some(key));
        }
        let news = self.music.as_mut().and_then(|music| music.hear(frame));
        self.news = news.or(self.news);
    }
}

/// What goes on keeps what it knows.
fn renew<T>(part: &mut Option<Box<T>>, wanted: bool, new: impl FnOnce() -> T) {
    if wanted != part.is_some() {
        *part = wanted.then(|| Box::new(new()));
    }
}

impl Leg {
    /// Says what is done to its voice from now on. To be said again when line echo was found or is gone: what takes it out
    /// needs memory.
    pub fn treat(&mut self, what: Treatment) {
        let rate = self.rate();
        let found = self.echo.told();
        self.treated.prepare(what, rate, found);
    }

    /// The codec may be another one.
    pub(super) fn treat_again(&mut self) {
        self.treat(self.treated.what);
    }

    /// Whether every sample is to be heard here: packets cannot go on as they come.
    pub(super) fn is_treated(&self) -> bool {
        self.treated.what.tones || self.treated.what.denoise || self.treated.echo.is_some()
    }

    /// Whether what comes is music, and to be kept from the others.
    pub fn plays_music(&self) -> bool {
        self.treated.music.as_ref().is_some_and(|music| music.is_on())
    }

    /// Whether it is to be told what it hears.
    pub fn cancels_echo(&self) -> bool {
        self.treated.echo.is_some()
    }

    /// Takes what it hears, which will come back.
    pub fn refer(&mut self, frame: &[i16]) {
        if let Some(echo) = &mut self.treated.echo {
            echo.refer(frame);
        }
    }

    /// Whether a key is down that comes as a tone.
    pub(super) fn keys_tone(&self) -> bool {
        self.treated.tones.as_ref().is_some_and(|tones| tones.is_down())
    }

    /// A key came as a telephone-event.
    pub(super) fn keys_by_event(&mut self) {
        self.treated.events = true;
    }

    /// Treats a frame that the room is to hear; what is measured is to come as it was sent.
    pub(super) fn refine(&mut self, frame: &mut [i16]) {
        if self.sounder.is_some() {
            return;
        }
        if let Some(echo) = &mut self.treated.echo {
            echo.cancel(frame);
        }
        self.treated.listen(frame);
        if let Some(denoise) = &mut self.treated.denoise {
            denoise.refine(frame);
        }
        if let Some(level) = &mut self.treated.level {
            let echo = self.treated.echo.is_none() && self.echo.told().is_some();
            level.level(frame, &self.treated.others, echo);
        }
    }

    /// Whether we listen to it ourselves, also where nobody else does.
    pub(super) fn is_overheard(&self) -> bool {
        self.treated.tones.is_some() || self.plays_music()
    }

    /// Steps over the next frame, which nobody hears but we ourselves, where there is something to listen for.
    pub(super) fn overhear(&mut self, now: Instant) -> bool {
        if !self.is_overheard() || self.presses.is_down(now) {
            return false;
        }
        let mut frame = [0; Rate::MOST];
        let Some(frame) = frame.get_mut(..self.rate().samples()) else { return false };
        self.playout.take(samples_at(now), frame);
        self.treated.listen(frame);
        true
    }

    /// How loud the others hear it that was so loud.
    pub fn heard(&self, loudness: u16) -> u16 {
        match &self.treated.level {
            // What is passed on is as it came.
            Some(level) if !self.passes() => level.heard(loudness),
            Some(_) | None => loudness,
        }
    }

    /// Takes how loud this tick's sound to it is, and what of that is voices, and from it: line echo is found by that.
    pub fn watch_echo(&mut self, (sent, voices): (u16, u16), back: u16, events: &mut Vec<MediaEvent>) {
        if self.treated.level.is_some() {
            self.treated.others.hear(voices);
        }
        if let Some(echo) = self.echo.hear(sent, back) {
            events.push(MediaEvent::Echo { leg: self.id, echo });
        }
    }

    /// Tells the keys that came as tones, and whether music comes.
    pub(super) fn tell_tones(&mut self, events: &mut Vec<MediaEvent>) {
        let leg = self.id;
        events.extend(self.treated.news.take().map(|heard| MediaEvent::Music { leg, heard }));
        for digit in std::mem::take(&mut self.treated.keys).into_iter().flatten() {
            events.push(MediaEvent::DigitBegan { leg });
            events.push(MediaEvent::Digit { leg, digit });
        }
    }
}
