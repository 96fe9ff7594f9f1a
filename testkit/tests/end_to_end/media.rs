//! Files across servers, for whichever two servers a test has.

use std::io::Cursor;

use anyhow::{Context, Result, ensure};
use image::{DynamicImage, ImageFormat, RgbImage};
use tern_testkit::Api;

/// `from` uploads a picture; `to`, on another server, downloads it as it is and as a thumbnail.
pub(crate) async fn crosses(from: &Api, to: &Api) -> Result<()> {
    let picture = RgbImage::from_fn(400, 300, |x, y| {
        let byte = |number: u32| u8::try_from(number % 256).unwrap_or_default();
        image::Rgb([byte(x), byte(y), byte(x * y)])
    });
    let mut png = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture).write_to(&mut png, ImageFormat::Png)?;
    let png = png.into_inner();
    let uri = from.upload("image/png", png.clone()).await?;
    let file = uri.strip_prefix("mxc://").context("no mxc URL")?;

    let download = format!("/_matrix/client/v1/media/download/{file}");
    let (status, content_type, bytes) = to.download(&download).await?;
    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&bytes));
    assert_eq!((content_type.as_str(), bytes == png), ("image/png", true));

    let thumbnail = format!("/_matrix/client/v1/media/thumbnail/{file}");
    let path = format!("{thumbnail}?width=96&height=96&method=crop");
    let (status, _, bytes) = to.download(&path).await?;
    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&bytes));
    let small = image::load_from_memory(&bytes)?;
    assert_eq!((small.width(), small.height()), (96, 96));

    let (server, _) = file.split_once('/').context("no media id")?;
    let unknown = format!("/_matrix/client/v1/media/download/{server}/nothing");
    let (status, _, body) = to.download(&unknown).await?;
    assert_eq!(status, 404, "{}", String::from_utf8_lossy(&body));
    Ok(())
}
