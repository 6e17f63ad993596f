//! Two networks: the gateway's, where the test runs, and a customer's, a namespace whose firewall lets nothing in.
//!
//! ```text
//! this namespace: ringlift serve, Anna ── 10.98.n.1 ══ 10.98.n.2 ── nft: nothing comes in ── relay, Kamailio, Ben (127.0.0.1 there)
//! ```
//!
//! Everything there is at 127.0.0.1, which is another machine here: what names an address of the customer's network and is sent
//! from here goes astray.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, SanType};
use serde_json::{Value, json};

use crate::common::baresip::{self, Account, Baresip};
use crate::common::gateway::{self, Gateway};
use crate::common::kamailio::{self, Kamailio};
use crate::common::phone::{self, Phone};
use crate::common::ports::Ports;
use crate::common::process::{Folder, Process};
use crate::common::wiretap::Wiretap;
use crate::common::{ms, s, until, until_clear};

/// The voices: tones that no harmonic of another meets.
pub const ANNA: f64 = 440.0;
pub const BEN: f64 = 1000.0;
const PASSWORD: &str = "a-good-password";

/// Runs a program to its end.
#[track_caller]
pub fn run(words: &str) {
    let mut words = words.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A customer's network.
pub struct Town {
    space: Process,
    /// The gateway's address, as it is seen from there.
    pub node: String,
    /// The address of the customer's end.
    pub near: String,
    pub folder: Folder,
    pub ports: Ports,
}

impl Town {
    /// A network of its own; one at a time in a test.
    pub fn new() -> Self {
        let (folder, ports) = (Folder::new("town"), Ports::block());
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo here; exec sleep 900"]);
        let mut space = Process::start("another network", &mut command, folder.file("space.log"));
        space.printed("here", 1, s(10));
        let n = (ports.at(0) / 300) % 250;
        let (node, near) = (format!("10.98.{n}.1"), format!("10.98.{n}.2"));
        run(&format!("ip link add rlf{n} type veth peer name near0 netns {}", space.id()));
        run(&format!("ip addr add {node}/24 dev rlf{n}"));
        run(&format!("ip link set rlf{n} up"));
        let town = Self { space, node, near, folder, ports };
        town.inside(&format!("ip addr add {}/24 dev near0", town.near));
        town.inside("ip link set lo up");
        town.inside("ip link set near0 up");
        let walls = town.folder.write(
            "walls.nft",
            "table inet wall {\n chain in { type filter hook input priority 0; policy drop; iif lo accept; ct state established,related accept; }\n \
             chain out { type filter hook output priority 0; policy accept; }\n}\n",
        );
        town.inside(&format!("nft -f {}", walls.display()));
        town
    }

    /// Runs a program there to its end.
    #[track_caller]
    pub fn inside(&self, words: &str) {
        run(&format!("nsenter --target {} --net -- {words}", self.space.id()));
    }

    /// Does something there: what it starts and opens is in that network.
    #[track_caller]
    pub fn there<T: Send>(&self, make: impl FnOnce() -> T + Send) -> T {
        let space = std::fs::File::open(format!("/proc/{}/ns/net", self.space.id())).unwrap();
        std::thread::scope(|scope| {
            let made = scope.spawn(move || {
                #[allow(
                    unsafe_code,
                    reason = "the one system call that moves this thread alone; its descriptor is open"
                )]
                let moved = unsafe { libc::setns(space.as_raw_fd(), libc::CLONE_NEWNET) };
                assert_eq!(moved, 0, "{}", std::io::Error::last_os_error());
                make()
            });
            made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Nothing gets out any more: no packet, and no answer that it did not.
    pub fn cut(&self) {
        self.inside("nft add rule inet wall out oif near0 drop");
    }

    /// Connections are torn down.
    pub fn tear(&self) {
        self.inside("nft add rule inet wall out oif near0 meta l4proto tcp reject with tcp reset");
    }

    /// All is as before.
    pub fn mend(&self) {
        self.inside("nft flush chain inet wall out");
    }

    /// Kamailio there, which sends what is not for itself to Ben.
    pub fn kamailio(&self) -> Kamailio {
        let ben = self.bens();
        self.there(|| kamailio::Setup::towards(&ben).start())
    }

    /// Where Ben's telephone waits.
    fn bens(&self) -> String {
        format!("127.0.0.1:{}", self.ports.at(1))
    }

    /// Ben's telephone there, which waits for one call.
    pub fn ben(&self) -> Phone {
        let bens = self.bens();
        let mut ben = self.there(|| phone::Setup::tone(BEN).with(&["--listen", &bens]).wait());
        ben.tells("listening", s(10));
        ben
    }

    /// Panics if a connection into that network can be opened, to somebody who waits for one there.
    #[track_caller]
    pub fn is_closed(&self) {
        let near = format!("{}:0", self.near);
        let waits = self.there(|| TcpListener::bind(&near).unwrap());
        let address: SocketAddr = waits.local_addr().unwrap();
        let there = self.there(|| TcpStream::connect_timeout(&address, ms(700)).is_ok());
        assert!(there, "nobody waits at {address}");
        assert!(TcpStream::connect_timeout(&address, ms(700)).is_err(), "somebody got in at {address}");
    }
}

/// A gateway that relays can reach by HTTPS, and how they know it.
pub struct Node {
    pub gateway: Gateway,
    pub authority: PathBuf,
    pub url: String,
    _folder: Folder,
}

impl Node {
    pub fn start(town: &Town) -> Self {
        Self::with(town, |setup| setup)
    }

    pub fn with(town: &Town, more: impl FnOnce(gateway::Setup) -> gateway::Setup) -> Self {
        let (folder, ports) = (Folder::new("node"), Arc::new(Ports::block()));
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = folder.write("authority.pem", &params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::IpAddress(town.node.parse().unwrap())];
        let key = KeyPair::generate().unwrap();
        folder.write("cert.pem", &params.signed_by(&key, &issuer).unwrap().pem());
        folder.write("key.pem", &key.serialize_pem());
        let tls =
            format!("tls = {{ certificate = {:?}, key = {:?} }}", folder.file("cert.pem"), folder.file("key.pem"));
        let port = ports.at(8);
        let listen = format!("tls_listen = [\"{}:{port}\"]", town.node);
        let setup = gateway::Setup::new().on(ports).with("api", &listen).with("api", &tls);
        let gateway = more(setup).start();
        Self { gateway, authority, url: format!("https://{}:{port}", town.node), _folder: folder }
    }

    /// Makes a relay: its id, and the file with its secret.
    pub fn make_relay(&self, town: &Town, name: &str) -> (String, PathBuf) {
        let made = self.gateway.post("/v1/relays", &json!({ "name": name }));
        let file = town.folder.write(&format!("{name}.secret"), made["secret"].as_str().unwrap());
        (made["id"].as_str().unwrap().to_owned(), file)
    }

    /// A relay of this secret, in the customer's network.
    pub fn relay(&self, town: &Town, kamailio: &Kamailio, secret: &Path, place: u16) -> Process {
        let ports = (town.ports.at(place), town.ports.at(place + 10) & !1);
        self.relay_at(town, secret, (&kamailio.address(), "127.0.0.1", "127.0.0.0/8"), ports)
    }

    /// A relay of this secret, between this call manager, this address of its own and a network of phones; at these ports.
    pub fn relay_at(
        &self,
        town: &Town,
        secret: &Path,
        (manager, address, network): (&str, &str, &str),
        (sip, audio): (u16, u16),
    ) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringlift"));
        command.args(["relay", "--gateway", &self.url, "--secret-file", secret.to_str().unwrap()]);
        command.args(["--ca", self.authority.to_str().unwrap(), "--manager", manager, "--manager", network]);
        command.args(["--network", network, "--address", address, "--log", "debug"]);
        command.args(["--sip-port", &sip.to_string(), "--first-port", &audio.to_string(), "--calls", "10"]);
        let log = (1..).map(|n| town.folder.file(&format!("relay.{n}"))).find(|path| !path.exists()).unwrap();
        town.there(|| Process::start("ringlift relay", &mut command, log))
    }

    /// A trunk through a relay to Kamailio, with more or other fields of `outbound`.
    pub fn trunk(&self, name: &str, relay: &str, kamailio: &Kamailio, outbound: Value) -> String {
        let mut out = json!({
            "targets": [{ "uri": format!("sip:{}", kamailio.address()) }],
            "credentials": { "username": kamailio::USER, "password": kamailio::PASSWORD },
            "follow_redirects": true,
        });
        out.as_object_mut().unwrap().extend(outbound.as_object().unwrap().clone());
        let trunk = json!({
            "name": name, "profile": "kamailio", "numbers": { "country": "49" }, "relay": relay, "outbound": out,
        });
        self.gateway.post("/v1/trunks", &trunk)["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a trunk is up or down; why.
    #[track_caller]
    pub fn stands(&self, trunk: &str, up: bool, limit: Duration) -> Value {
        until(&format!("the trunk to be {}", if up { "up" } else { "down" }), limit, || {
            let state = self.gateway.get(&format!("/v1/trunks/{trunk}"))["state"].clone();
            (state["up"] == up).then_some(state)
        })
    }

    /// Anna's telephone, at the gateway; she may call out.
    pub fn anna(&self) -> Baresip {
        let made = self.gateway.post("/v1/extensions", &json!({ "user": "101", "name": "Anna", "password": PASSWORD }));
        let limits = json!({ "limits": { "calling": "allowed", "countries": ["49"] } });
        self.gateway.patch(&format!("/v1/extensions/{}", made["id"].as_str().unwrap()), &limits);
        let account = Account { user: "101", password: PASSWORD, registrar: self.gateway.sip(), transport: "udp" };
        let mut anna = baresip::Setup::tone(ANNA).account(account).start();
        anna.registered(s(15));
        anna
    }
}

/// Waits until both hear each other, and nobody else.
#[track_caller]
pub fn talk_to_each_other(tap: &Wiretap, anna: &Baresip, ben: &Phone) {
    until_clear(&[ANNA], || ben.heard());
    tap.hears("Anna", &anna.rtp_ports(), BEN, &[ANNA, BEN]);
}
