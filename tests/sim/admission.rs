//! Who comes into a meeting by browser or telephone, who is kept out, and as whom: in virtual time.

use std::time::Duration;

use ringlift::base::{Cause, ParticipantId};
use ringlift::gateway::Record;
use ringlift::gateway::command::Command;
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{Invited, ServerMessage, Welcome};
use ringlift::room::{Operation, Role, State};
use serde_json::{Value, json};

use crate::pages::{Page, refused};
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

/// What a host's page gets for an invitation.
fn invited(world: &mut World, page: &mut Page, wanted: Value) -> Invited {
    match world.says(page, json!({ "type": "invite", "invitation": wanted })) {
        ServerMessage::Invited { invitation, .. } => *invitation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_invites_from_the_meeting_and_nobody_else_does() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let mut guest = world.page_by_pin(PIN, "Gus");
    let mia = invited(&mut world, &mut host, json!({ "role": "member", "name": "Mia", "seconds": 120 }));
    assert_eq!((mia.role, mia.name.as_deref(), mia.personal), (Role::Member, Some("Mia"), true));
    assert_eq!(mia.path.expose(), format!("/j/{}", mia.ticket.expose()));
    let mut page = world.opens_page();
    let welcome = world.joins(&mut page, json!({ "ticket": mia.ticket.expose() }));
    let me = welcome.people.iter().find(|person| person.id == page.you).unwrap();
    assert_eq!((welcome.role, me.name.as_deref()), (Role::Member, Some("Mia")));
    // Without wishes: a link for any number of guests.
    let ServerMessage::Invited { invitation, .. } = world.says(&mut host, json!({ "type": "invite" })) else {
        panic!("no invitation");
    };
    assert_eq!((invitation.role, invitation.personal, invitation.uses), (Role::Guest, false, None));
    for name in ["Ann", "Ben"] {
        let mut page = world.opens_page();
        let welcome = world.joins(&mut page, json!({ "ticket": invitation.ticket.expose(), "name": name }));
        assert_eq!(welcome.role, Role::Guest);
    }
    // Members and guests may not; nonsense is said to be so.
    for page in [&mut page, &mut guest] {
        assert_eq!(refused(&world.says(page, json!({ "type": "invite" }))), Some(Code::HostOnly));
    }
    for (wish, code) in [
        (json!({ "uses": 0 }), Code::BadInvitation),
        (json!({ "seconds": 59 }), Code::BadInvitation),
        (json!({ "name": "x".repeat(65) }), Code::BadName),
        (json!({ "role": "king" }), Code::BadMessage),
    ] {
        assert_eq!(refused(&world.says(&mut host, json!({ "type": "invite", "invitation": wish }))), Some(code));
    }
    let flood = (0..70).map(|_| world.says(&mut host, json!({ "type": "invite" })));
    assert_eq!(flood.filter(|said| refused(said) == Some(Code::TooOften)).count(), 12, "sixty at once");
}

/// What somebody is called, as this page sees it.
fn name_of(welcome: &Welcome, who: ParticipantId) -> String {
    welcome.people.iter().find(|person| person.id == who).unwrap().display.clone()
}

#[test]
fn who_is_removed_does_not_come_straight_back() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let own = world.invites(Role::Guest, Some("Ida"), true, None);
    let general = invited(&mut world, &mut host, json!({})).ticket;
    let mut ida = world.opens_page_from("198.51.100.7");
    world.joins(&mut ida, json!({ "ticket": own.expose() }));
    let resume = ida.resume.clone();
    assert_eq!(world.does(&mut host, json!({ "operation": "remove", "participant": ida.you })), None);
    let told = world.told(&ida);
    let Some(ServerMessage::Bye { cause: Cause::Removed, text }) = told.last() else { panic!("{told:?}") };
    assert_eq!(text, "a host removed you from the meeting");
    assert!(world.records.iter().any(|record| matches!(record, Record::TicketRevoked { .. })), "for good");
    // By the invitation that was hers alone, and by the place she had: no more.
    let mut back = world.opens_page_from("198.51.100.7");
    let said = world.tries(&mut back, json!({ "ticket": own.expose(), "resume": resume.expose() }));
    assert_eq!(refused(&said), Some(Code::RevokedTicket));
    // By what everybody has: into the lobby, of a room that has none for others.
    for (by, from) in [
        (json!({ "ticket": general.expose(), "name": "Someone" }), "198.51.100.7"),
        (json!({ "passcode": PIN, "name": "Someone" }), "198.51.100.7"),
        (json!({ "passcode": PIN, "name": "\u{200b}ida" }), "198.51.100.99"),
    ] {
        let mut back = world.opens_page_from(from);
        let welcome = world.joins(&mut back, by.clone());
        assert_eq!((welcome.state, welcome.people.len()), (State::Lobby, 1), "{by}");
        assert_eq!(world.does(&mut host, json!({ "operation": "refuse", "participant": back.you })), None);
        let told = world.told(&back);
        let Some(ServerMessage::Bye { cause: Cause::NotAdmitted, text }) = told.last() else { panic!("{told:?}") };
        assert_eq!(text, "you were not let into the meeting");
    }
    // Others come as ever, and so does somebody of the same house with an invitation of their own.
    let mut other = world.opens_page_from("198.51.100.50");
    assert_eq!(world.joins(&mut other, json!({ "passcode": PIN, "name": "Otto" })).state, State::Active);
    let neighbour = invited(&mut world, &mut host, json!({ "name": "Nora" })).ticket;
    let mut nora = world.opens_page_from("198.51.100.7");
    assert_eq!(world.joins(&mut nora, json!({ "ticket": neighbour.expose() })).state, State::Active);
    // Let in again, she is as others are.
    let mut back = world.opens_page_from("198.51.100.7");
    world.joins(&mut back, json!({ "passcode": PIN, "name": "Ida" }));
    assert_eq!(world.does(&mut host, json!({ "operation": "admit", "participant": back.you })), None);
    world.says(&mut back, json!({ "type": "leave" }));
    let mut again = world.opens_page_from("198.51.100.7");
    assert_eq!(world.joins(&mut again, json!({ "passcode": PIN, "name": "Ida" })).state, State::Active);
}

#[test]
fn a_removed_caller_who_dials_again_waits_in_the_lobby_and_hears_so() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let phone = &mut Phone::new(1);
    let leg = world.join(phone, PIN);
    let id = world.place(leg).unwrap().id;
    assert_eq!(world.does(&mut host, json!({ "operation": "remove", "participant": id })), None);
    assert!(world.was_told(leg, "removed"));
    world.finish_playing(leg);
    let again = &mut Phone { call_id: "again".into(), ..Phone::new(1) };
    let leg = world.join(again, PIN);
    let place = world.place(leg).unwrap();
    assert_eq!(place.state, State::Lobby);
    assert!(world.was_told(leg, "waiting-in-lobby") && !world.bridged.contains_key(&leg));
    assert_eq!(world.sees(&host, place.id).unwrap().state, State::Lobby, "the host sees who knocks");
    // Refused, it is told so, and the log says the same.
    assert_eq!(world.does(&mut host, json!({ "operation": "refuse", "participant": place.id })), None);
    assert!(world.was_told(leg, "not-admitted"));
    let left = |event: &Happening| matches!(event, Happening::Left { participant, cause: Cause::NotAdmitted, .. } if *participant == place.id);
    assert!(world.events.iter().any(left));
    world.finish_playing(leg);
    // Another number comes straight in, and once the meeting is over all is forgotten.
    let other = world.join(&mut Phone::new(2), PIN);
    assert_eq!(world.place(other).unwrap().state, State::Active);
    assert_eq!(world.does(&mut host, json!({ "operation": "end" })), None);
    world.finish_playing(other);
    let third = &mut Phone { call_id: "third".into(), ..Phone::new(1) };
    let leg = world.join(third, PIN);
    assert_eq!(world.place(leg).unwrap().state, State::Active);
}

#[test]
fn a_hosts_mute_stays_with_whoever_leaves_and_comes_back() {
    let mut world = World::with(|room| room.self_unmute = false, |_| {});
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let own = world.invites(Role::Guest, Some("Ida"), true, None);
    let mut ida = world.opens_page_from("198.51.100.7");
    world.joins(&mut ida, json!({ "ticket": own.expose() }));
    world.does(&mut host, json!({ "operation": "mute", "participant": ida.you }));
    let muted = |welcome: &Welcome| {
        let me = welcome.people.iter().find(|person| person.id == welcome.you).unwrap();
        me.muted_by_host
    };
    // A newer tab, the same place again, a new place from elsewhere, another name from the same address.
    let mut tab = world.opens_page_from("198.51.100.8");
    assert!(muted(&world.joins(&mut tab, json!({ "ticket": own.expose() }))));
    world.drops(&tab);
    let mut back = world.opens_page_from("198.51.100.9");
    assert!(muted(&world.joins(&mut back, json!({ "resume": tab.resume.expose() }))));
    for (from, by) in [
        ("198.51.100.9", json!({ "ticket": own.expose() })),
        ("198.51.100.9", json!({ "ticket": own.expose() })),
        ("198.51.100.7", json!({ "passcode": PIN, "name": "Somebody else" })),
    ] {
        world.says(&mut back, json!({ "type": "leave" }));
        back = world.opens_page_from(from);
        assert!(muted(&world.joins(&mut back, by)));
        let said = world.says(&mut back, json!({ "type": "publish", "source": "microphone", "on": true }));
        assert_eq!(refused(&said), Some(Code::MutedByHost));
    }
    // A caller alike.
    let phone = &mut Phone::new(1);
    let leg = world.join(phone, PIN);
    let id = world.place(leg).unwrap().id;
    world.does(&mut host, json!({ "operation": "mute", "participant": id }));
    world.bye(phone);
    let again = &mut Phone { call_id: "again".into(), ..Phone::new(1) };
    let leg = world.join(again, PIN);
    assert!(world.bridged[&leg] && world.place(leg).unwrap().muted_by_host);
    assert!(world.was_told(leg, "muted-by-host"), "{:?}", world.heard.get(&leg));
    // Heard again, they stay so.
    world.does(&mut host, json!({ "operation": "unmute", "participant": back.you }));
    world.says(&mut back, json!({ "type": "leave" }));
    back = world.opens_page_from("198.51.100.7");
    assert!(!muted(&world.joins(&mut back, json!({ "passcode": PIN, "name": "Somebody else" }))));
    // Everybody is muted, those who come later too; until it is taken back.
    world.does(&mut host, json!({ "operation": "mute_all" }));
    let mut late = world.opens_page_from("203.0.113.77");
    assert!(muted(&world.joins(&mut late, json!({ "passcode": PIN, "name": "Late" }))));
    let caller = world.join(&mut Phone::new(2), PIN);
    assert!(world.bridged[&caller]);
    world.does(&mut host, json!({ "operation": "unmute_all" }));
    assert!(!world.bridged[&caller] && !world.bridged[&leg]);
    let mut later = world.opens_page_from("203.0.113.78");
    assert!(!muted(&world.joins(&mut later, json!({ "passcode": PIN, "name": "Later" }))));
}

#[test]
fn nobody_passes_for_the_host() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Anna Berg");
    for (name, shown) in [
        ("anna  berg", "anna berg (2)"),
        ("Anna\u{200b} Berg\u{202e}", "Anna Berg (3)"),
        ("\u{410}nn\u{430} Berg", "\u{410}nn\u{430} Berg (4)"),
        ("Host", "Host (2)"),
        ("operator", "operator (2)"),
    ] {
        let mut page = world.opens_page();
        let welcome = world.joins(&mut page, json!({ "passcode": PIN, "name": name }));
        assert_eq!(name_of(&welcome, page.you), shown, "{name:?}");
    }
    let mut ben = world.page_by_pin(PIN, "Ben");
    let rename = json!({ "operation": "rename", "participant": ben.you, "name": "ANNA BERG" });
    assert_eq!(world.does(&mut ben, rename), None);
    assert_eq!(world.sees(&host, ben.you).unwrap().display, "ANNA BERG (5)");
    let rename = json!({ "operation": "rename", "participant": ben.you, "name": "\u{2066}\u{301}" });
    assert_eq!(world.does(&mut ben, rename), Some(Code::BadName));
    // A caller's masked number is nobody's name, and one's own name is nobody else's.
    let caller = world.join(&mut Phone::new(1), PIN);
    let number = world.place(caller).unwrap().number.unwrap();
    let rename = json!({ "operation": "rename", "participant": ben.you, "name": number });
    assert_eq!(world.does(&mut ben, rename), None);
    assert_eq!(world.sees(&host, ben.you).unwrap().display, format!("{number} (2)"));
    let rename = json!({ "operation": "rename", "participant": host.you, "name": "Anna BERG" });
    assert_eq!(world.does(&mut host, rename), None);
    assert_eq!(world.sees(&host, host.you).unwrap().display, "Anna BERG");
}

#[test]
fn a_meeting_that_has_a_host_keeps_one_and_the_eldest_member_follows_who_leaves() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let gus = world.page_by_pin(PIN, "Gus");
    let ticket = world.invites(Role::Member, Some("Mia"), true, None);
    let mut mia = world.opens_page();
    world.joins(&mut mia, json!({ "ticket": ticket.expose() }));
    for role in ["guest", "member"] {
        let demote = json!({ "operation": "set_role", "participant": host.you, "role": role });
        assert_eq!(world.does(&mut host, demote), Some(Code::LastHost));
    }
    let demote = Operation::SetRole { participant: host.you, role: Role::Guest };
    assert!(world.ask(Command::Operate { room: ROOM, operation: demote }).is_err(), "nor by API");
    // With another host it may.
    let promote = json!({ "operation": "set_role", "participant": mia.you, "role": "host" });
    assert_eq!(world.does(&mut host, promote), None);
    let demote = json!({ "operation": "set_role", "participant": mia.you, "role": "member" });
    assert_eq!(world.does(&mut mia, demote), None);
    // The host's connection drops: for half a minute it is host still.
    world.drops(&host);
    world.pass(Duration::from_secs(20));
    assert_eq!(world.sees(&mia, host.you).unwrap().role, Role::Host);
    world.pass(Duration::from_secs(11));
    assert_eq!(world.sees(&gus, mia.you).unwrap().role, Role::Host, "the member follows, never a guest");
    assert_eq!(world.does(&mut mia, json!({ "operation": "mute", "participant": gus.you })), None);
    // Whoever has the right comes back as host, beside the other.
    let mut back = world.opens_page();
    assert_eq!(world.joins(&mut back, json!({ "passcode": HOST_PIN, "name": "Hanna" })).role, Role::Host);
    // Where guests are left alone, none becomes host.
    for page in [&mut back, &mut mia] {
        world.says(page, json!({ "type": "leave" }));
    }
    assert!(world.room().participants.iter().all(|person| person.role == Role::Guest));
}
