//! Callers and the attendant, told as stories.

use proptest::prelude::*;

use super::*;

const ROOM: RoomId = RoomId::from_bits(7);

/// A caller, the attendant, and a store that knows two PINs; time passes as the caller says.
struct Story {
    attendant: Attendant,
    now: Now,
    heard: Vec<String>,
    asked: Vec<String>,
    playing: Option<PlayId>,
    /// The store keeps its answer to itself.
    mute_store: bool,
    throttled: bool,
}

impl Story {
    fn of(settings: AttendantSettings) -> Self {
        Self {
            attendant: Attendant::new(settings, PlayId(40)),
            now: Now::default(),
            heard: Vec::new(),
            asked: Vec::new(),
            playing: None,
            mute_store: false,
            throttled: false,
        }
    }

    fn begun() -> Self {
        let mut story = Self::of(AttendantSettings::default());
        story.give(Input::Started);
        story
    }

    fn offering(tags: &[&str]) -> Self {
        let languages = tags.iter().map(|tag| Language::parse(tag).unwrap()).collect();
        Self::of(AttendantSettings { languages, ..AttendantSettings::default() })
    }

    fn give(&mut self, input: Input) {
        self.attendant.handle(input, self.now);
        while let Some(output) = self.attendant.poll_output() {
            match output {
                Output::Play { play, clips } => {
                    self.playing = Some(play);
                    let words = clips.iter().filter_map(|clip| match clip {
                        Clip::Prompt(language, name) => Some(format!("{language}/{name}")),
                        _ => None,
                    });
                    self.heard.extend(words);
                }
                Output::StopPlaying => {
                    self.playing = None;
                    self.heard.push("(silence)".into());
                }
                Output::CheckPin(pin) => {
                    self.asked.push(pin.expose().to_owned());
                    let outcome = match pin.expose() {
                        _ if self.throttled => PinOutcome::Throttled,
                        "4711" => PinOutcome::Guest { room: ROOM },
                        "1" => PinOutcome::Host { room: ROOM },
                        _ => PinOutcome::Wrong,
                    };
                    if !self.mute_store {
                        self.give(Input::PinChecked(outcome));
                    }
                }
                Output::Enter { room, host, language } => {
                    assert_eq!(room, ROOM);
                    self.heard.push(format!("enter as {} in {}", if host { "host" } else { "guest" }, language.tag()));
                }
                Output::HangUp(cause) => self.heard.push(format!("{cause:?}")),
            }
        }
    }

    /// Presses keys, each held for 100 ms, 200 ms apart.
    fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.give(Input::DigitBegan);
            self.wait(100);
            self.give(Input::Digit(key));
            self.wait(100);
        }
    }

    /// Lets time pass; deadlines are kept.
    fn wait(&mut self, ms: u64) {
        let until = self.now.plus(Duration::from_millis(ms));
        while let Some(due) = self.attendant.poll_timeout().filter(|due| *due <= until.mono) {
            self.now = self.now.plus(due.since(self.now.mono));
            self.give(Input::Timeout);
        }
        self.now = until;
    }

    /// Listens to the end of what is played.
    fn listen(&mut self) {
        self.wait(4000);
        if let Some(play) = self.playing.take() {
            self.give(Input::Played(play));
        }
    }

    fn told(&mut self) -> String {
        std::mem::take(&mut self.heard).join(" ")
    }
}

#[test]
fn a_caller_keys_the_pin_and_enters() {
    let mut story = Story::begun();
    assert_eq!(story.told(), "en/greeting en/enter-pin");
    story.listen();
    story.keys("4711#");
    assert_eq!(story.told(), "enter as guest in en");
    assert!(story.attendant.is_done());
    assert_eq!(story.attendant.next_play(), PlayId(41));
}

#[test]
fn the_first_key_silences_the_prompt_when_it_goes_down() {
    let mut story = Story::begun();
    story.told();
    story.wait(500);
    story.give(Input::DigitBegan);
    assert_eq!(story.told(), "(silence)");
    story.give(Input::Digit('1'));
    story.keys("#");
    assert_eq!(story.told(), "enter as host in en");
}

#[test]
fn a_key_by_info_alone_silences_the_prompt_too() {
    let mut story = Story::begun();
    story.give(Input::Digit('4'));
    assert!(story.told().ends_with("(silence)"));
}

#[test]
fn a_pin_without_pound_is_taken_after_a_pause_even_when_it_is_whole_already() {
    let mut story = Story::begun();
    story.keys("4711");
    story.wait(2800);
    assert!(story.asked.is_empty(), "whether these digits are a PIN must not be told by asking early");
    story.wait(200);
    assert_eq!(story.asked, ["4711"]);
}

#[test]
fn digits_read_in_groups_are_one_pin() {
    let mut story = Story::begun();
    story.keys("47");
    story.wait(2500);
    story.keys("11#");
    assert_eq!(story.asked, ["4711"]);
}

#[test]
fn a_dial_string_is_heard_before_and_during_the_answer() {
    let mut story = Story::of(AttendantSettings::default());
    story.keys("47");
    story.give(Input::Started);
    assert_eq!(story.told(), "", "who keys already is not talked to");
    story.keys("11#");
    assert_eq!(story.told(), "enter as guest in en");

    let mut story = Story::of(AttendantSettings::default());
    story.keys("4711#");
    story.give(Input::Started);
    assert_eq!(story.told(), "enter as guest in en");
}

#[test]
fn three_wrong_pins_and_the_goodbye_is_heard_to_its_end() {
    let mut story = Story::begun();
    story.keys("1234#");
    story.listen();
    story.keys("99#");
    assert!(story.told().ends_with("en/pin-wrong en/pin-wrong"));
    story.keys("98765#");
    assert_eq!(story.told(), "(silence) en/pin-wrong-last");
    story.keys("4711#");
    assert_eq!(story.told(), "", "the goodbye is not interrupted, and the fourth is not asked about");
    story.listen();
    assert_eq!(story.told(), "WrongPin");
    assert_eq!(story.asked.len(), 3);
}

#[test]
fn a_silent_caller_is_asked_three_times_in_all() {
    let mut story = Story::begun();
    story.told();
    for _ in 0..2 {
        story.listen();
        story.wait(9_990);
        assert_eq!(story.told(), "");
        story.wait(10);
        assert_eq!(story.told(), "en/enter-pin");
    }
    story.listen();
    story.wait(10_000);
    assert_eq!(story.told(), "en/no-pin");
    story.listen();
    assert_eq!(story.told(), "NoPin");
}

#[test]
fn star_begins_the_pin_anew_and_asks_again() {
    let mut story = Story::begun();
    story.keys("99*");
    assert!(story.told().ends_with("en/enter-pin"));
    story.keys("4711#");
    assert_eq!(story.asked, ["4711"]);
}

#[test]
fn a_line_is_not_held_forever_by_pressing_star() {
    let mut story = Story::begun();
    for _ in 0..30 {
        story.keys("*");
        story.wait(9000);
    }
    let told = story.told();
    assert!(told.ends_with("en/no-pin"), "{told}");
    story.listen();
    assert!(story.told().ends_with("NoPin"));
}

#[test]
fn a_throttled_caller_is_told_and_sent_away() {
    let mut story = Story::begun();
    story.throttled = true;
    story.keys("4711#");
    assert!(story.told().ends_with("en/throttled"));
    story.listen();
    assert_eq!(story.told(), "Throttled");
}

#[test]
fn a_store_that_does_not_answer_ends_in_an_apology() {
    let mut story = Story::begun();
    story.mute_store = true;
    story.keys("4711#");
    story.told();
    story.wait(5000);
    assert_eq!(story.told(), "en/technical-problem");
    story.give(Input::PinChecked(PinOutcome::Guest { room: ROOM }));
    story.listen();
    assert_eq!(story.told(), "Internal");
}

#[test]
fn keys_pressed_while_a_wrong_pin_is_checked_begin_the_next() {
    let mut story = Story::begun();
    story.mute_store = true;
    story.keys("47#");
    story.keys("471");
    story.mute_store = false;
    story.give(Input::PinChecked(PinOutcome::Wrong));
    story.keys("1#");
    assert_eq!(story.asked, ["47", "4711"]);
    assert!(story.told().ends_with("enter as guest in en"));
}

#[test]
fn a_caller_chooses_a_language_and_stays_in_it() {
    let mut story = Story::offering(&["en", "es", "zh"]);
    story.give(Input::Started);
    let offer = "en/choose-language en/digit-1 es/choose-language es/digit-2 zh/choose-language zh/digit-3";
    assert_eq!(story.told(), offer);
    story.keys("3");
    assert_eq!(story.told(), "(silence) zh/greeting zh/enter-pin");
    story.keys("4711#");
    assert_eq!(story.told(), "(silence) enter as guest in zh");
}

#[test]
fn who_chooses_no_language_gets_the_first_and_a_pin_may_begin_with_a_key_that_chooses_none() {
    let mut story = Story::offering(&["de", "fr"]);
    story.give(Input::Started);
    story.listen();
    story.told();
    story.wait(4000);
    assert_eq!(story.told(), "de/greeting de/enter-pin");

    let mut story = Story::offering(&["de", "fr"]);
    story.keys("4711#");
    story.give(Input::Started);
    assert_eq!(story.told(), "enter as guest in de");

    let mut story = Story::offering(&["de", "fr"]);
    story.keys("24711#");
    story.give(Input::Started);
    assert!(story.told().ends_with("enter as guest in fr"));
}

#[test]
fn a_report_about_an_earlier_prompt_changes_nothing() {
    let mut story = Story::begun();
    let first = story.playing.unwrap();
    story.keys("*");
    story.told();
    story.give(Input::Played(first));
    story.wait(LONGEST_PROMPT.as_millis() as u64 - 200);
    assert_eq!(story.told(), "", "the prompt that plays now has not ended");
}

#[test]
fn a_caller_who_hangs_up_leaves_nothing_to_do() {
    let mut story = Story::begun();
    story.keys("47");
    story.told();
    story.give(Input::Gone);
    story.wait(100_000);
    story.keys("11#");
    assert_eq!(story.told(), "");
    assert!(story.attendant.is_done() && story.attendant.poll_timeout().is_none());
}

#[test]
fn an_attendant_is_handed_over_in_the_middle_of_a_pin_and_does_not_print_it() {
    let mut story = Story::begun();
    story.keys("47");
    let shown = format!("{:?} {:?} {:?}", story.attendant, Input::Digit('4'), Output::CheckPin(Secret::new("4711")));
    assert!(!shown.contains('4') && !shown.contains('7'), "{shown}");
    let written = serde_json::to_string(&story.attendant).unwrap();
    story.attendant = serde_json::from_str(&written).unwrap();
    story.keys("11#");
    assert_eq!(story.asked, ["4711"]);
}

proptest! {
    #[test]
    fn whatever_is_keyed_and_whenever_the_call_ends_and_no_more_is_asked_than_tries(
        presses in prop::collection::vec((prop::char::any(), 0u64..15_000), 0..60),
        languages in 0usize..3,
    ) {
        let tags = ["en", "de", "fr"];
        let mut story = Story::offering(&tags[..languages]);
        story.give(Input::Started);
        for (key, pause) in presses {
            story.give(Input::Digit(key));
            story.wait(pause);
            prop_assert!(story.asked.len() <= 3);
        }
        story.wait(600_000);
        prop_assert!(story.attendant.is_done());
    }

    #[test]
    fn any_pin_is_asked_about_as_it_was_keyed(pin in "[0-9]{1,20}", pound in any::<bool>()) {
        let mut story = Story::begun();
        story.keys(&pin);
        if pound { story.keys("#") } else { story.wait(3000) }
        prop_assert_eq!(&story.asked[..], &[pin]);
    }
}
