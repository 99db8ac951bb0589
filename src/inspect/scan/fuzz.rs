//! Entries for fuzzing: any bytes as a scan; no panic gets out, and what comes back is a report that a parent takes.

use super::inspect;
use crate::inspect::report::{FaultCode, MAX_REPORT_BYTES};
use std::io::Cursor;

/// Any bytes as a JPEG, PNG or TIFF; its first bytes decide which.
pub fn image(data: &[u8]) {
    looked_at(data, "jpg");
}

/// Any bytes as a PDF.
pub fn pdf(data: &[u8]) {
    looked_at(&headed(b"%PDF-1.7\n", data), "pdf");
}

/// Any bytes as a bundle.
pub fn zip(data: &[u8]) {
    looked_at(&headed(b"PK\x03\x04", data), "zip");
}

/// The data, with the kind's first bytes before it unless it has them.
fn headed(head: &[u8], data: &[u8]) -> Vec<u8> {
    if data.starts_with(&head[..4]) {
        return data.to_vec();
    }
    [head, data].concat()
}

fn looked_at(data: &[u8], ext: &str) {
    let Ok(report) = inspect(Cursor::new(data), ext, data.len() as u64) else {
        unreachable!("memory can be read");
    };
    assert_eq!(report.check(), Ok(()));
    assert!(serde_json::to_vec(&report).is_ok_and(|json| json.len() <= MAX_REPORT_BYTES));
    assert_eq!(report.size_bytes, data.len() as u64);
    let described = report.scan.is_some() || report.bundle.is_some();
    assert!(
        described || !report.faults.is_empty(),
        "nothing seen and nothing wrong"
    );
    let wrong = |code: FaultCode| report.faults.iter().any(|fault| fault.code == code);
    assert!(!data.is_empty() || wrong(FaultCode::Empty));
}

#[cfg(test)]
mod tests {
    use super::super::samples::{On, page_jpeg, pdf, png, tiff, written, zip};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds);

    fn seeds() -> Vec<Vec<u8>> {
        let png = png(
            &written(100, 140),
            (100, 140),
            png::ColorType::Grayscale,
            png::BitDepth::Eight,
            None,
        );
        vec![
            page_jpeg(),
            tiff(false, 1),
            pdf(
                vec![On::Picture(page_jpeg(), 595), On::Drawing(b"0 0 m 9 9 l S")],
                0,
                |_, _| {},
            ),
            zip(
                &[("a.png", &png), ("b.csv", b"a,b")],
                zip::CompressionMethod::Deflated,
            ),
            png,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn changed_scans_end_in_reports(
            seed in 0usize..5,
            edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..5), 1..12),
        ) {
            let mut data = SEEDS[seed].clone();
            for (index, value, kind) in edits {
                let at = index.index(data.len().max(1));
                match kind {
                    0 if at < data.len() => { data.remove(at); }
                    1 => data.insert(at.min(data.len()), value),
                    2 if value < 32 => data.truncate(at),
                    // Close to the head, where the structure is.
                    3 => if let Some(byte) = data.get_mut(at % 200) { *byte = value },
                    _ => if let Some(byte) = data.get_mut(at) { *byte = value },
                }
            }
            match seed {
                2 => super::pdf(&data),
                3 => super::zip(&data),
                _ => super::image(&data),
            }
        }
    }
}
