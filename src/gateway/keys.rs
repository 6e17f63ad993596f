//! Keys: to the attendant before there is a place, to the key map in a room, to the host PIN in between.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::id::DidId;
use crate::base::{LegId, Now, ParticipantId, PhoneNumber, RoomId, Secret};
use crate::call::attendant::{self, PinOutcome};
use crate::call::key_reader;
use crate::call::keys::{Action, KeyMap};
use crate::call::pin::{Keyed, PinReader};
use crate::call::speech::{Language, Prompt};
use crate::gateway::leg::{Leg, Stage, Way};
use crate::gateway::pin_guard::Trier;
use crate::gateway::{Gateway, Timer};
use crate::media::clip::{Clip, Tone};
use crate::media::command::MediaCommand;
use crate::room::{Actor, Announcement, Operation, Refusal, Role, Room, State};
use crate::sip::endpoint::{Headers, TransactionId};
use crate::wire::sip::{Name, Status, Text};

impl Gateway {
    /// A key was pressed, by whatever way it came.
    pub(super) fn on_digit(&mut self, leg: LegId, digit: char, way: Way, now: Now) {
        if let Some(Leg { stage: Stage::Answering, .. }) = self.legs.get(&leg) {
            // Keyed ahead (`number,,PIN#`): the path is open, so the attendant begins.
            self.begin_attending(leg, now);
        }
        if !self.knocks.is_empty() && self.knock_key(leg, digit, now) {
            return;
        }
        let attended = matches!(self.legs.get(&leg), Some(Leg { stage: Stage::Attendant { .. }, .. }));
        if attended && self.star_at_attendant(leg, digit) {
            return self.call_back_by_key(leg, now);
        }
        if !self.codes.is_empty() && self.code_key(leg, digit, now) {
            return;
        }
        let Some(record) = self.legs.get_mut(&leg) else { return };
        match &mut record.stage {
            Stage::Attendant { .. } => self.attend(leg, attendant::Input::Digit(digit), now),
            Stage::InRoom { room, keys, .. } if self.rooms.get(room).is_some_and(|room| room.settings().call) => {
                let room = *room;
                // One key alone is for us, and goes through all the same: nothing that is keyed to a machine is held up.
                keys.handle(key_reader::Input::Digit(digit), now);
                self.pass_key_on(leg, room, digit, way, now);
                self.act_on_keys(leg, now);
            }
            Stage::InRoom { step_up: Some(_), .. } => self.on_step_up_digit(leg, digit, now),
            Stage::InRoom { keys, .. } => {
                keys.handle(key_reader::Input::Digit(digit), now);
                self.act_on_keys(leg, now);
            }
            Stage::Binding { .. }
            | Stage::Calling { .. }
            | Stage::Joining { .. }
            | Stage::Replacing { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Leaving { .. } => {}
            Stage::Seating {} => self.callback_key(leg, digit, now),
            Stage::OnTrial {} => self.trial_key(leg),
        }
    }

    /// A key by INFO: `application/dtmf-relay` (`Signal=5`) or `application/dtmf` (`5`).
    pub(super) fn on_info(
        &mut self,
        leg: LegId,
        transaction: TransactionId,
        content_type: Option<&str>,
        body: &[u8],
        now: Now,
    ) {
        let kind =
            content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
        let digit = match kind.as_str() {
            "application/dtmf-relay" => digit_of_relay(body),
            "application/dtmf" => std::str::from_utf8(body).ok().and_then(|text| digit_of(text.trim())),
            "" if body.is_empty() => {
                // An empty INFO asks whether the call is still there (RFC 6086 §3).
                return self.endpoint.respond(transaction, Status::OK, &Headers::new(), None, now);
            }
            _ => {
                let accept = vec![(Name::Accept, Text::from_static("application/dtmf-relay, application/dtmf"))];
                return self.endpoint.respond(transaction, Status::UNSUPPORTED_MEDIA_TYPE, &accept, None, now);
            }
        };
        let Some(digit) = digit else {
            return self.endpoint.respond(transaction, Status::BAD_REQUEST, &Headers::new(), None, now);
        };
        self.endpoint.respond(transaction, Status::OK, &Headers::new(), None, now);
        let fresh = self.legs.get_mut(&leg).is_some_and(|leg| leg.keys_heard.is_fresh(digit, Way::Info, now.mono));
        if fresh {
            self.on_key_down(leg, now);
            self.on_digit(leg, digit, Way::Info, now);
        }
    }

    /// Gives the attendant a fact and does what it orders.
    pub(super) fn attend(&mut self, leg: LegId, input: attendant::Input, now: Now) {
        let mut input = Some(input);
        loop {
            let Some(record) = self.legs.get_mut(&leg) else { return };
            let Stage::Attendant { attendant } = &mut record.stage else { return };
            if let Some(input) = input.take() {
                attendant.handle(input, now);
            }
            let Some(output) = attendant.poll_output() else {
                match attendant.poll_timeout() {
                    Some(at) => self.timers.arm(Timer::Attendant(leg), at),
                    None => {
                        self.timers.disarm(&Timer::Attendant(leg));
                    }
                }
                return;
            };
            match output {
                attendant::Output::Play { play, clips } => self.play_for_attendant(leg, play, clips),
                attendant::Output::StopPlaying => {
                    record.voice.playing = None;
                    self.order(MediaCommand::StopPlaying { leg });
                }
                attendant::Output::CheckPin(pin) => {
                    let Some(outcome) = self.check_pin(leg, &pin, now) else { return };
                    input = Some(attendant::Input::PinChecked(outcome));
                }
                attendant::Output::Enter { room, host, language } => {
                    record.language = language;
                    self.enter_room(leg, room, host, now);
                }
                attendant::Output::HangUp(cause) => {
                    record.stage = Stage::Leaving { cause };
                    self.hang_up(leg, cause, now);
                }
            }
        }
    }

    /// A pause after keys in a room.
    pub(super) fn keys_timed_out(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        match &mut record.stage {
            Stage::InRoom { step_up: Some(pin), .. } => {
                let keyed = pin.expire(now).unwrap_or_default();
                self.finish_step_up(leg, keyed, now);
            }
            Stage::InRoom { keys, .. } => {
                keys.handle(key_reader::Input::Timeout, now);
                self.act_on_keys(leg, now);
            }
            Stage::Binding { .. }
            | Stage::Calling { .. }
            | Stage::Joining { .. }
            | Stage::Replacing { .. }
            | Stage::Preparing { .. }
            | Stage::Ringing { .. }
            | Stage::Answering
            | Stage::Attendant { .. }
            | Stage::Seating {}
            | Stage::OnTrial {}
            | Stage::Leaving { .. } => {}
        }
    }

    fn act_on_keys(&mut self, leg: LegId, now: Now) {
        loop {
            let Some(Leg { stage: Stage::InRoom { keys, room, participant, .. }, .. }) = self.legs.get_mut(&leg) else {
                return;
            };
            let Some(heard) = keys.poll_output() else {
                match keys.poll_timeout() {
                    Some(at) => self.timers.arm(Timer::Keys(leg), at),
                    None => {
                        self.timers.disarm(&Timer::Keys(leg));
                    }
                }
                return;
            };
            let (room, participant) = (*room, *participant);
            // In a call keys are the other's business, but for the ones that add video or move it.
            let is_call = self.rooms.get(&room).is_some_and(|room| room.settings().call);
            if is_call && !matches!(heard, key_reader::Output::Do(Action::Elevate | Action::ShowCode)) {
                continue;
            }
            match heard {
                key_reader::Output::Do(action) => self.act(leg, room, participant, action, now),
                key_reader::Output::Confirm(action) => self.ask_to_confirm(leg, room, participant, action),
                key_reader::Output::Cancelled(_) => self.say_prompt(leg, Prompt::Cancelled),
                key_reader::Output::Unknown => self.say_prompt(leg, Prompt::UnknownKey),
            }
        }
    }

    fn act(&mut self, leg: LegId, room: RoomId, id: ParticipantId, action: Action, now: Now) {
        let Some(live) = self.rooms.get(&room) else { return };
        let Some(me) = live.participant(id) else { return };
        if me.state != State::Active && !matches!(action, Action::Help | Action::Operator | Action::HostPin) {
            return self.say(leg, [Clip::Tone(Tone::Unknown)]);
        }
        let participant = id;
        let operation = match action {
            Action::MuteSelf if me.is_muted() => Operation::Unmute { participant },
            Action::MuteSelf => Operation::Mute { participant },
            Action::Hand if me.hand.is_some() => Operation::LowerHand { participant },
            Action::Hand => Operation::RaiseHand { participant },
            Action::Lock if live.is_locked() => Operation::Unlock {},
            Action::Lock => Operation::Lock {},
            Action::MuteAll => Operation::MuteAll {},
            Action::UnmuteAll => Operation::UnmuteAll {},
            Action::MuteAllToggle => {
                let someone_heard =
                    live.participants().any(|p| p.role != Role::Host && p.state == State::Active && !p.muted_by_host);
                if someone_heard { Operation::MuteAll {} } else { Operation::UnmuteAll {} }
            }
            Action::AdmitAll => Operation::AdmitAll {},
            Action::End => Operation::End {},
            Action::Count => {
                let count = live.active();
                return self.tell(leg, &Announcement::Count(count));
            }
            Action::RollCall => {
                let entries = live.roll_call(id);
                return self.tell(leg, &Announcement::RollCall(entries));
            }
            Action::Help => {
                let host = me.role == Role::Host;
                let language = self.language(leg);
                let map = self.key_map(&live.settings().keys);
                return self.say(leg, language.help(&map, host, &[]));
            }
            Action::Operator => {
                self.publish(crate::gateway::event::Happening::OperatorAsked { room, participant }, now);
                return self.say_prompt(leg, Prompt::OperatorTold);
            }
            Action::HostPin => return self.begin_step_up(leg, now),
            Action::Elevate => return self.elevate_by_key(leg, now),
            Action::CallBack => return self.call_back_by_key(leg, now),
            Action::ShowCode => return self.code_by_key(leg, now),
        };
        let result = match self.rooms.get_mut(&room) {
            Some(live) => live.operate(Actor::Participant(id), &operation, now),
            None => return,
        };
        let answer = match (&result, &operation) {
            (Ok(()), Operation::Lock {}) => Some(Announcement::NowLocked),
            (Ok(()), Operation::Unlock {}) => Some(Announcement::NowUnlocked),
            (Ok(()), Operation::MuteAll {}) => Some(Announcement::AllMuted),
            (Ok(()), Operation::UnmuteAll {}) => Some(Announcement::AllUnmuted),
            (Ok(()), Operation::AdmitAll {}) => Some(Announcement::AllAdmitted),
            (Ok(()), _) => None,
            (Err(Refusal::MutedByHost), _) => Some(Announcement::MayNotUnmute),
            (Err(Refusal::NobodyWaiting), _) => Some(Announcement::NobodyWaiting),
            (Err(_), _) => Some(Announcement::HostOnly),
        };
        if let Some(answer) = answer {
            self.tell(leg, &answer);
        }
        self.carry_out(room, now);
    }

    fn begin_step_up(&mut self, leg: LegId, now: Now) {
        if let Some(Leg { stage: Stage::InRoom { step_up, .. }, .. }) = self.legs.get_mut(&leg) {
            *step_up = Some(PinReader::new(self.settings.attendant.pin_gap));
        }
        self.timers.arm(Timer::Keys(leg), now.mono + self.settings.attendant.patience);
        self.say_prompt(leg, Prompt::EnterHostPin);
    }

    fn on_step_up_digit(&mut self, leg: LegId, digit: char, now: Now) {
        let Some(Leg { stage: Stage::InRoom { step_up: Some(pin), .. }, .. }) = self.legs.get_mut(&leg) else { return };
        match pin.key(digit, now) {
            Keyed::Complete(keyed) => self.finish_step_up(leg, keyed, now),
            Keyed::Empty => self.finish_step_up(leg, Secret::default(), now),
            Keyed::More | Keyed::Cleared => {
                let pause = self.settings.attendant.pin_gap;
                self.timers.arm(Timer::Keys(leg), now.mono + pause);
            }
        }
    }

    fn finish_step_up(&mut self, leg: LegId, keyed: Secret, now: Now) {
        self.timers.disarm(&Timer::Keys(leg));
        let Some(Leg { stage: Stage::InRoom { step_up, room, participant, .. }, .. }) = self.legs.get_mut(&leg) else {
            return;
        };
        *step_up = None;
        let (room, participant) = (*room, *participant);
        if keyed.is_empty() {
            // Nothing was tried, so nothing counts against the caller.
            return self.say_prompt(leg, Prompt::Cancelled);
        }
        let Some(trier) = self.trier(leg).filter(|trier| self.pins.may_try(trier, now.mono)) else {
            return self.say_prompt(leg, Prompt::NotAvailable);
        };
        let right = self
            .rooms
            .get(&room)
            .and_then(|room| room.settings().host_pin.as_ref())
            .is_some_and(|pin| !pin.is_empty() && pin.matches(keyed.expose()));
        if !right {
            self.pins.note_wrong(&trier, now.mono);
            return self.say_prompt(leg, Prompt::HostPinWrong);
        }
        if let Some(live) = self.rooms.get_mut(&room) {
            // The PIN is the right: whoever knows it acts with the room's own authority.
            let _ = live.operate(Actor::Api, &Operation::SetRole { participant, role: Role::Host }, now);
        }
        self.carry_out(room, now);
    }

    /// Whose PIN it is; wrong ones count against the caller and the dialled number. None: it is a code by which a call
    /// moves here, and the attendant's part is over.
    fn check_pin(&mut self, leg: LegId, pin: &Secret, now: Now) -> Option<PinOutcome> {
        let Some(trier) = self.trier(leg).filter(|trier| self.pins.may_try(trier, now.mono)) else {
            return Some(PinOutcome::Throttled);
        };
        let found = self.room_of_pin(pin, None).map(|(room, host)| match host {
            true => PinOutcome::Host { room },
            false => PinOutcome::Guest { room },
        });
        if found.is_none() && self.key_code(leg, pin, now) == Some(Ok(())) {
            self.pins.note_right(&trier);
            return None;
        }
        match found {
            Some(_) => self.pins.note_right(&trier),
            None => self.pins.note_wrong(&trier, now.mono),
        }
        Some(found.unwrap_or(PinOutcome::Wrong))
    }

    /// The room with this PIN, of all or of one alone, and whether it is its host's.
    pub(super) fn room_of_pin(&self, pin: &Secret, only: Option<RoomId>) -> Option<(RoomId, bool)> {
        let is = |own: &Option<Secret>| own.as_ref().is_some_and(|own| !own.is_empty() && own.matches(pin.expose()));
        let rooms = self.rooms.values().map(Room::settings).filter(|room| only.is_none_or(|id| id == room.id));
        let mut found = rooms.filter_map(|room| match (is(&room.host_pin), is(&room.pin)) {
            (true, _) => Some((room.id, true)),
            (false, true) => Some((room.id, false)),
            (false, false) => None,
        });
        found.next()
    }

    fn trier(&self, leg: LegId) -> Option<Trier<Option<DidId>, PhoneNumber>> {
        let leg = self.legs.get(&leg)?;
        let source: IpAddr = leg.peer.ip();
        let key = leg.caller.as_ref().map_or_else(|| source.to_string(), |caller| caller.e164());
        Some(Trier { place: leg.did, who: leg.caller.clone(), key })
    }

    fn is_host(&self, room: RoomId, id: ParticipantId) -> bool {
        self.rooms.get(&room).and_then(|room| room.participant(id)).is_some_and(|p| p.role == Role::Host)
    }

    /// Asks a host for the second key; a guest need not be asked.
    fn ask_to_confirm(&mut self, leg: LegId, room: RoomId, id: ParticipantId, action: Action) {
        if !self.is_host(room, id) {
            if let Some(Leg { stage: Stage::InRoom { keys, .. }, .. }) = self.legs.get_mut(&leg) {
                *keys = key_reader::KeyReader::new(Arc::new(keys.map().clone()));
            }
            return self.tell(leg, &Announcement::HostOnly);
        }
        let prompt = match action {
            Action::End => Prompt::ConfirmEnd,
            other => other.help(),
        };
        if let Some(Leg { language, stage: Stage::InRoom { keys, .. }, .. }) = self.legs.get(&leg) {
            let clips = language.say_keys(prompt, &keys.map().confirm().to_string());
            self.say(leg, clips);
        }
    }

    /// The key map of this name; the default where a room names one that is gone.
    pub(super) fn key_map(&self, name: &str) -> Arc<KeyMap> {
        self.key_maps.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn language(&self, leg: LegId) -> Language {
        self.legs.get(&leg).map_or_else(|| self.settings.language.clone(), |leg| leg.language.clone())
    }

    pub(super) fn say_prompt(&mut self, leg: LegId, prompt: Prompt) {
        let clip = self.language(leg).say(prompt);
        self.say(leg, [clip]);
    }
}

fn digit_of(text: &str) -> Option<char> {
    let mut chars = text.chars();
    match (chars.next().map(|c| c.to_ascii_uppercase()), chars.next()) {
        (Some(c @ ('0'..='9' | '*' | '#' | 'A'..='D')), None) => Some(c),
        // Some phones number the star and pound keys as telephone-events do (RFC 4733 §3.2).
        (Some('1'), Some('0')) if text.len() == 2 => Some('*'),
        (Some('1'), Some('1')) if text.len() == 2 => Some('#'),
        _ => None,
    }
}

fn digit_of_relay(body: &[u8]) -> Option<char> {
    let text = std::str::from_utf8(body).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case("signal").then(|| digit_of(value.trim()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_info_bodies_are_read_as_phones_write_them() {
        assert_eq!(digit_of_relay(b"Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(digit_of_relay(b"Signal= *\nDuration= 250"), Some('*'));
        assert_eq!(digit_of_relay(b"signal = d"), Some('D'));
        assert_eq!(digit_of_relay(b"Signal=10\r\n"), Some('*'));
        assert_eq!(digit_of_relay(b"Signal=\r\n"), None);
        assert_eq!(digit_of_relay(b"\xff\xfe"), None);
        assert_eq!(digit_of("11"), Some('#'));
        assert_eq!(digit_of("12"), None);
        assert_eq!(digit_of(""), None);
    }
}
