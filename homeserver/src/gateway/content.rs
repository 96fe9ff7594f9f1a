//! How a file is answered: what a browser may show, under which name, in which parts. Used by every door to files.
//!
//! Uploaded files are other people's: nothing in them may run in the page's origin, whatever they claim to be.

use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use ruma::http_headers::{ContentDisposition, ContentDispositionType};

use crate::media::{ByteRange, Content};

/// What a browser may show in place: neither markup nor scripts
/// (<https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content>).
const INLINE: [&str; 28] = [
    "application/json",
    "application/ld+json",
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/wave",
    "audio/webm",
    "audio/x-flac",
    "audio/x-pn-wav",
    "audio/x-wav",
    "image/apng",
    "image/avif",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/css",
    "text/csv",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
    "audio/x-m4a",
    "audio/opus",
];

/// <https://spec.matrix.org/v1.19/client-server-api/#security-considerations-5>
const CONTENT_SECURITY_POLICY: &str = "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';";

/// A file as an answer.
pub(super) fn content_response(content: Content) -> Response {
    let Content { content_type, filename, size, range, stream } = content;
    let mut response = Response::new(Body::from_stream(stream));
    let content_type = content_type.as_deref().unwrap_or("application/octet-stream");
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    if let Some(Range { start, end }) = range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let part = format!("bytes {start}-{}/{size}", end.saturating_sub(1));
        insert(response.headers_mut(), header::CONTENT_RANGE, &part);
    }
    let headers = response.headers_mut();
    insert(headers, header::CONTENT_TYPE, content_type);
    if !headers.contains_key(header::CONTENT_TYPE) {
        insert(headers, header::CONTENT_TYPE, "application/octet-stream");
    }
    insert(headers, header::CONTENT_LENGTH, &length.to_string());
    insert(headers, header::CONTENT_DISPOSITION, &disposition(content_type, filename));
    insert(headers, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    insert(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(headers, header::ACCEPT_RANGES, "bytes");
    // A media id never changes its content; who may read it is asked at each new download.
    insert(headers, header::CACHE_CONTROL, "private, max-age=31536000, immutable");
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    // What cannot be a header is left out: it is the uploader's.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// `inline` for what is on the list, compared as browsers do: without parameters, in any case.
pub(super) fn disposition(content_type: &str, filename: Option<String>) -> String {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let kind = if INLINE.contains(&essence.as_str()) {
        ContentDispositionType::Inline
    } else {
        ContentDispositionType::Attachment
    };
    ContentDisposition::new(kind).with_filename(filename).to_string()
}

/// One range of bytes. Several, and what cannot be read, are ignored: the whole file is a right answer too.
pub(super) fn range_of(headers: &HeaderMap) -> Option<ByteRange> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = text.trim().split_once('-')?;
    if first.is_empty() {
        return Some(ByteRange::Last(last.parse().ok()?));
    }
    let first = first.parse().ok()?;
    if last.is_empty() {
        return Some(ByteRange::From(first, None));
    }
    let last: u64 = last.parse().ok()?;
    (last >= first).then_some(ByteRange::From(first, Some(last)))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};

    use super::{disposition, range_of};
    use crate::media::ByteRange;

    #[test]
    fn only_harmless_types_are_shown_in_place() {
        for (content_type, expected) in [
            ("image/png", "inline"),
            ("IMAGE/PNG; charset=x", "inline"),
            ("image/svg+xml", "attachment"),
            ("text/html", "attachment"),
            ("Text/HTML", "attachment"),
            ("text/plain", "inline"),
            ("application/pdf", "attachment"),
            ("", "attachment"),
        ] {
            assert_eq!(disposition(content_type, None), expected, "{content_type}");
        }
    }

    #[test]
    fn a_file_name_cannot_leave_its_quotes() {
        let header = disposition("text/html", Some("a\"; filename=\"b.png".to_owned()));
        assert_eq!(header, r#"attachment; filename="a\"; filename=\"b.png""#);
        let header = disposition("text/html", Some("grüße.txt".to_owned()));
        assert_eq!(header, "attachment; filename*=utf-8''gr%C3%BC%C3%9Fe.txt");
    }

    #[test]
    fn ranges_are_read_or_ignored() {
        for (text, expected) in [
            ("bytes=0-9", Some(ByteRange::From(0, Some(9)))),
            ("bytes=5-", Some(ByteRange::From(5, None))),
            ("bytes=-5", Some(ByteRange::Last(5))),
            ("bytes=9-5", None),
            ("bytes=0-1,5-6", None),
            ("lines=1-2", None),
            ("bytes=-", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            assert_eq!(range_of(&headers), expected, "{text}");
        }
    }
}
