//! `[web]`: where browsers' audio and video come in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Findings, is_outside};
use super::{Config, Listen, Period, Transport};
use crate::base::Secret;
use crate::gateway::web::ice::Ice;

/// Browsers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Where their media come in: UDP, and TCP for networks that let nothing else through. Empty: browsers cannot join.
    pub listen: Vec<Listen>,
    /// The addresses that browsers are told; `auto` is those of `listen`.
    pub advertised: Vec<String>,
    /// Most browsers at once.
    pub max_peers: u32,
    /// Browsers of one address that join one meeting at once.
    pub join_burst: u32,
    /// One more may join after this long.
    pub join_refill: Period,
    /// Most of a meeting's places that browsers of one address have, in percent.
    pub join_share: u32,
    /// Servers that browsers may ask for their own address, or have their packets carried by.
    pub turn_urls: Vec<String>,
    /// Shared with these servers.
    pub turn_secret: Secret,
    /// How long what a browser is told about them is good for.
    pub turn_lifetime: Period,
}

/// The word for whatever is found out.
pub const AUTO: &str = "auto";

impl Default for Web {
    fn default() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 8189));
        let listen = |transport| Listen { transport, address };
        Self {
            listen: vec![listen(Transport::Udp), listen(Transport::Tcp)],
            advertised: vec![AUTO.into()],
            max_peers: 500,
            join_burst: 30,
            join_refill: Period(Duration::from_secs(1)),
            join_share: 50,
            turn_urls: Vec::new(),
            turn_secret: Secret::default(),
            turn_lifetime: Period(Duration::from_secs(12 * 3600)),
        }
    }
}

impl Web {
    /// The servers as the gateway tells browsers of them.
    pub fn ice(&self) -> Ice {
        let (stun, turn) = self.turn_urls.iter().cloned().partition(|url| url.starts_with("stun"));
        let secret = (!self.turn_secret.is_empty()).then(|| self.turn_secret.clone());
        Ice { stun, turn, secret, lifetime: self.turn_lifetime.0 }
    }
}

pub(super) fn check(config: &Config, found: &mut Findings) {
    let web = &config.web;
    if web.join_burst == 0 {
        found.fatal("web.join_burst", "0 would let nobody in: write 1 or more".to_owned());
    }
    if !(1..=100).contains(&web.join_share) {
        found.fatal("web.join_share", format!("{} is no share: write 1 to 100 percent", web.join_share));
    }
    for (index, listen) in web.listen.iter().enumerate() {
        let (port, udp) = (listen.address.port(), listen.transport == Transport::Udp);
        if listen.transport == Transport::Tls {
            found.fatal("web.listen", format!("{listen} is encrypted already: write udp or tcp"));
        }
        if port == 0 {
            found.fatal("web.listen", format!("{listen} has no port: write one, such as 8189"));
        }
        if web.listen.iter().take(index).any(|other| other == listen) {
            found.fatal("web.listen", format!("{listen} is taken twice: remove one"));
        }
        let sip = config
            .sip
            .listen
            .iter()
            .any(|sip| sip.address == listen.address && (sip.transport == Transport::Udp) == udp);
        let api =
            !udp && (config.api.listen.contains(&listen.address) || config.api.tls_listen.contains(&listen.address));
        if sip || api {
            found.fatal("web.listen", format!("{listen} is taken by another section: give one of them another port"));
        }
        if udp && (config.media.first_port..=config.media.last_port).contains(&port) {
            found.fatal(
                "web.listen",
                format!("{listen} is within media.first_port to media.last_port: move one of them"),
            );
        }
    }
    if !web.listen.is_empty() && web.listen.iter().all(|listen| listen.transport != Transport::Udp) {
        found.warn("web.listen", "has no udp entry: over TCP alone a lost packet holds up all that come after it");
    }
    for address in web.advertised.iter().filter(|address| *address != AUTO) {
        match address.parse::<IpAddr>() {
            Err(_) => found.fatal(
                "web.advertised",
                format!("`{address}` is no address: write such as \"203.0.113.5\", or \"auto\""),
            ),
            Ok(address) if address.is_unspecified() || address.is_multicast() => {
                found.fatal(
                    "web.advertised",
                    format!("nobody can send to {address}: write the address that browsers reach"),
                );
            }
            Ok(address) => {
                let same = |listen: &&Listen| listen.address.is_ipv4() == address.is_ipv4();
                if !web.listen.iter().any(|listen| same(&listen)) {
                    found.fatal("web.advertised", format!("{address} is of a family that web.listen does not have"));
                } else if is_outside(address) && web.listen.iter().filter(same).all(|l| !is_outside(l.address.ip())) {
                    found.warn("web.advertised", format!("{address} is advertised, but web.listen takes browsers on this machine only: open it, such as \"udp:0.0.0.0:8189\""));
                }
            }
        }
    }
    if web.advertised.is_empty() && !web.listen.is_empty() {
        found.fatal("web.advertised", "is empty: write \"auto\", or the addresses that browsers reach");
    }
    if web.max_peers == 0 {
        found.fatal("web.max_peers", "0 lets no browser in: write how many this machine is to carry");
    }
    for url in &web.turn_urls {
        let known = ["stun:", "stuns:", "turn:", "turns:"]
            .iter()
            .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')));
        if !known {
            found.fatal("web.turn_urls", format!("`{url}` is no server: write such as \"turn:turn.example.org:3478\""));
        }
    }
    if web.turn_urls.iter().any(|url| url.starts_with("turn")) && web.turn_secret.is_empty() {
        found.fatal(
            "web.turn_secret",
            "web.turn_urls is set: write the secret that these servers share (coturn: static-auth-secret)",
        );
    }
    if web.turn_lifetime.0 < Duration::from_secs(60) {
        found.fatal("web.turn_lifetime", "must be at least 1m: credentials would run out while a browser connects");
    }
}
