//! Callbacks to telephones of a call manager: Kamailio, with desk phones that are registered there, numbers that it redirects,
//! and numbers that it does not put through; with a relay, and without.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::audio::Recording;
use crate::common::baresip::{self, Account, Baresip};
use crate::common::gateway::NUMBER;
use crate::common::kamailio::{self, Kamailio};
use crate::common::page::Page;
use crate::common::phone::{self, Phone};
use crate::common::process::Process;
use crate::common::wiretap::Wiretap;
use crate::common::{ms, s, talk, until, until_clear};
use crate::town::{ANNA, BEN, Node, Town};

/// The voice of whoever answers where the carrier rings: no harmonic of it meets another.
const CARLA: f64 = 1500.0;
const ALL: &[f64] = &[ANNA, BEN, CARLA];

const GUESTS: &str = "482913";
const HOSTS: &str = "998877";

/// A number that the call manager redirects to another one; after which it asks who we are.
const REDIRECTED: &str = "+4930777123";
/// Numbers for which it answers 503, 608, and with whoever waits where it sends all else.
const UNAVAILABLE: &str = "+4930700503";
const BLOCKED: &str = "+4930700608";
const VOICEMAIL: &str = "+4930700111";

/// A meeting with Anna in it, who listens.
struct Meeting {
    room: String,
    anna: Baresip,
    tap: Wiretap,
}

impl Meeting {
    fn at(node: &Node) -> Self {
        let gateway = &node.gateway;
        let settings = json!({
            "name": "Team", "pin": GUESTS, "host_pin": HOSTS, "first_caller": "start", "tones_up_to": 0,
        });
        let room = gateway.add_room(settings);
        gateway.add_number(NUMBER, &room);
        let tap = Wiretap::on(gateway);
        let mut anna = node.anna();
        anna.call(&gateway.uri());
        gateway.has_in_room(&room, 1, s(15));
        Self { room, anna, tap }
    }

    /// A telephone is called back, for somebody new.
    fn calls_back(&self, node: &Node, number: &str) -> String {
        let asked = json!({ "number": number, "name": "Ben" });
        let view = node.gateway.post(&format!("/v1/rooms/{}/callbacks", self.room), &asked);
        view["id"].as_str().unwrap().to_owned()
    }

    /// Anna hears this voice, and nobody else.
    #[track_caller]
    fn anna_hears(&self, voice: f64) {
        self.tap.hears("Anna", &self.anna.rtp_ports(), voice, ALL);
    }

    /// Nobody but Anna is there, and she has heard none of them since then.
    #[track_caller]
    fn anna_is_alone(&self, node: &Node, since: Instant) {
        assert_eq!(node.gateway.participants(&self.room).len(), 1);
        let heard = self.tap.heard(&self.anna.rtp_ports(), since);
        for voice in [BEN, CARLA] {
            assert!(!speaks(&heard, voice), "Anna heard {voice} Hz");
        }
    }

    /// All hang up, and nothing is left.
    fn ends(mut self, node: Node) {
        self.anna.hang_up();
        until("no call", s(10), || node.gateway.calls().is_empty().then_some(()));
        drop(self);
        node.gateway.done();
    }
}

/// Waits until a callback stands there.
#[track_caller]
fn stands(node: &Node, callback: &str, state: &str) -> Value {
    let mut last = Value::Null;
    let begun = Instant::now();
    loop {
        last =
            if last["state"] == state { return last } else { node.gateway.get(&format!("/v1/callbacks/{callback}")) };
        assert!(begun.elapsed() < s(25), "the callback does not come to be {state}: {last}\n{}", node.gateway.log());
        talk(ms(20));
    }
}

/// What the log tells of a callback, in order.
fn steps(node: &Node, callback: &str, last: &str) -> Vec<String> {
    let events = node.gateway.events(0, last).into_iter().filter(|event| event["callback"] == callback);
    events.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// A call manager here, which sends what is not for itself to `next`; with a trunk to it.
fn manager(node: &Node, next: &str, relay: Option<(&str, &Kamailio)>) -> Option<Kamailio> {
    let own = relay.is_none().then(|| kamailio::Setup::towards(next).start());
    let address = relay.map(|(_, there)| there).or(own.as_ref()).unwrap().address();
    let mut trunk = json!({
        "name": "Call manager", "profile": "kamailio", "numbers": { "country": "49" },
        "outbound": {
            "targets": [{ "uri": format!("sip:{address}") }],
            "credentials": { "username": kamailio::USER, "password": kamailio::PASSWORD },
            "follow_redirects": true,
        },
        "callback": { "numbers": ["20", "+4930777", "+4930700"] },
    });
    if let Some((relay, _)) = relay {
        trunk["relay"] = json!(relay);
    }
    let made = node.gateway.post("/v1/trunks", &trunk);
    if relay.is_some() {
        node.stands(made["id"].as_str().unwrap(), true, s(20));
    }
    own
}

/// A desk phone of the call manager's, registered there; it rings where it is not to answer by itself.
fn desk(user: &'static str, kamailio: &Kamailio, rings: bool) -> Baresip {
    let account = Account { user, password: kamailio::DESK_PASSWORD, registrar: kamailio.address(), transport: "udp" };
    let setup = baresip::Setup::tone(BEN).account(account);
    let mut desk = if rings { setup.ringing() } else { setup }.start();
    desk.registered(s(15));
    desk
}

/// A telephone that answers one call there.
fn waits(at: &str, voice: f64) -> Phone {
    let mut phone = phone::Setup::tone(voice).with(&["--listen", at]).wait();
    phone.tells("listening", s(10));
    phone
}

/// How long a desk phone rings after its callback was cancelled: from the wish until the telephone knows.
fn rings_on(desk: &mut Baresip, cancel: impl FnOnce()) -> Duration {
    let began = Instant::now();
    cancel();
    desk.closed(s(10));
    began.elapsed()
}

#[test]
fn a_desk_phone_of_a_call_manager_joins_by_its_registration_and_another_by_a_redirection() {
    let town = Town::new();
    let node = Node::start(&town);
    let next = format!("127.0.0.1:{}", town.ports.at(1));
    let kamailio = manager(&node, &next, None).unwrap();
    let meeting = Meeting::at(&node);

    let mut ben = desk("2001", &kamailio, false);
    let began = Instant::now();
    let callback = meeting.calls_back(&node, "2001");
    stands(&node, &callback, "accepted");
    talk(ms(700));
    meeting.anna_is_alone(&node, began);
    ben.key("1");
    stands(&node, &callback, "success");
    meeting.anna_hears(BEN);
    until_clear(&[ANNA], || ben.heard());
    ben.hang_up();
    node.gateway.has_in_room(&meeting.room, 1, s(10));
    let told = steps(&node, &callback, "callback.succeeded");
    assert_eq!(told.last().map(String::as_str), Some("callback.succeeded"), "{told:?}");
    assert_eq!(told.first().map(String::as_str), Some("callback.calling"), "{told:?}");

    let mut carla = waits(&next, CARLA);
    let callback = meeting.calls_back(&node, REDIRECTED);
    carla.answered();
    stands(&node, &callback, "accepted");
    carla.key("1");
    stands(&node, &callback, "success");
    meeting.anna_hears(CARLA);
    until_clear(&[ANNA], || carla.heard());
    assert!(carla.hang_up().success());
    drop((ben, kamailio));
    meeting.ends(node);
}

#[test]
fn a_page_has_the_desk_phone_behind_a_firewall_called_and_stops_its_ringing_at_once() {
    let town = Town::new();
    let node = Node::start(&town);
    let kamailio = town.kamailio();
    let (relay, secret) = node.make_relay(&town, "office");
    let mut process = node.relay(&town, &kamailio, &secret, 20);
    process.printed("connected", 1, s(15));
    manager(&node, "", Some((&relay, &kamailio)));
    town.is_closed();
    let meeting = Meeting::at(&node);
    let mut page = Page::joins(&node.gateway, GUESTS, "Ben");

    let mut ben = town.there(|| desk("2001", &kamailio, false));
    page.calls_me("2001");
    page.callback("accepted");
    talk(ms(300));
    ben.key("1");
    page.callback("success");
    meeting.anna_hears(BEN);
    until_clear(&[ANNA], || ben.heard());
    assert_eq!(node.gateway.participants(&meeting.room).len(), 2, "it is one person with one place");
    ben.hang_up();

    // Rung again, and not wanted any more: by the page, and by a program.
    let mut desk = town.there(|| desk("2002", &kamailio, true));
    let mut took = Vec::new();
    for by_page in [true, false] {
        page.calls_me("2002");
        let callback = page.callback("ringing")["id"].as_str().unwrap().to_owned();
        desk.incoming(s(10));
        took.push(rings_on(&mut desk, || {
            if by_page {
                page.says(json!({ "type": "call_me_cancel" }));
            } else {
                node.gateway.delete(&format!("/v1/callbacks/{callback}"));
            }
        }));
        page.callback("canceled");
        desk.forgets();
    }
    eprintln!("the telephone rang on for {took:?}");
    assert!(took.iter().min().unwrap() <= &ms(200), "it rang on for {took:?}");
    page.leaves();
    drop((ben, desk, process, kamailio));
    meeting.ends(node);
}

#[test]
fn the_carrier_rings_after_503_and_not_after_608_and_what_never_presses_the_key_stays_out() {
    let town = Town::new();
    let node = Node::start(&town);
    let (next, outside) = (format!("127.0.0.1:{}", town.ports.at(1)), format!("127.0.0.1:{}", town.ports.at(2)));
    let kamailio = manager(&node, &next, None).unwrap();
    node.gateway.post(
        "/v1/trunks",
        &json!({
            "name": "Carrier", "profile": "generic", "numbers": { "country": "49" },
            "outbound": { "targets": [{ "uri": format!("sip:{outside}") }] },
        }),
    );
    let meeting = Meeting::at(&node);

    // Blocked is blocked: whoever would answer outside is not rung.
    let mut carla = waits(&outside, CARLA);
    let callback = meeting.calls_back(&node, BLOCKED);
    assert_eq!(stands(&node, &callback, "failed")["failure"], "blocked");
    talk(ms(1500));
    assert!(!carla.told().iter().any(|told| told["what"] == "called"), "the carrier rang:\n{}", carla.log());
    let told = steps(&node, &callback, "callback.failed");
    assert_eq!(told, ["callback.calling", "callback.failed"]);

    // What cannot be put through is.
    let callback = meeting.calls_back(&node, UNAVAILABLE);
    carla.answered();
    stands(&node, &callback, "accepted");
    carla.key("1");
    stands(&node, &callback, "success");
    meeting.anna_hears(CARLA);
    until_clear(&[ANNA], || carla.heard());
    assert!(carla.hang_up().success());
    node.gateway.has_in_room(&meeting.room, 1, s(10));
    let tried = kamailio_answered(&meeting.tap, &kamailio, "503");
    assert_eq!(tried, 1, "the call manager was asked once");

    // A voicemail picks up, speaks, and is never heard.
    let mut voicemail = waits(&next, BEN);
    let began = Instant::now();
    let callback = meeting.calls_back(&node, VOICEMAIL);
    voicemail.answered();
    assert_eq!(stands(&node, &callback, "failed")["failure"], "voicemail");
    voicemail.ended(s(5));
    meeting.anna_is_alone(&node, began);
    let heard = voicemail.heard();
    assert!(heard.is_audible(), "it is told what the call is");
    assert!(!speaks(&heard, ANNA), "and hears nothing of the meeting");
    drop((carla, kamailio));
    meeting.ends(node);
}

/// Whether a voice is in it, for more than half a second without a break: what prompts say has something of every tone, but
/// never for long.
fn speaks(heard: &Recording, voice: f64) -> bool {
    heard.course(voice).split(|level| *level < -30.0).any(|held| held.len() > 50)
}

/// How many calls the call manager answered with this.
fn kamailio_answered(tap: &Wiretap, kamailio: &Kamailio, status: &str) -> usize {
    let answers = tap.messages(kamailio.port(), Instant::now().checked_sub(s(100)).unwrap());
    let line = format!("SIP/2.0 {status}");
    let calls = answers.iter().filter(|answer| answer.text.starts_with(&line)).map(|answer| answer.header("Call-ID"));
    calls.collect::<std::collections::BTreeSet<_>>().len()
}

/// A telephone that is a whole call manager: it answers at this address, in a customer's network; and a trunk to it by a relay
/// there, for callbacks to numbers that begin so.
fn office(node: &Node, town: &Town, name: &str, at: (&str, &str), voice: f64, begins: &str) -> (Phone, Process) {
    let (host, network) = at;
    let manager = format!("{host}:6060");
    let phone = town.there(|| waits(&manager, voice));
    let (relay, secret) = node.make_relay(town, name);
    let address = host.trim_matches(['[', ']']);
    let mut process = node.relay_at(town, &secret, (&manager, address, network), (5060, 20_000));
    process.printed("connected", 1, s(15));
    let trunk = json!({
        "name": name, "profile": "kamailio", "numbers": { "country": "49" }, "relay": relay,
        "outbound": { "targets": [{ "uri": format!("sip:{manager}") }] }, "callback": { "numbers": [begins] },
    });
    let trunk = node.gateway.post("/v1/trunks", &trunk);
    node.stands(trunk["id"].as_str().unwrap(), true, s(20));
    (phone, process)
}

/// It is called back, presses the key, and Anna hears it.
fn joins(node: &Node, meeting: &Meeting, number: &str, phone: &mut Phone) {
    let callback = meeting.calls_back(node, number);
    phone.answered();
    stands(node, &callback, "accepted");
    phone.key("1");
    stands(node, &callback, "success");
}

#[test]
fn two_customers_with_the_same_addresses_are_not_mistaken_for_each_other() {
    let (one, two) = (Town::new(), Town::new());
    let node = Node::start(&one);
    two.inside(&format!("ip route add {} via {}", one.node, two.node));
    let meeting = Meeting::at(&node);
    // The same host, the same ports, in two networks.
    let here = ("127.0.0.1", "127.0.0.0/8");
    let (mut ben, first) = office(&node, &one, "one", here, BEN, "20");
    let (mut carla, second) = office(&node, &two, "two", here, CARLA, "30");
    joins(&node, &meeting, "2001", &mut ben);
    meeting.anna_hears(BEN);
    joins(&node, &meeting, "3001", &mut carla);
    until_clear(&[ANNA, CARLA], || ben.heard().last(ms(500)));
    until_clear(&[ANNA, BEN], || carla.heard().last(ms(500)));
    // What is told by one is not done at the other.
    assert!(ben.hang_up().success());
    node.gateway.has_in_room(&meeting.room, 2, s(10));
    meeting.anna_hears(CARLA);
    first.signal("TERM");
    talk(ms(500));
    meeting.anna_hears(CARLA);
    assert!(carla.hang_up().success());
    let events = node.gateway.events(0, "relay.disconnected");
    let told = |what: &str| events.iter().filter(|event| event["type"] == what).count();
    assert_eq!((told("relay.connected"), told("relay.disconnected")), (2, 1));
    drop((first, second));
    meeting.ends(node);
}

#[test]
fn a_customers_network_may_be_one_of_ipv6() {
    let town = Town::new();
    let node = Node::start(&town);
    let meeting = Meeting::at(&node);
    let (mut ben, process) = office(&node, &town, "six", ("[::1]", "::1/128"), BEN, "20");
    joins(&node, &meeting, "2001", &mut ben);
    meeting.anna_hears(BEN);
    until_clear(&[ANNA], || ben.heard());
    assert!(ben.hang_up().success());
    drop(process);
    meeting.ends(node);
}
