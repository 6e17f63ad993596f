//! RTCP of one leg (RFC 3550 §6): when to report, what, and what the far end's reports tell.

use std::time::Duration;

use super::egress::Egress;
use super::reception::Reception;
use crate::base::Instant;
use crate::wire::rtp::rtcp::{Compound, Report, ReportBlock, SenderInfo, Writer};
use crate::wire::rtp::xr::{Block, Blocks, VoipMetrics};

/// Mean interval (§6.2). Longer: figures are stale. Shorter: nothing gained, traffic spent.
const INTERVAL: Duration = Duration::from_secs(5);

/// Longest canonical name sent: what a datagram of ours has room for beside a report.
const LONGEST_NAME: usize = 255;

/// Clocks of ours that a far end may answer. More: an old one that is sent again tells a trip of minutes. Fewer: a far end that
/// reports seldom, or late, is not understood.
const CLOCKS: usize = 4;

/// Longest round trip believed: 3 s, in 1/65536 s. Longer: sums of a far end that are off are told as a line that is far. Shorter: one
/// that is so far, or so full, is not told.
const LONGEST_TRIP: u32 = 3 << 16;

/// A far end that says it held our clock for a smaller part of the trip than this one of so many does not count in 1/65536 s, as those
/// that count in milliseconds; only for trips longer than [`LIKELY_TRIP`].
const HELD: u32 = 32;

/// 250 ms. Longer: what such a far end holds back for less than that is told as its distance. Shorter: one that answers at once is not
/// understood.
const LIKELY_TRIP: u32 = 1 << 14;

/// The reporter of one leg.
#[derive(Debug, Clone)]
// In this order: what every tick looks at is its end.
#[repr(C)]
pub struct Reporter {
    cname: Vec<u8>,
    /// A small generator (splitmix64), seeded from the leg's unpredictable numbers: intervals need spread, not secrecy.
    chance: u64,
    sent_then: u32,
    /// The middle halves of the last clocks of ours that went out, newest first; 0 for none.
    told: [u32; CLOCKS],
    /// Middle half of the far end's last NTP timestamp, and when it came.
    heard: Option<(u32, Instant)>,
    /// The same of a clock that came in an extended report, and whose it is.
    clock: Option<(u32, u32, Instant)>,
    round_trip: Option<Duration>,
    remote_loss: Option<f32>,
    reported: Option<Reported>,
    due: Instant,
}

/// What the far end said last of our stream, and what had gone out by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reported {
    /// What it said.
    pub block: ReportBlock,
    /// Our packets by then.
    pub packets: u32,
    /// Our numbers without a packet by then.
    pub left_out: u32,
}

/// What a report holds beside what every report does.
#[derive(Debug, Clone, Copy, Default)]
pub struct More {
    /// What we measured of their voice.
    pub metrics: Option<VoipMetrics>,
    /// Our clock, for a far end that only receives.
    pub clock: bool,
    /// The leg ends.
    pub bye: bool,
}

impl Reporter {
    /// When the next report is due: all that a tick looks at.
    pub(super) fn due(&self) -> &Instant {
        &self.due
    }

    /// The first report is due after half an interval in the mean (§6.2).
    pub fn new(cname: &str, seed: u64, now: Instant) -> Self {
        let cname = cname.as_bytes();
        let cname = cname.get(..LONGEST_NAME).unwrap_or(cname).to_vec();
        let mut reporter = Self {
            cname,
            due: now,
            chance: seed,
            sent_then: 0,
            told: [0; CLOCKS],
            heard: None,
            clock: None,
            round_trip: None,
            remote_loss: None,
            reported: None,
        };
        reporter.due = now + reporter.interval() / 2;
        reporter
    }

    /// Whether a report is due; arms the next when it is.
    pub fn poll_due(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        self.due = now + self.interval();
        true
    }

    /// Writes a report: a sender's if anything was sent since the last, else a receiver's; with BYE at the end of a
    /// leg. Returns its length.
    pub fn write(
        &mut self,
        egress: &Egress,
        reception: &mut Reception,
        more: &More,
        now: Instant,
        buffer: &mut [u8],
    ) -> usize {
        let block = reception.ssrc().map(|ssrc| {
            let (lost, fraction_lost) = reception.report();
            let (last_report, delay) = self.heard.map_or((0, 0), |(ntp, at)| (ntp, units(now.since(at))));
            ReportBlock {
                ssrc,
                fraction_lost,
                lost,
                highest: reception.highest(),
                jitter: reception.jitter(),
                last_report,
                delay,
            }
        });
        let (packets, octets) = egress.counters();
        let mut writer = Writer::new(buffer);
        if packets != self.sent_then || more.clock {
            self.told.rotate_right(1);
            self.told[0] = middle(ntp(now));
        }
        if packets == self.sent_then {
            writer.receiver_report(egress.ssrc(), block.as_ref());
        } else {
            let info = SenderInfo { ntp: ntp(now), timestamp: egress.timestamp(), packets, octets };
            writer.sender_report(egress.ssrc(), &info, block.as_ref());
        }
        self.sent_then = packets;
        writer.description(egress.ssrc(), &self.cname);
        let since = self.clock.map(|(ssrc, last, at)| {
            let delay = units(now.since(at));
            Block::DelaySince { ssrc, last, delay }
        });
        let clock = more.clock.then(|| Block::ReceiverTime { ntp: ntp(now) });
        let metrics = more.metrics.map(Block::Voip);
        if since.is_some() || clock.is_some() || metrics.is_some() {
            writer.extended(egress.ssrc(), [clock, since, metrics].into_iter().flatten());
        }
        if more.bye {
            writer.bye(egress.ssrc());
        }
        writer.finish()
    }

    /// Takes the far end's report; returns what it measured of our voice, where it says.
    pub fn receive(&mut self, compound: Compound<'_>, egress: &Egress, now: Instant) -> Option<VoipMetrics> {
        let mut metrics = None;
        let ours = egress.ssrc();
        for report in compound {
            let blocks = match report {
                Report::Sender { info, blocks, .. } => {
                    self.heard = Some((middle(info.ntp), now));
                    blocks
                }
                Report::Receiver { blocks, .. } => blocks,
                Report::Extended { ssrc, blocks } => {
                    metrics = self.receive_extended(ssrc, blocks, ours, now).or(metrics);
                    continue;
                }
                Report::Description { .. } | Report::Bye { .. } | Report::Other { .. } => continue,
            };
            for block in blocks.filter(|block| block.ssrc == ours) {
                self.remote_loss = Some(f32::from(block.fraction_lost) / 256.0);
                let packets = egress.counters().0;
                self.reported = Some(Reported { block, packets, left_out: egress.left_out() });
                self.note_trip(block.last_report, block.delay, now);
            }
        }
        metrics
    }

    fn receive_extended(&mut self, ssrc: u32, blocks: Blocks<'_>, ours: u32, now: Instant) -> Option<VoipMetrics> {
        let mut found = None;
        for block in blocks {
            match block {
                Block::ReceiverTime { ntp } => self.clock = Some((ssrc, middle(ntp), now)),
                Block::DelaySince { ssrc, last, delay } if ssrc == ours => self.note_trip(last, delay, now),
                Block::Voip(metrics) if metrics.ssrc == ours => found = Some(metrics),
                Block::DelaySince { .. } | Block::Voip(_) | Block::Other(_) => {}
            }
        }
        found
    }

    /// A clock of ours came back, so long after it had arrived there.
    fn note_trip(&mut self, last: u32, delay: u32, now: Instant) {
        if last == 0 || !self.told.contains(&last) {
            return;
        }
        let trip = middle(ntp(now)).wrapping_sub(last).wrapping_sub(delay);
        // A negative trip is longer than any; of one who does not say how long it held our clock nothing is known.
        let counts = delay != 0 && (trip <= LIKELY_TRIP || delay > trip / HELD);
        if trip <= LONGEST_TRIP && counts {
            self.round_trip = Some(Duration::from_nanos((u64::from(trip) * 1_000_000_000) >> 16));
        }
    }

    /// Its last report on our stream.
    pub fn reported(&self) -> Option<Reported> {
        self.reported
    }

    /// Round-trip time, once the far end told.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Share of our packets that the far end lost, once it told.
    pub fn remote_loss(&self) -> Option<f32> {
        self.remote_loss
    }

    /// Half to one and a half intervals, so that legs do not report in step (§6.3.1).
    fn interval(&mut self) -> Duration {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let millis = u64::try_from(INTERVAL.as_millis()).unwrap_or(5000);
        Duration::from_millis(millis / 2 + (bits >> 33) % (millis + 1))
    }
}

/// The program's own clock as an NTP timestamp. It counts from the start (§6.4.1 allows elapsed time): only
/// differences are ever taken. One second is added, since zero means "none".
fn ntp(now: Instant) -> u64 {
    let since = now.since_start();
    ((since.as_secs() + 1) << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
}

fn middle(ntp: u64) -> u32 {
    ((ntp >> 16) & 0xffff_ffff) as u32
}

/// In 1/65536 s.
fn units(length: Duration) -> u32 {
    u32::try_from((length.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::codec::Codec;

    #[test]
    fn two_ends_learn_the_round_trip_and_the_loss_from_each_other() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut buffer = [0; 512];
        let (mut a, mut b) = (Reporter::new("a", 1, at(0)), Reporter::new("b", 2, at(0)));
        let mut sent = Egress::new(11, 1, 1, Codec::Pcmu, 0, 20);
        let mut silence = super::super::egress::Encoded::default();
        silence.silence(crate::wire::codec::g711::Law::Mu);
        sent.frame(&mut silence, |_| {});
        let silent = Egress::new(22, 1, 1, Codec::Pcmu, 0, 20);
        let length = a.write(&sent, &mut Reception::default(), &More::default(), at(1000), &mut buffer);
        assert_eq!(b.receive(Compound::parse(&buffer[..length]).unwrap(), &silent, at(1040)), None);
        let mut reception = Reception::default();
        reception.begin(11, 1);
        (1..=4)
            .filter(|n| *n != 3)
            .for_each(|n| assert_eq!(reception.arrive(n), super::super::reception::Arrival::Fresh));
        let length = b.write(&silent, &mut reception, &More { bye: true, ..More::default() }, at(1540), &mut buffer);
        assert_eq!(a.receive(Compound::parse(&buffer[..length]).unwrap(), &sent, at(1600)), None);
        let trip = a.round_trip().unwrap();
        assert!(trip > Duration::from_millis(99) && trip < Duration::from_millis(101), "{trip:?}");
        assert_eq!(a.remote_loss(), Some(0.25));
        assert!(Compound::parse(&buffer[..length]).unwrap().any(|r| r == Report::Bye { ssrc: Some(22) }));
    }

    #[test]
    fn one_who_only_receives_learns_the_round_trip_and_what_we_measured() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let mut buffer = [0; 512];
        let (mut phone, mut ours) = (Reporter::new("p", 1, at(0)), Reporter::new("o", 2, at(0)));
        let (theirs, sent) = (Egress::new(11, 1, 1, Codec::Pcmu, 0, 20), Egress::new(22, 1, 1, Codec::Pcmu, 0, 20));
        let more = More { clock: true, ..More::default() };
        let length = phone.write(&theirs, &mut Reception::default(), &more, at(1000), &mut buffer);
        assert_eq!(ours.receive(Compound::parse(&buffer[..length]).unwrap(), &sent, at(1030)), None);
        let metrics = VoipMetrics { ssrc: 11, loss_rate: 9, rating: Some(81), ..VoipMetrics::default() };
        let more = More { metrics: Some(metrics), ..More::default() };
        let length = ours.write(&sent, &mut Reception::default(), &more, at(1230), &mut buffer);
        let read = Compound::parse(&buffer[..length]).unwrap();
        assert_eq!(phone.receive(read, &theirs, at(1260)), Some(metrics));
        let another = Egress::new(99, 1, 1, Codec::Pcmu, 0, 20);
        assert_eq!(phone.receive(read, &another, at(1260)), None, "of another's voice");
        let trip = phone.round_trip().unwrap();
        assert!(trip > Duration::from_millis(59) && trip < Duration::from_millis(61), "{trip:?}");
    }

    #[test]
    fn a_round_trip_is_told_only_by_who_answers_a_clock_of_ours_and_counts_what_it_held_it_back() {
        let at = |ms| Instant::START + Duration::from_millis(ms);
        let clock = |ms| middle(ntp(at(ms)));
        let silent = Egress::new(22, 1, 1, Codec::Pcmu, 0, 20);
        let mut ours = Reporter::new("o", 2, at(0));
        let clocks = More { clock: true, ..More::default() };
        let mut buffer = [0; 512];
        for ms in [100_000, 105_000, 110_000, 115_000, 120_000] {
            ours.write(&silent, &mut Reception::default(), &clocks, at(ms), &mut buffer);
        }
        let held = |ms: u64| units(Duration::from_millis(ms));
        for (last, delay, why) in [
            (clock(120_000), 0, "what it held back is part of it"),
            (clock(120_000), 2450, "counted in milliseconds"),
            (clock(120_000), held(2600), "before it was sent"),
            (clock(110_000), held(1000), "of eleven seconds"),
            (clock(100_000), held(22_460), "no longer one of the last"),
            (clock(119_000), held(3460), "never sent"),
            (12345, 0, "never sent"),
            (0, held(2460), "none"),
        ] {
            ours.note_trip(last, delay, at(122_500));
            assert_eq!(ours.round_trip(), None, "{why}");
        }
        for (last, delay) in [(clock(120_000), held(2460)), (clock(105_000), held(17_460))] {
            ours.round_trip = None;
            ours.note_trip(last, delay, at(122_500));
            let trip = ours.round_trip().unwrap();
            assert!(trip > Duration::from_millis(39) && trip < Duration::from_millis(41), "{trip:?}");
        }
        ours.note_trip(clock(120_000), 0, at(130_000));
        assert!(ours.round_trip().is_some(), "what is known stays");
    }

    #[test]
    fn reports_are_five_seconds_apart_in_the_mean_and_never_in_step() {
        let mut reporter = Reporter::new("a", 7, Instant::START);
        let mut now = Instant::START;
        let mut count = 0;
        while now < Instant::START + Duration::from_secs(1000) {
            now = now + Duration::from_millis(20);
            count += u32::from(reporter.poll_due(now));
        }
        assert!((185..215).contains(&count), "{count}");
    }
}
