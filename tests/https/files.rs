//! Certificates of one's own.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use ringlift::engine::clock;
use rustls::pki_types::CertificateDer;

use crate::browser::Browser;
use crate::common::gateway::Setup;
use crate::common::ports::Ports;
use crate::common::process::Folder;
use crate::common::{s, until};
use crate::pebble::logged;

const DAY: i64 = 86_400;

/// Writes a certificate that is good for so many days, and its key.
fn write(folder: &Folder, days: i64) -> CertificateDer<'static> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let end = u64::try_from(clock::utc().0 / 1000 + days * DAY).unwrap();
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(end);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    folder.write("cert.pem", &made.pem());
    folder.write("key.pem", &key.serialize_pem());
    made.der().clone()
}

#[test]
fn a_certificate_in_a_file_is_read_again_on_demand_and_its_end_is_told() {
    let (folder, ports) = (Folder::new("own"), Arc::new(Ports::block()));
    let port = ports.at(8);
    let first = write(&folder, 10);
    let tls = format!("tls = {{ certificate = {:?}, key = {:?} }}", folder.file("cert.pem"), folder.file("key.pem"));
    let listen = format!("tls_listen = [\"127.0.0.1:{port}\"]");
    let gateway = Setup::new().on(ports).with("api", &listen).with("api", &tls).start();
    let browser = Browser::of(vec![first]);
    let mut visit = browser.visit("localhost", port).unwrap();
    assert!(browser.ask(&mut visit, "/healthz").starts_with("HTTP/1.1 200"));
    let (_, wrong, _) = gateway.run(&["check"], s(20));
    assert!(wrong.contains("api.tls.certificate: ") && wrong.contains("cert.pem expires at"), "{wrong}");

    // One that is over already stays out.
    write(&folder, -1);
    gateway.signal("HUP");
    logged(|| gateway.log(), "the certificates in use stay", s(5));
    assert!(browser.visit("localhost", port).is_ok());
    let (_, wrong, code) = gateway.run(&["check"], s(20));
    assert!(code != 0 && wrong.contains("cert.pem expired at"), "{code} {wrong}");

    let second = Browser::of(vec![write(&folder, 90)]);
    gateway.signal("HUP");
    until("the new certificate", s(5), || second.visit("localhost", port).ok());
    assert!(browser.ask(&mut visit, "/healthz").starts_with("HTTP/1.1 200"), "who came before is not cut off");
    drop(visit);
    gateway.done();
}
