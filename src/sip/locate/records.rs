//! What is asked of the DNS and what it says, as plain data.

use std::net::IpAddr;
use std::time::Duration;

/// Names one question that is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupId(pub u64);

/// A question to the DNS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The name, in lower case, without a dot at its end.
    pub name: String,
    /// Which records.
    pub kind: Kind,
}

/// Which records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Servers of a service (RFC 2782).
    Srv,
    /// Services of a domain (RFC 3403).
    Naptr,
}

impl Question {
    /// A question; the name is brought into one form.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.trim_end_matches('.').to_ascii_lowercase(), kind }
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// Records, good for this long.
    Found {
        /// Never empty.
        records: Records,
        /// How long they may be kept.
        ttl: Duration,
    },
    /// There are none, and that is known for this long.
    Nothing {
        /// How long that may be kept.
        ttl: Duration,
    },
    /// Nobody answered, or not with sense.
    Failed,
}

/// Records of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// A or AAAA.
    Addresses(Vec<IpAddr>),
    /// SRV.
    Services(Vec<Srv>),
    /// NAPTR.
    Pointers(Vec<Naptr>),
}

/// One SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Srv {
    /// The lowest first.
    pub priority: u16,
    /// Its share among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The server's name; `.` says that there is no such service.
    pub target: String,
}

/// One NAPTR record (RFC 3403).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naptr {
    /// The lowest first, and never another.
    pub order: u16,
    /// The lowest first, as a wish.
    pub preference: u16,
    /// `s`: the replacement is asked for SRV next.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: String,
    /// Where to ask next.
    pub replacement: String,
}
