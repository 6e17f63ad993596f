//! Lamps beside names: they burn while somebody talks.

use std::time::Duration;

use ringlift::wire::sip::{Name, Request};

use crate::telephone::{Telephone, extension};
use crate::world::{Phone, World};

const LINES: &str = "Event: dialog\nAccept: application/dialog-info+xml\nExpires: 600\nContact: <sip:102@10.0.0.102>\n";

/// What a NOTIFY says: its subscription's state, the document's version, and the state of the first call.
fn said(request: &Request) -> (String, String, String) {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let between = |from: &str, to: &str| body.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
    let state = request.headers.get(Name::SubscriptionState).unwrap().split(';').next().unwrap().to_owned();
    (state, between("version=\"", "\"").replace("1.0", ""), between("<state>", "<"))
}

/// The lamp's next NOTIFY, answered.
fn shows(world: &mut World, lamp: &Telephone) -> Option<(String, String)> {
    let notify = lamp.request(world)?;
    lamp.answer(world, &notify, 200, "");
    let (subscription, _, state) = said(&notify);
    Some((subscription, state))
}

fn lit(state: &str) -> Option<(String, String)> {
    Some(("active".into(), state.into()))
}

/// Watches 101 from the phone of 102.
fn watch(world: &mut World, lines: &str) -> Telephone {
    let mut lamp = Telephone::new(102);
    let answer = lamp.ask(world, "SUBSCRIBE", "sip:101@198.51.100.1", lines, "");
    assert_eq!(answer.status.code(), 200);
    assert!(answer.headers.contact().is_some(), "a dialog needs a Contact");
    lamp.to_tag = answer.headers.to().unwrap().tag().map(str::to_owned);
    lamp
}

#[test]
fn a_lamp_burns_while_the_watched_talks() {
    let mut world = World::new();
    extension(&mut world, 101);
    extension(&mut world, 102);
    let mut stranger = Telephone { user: "nobody".into(), ..Telephone::new(102) };
    assert_eq!(stranger.ask(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", LINES, "").status.code(), 401);
    let lamp = watch(&mut world, LINES);
    assert_eq!(shows(&mut world, &lamp), lit("terminated"), "at rest");
    let mut desk = Telephone::new(101);
    desk.call_id = "a-call".into();
    let offer = Phone::new(9).offer("sendrecv");
    let lines = "Contact: <sip:101@10.0.0.101>\n";
    let answer = desk.ask(&mut world, "INVITE", "sip:direct@198.51.100.1", lines, &offer);
    assert_eq!(answer.status.code(), 200);
    let notify = lamp.request(&mut world).expect("a NOTIFY");
    assert_eq!(notify.uri.as_str(), "sip:102@10.0.0.102");
    lamp.answer(&mut world, &notify, 200, "");
    let last = std::iter::from_fn(|| shows(&mut world, &lamp)).last().or_else(|| {
        let (subscription, _, state) = said(&notify);
        Some((subscription, state))
    });
    assert_eq!(last, lit("confirmed"));
    let body = String::from_utf8(notify.body.to_vec()).unwrap();
    assert!(body.contains("entity=\"sip:101@198.51.100.1\"") && body.contains("direction=\"initiator\""), "{body}");
    assert!(body.contains("call-id=\"a-call\" local-tag=\"da-call\""), "{body}");
    desk.to_tag = answer.headers.to().unwrap().tag().map(str::to_owned);
    let target = answer.headers.contact().unwrap().uri.to_string();
    desk.send(&mut world, "ACK", &target, "", "");
    desk.send(&mut world, "BYE", &target, "", "");
    assert_eq!(shows(&mut world, &lamp), lit("terminated"), "at rest again");
    world.pass(Duration::from_secs(601));
    let over = lamp.request(&mut world).expect("a last word");
    assert_eq!(over.headers.get(Name::SubscriptionState), Some("terminated;reason=timeout"));
    lamp.answer(&mut world, &over, 200, "");
    world.ends_clean();
}

#[test]
fn a_room_has_a_lamp_too() {
    let mut world = World::new();
    extension(&mut world, 102);
    let mut lamp = Telephone::new(102);
    let answer = lamp.ask(&mut world, "SUBSCRIBE", "sip:direct@198.51.100.1", LINES, "");
    assert_eq!(answer.status.code(), 200);
    assert_eq!(shows(&mut world, &lamp), lit("terminated"));
    let mut phone = Phone::new(1);
    world.call(&mut phone, "direct");
    assert_eq!(std::iter::from_fn(|| shows(&mut world, &lamp)).last(), lit("confirmed"));
    world.bye(&mut phone);
    assert_eq!(std::iter::from_fn(|| shows(&mut world, &lamp)).last(), lit("terminated"));
}

#[test]
fn a_lamp_is_refreshed_put_out_and_forgotten() {
    let mut world = World::new();
    extension(&mut world, 101);
    extension(&mut world, 102);
    let mut lamp = watch(&mut world, LINES);
    shows(&mut world, &lamp);
    world.pass(Duration::from_secs(500));
    lamp.send(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", LINES, "");
    let answer = lamp.response(&mut world).unwrap();
    assert_eq!(
        (answer.status.code(), answer.headers.expires()),
        (200, Some(600)),
        "in its dialog, without a challenge"
    );
    assert_eq!(shows(&mut world, &lamp), lit("terminated"), "a refresh is answered with the state");
    world.pass(Duration::from_secs(500));
    lamp.send(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", &LINES.replace("600", "0"), "");
    assert_eq!(lamp.response(&mut world).unwrap().status.code(), 200);
    assert_eq!(shows(&mut world, &lamp).unwrap().0, "terminated");
    lamp.send(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", LINES, "");
    assert_eq!(lamp.response(&mut world).unwrap().status.code(), 481, "it is gone");
    // One that knows nothing of it any more, and one that is silent.
    for answers in [true, false] {
        let mut lamp = Telephone { call_id: format!("again-{answers}"), ..Telephone::new(102) };
        assert_eq!(lamp.ask(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", LINES, "").status.code(), 200);
        let notify = lamp.request(&mut world).unwrap();
        if answers {
            lamp.answer(&mut world, &notify, 481, "");
        } else {
            world.pass(Duration::from_secs(33));
        }
        while lamp.request(&mut world).is_some() {}
        lamp.to_tag = notify.headers.from().unwrap().tag().map(str::to_owned);
        lamp.send(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", LINES, "");
        assert_eq!(lamp.response(&mut world).unwrap().status.code(), 481);
    }
    world.ends_clean();
}

#[test]
fn what_nobody_serves_is_refused_by_name() {
    let mut world = World::new();
    extension(&mut world, 102);
    let mut lamp = Telephone::new(102);
    let mut ask = |uri: &str, lines: &str| {
        let answer = lamp.ask(&mut world, "SUBSCRIBE", uri, lines, "");
        (answer.status.code(), answer.headers.get(Name::AllowEvents).map(str::to_owned))
    };
    let own = "sip:102@198.51.100.1";
    assert_eq!(ask(own, &LINES.replace("dialog\n", "message-summary\n")), (489, Some("dialog".into())));
    assert_eq!(ask(own, &LINES.replace("dialog-info", "pidf")).0, 406);
    assert_eq!(ask(own, &LINES.replace("600", "10")).0, 423);
    assert_eq!(ask("sip:999@198.51.100.1", LINES).0, 404);
    world.ends_clean();
}
