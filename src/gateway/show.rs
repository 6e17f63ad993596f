//! Views for readers.

use crate::base::phone_number::masked_dialled;
use crate::base::{LegId, ParticipantId, PhoneNumber, RoomId};
use crate::gateway::Gateway;
use crate::gateway::leg::Leg;
use crate::gateway::view::{CallDirection, CallView, ParticipantView, RoomView, Status};
use crate::gateway::web::nameless;
use crate::room::Room;

impl Gateway {
    /// A room as shown.
    pub(super) fn room_view(&self, id: RoomId, numbers: bool) -> Option<RoomView> {
        let room = self.rooms.get(&id)?;
        let participants = room.participants().filter_map(|p| self.participant_view(id, p.id, numbers)).collect();
        Some(RoomView {
            settings: room.settings().clone(),
            started: room.is_started(),
            locked: room.is_locked(),
            participants,
        })
    }

    /// A participant as shown.
    pub(super) fn participant_view(&self, room: RoomId, id: ParticipantId, numbers: bool) -> Option<ParticipantView> {
        let room = self.rooms.get(&room)?;
        let p = room.participant(id)?;
        let number = self.shown_number(p.number.as_ref(), None, numbers);
        let display = p.name.clone().or_else(|| p.number.as_ref().map(PhoneNumber::masked));
        let display = display.unwrap_or_else(|| nameless(p).to_owned());
        let figures = p.audio.and_then(|leg| self.legs.get(&leg)).and_then(|leg| leg.figures);
        Some(ParticipantView {
            id,
            display,
            name: p.name.clone(),
            number,
            role: p.role,
            state: p.state,
            held: p.held,
            held_by_us: p.held_by_us,
            muted_by_self: p.muted_by_self,
            muted_by_host: p.muted_by_host,
            whispers_to: p.whispers.as_ref().map(|whisper| whisper.to.clone()).unwrap_or_default(),
            others_hear: p.whispers.as_ref().map(|whisper| whisper.others),
            music: figures.is_some_and(|figures| figures.music),
            echo: figures.is_some_and(|figures| figures.echo.is_some()),
            hand: room.hand_rank(id),
            speaking: p.speaking,
            language: p.language.clone(),
            audio: p.audio,
            audio_by: self.audio_by(p),
            phone_kept: self.web.seats.get(&id).is_some_and(|seat| seat.parked.is_some() && p.audio == Some(seat.leg)),
            video: p.video,
            camera_on: p.camera_on,
            screen_on: p.screen_on,
            avatar: p.avatar.clone(),
            away: p.away,
            since: p.since.to_string(),
        })
    }

    /// A number for a reader: whole, or masked. What is no telephone number is shown by its first letter at most.
    pub(super) fn shown_number(&self, number: Option<&PhoneNumber>, raw: Option<&str>, whole: bool) -> Option<String> {
        match (number, raw, whole) {
            (Some(number), _, true) => Some(number.e164()),
            (Some(number), _, false) => Some(number.masked()),
            (None, Some(raw), true) => Some(raw.to_owned()),
            (None, Some(raw), false) => raw.chars().next().map(|first| format!("{first}•••")),
            (None, None, _) => None,
        }
    }

    /// What was dialled, as shown: whom somebody of the house calls outside is hidden, by which number of ours we are called
    /// is not.
    pub(super) fn shown_called(leg: &Leg, whole: bool) -> String {
        let ours = leg.direction == CallDirection::Inbound && leg.party.trunk().is_some();
        if whole || ours { leg.to.clone() } else { masked_dialled(&leg.to) }
    }

    /// A live call as shown.
    pub(super) fn call_view(&self, id: LegId, numbers: bool) -> Option<CallView> {
        let leg = self.legs.get(&id)?;
        let (room, participant) = leg.place().unzip();
        Some(CallView {
            id,
            call_id: leg.call_id.clone(),
            direction: leg.direction,
            state: leg.call_state(),
            from: self.shown_number(leg.caller.as_ref(), leg.from.as_deref(), numbers),
            to: Self::shown_called(leg, numbers),
            trunk: leg.party.trunk(),
            extension: leg.party.extension(),
            profile: leg.profile.name.clone(),
            did: leg.did,
            identity: leg.identity,
            room,
            participant,
            held: leg.held,
            held_by_us: leg.held_by_us,
            media: leg.agreed.as_ref().map(|(format, _)| format!("{}/{}", format.codec.name(), format.ptime)),
            sound: leg.treatment,
            figures: leg.figures,
            since: leg.began.to_string(),
            answered: leg.answered.map(|at| at.to_string()),
        })
    }

    /// The node in figures.
    pub(super) fn status(&self) -> Status {
        let counts = self.endpoint.counts();
        Status {
            calls: self.legs.len() as u64,
            live_rooms: self.rooms.values().filter(|room| !room.is_empty()).count() as u64,
            participants: self.rooms.values().map(|room| room.participants().count() as u64).sum(),
            dialogs: (counts.legs + counts.closing) as u64,
            transactions: (counts.client_transactions + counts.server_transactions) as u64,
            ports: (self.legs.values().filter(|leg| leg.bound).count() + self.closing.len()) as u64,
            registrations: self.phones.registrar.len() as u64,
            lamps: self.presence.len() as u64,
            pages: self.web.len() as u64,
            draining: self.drain.is_some(),
            invited: self.counters.invited,
            answered: self.counters.answered,
            refused: self.counters.refused.clone(),
            ignored: self.policy.ignored(),
            webhooks: self.webhooks.counts(),
            codes: self.codes.counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            sip: self.endpoint.counters().named(),
        }
    }

    /// Every room as shown.
    pub(super) fn room_views(&self, numbers: bool) -> Vec<RoomView> {
        // Calls are listed as calls.
        let meetings = self.rooms.values().map(Room::settings).filter(|settings| !settings.call);
        meetings.filter_map(|settings| self.room_view(settings.id, numbers)).collect()
    }
}

/// Longest user part that is kept and shown. Longer: rows and events that strangers fill. Shorter: real names are cut.
const LONGEST_USER: usize = 64;

/// A user part as it is kept and shown: without what phones dial after the answer (`1000,,4711#`, `1000p4711`), which
/// may be a PIN, without control characters, and no longer than anybody reads.
pub(super) fn shown_user(user: &str) -> String {
    let begins = user.strip_prefix('+').unwrap_or(user);
    let number = begins.starts_with(|c: char| c.is_ascii_digit());
    let pauses = |c: char| matches!(c, ',' | ';') || (number && matches!(c, 'p' | 'P' | 'w' | 'W' | '#' | ' '));
    let before = user.split(pauses).next().unwrap_or_default();
    before.chars().filter(|c| !c.is_control()).take(LONGEST_USER).collect()
}

#[cfg(test)]
mod tests {
    use super::shown_user;

    #[test]
    fn what_is_dialled_after_the_answer_is_not_shown() {
        for user in ["1000,,4711#", "1000;4711", "1000p4711#", "1000W4711", "1000#4711", "1000 4711"] {
            assert_eq!(shown_user(user), "1000");
        }
        assert_eq!(shown_user("+4930901820,,4711#"), "+4930901820");
        assert_eq!(shown_user("support.west"), "support.west");
        assert_eq!(shown_user("*98"), "*98");
        assert_eq!(shown_user("a\u{1b}[31m\r\n"), "a[31m");
        assert_eq!(shown_user(&"a".repeat(3000)).len(), 64);
    }
}
