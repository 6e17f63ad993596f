//! Two legs whose keys are made by a handshake between them.

use super::*;
use crate::base::LegId;
use crate::media::command::{Direction, Dtls, Format, LegSetup, MediaEvent, Remote, Security};
use crate::media::egress::Encoded;
use crate::media::leg::Leg;
use crate::media::outlet::{Outgoing, Outlet};
use crate::wire::codec::Codec;

const PATH: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:4000"];

/// What one leg sent, and what is lost of it.
#[derive(Default)]
struct Line {
    sent: Vec<Vec<u8>>,
    /// Each of these, counted from 0, is lost.
    lost: Vec<usize>,
    count: usize,
    plain: usize,
}

impl Outlet for Line {
    fn send(&mut self, packet: Outgoing<'_>) {
        if !self.lost.contains(&self.count) {
            self.sent.push(packet.bytes.to_vec());
        }
        self.count += 1;
        self.plain += usize::from(packet.bytes.len() == 172);
    }
}

struct Ends {
    legs: [Leg; 2],
    lines: [Line; 2],
    events: [Vec<MediaEvent>; 2],
    now: Instant,
}

fn setup(role: DtlsRole, theirs: &Fingerprint, far: &str) -> LegSetup {
    let far: SocketAddr = far.parse().unwrap();
    let dtls = Dtls { role, fingerprints: vec![theirs.clone()], association: 0 };
    LegSetup {
        format: Format {
            codec: Codec::Pcmu,
            send_payload_type: 0,
            receive_payload_type: 0,
            ptime: 20,
            telephone_event: None,
            comfort_noise: None,
            reports: Default::default(),
            opus: crate::wire::codec::opus::Parameters::default(),
            direction: Direction::SendRecv,
        },
        remote: Remote { rtp: Some(far), rtcp: Some(far), rtcp_mux: true, signalling: far.ip() },
        security: Security::Dtls(Box::new(dtls)),
        ssrc: 7,
        sequence: 1,
        timestamp: 1,
        cname: "x".into(),
        media_timeout: Duration::from_secs(60),
    }
}

impl Ends {
    fn new(fingerprints: [&Fingerprint; 2], identities: [&Identity; 2]) -> Self {
        let now = Instant::from_start(Duration::from_secs(5));
        let leg = |number: usize| {
            let role = [DtlsRole::Client, DtlsRole::Server][number];
            let setup = setup(role, fingerprints[1 - number], PATH[1 - number]);
            let mut leg = Leg::new(LegId::from_bits(number as u64), setup, now);
            leg.equip(Some(Arc::new(identities[number].clone())), now);
            leg
        };
        Self { legs: [leg(0), leg(1)], lines: Default::default(), events: Default::default(), now }
    }

    fn run(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds / 20 {
            self.now = self.now + Duration::from_millis(20);
            for number in 0..2 {
                let (leg, line, events) = (&mut self.legs[number], &mut self.lines[number], &mut self.events[number]);
                leg.begin_tick(self.now, line, events);
                let mut silence = Encoded::default();
                silence.silence(crate::wire::codec::g711::Law::Mu);
                leg.send_frame(&mut silence, true, line);
            }
            // Answers are answered within the tick.
            for _ in 0..4 {
                for (number, from) in PATH.iter().enumerate() {
                    let other = 1 - number;
                    for datagram in std::mem::take(&mut self.lines[number].sent) {
                        let (leg, line) = (&mut self.legs[other], &mut self.lines[other]);
                        let from = from.parse().unwrap();
                        leg.receive_rtp(from, &datagram, self.now, None, line, &mut self.events[other]);
                    }
                }
            }
        }
    }

    fn secured(&self, number: usize) -> usize {
        self.events[number].iter().filter(|event| matches!(event, MediaEvent::Secured { .. })).count()
    }

    fn failed(&self, number: usize) -> usize {
        self.events[number].iter().filter(|event| matches!(event, MediaEvent::SecurityFailed { .. })).count()
    }
}

#[test]
fn two_ends_that_know_each_other_hear_each_other_and_nothing_leaves_in_the_clear() {
    let (anna, ben) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let mut ends = Ends::new([anna.fingerprint(), ben.fingerprint()], [&anna, &ben]);
    ends.run(2000);
    for number in [0, 1] {
        let figures = ends.legs[number].figures();
        assert_eq!((ends.secured(number), ends.failed(number)), (1, 0));
        assert!(figures.received > 85 && figures.unauthentic <= 2, "{figures:?}");
        assert_eq!(ends.lines[number].plain, 0);
    }
}

#[test]
fn lost_flights_are_repeated() {
    let (anna, ben) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let runs = [vec![], vec![0], vec![1], vec![2], vec![3], vec![1, 2], vec![2, 3], vec![0, 1, 2, 3]];
    for (hers, his) in runs.iter().flat_map(|hers| runs.iter().map(move |his| (hers, his))) {
        let mut ends = Ends::new([anna.fingerprint(), ben.fingerprint()], [&anna, &ben]);
        (ends.lines[0].lost, ends.lines[1].lost) = (hers.clone(), his.clone());
        ends.run(10_000);
        assert!(ends.secured(0) >= 1 && ends.secured(1) >= 1, "{hers:?} {his:?}");
        assert_eq!(ends.failed(0) + ends.failed(1), 0, "{hers:?} {his:?}");
        let heard = |number: usize| ends.legs[number].figures().received;
        assert!(heard(0) > 100 && heard(1) > 100, "{hers:?} {his:?}: {} {}", heard(0), heard(1));
    }
}

#[test]
fn who_is_not_whom_the_description_names_is_not_heard() {
    let (anna, ben, eve) =
        (Identity::generate().unwrap(), Identity::generate().unwrap(), Identity::generate().unwrap());
    let mut ends = Ends::new([anna.fingerprint(), ben.fingerprint()], [&eve, &ben]);
    ends.run(3000);
    assert_eq!((ends.secured(1), ends.failed(1)), (0, 1));
    assert_eq!(ends.legs[1].figures().received, 0);
    assert_eq!(ends.lines[1].plain, 0);
}

#[test]
fn who_never_answers_fails_the_call_once() {
    let anna = Identity::generate().unwrap();
    let mut ends = Ends::new([anna.fingerprint(), anna.fingerprint()], [&anna, &anna]);
    ends.lines[1].lost = (0..10_000).collect();
    ends.run(30_000);
    assert_eq!((ends.secured(0), ends.failed(0)), (0, 1));
}
