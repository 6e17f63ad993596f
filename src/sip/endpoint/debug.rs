//! What an endpoint's values show of themselves: numbers, keys pressed and keying material travel in messages, so
//! `Debug` names things and counts bytes.

use std::fmt;

use super::{Endpoint, Event, Input, OutboundInvite, OutboundRequest, Output, ReferStep};

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Received { message: Ok(message), source } => {
                write!(f, "Received({} fields by {} from {})", message.headers().len(), source.transport, source.remote)
            }
            Input::Received { message: Err(error), source } => {
                write!(f, "Received({error} by {} from {})", source.transport, source.remote)
            }
            Input::SendFailed { reference } => write!(f, "SendFailed({reference:?})"),
            Input::FlowClosed { flow } => write!(f, "FlowClosed({flow:?})"),
            Input::Timeout => f.write_str("Timeout"),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Send { to, bytes, reference } => {
                write!(f, "Send({} bytes by {} to {}, {reference:?})", bytes.len(), to.transport, to.remote)
            }
            Output::Event(event) => write!(f, "{event:?}"),
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |sdp: &Option<bytes::Bytes>| sdp.as_ref().map_or(0, |sdp| sdp.len());
        match self {
            Event::Invited { leg, source, .. } => write!(f, "Invited({leg} from {})", source.remote),
            Event::Acked { leg, sdp } => write!(f, "Acked({leg}, {} bytes of SDP)", size(sdp)),
            Event::Cancelled { leg } => write!(f, "Cancelled({leg})"),
            Event::Offered { leg, sdp, method } => write!(f, "Offered({leg} by {method}, {} bytes of SDP)", size(sdp)),
            Event::Modified { leg, result: Ok(sdp) } => write!(f, "Modified({leg}, {} bytes of SDP)", size(sdp)),
            Event::Modified { leg, result: Err(status) } => write!(f, "Modified({leg}: {status})"),
            Event::Info { leg, body, .. } => write!(f, "Info({leg}, {} bytes)", body.len()),
            Event::Pracked { leg, sdp } => write!(f, "Pracked({leg}, {} bytes of SDP)", size(sdp)),
            Event::Refreshed { leg, sdp } => write!(f, "Refreshed({leg}, {} bytes of SDP)", size(sdp)),
            Event::Progress { leg, fork, status, sdp, .. } => {
                write!(f, "Progress({leg} {fork:?}: {status}, {} bytes of SDP)", size(sdp))
            }
            Event::EarlyOffered { leg, fork, sdp } => {
                write!(f, "EarlyOffered({leg} {fork:?}, {} bytes of SDP)", sdp.len())
            }
            Event::Answered { leg, sdp, .. } => write!(f, "Answered({leg}, {} bytes of SDP)", size(sdp)),
            Event::Refused { leg, status, .. } => write!(f, "Refused({leg}: {status})"),
            Event::Ended { leg, cause, .. } => write!(f, "Ended({leg}: {cause})"),
            Event::Referred { leg, to, .. } => write!(f, "Referred({leg} to {to:?})"),
            Event::ReferProgress { leg, step, .. } => write!(f, "ReferProgress({leg}: {step:?})"),
            Event::Request { request, source, .. } => write!(f, "Request({} from {})", request.method, source.remote),
            Event::Response { result: Ok(response), .. } => write!(f, "Response({})", response.status),
            Event::Response { result: Err(why), .. } => write!(f, "Response({why:?})"),
        }
    }
}

impl fmt::Debug for ReferStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReferStep::Accepted { subscribed } => write!(f, "Accepted(subscribed: {subscribed})"),
            ReferStep::Refused(response) => write!(f, "Refused({})", response.status),
            ReferStep::Unanswered(why) => write!(f, "Unanswered({why:?})"),
            ReferStep::Progress(status) => write!(f, "Progress({status})"),
            ReferStep::Finished(status) => write!(f, "Finished({status})"),
            ReferStep::Lost => f.write_str("Lost"),
        }
    }
}

impl fmt::Debug for OutboundInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutboundInvite({:?} by {:?})", self.uri, self.target)
    }
}

impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutboundRequest({} {:?} by {:?})", self.method, self.uri, self.target)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::LegId;
    use crate::sip::endpoint::TransactionId;

    #[test]
    fn a_key_pressed_is_not_shown() {
        let event = Event::Info {
            leg: LegId::from_bits(1),
            transaction: TransactionId(1),
            content_type: None,
            body: Bytes::from_static(b"Signal=7"),
        };
        assert!(!format!("{event:?} {:?}", Output::Event(event.clone())).contains('7'));
    }
}
