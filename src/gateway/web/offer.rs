//! Peer connections: offers, candidates, whom a page watches, and a new connection in an old one's place.

use crate::base::{LegId, Now, ParticipantId};
use crate::gateway::web::protocol::{MediaState, ServerMessage, VIDEO_SLOTS};
use crate::gateway::web::{Code, Told, WebLeg};
use crate::gateway::{Gateway, Output as Order};
use crate::handoff::{self, Move};
use crate::media::command::MediaCommand;
use crate::media::web::{Source, WebCommand, WebEvent, Wish};
use crate::room::Channel;

const CHANNELS: [Channel; 3] = [Channel::Audio, Channel::Video, Channel::Data];

impl Gateway {
    /// A page offers a peer connection, or renews the ways of one.
    pub(super) fn offer(
        &mut self,
        me: ParticipantId,
        id: u64,
        sdp: String,
        restart: bool,
        now: Now,
    ) -> Result<(), Code> {
        self.web.offers.take(&me, now.mono).map_err(|_| Code::TooOften)?;
        let seat = self.web.seats.get(&me).ok_or(Code::NotJoined)?;
        let (room, bound, latest) = (seat.room, seat.leg, seat.next.unwrap_or(seat.leg));
        let offered = |leg: LegId| self.web.legs.get(&leg).is_some_and(|record| record.offered);
        let leg = match restart {
            true if offered(latest) => latest,
            true => return Err(Code::BadOffer),
            false if !offered(bound) => bound,
            false => {
                let leg = LegId::draw(&mut self.rng);
                let person = self.rooms.get(&room).and_then(|room| room.participant(me)).ok_or(Code::NotJoined)?;
                let channels: Vec<Channel> =
                    CHANNELS.into_iter().filter(|channel| person.leg(*channel) == Some(bound)).collect();
                self.web.legs.insert(leg, WebLeg::new(me));
                let what = Move { participant: me, room, channels, from: Some(bound), to: leg, keep: false };
                self.web.handoffs.begin(what, now);
                self.carry_out_moves(now);
                leg
            }
        };
        if let Some(record) = self.web.legs.get_mut(&leg) {
            record.offered = true;
        }
        let Some(seat) = self.web.seats.get_mut(&me) else { return Err(Code::NotJoined) };
        if leg != bound {
            seat.next = Some(leg);
        }
        let overtaken = seat.offer.replace((id, leg)).map(|(before, _)| before);
        let session = seat.session;
        if let (Some(before), Some(session)) = (overtaken, session) {
            self.refuse_page(session, Some(before), Code::BadOffer, None);
        }
        self.outputs.push_back(Order::WebMedia(WebCommand::Offer { leg, sdp }));
        if leg == bound {
            self.project(me);
            self.show_wishes(me);
        }
        Ok(())
    }

    /// One more way to a browser. The end of them is known by itself.
    pub(super) fn candidate(&mut self, me: ParticipantId, candidate: String) {
        let Some(seat) = self.web.seats.get(&me) else { return };
        let leg = seat.next.unwrap_or(seat.leg);
        let offered = self.web.legs.get(&leg).is_some_and(|record| record.offered);
        if offered && !candidate.is_empty() {
            self.outputs.push_back(Order::WebMedia(WebCommand::Candidate { leg, candidate }));
        }
    }

    /// Whom a page shows where.
    pub(super) fn watch(&mut self, me: ParticipantId, slots: Vec<Wish>) -> Result<(), Code> {
        let twice = |wish: &Wish| slots.iter().filter(|other| other.slot == wish.slot).count() > 1;
        if slots.iter().any(|wish| wish.slot >= VIDEO_SLOTS || twice(wish)) {
            return Err(Code::BadMessage);
        }
        let seat = self.web.seats.get_mut(&me).ok_or(Code::NotJoined)?;
        if seat.wishes != slots {
            seat.wishes = slots;
            self.show_wishes(me);
        }
        Ok(())
    }

    fn show_wishes(&mut self, me: ParticipantId) {
        let Some(seat) = self.web.seats.get(&me) else { return };
        let leg = seat.leg;
        if self.web.legs.get(&leg).is_some_and(|record| record.offered) {
            let wishes = seat.wishes.clone();
            self.outputs.push_back(Order::WebMedia(WebCommand::Watch { leg, wishes }));
        }
    }

    /// Deals with a fact from the web plane.
    pub(in crate::gateway) fn on_web_media(&mut self, event: WebEvent, now: Now) {
        match event {
            WebEvent::Answered { leg, sdp } => {
                if let Some((session, id)) = self.answers(leg) {
                    self.tell_page(session, ServerMessage::Answer { id, sdp });
                }
            }
            WebEvent::Refused { leg, why } => {
                if let Some((session, id)) = self.answers(leg) {
                    let code = Code::BadOffer;
                    self.tell_page(session, ServerMessage::Problem { id: Some(id), code, detail: why, after_ms: None });
                }
                self.forget_offer(leg);
                self.web.handoffs.lost(leg);
                self.carry_out_moves(now);
            }
            WebEvent::Connected { leg } => {
                if let Some(record) = self.web.legs.get_mut(&leg) {
                    record.connected = true;
                }
                self.web.handoffs.verified(leg, now);
                self.carry_out_moves(now);
                self.web_leg_heard(leg);
                self.tell_owner(leg, ServerMessage::Media { state: MediaState::Connected });
                if let Some(owner) = self.web.legs.get(&leg).map(|record| record.participant) {
                    self.moves_follow(owner, now);
                    self.codes_follow(owner, now);
                }
            }
            WebEvent::Interrupted { leg } => {
                self.web_leg_silent(leg, now);
                self.tell_owner(leg, ServerMessage::Media { state: MediaState::Interrupted });
            }
            WebEvent::Lost { leg } => {
                self.tell_owner(leg, ServerMessage::Media { state: MediaState::Lost });
                self.forget_offer(leg);
                self.web.handoffs.lost(leg);
                self.carry_out_moves(now);
                if let Some(owner) = self.web.legs.get(&leg).map(|record| record.participant) {
                    self.moves_fail(owner, now);
                }
            }
            WebEvent::Flowing { leg, source: Source::Microphone, on } => self.web_leg_speaks(leg, on, now),
            // What is shown is what the person wants shown: a track that stalls is seen to stall.
            WebEvent::Flowing { .. } => {}
            WebEvent::Showing { leg, slots } => self.tell_owner(leg, ServerMessage::Shown { slots }),
            WebEvent::Measured { leg, figures } => self.web_measured(leg, figures),
        }
    }

    /// Carries out what moving people's channels asks for.
    pub(in crate::gateway) fn carry_out_moves(&mut self, now: Now) {
        while let Some(output) = self.web.handoffs.poll_output() {
            match output {
                handoff::Output::Bind { room, participant, channels, leg } => {
                    let browser = self.web.legs.contains_key(&leg);
                    if let Some(seat) = self.web.seats.get_mut(&participant).filter(|_| browser) {
                        seat.leg = leg;
                        seat.next = None;
                    }
                    let telephone = self.legs.contains_key(&leg);
                    let before = telephone.then(|| self.take_the_seat(leg, room, participant)).flatten();
                    if let Some(live) = self.rooms.get_mut(&room) {
                        live.bind(participant, &channels, Some(leg));
                    }
                    self.carry_out(room, now);
                    self.project(participant);
                    self.show_wishes(participant);
                    if telephone {
                        self.seated(leg, before, now);
                    }
                    self.codes_follow(participant, now);
                    self.moves_follow(participant, now);
                }
                // A telephone: the line stays, until it is released.
                handoff::Output::Quieten { leg, .. } if self.legs.contains_key(&leg) => self.unbridge(leg),
                handoff::Output::Quieten { leg, channels } => {
                    let owner = self.web.legs.get(&leg).map(|record| record.participant);
                    if let Some(owner) = owner.filter(|_| !channels.contains(&Channel::Video)) {
                        // The voice went elsewhere; the pictures stay.
                        self.detach_web(leg);
                        self.project(owner);
                        continue;
                    }
                    self.tell_web_plane(leg, Told::default());
                    let bridged = self.web.legs.get_mut(&leg).and_then(|record| record.bridged.take());
                    if bridged.is_some() {
                        self.order(MediaCommand::Leave { leg });
                    }
                }
                handoff::Output::Release { leg } if self.legs.contains_key(&leg) => self.let_phone_go(leg, now),
                // The voice does not come here after all; the pictures are here.
                handoff::Output::Release { leg } | handoff::Output::Failed { leg, .. } if self.is_seated(leg) => {}
                handoff::Output::Release { leg } => self.close_web_leg(leg),
                handoff::Output::Failed { participant, leg } if !self.web.has_leg(leg) => {
                    self.codes_fail(participant, now);
                    self.not_seated(leg, participant, now);
                }
                handoff::Output::Failed { participant, leg } => {
                    let unanswered = self.answers(leg);
                    if let Some(seat) = self.web.seats.get_mut(&participant).filter(|seat| seat.next == Some(leg)) {
                        seat.next = None;
                    }
                    if let Some((session, id)) = unanswered {
                        self.refuse_page(session, Some(id), Code::BadOffer, None);
                    }
                    self.close_web_leg(leg);
                    self.codes_fail(participant, now);
                    self.moves_fail(participant, now);
                }
            }
        }
    }

    /// Whether a browser's leg is bound to its person's place.
    fn is_seated(&self, leg: LegId) -> bool {
        let owner = self.web.legs.get(&leg).and_then(|record| self.web.seats.get(&record.participant));
        owner.is_some_and(|seat| seat.leg == leg)
    }

    /// The page and the number of the offer that waits for an answer about this leg; it waits no more.
    fn answers(&mut self, leg: LegId) -> Option<(crate::base::SessionId, u64)> {
        let owner = self.web.legs.get(&leg)?.participant;
        let seat = self.web.seats.get_mut(&owner)?;
        let (id, _) = seat.offer.take_if(|(_, of)| *of == leg)?;
        Some((seat.session?, id))
    }

    /// The web plane knows a leg no more.
    fn forget_offer(&mut self, leg: LegId) {
        if let Some(record) = self.web.legs.get_mut(&leg) {
            record.offered = false;
            (record.connected, record.speaks) = (false, false);
            record.told = Told::default();
        }
    }

    /// Tells the page of the person whose place this leg carries, or is to carry.
    fn tell_owner(&mut self, leg: LegId, message: ServerMessage) {
        let Some(owner) = self.web.legs.get(&leg).map(|record| record.participant) else { return };
        let Some(seat) = self.web.seats.get(&owner) else { return };
        // What an old leg says that is on its way out is no news.
        if let Some(session) = seat.session.filter(|_| leg == seat.next.unwrap_or(seat.leg)) {
            self.tell_page(session, message);
        }
    }
}
