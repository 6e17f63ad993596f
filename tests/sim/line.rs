//! One call as a telephone sees it, from either side of the INVITE.

use std::net::SocketAddr;

use bytes::Bytes;
use ringlift::gateway::Input;
use ringlift::sip::endpoint;
use ringlift::sip::transport::{Source, Transport};
use ringlift::wire::sip::{Message, Method, Name, Request, Response};

use crate::world::{Phone, World};

/// Where the gateway is reached.
pub const GATEWAY: &str = "198.51.100.1:5060";

/// One call of a telephone.
#[derive(Debug, Clone)]
pub struct Line {
    pub address: SocketAddr,
    pub call_id: String,
    /// From of its requests.
    pub local: String,
    /// To of its requests.
    pub remote: String,
    /// The Request-URI of its requests.
    pub target: String,
    pub cseq: u32,
    /// Requests that came and were not looked for yet.
    pub seen: Vec<Request>,
    pub answers: Vec<Response>,
}

impl Line {
    /// A telephone that has nothing yet.
    pub fn at(address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        Self {
            address,
            call_id: String::new(),
            local: String::new(),
            remote: String::new(),
            target: String::new(),
            cseq: 100,
            seen: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// The call that a phone of the world made.
    pub fn of(phone: &Phone) -> Self {
        let tag = phone.to_tag.clone().unwrap_or_default();
        Self {
            call_id: phone.call_id.clone(),
            local: format!("<sip:{}@{}>;tag=f{}", phone.number, phone.address.ip(), phone.call_id),
            remote: format!("<sip:x@198.51.100.1>;tag={tag}"),
            target: phone.target.clone(),
            ..Self::at(&phone.address.to_string())
        }
    }

    /// Takes what came for this telephone off the wire. Everything that can be answered at once is: BYE and NOTIFY
    /// with 200.
    pub fn look(&mut self, world: &mut World) {
        // A telephone may have several calls: what is of another one stays for it.
        let mut others = Vec::new();
        while let Some(message) = world.next_at(self.address) {
            let new = matches!(&message, Message::Request(it) if it.headers.to().is_some_and(|to| to.tag().is_none()));
            if !new && message.headers().call_id() != Some(&self.call_id) {
                others.push(message);
                continue;
            }
            match message {
                Message::Response(response) => self.answers.push(response),
                Message::Request(request) => {
                    if matches!(request.method, Method::Bye | Method::Notify | Method::Cancel) {
                        self.reply(world, &request, "200 OK", "", "");
                    }
                    // Repetitions are one request.
                    let same = |other: &Request| {
                        other.method == request.method && other.headers.cseq() == request.headers.cseq()
                    };
                    if !self.seen.iter().any(same) {
                        self.seen.push(request);
                    }
                }
            }
        }
        world.put_back(self.address, others);
    }

    /// The requests of this method that came and were not taken yet.
    pub fn take(&mut self, world: &mut World, method: Method) -> Vec<Request> {
        self.look(world);
        let (taken, left) = std::mem::take(&mut self.seen).into_iter().partition(|request| request.method == method);
        self.seen = left;
        taken
    }

    /// The INVITE that rings here; the call is this line's from now on.
    pub fn rung(&mut self, world: &mut World) -> Request {
        let mut invites = self.take(world, Method::Invite);
        assert_eq!(invites.len(), 1, "one INVITE at {}", self.address);
        let invite = invites.remove(0);
        self.call_id = invite.headers.call_id().unwrap().to_owned();
        self.local = format!("{};tag=t{}", invite.headers.get(Name::To).unwrap(), self.address.port());
        self.remote = invite.headers.get(Name::From).unwrap().to_owned();
        self.target = invite.headers.contact().unwrap().uri.to_string();
        invite
    }

    pub fn ring(&mut self, world: &mut World, invite: &Request) {
        self.reply(world, invite, "180 Ringing", "", "");
    }

    /// Answers with 200 and audio.
    pub fn answer(&mut self, world: &mut World, invite: &Request) {
        let sdp = self.sdp("sendrecv");
        self.reply(world, invite, "200 OK", "", &sdp);
    }

    /// Rings, is answered, and is acknowledged.
    pub fn pick_up(&mut self, world: &mut World) {
        let invite = self.rung(world);
        self.ring(world, &invite);
        self.take(world, Method::Ack);
        self.answer(world, &invite);
        assert_eq!(self.take(world, Method::Ack).len(), 1, "the 200 is acknowledged");
    }

    pub fn sdp(&self, direction: &str) -> String {
        Phone::at(self.address.ip(), 1).offer(direction).replace('\n', "\r\n")
    }

    /// Sends a response. Its To has this line's tag.
    pub fn reply(&mut self, world: &mut World, request: &Request, status: &str, more: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for via in request.headers.fields_of(&Name::Via) {
            text.push_str(&format!("Via: {via}\r\n"));
        }
        let to = request.headers.get(Name::To).unwrap();
        let to = match request.headers.to().and_then(|to| to.tag().map(str::to_owned)) {
            Some(_) => to.to_owned(),
            None => format!("{to};tag=t{}", self.address.port()),
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text.push_str(&format!(
            "From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:phone@{}>\r\n{more}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            request.headers.get(Name::From).unwrap(),
            request.headers.call_id().unwrap(),
            request.headers.get(Name::CSeq).unwrap(),
            self.address,
            body.len(),
        ));
        self.send(world, &text);
    }

    /// Acknowledges the answer to its latest INVITE.
    pub fn acknowledge(&mut self, world: &mut World) {
        let text = self.text("ACK", "", "");
        self.send(world, &text);
    }

    /// Sends a request in this call. `more` is header lines, each with its line end.
    pub fn request(&mut self, world: &mut World, method: &str, more: &str, body: &str) {
        self.cseq += 1;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = self.text(method, &format!("{more}{kind}"), body);
        self.send(world, &text);
    }

    fn text(&self, method: &str, more: &str, body: &str) -> String {
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {a};branch=z9hG4bK{}x{}x{method};rport\r\nMax-Forwards: 70\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:phone@{a}>\r\n{more}\
             Content-Length: {}\r\n\r\n{body}",
            self.target,
            self.cseq,
            self.call_id.len(),
            self.local,
            self.remote,
            self.call_id,
            self.cseq,
            body.len(),
            a = self.address,
        )
    }

    /// Sends a NOTIFY, whose body is of the kind that `more` says.
    pub fn notify(&mut self, world: &mut World, more: &str, body: &str) {
        self.cseq += 1;
        let text = self.text("NOTIFY", more, body);
        self.send(world, &text);
    }

    /// The status of the latest final answer to a method of this call.
    pub fn answered(&mut self, world: &mut World, method: Method) -> Option<u16> {
        self.look(world);
        let of = |response: &&Response| response.headers.cseq_is(&method) && response.status.is_final();
        self.answers.iter().rev().find(of).map(|response| response.status.code())
    }

    pub fn hang_up(&mut self, world: &mut World) {
        self.request(world, "BYE", "", "");
    }

    /// What NOTIFYs have said since they were last looked at: the status line and whether it was the last.
    pub fn told(&mut self, world: &mut World) -> Vec<String> {
        let line = |request: &Request| {
            let body = String::from_utf8_lossy(&request.body);
            let state = request.headers.get(Name::SubscriptionState).unwrap_or_default().to_owned();
            let last = if state.starts_with("terminated") { ", the last" } else { "" };
            format!("{}{last}", body.lines().next().unwrap_or_default().trim_start_matches("SIP/2.0 "))
        };
        self.take(world, Method::Notify).iter().map(line).collect()
    }

    fn send(&self, world: &mut World, text: &str) {
        let source =
            Source { transport: Transport::Udp, local: GATEWAY.parse().unwrap(), remote: self.address, flow: None };
        let message = Message::parse(&Bytes::from(text.to_owned()));
        world.give(Input::Signalling(endpoint::Input::Received { message, source }));
    }
}
