//! EXIF of a picture: which way up, how many dots an inch, when.

use crate::inspect::report::printable;
use exif::{In, Reader, Tag, Value};

/// What EXIF says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exif {
    /// Degrees clockwise.
    pub(super) rotation: u32,
    pub(super) dpi: Option<u32>,
    pub(super) created: Option<String>,
}

/// Reads a TIFF block as EXIF; nothing where there is none to read. EXIF that is damaged damages no picture.
pub(super) fn read(block: &[u8]) -> Exif {
    let parsed = super::guarded(|| {
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        reader
            .read_raw(block.to_vec())
            .or_else(|error| error.distill_partial_result(|_| {}))
            .ok()
    });
    let Ok(Some(exif)) = parsed else {
        return Exif::default();
    };
    let number = |tag| {
        exif.get_field(tag, In::PRIMARY)
            .and_then(|field| field.value.get_uint(0))
    };
    let rational = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(values) => values.first().map(|value| value.to_f64()),
        _ => None,
    };
    let text = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(lines) => lines
            .first()
            .map(|line| printable(String::from_utf8_lossy(line).trim()))
            .filter(|line| !line.is_empty()),
        _ => None,
    };
    let resolution = rational(Tag::XResolution)
        .zip(rational(Tag::YResolution))
        .map(|(x, y)| x.min(y));
    Exif {
        rotation: rotation(number(Tag::Orientation).unwrap_or(1)),
        // Tag 296: 2 is inches, the default; 3 centimetres; 1 says that the figures have no unit.
        dpi: resolution.and_then(|value| dots_per_inch(value, number(Tag::ResolutionUnit).unwrap_or(2))),
        created: text(Tag::DateTimeOriginal)
            .or_else(|| text(Tag::DateTimeDigitized))
            .or_else(|| text(Tag::DateTime)),
    }
}

/// Degrees clockwise of an orientation (TIFF tag 274); mirrored ones as far as they turn.
pub(super) fn rotation(orientation: u32) -> u32 {
    match orientation {
        3 | 4 => 180,
        6 | 7 => 90,
        5 | 8 => 270,
        _ => 0,
    }
}

/// Whole dots an inch from a figure and TIFF's unit; nothing for figures that mean nothing.
pub(super) fn dots_per_inch(value: f64, unit: u32) -> Option<u32> {
    let dpi = match unit {
        2 => value,
        3 => value * 2.54,
        _ => return None,
    };
    (dpi.is_finite() && (1.5..100_000.0).contains(&dpi)).then(|| dpi.round() as u32)
}
