//! Secrets that cannot print.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that is neither shown nor logged: a PIN, a password, a key. `Debug` prints `***`; there is no
/// `Display`; comparison takes the same time wherever the texts differ.
#[derive(Clone, Default, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the one way out.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares without telling by its duration where the difference lies.
    pub fn matches(&self, other: &str) -> bool {
        let (a, b) = (self.0.as_bytes(), other.as_bytes());
        let mut difference = a.len() ^ b.len();
        for (index, byte) in a.iter().enumerate() {
            difference |= usize::from(byte ^ b.get(index).copied().unwrap_or(!byte));
        }
        difference == 0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_compares_and_does_not_print() {
        let pin = Secret::new("4711");
        assert!(pin.matches("4711"));
        assert!(!pin.matches("47110"));
        assert!(!pin.matches("471"));
        assert!(!pin.matches(""));
        assert_eq!(format!("{pin:?}"), "***");
    }
}
