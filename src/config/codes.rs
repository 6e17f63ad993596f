//! `[codes]`: calls that move to another device by a code, and printed codes that begin calls.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::check::Findings;
use super::{Config, Period};
use crate::gateway::code::Coding;
use crate::transfer::Confirm;

/// Calls that move to another device by a code, and printed codes that begin calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Codes {
    /// Whether calls move by codes.
    pub allowed: bool,
    /// Who is asked, where nothing else is said.
    pub confirm: Confirm,
    /// How long a code counts, where nothing else is said.
    pub lasts: Period,
    /// Whether telephones have a code said by a key.
    pub by_key: bool,
    /// Whether codes are printed that begin calls.
    pub printed: bool,
    /// How long those count, where nothing else is said.
    pub printed_lasts: Period,
    /// How many calls one of those begins in an hour, where nothing else is said.
    pub printed_per_hour: u32,
    /// Calls that one address or number begins at once by printed codes.
    pub begin_burst: u32,
    /// One more after this long.
    pub begin_refill: Period,
}

impl Default for Codes {
    fn default() -> Self {
        let of = Coding::default();
        Self {
            allowed: of.allowed,
            confirm: of.confirm,
            lasts: Period(of.lasts),
            by_key: of.by_key,
            printed: of.printed,
            printed_lasts: Period(of.printed_lasts),
            printed_per_hour: of.per_hour,
            begin_burst: of.begin_burst,
            begin_refill: Period(of.begin_refill),
        }
    }
}

impl Codes {
    /// What the gateway is given.
    pub(super) const fn gateway(&self) -> Coding {
        Coding {
            allowed: self.allowed,
            confirm: self.confirm,
            lasts: self.lasts.0,
            by_key: self.by_key,
            printed: self.printed,
            printed_lasts: self.printed_lasts.0,
            per_hour: self.printed_per_hour,
            begin_burst: self.begin_burst,
            begin_refill: self.begin_refill.0,
        }
    }
}

/// A day.
const DAY: u64 = 86_400;

pub(super) fn check(config: &Config, found: &mut Findings) {
    let of = &config.codes;
    let lengths: [(&str, Period, RangeInclusive<u64>, &str); 3] = [
        ("codes.lasts", of.lasts, 10..=600, "must be 10s to 10m: whoever photographs a code has that long"),
        ("codes.printed_lasts", of.printed_lasts, 60..=5 * 365 * DAY, "must be 1m to 1825d"),
        ("codes.begin_refill", of.begin_refill, 1..=DAY, "must be 1s to 1d"),
    ];
    for (key, length, range, text) in lengths {
        if !range.contains(&length.0.as_secs()) {
            found.fatal(key, text);
        }
    }
    if !(1..=10_000).contains(&of.printed_per_hour) {
        found.fatal("codes.printed_per_hour", "must be 1 to 10000; to have no such calls, write printed = false");
    }
    if !(1..=1000).contains(&of.begin_burst) {
        found.fatal("codes.begin_burst", "must be 1 to 1000; to have no such calls, write printed = false");
    }
}
