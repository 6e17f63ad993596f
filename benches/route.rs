//! How many calls one core takes through digest and routing: the gateway alone, from the bytes of an INVITE to the bytes of
//! its final answer. Every call is asked for its password, shows it, and walks past a hundred rules to the last one. Beside
//! it the decision by itself, and one SHA-256 block as the measure of the machine.

#![allow(clippy::expect_used, reason = "without its message there is nothing to measure")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::{DidId, ExtensionId, RuleId, TrunkId};
use ringlift::base::phone_number::NumberPlan;
use ringlift::base::{self, Cause, Now, Rng, Secret, Utc};
use ringlift::gateway::settings::Settings;
use ringlift::gateway::{Directory, Gateway, Input, Output};
use ringlift::route::{
    CallLimits, Destination, Did, Extension, Facts, Home, Outbound, Party, Rule, Table, Trunk, When,
};
use ringlift::sip::auth::Challenge;
use ringlift::sip::endpoint;
use ringlift::sip::transport::{Source, Transport};
use ringlift::wire::sip::{Message, Name, Response};
use sha2::{Digest, Sha256};

const EXTENSIONS: u64 = 1000;
const RULES: u32 = 100;
const DIDS: u64 = 1000;
const CALLS: u64 = 20_000;

fn directory() -> Directory {
    let numbers = NumberPlan {
        country: Some("49".into()),
        national_prefix: Some("0".into()),
        international_prefix: Some("00".into()),
    };
    let extension = |n: u64| Extension {
        limits: CallLimits { calls_per_second: 1_000_000, ..CallLimits::default() },
        ..Extension::new(ExtensionId::from_bits(n), n.to_string(), Secret::new("a password of some length"))
    };
    let rule = |n: u32| Rule {
        id: RuleId::from_bits(u64::from(n)),
        position: n,
        name: format!("rule {n}"),
        enabled: true,
        when: When {
            called: vec![format!("+49{}*", if n + 1 == RULES { 30 } else { 3000 + n }).parse().expect("a pattern")],
            ..When::default()
        },
        then: Destination::Refuse { cause: Cause::Busy },
    };
    let did = |n: u64| Did {
        id: DidId::from_bits(n),
        called: format!("+4989{n:06}").parse().expect("a number"),
        trunk: None,
        action: Destination::Attendant {},
        languages: Vec::new(),
        elevation: ElevationRules::default(),
    };
    let outbound: Outbound = serde_json::from_str(r#"{"targets":[{"uri":"sip:198.51.100.9"}]}"#).expect("a way out");
    Directory {
        trunks: vec![Trunk { outbound: Some(outbound), ..Trunk::new(TrunkId::from_bits(1), "carrier") }],
        dids: (0..DIDS).map(did).collect(),
        extensions: (0..EXTENSIONS).map(|n| extension(n + 1000)).collect(),
        rules: (0..RULES).map(rule).collect(),
        home: Home { numbers, ..Home::default() },
        ..Directory::default()
    }
}

struct Bench {
    gateway: Gateway,
    now: Now,
    spent: Duration,
}

impl Bench {
    /// Hands the gateway a datagram and takes what it orders; only this is measured.
    #[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    fn give(&mut self, text: &str, source: Source) -> Option<Response> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let mut sent = Vec::new();
        let began = Instant::now();
        let message = Message::parse(&bytes);
        self.gateway.handle(Input::Signalling(endpoint::Input::Received { message, source }), self.now);
        while let Some(output) = self.gateway.poll_output() {
            if let Output::Send { bytes, .. } = output {
                sent.push(bytes);
            }
        }
        self.spent += began.elapsed();
        sent.iter().find_map(|bytes| match Message::parse(bytes) {
            Ok(Message::Response(response)) if response.status.is_final() => Some(response),
            _ => None,
        })
    }

    /// Time passes; what the gateway does then is measured as well.
    #[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    fn pass(&mut self, length: Duration) {
        let end = self.now.plus(length);
        let began = Instant::now();
        while let Some(at) = self.gateway.poll_timeout().filter(|at| *at <= end.mono) {
            self.now = self.now.plus(at.since(self.now.mono));
            self.gateway.handle(Input::Timeout, self.now);
            while self.gateway.poll_output().is_some() {}
        }
        self.spent += began.elapsed();
        self.now = end;
    }
}

fn request(method: &str, n: u64, seq: u32, tag: &str, more: &str) -> String {
    let user = 1000 + n % EXTENSIONS;
    format!(
        "{method} sip:030901820@gw.example SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bK{n}x{seq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{user}@gw.example>;tag=f{n}\r\nTo: <sip:030901820@gw.example>{tag}\r\n\
         Call-ID: call-{n}\r\nCSeq: {seq} {method}\r\nContact: <sip:{user}@203.0.113.9>\r\nUser-Agent: bench\r\n{more}\
         Content-Length: 0\r\n\r\n"
    )
}

fn tag_of(response: &Response) -> String {
    let to = response.headers.to().expect("a To");
    to.tag().map(|tag| format!(";tag={tag}")).unwrap_or_default()
}

fn calls() -> f64 {
    let now = Now { mono: base::Instant::START, utc: Utc(1_800_000_000_000) };
    let settings = Settings { caller_burst: u32::MAX, ..Settings::default() };
    let sip = endpoint::Settings::default();
    let gateway = Gateway::new(settings, sip, Default::default(), directory(), Rng::from_number(1), now);
    let mut bench = Bench { gateway, now, spent: Duration::ZERO };
    let mut rng = Rng::from_number(2);
    let source = Source {
        transport: Transport::Udp,
        local: "198.51.100.1:5060".parse().expect("an address"),
        remote: "203.0.113.9:5060".parse().expect("an address"),
        flow: None,
    };
    for n in 0..CALLS {
        let asked = bench.give(&request("INVITE", n, 1, "", ""), source).expect("a challenge");
        assert_eq!(asked.status.code(), 401);
        bench.give(&request("ACK", n, 1, &tag_of(&asked), ""), source);
        let mut challenge =
            Challenge::strongest(asked.headers.fields_of(&Name::WwwAuthenticate)).expect("a digest challenge");
        let user = (1000 + n % EXTENSIONS).to_string();
        let password = Secret::new("a password of some length");
        let shown = challenge.answer(&user, &password, "INVITE", "sip:030901820@gw.example", &mut rng);
        let shown = format!("Authorization: {shown}\r\n");
        let answer = bench.give(&request("INVITE", n, 2, "", &shown), source).expect("an answer");
        assert_eq!(answer.status.code(), 486, "the last rule");
        bench.give(&request("ACK", n, 2, &tag_of(&answer), ""), source);
        if n % 100 == 99 {
            bench.pass(Duration::from_secs(1));
        }
    }
    bench.spent.as_secs_f64() / CALLS as f64
}

/// The shortest of many rounds, per call: what the code takes when nothing disturbs it.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn best(mut work: impl FnMut()) -> f64 {
    const ROUND: u32 = 1000;
    let rounds = (0..100).map(|_| {
        let start = Instant::now();
        (0..ROUND).for_each(|_| work());
        start.elapsed().as_secs_f64() / f64::from(ROUND)
    });
    rounds.fold(f64::MAX, f64::min)
}

fn main() {
    let given = directory();
    let mut table = Table { home: given.home, ..Table::default() };
    table.trunks.extend(given.trunks.into_iter().map(|trunk| (trunk.id, trunk)));
    table.dids.extend(given.dids.into_iter().map(|did| (did.id, did)));
    table.extensions = given.extensions.into_iter().collect();
    given.rules.into_iter().for_each(|rule| table.put_rule(rule));
    let facts = |to: &str| Facts {
        proved: Some(Party::Extension(ExtensionId::from_bits(1000))),
        ..Facts::new("203.0.113.9".parse().expect("an address"), to, "1000", Utc(1_800_000_000_000))
    };
    let (by_rule, outward) = (facts("030901820"), facts("040901820"));
    let block = best(|| {
        black_box(Sha256::digest(black_box([0u8; 55])));
    });
    let rule = best(|| drop(black_box(table.decide(black_box(&by_rule)))));
    let out = best(|| drop(black_box(table.decide(black_box(&outward)))));
    let call = calls();
    println!("one SHA-256 block                                  {:8.2} µs", block * 1e6);
    println!("decide: past {RULES} rules to the last                 {:8.2} µs", rule * 1e6);
    println!("decide: past {RULES} rules and {DIDS} numbers to the way out {:5.2} µs", out * 1e6);
    println!(
        "a call through digest and routing                  {:8.2} µs  {:7.0} calls per second and core, {:.0} SHA-256 blocks",
        call * 1e6,
        1.0 / call,
        call / block
    );
}
