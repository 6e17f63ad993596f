//! The certificates behind signatures (RFC 8226): a chain as fetched, and whether an authority we trust stands behind it.

use std::fmt;

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

use crate::base::Utc;
use crate::identity::Flaw;

/// `ecdsa-with-SHA256` (RFC 5758 §3.2), the one algorithm of SHAKEN certificates (ATIS-1000080).
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Certificates between a signer's and an authority's. More: work for whoever sends a long chain. SHAKEN has one or two.
const DEEPEST: usize = 4;

/// Authorities that are trusted to say whose a signing key is.
#[derive(Clone, Default)]
pub struct Anchors(Vec<Certificate>);

/// A signer's certificate and those that came with it.
#[derive(Clone)]
pub struct Chain(Vec<Certificate>);

impl Anchors {
    /// Trusts every certificate of a PEM text; how many there were.
    pub fn add(&mut self, pem: &[u8]) -> Result<usize, String> {
        let found = Certificate::load_pem_chain(pem).map_err(|error| format!("not certificates in PEM: {error}"))?;
        let count = found.len();
        self.0.extend(found);
        Ok(count)
    }

    /// Whether nobody is trusted: then nothing that is signed is to be believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} authorities", self.0.len())
    }
}

impl PartialEq for Anchors {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a chain of {} certificates", self.0.len())
    }
}

impl Chain {
    /// Reads what was fetched: PEM, the signer's first, or one certificate in DER.
    pub fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        let chain = match Certificate::from_der(bytes) {
            Ok(one) => vec![one],
            Err(_) => Certificate::load_pem_chain(bytes).map_err(|_| Flaw::NoCertificate)?,
        };
        if chain.is_empty() { Err(Flaw::NoCertificate) } else { Ok(Self(chain)) }
    }

    /// The signer's key, where one of the authorities stands behind it now.
    pub fn key(&self, anchors: &Anchors, now: Utc) -> Result<VerifyingKey, Flaw> {
        let signer = self.0.first().ok_or(Flaw::NoCertificate)?;
        if !is_valid(signer, now) || !may(signer, KeyUsages::DigitalSignature) {
            return Err(Flaw::UntrustedCertificate);
        }
        let key = key_of(signer).ok_or(Flaw::UntrustedCertificate)?;
        let mut current = signer;
        for _ in 0..=DEEPEST {
            if anchors.0.iter().any(|anchor| anchor == current || signs(anchor, current, now)) {
                return Ok(key);
            }
            let above = self.0.iter().skip(1).find(|above| *above != current && signs(above, current, now));
            current = above.ok_or(Flaw::UntrustedCertificate)?;
        }
        Err(Flaw::UntrustedCertificate)
    }
}

/// Whether one certificate stands behind another: it is an authority's, valid now, named as the issuer, and signed it.
fn signs(above: &Certificate, below: &Certificate, now: Utc) -> bool {
    let (issuer, signed) = (above.tbs_certificate(), below.tbs_certificate());
    let is_authority = matches!(
        issuer.get_extension::<BasicConstraints>(),
        Ok(Some((_, constraints))) if constraints.ca
    );
    if issuer.subject() != signed.issuer()
        || !is_authority
        || !may(above, KeyUsages::KeyCertSign)
        || !is_valid(above, now)
        || below.signature_algorithm().oid != ECDSA_WITH_SHA256
        || signed.signature().oid != ECDSA_WITH_SHA256
    {
        return false;
    }
    let (Some(key), Ok(input)) = (key_of(above), signed.to_der()) else { return false };
    below
        .signature()
        .as_bytes()
        .and_then(|bytes| DerSignature::from_bytes(bytes).ok())
        .is_some_and(|signature| key.verify(&input, &signature).is_ok())
}

/// Whether its key may be used so, where it says anything about that.
fn may(certificate: &Certificate, usage: KeyUsages) -> bool {
    match certificate.tbs_certificate().get_extension::<KeyUsage>() {
        Ok(Some((_, usages))) => usages.0.contains(usage),
        Ok(None) => true,
        Err(_) => false,
    }
}

fn is_valid(certificate: &Certificate, now: Utc) -> bool {
    let validity = certificate.tbs_certificate().validity();
    let at = u64::try_from(now.0 / 1000).unwrap_or(0);
    validity.not_before.to_unix_duration().as_secs() <= at && at <= validity.not_after.to_unix_duration().as_secs()
}

/// Its key, where it is on P-256.
fn key_of(certificate: &Certificate) -> Option<VerifyingKey> {
    let info = certificate.tbs_certificate().subject_public_key_info();
    VerifyingKey::from_sec1_bytes(info.subject_public_key.as_bytes()?).ok()
}
