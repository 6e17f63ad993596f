//! Requests of ours: keeps the message beside its client machine and performs what the machine asks.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::branch::{self, ID_LENGTH};
use super::{Endpoint, Fork, Headers, ReferId, SendRef, TimerKey, TransactionId, Unanswered};
use crate::base::{Cause, LegId, Now};
use crate::sip::auth::Tries;
use crate::sip::compose::Parts;
use crate::sip::dialog::Dialog;
use crate::sip::timing::Timer;
use crate::sip::transaction::{ClientInput, ClientInvite, ClientOther, Effect, Setting, client_invite, client_other};
use crate::sip::transport::{Source, Target, Transport};
use crate::wire::sip::{Message, Method, Name, NameAddr, Response, Text, Uri};

/// A request longer than this goes by a transport with congestion control (§18.1.1), the path's MTU being unknown.
const MAX_DATAGRAM: usize = 1300;

/// How many far ends of one call have ids of their own; those beyond share the last.
const MOST_KNOWN: usize = 64;

/// A request of ours and what awaits its answer.
pub(super) struct Client {
    pub(super) machine: ClientMachine,
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) bytes: Bytes,
    /// The same request for UDP, where this one went by TCP for its length alone (§18.1.1).
    pub(super) fallback: Option<(Target, Bytes, String)>,
    /// Whether it was sent again because a connection closed: once, or a far end that closes each would have it for ever.
    pub(super) resent: bool,
    /// What its ACK and CANCEL repeat; for an INVITE only.
    pub(super) repeats: Option<Box<Repeats>>,
    /// Which challenges to it were answered.
    pub(super) tries: Tries,
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
    pub(super) via: String,
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
    /// The user, by [`super::Event::Response`]; a leg if it was sent in its dialog, and under which id the user knows it
    /// where it was sent again.
    Reported(Option<LegId>, Option<TransactionId>),
    /// A leg whose UPDATE this is, with one far end of several before the call is up.
    Updating(LegId, Option<Fork>),
    /// A REFER of ours.
    Refer(LegId, ReferId),
    /// The report about a REFER of theirs.
    Notify(LegId, ReferId),
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
    /// Whether a far end answered it, and the call is up.
    pub(super) taken: bool,
    /// Why we no longer want it: a 2xx will be acknowledged and hung up.
    pub(super) abandoned: Option<Cause>,
    pub(super) cancel: Cancel,
    /// A provisional answer came, so that CANCEL is allowed (§9.1).
    pub(super) provisional: bool,
    /// The ACK for each far end that sent a 2xx, for when it sends it again.
    pub(super) acks: BTreeMap<Text, (Target, Bytes)>,
    /// The tags of the far ends that answered, and the CSeq used last with each; a [`Fork`] is a place in it.
    pub(super) forks: Vec<(Text, u32)>,
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
        if bytes.len() > MAX_DATAGRAM
            && target.transport == Transport::Udp
            && target.relay().is_none()
            && self.has(Transport::Tcp)
        {
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
        let client =
            Client { machine, method, target, bytes, fallback, resent: false, repeats, tries: Tries::default(), user };
        self.clients.insert(id, client);
        self.perform_client(id, &mut effects, None, now);
        self.effects = effects;
        id
    }

    /// The Call-ID of a request of ours that is not answered yet.
    pub fn call_id_of(&self, id: TransactionId) -> Option<Text> {
        let message = Message::parse(&self.clients.get(&id)?.bytes).ok()?;
        message.headers().call_id().map(Text::from)
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
        let id = TransactionId(branch::decode(rest.get(..ID_LENGTH)?)?);
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

    pub(super) fn perform_client(
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
}

impl Calling {
    /// The id of the far end with this tag.
    pub(super) fn fork_of(&mut self, tag: &Text) -> Fork {
        let known = self.forks.iter().position(|(known, _)| known == tag);
        if known.is_none() && self.forks.len() < MOST_KNOWN {
            self.forks.push((tag.clone(), 0));
        }
        let place = known.unwrap_or(self.forks.len().saturating_sub(1));
        Fork(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Notes the CSeq used last with a far end.
    pub(super) fn note_seq(&mut self, tag: &Text, seq: u32) {
        if let Some((_, last)) = self.forks.iter_mut().find(|(known, _)| known == tag) {
            *last = seq;
        }
    }
}

impl Client {
    /// Whether a final answer is still awaited.
    pub(super) fn awaits_answer(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => {
                matches!(machine.state(), client_invite::State::Calling { .. } | client_invite::State::Proceeding)
            }
            ClientMachine::Other(machine) => {
                matches!(machine.state(), client_other::State::Trying { .. } | client_other::State::Proceeding)
            }
        }
    }

    /// Whether nothing has come back yet, so that the request may be lost.
    pub(super) fn is_unanswered(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => matches!(machine.state(), client_invite::State::Calling { .. }),
            ClientMachine::Other(machine) => matches!(machine.state(), client_other::State::Trying { .. }),
        }
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
