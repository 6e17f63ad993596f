//! Certificates of the node's own making, which browsers warn of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::Pair;
use crate::base::Utc;
use crate::transport::tls::CertificateError;

/// How long one is good for. Longer: iPhones take none of more than 825 days, even where people told them to. Shorter:
/// everybody is warned anew more often.
const LIFE: Duration = Duration::from_secs(820 * 24 * 3600);

/// One that ends within this time is made anew at a start: a node that stays up so long has warned of it before.
const LEAST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How far its beginning lies back, for browsers whose clocks are behind.
const BEFORE: Duration = Duration::from_secs(24 * 3600);

/// Where it is kept.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("self-signed.pem")
}

/// The one that was kept; else one is made for these names and kept.
pub fn kept(folder: &Path, names: &[String], now: Utc) -> Result<Pair, CertificateError> {
    let path = file(folder);
    if let Some(pair) = super::kept(&path)
        && super::facts(&pair.0)?.ends.0 > now.0 + millis(LEAST)
    {
        return Ok(pair);
    }
    let (pair, pem) = make(names, now)?;
    super::keep(&path, &pem)
        .map_err(|error| CertificateError::Made(format!("{} cannot be written: {error}", path.display())))?;
    Ok(pair)
}

/// Makes one; beside it, key and certificate as PEM.
pub fn make(names: &[String], now: Utc) -> Result<(Pair, String), CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Made(error.to_string());
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, "Ringlift, self-signed");
    let at = |utc: i64| date_time_ymd(1970, 1, 1) + Duration::from_millis(u64::try_from(utc).unwrap_or(0));
    params.not_before = at(now.0 - millis(BEFORE));
    params.not_after = at(now.0 + millis(LIFE));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    let pem = format!("{}{}", key.serialize_pem(), certificate.pem());
    Ok(((vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into()), pem))
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
