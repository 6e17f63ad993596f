//! One rule of the ordered list: when it holds, and where the call then leads.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::id::RuleId;
use crate::identity::{Attestation, Standing};
use crate::route::{Destination, Hours, Party, Pattern};

/// One rule. The list is walked in the order of `position`; the first enabled rule that holds decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Rule {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "rule_0123456789abc"))]
    pub id: RuleId,
    /// Its place in the list; of equals the one made first comes first.
    pub position: u32,
    /// What people call it.
    pub name: String,
    /// Whether it is looked at.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it holds.
    #[serde(default)]
    pub when: When,
    /// Where the call then leads.
    pub then: Destination,
}

/// When a rule holds: everything that is given must fit; of a list, one member. What is left out always fits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct When {
    /// Whose call it is: `trunk`, `extension`, an id of either, or `api`.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>, example = json!(["trunk"])))]
    pub sources: Vec<Origin>,
    /// What was dialled: `+4930901820`, `+4930*`, `100-199`, `meet`, `*`.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub called: Vec<Pattern>,
    /// Who rings; `anonymous` for callers who withhold their number.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>))]
    pub caller: Vec<Pattern>,
    /// When.
    pub time: Option<Hours>,
    /// What a header field of the INVITE says.
    pub header: Option<HeaderTest>,
    /// What the User-to-User content says (RFC 7433).
    pub uui: Option<TextTest>,
    /// What the caller's signed identity was worth (RFC 8224).
    pub attestation: Vec<Mark>,
}

/// Whose call a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `trunk`: any trunk's.
    AnyTrunk,
    /// `extension`: any extension's.
    AnyExtension,
    /// `api`: one that the operator's program makes in nobody's name.
    Api,
    /// `trunk_…` or `ext_…`: this one's.
    One(Party),
}

/// What a header field says. Without `equals` and `contains` it must only be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct HeaderTest {
    /// Which field, without regard to case.
    pub name: String,
    /// Exactly this.
    #[serde(default)]
    pub equals: Option<String>,
    /// This somewhere, without regard to case.
    #[serde(default)]
    pub contains: Option<String>,
}

/// What a text says. Without `equals` and `contains` it must only be there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TextTest {
    /// Exactly this.
    pub equals: Option<String>,
    /// This somewhere, without regard to case.
    pub contains: Option<String>,
}

/// What a signed identity was worth, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Mark {
    /// Full attestation.
    A,
    /// Partial attestation.
    B,
    /// Gateway attestation.
    C,
    /// None was sent, or nobody looked.
    #[serde(rename = "absent")]
    Absent,
    /// One was sent that is not to be believed.
    #[serde(rename = "invalid")]
    Invalid,
}

impl Origin {
    /// Whether this is the one; nobody's call is the operator's program's.
    pub fn holds(&self, party: Option<Party>) -> bool {
        match self {
            Origin::AnyTrunk => matches!(party, Some(Party::Trunk(_))),
            Origin::AnyExtension => matches!(party, Some(Party::Extension(_))),
            Origin::Api => party.is_none(),
            Origin::One(one) => party == Some(*one),
        }
    }
}

impl HeaderTest {
    /// Whether one of the fields fits.
    pub fn holds(&self, headers: &[(String, String)]) -> bool {
        headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(&self.name))
            .any(|(_, value)| says(value, self.equals.as_deref(), self.contains.as_deref()))
    }
}

impl TextTest {
    /// Whether it fits.
    pub fn holds(&self, text: Option<&str>) -> bool {
        text.is_some_and(|text| says(text, self.equals.as_deref(), self.contains.as_deref()))
    }
}

impl From<Standing> for Mark {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Unchecked | Standing::Absent => Mark::Absent,
            Standing::Valid { attestation: Attestation::A } => Mark::A,
            Standing::Valid { attestation: Attestation::B } => Mark::B,
            Standing::Valid { attestation: Attestation::C } => Mark::C,
            Standing::Invalid { .. } => Mark::Invalid,
        }
    }
}

fn says(text: &str, equals: Option<&str>, contains: Option<&str>) -> bool {
    equals.is_none_or(|equals| text.trim() == equals)
        && contains.is_none_or(|part| text.to_ascii_lowercase().contains(&part.to_ascii_lowercase()))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::AnyTrunk => f.write_str("trunk"),
            Origin::AnyExtension => f.write_str("extension"),
            Origin::Api => f.write_str("api"),
            Origin::One(party) => party.fmt(f),
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "trunk" => return Ok(Origin::AnyTrunk),
            "extension" => return Ok(Origin::AnyExtension),
            "api" => return Ok(Origin::Api),
            _ => {}
        }
        let party = text.parse().map(Origin::One);
        party.map_err(|_| format!("`{text}` is no source: write trunk, extension, an id of either, or api"))
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn yes() -> bool {
    true
}
