//! Blocks of ports that no other test holds, whichever process it runs in.

use std::fs::File;

/// Three hundred ports of loopback, held until dropped by a lock on a file.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    _lock: File,
}

/// Below the kernel's ephemeral range (32768), so that no outgoing socket takes them by chance.
const FIRST: u16 = 17_000;
const SIZE: u16 = 300;
const BLOCKS: u16 = 52;

impl Ports {
    /// A block of its own.
    pub fn block() -> Self {
        let folder = std::env::temp_dir().join("ringlift-test-ports");
        std::fs::create_dir_all(&folder).unwrap();
        // Tests that run side by side begin at different places, so that a block rests before it is used again.
        let begin = u16::try_from(std::process::id() % u32::from(BLOCKS)).unwrap();
        for block in (0..BLOCKS).map(|n| (n + begin) % BLOCKS) {
            let lock = File::create(folder.join(block.to_string())).unwrap();
            let base = FIRST + block * SIZE;
            if lock.try_lock().is_ok() && (0..8).all(|place| is_free(base + place)) {
                return Self { base, _lock: lock };
            }
        }
        panic!("every block of test ports is taken");
    }

    /// The port at this place, 0 to 299.
    pub fn at(&self, place: u16) -> u16 {
        assert!(place < SIZE, "a block has {SIZE} ports");
        self.base + place
    }

    /// The range from place to place, as `first-last`.
    pub fn range(&self, first: u16, last: u16) -> String {
        format!("{}-{}", self.at(first), self.at(last))
    }
}

/// Whether no other program has the port; tests do not meet, but they are not alone on the machine.
fn is_free(port: u16) -> bool {
    ["127.0.0.1", "::1"].iter().all(|host| {
        let udp = std::net::UdpSocket::bind((*host, port));
        udp.is_ok() && std::net::TcpListener::bind((*host, port)).is_ok()
    })
}
