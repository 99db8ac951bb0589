//! Thousands of mutated files through the workers: no hang past its limit, memory under its limit, each crash contained
//! and reported, and a server that does the same work answers meanwhile.
//!
//! `MUNIMENT_MUTATION_SEED=n` repeats a run; `MUNIMENT_MUTATIONS=n` makes it larger. A fifth are recordings: their worker
//! takes some forty times longer to start, so 300 of them and 1,200 scans are what time allows here.

use super::{each, foreign, settings, variable};
use crate::support::{
    CLERK, TestVault,
    media::{
        self, Noise,
        document::{Pdf, zip},
        page::{Page, TiffPage, tiff_of},
        recording::{Container, good},
    },
};
use muniment::inspect::{
    process::{self, WorkerError},
    wire::{Job, NoSink, Task},
};
use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// What a worker may take of the clock here; a good file of this size takes a tenth of it.
const LIMIT: Duration = Duration::from_secs(20);
/// What may pass between the limit and the end of the worker's whole group on a busy machine.
const GRACE: Duration = Duration::from_secs(10);
/// A foreign file is mutated when it isn't larger.
const MAX_BASE_BYTES: u64 = 2 << 20;

/// Changes bytes in one of six ways, once to four times.
fn mutate(random: &mut Noise, whole: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.len() < 16 {
            break;
        }
        let size = bytes.len() as u64;
        // Heads matter most: half of the changes fall into the first 4 KiB.
        let reach = if random.below(2) == 0 {
            size.min(4_096)
        } else {
            size
        };
        let at = random.below(reach - 8) as usize;
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at + 8),
            2 => {
                let to = random.below(size - 8) as usize;
                for step in 0..8 {
                    bytes.swap(at + step, to + step);
                }
            }
            3 if other.len() > 16 => {
                let from = random.below(other.len() as u64 - 8) as usize;
                let length = (random.below(4_096) as usize + 1)
                    .min(other.len() - from)
                    .min(bytes.len() - at);
                bytes[at..at + length].copy_from_slice(&other[from..from + length]);
            }
            4 => {
                // What lengths and counts are most likely to be misread as.
                let odd = [0u32, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
                let value = odd[random.below(6) as usize];
                let value = if random.below(2) == 0 {
                    value.to_be_bytes()
                } else {
                    value.to_le_bytes()
                };
                bytes[at..at + 4].copy_from_slice(&value);
            }
            _ => {
                let length = (random.below(2_000) as usize + 1).min(bytes.len() - at);
                bytes.drain(at..at + length);
            }
        }
    }
    bytes
}

struct Base {
    ext: String,
    bytes: Vec<u8>,
}

fn bases() -> (Vec<Base>, Vec<Base>) {
    let page = Page::default();
    let mut recordings: Vec<Base> = Container::ALL
        .into_iter()
        .map(|container| Base {
            ext: container.ext().to_owned(),
            bytes: good(container),
        })
        .collect();
    let mut scans: Vec<Base> = [
        ("jpg", page.jpeg()),
        ("png", page.png()),
        ("tif", tiff_of(&[TiffPage::group4(page), TiffPage::jpeg(page)])),
        ("pdf", Pdf::scanned(&[page]).bytes()),
        ("zip", zip(&[("a.jpg", &page.jpeg()), ("b.png", &page.png())])),
    ]
    .into_iter()
    .map(|(ext, bytes)| Base {
        ext: ext.to_owned(),
        bytes,
    })
    .collect();
    for path in foreign::files() {
        if fs::metadata(&path).unwrap().len() > MAX_BASE_BYTES {
            continue;
        }
        let ext = foreign::extension(&path);
        let group = if muniment::inspect::workers::is_recording(&ext) {
            &mut recordings
        } else {
            &mut scans
        };
        group.push(Base {
            ext,
            bytes: fs::read(&path).unwrap(),
        });
    }
    (recordings, scans)
}

fn mutants(random: &mut Noise, bases: &[Base], count: u64) -> Vec<(u64, usize)> {
    (0..count)
        .map(|_| (random.next(), random.below(bases.len() as u64) as usize))
        .collect()
}

#[test]
fn mutated_files_harm_nobody() {
    let seed = variable("MUNIMENT_MUTATION_SEED", 20_260_728);
    let count = variable("MUNIMENT_MUTATIONS", 1_000);
    let mut random = Noise::new(seed);
    let (recordings, scans) = bases();
    let mut settings = settings();
    settings.gate_limit = LIMIT;
    let vault = TestVault::serving();
    let (over, mut outcomes) = (AtomicBool::new(false), BTreeMap::<String, u32>::new());
    let mut wrong = Vec::new();
    thread::scope(|scope| {
        // A clerk works on meanwhile; each upload must get its receipt.
        let clerk = scope.spawn(|| {
            let mut uploads = 0u32;
            while !over.load(Ordering::Relaxed) {
                uploads += 1;
                let name = format!("000100012345_20260728_M{uploads:07}_IDF_01.jpg");
                let page = media::jpeg(30_000, u64::from(uploads));
                vault.upload(CLERK, &name, &page).ok();
                vault.receipt(CLERK, &name, "ACCEPTED");
                thread::sleep(Duration::from_millis(500));
            }
            uploads
        });
        for (bases, share) in [(&recordings, count / 5), (&scans, count - count / 5)] {
            let seeds = mutants(&mut random, bases, share);
            let ran = each(&seeds, |(seed, which)| {
                let mut random = Noise::new(*seed);
                let base = &bases[*which];
                let other = &bases[random.below(bases.len() as u64) as usize];
                let bytes = mutate(&mut random, &base.bytes, &other.bytes);
                let size_bytes = bytes.len() as u64;
                let recording = muniment::inspect::workers::is_recording(&base.ext);
                let job = Job {
                    task: if recording { Task::Gate } else { Task::Scan },
                    ext: base.ext.clone(),
                    size_bytes,
                };
                let run = process::measured(&settings, &job, &mut Cursor::new(bytes), &mut NoSink);
                let memory = if recording {
                    settings.media_memory_bytes
                } else {
                    settings.scan_memory_bytes
                };
                let outcome = match (&run.answer, run.kind) {
                    (Ok(_), _) => "answered".to_owned(),
                    (Err(_), Some(kind)) => format!("{kind:?}"),
                    (Err(_), None) => "no kind".to_owned(),
                };
                let mut faults = Vec::new();
                if matches!(run.answer, Err(WorkerError::Environment(_))) || outcome == "no kind" {
                    faults.push(format!("taken for the machine's fault: {:?}", run.answer));
                }
                if run.cost.wall > LIMIT + GRACE {
                    faults.push(format!("ended after {:?}", run.cost.wall));
                }
                if run.cost.peak_bytes > memory {
                    faults.push(format!("held {} bytes", run.cost.peak_bytes));
                }
                // A worker that wants a call which its sandbox refuses is a sandbox that is too narrow, or taken over.
                if outcome == "Forbidden" {
                    faults.push("made a forbidden system call".to_owned());
                }
                (outcome, faults, seed.to_string(), base.ext.clone())
            });
            for (outcome, faults, seed, ext) in ran {
                if outcome != "answered" {
                    println!("{ext}, mutation {seed}: {outcome}");
                }
                *outcomes.entry(format!("{ext} {outcome}")).or_default() += 1;
                wrong.extend(
                    faults
                        .into_iter()
                        .map(|fault| format!("{ext}, mutation {seed}: {fault}")),
                );
            }
        }
        over.store(true, Ordering::Relaxed);
        println!("{} uploads got their receipts meanwhile", clerk.join().unwrap());
    });
    println!("{outcomes:#?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    vault.assert_sound();
}
