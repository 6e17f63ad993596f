//! Places of people with a browser: how they begin and end, and what their pages ask.

use std::collections::BTreeSet;

use crate::base::id::TicketId;
use crate::base::{Cause, LegId, Now, ParticipantId, RoomId, SessionId};
use crate::gateway::code::view::Read;
use crate::gateway::web::protocol::{ClientMessage, Request, ServerMessage};
use crate::gateway::web::{Code, KEPT_FOR, Seat, Told, WebLeg};
use crate::gateway::{Gateway, Output as Order, Timer};
use crate::media::command::MediaCommand;
use crate::media::web::{Source, WebCommand};
use crate::room::{Actor, Operation};
use crate::ticket::Right;

impl Seat {
    pub(in crate::gateway) fn new(room: RoomId, leg: LegId, invitation: Option<TicketId>) -> Self {
        Self {
            room,
            session: None,
            leaving: None,
            resume: [None, None],
            invitation,
            leg,
            next: None,
            parked: None,
            offer: None,
            wishes: Vec::new(),
            lines: Vec::new(),
            told: (false, false),
        }
    }

    /// The page that shows it.
    pub(in crate::gateway) fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The page that shows it waits until another device carries the call.
    pub(in crate::gateway) fn hand_to_another(&mut self) {
        self.leaving = self.session.take();
        self.offer = None;
    }
}

impl WebLeg {
    pub(in crate::gateway) fn new(participant: ParticipantId) -> Self {
        Self {
            participant,
            offered: false,
            connected: false,
            speaks: false,
            opened: false,
            bridged: None,
            told: Told::default(),
        }
    }
}

impl Gateway {
    /// A page asks for something.
    pub(super) fn page_said(&mut self, session: SessionId, request: Request, now: Now) {
        let Request { id, message } = request;
        let Some(page) = self.web.sessions.get(&session).filter(|page| !page.over) else { return };
        let participant = page.participant;
        let Some(message) = self.device_said((session, id), participant, message, now) else { return };
        let me = match (participant, message) {
            (_, ClientMessage::Ping {}) => return self.tell_page(session, ServerMessage::Pong { id }),
            (_, ClientMessage::Join(join)) => return self.join(session, id, *join, now),
            (None, _) => return self.refuse_page(session, Some(id), Code::NotJoined, None),
            (Some(me), message) => (me, message),
        };
        let (me, message) = me;
        // Another device has the seat already; this page is kept until that one carries the call.
        if self.web.seats.get(&me).is_some_and(|seat| seat.leaving == Some(session)) {
            return match message {
                ClientMessage::Leave {} => self.page_left_behind(me, Cause::Moved),
                _ => self.refuse_page(session, Some(id), Code::NotAllowed, None),
            };
        }
        let done = match message {
            ClientMessage::Ping {}
            | ClientMessage::Join(_)
            | ClientMessage::Me(_)
            | ClientMessage::Devices {}
            | ClientMessage::MoveHere(_)
            | ClientMessage::MoveThere(_)
            | ClientMessage::HandBack { .. }
            | ClientMessage::MoveAnswer(_)
            | ClientMessage::SetDevice(_)
            | ClientMessage::Follow { .. } => return,
            ClientMessage::Offer { sdp, restart } => match self.offer(me, id, sdp, restart, now) {
                // The web plane answers.
                Ok(()) => return,
                Err(code) => Err(code),
            },
            ClientMessage::Operate { operation } => self.operate_as(me, operation, now),
            ClientMessage::Chat { to, text } => self.operate_as(me, Operation::Say { to, text }, now),
            ClientMessage::React { reaction } => self.operate_as(me, Operation::React { reaction }, now),
            ClientMessage::Publish { source, on } => {
                let operation = match (source, on) {
                    (Source::Microphone, true) => Operation::Unmute { participant: me },
                    (Source::Microphone, false) => Operation::Mute { participant: me },
                    (source, true) => Operation::Show { participant: me, source },
                    (source, false) => Operation::Hide { participant: me, source },
                };
                self.operate_as(me, operation, now)
            }
            ClientMessage::Candidate { candidate } => {
                self.candidate(me, candidate);
                Ok(())
            }
            ClientMessage::Invite { invitation } => match self.invite(me, &invitation, now) {
                Ok(invitation) => {
                    let invitation = Box::new(invitation);
                    return self.tell_page(session, ServerMessage::Invited { id, invitation });
                }
                Err(code) => Err(code),
            },
            ClientMessage::Watch { slots } => self.watch(me, slots),
            ClientMessage::Elevate { participant } => match self.elevate_by_page(me, participant, now) {
                Ok(()) => Ok(()),
                Err((code, after)) => return self.refuse_page(session, Some(id), code, after),
            },
            ClientMessage::Merge { call, both } => self.merge_by_page(me, call, both, now),
            ClientMessage::Knock { call, answer } => self.answer_knock(me, call, answer, now),
            ClientMessage::Allow { elevation, allow } => self.allow_by_page(me, elevation, allow, now),
            ClientMessage::CodeShow { call: _, code } => match self.web_room(me) {
                Some(room) => self.code_by_page((room, me), &code, now),
                None => Err(Code::NotJoined),
            },
            ClientMessage::CodeScan { call: _, ticket, digits, code } => {
                match (Read::either(ticket, digits), self.web_room(me)) {
                    (Some(read), Some(room)) => self.scan_by_page((room, me), &read, &code, now),
                    (None, _) => Err(Code::BadMessage),
                    (_, None) => Err(Code::NotJoined),
                }
            }
            ClientMessage::CodeAnswer { code, allow } => self.answer_code(me, code, allow, now),
            ClientMessage::CodeWithdraw { code } => self.withdraw_code_by_page(me, code, now),
            ClientMessage::Audio { by, keep } => self.move_audio(me, by, keep, now),
            ClientMessage::CallMe { call: _, number, extension } => match self.web_room(me) {
                Some(room) => self.call_me((room, me), (number, extension), now),
                None => Err(Code::NotJoined),
            },
            ClientMessage::CallMeCancel { .. } => self.call_me_cancel(me, now),
            ClientMessage::Leave {} => {
                self.tell_page(session, ServerMessage::Done { id });
                if self.unseat(me, Cause::HungUp, now) {
                    return;
                }
                if let Some(room) = self.web.seats.get(&me).map(|seat| seat.room) {
                    self.leave_room(room, me, Cause::HungUp, now);
                }
                return;
            }
        };
        match done {
            Ok(()) => self.tell_page(session, ServerMessage::Done { id }),
            Err(code) => self.refuse_page(session, Some(id), code, None),
        }
    }

    fn operate_as(&mut self, me: ParticipantId, operation: Operation, now: Now) -> Result<(), Code> {
        let room = self.web.seats.get(&me).map(|seat| seat.room).ok_or(Code::NotJoined)?;
        let live = self.rooms.get_mut(&room).ok_or(Code::NoSuchRoom)?;
        let done = live.operate(Actor::Participant(me), &operation, now);
        self.carry_out(room, now);
        done.map_err(Code::from)
    }

    /// A person's place is gone: so is everything a browser had of it.
    pub(in crate::gateway) fn end_seat(&mut self, participant: ParticipantId, cause: Cause, now: Now) {
        self.web.qualities.remove(&participant);
        let Some(seat) = self.web.seats.remove(&participant) else { return };
        self.timers.disarm(&Timer::Away(participant));
        self.timers.disarm(&Timer::AudioOffer(participant));
        self.timers.disarm(&Timer::VoiceBack(participant));
        for ticket in seat.resume.into_iter().flatten() {
            let right = self.web.tickets.get(ticket).map(|ticket| &ticket.right);
            let spent = matches!(right, Some(Right::Resume { invitation: Some(_), .. }));
            if !spent || cause == Cause::Removed {
                self.forget_resume(ticket);
            }
        }
        self.web.handoffs.cancel(participant);
        self.carry_out_moves(now);
        let legs: Vec<LegId> =
            self.web.legs.iter().filter(|(_, leg)| leg.participant == participant).map(|(id, _)| *id).collect();
        for leg in legs {
            self.close_web_leg(leg);
        }
        for session in [seat.session, seat.leaving].into_iter().flatten() {
            self.say_goodbye(session, cause);
        }
    }

    /// Says goodbye to a page and closes its connection.
    pub(in crate::gateway) fn say_goodbye(&mut self, session: SessionId, cause: Cause) {
        if let Some(page) = self.web.sessions.get_mut(&session) {
            page.participant = None;
        }
        self.tell_page(session, ServerMessage::Bye { cause, text: goodbye(cause).to_owned() });
        self.close_page(session);
    }

    /// This page shows the place from now on.
    pub(in crate::gateway) fn seat_shown_by(&mut self, participant: ParticipantId, session: SessionId, now: Now) {
        let there = self.web.sessions.get(&session).is_some_and(|page| !page.over);
        let Some(seat) = self.web.seats.get_mut(&participant) else { return };
        seat.session = Some(session).filter(|_| there);
        seat.offer = None;
        if !there {
            self.timers.arm(Timer::Away(participant), now.mono + KEPT_FOR);
        }
    }

    /// A person is there again: nobody waits for their page.
    pub(in crate::gateway) fn returned(&mut self, participant: ParticipantId, now: Now) {
        self.timers.disarm(&Timer::Away(participant));
        self.timers.disarm(&Timer::AudioOffer(participant));
        let Some(room) = self.web_room(participant) else { return };
        if let Some(live) = self.rooms.get_mut(&room) {
            live.set_away(participant, false);
        }
        self.carry_out(room, now);
    }

    /// What brought older pages back to this place, and the invitation it was taken by, open it no more.
    pub(in crate::gateway) fn close_older_doors(&mut self, participant: ParticipantId) {
        let Some(seat) = self.web.seats.get_mut(&participant) else { return };
        seat.invitation = None;
        let latest = seat.resume.first().copied().flatten();
        if let Some(before) = seat.resume.last_mut().and_then(Option::take) {
            self.forget_resume(before);
        }
        for ticket in self.web.tickets.resumes_of(participant) {
            if Some(ticket) != latest {
                self.forget_resume(ticket);
            }
        }
    }

    /// Ends a browser's leg in both planes.
    pub(super) fn close_web_leg(&mut self, leg: LegId) {
        let Some(record) = self.web.legs.remove(&leg) else { return };
        if record.offered {
            self.outputs.push_back(Order::WebMedia(WebCommand::Close { leg }));
        }
        if record.opened {
            self.web.closing.insert(leg);
            self.order(MediaCommand::Close { leg });
        }
    }

    /// Tells the web plane what of a person's leg has changed: where it is, whether it hears, what it may send.
    pub(super) fn project(&mut self, participant: ParticipantId) {
        let Some(seat) = self.web.seats.get(&participant) else { return };
        let leg = seat.leg;
        let place = self.rooms.get(&seat.room).and_then(|room| room.participant(participant)).map(|p| {
            let present = p.state == crate::room::State::Active && !p.held_by_us;
            let carries = |channel: Option<LegId>| present && channel == Some(leg);
            let mut publishes = BTreeSet::new();
            if carries(p.audio) && !p.is_muted() {
                publishes.insert(Source::Microphone);
            }
            if carries(p.video) && p.camera_on {
                publishes.insert(Source::Camera);
            }
            if carries(p.video) && p.screen_on {
                publishes.insert(Source::Screen);
            }
            let there = carries(p.audio) || carries(p.video) || carries(p.data);
            Told { place: there.then_some((seat.room, participant)), listens: carries(p.audio), publishes }
        });
        self.tell_web_plane(leg, place.unwrap_or_default());
    }

    /// Tells the web plane the difference to what it was told of a leg before.
    pub(super) fn tell_web_plane(&mut self, leg: LegId, wanted: Told) {
        let Some(record) = self.web.legs.get_mut(&leg).filter(|record| record.offered) else { return };
        let told = std::mem::replace(&mut record.told, wanted.clone());
        if told.place != wanted.place {
            self.outputs.push_back(Order::WebMedia(WebCommand::Place { leg, place: wanted.place }));
        }
        if told.listens != wanted.listens {
            self.outputs.push_back(Order::WebMedia(WebCommand::Listen { leg, listens: wanted.listens }));
        }
        for source in [Source::Microphone, Source::Camera, Source::Screen] {
            let on = wanted.publishes.contains(&source);
            if told.publishes.contains(&source) != on {
                self.outputs.push_back(Order::WebMedia(WebCommand::Publish { leg, source, on }));
            }
        }
    }
}

/// Why a place is gone, in words for whoever had it in a browser.
const fn goodbye(cause: Cause) -> &'static str {
    match cause {
        Cause::HungUp => "you left the meeting",
        Cause::Moved => "the call was moved to another device",
        Cause::Replaced => "the meeting was opened in another tab or browser, which has your place now",
        Cause::Removed => "a host removed you from the meeting",
        Cause::NotAdmitted => "you were not let into the meeting",
        Cause::RoomEnded => "the meeting was ended for everyone",
        Cause::ConnectionLost => "the connection was lost for too long",
        Cause::DrainedOut | Cause::Draining => "this node went out of service: come back in a moment",
        Cause::Internal => "an internal fault ended your place in the meeting",
        other => other.text(),
    }
}
