//! A carrier link or a switchboard: who may send us calls, whom we send calls to, and how it writes numbers.

use serde::{Deserialize, Serialize};

use crate::base::id::{RelayId, TrunkId};
use crate::base::phone_number::NumberPlan;
use crate::base::{PhoneNumber, Secret};
use crate::identity::Attestation;
use crate::route::{CallLimits, Network};

/// A carrier link or a switchboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Trunk {
    /// Its id.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "trunk_0123456789abc"))]
    pub id: TrunkId,
    /// What people call it.
    pub name: String,
    /// Networks its signalling comes from.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>, example = json!(["54.172.60.0/30"])))]
    pub networks: Vec<Network>,
    /// What it shows instead, or besides, by digest (RFC 8760).
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// How it writes numbers.
    #[serde(default)]
    pub numbers: NumberPlan,
    /// Calls at once, both ways; none means no limit of its own.
    #[serde(default)]
    pub max_calls: Option<u32>,
    /// Calls that may begin in a second, both ways; none means no limit of its own.
    #[serde(default)]
    pub calls_per_second: Option<u32>,
    /// Whether calls may come and go by it at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its dialect: the name of a profile.
    #[serde(default = "generic")]
    pub profile: String,
    /// How calls go out by it; none means that none do.
    #[serde(default)]
    pub outbound: Option<Outbound>,
    /// It is a call manager: which telephones of its own it is asked to ring for callbacks; none means it is not asked.
    #[serde(default)]
    pub callback: Option<CallManager>,
    /// How TLS is spoken with it; none means as the node does.
    #[serde(default)]
    pub tls: Option<TlsRules>,
    /// What calls that come by it may cost where a rule sends them out again by a trunk.
    #[serde(default = "CallLimits::of_trunk")]
    pub limits: CallLimits,
    /// What is asked of signed caller identities (RFC 8224).
    #[serde(default)]
    pub identity: IdentityPolicy,
    /// The relay in whose network its far ends are; none: they are reached from here.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>))]
    pub relay: Option<RelayId>,
}

/// How a call manager is asked to ring its telephones for callbacks. Its redirections are followed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct CallManager {
    /// What the numbers of its telephones begin with, as they are dialled or in whole: `20`, `+493090182`.
    pub numbers: Vec<String>,
    /// A program that is asked by HTTPS at which SIP URI a telephone is.
    pub directory: Option<Directory>,
}

/// A program that knows where telephones are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Directory {
    /// Where it is asked, by POST.
    #[cfg_attr(feature = "node", schema(example = "https://directory.example.com/telephones"))]
    pub url: String,
    /// What questions are signed with, as those of routing webhooks.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>, format = Password))]
    pub secret: Option<Secret>,
}

/// A user name and its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// As in the `username` of an Authorization header.
    pub username: String,
    /// The password; never shown again by the API.
    #[cfg_attr(feature = "node", schema(value_type = String, format = Password))]
    pub password: Secret,
}

/// How calls go out by a trunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Outbound {
    /// Where to; each is located by RFC 3263 on its own.
    pub targets: Vec<OutboundTarget>,
    /// What we answer its challenges with.
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// Where we register, for carriers that want it.
    #[serde(default)]
    pub register: Option<Register>,
    /// The number shown for callers who have none of their own.
    #[serde(default)]
    #[cfg_attr(feature = "node", schema(value_type = Option<String>, example = "+4930901820"))]
    pub caller_id: Option<PhoneNumber>,
    /// Whether a redirection (3xx) is followed to wherever it points, rather than ending the attempt.
    #[serde(default)]
    pub follow_redirects: bool,
}

/// One place that takes a trunk's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct OutboundTarget {
    /// `sip:carrier.example`, `sip:198.51.100.7:5061;transport=tls`.
    pub uri: String,
    /// The lower ones are tried first.
    #[serde(default)]
    pub priority: u16,
    /// Among equals, how many of the calls go here in proportion.
    #[serde(default = "one")]
    pub weight: u16,
}

/// A registration with a carrier (RFC 3261 §10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Register {
    /// Our address of record there: `sip:user@carrier.example`.
    pub aor: String,
    /// The registrar's URI where it is not the host of the address of record.
    #[serde(default)]
    pub registrar: Option<String>,
    /// For how long, in seconds; the carrier may shorten it.
    #[serde(default = "an_hour")]
    pub expires: u32,
}

/// How TLS is spoken with a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TlsRules {
    /// The oldest version taken: `1.2` or `1.3`.
    pub min_version: TlsVersion,
    /// Tokens offered by ALPN, `sip` in most cases; empty means no ALPN.
    pub alpn: Vec<String>,
    /// Our certificate chain, PEM file; none means no client certificate.
    pub certificate: Option<String>,
    /// Its key, PEM file.
    pub key: Option<String>,
    /// Whether its certificate must be valid for its name; turning it off makes TLS a disguise, not a protection.
    pub verify: bool,
    /// Whom to believe instead of the system's authorities, PEM file.
    pub authorities: Option<String>,
    /// The name asked for by SNI and expected in its certificate, where it is not the target's host.
    pub server_name: Option<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// What is asked of the signed identities that come by a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct IdentityPolicy {
    /// Whether they are looked at.
    pub check: IdentityCheck,
    /// The least attestation that is taken where they are required.
    pub minimum: Option<Attestation>,
}

/// Whether signed identities are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum IdentityCheck {
    /// They are not.
    #[default]
    Ignore,
    /// They are verified and shown; the call goes on whatever comes of it.
    Show,
    /// A call without a valid one is refused (428, 436, 437, 438).
    Require,
}

impl Trunk {
    /// A trunk that nothing matches yet.
    pub fn new(id: TrunkId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            networks: Vec::new(),
            credentials: None,
            numbers: NumberPlan::default(),
            max_calls: None,
            calls_per_second: None,
            enabled: true,
            profile: generic(),
            outbound: None,
            callback: None,
            tls: None,
            limits: CallLimits::of_trunk(),
            identity: IdentityPolicy::default(),
            relay: None,
        }
    }
}

impl Default for TlsRules {
    fn default() -> Self {
        Self {
            min_version: TlsVersion::default(),
            alpn: Vec::new(),
            certificate: None,
            key: None,
            verify: true,
            authorities: None,
            server_name: None,
        }
    }
}

fn yes() -> bool {
    true
}

fn one() -> u16 {
    1
}

fn an_hour() -> u32 {
    3600
}

fn generic() -> String {
    "generic".to_owned()
}
