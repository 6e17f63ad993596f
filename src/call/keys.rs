//! What keys do once a caller is in a room, as data: three maps that fingers already know, and an operator's own.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::IntoDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::call::speech::Prompt;

/// What a key sequence asks for. Who may ask is the room's to decide; [`Action::host_only`] says what it is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Mutes the caller, or unmutes.
    #[serde(alias = "mute")]
    MuteSelf,
    /// Raises the caller's hand, or lowers it.
    Hand,
    /// Tells how many are here.
    Count,
    /// Tells who is here.
    RollCall,
    /// Reads the map aloud.
    Help,
    /// Asks for a link by text message that adds video, screen and chat.
    Elevate,
    /// Has the caller called back at the number they call from, once they have hung up.
    CallBack,
    /// Has six digits said by which the call moves to another device.
    ShowCode,
    /// Calls for an operator.
    Operator,
    /// Asks for the host PIN, to become host.
    HostPin,
    /// Locks the room, or unlocks it.
    Lock,
    /// Mutes everyone but hosts, or unmutes everyone when that was the last done.
    MuteAllToggle,
    /// Mutes everyone but hosts.
    MuteAll,
    /// Unmutes everyone.
    UnmuteAll,
    /// Lets in everyone who waits in the lobby.
    AdmitAll,
    /// Ends the meeting for everyone.
    End,
}

impl Action {
    /// Every action, in the order that help reads them.
    pub const ALL: &'static [Action] = &[
        Action::MuteSelf,
        Action::Hand,
        Action::Count,
        Action::RollCall,
        Action::Elevate,
        Action::CallBack,
        Action::ShowCode,
        Action::Operator,
        Action::HostPin,
        Action::Lock,
        Action::MuteAllToggle,
        Action::MuteAll,
        Action::UnmuteAll,
        Action::AdmitAll,
        Action::End,
        Action::Help,
    ];

    /// Whether only a host may ask for it.
    pub const fn host_only(self) -> bool {
        match self {
            Action::Lock
            | Action::MuteAllToggle
            | Action::MuteAll
            | Action::UnmuteAll
            | Action::AdmitAll
            | Action::End => true,
            Action::MuteSelf
            | Action::Hand
            | Action::Count
            | Action::RollCall
            | Action::Elevate
            | Action::CallBack
            | Action::ShowCode
            | Action::Help
            | Action::Operator
            | Action::HostPin => false,
        }
    }

    /// Whether it cannot be undone: such an action is done after a second key only. What one service's fingers know
    /// as mute may be another's end.
    pub const fn destructive(self) -> bool {
        matches!(self, Action::End)
    }

    /// Its name in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Action::MuteSelf => "mute-self",
            Action::Hand => "hand",
            Action::Count => "count",
            Action::RollCall => "roll-call",
            Action::Elevate => "elevate",
            Action::CallBack => "call-back",
            Action::ShowCode => "show-code",
            Action::Help => "help",
            Action::Operator => "operator",
            Action::HostPin => "host-pin",
            Action::Lock => "lock",
            Action::MuteAllToggle => "mute-all-toggle",
            Action::MuteAll => "mute-all",
            Action::UnmuteAll => "unmute-all",
            Action::AdmitAll => "admit-all",
            Action::End => "end",
        }
    }

    /// How help begins to speak of it.
    pub const fn help(self) -> Prompt {
        match self {
            Action::MuteSelf => Prompt::HelpMuteSelf,
            Action::Hand => Prompt::HelpHand,
            Action::Count => Prompt::HelpCount,
            Action::RollCall => Prompt::HelpRollCall,
            Action::Elevate => Prompt::HelpElevate,
            Action::CallBack => Prompt::HelpCallBack,
            Action::ShowCode => Prompt::HelpShowCode,
            Action::Help => Prompt::HelpHelp,
            Action::Operator => Prompt::HelpOperator,
            Action::HostPin => Prompt::HelpHostPin,
            Action::Lock => Prompt::HelpLock,
            Action::MuteAllToggle => Prompt::HelpMuteAllToggle,
            Action::MuteAll => Prompt::HelpMuteAll,
            Action::UnmuteAll => Prompt::HelpUnmuteAll,
            Action::AdmitAll => Prompt::HelpAdmitAll,
            Action::End => Prompt::HelpEnd,
        }
    }
}

/// Longest sequence. Longer: nobody remembers it.
pub const LONGEST_SEQUENCE: usize = 4;

/// `*6` mutes everywhere; `*3` adds video, and who is here is told by `*7`, which records at Zoom.
const ZOOM: &[(&str, Action)] = &[
    ("*6", Action::MuteSelf),
    ("*9", Action::Hand),
    ("*#", Action::Count),
    ("*3", Action::Elevate),
    ("#2", Action::CallBack),
    ("#7", Action::ShowCode),
    ("*7", Action::RollCall),
    ("*1", Action::Help),
    ("**", Action::Help),
    ("*0", Action::Operator),
    ("*2", Action::HostPin),
    ("*5", Action::Lock),
    ("99", Action::MuteAllToggle),
    ("*8", Action::AdmitAll),
    ("*4", Action::End),
];

const WEBEX: &[(&str, Action)] = &[
    ("*6", Action::MuteSelf),
    ("*3", Action::Hand),
    ("*#", Action::Count),
    ("*7", Action::RollCall),
    ("*9", Action::Elevate),
    ("#2", Action::CallBack),
    ("#7", Action::ShowCode),
    ("**", Action::Help),
    ("*1", Action::Help),
    ("*0", Action::Operator),
    ("*2", Action::HostPin),
    ("*5", Action::Lock),
    ("##", Action::MuteAll),
    ("99", Action::UnmuteAll),
    ("*8", Action::AdmitAll),
    ("*4", Action::End),
];

/// Teams' keys, and those of Lync before it where Teams has none; `*9`, announcements there, adds video.
const MICROSOFT: &[(&str, Action)] = &[
    ("*6", Action::MuteSelf),
    ("*5", Action::Hand),
    ("*#", Action::Count),
    ("*3", Action::RollCall),
    ("*9", Action::Elevate),
    ("#2", Action::CallBack),
    ("#7", Action::ShowCode),
    ("*1", Action::Help),
    ("*0", Action::Operator),
    ("*2", Action::HostPin),
    ("*7", Action::Lock),
    ("*4", Action::MuteAllToggle),
    ("*8", Action::AdmitAll),
];

/// A map that comes with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltIn {
    /// Zoom's keys, with help, operator and admit added.
    #[default]
    Zoom,
    /// Webex's keys.
    Webex,
    /// Teams' and Lync's keys.
    Microsoft,
    /// No keys: every one is the operator's own.
    Empty,
}

impl BuiltIn {
    /// The map of this name: `zoom`, `webex`, `microsoft`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "zoom" => Some(BuiltIn::Zoom),
            "webex" => Some(BuiltIn::Webex),
            "microsoft" => Some(BuiltIn::Microsoft),
            _ => None,
        }
    }

    const fn table(self) -> &'static [(&'static str, Action)] {
        match self {
            BuiltIn::Zoom => ZOOM,
            BuiltIn::Webex => WEBEX,
            BuiltIn::Microsoft => MICROSOFT,
            BuiltIn::Empty => &[],
        }
    }
}

/// A map as configuration writes it: a base, what is changed on it, and the times.
///
/// ```toml
/// [keys]
/// base = "zoom"
/// sequences = { "*7" = "lock", "*5" = "none" }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySettings {
    /// The map to begin with.
    pub base: BuiltIn,
    /// Sequences of `0`–`9`, `*`, `#`, and what they do; `none` frees one of the base.
    pub sequences: BTreeMap<String, Assignment>,
    /// The key that confirms a destructive action.
    pub confirm: char,
    /// See [`KeyMap::gap`].
    pub gap_ms: u32,
    /// See [`KeyMap::confirm_within`].
    pub confirm_within_ms: u32,
    /// See [`KeyMap::bounce`]; zero is off.
    pub bounce_ms: u32,
}

/// What configuration assigns to a sequence: an action's name, or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assignment {
    /// Nothing.
    None,
    /// This.
    Do(Action),
}

impl Serialize for Assignment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Assignment::None => serializer.serialize_str("none"),
            Assignment::Do(action) => action.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Assignment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "none" => Ok(Assignment::None),
            name => Action::deserialize(name.into_deserializer()).map(Assignment::Do),
        }
    }
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            base: BuiltIn::default(),
            sequences: BTreeMap::new(),
            confirm: '1',
            gap_ms: 2000,
            confirm_within_ms: 8000,
            bounce_ms: 0,
        }
    }
}

/// Why a map cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapError {
    /// A sequence that is empty, too long, or holds what is no key.
    NotKeys(String),
    /// A sequence, and what it was given to do, which is nothing known.
    NoAction(String, String),
    /// The key to confirm with is none, or one that begins sequences.
    BadConfirm(char),
    /// A time out of its range, in milliseconds: its name, least, most.
    BadTime(&'static str, u32, u32),
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MapError::NotKeys(text) => {
                write!(f, "\"{text}\" is no key sequence: one to {LONGEST_SEQUENCE} of 0-9, * and #")
            }
            MapError::NoAction(keys, name) => {
                write!(f, "\"{keys}\" = \"{name}\": there is no such action; there are")?;
                for (index, action) in Action::ALL.iter().enumerate() {
                    write!(f, "{} {}", if index > 0 { "," } else { "" }, action.name())?;
                }
                Ok(())
            }
            MapError::BadConfirm(key) => write!(f, "'{key}' cannot confirm: take a digit that begins no sequence"),
            MapError::BadTime(name, least, most) => write!(f, "{name} must be {least} to {most}"),
        }
    }
}

impl std::error::Error for MapError {}

/// Which keys do what. No two actions share a sequence; a sequence may begin another, then the pause decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "KeySettings", into = "KeySettings")]
pub struct KeyMap {
    sequences: BTreeMap<String, Action>,
    confirm: char,
    gap: Duration,
    confirm_within: Duration,
    bounce: Option<Duration>,
}

impl KeyMap {
    /// The default: Zoom's.
    pub fn zoom() -> Self {
        Self::built_in(BuiltIn::Zoom)
    }

    /// A map that comes with the program.
    pub fn built_in(map: BuiltIn) -> Self {
        let settings = KeySettings::default();
        Self {
            sequences: map.table().iter().map(|(keys, action)| ((*keys).to_owned(), *action)).collect(),
            confirm: settings.confirm,
            gap: millis(settings.gap_ms),
            confirm_within: millis(settings.confirm_within_ms),
            bounce: None,
        }
    }

    /// An operator's own map, whole: sequences and the names of what they do.
    pub fn from_table(table: &BTreeMap<String, String>) -> Result<Self, MapError> {
        let mut settings = KeySettings { base: BuiltIn::Empty, ..KeySettings::default() };
        for (keys, name) in table {
            let assignment: Result<Assignment, serde::de::value::Error> =
                Assignment::deserialize(name.as_str().into_deserializer());
            let assignment = assignment.map_err(|_| MapError::NoAction(keys.clone(), name.clone()))?;
            settings.sequences.insert(keys.clone(), assignment);
        }
        if let Some(free) = ('1'..='9').chain(['0']).find(|key| !table.keys().any(|keys| keys.starts_with(*key))) {
            settings.confirm = free;
        }
        Self::try_from(settings)
    }

    /// What the keys do, by sequence.
    pub fn sequences(&self) -> impl Iterator<Item = (&str, Action)> {
        self.sequences.iter().map(|(keys, action)| (keys.as_str(), *action))
    }

    /// What exactly these keys do.
    pub fn action(&self, keys: &str) -> Option<Action> {
        self.sequences.get(keys).copied()
    }

    /// Whether a longer sequence begins with these keys.
    pub fn continues(&self, keys: &str) -> bool {
        self.sequences
            .range::<str, _>((std::ops::Bound::Excluded(keys), std::ops::Bound::Unbounded))
            .next()
            .is_some_and(|(next, _)| next.starts_with(keys))
    }

    /// Each action that has keys, in the order of [`Action::ALL`], with the sequence to tell people: the shortest,
    /// one with a digit before one without.
    pub fn spoken(&self) -> Vec<(Action, &str)> {
        let rank = |keys: &str| (keys.len(), !keys.bytes().any(|b| b.is_ascii_digit()));
        Action::ALL
            .iter()
            .filter_map(|action| {
                let keys = self.sequences().filter(|(_, does)| does == action).map(|(keys, _)| keys);
                keys.min_by_key(|keys| rank(keys)).map(|keys| (*action, keys))
            })
            .collect()
    }

    /// The key that confirms a destructive action.
    pub const fn confirm(&self) -> char {
        self.confirm
    }

    /// Longest pause between the keys of one sequence. Longer: a lone `*` haunts the next key. Shorter: people who
    /// look for the key on a smartphone's screen are told that it is unknown.
    pub const fn gap(&self) -> Duration {
        self.gap
    }

    /// How long the confirming key is waited for; the question takes some three seconds of it.
    pub const fn confirm_within(&self) -> Duration {
        self.confirm_within
    }

    /// Within this, the same key again is one press: for carriers that turn one press into two events. RFC 4733's
    /// timestamps tell presses apart, so it is off unless asked for; on, it swallows a quick `99`.
    pub const fn bounce(&self) -> Option<Duration> {
        self.bounce
    }
}

impl Default for KeyMap {
    fn default() -> Self {
        Self::zoom()
    }
}

impl TryFrom<KeySettings> for KeyMap {
    type Error = MapError;

    fn try_from(settings: KeySettings) -> Result<Self, MapError> {
        let mut map = Self::built_in(settings.base);
        for (keys, assignment) in settings.sequences {
            if !(1..=LONGEST_SEQUENCE).contains(&keys.len()) || !keys.chars().all(is_key) {
                return Err(MapError::NotKeys(keys));
            }
            match assignment {
                Assignment::None => drop(map.sequences.remove(&keys)),
                Assignment::Do(action) => drop(map.sequences.insert(keys, action)),
            }
        }
        let confirm = settings.confirm;
        if !confirm.is_ascii_digit() || map.sequences.keys().any(|keys| keys.starts_with(confirm)) {
            return Err(MapError::BadConfirm(confirm));
        }
        map.confirm = confirm;
        map.gap = within("gap_ms", settings.gap_ms, 300, 10_000)?;
        map.confirm_within = within("confirm_within_ms", settings.confirm_within_ms, 2000, 60_000)?;
        map.bounce = Some(within("bounce_ms", settings.bounce_ms, 0, 1000)?).filter(|bounce| !bounce.is_zero());
        Ok(map)
    }
}

impl From<KeyMap> for KeySettings {
    fn from(map: KeyMap) -> Self {
        let whole = |length: Duration| u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        Self {
            base: BuiltIn::Empty,
            confirm: map.confirm,
            gap_ms: whole(map.gap),
            confirm_within_ms: whole(map.confirm_within),
            bounce_ms: whole(map.bounce.unwrap_or_default()),
            sequences: map.sequences.into_iter().map(|(keys, action)| (keys, Assignment::Do(action))).collect(),
        }
    }
}

/// Whether a telephone has this key; `A` to `D` are on no caller's.
pub const fn is_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#')
}

fn millis(length: u32) -> Duration {
    Duration::from_millis(length.into())
}

fn within(name: &'static str, value: u32, least: u32, most: u32) -> Result<Duration, MapError> {
    if (least..=most).contains(&value) { Ok(millis(value)) } else { Err(MapError::BadTime(name, least, most)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [BuiltIn; 3] = [BuiltIn::Zoom, BuiltIn::Webex, BuiltIn::Microsoft];

    #[test]
    fn every_map_is_unambiguous_and_mutes_where_fingers_expect_it() {
        for map in ALL {
            let table = map.table();
            let built = KeyMap::built_in(map);
            assert_eq!(built.sequences().count(), table.len(), "{map:?} names a sequence twice");
            for (keys, _) in table {
                assert!(!built.continues(keys), "{map:?}: a pause would have to decide about {keys}");
                assert!(keys.chars().all(is_key));
            }
            assert_eq!(built.action("*6"), Some(Action::MuteSelf));
            for action in [Action::Hand, Action::Lock, Action::RollCall, Action::Count, Action::Help, Action::AdmitAll]
            {
                assert!(built.sequences().any(|(_, does)| does == action), "{map:?} lacks {action:?}");
            }
        }
    }

    #[test]
    fn an_operator_moves_one_key_and_frees_another() {
        let settings = r#"{"base": "zoom", "sequences": {"*7": "lock", "*5": "none"}, "gap_ms": 3000}"#;
        let map: KeyMap = serde_json::from_str(settings).unwrap();
        assert_eq!(map.action("*7"), Some(Action::Lock));
        assert_eq!(map.action("*5"), None);
        assert_eq!(map.action("*6"), Some(Action::MuteSelf));
        assert_eq!(map.gap(), Duration::from_secs(3));
    }

    #[test]
    fn a_map_that_cannot_work_is_refused_by_name() {
        let told = |settings: &str| serde_json::from_str::<KeyMap>(settings).unwrap_err().to_string();
        assert!(told(r#"{"sequences": {"*x": "lock"}}"#).contains("\"*x\" is no key sequence"));
        assert!(told(r#"{"sequences": {"": "lock"}}"#).contains("no key sequence"));
        assert!(told(r#"{"sequences": {"*7": "explode"}}"#).contains("`explode`, expected one of"));
        assert!(told(r#"{"confirm": "9"}"#).contains("'9' cannot confirm"));
        assert!(told(r#"{"gap_ms": 1}"#).contains("gap_ms must be 300 to 10000"));
        assert!(told(r#"{"keymap": "zoom"}"#).contains("unknown field"));
    }

    #[test]
    fn a_map_survives_being_handed_over() {
        for map in ALL {
            let map = KeyMap::built_in(map);
            let written = serde_json::to_string(&map).unwrap();
            assert_eq!(serde_json::from_str::<KeyMap>(&written).unwrap(), map);
        }
    }

    #[test]
    fn a_whole_map_is_read_from_a_table_and_confirms_by_a_key_that_is_free() {
        let table = |pairs: &[(&str, &str)]| {
            KeyMap::from_table(&pairs.iter().map(|(keys, name)| ((*keys).to_owned(), (*name).to_owned())).collect())
        };
        let map = table(&[("*6", "mute"), ("1", "hand"), ("*4", "end")]).unwrap();
        assert_eq!((map.action("*6"), map.action("*9"), map.confirm()), (Some(Action::MuteSelf), None, '2'));
        let told = table(&[("*6", "muet")]).unwrap_err().to_string();
        assert!(told.starts_with("\"*6\" = \"muet\": there is no such action; there are mute-self, hand,"), "{told}");
        assert!(table(&[("+6", "mute")]).is_err());
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
    }

    #[test]
    fn help_tells_the_sequence_with_a_digit() {
        let map = KeyMap::zoom();
        let spoken = map.spoken();
        assert_eq!(spoken.first(), Some(&(Action::MuteSelf, "*6")));
        assert_eq!(spoken.last(), Some(&(Action::Help, "*1")));
    }
}
