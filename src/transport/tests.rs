//! Real sockets on loopback.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::sip::transport::Source;

const PATIENCE: Duration = Duration::from_secs(10);

fn options(mark: &str) -> String {
    format!(
        "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK{mark}\r\nMax-Forwards: 70\r\n\
         From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\nCall-ID: {mark}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 4\r\n\r\nbody"
    )
}

fn start(listen: &[(Transport, &str)], change: impl FnOnce(&mut Settings)) -> Transports {
    let listen = listen.iter().map(|(transport, address)| (*transport, address.parse().unwrap())).collect();
    let tls = tls::Settings { names: vec!["localhost".into()], unverified: true, ..tls::Settings::default() };
    let mut settings = Settings { listen, tls: Some(tls), limits: Limits::default() };
    change(&mut settings);
    Transports::start(settings).unwrap()
}

async fn next(transports: &mut Transports) -> Arrival {
    timeout(PATIENCE, transports.next()).await.expect("nothing came")
}

async fn message(transports: &mut Transports) -> (String, Source) {
    match next(transports).await {
        Arrival::Message { message, source } => {
            let message = message.expect("a good message");
            (message.headers().call_id().unwrap().to_owned(), source)
        }
        other => panic!("not a message: {other:?}"),
    }
}

async fn closed(transports: &mut Transports) -> CloseReason {
    match next(transports).await {
        Arrival::FlowClosed { reason, .. } => reason,
        other => panic!("not closed: {other:?}"),
    }
}

fn total(transports: &Transports, name: &str) -> u64 {
    transports.counts().read().into_iter().find(|(counter, _)| *counter == name).unwrap().1
}

#[tokio::test]
async fn a_datagram_arrives_and_its_answer_leaves_from_the_socket_it_came_to() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let mut transports = start(&[(Transport::Udp, address), (Transport::Udp, address)], |_| {});
        let here = transports.listening()[1].1;
        let phone = UdpSocket::bind(address).await.unwrap();
        phone.send_to(options("one").as_bytes(), here).await.unwrap();
        let (call_id, source) = message(&mut transports).await;
        assert_eq!(call_id, "one");
        assert_eq!((source.local, source.remote, source.flow), (here, phone.local_addr().unwrap(), None));
        transports.send(&Target::back_to(&source), Bytes::from_static(b"SIP/2.0 200 OK"), SendRef::Nothing).unwrap();
        let mut buffer = [0; 100];
        let (length, from) = timeout(PATIENCE, phone.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..length], from), (&b"SIP/2.0 200 OK"[..], here));
    }
}

#[tokio::test]
async fn keep_alives_cost_nothing_and_noise_is_reported_once_as_such() {
    let mut transports = start(&[(Transport::Udp, "127.0.0.1:0")], |_| {});
    let here = transports.listening()[0].1;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for keep_alive in [&b""[..], b"\r\n\r\n", b"\0\0\0\0"] {
        phone.send_to(keep_alive, here).await.unwrap();
    }
    let stun = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    phone.send_to(&stun, here).await.unwrap();
    phone.send_to(b"how are you", here).await.unwrap();
    phone.send_to(&vec![b'x'; 65_507], here).await.unwrap();
    phone.send_to(options("after").as_bytes(), here).await.unwrap();
    for _ in 0..2 {
        match next(&mut transports).await {
            Arrival::Message { message, .. } => assert!(message.is_err()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(message(&mut transports).await.0, "after");
    assert_eq!(
        (total(&transports, "keep_alives"), total(&transports, "stun_requests"), total(&transports, "malformed")),
        (3, 1, 2)
    );
    let mut buffer = [0; 100];
    let (length, _) = timeout(PATIENCE, phone.recv_from(&mut buffer)).await.unwrap().unwrap();
    assert_eq!((length, &buffer[..2]), (32, &[1, 1][..]), "the binding request is answered");
}

#[tokio::test]
async fn when_the_gateway_falls_behind_new_requests_are_dropped_before_answers() {
    let mut transports = start(&[(Transport::Udp, "127.0.0.1:0")], |settings| settings.limits.gateway_queue = 16);
    let here = transports.listening()[0].1;
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..20 {
        phone.send_to(options(&format!("n{number}")).as_bytes(), here).await.unwrap();
    }
    let bye = options("bye").replace("OPTIONS", "BYE");
    phone.send_to(bye.as_bytes(), here).await.unwrap();
    // Everything was received once all are counted; only then is anything taken.
    timeout(PATIENCE, async {
        while total(&transports, "datagrams_received") < 21 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let waiting = transports.waiting();
    let mut last = String::new();
    for _ in 0..waiting {
        last = message(&mut transports).await.0;
    }
    assert_eq!(last, "bye");
    assert_eq!(total(&transports, "dropped_requests"), 21 - waiting as u64);
    assert!(waiting < 17);
}

#[tokio::test]
async fn a_stream_split_at_every_byte_gives_the_same_messages() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut transports = start(&[(transport, "127.0.0.1:0")], |_| {});
        let here = transports.listening()[0].1;
        let text = format!("\r\n\r\n{}{}", options("one"), options("two"));
        let cuts: Vec<usize> =
            if transport == Transport::Tcp { (1..text.len()).collect() } else { vec![1, 5, 200, 330, text.len() - 1] };
        for cut in cuts {
            let mut phone = dial(transport, here).await;
            phone.write_all(&text.as_bytes()[..cut]).await.unwrap();
            phone.flush().await.unwrap();
            phone.write_all(&text.as_bytes()[cut..]).await.unwrap();
            phone.flush().await.unwrap();
            let (first, source) = message(&mut transports).await;
            let (second, _) = message(&mut transports).await;
            assert_eq!((first.as_str(), second.as_str()), ("one", "two"), "{transport} cut at {cut}");
            let mut pong = [0; 2];
            timeout(PATIENCE, phone.read_exact(&mut pong)).await.unwrap().unwrap();
            assert_eq!(&pong, b"\r\n");
            transports.send(&Target::back_to(&source), Bytes::from_static(b"answer"), SendRef::Nothing).unwrap();
            let mut answer = [0; 6];
            timeout(PATIENCE, phone.read_exact(&mut answer)).await.unwrap().unwrap();
            assert_eq!(&answer, b"answer");
            drop(phone);
            closed(&mut transports).await;
        }
        assert_eq!(transports.open_flows(), 0);
    }
}

#[tokio::test]
async fn one_who_sends_a_message_byte_by_byte_is_cut_off() {
    let mut transports =
        start(&[(Transport::Tcp, "127.0.0.1:0")], |s| s.limits.message_deadline = Duration::from_millis(200));
    let here = transports.listening()[0].1;
    let mut phone = TcpStream::connect(here).await.unwrap();
    phone.write_all(options("whole").as_bytes()).await.unwrap();
    let (_, source) = message(&mut transports).await;
    assert!(source.flow.is_some());
    let dripping = async {
        for byte in options("slow").bytes().cycle() {
            if phone.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = dripping => panic!("the far end noticed first"),
        reason = closed(&mut transports) => assert_eq!(reason, CloseReason::TooSlow),
    }
    let _silent = TcpStream::connect(here).await.unwrap();
    assert_eq!(closed(&mut transports).await, CloseReason::TooSlow, "nor may one say nothing");
    assert_eq!(total(&transports, "too_slow"), 2);
}

#[tokio::test]
async fn one_who_speaks_http_is_cut_off() {
    let mut transports = start(&[(Transport::Tcp, "127.0.0.1:0")], |_| {});
    for hello in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET / HTTP/1.1\r\nHost: gw.example\r\n\r\n"] {
        let mut browser = TcpStream::connect(transports.listening()[0].1).await.unwrap();
        browser.write_all(hello).await.unwrap();
        assert_eq!(closed(&mut transports).await, CloseReason::Unframed);
    }
}

#[tokio::test]
async fn one_source_cannot_take_every_connection() {
    let mut transports = start(&[(Transport::Tcp, "127.0.0.1:0")], |s| s.limits.connections_per_source = 2);
    let here = transports.listening()[0].1;
    let mut phones = Vec::new();
    for mark in ["one", "two"] {
        let mut phone = TcpStream::connect(here).await.unwrap();
        phone.write_all(options(mark).as_bytes()).await.unwrap();
        message(&mut transports).await;
        phones.push(phone);
    }
    let mut third = TcpStream::connect(here).await.unwrap();
    let read = timeout(PATIENCE, third.read(&mut [0; 1])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "closed at once");
    assert_eq!(total(&transports, "refused_source"), 1);
    phones.pop();
    assert_eq!(closed(&mut transports).await, CloseReason::ByPeer);
    // Its place is free as soon as its task has been reaped; until then a newcomer may be refused.
    timeout(PATIENCE, async {
        loop {
            let mut fourth = TcpStream::connect(here).await.unwrap();
            if fourth.write_all(options("four").as_bytes()).await.is_err() {
                continue;
            }
            if let Ok((call_id, _)) = timeout(Duration::from_millis(300), message(&mut transports)).await {
                assert_eq!(call_id, "four");
                break;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_message_without_a_connection_opens_one_and_the_next_uses_it() {
    let mut transports = start(&[], |_| {});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(Transport::Tcp, listener.local_addr().unwrap());
    transports.send(&target, Bytes::from(options("one")), SendRef::Nothing).unwrap();
    transports.send(&target, Bytes::from(options("two")), SendRef::Nothing).unwrap();
    let (mut phone, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut buffer = vec![0; options("one").len() * 2];
    timeout(PATIENCE, phone.read_exact(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(buffer).unwrap(), options("one") + &options("two"));
    phone.write_all(options("back").as_bytes()).await.unwrap();
    assert_eq!(message(&mut transports).await.0, "back");
}

#[tokio::test]
async fn what_cannot_be_reached_is_reported_with_what_was_to_go_there() {
    let mut transports = start(&[], |_| {});
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    transports.send(&Target::new(Transport::Tcp, nobody), Bytes::from_static(b"x"), SendRef::Nothing).unwrap();
    match next(&mut transports).await {
        Arrival::FlowClosed { reason, unsent, .. } => {
            assert_eq!((reason, unsent), (CloseReason::Unreachable, vec![SendRef::Nothing]));
        }
        other => panic!("{other:?}"),
    }
    let udp = Target::new(Transport::Udp, nobody);
    assert_eq!(transports.send(&udp, Bytes::new(), SendRef::Nothing), Err(SendError::NoSocket));
}

#[tokio::test]
async fn one_who_does_not_read_is_cut_off() {
    let mut transports = start(&[(Transport::Tcp, "127.0.0.1:0")], |s| s.limits.flow_queue = 4);
    let mut phone = TcpStream::connect(transports.listening()[0].1).await.unwrap();
    phone.write_all(options("one").as_bytes()).await.unwrap();
    let (_, source) = message(&mut transports).await;
    let target = Target::back_to(&source);
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let refused = timeout(PATIENCE, async {
        loop {
            match transports.send(&target, large.clone(), SendRef::Nothing) {
                Ok(()) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        }
    });
    assert_eq!(refused.await.unwrap(), SendError::NotReading);
    match next(&mut transports).await {
        Arrival::FlowClosed { reason, unsent, .. } => {
            assert_eq!(reason, CloseReason::NotReading);
            assert!(!unsent.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tls_goes_both_ways_and_a_stranger_to_tls_is_counted() {
    let mut server = start(&[(Transport::Tls, "127.0.0.1:0")], |_| {});
    let mut client = start(&[], |_| {});
    let here = server.listening()[0].1;
    client.send(&Target::new(Transport::Tls, here), Bytes::from(options("hello")), SendRef::Nothing).unwrap();
    let (call_id, source) = message(&mut server).await;
    assert_eq!((call_id.as_str(), source.transport), ("hello", Transport::Tls));
    server.send(&Target::back_to(&source), Bytes::from(options("answer")), SendRef::Nothing).unwrap();
    assert_eq!(message(&mut client).await.0, "answer");
    server.reload_certificates(crate::base::Utc(0)).unwrap();

    let mut strict = start(&[], |s| s.tls = Some(tls::Settings::default()));
    strict.send(&Target::new(Transport::Tls, here), Bytes::from(options("x")), SendRef::Nothing).unwrap();
    assert_eq!(
        closed(&mut strict).await,
        CloseReason::Unreachable,
        "a certificate of its own making is not trusted unasked"
    );
    let mut plain = TcpStream::connect(here).await.unwrap();
    plain.write_all(options("plain").as_bytes()).await.unwrap();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.starts_with(b"SIP"));
    assert_eq!(total(&server, "handshakes_failed"), 2);
}

trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Stream for S {}

async fn dial(transport: Transport, to: SocketAddr) -> Box<dyn Stream> {
    let stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    match transport {
        Transport::Tls => {
            let trusting = tls::Settings { unverified: true, ..tls::Settings::default() };
            let connector = TlsConnector::from(Certificates::load(trusting).unwrap().client().clone());
            Box::new(connector.connect(tls::server_name(to.ip()), stream).await.unwrap())
        }
        Transport::Tcp | Transport::Udp => Box::new(stream),
    }
}
