//! Telephones register, and whoever is none of ours does not.

use std::time::Duration;

use ringlift::base::Secret;
use ringlift::base::id::ExtensionId;
use ringlift::gateway::command::Command;
use ringlift::gateway::event::Happening;
use ringlift::profile::{Book, Profile};
use ringlift::route::Extension;
use ringlift::sip::auth::Algorithm;
use ringlift::sip::registrar::Gone;
use ringlift::wire::sip::{Method, Name};

use crate::telephone::{Telephone, extension, registrations};
use crate::world::World;

fn came(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event, Happening::ExtensionRegistered { .. })).count()
}

fn left(world: &World) -> Vec<Gone> {
    let left = world.events.iter().filter_map(|event| match event {
        Happening::ExtensionUnregistered { why, .. } => Some(*why),
        _ => None,
    });
    left.collect()
}

#[test]
fn a_phone_registers_by_either_digest_and_shows_up() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        let mut world = World::new();
        let id = extension(&mut world, 101);
        let mut desk = Telephone { algorithm, ..Telephone::new(101) };
        let answer = desk.register(&mut world, 300);
        assert_eq!(answer.status.code(), 200);
        assert_eq!(answer.headers.get(Name::Contact), Some("<sip:101@10.0.0.101:5060>;expires=300"));
        let [phone] = &registrations(&mut world)[..] else { panic!("one phone") };
        assert_eq!((phone.extension, phone.expires_in), (id, 300));
        assert_eq!(phone.address, "udp 203.0.113.101:41000", "where it really is");
        assert!(phone.behind_nat);
        assert_eq!(phone.user_agent.as_deref(), Some("Yealink SIP-T46U 108.86.0.45"));
        assert_eq!(came(&world), 1);
        desk.register(&mut world, 300);
        assert_eq!((came(&world), registrations(&mut world).len()), (1, 1), "a refresh is no news");
        world.pass(Duration::from_secs(301));
        assert_eq!(left(&world), [Gone::Expired]);
        world.ends_clean();
    }
}

#[test]
fn a_phone_is_spoken_to_in_the_dialect_of_its_family() {
    let family =
        |name: &str, agent: &str| Profile { name: name.into(), user_agents: vec![agent.into()], ..Profile::default() };
    let mut world = World::office_with(|directory| {
        directory.profiles = Book::new([family("yealink", "Yealink"), family("snom", "snom")]);
    });
    extension(&mut world, 101);
    Telephone::new(101).register(&mut world, 300);
    assert_eq!(registrations(&mut world)[0].profile, "yealink");
    let mut other = Telephone { user_agent: "snomD785/10.1".into(), ..Telephone::new(101) };
    other.register(&mut world, 300);
    assert_eq!(registrations(&mut world)[0].profile, "snom", "another telephone under the same contact");
    let named = Extension {
        profile: Some("yealink".into()),
        ..Extension::new(ExtensionId::from_bits(101), "101", Secret::new("secret-101"))
    };
    world.ask(Command::PutExtension(Box::new(named))).unwrap();
    other.register(&mut world, 300);
    assert_eq!(registrations(&mut world)[0].profile, "yealink", "as its extension names it");
}

#[test]
fn a_phone_that_stumbles_over_sha_256_is_asked_for_md5_alone() {
    let mut old = Profile { name: "baresip".into(), user_agents: vec!["baresip".into()], ..Profile::default() };
    old.digest = vec!["MD5".into()];
    let mut world = World::office_with(|directory| directory.profiles = Book::new([old]));
    extension(&mut world, 101);
    let mut asked_of = |agent: &str| {
        let mut phone = Telephone { user_agent: agent.into(), ..Telephone::new(101) };
        phone.call_id = format!("asks-{}", agent.len());
        phone.send(&mut world, "REGISTER", "sip:198.51.100.1", "Contact: <sip:101@10.0.0.101>\n", "");
        let asked = phone.response(&mut world).unwrap();
        let values: Vec<String> = asked.headers.fields_of(&Name::WwwAuthenticate).map(str::to_owned).collect();
        values
    };
    let both = asked_of("Linphone");
    assert!(both.len() == 2 && both[0].contains("algorithm=SHA-256"), "the strongest first: {both:?}");
    let one = asked_of("baresip v1.0.0 (x86_64/linux)");
    assert!(one.len() == 1 && one[0].contains("algorithm=MD5"), "{one:?}");
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut world = World::new();
    extension(&mut world, 101);
    extension(&mut world, 102);
    let mut desk = Telephone::new(101);
    desk.register(&mut world, 300);
    let uri = "sip:198.51.100.1";
    let mut thief = Telephone::new(102);
    thief.send(&mut world, "REGISTER", uri, "Contact: <sip:102@10.0.0.102>\n", "");
    assert_eq!(thief.response(&mut world).unwrap().status.code(), 401, "no credentials");
    // Their own password, and another's address of record.
    (thief.user, thief.password) = ("101".into(), "secret-102".into());
    assert_eq!(thief.register(&mut world, 300).status.code(), 401, "a wrong password");
    let mut thief = Telephone { aor: "101".into(), ..Telephone::new(102) };
    assert_eq!(thief.register(&mut world, 300).status.code(), 403, "a right one, of somebody else");
    let all = registrations(&mut world);
    assert!(all.len() == 1 && all[0].address.starts_with("udp 203.0.113.101"), "{all:?}");
    assert_eq!(world.status().refused.len(), 1, "counted");
    world.ends_clean();
}

#[test]
fn credentials_that_were_seen_on_the_wire_are_of_no_use() {
    let mut world = World::new();
    extension(&mut world, 101);
    let mut desk = Telephone::new(101);
    desk.register(&mut world, 300);
    let uri = "sip:198.51.100.1";
    let lines = format!("Contact: <sip:101@10.6.6.6>\nAuthorization: {}\n", desk.shown);
    desk.send(&mut world, "REGISTER", uri, &lines, "");
    let answer = desk.response(&mut world).unwrap();
    assert_eq!(answer.status.code(), 401);
    assert!(answer.headers.get(Name::WwwAuthenticate).unwrap().contains("stale=true"));
    let mut far = Telephone { source: Telephone::new(66).source, ..desk.clone() };
    far.send(&mut world, "REGISTER", uri, &lines, "");
    assert_eq!(far.response(&mut world).unwrap().status.code(), 401, "from elsewhere still less");
    assert_eq!(registrations(&mut world).len(), 1);
    assert!(!registrations(&mut world)[0].contact.contains("10.6.6.6"));
}

#[test]
fn passwords_are_not_guessed_at_speed_and_those_who_know_theirs_are_let_in() {
    let mut world = World::new();
    extension(&mut world, 101);
    let mut guesser = Telephone { password: "guess".into(), ..Telephone::new(101) };
    guesser.source.remote = "198.18.0.1:5060".parse().unwrap();
    for _ in 0..10 {
        assert_eq!(guesser.register(&mut world, 300).status.code(), 401);
    }
    guesser.send(&mut world, "REGISTER", "sip:198.51.100.1", "Contact: <sip:101@198.18.0.1>\n", "");
    assert!(guesser.response(&mut world).is_none(), "it is not even answered any more");
    // Of names that nobody has it learns nothing.
    let mut scanner = Telephone { user: "100".into(), password: "x".into(), ..Telephone::new(101) };
    scanner.source.remote = "198.18.0.2:5060".parse().unwrap();
    assert_eq!(scanner.register(&mut world, 300).status.code(), 401);
    assert_eq!(Telephone::new(101).register(&mut world, 300).status.code(), 200, "the owner is not locked out");
}

#[test]
fn a_storm_is_let_in_at_a_pace_and_told_when_to_come_back() {
    let mut world = World::with(|_| {}, |settings| settings.registers_per_second = 20);
    let mut waiting: Vec<(u64, Telephone)> = Vec::new();
    for number in 101..161 {
        extension(&mut world, number);
        waiting.push((0, Telephone::new(number)));
    }
    let (mut sent_away, mut seconds) = (0, 0);
    while !waiting.is_empty() {
        assert!(seconds < 120, "{} phones are still away", waiting.len());
        waiting.retain_mut(|(due, desk)| {
            if *due > seconds {
                return true;
            }
            let answer = desk.register(&mut world, 600);
            if answer.status.code() == 200 {
                return false;
            }
            assert_eq!(answer.status.code(), 503);
            let after: u64 = answer.headers.get(Name::RetryAfter).unwrap().parse().unwrap();
            assert!((5..35).contains(&after), "{after}");
            *due = seconds + after;
            sent_away += 1;
            true
        });
        seconds += 1;
        world.pass(Duration::from_secs(1));
    }
    assert!(sent_away >= 40, "the first second takes twenty");
    assert_eq!(registrations(&mut world).len(), 60);
}

#[test]
fn a_phone_by_tcp_is_gone_with_its_connection() {
    let mut world = World::new();
    extension(&mut world, 101);
    let mut desk = Telephone::new(101).by_tcp(7);
    desk.contact = "<sip:101@10.0.0.9:5060;transport=tcp>".into();
    assert_eq!(desk.register(&mut world, 300).status.code(), 200);
    assert_eq!(registrations(&mut world)[0].address, "tcp 203.0.113.101:41000");
    desk.disconnect(&mut world);
    assert!(registrations(&mut world).is_empty());
    assert_eq!(left(&world), [Gone::ConnectionClosed]);
}

#[test]
fn an_extension_that_is_gone_or_has_a_new_password_has_no_telephones() {
    let mut world = World::new();
    extension(&mut world, 101);
    Telephone::new(101).register(&mut world, 300);
    extension(&mut world, 101);
    assert_eq!(registrations(&mut world).len(), 1, "nothing has changed");
    let changed = Extension::new(ExtensionId::from_bits(101), "101", Secret::new("a new one"));
    world.ask(Command::PutExtension(Box::new(changed))).unwrap();
    assert!(registrations(&mut world).is_empty());
    assert_eq!(Telephone::new(101).register(&mut world, 300).status.code(), 401);
    world.ask(Command::DeleteExtension(ExtensionId::from_bits(101))).unwrap();
    assert_eq!(left(&world), [Gone::Removed]);
}

#[test]
fn a_phone_that_keeps_its_way_open_by_notify_is_answered() {
    let mut world = World::new();
    let mut desk = Telephone::new(101);
    desk.send(&mut world, "NOTIFY", "sip:198.51.100.1", "Event: keep-alive\nSubscription-State: active\n", "");
    assert_eq!(desk.response(&mut world).unwrap().status.code(), 200);
    desk.send(&mut world, "NOTIFY", "sip:198.51.100.1", "Event: telepathy\nSubscription-State: active\n", "");
    assert_eq!(desk.response(&mut world).unwrap().status.code(), 489);
}

#[test]
fn a_phone_is_made_to_read_its_settings_and_given_credentials_if_it_asks() {
    let mut world = World::new();
    let id = extension(&mut world, 101);
    assert!(world.ask(Command::CheckSync(id)).is_err(), "nobody is there");
    let mut desk = Telephone::new(101);
    desk.register(&mut world, 300);
    world.ask(Command::CheckSync(id)).unwrap();
    let asked = desk.request(&mut world).expect("a NOTIFY");
    assert_eq!((&asked.method, asked.headers.get(Name::Event)), (&Method::Notify, Some("check-sync")));
    assert_eq!(asked.uri.as_str(), "sip:101@10.0.0.101:5060");
    let challenge = "WWW-Authenticate: Digest realm=\"phone\", nonce=\"n\", qop=\"auth\"\n";
    desk.answer(&mut world, &asked, 401, challenge);
    let again = desk.request(&mut world).expect("a second NOTIFY");
    assert!(again.headers.get(Name::Authorization).unwrap().contains("username=\"101\""));
    assert_eq!(again.headers.cseq().unwrap().seq, asked.headers.cseq().unwrap().seq + 1);
    desk.answer(&mut world, &again, 401, challenge);
    assert!(desk.request(&mut world).is_none(), "not for ever");
    world.ends_clean();
}
