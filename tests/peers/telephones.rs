//! The telephones themselves, without the gateway: what the other tests rely on.

use std::path::Path;
use std::process::Command;

use crate::common::process::{Folder, Process};
use crate::common::{baresip, impair, linphone, ms, s, talk, until_clear};

#[test]
fn two_baresips_hear_each_other() {
    let one = baresip::Setup::tone(440.0).codecs("pcmu,pcma").start();
    let mut two = baresip::Setup::tone(1000.0).codecs("pcma").ptime(30).start();
    let _ = &one;
    two.call(&one.uri());
    talk(s(2));
    two.hang_up();
    two.closed(s(5));
    one.heard().last(s(1)).hears_exactly("one", &[1000.0], &[440.0, 1000.0]);
    two.heard().last(s(1)).hears_exactly("two", &[440.0], &[440.0, 1000.0]);
}

#[test]
fn linphone_and_baresip_hear_each_other() {
    let one = baresip::Setup::tone(440.0).codecs("pcmu,pcma").start();
    let mut two = linphone::Setup::tone(1500.0).start();
    two.call(&one.uri());
    talk(s(3));
    two.key("1#");
    two.hang_up();
    one.heard().between(s(1), s(2)).hears_exactly("one", &[1500.0], &[440.0, 1500.0]);
    two.heard().between(s(1), s(2)).hears_exactly("two", &[440.0], &[440.0, 1500.0]);
    assert!(one.log().contains("received event: '1'") && one.log().contains("received event: '#'"), "{}", one.log());
}

#[test]
fn the_telephone_that_comes_with_the_compose_file_says_its_tone() {
    let one = baresip::Setup::tone(1000.0).codecs("pcma,pcmu").start();
    let folder = Folder::new("compose");
    let comes = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/phone");
    for file in ["config", "accounts", "contacts"] {
        std::fs::copy(comes.join(file), folder.file(file)).unwrap();
    }
    let mut command = Command::new("baresip");
    command.args(["-4", "-e", &format!("/dial {}", one.uri()), "-f"]).arg(folder.path());
    let _two = Process::start("baresip", &mut command, folder.file("log"));
    until_clear(&[440.0], || one.heard());
}

#[test]
fn the_bad_network_loses_and_reorders_what_it_is_told_to() {
    use std::net::UdpSocket;
    if !impair::in_own_network("telephones::the_bad_network_loses_and_reorders_what_it_is_told_to") {
        return;
    }
    let network = impair::BadNetwork::new("--loss 5 --jitter 40 --match -p udp --dport 9000");
    let (from, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:9000").unwrap());
    to.set_read_timeout(Some(ms(5))).unwrap();
    let mut arrived = Vec::new();
    for number in 0..360u16 {
        if number < 300 {
            from.send_to(&number.to_be_bytes(), "127.0.0.1:9000").unwrap();
        }
        let mut packet = [0; 2];
        if to.recv(&mut packet).is_ok() {
            arrived.push(u16::from_be_bytes(packet));
        }
    }
    let (packets, lost, overtaken) = network.ended();
    assert_eq!((packets, arrived.len() as u64), (300, 300 - lost));
    assert!((5..=30).contains(&lost) && overtaken > 50, "{lost} lost, {overtaken} overtaken");
    assert!(!arrived.is_sorted());
}
