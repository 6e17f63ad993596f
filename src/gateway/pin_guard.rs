//! Against guessing of PINs and passcodes: wrong ones count against who tries and against the place they try at (the
//! dialled number, or the room), over all calls and pages.
//!
//! The place's limit stops a guesser who comes as many callers. Taken alone it would let that guesser keep everybody
//! out, so whoever keyed a right PIN there before is measured by the own limit only.

use std::collections::{BTreeSet, VecDeque};

use crate::base::{Instant, Throttle};
use crate::gateway::settings::Settings;

/// Callers remembered by each throttle, some 100 bytes each. Fewer: a flood of callers locks strangers out sooner.
pub(super) const THROTTLE_KEYS: usize = 50_000;

/// Callers remembered for a right PIN, some 100 bytes each; the oldest is forgotten first. Fewer: regular callers are
/// kept out while somebody guesses.
const KNOWN_CALLERS: usize = 20_000;

/// What was keyed wrong, and by whom it was keyed right: `P` is a place, `W` who comes there.
#[derive(Debug)]
pub(super) struct PinGuard<P: Ord + Clone, W: Ord + Clone> {
    by_caller: Throttle<String>,
    by_place: Throttle<P>,
    known: BTreeSet<(P, W)>,
    oldest_first: VecDeque<(P, W)>,
}

/// Who keys a PIN, and where.
pub(super) struct Trier<P, W> {
    /// Where it is keyed.
    pub(super) place: P,
    /// Who, where that is known.
    pub(super) who: Option<W>,
    /// Who is throttled: the caller, else where the call came from.
    pub(super) key: String,
}

impl<P: Ord + Clone, W: Ord + Clone> PinGuard<P, W> {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            by_caller: Throttle::new(settings.pin_burst, settings.pin_refill, THROTTLE_KEYS),
            by_place: Throttle::new(settings.did_pin_burst, settings.did_pin_refill, THROTTLE_KEYS),
            known: BTreeSet::new(),
            oldest_first: VecDeque::new(),
        }
    }

    /// Whether a PIN of theirs is looked at.
    pub(super) fn may_try(&mut self, trier: &Trier<P, W>, now: Instant) -> bool {
        let known = trier.who.as_ref().is_some_and(|who| self.known.contains(&(trier.place.clone(), who.clone())));
        self.by_caller.allows(&trier.key, now) && (known || self.by_place.allows(&trier.place, now))
    }

    /// Notes a wrong PIN.
    pub(super) fn note_wrong(&mut self, trier: &Trier<P, W>, now: Instant) {
        // Whether the throttles let this one pass was asked before; here it only counts.
        let _ = self.by_caller.take(&trier.key, now);
        let _ = self.by_place.take(&trier.place, now);
    }

    /// Notes something wrong that is too long to be guessed: it costs nobody else. False: this one has shown too much of it.
    pub(super) fn note_unguessable(&mut self, trier: &Trier<P, W>, now: Instant) -> bool {
        self.by_caller.take(&trier.key, now).is_ok()
    }

    /// Notes a right PIN.
    pub(super) fn note_right(&mut self, trier: &Trier<P, W>) {
        let Some(who) = &trier.who else { return };
        let known = (trier.place.clone(), who.clone());
        if !self.known.insert(known.clone()) {
            return;
        }
        self.oldest_first.push_back(known);
        if self.oldest_first.len() > KNOWN_CALLERS
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}
