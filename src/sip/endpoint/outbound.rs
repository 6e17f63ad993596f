//! A call that we make, and other requests of ours: the client side (RFC 3261 §13.2, §9.1).

use std::collections::BTreeMap;

use super::clients::{Calling, Cancel, User};
use super::leg::{Leg, State};
use super::{Endpoint, Event, Headers, OutboundInvite, OutboundRequest, TimerKey, TransactionId};
use crate::base::{Cause, LegId, Now, Support};
use crate::sip::compose::Parts;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::timing::Timer;
use crate::wire::sip::{Method, Name, Text};

impl Endpoint {
    /// Calls. Over the limits, or with nothing advertised for the transport, the leg ends at once.
    pub fn invite(&mut self, call: OutboundInvite, now: Now) -> LegId {
        let id = LegId::draw(&mut self.rng);
        self.invite_as(id, call, now);
        id
    }

    /// Calls with an id that the user has drawn: the ports of a call are bound before its offer is written, and a
    /// repetition with credentials is the same leg.
    pub fn invite_as(&mut self, id: LegId, mut call: OutboundInvite, now: Now) {
        self.counters.invites_out += 1;
        let (local_tag, call_id, seq) = match call.again.take() {
            Some(again) => (again.local_tag, again.call_id, again.seq.saturating_add(1)),
            None => (self.tag(), Text::from(self.rng.token(20)), 1),
        };
        let secure = call.uri.is_sips() || call.routes.first().is_some_and(|route| route.uri.is_sips());
        let dialog = Dialog {
            call_id,
            local: call.from.clone().with_tag(&local_tag),
            local_tag: local_tag.clone(),
            remote_tag: Text::default(),
            remote: call.to.clone(),
            local_seq: seq,
            remote_seq: None,
            remote_target: call.uri.clone(),
            route_set: call.routes.clone(),
            secure,
            outbound: true,
            hop: call.target,
        };
        let contact = self.contact(&call.target, secure, call.contact_user.as_deref());
        let over = self.live >= self.settings.limits.legs || self.is_overfull();
        if over || contact.is_empty() {
            let cause = if over { Cause::Overloaded } else { Cause::TransportFailed };
            self.counters.ended += 1;
            self.event(Event::Ended { leg: id, cause, reasons: Vec::new() });
            return;
        }
        let client = self.send_invite(id, &dialog, &contact, &call, 0, Vec::new(), now);
        let (manner, sdp) = (call.manner, call.sdp.clone());
        let state = State::Outgoing { client, call: Box::new(call), early: Vec::new() };
        let leg = Leg { manner, local_sdp: sdp, ..Leg::new(dialog, state, contact) };
        self.by_tag.insert(local_tag, id);
        self.legs.insert(id, leg);
        self.live += 1;
    }

    /// Whether anything has come back to the INVITE of a call that we make, be it a 100.
    pub fn is_heard(&self, id: LegId) -> bool {
        match self.legs.get(&id).map(|leg| &leg.state) {
            Some(State::Outgoing { client, .. }) => {
                self.clients.get(client).is_none_or(|client| !client.is_unanswered())
            }
            Some(_) => true,
            None => false,
        }
    }

    /// Sends the INVITE of a new call, for the first time or after a 422 that asked for `min_se`.
    #[allow(clippy::too_many_arguments, reason = "the parts of an INVITE and whose it is")]
    pub(super) fn send_invite(
        &mut self,
        leg: LegId,
        dialog: &Dialog,
        contact: &str,
        call: &OutboundInvite,
        min_se: u32,
        forks: Vec<(Text, u32)>,
        now: Now,
    ) -> TransactionId {
        let mut headers = call.headers.clone();
        let is_credential = |name: &Name| *name == Name::Authorization || *name == Name::ProxyAuthorization;
        let credentials = headers.iter().filter(|(name, _)| is_credential(name)).cloned().collect();
        headers.push((Name::Allow, self.allow()));
        headers.extend(self.supported(&call.manner));
        if call.manner.prack == Support::Require {
            headers.push((Name::Require, Text::from("100rel")));
        }
        headers.extend(call.manner.ask_for_timer(min_se));
        let agent = self.settings.user_agent.clone();
        let path = dialog.path();
        let parts = Parts {
            contact,
            user_agent: &agent,
            headers: &headers,
            max_forwards: call.max_forwards,
            body: call.sdp.as_deref().map(|sdp| ("application/sdp", sdp)),
            ..dialog.parts("INVITE", &path)
        };
        let calling = Calling {
            leg,
            dialog: dialog.clone(),
            initial: true,
            taken: false,
            abandoned: None,
            cancel: Cancel::No,
            provisional: false,
            acks: BTreeMap::new(),
            forks,
            credentials,
        };
        let client = self.begin_client(Method::Invite, parts, call.target, User::Calling(Box::new(calling)), now);
        self.timers.arm(TimerKey::Client(client, Timer::C), now.mono + call.ring);
        client
    }

    /// Sends a request outside any dialog; [`Event::Response`] follows.
    pub fn request(&mut self, request: OutboundRequest, now: Now) -> TransactionId {
        let (local_tag, call_id, seq) = match request.again {
            Some(again) => (again.local_tag, again.call_id, again.seq.saturating_add(1)),
            None => (self.tag(), Text::from(self.rng.token(20)), 1),
        };
        let from = request.from.with_tag(&local_tag);
        let has_contact = request.headers.iter().any(|(name, _)| *name == Name::Contact);
        let contact =
            if has_contact { String::new() } else { self.contact(&request.target, request.uri.is_sips(), None) };
        let agent = self.settings.user_agent.clone();
        let parts = Parts {
            method: request.method.as_str(),
            uri: &request.uri,
            via: "",
            max_forwards: MAX_FORWARDS,
            routes: &request.routes,
            from: &from,
            to: &request.to,
            call_id: &call_id,
            seq,
            contact: &contact,
            user_agent: &agent,
            headers: &request.headers,
            body: request.body.as_ref().map(|(media_type, body)| (media_type.as_str(), &body[..])),
        };
        self.begin_client(request.method.clone(), parts, request.target, User::Reported(None, None), now)
    }

    /// Sends an INFO in a call that is up (RFC 6086); [`Event::Response`] follows. None if the call is not up.
    pub fn info(&mut self, id: LegId, content_type: &str, body: &[u8], now: Now) -> Option<TransactionId> {
        let leg = self.legs.get_mut(&id).filter(|leg| !leg.over && matches!(leg.state, State::Confirmed))?;
        leg.dialog.next_seq();
        let dialog = leg.dialog.clone();
        let (body, user) = (Some((content_type, body)), User::Reported(Some(id), None));
        Some(self.send_in(&dialog, "", Method::Info, &Headers::new(), body, user, now))
    }
}
