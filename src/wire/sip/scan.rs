//! The small questions that every SIP grammar rule asks of text.

/// What a byte may be part of; one look-up instead of a chain of comparisons.
const CLASSES: [u8; 256] = classes();
/// `token` (RFC 3261 §25.1).
pub(super) const TOKEN: u8 = 1;
/// A host name, `_` included, which the wild has.
pub(super) const HOST: u8 = 2;
/// A parameter's name: tokens and what URI parameters have besides.
pub(super) const PARAM_NAME: u8 = 4;
/// A parameter's unquoted value: anything but what would separate.
pub(super) const PARAM_VALUE: u8 = 8;
/// A URI: anything but white space, controls, quotes and angle brackets.
pub(super) const URI: u8 = 16;

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric() {
            class |= TOKEN | HOST | PARAM_NAME;
        }
        if matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~') {
            class |= TOKEN | PARAM_NAME;
        }
        if matches!(byte, b'-' | b'.' | b'_') {
            class |= HOST;
        }
        if matches!(byte, b'(' | b')' | b'[' | b']' | b'/' | b':' | b'&' | b'$') {
            class |= PARAM_NAME;
        }
        if !matches!(byte, b'"' | b'<' | b'>' | b' ' | b'\t' | b',') {
            class |= PARAM_VALUE;
        }
        if byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b'<' | b'>') {
            class |= URI;
        }
        table[index] = class;
        index += 1;
    }
    table
}

/// Whether every byte of `text` is of this class.
pub(super) fn all(text: &str, class: u8) -> bool {
    text.bytes().fold(class, |all, byte| all & CLASSES[usize::from(byte)]) != 0
}

/// Whether `byte` may stand in a token (RFC 3261 §25.1).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

/// Whether `text` is a token: one or more token characters.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && all(text, TOKEN)
}

/// Where `wanted` first stands. Eight bytes at a time: the search inside `str::find` is made for longer texts than
/// those of headers.
#[inline]
pub(super) fn find(text: &str, wanted: u8) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let pattern = u64::from(wanted) * LOW;
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        // A byte that equals `wanted` becomes 0, and the lowest 0 shows first in the high bits.
        let zero_where = u64::from_le_bytes(*word) ^ pattern;
        let hit = zero_where.wrapping_sub(LOW) & !zero_where & HIGH;
        if hit != 0 {
            return Some(index * 8 + (hit.trailing_zeros() / 8) as usize);
        }
    }
    rest.iter().position(|byte| *byte == wanted).map(|at| words.len() * 8 + at)
}

/// Splits at the first `separator`, which neither part has.
#[inline]
pub(super) fn split_once(text: &str, separator: u8) -> Option<(&str, &str)> {
    let at = find(text, separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Splits before the first `;`: a value and its parameters.
#[inline]
pub(super) fn split_params(text: &str) -> (&str, &str) {
    find(text, b';').and_then(|at| text.split_at_checked(at)).unwrap_or((text, ""))
}

/// Cuts the linear white space (RFC 3261 §25.1, unfolded) from both ends.
pub(super) fn trim(text: &str) -> &str {
    let mut bytes = text.as_bytes();
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    let start = text.len() - bytes.len();
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    text.get(start..start + bytes.len()).unwrap_or_default()
}

/// Where `wanted` first stands outside a quoted string and, when `angles`, outside `<` `>`. `None` when it
/// does not; quotes or angles that do not close swallow the rest.
pub(super) fn find_outside(text: &str, wanted: u8, angles: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    // Most often it is not there at all, or nothing that could hide it stands before it.
    let first = find(text, wanted)?;
    let hides = |byte: &u8| *byte == b'"' || angles && *byte == b'<';
    let Some(from) = bytes.iter().take(first).position(hides) else { return Some(first) };
    let mut quoted = false;
    let mut escaped = false;
    let mut inside = false;
    for (index, byte) in bytes.iter().enumerate().skip(from) {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
        } else if *byte == wanted && !inside {
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
