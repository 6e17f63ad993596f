//! The telephones themselves, without the gateway: what the other tests rely on.

use crate::common::{baresip, linphone, s, talk};

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
