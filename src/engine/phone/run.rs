//! The loop of a phone: one arrival, line, report or alarm, then every output of the endpoint.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant as Alarm, sleep_until};

use super::PhoneError;
use super::audio::Fact;
use super::call::Call;
use super::keys::Keys;
use super::options::{CallOptions, Common, PhoneCommand, RegisterOptions, WaitOptions};
use super::reach::{address_towards, resolve};
use super::register::{Kept, Registering, read_password};
use super::tell::Teller;
use crate::base::{Cause, Instant, Rng, Secret};
use crate::engine::chance;
use crate::engine::clock::Clock;
use crate::engine::signals::Signals;
use crate::media::command::MediaEvent;
use crate::sip::endpoint::{Endpoint, Event, Headers, Input, Output, Settings};
use crate::sip::transport::{Advertised, Target, Transport};
use crate::transport::{Arrival, Transports, tls};
use crate::wire::sip::{Method, Status};

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
        PhoneCommand::Wait(WaitOptions { calls, register, expires, common }) => {
            let registrar = match &register {
                Some(uri) => Some(resolve(uri, common.transport).await?),
                None => None,
            };
            let mut phone = Phone::new(common, registrar.as_ref().map(|(_, target)| *target))?;
            phone.calls_left = calls.max(1);
            phone.answers = true;
            if let Some((uri, target)) = registrar {
                phone.register(uri, target, expires);
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

pub(super) struct Phone {
    pub(super) common: Common,
    pub(super) password: Option<Secret>,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) teller: Teller,
    pub(super) endpoint: Endpoint,
    pub(super) transports: Transports,
    pub(super) local: IpAddr,
    pub(super) call: Option<Call>,
    pub(super) calls_left: u32,
    pub(super) calls_made: u32,
    pub(super) answers: bool,
    pub(super) digits: String,
    pub(super) keys: Keys,
    pub(super) registering: Option<Registering>,
    /// What is to be registered anew, while calls are waited for.
    pub(super) kept: Option<Kept>,
    pub(super) well: bool,
    pub(super) leaving: Option<Instant>,
}

impl Phone {
    fn new(common: Common, towards: Option<Target>) -> Result<Self, PhoneError> {
        let clock = Clock::start();
        let mut rng = chance::rng().map_err(|error| PhoneError::Socket(error.to_string()))?;
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
        let settings = crate::transport::Settings {
            listen: listeners,
            tls: certificates,
            limits: crate::transport::Limits::default(),
        };
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
            kept: None,
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
            let registers = self.registering.as_ref().is_some_and(|registering| !registering.stood);
            let busy = self.call.is_some() || registers || self.calls_left > 0;
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
        let again = self.kept.as_ref().map(|kept| kept.at);
        [self.endpoint.poll_timeout(), self.keys.poll_timeout(), call, again, self.leaving].into_iter().flatten().min()
    }

    fn take_alarm(&mut self) {
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.endpoint.handle(Input::Timeout, now);
        }
        if self.call.as_ref().and_then(|call| call.until).is_some_and(|at| at <= now.mono) {
            self.hang_up();
        }
        if let Some(kept) = self.kept.take_if(|kept| kept.at <= now.mono) {
            self.register_again(kept);
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
            ("hold", "") => self.hold(true),
            ("resume", "") => self.hold(false),
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

    pub(super) fn hang_up(&mut self) {
        let now = self.clock.now();
        if let Some(call) = &mut self.call {
            call.ended_by_us = true;
            self.endpoint.hang_up(call.leg, Cause::HungUp, now);
        }
    }

    fn hang_up_all(&mut self) {
        self.calls_left = u32::from(self.call.is_some());
        (self.registering, self.kept) = (None, None);
        self.hang_up();
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
                let agreed = self
                    .call
                    .as_mut()
                    .filter(|call| call.leg == leg)
                    .map(|call| call.negotiation.take_answer(&sdp, self.local));
                if let Some(Ok(agreed)) = agreed {
                    self.agreed(agreed);
                }
            }
            Event::Acked { .. } | Event::Cancelled { .. } | Event::Pracked { .. } | Event::Refreshed { .. } => {}
            Event::EarlyOffered { .. } => {}
            Event::Offered { leg, sdp, .. } => self.offered(leg, sdp),
            Event::Modified { leg, result } => self.modified(leg, result),
            Event::Info { transaction, .. } => {
                self.endpoint.respond(transaction, Status::OK, &Headers::new(), None, now);
            }
            Event::Request { transaction, request, .. } => {
                let status = if request.method == Method::Options { Status::OK } else { Status::METHOD_NOT_ALLOWED };
                self.endpoint.respond(transaction, status, &Headers::new(), None, now);
            }
            // Who tests with this phone says whom it calls.
            Event::Referred { leg, refer, .. } => {
                self.endpoint.refuse_refer(leg, refer, Status::DECLINE, &Headers::new(), now);
            }
            Event::ReferProgress { .. } => {}
            Event::Refused { leg, status, response, .. } => self.refused(leg, status, &response)?,
            Event::Ended { leg, cause, .. } => self.ended(leg, cause),
            Event::Response { transaction, result, .. } => {
                self.registered(transaction, result.map_err(|why| format!("{why:?}")))
            }
        }
        Ok(())
    }
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
