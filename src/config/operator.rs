//! What calls out may cost that the operator's own programs make in nobody's name.

use serde::{Deserialize, Serialize};

use crate::route::{CallLimits, Calling};

/// The limits of calls that the API makes in nobody's name; the fields of [`CallLimits`] with defaults of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperatorLimits {
    /// Where it may call.
    pub calling: Calling,
    /// Countries.
    pub countries: Vec<String>,
    /// Premium and high-risk numbers.
    pub premium: bool,
    /// Calls at once.
    pub max_calls: u32,
    /// Calls that may begin in a second.
    pub calls_per_second: u32,
    /// Minutes a day; 0 for no limit.
    pub minutes_per_day: u32,
}

impl OperatorLimits {
    /// As routing wants them.
    pub fn limits(&self) -> CallLimits {
        CallLimits {
            calling: self.calling,
            countries: self.countries.clone(),
            premium: self.premium,
            max_calls: self.max_calls,
            calls_per_second: self.calls_per_second,
            minutes_per_day: self.minutes_per_day,
        }
    }
}

impl Default for OperatorLimits {
    /// A program rings many people, as a switchboard does.
    fn default() -> Self {
        let CallLimits { calling, countries, premium, max_calls, calls_per_second, minutes_per_day } =
            CallLimits::of_trunk();
        Self { calling, countries, premium, max_calls, calls_per_second, minutes_per_day }
    }
}
