//! Reads from the socket in large pieces while there is much to read, and holds little memory while there isn't.
//!
//! russh reads each packet's length and then the packet; without a buffer that is two system calls for every 32 KiB.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limits::{READ_BYTES_AT_REST, READ_BYTES_IN_BULK};

/// A stream with a read buffer that follows the traffic. Writes pass through.
pub(super) struct Buffered<S> {
    stream: S,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<S> Buffered<S> {
    pub(super) fn new(stream: S) -> Self {
        Buffered {
            stream,
            buffer: vec![0; READ_BYTES_AT_REST],
            start: 0,
            end: 0,
        }
    }

    /// Doubles after a read that filled the buffer, halves after one that left most of it empty.
    fn follow(&mut self, read_bytes: usize) {
        let size = self.buffer.len();
        if read_bytes == size && size < READ_BYTES_IN_BULK {
            self.buffer.resize(size * 2, 0);
        } else if read_bytes < size / 8 && size > READ_BYTES_AT_REST {
            self.buffer.truncate((size / 2).max(read_bytes));
            self.buffer.shrink_to_fit();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Buffered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.start == this.end {
            let mut fresh = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut fresh))?;
            let read_bytes = fresh.filled().len();
            (this.start, this.end) = (0, read_bytes);
            this.follow(read_bytes);
        }
        let ready = this.buffer.get(this.start..this.end).unwrap_or_default();
        let taken = ready.len().min(out.remaining());
        out.put_slice(ready.get(..taken).unwrap_or_default());
        this.start += taken;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Buffered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn bytes_come_through_in_order_and_the_buffer_follows() {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        let mut near = Buffered::new(near);
        let data: Vec<u8> = (0..1_000_000u32).map(|n| (n % 253) as u8).collect();
        far.write_all(&data).await.unwrap();
        let mut seen = vec![0; data.len()];
        for piece in seen.chunks_mut(33_333) {
            near.read_exact(piece).await.unwrap();
        }
        assert_eq!(seen, data);
        assert_eq!(near.buffer.len(), READ_BYTES_IN_BULK);
        for _ in 0..10 {
            far.write_all(b"x").await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), b'x');
        }
        assert_eq!(near.buffer.len(), READ_BYTES_AT_REST);
    }
}
