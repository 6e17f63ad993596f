//! What is known of an INVITE before anything is done about it.

use std::net::IpAddr;

use crate::base::Utc;
use crate::base::id::RelayId;
use crate::identity::Standing;
use crate::route::Party;

/// What is known of an INVITE before anything is done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Where it comes from.
    pub source: IpAddr,
    /// The relay in whose network that is; none: in ours.
    pub relay: Option<RelayId>,
    /// The user part of the request URI, unescaped.
    pub to_user: String,
    /// The user part of the From (or asserted identity), unescaped; empty when withheld.
    pub from_user: String,
    /// The user part of a From whose host is the one that is called: an account of this node, it says. Empty otherwise.
    pub claims: String,
    /// Whose password was shown, where one was.
    pub proved: Option<Party>,
    /// Header fields that rules may look at: names as sent, values unfolded.
    pub headers: Vec<(String, String)>,
    /// The User-to-User content (RFC 7433), as sent.
    pub uui: Option<String>,
    /// What the caller's signed identity was worth.
    pub identity: Standing,
    /// When.
    pub at: Utc,
}

impl Facts {
    /// The plainest facts: somebody rings somebody.
    pub fn new(source: IpAddr, to_user: impl Into<String>, from_user: impl Into<String>, at: Utc) -> Self {
        Self {
            source,
            relay: None,
            to_user: to_user.into(),
            from_user: from_user.into(),
            claims: String::new(),
            proved: None,
            headers: Vec::new(),
            uui: None,
            identity: Standing::Unchecked,
            at,
        }
    }
}
