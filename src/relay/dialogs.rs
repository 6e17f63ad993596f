//! The dialogs that pass a relay, as far as it must know them to end them by itself: a phone whose gateway is gone is told
//! by a BYE, one that still rings by a CANCEL, one that still calls by a 503. And the addresses that their audio goes to: no
//! other is sent any.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use crate::sip::compose::{self, Parts};
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::transport::{HostPort, Target, Transport};
use crate::wire::sdp::SessionDescription;
use crate::wire::sip::{Message, Method, Name, NameAddr, Request, Response, Status, Text};

/// Dialogs at once: each of a thousand calls may be forked. More: memory for a gateway that never ends any.
const MOST: usize = 4096;
/// Addresses for the audio of one.
const MOST_ADDRESSES: usize = 8;

/// Every dialog that was seen to begin and not to end, by Call-ID.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    known: BTreeMap<Text, Known>,
    /// Addresses for audio, and of how many dialogs each is.
    hear: BTreeMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Known {
    stage: Stage,
    addresses: BTreeSet<IpAddr>,
}

#[derive(Debug)]
enum Stage {
    /// The gateway calls, and nobody has answered.
    Calling { invite: Box<Request>, to: SocketAddr },
    /// Somebody calls the gateway, which has not answered.
    Called { invite: Box<Request>, from: SocketAddr },
    /// Answered.
    Up(Box<Dialog>),
}

/// A message that ends a dialog, from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Farewell {
    /// Whither.
    pub(super) to: SocketAddr,
    /// What.
    pub(super) bytes: Bytes,
    /// Of which dialog.
    pub(super) call_id: Text,
    /// An answer follows, until which it is to be repeated.
    pub(super) repeats: bool,
}

impl Dialogs {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether some dialog's audio goes to this address.
    pub(super) fn hear_at(&self, address: IpAddr) -> bool {
        self.hear.contains_key(&address)
    }

    /// A message of the gateway's goes out.
    pub(super) fn goes(&mut self, message: &Message, to: SocketAddr) {
        let Some(call_id) = message.headers().call_id().map(Text::from) else { return };
        match message {
            Message::Request(request) => match (&request.method, tag_of(request)) {
                (Method::Invite, false) => {
                    self.begin(call_id, Stage::Calling { invite: Box::new(request.clone()), to });
                }
                (Method::Bye, _) => self.forget(&call_id),
                (_, true) => {
                    if let (Some(dialog), Some(cseq)) = (self.dialog(&call_id), request.headers.cseq()) {
                        dialog.local_seq = dialog.local_seq.max(cseq.seq);
                    }
                }
                (_, false) => {}
            },
            Message::Response(response) if response.headers.cseq_is(&Method::Invite) => {
                let Some(known) = self.known.get_mut(&call_id) else { return };
                let Stage::Called { invite, from } = &known.stage else { return };
                if response.status.is_success() {
                    match answered(invite, response, *from) {
                        Some(dialog) => known.stage = Stage::Up(Box::new(dialog)),
                        None => self.forget(&call_id),
                    }
                } else if response.status.is_failure() || response.status.is_redirection() {
                    self.forget(&call_id);
                }
            }
            Message::Response(_) => {}
        }
    }

    /// A message for the gateway came, from a call manager or a phone.
    pub(super) fn comes(&mut self, message: &Message, from: SocketAddr) {
        let Some(call_id) = message.headers().call_id().map(Text::from) else { return };
        if let Message::Request(request) = message {
            match (&request.method, tag_of(request)) {
                (Method::Invite, false) => {
                    self.begin(call_id.clone(), Stage::Called { invite: Box::new(request.clone()), from })
                }
                (Method::Invite | Method::Update, true) => {
                    if let (Some(dialog), Some(contact)) = (self.dialog(&call_id), request.headers.contact()) {
                        dialog.remote_target = contact.uri;
                    }
                }
                (Method::Bye, _) => self.forget(&call_id),
                _ => {}
            }
        }
        let Some(known) = self.known.get_mut(&call_id) else { return };
        for address in addresses(message) {
            if known.addresses.len() < MOST_ADDRESSES && known.addresses.insert(address) {
                *self.hear.entry(address).or_default() += 1;
            }
        }
        if let Message::Response(response) = message
            && response.headers.cseq_is(&Method::Invite)
        {
            match &mut known.stage {
                Stage::Calling { invite, to } if response.status.is_success() => {
                    match accepted(invite, response, *to) {
                        Some(dialog) => known.stage = Stage::Up(Box::new(dialog)),
                        None => self.forget(&call_id),
                    }
                }
                Stage::Calling { .. } if !response.status.is_provisional() => self.forget(&call_id),
                Stage::Up(dialog) if response.status.is_success() => {
                    if let Some(contact) = response.headers.contact() {
                        dialog.remote_target = contact.uri;
                    }
                }
                Stage::Calling { .. } | Stage::Called { .. } | Stage::Up(_) => {}
            }
        }
    }

    /// Ends every dialog; `ours` is where we are reached.
    pub(super) fn end_all(&mut self, ours: SocketAddr) -> Vec<Farewell> {
        let known = std::mem::take(&mut self.known);
        self.hear.clear();
        known.into_iter().filter_map(|(call_id, known)| Self::end(call_id, known.stage, ours)).collect()
    }

    fn end(call_id: Text, stage: Stage, ours: SocketAddr) -> Option<Farewell> {
        match stage {
            Stage::Up(mut dialog) => {
                dialog.next_seq();
                let branch = format!("z9hG4bKrelay{}{:x}", dialog.local_tag, dialog.local_seq);
                let via = compose::via(Transport::Udp, &HostPort::from(ours), &branch);
                let path = dialog.path();
                let reason = [(Name::Reason, Text::from_static("Q.850;cause=41;text=\"The gateway is out of reach\""))];
                let parts = Parts { via: &via, headers: &reason, ..dialog.parts("BYE", &path) };
                let to = crate::sip::dialog::target(&path.next_hop, by_relay(dialog.hop), false).remote;
                Some(Farewell { to, bytes: parts.write(), call_id, repeats: true })
            }
            Stage::Calling { invite, to } => {
                // RFC 3261 §9.1: as the INVITE, with its one Via.
                let via = invite.headers.get(Name::Via)?.to_owned();
                let routes = invite.headers.routes().unwrap_or_default();
                let (from, remote) = (invite.headers.from()?, invite.headers.to()?);
                let seq = invite.headers.cseq()?.seq;
                let parts = Parts {
                    method: "CANCEL",
                    uri: &invite.uri,
                    via: &via,
                    max_forwards: MAX_FORWARDS,
                    routes: &routes,
                    from: &from,
                    to: &remote,
                    call_id: call_id.as_str(),
                    seq,
                    contact: "",
                    user_agent: "",
                    headers: &[],
                    body: None,
                };
                Some(Farewell { to, bytes: parts.write(), call_id: call_id.clone(), repeats: true })
            }
            Stage::Called { invite, from } => {
                Some(Farewell { to: from, bytes: unavailable(&invite), call_id, repeats: false })
            }
        }
    }

    fn begin(&mut self, call_id: Text, stage: Stage) {
        if self.known.contains_key(&call_id) || self.known.len() < MOST {
            // A repetition, or the same again with credentials.
            let addresses = self.known.remove(&call_id).map(|known| known.addresses).unwrap_or_default();
            self.known.insert(call_id, Known { stage, addresses });
        }
    }

    fn forget(&mut self, call_id: &Text) {
        let Some(known) = self.known.remove(call_id) else { return };
        for address in known.addresses {
            if let Some(count) = self.hear.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    self.hear.remove(&address);
                }
            }
        }
    }

    fn dialog(&mut self, call_id: &Text) -> Option<&mut Dialog> {
        match &mut self.known.get_mut(call_id)?.stage {
            Stage::Up(dialog) => Some(dialog),
            Stage::Calling { .. } | Stage::Called { .. } => None,
        }
    }
}

/// The refusal of a call that nobody can take.
pub(super) fn unavailable(invite: &Request) -> Bytes {
    let mut response = Response::answering(invite, Status::SERVICE_UNAVAILABLE);
    if let Some(to) = invite.headers.to().filter(|to| to.tag().is_none()) {
        response.headers.set(Name::To, to.with_tag("relay"));
    }
    response.headers.push(Name::RetryAfter, 10);
    response.to_bytes()
}

/// Within one relay every address is within reach.
fn by_relay(hop: Target) -> Target {
    let any = crate::sip::transport::FlowId::of_relay(crate::base::id::RelayId::from_bits(0));
    Target { flow: Some(any), ..hop }
}

/// Whether it belongs to a dialog.
fn tag_of(request: &Request) -> bool {
    request.headers.to().is_some_and(|to| to.tag().is_some())
}

/// The dialog of a call of the gateway's that was answered (RFC 3261 §12.1.2).
fn accepted(invite: &Request, response: &Response, to: SocketAddr) -> Option<Dialog> {
    let mut routes = response.headers.record_routes().unwrap_or_default();
    routes.reverse();
    let seq = invite.headers.cseq()?.seq;
    dialog(
        response,
        response.headers.from()?,
        response.headers.to()?,
        response.headers.contact()?,
        routes,
        seq,
        to,
        true,
    )
}

/// The dialog of a call to the gateway that it answered (§12.1.1).
fn answered(invite: &Request, response: &Response, from: SocketAddr) -> Option<Dialog> {
    let routes = invite.headers.record_routes().unwrap_or_default();
    let contact = invite.headers.contact()?;
    dialog(response, response.headers.to()?, response.headers.from()?, contact, routes, 0, from, false)
}

#[allow(clippy::too_many_arguments, reason = "the parts of a dialog, each read where the two directions differ")]
fn dialog(
    response: &Response,
    local: NameAddr,
    remote: NameAddr,
    contact: NameAddr,
    route_set: Vec<NameAddr>,
    local_seq: u32,
    hop: SocketAddr,
    outbound: bool,
) -> Option<Dialog> {
    Some(Dialog {
        call_id: Text::from(response.headers.call_id()?),
        local_tag: Text::from(local.tag()?),
        remote_tag: Text::from(remote.tag().unwrap_or_default()),
        local,
        remote,
        local_seq,
        remote_seq: None,
        remote_target: contact.uri,
        route_set,
        secure: false,
        outbound,
        hop: Target::new(Transport::Udp, hop),
    })
}

/// Where a message wants audio.
fn addresses(message: &Message) -> Vec<IpAddr> {
    if message.body().is_empty() {
        return Vec::new();
    }
    let Ok(sdp) = SessionDescription::parse(message.body()) else { return Vec::new() };
    let of = |media| sdp.connection_of(media).and_then(crate::wire::sdp::Connection::ip);
    sdp.media.iter().filter_map(of).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_canonical()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "10.0.0.9:5070";
    const MANAGER: &str = "10.0.0.5:5060";
    const SDP: &str =
        "v=0\r\no=- 1 1 IN IP4 10.0.0.20\r\ns=-\r\nc=IN IP4 10.0.0.20\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

    fn message(head: &str, body: &str) -> Message {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!("{head}{kind}Content-Length: {}\r\n\r\n{body}", body.len());
        Message::parse(&Bytes::from(text)).unwrap()
    }

    fn invite() -> Message {
        message(
            "INVITE sip:ben@cucm.corp SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKa;rport\r\nMax-Forwards: 70\r\n\
             From: <sip:anna@gw>;tag=f\r\nTo: <sip:ben@cucm.corp>\r\nCall-ID: one\r\nCSeq: 4 INVITE\r\nContact: <sip:10.0.0.9:5070>\r\n",
            "",
        )
    }

    fn answer(status: &str, contact: &str) -> Message {
        message(
            &format!(
                "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKa;rport\r\nFrom: <sip:anna@gw>;tag=f\r\n\
                 To: <sip:ben@cucm.corp>;tag=t\r\nCall-ID: one\r\nCSeq: 4 INVITE\r\n{contact}"
            ),
            if status.starts_with('2') { SDP } else { "" },
        )
    }

    fn manager() -> SocketAddr {
        MANAGER.parse().unwrap()
    }

    fn ended(dialogs: &mut Dialogs) -> Vec<(SocketAddr, Request)> {
        let farewells = dialogs.end_all(OURS.parse().unwrap());
        let read = |farewell: Farewell| match Message::parse(&farewell.bytes).unwrap() {
            Message::Request(request) => (farewell.to, request),
            Message::Response(response) => panic!("{}", response.status),
        };
        farewells.into_iter().map(read).collect()
    }

    #[test]
    fn a_phone_in_a_call_is_told_by_a_bye_that_goes_the_way_of_the_dialog() {
        let mut dialogs = Dialogs::default();
        let phone = "10.0.0.20".parse().unwrap();
        dialogs.goes(&invite(), manager());
        assert!(!dialogs.hear_at(phone), "nobody has said where audio goes");
        let routed = "Contact: <sip:ben@10.0.0.20:5062>\r\nRecord-Route: <sip:10.0.0.6;lr>,<sip:10.0.0.5;lr>\r\n";
        dialogs.comes(&answer("200 OK", routed), manager());
        assert!(dialogs.hear_at(phone));
        let reinvite = message(
            "UPDATE sip:ben@10.0.0.20 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bKb\r\nFrom: <sip:anna@gw>;tag=f\r\n\
             To: <sip:ben@cucm.corp>;tag=t\r\nCall-ID: one\r\nCSeq: 9 UPDATE\r\n",
            "",
        );
        dialogs.goes(&reinvite, manager());
        let byes = ended(&mut dialogs);
        let [(to, bye)] = byes.as_slice() else { panic!("{byes:?}") };
        assert_eq!((bye.method.clone(), bye.uri.as_str()), (Method::Bye, "sip:ben@10.0.0.20:5062"));
        assert_eq!(*to, "10.0.0.5:5060".parse::<SocketAddr>().unwrap(), "by the last of the route");
        assert_eq!(bye.headers.cseq().map(|cseq| cseq.seq), Some(10));
        assert_eq!(bye.headers.from().and_then(|from| from.tag().map(str::to_owned)).as_deref(), Some("f"));
        assert_eq!(bye.headers.to().and_then(|to| to.tag().map(str::to_owned)).as_deref(), Some("t"));
        assert_eq!(bye.headers.top_via().map(|via| via.host.to_string()).as_deref(), Some("10.0.0.9"));
        assert!(!dialogs.hear_at(phone) && dialogs.len() == 0, "it is over");
    }

    #[test]
    fn a_phone_that_rings_is_told_by_a_cancel_of_the_same_branch() {
        let mut dialogs = Dialogs::default();
        dialogs.goes(&invite(), manager());
        dialogs.comes(&answer("180 Ringing", "Contact: <sip:ben@10.0.0.20>\r\n"), manager());
        let cancels = ended(&mut dialogs);
        let [(to, cancel)] = cancels.as_slice() else { panic!("{cancels:?}") };
        assert_eq!((cancel.method.clone(), *to), (Method::Cancel, manager()));
        assert_eq!(
            cancel.headers.top_via().and_then(|via| via.branch().map(str::to_owned)).as_deref(),
            Some("z9hG4bKa")
        );
        assert_eq!(cancel.headers.cseq().map(|cseq| cseq.seq), Some(4));
    }

    #[test]
    fn what_ended_by_itself_is_not_ended_again() {
        for over in [true, false] {
            let mut dialogs = Dialogs::default();
            dialogs.goes(&invite(), manager());
            if over {
                dialogs.comes(&answer("486 Busy Here", ""), manager());
            } else {
                dialogs.comes(&answer("200 OK", "Contact: <sip:ben@10.0.0.20>\r\n"), manager());
                let bye = "BYE sip:10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKc\r\nFrom: <sip:ben@cucm.corp>;tag=t\r\n\
                           To: <sip:anna@gw>;tag=f\r\nCall-ID: one\r\nCSeq: 1 BYE\r\n";
                dialogs.comes(&message(bye, ""), manager());
            }
            assert_eq!(dialogs.end_all(OURS.parse().unwrap()), []);
        }
    }

    #[test]
    fn somebody_who_calls_is_refused_so_that_the_call_manager_looks_elsewhere() {
        let mut dialogs = Dialogs::default();
        dialogs.comes(&invite(), manager());
        let farewells = dialogs.end_all(OURS.parse().unwrap());
        assert_eq!(farewells.len(), 1);
        assert!(farewells[0].bytes.starts_with(b"SIP/2.0 503 ") && farewells[0].to == manager());
    }
}
