//! How to come into a room by telephone, from what is routed to us; or by the page alone, where nothing is.

use std::collections::BTreeSet;

use crate::base::{PhoneNumber, Secret};
use crate::gateway::web::protocol::DialIn;
use crate::room::RoomSettings;
use crate::route::{Called, Destination, Did, Table};

/// Numbers shown at most: more is not read.
const MOST: usize = 20;

/// How to come into this room by telephone: by numbers of its own, else by those of the attendant and its PIN.
pub fn of(table: &Table, room: &RoomSettings) -> DialIn {
    let leading = |to: &dyn Fn(&Destination) -> bool| -> Vec<String> {
        let numbers: BTreeSet<String> =
            table.dids.values().filter(|did| to(&did.action)).filter_map(number).map(PhoneNumber::e164).collect();
        numbers.into_iter().take(MOST).collect()
    };
    let straight = leading(&|to| matches!(to, Destination::Room { room: id } if *id == room.id));
    if let Some(first) = straight.first() {
        let (one_tap, tel) = (Some(Secret::new(first.clone())), Some(Secret::new(format!("tel:{first}"))));
        return DialIn { pin: None, one_tap, tel, numbers: straight };
    }
    let Some(pin) = room.pin.as_ref().filter(|pin| !pin.is_empty()) else { return DialIn::default() };
    let numbers = leading(&|to| matches!(to, Destination::Attendant {}));
    // The PIN leads in by the page, too.
    let Some(first) = numbers.first() else { return DialIn { pin: Some(pin.clone()), ..DialIn::default() } };
    // A comma pauses two seconds on every mobile phone; `#` would begin a fragment in a link.
    let one_tap = Some(Secret::new(format!("{first},,{}#", pin.expose())));
    let tel = Some(Secret::new(format!("tel:{first},,{}%23", pin.expose())));
    DialIn { pin: Some(pin.clone()), one_tap, tel, numbers }
}

fn number(did: &Did) -> Option<&PhoneNumber> {
    match &did.called {
        Called::Number(number) => Some(number),
        Called::User(_) | Called::Any => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RoomId;
    use crate::base::elevating::ElevationRules;
    use crate::base::id::DidId;

    fn table(numbers: &[(&str, Destination)]) -> Table {
        let mut table = Table::default();
        for (bits, (called, action)) in (0..).zip(numbers) {
            let (id, called, action) = (DidId::from_bits(bits), called.parse().unwrap(), action.clone());
            let elevation = ElevationRules::default();
            table.dids.insert(id, Did { id, called, trunk: None, action, languages: Vec::new(), elevation });
        }
        table
    }

    #[test]
    fn a_number_of_its_own_needs_no_pin_and_the_attendants_does() {
        let mut room = RoomSettings::new(RoomId::from_bits(1), "Room");
        room.pin = Some(Secret::new("482913"));
        let attended = ("+4930901820", Destination::Attendant {});
        let found = of(&table(&[attended.clone(), ("1000", Destination::Attendant {})]), &room);
        assert_eq!(found.numbers, ["+4930901820"], "nobody outside dials 1000");
        assert_eq!(found.one_tap, Some(Secret::new("+4930901820,,482913#")));
        assert_eq!(found.tel, Some(Secret::new("tel:+4930901820,,482913%23")));
        let found = of(&table(&[attended, ("+4930901829", Destination::Room { room: room.id })]), &room);
        assert_eq!((found.numbers.len(), found.pin), (1, None));
        let found = of(&Table::default(), &room);
        assert_eq!((found.numbers.len(), found.pin, found.one_tap), (0, room.pin, None), "browsers come by it");
    }
}
