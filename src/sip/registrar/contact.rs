//! One telephone of an extension, and the way back to it.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::base::{Instant, Utc};
use crate::sip::transport::Target;
use crate::wire::sip::{NameAddr, Text, Uri};

/// One telephone of an extension, and the way back to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Contact {
    /// What it calls itself: the Request-URI of calls to it.
    pub uri: Uri,
    /// Where messages to it go. Where its REGISTER came from, so that it is reached behind NAT; over TCP and TLS by the
    /// connection it registered by.
    pub target: Target,
    /// The Route of calls to it: the Path of its REGISTER (RFC 3327).
    pub routes: Vec<NameAddr>,
    /// Its User-Agent; empty where it names none.
    pub user_agent: Text,
    /// The dialect to speak to it, by its name.
    pub profile: Arc<str>,
    /// Which device it is (`+sip.instance`, RFC 5626 §4.1); empty where it does not say.
    pub instance: Text,
    /// Which of several ways to the device it is (RFC 5626 §4.2).
    pub reg_id: Option<u32>,
    /// How much it is wanted, in thousandths: the highest first.
    pub q: u16,
    /// Whether the address it names is not the one its messages come from.
    pub behind_nat: bool,
    /// When it came.
    pub since: Utc,
    /// When it was last heard of.
    pub refreshed: Instant,
    /// When it is gone, if nothing is heard of it.
    pub expires: Instant,
}

impl Contact {
    /// As in the 200 to a REGISTER.
    pub(super) fn written(&self, now: Instant) -> String {
        // Rounded up, or a telephone reads that it got less than it asked for.
        let left = self.expires.since(now).as_millis().div_ceil(1000);
        let mut text = String::with_capacity(self.uri.as_str().len() + 64);
        // Writing into a String cannot fail.
        let _ = write!(text, "<{}>;expires={left}", self.uri);
        if self.q != 1000 {
            let _ = write!(text, ";q=0.{:03}", self.q);
        }
        if !self.instance.is_empty() {
            let _ = write!(text, ";+sip.instance={}", self.instance);
        }
        if let Some(reg_id) = self.reg_id {
            let _ = write!(text, ";reg-id={reg_id}");
        }
        text
    }
}

/// A Date header's value (RFC 3261 §20.17): `Sat, 13 Nov 2010 23:29:00 GMT`.
pub(super) fn date(utc: Utc) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = usize::try_from(utc.0.div_euclid(86_400_000).rem_euclid(7)).unwrap_or(0);
    // `2010-11-13T23:29:00.000Z`
    let text = utc.to_string();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let month: usize = part(5, 7).parse().unwrap_or(1);
    format!(
        "{}, {} {} {} {} GMT",
        DAYS.get(day).unwrap_or(&"Thu"),
        part(8, 10),
        MONTHS.get(month.saturating_sub(1)).unwrap_or(&"Jan"),
        part(0, 4),
        part(11, 19)
    )
}
