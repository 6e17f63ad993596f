//! One telephone, or a stranger, sends what no telephone should to the program that runs: the others hear each other as if nothing were, nothing
//! grows, all of it is counted, and as soon as it speaks properly it is heard.

use std::net::UdpSocket;
use std::time::Duration;

use ringlift::base::Rng;
use ringlift::engine::os;
use ringlift::wire::codec::Codec;
use serde_json::Value;

use super::holds;
use super::returning::People;
use crate::common::abuse::Abuse;
use crate::common::audio::Recording;
use crate::common::bare::paced;
use crate::common::{gateway, ms, s, talk, until};

const BEN: f64 = 1300.0;
const CARLA: f64 = 1700.0;

/// Of which the best counts: a machine that looks away for a moment is not the program's fault, and does so once.
const TRIES: usize = 3;

/// Gaps and clicks in what somebody hears, which should be these tones and nothing else.
fn flaws(heard: &Recording, tones: &[f64]) -> (Vec<Duration>, Vec<Duration>) {
    assert!(heard.length() > ms(800), "{:?}", heard.length());
    (tones.iter().flat_map(|tone| heard.gaps(*tone)).collect(), heard.clicks(tones))
}

/// Something goes on, up to three times: what Ben and Carla hear meanwhile has no flaw. `within` is for what Anna does instead of speaking: so
/// soon she is heard after it.
#[track_caller]
fn undisturbed(people: &mut People, what: &str, within: Option<Duration>, mut rave: impl FnMut(&People)) {
    let mut seen = Vec::new();
    for _ in 0..TRIES {
        let (loud, tone) = (people.loud(), people.anna.mouth().tone);
        if within.is_some() {
            // What ends in the midst of a wave is a click.
            people.anna.mouth().tone = 0.0;
            talk(ms(400));
        }
        let since = os::wall();
        rave(people);
        let said: &[f64] = if within.is_some() { &[] } else { &[f64::from(tone)] };
        let at_ben = people.ben.heard().since(since);
        let at_carla = people.carla.as_ref().unwrap().heard().since(since);
        let flaws = [(at_ben, CARLA), (at_carla, BEN)].map(|(heard, other)| flaws(&heard, &[said, &[other]].concat()));
        let first = {
            let mut mouth = people.anna.mouth();
            (mouth.tone, mouth.sends) = (tone, true);
            mouth.left.len()
        };
        let back = within.map(|_| people.until_heard(first, loud));
        println!("{what}: flaws at Ben and Carla {flaws:?}; Anna is heard after {back:.1?}");
        let clean = flaws.iter().all(|(gaps, clicks)| gaps.is_empty() && clicks.is_empty());
        seen.push((flaws, back));
        // She is heard well again before the next.
        talk(s(1));
        if clean && back <= within {
            return;
        }
    }
    panic!("{what}: gaps and clicks at Ben and Carla, and when Anna is heard: {seen:?}");
}

#[test]
fn whatever_one_sends_the_others_hear_each_other_and_it_is_heard_60_ms_after_it_speaks_properly() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut people = People::call(&gateway, &room, Codec::Pcmu, 3);
    let mut rng = Rng::from_number(7);
    talk(s(1));
    let (before, _) = holds(gateway.id());
    // Who sets its clock to and fro within what a network may delay is taken to have such a network, for some seconds: that comes last.
    for abuse in Abuse::ALL.into_iter().filter(|abuse| *abuse != Abuse::Timestamps) {
        undisturbed(&mut people, &format!("{abuse:?}, 2,000 a second"), Some(ms(60)), |people| {
            people.anna.rave(&[abuse], 2000, s(1), &mut rng);
        });
    }
    undisturbed(&mut people, "each packet thrice", None, |people| {
        people.anna.mouth().copies = 3;
        talk(s(1));
        people.anna.mouth().copies = 1;
    });
    let port = people.anna.gateway();
    let (stranger, mut sent) = (UdpSocket::bind("127.0.0.1:0").unwrap(), 0);
    let packet = people.anna.mouth().forged();
    undisturbed(&mut people, "a stranger, 5,000 a second", None, |_| {
        paced(5000, s(2), |_| sent += usize::from(stranger.send_to(&packet, port).is_ok()));
    });
    let all: Vec<Abuse> = Abuse::ALL.into_iter().filter(|kind| *kind != Abuse::Timestamps).collect();
    // A key whose end never came lasts for two of its packets' intervals after the last of them, which are rarer here.
    undisturbed(&mut people, "everything, 3,000 a second", Some(ms(100)), |people| {
        people.anna.rave(&all, 3000, s(2), &mut rng);
    });
    // Of a leg 64 packets are read in a tick; what is more waits in its socket, and what finds no room there is dropped.
    undisturbed(&mut people, "Sources, 10,000 a second", Some(ms(100)), |people| {
        people.anna.rave(&[Abuse::Sources], 10_000, s(1), &mut rng);
    });
    undisturbed(&mut people, "Timestamps, 2,000 a second", Some(ms(420)), |people| {
        people.anna.rave(&[Abuse::Timestamps], 2000, s(1), &mut rng);
    });
    let (after, _) = holds(gateway.id());
    let call = people.anna.call_id().to_owned();
    people.hang_up();
    let figures = until("Anna's figures", s(5), || {
        let records = gateway.get("/v1/call-records");
        let found = records["items"].as_array().unwrap().iter().find(|record| record["call_id"] == call.as_str())?;
        Some(found["figures"].clone()).filter(Value::is_object)
    });
    println!("resident {before} kB, then {after} kB; {sent} of the stranger; {figures}");
    assert!(figures["strangers"].as_u64() >= Some(sent as u64 * 9 / 10), "{figures}");
    assert!(figures["malformed"].as_u64() >= Some(5000), "{figures}");
    assert!(figures["duplicates"].as_u64() >= Some(90), "{figures}");
    assert!(after < before + 2 * 1024, "{before} kB became {after} kB");
    gateway.done();
}
