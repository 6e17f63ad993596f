//! The Reason header (RFC 3326): why a leg ends, on our BYE, CANCEL and failure answers, and read from theirs.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::base::Cause;

/// One value of a Reason header, as the far end gave it. Tolerates a missing or unreadable `cause`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `SIP`, `Q.850` or another protocol's name.
    pub protocol: String,
    /// The status or cause value, where one was given and is a number.
    pub cause: Option<u16>,
    /// The words, without their quotes.
    pub text: Option<String>,
}

/// How much of a far end's words is kept: a sentence. More: a peer fills our call records.
const MAX_TEXT: usize = 120;
/// How many values of one header are read.
const MAX_VALUES: usize = 4;

impl Reason {
    /// Reads the values of a Reason header; what is not understood is passed over.
    pub fn read(value: &str) -> Vec<Reason> {
        split_outside_quotes(value, ',').take(MAX_VALUES).filter_map(Reason::read_one).collect()
    }

    fn read_one(value: &str) -> Option<Reason> {
        let mut parts = split_outside_quotes(value, ';').map(str::trim);
        let protocol = parts.next().filter(|p| !p.is_empty())?;
        let mut reason = Reason { protocol: clip(protocol), cause: None, text: None };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else { continue };
            let value = value.trim();
            if name.trim().eq_ignore_ascii_case("cause") {
                reason.cause = value.trim_matches('"').parse().ok();
            } else if name.trim().eq_ignore_ascii_case("text") {
                reason.text = Some(clip(value.trim_matches('"')));
            }
        }
        Some(reason)
    }
}

/// Our Reason header's value for a cause: the SIP status where the call was refused with one, and the Q.850 value.
pub fn write(cause: Cause) -> String {
    // What telephones look for, so that they count no missed call (RFC 3326 §3.1).
    if cause == Cause::AnsweredElsewhere {
        return format!(
            "SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause={};text=\"{}\"",
            cause.q850(),
            cause.text()
        );
    }
    let mut out = String::with_capacity(80);
    // What phones that lost a parallel ring are told, so that they show no missed call (RFC 3326 §3.1).
    if cause == Cause::AnsweredElsewhere {
        out.push_str("SIP;cause=200;text=\"Call completed elsewhere\", ");
    } else if cause.status() >= 300 {
        // Writing into a String cannot fail.
        let _ = write!(out, "SIP;cause={};text=\"{}\", ", cause.status(), cause.text());
    }
    let _ = write!(out, "Q.850;cause={};text=\"{}\"", cause.q850(), cause.text());
    out
}

/// The cause that a final failure answer to an INVITE of ours stands for.
pub fn of_status(status: u16) -> Cause {
    match status {
        408 | 480 => Cause::NoAnswer,
        486 | 600 => Cause::Busy,
        603 => Cause::Declined,
        607 | 608 => Cause::Blocked,
        482 | 483 => Cause::Loop,
        488 | 606 => Cause::NoCommonCodec,
        404 | 410 | 484 | 604 => Cause::NoRoute,
        487 => Cause::Cancelled,
        _ => Cause::Rejected,
    }
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

fn split_outside_quotes(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    value.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c => return c == separator && !quoted,
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_with_and_without_its_cause() {
        let read = Reason::read("Q.850;cause=16;text=\"Normal, call clearing\", SIP ;cause=200");
        assert_eq!(read.len(), 2);
        assert_eq!(read.first().and_then(|r| r.cause), Some(16));
        assert_eq!(read.first().and_then(|r| r.text.as_deref()), Some("Normal, call clearing"));
        let bare = Reason::read("SIP;text=\"gone\"");
        assert_eq!(bare.first().and_then(|r| r.cause), None);
        assert!(Reason::read("").is_empty());
        assert_eq!(Reason::read("X;cause=abc").first().and_then(|r| r.cause), None);
    }

    #[test]
    fn what_we_write_reads_back() {
        for cause in Cause::ALL {
            let read = Reason::read(&write(*cause));
            let q850 = read.iter().find(|r| r.protocol == "Q.850").and_then(|r| r.cause);
            assert_eq!(q850, Some(u16::from(cause.q850())));
        }
    }
}
