//! The plain door beside the encrypted one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use ringlift::api::secure::Secure;
use ringlift::api::{self, Settings, Shared};
use ringlift::engine::clock;
use ringlift::engine::handle::Handle;
use ringlift::store::{self, Store, Writer};
use tokio::sync::watch;

use crate::common::process::Folder;

/// Asks in plain HTTP from an address: the status, and where it leads or what it says.
async fn ask(
    router: &axum::Router,
    from: &str,
    method: &str,
    path: &str,
    header: (&'static str, &str),
) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path).header("host", "gw.example.org:8080");
    request = request.header("accept", "*/*");
    let mut request = request.body(Body::empty()).unwrap();
    request.headers_mut().insert(header.0, header.1.parse().unwrap());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(from.parse().unwrap(), 4000)));
    let answer = TowerToHyperService::new(router.clone()).call(request).await.unwrap();
    let status = answer.status().as_u16();
    if let Some(place) = answer.headers().get("location") {
        return (status, place.to_str().unwrap().to_owned());
    }
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn browsers_of_other_machines_are_led_to_https_and_keys_are_refused() {
    let folder = Folder::new("led");
    let path = folder.file("node.db");
    let store = Store::open(&path, clock::utc()).await.unwrap().store;
    let writer = Writer::start(store.clone(), store::Settings { path, event_days: 1, record_days: 1 });
    let (handle, _inbox) = Handle::new(store, writer);
    let proofs = BTreeMap::from([("token".to_owned(), "token.thumb".to_owned())]);
    let (_keep, challenges) = watch::channel(proofs);
    let settings = Settings {
        secure: Some(Secure { port: 8443, challenges }),
        trusted_proxies: vec!["10.0.0.9".parse().unwrap()],
        ..Settings::default()
    };
    let router = api::router(Shared::start(handle, settings));
    let none = ("accept", "*/*");
    let there = "https://gw.example.org:8443/j/abc?x=1".to_owned();
    assert_eq!(ask(&router, "192.0.2.7", "GET", "/j/abc?x=1", none).await, (308, there));
    for from in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.9"] {
        assert_eq!(ask(&router, from, "GET", "/", none).await.0, 200, "{from} stays");
    }
    assert_eq!(ask(&router, "192.0.2.7", "GET", "/healthz", none).await.0, 200, "whoever watches over it stays");
    let proof = ask(&router, "192.0.2.7", "GET", "/.well-known/acme-challenge/token", none).await;
    assert_eq!(proof, (200, "token.thumb".to_owned()));
    assert_eq!(ask(&router, "192.0.2.7", "GET", "/.well-known/acme-challenge/other", none).await.0, 404);
    for (method, header) in [("GET", ("authorization", "Bearer key")), ("POST", none)] {
        let (status, text) = ask(&router, "192.0.2.7", method, "/v1/rooms", header).await;
        assert!(
            status == 403 && text.contains("https-needed") && text.contains("https://gw.example.org:8443"),
            "{text}"
        );
    }
    assert_eq!(ask(&router, "192.0.2.7", "GET", "/", ("host", "evil/../")).await.0, 400, "nobody is led to nonsense");
}
