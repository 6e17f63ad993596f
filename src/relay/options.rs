//! What a relay is told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use super::RelayError;
use crate::route::Network;
use crate::transport::relay::MOST_PORTS;

/// Where phones are, where nothing is said: private addresses (RFC 1918, RFC 4193).
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Options of a relay.
#[derive(Debug, Clone, Args)]
pub struct RelayOptions {
    /// The gateway: `https://meet.example`
    #[arg(long, value_name = "URL")]
    pub gateway: String,
    /// The file with the secret that `POST /v1/relays` showed
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
    /// A call manager that SIP may be sent to: `cucm.corp.example`, `10.1.2.3:5060`; or a network of them and of phones that they
    /// redirect to: `10.1.2.0/24`. More than one may be given
    #[arg(long, value_name = "HOST", required = true)]
    pub manager: Vec<String>,
    /// A network with phones that audio may be sent to; private addresses where absent. More than one may be given
    #[arg(long, value_name = "NETWORK")]
    pub network: Vec<String>,
    /// Trusts certificates of this authority (PEM) instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The address at which call managers and phones reach this machine; found out where absent
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<IpAddr>,
    /// The port of SIP (UDP)
    #[arg(long, default_value_t = 5060)]
    pub sip_port: u16,
    /// The first port of audio, even; each call takes two
    #[arg(long, default_value_t = 20_000)]
    pub first_port: u16,
    /// Calls at once
    #[arg(long, default_value_t = 50)]
    pub calls: u16,
    /// What is logged: `info`, `debug`
    #[arg(long, default_value = "info")]
    pub log: String,
}

/// To whom a relay sends, and from whom it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Call managers by name or address, and their ports.
    pub(super) managers: Vec<(String, u16)>,
    /// Networks that SIP may be sent to.
    pub(super) sip: Vec<Network>,
    /// Networks that audio may be sent to.
    pub(super) audio: Vec<Network>,
}

impl RelayOptions {
    /// Who is within reach.
    pub(super) fn bounds(&self) -> Result<Bounds, RelayError> {
        let (mut managers, mut sip) = (Vec::new(), Vec::new());
        for text in &self.manager {
            if text.contains('/') {
                sip.push(network(text)?);
            } else {
                managers.push(host(text)?);
            }
        }
        if managers.is_empty() {
            return Err(RelayError::Usage("--manager: name a call manager, not only networks".into()));
        }
        let audio = match self.network.as_slice() {
            [] => PRIVATE.iter().filter_map(|text| text.parse().ok()).collect(),
            named => named.iter().map(|text| network(text)).collect::<Result<_, _>>()?,
        };
        if self.address.is_some_and(|address| address.is_unspecified() || address.is_multicast()) {
            return Err(RelayError::Usage("--address: the one at which phones reach this machine, not any".into()));
        }
        if !(1..=MOST_PORTS).contains(&usize::from(self.calls)) {
            return Err(RelayError::Usage(format!("--calls: from 1 to {MOST_PORTS}")));
        }
        let last = u32::from(self.first_port) + 2 * u32::from(self.calls) - 1;
        if !self.first_port.is_multiple_of(2) || self.first_port < 1024 || last > 65_535 {
            return Err(RelayError::Usage(
                "--first-port: an even one from 1024, with two ports for each call above".into(),
            ));
        }
        Ok(Bounds { managers, sip, audio })
    }
}

fn network(text: &str) -> Result<Network, RelayError> {
    text.parse().map_err(|_| RelayError::Usage(format!("`{text}` is no network: write 10.1.0.0/16")))
}

/// A host and its port; 5060 where none is written.
fn host(text: &str) -> Result<(String, u16), RelayError> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok((address.ip().to_string(), address.port()));
    }
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok((address.to_string(), 5060));
    }
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, port.parse().ok()),
        None => (text, Some(5060)),
    };
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    match port.filter(|port| is_name && *port > 0) {
        Some(port) => Ok((name.to_ascii_lowercase(), port)),
        None => {
            Err(RelayError::Usage(format!("--manager: `{text}` is no host: write cucm.corp.example or 10.1.2.3:5060")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(managers: &[&str], networks: &[&str]) -> RelayOptions {
        RelayOptions {
            gateway: "https://gw.example".into(),
            secret_file: PathBuf::new(),
            manager: managers.iter().map(ToString::to_string).collect(),
            network: networks.iter().map(ToString::to_string).collect(),
            ca: None,
            address: None,
            sip_port: 5060,
            first_port: 20_000,
            calls: 50,
            log: "info".into(),
        }
    }

    #[test]
    fn call_managers_are_hosts_with_a_port_and_networks_stand_beside_them() {
        let bounds = options(&["CUCM.corp", "10.1.2.3:5070", "fd00::5", "10.1.3.0/24"], &[]).bounds().unwrap();
        let managers = [("cucm.corp", 5060), ("10.1.2.3", 5070), ("fd00::5", 5060)];
        assert_eq!(bounds.managers, managers.map(|(name, port)| (name.to_owned(), port)));
        assert_eq!((bounds.sip.len(), bounds.audio.len()), (1, 4));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_write() {
        for (managers, networks) in
            [(vec!["a b"], vec![]), (vec!["10.1.2.0/24"], vec![]), (vec!["a:x"], vec![]), (vec!["a"], vec!["10.1"])]
        {
            assert!(options(&managers, &networks).bounds().is_err(), "{managers:?} {networks:?}");
        }
        let anywhere = Some(IpAddr::from([0, 0, 0, 0]));
        assert!(RelayOptions { address: anywhere, ..options(&["a"], &[]) }.bounds().is_err());
        assert!(RelayOptions { calls: 0, ..options(&["a"], &[]) }.bounds().is_err());
        assert!(RelayOptions { first_port: 65_500, ..options(&["a"], &[]) }.bounds().is_err());
        assert!(RelayOptions { first_port: 20_001, ..options(&["a"], &[]) }.bounds().is_err());
    }
}
