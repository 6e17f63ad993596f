//! The transaction layer: keeps the messages beside the four machines and performs what they ask.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::facts::Facts;
use super::{Endpoint, Headers, SendRef, TimerKey, TransactionId, Unanswered};
use crate::base::{Cause, LegId, Now};
use crate::sip::compose::{self, Parts};
use crate::sip::dialog::Dialog;
use crate::sip::reply::{Answer, Reply};
use crate::sip::timing::Timer;
use crate::sip::transaction::{
    ClientInput, ClientInvite, ClientOther, Effect, ServerInput, ServerInvite, ServerOther, Setting, client_invite,
    client_other, server_invite, server_other,
};
use crate::sip::transport::{FlowId, Source, Target, Transport};
use crate::wire::sip::{Method, Name, NameAddr, Response, Status, Text, Uri};

/// How many characters of a branch, after the cookie, name the transaction.
pub(super) const ID_LENGTH: usize = 13;
/// How many characters after that are a print of the Request-URI.
pub(super) const PRINT_LENGTH: usize = 7;
/// A request longer than this goes by a transport with congestion control (§18.1.1), the path's MTU being unknown.
const MAX_DATAGRAM: usize = 1300;
/// The digits of ids and prints in branches.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A request of ours and what awaits its answer.
pub(super) struct Client {
    pub(super) machine: ClientMachine,
    pub(super) method: Method,
    pub(super) target: Target,
    bytes: Bytes,
    /// The same request for UDP, where this one went by TCP for its length alone (§18.1.1).
    fallback: Option<(Target, Bytes, String)>,
    /// What its ACK and CANCEL repeat; for an INVITE only.
    pub(super) repeats: Option<Box<Repeats>>,
    pub(super) user: User,
}

/// One of the two client machines.
pub(super) enum ClientMachine {
    Invite(ClientInvite),
    Other(ClientOther),
}

/// What the ACK to a refusal and a CANCEL repeat of their INVITE (§9.1, §17.1.1.3).
pub(super) struct Repeats {
    uri: Uri,
    via: String,
    routes: Vec<NameAddr>,
    from: NameAddr,
    to: NameAddr,
    call_id: Text,
    seq: u32,
}

/// Who awaits the answer to a request of ours.
pub(super) enum User {
    /// A call, new or up.
    Calling(Box<Calling>),
    /// The leg that our BYE ends.
    Bye(LegId),
    /// The user, by [`super::Event::Response`]; a leg if it was sent in its dialog.
    Reported(Option<LegId>),
    /// Nobody: a CANCEL, or the BYE to a fork that lost.
    Nobody,
}

/// What an INVITE of ours needs to know when answers come, also after its leg is gone.
pub(super) struct Calling {
    pub(super) leg: LegId,
    /// The dialog as far as it is known: without the far end's part for a new call.
    pub(super) dialog: Dialog,
    /// A new call rather than a re-INVITE.
    pub(super) initial: bool,
    /// Why we no longer want it: a 2xx will be acknowledged and hung up.
    pub(super) abandoned: Option<Cause>,
    pub(super) cancel: Cancel,
    /// A provisional answer came, so that CANCEL is allowed (§9.1).
    pub(super) provisional: bool,
    /// The ACK for each far end that sent a 2xx, for when it sends it again.
    pub(super) acks: BTreeMap<Text, (Target, Bytes)>,
    /// Authorization fields of the INVITE, for its ACK (§13.2.2.4).
    pub(super) credentials: Headers,
}

/// How far the CANCEL of an INVITE is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// It goes out with the first provisional answer.
    Wanted,
    Sent,
}

/// A request that came and its answer.
pub(super) struct Server {
    pub(super) machine: ServerMachine,
    key: String,
    merge_key: Option<String>,
    reliable: bool,
    reply: Reply,
    latest: Bytes,
    pub(super) leg: Option<LegId>,
    /// Whether its answer says what we can do: OPTIONS (§11.2).
    pub(super) advertises_methods: bool,
}

/// One of the two server machines.
pub(super) enum ServerMachine {
    Invite(ServerInvite),
    Other(ServerOther),
}

/// What came of a client's input, for whoever awaits it.
pub(super) enum Told {
    Nothing,
    Answer,
    Unanswered(Unanswered),
}

impl Endpoint {
    /// Sends a request in a transaction of its own. `parts.via` is filled in here; a request too long for a datagram
    /// goes by TCP (§18.1.1).
    pub(super) fn begin_client(
        &mut self,
        method: Method,
        parts: Parts<'_>,
        target: Target,
        user: User,
        now: Now,
    ) -> TransactionId {
        // The lowest bit tells a CANCEL from its INVITE: they share a branch (§9.1).
        let id = TransactionId(self.rng.next_u64() & !1);
        self.begin_client_as(id, method, parts, target, user, now)
    }

    fn begin_client_as(
        &mut self,
        id: TransactionId,
        method: Method,
        parts: Parts<'_>,
        target: Target,
        user: User,
        now: Now,
    ) -> TransactionId {
        let mut target = target;
        let mut via = if parts.via.is_empty() { self.via(id, parts.uri, &target) } else { parts.via.to_owned() };
        let mut bytes = Parts { via: &via, ..parts }.write();
        let mut fallback = None;
        if bytes.len() > MAX_DATAGRAM && target.transport == Transport::Udp && self.has(Transport::Tcp) {
            let long = Target::new(Transport::Tcp, target.remote);
            let long_via = self.via(id, parts.uri, &long);
            let long_bytes = Parts { via: &long_via, ..parts }.write();
            fallback = Some((target, bytes, via));
            (target, bytes, via) = (long, long_bytes, long_via);
        }
        let repeats = (method == Method::Invite).then(|| {
            Box::new(Repeats {
                uri: parts.uri.clone(),
                via,
                routes: parts.routes.to_vec(),
                from: parts.from.clone(),
                to: parts.to.clone(),
                call_id: Text::from(parts.call_id),
                seq: parts.seq,
            })
        });
        let mut effects = std::mem::take(&mut self.effects);
        let setting = Setting { timing: &self.settings.timing, reliable: target.transport.is_reliable() };
        let machine = match method {
            Method::Invite => ClientMachine::Invite(ClientInvite::begin(setting, &mut effects)),
            _ => ClientMachine::Other(ClientOther::begin(setting, &mut effects)),
        };
        let client = Client { machine, method, target, bytes, fallback, repeats, user };
        self.clients.insert(id, client);
        self.perform_client(id, &mut effects, None, now);
        self.effects = effects;
        id
    }

    /// Sends the CANCEL of an INVITE of ours (§9.1) and gives the INVITE 64·T1 more.
    pub(super) fn send_cancel(&mut self, invite: TransactionId, cause: Cause, now: Now) {
        let Some(client) = self.clients.get_mut(&invite) else { return };
        let Some(repeats) = client.repeats.take() else { return };
        let target = client.target;
        let headers = [(Name::Reason, Text::from(crate::sip::reason::write(cause)))];
        let parts = Parts { via: &repeats.via, headers: &headers, ..repeats.parts("CANCEL", &repeats.to) };
        self.begin_client_as(TransactionId(invite.0 | 1), Method::Cancel, parts, target, User::Nobody, now);
        if let Some(client) = self.clients.get_mut(&invite) {
            client.repeats = Some(repeats);
        }
        self.timers.arm(TimerKey::Client(invite, Timer::C), now.mono + self.settings.timing.give_up());
    }

    /// The transaction a response of ours to them belongs to, by its branch and method (§17.1.3).
    pub(super) fn client_of(&self, response: &Response) -> Option<TransactionId> {
        // §8.1.3.3: more than one Via, and it was meant for somebody else.
        if response.headers.values(Name::Via).nth(1).is_some() {
            return None;
        }
        let via = response.headers.top_via()?;
        let rest = via.branch()?.strip_prefix(self.cookie.as_str())?;
        let id = TransactionId(decode(rest.get(..ID_LENGTH)?)?);
        let id = if response.headers.cseq_is(&Method::Cancel) { TransactionId(id.0 | 1) } else { id };
        let client = self.clients.get(&id)?;
        response.headers.cseq_is(&client.method).then_some(id)
    }

    /// Gives a client machine a fact, and whoever awaits the answer what came of it.
    pub(super) fn client_input(
        &mut self,
        id: TransactionId,
        input: ClientInput,
        response: Option<(Response, Source)>,
        now: Now,
    ) {
        let mut effects = std::mem::take(&mut self.effects);
        let Some(client) = self.clients.get_mut(&id) else { return };
        let setting = Setting { timing: &self.settings.timing, reliable: client.target.transport.is_reliable() };
        match &mut client.machine {
            ClientMachine::Invite(machine) => machine.handle(input, setting, &mut effects),
            ClientMachine::Other(machine) => machine.handle(input, setting, &mut effects),
        }
        if effects.contains(&Effect::Transmit) {
            self.counters.retransmissions_sent += 1;
        }
        // Whoever awaits the answer is taken out, for the transaction may end by this very input.
        let mut user = std::mem::replace(&mut client.user, User::Nobody);
        let told = self.perform_client(id, &mut effects, response.as_ref().map(|(response, _)| response), now);
        self.effects = effects;
        match (told, response) {
            (Told::Answer, Some((response, source))) => self.client_answered(id, &mut user, response, source, now),
            (Told::Unanswered(why), _) => self.client_unanswered(id, &mut user, why, now),
            (Told::Answer, None) | (Told::Nothing, _) => {}
        }
        if let Some(client) = self.clients.get_mut(&id) {
            client.user = user;
        }
    }

    fn perform_client(
        &mut self,
        id: TransactionId,
        effects: &mut Vec<Effect>,
        response: Option<&Response>,
        now: Now,
    ) -> Told {
        let mut told = Told::Nothing;
        for effect in effects.drain(..) {
            match effect {
                Effect::Transmit => {
                    if let Some(client) = self.clients.get(&id) {
                        let (to, bytes) = (client.target, client.bytes.clone());
                        self.counters.requests_sent += 1;
                        self.send(to, bytes, SendRef::Client(id));
                    }
                }
                Effect::Acknowledge => self.acknowledge_refusal(id, response),
                Effect::Arm(timer, after) => self.timers.arm(TimerKey::Client(id, timer), now.mono + after),
                Effect::Disarm(timer) => {
                    self.timers.disarm(&TimerKey::Client(id, timer));
                }
                Effect::Deliver => told = Told::Answer,
                Effect::TimedOut => {
                    self.counters.timeouts += 1;
                    told = Told::Unanswered(Unanswered::TimedOut);
                }
                Effect::Failed => told = Told::Unanswered(Unanswered::TransportFailed),
                Effect::Terminated => self.end_client(id),
            }
        }
        told
    }

    /// Forgets a transaction of ours, whatever its state.
    pub(super) fn end_client(&mut self, id: TransactionId) {
        use Timer::{A, B, C, D, E, F, K, M};
        if let Some(client) = self.clients.remove(&id) {
            let timers: &[Timer] = match client.machine {
                ClientMachine::Invite(_) => &[A, B, C, D, M],
                ClientMachine::Other(_) => &[E, F, K],
            };
            for timer in timers {
                self.timers.disarm(&TimerKey::Client(id, *timer));
            }
        }
    }

    /// The ACK to a 3xx to 6xx: of the transaction, with the INVITE's branch and the refusal's To (§17.1.1.3).
    fn acknowledge_refusal(&mut self, id: TransactionId, response: Option<&Response>) {
        let Some(client) = self.clients.get(&id) else { return };
        let (Some(repeats), Some(to)) = (&client.repeats, response.and_then(|r| r.headers.to())) else { return };
        let bytes = Parts { via: &repeats.via, ..repeats.parts("ACK", &to) }.write();
        let target = client.target;
        self.counters.requests_sent += 1;
        self.send(target, bytes, SendRef::Nothing);
    }

    pub(super) fn client_timer(&mut self, id: TransactionId, timer: Timer, now: Now) {
        if timer == Timer::C {
            self.rang_too_long(id, now);
        } else {
            self.client_input(id, ClientInput::Timer(timer), None, now);
        }
    }

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
                    if let Some(server) = self.servers.remove(&id) {
                        self.by_key.remove(&server.key);
                        if let Some(merge_key) = &server.merge_key {
                            self.merged.remove(merge_key);
                        }
                    }
                }
                // The timers of the leg or of the transaction end what cannot be answered.
                Effect::Deliver | Effect::Acknowledge | Effect::TimedOut | Effect::Failed => {}
            }
        }
    }

    fn send_latest(&mut self, id: TransactionId) {
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

    /// The transport failed. A request that went by TCP for its length goes by UDP (§18.1.1); an answer whose
    /// connection is gone goes to where its sender listens (§18.2.2).
    pub(super) fn send_failed(&mut self, reference: SendRef, now: Now) {
        self.counters.send_failures += 1;
        match reference {
            SendRef::Client(id) => {
                let Some(client) = self.clients.get_mut(&id) else { return };
                let Some((target, bytes, via)) = client.fallback.take() else {
                    // Not by this connection any more: by another one, once.
                    if client.target.flow.take().is_some() {
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
    /// again: requests that still wait for any answer, and final answers.
    pub(super) fn flow_closed(&mut self, flow: FlowId, _now: Now) {
        let mut again = Vec::new();
        for (id, client) in self.clients.iter_mut().filter(|(_, client)| client.target.may_have_used(flow)) {
            client.target.flow = None;
            let unanswered = match &client.machine {
                ClientMachine::Invite(machine) => matches!(machine.state(), client_invite::State::Calling { .. }),
                ClientMachine::Other(machine) => matches!(machine.state(), client_other::State::Trying { .. }),
            };
            if unanswered {
                again.push((*id, client.target, client.bytes.clone()));
            }
        }
        for (id, target, bytes) in again {
            self.counters.requests_sent += 1;
            self.send(target, bytes, SendRef::Client(id));
        }
        let mut answers = Vec::new();
        for (id, server) in self.servers.iter_mut().filter(|(_, server)| server.reply.target.may_have_used(flow)) {
            if let Some(elsewhere) = server.reply.elsewhere.take() {
                server.reply.target = elsewhere;
            }
            // A refusal that awaits its ACK, or an answer just given, may have been lost; a copy does no harm.
            let given = match &server.machine {
                ServerMachine::Invite(machine) => matches!(machine.state(), server_invite::State::Completed { .. }),
                ServerMachine::Other(machine) => *machine.state() == server_other::State::Completed,
            };
            if given {
                answers.push(*id);
            }
        }
        for id in answers {
            self.send_latest(id);
        }
        for leg in self.legs.values_mut().filter(|leg| leg.dialog.hop.flow == Some(flow)) {
            leg.dialog.hop.flow = None;
        }
    }

    fn has(&self, transport: Transport) -> bool {
        self.settings.advertised.iter().any(|a| a.transport == transport)
    }

    pub(super) fn via(&self, id: TransactionId, uri: &Uri, target: &Target) -> String {
        let branch = format!("{}{}{}", self.cookie, encode(id.0 & !1), print_of(uri.as_str()));
        match self.address(target.transport, target.remote.ip()) {
            Some(address) => compose::via(target.transport, address, &branch),
            // Nothing is advertised for it; `rport` and `received` bring the answer back.
            None => {
                let nowhere = crate::sip::transport::HostPort { host: "invalid".to_owned(), port: 9 };
                compose::via(target.transport, &nowhere, &branch)
            }
        }
    }

    /// Our Contact value for peers reached by `target`.
    pub(super) fn contact(&self, target: &Target, sips: bool) -> String {
        let transport = if sips { Transport::Tls } else { target.transport };
        let address = self.address(transport, target.remote.ip());
        address.map(|address| compose::contact(transport, address, sips)).unwrap_or_default()
    }
}

impl Repeats {
    fn parts<'a>(&'a self, method: &'a str, to: &'a NameAddr) -> Parts<'a> {
        Parts {
            method,
            uri: &self.uri,
            via: &self.via,
            max_forwards: 70,
            routes: &self.routes,
            from: &self.from,
            to,
            call_id: &self.call_id,
            seq: self.seq,
            contact: "",
            user_agent: "",
            headers: &[],
            body: None,
        }
    }
}

fn encode(bits: u64) -> String {
    (0..ID_LENGTH)
        .rev()
        .map(|place| {
            let digit = (bits.checked_shr(u32::try_from(place * 5).unwrap_or(64)).unwrap_or(0) & 31) as usize;
            char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

fn decode(text: &str) -> Option<u64> {
    text.bytes().try_fold(0u64, |bits, byte| {
        let digit = DIGITS.iter().position(|known| *known == byte.to_ascii_lowercase())?;
        Some((bits << 5) | digit as u64)
    })
}

/// A print of a Request-URI (FNV-1a): tells a circle from a spiral.
pub(super) fn print_of(uri: &str) -> String {
    let hash = hash_of(0, &[uri]);
    encode(hash).chars().skip(ID_LENGTH - PRINT_LENGTH).collect()
}

/// FNV-1a over parts, after a secret.
pub(super) fn hash_of(secret: u64, parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ secret;
    for byte in parts.iter().flat_map(|part| part.bytes().chain(std::iter::once(0))) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// A tag that is the same for each copy of a request.
pub(super) fn tag_of(secret: u64, parts: &[&str]) -> String {
    encode(hash_of(secret, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_gives_back_its_transaction() {
        for bits in [0, 1, 31, 32, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(decode(&encode(bits)), Some(bits));
            assert_eq!(encode(bits).len(), ID_LENGTH);
        }
        assert_eq!(print_of("sip:a@b").len(), PRINT_LENGTH);
        assert_ne!(print_of("sip:a@b"), print_of("sip:a@c"));
    }
}
