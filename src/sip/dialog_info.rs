//! `application/dialog-info+xml` (RFC 4235): what lamps beside names on telephones show. Always the full state: a lamp
//! that missed a part would burn for ever.

use std::fmt::Write as _;

/// The media type.
pub const MEDIA_TYPE: &str = "application/dialog-info+xml";

/// The calls of one whom others watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogInfo {
    /// Counts the documents of one subscription from 0 (§3.6).
    pub version: u32,
    /// Who: a SIP URI.
    pub entity: String,
    /// Calls; none: at rest.
    pub dialogs: Vec<Shown>,
}

/// One call of the watched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    /// Names it among the others of this document and the later ones.
    pub id: String,
    /// Its Call-ID and the tags of the watched and of the far end, as far as they are known: what a Replaces header needs
    /// to pick it up (RFC 3891).
    pub call: Option<(String, String, String)>,
    /// Whether the watched rang whom they talk to.
    pub initiator: bool,
    /// Where it stands.
    pub state: State,
}

/// Where a call stands (§3.7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// An INVITE went out.
    Trying,
    /// It rings.
    Early,
    /// They talk.
    Confirmed,
    /// It is over.
    Terminated,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::Trying => "trying",
            State::Early => "early",
            State::Confirmed => "confirmed",
            State::Terminated => "terminated",
        }
    }
}

impl DialogInfo {
    /// The document.
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(320 + self.dialogs.len() * 200);
        // Writing into a String cannot fail.
        let _ = write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" \
             version=\"{}\" state=\"full\" entity=\"{}\">\r\n",
            self.version,
            escaped(&self.entity)
        );
        if self.dialogs.is_empty() {
            // Some telephones put their lamp out only when they read that something is over.
            let _ = write!(out, "<dialog id=\"0\"><state>{}</state></dialog>\r\n", State::Terminated.as_str());
        }
        for dialog in &self.dialogs {
            let direction = if dialog.initiator { "initiator" } else { "recipient" };
            let _ = write!(out, "<dialog id=\"{}\"", escaped(&dialog.id));
            if let Some((call_id, local, remote)) = &dialog.call {
                let (call_id, local, remote) = (escaped(call_id), escaped(local), escaped(remote));
                let _ = write!(out, " call-id=\"{call_id}\" local-tag=\"{local}\" remote-tag=\"{remote}\"");
            }
            let state = dialog.state.as_str();
            let _ = write!(out, " direction=\"{direction}\"><state>{state}</state></dialog>\r\n");
        }
        out.push_str("</dialog-info>\r\n");
        out
    }
}

/// Text that means nothing to a reader of XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ringing_telephone_is_written_with_what_picking_it_up_needs() {
        let call = Some(("id@host".to_owned(), "theirs".to_owned(), "a\"<&'".to_owned()));
        let ringing = Shown { id: "leg_1".into(), call, initiator: false, state: State::Early };
        let text = DialogInfo { version: 7, entity: "sip:101@example.org".into(), dialogs: vec![ringing] }.write();
        assert!(text.contains("version=\"7\" state=\"full\" entity=\"sip:101@example.org\""), "{text}");
        assert!(
            text.contains("call-id=\"id@host\" local-tag=\"theirs\" remote-tag=\"a&quot;&lt;&amp;&apos;\""),
            "{text}"
        );
        assert!(text.contains("direction=\"recipient\"><state>early</state></dialog>"), "{text}");
    }

    #[test]
    fn who_is_at_rest_is_said_to_be_so() {
        let text = DialogInfo { version: 0, entity: "sip:101@h".into(), dialogs: Vec::new() }.write();
        assert!(text.contains("<state>terminated</state>"), "{text}");
    }
}
