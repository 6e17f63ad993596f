//! What is configured: trunks, the numbers routed to us, people, and the ordered rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::elevating::ElevationRules;
use crate::base::id::{DidId, ExtensionId, GroupId, RuleId, TrunkId};
use crate::base::phone_number::NumberPlan;
use crate::base::{PhoneNumber, RoomId, Secret};
use crate::route::{Destination, Extension, Group, Party, Rule, Trunk};

/// A number routed to us, and where it leads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Did {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "did_0123456789abc"))]
    pub id: DidId,
    /// What must have been dialled.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "+4930901820"))]
    pub called: Called,
    /// Only for calls of this trunk; none means any trunk.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub trunk: Option<TrunkId>,
    /// Where it leads.
    pub action: Destination,
    /// The languages offered to the caller, the first spoken when there is no choice; empty means the node's.
    #[serde(default)]
    pub languages: Vec<String>,
    /// What of adding video to calls by this number differs from the node's rules.
    #[serde(default, skip_serializing_if = "ElevationRules::is_empty")]
    pub elevation: ElevationRules,
}

/// What must have been dialled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Called {
    /// A telephone number, compared in E.164.
    Number(PhoneNumber),
    /// The user part of the request URI as it stands, such as `1000` or `meet`.
    User(String),
    /// Anything: a last resort.
    Any,
}

/// Everything that routing looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Carrier links.
    pub trunks: BTreeMap<TrunkId, Trunk>,
    /// Numbers.
    pub dids: BTreeMap<DidId, Did>,
    /// People of the house.
    pub extensions: Extensions,
    /// Groups of them.
    pub groups: BTreeMap<GroupId, Group>,
    /// The ordered list; see [`Table::put_rule`].
    pub rules: Vec<Rule>,
    /// The rooms there are.
    pub rooms: BTreeSet<RoomId>,
    /// What is the node's own.
    pub home: Home,
}

/// What is the node's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Home {
    /// How extensions write numbers; where no country is given, as the trunk does by which a call goes out.
    pub numbers: NumberPlan,
    /// Trunks that take what extensions dial and no rule names, in order; empty for every trunk that calls go out by.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub outward: Vec<TrunkId>,
}

/// Extensions by id, and by what others dial.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extensions {
    by_id: BTreeMap<ExtensionId, Extension>,
    by_user: BTreeMap<String, ExtensionId>,
}

impl Table {
    /// Adds a rule or writes over it, at its place.
    pub fn put_rule(&mut self, rule: Rule) {
        self.rules.retain(|other| other.id != rule.id);
        let place = |rule: &Rule| (rule.position, rule.id);
        let at = self.rules.partition_point(|other| place(other) < place(&rule));
        self.rules.insert(at, rule);
    }

    /// Takes a rule away; whether it was there.
    pub fn delete_rule(&mut self, id: RuleId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() != before
    }

    /// Puts the rules into this order; every rule must be named, and once.
    pub fn order_rules(&mut self, order: &[RuleId]) -> Result<(), String> {
        let named: BTreeSet<RuleId> = order.iter().copied().collect();
        if named.len() != order.len() || order.len() != self.rules.len() {
            return Err("name every rule once: the list has changed, perhaps".to_owned());
        }
        let mut ordered = Vec::with_capacity(order.len());
        for (position, id) in (1..).zip(order) {
            let rule = self.rule(*id).ok_or_else(|| format!("there is no {id}"))?;
            ordered.push(Rule { position, ..rule.clone() });
        }
        self.rules = ordered;
        Ok(())
    }

    /// Whose user name this is in credentials, and the password that proves it. A trunk's name beats an extension's.
    pub fn account(&self, username: &str) -> Option<(Party, &Secret)> {
        let of_trunk = self.trunks.values().filter(|trunk| trunk.enabled).find_map(|trunk| {
            let credentials = trunk.credentials.as_ref()?;
            (credentials.username == username).then_some((Party::Trunk(trunk.id), &credentials.password))
        });
        of_trunk.or_else(|| {
            let extension = self.extensions.by_user(username).filter(|extension| extension.enabled)?;
            Some((Party::Extension(extension.id), &extension.password))
        })
    }

    /// A rule by its id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// A group by what others dial.
    pub fn group_by_user(&self, user: &str) -> Option<&Group> {
        self.groups.values().find(|group| group.user == user)
    }

    /// Trunks that take what no rule names, in order.
    pub fn outward(&self) -> Vec<TrunkId> {
        let open = |trunk: &&Trunk| trunk.enabled && trunk.outbound.is_some();
        if self.home.outward.is_empty() {
            return self.trunks.values().filter(open).map(|trunk| trunk.id).collect();
        }
        let named = self.home.outward.iter().filter_map(|id| self.trunks.get(id));
        named.filter(open).map(|trunk| trunk.id).collect()
    }
}

impl Extensions {
    /// One by its id.
    pub fn get(&self, id: &ExtensionId) -> Option<&Extension> {
        self.by_id.get(id)
    }

    /// One by its user name, compared exactly.
    pub fn by_user(&self, user: &str) -> Option<&Extension> {
        self.by_id.get(self.by_user.get(user)?)
    }

    /// Adds one or writes over it; what was there before.
    pub fn insert(&mut self, extension: Extension) -> Option<Extension> {
        let before = self.remove(&extension.id);
        self.by_user.insert(extension.user.clone(), extension.id);
        self.by_id.insert(extension.id, extension);
        before
    }

    /// Takes one away.
    pub fn remove(&mut self, id: &ExtensionId) -> Option<Extension> {
        let gone = self.by_id.remove(id)?;
        if self.by_user.get(&gone.user) == Some(id) {
            self.by_user.remove(&gone.user);
        }
        Some(gone)
    }

    /// Every one, by id.
    pub fn values(&self) -> impl Iterator<Item = &Extension> {
        self.by_id.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl FromIterator<Extension> for Extensions {
    fn from_iter<I: IntoIterator<Item = Extension>>(extensions: I) -> Self {
        let mut all = Self::default();
        for extension in extensions {
            all.insert(extension);
        }
        all
    }
}

impl fmt::Display for Called {
    /// As it is configured and stored; a number in full, for it is the operator's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Called::Number(number) => f.write_str(&number.e164()),
            Called::User(user) => f.write_str(user),
            Called::Any => f.write_str("*"),
        }
    }
}

impl FromStr for Called {
    type Err = String;

    /// `*` is anything, `+…` a number, everything else a user part.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Called::Any);
        }
        if text.starts_with('+') {
            return PhoneNumber::parse(text)
                .map(Called::Number)
                .ok_or_else(|| "a number is written + and 3 to 15 digits, the first not 0".to_owned());
        }
        let printable = !text.is_empty()
            && text.len() <= 64
            && text.chars().all(|c| c.is_ascii_graphic() && !"@:;<>\"".contains(c));
        if printable {
            Ok(Called::User(text.to_owned()))
        } else {
            Err("write *, +digits, or the user part of a SIP URI".to_owned())
        }
    }
}

impl Serialize for Called {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Called {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
