//! `[api.tls]`: whose certificate the page and the API show.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::check::{Findings, certificate_and_key, is_host_name};
use super::{Config, period};

/// Whose certificate it is: one's own, an authority's, or one that this node makes. Nothing: that of `sip.tls_certificate`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Https {
    /// PEM file with the certificate chain.
    #[serde(with = "period::empty_is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(with = "period::empty_is_none")]
    pub key: Option<PathBuf>,
    /// Whether the node makes one, which browsers warn of.
    pub self_signed: bool,
    /// Where one is asked for.
    pub acme: Acme,
}

/// An authority that proves names and signs by itself (RFC 8555).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acme {
    /// The names that the certificate is for; none: no authority is asked.
    pub domains: Vec<String>,
    /// Its directory.
    pub directory: String,
    /// An address that it may write to; empty: none.
    pub contact: String,
    /// How names are proved.
    pub challenge: Challenge,
    /// PEM file with who signed the directory's own certificate; none: the system's authorities.
    #[serde(with = "period::empty_is_none")]
    pub authorities: Option<PathBuf>,
}

/// How an authority is shown that a name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// By a text at port 80 of the name (RFC 8555 §8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// By a certificate at port 443 of the name (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

/// Which of the three ways is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The certificate of `sip.tls_certificate`.
    Shared,
    /// One's own.
    Own,
    /// An authority's.
    Acme,
    /// Made here.
    SelfSigned,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            contact: String::new(),
            challenge: Challenge::Http01,
            authorities: None,
        }
    }
}

impl Https {
    /// Which way is chosen; of several the first, which a check refuses.
    pub fn way(&self) -> Way {
        self.ways().first().copied().unwrap_or(Way::Shared)
    }

    fn ways(&self) -> Vec<Way> {
        let chosen = [
            (Way::Own, self.certificate.is_some() || self.key.is_some()),
            (Way::Acme, !self.acme.domains.is_empty()),
            (Way::SelfSigned, self.self_signed),
        ];
        chosen.into_iter().filter(|(_, chosen)| *chosen).map(|(way, _)| way).collect()
    }
}

pub(super) fn check(config: &Config, found: &mut Findings) {
    let tls = &config.api.tls;
    let ways = tls.ways();
    if ways.len() > 1 {
        found.fatal(
            "api.tls",
            "has more than one of certificate, acme and self_signed: leave one, for one certificate is shown",
        );
        return;
    }
    match ways.first() {
        Some(Way::Own) => match (&tls.certificate, &tls.key) {
            (Some(certificate), Some(key)) => {
                certificate_and_key(("api.tls.certificate", certificate), ("api.tls.key", key), found);
            }
            (Some(_), None) => found.fatal("api.tls.key", "api.tls.certificate is set: name its private key too"),
            (None, _) => found.fatal("api.tls.certificate", "api.tls.key is set: name its certificate too"),
        },
        Some(Way::Acme) => acme(config, found),
        _ if tls.acme != Acme::default() => {
            found.fatal("api.tls.acme.domains", "is empty: list the names that the certificate is for");
        }
        Some(Way::SelfSigned | Way::Shared) | None => {}
    }
    if !ways.is_empty() && config.api.tls_listen.is_empty() {
        found.fatal(
            "api.tls_listen",
            "api.tls is set: say where HTTPS is served, such as [\"0.0.0.0:443\"] or [\"0.0.0.0:8443\"]",
        );
    }
}

fn acme(config: &Config, found: &mut Findings) {
    let acme = &config.api.tls.acme;
    for name in &acme.domains {
        if name.starts_with("*.") {
            found.fatal("api.tls.acme.domains", format!("`{name}` can be proved by DNS only: write each name in full"));
        } else if name.parse::<IpAddr>().is_err() && !(is_host_name(name) && name.contains('.')) {
            found.fatal(
                "api.tls.acme.domains",
                format!("`{name}` is no name that others can look up: write such as \"meet.example.org\""),
            );
        }
    }
    let here = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
    if !acme.directory.starts_with("https://") && !here.iter().any(|start| acme.directory.starts_with(start)) {
        found.fatal(
            "api.tls.acme.directory",
            format!("`{}` is no directory: write its https address, such as the one in the example", acme.directory),
        );
    }
    if !acme.contact.is_empty()
        && !acme.contact.split_once('@').is_some_and(|(user, host)| !user.is_empty() && is_host_name(host))
    {
        found.fatal("api.tls.acme.contact", format!("`{}` is no mail address", acme.contact));
    }
    if let Some(path) = &acme.authorities
        && let Err(why) = super::check::certificates(path)
    {
        found.fatal("api.tls.acme.authorities", format!("{} {why}", path.display()));
    }
    let (listen, port, key) = match acme.challenge {
        Challenge::Http01 => (&config.api.listen, 80, "api.listen"),
        Challenge::TlsAlpn01 => (&config.api.tls_listen, 443, "api.tls_listen"),
    };
    if listen.is_empty() && acme.challenge == Challenge::Http01 {
        found.fatal(key, "the authority asks at port 80: list such as \"0.0.0.0:80\", or choose api.tls.acme.challenge = \"tls-alpn-01\"");
    } else if listen.iter().all(|address| address.port() != port) {
        found.warn(
            key,
            format!("the authority asks at port {port}, which is not listed: list it, or forward it to a port that is"),
        );
    }
}
