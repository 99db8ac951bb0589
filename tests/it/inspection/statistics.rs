//! Of many truncations and holes, the gate catches nearly all: at least 99 in 100 of those of 1 % and more.

use super::{each, settings, variable};
use crate::support::media::{
    Noise,
    document::Pdf,
    page::{Page, TiffPage, tiff_of},
    recording::{Container, good},
};
use muniment::{
    domain::{
        doctype::{DEFAULT_TABLE, DocumentTypes},
        finding::Verdict,
    },
    inspect::{
        gate::{Inspector, Seen},
        policy,
        workers::Workers,
    },
};
use std::{collections::BTreeMap, io::Cursor};

struct Sample {
    ext: &'static str,
    doctype: &'static str,
    what: String,
    bytes: Vec<u8>,
}

/// Cuts and holes of 1 % and more, half of each.
fn damaged(
    random: &mut Noise,
    (ext, doctype, whole): (&'static str, &'static str, &[u8]),
    count: u64,
) -> Vec<Sample> {
    let size = whole.len() as u64;
    let least = size.div_ceil(100);
    (0..count)
        .filter_map(|number| {
            let mut bytes = whole.to_vec();
            let what = if number % 2 == 0 {
                let keep = random.below(size - least) + 1;
                bytes.truncate(keep as usize);
                format!("{ext} cut to {keep} of {size}")
            } else {
                let length = least + random.below(size / 10);
                let from = random.below(size - length);
                bytes[from as usize..(from + length) as usize].fill(0);
                format!("{ext} hole of {length} at {from} of {size}")
            };
            // Zeros over zeros change nothing: flat areas of a picture.
            (bytes != whole).then_some(Sample {
                ext,
                doctype,
                what,
                bytes,
            })
        })
        .collect()
}

fn caught(samples: &[Sample]) {
    let types = DocumentTypes::from_toml(DEFAULT_TABLE).unwrap();
    let workers = Workers::new(settings(), None);
    let passed = each(samples, |sample| {
        let mut source = Cursor::new(sample.bytes.clone());
        let seen = workers
            .inspect(&mut source, sample.bytes.len() as u64, sample.ext)
            .unwrap();
        match seen {
            Seen::Report(report) => {
                let findings = policy::judge(&report, types.find(sample.doctype).unwrap());
                Verdict::of(&findings) == Verdict::Accepted
            }
            other => {
                println!("{}: {other:?}", sample.what);
                false
            }
        }
    });
    let mut misses = BTreeMap::<&str, Vec<&str>>::new();
    for (sample, passed) in samples.iter().zip(passed) {
        if passed {
            misses.entry(sample.ext).or_default().push(&sample.what);
        }
    }
    let missed: usize = misses.values().map(Vec::len).sum();
    println!("{missed} of {} passed unseen: {misses:#?}", samples.len());
    assert!(missed * 100 <= samples.len(), "more than 1 % passed: {misses:#?}");
}

#[test]
fn truncations_and_holes_of_recordings_are_caught() {
    let mut random = Noise::new(variable("MUNIMENT_DAMAGE_SEED", 20_260_728));
    let count = variable("MUNIMENT_DAMAGE_SAMPLES", 60);
    let samples: Vec<Sample> = Container::ALL
        .into_iter()
        .flat_map(|container| {
            let whole = good(container);
            damaged(&mut random, (container.ext(), "WVID", &whole), count)
        })
        .collect();
    caught(&samples);
}

#[test]
fn truncations_and_holes_of_scans_are_caught() {
    let mut random = Noise::new(variable("MUNIMENT_DAMAGE_SEED", 20_260_728));
    let count = variable("MUNIMENT_DAMAGE_SAMPLES", 60);
    let page = Page::default();
    let wholes = [
        ("jpg", page.jpeg()),
        ("png", page.png()),
        ("tif", tiff_of(&[TiffPage::group4(page), TiffPage::jpeg(page)])),
        ("pdf", Pdf::scanned(&[page, page]).bytes()),
    ];
    let samples: Vec<Sample> = wholes
        .iter()
        .flat_map(|(ext, whole)| damaged(&mut random, (ext, "IDF", whole), count))
        .collect();
    caught(&samples);
}
