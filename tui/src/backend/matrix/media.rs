//! Attachments as the screen shows them: what kind, which name, how big.

use ruma::{
    UInt,
    events::{
        room::{ImageInfo, message::MessageType},
        sticker::StickerEventContent,
    },
};

use crate::backend::{Body, FileKind};

/// The body of an attachment; `None` for messages that are text.
pub(super) fn body(message: &MessageType) -> Option<Body> {
    let (mut pixels, mut blurhash) = (None, None);
    let (kind, name, size, caption) = match message {
        MessageType::Image(file) => {
            pixels = file.info.as_deref().and_then(self::pixels);
            blurhash = file.info.as_deref().and_then(|info| info.blurhash.clone());
            let size = file.info.as_ref().and_then(|info| info.size);
            (FileKind::Image, file.filename(), size, file.caption())
        }
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
        pixels,
        blurhash,
    })
}

pub(super) fn sticker(content: &StickerEventContent) -> Body {
    Body::File {
        kind: FileKind::Sticker,
        name: content.body.clone(),
        bytes: content.info.size.map(UInt::into),
        caption: None,
        pixels: pixels(&content.info),
        blurhash: content.info.blurhash.clone(),
    }
}

/// Width and height as the sender says them.
fn pixels(info: &ImageInfo) -> Option<(u32, u32)> {
    let side = |given: Option<UInt>| u32::try_from(u64::from(given?)).ok();
    Some((side(info.width)?, side(info.height)?))
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
