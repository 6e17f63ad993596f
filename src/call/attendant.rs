//! What happens between the answer and the room: a language, a greeting, a PIN.
//!
//! ```text
//!   Waiting ─Started─► Choosing ─key, pause─► Entering ─#, pause─► Checking ─Guest, Host─► Done (Enter)
//!   (keys are kept)    (several languages)     ▲  │ silence          │  │
//!                                              │  │ three times      │  └─Throttled, third Wrong, no answer─┐
//!                                              └──┼────Wrong─────────┘                                      ▼
//!                                                 └────────────────────────────────► Leaving ─Played─► Done (HangUp)
//! ```
//!
//! Keys count whenever they come, also before the answer: a dial string such as `number,,PIN#` works as fast as it is
//! sent. Where several languages are offered, such a string begins with the key of one.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Cause, Instant, Now, RoomId, Secret};
use crate::call::keys::is_key;
use crate::call::pin::{Keyed, PinReader};
use crate::call::speech::{Language, Prompt};
use crate::media::clip::Clip;
use crate::media::command::PlayId;

/// The pause that ends a PIN without `#`. Longer: who leaves out `#` waits. Shorter: who reads a long number off a
/// screen in groups loses a try; a comma in a dial string alone pauses two seconds.
pub const PIN_GAP: Duration = Duration::from_secs(3);

/// Silence after which a prompt is repeated. Longer: callers think the line is dead. Shorter: they are talked over
/// while they look for the invitation.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Silence after which the first language is taken. Longer: most callers wait for nothing. Shorter: nobody can decide.
const CHOICE: Duration = Duration::from_secs(4);

/// A prompt whose end is not reported for this long has ended. Longer: a fault holds the call up. Shorter: nine
/// languages are not offered to the end.
const LONGEST_PROMPT: Duration = Duration::from_secs(40);

/// How long a PIN may take to be checked. Longer: silence. Shorter: a busy store turns callers away.
const CHECK: Duration = Duration::from_secs(5);

/// How long a caller may stay here in all, keys or not. Longer: a line is held for nothing. Shorter: three tries of a
/// slow hand, with every prompt heard out, do not fit.
const LONGEST_STAY: Duration = Duration::from_secs(240);

/// After the last word, in milliseconds. Longer: silence. Shorter: the far end's jitter buffer still holds the word
/// when the BYE empties it.
const AFTERWORD: u16 = 300;

/// Most keys kept from before the answer or a check's outcome. More: memory for noise. Fewer: a language's key, the
/// longest PIN and `#` do not fit.
const KEPT_KEYS: usize = 32;

/// What the dialled number asks of its attendant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttendantSettings {
    /// Languages on offer, the first for whoever does not choose; English when empty. With two or more the caller is asked.
    pub languages: Vec<Language>,
    /// Whether a welcome comes before the first question.
    pub greeting: bool,
    /// The pause that ends a PIN without `#`; see [`PIN_GAP`].
    pub pin_gap: Duration,
    /// Silence after which the question is repeated; see [`PATIENCE`].
    pub patience: Duration,
    /// How often it is repeated before the goodbye.
    pub repeats: u8,
    /// Wrong PINs before the goodbye.
    pub tries: u8,
}

impl Default for AttendantSettings {
    fn default() -> Self {
        Self { languages: Vec::new(), greeting: true, pin_gap: PIN_GAP, patience: PATIENCE, repeats: 2, tries: 3 }
    }
}

/// A fact for the attendant.
#[derive(Clone, PartialEq, Eq)]
pub enum Input {
    /// The call was answered and media flows.
    Started,
    /// A key went down.
    DigitBegan,
    /// A key was pressed.
    Digit(char),
    /// What was ordered with this id was played to its end.
    Played(PlayId),
    /// The PIN that [`Output::CheckPin`] asked about.
    PinChecked(PinOutcome),
    /// The deadline of [`Attendant::poll_timeout`] passed.
    Timeout,
    /// The call is over.
    Gone,
}

impl fmt::Debug for Input {
    /// Keys do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Started => f.write_str("Started"),
            Input::DigitBegan => f.write_str("DigitBegan"),
            Input::Digit(_) => f.write_str("Digit"),
            Input::Played(play) => f.debug_tuple("Played").field(play).finish(),
            Input::PinChecked(outcome) => f.debug_tuple("PinChecked").field(outcome).finish(),
            Input::Timeout => f.write_str("Timeout"),
            Input::Gone => f.write_str("Gone"),
        }
    }
}

/// Whose PIN it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinOutcome {
    /// A participant's.
    Guest {
        /// Of this room.
        room: RoomId,
    },
    /// A host's.
    Host {
        /// Of this room.
        room: RoomId,
    },
    /// Nobody's.
    Wrong,
    /// This caller or this number has had too many wrong ones; whose it was is not told.
    Throttled,
    /// It could not be found out.
    Failed,
}

/// An order of the attendant.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Play these once, in place of what is playing; report [`Input::Played`] at the end.
    Play {
        /// Which run.
        play: PlayId,
        /// What, in order.
        clips: Arc<[Clip]>,
    },
    /// Fall silent at once.
    StopPlaying,
    /// Find out whose PIN this is; one question at a time.
    CheckPin(Secret),
    /// Take the caller to the room. The attendant is done.
    Enter {
        /// Which.
        room: RoomId,
        /// With a host's rights.
        host: bool,
        /// To be spoken to in this language.
        language: Language,
    },
    /// End the call. The attendant is done.
    HangUp(Cause),
}

/// The attendant of one call.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Attendant {
    settings: AttendantSettings,
    language: Language,
    state: State,
    /// Wrong PINs so far.
    wrong: u8,
    /// Silences so far.
    silences: u8,
    /// When a caller still without a meeting is sent away.
    stay_until: Instant,
    next_play: u64,
    /// What is playing and not yet reported as ended or stopped.
    playing: Option<u64>,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum State {
    /// Not answered; keys are kept.
    Waiting {
        keys: Secret,
    },
    /// Which language?
    Choosing {
        until: Instant,
    },
    /// Which meeting?
    Entering {
        pin: PinReader,
        until: Instant,
    },
    /// Whose PIN was that? Keys are kept.
    Checking {
        keys: Secret,
        until: Instant,
    },
    /// The last words are spoken.
    Leaving {
        cause: Cause,
        until: Instant,
    },
    Done,
}

impl Attendant {
    /// An attendant for a call that is about to be answered. Its plays are numbered from `first_play`.
    pub fn new(settings: AttendantSettings, first_play: PlayId) -> Self {
        Self {
            language: settings.languages.first().cloned().unwrap_or_else(Language::english),
            settings,
            state: State::Waiting { keys: Secret::default() },
            wrong: 0,
            silences: 0,
            stay_until: Instant::START,
            next_play: first_play.0,
            playing: None,
            outputs: VecDeque::new(),
        }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Started => self.started(now),
            Input::DigitBegan => self.key_began(now),
            Input::Digit(key) => self.key(key, now),
            Input::Played(play) => self.played(play, now),
            Input::PinChecked(outcome) => self.checked(outcome, now),
            Input::Timeout => self.expire(now),
            Input::Gone => self.state = State::Done,
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { .. } | State::Done => None,
            State::Choosing { until } => Some(self.stay_until.min(*until)),
            State::Entering { pin, until } => Some(self.stay_until.min(pin.poll_timeout().unwrap_or(*until))),
            State::Checking { until, .. } | State::Leaving { until, .. } => Some(*until),
        }
    }

    /// Whether nothing more will be ordered.
    pub const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The language spoken so far.
    pub const fn language(&self) -> &Language {
        &self.language
    }

    /// The first play id that the attendant has not used.
    pub const fn next_play(&self) -> PlayId {
        PlayId(self.next_play)
    }

    fn started(&mut self, now: Now) {
        let State::Waiting { keys } = &self.state else { return };
        let keys = keys.clone();
        self.stay_until = now.mono + LONGEST_STAY;
        if self.settings.languages.len() > 1 {
            self.state = State::Choosing { until: now.mono + LONGEST_PROMPT };
            if keys.is_empty() {
                self.play(Language::choice(&self.settings.languages));
            }
        } else if keys.is_empty() {
            self.ask(true, now);
        } else {
            self.listen(now);
        }
        self.replay(&keys, now);
    }

    fn key_began(&mut self, now: Now) {
        match &mut self.state {
            State::Choosing { until } => *until = now.mono + CHOICE,
            State::Entering { pin, until } => {
                pin.key_began(now);
                *until = now.mono + self.settings.patience;
            }
            State::Waiting { .. } | State::Checking { .. } | State::Leaving { .. } | State::Done => return,
        }
        self.stop_playing();
    }

    fn key(&mut self, key: char, now: Now) {
        self.key_began(now);
        if !is_key(key) {
            return;
        }
        match &mut self.state {
            State::Waiting { keys } | State::Checking { keys, .. } => {
                if keys.expose().len() < KEPT_KEYS {
                    *keys = Secret::new(format!("{}{key}", keys.expose()));
                }
            }
            State::Choosing { .. } => self.choose(key, now),
            State::Entering { pin, .. } => match pin.key(key, now) {
                Keyed::More => {}
                Keyed::Complete(pin) => self.check(pin, now),
                Keyed::Cleared | Keyed::Empty => self.ask(false, now),
            },
            State::Leaving { .. } | State::Done => {}
        }
    }

    fn choose(&mut self, key: char, now: Now) {
        let chosen = key.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
        match (key, chosen.and_then(|index| self.settings.languages.get(index))) {
            (_, Some(language)) => {
                self.language = language.clone();
                self.ask(true, now);
            }
            ('*', None) => {
                self.state = State::Choosing { until: now.mono + LONGEST_PROMPT };
                self.play(Language::choice(&self.settings.languages));
            }
            // No language has this key: it is the first of a PIN.
            ('0'..='9', None) => {
                self.listen(now);
                self.key(key, now);
            }
            (_, None) => self.ask(true, now),
        }
    }

    fn played(&mut self, play: PlayId, now: Now) {
        if self.playing != Some(play.0) {
            return;
        }
        self.playing = None;
        match &mut self.state {
            State::Choosing { until } => *until = now.mono + CHOICE,
            State::Entering { until, .. } => *until = now.mono + self.settings.patience,
            State::Leaving { cause, .. } => {
                let cause = *cause;
                self.finish(Output::HangUp(cause));
            }
            State::Waiting { .. } | State::Checking { .. } | State::Done => {}
        }
    }

    fn checked(&mut self, outcome: PinOutcome, now: Now) {
        let State::Checking { keys, .. } = &self.state else { return };
        let keys = keys.clone();
        match outcome {
            PinOutcome::Guest { room } => {
                self.finish(Output::Enter { room, host: false, language: self.language.clone() });
            }
            PinOutcome::Host { room } => {
                self.finish(Output::Enter { room, host: true, language: self.language.clone() });
            }
            PinOutcome::Wrong => {
                self.wrong = self.wrong.saturating_add(1);
                if self.wrong >= self.settings.tries {
                    return self.leave(Prompt::PinWrongLast, Cause::WrongPin, now);
                }
                self.silences = 0;
                self.listen_after(vec![self.language.say(Prompt::PinWrong)], now);
                self.replay(&keys, now);
            }
            PinOutcome::Throttled => self.leave(Prompt::Throttled, Cause::Throttled, now),
            PinOutcome::Failed => self.leave(Prompt::TechnicalProblem, Cause::Internal, now),
        }
    }

    fn expire(&mut self, now: Now) {
        if self.poll_timeout().is_none_or(|until| now.mono < until) {
            return;
        }
        let overstayed = self.stay_until <= now.mono;
        match &mut self.state {
            State::Choosing { .. } | State::Entering { .. } if overstayed => {
                self.leave(Prompt::NoPin, Cause::NoPin, now);
            }
            State::Choosing { .. } => self.ask(true, now),
            State::Entering { pin, .. } => match pin.expire(now) {
                Some(pin) => self.check(pin, now),
                None if self.silences >= self.settings.repeats => self.leave(Prompt::NoPin, Cause::NoPin, now),
                None => {
                    self.silences += 1;
                    self.ask(false, now);
                }
            },
            State::Checking { .. } => self.leave(Prompt::TechnicalProblem, Cause::Internal, now),
            State::Leaving { cause, .. } => {
                let cause = *cause;
                self.finish(Output::HangUp(cause));
            }
            State::Waiting { .. } | State::Done => {}
        }
    }

    /// Asks for the PIN.
    fn ask(&mut self, first: bool, now: Now) {
        let mut clips = Vec::new();
        if first && self.settings.greeting {
            clips.push(self.language.say(Prompt::Greeting));
            clips.push(Clip::Pause(150));
        }
        clips.push(self.language.say(Prompt::EnterPin));
        self.listen_after(clips, now);
    }

    /// Listens for a PIN while and after something is said.
    fn listen_after(&mut self, clips: Vec<Clip>, now: Now) {
        self.state = State::Entering { pin: PinReader::new(self.settings.pin_gap), until: now.mono + LONGEST_PROMPT };
        self.play(clips);
    }

    /// Listens for a PIN that is being keyed already.
    fn listen(&mut self, now: Now) {
        let pin = PinReader::new(self.settings.pin_gap);
        self.state = State::Entering { pin, until: now.mono + self.settings.patience };
    }

    fn check(&mut self, pin: Secret, now: Now) {
        self.silences = 0;
        self.state = State::Checking { keys: Secret::default(), until: now.mono + CHECK };
        self.outputs.push_back(Output::CheckPin(pin));
    }

    fn leave(&mut self, last: Prompt, cause: Cause, now: Now) {
        self.state = State::Leaving { cause, until: now.mono + LONGEST_PROMPT };
        self.play(vec![self.language.say(last), Clip::Pause(AFTERWORD)]);
    }

    fn finish(&mut self, last: Output) {
        self.stop_playing();
        self.state = State::Done;
        self.outputs.push_back(last);
    }

    fn replay(&mut self, keys: &Secret, now: Now) {
        for key in keys.expose().chars() {
            self.key(key, now);
        }
    }

    fn play(&mut self, clips: Vec<Clip>) {
        let play = self.next_play;
        self.next_play += 1;
        self.playing = Some(play);
        self.outputs.push_back(Output::Play { play: PlayId(play), clips: clips.into() });
    }

    fn stop_playing(&mut self) {
        if self.playing.take().is_some() {
            self.outputs.push_back(Output::StopPlaying);
        }
    }
}

impl fmt::Debug for Attendant {
    /// Keys do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting { .. } => "Waiting",
            State::Choosing { .. } => "Choosing",
            State::Entering { .. } => "Entering",
            State::Checking { .. } => "Checking",
            State::Leaving { .. } => "Leaving",
            State::Done => "Done",
        };
        f.debug_struct("Attendant").field("state", &state).field("wrong", &self.wrong).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "attendant_tests.rs"]
mod tests;
