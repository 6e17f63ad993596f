//! Packets by media time, for a codec whose packets cannot be cut: a ring of bytes, and an index of what lies in it.

/// Bytes held: half a second at 128 kbit/s, twice what a fullband voice takes. More: memory in each leg. Less: a far end
/// that spends more loses its oldest packets when they come early.
const BYTES: usize = 8192;

/// Packets held: 512 ms of 10 ms packets.
const PACKETS: usize = 52;

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    start: i64,
    length: i64,
    offset: usize,
    /// 0: there is none.
    size: usize,
}

/// What came and may still be wanted.
#[derive(Debug, Clone)]
pub struct Packets {
    bytes: Box<[u8; BYTES]>,
    entries: Box<[Entry; PACKETS]>,
    next: usize,
    offset: usize,
}

impl Default for Packets {
    fn default() -> Self {
        Self { bytes: Box::new([0; BYTES]), entries: Box::new([Entry::default(); PACKETS]), next: 0, offset: 0 }
    }
}

impl Packets {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.fill(Entry::default());
    }

    /// Keeps a packet that lies at `start` and lasts `length`; the oldest make room for it.
    pub fn insert(&mut self, start: i64, length: i64, packet: &[u8]) {
        let size = packet.len();
        if size == 0 || size > BYTES {
            return;
        }
        if self.offset + size > BYTES {
            self.offset = 0;
        }
        let (from, until) = (self.offset, self.offset + size);
        for entry in self.entries.iter_mut() {
            if entry.size > 0 && entry.offset < until && entry.offset + entry.size > from {
                entry.size = 0;
            }
        }
        if let (Some(room), Some(entry)) = (self.bytes.get_mut(from..until), self.entries.get_mut(self.next)) {
            room.copy_from_slice(packet);
            *entry = Entry { start, length, offset: from, size };
        }
        self.offset = until;
        self.next = (self.next + 1) % PACKETS;
    }

    /// The packet that covers a place: where it begins, how long it lasts, its bytes.
    pub fn at(&self, place: i64) -> Option<(i64, i64, &[u8])> {
        let covers = |entry: &&Entry| entry.size > 0 && (entry.start..entry.start + entry.length).contains(&place);
        let entry = self.entries.iter().find(covers)?;
        Some((entry.start, entry.length, self.bytes.get(entry.offset..entry.offset + entry.size)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_found_by_time_until_newer_ones_need_their_room() {
        let mut packets = Packets::default();
        for number in 0..200i64 {
            packets.insert(number * 160, 160, &[number as u8; 150]);
        }
        assert_eq!(packets.at(199 * 160 + 159), Some((199 * 160, 160, &[199; 150][..])));
        assert_eq!(packets.at(170 * 160).map(|(start, ..)| start), Some(170 * 160));
        assert_eq!(packets.at(200 * 160), None);
        assert_eq!(packets.at(0), None, "forgotten");
        packets.insert(0, 160, &[7; 8000]);
        assert_eq!(packets.at(5).map(|(.., bytes)| bytes.len()), Some(8000));
        assert_eq!(packets.at(199 * 160), None);
        packets.clear();
        assert_eq!(packets.at(5), None);
    }
}
