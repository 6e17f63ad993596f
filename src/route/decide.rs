//! The decision: which trunk a call came by, which number it dialled, where that leads, and why.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::id::{DidId, TrunkId};
use crate::base::phone_number::NumberPlan;
use crate::base::{Cause, PhoneNumber};
use crate::route::{Action, Called, Did, Table, Trunk};

/// What is known of an INVITE before anything is done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Where it comes from.
    pub source: IpAddr,
    /// The user part of the request URI, unescaped.
    pub to_user: String,
    /// The user part of the From (or asserted identity), unescaped; empty when withheld.
    pub from_user: String,
    /// The trunk whose password was shown, where one was.
    pub proved: Option<TrunkId>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Step {
    /// What was looked at: `trunk Carrier A`, `number +4930901820`.
    pub rule: String,
    /// Whether it matched.
    pub matched: bool,
    /// Why, or why not, in words.
    pub why: String,
}

/// Where a call leads, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// In one line.
    pub summary: String,
    /// The trunk it would come by.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub trunk: Option<TrunkId>,
    /// The number rule it would match.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub did: Option<DidId>,
    /// Where that leads; none when refused before.
    pub action: Option<Action>,
    /// As what it would be refused.
    pub refusal: Option<Cause>,
    /// Whether credentials would be asked for first (401).
    pub challenge: bool,
    /// The dialled number, normalised.
    pub called: Option<String>,
    /// The caller's number, normalised and masked.
    pub caller: Option<String>,
    /// Everything that was looked at, in order.
    pub steps: Vec<Step>,
}

/// Where a call leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// To a number's action.
    Accept {
        /// By which trunk.
        trunk: TrunkId,
        /// By which number.
        did: DidId,
        /// Who rings.
        caller: Option<PhoneNumber>,
    },
    /// The source must show credentials.
    Challenge,
    /// Nowhere.
    Refuse(Cause),
}

impl Table {
    /// Decides, with no side effect and no explanation.
    pub fn decide(&self, facts: &Facts) -> Decision {
        self.walk(facts, &mut |_| {})
    }

    /// Decides as [`Table::decide`] does, by the same walk, and says why.
    pub fn explain(&self, facts: &Facts) -> Explanation {
        let mut steps = Vec::new();
        let decision = self.walk(facts, &mut |step| steps.push(step()));
        let plan = match &decision {
            Decision::Accept { trunk, .. } => self.trunks.get(trunk).map(|trunk| trunk.numbers.clone()),
            Decision::Challenge | Decision::Refuse(_) => None,
        }
        .unwrap_or_default();
        let called = PhoneNumber::normalise(&facts.to_user, &plan).map(|number| number.e164());
        let caller = PhoneNumber::normalise(&facts.from_user, &plan).map(|number| number.masked());
        let blank = Explanation {
            summary: String::new(),
            trunk: None,
            did: None,
            action: None,
            refusal: None,
            challenge: false,
            called,
            caller,
            steps,
        };
        match decision {
            Decision::Accept { trunk, did, .. } => {
                let action = self.dids.get(&did).map(|did| did.action.clone());
                let refusal = match &action {
                    Some(Action::Refuse { cause }) => Some(*cause),
                    Some(Action::Attendant {} | Action::Room { .. }) | None => None,
                };
                let summary = match &action {
                    Some(Action::Attendant {}) => "answered by the attendant, who asks for a PIN".to_owned(),
                    Some(Action::Room { room }) => format!("answered straight into {room}"),
                    Some(Action::Refuse { cause }) => format!("refused with {}: {cause}", cause.status()),
                    None => "refused".to_owned(),
                };
                Explanation { summary, trunk: Some(trunk), did: Some(did), action, refusal, ..blank }
            }
            Decision::Challenge => Explanation {
                summary: "asked for credentials (401): the source is in no trunk's networks".to_owned(),
                challenge: true,
                ..blank
            },
            Decision::Refuse(cause) => Explanation {
                summary: format!("refused with {}: {cause}", cause.status()),
                refusal: Some(cause),
                ..blank
            },
        }
    }

    fn walk(&self, facts: &Facts, note: &mut dyn FnMut(&dyn Fn() -> Step)) -> Decision {
        let Some(trunk) = self.find_trunk(facts, note) else {
            let askable = self.trunks.values().any(|trunk| trunk.enabled && trunk.credentials.is_some());
            return if askable { Decision::Challenge } else { Decision::Refuse(Cause::NotAuthorised) };
        };
        let called = PhoneNumber::normalise(&facts.to_user, &trunk.numbers);
        let Some(did) = self.find_did(facts, trunk, called.as_ref(), note) else {
            return Decision::Refuse(Cause::NoRoute);
        };
        let caller = PhoneNumber::normalise(&facts.from_user, &trunk.numbers);
        Decision::Accept { trunk: trunk.id, did: did.id, caller }
    }

    fn find_trunk(&self, facts: &Facts, note: &mut dyn FnMut(&dyn Fn() -> Step)) -> Option<&Trunk> {
        // Credentials beat networks; of networks the most exact one wins, whatever the order in which they were made.
        let claim = |trunk: &Trunk| {
            let proved = facts.proved == Some(trunk.id);
            let holding = trunk.networks.iter().filter(|network| network.contains(facts.source));
            let exact = holding.map(|network| u16::from(network.prefix()) + 1).max();
            if proved { Some(u16::MAX) } else { exact }
        };
        let best = self.trunks.values().filter(|trunk| trunk.enabled).filter_map(claim).max();
        let mut found: Option<&Trunk> = None;
        for trunk in self.trunks.values() {
            let proved = facts.proved == Some(trunk.id);
            let inside = trunk.networks.iter().any(|network| network.contains(facts.source));
            let chosen = trunk.enabled && found.is_none() && best.is_some() && claim(trunk) == best;
            note(&|| Step {
                rule: format!("trunk {}", trunk.name),
                matched: chosen,
                why: if !trunk.enabled {
                    if proved || inside { "would match, but is disabled".into() } else { "is disabled".into() }
                } else if proved {
                    "its credentials were shown".into()
                } else if inside && chosen {
                    format!("{} is in its networks", facts.source)
                } else if inside {
                    format!("{} is in its networks too, but another trunk's is as exact or more", facts.source)
                } else if trunk.networks.is_empty() && trunk.credentials.is_some() {
                    "known by credentials only, and none were shown".into()
                } else if trunk.networks.is_empty() {
                    "has neither networks nor credentials: nothing can match it".into()
                } else {
                    let networks: Vec<String> = trunk.networks.iter().map(ToString::to_string).collect();
                    format!("{} is not in {}", facts.source, networks.join(", "))
                },
            });
            if chosen {
                found = Some(trunk);
            }
        }
        found
    }

    fn find_did(
        &self,
        facts: &Facts,
        trunk: &Trunk,
        called: Option<&PhoneNumber>,
        note: &mut dyn FnMut(&dyn Fn() -> Step),
    ) -> Option<&Did> {
        let mut found: Option<(&Did, u8)> = None;
        for did in self.dids.values() {
            let fits = match &did.called {
                Called::Number(number) => called == Some(number),
                Called::User(user) => *user == facts.to_user,
                Called::Any => true,
            };
            let trunk_fits = did.trunk.is_none_or(|only| only == trunk.id);
            // A number or user beats `*`; a rule for this trunk beats one for any.
            let weight = u8::from(did.called != Called::Any) * 2 + u8::from(did.trunk.is_some());
            let matched = fits && trunk_fits && found.is_none_or(|(_, best)| weight > best);
            note(&|| Step {
                rule: format!("number {}", did.called),
                matched,
                why: describe(did, facts, trunk, called, fits, trunk_fits, matched),
            });
            if matched {
                found = Some((did, weight));
            }
        }
        found.map(|(did, _)| did)
    }
}

fn describe(
    did: &Did,
    facts: &Facts,
    trunk: &Trunk,
    called: Option<&PhoneNumber>,
    fits: bool,
    trunk_fits: bool,
    matched: bool,
) -> String {
    let read_as = match called {
        Some(number) => format!("`{}` is read as {} on trunk {}", facts.to_user, number.e164(), trunk.name),
        None => format!("`{}` is no telephone number on trunk {}", facts.to_user, trunk.name),
    };
    match (&did.called, fits, trunk_fits, matched) {
        (_, true, true, true) => read_as,
        (_, true, true, false) => "fits too, but a more exact rule, or an earlier one, was taken".into(),
        (_, true, false, _) => "the number fits, but the rule is for another trunk".into(),
        (Called::Number(number), false, ..) => match nearly(number, facts, &trunk.numbers) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RoomId;

    fn trunk(bits: u64, networks: &[&str]) -> Trunk {
        Trunk {
            id: TrunkId::from_bits(bits),
            name: format!("T{bits}"),
            networks: networks.iter().map(|n| n.parse().unwrap()).collect(),
            credentials: None,
            numbers: NumberPlan {
                country: Some("49".into()),
                national_prefix: Some("0".into()),
                international_prefix: Some("00".into()),
            },
            max_calls: None,
            enabled: true,
        }
    }

    fn did(bits: u64, called: &str, trunk: Option<u64>, action: Action) -> Did {
        Did {
            id: DidId::from_bits(bits),
            called: called.parse().unwrap(),
            trunk: trunk.map(TrunkId::from_bits),
            action,
            languages: vec![],
        }
    }

    fn table() -> Table {
        let mut table = Table::default();
        for t in [trunk(1, &["192.0.2.0/24"]), trunk(2, &["198.51.100.7"])] {
            table.trunks.insert(t.id, t);
        }
        for d in [
            did(1, "*", None, Action::Refuse { cause: Cause::NoRoute }),
            did(2, "+4930901820", None, Action::Attendant {}),
            did(3, "+4930901820", Some(2), Action::Room { room: RoomId::from_bits(9) }),
            did(4, "meet", None, Action::Attendant {}),
        ] {
            table.dids.insert(d.id, d);
        }
        table
    }

    fn facts(source: &str, to: &str) -> Facts {
        Facts { source: source.parse().unwrap(), to_user: to.into(), from_user: "01701234567".into(), proved: None }
    }

    fn chosen(decision: Decision) -> u64 {
        match decision {
            Decision::Accept { did, .. } => did.bits(),
            Decision::Challenge => panic!("challenged"),
            Decision::Refuse(cause) => panic!("refused: {cause}"),
        }
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for to in ["+4930901820", "030901820", "004930901820", "4930901820"] {
            assert_eq!(chosen(table().decide(&facts("192.0.2.4", to))), 2, "{to}");
        }
    }

    #[test]
    fn the_most_exact_network_wins_whatever_the_order() {
        for (wide, narrow) in [(1, 9), (9, 1)] {
            let mut table = Table::default();
            for t in [trunk(wide, &["192.0.2.0/24", "::/0"]), trunk(narrow, &["192.0.2.7"])] {
                table.trunks.insert(t.id, t);
            }
            let d = did(1, "*", Some(narrow), Action::Attendant {});
            table.dids.insert(d.id, d);
            assert_eq!(chosen(table.decide(&facts("192.0.2.7", "x"))), 1);
            assert_eq!(table.decide(&facts("192.0.2.8", "x")), Decision::Refuse(Cause::NoRoute), "the wide one's call");
        }
    }

    #[test]
    fn the_more_exact_rule_wins() {
        assert_eq!(chosen(table().decide(&facts("198.51.100.7", "+4930901820"))), 3, "this trunk's own");
        assert_eq!(chosen(table().decide(&facts("192.0.2.4", "meet"))), 4);
        assert_eq!(chosen(table().decide(&facts("192.0.2.4", "elsewhere"))), 1, "the last resort");
    }

    #[test]
    fn a_stranger_is_refused_or_asked_for_credentials() {
        let mut table = table();
        assert_eq!(table.decide(&facts("203.0.113.1", "meet")), Decision::Refuse(Cause::NotAuthorised));
        if let Some(trunk) = table.trunks.values_mut().next() {
            trunk.credentials =
                Some(crate::route::Credentials { username: "u".into(), password: crate::base::Secret::new("p") });
        }
        assert_eq!(table.decide(&facts("203.0.113.1", "meet")), Decision::Challenge);
        let proved = Facts { proved: Some(TrunkId::from_bits(1)), ..facts("203.0.113.1", "meet") };
        assert_eq!(chosen(table.decide(&proved)), 4);
    }

    #[test]
    fn an_explanation_names_what_nearly_matched() {
        let mut table = table();
        for trunk in table.trunks.values_mut() {
            trunk.numbers = NumberPlan::default();
        }
        table.dids.remove(&DidId::from_bits(1));
        let explanation = table.explain(&facts("192.0.2.4", "030901820"));
        assert_eq!(explanation.refusal, Some(Cause::NoRoute));
        let near = explanation.steps.iter().find(|step| step.rule == "number +4930901820").unwrap();
        assert!(near.why.contains("nearly"), "{}", near.why);
        assert!(explanation.steps.iter().any(|step| step.rule == "trunk T1" && step.matched));
        assert!(
            explanation
                .steps
                .iter()
                .any(|step| step.rule == "trunk T2" && !step.matched && step.why.contains("is not in"))
        );
    }
}
