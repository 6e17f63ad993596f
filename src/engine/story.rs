//! What the log tells of calls: one line per bend in a call's road. Numbers come masked; keys and PINs never come here.

use tracing::info;

use crate::gateway::event::Happening;

/// Tells one happening.
pub fn tell(what: &Happening) {
    match what {
        Happening::NodeStarted {} => info!("in service"),
        Happening::NodeDraining {} => info!("out of service for new calls"),
        Happening::CallBegan { call, from, to } => {
            info!(%call, from = from.as_deref().unwrap_or("withheld"), to, "rings");
        }
        Happening::CallAnswered { call } => info!(%call, "answered"),
        Happening::CallHeld { call, held: true } => info!(%call, "on hold"),
        Happening::CallHeld { call, held: false } => info!(%call, "back from hold"),
        Happening::CallEnded { call, cause } => info!(%call, ?cause, "ended: {cause}"),
        Happening::Joined { room, participant } => {
            info!(%room, participant = %participant.id, state = ?participant.state, "takes a place");
        }
        Happening::Left { room, participant, cause } => info!(%room, %participant, ?cause, "leaves"),
        Happening::OperatorAsked { room, participant } => info!(%room, %participant, "asks for help"),
        Happening::RoomStarted { room } => info!(%room, "the meeting begins"),
        Happening::RoomLocked { room, locked } => info!(%room, locked, "lock"),
        Happening::RoomEnded { room } => info!(%room, "the meeting is over"),
        Happening::RoomConfigured { room } => info!(%room, "configured"),
        Happening::RoomDeleted { room } => info!(%room, "deleted"),
        // Said by state, too often to tell.
        Happening::Changed { .. } | Happening::Speaking { .. } => {}
    }
}
