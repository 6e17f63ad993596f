//! CSeq.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Method, Problem, scan};

/// The order of requests in a dialog (RFC 3261 §20.16).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CSeq {
    /// The number, below 2³¹ (RFC 3261 §8.1.1.5).
    pub seq: u32,
    /// The request's method.
    pub method: Method,
}

impl CSeq {
    /// A CSeq.
    pub const fn new(seq: u32, method: Method) -> Self {
        Self { seq, method }
    }

    /// Reads `number method`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (seq, method) = split(text)?;
        Ok(Self { seq, method: Method::from_text(method) })
    }
}

/// Number and method as written.
pub(super) fn split(text: &str) -> Result<(u32, &str), Problem> {
    let text = scan::trim(text);
    let space = text.bytes().position(|byte| byte == b' ' || byte == b'\t').ok_or(Problem::CSeq)?;
    let (seq, method) = text.split_at_checked(space).ok_or(Problem::CSeq)?;
    let method = scan::trim(method);
    let seq = scan::number(seq).filter(|seq| *seq < 1 << 31).ok_or(Problem::CSeq)?;
    if scan::is_token(method) { Ok((seq, method)) } else { Err(Problem::CSeq) }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}

impl FromStr for CSeq {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}
