//! What of a message goes into a report: enough to find it in somebody else's log. No credential, no key, no body.

use std::net::SocketAddr;

use super::report::TrialMessage;
use crate::base::Utc;
use crate::sip::transport::Transport;
use crate::wire::sip::{Headers, Message, Method, Name};

/// Header fields that say why, or under which terms, and of what make the far end is.
const TELLING: [Name; 10] = [
    Name::Reason,
    Name::Warning,
    Name::RetryAfter,
    Name::MinExpires,
    Name::SessionExpires,
    Name::MinSe,
    Name::Require,
    Name::Unsupported,
    Name::ReferTo,
    Name::SubscriptionState,
];

/// A message as a report has it.
pub(super) fn told(message: &Message, sent: bool, peer: (Transport, SocketAddr), at: Utc) -> TrialMessage {
    let headers = message.headers();
    let (line, invite) = match message {
        Message::Request(request) => {
            (format!("{} {} SIP/2.0", request.method, request.uri), request.method == Method::Invite)
        }
        Message::Response(response) => (format!("SIP/2.0 {} {}", response.status.code(), response.reason), false),
    };
    let mut notes: Vec<String> = TELLING.into_iter().flat_map(|name| noted(headers, name)).collect();
    if invite && sent {
        // Whom we say the call is from: what carriers refuse most.
        notes.extend([Name::From, Name::PAssertedIdentity].into_iter().flat_map(|name| noted(headers, name)));
    }
    let body = body_of(message);
    if headers.content_type_is("message/sipfrag")
        && let Some(first) = body.lines().next()
    {
        notes.push(format!("says {first}"));
    }
    TrialMessage {
        at: at.to_string(),
        sent,
        peer: format!("{} {}", peer.0, peer.1),
        line,
        call_id: headers.call_id().unwrap_or_default().to_owned(),
        cseq: headers.cseq().map(|cseq| format!("{} {}", cseq.seq, cseq.method)).unwrap_or_default(),
        sdp: headers.content_type_is("application/sdp").then(|| summary(&body)),
        notes,
    }
}

fn noted(headers: &Headers, name: Name) -> Vec<String> {
    headers.fields_of(&name).map(|value| format!("{}: {value}", name.as_str())).collect()
}

fn body_of(message: &Message) -> String {
    let body = match message {
        Message::Request(request) => &request.body,
        Message::Response(response) => &response.body,
    };
    String::from_utf8_lossy(body).into_owned()
}

/// Codecs in their order, direction, address and protection of the audio; never a key.
fn summary(sdp: &str) -> String {
    let mut address = String::new();
    let mut audio: Option<(String, String, Vec<String>)> = None;
    let mut direction = "sendrecv";
    let (mut maps, mut ptime, mut protection): (Vec<(String, String)>, String, Option<&str>) = Default::default();
    for line in sdp.lines().map(str::trim_end) {
        let in_other = audio.as_ref().is_some_and(|(media, ..)| media != "audio");
        if let Some(rest) = line.strip_prefix("c=") {
            if !in_other {
                address = rest.rsplit(' ').next().unwrap_or_default().to_owned();
            }
        } else if let Some(rest) = line.strip_prefix("m=") {
            if audio.as_ref().is_some_and(|(media, ..)| media == "audio") {
                break;
            }
            let mut words = rest.split(' ').map(str::to_owned);
            let (media, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            words.next();
            audio = Some((media, port, words.collect()));
        } else if let Some(attribute) = line.strip_prefix("a=").filter(|_| !in_other) {
            match attribute.split_once(':').unwrap_or((attribute, "")) {
                ("sendrecv" | "sendonly" | "recvonly" | "inactive", _) => direction = attribute,
                ("rtpmap", map) => {
                    if let Some((number, name)) = map.split_once(' ') {
                        maps.push((number.to_owned(), name.to_owned()));
                    }
                }
                ("ptime", length) => ptime = format!(", {length} ms"),
                ("crypto", _) => protection = protection.or(Some(", encrypted (SDES)")),
                ("fingerprint", _) => protection = Some(", encrypted (DTLS)"),
                _ => {}
            }
        }
    }
    let Some((_, port, types)) = audio else { return "without audio".to_owned() };
    let named = |number: &String| {
        let mapped = maps.iter().find(|(of, _)| of == number).map(|(_, name)| name.clone());
        let name = mapped.unwrap_or_else(|| {
            match number.as_str() {
                "0" => "PCMU/8000",
                "8" => "PCMA/8000",
                "9" => "G722/8000",
                "13" => "CN/8000",
                "18" => "G729/8000",
                _ => "?",
            }
            .to_owned()
        });
        format!("{name} ({number})")
    };
    let codecs: Vec<String> = types.iter().map(named).collect();
    format!("{}{ptime}, {direction}, {address} port {port}{}", codecs.join(", "), protection.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_told_without_its_keys() {
        let sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                   m=audio 4000 RTP/SAVP 8 101 18\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendonly\r\n\
                   a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\r\n\
                   m=video 0 RTP/AVP 34\r\na=recvonly\r\n";
        assert_eq!(
            summary(sdp),
            "PCMA/8000 (8), telephone-event/8000 (101), G729/8000 (18), 20 ms, sendonly, 192.0.2.1 port 4000, encrypted (SDES)"
        );
    }
}
