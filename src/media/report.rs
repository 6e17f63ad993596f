//! RTCP of one leg (RFC 3550 §6): when to report, what, and what the far end's reports tell.

use std::time::Duration;

use super::egress::Egress;
use super::reception::Reception;
use crate::base::Instant;
use crate::wire::rtp::rtcp::{Compound, Report, ReportBlock, SenderInfo, Writer};

/// Mean interval (§6.2). Longer: figures are stale. Shorter: nothing gained, traffic spent.
const INTERVAL: Duration = Duration::from_secs(5);

/// Longest canonical name sent: what a datagram of ours has room for beside a report.
const LONGEST_NAME: usize = 255;

/// The reporter of one leg.
#[derive(Debug, Clone)]
pub struct Reporter {
    cname: Vec<u8>,
    due: Instant,
    /// A small generator (splitmix64), seeded from the leg's unpredictable numbers: intervals need spread, not secrecy.
    chance: u64,
    sent_then: u32,
    /// Middle half of the far end's last NTP timestamp, and when it came.
    heard: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    remote_loss: Option<f32>,
}

impl Reporter {
    /// The first report is due after half an interval in the mean (§6.2).
    pub fn new(cname: &str, seed: u64, now: Instant) -> Self {
        let cname = cname.as_bytes();
        let cname = cname.get(..LONGEST_NAME).unwrap_or(cname).to_vec();
        let mut reporter =
            Self { cname, due: now, chance: seed, sent_then: 0, heard: None, round_trip: None, remote_loss: None };
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
        bye: bool,
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
        if packets == self.sent_then {
            writer.receiver_report(egress.ssrc(), block.as_ref());
        } else {
            let info = SenderInfo { ntp: ntp(now), timestamp: egress.timestamp(), packets, octets };
            writer.sender_report(egress.ssrc(), &info, block.as_ref());
        }
        self.sent_then = packets;
        writer.description(egress.ssrc(), &self.cname);
        if bye {
            writer.bye(egress.ssrc());
        }
        writer.finish()
    }

    /// Takes the far end's report.
    pub fn receive(&mut self, compound: Compound<'_>, ours: u32, now: Instant) {
        for report in compound {
            let blocks = match report {
                Report::Sender { info, blocks, .. } => {
                    self.heard = Some((middle(info.ntp), now));
                    blocks
                }
                Report::Receiver { blocks, .. } => blocks,
                Report::Description { .. } | Report::Bye { .. } | Report::Other { .. } => continue,
            };
            for block in blocks.filter(|block| block.ssrc == ours) {
                self.remote_loss = Some(f32::from(block.fraction_lost) / 256.0);
                if block.last_report != 0 {
                    let trip = middle(ntp(now)).wrapping_sub(block.last_report).wrapping_sub(block.delay);
                    // Over half of the range is a negative trip: a far end whose clock or sums are off.
                    if trip < 1 << 31 {
                        self.round_trip = Some(Duration::from_nanos((u64::from(trip) * 1_000_000_000) >> 16));
                    }
                }
            }
        }
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
        let length = a.write(&sent, &mut Reception::default(), false, at(1000), &mut buffer);
        b.receive(Compound::parse(&buffer[..length]).unwrap(), 22, at(1040));
        let mut reception = Reception::default();
        reception.begin(11, 1);
        (1..=4)
            .filter(|n| *n != 3)
            .for_each(|n| assert_eq!(reception.arrive(n), super::super::reception::Arrival::Fresh));
        let length = b.write(&silent, &mut reception, true, at(1540), &mut buffer);
        a.receive(Compound::parse(&buffer[..length]).unwrap(), 11, at(1600));
        let trip = a.round_trip().unwrap();
        assert!(trip > Duration::from_millis(99) && trip < Duration::from_millis(101), "{trip:?}");
        assert_eq!(a.remote_loss(), Some(0.25));
        assert!(Compound::parse(&buffer[..length]).unwrap().any(|r| r == Report::Bye { ssrc: Some(22) }));
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
