//! Cross-signing keys, and the signatures that were uploaded beside them.

use sea_orm::ConnectionTrait;

use super::{Error, Id, Position, Topic, Txn, execute, query_all, values};

/// A user's cross-signing key.
#[derive(Debug, Clone)]
pub struct StoredCrossSigningKey {
    /// `master`, `self_signing` or `user_signing`.
    pub usage: String,
    /// Unpadded base64.
    pub public_key: String,
    pub json: String,
}

/// A signature over a device's keys or a cross-signing key.
#[derive(Debug, Clone)]
pub struct StoredSignature {
    /// A device id or a public cross-signing key.
    pub target: String,
    pub signer: Id,
    /// `ed25519:…`
    pub key_id: String,
    /// Unpadded base64.
    pub signature: String,
}

/// The keys of `user`, at most three, in order of usage.
pub async fn list_cross_signing_keys(
    db: &impl ConnectionTrait,
    user: Id,
) -> Result<Vec<StoredCrossSigningKey>, Error> {
    const LIST: &str =
        "SELECT usage, public_key, json FROM cross_signing_keys WHERE user_id = $1 ORDER BY usage";
    query_all(db, LIST, values![user])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredCrossSigningKey {
                usage: row.get(0)?,
                public_key: row.get(1)?,
                json: row.get(2)?,
            })
        })
        .collect()
}

/// Stores or replaces one key of `user`.
pub async fn upsert_cross_signing_key(
    txn: &Txn,
    user: Id,
    key: &StoredCrossSigningKey,
) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO cross_signing_keys (user_id, usage, public_key, json) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, json = excluded.json";
    let row = values![user, key.usage.as_str(), key.public_key.as_str(), key.json.as_str()];
    execute(txn.db(), UPSERT, row).await?;
    Ok(())
}

/// Deletes a key, the signatures upon it and those it made.
pub async fn delete_cross_signing_key(
    txn: &Txn,
    user: Id,
    usage: &str,
    public_key: &str,
) -> Result<(), Error> {
    const KEY: &str = "DELETE FROM cross_signing_keys WHERE user_id = $1 AND usage = $2";
    const UPON: &str = "DELETE FROM key_signatures WHERE target_user = $1 AND target = $2";
    const BY: &str = "DELETE FROM key_signatures WHERE signer = $1 AND key_id = $2";
    execute(txn.db(), KEY, values![user, usage]).await?;
    execute(txn.db(), UPON, values![user, public_key]).await?;
    execute(txn.db(), BY, values![user, format!("ed25519:{public_key}")]).await?;
    Ok(())
}

/// Signatures over keys of `user` made by `user` or by `viewer`, in order.
pub async fn list_signatures(
    db: &impl ConnectionTrait,
    user: Id,
    viewer: Id,
) -> Result<Vec<StoredSignature>, Error> {
    const LIST: &str = "SELECT target, signer, key_id, signature FROM key_signatures \
         WHERE target_user = $1 AND signer IN ($1, $2) ORDER BY target, signer, key_id LIMIT 10000";
    query_all(db, LIST, values![user, viewer])
        .await?
        .iter()
        .map(|row| {
            Ok(StoredSignature {
                target: row.get(0)?,
                signer: row.get(1)?,
                key_id: row.get(2)?,
                signature: row.get(3)?,
            })
        })
        .collect()
}

/// Stores a signature that was verified.
pub async fn upsert_signature(
    txn: &Txn,
    target_user: Id,
    signature: &StoredSignature,
) -> Result<(), Error> {
    const UPSERT: &str = "INSERT INTO key_signatures (target_user, target, signer, key_id, signature) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (target_user, target, signer, key_id) \
         DO UPDATE SET signature = excluded.signature";
    let row = values![
        target_user,
        signature.target.as_str(),
        signature.signer,
        signature.key_id.as_str(),
        signature.signature.as_str()
    ];
    execute(txn.db(), UPSERT, row).await?;
    Ok(())
}

/// Deletes what was signed upon `target`: its keys were replaced.
pub async fn delete_signatures_upon(txn: &Txn, user: Id, target: &str) -> Result<(), Error> {
    const DELETE: &str = "DELETE FROM key_signatures WHERE target_user = $1 AND target = $2";
    execute(txn.db(), DELETE, values![user, target]).await?;
    Ok(())
}

/// `signer` signed `target_user`: their own clients must look again.
pub async fn insert_signature_change(
    txn: &Txn,
    signer: Id,
    target_user: Id,
) -> Result<Position, Error> {
    const UPSERT: &str = "INSERT INTO signature_changes (signer, target_user, position) VALUES ($1, $2, $3) \
         ON CONFLICT (signer, target_user) DO UPDATE SET position = excluded.position";
    let position = txn.next_position_of(Topic::DeviceLists);
    execute(txn.db(), UPSERT, values![signer, target_user, position]).await?;
    Ok(position)
}
