//! Rank 3: where an INVITE leads. Trunks, numbers routed to us, people, ordered rules, and the decision with its reasons.

pub mod decide;
pub mod destination;
pub mod emergency;
pub mod explain;
pub mod extension;
pub mod facts;
pub mod hours;
pub mod network;
pub mod party;
pub mod pattern;
pub mod premium;
pub mod rule;
pub mod table;
pub mod toll;
pub mod trunk;

mod check;
mod dial;
mod fit;
mod number;
mod source;

pub use check::Problem;
pub use decide::{Accepted, Decision, Dialled};
pub use destination::Destination;
pub use explain::{Explanation, Step};
pub use extension::{CallLimits, Calling, Extension, Group, Ring};
pub use facts::Facts;
pub use hours::{Hours, Span, Zone};
pub use network::Network;
pub use party::Party;
pub use pattern::Pattern;
pub use rule::{HeaderTest, Mark, Origin, Rule, TextTest, When};
pub use table::{Called, Did, Extensions, Home, Table};
pub use trunk::{
    CallManager, Credentials, Directory, IdentityCheck, IdentityPolicy, Outbound, OutboundTarget, Register, TlsRules,
    TlsVersion, Trunk,
};
