//! What pages are told: everything anew when they come, every change after.

use std::time::Duration;

use crate::base::{Now, ParticipantId, RoomId, SessionId};
use crate::gateway::web::protocol::{AudioBy, Limits, Person, RoomInfo, ServerMessage, VERSION, VIDEO_SLOTS, Welcome};
use crate::gateway::web::{Code, Output, dial_in};
use crate::gateway::{Gateway, Output as Order, Timer};
use crate::media::web::SLOTS;
use crate::room::text::LONGEST_LINE;
use crate::room::{Change, ChatLine, Participant, Reaction, Role, State};

/// Largest picture, in bytes. Larger: a roster of a hundred is heavier than the meeting. Smaller: a photograph does not fit.
pub const LARGEST_PICTURE: u32 = 256 * 1024;

/// Whether somebody waits to be let in: shown to those alone who can.
const fn waits(state: State) -> bool {
    matches!(state, State::Lobby | State::WaitingForHost)
}

impl Gateway {
    /// Gives a page its place and tells it everything.
    pub(in crate::gateway) fn welcome(
        &mut self,
        participant: ParticipantId,
        session: SessionId,
        id: u64,
        resumed: bool,
        now: Now,
    ) {
        if let Some(page) = self.web.sessions.get_mut(&session) {
            page.participant = Some(participant);
        }
        if let Some(seat) = self.web.seats.get_mut(&participant) {
            seat.session = Some(session);
        }
        self.timers.disarm(&Timer::Page(session));
        if let Some(all) = self.everything(participant, session, Some(id), resumed, now) {
            self.tell_page(session, ServerMessage::Welcome(Box::new(all)));
            // Whose telephone hung up while no page was there is asked now.
            self.offer_audio(participant);
        }
    }

    fn everything(
        &mut self,
        participant: ParticipantId,
        session: SessionId,
        id: Option<u64>,
        resumed: bool,
        now: Now,
    ) -> Option<Welcome> {
        let resume = self.renew(participant, now);
        let seat = self.web.seats.get_mut(&participant)?;
        let live = self.rooms.get(&seat.room)?;
        let me = live.participant(participant)?;
        let (role, state, room) = (me.role, me.state, seat.room);
        seat.told = (!waits(state), role.admits());
        let slots = match waits(state) {
            true => None,
            false => self.web.slots.get(&room).cloned(),
        };
        Some(Welcome {
            id,
            version: VERSION,
            session,
            resume,
            resumed,
            you: participant,
            role,
            state,
            room: self.room_info(room)?,
            people: self.people_for(room, participant),
            chat: if waits(state) { Vec::new() } else { self.rooms.get(&room)?.chat_for(participant) },
            slots: slots.unwrap_or_else(|| vec![None; SLOTS]),
            ice_servers: self.settings.ice.servers(&participant.to_string(), now.utc),
            limits: Limits {
                chat_chars: u32::try_from(LONGEST_LINE).unwrap_or(u32::MAX),
                video_slots: VIDEO_SLOTS,
                avatar_bytes: LARGEST_PICTURE,
            },
            dial_in: dial_in::of(&self.table, self.rooms.get(&room)?.settings()),
            knocks: self.knocks_for(room, participant),
            lines: self.lines_told(room, participant),
        })
    }

    /// Tells pages what changed in a room, and the web plane what follows for it.
    pub(in crate::gateway) fn pages_follow(&mut self, room: RoomId, change: Change, now: Now) {
        self.lines_follow(room);
        match change {
            Change::Joined(id) | Change::Changed(id) => {
                self.project(id);
                self.follow_person(room, id, matches!(change, Change::Joined(_)), now);
            }
            Change::Speaking(participant, speaking) => {
                let sessions = self.readers(room, |_| true);
                self.tell_pages(sessions, ServerMessage::Speaking { participant, speaking });
            }
            Change::Left(participant, cause) => {
                self.end_seat(participant, cause, now);
                let sessions = self.readers(room, |_| true);
                self.tell_pages(sessions, ServerMessage::Left { participant, cause });
            }
            Change::Ended => {
                self.web.slots.remove(&room);
            }
            Change::Started | Change::Locked(_) => self.tell_of_room(room),
        }
    }

    /// Tells pages that somebody wrote: everyone, or the two it is between.
    pub(in crate::gateway) fn pages_read(&mut self, room: RoomId, line: ChatLine) {
        let sessions = self.readers(room, |p| line.is_for(p.id));
        self.tell_pages(sessions, ServerMessage::Chat { line });
    }

    /// Tells pages that somebody reacted.
    pub(in crate::gateway) fn pages_see(&mut self, room: RoomId, from: ParticipantId, reaction: Reaction) {
        let sessions = self.readers(room, |_| true);
        self.tell_pages(sessions, ServerMessage::Reaction { from, reaction });
    }

    /// Tells pages how their room is configured now.
    pub(in crate::gateway) fn tell_of_room(&mut self, room: RoomId) {
        let Some(info) = self.room_info(room) else { return };
        let sessions = self.sessions_in(room, |_| true);
        self.tell_pages(sessions, ServerMessage::Room { room: info });
    }

    fn follow_person(&mut self, room: RoomId, id: ParticipantId, joined: bool, now: Now) {
        let Some(person) = self.person(room, id) else { return };
        let waiting = waits(person.state);
        let sessions = self.readers(room, |p| p.id != id && (!waiting || p.role.admits()));
        let message = |person| match joined {
            true => ServerMessage::Joined { person },
            false => ServerMessage::Changed { person },
        };
        let own = Box::new(person);
        self.tell_pages(sessions, message(own.clone()));
        let Some((session, seat)) = self.web.seats.get_mut(&id).and_then(|seat| Some((seat.session?, seat))) else {
            return;
        };
        let is = (!waiting, own.role.admits());
        let was = std::mem::replace(&mut seat.told, is);
        if !was.0 && is.0 {
            if let Some(all) = self.everything(id, session, None, false, now) {
                self.tell_page(session, ServerMessage::Admitted(Box::new(all)));
            }
            return;
        }
        self.tell_page(session, ServerMessage::Changed { person: own });
        if was.1 != is.1 {
            let people = self.people_for(room, id);
            self.tell_page(session, ServerMessage::People { people });
        }
    }

    /// Pages of people in the meeting who read, as far as they are wanted.
    pub(in crate::gateway) fn readers(&self, room: RoomId, wanted: impl Fn(&Participant) -> bool) -> Vec<SessionId> {
        self.sessions_in(room, |p| p.state == State::Active && wanted(p))
    }

    fn sessions_in(&self, room: RoomId, wanted: impl Fn(&Participant) -> bool) -> Vec<SessionId> {
        let Some(live) = self.rooms.get(&room) else { return Vec::new() };
        let people = live.participants().filter(|p| wanted(p));
        people.filter_map(|p| self.web.seats.get(&p.id)?.session).collect()
    }

    /// Tells a page anew whose voice is on which track.
    pub(in crate::gateway) fn tell_slots(&mut self, room: RoomId, session: SessionId) {
        let slots = self.web.slots.get(&room).cloned().unwrap_or_else(|| vec![None; SLOTS]);
        self.tell_page(session, ServerMessage::Slots { slots });
    }

    pub(in crate::gateway) fn people_for(&self, room: RoomId, viewer: ParticipantId) -> Vec<Person> {
        let Some(live) = self.rooms.get(&room) else { return Vec::new() };
        let Some(me) = live.participant(viewer) else { return Vec::new() };
        let (inside, admits) = (!waits(me.state), me.role.admits());
        let seen = live.participants().filter(|p| p.id == viewer || inside && (admits || !waits(p.state)));
        seen.filter_map(|p| self.person(room, p.id)).collect()
    }

    /// Somebody as pages see them.
    fn person(&self, room: RoomId, id: ParticipantId) -> Option<Person> {
        let view = self.participant_view(room, id, false)?;
        Some(Person {
            id,
            display: view.display,
            name: view.name,
            number: view.number,
            role: view.role,
            state: view.state,
            since: view.since,
            audio: view.audio_by,
            phone_kept: view.phone_kept,
            video: view.video.is_some(),
            screen_on: view.screen_on,
            camera_on: view.camera_on,
            muted_by_self: view.muted_by_self,
            muted_by_host: view.muted_by_host,
            held: view.held,
            held_by_us: view.held_by_us,
            hand: view.hand,
            speaking: view.speaking,
            ringing: view.state == State::Ringing,
            avatar: view.avatar,
            quality: self.web.qualities.get(&id).copied(),
            away: view.away,
            music: view.music,
            echo: view.echo,
            whispers_to: view.whispers_to,
            others_hear: view.others_hear,
        })
    }

    /// What carries a person's voice.
    pub(in crate::gateway) fn audio_by(&self, of: &Participant) -> AudioBy {
        match of.audio {
            Some(leg) if self.web.has_leg(leg) => AudioBy::Web,
            Some(_) => AudioBy::Phone,
            None => AudioBy::None,
        }
    }

    fn room_info(&self, room: RoomId) -> Option<RoomInfo> {
        let live = self.rooms.get(&room)?;
        let settings = live.settings();
        Some(RoomInfo {
            id: room,
            name: settings.name.clone(),
            locked: live.is_locked(),
            started: live.is_started(),
            muted_on_entry: settings.muted_on_entry,
            self_unmute: settings.self_unmute,
            lobby: settings.lobby,
        })
    }

    /// Tells one page.
    pub(in crate::gateway) fn tell_page(&mut self, session: SessionId, message: ServerMessage) {
        self.tell_pages(vec![session], message);
    }

    /// Tells pages the same.
    pub(in crate::gateway) fn tell_pages(&mut self, mut sessions: Vec<SessionId>, message: ServerMessage) {
        sessions.retain(|session| self.web.sessions.get(session).is_some_and(|page| !page.over));
        if !sessions.is_empty() {
            self.outputs.push_back(Order::Web(Output::Tell { sessions, message: Box::new(message) }));
        }
    }

    /// Refuses what a page asks.
    pub(in crate::gateway) fn refuse_page(
        &mut self,
        session: SessionId,
        id: Option<u64>,
        code: Code,
        after: Option<Duration>,
    ) {
        let after_ms = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let detail = code.text().to_owned();
        self.tell_page(session, ServerMessage::Problem { id, code, detail, after_ms });
    }
}

/// What somebody without a name is shown as.
pub(in crate::gateway) const fn nameless(of: &Participant) -> &'static str {
    match (of.reads(), of.role) {
        (true, Role::Host) => "Host",
        (true, Role::Member | Role::Guest) => "Guest",
        (false, _) => "Anonymous caller",
    }
}
