//! Reads the keys of a caller in a room: keys and time in, actions out.
//!
//! ```text
//!              key that begins or continues a sequence          destructive
//!   Idle ────────────────► Reading ──────────────► Idle  or  Confirming ──key──► Idle
//!     ▲   pause: the keys so far, or Unknown  │                  │ pause: Cancelled
//!     └───────────────────────────────────────┴──────────────────┘
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{Instant, Now};
use crate::call::keys::{Action, KeyMap, is_key};

/// A fact for the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key was pressed.
    Digit(char),
    /// The deadline of [`KeyReader::poll_timeout`] passed.
    Timeout,
}

impl fmt::Debug for Input {
    /// Keys do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Digit(_) => "Digit",
            Input::Timeout => "Timeout",
        })
    }
}

/// An order of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Do it.
    Do(Action),
    /// Ask whether it is meant; the map's confirming key means yes.
    Confirm(Action),
    /// It was asked for and not confirmed.
    Cancelled(Action),
    /// The keys mean nothing.
    Unknown,
}

/// The reader of one caller's keys.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyReader {
    map: Arc<KeyMap>,
    state: State,
    last: Option<(char, Instant)>,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum State {
    Idle,
    Reading { keys: String, until: Instant },
    Confirming { action: Action, until: Instant },
}

impl KeyReader {
    /// A reader of this map.
    pub fn new(map: Arc<KeyMap>) -> Self {
        Self { map, state: State::Idle, last: None, outputs: VecDeque::new() }
    }

    /// Takes a fact.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Digit(key) => {
                if is_key(key) && !self.bounced(key, now) {
                    self.last = Some((key, now.mono));
                    self.expire(now);
                    self.digit(key, now);
                }
            }
            Input::Timeout => self.expire(now),
        }
    }

    /// The next order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to hand in [`Input::Timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Idle => None,
            State::Reading { until, .. } | State::Confirming { until, .. } => Some(*until),
        }
    }

    /// Never: the reader lives as long as the caller is in the room.
    pub const fn is_done(&self) -> bool {
        false
    }

    /// The map it reads by.
    pub fn map(&self) -> &KeyMap {
        &self.map
    }

    fn bounced(&self, key: char, now: Now) -> bool {
        match (self.map.bounce(), self.last) {
            (Some(bounce), Some((last, at))) => last == key && now.mono.since(at) < bounce,
            (None, _) | (_, None) => false,
        }
    }

    fn expire(&mut self, now: Now) {
        if self.poll_timeout().is_none_or(|until| now.mono < until) {
            return;
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => {}
            State::Reading { keys, .. } => match self.map.action(&keys) {
                Some(action) => self.found(action, now),
                None => self.outputs.push_back(Output::Unknown),
            },
            State::Confirming { action, .. } => self.outputs.push_back(Output::Cancelled(action)),
        }
    }

    fn digit(&mut self, key: char, now: Now) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle => self.read(key.to_string(), now),
            State::Reading { mut keys, .. } => {
                let shorter = self.map.action(&keys);
                keys.push(key);
                if self.map.action(&keys).is_some() || self.map.continues(&keys) {
                    return self.read(keys, now);
                }
                match shorter {
                    // The keys before this one were a whole sequence that others begin with.
                    Some(action) => {
                        self.found(action, now);
                        self.digit(key, now);
                    }
                    None => {
                        self.outputs.push_back(Output::Unknown);
                        // A star begins anew wherever it comes: so people correct themselves.
                        if key == '*' && keys.len() > 1 {
                            self.read(key.to_string(), now);
                        }
                    }
                }
            }
            State::Confirming { action, .. } if key == self.map.confirm() => self.outputs.push_back(Output::Do(action)),
            State::Confirming { action, .. } => {
                self.outputs.push_back(Output::Cancelled(action));
                let begins = key.to_string();
                if self.map.action(&begins).is_some() || self.map.continues(&begins) {
                    self.read(begins, now);
                }
            }
        }
    }

    /// Goes on with keys that are whole, a beginning, both, or neither.
    fn read(&mut self, keys: String, now: Now) {
        match (self.map.action(&keys), self.map.continues(&keys)) {
            (_, true) => self.state = State::Reading { keys, until: now.mono + self.map.gap() },
            (Some(action), false) => self.found(action, now),
            (None, false) => self.outputs.push_back(Output::Unknown),
        }
    }

    fn found(&mut self, action: Action, now: Now) {
        if action.destructive() {
            self.outputs.push_back(Output::Confirm(action));
            self.state = State::Confirming { action, until: now.mono + self.map.confirm_within() };
        } else {
            self.outputs.push_back(Output::Do(action));
        }
    }
}

impl fmt::Debug for KeyReader {
    /// Keys do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyReader").field("until", &self.poll_timeout()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::call::keys::BuiltIn;

    fn at(ms: u64) -> Now {
        Now::default().plus(Duration::from_millis(ms))
    }

    fn map(settings: &str) -> Arc<KeyMap> {
        Arc::new(serde_json::from_str(settings).unwrap())
    }

    /// Presses keys at their times, with every deadline between and after them, and tells what came of it.
    fn pressed(map: Arc<KeyMap>, presses: &[(u64, char)]) -> Vec<Output> {
        let mut reader = KeyReader::new(map);
        let mut outputs = Vec::new();
        for (ms, key) in presses {
            while let Some(due) = reader.poll_timeout().filter(|due| *due <= at(*ms).mono) {
                reader.handle(Input::Timeout, Now { mono: due, ..at(*ms) });
                outputs.extend(std::iter::from_fn(|| reader.poll_output()));
            }
            reader.handle(Input::Digit(*key), at(*ms));
            outputs.extend(std::iter::from_fn(|| reader.poll_output()));
        }
        while let Some(due) = reader.poll_timeout() {
            reader.handle(Input::Timeout, Now { mono: due, ..Now::default() });
            outputs.extend(std::iter::from_fn(|| reader.poll_output()));
        }
        outputs
    }

    /// The keys of a text, 300 ms apart.
    fn evenly(text: &str) -> Vec<(u64, char)> {
        (0..).step_by(300).zip(text.chars()).collect()
    }

    const END: Action = Action::End;

    #[test]
    fn star_six_mutes_at_once_and_a_lone_star_is_answered_after_the_pause() {
        let zoom = Arc::new(KeyMap::zoom());
        assert_eq!(pressed(zoom.clone(), &evenly("*6")), [Output::Do(Action::MuteSelf)]);
        assert_eq!(pressed(zoom.clone(), &evenly("*")), [Output::Unknown]);
        assert_eq!(pressed(zoom.clone(), &[(0, '*'), (5000, '6')]), [Output::Unknown, Output::Unknown]);
        assert_eq!(pressed(zoom, &evenly("9*6")), [Output::Unknown, Output::Do(Action::MuteSelf)]);
    }

    #[test]
    fn ending_the_meeting_takes_a_second_key_in_time() {
        let zoom = Arc::new(KeyMap::zoom());
        assert_eq!(pressed(zoom.clone(), &evenly("*41")), [Output::Confirm(END), Output::Do(END)]);
        assert_eq!(pressed(zoom.clone(), &evenly("*42")), [Output::Confirm(END), Output::Cancelled(END)]);
        let late = [(0, '*'), (300, '4'), (9000, '1')];
        assert_eq!(pressed(zoom.clone(), &late), [Output::Confirm(END), Output::Cancelled(END), Output::Unknown]);
        let other = [Output::Confirm(END), Output::Cancelled(END), Output::Do(Action::MuteSelf)];
        assert_eq!(pressed(zoom, &evenly("*4*6")), other, "who meant to mute mutes");
    }

    #[test]
    fn a_sequence_that_begins_another_waits_and_the_longest_wins() {
        let both = map(r#"{"base": "empty", "sequences": {"*2": "hand", "*21": "lock"}, "confirm": "9"}"#);
        assert_eq!(pressed(both.clone(), &evenly("*21")), [Output::Do(Action::Lock)]);
        assert_eq!(pressed(both.clone(), &evenly("*2")), [Output::Do(Action::Hand)]);
        assert_eq!(pressed(both.clone(), &evenly("*2*21")), [Output::Do(Action::Hand), Output::Do(Action::Lock)]);
        assert_eq!(pressed(both, &[(0, '*'), (300, '2'), (4000, '1')]), [Output::Do(Action::Hand), Output::Unknown]);
    }

    #[test]
    fn a_bouncing_key_counts_once_only_where_the_map_says_so() {
        let presses = [(0, '*'), (100, '*'), (400, '6'), (500, '6')];
        let steady = map(r#"{"bounce_ms": 250}"#);
        assert_eq!(pressed(steady, &presses), [Output::Do(Action::MuteSelf)]);
        let zoom = Arc::new(KeyMap::zoom());
        assert_eq!(pressed(zoom.clone(), &presses), [Output::Do(Action::Help), Output::Unknown, Output::Unknown]);
        assert_eq!(pressed(zoom, &[(0, '9'), (150, '9')]), [Output::Do(Action::MuteAllToggle)]);
    }

    #[test]
    fn a_reader_is_handed_over_in_the_middle_of_a_sequence_and_does_not_print_it() {
        let mut reader = KeyReader::new(Arc::new(KeyMap::zoom()));
        reader.handle(Input::Digit('9'), at(0));
        assert!(!format!("{:?}", Input::Digit('9')).contains('9'));
        assert!(!format!("{reader:?}").contains("keys"));
        let written = serde_json::to_string(&reader).unwrap();
        let mut reader: KeyReader = serde_json::from_str(&written).unwrap();
        reader.handle(Input::Digit('9'), at(500));
        assert_eq!(reader.poll_output(), Some(Output::Do(Action::MuteAllToggle)));
    }

    proptest! {
        #[test]
        fn every_sequence_of_a_map_does_what_the_map_says_whatever_came_before(
            which in 0usize..3,
            index in any::<prop::sample::Index>(),
            before in "[0-9*#]{0,8}",
        ) {
            let built = [BuiltIn::Zoom, BuiltIn::Webex, BuiltIn::Microsoft][which];
            let map = Arc::new(KeyMap::built_in(built));
            let all: Vec<(String, Action)> = map.sequences().map(|(keys, action)| (keys.to_owned(), action)).collect();
            let (keys, action) = index.get(&all).clone();
            let mut presses = evenly(&before);
            presses.extend(evenly(&keys).into_iter().map(|(ms, key)| (60_000 + ms, key)));
            let outputs = pressed(map.clone(), &presses);
            // A destructive action is answered and then, unconfirmed, withdrawn.
            let expected = if action.destructive() {
                vec![Output::Confirm(action), Output::Cancelled(action)]
            } else {
                vec![Output::Do(action)]
            };
            prop_assert!(outputs.ends_with(&expected), "{outputs:?}");
        }

        #[test]
        fn keys_that_hold_no_sequence_never_do_anything(which in 0usize..3, keys in "[0-9*#A-D]{0,24}") {
            let built = [BuiltIn::Zoom, BuiltIn::Webex, BuiltIn::Microsoft][which];
            let map = Arc::new(KeyMap::built_in(built));
            // A key that would complete a sequence is left out; those of no telephone are kept, and mean nothing.
            let mut pressable = String::new();
            for key in keys.chars() {
                pressable.push(key);
                let heard: String = pressable.chars().filter(|key| is_key(*key)).collect();
                if map.sequences().any(|(sequence, _)| heard.ends_with(sequence)) {
                    pressable.pop();
                }
            }
            let outputs = pressed(map, &evenly(&pressable));
            prop_assert!(outputs.iter().all(|output| *output == Output::Unknown), "{outputs:?}");
        }

        #[test]
        fn nothing_destructive_is_done_without_its_question_just_before(keys in "[0-9*#]{0,40}") {
            let outputs = pressed(Arc::new(KeyMap::zoom()), &evenly(&keys));
            for (index, output) in outputs.iter().enumerate() {
                if *output == Output::Do(END) {
                    prop_assert_eq!(index.checked_sub(1).and_then(|before| outputs.get(before)), Some(&Output::Confirm(END)));
                }
            }
        }
    }
}
