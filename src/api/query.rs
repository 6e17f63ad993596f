//! Query parameters that no operation knows are refused by name, never ignored: a filter with a typing mistake would
//! show everything.

use std::collections::BTreeMap;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{OpenApi, RefOr};

use super::Problem;
use super::problem::FieldError;

/// The query parameters of every path under `/v1`, from its description.
#[derive(Debug, Clone, Default)]
pub struct Known(BTreeMap<String, Vec<String>>);

impl Known {
    /// Reads the description.
    pub fn of(doc: &OpenApi) -> Self {
        let mut known = BTreeMap::new();
        for (path, item) in &doc.paths.paths {
            let operations = [&item.get, &item.put, &item.post, &item.patch, &item.delete];
            let parameters = operations.into_iter().flatten().filter_map(|one| one.parameters.as_ref()).flatten();
            let names = parameters.filter_map(|parameter| match parameter {
                RefOr::T(parameter) => (parameter.parameter_in == ParameterIn::Query).then(|| parameter.name.clone()),
                RefOr::Ref(_) => None,
            });
            known.insert(path.clone(), names.collect());
        }
        Self(known)
    }
}

/// Refuses parameters that the operation does not have.
pub async fn check(known: Known, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let names = known.0.get(path).filter(|_| path.starts_with("/v1/") && request.method() != Method::OPTIONS);
    let (Some(names), Some(query)) = (names, request.uri().query()) else { return next.run(request).await };
    let wrong: Vec<FieldError> = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .filter(|name| !name.is_empty() && !names.iter().any(|known| known == name))
        .map(|name| FieldError { pointer: format!("?{}", shown(name)), detail: there_are(names) })
        .collect();
    if wrong.is_empty() {
        return next.run(request).await;
    }
    let all: Vec<&str> = wrong.iter().map(|error| error.pointer.trim_start_matches('?')).collect();
    let detail = format!("no such query parameter: {}; {}", all.join(", "), there_are(names));
    Problem::new(StatusCode::BAD_REQUEST, "bad-query", detail).about(wrong).into_response()
}

/// As much of a name as is worth repeating.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

fn there_are(names: &[String]) -> String {
    match names {
        [] => "there are none here".to_owned(),
        [one] => format!("there is {one}"),
        many => format!("there are {}", many.join(", ")),
    }
}
