//! PATCH: what is sent is laid over what is there (JSON Merge Patch, RFC 7396).

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{App, Problem, body};

/// The header that names what PATCH takes (RFC 5789 §3.1).
const ACCEPTS: (HeaderName, HeaderValue) =
    (HeaderName::from_static("accept-patch"), HeaderValue::from_static("application/merge-patch+json"));

/// Fields to be changed; null takes a field back to what it is when absent.
#[derive(Debug, Clone)]
pub struct Patch(Value);

impl FromRequest<App> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let kind = body::media_type(request.headers());
        if !matches!(kind.as_deref(), Some("application/merge-patch+json" | "application/json")) {
            let detail = "send what changes with `Content-Type: application/merge-patch+json` (RFC 7396)";
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail);
            return Err(problem.header(ACCEPTS.0, ACCEPTS.1));
        }
        let bytes = Bytes::from_request(request, app).await.map_err(body::too_large)?;
        let value: Value = body::parse(&bytes)?;
        if value.is_object() { Ok(Self(value)) } else { Err(Problem::field("", "the body is a JSON object")) }
    }
}

impl Patch {
    /// What is there with the patch over it.
    pub fn over<T: Serialize + DeserializeOwned>(self, before: &T) -> Result<T, Problem> {
        let mut value = serde_json::to_value(before).map_err(|_| Problem::internal())?;
        merge(&mut value, self.0);
        body::read(value)
    }
}

/// RFC 7396 §2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(there) = target else { return };
    for (name, value) in fields {
        if value.is_null() {
            there.remove(&name);
        } else {
            merge(there.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_examples_of_the_rfc_come_out_as_written_there() {
        for (mut target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            merge(&mut target, patch);
            assert_eq!(target, result);
        }
    }
}
