//! What the answer tells a browser beyond what str0m writes: how its voice is to be encoded.
//!
//! Which video it sends is decided by order: the first codec of the answer is the one a browser encodes. We answer VP8, H.264,
//! VP9, AV1 (see [`super::peer`]): VP8 and H.264 are what every browser must be able to decode (RFC 7742 §5), and VP8 is the
//! one whose simulcast works everywhere, so that what one sends, all can see. A page may choose another for its own sender;
//! then those who did not negotiate it are not shown its picture.

use crate::webrtc::offer::{Line, Role};

/// What a browser's voice is to be: mono, with what mends single losses, silent when nobody speaks, and at most 32 kbit/s,
/// beyond which speech gains nothing (RFC 7587 §3.1.1, §6.1).
const VOICE: &str = "minptime=10;useinbandfec=1;usedtx=1;stereo=0;sprop-stereo=0;maxaveragebitrate=32000";

/// Dresses an answer.
pub fn dress(answer: &str, lines: &[Line]) -> String {
    let microphone = lines.iter().position(|line| line.role == Role::Microphone);
    let mut dressed = String::with_capacity(answer.len() + 128);
    let (mut index, mut opus) = (None::<usize>, None::<String>);
    for line in answer.lines() {
        if line.starts_with("m=") {
            index = Some(index.map_or(0, |index| index + 1));
        }
        let here = index.is_some() && index == microphone;
        if here && let Some(pt) = line.strip_prefix("a=rtpmap:").and_then(|map| map.strip_suffix(" opus/48000/2")) {
            opus = Some(format!("a=fmtp:{pt} "));
            push(&mut dressed, line);
            push(&mut dressed, &format!("a=fmtp:{pt} {VOICE}"));
            continue;
        }
        if here && opus.as_ref().is_some_and(|fmtp| line.starts_with(fmtp)) {
            continue;
        }
        push(&mut dressed, line);
    }
    dressed
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_asked_for_in_mono_with_fec_and_silence() {
        let line = |mid: &str, role| Line { mid: mid.into(), role, rids: Vec::new() };
        let lines = [line("0", Role::Voice(0)), line("1", Role::Microphone)];
        let media = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n";
        let answer = format!("v=0\r\n{media}a=sendonly\r\n{media}a=recvonly\r\n");
        let dressed = dress(&answer, &lines);
        let expected = format!(
            "v=0\r\n{media}a=sendonly\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 {VOICE}\r\na=recvonly\r\n"
        );
        assert_eq!(dressed, expected);
    }
}
