//! The age v1 payload, reading side: random access by plaintext offset.
//!
//! It must never know what it reads or from which store; a store is a [`ReadAt`].
//!
//! Invariant: no byte leaves before the tag of its chunk verified, and no length is told before the chunk that claims
//! to be last verified as last.

use std::io::{self, Read, Seek, SeekFrom};

use super::{
    FileKey,
    body::{BodyError, CHUNK_BYTES, TAG_BYTES},
    chunk_key::OpeningKey,
    file_key::SALT_BYTES,
    read_at::{ReadAt, read_exact_at},
    wiped::Wiped,
};

/// Bytes of a whole chunk on disk.
const SEALED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Opens one body. Whole chunks are decrypted into the buffer of whoever asks; of a chunk that is asked for in parts the
/// plaintext is kept, so that small reads in a row decrypt it once. A reader costs a chunk of memory, 64 KiB at the most.
pub struct BodyReader<R> {
    source: R,
    key: OpeningKey,
    plaintext_bytes: u64,
    /// Index of the last chunk of a complete body; nothing for a prefix, all of whose chunks are whole.
    last_chunk: Option<u64>,
    buffer: Wiped,
    /// Which chunk's plaintext stands at the beginning of `buffer`.
    cached: Option<u64>,
}

impl<R: ReadAt> BodyReader<R> {
    /// Opens a complete body; its last chunk is verified here.
    pub fn open(file_key: &FileKey, source: R) -> Result<Self, BodyError> {
        let (mut reader, size_bytes) = Self::start(file_key, source)?;
        let sealed = size_bytes - SALT_BYTES as u64;
        let chunks = sealed.div_ceil(SEALED_BYTES as u64);
        let length = BodyError::Length { size_bytes };
        let Some(last) = chunks.checked_sub(1) else {
            return Err(length);
        };
        let last_bytes = sealed - last * SEALED_BYTES as u64;
        // A last chunk without text is only right for an empty plaintext (age v1, "payload").
        if last_bytes < TAG_BYTES as u64 || (last_bytes == TAG_BYTES as u64 && last > 0) {
            return Err(length);
        }
        reader.plaintext_bytes = sealed - chunks * TAG_BYTES as u64;
        reader.last_chunk = Some(last);
        reader.load(last)?;
        Ok(reader)
    }

    /// Opens what is whole of a body that was cut while it was written: every chunk from the first up to the first that
    /// is cut, damaged or marked last. All of them are verified here, so this reads the whole body once.
    ///
    /// For recovery after a crash, on explicit request only: a complete body opened this way lacks its last chunk.
    pub fn open_prefix(file_key: &FileKey, source: R) -> Result<Self, BodyError> {
        let (mut reader, size_bytes) = Self::start(file_key, source)?;
        let candidates = (size_bytes - SALT_BYTES as u64) / SEALED_BYTES as u64;
        reader.plaintext_bytes = candidates * CHUNK_BYTES as u64;
        for chunk in 0..candidates {
            match reader.load(chunk) {
                Ok(_) => {}
                Err(BodyError::Chunk { .. }) => {
                    reader.plaintext_bytes = chunk * CHUNK_BYTES as u64;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(reader)
    }

    fn start(file_key: &FileKey, source: R) -> Result<(Self, u64), BodyError> {
        let size_bytes = source.size_bytes().map_err(BodyError::Open)?;
        let mut salt = [0; SALT_BYTES];
        if size_bytes < SALT_BYTES as u64 {
            return Err(BodyError::Length { size_bytes });
        }
        read_exact_at(&source, 0, &mut salt).map_err(BodyError::Open)?;
        let key = file_key.payload_key(&salt).ok_or(BodyError::Library)?;
        // Records and other small items are shorter than a chunk.
        let buffer_bytes = (size_bytes - SALT_BYTES as u64).min(SEALED_BYTES as u64) as usize;
        let reader = Self {
            source,
            key: OpeningKey::new(&key)?,
            plaintext_bytes: 0,
            last_chunk: None,
            buffer: Wiped(vec![0; buffer_bytes]),
            cached: None,
        };
        Ok((reader, size_bytes))
    }

    /// Length of the plaintext in bytes, as verified when it was opened.
    pub fn plaintext_bytes(&self) -> u64 {
        self.plaintext_bytes
    }

    /// Fills `buf` with plaintext from `offset` on; fewer bytes than asked for only at the end.
    /// After an error what stands in `buf` is verified plaintext, zeros, or what stood there before; none of it counts.
    pub fn read_at(&mut self, mut offset: u64, buf: &mut [u8]) -> Result<usize, BodyError> {
        let mut filled = 0;
        while filled < buf.len() && offset < self.plaintext_bytes {
            let chunk = offset / CHUNK_BYTES as u64;
            let within = (offset % CHUNK_BYTES as u64) as usize;
            let wanted = &mut buf[filled..];
            let length = self.length(chunk);
            let taken = if within == 0 && wanted.len() >= length && !self.is_cached(chunk) {
                self.decrypt_into(chunk, &mut wanted[..length])?;
                length
            } else {
                let plaintext = &self.load(chunk)?[within..];
                let taken = plaintext.len().min(wanted.len());
                wanted[..taken].copy_from_slice(&plaintext[..taken]);
                taken
            };
            filled += taken;
            offset += taken as u64;
        }
        Ok(filled)
    }

    /// The whole plaintext, if it has at most `limit_bytes`; for records and other small items.
    pub fn read_all(&mut self, limit_bytes: usize) -> Result<Vec<u8>, BodyError> {
        let size = usize::try_from(self.plaintext_bytes)
            .ok()
            .filter(|size| *size <= limit_bytes);
        let mut plaintext = vec![
            0;
            size.ok_or(BodyError::Length {
                size_bytes: self.plaintext_bytes
            })?
        ];
        self.read_at(0, &mut plaintext)?;
        Ok(plaintext)
    }

    /// A reader with a position, for whoever wants `Read` and `Seek`.
    pub fn into_stream(self) -> BodyStream<R> {
        BodyStream {
            reader: self,
            position: 0,
        }
    }

    /// Plaintext bytes of a chunk that begins below `plaintext_bytes`.
    fn length(&self, chunk: u64) -> usize {
        let begins = chunk * CHUNK_BYTES as u64;
        (self.plaintext_bytes - begins).min(CHUNK_BYTES as u64) as usize
    }

    fn is_cached(&self, chunk: u64) -> bool {
        self.cached == Some(chunk)
    }

    /// The plaintext of a chunk below `plaintext_bytes`, verified.
    fn load(&mut self, chunk: u64) -> Result<&[u8], BodyError> {
        let length = self.length(chunk);
        if !self.is_cached(chunk) {
            self.fetch(chunk)?;
            let last = self.last_chunk == Some(chunk);
            let sealed = &mut self.buffer[..length + TAG_BYTES];
            self.key.open_in_place(chunk, last, sealed)?;
            self.cached = Some(chunk);
        }
        Ok(&self.buffer[..length])
    }

    /// The plaintext of a chunk, verified, into `plaintext`, which has its length.
    fn decrypt_into(&mut self, chunk: u64, plaintext: &mut [u8]) -> Result<(), BodyError> {
        self.fetch(chunk)?;
        let last = self.last_chunk == Some(chunk);
        let sealed = &self.buffer[..plaintext.len() + TAG_BYTES];
        self.key.open(chunk, last, sealed, plaintext)
    }

    /// Reads a chunk as it is stored to the beginning of `buffer`.
    fn fetch(&mut self, chunk: u64) -> Result<(), BodyError> {
        self.cached = None;
        let sealed_bytes = self.length(chunk) + TAG_BYTES;
        let offset = SALT_BYTES as u64 + chunk * SEALED_BYTES as u64;
        read_exact_at(&self.source, offset, &mut self.buffer[..sealed_bytes])
            .map_err(|source| BodyError::Io { chunk, source })
    }
}

/// A [`BodyReader`] with a position. Damage comes out as `InvalidData` that carries the [`BodyError`].
pub struct BodyStream<R> {
    reader: BodyReader<R>,
    position: u64,
}

impl<R: ReadAt> Read for BodyStream<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self
            .reader
            .read_at(self.position, buf)
            .map_err(|error| match error {
                BodyError::Io { source, .. } => source,
                damage => io::Error::new(io::ErrorKind::InvalidData, damage),
            })?;
        self.position += read as u64;
        Ok(read)
    }
}

impl<R: ReadAt> Seek for BodyStream<R> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = match target {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(distance) => self.reader.plaintext_bytes.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::body::{self, BodyWriter};
    use proptest::prelude::*;
    use ring::rand::SystemRandom;

    fn key() -> FileKey {
        FileKey::from_bytes(*b"sixteen byte key")
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    fn seal(plaintext: &[u8]) -> Vec<u8> {
        body::seal(&key(), &SystemRandom::new(), plaintext).unwrap()
    }

    fn read(body: &[u8]) -> Result<Vec<u8>, BodyError> {
        BodyReader::open(&key(), body)?.read_all(usize::MAX)
    }

    /// Lengths around every border of the format.
    const BORDERS: [usize; 8] = [
        0,
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        2 * CHUNK_BYTES - 1,
        2 * CHUNK_BYTES,
        200_000,
    ];

    #[test]
    fn borders_come_back_with_the_length_that_was_foretold() {
        for length in BORDERS {
            let sealed = seal(&text(length));
            assert_eq!(sealed.len() as u64, body::body_bytes(length as u64), "{length}");
            assert_eq!(read(&sealed).unwrap(), text(length), "{length}");
        }
    }

    #[test]
    fn one_flipped_bit_in_any_region_is_refused_and_names_the_chunk() {
        let plaintext = text(2 * CHUNK_BYTES + 100);
        let sealed = seal(&plaintext);
        let sealed_bytes = SEALED_BYTES as u64;
        let places =
            (0..SALT_BYTES).chain([16, 17, 65_550, 65_551, 65_552, 65_567, 65_568, 131_119, 131_120]);
        for at in places.chain(sealed.len() - 117..sealed.len()) {
            let mut damaged = sealed.clone();
            damaged[at] ^= 0x10;
            let expected = match (at as u64).checked_sub(SALT_BYTES as u64) {
                // A wrong salt is a wrong key for all; opening begins with the last chunk.
                None => 2,
                Some(place) => place / sealed_bytes,
            };
            match read(&damaged) {
                Err(BodyError::Chunk { chunk }) => assert_eq!(chunk, expected, "byte {at}"),
                other => panic!("byte {at}: {:?}", other.map(|text| text.len())),
            }
        }
    }

    #[test]
    fn cut_extended_swapped_and_repeated_bodies_are_refused() {
        let plaintext = text(3 * CHUNK_BYTES);
        let sealed = seal(&plaintext);
        for cut in [
            0,
            1,
            15,
            16,
            31,
            32,
            65_568,
            65_569,
            65_584,
            131_120,
            sealed.len() - 16,
            sealed.len() - 1,
        ] {
            assert!(read(&sealed[..cut]).is_err(), "cut at {cut}");
        }
        for more in [1, 16, 17, SEALED_BYTES] {
            assert!(
                read(&[&sealed[..], &vec![0; more]].concat()).is_err(),
                "{more} bytes more"
            );
        }
        let (salt, chunks) = sealed.split_at(SALT_BYTES);
        let chunks: Vec<_> = chunks.chunks(SEALED_BYTES).collect();
        for order in [[1, 0, 2], [0, 2, 1], [0, 0, 2]] {
            let moved = order.map(|chunk| chunks[chunk]).concat();
            assert!(
                matches!(read(&[salt, &moved].concat()), Err(BodyError::Chunk { .. })),
                "{order:?}"
            );
        }
        assert!(matches!(
            BodyReader::open(&FileKey::from_bytes([0; 16]), &sealed[..]).err(),
            Some(BodyError::Chunk { .. })
        ));
    }

    #[test]
    fn a_cut_body_gives_its_whole_chunks_and_no_more() {
        let plaintext = text(3 * CHUNK_BYTES);
        let sealed = seal(&plaintext);
        let prefix = |body: &[u8]| {
            BodyReader::open_prefix(&key(), body).and_then(|mut reader| {
                assert_eq!(reader.plaintext_bytes() % CHUNK_BYTES as u64, 0);
                reader.read_all(usize::MAX)
            })
        };
        let two_chunks = &plaintext[..2 * CHUNK_BYTES];
        // Complete: the last chunk isn't part of a prefix.
        assert_eq!(prefix(&sealed).unwrap(), two_chunks);
        assert_eq!(prefix(&sealed[..sealed.len() - 1]).unwrap(), two_chunks);
        assert_eq!(
            prefix(&sealed[..SALT_BYTES + 2 * SEALED_BYTES]).unwrap(),
            two_chunks
        );
        assert_eq!(
            prefix(&sealed[..SALT_BYTES + 2 * SEALED_BYTES - 1]).unwrap(),
            &plaintext[..CHUNK_BYTES]
        );
        assert_eq!(prefix(&sealed[..SALT_BYTES]).unwrap(), b"");
        assert!(prefix(&sealed[..SALT_BYTES - 1]).is_err());
        // A hole that a crash left in the middle ends the prefix.
        let mut holed = sealed.clone();
        holed[SALT_BYTES + SEALED_BYTES + 5] ^= 1;
        assert_eq!(prefix(&holed).unwrap(), &plaintext[..CHUNK_BYTES]);
    }

    #[test]
    fn a_damaged_chunk_leaves_zeros_in_the_buffer_it_was_read_into_and_the_reader_goes_on() {
        let plaintext = text(4 * CHUNK_BYTES);
        let mut sealed = seal(&plaintext);
        sealed[SALT_BYTES + 2 * SEALED_BYTES - 1] ^= 1;
        let mut reader = BodyReader::open(&key(), sealed).unwrap();
        // Into the caller's buffer, in the middle of what is asked for and at its beginning.
        for (first, chunks) in [(0, 3), (1, 1)] {
            let mut buf = vec![7; chunks * CHUNK_BYTES];
            let refused = reader.read_at(first as u64 * CHUNK_BYTES as u64, &mut buf);
            assert!(matches!(refused, Err(BodyError::Chunk { chunk: 1 })));
            let (before, rest) = buf.split_at((1 - first) * CHUNK_BYTES);
            let (damaged, behind) = rest.split_at(CHUNK_BYTES);
            assert!(before == &plaintext[..before.len()]);
            assert!(damaged.iter().all(|byte| *byte == 0));
            assert!(behind.iter().all(|byte| *byte == 7));
        }
        // Through the reader's own.
        let mut buf = [7; 100];
        let refused = reader.read_at(CHUNK_BYTES as u64, &mut buf);
        assert!(matches!(refused, Err(BodyError::Chunk { chunk: 1 })));
        assert_eq!(buf, [7; 100]);
        assert!(reader.buffer[..CHUNK_BYTES].iter().all(|byte| *byte == 0));
        let mut buf = vec![7; CHUNK_BYTES + 1];
        assert_eq!(
            reader.read_at(2 * CHUNK_BYTES as u64, &mut buf).unwrap(),
            buf.len()
        );
        assert!(buf == plaintext[2 * CHUNK_BYTES..3 * CHUNK_BYTES + 1]);
    }

    #[test]
    fn a_stream_reads_and_seeks() {
        let plaintext = text(100_000);
        let mut stream = BodyReader::open(&key(), seal(&plaintext)).unwrap().into_stream();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        assert_eq!(all, plaintext);
        stream.seek(SeekFrom::End(-5)).unwrap();
        let mut end = Vec::new();
        stream.read_to_end(&mut end).unwrap();
        assert_eq!(end, plaintext[99_995..]);
        assert!(stream.seek(SeekFrom::Current(-100_001)).is_err());
        stream.seek(SeekFrom::Start(u64::MAX)).unwrap();
        assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_file_is_a_store() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &seal(&text(70_000))).unwrap();
        let mut reader = BodyReader::open(&key(), file).unwrap();
        let mut buf = [0; 10];
        assert_eq!(reader.read_at(69_995, &mut buf).unwrap(), 5);
        assert_eq!(buf[..5], text(70_000)[69_995..]);
        assert!(reader.read_all(69_999).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn any_pushes_and_any_reads_agree(
            pushes in proptest::collection::vec(prop_oneof![0..2000_usize, 60_000..140_000_usize], 0..6),
            reads in proptest::collection::vec((0..600_000_u64, 0..150_000_usize), 1..8),
        ) {
            let plaintext = text(pushes.iter().sum());
            let mut writer = BodyWriter::create(&key(), &SystemRandom::new()).unwrap();
            let mut sealed = writer.prefix().to_vec();
            let mut rest = &plaintext[..];
            for push in pushes {
                let (now, later) = rest.split_at(push);
                writer.push(now, &mut sealed).unwrap();
                rest = later;
            }
            prop_assert_eq!(writer.plaintext_bytes(), plaintext.len() as u64);
            writer.finish(&mut sealed).unwrap();
            prop_assert_eq!(read(&sealed).unwrap(), plaintext.clone());
            let mut reader = BodyReader::open(&key(), sealed).unwrap();
            for (offset, length) in reads {
                let mut buf = vec![0; length];
                let got = reader.read_at(offset, &mut buf).unwrap();
                let begin = plaintext.len().min(offset as usize);
                let end = plaintext.len().min(offset as usize + length);
                prop_assert_eq!(&buf[..got], &plaintext[begin..end]);
            }
        }
    }
}
