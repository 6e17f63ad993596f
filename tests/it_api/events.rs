//! The event log as readers follow it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Response;
use ringlift::base::{ParticipantId, RoomId};
use ringlift::gateway::event::Happening;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

use crate::node::{Node, problem};

fn speaking(room: RoomId) -> Happening {
    Happening::Speaking { room, participant: ParticipantId::from_bits(1), speaking: true }
}

/// A reader of server-sent events.
struct Sse {
    response: Response,
    bytes: Vec<u8>,
}

/// One message: event name, id, data.
type Got = (String, String, Value);

impl Sse {
    async fn open(node: &Node, query: &str, last: Option<u64>) -> Self {
        let mut request = node.get(&format!("/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, bytes: Vec::new() }
    }

    /// The next message; none when the stream has ended.
    async fn next(&mut self) -> Option<Got> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
                let message: Vec<u8> = self.bytes.drain(..end + 2).collect();
                let message = std::str::from_utf8(&message).unwrap();
                let mut got = ("message".to_owned(), String::new(), Value::Null);
                for line in message.lines() {
                    match line.split_once(": ") {
                        Some(("event", name)) => got.0 = name.to_owned(),
                        Some(("id", id)) => got.1 = id.to_owned(),
                        Some(("data", data)) => got.2 = serde_json::from_str(data).unwrap(),
                        _ => {}
                    }
                }
                if got.2.is_null() {
                    continue;
                }
                return Some(got);
            }
            let chunk = timeout(Duration::from_secs(10), self.response.chunk()).await.expect("nothing came").ok()??;
            self.bytes.extend_from_slice(&chunk);
        }
    }

    async fn seqs(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            let (_, id, data) = self.next().await.expect("the stream ended");
            assert_eq!(data["seq"].to_string(), id);
            seqs.push(id.parse().unwrap());
        }
        seqs
    }
}

#[tokio::test]
async fn a_reader_sees_what_happens_as_it_happens() {
    let node = Node::start().await;
    let room = node.room("R", "1").await;
    let mut reader = Sse::open(&node, "", None).await;
    let (_, anna) = node.join(room, "+15551234567").await;
    let (_, _, joined) = reader.next().await.unwrap();
    assert_eq!(
        (&joined["type"], &joined["room"]),
        (&Value::from("participant.joined"), &Value::from(room.to_string()))
    );
    assert_eq!(joined["participant"]["id"], anna.to_string());
    assert!(joined["at"].is_i64() && !joined.to_string().contains("5551234567"));
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let node = Node::start().await;
    let room = node.room("R", "1").await;
    let first = node.happens(speaking(room)).await;
    // Events keep coming while readers come and go.
    let mut seen = vec![first];
    let total = 600;
    let publish = async {
        for _ in 0..total {
            node.happens(speaking(room)).await;
            tokio::task::yield_now().await;
        }
    };
    let read = async {
        while seen.len() <= total {
            let mut reader = Sse::open(&node, "", seen.last().copied()).await;
            let rest = (total + 1 - seen.len()).min(37);
            seen.extend(reader.seqs(rest).await);
        }
    };
    tokio::join!(publish, read);
    let expected: Vec<u64> = (first..=first + total as u64).collect();
    assert_eq!(seen, expected);
    // Everything that is kept, from the beginning, in pages.
    let mut reader = Sse::open(&node, "?after=0", None).await;
    assert_eq!(reader.seqs(total + 2).await, (1..=first + total as u64).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_reader_comes_back_after_a_restart() {
    let node = Node::start().await;
    let room = node.room("R", "1").await;
    let before = node.happens(speaking(room)).await;
    let missed = node.happens(speaking(room)).await;
    let node = Node::start_at(node.stop().await).await;
    let mut reader = Sse::open(&node, "", Some(before)).await;
    assert_eq!(reader.seqs(1).await, [missed]);
    let after = node.happens(speaking(room)).await;
    assert!(after >= missed + 10_000, "a gap, never a repetition");
    assert_eq!(reader.seqs(1).await, [after]);
}

#[tokio::test]
async fn a_reader_of_one_room_hears_of_no_other() {
    let node = Node::start().await;
    let (one, other) = (node.room("One", "1").await, node.room("Other", "2").await);
    let start = node.happens(speaking(other)).await;
    let mine = node.happens(speaking(one)).await;
    let mut reader = Sse::open(&node, &format!("?after={start}&room={one}"), None).await;
    node.happens(speaking(other)).await;
    let live = node.happens(speaking(one)).await;
    assert_eq!(reader.seqs(2).await, [mine, live]);
}

#[tokio::test]
async fn a_reader_is_told_of_what_is_not_kept_any_more() {
    let node = Node::start().await;
    let room = node.room("R", "1").await;
    for _ in 0..10 {
        node.happens(speaking(room)).await;
    }
    node.handle.writer().settle().await.unwrap();
    let kept = node.happens(speaking(room)).await;
    node.handle.writer().settle().await.unwrap();
    node.handle.store().prune_events(ringlift::base::Utc(i64::MAX)).await.unwrap();
    let mut reader = Sse::open(&node, "", Some(3)).await;
    let (name, _, data) = reader.next().await.unwrap();
    assert_eq!((name.as_str(), data["seq"].as_u64()), ("gap", Some(kept)));
    assert_eq!(reader.seqs(1).await, [kept]);
    // A number from another node's log.
    let mut reader = Sse::open(&node, "", Some(kept + 5_000_000)).await;
    assert_eq!(reader.next().await.unwrap().0, "gap");
    let live = node.happens(speaking(room)).await;
    assert_eq!(reader.seqs(1).await, [live]);
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_dropped_with_a_reason_and_can_come_back() {
    let node = Node::start().await;
    let room = node.room("R", "1").await;
    let mut reader = Sse::open(&node, "", None).await;
    let mut last = 0;
    let (_, anna) = node.join(room, "+15551234567").await;
    let view = ringlift::gateway::command::Command::Room { room, numbers: false };
    let Ok(Ok(ringlift::gateway::command::Reply::Room(view))) = node.handle.ask(view).await else { panic!("no room") };
    let mut participant = Box::new(view.participants.into_iter().find(|participant| participant.id == anna).unwrap());
    participant.name = Some("x".repeat(4000));
    // More than the bound, and more than the sockets' buffers hold.
    for _ in 0..10_000 {
        last = node.happens(Happening::Changed { room, participant: participant.clone() }).await;
    }
    let mut seen = 0;
    let reason = loop {
        match reader.next().await {
            Some((name, id, _)) if name == "message" => seen = id.parse().unwrap(),
            Some((name, _, data)) => break (name, data["reason"].as_str().unwrap().to_owned()),
            None => panic!("ended without a reason"),
        }
    };
    assert_eq!(reason.0, "end");
    assert!(reason.1.starts_with("too slow"), "{reason:?}");
    assert!(seen < last);
    let mut reader = Sse::open(&node, "", Some(seen)).await;
    assert_eq!(reader.seqs((last - seen) as usize).await, (seen + 1..=last).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_websocket_tells_the_same_and_says_goodbye() {
    let node = Node::start().await;
    let room = node.room("R", "1").await;
    let first = node.happens(speaking(room)).await;
    let mut request = format!("ws://{}/v1/events/ws?after={}", node.address, first - 1).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", node.admin).parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(Message::text("ignored")).await.unwrap();
    let second = node.happens(speaking(room)).await;
    for expected in [first, second] {
        let message = socket.next().await.unwrap().unwrap();
        let event: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        assert_eq!(event["seq"], expected);
        assert_eq!(event["type"], "participant.speaking");
    }
    node.stop().await;
    let end: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!((&end["type"], &end["reason"]), (&"end".into(), &"the node stops".into()));
    match socket.next().await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(u16::from(frame.code), 1001),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn wrong_places_and_plain_requests_are_refused() {
    let node = Node::start().await;
    problem(node.get("/v1/events?after=x"), 400).await;
    problem(node.get("/v1/events?room=x"), 400).await;
    problem(node.get("/v1/events").header("Last-Event-ID", "x"), 400).await;
    problem(node.get("/v1/events/ws"), 400).await;
}

#[tokio::test]
async fn a_stopping_node_ends_its_streams() {
    let node = Node::start().await;
    let mut reader = Sse::open(&node, "", None).await;
    node.stop().await;
    let (name, _, data) = reader.next().await.unwrap();
    assert_eq!((name.as_str(), data["reason"].as_str()), ("end", Some("the node stops")));
    assert_eq!(reader.next().await, None);
}
