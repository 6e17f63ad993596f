//! Commands, from the API.

use bytes::Bytes;

use crate::base::{Now, Utc};
use crate::gateway::command::{Command, Denial, DialRequest, ExplainRequest, Outcome, Reply};
use crate::gateway::event::Happening;
use crate::gateway::inbound::facts_of;
use crate::gateway::presence::Watched;
use crate::gateway::{Gateway, transfer};
use crate::room::{Actor, Room, RoomSettings};
use crate::route::{CallLimits, Explanation, Extension, Facts, Table};
use crate::wire::sip::{Message, Method, NameAddr, Uri};

impl Gateway {
    /// Does what is asked, or says why not.
    pub(super) fn ask(&mut self, command: Command, now: Now) -> Outcome {
        self.counters.commands += 1;
        match command {
            Command::PutTrunk(trunk) => {
                let id = trunk.id;
                self.table.trunks.insert(id, trunk);
                self.learn_trunk(id, now);
                Ok(Reply::Done)
            }
            Command::DeleteTrunk(id) => {
                let gone = self.table.trunks.remove(&id);
                self.learn_trunk(id, now);
                gone.map(|_| Reply::Done).ok_or(Denial::NotFound("trunk"))
            }
            Command::PutDid(did) => {
                self.table.dids.insert(did.id, did);
                Ok(Reply::Done)
            }
            Command::DeleteDid(id) => {
                self.table.dids.remove(&id).map(|_| Reply::Done).ok_or(Denial::NotFound("number"))
            }
            Command::PutExtension(extension) => {
                let id = extension.id;
                let account =
                    |extension: &Extension| (extension.user.clone(), extension.password.clone(), extension.enabled);
                let new = account(&extension);
                // Telephones that registered with what is good no more are forgotten.
                if self.table.extensions.insert(*extension).is_some_and(|old| account(&old) != new) {
                    self.forget_telephones(id, now);
                }
                Ok(Reply::Done)
            }
            Command::DeleteExtension(id) => {
                self.table.extensions.remove(&id).ok_or(Denial::NotFound("extension"))?;
                self.forget_telephones(id, now);
                self.presence.gone(Watched::Extension(id), now);
                self.forget_person(id);
                Ok(Reply::Done)
            }
            Command::PutGroup(group) => {
                self.table.groups.insert(group.id, group);
                Ok(Reply::Done)
            }
            Command::DeleteGroup(id) => {
                self.table.groups.remove(&id).map(|_| Reply::Done).ok_or(Denial::NotFound("group"))
            }
            Command::PutRule(rule) => {
                self.table.put_rule(*rule);
                Ok(Reply::Done)
            }
            Command::DeleteRule(id) => {
                if self.table.delete_rule(id) {
                    Ok(Reply::Done)
                } else {
                    Err(Denial::NotFound("rule"))
                }
            }
            Command::OrderRules(order) => {
                self.table.order_rules(&order).map(|()| Reply::Done).map_err(Denial::Conflict)
            }
            Command::CheckRule(rule) => Ok(Reply::Problems(self.table.check(&rule))),
            Command::PutRoom(settings) => self.put_room(settings, now),
            Command::DeleteRoom(id) => match self.rooms.get(&id) {
                None => Err(Denial::NotFound("room")),
                Some(room) if !room.is_empty() => {
                    Err(Denial::Conflict("people are in this room: end the meeting first".into()))
                }
                Some(_) => {
                    self.rooms.remove(&id);
                    self.table.rooms.remove(&id);
                    self.web.tickets.revoke_room(id);
                    self.publish(Happening::RoomDeleted { room: id }, now);
                    Ok(Reply::Done)
                }
            },
            Command::Rooms { numbers } => Ok(Reply::Rooms(self.room_views(numbers))),
            Command::Room { room, numbers } => {
                self.room_view(room, numbers).map(|view| Reply::Room(Box::new(view))).ok_or(Denial::NotFound("room"))
            }
            Command::Operate { room, operation } => {
                let result = match self.rooms.get_mut(&room) {
                    Some(room) => room.operate(Actor::Api, &operation, now),
                    None => return Err(Denial::NotFound("room")),
                };
                self.carry_out(room, now);
                result.map(|()| Reply::Done).map_err(Denial::Refused)
            }
            Command::PutTicket(ticket) => self.put_ticket(*ticket, now),
            Command::DeleteTicket(id) => {
                self.web.tickets.withdraw(id).then_some(Reply::Done).ok_or(Denial::NotFound("invitation"))
            }
            Command::Preview { ticket, resume, from } => {
                Ok(Reply::Preview(self.preview(&ticket, resume.as_ref(), from, now)))
            }
            Command::MayPicture(resume) => self.may_picture(&resume, now),
            Command::SetPicture { resume, picture } => self.set_picture(&resume, picture, now),
            Command::Elevate { leg, request } => self.elevate_by_api(leg, &request, now),
            Command::Merge { leg, request } => self.merge_by_api(leg, &request, now),
            Command::Elevation(id) => self
                .elevation_view(id)
                .map(|view| Reply::Elevation(Box::new(view)))
                .ok_or(Denial::NotFound("elevation")),
            Command::WithdrawElevation(id) => self.withdraw_elevation(id, now),
            Command::LookAtLink { ticket, from } => self.look_at_link(&ticket, from, now),
            Command::Redeem(asked) => self.redeem(&asked, now),
            Command::NumberOfHolder { holder, from } => self.number_of_holder(&holder, from, now),
            Command::CallBack { room, request } => self.callback_by_api(room, &request, now),
            Command::PlanCallback { room, request } => self.plan_callback(room, &request, now),
            Command::PutCallback(kept) => self.put_callback(*kept, false, now),
            Command::Callbacks => Ok(Reply::Callbacks(self.callback_views())),
            Command::Callback(id) => {
                self.callback_view(id).map(|view| Reply::Callback(Box::new(view))).ok_or(Denial::NotFound("callback"))
            }
            Command::CancelCallback(id) => self.cancel_callback(id, now),
            Command::ShowCode { leg, request } => self.code_by_api(leg, &request, now),
            Command::Printed(command) => self.ask_printed(*command, now),
            Command::Code(id) => self.code_outcome(id),
            Command::WithdrawCode(id) => self.withdraw_code(id, now),
            Command::AnswerCode { code, allow } => self.answer_code_by_api(code, allow, now),
            Command::LookAtCode { read, from } => self.look_at_code(&read, from, now),
            Command::ClaimCode(asked) => self.claim_code(&asked, now),
            Command::Claim(claim) => self.code_claim(&claim, now),
            Command::LeaveClaim(claim) => self.leave_claim(&claim, now),
            Command::Calls { numbers } => {
                Ok(Reply::Calls(self.legs.keys().filter_map(|leg| self.call_view(*leg, numbers)).collect()))
            }
            Command::Call { leg, numbers } => {
                self.call_view(leg, numbers).map(|view| Reply::Call(Box::new(view))).ok_or(Denial::NotFound("call"))
            }
            Command::HangUp(leg) => self.end_call(leg, now),
            Command::Dial(request) => self.dial(*request, now),
            Command::Answer(leg) => self.answer_now(leg, now),
            Command::Hold(leg) => self.hold(leg, true, now),
            Command::Unhold(leg) => self.hold(leg, false, now),
            Command::Treat { leg, order } => self.treat(leg, order),
            Command::SendDigits { leg, digits } => self.send_digits(leg, &digits, now),
            Command::Play { leg, what, repeat } => self.play(leg, &what, repeat),
            Command::StopPlaying(leg) => self.stop_playing(leg),
            Command::AddToRoom { room, request } => {
                self.dial(DialRequest { from: None, room: Some(room), ..*request }, now)
            }
            Command::Transfer { leg, to, consult, headers, uui } => {
                self.transfer(transfer::Order { leg, to, consult, headers, uui }, now)
            }
            Command::Explain(request) => explain(&self.table, &self.settings.operator_limits, &request, now.utc)
                .map(|found| Reply::Explained(Box::new(found)))
                .map_err(Denial::Invalid),
            Command::Registrations { extension } => Ok(Reply::Registrations(self.registration_views(extension, now))),
            Command::TrunkStates { trunk } => Ok(Reply::TrunkStates(self.trunk_states(trunk, now))),
            Command::TestTrunk { trunk, request } => self.begin_trial(trunk, request, now),
            Command::TrunkTest(trunk) => self.trial_report(trunk, now),
            Command::CheckSync(extension) => {
                if self.table.extensions.get(&extension).is_none() {
                    return Err(Denial::NotFound("extension"));
                }
                match self.check_sync(extension, now) {
                    0 => Err(Denial::Conflict("no telephone of this extension is registered".into())),
                    _ => Ok(Reply::Done),
                }
            }
            Command::Devices(command) => self.ask_devices(*command, now),
            Command::Status => Ok(Reply::Status(Box::new(self.status()))),
        }
    }

    fn put_room(&mut self, settings: RoomSettings, now: Now) -> Outcome {
        let id = settings.id;
        self.table.rooms.insert(id);
        match self.rooms.get_mut(&id) {
            Some(room) => room.configure(settings),
            None => {
                self.rooms.insert(id, Room::new(settings, self.settings.longest_wait));
            }
        }
        self.carry_out(id, now);
        self.treat_room(id);
        self.tell_of_room(id);
        self.publish(Happening::RoomConfigured { room: id }, now);
        Ok(Reply::Done)
    }
}

/// Says what a table would do with an INVITE. Also for `ringlift explain`, which has the store but no running node.
pub fn explain(
    table: &Table,
    operator: &CallLimits,
    request: &ExplainRequest,
    now: Utc,
) -> Result<Explanation, String> {
    let at = request.at.unwrap_or(now);
    let facts = match (&request.invite, &request.to) {
        (Some(text), None) => facts_of_text(table, text, request, at)?,
        (None, Some(to)) => {
            let from = request.from.as_deref().map(user_of).transpose()?.unwrap_or_default();
            Facts::new(request.source, user_of(to)?, from, at)
        }
        (Some(_), Some(_)) | (None, None) => return Err("give either `invite`, or `to` and perhaps `from`".into()),
    };
    if request.api {
        return match request.party {
            Some(_) => Err("give either `api` or `party`: a call is somebody's or nobody's".into()),
            None => Ok(table.explain_dial(operator, &facts)),
        };
    }
    Ok(table.explain(&Facts { proved: request.party, ..facts }))
}

fn facts_of_text(table: &Table, text: &str, request: &ExplainRequest, at: Utc) -> Result<Facts, String> {
    let mut wire = text.trim_start().replace("\r\n", "\n").replace('\n', "\r\n");
    if !wire.contains("\r\n\r\n") {
        wire = format!("{}\r\n\r\n", wire.trim_end());
    }
    match Message::parse(&Bytes::from(wire)) {
        Ok(Message::Request(invite)) if invite.method == Method::Invite => {
            Ok(facts_of(table, &invite, request.source, at))
        }
        Ok(Message::Request(other)) => Err(format!("this is {}, not INVITE", other.method)),
        Ok(Message::Response(_)) => Err("this is a response, not an INVITE".into()),
        Err(error) => Err(format!("the INVITE cannot be read: {error}")),
    }
}

/// The user part of a URI, a name-addr, or a bare number.
fn user_of(text: &str) -> Result<String, String> {
    let text = text.trim();
    if !text.contains(':') && !text.contains('<') {
        return Ok(text.to_owned());
    }
    let uri = match NameAddr::parse(text) {
        Ok(address) => address.uri,
        Err(_) => Uri::parse(text).map_err(|problem| format!("`{text}` is no URI: {problem}"))?,
    };
    Ok(uri.user_decoded().map(|user| user.into_owned()).unwrap_or_default())
}
