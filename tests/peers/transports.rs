//! Calls over each transport and address family.

use crate::common::gateway::{self, NUMBER};
use crate::common::{baresip, linphone, ms, phone, s, talk, until_clear};

const ALL: &[f64] = &[440.0, 1000.0];

/// Two phones in a room, one calling as `uri` says, hear each other.
fn hear_each_other(gateway: gateway::Gateway, room: &str, mut anna: baresip::Baresip, uri: &str) {
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    anna.call(uri);
    gateway.has_in_room(room, 2, s(10));
    until_clear(&[440.0], || ben.heard());
    until_clear(&[1000.0], || anna.heard());
    talk(s(2));
    anna.hang_up();
    anna.closed(s(5));
    ben.hang_up();
    anna.heard().last(ms(1500)).between(s(0), s(1)).hears_exactly("Anna", &[1000.0], ALL);
    ben.heard().last(ms(2500)).between(s(0), s(1)).hears_exactly("Ben", &[440.0], ALL);
    gateway.done();
}

#[test]
fn a_call_over_tcp() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let uri = format!("sip:{NUMBER}@{};transport=tcp", gateway.sip());
    hear_each_other(gateway, &room, baresip::Setup::tone(440.0).start(), &uri);
}

#[test]
fn a_call_over_tls() {
    let (gateway, room) = gateway::Setup::new().tls().start_with_open_room();
    let uri = format!("sip:{NUMBER}@{};transport=tls", gateway.sips());
    hear_each_other(gateway, &room, baresip::Setup::tone(440.0).start(), &uri);
}

#[test]
fn a_call_over_ipv6() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    gateway.add_trunk("::1/128");
    let uri = format!("sip:{NUMBER}@{}", gateway.sip6());
    hear_each_other(gateway, &room, baresip::Setup::tone(440.0).ipv6().start(), &uri);
}

#[test]
fn a_phone_that_offers_an_ipv6_address_in_a_call_over_ipv4_is_heard_all_the_same() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut ben = phone::Setup::tone(1000.0).call(&gateway.uri());
    let mut anna = linphone::Setup::tone(440.0).dual_stack().start();
    anna.call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[440.0], || ben.heard());
    talk(s(4));
    anna.hang_up();
    ben.hang_up();
    anna.heard().last(ms(1500)).between(s(0), s(1)).hears_exactly("Anna", &[1000.0], ALL);
    gateway.done();
}

#[test]
fn our_own_phone_over_tcp_and_tls() {
    let (gateway, room) = gateway::Setup::new().tls().start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).with(&["--transport", "tcp"]).call(&gateway.uri());
    let uri = format!("sip:{NUMBER}@{}", gateway.sips());
    let mut ben = phone::Setup::tone(1000.0).with(&["--transport", "tls", "--insecure"]).call(&uri);
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[1000.0], || anna.heard());
    until_clear(&[440.0], || ben.heard());
    talk(s(1));
    anna.hang_up();
    ben.hang_up();
    anna.heard().last(ms(1200)).between(s(0), ms(900)).hears_exactly("Anna", &[1000.0], ALL);
    gateway.done();
}
