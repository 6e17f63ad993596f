//! A gateway, a clock, and phones.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::{CallbackId, DidId, TrunkId};
use ringlift::base::{Instant, LegId, Now, PhoneNumber, Rng, RoomId, Secret, Utc};
use ringlift::elevation::push::PushOrder;
use ringlift::gateway::command::{Command, CommandId, Outcome, Reply};
use ringlift::gateway::event::Happening;
use ringlift::gateway::fetch::{FetchId, FetchRequest};
use ringlift::gateway::settings::Settings;
use ringlift::gateway::view::{CallView, ParticipantView, RoomView, Status};
use ringlift::gateway::{Directory, Gateway, Input, Output, Record};
use ringlift::media::clip::Clip;
use ringlift::media::command::{MediaCommand, MediaEvent, PlayId};
use ringlift::media::web::WebCommand;
use ringlift::room::{FirstCaller, RoomSettings};
use ringlift::route::{Destination, Did, Trunk};
use ringlift::sip::endpoint;
use ringlift::sip::locate::{Lookup, Question};
use ringlift::sip::transport::{Advertised, HostPort, Source, Transport};
use ringlift::texting::{LookUpId, TextOrder};
use ringlift::wire::sip::{Message, Name, Request, Response};

use crate::pages::Pages;

pub const ROOM: RoomId = RoomId::from_bits(1);
pub const PIN: &str = "4711";
pub const HOST_PIN: &str = "998877";

/// Everything there is.
pub struct World {
    pub gateway: Gateway,
    pub now: Now,
    pub events: Vec<Happening>,
    pub records: Vec<Record>,
    /// What each leg is being played: the run and its clips.
    pub playing: BTreeMap<LegId, (PlayId, Vec<Clip>, bool)>,
    /// Everything each leg was ever made to hear, prompts by name.
    pub heard: BTreeMap<LegId, Vec<String>>,
    /// Which legs are in a bridge, and whether they are unheard there.
    pub bridged: BTreeMap<LegId, bool>,
    pub tones: Vec<Clip>,
    /// What was asked for by HTTP, the latest last.
    pub fetches: Vec<(FetchId, FetchRequest)>,
    /// Texts that were to be sent.
    pub texts: Vec<TextOrder>,
    /// Notifications that were to be sent.
    pub pushes: Vec<PushOrder>,
    /// Callbacks that the store noted as told to ring.
    pub planned: std::collections::BTreeSet<CallbackId>,
    /// Callbacks that the store was to forget.
    pub unplanned: Vec<CallbackId>,
    /// Numbers whose kind of line was asked.
    pub look_ups: Vec<(LookUpId, PhoneNumber)>,
    /// Browsers' pages, and what each was told.
    pub pages: Pages,
    /// Every order to the web plane.
    pub web_orders: Vec<WebCommand>,
    /// Every order to the media plane.
    pub orders: Vec<MediaCommand>,
    pub ports_bound: u32,
    pub ports_free: u32,
    pub drained: Option<u64>,
    /// What the DNS says; it has nothing of what is not in here. `None`: it does not answer.
    pub dns: Option<BTreeMap<Question, Lookup>>,
    /// Who is expected where before something is sent there by TLS.
    pub peers: Vec<(SocketAddr, String)>,
    /// Where line ends were sent to keep a way open.
    pub pings: Vec<SocketAddr>,
    inboxes: BTreeMap<SocketAddr, VecDeque<Message>>,
    answers: BTreeMap<CommandId, Outcome>,
    commands: u64,
}

/// A phone: an address and one call.
#[derive(Debug, Clone)]
pub struct Phone {
    pub address: SocketAddr,
    pub number: String,
    pub call_id: String,
    pub to_tag: Option<String>,
    pub target: String,
    pub cseq: u32,
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| {}, |_| {})
    }

    pub fn with(change_room: impl FnOnce(&mut RoomSettings), change: impl FnOnce(&mut Settings)) -> Self {
        Self::of(change_room, change, |_| {})
    }

    pub fn of(
        change_room: impl FnOnce(&mut RoomSettings),
        change: impl FnOnce(&mut Settings),
        change_directory: impl FnOnce(&mut Directory),
    ) -> Self {
        let mut room = RoomSettings::new(ROOM, "Room");
        room.pin = Some(Secret::new(PIN));
        room.host_pin = Some(Secret::new(HOST_PIN));
        room.first_caller = FirstCaller::Start;
        change_room(&mut room);
        let mut settings = Settings::default();
        change(&mut settings);
        let trunk =
            Trunk { networks: vec!["192.0.2.0/24".parse().unwrap()], ..Trunk::new(TrunkId::from_bits(1), "carrier") };
        let did = |bits, called: &str, action| Did {
            id: DidId::from_bits(bits),
            called: called.parse().unwrap(),
            trunk: None,
            action,
            languages: vec!["en".into()],
            elevation: ElevationRules::default(),
        };
        let mut directory = Directory {
            trunks: vec![trunk],
            dids: vec![
                did(1, "+4930901820", Destination::Attendant {}),
                did(2, "direct", Destination::Room { room: ROOM }),
            ],
            rooms: vec![room],
            next_seq: 1,
            ..Directory::default()
        };
        change_directory(&mut directory);
        let sip = endpoint::Settings {
            advertised: vec![Advertised {
                transport: Transport::Udp,
                ipv6: false,
                address: HostPort { host: "198.51.100.1".into(), port: 5060 },
            }],
            ..endpoint::Settings::default()
        };
        let now = Now { mono: Instant::START + Duration::from_secs(1000), utc: Utc(1_800_000_000_000) };
        let gateway = Gateway::new(settings, sip, Default::default(), directory, Rng::from_number(7), now);
        let mut world = Self {
            gateway,
            now,
            events: vec![],
            records: vec![],
            playing: BTreeMap::new(),
            heard: BTreeMap::new(),
            bridged: BTreeMap::new(),
            tones: vec![],
            fetches: vec![],
            texts: vec![],
            pushes: vec![],
            planned: std::collections::BTreeSet::new(),
            unplanned: vec![],
            look_ups: vec![],
            pages: Pages::default(),
            web_orders: vec![],
            orders: vec![],
            ports_bound: 0,
            ports_free: 0,
            drained: None,
            dns: Some(BTreeMap::new()),
            peers: vec![],
            pings: vec![],
            inboxes: BTreeMap::new(),
            answers: BTreeMap::new(),
            commands: 0,
        };
        world.drain();
        world
    }

    /// Gives the gateway a fact and carries out what follows.
    pub fn give(&mut self, input: Input) {
        self.gateway.handle(input, self.now);
        self.drain();
    }

    /// Lets time pass, waking the gateway whenever it asked for it.
    pub fn pass(&mut self, length: Duration) {
        let end = self.now.mono + length;
        while let Some(at) = self.gateway.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.plus(at.since(self.now.mono));
            self.give(Input::Timeout);
        }
        self.now = self.now.plus(end.since(self.now.mono));
    }

    /// What is being played to this leg ends.
    pub fn finish_playing(&mut self, leg: LegId) {
        let Some((play, _, repeat)) = self.playing.get(&leg).cloned() else { return };
        if !repeat {
            self.playing.remove(&leg);
            self.give(Input::Media(MediaEvent::Played { leg, play }));
        }
    }

    /// Keys, as telephone-events with half a second between.
    pub fn key(&mut self, leg: LegId, digits: &str) {
        for digit in digits.chars() {
            self.pass(Duration::from_millis(200));
            self.give(Input::Media(MediaEvent::DigitBegan { leg }));
            self.pass(Duration::from_millis(100));
            self.give(Input::Media(MediaEvent::Digit { leg, digit }));
        }
    }

    pub fn send(&mut self, phone: &Phone, text: &str) {
        let source = Source {
            transport: Transport::Udp,
            local: "198.51.100.1:5060".parse().unwrap(),
            remote: phone.address,
            flow: None,
        };
        self.send_from(source, text);
    }

    /// A message comes, from anywhere by anything.
    pub fn send_from(&mut self, source: Source, text: &str) {
        let message = Message::parse(&Bytes::from(text.to_owned()));
        self.give(Input::Signalling(endpoint::Input::Received { message, source }));
    }

    pub fn next(&mut self, phone: &Phone) -> Option<Message> {
        self.next_at(phone.address)
    }

    /// The next message that was sent to an address.
    pub fn next_at(&mut self, address: SocketAddr) -> Option<Message> {
        self.inboxes.get_mut(&address)?.pop_front()
    }

    /// Messages to an address that somebody else there will look for.
    pub fn put_back(&mut self, address: SocketAddr, messages: Vec<Message>) {
        self.inboxes.entry(address).or_default().extend(messages);
    }

    /// The next response but 100.
    pub fn response(&mut self, phone: &Phone) -> Option<Response> {
        while let Some(message) = self.next(phone) {
            match message {
                Message::Response(response) if response.status.code() != 100 => return Some(response),
                Message::Response(_) | Message::Request(_) => {}
            }
        }
        None
    }

    /// The next request to the phone.
    pub fn request(&mut self, phone: &Phone) -> Option<Request> {
        while let Some(message) = self.next(phone) {
            if let Message::Request(request) = message {
                return Some(request);
            }
        }
        None
    }

    /// Calls, is answered, acknowledges; returns the leg. The attendant has begun.
    pub fn call(&mut self, phone: &mut Phone, to: &str) -> LegId {
        let before: Vec<LegId> = self.calls().iter().map(|call| call.id).collect();
        self.invite(phone, to);
        let answer = self.response(phone).expect("an answer");
        assert_eq!(answer.status.code(), 200, "the call is answered");
        self.ack(phone, &answer);
        let leg = self.calls().iter().map(|call| call.id).find(|leg| !before.contains(leg)).expect("a leg");
        self.give(Input::Media(MediaEvent::Latched { leg, remote: phone.address }));
        leg
    }

    pub fn invite(&mut self, phone: &mut Phone, to: &str) {
        let text = phone.request_text("INVITE", &format!("sip:{to}@198.51.100.1"), &phone.offer("sendrecv"));
        self.send(phone, &text);
    }

    pub fn ack(&mut self, phone: &mut Phone, answer: &Response) {
        phone.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
        if let Some(contact) = answer.headers.contact() {
            phone.target = contact.uri.to_string();
        }
        let text = phone.request_text("ACK", &phone.target.clone(), "");
        self.send(phone, &text);
    }

    pub fn bye(&mut self, phone: &mut Phone) {
        phone.cseq += 1;
        let text = phone.request_text("BYE", &phone.target.clone(), "");
        self.send(phone, &text);
    }

    /// Calls and keys the PIN; is in the room.
    pub fn join(&mut self, phone: &mut Phone, pin: &str) -> LegId {
        let leg = self.call(phone, "+4930901820");
        self.key(leg, &format!("{pin}#"));
        leg
    }

    pub fn ask(&mut self, command: Command) -> Outcome {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.give(Input::Asked { id, command: Box::new(command) });
        self.answers.remove(&id).expect("an answer to the command")
    }

    pub fn calls(&mut self) -> Vec<CallView> {
        match self.ask(Command::Calls { numbers: true }) {
            Ok(Reply::Calls(calls)) => calls,
            other => panic!("{other:?}"),
        }
    }

    pub fn room(&mut self) -> RoomView {
        match self.ask(Command::Room { room: ROOM, numbers: false }) {
            Ok(Reply::Room(room)) => *room,
            other => panic!("{other:?}"),
        }
    }

    pub fn status(&mut self) -> Status {
        match self.ask(Command::Status) {
            Ok(Reply::Status(status)) => *status,
            other => panic!("{other:?}"),
        }
    }

    /// The place a leg carries, as shown.
    pub fn place(&mut self, leg: LegId) -> Option<ParticipantView> {
        self.room().participants.into_iter().find(|p| p.audio == Some(leg))
    }

    pub fn was_told(&self, leg: LegId, prompt: &str) -> bool {
        self.heard.get(&leg).is_some_and(|heard| heard.iter().any(|name| name == prompt))
    }

    /// Everybody hangs up and every timer runs out: nothing may be left.
    pub fn ends_clean(&mut self) {
        self.pass(Duration::from_secs(60));
        assert!(self.gateway.is_idle(), "something is left: {:?}", self.status());
        assert_eq!(self.ports_bound, self.ports_free, "ports are given back");
    }

    fn drain(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::BindPorts { leg, .. } => {
                    self.ports_bound += 1;
                    let rtp_port = u16::try_from(20_000 + 2 * self.ports_bound).unwrap();
                    self.gateway.handle(Input::PortsBound { leg, rtp_port }, self.now);
                }
                Output::Resolve { id, question } => {
                    if let Some(dns) = &self.dns {
                        let nothing = Lookup::Nothing { ttl: Duration::from_secs(10) };
                        let lookup = dns.get(&question).cloned().unwrap_or(nothing);
                        self.gateway.handle(Input::Resolved { id, lookup }, self.now);
                    }
                }
                Output::Fetch { id, request } => self.fetches.push((id, request)),
                Output::Text(order) => self.texts.push(*order),
                Output::Push(order) => self.pushes.push(*order),
                Output::LookUp { id, number } => self.look_ups.push((id, number)),
                Output::Claim { callback } => {
                    let granted = self.planned.insert(callback);
                    self.gateway.handle(Input::Claimed { callback, granted }, self.now);
                }
                Output::Unplan { callback } => self.unplanned.push(callback),
                Output::FreePorts { .. } => self.ports_free += 1,
                Output::Media(command) => self.media(command),
                Output::Web(order) => self.pages.perform(order),
                Output::WebMedia(command) => self.web_orders.push(command),
                Output::Record(record) => self.records.push(record),
                Output::Publish(event) => self.events.push(event.what),
                Output::Answer { id, outcome } => {
                    self.answers.insert(id, outcome);
                }
                Output::Drained { cut_off } => self.drained = Some(cut_off),
                Output::ExpectPeer { remote, name, .. } => self.peers.push((remote, name)),
                Output::Send { to, bytes, .. } if &bytes[..] == b"\r\n\r\n" => self.pings.push(to.remote),
                Output::Send { to, bytes, .. } => {
                    let message = Message::parse(&bytes).expect("what we send can be read");
                    self.inboxes.entry(to.remote).or_default().push_back(message);
                }
            }
        }
    }

    fn media(&mut self, command: MediaCommand) {
        self.orders.push(command.clone());
        match command {
            MediaCommand::Play { leg, play, clips, repeat } => {
                let names = clips.iter().map(|clip| match clip {
                    Clip::Prompt(_, name) => name.to_string(),
                    Clip::Music => "music".into(),
                    Clip::Tone(tone) => format!("{tone:?}"),
                    Clip::Pause(_) => "pause".into(),
                });
                self.heard.entry(leg).or_default().extend(names);
                self.playing.insert(leg, (play, clips.to_vec(), repeat));
            }
            MediaCommand::StopPlaying { leg } => {
                self.playing.remove(&leg);
            }
            MediaCommand::Join { leg, muted, .. } => {
                self.bridged.insert(leg, muted);
            }
            MediaCommand::Leave { leg } => {
                self.bridged.remove(&leg);
            }
            MediaCommand::Mute { leg, muted } => {
                self.bridged.entry(leg).and_modify(|now| *now = muted);
            }
            MediaCommand::PlayToRoom { clips, .. } => self.tones.extend(clips.iter().cloned()),
            // A browser's leg has no ports of its own: for the count they came with it.
            MediaCommand::OpenWeb { .. } => self.ports_bound += 1,
            MediaCommand::Close { leg } => {
                self.ports_free += 1;
                self.bridged.remove(&leg);
                self.playing.remove(&leg);
                self.gateway.handle(Input::Media(MediaEvent::Closed { leg, figures: Default::default() }), self.now);
            }
            MediaCommand::Open { .. }
            | MediaCommand::Modify { .. }
            | MediaCommand::SendDigit { .. }
            | MediaCommand::Treat { .. }
            | MediaCommand::Direct { .. }
            | MediaCommand::Sound { .. } => {}
        }
    }
}

impl Phone {
    pub fn new(last: u8) -> Self {
        Self::at(IpAddr::from([192, 0, 2, last]), last)
    }

    pub fn at(ip: IpAddr, last: u8) -> Self {
        Self {
            address: SocketAddr::new(ip, 5060),
            number: format!("+49170{:07}", last),
            call_id: format!("call-{last}"),
            to_tag: None,
            target: String::new(),
            cseq: 1,
        }
    }

    pub fn offer(&self, direction: &str) -> String {
        format!(
            "v=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\nm=audio 40000 RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\na=ptime:20\na={direction}\n",
            ip = self.address.ip()
        )
    }

    pub fn request_text(&self, method: &str, uri: &str, body: &str) -> String {
        self.request_with(method, uri, if body.is_empty() { "" } else { "application/sdp" }, body)
    }

    pub fn request_with(&self, method: &str, uri: &str, content_type: &str, body: &str) -> String {
        let tag = self.to_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let body = body.replace('\n', "\r\n");
        let kind = if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\n") };
        format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/UDP {addr};branch=z9hG4bK{id}{method}{cseq};rport\nMax-Forwards: 70\nFrom: <sip:{num}@{ip}>;tag=f{id}\nTo: <sip:x@198.51.100.1>{tag}\nCall-ID: {id}\nCSeq: {cseq} {method}\nContact: <sip:{num}@{addr}>\n{kind}Content-Length: {len}\n\n",
            addr = self.address,
            ip = self.address.ip(),
            id = self.call_id,
            cseq = self.cseq,
            num = self.number,
            len = body.len(),
        )
        .replace('\n', "\r\n")
        .replace("\r\r\n", "\r\n")
            + &body
    }
}

/// The Reason header of a message, for those who look whose fault it was.
pub fn reason(headers: &ringlift::wire::sip::Headers) -> Option<String> {
    headers.get(Name::Reason).map(str::to_owned)
}
