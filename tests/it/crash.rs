//! Power cuts: SIGKILL at random points under load, then everything that was promised must be there.
//!
//! Promised is: a CLOSE answered OK. `MUNIMENT_CRASH_SEED=n` and `MUNIMENT_CRASH_ROUNDS=n` in the environment repeat a run; both are printed.

use crate::support::{
    CLERK, TestVault, log,
    media::{self, Noise},
    server::wait_for,
    sha256,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// What the load writes down, each line after the server's answer: `CLOSED path size sha256`, `RENAMED from to`.
const LOAD: &str = "\
import random
seed, journal_path = int(os.environ['ROUND_SEED']), os.environ['JOURNAL']
journal = open(journal_path, 'a')
lock = threading.Lock()

def note(*words):
    with lock:
        journal.write(' '.join(str(word) for word in words) + '\\n')
        journal.flush()

BASE = open(os.environ['BASE_JPEG'], 'rb').read()

def jpeg(rng, size):
    # A page with its noise in comments, the shape of support/media.
    at = 4 + int.from_bytes(BASE[4:6], 'big')
    out = bytearray(BASE[:at])
    noise = rng.randbytes(size)
    for piece in range(0, size, 60000):
        body = noise[piece:piece + 60000]
        out.extend(b'\\xff\\xfe' + struct.pack('>H', len(body) + 2) + body)
    return bytes(out) + BASE[at:]

def put(session, path, data):
    with session.open(path, 'wb') as f:
        f.set_pipelined(True)
        for at in range(0, len(data), 32768):
            f.write(data[at:at + 32768])
        f.set_pipelined(False)
    note('CLOSED', path, len(data), hashlib.sha256(data).hexdigest())

def clerk(number):
    rng = random.Random(seed * 16 + number)
    try:
        session = sftp()
        for turn in range(1, 10000):
            flow = f'R{seed % 10**8:08}N{number}T{turn:04}'
            name = f'/inbox/000100012345_20260728_{flow}_IDF_01.jpg'
            data = jpeg(rng, rng.choice([900, 20_000, 300_000, 2_000_000]))
            if rng.random() < 0.3:
                put(session, name + '.filepart', data)
                session.rename(name + '.filepart', name)
                note('RENAMED', name + '.filepart', name)
            else:
                put(session, name, data)
    except Exception:
        return  # the server is gone: that is the test

threads = [threading.Thread(target=clerk, args=(n,)) for n in range(3)]
[t.start() for t in threads]
[t.join() for t in threads]
";

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn every_acknowledged_close_survives_kill_9() {
    let (seed, rounds) = (
        variable("MUNIMENT_CRASH_SEED", 20_260_728),
        variable("MUNIMENT_CRASH_ROUNDS", 50),
    );
    println!("MUNIMENT_CRASH_SEED={seed} MUNIMENT_CRASH_ROUNDS={rounds}");
    let mut random = Noise::new(seed);
    let mut vault = TestVault::serving();
    let journal = vault.home.join("journal");
    let base = vault.file("base.jpg", &media::jpeg(0, 0));
    let mut checkpoints = BTreeMap::new();
    let mut acknowledged = 0;

    for round in 0..rounds {
        let mut load = vault
            .python_command(CLERK, LOAD)
            .env("ROUND_SEED", (seed + round).to_string())
            .env("JOURNAL", &journal)
            .env("BASE_JPEG", &base)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let first = fs::metadata(&journal).map_or(0, |metadata| metadata.len());
        // The random part begins when the load has begun to be answered.
        wait_for("the load to begin", || {
            (fs::metadata(&journal).map_or(0, |metadata| metadata.len()) > first).then_some(())
        });
        let until = Instant::now() + Duration::from_micros(random.below(1_200_000));
        while Instant::now() < until {
            see_checkpoint(&vault.path, &mut checkpoints);
            thread::sleep(Duration::from_millis(5));
        }
        vault.kill9();
        load.wait().unwrap();
        see_checkpoint(&vault.path, &mut checkpoints);

        vault.serve();
        acknowledged = check(
            &vault,
            &fs::read_to_string(&journal).unwrap(),
            &checkpoints,
            round,
        );
    }
    vault.restart();
    vault.log_verify().ok();
    // Every byte: decrypted and compared with what was sealed; through Debian's own age for a sample.
    vault
        .muniment(&[
            "fixity",
            "check",
            "--identity",
            vault.identity().to_str().unwrap(),
        ])
        .ok();
    let rows = vault.evidence();
    for _ in 0..20 {
        let row = &rows[random.below(rows.len() as u64) as usize];
        assert_eq!(
            sha256(&vault.decrypted(row)),
            row["sha256"].as_str().unwrap(),
            "{row}"
        );
    }
    println!(
        "{acknowledged} acknowledged files, {} sealed, {} checkpoints",
        rows.len(),
        checkpoints.len()
    );
    assert!(acknowledged as u64 > rounds, "the load never got going");
}

fn see_checkpoint(vault: &Path, seen: &mut BTreeMap<u64, String>) {
    let note = fs::read_to_string(vault.join("log/checkpoint")).unwrap_or_default();
    if let Some((size, root)) = log::parse_checkpoint(&note) {
        let before = seen.entry(size).or_insert_with(|| root.clone());
        assert_eq!(*before, root, "two histories of size {size} were signed");
    }
}

/// What must hold after each restart; gives the number of acknowledged files.
fn check(vault: &TestVault, journal: &str, checkpoints: &BTreeMap<u64, String>, round: u64) -> usize {
    vault.log_verify().ok();
    vault.fixity_check().ok();

    let (size, root) = vault.checkpoint();
    let entries = log::entries(&vault.path.join("log"), size);
    assert_eq!(
        log::root(&entries),
        root,
        "round {round}: the checkpoint isn't the log's"
    );
    let (newest, _) = checkpoints.last_key_value().unwrap();
    assert!(
        *newest <= size,
        "round {round}: checkpoint {newest} was published and {size} is all there is"
    );
    // The newest few each round: the older ones were compared in the rounds before.
    for (seen, root) in checkpoints.iter().rev().take(12) {
        assert_eq!(
            log::root(&entries[..*seen as usize]),
            *root,
            "round {round}: checkpoint {seen} isn't extended"
        );
    }

    let renamed: BTreeSet<_> = words(journal, "RENAMED")
        .map(|words| words[1].to_owned())
        .collect();
    // What was still in the gate when the power went is looked at again after the start.
    let rows = wait_for("everything acknowledged under a final name is evidence", || {
        let rows = vault.evidence();
        let flows: BTreeSet<_> = rows.iter().filter_map(|row| row["flow"].as_str()).collect();
        words(journal, "CLOSED")
            .filter(|words| !words[1].ends_with(".filepart") || renamed.contains(words[1]))
            .all(|words| flows.contains(words[1].split('_').nth(2).unwrap()))
            .then_some(rows)
    });
    let sealed: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row["flow"].as_str().unwrap(), row))
        .collect();
    let mut open = Vec::new();
    for closed in words(journal, "CLOSED") {
        let (path, size, digest) = (closed[1], closed[2], closed[3]);
        let flow = path.split('_').nth(2).unwrap();
        match sealed.get(flow) {
            Some(row) => assert_eq!(
                (row["sha256"].as_str(), row["size_bytes"].to_string()),
                (Some(digest), size.to_owned())
            ),
            // A temporary name stays in the inbox, whole, until somebody renames it.
            None if path.ends_with(".filepart") && !renamed.contains(path) => open.push((path, size)),
            None => panic!("round {round}: {path} was acknowledged and is no evidence"),
        }
    }
    let script: String = open
        .iter()
        .map(|(path, size)| format!("assert s.stat('{path}').st_size == {size}, '{path}'\n"))
        .collect();
    vault.python(CLERK, &format!("s = sftp()\n{script}")).ok();

    // Nothing half sealed: as many folders as rows, each whole.
    let mut versions = 0;
    for customer in children(&vault.path.join("objects")) {
        for evidence in children(&customer) {
            for version in children(&evidence) {
                versions += 1;
                assert!(
                    version.join("content").exists() && version.join("record").exists(),
                    "{version:?}"
                );
            }
        }
    }
    assert_eq!(
        versions,
        rows.len(),
        "round {round}: objects on disk against rows"
    );
    rows.iter().for_each(|row| drop(vault.header(row)));
    words(journal, "CLOSED").count()
}

fn words<'j>(journal: &'j str, kind: &'j str) -> impl Iterator<Item = Vec<&'j str>> {
    // The last line may be half written: the load was killed with the server's answer in its hand.
    let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
    whole
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(move |words| words[0] == kind)
}

fn children(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).map_or_else(
        |_| Vec::new(),
        |entries| entries.map(|entry| entry.unwrap().path()).collect(),
    )
}
