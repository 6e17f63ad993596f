//! The page of a device takes the seat that a call was moved to.

use crate::base::Now;
use crate::device::Order;
use crate::gateway::Gateway;

impl Gateway {
    /// A page that was to take a call does not: its ticket counts no more.
    pub(super) fn page_gives_up(&mut self, order: &Order, _now: Now) {
        self.devices.given = None;
        let _ = order;
    }
}
