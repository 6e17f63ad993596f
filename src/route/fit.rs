//! The ordered list of rules: the first that fits, and why the others do not.

use crate::base::PhoneNumber;
use crate::route::explain::Note;
use crate::route::{Destination, Facts, Mark, Party, Pattern, Rule, Step, Table};

impl Table {
    pub(super) fn find_rule(&self, facts: &Facts, call: &Asking<'_>, emergency: bool, note: Note<'_>) -> Option<&Rule> {
        let mut found = None;
        for rule in &self.rules {
            if found.is_some() {
                break;
            }
            let unfit = self.unfit(rule, facts, call, emergency);
            note(&|| Step {
                rule: format!("rule {} {}", rule.position, rule.name),
                matched: unfit.is_none(),
                why: match unfit {
                    None => "everything it asks fits".into(),
                    Some(unfit) => self.words(unfit, rule, facts, call),
                },
            });
            if unfit.is_none() {
                found = Some(rule);
            }
        }
        found
    }

    /// The first thing that does not fit.
    fn unfit(&self, rule: &Rule, facts: &Facts, call: &Asking<'_>, emergency: bool) -> Option<Unfit> {
        let when = &rule.when;
        if !rule.enabled {
            return Some(Unfit::Disabled);
        }
        if emergency {
            // Nothing comes between a person and help but a rule that names the very number, and leads somewhere.
            let named =
                when.called.iter().any(|pattern| matches!(pattern, Pattern::Exact(text) if *text == facts.to_user));
            let leads = !matches!(rule.then, Destination::Refuse { .. } | Destination::Webhook { .. });
            if !named || !leads {
                return Some(Unfit::Emergency);
            }
        }
        if !when.sources.is_empty() && !when.sources.iter().any(|source| source.holds(call.from)) {
            return Some(Unfit::Source);
        }
        if !when.called.is_empty() && !when.called.iter().any(|pattern| pattern.holds(&facts.to_user, call.called)) {
            return Some(Unfit::Called);
        }
        if !when.caller.is_empty() && !when.caller.iter().any(|pattern| pattern.holds(call.caller_user, call.caller)) {
            return Some(Unfit::Caller);
        }
        if when.time.as_ref().is_some_and(|hours| !hours.hold(facts.at)) {
            return Some(Unfit::Time);
        }
        if when.header.as_ref().is_some_and(|header| !header.holds(&facts.headers)) {
            return Some(Unfit::Header);
        }
        if when.uui.as_ref().is_some_and(|test| !test.holds(facts.uui.as_deref())) {
            return Some(Unfit::Uui);
        }
        if !when.attestation.is_empty() && !when.attestation.contains(&Mark::from(facts.identity)) {
            return Some(Unfit::Attestation);
        }
        None
    }

    fn words(&self, unfit: Unfit, rule: &Rule, facts: &Facts, call: &Asking<'_>) -> String {
        let list = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match unfit {
            Unfit::Disabled => "is disabled".into(),
            Unfit::Emergency => {
                "an emergency number passes every rule but one that names it and leads somewhere".into()
            }
            Unfit::Source => {
                let sources: Vec<_> = rule.when.sources.iter().map(ToString::to_string).collect();
                format!("is for calls of {} only", sources.join(", "))
            }
            Unfit::Called => match call.called {
                Some(number) => {
                    format!("`{}`, read as {}, is not in {}", facts.to_user, number.e164(), list(&rule.when.called))
                }
                None => format!("`{}` is not in {}", facts.to_user, list(&rule.when.called)),
            },
            Unfit::Caller => match call.caller {
                Some(number) => format!("the caller {number} is not in {}", list(&rule.when.caller)),
                None if call.caller_user.is_empty() => {
                    format!("the caller withholds the number, and it asks for {}", list(&rule.when.caller))
                }
                None => format!("the caller is not in {}", list(&rule.when.caller)),
            },
            Unfit::Time => match &rule.when.time {
                Some(hours) => format!("nearly: everything before fits, but it is {}", hours.clock(facts.at)),
                None => String::new(),
            },
            Unfit::Header => match &rule.when.header {
                Some(test) if facts.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(&test.name)) => {
                    format!("nearly: the header {} is there, but says something else", test.name)
                }
                Some(test) => format!("the header {} is missing", test.name),
                None => String::new(),
            },
            Unfit::Uui => match facts.uui {
                Some(_) => "nearly: User-to-User is there, but says something else".into(),
                None => "User-to-User is missing".into(),
            },
            Unfit::Attestation => {
                format!("nearly: the caller's signed identity is {:?}", Mark::from(facts.identity))
            }
        }
    }
}

/// Of a call, what rules look at beside the facts.
pub(super) struct Asking<'a> {
    /// Whose it is; none for the operator's program.
    pub(super) from: Option<Party>,
    pub(super) called: Option<&'a PhoneNumber>,
    pub(super) caller: Option<&'a PhoneNumber>,
    pub(super) caller_user: &'a str,
}

/// What of a rule does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unfit {
    Disabled,
    Emergency,
    Source,
    Called,
    Caller,
    Time,
    Header,
    Uui,
    Attestation,
}
