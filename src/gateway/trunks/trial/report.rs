//! What a test of a trunk found, as the API tells it and as a carrier's support desk reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::id::TrunkId;
use crate::base::phone_number::masked_dialled;
use crate::media::sounder::Echo;

/// What a test of a trunk found so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TrialReport {
    /// The trunk.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub trunk: TrunkId,
    /// What people call it.
    pub name: String,
    /// The dialect spoken with it.
    pub profile: String,
    /// What we are: name and version.
    pub ours: String,
    /// Where we say that we are, by transport, as in our Via.
    pub our_addresses: Vec<String>,
    /// Where the far end says that it sees us (`received`, `rport`).
    pub seen_at: Vec<String>,
    /// What those who answered call themselves (Server, User-Agent).
    pub far_ends: Vec<String>,
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether it is still under way.
    pub running: bool,
    /// Whether everything that was asked for went well; false while it is under way.
    pub passed: bool,
    /// The steps, in order.
    pub steps: Vec<TrialStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TrialStep {
    /// Which.
    pub step: StepName,
    /// How it ended.
    pub outcome: StepOutcome,
    /// When it began, RFC 3339 in UTC.
    pub began: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What should have happened.
    pub expected: String,
    /// What happened, or why it was left out.
    pub seen: String,
    /// What to change.
    pub advice: Option<String>,
    /// What came back of the tone.
    pub echo: Option<Echo>,
    /// What went over the wire meanwhile.
    pub messages: Vec<TrialMessage>,
}

/// Which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum StepName {
    /// OPTIONS to every far end.
    Options,
    /// The registration, refreshed.
    Register,
    /// A call to a number that sends back what it hears.
    Call,
    /// A tone, and what comes back of it.
    Echo,
    /// Keys.
    Keys,
    /// Hold.
    Hold,
    /// Back from hold, heard again.
    Resume,
    /// A re-INVITE that changes nothing, as a session timer sends it.
    Refresh,
    /// A blind transfer by REFER.
    Refer,
    /// The end of the call.
    HangUp,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub enum StepOutcome {
    /// It is under way.
    Running,
    /// As expected.
    Ok,
    /// Not as expected.
    Failed,
    /// Left out: not asked for, or of no use after what went before.
    Skipped,
}

/// One message as it was on the wire: what is needed to find it in somebody else's log, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TrialMessage {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// We sent it.
    pub sent: bool,
    /// Transport, address and port of the far end.
    pub peer: String,
    /// The first line.
    pub line: String,
    /// Its Call-ID.
    pub call_id: String,
    /// Its CSeq.
    pub cseq: String,
    /// Codecs, direction and address of its SDP; never a key.
    pub sdp: Option<String>,
    /// Header fields that say why or under which terms: Reason, Warning, Retry-After, Session-Expires and the like.
    pub notes: Vec<String>,
}

impl StepName {
    /// Every step, in order.
    pub const ALL: [StepName; 10] = [
        StepName::Options,
        StepName::Register,
        StepName::Call,
        StepName::Echo,
        StepName::Keys,
        StepName::Hold,
        StepName::Resume,
        StepName::Refresh,
        StepName::Refer,
        StepName::HangUp,
    ];

    /// As people say it.
    pub const fn text(self) -> &'static str {
        match self {
            StepName::Options => "OPTIONS",
            StepName::Register => "REGISTER",
            StepName::Call => "call",
            StepName::Echo => "echo",
            StepName::Keys => "keys (DTMF)",
            StepName::Hold => "hold",
            StepName::Resume => "resume",
            StepName::Refresh => "session refresh",
            StepName::Refer => "transfer (REFER)",
            StepName::HangUp => "BYE",
        }
    }

    /// What a test wants to see.
    pub const fn expected(self) -> &'static str {
        match self {
            StepName::Options => "every far end answers OPTIONS",
            StepName::Register => "200 to our REGISTER, after at most one challenge",
            StepName::Call => "200 with an SDP answer to our INVITE",
            StepName::Echo => "the tone that we send comes back",
            StepName::Keys => "keys can be sent as the profile says",
            StepName::Hold => "200 to a re-INVITE that holds",
            StepName::Resume => "200 to a re-INVITE that resumes, and the tone comes back again",
            StepName::Refresh => "200 to a re-INVITE that changes nothing",
            StepName::Refer => "202 to REFER, and word that the transfer went well",
            StepName::HangUp => "200 to BYE",
        }
    }
}

impl StepOutcome {
    /// In one word.
    pub const fn text(self) -> &'static str {
        match self {
            StepOutcome::Running => "running",
            StepOutcome::Ok => "ok",
            StepOutcome::Failed => "FAILED",
            StepOutcome::Skipped => "skipped",
        }
    }
}

impl TrialReport {
    /// As those may see it who may not see whole numbers.
    pub fn masked(mut self) -> Self {
        for message in self.steps.iter_mut().flat_map(|step| &mut step.messages) {
            message.line = masked_line(&message.line);
            message.notes.iter_mut().for_each(|note| *note = masked_line(note));
        }
        self
    }
}

/// A line with the users of its URIs masked where they are somebody's number outside.
fn masked_line(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) =
        ["sip:", "sips:", "tel:"].iter().filter_map(|scheme| Some(rest.find(scheme)? + scheme.len())).min()
    {
        let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let ends = |c: char| matches!(c, '@' | ';' | '>' | ' ' | '?' | '"' | ',');
        let (user, left) = after.split_at_checked(after.find(ends).unwrap_or(after.len())).unwrap_or((after, ""));
        // Without an @ a sip URI has no user; its host may have digits enough to look like a number.
        let is_user = before.ends_with("tel:")
            || after.find('@').is_some_and(|at| at < after.find(['>', ' ', '"']).unwrap_or(after.len()));
        if is_user {
            out.push_str(&masked_dialled(user))
        } else {
            out.push_str(user)
        }
        rest = left;
    }
    out.push_str(rest);
    out
}

impl fmt::Display for TrialStep {
    /// The step with its messages, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<8} {} ({} ms, from {})", self.outcome.text(), self.step.text(), self.took_ms, self.began)?;
        if self.outcome != StepOutcome::Skipped {
            writeln!(f, "  expected  {}", self.expected)?;
        }
        writeln!(f, "  {}  {}", if self.outcome == StepOutcome::Skipped { "because " } else { "seen    " }, self.seen)?;
        if let Some(advice) = &self.advice {
            writeln!(f, "  change    {advice}")?;
        }
        let mut call_id = "";
        for message in &self.messages {
            if message.call_id != call_id {
                call_id = &message.call_id;
                writeln!(f, "  Call-ID {call_id}")?;
            }
            let arrow = if message.sent { "->" } else { "<-" };
            let time = message.at.split_once('T').map_or(message.at.as_str(), |(_, time)| time);
            writeln!(f, "    {time} {arrow} {}  {}  [{}]", message.peer, message.line, message.cseq)?;
            if let Some(sdp) = &message.sdp {
                writeln!(f, "        SDP {sdp}")?;
            }
            for note in &message.notes {
                writeln!(f, "        {note}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for TrialReport {
    /// The head of the report, for people; the steps print themselves.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Test of trunk {} ({}), profile {}", self.name, self.trunk, self.profile)?;
        writeln!(f, "  begun     {} (all times are UTC), took {} ms", self.began, self.took_ms)?;
        writeln!(f, "  we are    {} at {}", self.ours, or_nothing(&self.our_addresses))?;
        writeln!(f, "  seen at   {}", or_nothing(&self.seen_at))?;
        writeln!(f, "  far end   {}", or_nothing(&self.far_ends))?;
        let result = match (self.running, self.passed) {
            (true, _) => "still under way",
            (false, true) => "everything that was asked for went well",
            (false, false) => "not everything went well",
        };
        writeln!(f, "  result    {result}")
    }
}

fn or_nothing(items: &[String]) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_request_lines_are_masked_and_hosts_stay() {
        let masked = masked_line("INVITE sip:+4930901820@198.51.100.20:5060;user=phone SIP/2.0");
        assert_eq!(masked, "INVITE sip:+••••••••20@198.51.100.20:5060;user=phone SIP/2.0");
        assert_eq!(masked_line("OPTIONS sip:198.51.100.20 SIP/2.0"), "OPTIONS sip:198.51.100.20 SIP/2.0");
        assert_eq!(masked_line("Refer-To: <tel:+4930901820>"), "Refer-To: <tel:+••••••••20>");
        assert_eq!(masked_line("INVITE sip:9196@carrier.example SIP/2.0"), "INVITE sip:9196@carrier.example SIP/2.0");
        assert_eq!(masked_line("SIP/2.0 200 OK"), "SIP/2.0 200 OK");
    }
}
