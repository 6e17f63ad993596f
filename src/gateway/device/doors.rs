//! Codes and calls back for somebody's own call, asked for on the personal page, whichever device has the call.

use crate::base::id::ExtensionId;
use crate::base::{Now, ParticipantId, RoomId, SessionId};
use crate::gateway::Gateway;
use crate::gateway::code::view::{Read, Unfit};
use crate::gateway::device::Mine;
use crate::gateway::web::Code;
use crate::gateway::web::protocol::{ClientMessage, ServerMessage};

impl Gateway {
    /// Does what a personal page asks of codes and calls back. What is about something else is given back.
    pub(super) fn personal_asks(
        &mut self,
        extension: ExtensionId,
        message: ClientMessage,
        now: Now,
    ) -> Result<Result<(), Code>, Box<ClientMessage>> {
        Ok(match message {
            ClientMessage::CallMe { call, number, extension: user } => self
                .own_place(extension, call)
                .and_then(|place| self.may_leave_its_device(place.1).map(|()| place))
                .and_then(|place| self.call_me(place, (number, user), now)),
            ClientMessage::CallMeCancel { call } => {
                self.own_place(extension, call).and_then(|(_, me)| self.call_me_cancel(me, now))
            }
            ClientMessage::CodeShow { call, code } => self
                .own_place(extension, call)
                .and_then(|place| self.may_leave_its_device(place.1).map(|()| place))
                .and_then(|place| {
                    self.code_by_page(place, &code, now)?;
                    self.code_shown_at_desk(place.1);
                    Ok(())
                }),
            ClientMessage::CodeScan { call, ticket, digits, code } => {
                let read = Read::either(ticket, digits).ok_or(Code::BadMessage);
                let place = self.own_place(extension, call);
                let place = place.and_then(|place| self.may_leave_its_device(place.1).map(|()| place));
                // Whose device reads says yes by reading.
                place.and_then(|place| self.scan_by_page(place, &read?, &code, now))
            }
            ClientMessage::CodeAnswer { code, allow } => match self.code_holder(code) {
                Some(me) if self.is_own(extension, me) => self.answer_code(me, code, allow, now),
                Some(_) | None => Err(Code::NoSuchCode),
            },
            ClientMessage::CodeWithdraw { code } => match self.code_holder(code) {
                Some(me) if self.is_own(extension, me) => self.withdraw_code_by_page(me, code, now),
                Some(_) | None => Err(Code::NoSuchCode),
            },
            other => return Err(Box::new(other)),
        })
    }

    /// The personal pages of whoever has this place.
    pub(in crate::gateway) fn personal_pages(&self, participant: ParticipantId) -> Vec<SessionId> {
        let mine = self.devices.mine.get(&participant);
        mine.map(|mine| self.pages_of(mine.extension)).unwrap_or_default()
    }

    /// A place went to a device of nobody known: it is this person's no more.
    pub(in crate::gateway) fn given_away(&mut self, participant: ParticipantId, to: Option<ExtensionId>) {
        if let Some(Mine { extension, .. }) = self.devices.mine.get(&participant).copied()
            && to != Some(extension)
        {
            self.devices.mine.remove(&participant);
            self.devices.seats.remove(&participant);
            self.devices.changed.insert(extension);
        }
    }

    /// Tells a personal page that opens of the codes and calls back that are under way for its person's calls.
    pub(super) fn tell_what_goes_on(&mut self, session: SessionId, extension: ExtensionId) {
        for call in self.calls_of(extension) {
            let code = self.code_of_place(call).map(|code| ServerMessage::Code(Box::new(code)));
            let callback = self.callback_of_place(call).map(|view| ServerMessage::Callback(Box::new(view)));
            for message in [code, callback].into_iter().flatten() {
                self.tell_page(session, message);
            }
        }
    }

    /// The call that is meant: the only one, or the one named.
    fn own_place(&self, extension: ExtensionId, call: Option<ParticipantId>) -> Result<(RoomId, ParticipantId), Code> {
        let call = self.which_call(extension, call).map_err(|_| Code::NoSuchCall)?;
        self.my_place(call).map(|(mine, _)| (mine.room, call)).ok_or(Code::NoSuchCall)
    }

    fn is_own(&self, extension: ExtensionId, participant: ParticipantId) -> bool {
        self.devices.mine.get(&participant).is_some_and(|mine| mine.extension == extension)
    }

    /// Whether a call may go elsewhere now.
    fn may_leave_its_device(&self, call: ParticipantId) -> Result<(), Code> {
        let facts = self.call_facts(call);
        let unfit = match () {
            () if facts.help => Unfit::Emergency,
            () if facts.held => Unfit::Held,
            () if !facts.up => Unfit::NoPlace,
            () if self.devices.moves.get(call).is_some() => Unfit::Moving,
            () => return Ok(()),
        };
        Err(unfit.into())
    }
}
