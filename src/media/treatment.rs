//! What is done to a telephone's voice before a room hears it, and how that is said.

use serde::{Deserialize, Serialize};

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
