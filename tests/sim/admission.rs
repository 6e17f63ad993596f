//! Who comes into a meeting by browser or telephone, who is kept out, and as whom: in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use ringlift::base::id::TicketId;
use ringlift::base::{Cause, ParticipantId, Secret};
use ringlift::gateway::Record;
use ringlift::gateway::command::{Command, Reply};
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::protocol::{Invited, ServerMessage, Welcome};
use ringlift::gateway::web::{Code, Preview};
use ringlift::room::{Operation, Role, State};
use ringlift::ticket::Ticket;
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

#[test]
fn one_place_is_not_taken_again_and_again_and_what_was_written_is_bounded() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    // Two hundred of the longest lines, of letters that take four bytes each.
    for _ in 0..200 {
        world.pass(Duration::from_secs(1));
        let said = world.says(&mut host, json!({ "type": "chat", "text": "\u{1f600}".repeat(2000) }));
        assert_eq!(refused(&said), None);
    }
    let anna = world.page_by_pin(PIN, "Anna");
    let (mut resume, mut refusals, mut largest) = (anna.resume.clone(), 0, 0);
    for _ in 0..100 {
        let mut tab = world.opens_page();
        match world.tries(&mut tab, json!({ "resume": resume.expose() })) {
            ServerMessage::Welcome(welcome) => {
                largest = largest.max(serde_json::to_vec(&welcome.chat).unwrap().len());
                resume = welcome.resume.clone();
            }
            ServerMessage::Problem { code: Code::TooOften, after_ms: Some(after), .. } => {
                assert!((1..=5000).contains(&after), "{after}");
                refusals += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(refusals, 92, "eight at once");
    assert!((32_000..=70_000).contains(&largest), "{largest} bytes");
    // Later it may again, and the place was kept all the while.
    world.pass(Duration::from_secs(6));
    let mut tab = world.opens_page();
    assert!(world.joins(&mut tab, json!({ "resume": resume.expose() })).resumed);
}

#[test]
fn one_address_does_not_fill_a_room_and_an_office_comes_in() {
    let mut world = World::with(|room| room.max_participants = 120, |_| {});
    let comes = |world: &mut World, from: &str| {
        let mut page = world.opens_page_from(from);
        world.tries(&mut page, json!({ "passcode": PIN, "name": "Someone" }))
    };
    let mut codes = Vec::new();
    for _ in 0..40 {
        codes.push(refused(&comes(&mut world, "198.51.100.7")));
    }
    assert_eq!(codes.iter().filter(|code| code.is_none()).count(), 30, "thirty at once");
    assert!(codes.iter().skip(30).all(|code| *code == Some(Code::TooOften)));
    assert_eq!(refused(&comes(&mut world, "198.51.100.8")), None, "others are not held up");
    // One a second after that, until the address has its share.
    let mut inside = 30;
    for _ in 0..40 {
        world.pass(Duration::from_secs(1));
        match refused(&comes(&mut world, "198.51.100.7")) {
            None => inside += 1,
            Some(code) => assert_eq!((code, inside), (Code::AddressFull, 60), "half of the room"),
        }
    }
    assert_eq!(inside, 60);
    assert_eq!(refused(&comes(&mut world, "198.51.100.9")), None);
}

/// What a link shows before anybody joins by it.
fn preview(world: &mut World, ticket: &Secret, resume: Option<Secret>) -> Result<Preview, Code> {
    let (ticket, from) = (ticket.clone(), "198.51.100.7".parse().unwrap());
    match world.ask(Command::Preview { ticket, resume, from }) {
        Ok(Reply::Preview(found)) => found.map(|preview| *preview),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_link_says_what_it_is_for_before_anybody_joins_and_changes_nothing() {
    let mut world = World::with(|room| room.lobby = true, |_| {});
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let once = invited(&mut world, &mut host, json!({ "name": "Gus", "uses": 1, "seconds": 3600 }));
    for _ in 0..5 {
        let seen = preview(&mut world, &once.ticket, None).unwrap();
        assert_eq!((seen.room.as_str(), seen.name.as_deref(), seen.role), ("Room", Some("Gus"), Role::Guest));
        assert!(seen.personal && seen.lobby && seen.started && !seen.waits_for_host && !seen.locked && !seen.full);
        assert_eq!(seen.expires, once.expires);
    }
    let member = invited(&mut world, &mut host, json!({ "role": "member", "uses": 1 })).ticket;
    assert!(!preview(&mut world, &member, None).unwrap().lobby, "members wait in no lobby");
    // Used up; but not for whoever used it.
    let mut mia = world.opens_page();
    world.joins(&mut mia, json!({ "ticket": member.expose(), "name": "Mia" }));
    assert_eq!(preview(&mut world, &member, None), Err(Code::UsedTicket));
    assert!(preview(&mut world, &member, Some(mia.resume.clone())).is_ok());
    let withdrawn = invited(&mut world, &mut host, json!({}));
    assert_eq!(world.ask(Command::DeleteTicket(withdrawn.id)), Ok(Reply::Done));
    assert_eq!(preview(&mut world, &withdrawn.ticket, None), Err(Code::RevokedTicket));
    let unknown = Secret::new("0000000000000000000000000a");
    assert_eq!(preview(&mut world, &unknown, None), Err(Code::BadTicket));
    world.now = world.now.plus(Duration::from_secs(3601));
    assert_eq!(preview(&mut world, &once.ticket, None), Err(Code::ExpiredTicket));
    // Nothing was spent by looking.
    let used = |record: &&Record| matches!(record, Record::TicketUsed { .. });
    assert_eq!(world.records.iter().filter(used).count(), 1);
}

#[test]
fn whoever_spent_the_only_use_of_a_link_comes_back_without_another() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let once = invited(&mut world, &mut host, json!({ "role": "member", "name": "Mia", "uses": 1 }));
    let mut mia = world.opens_page();
    world.joins(&mut mia, json!({ "ticket": once.ticket.expose() }));
    // The connection is away for longer than the place is kept.
    world.drops(&mia);
    world.pass(Duration::from_secs(40));
    let mut stranger = world.opens_page_from("198.51.100.9");
    let said = world.tries(&mut stranger, json!({ "ticket": once.ticket.expose() }));
    assert_eq!(refused(&said), Some(Code::UsedTicket), "for anybody else");
    let mut back = world.opens_page();
    let welcome = world.joins(&mut back, json!({ "ticket": once.ticket.expose(), "resume": mia.resume.expose() }));
    assert_eq!((welcome.role, welcome.resumed, world.room().participants.len()), (Role::Member, false, 2));
    // The program ends without a word, and begins anew with what was kept.
    let kept = kept_tickets(&world);
    let mut world = World::of(|_| {}, |_| {}, |directory| directory.tickets = kept);
    world.page_by_pin(PIN, "Otto");
    let mut again = world.opens_page();
    let by = json!({ "ticket": once.ticket.expose(), "resume": back.resume.expose() });
    let welcome = world.joins(&mut again, by.clone());
    assert_eq!((welcome.role, name_of(&welcome, again.you).as_str()), (Role::Member, "Mia"));
    // The welcome was lost on the way: the same once more takes the same place, and not a second.
    let mut lost = world.opens_page();
    assert_eq!(world.joins(&mut lost, by).you, again.you);
    assert_eq!(world.room().participants.len(), 2);
    // Removed, it brings nobody back.
    let remove = Operation::Remove { participant: again.you };
    world.ask(Command::Operate { room: ROOM, operation: remove }).unwrap();
    let mut out = world.opens_page();
    let said = world.tries(&mut out, json!({ "ticket": once.ticket.expose(), "resume": lost.resume.expose() }));
    assert_eq!(refused(&said), Some(Code::RevokedTicket));
}

/// What the store has of tickets, from what it was told.
fn kept_tickets(world: &World) -> Vec<Ticket> {
    let mut kept: BTreeMap<TicketId, Ticket> = BTreeMap::new();
    for record in &world.records {
        match record {
            Record::Invited { ticket, .. } | Record::ResumeKept { ticket, .. } => {
                kept.insert(ticket.id, (**ticket).clone());
            }
            Record::TicketUsed { ticket, used } => kept.get_mut(ticket).unwrap().used = *used,
            Record::ResumeGone { ticket } => drop(kept.remove(ticket)),
            _ => {}
        }
    }
    kept.into_values().collect()
}
