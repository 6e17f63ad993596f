//! Somebody with two calls joins them.

use super::*;

/// As a phone names another call of its own to us.
fn attended(other: &Line) -> String {
    let tag = |value: &str| value.split(";tag=").nth(1).unwrap().to_owned();
    let replaces = format!("{};to-tag={};from-tag={}", other.call_id, tag(&other.remote), tag(&other.local));
    let escaped = replaces.replace(';', "%3B").replace('=', "%3D").replace('@', "%40");
    format!("Refer-To: <sip:carla@198.51.100.1?Replaces={escaped}>\r\n")
}

#[test]
fn an_attended_transfer_leaves_one_dialog_each_and_the_same_streams() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    // Anna holds Bob and calls Carla.
    let hold = anna.sdp("sendonly");
    anna.request(&mut world, "INVITE", "", &hold);
    anna.acknowledge(&mut world);
    let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
    let (mut anna2, mut carla) = consult(&mut world);
    let carlas = leg_of(&mut world, &carla);
    anna.request(&mut world, "REFER", &attended(&anna2), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    assert_eq!(anna.told(&mut world), ["100 Trying", "200 OK, the last"]);
    assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
    assert_eq!(transferred(&world), [(bobs, Some(annas), TransferWay::Bridged)]);
    assert_eq!(anna2.take(&mut world, Method::Bye).len(), 1, "her second call is over at once");
    anna.hang_up(&mut world);
    assert_eq!(world.calls().len(), 2, "one dialog each");
    for (line, leg) in [(&mut bob, bobs), (&mut carla, carlas)] {
        line.look(&mut world);
        assert!(line.seen.iter().all(|request| request.method == Method::Ack), "asked nothing");
        assert_eq!(opened(&world, leg), 1, "the same stream goes on");
    }
    let rooms = call_of(&mut world, &bob).unwrap().room == call_of(&mut world, &carla).unwrap().room;
    assert!(rooms);
    bob.hang_up(&mut world);
    assert_eq!(carla.take(&mut world, Method::Bye).len(), 1);
    world.ends_clean();
}

#[test]
fn a_call_handed_over_while_the_second_still_rings_rings_on_for_the_caller() {
    for answered in [true, false] {
        let mut world = house();
        let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
        let (bobs, annas) = (leg_of(&mut world, &bob), leg_of(&mut world, &anna));
        let mut phone = Phone { call_id: "consult".into(), ..Phone::at("203.0.113.9".parse().unwrap(), 9) };
        world.invite(&mut phone, "+49892201");
        let mut carla = Line::at(CARLA);
        let invite = carla.rung(&mut world);
        carla.ring(&mut world, &invite);
        let mut anna2 = Line { call_id: "consult".into(), ..Line::of(&phone) };
        anna2.look(&mut world);
        let ringing = anna2.answers.iter().find(|answer| answer.status.code() == 180).unwrap();
        anna2.remote = ringing.headers.get(Name::To).unwrap().to_owned();
        anna.request(&mut world, "REFER", &attended(&anna2), "");
        assert_eq!(anna.told(&mut world), ["100 Trying", "180 Ringing"]);
        assert_eq!(anna2.answered(&mut world, Method::Invite), Some(487));
        assert!(carla.take(&mut world, Method::Cancel).is_empty(), "it rings on");
        assert_eq!(hears(&mut world, bobs), both(bobs, annas));
        if answered {
            carla.answer(&mut world, &invite);
            let carlas = leg_of(&mut world, &carla);
            assert_eq!(hears(&mut world, bobs), both(bobs, carlas));
            assert_eq!(anna.told(&mut world), ["200 OK, the last"]);
        } else {
            carla.reply(&mut world, &invite, "486 Busy Here", "", "");
            assert_eq!(anna.told(&mut world), ["486 Busy Here, the last"]);
            assert_eq!(hears(&mut world, bobs), both(bobs, annas), "everybody keeps the call");
        }
        anna.hang_up(&mut world);
        bob.hang_up(&mut world);
        carla.look(&mut world);
        world.ends_clean();
    }
}

#[test]
fn nobody_hands_over_a_call_of_somebody_else() {
    let mut world = house();
    let (mut bob, mut anna) = talking(&mut world, 1, "+49891101", ANNA);
    let (mut anna2, mut carla) = consult(&mut world);
    let before = world.calls().len();
    // Bob has seen the tags of Anna's call.
    bob.request(&mut world, "REFER", &attended(&anna2), "");
    assert_eq!(bob.answered(&mut world, Method::Refer), Some(403));
    assert_eq!(world.calls().len(), before);
    // A call that is not there.
    let gone = Line { call_id: "gone".into(), ..anna2.clone() };
    anna.request(&mut world, "REFER", &attended(&gone), "");
    assert_eq!(anna.answered(&mut world, Method::Refer), Some(202));
    assert_eq!(anna.told(&mut world).last().unwrap(), "481 Call/Transaction Does Not Exist, the last");
    assert_eq!(world.calls().len(), before);
    bob.hang_up(&mut world);
    anna2.hang_up(&mut world);
    for line in [&mut anna, &mut carla] {
        line.look(&mut world);
    }
    world.ends_clean();
}
