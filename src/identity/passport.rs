//! A PASSporT (RFC 8225) in an Identity header (RFC 8224 §4): what it claims, and whether that fits the call.

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::Deserialize;

use crate::base::{PhoneNumber, Utc};
use crate::identity::{Attestation, Flaw, base64url};
use crate::wire::sip::unquote;

/// How old a signature may be, either way (RFC 8224 §6.2.2 asks for a minute). Longer: a stolen one is good for longer.
/// Shorter: a carrier whose clock is a little off has no callers.
const FRESH: i64 = 60_000;

/// Longest header that is read: a full PASSporT has some 700 characters. Longer: work for whoever sends garbage.
const LONGEST: usize = 8192;

/// Most called numbers that are compared.
const MOST_CALLED: usize = 32;

/// A signed claim, as it stands in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Where the signer's certificate is: `x5u` and `info`, which are the same.
    pub certificate: String,
    /// Who calls, by telephone number as claimed; none where it is a URI.
    orig: Option<String>,
    /// Who is called.
    dest: Vec<String>,
    /// When it was signed, in milliseconds since 1970.
    signed_at: Utc,
    /// How well the signer knows the caller; none in a PASSporT without SHAKEN.
    attest: Option<Attestation>,
    /// What is signed.
    input: String,
    signature: Vec<u8>,
}

/// What the INVITE itself says, to compare with.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The caller's number.
    pub caller: Option<PhoneNumber>,
    /// Every number that counts as called: of the To and of the request URI.
    pub called: Vec<PhoneNumber>,
    /// The Date header in seconds since 1970, for the compact form, which has no time of its own.
    pub date: Option<i64>,
}

#[derive(Deserialize)]
struct Head {
    alg: String,
    #[serde(default)]
    ppt: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    x5u: String,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    attest: Option<Attestation>,
    dest: Called,
    iat: i64,
    orig: Caller,
}

#[derive(Deserialize)]
struct Caller {
    #[serde(default)]
    tn: Option<String>,
}

#[derive(Deserialize)]
struct Called {
    #[serde(default)]
    tn: OneOrMore,
}

/// RFC 8225 has a list; some signers write one number.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    More(Vec<String>),
    One(String),
}

impl Default for OneOrMore {
    fn default() -> Self {
        OneOrMore::More(Vec::new())
    }
}

/// The parameters after the token: names and values, an address in angle brackets as a whole (RFC 8224 §4).
fn read_params(text: &str) -> Vec<(&str, String)> {
    let (mut brackets, mut quotes) = (false, false);
    let parts = text.split(|c| {
        match c {
            '<' if !quotes => brackets = true,
            '>' if !quotes => brackets = false,
            '"' => quotes = !quotes,
            _ => {}
        }
        c == ';' && !brackets && !quotes
    });
    let pairs = parts.filter_map(|part| part.split_once('='));
    pairs.map(|(name, value)| (name.trim(), unquote(value.trim()).into_owned())).collect()
}

impl Token {
    /// Reads an Identity header value, full or compact (RFC 8224 §4.1.1). `Ok(None)` where it is for a purpose that is
    /// none of ours (`ppt=div`, `rph`): such a header is passed over (§6.2 step 1).
    pub fn read(value: &str, claims: &Claims) -> Result<Option<Self>, Flaw> {
        if value.len() > LONGEST {
            return Err(Flaw::Malformed);
        }
        let (token, params) = value.split_once(';').ok_or(Flaw::Malformed)?;
        let params = read_params(params);
        let param =
            |name: &str| params.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| &**value);
        let info = param("info").ok_or(Flaw::Malformed)?;
        let info = info.trim_start_matches('<').trim_end_matches('>').to_owned();
        let ppt = param("ppt");
        if ppt.is_some_and(|ppt| ppt != "shaken") {
            return Ok(None);
        }
        if param("alg").is_some_and(|alg| alg != "ES256") {
            return Err(Flaw::Unsupported);
        }
        let token = token.trim();
        let parts: Vec<&str> = token.split('.').collect();
        match parts.as_slice() {
            ["", "", signature] => Self::compact(signature, info, ppt.is_some(), claims),
            [head, body, signature] => Self::full(head, body, signature, info, ppt),
            _ => Err(Flaw::Malformed),
        }
        .map(Some)
    }

    fn full(head: &str, body: &str, signature: &str, info: String, ppt: Option<&str>) -> Result<Self, Flaw> {
        let input = format!("{head}.{body}");
        let json = |text: &str| base64url::decode(text).ok_or(Flaw::Malformed);
        let head: Head = serde_json::from_slice(&json(head)?).map_err(|_| Flaw::Malformed)?;
        if head.alg != "ES256" || head.typ.as_deref().is_some_and(|typ| typ != "passport") {
            return Err(Flaw::Unsupported);
        }
        // What is signed counts; what stands beside it must not say something else.
        if head.ppt.as_deref() != ppt && ppt.is_some() || head.x5u != info {
            return Err(Flaw::Malformed);
        }
        let body: Body = serde_json::from_slice(&json(body)?).map_err(|_| Flaw::Malformed)?;
        match (head.ppt.as_deref(), body.attest) {
            (Some("shaken"), None) => return Err(Flaw::Malformed),
            (Some("shaken"), Some(_)) | (None, _) => {}
            (Some(_), _) => return Err(Flaw::Unsupported),
        }
        let dest = match body.dest.tn {
            OneOrMore::More(all) => all,
            OneOrMore::One(one) => vec![one],
        };
        Ok(Self {
            certificate: info,
            orig: body.orig.tn,
            dest: dest.into_iter().take(MOST_CALLED).collect(),
            signed_at: Utc(body.iat.saturating_mul(1000)),
            attest: body.attest.filter(|_| head.ppt.is_some()),
            input,
            signature: json(signature)?,
        })
    }

    /// Without header and payload, which are made from the INVITE (RFC 8224 §4.1, RFC 8225 §7). Not for SHAKEN, whose
    /// attestation is nowhere else (RFC 8588 §7).
    fn compact(signature: &str, info: String, shaken: bool, claims: &Claims) -> Result<Self, Flaw> {
        let (Some(caller), Some(called), Some(date), false) =
            (&claims.caller, claims.called.first(), claims.date, shaken)
        else {
            return Err(Flaw::Malformed);
        };
        let text = |text: &str| serde_json::to_string(text).map_err(|_| Flaw::Malformed);
        let head = format!(r#"{{"alg":"ES256","typ":"passport","x5u":{}}}"#, text(&info)?);
        let (orig, dest) = (caller.digits(), called.digits());
        let body = format!(r#"{{"dest":{{"tn":["{dest}"]}},"iat":{date},"orig":{{"tn":"{orig}"}}}}"#);
        Ok(Self {
            certificate: info,
            orig: Some(orig.to_owned()),
            dest: vec![dest.to_owned()],
            signed_at: Utc(date.saturating_mul(1000)),
            attest: None,
            input: format!("{}.{}", base64url::encode(head.as_bytes()), base64url::encode(body.as_bytes())),
            signature: base64url::decode(signature).ok_or(Flaw::Malformed)?,
        })
    }

    /// Whether it is fresh and speaks of this call: what can be said before its certificate is here.
    pub fn fits(&self, claims: &Claims, now: Utc) -> Result<(), Flaw> {
        if now.0.saturating_sub(self.signed_at.0).saturating_abs() > FRESH {
            return Err(Flaw::Stale);
        }
        // RFC 8224 §8.3: digits alone are compared.
        let number = |text: &String| PhoneNumber::parse(text);
        match (self.orig.as_ref().and_then(number), &claims.caller) {
            (Some(signed), Some(said)) if signed == *said => {}
            _ => return Err(Flaw::OtherCaller),
        }
        if !self.dest.iter().filter_map(number).any(|signed| claims.called.contains(&signed)) {
            return Err(Flaw::OtherCallee);
        }
        Ok(())
    }

    /// Whether the signature is this key's, and what is attested. A PASSporT without SHAKEN says that the number is the
    /// signer's own to give, which is what full attestation says.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Attestation, Flaw> {
        let signature = Signature::from_slice(&self.signature).map_err(|_| Flaw::Malformed)?;
        key.verify(self.input.as_bytes(), &signature).map_err(|_| Flaw::WrongSignature)?;
        Ok(self.attest.unwrap_or(Attestation::A))
    }
}
