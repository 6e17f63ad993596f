//! Who is at the other end of a DTLS handshake (RFC 8122), and who begins it (RFC 4145).
//!
//! ```text
//! a=fingerprint:sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD
//! a=setup:actpass
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// A hash function that is believed; MD5 and SHA-1 are not (RFC 8122 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hash {
    /// SHA-256.
    #[serde(rename = "sha-256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "sha-384")]
    Sha384,
    /// SHA-512.
    #[serde(rename = "sha-512")]
    Sha512,
}

/// The hash of a certificate in DER.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// By which function.
    pub hash: Hash,
    /// Its value.
    pub value: Vec<u8>,
}

/// `a=setup`: who opens the connection (RFC 4145 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setup {
    /// Its writer.
    Active,
    /// The other.
    Passive,
    /// Either: the answer decides.
    ActPass,
    /// Nobody, for now.
    HoldConn,
}

impl Hash {
    /// Its name in `a=fingerprint`.
    pub const fn name(self) -> &'static str {
        match self {
            Hash::Sha256 => "sha-256",
            Hash::Sha384 => "sha-384",
            Hash::Sha512 => "sha-512",
        }
    }

    /// Length of its value in bytes.
    pub const fn length(self) -> usize {
        match self {
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }
}

impl Fingerprint {
    /// Reads what stands after `a=fingerprint:`; none for a hash that is not believed.
    pub fn parse(value: &str) -> Option<Self> {
        let (name, digits) = value.trim().split_once(char::is_whitespace)?;
        let hash = [Hash::Sha256, Hash::Sha384, Hash::Sha512]
            .into_iter()
            .find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let value = digits.trim().split(':').map(byte).collect::<Option<Vec<u8>>>()?;
        (value.len() == hash.length()).then_some(Self { hash, value })
    }
}

fn byte(digits: &str) -> Option<u8> {
    if digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash.name())?;
        for (index, byte) in self.value.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl Setup {
    /// Reads what stands after `a=setup:`.
    pub fn parse(value: &str) -> Option<Self> {
        [Setup::Active, Setup::Passive, Setup::ActPass, Setup::HoldConn]
            .into_iter()
            .find(|setup| setup.name().eq_ignore_ascii_case(value.trim()))
    }

    /// As written.
    pub const fn name(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::ActPass => "actpass",
            Setup::HoldConn => "holdconn",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weak_hashes_and_wrong_lengths_are_no_fingerprints() {
        assert_eq!(Fingerprint::parse(&format!("sha-1 {}", ["AB"; 20].join(":"))), None);
        assert_eq!(Fingerprint::parse(&format!("sha-256 {}", ["AB"; 31].join(":"))), None);
        assert_eq!(Fingerprint::parse(&format!("sha-256 {}", ["A"; 32].join(":"))), None);
        assert!(Fingerprint::parse(&format!("SHA-256  {}", ["ab"; 32].join(":"))).is_some());
        assert_eq!(Setup::parse("ACTPASS"), Some(Setup::ActPass));
        assert_eq!(Setup::parse("sometimes"), None);
    }

    proptest! {
        #[test]
        fn a_fingerprint_reads_back(value in any::<[u8; 32]>()) {
            let fingerprint = Fingerprint { hash: Hash::Sha256, value: value.to_vec() };
            prop_assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint));
        }
    }
}
