//! Telnyx.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};

use super::{Asked, Provider, SECRET, Signed, Taken, base64};

pub(super) async fn serve(provider: &Provider, asked: Asked) -> Response {
    if asked.shown != format!("Bearer {SECRET}") {
        return (StatusCode::UNAUTHORIZED, no("10009")).into_response();
    }
    let path = asked.uri.path();
    if let Some(number) = path.strip_prefix("/v2/number_lookup/") {
        let mut inside = provider.inside.lock().unwrap();
        inside.looked_up += 1;
        let line = inside.lookups.get(number).copied();
        return axum::Json(json!({ "data": { "phone_number": number, "carrier": { "type": line } } })).into_response();
    }
    if (asked.method.as_str(), path) != ("POST", "/v2/messages") {
        return (StatusCode::NOT_FOUND, no("10005")).into_response();
    }
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let text = Taken {
        id: String::new(),
        to: field("to"),
        from: field("from"),
        body: field("text"),
        callback: body["webhook_url"].as_str().map(str::to_owned),
        all: BTreeMap::new(),
    };
    provider.send(text).await
}

pub(super) fn yes(taken: &Taken) -> Response {
    let to = json!([{ "phone_number": taken.to, "status": "queued" }]);
    axum::Json(json!({ "data": { "record_type": "message", "id": taken.id, "to": to } })).into_response()
}

pub(super) fn no(code: &str) -> String {
    json!({ "errors": [{ "code": code, "title": "no", "detail": "no" }] }).to_string()
}

/// What Telnyx signs with.
pub struct TelnyxKey(KeyPair);

impl TelnyxKey {
    /// A new one.
    pub fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    /// What its portal shows.
    pub fn public(&self) -> String {
        base64(self.0.der_bytes())
    }

    /// An event of a text, signed at this moment (seconds since 1970).
    pub fn says(&self, timestamp: i64, event: &str, payload: Value) -> Signed {
        let data =
            json!({ "event_type": event, "id": "e1", "occurred_at": "2026-01-01T00:00:00Z", "payload": payload });
        let body = json!({ "data": data, "meta": { "attempt": 1 } }).to_string();
        let signature = base64(&self.0.sign(format!("{timestamp}|{body}").as_bytes()).unwrap());
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("telnyx-timestamp", timestamp.to_string()),
            ("telnyx-signature-ed25519", signature),
        ];
        Signed { headers, body }
    }
}
