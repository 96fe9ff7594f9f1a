//! Pictures to be drawn in the conversation: a thumbnail where there is one, decoded aside and within limits.

use std::{
    io::{BufRead, Cursor, Seek},
    path::PathBuf,
    sync::Arc,
};

use image::{DynamicImage, ImageReader, Limits};
use matrix_sdk::media::{MediaFormat, MediaRequestParameters, MediaThumbnailSettings};
use matrix_sdk_ui::timeline::{MsgLikeKind, TimelineItemContent};
use ruma::{
    MxcUri, UInt,
    events::room::{MediaSource, message::MessageType},
    media::Method,
};

use super::{files, session::Session, timeline};
use crate::{
    backend::Report,
    pictures::{PIXELS_MAX, Picture, blurhash},
};

/// Encrypted pictures without a thumbnail are fetched whole up to this size; `o` opens larger ones.
const WHOLE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Pixels of somebody's picture each way: a size that every server makes.
const AVATAR_SIDE: u32 = 96;
/// Pixels of what a blurhash is made of, each way.
const BLUR_SIDE: u32 = 32;
/// A picture that says it is wider or higher is not decoded.
const SIDE_MAX: u32 = 12_000;
/// Memory that decoding one may take.
const DECODE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Brings the picture of a message; says so, too, when there is none to be had.
pub(super) async fn fetch(session: &Session, chat: String, message: String) {
    let picture = bring(session, &chat, &message).await.map(Arc::new);
    session.reports.send(Report::Picture { chat, message, picture });
}

async fn bring(session: &Session, chat: &str, key: &str) -> Option<Picture> {
    let timeline = session.timeline(chat).await?;
    let item = timeline::item(&timeline, key).await?;
    let request = request(item.content())?;
    let bytes = session.client.media().get_media_content(&request, true).await;
    let bytes =
        bytes.inspect_err(|error| tracing::debug!(%error, "a picture did not come")).ok()?;
    tokio::task::spawn_blocking(move || decode(bytes)).await.ok()?
}

/// Brings somebody's picture, cut to a square; says so, too, when there is none to be had.
pub(super) async fn fetch_avatar(session: &Session, avatar: String) {
    let picture = bring_avatar(session, &avatar).await.map(Arc::new);
    session.reports.send(Report::Avatar { avatar, picture });
}

async fn bring_avatar(session: &Session, avatar: &str) -> Option<Picture> {
    let uri = <&MxcUri>::from(avatar);
    uri.validate().ok()?;
    let side = UInt::from(AVATAR_SIDE);
    let size = MediaThumbnailSettings::with_method(Method::Crop, side, side);
    let source = MediaSource::Plain(uri.to_owned());
    let request = MediaRequestParameters { source, format: MediaFormat::Thumbnail(size) };
    let bytes = session.client.media().get_media_content(&request, true).await;
    let bytes =
        bytes.inspect_err(|error| tracing::debug!(%error, "an avatar did not come")).ok()?;
    let picture = tokio::task::spawn_blocking(move || decode(bytes)).await.ok()??;
    Some(picture.square())
}

/// The smallest that will do.
fn request(content: &TimelineItemContent) -> Option<MediaRequestParameters> {
    let source = files::source_of(content)?;
    let (thumbnail, bytes) = about(content);
    if let Some(source) = thumbnail {
        return Some(MediaRequestParameters { source, format: MediaFormat::File });
    }
    let format = match &source {
        MediaSource::Plain(_) => {
            let side = UInt::from(PIXELS_MAX);
            MediaFormat::Thumbnail(MediaThumbnailSettings::new(side, side))
        }
        // No server can make a thumbnail of what it can't read.
        MediaSource::Encrypted(_) if bytes.is_some_and(|bytes| bytes > WHOLE_BYTES_MAX) => {
            return None;
        }
        MediaSource::Encrypted(_) => MediaFormat::File,
    };
    Some(MediaRequestParameters { source, format })
}

/// The thumbnail that was sent along, and the size of the whole.
fn about(content: &TimelineItemContent) -> (Option<MediaSource>, Option<u64>) {
    let TimelineItemContent::MsgLike(content) = content else { return (None, None) };
    let info = match &content.kind {
        MsgLikeKind::Message(message) => match message.msgtype() {
            MessageType::Image(image) => image.info.as_deref(),
            _ => None,
        },
        MsgLikeKind::Sticker(sticker) => Some(&sticker.content().info),
        _ => None,
    };
    info.map_or((None, None), |info| (info.thumbnail_source.clone(), info.size.map(u64::from)))
}

/// How a picture on this machine looks.
pub(super) struct Looks {
    /// Width and height.
    pub(super) pixels: (u32, u32),
    /// From afar.
    pub(super) blurhash: Option<String>,
}

/// How the picture at `path` looks, so that others have something to see before it is with them.
pub(super) async fn looks(path: PathBuf) -> Option<Looks> {
    let look = move || look(|| ImageReader::open(&path).ok());
    tokio::task::spawn_blocking(look).await.ok()?
}

/// The same of a picture that is in no file.
pub(super) async fn looks_of_bytes(bytes: Arc<[u8]>) -> Option<Looks> {
    let look = move || look(|| Some(ImageReader::new(Cursor::new(&bytes))));
    tokio::task::spawn_blocking(look).await.ok()?
}

fn look<R: BufRead + Seek>(open: impl Fn() -> Option<ImageReader<R>>) -> Option<Looks> {
    let known = || open()?.with_guessed_format().ok();
    let pixels = known()?.into_dimensions().ok()?;
    let small = known().and_then(read);
    let small = small.map(|picture| picture.thumbnail(BLUR_SIDE, BLUR_SIDE).to_rgba8());
    Some(Looks { pixels, blurhash: small.as_ref().and_then(blurhash) })
}

/// Anybody can send anything as a picture: memory has a limit.
fn read<R: BufRead + Seek>(mut reader: ImageReader<R>) -> Option<DynamicImage> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    reader.decode().ok()
}

/// The pixels of what came, made small.
fn decode(bytes: Vec<u8>) -> Option<Picture> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let decoded = read(reader)?.thumbnail(PIXELS_MAX, PIXELS_MAX);
    let rgb = decoded.to_rgb8();
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    Some(Picture { width, height, pixels: rgb.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::decode;
    use image::{ImageFormat, RgbImage};
    use std::io::Cursor;

    #[test]
    fn a_picture_is_made_small_and_anything_else_is_none() {
        let mut png = Cursor::new(Vec::new());
        let image = RgbImage::from_pixel(800, 400, image::Rgb([9, 8, 7]));
        image.write_to(&mut png, ImageFormat::Png).unwrap();
        let bytes = png.into_inner();
        let picture = decode(bytes.clone()).unwrap();
        assert_eq!((picture.width, picture.height, picture.at(0, 0)), (400, 200, [9, 8, 7]));
        assert_eq!(decode(bytes[..60].to_vec()), None);
        assert_eq!(decode(b"no picture".to_vec()), None);
    }
}
