//! Browsers and telephones in one room: two pages and phones, in virtual time.

use std::time::Duration;

use ringlift::base::{Cause, LegId, ParticipantId};
use ringlift::gateway::Input;
use ringlift::gateway::command::Command;
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{AudioBy, ServerMessage};
use ringlift::media::command::{MediaCommand, MediaEvent};
use ringlift::media::web::{Source, WebCommand, WebEvent};
use ringlift::room::{Operation, Role, State};
use serde_json::json;

use crate::pages::{Page, refused};
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

/// The leg a person's voice is carried by.
fn leg_of(world: &mut World, id: ParticipantId) -> LegId {
    let room = world.room();
    room.participants.iter().find(|p| p.id == id).and_then(|p| p.audio).expect("a leg")
}

/// The first packet of a browser's microphone comes, or none any more.
pub fn speaks(world: &mut World, web: LegId, on: bool) {
    world.give(Input::WebMedia(WebEvent::Flowing { leg: web, source: Source::Microphone, on }));
}

/// A page offers its peer connection, which is answered and stands.
pub fn connects(world: &mut World, page: &mut Page) -> LegId {
    world.says(page, json!({ "type": "offer", "sdp": "v=0" }));
    let leg = world
        .web_orders
        .iter()
        .rev()
        .find_map(|order| match order {
            WebCommand::Offer { leg, .. } => Some(*leg),
            _ => None,
        })
        .expect("an offer");
    world.give(Input::WebMedia(WebEvent::Answered { leg, sdp: "v=0 answer".into() }));
    let told = world.told(page);
    assert!(told.iter().any(|told| matches!(told, ServerMessage::Answer { sdp, .. } if sdp == "v=0 answer")));
    world.give(Input::WebMedia(WebEvent::Connected { leg }));
    leg
}

pub fn publishes(world: &World, leg: LegId, source: Source) -> bool {
    let last = world.web_orders.iter().rev().find_map(|order| match order {
        WebCommand::Publish { leg: of, source: what, on } if *of == leg && *what == source => Some(*on),
        _ => None,
    });
    last.unwrap_or(false)
}

#[test]
fn browsers_and_telephones_are_in_one_room_and_each_hears_the_others() {
    let mut world = World::new();
    let mut anna = world.page_by_pin(PIN, "Anna");
    let anna_leg = connects(&mut world, &mut anna);
    let ben = world.join(&mut Phone::new(1), PIN);
    let mut cleo = world.opens_page();
    let welcome = world.joins(&mut cleo, json!({ "passcode": HOST_PIN, "name": "Cleo" }));
    assert_eq!((welcome.role, welcome.state, welcome.people.len()), (Role::Host, State::Active, 3));
    let by: Vec<AudioBy> = welcome.people.iter().map(|person| person.audio).collect();
    assert_eq!(by, [AudioBy::Web, AudioBy::Phone, AudioBy::Web]);
    assert!(welcome.people[1].number.as_deref().is_some_and(|number| number.contains('•')), "masked");
    connects(&mut world, &mut cleo);
    assert_eq!(world.bridged.len(), 3, "all of them hear each other: {:?}", world.bridged);
    assert!(world.bridged.contains_key(&ben) && publishes(&world, anna_leg, Source::Microphone));
    let place = Some((ROOM, anna.you));
    assert!(world.web_orders.contains(&WebCommand::Place { leg: anna_leg, place }));
    assert!(world.web_orders.contains(&WebCommand::Listen { leg: anna_leg, listens: true }));
    // The phone talks: who it is lights up on both pages, and its voice is on a track.
    let ben_id = world.place(ben).unwrap().id;
    world.told(&anna);
    world.give(Input::Media(MediaEvent::Talking { leg: ben, talking: true }));
    world.give(Input::Media(MediaEvent::Slots { room: ROOM, slots: [Some(ben_id), None, None, None] }));
    for page in [&anna, &cleo] {
        let told = world.told(page);
        assert!(told.contains(&ServerMessage::Speaking { participant: ben_id, speaking: true }), "{told:?}");
        assert!(told.contains(&ServerMessage::Slots { slots: vec![Some(ben_id), None, None, None] }));
    }
    // What is heard of a browser is told of its person alike.
    world.give(Input::Media(MediaEvent::Talking { leg: anna_leg, talking: true }));
    assert!(world.told(&cleo).contains(&ServerMessage::Speaking { participant: anna.you, speaking: true }));
}

#[test]
fn mute_by_host_by_self_by_key_and_by_api_is_the_same_everywhere() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let mut anna = world.page_by_pin(PIN, "Anna");
    let leg = connects(&mut world, &mut anna);
    let ben = world.join(&mut Phone::new(1), PIN);
    let ben_id = world.place(ben).unwrap().id;
    // By the host: both planes, all pages.
    assert_eq!(world.does(&mut host, json!({ "operation": "mute", "participant": anna.you })), None);
    assert!(world.sees(&anna, anna.you).unwrap().muted_by_host && world.sees(&host, anna.you).unwrap().muted_by_host);
    assert!(world.bridged[&leg] && !publishes(&world, leg, Source::Microphone));
    // By oneself, back again.
    world.says(&mut anna, json!({ "type": "publish", "source": "microphone", "on": true }));
    let seen = world.sees(&host, anna.you).unwrap();
    assert!(!seen.muted_by_host && !seen.muted_by_self);
    assert!(!world.bridged[&leg] && publishes(&world, leg, Source::Microphone));
    // By key: the pages see it.
    world.key(ben, "*6");
    world.pass(Duration::from_secs(3));
    assert!(world.sees(&anna, ben_id).unwrap().muted_by_self && world.bridged[&ben]);
    // By API.
    world.ask(Command::Operate { room: ROOM, operation: Operation::Mute { participant: anna.you } }).unwrap();
    assert!(world.sees(&anna, anna.you).unwrap().muted_by_host && world.bridged[&leg]);
    // A guest mutes nobody but itself, and opens nobody's microphone.
    assert_eq!(world.does(&mut anna, json!({ "operation": "mute", "participant": host.you })), Some(Code::HostOnly));
    assert_eq!(world.does(&mut host, json!({ "operation": "unmute", "participant": ben_id })), Some(Code::MutedItself));
    assert_eq!(
        world.does(&mut host, json!({ "operation": "show", "participant": anna.you, "source": "camera" })),
        Some(Code::NotAllowed)
    );
}

#[test]
fn the_lobby_is_one_for_browsers_and_telephones_and_only_who_admits_sees_it() {
    let mut world = World::with(|room| room.lobby = true, |_| {});
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let ticket = world.invites(Role::Member, Some("Mia"), true, None);
    let mut mia = world.opens_page();
    let welcome = world.joins(&mut mia, json!({ "ticket": ticket.expose() }));
    assert_eq!((welcome.state, welcome.role), (State::Active, Role::Member), "members wait in no lobby");
    let mut gus = world.opens_page();
    let welcome = world.joins(&mut gus, json!({ "passcode": PIN, "name": "Gus" }));
    assert_eq!(welcome.state, State::Lobby);
    assert!(welcome.people.len() == 1 && welcome.chat.is_empty(), "sees nobody but oneself");
    let phone = world.join(&mut Phone::new(2), PIN);
    assert!(world.was_told(phone, "waiting-in-lobby") || world.place(phone).unwrap().state == State::Lobby);
    assert_eq!(world.sees(&host, gus.you).unwrap().state, State::Lobby);
    assert!(world.bridged.len() == 2, "nobody in the lobby hears or is heard");
    assert_eq!(world.says(&mut gus, json!({ "type": "chat", "text": "hello?" })), problem(3 - 1, Code::NotActive));
    // A second guest, admitted by a member, then sees no others who wait.
    assert_eq!(world.does(&mut mia, json!({ "operation": "admit", "participant": gus.you })), None);
    let told = world.told(&gus);
    let Some(ServerMessage::Admitted(all)) = told.iter().find(|told| matches!(told, ServerMessage::Admitted(_))) else {
        panic!("{told:?}");
    };
    assert_eq!((all.state, all.people.len()), (State::Active, 3), "the phone waits unseen");
    assert!(all.resume != gus.resume);
    // A guest who becomes host sees who waits.
    let promote = json!({ "operation": "set_role", "participant": gus.you, "role": "host" });
    assert_eq!(world.does(&mut mia, promote.clone()), Some(Code::HostOnly));
    assert_eq!(world.does(&mut host, promote), None);
    let told = world.told(&gus);
    assert!(told.iter().any(|told| matches!(told, ServerMessage::People { people } if people.len() == 4)), "{told:?}");
    assert_eq!(world.does(&mut gus, json!({ "operation": "admit_all" })), None);
    assert_eq!(world.place(phone).unwrap().state, State::Active);
}

fn problem(id: u64, code: Code) -> ServerMessage {
    ServerMessage::Problem { id: Some(id), code, detail: code.text().into(), after_ms: None }
}

#[test]
fn who_drops_keeps_the_place_for_half_a_minute_and_comes_back_to_everything() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let mut anna = world.page_by_pin(PIN, "Anna");
    let leg = connects(&mut world, &mut anna);
    let raise = json!({ "operation": "raise_hand", "participant": anna.you });
    assert_eq!(world.does(&mut anna, raise), None);
    world.says(&mut host, json!({ "type": "chat", "text": "welcome" }));
    world.drops(&anna);
    assert!(world.sees(&host, anna.you).unwrap().away);
    assert!(world.bridged.contains_key(&leg), "the audio goes on without the page's connection");
    world.pass(Duration::from_secs(20));
    let mut back = world.opens_page_from("198.51.100.77");
    let welcome = world.joins(&mut back, json!({ "resume": anna.resume.expose() }));
    assert!(welcome.resumed && welcome.you == anna.you && welcome.chat.len() == 1);
    let me = welcome.people.iter().find(|person| person.id == anna.you).unwrap();
    assert!(me.hand == Some(1) && !me.away && me.name.as_deref() == Some("Anna"));
    assert!(!world.sees(&host, anna.you).unwrap().away);
    // The new ticket may have been lost on the way: the one before still counts, once more.
    world.drops(&back);
    let mut again = world.opens_page();
    assert!(world.joins(&mut again, json!({ "resume": anna.resume.expose() })).resumed);
    // Who stays away is gone, and the ticket with the place.
    world.drops(&again);
    world.pass(Duration::from_secs(31));
    assert!(world.told(&host).contains(&ServerMessage::Left { participant: anna.you, cause: Cause::ConnectionLost }));
    assert!(world.web_orders.contains(&WebCommand::Close { leg }) && !world.bridged.contains_key(&leg));
    let mut late = world.opens_page();
    assert_eq!(refused(&world.tries(&mut late, json!({ "resume": again.resume.expose() }))), Some(Code::BadTicket));
    let welcome = world.joins(&mut late, json!({ "resume": again.resume.expose(), "passcode": PIN, "name": "Anna" }));
    assert!(!welcome.resumed, "a new place, by the passcode");
}

#[test]
fn a_new_peer_connection_takes_over_only_once_it_stands() {
    let mut world = World::new();
    let mut anna = world.page_by_pin(PIN, "Anna");
    let old = connects(&mut world, &mut anna);
    world.says(&mut anna, json!({ "type": "publish", "source": "camera", "on": true }));
    assert!(publishes(&world, old, Source::Camera));
    world.drops(&anna);
    let mut back = world.opens_page();
    world.joins(&mut back, json!({ "resume": anna.resume.expose() }));
    world.says(&mut back, json!({ "type": "offer", "sdp": "v=0 again" }));
    let new = world.web_orders.last().map(WebCommand::leg).unwrap();
    assert!(new != old && leg_of(&mut world, anna.you) == old, "not yet");
    world.give(Input::WebMedia(WebEvent::Answered { leg: new, sdp: "v=0".into() }));
    world.give(Input::WebMedia(WebEvent::Connected { leg: new }));
    assert_eq!(leg_of(&mut world, anna.you), new);
    assert!(world.bridged.contains_key(&new) && world.bridged.contains_key(&old), "both, for a moment");
    assert!(publishes(&world, new, Source::Camera));
    world.pass(Duration::from_millis(150));
    assert!(!world.bridged.contains_key(&old) && !publishes(&world, old, Source::Camera));
    world.pass(Duration::from_secs(2));
    assert!(world.web_orders.contains(&WebCommand::Close { leg: old }));
    assert!(world.orders.iter().any(|order| matches!(order, MediaCommand::Close { leg } if *leg == old)));
    // One that fails changes nothing.
    world.says(&mut back, json!({ "type": "offer", "sdp": "v=0 third" }));
    let third = world.web_orders.last().map(WebCommand::leg).unwrap();
    world.told(&back);
    world.give(Input::WebMedia(WebEvent::Refused { leg: third, why: "no audio".into() }));
    assert!(world.told(&back).iter().any(|told| refused(told) == Some(Code::BadOffer)));
    assert!(leg_of(&mut world, anna.you) == new && world.bridged.len() == 1);
    assert_eq!(
        refused(&world.says(&mut anna.clone(), json!({ "type": "offer", "sdp": "", "restart": true }))),
        None,
        "a page that is gone is not answered"
    );
}

#[test]
fn the_newer_tab_of_one_invitation_takes_the_place_of_the_older() {
    let mut world = World::new();
    let ticket = world.invites(Role::Guest, Some("Ida"), true, None);
    let mut first = world.opens_page();
    let welcome = world.joins(&mut first, json!({ "ticket": ticket.expose() }));
    assert_eq!(welcome.people[0].name.as_deref(), Some("Ida"));
    let mut second = world.opens_page();
    let welcome = world.joins(&mut second, json!({ "ticket": ticket.expose() }));
    assert!(welcome.resumed && welcome.you == first.you && welcome.people.len() == 1);
    let told = world.told(&first);
    assert!(told.iter().any(|told| matches!(told, ServerMessage::Bye { cause: Cause::Replaced, .. })), "{told:?}");
    assert!(world.pages.closed.contains(&first.session));
    world.drops(&first);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.room().participants.len(), 1, "the older's end takes nothing from the newer");
    assert!(!world.room().participants[0].away);
}

#[test]
fn invitations_expire_are_used_up_and_are_guessed_in_vain() {
    let mut world = World::with(|_| {}, |settings| settings.pin_burst = 3);
    let once = world.invites(Role::Guest, None, false, Some(1));
    let mut first = world.opens_page();
    world.joins(&mut first, json!({ "ticket": once.expose(), "name": "A" }));
    let mut second = world.opens_page();
    let said = world.tries(&mut second, json!({ "ticket": once.expose(), "name": "B" }));
    assert_eq!(refused(&said), Some(Code::UsedTicket));
    world.pass(Duration::from_secs(1));
    let later = world.invites(Role::Guest, None, false, None);
    world.says(&mut second, json!({ "type": "ping" }));
    world.pass(Duration::from_secs(250));
    world.now = world.now.plus(Duration::from_secs(3600));
    let mut late = world.opens_page();
    assert_eq!(refused(&world.tries(&mut late, json!({ "ticket": later.expose() }))), Some(Code::ExpiredTicket));
    for _ in 0..3 {
        let said = world.tries(&mut late, json!({ "ticket": "0000000000000000000000000" }));
        assert_eq!(refused(&said), Some(Code::BadTicket));
    }
    let said = world.tries(&mut late, json!({ "ticket": "0000000000000000000000001" }));
    assert_eq!(refused(&said), Some(Code::TooManyAttempts));
    for wrong in ["1", "2", "3"] {
        let said = world.tries(&mut late, json!({ "passcode": wrong }));
        assert_eq!(refused(&said), Some(Code::WrongPasscode));
    }
    assert_eq!(refused(&world.tries(&mut late, json!({ "passcode": PIN }))), Some(Code::TooManyAttempts));
    let mut neighbour = world.opens_page_from("198.51.100.3");
    world.joins(&mut neighbour, json!({ "passcode": PIN, "room": ROOM, "name": "N" }));
}

#[test]
fn a_locked_a_full_and_a_leaving_house_say_so() {
    let mut world = World::with(|room| room.max_participants = 2, |_| {});
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    world.does(&mut host, json!({ "operation": "lock" }));
    assert!(world.told(&host).iter().any(|told| matches!(told, ServerMessage::Room { room } if room.locked)));
    let mut guest = world.opens_page();
    assert_eq!(refused(&world.tries(&mut guest, json!({ "passcode": PIN }))), Some(Code::RoomLocked));
    world.does(&mut host, json!({ "operation": "unlock" }));
    world.joins(&mut guest, json!({ "passcode": PIN }));
    let mut third = world.opens_page();
    assert_eq!(refused(&world.tries(&mut third, json!({ "passcode": PIN }))), Some(Code::RoomFull));
    // Ended for everyone.
    assert_eq!(world.does(&mut host, json!({ "operation": "remove", "participant": guest.you })), None);
    let told = world.told(&guest);
    assert!(matches!(told.last(), Some(ServerMessage::Bye { cause: Cause::Removed, .. })), "{told:?}");
    let phone = &mut Phone::new(1);
    world.join(phone, PIN);
    world.give(Input::DrainAsked);
    assert!(world.told(&host).iter().any(|told| matches!(told, ServerMessage::Goaway { .. })));
    assert_eq!(refused(&world.tries(&mut third, json!({ "passcode": PIN }))), Some(Code::Draining));
    world.bye(phone);
    assert!(world.told(&host).iter().any(|told| matches!(told, ServerMessage::Bye { cause: Cause::DrainedOut, .. })));
    world.pass(Duration::from_secs(40));
    assert_eq!(world.drained, Some(0));
}

#[test]
fn what_is_written_to_one_alone_is_read_by_nobody_else_and_kept_nowhere() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let anna = world.page_by_pin(PIN, "Anna");
    let ben = world.page_by_pin(PIN, "Ben");
    let phone = world.join(&mut Phone::new(1), PIN);
    let phone = world.place(phone).unwrap().id;
    for page in [&host, &anna, &ben] {
        world.told(page);
    }
    world.says(&mut host, json!({ "type": "chat", "to": anna.you, "text": "for you\u{202e} alone\u{7}" }));
    world.says(&mut host, json!({ "type": "chat", "text": "<script>alert(1)</script>" }));
    let lines = |told: Vec<ServerMessage>| -> Vec<String> {
        let lines = told.into_iter().filter_map(|told| match told {
            ServerMessage::Chat { line } => Some(line.text),
            _ => None,
        });
        lines.collect()
    };
    let markup = "<script>alert(1)</script>".to_owned();
    assert_eq!(lines(world.told(&anna)), ["for you alone".to_owned(), markup.clone()]);
    assert_eq!(lines(world.told(&host)), ["for you alone".to_owned(), markup.clone()]);
    assert_eq!(lines(world.told(&ben)), [markup.as_str()]);
    let logged: Vec<&str> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Happening::Said { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(logged, [markup.as_str()]);
    let mut late = world.opens_page();
    let welcome = world.joins(&mut late, json!({ "passcode": PIN, "name": "Late" }));
    assert_eq!(welcome.chat.len(), 1);
    let said = world.says(&mut host, json!({ "type": "chat", "to": phone, "text": "hello" }));
    assert_eq!(refused(&said), Some(Code::CannotRead));
    let long = "x".repeat(2001);
    assert_eq!(refused(&world.says(&mut host, json!({ "type": "chat", "text": long }))), Some(Code::BadText));
    let said: Vec<_> = (0..12).map(|_| world.says(&mut late, json!({ "type": "chat", "text": "spam" }))).collect();
    assert_eq!(said.iter().filter(|said| refused(said) == Some(Code::TooOften)).count(), 2);
    let said = world.says(&mut late, json!({ "type": "react", "reaction": "party" }));
    assert_eq!(refused(&said), None);
    assert!(
        world.told(&ben).iter().any(|told| matches!(told, ServerMessage::Reaction { from, .. } if *from == late.you))
    );
}

#[test]
fn messages_out_of_order_and_nonsense_are_refused_and_disturb_nobody() {
    let mut world = World::new();
    let mut page = world.opens_page();
    for early in
        [json!({ "type": "offer", "sdp": "v=0" }), json!({ "type": "leave" }), json!({ "type": "chat", "text": "x" })]
    {
        assert_eq!(refused(&world.says(&mut page, early)), Some(Code::NotJoined));
    }
    assert_eq!(refused(&world.tries(&mut page, json!({ "version": 2, "passcode": PIN }))), Some(Code::BadVersion));
    for invisible in ["\u{202e}\u{200b}", "\u{301}", "   "] {
        let said = world.tries(&mut page, json!({ "passcode": PIN, "name": invisible }));
        assert_eq!(refused(&said), Some(Code::BadName), "{invisible:?}");
    }
    world.joins(&mut page, json!({ "passcode": PIN, "name": "<img src=x onerror=alert(1)>" }));
    assert_eq!(refused(&world.tries(&mut page, json!({ "passcode": PIN }))), Some(Code::AlreadyJoined));
    for odd in [
        json!({ "type": "nothing" }),
        json!({ "type": "chat" }),
        json!({ "type": "chat", "text": "x", "html": true }),
        json!({ "type": "operate", "operation": { "operation": "fly" } }),
        json!({ "type": "watch", "slots": [{ "slot": 9, "participant": page.you, "source": "camera", "height": 1 }] }),
    ] {
        assert_eq!(refused(&world.says(&mut page, odd)), Some(Code::BadMessage));
    }
    let big = "x".repeat(17_000);
    assert_eq!(refused(&world.says(&mut page, json!({ "type": "chat", "text": big }))), Some(Code::TooLarge));
    for _ in 0..30 {
        if world.pages.closed.contains(&page.session) {
            break;
        }
        world.says(&mut page, json!({ "type": "nothing" }));
    }
    assert!(world.pages.closed.contains(&page.session), "enough is enough");
    // Whoever connects and says nothing is not kept.
    let silent = world.opens_page();
    world.pass(Duration::from_secs(11));
    assert!(world.pages.closed.contains(&silent.session));
}

#[test]
fn everybody_leaves_and_nothing_is_left() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    let mut anna = world.page_by_pin(PIN, "Anna");
    connects(&mut world, &mut anna);
    let phone = &mut Phone::new(1);
    world.join(phone, PIN);
    world.says(&mut anna, json!({ "type": "leave" }));
    assert!(matches!(world.told(&anna).last(), Some(ServerMessage::Bye { cause: Cause::HungUp, .. })));
    assert_eq!(world.does(&mut host, json!({ "operation": "end" })), None);
    world.says(&mut host, json!({ "type": "operate", "operation": { "operation": "end" } }));
    assert!(matches!(world.told(&host).last(), Some(ServerMessage::Bye { cause: Cause::RoomEnded, .. })));
    world.bye(phone);
    for page in [&host, &anna] {
        world.drops(page);
    }
    world.ends_clean();
}

/// What every door says of whether somebody is muted, in the order: their own page or what they heard, the host's page, the
/// API, the event log, and whether the room hears them.
fn muted_by_every_door(
    world: &mut World,
    host: &Page,
    page: Option<&Page>,
    leg: LegId,
    who: ParticipantId,
) -> Vec<bool> {
    let muted = |told: &[ServerMessage]| {
        told.iter().rev().find_map(|told| match told {
            ServerMessage::Changed { person } if person.id == who => Some(person.muted_by_self || person.muted_by_host),
            _ => None,
        })
    };
    let hosts = world.told(host);
    let own = match page {
        Some(page) => muted(&world.told(page)),
        None => world.heard.get(&leg).and_then(|heard| {
            let last = heard.iter().rev().find(|words| words.contains("muted"))?;
            Some(matches!(last.as_str(), "you-are-muted" | "muted-by-host"))
        }),
    };
    let logged = world.events.iter().rev().find_map(|event| match event {
        Happening::Changed { participant, .. } if participant.id == who => {
            Some(participant.muted_by_self || participant.muted_by_host)
        }
        _ => None,
    });
    let asked = world.room().participants.into_iter().find(|p| p.id == who).map(|p| p.muted_by_self || p.muted_by_host);
    let views = [own, muted(&hosts), asked, logged, world.bridged.get(&leg).copied()];
    assert!(
        views.iter().all(Option::is_some),
        "every door says something: {views:?}, heard {:?}",
        world.heard.get(&leg)
    );
    views.into_iter().flatten().collect()
}

#[test]
fn every_door_shows_the_same_mute_within_two_hundred_milliseconds_whichever_it_came_by() {
    const WITHIN: Duration = Duration::from_millis(200);
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    let mut anna = world.page_by_pin(PIN, "Anna");
    let anna_leg = connects(&mut world, &mut anna);
    let ben_leg = world.join(&mut Phone::new(1), PIN);
    let ben = world.place(ben_leg).unwrap().id;
    let agree = |world: &mut World, host: &Page, anna: &Page, who, muted: bool, door: &str| {
        world.pass(WITHIN);
        let (page, leg) = if who == ben { (None, ben_leg) } else { (Some(anna), anna_leg) };
        assert_eq!(muted_by_every_door(world, host, page, leg, who), [muted; 5], "{door}: {muted}");
        assert!(who == ben || publishes(world, anna_leg, Source::Microphone) != muted);
    };
    // Each is taken back by the door it came by.
    for who in [anna.you, ben] {
        for (operation, muted) in [("mute", true), ("unmute", false)] {
            world.does(&mut host, json!({ "operation": operation, "participant": who }));
            agree(&mut world, &host, &anna, who, muted, "the host's page");
        }
        for (operation, muted) in
            [(Operation::Mute { participant: who }, true), (Operation::Unmute { participant: who }, false)]
        {
            world.ask(Command::Operate { room: ROOM, operation }).unwrap();
            agree(&mut world, &host, &anna, who, muted, "the API");
        }
    }
    for muted in [true, false] {
        world.says(&mut anna, json!({ "type": "publish", "source": "microphone", "on": !muted }));
        agree(&mut world, &host, &anna, anna.you, muted, "the own page");
        world.key(ben_leg, "*6");
        agree(&mut world, &host, &anna, ben, muted, "the telephone's keys");
    }
}
