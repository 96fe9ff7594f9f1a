//! The two-part answer, cut into pieces of every size.

use futures_util::TryStreamExt as _;

use super::*;

fn body(bytes: &[u8], piece_bytes: usize) -> MediaBody {
    let pieces: Vec<_> =
        bytes.chunks(piece_bytes).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Box::pin(stream::iter(pieces))
}

async fn file_of(media: Media) -> io::Result<Vec<u8>> {
    let Media::Content(content) = media else { panic!("a location") };
    let chunks: Vec<Bytes> = content.body.try_collect().await?;
    Ok(chunks.concat())
}

const ANSWER: &[u8] = b"\r\n--abc\r\ncontent-type: application/json\r\n\r\n{}\r\n--abc\r\n\
    CONTENT-type: text/plain\r\ncontent-disposition: inline; filename=\"a.txt\"\r\n\r\n\
    a file\r\nwith --abc and \r\n--ab in it\r\r\n--abc--";

#[tokio::test]
async fn a_file_is_read_whole_however_the_network_cuts_it() {
    for piece_bytes in [1, 2, 3, 7, 16, 1000] {
        let media = read_parts(body(ANSWER, piece_bytes), "abc", 1000).await.unwrap();
        let Media::Content(content) = &media else { panic!("a location") };
        assert_eq!(content.content_type.as_deref(), Some("text/plain"));
        assert_eq!(content.content_disposition.as_deref(), Some("inline; filename=\"a.txt\""));
        let file = file_of(media).await.unwrap();
        assert_eq!(file, b"a file\r\nwith --abc and \r\n--ab in it\r", "{piece_bytes}");
    }
}

#[tokio::test]
async fn answers_of_other_servers_shapes_are_read() {
    let check = async |answer: &[u8], expected: &[u8]| {
        let media = read_parts(body(answer, 5), "abc", 1000).await.unwrap();
        assert_eq!(file_of(media).await.unwrap(), expected);
    };
    // No line break before the first delimiter, no headers.
    check(b"--abc\r\n\r\n{}\r\n--abc\r\n\r\nx\r\n--abc--", b"x").await;
    // A preamble, an empty file.
    check(b"hello\r\n--abc\r\n\r\n{}\r\n--abc\r\n\r\n\r\n--abc--\r\n", b"").await;
}

#[tokio::test]
async fn a_location_is_no_file() {
    let answer = b"--abc\r\n\r\n{}\r\n--abc\r\nLocation: https://example.org/x\r\n\r\n\r\n--abc--";
    let media = read_parts(body(answer, 9), "abc", 1000).await.unwrap();
    assert!(matches!(media, Media::Location(url) if url == "https://example.org/x"));
}

#[tokio::test]
async fn a_file_that_ends_early_or_is_too_large_is_an_error() {
    let cut = &ANSWER[..ANSWER.len() - 4];
    let media = read_parts(body(cut, 8), "abc", 1000).await.unwrap();
    assert_eq!(file_of(media).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);

    let media = read_parts(body(ANSWER, 8), "abc", 35).await.unwrap();
    assert_eq!(file_of(media).await.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    let media = read_parts(body(ANSWER, 8), "abc", 36).await.unwrap();
    assert_eq!(file_of(media).await.unwrap().len(), 36);
}

#[tokio::test]
async fn answers_without_two_parts_are_refused() {
    for answer in [&b""[..], b"--abc\r\n\r\n{}\r\n--abc--", b"nothing", &[b'a'; 70_000]] {
        assert!(read_parts(body(answer, 1000), "abc", 1000).await.is_err());
    }
}

#[tokio::test]
async fn what_we_write_we_can_read_and_header_injection_is_left_out() {
    let media = Media::Content(MediaContent {
        content_type: Some("image/png".to_owned()),
        content_disposition: Some("inline\r\nLocation: https://example.org".to_owned()),
        body: body(b"\x89PNG", 2),
    });
    let response = to_response(media);
    let boundary = boundary_of(response.headers()).unwrap();
    let written = Box::pin(response.into_body().into_data_stream().map_err(io::Error::other));
    let read = read_parts(written, &boundary, 100).await.unwrap();
    let Media::Content(content) = &read else { panic!("a location") };
    assert_eq!(content.content_type.as_deref(), Some("image/png"));
    assert_eq!(content.content_disposition, None);
    assert_eq!(file_of(read).await.unwrap(), b"\x89PNG");
}
