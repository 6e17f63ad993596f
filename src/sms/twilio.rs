//! Twilio: Messages (2010-04-01), Lookup v2, and its reports.
//!
//! Creating a message knows no idempotency key. What is known of an interrupted one comes from the list of messages to that
//! number, or from a report, whose address holds our name for it.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;

use super::http::{self, Reply, as_text};
use super::{Callback, Found, Handed, Message, NotTheirs, Received, Report, Settings, form, signature};
use crate::base::{PhoneNumber, Secret};
use crate::texting::{LineType, TextFailure, TextState};

/// Its API.
const API: &str = "https://api.twilio.com";

/// Its look-ups.
const LOOKUPS: &str = "https://lookups.twilio.com";

/// Messages that are looked through for an interrupted one. The number gets few from us; its newest are listed first.
const LISTED: &str = "50";

/// The client.
#[derive(Debug)]
pub struct Twilio {
    client: Client,
    api: String,
    lookups: String,
    account: String,
    user: String,
    secret: Secret,
    signing: Secret,
    from: String,
    service: String,
}

impl Twilio {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let user = if settings.user.is_empty() { &settings.account } else { &settings.user };
        // The account's own token signs; an API key's secret does not.
        let token = settings.signing.is_empty() && settings.user.is_empty();
        Ok(Self {
            client: http::client(settings)?,
            api: http::base(settings, API)?,
            lookups: http::base(settings, LOOKUPS)?,
            account: settings.account.clone(),
            user: user.clone(),
            secret: settings.secret.clone(),
            signing: if token { settings.secret.clone() } else { settings.signing.clone() },
            from: settings.from.clone(),
            service: settings.service.clone(),
        })
    }

    fn signed_in(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.user, Some(self.secret.expose()))
    }

    fn messages(&self) -> String {
        format!("{}/2010-04-01/Accounts/{}/Messages.json", self.api, self.account)
    }

    pub(super) async fn hand(&self, message: &Message) -> Handed {
        let to = message.to.e164();
        let own = message.from.as_ref().map(PhoneNumber::e164);
        let mut fields = vec![("To", to.as_str()), ("Body", message.body.expose())];
        match &own {
            Some(from) => fields.push(("From", from)),
            None if !self.service.is_empty() => fields.push(("MessagingServiceSid", &self.service)),
            None => fields.push(("From", &self.from)),
        }
        // Its limits (10 hours, and what a carrier can be held to).
        let valid = message.valid.as_secs().clamp(5, 36_000).to_string();
        fields.push(("ValidityPeriod", &valid));
        if let Some(callback) = &message.callback {
            fields.push(("StatusCallback", callback));
        }
        let request = self.client.post(self.messages()).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = match http::ask(self.signed_in(request.body(form::write(fields)))).await {
            Reply::Answer(answer) => answer,
            Reply::NotAsked => return not_asked(),
            Reply::Lost => return Handed::Unclear,
        };
        let said = answer.json();
        if answer.is_success() {
            // One that says yes and names nothing may have it all the same.
            let Some(id) = as_text(&said["sid"]) else { return Handed::Unclear };
            return match said["status"].as_str() {
                Some("failed" | "undelivered") => {
                    let code = as_text(&said["error_code"]);
                    Handed::Refused { reason: why(code.as_deref()), code }
                }
                _ => Handed::Taken { id: Some(id) },
            };
        }
        let code = as_text(&said["code"]);
        answer.refusal(code.as_deref().and_then(meaning), code)
    }

    pub(super) async fn find(&self, to: &PhoneNumber, body: &Secret) -> Found {
        // Not narrowed by the day it was sent: one that waits has none yet.
        let to = to.e164();
        let query = form::write([("To", to.as_str()), ("PageSize", LISTED)]);
        let request = self.client.get(format!("{}?{query}", self.messages()));
        let Reply::Answer(answer) = http::ask(self.signed_in(request)).await else { return Found::CannotSay };
        let said = answer.json();
        let Some(messages) = said["messages"].as_array().filter(|_| answer.is_success()) else {
            return Found::CannotSay;
        };
        let same = |message: &&Value| message["body"].as_str().is_some_and(|text| body.matches(text));
        let found: Vec<_> = messages.iter().filter(same).filter_map(|message| as_text(&message["sid"])).collect();
        if found.is_empty() { Found::None } else { Found::These(found) }
    }

    pub(super) async fn look_up(&self, number: &PhoneNumber) -> LineType {
        let url = format!("{}/v2/PhoneNumbers/{}?Fields=line_type_intelligence", self.lookups, number.e164());
        let Reply::Answer(answer) = http::ask(self.signed_in(self.client.get(url))).await else {
            return LineType::Unknown;
        };
        if !answer.is_success() {
            return LineType::Unknown;
        }
        match answer.json()["line_type_intelligence"]["type"].as_str() {
            Some("mobile" | "personal") => LineType::Mobile,
            Some("landline") => LineType::Landline,
            Some("fixedVoip" | "nonFixedVoip") => LineType::Voip,
            Some("tollFree") => LineType::TollFree,
            Some("premium" | "sharedCost" | "uan" | "voicemail" | "pager") => LineType::Other,
            _ => LineType::Unknown,
        }
    }

    fn signed(&self, callback: &Callback<'_>) -> Result<form::Fields, NotTheirs> {
        let shown = callback.headers.get("x-twilio-signature").and_then(|value| value.to_str().ok());
        let shown = shown.ok_or(NotTheirs::Forged)?;
        // Whatever is no form is signed by its hash in the address.
        let hash = Url::parse(callback.url).ok().and_then(|url| {
            url.query_pairs().find(|(name, _)| name == "bodySHA256").map(|(_, value)| value.into_owned())
        });
        let fields = form::read(if hash.is_some() { b"" } else { callback.body });
        if !signature::is_twilio(&self.signing, callback.url, &fields.pairs, shown) {
            return Err(NotTheirs::Forged);
        }
        match hash {
            Some(hash) if !signature::is_hash_of(&hash, callback.body) => Err(NotTheirs::Forged),
            Some(_) => Err(NotTheirs::Unreadable),
            None => Ok(fields),
        }
    }

    pub(super) fn report(&self, callback: &Callback<'_>) -> Result<Option<Report>, NotTheirs> {
        let fields = self.signed(callback)?;
        let id = fields.get("MessageSid").or(fields.get("SmsSid")).ok_or(NotTheirs::Unreadable)?;
        let state = match fields.get("MessageStatus").or(fields.get("SmsStatus")).ok_or(NotTheirs::Unreadable)? {
            "accepted" | "scheduled" | "queued" | "sending" => TextState::Handed,
            "sent" => TextState::Sent,
            "delivered" | "read" => TextState::Delivered,
            "undelivered" => TextState::Undelivered,
            "failed" | "canceled" => TextState::Failed,
            _ => return Ok(None),
        };
        let lost = matches!(state, TextState::Undelivered | TextState::Failed);
        let code: Option<Box<str>> = fields.get("ErrorCode").filter(|_| lost).map(Into::into);
        let reason = lost.then(|| why(code.as_deref()));
        Ok(Some(Report { provider_id: Some(id.into()), state, reason, code }))
    }

    pub(super) fn received(&self, callback: &Callback<'_>) -> Result<Option<Received>, NotTheirs> {
        let fields = self.signed(callback)?;
        let id = fields.get("MessageSid").or(fields.get("SmsSid")).ok_or(NotTheirs::Unreadable)?;
        let Some(from) = fields.get("From").and_then(PhoneNumber::parse) else { return Ok(None) };
        let body = Secret::new(fields.get("Body").unwrap_or_default());
        Ok(Some(Received { provider_id: id.into(), from, to: fields.get("To").unwrap_or_default().into(), body }))
    }
}

fn not_asked() -> Handed {
    Handed::NotTaken { reason: TextFailure::ProviderDown, code: None, after: None }
}

fn why(code: Option<&str>) -> TextFailure {
    code.and_then(meaning).unwrap_or(TextFailure::Unknown)
}

/// What a code of Twilio's dictionary of errors means here; none where it is about something else.
fn meaning(code: &str) -> Option<TextFailure> {
    Some(match code.parse::<u32>().ok()? {
        20003 | 20006 | 20404 => TextFailure::Credentials,
        20005 | 21266 | 21408 | 21603 | 21606 | 21612 | 21659 | 21660 | 21661 | 21703 | 21704 | 30002 | 30010
        | 30018 | 30024 | 30032 | 30033 | 30034 | 30037 => TextFailure::NotPermitted,
        20429 | 21611 | 30001 | 30022 | 30023 | 30027 => TextFailure::RateLimited,
        20500 | 20503 | 30410 | 30500 => TextFailure::ProviderDown,
        21201 | 21211 | 21217 | 21401 | 21421 | 21604 => TextFailure::NotANumber,
        21610 => TextFailure::OptedOut,
        21614 | 21635 | 30006 => TextFailure::Landline,
        30003 | 30005 | 30017 => TextFailure::Unreachable,
        30004 | 30007 | 30029 | 30038 | 30039 => TextFailure::Blocked,
        30036 => TextFailure::Expired,
        30008 | 30009 => TextFailure::Unknown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_says_what_to_do() {
        for (code, failure) in [
            ("21211", TextFailure::NotANumber),
            ("21408", TextFailure::NotPermitted),
            ("21606", TextFailure::NotPermitted),
            ("21610", TextFailure::OptedOut),
            ("21612", TextFailure::NotPermitted),
            ("21614", TextFailure::Landline),
            ("21635", TextFailure::Landline),
            ("30003", TextFailure::Unreachable),
            ("30004", TextFailure::Blocked),
            ("30006", TextFailure::Landline),
            ("30007", TextFailure::Blocked),
            ("30008", TextFailure::Unknown),
            ("30022", TextFailure::RateLimited),
            ("30032", TextFailure::NotPermitted),
            ("30034", TextFailure::NotPermitted),
        ] {
            assert_eq!(meaning(code), Some(failure), "{code}");
        }
        assert_eq!(why(Some("99999")), TextFailure::Unknown);
        assert_eq!(why(Some("nonsense")), TextFailure::Unknown);
    }
}
