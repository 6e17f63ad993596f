//! Announcements as clips, by language.

use crate::call::speech;
use crate::media::clip::Clip;
use crate::room::{Announcement, RollCallEntry};

/// One prompt by name.
pub(super) fn prompt(language: &str, name: &str) -> Clip {
    Clip::Prompt(language.into(), name.into())
}

/// What is said to one person.
pub(super) fn announcement(what: &Announcement, language: &str) -> Vec<Clip> {
    let name = match what {
        Announcement::Joining { others } => {
            let mut clips = vec![prompt(language, "joining")];
            // In a large meeting the number is all that is wanted; alone with one other it goes without saying.
            if *others > 1 {
                clips.extend(speech::count(language, others + 1));
            }
            return clips;
        }
        Announcement::Count(count) => return speech::count(language, *count),
        Announcement::RollCall(entries) => return speech::roll_call(language, &entries.iter().map(entry).collect::<Vec<_>>()),
        Announcement::YouAreFirst => "you-are-first",
        Announcement::WaitingForHost => "waiting-for-host",
        Announcement::WaitingInLobby => "waiting-in-lobby",
        Announcement::Admitted => "admitted",
        Announcement::NotAdmitted => "not-admitted",
        Announcement::Removed => "removed",
        Announcement::RoomLocked => "meeting-locked",
        Announcement::RoomFull => "meeting-full",
        Announcement::RoomEnded => "meeting-ended",
        Announcement::YouAreHost => "you-are-host",
        Announcement::YouAreMuted => "you-are-muted",
        Announcement::YouAreUnmuted => "you-are-unmuted",
        Announcement::MutedByHost => "muted-by-host",
        Announcement::MayNotUnmute => "unmute-not-allowed",
        Announcement::HandRaised => "hand-raised",
        Announcement::HandLowered => "hand-lowered",
        Announcement::NowLocked => "meeting-now-locked",
        Announcement::NowUnlocked => "meeting-now-unlocked",
        Announcement::AllMuted => "all-muted",
        Announcement::AllUnmuted => "all-unmuted",
        Announcement::AllAdmitted => "all-admitted",
        Announcement::NobodyWaiting => "nobody-waiting",
        Announcement::HostOnly => "host-only",
    };
    vec![prompt(language, name)]
}

fn entry(of: &RollCallEntry) -> speech::Entry {
    speech::Entry {
        last_digits: of.last_digits.clone(),
        yourself: of.yourself,
        host: of.host,
        muted: of.muted,
        held: of.held,
        hand: of.hand,
    }
}
