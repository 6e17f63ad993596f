//! A telephone call becomes a meeting: one seat, the telephone untouched, in virtual time.

use std::time::Duration;

use ringlift::base::elevating::{ElevationRules, PinRule};
use ringlift::base::id::ElevationId;
use ringlift::base::{LegId, PhoneNumber, Secret};
use ringlift::elevation::{Reason, Step};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::elevate::view::{ElevateRequest, ElevationView, Redeem, Redeemed, Shut, Unfit};
use ringlift::gateway::event::{ElevationStep, Happening};
use ringlift::gateway::view::CallDirection;
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{AudioBy, Progress, ServerMessage};
use ringlift::media::command::MediaCommand;
use ringlift::media::web::{Source, WebCommand};
use ringlift::room::Operation;
use ringlift::texting::{LineType, TextEvent, TextFailure, TextState, Texting};
use ringlift::wire::gsm7;
use ringlift::wire::sip::Method;
use serde_json::{Value, json};

use crate::meeting::{connects, publishes};
use crate::pages::{Page, refused};
use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

impl World {
    /// The end of the link in the latest text.
    pub fn link(&self) -> String {
        link_of(self.texts.last().expect("a text").body.expose())
    }

    /// Somebody opens a link or enters a code.
    pub fn redeems(&mut self, by: Value) -> Result<Redeemed, Shut> {
        self.redeems_from("203.0.113.80", by)
    }

    pub fn redeems_from(&mut self, from: &str, by: Value) -> Result<Redeemed, Shut> {
        let secret = |name: &str| by[name].as_str().map(Secret::new);
        let asked = Redeem {
            ticket: secret("ticket"),
            code: secret("code"),
            pin: secret("pin"),
            confirm: by["confirm"] == true,
            asking: secret("asking"),
            holder: secret("holder"),
            from: from.parse().unwrap(),
        };
        match self.ask(Command::Redeem(Box::new(asked))) {
            Ok(Reply::Redeemed(done)) => Ok(*done),
            Err(Denial::Shut(shut)) => Err(shut),
            other => panic!("{other:?}"),
        }
    }

    /// The text that was ordered last is so far now.
    pub fn text_is(&mut self, state: TextState, reason: Option<TextFailure>) {
        let id = self.texts.last().expect("a text").id;
        let event = TextEvent { id, state, reason, code: None, at: self.now.utc };
        self.give(Input::Texting(Texting::Text(event)));
    }

    /// What the log told of elevations.
    pub fn elevations(&self) -> impl DoubleEndedIterator<Item = &ElevationStep> {
        self.events.iter().filter_map(|event| match event {
            Happening::Elevation(of) => Some(of),
            _ => None,
        })
    }

    /// Every step of every elevation, in order.
    pub fn steps(&self) -> Vec<(Step, Option<Reason>)> {
        self.elevations().map(|of| (of.step, of.reason)).collect()
    }

    pub fn last_step(&self) -> (Step, Option<Reason>) {
        self.steps().last().copied().expect("a step")
    }

    pub fn elevates(&mut self, leg: LegId, request: ElevateRequest) -> Result<ElevationView, Unfit> {
        match self.ask(Command::Elevate { leg, request: Box::new(request) }) {
            Ok(Reply::Elevation(view)) => Ok(*view),
            Err(Denial::NotElevated(unfit)) => Err(unfit),
            other => panic!("{other:?}"),
        }
    }

    /// A page takes the seat that a link was redeemed for.
    pub fn takes_seat(&mut self, done: &Redeemed) -> Page {
        let mut page = self.opens_page();
        let welcome = self.joins(&mut page, json!({ "ticket": done.ticket.expose() }));
        assert!(welcome.resumed && welcome.state == ringlift::room::State::Active);
        page
    }
}

/// The end of the link in what is written.
pub fn link_of(body: &str) -> String {
    let link = body.split_whitespace().find(|word| word.contains("/e/")).expect("a link");
    link.rsplit('/').next().unwrap().to_owned()
}

/// What was spelled to a leg since the code prompt was last said: the six digits.
pub fn spoken_code(world: &World, leg: LegId) -> String {
    let heard = &world.heard[&leg];
    let from = heard.iter().rposition(|name| name == "elevate-code").expect("the code is said");
    heard[from..].iter().filter_map(|name| name.strip_prefix("digit-")).take(6).collect()
}

/// A host by browser and a caller, in the room.
pub fn host_and_caller(world: &mut World) -> (Page, Phone, LegId) {
    let mut host = world.page_by_pin(HOST_PIN, "Host");
    connects(world, &mut host);
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    world.pass(Duration::from_secs(5));
    (host, phone, leg)
}

/// The orders to the media plane about a leg since then.
pub fn orders_about(world: &World, leg: LegId, since: usize) -> Vec<&MediaCommand> {
    let about = |order: &&MediaCommand| match order {
        MediaCommand::Join { leg: of, .. }
        | MediaCommand::Leave { leg: of }
        | MediaCommand::Mute { leg: of, .. }
        | MediaCommand::Close { leg: of }
        | MediaCommand::Modify { leg: of, .. } => *of == leg,
        _ => false,
    };
    world.orders[since..].iter().filter(about).collect()
}

#[test]
fn a_key_a_text_a_tap_and_the_caller_has_video_in_the_same_seat_while_the_call_is_untouched() {
    let mut world = World::new();
    let (host, mut phone, leg) = host_and_caller(&mut world);
    let place = world.place(leg).unwrap();
    let call = world.calls().into_iter().find(|call| call.id == leg).unwrap();
    let since = world.orders.len();
    while world.next(&phone).is_some() {}
    world.key(leg, "*3");
    world.pass(Duration::from_secs(3));
    let text = world.texts.last().unwrap().clone();
    assert_eq!(text.to, PhoneNumber::parse(&phone.number).unwrap());
    let length = gsm7::length(text.body.expose());
    assert_eq!((length.segments, length.alphabet), (1, gsm7::Alphabet::Gsm7), "one message");
    assert!(
        text.consent.starts_with("key *3, ") && text.call == Some(leg),
        "who asked, how and when: {}",
        text.consent
    );
    assert!(world.was_told(leg, "elevate-texted"));
    world.text_is(TextState::Handed, None);
    world.text_is(TextState::Delivered, None);
    // What a preview of the message does changes nothing.
    let looking = Command::LookAtLink { ticket: Secret::new(world.link()), from: "203.0.113.9".parse().unwrap() };
    for _ in 0..3 {
        assert!(matches!(world.ask(looking.clone()), Ok(Reply::Link(link)) if !link.used && link.name == "Room"));
    }
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    assert!(done.person.contains('•') && done.room == ROOM, "a number is masked");
    let mut page = world.takes_seat(&done);
    assert_eq!(page.you, place.id, "the same seat");
    let web = connects(&mut world, &mut page);
    world.says(&mut page, json!({ "type": "publish", "source": "camera", "on": true }));
    // Video and data by browser, the voice by telephone.
    let seen = world.sees(&host, place.id).unwrap();
    assert!(seen.audio == AudioBy::Phone && seen.video && seen.camera_on && !seen.away);
    assert_eq!(world.room().participants.len(), 2, "one person, one seat");
    assert!(publishes(&world, web, Source::Camera) && !publishes(&world, web, Source::Microphone));
    assert!(world.web_orders.contains(&WebCommand::Place { leg: web, place: Some((ROOM, place.id)) }));
    let hears = |order: &&WebCommand| matches!(order, WebCommand::Listen { leg, listens: true } if *leg == web);
    assert!(!world.web_orders.iter().any(|order| hears(&order)), "it plays nothing of the room");
    assert!(!world.bridged.contains_key(&web), "and is not heard");
    // The telephone: nothing was ordered of it but one prompt, and nothing was sent to it.
    assert_eq!(orders_about(&world, leg, since), Vec::<&MediaCommand>::new());
    assert!(world.next(&phone).is_none(), "not a packet of signalling");
    let now = world.calls().into_iter().find(|call| call.id == leg).unwrap();
    assert_eq!((now.call_id, now.since, now.media), (call.call_id, call.since, call.media));
    assert_eq!(
        world.steps().into_iter().map(|(step, _)| step).collect::<Vec<_>>(),
        [Step::Asked, Step::Texted, Step::Sent, Step::Delivered, Step::Opened, Step::Authenticated, Step::Bound]
    );
    let told: Vec<Step> = world
        .told(&host)
        .into_iter()
        .filter_map(|told| match told {
            ServerMessage::Elevation(progress) => {
                assert!(progress.link.is_none() && progress.code.is_none(), "a host did not ask");
                Some(progress.step)
            }
            _ => None,
        })
        .collect();
    assert!(told.is_empty() || told.last() == Some(&Step::Bound), "{told:?}");
    world.bye(&mut phone);
    world.drops(&page);
    world.drops(&host);
    world.ends_clean();
}

#[test]
fn a_text_that_does_not_come_becomes_a_code_that_is_said_and_typed() {
    let mut world = World::with(
        |_| {},
        |settings| {
            settings.elevating.look_up = true;
            settings.elevating.link_base = "https://v7.example".into();
        },
    );
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let (question, number) = world.look_ups.last().cloned().expect("the line is asked");
    assert_eq!(
        number,
        world
            .calls()
            .iter()
            .find(|call| call.id == leg)
            .unwrap()
            .from
            .as_deref()
            .map(|from| PhoneNumber::parse(from).unwrap())
            .unwrap()
    );
    assert!(world.texts.is_empty());
    world.give(Input::Texting(Texting::LookedUp { id: question, line: LineType::Landline }));
    assert!(world.texts.is_empty(), "no text to a line on a wall");
    assert_eq!(world.last_step(), (Step::Spoken, Some(Reason::Text(TextFailure::Landline))));
    let heard = world.heard[&leg].join(" ");
    assert!(
        heard.contains(
            "letter-v digit-7 dot letter-e letter-x letter-a letter-m letter-p letter-l letter-e slash letter-e"
        ),
        "{heard}"
    );
    let code = spoken_code(&world, leg);
    assert_eq!(code.len(), 6);
    let written = format!("{} {}", &code[..3], &code[3..]);
    let done = world.redeems(json!({ "code": written })).expect("as people write it");
    let page = world.takes_seat(&done);
    assert_eq!(world.place(leg).unwrap().id, page.you, "a laptop, and still the same seat");
}

#[test]
fn every_rung_fails_in_turn_and_the_host_is_told_why_and_shown_the_code_at_last() {
    let mut world = World::new();
    let (mut host, _, leg) = host_and_caller(&mut world);
    let caller = world.place(leg).unwrap().id;
    world.told(&host);
    assert_eq!(refused(&world.says(&mut host, json!({ "type": "elevate", "participant": caller }))), None);
    world.text_is(TextState::Handed, None);
    world.pass(Duration::from_secs(20));
    world.pass(Duration::from_secs(30));
    let told: Vec<Progress> = world
        .told(&host)
        .into_iter()
        .filter_map(|told| match told {
            ServerMessage::Elevation(progress) => Some(*progress),
            _ => None,
        })
        .collect();
    let steps: Vec<(Step, Option<Reason>)> = told.iter().map(|told| (told.step, told.reason)).collect();
    assert_eq!(
        steps,
        [
            (Step::Asked, None),
            (Step::Texted, None),
            (Step::Sent, None),
            (Step::Spoken, Some(Reason::NoReceipt)),
            (Step::Shown, Some(Reason::NotEntered)),
        ]
    );
    let shown = told.last().unwrap();
    let code = shown.code.as_ref().expect("whoever asked has a screen").expose();
    assert!(code == spoken_code(&world, leg) && shown.link.as_ref().unwrap().expose().ends_with(&world.link()));
    let done = world.redeems(json!({ "code": code })).unwrap();
    world.takes_seat(&done);
    // A text that failed at once is answered at once.
    let (mut world, leg) = {
        let mut world = World::new();
        let (_, _, leg) = host_and_caller(&mut world);
        (world, leg)
    };
    world.key(leg, "*3");
    world.text_is(TextState::Failed, Some(TextFailure::OptedOut));
    assert!(world.was_told(leg, "elevate-opted-out") && world.was_told(leg, "elevate-code"));
}

#[test]
fn a_link_that_was_opened_is_opened_elsewhere_only_with_the_yes_of_the_telephone_or_a_host() {
    let mut world = World::new();
    let (mut host, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    let done = world.redeems(json!({ "ticket": link })).unwrap();
    let first = world.takes_seat(&done);
    let stranger = |world: &mut World, confirm: bool| {
        world.redeems_from(
            "198.51.100.66",
            json!({ "ticket": link, "confirm": confirm, "asking": "drawn by the stranger" }),
        )
    };
    assert_eq!(stranger(&mut world, false), Err(Shut::Used));
    assert_eq!(stranger(&mut world, true), Err(Shut::Confirming));
    assert!(world.was_told(leg, "elevate-rebind"));
    assert_eq!(stranger(&mut world, true), Err(Shut::Confirming));
    // Nobody answers: no.
    world.pass(Duration::from_secs(31));
    assert_eq!(stranger(&mut world, true), Err(Shut::Declined));
    // A host says no, then the telephone yes.
    assert_eq!(stranger(&mut world, true), Err(Shut::Confirming));
    let asked = world.told(&host).into_iter().rev().find_map(|told| match told {
        ServerMessage::Elevation(progress) if progress.wants => Some(progress.elevation),
        _ => None,
    });
    let elevation: ElevationId = asked.expect("the host is asked, too");
    let no = json!({ "type": "allow", "elevation": elevation, "allow": false });
    assert_eq!(refused(&world.says(&mut host, no.clone())), None);
    assert_eq!(stranger(&mut world, true), Err(Shut::Declined));
    assert_eq!(refused(&world.says(&mut host, no)), Some(Code::NoSuchElevation), "once");
    assert_eq!(stranger(&mut world, true), Err(Shut::Confirming));
    world.key(leg, "*3");
    world.pass(Duration::from_secs(3));
    // The yes is for the browser that asked: another one behind the same address has nothing of it.
    let other = |world: &mut World, by: Value| world.redeems_from("198.51.100.66", by);
    assert_eq!(other(&mut world, json!({ "ticket": link, "confirm": true })), Err(Shut::Used));
    let neighbour = json!({ "ticket": link, "confirm": true, "asking": "drawn by a neighbour" });
    assert_eq!(other(&mut world, neighbour), Err(Shut::Confirming));
    let done = stranger(&mut world, true).unwrap();
    let second = world.takes_seat(&done);
    assert_eq!(second.you, first.you);
    assert!(world.pages.closed.contains(&first.session), "the older page is told goodbye");
    assert_eq!(world.texts.len(), 1, "the key was an answer, not another wish");
}

#[test]
fn links_and_codes_are_guessed_in_vain_and_end_with_the_call() {
    let mut world = World::with(|_| {}, |settings| settings.pin_burst = 3);
    let (_, mut phone, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    let guess = |world: &mut World, code: &str| world.redeems_from("198.51.100.5", json!({ "code": code }));
    for code in ["000000", "000001", "000002"] {
        assert_eq!(guess(&mut world, code), Err(Shut::Unknown));
    }
    assert!(matches!(guess(&mut world, "000003"), Err(Shut::TooManyAttempts(_))));
    let shown = world.elevation_of_last();
    let before = world.redeems(json!({ "code": shown.code.unwrap().expose() }));
    assert_eq!(before, Err(Shut::Unknown), "a code that nobody was told is nobody's to know");
    world.bye(&mut phone);
    assert_eq!(world.redeems(json!({ "ticket": link })), Err(Shut::Ended));
    assert_eq!(world.last_step(), (Step::Failed, Some(Reason::CallEnded)));
    world.pass(Duration::from_secs(601));
    assert_eq!(world.redeems(json!({ "ticket": link })), Err(Shut::Unknown), "nothing is remembered for ever");
}

#[test]
fn strangers_who_guess_codes_keep_nobody_from_a_link() {
    let mut world = World::with(|_| {}, |settings| (settings.pin_burst, settings.did_pin_burst) = (3, 6));
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    for guess in 0..12 {
        let from = format!("198.51.100.{}", guess / 3);
        let shut = world.redeems_from(&from, json!({ "code": format!("{guess:06}") })).unwrap_err();
        assert_eq!(shut == Shut::Unknown, guess < 6, "all together are stopped: {shut:?}");
    }
    for wrong in 0..4 {
        let shut = world.redeems_from("198.51.100.77", json!({ "ticket": format!("nothing{wrong}") })).unwrap_err();
        assert_eq!(shut == Shut::Unknown, wrong < 3, "who shows wrong links is, too: {shut:?}");
    }
    assert!(world.redeems_from("198.51.100.1", json!({ "ticket": link })).is_ok(), "a link opens, wherever one sits");
}

#[test]
fn whoever_has_a_link_does_not_talk_into_the_call_with_it() {
    let always = ElevationRules { pin: Some(PinRule::Always), ..ElevationRules::default() };
    let mut world = World::with(|room| room.elevation = always, |_| {});
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    let said = |world: &World| world.heard[&leg].iter().filter(|name| *name == "elevate-pin").count();
    for _ in 0..25 {
        assert_eq!(world.redeems(json!({ "ticket": link })), Err(Shut::PinWanted));
    }
    assert_eq!(said(&world), 1);
    world.pass(Duration::from_secs(16));
    assert_eq!(world.redeems(json!({ "ticket": link })), Err(Shut::PinWanted));
    assert_eq!(said(&world), 2, "who did not catch it may ask again");
}

impl World {
    fn elevation_of_last(&mut self) -> ElevationView {
        let id = self.elevations().next_back().unwrap().elevation;
        match self.ask(Command::Elevation(id)) {
            Ok(Reply::Elevation(view)) => *view,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_a_number_can_be_forged_digits_are_said_on_the_telephone_and_wanted_on_the_page() {
    let unproved = ElevationRules { pin: Some(PinRule::Unproved), ..ElevationRules::default() };
    let mut world = World::with(|room| room.elevation = unproved, |_| {});
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    assert_eq!(world.redeems(json!({ "ticket": link })), Err(Shut::PinWanted));
    let heard = &world.heard[&leg];
    let from = heard.iter().rposition(|name| name == "elevate-pin").unwrap();
    let pin: String = heard[from..].iter().filter_map(|name| name.strip_prefix("digit-")).take(4).collect();
    let wrong = if pin == "0000" { "1111" } else { "0000" };
    assert_eq!(world.redeems(json!({ "ticket": link, "pin": wrong })), Err(Shut::PinWrong));
    let done = world.redeems(json!({ "ticket": link, "pin": pin })).unwrap();
    world.takes_seat(&done);
    // Five wrong ones, and the link is good no more.
    let mut world = World::with(|room| room.elevation = unproved, |_| {});
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    for _ in 0..5 {
        assert_eq!(world.redeems(json!({ "ticket": link, "pin": "xxxx" })), Err(Shut::PinWrong));
    }
    assert_eq!(world.redeems(json!({ "ticket": link, "pin": "xxxx" })), Err(Shut::Unknown));
    assert_eq!(world.last_step(), (Step::Failed, Some(Reason::WrongPin)));
}

#[test]
fn who_may_not_is_told_what_to_do_instead() {
    let closed = ElevationRules { allowed: Some(false), ..ElevationRules::default() };
    let mut world = World::with(|room| room.elevation = closed, |_| {});
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    world.pass(Duration::from_secs(3));
    assert!(world.was_told(leg, "not-available") && world.texts.is_empty());
    assert_eq!(world.elevates(leg, ElevateRequest::default()), Err(Unfit::Excluded));
    let mut world = World::new();
    let (_, _, leg) = host_and_caller(&mut world);
    world.ask(Command::Hold(leg)).unwrap();
    assert_eq!(world.elevates(leg, ElevateRequest::default()), Err(Unfit::Held));
    world.ask(Command::Unhold(leg)).unwrap();
    let bad = ElevateRequest { template: Some("no place for it".into()), ..ElevateRequest::default() };
    assert_eq!(world.elevates(leg, bad), Err(Unfit::BadTemplate));
    let own = ElevateRequest {
        template: Some("Shop: {link}".into()),
        context: Some("order 1871".into()),
        ..ElevateRequest::default()
    };
    let view = world.elevates(leg, own).unwrap();
    assert!(view.step == Step::Texted && view.context.as_deref() == Some("order 1871"));
    assert!(world.texts[0].body.expose().starts_with("Shop: http") && world.texts[0].consent.starts_with("api"));
    // Too often is too often: texts cost money.
    let other = |n: usize| ElevateRequest { template: Some(format!("{n}: {{link}}")), ..ElevateRequest::default() };
    let outcomes: Vec<_> = (0..6).map(|n| world.elevates(leg, other(n)).is_ok()).collect();
    assert!(outcomes.contains(&false), "{outcomes:?}");
    let long = ElevateRequest { context: Some("x".repeat(257)), ..ElevateRequest::default() };
    assert_eq!(world.elevates(leg, long), Err(Unfit::BadContext));
    // A guest elevates nobody else.
    let mut guest = world.page_by_pin(PIN, "Gus");
    let caller = world.place(leg).unwrap().id;
    let said = world.says(&mut guest, json!({ "type": "elevate", "participant": caller }));
    assert_eq!(refused(&said), Some(Code::HostOnly));
}

#[test]
fn the_node_the_number_the_room_and_the_person_say_what_holds_and_the_nearer_is_right() {
    let mut world = World::with(|_| {}, |settings| settings.elevating.rules.allowed = Some(true));
    let number = |world: &mut World, elevation| {
        let did = ringlift::route::Did {
            id: ringlift::base::id::DidId::from_bits(1),
            called: "+4930901820".parse().unwrap(),
            trunk: None,
            action: ringlift::route::Destination::Attendant {},
            languages: vec!["en".into()],
            elevation,
        };
        world.ask(Command::PutDid(did)).unwrap();
    };
    let room = |world: &mut World, elevation| {
        let settings = world.room().settings;
        world.ask(Command::PutRoom(ringlift::room::RoomSettings { elevation, ..settings })).unwrap();
    };
    let (open, closed) = (
        ElevationRules { allowed: Some(true), ..ElevationRules::default() },
        ElevationRules { allowed: Some(false), ..ElevationRules::default() },
    );
    let (_, _, leg) = host_and_caller(&mut world);
    number(&mut world, closed);
    assert_eq!(world.elevates(leg, ElevateRequest::default()), Err(Unfit::Excluded), "the number over the node");
    // Who comes by another number, or straight to the room, is under other rules.
    let direct = world.call(&mut Phone::new(2), "direct");
    world.pass(Duration::from_secs(2));
    assert!(world.elevates(direct, ElevateRequest::default()).is_ok());
    room(&mut world, open);
    assert!(world.elevates(leg, ElevateRequest::default()).is_ok(), "the room over the number");
    room(&mut world, closed);
    // A person of the house for whom it is allowed, in a room that is kept from it.
    let id = crate::telephone::extension(&mut world, 101);
    let anna = ringlift::route::Extension::new(id, "101", Secret::new("secret-101"));
    let anna = ringlift::route::Extension { elevation: open, ..anna };
    world.ask(Command::PutExtension(Box::new(anna))).unwrap();
    let (mut phone, _) = crate::house::registered(&mut world, 101, 0);
    crate::house::dial(&mut world, &mut phone, "direct");
    crate::house::is_connected(&mut world, &mut phone);
    world.pass(Duration::from_secs(2));
    let desk = world.calls().iter().find(|call| call.extension.is_some()).unwrap().id;
    let to =
        ElevateRequest { number: serde_json::from_value(json!("+491709998877")).ok(), ..ElevateRequest::default() };
    assert!(world.elevates(desk, to).is_ok(), "the person over the room");
    assert_eq!(world.elevates(direct, ElevateRequest::default()), Err(Unfit::Excluded));
}

#[test]
fn a_number_whose_callers_get_a_link_on_arrival_sends_it_to_them_alone() {
    let mut world = World::new();
    let did = ringlift::route::Did {
        id: ringlift::base::id::DidId::from_bits(2),
        called: "direct".parse().unwrap(),
        trunk: None,
        action: ringlift::route::Destination::Room { room: ROOM },
        languages: vec![],
        elevation: ElevationRules { on_arrival: Some(true), ..ElevationRules::default() },
    };
    world.ask(Command::PutDid(did)).unwrap();
    world.join(&mut Phone::new(1), PIN);
    world.pass(Duration::from_secs(5));
    assert!(world.texts.is_empty(), "the other number's callers ask for it");
    let leg = world.call(&mut Phone::new(2), "direct");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.texts.len(), 1);
    assert!(world.texts[0].call == Some(leg) && world.texts[0].consent.starts_with("rule"));
    assert!(!world.was_told(leg, "elevate-texted"), "nobody is spoken to who did not ask");
}

#[test]
fn a_withheld_number_hears_the_code_at_once_and_a_caller_who_is_removed_takes_the_page_along() {
    let mut world = World::new();
    let _host = world.page_by_pin(HOST_PIN, "Host");
    let mut phone = Phone { number: "anonymous".into(), ..Phone::new(1) };
    let leg = world.join(&mut phone, PIN);
    world.pass(Duration::from_secs(5));
    world.key(leg, "*3");
    assert_eq!(world.last_step(), (Step::Spoken, Some(Reason::NoNumber)));
    let code = spoken_code(&world, leg);
    let done = world.redeems(json!({ "code": code })).unwrap();
    let page = world.takes_seat(&done);
    world.ask(Command::Operate { room: ROOM, operation: Operation::Remove { participant: page.you } }).unwrap();
    assert!(world.pages.closed.contains(&page.session), "removed is removed");
    assert_eq!(world.last_step(), (Step::Ended, Some(Reason::Removed)));
    let mut again = world.opens_page();
    let welcome = world.joins(&mut again, json!({ "passcode": PIN, "name": "Somebody else" }));
    assert_eq!(welcome.state, ringlift::room::State::Lobby, "the browser beside the telephone is known, too");
}

#[test]
fn in_a_call_between_two_each_gets_a_link_and_the_call_is_the_meeting_of_both() {
    let mut world = World::office();
    let (mut phone, desk) = crate::calls::talking(&mut world);
    let calls = world.calls();
    let leg = calls.iter().find(|call| call.direction == CallDirection::Inbound).unwrap().id;
    let other = calls.iter().find(|call| call.id != leg).unwrap().id;
    let room = calls[0].room.expect("the room that the call is");
    let keys =
        |world: &World| world.orders.iter().filter(|order| matches!(order, MediaCommand::SendDigit { .. })).count();
    world.key(leg, "12");
    let passed = keys(&world);
    world.key(leg, "*3");
    world.pass(Duration::from_secs(3));
    assert_eq!(world.texts.len(), 2, "both, each to the own number");
    assert_ne!(world.texts[0].to, world.texts[1].to);
    assert_eq!((world.texts[0].call, world.texts[1].call), (Some(leg), Some(other)));
    assert!(keys(&world) >= passed, "keys go through as before");
    assert!(world.was_told(leg, "elevate-texted") && !world.was_told(other, "elevate-texted"));
    let links: Vec<String> = world.texts.iter().map(|text| link_of(text.body.expose())).collect();
    let done = world.redeems(json!({ "ticket": links[0] })).unwrap();
    let mut first = world.takes_seat(&done);
    connects(&mut world, &mut first);
    let done = world.redeems(json!({ "ticket": links[1] })).unwrap();
    assert_eq!(done.room, room, "one meeting");
    let mut second = world.takes_seat(&done);
    connects(&mut world, &mut second);
    assert_ne!(first.you, second.you);
    world.says(&mut first, json!({ "type": "publish", "source": "camera", "on": true }));
    let seen = world.sees(&second, first.you).unwrap();
    assert!(seen.camera_on && seen.audio == AudioBy::Phone);
    world.says(&mut second, json!({ "type": "chat", "text": "I see you" }));
    assert!(world.told(&first).iter().any(|told| matches!(told, ServerMessage::Chat { .. })));
    // One hangs up the telephone: both are still there, one by pictures alone.
    world.bye(&mut phone);
    assert_eq!(world.sees(&second, first.you).unwrap().audio, AudioBy::None);
    assert!(world.asked(&desk, &Method::Bye).is_none(), "the other's call goes on");
    world.says(&mut first, json!({ "type": "leave" }));
    world.is_hung_up(&desk);
    for page in [&first, &second] {
        world.drops(page);
    }
    world.ends_clean();
}
