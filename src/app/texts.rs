//! Who sends texts, from the configuration.

use std::time::Duration;

use crate::config::{Config, SmsProvider};
use crate::engine::texter;
use crate::sms::{self, Kind};

/// What the texter is given.
pub(super) fn settings(config: &Config) -> texter::Settings {
    let sms = &config.sms;
    texter::Settings {
        provider: sms::Settings {
            kind: match sms.provider {
                SmsProvider::Outbox => Kind::Outbox,
                SmsProvider::Twilio => Kind::Twilio,
                SmsProvider::Telnyx => Kind::Telnyx,
                SmsProvider::Vonage => Kind::Vonage,
                SmsProvider::Https => Kind::Https,
            },
            from: sms.from.clone(),
            account: sms.account.clone(),
            user: sms.user.clone(),
            secret: sms.secret.clone(),
            signing: sms.signing_key.clone(),
            service: sms.service.clone(),
            url: sms.url.clone(),
            body: sms.body.clone(),
            content_type: sms.content_type.clone(),
            headers: sms.headers.clone(),
            answer_id: sms.answer_id.clone(),
            timeout: sms.timeout.0,
        },
        public_url: config.api.public_url.clone(),
        look_up: sms.lookup,
        look_up_kept: sms.lookup_kept.0,
        help: sms.help.clone(),
        kept: Duration::from_secs(u64::from(sms.days) * 86_400),
    }
}
