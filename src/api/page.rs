//! The pages, inside the program: where to begin (`/`), the meeting (`/j/{ticket}`, `/m/{room}`, and from a
//! telephone call `/e/{ticket}`), a person's own (`/me`), what takes a call over (`/scan`, `/c/{ticket}`; without the code, the page that asks for it) and the operator's console
//! (`/console`), each with its script and style from `web/dist`; beside them the service worker (`/push.js`), which shows notifications.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::App;

/// Nothing but our own scripts, styles and API (its WebSocket too); pictures and media that the page itself made; in no frame,
/// with no plug-in, to no other host.
pub const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; worker-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What of a device the pages may ask for: what a meeting needs, and nothing else.
const DEVICES: HeaderValue = HeaderValue::from_static(
    "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), screen-wake-lock=(self), geolocation=(), usb=(), serial=(), midi=(), payment=()",
);

const DEVICES_HEADER: HeaderName = HeaderName::from_static("permissions-policy");

/// Where each file is found.
pub fn routes() -> Router<App> {
    macro_rules! file {
        ($kind:literal, $name:literal) => {
            get(async |headers: HeaderMap| {
                static FILE: LazyLock<File> =
                    LazyLock::new(|| File::new($kind, include_bytes!(concat!("../../web/dist/", $name))));
                FILE.answer(&headers)
            })
        };
    }
    Router::new()
        .route("/", file!("text/html; charset=utf-8", "landing.html"))
        .route("/landing.js", file!("text/javascript; charset=utf-8", "landing.js"))
        .route("/landing.css", file!("text/css; charset=utf-8", "landing.css"))
        .route("/j/{ticket}", file!("text/html; charset=utf-8", "meeting.html"))
        .route("/e", file!("text/html; charset=utf-8", "meeting.html"))
        .route("/e/{ticket}", file!("text/html; charset=utf-8", "meeting.html"))
        .route("/scan", file!("text/html; charset=utf-8", "scan.html"))
        .route("/c", file!("text/html; charset=utf-8", "scan.html"))
        .route("/c/", file!("text/html; charset=utf-8", "scan.html"))
        .route("/c/{ticket}", file!("text/html; charset=utf-8", "scan.html"))
        .route("/reader.js", file!("text/javascript; charset=utf-8", "reader.js"))
        .route("/scan.js", file!("text/javascript; charset=utf-8", "scan.js"))
        .route("/scan.css", file!("text/css; charset=utf-8", "scan.css"))
        .route("/m/{room}", file!("text/html; charset=utf-8", "meeting.html"))
        .route("/meeting.js", file!("text/javascript; charset=utf-8", "meeting.js"))
        .route("/language.js", file!("text/javascript; charset=utf-8", "language.js"))
        .route("/de.js", file!("text/javascript; charset=utf-8", "de.js"))
        .route("/es.js", file!("text/javascript; charset=utf-8", "es.js"))
        .route("/fr.js", file!("text/javascript; charset=utf-8", "fr.js"))
        .route("/pt.js", file!("text/javascript; charset=utf-8", "pt.js"))
        .route("/zh.js", file!("text/javascript; charset=utf-8", "zh.js"))
        .route("/meeting.css", file!("text/css; charset=utf-8", "meeting.css"))
        .route("/me", file!("text/html; charset=utf-8", "me.html"))
        .route("/me.js", file!("text/javascript; charset=utf-8", "me.js"))
        .route("/me.css", file!("text/css; charset=utf-8", "me.css"))
        .route("/push.js", file!("text/javascript; charset=utf-8", "push.js"))
        .route("/console", file!("text/html; charset=utf-8", "console.html"))
        .route("/console.js", file!("text/javascript; charset=utf-8", "console.js"))
        .route("/console.css", file!("text/css; charset=utf-8", "console.css"))
        .route("/icon.svg", file!("image/svg+xml", "icon.svg"))
}

/// A file as it is sent.
struct File {
    kind: &'static str,
    plain: &'static [u8],
    /// Compressed; empty where that failed.
    packed: Vec<u8>,
    /// Names its contents (RFC 9110 §8.8.3).
    tag: String,
}

impl File {
    fn new(kind: &'static str, plain: &'static [u8]) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let packed = encoder.write_all(plain).and_then(|()| encoder.finish()).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        plain.hash(&mut hasher);
        Self { kind, plain, packed, tag: format!("W/\"{:016x}\"", hasher.finish()) }
    }

    /// Asked for anew each time, so that after an update nobody sees an old page with a new API; sent only where it changed.
    fn answer(&'static self, asked: &HeaderMap) -> Response {
        let known = HeaderValue::from_str(&self.tag).unwrap_or(HeaderValue::from_static("*"));
        let headers = [
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
            (header::ETAG, known),
            (DEVICES_HEADER, DEVICES),
        ];
        let same = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        if same.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == self.tag)) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(self.kind))];
        if !self.packed.is_empty() && reads_gzip(asked) {
            let packed = [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
            return (headers, kind, packed, self.packed.as_slice()).into_response();
        }
        (headers, kind, self.plain).into_response()
    }
}

/// Whether a browser takes gzip (RFC 9110 §12.5.3).
fn reads_gzip(asked: &HeaderMap) -> bool {
    let codings = asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
    })
}
