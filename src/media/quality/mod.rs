//! How a leg sounds, each way, in figures that people argue with: loss, jitter, delay, the E-model's rating and score,
//! and who is to blame.
//!
//! What comes from the far end is judged by what arrived and in time ([`pattern`]); what goes to it by its RTCP reports,
//! and by its extended ones (RFC 3611) where it sends them. Both are kept for the last interval and for the whole call.

use super::command::Figures;
use super::report::Reported;
use crate::base::Instant;
use crate::wire::codec::Codec;
use crate::wire::rtp::xr::VoipMetrics;

mod clicks;
pub mod emodel;
mod own;
pub mod pattern;
mod sent;

use clicks::Clicks;
use emodel::Connection;
use own::{Intake, Own};
use pattern::{Pattern, Tally};
use sent::Sent;

/// A rating below this is one that some are not content with (G.107 annex B). Higher: a call's ordinary delay is
/// somebody's fault. Lower: people complain of what nobody shows.
const CONTENT: f32 = 80.0;

/// Share of packets that we may spoil ourselves before we say that it was us.
const OUR_SHARE: f64 = 0.01;

/// A packet's own length, and half a tick until it is mixed: what a packet waits for apart from the network, in ms.
const FRAMING: f32 = 30.0;

/// What the far end's own buffer adds, where it does not say: 40 ms.
const THEIR_BUFFER: f32 = 40.0;

/// One way over one span of time.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Score {
    /// Share of packets that could not be played, 0 to 1: lost, or too late.
    pub loss: f32,
    /// Share that came too late, 0 to 1; it is part of `loss`.
    pub late: f32,
    /// How much longer the gaps are than those of random loss; 1 for random loss.
    pub burst: f32,
    /// Interarrival jitter in milliseconds.
    pub jitter_ms: f32,
    /// One way, mouth to ear, of this leg alone, in milliseconds; an estimate.
    pub delay_ms: f32,
    /// The E-model's rating, 0 to 93 (ITU-T G.107).
    pub rating: f32,
    /// The mean opinion score that belongs to it, 1 to 4.4.
    pub mos: f32,
}

/// Both ways over one span of time.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Span {
    /// What comes from the far end; none before anything came.
    pub ingress: Option<Score>,
    /// What goes to it, as it reports; none before it did.
    pub egress: Option<Score>,
    /// Packets and ticks that this machine spoiled: not read in time, not sent, mixed too late.
    pub ours: u64,
    /// Whose fault it is.
    pub blame: Blame,
    /// What of it the far end brought about itself.
    #[serde(skip)]
    #[cfg_attr(feature = "node", schema(ignore))]
    own: Own,
}

/// Whose fault it is that a call sounds bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Blame {
    /// Nothing is known.
    #[default]
    Unknown,
    /// It sounds good.
    Nobody,
    /// Packets are lost, or come too late, on their way to us.
    WayToUs,
    /// Packets are lost on their way from us.
    WayFromUs,
    /// Both ways: they share a link that is full, or far.
    BothWays,
    /// The far end throws away, or holds back, what reached it; or it sends what nobody agreed on, or far too much.
    TheirEnd,
    /// This machine: too little processor, or too small buffers.
    Us,
}

impl Blame {
    /// All of them.
    pub const ALL: [Blame; 7] =
        [Blame::Unknown, Blame::Nobody, Blame::WayToUs, Blame::WayFromUs, Blame::BothWays, Blame::TheirEnd, Blame::Us];

    /// Its name, as in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Blame::Unknown => "unknown",
            Blame::Nobody => "nobody",
            Blame::WayToUs => "way_to_us",
            Blame::WayFromUs => "way_from_us",
            Blame::BothWays => "both_ways",
            Blame::TheirEnd => "their_end",
            Blame::Us => "us",
        }
    }

    /// What an operator is told.
    pub const fn words(self) -> &'static str {
        match self {
            Blame::Unknown => "nothing is known of it yet",
            Blame::Nobody => "it sounds good",
            Blame::WayToUs => "packets are lost or late on their way to us: their network, or the line between",
            Blame::WayFromUs => "packets are lost on their way from us: the line between, or their network",
            Blame::BothWays => "both ways suffer: a link that both share is full, or far",
            Blame::TheirEnd => {
                "the far end drops or delays what reaches it, or sends far too much or what was not agreed"
            }
            Blame::Us => "this machine comes late: too little processor, or too small socket buffers",
        }
    }
}

/// All that is told of how a leg sounds.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Quality {
    /// Since the figures before these: some five seconds.
    pub last: Span,
    /// From the beginning.
    pub call: Span,
    /// What the far end measured, where it sends extended reports (RFC 3611).
    pub far_end: Option<FarEnd>,
}

/// What the far end says of what it hears (RFC 3611 §4.7); what it does not know is none.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct FarEnd {
    /// Share of our packets that it lost, 0 to 1.
    pub loss: f32,
    /// Share that reached it too late, or too early, to be played, 0 to 1.
    pub discarded: f32,
    /// What it adds itself, there and back, in milliseconds.
    pub end_delay_ms: u16,
    /// Its jitter buffer's usual delay in milliseconds.
    pub buffer_ms: u16,
    /// How loud we are there, in dBm0.
    pub signal_dbm: Option<i8>,
    /// How loud the noise is, in dBm0.
    pub noise_dbm: Option<i8>,
    /// How much quieter its echo comes back, in dB.
    pub echo_db: Option<u8>,
    /// Its rating, 0 to 100.
    pub rating: Option<u8>,
    /// Its score for listening.
    pub mos: Option<f32>,
}

/// What is known at the end of an interval.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The codec both ways.
    pub codec: Codec,
    /// Timestamp units per second.
    pub clock: u32,
    /// Interarrival jitter in milliseconds.
    pub jitter_ms: f32,
    /// The jitter buffer's delay in milliseconds.
    pub buffer_ms: f32,
    /// Round-trip time in milliseconds, once it is known.
    pub round_trip_ms: Option<f32>,
    /// The far end's last report on our stream.
    pub reported: Option<Reported>,
    /// Packets that came from it, of whatever kind.
    pub came: u64,
    /// Their length in milliseconds.
    pub ptime: u8,
    /// When that is.
    pub now: Instant,
}

/// What is added up of one way.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    jitter: f64,
    delay: f64,
    count: f64,
}

/// Watches one leg.
#[derive(Debug, Clone, Default)]
// In this order: what packets and ticks change is its beginning.
#[repr(C)]
pub struct Monitor {
    pattern: Pattern,
    clicks: Clicks,
    then: Tally,
    ingress: Sums,
    egress: Sums,
    sent: Sent,
    intake: Intake,
    overruns: u64,
    overruns_then: u64,
    quality: Quality,
}

impl Monitor {
    /// Begins with a leg.
    pub fn new(now: Instant) -> Self {
        Self { intake: Intake::new(now), ..Self::default() }
    }

    /// The last of what packets and ticks change from its beginning on.
    pub(super) fn hot(&self) -> &impl Sized {
        self.clicks.hot()
    }

    /// Takes a packet's number, and whether it came in time.
    pub fn arrive(&mut self, sequence: u16, in_time: bool) {
        self.pattern.arrive(sequence, in_time);
    }

    /// Takes the number of a packet that came and cannot be played: nobody agreed on what it holds.
    pub fn refuse(&mut self, sequence: u16) {
        self.pattern.refuse(sequence);
    }

    /// Another stream comes, or none for a while.
    pub fn pause(&mut self) {
        self.pattern.pause();
    }

    /// Takes what is played of it, for clicks.
    pub fn hear(&mut self, samples: &[i16]) {
        self.clicks.hear(samples);
    }

    /// What is played next does not follow what was played before.
    pub fn forget(&mut self) {
        self.clicks.forget();
    }

    /// So many ticks came too late, or not at all.
    pub fn overrun(&mut self, ticks: u64) {
        self.overruns += ticks;
    }

    /// Takes the far end's extended report.
    pub fn receive(&mut self, metrics: &VoipMetrics) {
        // More than all of our packets.
        if u16::from(metrics.loss_rate) + u16::from(metrics.discard_rate) > 256 {
            return;
        }
        self.quality.far_end = Some(FarEnd {
            loss: f32::from(metrics.loss_rate) / 256.0,
            discarded: f32::from(metrics.discard_rate) / 256.0,
            end_delay_ms: metrics.end_system_delay,
            buffer_ms: metrics.buffer_nominal,
            signal_dbm: metrics.signal_level,
            noise_dbm: metrics.noise_level,
            echo_db: metrics.echo_return_loss,
            rating: metrics.rating,
            mos: metrics.mos_listening.map(|tenths| f32::from(tenths) / 10.0),
        });
    }

    /// Ends an interval.
    pub fn interval(&mut self, facts: &Facts) {
        let tally = self.pattern.tally();
        let way = facts.round_trip_ms.unwrap_or(0.0) / 2.0;
        let echo_db = self.echo_db();
        let mut last = Span { ours: self.overruns - self.overruns_then, ..Span::default() };
        self.overruns_then = self.overruns;
        let heard = tally.since(self.then);
        self.then = tally;
        last.own = Own { refused: heard.is_refused(), ..self.intake.interval(facts) };
        if heard.heard + heard.missing > 0 {
            let delay = way + FRAMING + facts.buffer_ms;
            self.ingress.add(facts.jitter_ms, delay);
            last.ingress = Some(score(heard, facts.jitter_ms, delay, echo_db, facts.codec));
        }
        let far = self.quality.far_end;
        let discarded = far.map_or(0.0, |far| f64::from(far.discarded));
        if let Some((sent, jitter)) = facts.reported.and_then(|told| self.sent.report(told, discarded, facts.clock)) {
            let buffer = far.map_or(THEIR_BUFFER, |far| f32::from(far.buffer_ms.max(far.end_delay_ms / 2)));
            let delay = way + FRAMING + buffer;
            self.egress.add(jitter, delay);
            last.egress = Some(score(sent, jitter, delay, echo_db, facts.codec));
        }
        last.judge(heard.heard + heard.missing, self.quality.far_end);
        self.quality.last = last;
    }

    /// Ends with the leg: what came since the last interval, or in no interval yet, may have been a flood.
    pub fn end(&mut self, facts: &Facts) {
        let own = self.intake.interval(facts);
        if own.due > 0 {
            let refused = self.quality.last.own.refused;
            self.quality.last.own = Own { refused, ..own };
        }
    }

    /// How it sounds; `codec` is that of now.
    pub fn quality(&self, codec: Codec) -> Quality {
        let echo_db = self.echo_db();
        let heard = self.pattern.in_all();
        let all = heard.heard + heard.missing;
        let mean = |tally: Tally, sums: Sums| {
            let (jitter, delay) = sums.mean();
            score(tally, jitter, delay, echo_db, codec)
        };
        let own = Own { refused: heard.is_refused(), ..self.intake.flood() };
        let mut call = Span { ours: self.overruns, own, ..Span::default() };
        if all > 0 && self.ingress.count > 0.0 {
            call.ingress = Some(mean(heard, self.ingress));
        }
        if self.sent.is_known() {
            call.egress = Some(mean(self.sent.tally(), self.egress));
        }
        call.judge(all, self.quality.far_end);
        Quality { call, ..self.quality }
    }

    /// What we tell the far end of its voice (RFC 3611 §4.7).
    pub fn metrics(&self, ssrc: u32, facts: &Facts) -> VoipMetrics {
        let heard = self.pattern.in_all();
        let all = heard.heard + heard.missing;
        let ingress = self.quality(facts.codec).call.ingress;
        let of_256 = |part: u64, all: u64| u8::try_from((part << 8) / all.max(1)).unwrap_or(u8::MAX);
        // `as` cuts what is below one and holds what is above the most.
        let tenths = |mos: f32| (mos * 10.0) as u8;
        let ms = |packets: u64, count: u64| u16::try_from(packets * 20 / count.max(1)).unwrap_or(u16::MAX);
        let gaps = all - heard.burst_packets.min(all);
        let buffer = facts.buffer_ms as u16;
        VoipMetrics {
            ssrc,
            loss_rate: of_256(heard.missing.saturating_sub(heard.late), all),
            discard_rate: of_256(heard.late, all),
            burst_density: of_256(heard.burst_missing, heard.burst_packets),
            gap_density: of_256(heard.missing.saturating_sub(heard.burst_missing), gaps),
            burst_duration: ms(heard.burst_packets, heard.bursts),
            gap_duration: ms(gaps, heard.bursts + 1),
            round_trip: facts.round_trip_ms.unwrap_or(0.0) as u16,
            end_system_delay: (facts.buffer_ms + 2.0 * FRAMING) as u16,
            signal_level: None,
            noise_level: None,
            echo_return_loss: None,
            gap_minimum: pattern::GAP,
            rating: ingress.map(|score| score.rating as u8),
            external_rating: None,
            mos_listening: None,
            mos_conversation: ingress.map(|score| tenths(score.mos)),
            // Concealment is the enhanced kind, the jitter buffer adapts (§4.7.6).
            configuration: 0b1011_0000,
            buffer_nominal: buffer,
            buffer_maximum: buffer,
            // What the timeline can hold of delay.
            buffer_absolute_maximum: 400,
        }
    }

    /// Ticks that came too late.
    pub fn overruns(&self) -> u64 {
        self.overruns
    }

    /// Clicks that were played.
    pub fn clicks(&self) -> u64 {
        self.clicks.count()
    }

    /// What the far end told.
    pub fn far_end(&self) -> Option<FarEnd> {
        self.quality.far_end
    }

    fn echo_db(&self) -> f64 {
        // The echo path's loss, and the loudness of the handset at both its ends (RFC 3611 §4.7.3).
        let told = self.quality.far_end.and_then(|far| far.echo_db);
        told.map_or(emodel::TALKER_ECHO, |loss| f64::from(loss) + 10.0)
    }
}

impl Sums {
    fn add(&mut self, jitter: f32, delay: f32) {
        self.jitter += f64::from(jitter);
        self.delay += f64::from(delay);
        self.count += 1.0;
    }

    fn mean(self) -> (f32, f32) {
        let count = self.count.max(1.0);
        ((self.jitter / count) as f32, (self.delay / count) as f32)
    }
}

impl Span {
    /// Says whose fault it is, of so many packets.
    fn judge(&mut self, packets: u64, far: Option<FarEnd>) {
        let bad = |score: &Score| score.rating < CONTENT;
        let theirs = far.is_some_and(|far| {
            let egress = self.egress.unwrap_or_default();
            far.discarded > 0.02 && far.discarded > egress.loss - egress.late || far.end_delay_ms > 300
        });
        self.blame = match (&self.ingress, &self.egress) {
            _ if self.ours as f64 > (packets as f64 * OUR_SHARE).max(1.0) => Blame::Us,
            (None, None) => Blame::Unknown,
            (_, Some(egress)) if bad(egress) && theirs => Blame::TheirEnd,
            (Some(ingress), _) if bad(ingress) && self.own.refused => Blame::TheirEnd,
            (Some(ingress), Some(egress)) if bad(ingress) && bad(egress) => Blame::BothWays,
            (Some(ingress), _) if bad(ingress) => Blame::WayToUs,
            (_, Some(egress)) if bad(egress) => Blame::WayFromUs,
            (_, _) => Blame::Nobody,
        };
    }
}

fn score(tally: Tally, jitter_ms: f32, delay_ms: f32, echo_db: f64, codec: Codec) -> Score {
    let (impairment, robustness) = emodel::impairment(codec);
    let (loss, burst) = (tally.loss(), tally.burst());
    let rating =
        emodel::rating(&Connection { delay_ms: f64::from(delay_ms), loss, burst, impairment, robustness, echo_db });
    let all = (tally.heard + tally.missing).max(1);
    Score {
        loss: loss as f32,
        late: (tally.late as f64 / all as f64) as f32,
        burst: burst as f32,
        jitter_ms,
        delay_ms,
        rating: rating.max(0.0) as f32,
        mos: emodel::mos(rating) as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rtp::rtcp::ReportBlock;

    pub(super) fn facts(reported: Option<Reported>) -> Facts {
        let (clock, jitter_ms, buffer_ms, round_trip_ms) = (8000, 2.0, 20.0, Some(40.0));
        let (came, ptime, now) = (0, 20, Instant::START);
        Facts { codec: Codec::Pcmu, clock, jitter_ms, buffer_ms, round_trip_ms, reported, came, ptime, now }
    }

    pub(super) fn report(highest: u32, lost: i32) -> Option<Reported> {
        let block = ReportBlock { highest, lost, jitter: 80, ..ReportBlock::default() };
        Some(Reported { block, packets: highest, left_out: 0 })
    }

    pub(super) fn talk(monitor: &mut Monitor, from: u16, keep: impl Fn(u16) -> bool) {
        (from..from + 250).filter(|n| keep(*n)).for_each(|n| monitor.arrive(n, true));
    }

    #[test]
    fn a_good_line_is_nobodys_fault_and_scores_above_four() {
        let mut monitor = Monitor::default();
        assert_eq!(monitor.quality(Codec::Pcmu).call.blame, Blame::Unknown);
        for round in 0..4u16 {
            talk(&mut monitor, round * 250, |_| true);
            monitor.interval(&facts(report(1000 + u32::from(round) * 250, 0)));
        }
        let quality = monitor.quality(Codec::Pcmu);
        let (last, call) = (quality.last, quality.call);
        assert_eq!((last.blame, call.blame), (Blame::Nobody, Blame::Nobody));
        for score in [last.ingress, last.egress, call.ingress, call.egress].map(Option::unwrap) {
            assert!(score.mos > 4.2 && score.rating > 85.0 && score.loss == 0.0, "{score:?}");
        }
        assert_eq!(last.egress.unwrap().jitter_ms, 10.0);
    }

    #[test]
    fn who_is_to_blame_follows_where_packets_go_missing() {
        let judged = |to_us: bool, from_us: bool, late_ticks: u64| {
            let mut monitor = Monitor::default();
            for round in 0..3u16 {
                talk(&mut monitor, round * 250, |n| !to_us || n % 10 != 3);
                let lost = if from_us { i32::from(round) * 25 } else { 0 };
                monitor.interval(&facts(report(1000 + u32::from(round) * 250, lost)));
            }
            monitor.overrun(late_ticks);
            monitor.quality(Codec::Pcmu).call.blame
        };
        assert_eq!(judged(false, false, 2), Blame::Nobody, "a hiccup is no cause");
        assert_eq!(judged(true, false, 0), Blame::WayToUs);
        assert_eq!(judged(false, true, 0), Blame::WayFromUs);
        assert_eq!(judged(true, true, 0), Blame::BothWays);
        assert_eq!(judged(true, false, 60), Blame::Us);
    }

    #[test]
    fn a_bad_moment_shows_in_the_last_interval_and_a_good_call_stays_good() {
        let mut monitor = Monitor::default();
        for round in 0..20u16 {
            talk(&mut monitor, round * 250, |n| round != 18 || n % 5 != 0);
            monitor.interval(&facts(None));
        }
        let quality = monitor.quality(Codec::Pcmu);
        let (last, call) = (quality.last.ingress.unwrap(), quality.call.ingress.unwrap());
        assert!(last.mos < 4.2 && call.mos > last.mos, "{last:?} {call:?}");
        assert_eq!(quality.last.egress, None, "it never reported");
        assert_eq!(quality.call.blame, Blame::Nobody);
    }

    #[test]
    fn a_far_end_that_throws_packets_away_is_named() {
        let mut monitor = Monitor::default();
        monitor.receive(&VoipMetrics { discard_rate: 26, rating: Some(60), ..VoipMetrics::default() });
        for round in 0..3u16 {
            talk(&mut monitor, round * 250, |_| true);
            monitor.interval(&facts(report(1000 + u32::from(round) * 250, 0)));
        }
        let quality = monitor.quality(Codec::Pcmu);
        assert_eq!((quality.call.blame, quality.last.blame), (Blame::TheirEnd, Blame::TheirEnd));
        assert_eq!(quality.far_end.unwrap().rating, Some(60));
    }

    #[test]
    fn packets_that_the_system_dropped_are_our_fault() {
        let mut monitor = Monitor::default();
        talk(&mut monitor, 0, |n| n % 10 != 3);
        monitor.interval(&facts(None));
        let mut figures =
            Figures { received: 225, lost: 25, quality: monitor.quality(Codec::Pcmu), ..Figures::default() };
        figures.note_system((25, 0), 25);
        assert_eq!((figures.quality.last.blame, figures.quality.call.blame), (Blame::Us, Blame::Us));
        assert_eq!(figures.dropped, 25);
    }
}
