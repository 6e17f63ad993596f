//! What operators are given beside the program: the compose file and the service unit.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads files and stops where it cannot")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn docker_compose_accepts_the_compose_file() {
    for (program, words) in
        [("docker", &["compose", "config", "--quiet"][..]), ("docker-compose", &["config", "--quiet"])]
    {
        let knows = Command::new(program).args(&words[..words.len() - 2]).arg("version").output();
        if knows.is_ok_and(|output| output.status.success()) {
            let output = Command::new(program).args(words).current_dir(root()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return;
        }
    }
    eprintln!("neither docker compose nor docker-compose is installed: nothing to ask");
}

#[test]
fn the_service_unit_waits_longer_than_the_drain_limit_and_allows_enough_descriptors() {
    let unit = std::fs::read_to_string(root().join("packaging/ringlift.service")).unwrap();
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap().to_owned();
    let defaults = ringlift::config::Config::default();
    let waits = Duration::from_secs(value("TimeoutStopSec").trim_end_matches('s').parse().unwrap());
    assert!(waits > defaults.drain.limit.0, "{waits:?}");
    // Three sockets for a call, and as much again for connections, files and the database.
    let descriptors: u32 = value("LimitNOFILE").parse().unwrap();
    assert!(descriptors >= defaults.sip.max_calls * 3 * 2);
    for key in ["DynamicUser", "NoNewPrivileges"] {
        assert_eq!(value(key), "yes");
    }
    assert_eq!(value("KillSignal"), "SIGTERM");
    assert_eq!(value("StateDirectory"), "ringlift");
}
