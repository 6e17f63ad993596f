//! What a first start makes, so that a call from this machine works at once: a trunk, a number rule, a room.

use crate::base::elevating::ElevationRules;
use crate::base::id::{DidId, TrunkId};
use crate::base::{Rng, RoomId, Secret};
use crate::room::RoomSettings;
use crate::route::{Called, Destination, Did, Trunk};
use crate::store::{Store, StoreError};

/// What was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The room's name.
    pub room: String,
    /// What guests key.
    pub pin: Secret,
    /// What hosts key.
    pub host_pin: Secret,
}

/// Makes the first things in a store that has nothing; none in one that has anything.
pub async fn make(store: &Store, language: &str, rng: &mut Rng) -> Result<Option<Made>, StoreError> {
    let table = store.table().await?;
    if !table.trunks.is_empty() || !table.dids.is_empty() || !store.rooms().await?.is_empty() {
        return Ok(None);
    }
    let trunk = Trunk {
        networks: ["127.0.0.0/8", "::1"].iter().filter_map(|network| network.parse().ok()).collect(),
        ..Trunk::new(TrunkId::draw(rng), "this machine")
    };
    let did = Did {
        id: DidId::draw(rng),
        called: Called::Any,
        trunk: None,
        action: Destination::Attendant {},
        languages: vec![language.to_owned()],
        elevation: ElevationRules::default(),
    };
    let (pin, host_pin) = pins(rng);
    let room = RoomSettings {
        pin: Some(pin.clone()),
        host_pin: Some(host_pin.clone()),
        ..RoomSettings::new(RoomId::draw(rng), "First room")
    };
    store.add_trunk(&trunk, None).await?;
    store.add_did(&did, None).await?;
    store.add_room(&room, None).await?;
    Ok(Some(Made { room: room.name, pin, host_pin }))
}

/// Two different PINs of six digits, the first not 0.
fn pins(rng: &mut Rng) -> (Secret, Secret) {
    let mut draw = || 100_000 + rng.below(900_000);
    let guest = draw();
    let mut host = draw();
    while host == guest {
        host = draw();
    }
    (Secret::new(guest.to_string()), Secret::new(host.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_have_six_digits_and_differ() {
        let mut rng = Rng::from_number(1);
        for _ in 0..1000 {
            let (guest, host) = pins(&mut rng);
            assert_eq!((guest.expose().len(), host.expose().len()), (6, 6));
            assert_ne!(guest, host);
        }
    }
}
