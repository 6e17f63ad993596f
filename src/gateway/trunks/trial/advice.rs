//! What to change when a step of a test went wrong, as those say it who connect trunks every day.

use super::report::StepName;

/// For an answer that refused what a step asked for.
pub(super) const fn for_status(step: StepName, status: u16) -> &'static str {
    match (step, status) {
        (_, 401 | 407) => {
            "the user name or password is wrong, or none is set: put the carrier's into `outbound.credentials`"
        }
        (StepName::Register, 403) => {
            "the account, its password or `register.aor` is not what the carrier has; some carriers lock accounts for a while"
        }
        (StepName::Register, 404) => "the carrier does not know `register.aor`: compare user and domain with its data",
        (StepName::Register, 423) => "raise `register.expires` to what Min-Expires says",
        (StepName::Call, 403) => {
            "the carrier does not let this call through: give it our address, or show a caller number that it knows (`outbound.caller_id`)"
        }
        (StepName::Call, 404 | 484 | 604) => {
            "the carrier does not know the number as we write it: compare the request line with the form it wants (`numbers`, the profile's number format)"
        }
        (StepName::Call, 415 | 488 | 606) => {
            "no codec or encryption in common: compare the SDP above with what the carrier takes (the profile's codecs and SRTP policy)"
        }
        (StepName::Call, 420 | 421) => {
            "the carrier and the profile disagree on an extension: see Require and Unsupported above"
        }
        (StepName::Call, 422) => {
            "the session timer is too short for the carrier: see Min-SE above and raise it in the profile"
        }
        (StepName::Call, 480 | 486 | 487 | 600 | 603) => {
            "the called number does not answer calls now: use one that always answers and sends back what it hears"
        }
        (StepName::Call, 513) => "the INVITE is too large for the carrier: fewer codecs in the profile, or TCP",
        (StepName::Hold | StepName::Resume | StepName::Refresh, 488 | 606) => {
            "the carrier takes no such change: try another `hold` style in the profile"
        }
        (StepName::Hold | StepName::Resume | StepName::Refresh, 481) => {
            "the carrier has lost the call: an element between us may rewrite tags or Call-ID"
        }
        (StepName::Refer, 403 | 405 | 501 | 603) => {
            "the carrier takes no REFER: set `refer.sends = \"none\"` in the profile, and transfers are bridged here"
        }
        (StepName::Refer, _) => "ask the carrier which form of Refer-To it takes (`refer.uri` in the profile)",
        (_, 408) => "nobody behind the carrier's edge answered: ask the carrier with the Call-ID above",
        (_, 500..=599) => "the carrier is at fault or overloaded: give its support the Call-ID and time above",
        _ => "ask the carrier with the Call-ID and time above",
    }
}

/// For silence.
pub(super) const fn for_silence(step: StepName) -> &'static str {
    match step {
        StepName::Options => {
            "nothing comes back: check the target's address, port and transport, the firewall, and that the carrier admits our address; where it ignores OPTIONS, use a profile that does not ask (`options.every = 0`)"
        }
        StepName::Register => {
            "nothing comes back: check `register.registrar`, the firewall, and that the carrier admits our address"
        }
        StepName::Call => "nothing comes back: check the target, the firewall, and that the carrier admits our address",
        StepName::Echo | StepName::Resume => {
            "no packet comes back: check that the media ports are open both ways and that the address in our SDP above is one the carrier reaches (`media.advertise`)"
        }
        StepName::Keys | StepName::Hold | StepName::Refresh | StepName::Refer | StepName::HangUp => {
            "requests within the call get lost: check that the Contact we show is one the carrier reaches, and that no firewall rewrites SIP (SIP ALG)"
        }
    }
}

/// For audio that comes, but is not what was sent.
pub(super) const NO_ECHO: &str = "audio comes, but not our tone: call a number that sends back what it hears";

/// For an echo that is too faint.
pub(super) const FAINT: &str = "the path makes voices faint: ask the carrier about level adjustments";

/// For a number that keys cannot be sent to as the profile wants.
pub(super) const NO_EVENTS: &str = "the far end did not agree to telephone-event: ask the carrier for RFC 4733, or set `media.dtmf = \"info\"` in the profile";
