//! The small questions that every SIP grammar rule asks of text.

/// Whether `byte` may stand in a token (RFC 3261 §25.1).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether `text` is a token: one or more token characters.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Cuts the linear white space (RFC 3261 §25.1, unfolded) from both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Where `wanted` first stands outside a quoted string and, when `angles`, outside `<` `>`. `None` when it
/// does not; quotes or angles that do not close swallow the rest.
pub(super) fn find_outside(text: &str, wanted: u8, angles: bool) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    let mut inside = false;
    for (index, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if byte == wanted && !inside {
            return Some(index);
        } else {
            match byte {
                b'"' => quoted = true,
                b'<' if angles => inside = true,
                b'>' if angles => inside = false,
                _ => {}
            }
        }
    }
    None
}

/// Whether every quoted string in `text` closes.
pub(super) fn quotes_close(text: &str) -> bool {
    let mut quoted = false;
    let mut escaped = false;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

/// Splits at the first `separator`; the second part lacks it.
pub(super) fn split_outside(text: &str, separator: u8, angles: bool) -> (&str, Option<&str>) {
    match find_outside(text, separator, angles) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// The comma-separated elements of a header value, trimmed; commas in quoted strings and between `<` and `>`
/// do not separate. Empty elements are passed over.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: Option<&'a str>,
}

impl<'a> Elements<'a> {
    /// Over the elements of `value`.
    pub fn new(value: &'a str) -> Self {
        Self { rest: Some(value) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;
    fn next(&mut self) -> Option<&'a str> {
        loop {
            let (element, rest) = split_outside(self.rest?, b',', true);
            self.rest = rest;
            let element = trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
    }
}

/// Decimal digits and nothing else, as a number no greater than `u32::MAX`.
pub(super) fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.bytes().try_fold(0u32, |value, byte| value.checked_mul(10)?.checked_add(u32::from(byte - b'0')))
}

/// Decimal digits as a port.
pub(super) fn port(text: &str) -> Option<u16> {
    number(text).and_then(|value| u16::try_from(value).ok())
}

/// Decodes `%HH` (RFC 3261 §25.1 `escaped`); what is not such an escape stays, and octets that are not UTF-8
/// become U+FFFD.
pub fn unescape(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('%') {
        return std::borrow::Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let pair = (byte == b'%').then(|| (ahead.next().and_then(hex), ahead.next().and_then(hex)));
        if let Some((Some(high), Some(low))) = pair {
            out.push(high << 4 | low);
            bytes = ahead;
        } else {
            out.push(byte);
        }
    }
    std::borrow::Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The content of a quoted string with its escapes resolved; any other text as it is.
pub fn unquote(text: &str) -> std::borrow::Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return std::borrow::Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return std::borrow::Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    std::borrow::Cow::Owned(out)
}

/// The text as a quoted string; control characters become spaces.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(if c.is_ascii_control() { ' ' } else { c });
    }
    out.push('"');
    out
}
