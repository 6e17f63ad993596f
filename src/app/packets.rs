//! What a start says of how audio comes and goes, and of how many calls the system gives descriptors for.

use std::fmt;
use std::time::Duration;

use crate::config::Config;

/// A call's sockets: audio, strangers at the same port, reports.
const SOCKETS: u64 = 3;

/// Of the rest, beside connections that carry SIP: files, the database, pages and programs. More: fewer calls are said to find room than
/// do. Less: the last of them find none.
const OTHERS: u64 = 256;

/// How packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packets {
    threads: usize,
    sweep: Duration,
    descriptors: u64,
    /// Calls that descriptors are left for.
    room: u64,
    /// Descriptors that `sip.max_calls` wants, where there are fewer.
    wanted: Option<u64>,
}

impl Packets {
    /// With so many media threads, and at most so many descriptors.
    pub fn new(config: &Config, threads: usize, sweep: Duration, descriptors: u64) -> Self {
        let others = OTHERS + u64::from(config.sip.max_connections);
        let wanted = u64::from(config.sip.max_calls) * SOCKETS + others;
        Self {
            threads,
            sweep,
            descriptors,
            room: descriptors.saturating_sub(others) / SOCKETS,
            wanted: Some(wanted).filter(|wanted| *wanted > descriptors),
        }
    }

    /// What is to be changed for as many calls as are configured, if anything is.
    pub fn lack(&self, config: &Config) -> Option<String> {
        let (room, most) = (self.room, config.sip.max_calls);
        self.wanted.map(|wanted| {
            format!(
                "the system gives {} descriptors, which is room for {room} calls, but sip.max_calls is {most}: allow {wanted} \
                 (LimitNOFILE of the service, ulimit -n), or lower sip.max_calls",
                self.descriptors
            )
        })
    }
}

impl fmt::Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, sweep, descriptors, room, .. } = self;
        let (threads, plural) = (threads, if *threads == 1 { "" } else { "s" });
        write!(
            f,
            "audio by a connected socket for each call, read when it is mixed, of calls of two when it comes, on {threads} thread{plural} \
             awake every {} ms at least, as measured (docs/performance.md); room for {room} calls in {descriptors} descriptors",
            sweep.as_millis()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(descriptors: u64) -> (Packets, Config) {
        let mut config = Config::default();
        (config.sip.max_calls, config.sip.max_connections) = (1000, 500);
        (Packets::new(&config, 2, Duration::from_millis(5), descriptors), config)
    }

    #[test]
    fn who_starts_it_is_told_how_packets_go_and_how_many_calls_there_is_room_for() {
        let (packets, config) = packets(20_000);
        assert_eq!(packets.lack(&config), None);
        let said = packets.to_string();
        assert!(said.contains("on 2 threads awake every 5 ms at least"), "{said}");
        assert!(said.ends_with("room for 6414 calls in 20000 descriptors"), "{said}");
    }

    #[test]
    fn a_limit_that_is_too_small_for_the_calls_configured_is_said_with_what_to_change() {
        let (packets, config) = packets(1024);
        let lack = packets.lack(&config).unwrap();
        assert!(lack.starts_with("the system gives 1024 descriptors, which is room for 89 calls"), "{lack}");
        assert!(lack.contains("sip.max_calls is 1000: allow 3756 (LimitNOFILE"), "{lack}");
        let enough = Packets::new(&config, 2, Duration::from_millis(5), 3756);
        assert_eq!((enough.room, enough.lack(&config)), (1000, None));
    }
}
