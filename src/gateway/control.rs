//! What the API does to live calls: dial, answer, key, play, hang up.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Cause, LegId, Now, RoomId, Secret};
use crate::gateway::Gateway;
use crate::gateway::Timer;
use crate::gateway::calls::CallPlan;
use crate::gateway::command::{Denial, DialRequest, Outcome, Playable, Reply};
use crate::gateway::identity::Caller;
use crate::gateway::leg::{Keyed, Owner, Stage, Way};
use crate::gateway::ringing::Waits;
use crate::media::clip::Clip;
use crate::media::command::{MediaCommand, PlayId};
use crate::profile::DtmfMode;
use crate::route::{Destination, Dialled, Party};
use crate::sip::dialog::MAX_FORWARDS;
use crate::sip::endpoint::Headers;
use crate::sip::uui::Uui;
use crate::wire::sip::{Name, Text};

/// How long a key is held down, in milliseconds. Longer: dialling takes longer. Shorter: old equipment misses it.
const KEY_LENGTH: u16 = 120;
/// From the beginning of one key to that of the next.
const KEY_EVERY: Duration = Duration::from_millis(200);
/// What `w` stands for.
const SHORT_PAUSE: Duration = Duration::from_millis(500);
/// What `p` and `,` stand for, as in telephones' dial strings.
const LONG_PAUSE: Duration = Duration::from_secs(2);
/// Most keys and pauses that wait for one call. More: a call that keys for an hour. Fewer: a long card number with its
/// pauses is refused.
const MOST_KEYS: usize = 128;
/// Most things that one order plays.
const MOST_CLIPS: usize = 64;

impl Gateway {
    /// Ends a call, or stops ringing somebody who was promised and is not rung yet.
    pub(super) fn end_call(&mut self, leg: LegId, now: Now) -> Outcome {
        if self.legs.contains_key(&leg) {
            self.hang_up(leg, Cause::HungUpByOperator, now);
            return Ok(Reply::Done);
        }
        let promised = self.rings.iter().find(|(_, ring)| ring.promised == Some(leg)).map(|(id, _)| *id);
        let Some(ring) = promised else { return Err(Denial::NotFound("call")) };
        self.abandon_ring(ring, Cause::HungUpByOperator, now);
        Ok(Reply::Done)
    }

    /// Rings somebody: for a person of the house, who is rung first, or for a room.
    pub(super) fn dial(&mut self, request: DialRequest, now: Now) -> Outcome {
        if self.drain.is_some() {
            return Err(Denial::Conflict(Cause::Draining.text().into()));
        }
        let headers = headers_of(&request).map_err(Denial::Invalid)?;
        let (to, dialled) = self.aim_at(&request, now)?;
        let room = match (&to, request.room, request.from) {
            // Somebody of the house is called into the room they would have dialled.
            (Destination::Room { room }, None, Some(_)) => Some(*room),
            (_, room, _) => room,
        };
        let into_room = matches!(to, Destination::Room { .. });
        let caller = match request.from {
            Some(id) => {
                let extension = self.table.extensions.get(&id).ok_or(Denial::NotFound("extension"))?;
                Caller {
                    number: request.caller_id.clone().or_else(|| extension.number.clone()),
                    user: Some(extension.user.clone()),
                    name: Some(request.name.clone().unwrap_or_else(|| extension.name.clone())),
                    withheld: false,
                }
            }
            None => Caller { number: request.caller_id.clone(), name: request.name.clone(), ..Caller::default() },
        };
        let plan = CallPlan {
            party: request.from.map(Party::Extension),
            to,
            dialled,
            caller,
            headers,
            seconds: request.seconds.map(|seconds| Duration::from_secs(u64::from(seconds))),
            auto_answer: false,
            language: self.settings.language.clone(),
            max_forwards: MAX_FORWARDS,
            name: None,
        };
        let (room, made) = match room {
            Some(room) if self.rooms.contains_key(&room) => (room, false),
            Some(_) => return Err(Denial::NotFound("room")),
            None if request.from.is_none() => {
                return Err(Denial::Invalid("name whose call it is (`from`), or the room it is for (`room`)".into()));
            }
            None => (self.make_call_room(&plan), true),
        };
        let placed = match request.from {
            Some(id) => {
                let first = CallPlan {
                    to: Destination::Extension { extension: id },
                    dialled: None,
                    // Their own telephone shows whom they are about to talk with.
                    caller: Caller { user: Some(request.to.clone()), name: request.name.clone(), ..Caller::default() },
                    headers: Headers::new(),
                    auto_answer: request.auto_answer,
                    ..plan.clone()
                };
                let waits = if into_room { Waits::Room } else { Waits::Next(Box::new(plan)) };
                self.place_promised(first, room, waits, now)
            }
            None => self.place_promised(plan, room, Waits::Room, now),
        };
        if made && placed.is_err() {
            self.rooms.remove(&room);
        }
        placed.map(|call| Reply::Dialled { call, room }).map_err(denied)
    }

    /// Where a dialled number or user leads: by the rules and limits of whose call it is.
    fn aim_at(&mut self, request: &DialRequest, now: Now) -> Result<(Destination, Option<Dialled>), Denial> {
        let to = request.to.trim();
        let led = match request.from {
            Some(id) => self.lead(Party::Extension(id), to, now).map(|accepted| (accepted.to, accepted.dialled)),
            None => self.lead_operator(to, request.caller_id.as_ref(), now),
        };
        led.map_err(denied)
    }

    /// Answers a caller for whom somebody is being rung: they hear music until somebody answers.
    pub(super) fn answer_now(&mut self, leg: LegId, now: Now) -> Outcome {
        let Some(record) = self.legs.get(&leg) else { return Err(Denial::NotFound("call")) };
        let Stage::Calling { ring, offer, early, .. } = &record.stage else {
            return Err(Denial::Conflict("the call does not wait for an answer".into()));
        };
        let (ring, offer, early) = (*ring, offer.clone(), early.clone());
        let Some(room) = self.rings.get(&ring).map(|ring| ring.room) else {
            return Err(Denial::Conflict("the call does not wait for an answer".into()));
        };
        self.accept_call(leg, offer, early, None, now).map_err(|cause| Denial::Conflict(cause.text().into()))?;
        self.seat(leg, room, now);
        Ok(Reply::Done)
    }

    /// Keys to the far end, with pauses.
    pub(super) fn send_digits(&mut self, leg: LegId, digits: &Secret, now: Now) -> Outcome {
        let keys: Option<Vec<Keyed>> = digits.expose().chars().map(read_key).collect();
        let Some(keys) = keys.filter(|keys| !keys.is_empty() && keys.len() <= MOST_KEYS) else {
            return Err(Denial::Invalid("send 1 to 128 of 0-9 * # A-D, w for half a second, p for two".into()));
        };
        let Some(record) = self.legs.get(&leg) else { return Err(Denial::NotFound("call")) };
        if record.answered.is_none() {
            return Err(Denial::Conflict("the call is not up".into()));
        }
        if record.keying.waiting.len() + keys.len() > MOST_KEYS {
            return Err(Denial::Conflict("too many keys wait to be sent already".into()));
        }
        self.queue_keys(leg, keys, now);
        Ok(Reply::Done)
    }

    /// Plays to the far end.
    pub(super) fn play(&mut self, leg: LegId, what: &[Playable], repeat: bool) -> Outcome {
        let Some(record) = self.legs.get_mut(&leg) else { return Err(Denial::NotFound("call")) };
        if !record.open || record.answered.is_none() {
            return Err(Denial::Conflict("the call is not up".into()));
        }
        if what.is_empty() || what.len() > MOST_CLIPS {
            return Err(Denial::Invalid("name 1 to 64 things to play".into()));
        }
        let clips: Arc<[Clip]> = what
            .iter()
            .map(|what| match what {
                Playable::Prompt { name } => Clip::Prompt(record.language.tag().into(), name.as_str().into()),
                Playable::Music {} => Clip::Music,
                Playable::Pause { milliseconds } => Clip::Pause(*milliseconds),
            })
            .collect();
        self.plays += 1;
        let play = PlayId(self.plays);
        record.voice.playing = Some((play, Owner::Operator));
        self.order(MediaCommand::Play { leg, play, clips, repeat });
        Ok(Reply::Done)
    }

    /// Ends what the operator plays; what the call itself makes the far end hear goes on.
    pub(super) fn stop_playing(&mut self, leg: LegId) -> Outcome {
        let Some(record) = self.legs.get_mut(&leg) else { return Err(Denial::NotFound("call")) };
        if matches!(record.voice.playing, Some((_, Owner::Operator))) {
            record.voice.playing = None;
            self.order(MediaCommand::StopPlaying { leg });
            self.touched.insert(leg);
        }
        Ok(Reply::Done)
    }

    /// A key in a call between people is the others': sent on wherever the media plane does not forward it itself.
    pub(super) fn pass_key_on(&mut self, from: LegId, room: RoomId, digit: char, way: Way, now: Now) {
        let others: Vec<LegId> = self.legs_in(room).filter(|leg| *leg != from).collect();
        for other in others {
            if way == Way::Info || !self.forwards_events(from, other) {
                self.queue_keys(other, [Keyed::Key(digit)], now);
            }
        }
    }

    /// Whether packets go from one leg to the other as they come, telephone-events among them.
    fn forwards_events(&self, from: LegId, to: LegId) -> bool {
        let (Some(from), Some(to)) = (self.legs.get(&from), self.legs.get(&to)) else { return false };
        let (Some((ours, _)), Some((theirs, _))) = (&from.agreed, &to.agreed) else { return false };
        let two = from.bridged.is_some_and(|(room, _)| {
            self.legs.values().filter(|leg| leg.bridged.is_some_and(|(of, _)| of == room)).count() == 2
        });
        two && (ours.codec, ours.ptime) == (theirs.codec, theirs.ptime)
            && ours.telephone_event.is_some()
            && theirs.telephone_event.is_some()
            && to.voice.playing.is_none()
            && !from.held
            && !to.held
    }

    fn queue_keys(&mut self, leg: LegId, keys: impl IntoIterator<Item = Keyed>, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        for key in keys {
            if record.keying.waiting.len() < MOST_KEYS {
                record.keying.waiting.push_back(key);
            }
        }
        if self.timers.deadline(&Timer::Keying(leg)).is_none() {
            self.key_on(leg, now);
        }
    }

    /// Sends the next key that waits, or begins a pause.
    pub(super) fn key_on(&mut self, leg: LegId, now: Now) {
        let Some(record) = self.legs.get_mut(&leg) else { return };
        let Some(next) = record.keying.waiting.pop_front() else { return };
        let by_event = record.profile.media.dtmf == DtmfMode::Rfc4733
            && record.agreed.as_ref().is_some_and(|(format, _)| format.telephone_event.is_some());
        let length = match next {
            Keyed::Pause(length) => length,
            Keyed::Key(digit) => {
                if by_event {
                    self.order(MediaCommand::SendDigit { leg, digit, duration: KEY_LENGTH });
                } else {
                    let body = format!("Signal={digit}\r\nDuration={KEY_LENGTH}\r\n");
                    // Where the dialog is gone, so is the key.
                    let _ = self.endpoint.info(leg, "application/dtmf-relay", body.as_bytes(), now);
                }
                KEY_EVERY
            }
        };
        self.timers.arm(Timer::Keying(leg), now.mono + length);
    }
}

/// Why a call is not made. Calls in a second are given back second by second.
fn denied(cause: Cause) -> Denial {
    match cause {
        Cause::Throttled => Denial::TooOften(cause.text().into(), 1),
        _ => Denial::Conflict(cause.text().into()),
    }
}

fn read_key(c: char) -> Option<Keyed> {
    match c.to_ascii_uppercase() {
        key @ ('0'..='9' | '*' | '#' | 'A'..='D') => Some(Keyed::Key(key)),
        'W' => Some(Keyed::Pause(SHORT_PAUSE)),
        'P' | ',' => Some(Keyed::Pause(LONG_PAUSE)),
        _ => None,
    }
}

/// What an order adds to the INVITE: names of its own only, so that nobody is named or routed by it.
fn headers_of(request: &DialRequest) -> Result<Headers, String> {
    let mut headers = Headers::new();
    for (name, value) in &request.headers {
        let own = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
        let name = Some(name).filter(|name| own && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        let Some(name) = name else { return Err("header names begin with `X-`".into()) };
        headers.push((Name::read(name), Text::from(value.as_str())));
    }
    if let Some(uui) = &request.uui {
        let uui = Uui::parse(uui).map_err(|_| "`uui` is no User-to-User value (RFC 7433)".to_owned())?;
        headers.push((Name::UserToUser, Text::from(uui.to_string())));
    }
    Ok(headers)
}
