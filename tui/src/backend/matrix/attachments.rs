//! Files that go out from a chat: looked at, put into the queue in their order, and told of when they can't be.

use std::path::{Path, PathBuf};

use matrix_sdk::attachment::{
    AttachmentInfo, BaseAudioInfo, BaseFileInfo, BaseImageInfo, BaseVideoInfo,
};
use matrix_sdk_ui::timeline::{AttachmentConfig, AttachmentSource};
use mime::Mime;
use ruma::{UInt, events::room::message::MessageType};

use super::{
    compose,
    pictures::{self, Looks},
    session::Session,
};
use crate::backend::{Attachment, Pasted, Report};

/// A file that has been looked at.
struct Ready {
    source: AttachmentSource,
    mime: Mime,
    info: AttachmentInfo,
    bytes: u64,
}

/// Queues files in their order; they are read now and sent by the queue. The words go with the first that can be sent, and come
/// back when none can.
pub(super) async fn files(
    session: &Session,
    chat: String,
    files: Vec<Attachment>,
    caption: Option<String>,
) {
    let (mut left, mut refused, all) = (caption, Vec::new(), files.len());
    for file in files {
        let queued = match look(file).await {
            Ok(ready) => queue(session, &chat, ready, left.as_deref()).await,
            Err(reason) => Err(reason),
        };
        match queued {
            Ok(()) => left = None,
            Err(reason) => refused.push(reason),
        }
    }
    let Some(reason) = refused.first() else { return };
    let reason = match (refused.len(), all - refused.len()) {
        (1, 0) => reason.clone(),
        (n, 0) => format!("None of the {n} files can be sent. {reason}"),
        (1, _) => format!("{reason} The others are sent."),
        (n, _) => format!("{n} of {all} files can't be sent. {reason}"),
    };
    session.reports.send(match left {
        Some(text) => Report::NotQueued { chat, text, reason },
        None => Report::Failed { reason },
    });
}

/// Queues text as a file.
pub(super) async fn snippet(session: &Session, chat: &str, text: String) {
    let bytes = text.len() as u64;
    let source =
        AttachmentSource::Data { bytes: text.into_bytes(), filename: "message.txt".to_owned() };
    let info = AttachmentInfo::File(BaseFileInfo { size: UInt::new(bytes) });
    let ready = Ready { source, mime: mime::TEXT_PLAIN_UTF_8, info, bytes };
    if let Err(reason) = queue(session, chat, ready, None).await {
        session.reports.failed(reason);
    }
}

async fn look(file: Attachment) -> Result<Ready, String> {
    match file {
        Attachment::File(path) => look_at_file(path).await,
        Attachment::Picture(picture) => Ok(look_at_picture(picture).await),
    }
}

async fn look_at_file(path: PathBuf) -> Result<Ready, String> {
    let path = match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path,
    };
    let name = |path: &Path| path.display().to_string();
    let about = match tokio::fs::metadata(&path).await {
        Ok(about) if about.is_file() => about,
        Ok(_) => return Err(format!("{} is not a file.", name(&path))),
        Err(error) => return Err(format!("{} can't be read: {error}.", name(&path))),
    };
    let mime = mime_guess::from_path(&path).first_or_octet_stream();
    let looks =
        if mime.type_() == mime::IMAGE { pictures::looks(path.clone()).await } else { None };
    let info = attachment_info(&mime, UInt::new(about.len()), looks);
    Ok(Ready { source: path.into(), mime, info, bytes: about.len() })
}

async fn look_at_picture(picture: Pasted) -> Ready {
    let size = picture.bytes.len() as u64;
    let mime = picture.mime.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
    let looks = pictures::looks_of_bytes(picture.bytes.clone()).await;
    let info = attachment_info(&mime, UInt::new(size), looks);
    let source =
        AttachmentSource::Data { bytes: picture.bytes.to_vec(), filename: picture.name.clone() };
    Ready { source, mime, info, bytes: size }
}

async fn queue(
    session: &Session,
    chat: &str,
    file: Ready,
    caption: Option<&str>,
) -> Result<(), String> {
    let timeline = session.timeline(chat).await.ok_or("That chat can't be opened.")?;
    if let Ok(limit) = session.client.load_or_fetch_max_upload_size().await
        && file.bytes > u64::from(limit)
    {
        let limit = u64::from(limit) / 1024 / 1024;
        return Err(format!("The file is larger than this server takes ({limit} MB)."));
    }
    let mut config = AttachmentConfig { info: Some(file.info), ..AttachmentConfig::default() };
    if let Some(caption) = caption {
        let content = compose::content(timeline.room(), caption).await;
        if let MessageType::Text(text) = content.msgtype {
            config.caption = Some(text);
        }
        config.mentions = content.mentions;
    }
    let queued = timeline.send_attachment(file.source, file.mime, config).use_send_queue().await;
    queued.map_err(|error| format!("The file could not be queued: {error}"))
}

fn attachment_info(mime: &Mime, size: Option<UInt>, looks: Option<Looks>) -> AttachmentInfo {
    match mime.type_() {
        mime::IMAGE => {
            let (width, height) = looks.as_ref().map(|looks| looks.pixels).unzip();
            let (width, height) = (width.map(UInt::from), height.map(UInt::from));
            let blurhash = looks.and_then(|looks| looks.blurhash);
            let base = BaseImageInfo::default();
            AttachmentInfo::Image(BaseImageInfo { size, width, height, blurhash, ..base })
        }
        mime::VIDEO => AttachmentInfo::Video(BaseVideoInfo { size, ..BaseVideoInfo::default() }),
        mime::AUDIO => AttachmentInfo::Audio(BaseAudioInfo { size, ..BaseAudioInfo::default() }),
        _ => AttachmentInfo::File(BaseFileInfo { size }),
    }
}
