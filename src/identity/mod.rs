//! Rank 2: signed caller identities, STIR/SHAKEN (RFC 8224, 8225, 8588).
//!
//! ```text
//!   Identity: <header>.<payload>.<signature>;info=<https://…>;alg=ES256;ppt=shaken
//!             └──────── passport ─────────┘        │
//!                      what it claims              └─ certificate: whose key, and whom we trust for it
//! ```

pub mod base64url;
pub mod certificate;
pub mod passport;

pub use certificate::{Anchors, Chain};
pub use passport::{Claims, Token};

use serde::{Deserialize, Serialize};

/// How well the carrier that signed knows the caller (RFC 8588 §4). The best is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Attestation {
    /// Gateway: it only knows where the call came in.
    C,
    /// Partial: it knows the customer, not whether the number is the customer's.
    B,
    /// Full: it knows the customer, and that the number is the customer's.
    A,
}

/// What a caller's signed identity was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Standing {
    /// Nobody looked.
    #[default]
    Unchecked,
    /// There was none.
    Absent,
    /// Signed by somebody we believe.
    Valid {
        /// How well they know the caller.
        attestation: Attestation,
    },
    /// Signed, but not to be believed.
    Invalid {
        /// Why.
        flaw: Flaw,
    },
}

/// Why a signed identity is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum Flaw {
    /// The header or its token cannot be read.
    Malformed,
    /// Signed by another algorithm or for another purpose than we know (RFC 8224 §6.2.2).
    Unsupported,
    /// Signed too long ago, or in the future.
    Stale,
    /// Signed for another caller's number.
    OtherCaller,
    /// Signed for another called number.
    OtherCallee,
    /// The certificate could not be fetched.
    NoCertificate,
    /// The certificate is not of an authority we trust, or not valid now.
    UntrustedCertificate,
    /// The signature is not that of the certificate's key.
    WrongSignature,
}

impl Flaw {
    /// The SIP status that refuses a call for it (RFC 8224 §6.2.2).
    pub const fn status(self) -> u16 {
        match self {
            Flaw::Stale => 403,
            Flaw::NoCertificate => 436,
            Flaw::UntrustedCertificate | Flaw::Unsupported => 437,
            Flaw::Malformed | Flaw::OtherCaller | Flaw::OtherCallee | Flaw::WrongSignature => 438,
        }
    }
}

#[cfg(test)]
mod tests;
