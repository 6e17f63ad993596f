//! The voice of somebody whose telephone and browser are one seat: where it is, and that it is never nowhere.

use std::time::Duration;

use ringlift::base::{LegId, Secret};
use ringlift::elevation::{Reason, Step};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, Reply};
use ringlift::gateway::elevate::view::{LinkView, Redeemed, Shut};
use ringlift::gateway::web::Code;
use ringlift::gateway::web::protocol::{AudioBy, ServerMessage};
use ringlift::media::clip::{Clip, Tone};
use ringlift::media::command::MediaCommand;
use ringlift::media::web::{Source, WebCommand, WebEvent};
use serde_json::json;

use crate::elevation::{host_and_caller, orders_about};
use crate::meeting::{connects, publishes, speaks};
use crate::pages::{Page, refused};
use crate::world::{Phone, World};

/// A caller whose browser carries the voice, while the telephone is kept on the line.
fn parked(world: &mut World) -> (Page, Page, Phone, LegId, LegId, Redeemed) {
    let (host, phone, leg) = host_and_caller(world);
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut page = world.takes_seat(&done);
    let web = connects(world, &mut page);
    speaks(world, web, true);
    world.says(&mut page, json!({ "type": "audio", "by": "web", "keep": true }));
    world.pass(Duration::from_secs(2));
    assert!(world.bridged.contains_key(&web) && !world.bridged.contains_key(&leg));
    (host, page, phone, leg, web, done)
}

fn looks_at(world: &mut World, link: &str) -> LinkView {
    let ticket = Secret::new(link);
    match world.ask(Command::LookAtLink { ticket, from: "203.0.113.9".parse().unwrap() }) {
        Ok(Reply::Link(link)) => *link,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mute_on_the_page_mutes_the_telephone_and_the_key_is_seen_on_the_page() {
    let mut world = World::new();
    let (_, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut page = world.takes_seat(&done);
    connects(&mut world, &mut page);
    world.says(&mut page, json!({ "type": "publish", "source": "microphone", "on": false }));
    assert!(world.bridged[&leg], "the telephone is not heard");
    world.told(&page);
    world.key(leg, "*6");
    world.pass(Duration::from_secs(3));
    assert!(!world.bridged[&leg]);
    assert!(!world.sees(&page, page.you).unwrap().muted_by_self);
}

#[test]
fn the_page_goes_and_comes_back_and_the_telephone_stays() {
    let mut world = World::new();
    let (host, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut page = world.takes_seat(&done);
    let web = connects(&mut world, &mut page);
    let since = world.orders.len();
    // The tab is closed: audio alone again.
    world.drops(&page);
    assert!(!world.sees(&host, page.you).is_some_and(|seen| seen.away), "whoever talks is not away");
    world.pass(Duration::from_secs(31));
    let seen = world.sees(&host, page.you).unwrap();
    assert!(seen.audio == AudioBy::Phone && !seen.video);
    assert!(world.web_orders.contains(&WebCommand::Close { leg: web }));
    assert_eq!(world.last_step(), (Step::Closed, Some(Reason::PageClosed)));
    // The browser that had the seat has it again, even after the link's ten minutes; others do not.
    world.pass(Duration::from_secs(700));
    assert_eq!(world.redeems(json!({ "ticket": world.link() })), Err(Shut::Expired));
    let again = json!({ "ticket": world.link(), "holder": done.holder.expose() });
    let back = world.redeems(again).unwrap();
    let mut page = world.takes_seat(&back);
    connects(&mut world, &mut page);
    assert_eq!(world.last_step(), (Step::Bound, None));
    // It says goodbye by itself: the telephone is still there.
    world.says(&mut page, json!({ "type": "leave" }));
    assert!(world.pages.closed.contains(&page.session));
    assert_eq!(world.place(leg).unwrap().id, page.you);
    assert_eq!(orders_about(&world, leg, since), Vec::<&MediaCommand>::new());
}

#[test]
fn the_telephone_hangs_up_and_the_page_stays_and_is_offered_to_carry_the_voice() {
    let mut world = World::new();
    let (host, mut phone, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut page = world.takes_seat(&done);
    let web = connects(&mut world, &mut page);
    world.told(&page);
    world.bye(&mut phone);
    let seen = world.sees(&host, page.you).unwrap();
    assert!(seen.audio == AudioBy::None && seen.video, "the seat stays: {seen:?}");
    let offered = |world: &mut World, page: &Page| {
        world.told(page).iter().any(|told| matches!(told, ServerMessage::AudioOffer { .. }))
    };
    world.pass(Duration::from_millis(2900));
    assert!(!offered(&mut world, &page));
    world.pass(Duration::from_millis(200));
    assert!(offered(&mut world, &page));
    assert_eq!(refused(&world.says(&mut page, json!({ "type": "audio", "by": "phone" }))), Some(Code::NoSuchAudio));
    world.says(&mut page, json!({ "type": "audio", "by": "web" }));
    assert!(!world.bridged[&web] && publishes(&world, web, Source::Microphone));
    assert_eq!(world.sees(&host, page.you).unwrap().audio, AudioBy::Web);
    world.says(&mut page, json!({ "type": "leave" }));
    assert_eq!(world.room().participants.len(), 1, "without a telephone the page was all there was");
}

#[test]
fn a_telephone_that_is_kept_on_the_line_is_on_the_roster_and_its_hanging_up_is_told() {
    let mut world = World::new();
    let (host, mut page, mut phone, leg, _, done) = parked(&mut world);
    let link = world.link();
    assert!(world.sees(&page, page.you).unwrap().phone_kept && world.sees(&host, page.you).unwrap().phone_kept);
    assert!(looks_at(&mut world, &link).phone);
    // Loaded anew, the page knows it still.
    world.drops(&page);
    let done = world.redeems(json!({ "ticket": link, "holder": done.holder.expose() })).unwrap();
    page = world.opens_page();
    let welcome = world.joins(&mut page, json!({ "ticket": done.ticket.expose() }));
    assert!(welcome.people.iter().any(|person| person.id == page.you && person.phone_kept));
    world.told(&page);
    world.bye(&mut phone);
    let told = world.told(&page).into_iter().rev().find_map(|told| match told {
        ServerMessage::Changed { person } if person.id == page.you => Some(person),
        _ => None,
    });
    let seen = told.expect("the page is told");
    assert!(!seen.phone_kept && seen.audio == AudioBy::Web, "{seen:?}");
    assert!(!looks_at(&mut world, &link).phone, "nobody stays on a telephone that hung up");
    assert!(!world.calls().iter().any(|call| call.id == leg));
    let back = world.says(&mut page, json!({ "type": "audio", "by": "phone" }));
    assert_eq!(refused(&back), Some(Code::NoSuchAudio));
}

#[test]
fn a_page_that_is_opened_after_the_telephone_hung_up_is_offered_to_carry_the_voice() {
    let mut world = World::new();
    let (_, mut phone, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let link = world.link();
    let done = world.redeems(json!({ "ticket": link })).unwrap();
    let page = world.takes_seat(&done);
    world.bye(&mut phone);
    world.pass(Duration::from_secs(5));
    world.drops(&page);
    let done = world.redeems(json!({ "ticket": link, "holder": done.holder.expose() })).unwrap();
    let page = world.takes_seat(&done);
    assert!(world.told(&page).iter().any(|told| matches!(told, ServerMessage::AudioOffer { .. })));
}

#[test]
fn a_tab_that_is_closed_leaves_nobody_without_a_voice_while_the_telephone_is_on_the_line() {
    let mut world = World::new();
    let (host, page, _, leg, web, done) = parked(&mut world);
    let since = world.orders.len();
    world.drops(&page);
    // Loaded anew: the voice stays where it is.
    world.pass(Duration::from_secs(2));
    let again = json!({ "ticket": world.link(), "holder": done.holder.expose() });
    let done = world.redeems(again).unwrap();
    let page = world.takes_seat(&done);
    world.pass(Duration::from_secs(5));
    assert!(world.bridged.contains_key(&web) && !world.bridged.contains_key(&leg));
    // Closed for good.
    world.drops(&page);
    world.pass(Duration::from_millis(2900));
    assert!(!world.bridged.contains_key(&leg));
    world.pass(Duration::from_millis(200));
    assert!(world.bridged.contains_key(&leg), "the telephone carries the voice again");
    world.pass(Duration::from_millis(200));
    assert!(!world.bridged.contains_key(&web), "and it alone");
    let seen = world.sees(&host, page.you).unwrap();
    assert!(seen.audio == AudioBy::Phone && !seen.phone_kept);
    let tone = |order: &&MediaCommand| matches!(order, MediaCommand::Play { leg: of, clips, .. } if *of == leg && clips.contains(&Clip::Tone(Tone::Done)));
    assert_eq!(world.orders[since..].iter().filter(tone).count(), 1, "its person hears that, and nobody else");
    world.pass(Duration::from_secs(40));
    assert!(world.bridged.contains_key(&leg) && world.room().participants.iter().all(|p| !p.phone_kept));
}

#[test]
fn a_browser_that_falls_silent_gives_the_voice_back_to_the_telephone_though_its_page_seems_to_be_there() {
    let mut world = World::new();
    let (host, page, _, leg, web, _) = parked(&mut world);
    world.give(Input::WebMedia(WebEvent::Interrupted { leg: web }));
    world.pass(Duration::from_secs(2));
    world.give(Input::WebMedia(WebEvent::Connected { leg: web }));
    world.pass(Duration::from_secs(5));
    assert!(!world.bridged.contains_key(&leg), "it came back");
    world.give(Input::WebMedia(WebEvent::Interrupted { leg: web }));
    world.pass(Duration::from_millis(3100));
    assert!(world.bridged.contains_key(&leg));
    assert_eq!(world.sees(&host, page.you).unwrap().audio, AudioBy::Phone);
}

#[test]
fn the_voice_goes_to_the_browser_and_back_ten_times_and_is_never_nowhere() {
    let mut world = World::new();
    let (_, phone, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut page = world.takes_seat(&done);
    let web = connects(&mut world, &mut page);
    speaks(&mut world, web, true);
    while world.next(&phone).is_some() {}
    for _ in 0..10 {
        world.says(&mut page, json!({ "type": "audio", "by": "web", "keep": true }));
        assert!(world.bridged.contains_key(&web) && world.bridged.contains_key(&leg), "both, for a moment");
        world.pass(Duration::from_millis(150));
        assert!(world.bridged.contains_key(&web) && !world.bridged.contains_key(&leg), "one voice");
        assert!(publishes(&world, web, Source::Microphone));
        world.says(&mut page, json!({ "type": "audio", "by": "phone" }));
        assert!(world.bridged.contains_key(&web) && world.bridged.contains_key(&leg));
        world.pass(Duration::from_millis(150));
        assert!(!world.bridged.contains_key(&web) && world.bridged.contains_key(&leg));
        assert!(!publishes(&world, web, Source::Microphone));
        world.pass(Duration::from_secs(2));
    }
    assert!(world.next(&phone).is_none(), "the call itself hears nothing of it");
    assert!(!world.web_orders.contains(&WebCommand::Close { leg: web }), "the pictures stay");
    // For good: the telephone is hung up once the browser carries.
    world.says(&mut page, json!({ "type": "audio", "by": "web" }));
    world.pass(Duration::from_secs(2));
    assert!(world.request(&phone).is_some_and(|request| request.method.as_str() == "BYE"));
    world.pass(Duration::from_secs(40));
    assert_eq!(world.sees(&page, page.you).map(|seen| seen.audio), Some(AudioBy::Web));
    assert_eq!(world.room().participants.len(), 2);
}

#[test]
fn a_browser_that_sends_nothing_takes_no_voice_and_keeps_its_pictures() {
    let mut world = World::new();
    let (host, _, leg) = host_and_caller(&mut world);
    world.key(leg, "*3");
    let done = world.redeems(json!({ "ticket": world.link() })).unwrap();
    let mut page = world.takes_seat(&done);
    let web = connects(&mut world, &mut page);
    let by_web = json!({ "type": "audio", "by": "web", "keep": true });
    world.says(&mut page, by_web.clone());
    world.pass(Duration::from_secs(19));
    assert!(world.bridged.contains_key(&leg) && !world.bridged.contains_key(&web), "it stands, and says nothing");
    world.pass(Duration::from_secs(2));
    assert!(world.bridged.contains_key(&leg));
    // Asked again, then thought better of: what it sends afterwards moves nothing.
    world.says(&mut page, by_web.clone());
    world.says(&mut page, json!({ "type": "audio", "by": "phone" }));
    speaks(&mut world, web, true);
    world.pass(Duration::from_secs(1));
    assert!(world.bridged.contains_key(&leg) && !world.bridged.contains_key(&web));
    assert!(!world.web_orders.contains(&WebCommand::Close { leg: web }), "the pictures stay");
    // With the first packet it carries the voice.
    speaks(&mut world, web, false);
    world.says(&mut page, by_web);
    assert!(!world.bridged.contains_key(&web));
    speaks(&mut world, web, true);
    assert!(world.bridged.contains_key(&web) && world.bridged.contains_key(&leg), "both, for a moment");
    world.pass(Duration::from_millis(150));
    assert!(!world.bridged.contains_key(&leg));
    assert_eq!(world.sees(&host, page.you).unwrap().audio, AudioBy::Web);
}
