//! What goes wrong with a database, in words an operator or integrator can act on.

use std::fmt;
use std::path::PathBuf;

use sqlx::error::DatabaseError;

/// Why the database cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The file or its directory cannot be made or opened.
    Path(PathBuf, String),
    /// Another program has it open.
    InUse(PathBuf),
    /// It was written by a newer version of this program.
    Newer(PathBuf, i64),
    /// It was written by an older version; opened to read it is not brought up to date.
    Older(PathBuf),
    /// A migration that ran is not the one this program knows.
    Altered(PathBuf, i64),
    /// It is not a database, or a damaged one.
    Damaged(PathBuf, String),
    /// Anything else.
    Other(PathBuf, String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Path(path, why) => {
                write!(
                    f,
                    "cannot open the database {}: {why}. Set store.path to a file in a directory this user may write to",
                    path.display()
                )
            }
            OpenError::InUse(path) => {
                write!(
                    f,
                    "the database {} is in use by another program: stop that one, or give this one its own store.path",
                    path.display()
                )
            }
            OpenError::Newer(path, version) => write!(
                f,
                "the database {} was written by a newer version of this program (schema {version}): run that version, or restore a backup made before the upgrade",
                path.display()
            ),
            OpenError::Older(path) => write!(
                f,
                "the database {} was written by an older version of this program: the next start brings it up to date",
                path.display()
            ),
            OpenError::Altered(path, version) => {
                write!(
                    f,
                    "the database {} has another schema {version} than this program: it was written by a different build",
                    path.display()
                )
            }
            OpenError::Damaged(path, why) => {
                write!(
                    f,
                    "{} is not a sound database ({why}): move it away to begin anew, or restore a backup",
                    path.display()
                )
            }
            OpenError::Other(path, why) => write!(f, "cannot use the database {}: {why}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why something was not stored or read.
#[derive(Debug)]
pub enum StoreError {
    /// A named constraint of the schema forbids it.
    Constraint(Constraint),
    /// There is no such row.
    NotFound,
    /// Somebody else held the database for too long, or it is full; nothing was changed.
    Unavailable(String),
    /// A row cannot be read, or our own fault.
    Internal(String),
}

/// The schema's constraints, as far as something sent by a client can violate them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// `trunk_name_key`
    TrunkName,
    /// `trunk_username_key`
    TrunkUsername,
    /// `room_pin_key`
    Pin,
    /// `did_called_key`
    Called,
    /// `user_name_key`
    UserName,
    /// `extension_number_key`
    ExtensionNumber,
    /// `ring_group_member_once`
    MemberTwice,
    /// `phone_mac_key`
    PhoneMac,
    /// `relay_name_key`
    RelayName,
    /// A reference, seen from what names something that is not there
    Nowhere,
    /// A reference, seen from what is still named
    StillUsed,
    /// Any other by its name: lengths and ranges that the API checks before.
    Other,
}

impl Constraint {
    /// What to tell who asked.
    pub const fn text(self) -> &'static str {
        match self {
            Constraint::TrunkName => "another trunk has this name",
            Constraint::TrunkUsername => "another trunk has this user name",
            Constraint::Pin => "this PIN opens another room, or the same room in the other role",
            Constraint::Called => "another rule has the same number for the same trunk",
            Constraint::UserName => "another extension, group or trunk has this user name",
            Constraint::ExtensionNumber => "another extension has this number",
            Constraint::MemberTwice => "somebody is in the group twice",
            Constraint::PhoneMac => "another phone has this hardware address",
            Constraint::RelayName => "another relay has this name",
            Constraint::Nowhere => "something that it names is not there",
            Constraint::StillUsed => "something still leads here: change or delete that first",
            Constraint::Other => "a value is outside what may be stored",
        }
    }

    /// The field of the body that it is about, as a JSON pointer; empty where it is none.
    pub const fn pointer(self) -> &'static str {
        match self {
            Constraint::TrunkName => "/name",
            Constraint::TrunkUsername => "/credentials/username",
            Constraint::Pin => "/pin",
            Constraint::Called => "/called",
            Constraint::UserName => "/user",
            Constraint::ExtensionNumber => "/number",
            Constraint::MemberTwice => "/members",
            Constraint::PhoneMac => "/mac",
            Constraint::RelayName => "/name",
            Constraint::Nowhere | Constraint::StillUsed | Constraint::Other => "",
        }
    }

    /// SQLite names check constraints and expression indexes in its message, and columns otherwise.
    fn of(error: &dyn DatabaseError) -> Option<Self> {
        let message = error.message();
        let known = [
            ("trunk.name", Constraint::TrunkName),
            ("trunk.username", Constraint::TrunkUsername),
            ("room_pin.pin", Constraint::Pin),
            ("did_called_key", Constraint::Called),
            ("user_name.name", Constraint::UserName),
            ("extension.number", Constraint::ExtensionNumber),
            ("ring_group_member.extension", Constraint::MemberTwice),
            ("phone.mac", Constraint::PhoneMac),
            ("relay.name", Constraint::RelayName),
        ];
        if message.contains("FOREIGN KEY constraint failed") {
            return Some(Constraint::StillUsed);
        }
        if !message.contains("constraint failed") {
            return None;
        }
        Some(
            known
                .iter()
                .find(|(name, _)| message.contains(name))
                .map_or(Constraint::Other, |(_, constraint)| *constraint),
        )
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Constraint(constraint) => f.write_str(constraint.text()),
            StoreError::NotFound => f.write_str("there is no such row"),
            StoreError::Unavailable(why) => write!(f, "the database is not available: {why}"),
            StoreError::Internal(why) => write!(f, "the database failed: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => return StoreError::NotFound,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => return StoreError::Unavailable(error.to_string()),
            sqlx::Error::Database(database) => {
                if let Some(constraint) = Constraint::of(database.as_ref()) {
                    return StoreError::Constraint(constraint);
                }
                // Primary result codes: 5 busy, 6 locked, 8 read-only, 10 I/O error, 13 disk full, 14 cannot open.
                let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0) & 0xff;
                if [5, 6, 8, 10, 13, 14].contains(&code) {
                    return StoreError::Unavailable(database.message().to_owned());
                }
            }
            _ => {}
        }
        StoreError::Internal(error.to_string())
    }
}

/// A column that does not hold what was written there.
pub(crate) fn unreadable(what: &str, why: impl fmt::Display) -> StoreError {
    StoreError::Internal(format!("{what} cannot be read: {why}"))
}
