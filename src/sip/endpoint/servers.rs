//! Requests that came: keeps the answer beside its server machine and performs what the machine asks.

use bytes::Bytes;

use super::facts::Facts;
use super::{Endpoint, Headers, SendRef, TimerKey, TransactionId};
use crate::base::{LegId, Now};
use crate::sip::reply::{Answer, Reply};
use crate::sip::timing::Timer;
use crate::sip::transaction::{Effect, ServerInput, ServerInvite, ServerOther, Setting, server_invite, server_other};
use crate::wire::sip::{Method, Status};

/// A request that came and its answer.
pub(super) struct Server {
    pub(super) machine: ServerMachine,
    key: String,
    merge_key: Option<String>,
    reliable: bool,
    pub(super) reply: Reply,
    /// The answer given last.
    pub(super) latest: Bytes,
    pub(super) leg: Option<LegId>,
    /// Whether its answer says what we can do: OPTIONS (§11.2).
    pub(super) advertises_methods: bool,
}

/// One of the two server machines.
pub(super) enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerOther),
}

/// The timers that a server machine may have set.
const SERVER_TIMERS: [Timer; 6] = [Timer::F, Timer::G, Timer::H, Timer::I, Timer::J, Timer::L];

impl Endpoint {
    /// Opens a transaction for a request that came.
    pub(super) fn begin_server(
        &mut self,
        method: &Method,
        facts: &Facts,
        key: String,
        reply: Reply,
        leg: Option<LegId>,
        now: Now,
    ) -> TransactionId {
        let id = TransactionId(self.rng.next_u64());
        let reliable = reply.target.transport.is_reliable();
        let mut effects = std::mem::take(&mut self.effects);
        let setting = Setting { timing: &self.settings.timing, reliable };
        let machine = match method {
            Method::Invite => ServerMachine::Invite(ServerInvite::new()),
            _ => ServerMachine::Other(ServerOther::begin(setting, &mut effects)),
        };
        let merge_key = (facts.to_tag().is_none() && *method != Method::Cancel).then(|| facts.merge_key(method));
        if let Some(merge_key) = &merge_key {
            self.merged.insert(merge_key.clone(), id);
        }
        self.by_key.insert(key.clone(), id);
        let advertises_methods = *method == Method::Options;
        let latest = Bytes::new();
        self.servers.insert(id, Server { machine, key, merge_key, reliable, reply, latest, leg, advertises_methods });
        self.perform_server(id, &mut effects, now);
        self.effects = effects;
        id
    }

    /// Answers a request: adds what the answer needs and gives it to the machine.
    pub(super) fn give(&mut self, id: TransactionId, answer: Answer<'_>, now: Now) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        server.latest = server.reply.write(&Answer { server: &self.settings.user_agent, ..answer });
        self.server_input(id, ServerInput::Respond(answer.status.code()), now);
    }

    /// Answers a request and forgets it (§8.2.7). The tag is made of the request, so that its copies, each answered
    /// anew, get the same one.
    pub(super) fn answer_once(&mut self, id: TransactionId, answer: Answer<'_>) {
        let Some(server) = self.servers.get(&id) else { return };
        let tag = super::branch::tag_of(self.secret, &[&server.key]);
        self.answer_once_as(id, Answer { tag: &tag, ..answer });
    }

    /// The same under the tag that the answer has.
    pub(super) fn answer_once_as(&mut self, id: TransactionId, answer: Answer<'_>) {
        let Some(server) = self.forget_server(id) else { return };
        let bytes = server.reply.write(&Answer { server: &self.settings.user_agent, ..answer });
        self.counters.responses_sent += 1;
        self.send(server.reply.target, bytes, SendRef::Nothing);
    }

    fn forget_server(&mut self, id: TransactionId) -> Option<Server> {
        let server = self.servers.remove(&id)?;
        self.by_key.remove(&server.key);
        if let Some(merge_key) = &server.merge_key {
            self.merged.remove(merge_key);
        }
        for timer in SERVER_TIMERS {
            self.timers.disarm(&TimerKey::Server(id, timer));
        }
        Some(server)
    }

    /// Answers a request with a status, headers and a body.
    #[allow(clippy::too_many_arguments, reason = "the parts of an answer, each of another type")]
    pub(super) fn answer_with(
        &mut self,
        id: TransactionId,
        status: Status,
        tag: &str,
        dialog: bool,
        headers: &Headers,
        body: Option<(&str, &[u8])>,
        now: Now,
    ) {
        self.give(id, Answer { dialog, headers, body, ..Answer::plain(status, tag) }, now);
    }

    /// Gives a server machine a fact.
    pub(super) fn server_input(&mut self, id: TransactionId, input: ServerInput, now: Now) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let mut effects = std::mem::take(&mut self.effects);
        let setting = Setting { timing: &self.settings.timing, reliable: server.reliable };
        match &mut server.machine {
            ServerMachine::Invite(machine) => machine.handle(input, setting, &mut effects),
            ServerMachine::Other(machine) => machine.handle(input, setting, &mut effects),
        }
        if matches!(input, ServerInput::Timer(_)) && effects.contains(&Effect::Transmit) {
            self.counters.retransmissions_sent += 1;
        }
        self.perform_server(id, &mut effects, now);
        self.effects = effects;
    }

    fn perform_server(&mut self, id: TransactionId, effects: &mut Vec<Effect>, now: Now) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Transmit => self.send_latest(id),
                Effect::Arm(timer, after) => self.timers.arm(TimerKey::Server(id, timer), now.mono + after),
                Effect::Disarm(timer) => {
                    self.timers.disarm(&TimerKey::Server(id, timer));
                }
                Effect::Terminated => {
                    self.forget_server(id);
                }
                // The timers of the leg or of the transaction end what cannot be answered.
                Effect::Deliver | Effect::Acknowledge | Effect::TimedOut | Effect::Failed => {}
            }
        }
    }

    pub(super) fn send_latest(&mut self, id: TransactionId) {
        let Some(server) = self.servers.get(&id).filter(|server| !server.latest.is_empty()) else { return };
        let (to, bytes) = (server.reply.target, server.latest.clone());
        self.counters.responses_sent += 1;
        self.send(to, bytes, SendRef::Server(id));
    }

    pub(super) fn server_timer(&mut self, id: TransactionId, timer: Timer, now: Now) {
        self.server_input(id, ServerInput::Timer(timer), now);
    }

    /// Whether the INVITE transaction was answered with a 2xx.
    pub(super) fn is_accepted(&self, id: TransactionId) -> bool {
        self.servers.get(&id).is_some_and(|server| match &server.machine {
            ServerMachine::Invite(machine) => *machine.state() == server_invite::State::Accepted,
            ServerMachine::Other(_) => false,
        })
    }

    /// Whether the INVITE transaction still awaits its final answer.
    pub(super) fn is_proceeding(&self, id: TransactionId) -> bool {
        self.servers.get(&id).is_some_and(|server| match &server.machine {
            ServerMachine::Invite(machine) => *machine.state() == server_invite::State::Proceeding,
            ServerMachine::Other(_) => false,
        })
    }
}

impl Server {
    /// Whether a final answer was given that the far end may not have got: a refusal without its ACK, an answer
    /// that might be asked for again.
    pub(super) fn has_just_answered(&self) -> bool {
        match &self.machine {
            ServerMachine::Invite(machine) => matches!(machine.state(), server_invite::State::Completed { .. }),
            ServerMachine::Other(machine) => *machine.state() == server_other::State::Completed,
        }
    }
}
