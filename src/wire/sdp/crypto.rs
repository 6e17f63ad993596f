//! SRTP keys in SDP (RFC 4568), with the suites of RFC 6188.
//!
//! ```text
//! a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 WSH=64
//!          │ suite                   master key and salt, base64                     │    │ │  session parameters
//!         tag                                                                lifetime    MKI:length in bytes
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest master key identifier (RFC 4568 §6.1), in bytes.
const LONGEST_MKI: u8 = 128;

/// A cipher with its authenticator (RFC 4568 §6.2, RFC 6188 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// AES with 128 bits in counter mode, 80 bits of HMAC-SHA1.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    Aes128Sha1Tag80,
    /// The same with a tag of 32 bits on RTP; RTCP keeps 80.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    Aes128Sha1Tag32,
    /// AES with 256 bits in counter mode, 80 bits of HMAC-SHA1.
    #[serde(rename = "AES_256_CM_HMAC_SHA1_80")]
    Aes256Sha1Tag80,
    /// The same with a tag of 32 bits on RTP.
    #[serde(rename = "AES_256_CM_HMAC_SHA1_32")]
    Aes256Sha1Tag32,
}

/// A master key with its salt. Prints nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MasterKey(Vec<u8>);

/// What one `a=crypto` line offers: how its writer encrypts what it sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypto {
    /// Which line of the offer; the answer repeats it.
    pub tag: u32,
    /// The suite.
    pub suite: Suite,
    /// The key.
    pub key: MasterKey,
    /// Length of the master key identifier in each packet, in bytes; 0 for none.
    pub mki: u8,
}

impl Suite {
    /// Every suite spoken here, the plainest first.
    pub const ALL: [Suite; 4] =
        [Suite::Aes128Sha1Tag80, Suite::Aes128Sha1Tag32, Suite::Aes256Sha1Tag80, Suite::Aes256Sha1Tag32];

    /// Length of every suite's master salt in bytes.
    pub const SALT: usize = 14;

    /// Its name in `a=crypto`.
    pub const fn name(self) -> &'static str {
        match self {
            Suite::Aes128Sha1Tag80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::Aes128Sha1Tag32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::Aes256Sha1Tag80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::Aes256Sha1Tag32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of a name; some phones write those of RFC 6188 in the order of RFC 4568.
    pub fn parse(name: &str) -> Option<Self> {
        let same = |other: &str| name.eq_ignore_ascii_case(other);
        match name {
            _ if same("AES_CM_256_HMAC_SHA1_80") => Some(Suite::Aes256Sha1Tag80),
            _ if same("AES_CM_256_HMAC_SHA1_32") => Some(Suite::Aes256Sha1Tag32),
            _ => Self::ALL.into_iter().find(|suite| same(suite.name())),
        }
    }

    /// Length of the master key in bytes.
    pub const fn key_length(self) -> usize {
        match self {
            Suite::Aes128Sha1Tag80 | Suite::Aes128Sha1Tag32 => 16,
            Suite::Aes256Sha1Tag80 | Suite::Aes256Sha1Tag32 => 32,
        }
    }

    /// Length of the authentication tag on RTP in bytes; on RTCP it is always ten (RFC 4568 §6.2.1).
    pub const fn tag_length(self) -> usize {
        match self {
            Suite::Aes128Sha1Tag80 | Suite::Aes256Sha1Tag80 => 10,
            Suite::Aes128Sha1Tag32 | Suite::Aes256Sha1Tag32 => 4,
        }
    }
}

impl MasterKey {
    /// A key and salt of the suite's length; none where they have another.
    pub fn new(suite: Suite, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == suite.key_length() + Suite::SALT).then(|| Self(bytes.to_vec()))
    }

    /// The key without its salt.
    pub fn key(&self) -> &[u8] {
        self.0.get(..self.0.len().saturating_sub(Suite::SALT)).unwrap_or_default()
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        self.0.get(self.0.len().saturating_sub(Suite::SALT)..).unwrap_or_default()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Crypto {
    /// Reads what stands after `a=crypto:`. None where it is not well-formed, or demands what is not spoken here: another
    /// suite, several keys, packets left unencrypted or unauthenticated, a key derivation rate. The lifetime is read and
    /// not kept: the shortest that is seen, 2^20 packets, is six hours of speech. Parameters that change nothing on the
    /// wire (`WSH`, `FEC_ORDER`) and those that may be ignored (with a hyphen) are.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= 9)?;
        let tag = if tag.bytes().all(|byte| byte.is_ascii_digit()) { tag.parse().ok()? } else { return None };
        let suite = Suite::parse(words.next()?)?;
        let (method, parameters) = words.next()?.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || parameters.contains(';') {
            return None;
        }
        if !words.all(is_harmless) {
            return None;
        }
        let mut parts = parameters.split('|');
        let key = MasterKey::new(suite, &from_base64(parts.next()?)?)?;
        let mut mki = 0;
        for part in parts {
            match part.split_once(':') {
                Some((value, length)) => {
                    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                        return None;
                    }
                    mki = length.parse().ok().filter(|length| (1..=LONGEST_MKI).contains(length))?;
                }
                None => {
                    let digits = part.strip_prefix("2^").unwrap_or(part);
                    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                        return None;
                    }
                }
            }
        }
        Some(Self { tag, suite, key, mki })
    }
}

impl fmt::Display for Crypto {
    /// As it stands after `a=crypto:`; the one way by which a key leaves, and only into SDP.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, self.suite.name(), to_base64(&self.key.0))
    }
}

/// Whether a session parameter leaves packets as they are without it (RFC 4568 §6.3).
fn is_harmless(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    parameter.starts_with('-')
        || name.eq_ignore_ascii_case("WSH")
        || name.eq_ignore_ascii_case("FEC_ORDER")
        || (name.eq_ignore_ascii_case("KDR") && value == "0")
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let six = (bits >> (18 - 6 * index)) & 63;
            text.push(if index <= group.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

/// Some phones leave the padding out.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let (mut bytes, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0u32, 0);
    for character in text.bytes() {
        let six = ALPHABET.iter().position(|known| *known == character)?;
        bits = bits << 6 | u32::try_from(six).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn lines_of_phones_and_carriers_are_read() {
        for (line, tag, mki) in [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), 1, 0),
            (format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31"), 2, 0),
            (format!("3 aes_cm_128_hmac_sha1_80 INLINE:{KEY}|2^20|1:4"), 3, 4),
            (format!("4 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1048576|1:1 WSH=64 FEC_ORDER=FEC_SRTP -X=1"), 4, 1),
            (format!("5 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|7:2"), 5, 2),
        ] {
            let crypto = Crypto::parse(&line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((crypto.tag, crypto.mki), (tag, mki), "{line}");
            assert_eq!(crypto.key.key(), b"YS___semctl () {");
            assert_eq!(crypto.key.salt(), b"\t220;}\n}\nunles");
        }
    }

    #[test]
    fn what_would_not_protect_or_cannot_be_done_is_passed_over() {
        for line in [
            "".to_owned(),
            "1".to_owned(),
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
            format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("-1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:0"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:129"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|soon"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[4..]),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}!", &KEY[1..]),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=4"),
        ] {
            assert_eq!(Crypto::parse(&line), None, "{line}");
        }
    }

    #[test]
    fn a_key_does_not_print() {
        let crypto = Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")).unwrap();
        let printed = format!("{crypto:?}");
        assert!(printed.contains("***") && !printed.contains(KEY) && !printed.contains("89, 83"), "{printed}");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(tag in 0u32..999_999_999, which in 0usize..4, bytes in any::<[u8; 32]>(), salt in any::<[u8; 14]>()) {
            let suite = Suite::ALL[which];
            let key = MasterKey::new(suite, &[&bytes[..suite.key_length()], &salt].concat()).unwrap();
            let crypto = Crypto { tag, suite, key, mki: 0 };
            prop_assert_eq!(Crypto::parse(&crypto.to_string()), Some(crypto));
        }

        #[test]
        fn any_line_is_read_or_passed_over(line in "\\PC{0,80}") {
            let _ = Crypto::parse(&line);
            let _ = Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{line}"));
        }
    }
}
