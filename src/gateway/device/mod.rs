//! People's devices: which there are, which carry a call, and how a call goes from one to the other.
//!
//! ```text
//! registrar ─▶ telephones ┐                 ┌─ telephone: ring_seat ─▶ seat_phone ─▶ handoff
//! personal page ─▶ pages  ├▶ moving (rank 5)┼─ page: asked, then a ticket ─▶ join ─▶ handoff
//! API ─▶ programs         ┘        ▲        └─ program: an event, then a ticket ─▶ join
//!                      nearness (rank 5), of what devices report
//! ```
//!
//! Nothing here moves a leg: that is `handoff`, and the ticket of a seat is `ticket`'s.

pub mod protocol;
pub mod view;

mod change;
mod doors;
mod link;
mod moves;
mod page;
mod people;
mod take;
mod tone;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::base::id::{DeviceId, ExtensionId};
use crate::base::{Instant, LegId, Now, ParticipantId, RoomId, SessionId, Throttle, Utc};
use crate::device::{Activity, Device, Habits, Moves, Nearness, PersonalLink};
use crate::gateway::event::Happening;
use crate::gateway::pin_guard::THROTTLE_KEYS;
use crate::gateway::ringing::RingId;
use crate::gateway::settings::Settings;
use crate::gateway::{Gateway, pin_guard::PinGuard};
use crate::ticket::Hash;

/// Moves of one person at once, then one more every two seconds: each rings a telephone or costs a handshake.
const MOVES: (u32, Duration) = (10, Duration::from_secs(2));

/// Reports of one device at once, then one more every 100 ms.
const REPORTS: (u32, Duration) = (50, Duration::from_millis(100));

/// How long a program counts as there after it was heard of.
const HEARD_WITHIN: Duration = Duration::from_secs(60);

/// What of people is kept.
#[derive(Debug, Default)]
pub struct Directory {
    /// Devices: browsers, programs, and what is allowed of telephones.
    pub devices: Vec<Device>,
    /// Personal links that count.
    pub links: Vec<PersonalLink>,
    /// What is allowed beyond devices.
    pub habits: Vec<(ExtensionId, Habits)>,
}

/// What the store keeps of people's devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonRecord {
    /// A device is new, or changed.
    Device(Box<Device>),
    /// It is one no more.
    DeviceGone(DeviceId),
    /// A personal link was made.
    Link(PersonalLink),
    /// None of a person's links counts any more.
    LinksGone(ExtensionId),
    /// What is allowed of a person.
    Habits(ExtensionId, Habits),
}

/// A personal page that is open.
#[derive(Debug, Clone, Copy)]
struct Open {
    device: DeviceId,
    extension: ExtensionId,
}

/// Whose place it is.
#[derive(Debug, Clone, Copy)]
struct Mine {
    room: RoomId,
    extension: ExtensionId,
}

/// A telephone that is to take a seat once its tone was heard.
#[derive(Debug, Clone, Copy)]
struct Seating {
    room: RoomId,
    participant: ParticipantId,
    keep: bool,
}

/// Everything about people's devices.
#[derive(Debug)]
pub(super) struct Devices {
    /// Those that are kept; telephones that nobody said anything about are not among them.
    known: BTreeMap<DeviceId, Device>,
    habits: BTreeMap<ExtensionId, Habits>,
    links: BTreeMap<Hash, PersonalLink>,
    /// Personal pages that are open.
    open: BTreeMap<SessionId, Open>,
    /// People of the house in rooms.
    mine: BTreeMap<ParticipantId, Mine>,
    /// The device whose page is in a person's seat.
    seats: BTreeMap<ParticipantId, DeviceId>,
    near: BTreeMap<ExtensionId, Nearness>,
    /// When a program was last heard of, and what the person did with a device.
    heard: BTreeMap<DeviceId, Instant>,
    does: BTreeMap<DeviceId, Activity>,
    moves: Moves,
    /// What rings for a move, and the telephones that answered.
    rings: BTreeMap<ParticipantId, RingId>,
    answered: BTreeMap<LegId, ParticipantId>,
    opening: BTreeMap<LegId, Seating>,
    /// Pages that take a seat.
    taking: BTreeMap<ParticipantId, take::Taking>,
    /// What a program is given for its device by the command that is being dealt with.
    given: Option<view::TakeCall>,
    /// People whose pages are to be told how things are when this input has been dealt with.
    changed: BTreeSet<ExtensionId>,
    throttle: Throttle<ExtensionId>,
    reports: Throttle<DeviceId>,
    guard: PinGuard<Option<ExtensionId>, std::net::IpAddr>,
}

impl Devices {
    pub(super) fn new(settings: &Settings, directory: Directory) -> Self {
        Self {
            known: directory.devices.into_iter().map(|device| (device.id, device)).collect(),
            habits: directory.habits.into_iter().collect(),
            links: directory.links.into_iter().map(|link| (link.hash, link)).collect(),
            open: BTreeMap::new(),
            mine: BTreeMap::new(),
            seats: BTreeMap::new(),
            near: BTreeMap::new(),
            heard: BTreeMap::new(),
            does: BTreeMap::new(),
            moves: Moves::default(),
            rings: BTreeMap::new(),
            answered: BTreeMap::new(),
            opening: BTreeMap::new(),
            taking: BTreeMap::new(),
            given: None,
            changed: BTreeSet::new(),
            throttle: Throttle::new(MOVES.0, MOVES.1, THROTTLE_KEYS),
            reports: Throttle::new(REPORTS.0, REPORTS.1, THROTTLE_KEYS),
            guard: PinGuard::new(settings),
        }
    }

    /// Whether nothing of a call is left here.
    pub(super) fn is_idle(&self) -> bool {
        self.mine.is_empty()
            && self.seats.is_empty()
            && self.moves.is_empty()
            && self.rings.is_empty()
            && self.answered.is_empty()
            && self.opening.is_empty()
            && self.taking.is_empty()
    }

    /// When [`Gateway::devices_timed_out`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let near = self.near.values().filter_map(Nearness::poll_timeout).min();
        [self.moves.poll_timeout(), near].into_iter().flatten().min()
    }

    /// Whether calls follow a person.
    fn follows(&self, extension: ExtensionId) -> bool {
        self.habits.get(&extension).is_some_and(|habits| habits.follow)
    }
}

impl Gateway {
    /// A deadline of devices' passed.
    pub(super) fn devices_timed_out(&mut self, now: Now) {
        self.devices.moves.handle_timeout(now);
        self.carry_moves(now);
        let due = |near: &Nearness| near.poll_timeout().is_some_and(|at| at <= now.mono);
        let due: Vec<ExtensionId> = self.devices.near.iter().filter(|(_, near)| due(near)).map(|(id, _)| *id).collect();
        for extension in due {
            if let Some(near) = self.devices.near.get_mut(&extension) {
                near.looked(now.mono);
            }
            self.follow_person_to(extension, now);
        }
    }

    /// Notes what a happening means for people's calls and devices.
    pub(super) fn note_for_devices(&mut self, what: &Happening, now: Now) {
        match what {
            Happening::Joined { room, participant } | Happening::Changed { room, participant } => {
                let by_phone =
                    participant.audio.and_then(|leg| self.legs.get(&leg)).and_then(|leg| leg.party.extension());
                let is_guest = self.devices.mine.contains_key(&participant.id)
                    && participant.audio.is_some_and(|leg| self.is_called_back(leg));
                if let Some(extension) = by_phone.filter(|_| !is_guest) {
                    self.devices.mine.insert(participant.id, Mine { room: *room, extension });
                }
                if !self.web.seats.contains_key(&participant.id) {
                    self.devices.seats.remove(&participant.id);
                }
                if let Some(mine) = self.devices.mine.get(&participant.id) {
                    self.devices.changed.insert(mine.extension);
                }
                self.others_changed(*room);
            }
            Happening::Left { room, participant, .. } => {
                self.others_changed(*room);
                // Who went to another room has arrived there before.
                if let Some(mine) = self.devices.mine.get(participant).filter(|mine| mine.room == *room).copied() {
                    self.devices.changed.insert(mine.extension);
                    self.devices.mine.remove(participant);
                    self.devices.seats.remove(participant);
                    self.devices.moves.ended(*participant);
                    self.carry_moves(now);
                }
            }
            Happening::ExtensionRegistered { extension, .. } | Happening::ExtensionUnregistered { extension, .. } => {
                self.devices.changed.insert(*extension);
            }
            Happening::CallHeld { call, .. } => {
                let extension = self.legs.get(call).and_then(|leg| leg.party.extension());
                self.devices.changed.extend(extension);
            }
            _ => {}
        }
    }

    /// Whoever else of the house is in a room sees others come, go and change their names.
    fn others_changed(&mut self, room: RoomId) {
        let people = self.devices.mine.values().filter(|mine| mine.room == room).map(|mine| mine.extension);
        let people: Vec<ExtensionId> = people.collect();
        self.devices.changed.extend(people);
    }

    /// An extension is one no more: so is everything of its person.
    pub(super) fn forget_person(&mut self, extension: ExtensionId) {
        let devices: Vec<DeviceId> = self
            .devices
            .known
            .values()
            .filter(|device| device.extension == extension)
            .map(|device| device.id)
            .collect();
        for device in devices {
            self.devices.known.remove(&device);
        }
        self.devices.links.retain(|_, link| link.extension != extension);
        self.devices.habits.remove(&extension);
        self.devices.near.remove(&extension);
        let open: Vec<SessionId> =
            self.devices.open.iter().filter(|(_, open)| open.extension == extension).map(|(id, _)| *id).collect();
        for session in open {
            self.devices.open.remove(&session);
            self.close_page(session);
        }
    }
}

/// Whether a link counts.
fn counts(link: &PersonalLink, now: Utc) -> bool {
    link.expires > now
}
