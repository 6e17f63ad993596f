//! Twilio.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

use super::{ACCOUNT, Asked, Provider, SECRET, Signed, Taken, base64, basic};

pub(super) async fn serve(provider: &Provider, asked: Asked) -> Response {
    if asked.shown != basic(ACCOUNT, SECRET) {
        return (StatusCode::UNAUTHORIZED, no(401, "20003")).into_response();
    }
    let path = asked.uri.path().to_owned();
    if let Some(number) = path.strip_prefix("/v2/PhoneNumbers/") {
        let mut inside = provider.inside.lock().unwrap();
        inside.looked_up += 1;
        let line = inside.lookups.get(number).copied();
        let intelligence = json!({ "type": line, "carrier_name": "Carrier", "error_code": null });
        return axum::Json(json!({ "phone_number": number, "line_type_intelligence": intelligence })).into_response();
    }
    if path != format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json") {
        return (StatusCode::NOT_FOUND, no(404, "20404")).into_response();
    }
    let form = |bytes: &[u8]| form_urlencoded::parse(bytes).into_owned().collect::<std::collections::BTreeMap<_, _>>();
    if asked.method == "GET" {
        let query = form(asked.uri.query().unwrap_or_default().as_bytes());
        let mut messages: Vec<Value> = provider
            .taken()
            .iter()
            .filter(|taken| taken.to == query["To"])
            .map(|taken| json!({ "sid": taken.id, "to": taken.to, "body": taken.body, "status": "sent" }))
            .collect();
        messages.reverse();
        return axum::Json(json!({ "messages": messages, "page_size": 50 })).into_response();
    }
    assert_eq!(asked.kind, "application/x-www-form-urlencoded");
    let fields = form(&asked.body);
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let text = Taken {
        id: String::new(),
        to: field("To"),
        from: field("From"),
        body: field("Body"),
        callback: fields.get("StatusCallback").cloned(),
        all: fields.clone(),
    };
    provider.send(text).await
}

pub(super) fn yes(taken: &Taken) -> Response {
    let said = json!({ "sid": taken.id, "status": "queued", "to": taken.to, "error_code": null });
    (StatusCode::CREATED, axum::Json(said)).into_response()
}

pub(super) fn no(status: u16, code: &str) -> String {
    json!({ "code": code.parse::<u32>().unwrap(), "message": "no", "more_info": "https://www.twilio.com/docs", "status": status })
        .to_string()
}

pub(super) fn says(token: &str, url: &str, fields: &[(&str, &str)]) -> Signed {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    sorted.iter().for_each(|(name, value)| mac.update(format!("{name}{value}").as_bytes()));
    let signature = base64(&mac.finalize().into_bytes());
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers =
        vec![("content-type", "application/x-www-form-urlencoded".to_owned()), ("x-twilio-signature", signature)];
    Signed { headers, body }
}
