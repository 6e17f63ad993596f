//! What is asked of the world by HTTP: routing webhooks, and the certificates of signed identities.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// Names one request; its answer carries it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchId(pub u64);

/// One request. It follows no redirection, and goes to public addresses alone unless the node's operator said otherwise.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Where: `https:`, or `http:`.
    pub url: String,
    /// What is sent; none is a GET.
    pub post: Option<Post>,
    /// Until when the whole answer must be here.
    pub deadline: Duration,
    /// The longest answer that is read, in bytes.
    pub most: usize,
}

/// What is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// JSON.
    pub body: Bytes,
    /// The value of `Ringlift-Signature`, where there is a secret to sign with.
    pub signature: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FetchError {
    /// The address cannot be read, or is neither http nor https.
    BadAddress,
    /// It leads to a private address, where our requests must not go.
    Forbidden,
    /// More requests are under way than may be.
    Busy,
    /// Nobody is there, or not with a certificate for that name.
    Unreachable,
    /// The answer was not here in time.
    TimedOut,
    /// It answered so instead of 200; redirections among them.
    Status(u16),
    /// The answer is longer than what is read.
    TooLong,
}

impl FetchError {
    /// The name in counters.
    pub const fn name(self) -> &'static str {
        match self {
            FetchError::BadAddress => "bad_address",
            FetchError::Forbidden => "forbidden",
            FetchError::Busy => "busy",
            FetchError::Unreachable => "unreachable",
            FetchError::TimedOut => "timed_out",
            FetchError::Status(_) => "status",
            FetchError::TooLong => "too_long",
        }
    }
}

impl fmt::Debug for FetchRequest {
    /// Addresses may carry keys, bodies carry numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Post({} bytes)", self.body.len())
    }
}
