//! Rank 7: what programs that are told of events expect (Standard Webhooks 1.0): signatures, what an answer means, when to try
//! again. `engine::courier` carries it out.

pub mod pace;
mod secret;

use std::time::Duration;

pub use secret::{SigningSecret, headers};

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has it.
    Delivered,
    /// It is not there any more, and does not want to be asked again.
    Gone,
    /// Another time; when, if it said so.
    Later(Option<Duration>),
}

/// Reads an answer's status and its `Retry-After`, in seconds.
pub fn judge(status: u16, retry_after: Option<&str>) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        // A redirection is not followed: whoever moved is told by a change of the address here.
        _ => Verdict::Later(retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes_and_only_gone_is_gone() {
        for (status, verdict) in [
            (200, Verdict::Delivered),
            (204, Verdict::Delivered),
            (301, Verdict::Later(None)),
            (404, Verdict::Later(None)),
            (410, Verdict::Gone),
            (500, Verdict::Later(None)),
        ] {
            assert_eq!(judge(status, None), verdict, "{status}");
        }
        assert_eq!(judge(429, Some(" 30 ")), Verdict::Later(Some(Duration::from_secs(30))));
        assert_eq!(judge(503, Some("soon")), Verdict::Later(None));
    }
}
