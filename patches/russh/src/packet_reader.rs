//! Reads SSH packets from a stream through one receive buffer.
//!
//! One read takes as many packets as have arrived. Each is decrypted in place and handed on as a
//! view into the buffer: no byte of it is copied, and no memory is zeroed before it is read into.

use std::num::Wrapping;

use log::trace;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Error;
use crate::cipher::{self, OpeningKey, PACKET_LENGTH_LEN, PADDING_LENGTH_LEN};
use crate::sshbuffer::IncomingSshPacket;

/// Capacity in bytes while there is little to read.
const CAPACITY_AT_REST: usize = 4 * 1024;

/// Capacity in bytes while reads fill the buffer. A longer packet still gets what it needs.
const CAPACITY_IN_BULK: usize = 128 * 1024;

/// After this many small reads in succession the buffer is halved.
const SMALL_READS: u8 = 4;

/// A stream of packets, which are decrypted with the key that is given for each of them.
pub(crate) struct PacketReader<R> {
    stream: R,
    /// What has been read. Everything before `start` has been handed on.
    buffer: Vec<u8>,
    start: usize,
    /// Bytes from `start` to the end of the next packet's tag, once its length is known.
    packet_len: Option<usize>,
    /// Capacity to have at the next read.
    capacity: usize,
    small_reads: u8,
    /// Number of the next packet. They wrap (RFC 4253 section 6.4).
    pub seqn: Wrapping<u32>,
    /// Payload bytes since the last rekey.
    pub bytes: usize,
}

impl<R> PacketReader<R> {
    pub fn new(stream: R) -> Self {
        PacketReader {
            stream,
            buffer: Vec::new(),
            start: 0,
            packet_len: None,
            capacity: CAPACITY_AT_REST,
            small_reads: 0,
            seqn: Wrapping(0),
            bytes: 0,
        }
    }

    /// The next packet if all of it has been read. Its sequence number is already incremented.
    ///
    /// A length comes from the peer, so it is checked before anything is done with it; memory for
    /// a packet grows with what has been received of it, not with what it announces.
    #[allow(clippy::indexing_slicing)] // lengths checked
    pub fn next_packet(
        &mut self,
        cipher: &mut (dyn OpeningKey + Send),
    ) -> Result<Option<IncomingSshPacket<'_>>, Error> {
        let available = self.buffer.len() - self.start;
        let packet_len = match self.packet_len {
            Some(packet_len) => packet_len,
            None => {
                let probe_len = cipher.packet_length_to_read_for_block_length();
                if available < probe_len {
                    return Ok(None);
                }
                let probe = &self.buffer[self.start..self.start + probe_len];
                let length = cipher.decrypt_packet_length(self.seqn.0, probe);
                let packet_len = cipher::checked_packet_len(length, cipher)?;
                trace!("reading, seqn = {}, clear len = {packet_len}", self.seqn.0);
                self.packet_len = Some(packet_len);
                packet_len
            }
        };
        if available < packet_len {
            return Ok(None);
        }

        let packet_start = self.start;
        let packet = &mut self.buffer[packet_start..packet_start + packet_len];
        let plaintext = cipher.open(self.seqn.0, packet)?;
        self.start += packet_len;
        self.packet_len = None;

        let padding_len = usize::from(*plaintext.first().ok_or(Error::IndexOutOfBounds)?);
        let payload_len = plaintext
            .len()
            .checked_sub(PADDING_LENGTH_LEN + padding_len)
            .ok_or(Error::IndexOutOfBounds)?;
        let payload_start = packet_start + PACKET_LENGTH_LEN + PADDING_LENGTH_LEN;

        self.seqn += Wrapping(1);
        self.bytes = self.bytes.saturating_add(payload_len);
        Ok(Some(IncomingSshPacket {
            buffer: &self.buffer[payload_start..payload_start + payload_len],
            seqn: self.seqn,
        }))
    }

    /// Gives back the memory that only a busy stream needs.
    pub fn rest(&mut self) {
        self.capacity = CAPACITY_AT_REST;
        self.small_reads = 0;
        self.make_room();
    }

    /// Brings what is left to the front, and the buffer to the capacity that is wanted.
    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let held = self.buffer.len();
        if held == self.buffer.capacity() && held >= self.capacity {
            // Only a packet longer than the buffer fills it.
            let packet_len = self.packet_len.unwrap_or(held);
            self.capacity = (held * 2).min(packet_len.max(held + 1));
        }
        if self.buffer.capacity() < self.capacity {
            self.buffer.reserve_exact(self.capacity - held);
        } else if self.buffer.capacity() > self.capacity {
            self.buffer.shrink_to(self.capacity);
        }
    }

    /// Doubles after a read that filled the buffer, halves after a few that left most of it empty.
    fn follow(&mut self, read: usize, room: usize) {
        if read == room {
            self.small_reads = 0;
            if self.capacity < CAPACITY_IN_BULK {
                self.capacity *= 2;
            }
        } else if read < self.capacity / 8 && self.capacity > CAPACITY_AT_REST {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.small_reads = 0;
                self.capacity = (self.capacity / 2).max(CAPACITY_AT_REST);
            }
        } else {
            self.small_reads = 0;
        }
    }
}

impl<R: AsyncRead + Unpin> PacketReader<R> {
    /// Reads what there is, once, after all that has been read before has been handed on.
    /// Nothing is lost when it is dropped while it waits. The end of the stream is an error.
    pub async fn fill(&mut self) -> Result<(), Error> {
        self.make_room();
        let room = self.buffer.capacity() - self.buffer.len();
        let read = self.stream.read_buf(&mut self.buffer).await?;
        trace!("read {read} bytes");
        if read == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        self.follow(read, room);
        Ok(())
    }

    /// Reads on until the peer closes, for a session that has ended.
    pub async fn discard(&mut self) -> Result<(), Error> {
        loop {
            self.buffer.clear();
            self.start = 0;
            self.packet_len = None;
            match self.fill().await {
                Err(Error::IO(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Ok(());
                }
                other => other?,
            }
        }
    }
}

#[cfg(test)]
impl<R: AsyncRead + Unpin> PacketReader<R> {
    /// The next packet's payload.
    pub async fn read(&mut self, cipher: &mut (dyn OpeningKey + Send)) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(pkt) = self.next_packet(cipher)? {
                return Ok(pkt.buffer.to_vec());
            }
            self.fill().await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::ReadBuf;

    use super::*;
    use crate::cipher::{CIPHERS, MAXIMUM_DECOMPRESSED_PACKET_LEN, SealingKey, clear};
    use crate::compression::Compress;
    use crate::mac::MACS;
    use crate::sshbuffer::PacketWriter;

    /// Gives one piece for each read, then the end of the stream.
    struct Pieces(VecDeque<Vec<u8>>);

    impl Pieces {
        fn of<const N: usize>(pieces: [&[u8]; N]) -> PacketReader<Pieces> {
            PacketReader::new(Pieces(pieces.map(<[u8]>::to_vec).into()))
        }
    }

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<std::io::Result<()>> {
            if let Some(mut piece) = self.0.pop_front() {
                let rest = piece.split_off(piece.len().min(out.remaining()));
                out.put_slice(&piece);
                if !rest.is_empty() {
                    self.0.push_front(rest);
                }
            }
            Poll::Ready(Ok(()))
        }
    }

    type Keys = (Box<dyn SealingKey + Send>, Box<dyn OpeningKey + Send>);

    /// Every cipher that can be negotiated, those without a tag of their own with every MAC.
    fn all_keys() -> Vec<(String, Keys)> {
        let mut all = Vec::new();
        for (name, cipher) in CIPHERS.iter() {
            for (mac_name, mac) in MACS.iter() {
                if !cipher.needs_mac() && mac_name.as_ref() != "none" {
                    continue;
                }
                let (key, nonce) = (vec![1; cipher.key_len()], vec![2; cipher.nonce_len()]);
                let mac_key = vec![3; mac.key_len()];
                all.push((
                    format!("{} {}", name.as_ref(), mac_name.as_ref()),
                    (
                        cipher.make_sealing_key(&key, &nonce, &mac_key, *mac),
                        cipher.make_opening_key(&key, &nonce, &mac_key, *mac),
                    ),
                ));
            }
        }
        all
    }

    fn sealed(key: Box<dyn SealingKey + Send>, payloads: &[&[u8]]) -> Vec<u8> {
        let mut writer = PacketWriter::new(key, Compress::None);
        for payload in payloads {
            writer.packet_raw(payload).unwrap();
        }
        writer.buffer().buffer.clone()
    }

    fn clear_packets(payloads: &[&[u8]]) -> Vec<u8> {
        sealed(Box::new(clear::Key), payloads)
    }

    #[tokio::test]
    async fn packets_come_out_whole_wherever_the_stream_is_cut() {
        let payloads: [&[u8]; 3] = [&[7; 45], &[8], &[9; 16]];
        let length = all_keys()
            .into_iter()
            .map(|(_, (sealing, _))| sealed(sealing, &payloads).len())
            .max()
            .unwrap();
        for cut in 1..length {
            for (name, (sealing, mut opening)) in all_keys() {
                let stream = sealed(sealing, &payloads);
                let Some((front, back)) = stream.split_at_checked(cut) else {
                    continue;
                };
                let mut reader = Pieces::of([front, back]);
                for payload in payloads {
                    let read = reader.read(&mut *opening).await.unwrap();
                    assert_eq!(read, payload, "{name}, cut at {cut}");
                }
                assert_eq!(reader.seqn, Wrapping(3));
                assert_eq!(reader.bytes, 62);
            }
        }
    }

    #[tokio::test]
    async fn packets_come_out_whole_when_bytes_come_one_by_one() {
        for (name, (sealing, mut opening)) in all_keys() {
            let stream = sealed(sealing, &[&[1; 30], &[2; 3]]);
            let pieces = stream.iter().map(|byte| vec![*byte]).collect();
            let mut reader = PacketReader::new(Pieces(pieces));
            assert_eq!(reader.read(&mut *opening).await.unwrap(), [1; 30], "{name}");
            assert_eq!(reader.read(&mut *opening).await.unwrap(), [2; 3], "{name}");
        }
    }

    #[tokio::test]
    async fn one_read_brings_all_that_has_arrived() {
        let stream = clear_packets(&[&[1; 10], &[2; 20], &[3; 30]]);
        let mut reader = Pieces::of([&stream]);
        reader.fill().await.unwrap();
        for length in [10, 20, 30] {
            let pkt = reader.next_packet(&mut clear::Key).unwrap().unwrap();
            assert_eq!(pkt.buffer.len(), length);
        }
        assert!(reader.next_packet(&mut clear::Key).unwrap().is_none());
        assert!(matches!(
            reader.fill().await,
            Err(Error::IO(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof
        ));
    }

    #[tokio::test]
    async fn the_longest_packet_passes_and_a_longer_one_does_not() {
        // The limit is on what stands between length and tag: padding's length, payload, padding.
        let longest = vec![5; MAXIMUM_DECOMPRESSED_PACKET_LEN - 12];
        let stream = clear_packets(&[&longest, &longest]);
        let mut reader = Pieces::of([&stream]);
        for _ in 0..2 {
            assert_eq!(reader.read(&mut clear::Key).await.unwrap(), longest);
        }

        let length = MAXIMUM_DECOMPRESSED_PACKET_LEN as u32 + 1;
        let mut reader = Pieces::of([&length.to_be_bytes()]);
        assert!(matches!(
            reader.read(&mut clear::Key).await,
            Err(Error::PacketSize(_))
        ));
    }

    #[tokio::test]
    async fn an_announced_length_costs_no_memory() {
        let length = MAXIMUM_DECOMPRESSED_PACKET_LEN as u32;
        let mut reader = Pieces::of([&length.to_be_bytes(), &[0; 100]]);
        for _ in 0..2 {
            reader.fill().await.unwrap();
            assert!(reader.next_packet(&mut clear::Key).unwrap().is_none());
        }
        reader.make_room();
        assert_eq!(reader.buffer.capacity(), CAPACITY_AT_REST);
    }

    #[tokio::test]
    async fn nothing_comes_out_of_an_altered_packet() {
        for (name, (sealing, mut opening)) in all_keys() {
            if opening.tag_len() == 0 {
                continue;
            }
            let mut stream = sealed(sealing, &[&[1; 40]]);
            *stream.last_mut().unwrap() ^= 1;
            let mut reader = Pieces::of([&stream]);
            assert!(reader.read(&mut *opening).await.is_err(), "{name}");
        }
    }

    #[tokio::test]
    async fn padding_that_is_longer_than_its_packet_is_refused() {
        for padding in [12, 255] {
            let mut packet = vec![0, 0, 0, 12, padding];
            packet.extend([0; 11]);
            let mut reader = Pieces::of([&packet]);
            assert!(matches!(
                reader.read(&mut clear::Key).await,
                Err(Error::IndexOutOfBounds)
            ));
        }
    }

    #[tokio::test]
    async fn the_buffer_follows_the_traffic() {
        let packet = clear_packets(&[&[1; 30_000]]);
        let mut reader = Pieces::of([&packet.repeat(40)]);
        for _ in 0..40 {
            reader.read(&mut clear::Key).await.unwrap();
        }
        assert_eq!(reader.capacity, CAPACITY_IN_BULK);

        let small = clear_packets(&[&[1; 30]]);
        reader.stream.0 = vec![small.clone(); 40].into();
        for _ in 0..40 {
            reader.read(&mut clear::Key).await.unwrap();
        }
        reader.make_room();
        assert_eq!(reader.buffer.capacity(), CAPACITY_AT_REST);
    }

    #[tokio::test]
    async fn a_buffer_at_rest_keeps_what_has_not_been_handed_on() {
        let packet = clear_packets(&[&[1; 30_000]]);
        let mut reader = Pieces::of([&packet.repeat(40)]);
        for _ in 0..39 {
            reader.read(&mut clear::Key).await.unwrap();
        }
        reader.rest();
        assert!(reader.buffer.capacity() < CAPACITY_IN_BULK);
        assert_eq!(reader.read(&mut clear::Key).await.unwrap(), [1; 30_000]);
        reader.rest();
        assert_eq!(reader.buffer.capacity(), CAPACITY_AT_REST);
    }

    #[tokio::test]
    async fn nothing_is_lost_when_a_read_is_given_up() {
        let (mut far, near) = tokio::io::duplex(64);
        let mut reader = PacketReader::new(near);
        let stream = clear_packets(&[&[4; 100]]);
        let sender = tokio::spawn(async move {
            for byte in stream {
                tokio::io::AsyncWriteExt::write_all(&mut far, &[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
            far
        });
        let payload = loop {
            if let Some(pkt) = reader.next_packet(&mut clear::Key).unwrap() {
                break pkt.buffer.to_vec();
            }
            tokio::select! {
                biased;
                read = reader.fill() => read.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        };
        assert_eq!(payload, [4; 100]);
        sender.await.unwrap();
    }
}
