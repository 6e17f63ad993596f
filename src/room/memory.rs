//! What a meeting remembers of people who are not in it: whom a host removed, and whom a host muted. It forgets when the
//! meeting is over.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::base::id::TicketId;
use crate::base::{ParticipantId, PhoneNumber};
use crate::room::text::{likeness, numbered};
use crate::room::{Output, Participant, Role, Room};

/// By what somebody who comes back is known. Nobody shows a passport: who shares one of these with another is taken for them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// A caller's number.
    Number(PhoneNumber),
    /// A caller who shows none.
    Withheld,
    /// Where a browser comes from.
    Address(IpAddr),
    /// An invitation for one person.
    Invitation(TicketId),
    /// The likeness of a name.
    Name(String),
}

/// Signs kept of each kind of memory, some 50 bytes each. Fewer: who is removed after so many comes straight back.
const MOST: usize = 10_000;

/// Signs of one person: somebody on the way changes networks.
const SIGNS: usize = 16;

/// Names that only a host has: the page shows them for those without one, and for the operator.
const OURS: [&str; 2] = ["Host", "Operator"];

/// What is remembered.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    removed: BTreeSet<Sign>,
    muted: BTreeSet<Sign>,
    /// Every guest is muted, and so is who comes.
    pub(super) all_muted: bool,
    /// Likenesses of the names that are shown now, and whose they are.
    names: std::collections::BTreeMap<String, ParticipantId>,
}

impl Room {
    /// Whether somebody must not come straight in: a host removed them, or somebody who cannot be told from them. Who proves
    /// a host's right, or has an invitation of their own, is told from them by that.
    pub(super) fn is_removed(&self, signs: &[Sign], name: Option<&str>, role: Role) -> bool {
        let own = signs.iter().any(|sign| matches!(sign, Sign::Invitation(_)));
        if role == Role::Host || own {
            return false;
        }
        let named = name.is_some_and(|name| self.memory.removed.contains(&Sign::Name(likeness(name))));
        named || signs.iter().any(|sign| self.memory.removed.contains(sign))
    }

    /// Whether somebody comes in muted by a host: all are, or they were when they left.
    pub(super) fn was_muted(&self, signs: &[Sign], role: Role) -> bool {
        role != Role::Host && (self.memory.all_muted || signs.iter().any(|sign| self.memory.muted.contains(sign)))
    }

    /// One more sign by which somebody is known: a browser beside their telephone.
    pub fn note_sign(&mut self, id: ParticipantId, sign: Sign) {
        if let Some(person) = self.participants.get_mut(&id)
            && person.signs.len() < SIGNS
            && !person.signs.contains(&sign)
        {
            person.signs.push(sign);
        }
    }

    /// A host does not want somebody here: they do not come straight back, nor by the invitation that was theirs alone.
    pub(super) fn remember_removed(&mut self, id: ParticipantId) {
        let Some(gone) = self.participants.get(&id) else { return };
        let name = gone.name.as_deref().map(|name| Sign::Name(likeness(name)));
        let signs: Vec<Sign> = gone.signs.iter().cloned().chain(name).collect();
        let own = signs.iter().filter_map(|sign| match sign {
            Sign::Invitation(ticket) => Some(Output::Withdraw { ticket: *ticket }),
            _ => None,
        });
        self.outputs.extend(own);
        note(&mut self.memory.removed, signs);
    }

    /// Somebody is let in: whatever was against them.
    pub(super) fn forgive(&mut self, id: ParticipantId) {
        let Some(forgiven) = self.participants.get(&id) else { return };
        for sign in &forgiven.signs {
            self.memory.removed.remove(sign);
        }
        if let Some(name) = &forgiven.name {
            self.memory.removed.remove(&Sign::Name(likeness(name)));
        }
    }

    /// Somebody left; a host's mute waits for them.
    pub(super) fn remember_muted(&mut self, gone: &Participant) {
        if gone.muted_by_host {
            note(&mut self.memory.muted, gone.signs.clone());
        }
    }

    /// A host's mute was taken back.
    pub(super) fn forget_muted(&mut self, id: ParticipantId) {
        let Some(heard) = self.participants.get(&id) else { return };
        for sign in &heard.signs {
            self.memory.muted.remove(sign);
        }
    }

    /// Everybody is muted or unmuted, those who come later too.
    pub(super) fn remember_all(&mut self, muted: bool) {
        self.memory.all_muted = muted;
        if !muted {
            self.memory.muted.clear();
        }
    }

    /// Gives somebody a name that nobody else has: a number stands behind one that is taken.
    pub(super) fn set_name(&mut self, id: ParticipantId, name: Option<String>) {
        self.unname(id);
        let Some(named) = self.participants.get(&id) else { return };
        let host = named.role == Role::Host;
        let shown = named.number.as_ref().map(PhoneNumber::masked);
        let name = name.map(|name| self.free(name, host));
        for likeness in name.iter().chain(&shown).map(|shown| likeness(shown)) {
            self.memory.names.entry(likeness).or_insert(id);
        }
        if let Some(named) = self.participants.get_mut(&id) {
            named.name = name;
        }
    }

    /// Lets go of the names that somebody has.
    pub(super) fn unname(&mut self, id: ParticipantId) {
        self.memory.names.retain(|_, holder| *holder != id);
    }

    fn free(&self, name: String, host: bool) -> String {
        let taken = |name: &str| {
            let wanted = likeness(name);
            self.memory.names.contains_key(&wanted) || !host && OURS.iter().any(|ours| likeness(ours) == wanted)
        };
        if !taken(&name) {
            return name;
        }
        // One more than there are names is free.
        let mut others = (2..self.memory.names.len() + 4).map(|number| numbered(&name, number));
        others.find(|other| !taken(other)).unwrap_or(name)
    }
}

fn note(signs: &mut BTreeSet<Sign>, more: Vec<Sign>) {
    for sign in more {
        if signs.len() < MOST {
            signs.insert(sign);
        }
    }
}
