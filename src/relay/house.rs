//! The one loop of a relay: sockets here, tunnel there, and the clock.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, sleep_until};
use tracing::{debug, info, warn};

use super::RelayError;
use super::dial::{DialError, Dialled, Gateway};
use super::dialogs::{Dialogs, Farewell, unavailable};
use super::town::{Town, look_up, stamp};
use crate::engine::chance;
use crate::gateway::relays::PATIENCE;
use crate::transport::relay::control::{self, FromGateway, FromRelay, Hello, Manager};
use crate::transport::relay::frame::{self, Frame};
use crate::transport::relay::fresh::Freshness;
use crate::transport::relay::{ALIVE, DEAD, Malformed, Packet, VERSION, close};
use crate::wire::sip::{Message, Method, Text};

/// Before the second try; each further one waits twice as long. Shorter: a gateway that begins anew is stormed. Longer: calls
/// that could go on end.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Call managers' names are looked up this often.
const LOOK_UP: Duration = Duration::from_secs(60);
/// When a farewell is said again, after the one before: T1 and its doubles.
const AGAIN: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// How long an end may take to be heard.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The longest datagram.
const DATAGRAM: usize = 65_535;

/// Everything.
pub(super) struct House {
    gateway: Gateway,
    town: Town,
    dialogs: Dialogs,
    run: u64,
    session: Option<Session>,
    dialling: Option<JoinHandle<Result<Dialled, DialError>>>,
    tries: u32,
    /// The run of the gateway that took us in last.
    welcomed_by: Option<u64>,
    /// Since when there is no tunnel.
    lost: Instant,
    /// Dialogs were ended because it did not come back.
    gave_up: bool,
    farewells: Vec<(Farewell, usize, Instant)>,
    fresh: Freshness,
    began: Instant,
    /// Audio that came too late, or was to go where it may not.
    dropped: u64,
}

struct Session {
    tunnel: Dialled,
    heard: Instant,
    welcomed: bool,
}

async fn next(session: &mut Option<Session>) -> Option<Result<Packet, Malformed>> {
    match session {
        Some(session) => session.tunnel.packets.next().await,
        None => std::future::pending().await,
    }
}

async fn dialled(dialling: &mut Option<JoinHandle<Result<Dialled, DialError>>>) -> Result<Dialled, DialError> {
    match dialling {
        Some(task) => task.await.unwrap_or_else(|error| Err(DialError::Later(error.to_string()))),
        None => std::future::pending().await,
    }
}

impl House {
    /// With its sockets, and no tunnel yet.
    pub(super) fn new(gateway: Gateway, town: Town) -> Self {
        let now = Instant::now();
        Self {
            gateway,
            town,
            dialogs: Dialogs::default(),
            run: chance::rng().map(|mut rng| rng.next_u64()).unwrap_or_default(),
            session: None,
            dialling: None,
            tries: 0,
            welcomed_by: None,
            lost: now,
            gave_up: true,
            farewells: Vec::new(),
            fresh: Freshness::default(),
            began: now,
            dropped: 0,
        }
    }

    /// Until it is told to end, or is not wanted.
    pub(super) async fn run(mut self) -> Result<(), RelayError> {
        let no_signals = |error: std::io::Error| RelayError::Bind(format!("no signals can be had: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        info!(gateway = %self.gateway.shown(), sip = %self.town.sip_address(), calls = self.town.ports().len(), "a relay begins");
        self.dial();
        let mut buffer = vec![0; DATAGRAM];
        let (mut alive, mut anew) = (interval(ALIVE), interval(LOOK_UP));
        anew.reset();
        let mut looking: Option<JoinHandle<Vec<Manager>>> = None;
        loop {
            let at = self.alarm();
            tokio::select! {
                packet = next(&mut self.session) => self.take(packet)?,
                received = self.town.sip.recv_from(&mut buffer) => {
                    if let Ok((length, from)) = received {
                        self.heard(buffer.get(..length).unwrap_or_default(), from);
                    }
                }
                opened = dialled(&mut self.dialling) => {
                    self.dialling = None;
                    self.opened(opened)?;
                }
                _ = alive.tick() => self.say(&FromRelay::Alive),
                _ = anew.tick() => {
                    let bounds = self.town.bounds().clone();
                    looking = Some(tokio::spawn(async move { look_up(&bounds).await }));
                }
                found = async { match &mut looking { Some(task) => task.await, None => std::future::pending().await } } => {
                    looking = None;
                    if self.town.found(found.unwrap_or_default()) {
                        self.say(&FromRelay::Managers { managers: self.town.managers().to_vec() });
                    }
                }
                () = sleep_until(at) => self.alarmed(),
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        self.end(buffer).await;
        Ok(())
    }

    /// When something is due.
    fn alarm(&self) -> Instant {
        let far = Instant::now() + LONGEST_PAUSE;
        let tunnel = match &self.session {
            Some(session) => session.heard + DEAD,
            None if self.gave_up => far,
            None => self.lost + PATIENCE,
        };
        self.farewells.iter().map(|(_, _, at)| *at).fold(tunnel, Instant::min)
    }

    fn alarmed(&mut self) {
        let now = Instant::now();
        if self.session.as_ref().is_some_and(|session| session.heard + DEAD <= now) {
            self.cut(close::STUCK, "nothing was heard for six seconds");
        }
        if self.session.is_none() && !self.gave_up && self.lost + PATIENCE <= now {
            self.give_up();
        }
        self.repeat(now);
    }

    /// Nobody is there for the calls that are up.
    fn give_up(&mut self) {
        self.gave_up = true;
        self.town.release_all();
        let farewells = self.dialogs.end_all(self.town.sip_address());
        if !farewells.is_empty() {
            warn!(calls = farewells.len(), "the gateway did not come back: calls are hung up");
        }
        let now = Instant::now();
        for farewell in farewells {
            self.transmit(&farewell.bytes, farewell.to);
            if farewell.repeats {
                self.farewells.push((farewell, 0, now + AGAIN[0]));
            }
        }
    }

    fn repeat(&mut self, now: Instant) {
        let due: Vec<(Bytes, SocketAddr)> = (self.farewells.iter())
            .filter(|(_, _, at)| *at <= now)
            .map(|(farewell, _, _)| (farewell.bytes.clone(), farewell.to))
            .collect();
        for (bytes, to) in due {
            self.transmit(&bytes, to);
        }
        for (_, count, at) in self.farewells.iter_mut().filter(|(_, _, at)| *at <= now) {
            *count += 1;
            *at = now + AGAIN.get(*count).copied().unwrap_or_default();
        }
        self.farewells.retain(|(_, count, _)| *count < AGAIN.len());
    }

    fn transmit(&self, bytes: &[u8], to: SocketAddr) -> bool {
        self.town.may_speak_with(to) && self.town.sip.try_send_to(bytes, to).is_ok()
    }

    /// A datagram at the SIP socket.
    fn heard(&mut self, datagram: &[u8], from: SocketAddr) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if !self.town.may_be_heard(from.ip()) {
            debug!(%from, "SIP from where no call manager is");
            return;
        }
        if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
            return;
        }
        let bytes = Bytes::copy_from_slice(datagram);
        let message = Message::parse(&bytes);
        if let Ok(message) = &message {
            if let Message::Response(response) = message
                && response.status.is_final()
                && (response.headers.cseq_is(&Method::Bye) || response.headers.cseq_is(&Method::Cancel))
            {
                let call_id = response.headers.call_id().map(Text::from);
                let waited = self.farewells.len();
                self.farewells.retain(|(farewell, ..)| Some(&farewell.call_id) != call_id.as_ref());
                if self.farewells.len() < waited {
                    return;
                }
            }
            if self.session.as_ref().is_none_or(|session| !session.welcomed) {
                // Nobody is there to take it: who calls is told at once, and looks elsewhere.
                if let Message::Request(request) = message
                    && request.method == Method::Invite
                    && request.headers.to().is_some_and(|to| to.tag().is_none())
                {
                    let _ = self.town.sip.try_send_to(&unavailable(request), from);
                }
                return;
            }
            self.dialogs.comes(message, from);
        }
        self.send(Packet::Binary(frame::sip(0, from, &bytes)));
    }

    fn take(&mut self, packet: Option<Result<Packet, Malformed>>) -> Result<(), RelayError> {
        let taken = match packet {
            Some(Ok(Packet::Text(text))) => control::read(&text).and_then(|message| self.told(message)),
            Some(Ok(Packet::Binary(bytes))) => self.carry(&bytes),
            Some(Ok(Packet::Close(code, why))) => {
                if matches!(code, close::REPLACED | close::REVOKED | close::VERSION) {
                    self.give_up();
                    return Err(RelayError::Unwanted(format!("{} closed the tunnel: {why}", self.gateway.shown())));
                }
                self.lose(&format!("the gateway closed it: {why}"));
                Ok(())
            }
            Some(Err(malformed)) => Err(malformed),
            None => {
                self.lose("the connection ended");
                Ok(())
            }
        };
        if let Some(session) = &mut self.session {
            session.heard = Instant::now();
        }
        if let Err(malformed) = taken {
            self.cut(close::MALFORMED, malformed.0);
        }
        Ok(())
    }

    fn told(&mut self, message: FromGateway) -> Result<(), Malformed> {
        match message {
            FromGateway::Welcome { name, run } => {
                let away = self.lost.elapsed();
                self.tries = 0;
                if self.welcomed_by.replace(run).is_some_and(|before| before != run) {
                    // It began anew, and knows nothing of what was up.
                    self.give_up();
                }
                // What is in a call is told next.
                self.town.release_all();
                self.gave_up = false;
                let Some(session) = &mut self.session else { return Ok(()) };
                session.welcomed = true;
                let writer = session.tunnel.writer.clone();
                self.town.tunnel.send_replace(Some(writer));
                info!(name, gateway = %self.gateway.shown(), away_ms = away.as_millis(), calls = self.dialogs.len(), "connected");
                Ok(())
            }
            FromGateway::Bind { port } if self.town.bind(port, true) => Ok(()),
            FromGateway::Release { port } if self.town.bind(port, false) => Ok(()),
            FromGateway::Bind { .. } | FromGateway::Release { .. } => Err(Malformed("a port that was not offered")),
            FromGateway::Alive => Ok(()),
        }
    }

    /// What goes out into the network.
    fn carry(&mut self, bytes: &Bytes) -> Result<(), Malformed> {
        match Frame::parse(bytes)? {
            Frame::Sip { number, peer, bytes } => {
                if !self.transmit(&bytes, peer) {
                    debug!(%peer, "SIP that may not be sent there, or cannot");
                    self.say(&FromRelay::Unsent { number });
                } else if let Ok(message) = Message::parse(&bytes) {
                    self.dialogs.goes(&message, peer);
                }
            }
            Frame::Audio { stream, port, stamp: sent, peer, bytes } => {
                let ip = peer.ip();
                let wanted = self.town.may_hear(ip) && (self.dialogs.hear_at(ip) || self.town.is_manager(ip));
                if wanted && self.fresh.is_fresh(sent, stamp(self.began)) {
                    self.town.play(stream, port, peer, &bytes);
                } else {
                    self.dropped += 1;
                }
            }
        }
        Ok(())
    }

    fn say(&mut self, message: &FromRelay) {
        self.send(Packet::Text(control::write(message)));
    }

    fn send(&mut self, packet: Packet) {
        let Some(session) = &self.session else { return };
        if session.tunnel.writer.say(packet).is_err() {
            self.lose("the gateway does not read");
        }
    }

    fn cut(&mut self, code: u16, why: &'static str) {
        if let Some(session) = &self.session {
            let _ = session.tunnel.writer.say(Packet::Close(code, why.to_owned()));
        }
        self.lose(why);
    }

    fn lose(&mut self, why: &str) {
        let Some(session) = self.session.take() else { return };
        self.town.tunnel.send_replace(None);
        if session.welcomed {
            self.lost = Instant::now();
            let old_audio = self.dropped + session.tunnel.writer.dropped();
            warn!(why, old_audio, calls = self.dialogs.len(), "the tunnel is gone");
        } else {
            warn!(why, "the gateway did not take this relay in");
        }
        self.dial();
    }

    /// Tries again, after a pause that grows; many relays do not come at the same time.
    fn dial(&mut self) {
        // While calls wait, it is tried at least once a second.
        let waiting = !self.gave_up && self.lost.elapsed() < PATIENCE;
        let longest = if waiting { FIRST_PAUSE * 2 } else { LONGEST_PAUSE };
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.tries.min(10)).min(longest);
        let jitter = chance::rng().map(|mut rng| rng.below(1 + u64::try_from(doubled.as_millis() / 2).unwrap_or(0)));
        let pause =
            if self.tries == 0 { Duration::ZERO } else { doubled / 2 } + Duration::from_millis(jitter.unwrap_or(0));
        self.tries = self.tries.saturating_add(1);
        let gateway = self.gateway.clone();
        self.dialling = Some(tokio::spawn(async move {
            sleep(pause).await;
            gateway.dial().await
        }));
    }

    fn opened(&mut self, opened: Result<Dialled, DialError>) -> Result<(), RelayError> {
        match opened {
            Ok(mut tunnel) => {
                let writing = std::mem::replace(&mut tunnel.writing, Box::pin(async {}));
                tokio::spawn(writing);
                self.fresh = Freshness::default();
                self.session = Some(Session { tunnel, heard: Instant::now(), welcomed: false });
                self.say(&FromRelay::Hello(Hello {
                    version: VERSION,
                    software: concat!("Ringlift/", env!("CARGO_PKG_VERSION")).to_owned(),
                    run: self.run,
                    sip: self.town.sip_address(),
                    media: self.town.address,
                    ports: self.town.ports(),
                    managers: self.town.managers().to_vec(),
                }));
            }
            Err(DialError::Later(why)) => {
                warn!(why, tries = self.tries, "no tunnel");
                self.dial();
            }
            Err(DialError::Never(why)) => {
                self.give_up();
                return Err(RelayError::Unwanted(why));
            }
        }
        Ok(())
    }

    /// The last words: phones are told, the gateway too.
    async fn end(mut self, mut buffer: Vec<u8>) {
        info!(calls = self.dialogs.len(), "the relay ends");
        self.give_up();
        if let Some(session) = self.session.take() {
            let _ = session.tunnel.writer.say(Packet::Close(close::GOING, "the relay ends".to_owned()));
        }
        let over = Instant::now() + LAST_WORDS;
        while !self.farewells.is_empty() && Instant::now() < over {
            let at = self.alarm().min(over);
            tokio::select! {
                received = self.town.sip.recv_from(&mut buffer) => {
                    if let Ok((length, from)) = received {
                        self.heard(buffer.get(..length).unwrap_or_default(), from);
                    }
                }
                () = sleep_until(at) => self.repeat(Instant::now()),
            }
        }
    }
}
