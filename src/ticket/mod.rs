//! Rank 4: tickets: opaque texts that prove a right. An invitation's link ends in one, a dropped page comes back by one.
//!
//! ```text
//! draw ─▶ (shown once, hash) ─▶ put ─▶ verify … spend … ─▶ used up | expired | revoked
//! ```
//!
//! A ticket says nothing by itself: 130 random bits, of which only the SHA-256 is kept, in memory and in the store. What it
//! is good for stands beside the hash, so that it can be changed and taken back at any time.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::id::{CodeId, DeviceId, ElevationId, TicketId};
use crate::base::{ParticipantId, Rng, RoomId, Secret, Utc};
use crate::room::{Role, read_name};

/// Characters of a ticket, five random bits each. More: links that wrap in a text message. Fewer: guessing comes into reach.
const LENGTH: usize = 26;

/// How long an invitation counts where nothing is said, in seconds: a month.
const USUAL: u64 = 30 * 86_400;

/// The shortest, in seconds.
const SHORTEST: u64 = 60;

/// The longest, in seconds: two years.
const LONGEST: u64 = 2 * 366 * 86_400;

/// Tickets at once, some 200 bytes each.
const MOST: usize = 100_000;

/// What is kept of a ticket's text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of a ticket as it is shown.
    pub fn of(shown: &str) -> Self {
        Self(Sha256::digest(shown.as_bytes()).into())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

/// What a ticket is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// Comes into the room without a passcode.
    Enter(Invitation),
    /// Takes this place again, after its connection dropped.
    Resume {
        /// Whose.
        participant: ParticipantId,
        /// The invitation whose use was spent on it: where the place is gone, this one comes back by it without another.
        invitation: Option<TicketId>,
    },
    /// Gets a ticket for the seat of somebody on a telephone.
    Elevate {
        /// By which elevation.
        elevation: ElevationId,
    },
    /// Shows or reads a code that moves a call to another device.
    Code {
        /// Which.
        code: CodeId,
    },
    /// Begins a call by a printed code.
    Begin {
        /// Which.
        code: CodeId,
    },
    /// Takes somebody's seat, with the channels that were granted.
    Seat {
        /// Whose.
        participant: ParticipantId,
        /// What granted it.
        by: SeatBy,
    },
}

/// What lets another device take somebody's seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeatBy {
    /// An elevation of the person's telephone call.
    Elevation(ElevationId),
    /// A code that was read.
    Code(CodeId),
    /// A device of the same person that the call was moved to.
    Device(DeviceId),
}

/// As whom somebody is invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// As what.
    pub role: Role,
    /// What they are called where they give no other name.
    pub name: Option<String>,
    /// For one person: a second browser with the same ticket takes the place of the first.
    pub personal: bool,
}

/// An invitation as it is wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "node", schema(as = NewInvitation))]
pub struct Wanted {
    /// As what; `guest` where absent.
    #[serde(default = "guest")]
    pub role: Role,
    /// What the invited person is called, where they give no other name.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(example = "Anna"))]
    pub name: Option<String>,
    /// For one person: a second browser with the same link takes the place of the first. True where a name is given.
    #[serde(default)]
    pub personal: Option<bool>,
    /// How many may come by it; none for any number.
    #[serde(default)]
    pub uses: Option<u32>,
    /// For how long it counts, in seconds: a minute to two years, a month where absent.
    #[serde(default)]
    pub seconds: Option<u64>,
}

fn guest() -> Role {
    Role::Guest
}

/// What is wrong with a wished invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// The name.
    Name,
    /// For nobody.
    Uses,
    /// For less than a minute, or more than two years.
    Seconds,
}

impl Wanted {
    /// For anybody, any number of them, for a month.
    pub fn of(role: Role) -> Self {
        Self { role, name: None, personal: None, uses: None, seconds: None }
    }

    /// The invitation to a room, and the ticket's text.
    pub fn draw(&self, room: RoomId, rng: &mut Rng, now: Utc) -> Result<(Ticket, Secret), Unfit> {
        let name = self.name.as_deref().map(read_name).transpose().map_err(|_| Unfit::Name)?.flatten();
        if self.uses == Some(0) {
            return Err(Unfit::Uses);
        }
        let seconds = self.seconds.unwrap_or(USUAL);
        if !(SHORTEST..=LONGEST).contains(&seconds) {
            return Err(Unfit::Seconds);
        }
        let length = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let (shown, hash) = draw(rng);
        let right =
            Right::Enter(Invitation { role: self.role, personal: self.personal.unwrap_or(name.is_some()), name });
        let expires = Some(Utc(now.0.saturating_add(length)));
        Ok((
            Ticket { id: TicketId::draw(rng), hash, room, right, expires, uses: self.uses, used: 0, revoked: false },
            shown,
        ))
    }
}

/// A ticket as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its public name.
    pub id: TicketId,
    /// What is kept of its text.
    pub hash: Hash,
    /// Where it is good.
    pub room: RoomId,
    /// For what.
    pub right: Right,
    /// Until when; none for as long as it is not revoked.
    pub expires: Option<Utc>,
    /// How often; none for as often as one likes.
    pub uses: Option<u32>,
    /// How often it was used.
    pub used: u32,
    /// It was taken back; whoever shows it is told so.
    pub revoked: bool,
}

/// Why a ticket does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// None of ours.
    Unknown,
    /// It was taken back.
    Revoked,
    /// It was good once.
    Expired,
    /// As often as it was good for.
    UsedUp,
}

/// Every ticket that counts.
#[derive(Debug, Default)]
pub struct Tickets {
    tickets: BTreeMap<TicketId, Ticket>,
    by_hash: BTreeMap<Hash, TicketId>,
}

/// Draws a ticket's text, and what is kept of it.
pub fn draw(rng: &mut Rng) -> (Secret, Hash) {
    let shown = rng.token(LENGTH);
    let hash = Hash::of(&shown);
    (Secret::new(shown), hash)
}

impl Tickets {
    /// Takes a ticket in, or over again; false where there are too many.
    pub fn put(&mut self, ticket: Ticket, now: Utc) -> bool {
        if self.tickets.len() >= MOST && !self.tickets.contains_key(&ticket.id) {
            self.forget_expired(now);
            if self.tickets.len() >= MOST {
                return false;
            }
        }
        self.revoke(ticket.id);
        self.by_hash.insert(ticket.hash, ticket.id);
        self.tickets.insert(ticket.id, ticket);
        true
    }

    /// Whether so many more can be taken in.
    pub fn have_room_for(&mut self, count: usize, now: Utc) -> bool {
        if self.tickets.len() + count > MOST {
            self.forget_expired(now);
        }
        self.tickets.len() + count <= MOST
    }

    /// Makes a ticket for a right that ends with what it is about, or then.
    pub fn issue(
        &mut self,
        room: RoomId,
        right: Right,
        expires: Option<Utc>,
        rng: &mut Rng,
        now: Utc,
    ) -> (Ticket, Secret) {
        let (shown, hash) = draw(rng);
        let id = TicketId::draw(rng);
        let ticket = Ticket { id, hash, room, right, expires, uses: None, used: 0, revoked: false };
        self.put(ticket.clone(), now);
        (ticket, shown)
    }

    /// The tickets that take somebody's place again.
    pub fn resumes_of(&self, whose: ParticipantId) -> Vec<TicketId> {
        let of = |ticket: &&Ticket| matches!(ticket.right, Right::Resume { participant, .. } if participant == whose);
        self.tickets.values().filter(of).map(|ticket| ticket.id).collect()
    }

    /// Makes a ticket good for something else.
    pub fn turn_into(&mut self, id: TicketId, right: Right) {
        if let Some(ticket) = self.tickets.get_mut(&id) {
            ticket.right = right;
        }
    }

    /// The ticket with this text, as far as it counts now. A use that is left is not spent yet.
    pub fn verify(&self, shown: &str, now: Utc) -> Result<&Ticket, Flaw> {
        self.by_hash(Hash::of(shown), now)
    }

    /// The same by what is kept of the text.
    pub fn by_hash(&self, hash: Hash, now: Utc) -> Result<&Ticket, Flaw> {
        let known = self.by_hash.get(&hash).and_then(|id| self.tickets.get(id));
        match known {
            None => Err(Flaw::Unknown),
            Some(ticket) if ticket.revoked => Err(Flaw::Revoked),
            Some(ticket) if ticket.expires.is_some_and(|at| at <= now) => Err(Flaw::Expired),
            Some(ticket) => Ok(ticket),
        }
    }

    /// Notes a use; how many there were.
    pub fn spend(&mut self, id: TicketId) -> Result<u32, Flaw> {
        let ticket = self.tickets.get_mut(&id).ok_or(Flaw::Unknown)?;
        if ticket.uses.is_some_and(|uses| ticket.used >= uses) {
            return Err(Flaw::UsedUp);
        }
        ticket.used = ticket.used.saturating_add(1);
        Ok(ticket.used)
    }

    /// Takes a ticket back, so that whoever shows it is told so; whether it was there.
    pub fn withdraw(&mut self, id: TicketId) -> bool {
        let ticket = self.tickets.get_mut(&id);
        ticket.map(|ticket| ticket.revoked = true).is_some()
    }

    /// Forgets a ticket.
    pub fn revoke(&mut self, id: TicketId) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        self.by_hash.remove(&ticket.hash);
        Some(ticket)
    }

    /// Takes back every ticket of a room.
    pub fn revoke_room(&mut self, room: RoomId) {
        let gone: Vec<TicketId> = self.tickets.values().filter(|one| one.room == room).map(|one| one.id).collect();
        for id in gone {
            self.revoke(id);
        }
    }

    /// A ticket by its name.
    pub fn get(&self, id: TicketId) -> Option<&Ticket> {
        self.tickets.get(&id)
    }

    fn forget_expired(&mut self, now: Utc) {
        let gone: Vec<TicketId> = self
            .tickets
            .values()
            .filter(|one| one.revoked || one.expires.is_some_and(|at| at <= now))
            .map(|one| one.id)
            .collect();
        for id in gone {
            self.revoke(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(uses: Option<u32>, expires: Option<i64>) -> (Tickets, TicketId, Secret) {
        let mut rng = Rng::from_number(1);
        let (shown, hash) = draw(&mut rng);
        let id = TicketId::draw(&mut rng);
        let right = Right::Enter(Invitation { role: Role::Guest, name: None, personal: false });
        let mut tickets = Tickets::default();
        let room = RoomId::from_bits(1);
        assert!(
            tickets.put(
                Ticket { id, hash, room, right, expires: expires.map(Utc), uses, used: 0, revoked: false },
                Utc(0)
            )
        );
        (tickets, id, shown)
    }

    #[test]
    fn a_ticket_counts_until_it_is_used_up_expires_or_is_taken_back() {
        let (mut tickets, id, shown) = invitation(Some(1), Some(1000));
        assert_eq!(shown.expose().len(), 26);
        assert!(tickets.verify(shown.expose(), Utc(999)).is_ok());
        assert_eq!(tickets.verify(shown.expose(), Utc(1000)).err(), Some(Flaw::Expired));
        assert_eq!(tickets.spend(id), Ok(1));
        assert_eq!(tickets.spend(id), Err(Flaw::UsedUp));
        assert!(tickets.withdraw(id));
        assert_eq!(tickets.verify(shown.expose(), Utc(0)).err(), Some(Flaw::Revoked));
        assert!(tickets.revoke(id).is_some());
        assert_eq!(tickets.verify(shown.expose(), Utc(0)).err(), Some(Flaw::Unknown));
    }

    #[test]
    fn nothing_but_the_whole_text_counts() {
        let (tickets, id, shown) = invitation(None, None);
        for wrong in ["", &id.to_string(), &shown.expose()[1..], &shown.expose().to_uppercase()] {
            assert_eq!(tickets.verify(wrong, Utc(0)).err(), Some(Flaw::Unknown), "{wrong}");
        }
        assert!(!format!("{tickets:?}").contains(shown.expose()));
    }
}
