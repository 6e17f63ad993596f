//! The registrar (RFC 3261 §10.3): which telephones an extension has, and the way back to each.
//!
//! ```text
//!   register ──► checked whole, then applied whole ──► 200 with every contact   (400, 403, 423, 500, 503: nothing changes)
//!   time ──────► contacts whose time is up are gone ─┐
//!   a connection closes ─► contacts behind it are gone ├──► Change
//!   unregister, `*` ────────────────────────────────┘
//! ```
//!
//! Who may register for whom is asked before: a request comes here with the extension that it proved to be.

mod binding;
mod contact;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use contact::Contact;

use crate::base::id::ExtensionId;
use crate::base::{Instant, Now, Timers};
use crate::sip::endpoint::Headers;
use crate::sip::transport::{FlowId, Source};
use crate::wire::sip::{Name, NameAddr, Request, Status, Text};
use binding::{Binding, Wanted};

/// How registrations are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The shortest registration; a shorter one gets 423. Less: phones register all the time. More: a phone that was
    /// unplugged rings for longer.
    pub min_expires: Duration,
    /// The longest; a longer one is cut to it. Less: more to do. More: a phone that was unplugged is believed for longer.
    pub max_expires: Duration,
    /// Where the phone names none.
    pub default_expires: Duration,
    /// Contacts held in all; beyond it 503. Each is about a kilobyte.
    pub most: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_expires: Duration::from_secs(60),
            max_expires: Duration::from_secs(3600),
            default_expires: Duration::from_secs(3600),
            most: 100_000,
        }
    }
}

/// Whose registration it is, and what is known of them.
#[derive(Debug, Clone)]
pub struct Account {
    /// The extension that the request proved to be.
    pub extension: ExtensionId,
    /// Contacts it may have; a further one takes the place of the one longest unheard of.
    pub max_contacts: usize,
    /// The dialect to speak to this phone, by its name.
    pub profile: Arc<str>,
}

/// What a REGISTER is answered with.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: Status,
    /// Contacts, Min-Expires, Path and their kin.
    pub headers: Headers,
}

/// Contacts came or went.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A telephone is reached that was not before.
    Registered {
        /// Whose.
        extension: ExtensionId,
        /// Where.
        contact: Box<Contact>,
    },
    /// One is not reached any more.
    Unregistered {
        /// Whose.
        extension: ExtensionId,
        /// Where it was.
        contact: Box<Contact>,
        /// Why.
        why: Gone,
    },
}

/// Why a contact is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Gone {
    /// The telephone said so.
    Unregistered,
    /// It was not refreshed in time.
    Expired,
    /// The connection it was reached by is closed.
    ConnectionClosed,
    /// Another one took its place.
    Replaced,
    /// An operator took it away, or its extension.
    Removed,
}

/// Every contact of every extension.
#[derive(Debug, Default)]
pub struct Registrar {
    settings: Settings,
    bindings: BTreeMap<ExtensionId, Vec<Binding>>,
    by_flow: BTreeSet<(FlowId, ExtensionId)>,
    /// When the first contact of an extension expires.
    timers: Timers<ExtensionId>,
    held: usize,
    changes: VecDeque<Change>,
}

/// Contacts in one request. More are a mistake, or an attempt to make us work.
const MOST_AT_ONCE: usize = 16;

impl Registrar {
    /// Holds nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Takes an authorised REGISTER; what changes by it comes from [`Registrar::poll_change`].
    pub fn register(&mut self, account: &Account, request: &Request, source: &Source, now: Now) -> Reply {
        let wanted = match Wanted::of(request, source, &self.settings) {
            Ok(wanted) => wanted,
            Err(reply) => return reply,
        };
        let held = self.bindings.get(&account.extension).map(Vec::as_slice).unwrap_or_default();
        if held.iter().any(|binding| binding.is_newer_than(&wanted.call_id, wanted.seq)) {
            return Reply::because(Status::SERVER_INTERNAL_ERROR);
        }
        let adds = wanted.contacts.iter().filter(|contact| contact.expires > Duration::ZERO);
        let fresh = adds.clone().filter(|contact| !held.iter().any(|binding| binding.is_of(contact))).count();
        if adds.count() > account.max_contacts {
            return Reply::because(Status::FORBIDDEN);
        }
        if self.held + fresh > self.settings.most {
            return Reply::because(Status::SERVICE_UNAVAILABLE).with(Name::RetryAfter, "60");
        }
        self.apply(account, &wanted, now);
        self.reply(account.extension, request, &wanted, now)
    }

    /// A connection is gone, and with it those who were reached by nothing else.
    pub fn flow_closed(&mut self, flow: FlowId) {
        let last = ExtensionId::from_bits(u64::MAX);
        let range = (flow, ExtensionId::from_bits(0))..=(flow, last);
        let extensions: Vec<ExtensionId> = self.by_flow.range(range).map(|(_, extension)| *extension).collect();
        for extension in extensions {
            self.by_flow.remove(&(flow, extension));
            self.retain(extension, |binding| binding.outlives(flow).then_some(()).ok_or(Gone::ConnectionClosed));
        }
    }

    /// Forgets every contact of an extension: it is gone, or its password was changed.
    pub fn remove(&mut self, extension: ExtensionId) {
        self.retain(extension, |_| Err(Gone::Removed));
    }

    /// The moment that [`Registrar::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(extension) = self.timers.expire(now.mono) {
            self.retain(
                extension,
                |binding| {
                    if binding.contact.expires > now.mono { Ok(()) } else { Err(Gone::Expired) }
                },
            );
        }
    }

    /// When to call [`Registrar::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next change; drain until `None`.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Where an extension is called, the most wanted first; of several ways to one telephone (RFC 5626) the latest.
    pub fn targets(&self, extension: ExtensionId) -> Vec<Contact> {
        let mut contacts: Vec<&Contact> = self.contacts(extension).collect();
        contacts.sort_by_key(|contact| (std::cmp::Reverse(contact.q), std::cmp::Reverse(contact.refreshed)));
        let mut telephones = BTreeSet::new();
        contacts.retain(|contact| contact.reg_id.is_none() || telephones.insert(contact.instance.clone()));
        contacts.into_iter().cloned().collect()
    }

    /// The contacts of one extension.
    pub fn contacts(&self, extension: ExtensionId) -> impl Iterator<Item = &Contact> {
        self.bindings.get(&extension).into_iter().flatten().map(|binding| &binding.contact)
    }

    /// Every contact, by extension.
    pub fn all(&self) -> impl Iterator<Item = (ExtensionId, &Contact)> {
        self.bindings.iter().flat_map(|(extension, held)| held.iter().map(|binding| (*extension, &binding.contact)))
    }

    /// Whether an extension is reached at all.
    pub fn is_registered(&self, extension: ExtensionId) -> bool {
        self.bindings.contains_key(&extension)
    }

    /// Contacts held in all.
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    fn apply(&mut self, account: &Account, wanted: &Wanted, now: Now) {
        let extension = account.extension;
        if wanted.star {
            self.retain(extension, |_| Err(Gone::Unregistered));
        }
        for contact in &wanted.contacts {
            if contact.expires.is_zero() {
                self.retain(extension, |held| if held.is_of(contact) { Err(Gone::Unregistered) } else { Ok(()) });
                continue;
            }
            let held = self.bindings.entry(extension).or_default();
            let fresh = Binding::new(contact, wanted, account, now);
            match held.iter_mut().find(|binding| binding.is_of(contact)) {
                Some(known) => known.refresh(fresh),
                None => {
                    self.held += 1;
                    let contact = Box::new(fresh.contact.clone());
                    self.changes.push_back(Change::Registered { extension, contact });
                    held.push(fresh);
                }
            }
            if let Some(flow) = contact.target.flow {
                self.by_flow.insert((flow, extension));
            }
        }
        self.shed(account);
    }

    /// Makes those longest unheard of give way to newer ones.
    fn shed(&mut self, account: &Account) {
        let held = self.bindings.get(&account.extension).map(Vec::as_slice).unwrap_or_default();
        let mut places: Vec<(Instant, usize)> =
            held.iter().enumerate().map(|(place, binding)| (binding.contact.refreshed, place)).collect();
        places.sort_unstable();
        let surplus = held.len().saturating_sub(account.max_contacts);
        let leaving: BTreeSet<usize> = places.into_iter().take(surplus).map(|(_, place)| place).collect();
        let mut places = 0..;
        self.retain(account.extension, |_| match places.next() {
            Some(place) if leaving.contains(&place) => Err(Gone::Replaced),
            Some(_) | None => Ok(()),
        });
    }

    /// Keeps the contacts that `keep` says yes to, tells of the others, and sets the timer for what is left.
    fn retain(&mut self, extension: ExtensionId, mut keep: impl FnMut(&mut Binding) -> Result<(), Gone>) {
        let Some(held) = self.bindings.get_mut(&extension) else { return };
        let before = held.len();
        let changes = &mut self.changes;
        held.retain_mut(|binding| match keep(binding) {
            Ok(()) => true,
            Err(why) => {
                let contact = Box::new(binding.contact.clone());
                changes.push_back(Change::Unregistered { extension, contact, why });
                false
            }
        });
        self.held = self.held.saturating_sub(before - held.len());
        match held.iter().map(|binding| binding.contact.expires).min() {
            Some(first) => self.timers.arm(extension, first),
            None => {
                self.bindings.remove(&extension);
                self.timers.disarm(&extension);
            }
        }
    }

    /// The 200: every contact and what is left of its time (§10.3 item 8).
    fn reply(&self, extension: ExtensionId, request: &Request, wanted: &Wanted, now: Now) -> Reply {
        let mut reply = Reply::because(Status::OK);
        for contact in self.contacts(extension) {
            reply = reply.with(Name::Contact, contact.written(now.mono));
        }
        if wanted.outbound {
            reply = reply.with(Name::Require, "outbound");
        }
        if request.headers.supports("path") {
            for path in &wanted.path {
                reply = reply.with(Name::Path, path.to_string());
            }
        }
        // Telephones without a clock of their own set it by this.
        reply.with(Name::Date, contact::date(now.utc))
    }
}

impl Reply {
    /// A status alone.
    pub fn because(status: Status) -> Self {
        Self { status, headers: Headers::new() }
    }

    /// The same with a header.
    pub fn with(mut self, name: Name, value: impl Into<Text>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Whether a header's address is one that we can send to: `sip` or `sips`.
fn is_sip(address: &NameAddr) -> bool {
    use crate::wire::sip::Scheme::{Sip, Sips};
    matches!(address.uri.scheme(), Sip | Sips)
}

#[cfg(test)]
mod tests;
