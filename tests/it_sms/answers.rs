//! What people answer, and what the outbox shows to whom.

use ringlift::api::scope::Scope;
use ringlift::base::PhoneNumber;
use ringlift::engine::texter::Settings;
use ringlift::sms::Kind;
use ringlift::store::clock;
use ringlift::texting::{TextFailure, TextState, Texting};
use serde_json::{Value, json};

use crate::common::providers::telnyx::TelnyxKey;
use crate::common::providers::{Brand, Provider, SECRET, SIGNATURE_SECRET, twilio_says, vonage_says};
use crate::node::{Node, TO, settings};

#[tokio::test]
async fn whoever_writes_stop_gets_no_text_until_they_write_start() {
    let provider = Provider::start(Brand::Twilio).await;
    let mut node = Node::around(&provider).await;
    let url = node.inbound_url(Kind::Twilio);
    let number = PhoneNumber::parse(TO).unwrap();
    let says = |id: &str, text: &str| {
        twilio_says(SECRET, &url, &[("MessageSid", id), ("From", TO), ("To", "+15005550006"), ("Body", text)])
    };
    assert_eq!(says("SM1", "Stop.").post(&url).await, 204);
    assert_eq!(node.fact().await, Texting::Opted { number: number.clone(), out: true });
    let (_, state, reason) = node.send().await;
    assert_eq!((state, reason), (TextState::Failed, Some(TextFailure::OptedOut)));
    assert_eq!(provider.asked(), 0, "the provider is not even asked");
    assert_eq!(says("SM2", "Please tell me more").post(&url).await, 204);
    assert_eq!(says("SM3", " START ").post(&url).await, 204);
    assert_eq!(node.fact().await, Texting::Opted { number, out: false });
    assert_eq!(node.send().await.1, TextState::Handed);
    // The old word, played again, orders nothing.
    assert_eq!(says("SM1", "Stop.").post(&url).await, 204);
    assert_eq!(node.send().await.1, TextState::Handed);
}

#[tokio::test]
async fn stop_is_understood_from_every_provider_and_in_other_languages() {
    let number = PhoneNumber::parse(TO).unwrap();
    let now = clock::utc().0 / 1000;
    let provider = Provider::start(Brand::Telnyx).await;
    let mut node = Node::around(&provider).await;
    let payload = json!({ "id": "t1", "from": { "phone_number": TO }, "to": [{ "phone_number": "+15005550006" }], "text": "stopp" });
    assert_eq!(node.key.says(now, "message.received", payload).post(&node.inbound_url(Kind::Telnyx)).await, 204);
    assert_eq!(node.fact().await, Texting::Opted { number: number.clone(), out: true });
    let provider = Provider::start(Brand::Vonage).await;
    let mut node = Node::around(&provider).await;
    let body =
        json!({ "channel": "sms", "message_uuid": "v1", "to": "15005550006", "from": "15551234567", "text": "Arrêt" });
    assert_eq!(vonage_says(SIGNATURE_SECRET, now, &body).post(&node.inbound_url(Kind::Vonage)).await, 204);
    assert_eq!(node.fact().await, Texting::Opted { number, out: true });
}

#[tokio::test]
async fn whoever_asks_for_help_is_answered_with_what_the_operator_wrote() {
    let provider = Provider::start(Brand::Twilio).await;
    let key = TelnyxKey::new();
    let help = "Example Ltd: texts with links to your call. Reply STOP to end.";
    let settings = Settings { provider: settings(&provider, &key), help: help.into(), ..Settings::default() };
    let mut node = Node::with(settings, key).await;
    let url = node.inbound_url(Kind::Twilio);
    let asks =
        twilio_says(SECRET, &url, &[("MessageSid", "SM1"), ("From", TO), ("To", "+15005550006"), ("Body", "hilfe")]);
    assert_eq!(asks.post(&url).await, 204);
    node.until(TextState::Handed).await;
    assert_eq!(provider.taken()[0].body, help);
    // Twilio sends it again where our answer was late: one answer is enough.
    assert_eq!(asks.post(&url).await, 204);
    node.send().await;
    assert_eq!(provider.taken().len(), 2);
}

#[tokio::test]
async fn a_forged_stop_silences_nobody() {
    let provider = Provider::start(Brand::Twilio).await;
    let mut node = Node::around(&provider).await;
    let url = node.inbound_url(Kind::Twilio);
    let forged = twilio_says("guessed", &url, &[("MessageSid", "SM1"), ("From", TO), ("To", "+1"), ("Body", "STOP")]);
    assert_eq!(forged.post(&url).await, 403);
    assert_eq!(node.send().await.1, TextState::Handed);
}

#[tokio::test]
async fn without_a_provider_texts_are_kept_and_read_by_those_who_may() {
    let mut node = Node::with(Settings::default(), TelnyxKey::new()).await;
    let (first, state, _) = node.send().await;
    assert_eq!(state, TextState::Kept);
    let (second, ..) = node.send().await;
    let ask = async |path: &str, scopes: &[Scope]| {
        let names: Vec<String> = scopes.iter().map(|scope| scope.name().to_owned()).collect();
        let (_, key) = node.store.add_key("test", &names, clock::utc()).await.unwrap();
        let request = reqwest::Client::new().get(format!("http://{}{path}", node.address)).bearer_auth(key.expose());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap())
    };
    assert_eq!(ask("/v1/texts", &[Scope::CallsRead]).await.0, 403);
    let (status, list) = ask("/v1/texts", &[Scope::TextsRead]).await;
    assert_eq!((status, list["provider"].as_str()), (200, Some("outbox")));
    assert_eq!(list["items"][0]["to"], "+•••••••••67");
    assert!(list["items"][0]["body"].is_null() && !list.to_string().contains("https://rl.example"));
    let rights = [Scope::TextsRead, Scope::TextsBodies, Scope::NumbersRead];
    let (_, page) = ask("/v1/texts?limit=1", &rights).await;
    assert_eq!(page["items"][0]["id"], second.id.to_string());
    assert_eq!(page["items"][0]["body"], second.body.expose());
    let (_, page) = ask(&format!("/v1/texts?limit=1&cursor={}", page["next"].as_str().unwrap()), &rights).await;
    assert_eq!((page["items"][0]["id"].as_str(), &page["next"]), (Some(first.id.to_string().as_str()), &Value::Null));
    let (_, one) = ask(&format!("/v1/texts/{}", first.id), &rights).await;
    assert_eq!(
        (one["to"].as_str(), one["state"].as_str(), one["segments"].as_u64()),
        (Some(TO), Some("kept"), Some(1))
    );
    assert_eq!(one["consent"], "key *3");
    assert_eq!(ask("/v1/texts?state=lost", &rights).await.0, 400);
    let door = node.inbound_url(Kind::Twilio);
    assert_eq!(reqwest::Client::new().post(door).send().await.unwrap().status().as_u16(), 404, "nobody reports here");
}
