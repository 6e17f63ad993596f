//! Against guessing of PINs: wrong ones count against the caller and against the dialled number, over all calls.
//!
//! The number's limit stops a guesser who comes as many callers. Taken alone it would let that guesser keep everybody
//! out, so whoever keyed a right PIN there before is measured by the caller's own limit only.

use std::collections::{BTreeSet, VecDeque};

use crate::base::id::DidId;
use crate::base::{Instant, PhoneNumber, Throttle};
use crate::gateway::settings::Settings;

/// Callers remembered by each throttle, some 100 bytes each. Fewer: a flood of callers locks strangers out sooner.
pub(super) const THROTTLE_KEYS: usize = 50_000;

/// Callers remembered for a right PIN, some 100 bytes each; the oldest is forgotten first. Fewer: regular callers are
/// kept out while somebody guesses.
const KNOWN_CALLERS: usize = 20_000;

/// What was keyed wrong, and by whom it was keyed right.
#[derive(Debug)]
pub(super) struct PinGuard {
    by_caller: Throttle<String>,
    by_did: Throttle<Option<DidId>>,
    known: BTreeSet<(Option<DidId>, PhoneNumber)>,
    oldest_first: VecDeque<(Option<DidId>, PhoneNumber)>,
}

/// Who keys a PIN, and where.
pub(super) struct Trier {
    /// The dialled number's rule; none for whoever came by another one.
    pub(super) did: Option<DidId>,
    /// The caller, where a number was shown.
    pub(super) caller: Option<PhoneNumber>,
    /// Who is throttled: the caller, else where the call came from.
    pub(super) key: String,
}

impl PinGuard {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            by_caller: Throttle::new(settings.pin_burst, settings.pin_refill, THROTTLE_KEYS),
            by_did: Throttle::new(settings.did_pin_burst, settings.did_pin_refill, THROTTLE_KEYS),
            known: BTreeSet::new(),
            oldest_first: VecDeque::new(),
        }
    }

    /// Whether a PIN of theirs is looked at.
    pub(super) fn may_try(&mut self, trier: &Trier, now: Instant) -> bool {
        let known = trier.caller.as_ref().is_some_and(|caller| self.known.contains(&(trier.did, caller.clone())));
        self.by_caller.allows(&trier.key, now) && (known || self.by_did.allows(&trier.did, now))
    }

    /// Notes a wrong PIN.
    pub(super) fn note_wrong(&mut self, trier: &Trier, now: Instant) {
        // Whether the throttles let this one pass was asked before; here it only counts.
        let _ = self.by_caller.take(&trier.key, now);
        let _ = self.by_did.take(&trier.did, now);
    }

    /// Notes a right PIN.
    pub(super) fn note_right(&mut self, trier: &Trier) {
        let Some(caller) = &trier.caller else { return };
        let known = (trier.did, caller.clone());
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
