//! What becomes of browsers' packets, one by one.

use super::*;
use crate::base::LegId;
use crate::media::outlet::Outbox;
use crate::media::web::Packet;

const ROOM: RoomId = RoomId::from_bits(1);

struct Talk {
    slots: Slots,
    outbox: Outbox,
    now: Instant,
}

fn who(number: u32) -> (LegKey, ParticipantId) {
    (LegKey(number), ParticipantId::from_bits(u64::from(number)))
}

impl Talk {
    fn new() -> Self {
        let now = Instant::from_start(Duration::from_secs(10));
        Self { slots: Slots::new(ROOM), outbox: Outbox::default(), now }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = self.now + Duration::from_millis(milliseconds);
    }

    fn seat(&mut self, speakers: &[u32]) {
        self.slots.seat(speakers.iter().map(|number| who(*number)), self.now);
    }

    /// A packet of 20 ms comes; returns its timestamp and whether it is the first, where it goes on.
    fn say(&mut self, number: u32, sequence: u16, timestamp: u32) -> Option<(u32, bool)> {
        let payload = Packet::copy(&[0xf8, 1, 2]).unwrap();
        let voice = Voice { leg: LegId::from_bits(0), sequence, timestamp, level: 20, payload };
        self.outbox.clear();
        self.slots.forward(LegKey(number), None, (&voice, 960), self.now, &mut self.outbox);
        self.outbox.slots().first().map(|frame| (frame.timestamp, frame.first))
    }

    fn owners(&self) -> [Option<u32>; SLOTS] {
        self.slots.slots.each_ref().map(|slot| slot.owner.map(|(leg, _)| leg.0))
    }
}

#[test]
fn a_speaker_keeps_its_slot_and_a_new_one_takes_the_one_unused_for_longest() {
    let mut talk = Talk::new();
    talk.seat(&[1, 2, 3]);
    assert_eq!(talk.owners(), [Some(1), Some(2), Some(3), None]);
    talk.pass(20);
    talk.seat(&[3, 1]);
    talk.pass(20);
    talk.seat(&[3]);
    assert_eq!(talk.owners(), [Some(1), Some(2), Some(3), None], "nobody needs theirs");
    talk.pass(20);
    talk.seat(&[4, 3]);
    assert_eq!(talk.owners(), [Some(1), Some(2), Some(3), Some(4)], "the free one first");
    talk.pass(20);
    talk.seat(&[4, 5, 3]);
    assert_eq!(talk.owners(), [Some(1), Some(5), Some(3), Some(4)], "the second was silent for longest");
    talk.pass(20);
    talk.seat(&[1, 2, 5, 3]);
    assert_eq!(talk.owners(), [Some(1), Some(5), Some(3), Some(2)], "the first has its own again");
    let mut events = Vec::new();
    talk.slots.tell(&mut events);
    let slots = [1, 5, 3, 2].map(|number| Some(who(number).1));
    assert_eq!(events, [MediaEvent::Slots { room: ROOM, slots }]);
    talk.slots.tell(&mut events);
    assert_eq!(events.len(), 1, "told once");
}

#[test]
fn a_fifth_is_let_in_between_ticks_only_where_somebody_is_silent() {
    let mut talk = Talk::new();
    talk.seat(&[1, 2, 3, 4]);
    let (leg, participant) = who(5);
    assert!(!talk.slots.admit(leg, participant, talk.now));
    talk.pass(20);
    talk.seat(&[1, 2, 3]);
    assert!(talk.slots.admit(leg, participant, talk.now) && talk.slots.has(leg));
    assert_eq!(talk.owners()[3], Some(5));
}

#[test]
fn silence_stays_a_gap_loss_is_none_and_what_is_late_falls() {
    let mut talk = Talk::new();
    talk.seat(&[1]);
    let (start, first) = talk.say(1, 10, 50_000).unwrap();
    assert!(first);
    assert_eq!(start, 480_000, "by the program's clock");
    talk.pass(20);
    assert_eq!(talk.say(1, 11, 50_960), Some((start + 960, false)));
    assert_eq!(talk.say(1, 13, 52_880), Some((start + 2880, false)), "one is missing");
    assert_eq!(talk.say(1, 12, 51_920), None, "it came too late");
    talk.pass(420);
    assert_eq!(talk.say(1, 14, 72_080), Some((start + 22_080, true)), "nothing was said meanwhile");
    talk.pass(20);
    assert_eq!(talk.say(1, 15, 73_040), Some((start + 23_040, false)));
}

#[test]
fn timestamps_go_on_when_another_takes_over_or_begins_anew() {
    let mut talk = Talk::new();
    talk.seat(&[1, 2, 3, 4]);
    let (start, _) = talk.say(1, 10, 5).unwrap();
    talk.pass(100);
    talk.seat(&[5, 2, 3, 4]);
    assert_eq!(talk.say(1, 11, 965), None, "no slot of its own");
    assert_eq!(talk.say(5, 900, 3_000_000_000), Some((start + 4800, true)));
    assert_eq!(talk.say(5, 901, 3_000_000_960), Some((start + 5760, false)), "of one moment, one after the other");
    talk.pass(40);
    // Its page was loaded anew.
    let again = start + 4800 + 960 + 1920;
    assert_eq!(talk.say(5, 7, 1_000_000), Some((again, true)));
    talk.pass(20);
    assert_eq!(talk.say(5, 8, 1_000_960), Some((again + 960, false)));
    // Days later.
    talk.pass(5 * 24 * 3600 * 1000);
    let (late, first) = talk.say(5, 9, 77).unwrap();
    assert!(first && late.wrapping_sub(again + 960).cast_signed() > 0);
}

#[test]
fn a_telephone_goes_on_where_a_browser_stopped_and_the_pause_between_its_words_is_a_gap() {
    let mut talk = Talk::new();
    talk.slots.prepare(true);
    talk.seat(&[1, 6, 7, 8]);
    let (start, _) = talk.say(1, 10, 5).unwrap();
    talk.pass(20);
    talk.slots.leave(LegKey(1));
    talk.seat(&[2, 6, 7, 8]);
    assert_eq!(talk.owners()[0], Some(2));
    let tone: Vec<i16> = (0..960).map(|n: i32| ((n % 100) * 100 - 5000) as i16).collect();
    let mut sent = Vec::new();
    for turn in 0..100 {
        talk.outbox.clear();
        // It is no speaker for a while.
        if !(50..75).contains(&turn) {
            talk.slots.speak(LegKey(2), None, &tone, talk.now, &mut talk.outbox);
        }
        sent.extend(talk.outbox.slots().iter().map(|frame| (frame.timestamp, frame.first)));
        talk.pass(20);
    }
    assert_eq!(sent[0], (start + 960, true));
    assert_eq!(sent[49], (start + 50 * 960, false));
    assert_eq!(sent[50..52], [(start + 76 * 960, true), (start + 77 * 960, false)]);
    assert_eq!(sent.len(), 75);
}

#[test]
fn ears_tell_whether_anybody_else_listens() {
    let mut ears = Ears::None;
    let [anna, ben] = [1, 2].map(ParticipantId::from_bits);
    assert!(!ears.any() && !ears.any_but(anna));
    ears.note(anna);
    ears.note(anna);
    assert!(ears.any() && !ears.any_but(anna) && ears.any_but(ben));
    ears.note(ben);
    assert!(ears.any_but(anna) && ears.any_but(ben));
}
