//! Codes are made: by a key, a page, the API, or a device that wants a call.

use std::time::Duration;

use crate::base::id::{CodeId, TicketId};
use crate::base::{LegId, Now, ParticipantId, RoomId, Secret, Utc};
use crate::call::speech::Prompt;
use crate::gateway::Gateway;
use crate::gateway::code::view::{ClaimView, Claiming, Closed, CodeRequest, CodeView, Receiver, Unfit};
use crate::gateway::code::{EVERYTHING, Holder, Live, MOST, Shown, TICKET, Taker, masked};
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::web::Code as Refused;
use crate::media::clip::Clip;
use crate::room::{Channel, State};
use crate::ticket::{self, Hash, Right, Ticket};
use crate::transfer::{Code, DIGITS, Input, Plan, Reason, Topology, with_check};

/// Longest context of an integration.
const CONTEXT: usize = 256;

/// The least and the most that a code may be asked to count for, in seconds.
const SECONDS: std::ops::RangeInclusive<u16> = 10..=600;

/// Between the two groups of digits that are said, in milliseconds.
const PAUSE: u16 = 400;

impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Off => Refused::CodeOff,
            Unfit::NoPlace => Refused::NotActive,
            Unfit::Emergency => Refused::CallForHelp,
            Unfit::Held => Refused::ElevateHeld,
            Unfit::Moving => Refused::NotAllowed,
            Unfit::Channels => Refused::CodeChannels,
            Unfit::TooOften(_) => Refused::TooOften,
        }
    }
}

impl Gateway {
    /// Somebody on a telephone pressed the key: the digits are said.
    pub(in crate::gateway) fn code_by_key(&mut self, leg: LegId, now: Now) {
        let Some((room, participant)) = self.legs.get(&leg).and_then(|record| record.place()) else { return };
        if !self.settings.coding.by_key {
            return self.say_prompt(leg, Prompt::NotAvailable);
        }
        let made = self.show_code((room, participant), &CodeRequest::default(), now);
        let shown = made.ok().and_then(|id| self.codes.live.get(&id)).map(|live| live.shown.digits.clone());
        match shown {
            Some(digits) => self.say_code(leg, Prompt::CodeYours, &digits),
            None => self.say_prompt(leg, Prompt::NotAvailable),
        }
    }

    /// Says a code to a telephone, and what it is for.
    pub(super) fn say_code(&mut self, leg: LegId, prompt: Prompt, digits: &Secret) {
        let Some(language) = self.legs.get(&leg).map(|record| record.language.clone()) else { return };
        let (first, last) = digits.expose().split_at_checked(3).unwrap_or((digits.expose(), ""));
        let mut clips = Vec::new();
        // Once more for those who were still looking for the other telephone.
        for again in [false, true] {
            if again {
                clips.push(Clip::Pause(PAUSE * 2));
            }
            clips.extend(language.say_keys(prompt, first));
            clips.push(Clip::Pause(PAUSE));
            clips.extend(language.digits(last));
        }
        self.say(leg, clips);
    }

    /// A page shows a code for the place it has, or that its person has by another device.
    pub(in crate::gateway) fn code_by_page(
        &mut self,
        place: (RoomId, ParticipantId),
        asked: &CodeRequest,
        now: Now,
    ) -> Result<(), Refused> {
        self.show_code(place, asked, now).map(drop).map_err(Refused::from)
    }

    /// An integration has a code made for a call: a telephone's leg or a browser's.
    pub(in crate::gateway) fn code_by_api(&mut self, leg: LegId, asked: &CodeRequest, now: Now) -> Outcome {
        let unfit = |context: &String| context.chars().count() > CONTEXT || context.chars().any(char::is_control);
        if asked.context.as_ref().is_some_and(unfit) {
            return Err(Denial::Invalid("context: at most 256 characters, on one line".into()));
        }
        if asked.extension.is_some_and(|whose| self.table.extensions.get(&whose).is_none()) {
            return Err(Denial::Invalid("extension: there is none with this id".into()));
        }
        if asked.seconds.is_some_and(|seconds| !SECONDS.contains(&seconds)) {
            return Err(Denial::Invalid("seconds: 10 to 600".into()));
        }
        let phone = self.legs.get(&leg).map(|record| record.place());
        let web = self.web.seats.iter().find(|(_, seat)| seat.leg == leg).map(|(id, seat)| (seat.room, *id));
        let place = match (phone, web) {
            (Some(place), _) => place.ok_or(Denial::NoCode(Unfit::NoPlace))?,
            (None, Some(place)) => place,
            (None, None) => return Err(Denial::NotFound("call")),
        };
        let id = self.show_code(place, asked, now).map_err(Denial::NoCode)?;
        self.code_outcome(id)
    }

    /// A device that is in no call shows a code of its own, which somebody in a call is to read.
    pub(super) fn ask_by_code(&mut self, asked: &Claiming, now: Now) -> Result<ClaimView, Closed> {
        let who = asked.from.to_string();
        if !self.settings.coding.allowed || self.crowded() {
            return Err(Closed::Unavailable);
        }
        self.codes.shows.take(&who, now.mono).map_err(|wait| Closed::TooManyAttempts(wait.as_secs().max(1)))?;
        let (claim, hash) = ticket::draw(&mut self.rng);
        let id = CodeId::draw(&mut self.rng);
        let shown = self.draw_shown(id, None, now).ok_or(Closed::Unavailable)?;
        let lasts = self.settings.coding.lasts;
        let plan = Plan { topology: Topology::ReceiverShows, confirm: self.settings.coding.confirm, lasts };
        let live = Live {
            receiver: Some(Receiver { from: Some(masked(asked.from)), ..asked.receiver.clone() }),
            claim: Some(hash),
            ..fresh(plan, shown, EVERYTHING.to_vec(), now)
        };
        self.codes.live.insert(id, live);
        self.carry_code(id, now);
        let view = self.claim_view(id).ok_or(Closed::Unavailable)?;
        Ok(ClaimView { claim: Some(claim), ..view })
    }

    fn crowded(&self) -> bool {
        self.codes.live.values().filter(|live| !live.machine.is_over()).count() >= MOST
    }

    fn show_code(
        &mut self,
        (room, participant): (RoomId, ParticipantId),
        asked: &CodeRequest,
        now: Now,
    ) -> Result<CodeId, Unfit> {
        let (holder, channels) = self.may_move((room, participant), &asked.channels)?;
        if self.crowded() {
            return Err(Unfit::TooOften(60));
        }
        let taken = self.codes.shows.take(&participant.to_string(), now.mono);
        taken.map_err(|wait| Unfit::TooOften(wait.as_secs().max(1)))?;
        // A newer one takes the place of an older.
        if let Some(older) = self.codes.of(participant) {
            self.code(older, Input::End(Reason::Superseded), now);
        }
        let id = CodeId::draw(&mut self.rng);
        let shown = self.draw_shown(id, Some(room), now).ok_or(Unfit::TooOften(60))?;
        let topology = if asked.mutual { Topology::Mutual } else { Topology::HolderShows };
        let coding = &self.settings.coding;
        let lasts = asked.seconds.map_or(coding.lasts, |seconds| Duration::from_secs(u64::from(seconds)));
        let plan = Plan { topology, confirm: asked.confirm.unwrap_or(coding.confirm), lasts };
        let live = Live {
            holder: Some(holder),
            only: asked.extension,
            context: asked.context.clone(),
            ..fresh(plan, shown, channels, now)
        };
        self.codes.live.insert(id, live);
        self.carry_code(id, now);
        Ok(id)
    }

    /// Whether these channels of a person may move now, and which they are: nothing named is all there are.
    pub(super) fn may_move(
        &self,
        (room, participant): (RoomId, ParticipantId),
        wanted: &[Channel],
    ) -> Result<(Holder, Vec<Channel>), Unfit> {
        if !self.settings.coding.allowed {
            return Err(Unfit::Off);
        }
        let person = self.rooms.get(&room).and_then(|live| live.participant(participant)).ok_or(Unfit::NoPlace)?;
        if person.state != State::Active {
            return Err(Unfit::NoPlace);
        }
        let phone = self.phone_of(room, participant).and_then(|leg| self.legs.get(&leg));
        if phone.is_some_and(|record| record.help) {
            return Err(Unfit::Emergency);
        }
        if person.held || person.held_by_us {
            return Err(Unfit::Held);
        }
        let seat = self.web.seats.get(&participant);
        if seat.is_some_and(|seat| seat.next.is_some() || seat.leaving.is_some()) {
            return Err(Unfit::Moving);
        }
        let audio = wanted.is_empty() || wanted.contains(&Channel::Audio);
        let pictures = wanted.is_empty() || wanted.contains(&Channel::Video) || wanted.contains(&Channel::Data);
        let mut channels = Vec::new();
        if audio {
            channels.push(Channel::Audio);
        }
        if pictures {
            // What is read goes with what is seen.
            channels.extend([Channel::Video, Channel::Data]);
        }
        let of = |channel: Channel| person.leg(channel);
        // Pictures alone, of somebody whose one browser has the voice, too: two pages in one place.
        let apart = seat.is_some() && of(Channel::Audio) == of(Channel::Video);
        if !audio && (apart || of(Channel::Video).is_none()) || audio && of(Channel::Audio).is_none() {
            return Err(Unfit::Channels);
        }
        let leg = channels.iter().find_map(|channel| person.leg(*channel)).ok_or(Unfit::Channels)?;
        Ok((Holder { room, participant, leg }, channels))
    }

    /// A link and digits that no other code has, and that are no room's PIN.
    pub(super) fn draw_shown(&mut self, id: CodeId, room: Option<RoomId>, now: Now) -> Option<Shown> {
        let text = Secret::new(self.rng.token(TICKET));
        let base = self.settings.elevating.link_base.trim_end_matches('/');
        let link = Secret::new(format!("{base}/c/{}", text.expose()));
        let ticket = TicketId::draw(&mut self.rng);
        let right = Right::Code { code: id };
        let hash = Hash::of(text.expose());
        // Its time is kept by the code, so that it is told apart from what never was.
        let room = room.unwrap_or(RoomId::from_bits(0));
        let put = Ticket { id: ticket, hash, room, right, expires: None, uses: None, used: 0, revoked: false };
        if !self.web.tickets.put(put, now.utc) {
            return None;
        }
        let digits = self.draw_digits();
        Some(Shown { ticket, link, digits })
    }

    fn draw_digits(&mut self) -> Secret {
        loop {
            let digits = Secret::new(with_check(self.rng.below(100_000), DIGITS));
            let mut shown = self.codes.live.values().flat_map(|live| [Some(&live.shown), live.counter.as_ref()]);
            let taken = shown.any(|other| other.is_some_and(|other| other.digits == digits));
            if !taken && self.room_of_pin(&digits, None).is_none() {
                return digits;
            }
        }
    }

    pub(in crate::gateway) fn code_outcome(&self, id: CodeId) -> Outcome {
        self.code_view(id).map(|view| Reply::Code(Box::new(view))).ok_or(Denial::NotFound("code"))
    }

    /// A code as shown to integrations.
    pub(super) fn code_view(&self, id: CodeId) -> Option<CodeView> {
        let live = self.codes.live.get(&id)?;
        let open = live.machine.is_fresh();
        let plan = live.machine.plan();
        Some(CodeView {
            id,
            call: live.holder.map(|holder| holder.leg),
            room: live.holder.map(|holder| holder.room),
            participant: live.holder.map(|holder| holder.participant),
            topology: plan.topology,
            confirm: plan.confirm,
            channels: live.channels.clone(),
            state: live.machine.state(),
            reason: live.machine.reason(),
            receiver: live.receiver.clone(),
            context: live.context.clone(),
            expires: live.expires.to_string(),
            link: open.then(|| live.shown.link.clone()),
            digits: open.then(|| live.shown.digits.clone()),
        })
    }

    /// A code is taken back by the API.
    pub(in crate::gateway) fn withdraw_code(&mut self, id: CodeId, now: Now) -> Outcome {
        if !self.codes.live.contains_key(&id) {
            return Err(Denial::NotFound("code"));
        }
        self.code(id, Input::End(Reason::Withdrawn), now);
        Ok(Reply::Done)
    }

    /// A page takes back the code of its place.
    pub(in crate::gateway) fn withdraw_code_by_page(
        &mut self,
        me: ParticipantId,
        id: CodeId,
        now: Now,
    ) -> Result<(), Refused> {
        let live = self.codes.live.get(&id).filter(|live| live.holder.is_some_and(|of| of.participant == me));
        live.ok_or(Refused::NoSuchCode)?;
        self.code(id, Input::End(Reason::Withdrawn), now);
        Ok(())
    }
}

/// A code that nobody has read.
fn fresh(plan: Plan, shown: Shown, channels: Vec<Channel>, now: Now) -> Live {
    let lasts = i64::try_from(plan.lasts.as_millis()).unwrap_or(i64::MAX);
    Live {
        machine: Code::begin(plan, now),
        holder: None,
        channels,
        only: None,
        shown,
        counter: None,
        receiver: None,
        claim: None,
        taker: Taker::None,
        at_desk: false,
        lingers: false,
        remotes: Vec::new(),
        seat: None,
        context: None,
        expires: Utc(now.utc.0.saturating_add(lasts)),
    }
}
