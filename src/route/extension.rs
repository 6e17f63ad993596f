//! People of the house: extensions, groups of them, and what they may spend.

use serde::{Deserialize, Serialize};

use crate::base::elevating::ElevationRules;
use crate::base::id::{ExtensionId, GroupId};
use crate::base::{PhoneNumber, Secret};

/// Somebody with telephones that register here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Extension {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "ext_0123456789abc"))]
    pub id: ExtensionId,
    /// What others dial, and the user name of its address of record and of its credentials: `101`, `anna`.
    pub user: String,
    /// What people call it.
    pub name: String,
    /// What its telephones show by digest; never shown again by the API.
    #[cfg_attr(feature = "node", schema(value_type = String, format = Password))]
    pub password: Secret,
    /// Its number outside, shown when it calls out.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>, example = "+4930901821"))]
    pub number: Option<PhoneNumber>,
    /// Whether it may register, call and be called.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Wishes not to be disturbed: calls to it are refused.
    #[serde(default)]
    pub dnd: bool,
    /// Telephones registered at once.
    #[serde(default = "few_contacts")]
    pub max_contacts: u8,
    /// Its telephones answer by themselves where the caller asks it and the profile says how.
    #[serde(default)]
    pub auto_answer: bool,
    /// The dialect of its telephones; none means by their User-Agent.
    #[serde(default)]
    pub profile: Option<String>,
    /// What its calls out may cost.
    #[serde(default)]
    pub limits: CallLimits,
    /// What of adding video to its calls differs from the node's rules, the number's and the room's.
    #[serde(default, skip_serializing_if = "ElevationRules::is_empty")]
    pub elevation: ElevationRules,
}

/// How far calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Calling {
    /// Emergency numbers only.
    None,
    /// Extensions, groups and rooms of the house.
    Internal,
    /// Out by trunks too.
    #[default]
    Allowed,
}

/// What an account's calls out may cost. Emergency numbers are under none of these limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallLimits {
    /// How far.
    pub calling: Calling,
    /// Country calling codes, or longer beginnings of numbers, that may be called; `*` for all; empty for the home
    /// country alone.
    pub countries: Vec<String>,
    /// Premium and high-risk numbers too, which are refused otherwise wherever they are.
    pub premium: bool,
    /// Calls out at once; 0 for none at all.
    pub max_calls: u32,
    /// Calls out that may begin in a second.
    pub calls_per_second: u32,
    /// Minutes out per day (UTC), the running calls counted; 0 for no limit.
    pub minutes_per_day: u32,
}

/// In which order a group's members ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Ring {
    /// All at once.
    #[default]
    Parallel,
    /// One after the other, in order.
    Serial,
}

/// Extensions that ring for one number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Group {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "group_0123456789abc"))]
    pub id: GroupId,
    /// What others dial.
    pub user: String,
    /// What people call it.
    pub name: String,
    /// Who, in order.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub members: Vec<ExtensionId>,
    /// In which order they ring.
    #[serde(default)]
    pub ring: Ring,
    /// How long each rings where one follows the other, or all where they ring together.
    #[serde(default = "ring_seconds")]
    pub seconds: u16,
}

impl Extension {
    /// An extension with nothing but what it must have.
    pub fn new(id: ExtensionId, user: impl Into<String>, password: Secret) -> Self {
        let user = user.into();
        Self {
            id,
            name: user.clone(),
            user,
            password,
            number: None,
            enabled: true,
            dnd: false,
            max_contacts: few_contacts(),
            auto_answer: false,
            profile: None,
            limits: CallLimits::default(),
            elevation: ElevationRules::default(),
        }
    }
}

impl CallLimits {
    /// What a trunk's calls may cost where a rule sends them out again: a switchboard behind us has many people.
    pub fn of_trunk() -> Self {
        Self { max_calls: 100, calls_per_second: 10, minutes_per_day: 20_000, ..Self::default() }
    }
}

impl Default for CallLimits {
    /// What one person at a desk never reaches, and what a thief is stopped by within one day's small change.
    fn default() -> Self {
        Self {
            calling: Calling::Allowed,
            countries: Vec::new(),
            premium: false,
            max_calls: 5,
            calls_per_second: 2,
            minutes_per_day: 600,
        }
    }
}

fn yes() -> bool {
    true
}

/// A desk, a laptop, a pocket, and two to spare.
fn few_contacts() -> u8 {
    5
}

/// As long as people wait for an answer before they think nobody is there.
fn ring_seconds() -> u16 {
    20
}
