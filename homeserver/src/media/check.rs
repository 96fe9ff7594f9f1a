//! Whether every file that the database names is on the disk, whole.

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};

use super::{Media, MediaError};
use crate::{
    app::App,
    storage::{self, media::ContentHash},
};

/// Files that are listed at once.
const PAGE: u32 = 500;

/// Reads every file and tells `fault` which is missing or has other bytes than its name says. Returns how many there are.
///
/// # Errors
/// When the database cannot be read.
pub async fn check(
    app: &App,
    media: &Media,
    fault: &mut impl FnMut(String),
) -> Result<u64, MediaError> {
    let (mut checked, mut after) = (0, ContentHash::new());
    loop {
        let page = storage::media::list_hashes(&app.db, &after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(checked) };
        after = last.clone();
        for hash in page {
            checked += 1;
            let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            match digest(media, &hash).await {
                Ok(found) if found == hash => {}
                Ok(_) => fault(format!("file {name}: it has other bytes than its name says")),
                Err(error) => fault(format!("file {name}: {error}")),
            }
        }
    }
}

async fn digest(media: &Media, hash: &ContentHash) -> Result<ContentHash, MediaError> {
    let mut bytes = media.0.store.get(hash, None).await?;
    let mut digest = Sha256::new();
    while let Some(chunk) = bytes.try_next().await? {
        digest.update(&chunk);
    }
    Ok(digest.finalize().to_vec())
}
