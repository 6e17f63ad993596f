//! What providers report, and what only pretends to be theirs.

use ringlift::sms::Kind;
use ringlift::store::clock;
use ringlift::texting::{TextFailure, TextState};
use serde_json::json;

use crate::common::providers::{Answer, Brand, Provider, SECRET, SIGNATURE_SECRET, Signed, twilio_says, vonage_says};
use crate::node::{Node, TO, order};

fn seconds() -> i64 {
    clock::utc().0 / 1000
}

fn twilio(url: &str, id: &str, status: &str, code: &str) -> Signed {
    let mut fields = vec![("MessageSid", id), ("MessageStatus", status), ("To", TO), ("AccountSid", "AC1")];
    if !code.is_empty() {
        fields.push(("ErrorCode", code));
    }
    twilio_says(SECRET, url, &fields)
}

#[tokio::test]
async fn reports_of_twilio_in_any_order_end_with_what_is_true() {
    let provider = Provider::start(Brand::Twilio).await;
    let mut node = Node::around(&provider).await;
    let (order, ..) = node.send().await;
    let url = node.status_url(Kind::Twilio, order.id);
    let id = provider.taken()[0].id.clone();
    assert_eq!(twilio(&url, &id, "delivered", "").post(&url).await, 204);
    assert_eq!(node.event().await.state, TextState::Delivered);
    // Overtaken, and played again.
    for status in ["sent", "queued", "undelivered", "delivered"] {
        assert_eq!(twilio(&url, &id, status, "").post(&url).await, 204);
        assert_eq!(node.text(order.id).await.state, TextState::Delivered, "{status}");
    }
}

#[tokio::test]
async fn a_landline_that_twilio_finds_out_later_is_told_with_the_reason() {
    for (code, reason) in
        [("30006", TextFailure::Landline), ("30008", TextFailure::Unknown), ("30003", TextFailure::Unreachable)]
    {
        let provider = Provider::start(Brand::Twilio).await;
        let mut node = Node::around(&provider).await;
        let (order, ..) = node.send().await;
        let url = node.status_url(Kind::Twilio, order.id);
        let id = provider.taken()[0].id.clone();
        assert_eq!(twilio(&url, &id, "undelivered", code).post(&url).await, 204);
        let event = node.event().await;
        assert_eq!(
            (event.state, event.reason, event.code.as_deref()),
            (TextState::Undelivered, Some(reason), Some(code))
        );
        assert_eq!(provider.asked(), 1, "nothing is sent again once it has a name");
    }
}

#[tokio::test]
async fn a_report_before_the_answer_is_believed_and_the_answer_changes_nothing() {
    let provider = Provider::start(Brand::Twilio).await;
    let mut node = Node::around(&provider).await;
    provider.will([Answer::Slow(std::time::Duration::from_millis(700))]);
    let order = order();
    node.texter.submit(order.clone());
    while provider.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    let (url, id) = (node.status_url(Kind::Twilio, order.id), provider.taken()[0].id.clone());
    assert_eq!(twilio(&url, &id, "sent", "").post(&url).await, 204);
    assert_eq!(node.until(TextState::Sent).await.id, order.id);
    assert_eq!(twilio(&url, &id, "delivered", "").post(&url).await, 204);
    assert_eq!(node.until(TextState::Delivered).await.id, order.id);
    // Another text, taken after it: the answer of the first has come by then.
    node.send().await;
    assert_eq!(node.text(order.id).await.state, TextState::Delivered);
}

#[tokio::test]
async fn forged_reports_of_twilio_are_refused() {
    let provider = Provider::start(Brand::Twilio).await;
    let mut node = Node::around(&provider).await;
    let (order, ..) = node.send().await;
    let url = node.status_url(Kind::Twilio, order.id);
    let id = provider.taken()[0].id.clone();
    let good = twilio(&url, &id, "delivered", "");
    assert_eq!(good.clone().forged("x-twilio-signature").post(&url).await, 403);
    // Signed for another address, as where it was listened to somewhere else.
    assert_eq!(twilio(&format!("{url}0"), &id, "delivered", "").post(&url).await, 403);
    let unsigned = Signed { headers: vec![good.headers[0].clone()], ..good.clone() };
    assert_eq!(unsigned.post(&url).await, 403);
    assert_eq!(unsigned.post(&url).await, 429, "whoever goes on guessing waits");
    assert_eq!(node.text(order.id).await.state, TextState::Handed);
    // What is signed counts all the same, but not for another text.
    assert_eq!(twilio(&url, "SM0000", "delivered", "").post(&url).await, 204);
    assert_eq!(node.text(order.id).await.state, TextState::Handed);
    assert_eq!(good.post(&url).await, 204);
    assert_eq!(node.text(order.id).await.state, TextState::Delivered);
}

#[tokio::test]
async fn telnyx_is_known_by_its_key_and_its_clock() {
    let provider = Provider::start(Brand::Telnyx).await;
    let mut node = Node::around(&provider).await;
    let (order, ..) = node.send().await;
    let url = node.status_url(Kind::Telnyx, order.id);
    let id = provider.taken()[0].id.clone();
    let payload = |status: &str| json!({ "id": id, "to": [{ "phone_number": TO, "status": status }], "errors": [] });
    assert_eq!(node.key.says(seconds() - 301, "message.sent", payload("sent")).post(&url).await, 403, "too old");
    let forged = node.key.says(seconds(), "message.sent", payload("sent")).forged("telnyx-signature-ed25519");
    assert_eq!(forged.post(&url).await, 403);
    let mut other = node.key.says(seconds(), "message.sent", payload("sent"));
    other.body = other.body.replace("message.sent", "message.finalized");
    assert_eq!(other.post(&url).await, 403, "another body");
    assert_eq!(node.key.says(seconds(), "message.sent", payload("sent")).post(&url).await, 204);
    assert_eq!(node.event().await.state, TextState::Sent);
    let failed = json!({ "id": id, "to": [{ "phone_number": TO, "status": "delivery_failed" }],
        "errors": [{ "code": "40001", "title": "Not routable" }] });
    assert_eq!(node.key.says(seconds(), "message.finalized", failed).post(&url).await, 204);
    let event = node.event().await;
    assert_eq!((event.state, event.reason), (TextState::Undelivered, Some(TextFailure::Landline)));
}

#[tokio::test]
async fn vonage_is_known_by_a_token_over_the_body() {
    let provider = Provider::start(Brand::Vonage).await;
    let mut node = Node::around(&provider).await;
    let (order, ..) = node.send().await;
    let taken = provider.taken().remove(0);
    assert_eq!(taken.all["client_ref"], order.id.to_string());
    let url = node.status_url(Kind::Vonage, order.id);
    let says =
        |status: &str| json!({ "message_uuid": taken.id, "status": status, "channel": "sms", "to": "15551234567" });
    assert_eq!(vonage_says("another", seconds(), &says("delivered")).post(&url).await, 403);
    assert_eq!(vonage_says(SIGNATURE_SECRET, seconds() - 400, &says("delivered")).post(&url).await, 403);
    let mut other = vonage_says(SIGNATURE_SECRET, seconds(), &says("submitted"));
    other.body = says("delivered").to_string();
    assert_eq!(other.post(&url).await, 403, "another body");
    assert_eq!(vonage_says(SIGNATURE_SECRET, seconds(), &says("submitted")).post(&url).await, 204);
    assert_eq!(node.event().await.state, TextState::Sent);
    let mut rejected = says("rejected");
    rejected["error"] = json!({ "type": "https://developer.vonage.com/api-errors/messages#1240", "title": "1240" });
    assert_eq!(vonage_says(SIGNATURE_SECRET, seconds(), &rejected).post(&url).await, 204);
    let event = node.event().await;
    assert_eq!((event.state, event.reason), (TextState::Failed, Some(TextFailure::OptedOut)));
}

#[tokio::test]
async fn a_report_that_is_too_long_or_of_nobody_is_refused() {
    let provider = Provider::start(Brand::Twilio).await;
    let mut node = Node::around(&provider).await;
    let (order, ..) = node.send().await;
    let url = node.status_url(Kind::Twilio, order.id);
    let long = "x".repeat(65 * 1024);
    assert_eq!(twilio(&url, &long, "delivered", "").post(&url).await, 413);
    let telnyx = node.status_url(Kind::Telnyx, order.id);
    assert_eq!(twilio(&telnyx, "SM1", "delivered", "").post(&telnyx).await, 404, "another provider");
    let nobody = node.status_url(Kind::Twilio, ringlift::texting::TextId::from_bits(u64::MAX));
    assert_eq!(twilio(&nobody, "SM1", "delivered", "").post(&nobody).await, 404);
}

#[tokio::test]
async fn an_unknown_text_is_known_again_by_the_report_of_it() {
    let provider = Provider::start(Brand::Telnyx).await;
    let mut node = Node::around(&provider).await;
    provider.will([Answer::TakeAndHang]);
    let (order, state, _) = node.send().await;
    assert_eq!(state, TextState::Unknown);
    let (url, id) = (node.status_url(Kind::Telnyx, order.id), provider.taken()[0].id.clone());
    let payload = json!({ "id": id, "to": [{ "phone_number": TO, "status": "delivered" }] });
    assert_eq!(node.key.says(seconds(), "message.finalized", payload).post(&url).await, 204);
    assert_eq!(node.event().await.state, TextState::Delivered);
}
