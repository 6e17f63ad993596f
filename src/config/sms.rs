//! `[sms]`: who sends texts.

use serde::{Deserialize, Serialize};

use super::check::is_outside;
use super::{Config, Period, Problem, seconds};
use crate::base::{PhoneNumber, Secret};
use crate::wire::gsm7;

/// Who sends texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sms {
    /// Whose service.
    pub provider: SmsProvider,
    /// The sender: a number, a short code or a name.
    pub from: String,
    /// Twilio: Account SID. Vonage: API key.
    pub account: String,
    /// Twilio: SID of an API key in place of the account's own token.
    pub user: String,
    /// What proves that it is us.
    pub secret: Secret,
    /// What proves that it is them.
    pub signing_key: Secret,
    /// Twilio: Messaging Service SID. Telnyx: messaging profile.
    pub service: String,
    /// Another address of the provider's API; for `https` the template of the address.
    pub url: String,
    /// `https`: the template of the body.
    pub body: String,
    /// `https`: what the body is.
    pub content_type: String,
    /// `https`: headers, `Name: template` each.
    pub headers: Vec<String>,
    /// `https`: where in a JSON answer the provider names the text.
    pub answer_id: String,
    /// How long a provider may take.
    pub timeout: Period,
    /// Whether numbers are looked up before the first text.
    pub lookup: bool,
    /// How long what was looked up counts.
    pub lookup_kept: Period,
    /// What whoever writes HELP is answered.
    pub help: String,
    /// Days that texts are kept; 0 for ever.
    pub days: u32,
}

/// Whose service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmsProvider {
    /// Nobody's: texts are kept and shown.
    Outbox,
    /// Twilio.
    Twilio,
    /// Telnyx.
    Telnyx,
    /// Vonage.
    Vonage,
    /// By template.
    Https,
}

impl Default for Sms {
    fn default() -> Self {
        Self {
            provider: SmsProvider::Outbox,
            from: String::new(),
            account: String::new(),
            user: String::new(),
            secret: Secret::default(),
            signing_key: Secret::default(),
            service: String::new(),
            url: String::new(),
            body: String::new(),
            content_type: "application/json".into(),
            headers: Vec::new(),
            answer_id: String::new(),
            timeout: seconds(10),
            lookup: false,
            lookup_kept: seconds(30 * 86_400),
            help: String::new(),
            days: 30,
        }
    }
}

/// What cannot work, or not as meant.
pub(super) fn check(config: &Config) -> Vec<Problem> {
    let (sms, mut found) = (&config.sms, Vec::new());
    let mut note = |key: &str, text: String, fatal: bool| found.push(Problem { key: key.into(), text, fatal });
    public_url(config, &mut note);
    if sms.provider == SmsProvider::Outbox {
        if !sms.secret.is_empty() || !sms.account.is_empty() {
            note("sms.provider", "is \"outbox\": no text leaves this node, although an account is given".into(), false);
        }
        return found;
    }
    for (key, empty, what) in needed(sms) {
        if empty {
            note(key, format!("is empty: write {what}"), true);
        }
    }
    if !is_sender(&sms.from) {
        let text = format!(
            "`{}` is no sender: write a number such as +15551234567, a short code, or a name of 1 to 11 letters and digits",
            sms.from
        );
        note("sms.from", text, true);
    }
    if !(1..=60).contains(&sms.timeout.0.as_secs()) {
        note("sms.timeout", "must be from 1s to 60s".into(), true);
    }
    if sms.url.starts_with("http://") && !is_local(&sms.url) {
        note("sms.url", "is plain HTTP to another machine: texts and secrets can be read on the way".into(), true);
    }
    if !sms.help.is_empty() && !gsm7::is_one_message(&sms.help) {
        note("sms.help", "is longer than one text of 160 seven-bit characters".into(), false);
    }
    if config.api.public_url.is_empty() {
        note(
            "api.public_url",
            "is empty: the provider cannot tell whether texts arrive, nor pass on STOP".into(),
            false,
        );
    } else if sms.signing_key.is_empty() && !(sms.provider == SmsProvider::Twilio && sms.user.is_empty()) {
        note("sms.signing_key", "is empty: every report of the provider will be refused as forged".into(), false);
    }
    found
}

fn needed(sms: &Sms) -> Vec<(&'static str, bool, &'static str)> {
    let secret = |what| ("sms.secret", sms.secret.is_empty(), what);
    let from = ("sms.from", sms.from.is_empty() && sms.service.is_empty(), "the number that texts come from");
    match sms.provider {
        SmsProvider::Outbox => Vec::new(),
        SmsProvider::Twilio => vec![
            ("sms.account", sms.account.is_empty(), "the Account SID (AC…)"),
            secret("the account's auth token, or the secret of the API key in sms.user"),
            from,
        ],
        SmsProvider::Telnyx => vec![secret("the API key (KEY…)"), from],
        SmsProvider::Vonage => {
            let from = ("sms.from", sms.from.is_empty(), "the number that texts come from");
            vec![("sms.account", sms.account.is_empty(), "the API key"), secret("the API secret"), from]
        }
        SmsProvider::Https => vec![("sms.url", sms.url.is_empty(), "the address that takes texts")],
    }
}

fn public_url(config: &Config, note: &mut impl FnMut(&str, String, bool)) {
    let url = &config.api.public_url;
    if url.is_empty() {
        return;
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.is_empty() || url.contains(['?', '#', ' ']) {
        note("api.public_url", format!("`{url}` is no address: write one such as https://gw.example.org"), true);
    } else if url.starts_with("http://") && !is_local(url) {
        note("api.public_url", "is plain HTTP: whoever is on the way can read links and reports".into(), false);
    }
}

/// Whether an address leads to this machine by its letters.
fn is_local(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = if host.starts_with('[') {
        host.split(']').next().unwrap_or_default().trim_start_matches('[')
    } else {
        host.split(':').next().unwrap_or_default()
    };
    host == "localhost" || host.parse().is_ok_and(|address| !is_outside(address))
}

/// A number, a short code, or a name (3GPP TS 23.040 §9.1.2.5: up to eleven characters). Empty: the provider's service has one.
fn is_sender(from: &str) -> bool {
    let short = (3..=8).contains(&from.len()) && from.bytes().all(|b| b.is_ascii_digit());
    let name = (1..=11).contains(&from.len()) && from.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ');
    from.is_empty() || short || name || PhoneNumber::parse(from).is_some()
}
