//! A routing webhook over real sockets: an INVITE goes into the gateway, its question to a web server, and the answer back.
#![cfg(feature = "node")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where it cannot go on, and reads clocks"
)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use ringlift::base::id::TrunkId;
use ringlift::base::{Instant, Now, Rng, Utc};
use ringlift::engine::fetch::Fetcher;
use ringlift::gateway::fetch::{FetchError, FetchId, FetchRequest};
use ringlift::gateway::settings::Settings;
use ringlift::gateway::{Directory, Gateway, Input, Output};
use ringlift::route::{Network, Rule, Trunk};
use ringlift::sip::endpoint;
use ringlift::sip::transport::{Source, Transport};
use ringlift::wire::sip::Message;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What the web server does with whoever comes.
#[derive(Debug, Clone)]
enum Manner {
    /// Answers this.
    Answers(&'static str, String),
    /// Takes what comes and says nothing.
    Silent,
    /// Sends its answer byte by byte.
    Drips,
    /// Answers more than anybody wants to read.
    Floods,
    /// Hangs up at once.
    HangsUp,
}

/// A web server of the test's own; what it was asked comes by the channel.
async fn server(manner: Manner) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (manner, sender) = (manner.clone(), sender.clone());
            tokio::spawn(async move {
                let mut request = Vec::new();
                if matches!(manner, Manner::HangsUp) {
                    return;
                }
                loop {
                    let mut part = [0; 4096];
                    let length = stream.read(&mut part).await.unwrap_or(0);
                    if length == 0 {
                        return;
                    }
                    request.extend_from_slice(&part[..length]);
                    let text = String::from_utf8_lossy(&request).to_string();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head
                        .lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                    let length: usize = length.map_or(0, |length| length.parse().unwrap());
                    if body.len() < length {
                        continue;
                    }
                    let _ = sender.send(text.clone());
                    request.clear();
                    match &manner {
                        Manner::Answers(head, body) => {
                            let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                            stream.write_all(text.as_bytes()).await.unwrap();
                        }
                        Manner::Silent => std::future::pending().await,
                        Manner::Drips => {
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n").await;
                            while stream.write_all(b" ").await.is_ok() {
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                        }
                        Manner::Floods => {
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                            while stream.write_all(&[b' '; 16_384]).await.is_ok() {}
                        }
                        Manner::HangsUp => return,
                    }
                }
            });
        }
    });
    (address, asked)
}

fn loopback() -> Vec<Network> {
    vec!["127.0.0.0/8".parse().unwrap()]
}

fn question(url: String) -> FetchRequest {
    FetchRequest { url, post: None, deadline: Duration::from_millis(300), most: 16 * 1024 }
}

async fn fetched(fetcher: &mut Fetcher, url: String) -> Result<Bytes, FetchError> {
    fetcher.ask(FetchId(1), question(url));
    let (id, result) = tokio::time::timeout(Duration::from_secs(10), fetcher.next()).await.expect("an answer");
    assert_eq!(id, FetchId(1));
    result
}

const INVITE: &str = "INVITE sip:+4930901820@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1\r\n\
    Max-Forwards: 70\r\nFrom: <sip:+491701234567@192.0.2.9>;tag=a\r\nTo: <sip:+4930901820@198.51.100.1>\r\nCall-ID: c1\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:x@192.0.2.9>\r\nContent-Length: 0\r\n\r\n";

/// The status with which a call is refused whose webhook is at this address; its fallback is 486 Busy.
async fn call(fetcher: &mut Fetcher, url: &str) -> u16 {
    let text = format!(
        r#"{{"id":"rule_0000000000001","position":1,"name":"r","then":{{"to":"webhook","url":"{url}","secret":"s3cret","fallback":{{"to":"refuse","cause":"busy"}}}}}}"#
    );
    let rule: Rule = serde_json::from_str(&text).unwrap();
    let trunk =
        Trunk { networks: vec!["192.0.2.0/24".parse().unwrap()], ..Trunk::new(TrunkId::from_bits(1), "carrier") };
    let directory = Directory { trunks: vec![trunk], rules: vec![rule], ..Directory::default() };
    let now = Now { mono: Instant::START, utc: Utc(1_800_000_000_000) };
    let sip = endpoint::Settings::default();
    let mut gateway = Gateway::new(Settings::default(), sip, Default::default(), directory, Rng::from_number(1), now);
    let source = Source {
        transport: Transport::Udp,
        local: "198.51.100.1:5060".parse().unwrap(),
        remote: "192.0.2.9:5060".parse().unwrap(),
        flow: None,
    };
    let message = Message::parse(&Bytes::from_static(INVITE.as_bytes()));
    gateway.handle(Input::Signalling(endpoint::Input::Received { message, source }), now);
    loop {
        let mut waits = false;
        while let Some(output) = gateway.poll_output() {
            match output {
                Output::Fetch { id, request } => {
                    waits = true;
                    fetcher.ask(id, request);
                }
                Output::Send { bytes, .. } => match Message::parse(&bytes) {
                    Ok(Message::Response(response)) if response.status.is_final() => return response.status.code(),
                    _ => {}
                },
                _ => {}
            }
        }
        assert!(waits, "the call waits for nothing and is not answered");
        let (id, result) = tokio::time::timeout(Duration::from_secs(10), fetcher.next()).await.expect("an answer");
        gateway.handle(Input::Fetched { id, result }, now);
    }
}

#[tokio::test]
async fn the_program_is_asked_with_a_signature_it_can_check_and_is_obeyed() {
    let (address, mut asked) = server(Manner::Answers("200 OK", r#"{"to":"refuse","cause":"declined"}"#.into())).await;
    let mut fetcher = Fetcher::new(loopback());
    assert_eq!(call(&mut fetcher, &format!("http://{address}/route")).await, 603);
    let request = asked.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /route HTTP/1.1"), "{head}");
    let signature = head.lines().find_map(|line| line.strip_prefix("ringlift-signature: ")).expect("a signature");
    let (time, signed) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signed, expected);
    let question: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(question["called"]["user"], "+4930901820");
}

#[tokio::test]
async fn a_server_that_is_slow_dead_or_talks_nonsense_costs_the_caller_a_third_of_a_second_at_most() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (goal, mut goal_asked) =
        server(Manner::Answers("200 OK", r#"{"to":"refuse","cause":"declined"}"#.into())).await;
    let redirect = format!("302 Found\r\nLocation: http://{goal}/");
    let redirect: &'static str = Box::leak(redirect.into_boxed_str());
    for manner in [
        Some(Manner::Silent),
        Some(Manner::Drips),
        Some(Manner::Floods),
        Some(Manner::HangsUp),
        Some(Manner::Answers("200 OK", "<html>".into())),
        Some(Manner::Answers("500 Oh", r#"{"to":"refuse","cause":"declined"}"#.into())),
        Some(Manner::Answers(redirect, String::new())),
        None,
    ] {
        let mut fetcher = Fetcher::new(loopback());
        let address = match &manner {
            Some(manner) => server(manner.clone()).await.0,
            None => refused,
        };
        let began = std::time::Instant::now();
        assert_eq!(call(&mut fetcher, &format!("http://{address}/")).await, 486, "{manner:?}");
        let took = began.elapsed();
        assert!(took < Duration::from_millis(900), "{manner:?} took {took:?}");
    }
    assert!(goal_asked.try_recv().is_err(), "no redirection is followed");
}

#[tokio::test]
async fn nobody_reaches_the_house_through_us() {
    let (address, mut asked) = server(Manner::Answers("200 OK", String::new())).await;
    let mut fetcher = Fetcher::new(Vec::new());
    let port = address.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("http://localhost:{port}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        assert_eq!(fetched(&mut fetcher, url.clone()).await, Err(FetchError::Forbidden), "{url}");
    }
    for url in ["ftp://example.com/", "file:///etc/passwd", "nonsense", "http://"] {
        assert_eq!(fetched(&mut fetcher, url.to_owned()).await, Err(FetchError::BadAddress), "{url}");
    }
    assert!(asked.try_recv().is_err());
    let mut opened = Fetcher::new(loopback());
    assert_eq!(fetched(&mut opened, format!("http://127.0.0.1:{port}/")).await, Ok(Bytes::new()), "where it is opened");
    assert_eq!(fetched(&mut opened, format!("http://[::1]:{port}/")).await, Err(FetchError::Forbidden), "that alone");
}

#[tokio::test]
async fn a_burst_of_questions_is_bounded() {
    let (address, _asked) = server(Manner::Silent).await;
    let mut fetcher = Fetcher::new(loopback());
    for n in 0..200 {
        fetcher.ask(FetchId(n), question(format!("http://{address}/")));
    }
    let mut busy = 0;
    for _ in 0..200 {
        let (_, result) = tokio::time::timeout(Duration::from_secs(10), fetcher.next()).await.expect("every one ends");
        busy += u32::from(result == Err(FetchError::Busy));
    }
    assert_eq!(busy, 72, "128 at once");
}
