//! What is said to callers: the catalogue of prompts, languages, and sentences put together of clips: how many people
//! are here, who they are, which keys do what.
//!
//! A sentence that varies is cut where its parts vary, never inside a grammatical bond: numbers that count people are
//! recorded apart from digits that name keys, because languages tell them apart (`una`, `duas`, `两`).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::keys::{Action, KeyMap};
use crate::media::clip::Clip;

macro_rules! prompts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        /// A prompt that is recorded whole. Digits and numbers are beside these: see [`names`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Prompt {
            $($(#[$doc])* #[serde(rename = $file)] $name,)*
        }

        impl Prompt {
            /// Every prompt there is.
            pub const ALL: &'static [Prompt] = &[$(Prompt::$name,)*];

            /// The stem of its file.
            pub const fn name(self) -> &'static str {
                match self { $(Prompt::$name => $file,)* }
            }
        }
    };
}

prompts! {
    /// Welcome.
    Greeting = "greeting";
    /// Asks for the meeting number, followed by pound.
    EnterPin = "enter-pin";
    /// The meeting number is unknown: try again.
    PinWrong = "pin-wrong";
    /// It is unknown for the last time: goodbye.
    PinWrongLast = "pin-wrong-last";
    /// Nothing was keyed: goodbye.
    NoPin = "no-pin";
    /// Too many attempts: goodbye.
    Throttled = "throttled";
    /// On the way into the room.
    Joining = "joining";
    /// Nobody else is here yet.
    YouAreFirst = "you-are-first";
    /// The meeting begins with the host.
    WaitingForHost = "waiting-for-host";
    /// Somebody in the meeting has to let the caller in.
    WaitingInLobby = "waiting-in-lobby";
    /// Let in.
    Admitted = "admitted";
    /// Not let in: goodbye.
    NotAdmitted = "not-admitted";
    /// Taken out by the host: goodbye.
    Removed = "removed";
    /// The room is locked: goodbye.
    MeetingLocked = "meeting-locked";
    /// The room is full: goodbye.
    MeetingFull = "meeting-full";
    /// The meeting is over: goodbye.
    MeetingEnded = "meeting-ended";
    /// Asks for the host PIN, followed by pound.
    EnterHostPin = "enter-host-pin";
    /// The host PIN is wrong.
    HostPinWrong = "host-pin-wrong";
    /// The caller is host now.
    YouAreHost = "you-are-host";
    /// The room does not hear the caller.
    YouAreMuted = "you-are-muted";
    /// The room hears the caller again.
    YouAreUnmuted = "you-are-unmuted";
    /// The host muted the caller.
    MutedByHost = "muted-by-host";
    /// The host unmuted the caller.
    UnmutedByHost = "unmuted-by-host";
    /// The host does not let the caller unmute.
    UnmuteNotAllowed = "unmute-not-allowed";
    /// The hand is up.
    HandRaised = "hand-raised";
    /// The hand is down.
    HandLowered = "hand-lowered";
    /// The room has been locked.
    MeetingNowLocked = "meeting-now-locked";
    /// The room has been unlocked.
    MeetingNowUnlocked = "meeting-now-unlocked";
    /// Everyone else is muted.
    AllMuted = "all-muted";
    /// Everyone is unmuted.
    AllUnmuted = "all-unmuted";
    /// Everyone in the lobby was let in.
    AllAdmitted = "all-admitted";
    /// Nobody is in the lobby.
    NobodyWaiting = "nobody-waiting";
    /// A count of one.
    OnlyYou = "only-you";
    /// Before a count of people.
    CountBefore = "count-before";
    /// After a count of people, two and more.
    CountAfter = "count-after";
    /// Stands for a number beyond the recorded ones.
    MoreThan100 = "more-than-100";
    /// A telephone; the last digits of its number follow.
    RollCaller = "roll-caller";
    /// A telephone that withheld its number.
    RollAnonymous = "roll-anonymous";
    /// A participant by browser.
    RollGuest = "roll-guest";
    /// The listener.
    RollYou = "roll-you";
    /// Is host.
    RollHost = "roll-host";
    /// Is muted.
    RollMuted = "roll-muted";
    /// Has a hand up.
    RollHand = "roll-hand";
    /// Is on hold.
    RollOnHold = "roll-on-hold";
    /// Before the number of those not read out.
    RollMoreBefore = "roll-more-before";
    /// After the number of those not read out.
    RollMoreAfter = "roll-more-after";
    /// One was not read out.
    RollOneMore = "roll-one-more";
    /// To mute or unmute oneself, press …
    HelpMuteSelf = "help-mute-self";
    /// To raise or lower the hand, press …
    HelpHand = "help-hand";
    /// To hear how many are here, press …
    HelpCount = "help-count";
    /// To hear who is here, press …
    HelpRollCall = "help-roll-call";
    /// To hear the keys again, press …
    HelpHelp = "help-help";
    /// To reach an operator, press …
    HelpOperator = "help-operator";
    /// To become host, press …
    HelpHostPin = "help-host-pin";
    /// To get a text with a link that adds video, press …
    HelpElevate = "help-elevate";
    /// To move this call to another device, press …
    HelpShowCode = "help-show-code";
    /// On the other device enter the code …
    CodeYours = "code-yours";
    /// Another device wants to take this call: to allow it, press …
    CodeAsk = "code-ask";
    /// Whom one talks with wants to change the device: to allow it, press …
    CodeAskRemote = "code-ask-remote";
    /// The other side is being asked.
    CodeWait = "code-wait";
    /// The call was not moved to this telephone.
    CodeRefused = "code-refused";
    /// A text with a link is on its way; the call goes on.
    ElevateTexted = "elevate-texted";
    /// With any browser, open …
    ElevateOpen = "elevate-open";
    /// And enter the code …
    ElevateCode = "elevate-code";
    /// The page asks for these digits …
    ElevatePin = "elevate-pin";
    /// The link was opened on another device: to let it in, press …
    ElevateRebind = "elevate-rebind";
    /// The caller asked for no texts: START brings them back.
    ElevateOptedOut = "elevate-opted-out";
    /// The call is on hold: take it back first.
    ElevateHeld = "elevate-held";
    /// More than two people: go into a meeting first.
    ElevateMultiParty = "elevate-multi-party";
    /// A desk phone: open the meeting on a computer.
    ElevateDeskPhone = "elevate-desk-phone";
    /// Asked for too often: wait a minute.
    ElevateTooOften = "elevate-too-often";
    /// The page is open: nothing was sent.
    ElevatePageOpen = "elevate-page-open";
    /// To be called back at this number, press …
    HelpCallBack = "help-call-back";
    /// Hang up: you will be called back.
    CallbackReady = "callback-ready";
    /// A call from the meeting; to join, press …
    CallbackJoin = "callback-join";
    /// The sign `.` in an address.
    Dot = "dot";
    /// The sign `-` in an address.
    Dash = "dash";
    /// The sign `/` in an address.
    Slash = "slash";
    /// The sign `:` in an address.
    Colon = "colon";
    /// To lock or unlock, press …
    HelpLock = "help-lock";
    /// To mute or unmute everyone, press …
    HelpMuteAllToggle = "help-mute-all-toggle";
    /// To mute everyone, press …
    HelpMuteAll = "help-mute-all";
    /// To unmute everyone, press …
    HelpUnmuteAll = "help-unmute-all";
    /// To let in everyone who waits, press …
    HelpAdmitAll = "help-admit-all";
    /// To end the meeting for everyone, press …
    HelpEnd = "help-end";
    /// The call for help was passed on.
    OperatorTold = "operator-told";
    /// There is no such service here.
    NotAvailable = "not-available";
    /// The key means nothing here.
    UnknownKey = "unknown-key";
    /// Only a host may do that.
    HostOnly = "host-only";
    /// To really end the meeting for everyone, press …
    ConfirmEnd = "confirm-end";
    /// The meeting is ending for everyone.
    Ending = "ending";
    /// It was not done after all.
    Cancelled = "cancelled";
    /// For this language, press …
    ChooseLanguage = "choose-language";
    /// The node goes out of service in a few minutes.
    CallEndsSoon = "call-ends-soon";
    /// A fault of ours: goodbye.
    TechnicalProblem = "technical-problem";
    /// The key `*`.
    Star = "star";
    /// The key `#`.
    Pound = "pound";
}

/// The highest number that is recorded as a clip. Higher: a bigger program. Lower: "more than" is said in rooms that
/// people still count.
pub const HIGHEST_NUMBER: usize = 100;

/// Most participants a roll call reads one by one; the rest are counted. More: nobody listens for two minutes. Fewer:
/// a board meeting is cut short.
pub const LONGEST_ROLL_CALL: usize = 20;

/// Between two phrases, in milliseconds. Longer: it drags. Shorter: it runs together.
const BETWEEN_PHRASES: u16 = 250;

/// Between a phrase and what completes it, in milliseconds; the clips carry some silence of their own.
const WITHIN_PHRASE: u16 = 40;

/// Every file stem that a complete language has: the prompts, `digit-0` to `digit-9`, `number-0` to `number-100`,
/// `letter-a` to `letter-z`.
pub fn names() -> Vec<String> {
    let prompts = Prompt::ALL.iter().map(|prompt| prompt.name().to_owned());
    let digits = (0..10).map(|digit| format!("digit-{digit}"));
    let numbers = (0..=HIGHEST_NUMBER).map(|number| format!("number-{number}"));
    let letters = ('a'..='z').map(|letter| format!("letter-{letter}"));
    prompts.chain(digits).chain(numbers).chain(letters).collect()
}

/// A language of prompts: the lower-case tag (RFC 5646) that its directory is named, such as `en` or `pt`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Language(Arc<str>);

/// Who is read out in a roll call, and how things stand with them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RollEntry {
    /// Who.
    pub who: Who,
    /// Is host.
    pub host: bool,
    /// The room does not hear them.
    pub muted: bool,
    /// Their hand is up.
    pub hand: bool,
    /// They put us on hold.
    pub on_hold: bool,
}

/// How a participant is named aloud.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Who {
    /// The listener.
    You,
    /// A telephone, by as many last digits of its number as the listener may know; `base::PhoneNumber::last` gives them.
    Caller {
        /// The digits.
        ending: String,
    },
    /// A telephone that withheld its number.
    #[default]
    Anonymous,
    /// A participant by browser.
    Guest,
}

impl fmt::Debug for Who {
    /// Digits of telephone numbers do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Who::You => "You",
            Who::Caller { .. } => "Caller",
            Who::Anonymous => "Anonymous",
            Who::Guest => "Guest",
        })
    }
}

impl fmt::Debug for RollEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollEntry").field("who", &self.who).field("host", &self.host).finish_non_exhaustive()
    }
}

impl Language {
    /// Reads a tag: letters and digits in parts of one to eight, joined by `-` or `_` (RFC 5646 §2.1, loosely).
    pub fn parse(tag: &str) -> Option<Self> {
        let tag = tag.trim().to_ascii_lowercase().replace('_', "-");
        let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
        (tag.len() <= 35 && tag.split('-').all(part)).then(|| Self(tag.into()))
    }

    /// English: the language every incomplete one falls back on, clip by clip.
    pub fn english() -> Self {
        Self("en".into())
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.0
    }

    /// The available language that serves a wanted one best: the same, then with parts taken off its end (RFC 4647
    /// §3.4: `pt-br` finds `pt`), then a relative (`pt` finds `pt-br`, `es-mx` finds `es-es`). None where none does.
    pub fn best(wanted: &str, available: &[Language]) -> Option<Language> {
        let wanted = Self::parse(wanted)?;
        let mut tag = match wanted.tag().split_once('-') {
            // Chinese languages that are written as one; a reader of any is better served by it than by English.
            _ if matches!(wanted.primary(), "cmn" | "yue" | "wuu" | "hak" | "nan") => "zh".to_owned(),
            _ => wanted.tag().to_owned(),
        };
        loop {
            if let Some(found) = available.iter().find(|language| language.tag() == tag) {
                return Some(found.clone());
            }
            match tag.rfind('-') {
                Some(end) => tag.truncate(end),
                None => return available.iter().find(|language| language.primary() == tag).cloned(),
            }
        }
    }

    /// One prompt.
    pub fn say(&self, prompt: Prompt) -> Clip {
        self.clip(prompt.name())
    }

    /// A prompt that ends in "press", and the keys after it.
    pub fn say_keys(&self, prompt: Prompt, keys: &str) -> Vec<Clip> {
        let mut clips = vec![self.say(prompt), Clip::Pause(WITHIN_PHRASE)];
        clips.extend(self.digits(keys));
        clips
    }

    /// Keys or digits one by one: `*6` as "star six"; anything else in the text is left out.
    pub fn digits(&self, text: &str) -> Vec<Clip> {
        text.chars()
            .filter_map(|c| match c {
                '0'..='9' => Some(self.clip(&format!("digit-{c}"))),
                '*' => Some(self.say(Prompt::Star)),
                '#' => Some(self.say(Prompt::Pound)),
                _ => None,
            })
            .collect()
    }

    /// An address letter by letter: `v.example.org/e`; what nobody can say is left out.
    pub fn spell(&self, address: &str) -> Vec<Clip> {
        address
            .chars()
            .filter_map(|c| match c {
                'a'..='z' => Some(self.clip(&format!("letter-{c}"))),
                '0'..='9' => Some(self.clip(&format!("digit-{c}"))),
                '.' => Some(self.say(Prompt::Dot)),
                '-' => Some(self.say(Prompt::Dash)),
                '/' => Some(self.say(Prompt::Slash)),
                ':' => Some(self.say(Prompt::Colon)),
                _ => None,
            })
            .collect()
    }

    /// How many people are in the meeting, the listener included.
    pub fn count(&self, people: usize) -> Vec<Clip> {
        if people == 1 {
            return vec![self.say(Prompt::OnlyYou)];
        }
        vec![self.say(Prompt::CountBefore), self.number(people), self.say(Prompt::CountAfter)]
    }

    /// Who is in the meeting, in the order given; see [`LONGEST_ROLL_CALL`].
    pub fn roll_call(&self, entries: &[RollEntry]) -> Vec<Clip> {
        let mut clips = self.count(entries.len());
        if entries.len() <= 1 {
            return clips;
        }
        for entry in entries.iter().take(LONGEST_ROLL_CALL) {
            clips.push(Clip::Pause(BETWEEN_PHRASES));
            match &entry.who {
                Who::You => clips.push(self.say(Prompt::RollYou)),
                Who::Caller { ending } if ending.is_empty() => clips.push(self.say(Prompt::RollAnonymous)),
                Who::Caller { ending } => clips.extend(self.say_keys(Prompt::RollCaller, ending)),
                Who::Anonymous => clips.push(self.say(Prompt::RollAnonymous)),
                Who::Guest => clips.push(self.say(Prompt::RollGuest)),
            }
            let states = [
                (entry.host, Prompt::RollHost),
                (entry.muted, Prompt::RollMuted),
                (entry.hand, Prompt::RollHand),
                (entry.on_hold, Prompt::RollOnHold),
            ];
            for (_, prompt) in states.into_iter().filter(|(so, _)| *so) {
                clips.extend([Clip::Pause(WITHIN_PHRASE), self.say(prompt)]);
            }
        }
        match entries.len().saturating_sub(LONGEST_ROLL_CALL) {
            0 => {}
            1 => clips.extend([Clip::Pause(BETWEEN_PHRASES), self.say(Prompt::RollOneMore)]),
            more => clips.extend([
                Clip::Pause(BETWEEN_PHRASES),
                self.say(Prompt::RollMoreBefore),
                self.number(more),
                self.say(Prompt::RollMoreAfter),
            ]),
        }
        clips
    }

    /// What the keys of a map do: what everyone may do, then, for a host, what only a host may. Actions named in
    /// `unavailable` are left out.
    pub fn help(&self, map: &KeyMap, host: bool, unavailable: &[Action]) -> Vec<Clip> {
        let mut clips = Vec::new();
        for (action, sequence) in map.spoken() {
            if (action.host_only() && !host) || unavailable.contains(&action) {
                continue;
            }
            if !clips.is_empty() {
                clips.push(Clip::Pause(BETWEEN_PHRASES));
            }
            clips.extend(self.say_keys(action.help(), sequence));
        }
        clips
    }

    /// "For English, press one": each language in its own voice, numbered from one; at most nine.
    pub fn choice(languages: &[Language]) -> Vec<Clip> {
        let mut clips = Vec::new();
        for (language, key) in languages.iter().zip('1'..='9') {
            if !clips.is_empty() {
                clips.push(Clip::Pause(BETWEEN_PHRASES));
            }
            clips.extend(language.say_keys(Prompt::ChooseLanguage, key.encode_utf8(&mut [0; 4])));
        }
        clips
    }

    fn number(&self, number: usize) -> Clip {
        if number > HIGHEST_NUMBER { self.say(Prompt::MoreThan100) } else { self.clip(&format!("number-{number}")) }
    }

    fn clip(&self, name: &str) -> Clip {
        Clip::Prompt(self.0.clone(), name.into())
    }

    fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = String::deserialize(deserializer)?;
        Self::parse(&tag).ok_or_else(|| serde::de::Error::custom("not a language tag"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(tag: &str) -> Language {
        Language::parse(tag).unwrap()
    }

    /// What is heard, one word per clip, pauses left out.
    fn heard(clips: &[Clip]) -> Vec<String> {
        clips
            .iter()
            .filter_map(|clip| match clip {
                Clip::Prompt(language, name) => Some(format!("{language}/{name}")),
                Clip::Pause(_) => None,
                other => Some(format!("{other:?}")),
            })
            .collect()
    }

    #[test]
    fn one_person_hears_a_sentence_of_their_own_and_a_crowd_is_not_counted() {
        let en = language("en");
        assert_eq!(heard(&en.count(1)), ["en/only-you"]);
        assert_eq!(heard(&en.count(2)), ["en/count-before", "en/number-2", "en/count-after"]);
        assert_eq!(heard(&en.count(100)), ["en/count-before", "en/number-100", "en/count-after"]);
        assert_eq!(heard(&en.count(101)), ["en/count-before", "en/more-than-100", "en/count-after"]);
    }

    #[test]
    fn a_roll_call_names_people_by_their_last_digits_and_how_things_stand() {
        let entries = [
            RollEntry { who: Who::You, host: true, ..RollEntry::default() },
            RollEntry { who: Who::Caller { ending: "23".into() }, muted: true, hand: true, ..RollEntry::default() },
            RollEntry { who: Who::Guest, ..RollEntry::default() },
            RollEntry { who: Who::Anonymous, on_hold: true, ..RollEntry::default() },
        ];
        assert_eq!(
            heard(&language("fr").roll_call(&entries)).join(" ").replace("fr/", ""),
            "count-before number-4 count-after roll-you roll-host roll-caller digit-2 digit-3 roll-muted roll-hand \
             roll-guest roll-anonymous roll-on-hold"
        );
        assert!(!format!("{entries:?}").contains("23"), "digits do not print");
    }

    #[test]
    fn a_long_roll_call_ends_in_a_count() {
        let entries = vec![RollEntry { who: Who::Guest, ..RollEntry::default() }; LONGEST_ROLL_CALL + 1];
        assert_eq!(heard(&language("en").roll_call(&entries)).last().unwrap(), "en/roll-one-more");
        let entries = vec![RollEntry { who: Who::Guest, ..RollEntry::default() }; LONGEST_ROLL_CALL + 7];
        let said = heard(&language("en").roll_call(&entries));
        assert_eq!(said[said.len() - 3..], ["en/roll-more-before", "en/number-7", "en/roll-more-after"]);
    }

    #[test]
    fn help_reads_the_map_and_keeps_the_hosts_keys_from_guests() {
        let map = KeyMap::zoom();
        let guest = heard(&language("de").help(&map, false, &[Action::Operator])).join(" ");
        assert!(guest.starts_with("de/help-mute-self de/star de/digit-6 de/help-hand de/star de/digit-9"), "{guest}");
        assert!(!guest.contains("help-lock") && !guest.contains("help-operator"), "{guest}");
        let host = heard(&language("de").help(&map, true, &[])).join(" ");
        assert!(host.contains("de/help-mute-all-toggle de/digit-9 de/digit-9"), "{host}");
    }

    #[test]
    fn each_language_offers_itself_in_its_own_voice() {
        let offered = heard(&Language::choice(&[language("en"), language("zh")]));
        assert_eq!(offered, ["en/choose-language", "en/digit-1", "zh/choose-language", "zh/digit-2"]);
    }

    #[test]
    fn a_caller_gets_the_nearest_language_there_is() {
        let available: Vec<Language> = ["en", "es", "fr-ca", "pt", "zh"].map(language).into();
        let best = |tag| Language::best(tag, &available).map(|found| found.tag().to_owned());
        assert_eq!(best("pt-BR").as_deref(), Some("pt"));
        assert_eq!(best("zh_Hant_TW").as_deref(), Some("zh"));
        assert_eq!(best("yue-HK").as_deref(), Some("zh"));
        assert_eq!(best("fr").as_deref(), Some("fr-ca"));
        assert_eq!(best("fr-CH").as_deref(), Some("fr-ca"));
        assert_eq!(best("ja"), None);
        assert_eq!(best("../etc"), None);
        assert_eq!(best(""), None);
    }

    #[test]
    fn names_are_unique_and_a_prompt_is_named_alike_in_data_and_on_disk() {
        let all = names();
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        for prompt in Prompt::ALL {
            let written = serde_json::to_string(prompt).unwrap();
            assert_eq!(written.trim_matches('"'), prompt.name());
        }
    }
}
