//! The first admin key: made at the first start, shown once.

use super::scope::Scope;
use crate::base::Secret;
use crate::store::{Store, StoreError, clock};

/// Makes an admin key if there is none that opens; returns its secret, which is not kept.
pub async fn first_key(store: &Store) -> Result<Option<Secret>, StoreError> {
    let admin = Scope::Admin.name();
    let keys = store.keys().await?;
    if keys.iter().any(|key| key.revoked.is_none() && key.scopes.iter().any(|scope| scope == admin)) {
        return Ok(None);
    }
    let (_, secret) = store.add_key("first admin key", &[admin.to_owned()], clock::utc()).await?;
    Ok(Some(secret))
}

/// Forgets a first key that could not be shown, so that the next start makes another: nobody could ever log in otherwise.
pub async fn take_back(store: &Store, key: &Secret) -> Result<(), StoreError> {
    match store.key_by_secret(key.expose()).await? {
        Some(key) => store.forget_key(key.id).await,
        None => Ok(()),
    }
}
