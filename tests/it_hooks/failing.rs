//! Events that do not arrive, or not at once.

use std::time::Duration;

use ringlift::engine::courier;
use serde_json::{Value, json};

use crate::node::{Node, PACE};
use crate::receiver::{Manner, Receiver};

#[tokio::test]
async fn what_is_refused_cut_off_or_not_answered_is_sent_again_with_the_same_id() {
    let node = Node::start().await;
    let receiver = Receiver::start([Manner::Answers(500, ""), Manner::HangsUp, Manner::Silent]).await;
    let (hook, secret) = node.hook(&receiver.url(), &[]).await;
    node.call();
    let told = receiver.has(4).await;
    let ids: Vec<String> = told.iter().map(|told| told.header("webhook-id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(told.iter().all(|told| told.is_signed_by(&secret)), "each attempt is signed anew");
    let delivered = node.has(&hook, "delivered", 1).await;
    assert_eq!(delivered[0]["attempts"], 4);
    let shown = node.shown(&hook).await;
    assert_eq!(shown["last_error"], "timed out");
    assert_eq!(receiver.told().len(), 4);
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_is_given_it() {
    let node = Node::start().await;
    let receiver = Receiver::start([Manner::Answers(429, "retry-after: 1\r\n")]).await;
    node.hook(&receiver.url(), &[]).await;
    node.call();
    let told = receiver.has(2).await;
    let waited = told[1].at - told[0].at;
    assert!(waited >= Duration::from_millis(990), "{waited:?}, where 50 ms would be usual");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_and_what_waited_can_be_sent_after_all() {
    let node = Node::start().await;
    let receiver = Receiver::start([Manner::Answers(500, ""), Manner::Answers(410, "")]).await;
    let (hook, _) = node.hook(&receiver.url(), &[]).await;
    // Both are under way at once: whichever is answered first, both are given up.
    node.call();
    node.call();
    node.has(&hook, "dead", 2).await;
    let shown = node.shown(&hook).await;
    assert_eq!(
        (&shown["enabled"], &shown["gone"], &shown["dead"]),
        (&json!(false), &json!(true), &json!(2)),
        "{shown}"
    );
    node.call();
    node.settles().await;
    assert_eq!(node.deliveries(&hook, "").await.len(), 2, "it is told nothing new");
    let before = receiver.told().len();

    let path = format!("/v1/webhooks/{hook}");
    let (_, shown) = node.ask("PATCH", &path, json!({ "enabled": true })).await;
    assert_eq!((&shown["enabled"], &shown["gone"]), (&json!(true), &json!(false)));
    let (status, replayed) = node.ask("POST", &format!("{path}/replay"), Value::Null).await;
    assert_eq!((status, replayed), (202, json!({ "replayed": 2 })));
    receiver.has(before + 2).await;
    node.has(&hook, "delivered", 2).await;
}

#[tokio::test]
async fn what_fails_for_too_often_is_given_up_and_can_be_sent_again_one_by_one() {
    let receiver = Receiver::start(vec![Manner::Answers(503, ""); 2]).await;
    let settings = courier::Settings::new(vec!["127.0.0.1/32".parse().unwrap()]);
    let pace = ringlift::hooks::pace::Pace { attempts: 2, ..PACE };
    let node = Node::with(courier::Settings { pace, ..settings }).await;
    let (hook, _) = node.hook(&receiver.url(), &[]).await;
    node.call();
    let dead = node.has(&hook, "dead", 1).await;
    assert_eq!((&dead[0]["attempts"], &dead[0]["error"]), (&json!(2), &json!("answered 503")));
    assert_eq!((&dead[0]["status"], &dead[0]["next_attempt"]), (&json!(503), &Value::Null));
    let id = dead[0]["id"].as_str().unwrap().to_owned();
    let again = format!("/v1/webhooks/{hook}/deliveries/{id}/replay");
    assert_eq!(node.ask("POST", &again, Value::Null).await.0, 202);
    let told = receiver.has(3).await;
    assert_eq!(told[2].header("webhook-id"), id, "the receiver knows it by its id");
    node.has(&hook, "delivered", 1).await;
    // What arrived can be sent again, too: the receiver lost it.
    assert_eq!(node.ask("POST", &again, Value::Null).await.0, 202);
    receiver.has(4).await;
    let none = format!("/v1/webhooks/{hook}/deliveries/msg_0000000000000/replay");
    assert_eq!(node.ask("POST", &none, Value::Null).await.0, 404);
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_not_asked_for_each_of_a_thousand_events() {
    let node = Node::start().await;
    let receiver = Receiver::start(vec![Manner::HangsUp; 100_000]).await;
    let (hook, _) = node.hook(&receiver.url(), &[]).await;
    for _ in 0..1000 {
        node.call();
    }
    node.settles().await;
    // Rests of 20, 40, 80, … ms, and the few attempts of the first moment: a dozen take most of a second, however many events wait.
    let told = receiver.has(13).await;
    let took = told[12].at - told[0].at;
    assert!(took > Duration::from_millis(700), "{took:?}");
    receiver.will([]);
    node.has(&hook, "waiting", 0).await;
    assert_eq!(node.shown(&hook).await["dead"], 0);
}

#[tokio::test]
async fn requests_go_to_public_addresses_alone_and_follow_nobody() {
    let secret = Receiver::start([]).await;
    let closed = Node::with(courier::Settings { pace: PACE, ..courier::Settings::new(vec![]) }).await;
    for (url, why) in [
        (secret.url(), "not public"),
        ("http://10.1.2.3/told".into(), "not public"),
        ("http://[::1]/told".into(), "not public"),
        ("https://anna:geheim@example.org/told".into(), "name and password"),
    ] {
        let (status, problem) = closed.ask("POST", "/v1/webhooks", json!({ "url": url })).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("/url")), "{url}: {problem}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(why), "{problem}");
        assert!(!problem.to_string().contains("geheim"), "a password is not repeated");
    }
    // What a name leads to is known when it is asked.
    let (by_name, _) = closed.hook(&secret.url().replace("127.0.0.1", "localhost"), &[]).await;
    closed.call();
    let dead = closed.has(&by_name, "dead", 1).await;
    assert_eq!(dead[0]["error"], "forbidden", "{}", dead[0]);
    let node = Node::start().await;
    let leads: &'static str = format!("location: {}\r\n", secret.url()).leak();
    let receiver = Receiver::start(vec![Manner::Answers(307, leads); 9]).await;
    let (hook, _) = node.hook(&receiver.url(), &[]).await;
    node.call();
    assert_eq!(node.has(&hook, "dead", 1).await[0]["error"], "answered 307");
    assert_eq!(secret.told().len(), 0, "nobody is led within the house");
}
