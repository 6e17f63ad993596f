//! Telephones that are called: they see an INVITE, ring, answer, refuse, and hang up.

use std::net::SocketAddr;

use ringlift::base::LegId;
use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::{DidId, TrunkId};
use ringlift::base::phone_number::NumberPlan;
use ringlift::gateway::Directory;
use ringlift::route::{CallLimits, Credentials, Destination, Did, Outbound, OutboundTarget, Trunk};
use ringlift::wire::sip::{Message, Method, Name, Request, Response};

use crate::world::{Phone, World};

/// A number that leads out by the carriers.
pub const OUTSIDE: &str = "+4930555501";

/// A telephone, or a carrier's edge, that is called.
#[derive(Debug, Clone)]
pub struct Desk {
    pub address: SocketAddr,
    /// Its tag, and so which fork of a call it is.
    pub tag: String,
    pub invite: Option<Request>,
    pub cseq: u32,
    /// More header fields of its requests.
    pub more: String,
}

impl World {
    /// Two carriers that take calls: the second where the first does not.
    pub fn office() -> Self {
        Self::office_with(|_| {})
    }

    pub fn office_with(change: impl FnOnce(&mut Directory)) -> Self {
        Self::of(
            |_| {},
            |_| {},
            |directory| {
                let plan = NumberPlan {
                    country: Some("49".into()),
                    national_prefix: Some("0".into()),
                    international_prefix: Some("00".into()),
                };
                for trunk in &mut directory.trunks {
                    trunk.numbers = plan.clone();
                }
                let target = |uri: &str, priority| OutboundTarget { uri: uri.into(), priority, weight: 1 };
                directory.trunks.push(Trunk {
                    numbers: plan,
                    outbound: Some(Outbound {
                        targets: vec![target("sip:203.0.113.10", 1), target("sip:203.0.113.11", 2)],
                        credentials: Some(Credentials {
                            username: "acc7".into(),
                            password: ringlift::base::Secret::new("s3cret"),
                        }),
                        register: None,
                        caller_id: None,
                        follow_redirects: false,
                    }),
                    limits: CallLimits::of_trunk(),
                    ..Trunk::new(TrunkId::from_bits(2), "outward")
                });
                directory.dids.push(Did {
                    id: DidId::from_bits(3),
                    called: OUTSIDE.parse().unwrap(),
                    trunk: None,
                    action: Destination::Trunk { trunks: vec![TrunkId::from_bits(2)], strip: 0, prefix: String::new() },
                    languages: vec![],
                    elevation: ElevationRules::default(),
                });
                change(directory);
            },
        )
    }

    /// The INVITE that came to a telephone, and the telephone keeps it.
    pub fn rung(&mut self, desk: &mut Desk) -> Request {
        let found = self.asked(desk, &Method::Invite).expect("an INVITE");
        desk.invite = Some(found.clone());
        found
    }

    /// The next request of this method to a telephone.
    pub fn asked(&mut self, desk: &Desk, method: &Method) -> Option<Request> {
        let phone = desk.as_phone();
        while let Some(message) = self.next(&phone) {
            if let Message::Request(request) = message
                && request.method == *method
            {
                return Some(request);
            }
        }
        None
    }

    /// A telephone answers a request: its INVITE where none is given.
    pub fn respond(&mut self, desk: &Desk, request: &Request, status: &str, more: &str, sdp: &str) {
        let text = desk.response(request, status, more, sdp);
        self.send(&desk.as_phone(), &text);
    }

    /// It rings.
    pub fn rings(&mut self, desk: &Desk) {
        let invite = desk.invite.clone().expect("rung");
        self.respond(desk, &invite, "180 Ringing", "", "");
    }

    /// It is answered.
    pub fn answers(&mut self, desk: &Desk) {
        let invite = desk.invite.clone().expect("rung");
        self.respond(desk, &invite, "200 OK", "", &desk.sdp("sendrecv"));
        assert!(self.asked(desk, &Method::Ack).is_some(), "the answer is acknowledged");
    }

    /// It refuses.
    pub fn refuses(&mut self, desk: &Desk, status: &str, more: &str) {
        let invite = desk.invite.clone().expect("rung");
        self.respond(desk, &invite, status, more, "");
    }

    /// A CANCEL came: it and the INVITE are answered. Returns its Reason.
    pub fn is_cancelled(&mut self, desk: &Desk) -> String {
        let cancel = self.asked(desk, &Method::Cancel).expect("a CANCEL");
        self.respond(desk, &cancel, "200 OK", "", "");
        self.refuses(desk, "487 Request Terminated", "");
        cancel.headers.get(Name::Reason).unwrap_or_default().to_owned()
    }

    /// A BYE came and is answered. Returns its Reason.
    pub fn is_hung_up(&mut self, desk: &Desk) -> String {
        let bye = self.asked(desk, &Method::Bye).expect("a BYE");
        self.respond(desk, &bye, "200 OK", "", "");
        bye.headers.get(Name::Reason).unwrap_or_default().to_owned()
    }

    /// It asks something in its call: BYE, INVITE with an offer, INFO.
    pub fn asks(&mut self, desk: &mut Desk, method: &str, body: &str) {
        desk.cseq += 1;
        let text = desk.request(method, body);
        self.send(&desk.as_phone(), &text);
    }

    /// It acknowledges the answer to what it asked last.
    pub fn acks(&mut self, desk: &Desk) {
        let text = desk.request("ACK", "");
        self.send(&desk.as_phone(), &text);
    }

    /// The BYE to a caller, answered; its Reason.
    pub fn caller_is_hung_up(&mut self, phone: &Phone) -> String {
        let bye = self.request(phone).expect("a BYE to the caller");
        assert_eq!(bye.method, Method::Bye);
        let desk = Desk { tag: format!("f{}", phone.call_id), ..Desk::at(phone.address) };
        self.respond(&desk, &bye, "200 OK", "", "");
        bye.headers.get(Name::Reason).unwrap_or_default().to_owned()
    }

    /// The caller acknowledges a refusal.
    pub fn caller_takes_refusal(&mut self, phone: &Phone, to: &str, refusal: &Response) {
        let mut phone = phone.clone();
        phone.to_tag = refusal.headers.to().and_then(|to| to.tag().map(str::to_owned));
        let text = phone.request_text("ACK", &format!("sip:{to}@198.51.100.1"), "").replace("ACK1", "INVITE1");
        self.send(&phone, &text);
    }

    /// The final answer to a caller.
    pub fn final_response(&mut self, phone: &Phone) -> Option<Response> {
        std::iter::from_fn(|| self.response(phone)).find(|response| response.status.is_final())
    }

    /// The leg that carries the last call to or from this address.
    pub fn leg_at(&mut self, outbound: bool) -> LegId {
        let direction = if outbound {
            ringlift::gateway::view::CallDirection::Outbound
        } else {
            ringlift::gateway::view::CallDirection::Inbound
        };
        self.calls().iter().rfind(|call| call.direction == direction).expect("a call").id
    }
}

impl Desk {
    pub fn carrier(last: u8) -> Self {
        Self::at(SocketAddr::from(([203, 0, 113, last], 5060)))
    }

    pub fn at(address: SocketAddr) -> Self {
        Self { address, tag: format!("t{}", address.ip()), invite: None, cseq: 0, more: String::new() }
    }

    pub fn as_phone(&self) -> Phone {
        Phone { address: self.address, ..Phone::new(0) }
    }

    /// G.711 A-law alone, so that it shows whose codec was taken.
    pub fn sdp(&self, direction: &str) -> String {
        format!(
            "v=0\no=- 7 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio 30000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na={direction}\n",
            ip = self.address.ip()
        )
    }

    fn response(&self, request: &Request, status: &str, more: &str, sdp: &str) -> String {
        let header = |name| request.headers.get(name).unwrap_or_default().to_owned();
        let to = header(Name::To);
        let to = if to.contains(";tag=") { to } else { format!("{to};tag={}", self.tag) };
        let body = sdp.replace('\n', "\r\n");
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let own =
            if more.contains("Contact:") { String::new() } else { format!("Contact: <sip:{}>\r\n", self.address) };
        let more = if more.is_empty() { own } else { format!("{own}{more}\r\n") };
        format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
            header(Name::Via),
            header(Name::From),
            header(Name::CallId),
            header(Name::CSeq),
            body.len(),
        )
    }

    fn request(&self, method: &str, body: &str) -> String {
        let invite = self.invite.as_ref().expect("rung");
        let header = |name| invite.headers.get(name).unwrap_or_default().to_owned();
        let target = invite.headers.contact().expect("our Contact").uri;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let body = body.replace('\n', "\r\n");
        let more = if self.more.is_empty() { String::new() } else { format!("{}\r\n", self.more) };
        format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {addr};branch=z9hG4bK{tag}{method}{cseq};rport\r\nMax-Forwards: 70\r\nFrom: {};tag={tag}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{addr}>\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
            header(Name::To),
            header(Name::From),
            header(Name::CallId),
            body.len(),
            addr = self.address,
            tag = self.tag,
            cseq = self.cseq,
        )
    }
}
