//! Personal pages: how they open, what they ask, and what they are told whenever something changes.

use crate::base::id::{DeviceId, ExtensionId};
use crate::base::{Now, ParticipantId, SessionId};
use crate::device::{Channels, Consent, Device, Failure, How, Kind, MOST, Phase, Refusal};
use crate::gateway::Gateway;
use crate::gateway::Timer;
use crate::gateway::command::Denial;
use crate::gateway::device::change::name_of;
use crate::gateway::device::protocol::{AnswerMove, MoveHere, MoveThere, OpenMe, SetDevice};
use crate::gateway::device::view::{DeviceChange, Me, MoveView, NotMoved};
use crate::gateway::device::{Open, PersonRecord};
use crate::gateway::web::Code;
use crate::gateway::web::protocol::{ClientMessage, ServerMessage};
use crate::room::Channel;
use crate::ticket::{self, Hash};

impl Gateway {
    /// A page says something about devices: a personal one, or one in a meeting. None: it was about something else, and is given back.
    pub(in crate::gateway) fn device_said(
        &mut self,
        (session, id): (SessionId, u64),
        me: Option<ParticipantId>,
        message: ClientMessage,
        now: Now,
    ) -> Option<ClientMessage> {
        let open = self.devices.open.get(&session).copied();
        if let ClientMessage::Me(asked) = message {
            if me.is_some() || open.is_some() {
                self.refuse_page(session, Some(id), Code::AlreadyJoined, None);
            } else if let Err(code) = self.open_me(session, id, &asked, now) {
                self.refuse_page(session, Some(id), code, None);
            }
            return None;
        }
        let of_place = me.and_then(|me| self.devices.mine.get(&me)).map(|mine| mine.extension);
        let extension = open.map(|open| open.extension).or(of_place);
        // A page in a meeting means its own call.
        let named = |call: Option<ParticipantId>| call.or(me);
        let done: Result<Option<MoveView>, Refusal> = match (message, extension) {
            (ClientMessage::Devices {}, Some(extension)) => {
                let devices = self.device_views(extension, now);
                let back = me.and_then(|me| self.devices.moves.back(me)).map(|back| back.device);
                self.tell_page(session, ServerMessage::Devices { id, devices, back });
                return None;
            }
            (ClientMessage::Devices {}, None) => {
                self.tell_page(session, ServerMessage::Devices { id, devices: Vec::new(), back: None });
                return None;
            }
            (ClientMessage::MoveHere(asked), Some(extension)) => match open {
                Some(open) => {
                    let MoveHere { call, channels, keep } = asked;
                    let how = (keep, How::Pulled);
                    self.move_call(extension, call, open.device, &wanted(channels), how, now).map(Some)
                }
                None => Err(Refusal::AlreadyThere),
            },
            (ClientMessage::MoveThere(asked), Some(extension)) => {
                let MoveThere { device, call, channels, keep } = *asked;
                let how = (keep, How::Pushed);
                self.move_call(extension, named(call), device, &wanted(channels), how, now).map(Some)
            }
            (ClientMessage::HandBack { call }, Some(extension)) => {
                self.hand_back(extension, named(call), now).map(Some)
            }
            (ClientMessage::MoveAnswer(asked), Some(extension)) => {
                self.page_answers(extension, open.map(|open| open.device), asked, now).map(|()| None)
            }
            (ClientMessage::SetDevice(asked), Some(extension)) if open.is_some() => {
                match self.page_sets(extension, open.map(|open| open.device), &asked) {
                    Ok(()) => Ok(None),
                    Err(code) => {
                        self.refuse_page(session, Some(id), code, None);
                        return None;
                    }
                }
            }
            (ClientMessage::Follow { on }, Some(extension)) if open.is_some() => {
                self.set_follow(extension, on);
                Ok(None)
            }
            (
                ClientMessage::MoveHere(_)
                | ClientMessage::MoveThere(_)
                | ClientMessage::HandBack { .. }
                | ClientMessage::MoveAnswer(_)
                | ClientMessage::SetDevice(_)
                | ClientMessage::Follow { .. },
                _,
            ) => {
                let code = if me.is_some() { Code::NotAllowed } else { Code::NotJoined };
                self.refuse_page(session, Some(id), code, None);
                return None;
            }
            (other, Some(extension)) if open.is_some() => {
                let done = match self.personal_asks(extension, other, now) {
                    Ok(done) => done,
                    Err(other) => return Some(*other),
                };
                match done {
                    Ok(()) => Ok(None),
                    Err(code) => {
                        self.refuse_page(session, Some(id), code, None);
                        return None;
                    }
                }
            }
            (other, _) => return Some(other),
        };
        match done {
            Ok(_) => self.tell_page(session, ServerMessage::Done { id }),
            Err(refusal) => {
                let (why, text) = (refusal.name().to_owned(), refusal.text());
                let calls = match refusal {
                    Refusal::SeveralCalls(calls) => calls,
                    _ => Vec::new(),
                };
                self.tell_page(session, ServerMessage::NotMoved(NotMoved { id, why, text, calls }));
            }
        }
        None
    }

    /// Whether this connection is a personal page's.
    pub(in crate::gateway) fn is_personal(&self, session: SessionId) -> bool {
        self.devices.open.contains_key(&session)
    }

    /// A personal page opens.
    fn open_me(&mut self, session: SessionId, id: u64, asked: &OpenMe, now: Now) -> Result<(), Code> {
        let from = self.web_address(session).ok_or(Code::NotJoined)?;
        if self.drain.is_some() {
            return Err(Code::Draining);
        }
        let extension = self.person_of_link(&asked.ticket, from, now)?;
        self.forget_unseen(now);
        let shown = asked.key.as_ref().map(|key| Hash::of(key.expose()));
        let known = self
            .devices
            .known
            .values()
            .find(|device| device.extension == extension && shown.is_some() && device.key == shown);
        let (device, key) = match known.cloned() {
            Some(mut device) => {
                if !asked.capabilities.is_empty() {
                    device.capabilities.clone_from(&asked.capabilities);
                }
                device.seen = now.utc;
                self.put_device(device.clone());
                (device, None)
            }
            None => {
                self.make_room_for_a_device(extension);
                let (key, hash) = ticket::draw(&mut self.rng);
                let capabilities = asked.capabilities.clone();
                let device = Device {
                    id: DeviceId::draw(&mut self.rng),
                    extension,
                    kind: Kind::Browser,
                    name: name_of(&asked.name).unwrap_or_else(|| "Browser".to_owned()),
                    capabilities,
                    consent: Consent::default(),
                    key: Some(hash),
                    created: now.utc,
                    seen: now.utc,
                };
                self.put_device(device.clone());
                (device, Some(key))
            }
        };
        self.timers.disarm(&Timer::Page(session));
        self.devices.open.insert(session, Open { device: device.id, extension });
        self.devices.changed.insert(extension);
        if let Some(me) = self.me_of(device.id, extension, now) {
            self.tell_page(session, ServerMessage::Me(Box::new(Me { id: Some(id), key, ..me })));
        }
        self.tell_what_goes_on(session, extension);
        // What it was asked while it was loading.
        let waits = self.devices.moves.all().filter(|(order, _)| order.device == device.id);
        let waits: Vec<_> = waits.filter(|(_, phase)| *phase == Phase::Asked).map(|(order, _)| order.clone()).collect();
        for order in waits {
            self.ask_page(&order);
        }
        Ok(())
    }

    /// Forgets the browser of a person that was there the longest ago, where there are too many.
    fn make_room_for_a_device(&mut self, extension: ExtensionId) {
        let theirs = self.devices.known.values().filter(|device| device.extension == extension);
        let browsers = theirs.filter(|device| device.kind == Kind::Browser);
        let open = |id: DeviceId| self.devices.open.values().any(|open| open.device == id);
        let idle =
            browsers.clone().filter(|device| !open(device.id)).min_by_key(|device| device.seen).map(|device| device.id);
        if browsers.count() >= MOST
            && let Some(oldest) = idle
        {
            self.devices.known.remove(&oldest);
            self.keep_person(PersonRecord::DeviceGone(oldest));
        }
    }

    /// A connection is gone: where it was a personal page's, its device is not there any more.
    pub(in crate::gateway) fn personal_page_closed(&mut self, session: SessionId, now: Now) {
        let taking = self.devices.taking.iter().find(|(_, taking)| taking.session == session).map(|(id, _)| *id);
        if let Some(participant) = taking {
            self.moves_fail(participant, now);
        }
        if let Some(open) = self.devices.open.remove(&session) {
            self.devices.changed.insert(open.extension);
            if let Some(device) = self.devices.known.get(&open.device).cloned() {
                self.put_device(Device { seen: now.utc, ..device });
            }
        }
    }

    /// Everything a personal page shows.
    fn me_of(&self, device: DeviceId, extension: ExtensionId, now: Now) -> Option<Me> {
        let of = self.table.extensions.get(&extension)?;
        let near = self.devices.near.get(&extension).and_then(|near| near.rests_until(now.mono));
        Some(Me {
            id: None,
            key: None,
            device,
            name: of.name.clone(),
            user: of.user.clone(),
            devices: self.device_views(extension, now),
            calls: self.calls_of(extension).into_iter().filter_map(|call| self.call_of_mine(call)).collect(),
            follow: self.devices.follows(extension),
            rests: near.map_or(0, |until| until.since(now.mono).as_secs()),
        })
    }

    /// Tells the personal pages of those about whom something changed how things are; whether there was anybody.
    pub(in crate::gateway) fn tell_personal_pages(&mut self, now: Now) -> bool {
        let changed = std::mem::take(&mut self.devices.changed);
        let mut told = false;
        for extension in changed {
            let pages = self.devices.open.iter().filter(|(_, open)| open.extension == extension);
            let pages: Vec<(SessionId, DeviceId)> = pages.map(|(session, open)| (*session, open.device)).collect();
            for (session, device) in pages {
                if let Some(me) = self.me_of(device, extension, now) {
                    told = true;
                    self.tell_page(session, ServerMessage::Me(Box::new(me)));
                }
            }
        }
        told
    }

    /// The personal pages of somebody.
    pub(super) fn pages_of(&self, extension: ExtensionId) -> Vec<SessionId> {
        let open = self.devices.open.iter().filter(|(_, open)| open.extension == extension);
        open.map(|(session, _)| *session).collect()
    }

    /// Tells the pages of one device.
    pub(super) fn tell_device(&mut self, device: DeviceId, message: ServerMessage) {
        let open = self.devices.open.iter().filter(|(_, open)| open.device == device);
        let sessions = open.map(|(session, _)| *session).collect();
        self.tell_pages(sessions, message);
    }

    /// Somebody at a device says whether it takes the call; anybody else of the person may take the question back.
    fn page_answers(
        &mut self,
        extension: ExtensionId,
        device: Option<DeviceId>,
        asked: AnswerMove,
        now: Now,
    ) -> Result<(), Refusal> {
        let theirs = self.devices.mine.get(&asked.call).is_some_and(|mine| mine.extension == extension);
        let (order, _) = self.devices.moves.get(asked.call).filter(|_| theirs).ok_or(Refusal::NoSuchCall)?;
        let to = order.device;
        if device == Some(to) && self.devices.moves.answered(asked.call, to, asked.takes, now) {
            self.carry_moves(now);
            return Ok(());
        }
        if asked.takes {
            return Err(Refusal::NoSuchCall);
        }
        self.devices.moves.failed(asked.call, Failure::Cancelled);
        self.carry_moves(now);
        Ok(())
    }

    fn page_sets(&mut self, extension: ExtensionId, own: Option<DeviceId>, asked: &SetDevice) -> Result<(), Code> {
        let device = asked.device.or(own).and_then(|id| self.device(id));
        let device = device.filter(|device| device.extension == extension).ok_or(Code::NotAllowed)?;
        let change = DeviceChange {
            name: asked.name.clone(),
            capabilities: None,
            transfers: asked.transfers,
            camera: asked.camera,
        };
        let done = if asked.forget { self.delete_device(device.id) } else { self.change_device(device.id, &change) };
        done.map_err(|denial| match denial {
            Denial::Invalid(_) => Code::BadName,
            _ => Code::NotAllowed,
        })
    }
}

fn wanted(channels: Option<Vec<Channel>>) -> Channels {
    match channels {
        Some(only) if !only.is_empty() && !only.contains(&Channel::Data) => Channels::Only(only),
        Some(_) | None => Channels::Whole,
    }
}
