//! Printed codes: made, kept, taken back. What they show is known for an hour after they were made, for their picture; after
//! that only by whoever has it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::id::{CodeId, TicketId};
use crate::base::{Now, RoomId, Secret, Throttle, Utc};
use crate::gateway::code::view::Closed;
use crate::gateway::code::{Coding, TICKET};
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::pin_guard::THROTTLE_KEYS;
use crate::gateway::{Gateway, Timer};
use crate::route::{Destination, Dialled};
use crate::ticket::{Hash, Right, Ticket};
use crate::transfer::{Leads, PRINTED_DIGITS, Printed, Spent, with_check};

/// Printed codes at once; those that are over give way first. More: memory, some 600 bytes each, and digits that are guessed sooner. Fewer: a letter to
/// every customer of a town is not had.
const MOST: usize = 20_000;

/// Codes that are forgotten together. More: their readers are told sooner that there is none. Fewer: all are looked through more often.
const AT_ONCE: usize = 500;

/// How long the picture of a new code can be had. Longer: what opens a call lies in memory. Shorter: whoever prints hurries.
const PICTURED: Duration = Duration::from_secs(3600);

/// Longest context, in bytes: each is two characters of an INVITE. More: it leaves UDP. Less: an order with an address is cut.
const CONTEXT: usize = 256;

/// The longest that a code may count, in milliseconds: five years.
const LONGEST: i64 = 5 * 366 * 86_400_000;

/// Calls of one code in an hour, at most.
const PER_HOUR: std::ops::RangeInclusive<u32> = 1..=10_000;

/// A printed code as it is wished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrintRequest {
    /// What it is called, shown to whoever reads it.
    pub title: String,
    /// Into this room.
    pub room: Option<RoomId>,
    /// Or to this number or user, as dialled in the house.
    pub to: Option<String>,
    /// What whoever comes is called.
    pub name: Option<String>,
    /// What travels with the call.
    pub context: Option<String>,
    /// From when it counts.
    pub valid_from: Option<Utc>,
    /// Until when.
    pub expires: Option<Utc>,
    /// How many calls it may begin.
    pub uses: Option<u32>,
    /// How many in an hour.
    pub per_hour: Option<u32>,
}

/// A printed code that was just drawn, with what is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// What is kept.
    pub code: Printed,
    /// The link in its picture.
    pub link: Secret,
    /// The digits beneath.
    pub digits: Secret,
}

/// What is to be done with printed codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrintCommand {
    /// Says what is to be kept of a wished one, and what is shown of it.
    Draw(PrintRequest),
    /// One was kept.
    Put(Drawn),
    /// One was taken back.
    Revoke(CodeId, Utc),
    /// The link of one, while it is known.
    Link(CodeId),
}

/// Every printed code.
#[derive(Debug)]
pub(in crate::gateway) struct Prints {
    pub(super) codes: BTreeMap<CodeId, Printed>,
    /// What was shown of new ones.
    shown: BTreeMap<CodeId, Secret>,
    /// What pages join by that read one, and the name that they gave.
    pub(super) begins: BTreeMap<TicketId, Option<String>>,
    pub(super) by_source: Throttle<String>,
    pub(super) by_code: Throttle<CodeId>,
}

impl Prints {
    pub(super) fn new(coding: &Coding) -> Self {
        Self {
            codes: BTreeMap::new(),
            shown: BTreeMap::new(),
            begins: BTreeMap::new(),
            by_source: Throttle::new(coding.begin_burst, coding.begin_refill, THROTTLE_KEYS),
            by_code: Throttle::new(1, Duration::from_secs(60), 2 * MOST),
        }
    }
}

impl From<Spent> for Closed {
    fn from(spent: Spent) -> Self {
        match spent {
            Spent::TooEarly => Closed::TooEarly,
            Spent::Expired => Closed::Expired,
            Spent::Revoked => Closed::Revoked,
            Spent::UsedUp => Closed::UsedUp,
        }
    }
}

impl Gateway {
    /// Does something with printed codes.
    pub(in crate::gateway) fn ask_printed(&mut self, command: PrintCommand, now: Now) -> Outcome {
        match command {
            PrintCommand::Draw(asked) => self.draw_printed(asked, now).map(|drawn| Reply::Printed(Box::new(drawn))),
            PrintCommand::Put(drawn) => {
                self.put_printed(drawn.code.clone(), now);
                self.codes.prints.shown.insert(drawn.code.id, drawn.link);
                self.timers.arm(Timer::Code(drawn.code.id), now.mono + PICTURED);
                Ok(Reply::Done)
            }
            PrintCommand::Revoke(id, at) => {
                let code = self.codes.prints.codes.get_mut(&id).ok_or(Denial::NotFound("printed code"))?;
                code.revoked = code.revoked.or(Some(at));
                self.picture_forgotten(id);
                Ok(Reply::Done)
            }
            PrintCommand::Link(id) => {
                let known = self.codes.prints.codes.contains_key(&id);
                let link = self.codes.prints.shown.get(&id).cloned();
                match (link, known) {
                    (Some(link), _) => Ok(Reply::PrintedLink(link)),
                    (None, true) => Err(Denial::Closed(Closed::NotShown)),
                    (None, false) => Err(Denial::NotFound("printed code")),
                }
            }
        }
    }

    /// What a new code shows is known no more.
    pub(super) fn picture_forgotten(&mut self, id: CodeId) {
        self.codes.prints.shown.remove(&id);
    }

    /// Takes in a printed code that is kept.
    pub(in crate::gateway) fn put_printed(&mut self, code: Printed, now: Now) {
        self.forget_printed(now);
        for hash in [code.link, code.digits] {
            let right = Right::Begin { code: code.id };
            let id = TicketId::draw(&mut self.rng);
            // Its time and uses are kept by the code, so that those are told apart, and link and digits count together.
            let room = RoomId::from_bits(0);
            let ticket = Ticket { id, hash, room, right, expires: None, uses: None, used: 0, revoked: false };
            // Those that are made had room for them; at a start one more than there may be opens nothing.
            let _ = self.web.tickets.put(ticket, now.utc);
        }
        self.codes.prints.codes.insert(code.id, code);
    }

    /// Where there are as many as there may be, those that are over are known no more, the oldest first.
    fn forget_printed(&mut self, now: Now) {
        let codes = &self.codes.prints.codes;
        let too_many = (codes.len() + 1).saturating_sub(MOST);
        if too_many == 0 {
            return;
        }
        let mut over: Vec<&Printed> = codes.values().filter(|code| code.is_over(now.utc)).collect();
        over.sort_by_key(|code| code.created);
        let gone: Vec<(CodeId, [Hash; 2])> =
            over.into_iter().take(too_many.max(AT_ONCE)).map(|code| (code.id, [code.link, code.digits])).collect();
        for (id, hashes) in gone {
            self.codes.prints.codes.remove(&id);
            self.picture_forgotten(id);
            for hash in hashes {
                let ticket = self.web.tickets.by_hash(hash, now.utc).map(|ticket| ticket.id);
                ticket.ok().and_then(|ticket| self.web.tickets.revoke(ticket));
            }
        }
    }

    fn draw_printed(&mut self, asked: PrintRequest, now: Now) -> Result<Drawn, Denial> {
        let invalid = |what: &str| Denial::Invalid(what.to_owned());
        if !self.settings.coding.printed {
            return Err(Denial::Conflict("printed codes are switched off here: `codes.printed` is false".into()));
        }
        let counts = self.codes.prints.codes.values().filter(|code| !code.is_over(now.utc)).count();
        if counts >= MOST || !self.web.tickets.have_room_for(2, now.utc) {
            return Err(Denial::Conflict("there are too many printed codes, or links: take some back".into()));
        }
        let name = |text: &str, what: &str| {
            crate::room::read_name(text).map_err(|_| invalid(&format!("{what}: 1 to 64 characters")))
        };
        let title = name(&asked.title, "title")?.ok_or_else(|| invalid("title: 1 to 64 characters"))?;
        let newcomer = name(asked.name.as_deref().unwrap_or_default(), "name")?;
        let leads = match (asked.room, asked.to) {
            (Some(room), None) => Leads::Room(room),
            (None, Some(to)) => Leads::Call(to.trim().to_owned()),
            (Some(_), Some(_)) | (None, None) => return Err(invalid("give either `room` or `to`")),
        };
        self.aim_of(&leads, now).map_err(|_| match &leads {
            Leads::Room(_) => Denial::NotFound("room"),
            Leads::Call(_) => invalid("to: this reaches nobody whom the API may call (`operator_limits`)"),
        })?;
        if asked.context.as_ref().is_some_and(|text| text.len() > CONTEXT || text.chars().any(char::is_control)) {
            return Err(invalid("context: at most 256 bytes, on one line"));
        }
        if asked.uses == Some(0) {
            return Err(invalid("uses: a code for no call begins none"));
        }
        let per_hour = asked.per_hour.unwrap_or(self.settings.coding.per_hour);
        if !PER_HOUR.contains(&per_hour) {
            return Err(invalid("per_hour: 1 to 10000"));
        }
        let lasts = i64::try_from(self.settings.coding.printed_lasts.as_millis()).unwrap_or(LONGEST);
        let from = asked.valid_from.unwrap_or(now.utc);
        let expires = asked.expires.unwrap_or(Utc(from.0.max(now.utc.0).saturating_add(lasts)));
        if expires <= from || expires <= now.utc || expires.0.saturating_sub(now.utc.0) > LONGEST {
            return Err(invalid("expires: after `valid_from`, in five years at the latest"));
        }
        let text = Secret::new(self.rng.token(TICKET));
        let base = self.settings.elevating.link_base.trim_end_matches('/');
        let link = Secret::new(format!("{base}/c/{}", text.expose()));
        let digits = self.draw_printed_digits();
        let code = Printed {
            id: CodeId::draw(&mut self.rng),
            title,
            leads,
            name: newcomer,
            context: asked.context.filter(|text| !text.is_empty()),
            valid_from: asked.valid_from,
            expires: Some(expires),
            uses: asked.uses,
            used: 0,
            per_hour,
            created: now.utc,
            last_used: None,
            revoked: None,
            link: Hash::of(text.expose()),
            digits: Printed::hash_of_digits(digits.expose()),
        };
        Ok(Drawn { code, link, digits })
    }

    fn draw_printed_digits(&mut self) -> Secret {
        loop {
            let digits = Secret::new(with_check(self.rng.below(1_000_000_000), PRINTED_DIGITS));
            let hash = Printed::hash_of_digits(digits.expose());
            let taken = self.codes.prints.codes.values().any(|other| other.digits == hash);
            if !taken && self.room_of_pin(&digits, None).is_none() {
                return digits;
            }
        }
    }

    /// Where a printed code leads by now: an operator's rules and limits hold, and calls for help are dialled by people.
    pub(super) fn aim_of(&self, leads: &Leads, now: Now) -> Result<(Destination, Option<Dialled>), Closed> {
        match leads {
            Leads::Room(room) => match self.rooms.get(room) {
                Some(live) if !live.settings().call => Ok((Destination::Room { room: *room }, None)),
                Some(_) | None => Err(Closed::Nowhere),
            },
            Leads::Call(to) => match self.lead_operator(to, None, now) {
                Ok((_, Some(dialled))) if dialled.is_emergency() => Err(Closed::Nowhere),
                Ok((
                    to @ (Destination::Extension { .. } | Destination::Group { .. } | Destination::Trunk { .. }),
                    d,
                )) => Ok((to, d)),
                Ok((Destination::Room { room }, _)) => self.aim_of(&Leads::Room(room), now),
                Ok((Destination::Attendant {} | Destination::Refuse { .. } | Destination::Webhook { .. }, _))
                | Err(_) => Err(Closed::Nowhere),
            },
        }
    }
}
