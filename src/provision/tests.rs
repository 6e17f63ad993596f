use super::*;
use crate::sip::transport::Transport;

fn phone(family: Family) -> Phone {
    Phone {
        family,
        mac: "00:15:65:AB:cd:ef".parse().unwrap(),
        user: "201".into(),
        name: "Ann & Bob <desk>\naccount.1.auto_answer = 1".into(),
        password: Secret::new("p&w\"1"),
        host: "pbx.example.org".into(),
        port: 5061,
        transport: Transport::Tls,
        expires: 300,
        srtp: true,
        verify: true,
        auto_answer: false,
        codecs: vec![Codec::G722, Codec::Pcma],
        keys: vec![
            LampKey { label: "Eve".into(), user: "202".into() },
            LampKey { label: "Team".into(), user: "9001".into() },
        ],
    }
}

fn settings(family: Family) -> String {
    let templates = Templates::load(None).unwrap();
    templates.render(&phone(family), Asked::Settings).unwrap().unwrap().1
}

#[test]
fn a_yealink_reads_its_account_and_its_lamps() {
    let text = settings(Family::Yealink);
    for line in [
        "account.1.user_name = 201",
        "account.1.password = p&w\"1",
        "account.1.sip_server.1.transport_type = 2",
        "account.1.srtp_encryption = 2",
        "account.1.codec.g722.priority = 1",
        "account.1.codec.opus.enable = 0",
        "linekey.2.value = 202",
        "linekey.3.label = Team",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert!(!text.lines().any(|line| line == "account.1.auto_answer = 1"), "a name begins no setting\n{text}");
}

#[test]
fn the_others_get_xml_in_which_nothing_breaks_out() {
    for family in [Family::Poly, Family::CiscoMpp, Family::Grandstream, Family::Snom] {
        let text = settings(family);
        assert!(text.starts_with("<?xml"), "{family:?}");
        assert!(text.contains("Ann &amp; Bob &lt;desk&gt;"), "{family:?}\n{text}");
        assert!(!text.contains("p&w"), "{family:?}\n{text}");
        assert!(text.contains("201") && text.contains("202") && text.contains("Team"), "{family:?}\n{text}");
        assert_eq!(text.matches('<').count(), text.matches('>').count(), "{family:?}\n{text}");
    }
    assert!(settings(Family::Grandstream).contains("<P32>5</P32>"), "minutes");
    assert!(settings(Family::Grandstream).contains("<P57>9</P57>"), "G.722 first");
    assert!(settings(Family::Poly).contains("transport=\"TLS\""));
    assert!(settings(Family::Snom).contains("g722,pcma,telephone-event"));
}

#[test]
fn a_phone_gets_its_own_files_and_no_others() {
    let mac: Mac = "001565abcdef".parse().unwrap();
    assert_eq!(asked(Family::Yealink, mac, "001565ABCDEF.cfg"), Some(Asked::Settings));
    assert_eq!(asked(Family::Yealink, mac, "y000000000028.cfg"), Some(Asked::Nothing));
    assert_eq!(asked(Family::Yealink, mac, "001565abcdef.boot"), Some(Asked::Nothing));
    assert_eq!(asked(Family::Yealink, mac, "001565abcdee.cfg"), None);
    assert_eq!(asked(Family::Poly, mac, "000000000000.cfg"), Some(Asked::Master));
    assert_eq!(asked(Family::Poly, mac, "001565abcdef-phone.cfg"), Some(Asked::Settings));
    assert_eq!(asked(Family::Grandstream, mac, "cfg001565abcdef.xml"), Some(Asked::Settings));
    assert_eq!(asked(Family::Snom, mac, "001565ABCDEF.xml"), Some(Asked::Settings));
}

#[test]
fn a_hardware_address_is_read_in_every_dress() {
    for text in ["00:15:65:ab:cd:ef", "00-15-65-AB-CD-EF", "0015.65ab.cdef", "001565ABCDEF"] {
        assert_eq!(text.parse::<Mac>().unwrap().to_string(), "00:15:65:ab:cd:ef");
    }
    for text in ["", "00:15:65:ab:cd", "00:15:65:ab:cd:eg", "001565abcdef0"] {
        assert!(text.parse::<Mac>().is_err(), "{text}");
    }
}

#[test]
fn what_a_phone_is_told_does_not_print() {
    assert!(!format!("{:?}", phone(Family::Snom)).contains("p&w"));
}
