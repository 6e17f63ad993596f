//! Codes on paper: a stranger reads a poster or keys its digits, and a call begins with what is known of it.

use std::time::Duration;

use ringlift::base::id::CodeId;
use ringlift::base::{LegId, Secret};
use ringlift::gateway::Record;
use ringlift::gateway::code::printed::{Drawn, PrintCommand, PrintRequest};
use ringlift::gateway::code::view::{ClaimView, Claiming, Closed, CodeInfo, CodeKind, DeviceKind, Read, Receiver};
use ringlift::gateway::command::{Command, Denial, Reply};
use ringlift::gateway::event::{CodeBegan, Happening};
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::ServerMessage;
use ringlift::sip::uui::Uui;
use ringlift::transfer::check;
use ringlift::wire::sip::{Method, Name};
use serde_json::json;

use crate::desks::{Desk, OUTSIDE};
use crate::house::registered;
use crate::meeting::{connects, publishes};
use crate::pages::{Page, refused};
use crate::telephone::extension;
use crate::world::{HOST_PIN, Phone, ROOM, World};

const STRANGER: &str = "198.51.100.9";
const CONTEXT: &str = r#"{"order":4711,"for":"Anna"}"#;

impl World {
    fn prints(&mut self, request: PrintRequest) -> Result<Drawn, Denial> {
        let drawn = match self.ask(Command::Printed(Box::new(PrintCommand::Draw(request))))? {
            Reply::Printed(drawn) => *drawn,
            other => panic!("{other:?}"),
        };
        self.ask(Command::Printed(Box::new(PrintCommand::Put(drawn.clone()))))?;
        Ok(drawn)
    }

    fn sees_on_paper(&mut self, read: Read) -> Result<CodeInfo, Closed> {
        match self.ask(Command::LookAtCode { read, from: STRANGER.parse().unwrap() }) {
            Ok(Reply::CodeInfo(info)) => Ok(*info),
            Err(Denial::Closed(closed)) => Err(closed),
            other => panic!("{other:?}"),
        }
    }

    fn scans_from(&mut self, from: &str, read: Read) -> Result<ClaimView, Closed> {
        let (device, agent) = (DeviceKind::Browser, None);
        let receiver = Receiver { name: None, device, agent, from: None, nearby: false, extension: None };
        let asked = Claiming { read: Some(read), receiver, from: from.parse().unwrap() };
        match self.ask(Command::ClaimCode(Box::new(asked))) {
            Ok(Reply::Claimed(view)) => Ok(*view),
            Err(Denial::Closed(closed)) => Err(closed),
            other => panic!("{other:?}"),
        }
    }

    fn scans(&mut self, read: Read) -> Result<ClaimView, Closed> {
        self.scans_from(STRANGER, read)
    }

    fn comes_by(&mut self, claim: &ClaimView) -> Page {
        let mut page = self.opens_page_from(STRANGER);
        self.joins(&mut page, json!({ "ticket": claim.ticket.as_ref().expect("it may come").expose() }));
        page
    }

    fn began(&self) -> Vec<CodeBegan> {
        let of = |event: &Happening| match event {
            Happening::CodeBegan(of) => Some((**of).clone()),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    fn uses_kept(&self) -> Vec<(CodeId, u32)> {
        let of = |record: &Record| match record {
            Record::CodeUsed { code, used, .. } => Some((*code, *used)),
            _ => None,
        };
        self.records.iter().filter_map(of).collect()
    }
}

fn poster() -> PrintRequest {
    PrintRequest { title: "Poster".into(), context: Some(CONTEXT.into()), ..PrintRequest::default() }
}

fn to_room() -> PrintRequest {
    PrintRequest { room: Some(ROOM), name: Some("Visitor".into()), ..poster() }
}

fn to(whom: &str) -> PrintRequest {
    PrintRequest { to: Some(whom.into()), ..poster() }
}

fn link(drawn: &Drawn) -> Read {
    Read::link(&drawn.link)
}

fn digits(drawn: &Drawn) -> Read {
    Read::typed(&drawn.digits)
}

#[test]
fn a_stranger_sees_where_a_poster_leads_and_comes_into_the_room_with_its_context() {
    let mut world = World::new();
    let mut host = world.page_by_pin(HOST_PIN, "Hanna");
    connects(&mut world, &mut host);
    let drawn = world.prints(to_room()).unwrap();
    assert!(check(drawn.digits.expose()) && drawn.digits.expose().len() == 10);
    let info = world.sees_on_paper(link(&drawn)).unwrap();
    assert_eq!((info.kind, info.name.as_deref()), (CodeKind::Call, Some("Poster")));
    assert_eq!((info.person, info.rings), (Some(world.room().settings.name), false));
    let claim = world.scans(link(&drawn)).unwrap();
    assert!(world.began().is_empty(), "reading alone begins nothing");
    assert!(!serde_json::to_string(&claim).unwrap().contains("4711"), "whoever reads it is not told what is known");
    let mut page = world.comes_by(&claim);
    let leg = connects(&mut world, &mut page);
    assert!(world.bridged.contains_key(&leg) && publishes(&world, leg, ringlift::media::web::Source::Microphone));
    let began = world.began();
    let [began] = began.as_slice() else { panic!("{began:?}") };
    assert_eq!((began.code, began.room, began.participant), (drawn.code.id, ROOM, page.you));
    assert_eq!((began.context.as_deref(), began.by, began.used), (Some(CONTEXT), DeviceKind::Browser, 1));
    assert_eq!(world.uses_kept(), [(drawn.code.id, 1)]);
    assert_eq!(world.place(leg).unwrap().name.as_deref(), Some("Visitor"));
    let written = serde_json::to_value(Happening::CodeBegan(Box::new(began.clone()))).unwrap();
    assert_eq!(written["type"], "code.printed_used");
    assert!(!written.to_string().contains(drawn.digits.expose()));
    // What the page joined by is gone; the poster hangs there yet.
    let mut again = world.opens_page_from(STRANGER);
    let said = world.tries(&mut again, json!({ "ticket": claim.ticket.as_ref().unwrap().expose() }));
    assert_eq!(refused(&said), Some(Code::BadTicket));
    assert!(world.scans(digits(&drawn)).is_ok());
}

#[test]
fn a_stranger_reads_a_badge_and_its_owners_telephone_rings_with_the_context() {
    let mut world = World::office();
    extension(&mut world, 204);
    let (_, mut desk) = registered(&mut world, 204, 0);
    let drawn = world.prints(to("204")).unwrap();
    let claim = world.scans(link(&drawn)).unwrap();
    assert!(world.asked(&desk, &Method::Invite).is_none(), "nobody is rung before somebody comes");
    let mut page = world.comes_by(&claim);
    let invite = world.rung(&mut desk);
    let uui = Uui::all(&invite.headers);
    assert_eq!(uui.first().and_then(Uui::bytes).as_deref(), Some(CONTEXT.as_bytes()));
    assert!(invite.headers.get(Name::From).unwrap().contains("Poster"), "who calls is what the code is called");
    let web = connects(&mut world, &mut page);
    world.answers(&desk);
    let desk_leg = world.calls().iter().find(|call| call.id != web).map(|call| call.id).unwrap();
    assert_eq!((world.bridged.get(&web), world.bridged.get(&desk_leg)), (Some(&false), Some(&false)), "both are heard");
    assert_eq!(world.began()[0].context.as_deref(), Some(CONTEXT));
    // The owner hangs up: the page is told goodbye, and nothing is left.
    world.asks(&mut desk, "BYE", "");
    assert!(world.pages.closed.contains(&page.session));
    world.pass(Duration::from_secs(40));
    world.ends_clean();
}

#[test]
fn a_stranger_who_goes_before_anybody_answers_silences_the_telephone() {
    for by_phone in [false, true] {
        let mut world = World::office();
        extension(&mut world, 204);
        let (_, mut desk) = registered(&mut world, 204, 0);
        let drawn = world.prints(to("204")).unwrap();
        let mut phone = Phone::new(1);
        let mut page = None;
        if by_phone {
            world.join(&mut phone, drawn.digits.expose());
        } else {
            let claim = world.scans(link(&drawn)).unwrap();
            page = Some(world.comes_by(&claim));
        }
        world.rung(&mut desk);
        world.rings(&desk);
        match &mut page {
            Some(page) => {
                world.says(page, json!({ "type": "leave" }));
            }
            None => world.bye(&mut phone),
        }
        assert!(world.is_cancelled(&desk).contains("cause"), "by telephone: {by_phone}");
        world.pass(Duration::from_secs(40));
        world.ends_clean();
    }
}

#[test]
fn a_page_whose_call_nobody_takes_is_told_goodbye() {
    let mut world = World::office();
    let drawn = world.prints(to(OUTSIDE)).unwrap();
    let claim = world.scans(link(&drawn)).unwrap();
    let mut page = world.comes_by(&claim);
    connects(&mut world, &mut page);
    let mut carrier = Desk::carrier(10);
    let invite = world.rung(&mut carrier);
    assert!(!invite.headers.get(Name::From).unwrap().contains("Poster"), "carriers are told no names of ours");
    world.refuses(&carrier, "486 Busy Here", "");
    assert!(world.pages.closed.contains(&page.session));
    world.pass(Duration::from_secs(40));
    world.ends_clean();
}

#[test]
fn whoever_keys_the_printed_digits_at_the_attendant_is_connected() {
    let mut world = World::office();
    extension(&mut world, 204);
    let (_, mut desk) = registered(&mut world, 204, 0);
    let drawn = world.prints(to("204")).unwrap();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, drawn.digits.expose());
    let invite = world.rung(&mut desk);
    assert_eq!(Uui::all(&invite.headers).first().and_then(Uui::bytes).as_deref(), Some(CONTEXT.as_bytes()));
    world.rings(&desk);
    world.answers(&desk);
    let room = world.began()[0].room;
    assert_eq!(world.began()[0].by, DeviceKind::Telephone);
    let legs: Vec<LegId> = world.calls().iter().filter(|call| call.room == Some(room)).map(|call| call.id).collect();
    assert_eq!(legs.len(), 2);
    assert!(legs.contains(&leg) && legs.iter().all(|leg| world.bridged.get(leg) == Some(&false)));
    world.bye(&mut phone);
    world.is_hung_up(&desk);
    world.ends_clean();
}

#[test]
fn printed_digits_bring_a_telephone_into_the_room_without_its_pin() {
    let mut world = World::new();
    let drawn = world.prints(to_room()).unwrap();
    let mut phone = Phone::new(1);
    let leg = world.join(&mut phone, drawn.digits.expose());
    assert_eq!(world.place(leg).unwrap().name.as_deref(), Some("Visitor"));
    assert_eq!((world.began()[0].call, world.began()[0].room), (leg, ROOM));
}

#[test]
fn each_refusal_of_a_printed_code_has_its_own_name_and_the_telephone_is_let_go() {
    let mut world = World::new();
    let later = ringlift::base::Utc(world.now.utc.0 + 3_600_000);
    let early = world.prints(PrintRequest { valid_from: Some(later), ..to_room() }).unwrap();
    let once = world.prints(PrintRequest { uses: Some(1), ..to_room() }).unwrap();
    let short = world.prints(PrintRequest { expires: Some(later), ..to_room() }).unwrap();
    let back = world.prints(to_room()).unwrap();
    let at = world.now.utc;
    world.ask(Command::Printed(Box::new(PrintCommand::Revoke(back.code.id, at)))).unwrap();
    assert_eq!(world.sees_on_paper(link(&early)), Err(Closed::TooEarly));
    assert_eq!(world.scans(link(&back)), Err(Closed::Revoked));
    // Two read the letter, one comes.
    let (first, second) = (world.scans(link(&once)).unwrap(), world.scans(digits(&once)).unwrap());
    world.comes_by(&first);
    let mut late = world.opens_page_from(STRANGER);
    let said = world.tries(&mut late, json!({ "ticket": second.ticket.as_ref().unwrap().expose() }));
    assert_eq!(refused(&said), Some(Code::CodeExpired));
    assert_eq!(world.sees_on_paper(digits(&once)), Err(Closed::UsedUp));
    let mut phone = Phone::new(1);
    let leg = world.call(&mut phone, "+4930901820");
    world.pass(Duration::from_secs(2));
    world.key(leg, &format!("{}#", back.digits.expose()));
    assert!(world.was_told(leg, "not-available") && !world.was_told(leg, "pin-wrong"));
    world.finish_playing(leg);
    assert!(std::iter::from_fn(|| world.request(&phone)).any(|request| request.method == Method::Bye));
    world.pass(Duration::from_secs(3600));
    assert_eq!(world.scans(link(&short)), Err(Closed::Expired));
    assert!(world.sees_on_paper(link(&early)).is_ok(), "its day came");
    let mut wrong = short.digits.expose().to_owned();
    wrong.replace_range(9.., if wrong.ends_with('0') { "1" } else { "0" });
    assert_eq!(world.scans(Read::typed(&Secret::new(wrong))), Err(Closed::Mistyped));
    assert_eq!(world.status().codes.get("code-revoked"), Some(&3), "by page twice, and by telephone");
}

#[test]
fn the_digits_of_a_poster_are_no_links_end() {
    let mut world = World::new();
    let drawn = world.prints(to_room()).unwrap();
    let around = Read::Ticket(drawn.digits.clone());
    assert_eq!(world.scans(around), Err(Closed::Unknown), "else the limits on digits were no limits");
}

#[test]
fn digits_cannot_be_guessed_by_one_who_tries_again_and_again() {
    let mut world = World::new();
    world.prints(to_room()).unwrap();
    let mut last = Ok(());
    for number in 0..40 {
        let guess = ringlift::transfer::with_check(number, 10);
        last = world.scans(Read::typed(&Secret::new(guess))).map(drop);
    }
    assert!(matches!(last, Err(Closed::TooManyAttempts(_))), "{last:?}");
}

#[test]
fn one_who_scans_again_and_again_is_held_up_and_so_is_a_code_that_everybody_scans() {
    let mut world = World::new();
    let drawn = world.prints(PrintRequest { per_hour: Some(12), ..to_room() }).unwrap();
    for _ in 0..5 {
        world.scans(link(&drawn)).unwrap();
    }
    assert!(matches!(world.scans(link(&drawn)), Err(Closed::TooOften(_))));
    let others: Vec<ClaimView> =
        (1..=3).map(|n| world.scans_from(&format!("192.0.2.{n}"), link(&drawn)).expect("others may")).collect();
    let said: Vec<ServerMessage> = others
        .iter()
        .map(|claim| {
            let mut page = world.opens_page();
            world.tries(&mut page, json!({ "ticket": claim.ticket.as_ref().unwrap().expose() }))
        })
        .collect();
    assert_eq!(said.iter().map(refused).collect::<Vec<_>>(), [None, None, Some(Code::TooOften)], "twelve an hour");
    world.pass(Duration::from_secs(301));
    let claim = world.scans(link(&drawn)).unwrap();
    world.comes_by(&claim);
    assert_eq!(world.began().len(), 3);
}

#[test]
fn what_leads_nowhere_is_not_printed_and_says_so_once_it_does() {
    let mut world = World::office();
    extension(&mut world, 204);
    for wrong in [
        to("112"),
        to("no one"),
        PrintRequest { room: Some(ROOM), ..to("204") },
        poster(),
        PrintRequest { title: String::new(), ..to("204") },
        PrintRequest { uses: Some(0), ..to("204") },
        PrintRequest { per_hour: Some(0), ..to("204") },
        PrintRequest { context: Some("x".repeat(257)), ..to("204") },
        PrintRequest { expires: Some(world.now.utc), ..to("204") },
    ] {
        let said = world.prints(wrong.clone());
        assert!(matches!(said, Err(Denial::Invalid(_))), "{wrong:?}: {said:?}");
    }
    let drawn = world.prints(to("204")).unwrap();
    world.ask(Command::DeleteExtension(ringlift::base::ExtensionId::from_bits(204))).unwrap();
    assert_eq!(world.scans(link(&drawn)), Err(Closed::Nowhere));
}

#[test]
fn the_picture_of_a_code_is_had_for_an_hour() {
    let mut world = World::new();
    let drawn = world.prints(to_room()).unwrap();
    let ask = |world: &mut World| world.ask(Command::Printed(Box::new(PrintCommand::Link(drawn.code.id))));
    assert_eq!(ask(&mut world), Ok(Reply::PrintedLink(drawn.link.clone())));
    world.pass(Duration::from_secs(3601));
    assert_eq!(ask(&mut world), Err(Denial::Closed(Closed::NotShown)));
    assert!(world.scans(link(&drawn)).is_ok(), "the paper is good all the same");
}

#[test]
fn a_poster_outlives_the_node() {
    let mut world = World::new();
    let drawn = world.prints(PrintRequest { uses: Some(2), ..to_room() }).unwrap();
    let claim = world.scans(link(&drawn)).unwrap();
    world.comes_by(&claim);
    let kept = ringlift::transfer::Printed { used: world.uses_kept()[0].1, ..drawn.code.clone() };
    let mut after = World::of(|_| {}, |_| {}, |directory| directory.printed = vec![kept]);
    let claim = after.scans(digits(&drawn)).unwrap();
    after.comes_by(&claim);
    assert_eq!(after.scans(link(&drawn)), Err(Closed::UsedUp));
}
