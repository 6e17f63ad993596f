//! What needs the machine for itself.

mod hostile;
mod returning;

use std::path::Path;

use serde_json::json;

use crate::common::audio::Recording;
use crate::common::gateway;
use crate::common::{impair, ms, phone, s, sipp, talk, until, until_clear};

/// Resident kilobytes and open descriptors of a process.
fn holds(process: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    (resident.trim().trim_end_matches(" kB").parse().unwrap(), descriptors)
}

#[test]
fn a_thousand_calls_in_and_out_leave_memory_and_descriptors_as_they_were() {
    // Short timers, so that what is kept for late copies (64·T1) is gone soon.
    let (gateway, _) = gateway::Setup::new().with("sip", "t1 = \"100ms\"").start_with_open_room();
    let thousand = || {
        sipp::Setup::new("call", &gateway.sip()).calls(1000, 100, 60).with(&["-d", "300"]).play(s(90));
        gateway.settles();
        until("the last transaction to be forgotten", s(20), || (gateway.status()["transactions"] == 0).then_some(()));
    };
    // Once around, so that buffers, pools and the page cache of the database have their size.
    thousand();
    let (resident, descriptors) = holds(gateway.id());
    thousand();
    let (after, open) = holds(gateway.id());
    eprintln!("resident {resident} kB, then {after} kB; descriptors {descriptors}, then {open}");
    assert!(open <= descriptors + 2, "{descriptors} descriptors became {open}");
    // Events that are kept to be read again, and the allocator's own, are 1 to 2 MB; a thousand calls that were not let go are more than 10.
    assert!(after < resident + 4 * 1024, "{resident} kB became {after} kB");
    assert_eq!(gateway.status()["answered"], 2000);
    gateway.done();
}

#[test]
fn sound_is_smooth_while_nothing_is_lost() {
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let mut anna = phone::Setup::tone(440.0).with(&["--codec", "pcma"]).call(&gateway.uri());
    let mut ben = phone::Setup::tone(1000.0).with(&["--codec", "pcmu", "--ptime", "40"]).call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    until_clear(&[1000.0], || anna.heard());
    until_clear(&[440.0], || ben.heard());
    talk(s(5));
    anna.hang_up();
    ben.hang_up();
    for (who, phone, tone) in [("Anna", &anna, 1000.0), ("Ben", &ben, 440.0)] {
        let heard = phone.heard().last(s(4)).between(s(0), ms(3500));
        let (gaps, clicks) = (heard.gaps(tone), heard.clicks(&[tone]));
        // One packet may be filled in, should the machine have looked away for a moment.
        assert!(gaps.len() <= 1 && gaps.iter().all(|gap| *gap <= ms(60)), "{who} hears gaps: {gaps:?}");
        assert!(clicks.len() <= 2, "{who} hears clicks: {clicks:?}");
    }
    gateway.done();
}

/// Some twelve seconds of English, from the prompts.
fn speech() -> Recording {
    let mut samples = vec![0; 8000];
    for name in ["greeting", "enter-pin", "help-mute-self", "meeting-locked", "not-admitted", "call-ends-soon"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/en").join(name).with_extension("opus");
        samples.extend(ringlift::engine::sound::opus(&std::fs::read(path).unwrap(), s(30)).unwrap());
        samples.extend([0; 2000]);
    }
    assert!(samples.len() > 8 * 8000, "too few of the prompts are there");
    Recording(samples)
}

/// How much of the speech that Anna says is in what Ben hears.
fn heard_of_speech(gateway: &gateway::Gateway, room: &str) -> (f64, String) {
    let speech = speech();
    let mut ben = phone::Setup::silent().call(&gateway.uri());
    gateway.has_in_room(room, 1, s(10));
    // Ben, being the first, is told so.
    until("the prompt to begin", s(10), || ben.heard().is_audible().then_some(()));
    until("the prompt to end", s(20), || {
        let last = ben.heard().last(s(2));
        (last.length() >= s(2) && !last.is_audible()).then_some(())
    });
    let told = ben.heard().length();
    let mut anna = phone::Setup::voice(speech.clone()).call(&gateway.uri());
    gateway.has_in_room(room, 2, s(10));
    talk(speech.length());
    anna.hang_up();
    let ended = ben.hang_up();
    assert!(ended.success());
    let heard = ben.heard();
    (heard.between(told, heard.length()).likeness(&speech), ben.log())
}

#[test]
fn speech_stays_whole_on_a_network_that_loses_delays_and_reorders() {
    if !impair::in_own_network("alone::speech_stays_whole_on_a_network_that_loses_delays_and_reorders") {
        return;
    }
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let (clean, _) = heard_of_speech(&gateway, &room);
    gateway.settles();
    let (first, last) = gateway.rtp_ports();
    let network =
        impair::BadNetwork::new(&format!("--loss 5 --jitter 40 --match -p udp -m multiport --ports {first}:{last}"));
    let (bad, log) = heard_of_speech(&gateway, &room);
    let (packets, lost, overtaken) = network.ended();
    eprintln!(
        "of speech, {clean:.3} is heard on a good network, {bad:.3} on a bad one: {packets} packets, {lost} lost, {overtaken} overtaken"
    );
    assert!(lost > packets / 40 && overtaken > packets / 20, "the network was good: {lost}, {overtaken} of {packets}");
    assert!(clean > 0.95, "{clean}");
    assert!(bad > 0.9, "{bad}\n{log}");
    gateway.done();
}

#[test]
fn digits_are_neither_lost_nor_doubled_on_a_network_that_loses_delays_and_reorders() {
    if !impair::in_own_network("alone::digits_are_neither_lost_nor_doubled_on_a_network_that_loses_delays_and_reorders")
    {
        return;
    }
    let gateway = gateway::Setup::new().start();
    gateway.add_trunk("127.0.0.1/32");
    // Long, and with twins: a digit lost, doubled or moved makes it a wrong one.
    let pin = "11223344556677889900";
    gateway.post("/v1/dids", &json!({ "called": gateway::NUMBER, "action": { "to": "attendant" } }));
    let room = gateway.add_room(json!({ "name": "Team", "pin": pin, "first_caller": "start", "tones_up_to": 0 }));
    let (first, last) = gateway.rtp_ports();
    let network =
        impair::BadNetwork::new(&format!("--loss 5 --jitter 40 --match -p udp -m multiport --ports {first}:{last}"));
    let digits = format!("{pin}#");
    let call = |_| phone::Setup::silent().with(&["--digits", &digits]).call(&gateway.uri());
    let mut phones: Vec<phone::Phone> = (0..10).map(call).collect();
    // Each is in at the first try: a wrong PIN takes longer to be told of than this.
    gateway.has_in_room(&room, phones.len(), s(12));
    phones.iter_mut().for_each(|phone| assert!(phone.hang_up().success()));
    let (packets, lost, overtaken) = network.ended();
    eprintln!("210 digits in {packets} packets, {lost} lost, {overtaken} overtaken: all right");
    assert!(lost > packets / 40, "the network was good: {lost} of {packets}");
    gateway.done();
}
