//! Stories about people in a room.

use std::time::Duration;

use super::*;
use crate::base::{Cause, Instant, LegId, Now, ParticipantId, RoomId, Utc};

struct Scene {
    room: Room,
    told: Vec<(u64, Announcement)>,
    outputs: Vec<Output>,
}

fn at(seconds: u64) -> Now {
    Now { mono: Instant::START + Duration::from_secs(seconds), utc: Utc(0) }
}

fn id(n: u64) -> ParticipantId {
    ParticipantId::from_bits(n)
}

impl Scene {
    fn new(change: impl FnOnce(&mut RoomSettings)) -> Self {
        let mut settings = RoomSettings::new(RoomId::from_bits(1), "Room");
        settings.first_caller = FirstCaller::Start;
        change(&mut settings);
        Self { room: Room::new(settings, Duration::from_secs(600)), told: vec![], outputs: vec![] }
    }

    fn comes(&mut self, n: u64, host: bool) -> &mut Self {
        self.room.enter(
            Entrant {
                vouched: false,
                id: id(n),
                leg: LegId::from_bits(n),
                number: None,
                name: None,
                role: if host { Role::Host } else { Role::Guest },
                language: "en".into(),
                held: false,
                browser: false,
                muted: false,
                signs: Vec::new(),
            },
            at(0),
        );
        self.drain()
    }

    fn does(&mut self, actor: Actor, operation: Operation) -> Result<(), Refusal> {
        let result = self.room.operate(actor, &operation, at(0));
        self.drain();
        result
    }

    fn drain(&mut self) -> &mut Self {
        self.outputs.clear();
        while let Some(output) = self.room.poll_output() {
            match &output {
                Output::Tell { leg, what } | Output::Dismiss { leg, what, .. } => {
                    self.told.push((leg.bits(), what.clone()))
                }
                Output::Attach { .. }
                | Output::Detach { .. }
                | Output::SetMuted { .. }
                | Output::Direct { .. }
                | Output::Release { .. }
                | Output::Wait { .. }
                | Output::Tone { .. }
                | Output::Chat(_)
                | Output::Reacted { .. }
                | Output::Withdraw { .. }
                | Output::Report(_) => {}
            }
            self.outputs.push(output);
        }
        self
    }

    fn state(&self, n: u64) -> Option<State> {
        self.room.participant(id(n)).map(|p| p.state)
    }

    fn muted(&self, n: u64) -> bool {
        self.room.participant(id(n)).is_some_and(Participant::is_muted)
    }
}

#[test]
fn the_first_caller_hears_music_until_a_second_comes_and_again_when_left_alone() {
    let mut scene = Scene::new(|s| s.first_caller = FirstCaller::Music);
    scene.comes(1, false);
    let wait = |n, how| Output::Wait { leg: LegId::from_bits(n), how };
    assert!(scene.outputs.contains(&wait(1, Some(Waiting::Music))));
    scene.comes(2, false);
    assert!(scene.outputs.contains(&wait(1, None)));
    assert!(scene.outputs.contains(&Output::Tone { entry: true }));
    scene.room.leave(id(1), Cause::HungUp);
    scene.drain();
    assert!(scene.outputs.contains(&wait(2, Some(Waiting::Music))));
    scene.room.leave(id(2), Cause::HungUp);
    scene.drain();
    assert!(scene.outputs.contains(&Output::Report(Change::Ended)));
    assert!(scene.room.is_empty());
}

#[test]
fn guests_wait_for_the_host_where_the_room_wants_it() {
    let mut scene = Scene::new(|s| s.first_caller = FirstCaller::Host);
    scene.comes(1, false).comes(2, false);
    assert_eq!(scene.state(1), Some(State::WaitingForHost));
    scene.comes(3, true);
    assert_eq!(
        (scene.state(1), scene.state(2), scene.state(3)),
        (Some(State::Active), Some(State::Active), Some(State::Active))
    );
    scene.comes(4, false);
    assert_eq!(scene.state(4), Some(State::Active), "the meeting is on");
}

#[test]
fn the_lobby_lets_in_only_who_is_admitted() {
    let mut scene = Scene::new(|s| s.lobby = true);
    scene.comes(9, true).comes(1, false).comes(2, false).comes(3, false);
    assert_eq!(scene.state(1), Some(State::Lobby));
    assert_eq!(scene.does(Actor::Participant(id(1)), Operation::Admit { participant: id(1) }), Err(Refusal::HostOnly));
    assert_eq!(scene.does(Actor::Participant(id(9)), Operation::Admit { participant: id(1) }), Ok(()));
    assert_eq!(scene.state(1), Some(State::Active));
    assert_eq!(scene.does(Actor::Api, Operation::Refuse { participant: id(2) }), Ok(()));
    assert_eq!(scene.state(2), None);
    assert_eq!(scene.does(Actor::Api, Operation::AdmitAll {}), Ok(()));
    assert_eq!(scene.state(3), Some(State::Active));
    assert_eq!(scene.does(Actor::Api, Operation::AdmitAll {}), Err(Refusal::NobodyWaiting));
}

#[test]
fn who_waits_too_long_is_told_and_let_go() {
    let mut scene = Scene::new(|s| s.lobby = true);
    scene.comes(1, false);
    assert_eq!(scene.room.poll_timeout(), Some(at(600).mono));
    scene.room.handle_timeout(at(600));
    scene.drain();
    assert_eq!(scene.told.last(), Some(&(1, Announcement::NotAdmitted)));
    assert!(scene.room.is_empty() && scene.room.poll_timeout().is_none());
}

#[test]
fn a_locked_room_turns_guests_away_and_lets_the_host_in() {
    let mut scene = Scene::new(|_| {});
    scene.comes(1, true);
    assert_eq!(scene.does(Actor::Participant(id(1)), Operation::Lock {}), Ok(()));
    scene.comes(2, false);
    assert_eq!(scene.told.last(), Some(&(2, Announcement::RoomLocked)));
    scene.comes(3, true);
    assert_eq!((scene.state(2), scene.state(3)), (None, Some(State::Active)));
    scene.room.leave(id(1), Cause::HungUp);
    scene.room.leave(id(3), Cause::HungUp);
    assert!(!scene.room.is_locked(), "an empty room is open again");
}

#[test]
fn every_mute_has_a_way_back() {
    let mut scene = Scene::new(|_| {});
    scene.comes(1, true).comes(2, false);
    let (host, guest) = (Actor::Participant(id(1)), Actor::Participant(id(2)));
    let mute = || Operation::Mute { participant: id(2) };
    let unmute = || Operation::Unmute { participant: id(2) };
    assert_eq!(scene.does(guest, mute()), Ok(()));
    assert_eq!(scene.does(host, unmute()), Err(Refusal::MutedItself), "nobody's microphone is opened by somebody else");
    assert_eq!(scene.does(guest, unmute()), Ok(()));
    assert!(!scene.muted(2));
    assert_eq!(scene.does(host, mute()), Ok(()));
    assert_eq!(scene.told.last(), Some(&(2, Announcement::MutedByHost)));
    assert_eq!(scene.does(guest, unmute()), Ok(()));
    assert!(!scene.muted(2));
}

#[test]
fn who_speaks_to_some_alone_does_so_wherever_the_voice_goes_and_guests_decide_for_themselves_only() {
    let mut scene = Scene::new(|_| {});
    scene.comes(1, true).comes(2, false).comes(3, false);
    let whisper = |from, to: &[u64]| Operation::Whisper {
        participant: id(from),
        to: to.iter().copied().map(id).collect(),
        others: 0,
    };
    assert_eq!(scene.does(Actor::Participant(id(2)), whisper(3, &[2])), Err(Refusal::HostOnly));
    assert_eq!(scene.does(Actor::Participant(id(2)), whisper(2, &[2])), Err(Refusal::BadAudience));
    assert_eq!(scene.does(Actor::Participant(id(2)), whisper(2, &[1, 3, 1, 3, 1])), Err(Refusal::BadAudience));
    scene.does(Actor::Participant(id(1)), whisper(3, &[1])).unwrap();
    let audience = Some(crate::media::audience::Audience::new(&[id(1)], 0));
    let direct = |leg| Output::Direct { leg: LegId::from_bits(leg), audience };
    assert!(scene.outputs.contains(&direct(3)));
    scene.room.rebind(id(3), LegId::from_bits(33), false);
    scene.drain();
    let attach = Output::Attach { leg: LegId::from_bits(33), participant: id(3), muted: false, audience };
    assert!(scene.outputs.contains(&attach), "another telephone of theirs, before a word of it is heard");
}

#[test]
fn who_speaks_to_people_who_leave_is_not_heard_by_others_for_that() {
    let mut scene = Scene::new(|_| {});
    scene.comes(1, true).comes(2, false).comes(3, false).comes(4, false);
    let whisper = Operation::Whisper { participant: id(1), to: vec![id(2), id(3)], others: 20 };
    scene.does(Actor::Participant(id(1)), whisper).unwrap();
    let whispers = |scene: &Scene| scene.room.participant(id(1)).and_then(|p| p.whispers.clone());
    let to = |people: &[u64]| Some(Whisper { to: people.iter().copied().map(id).collect(), others: 20 });
    let changed = Output::Report(Change::Changed(id(1)));
    for (leaves, left) in [(2, &[3][..]), (3, &[])] {
        scene.room.leave(id(leaves), Cause::HungUp);
        scene.drain();
        assert_eq!(whispers(&scene), to(left));
        assert!(scene.outputs.contains(&changed), "whoever shows it looks again");
        assert!(!scene.outputs.iter().any(|output| matches!(output, Output::Direct { .. })), "{:?}", scene.outputs);
    }
    // Nobody is left of them, and still it is for nobody else: also by another telephone.
    scene.room.rebind(id(1), LegId::from_bits(11), false);
    scene.drain();
    let audience = Some(crate::media::audience::Audience::new(&[], 20));
    let attach = Output::Attach { leg: LegId::from_bits(11), participant: id(1), muted: false, audience };
    assert!(scene.outputs.contains(&attach), "{:?}", scene.outputs);
    scene.room.leave(id(4), Cause::HungUp);
    scene.drain();
    assert!(!scene.outputs.contains(&changed), "who was not spoken to changes nothing");
    let all = Operation::Whisper { participant: id(1), to: vec![], others: 0 };
    scene.does(Actor::Participant(id(1)), all).unwrap();
    assert_eq!(whispers(&scene), None);
}

#[test]
fn a_strict_room_lets_only_the_host_unmute_whom_it_muted() {
    let mut scene = Scene::new(|s| s.self_unmute = false);
    scene.comes(1, true).comes(2, false);
    assert_eq!(scene.does(Actor::Participant(id(1)), Operation::MuteAll {}), Ok(()));
    assert!(scene.muted(2) && !scene.muted(1));
    assert_eq!(
        scene.does(Actor::Participant(id(2)), Operation::Unmute { participant: id(2) }),
        Err(Refusal::MutedByHost)
    );
    assert_eq!(scene.does(Actor::Participant(id(1)), Operation::UnmuteAll {}), Ok(()));
    assert!(!scene.muted(2));
}

#[test]
fn who_comes_in_muted_is_told_and_may_speak_up() {
    let mut scene = Scene::new(|s| s.muted_on_entry = true);
    scene.comes(1, true).comes(2, false);
    assert!(scene.muted(2) && !scene.muted(1));
    assert_eq!(scene.told.last(), Some(&(2, Announcement::YouAreMuted)));
    assert_eq!(scene.does(Actor::Participant(id(2)), Operation::Unmute { participant: id(2) }), Ok(()));
    assert!(!scene.muted(2));
}

#[test]
fn hands_go_up_in_order() {
    let mut scene = Scene::new(|_| {});
    scene.comes(1, false).comes(2, false);
    assert_eq!(scene.does(Actor::Participant(id(2)), Operation::RaiseHand { participant: id(2) }), Ok(()));
    assert_eq!(scene.does(Actor::Participant(id(1)), Operation::RaiseHand { participant: id(1) }), Ok(()));
    assert_eq!((scene.room.hand_rank(id(1)), scene.room.hand_rank(id(2))), (Some(2), Some(1)));
    assert_eq!(scene.does(Actor::Participant(id(2)), Operation::LowerHand { participant: id(2) }), Ok(()));
    assert_eq!((scene.room.hand_rank(id(1)), scene.room.hand_rank(id(2))), (Some(1), None));
}

#[test]
fn a_guest_does_nothing_to_others() {
    let mut scene = Scene::new(|_| {});
    scene.comes(1, false).comes(2, false);
    let guest = Actor::Participant(id(1));
    for operation in [
        Operation::Mute { participant: id(2) },
        Operation::MuteAll {},
        Operation::Rename { participant: id(2), name: "x".into() },
        Operation::Remove { participant: id(2) },
        Operation::SetRole { participant: id(1), role: Role::Host },
        Operation::Lock {},
        Operation::End {},
    ] {
        assert_eq!(scene.does(guest, operation.clone()), Err(Refusal::HostOnly), "{operation:?}");
    }
    let invisible = Operation::Rename { participant: id(2), name: "\u{202e}\u{7}".into() };
    assert_eq!(scene.does(Actor::Api, invisible), Err(Refusal::BadName));
    let turned = Operation::Rename { participant: id(2), name: "\u{202e}live".into() };
    assert_eq!(scene.does(Actor::Api, turned), Ok(()));
    assert_eq!(scene.room.participant(id(2)).and_then(|p| p.name.as_deref()), Some("live"));
    assert_eq!(scene.does(Actor::Api, Operation::End {}), Ok(()));
    assert!(scene.room.is_empty());
}

#[test]
fn a_full_room_says_so() {
    let mut scene = Scene::new(|s| s.max_participants = 1);
    scene.comes(1, false).comes(2, false);
    assert_eq!(scene.told.last(), Some(&(2, Announcement::RoomFull)));
}
