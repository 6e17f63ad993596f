//! User-to-User (RFC 7433): what one application tells another beside a call: a contact centre's ticket, an account.
//!
//! ```text
//!   User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=isdn-uui;content=isdn-uui
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::sip::{Headers, Name, Params, Problem, Text, quote, unquote};

/// One value of a User-to-User header. What it says is the application's: `Debug` shows its length alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uui {
    /// The data as written, without the quotes of a quoted string; in digits where the encoding is `hex`.
    pub data: Text,
    /// How the data is to be read. Hex where nothing is said (§4.1).
    pub encoding: Option<Text>,
    /// Which application it is for (§4.1); none means ISDN interworking (RFC 7434).
    pub purpose: Option<Text>,
    /// What the data is (§4.1).
    pub content: Option<Text>,
}

/// Most bytes of one value's data as written. ISDN carries 128 bytes, contact centres some hundreds. More: a peer's
/// cargo travels in every INVITE of a transfer and makes it leave UDP. Less: contexts are cut off.
pub const MAX_DATA: usize = 2048;

/// Most values of one message. More: see [`MAX_DATA`]. Less: an application's value is lost behind another's.
const MAX_VALUES: usize = 8;

impl Uui {
    /// These bytes, in hex.
    pub fn hex(bytes: &[u8]) -> Self {
        let mut data = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            for nibble in [byte >> 4, byte & 15] {
                data.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        Self { data: Text::from(data), encoding: Some(Text::from_static("hex")), purpose: None, content: None }
    }

    /// The same for this application.
    pub fn for_purpose(mut self, purpose: &str) -> Self {
        self.purpose = (!purpose.is_empty()).then(|| Text::from(purpose));
        self
    }

    /// Reads one value.
    pub fn parse(value: &str) -> Result<Self, Problem> {
        let value = value.trim();
        let (written, params) = if value.starts_with('"') {
            value.split_at(end_of_quoted(value).ok_or(Problem::Quotes)?)
        } else {
            value.split_at(value.find(';').unwrap_or(value.len()))
        };
        let written = written.trim();
        let data = unquote(written);
        let quoted = written.starts_with('"');
        let odd = |c: char| c.is_control() || (!quoted && (c.is_whitespace() || matches!(c, ',' | '"')));
        if data.is_empty() || data.len() > MAX_DATA || data.contains(odd) {
            return Err(Problem::Field);
        }
        let params = Params::parse(params)?;
        let param = |name| params.get(name).map(unquote).filter(|value| !value.is_empty()).map(|v| Text::from(&*v));
        let read = Self {
            data: Text::from(&*data),
            encoding: param("encoding"),
            purpose: param("purpose"),
            content: param("content"),
        };
        if read.is_hex() && read.bytes().is_none() {
            return Err(Problem::Field);
        }
        Ok(read)
    }

    /// The values of a message's User-to-User headers. One that cannot be read is passed over: it is the application's,
    /// and the call is not.
    pub fn all(headers: &Headers) -> Vec<Self> {
        headers.values(Name::UserToUser).take(MAX_VALUES).filter_map(|value| Self::parse(value).ok()).collect()
    }

    /// Whether the data is written in hex: said, or nothing said (§4.1).
    pub fn is_hex(&self) -> bool {
        self.encoding.as_ref().is_none_or(|encoding| encoding.eq_ignore_ascii_case("hex"))
    }

    /// The bytes meant; none where the encoding is not one of ours or the digits are none.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        if !self.is_hex() || !self.data.len().is_multiple_of(2) {
            return None;
        }
        let digits: Option<Vec<u8>> =
            self.data.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        let digits = digits?;
        Some(digits.chunks_exact(2).filter_map(|pair| Some(pair.first()? << 4 | pair.get(1)?)).collect())
    }
}

/// Where a quoted string at the beginning of `text` ends, its last quote included.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

impl fmt::Display for Uui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        if self.data.chars().all(token) {
            f.write_str(&self.data)?
        } else {
            f.write_str(&quote(&self.data))?
        }
        let mut params = Params::default();
        for (name, value) in [("encoding", &self.encoding), ("purpose", &self.purpose), ("content", &self.content)] {
            if let Some(value) = value {
                params.set(name, value);
            }
        }
        write!(f, "{params}")
    }
}

impl fmt::Debug for Uui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = self.purpose.as_ref().map_or("", |purpose| purpose.as_str());
        write!(f, "Uui({} bytes, purpose {purpose:?})", self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_hex_is_read_with_and_without_saying_so() {
        let said = Uui::parse("56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar").unwrap();
        assert_eq!(said.bytes().unwrap(), [0x56, 0xa3, 0x90, 0xf3, 0xd2, 0xb7, 0x31, 0x00, 0x23, 0xa2]);
        assert_eq!(said.purpose.as_deref(), Some("foo"));
        assert_eq!(said.content.as_deref(), Some("bar"));
        assert_eq!(said.to_string(), "56a390f3d2b7310023a2;encoding=hex;purpose=foo;content=bar");
        assert_eq!(Uui::parse("00FA08").unwrap().bytes().unwrap(), [0, 0xfa, 8]);
        assert_eq!(Uui::hex(&[0, 255]).for_purpose("call-center").to_string(), "00ff;encoding=hex;purpose=call-center");
    }

    #[test]
    fn text_of_an_application_is_carried_as_it_is() {
        let text = Uui::parse("\"a;b, \\\"c\\\"\";encoding=text").unwrap();
        assert_eq!(text.data, "a;b, \"c\"");
        assert_eq!(text.bytes(), None);
        assert_eq!(Uui::parse(&text.to_string()).unwrap(), text);
    }

    #[test]
    fn what_is_no_value_is_passed_over_and_the_others_are_read() {
        for bad in ["", "xyz;encoding=hex", "abc", "a b", "\"open", ";encoding=hex"] {
            assert!(Uui::parse(bad).is_err(), "{bad}");
        }
        assert!(Uui::parse(&format!("{};encoding=text", "x".repeat(MAX_DATA + 1))).is_err());
        let mut headers = Headers::default();
        headers.push(Name::UserToUser, "zz;encoding=hex, 01;purpose=a");
        headers.push(Name::UserToUser, "02;purpose=b");
        let purposes: Vec<_> = Uui::all(&headers).into_iter().filter_map(|uui| uui.purpose).collect();
        assert_eq!(purposes, ["a", "b"]);
    }

    #[test]
    fn what_an_application_says_is_not_shown() {
        let shown = format!("{:?}", Uui::parse("c0ffee;purpose=x").unwrap());
        assert!(!shown.contains("c0ffee"), "{shown}");
    }
}
