use bytes::Bytes;

use super::*;
use crate::base::Utc;
use crate::sip::transport::Transport;
use crate::wire::sip::Message;

struct Carrier {
    registration: Registration,
    rng: Rng,
    now: Now,
    targets: Vec<Target>,
    /// What became of it: `locate`, `ask 192.0.2.1:5060 3600`, `registered`, `lost ...`.
    told: Vec<String>,
    last: Option<OutboundRequest>,
}

impl Carrier {
    fn new(targets: &[&str]) -> Self {
        let order = Order {
            aor: Uri::parse("sip:anna@carrier.example").unwrap(),
            registrar: Uri::parse("sip:carrier.example").unwrap(),
            account: Some(("anna".into(), Secret::new("secret"))),
            expires: Duration::from_secs(3600),
            keep_alive: Some(Duration::from_secs(25)),
        };
        let targets = targets.iter().map(|remote| Target::new(Transport::Tcp, remote.parse().unwrap())).collect();
        let mut carrier = Self {
            registration: Registration::new(order),
            rng: Rng::from_number(4),
            now: Now { mono: Instant::START + Duration::from_secs(1000), utc: Utc(0) },
            targets,
            told: Vec::new(),
            last: None,
        };
        carrier.registration.start();
        carrier.drain();
        carrier
    }

    fn drain(&mut self) {
        while let Some(output) = self.registration.poll_output() {
            match output {
                Output::Locate => self.registration.located(self.targets.clone(), &mut self.rng, self.now),
                Output::Register { request, expires } => {
                    self.told.push(format!("ask {} {expires}", request.target.remote));
                    self.last = Some(*request);
                }
                Output::KeepAlive(target) => self.told.push(format!("keep {:?}", target.flow)),
                Output::Rest(target, _) => self.told.push(format!("rest {}", target.remote)),
                Output::Registered => self.told.push("registered".into()),
                Output::Lost(why) => self.told.push(format!("lost {why:?}")),
            }
        }
    }

    fn answer(&mut self, status: u16, lines: &str) {
        let text = format!(
            "SIP/2.0 {status} X\nVia: SIP/2.0/TCP a;branch=z9hG4bKx\nFrom: <sip:anna@carrier.example>;tag=ours\n\
             To: <sip:anna@carrier.example>;tag=t\nCall-ID: id\nCSeq: 5 REGISTER\n{lines}\n\n"
        );
        let text = text.replace('\n', "\r\n").replace("\r\n\r\n\r\n", "\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(&Bytes::from(text)) else { panic!("no response") };
        let source = Source {
            transport: Transport::Tcp,
            local: "198.51.100.1:5060".parse().unwrap(),
            remote: "192.0.2.1:5060".parse().unwrap(),
            flow: Some(FlowId(3)),
        };
        self.registration.answered(Ok(&response), Some(source), &mut self.rng, self.now);
        self.drain();
    }

    fn silence(&mut self) {
        self.registration.answered(Err(Unanswered::TimedOut), None, &mut self.rng, self.now);
        self.drain();
    }

    /// Lets time pass until something is told, and says what and after how many seconds.
    fn next(&mut self) -> (String, u64) {
        self.told.clear();
        let began = self.now.mono;
        while self.told.is_empty() {
            let at = self.registration.poll_timeout().expect("something is to come");
            self.now = self.now.plus(at.since(self.now.mono));
            self.registration.handle_timeout(self.now);
            self.drain();
        }
        (self.told[0].clone(), self.now.mono.since(began).as_secs())
    }
}

#[test]
fn a_challenge_is_answered_and_the_registration_kept_by_fresh_requests_of_one_call() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060"]);
    assert_eq!(carrier.told, ["ask 192.0.2.1:5060 3600"]);
    assert!(
        carrier.last.as_ref().is_some_and(|request| request.headers.iter().all(|(n, _)| *n != Name::Authorization))
    );
    carrier.answer(401, "WWW-Authenticate: Digest realm=\"carrier.example\", nonce=\"n\", qop=\"auth\"");
    let asked = carrier.last.clone().unwrap();
    assert!(
        asked.headers.iter().any(|(name, value)| *name == Name::Authorization && value.contains("username=\"anna\""))
    );
    assert_eq!(asked.again.map(|again| again.seq), Some(5), "of the same Call-ID, one higher");
    carrier.answer(200, "Contact: <sip:other@x>;expires=9, <sip:anna@198.51.100.1>;expires=120");
    assert_eq!(carrier.told.last().unwrap(), "registered");
    let (what, after) = carrier.next();
    assert!(what == "keep Some(FlowId(3))" && after == 25, "{what} after {after}");
    let mut asked = (String::new(), 0);
    while !asked.0.starts_with("ask") {
        asked = carrier.next();
    }
    let since = 120 - carrier.registration.until().unwrap().since(carrier.now.mono).as_secs();
    assert!((72..=96).contains(&since), "refreshed after {since} of 120 seconds");
    assert!(carrier.last.as_ref().unwrap().headers.iter().any(|(name, _)| *name == Name::Authorization), "at once");
    assert_eq!(carrier.last.as_ref().unwrap().target.flow, Some(FlowId(3)), "by the same connection");
    carrier.answer(200, "Expires: 120");
    assert!(!carrier.told.contains(&"registered".to_owned()), "a refresh is no news");
}

#[test]
fn a_wrong_password_is_not_tried_again_and_again() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060", "192.0.2.2:5060"]);
    carrier.answer(401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
    carrier.answer(401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\", qop=\"auth\"");
    assert_eq!(carrier.told.last().unwrap(), "lost Refused(Status(401))");
    let (what, after) = carrier.next();
    assert!(what.starts_with("ask 192.0.2.1") && (30..=60).contains(&after), "{what} after {after}");
}

#[test]
fn a_carrier_that_wants_longer_registrations_gets_them() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060"]);
    carrier.answer(423, "Min-Expires: 7200");
    assert_eq!(carrier.told.last().unwrap(), "ask 192.0.2.1:5060 7200");
    carrier.answer(423, "Min-Expires: 7200");
    assert_eq!(carrier.told.last().unwrap(), "lost Refused(Status(423))", "it does not mean what it says");
}

#[test]
fn another_registrar_takes_the_place_of_a_dead_one() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060", "192.0.2.2:5060"]);
    carrier.silence();
    assert_eq!(carrier.told[1..], ["rest 192.0.2.1:5060", "ask 192.0.2.2:5060 3600"]);
    carrier.answer(503, "Retry-After: 40");
    assert_eq!(carrier.told.last().unwrap(), "lost Refused(Status(503))");
    assert_eq!(carrier.next(), ("ask 192.0.2.1:5060 3600".into(), 40), "when it said");
    carrier.answer(200, "");
    assert_eq!(carrier.told.last().unwrap(), "registered");
    assert_eq!(carrier.registration.registrar().map(|target| target.remote), Some("192.0.2.1:5060".parse().unwrap()));
}

#[test]
fn attempts_grow_rarer_while_nobody_answers() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060"]);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        carrier.silence();
        pauses.push(carrier.next().1);
    }
    assert!((5..=10).contains(&pauses[0]) && (10..=20).contains(&pauses[1]), "{pauses:?}");
    assert!(pauses[10..].iter().all(|pause| (900..=1800).contains(pause)), "{pauses:?}");
    assert!(!carrier.told.iter().any(|told| told.starts_with("lost")), "told once");
}

#[test]
fn a_closed_connection_is_mended_at_once() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060"]);
    carrier.answer(200, "");
    carrier.registration.flow_closed(FlowId(9), &mut carrier.rng, carrier.now);
    let ours = carrier.now;
    carrier.registration.flow_closed(FlowId(3), &mut carrier.rng, ours);
    let (what, after) = carrier.next();
    assert!(what.starts_with("ask") && after <= 1, "{what} after {after}");
    assert_eq!(carrier.last.as_ref().unwrap().target.flow, None, "by a new one");
}

#[test]
fn what_is_taken_back_is_taken_back_on_the_wire() {
    let mut carrier = Carrier::new(&["192.0.2.1:5060"]);
    carrier.answer(200, "");
    carrier.registration.stop(&mut carrier.rng);
    carrier.drain();
    assert_eq!(carrier.told.last().unwrap(), "ask 192.0.2.1:5060 0");
    assert_eq!(carrier.registration.poll_timeout(), None);
}
