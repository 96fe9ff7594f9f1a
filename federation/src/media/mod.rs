//! Files between servers: the `multipart/mixed` answer of the media endpoints, read and written as a stream.
//!
//! Spec: server-server API, "Content Repository". `client` reads them, `inbound` writes them; nothing is kept here.

use std::{fmt, io, pin::Pin};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rand::{Rng as _, distr::Alphanumeric};

use crate::client::{RequestError, transport::read_error};

/// How much of an error answer is read.
pub(crate) const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Everything before the file itself: the metadata part and both parts' headers.
const PREFACE_BYTES_MAX: usize = 64 * 1024;
const BOUNDARY_BYTES_MAX: usize = 200;

/// The bytes of a file as they come. An error ends the stream.
pub type MediaBody = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A file, or where it is.
#[derive(Debug)]
pub enum Media {
    Content(MediaContent),
    /// The file is at this https URL.
    Location(String),
}

/// A file with its headers as they were sent: not checked, not fit to be passed on as they are.
pub struct MediaContent {
    pub content_type: Option<String>,
    pub content_disposition: Option<String>,
    pub body: MediaBody,
}

impl fmt::Debug for MediaContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MediaContent")
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// Reads a file that is the whole answer (behind a `Location`).
pub(crate) fn plain(response: reqwest::Response, max_bytes: usize) -> Result<Media, RequestError> {
    let text = |name: HeaderName| text_header(response.headers(), &name);
    let (content_type, content_disposition) =
        (text(header::CONTENT_TYPE), text(header::CONTENT_DISPOSITION));
    let body = chunks(response);
    let body = capped(body, max_bytes);
    Ok(Media::Content(MediaContent { content_type, content_disposition, body }))
}

/// Reads the `multipart/mixed` answer of a media endpoint up to the file, and leaves the file as a stream.
pub(crate) async fn multipart(
    response: reqwest::Response,
    max_bytes: usize,
) -> Result<Media, RequestError> {
    let boundary = boundary_of(response.headers())
        .ok_or_else(|| RequestError::Malformed("not a multipart/mixed answer".to_owned()))?;
    read_parts(chunks(response), &boundary, max_bytes).await
}

/// The same for any stream of bytes.
async fn read_parts(
    mut body: MediaBody,
    boundary: &str,
    max_bytes: usize,
) -> Result<Media, RequestError> {
    let malformed = |reason: &str| RequestError::Malformed(reason.to_owned());
    let mut buffer = BytesMut::from(&b"\r\n"[..]); // The first delimiter may do without its line break.
    let delimiter = format!("\r\n--{boundary}");
    let headers = loop {
        if let Some((headers, end)) = find_file(&buffer, delimiter.as_bytes())? {
            bytes::Buf::advance(&mut buffer, end);
            break headers;
        }
        if buffer.len() > PREFACE_BYTES_MAX {
            return Err(malformed("no file after 64 KiB"));
        }
        match body.next().await {
            Some(Ok(chunk)) => buffer.extend_from_slice(&chunk),
            Some(Err(error)) => return Err(RequestError::Broken(error.to_string())),
            None => return Err(malformed("fewer than two parts")),
        }
    };
    if let Some(location) = text_header(&headers, &header::LOCATION) {
        return Ok(Media::Location(location));
    }
    let file = until_delimiter(buffer, body, delimiter.into_bytes());
    Ok(Media::Content(MediaContent {
        content_type: text_header(&headers, &header::CONTENT_TYPE),
        content_disposition: text_header(&headers, &header::CONTENT_DISPOSITION),
        body: capped(file, max_bytes),
    }))
}

/// The headers of the second part and the position of its first byte, once both are in `buffer`.
fn find_file(buffer: &[u8], delimiter: &[u8]) -> Result<Option<(HeaderMap, usize)>, RequestError> {
    let after = |from: usize| {
        find(buffer.get(from..)?, delimiter).map(|position| from + position + delimiter.len())
    };
    let Some(start) = after(0).and_then(after) else { return Ok(None) };
    let part = buffer.get(start..).unwrap_or_default();
    if part.starts_with(b"--") {
        return Err(RequestError::Malformed("fewer than two parts".to_owned()));
    }
    // The delimiter's own line ends in a line break; without headers an empty line follows at once.
    let Some(end) = find(part, b"\r\n\r\n") else { return Ok(None) };
    let lines = part.get(..end).unwrap_or_default();
    Ok(Some((read_headers(lines), start + end + 4)))
}

fn read_headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.trim_ascii()), HeaderValue::from_bytes(value))
        {
            headers.insert(name, value);
        }
    }
    headers
}

/// Passes bytes on until the delimiter; its absence is an error, so a broken download is never taken for a whole file.
fn until_delimiter(buffer: BytesMut, body: MediaBody, delimiter: Vec<u8>) -> MediaBody {
    struct Reading {
        buffer: BytesMut,
        body: MediaBody,
        delimiter: Vec<u8>,
        done: bool,
    }
    let reading = Reading { buffer, body, delimiter, done: false };
    Box::pin(stream::try_unfold(reading, async |mut reading| {
        if reading.done {
            return Ok(None);
        }
        loop {
            if let Some(end) = find(&reading.buffer, &reading.delimiter) {
                reading.done = true;
                let last = reading.buffer.split_to(end).freeze();
                return Ok(if last.is_empty() { None } else { Some((last, reading)) });
            }
            // The delimiter may be cut in two by the end of the buffer.
            let safe = reading.buffer.len().saturating_sub(reading.delimiter.len());
            if safe > 0 {
                return Ok(Some((reading.buffer.split_to(safe).freeze(), reading)));
            }
            match reading.body.next().await {
                Some(chunk) => reading.buffer.extend_from_slice(&chunk?),
                None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            }
        }
    }))
}

/// Ends the stream with an error once more than `max_bytes` have come.
fn capped(body: MediaBody, max_bytes: usize) -> MediaBody {
    let mut left = max_bytes;
    Box::pin(body.map(move |chunk| {
        let chunk = chunk?;
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
            }
        }
        Ok(chunk)
    }))
}

fn chunks(response: reqwest::Response) -> MediaBody {
    Box::pin(
        response.bytes_stream().map_err(|error| io::Error::other(read_error(error).to_string())),
    )
}

/// Writes a file as the two-part answer: an empty metadata object, then the file or its location.
pub(crate) fn to_response(media: Media) -> http::Response<axum::body::Body> {
    let boundary: String = rand::rng().sample_iter(Alphanumeric).take(30).map(char::from).collect();
    let mut preface = format!(
        "\r\n--{boundary}\r\nContent-Type: application/json\r\n\r\n{{}}\r\n--{boundary}\r\n"
    );
    let mut line = |name: &str, value: &str| {
        // Whatever cannot be a header is left out rather than let into the answer.
        if HeaderValue::from_str(value).is_ok() {
            preface.push_str(&format!("{name}: {value}\r\n"));
        }
    };
    let body = match media {
        Media::Content(content) => {
            line(
                "Content-Type",
                content.content_type.as_deref().unwrap_or("application/octet-stream"),
            );
            if let Some(disposition) = &content.content_disposition {
                line("Content-Disposition", disposition);
            }
            content.body
        }
        Media::Location(location) => {
            line("Location", &location);
            Box::pin(stream::empty())
        }
    };
    preface.push_str("\r\n");
    let end = Bytes::from(format!("\r\n--{boundary}--"));
    let whole =
        stream::iter([Ok(Bytes::from(preface))])
            .chain(body)
            .chain(stream::iter([Ok::<_, io::Error>(end)]));
    let mut response = http::Response::new(axum::body::Body::from_stream(whole));
    if let Ok(content_type) =
        HeaderValue::from_str(&format!("multipart/mixed; boundary={boundary}"))
    {
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// The boundary in a `multipart/mixed` content type.
fn boundary_of(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = content_type.split(';');
    if !parts.next()?.trim().eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let boundary = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    (!boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES_MAX).then(|| boundary.to_owned())
}

fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The first position of `needle`, which begins with `\r`.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = haystack.get(from..)?;
        let position = from + rest.iter().position(|byte| *byte == b'\r')?;
        if haystack.get(position..)?.starts_with(needle) {
            return Some(position);
        }
        from = position + 1;
    }
}

#[cfg(test)]
mod tests;
