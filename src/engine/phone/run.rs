//! The loop of a phone: one arrival, line, report or alarm, then every output of the endpoint.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant as Alarm, sleep_until};

use super::audio::{Audio, Fact};
use super::keys::Keys;
use super::options::{CallOptions, Common, DigitsBy, PhoneCommand, RegisterOptions, WaitOptions};
use super::tell::Teller;
use super::voice::{Recorder, Voice};
use super::PhoneError;
use crate::base::{Cause, Instant, LegId, Rng, Secret};
use crate::call::offer_answer::{Agreed, Negotiation, Preferences};
use crate::engine::chance;
use crate::engine::clock::Clock;
use crate::engine::signals::Signals;
use crate::media::command::{Direction, LegSetup, MediaEvent};
use crate::sip::auth::Challenge;
use crate::sip::endpoint::{
    Attempt, Endpoint, Event, Headers, Input, OutboundInvite, OutboundRequest, Output, Settings, TransactionId,
};
use crate::sip::transport::{Advertised, Source, Target, Transport};
use crate::transport::{Arrival, Transports, tls};
use crate::wire::sip::{Host, Method, Name, NameAddr, Request, Response, Status, Text, Uri};

/// How long the far end may take to answer our BYE before we go.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long it may ring.
const RING: Duration = Duration::from_secs(180);
/// Silence of the far end after which we hang up; longer than the gateway's own limit, so that it decides.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(120);
/// Where a phone waits unless told otherwise.
const WAITS_AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5070);

/// Does what is asked; whether it came out well: the call was answered, the registration accepted. Must be called
/// within a tokio runtime.
pub async fn run(command: PhoneCommand) -> Result<bool, PhoneError> {
    match command {
        PhoneCommand::Call(CallOptions { uri, digits, common }) => {
            let (uri, target) = resolve(&uri, common.transport).await?;
            let mut phone = Phone::new(common, Some(target))?;
            phone.digits = digits;
            phone.calls_left = 1;
            phone.call(uri, target)?;
            phone.run().await
        }
        PhoneCommand::Wait(WaitOptions { calls, register, common }) => {
            let registrar = match &register {
                Some(uri) => Some(resolve(uri, common.transport).await?),
                None => None,
            };
            let mut phone = Phone::new(common, registrar.as_ref().map(|(_, target)| *target))?;
            phone.calls_left = calls.max(1);
            phone.answers = true;
            if let Some((uri, target)) = registrar {
                phone.register(uri, target, 300);
            }
            phone.run().await
        }
        PhoneCommand::Register(RegisterOptions { uri, expires, common }) => {
            let (uri, target) = resolve(&uri, common.transport).await?;
            let mut phone = Phone::new(common, Some(target))?;
            phone.register(uri, target, expires);
            phone.run().await
        }
    }
}

struct Phone {
    common: Common,
    password: Option<Secret>,
    clock: Clock,
    rng: Rng,
    teller: Teller,
    endpoint: Endpoint,
    transports: Transports,
    local: IpAddr,
    call: Option<Call>,
    calls_left: u32,
    calls_made: u32,
    answers: bool,
    digits: String,
    keys: Keys,
    registering: Option<Registering>,
    well: bool,
    leaving: Option<Instant>,
}

struct Call {
    leg: LegId,
    negotiation: Negotiation,
    audio: Audio,
    /// Whom we called, to call again with credentials.
    outbound: Option<(Uri, Target)>,
    challenged: bool,
    open: bool,
    until: Option<Instant>,
    ended_by_us: bool,
}

struct Registering {
    transaction: TransactionId,
    uri: Uri,
    target: Target,
    expires: u32,
    challenged: bool,
}

impl Phone {
    fn new(common: Common, towards: Option<Target>) -> Result<Self, PhoneError> {
        let clock = Clock::start();
        let mut rng = chance::seeded().map_err(|error| PhoneError::Socket(error.to_string()))?;
        let listen = match (common.listen, towards) {
            (Some(listen), _) => listen,
            (None, Some(target)) => SocketAddr::new(address_towards(target.remote)?, 0),
            (None, None) => WAITS_AT,
        };
        let mut listeners = vec![(Transport::Udp, listen), (Transport::Tcp, listen)];
        let mut certificates = None;
        if towards.is_some_and(|target| target.transport == Transport::Tls) {
            listeners.push((Transport::Tls, SocketAddr::new(listen.ip(), 0)));
            certificates = Some(tls::Settings {
                files: None,
                names: vec![listen.ip().to_string()],
                authorities: common.authorities.clone(),
                unverified: common.insecure,
            });
        }
        let settings =
            crate::transport::Settings { listen: listeners, tls: certificates, limits: crate::transport::Limits::default() };
        let transports = Transports::start(settings).map_err(|error| PhoneError::Socket(error.to_string()))?;
        let local = match (listen.ip(), towards) {
            (ip, Some(target)) if ip.is_unspecified() => address_towards(target.remote)?,
            (ip, _) => ip,
        };
        let advertised = transports.listening().iter().map(|(transport, address)| Advertised {
            transport: *transport,
            ipv6: address.is_ipv6(),
            address: SocketAddr::new(local, address.port()).into(),
        });
        let settings = Settings {
            advertised: advertised.collect(),
            user_agent: concat!("ringlift-phone/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Settings::default()
        };
        let password = match &common.password_file {
            Some(path) => Some(read_password(path)?),
            None => None,
        };
        let phone = Self {
            password,
            teller: Teller::new(clock, common.json),
            endpoint: Endpoint::new(settings, rng.fork()),
            clock,
            rng,
            transports,
            local,
            common,
            call: None,
            calls_left: 0,
            calls_made: 0,
            answers: false,
            digits: String::new(),
            keys: Keys::default(),
            registering: None,
            well: false,
            leaving: None,
        };
        for (transport, address) in phone.transports.listening() {
            let at = SocketAddr::new(local, address.port()).to_string();
            let details = [("transport", Value::from(transport.uri_name())), ("address", Value::from(at.clone()))];
            phone.teller.tell("listening", &format!("listening for {transport} at {at}"), &details);
        }
        Ok(phone)
    }

    async fn run(mut self) -> Result<bool, PhoneError> {
        let mut signals = Signals::new().map_err(|error| PhoneError::Socket(error.to_string()))?;
        let mut lines = if self.common.commands { Some(read_lines()?) } else { None };
        loop {
            self.drain()?;
            let busy = self.call.is_some() || self.registering.is_some() || self.calls_left > 0;
            let owes = self.endpoint.counts().closing > 0 && self.leaving.is_none_or(|limit| self.clock.mono() < limit);
            if !busy && !owes {
                self.transports.finish().await;
                return Ok(self.well);
            }
            let alarm = Alarm::now() + self.next_alarm().map_or(Duration::from_secs(60), |at| self.clock.until(at));
            tokio::select! {
                arrival = self.transports.next() => self.take_arrival(arrival),
                Some(fact) = next_fact(&mut self.call) => self.take_fact(fact)?,
                Some(line) = next_line(&mut lines) => self.take_line(&line),
                _ = signals.next() => self.hang_up_all(),
                () = sleep_until(alarm) => self.take_alarm(),
            }
        }
    }

    fn next_alarm(&self) -> Option<Instant> {
        let call = self.call.as_ref().and_then(|call| call.until);
        [self.endpoint.poll_timeout(), self.keys.poll_timeout(), call, self.leaving].into_iter().flatten().min()
    }

    fn take_alarm(&mut self) {
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.endpoint.handle(Input::Timeout, now);
        }
        if self.call.as_ref().and_then(|call| call.until).is_some_and(|at| at <= now.mono) {
            self.hang_up();
        }
        while let Some(key) = self.keys.poll(now.mono) {
            self.press(key);
        }
    }

    fn take_arrival(&mut self, arrival: Arrival) {
        let now = self.clock.now();
        match arrival {
            Arrival::Message { message, source } => {
                self.endpoint.handle(Input::Received { message: *message, source }, now);
            }
            Arrival::FlowClosed { flow, unsent, .. } => {
                for reference in unsent {
                    self.endpoint.handle(Input::SendFailed { reference }, now);
                }
                self.endpoint.handle(Input::FlowClosed { flow }, now);
            }
        }
    }

    fn take_fact(&mut self, fact: Fact) -> Result<(), PhoneError> {
        match fact {
            Fact::Heard => self.teller.tell("heard", "something is heard", &[]),
            Fact::Failed(error) => {
                self.hang_up();
                return Err(error);
            }
            Fact::Media(MediaEvent::TimedOut { .. }) => {
                self.teller.tell("silent", "no audio arrives any more", &[]);
                self.hang_up();
            }
            Fact::Media(MediaEvent::Latched { remote, .. }) => {
                let details = [("address", Value::from(remote.to_string()))];
                self.teller.tell("media", &format!("audio comes from {remote}"), &details);
            }
            Fact::Media(MediaEvent::DigitBegan { .. }) => self.teller.tell("key", "the far end presses a key", &[]),
            Fact::Media(_) => {}
        }
        Ok(())
    }

    fn take_line(&mut self, line: &str) {
        let now = self.clock.now();
        match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
            ("key", digits) => {
                if let Err(wrong) = self.keys.push(digits, now.mono) {
                    self.teller.tell("misunderstood", &format!("{wrong:?} is on no key"), &[]);
                }
            }
            ("hold", "") => self.offer(Direction::SendOnly),
            ("resume", "") => self.offer(Direction::SendRecv),
            ("mute", "") => self.mute(true),
            ("unmute", "") => self.mute(false),
            ("hang", "up") => self.hang_up_all(),
            ("", "") => {}
            _ => {
                let sentence = "not understood: write key DIGITS, hold, resume, mute, unmute or hang up";
                self.teller.tell("misunderstood", sentence, &[]);
            }
        }
    }

    fn mute(&self, muted: bool) {
        if let Some(call) = &self.call {
            call.audio.mute(muted);
        }
    }

    fn press(&mut self, key: char) {
        let now = self.clock.now();
        let Some(call) = self.call.as_ref().filter(|call| call.open) else { return };
        match self.common.digits_by {
            DigitsBy::Rtp => call.audio.key(key),
            DigitsBy::Info => {
                let body = format!("Signal={key}\r\nDuration={}\r\n", super::keys::PRESS);
                self.endpoint.info(call.leg, "application/dtmf-relay", body.as_bytes(), now);
            }
            DigitsBy::InfoPlain => {
                self.endpoint.info(call.leg, "application/dtmf", key.to_string().as_bytes(), now);
            }
        }
        self.teller.tell("keyed", "keyed", &[]);
    }

    /// Offers another direction: a hold, or its end.
    fn offer(&mut self, direction: Direction) {
        let now = self.clock.now();
        if let Some(call) = self.call.as_mut().filter(|call| call.open) {
            let sdp = call.negotiation.offer(direction);
            self.endpoint.reinvite(call.leg, sdp, now);
        }
    }

    fn hang_up(&mut self) {
        let now = self.clock.now();
        if let Some(call) = &mut self.call {
            call.ended_by_us = true;
            self.endpoint.hang_up(call.leg, Cause::HungUp, now);
        }
    }

    fn hang_up_all(&mut self) {
        self.calls_left = u32::from(self.call.is_some());
        self.registering = None;
        self.hang_up();
    }

    /// A voice and a recording for the next call.
    fn start_audio(&mut self) -> Result<Audio, PhoneError> {
        let voice = match (&self.common.play, self.common.tone) {
            (Some(path), _) => Voice::file(path)?,
            (None, Some(frequency)) => Voice::Tone(frequency, 0),
            (None, None) => Voice::Silence,
        };
        self.calls_made += 1;
        let path = self.common.record.as_ref().map(|path| match self.calls_made {
            1 => path.clone(),
            n => path.with_file_name(format!("{}-{n}.wav", path.file_stem().unwrap_or_default().to_string_lossy())),
        });
        let recorder = match path {
            Some(path) => Some(Recorder::begin(path)?),
            None => None,
        };
        Audio::start(self.local, voice, recorder, self.clock, &mut self.rng)
    }

    fn negotiation(&mut self, audio: &Audio) -> Negotiation {
        let preferences = Preferences { codecs: self.common.codec.clone(), ours_first: true, ptime: self.common.ptime };
        let mut negotiation = Negotiation::new(preferences, self.rng.next_u64());
        negotiation.set_local(self.local, audio.port);
        negotiation
    }

    fn call(&mut self, uri: Uri, target: Target) -> Result<(), PhoneError> {
        let audio = self.start_audio()?;
        let negotiation = self.negotiation(&audio);
        self.teller.tell("calling", &format!("calling {} by {}", target.remote, target.transport), &[]);
        let mut call = Call {
            leg: LegId::from_bits(0),
            negotiation,
            audio,
            outbound: Some((uri, target)),
            challenged: false,
            open: false,
            until: None,
            ended_by_us: false,
        };
        self.invite(&mut call, Headers::new(), None)?;
        self.call = Some(call);
        Ok(())
    }

    fn invite(&mut self, call: &mut Call, headers: Headers, again: Option<Attempt>) -> Result<(), PhoneError> {
        let Some((uri, target)) = call.outbound.clone() else { return Ok(()) };
        let from = self.own_address(None)?;
        let sdp = call.negotiation.offer(Direction::SendRecv);
        let to = NameAddr::new(uri.without_param("transport"));
        let invite =
            OutboundInvite { uri, from, to, target, routes: Vec::new(), headers, sdp, ring: RING, max_forwards: 70, again };
        call.leg = self.endpoint.invite(invite, self.clock.now());
        Ok(())
    }

    /// Who we say we are.
    fn own_address(&self, registered: Option<&Uri>) -> Result<NameAddr, PhoneError> {
        match (&self.common.from, registered) {
            (Some(from), _) => {
                Uri::parse(from).map(NameAddr::new).map_err(|_| PhoneError::Usage(format!("--from {from} is no SIP URI")))
            }
            (None, Some(uri)) => Ok(NameAddr::new(uri.clone())),
            (None, None) => {
                let user = self.common.user.as_deref().unwrap_or("phone");
                Ok(NameAddr::new(Uri::sip(Some(user), Host::from(self.local), None)))
            }
        }
    }

    fn register(&mut self, uri: Uri, target: Target, expires: u32) {
        self.teller.tell("registering", &format!("registering at {}", target.remote), &[]);
        let transaction = self.send_register(&uri, target, expires, Headers::new(), None);
        self.registering = Some(Registering { transaction, uri, target, expires, challenged: false });
    }

    fn send_register(
        &mut self,
        uri: &Uri,
        target: Target,
        expires: u32,
        mut headers: Headers,
        again: Option<Attempt>,
    ) -> TransactionId {
        headers.push((Name::Expires, Text::from(expires.to_string())));
        let address = NameAddr::new(uri.without_param("transport"));
        let request = OutboundRequest {
            method: Method::Register,
            uri: uri.with_user(None),
            from: address.clone(),
            to: address,
            target,
            routes: Vec::new(),
            headers,
            body: None,
            again,
        };
        self.endpoint.request(request, self.clock.now())
    }

    /// Credentials for what a response asks, if we have any.
    fn credentials(&mut self, response: &Response, method: &str, uri: &Uri) -> Option<Headers> {
        let (asked, answer) = match response.status {
            Status::UNAUTHORIZED => (Name::WwwAuthenticate, Name::Authorization),
            Status::PROXY_AUTHENTICATION_REQUIRED => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
            _ => return None,
        };
        let (user, password) = (self.common.user.as_deref()?, self.password.as_ref()?);
        let mut challenge = Challenge::strongest(response.headers.fields_of(&asked))?;
        let value = challenge.answer(user, password, method, uri.as_str(), &mut self.rng);
        Some(vec![(answer, Text::from(value))])
    }

    /// Carries out and takes in all that the endpoint has to say.
    fn drain(&mut self) -> Result<(), PhoneError> {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Send { to, bytes, reference } => {
                    if let Err(error) = self.transports.send(&to, bytes, reference) {
                        let sentence = format!("a message could not be sent to {}: {error:?}", to.remote);
                        self.teller.tell("unsent", &sentence, &[]);
                        self.endpoint.handle(Input::SendFailed { reference }, self.clock.now());
                    }
                }
                Output::Event(event) => self.take_event(event)?,
            }
        }
        Ok(())
    }

    fn take_event(&mut self, event: Event) -> Result<(), PhoneError> {
        let now = self.clock.now();
        match event {
            Event::Invited { leg, request, source } => self.invited(leg, &request, source)?,
            Event::Progress { status, .. } => {
                let details = [("status", Value::from(status.code()))];
                self.teller.tell("ringing", &format!("{status}"), &details);
            }
            Event::Answered { leg, sdp, source, .. } => self.answered(leg, sdp, source),
            Event::Acked { leg, sdp: Some(sdp) } => {
                let agreed = self.call.as_mut().filter(|call| call.leg == leg).map(|call| call.negotiation.take_answer(&sdp, self.local));
                if let Some(Ok(agreed)) = agreed {
                    self.agreed(agreed);
                }
            }
            Event::Acked { .. } | Event::Cancelled { .. } => {}
            Event::Offered { leg, sdp, .. } => self.offered(leg, sdp),
            Event::Modified { leg, result } => self.modified(leg, result),
            Event::Info { transaction, .. } => {
                self.endpoint.respond(transaction, Status::OK, &Headers::new(), None, now);
            }
            Event::Request { transaction, request, .. } => {
                let status = if request.method == Method::Options { Status::OK } else { Status::METHOD_NOT_ALLOWED };
                self.endpoint.respond(transaction, status, &Headers::new(), None, now);
            }
            Event::Refused { leg, status, response, .. } => self.refused(leg, status, &response)?,
            Event::Ended { leg, cause, .. } => self.ended(leg, cause),
            Event::Response { transaction, result } => self.registered(transaction, result.map_err(|why| format!("{why:?}"))),
        }
        Ok(())
    }

    fn invited(&mut self, leg: LegId, request: &Request, source: Source) -> Result<(), PhoneError> {
        let now = self.clock.now();
        if !self.answers || self.call.is_some() {
            self.endpoint.refuse(leg, Status::BUSY_HERE, Cause::Busy, &Headers::new(), now);
            return Ok(());
        }
        self.teller.tell("called", &format!("called from {}", source.remote), &[]);
        let audio = self.start_audio()?;
        let mut negotiation = self.negotiation(&audio);
        let answer = match request.body.is_empty() {
            true => Ok((negotiation.offer(Direction::SendRecv), None)),
            false => negotiation.answer(&request.body, source.remote.ip()).map(|(sdp, agreed)| (sdp, Some(agreed))),
        };
        match answer {
            Err(why) => {
                self.teller.tell("unacceptable", why.text(), &[]);
                self.endpoint.refuse(leg, Status::NOT_ACCEPTABLE_HERE, Cause::NoCommonCodec, &why.headers(""), now);
                drop(audio.close());
            }
            Ok((sdp, agreed)) => {
                self.endpoint.answer(leg, sdp, &Headers::new(), now);
                self.call = Some(Call {
                    leg,
                    negotiation,
                    audio,
                    outbound: None,
                    challenged: false,
                    open: false,
                    until: None,
                    ended_by_us: false,
                });
                if let Some(agreed) = agreed {
                    self.agreed(agreed);
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, leg: LegId, sdp: Option<Bytes>, source: Source) {
        let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) else { return };
        match call.negotiation.take_answer(&sdp.unwrap_or_default(), source.remote.ip()) {
            Ok(agreed) => self.agreed(agreed),
            Err(why) => {
                self.teller.tell("unacceptable", why.text(), &[]);
                self.hang_up();
            }
        }
    }

    /// Media may flow, or flow otherwise.
    fn agreed(&mut self, agreed: Agreed) {
        let now = self.clock.now();
        let Some(call) = &mut self.call else { return };
        let Agreed { format, remote } = agreed;
        if call.open {
            return call.audio.modify(format, remote);
        }
        call.open = true;
        call.until = self.common.limit.map(|limit| now.mono + limit);
        let sentence = format!("connected: {}, {} ms packets", format.codec.name(), format.ptime);
        let details = [("codec", Value::from(format.codec.name())), ("ptime", Value::from(format.ptime))];
        call.audio.open(LegSetup {
            format,
            remote,
            ssrc: self.rng.next_u32(),
            sequence: self.rng.next_u32() as u16,
            timestamp: self.rng.next_u32(),
            cname: self.rng.token(12),
            media_timeout: MEDIA_TIMEOUT,
        });
        self.well = true;
        self.teller.tell("answered", &sentence, &details);
        let digits = std::mem::take(&mut self.digits);
        if let Err(wrong) = self.keys.push(&digits, now.mono) {
            self.teller.tell("misunderstood", &format!("{wrong:?} is on no key"), &[]);
        }
    }

    fn offered(&mut self, leg: LegId, sdp: Option<Bytes>) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) else { return };
        match sdp {
            None => {
                let offer = call.negotiation.offer(Direction::SendRecv);
                self.endpoint.accept_offer(leg, offer, now);
            }
            Some(sdp) => match call.negotiation.answer(&sdp, self.local) {
                Ok((answer, agreed)) => {
                    self.endpoint.accept_offer(leg, answer, now);
                    let flow = format!("{:?}", agreed.format.direction).to_lowercase();
                    self.teller.tell("changed", &format!("media now {flow}"), &[("direction", Value::from(flow.clone()))]);
                    self.agreed(agreed);
                }
                Err(why) => self.endpoint.refuse_offer(leg, Status::NOT_ACCEPTABLE_HERE, &why.headers(""), now),
            },
        }
    }

    fn modified(&mut self, leg: LegId, result: Result<Option<Bytes>, Status>) {
        let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) else { return };
        let agreed = match result {
            Ok(sdp) => call.negotiation.take_answer(&sdp.unwrap_or_default(), self.local).map_err(|why| why.text().to_owned()),
            Err(status) => Err(status.to_string()),
        };
        match agreed {
            Ok(agreed) => {
                let flow = format!("{:?}", agreed.format.direction).to_lowercase();
                self.teller.tell("changed", &format!("media now {flow}"), &[("direction", Value::from(flow.clone()))]);
                self.agreed(agreed);
            }
            Err(why) => self.teller.tell("unchanged", &format!("the far end would not change: {why}"), &[]),
        }
    }

    /// Refused for want of credentials: once more with them. For any other reason the end follows at once.
    fn refused(&mut self, leg: LegId, status: Status, response: &Response) -> Result<(), PhoneError> {
        let details = [("status", Value::from(status.code()))];
        let Some(mut call) = self.call.take_if(|call| call.leg == leg) else { return Ok(()) };
        if !call.challenged
            && let Some((uri, _)) = call.outbound.clone()
            && let Some(headers) = self.credentials(response, "INVITE", &uri)
        {
            call.challenged = true;
            self.teller.tell("challenged", "asked for credentials", &details);
            self.invite(&mut call, headers, attempt_of(response))?;
        } else {
            self.well = false;
            self.teller.tell("refused", &format!("refused: {status}"), &details);
        }
        self.call = Some(call);
        Ok(())
    }

    fn ended(&mut self, leg: LegId, cause: Cause) {
        let Some(call) = self.call.take_if(|call| call.leg == leg) else { return };
        let by = if call.ended_by_us { "us" } else { "them" };
        let open = call.open;
        let figures = call.audio.close();
        self.keys = Keys::default();
        self.calls_left = self.calls_left.saturating_sub(1);
        if self.calls_left == 0 {
            self.leaving = Some(self.clock.mono() + FAREWELL);
        }
        self.well &= open;
        let sentence = format!(
            "ended by {by}: {cause}; {} packets heard, {} said, {} lost, {} filled in",
            figures.received, figures.sent, figures.lost, figures.concealed
        );
        let mut details = vec![("by", Value::from(by)), ("cause", serde_json::to_value(cause).unwrap_or_default())];
        details.push(("figures", serde_json::to_value(figures).unwrap_or_default()));
        self.teller.tell("ended", &sentence, &details);
    }

    fn registered(&mut self, transaction: TransactionId, result: Result<Box<Response>, String>) {
        let Some(mut registering) = self.registering.take_if(|registering| registering.transaction == transaction) else {
            return;
        };
        let status = match &result {
            Ok(response) => response.status.to_string(),
            Err(why) => why.clone(),
        };
        let response = match result {
            Ok(response) if response.status.is_success() => {
                self.well = true;
                return self.teller.tell("registered", &format!("registered: {status}"), &[]);
            }
            Ok(response) if !registering.challenged => Some(response),
            _ => None,
        };
        let own = registering.uri.with_user(None);
        if let Some(response) = response
            && let Some(headers) = self.credentials(&response, "REGISTER", &own)
        {
            self.teller.tell("challenged", "asked for credentials", &[]);
            registering.challenged = true;
            registering.transaction = self.send_register(
                &registering.uri.clone(),
                registering.target,
                registering.expires,
                headers,
                attempt_of(&response),
            );
            self.registering = Some(registering);
            return;
        }
        self.well = false;
        self.calls_left = 0;
        self.teller.tell("refused", &format!("not registered: {status}"), &[("status", Value::from(status.clone()))]);
    }
}

/// What a refused request used, for its repetition.
fn attempt_of(response: &Response) -> Option<Attempt> {
    Some(Attempt {
        call_id: Text::from(response.headers.call_id()?),
        local_tag: Text::from(response.headers.from()?.tag()?),
        seq: response.headers.cseq()?.number,
    })
}

async fn next_fact(call: &mut Option<Call>) -> Option<Fact> {
    match call {
        Some(call) => call.audio.facts.recv().await,
        None => std::future::pending().await,
    }
}

async fn next_line(lines: &mut Option<UnboundedReceiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

/// Reads standard input on a thread of its own, which ends with the program.
fn read_lines() -> Result<UnboundedReceiver<String>, PhoneError> {
    let (sender, lines) = unbounded_channel();
    std::thread::Builder::new()
        .name("phone-commands".into())
        .spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        })
        .map_err(|error| PhoneError::Socket(error.to_string()))?;
    Ok(lines)
}

/// Reads a URI and finds out where it leads.
async fn resolve(text: &str, transport: Option<Transport>) -> Result<(Uri, Target), PhoneError> {
    let text = if text.contains(':') && text.starts_with("sip") { text.to_owned() } else { format!("sip:{text}") };
    let uri = Uri::parse(&text).map_err(|_| PhoneError::Usage(format!("{text} is no SIP URI: write sip:1000@host")))?;
    let named = uri.param("transport").and_then(Transport::from_name);
    let secure = if uri.is_sips() { Some(Transport::Tls) } else { None };
    let transport = transport.or(secure).or(named).unwrap_or(Transport::Udp);
    let host = uri.host().ok_or_else(|| PhoneError::Usage(format!("{text} names no host")))?;
    let port = uri.port().unwrap_or(transport.default_port());
    let remote = match host.ip() {
        Some(ip) => SocketAddr::new(ip, port),
        None => {
            let name = host.to_string();
            let mut found = tokio::net::lookup_host((name.as_str(), port))
                .await
                .map_err(|error| PhoneError::Unreachable(format!("{name}: {error}")))?;
            found.next().ok_or_else(|| PhoneError::Unreachable(format!("{name} has no address")))?
        }
    };
    Ok((uri, Target::new(transport, remote)))
}

/// Our address on the way to the far end: the kernel's choice, without a packet sent.
fn address_towards(remote: SocketAddr) -> Result<IpAddr, PhoneError> {
    let any: SocketAddr = if remote.is_ipv6() { ([0u16; 8], 0).into() } else { ([0u8; 4], 0).into() };
    let found = UdpSocket::bind(any).and_then(|socket| socket.connect(remote).and_then(|()| socket.local_addr()));
    found.map(|address| address.ip()).map_err(|error| PhoneError::Unreachable(format!("{remote}: {error}")))
}

#[allow(clippy::disallowed_methods, reason = "the phone's one file of its own; config.rs knows nothing of it")]
fn read_password(path: &std::path::Path) -> Result<Secret, PhoneError> {
    let text = std::fs::read_to_string(path).map_err(|error| PhoneError::File(path.to_owned(), error.to_string()))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().trim()))
}
