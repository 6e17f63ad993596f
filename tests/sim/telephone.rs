//! Desk phones: they show credentials where they are asked for, register, subscribe, and answer what comes.

use std::net::SocketAddr;

use ringlift::base::id::ExtensionId;
use ringlift::base::{Rng, Secret};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Reply};
use ringlift::gateway::view::RegistrationView;
use ringlift::route::Extension;
use ringlift::sip::auth::{Algorithm, Challenge};
use ringlift::sip::endpoint;
use ringlift::sip::transport::{FlowId, Source, Transport};
use ringlift::wire::sip::{Message, Name, Request, Response};

use crate::world::World;

/// Makes extension 101, 102, ... with the password `secret-101`, ...
pub fn extension(world: &mut World, number: u64) -> ExtensionId {
    let id = ExtensionId::from_bits(number);
    let extension = Extension::new(id, number.to_string(), Secret::new(format!("secret-{number}")));
    world.ask(Command::PutExtension(Box::new(extension))).unwrap();
    id
}

/// What is registered.
pub fn registrations(world: &mut World) -> Vec<RegistrationView> {
    match world.ask(Command::Registrations { extension: None }) {
        Ok(Reply::Registrations(views)) => views,
        other => panic!("{other:?}"),
    }
}

/// A telephone on a desk.
#[derive(Debug, Clone)]
pub struct Telephone {
    pub source: Source,
    pub user: String,
    pub password: String,
    /// What it calls itself.
    pub contact: String,
    pub algorithm: Algorithm,
    pub user_agent: String,
    pub call_id: String,
    pub to_tag: Option<String>,
    pub seq: u32,
    /// The address of record it registers for.
    pub aor: String,
    /// The last credentials it showed.
    pub shown: String,
    pub rng: Rng,
}

impl Telephone {
    /// The phone of an extension, behind a NAT at 203.0.113.x.
    pub fn new(number: u64) -> Self {
        let last = u8::try_from(number % 250).unwrap();
        let remote = SocketAddr::from(([203, 0, 113, last], 41_000));
        let local = "198.51.100.1:5060".parse().unwrap();
        Self {
            source: Source { transport: Transport::Udp, local, remote, flow: None },
            user: number.to_string(),
            password: format!("secret-{number}"),
            contact: format!("<sip:{number}@10.0.0.{last}:5060>"),
            algorithm: Algorithm::Sha256,
            user_agent: "Yealink SIP-T46U 108.86.0.45".into(),
            call_id: format!("desk-{number}"),
            to_tag: None,
            seq: 0,
            aor: number.to_string(),
            shown: String::new(),
            rng: Rng::from_number(number),
        }
    }

    /// The same over TCP.
    pub fn by_tcp(mut self, flow: u64) -> Self {
        self.source.transport = Transport::Tcp;
        self.source.flow = Some(FlowId(flow));
        self
    }

    /// Registers, showing credentials when asked; the last answer.
    pub fn register(&mut self, world: &mut World, expires: u32) -> Response {
        let lines = format!("Contact: {}\nExpires: {expires}\n", self.contact);
        self.ask(world, "REGISTER", "sip:198.51.100.1", &lines, "")
    }

    /// Asks something, showing credentials when asked for them; the last answer.
    pub fn ask(&mut self, world: &mut World, method: &str, uri: &str, lines: &str, body: &str) -> Response {
        self.send(world, method, uri, lines, body);
        let answer = self.response(world).expect("an answer");
        if answer.status.code() != 401 {
            return answer;
        }
        if method == "INVITE" {
            self.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
            self.send(world, "ACK", uri, "", "");
            self.to_tag = None;
        }
        let challenges = answer.headers.fields_of(&Name::WwwAuthenticate).filter_map(Challenge::parse);
        let mut challenge = challenges.into_iter().find(|c| c.algorithm() == self.algorithm).expect("a challenge");
        self.shown = challenge.answer(&self.user, &Secret::new(&*self.password), method, uri, &mut self.rng);
        let lines = format!("{lines}Authorization: {}\n", self.shown);
        self.send(world, method, uri, &lines, body);
        self.response(world).expect("an answer to the credentials")
    }

    /// Sends one request.
    pub fn send(&mut self, world: &mut World, method: &str, uri: &str, lines: &str, body: &str) {
        if method != "ACK" {
            self.seq += 1;
        }
        let tag = self.to_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let to = if method == "REGISTER" { format!("sip:{}@198.51.100.1", self.aor) } else { uri.to_owned() };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
        let head = format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/{via} 10.0.0.9:5060;branch=z9hG4bK{id}{seq};rport\nMax-Forwards: 70\n\
             From: <sip:{user}@198.51.100.1>;tag=d{id}\nTo: <{to}>{tag}\nCall-ID: {id}\nCSeq: {seq} {method}\n\
             User-Agent: {agent}\n{lines}{kind}Content-Length: {length}\n\n",
            via = self.source.transport.via_name(),
            id = self.call_id,
            seq = self.seq,
            user = self.user,
            agent = self.user_agent,
            length = body.replace('\n', "\r\n").len(),
        );
        world.send_from(self.source, &format!("{head}{body}").replace('\n', "\r\n"));
    }

    /// The next answer but 100.
    pub fn response(&self, world: &mut World) -> Option<Response> {
        loop {
            match world.next_at(self.source.remote)? {
                Message::Response(response) if response.status.code() != 100 => return Some(response),
                Message::Response(_) | Message::Request(_) => {}
            }
        }
    }

    /// The next request that came.
    pub fn request(&self, world: &mut World) -> Option<Request> {
        loop {
            if let Message::Request(request) = world.next_at(self.source.remote)? {
                return Some(request);
            }
        }
    }

    /// Answers a request.
    pub fn answer(&self, world: &mut World, request: &Request, status: u16, lines: &str) {
        let mut text = format!("SIP/2.0 {status} X\n");
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
            let value = request.headers.get(name.clone()).unwrap();
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&format!("{lines}Content-Length: 0\n\n"));
        world.send_from(self.source, &text.replace('\n', "\r\n"));
    }

    /// Its connection breaks.
    pub fn disconnect(&self, world: &mut World) {
        let flow = self.source.flow.expect("a connection");
        world.give(Input::Signalling(endpoint::Input::FlowClosed { flow }));
    }
}
