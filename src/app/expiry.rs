//! Certificates that are over, or soon will be: of the node, of trunks, and the authorities that are believed.

use std::path::Path;
use std::time::Duration;

use crate::app::https;
use crate::base::Utc;
use crate::config::Config;
use crate::config::https::Way;
use crate::engine::https::{Authority, made};
use crate::route::Trunk;
use crate::transport::tls;

/// How long before its end a certificate is remarked on. Longer: remarks that nobody heeds. Shorter: an authority that takes
/// a week to sign is asked too late.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// What is wrong with certificates, and what soon will be: one line each, which says what to change.
#[derive(Debug, Default)]
pub struct Findings {
    /// To be mended now.
    pub wrong: Vec<String>,
    /// To be mended soon.
    pub soon: Vec<String>,
}

/// Looks at every certificate that the configuration and these trunks name.
pub fn look<'a>(config: &Config, trunks: impl IntoIterator<Item = &'a Trunk>, now: Utc) -> Findings {
    let mut findings = Findings::default();
    if let Some(path) = &config.sip.tls_certificate {
        findings.see("sip.tls_certificate", path, "put the renewed one there, and send SIGHUP", now);
    }
    if !config.api.tls_listen.is_empty() {
        let tls = &config.api.tls;
        let kept = https::folder(config);
        let (key, path, change) = match tls.way() {
            Way::Shared => ("", None, ""),
            Way::Own => ("api.tls.certificate", tls.certificate.clone(), "put the renewed one there, and send SIGHUP"),
            Way::SelfSigned => {
                ("api.tls.self_signed", Some(made::file(&kept)), "delete it and start anew; browsers will ask again")
            }
            Way::Acme => (
                "api.tls.acme",
                Some(Authority::file(&kept)),
                "it was to be renewed by now: the log says what the authority wants",
            ),
        };
        if let Some(path) = path.filter(|path| tls.way() == Way::Own || path.exists()) {
            findings.see(key, &path, change, now);
        }
    }
    for trunk in trunks {
        let Some(tls) = &trunk.tls else { continue };
        if let Some(path) = &tls.certificate {
            let key = format!("trunk {}: tls.certificate", trunk.name);
            findings.see(&key, Path::new(path), "put the renewed one there, and send SIGHUP", now);
        }
        if let Some(path) = &tls.authorities {
            // Authorities that ended stand beside those that took their place: only that they can be read is asked.
            if let Err(error) = tls::ends(Path::new(path)) {
                findings.wrong.push(format!("trunk {}: tls.authorities: {error}", trunk.name));
            }
        }
    }
    findings
}

impl Findings {
    fn see(&mut self, key: &str, path: &Path, change: &str, now: Utc) {
        match tls::ends(path) {
            Err(error) => self.wrong.push(format!("{key}: {error}")),
            Ok(end) if end <= now => {
                self.wrong.push(format!("{key}: {} expired at {end}: {change}", path.display()));
            }
            Ok(end) if end.0.saturating_sub(now.0) <= i64::try_from(SOON.as_millis()).unwrap_or(i64::MAX) => {
                self.soon.push(format!("{key}: {} expires at {end}: renew it, then {change}", path.display()));
            }
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test writes the files that are looked at")]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_certificate_is_remarked_on_before_its_end_and_wrong_after_it() {
        let folder = std::env::temp_dir().join(format!("ringlift-expiry-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let pem = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
        std::fs::write(folder.join("cert.pem"), pem).unwrap();
        let mut config = Config::default();
        config.sip.tls_certificate = Some(folder.join("cert.pem"));
        let end = 1_893_456_000_000;
        let day = 86_400_000;
        let counts = |at: i64| {
            let found = look(&config, [], Utc(at));
            (found.wrong.len(), found.soon.len())
        };
        assert_eq!((counts(end - 15 * day), counts(end - 13 * day), counts(end + day)), ((0, 0), (0, 1), (1, 0)));
        let line = look(&config, [], Utc(end + day)).wrong.remove(0);
        assert!(
            line.starts_with("sip.tls_certificate: ") && line.contains("cert.pem expired at 2030-01-01T"),
            "{line}"
        );
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(counts(end), (1, 0), "gone");
    }
}
