//! Replaces (RFC 3891) and Target-Dialog (RFC 4538): headers that name a dialog of the one who receives them.
//!
//! ```text
//!   Replaces:      98732@sip.example.com;to-tag=r33th4x0r;from-tag=ff87ff;early-only
//!   Target-Dialog: fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544
//! ```

use std::fmt;

use crate::wire::sip::{Headers, Name, Params, Problem, Text};

/// A dialog that the INVITE it stands in is to take over (RFC 3891 §6.1), named from the receiver's side.
#[derive(Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The dialog's Call-ID.
    pub call_id: Text,
    /// The receiver's own tag.
    pub to_tag: Text,
    /// The tag of the far end of the dialog that is replaced; `0` for one that has none (RFC 2543).
    pub from_tag: Text,
    /// Only while the dialog is early: a call that was answered in the meantime is left alone.
    pub early_only: bool,
}

/// A dialog of the receiver that a request outside it refers to (RFC 4538 §7).
#[derive(Clone, PartialEq, Eq)]
pub struct TargetDialog {
    /// The dialog's Call-ID.
    pub call_id: Text,
    /// The sender's tag.
    pub local_tag: Text,
    /// The receiver's tag.
    pub remote_tag: Text,
}

impl Replaces {
    /// Reads one value. Each tag stands exactly once, or the value is malformed.
    pub fn parse(value: &str) -> Result<Self, Problem> {
        let (call_id, params) = split(value)?;
        Ok(Self {
            call_id,
            to_tag: one(&params, "to-tag")?,
            from_tag: one(&params, "from-tag")?,
            early_only: params.has("early-only"),
        })
    }

    /// What a request's Replaces header names; none where it has none. More than one, or one beside a Join, makes the
    /// request malformed (§3).
    pub fn of(headers: &Headers) -> Option<Result<Self, Problem>> {
        let mut fields = headers.fields_of(&Name::Replaces);
        let first = fields.next()?;
        if fields.next().is_some() || headers.has(Name::from("Join")) {
            return Some(Err(Problem::Repeated("Replaces")));
        }
        Some(Self::parse(first))
    }
}

impl TargetDialog {
    /// Reads one value.
    pub fn parse(value: &str) -> Result<Self, Problem> {
        let (call_id, params) = split(value)?;
        Ok(Self { call_id, local_tag: one(&params, "local-tag")?, remote_tag: one(&params, "remote-tag")? })
    }
}

fn split(value: &str) -> Result<(Text, Params), Problem> {
    let value = value.trim();
    let (call_id, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    let call_id = call_id.trim();
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == ',';
    if call_id.is_empty() || call_id.contains(odd) {
        return Err(Problem::CallId);
    }
    Ok((Text::from(call_id), Params::parse(params)?))
}

fn one(params: &Params, name: &'static str) -> Result<Text, Problem> {
    let mut values = params.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let value = values.next().filter(|value| !value.is_empty()).ok_or(Problem::Missing(name))?;
    if values.next().is_some() { Err(Problem::Repeated(name)) } else { Ok(Text::from(value)) }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

impl fmt::Display for TargetDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};local-tag={};remote-tag={}", self.call_id, self.local_tag, self.remote_tag)
    }
}

/// The tags are rights: who knows them may take the call over.
impl fmt::Debug for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replaces").field("early_only", &self.early_only).finish_non_exhaustive()
    }
}

impl fmt::Debug for TargetDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetDialog").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaces_header_reads_back_as_it_was_written() {
        let text = "98732@sip.example.com;to-tag=r33th4x0r;from-tag=ff87ff;early-only";
        let read = Replaces::parse(text).unwrap();
        assert_eq!(read.call_id, "98732@sip.example.com");
        assert!(read.early_only);
        assert_eq!(read.to_string(), text);
        let plain = Replaces::parse(" 425928@bobster.example.org ;from-tag=7743; to-tag=6472").unwrap();
        assert_eq!((plain.to_tag.as_str(), plain.from_tag.as_str()), ("6472", "7743"));
        assert!(!plain.early_only);
        assert!(!format!("{plain:?}").contains("6472"), "a tag is a right");
    }

    #[test]
    fn a_replaces_header_without_one_tag_each_names_nothing() {
        for bad in [
            "",
            "a@b",
            "a@b;to-tag=1",
            "a@b;from-tag=1",
            "a@b;to-tag=;from-tag=2",
            "a@b;to-tag=1;to-tag=2;from-tag=3",
            ";to-tag=1;from-tag=2",
            "a b;to-tag=1;from-tag=2",
            "a@b;to-tag=\"1;from-tag=2",
            "a@b;to-tag=1;from-tag=2, c@d;to-tag=1;from-tag=2",
        ] {
            assert!(Replaces::parse(bad).is_err(), "{bad}");
        }
        let mut headers = Headers::default();
        assert!(Replaces::of(&headers).is_none());
        headers.push(Name::Replaces, "a@b;to-tag=1;from-tag=2");
        assert!(matches!(Replaces::of(&headers), Some(Ok(_))));
        headers.push(Name::Replaces, "c@d;to-tag=1;from-tag=2");
        assert!(matches!(Replaces::of(&headers), Some(Err(_))));
    }

    #[test]
    fn a_target_dialog_reads_back_as_it_was_written() {
        let text = "fa77as7dad8-sd98ajzz@host.example.com;local-tag=kkaz-;remote-tag=6544";
        assert_eq!(TargetDialog::parse(text).unwrap().to_string(), text);
        assert!(TargetDialog::parse("a@b;local-tag=1").is_err());
    }
}
