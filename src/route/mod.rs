//! Rank 3: where an INVITE leads. Trunks, numbers routed to us, and the decision with its reasons.

pub mod decide;
pub mod network;
pub mod party;
pub mod table;

pub use decide::{Decision, Explanation, Facts, Step};
pub use network::Network;
pub use party::Party;
pub use table::{Action, Called, Credentials, Did, Table, Trunk};
