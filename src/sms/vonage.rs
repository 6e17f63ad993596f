//! Vonage: messages (v1), and its reports, signed as web tokens with the hash of the body.

use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use super::http::{self, Reply, as_text};
use super::{Callback, Handed, Message, NotTheirs, Received, Report, Settings, signature};
use crate::base::{PhoneNumber, Secret};
use crate::texting::{TextFailure, TextState};

/// Its API.
const API: &str = "https://api.nexmo.com";

/// Least and most that a message may be kept for, in seconds.
const TTL: (u64, u64) = (20, 259_200);

/// The client.
#[derive(Debug)]
pub struct Vonage {
    client: Client,
    api: String,
    account: String,
    secret: Secret,
    signing: Secret,
    from: String,
}

impl Vonage {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        Ok(Self {
            client: http::client(settings)?,
            api: http::base(settings, API)?,
            account: settings.account.clone(),
            secret: settings.secret.clone(),
            signing: settings.signing.clone(),
            // Numbers are written without a plus; names stay.
            from: settings.from.trim_start_matches('+').to_owned(),
        })
    }

    pub(super) async fn hand(&self, message: &Message) -> Handed {
        let from = message.from.as_ref().map_or(self.from.as_str(), PhoneNumber::digits);
        let mut body = json!({
            "message_type": "text",
            "channel": "sms",
            "to": message.to.digits(),
            "from": from,
            "text": message.body.expose(),
            "ttl": message.valid.as_secs().clamp(TTL.0, TTL.1),
            "client_ref": message.id.to_string(),
        });
        if let Some(callback) = &message.callback {
            body["webhook_url"] = callback.as_str().into();
            body["webhook_version"] = "v1".into();
        }
        let request = self.client.post(format!("{}/v1/messages", self.api)).header(CONTENT_TYPE, "application/json");
        let request = request.basic_auth(&self.account, Some(self.secret.expose())).body(body.to_string());
        let answer = match http::ask(request).await {
            Reply::Answer(answer) => answer,
            Reply::NotAsked => {
                return Handed::NotTaken { reason: TextFailure::ProviderDown, code: None, after: None };
            }
            Reply::Lost => return Handed::Unclear,
        };
        let said = answer.json();
        if answer.is_success() {
            return as_text(&said["message_uuid"]).map_or(Handed::Unclear, |id| Handed::Taken { id: Some(id) });
        }
        let code = code(&said);
        answer.refusal(code.as_deref().and_then(meaning), code)
    }

    fn signed(&self, callback: &Callback<'_>) -> Result<Value, NotTheirs> {
        let shown = callback.headers.get("authorization").and_then(|value| value.to_str().ok());
        let (scheme, token) = shown.and_then(|shown| shown.split_once(' ')).ok_or(NotTheirs::Forged)?;
        let claims = signature::claims(&self.signing, token.trim()).filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let claims = claims.ok_or(NotTheirs::Forged)?;
        // Without the hash a signature of another body would do.
        let hash = claims.payload_hash.ok_or(NotTheirs::Forged)?;
        if !signature::is_hash_of(&hash, callback.body) {
            return Err(NotTheirs::Forged);
        }
        if !signature::is_fresh(claims.iat, callback.now) {
            return Err(NotTheirs::Stale);
        }
        serde_json::from_slice(callback.body).map_err(|_| NotTheirs::Unreadable)
    }

    pub(super) fn report(&self, callback: &Callback<'_>) -> Result<Option<Report>, NotTheirs> {
        let said = self.signed(callback)?;
        let provider_id = Some(as_text(&said["message_uuid"]).ok_or(NotTheirs::Unreadable)?);
        let state = match said["status"].as_str() {
            Some("submitted") => TextState::Sent,
            Some("delivered" | "read") => TextState::Delivered,
            Some("rejected") => TextState::Failed,
            Some("undeliverable") => TextState::Undelivered,
            _ => return Ok(None),
        };
        let lost = matches!(state, TextState::Undelivered | TextState::Failed);
        let code = code(&said["error"]).filter(|_| lost);
        let reason = lost.then(|| code.as_deref().and_then(meaning).unwrap_or(TextFailure::Unknown));
        Ok(Some(Report { provider_id, state, reason, code }))
    }

    pub(super) fn received(&self, callback: &Callback<'_>) -> Result<Option<Received>, NotTheirs> {
        let said = self.signed(callback)?;
        let provider_id = as_text(&said["message_uuid"]).ok_or(NotTheirs::Unreadable)?;
        let from = said["from"].as_str().and_then(PhoneNumber::parse);
        let Some(from) = from.filter(|_| said["channel"] == "sms") else { return Ok(None) };
        let to = as_text(&said["to"]).unwrap_or_default();
        Ok(Some(Received { provider_id, from, to, body: Secret::new(said["text"].as_str().unwrap_or_default()) }))
    }
}

/// The code of a problem document (RFC 9457): what stands behind the `#` of its type, or its title where that is a number.
fn code(problem: &Value) -> Option<Box<str>> {
    let behind = problem["type"].as_str().and_then(|kind| kind.rsplit_once('#')).map(|(_, code)| code);
    let title = problem["title"].as_str().filter(|title| title.bytes().all(|byte| byte.is_ascii_digit()));
    behind.or(title).filter(|code| !code.is_empty() && code.len() <= 40).map(Into::into)
}

/// What a code of Vonage's list of message errors means here.
fn meaning(code: &str) -> Option<TextFailure> {
    match code {
        "unauthorized" => return Some(TextFailure::Credentials),
        "low-balance" | "out-of-credit" => return Some(TextFailure::NoFunds),
        "forbidden" => return Some(TextFailure::NotPermitted),
        "rate-limit" => return Some(TextFailure::RateLimited),
        _ => {}
    }
    Some(match code.parse::<u32>().ok()? {
        1000 | 1080 | 1460 => TextFailure::RateLimited,
        1030 => TextFailure::ProviderDown,
        1050 | 1200 | 1220 | 1270 | 1280 | 1380 | 1470 => TextFailure::Blocked,
        1060 | 1090 | 1120 | 1160 => TextFailure::NotPermitted,
        1070 => TextFailure::NoFunds,
        1170 | 1370 => TextFailure::NotANumber,
        1180 | 1190 | 1230 | 1250 | 1260 | 1290 => TextFailure::Unreachable,
        1240 => TextFailure::OptedOut,
        1310 => TextFailure::Landline,
        1360 => TextFailure::Expired,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_the_type_or_the_title() {
        let error =
            json!({ "type": "https://developer.vonage.com/api-errors/messages#1120", "title": "Invalid sender" });
        assert_eq!(code(&error).as_deref(), Some("1120"));
        assert_eq!(code(&json!({ "title": "1260" })).as_deref(), Some("1260"));
        assert_eq!(code(&json!({ "title": "Rejected" })), None);
        assert_eq!(code(&Value::Null), None);
        assert_eq!(meaning("1240"), Some(TextFailure::OptedOut));
        assert_eq!(meaning("low-balance"), Some(TextFailure::NoFunds));
    }
}
