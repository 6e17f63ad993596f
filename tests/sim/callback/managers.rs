//! Call managers before carriers: by their own numbers, by redirections, by directories; and what follows on which answer.

use std::time::Duration;

use ringlift::base::id::TrunkId;
use ringlift::callback::{Failure, State};
use ringlift::gateway::fetch::FetchError;
use ringlift::gateway::web::Code;
use ringlift::gateway::{Directory, Input};
use ringlift::route::{CallManager, Directory as Telephones, Register};
use ringlift::wire::sip::Method;
use serde_json::{Value, json};

use super::{MOBILE, call_me, host, is_heard, steps};
use crate::desks::Desk;
use crate::world::World;

const MANAGER: TrunkId = TrunkId::from_bits(7);

/// An office whose second trunk is a call manager for 20xx.
fn with_manager(change: impl FnOnce(&mut CallManager)) -> World {
    let mut manager = CallManager { numbers: vec!["20".into(), MOBILE.into()], directory: None };
    change(&mut manager);
    World::office_with(|directory: &mut Directory| {
        let mut trunk = directory.trunks.iter().find(|trunk| trunk.name == "outward").unwrap().clone();
        trunk.id = MANAGER;
        trunk.name = "manager".into();
        trunk.callback = Some(manager);
        let outbound = trunk.outbound.as_mut().unwrap();
        outbound.targets.truncate(1);
        outbound.targets[0].uri = "sip:203.0.113.40".into();
        directory.trunks.push(trunk);
    })
}

#[test]
fn a_call_manager_is_asked_before_the_carrier() {
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": "2001" }));
    let mut manager = Desk::carrier(40);
    let invite = world.rung(&mut manager);
    assert_eq!(invite.uri.to_string(), "sip:2001@203.0.113.40");
    world.rings(&manager);
    world.answers(&manager);
    let leg = world.leg_at(true);
    is_heard(&mut world, leg);
    world.key(leg, "1");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Success, None)));
}

#[test]
fn a_call_managers_redirection_leads_to_the_telephone_itself() {
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": "2001" }));
    let (mut manager, mut desk) = (Desk::carrier(40), Desk::carrier(41));
    let invite = world.rung(&mut manager);
    world.respond(&manager, &invite, "302 Moved Temporarily", "Contact: <sip:2001@203.0.113.41>", "");
    let invite = world.rung(&mut desk);
    assert_eq!(invite.uri.to_string(), "sip:2001@203.0.113.41");
    world.rings(&desk);
    world.answers(&desk);
    let leg = world.leg_at(true);
    is_heard(&mut world, leg);
    world.key(leg, "1");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Success, None)));
}

#[test]
fn a_directory_says_where_a_telephone_is_and_one_that_is_down_is_no_end() {
    let directory = |manager: &mut CallManager| {
        let secret = Some(ringlift::base::Secret::new("key"));
        manager.directory = Some(Telephones { url: "https://directory.example/who".into(), secret });
    };
    let mut world = with_manager(directory);
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": "2001" }));
    let (id, request) = world.fetches.last().cloned().expect("the directory is asked");
    let post = request.post.expect("by POST");
    let asked: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!((asked["number"].as_str(), post.signature.is_some()), (Some("2001"), true));
    world.give(Input::Fetched { id, result: Ok(r#"{"uri":"sip:desk-7@203.0.113.42"}"#.into()) });
    let mut desk = Desk::carrier(42);
    assert_eq!(world.rung(&mut desk).uri.to_string(), "sip:desk-7@203.0.113.42");

    let mut world = with_manager(directory);
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let (id, _) = world.fetches.last().cloned().expect("the directory is asked");
    world.give(Input::Fetched { id, result: Err(FetchError::Unreachable) });
    let mut carrier = Desk::carrier(10);
    assert_eq!(world.rung(&mut carrier).uri.to_string(), format!("sip:{MOBILE}@203.0.113.10"), "the carrier is tried");
    // Cancelled while it is asked: nothing rings.
    let mut world = with_manager(directory);
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let (id, _) = world.fetches.last().cloned().expect("the directory is asked");
    world.says(&mut page, json!({ "type": "call_me_cancel" }));
    world.give(Input::Fetched { id, result: Ok(r#"{"uri":"sip:desk-7@203.0.113.42"}"#.into()) });
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Canceled, None)));
    assert!(world.asked(&Desk::carrier(42), &Method::Invite).is_none());
}

#[test]
fn the_carrier_is_tried_after_503_and_not_after_608_nor_603_nor_where_policy_forbids() {
    let cases = [
        ("503 Service Unavailable", true),
        ("404 Not Found", true),
        ("500 Server Internal Error", true),
        ("608 Rejected", false),
        ("603 Decline", false),
        ("486 Busy Here", false),
    ];
    for (status, falls_back) in cases {
        let mut world = with_manager(|_| {});
        let (mut page, _) = host(&mut world);
        call_me(&mut world, &mut page, json!({ "number": MOBILE }));
        let mut manager = Desk::carrier(40);
        world.rung(&mut manager);
        world.refuses(&manager, status, "");
        let tried = world.asked(&Desk::carrier(10), &Method::Invite).is_some();
        assert_eq!(tried, falls_back, "{status}");
    }
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    world.pass(Duration::from_secs(8));
    assert!(world.asked(&Desk::carrier(10), &Method::Invite).is_some(), "a call manager that is silent");
    let mut world = World::of(
        |_| {},
        |settings| settings.callback.pstn_fallback = false,
        |directory| {
            let office = with_manager_trunk(directory);
            directory.trunks.push(office);
        },
    );
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let mut manager = Desk::carrier(40);
    world.rung(&mut manager);
    world.refuses(&manager, "503 Service Unavailable", "");
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Unreachable))));
}

/// A call manager alone, without a carrier beside it.
fn with_manager_trunk(directory: &Directory) -> ringlift::route::Trunk {
    let target = ringlift::route::OutboundTarget { uri: "sip:203.0.113.40".into(), priority: 1, weight: 1 };
    let mut trunk = directory.trunks.first().cloned().unwrap();
    trunk.id = MANAGER;
    trunk.name = "manager".into();
    trunk.networks = vec![];
    trunk.outbound = Some(ringlift::route::Outbound {
        targets: vec![target],
        credentials: None,
        register: None,
        caller_id: None,
        follow_redirects: false,
    });
    trunk.callback = Some(CallManager { numbers: vec![MOBILE.into()], directory: None });
    trunk
}

#[test]
fn a_call_manager_that_cannot_is_asked_once_and_not_as_a_carrier_again() {
    let mut world = with_manager(|_| {});
    let (mut page, _) = host(&mut world);
    call_me(&mut world, &mut page, json!({ "number": MOBILE }));
    let busy = "503 Service Unavailable";
    for place in [40, 10, 11] {
        let mut desk = Desk::carrier(place);
        world.rung(&mut desk);
        world.refuses(&desk, busy, "");
    }
    assert_eq!(steps(&mut world, &page).last(), Some(&(State::Failed, Some(Failure::Unreachable))));
    world.pass(Duration::from_secs(1));
    assert!(world.asked(&Desk::carrier(40), &Method::Invite).is_none(), "not again");
}

#[test]
fn what_we_are_registered_as_with_a_call_manager_would_call_us() {
    let mut world = World::office_with(|directory| {
        let mut trunk = with_manager_trunk(directory);
        trunk.callback = Some(CallManager { numbers: vec!["20".into()], directory: None });
        trunk.outbound.as_mut().unwrap().register =
            Some(Register { aor: "sip:2099@203.0.113.40".into(), registrar: None, expires: 3600 });
        directory.trunks.push(trunk);
    });
    let (mut page, _) = host(&mut world);
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": "2099" })), Some(Code::CallbackLoop));
    assert_eq!(call_me(&mut world, &mut page, json!({ "number": "2098" })), None, "another telephone of theirs");
}
