//! Who is let in, and where a relay lets the gateway.

use serde_json::json;

use crate::common::{s, until};
use crate::town::{Node, Town};

#[test]
fn a_wrong_secret_a_second_relay_and_a_deleted_one_are_each_told_in_one_line() {
    let town = Town::new();
    let node = Node::start(&town);
    let kamailio = town.kamailio();
    let wrong = town.folder.write("wrong.secret", &format!("rlr_{}", "0".repeat(64)));
    let mut stranger = node.relay(&town, &kamailio, &wrong, 20);
    assert_eq!(stranger.ended(s(15)).code(), Some(2));
    let last = stranger.log().lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("ringlift: ") && last.contains("does not know this secret"), "{}", stranger.log());

    let (id, secret) = node.make_relay(&town, "office");
    let mut first = node.relay(&town, &kamailio, &secret, 20);
    first.printed("connected", 1, s(15));
    let mut second = node.relay(&town, &kamailio, &secret, 60);
    second.printed("connected", 1, s(15));
    assert_eq!(first.ended(s(10)).code(), Some(2));
    assert!(
        first.log().lines().last().unwrap_or_default().contains("another relay came with this secret"),
        "{}",
        first.log()
    );

    // A trunk needs it: it stays until that is gone.
    let trunk = node.trunk("office", &id, &kamailio, json!({}));
    assert_eq!(node.gateway.ask("DELETE", &format!("/v1/relays/{id}"), None).0, 409);
    node.gateway.delete(&format!("/v1/trunks/{trunk}"));
    let renewed = node.gateway.post(&format!("/v1/relays/{id}/secret"), &json!({}));
    assert_ne!(renewed["secret"].as_str().unwrap(), std::fs::read_to_string(&secret).unwrap());
    assert_eq!(second.ended(s(10)).code(), Some(2));
    until("the relay to be shown as gone", s(5), || {
        (node.gateway.get(&format!("/v1/relays/{id}"))["connected"] == false).then_some(())
    });
    assert!(!node.gateway.log().contains("rlr_"), "a secret is in the log");
    node.gateway.delete(&format!("/v1/relays/{id}"));
    drop(kamailio);
    node.gateway.done();
}

#[test]
fn a_gateway_whose_certificate_is_not_trusted_gets_no_secret() {
    let town = Town::new();
    let mut node = Node::start(&town);
    let kamailio = town.kamailio();
    let (_, secret) = node.make_relay(&town, "office");
    let stranger = rcgen::generate_simple_self_signed(["elsewhere".to_owned()]).unwrap();
    node.authority = town.folder.write("stranger.pem", &stranger.cert.pem());
    let mut relay = node.relay(&town, &kamailio, &secret, 20);
    relay.printed("its certificate is not accepted", 1, s(15));
    assert!(relay.runs(), "it tries again: certificates are renewed");
    drop((relay, kamailio));
    node.gateway.done();
}
