//! URIs: sip, sips, tel, and whatever else stands where one is expected.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Host, MAX_URI, Problem, Text, params, scan};

/// What kind of URI it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:` (RFC 3261 §19.1).
    Sip,
    /// `sips:` (RFC 3261 §19.1).
    Sips,
    /// `tel:` (RFC 3966).
    Tel,
    /// Any other; the URI is kept as text.
    Other,
}

/// A URI as it was written, with its parts found. Equality is that of RFC 3261 §19.1.4 for sip and sips and of
/// RFC 3966 §4 for tel, so it is not transitive; `as_str` compares texts. `Debug` hides who is meant.
#[derive(Clone)]
pub struct Uri {
    text: Text,
    scheme: Scheme,
    host: Option<Host>,
    port: Option<u16>,
    user: Span,
    password: Span,
    params: Span,
    headers: Span,
}

/// A part of the text; empty means absent. [`MAX_URI`] keeps offsets within 16 bits.
#[derive(Debug, Clone, Copy, Default)]
struct Span(u16, u16);

impl Span {
    fn of(base: &str, part: &str) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(base.as_ptr() as usize);
        match (u16::try_from(start), u16::try_from(start.wrapping_add(part.len()))) {
            (Ok(start), Ok(end)) => Self(start, end),
            _ => Self(0, 0),
        }
    }

    fn get(self, text: &Text) -> Option<&str> {
        if self.0 >= self.1 { None } else { text.as_str().get(usize::from(self.0)..usize::from(self.1)) }
    }
}

/// The parts of a URI, where the text has them.
struct Parts<'a> {
    scheme: Scheme,
    user: &'a str,
    password: &'a str,
    host: Option<&'a str>,
    port: Option<u16>,
    params: &'a str,
    headers: &'a str,
}

impl<'a> Parts<'a> {
    fn of(whole: &'a str) -> Result<Self, Problem> {
        if whole.len() > MAX_URI {
            return Err(Problem::UriTooLong);
        }
        if !scan::all(whole, scan::URI) {
            return Err(Problem::Uri);
        }
        let (scheme, rest) = scan::split_once(whole, b':').ok_or(Problem::Uri)?;
        if scheme.eq_ignore_ascii_case("sip") {
            return Self::of_sip(Scheme::Sip, rest);
        }
        if scheme.eq_ignore_ascii_case("sips") {
            return Self::of_sip(Scheme::Sips, rest);
        }
        let mut letters = scheme.bytes();
        let valid = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !valid || rest.is_empty() {
            return Err(Problem::Uri);
        }
        if !scheme.eq_ignore_ascii_case("tel") {
            return Ok(Self {
                scheme: Scheme::Other,
                user: "",
                password: "",
                host: None,
                port: None,
                params: "",
                headers: "",
            });
        }
        let (user, params) = scan::split_params(rest);
        if user.is_empty() || user.contains(['@', '?']) {
            return Err(Problem::Uri);
        }
        params::check(params)?;
        Ok(Self { scheme: Scheme::Tel, user, password: "", host: None, port: None, params, headers: "" })
    }

    fn of_sip(scheme: Scheme, rest: &'a str) -> Result<Self, Problem> {
        let (user, password, hostpart) = match scan::split_once(rest, b'@') {
            None => ("", "", rest),
            Some((userinfo, hostpart)) => {
                let (user, password) = scan::split_once(userinfo, b':').unwrap_or((userinfo, ""));
                if user.is_empty() {
                    return Err(Problem::Uri);
                }
                (user, password, hostpart)
            }
        };
        let (before, headers) = scan::split_once(hostpart, b'?').unwrap_or((hostpart, ""));
        let (address, params) = scan::split_params(before);
        params::check(params)?;
        let (host, port) = Host::split_port(address)?;
        Ok(Self { scheme, user, password, host: Some(host), port, params, headers })
    }
}

/// Checks a URI without keeping anything.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    match Parts::of(text)?.host {
        Some(host) => Host::check(host),
        None => Ok(()),
    }
}

impl Uri {
    /// Reads a URI.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::from_text(Text::from(text))
    }

    /// Reads a URI from shared text without copying it.
    pub fn from_text(text: Text) -> Result<Self, Problem> {
        let whole = text.as_str();
        let parts = Parts::of(whole)?;
        let (user, password) = (Span::of(whole, parts.user), Span::of(whole, parts.password));
        let (params, headers) = (Span::of(whole, parts.params), Span::of(whole, parts.headers));
        let host = parts.host.map(|host| Host::parse_shared(host, &text)).transpose()?;
        let (scheme, port) = (parts.scheme, parts.port);
        Ok(Self { scheme, host, port, user, password, params, headers, text })
    }

    /// A sip URI; a user's characters that need it are escaped. A user too long for a URI is left out.
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        let user = user.map(escape_user);
        Self::assemble(Scheme::Sip, user.as_deref(), None, host.clone(), port, "", "").unwrap_or_else(|| Self {
            text: Text::from(format!("sip:{host}")),
            scheme: Scheme::Sip,
            host: Some(host),
            port: None,
            user: Span::default(),
            password: Span::default(),
            params: Span::default(),
            headers: Span::default(),
        })
    }

    /// The same URI with this host and port. This and the other edits leave the URI as it is where there is nothing to
    /// edit (a tel URI has no host) and where the result would be longer than a URI may be.
    pub fn with_host(&self, host: Host, port: Option<u16>) -> Self {
        match self.scheme {
            Scheme::Sip | Scheme::Sips => Self::assemble(
                self.scheme,
                self.user(),
                self.password(),
                host,
                port,
                self.params_text(),
                self.headers().unwrap_or_default(),
            )
            .unwrap_or_else(|| self.clone()),
            Scheme::Tel | Scheme::Other => self.clone(),
        }
    }

    /// The same URI with this user, escaped as needed.
    pub fn with_user(&self, user: Option<&str>) -> Self {
        match &self.host {
            Some(host) => Self::assemble(
                self.scheme,
                user.map(escape_user).as_deref(),
                self.password(),
                host.clone(),
                self.port,
                self.params_text(),
                self.headers().unwrap_or_default(),
            )
            .unwrap_or_else(|| self.clone()),
            None => self.clone(),
        }
    }

    /// The same URI with this parameter set; an empty value is a flag, as in `;lr`.
    pub fn with_param(&self, name: &str, value: &str) -> Self {
        let mut params = self.params();
        params.set(name, &escape_param(value));
        self.with_params(params.as_str())
    }

    /// The same URI without this parameter.
    pub fn without_param(&self, name: &str) -> Self {
        let mut params = self.params();
        params.remove(name);
        self.with_params(params.as_str())
    }

    /// The same URI without headers (`?Subject=...`), as a Request-URI must be (RFC 3261 §19.1.1).
    pub fn without_headers(&self) -> Self {
        match &self.host {
            Some(host) if self.headers().is_some() => Self::assemble(
                self.scheme,
                self.user(),
                self.password(),
                host.clone(),
                self.port,
                self.params_text(),
                "",
            )
            .unwrap_or_else(|| self.clone()),
            _ => self.clone(),
        }
    }

    fn with_params(&self, params: &str) -> Self {
        match (&self.scheme, &self.host) {
            (Scheme::Sip | Scheme::Sips, Some(host)) => Self::assemble(
                self.scheme,
                self.user(),
                self.password(),
                host.clone(),
                self.port,
                params,
                self.headers().unwrap_or_default(),
            )
            .unwrap_or_else(|| self.clone()),
            (Scheme::Tel, _) => Self::parse(&format!("tel:{}{params}", self.user().unwrap_or_default()))
                .unwrap_or_else(|_| self.clone()),
            _ => self.clone(),
        }
    }

    fn assemble(
        scheme: Scheme,
        user: Option<&str>,
        password: Option<&str>,
        host: Host,
        port: Option<u16>,
        params: &str,
        headers: &str,
    ) -> Option<Self> {
        use fmt::Write;
        let mut text = String::with_capacity(64);
        text.push_str(if scheme == Scheme::Sips { "sips:" } else { "sip:" });
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            text.push_str(user);
            if let Some(password) = password {
                text.push(':');
                text.push_str(password);
            }
            text.push('@');
        }
        let _ = write!(text, "{host}");
        if let Some(port) = port {
            let _ = write!(text, ":{port}");
        }
        text.push_str(params);
        if !headers.is_empty() {
            text.push('?');
            text.push_str(headers);
        }
        Self::from_text(Text::from(text)).ok()
    }

    /// What kind of URI it is.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether it is a `sips:` URI.
    pub fn is_sips(&self) -> bool {
        self.scheme == Scheme::Sips
    }

    /// The user as written, escapes and all; of a tel URI the number. [`unescape`](super::unescape) decodes.
    pub fn user(&self) -> Option<&str> {
        self.user.get(&self.text)
    }

    /// The user with `%HH` decoded.
    pub fn user_decoded(&self) -> Option<Cow<'_, str>> {
        self.user().map(scan::unescape)
    }

    /// The password, which no URI should have (RFC 3261 §19.1.1).
    pub fn password(&self) -> Option<&str> {
        self.password.get(&self.text)
    }

    /// The host of a sip or sips URI.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// The port, if it was written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The parameters.
    pub fn params(&self) -> super::Params {
        super::Params::checked(self.text.share(self.params_text()))
    }

    /// The value of a parameter; empty for a flag.
    pub fn param(&self, name: &str) -> Option<&str> {
        params::iterate(self.params_text()).find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The `transport` parameter.
    pub fn transport(&self) -> Option<super::Transport> {
        self.param("transport").map(super::Transport::read)
    }

    /// Whether `;lr` marks a loose router (RFC 3261 §19.1.1).
    pub fn is_loose(&self) -> bool {
        self.param("lr").is_some()
    }

    /// What stands after `?`, as written.
    pub fn headers(&self) -> Option<&str> {
        self.headers.get(&self.text)
    }

    /// The whole URI as written.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The whole URI as written, shared.
    pub fn text(&self) -> &Text {
        &self.text
    }

    fn params_text(&self) -> &str {
        self.params.get(&self.text).unwrap_or_default()
    }

    /// The headers in an order of their own, names in lower case, decoded.
    fn header_list(&self) -> Vec<(String, String)> {
        let mut list: Vec<_> = self
            .headers()
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (scan::unescape(name).to_ascii_lowercase(), scan::unescape(value).into_owned())
            })
            .collect();
        list.sort();
        list
    }

    /// The parameters that count even when only one side has them (RFC 3261 §19.1.4).
    const DECISIVE: [&'static str; 5] = ["user", "ttl", "method", "maddr", "transport"];

    fn same_params(&self, other: &Self) -> bool {
        params::iterate(self.params_text()).all(|(name, value)| match other.param(name) {
            Some(theirs) => scan::unescape(value).eq_ignore_ascii_case(&scan::unescape(theirs)),
            None => !Self::DECISIVE.iter().any(|decisive| decisive.eq_ignore_ascii_case(name)),
        })
    }

    fn same_number(&self, other: &Self) -> bool {
        let digits = |uri: &Self| -> String {
            let number = uri.user().unwrap_or_default();
            number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).map(|c| c.to_ascii_lowercase()).collect()
        };
        let sorted = |uri: &Self| {
            let mut list: Vec<_> = params::iterate(uri.params_text())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_ascii_lowercase()))
                .collect();
            list.sort();
            list
        };
        digits(self) == digits(other) && sorted(self) == sorted(other)
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        if self.text == other.text {
            return true;
        }
        match (&self.scheme, &other.scheme) {
            (Scheme::Sip, Scheme::Sip) | (Scheme::Sips, Scheme::Sips) => {
                self.user_decoded() == other.user_decoded()
                    && self.password().map(scan::unescape) == other.password().map(scan::unescape)
                    && self.host == other.host
                    && self.port == other.port
                    && self.same_params(other)
                    && other.same_params(self)
                    && self.header_list() == other.header_list()
            }
            (Scheme::Tel, Scheme::Tel) => self.same_number(other),
            _ => false,
        }
    }
}

impl FromStr for Uri {
    type Err = Problem;
    fn from_str(text: &str) -> Result<Self, Problem> {
        Self::parse(text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.as_str())
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.user().is_some() { "•••" } else { "" };
        match (&self.scheme, &self.host) {
            (Scheme::Tel, _) => f.write_str("tel:•••"),
            (Scheme::Other, _) | (_, None) => {
                write!(f, "{}:•••", self.text.split(':').next().unwrap_or_default())
            }
            (scheme, Some(host)) => {
                let scheme = if *scheme == Scheme::Sips { "sips" } else { "sip" };
                write!(f, "{scheme}:{user}{}{host}", if user.is_empty() { "" } else { "@" })?;
                self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
            }
        }
    }
}

impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Uri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(Text::from(text)).map_err(serde::de::Error::custom)
    }
}

/// Escapes what may not stand in a user part (RFC 3261 §25.1 `user`).
pub fn escape_user(user: &str) -> String {
    escape(user, b"-_.!~*'()&=+$,;?/")
}

/// Escapes what may not stand in a parameter value (RFC 3261 §25.1 `paramchar`).
fn escape_param(value: &str) -> String {
    escape(value, b"-_.!~*'()[]/:&+$%")
}

fn escape(text: &str, allowed: &[u8]) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || allowed.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn two_uris_mean_the_same_as_the_rfc_says() {
        // RFC 3261 §19.1.4
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:[2001:db8::1]", "sip:[2001:DB8:0:0::1]"),
            ("tel:+1-201-555-0123", "tel:+12015550123"),
        ] {
            assert_eq!(uri(a), uri(b));
            assert_eq!(uri(b), uri(a));
        }
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=off", "sip:carol@chicago.com;security=on"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("tel:+12015550123", "tel:+12015550124"),
            ("tel:7042;phone-context=example.com", "tel:7042"),
        ] {
            assert_ne!(uri(a), uri(b));
            assert_ne!(uri(b), uri(a));
        }
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else() {
        let trunk = uri("sip:+49309018@trunk.example:5060;user=phone;d=a=b?Subject=x");
        assert_eq!(
            trunk.with_param("lr", "").as_str(),
            "sip:+49309018@trunk.example:5060;user=phone;d=a=b;lr?Subject=x"
        );
        assert_eq!(trunk.without_param("user").without_headers().as_str(), "sip:+49309018@trunk.example:5060;d=a=b");
        let moved = trunk.with_user(Some("a b")).with_host(Host::V4([192, 0, 2, 1].into()), None);
        assert_eq!(moved.as_str(), "sip:a%20b@192.0.2.1;user=phone;d=a=b?Subject=x");
        assert_eq!(trunk.with_user(None).as_str(), "sip:trunk.example:5060;user=phone;d=a=b?Subject=x");
        assert_eq!(uri("tel:+1;ext=5").with_user(Some("x")).as_str(), "tel:+1;ext=5");
        assert_eq!(uri("tel:+1;ext=5").without_param("ext").as_str(), "tel:+1");
    }

    #[test]
    fn whose_uri_it_is_does_not_print() {
        assert_eq!(format!("{:?}", uri("sip:+49309018:pw@h.example:5061;user=phone")), "sip:•••@h.example:5061");
        assert_eq!(format!("{:?}", uri("tel:+49309018")), "tel:•••");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip",
            "sip:",
            "sip:@h",
            "sip:a@",
            "sip:a b@h",
            "sip:h:99999",
            "sip:h:",
            "sip:[::1",
            "sip:[::g]",
            "sip:h;;a",
            "<sip:h>",
            "1sip:h",
            "tel:",
            "http:",
            "sip:h\r\nx",
            "sip:2001:db8::10",
        ] {
            assert!(Uri::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Uri::parse(&format!("sip:{}@h", "a".repeat(MAX_URI))).unwrap_err(), Problem::UriTooLong);
    }
}
