//! What needs the machine for itself.

use crate::common::gateway;
use crate::common::{impair, phone, s, sipp, talk};

/// Resident kilobytes and open descriptors of a process.
fn holds(process: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    (resident.trim().trim_end_matches(" kB").parse().unwrap(), descriptors)
}

#[test]
fn a_thousand_calls_in_and_out_leave_memory_and_descriptors_as_they_were() {
    let (gateway, _) = gateway::Setup::new().start_with_open_room();
    let thousand =
        |calls| sipp::Setup::new("call", &gateway.sip()).calls(calls, 100, 60).with(&["-d", "300"]).play(s(90));
    // Once around, so that buffers, pools and the page cache of the database have their size.
    thousand(1000);
    gateway.settles();
    let (resident, descriptors) = holds(gateway.id());
    thousand(1000);
    gateway.settles();
    let (after, open) = holds(gateway.id());
    eprintln!("resident {resident} kB, then {after} kB; descriptors {descriptors}, then {open}");
    assert!(open <= descriptors + 2, "{descriptors} descriptors became {open}");
    assert!(after < resident + 8 * 1024, "{resident} kB became {after} kB");
    assert_eq!(gateway.status()["answered"], 2000);
    gateway.done();
}

#[test]
fn speech_stays_whole_and_digits_are_neither_lost_nor_doubled_on_a_bad_network() {
    if !impair::in_own_network("alone::speech_stays_whole_and_digits_are_neither_lost_nor_doubled_on_a_bad_network") {
        return;
    }
    let (gateway, room) = gateway::Setup::new().start_with_open_room();
    let (first, last) = gateway.rtp_ports();
    let network = impair::BadNetwork::new(&format!("--loss 5 --jitter 40 --match -p udp --dport {first}:{last}"));
    let mut anna = phone::Setup::tone(440.0).call(&gateway.uri());
    let mut ben = phone::Setup::silent().call(&gateway.uri());
    gateway.has_in_room(&room, 2, s(10));
    talk(s(10));
    anna.hang_up();
    ben.hang_up();
    let heard = ben.heard().last(s(9)).between(s(0), s(8));
    let gaps: Vec<_> = heard.gaps(440.0);
    let (packets, lost, overtaken) = network.ended();
    eprintln!("{packets} packets, {lost} lost, {overtaken} overtaken; gaps {gaps:?}");
    let silent: std::time::Duration = gaps.iter().sum();
    assert!(silent.as_secs_f64() / heard.length().as_secs_f64() < 0.03, "{gaps:?}");
    gateway.done();
}
