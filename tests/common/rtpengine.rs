//! rtpengine, which reads encrypted audio and makes it plain, and the other way round: Kamailio tells it what to do.

use std::process::Command;

use super::ports::Ports;
use super::process::{Folder, Process};
use super::s;

/// A running rtpengine.
pub struct Rtpengine {
    _process: Process,
    _folder: Folder,
    ports: Ports,
}

impl Rtpengine {
    /// Starts one on loopback, without the kernel's help.
    #[track_caller]
    pub fn start() -> Self {
        let (folder, ports) = (Folder::new("rtpengine"), Ports::block());
        let mut command = Command::new("rtpengine");
        command.args(["--config-file=none", "--foreground", "--log-stderr", "--table=-1", "--interface=127.0.0.1"]);
        command.arg(format!("--listen-ng=127.0.0.1:{}", ports.at(0)));
        command.args([format!("--port-min={}", ports.at(10)), format!("--port-max={}", ports.at(99))]);
        let mut process = Process::start("rtpengine", command.current_dir(folder.path()), folder.file("log"));
        process.printed("Startup complete", 1, s(15));
        Self { _process: process, _folder: folder, ports }
    }

    /// Where Kamailio tells it what to do.
    pub fn port(&self) -> u16 {
        self.ports.at(0)
    }
}
