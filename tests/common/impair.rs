//! A bad network: the test runs once more in a network namespace of its own, where `tests/peers/impair.py` spoils packets.

use std::path::Path;
use std::process::Command;

use super::process::{Folder, Process};
use super::s;

/// Set in the copy of the test that runs in the namespace.
const INSIDE: &str = "RINGLIFT_TEST_IN_NAMESPACE";

/// Runs the test of this full name again in a network namespace of its own and returns false; there it returns true.
/// Needs root, as the continuous integration is.
#[track_caller]
pub fn in_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        return true;
    }
    let output = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "in a network namespace (needs root): {said}");
    eprintln!("{said}");
    false
}

/// A network that loses, delays and reorders, until dropped.
pub struct BadNetwork {
    process: Process,
    _folder: Folder,
}

impl BadNetwork {
    /// Spoils what these words of impair.py say.
    pub fn new(words: &str) -> Self {
        let folder = Folder::new("impair");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/impair.py");
        let mut command = Command::new("python3");
        command.arg(script);
        let (words, quoted) = words.split_once("--match ").unwrap_or((words, "-p udp"));
        command.args(words.split_whitespace()).arg(format!("--match={quoted}"));
        let mut process = Process::start("impair.py", &mut command, folder.file("log"));
        process.printed("ready", 1, s(10));
        Self { process, _folder: folder }
    }

    /// Ends it; how many packets there were, how many were lost, how many overtook others.
    #[track_caller]
    pub fn ended(mut self) -> (u64, u64, u64) {
        self.process.signal("TERM");
        self.process.ended(s(5));
        let log = self.process.log();
        let counts: serde_json::Value =
            serde_json::from_str(log.lines().last().unwrap()).unwrap_or_else(|_| panic!("{log}"));
        let count = |name: &str| counts[name].as_u64().unwrap();
        (count("packets"), count("lost"), count("overtaken"))
    }
}
