//! The page at `/`: three files of `web/dist`, inside the program.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// Nothing but our own script, style and API; in no frame, with no plug-in, to no other host.
pub const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The page.
pub async fn index() -> Response {
    file("text/html; charset=utf-8", include_str!("../../web/dist/index.html"))
}

/// Its script.
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("../../web/dist/app.js"))
}

/// Its style.
pub async fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("../../web/dist/app.css"))
}

/// Its sign.
pub async fn icon() -> Response {
    file("image/svg+xml", include_str!("../../web/dist/icon.svg"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    // Asked for anew each time: after an update nobody sees an old page with a new API.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
