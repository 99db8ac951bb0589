//! PDF: opened, searched for actions and attachments, every page's images decoded.
//!
//! `hayro` reads the document forgivingly, as viewers do; `lopdf` says whether its cross-reference table is as written (its
//! strict mode refuses good documents of other makers, so it isn't a judge of anything else). A page is interpreted on a
//! device of ours ([`device`]) that decodes what is drawn and keeps a measure of it. Only a page whose images are blank, each
//! by itself, and that is more than one such image is drawn, small, to see whether anything can be seen.

mod active;
mod device;

use self::device::Probe;
use super::{
    Seen, guarded,
    ink::{Ink, luma},
    limits::{Budget, MAX_NESTING, RENDER_SIDE_PX},
};
use crate::inspect::report::{Fault, FaultCode, MAX_PAGES, Page, Scan};
use hayro::{
    RenderCache, RenderSettings,
    hayro_interpret::{Context, InterpreterCache, InterpreterSettings, interpret_page},
    hayro_syntax::{
        DecryptionError, LoadPdfError, Pdf,
        object::DateTime,
        page::{Page as PdfPage, Rotation},
    },
    vello_cpu::{
        color::palette::css::WHITE,
        kurbo::{Affine, Rect},
    },
};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// Opens a document and describes its pages.
pub(super) fn inspect(bytes: Vec<u8>, budget: &mut Budget) -> Seen {
    let mut seen = Seen::default();
    if nested_too_deep(&bytes) {
        let detail = format!("more than {MAX_NESTING} objects inside each other");
        seen.faults.push(Fault::new(FaultCode::Undecodable, detail));
        return seen;
    }
    let index = guarded(|| index_trouble(&bytes)).ok().flatten();
    let pdf = match guarded(|| Pdf::new(bytes)) {
        Ok(Ok(pdf)) => pdf,
        Ok(Err(error)) => {
            seen.faults.push(unopened(error, index));
            return seen;
        }
        Err(detail) => {
            seen.faults.push(Fault::new(FaultCode::Undecodable, detail));
            return seen;
        }
    };
    if let Some(detail) = index {
        seen.faults.push(Fault::new(FaultCode::IndexMissing, detail));
    }
    seen.faults.extend(active::faults(&pdf));
    let pages = pdf.pages();
    let mut scan = Scan {
        page_count: u32::try_from(pages.len()).unwrap_or(u32::MAX),
        created: pdf.metadata().creation_date.as_ref().map(created),
        ..Scan::default()
    };
    if pages.is_empty() {
        seen.faults
            .push(Fault::new(FaultCode::Undecodable, "a document without pages"));
    }
    let mut known = HashMap::new();
    for (number, page) in (1u32..).zip(pages.iter()) {
        if let Err(detail) = budget.take_page() {
            seen.faults
                .push(Fault::new(FaultCode::LimitExceeded, detail).on_page(number));
            break;
        }
        // A cache for each page: decoded fonts and colours of a long document don't pile up.
        match guarded(|| look_at(page, budget, &mut known)) {
            Ok((described, faults)) => {
                if scan.pages.len() < MAX_PAGES {
                    scan.pages.push(described);
                }
                seen.faults
                    .extend(faults.into_iter().map(|fault| fault.on_page(number)));
            }
            Err(detail) => seen
                .faults
                .push(Fault::new(FaultCode::Undecodable, detail).on_page(number)),
        }
    }
    seen.scan = Some(scan);
    seen
}

/// Whether arrays and dictionaries open one right inside the other without end: parsers follow them on the stack. Other
/// ways to nest end in the sandbox.
fn nested_too_deep(bytes: &[u8]) -> bool {
    let (mut at, mut open) = (0, 0);
    let mut streams_end = true;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'[' | b'<' => open += 1,
            // What lies in a stream isn't objects: uncompressed pixels may well be rows of brackets.
            b's' if streams_end
                && matches!(bytes[at..], [b't', b'r', b'e', b'a', b'm', b'\r' | b'\n', ..]) =>
            {
                let end = bytes[at..].windows(END.len()).position(|window| window == END);
                streams_end = end.is_some();
                at += end.map_or(0, |end| end + END.len());
                open = 0;
            }
            byte if byte.is_ascii_whitespace() => {}
            _ => open = 0,
        }
        if open > MAX_NESTING {
            return true;
        }
    }
    false
}

/// What ends a stream.
const END: &[u8] = b"endstream";

/// Why the cross-reference table can't be used as it stands; nothing when it can, or when a password is in the way.
fn index_trouble(bytes: &[u8]) -> Option<String> {
    use lopdf::{Error, xref::XrefRecovery};
    let options = lopdf::LoadOptions {
        max_decompressed_size: Some(64 << 20),
        ..lopdf::LoadOptions::default()
    };
    match lopdf::Document::load_mem_with_options(bytes, options) {
        Ok(document) => (document.xref_recovery == Some(XrefRecovery::Reconstructed))
            .then(|| "its cross-reference table had to be made anew from the objects".to_owned()),
        Err(Error::Parse(error)) => Some(error.to_string()),
        Err(error @ (Error::InvalidOffset(_) | Error::MissingXrefEntry)) => Some(error.to_string()),
        Err(_) => None,
    }
}

fn unopened(error: LoadPdfError, index: Option<String>) -> Fault {
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => {
            Fault::new(FaultCode::Encrypted, "it can't be opened without a password")
        }
        LoadPdfError::Decryption(DecryptionError::UnsupportedAlgorithm) => {
            Fault::new(FaultCode::Encrypted, "encrypted in a way that isn't known here")
        }
        LoadPdfError::Decryption(other) => Fault::new(
            FaultCode::Undecodable,
            format!("its encryption is damaged: {other:?}"),
        ),
        LoadPdfError::Invalid => Fault::new(
            FaultCode::Undecodable,
            index.unwrap_or_else(|| "no pages can be found in it".to_owned()),
        ),
    }
}

fn look_at(
    page: &PdfPage<'_>,
    budget: &mut Budget,
    known: &mut HashMap<u128, device::Measured>,
) -> (Page, Vec<Fault>) {
    let failures = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&failures);
    let settings = InterpreterSettings {
        warning_sink: Arc::new(move |warning| {
            use hayro::hayro_interpret::InterpreterWarning::ImageDecodeFailure;
            if matches!(warning, ImageDecodeFailure) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }),
        ..InterpreterSettings::default()
    };
    let cache = InterpreterCache::new();
    let area = page.intersected_crop_box();
    let bounds = Rect::new(area.x0, area.y0, area.x1, area.y1);
    let mut context = Context::new(Affine::IDENTITY, bounds, &cache, page.xref(), settings.clone());
    let mut probe = Probe::new(budget, known);
    interpret_page(page, &mut context, &mut probe);
    let mut seen = probe.finish(bounds);
    let failed = failures.load(Ordering::Relaxed);
    if failed > 0
        && !seen
            .faults
            .iter()
            .any(|fault| fault.code == FaultCode::DecodeError)
    {
        let mut fault = Fault::new(FaultCode::DecodeError, "an image on it can't be decoded");
        fault.count = failed;
        seen.faults.push(fault);
    }
    let (width, height) = page.render_dimensions();
    let drawable = width.is_finite() && height.is_finite() && width >= 1.0 && height >= 1.0;
    // An image that couldn't be judged is not called blank.
    seen.page.blank = if !seen.faults.is_empty() || seen.inked {
        false
    } else if seen.single && !seen.marks {
        true
    } else if (seen.marks || seen.images) && drawable {
        // A strip of a page (PCLm has sixteen rows in one) or a patch may have nothing on it that stands out from itself.
        drawn_blank(page, (width, height), &settings)
    } else {
        !seen.marks
    };
    seen.page.rotation = match page.rotation() {
        Rotation::None => 0,
        Rotation::Horizontal => 90,
        Rotation::Flipped => 180,
        Rotation::FlippedHorizontal => 270,
    };
    (seen.page, seen.faults)
}

/// Draws a page, small, and says whether nothing can be seen on it.
fn drawn_blank(page: &PdfPage<'_>, (width, height): (f32, f32), settings: &InterpreterSettings) -> bool {
    let scale = RENDER_SIDE_PX / width.max(height);
    let side = |points: f32| (points * scale).clamp(1.0, RENDER_SIDE_PX) as u16;
    let (across, down) = (side(width), side(height));
    let render = RenderSettings {
        x_scale: scale,
        y_scale: scale,
        width: Some(across),
        height: Some(down),
        bg_color: WHITE,
    };
    let pixmap = hayro::render(page, &RenderCache::new(), settings, &render);
    let mut ink = Ink::new(u32::from(across), u32::from(down));
    for (y, row) in pixmap.data().chunks_exact(usize::from(across)).enumerate() {
        let row: Vec<u8> = row.iter().map(|pixel| luma(pixel.r, pixel.g, pixel.b)).collect();
        ink.row(0, y as u32, &row);
    }
    ink.blank()
}

fn created(date: &DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year, date.month, date.day, date.hour, date.minute, date.second
    )
}
