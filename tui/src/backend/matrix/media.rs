//! Attachments as the screen shows them: what kind, which name, how big.

use ruma::{
    UInt,
    events::{room::message::MessageType, sticker::StickerEventContent},
};

use crate::backend::{Body, FileKind};

/// The body of an attachment; `None` for messages that are text.
pub(super) fn body(message: &MessageType) -> Option<Body> {
    let (kind, name, size, caption) = match message {
        MessageType::Image(file) => (
            FileKind::Image,
            file.filename(),
            file.info.as_ref().and_then(|info| info.size),
            file.caption(),
        ),
        MessageType::Video(file) => (
            FileKind::Video,
            file.filename(),
            file.info.as_ref().and_then(|info| info.size),
            file.caption(),
        ),
        MessageType::Audio(file) => (
            FileKind::Audio,
            file.filename(),
            file.info.as_ref().and_then(|info| info.size),
            file.caption(),
        ),
        MessageType::File(file) => (
            FileKind::File,
            file.filename(),
            file.info.as_ref().and_then(|info| info.size),
            file.caption(),
        ),
        _ => return None,
    };
    Some(Body::File {
        kind,
        name: name.to_owned(),
        bytes: size.map(UInt::into),
        caption: caption.map(str::to_owned),
    })
}

pub(super) fn sticker(content: &StickerEventContent) -> Body {
    Body::File {
        kind: FileKind::Sticker,
        name: content.body.clone(),
        bytes: content.info.size.map(UInt::into),
        caption: None,
    }
}

pub(super) fn word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Image => "Photo",
        FileKind::Video => "Video",
        FileKind::Audio => "Audio",
        FileKind::File => "File",
        FileKind::Sticker => "Sticker",
    }
}
