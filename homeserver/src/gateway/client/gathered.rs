//! A stream whose small writes go out together.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is written is sent when it is flushed, or when so much came together. Each write of its own would be a packet of its own, and TCP
/// sends only a few of those before it waits for the other side, which waits too, for more to confirm.
const BYTES_MAX: usize = 64 * 1024;

/// Keeps no buffer while nothing is written: it is of connections that mostly wait.
pub(super) struct Gathered<S> {
    stream: S,
    bytes: Vec<u8>,
    /// How many of them are sent.
    sent: usize,
}

impl<S: AsyncWrite + Unpin> Gathered<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, bytes: Vec::new(), sent: 0 }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = self.bytes.get(self.sent..).filter(|left| !left.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        (self.bytes, self.sent) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.bytes.len() + bytes.len() > BYTES_MAX {
            ready!(self.poll_send(context))?;
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, bytes)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_is_written_goes_out_whole_and_in_order_through_a_narrow_pipe() {
        let (near, mut far) = tokio::io::duplex(1_000);
        let mut near = Gathered::new(near);
        let written: Vec<u8> = (0..=u8::MAX).cycle().take(3 * BYTES_MAX).collect();
        let writing = async {
            for piece in written.chunks(2_048) {
                near.write_all(piece).await.unwrap();
            }
            near.flush().await.unwrap();
            assert!(near.bytes.capacity() == 0, "it keeps no buffer");
            near.shutdown().await.unwrap();
        };
        let mut read = Vec::new();
        let (_, count) = tokio::join!(writing, far.read_to_end(&mut read));
        assert_eq!(count.unwrap(), written.len());
        assert!(read == written);
    }

    #[tokio::test]
    async fn nothing_goes_out_before_it_is_flushed() {
        let (near, mut far) = tokio::io::duplex(1_000);
        let mut near = Gathered::new(near);
        near.write_all(b"one ").await.unwrap();
        near.write_all(b"two").await.unwrap();
        let mut read = [0; 7];
        let nothing = std::future::poll_fn(|context| {
            let mut bytes = ReadBuf::new(&mut read);
            Poll::Ready(Pin::new(&mut far).poll_read(context, &mut bytes).is_pending())
        });
        assert!(nothing.await);
        near.flush().await.unwrap();
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"one two");
    }
}
