//! What the documentation tells receivers to do, done: its Python and its Node.js take what we send, and nothing else.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::node::Node;
use crate::receiver::Receiver;

const PAGE: &str = include_str!("../../docs/webhooks.md");

/// A block of code of the page.
fn snippet(language: &str) -> &'static str {
    let begin = format!("```{language}\n");
    PAGE.split_once(&begin).and_then(|(_, rest)| rest.split_once("```")).expect("the page has it").0
}

/// Runs code that reads a delivery as JSON and ends well where it takes it.
fn takes(program: &[&str], code: &str, delivery: &serde_json::Value) -> bool {
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .arg(code)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program[0]));
    child.stdin.take().unwrap().write_all(delivery.to_string().as_bytes()).unwrap();
    child.wait().unwrap().success()
}

#[tokio::test]
async fn the_verification_of_the_documentation_takes_what_is_sent_and_refuses_what_was_changed() {
    let (node, receiver) = (Node::start().await, Receiver::start([]).await);
    let (hook, first) = node.hook(&receiver.url(), &[]).await;
    node.ask("POST", &format!("/v1/webhooks/{hook}/secret"), serde_json::Value::Null).await;
    node.call();
    let told = receiver.has(1).await.remove(0);
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<_, _> =
        names.iter().map(|name| ((*name).to_owned(), json!(told.header(name)))).collect();
    let good = json!({ "secret": first, "headers": headers, "body": told.body });
    let changed = |pointer: &str, value: &str| {
        let mut delivery = good.clone();
        *delivery.pointer_mut(pointer).unwrap() = json!(value);
        delivery
    };
    let bad = [
        changed("/body", &told.body.replace("answered", "began")),
        changed("/headers/webhook-id", "msg_0000000000000"),
        changed("/headers/webhook-timestamp", "1600000000"),
        changed("/headers/webhook-signature", "v1,AAAA"),
        changed("/secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ];
    let python = format!(
        "{}\nimport json, sys\nd = json.load(sys.stdin)\nsys.exit(0 if verify(d['secret'], d['headers'], d['body'].encode()) else 1)",
        snippet("python")
    );
    let node_js = format!(
        "{}\nconst d = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));\nprocess.exit(verify(d.secret, d.headers, Buffer.from(d.body)) ? 0 : 1);",
        snippet("js")
    );
    for (program, code) in [(&["python3", "-c"][..], &python), (&["node", "-e"][..], &node_js)] {
        assert!(takes(program, code, &good), "{program:?} takes what is sent");
        for delivery in &bad {
            assert!(!takes(program, code, delivery), "{program:?} takes {delivery}");
        }
    }
}
