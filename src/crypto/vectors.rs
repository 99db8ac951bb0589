//! Runs the age vectors in `tests/vectors/age` (their origin stands in the README there) against header and reader.

use std::{fs, io::Read, path::Path};

use ring::digest::{Context, SHA256};

use super::{BodyReader, FileKey, Identity, header, header::HeaderError};
use crate::domain::hex;

struct Vector {
    name: String,
    fields: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    fn file_key(&self) -> FileKey {
        FileKey::from_bytes(hex::decode_array(self.field("file key").unwrap()).unwrap())
    }

    /// Header and body: the header ends with the first line that begins with `---`.
    fn split(&self) -> (&[u8], &[u8]) {
        let mark = self
            .file
            .windows(4)
            .position(|at| at == b"\n---")
            .map_or(self.file.len(), |at| at + 1);
        let end = self.file[mark..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|at| mark + at + 1);
        self.file.split_at(end.unwrap_or(self.file.len()))
    }
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/age");
    let mut vectors: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none())
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            let blank = bytes.windows(2).position(|at| at == b"\n\n").unwrap();
            let fields = str::from_utf8(&bytes[..blank]).unwrap().lines();
            let fields = fields
                .map(|line| line.split_once(": ").unwrap())
                .map(|(a, b)| (a.into(), b.into()));
            let mut vector = Vector {
                name: path.file_name().unwrap().to_str().unwrap().into(),
                fields: fields.collect(),
                file: bytes[blank + 2..].to_vec(),
            };
            if vector.field("compressed").is_some() {
                let mut file = Vec::new();
                flate2::read::ZlibDecoder::new(&vector.file[..])
                    .read_to_end(&mut file)
                    .unwrap();
                vector.file = file;
            }
            vector
        })
        .collect();
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    vectors
}

#[test]
fn every_header_ends_as_its_vector_expects() {
    let mut run = 0;
    for vector in vectors() {
        let identities = vector.field("identity").map_or_else(
            || vec![Identity::generate()],
            |text| Identity::parse_file(text).unwrap(),
        );
        let outcome = header::unwrap(vector.split().0, &identities);
        let name = &vector.name;
        match vector.field("expect").unwrap() {
            // A passphrase is nothing that a vault has.
            "success" if vector.field("passphrase").is_some() => {
                assert_eq!(outcome.err(), Some(HeaderError::Malformed), "{name}");
            }
            "success" | "payload failure" => {
                assert_eq!(outcome.unwrap().expose(), vector.file_key().expose(), "{name}");
            }
            "HMAC failure" => assert_eq!(outcome.err(), Some(HeaderError::Mac), "{name}"),
            "no match" => assert_eq!(outcome.err(), Some(HeaderError::NoMatch), "{name}"),
            // To age, a salt cut short belongs to the header; to a vault, the salt is the body's.
            "header failure" if name.ends_with("_nonce") => assert!(outcome.is_ok(), "{name}"),
            "header failure" => assert_eq!(outcome.err(), Some(HeaderError::Malformed), "{name}"),
            other => panic!("{name}: unknown outcome {other}"),
        }
        run += 1;
    }
    assert_eq!(run, 70);
}

#[test]
fn every_body_ends_as_its_vector_expects() {
    let mut run = 0;
    for vector in vectors() {
        let expect = vector.field("expect").unwrap();
        let name = &vector.name;
        if !(["success", "payload failure"].contains(&expect) || name.ends_with("_nonce")) {
            continue;
        }
        let mut digest = Context::new(&SHA256);
        let outcome = BodyReader::open(&vector.file_key(), vector.split().1).and_then(|mut reader| {
            let mut buf = vec![0; 64 * 1024];
            let mut offset = 0;
            loop {
                let read = reader.read_at(offset, &mut buf)?;
                if read == 0 {
                    return Ok(());
                }
                digest.update(&buf[..read]);
                offset += read as u64;
            }
        });
        if expect == "success" {
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                hex::encode(digest.finish().as_ref()),
                vector.field("payload").unwrap(),
                "{name}"
            );
        } else {
            assert!(outcome.is_err(), "{name}");
        }
        run += 1;
    }
    assert_eq!(run, 35);
}
