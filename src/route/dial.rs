//! Where a call leads that nobody of the house makes, but the operator's program: the ordered rules that name `api` or
//! no source, then the people and numbers of the house, then the way out.

use crate::base::id::{DidId, RuleId};
use crate::base::phone_number::NumberPlan;
use crate::base::{Cause, PhoneNumber};
use crate::route::decide::LEFT_OVER;
use crate::route::emergency::is_emergency;
use crate::route::explain::Note;
use crate::route::fit::Asking;
use crate::route::number::{Look, Reading};
use crate::route::{CallLimits, Destination, Dialled, Explanation, Facts, Party, Step, Table};

/// Where such a call leads.
struct Led {
    to: Destination,
    rule: Option<RuleId>,
    did: Option<DidId>,
    /// What decided, for explanations.
    name: String,
}

impl Table {
    /// Where a call of the operator's program leads, and what is to be dialled there, under these limits. Of the facts
    /// what is called, when, and as whom count. Nobody waits for a routing webhook here: its fallback holds.
    pub fn dial(&self, limits: &CallLimits, facts: &Facts) -> Result<(Destination, Option<Dialled>), Cause> {
        let led = self.walk_dial(limits, facts, &mut |_| {});
        led.map(|(led, dialled)| (led.to, dialled))
    }

    /// Decides as [`Table::dial`] does, by the same walk, and says why.
    pub fn explain_dial(&self, limits: &CallLimits, facts: &Facts) -> Explanation {
        let mut steps = Vec::new();
        let found = self.walk_dial(limits, facts, &mut |step| steps.push(step()));
        let plan = self.dial_plan();
        let blank = Explanation {
            summary: String::new(),
            party: None,
            trunk: None,
            rule: None,
            did: None,
            action: None,
            refusal: None,
            challenge: false,
            called: PhoneNumber::normalise(&facts.to_user, &plan).map(|number| number.e164()),
            caller: PhoneNumber::normalise(&facts.from_user, &plan).map(|number| number.masked()),
            steps,
        };
        match found {
            Ok((led, _)) => Explanation {
                summary: led.to.words(),
                rule: led.rule,
                did: led.did,
                action: Some(led.to.shown()),
                ..blank
            },
            Err(cause) => Explanation {
                summary: format!("refused with {}: {cause}", cause.status()),
                refusal: Some(cause),
                ..blank
            },
        }
    }

    /// How the operator's program writes numbers.
    fn dial_plan(&self) -> NumberPlan {
        match (&self.home.numbers.country, self.outward().first()) {
            (None, Some(trunk)) => self.plan_of(Party::Trunk(*trunk)),
            (None, None) => NumberPlan::default(),
            (Some(_), _) => self.home.numbers.clone(),
        }
    }

    fn walk_dial(&self, limits: &CallLimits, facts: &Facts, note: Note<'_>) -> Result<(Led, Option<Dialled>), Cause> {
        let plan = self.dial_plan();
        let led = self.lead_dial(limits, facts, &plan, note).ok_or(Cause::NoRoute)?;
        let to = match led.to {
            Destination::Webhook { fallback, .. } => {
                note(&|| Step {
                    rule: led.name.clone(),
                    matched: true,
                    why: "nobody waits for a webhook here: its fallback holds".into(),
                });
                *fallback
            }
            to => to,
        };
        let led = Led { to, ..led };
        match (self.aim(limits, &facts.to_user, &plan, &led.to), &led.to) {
            (_, Destination::Refuse { cause }) => Err(*cause),
            (_, Destination::Webhook { .. }) => Err(Cause::NoRoute),
            (Ok(dialled), _) => Ok((led, dialled)),
            (Err((cause, why)), _) => {
                note(&|| Step { rule: led.name.clone(), matched: true, why: why.clone() });
                Err(cause)
            }
        }
    }

    fn lead_dial(&self, limits: &CallLimits, facts: &Facts, plan: &NumberPlan, note: Note<'_>) -> Option<Led> {
        let called = PhoneNumber::normalise(&facts.to_user, plan);
        let caller = PhoneNumber::normalise(&facts.from_user, plan);
        let help = is_emergency(&facts.to_user, plan.country.as_deref());
        let asking =
            Asking { from: None, called: called.as_ref(), caller: caller.as_ref(), caller_user: &facts.from_user };
        if let Some(rule) = self.find_rule(facts, &asking, help, note) {
            let name = format!("rule {} {}", rule.position, rule.name);
            return Some(Led { to: rule.then.clone(), rule: Some(rule.id), did: None, name });
        }
        let nobody = |to, name| Led { to, rule: None, did: None, name };
        let reading = Reading { whose: "the node", plan, called: called.as_ref(), trunk: None };
        if !help {
            if let Some((to, name)) = self.find_person(facts, called.as_ref(), note) {
                return Some(nobody(to, name));
            }
            if let Some(did) = self.find_did(facts, &reading, Look::Named, note) {
                let name = format!("number {}", did.called);
                return Some(Led { to: did.action.clone(), rule: None, did: Some(did.id), name });
            }
        }
        let trunks = self.outward();
        let digits = facts.to_user.bytes().any(|c| c.is_ascii_digit());
        let way_out = Destination::Trunk { trunks: trunks.clone(), strip: 0, prefix: String::new() };
        let left_over = digits && !help && self.is_left_over(limits, facts, &reading, &way_out);
        note(&|| Step {
            rule: "the way out".into(),
            matched: digits && !trunks.is_empty() && !left_over,
            why: match (digits, trunks.is_empty()) {
                (false, _) => format!("`{}` is nothing to dial", facts.to_user),
                (true, _) if left_over => LEFT_OVER.into(),
                (true, true) => "no trunk is enabled that calls go out by".into(),
                (true, false) => "nothing of the house: out by trunk".into(),
            },
        });
        if left_over && let Some(did) = self.find_did(facts, &reading, Look::LastResort, note) {
            let name = format!("number {}", did.called);
            return Some(Led { to: did.action.clone(), rule: None, did: Some(did.id), name });
        }
        digits.then(|| nobody(way_out, "the way out".into()))
    }
}
