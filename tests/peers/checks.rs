//! What `ringlift check` names, and certificates that are over when they are read again.

use crate::common::{gateway, s, until};
use serde_json::json;

#[test]
fn an_expired_certificate_is_named_and_counted_and_the_one_in_use_stays() {
    let gateway = gateway::Setup::new().tls().start();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    std::fs::write(gateway.file("cert.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(gateway.file("key.pem"), key.serialize_pem()).unwrap();
    let (_, said, code) = gateway.run(&["check"], s(20));
    assert_eq!(code, 2);
    assert!(said.contains("sip.tls_certificate: ") && said.contains("cert.pem expired at 2020-01-01T"), "{said}");
    gateway.signal("HUP");
    until("the refusal to be counted", s(10), || {
        let figures = gateway.text("/metrics");
        figures.lines().any(|line| line == "ringlift_certificates_refused_total 1").then_some(())
    });
    assert!(gateway.log().contains("the certificates in use stay"), "{}", gateway.log());
    gateway.done();
}

#[test]
fn check_names_a_profile_with_an_unknown_key_a_trunk_without_its_profile_and_what_points_nowhere() {
    let folder = crate::common::process::Folder::new("profiles");
    let gateway = gateway::Setup::new()
        .with("profiles", &format!("directory = {:?}", folder.path()))
        .with("stir", &format!("anchors = {:?}", folder.path()))
        .start();
    let outbound = json!({ "targets": [{ "uri": "sip:127.0.0.1:9" }] });
    let trunk = gateway.post("/v1/trunks", &json!({ "name": "Old", "networks": [], "outbound": outbound }));
    let id = trunk["id"].as_str().unwrap();
    gateway.post("/v1/dids", &json!({ "called": "+49309010", "action": { "to": "trunk", "trunks": [id] } }));
    gateway.patch(&format!("/v1/trunks/{id}"), &json!({ "enabled": false }));
    let (_, said, code) = gateway.run(&["check"], s(20));
    assert_eq!(code, 2);
    let has = |words: &[&str]| said.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["number", "none of these trunks is enabled"]), "{said}");
    folder.write("mine.toml", "colour = \"blue\"\n");
    folder.write("anchor.pem", "nothing of the kind\n");
    let (_, said, code) = gateway.run(&["check"], s(20));
    assert_eq!(code, 2);
    assert!(said.contains("mine.toml") && said.contains("colour"), "{said}");
    assert!(said.lines().any(|line| line.contains("stir.anchors") && line.contains("anchor.pem")), "{said}");
    gateway.done();
}
