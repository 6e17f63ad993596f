//! What a telephone can do: the table of `docs/parity.md`, walked row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringlift::base::LegId;
use ringlift::gateway::command::Command;
use ringlift::gateway::event::Happening;
use ringlift::gateway::web::protocol::ClientMessage;
use ringlift::room::{Operation, State};
use ringlift::transfer;
use serde_json::json;

use crate::world::{HOST_PIN, PIN, Phone, ROOM, World};

struct Row {
    what: String,
    requests: BTreeSet<String>,
    keys: Option<String>,
    heard: Vec<String>,
    why: String,
}

/// What stands in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn table() -> Vec<Row> {
    let rows = include_str!("../../docs/parity.md").lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [what, requests, keys, heard, why] = cells[..] else { panic!("five cells: {line}") };
        Row {
            what: what.to_owned(),
            requests: quoted(requests).into_iter().collect(),
            keys: quoted(keys).into_iter().next(),
            heard: quoted(heard),
            why: why.to_owned(),
        }
    })
    .collect()
}

/// Every name that may stand in this field, as the reader itself lists them.
fn names<T: serde::de::DeserializeOwned>(field: &str) -> BTreeSet<String> {
    let error = serde_json::from_value::<T>(json!({ field: "?" })).err().expect("no such name").to_string();
    quoted(&error).into_iter().filter(|name| name != "?").collect()
}

/// A host's telephone and a guest's, in the room.
fn two() -> (World, LegId, LegId) {
    let mut world = World::new();
    let host = world.join(&mut Phone::new(1), HOST_PIN);
    let guest = world.join(&mut Phone::new(2), PIN);
    (world, host, guest)
}

fn presses(world: &mut World, leg: LegId, keys: &str) {
    world.key(leg, keys);
    world.pass(Duration::from_secs(4));
}

fn operates(world: &mut World, operation: Operation) {
    world.ask(Command::Operate { room: ROOM, operation }).unwrap();
    world.pass(Duration::from_secs(4));
}

/// Walks a row; returns who was to hear its words.
fn walk(row: &Row) -> Option<(World, LegId)> {
    let keys = row.keys.as_deref().unwrap_or_default();
    let (mut world, host, guest) = two();
    let id = |world: &mut World, leg| world.place(leg).map(|place| place.id).unwrap();
    match row.what.as_str() {
        "come in" => {
            assert_eq!(world.room().participants.len(), 2);
            Some((world, guest))
        }
        "wait until let in" => {
            let mut world = World::with(|room| room.lobby = true, |_| {});
            world.join(&mut Phone::new(1), HOST_PIN);
            let waits = world.join(&mut Phone::new(2), PIN);
            world.pass(Duration::from_secs(4));
            assert_eq!(world.place(waits).unwrap().state, State::Lobby);
            let participant = id(&mut world, waits);
            operates(&mut world, Operation::Admit { participant });
            assert_eq!(world.place(waits).unwrap().state, State::Active);
            Some((world, waits))
        }
        "mute and unmute oneself" => {
            presses(&mut world, guest, keys);
            assert!(world.place(guest).unwrap().muted_by_self && world.bridged[&guest]);
            presses(&mut world, guest, keys);
            assert!(!world.place(guest).unwrap().muted_by_self && !world.bridged[&guest]);
            Some((world, guest))
        }
        "be muted by the host" => {
            let participant = id(&mut world, guest);
            operates(&mut world, Operation::Mute { participant });
            assert!(world.bridged[&guest]);
            operates(&mut world, Operation::Unmute { participant });
            assert!(!world.bridged[&guest]);
            Some((world, guest))
        }
        "raise and lower the hand" => {
            presses(&mut world, guest, keys);
            assert_eq!(world.place(guest).unwrap().hand, Some(1));
            presses(&mut world, guest, keys);
            assert_eq!(world.place(guest).unwrap().hand, None);
            Some((world, guest))
        }
        "see who is there" | "see what can be done" => {
            presses(&mut world, guest, keys);
            Some((world, guest))
        }
        "become host" => {
            presses(&mut world, guest, keys);
            presses(&mut world, guest, &format!("{HOST_PIN}#"));
            assert_eq!(world.place(guest).unwrap().role, ringlift::room::Role::Host);
            Some((world, guest))
        }
        "mute and unmute all (host)" => {
            presses(&mut world, host, keys);
            assert!(world.bridged[&guest] && !world.bridged[&host]);
            presses(&mut world, host, keys);
            assert!(!world.bridged[&guest]);
            Some((world, host))
        }
        "lock and unlock (host)" => {
            presses(&mut world, host, keys);
            assert!(world.room().locked);
            presses(&mut world, host, keys);
            assert!(!world.room().locked);
            Some((world, host))
        }
        "let in all who wait (host)" => {
            let mut world = World::with(|room| room.lobby = true, |_| {});
            let host = world.join(&mut Phone::new(1), HOST_PIN);
            let waits = world.join(&mut Phone::new(2), PIN);
            world.pass(Duration::from_secs(4));
            presses(&mut world, host, keys);
            assert_eq!(world.place(waits).unwrap().state, State::Active);
            Some((world, host))
        }
        "mute, rename, remove another, or change a role (host)" => {
            let participant = id(&mut world, guest);
            operates(&mut world, Operation::Remove { participant });
            assert!(world.place(guest).is_none());
            Some((world, guest))
        }
        "add video to one's call" => {
            presses(&mut world, guest, keys);
            assert_eq!(world.texts.len(), 1);
            Some((world, guest))
        }
        "have one's telephone called" => {
            presses(&mut world, guest, keys);
            Some((world, guest))
        }
        "let another browser take one's seat" => {
            presses(&mut world, guest, keys);
            let ticket = world.link();
            world.redeems(json!({ "ticket": ticket })).unwrap();
            let again = json!({ "ticket": ticket, "confirm": true, "asking": "another-browser" });
            assert!(world.redeems(again.clone()).is_err());
            presses(&mut world, guest, keys);
            assert!(world.redeems(again).is_ok(), "the key was the yes");
            Some((world, guest))
        }
        "move one's call to another device" => {
            presses(&mut world, guest, keys);
            let shown = |event: &Happening| matches!(event, Happening::Code(of) if of.state == transfer::State::Shown);
            assert!(world.events.iter().any(shown));
            Some((world, guest))
        }
        "end for everyone (host)" => {
            world.key(host, keys);
            world.pass(Duration::from_secs(1));
            presses(&mut world, host, "1");
            assert!(world.room().participants.is_empty());
            Some((world, host))
        }
        _ => None,
    }
}

#[test]
fn a_telephone_presses_and_hears_what_the_table_says() {
    let rows = table();
    assert!(rows.len() > 12, "the table was read");
    for row in &rows {
        match walk(row) {
            Some((world, leg)) => {
                for words in &row.heard {
                    assert!(world.was_told(leg, words), "{}: {words} in {:?}", row.what, world.heard.get(&leg));
                }
            }
            None => {
                assert!(row.keys.is_none() && row.heard.is_empty(), "{}: nobody tries it", row.what);
                assert!(!row.why.is_empty(), "{}: neither keys nor a reason", row.what);
            }
        }
    }
}

#[test]
fn the_table_has_every_request_of_the_page_and_no_other() {
    let mut known = names::<Operation>("operation");
    known.extend(names::<ClientMessage>("type"));
    // The one that carries all the others.
    assert!(known.remove("operate"));
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let table = table();
    for row in &table {
        row.requests.iter().for_each(|request| rows.entry(request).or_default().push(&row.what));
    }
    let named: BTreeSet<String> = rows.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(named, known);
}
