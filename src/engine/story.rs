//! What the log tells of calls: one line per bend in a call's road. Numbers come masked; keys and PINs never come here.

use std::borrow::Cow;

use tracing::{debug, field, info, warn};

use crate::base::{LegId, PhoneNumber};
use crate::gateway::event::Happening;
use crate::media::command::Figures;
use crate::media::quality::{Blame, Score};

/// Tells how a call sounded.
pub fn sounded(call: LegId, figures: &Figures) {
    let quality = &figures.quality.call;
    let mos = |score: Option<Score>| score.map(|score| f64::from((score.mos * 100.0).round()) / 100.0);
    let (ingress, egress, verdict) = (mos(quality.ingress), mos(quality.egress), quality.blame.words());
    match quality.blame {
        Blame::Unknown => debug!(%call, verdict, "sounded"),
        Blame::Nobody => debug!(%call, ingress, egress, verdict, "sounded"),
        Blame::WayToUs | Blame::WayFromUs | Blame::BothWays | Blame::TheirEnd | Blame::Us => {
            info!(%call, ingress, egress, verdict, "sounded badly");
        }
    }
}

/// Tells one happening.
pub fn tell(what: &Happening) {
    match what {
        Happening::NodeStarted {} => info!("in service"),
        Happening::NodeDraining {} => info!("out of service for new calls"),
        Happening::CallBegan { call, from, to, .. } => {
            info!(%call, from = from.as_deref().unwrap_or("withheld"), to = %masked(to), "rings");
        }
        Happening::CallRinging { call, early_media } => info!(%call, early_media, "its telephone rings"),
        Happening::CallIdentity { call, identity } => info!(%call, ?identity, "signed identity"),
        Happening::CallAnswered { call } => info!(%call, "answered"),
        Happening::CallBridged { call, with, room } => info!(%call, %with, %room, "talk"),
        Happening::CallEcho { call, heard: true, removed, delay_ms, loss_db } => {
            warn!(%call, removed, delay_ms, loss_db, "what it hears comes back from it: the others hear themselves");
        }
        Happening::CallMusic { call, heard: true, .. } => warn!(%call, "music on hold comes from it"),
        Happening::CallMusic { call, heard: false, .. } => info!(%call, "its music is over"),
        Happening::CallEcho { call, heard: false, .. } => info!(%call, "its echo is gone"),
        Happening::CallHeld { call, held: true, by } => info!(%call, ?by, "on hold"),
        Happening::CallHeld { call, held: false, by } => info!(%call, ?by, "back from hold"),
        Happening::CallMerged { call, room, participant, by } => {
            info!(%call, %room, %participant, by = by.map(field::display), "merged");
        }
        Happening::CallTransferred { call, by, with, to, way } => {
            let (by, with) = (by.map(|leg| leg.to_string()), with.map(|leg| leg.to_string()));
            info!(%call, by, with, to = %masked(to), ?way, "handed over");
        }
        Happening::CallTransferFailed { call, to, cause, status } => {
            info!(%call, to = %masked(to), ?cause, status, "not handed over: {cause}");
        }
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
        Happening::TrunkUp { trunk } => info!(%trunk, "takes calls"),
        Happening::TrunkDown { trunk, why } => warn!(%trunk, why, "takes no calls"),
        Happening::TrunkTargetUp { trunk, address } => info!(%trunk, address, "takes calls there"),
        Happening::TrunkTargetDown { trunk, address, why } => warn!(%trunk, address, why, "takes no calls there"),
        // The tunnel's task told so, with where it comes from and why it went.
        Happening::RelayConnected { .. } | Happening::RelayDisconnected { .. } => {}
        Happening::ExtensionRegistered { extension, address, user_agent } => {
            debug!(%extension, %address, user_agent = user_agent.as_deref().unwrap_or(""), "registered");
        }
        Happening::ExtensionUnregistered { extension, address, why } => {
            debug!(%extension, %address, ?why, "registered no more");
        }
        // Said by state, too often to tell.
        Happening::Changed { .. } | Happening::Speaking { .. } => {}
        Happening::Move(of) => {
            let reason = of.reason.map(field::debug);
            info!(room = %of.room, participant = %of.participant, device = %of.device, step = ?of.step, how = ?of.how, reason, "move");
        }
        Happening::Callback(of) => {
            let failure = of.failure.map(field::debug);
            info!(callback = %of.callback, state = of.state.name(), by = ?of.by, failure, "callback");
        }
        Happening::Code(of) => {
            info!(code = %of.code, call = %of.call, state = of.state.name(), reason = ?of.reason, "code")
        }
        Happening::CodeBegan(of) => {
            info!(code = %of.code, call = %of.call, room = %of.room, used = of.used, "a printed code began a call")
        }
        Happening::Elevation(of) => {
            let reason = of.reason.map(field::debug);
            info!(elevation = %of.elevation, call = %of.call, step = ?of.step, by = ?of.by, reason, "elevation");
        }
        // What people write is theirs.
        Happening::Said { .. } => {}
    }
}

/// What was dialled: whole when it is short, as an extension is; a telephone number masked.
fn masked(dialled: &str) -> Cow<'_, str> {
    /// The longest that is no telephone number anywhere.
    const EXTENSION: usize = 6;
    match PhoneNumber::parse(dialled) {
        Some(number) if dialled.len() > EXTENSION => number.masked().into(),
        Some(_) | None => dialled.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_told_and_a_number_is_masked() {
        assert_eq!((&*masked("1000"), &*masked("meet"), &*masked("+4930901820")), ("1000", "meet", "+••••••••20"));
    }
}
