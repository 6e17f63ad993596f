//! Calls through a relay.

use std::time::Instant;

use serde_json::json;

use crate::common::wiretap::Wiretap;
use crate::common::{baresip, kamailio, ms, s, talk, until, until_clear};
use crate::town::{ANNA, BEN, Node, Town, talk_to_each_other};

#[test]
fn a_desk_phone_behind_a_firewall_is_called_and_both_hear_each_other() {
    let town = Town::new();
    let node = Node::start(&town);
    let kamailio = town.kamailio();
    let (relay, secret) = node.make_relay(&town, "office");
    let trunk = node.trunk("office", &relay, &kamailio, json!({}));
    let state = node.stands(&trunk, false, s(5));
    assert_eq!(state["why"], "its relay is not connected");
    let mut process = node.relay(&town, &kamailio, &secret, 20);
    process.printed("connected", 1, s(15));
    node.stands(&trunk, true, s(20));
    let shown = node.gateway.get(&format!("/v1/relays/{relay}"));
    assert_eq!((&shown["connected"], &shown["state"]["calls"]), (&json!(true), &json!(10)), "{shown}");
    town.is_closed();

    let tap = Wiretap::on(&node.gateway);
    let mut anna = node.anna();
    // As the call manager knows him; by a number that it redirects, after which it asks who we are.
    for number in ["+4989123456", "+4930777123"] {
        let mut ben = town.ben();
        let to = format!("sip:{number}@{}", node.gateway.sip());
        anna.call(&to);
        talk_to_each_other(&tap, &anna, &ben);
        let in_use = node.gateway.get(&format!("/v1/relays/{relay}"))["state"]["in_use"].clone();
        assert_eq!(in_use, 1);
        anna.hang_up();
        ben.ended(s(10));
        until("no call", s(10), || node.gateway.calls().is_empty().then_some(()));
    }
    assert!(!process.log().contains("rlr_"), "the secret is in the log");
    drop((anna, kamailio));
    process.signal("TERM");
    assert!(process.ended(s(10)).success());
    node.stands(&trunk, false, s(5));
    node.gateway.done();
}

#[test]
fn the_gateway_registers_with_the_call_manager_as_a_telephone_and_is_called_by_it() {
    let town = Town::new();
    let node = Node::start(&town);
    let kamailio = town.kamailio();
    let (relay, secret) = node.make_relay(&town, "office");
    let aor = format!("sip:{}@{}", kamailio::USER, kamailio.address());
    let trunk = node.trunk("office", &relay, &kamailio, json!({ "register": { "aor": aor, "expires": 90 } }));
    let mut process = node.relay(&town, &kamailio, &secret, 20);
    process.printed("connected", 1, s(15));
    let state = node.stands(&trunk, true, s(20));
    assert_eq!(state["registration"], "registered", "{state}");
    let tap = Wiretap::on(&node.gateway);
    let anna = node.anna();
    let id = node.gateway.get("/v1/extensions")["items"][0]["id"].clone();
    let then = json!({ "to": "extension", "extension": id });
    node.gateway.post("/v1/rules", &json!({ "name": "Office", "when": { "sources": ["trunk"] }, "then": then }));
    let mut ben = town.there(|| baresip::Setup::tone(BEN).start());
    let called = Instant::now();
    ben.call(&aor);
    assert!(called.elapsed() < s(5));
    until_clear(&[ANNA], || ben.heard());
    tap.hears("Anna", &anna.rtp_ports(), BEN, &[ANNA, BEN]);
    talk(ms(500));
    ben.hang_up();
    until("no call", s(10), || node.gateway.calls().is_empty().then_some(()));
    drop((anna, ben, kamailio, process));
    node.stands(&trunk, false, s(5));
    node.gateway.done();
}
