//! Announcements as clips, by language.

use crate::call::speech::{Language, Prompt, RollEntry, Who};
use crate::media::clip::Clip;
use crate::room::{Announcement, RollCallEntry};

/// What is said to one person.
pub(super) fn announcement(what: &Announcement, language: &Language) -> Vec<Clip> {
    let prompt = match what {
        Announcement::Joining { others } => {
            let mut clips = vec![language.say(Prompt::Joining)];
            // With one other it goes without saying.
            if *others > 1 {
                clips.extend(language.count(*others as usize + 1));
            }
            return clips;
        }
        Announcement::Count(people) => return language.count(*people as usize),
        Announcement::RollCall(entries) => return language.roll_call(&entries.iter().map(entry).collect::<Vec<_>>()),
        Announcement::YouAreFirst => Prompt::YouAreFirst,
        Announcement::WaitingForHost => Prompt::WaitingForHost,
        Announcement::WaitingInLobby => Prompt::WaitingInLobby,
        Announcement::Admitted => Prompt::Admitted,
        Announcement::NotAdmitted => Prompt::NotAdmitted,
        Announcement::Removed => Prompt::Removed,
        Announcement::RoomLocked => Prompt::MeetingLocked,
        Announcement::RoomFull => Prompt::MeetingFull,
        Announcement::RoomEnded => Prompt::MeetingEnded,
        Announcement::YouAreHost => Prompt::YouAreHost,
        Announcement::YouAreMuted => Prompt::YouAreMuted,
        Announcement::YouAreUnmuted => Prompt::YouAreUnmuted,
        Announcement::MutedByHost => Prompt::MutedByHost,
        Announcement::UnmutedByHost => Prompt::UnmutedByHost,
        Announcement::MayNotUnmute => Prompt::UnmuteNotAllowed,
        Announcement::HandRaised => Prompt::HandRaised,
        Announcement::HandLowered => Prompt::HandLowered,
        Announcement::NowLocked => Prompt::MeetingNowLocked,
        Announcement::NowUnlocked => Prompt::MeetingNowUnlocked,
        Announcement::AllMuted => Prompt::AllMuted,
        Announcement::AllUnmuted => Prompt::AllUnmuted,
        Announcement::AllAdmitted => Prompt::AllAdmitted,
        Announcement::NobodyWaiting => Prompt::NobodyWaiting,
        Announcement::HostOnly => Prompt::HostOnly,
    };
    vec![language.say(prompt)]
}

fn entry(of: &RollCallEntry) -> RollEntry {
    let who = match &of.last_digits {
        _ if of.yourself => Who::You,
        Some(ending) => Who::Caller { ending: ending.clone() },
        None => Who::Anonymous,
    };
    RollEntry { who, host: of.host, muted: of.muted, hand: of.hand, on_hold: of.held }
}
