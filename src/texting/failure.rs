//! Why a text does not arrive, and what to do instead.

use serde::{Deserialize, Serialize};

/// Why a text does not arrive; every provider's codes are read as one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum TextFailure {
    /// The person wants no texts from us.
    OptedOut,
    /// A line on a wall, or one that takes no texts.
    Landline,
    /// There is no such number.
    NotANumber,
    /// The telephone is off or out of reach.
    Unreachable,
    /// A carrier or filter refused it.
    Blocked,
    /// Too many at once, for longer than there was time.
    RateLimited,
    /// The provider's account has no money.
    NoFunds,
    /// The provider does not know us: wrong account, user or secret.
    Credentials,
    /// Our account or sender may not text there: region, registration, kind of sender.
    NotPermitted,
    /// The provider could not be reached, or failed.
    ProviderDown,
    /// There was no time left to hand it over.
    Expired,
    /// Nobody knows, or the provider's code says nothing.
    Unknown,
}

/// What to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Tell the person by voice that a text with START opens the way again; then the code.
    SayStart,
    /// Say the short link and the code: no text reaches this line.
    SayCode,
    /// Ask for another number.
    AskNumber,
    /// Say the code now; another text later is worth a try, if the person asks.
    SayCodeThenRetry,
    /// Say the code, and tell the operator, who alone can mend it.
    TellOperator,
}

impl TextFailure {
    /// Every one.
    pub const ALL: [TextFailure; 12] = [
        TextFailure::OptedOut,
        TextFailure::Landline,
        TextFailure::NotANumber,
        TextFailure::Unreachable,
        TextFailure::Blocked,
        TextFailure::RateLimited,
        TextFailure::NoFunds,
        TextFailure::Credentials,
        TextFailure::NotPermitted,
        TextFailure::ProviderDown,
        TextFailure::Expired,
        TextFailure::Unknown,
    ];

    /// Its name in the store and the API.
    pub const fn name(self) -> &'static str {
        match self {
            TextFailure::OptedOut => "opted_out",
            TextFailure::Landline => "landline",
            TextFailure::NotANumber => "not_a_number",
            TextFailure::Unreachable => "unreachable",
            TextFailure::Blocked => "blocked",
            TextFailure::RateLimited => "rate_limited",
            TextFailure::NoFunds => "no_funds",
            TextFailure::Credentials => "credentials",
            TextFailure::NotPermitted => "not_permitted",
            TextFailure::ProviderDown => "provider_down",
            TextFailure::Expired => "expired",
            TextFailure::Unknown => "unknown",
        }
    }

    /// The failure of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.name() == name)
    }

    /// What to do instead.
    pub const fn remedy(self) -> Remedy {
        match self {
            TextFailure::OptedOut => Remedy::SayStart,
            TextFailure::Landline | TextFailure::Blocked | TextFailure::Unknown => Remedy::SayCode,
            TextFailure::NotANumber => Remedy::AskNumber,
            TextFailure::Unreachable | TextFailure::RateLimited | TextFailure::ProviderDown | TextFailure::Expired => {
                Remedy::SayCodeThenRetry
            }
            TextFailure::NoFunds | TextFailure::Credentials | TextFailure::NotPermitted => Remedy::TellOperator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_back_by_its_name() {
        for failure in TextFailure::ALL {
            assert_eq!(TextFailure::named(failure.name()), Some(failure));
            assert_eq!(serde_json::to_value(failure).unwrap(), failure.name());
        }
    }
}
