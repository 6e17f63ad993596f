//! Devices of people of the house, their personal links, and whether calls follow them.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::error::unreadable;
use super::{Store, StoreError};
use crate::base::Utc;
use crate::base::id::ExtensionId;
use crate::device::{Consent, Device, Habits, Kind, PersonalLink, REMEMBERED, Transfers};
use crate::gateway::device::PersonRecord;
use crate::ticket::Hash;

impl Store {
    /// Every device that is kept.
    pub async fn devices(&self) -> Result<Vec<Device>, StoreError> {
        let rows = sqlx::query("select * from device order by created, id").fetch_all(&self.reads).await?;
        rows.iter().map(read).collect()
    }

    /// Every personal link that counts.
    pub async fn personal_links(&self, now: Utc) -> Result<Vec<PersonalLink>, StoreError> {
        let sql = "select hash, extension, expires from personal_link where expires > ? order by expires";
        let rows = sqlx::query(sql).bind(now.0).fetch_all(&self.reads).await?;
        rows.iter()
            .map(|row| {
                Ok(PersonalLink {
                    extension: extension(row, "personal_link.extension")?,
                    hash: hash(row.try_get("hash")?, "personal_link.hash")?,
                    expires: Utc(row.try_get("expires")?),
                })
            })
            .collect()
    }

    /// What is allowed of people beyond their devices.
    pub async fn habits(&self) -> Result<Vec<(ExtensionId, Habits)>, StoreError> {
        let rows = sqlx::query("select extension, follow from habit order by extension").fetch_all(&self.reads).await?;
        rows.iter()
            .map(|row| {
                Ok((extension(row, "habit.extension")?, Habits { follow: row.try_get::<i64, _>("follow")? != 0 }))
            })
            .collect()
    }

    /// Forgets browsers that nobody comes back with.
    pub(super) async fn prune_devices(&self, now: Utc) -> Result<u64, StoreError> {
        let sql = "delete from device where kind = 'browser' and seen < ?";
        let before = now.0.saturating_sub(REMEMBERED);
        let done = sqlx::query(sql).bind(before).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }

    /// Forgets personal links that count no more.
    pub(super) async fn prune_personal_links(&self, now: Utc) -> Result<u64, StoreError> {
        let done =
            sqlx::query("delete from personal_link where expires <= ?").bind(now.0).execute(&self.writes).await?;
        Ok(done.rows_affected())
    }
}

/// Keeps what changed about a person, where the person is there yet.
pub(super) async fn write(tx: &mut sqlx::SqliteConnection, what: &PersonRecord) -> Result<(), StoreError> {
    let query = match what {
        PersonRecord::Device(device) => {
            let sql = "insert into device (id, extension, kind, name, capabilities, transfers, camera, key, created, seen) \
                       select ?, id, ?, ?, ?, ?, ?, ?, ?, ? from extension where id = ? \
                       on conflict (id) do update set name = excluded.name, capabilities = excluded.capabilities, \
                       transfers = excluded.transfers, camera = excluded.camera, key = excluded.key, seen = excluded.seen";
            let capabilities =
                serde_json::to_string(&device.capabilities).map_err(|error| StoreError::Internal(error.to_string()))?;
            sqlx::query(sql)
                .bind(device.id.to_string())
                .bind(kind(device.kind))
                .bind(device.name.clone())
                .bind(capabilities)
                .bind(transfers(device.consent.transfers))
                .bind(i64::from(device.consent.camera))
                .bind(device.key.map(|key| key.0.to_vec()))
                .bind(device.created.0)
                .bind(device.seen.0)
                .bind(device.extension.to_string())
        }
        PersonRecord::DeviceGone(id) => sqlx::query("delete from device where id = ?").bind(id.to_string()),
        PersonRecord::Link(link) => {
            let sql = "insert or replace into personal_link (hash, extension, expires) select ?, id, ? from extension where id = ?";
            sqlx::query(sql).bind(link.hash.0.to_vec()).bind(link.expires.0).bind(link.extension.to_string())
        }
        PersonRecord::LinksGone(id) => {
            sqlx::query("delete from personal_link where extension = ?").bind(id.to_string())
        }
        PersonRecord::Habits(id, habits) => {
            let sql = "insert or replace into habit (extension, follow) select id, ? from extension where id = ?";
            sqlx::query(sql).bind(i64::from(habits.follow)).bind(id.to_string())
        }
    };
    query.execute(&mut *tx).await?;
    Ok(())
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Telephone => "telephone",
        Kind::Browser => "browser",
        Kind::App => "app",
    }
}

const fn transfers(transfers: Transfers) -> &'static str {
    match transfers {
        Transfers::Never => "never",
        Transfers::Ask => "ask",
        Transfers::AtOnce => "at_once",
    }
}

fn extension(row: &SqliteRow, column: &'static str) -> Result<ExtensionId, StoreError> {
    row.try_get::<&str, _>("extension")?.parse().map_err(|error| unreadable(column, error))
}

fn hash(bytes: Vec<u8>, column: &'static str) -> Result<Hash, StoreError> {
    Ok(Hash(bytes.try_into().map_err(|_| unreadable(column, "not 32 bytes"))?))
}

fn read(row: &SqliteRow) -> Result<Device, StoreError> {
    let kind = match row.try_get::<&str, _>("kind")? {
        "telephone" => Kind::Telephone,
        "browser" => Kind::Browser,
        _ => Kind::App,
    };
    let transfers = match row.try_get::<&str, _>("transfers")? {
        "never" => Transfers::Never,
        "at_once" => Transfers::AtOnce,
        _ => Transfers::Ask,
    };
    Ok(Device {
        id: row.try_get::<&str, _>("id")?.parse().map_err(|error| unreadable("device.id", error))?,
        extension: extension(row, "device.extension")?,
        kind,
        name: row.try_get("name")?,
        capabilities: serde_json::from_str(row.try_get("capabilities")?)
            .map_err(|error| unreadable("device.capabilities", error))?,
        consent: Consent { transfers, camera: row.try_get::<i64, _>("camera")? != 0 },
        key: row.try_get::<Option<Vec<u8>>, _>("key")?.map(|bytes| hash(bytes, "device.key")).transpose()?,
        created: Utc(row.try_get("created")?),
        seen: Utc(row.try_get("seen")?),
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test has files of its own")]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::base::id::DeviceId;
    use crate::device::Capability;
    use crate::route::Extension;

    #[tokio::test]
    async fn devices_links_and_habits_are_kept_with_their_person_and_go_with_them() {
        let folder = std::env::temp_dir().join(format!("ringlift-store-device-{}", std::process::id()));
        let store = Store::open(&folder.join("node.db"), Utc(0)).await.unwrap().store;
        let anna = ExtensionId::from_bits(1);
        store.add_extension(&Extension::new(anna, "101", Secret::new("long enough")), None).await.unwrap();
        let laptop = Device {
            id: DeviceId::from_bits(7),
            extension: anna,
            kind: Kind::Browser,
            name: "Laptop".into(),
            capabilities: [Capability::Audio, Capability::Video].into(),
            consent: Consent { transfers: Transfers::AtOnce, camera: true },
            key: Some(Hash::of("secret")),
            created: Utc(5),
            seen: Utc(900),
        };
        let stranger = Device { id: DeviceId::from_bits(8), extension: ExtensionId::from_bits(9), ..laptop.clone() };
        let link = PersonalLink { extension: anna, hash: Hash::of("link"), expires: Utc(1000) };
        let mut tx = store.begin().await.unwrap();
        for what in [
            PersonRecord::Device(Box::new(Device { name: "New".into(), ..laptop.clone() })),
            PersonRecord::Device(Box::new(laptop.clone())),
            PersonRecord::Device(Box::new(stranger)),
            PersonRecord::Link(link.clone()),
            PersonRecord::Habits(anna, Habits { follow: true }),
        ] {
            write(&mut tx, &what).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(store.prune_devices(Utc(900 + REMEMBERED)).await.unwrap(), 0, "on its last day");
        assert_eq!(store.devices().await.unwrap(), [laptop], "of people who are there alone");
        assert_eq!(store.prune_devices(Utc(901 + REMEMBERED)).await.unwrap(), 1);
        assert!(store.devices().await.unwrap().is_empty());
        assert_eq!(store.personal_links(Utc(999)).await.unwrap(), [link]);
        assert!(store.personal_links(Utc(1000)).await.unwrap().is_empty());
        assert_eq!(store.habits().await.unwrap(), [(anna, Habits { follow: true })]);
        assert_eq!(store.prune_personal_links(Utc(2000)).await.unwrap(), 1);
        store.delete_extension(anna).await.unwrap();
        assert!(store.devices().await.unwrap().is_empty() && store.habits().await.unwrap().is_empty());
        store.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
