//! Calls that move by a code: four ways to show and read, three ways to ask, and everybody who is kept out.

use std::time::Duration;

use ringlift::base::id::CodeId;
use ringlift::base::{LegId, Secret};
use ringlift::gateway::code::view::{
    ClaimView, Claiming, Closed, CodeKind, CodeRequest, CodeView, DeviceKind, Read, Receiver, Unfit,
};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::event::{CodeStep, Happening};
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{AudioBy, CodeProgress, ServerMessage};
use ringlift::media::web::{Source, WebCommand};
use ringlift::room::Channel;
use ringlift::transfer::{Confirm, Reason, State, Topology, check};
use serde_json::{Value, json};

use crate::calls::talking;
use crate::meeting::{connects, publishes, speaks};
use crate::pages::{Page, refused};
use crate::world::{HOST_PIN, PIN, Phone, World};

const DRIVER: &str = "198.51.100.7";

impl World {
    /// A device reads a code.
    pub fn reads(&mut self, read: Read) -> Result<ClaimView, Closed> {
        self.reads_as(DRIVER, Some(read), None)
    }

    fn reads_as(
        &mut self,
        from: &str,
        read: Option<Read>,
        extension: Option<ringlift::base::ExtensionId>,
    ) -> Result<ClaimView, Closed> {
        let device = if extension.is_some() { DeviceKind::App } else { DeviceKind::Browser };
        let agent = Some("Chrome, Android".to_owned());
        let name = Some("Dario".to_owned());
        let receiver = Receiver { name, device, agent, from: None, nearby: false, extension };
        self.claimed(Command::ClaimCode(Box::new(Claiming { read, receiver, from: from.parse().unwrap() })))
    }

    /// How far it is, for the device that wants the call.
    pub fn asks_again(&mut self, claim: &ClaimView) -> Result<ClaimView, Closed> {
        self.claimed(Command::Claim(claim.claim.clone().expect("told at first")))
    }

    fn claimed(&mut self, command: Command) -> Result<ClaimView, Closed> {
        match self.ask(command) {
            Ok(Reply::Claimed(view)) => Ok(*view),
            Err(Denial::Closed(closed)) => Err(closed),
            other => panic!("{other:?}"),
        }
    }

    fn has_code(&mut self, leg: LegId, request: CodeRequest) -> Result<CodeView, Unfit> {
        match self.ask(Command::ShowCode { leg, request: Box::new(request) }) {
            Ok(Reply::Code(view)) => Ok(*view),
            Err(Denial::NoCode(unfit)) => Err(unfit),
            other => panic!("{other:?}"),
        }
    }

    fn code(&mut self, id: CodeId) -> CodeView {
        match self.ask(Command::Code(id)) {
            Ok(Reply::Code(view)) => *view,
            other => panic!("{other:?}"),
        }
    }

    /// What the log told of codes.
    pub fn code_steps(&self) -> Vec<(State, Option<Reason>)> {
        let of = |event: &Happening| match event {
            Happening::Code(of) => Some((of.state, of.reason)),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    fn last_code_step(&self) -> CodeStep {
        let found = self.events.iter().rev().find_map(|event| match event {
            Happening::Code(of) => Some((**of).clone()),
            _ => None,
        });
        found.expect("a step of a code")
    }

    /// A page shows a code; what it is told.
    fn shows(&mut self, page: &mut Page, how: Value) -> CodeProgress {
        self.told(page);
        let said = self.says(page, json!({ "type": "code_show", "code": how }));
        assert_eq!(refused(&said), None);
        self.told_of_code(page).expect("a code")
    }

    pub fn told_of_code(&mut self, page: &Page) -> Option<CodeProgress> {
        let told = self.told(page).into_iter().rev();
        told.filter_map(|told| match told {
            ServerMessage::Code(progress) => Some(*progress),
            _ => None,
        })
        .next()
    }

    pub fn answers_code(&mut self, page: &mut Page, code: CodeId, allow: bool) -> Option<Code> {
        let said = self.says(page, json!({ "type": "code_answer", "code": code.to_string(), "allow": allow }));
        refused(&said)
    }

    /// A granted device joins; its page.
    pub fn comes(&mut self, claim: &ClaimView) -> Page {
        let mut page = self.opens_page_from(DRIVER);
        let ticket = claim.ticket.as_ref().expect("it may come").expose();
        let welcome = self.joins(&mut page, json!({ "ticket": ticket }));
        assert!(welcome.resumed);
        page
    }

    fn counted(&mut self, name: &str) -> u64 {
        self.status().codes.get(name).copied().unwrap_or_default()
    }
}

pub fn link(progress: &CodeProgress) -> Read {
    Read::link(progress.link.as_ref().expect("a link"))
}

fn digits(progress: &CodeProgress) -> Read {
    Read::typed(progress.digits.as_ref().expect("digits"))
}

/// A shopper by browser and a customer by telephone, in the room.
fn shopper_and_customer(world: &mut World) -> (Page, LegId, Phone, LegId) {
    let mut shopper = world.page_by_pin(HOST_PIN, "Anna");
    let web = connects(world, &mut shopper);
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    world.pass(Duration::from_secs(5));
    while world.next(&phone).is_some() {}
    (shopper, web, phone, leg)
}

/// The six digits that were said to a telephone.
fn spoken(world: &World, leg: LegId) -> Secret {
    let heard = &world.heard[&leg];
    let from = heard.iter().rposition(|name| name == "code-yours").expect("the code is said");
    Secret::new(heard[from..].iter().filter_map(|name| name.strip_prefix("digit-")).take(6).collect::<String>())
}

#[test]
fn a_shopper_shows_a_code_and_an_unknown_phone_carries_the_customers_call_on_without_a_break() {
    let mut world = World::new();
    let (mut shopper, old, phone, customer) = shopper_and_customer(&mut world);
    let anna = shopper.you;
    let shown = world.shows(&mut shopper, json!({}));
    assert!(check(shown.digits.as_ref().unwrap().expose()) && shown.state == State::Shown);
    assert_eq!((shown.topology, shown.confirm), (Topology::HolderShows, Confirm::Holder));
    let claim = world.reads(link(&shown)).unwrap();
    assert!(claim.ticket.is_none() && claim.state == State::Awaiting && claim.person.as_deref() == Some("Anna"));
    // The shopper sees who asks.
    let asked = world.told_of_code(&shopper).unwrap();
    let receiver = asked.receiver.clone().unwrap();
    assert!(asked.asked && asked.link.is_none(), "a picture that was read is shown no longer");
    assert_eq!((receiver.name.as_deref(), receiver.agent.as_deref()), (Some("Dario"), Some("Chrome, Android")));
    assert_eq!((receiver.from.as_deref(), receiver.nearby), (Some("198.51.100.•"), false));
    assert_eq!(world.answers_code(&mut shopper, asked.code, true), None);
    let granted = world.asks_again(&claim).unwrap();
    let mut driver = world.comes(&granted);
    assert_eq!(driver.you, anna, "the same seat");
    // Until the new connection stands the old one carries everything, and its page is there.
    assert!(world.bridged.contains_key(&old) && !world.pages.closed.contains(&shopper.session));
    assert_eq!(
        refused(&world.says(&mut shopper, json!({ "type": "react", "reaction": "applause" }))),
        Some(Code::NotAllowed)
    );
    let new = connects(&mut world, &mut driver);
    assert!(world.bridged.contains_key(&new) && world.bridged.contains_key(&old), "both for a moment");
    assert!(publishes(&world, new, Source::Microphone));
    assert!(world.pages.closed.contains(&shopper.session), "now it is told goodbye");
    world.pass(Duration::from_millis(150));
    assert!(world.bridged.contains_key(&new) && !world.bridged.contains_key(&old), "one voice");
    world.pass(Duration::from_secs(2));
    assert!(world.web_orders.contains(&WebCommand::Close { leg: old }));
    assert_eq!(
        world.code_steps(),
        [(State::Shown, None), (State::Scanned, None), (State::Awaiting, None), (State::Transferred, None)]
    );
    // The customer: not a packet of signalling, the same leg, and the same two people.
    assert!(world.next(&phone).is_none());
    assert!(!world.bridged[&customer] && world.room().participants.len() == 2);
    assert_eq!(world.place_named("Dario").unwrap().id, anna, "called what the driver is called");
    // The shopper's own way back is closed.
    let mut back = world.opens_page();
    let again = world.tries(&mut back, json!({ "resume": shopper.resume.expose() }));
    assert_eq!(refused(&again), Some(Code::BadTicket));
}

impl World {
    fn place_named(&mut self, name: &str) -> Option<ringlift::gateway::view::ParticipantView> {
        self.room().participants.into_iter().find(|p| p.name.as_deref() == Some(name))
    }
}

#[test]
fn the_old_page_has_its_place_again_where_the_new_device_never_comes_to_stand() {
    for gone in [true, false] {
        let mut world = World::new();
        let (mut shopper, old, _, _) = shopper_and_customer(&mut world);
        let shown = world.shows(&mut shopper, json!({ "confirm": "nobody" }));
        let claim = world.reads(link(&shown)).unwrap();
        let mut driver = world.comes(&claim);
        world.says(&mut driver, json!({ "type": "offer", "sdp": "v=0" }));
        match gone {
            true => world.drops(&driver),
            false => world.pass(Duration::from_secs(21)),
        }
        assert_eq!(world.last_code_step().reason, Some(Reason::NotConnected));
        assert!(world.bridged.contains_key(&old), "nothing has changed");
        assert!(!world.pages.closed.contains(&shopper.session));
        assert!(gone || world.pages.closed.contains(&driver.session), "the newcomer is told");
        let told = world.told(&shopper);
        assert!(told.iter().any(|told| matches!(told, ServerMessage::People { people } if people.len() == 2)));
        let said = world.says(&mut shopper, json!({ "type": "publish", "source": "microphone", "on": false }));
        assert_eq!(refused(&said), None, "the page is the shopper's again");
        world.pass(Duration::from_secs(40));
        assert_eq!(world.room().participants.len(), 2);
    }
}

#[test]
fn a_device_shows_its_own_code_and_whoever_is_in_the_call_gives_it_by_reading_that() {
    let mut world = World::new();
    let (mut shopper, _, _, _) = shopper_and_customer(&mut world);
    let claim = world.reads_as(DRIVER, None, None).unwrap();
    assert!(claim.topology == Topology::ReceiverShows && claim.state == State::Shown && claim.room.is_none());
    // It is no code of somebody in a call: whoever is in none gets nothing by it.
    let shown = Read::link(claim.link.as_ref().unwrap());
    assert_eq!(world.reads(shown), Err(Closed::WrongSide));
    let digits = claim.digits.as_ref().unwrap().expose();
    let said = world.says(&mut shopper, json!({ "type": "code_scan", "digits": digits }));
    assert_eq!(refused(&said), None);
    let granted = world.asks_again(&claim).unwrap();
    let mut driver = world.comes(&granted);
    connects(&mut world, &mut driver);
    assert_eq!(world.last_code_step().state, State::Transferred);
    assert_eq!(driver.you, shopper.you);
}

#[test]
fn where_each_reads_the_others_code_a_photograph_of_one_is_not_enough() {
    let mut world = World::new();
    let (mut shopper, _, _, _) = shopper_and_customer(&mut world);
    let shown = world.shows(&mut shopper, json!({ "mutual": true }));
    let claim = world.reads(link(&shown)).unwrap();
    assert_eq!(claim.state, State::Scanned);
    let counter = world.asks_again(&claim).unwrap();
    let told = world.told_of_code(&shopper).unwrap();
    assert!(told.scan && !told.asked, "the shopper is to read the driver's screen");
    // Another one's code is not it.
    let other = world.reads_as("192.0.2.9", None, None).unwrap();
    let wrong = json!({ "type": "code_scan", "digits": other.digits.unwrap().expose() });
    assert_eq!(refused(&world.says(&mut shopper, wrong)), Some(Code::CodeMismatch));
    assert!(world.asks_again(&claim).unwrap().ticket.is_none());
    let right = json!({ "type": "code_scan", "ticket": counter.link.as_ref().unwrap().expose() });
    assert_eq!(refused(&world.says(&mut shopper, right)), None);
    let granted = world.asks_again(&claim).unwrap();
    let mut driver = world.comes(&granted);
    connects(&mut world, &mut driver);
    assert_eq!(world.last_code_step().state, State::Transferred);
    assert_eq!(world.counted("code-mismatch"), 1);
}

#[test]
fn the_far_end_is_asked_privately_by_telephone_and_its_key_counts() {
    for allows in [true, false] {
        let mut world = World::new();
        let (mut shopper, old, phone, customer) = shopper_and_customer(&mut world);
        let shown = world.shows(&mut shopper, json!({ "confirm": "holder_and_remote" }));
        let claim = world.reads(digits(&shown)).unwrap();
        assert!(world.was_told(customer, "code-ask-remote") && !world.was_told(customer, "code-ask"));
        world.answers_code(&mut shopper, shown.code, true);
        assert!(world.asks_again(&claim).unwrap().ticket.is_none(), "both must agree");
        world.key(customer, if allows { "1" } else { "2" });
        let after = world.asks_again(&claim).unwrap();
        assert_eq!(after.ticket.is_some(), allows);
        if !allows {
            assert_eq!((after.state, after.reason), (State::Refused, Some(Reason::DeclinedByRemote)));
            assert!(world.bridged.contains_key(&old) && world.next(&phone).is_none());
            // What is keyed now is a key as ever.
            world.key(customer, "1");
            assert_eq!(world.last_code_step().state, State::Refused);
        }
    }
}

#[test]
fn a_far_end_by_browser_is_asked_on_its_page() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Anna");
    connects(&mut world, &mut host);
    let mut guest = world.page_by_pin(PIN, "Ben");
    connects(&mut world, &mut guest);
    // A guest's call: the host is asked for the meeting.
    let shown = world.shows(&mut guest, json!({ "confirm": "holder_and_remote" }));
    world.told(&host);
    let claim = world.reads(link(&shown)).unwrap();
    let asked = world.told_of_code(&host).unwrap();
    assert!(asked.asked && asked.link.is_none() && asked.digits.is_none() && asked.participant == guest.you);
    assert_eq!(world.answers_code(&mut host, asked.code, true), None);
    assert_eq!(world.answers_code(&mut host, asked.code, true), Some(Code::NoSuchCode), "once");
    world.answers_code(&mut guest, asked.code, true);
    assert!(world.asks_again(&claim).unwrap().ticket.is_some());
    assert!(!world.told_of_code(&host).unwrap().asked, "the question is off the screen");
}

#[test]
fn a_telephone_has_the_digits_said_by_a_key_and_a_browser_takes_its_call_before_the_bye() {
    let mut world = World::office();
    let (caller, desk) = talking(&mut world);
    let (inside, _) = (world.leg_at(false), world.leg_at(true));
    world.key(inside, "#7");
    world.pass(Duration::from_secs(3));
    let code = spoken(&world, inside);
    assert!(check(code.expose()));
    let claim = world.reads(Read::typed(&code)).unwrap();
    assert!(world.was_told(inside, "code-ask"), "on the telephone, for it has no page");
    world.key(inside, "1");
    let granted = world.asks_again(&claim).unwrap();
    let mut page = world.comes(&granted);
    assert!(world.bridged.contains_key(&inside));
    while world.next(&caller).is_some() {}
    let web = connects(&mut world, &mut page);
    assert!(!world.bridged.contains_key(&web), "it stands, and nobody has heard it");
    speaks(&mut world, web, true);
    assert!(world.bridged.contains_key(&web) && world.bridged.contains_key(&inside), "never nobody");
    assert!(world.request(&caller).is_none(), "no BYE yet");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.request(&caller).unwrap().method.as_str(), "BYE");
    assert!(world.next_at(desk.address).is_none(), "the other side sees nothing");
    assert_eq!(world.last_code_step().state, State::Transferred);
    assert_eq!(world.sees(&page, page.you).map(|seen| seen.audio), Some(AudioBy::Web));
}

#[test]
fn a_telephone_takes_a_call_by_keying_the_digits_where_pins_are_keyed() {
    let mut world = World::new();
    let (mut shopper, old, customer, _) = shopper_and_customer(&mut world);
    let shown = world.shows(&mut shopper, json!({}));
    let mut phone = Phone::new(2);
    let leg = world.call(&mut phone, "+4930901820");
    world.key(leg, &format!("{}#", shown.digits.as_ref().unwrap().expose()));
    let asked = world.told_of_code(&shopper).unwrap();
    assert!(asked.asked && world.was_told(leg, "code-wait"));
    assert_eq!(asked.receiver.as_ref().unwrap().device, DeviceKind::Telephone);
    assert!(asked.receiver.unwrap().from.unwrap().contains('•'), "a number is masked");
    world.answers_code(&mut shopper, shown.code, true);
    assert!(world.bridged.contains_key(&old) && world.bridged.contains_key(&leg), "both for a moment");
    world.pass(Duration::from_secs(3));
    assert!(!world.bridged.contains_key(&old) && world.bridged.contains_key(&leg));
    assert!(world.pages.closed.contains(&shopper.session), "all of it moved");
    assert_eq!(world.place(leg).unwrap().id, shopper.you);
    assert!(world.next(&customer).is_none());
    assert_eq!(world.last_code_step().state, State::Transferred);
}

#[test]
fn a_telephone_that_cannot_scan_hears_digits_of_its_own_and_the_holder_types_them() {
    let mut world = World::new();
    let (mut shopper, old, _, _) = shopper_and_customer(&mut world);
    let shown = world.shows(&mut shopper, json!({ "mutual": true }));
    let mut phone = Phone::new(2);
    let leg = world.call(&mut phone, "+4930901820");
    world.key(leg, &format!("{}#", shown.digits.as_ref().unwrap().expose()));
    let told = world.told_of_code(&shopper).unwrap();
    assert!(told.scan && told.state == State::Scanned);
    let heard = &world.heard[&leg];
    let said: String = heard.iter().filter_map(|name| name.strip_prefix("digit-")).collect();
    let digits = &said[..6];
    assert!(check(digits) && said == digits.repeat(2), "twice: {heard:?}");
    let types = |world: &mut World, page: &mut Page, digits: &str| {
        refused(&world.says(page, json!({ "type": "code_scan", "digits": digits })))
    };
    // What the bystander saw on the first screen is not what the telephone was told.
    let first = shown.digits.as_ref().unwrap().expose().to_owned();
    assert_eq!(types(&mut world, &mut shopper, &first), Some(Code::CodeMismatch));
    assert!(!world.bridged.contains_key(&leg));
    assert_eq!(types(&mut world, &mut shopper, digits), None);
    world.pass(Duration::from_secs(3));
    assert!(!world.bridged.contains_key(&old) && world.bridged.contains_key(&leg));
    assert_eq!(world.place(leg).unwrap().id, shopper.you);
    assert_eq!(world.last_code_step().state, State::Transferred);
}

#[test]
fn a_telephone_that_is_refused_is_told_so_and_hung_up() {
    let mut world = World::new();
    let (mut shopper, old, _, _) = shopper_and_customer(&mut world);
    let shown = world.shows(&mut shopper, json!({}));
    let mut phone = Phone::new(2);
    let leg = world.call(&mut phone, "+4930901820");
    world.key(leg, &format!("{}#", shown.digits.as_ref().unwrap().expose()));
    world.answers_code(&mut shopper, shown.code, false);
    assert!(world.was_told(leg, "code-refused"));
    world.finish_playing(leg);
    assert!(world.request(&phone).is_some_and(|request| request.method.as_str() == "BYE"));
    assert!(world.bridged.contains_key(&old));
}

#[test]
fn pictures_alone_go_to_another_browser_while_the_telephone_keeps_the_voice() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Anna");
    connects(&mut world, &mut host);
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, PIN);
    world.pass(Duration::from_secs(5));
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut first = world.opens_page();
    world.joins(&mut first, json!({ "ticket": done.ticket.expose() }));
    let old = connects(&mut world, &mut first);
    let shown = world.shows(&mut first, json!({ "channels": ["video"], "confirm": "nobody" }));
    assert_eq!(shown.channels, [Channel::Video, Channel::Data]);
    while world.next(&phone).is_some() {}
    let claim = world.reads(link(&shown)).unwrap();
    let mut second = world.comes(&claim);
    let new = connects(&mut world, &mut second);
    assert_eq!(world.last_code_step().state, State::Transferred);
    world.pass(Duration::from_secs(2));
    assert!(world.bridged.contains_key(&leg) && !world.bridged.contains_key(&new), "the voice stays");
    assert!(world.web_orders.contains(&WebCommand::Close { leg: old }));
    assert!(world.next(&phone).is_none());
    // The host's one browser has both: it goes whole, or not at all.
    let said = world.says(&mut host, json!({ "type": "code_show", "code": { "channels": ["video"] } }));
    assert_eq!(refused(&said), Some(Code::CodeChannels));
}

#[test]
fn a_code_is_good_once_for_two_minutes_and_only_the_newest() {
    let mut world = World::new();
    let (mut shopper, old, _, _) = shopper_and_customer(&mut world);
    // Nobody reads it.
    let late = world.shows(&mut shopper, json!({}));
    world.pass(Duration::from_secs(121));
    assert_eq!(world.last_code_step().state, State::Expired);
    assert_eq!(world.reads(link(&late)), Err(Closed::Expired));
    // A newer one voids it.
    let older = world.shows(&mut shopper, json!({}));
    let newer = world.shows(&mut shopper, json!({}));
    assert_eq!(world.reads(link(&older)), Err(Closed::Superseded));
    assert_eq!(world.reads(digits(&older)), Err(Closed::Superseded));
    // A bystander's photograph of one that was read.
    world.reads(link(&newer)).unwrap();
    assert_eq!(world.reads_as("192.0.2.66", Some(link(&newer)), None), Err(Closed::Used));
    // Nobody answers.
    world.pass(Duration::from_secs(31));
    assert_eq!(world.last_code_step().reason, Some(Reason::NoAnswer));
    assert_eq!(world.reads(link(&newer)), Err(Closed::Used));
    assert!(world.bridged.contains_key(&old) && world.room().participants.len() == 2);
    for (name, count) in [("code-expired", 1), ("code-superseded", 2), ("code-used", 2), ("expired", 1)] {
        assert_eq!(world.counted(name), count, "{name}");
    }
    // Remembered for some minutes, then unknown like any other.
    world.pass(Duration::from_secs(600));
    assert_eq!(world.reads(link(&newer)), Err(Closed::Unknown));
}

#[test]
fn slips_are_told_from_guesses_and_guessers_are_stopped() {
    let mut world = World::new();
    let (mut shopper, _, _, _) = shopper_and_customer(&mut world);
    let shown = world.shows(&mut shopper, json!({}));
    let right = shown.digits.clone().unwrap();
    let guess = |number: u64| Read::typed(&Secret::new(ringlift::transfer::with_check(number, 6)));
    let swapped: String = right.expose().chars().rev().collect();
    if !check(&swapped) {
        for _ in 0..10 {
            assert_eq!(world.reads(Read::typed(&Secret::new(swapped.clone()))), Err(Closed::Mistyped));
        }
    }
    let mut wrong = (0..).filter(|number| ringlift::transfer::with_check(*number, 6) != right.expose());
    let refusals: Vec<_> = (0..8).map(|_| world.reads(guess(wrong.next().unwrap())).unwrap_err()).collect();
    assert_eq!(refusals[..6], [Closed::Unknown; 6]);
    assert!(matches!(refusals[6], Closed::TooManyAttempts(_)));
    // Now not even the right digits count from there; a link, which nobody guesses, does.
    assert!(matches!(world.reads(digits(&shown)), Err(Closed::TooManyAttempts(_))));
    assert_eq!(
        world.reads(Read::link(&Secret::new("https://x/c/0000000000000000000000"))),
        Err(Closed::TooManyAttempts(60))
    );
    assert!(world.reads(link(&shown)).is_ok());
    assert!(world.counted("code-unknown") >= 6 && world.counted("code-too-many-attempts") >= 2);
}

#[test]
fn a_code_for_one_person_opens_for_no_other_account() {
    let mut world = World::new();
    let (_, _, _, leg) = shopper_and_customer(&mut world);
    let only = crate::telephone::extension(&mut world, 107);
    let request = CodeRequest { extension: Some(only), confirm: Some(Confirm::Nobody), ..CodeRequest::default() };
    let view = world.has_code(leg, request).unwrap();
    let read = Read::link(view.link.as_ref().unwrap());
    assert_eq!(world.reads(read.clone()), Err(Closed::OtherAccount), "a page is nobody's");
    let other = crate::telephone::extension(&mut world, 108);
    assert_eq!(world.reads_as(DRIVER, Some(read.clone()), Some(other)), Err(Closed::OtherAccount));
    assert_eq!(world.code(view.id).state, State::Shown, "a wrong reader does not use it up");
    assert!(world.reads_as(DRIVER, Some(read), Some(only)).unwrap().ticket.is_some());
    assert_eq!(world.counted("code-other-account"), 2);
}

#[test]
fn a_code_ends_with_its_call_and_is_not_made_for_calls_that_must_stay() {
    let mut world = World::new();
    let (mut shopper, _, mut phone, leg) = shopper_and_customer(&mut world);
    let view = world.has_code(leg, CodeRequest::default()).unwrap();
    assert!(view.call == Some(leg) && view.participant == world.place(leg).map(|place| place.id));
    world.bye(&mut phone);
    assert_eq!(world.last_code_step().reason, Some(Reason::CallEnded));
    assert_eq!(world.reads(Read::link(view.link.as_ref().unwrap())), Err(Closed::Ended));
    assert!(world.code(view.id).link.is_none());
    // Withdrawn by whoever made it.
    let shown = world.shows(&mut shopper, json!({}));
    let said = world.says(&mut shopper, json!({ "type": "code_withdraw", "code": shown.code.to_string() }));
    assert_eq!(refused(&said), None);
    assert_eq!(world.reads(link(&shown)), Err(Closed::Superseded));
    // What it is for is told without using it.
    let shown = world.shows(&mut shopper, json!({}));
    let look = Command::LookAtCode { read: link(&shown), from: DRIVER.parse().unwrap() };
    for _ in 0..3 {
        let Ok(Reply::CodeInfo(info)) = world.ask(look.clone()) else { panic!("not told") };
        assert_eq!((info.kind, info.person.as_deref()), (CodeKind::Take, Some("Anna")));
    }
    // A key pressed for fun.
    let outcomes: Vec<_> = (0..8).map(|_| world.says(&mut shopper, json!({ "type": "code_show" }))).collect();
    assert_eq!(refused(outcomes.last().unwrap()), Some(Code::TooOften));
    let mut off = World::with(|_| {}, |settings| settings.coding.allowed = false);
    let mut page = off.page_by_pin(HOST_PIN, "Anna");
    assert_eq!(refused(&off.says(&mut page, json!({ "type": "code_show" }))), Some(Code::CodeOff));
}
