//! Bad networks, other networks and relays: the whole program, the page as people have it, and real browsers, one of them
//! behind a network of its own.
//!
//! ```text
//! this test's namespace: the program, coturn, Bruno ── far0 ══ near0 ── Anna's namespace: her browser alone
//!                                        10.99.0.1             10.99.0.2, later 10.99.0.3
//! ```

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::gateway::{Gateway, Setup};
use crate::common::impair::{BadNetwork, in_own_network};
use crate::common::process::{Folder, Process};
use crate::common::s;
use crate::play;
use crate::stage::{Wires, chromium};

const NODE: &str = "10.99.0.1";
const ANNA: &str = "10.99.0.2";
const ANNA_ELSEWHERE: &str = "10.99.0.3";
const RELAY: u16 = 3478;
const SECRET: &str = "what both know";

fn run(words: &str) {
    let mut words = words.split_whitespace();
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{status}");
}

/// Two networks, and browsers in each.
struct Town {
    anna: Process,
    folder: Folder,
}

impl Town {
    fn new() -> Self {
        let folder = Folder::new("town");
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo here; exec sleep 600"]);
        let mut anna = Process::start("another network", &mut command, folder.file("anna.log"));
        anna.printed("here", 1, s(10));
        run(&format!("ip link add far0 type veth peer name near0 netns {}", anna.id()));
        run(&format!("ip addr add {NODE}/24 dev far0"));
        run("ip link set far0 up");
        let town = Self { anna, folder };
        for words in ["link set lo up", "link set near0 up", &format!("addr add {ANNA}/24 dev near0")] {
            run(&town.of_anna(&format!("ip {words}")));
        }
        town
    }

    /// A command as it is run in Anna's network.
    fn of_anna(&self, words: &str) -> String {
        format!("nsenter --target {} --net -- {words}", self.anna.id())
    }

    /// Chromium in Anna's network, as a command of one word.
    fn browser_of_anna(&self) -> PathBuf {
        let chromium = chromium();
        let path = self
            .folder
            .write("chromium", &format!("#!/bin/sh\nexec {} \"$@\"\n", self.of_anna(chromium.to_str().unwrap())));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Anna and Bruno come into the room, and what the scenario says comes about.
    fn play(&self, gateway: &Gateway, scenario: &str) -> Value {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = format!("http://{NODE}:{}/m/1234", gateway.api().port());
        let moves = [
            format!("ip addr add {ANNA_ELSEWHERE}/24 dev near0"),
            "sysctl -qw net.ipv4.conf.near0.promote_secondaries=1".to_owned(),
            format!("ip addr del {ANNA}/24 dev near0"),
        ];
        let town = json!({
            "page": page,
            "elsewhere": ANNA_ELSEWHERE,
            "folder": self.folder.path(),
            "browsers": { "Anna": self.browser_of_anna(), "Bruno": chromium() },
            "move": moves.map(|words| self.of_anna(&words)),
        });
        let output = Command::new("node")
            .arg(here.join("tests/browsers/town.mjs"))
            .arg(here.join("web/node_modules/playwright-core"))
            .args([scenario, &town.to_string()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let outcome: Value = serde_json::from_str(said.trim())
            .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(outcome["ok"], true, "{outcome:#}\n{}", gateway.log());
        eprintln!("{outcome}");
        outcome["seen"].clone()
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // Its other end goes with it, at once: the next town has one of the same name.
        let _ = Command::new("ip").args(["link", "del", "far0"]).status();
    }
}

/// A TURN server that knows [`SECRET`].
fn relay(folder: &Folder) -> Process {
    let mut command = Command::new("turnserver");
    command
        .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", "--verbose", "--realm=ringlift"])
        .args([&format!("--listening-ip={NODE}"), &format!("--relay-ip={NODE}"), &format!("--listening-port={RELAY}")])
        .args(["--min-port=40000", "--max-port=40099", "--use-auth-secret", &format!("--static-auth-secret={SECRET}")])
        .arg(format!("--userdb={}", folder.file("turn.db").display()))
        .arg(format!("--pidfile={}", folder.file("turn.pid").display()));
    let mut relay = Process::start("turnserver", &mut command, folder.file("turn.log"));
    relay.printed("listener opened on", 1, s(10));
    relay
}

fn gateway(setup: Setup) -> (Gateway, String) {
    setup.browsers_at(NODE).start_with_room()
}

/// Whatever Anna sends to the program's port for browsers is lost, over either wire.
fn wall(gateway: &Gateway) {
    for wire in ["udp", "tcp"] {
        run(&format!("iptables -w -A INPUT -i far0 -p {wire} --dport {} -j DROP", gateway.web().port()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_packet_in_twenty_is_lost_voices_stay_whole_and_pictures_go_on() {
    if !in_own_network("network::where_one_packet_in_twenty_is_lost_voices_stay_whole_and_pictures_go_on") {
        return;
    }
    let network = BadNetwork::new("--loss 5");
    let seen = play("lossy", Wires::Udp).await;
    let (packets, lost, _) = network.ended();
    eprintln!("{lost} of {packets} packets were lost: {seen}");
    assert!(lost > packets / 40, "the network was good: {lost} of {packets}");
}

#[test]
fn who_changes_networks_is_back_in_the_same_place_within_three_seconds() {
    if !in_own_network("network::who_changes_networks_is_back_in_the_same_place_within_three_seconds") {
        return;
    }
    // What the machine has to do besides counts as well: once of three times is enough.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let town = Town::new();
        let (gateway, room) = gateway(Setup::new());
        let seen = town.play(&gateway, "change_networks");
        let there: Vec<String> =
            gateway.participants(&room).iter().map(|person| person["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(seen["places"], json!([seen["place"]]), "Anna had one place all the time: {seen}");
        assert!(there.contains(&seen["place"].as_str().unwrap().to_owned()) || there.is_empty(), "{there:?} {seen}");
        if ["annas_voice_away_ms", "brunos_voice_away_ms"].iter().all(|gap| seen[gap].as_f64().unwrap() < 3000.0) {
            return;
        }
        slow.push(seen);
    }
    panic!("{slow:#?}");
}

#[test]
fn where_nothing_but_a_relay_gets_through_people_hear_and_see_each_other_by_it() {
    if !in_own_network("network::where_nothing_but_a_relay_gets_through_people_hear_and_see_each_other_by_it") {
        return;
    }
    let town = Town::new();
    let _relay = relay(&town.folder);
    let servers = format!("turn_urls = [\"turn:{NODE}:{RELAY}\"]");
    let (gateway, _) = gateway(Setup::new().with("web", &servers).with("web", &format!("turn_secret = {SECRET:?}")));
    wall(&gateway);
    let seen = town.play(&gateway, "meet_by_relay");
    assert_eq!(seen["way"]["candidateType"], "relay", "{seen}");
}

#[test]
fn where_the_relay_does_not_know_our_secret_the_page_says_that_it_refused() {
    if !in_own_network("network::where_the_relay_does_not_know_our_secret_the_page_says_that_it_refused") {
        return;
    }
    let town = Town::new();
    let relay = relay(&town.folder);
    let servers = format!("turn_urls = [\"turn:{NODE}:{RELAY}\"]");
    let (gateway, _) = gateway(Setup::new().with("web", &servers).with("web", "turn_secret = \"another\""));
    wall(&gateway);
    let seen = town.play(&gateway, "be_refused");
    assert!(seen["words"].as_str().unwrap().contains("relay"), "{seen}");
    assert!(relay.log().contains("Unauthorized"), "{}", relay.log());
}
