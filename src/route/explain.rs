//! Why a call leads where it leads, by the same walk that decides.

use serde::{Deserialize, Serialize};

use crate::base::Cause;
use crate::base::PhoneNumber;
use crate::base::id::{DidId, RuleId, TrunkId};
use crate::route::{Decision, Destination, Facts, Party, Table};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Step {
    /// What was looked at: `trunk Carrier A`, `rule 3 Night`, `number +4930901820`.
    pub rule: String,
    /// Whether it matched.
    pub matched: bool,
    /// Why, or why not, in words.
    pub why: String,
}

/// Takes down what was looked at; the step is made only where somebody listens.
pub(super) type Note<'a> = &'a mut dyn FnMut(&dyn Fn() -> Step);

/// Where a call leads, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// In one line.
    pub summary: String,
    /// Whose call it is: the id of a trunk or an extension.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub party: Option<Party>,
    /// The trunk it would come by.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub trunk: Option<TrunkId>,
    /// The rule of the list it would follow.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub rule: Option<RuleId>,
    /// The number rule it would match.
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub did: Option<DidId>,
    /// Where that leads; none when refused before.
    pub action: Option<Destination>,
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

impl Table {
    /// Decides as [`Table::decide`] does, by the same walk, and says why. What lies beyond the table, such as calls at
    /// once and minutes per day, is not known here.
    pub fn explain(&self, facts: &Facts) -> Explanation {
        let mut steps = Vec::new();
        let (party, decision) = self.walk(facts, &mut |step| steps.push(step()));
        let plan = party.map(|party| self.plan_of(party)).unwrap_or_default();
        let blank = Explanation {
            summary: String::new(),
            party,
            trunk: party.and_then(Party::trunk),
            rule: None,
            did: None,
            action: None,
            refusal: None,
            challenge: false,
            called: PhoneNumber::normalise(&facts.to_user, &plan).map(|number| number.e164()),
            caller: PhoneNumber::normalise(&facts.from_user, &plan).map(|number| number.masked()),
            steps,
        };
        match decision {
            Decision::Accept(accepted) => {
                let refusal = match &accepted.to {
                    Destination::Refuse { cause } => Some(*cause),
                    Destination::Attendant {}
                    | Destination::Room { .. }
                    | Destination::Extension { .. }
                    | Destination::Group { .. }
                    | Destination::Trunk { .. }
                    | Destination::Webhook { .. } => None,
                };
                Explanation {
                    summary: accepted.to.words(),
                    rule: accepted.rule,
                    did: accepted.did,
                    action: Some(accepted.to.shown()),
                    refusal,
                    caller: accepted.caller.map(|number| number.masked()),
                    ..blank
                }
            }
            Decision::Challenge => Explanation {
                summary: match blank.steps.first() {
                    Some(step) if step.rule.starts_with("extension ") => {
                        "asked for credentials (401): it says it is an extension of this node".to_owned()
                    }
                    Some(_) | None => "asked for credentials (401): the source is in no trunk's networks".to_owned(),
                },
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
}
