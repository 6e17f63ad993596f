//! Telephones of other people's making register with the gateway, and the gateway registers with somebody else's registrar.

use serde_json::{Value, json};

use crate::common::baresip::{self, Account};
use crate::common::gateway::{self, Gateway};
use crate::common::kamailio;
use crate::common::{linphone, s, until};

/// Of every telephone here.
pub const PASSWORD: &str = "a-good-password";

/// Makes somebody of the house, by what others dial.
pub fn add_extension(gateway: &Gateway, user: &str) -> String {
    let made = gateway.post("/v1/extensions", &json!({ "user": user, "name": user, "password": PASSWORD }));
    made["id"].as_str().unwrap().to_owned()
}

/// A telephone's account.
pub fn account(gateway: &Gateway, user: &'static str, transport: &'static str) -> Account {
    let registrar = if transport == "tls" { gateway.sips() } else { gateway.sip() };
    Account { user, password: PASSWORD, registrar, transport }
}

/// Waits until a telephone has come, and says what is told of it.
#[track_caller]
fn registered(gateway: &Gateway) -> Value {
    let (_, told) = event(gateway, 0, "extension.registered");
    assert_eq!(gateway.status()["registrations"], 1);
    told
}

/// Waits for the next event of this type after a place in the log, and says its place.
#[track_caller]
pub fn event(gateway: &Gateway, after: u64, kind: &str) -> (u64, Value) {
    let events = gateway.events(after, kind);
    let found = events.into_iter().find(|event| event["type"] == kind).unwrap();
    (found["seq"].as_u64().unwrap(), found)
}

#[test]
fn baresip_registers_by_udp_and_by_tcp_and_shows_up() {
    for transport in ["udp", "tcp"] {
        let gateway = gateway::Setup::new().start();
        let id = add_extension(&gateway, "101");
        let mut phone = baresip::Setup::tone(440.0).account(account(&gateway, "101", transport)).start();
        phone.registered(s(15));
        let shown = registered(&gateway);
        assert_eq!(shown["extension"], *id);
        assert!(shown["address"].as_str().unwrap().starts_with(&format!("{transport} 127.0.0.1:")), "{shown}");
        assert!(shown["user_agent"].as_str().unwrap().contains("baresip"), "{shown}");
        drop(phone);
        gateway.done();
    }
}

#[test]
fn linphone_registers_by_udp_and_by_tcp_and_shows_up() {
    for transport in ["udp", "tcp"] {
        let gateway = gateway::Setup::new().start();
        add_extension(&gateway, "102");
        let phone = linphone::Setup::tone(440.0).account(account(&gateway, "102", transport)).start();
        let shown = registered(&gateway);
        assert!(shown["address"].as_str().unwrap().starts_with(transport), "{shown}");
        assert!(shown["user_agent"].as_str().unwrap().to_lowercase().contains("linphone"), "{shown}");
        drop(phone);
        gateway.done();
    }
}

#[test]
fn a_telephone_with_a_wrong_password_does_not_show_up() {
    let gateway = gateway::Setup::new().start();
    add_extension(&gateway, "101");
    let wrong = Account { password: "a-wrong-one", ..account(&gateway, "101", "udp") };
    let phone = baresip::Setup::tone(440.0).account(wrong).start();
    until("a refusal", s(15), || phone.log().contains("101@").then_some(()));
    until("baresip to be told", s(15), || phone.log().contains("401 Unauthorized").then_some(()));
    assert_eq!(gateway.status()["registrations"], 0);
    drop(phone);
    gateway.done();
}

/// A trunk to a Kamailio that it registers with.
pub fn registering(gateway: &Gateway, kamailio: &kamailio::Kamailio, expires: u32) -> String {
    let uri = format!("sip:{}", kamailio.address());
    let made = gateway.post(
        "/v1/trunks",
        &json!({
            "name": "carrier", "networks": [], "profile": "kamailio",
            "outbound": {
                "targets": [{ "uri": uri }],
                "credentials": { "username": kamailio::USER, "password": kamailio::PASSWORD },
                "register": { "aor": format!("sip:{}@{}", kamailio::USER, kamailio.address()), "expires": expires },
            },
        }),
    );
    made["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_gateway_registers_with_kamailio_which_wants_credentials_and_longer_registrations() {
    let gateway = gateway::Setup::new().start();
    let mut kamailio = kamailio::Setup::towards(&gateway.sip()).min_expires(90).start();
    registering(&gateway, &kamailio, 60);
    let (up, _) = event(&gateway, 0, "trunk.up");
    // Killed it is missed, and mended by itself once it is back.
    kamailio.kill();
    let (down, what) = event(&gateway, up, "trunk.down");
    assert!(what["why"].as_str().is_some_and(|why| !why.is_empty()), "{what}");
    kamailio.run();
    event(&gateway, down, "trunk.up");
    drop(kamailio);
    gateway.done();
}
