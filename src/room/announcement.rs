//! What a person is told, as facts; `call::speech` finds the words in each language.

use crate::room::State;

/// Something told to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Comes in; so many others are there already.
    Joining {
        /// Others in the meeting.
        others: u32,
    },
    /// Comes in first.
    YouAreFirst,
    /// Waits until the host comes.
    WaitingForHost,
    /// Waits until admitted.
    WaitingInLobby,
    /// Was admitted.
    Admitted,
    /// Was not admitted.
    NotAdmitted,
    /// Was removed.
    Removed,
    /// The meeting is locked.
    RoomLocked,
    /// The meeting is full.
    RoomFull,
    /// The meeting was ended for everyone.
    RoomEnded,
    /// Has the host's rights.
    YouAreHost,
    /// Nobody hears you.
    YouAreMuted,
    /// You are heard.
    YouAreUnmuted,
    /// A host muted you.
    MutedByHost,
    /// A host lets you be heard again.
    UnmutedByHost,
    /// A host muted you and you may not unmute alone.
    MayNotUnmute,
    /// Your hand is up.
    HandRaised,
    /// Your hand is down.
    HandLowered,
    /// Nobody else comes in.
    NowLocked,
    /// People come in again.
    NowUnlocked,
    /// Every guest is muted.
    AllMuted,
    /// Every guest may speak.
    AllUnmuted,
    /// Everyone who waited was let in.
    AllAdmitted,
    /// Nobody waits.
    NobodyWaiting,
    /// So many people are in the meeting.
    Count(u32),
    /// Who is in the meeting.
    RollCall(Vec<RollCallEntry>),
    /// Only a host may do this.
    HostOnly,
}

/// One person in a roll call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollCallEntry {
    /// The last digits of the number, where it was shown.
    pub last_digits: Option<String>,
    /// Is a host.
    pub host: bool,
    /// Is the one who asked.
    pub yourself: bool,
    /// Is muted.
    pub muted: bool,
    /// Is on hold.
    pub held: bool,
    /// Has a hand up.
    pub hand: bool,
    /// Where it stands.
    pub state: State,
}

/// What is heard while waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Music.
    Music,
    /// A soft tone every few seconds.
    Tone,
}
