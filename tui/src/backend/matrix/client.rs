//! Building the SDK's client: stores, encryption settings, token refresh.

use matrix_sdk::{
    Client, SqliteStoreConfig,
    cross_process_lock::CrossProcessLockConfig,
    encryption::{BackupDownloadStrategy, EncryptionSettings},
    sliding_sync::VersionBuilder,
};
use url::Url;

use super::{http::Http, socket, store::Store};

#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("The data folder can't be written: {0}. Check its permissions and the free space.")]
    Folder(#[from] std::io::Error),
    #[error(
        "The stored history can't be opened: {0}. Close other programs that use this folder, then start Tern again."
    )]
    Build(#[from] Box<matrix_sdk::ClientBuildError>),
}

/// A client for `homeserver` on the stores of `store`. Touches the disk, not the network.
pub(super) async fn build(
    http: &Http,
    store: &Store,
    homeserver: &Url,
) -> Result<Client, ClientError> {
    store.prepare()?;
    let databases = SqliteStoreConfig::with_low_memory_config(store.sdk_dir())
        .key(Some(store.key()))
        .pool_max_size(4);
    let client = Client::builder()
        .homeserver_url(homeserver)
        .http_client(socket::client(http, &store.sdk_dir()))
        .sqlite_store_with_config_and_cache_path(databases, None::<std::path::PathBuf>)
        // One `tern` per data folder: else the SDK writes into its stores twenty times a second to say that they are taken.
        .cross_process_store_config(CrossProcessLockConfig::SingleProcess)
        .handle_refresh_tokens()
        // Decided when `/versions` is known: the client must open without a network.
        .sliding_sync_version_builder(VersionBuilder::None)
        .with_encryption_settings(EncryptionSettings {
            auto_enable_cross_signing: true,
            auto_enable_backups: true,
            backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
        })
        .build()
        .await
        .map_err(Box::new)?;
    Ok(client)
}
