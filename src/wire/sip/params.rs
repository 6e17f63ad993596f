//! Parameters: `;name=value;flag`.

use std::fmt;

use super::{MAX_PARAMS, Problem, Text, scan};

/// The parameters of a URI or of a header value, in order, as they were written. Names compare without regard
/// to case; equality is that of the text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Text);

impl Params {
    /// Reads parameters, each preceded by `;`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        check(text)?;
        Ok(Self(Text::from(scan::trim(text))))
    }

    /// Takes text that `check` has passed.
    pub(super) fn checked(text: Text) -> Self {
        Self(text)
    }

    /// Sets the first parameter of this name, or appends it; an empty value writes a flag. Characters that the
    /// grammar does not allow make the value a quoted string.
    pub fn set(&mut self, name: &str, value: &str) {
        let mut out = String::with_capacity(self.0.len() + name.len() + value.len() + 2);
        let mut done = false;
        for piece in pieces(self.0.as_str()) {
            if !split_piece(piece).0.eq_ignore_ascii_case(name) {
                out.push(';');
                out.push_str(piece);
            } else if !done {
                write_one(&mut out, name, value);
                done = true;
            }
        }
        if !done {
            write_one(&mut out, name, value);
        }
        self.0 = Text::from(out);
    }

    /// Removes every parameter of this name.
    pub fn remove(&mut self, name: &str) {
        if !self.has(name) {
            return;
        }
        let mut out = String::with_capacity(self.0.len());
        for piece in pieces(self.0.as_str()).filter(|piece| !split_piece(piece).0.eq_ignore_ascii_case(name)) {
            out.push(';');
            out.push_str(piece);
        }
        self.0 = Text::from(out);
    }

    /// The value of the first parameter of this name as written; empty for a flag.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Whether there is such a parameter, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Name and value of each; the value is empty for a flag.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        iterate(self.0.as_str())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, from the first `;` on.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// Name and value of each parameter in `text`, which begins with `;` or is empty.
pub(super) fn iterate(text: &str) -> impl Iterator<Item = (&str, &str)> {
    pieces(text).map(split_piece)
}

/// Each parameter as it was written, without its `;`.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = scan::find(text, b';').and_then(|at| text.get(at + 1..));
    std::iter::from_fn(move || {
        let (piece, after) = scan::split_outside(rest?, b';', false);
        rest = after;
        Some(piece)
    })
}

fn split_piece(piece: &str) -> (&str, &str) {
    let (name, value) = scan::split_outside(piece, b'=', false);
    (scan::trim(name), scan::trim(value.unwrap_or_default()))
}

/// Checks that `text` is nothing, or parameters each with a name and with quotes that close.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    let text = scan::trim(text);
    if text.is_empty() {
        return Ok(());
    }
    if !text.starts_with(';') {
        return Err(Problem::Params);
    }
    for (index, (name, value)) in iterate(text).enumerate() {
        if index >= MAX_PARAMS {
            return Err(Problem::Params);
        }
        if name.is_empty() || !scan::all(name, scan::PARAM_NAME) {
            return Err(Problem::Params);
        }
        if value.starts_with('"') {
            let closes = value.len() > 1 && value.ends_with('"') && scan::quotes_close(value);
            if !closes {
                return Err(Problem::Quotes);
            }
        } else if !scan::all(value, scan::PARAM_VALUE) {
            return Err(Problem::Params);
        }
    }
    Ok(())
}

fn write_one(out: &mut String, name: &str, value: &str) {
    out.push(';');
    out.extend(
        name.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, ';' | '=' | '"' | ',' | '<' | '>' | '?' | '@')),
    );
    if value.is_empty() {
        return;
    }
    out.push('=');
    let plain = value
        .chars()
        .all(|c| !c.is_ascii_control() && !matches!(c, ';' | '"' | '\\' | ',' | '<' | '>' | ' ' | '=' | '?'));
    if plain {
        out.push_str(value);
    } else {
        out.push_str(&scan::quote(value));
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Params(")?;
        for (index, (name, _)) in self.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { " " })?;
        }
        f.write_str(")")
    }
}
