//! Personal links: who has one sees and moves the calls of its person.

use std::net::IpAddr;

use crate::base::id::ExtensionId;
use crate::base::throttle::network;
use crate::base::{Now, Secret, Utc};
use crate::device::PersonalLink;
use crate::gateway::command::Denial;
use crate::gateway::device::view::DeviceReply;
use crate::gateway::device::{PersonRecord, counts};
use crate::gateway::pin_guard::Trier;
use crate::gateway::web::Code;
use crate::gateway::{Gateway, Output as Order, Record};
use crate::ticket::{self, Hash};

/// The shortest and the longest time for which a link opens the page, in seconds: an hour, a year.
const SECONDS: (u64, u64) = (3600, 366 * 86_400);

/// Links of one person that count at once; the one that ends first goes.
const MOST_LINKS: usize = 16;

impl Gateway {
    /// Makes a personal link.
    pub(super) fn make_link(&mut self, extension: ExtensionId, seconds: u64, now: Now) -> Result<DeviceReply, Denial> {
        if self.table.extensions.get(&extension).is_none() {
            return Err(Denial::NotFound("extension"));
        }
        if !(SECONDS.0..=SECONDS.1).contains(&seconds) {
            return Err(Denial::Invalid("a link is for an hour to a year: 3600 to 31622400 seconds".into()));
        }
        let (shown, hash) = ticket::draw(&mut self.rng);
        let length = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        let link = PersonalLink { extension, hash, expires: Utc(now.utc.0.saturating_add(length)) };
        self.devices.links.retain(|_, link| counts(link, now.utc));
        let theirs = self.devices.links.values().filter(|link| link.extension == extension);
        let (number, first) = (theirs.clone().count(), theirs.min_by_key(|link| link.expires).map(|link| link.hash));
        if let Some(first) = first.filter(|_| number >= MOST_LINKS) {
            self.devices.links.remove(&first);
        }
        self.devices.links.insert(hash, link.clone());
        let expires = link.expires.to_string();
        self.keep_person(PersonRecord::Link(link));
        Ok(DeviceReply::Link(shown, expires))
    }

    /// None of a person's links opens anything more; pages that are open are closed.
    pub(super) fn take_links_back(&mut self, extension: ExtensionId) -> Result<(), Denial> {
        if self.table.extensions.get(&extension).is_none() {
            return Err(Denial::NotFound("extension"));
        }
        self.devices.links.retain(|_, link| link.extension != extension);
        self.keep_person(PersonRecord::LinksGone(extension));
        let open = self.devices.open.iter().filter(|(_, open)| open.extension == extension);
        let open: Vec<_> = open.map(|(session, _)| *session).collect();
        for session in open {
            self.devices.open.remove(&session);
            self.close_page(session);
        }
        self.devices.changed.insert(extension);
        Ok(())
    }

    /// Whose link it is. Nobody guesses one; who tries is measured by the address alone.
    pub(super) fn person_of_link(&mut self, shown: &Secret, from: IpAddr, now: Now) -> Result<ExtensionId, Code> {
        let from = network(from);
        let trier = Trier { place: None, who: Some(from), key: from.to_string() };
        let link = self.devices.links.get(&Hash::of(shown.expose()));
        match link {
            Some(link) if !counts(link, now.utc) => Err(Code::ExpiredTicket),
            Some(link) if self.table.extensions.get(&link.extension).is_none_or(|of| !of.enabled) => {
                Err(Code::RevokedTicket)
            }
            Some(link) => {
                let extension = link.extension;
                self.devices.guard.note_right(&trier);
                Ok(extension)
            }
            None if self.devices.guard.note_unguessable(&trier, now.mono) => Err(Code::BadTicket),
            None => Err(Code::TooManyAttempts),
        }
    }

    /// Keeps what changed about a person.
    pub(super) fn keep_person(&mut self, what: PersonRecord) {
        self.outputs.push_back(Order::Record(Record::Person(what)));
    }
}
