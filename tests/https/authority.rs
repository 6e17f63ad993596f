//! Certificates that an authority signs.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::browser::Browser;
use crate::common::gateway::Setup;
use crate::common::ports::Ports;
use crate::common::{s, until};
use crate::pebble::{Authority, Manner, logged, mode};

const NAME: &str = "meet.example.test";

fn ports() -> (Arc<Ports>, Manner) {
    let ports = Arc::new(Ports::block());
    let looks_at = (ports.at(4), ports.at(8));
    (ports, Manner { life: Duration::from_secs(90 * 24 * 3600), nonces_refused: 0, looks_after: 0, looks_at })
}

fn setup(ports: &Arc<Ports>, acme: &str) -> Setup {
    let listen = format!("tls_listen = [\"127.0.0.1:{}\"]", ports.at(8));
    Setup::new().on(ports.clone()).with("api", &listen).with("api", acme)
}

#[test]
fn a_name_proved_by_a_text_has_a_certificate_that_is_trusted_and_renewed_under_a_standing_connection() {
    let (ports, manner) = ports();
    // A third of its life is left after 24 s. Every tenth nonce is refused: twice as often as pebble does by itself.
    let authority = Authority::start(&Manner { life: s(36), nonces_refused: 10, ..manner });
    let gateway = setup(&ports, &authority.acme(&[NAME, "www.example.test"], "http-01")).start();
    let line = logged(|| gateway.log(), "HTTPS has a new certificate", s(20));
    assert!(line.contains(NAME) && line.contains("www.example.test"), "{line}");

    let browser = Browser::trusting(&authority.root());
    let mut first = browser.visit(NAME, ports.at(8)).expect("the chain leads to the authority");
    assert!(browser.ask(&mut first, "/").contains("<html"), "the page is there");
    assert!(browser.visit("other.example.test", ports.at(8)).is_err(), "it is for these names alone");
    let folder = gateway.file("tls");
    assert_eq!(mode(&folder), 0o700);
    for file in ["acme.pem", "acme-account.pem"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file} holds a key");
    }

    let renewed = until("a renewed certificate", s(40), || {
        let refused = gateway.log().lines().find(|line| line.contains("no certificate for")).map(String::from);
        assert_eq!(refused, None);
        // A connection on which nothing is asked for 15 s is closed by the server, as usual.
        assert!(browser.ask(&mut first, "/healthz").starts_with("HTTP/1.1 200"));
        browser.visit(NAME, ports.at(8)).ok().filter(|visit| visit.facts.fingerprint != first.facts.fingerprint)
    });
    assert!(renewed.facts.ends > first.facts.ends);
    let left = first.facts.ends.0 - renewed.facts.begins.0;
    assert!(left >= 12_000 - 1500, "renewed with {left} ms of 36 s left");
    assert!(browser.ask(&mut first, "/healthz").starts_with("HTTP/1.1 200"), "who came before is not cut off");
    assert_eq!(authority.log().matches("accounts in memory").count(), 1, "one account for all orders");
    gateway.done();
}

#[test]
fn a_name_proved_by_tls_has_a_certificate_that_is_trusted() {
    let (ports, manner) = ports();
    let authority = Authority::start(&manner);
    let gateway = setup(&ports, &authority.acme(&[NAME], "tls-alpn-01")).start();
    logged(|| gateway.log(), "HTTPS has a new certificate", s(20));
    let browser = Browser::trusting(&authority.root());
    let mut visit = browser.visit(NAME, ports.at(8)).unwrap();
    assert_eq!(visit.facts.names, [NAME]);
    assert!(browser.ask(&mut visit, "/").contains("<html"));
    gateway.done();
}

#[test]
fn where_the_name_leads_elsewhere_the_node_says_what_to_change_and_goes_on() {
    let (ports, manner) = ports();
    let mut authority = Authority::start(&Manner { looks_at: (ports.at(290), ports.at(291)), ..manner });
    let gateway = setup(&ports, &authority.acme(&[NAME], "http-01")).start();
    let line = logged(|| gateway.log(), "no certificate for", s(20));
    assert!(
        line.contains(NAME) && line.contains("let its port 80 through to api.listen") && line.contains("next try at"),
        "{line}"
    );
    assert_eq!(gateway.ask("GET", "/v1/rooms", None).0, 200, "everything else works");
    authority.has("order-plz", 1, s(1));
    // A word from the operator is an attempt at once, but not two within seconds.
    gateway.signal("HUP");
    gateway.signal("HUP");
    logged(|| gateway.log(), "certificates read again", s(5));
    authority.has("order-plz", 2, s(30));
    assert_eq!(authority.log().matches("order-plz").count(), 2);
    gateway.done();
}

#[test]
fn a_node_killed_between_order_and_certificate_begins_again_with_the_same_account() {
    let (ports, manner) = ports();
    let mut authority = Authority::start(&Manner { looks_after: 4, ..manner });
    let mut gateway = setup(&ports, &authority.acme(&[NAME], "http-01")).start();
    authority.has("order-plz", 1, s(10));
    gateway.signal("KILL");
    gateway.restart();
    logged(|| gateway.log(), "HTTPS has a new certificate", s(60));
    let browser = Browser::trusting(&authority.root());
    assert!(browser.visit(NAME, ports.at(8)).is_ok());
    assert!(authority.log().contains("There are now 1 accounts in memory"));
    assert!(!authority.log().contains("There are now 2 accounts in memory"), "{}", authority.log());

    // What was signed is shown at once by the next start, without asking.
    let before = authority.log().matches("order-plz").count();
    gateway.signal("KILL");
    gateway.restart();
    assert!(browser.visit(NAME, ports.at(8)).is_ok());
    assert_eq!(authority.log().matches("order-plz").count(), before);
    gateway.done();
}

#[test]
fn where_nobody_answers_the_node_starts_all_the_same_and_says_whom_it_asked() {
    let (ports, _) = ports();
    let dead = format!(
        "tls = {{ acme = {{ domains = [\"{NAME}\"], directory = \"http://127.0.0.1:{}/dir\" }} }}",
        ports.at(292)
    );
    let gateway = setup(&ports, &dead).start();
    let line = logged(|| gateway.log(), "no certificate for", s(20));
    assert!(line.contains("cannot be reached") && line.contains("check api.tls.acme.directory"), "{line}");
    let here = Browser::of(vec![]).visit(NAME, ports.at(8)).err().unwrap();
    assert!(here.contains("UnknownIssuer") || here.contains("invalid peer certificate"), "{here}");
    gateway.done();
}

/// An authority that has had enough; pebble never does. It opens the account, and refuses every order: so many by their
/// nonce, the others for good. What a node writes into its configuration, and how many orders it has seen.
fn weary(bad_nonces: u32) -> (String, Arc<AtomicU32>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let acme = format!("tls = {{ acme = {{ domains = [\"{NAME}\"], directory = \"{base}/dir\" }} }}");
    let orders = Arc::new(AtomicU32::new(0));
    let counted = orders.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let _ = reader.read_exact(&mut vec![0; length.unwrap_or(0)]);
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (status, more, body) = match path {
                "/dir" => (
                    "200 OK",
                    String::new(),
                    format!(
                        "{{\"newNonce\":\"{base}/nonce\",\"newAccount\":\"{base}/account\",\"newOrder\":\"{base}/order\"}}"
                    ),
                ),
                "/account" => ("201 Created", format!("Location: {base}/account/1\r\n"), "{}".to_owned()),
                "/order" if counted.fetch_add(1, Ordering::Relaxed) < bad_nonces => {
                    let problem = "{\"type\":\"urn:ietf:params:acme:error:badNonce\",\"detail\":\"not this one\"}";
                    ("400 Bad Request", String::new(), problem.to_owned())
                }
                "/order" => {
                    let problem =
                        "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many certificates\"}";
                    ("429 Too Many Requests", "Retry-After: 90000\r\n".to_owned(), problem.to_owned())
                }
                _ => ("200 OK", String::new(), String::new()),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nReplay-Nonce: nonce\r\n{more}Content-Length: {}\r\nConnection: close\r\n\r\n{}",
                body.len(),
                if head.starts_with("HEAD") { "" } else { &body }
            );
        }
    });
    (acme, orders)
}

#[test]
fn an_authority_that_has_had_enough_is_not_asked_again_before_its_time() {
    let (ports, _) = ports();
    let (acme, orders) = weary(0);
    let mut gateway = setup(&ports, &acme).start();
    let line = logged(|| gateway.log(), "no certificate for", s(20));
    assert!(line.contains("asked too often: too many certificates (rateLimited)"), "{line}");
    // 25 hours, as it named, and not the five minutes of an ordinary refusal.
    let next = line.rsplit("next try at ").next().unwrap().trim();
    let now = ringlift::engine::clock::utc();
    let (soonest, latest) =
        (ringlift::base::Utc(now.0 + 89_900_000).to_string(), ringlift::base::Utc(now.0 + 90_000_000).to_string());
    assert!(*next >= *soonest && *next <= *latest, "{next}");
    assert_eq!(orders.load(Ordering::Relaxed), 1);
    // Who starts the node again and again does not ask again and again.
    gateway.signal("KILL");
    gateway.restart();
    assert_eq!(orders.load(Ordering::Relaxed), 1, "not within seconds of the last time");
    gateway.done();
}

#[test]
fn an_authority_that_refuses_nonces_is_asked_again_at_once_but_not_for_ever() {
    let (ports, _) = ports();
    // Three tries of an order, and one of the next.
    let (acme, orders) = weary(4);
    let gateway = setup(&ports, &acme).start();
    let line = logged(|| gateway.log(), "no certificate for", s(20));
    assert!(line.contains("rateLimited"), "what it said at last: {line}");
    assert_eq!(orders.load(Ordering::Relaxed), 5);
    gateway.done();

    let (ports, _) = self::ports();
    let (acme, orders) = weary(u32::MAX);
    let gateway = setup(&ports, &acme).start();
    let line = logged(|| gateway.log(), "no certificate for", s(20));
    assert!(line.contains("badNonce"), "{line}");
    assert_eq!(orders.load(Ordering::Relaxed), 15, "five orders, each with three nonces");
    gateway.done();
}
