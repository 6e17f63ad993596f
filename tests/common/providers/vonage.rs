//! Vonage.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use ringlift::identity::base64url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ACCOUNT, Asked, Provider, SECRET, Signed, Taken, basic};

pub(super) async fn serve(provider: &Provider, asked: Asked) -> Response {
    if asked.shown != basic(ACCOUNT, SECRET) {
        return (StatusCode::UNAUTHORIZED, no("unauthorized")).into_response();
    }
    if (asked.method.as_str(), asked.uri.path()) != ("POST", "/v1/messages") {
        return (StatusCode::NOT_FOUND, no("not-found")).into_response();
    }
    let body: Value = serde_json::from_slice(&asked.body).unwrap();
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    assert_eq!((field("message_type").as_str(), field("channel").as_str()), ("text", "sms"));
    assert!(field("to").bytes().all(|b| b.is_ascii_digit()), "numbers have no plus");
    let text = Taken {
        id: String::new(),
        to: format!("+{}", field("to")),
        from: format!("+{}", field("from")),
        body: field("text"),
        callback: body["webhook_url"].as_str().map(str::to_owned),
        all: BTreeMap::from([("client_ref".to_owned(), field("client_ref"))]),
    };
    provider.send(text).await
}

pub(super) fn yes(taken: &Taken) -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({ "message_uuid": taken.id }))).into_response()
}

pub(super) fn no(code: &str) -> String {
    let kind = format!("https://developer.vonage.com/api-errors/messages#{code}");
    json!({ "type": kind, "title": "no", "detail": "no", "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf" }).to_string()
}

pub(super) fn says(secret: &str, iat: i64, body: &Value) -> Signed {
    let body = body.to_string();
    let hash: String = Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let claims = json!({ "iat": iat, "jti": "j", "iss": "Vonage", "payload_hash": hash, "api_key": ACCOUNT });
    let head = base64url::encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", base64url::encode(claims.to_string().as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    let token = format!("{signed}.{}", base64url::encode(&mac.finalize().into_bytes()));
    let headers = vec![("content-type", "application/json".to_owned()), ("authorization", format!("Bearer {token}"))];
    Signed { headers, body }
}
