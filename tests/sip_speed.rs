//! What one inbound call costs the processor, from bytes to bytes. Run by hand:
//! `cargo test --release --no-default-features --test sip_speed -- --ignored --nocapture`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement reads the clock and says where it cannot go on"
)]

mod sip_world;

use std::time::Duration;

use bytes::Bytes;
use ringlift::base::{Now, Rng};
use ringlift::sip::endpoint::{Event, Input, Output};
use ringlift::sip::{Endpoint, Source, Transport};
use ringlift::wire::sip::Message;
use sip_world::{OFFER, address, request, settings, tag_of, willing};

#[test]
#[ignore = "a measurement"]
fn an_inbound_call_costs_little() {
    let mut endpoint = Endpoint::new(settings(address(1)), Rng::from_number(1));
    let carol = address(77);
    let source = Source { transport: Transport::Udp, local: address(1), remote: carol, flow: None };
    let mut now = Now::default();
    let calls = 20_000u32;
    let (mut spent, mut ended) = (Duration::ZERO, 0);
    for number in 0..calls {
        let call_id = format!("call-{number}");
        let invite = request("INVITE", carol, &format!("z9hG4bKi{number}"), "", &call_id, 1, "", OFFER);
        let mut tag = String::new();
        let mut deliver = |endpoint: &mut Endpoint, text: String, now: Now, tag: &mut String| {
            let bytes = Bytes::from(text);
            let began = std::time::Instant::now();
            endpoint.handle(Input::Received { message: Message::parse(&bytes), source }, now);
            let mut last = Bytes::new();
            while let Some(output) = endpoint.poll_output() {
                match output {
                    Output::Event(event) => {
                        willing(endpoint, &event, now);
                        ended += usize::from(matches!(event, Event::Ended { .. }));
                    }
                    Output::Send { bytes, .. } => last = bytes,
                }
            }
            let _ = endpoint.poll_timeout();
            spent += began.elapsed();
            if tag.is_empty() {
                let text = String::from_utf8_lossy(&last);
                *tag = tag_of(text.lines().find(|line| line.starts_with("To:")).unwrap_or_default());
            }
        };
        deliver(&mut endpoint, invite, now, &mut tag);
        deliver(
            &mut endpoint,
            request("ACK", carol, &format!("z9hG4bKa{number}"), &tag, &call_id, 1, "", ""),
            now,
            &mut tag,
        );
        deliver(
            &mut endpoint,
            request("BYE", carol, &format!("z9hG4bKb{number}"), &tag, &call_id, 2, "", ""),
            now,
            &mut tag,
        );
        now = now.plus(Duration::from_millis(5));
        let began = std::time::Instant::now();
        endpoint.handle(Input::Timeout, now);
        spent += began.elapsed();
    }
    println!("{:?} a call, {} calls, {:?} held at the end", spent / calls, calls, endpoint.counts());
    assert_eq!(ended, calls as usize);
}
