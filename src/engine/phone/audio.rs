//! A phone's audio: a thread with one media leg, its sockets, a voice and a recorder.

use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::PhoneError;
use super::keys::PRESS;
use super::voice::{Recorder, Voice};
use crate::base::{Instant, LegId, Rng};
use crate::engine::clock::{Clock, Stamps};
use crate::engine::os::Inbox;
use crate::engine::sockets::{Datagram, Ear, LegSockets};
use crate::media::command::{Figures, Format, LegSetup, MediaEvent, Remote, Security};
use crate::media::egress::Encoded;
use crate::media::leg::Leg;
use crate::media::outlet::{Outgoing, Outlet};
use crate::media::resample::Resampler;
use crate::media::{FRAME, Rate, TICK};

/// Ports tried before giving up.
const PORTS_TRIED: u32 = 200;
/// Sockets are read this often; four times a tick, as the gateway does, so that jitter is measured alike.
const STEP: Duration = Duration::from_millis(5);
/// Louder than this somebody says something: 30 dB below the loudest.
const AUDIBLE: i16 = 1000;

/// An order to the thread.
#[derive(Debug)]
enum Order {
    Open(Box<LegSetup>),
    Modify(Format, Remote, Security),
    Key(char),
    Mute(bool),
    Close,
}

/// What the thread reports.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all of them are the media plane's, and one is looked at at a time"
)]
pub(super) enum Fact {
    /// Something audible came for the first time.
    Heard,
    /// The media plane's own.
    Media(MediaEvent),
    /// The recording cannot go on.
    Failed(PhoneError),
}

/// The control side.
#[derive(Debug)]
pub(super) struct Audio {
    /// Where audio is received.
    pub(super) port: u16,
    /// What happens.
    pub(super) facts: UnboundedReceiver<Fact>,
    orders: Sender<Order>,
    thread: Option<JoinHandle<Figures>>,
}

impl Audio {
    /// Binds sockets and starts the thread; nothing flows before [`Audio::open`].
    pub(super) fn start(
        address: IpAddr,
        voice: Voice,
        recorder: Option<Recorder>,
        clock: Clock,
        rng: &mut Rng,
    ) -> Result<Self, PhoneError> {
        let bound = (0..PORTS_TRIED).find_map(|_| {
            let port = 30_000 + u16::try_from(rng.below(15_000)).unwrap_or(0) * 2;
            LegSockets::bind(address, port).ok()
        });
        let sockets = bound.ok_or_else(|| PhoneError::Socket(format!("no free port for audio on {address}")))?;
        let port = sockets.port();
        let (orders, inbox) = mpsc::channel();
        let (outbox, facts) = unbounded_channel();
        let narrow = Resampler::new(Rate::Narrow, Rate::Narrow);
        let player = Player {
            sockets,
            datagrams: Inbox::new(),
            voice,
            recorder,
            clock,
            inbox,
            outbox,
            muted: false,
            heard: false,
            rate: Rate::Narrow,
            heard_by: narrow.clone(),
            said_by: narrow,
        };
        let thread = std::thread::Builder::new()
            .name("phone-audio".into())
            .spawn(move || player.run())
            .map_err(|error| PhoneError::Socket(error.to_string()))?;
        Ok(Self { port, facts, orders, thread: Some(thread) })
    }

    /// Begins.
    pub(super) fn open(&self, setup: LegSetup) {
        self.order(Order::Open(Box::new(setup)));
    }

    /// Applies a re-negotiation.
    pub(super) fn modify(&self, format: Format, remote: Remote, security: Security) {
        self.order(Order::Modify(format, remote, security));
    }

    /// Keys a digit as a telephone-event.
    pub(super) fn key(&self, digit: char) {
        self.order(Order::Key(digit));
    }

    /// Says nothing, or says it again.
    pub(super) fn mute(&self, muted: bool) {
        self.order(Order::Mute(muted));
    }

    /// Ends, finishes the recording, and tells what it amounted to. Takes a tick.
    pub(super) fn close(mut self) -> Figures {
        self.order(Order::Close);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }

    fn order(&self, order: Order) {
        // A thread that has ended has told why.
        let _ = self.orders.send(order);
    }
}

struct Player {
    sockets: LegSockets,
    datagrams: Inbox,
    voice: Voice,
    recorder: Option<Recorder>,
    clock: Clock,
    inbox: Receiver<Order>,
    outbox: UnboundedSender<Fact>,
    muted: bool,
    heard: bool,
    /// The codec's rate, and the ways from it and to it: files are at 8 kHz.
    rate: Rate,
    heard_by: Resampler,
    said_by: Resampler,
}

/// Sends by the sockets.
struct Out<'a>(&'a LegSockets);

impl Outlet for Out<'_> {
    fn send(&mut self, packet: Outgoing<'_>) {
        // What the kernel does not take is lost, as on any network.
        let _ = self.0.send(packet.port, packet.to, packet.bytes);
    }
}

impl Player {
    fn run(mut self) -> Figures {
        let mut leg: Option<Leg> = None;
        let mut events = Vec::new();
        let mut now = self.clock.mono();
        let mut tick = now;
        let mut first = true;
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(Order::Open(setup)) => leg = Some(Leg::new(LegId::from_bits(0), *setup, now)),
                    Ok(Order::Modify(format, remote, security)) => {
                        if let Some(leg) = &mut leg {
                            leg.modify(format, remote, security, now);
                        }
                    }
                    Ok(Order::Key(digit)) => {
                        if let Some(leg) = &mut leg {
                            leg.send_digit(digit, PRESS);
                        }
                    }
                    Ok(Order::Mute(muted)) => self.muted = muted,
                    Ok(Order::Close) | Err(TryRecvError::Disconnected) => return self.end(leg, now),
                    Err(TryRecvError::Empty) => break,
                }
            }
            if let Some(leg) = &mut leg {
                self.receive(leg, now, &mut events);
                if tick <= now {
                    tick = tick.max(now - TICK) + TICK;
                    self.tick(leg, std::mem::take(&mut first), now, &mut events);
                }
            } else {
                tick = now;
            }
            for event in events.drain(..) {
                let _ = self.outbox.send(Fact::Media(event));
            }
            // The scheduled instant, not the clock's: unless the machine was taken away for long.
            now = (now + STEP).max(self.clock.mono() - TICK);
            self.clock.sleep_until(now);
        }
    }

    fn receive(&mut self, leg: &mut Leg, now: Instant, events: &mut Vec<MediaEvent>) {
        let stamps = Stamps::new(&self.clock, Duration::ZERO);
        for ear in [Ear::Rtp, Ear::Trap, Ear::Rtcp] {
            while let Some(Datagram { length, from, stamp }) = self.sockets.receive(ear, &mut self.datagrams) {
                let (bytes, came) = (self.datagrams.bytes(length), stamps.arrived(stamp, now));
                match ear {
                    Ear::Rtp | Ear::Trap => leg.receive_rtp(from, bytes, came, None, &mut Out(&self.sockets), events),
                    Ear::Rtcp => leg.receive_rtcp(from, bytes, came),
                }
            }
        }
    }

    fn tick(&mut self, leg: &mut Leg, first: bool, now: Instant, events: &mut Vec<MediaEvent>) {
        leg.begin_tick(now, &mut Out(&self.sockets), events);
        if self.rate != leg.rate() {
            self.rate = leg.rate();
            self.heard_by = Resampler::new(self.rate, Rate::Narrow);
            self.said_by = Resampler::new(Rate::Narrow, self.rate);
        }
        let (mut frame, mut wide) = ([0; FRAME], [0; Rate::MOST]);
        let wide = wide.get_mut(..self.rate.samples()).unwrap_or(&mut []);
        leg.take(first, now, wide);
        self.heard_by.process(wide, &mut frame);
        if !self.heard && frame.iter().any(|sample| sample.saturating_abs() > AUDIBLE) {
            self.heard = true;
            let _ = self.outbox.send(Fact::Heard);
        }
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.add(&frame)
        {
            self.recorder = None;
            let _ = self.outbox.send(Fact::Failed(error));
        }
        self.voice.frame(&mut frame);
        if self.muted {
            frame.fill(0);
        }
        self.said_by.process(&frame, wide);
        let mut encoded = Encoded::default();
        leg.encode(wide, &mut encoded);
        leg.send_frame(&mut encoded, false, &mut Out(&self.sockets));
    }

    fn end(self, leg: Option<Leg>, now: Instant) -> Figures {
        let figures = leg.map(|mut leg| leg.close(now, &mut Out(&self.sockets))).unwrap_or_default();
        if let Some(recorder) = self.recorder
            && let Err(error) = recorder.end()
        {
            let _ = self.outbox.send(Fact::Failed(error));
        }
        figures
    }
}
