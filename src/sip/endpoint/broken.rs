//! When the transport fails: messages that could not be sent, connections that are gone.

use super::clients::ClientMachine;
use super::leg::State;
use super::{Endpoint, SendRef};
use crate::base::Now;
use crate::sip::transaction::{ClientInput, ClientInvite, ClientOther, ServerInput, Setting};
use crate::sip::transport::FlowId;

impl Endpoint {
    /// The transport failed. A request that went by TCP for its length goes by UDP (§18.1.1); an answer whose
    /// connection is gone goes to where its sender listens (§18.2.2).
    pub(super) fn send_failed(&mut self, reference: SendRef, now: Now) {
        self.counters.send_failures += 1;
        match reference {
            SendRef::Client(id) => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                let Some((target, bytes, via)) = client.fallback.take() else {
                    // Not by this connection any more: by another one, once.
                    if client.target.relay().is_none() && client.target.flow.take().is_some() {
                        let (target, bytes) = (client.target, client.bytes.clone());
                        self.counters.requests_sent += 1;
                        return self.send(target, bytes, reference);
                    }
                    return self.client_input(id, ClientInput::TransportFailed, None, now);
                };
                client.target = target;
                client.bytes = bytes;
                if let Some(repeats) = &mut client.repeats {
                    repeats.via = via;
                }
                let mut effects = std::mem::take(&mut self.effects);
                let setting = Setting { timing: &self.settings.timing, reliable: false };
                match &mut client.machine {
                    ClientMachine::Invite(machine) => *machine = ClientInvite::begin(setting, &mut effects),
                    ClientMachine::Other(machine) => *machine = ClientOther::begin(setting, &mut effects),
                }
                self.perform_client(id, &mut effects, None, now);
                self.effects = effects;
            }
            SendRef::Server(id) => {
                let Some(server) = self.servers.get_mut(&id) else { return };
                match server.reply.elsewhere.take() {
                    Some(elsewhere) => {
                        server.reply.target = elsewhere;
                        self.send_latest(id);
                    }
                    None => self.server_input(id, ServerInput::TransportFailed, now),
                }
            }
            SendRef::Nothing => {}
        }
    }

    /// A connection is gone: what should have gone by it goes by a new one, and what may have been lost with it is sent
    /// again, once: requests that still wait for any answer, and final answers.
    pub(super) fn flow_closed(&mut self, flow: FlowId, _now: Now) {
        let mut again = Vec::new();
        for (id, client) in self.clients.iter_mut().filter(|(_, client)| client.target.may_have_used(flow)) {
            client.target.flow = None;
            if client.is_unanswered() && !std::mem::replace(&mut client.resent, true) {
                again.push((*id, client.target, client.bytes.clone()));
            }
        }
        for (id, target, bytes) in again {
            self.counters.requests_sent += 1;
            self.send(target, bytes, SendRef::Client(id));
        }
        let mut answers = Vec::new();
        for (id, server) in self.servers.iter_mut().filter(|(_, server)| server.reply.target.may_have_used(flow)) {
            let Some(elsewhere) = server.reply.elsewhere.take() else { continue };
            server.reply.target = elsewhere;
            // A refusal that awaits its ACK, or an answer just given, may have been lost; a copy does no harm.
            if server.has_just_answered() {
                answers.push(*id);
            }
        }
        for id in answers {
            self.send_latest(id);
        }
        for leg in self.legs.values_mut() {
            let early = match &mut leg.state {
                State::Outgoing { early, .. } => early.as_mut_slice(),
                State::Incoming { .. }
                | State::Answered { .. }
                | State::Late { .. }
                | State::Confirmed
                | State::Closing => &mut [],
            };
            let dialogs = early.iter_mut().map(|early| &mut early.dialog).chain([&mut leg.dialog]);
            for dialog in dialogs.filter(|dialog| dialog.hop.flow == Some(flow)) {
                dialog.hop.flow = None;
            }
        }
    }
}
