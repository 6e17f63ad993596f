//! RFC 3263 against a nameserver on loopback, by the client that the program uses: what is found, what changes, and what
//! serves while nobody answers.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod common;

use std::time::Duration;

use common::dns::{Dns, address, naptr, srv};
use ringlift::base::Rng;
use ringlift::engine::clock::Clock;
use ringlift::engine::resolve::Resolver;
use ringlift::sip::locate::{Locator, Output, Wish};
use ringlift::wire::sip::Uri;

struct Finder {
    dns: Dns,
    clock: Clock,
    locator: Locator,
    resolver: Resolver,
}

impl Finder {
    fn new() -> Self {
        let dns = Dns::start();
        let resolver = Resolver::new(&[dns.address()]);
        Self { dns, clock: Clock::start(), locator: Locator::new(Rng::from_number(1)), resolver }
    }

    async fn find(&mut self, uri: &str) -> Vec<String> {
        let wanted = self.locator.locate(&Uri::parse(uri).unwrap(), &Wish::default(), self.clock.mono());
        loop {
            while let Some(output) = self.locator.poll_output() {
                match output {
                    Output::Resolve { id, question } => self.resolver.ask(id, question),
                    Output::Located { search, located } if search == wanted => {
                        return located.targets.iter().map(|t| format!("{} {}", t.transport, t.remote)).collect();
                    }
                    Output::Located { .. } => {}
                }
            }
            let wait = self.locator.poll_timeout().map_or(Duration::ZERO, |at| self.clock.until(at));
            tokio::select! {
                (id, lookup) = self.resolver.next() => self.locator.resolved(id, lookup, self.clock.mono()),
                () = tokio::time::sleep(wait) => self.locator.handle_timeout(self.clock.mono()),
            }
        }
    }
}

#[tokio::test]
async fn a_carrier_is_found_by_naptr_srv_and_addresses_and_its_changes_are_followed() {
    let mut finder = Finder::new();
    finder.dns.set("carrier.test", 60, [naptr(10, "SIP+D2T", "_sip._tcp.carrier.test")]);
    finder.dns.set(
        "_sip._tcp.carrier.test",
        60,
        [srv(20, 0, 5070, "b.carrier.test"), srv(10, 0, 5060, "a.carrier.test")],
    );
    finder.dns.set("a.carrier.test", 1, [address("192.0.2.1"), address("2001:db8::1")]);
    finder.dns.set("b.carrier.test", 60, [address("192.0.2.2")]);
    let found = finder.find("sip:carrier.test").await;
    assert_eq!(found, ["tcp 192.0.2.1:5060", "tcp [2001:db8::1]:5060", "tcp 192.0.2.2:5070"]);
    assert!(finder.dns.asked().contains(&"NAPTR carrier.test".to_owned()));
    // Within their time its answers are not asked for again; after it a change is followed.
    finder.find("sip:carrier.test").await;
    assert_eq!(finder.dns.asked(), Vec::<String>::new());
    finder.dns.set("a.carrier.test", 1, [address("192.0.2.9")]);
    let began = finder.clock.mono();
    while finder.find("sip:carrier.test").await != ["tcp 192.0.2.9:5060", "tcp 192.0.2.2:5070"] {
        assert!(finder.clock.mono().since(began) < Duration::from_secs(5), "the change is not followed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_nameserver_that_is_gone_costs_known_carriers_nothing() {
    let mut finder = Finder::new();
    finder.dns.set("carrier.test", 1, [address("192.0.2.1")]);
    assert_eq!(finder.find("sip:carrier.test:5060").await, ["udp 192.0.2.1:5060"]);
    finder.dns.silence(true);
    finder.dns.asked();
    // Until its time is up and it is asked for again, in vain.
    while finder.dns.asked().is_empty() {
        let began = finder.clock.mono();
        assert_eq!(finder.find("sip:carrier.test:5060").await, ["udp 192.0.2.1:5060"]);
        let took = finder.clock.mono().since(began);
        assert!(took < Duration::from_secs(1), "a call waited {took:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let began = finder.clock.mono();
    assert!(finder.find("sip:nobody.test:5060").await.is_empty());
    let took = finder.clock.mono().since(began);
    assert!(took < Duration::from_secs(6), "a call to nobody waited {took:?}");
}

#[tokio::test]
async fn a_name_that_is_not_there_is_no_carrier() {
    let mut finder = Finder::new();
    assert!(finder.find("sip:nobody.test").await.is_empty());
    assert!(finder.find("sip:_bad..name.test:5060").await.is_empty());
}
