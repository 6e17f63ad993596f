//! Who may have video added to a telephone call: settings of the node, of a
//! number, of a room and of a person; the nearer overrides.

use serde::{Deserialize, Serialize};

/// When somebody who opens the link must enter digits that are said on the telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum PinRule {
    /// The link alone is enough.
    #[default]
    Never,
    /// Where nobody has signed for the caller's number, or the text goes to another number: a number can be forged.
    Unproved,
    /// Whoever it is.
    Always,
}

/// What of elevation differs here from what is configured further out; what is absent is as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct ElevationRules {
    /// Video may be added to calls at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// Callers may ask for it by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_key: Option<bool>,
    /// Hosts, and the other party of a call, may ask for somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_host: Option<bool>,
    /// It is asked for by itself when somebody comes in by telephone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_arrival: Option<bool>,
    /// Digits that are wanted besides the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<PinRule>,
}

impl ElevationRules {
    /// With what is nearer laid over it.
    pub fn under(self, nearer: ElevationRules) -> ElevationRules {
        ElevationRules {
            allowed: nearer.allowed.or(self.allowed),
            by_key: nearer.by_key.or(self.by_key),
            by_host: nearer.by_host.or(self.by_host),
            on_arrival: nearer.on_arrival.or(self.on_arrival),
            pin: nearer.pin.or(self.pin),
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearer_overrides_and_what_it_does_not_say_stays() {
        let node = ElevationRules { allowed: Some(true), pin: Some(PinRule::Unproved), ..ElevationRules::default() };
        let room = ElevationRules { allowed: Some(false), on_arrival: Some(true), ..ElevationRules::default() };
        let person = ElevationRules { allowed: Some(true), ..ElevationRules::default() };
        let all = node.under(room).under(person);
        assert_eq!((all.allowed, all.on_arrival, all.pin), (Some(true), Some(true), Some(PinRule::Unproved)));
    }
}
