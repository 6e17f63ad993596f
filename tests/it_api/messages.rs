//! `docs/meeting.md`: every example can be read, and every message and code that there is stands on the page.

use std::collections::BTreeSet;

use ringlift::gateway::web::protocol::{Request, ServerMessage};
use serde_json::{Deserializer, Value};

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/meeting.md")).unwrap()
}

/// The examples of one side, one or more to a block.
fn examples(page: &str, side: &str) -> Vec<Value> {
    let fence = format!("```json {side}\n");
    let blocks = page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(|block| Deserializer::from_str(block).into_iter().map(Result::unwrap).collect::<Vec<_>>()).collect()
}

/// Every value of the field `type` that a schema has somewhere.
fn types(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(names) = fields.get("properties").and_then(|all| all.pointer("/type/enum")) {
                found.extend(names.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
            }
            fields.values().for_each(|value| types(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| types(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn described(name: &str) -> Value {
    let doc = serde_json::to_value(ringlift::api::serve::description()).unwrap();
    doc.pointer(&format!("/components/schemas/{name}")).unwrap().clone()
}

#[test]
fn what_the_page_says_is_read_as_it_is_documented() {
    let mut seen = BTreeSet::new();
    for example in examples(&page(), "page") {
        let request = Request::parse(&example.to_string()).unwrap_or_else(|why| panic!("{example}: {why:?}"));
        let mut again = serde_json::to_value(&request.message).unwrap();
        again["id"] = request.id.into();
        for (name, value) in example.as_object().unwrap() {
            let same = again.get(name) == Some(value) || value.is_null() && again.get(name).is_none();
            assert!(same, "{example}: {name}");
        }
        seen.insert(example["type"].as_str().unwrap().to_owned());
    }
    let mut all = BTreeSet::new();
    types(&described("ClientMessage"), &mut all);
    assert!(all.len() >= 10, "{all:?}");
    assert_eq!(all, seen, "every message has an example");
}

#[test]
fn what_the_node_says_is_written_as_it_is_documented() {
    let text = page();
    let mut seen: BTreeSet<String> = ["admitted", "changed"].map(String::from).into();
    for example in examples(&text, "node") {
        let message: ServerMessage =
            serde_json::from_value(example.clone()).unwrap_or_else(|why| panic!("{example}: {why}"));
        assert_eq!(serde_json::to_value(&message).unwrap(), example);
        seen.insert(example["type"].as_str().unwrap().to_owned());
    }
    let mut all = BTreeSet::new();
    types(&described("ServerMessage"), &mut all);
    assert!(all.len() >= 20 && text.contains("`admitted`") && text.contains("`changed`"), "{all:?}");
    assert_eq!(all, seen, "every message has an example");
    let codes = described("Code");
    for code in codes["enum"].as_array().unwrap() {
        assert!(text.contains(&format!("`{}`", code.as_str().unwrap())), "{code} is not explained");
    }
}

#[test]
fn an_elevations_events_are_described_by_the_type_that_they_have() {
    let mut all = BTreeSet::new();
    types(&described("Happening"), &mut all);
    assert!(all.contains("call.answered") && !all.contains("Elevation"), "{all:?}");
    let step = described("ElevationStep");
    assert!(
        step.pointer("/properties/type/pattern").is_some_and(|pattern| pattern.as_str().unwrap().contains("elevation"))
    );
    let variants = described("Happening")["oneOf"].as_array().unwrap().to_vec();
    assert!(variants.iter().any(|one| one.to_string().contains("schemas/ElevationStep")), "{variants:?}");
}
