//! Received files on their way to disk: streamed, with progress, stopped and gone on with.
//!
//! What has come stands beside the target as a hidden `.part` file, as it came (of encrypted files that is ciphertext). A later
//! try asks the server for the rest. Only a whole file that fits its hash gets the name that was asked for.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use matrix_sdk_base::crypto::AttachmentDecryptor;
use matrix_sdk_ui::timeline::{MsgLikeKind, TimelineItemContent};
use reqwest::{StatusCode, header};
use ruma::{
    OwnedMxcUri,
    events::{
        room::{EncryptedFile, MediaSource, message::MessageType},
        sticker::StickerMediaSource,
    },
};
use tokio::{io::AsyncWriteExt, task::AbortHandle, time::Instant};
use url::Url;

use super::{session::Session, timeline};
use crate::backend::{Report, TransferEnd};

/// Progress is told this far apart at least.
const TOLD_EVERY: Duration = Duration::from_millis(150);

/// The transfers that run.
#[derive(Default)]
pub(super) struct Transfers(Mutex<HashMap<u64, AbortHandle>>);

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("The message with this file is not here any more.")]
    Gone,
    #[error("Its address makes no sense.")]
    Address,
    #[error("The server does not have it any more ({0}).")]
    Refused(StatusCode),
    #[error("The connection broke. s goes on with it.")]
    Connection(#[from] reqwest::Error),
    #[error("{} can't be written: {error}. Save it somewhere else.", path.display())]
    Disk { path: PathBuf, error: io::Error },
    #[error("What came is not what was sent. s tries again.")]
    Damaged,
}

/// Begins to save the file of a message.
pub(super) fn save(session: &Arc<Session>, id: u64, chat: String, key: String, path: PathBuf) {
    let running = session.clone();
    let task = session.spawn(async move {
        let end = match fetch(&running, id, &chat, &key, &path).await {
            Ok(path) => TransferEnd::Saved(path),
            Err(error) => TransferEnd::Failed(error.to_string()),
        };
        running.transfers.lock().remove(&id);
        running.reports.send(Report::TransferEnded { id, end });
    });
    session.transfers.lock().insert(id, task);
}

/// Stops it. What has come stays.
pub(super) fn stop(session: &Session, id: u64) {
    if let Some(task) = session.transfers.lock().remove(&id) {
        task.abort();
        session.reports.send(Report::TransferEnded { id, end: TransferEnd::Cancelled });
    }
}

impl Transfers {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(
    session: &Session,
    id: u64,
    chat: &str,
    key: &str,
    path: &Path,
) -> Result<PathBuf, FileError> {
    let timeline = session.timeline(chat).await.ok_or(FileError::Gone)?;
    let item = timeline::item(&timeline, key).await.ok_or(FileError::Gone)?;
    let source = source_of(item.content()).ok_or(FileError::Gone)?;
    let (uri, encrypted) = match source {
        MediaSource::Plain(uri) => (uri, None),
        MediaSource::Encrypted(file) => (file.url.clone(), Some(*file)),
    };
    let part = part_of(path, &uri);
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(|error| disk(folder, error))?;
    }
    download(session, id, &uri, &part).await?;
    let path = path.to_owned();
    let done = tokio::task::spawn_blocking(move || finish(&part, &path, encrypted)).await;
    done.map_err(|_| FileError::Damaged)?
}

fn disk(path: &Path, error: io::Error) -> FileError {
    FileError::Disk { path: path.to_owned(), error }
}

/// Where the content of a message with a file is.
pub(super) fn source_of(content: &TimelineItemContent) -> Option<MediaSource> {
    let TimelineItemContent::MsgLike(content) = content else { return None };
    match &content.kind {
        MsgLikeKind::Message(message) => match message.msgtype() {
            MessageType::Image(file) => Some(file.source.clone()),
            MessageType::Video(file) => Some(file.source.clone()),
            MessageType::Audio(file) => Some(file.source.clone()),
            MessageType::File(file) => Some(file.source.clone()),
            _ => None,
        },
        MsgLikeKind::Sticker(sticker) => Some(match &sticker.content().source {
            StickerMediaSource::Plain(uri) => MediaSource::Plain(uri.clone()),
            StickerMediaSource::Encrypted(file) => MediaSource::Encrypted(file.clone()),
            _ => return None,
        }),
        _ => None,
    }
}

/// The file beside `path` that keeps what has come: one of its own for each file of the network.
fn part_of(path: &Path, uri: &OwnedMxcUri) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let id: String =
        uri.media_id().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    let id: String = id.chars().take(24).collect();
    path.with_file_name(format!(".{name}.{id}.part"))
}

fn address(session: &Session, uri: &OwnedMxcUri) -> Result<Url, FileError> {
    let (server, media) = uri.parts().map_err(|_| FileError::Address)?;
    let mut url = session.client.homeserver();
    url.path_segments_mut().map_err(|()| FileError::Address)?.pop_if_empty().extend([
        "_matrix",
        "client",
        "v1",
        "media",
        "download",
        server.as_str(),
        media,
    ]);
    Ok(url)
}

/// Brings what `part` lacks.
async fn download(
    session: &Session,
    id: u64,
    uri: &OwnedMxcUri,
    part: &Path,
) -> Result<(), FileError> {
    let have = tokio::fs::metadata(part).await.map_or(0, |about| about.len());
    let mut request = session.client.http_client().get(address(session, uri)?);
    if let Some(token) = session.client.access_token() {
        request = request.bearer_auth(token);
    }
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let mut response = request.send().await?;
    let status = response.status();
    let resumed = status == StatusCode::PARTIAL_CONTENT;
    if status == StatusCode::RANGE_NOT_SATISFIABLE {
        // There is no rest: all of it came before the end was told.
        return Ok(());
    }
    if !status.is_success() {
        return Err(FileError::Refused(status));
    }
    let mut done = if resumed { have } else { 0 };
    let total = response.content_length().map(|rest| rest + done);
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(resumed).truncate(!resumed).mode(0o600);
    let file = options.open(part).map_err(|error| disk(part, error))?;
    let mut file = tokio::fs::File::from_std(file);
    let mut told: Option<Instant> = None;
    while let Some(chunk) = response.chunk().await? {
        file.write_all(&chunk).await.map_err(|error| disk(part, error))?;
        done += chunk.len() as u64;
        let now = Instant::now();
        if told.is_none_or(|told| now.duration_since(told) >= TOLD_EVERY) {
            told = Some(now);
            session.reports.send(Report::Transfer { id, done, total });
        }
    }
    file.flush().await.map_err(|error| disk(part, error))?;
    file.sync_all().await.map_err(|error| disk(part, error))
}

/// Gives what has come its name, decrypted; never that of a file that is there.
fn finish(
    part: &Path,
    path: &Path,
    encrypted: Option<EncryptedFile>,
) -> Result<PathBuf, FileError> {
    let path = free_name(path);
    let Some(encrypted) = encrypted else {
        std::fs::rename(part, &path).map_err(|error| disk(&path, error))?;
        return Ok(path);
    };
    let open = path.with_extension("decrypting");
    let decrypted = decrypt(part, &open, encrypted);
    if let Err(error) = decrypted {
        // Half a file under a name of its own helps nobody; the damaged ciphertext would be gone on from for ever.
        drop(std::fs::remove_file(&open));
        if matches!(error, FileError::Damaged) {
            drop(std::fs::remove_file(part));
        }
        return Err(error);
    }
    std::fs::rename(&open, &path).map_err(|error| disk(&path, error))?;
    std::fs::remove_file(part).map_err(|error| disk(part, error))?;
    Ok(path)
}

fn decrypt(part: &Path, to: &Path, encrypted: EncryptedFile) -> Result<(), FileError> {
    let mut sealed = File::open(part).map_err(|error| disk(part, error))?;
    let mut options = OpenOptions::new();
    let mut open = options
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(to)
        .map_err(|error| disk(to, error))?;
    let mut reader =
        AttachmentDecryptor::new(&mut sealed, encrypted.into()).map_err(|_| FileError::Damaged)?;
    match io::copy(&mut reader, &mut open) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::StorageFull => return Err(disk(to, error)),
        Err(_) => return Err(FileError::Damaged),
    }
    open.flush().and_then(|()| open.sync_all()).map_err(|error| disk(to, error))
}

/// `path`, or the same with a number where there is a file already.
fn free_name(path: &Path) -> PathBuf {
    if !path.exists() {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|end| format!(".{}", end.to_string_lossy()));
    let extension = extension.unwrap_or_default();
    (1..10_000)
        .map(|number| path.with_file_name(format!("{stem} ({number}){extension}")))
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{finish, free_name, part_of};
    use ruma::OwnedMxcUri;

    #[test]
    fn a_file_that_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        assert_eq!(free_name(&path), path);
        std::fs::write(&path, b"old").unwrap();
        let uri = OwnedMxcUri::from("mxc://example.org/Ab-c/..");
        let part = part_of(&path, &uri);
        assert_eq!(part.parent(), path.parent());
        std::fs::write(&part, b"new").unwrap();
        let saved = finish(&part, &path, None).unwrap();
        assert_eq!(saved, folder.path().join("a (1).png"));
        assert_eq!(std::fs::read(path).unwrap(), b"old");
        assert!(!part.exists());
    }
}
