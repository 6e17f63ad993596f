//! Tunnels that break.

use std::time::Instant;

use serde_json::json;

use crate::common::wiretap::Wiretap;
use crate::common::{ms, s, talk, until};
use crate::town::{Node, Town, talk_to_each_other};

#[test]
fn a_call_goes_on_over_a_tunnel_that_comes_back_and_a_phone_is_told_where_it_does_not() {
    let town = Town::new();
    let node = Node::start(&town);
    let kamailio = town.kamailio();
    let mut ben = town.ben();
    let (relay, secret) = node.make_relay(&town, "office");
    let trunk = node.trunk("office", &relay, &kamailio, json!({}));
    let mut process = node.relay(&town, &kamailio, &secret, 20);
    process.printed("connected", 1, s(15));
    node.stands(&trunk, true, s(20));
    let tap = Wiretap::on(&node.gateway);
    let mut anna = node.anna();
    anna.call(&format!("sip:+4989123456@{}", node.gateway.sip()));
    talk_to_each_other(&tap, &anna, &ben);

    town.tear();
    process.printed("the tunnel is gone", 1, s(10));
    town.mend();
    process.printed("connected", 2, s(10));
    node.stands(&trunk, true, s(10));
    talk(ms(1500));
    talk_to_each_other(&tap, &anna, &ben);
    assert_eq!(node.gateway.calls().len(), 2);

    // Now it does not come back. Both ends notice within six seconds, and hang up ten later.
    let cut = Instant::now();
    town.cut();
    ben.ended(s(25));
    let took = cut.elapsed();
    assert!(took > s(10) && took < s(25), "{took:?}");
    anna.closed(s(25));
    until("no call", s(10), || node.gateway.calls().is_empty().then_some(()));
    process.printed("the gateway did not come back", 1, s(5));
    // And when it does, the next call finds its way.
    town.mend();
    process.printed("connected", 3, s(40));
    node.stands(&trunk, true, s(20));
    let mut ben = town.ben();
    anna.call(&format!("sip:+4989123456@{}", node.gateway.sip()));
    talk_to_each_other(&tap, &anna, &ben);
    // The relay ends: the phone is told at once.
    process.signal("TERM");
    assert!(process.ended(s(10)).success());
    ben.ended(s(5));
    until("no call", s(5), || node.gateway.calls().is_empty().then_some(()));
    drop((anna, ben, kamailio));
    node.gateway.settles_within(s(40));
    node.gateway.done();
}
