//! Where calls lead: rules by source, time, header and text, a program of the operator's that is asked, and signed callers.

use std::time::Duration;

use bytes::Bytes;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use ringlift::base::id::{ExtensionId, RuleId, TrunkId};
use ringlift::base::{Cause, RoomId, Secret};
use ringlift::gateway::Input;
use ringlift::gateway::command::{Command, DialRequest, ExplainRequest, Reply};
use ringlift::gateway::fetch::{FetchError, FetchId, FetchRequest};
use ringlift::identity::{Anchors, Attestation, Flaw, Standing, base64url};
use ringlift::route::{Destination, Explanation, Extension, IdentityCheck, Rule};
use ringlift::wire::sip::{Method, Name};

use crate::desks::Desk;
use crate::house::{dial, final_status, is_connected};
use crate::telephone::{Telephone, extension};
use crate::world::{Phone, ROOM, World};

const CARRIER: TrunkId = TrunkId::from_bits(1);

/// A rule from the JSON that the API takes.
fn rule(position: u32, when: &str, then: &str) -> Rule {
    let id = RuleId::from_bits(u64::from(position));
    let text = format!(r#"{{"id":"{id}","position":{position},"name":"r{position}","when":{when},"then":{then}}}"#);
    serde_json::from_str(&text).unwrap()
}

fn put(world: &mut World, rule: Rule) {
    assert_eq!(world.ask(Command::CheckRule(Box::new(rule.clone()))), Ok(Reply::Problems(vec![])));
    world.ask(Command::PutRule(Box::new(rule))).unwrap();
}

fn to_room() -> String {
    format!(r#"{{"to":"room","room":"{ROOM}"}}"#)
}

fn explained(world: &mut World, to: &str, source: &str) -> Explanation {
    let request = ExplainRequest {
        invite: None,
        to: Some(to.into()),
        from: Some("+491701234567".into()),
        party: None,
        api: false,
        at: None,
        source: source.parse().unwrap(),
    };
    match world.ask(Command::Explain(Box::new(request))) {
        Ok(Reply::Explained(found)) => *found,
        other => panic!("{other:?}"),
    }
}

/// Calls with more header fields; the first final answer's status, none where there is none yet.
fn rings(world: &mut World, phone: &Phone, to: &str, more: &str) -> Option<u16> {
    let text = phone.request_text("INVITE", &format!("sip:{to}@198.51.100.1"), &phone.offer("sendrecv"));
    let more = more.replace('\n', "\r\n");
    world.send(phone, &text.replacen("Contact:", &format!("{more}Contact:"), 1));
    world.response(phone).map(|answer| answer.status.code())
}

#[test]
fn who_says_to_be_an_extension_shows_its_password_even_from_a_trunks_network() {
    let mut world = World::office();
    let anna = Extension { number: Some("+4930901821".parse_number()), ..ext(101) };
    world.ask(Command::PutExtension(Box::new(anna))).unwrap();
    extension(&mut world, 102);
    let mut inside = Telephone::new(101);
    inside.source.remote = "192.0.2.77:5060".parse().unwrap();
    // Challenged although carriers may call from there; then it is extension 101's call, whatever it says of its number.
    dial(&mut world, &mut inside, "030555501");
    let mut carrier = Desk::carrier(10);
    let invite = world.rung(&mut carrier);
    let from = invite.headers.get(Name::From).unwrap();
    assert!(from.contains("+4930901821"), "the extension's own number: {from}");
    world.answers(&carrier);
    is_connected(&mut world, &mut inside);
    let call = world.calls().into_iter().find(|call| call.extension.is_some()).unwrap();
    assert_eq!((call.extension, call.trunk), (Some(ExtensionId::from_bits(101)), None));
}

#[test]
fn nobody_is_believed_to_be_somebody_else() {
    let mut world = World::office();
    let anna = Extension { number: Some("+4930901821".parse_number()), ..ext(101) };
    world.ask(Command::PutExtension(Box::new(anna))).unwrap();
    let mut thief = Telephone::new(101);
    // From says 999, the password is that of 101.
    let uri = "sip:030555501@198.51.100.1";
    let sdp = Phone::new(9).offer("sendrecv");
    let lines = "Contact: <sip:x@203.0.113.101>\nP-Asserted-Identity: <sip:+4930110@198.51.100.1>\n";
    thief.send(&mut world, "INVITE", uri, lines, &sdp);
    let asked = thief.response(&mut world).unwrap();
    let mut challenge =
        ringlift::sip::auth::Challenge::strongest(asked.headers.fields_of(&Name::WwwAuthenticate)).unwrap();
    let shown = challenge.answer("101", &Secret::new("secret-101"), "INVITE", uri, &mut thief.rng);
    thief.user = "999".into();
    thief.call_id = "pretending".into();
    thief.send(&mut world, "INVITE", uri, &format!("{lines}Authorization: {shown}\n"), &sdp);
    let mut carrier = Desk::carrier(10);
    let invite = world.rung(&mut carrier);
    let invite: String = invite.headers.fields().map(|(_, value)| format!("{value}\n")).collect();
    assert!(invite.contains("+4930901821") && !invite.contains("4930110") && !invite.contains("999@"), "{invite}");
}

#[test]
fn rules_come_before_numbers_and_the_first_that_fits_decides() {
    let mut world = World::new();
    put(&mut world, rule(1, r#"{"sources":["extension"]}"#, r#"{"to":"refuse","cause":"declined"}"#));
    put(&mut world, rule(2, r#"{"caller":["+491700000001"]}"#, r#"{"to":"refuse","cause":"busy"}"#));
    put(&mut world, rule(3, r#"{"called":["+4930901000-+4930901999"]}"#, &to_room()));
    assert_eq!(rings(&mut world, &Phone::new(1), "+4930901820", ""), Some(486));
    assert_eq!(rings(&mut world, &Phone::new(2), "+4930901820", ""), Some(200));
    let call = world.calls().pop().unwrap();
    assert_eq!(call.did, None, "no number was looked for");
    // In another order the third comes first.
    let order = [3, 1, 2].map(RuleId::from_bits).to_vec();
    world.ask(Command::OrderRules(order)).unwrap();
    assert_eq!(rings(&mut world, &Phone { call_id: "again".into(), ..Phone::new(1) }, "+4930901820", ""), Some(200));
    assert!(world.ask(Command::OrderRules(vec![RuleId::from_bits(1)])).is_err(), "every rule is named");
}

#[test]
fn office_hours_are_those_of_the_place() {
    let mut world = World::new();
    // It is Friday, 09:00 in Berlin.
    let hours =
        r#"{"time":{"zone":"Europe/Berlin","weekdays":["mon","tue","wed","thu","fri"],"times":["09:00-17:00"]}}"#;
    put(&mut world, rule(1, hours, &to_room()));
    put(&mut world, rule(2, "{}", r#"{"to":"refuse","cause":"declined"}"#));
    assert_eq!(rings(&mut world, &Phone::new(1), "hotline", ""), Some(200));
    world.pass(Duration::from_secs(8 * 3600));
    assert_eq!(rings(&mut world, &Phone::new(2), "hotline", ""), Some(603));
    let found = explained(&mut world, "hotline", "192.0.2.2");
    let step = found.steps.iter().find(|step| step.rule == "rule 1 r1").unwrap();
    assert!(!step.matched && step.why.contains("nearly") && step.why.contains("17:00 Europe/Berlin"), "{}", step.why);
    assert_eq!((found.rule, found.refusal), (Some(RuleId::from_bits(2)), Some(Cause::Declined)));
}

#[test]
fn a_header_or_what_an_application_says_leads_the_call() {
    let mut world = World::new();
    put(&mut world, rule(1, r#"{"header":{"name":"X-Queue","equals":"vip"}}"#, &to_room()));
    put(&mut world, rule(2, r#"{"uui":{"contains":"ticket"}}"#, r#"{"to":"refuse","cause":"busy"}"#));
    assert_eq!(rings(&mut world, &Phone::new(1), "x1", "x-queue: vip\n"), Some(200));
    assert_eq!(rings(&mut world, &Phone::new(2), "x1", "X-Queue: other\n"), Some(404));
    // `ticket 7` in hex.
    assert_eq!(rings(&mut world, &Phone::new(3), "x1", "User-to-User: 7469636b65742037;encoding=hex\n"), Some(486));
}

#[test]
fn a_rule_that_points_nowhere_is_not_kept_and_one_whose_target_went_is_explained() {
    let mut world = World::new();
    let nowhere = rule(1, "{}", &format!(r#"{{"to":"room","room":"{}"}}"#, RoomId::from_bits(77)));
    match world.ask(Command::CheckRule(Box::new(nowhere))) {
        Ok(Reply::Problems(problems)) => {
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].pointer, "/then");
            assert!(problems[0].why.contains("there is no room_"), "{}", problems[0].why);
        }
        other => panic!("{other:?}"),
    }
    put(&mut world, rule(1, r#"{"called":["meet"]}"#, &to_room()));
    world.ask(Command::DeleteRoom(ROOM)).unwrap();
    assert_eq!(rings(&mut world, &Phone::new(1), "meet", ""), Some(404));
    let found = explained(&mut world, "meet", "192.0.2.2");
    assert_eq!(found.refusal, Some(Cause::NoRoute));
    assert!(found.steps.iter().any(|step| step.rule == "rule 1 r1" && step.why.contains("points nowhere")));
}

fn webhook(fallback: &str) -> String {
    format!(r#"{{"to":"webhook","url":"https://hook.example/route","secret":"s3cret","fallback":{fallback}}}"#)
}

/// A caller waits for the program; what it was asked.
fn asked(world: &mut World, phone: &Phone) -> (FetchId, FetchRequest) {
    assert_eq!(rings(world, phone, "+4930901820", ""), None, "nothing but 100 meanwhile");
    assert_eq!((world.ports_bound, world.calls().len(), world.records.len()), (0, 0, 0), "nothing is spent meanwhile");
    world.fetches.pop().expect("the program is asked")
}

#[test]
fn a_program_says_where_a_call_leads() {
    let mut world = World::new();
    put(&mut world, rule(1, "{}", &webhook(r#"{"to":"refuse","cause":"busy"}"#)));
    let phone = Phone::new(1);
    let (id, request) = asked(&mut world, &phone);
    assert_eq!((request.url.as_str(), request.deadline), ("https://hook.example/route", Duration::from_millis(300)));
    let post = request.post.unwrap();
    assert!(post.signature.unwrap().starts_with("t=1800000000,v1="));
    let question: serde_json::Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!(question["version"], 1);
    assert_eq!(question["called"]["number"], "+4930901820");
    assert_eq!(question["caller"]["number"], "+491700000001");
    assert_eq!(question["trunk"], CARRIER.to_string());
    assert_eq!(question["rule"], RuleId::from_bits(1).to_string());
    world.give(Input::Fetched { id, result: Ok(Bytes::from(to_room())) });
    assert_eq!(world.response(&phone).unwrap().status.code(), 200);
    assert_eq!(world.status().webhooks.get("answered"), Some(&1));
    // The secret is in nothing that is shown.
    let shown = serde_json::to_string(&explained(&mut world, "+4930901820", "192.0.2.1")).unwrap();
    assert!(shown.contains("hook.example") && !shown.contains("s3cret"));
}

#[test]
fn without_a_useful_answer_in_time_the_fallback_applies() {
    let nowhere = format!(r#"{{"to":"room","room":"{}"}}"#, RoomId::from_bits(77));
    let nested = webhook(r#"{"to":"attendant"}"#);
    for (answer, counted) in [
        (Some(Err(FetchError::Unreachable)), "unreachable"),
        (Some(Err(FetchError::Status(302))), "status"),
        (Some(Err(FetchError::Forbidden)), "forbidden"),
        (Some(Ok("<html>")), "garbage"),
        (Some(Ok(r#"{"to":"moon"}"#)), "garbage"),
        (Some(Ok(nested.as_str())), "garbage"),
        (Some(Ok(nowhere.as_str())), "nowhere"),
        (None, "timed_out"),
    ] {
        let mut world = World::new();
        put(&mut world, rule(1, "{}", &webhook(r#"{"to":"refuse","cause":"busy"}"#)));
        let phone = Phone::new(1);
        let (id, _) = asked(&mut world, &phone);
        let late = match answer {
            Some(result) => {
                world.give(Input::Fetched { id, result: result.map(|text| Bytes::from(text.to_owned())) });
                None
            }
            None => {
                world.pass(Duration::from_millis(299));
                assert!(world.response(&phone).is_none());
                world.pass(Duration::from_millis(1));
                Some(Input::Fetched { id, result: Ok(Bytes::from(to_room())) })
            }
        };
        assert_eq!(world.response(&phone).unwrap().status.code(), 486, "{counted}");
        assert_eq!(world.status().webhooks.get(counted), Some(&1));
        if let Some(late) = late {
            world.give(late);
            assert_eq!(world.ports_bound, 0, "too late is too late");
        }
    }
}

#[test]
fn a_caller_who_hangs_up_while_the_program_thinks_leaves_nothing_behind() {
    let mut world = World::new();
    put(&mut world, rule(1, "{}", &webhook(r#"{"to":"attendant"}"#)));
    let phone = Phone::new(1);
    let (id, _) = asked(&mut world, &phone);
    let cancel = phone.request_text("CANCEL", "sip:+4930901820@198.51.100.1", "").replace("CANCEL1", "INVITE1");
    world.send(&phone, &cancel);
    let codes: Vec<u16> = std::iter::from_fn(|| world.response(&phone)).map(|answer| answer.status.code()).collect();
    assert!(codes.contains(&200) && codes.contains(&487), "{codes:?}");
    world.give(Input::Fetched { id, result: Ok(Bytes::from(to_room())) });
    assert_eq!((world.ports_bound, world.calls().len()), (0, 0));
    world.ends_clean();
}

const CERTIFICATE: &str = "https://cert.example/shaken.pem";
const CHAIN: &[u8] = include_bytes!("../data/stir/chain.pem");

fn token(orig: &str, dest: &str, iat: i64) -> String {
    let hex = include_str!("../data/stir/leaf.key.hex").trim();
    let key: Vec<u8> = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    let head = format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{CERTIFICATE}"}}"#);
    let body = format!(
        r#"{{"attest":"B","dest":{{"tn":["{dest}"]}},"iat":{iat},"orig":{{"tn":"{orig}"}},"origid":"123e4567-e89b-12d3-a456-426655440000"}}"#
    );
    let input = format!("{}.{}", base64url::encode(head.as_bytes()), base64url::encode(body.as_bytes()));
    let signature: Signature = SigningKey::from_slice(&key).unwrap().sign(input.as_bytes());
    let signature = base64url::encode(&signature.to_bytes());
    format!("Identity: {input}.{signature};info=<{CERTIFICATE}>;alg=ES256;ppt=shaken\n")
}

fn demanding(check: IdentityCheck, minimum: Option<Attestation>) -> World {
    World::of(
        |_| {},
        |settings| {
            let mut anchors = Anchors::default();
            anchors.add(include_bytes!("../data/stir/root.pem")).unwrap();
            settings.anchors = anchors;
        },
        |directory| directory.trunks[0].identity = ringlift::route::IdentityPolicy { check, minimum },
    )
}

#[test]
fn a_signed_caller_is_verified_shown_and_routed_by() {
    let mut world = demanding(IdentityCheck::Require, None);
    put(&mut world, rule(1, r#"{"attestation":["A"]}"#, r#"{"to":"refuse","cause":"busy"}"#));
    let signed = token("491700000001", "4930901820", 1_800_000_000);
    assert_eq!(rings(&mut world, &Phone::new(1), "+4930901820", &signed), None, "its certificate is fetched");
    let (id, request) = world.fetches.pop().unwrap();
    assert_eq!((request.url.as_str(), request.post), (CERTIFICATE, None));
    world.give(Input::Fetched { id, result: Ok(Bytes::from_static(CHAIN)) });
    assert_eq!(world.response(&Phone::new(1)).unwrap().status.code(), 200);
    let valid = Standing::Valid { attestation: Attestation::B };
    assert_eq!(world.calls().pop().unwrap().identity, valid);
    assert!(world.events.iter().any(|event| serde_json::to_string(event).unwrap().contains(r#""attestation":"B""#)));
    // The certificate is kept: the next call does not wait.
    let signed = token("491700000002", "4930901820", 1_800_000_000);
    assert_eq!(rings(&mut world, &Phone::new(2), "+4930901820", &signed), Some(200));
}

#[test]
fn what_is_demanded_and_not_brought_is_refused_as_the_rfc_names_it() {
    let now = 1_800_000_000;
    let good = token("491700000001", "4930901820", now);
    for (identity, fetched, code) in [
        (String::new(), None, 428),
        (token("491709999999", "4930901820", now), None, 438),
        (token("491700000001", "4930901899", now), None, 438),
        (token("491700000001", "4930901820", now - 100), None, 403),
        ("Identity: rubbish\n".into(), None, 438),
        (good.clone(), Some(Err(FetchError::Unreachable)), 436),
        (good.clone(), Some(Ok(Bytes::from_static(b"<html>"))), 436),
        (good.clone(), Some(Ok(Bytes::from_static(include_bytes!("../data/stir/other.pem")))), 437),
        (good.replace(";info", "A;info"), Some(Ok(Bytes::from_static(CHAIN))), 438),
    ] {
        let mut world = demanding(IdentityCheck::Require, None);
        let phone = Phone::new(1);
        let mut status = rings(&mut world, &phone, "+4930901820", &identity);
        if let Some(result) = fetched {
            let (id, _) = world.fetches.pop().unwrap();
            world.give(Input::Fetched { id, result });
            status = world.response(&phone).map(|answer| answer.status.code());
        }
        assert_eq!(status, Some(code), "{identity}");
        assert_eq!(world.status().refused.get(&Cause::BadIdentity), Some(&1));
    }
    let mut world = demanding(IdentityCheck::Require, Some(Attestation::A));
    rings(&mut world, &Phone::new(1), "+4930901820", &good);
    let (id, _) = world.fetches.pop().unwrap();
    world.give(Input::Fetched { id, result: Ok(Bytes::from_static(CHAIN)) });
    assert_eq!(world.response(&Phone::new(1)).unwrap().status.code(), 438, "B is less than A");
}

#[test]
fn where_it_is_only_shown_a_bad_signature_stops_nobody() {
    let mut world = demanding(IdentityCheck::Show, None);
    let bad = token("491709999999", "4930901820", 1_800_000_000);
    assert_eq!(rings(&mut world, &Phone::new(1), "+4930901820", &bad), Some(200));
    assert_eq!(world.calls().pop().unwrap().identity, Standing::Invalid { flaw: Flaw::OtherCaller });
    assert_eq!(rings(&mut world, &Phone::new(2), "+4930901820", ""), Some(200));
}

#[test]
fn a_program_may_send_a_call_out_but_not_past_the_limits() {
    let mut world = World::office();
    let out = format!(r#"{{"to":"trunk","trunks":["{}"]}}"#, TrunkId::from_bits(2));
    put(&mut world, rule(1, r#"{"called":["+49900*"]}"#, &webhook(r#"{"to":"attendant"}"#)));
    let phone = Phone::new(1);
    assert_eq!(rings(&mut world, &phone, "+49900123456", ""), None);
    let (id, _) = world.fetches.pop().unwrap();
    world.give(Input::Fetched { id, result: Ok(Bytes::from(out)) });
    assert_eq!(world.response(&phone).unwrap().status.code(), 403, "a premium number, whoever says so");
}

#[test]
fn people_of_the_house_dial_each_other_and_a_stranger_does_not() {
    let mut world = World::office();
    extension(&mut world, 101);
    let mut anna = Telephone::new(101);
    dial(&mut world, &mut anna, "777");
    assert_eq!(final_status(&mut world, &anna), 403, "a short number is nobody here, and may cost anything outside");
    let stranger = Phone::at("198.18.7.7".parse().unwrap(), 7);
    assert_eq!(rings(&mut world, &stranger, "101", ""), Some(401));
}

fn ext(number: u64) -> Extension {
    Extension::new(ExtensionId::from_bits(number), number.to_string(), Secret::new(format!("secret-{number}")))
}

trait ParseNumber {
    fn parse_number(&self) -> ringlift::base::PhoneNumber;
}

impl ParseNumber for str {
    fn parse_number(&self) -> ringlift::base::PhoneNumber {
        ringlift::base::PhoneNumber::parse(self).unwrap()
    }
}

#[test]
fn a_webhook_is_no_destination_of_a_webhook() {
    let mut world = World::new();
    let nested = webhook(&webhook(r#"{"to":"attendant"}"#));
    match world.ask(Command::CheckRule(Box::new(rule(1, "{}", &nested)))) {
        Ok(Reply::Problems(problems)) => assert_eq!(problems[0].pointer, "/then/fallback"),
        other => panic!("{other:?}"),
    }
    let plain: Destination = serde_json::from_str(r#"{"to":"attendant"}"#).unwrap();
    assert_eq!(plain, Destination::Attendant {});
}

#[test]
fn what_a_program_dials_follows_the_rules_for_it_and_for_everybody() {
    let mut world = World::office();
    extension(&mut world, 102);
    let api = |when: &str| format!(r#"{{"sources":["api"],{when}}}"#);
    put(&mut world, rule(1, r#"{"sources":["trunk","extension"]}"#, r#"{"to":"refuse","cause":"refused_by_rule"}"#));
    put(
        &mut world,
        rule(
            2,
            &api(r#""called":["+4930111*"]"#),
            &format!(r#"{{"to":"extension","extension":"{}"}}"#, ExtensionId::from_bits(102)),
        ),
    );
    put(&mut world, rule(3, r#"{"called":["+4930222*"]}"#, r#"{"to":"refuse","cause":"refused_by_rule"}"#));
    put(&mut world, rule(4, &api(r#""called":["+4930333*"]"#), &webhook(&to_room())));
    let explains = |world: &mut World, to: &str| {
        let source = "127.0.0.1".parse().unwrap();
        let request =
            ExplainRequest { invite: None, to: Some(to.into()), from: None, party: None, api: true, at: None, source };
        match world.ask(Command::Explain(Box::new(request))) {
            Ok(Reply::Explained(found)) => *found,
            other => panic!("{other:?}"),
        }
    };
    let desk = explains(&mut world, "030111222");
    assert_eq!(desk.action, Some(Destination::Extension { extension: ExtensionId::from_bits(102) }));
    assert_eq!(desk.rule, Some(rule(2, "{}", &to_room()).id));
    assert!(desk.steps[0].why.contains("is for calls of trunk, extension only"), "{:?}", desk.steps);
    assert_eq!(explains(&mut world, "030222333").refusal, Some(Cause::RefusedByRule));
    assert_eq!(explains(&mut world, "030333444").action, Some(Destination::Room { room: ROOM }), "the fallback");
    let out = explains(&mut world, "030555501");
    assert!(matches!(out.action, Some(Destination::Trunk { .. })) && out.rule.is_none());

    let dials = |world: &mut World, to: &str| {
        let request = DialRequest { to: to.into(), ..DialRequest::default() };
        world.ask(Command::AddToRoom { room: ROOM, request: Box::new(request) })
    };
    assert!(dials(&mut world, "030222333").is_err(), "the rule for everybody holds");
    assert!(dials(&mut world, "030555501").is_ok());
    let mut carrier = Desk::carrier(10);
    assert!(world.rung(&mut carrier).uri.to_string().contains("30555501"), "no rule is for it");
    let _ = dials(&mut world, "030111222");
    assert!(world.asked(&carrier, &Method::Invite).is_none(), "the rule keeps it in the house");
}
