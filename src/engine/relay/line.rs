//! The task of one relay: its tunnel, and its legs' other ends, which outlive it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram as Plain;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::net::UnixDatagram;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep_until};
use tracing::{debug, info, warn};

use super::{Fact, Order, Report, Tunnel};
use crate::base::id::RelayId;
use crate::gateway::relays::Reach;
use crate::sip::endpoint::SendRef;
use crate::sip::transport::{FlowId, Source, Transport};
use crate::transport::relay::control::{self, FromGateway, FromRelay, Hello, Manager};
use crate::transport::relay::frame::{self, Audio, Frame};
use crate::transport::relay::fresh::Freshness;
use crate::transport::relay::writer::Writer;
use crate::transport::relay::{ALIVE, DEAD, LONGEST_FRAME, Malformed, Packet, close};
use crate::wire::sip::{Message, Method};

/// Messages of which it is remembered what they were, should they not go out. More: memory. Fewer: a failure is noticed
/// by its silence.
const REMEMBERED: usize = 256;
/// The longest packet between a leg's socket and here.
const PACKET: usize = 2048;

/// Runs until the node ends.
pub(super) async fn run(relay: RelayId, run: u64, mut orders: mpsc::Receiver<Order>, report: mpsc::Sender<Report>) {
    let (writer, _) = watch::channel(None);
    let mut line = Line {
        relay,
        run,
        report,
        session: None,
        writer,
        legs: BTreeMap::new(),
        ended: mpsc::channel(super::ORDERS),
        sent: VecDeque::new(),
        number: 0,
        fresh: Freshness::default(),
        began: Instant::now(),
        dropped: 0,
    };
    let mut alive = interval(ALIVE);
    loop {
        let dead = line.session.as_ref().map_or_else(|| Instant::now() + DEAD, |session| session.heard + DEAD);
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => line.obey(order).await,
                None => return,
            },
            Some(port) = line.ended.1.recv() => line.release(port).await,
            packet = next(&mut line.session) => {
                if let Err(why) = line.take(packet).await {
                    line.cut(close::MALFORMED, why.0).await;
                }
            }
            _ = alive.tick() => line.say(&FromGateway::Alive).await,
            () = sleep_until(dead), if line.session.is_some() => line.cut(close::STUCK, "nothing was heard for six seconds").await,
        }
    }
}

struct Line {
    relay: RelayId,
    run: u64,
    report: mpsc::Sender<Report>,
    session: Option<Session>,
    /// The way out, as the legs' tasks see it.
    writer: watch::Sender<Option<Writer>>,
    legs: BTreeMap<u16, Leg>,
    /// Ports of legs whose sockets are closed.
    ended: (mpsc::Sender<u16>, mpsc::Receiver<u16>),
    sent: VecDeque<(u32, SendRef)>,
    number: u32,
    fresh: Freshness,
    began: Instant,
    /// Audio that came too late.
    dropped: u64,
}

/// The other ends of a leg's sockets.
struct Leg {
    rtp: Arc<UnixDatagram>,
    rtcp: Arc<UnixDatagram>,
}

/// One tunnel.
struct Session {
    tunnel: Tunnel,
    writing: JoinHandle<()>,
    heard: Instant,
    /// What it said of itself; none before its hello.
    hello: Option<Hello>,
}

async fn next(session: &mut Option<Session>) -> Option<Result<Packet, Malformed>> {
    match session {
        Some(session) => session.tunnel.packets.next().await,
        None => std::future::pending().await,
    }
}

impl Line {
    async fn obey(&mut self, order: Order) {
        match order {
            Order::Tunnel(tunnel) => {
                if self.session.is_some() {
                    self.cut(close::REPLACED, "another relay came with this secret, or this one came again").await;
                }
                let mut tunnel = *tunnel;
                let writing = std::mem::replace(&mut tunnel.writing, Box::pin(async {}));
                let writing = tokio::spawn(writing);
                self.session = Some(Session { tunnel, writing, heard: Instant::now(), hello: None });
            }
            Order::Revoke => self.cut(close::REVOKED, "this relay was taken away, or was given another secret").await,
            // Lost, as a datagram may be: its sender repeats it.
            Order::Sip { .. } if self.session.as_ref().is_none_or(|session| session.hello.is_none()) => {}
            Order::Sip { to, bytes, reference } => {
                self.number = self.number.wrapping_add(1);
                if self.sent.len() >= REMEMBERED {
                    self.sent.pop_front();
                }
                self.sent.push_back((self.number, reference));
                self.send(Packet::Binary(frame::sip(self.number, to, &bytes))).await;
            }
            Order::Bind { port, ends } => match self.leg(port, ends) {
                Ok(leg) => {
                    self.legs.insert(port, leg);
                    self.say(&FromGateway::Bind { port }).await;
                }
                Err(error) => warn!(relay = %self.relay, %error, "a call's audio cannot reach its relay"),
            },
        }
    }

    /// Takes over a leg's other ends: a task sends on what the leg says.
    fn leg(&self, port: u16, [rtp, rtcp]: [OwnedFd; 2]) -> std::io::Result<Leg> {
        let open = |end: OwnedFd| UnixDatagram::from_std(Plain::from(end)).map(Arc::new);
        let leg = Leg { rtp: open(rtp)?, rtcp: open(rtcp)? };
        let (writer, ended, began) = (self.writer.subscribe(), self.ended.0.clone(), self.began);
        let (rtp, rtcp) = (leg.rtp.clone(), leg.rtcp.clone());
        tokio::spawn(async move {
            let (mut voice, mut figures) = (vec![0; PACKET], vec![0; PACKET]);
            loop {
                let (stream, packet) = tokio::select! {
                    length = rtp.recv(&mut voice) => (Audio::Rtp, length.ok().and_then(|length| voice.get(..length))),
                    length = rtcp.recv(&mut figures) => (Audio::Rtcp, length.ok().and_then(|length| figures.get(..length))),
                };
                // An end without a packet: the leg's sockets are closed.
                let Some(packet) = packet.filter(|packet| packet.len() > frame::ADDRESS) else { break };
                if let Some(writer) = &*writer.borrow() {
                    writer.play(frame::audio(stream, port, stamp(began), packet));
                }
            }
            // The line ends with the node.
            let _ = ended.send(port).await;
        });
        Ok(leg)
    }

    async fn release(&mut self, port: u16) {
        self.legs.remove(&port);
        self.say(&FromGateway::Release { port }).await;
        let _ = self.report.send(Report::Released { relay: self.relay, port }).await;
    }

    async fn take(&mut self, packet: Option<Result<Packet, Malformed>>) -> Result<(), Malformed> {
        let packet = match packet {
            Some(packet) => packet?,
            None => {
                self.lose("the connection ended", false).await;
                return Ok(());
            }
        };
        let Some(session) = &mut self.session else { return Ok(()) };
        session.heard = Instant::now();
        match packet {
            Packet::Text(text) => self.control(control::read(&text)?).await,
            Packet::Binary(bytes) if session.hello.is_none() || bytes.len() > LONGEST_FRAME => {
                Err(Malformed("a frame before the hello, or one that is too long"))
            }
            Packet::Binary(bytes) => {
                match Frame::parse(&bytes)? {
                    Frame::Sip { peer, bytes, .. } => self.sip(peer, &bytes),
                    Frame::Audio { stream, port, stamp: sent, peer, bytes } => {
                        if self.fresh.is_fresh(sent, stamp(self.began)) {
                            self.play(stream, port, peer, &bytes);
                        } else {
                            self.dropped += 1;
                        }
                    }
                }
                Ok(())
            }
            Packet::Close(code, why) => {
                self.lose(&format!("the relay closed it: {why}"), code == close::GOING).await;
                Ok(())
            }
        }
    }

    async fn control(&mut self, message: FromRelay) -> Result<(), Malformed> {
        let Some(session) = &mut self.session else { return Ok(()) };
        match (message, &mut session.hello) {
            (FromRelay::Hello(hello), slot @ None) => {
                if hello.version != crate::transport::relay::VERSION {
                    self.cut(close::VERSION, "the gateway and the relay speak different versions: update the older")
                        .await;
                    return Ok(());
                }
                hello.check()?;
                *slot = Some(hello.clone());
                let (name, from) = (session.tunnel.name.clone(), session.tunnel.from);
                info!(relay = %self.relay, name, %from, sip = %hello.sip, calls = hello.ports.len(), "a relay is connected");
                self.fresh = Freshness::default();
                let writer = session.tunnel.writer.clone();
                self.say(&FromGateway::Welcome { name, run: self.run }).await;
                for port in self.legs.keys().copied().collect::<Vec<_>>() {
                    if hello.ports.contains(&port) {
                        self.say(&FromGateway::Bind { port }).await;
                    }
                }
                self.writer.send_replace(Some(writer));
                let (ports, software) = (hello.ports.clone(), hello.software.clone());
                let (relay, reach) = (self.relay, reach(&hello));
                let _ = self.report.send(Report::Hello { relay, reach, ports, software, from }).await;
                Ok(())
            }
            (FromRelay::Managers { managers }, Some(hello)) => {
                control::check_managers(&managers)?;
                hello.managers = managers;
                let fact = Fact::Up { relay: self.relay, reach: reach(hello) };
                let _ = self.report.send(Report::Fact(fact)).await;
                Ok(())
            }
            (FromRelay::Unsent { number }, Some(_)) => {
                let found = self.sent.iter().find(|(sent, _)| *sent == number).map(|(_, reference)| *reference);
                if let Some(reference) = found {
                    let _ = self.report.send(Report::Fact(Fact::Unsent { reference })).await;
                }
                Ok(())
            }
            (FromRelay::Alive, Some(_)) => Ok(()),
            (FromRelay::Hello(_), Some(_)) => Err(Malformed("a second hello")),
            (_, None) => Err(Malformed("something before the hello")),
        }
    }

    fn sip(&self, remote: SocketAddr, bytes: &Bytes) {
        let Some(hello) = self.session.as_ref().and_then(|session| session.hello.as_ref()) else { return };
        let flow = Some(FlowId::of_relay(self.relay));
        let source = Source { transport: Transport::Udp, local: hello.sip, remote, flow };
        let message = Message::parse(bytes);
        let relieves = match &message {
            Ok(Message::Request(request)) => matches!(request.method, Method::Ack | Method::Cancel | Method::Bye),
            Ok(Message::Response(_)) => true,
            Err(_) => false,
        };
        let crowded = self.report.capacity() < self.report.max_capacity() / 8;
        if relieves || !crowded {
            // Dropped where there is no room, as a datagram is: its sender repeats it.
            let _ = self.report.try_send(Report::Fact(Fact::Message { message: Box::new(message), source }));
        }
    }

    /// Gives a packet to the leg whose port it came to.
    fn play(&self, stream: Audio, port: u16, peer: SocketAddr, packet: &[u8]) {
        let Some(leg) = self.legs.get(&port) else { return };
        let mut addressed = Vec::with_capacity(frame::ADDRESS + packet.len());
        addressed.extend_from_slice(&frame::address(peer));
        addressed.extend_from_slice(packet);
        let end = if stream == Audio::Rtp { &leg.rtp } else { &leg.rtcp };
        // A full one holds what is old already.
        let _ = end.try_send(&addressed);
    }

    async fn say(&mut self, message: &FromGateway) {
        // Before its hello nothing is said to a relay.
        if self.session.as_ref().is_some_and(|session| session.hello.is_some()) {
            self.send(Packet::Text(control::write(message))).await;
        }
    }

    async fn send(&mut self, packet: Packet) {
        let Some(session) = &self.session else { return };
        if session.tunnel.writer.say(packet).is_err() {
            self.lose("the relay does not read", false).await;
        }
    }

    /// Ends the tunnel and says why.
    async fn cut(&mut self, code: u16, why: &'static str) {
        if let Some(session) = &self.session {
            let _ = session.tunnel.writer.say(Packet::Close(code, why.to_owned()));
        }
        // It stops, and tells the phones before it does.
        self.lose(why, matches!(code, close::REVOKED | close::VERSION)).await;
    }

    async fn lose(&mut self, why: &str, ended: bool) {
        let Some(session) = self.session.take() else { return };
        self.writer.send_replace(None);
        let audio = session.tunnel.writer.dropped() + self.dropped;
        // What it was told last is written by its task, which ends by itself.
        drop(session.writing);
        match session.hello {
            Some(_) => {
                warn!(relay = %self.relay, name = session.tunnel.name, why, old_audio = audio, "a relay is gone");
                let _ = self.report.send(Report::Fact(Fact::Lost { relay: self.relay, ended })).await;
            }
            None => debug!(relay = %self.relay, why, "a relay that did not say who it is"),
        }
    }
}

/// Our clock, in milliseconds, as stamps have it.
#[allow(clippy::cast_possible_truncation, reason = "it goes around")]
fn stamp(began: Instant) -> u32 {
    began.elapsed().as_millis() as u32
}

fn reach(hello: &Hello) -> Reach {
    let manager = |manager: &Manager| (manager.name.to_ascii_lowercase(), manager.addresses.clone());
    let managers = hello.managers.iter().map(manager).collect();
    Reach { sip: hello.sip, media: hello.media, managers, run: hello.run }
}
