//! Thumbnails: made when first asked for, in a few sizes only, and kept. Decoders are pure Rust, with a limit of pixels.

use std::{io::Cursor, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder,
    imageops::FilterType,
};
use ruma::ServerName;

use super::{
    Content, Media, MediaError,
    download::{content_of, find},
};
use crate::{
    app::App,
    storage::media::{self, ContentRow, ThumbnailKey},
};

/// More pixels are not decoded: 4 bytes each.
const PIXELS_MAX: u64 = 40_000_000;
/// Longest side that is decoded.
const SIDE_MAX: u32 = 20_000;
/// Memory for one decoder beside the pixels.
const ALLOCATION_MAX: u64 = 320 * 1024 * 1024;
/// Larger files are not decoded.
const SOURCE_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Largest thumbnail that is kept; far above what the sizes below make.
const THUMBNAIL_BYTES_MAX: u64 = 8 * 1024 * 1024;
const JPEG_QUALITY: u8 = 82;

/// The sizes that are made ([spec]); others get the next larger one.
///
/// [spec]: https://spec.matrix.org/v1.19/client-server-api/#thumbnails
const SIZES: [ThumbnailSize; 5] = [
    ThumbnailSize { width: 32, height: 32, method: Method::Crop },
    ThumbnailSize { width: 96, height: 96, method: Method::Crop },
    ThumbnailSize { width: 320, height: 240, method: Method::Scale },
    ThumbnailSize { width: 640, height: 480, method: Method::Scale },
    ThumbnailSize { width: 800, height: 600, method: Method::Scale },
];

/// How an image is made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The whole image, at most so large.
    Scale,
    /// Its middle, exactly so large.
    Crop,
}

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThumbnailSize {
    pub width: u32,
    pub height: u32,
    pub method: Method,
}

impl ThumbnailSize {
    /// The smallest size we make that is large enough, or the largest of all.
    fn made(self) -> Self {
        let fits = |size: &&Self| {
            size.method == self.method && size.width >= self.width && size.height >= self.height
        };
        let same_method = SIZES.iter().find(fits);
        let any = || SIZES.iter().find(|it| it.width >= self.width && it.height >= self.height);
        let size = same_method.or_else(any).copied();
        let [.., largest] = SIZES;
        // A cropped image stays cropped, whatever its size.
        Self { method: self.method, ..size.unwrap_or(largest) }
    }
}

/// Opens a thumbnail of a file of this server or of another. An image that is smaller than asked for comes as it is.
///
/// # Errors
/// [`MediaError::NoThumbnail`] for what is no image, and those of downloading.
pub async fn open_thumbnail(
    app: &App,
    media: &Media,
    server_name: &ServerName,
    media_id: &str,
    size: ThumbnailSize,
    timeout: Duration,
) -> Result<Content, MediaError> {
    let (row, source) = find(app, media, server_name, media_id, timeout).await?;
    let size = size.made();
    let key = ThumbnailKey {
        source: source.hash.clone(),
        width: i64::from(size.width),
        height: i64::from(size.height),
        method: match size.method {
            Method::Scale => "scale",
            Method::Crop => "crop",
        },
    };
    if let Some(kept) = media::find_thumbnail(&app.db, &key).await? {
        return content_of(media, row.filename, kept, None).await;
    }
    match make(media, &source, size).await? {
        Some((bytes, content_type)) => {
            let kept = keep(app, media, key, bytes, content_type).await?;
            content_of(media, row.filename, kept, None).await
        }
        None => content_of(media, row.filename, source, None).await,
    }
}

async fn keep(
    app: &App,
    media: &Media,
    key: ThumbnailKey,
    bytes: Vec<u8>,
    content_type: &str,
) -> Result<ContentRow, MediaError> {
    let _placing = media.0.placing.read().await;
    let stream = Box::pin(stream::iter([Ok(Bytes::from(bytes))]));
    let stored = media.0.store.put(stream, THUMBNAIL_BYTES_MAX).await?;
    let kept = ContentRow {
        hash: stored.hash,
        size: stored.size,
        content_type: Some(content_type.to_owned()),
    };
    media::insert_thumbnail(&app.db, key, kept.clone()).await?;
    Ok(kept)
}

/// The thumbnail and its type; `None` when the image itself is not larger.
async fn make(
    media: &Media,
    source: &ContentRow,
    size: ThumbnailSize,
) -> Result<Option<(Vec<u8>, &'static str)>, MediaError> {
    if source.size > SOURCE_BYTES_MAX {
        return Err(MediaError::NoThumbnail("the file is too large".to_owned()));
    }
    let turn = media.0.decoders.acquire().await;
    let _turn = turn.map_err(|error| MediaError::NoThumbnail(error.to_string()))?;
    let bytes = media.0.store.read(&source.hash).await?;
    let shrunk = tokio::task::spawn_blocking(move || shrink(&bytes, size)).await;
    shrunk.map_err(|error| MediaError::NoThumbnail(error.to_string()))?
}

fn refused(error: &dyn std::fmt::Display) -> MediaError {
    MediaError::NoThumbnail(error.to_string())
}

/// What kind of picture this is, by its bytes, its width and its height. Nothing but its head is read.
pub(super) fn measure(bytes: &[u8]) -> Result<(&'static str, u32, u32), MediaError> {
    let (decoder, format) = open_decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    Ok((format.to_mime_type(), width, height))
}

/// A decoder by what the bytes are, not by what their uploader called them, for kinds and sizes that are decoded.
fn open_decoder(bytes: &[u8]) -> Result<(impl ImageDecoder, ImageFormat), MediaError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| refused(&error))?;
    let allowed = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];
    let format = reader.format().filter(|format| allowed.contains(format));
    let format =
        format.ok_or_else(|| refused(&"only PNG, JPEG, GIF and WebP images have thumbnails"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(ALLOCATION_MAX);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| refused(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(refused(&"the image has too many pixels"));
    }
    Ok((decoder, format))
}

fn shrink(
    bytes: &[u8],
    size: ThumbnailSize,
) -> Result<Option<(Vec<u8>, &'static str)>, MediaError> {
    let (mut decoder, format) = open_decoder(bytes)?;
    let orientation = decoder.orientation().map_err(|error| refused(&error))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| refused(&error))?;
    image.apply_orientation(orientation);
    if image.width() <= size.width && image.height() <= size.height {
        return Ok(None);
    }
    let small = match size.method {
        Method::Scale => image.resize(size.width, size.height, FilterType::Triangle),
        Method::Crop => image.resize_to_fill(size.width, size.height, FilterType::Triangle),
    };
    encode(&small, format == ImageFormat::Png).map(Some).map_err(|error| refused(&error))
}

/// As PNG what is see-through or was PNG, drawings mostly; else as JPEG.
fn encode(image: &DynamicImage, is_png: bool) -> image::ImageResult<(Vec<u8>, &'static str)> {
    let mut bytes = Vec::new();
    let is_clear = image.color().has_alpha();
    if is_clear || is_png {
        let image = if is_clear {
            DynamicImage::from(image.to_rgba8())
        } else {
            DynamicImage::from(image.to_rgb8())
        };
        image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)?;
        return Ok((bytes, "image/png"));
    }
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&image.to_rgb8())?;
    Ok((bytes, "image/jpeg"))
}

#[cfg(test)]
mod tests {
    use super::{Method, ThumbnailSize};

    #[test]
    fn any_size_becomes_one_of_a_few() {
        let check = |width, height, method, expected: (u32, u32)| {
            let made = ThumbnailSize { width, height, method }.made();
            assert_eq!((made.width, made.height, made.method), (expected.0, expected.1, method));
        };
        check(1, 1, Method::Crop, (32, 32));
        check(33, 20, Method::Crop, (96, 96));
        check(320, 240, Method::Scale, (320, 240));
        check(321, 240, Method::Scale, (640, 480));
        check(10, 10, Method::Scale, (320, 240));
        check(5_000, 5_000, Method::Scale, (800, 600));
    }
}
