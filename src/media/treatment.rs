//! What is done to a telephone's voice before a room hears it, and how that is said.

use serde::{Deserialize, Deserializer, Serialize};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Treatment {
    /// Its loudness is brought slowly to that of the others.
    pub level: bool,
    /// Steady noise is made softer.
    pub denoise: bool,
    /// Keys that come as tones are heard as keys, and nobody hears the tones.
    pub tones: bool,
    /// Music and tones that go on for seconds are kept from the others, where there are more than two.
    pub music: bool,
    /// Line echo is taken out, once it was found.
    pub echo: bool,
}

/// What is changed of it; the rest stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TreatmentChange {
    /// Its loudness is brought slowly to that of the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<bool>,
    /// Steady noise is made softer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denoise: Option<bool>,
    /// Keys that come as tones are heard as keys, and nobody hears the tones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tones: Option<bool>,
    /// Music and tones that go on for seconds are kept from the others, where there are more than two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub music: Option<bool>,
    /// Line echo is taken out, once it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
}

/// What is asked for one call: what is left out stays, and null takes back what was asked before, so that its room and profile
/// count again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TreatmentOrder {
    /// Its loudness is brought slowly to that of the others.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<bool>))]
    pub level: Ask,
    /// Steady noise is made softer.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<bool>))]
    pub denoise: Ask,
    /// Keys that come as tones are heard as keys, and nobody hears the tones.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<bool>))]
    pub tones: Ask,
    /// Music and tones that go on for seconds are kept from the others, where there are more than two.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<bool>))]
    pub music: Ask,
    /// Line echo is taken out, once it was found.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<bool>))]
    pub echo: Ask,
}

/// One thing that may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ask {
    /// Nothing.
    #[default]
    Stays,
    /// What was asked before no longer counts.
    TakenBack,
    /// It is to be so.
    Be(bool),
}

impl Ask {
    fn after(self, before: Option<bool>) -> Option<bool> {
        match self {
            Ask::Stays => before,
            Ask::TakenBack => None,
            Ask::Be(so) => Some(so),
        }
    }
}

impl<'de> Deserialize<'de> for Ask {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Ask::TakenBack, Ask::Be))
    }
}

impl TreatmentOrder {
    /// What is changed after this, of what was before.
    pub fn after(self, before: TreatmentChange) -> TreatmentChange {
        TreatmentChange {
            level: self.level.after(before.level),
            denoise: self.denoise.after(before.denoise),
            tones: self.tones.after(before.tones),
            music: self.music.after(before.music),
            echo: self.echo.after(before.echo),
        }
    }
}

impl TreatmentChange {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// This change, and then another.
    pub fn and(self, next: Self) -> Self {
        Self {
            level: next.level.or(self.level),
            denoise: next.denoise.or(self.denoise),
            tones: next.tones.or(self.tones),
            music: next.music.or(self.music),
            echo: next.echo.or(self.echo),
        }
    }

    /// What is done after this change.
    pub fn apply(self, to: Treatment) -> Treatment {
        Treatment {
            level: self.level.unwrap_or(to.level),
            denoise: self.denoise.unwrap_or(to.denoise),
            tones: self.tones.unwrap_or(to.tones),
            music: self.music.unwrap_or(to.music),
            echo: self.echo.unwrap_or(to.echo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_stays_and_null_takes_back() {
        let before = TreatmentChange { level: Some(false), denoise: Some(true), ..TreatmentChange::default() };
        let order: TreatmentOrder = serde_json::from_str(r#"{"denoise": null, "music": true, "echo": null}"#).unwrap();
        let after = TreatmentChange { denoise: None, music: Some(true), ..before };
        assert_eq!(order.after(before), after);
        assert_eq!(TreatmentOrder::default().after(after), after);
        assert!(serde_json::from_str::<TreatmentOrder>(r#"{"denoise": "no"}"#).is_err());
    }
}
