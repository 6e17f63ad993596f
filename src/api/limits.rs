//! What an account's calls out may cost, as it is sent: what is left out is as it was by default.

use serde::{Deserialize, Serialize};

use super::valid::Check;
use crate::config::check::wrong_limits;
use crate::route::{CallLimits, Calling};

/// Limits as they are sent. Emergency numbers are under none of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewLimits {
    /// How far.
    pub calling: Option<Calling>,
    /// Country calling codes, or longer beginnings of numbers; `*` for all, `short` for numbers of no country; empty for
    /// the home country alone.
    pub countries: Option<Vec<String>>,
    /// Premium and high-risk numbers too.
    pub premium: Option<bool>,
    /// Calls out at once.
    pub max_calls: Option<u32>,
    /// Calls out that may begin in a second.
    pub calls_per_second: Option<u32>,
    /// Minutes out per day (UTC); 0 for no limit.
    pub minutes_per_day: Option<u32>,
}

impl From<&CallLimits> for NewLimits {
    fn from(limits: &CallLimits) -> Self {
        Self {
            calling: Some(limits.calling),
            countries: Some(limits.countries.clone()),
            premium: Some(limits.premium),
            max_calls: Some(limits.max_calls),
            calls_per_second: Some(limits.calls_per_second),
            minutes_per_day: Some(limits.minutes_per_day),
        }
    }
}

impl NewLimits {
    /// These, laid over others.
    pub fn over(self, base: &CallLimits, check: &mut Check) -> CallLimits {
        let limits = CallLimits {
            calling: self.calling.unwrap_or(base.calling),
            countries: self.countries.unwrap_or_else(|| base.countries.clone()),
            premium: self.premium.unwrap_or(base.premium),
            max_calls: self.max_calls.unwrap_or(base.max_calls),
            calls_per_second: self.calls_per_second.unwrap_or(base.calls_per_second),
            minutes_per_day: self.minutes_per_day.unwrap_or(base.minutes_per_day),
        };
        check.that(limits.countries.len() <= 300, "/limits/countries", "at most 300 countries");
        check.different(&limits.countries, "/limits/countries");
        for (field, text) in wrong_limits(&limits) {
            check.that(false, &format!("/limits/{field}"), &text);
        }
        limits
    }
}
