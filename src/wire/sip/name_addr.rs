//! `"Display" <uri>;params`: From, To, Contact, Route and their kin.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Params, Problem, Text, Uri, params, scan, uri};

/// A URI with an optional display name and the header's parameters (RFC 3261 §20.10).
#[derive(Debug, Clone, PartialEq)]
pub struct NameAddr {
    /// The display name as written: a quoted string with its quotes, or tokens.
    pub display: Option<Text>,
    /// Who or where.
    pub uri: Uri,
    /// The header's parameters; those of the URI are inside it.
    pub params: Params,
}

impl NameAddr {
    /// A URI without display name and parameters.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// The same with a display name, written as a quoted string.
    pub fn with_display(mut self, name: &str) -> Self {
        self.display = (!name.is_empty()).then(|| Text::from(scan::quote(name)));
        self
    }

    /// The same with this tag.
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::parse_shared(text, &Text::default())
    }

    pub(super) fn parse_shared(text: &str, source: &Text) -> Result<Self, Problem> {
        let (display, uri, parameters) = split(text)?;
        Ok(Self {
            display: (!display.is_empty()).then(|| source.share(display)),
            uri: Uri::from_text(source.share(uri))?,
            params: Params::checked(source.share(parameters)),
        })
    }

    /// The `tag` parameter (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The display name with quotes and escapes resolved.
    pub fn display_name(&self) -> Option<Cow<'_, str>> {
        self.display.as_ref().map(|text| scan::unquote(text)).filter(|name| !name.is_empty())
    }
}

/// Display name, URI and parameters, trimmed; the URI is not yet checked.
fn split(text: &str) -> Result<(&str, &str, &str), Problem> {
    let text = scan::trim(text);
    let Some(open) = scan::find_outside(text, b'<', false) else {
        if !scan::quotes_close(text) {
            return Err(Problem::Quotes);
        }
        // Without brackets, `;` ends the URI, and `?` and `,` may not stand in it (RFC 3261 §20).
        let (uri, parameters) = scan::split_params(text);
        let uri = scan::trim(uri);
        if uri.bytes().any(|byte| byte == b'?' || byte == b',') {
            return Err(Problem::NameAddr);
        }
        params::check(parameters)?;
        return Ok(("", uri, scan::trim(parameters)));
    };
    let display = scan::trim(text.get(..open).unwrap_or_default());
    check_display(display)?;
    let rest = text.get(open + 1..).unwrap_or_default();
    let (uri, parameters) = scan::split_once(rest, b'>').ok_or(Problem::NameAddr)?;
    let parameters = scan::trim(parameters);
    params::check(parameters)?;
    Ok((display, scan::trim(uri), parameters))
}

/// Checks a value without keeping anything.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    let (_, uri, _) = split(text)?;
    uri::check(uri)
}

/// A display name is nothing, one quoted string, or tokens. Tokens are taken liberally, as RFC 4475 §3.1.2.15
/// allows: anything but what would separate.
fn check_display(display: &str) -> Result<(), Problem> {
    if display.starts_with('"') {
        let inner = display.get(1..).unwrap_or_default();
        let mut escaped = false;
        let end = inner.bytes().position(|byte| match byte {
            _ if escaped => {
                escaped = false;
                false
            }
            b'\\' => {
                escaped = true;
                false
            }
            byte => byte == b'"',
        });
        return match end {
            Some(end) if end + 2 == display.len() => Ok(()),
            Some(_) => Err(Problem::NameAddr),
            None => Err(Problem::Quotes),
        };
    }
    let separates = |byte| matches!(byte, b'"' | b'<' | b'>' | b';' | b',');
    if display.bytes().any(separates) { Err(Problem::NameAddr) } else { Ok(()) }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{display} ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl FromStr for NameAddr {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl Serialize for NameAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NameAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
