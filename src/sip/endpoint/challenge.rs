//! Far ends that ask for credentials in a call (RFC 3261 §22): what they asked for goes out again with them, in the same
//! dialog with the next CSeq. Once a far end has asked, what follows in its dialog carries them unasked, with a rising
//! nonce count (RFC 7616 §3.6), so that a hold and a BYE cost no further round trip.

use super::clients::{Cancel, User};
use super::leg::{Change, State};
use super::propose::PATIENCE;
use super::{Endpoint, Headers, TimerKey, TransactionId};
use crate::base::{LegId, Now};
use crate::sip::auth::Prover;
use crate::sip::compose::Parts;
use crate::sip::dialog::Dialog;
use crate::sip::timing::Timer;
use crate::wire::sip::{Message, Method, Name, Response, Status, Text, Uri};

impl Endpoint {
    /// With what the challenges of a leg's far end are answered, in its dialog: also after an INVITE that was challenged,
    /// whose nonce and count then go on.
    pub fn set_credentials(&mut self, leg: LegId, prover: Prover) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.prover = Some(prover);
        }
    }

    /// What a request in a dialog shows unasked: nothing, unless its far end has asked before. It is kept for the ACK of
    /// a re-INVITE, which shows the same (§13.2.2.4).
    pub(super) fn credentials_in(&mut self, user: &mut User, method: &Method, uri: &Uri) -> Headers {
        let Some(leg) = leg_of(user) else { return Headers::new() };
        let Some(mut prover) = self.prover_of(leg).and_then(Option::take) else { return Headers::new() };
        let headers = prover.headers(method, uri, &mut self.rng);
        if let Some(place) = self.prover_of(leg) {
            *place = Some(prover);
        }
        if let User::Calling(calling) = user {
            calling.credentials.clone_from(&headers);
        }
        headers
    }

    /// Sends a request of a dialog again with credentials, where this answer asks for them and they are of use. Says
    /// whether it did: whoever awaits the answer awaits that of the new one.
    pub(super) fn answer_challenge(
        &mut self,
        id: TransactionId,
        user: &mut User,
        response: &Response,
        now: Now,
    ) -> bool {
        if !matches!(response.status, Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED) {
            return false;
        }
        let Some(leg) = leg_of(user).filter(|leg| self.is_wanted(*leg, user)) else { return false };
        let Some(client) = self.clients.get(&id) else { return false };
        let (method, mut tries) = (client.method.clone(), client.tries.clone());
        let Ok(Message::Request(before)) = Message::parse(&client.bytes) else { return false };
        let Some(mut prover) = self.prover_of(leg).and_then(Option::take) else { return false };
        let uri = self.dialog_of_user(leg, user).map(|dialog| dialog.path().uri);
        let credentials = uri.and_then(|uri| prover.answer(response, &method, &uri, &mut tries, &mut self.rng));
        if let Some(place) = self.prover_of(leg) {
            *place = Some(prover);
        }
        let Some(credentials) = credentials else { return false };
        let Some(dialog) = self.dialog_of_user(leg, user) else { return false };
        let seq = dialog.next_seq();
        let dialog = dialog.clone();
        let mut headers: Headers = before
            .headers
            .fields()
            .filter(|(name, _)| !is_written_anew(name))
            .map(|(name, value)| (name, Text::from(value)))
            .collect();
        headers.extend(credentials.iter().cloned());
        let mut awaits = std::mem::replace(user, User::Nobody);
        match &mut awaits {
            User::Calling(calling) => {
                self.timers.disarm(&TimerKey::Client(id, Timer::C));
                calling.dialog.local_seq = seq;
                calling.credentials = credentials;
                (calling.cancel, calling.provisional) = (Cancel::No, false);
            }
            User::Reported(_, first) => *first = first.or(Some(id)),
            User::Refer(leg, refer) => self.refer_is_asked_again(*leg, *refer, seq),
            User::Bye(_) | User::Updating(..) | User::Notify(..) | User::Nobody => {}
        }
        let body =
            (!before.body.is_empty()).then(|| (before.headers.content_type().unwrap_or_default(), &before.body[..]));
        let path = dialog.path();
        let target = dialog.target(&path.next_hop);
        let parts = Parts { headers: &headers, body, ..dialog.parts(method.as_str(), &path) };
        let again = self.begin_client(method.clone(), parts, target, awaits, now);
        if let Some(client) = self.clients.get_mut(&again) {
            client.tries = tries;
        }
        if method == Method::Invite {
            self.timers.arm(TimerKey::Client(again, Timer::C), now.mono + PATIENCE);
        }
        self.change_goes_by(leg, id, again);
        true
    }

    /// Whether what was asked for is still to be done.
    fn is_wanted(&self, leg: LegId, user: &User) -> bool {
        let up = || self.legs.get(&leg).is_some_and(|leg| !leg.over);
        match user {
            User::Calling(calling) => !calling.initial && calling.abandoned.is_none() && up(),
            User::Updating(..) | User::Reported(..) | User::Refer(..) => up(),
            User::Bye(_) | User::Notify(..) => true,
            User::Nobody => false,
        }
    }

    /// What answers the challenges of a leg's far end; also of a leg that is over but for its subscriptions.
    fn prover_of(&mut self, leg: LegId) -> Option<&mut Option<Prover>> {
        if !self.legs.contains_key(&leg) {
            return self.prover_left(leg);
        }
        self.legs.get_mut(&leg).map(|leg| &mut leg.prover)
    }

    /// The dialog in which a request was sent.
    fn dialog_of_user(&mut self, leg: LegId, user: &User) -> Option<&mut Dialog> {
        if !self.legs.contains_key(&leg) {
            return self.dialog_left(leg);
        }
        let leg = self.legs.get_mut(&leg)?;
        match user {
            User::Updating(_, Some(fork)) if matches!(leg.state, State::Outgoing { .. }) => {
                leg.early_mut(*fork).map(|early| &mut early.dialog)
            }
            _ => Some(&mut leg.dialog),
        }
    }

    /// A change of ours awaits the answer to another request from now on.
    fn change_goes_by(&mut self, leg: LegId, before: TransactionId, after: TransactionId) {
        let Some(leg) = self.legs.get_mut(&leg) else { return };
        if let Change::Ours { client, .. } = &mut leg.change
            && *client == before
        {
            *client = after;
        }
        leg.early_goes_by(before, after);
    }
}

/// In whose dialog a request was sent.
fn leg_of(user: &User) -> Option<LegId> {
    match user {
        User::Calling(calling) => Some(calling.leg),
        User::Reported(leg, _) => *leg,
        User::Bye(leg) | User::Updating(leg, _) | User::Refer(leg, _) | User::Notify(leg, _) => Some(*leg),
        User::Nobody => None,
    }
}

/// Whether a field is of the request as it was sent before, and not of what it says.
fn is_written_anew(name: &Name) -> bool {
    [
        Name::Via,
        Name::Route,
        Name::MaxForwards,
        Name::From,
        Name::To,
        Name::CallId,
        Name::CSeq,
        Name::ContentType,
        Name::ContentLength,
        Name::Authorization,
        Name::ProxyAuthorization,
    ]
    .contains(name)
}
