use super::*;
use crate::{
    catalog::{
        Writer,
        placements::{Placement, Source},
    },
    crypto::{Identity, Recipients, body, header},
};
use proptest::{prelude::*, test_runner::TestRunner};
use ring::rand::SystemRandom;
use std::fs;

const CHUNK: usize = CHUNK_BYTES;
/// Of a chunk with its tag.
const SEALED: usize = CHUNK + 16;
const SALT: usize = 16;

/// A vault with one version of `plain`, its record, and a copy made from it.
struct Fixture {
    _folder: tempfile::TempDir,
    layout: Layout,
    writer: Writer,
    identity: Identity,
    contents: Contents,
}

fn version() -> VersionId {
    VersionId {
        customer: "000100012345".to_owned(),
        evidence: "01J0000000000000000000000E".to_owned(),
        version: 1,
    }
}

fn copy() -> Part {
    Part::Playback {
        event: "01J0000000000000000000000C".to_owned(),
    }
}

fn plain(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at / CHUNK) as u8)
        .collect()
}

fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

impl Fixture {
    fn new(original: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("vault"));
        layout.create_folders().unwrap();
        let writer = Writer::create(&layout.catalog(), "muniment.example/test").unwrap();
        let catalogue = Catalogue::open(&layout.catalog()).unwrap();
        let identity = Identity::generate();
        let (
            random,
            VersionId {
                customer,
                evidence,
                version,
            },
        ) = (SystemRandom::new(), version());
        let key = FileKey::generate(&random).unwrap();
        let seal = |plain: &[u8]| body::seal(&key, &random, plain).unwrap();
        let wrapped = header::wrap(
            &key,
            &Recipients::new(&[Identity::generate().recipient(), identity.recipient()]).unwrap(),
        )
        .unwrap();
        put(layout.header(&evidence, version).unwrap(), &wrapped);
        put(
            layout.content(&customer, &evidence, version).unwrap(),
            &seal(original),
        );
        put(
            layout.record(&customer, &evidence, version).unwrap(),
            &seal(b"{\"its\":\"record\"}"),
        );
        let Part::Playback { event } = copy() else {
            unreachable!()
        };
        put(
            layout.derived(&customer, &evidence, version, &event).unwrap(),
            &seal(b"a copy"),
        );
        let keyring = Keyring::of(vec![identity.clone()]);
        Fixture {
            contents: Contents::new(layout.clone(), catalogue, keyring),
            _folder: folder,
            layout,
            writer,
            identity,
        }
    }

    fn open(&self) -> Result<Content, ContentError> {
        self.contents.open(&version(), &Part::Original)
    }

    fn path(&self) -> PathBuf {
        let VersionId {
            customer,
            evidence,
            version,
        } = version();
        self.layout.content(&customer, &evidence, version).unwrap()
    }

    /// Flips one bit of the stored body.
    fn flip(&self, at: usize) {
        let mut bytes = fs::read(self.path()).unwrap();
        bytes[at] ^= 4;
        fs::write(self.path(), bytes).unwrap();
    }

    fn pending(&self, path: &Path) {
        let target = path.strip_prefix(self.layout.root()).unwrap().to_str().unwrap();
        let placement = Placement {
            target: target.to_owned(),
            source: Source::Bytes(Vec::new()),
        };
        let connection = &self.writer.connection;
        connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        placements::enqueue(connection, 0, &placement).unwrap();
    }
}

fn read(content: &mut Content, offset: u64, length: usize) -> Vec<u8> {
    let mut buf = vec![0xa5; length];
    let count = content.read_at(offset, &mut buf).unwrap();
    buf.truncate(count);
    buf
}

#[test]
fn ranges_around_chunk_boundaries_are_the_plaintext() {
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 7] {
        let original = plain(length);
        let vault = Fixture::new(&original);
        let mut content = vault.open().unwrap().expecting(length as u64).unwrap();
        assert_eq!(content.size_bytes(), length as u64);
        let edges = [
            0,
            1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            2 * CHUNK,
            length.saturating_sub(1),
            length,
            length + 1,
        ];
        for from in edges {
            for count in [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK] {
                let expected = &original[from.min(length)..(from + count).min(length)];
                assert_eq!(
                    read(&mut content, from as u64, count),
                    expected,
                    "{length}: {count} from {from}"
                );
            }
        }
        assert_eq!(read(&mut content, u64::MAX, 10), b"");
    }
}

#[test]
fn random_ranges_are_the_plaintext() {
    let original = plain(4 * CHUNK + 1_234);
    let vault = Fixture::new(&original);
    let ranges = prop::collection::vec((0_usize..5 * CHUNK, 0_usize..3 * CHUNK), 1..8);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    };
    let outcome = TestRunner::new(config).run(&ranges, |ranges| {
        let mut content = vault.open().unwrap();
        for (from, count) in ranges {
            let expected = &original[from.min(original.len())..(from + count).min(original.len())];
            prop_assert_eq!(read(&mut content, from as u64, count), expected);
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_flipped_bit_gives_the_chunks_number_and_no_byte() {
    let original = plain(3 * CHUNK + 100);
    // First and last bit of the text, and the tag, of each chunk but the last.
    for chunk in 0..3_usize {
        let begins = SALT + chunk * SEALED;
        for at in [begins, begins + CHUNK - 1, begins + CHUNK, begins + SEALED - 1] {
            let vault = Fixture::new(&original);
            vault.flip(at);
            let mut content = vault.open().unwrap();
            let mut buf = vec![0xa5; 4 * CHUNK];
            let error = content.read_at(0, &mut buf).unwrap_err();
            assert!(
                matches!(error, ContentError::Chunk { chunk: named } if named == chunk as u64),
                "{at}: {error}"
            );
            assert!(
                buf.iter().all(|byte| *byte == 0),
                "bytes of a failed read were left"
            );
            // What isn't damaged can still be read.
            for other in (0..3).filter(|other| *other != chunk) {
                let range = other * CHUNK..(other + 1) * CHUNK;
                assert_eq!(read(&mut content, range.start as u64, CHUNK), original[range]);
            }
            assert!(matches!(
                content.read_at((chunk * CHUNK) as u64 + 5, &mut [0; 1]),
                Err(ContentError::Chunk { chunk: named }) if named == chunk as u64
            ));
        }
    }
}

#[test]
fn damage_at_the_end_is_found_when_it_is_opened() {
    let original = plain(3 * CHUNK + 100);
    let vault = Fixture::new(&original);
    let whole = fs::read(vault.path()).unwrap();
    vault.flip(whole.len() - 1);
    assert!(matches!(vault.open(), Err(ContentError::Chunk { chunk: 3 })));
    for cut in [1, 100, 116, 117, SEALED] {
        fs::write(vault.path(), &whole[..whole.len() - cut]).unwrap();
        assert!(
            matches!(
                vault.open(),
                Err(ContentError::Chunk { .. } | ContentError::Length { .. })
            ),
            "cut by {cut}"
        );
    }
    fs::write(vault.path(), [&whole[..], b"x"].concat()).unwrap();
    assert!(vault.open().is_err());
    for cut in [0, 5, SALT] {
        fs::write(vault.path(), &whole[..cut]).unwrap();
        assert!(
            matches!(vault.open(), Err(ContentError::Length { .. })),
            "cut to {cut}"
        );
    }
    // Chunks that changed places don't verify in the other place.
    let mut swapped = whole;
    let (first, second) = swapped[SALT..SALT + 2 * SEALED].split_at_mut(SEALED);
    first.swap_with_slice(second);
    fs::write(vault.path(), swapped).unwrap();
    assert!(matches!(
        vault.open().unwrap().read_at(0, &mut [0; 1]),
        Err(ContentError::Chunk { chunk: 0 })
    ));
}

#[test]
fn locking_ends_an_open_content_at_its_next_chunk_for_good() {
    let original = plain(3 * CHUNK);
    let vault = Fixture::new(&original);
    let keyring = vault.contents.keyring().clone();
    let mut content = vault.open().unwrap();
    let unlocked = vault.contents.unlock(&version()).unwrap();
    assert_eq!(read(&mut content, 0, CHUNK), original[..CHUNK]);
    keyring.lock();
    // Also of the chunk that it has decrypted already.
    for offset in [0, CHUNK as u64] {
        let mut buf = [0xa5; 8];
        assert!(matches!(
            content.read_at(offset, &mut buf),
            Err(ContentError::Closed(Closed::Locked))
        ));
        assert_eq!(buf, [0; 8]);
    }
    assert!(content.reader.is_none(), "the key of the body is kept");
    assert!(matches!(vault.open(), Err(ContentError::Closed(Closed::Locked))));
    assert!(matches!(
        unlocked.open(&Part::Original),
        Err(ContentError::Closed(Closed::Locked))
    ));

    keyring.unlock(vec![vault.identity.clone()]).unwrap();
    assert!(
        content.read_at(0, &mut [0; 8]).is_err(),
        "an ended content came back"
    );
    assert!(unlocked.open(&Part::Original).is_err());
    assert_eq!(read(&mut vault.open().unwrap(), 0, 4 * CHUNK), original);
}

#[test]
fn a_lock_during_a_long_read_ends_it() {
    let original = plain(64 * CHUNK);
    let vault = Fixture::new(&original);
    let keyring = vault.contents.keyring().clone();
    let mut content = vault.open().unwrap();
    let (began, begun) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut buf = vec![0; 64 * CHUNK];
            let _ = began.send(());
            // Reads on until it is locked; if nothing ended it, neither would this.
            while content.read_at(0, &mut buf).is_ok() {}
            buf
        });
        begun.recv().unwrap();
        keyring.lock();
        assert!(reader.join().unwrap().iter().all(|byte| *byte == 0));
    });
}

#[test]
fn what_is_on_its_way_is_told_from_what_is_gone() {
    let vault = Fixture::new(b"text");
    let VersionId {
        evidence,
        version: number,
        ..
    } = version();
    let header = vault.layout.header(&evidence, number).unwrap();
    for path in [vault.path(), header] {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = vault.open().err().unwrap();
        assert!(matches!(error, ContentError::Missing { .. }), "{error}");
        assert!(!error.to_string().contains("000100012345"), "{error}");
        vault.pending(&path);
        assert!(matches!(vault.open(), Err(ContentError::NotPlaced)));
        fs::write(&path, bytes).unwrap();
        assert!(vault.open().is_ok());
    }
}

#[test]
fn copies_and_records_open_under_the_versions_key() {
    let vault = Fixture::new(b"the original");
    let unlocked = vault.contents.unlock(&version()).unwrap();
    assert_eq!(
        unlocked.record_json().unwrap().as_slice(),
        b"{\"its\":\"record\"}"
    );
    let mut made = unlocked.open(&copy()).unwrap();
    assert_eq!(read(&mut made, 0, 100), b"a copy");
    // A copy in the place of the original opens, but isn't as long.
    let VersionId {
        customer,
        evidence,
        version: number,
    } = version();
    let Part::Playback { event } = copy() else {
        unreachable!()
    };
    let copied = vault
        .layout
        .derived(&customer, &evidence, number, &event)
        .unwrap();
    fs::copy(copied, vault.path()).unwrap();
    let exchanged = vault.open().unwrap().expecting(12);
    assert!(matches!(exchanged, Err(ContentError::Length { size_bytes: 6 })));
    let nowhere = Part::ContactSheet {
        event: "01J0000000000000000000000X".to_owned(),
    };
    assert!(matches!(
        vault.contents.open(&version(), &nowhere),
        Err(ContentError::Missing { .. })
    ));
    let up = Part::ContactSheet {
        event: "../content".to_owned(),
    };
    assert!(matches!(
        vault.contents.open(&version(), &up),
        Err(ContentError::Layout(_))
    ));
}

#[test]
fn a_record_of_an_event_opens_and_what_is_none_is_said() {
    let vault = Fixture::new(b"");
    let (event, random) = ("01J0000000000000000000000R", SystemRandom::new());
    let key = FileKey::generate(&random).unwrap();
    let wrapped = header::wrap(&key, &Recipients::new(&[vault.identity.recipient()]).unwrap()).unwrap();
    put(vault.layout.registry_header(event).unwrap(), &wrapped);
    let record = Record {
        leaf_index: 7,
        openings: Default::default(),
        private: serde_json::Map::from_iter([("form".to_owned(), "c2Nhbg==".into())]),
        leaf_hash: "00".repeat(32),
        v: 1,
    };
    let path = vault.layout.registry_record(event).unwrap();
    let json = serde_json::to_vec(&record).unwrap();
    put(path.clone(), &body::seal(&key, &random, &json).unwrap());
    let opened = vault.contents.record(event).unwrap();
    assert!(opened == record);
    fs::write(&path, body::seal(&key, &random, b"{}").unwrap()).unwrap();
    assert!(matches!(
        vault.contents.record(event),
        Err(ContentError::Record(_))
    ));
    let large = vec![b' '; MAX_RECORD_BYTES + 1];
    fs::write(&path, body::seal(&key, &random, &large).unwrap()).unwrap();
    assert!(matches!(
        vault.contents.record(event),
        Err(ContentError::Length { .. })
    ));
    vault.contents.keyring().lock();
    assert!(matches!(
        vault.contents.record(event),
        Err(ContentError::Closed(Closed::Locked))
    ));
}

#[test]
fn another_custodians_identity_or_a_large_header_opens_nothing() {
    let vault = Fixture::new(b"text");
    let stranger = Contents::new(
        vault.layout.clone(),
        Catalogue::open(&vault.layout.catalog()).unwrap(),
        Keyring::of(vec![Identity::generate()]),
    );
    assert!(matches!(
        stranger.open(&version(), &Part::Original),
        Err(ContentError::Header(HeaderError::NoMatch))
    ));
    let header = vault.layout.header(&version().evidence, 1).unwrap();
    fs::write(&header, vec![b'a'; 4 * MAX_HEADER_BYTES]).unwrap();
    assert!(matches!(
        vault.open(),
        Err(ContentError::Header(HeaderError::Malformed))
    ));
}
