//! Certificates that the node makes.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::browser::Browser;
use crate::common::gateway::Setup;
use crate::common::ports::Ports;
use crate::pebble::mode;

#[test]
fn a_certificate_made_for_a_first_try_is_kept_and_told_with_what_browsers_will_say() {
    let ports = Arc::new(Ports::block());
    let port = ports.at(8);
    let listen = format!("tls_listen = [\"127.0.0.1:{port}\"]");
    let setup = Setup::new().on(ports).with("api", &listen).with("api", "tls = { self_signed = true }");
    let mut gateway = setup.start();
    let kept = gateway.file("tls").join("self-signed.pem");
    assert_eq!(mode(&kept), 0o600);
    let browser = Browser::of(vec![CertificateDer::from_pem_file(&kept).unwrap()]);
    let mut visit = browser.visit("localhost", port).unwrap();
    assert!(browser.ask(&mut visit, "/").contains("<html"));
    assert!(browser.visit("127.0.0.1", port).is_ok(), "it is for addresses, too: {:?}", visit.facts.names);
    assert!(Browser::of(vec![]).visit("localhost", port).is_err(), "nobody else has a reason to trust it");

    let told = gateway.log();
    assert!(told.contains(&format!("Others go to https://127.0.0.1:{port}/")), "{told}");
    assert!(told.contains("Your connection is not private"), "{told}");
    let (one, two) = visit.facts.fingerprint.split_at(48);
    assert!(told.contains(one) && told.contains(two), "{told}");

    gateway.signal("TERM");
    gateway.ended(crate::common::s(15));
    gateway.restart();
    let again = browser.visit("localhost", port).unwrap();
    assert_eq!(
        again.facts.fingerprint, visit.facts.fingerprint,
        "browsers that were told to go on are not asked again"
    );
    gateway.done();
}
