//! What is asked of devices: lists, changes, reports, and calls that follow.

use crate::base::Now;
use crate::base::id::{DeviceId, ExtensionId};
use crate::device::{Capability, Consent, Device, Habits, How, Kind, LONGEST_NAME, MOST, Report, Transfers};
use crate::gateway::Gateway;
use crate::gateway::command::{Denial, Outcome, Reply};
use crate::gateway::device::PersonRecord;
use crate::gateway::device::view::{DeviceChange, DeviceCommand, DeviceReply, NewDevice};
use crate::room::Channel;

impl Gateway {
    /// Does what is asked of devices.
    pub(in crate::gateway) fn ask_devices(&mut self, command: DeviceCommand, now: Now) -> Outcome {
        let reply = match command {
            DeviceCommand::List(of) => {
                let people: Vec<ExtensionId> = match of {
                    Some(one) if self.table.extensions.get(&one).is_none() => {
                        return Err(Denial::NotFound("extension"));
                    }
                    Some(one) => vec![one],
                    None => self.table.extensions.values().map(|extension| extension.id).collect(),
                };
                self.forget_unseen(now);
                DeviceReply::Devices(people.into_iter().flat_map(|person| self.device_views(person, now)).collect())
            }
            DeviceCommand::Show(id) => self.shown(id, now)?,
            DeviceCommand::Add(new) => {
                let id = self.add_device(new, now)?;
                self.shown(id, now)?
            }
            DeviceCommand::Change(id, change) => {
                self.change_device(id, &change)?;
                self.shown(id, now)?
            }
            DeviceCommand::Delete(id) => {
                self.delete_device(id)?;
                return Ok(Reply::Done);
            }
            DeviceCommand::Report(id, report) => {
                self.device_reports(id, &report, now)?;
                return Ok(Reply::Done);
            }
            DeviceCommand::Answer { device, call, takes } => self.answer_by_api(device, call, takes, now)?,
            DeviceCommand::Move(call, request) => self.move_by_api(call, &request, now)?,
            DeviceCommand::CancelMove(call) => {
                self.cancel_by_api(call, now)?;
                return Ok(Reply::Done);
            }
            DeviceCommand::Calls(extension) => {
                if self.table.extensions.get(&extension).is_none() {
                    return Err(Denial::NotFound("extension"));
                }
                let calls = self.calls_of(extension);
                DeviceReply::Calls(calls.into_iter().filter_map(|call| self.call_of_mine(call)).collect())
            }
            DeviceCommand::Link(extension, seconds) => self.make_link(extension, seconds, now)?,
            DeviceCommand::Unlink(extension) => {
                self.take_links_back(extension)?;
                return Ok(Reply::Done);
            }
            DeviceCommand::Follow(extension, on) => {
                if self.table.extensions.get(&extension).is_none() {
                    return Err(Denial::NotFound("extension"));
                }
                if let Some(on) = on {
                    self.set_follow(extension, on);
                }
                DeviceReply::Follow(self.devices.follows(extension))
            }
        };
        Ok(Reply::Device(Box::new(reply)))
    }

    fn shown(&self, id: DeviceId, now: Now) -> Result<DeviceReply, Denial> {
        let device = self.device(id).ok_or(Denial::NotFound("device"))?;
        let mut all = self.device_views(device.extension, now).into_iter();
        let shown = all.find(|shown| shown.id == id).ok_or(Denial::NotFound("device"))?;
        Ok(DeviceReply::Device(Box::new(shown)))
    }

    /// A program registers a device.
    fn add_device(&mut self, new: NewDevice, now: Now) -> Result<DeviceId, Denial> {
        if self.table.extensions.get(&new.extension).is_none() {
            return Err(Denial::NotFound("extension"));
        }
        let name = name_of(&new.name).ok_or_else(|| Denial::Invalid("a name has 1 to 64 characters".into()))?;
        if self.devices_of(new.extension).len() >= MOST {
            return Err(Denial::Conflict("this person has as many devices as may be: delete one".into()));
        }
        if new.capabilities.is_empty() {
            return Err(Denial::Invalid("a device can do something: `audio`, `video`, `screen`".into()));
        }
        let id = DeviceId::draw(&mut self.rng);
        let consent = Consent { transfers: new.transfers, camera: new.camera };
        let device = Device {
            id,
            extension: new.extension,
            kind: Kind::App,
            name,
            capabilities: new.capabilities,
            consent,
            key: None,
            created: now.utc,
            seen: now.utc,
        };
        self.devices.heard.insert(id, now.mono);
        self.put_device(device);
        Ok(id)
    }

    /// Changes what is known and allowed of a device; of a telephone, from then on it is kept.
    pub(super) fn change_device(&mut self, id: DeviceId, change: &DeviceChange) -> Result<(), Denial> {
        let mut device = self.device(id).ok_or(Denial::NotFound("device"))?;
        if let Some(name) = &change.name {
            device.name = name_of(name).ok_or_else(|| Denial::Invalid("a name has 1 to 64 characters".into()))?;
        }
        if let Some(capabilities) = &change.capabilities {
            let wrong = capabilities.is_empty()
                || device.kind == Kind::Telephone && capabilities.iter().any(|one| *one != Capability::Audio);
            if wrong {
                return Err(Denial::Invalid("a telephone carries the voice alone, any other device something".into()));
            }
            device.capabilities.clone_from(capabilities);
        }
        device.consent.transfers = change.transfers.unwrap_or(device.consent.transfers);
        device.consent.camera = change.camera.unwrap_or(device.consent.camera);
        self.put_device(device);
        Ok(())
    }

    /// A device is one no more: its page is closed, what it carries goes on until it ends.
    pub(super) fn delete_device(&mut self, id: DeviceId) -> Result<(), Denial> {
        let device = self.devices.known.remove(&id).ok_or(Denial::NotFound("device"))?;
        let open = self.devices.open.iter().filter(|(_, open)| open.device == id).map(|(session, _)| *session);
        let open: Vec<_> = open.collect();
        for session in open {
            self.devices.open.remove(&session);
            self.close_page(session);
        }
        self.devices.heard.remove(&id);
        self.devices.does.remove(&id);
        if let Some(near) = self.devices.near.get_mut(&device.extension) {
            near.forget(id);
        }
        self.devices.changed.insert(device.extension);
        self.keep_person(PersonRecord::DeviceGone(id));
        Ok(())
    }

    /// Browsers that nobody came back with are devices no more.
    pub(super) fn forget_unseen(&mut self, now: Now) {
        let open = |id: DeviceId| self.devices.open.values().any(|open| open.device == id);
        let seated = |id: DeviceId| self.devices.seats.values().any(|at| *at == id);
        let gone = |device: &&Device| device.is_forgotten(now.utc) && !open(device.id) && !seated(device.id);
        let gone: Vec<DeviceId> = self.devices.known.values().filter(gone).map(|device| device.id).collect();
        for id in gone {
            // Told here that it is there, it is found.
            let _ = self.delete_device(id);
        }
    }

    /// Keeps a device.
    pub(super) fn put_device(&mut self, device: Device) {
        self.devices.changed.insert(device.extension);
        self.devices.known.insert(device.id, device.clone());
        self.keep_person(PersonRecord::Device(Box::new(device)));
    }

    /// Calls follow a person, or do so no more.
    pub(super) fn set_follow(&mut self, extension: ExtensionId, on: bool) {
        if self.devices.follows(extension) == on {
            return;
        }
        let habits = Habits { follow: on };
        self.devices.habits.insert(extension, habits);
        if !on {
            self.devices.near.remove(&extension);
        }
        self.devices.changed.insert(extension);
        self.keep_person(PersonRecord::Habits(extension, habits));
    }

    /// A device tells what it noticed.
    fn device_reports(&mut self, id: DeviceId, report: &Report, now: Now) -> Result<(), Denial> {
        if let Some(field) = report.flaw() {
            return Err(Denial::Invalid(format!("`{field}` cannot be that")));
        }
        let device = self.device(id).ok_or(Denial::NotFound("device"))?;
        let wait = |_| Denial::TooOften("too many reports of this device".into(), 1);
        self.devices.reports.take(&id, now.mono).map_err(wait)?;
        if device.kind == Kind::App {
            self.devices.heard.insert(id, now.mono);
        }
        if let Some(activity) = report.activity
            && self.devices.does.insert(id, activity) != Some(activity)
        {
            self.devices.changed.insert(device.extension);
        }
        if self.devices.follows(device.extension) {
            self.devices.near.entry(device.extension).or_default().report(id, report, now.mono);
            self.follow_person_to(device.extension, now);
        }
        Ok(())
    }

    /// Moves the call of a person to the device that they are nearer to, where there is one.
    pub(super) fn follow_person_to(&mut self, extension: ExtensionId, now: Now) {
        let calls = self.calls_of(extension);
        // With several calls nobody knows which is meant.
        let [call] = calls.as_slice() else { return };
        let call = *call;
        let Some(current) = self.carrier(call, Channel::Audio) else { return };
        if self.devices.moves.get(call).is_some() || self.call_facts(call).help {
            return;
        }
        let willing = |device: &Device| {
            device.consent.transfers != Transfers::Never
                && device.carries(Channel::Audio)
                && self.standing(device, call, now).online
        };
        let may: Vec<DeviceId> =
            self.devices_of(extension).iter().filter(|device| willing(device)).map(|device| device.id).collect();
        let Some(near) = self.devices.near.get_mut(&extension) else { return };
        let Some(nearer) = near.nearer(current, &may, now.mono) else { return };
        let wanted = crate::device::Channels::Whole;
        if self.move_call(extension, Some(call), nearer, &wanted, (false, How::Followed), now).is_err()
            && let Some(near) = self.devices.near.get_mut(&extension)
        {
            near.failed(now.mono);
        }
    }
}

/// A name as it is kept: as people's names are, without what cannot be seen; none where nothing is left, or too much.
pub(super) fn name_of(text: &str) -> Option<String> {
    let name = crate::room::read_name(text).ok().flatten()?;
    (1..=LONGEST_NAME).contains(&name.chars().count()).then_some(name)
}
