//! A telephone takes the place of another one.

use super::*;

#[test]
fn a_telephone_takes_its_call_to_another_one() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let place = call_of(&mut world, &anna).unwrap().participant;
    let mut cell = replacing(&mut world, "203.0.113.9", &anna);
    let answer = world.response(&cell).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut cell, &answer);
    let mut cell = Line::of(&cell);
    let cells = leg_of(&mut world, &cell);
    assert_eq!(hears(&mut world, bobs), both(bobs, cells));
    assert_eq!(call_of(&mut world, &cell).unwrap().participant, place, "the same place in the same room");
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1, "the old telephone's call is over");
    assert_eq!(transferred(&world), [(annas, None, TransferWay::Replaced)]);
    assert_eq!(opened(&world, bobs), 1);
    cell.hang_up(&mut world);
    bob.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_telephone_that_lets_us_offer_takes_the_place_with_its_acknowledgement() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let mut cell = replacing_with(&mut world, "203.0.113.9", &anna, "");
    let answer = world.response(&cell).unwrap();
    assert_eq!(answer.status.code(), 200);
    assert_eq!(hears(&mut world, bobs), both(bobs, annas), "nothing is agreed on yet");
    cell.to_tag = answer.headers.to().and_then(|to| to.tag().map(str::to_owned));
    cell.target = answer.headers.contact().unwrap().uri.to_string();
    let text = cell.request_text("ACK", &cell.target.clone(), &cell.offer("sendrecv"));
    world.send(&cell, &text);
    let mut cell = Line::of(&cell);
    let cells = leg_of(&mut world, &cell);
    assert_eq!(hears(&mut world, bobs), both(bobs, cells));
    assert_eq!(anna.take(&mut world, Method::Bye).len(), 1);
    bob.hang_up(&mut world);
    cell.look(&mut world);
    world.ends_clean();
}

/// A call that is to take the place of a line's call.
fn replacing(world: &mut World, ip: &str, line: &Line) -> Phone {
    let offer = Phone::at(ip.parse().unwrap(), 77).offer("sendrecv");
    replacing_with(world, ip, line, &offer)
}

fn replacing_with(world: &mut World, ip: &str, line: &Line, offer: &str) -> Phone {
    let phone = Phone { call_id: "takes".into(), ..Phone::at(ip.parse().unwrap(), 77) };
    let tag = |value: &str| value.split(";tag=").nth(1).unwrap().to_owned();
    let header = format!(
        "Replaces: {};to-tag={};from-tag={}\r\nContent-Length",
        line.call_id,
        tag(&line.remote),
        tag(&line.local)
    );
    let text = phone.request_text("INVITE", "sip:198.51.100.1", offer);
    world.send(&phone, &text.replacen("Content-Length", &header, 1));
    phone
}

#[test]
fn a_stranger_takes_nobodys_place() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    // Another trunk that has seen the tags; nobody's network; and a call that is not there.
    for (ip, line, code) in [
        ("198.18.0.7", anna.clone(), 403),
        ("100.64.0.1", anna.clone(), 403),
        ("203.0.113.9", Line { call_id: "gone".into(), ..anna.clone() }, 481),
    ] {
        let phone = replacing(&mut world, ip, &line);
        assert_eq!(world.response(&phone).unwrap().status.code(), code, "{ip}");
        world.pass(Duration::from_secs(40));
    }
    assert_eq!(world.calls().len(), 2);
    assert!(transferred(&world).is_empty());
    bob.hang_up(&mut world);
    anna.look(&mut world);
    world.ends_clean();
}

#[test]
fn a_call_that_rings_on_anothers_desk_is_picked_up_by_the_lamp() {
    let mut world = house();
    let (_, mut ringing) = desk(&mut world, 101);
    let (mut picker, mut pickers) = desk(&mut world, 102);
    world
        .ask(Command::PutRule(Box::new(rule(
            1,
            "house",
            Destination::Extension { extension: ExtensionId::from_bits(101) },
        ))))
        .unwrap();
    let lines = "Event: dialog\nAccept: application/dialog-info+xml\nExpires: 600\nContact: <sip:102@10.0.0.102>\n";
    let mut lamp = Telephone { call_id: "lamp".into(), ..picker.clone() };
    assert_eq!(lamp.ask(&mut world, "SUBSCRIBE", "sip:101@198.51.100.1", lines, "").status.code(), 200);
    let mut phone = Phone::new(1);
    world.invite(&mut phone, "house");
    let invite = ringing.rung(&mut world);
    ringing.ring(&mut world, &invite);
    // What the lamp says of the call is enough to pick it up.
    let said = std::iter::from_fn(|| {
        let notify = lamp.request(&mut world)?;
        lamp.answer(&mut world, &notify, 200, "");
        Some(String::from_utf8(notify.body.to_vec()).unwrap())
    });
    let said = said.last().expect("a NOTIFY");
    let part = |name: &str| said.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let replaces = format!(
        "Replaces: {};to-tag={};from-tag={};early-only\nContact: {}\n",
        part("call-id"),
        part("remote-tag"),
        part("local-tag"),
        picker.contact
    );
    let offer = Phone::new(9).offer("sendrecv");
    let answer = picker.ask(&mut world, "INVITE", "sip:101@198.51.100.1", &replaces, &offer);
    assert_eq!(answer.status.code(), 200);
    picker.to_tag = answer.headers.to().unwrap().tag().map(str::to_owned);
    picker.send(&mut world, "ACK", "sip:198.51.100.1", "", "");
    // The desk that rang is told that the call was answered elsewhere; the caller is connected.
    let cancel = ringing.take(&mut world, Method::Cancel);
    assert!(cancel[0].headers.get(Name::Reason).unwrap().contains("Call completed elsewhere"));
    ringing.reply(&mut world, &invite, "487 Request Terminated", "", "");
    assert_eq!(world.response(&phone).unwrap().status.code(), 180);
    let answer = world.response(&phone).unwrap();
    assert_eq!(answer.status.code(), 200);
    world.ack(&mut phone, &answer);
    let mut bob = Line::of(&phone);
    let (bobs, pick) =
        (leg_of(&mut world, &bob), world.calls().iter().find(|c| c.call_id == "call-of-102").unwrap().id);
    assert_eq!(hears(&mut world, bobs), both(bobs, pick));
    // Once it is answered nobody picks it up any more.
    let (mut late, _) = desk(&mut world, 103);
    let answer = late.ask(&mut world, "INVITE", "sip:101@198.51.100.1", &replaces, &offer);
    assert_eq!(answer.status.code(), 481);
    bob.hang_up(&mut world);
    pickers.call_id = "call-of-102".into();
    assert_eq!(pickers.take(&mut world, Method::Bye).len(), 1);
    lamp.to_tag = None;
    world.pass(Duration::from_secs(700));
    assert!(world.calls().is_empty());
}
