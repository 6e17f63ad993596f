//! What the endpoint needs of every request, read once.

use std::fmt::Write as _;

use crate::wire::sip::{MAGIC_COOKIE, Method, NameAddr, Request, Text, Via};

/// The fields by which requests are matched.
pub(super) struct Facts {
    pub(super) via: Via,
    pub(super) call_id: Text,
    pub(super) from: NameAddr,
    pub(super) to: NameAddr,
    pub(super) seq: u32,
}

impl Facts {
    /// The parser has seen that all of them are there.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let headers = &request.headers;
        Some(Self {
            via: headers.top_via()?,
            call_id: Text::from(headers.call_id()?),
            from: headers.from()?,
            to: headers.to()?,
            seq: headers.cseq()?.seq,
        })
    }

    pub(super) fn remote_tag(&self) -> &str {
        self.from.tag().unwrap_or_default()
    }

    pub(super) fn to_tag(&self) -> Option<&str> {
        self.to.tag()
    }

    /// What a copy of the request has in common with it (§17.2.3): the branch, sent-by and method; for a branch without
    /// the magic cookie (RFC 2543) what such requests are told apart by. An ACK has the key of its INVITE.
    pub(super) fn key(&self, method: &Method) -> String {
        let method = if *method == Method::Ack { Method::Invite.as_str() } else { method.as_str() };
        let mut key = String::with_capacity(80);
        // Writing into a String cannot fail.
        let _ = match self.via.branch() {
            Some(branch) if is_unique(branch) => {
                write!(key, "{branch} {}:{} {method}", self.via.host, self.via.port_or_default())
            }
            branch => write!(
                key,
                "2543 {} {} {} {}:{} {} {method}",
                self.call_id,
                self.remote_tag(),
                self.seq,
                self.via.host,
                self.via.port_or_default(),
                branch.unwrap_or_default(),
            ),
        };
        key
    }

    /// Whether the request comes from before RFC 3261: its branch says nothing, and it may lack a Contact.
    pub(super) fn is_rfc2543(&self) -> bool {
        !self.via.branch().is_some_and(is_unique)
    }

    /// What a copy of the request that came by another path has in common with it (§8.2.2.2).
    pub(super) fn merge_key(&self, method: &Method) -> String {
        format!("{} {} {} {method}", self.call_id, self.remote_tag(), self.seq)
    }
}

/// Whether a branch names its transaction alone: the magic cookie with something after it (RFC 4475 §3.2.1).
fn is_unique(branch: &str) -> bool {
    branch.strip_prefix(MAGIC_COOKIE).is_some_and(|rest| !rest.is_empty())
}
