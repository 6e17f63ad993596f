//! A telephone that goes silent, begins anew or moves, and the program that runs: from the moment at which its first proper packet left until
//! the kernel has the packet for a listener that completes 10 ms of its tone. Between two, whose packets are passed on, and among
//! three, where they are mixed.

use std::time::Duration;

use ringlift::engine::os;
use ringlift::wire::codec::Codec;

use crate::common::bare::Bare;
use crate::common::gateway::{self, Gateway};
use crate::common::{ms, s, talk, until};

/// What Anna says before and after: 10 ms hold whole periods of every tone here.
const TONES: [f32; 2] = [400.0, 900.0];
const BEN: f32 = 1300.0;
const CARLA: f32 = 1700.0;

/// The longest that may be missing.
const MOST: Duration = ms(60);

/// Of which the best counts: a machine that looks away for a moment is not the program's fault, and does so once.
const TRIES: usize = 3;

/// People in the gateway's one room.
pub struct People {
    pub anna: Bare,
    pub ben: Bare,
    pub carla: Option<Bare>,
    /// What Anna says now.
    turn: usize,
}

impl People {
    /// They call; they hear each other clearly from now on.
    #[track_caller]
    pub fn call(gateway: &Gateway, room: &str, codec: Codec, count: usize) -> Self {
        let anna = Bare::call(gateway, codec, TONES[0]);
        let ben = Bare::call(gateway, codec, BEN);
        let carla = (count > 2).then(|| Bare::call(gateway, codec, CARLA));
        gateway.has_in_room(room, count, s(10));
        let people = Self { anna, ben, carla, turn: 0 };
        until("the prompts at the door to be over", s(20), || {
            let clear =
                |phone: &Bare, tones: &[f32]| tones.iter().all(|tone| phone.heard().loudness(*tone, ms(400)) > 3500.0);
            let others: &[f32] = if count > 2 { &[BEN, CARLA] } else { &[BEN] };
            let far: &[f32] = if count > 2 { &[TONES[0], CARLA] } else { &[TONES[0]] };
            let third = people.carla.as_ref().is_none_or(|carla| clear(carla, &[TONES[0], BEN]));
            (clear(&people.anna, others) && clear(&people.ben, far) && third).then_some(())
        });
        people
    }

    /// How loud Anna's tone has to be at Ben's ear to be there: two thirds of what it was until now.
    pub fn loud(&self) -> f32 {
        let loud = self.ben.heard().loudness(TONES[self.turn], ms(400)) * 2.0 / 3.0;
        assert!(loud > 2000.0, "Ben does not hear Anna: {loud}");
        loud
    }

    /// Anna has another tone from now on, so that what she says anew is told from what was said before.
    pub fn another_tone(&mut self) {
        self.turn = 1 - self.turn;
        self.anna.mouth().tone = TONES[self.turn];
    }

    /// How long after her packet of this number left Ben hears Anna's tone.
    #[track_caller]
    pub fn until_heard(&self, packet: usize, loud: f32) -> Duration {
        let (left, tone) = (self.anna.left(packet), TONES[self.turn]);
        until("Ben to hear Anna again", s(3), || self.ben.heard().came_after(left, tone, loud))
    }

    pub fn hang_up(self) {
        self.anna.hang_up();
        self.ben.hang_up();
        self.carla.into_iter().for_each(Bare::hang_up);
    }
}

/// Does something with Anna that ends in her speaking, up to three times: how long until she is heard, and where she was never to
/// be silent, how long she was missing.
#[track_caller]
fn try_it(people: &mut People, what: &str, silent: bool, mut change: impl FnMut(&mut People) -> usize) {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let (loud, since) = (people.loud(), os::wall());
        people.another_tone();
        let first = change(people);
        let back = people.until_heard(first, loud);
        talk(ms(500));
        let away = people.ben.heard().longest_without(since, &TONES, loud);
        let left = people.anna.left(first);
        let steady = people.ben.heard().longest_without(left + back, &TONES, loud);
        let latest = std::mem::take(&mut people.anna.mouth().latest);
        println!(
            "{what}: heard after {back:.1?}, missing for {away:?}, then for {steady:?}; her clock was {latest:.1?} late at worst"
        );
        seen.push((back, away, steady));
        // A codec that listens ahead begins a tone softly; a hole would be longer.
        if back <= MOST && steady < ms(10) && (silent || away <= MOST) {
            return;
        }
    }
    panic!("{what}: heard after, missing for, and then for: {seen:?}");
}

fn gateway_of_all_codecs() -> (Gateway, String) {
    let codecs = r#"codecs = ["PCMU", "PCMA", "G722", "OPUS"]"#;
    gateway::Setup::new().with("media", codecs).start_with_open_room()
}

#[track_caller]
fn whatever_anna_does_she_is_back(combinations: [(Codec, usize); 2]) {
    let (gateway, room) = gateway_of_all_codecs();
    for (codec, count) in combinations {
        let mut people = People::call(&gateway, &room, codec, count);
        let of = format!("{codec:?}, {count} people");
        try_it(&mut people, &format!("{of}, silent for 3 s"), true, |people| {
            people.anna.mouth().sends = false;
            talk(s(3));
            let mut mouth = people.anna.mouth();
            mouth.sends = true;
            mouth.left.len()
        });
        // Her packets come anywhere between two of the gateway's ticks.
        for _ in 0..4 {
            people.anna.mouth().fall_behind(ms(5));
            talk(ms(600));
            try_it(&mut people, &format!("{of}, begins anew"), false, |people| {
                let mut mouth = people.anna.mouth();
                mouth.begin_anew();
                mouth.left.len()
            });
        }
        try_it(&mut people, &format!("{of}, moves by an offer"), true, |people| people.anna.move_by_offer());
        // What Anna hears follows her.
        let count_before = people.anna.heard().count();
        until("Anna to hear at her new port", s(2), || (people.anna.heard().count() > count_before + 5).then_some(()));
        try_it(&mut people, &format!("{of}, moves without a word and comes back"), true, |people| {
            people.anna.move_silently();
            // What left before, or while she moved, is over by then.
            let moved = people.anna.mouth().left.len() + 5;
            talk(s(1));
            let (left, tone) = (people.anna.left(moved), TONES[people.turn]);
            assert_eq!(people.ben.heard().came_after(left, tone, 1000.0), None, "a stranger is heard");
            people.anna.move_back()
        });
        people.hang_up();
        gateway.settles();
    }
    gateway.done();
}

#[test]
fn who_goes_silent_begins_anew_or_moves_is_heard_60_ms_later_in_g711() {
    whatever_anna_does_she_is_back([(Codec::Pcmu, 2), (Codec::Pcmu, 3)]);
}

#[test]
fn who_goes_silent_begins_anew_or_moves_is_heard_60_ms_later_in_opus_and_g722() {
    whatever_anna_does_she_is_back([(Codec::G722, 3), (Codec::Opus, 2)]);
}

#[test]
fn who_asks_for_nothing_in_pauses_by_opus_is_sent_little_in_them_and_the_first_word_60_ms_later() {
    let (gateway, room) = gateway_of_all_codecs();
    let anna = Bare::call(&gateway, Codec::Pcmu, TONES[0]);
    let ben = Bare::call_with(&gateway, Codec::Opus, "useinbandfec=1;usedtx=1", 0.0);
    gateway.has_in_room(&room, 2, s(10));
    until("Ben to hear Anna", s(20), || (ben.heard().loudness(TONES[0], ms(400)) > 3500.0).then_some(()));
    let mut people = People { anna, ben, carla: None, turn: 0 };
    try_it(&mut people, "a pause of 3 s, in which little is sent", true, |people| {
        let tone = std::mem::take(&mut people.anna.mouth().tone);
        // The encoder listens for a while whether it goes on.
        talk(ms(600));
        let since = os::wall();
        talk(ms(2400));
        let came = people.ben.heard().pace(since);
        println!("{} packets in 2.4 s of silence", came.len());
        assert!((3..=14).contains(&came.len()), "{came:?}");
        let mut mouth = people.anna.mouth();
        mouth.tone = tone;
        mouth.left.len()
    });
    people.hang_up();
    gateway.done();
}
