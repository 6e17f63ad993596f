//! The decision: whose call it is, what was dialled, and where that leads.
//!
//! One walk: who rings (`source`); emergency numbers; the ordered rules; the numbers routed to us (`number`); for
//! extensions also the people of the house and the way out. [`Table::explain`] takes the same walk and listens.

use std::fmt;

use crate::base::id::{DidId, RuleId};
use crate::base::phone_number::NumberPlan;
use crate::base::{Cause, PhoneNumber};
use crate::route::emergency::is_emergency;
use crate::route::explain::Note;
use crate::route::fit::Asking;
use crate::route::number::{Look, Reading};
use crate::route::{CallLimits, Calling, Destination, Facts, Party, Step, Table, toll};

/// Where a call leads.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// To a destination that exists and that the caller may reach, as far as the table knows.
    Accept(Box<Accepted>),
    /// The source must show credentials.
    Challenge,
    /// Nowhere.
    Refuse(Cause),
}

/// A call that leads somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Whose call it is.
    pub from: Party,
    /// Where it leads.
    pub to: Destination,
    /// By which number.
    pub did: Option<DidId>,
    /// By which rule of the list.
    pub rule: Option<RuleId>,
    /// Who rings: an extension's own number, whatever its From says; on a trunk what the carrier says.
    pub caller: Option<PhoneNumber>,
    /// The same as a user part where it is no telephone number; an extension's own user name. Empty when withheld.
    pub caller_user: String,
    /// What was dialled, as a telephone number.
    pub called: Option<PhoneNumber>,
    /// What is to be dialled on the trunks, where the destination is one.
    pub dialled: Option<Dialled>,
}

/// What is to be dialled on a trunk.
#[derive(Clone, PartialEq, Eq)]
pub enum Dialled {
    /// A telephone number, written as the trunk's profile wants it.
    Number(PhoneNumber),
    /// What is no whole telephone number: as it stands.
    Short(String),
    /// An emergency number: as it stands, under no limit.
    Emergency(String),
}

impl Table {
    /// Decides, with no side effect and no explanation.
    pub fn decide(&self, facts: &Facts) -> Decision {
        self.walk(facts, &mut |_| {}).1
    }

    /// Whose call it is; where nobody's that is known here, what to do about it.
    pub fn party(&self, facts: &Facts) -> Result<Party, Decision> {
        self.find_party(facts, &mut |_| {})
    }

    /// How this party writes numbers.
    pub fn plan_of(&self, party: Party) -> NumberPlan {
        match party {
            Party::Trunk(trunk) => self.trunks.get(&trunk).map(|trunk| trunk.numbers.clone()).unwrap_or_default(),
            Party::Extension(_) if self.home.numbers.country.is_some() => self.home.numbers.clone(),
            Party::Extension(_) => {
                let outward = self.outward();
                let first = outward.first().and_then(|trunk| self.trunks.get(trunk));
                first.map(|trunk| trunk.numbers.clone()).unwrap_or_default()
            }
        }
    }

    /// What this party may spend.
    pub fn limits_of(&self, party: Party) -> CallLimits {
        match party {
            Party::Trunk(trunk) => self.trunks.get(&trunk).map(|trunk| trunk.limits.clone()),
            Party::Extension(extension) => self.extensions.get(&extension).map(|extension| extension.limits.clone()),
        }
        .unwrap_or(CallLimits { calling: Calling::None, ..CallLimits::default() })
    }

    /// The country that counts as home for a call out by this destination: its first trunk's, else the node's.
    pub fn home_country(&self, to: &Destination) -> Option<String> {
        let of_trunk = match to {
            Destination::Trunk { trunks, .. } => {
                trunks.first().and_then(|trunk| self.trunks.get(trunk)).and_then(|trunk| trunk.numbers.country.clone())
            }
            Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Refuse { .. }
            | Destination::Webhook { .. } => None,
        };
        of_trunk.or_else(|| self.home.numbers.country.clone())
    }

    /// What is to be dialled on the trunks of a destination for what was dialled here; none for other destinations.
    pub fn dialled(&self, to_user: &str, plan: &NumberPlan, to: &Destination) -> Option<Dialled> {
        let Destination::Trunk { strip, prefix, .. } = to else { return None };
        let user = to_user.split(';').next().unwrap_or_default();
        let kept: String = user.chars().skip(usize::from(*strip)).collect();
        let country = plan.country.clone().or_else(|| self.home_country(to));
        if is_emergency(&kept, country.as_deref()) || is_emergency(user, country.as_deref()) {
            let number = if is_emergency(&kept, country.as_deref()) { kept } else { user.to_owned() };
            return Some(Dialled::Emergency(number));
        }
        let text = format!("{prefix}{kept}");
        let whole = text.starts_with('+')
            || text.len() > LONGEST_SHORT
            || [&plan.national_prefix, &plan.international_prefix]
                .into_iter()
                .flatten()
                .any(|prefix| !prefix.is_empty() && text.starts_with(prefix.as_str()));
        match PhoneNumber::normalise(&text, plan).filter(|_| whole) {
            Some(number) => Some(Dialled::Number(number)),
            None => Some(Dialled::Short(text)),
        }
    }

    /// Whether a destination exists and these limits let a call reach it; what is to be dialled there. Also for what a
    /// routing webhook, a REFER or a command names.
    pub fn aim(
        &self,
        limits: &CallLimits,
        to_user: &str,
        plan: &NumberPlan,
        to: &Destination,
    ) -> Result<Option<Dialled>, (Cause, String)> {
        if let Some(missing) = self.missing(to) {
            return Err((Cause::NoRoute, format!("it points nowhere: {missing}")));
        }
        let dialled = self.dialled(to_user, plan, to);
        match &dialled {
            Some(dialled) => {
                let home = self.home_country(to);
                toll::may_call(limits, dialled, home.as_deref()).map_err(|why| (Cause::NotAllowed, why))?;
            }
            None if limits.calling == Calling::None && !matches!(to, Destination::Refuse { .. }) => {
                return Err((Cause::NotAllowed, "it may call emergency numbers only".into()));
            }
            None => {}
        }
        Ok(dialled)
    }

    pub(super) fn walk(&self, facts: &Facts, note: Note<'_>) -> (Option<Party>, Decision) {
        match self.find_party(facts, note) {
            Ok(party) => (Some(party), self.find_destination(facts, party, note)),
            Err(decision) => (None, decision),
        }
    }

    fn find_destination(&self, facts: &Facts, party: Party, note: Note<'_>) -> Decision {
        let plan = self.plan_of(party);
        let called = PhoneNumber::normalise(&facts.to_user, &plan);
        let (whose, caller, caller_user) = match party {
            Party::Trunk(id) => (
                self.trunks.get(&id).map_or_else(String::new, |trunk| format!("trunk {}", trunk.name)),
                PhoneNumber::normalise(&facts.from_user, &plan),
                facts.from_user.clone(),
            ),
            Party::Extension(id) => {
                let extension = self.extensions.get(&id);
                (
                    "extensions".to_owned(),
                    extension.and_then(|extension| extension.number.clone()),
                    extension.map(|extension| extension.user.clone()).unwrap_or_default(),
                )
            }
        };
        let blank = Accepted {
            from: party,
            to: Destination::Refuse { cause: Cause::NoRoute },
            did: None,
            rule: None,
            caller,
            caller_user,
            called,
            dialled: None,
        };
        let asking = Asking {
            from: Some(party),
            called: blank.called.as_ref(),
            caller: blank.caller.as_ref(),
            caller_user: &blank.caller_user,
        };
        let own = party.trunk();
        let reading = Reading { whose: &whose, plan: &plan, called: blank.called.as_ref(), trunk: own };
        let emergency = is_emergency(&facts.to_user, plan.country.as_deref().or(self.home.numbers.country.as_deref()));

        if let Some(rule) = self.find_rule(facts, &asking, emergency, note) {
            let found = Accepted { to: rule.then.clone(), rule: Some(rule.id), ..blank };
            return self.land(facts, &plan, found, &format!("rule {} {}", rule.position, rule.name), note);
        }
        let outward: Vec<_> = self.outward().into_iter().filter(|trunk| Some(*trunk) != own).collect();
        let way_out = Destination::Trunk { trunks: outward.clone(), strip: 0, prefix: String::new() };
        if emergency && !outward.is_empty() {
            note(&|| Step {
                rule: "emergency".into(),
                matched: true,
                why: format!(
                    "{} is an emergency number: under no limit, by the first trunk that takes it",
                    facts.to_user
                ),
            });
            return self.land(facts, &plan, Accepted { to: way_out, ..blank }, "emergency", note);
        }
        let look = if own.is_some() { Look::All } else { Look::Named };
        if let Some(did) = self.find_did(facts, &reading, look, note) {
            let found = Accepted { to: did.action.clone(), did: Some(did.id), ..blank };
            return self.land(facts, &plan, found, &format!("number {}", did.called), note);
        }
        if own.is_none() {
            if let Some((to, name)) = self.find_person(facts, blank.called.as_ref(), note) {
                return self.land(facts, &plan, Accepted { to, ..blank }, &name, note);
            }
            let digits = facts.to_user.bytes().any(|c| c.is_ascii_digit());
            let left_over = self.is_left_over(&self.limits_of(party), facts, &reading, &way_out);
            note(&|| Step {
                rule: "the way out".into(),
                matched: digits && !outward.is_empty() && !left_over,
                why: match (digits, outward.is_empty()) {
                    (false, _) => format!("`{}` is nothing to dial", facts.to_user),
                    (true, true) => "no trunk is enabled that calls go out by".into(),
                    (true, false) if left_over => LEFT_OVER.into(),
                    (true, false) => "nothing of the house: out by trunk".into(),
                },
            });
            if digits && !outward.is_empty() && !left_over {
                return self.land(facts, &plan, Accepted { to: way_out, ..blank }, "the way out", note);
            }
            if let Some(did) = self.find_did(facts, &reading, Look::LastResort, note) {
                let found = Accepted { to: did.action.clone(), did: Some(did.id), ..blank };
                return self.land(facts, &plan, found, &format!("number {}", did.called), note);
            }
        }
        Decision::Refuse(Cause::NoRoute)
    }

    /// Whether what was dialled is a short number that may not go out, and the number `*` takes it: one that somebody dials
    /// for the attendant stays in the house, with trunks as without.
    pub(super) fn is_left_over(
        &self,
        limits: &CallLimits,
        facts: &Facts,
        reading: &Reading<'_>,
        way_out: &Destination,
    ) -> bool {
        let Some(short @ Dialled::Short(_)) = self.dialled(&facts.to_user, reading.plan, way_out) else { return false };
        let goes_out = !matches!(way_out, Destination::Trunk { trunks, .. } if trunks.is_empty())
            && toll::may_call(limits, &short, self.home_country(way_out).as_deref()).is_ok();
        !goes_out && self.find_did(facts, reading, Look::LastResort, &mut |_| {}).is_some()
    }

    /// The people of the house: by user name, by group, by an extension's number outside.
    pub(super) fn find_person(
        &self,
        facts: &Facts,
        called: Option<&PhoneNumber>,
        note: Note<'_>,
    ) -> Option<(Destination, String)> {
        let by_user = self.extensions.by_user(&facts.to_user);
        let by_number = || {
            let number = called?;
            self.extensions.values().find(|extension| extension.number.as_ref() == Some(number))
        };
        if let Some(extension) = by_user.or_else(by_number) {
            let name = format!("extension {}", extension.user);
            note(&|| Step {
                rule: name.clone(),
                matched: extension.enabled,
                why: match (extension.enabled, by_user.is_some()) {
                    (true, true) => "its user name was dialled".into(),
                    (true, false) => "its number outside was dialled; the call stays in the house".into(),
                    (false, _) => "was dialled, but is disabled".into(),
                },
            });
            if extension.enabled {
                return Some((Destination::Extension { extension: extension.id }, name));
            }
        }
        let group = self.group_by_user(&facts.to_user)?;
        let name = format!("group {}", group.user);
        note(&|| Step { rule: name.clone(), matched: true, why: "its user name was dialled".into() });
        Some((Destination::Group { group: group.id }, name))
    }

    /// Where the walk ends: the destination must exist, and the caller must be allowed to reach it.
    fn land(&self, facts: &Facts, plan: &NumberPlan, found: Accepted, name: &str, note: Note<'_>) -> Decision {
        match self.aim(&self.limits_of(found.from), &facts.to_user, plan, &found.to) {
            Ok(dialled) => Decision::Accept(Box::new(Accepted { dialled, ..found })),
            Err((cause, why)) => {
                note(&|| Step { rule: name.to_owned(), matched: true, why: why.clone() });
                Decision::Refuse(cause)
            }
        }
    }
}

/// Why a short number does not go out.
pub(super) const LEFT_OVER: &str = "a short number that it may not call out: the number `*` takes it";

/// Longest number that counts as short: service numbers have up to six digits, telephone numbers more.
const LONGEST_SHORT: usize = 6;

impl Dialled {
    /// Whether it is an emergency number.
    pub fn is_emergency(&self) -> bool {
        matches!(self, Dialled::Emergency(_))
    }
}

impl fmt::Debug for Dialled {
    /// Numbers do not print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dialled::Number(number) => write!(f, "Number({number})"),
            Dialled::Short(_) => f.write_str("Short(•)"),
            Dialled::Emergency(number) => write!(f, "Emergency({number})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::elevating::ElevationRules;
    use crate::base::id::{ExtensionId, TrunkId};
    use crate::base::{RoomId, Secret, Utc};
    use crate::route::{Did, Extension, Trunk};

    fn trunk(bits: u64, networks: &[&str]) -> Trunk {
        Trunk {
            networks: networks.iter().map(|n| n.parse().unwrap()).collect(),
            numbers: NumberPlan {
                country: Some("49".into()),
                national_prefix: Some("0".into()),
                international_prefix: Some("00".into()),
            },
            ..Trunk::new(TrunkId::from_bits(bits), format!("T{bits}"))
        }
    }

    fn did(bits: u64, called: &str, trunk: Option<u64>, action: Destination) -> Did {
        Did {
            id: DidId::from_bits(bits),
            called: called.parse().unwrap(),
            trunk: trunk.map(TrunkId::from_bits),
            action,
            languages: vec![],
            elevation: ElevationRules::default(),
        }
    }

    fn table() -> Table {
        let mut table = Table::default();
        for t in [trunk(1, &["192.0.2.0/24"]), trunk(2, &["198.51.100.7"])] {
            table.trunks.insert(t.id, t);
        }
        table.rooms.insert(RoomId::from_bits(9));
        for d in [
            did(1, "*", None, Destination::Refuse { cause: Cause::NoRoute }),
            did(2, "+4930901820", None, Destination::Attendant {}),
            did(3, "+4930901820", Some(2), Destination::Room { room: RoomId::from_bits(9) }),
            did(4, "meet", None, Destination::Attendant {}),
        ] {
            table.dids.insert(d.id, d);
        }
        table
    }

    fn facts(source: &str, to: &str) -> Facts {
        Facts::new(source.parse().unwrap(), to, "01701234567", Utc(1_800_000_000_000))
    }

    fn chosen(decision: Decision) -> u64 {
        match decision {
            Decision::Accept(accepted) => accepted.did.unwrap().bits(),
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
            let d = did(1, "*", Some(narrow), Destination::Attendant {});
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
        let proved = Facts { proved: Some(Party::Trunk(TrunkId::from_bits(1))), ..facts("203.0.113.1", "meet") };
        assert_eq!(chosen(table.decide(&proved)), 4);
    }

    #[test]
    fn a_short_number_that_may_not_go_out_is_taken_by_the_last_resort_with_trunks_as_without() {
        let mut table = table();
        let any = did(1, "*", None, Destination::Attendant {});
        table.dids.insert(any.id, any);
        let anna = ExtensionId::from_bits(1);
        table.extensions.insert(Extension::new(anna, "101".to_owned(), Secret::new("p")));
        let dials = |to: &str| Facts { proved: Some(Party::Extension(anna)), ..facts("203.0.113.1", to) };
        assert_eq!(chosen(table.decide(&dials("1000"))), 1);
        let out = table.trunks.get_mut(&TrunkId::from_bits(1)).unwrap();
        out.outbound = Some(serde_json::from_str(r#"{"targets":[{"uri":"sip:carrier.example"}]}"#).unwrap());
        let explanation = table.explain(&dials("1000"));
        assert_eq!((explanation.did, explanation.refusal), (Some(DidId::from_bits(1)), None));
        assert!(explanation.steps.iter().any(|step| step.rule == "the way out" && step.why == LEFT_OVER));
        let limits = CallLimits { calling: Calling::Allowed, ..CallLimits::default() };
        let (to, _) = table.dial(&limits, &dials("1000")).unwrap();
        assert_eq!(to, Destination::Attendant {}, "the operator's program is led there, too");
        // Whole numbers go out, and short ones where they may.
        assert!(matches!(table.decide(&dials("030555777")), Decision::Accept(accepted) if accepted.did.is_none()));
        let service = CallLimits { countries: vec!["short".into()], ..limits };
        assert!(matches!(table.dial(&service, &dials("1000")), Ok((Destination::Trunk { .. }, _))));
        table.dids.remove(&DidId::from_bits(1));
        let explanation = table.explain(&dials("1000"));
        assert_eq!(explanation.refusal, Some(Cause::NotAllowed));
        assert!(explanation.steps.iter().any(|step| step.why.contains("no whole telephone number")), "and says why");
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
