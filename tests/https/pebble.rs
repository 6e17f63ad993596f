//! A real authority (RFC 8555) on loopback: pebble, and the nameserver that comes with it, by which every name is here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::common::ports::Ports;
use crate::common::process::{Folder, Process};
use crate::common::until;

/// How it is to be.
pub struct Manner {
    /// How long what it signs is good for.
    pub life: Duration,
    /// Of a hundred good nonces it refuses so many.
    pub nonces_refused: u8,
    /// How long it takes to look.
    pub looks_after: u8,
    /// The ports that it looks at instead of 80 and 443.
    pub looks_at: (u16, u16),
}

/// A running authority.
pub struct Authority {
    process: Process,
    _names: Process,
    folder: Folder,
    ports: Ports,
}

impl Authority {
    pub fn start(manner: &Manner) -> Self {
        let (folder, ports) = (Folder::new("pebble"), Ports::block());
        // The certificate of its own door, which its clients have to be told to trust.
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        folder.write("door.pem", &made.cert.pem());
        folder.write("door.key", &made.signing_key.serialize_pem());
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", ports.at(0)),
            "managementListenAddress": format!("127.0.0.1:{}", ports.at(1)),
            "certificate": folder.file("door.pem"), "privateKey": folder.file("door.key"),
            "httpPort": manner.looks_at.0, "tlsPort": manner.looks_at.1,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
            "certificateValidityPeriod": manner.life.as_secs(),
        }});
        folder.write("pebble.json", &config.to_string());
        let port = |place| format!("127.0.0.1:{}", ports.at(place));
        let mut names = Command::new("pebble-challtestsrv");
        names.args(["-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""]);
        names.args(["-dns01", &port(2), "-management", &port(3)]);
        let names = Process::start("pebble-challtestsrv", &mut names, folder.file("names.log"));
        let mut command = Command::new("pebble");
        command.args(["-strict", "-config"]).arg(folder.file("pebble.json")).args(["-dnsserver", &port(2)]);
        command.env("PEBBLE_WFE_NONCEREJECT", manner.nonces_refused.to_string());
        match manner.looks_after {
            0 => command.env("PEBBLE_VA_NOSLEEP", "1"),
            seconds => command.env("PEBBLE_VA_SLEEPTIME", seconds.to_string()),
        };
        let mut process = Process::start("pebble", &mut command, folder.file("pebble.log"));
        process.printed("Listening on:", 1, Duration::from_secs(10));
        Self { process, _names: names, folder, ports }
    }

    /// What a node writes into its configuration to be signed for by it.
    pub fn acme(&self, domains: &[&str], challenge: &str) -> String {
        format!(
            "tls = {{ acme = {{ domains = {domains:?}, directory = \"https://localhost:{}/dir\", contact = \"ops@example.org\", \
             challenge = \"{challenge}\", authorities = {:?} }} }}",
            self.ports.at(0),
            self.folder.file("door.pem"),
        )
    }

    /// The root that browsers would trust.
    pub fn root(&self) -> PathBuf {
        let door = std::fs::read(self.folder.file("door.pem")).unwrap();
        let url = format!("https://localhost:{}/roots/0", self.ports.at(1));
        let path = self.folder.file("root.pem");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let pem = runtime.block_on(async {
            let trusted = reqwest::Certificate::from_pem_bundle(&door).unwrap();
            let client = reqwest::Client::builder().tls_certs_only(trusted).no_proxy().build().unwrap();
            client.get(url).send().await.unwrap().text().await.unwrap()
        });
        std::fs::write(&path, pem).unwrap();
        path
    }

    /// Waits until it has done this so often.
    #[track_caller]
    pub fn has(&mut self, done: &str, times: usize, limit: Duration) {
        self.process.printed(done, times, limit);
    }

    /// What it did.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Waits until the program's log has this.
#[track_caller]
pub fn logged(log: impl Fn() -> String, text: &str, limit: Duration) -> String {
    until(&format!("the log to say {text:?}"), limit, || {
        log().lines().find(|line| line.contains(text)).map(String::from)
    })
}

/// The permissions of a file.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}
