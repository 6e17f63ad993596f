//! To which device a person is nearer, by what the devices report: distance, signal strength, how loud each hears them.
//!
//! ```text
//!  reports ─▶ who is nearer, by how many decibels? ─ 6 dB or more, for 3 s ─▶ move ─▶ 10 s in which nothing moves
//!                └ under 3 dB: the candidate is dropped           a move by hand: 10 min without any by itself
//! ```
//!
//! Only monotonic time counts, and only when a report arrived: what a device's clock says, and what happens to ours, moves
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::Instant;
use crate::base::id::DeviceId;

/// By how much another device has to be nearer: twice as near is 6 dB. More: the call stays behind in the next room. Less: it
/// moves because somebody leans back.
const THRESHOLD: f32 = 6.0;

/// Below this a candidate is one no more; above it noise does not begin its time anew.
const DROPPED: f32 = 3.0;

/// How much more is needed to take a call from a device that is in use.
const IN_USE: f32 = 6.0;

/// How long it has to be nearer. Longer: the person waits for the call. Shorter: it moves while they walk past.
const HELD: Duration = Duration::from_secs(3);

/// After a move none follows for so long. Longer: who walks on waits. Shorter: ping-pong.
const REST: Duration = Duration::from_secs(10);

/// After a move by hand none is made by itself for so long: the person has said what they want.
const HANDS_OFF: Duration = Duration::from_secs(600);

/// How long a report counts. Longer: a device that fell silent seems near. Shorter: one lost report drops the candidate.
const FRESH: Duration = Duration::from_secs(5);

/// How far apart two microphones' reports may lie that heard the same words. Longer: two people are compared.
const SAME_WORDS: Duration = Duration::from_millis(1500);

/// A signal's strength says less than a distance: 10 dB of it are worth 6.
const SIGNAL_WORTH: f32 = 0.6;

/// What the person does with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Activity {
    /// Holds it, types, looks at it.
    InUse,
    /// Nothing.
    Idle,
    /// Its lid is closed, it lies on its face, in a pocket: no call is moved to it.
    PutAway,
}

/// What a device noticed; what it cannot measure is left out.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Report {
    /// How far the person is away, in metres: 0.05 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_m: Option<f32>,
    /// How strong it hears the person's beacon or watch, in dBm: -120 to 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal_dbm: Option<f32>,
    /// How loud its microphone hears the person speak, in dBFS: -100 to 0. Left out while they are silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_dbfs: Option<f32>,
    /// What the person does with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
}

impl Report {
    /// Which field cannot be true; none where all can. What is no number is none of them.
    pub fn flaw(&self) -> Option<&'static str> {
        let fits =
            |value: Option<f32>, least: f32, most: f32| value.is_none_or(|value| (least..=most).contains(&value));
        if !fits(self.distance_m, 0.05, 100.0) {
            return Some("distance_m");
        }
        if !fits(self.signal_dbm, -120.0, 0.0) {
            return Some("signal_dbm");
        }
        if !fits(self.speech_dbfs, -100.0, 0.0) {
            return Some("speech_dbfs");
        }
        None
    }
}

/// A measure, and when it was reported.
type Seen = Option<(f32, Instant)>;

/// The latest of each measure of a device.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    distance: Seen,
    signal: Seen,
    speech: Seen,
    activity: Option<(Activity, Instant)>,
}

/// Where one person is among their devices.
#[derive(Debug, Default)]
pub struct Nearness {
    heard: BTreeMap<DeviceId, Heard>,
    candidate: Option<(DeviceId, Instant)>,
    /// When it was looked at last: what was due by then is no more.
    looked: Option<Instant>,
    /// No move by itself before then.
    rests_until: Option<Instant>,
}

impl Nearness {
    /// A device reports.
    pub fn report(&mut self, device: DeviceId, report: &Report, now: Instant) {
        let heard = self.heard.entry(device).or_default();
        let keep = |seen: &mut Seen, value: Option<f32>| {
            if let Some(value) = value {
                *seen = Some((value, now));
            }
        };
        keep(&mut heard.distance, report.distance_m);
        keep(&mut heard.signal, report.signal_dbm);
        keep(&mut heard.speech, report.speech_dbfs);
        if let Some(activity) = report.activity {
            heard.activity = Some((activity, now));
        }
    }

    /// A device is gone.
    pub fn forget(&mut self, device: DeviceId) {
        self.heard.remove(&device);
        self.candidate = self.candidate.filter(|(of, _)| *of != device);
    }

    /// The device that the call is to move to now, out of those that may have it; asked after every report and at
    /// [`Nearness::poll_timeout`].
    pub fn nearer(&mut self, current: DeviceId, may: &[DeviceId], now: Instant) -> Option<DeviceId> {
        self.looked(now);
        let best = may
            .iter()
            .filter(|device| **device != current && !self.is_put_away(**device, now))
            .filter_map(|device| self.lead(*device, current, now).map(|lead| (*device, lead)))
            .max_by(|(_, a), (_, b)| a.total_cmp(b));
        let extra = if self.is_in_use(current, now) { IN_USE } else { 0.0 };
        let kept = self.candidate.filter(|(device, _)| {
            may.contains(device)
                && !self.is_put_away(*device, now)
                && self.lead(*device, current, now).is_some_and(|lead| lead >= DROPPED + extra)
        });
        self.candidate = match (kept, best) {
            (Some((device, since)), _) => Some((device, since)),
            (None, Some((device, lead))) if lead >= THRESHOLD + extra => Some((device, now)),
            (None, _) => None,
        };
        let (device, since) = self.candidate?;
        let rests = self.rests_until.is_some_and(|until| now < until);
        let lead = self.lead(device, current, now)?;
        (!rests && now.since(since) >= HELD && lead >= THRESHOLD + extra).then_some(device)
    }

    /// It was looked whether something is due. Without a report nothing is due again.
    pub fn looked(&mut self, now: Instant) {
        self.looked = Some(now);
    }

    /// The call moved, by itself or by hand.
    pub fn moved(&mut self, by_hand: bool, now: Instant) {
        self.candidate = None;
        let until = now + if by_hand { HANDS_OFF } else { REST };
        self.rests_until = Some(self.rests_until.map_or(until, |before| before.max(until)));
    }

    /// A move by itself came to nothing: it is not tried again at once.
    pub fn failed(&mut self, now: Instant) {
        self.moved(false, now);
    }

    /// Until when no call moves by itself because one was moved by hand, or just now.
    pub fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until.filter(|until| now < *until)
    }

    /// When [`Nearness::nearer`] may say something although nothing was reported.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (_, since) = self.candidate?;
        let due = since + HELD;
        let due = self.rests_until.map_or(due, |until| until.max(due));
        self.looked.is_none_or(|at| at < due).then_some(due)
    }

    /// By how many decibels a device is nearer than another, by the best measure that both have; nothing where another
    /// measure says the opposite.
    fn lead(&self, device: DeviceId, than: DeviceId, now: Instant) -> Option<f32> {
        let (a, b) = (self.heard.get(&device)?, self.heard.get(&than)?);
        let fresh = |seen: Seen| seen.filter(|(_, at)| now.since(*at) <= FRESH);
        let both = |a: Seen, b: Seen| Some((fresh(a)?, fresh(b)?));
        let distance = both(a.distance, b.distance).map(|((a, _), (b, _))| 20.0 * (b / a).log10());
        let speech = both(a.speech, b.speech)
            .filter(|((_, at), (_, of))| at.since(*of).max(of.since(*at)) <= SAME_WORDS)
            .map(|((a, _), (b, _))| a - b);
        let signal = both(a.signal, b.signal).map(|((a, _), (b, _))| (a - b) * SIGNAL_WORTH);
        let measures = [distance, speech, signal];
        let lead = measures.into_iter().flatten().next()?;
        let denied = measures.into_iter().flatten().any(|measure| measure <= -DROPPED);
        (!denied).then_some(lead)
    }

    fn is_put_away(&self, device: DeviceId, now: Instant) -> bool {
        self.does(device, Activity::PutAway, now)
    }

    fn is_in_use(&self, device: DeviceId, now: Instant) -> bool {
        self.does(device, Activity::InUse, now)
    }

    fn does(&self, device: DeviceId, what: Activity, now: Instant) -> bool {
        let activity = self.heard.get(&device).and_then(|heard| heard.activity);
        // What was put away stays so until it says otherwise.
        activity.is_some_and(|(is, at)| is == what && (is == Activity::PutAway || now.since(at) <= FRESH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: DeviceId = DeviceId::from_bits(1);
    const LAPTOP: DeviceId = DeviceId::from_bits(2);

    fn at(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    fn distance(metres: f32) -> Report {
        Report { distance_m: Some(metres), ..Report::default() }
    }

    fn speech(level: f32) -> Report {
        Report { speech_dbfs: Some(level), ..Report::default() }
    }

    /// Both report every half second; when it moves from the phone to the laptop, if at all.
    fn walk(seconds: u64, reports: impl Fn(u64) -> (Report, Report)) -> Option<u64> {
        let mut near = Nearness::default();
        (0..seconds * 2).map(|step| step * 500).find(|ms| {
            let (phone, laptop) = reports(*ms);
            near.report(PHONE, &phone, at(*ms));
            near.report(LAPTOP, &laptop, at(*ms));
            near.nearer(PHONE, &[PHONE, LAPTOP], at(*ms)) == Some(LAPTOP)
        })
    }

    #[test]
    fn the_call_follows_whoever_stays_near_the_other_device_and_not_whoever_walks_past() {
        let stays =
            walk(20, |ms| if ms < 2000 { (distance(1.0), distance(4.0)) } else { (distance(4.0), distance(1.0)) });
        assert_eq!(stays, Some(5000), "after three seconds");
        let passes = |ms| {
            if (2000..4500).contains(&ms) { (distance(4.0), distance(1.0)) } else { (distance(1.0), distance(4.0)) }
        };
        assert_eq!(walk(20, passes), None);
        assert_eq!(walk(20, |_| (distance(1.5), distance(1.0))), None, "a little nearer is not enough");
    }

    #[test]
    fn noise_between_the_two_thresholds_does_not_begin_the_time_anew() {
        let noisy = |ms: u64| (distance(2.0), distance(if ms % 1500 == 500 { 1.3 } else { 0.9 }));
        assert_eq!(walk(20, noisy), Some(3000));
        let far = |ms: u64| (distance(2.0), distance(if ms % 1500 == 500 { 1.9 } else { 0.9 }));
        assert_eq!(walk(20, far), None, "that is no noise");
    }

    #[test]
    fn the_louder_microphone_wins_only_for_the_same_words_and_only_where_nothing_denies_it() {
        assert_eq!(walk(10, |_| (speech(-40.0), speech(-30.0))), Some(3000));
        let contradicted =
            |_| (Report { distance_m: Some(1.0), ..speech(-40.0) }, Report { distance_m: Some(3.0), ..speech(-30.0) });
        assert_eq!(walk(10, contradicted), None);
        let mut near = Nearness::default();
        for ms in (0..10_000).step_by(2000) {
            near.report(LAPTOP, &speech(-20.0), at(ms));
            // Somebody else, two seconds later.
            near.report(PHONE, &speech(-50.0), at(ms + 1800));
            assert_eq!(near.nearer(PHONE, &[LAPTOP], at(ms + 1800)), None);
        }
        let signal = |level: f32| Report { signal_dbm: Some(level), ..Report::default() };
        assert_eq!(walk(10, |_| (signal(-70.0), signal(-62.0))), None);
        assert_eq!(walk(10, |_| (signal(-70.0), signal(-58.0))), Some(3000));
    }

    #[test]
    fn what_is_in_use_keeps_the_call_longer_and_what_is_put_away_gets_none() {
        let used = |_| (Report { activity: Some(Activity::InUse), ..distance(2.0) }, distance(0.9));
        assert_eq!(walk(20, used), None);
        let away = |_| (distance(4.0), Report { activity: Some(Activity::PutAway), ..distance(0.5) });
        assert_eq!(walk(20, away), None);
    }

    #[test]
    fn after_a_move_it_rests_and_after_one_by_hand_for_long() {
        for (by_hand, rests) in [(false, 10_000), (true, 600_000)] {
            let mut near = Nearness::default();
            near.moved(by_hand, at(0));
            let moved = (0..2000).map(|step| step * 500).find(|ms| {
                near.report(PHONE, &distance(4.0), at(*ms));
                near.report(LAPTOP, &distance(1.0), at(*ms));
                near.nearer(PHONE, &[LAPTOP], at(*ms)).is_some()
            });
            assert_eq!(moved, Some(rests));
        }
    }

    #[test]
    fn a_device_that_falls_silent_is_near_nobody() {
        let mut near = Nearness::default();
        near.report(LAPTOP, &distance(0.5), at(0));
        for ms in (0..20_000).step_by(500) {
            near.report(PHONE, &distance(4.0), at(ms));
            let moves = near.nearer(PHONE, &[LAPTOP], at(ms));
            assert_eq!(moves.is_some(), (3000..=5000).contains(&ms), "{ms}");
        }
        near.forget(LAPTOP);
        assert_eq!(near.poll_timeout(), None);
    }

    #[test]
    fn what_cannot_be_is_no_report() {
        assert_eq!(distance(1.0).flaw(), None);
        assert_eq!(distance(-1.0).flaw(), Some("distance_m"));
        assert_eq!(distance(f32::NAN).flaw(), Some("distance_m"));
        assert_eq!(speech(3.0).flaw(), Some("speech_dbfs"));
        assert_eq!(Report { signal_dbm: Some(f32::INFINITY), ..Report::default() }.flaw(), Some("signal_dbm"));
    }
}
