//! Saying things to a client: frames in pieces, refusals, and the end after them.

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio::time::{timeout, timeout_at};

use super::{
    Close, Limits, PIECE_BYTES_MAX, Refusal, Said, Why,
    frames::ServerFrame,
    talk::{End, Wire},
};
use crate::auth::AuthError;

/// Says why a token is no good, and ends the conversation.
pub(super) async fn turn_away<W: Wire, T>(
    limits: &Limits,
    wire: &mut W,
    error: AuthError,
) -> Result<T, End> {
    let close = match error {
        AuthError::Storage(_) => Close::FAILED,
        _ => Close::UNAUTHORIZED,
    };
    refuse_and_close(limits, wire, Why::Auth(error), close).await
}

/// Refuses something, and ends the conversation.
pub(super) async fn refuse_and_close<W: Wire, T>(
    limits: &Limits,
    wire: &mut W,
    why: Why,
    close: Close,
) -> Result<T, End> {
    refuse(limits, wire, Refusal { id: None, why }).await?;
    Err(End::Close(close))
}

/// Refuses something.
pub(super) async fn refuse<W: Wire>(
    limits: &Limits,
    wire: &mut W,
    refusal: Refusal,
) -> Result<(), End> {
    let sent = timeout(limits.send, wire.send(Said::Refused(refusal))).await;
    sent.map_err(|_| End::Gone)?.map_err(End::from)
}

/// Sends a frame in pieces. A client that does not take them in time is dropped: its message is half sent, so nothing can be
/// said to it any more.
pub(super) async fn send<W: Wire>(
    limits: &Limits,
    wire: &mut W,
    frame: &ServerFrame<'_>,
) -> Result<(), End> {
    let text = frame.to_text().map_err(|error| {
        tracing::error!(%error, "a frame could not be written");
        End::Close(Close::FAILED)
    })?;
    let deadline = limits.send_deadline(text.len());
    let sent = timeout_at(deadline, async {
        for piece in pieces(&text) {
            wire.feed(piece).await?;
        }
        wire.flush().await
    });
    sent.await.map_err(|_| End::Gone)?.map_err(End::from)
}

fn pieces(text: &Bytes) -> impl Iterator<Item = Said> {
    let count = text.len().div_ceil(PIECE_BYTES_MAX).max(1);
    (0..count).map(move |index| {
        let start = index * PIECE_BYTES_MAX;
        let end = text.len().min(start + PIECE_BYTES_MAX);
        Said::Piece {
            text: text.slice(start..end),
            is_first: index == 0,
            is_last: index + 1 == count,
        }
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{PIECE_BYTES_MAX, Said, pieces};

    #[test]
    fn a_message_goes_in_pieces_that_make_it_up() {
        for length in [0, 1, PIECE_BYTES_MAX, PIECE_BYTES_MAX + 1, 3 * PIECE_BYTES_MAX] {
            let text = Bytes::from(vec![b'x'; length]);
            let (mut whole, mut ends) = (Vec::new(), Vec::new());
            for piece in pieces(&text) {
                let Said::Piece { text, is_first, is_last } = piece else { panic!() };
                assert!(text.len() <= PIECE_BYTES_MAX);
                whole.extend_from_slice(&text);
                ends.push((is_first, is_last));
            }
            assert_eq!(whole, text, "{length}");
            let (first, last) = (ends.first().unwrap(), ends.last().unwrap());
            assert!(first.0 && last.1, "{length}");
            assert_eq!(
                ends.iter().filter(|(first, last)| *first || *last).count(),
                ends.len().min(2)
            );
        }
    }
}
