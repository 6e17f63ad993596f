//! SIPp, playing the scenarios of `tests/peers/sipp`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::ports::Ports;
use super::process::{Folder, Process};

/// How SIPp is to call.
#[derive(Debug, Clone)]
pub struct Setup {
    scenario: PathBuf,
    remote: String,
    service: String,
    address: IpAddr,
    calls: u32,
    rate: u32,
    at_once: u32,
    words: Vec<String>,
    port: Option<u16>,
    built_in: bool,
}

impl Setup {
    /// Plays this scenario of `tests/peers/sipp` once towards `host:port`.
    pub fn new(scenario: &str, remote: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sipp");
        Self::of(folder.join(scenario).with_extension("xml"), remote)
    }

    /// Plays the scenario in this file once towards `host:port`.
    pub fn of(scenario: PathBuf, remote: &str) -> Self {
        Self {
            scenario,
            remote: remote.to_owned(),
            service: "+4930901820".to_owned(),
            address: IpAddr::from([127, 0, 0, 1]),
            calls: 1,
            rate: 10,
            at_once: 10,
            words: Vec::new(),
            port: None,
            built_in: false,
        }
    }

    /// Dials this.
    pub fn to(self, service: &str) -> Self {
        Self { service: service.to_owned(), ..self }
    }

    /// From this address of loopback.
    pub fn from(self, address: [u8; 4]) -> Self {
        Self { address: address.into(), ..self }
    }

    /// So many calls, this many a second, no more than that at once.
    pub fn calls(self, calls: u32, rate: u32, at_once: u32) -> Self {
        Self { calls, rate, at_once, ..self }
    }

    /// One of SIPp's own scenarios, by its name.
    pub fn built_in(self) -> Self {
        Self { built_in: true, ..self }
    }

    /// On this port, with audio on the seven above, rather than on a block of its own.
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// With these words more.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Begins.
    pub fn start(self) -> Sipp {
        let (folder, ports) = (Folder::new("sipp"), self.port.is_none().then(Ports::block));
        let (port, audio) = match (self.port, &ports) {
            (Some(port), _) => (port, port + 2),
            (None, ports) => ports.as_ref().map(|ports| (ports.at(0), ports.at(10))).unwrap(),
        };
        let mut command = Command::new("sipp");
        let how = if self.built_in { "-sn" } else { "-sf" };
        command.arg(&self.remote).arg(how).arg(&self.scenario).args(["-s", &self.service]);
        command.args(["-i", &self.address.to_string(), "-p", &port.to_string()]);
        command.args(["-mi", &self.address.to_string(), "-mp", &audio.to_string()]);
        command.args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string(), "-l", &self.at_once.to_string()]);
        command.args(["-nostdin", "-trace_err", "-trace_msg", "-timeout", "100", "-timeout_error"]);
        command.args(&self.words).current_dir(folder.path()).env("TERM", "dumb");
        let process = Process::start("sipp", &mut command, folder.file("log"));
        Sipp { process, folder, port, _ports: ports }
    }

    /// Plays to the end, which must be a success.
    #[track_caller]
    pub fn play(self, limit: Duration) -> String {
        let mut sipp = self.start();
        sipp.succeeds(limit);
        sipp.messages()
    }
}

/// A running SIPp.
pub struct Sipp {
    process: Process,
    folder: Folder,
    port: u16,
    _ports: Option<Ports>,
}

impl Sipp {
    /// Where it is called.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for its end, which must be a success of every call.
    #[track_caller]
    pub fn succeeds(&mut self, limit: Duration) {
        let status = self.process.ended(limit);
        assert!(status.success(), "sipp {status}\n{}\n{}", head(&self.errors(), 4000), tail(&self.messages(), 6000));
    }

    /// Every message that was sent and received.
    pub fn messages(&self) -> String {
        self.file("_messages.log")
    }

    fn errors(&self) -> String {
        self.file("_errors.log")
    }

    fn file(&self, ending: &str) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let found = files.filter(|path| path.to_string_lossy().ends_with(ending));
        found.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()).collect()
    }
}

fn head(text: &str, characters: usize) -> &str {
    &text[..text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at)]
}

fn tail(text: &str, characters: usize) -> &str {
    &text[text.char_indices().rev().nth(characters).map_or(0, |(at, _)| at)..]
}
