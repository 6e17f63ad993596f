//! Control messages: one JSON object per text frame.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{MOST_PORTS, Malformed, VERSION};

/// Call managers that a relay may name, and addresses of each.
const MOST_MANAGERS: usize = 32;
/// The longest name of one.
const LONGEST_NAME: usize = 253;

/// What a relay says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromRelay {
    /// First of all.
    Hello(Hello),
    /// The call managers' addresses, anew.
    Managers {
        /// All of them.
        managers: Vec<Manager>,
    },
    /// A SIP message was not sent: to where it was to go is not allowed, or cannot be reached.
    Unsent {
        /// Its number.
        number: u32,
    },
    /// Nothing to say.
    Alive,
}

/// What the gateway says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromGateway {
    /// The relay is taken in.
    Welcome {
        /// What people call it.
        name: String,
        /// Names one run of the gateway: another one knows nothing of calls that were up.
        run: u64,
    },
    /// Audio may pass at this even port and the one above.
    Bind {
        /// Which.
        port: u16,
    },
    /// No more.
    Release {
        /// Which.
        port: u16,
    },
    /// Nothing to say.
    Alive,
}

/// Who a relay is and what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// The program and its version, for people.
    pub software: String,
    /// Names one run of the relay.
    pub run: u64,
    /// Where its SIP socket is reached in its network.
    pub sip: SocketAddr,
    /// Where its audio is reached in its network.
    pub media: IpAddr,
    /// Even ports that are bound for audio, each with the one above.
    pub ports: Vec<u16>,
    /// Call managers it may speak with.
    pub managers: Vec<Manager>,
}

/// A call manager, as the relay's network names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manager {
    /// A name or an address.
    pub name: String,
    /// Where it is.
    pub addresses: Vec<SocketAddr>,
}

impl Hello {
    /// Whether it is within its bounds.
    pub fn check(&self) -> Result<(), Malformed> {
        let fine = self.version == VERSION;
        let fine_ports = (1..=MOST_PORTS).contains(&self.ports.len())
            && self.ports.iter().all(|port| port % 2 == 0 && *port >= 1024);
        if !fine {
            return Err(Malformed("another version of the tunnel"));
        }
        if !fine_ports || self.ports.iter().collect::<BTreeSet<_>>().len() != self.ports.len() {
            return Err(Malformed("a hello with ports that cannot be, or one of them twice"));
        }
        if !is_place(self.sip) || !is_place(SocketAddr::new(self.media, self.sip.port())) {
            return Err(Malformed("a hello from an address at which nobody is reached"));
        }
        if !is_name(&self.software) {
            return Err(Malformed("a hello of a program whose name is too long or no text"));
        }
        check_managers(&self.managers)
    }
}

/// Whether a list of call managers is within its bounds.
pub fn check_managers(managers: &[Manager]) -> Result<(), Malformed> {
    if managers.len() > MOST_MANAGERS || managers.iter().any(|manager| manager.addresses.len() > MOST_MANAGERS) {
        return Err(Malformed("too many call managers"));
    }
    if !managers.iter().all(|manager| !manager.name.is_empty() && is_name(&manager.name)) {
        return Err(Malformed("a call manager whose name is too long or no text"));
    }
    if managers.iter().flat_map(|manager| &manager.addresses).any(|address| !is_place(*address)) {
        return Err(Malformed("a call manager at an address at which nobody is reached"));
    }
    Ok(())
}

/// Whether this can be shown in one line and written into a log: names come from another's machine.
fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME && !text.chars().any(char::is_control)
}

/// Whether somebody can be reached there.
fn is_place(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// A message as text.
pub fn write(message: &impl Serialize) -> String {
    // Neither a map with odd keys nor a number without end is in it.
    serde_json::to_string(message).unwrap_or_default()
}

/// Reads a message.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|_| Malformed("a control message that cannot be understood"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            version: VERSION,
            software: "ringlift".into(),
            run: 7,
            sip: "10.0.0.9:5070".parse().unwrap(),
            media: "10.0.0.9".parse().unwrap(),
            ports: vec![30_000, 30_002],
            managers: vec![Manager { name: "cucm.corp".into(), addresses: vec!["10.0.0.5:5060".parse().unwrap()] }],
        }
    }

    #[test]
    fn a_hello_reads_back_and_one_beyond_its_bounds_is_refused() {
        let said = FromRelay::Hello(hello());
        assert_eq!(read::<FromRelay>(&write(&said)), Ok(said));
        assert_eq!(hello().check(), Ok(()));
        assert!(Hello { version: 2, ..hello() }.check().is_err());
        assert!(Hello { ports: vec![], ..hello() }.check().is_err());
        assert!(Hello { ports: vec![30_001], ..hello() }.check().is_err());
        assert!(Hello { ports: vec![30_000; MOST_PORTS + 1], ..hello() }.check().is_err());
        assert!(Hello { ports: vec![30_000, 30_002, 30_000], ..hello() }.check().is_err(), "one port is two calls'");
        for nowhere in
            ["0.0.0.0:0", "0.0.0.0:5060", "10.0.0.9:0", "[::]:5060", "239.1.1.1:5060", "255.255.255.255:5060"]
        {
            let sip: SocketAddr = nowhere.parse().unwrap();
            assert!(Hello { sip, ..hello() }.check().is_err(), "{nowhere}");
            let managers = vec![Manager { addresses: vec![sip], ..hello().managers[0].clone() }];
            assert!(Hello { managers, ..hello() }.check().is_err(), "a manager at {nowhere}");
        }
        assert!(Hello { media: "0.0.0.0".parse().unwrap(), ..hello() }.check().is_err());
        assert_eq!(Hello { sip: "[fd00::9]:5060".parse().unwrap(), ..hello() }.check(), Ok(()));
        for odd in ["ring\nlift", "\u{1b}[2J", "\u{7f}", "\u{85}"] {
            assert!(Hello { software: odd.into(), ..hello() }.check().is_err(), "{odd:?}");
            let managers = vec![Manager { name: odd.into(), addresses: vec![] }];
            assert!(Hello { managers, ..hello() }.check().is_err(), "{odd:?}");
        }
        let crowd = vec![hello().managers[0].clone(); 33];
        assert!(Hello { managers: crowd, ..hello() }.check().is_err());
    }

    #[test]
    fn what_is_unknown_is_not_passed_over() {
        assert!(read::<FromGateway>(r#"{"type":"bind","port":30000,"more":1}"#).is_err());
        assert!(read::<FromGateway>(r#"{"type":"run"}"#).is_err());
        assert!(read::<FromRelay>("").is_err());
    }
}
