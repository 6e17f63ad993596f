//! Who has which devices, which device a leg is, and what carries which call.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::base::id::{DeviceId, ExtensionId};
use crate::base::phone_number::masked_dialled;
use crate::base::{LegId, Now, ParticipantId};
use crate::device::{self, Back, CallFacts, Capability, Consent, Device, Kind, Named, Standing, Transfers};
use crate::gateway::Gateway;
use crate::gateway::device::view::{CallOfMine, DeviceView, Moving};
use crate::gateway::device::{HEARD_WITHIN, Mine};
use crate::gateway::leg::Leg;
use crate::gateway::view::CallDirection;
use crate::room::{Channel, Participant, State};
use crate::sip::registrar::Contact;

/// Names of others that are shown of one call.
const OTHERS: usize = 5;

impl Gateway {
    /// The telephones that are registered for somebody, each with its id.
    fn phones_of(&self, extension: ExtensionId) -> impl Iterator<Item = (DeviceId, &Contact)> {
        let contacts = self.phones.registrar.contacts(extension);
        contacts.map(move |contact| (id_of(extension, contact), contact))
    }

    /// Where a telephone is called.
    pub(in crate::gateway) fn phone_contact(&self, extension: ExtensionId, device: DeviceId) -> Option<Contact> {
        let mut targets = self.telephones(extension).into_iter();
        targets.find(|contact| id_of(extension, contact) == device)
    }

    /// Whether a telephone takes calls at once that are moved to it.
    pub(in crate::gateway) fn answers_by_itself(&self, device: DeviceId) -> bool {
        self.devices.known.get(&device).is_some_and(|device| device.consent.transfers == Transfers::AtOnce)
    }

    /// A device: one that is kept, or a telephone that is registered.
    pub(super) fn device(&self, id: DeviceId) -> Option<Device> {
        if let Some(known) = self.devices.known.get(&id) {
            return Some(known.clone());
        }
        let (extension, contact) = self.phones.registrar.all().find(|(of, contact)| id_of(*of, contact) == id)?;
        Some(telephone(extension, contact, id))
    }

    /// The devices of somebody: telephones first, then by when they came.
    pub(super) fn devices_of(&self, extension: ExtensionId) -> Vec<Device> {
        let mut devices: Vec<Device> =
            self.devices.known.values().filter(|device| device.extension == extension).cloned().collect();
        for (id, contact) in self.phones_of(extension) {
            if !devices.iter().any(|device| device.id == id) {
                devices.push(telephone(extension, contact, id));
            }
        }
        devices.sort_by_key(|device| (device.kind, device.created, device.id));
        devices
    }

    /// Which device a leg of somebody is: the telephone that is registered from where it comes, or the page in the seat.
    pub(super) fn device_of_leg(&self, leg: LegId, participant: ParticipantId) -> Option<DeviceId> {
        let Some(record) = self.legs.get(&leg) else {
            return self.web.has_leg(leg).then(|| self.devices.seats.get(&participant).copied()).flatten();
        };
        let extension = record.party.extension()?;
        let mut phones = self.phones_of(extension);
        let there = phones.find(|(_, contact)| contact.target.remote == record.peer).map(|(id, _)| id);
        there.or_else(|| {
            // One telephone, that came anew from elsewhere since.
            let mut phones = self.phones_of(extension);
            let only = phones.next().map(|(id, _)| id);
            only.filter(|_| phones.next().is_none())
        })
    }

    /// Whether something can reach the device now.
    fn is_online(&self, device: &Device, now: Now) -> bool {
        match device.kind {
            Kind::Telephone => self.phones_of(device.extension).any(|(id, _)| id == device.id),
            // Its personal page, or the meeting that it opened from there.
            Kind::Browser => {
                let shows = |id: &ParticipantId| self.web_session(*id).is_some();
                self.devices.open.values().any(|open| open.device == device.id)
                    || self.devices.seats.iter().any(|(id, at)| *at == device.id && shows(id))
            }
            Kind::App => self.devices.heard.get(&device.id).is_some_and(|at| now.mono.since(*at) <= HEARD_WITHIN),
        }
    }

    /// The calls that a device carries anything of.
    fn carried_by(&self, device: &Device) -> Vec<ParticipantId> {
        let mine = self.devices.mine.iter().filter(|(_, mine)| mine.extension == device.extension);
        let carries = |id: ParticipantId| {
            [Channel::Audio, Channel::Video].iter().any(|channel| self.carrier(id, *channel) == Some(device.id))
        };
        mine.map(|(id, _)| *id).filter(|id| carries(*id)).collect()
    }

    /// The device that carries a channel of a place.
    pub(super) fn carrier(&self, participant: ParticipantId, channel: Channel) -> Option<DeviceId> {
        let leg = self.my_place(participant)?.1.leg(channel)?;
        self.device_of_leg(leg, participant)
    }

    /// A person's place, where it is one of somebody of the house.
    pub(super) fn my_place(&self, participant: ParticipantId) -> Option<(Mine, &Participant)> {
        let mine = *self.devices.mine.get(&participant)?;
        Some((mine, self.rooms.get(&mine.room)?.participant(participant)?))
    }

    /// The calls of a person, the oldest first.
    pub(super) fn calls_of(&self, extension: ExtensionId) -> Vec<ParticipantId> {
        let mut calls: Vec<(_, ParticipantId)> = self
            .devices
            .mine
            .iter()
            .filter(|(_, mine)| mine.extension == extension)
            .filter_map(|(id, _)| Some((self.my_place(*id)?.1, *id)))
            .filter(|(place, _)| place.state != State::Ringing)
            .map(|(place, id)| (place.since, id))
            .collect();
        calls.sort();
        calls.into_iter().map(|(_, id)| id).collect()
    }

    /// What a move has to know of a call.
    pub(super) fn call_facts(&self, participant: ParticipantId) -> CallFacts {
        let Some((mine, place)) = self.my_place(participant) else { return CallFacts::default() };
        let own = |leg: &&Leg| leg.place().is_some_and(|(room, _)| room == mine.room);
        CallFacts {
            help: self.legs.values().filter(own).any(|leg| leg.help),
            held: place.held || place.held_by_us || place.audio.is_some_and(|leg| self.is_in_transfer(leg)),
            up: place.state == State::Active,
        }
    }

    /// What a move has to know of the device it goes to.
    pub(super) fn standing(&self, device: &Device, participant: ParticipantId, now: Now) -> Standing {
        let talks = |leg: &Leg| {
            let (id, party) = (leg.id, leg.party.extension());
            let other = leg.place().is_none_or(|(_, of)| of != participant);
            party == Some(device.extension) && other && self.device_of_leg(id, participant) == Some(device.id)
        };
        let busy = match device.kind {
            Kind::Telephone => self.legs.values().any(talks),
            Kind::Browser | Kind::App => {
                self.devices.seats.iter().any(|(of, at)| *at == device.id && *of != participant)
            }
        };
        let channels = [Channel::Audio, Channel::Video];
        Standing {
            online: self.is_online(device, now),
            busy,
            dnd: self.table.extensions.get(&device.extension).is_some_and(|of| of.dnd),
            carries: channels.into_iter().filter(|of| self.carrier(participant, *of) == Some(device.id)).collect(),
        }
    }

    /// The devices of somebody as shown, those that are called the same told apart.
    pub(super) fn device_views(&self, extension: ExtensionId, now: Now) -> Vec<DeviceView> {
        let devices = self.devices_of(extension);
        let at: BTreeMap<DeviceId, IpAddr> =
            self.phones_of(extension).map(|(id, contact)| (id, contact.target.remote.ip())).collect();
        let named: Vec<Named> =
            devices.iter().map(|of| Named { device: of.id, name: &of.name, at: at.get(&of.id).copied() }).collect();
        let mut names = device::told_apart(&named);
        let mut shown = |device: &Device| {
            let name = names.remove(&device.id).unwrap_or_else(|| device.name.clone());
            DeviceView { name, ..self.device_view(device, now) }
        };
        devices.iter().map(&mut shown).collect()
    }

    fn device_view(&self, device: &Device, now: Now) -> DeviceView {
        DeviceView {
            id: device.id,
            extension: device.extension,
            kind: device.kind,
            name: device.name.clone(),
            capabilities: device.capabilities.clone(),
            transfers: device.consent.transfers,
            camera: device.consent.camera,
            online: self.is_online(device, now),
            seen: (device.kind == Kind::Browser).then(|| device.seen.to_string()),
            calls: self.carried_by(device),
            activity: self.devices.does.get(&device.id).copied(),
        }
    }

    /// A person's call as shown to them.
    pub(super) fn call_of_mine(&self, call: ParticipantId) -> Option<CallOfMine> {
        let (mine, place) = self.my_place(call)?;
        let live = self.rooms.get(&mine.room)?;
        let settings = live.settings();
        let facts = self.call_facts(call);
        let moving = self.devices.moves.get(call).map(|(order, phase)| Moving {
            device: order.device,
            phase,
            channels: order.channels.clone(),
        });
        Some(CallOfMine {
            call,
            room: mine.room,
            meeting: (!settings.call).then(|| settings.name.clone()),
            with: self.others_in(call),
            since: place.since.to_string(),
            leg: place.audio,
            audio: self.carrier(call, Channel::Audio),
            video: self.carrier(call, Channel::Video),
            movable: facts.up && !facts.held && !facts.help,
            moving,
            back: self.devices.moves.back(call).map(|Back { device, .. }| *device),
        })
    }

    /// Who else is in a call, as its others see them.
    pub(super) fn others_in(&self, call: ParticipantId) -> Vec<String> {
        let Some((mine, _)) = self.my_place(call) else { return Vec::new() };
        let Some(live) = self.rooms.get(&mine.room) else { return Vec::new() };
        let others = live.participants().filter(|p| p.id != call).take(OTHERS);
        let shown = |p: &Participant| {
            let view = self.participant_view(mine.room, p.id, false)?;
            // Of a caller without name and number, what was dialled says more than that there is none.
            let leg = p.audio.and_then(|leg| self.legs.get(&leg));
            // What a caller dialled is the person themselves.
            let leg = leg.filter(|leg| leg.direction == CallDirection::Outbound);
            let dialled =
                leg.filter(|_| view.name.is_none() && view.number.is_none()).map(|leg| masked_dialled(&leg.to));
            Some(dialled.filter(|to| !to.is_empty()).unwrap_or(view.display))
        };
        others.filter_map(shown).collect()
    }
}

fn id_of(extension: ExtensionId, contact: &Contact) -> DeviceId {
    device::telephone_id(extension, &contact.instance, contact.uri.as_str())
}

/// A telephone about which nobody said anything.
fn telephone(extension: ExtensionId, contact: &Contact, id: DeviceId) -> Device {
    let agent: String = contact.user_agent.chars().filter(|c| !c.is_control()).take(device::LONGEST_NAME).collect();
    Device {
        id,
        extension,
        kind: Kind::Telephone,
        name: if agent.is_empty() { "SIP".to_owned() } else { agent },
        capabilities: [Capability::Audio].into(),
        consent: Consent::default(),
        key: None,
        created: contact.since,
        seen: contact.since,
    }
}
