//! Blurhashes: a picture from afar in some thirty characters, shown until the picture is here.

use super::Picture;
use image::RgbaImage;

/// Pixels each way that are made of one: it has no more to say.
const SIDE: u32 = 20;
/// Waves across and down in those that are made here.
const WAVES: (u32, u32) = (4, 3);

/// The picture that a blurhash stands for. It is text from somebody else: anything but a whole one is none.
pub fn picture(hash: &str) -> Option<Picture> {
    const DIGITS: &str =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
    let waves = DIGITS.find(hash.chars().next()?)?;
    let whole = waves < 81 && hash.len() == 4 + 2 * (waves % 9 + 1) * (waves / 9 + 1);
    if !whole || !hash.chars().all(|digit| DIGITS.contains(digit)) {
        return None;
    }
    let rgba = blurhash::decode(hash, SIDE, SIDE, 1.0).ok()?;
    let pixels = rgba.chunks_exact(4).flat_map(|pixel| pixel.iter().take(3)).copied().collect();
    Some(Picture { width: SIDE as usize, height: SIDE as usize, pixels })
}

/// The blurhash of a picture, which should be small.
pub fn of_picture(picture: &RgbaImage) -> Option<String> {
    let (width, height) = picture.dimensions();
    blurhash::encode(WAVES.0, WAVES.1, width, height, picture.as_raw()).ok()
}

#[cfg(test)]
mod tests {
    use super::{of_picture, picture};
    use image::{Rgba, RgbaImage};

    #[test]
    fn a_picture_comes_back_blurred() {
        let halves = RgbaImage::from_fn(32, 32, |x, _| {
            if x < 16 { Rgba([255, 0, 0, 255]) } else { Rgba([0, 0, 255, 255]) }
        });
        let hash = of_picture(&halves).unwrap();
        assert_eq!(hash.len(), 28);
        let blurred = picture(&hash).unwrap();
        let (left, right) = (blurred.at(2, 10), blurred.at(17, 10));
        assert!(left[0] > 150 && left[2] < 100, "{left:?}");
        assert!(right[2] > 150 && right[0] < 100, "{right:?}");
    }

    #[test]
    fn what_is_no_blurhash_is_no_picture() {
        for text in [
            "",
            "L",
            "LEHV6nWB2yk8pyo0adR*.7kCMd",
            "日本語",
            "~~~~~~",
            "L\u{1b}",
            "LEHV6nWB2yk8pyo0adR*.7kCMdnjx",
        ] {
            assert_eq!(picture(text), None, "{text}");
        }
        assert!(picture("LEHV6nWB2yk8pyo0adR*.7kCMdnj").is_some());
    }
}
