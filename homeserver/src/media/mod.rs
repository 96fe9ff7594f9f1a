//! Files: uploaded by users, fetched from other servers, thumbnails of both; kept once per content. And previews of links.
//!
//! Not here: how a file is answered safely to a browser (`gateway::client::media`). Spec:
//! <https://spec.matrix.org/v1.19/client-server-api/#content-repository>.

mod check;
mod download;
mod preview;
mod remote;
mod store;
mod thumbnail;
mod upload;

use std::{io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{Notify, RwLock, Semaphore};

pub use check::check;
pub use download::{ByteRange, Content, Want, open, open_local};
pub use preview::{Preview, PreviewError, preview};
pub use remote::fetch_remote;
pub use thumbnail::{Method, ThumbnailSize, open_thumbnail};
pub use upload::{Upload, create, put, upload};

use self::{preview::Previews, remote::Fetching, store::Store};
use crate::{app::App, storage};

/// The bytes of a file as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Images decoded at a time: each may take 160 MiB while it is decoded.
const DECODERS_MAX: usize = 2;

/// The state of this floor. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Media(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    /// Read while content is placed and its row written, written while content is removed.
    placing: RwLock<()>,
    /// Rung when a reserved id got its content.
    uploaded: Notify,
    fetching: Fetching,
    previews: Previews,
    decoders: Semaphore,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("files may have at most {max_bytes} bytes")]
    TooLarge { max_bytes: u64 },
    #[error("there is no such file")]
    NotFound,
    /// The id is reserved; its content may still come.
    #[error("the file has not been uploaded yet")]
    NotYetUploaded,
    #[error("the file has been uploaded already")]
    AlreadyUploaded,
    #[error("the id was reserved by somebody else")]
    NotYours,
    #[error("too many ids are reserved without content")]
    TooManyPending { retry_after: Duration },
    /// None of the bytes asked for are in the file.
    #[error("the file has {size} bytes")]
    NoSuchRange { size: u64 },
    /// No image, of a kind we don't decode, or too many pixels.
    #[error("no thumbnail can be made of this file: {0}")]
    NoThumbnail(String),
    /// The uploader's connection broke.
    #[error("the upload ended early: {0}")]
    Broken(String),
    /// The other server would not give it.
    #[error("the other server gave no file: {0}")]
    Remote(String),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error("files cannot be kept: {0}")]
    Store(#[from] object_store::Error),
    #[error("files cannot be kept: {0}")]
    Io(#[from] io::Error),
}

impl Media {
    /// Opens the folder of files, `data_dir/media`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(app: &App) -> Result<Self, MediaError> {
        Ok(Self(Arc::new(Inner {
            store: Store::open(&app.config.data_dir.join("media"), app.random.clone())?,
            placing: RwLock::default(),
            uploaded: Notify::new(),
            fetching: Fetching::default(),
            previews: Previews::default(),
            decoders: Semaphore::new(DECODERS_MAX),
        })))
    }
}
