use super::*;
use crate::tlog::checkpoint::{Checkpoint, CheckpointError, cosign, merge_cosignatures, open};
use crate::tlog::merkle::{MerkleError, inclusion_proof};
use crate::tlog::note::{KeyError, MAX_SIGNATURES, Note, NoteError, VerifierKey};
use crate::tlog::proof::{MAX_PROOF_BYTES, MAX_PROOF_HASHES, ProofError, TlogProof};
use proptest::prelude::*;

// The keys and notes of golang.org/x/mod/sumdb/note's examples.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_LINE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_LINE: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn verifier(text: &str) -> VerifierKey {
    VerifierKey::parse(text).unwrap()
}

fn names(note: &str, keys: &[VerifierKey]) -> Result<Vec<String>, NoteError> {
    Ok(Note::parse(note.as_bytes())?
        .verify(keys)?
        .into_iter()
        .map(|verified| verified.name)
        .collect())
}

#[test]
fn sumdb_example_signs_and_opens() {
    let peter = SignerKey::parse(PETER_PRIVATE).unwrap();
    assert_eq!(peter.to_text().as_str(), PETER_PRIVATE);
    assert_eq!(peter.verifier().to_string(), PETER);
    assert!(!format!("{peter:?}").contains("AYEKFALV"));
    let mut note = Note::sign(TEXT.to_owned(), &peter).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{PETER_LINE}"));

    // EnochRoot's example key is made of zeros.
    let enoch = key("EnochRoot", Algorithm::Ed25519, 0);
    assert_eq!(enoch.verifier().to_string(), ENOCH);
    let line = Note::sign(TEXT.to_owned(), &enoch).unwrap().signatures()[0].clone();
    note.add_signature(line.clone()).unwrap();
    note.add_signature(line).unwrap();
    let both = format!("{TEXT}\n{PETER_LINE}{ENOCH_LINE}");
    assert_eq!(note.to_string(), both);

    let (peter, enoch) = (verifier(PETER), verifier(ENOCH));
    assert_eq!(
        names(&both, &[peter.clone(), enoch.clone()]).unwrap(),
        ["PeterNeumann", "EnochRoot"]
    );
    assert_eq!(names(&both, std::slice::from_ref(&enoch)).unwrap(), ["EnochRoot"]);
    assert_eq!(names(&both, &[]).unwrap(), Vec::<String>::new());
    // A line that comes twice counts once.
    let twice = format!("{TEXT}\n{PETER_LINE}{PETER_LINE}");
    assert_eq!(names(&twice, &[peter]).unwrap(), ["PeterNeumann"]);
}

/// The example of c2sp.org/signed-note.
#[test]
fn c2sp_example_opens() {
    let key = verifier("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    let note = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    assert_eq!(names(note, &[key]).unwrap(), ["example.com/foo"]);
}

/// A cosigner's key that others made (transparency-dev/formats, note tests).
#[test]
fn foreign_cosigner_key_is_read() {
    let text = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    let key = verifier(text);
    assert_eq!(
        (key.algorithm(), key.to_string().as_str()),
        (Algorithm::CosignatureV1, text)
    );
}

#[test]
fn mangled_keys_are_refused() {
    for (text, private) in [(PETER, false), (PETER_PRIVATE, true)] {
        let accepted = |text: &[u8]| {
            let Ok(text) = str::from_utf8(text) else {
                return false;
            };
            if private {
                SignerKey::parse(text).is_ok()
            } else {
                VerifierKey::parse(text).is_ok()
            }
        };
        let bytes = text.as_bytes();
        assert!(accepted(bytes));
        for start in 0..bytes.len() {
            for end in start..=bytes.len() {
                assert!((start, end) == (0, bytes.len()) || !accepted(&bytes[start..end]));
            }
            let mut changed = bytes.to_vec();
            changed[start] = changed[start].wrapping_add(1);
            assert!(!accepted(&changed), "byte {start}");
        }
    }
    let bad = |text: &str| VerifierKey::parse(text).unwrap_err();
    // Both from the sumdb tests: the id is right for the wrong content.
    assert_eq!(
        bad("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="),
        KeyError::Syntax
    );
    assert_eq!(
        bad("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"),
        KeyError::Algorithm(0x65)
    );
    assert_eq!(bad(&PETER.replace("c74f", "C74F")), KeyError::Syntax);
    for name in ["", "a b", "a+b", "a\u{3000}b", "a\nb", &"n".repeat(256)] {
        assert_eq!(
            VerifierKey::new(name, Algorithm::Ed25519, [0; 32]),
            Err(KeyError::Name),
            "{name:?}"
        );
    }
}

#[test]
fn generated_keys_differ_and_sign() {
    let random = ring::rand::SystemRandom::new();
    let [one, two] = [(); 2].map(|()| SignerKey::generate(ORIGIN, Algorithm::Ed25519, &random).unwrap());
    assert_ne!(one.verifier(), two.verifier());
    let note = Note::sign("x\n".to_owned(), &one).unwrap();
    assert_eq!(note.verify([one.verifier()]).unwrap().len(), 1);
    assert!(note.verify([two.verifier()]).unwrap().is_empty());
}

#[test]
fn malformed_notes_are_refused() {
    let good = format!("{TEXT}\n{PETER_LINE}");
    let bad = [
        String::new(),
        TEXT.to_owned(),
        format!("{TEXT}\n"),
        good.trim_end().to_owned(),
        format!("\u{1}{good}"),
        good.replace('\n', "\r\n"),
        format!("{good}Unexpected line.\n"),
        format!("{good}\n"),
        good.replace("— ", "- "),
        good.replace("PeterNeumann", "Bad Name"),
        good.replace("PeterNeumann", "Bad+Name"),
        good.replace("PeterNeumann", ""),
        good.replace("nAM=", "nAM"),
        good.replace("nAM=", "nAN="),
        format!("{TEXT}\n— PeterNeumann x08gow==\n"),
    ];
    for note in bad {
        assert!(
            matches!(Note::parse(note.as_bytes()), Err(NoteError::Syntax(_))),
            "{note:?}"
        );
    }
    assert!(matches!(
        Note::parse(&[b"\xff", good.as_bytes()].concat()),
        Err(NoteError::Syntax(_))
    ));
    let many = |count| format!("{TEXT}\n{}", PETER_LINE.repeat(count));
    assert!(Note::parse(many(MAX_SIGNATURES).as_bytes()).is_ok());
    assert_eq!(
        Note::parse(many(MAX_SIGNATURES + 1).as_bytes()),
        Err(NoteError::TooLarge)
    );
    assert_eq!(Note::parse(many(1000).as_bytes()), Err(NoteError::TooLarge));
    // Empty lines belong to the text; the last one ends it.
    let inner = "a\n\nb\n";
    let note = Note::sign(inner.to_owned(), &key("k", Algorithm::Ed25519, 1)).unwrap();
    assert_eq!(Note::parse(note.to_string().as_bytes()).unwrap().text(), inner);
    // A text that would not come back cannot be signed.
    assert!(Note::sign("no newline".to_owned(), &key("k", Algorithm::Ed25519, 1)).is_err());
    assert!(Note::sign("tab\t\n".to_owned(), &key("k", Algorithm::Ed25519, 1)).is_err());
}

#[test]
fn a_wrong_signature_of_a_known_key_spoils_the_note() {
    let keys = [verifier(PETER), verifier(ENOCH)];
    let wrong = format!("{TEXT}x\n\n{PETER_LINE}").replace("is.\nx\n", "is!\n");
    assert!(matches!(
        names(&wrong, &keys),
        Err(NoteError::BadSignature { .. })
    ));
    // Enoch's bytes under Peter's name carry Enoch's id: a stranger's line.
    let renamed = format!("{TEXT}\n{}", ENOCH_LINE.replace("EnochRoot", "PeterNeumann"));
    assert!(names(&renamed, &keys).unwrap().is_empty());
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint {
        origin: ORIGIN.to_owned(),
        size,
        root: naive_root(&leaves(size)),
        extensions: vec![],
    }
}

#[test]
fn checkpoints_sign_and_open() {
    let log = key(ORIGIN, Algorithm::Ed25519, 1);
    let signed = checkpoint(3).sign(&log).unwrap().to_string();
    let opened = open(signed.as_bytes(), log.verifier(), &[]).unwrap();
    assert_eq!((opened.checkpoint, opened.cosignatures), (checkpoint(3), vec![]));

    let other = key(ORIGIN, Algorithm::Ed25519, 2);
    let elsewhere = key("muniment.example/vault-2", Algorithm::Ed25519, 1);
    let witness = key("witness.example/w", Algorithm::CosignatureV1, 3);
    let open_with = |key: &VerifierKey| open(signed.as_bytes(), key, &[]).unwrap_err();
    assert!(matches!(
        open_with(other.verifier()),
        CheckpointError::Unsigned(_)
    ));
    assert!(matches!(
        open_with(elsewhere.verifier()),
        CheckpointError::Origin(_)
    ));
    assert!(matches!(
        open_with(witness.verifier()),
        CheckpointError::KeyKind(_)
    ));
    let plain_witness = [other.verifier().clone()];
    assert!(matches!(
        open(signed.as_bytes(), log.verifier(), &plain_witness),
        Err(CheckpointError::KeyKind(_))
    ));
    let forged = signed.replace("\n3\n", "\n4\n");
    let error = open(forged.as_bytes(), log.verifier(), &[]).unwrap_err();
    assert!(matches!(
        error,
        CheckpointError::Note(NoteError::BadSignature { .. })
    ));

    assert!(checkpoint(3).sign(&elsewhere).is_err());
    let broken = Checkpoint {
        extensions: vec!["a\nb".to_owned()],
        ..checkpoint(3)
    };
    assert!(broken.sign(&log).is_err());
    let extended = Checkpoint {
        extensions: vec!["a b".to_owned()],
        ..checkpoint(3)
    };
    let signed = extended.sign(&log).unwrap().to_string();
    assert_eq!(
        open(signed.as_bytes(), log.verifier(), &[]).unwrap().checkpoint,
        extended
    );
}

#[test]
fn checkpoint_texts_have_one_spelling() {
    let root = EMPTY_ROOT.to_string();
    assert!(Checkpoint::parse(&format!("a\n0\n{root}\n")).is_ok());
    let bad = [
        format!("\n0\n{root}\n"),
        format!("a\n00\n{root}\n"),
        format!("a\n+1\n{root}\n"),
        format!("a\n-1\n{root}\n"),
        format!("a\n18446744073709551616\n{root}\n"),
        format!("a\n1\n{}\n", &root[..43]),
        format!("a\n1\n{root} \n"),
        format!("a\n1\n{root}"),
        format!("a\n1\n{root}\n\n"),
        "a\n1\n".to_owned(),
        String::new(),
    ];
    for text in bad {
        assert!(
            matches!(Checkpoint::parse(&text), Err(CheckpointError::Syntax(_))),
            "{text:?}"
        );
    }
}

#[test]
fn witnesses_cosign_and_logs_take_it_over() {
    let log = key(ORIGIN, Algorithm::Ed25519, 1);
    let witness = key("witness.example/w", Algorithm::CosignatureV1, 3);
    let witnesses = [witness.verifier().clone()];
    let mut own = checkpoint(3).sign(&log).unwrap();
    let signed = own.to_string();
    let cosigned = cosign(signed.as_bytes(), log.verifier(), &witness, 1_679_315_147)
        .unwrap()
        .to_string();
    let opened = open(cosigned.as_bytes(), log.verifier(), &witnesses).unwrap();
    assert_eq!(opened.cosignatures[0].time, Some(1_679_315_147));
    assert_eq!(opened.cosignatures[0].name, "witness.example/w");
    // The time is under the signature.
    let line = cosigned.lines().last().unwrap();
    let mut bytes = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        line.rsplit(' ').next().unwrap(),
    )
    .unwrap();
    bytes[11] ^= 1;
    let retimed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let retimed = cosigned.replace(line.rsplit(' ').next().unwrap(), &retimed);
    assert!(open(retimed.as_bytes(), log.verifier(), &witnesses).is_err());

    // Nobody but a witness cosigns, only what the log signed, never at an impossible time.
    assert!(cosign(signed.as_bytes(), log.verifier(), &log, 1).is_err());
    assert!(
        cosign(
            signed.as_bytes(),
            key(ORIGIN, Algorithm::Ed25519, 9).verifier(),
            &witness,
            1
        )
        .is_err()
    );
    assert!(cosign(signed.as_bytes(), log.verifier(), &witness, 1 << 63).is_err());

    let stranger = key("stranger.example/s", Algorithm::CosignatureV1, 4);
    let both = cosign(cosigned.as_bytes(), log.verifier(), &stranger, 5)
        .unwrap()
        .to_string();
    let taken = merge_cosignatures(&mut own, both.as_bytes(), &witnesses).unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(own.to_string(), cosigned);
    let other = checkpoint(4).sign(&log).unwrap().to_string();
    assert_eq!(
        merge_cosignatures(&mut own, other.as_bytes(), &witnesses),
        Err(CheckpointError::Other)
    );
}

fn proof(extra: &[u8]) -> TlogProof {
    let log = key(ORIGIN, Algorithm::Ed25519, 1);
    let hashes = inclusion_proof(4, 11, &mut reader(&leaves(11))).unwrap();
    TlogProof {
        extra: extra.to_vec(),
        index: 4,
        hashes,
        checkpoint: checkpoint(11).sign(&log).unwrap(),
    }
}

#[test]
fn proofs_round_trip_and_verify() {
    let log = key(ORIGIN, Algorithm::Ed25519, 1);
    let leaf = 4_u64.to_be_bytes();
    for extra in [b"".as_slice(), b"openings"] {
        let text = proof(extra).to_string();
        let parsed = TlogProof::parse(text.as_bytes()).unwrap();
        assert_eq!((parsed.to_string(), &parsed), (text, &proof(extra)));
        assert_eq!(
            parsed.verify(&leaf, log.verifier(), &[]).unwrap().checkpoint,
            checkpoint(11)
        );
        let inclusion = |error| Err(ProofError::Inclusion(error));
        assert_eq!(
            parsed.verify(b"another leaf", log.verifier(), &[]),
            inclusion(MerkleError::Root)
        );
        let moved = TlogProof {
            index: 11,
            ..parsed.clone()
        };
        assert_eq!(
            moved.verify(&leaf, log.verifier(), &[]),
            inclusion(MerkleError::OutOfRange)
        );
        let stranger = key(ORIGIN, Algorithm::Ed25519, 2);
        assert!(matches!(
            parsed.verify(&leaf, stranger.verifier(), &[]),
            Err(ProofError::Checkpoint(_))
        ));
    }
    let expected = include_str!("../../../tests/vectors/tlog/receipt.tlog-proof");
    assert_eq!(
        proof(b"openings").to_string(),
        expected,
        "the released format changed"
    );
}

#[test]
fn malformed_proofs_are_refused() {
    let good = proof(b"openings").to_string();
    let hash = proof(b"").hashes[0].to_string();
    let bad = [
        String::new(),
        good.replace("proof@v1", "proof@v2"),
        good.replacen("extra ", "Extra ", 1),
        good.replacen("extra ", "extra !", 1),
        good.replacen("extra b3BlbmluZ3M=", "extra ", 1),
        good.replacen("index 4", "index 04", 1),
        good.replacen("index 4", "index -4", 1),
        good.replacen("index 4\n", "", 1),
        good.replacen(&hash, &hash[..40], 1),
        good.replacen(&hash, &format!("{hash}{hash}"), 1),
        good.replace("\n\n", "\n"),
        good.replace('\n', "\r\n"),
    ];
    for text in bad {
        assert!(
            matches!(
                TlogProof::parse(text.as_bytes()),
                Err(ProofError::Syntax(_) | ProofError::Checkpoint(_))
            ),
            "{text}"
        );
    }
    let long = good.replacen(&hash, &[hash.as_str(); MAX_PROOF_HASHES + 1].join("\n"), 1);
    assert_eq!(TlogProof::parse(long.as_bytes()), Err(ProofError::TooLarge));
    assert_eq!(
        TlogProof::parse(&vec![b'a'; MAX_PROOF_BYTES + 1]),
        Err(ProofError::TooLarge)
    );
}

proptest! {
    /// What parses prints back, whatever a fuzzer makes of a good file.
    #[test]
    fn parsers_are_total_and_canonical(cut in any::<prop::sample::Index>(), byte in any::<u8>(), insert in any::<bool>()) {
        let mut bytes = proof(b"openings").to_string().into_bytes();
        let position = cut.index(bytes.len());
        if insert { bytes.insert(position, byte) } else { bytes[position] = byte }
        if let Ok(parsed) = TlogProof::parse(&bytes) {
            prop_assert_eq!(parsed.to_string().into_bytes(), bytes.clone());
        }
        if let Ok(parsed) = Note::parse(&bytes) {
            prop_assert_eq!(parsed.to_string().into_bytes(), bytes);
        }
    }
}
