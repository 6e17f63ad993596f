//! Transfers: what a far end asks for by REFER, and what we ask a far end for.

use crate::base::{LegId, Now};
use crate::gateway::Gateway;
use crate::sip::endpoint::{Headers, ReferId};
use crate::wire::sip::Status;

impl Gateway {
    /// A far end asks us to call somebody. There is nobody a room's caller could be handed to.
    pub(super) fn on_referred(&mut self, leg: LegId, refer: ReferId, now: Now) {
        self.endpoint.refuse_refer(leg, refer, Status::DECLINE, &Headers::new(), now);
    }
}
