//! HTTPS as the configuration wants it, and what people are told of it.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::reach;
use crate::base::Utc;
use crate::config::check::is_host_name;
use crate::config::https::{Challenge, Way};
use crate::config::{Config, Listen};
use crate::engine::https::{Authority, Https, Proof, Source};
use crate::engine::os;
use crate::transport::tls::{CertificateError, Facts};

/// A certificate of HTTPS, and what it says.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub https: Https,
    /// What it says.
    pub facts: Facts,
}

/// The certificate that `[api.tls]` chooses; none where it is that of SIP.
pub fn open(config: &Config, now: Utc) -> Result<Option<Opened>, CertificateError> {
    let Some(source) = source(config) else { return Ok(None) };
    let (https, facts) = Https::open(source, folder(config), now)?;
    Ok(Some(Opened { https, facts }))
}

/// Where what is made or signed is kept: beside the database.
pub fn folder(config: &Config) -> PathBuf {
    config.store.path.parent().unwrap_or(Path::new("")).join("tls")
}

fn source(config: &Config) -> Option<Source> {
    let tls = &config.api.tls;
    match tls.way() {
        Way::Shared => None,
        Way::Own => tls.certificate.clone().zip(tls.key.clone()).map(|(chain, key)| Source::Files(chain, key)),
        Way::SelfSigned => Some(Source::Made(names(config))),
        Way::Acme => Some(Source::Authority(Authority {
            directory: tls.acme.directory.clone(),
            names: tls.acme.domains.clone(),
            contact: Some(tls.acme.contact.clone()).filter(|contact| !contact.is_empty()),
            proof: match tls.acme.challenge {
                Challenge::Http01 => Proof::Http01,
                Challenge::TlsAlpn01 => Proof::TlsAlpn01,
            },
            authorities: tls.acme.authorities.clone(),
        })),
    }
}

/// Every name and address by which a browser could come.
fn names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    if let Some(host) = os::host_name().map(|name| name.to_ascii_lowercase()) {
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
        names.push(host);
    }
    let told =
        config.api.public_url.split_once("://").map(|(_, rest)| rest.split(['/', ':']).next().unwrap_or_default());
    names.extend(
        told.into_iter().chain([config.sip.advertised.as_str()]).filter(|name| *name != "auto").map(String::from),
    );
    names.extend([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(|address| address.to_string()));
    names.extend(addresses(config).iter().map(ToString::to_string));
    names.retain(|name| name.parse::<IpAddr>().is_ok() || is_host_name(name));
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    names
}

/// The addresses of HTTPS as others write them.
fn addresses(config: &Config) -> Vec<IpAddr> {
    let of = |address: &std::net::SocketAddr| match address.ip() {
        any if any.is_unspecified() => reach::outward(any.is_ipv6()),
        other => Some(other),
    };
    config.api.tls_listen.iter().filter_map(of).collect()
}

/// What links in texts begin with where neither `elevation.link_base` nor `api.public_url` says it: where others reach the
/// page, by HTTPS if there is any.
pub fn link_base(config: &Config, facts: Option<&Facts>) -> Option<String> {
    if !config.elevation.link_base.is_empty() || !config.api.public_url.is_empty() {
        return None;
    }
    if let Some(url) = outside(config, facts) {
        return Some(url);
    }
    let any = config.api.listen.first().filter(|address| address.ip().is_unspecified())?;
    let address = reach::outward(any.is_ipv6())?;
    Some(format!("http://{}", std::net::SocketAddr::new(address, any.port())))
}

/// Where others go by HTTPS.
fn outside(config: &Config, facts: Option<&Facts>) -> Option<String> {
    let first = config.api.tls_listen.first()?;
    let port = if first.port() == 443 { String::new() } else { format!(":{}", first.port()) };
    Some(match (config.api.public_url.as_str(), facts, config.api.tls.way()) {
        (url, _, _) if !url.is_empty() => url.trim_end_matches('/').to_owned(),
        (_, Some(facts), Way::Own | Way::Acme) if !facts.names.is_empty() => {
            format!("https://{}{port}", facts.names.first().map_or("", String::as_str).replace('*', "meet"))
        }
        _ => {
            let host = addresses(config).first().map_or_else(|| first.ip(), |address| *address);
            format!("https://{}", std::net::SocketAddr::new(host, first.port()))
        }
    })
}

/// What a start says of HTTPS; nothing where there is none.
pub fn told(config: &Config, facts: Option<&Facts>) -> String {
    let Some(url) = outside(config, facts) else { return how_to_have_it(config) };
    let mut text = format!("  Others go to {url}/\n");
    if let (Way::SelfSigned, Some(facts)) = (config.api.tls.way(), facts) {
        let _ = writeln!(
            text,
            "               Their browsers will say \"Your connection is not private\" (Chrome, Safari) or \"Potential Security Risk\""
        );
        let _ = writeln!(
            text,
            "               (Firefox), for nobody vouches for this certificate but you: Advanced, then proceed. It is yours if it shows"
        );
        let (one, two) = facts.fingerprint.split_at(facts.fingerprint.len().min(48));
        let _ = writeln!(text, "               SHA-256 {one}\n                       {two}");
    }
    if let Some(line) = deaf(config) {
        let _ = writeln!(text, "               {line}");
    }
    text
}

/// Browsers that come in but hear nothing.
fn deaf(config: &Config) -> Option<&'static str> {
    let here = |listen: &Listen| listen.address.ip().is_loopback();
    let outside = config.api.tls_listen.iter().any(|address| !address.ip().is_loopback());
    let none = outside && !config.web.listen.is_empty() && config.web.listen.iter().all(here);
    none.then_some("but hear nothing there: web.listen takes this machine only; write [\"udp:0.0.0.0:8189\", \"tcp:0.0.0.0:8189\"]")
}

/// What to write so that telephones' browsers may use their microphones here.
fn how_to_have_it(config: &Config) -> String {
    if !config.api.public_url.is_empty() || !config.api.trusted_proxies.is_empty() || config.web.listen.is_empty() {
        return String::new();
    }
    "  Browsers on phones and other machines need HTTPS. For a first try within the house, put this into ringlift.toml:\n    \
     [api]\n    tls_listen = [\"0.0.0.0:8443\"]\n    [api.tls]\n    self_signed = true\n    [web]\n    \
     listen = [\"udp:0.0.0.0:8189\", \"tcp:0.0.0.0:8189\"]\n"
        .to_owned()
}
