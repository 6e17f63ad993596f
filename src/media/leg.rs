//! A leg's media: what comes in from one far end and what goes out to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::command::{Direction, Figures, Format, LegSetup, MediaEvent, Remote, Security};
use super::dial::{Dial, Order};
use super::dtls::Handshakes;
use super::echo::EchoWatch;
use super::egress::{Egress, Encoded};
use super::encoder::Encoder;
use super::latch::Latch;
use super::outlet::{LegKey, MAX_DATAGRAM, Outgoing, Outlet, Port};
use super::player::{Played, Playlist};
use super::playout::Playout;
use super::press::Presses;
use super::quality::{Facts, Monitor};
use super::reception::Reception;
use super::report::{More, Reporter};
use super::resample::Resampler;
use super::sounder::Sounder;
use super::srtp::Guard;
use super::{FRAME, Rate, TICK, mix, noise, samples_at};
use crate::base::fetch::fetch_from;
use crate::base::{Instant, LegId};
use crate::wire::codec::{Codec, opus};

mod browser;
mod receive;
mod treat;
mod way;

use browser::Loudness;
use treat::Treated;
use way::Way;

pub use browser::Heard;
pub use way::Link;

/// Comfort noise (RFC 3389): understood, negotiated or not, because phones send it unasked.
const COMFORT_NOISE: u8 = 13;

/// The room's gain under a prompt, of 256 (−14 dB). Higher: words are lost in talk. Lower: the room seems gone.
const DUCKED: i32 = 51;
const FULL: i32 = 256;

/// The room comes back this much per tick: 100 ms in all, while it leaves within one.
const RELEASE: i32 = 41;

/// Ticks of silence before comfort noise stands for it, where that was agreed: 200 ms. More: packets without a word.
/// Less: it comes and goes between words.
const QUIET: u8 = 10;

/// Ticks between two packets of comfort noise: 400 ms. More: a NAT or a far end that counts packets loses patience.
const NOISE_EVERY: u8 = 20;

/// How long a key is pressed that goes on to the other of two by other means than its own packets, in milliseconds.
const PRESS: u16 = 100;

/// One leg's media, boxed by its owner and free to move from thread to thread between ticks.
// In this order, so that what every packet and every tick needs lies together: 20 ms later none of it is in a processor's caches. Parts of which only a
// little is needed that often stand where that begins or ends.
#[repr(C, align(64))]
pub struct Leg {
    latch: Latch,
    id: LegId,
    life: Instant,
    media_timeout: Duration,
    key: LegKey,
    duck: i32,
    /// Under what number the same codec came before it was agreed anew: what is on the way still has it.
    former_type: Option<u8>,
    timed_out: bool,
    playing: bool,
    /// The last frame was decoded; of one that passes packets on as they come, any before.
    voiced: bool,
    /// Ticks of silence in a row.
    quiet: u8,
    /// A browser's: what it says of its loudness.
    browser: Option<Loudness>,
    playout: Playout,
    format: Format,
    way: Way,
    reception: Reception,
    counters: Counters,
    egress: Egress,
    encoder: Encoder,
    /// The tone that is being sent to it, and whether that is over.
    sounder: Option<(Box<Sounder>, bool)>,
    /// Of prompts, which are at 8 kHz.
    prompt: Option<Box<Resampler>>,
    playlist: Option<Box<Playlist>>,
    guard: Guard,
    dial: Dial,
    treated: Treated,
    echo: EchoWatch,
    presses: Presses,
    /// Between two threads: when it would have been ticked next.
    due: Option<Instant>,
    reporter: Reporter,
    monitor: Monitor,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    received: u64,
    sent: u64,
    late: u64,
    duplicates: u64,
    strangers: u64,
    malformed: u64,
    unauthentic: u64,
    concealed: u64,
}

impl Leg {
    /// Begins a leg: from the next tick on it sends, silence included.
    pub fn new(id: LegId, setup: LegSetup, now: Instant) -> Self {
        let LegSetup { format, remote, security, ssrc, sequence, timestamp, cname, media_timeout } = setup;
        let seed = (u64::from(ssrc) << 32) ^ u64::from(timestamp) ^ (u64::from(sequence) << 16);
        Self {
            id,
            key: LegKey(u32::MAX),
            latch: Latch::new(remote),
            former_type: None,
            life: now,
            timed_out: false,
            voiced: false,
            media_timeout,
            playing: false,
            duck: FULL,
            counters: Counters::default(),
            presses: Presses::new(format.codec.clock_rate()),
            egress: Egress::new(ssrc, sequence, timestamp, format.codec, format.send_payload_type, format.ptime),
            playout: Playout::new(format.codec),
            encoder: Encoder::new(format.codec, &format.opus),
            prompt: prompt(format.codec),
            quiet: 0,
            reception: Reception::default(),
            reporter: Reporter::new(&cname, seed, now),
            monitor: Monitor::new(now),
            treated: Treated::default(),
            echo: EchoWatch::default(),
            dial: Dial::default(),
            playlist: None,
            sounder: None,
            guard: Guard::new(security),
            way: Way::default(),
            due: None,
            browser: None,
            format,
        }
    }

    /// Gives it what carries out handshakes.
    pub fn equip(&mut self, handshakes: Option<Arc<dyn Handshakes>>, now: Instant) {
        self.guard.equip(handshakes, now);
    }

    /// Applies a re-negotiation.
    pub fn modify(&mut self, format: Format, remote: Remote, security: Security, now: Instant) {
        self.guard.modify(security, now);
        self.latch.modify(remote);
        self.egress.modify(format.codec, format.send_payload_type, format.ptime);
        let opened = format.direction.receives() && !self.format.direction.receives();
        let resumed = format.direction == Direction::SendRecv && self.format.direction != Direction::SendRecv;
        let before = self.format.receive_payload_type;
        if format.codec != self.format.codec {
            self.former_type = None;
        } else if before != format.receive_payload_type {
            self.former_type = Some(before);
        }
        if format.codec != self.format.codec {
            self.playout = Playout::new(format.codec);
            self.prompt = prompt(format.codec);
            self.presses.set_clock_rate(format.codec.clock_rate());
        }
        if (format.codec, format.opus) != (self.format.codec, self.format.opus) {
            self.encoder = Encoder::new(format.codec, &format.opus);
        }
        if opened || !format.direction.receives() {
            self.playout.reset();
            self.reception.pause();
            self.monitor.pause();
        }
        if resumed {
            // Their silence is counted from the moment at which they may send.
            self.alive(now);
        }
        self.format = format;
        self.treat_again();
    }

    /// Plays clips to this leg alone, in place of what was playing.
    pub fn play(&mut self, playlist: Playlist) {
        self.playlist = Some(Box::new(playlist));
        self.playing = true;
    }

    /// Ends what is playing.
    pub fn stop_playing(&mut self) {
        self.playlist = None;
        self.playing = false;
    }

    /// Sends a known tone from now on and listens for it; only outside rooms.
    pub fn sound(&mut self) {
        let rate = u32::try_from(self.rate().samples() * 50).unwrap_or(8000);
        self.playout.forget();
        self.sounder = Some((Box::new(Sounder::new(rate)), false));
    }

    /// Whether a known tone is being sent.
    pub fn is_sounding(&self) -> bool {
        matches!(self.sounder, Some((_, false)))
    }

    /// Takes what came in this tick and puts what is to be sent of the tone in its place.
    pub fn echo(&mut self, now: Instant, frame: &mut [i16], events: &mut Vec<MediaEvent>) {
        self.take(false, now, frame);
        // Let go outside the tick, by the next order.
        let Some((sounder, over)) = &mut self.sounder else { return };
        if sounder.tick(frame) {
            *over = true;
            let echo = sounder.echo();
            events.push(MediaEvent::Sounded { leg: self.id, echo, figures: self.figures() });
        }
    }

    /// Queues a digit; without negotiated telephone-events there is no way to key it, and it is left out.
    pub fn send_digit(&mut self, digit: char, milliseconds: u16) {
        if self.format.telephone_event.is_some() {
            self.dial.push(digit, milliseconds);
        }
    }

    /// What falls due in a tick apart from audio: digits given up on, the latch, the timeout, RTCP.
    pub fn begin_tick(&mut self, now: Instant, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        let leg = self.id;
        if self.is_browser() {
            return;
        }
        if self.guard.shakes() {
            self.shake(None, now, outlet, events);
        }
        self.tell_tones(events);
        while let Some(digit) = self.presses.expire(now) {
            events.push(MediaEvent::Digit { leg, digit });
        }
        if let Some(remote) = self.latch.poll_latched(now) {
            events.push(MediaEvent::Latched { leg, remote });
        }
        // A phone that holds us may play music, and may as well send nothing: only who is to talk is timed.
        let timed = self.format.direction == Direction::SendRecv;
        let silent = timed && now.since(self.life) >= self.media_timeout;
        if silent && !self.timed_out && !self.media_timeout.is_zero() {
            self.timed_out = true;
            events.push(MediaEvent::TimedOut { leg });
        }
        if self.reporter.poll_due(now) {
            self.monitor.interval(&self.facts(now));
            self.send_report(false, now, outlet);
            events.push(MediaEvent::Measured { leg, figures: self.figures() });
        }
    }

    /// How loud the next frame is; zero where the room must not hear it. Where nobody is to hear it, about will do.
    pub fn level(&mut self, now: Instant) -> u16 {
        if let Some(loudness) = &mut self.browser {
            return loudness.next();
        }
        let glance = self.passes();
        // Asked first: to tell how loud a frame is, it may be decoded.
        let served = self.is_served();
        let hushed = self.presses.is_down(now) || self.keys_tone();
        let level = if hushed { 0 } else { self.playout.level(samples_at(now), glance) };
        self.rest(level, served);
        level
    }

    /// Steps over the next frame, which nobody hears.
    pub fn skip(&mut self, now: Instant) {
        self.voiced = self.overhear(now);
        if !self.voiced {
            self.playout.skip(samples_at(now));
        }
    }

    /// Decodes the next frame at the leg's rate, repaired where need be; `first` when the room did not hear the one
    /// before.
    pub fn take(&mut self, first: bool, now: Instant, out: &mut [i16]) {
        self.voiced = true;
        if first {
            self.playout.forget();
            self.monitor.forget();
        }
        let tick = samples_at(now);
        if self.presses.is_down(now) {
            self.playout.silent(tick, out);
            return self.monitor.forget();
        }
        if self.playout.take(tick, out) {
            self.counters.concealed += 1;
        }
        self.monitor.hear(out);
        self.refine(out);
    }

    /// A tick of it came too late.
    pub fn overrun(&mut self) {
        self.monitor.overrun(1);
    }

    /// So many ticks of it were left out. Their time has passed for the far end too: what comes after them belongs where it would have been, or it
    /// would be late from now on. Who is `fed` another's packets as they come has the time that those tell. Who is `heard` in a mix is heard on from where
    /// we stopped, and so is who keys by tones; of others, what waited is over.
    pub fn lapse(&mut self, ticks: u32, fed: bool, heard: bool) {
        self.monitor.overrun(u64::from(ticks));
        if !heard && !self.is_overheard() {
            self.playout.lapse(i64::from(ticks) * FRAME as i64);
        }
        if !fed {
            self.egress.lapse(ticks);
        }
    }

    /// It leaves its thread; its next tick there would have been due then.
    pub fn depart(&mut self, due: Option<Instant>) {
        self.due = due;
    }

    /// Its first tick on a thread is due then; what was due between was left out, and what is due again was sent before.
    pub fn arrive(&mut self, due: Instant) {
        let Some(then) = self.due.take() else { return };
        let ticks = |late: Duration| u32::try_from(late.as_nanos() / TICK.as_nanos()).unwrap_or(u32::MAX);
        let (left_out, again) = (ticks(due.since(then)), ticks(then.since(due)));
        if left_out > 0 {
            self.lapse(left_out, false, false);
        } else if again > 0 {
            self.egress.wait(self.egress.early().saturating_add(u8::try_from(again).unwrap_or(u8::MAX)));
        }
    }

    /// Whether this leg hears something that nobody else does.
    pub fn hears_own(&self) -> bool {
        self.playing || self.duck != FULL
    }

    /// Mixes what is played to this leg alone over what it hears else; the frame is at the leg's rate.
    pub fn mix_own(&mut self, frame: &mut [i16], events: &mut Vec<MediaEvent>) {
        let duck = if self.playing { DUCKED } else { (self.duck + RELEASE).min(FULL) };
        mix::ramp(frame, self.duck, duck);
        self.duck = duck;
        if let Some(list) = self.playlist.as_mut().filter(|_| self.playing) {
            let mut prompt = [0; FRAME];
            if let Played::Done(play) = list.frame(&mut prompt) {
                // The list itself is let go outside the tick, by the next order.
                self.playing = false;
                events.push(MediaEvent::Played { leg: self.id, play });
            }
            let add = |(sample, own): (&mut i16, &i16)| *sample = sample.saturating_add(*own);
            match &mut self.prompt {
                None => frame.iter_mut().zip(&prompt).for_each(add),
                Some(resampler) => {
                    let mut wide = [0; Rate::MOST];
                    let wide = wide.get_mut(..frame.len()).unwrap_or(&mut []);
                    resampler.process(&prompt, wide);
                    frame.iter_mut().zip(&*wide).for_each(add);
                }
            }
        }
    }

    /// Encodes a frame at the leg's rate, for it alone.
    pub fn encode(&mut self, frame: &[i16], encoded: &mut Encoded) {
        encoded.encode(&mut self.encoder, frame);
    }

    /// Takes over, for this leg alone, from an encoder that it shared with others.
    pub fn follow(&mut self, encoder: &Encoder) {
        self.encoder.follow(encoder);
    }

    /// Hands over to an encoder that nobody else hears yet: G.722's goes on in its state, where a steady tone would tell the two apart for long.
    pub fn lead(&self, encoder: &mut Encoder) {
        if self.format.codec == Codec::G722 {
            encoder.follow(&self.encoder);
        }
    }

    /// Sends a frame, or lets its time pass where we are not to send. For a frame of silence comfort noise may stand,
    /// where that was agreed and the silence lasts.
    pub fn send_frame(&mut self, frame: &mut Encoded, silent: bool, outlet: &mut impl Outlet) {
        let noise = silent && self.format.comfort_noise.is_some() && self.quiet >= QUIET;
        self.transmit(Some(frame).filter(|_| !noise), outlet);
        self.quiet = match (silent, self.quiet + 1) {
            (false, _) => 0,
            (true, quiet) if quiet < QUIET + NOISE_EVERY => quiet,
            (true, _) => QUIET,
        };
    }

    fn transmit(&mut self, frame: Option<&mut Encoded>, outlet: &mut impl Outlet) {
        let Some(to) = self.latch.rtp().filter(|_| self.format.direction.sends()) else {
            self.egress.pause();
            return;
        };
        let (leg, sent, guard) = (self.key, &mut self.counters.sent, &mut self.guard);
        let send = |bytes: &[u8]| {
            *sent += u64::from(guard.send_rtp(Outgoing { leg, port: Port::Rtp, to, bytes }, outlet));
        };
        if !self.dial.is_idle()
            && let Some((payload_type, _)) = self.format.telephone_event
            && let Order::Event { marker, timestamp, event } =
                self.dial.tick(self.egress.timestamp(), event_tick(&self.format))
        {
            self.egress.event(payload_type, marker, timestamp, event, send);
            return;
        }
        match (frame, self.format.comfort_noise) {
            (Some(frame), _) => self.egress.frame(frame, send),
            (None, Some((payload_type, _))) if self.quiet == QUIET => {
                self.egress.other(payload_type, &[noise::OURS], send);
            }
            (None, Some(_) | None) => self.egress.pause(),
        }
    }

    /// Says goodbye by RTCP and tells what it all amounted to.
    pub fn close(&mut self, now: Instant, outlet: &mut impl Outlet) -> Figures {
        self.send_report(true, now, outlet);
        self.monitor.end(&self.facts(now));
        self.figures()
    }

    /// Asks the processor for what receiving and ticking need, but for the voice.
    pub fn fetch(&self) {
        fetch_from(self.latch.hot(), &self.echo);
        self.presses.fetch();
        fetch_from(self.reporter.due(), self.monitor.hot());
    }

    /// Asks it for where the voice is, and where in time; to be called once the rest is there.
    pub fn fetch_playout(&self) {
        match self.voiced {
            true => self.playout.fetch(),
            false => self.fetch_time(),
        }
    }

    /// Asks it for the voice; to be called once that is there.
    pub fn fetch_voice(&self) {
        self.playout.fetch_places(self.voiced);
        if self.voiced {
            self.treated.fetch();
        }
    }

    /// Asks it for where the voice is in time alone.
    pub fn fetch_time(&self) {
        self.playout.time().fetch();
    }

    /// Whether what is played next is there; not where a key is down, of which each packet counts.
    pub fn is_served(&self) -> bool {
        let time = self.playout.time();
        !self.presses.any_down() && time.started() && time.is_there(time.play(), FRAME as i64)
    }

    /// Names the leg within its plane.
    pub fn set_key(&mut self, key: LegKey) {
        self.key = key;
    }

    /// The leg's id.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.format.codec
    }

    /// What the far end says of its Opus that matters to who encodes for it.
    pub fn opus(&self) -> opus::Parameters {
        opus::Parameters { narrow_events: false, ..self.format.opus }
    }

    /// The rate of its samples.
    pub fn rate(&self) -> Rate {
        Rate::of(self.format.codec)
    }

    /// The far end's final RTP address, once it is known: from then on the socket may be connected to it.
    pub fn latched(&self) -> Option<SocketAddr> {
        self.latch.locked()
    }

    /// What it amounted to so far.
    pub fn figures(&self) -> Figures {
        let Counters { received, sent, late, duplicates, strangers, malformed, unauthentic, concealed } = self.counters;
        Figures {
            received,
            sent,
            lost: self.reception.lost(),
            late,
            duplicates,
            strangers,
            unauthentic,
            malformed,
            // What the system knows of it, the engine adds.
            dropped: 0,
            unsent: 0,
            overruns: self.monitor.overruns(),
            concealed,
            clicks: self.monitor.clicks(),
            jitter_ms: self.jitter_ms(),
            delay_ms: self.buffer_ms(),
            round_trip_ms: self.round_trip_ms(),
            remote_loss: self.reporter.remote_loss(),
            echo: self.echo.told(),
            music: self.plays_music(),
            quality: self.monitor.quality(self.format.codec),
        }
    }

    fn jitter_ms(&self) -> f32 {
        self.reception.jitter() as f32 / (8 * self.egress.clock()) as f32
    }

    fn buffer_ms(&self) -> f32 {
        self.playout.time().delay() as f32 / 8.0
    }

    fn round_trip_ms(&self) -> Option<f32> {
        self.reporter.round_trip().map(|trip| trip.as_secs_f32() * 1000.0)
    }

    fn facts(&self, now: Instant) -> Facts {
        let Counters { received, duplicates, malformed, .. } = self.counters;
        Facts {
            codec: self.format.codec,
            clock: self.format.codec.clock_rate(),
            jitter_ms: self.jitter_ms(),
            buffer_ms: self.buffer_ms(),
            round_trip_ms: self.round_trip_ms(),
            reported: self.reporter.reported(),
            came: received + duplicates + malformed,
            ptime: self.format.ptime,
            now,
        }
    }

    fn shake(&mut self, datagram: Option<&[u8]>, now: Instant, outlet: &mut impl Outlet, events: &mut Vec<MediaEvent>) {
        let leg = self.id;
        match self.guard.shake(datagram, now) {
            None => {}
            Some(Ok(())) => events.push(MediaEvent::Secured { leg }),
            Some(Err(_)) => events.push(MediaEvent::SecurityFailed { leg }),
        }
        if let Some(to) = self.latch.rtp() {
            while let Some(bytes) = self.guard.poll_transmit() {
                outlet.send(Outgoing { leg: self.key, port: Port::Rtp, to, bytes: &bytes });
            }
        }
    }

    fn alive(&mut self, now: Instant) {
        self.life = now;
        self.timed_out = false;
    }

    fn send_report(&mut self, bye: bool, now: Instant, outlet: &mut impl Outlet) {
        let Some(to) = self.latch.rtcp() else {
            return;
        };
        let mut buffer = [0; MAX_DATAGRAM];
        let asked = self.format.reports;
        let metrics =
            self.reception.ssrc().filter(|_| asked.metrics).map(|ssrc| self.monitor.metrics(ssrc, &self.facts(now)));
        let more = More { metrics, clock: asked.round_trip, bye };
        let length = self.reporter.write(&self.egress, &mut self.reception, &more, now, &mut buffer);
        let port = if self.latch.multiplexed() { Port::Rtp } else { Port::Rtcp };
        if let Some(bytes) = buffer.get(..length) {
            self.guard.send_rtcp(Outgoing { leg: self.key, port, to: &to, bytes }, outlet);
        }
    }
}

/// How long a tick is in telephone-events; their timestamps are the audio's in any case, for that is what most phones send.
fn event_tick(format: &Format) -> u16 {
    u16::try_from(FRAME as u32 * event_clock(format)).unwrap_or(u16::MAX)
}

/// In what the durations of telephone-events count, in units per 1/8000 s.
fn event_clock(format: &Format) -> u32 {
    if format.opus.narrow_events { 1 } else { format.codec.clock_rate() / 8000 }
}

/// Prompts are at 8 kHz.
fn prompt(codec: Codec) -> Option<Box<Resampler>> {
    let rate = Rate::of(codec);
    (rate != Rate::Narrow).then(|| Box::new(Resampler::new(Rate::Narrow, rate)))
}
