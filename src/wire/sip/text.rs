//! UTF-8 text that shares the bytes it was read from.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// UTF-8 text in shared bytes: cloning and slicing copy nothing. `Debug` prints the length only, because
/// numbers and digits travel in texts.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// Shares `bytes` when they are UTF-8.
    pub fn from_bytes(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(bytes))
    }

    /// A text that lives as long as the program.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The part from byte `start` to byte `end`, shared; empty when that is no part of the text.
    pub fn slice(&self, start: usize, end: usize) -> Self {
        if start >= end || self.as_str().get(start..end).is_none() {
            return Self::default();
        }
        Self(self.0.slice(start..end))
    }

    /// The part from byte `start` to byte `end`, borrowed; empty when that is no part of the text.
    pub(super) fn part(&self, start: usize, end: usize) -> &str {
        self.0.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// How many bytes there are, without reading them.
    pub(super) fn len_bytes(&self) -> usize {
        self.0.len()
    }

    /// The bytes, without reading them.
    pub(super) fn bytes_of(&self) -> &[u8] {
        &self.0
    }

    /// Shares bytes that the caller has seen to be UTF-8; anything else reads as empty.
    pub(super) fn trusted(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The part of this text that `part` borrows from it; a copy when it borrows from elsewhere.
    pub(super) fn share(&self, part: &str) -> Self {
        let base = self.0.as_ptr() as usize;
        match (part.as_ptr() as usize).checked_sub(base) {
            Some(start) if start + part.len() <= self.0.len() && !part.is_empty() => {
                Self(self.0.slice(start..start + part.len()))
            }
            _ => Self::from(part),
        }
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { Self(Bytes::copy_from_slice(text.as_bytes())) }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text.into_bytes()))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
