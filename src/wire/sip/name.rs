//! Header field names.

use std::fmt;

use super::Text;

/// A header field name; names compare without regard to case (RFC 3261 §7.3.1), and a compact form
/// (§7.3.3) is the same name.
#[derive(Debug, Clone)]
pub enum Name {
    /// A name this program knows.
    Known(Known),
    /// Any other token, as it was written.
    Other(Text),
}

macro_rules! names {
    ($($variant:ident $text:literal $($compact:literal)?)*) => {
        /// The names that have a place in this program.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Known {
            $(
                #[doc = concat!("`", $text, "`.")]
                $variant,
            )*
        }

        impl Known {
            /// The name as it is written out, in its long form.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Known::$variant => $text,)*
                }
            }

            /// Every known name.
            pub const ALL: &'static [Known] = &[$(Known::$variant,)*];

            /// The one-letter form, where there is one.
            pub const fn compact(self) -> Option<&'static str> {
                match self {
                    $($(Known::$variant => Some($compact),)?)*
                    #[allow(unreachable_patterns, reason = "holds only when every name has a compact form")]
                    _ => None,
                }
            }
        }

        #[allow(non_upper_case_globals, reason = "they read as the variants they stand for")]
        impl Name {
            $(
                #[doc = concat!("`", $text, "`.")]
                pub const $variant: Name = Name::Known(Known::$variant);
            )*
        }
    };
}

names! {
    Accept "Accept"
    AcceptEncoding "Accept-Encoding"
    AcceptLanguage "Accept-Language"
    AlertInfo "Alert-Info"
    Allow "Allow"
    AllowEvents "Allow-Events" "u"
    AuthenticationInfo "Authentication-Info"
    Authorization "Authorization"
    CallId "Call-ID" "i"
    CallInfo "Call-Info"
    Contact "Contact" "m"
    ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" "e"
    ContentLanguage "Content-Language"
    ContentLength "Content-Length" "l"
    ContentType "Content-Type" "c"
    CSeq "CSeq"
    Date "Date"
    Diversion "Diversion"
    ErrorInfo "Error-Info"
    Event "Event" "o"
    Expires "Expires"
    From "From" "f"
    HistoryInfo "History-Info"
    Identity "Identity" "y"
    InReplyTo "In-Reply-To"
    MaxForwards "Max-Forwards"
    MimeVersion "MIME-Version"
    MinExpires "Min-Expires"
    MinSe "Min-SE"
    Organization "Organization"
    PAssertedIdentity "P-Asserted-Identity"
    PPreferredIdentity "P-Preferred-Identity"
    Path "Path"
    Priority "Priority"
    Privacy "Privacy"
    ProxyAuthenticate "Proxy-Authenticate"
    ProxyAuthorization "Proxy-Authorization"
    ProxyRequire "Proxy-Require"
    RAck "RAck"
    Reason "Reason"
    RecordRoute "Record-Route"
    ReferSub "Refer-Sub"
    ReferTo "Refer-To" "r"
    ReferredBy "Referred-By" "b"
    RemotePartyId "Remote-Party-ID"
    Replaces "Replaces"
    ReplyTo "Reply-To"
    Require "Require"
    RetryAfter "Retry-After"
    Route "Route"
    RSeq "RSeq"
    Server "Server"
    ServiceRoute "Service-Route"
    SessionExpires "Session-Expires" "x"
    SipEtag "SIP-ETag"
    SipIfMatch "SIP-If-Match"
    Subject "Subject" "s"
    SubscriptionState "Subscription-State"
    Supported "Supported" "k"
    TargetDialog "Target-Dialog"
    Timestamp "Timestamp"
    To "To" "t"
    Unsupported "Unsupported"
    UserAgent "User-Agent"
    UserToUser "User-to-User"
    Via "Via" "v"
    Warning "Warning"
    WwwAuthenticate "WWW-Authenticate"
}

impl Known {
    /// Reads a name in its long or its compact form, in any case.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let first = bytes.first()?.to_ascii_lowercase();
        if bytes.len() == 1 {
            return Some(match first {
                b'b' => Known::ReferredBy,
                b'c' => Known::ContentType,
                b'e' => Known::ContentEncoding,
                b'f' => Known::From,
                b'i' => Known::CallId,
                b'k' => Known::Supported,
                b'l' => Known::ContentLength,
                b'm' => Known::Contact,
                b'o' => Known::Event,
                b'r' => Known::ReferTo,
                b's' => Known::Subject,
                b't' => Known::To,
                b'u' => Known::AllowEvents,
                b'v' => Known::Via,
                b'x' => Known::SessionExpires,
                b'y' => Known::Identity,
                _ => return None,
            });
        }
        let from = *FIRST.get(usize::from(first.wrapping_sub(b'a')))?;
        let upto = FIRST.get(usize::from(first.wrapping_sub(b'a')) + 1).copied().unwrap_or(u8::MAX);
        let range = usize::from(from)..usize::from(upto).min(Known::ALL.len());
        Known::ALL.get(range)?.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(text))
    }
}

/// For each letter, how many known names begin with an earlier one; the list above is ordered by first letter.
const FIRST: [u8; 26] = first_of_each_letter();

const fn first_of_each_letter() -> [u8; 26] {
    let mut table = [0u8; 26];
    let mut letter = 0;
    while letter < 26 {
        let mut count = 0u8;
        let mut index = 0;
        while index < Known::ALL.len() {
            if (Known::ALL[index].as_str().as_bytes()[0].to_ascii_lowercase() as usize) < letter + b'a' as usize {
                count += 1;
            }
            index += 1;
        }
        table[letter] = count;
        letter += 1;
    }
    table
}

impl Name {
    /// Reads a name in its long or its compact form, in any case.
    pub fn read(text: &str) -> Self {
        match Known::read(text) {
            Some(known) => Name::Known(known),
            None => Name::Other(Text::from(text)),
        }
    }

    /// The name as it is written out.
    pub fn as_str(&self) -> &str {
        match self {
            Name::Known(known) => known.as_str(),
            Name::Other(text) => text.as_str(),
        }
    }

    /// The known name, if it is one.
    pub fn known(&self) -> Option<Known> {
        match self {
            Name::Known(known) => Some(*known),
            Name::Other(_) => None,
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Name::Known(a), Name::Known(b)) => a == b,
            _ => self.as_str().eq_ignore_ascii_case(other.as_str()),
        }
    }
}

impl Eq for Name {}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::read(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_by_its_letter() {
        for known in Known::ALL {
            assert_eq!(Known::read(known.as_str()), Some(*known));
            assert_eq!(Known::read(&known.as_str().to_ascii_uppercase()), Some(*known));
            if let Some(letter) = known.compact() {
                assert_eq!(Known::read(letter), Some(*known), "{letter}");
                assert_eq!(Known::read(&letter.to_ascii_uppercase()), Some(*known), "{letter}");
            }
        }
        for unknown in ["X-Thing", "Viaa", "Vi", "", "é", "-", "\u{7f}", "z"] {
            assert_eq!(Known::read(unknown), None, "{unknown}");
        }
        assert_eq!(Name::from("x-one"), Name::from("X-One"));
        assert_ne!(Name::from("x-one"), Name::Via);
    }
}
