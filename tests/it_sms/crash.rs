//! The program as it is shipped, killed between the outbox and the provider: nobody gets two texts.

use ringlift::base::Utc;
use ringlift::store::{Store, clock};
use ringlift::texting::{TextId, TextState};

use crate::common::gateway::{Gateway, Setup};
use crate::common::providers::telnyx::TelnyxKey;
use crate::common::providers::{ACCOUNT, Answer, Brand, FROM, Provider, SECRET, twilio_says};
use crate::common::{s, until};
use crate::node::{TO, order};

struct World {
    runtime: tokio::runtime::Runtime,
    provider: Provider,
    gateway: Gateway,
}

impl World {
    /// A gateway around a provider, stopped, with this text of ours waiting in its outbox.
    fn with_a_text_waiting(brand: Brand) -> (Self, TextId) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let provider = runtime.block_on(Provider::start(brand));
        let name = if brand == Brand::Twilio { "twilio" } else { "telnyx" };
        let signing = if brand == Brand::Twilio { String::new() } else { TelnyxKey::new().public() };
        let mut gateway = Setup::new()
            .with("api", "public_url = \"https://gw.example.org\"")
            .with("sms", &format!("provider = \"{name}\""))
            .with("sms", &format!("account = \"{ACCOUNT}\""))
            .with("sms", &format!("secret = \"{SECRET}\""))
            .with("sms", &format!("signing_key = \"{signing}\""))
            .with("sms", &format!("from = \"{FROM}\""))
            .with("sms", &format!("url = \"{}\"", provider.url()))
            .start();
        gateway.signal("KILL");
        gateway.ended(s(5));
        let order = order();
        runtime.block_on(async {
            let store = Store::open(&gateway.file("ringlift.db"), clock::utc()).await.unwrap().store;
            let order = ringlift::texting::TextOrder { until: Utc(clock::utc().0 + 600_000), ..order.clone() };
            assert!(store.add_text(&order, name, TextState::Queued, None, clock::utc()).await.unwrap());
            store.close().await;
        });
        (Self { runtime, provider, gateway }, order.id)
    }

    fn state(&self, id: TextId) -> String {
        self.gateway.get(&format!("/v1/texts/{id}"))["state"].as_str().unwrap().to_owned()
    }

    fn reaches(&self, id: TextId, state: &str) {
        until(&format!("the text to be {state}"), s(15), || (self.state(id) == state).then_some(()));
    }

    fn kill(&mut self) {
        self.gateway.signal("KILL");
        self.gateway.ended(s(5));
    }

    fn nothing_secret_was_logged(&self) {
        for n in 1..=3 {
            let log = std::fs::read_to_string(self.gateway.file(&format!("log.{n}"))).unwrap();
            for secret in [SECRET, TO, &TO[1..], "rl.example"] {
                assert!(!log.contains(secret), "{secret} is in the log of start {n}");
            }
        }
        self.gateway.logged_no_error();
    }
}

#[test]
fn killed_while_twilio_has_the_text_it_is_found_there_and_not_sent_again() {
    let (mut world, id) = World::with_a_text_waiting(Brand::Twilio);
    world.provider.will([Answer::TakeAndHang]);
    world.gateway.restart();
    until("the provider to have it", s(15), || (world.provider.taken().len() == 1).then_some(()));
    assert_eq!(world.state(id), "handing");
    world.kill();
    world.gateway.restart();
    world.reaches(id, "handed");
    assert_eq!((world.provider.asked(), world.provider.taken().len()), (1, 1));
    // The report is signed for the address that the proxy in front has.
    let path = format!("/sms/twilio/status/{id}");
    let sid = world.provider.taken()[0].id.clone();
    let report = twilio_says(
        SECRET,
        &format!("https://gw.example.org{path}"),
        &[("MessageSid", sid.as_str()), ("MessageStatus", "delivered")],
    );
    let url = format!("http://{}{path}", world.gateway.api());
    assert_eq!(world.runtime.block_on(report.post(&url)), 204);
    assert_eq!(world.state(id), "delivered");
    world.nothing_secret_was_logged();
}

#[test]
fn killed_before_twilio_has_the_text_it_is_not_sent_by_itself_and_the_asker_can_be_told() {
    let (mut world, id) = World::with_a_text_waiting(Brand::Twilio);
    world.provider.will([Answer::Hang]);
    world.gateway.restart();
    until("the provider to be asked", s(15), || (world.provider.asked() == 1).then_some(()));
    world.kill();
    world.gateway.restart();
    world.reaches(id, "unknown");
    assert_eq!((world.provider.asked(), world.provider.taken().len()), (1, 0));
}

#[test]
fn killed_while_telnyx_has_the_text_nobody_knows_and_nobody_gets_two() {
    let (mut world, id) = World::with_a_text_waiting(Brand::Telnyx);
    world.provider.will([Answer::TakeAndHang]);
    world.gateway.restart();
    until("the provider to have it", s(15), || (world.provider.taken().len() == 1).then_some(()));
    world.kill();
    world.gateway.restart();
    world.reaches(id, "unknown");
    assert_eq!(world.provider.asked(), 1);
}

#[test]
fn killed_while_it_waits_for_a_busy_provider_the_text_is_sent_after_the_next_start() {
    let (mut world, id) = World::with_a_text_waiting(Brand::Telnyx);
    world.provider.will([Answer::Throttle(300)]);
    world.gateway.restart();
    until("the provider to be asked", s(15), || (world.provider.asked() == 1).then_some(()));
    world.reaches(id, "queued");
    world.kill();
    world.gateway.restart();
    world.reaches(id, "handed");
    assert_eq!((world.provider.asked(), world.provider.taken().len()), (2, 1));
}
