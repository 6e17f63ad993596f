//! Telnyx: messages (v2), number lookup, and its reports, signed by Ed25519.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::http::{self, Reply, as_text};
use super::{Callback, Handed, Message, NotTheirs, Received, Report, Settings, signature};
use crate::base::{PhoneNumber, Secret};
use crate::texting::{LineType, TextFailure, TextState};

/// Its API.
const API: &str = "https://api.telnyx.com";

/// The client.
#[derive(Debug)]
pub struct Telnyx {
    client: Client,
    api: String,
    secret: Secret,
    signing: Secret,
    from: String,
    service: String,
}

impl Telnyx {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        if !settings.signing.is_empty() && !signature::is_public_key(settings.signing.expose()) {
            return Err("sms.signing_key: is no Ed25519 key: copy the public key of the Telnyx portal".into());
        }
        Ok(Self {
            client: http::client(settings)?,
            api: http::base(settings, API)?,
            secret: settings.secret.clone(),
            signing: settings.signing.clone(),
            from: settings.from.clone(),
            service: settings.service.clone(),
        })
    }

    fn signed_in(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.secret.expose())
    }

    pub(super) async fn hand(&self, message: &Message) -> Handed {
        let mut body = json!({ "to": message.to.e164(), "text": message.body.expose() });
        match &message.from {
            Some(from) => body["from"] = from.e164().into(),
            None if !self.from.is_empty() => body["from"] = self.from.as_str().into(),
            // A profile chooses among its numbers.
            None => {}
        }
        if !self.service.is_empty() {
            body["messaging_profile_id"] = self.service.as_str().into();
        }
        if let Some(callback) = &message.callback {
            body["webhook_url"] = callback.as_str().into();
        }
        let request = self.client.post(format!("{}/v2/messages", self.api)).header(CONTENT_TYPE, "application/json");
        let answer = match http::ask(self.signed_in(request.body(body.to_string()))).await {
            Reply::Answer(answer) => answer,
            Reply::NotAsked => {
                return Handed::NotTaken { reason: TextFailure::ProviderDown, code: None, after: None };
            }
            Reply::Lost => return Handed::Unclear,
        };
        let said = answer.json();
        if answer.is_success() {
            return as_text(&said["data"]["id"]).map_or(Handed::Unclear, |id| Handed::Taken { id: Some(id) });
        }
        let code = as_text(&said["errors"][0]["code"]);
        answer.refusal(code.as_deref().and_then(meaning), code)
    }

    pub(super) async fn look_up(&self, number: &PhoneNumber) -> LineType {
        let url = format!("{}/v2/number_lookup/{}?type=carrier", self.api, number.e164());
        let Reply::Answer(answer) = http::ask(self.signed_in(self.client.get(url))).await else {
            return LineType::Unknown;
        };
        if !answer.is_success() {
            return LineType::Unknown;
        }
        let said = answer.json();
        match said["data"]["carrier"]["type"].as_str() {
            Some("mobile") => LineType::Mobile,
            Some("landline" | "fixed line") => LineType::Landline,
            Some("voip") => LineType::Voip,
            Some("toll free" | "toll_free") => LineType::TollFree,
            _ => LineType::Unknown,
        }
    }

    fn signed(&self, callback: &Callback<'_>) -> Result<Value, NotTheirs> {
        let header = |name: &str| callback.headers.get(name).and_then(|value| value.to_str().ok());
        let shown = header("telnyx-signature-ed25519").ok_or(NotTheirs::Forged)?;
        let timestamp = header("telnyx-timestamp").ok_or(NotTheirs::Forged)?;
        if !signature::is_telnyx(&self.signing, timestamp, callback.body, shown) {
            return Err(NotTheirs::Forged);
        }
        let seconds = timestamp.trim().parse().map_err(|_| NotTheirs::Unreadable)?;
        if !signature::is_fresh(seconds, callback.now) {
            return Err(NotTheirs::Stale);
        }
        let body: Value = serde_json::from_slice(callback.body).map_err(|_| NotTheirs::Unreadable)?;
        Ok(body["data"].clone())
    }

    pub(super) fn report(&self, callback: &Callback<'_>) -> Result<Option<Report>, NotTheirs> {
        let data = self.signed(callback)?;
        let payload = &data["payload"];
        let provider_id = Some(as_text(&payload["id"]).ok_or(NotTheirs::Unreadable)?);
        let status = payload["to"][0]["status"].as_str().unwrap_or_default();
        let state = match (data["event_type"].as_str(), status) {
            (Some("message.sent"), "sending_failed") => TextState::Failed,
            (Some("message.sent"), _) => TextState::Sent,
            (Some("message.finalized"), "delivered") => TextState::Delivered,
            (Some("message.finalized"), "delivery_failed" | "expired") => TextState::Undelivered,
            (Some("message.finalized"), "sending_failed" | "gw_timeout" | "dlr_timeout") => TextState::Failed,
            // The carrier tells nobody whether it arrived.
            (Some("message.finalized"), "sent" | "delivery_unconfirmed" | "dlr_unconfirmed") => TextState::Sent,
            _ => return Ok(None),
        };
        let lost = matches!(state, TextState::Undelivered | TextState::Failed);
        let code = as_text(&payload["errors"][0]["code"]).filter(|_| lost);
        let expired = (status == "expired").then_some(TextFailure::Expired);
        let known = code.as_deref().and_then(meaning).or(expired).unwrap_or(TextFailure::Unknown);
        Ok(Some(Report { provider_id, state, reason: lost.then_some(known), code }))
    }

    pub(super) fn received(&self, callback: &Callback<'_>) -> Result<Option<Received>, NotTheirs> {
        let data = self.signed(callback)?;
        if data["event_type"] != "message.received" {
            return Ok(None);
        }
        let payload = &data["payload"];
        let provider_id = as_text(&payload["id"]).ok_or(NotTheirs::Unreadable)?;
        let from = payload["from"]["phone_number"].as_str().and_then(PhoneNumber::parse);
        let Some(from) = from else { return Ok(None) };
        let to = as_text(&payload["to"][0]["phone_number"]).unwrap_or_default();
        Ok(Some(Received { provider_id, from, to, body: Secret::new(payload["text"].as_str().unwrap_or_default()) }))
    }
}

/// What a code of Telnyx's list of messaging errors means here.
fn meaning(code: &str) -> Option<TextFailure> {
    Some(match code.parse::<u32>().ok()? {
        10001 | 10003 | 10009 | 10010 => TextFailure::Credentials,
        20100 | 40333 => TextFailure::NoFunds,
        10011 | 40011 | 40016 | 40018 | 40318 => TextFailure::RateLimited,
        10002 | 10016 | 40012 | 40310 => TextFailure::NotANumber,
        40001 => TextFailure::Landline,
        40002 | 40003 | 40004 | 40009 | 40015 | 40017 | 40322 => TextFailure::Blocked,
        40005 | 40014 => TextFailure::Expired,
        40006 | 40008 => TextFailure::Unreachable,
        40300 => TextFailure::OptedOut,
        40010 | 40013 | 40100 | 40305 | 40306 | 40309 | 40312 | 40313 | 40314 | 40315 | 40320 | 40321 | 40329
        | 40330 => TextFailure::NotPermitted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_code_says_what_to_do() {
        for (code, failure) in [
            ("40001", TextFailure::Landline),
            ("40002", TextFailure::Blocked),
            ("40003", TextFailure::Blocked),
            ("40004", TextFailure::Blocked),
            ("40005", TextFailure::Expired),
            ("40006", TextFailure::Unreachable),
            ("40008", TextFailure::Unreachable),
            ("40009", TextFailure::Blocked),
            ("40011", TextFailure::RateLimited),
            ("40300", TextFailure::OptedOut),
            ("40318", TextFailure::RateLimited),
        ] {
            assert_eq!(meaning(code), Some(failure), "{code}");
        }
        assert_eq!(meaning("1"), None);
    }
}
