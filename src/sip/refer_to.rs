//! Refer-To (RFC 3515 §2.1): where a call is to go, with the headers that its INVITE is to carry.
//!
//! ```text
//!   Refer-To: "Bob" <sip:bob@example.org;user=phone?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&User-to-User=00FA>
//!                    └──────────── uri ────────────┘└──────────────────── embedded headers ────────────────────┘
//! ```

use std::fmt;

use super::endpoint::Headers;
use super::replaces::Replaces;
use super::uui::Uui;
use crate::wire::sip::{Known, Method, Name, NameAddr, Problem, Text, Uri, unescape};

/// Where a call is to go.
#[derive(Clone, PartialEq)]
pub struct ReferTo {
    /// The Request-URI of the call: without the embedded headers and without `method`.
    pub uri: Uri,
    /// The display name, as written.
    pub display: Option<Text>,
    /// What is to be sent there: INVITE, unless the URI says otherwise.
    pub method: Method,
    /// The dialog at the target that the call takes over: an attended transfer.
    pub replaces: Option<Replaces>,
    /// What is told to the target's application.
    pub uui: Vec<Uui>,
    /// The other embedded headers, decoded, in order.
    pub headers: Headers,
}

/// Most embedded headers. More: a referrer's cargo. Less: an honest one is cut off.
const MAX_HEADERS: usize = 16;

impl ReferTo {
    /// A call to this URI.
    pub fn new(uri: Uri) -> Self {
        Self { uri, display: None, method: Method::Invite, replaces: None, uui: Vec::new(), headers: Headers::new() }
    }

    /// A call that takes over a dialog at its target.
    pub fn replacing(uri: Uri, replaces: Replaces) -> Self {
        Self { replaces: Some(replaces), ..Self::new(uri) }
    }

    /// Reads a value. A URI with embedded headers is understood without its angle brackets too.
    pub fn parse(value: &str) -> Result<Self, Problem> {
        let value = value.trim();
        let whole = match value.contains('?') && !value.contains(['<', '"']) {
            true => NameAddr::new(Uri::parse(value)?),
            false => NameAddr::parse(value)?,
        };
        let mut method = Method::Invite;
        if let Some(named) = whole.uri.param("method") {
            method = Method::from_text(&named.to_ascii_uppercase());
        }
        let uri = whole.uri.without_headers().without_param("method");
        let mut to = Self { display: whole.display, method, ..Self::new(uri) };
        let embedded = whole.uri.headers().unwrap_or_default();
        for piece in embedded.split('&').filter(|piece| !piece.is_empty()).take(MAX_HEADERS) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            to.take(&unescape(name), &unescape(value))?;
        }
        Ok(to)
    }

    /// What a REFER's Refer-To says. None, or more than one, makes the REFER malformed (§2.4.2).
    pub fn of(headers: &crate::wire::sip::Headers) -> Result<Self, Problem> {
        let mut fields = headers.fields_of(&Name::ReferTo);
        let first = fields.next().ok_or(Problem::Missing("Refer-To"))?;
        match fields.next() {
            Some(_) => Err(Problem::Repeated("Refer-To")),
            None => Self::parse(first),
        }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(Problem::UriHeaders);
        }
        let name = Name::read(name);
        match name.known() {
            Some(Known::Replaces) if self.replaces.is_some() => return Err(Problem::Repeated("Replaces")),
            Some(Known::Replaces) => self.replaces = Some(Replaces::parse(value)?),
            // What cannot be read of it is the application's loss, not the call's.
            Some(Known::UserToUser) => self.uui.extend(Uui::parse(value)),
            Some(_) | None => self.headers.push((name, Text::from(value))),
        }
        Ok(())
    }

    /// What of the embedded headers may go into an INVITE of ours: words for the called side. Those that say who calls,
    /// by which way, or with what right are the sender's own (RFC 3261 §19.1.5), whatever a referrer writes.
    pub fn carried(&self) -> Headers {
        let harmless = |name: &Name| match name {
            Name::Known(known) => matches!(
                known,
                Known::Subject | Known::Priority | Known::InReplyTo | Known::AcceptLanguage | Known::Organization
            ),
            Name::Other(text) => text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-")),
        };
        self.headers.iter().filter(|(name, _)| harmless(name)).cloned().collect()
    }
}

/// Escapes what may not stand in a header's value in a URI (RFC 3261 §25.1 `hvalue`).
fn escape(out: &mut String, text: &str) {
    use fmt::Write as _;
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// The header's value, in angle brackets. Embedded headers that would make the URI too long are left out.
impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uri = self.uri.without_headers();
        if self.method != Method::Invite {
            uri = uri.with_param("method", self.method.as_str());
        }
        let replaces = self.replaces.iter().map(|replaces| (Name::Replaces, replaces.to_string()));
        let uui = self.uui.iter().map(|uui| (Name::UserToUser, uui.to_string()));
        let others = self.headers.iter().map(|(name, value)| (name.clone(), value.to_string()));
        let mut embedded = String::new();
        // A tel URI has no place for headers (RFC 3966).
        for (name, value) in replaces.chain(uui).chain(others).filter(|_| uri.host().is_some()) {
            let before = embedded.len();
            embedded.push(if embedded.is_empty() { '?' } else { '&' });
            escape(&mut embedded, name.as_str());
            embedded.push('=');
            escape(&mut embedded, &value);
            if uri.as_str().len() + embedded.len() > crate::wire::sip::MAX_URI {
                embedded.truncate(before);
            }
        }
        if let Some(display) = &self.display {
            write!(f, "{display} ")?;
        }
        write!(f, "<{uri}{embedded}>")
    }
}

impl fmt::Debug for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReferTo")
            .field("uri", &self.uri)
            .field("replaces", &self.replaces)
            .field("uui", &self.uui)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attended_target_reads_with_its_replaces() {
        let text =
            "<sips:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>";
        let to = ReferTo::parse(text).unwrap();
        assert_eq!(to.uri.as_str(), "sips:dave@denver.example.org");
        assert_eq!(to.method, Method::Invite);
        let replaces = to.replaces.as_ref().unwrap();
        assert_eq!(replaces.call_id, "12345@192.168.118.3");
        assert_eq!(replaces.from_tag, "5FFE-3994");
        assert_eq!(to.to_string(), text);
        assert_eq!(ReferTo::parse(text.trim_matches(['<', '>'])).unwrap(), to, "without its brackets");
    }

    #[test]
    fn a_contact_centre_finds_what_it_is_told_inside_refer_to() {
        let uri = Uri::parse("sip:+15551234567@host.example").unwrap();
        let uui = vec![Uui::parse("00FA;encoding=hex").unwrap()];
        let to = ReferTo { uui, ..ReferTo::new(uri) };
        assert_eq!(to.to_string(), "<sip:+15551234567@host.example?User-to-User=00FA%3Bencoding%3Dhex>");
        assert_eq!(ReferTo::parse(&to.to_string()).unwrap(), to);
    }

    #[test]
    fn a_referrer_does_not_say_who_calls_or_by_which_way() {
        let to = ReferTo::parse(
            "<sip:bob@example.org?Subject=hi%20there&From=%3Csip:boss@example.org%3E&Route=%3Csip:evil%3E&X-Ticket=7\
             &P-Asserted-Identity=%3Csip:boss%3E&X-Bad=a%0D%0AEvil:%20yes>",
        )
        .unwrap();
        let carried: Vec<_> = to.carried().iter().map(|(name, _)| name.as_str().to_owned()).collect();
        assert_eq!(carried, ["Subject", "X-Ticket", "X-Bad"]);
        assert_eq!(to.headers.len(), 6);
        let mut line = String::new();
        crate::sip::compose::more(&mut line, &to.carried());
        assert_eq!(line.matches("\r\n").count(), 3, "a line end in a value breaks into no other line");
    }

    #[test]
    fn the_method_is_taken_out_of_the_uri() {
        let to = ReferTo::parse("<sip:bob@example.org;method=BYE;user=phone>").unwrap();
        assert_eq!(to.method, Method::Bye);
        assert_eq!(to.uri.as_str(), "sip:bob@example.org;user=phone");
        assert_eq!(ReferTo::parse("<tel:+4930901820>").unwrap().uri.user(), Some("+4930901820"));
    }

    #[test]
    fn a_refer_without_one_target_is_malformed() {
        let mut headers = crate::wire::sip::Headers::default();
        assert_eq!(ReferTo::of(&headers), Err(Problem::Missing("Refer-To")));
        headers.push(Name::ReferTo, "<sip:a@example.org>");
        assert!(ReferTo::of(&headers).is_ok());
        headers.push(Name::ReferTo, "<sip:b@example.org>");
        assert_eq!(ReferTo::of(&headers), Err(Problem::Repeated("Refer-To")));
        for bad in [
            "",
            "<>",
            "<sip:a@b?Replaces=x>",
            "<sip:a@b?%20=x>",
            "<sip:a@b?Replaces=a%3Bto-tag=1%3Bfrom-tag=2&replaces=a%3Bto-tag=1%3Bfrom-tag=2>",
        ] {
            assert!(ReferTo::parse(bad).is_err(), "{bad}");
        }
    }
}
