//! Digest access authentication (RFC 3261 §22, RFC 8760): both sides, MD5 and SHA-256, `qop=auth`.
//!
//! Nonces keep no state until they are used: `<minutes since start, hex>.<random>.<HMAC over both and the source address>`.
//! A used nonce is remembered with its highest count until it expires, so that a replay is told from a retry.

mod prover;
mod used;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest as _, Md5};
use sha2::Sha256;

pub use prover::{Prover, Tries};
use used::UsedNonces;

use crate::base::{Instant, Rng, Secret};
use crate::wire::sip::Uri;

/// How long a nonce is good. Shorter: one more round trip for slow phones. Longer: more to remember, more time to replay.
const NONCE_LIFE: Duration = Duration::from_secs(60);

/// A hash that digests are made with, strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// `MD5`, all that most carriers and phones know.
    Md5,
    /// `SHA-256` (RFC 8760).
    Sha256,
}

impl Algorithm {
    /// The token on the wire.
    pub const fn token(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The hash of this token, in any case.
    pub fn from_token(token: &str) -> Option<Self> {
        [Algorithm::Md5, Algorithm::Sha256].into_iter().find(|algorithm| token.eq_ignore_ascii_case(algorithm.token()))
    }

    fn hash(self, text: &str) -> String {
        match self {
            Algorithm::Md5 => hex(&Md5::digest(text.as_bytes())),
            Algorithm::Sha256 => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

/// Our side when others must show credentials.
#[derive(Debug, Clone)]
pub struct Verifier {
    realm: String,
    key: [u8; 32],
    used: UsedNonces,
}

/// What an Authorization header was worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password was known.
    Right,
    /// The nonce was ours but is too old or was used: ask again with `stale=true`.
    Stale,
    /// It was not.
    Wrong,
}

impl Verifier {
    /// A verifier for a realm, with a key of its own.
    pub fn new(realm: impl Into<String>, rng: &mut Rng) -> Self {
        let mut key = [0u8; 32];
        rng.fill(&mut key);
        Self { realm: realm.into(), key, used: UsedNonces::new(NONCE_LIFE) }
    }

    /// The values of WWW-Authenticate headers that ask for credentials by these hashes, strongest first (RFC 8760 §2.4);
    /// by MD5 where none is named.
    pub fn challenges(
        &self,
        source: IpAddr,
        stale: bool,
        algorithms: &[Algorithm],
        rng: &mut Rng,
        now: Instant,
    ) -> Vec<String> {
        let nonce = self.nonce(source, &rng.token(10), now);
        let mut algorithms = if algorithms.is_empty() { vec![Algorithm::Md5] } else { algorithms.to_vec() };
        algorithms.sort_by(|a, b| b.cmp(a));
        let write = |algorithm: Algorithm| {
            let (realm, token) = (&self.realm, algorithm.token());
            let stale = if stale { ", stale=true" } else { "" };
            format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={token}, qop=\"auth\"{stale}")
        };
        algorithms.into_iter().map(write).collect()
    }

    /// The user name an Authorization value claims, so that the password can be looked up.
    pub fn username(value: &str) -> Option<String> {
        Fields::parse(value)?.take("username")
    }

    /// Checks an Authorization value against the password. `asked` is the Request-URI: credentials for another resource
    /// are worth nothing (RFC 7616 §3.4.6).
    pub fn verify(
        &mut self,
        value: &str,
        method: &str,
        asked: &Uri,
        password: &Secret,
        source: IpAddr,
        now: Instant,
    ) -> Verdict {
        let Some(fields) = Fields::parse(value) else { return Verdict::Wrong };
        let (Some(username), Some(realm), Some(nonce), Some(uri), Some(response)) = (
            fields.take("username"),
            fields.take("realm"),
            fields.take("nonce"),
            fields.take("uri"),
            fields.take("response"),
        ) else {
            return Verdict::Wrong;
        };
        let algorithm = match fields.take("algorithm") {
            Some(token) => match Algorithm::from_token(&token) {
                Some(algorithm) => algorithm,
                None => return Verdict::Wrong,
            },
            None => Algorithm::Md5,
        };
        if !is_same_resource(&uri, asked) {
            return Verdict::Wrong;
        }
        if realm != self.realm || fields.take("qop").as_deref() != Some("auth") {
            return Verdict::Wrong;
        }
        let (Some(count), Some(cnonce)) = (fields.take("nc"), fields.take("cnonce")) else { return Verdict::Wrong };
        let Ok(counted) = u32::from_str_radix(&count, 16) else { return Verdict::Wrong };
        let Some(fresh) = self.is_fresh(&nonce, source, now) else { return Verdict::Wrong };
        let expected = response_of(
            algorithm,
            &Answering {
                username: &username,
                realm: &realm,
                password,
                method,
                uri: &uri,
                nonce: &nonce,
                count: &count,
                cnonce: &cnonce,
            },
        );
        if !Secret::new(expected).matches(&response.to_ascii_lowercase()) {
            return Verdict::Wrong;
        }
        if !fresh || !self.remember(&nonce, counted, now) {
            return Verdict::Stale;
        }
        Verdict::Right
    }

    /// `Some(true)` ours and fresh, `Some(false)` ours and old, `None` not ours.
    fn is_fresh(&self, nonce: &str, source: IpAddr, now: Instant) -> Option<bool> {
        let mut parts = nonce.split('.');
        let (at, random) = (parts.next()?, parts.next()?);
        let made = Instant::from_start(Duration::from_millis(u64::from_str_radix(at, 16).ok()?));
        if !Secret::new(self.nonce(source, random, made)).matches(nonce) {
            return None;
        }
        Some(now.since(made) <= NONCE_LIFE)
    }

    fn nonce(&self, source: IpAddr, random: &str, made: Instant) -> String {
        let at = made.since_start().as_millis();
        let body = format!("{at:x}.{random}");
        let tag = match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mut mac) => {
                mac.update(body.as_bytes());
                mac.update(source.to_canonical().to_string().as_bytes());
                hex(mac.finalize().into_bytes().get(..16).unwrap_or_default())
            }
            Err(_) => String::new(),
        };
        format!("{body}.{tag}")
    }

    /// Whether this count of a nonce of ours is new. Its seal tells it from all others.
    fn remember(&mut self, nonce: &str, counted: u32, now: Instant) -> bool {
        let seal = nonce.rsplit('.').next().and_then(|seal| seal.get(..16));
        let seal = seal.and_then(|seal| u64::from_str_radix(seal, 16).ok());
        seal.is_some_and(|seal| self.used.note(seal, counted, now))
    }
}

/// Our side when we must show credentials: answers a challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenge {
    /// What the password is for.
    pub realm: String,
    nonce: String,
    opaque: Option<String>,
    /// The hash asked for.
    pub algorithm: Algorithm,
    qop: bool,
    /// The last nonce was too old: the password may still be right.
    pub stale: bool,
    count: u32,
}

impl Challenge {
    /// Reads one WWW-Authenticate or Proxy-Authenticate value; `None` where it is no digest that we can answer.
    pub fn parse(value: &str) -> Option<Self> {
        let fields = Fields::parse(value)?;
        let algorithm = match fields.take("algorithm") {
            Some(token) => Algorithm::from_token(&token)?,
            None => Algorithm::Md5,
        };
        let qop = match fields.take("qop") {
            Some(list) => {
                if !list.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) {
                    return None;
                }
                true
            }
            None => false,
        };
        Some(Self {
            realm: fields.take("realm")?,
            nonce: fields.take("nonce")?,
            opaque: fields.take("opaque"),
            algorithm,
            qop,
            stale: fields.take("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            count: 0,
        })
    }

    /// The strongest challenge among several values.
    pub fn strongest<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        values.filter_map(Self::parse).max_by_key(|challenge| challenge.algorithm)
    }

    /// The value of an Authorization or Proxy-Authorization header; each call counts the nonce up.
    pub fn answer(&mut self, username: &str, password: &Secret, method: &str, uri: &str, rng: &mut Rng) -> String {
        self.count = self.count.saturating_add(1);
        let count = format!("{:08x}", self.count);
        let cnonce = rng.token(16);
        let answering = Answering {
            username,
            realm: &self.realm,
            password,
            method,
            uri,
            nonce: &self.nonce,
            count: if self.qop { &count } else { "" },
            cnonce: &cnonce,
        };
        let response = response_of(self.algorithm, &answering);
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{}\", response=\"{response}\", algorithm={}",
            quote(username),
            quote(&self.realm),
            quote(&self.nonce),
            quote(uri),
            self.algorithm.token()
        );
        if self.qop {
            let _ = write!(value, ", qop=auth, nc={count}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque=\"{}\"", quote(opaque));
        }
        value
    }
}

/// Whether a digest's `uri` names what was asked for: the same user at the same host. Parameters and headers are not
/// compared, and a port or a user that only one of them writes is not either: phones leave them out, proxies add them.
fn is_same_resource(written: &str, asked: &Uri) -> bool {
    let Ok(written) = Uri::parse(written.trim()) else { return false };
    let (Some(host), Some(asked_host)) = (written.host(), asked.host()) else {
        return written.as_str().eq_ignore_ascii_case(asked.as_str());
    };
    let user = written.user_decoded().zip(asked.user_decoded()).is_none_or(|(written, asked)| written == asked);
    let port = written.port().zip(asked.port()).is_none_or(|(written, asked)| written == asked);
    host == asked_host && user && port
}

struct Answering<'a> {
    username: &'a str,
    realm: &'a str,
    password: &'a Secret,
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    /// Empty without `qop` (RFC 2617 §3.2.2.1, still sent by old servers).
    count: &'a str,
    cnonce: &'a str,
}

fn response_of(algorithm: Algorithm, a: &Answering<'_>) -> String {
    let ha1 = algorithm.hash(&format!("{}:{}:{}", a.username, a.realm, a.password.expose()));
    let ha2 = algorithm.hash(&format!("{}:{}", a.method, a.uri));
    if a.count.is_empty() {
        algorithm.hash(&format!("{ha1}:{}:{ha2}", a.nonce))
    } else {
        algorithm.hash(&format!("{ha1}:{}:{}:{}:auth:{ha2}", a.nonce, a.count, a.cnonce))
    }
}

/// The fields of a `Digest name=value, name="value"` list.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(value: &str) -> Option<Self> {
        let value = value.trim_start();
        let (scheme, mut rest) = value.split_once(char::is_whitespace)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut fields = Vec::new();
        while fields.len() < 32 {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if rest.is_empty() {
                break;
            }
            let (name, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let (text, remaining) = match after.strip_prefix('"') {
                Some(quoted) => read_quoted(quoted)?,
                None => {
                    let end = after.find(',').unwrap_or(after.len());
                    let (text, remaining) = after.split_at_checked(end)?;
                    (text.trim().to_owned(), remaining)
                }
            };
            fields.push((name.trim().to_ascii_lowercase(), text));
            rest = remaining;
        }
        Some(Self(fields))
    }

    fn take(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
    }
}

/// Reads up to the closing quote; what follows it is returned too.
fn read_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(index + 1..)?)),
            '\\' => value.push(chars.next()?.1),
            _ => value.push(c),
        }
    }
    None
}

fn quote(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn asked() -> Uri {
        Uri::parse("sip:a@b").unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let password = Secret::new("Circle Of Life");
        let answering = Answering {
            username: "Mufasa",
            realm: "testrealm@host.com",
            password: &password,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            count: "00000001",
            cnonce: "0a4f113b",
        };
        assert_eq!(response_of(Algorithm::Md5, &answering), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_example_of_rfc_7616_comes_out() {
        let password = Secret::new("Circle of Life");
        let answering = Answering {
            username: "Mufasa",
            realm: "http-auth@example.org",
            password: &password,
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            count: "00000001",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        assert_eq!(
            response_of(Algorithm::Sha256, &answering),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn a_right_password_passes_once_and_a_replay_is_stale() {
        let mut rng = Rng::from_number(1);
        let mut verifier = Verifier::new("ringlift", &mut rng);
        let password = Secret::new("open \"sesame\"");
        for wanted in [Algorithm::Sha256, Algorithm::Md5] {
            let values = verifier.challenges(SOURCE, false, &[Algorithm::Md5, Algorithm::Sha256], &mut rng, at(5));
            let mut challenge =
                values.iter().filter_map(|value| Challenge::parse(value)).find(|c| c.algorithm == wanted).unwrap();
            let first = challenge.answer("u", &password, "INVITE", "sip:a@b", &mut rng);
            assert_eq!(Verifier::username(&first).as_deref(), Some("u"));
            assert_eq!(verifier.verify(&first, "INVITE", &asked(), &password, SOURCE, at(6)), Verdict::Right);
            assert_eq!(
                verifier.verify(&first, "INVITE", &asked(), &password, SOURCE, at(7)),
                Verdict::Stale,
                "replayed"
            );
            let second = challenge.answer("u", &password, "INVITE", "sip:a@b", &mut rng);
            assert_eq!(
                verifier.verify(&second, "INVITE", &asked(), &password, SOURCE, at(8)),
                Verdict::Right,
                "counted on"
            );
            let third = challenge.answer("u", &password, "INVITE", "sip:a@b", &mut rng);
            assert_eq!(verifier.verify(&third, "INVITE", &asked(), &Secret::new("x"), SOURCE, at(8)), Verdict::Wrong);
            assert_eq!(verifier.verify(&third, "BYE", &asked(), &password, SOURCE, at(8)), Verdict::Wrong);
            assert_eq!(
                verifier.verify(&third, "INVITE", &asked(), &password, "192.0.2.8".parse().unwrap(), at(8)),
                Verdict::Wrong
            );
            assert_eq!(verifier.verify(&third, "INVITE", &asked(), &password, SOURCE, at(70)), Verdict::Stale);
        }
    }

    #[test]
    fn credentials_for_another_number_are_worth_nothing_and_a_dropped_parameter_is_no_matter() {
        let is = |written: &str, asked: &str| is_same_resource(written, &Uri::parse(asked).unwrap());
        assert!(is("sip:+4930@example.org", "sip:+4930@example.org"));
        assert!(is("sip:+4930@EXAMPLE.org", "sip:%2b4930@example.org:5060;transport=tcp;user=phone"));
        assert!(is("sip:example.org", "sip:example.org;transport=udp"), "a REGISTER");
        assert!(is("tel:+4930", "tel:+4930"));
        assert!(!is("sip:+4930@example.org", "sip:+4931@example.org"));
        assert!(!is("sip:+4930@example.org", "sip:+4930@example.net"));
        assert!(!is("sip:+4930@example.org:5062", "sip:+4930@example.org:5060"));
        assert!(!is("", "sip:example.org") && !is("tel:+4930", "tel:+4931") && !is("*", "sip:a@b"));
    }

    #[test]
    fn garbage_is_wrong() {
        let mut rng = Rng::from_number(2);
        let mut verifier = Verifier::new("ringlift", &mut rng);
        for value in
            ["", "Digest", "Basic x", "Digest username=\"", "Digest a=b,,,=", "Digest username=\"u\\", "Digest =\"\""]
        {
            assert_eq!(
                verifier.verify(value, "INVITE", &asked(), &Secret::new("p"), SOURCE, at(0)),
                Verdict::Wrong,
                "{value}"
            );
        }
        assert!(Challenge::parse("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256").is_none());
        assert!(Challenge::parse("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"").is_none());
    }
}
