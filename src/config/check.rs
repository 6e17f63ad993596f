//! What cannot work although every value can be read: each finding is one line that says what to change.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::https::Way;
use super::{Config, Problem, Transport};
use crate::route::CallLimits;
use crate::route::toll::SHORT;

pub(super) fn check(config: &Config) -> Vec<Problem> {
    let mut found = Findings(Vec::new());
    node(config, &mut found);
    sip(config, &mut found);
    tls(config, &mut found);
    advertised(config, &mut found);
    media(config, &mut found);
    super::web::check(config, &mut found);
    super::https::check(config, &mut found);
    super::elevation::check(config, &mut found);
    super::callback::check(config, &mut found);
    super::codes::check(config, &mut found);
    attendant(config, &mut found);
    throttle(config, &mut found);
    keys(config, &mut found);
    ways(config, &mut found);
    limits(config, &mut found);
    outer(config, &mut found);
    found.0.extend(super::sms::check(config));
    found.0
}

/// Whether far ends on other machines can reach this address.
pub fn is_outside(address: IpAddr) -> bool {
    !address.to_canonical().is_loopback()
}

/// Whether the address belongs to a private network (RFC 1918, RFC 6598, RFC 4193) or a single link.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

pub(super) struct Findings(Vec<Problem>);

impl Findings {
    pub(super) fn fatal(&mut self, key: &str, text: impl Into<String>) {
        self.0.push(Problem { key: key.into(), text: text.into(), fatal: true });
    }

    pub(super) fn warn(&mut self, key: &str, text: impl Into<String>) {
        self.0.push(Problem { key: key.into(), text: text.into(), fatal: false });
    }
}

fn node(config: &Config, found: &mut Findings) {
    if config.node.name.trim().is_empty() || config.node.name.len() > 64 {
        found.fatal("node.name", "give the node a name of 1 to 64 characters");
    }
    if !is_language(&config.node.language) {
        found.fatal(
            "node.language",
            format!("`{}` is no language: write a tag such as \"en\" or \"pt\"", config.node.language),
        );
    }
}

fn sip(config: &Config, found: &mut Findings) {
    let sip = &config.sip;
    if sip.listen.is_empty() {
        found.fatal("sip.listen", "nobody can call: list at least one place, such as \"udp:0.0.0.0:5060\"");
    }
    for (index, listen) in sip.listen.iter().enumerate() {
        // TCP and TLS are both TCP to the system.
        let same = |other: &&super::Listen| {
            other.address == listen.address
                && (other.transport == Transport::Udp) == (listen.transport == Transport::Udp)
        };
        if sip.listen.iter().take(index).any(|other| same(&other)) {
            found.fatal("sip.listen", format!("{listen} is taken twice: remove one"));
        }
        if config.api.listen.contains(&listen.address) && listen.transport != Transport::Udp {
            found.fatal("sip.listen", format!("{} is api.listen too: give one of them another port", listen.address));
        }
    }
    if sip.t1.0.is_zero() || sip.t1 > sip.t2 {
        found.fatal("sip.t1", "must be more than 0 and at most sip.t2");
    }
    if sip.t4.0.is_zero() {
        found.fatal("sip.t4", "must be more than 0; RFC 3261 wants 5s");
    }
    if !(1500..=1_048_576).contains(&sip.max_message) {
        found.fatal("sip.max_message", "must be from 1500 to 1048576 bytes: an INVITE of a carrier has 2000 and more");
    }
    if sip.max_calls == 0 {
        found.fatal("sip.max_calls", "0 refuses every call: write how many this machine is to carry");
    }
    if sip.max_connections == 0 && sip.listen.iter().any(|listen| listen.transport != Transport::Udp) {
        found.fatal("sip.max_connections", "0 refuses every TCP and TLS connection");
    }
}

fn tls(config: &Config, found: &mut Findings) {
    let wanted = config.sip.listen.iter().any(|listen| listen.transport == Transport::Tls);
    let shared = !config.api.tls_listen.is_empty() && config.api.tls.way() == Way::Shared;
    let (certificate, key) = match (&config.sip.tls_certificate, &config.sip.tls_key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) if wanted => {
            found.fatal(
                "sip.tls_certificate",
                "sip.listen has a tls entry: name a PEM certificate here and its key in sip.tls_key",
            );
            return;
        }
        (None, None) if shared => {
            found.fatal(
                "api.tls_listen",
                "needs a certificate: say in [api.tls] which, such as self_signed = true for a first try",
            );
            return;
        }
        (None, None) => return,
        (Some(_), None) => {
            found.fatal("sip.tls_key", "sip.tls_certificate is set: name its private key too");
            return;
        }
        (None, Some(_)) => {
            found.fatal("sip.tls_certificate", "sip.tls_key is set: name its certificate too");
            return;
        }
    };
    if !wanted && !shared {
        found.warn("sip.tls_certificate", "is not used: sip.listen has no tls entry, such as \"tls:0.0.0.0:5061\"");
    }
    certificate_and_key(("sip.tls_certificate", certificate), ("sip.tls_key", key), found);
}

/// Whether two files, each with the key that names it, are a certificate and its private key.
pub(super) fn certificate_and_key(certificate: (&str, &Path), key: (&str, &Path), found: &mut Findings) {
    let chain = certificates(certificate.1);
    if let Err(why) = &chain {
        found.fatal(certificate.0, format!("{} {why}", certificate.1.display()));
    }
    let secret = PrivateKeyDer::from_pem_file(key.1).map_err(|error| pem_error(&error));
    if let Err(why) = &secret {
        found.fatal(key.0, format!("{} {why}", key.1.display()));
    }
    let (Ok(chain), Ok(secret)) = (chain, secret) else { return };
    match rustls::crypto::aws_lc_rs::sign::any_supported_type(&secret) {
        Err(error) => found.fatal(key.0, format!("{} holds no key that TLS can use: {error}", key.1.display())),
        Ok(signer) => {
            let pair = rustls::sign::CertifiedKey::new(chain, signer);
            if let Err(rustls::Error::InconsistentKeys(_)) = pair.keys_match() {
                found.fatal(
                    key.0,
                    format!("{} is not the key of the certificate in {}", key.1.display(), certificate.1.display()),
                );
            }
        }
    }
}

/// The certificates of a PEM file.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => Err("holds no PEM certificate".into()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(pem_error(&error)),
    }
}

fn pem_error(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => format!("cannot be read: {error}"),
        rustls::pki_types::pem::Error::NoItemsFound => "holds nothing of the kind in PEM".into(),
        other => format!("is not PEM: {other}"),
    }
}

fn advertised(config: &Config, found: &mut Findings) {
    let key = "sip.advertised";
    let host = config.sip.advertised.as_str();
    let outside = config.sip.listen.iter().any(|listen| is_outside(listen.address.ip()));
    if host == "auto" {
        return;
    }
    let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() else {
        if host.contains(':') || host.contains('/') {
            found.fatal(key, format!("`{host}` is no host: write an address or a name without port, or \"auto\""));
        } else if !is_host_name(host) {
            found.fatal(key, format!("`{host}` is no host name: write an address, a name, or \"auto\""));
        }
        return;
    };
    if address.is_unspecified() || address.is_multicast() {
        found.fatal(key, format!("nobody can send to {address}: write the address that callers reach, or \"auto\""));
    } else if outside && !is_outside(address) {
        found.fatal(key, format!("{address} is this machine only, but sip.listen is open to others: write the address they reach, or \"auto\""));
    } else if outside && is_private(address) && config.sip.listen.iter().any(|listen| is_public(listen.address)) {
        found.warn(
            key,
            format!(
                "{address} is private, but sip.listen has a public address: callers outside will send audio nowhere"
            ),
        );
    } else if !outside && is_outside(address) {
        found.warn(key, format!("{address} is advertised, but sip.listen takes calls from this machine only: open it, such as \"udp:0.0.0.0:5060\""));
    }
}

fn is_public(address: SocketAddr) -> bool {
    let ip = address.ip();
    is_outside(ip) && !is_private(ip) && !ip.is_unspecified()
}

fn media(config: &Config, found: &mut Findings) {
    let media = &config.media;
    if !media.first_port.is_multiple_of(2) || media.first_port < 1024 {
        found.fatal("media.first_port", "must be even and at least 1024: RTP takes the even port, RTCP the next");
    }
    let pairs = (u32::from(media.last_port) + 1).saturating_sub(u32::from(media.first_port)) / 2;
    if pairs == 0 {
        found.fatal("media.last_port", "must be above media.first_port: every call takes two ports");
    } else if pairs < config.sip.max_calls {
        found.warn(
            "media.last_port",
            format!("the range holds {pairs} calls, but sip.max_calls is {}: widen it", config.sip.max_calls),
        );
    }
    for listen in &config.sip.listen {
        let port = listen.address.port();
        if listen.transport == Transport::Udp && (media.first_port..=media.last_port).contains(&port) {
            found.fatal("media.first_port", format!("the range holds port {port} of {listen}: move one of them"));
        }
    }
    for (family, is_v4) in [("IPv4", true), ("IPv6", false)] {
        let ours = |address: &IpAddr| address.is_ipv4() == is_v4;
        let here: Vec<&IpAddr> = media.listen.iter().filter(|address| ours(address)).collect();
        if here.len() > 1 {
            found.fatal("media.listen", format!("has more than one {family} address: leave one"));
        }
        let reached: Vec<IpAddr> = config.sip.listen.iter().map(|listen| listen.address.ip()).filter(ours).collect();
        let open = reached.iter().any(|address| is_outside(*address));
        if !reached.is_empty() && here.is_empty() {
            found.fatal(
                "media.listen",
                format!("sip.listen takes {family} calls, but no {family} address is listed: they would have no audio"),
            );
        } else if open && here.iter().all(|address| !is_outside(**address)) {
            let any = if is_v4 { "0.0.0.0" } else { "::" };
            found.fatal(
                "media.listen",
                format!("sip.listen is open to others in {family}, but audio is bound to this machine: add \"{any}\""),
            );
        }
    }
    if ![10, 20, 30, 40, 60].contains(&media.packet) {
        found.fatal("media.packet", format!("{} ms is not sent: write 10, 20, 30, 40 or 60", media.packet));
    }
    if media.codecs.is_empty() {
        found.fatal("media.codecs", "list at least one of PCMA and PCMU");
    }
    if media.timeout.0.as_secs() < 5 {
        found.fatal("media.timeout", "must be at least 5s: phones that suppress silence would be cut off");
    }
}

fn attendant(config: &Config, found: &mut Findings) {
    let attendant = &config.attendant;
    if !(1..=10).contains(&attendant.tries) {
        found.fatal("attendant.tries", "must be from 1 to 10");
    }
    if attendant.first_digit.0.is_zero() || attendant.between_digits.0.is_zero() {
        found.fatal("attendant.between_digits", "nobody keys that fast: digit timers must be more than 0");
    }
    if attendant.languages.is_empty() {
        found.fatal("attendant.languages", "list at least one language, such as \"en\"");
    }
    for language in attendant.languages.iter().filter(|language| !is_language(language)) {
        found
            .fatal("attendant.languages", format!("`{language}` is no language: write a tag such as \"en\" or \"pt\""));
    }
}

fn throttle(config: &Config, found: &mut Findings) {
    let throttle = &config.throttle;
    let bursts = [
        ("throttle.caller_burst", throttle.caller_burst),
        ("throttle.pin_burst", throttle.pin_burst),
        ("throttle.number_burst", throttle.number_burst),
        ("throttle.key_burst", throttle.key_burst),
    ];
    for (key, _) in bursts.into_iter().filter(|(_, burst)| *burst == 0) {
        found.fatal(key, "0 would let nobody in: write at least 1");
    }
}

fn keys(config: &Config, found: &mut Findings) {
    found.0.extend(super::keys::maps(config).1);
    for (name, map) in &config.keys {
        let key = format!("keys.{name}");
        if ["zoom", "webex", "microsoft"].contains(&name.as_str()) {
            found.fatal(&key, "is built in: give your map another name");
        }
        for digits in map.keys().filter(|digits| !is_key_sequence(digits)) {
            found.fatal(&key, format!("`{digits}` cannot be keyed: write 1 to 4 of 0-9, * and #"));
        }
    }
}

/// Where calls go: what profiles and nameservers say of themselves.
fn ways(config: &Config, found: &mut Findings) {
    match super::profiles::load(config.profiles.directory.as_deref()) {
        Ok(_) => {}
        Err(problems) => found.0.extend(problems),
    }
    for server in config.dns.servers.iter().filter(|server| server.0.ip().is_unspecified()) {
        found.fatal("dns.servers", format!("nobody answers at {}: write the nameserver's own address", server.0));
    }
}

/// Where calls may go, and what they may cost.
fn limits(config: &Config, found: &mut Findings) {
    let routing = &config.routing;
    for (key, value, most) in [
        ("routing.country", &routing.country, 3),
        ("routing.national_prefix", &routing.national_prefix, 5),
        ("routing.international_prefix", &routing.international_prefix, 5),
    ] {
        if value.len() > most || !value.bytes().all(|b| b.is_ascii_digit()) {
            found.fatal(key, format!("`{value}` is none: write digits only, such as 49, 0 or 00"));
        }
    }
    for wrong in wrong_limits(&config.limits) {
        found.fatal(&format!("limits.{}", wrong.0), wrong.1);
    }
    for wrong in wrong_limits(&config.operator_limits.limits()) {
        found.fatal(&format!("operator_limits.{}", wrong.0), wrong.1);
    }
    if let Some(directory) = config.stir.anchors.as_ref().filter(|directory| !directory.is_dir()) {
        found.fatal(
            "stir.anchors",
            format!("{} is no directory: make it, or leave the value empty", directory.display()),
        );
    } else if let Err(why) = super::anchors::load(config.stir.anchors.as_deref()) {
        found.fatal("stir.anchors", why);
    }
}

/// What cannot be meant: the field, and what is wrong with it.
pub fn wrong_limits(limits: &CallLimits) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for (index, country) in limits.countries.iter().enumerate() {
        let digits = country.strip_prefix('+').unwrap_or(country);
        let code = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !code && country != "*" && country != SHORT {
            let text = format!("`{country}` is no country: write calling codes such as 49, * for all, or {SHORT}");
            wrong.push((format!("countries/{index}"), text));
        }
    }
    if limits.calls_per_second == 0 {
        wrong.push(("calls_per_second".into(), "0 would let nobody call: write at least 1".into()));
    }
    wrong
}

fn outer(config: &Config, found: &mut Findings) {
    if let Some(directory) = config.prompts.directory.as_ref().filter(|directory| !directory.is_dir()) {
        found.fatal(
            "prompts.directory",
            format!("{} is no directory: make it, or leave the value empty", directory.display()),
        );
    }
    if config.api.listen.is_empty() {
        found.warn("api.listen", "is empty: nobody can configure or watch this node");
    }
    for address in config.api.listen.iter().filter(|address| is_outside(address.ip())) {
        // With HTTPS beside it, plain HTTP only leads there.
        if config.api.trusted_proxies.is_empty() && config.api.tls_listen.is_empty() {
            found.warn("api.listen", format!("{address} carries API keys in plain HTTP to other machines: serve HTTPS (api.tls_listen, [api.tls]), or put a TLS proxy in front and name it in api.trusted_proxies"));
        }
    }
    if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&config.log.level) {
        found.fatal(
            "log.level",
            format!("`{}` cannot be read ({error}): write error, warn, info, debug or trace", config.log.level),
        );
    }
}

fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let primary = parts
        .next()
        .is_some_and(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase()));
    primary && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Whether it is a name by RFC 1123, and no address.
pub fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.len() <= 253
        && host.split('.').all(label)
        && !host.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_key_sequence(digits: &str) -> bool {
    (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'*' || b == b'#')
}
