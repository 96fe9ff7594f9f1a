//! Other servers' signing keys, kept across restarts.

use async_trait::async_trait;
use ruma::ServerName;
use tern_federation::{KeyStore, KeyStoreError, ServerKeys};

use super::{Database, Error, execute, query_one, values};

#[async_trait]
impl KeyStore for Database {
    async fn load(&self, server: &ServerName) -> Result<Option<ServerKeys>, KeyStoreError> {
        const FIND: &str = "SELECT keys FROM server_keys WHERE server_name = $1";
        let row = query_one(self.read(), FIND, values![server.as_str()]).await.map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let keys: String = row.get(0).map_err(failed)?;
        serde_json::from_str(&keys).map(Some).map_err(|error| KeyStoreError(error.to_string()))
    }

    async fn save(&self, keys: &ServerKeys) -> Result<(), KeyStoreError> {
        const SAVE: &str = "INSERT INTO server_keys (server_name, keys) VALUES ($1, $2) \
             ON CONFLICT (server_name) DO UPDATE SET keys = excluded.keys";
        let json = serde_json::to_string(keys).map_err(|error| KeyStoreError(error.to_string()))?;
        let row = values![keys.server_name.as_str(), json];
        self.write(move |txn| Box::pin(async move { execute(txn.db(), SAVE, row).await }))
            .await
            .map(|_| ())
            .map_err(failed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn failed(error: Error) -> KeyStoreError {
    KeyStoreError(error.to_string())
}
