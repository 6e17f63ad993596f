//! Handing texts over: once, or known not to have been.

use std::time::{Duration, Instant};

use ringlift::base::{PhoneNumber, Utc};
use ringlift::engine::texter::Settings;
use ringlift::sms::{self, Kind};
use ringlift::store::clock;
use ringlift::texting::{LineType, LookUpId, TextFailure, TextState, Texting};

use crate::common::providers::telnyx::TelnyxKey;
use crate::common::providers::{Answer, Brand, FROM, Provider};
use crate::node::{Node, TO, order, settings};

const BRANDS: [(Brand, Kind); 3] =
    [(Brand::Twilio, Kind::Twilio), (Brand::Telnyx, Kind::Telnyx), (Brand::Vonage, Kind::Vonage)];

#[tokio::test]
async fn a_text_is_handed_to_each_provider_with_our_name_for_it_in_the_address_that_it_reports_to() {
    for (brand, kind) in BRANDS {
        let provider = Provider::start(brand).await;
        let mut node = Node::around(&provider).await;
        let (order, state, _) = node.send().await;
        assert_eq!(state, TextState::Handed, "{brand:?}");
        let taken = provider.taken();
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].to.as_str(), taken[0].from.as_str()), (TO, FROM));
        assert_eq!(taken[0].body, order.body.expose());
        assert_eq!(taken[0].callback.as_deref(), Some(node.status_url(kind, order.id).as_str()));
        assert_eq!(node.text(order.id).await.provider_id.as_deref(), Some(taken[0].id.as_str()));
        // The same order again is the same text.
        node.texter.submit(order);
        let (_, state, _) = node.send().await;
        assert_eq!((state, provider.asked()), (TextState::Handed, 2));
    }
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_at_once_and_never_tried_again() {
    for (brand, status, code, reason) in [
        (Brand::Twilio, 400, "21610", TextFailure::OptedOut),
        (Brand::Twilio, 400, "21614", TextFailure::Landline),
        (Brand::Twilio, 400, "21635", TextFailure::Landline),
        (Brand::Twilio, 400, "21211", TextFailure::NotANumber),
        (Brand::Twilio, 400, "21408", TextFailure::NotPermitted),
        (Brand::Twilio, 401, "20003", TextFailure::Credentials),
        (Brand::Telnyx, 422, "40300", TextFailure::OptedOut),
        (Brand::Telnyx, 400, "40001", TextFailure::Landline),
        (Brand::Telnyx, 403, "20100", TextFailure::NoFunds),
        (Brand::Vonage, 422, "1120", TextFailure::NotPermitted),
        (Brand::Vonage, 402, "low-balance", TextFailure::NoFunds),
        (Brand::Vonage, 422, "99", TextFailure::Unknown),
    ] {
        let provider = Provider::start(brand).await;
        let mut node = Node::around(&provider).await;
        provider.will([Answer::Refuse(status, code)]);
        let (order, state, told) = node.send().await;
        assert_eq!((state, told), (TextState::Failed, Some(reason)), "{brand:?} {code}");
        assert_eq!(node.text(order.id).await.code.as_deref(), Some(code));
        assert_eq!((provider.asked(), provider.taken().len()), (1, 0));
    }
}

#[tokio::test]
async fn a_provider_that_is_busy_or_fails_is_asked_again_as_long_as_the_caller_waits() {
    for brand in [Brand::Twilio, Brand::Telnyx, Brand::Vonage] {
        let provider = Provider::start(brand).await;
        let mut node = Node::around(&provider).await;
        provider.will([Answer::Throttle(1), Answer::Fail(503)]);
        let began = Instant::now();
        let order = order();
        node.texter.submit(order.clone());
        let busy = node.event().await;
        assert_eq!(busy.state, TextState::Handing);
        let busy = node.event().await;
        assert_eq!((busy.state, busy.reason), (TextState::Queued, Some(TextFailure::RateLimited)));
        node.until(TextState::Handed).await;
        assert!(began.elapsed() >= Duration::from_secs(2), "one second asked for, one of our own");
        assert_eq!((provider.asked(), provider.taken().len(), node.text(order.id).await.attempts), (3, 1, 3));
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_handed_over_in_time_is_told_with_the_reason_and_not_sent_later() {
    let provider = Provider::start(Brand::Telnyx).await;
    let mut node = Node::around(&provider).await;
    provider.will(vec![Answer::Throttle(60); 3]);
    let mut order = order();
    order.until = Utc(clock::utc().0 + 2000);
    node.texter.submit(order);
    loop {
        let event = node.event().await;
        if event.state == TextState::Failed {
            assert_eq!(event.reason, Some(TextFailure::RateLimited));
            break;
        }
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn a_provider_that_nobody_reaches_is_down() {
    let provider = Provider::start(Brand::Twilio).await;
    let key = TelnyxKey::new();
    // Nothing listens on port 1 of this machine.
    let settings = sms::Settings { url: "http://127.0.0.1:1".into(), ..settings(&provider, &key) };
    let mut node = Node::with(Settings { provider: settings, ..Settings::default() }, key).await;
    let mut order = order();
    order.until = Utc(clock::utc().0 + 1500);
    node.texter.submit(order);
    let mut last = node.event().await;
    while last.state != TextState::Failed {
        last = node.event().await;
    }
    assert_eq!(last.reason, Some(TextFailure::ProviderDown));
}

#[tokio::test]
async fn a_text_of_which_no_answer_came_is_looked_for_at_twilio_and_sent_once() {
    for answer in [Answer::TakeAndHang, Answer::Nonsense, Answer::TakeAndDrop, Answer::Slow(Duration::from_secs(5))] {
        let provider = Provider::start(Brand::Twilio).await;
        let mut node = Node::around(&provider).await;
        provider.will([answer.clone()]);
        let (order, state, _) = node.send().await;
        assert_eq!(state, TextState::Handed, "{answer:?}");
        assert_eq!(node.text(order.id).await.provider_id, Some(provider.taken()[0].id.clone()));
        assert_eq!((provider.asked(), provider.taken().len()), (1, 1), "{answer:?}");
    }
}

#[tokio::test]
async fn a_text_of_which_nobody_can_say_anything_is_unknown_and_not_sent_again() {
    for (brand, answer) in [
        (Brand::Twilio, Answer::Hang),
        (Brand::Telnyx, Answer::TakeAndHang),
        (Brand::Telnyx, Answer::Nonsense),
        (Brand::Vonage, Answer::Fail(504)),
    ] {
        let provider = Provider::start(brand).await;
        let mut node = Node::around(&provider).await;
        provider.will([answer.clone()]);
        let (_, state, reason) = node.send().await;
        assert_eq!((state, reason), (TextState::Unknown, Some(TextFailure::Unknown)), "{brand:?} {answer:?}");
        assert_eq!(provider.asked(), 1);
    }
}

#[tokio::test]
async fn a_landline_is_known_by_looking_it_up_once() {
    for (brand, landline) in [(Brand::Twilio, "landline"), (Brand::Telnyx, "landline")] {
        let provider = Provider::start(brand).await;
        let mut node = Node::around(&provider).await;
        provider.knows(TO, landline);
        let number = PhoneNumber::parse(TO).unwrap();
        for id in [LookUpId(1), LookUpId(2)] {
            node.texter.look_up(id, number.clone());
            assert_eq!(node.fact().await, Texting::LookedUp { id, line: LineType::Landline });
        }
        assert_eq!(provider.looked_up(), 1, "the second answer was kept");
        node.texter.look_up(LookUpId(3), PhoneNumber::parse("+15550000000").unwrap());
        assert_eq!(node.fact().await, Texting::LookedUp { id: LookUpId(3), line: LineType::Unknown });
    }
}

#[tokio::test]
async fn any_provider_can_be_written_down_as_a_template() {
    let provider = Provider::start(Brand::Telnyx).await;
    let key = TelnyxKey::new();
    let template = sms::Settings {
        kind: Kind::Https,
        from: FROM.into(),
        url: format!("{}/v2/messages", provider.url()),
        body: r#"{"to": {{ to | json }}, "from": {{ from | json }}, "text": {{ text | json }}, "webhook_url": {{ callback | json }}}"#.into(),
        headers: vec![format!("Authorization: Bearer {}", crate::common::providers::SECRET)],
        content_type: "application/json".into(),
        answer_id: "/data/id".into(),
        signing: ringlift::base::Secret::new("a long text"),
        timeout: Duration::from_secs(2),
        ..sms::Settings::default()
    };
    let mut node = Node::with(Settings { provider: template.clone(), ..Settings::default() }, key).await;
    let (order, state, _) = node.send().await;
    assert_eq!(state, TextState::Handed);
    let taken = provider.taken().remove(0);
    assert_eq!((taken.body.as_str(), taken.to.as_str()), (order.body.expose(), TO));
    let post = async |url: String| {
        let request = reqwest::Client::new().post(url).body(r#"{"status":"delivered"}"#);
        request.send().await.unwrap().status().as_u16()
    };
    let callback = taken.callback.unwrap();
    assert_eq!(post(callback.split('?').next().unwrap().to_owned()).await, 403, "without the token it is nobody's");
    assert_eq!(post(callback).await, 204);
    assert_eq!(node.text(order.id).await.state, TextState::Delivered);
    let wrong = sms::Settings { body: "{{ nonsense }}".into(), ..template };
    assert!(sms::Provider::new(&wrong).unwrap_err().starts_with("sms.body: "));
}
