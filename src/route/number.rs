//! The numbers routed to us: which of them was dialled, and why the others were not.

use crate::base::PhoneNumber;
use crate::base::id::TrunkId;
use crate::base::phone_number::NumberPlan;
use crate::route::explain::Note;
use crate::route::{Called, Did, Facts, Step, Table};

/// How what was dialled is read.
pub(super) struct Reading<'a> {
    /// On whose plan, for explanations: `trunk Carrier A`.
    pub(super) whose: &'a str,
    /// The plan.
    pub(super) plan: &'a NumberPlan,
    /// What came out.
    pub(super) called: Option<&'a PhoneNumber>,
    /// The trunk it came by, where it did.
    pub(super) trunk: Option<TrunkId>,
}

/// Which of the numbers are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// All of them.
    All,
    /// Those that name something.
    Named,
    /// `*` alone.
    LastResort,
}

impl Table {
    pub(super) fn find_did(&self, facts: &Facts, reading: &Reading<'_>, look: Look, note: Note<'_>) -> Option<&Did> {
        let mut found: Option<(&Did, u8)> = None;
        let looked_at = |did: &&Did| match look {
            Look::All => true,
            Look::Named => did.called != Called::Any,
            Look::LastResort => did.called == Called::Any,
        };
        for did in self.dids.values().filter(looked_at) {
            let fits = match &did.called {
                Called::Number(number) => reading.called == Some(number),
                Called::User(user) => *user == facts.to_user,
                Called::Any => true,
            };
            let trunk_fits = did.trunk.is_none() || did.trunk == reading.trunk;
            // A number or user beats `*`; a rule for this trunk beats one for any.
            let weight = u8::from(did.called != Called::Any) * 2 + u8::from(did.trunk.is_some());
            let matched = fits && trunk_fits && found.is_none_or(|(_, best)| weight > best);
            note(&|| Step {
                rule: format!("number {}", did.called),
                matched,
                why: describe(did, facts, reading, fits, trunk_fits, matched),
            });
            if matched {
                found = Some((did, weight));
            }
        }
        found.map(|(did, _)| did)
    }
}

fn describe(did: &Did, facts: &Facts, reading: &Reading<'_>, fits: bool, trunk_fits: bool, matched: bool) -> String {
    let read_as = match reading.called {
        Some(number) => format!("`{}` is read as {} on {}", facts.to_user, number.e164(), reading.whose),
        None => format!("`{}` is no telephone number on {}", facts.to_user, reading.whose),
    };
    match (&did.called, fits, trunk_fits, matched) {
        (_, true, true, true) => read_as,
        (_, true, true, false) => "fits too, but a more exact rule, or an earlier one, was taken".into(),
        (_, true, false, _) => "the number fits, but the rule is for another trunk".into(),
        (Called::Number(number), false, ..) => match nearly(number, facts, reading.plan) {
            Some(hint) => format!("{read_as}; {hint}"),
            None => read_as,
        },
        (Called::User(user), false, ..) if user.eq_ignore_ascii_case(&facts.to_user) => {
            format!("`{}` differs from it only in case: user parts are compared exactly", facts.to_user)
        }
        (Called::User(_), false, ..) => format!("`{}` is another user part", facts.to_user),
        (Called::Any, false, ..) => String::new(),
    }
}

/// Why a number that looks alike does not match: a prefix missing or too many.
fn nearly(number: &PhoneNumber, facts: &Facts, plan: &NumberPlan) -> Option<String> {
    let dialled: String = facts.to_user.chars().filter(char::is_ascii_digit).collect();
    let tail = dialled.trim_start_matches('0');
    if tail.len() >= 5 && (number.digits().ends_with(tail) || tail.ends_with(number.digits())) {
        let country = plan.country.as_deref().unwrap_or("not set");
        return Some(format!(
            "nearly: the digits end alike. Check the trunk's number plan (country {country}, national prefix {}, international prefix {})",
            plan.national_prefix.as_deref().unwrap_or("not set"),
            plan.international_prefix.as_deref().unwrap_or("not set"),
        ));
    }
    None
}
