//! Bytes by their SHA-256, in an object store; today a local folder. An object is whole and on the disk before its name is.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    path::Path as FilePath,
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
    local::LocalFileSystem, path::Path,
};
use sha2::{Digest, Sha256};

use super::{ByteStream, MediaError};
use crate::{
    disk,
    random::{LETTERS, Random},
    storage::media::ContentHash,
};

/// Where uploads under way are kept; emptied at start.
const UNFINISHED: &str = "unfinished";
/// Bytes gathered before they are written.
const PART_BYTES: usize = 1024 * 1024;

/// The object store.
#[derive(Debug)]
pub(super) struct Store {
    objects: LocalFileSystem,
    random: Random,
}

/// Bytes that are on the disk under their hash.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) hash: ContentHash,
    pub(super) size: i64,
}

impl Store {
    pub(super) fn open(folder: &FilePath, random: Random) -> Result<Self, MediaError> {
        disk::make_folder(folder, disk::PRIVATE)?;
        match fs::remove_dir_all(folder.join(UNFINISHED)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(Self { objects: LocalFileSystem::new_with_prefix(folder)?, random })
    }

    /// Keeps a stream, at most `max_bytes` of it.
    ///
    /// # Errors
    /// [`MediaError::TooLarge`] beyond; [`MediaError::Broken`] when the stream fails. Nothing is left behind.
    pub(super) async fn put(
        &self,
        content: ByteStream,
        max_bytes: u64,
    ) -> Result<Stored, MediaError> {
        let name = self.random.characters(LETTERS, 24);
        let unfinished = Path::from_iter([UNFINISHED, &name]);
        let mut upload = self.objects.put_multipart(&unfinished).await?;
        let written = match write_parts(upload.as_mut(), content, max_bytes).await {
            Ok(written) => written,
            Err(error) => {
                upload.abort().await.ok();
                return Err(error);
            }
        };
        upload.complete().await?;
        let named = self.name(&unfinished, &written).await;
        if named.is_err() {
            // Gone already where only its folder failed.
            self.objects.delete(&unfinished).await.ok();
        }
        named.map(|()| written)
    }

    /// Gives an object that is written its name.
    async fn name(&self, unfinished: &Path, written: &Stored) -> Result<(), MediaError> {
        let file = self.objects.path_to_filesystem(unfinished)?;
        sync(file, false).await?;
        let object = object_path(&written.hash);
        self.objects.rename(unfinished, &object).await?;
        // The name is durable only with its folder.
        sync(self.objects.path_to_filesystem(&object)?, true).await
    }

    /// The bytes of an object, or a range of them.
    pub(super) async fn get(
        &self,
        hash: &[u8],
        range: Option<Range<u64>>,
    ) -> Result<ByteStream, MediaError> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.objects.get_opts(&object_path(hash), options).await {
            Ok(object) => Ok(Box::pin(object.into_stream().map_err(io::Error::other))),
            Err(object_store::Error::NotFound { .. }) => Err(MediaError::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    /// All bytes of an object.
    pub(super) async fn read(&self, hash: &[u8]) -> Result<Bytes, MediaError> {
        Ok(self.objects.get(&object_path(hash)).await?.bytes().await?)
    }

    /// Removes an object; one that is gone already is no error.
    pub(super) async fn delete(&self, hash: &[u8]) -> Result<(), MediaError> {
        match self.objects.delete(&object_path(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn write_parts(
    upload: &mut dyn MultipartUpload,
    mut content: ByteStream,
    max_bytes: u64,
) -> Result<Stored, MediaError> {
    let mut hasher = Sha256::new();
    let mut size: u64 = 0;
    let mut part = BytesMut::new();
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|error| MediaError::Broken(error.to_string()))?;
        size += chunk.len() as u64;
        if size > max_bytes {
            return Err(MediaError::TooLarge { max_bytes });
        }
        hasher.update(&chunk);
        part.extend_from_slice(&chunk);
        if part.len() >= PART_BYTES {
            upload.put_part(PutPayload::from(part.split().freeze())).await?;
        }
    }
    if !part.is_empty() {
        upload.put_part(PutPayload::from(part.freeze())).await?;
    }
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    Ok(Stored { hash: hasher.finalize().to_vec(), size })
}

/// Two levels of folders: no folder with a million files.
fn object_path(hash: &[u8]) -> Path {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let (first, rest) = hex.split_at_checked(2).unwrap_or((&hex, ""));
    let (second, rest) = rest.split_at_checked(2).unwrap_or((rest, ""));
    Path::from_iter([first, second, rest])
}

/// Waits until a file, or the folders it is in, are on the disk.
async fn sync(file: std::path::PathBuf, folders: bool) -> Result<(), MediaError> {
    let synced = tokio::task::spawn_blocking(move || {
        if !folders {
            return File::open(file)?.sync_all();
        }
        for folder in file.ancestors().skip(1).take(3) {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    });
    Ok(synced.await.map_err(io::Error::other)??)
}
