//! Kamailio as what stands between us and the world: a carrier's edge, a call manager that redirects, a registrar.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::ports::Ports;
use super::process::{Folder, Process};
use super::rtpengine::Rtpengine;
use super::{s, until};

/// What the carrier and we know of each other.
pub const USER: &str = "ringlift-account";
/// The account's password.
pub const PASSWORD: &str = "carrier secret";

/// The password of each of its desk phones, whose users are 2000 to 2099.
pub const DESK_PASSWORD: &str = "at-the-desk";

/// How a Kamailio is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    next: String,
    algorithm: &'static str,
    min_expires: u32,
    rtpengine: Option<(u16, &'static str)>,
}

impl Setup {
    /// One that relays what is not for itself to `host:port`.
    pub fn towards(next: &str) -> Self {
        Self { next: next.to_owned(), algorithm: "MD5", min_expires: 60, rtpengine: None }
    }

    /// Asks for digests with SHA-256.
    pub fn sha256(self) -> Self {
        Self { algorithm: "SHA-256", ..self }
    }

    /// Refuses registrations shorter than this with 423.
    pub fn min_expires(self, min_expires: u32) -> Self {
        Self { min_expires, ..self }
    }

    /// Lets audio pass through this rtpengine, which offers it onwards as its flags say: `RTP/AVP` is plain.
    pub fn through(self, rtpengine: &Rtpengine, flags: &'static str) -> Self {
        Self { rtpengine: Some((rtpengine.port(), flags)), ..self }
    }

    /// Starts it on a port of its own.
    #[track_caller]
    pub fn start(self) -> Kamailio {
        let (folder, ports) = (Folder::new("kamailio"), Ports::block());
        let mut kamailio = Kamailio { setup: self, process: None, folder, ports };
        kamailio.run();
        kamailio
    }
}

/// A Kamailio, running or dead.
pub struct Kamailio {
    setup: Setup,
    process: Option<Process>,
    folder: Folder,
    ports: Ports,
}

impl Kamailio {
    /// `host:port` over UDP and TCP.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.at(0))
    }

    /// The port of its SIP.
    pub fn port(&self) -> u16 {
        self.ports.at(0)
    }

    /// Starts it, or starts it again.
    #[track_caller]
    pub fn run(&mut self) {
        let (port, flags) = self.setup.rtpengine.unwrap_or_default();
        let text = include_str!("../peers/kamailio.cfg")
            .replace("{{port}}", &self.ports.at(0).to_string())
            .replace("{{next}}", &self.setup.next)
            .replace("{{algorithm}}", self.setup.algorithm)
            .replace("{{min_expires}}", &self.setup.min_expires.to_string())
            .replace("{{rtpengine}}", &port.to_string())
            .replace("{{flags}}", flags)
            .replace("{{user}}", USER)
            .replace("{{password}}", PASSWORD)
            .replace("{{desk}}", DESK_PASSWORD);
        let config = self.folder.write("kamailio.cfg", &text);
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("kamailio");
        command.arg("-f").arg(config).args(["-DD", "-E", "-m", "64", "-M", "8", "-Y"]).arg(self.folder.path());
        if self.setup.rtpengine.is_some() {
            command.args(["-A", "WITH_RTPENGINE"]);
        }
        command.current_dir(self.folder.path()).env("PATH", path).process_group(0);
        self.process = Some(Process::start("kamailio", &mut command, self.folder.file("log")));
        let address = self.address();
        until("kamailio to listen", s(20), || {
            std::net::TcpStream::connect_timeout(&address.parse().unwrap(), Duration::from_millis(200)).ok()
        });
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // Its children too, which would answer on: they are a group of processes of their own.
        let _ = Command::new("kill").args(["-s", "KILL", "--", &format!("-{}", process.id())]).status();
        let _ = process.ended(s(5));
    }

    /// What it printed.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        self.kill();
    }
}
