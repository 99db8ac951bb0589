//! PNG: decoded row by row; an interlaced one as a whole.

use super::{
    Seen, exif,
    ink::{Ink, luma},
    limits::{Budget, MAX_PAGE_BYTES},
};
use crate::inspect::report::{Fault, FaultCode, Page, Scan};
use png::{ColorType, Decoder, DecodingError, Limits, Reader, Transformations, Unit};
use std::io::Cursor;

/// Decodes a file and describes it.
pub(super) fn inspect(bytes: &[u8], budget: &mut Budget) -> Seen {
    let mut seen = Seen::default();
    let limits = Limits {
        bytes: MAX_PAGE_BYTES as usize,
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = match decoder.read_info() {
        Ok(reader) => reader,
        Err(error) => {
            seen.faults.push(fault(&error));
            return seen;
        }
    };
    let info = reader.info();
    let exif = info.exif_metadata.as_deref().map(exif::read).unwrap_or_default();
    let density = info.pixel_dims.filter(|dims| dims.unit == Unit::Meter);
    let mut page = Page {
        width_px: info.width,
        height_px: info.height,
        dpi: density
            .and_then(|dims| exif::dots_per_inch(f64::from(dims.xppu.min(dims.yppu)) * 0.0254, 2))
            .or(exif.dpi),
        rotation: exif.rotation,
        bits_per_pixel: info.bits_per_pixel() as u32,
        ..Page::default()
    };
    match decode(&mut reader, budget) {
        Ok(blank) => page.blank = blank,
        Err(fault) => seen.faults.push(fault),
    }
    seen.scan = Some(Scan::single(page, exif.created));
    seen
}

fn decode(reader: &mut Reader<Cursor<&[u8]>>, budget: &mut Budget) -> Result<bool, Fault> {
    let (width, height) = (reader.info().width, reader.info().height);
    let limit = |detail: String| Fault::new(FaultCode::LimitExceeded, detail);
    budget.take_pixels(width, height).map_err(limit)?;
    let (color, _) = reader.output_color_type();
    let mut ink = Ink::new(width, height);
    if reader.info().interlaced {
        let size = reader
            .output_buffer_size()
            .filter(|&size| size as u64 <= MAX_PAGE_BYTES)
            .ok_or_else(|| limit("an interlaced picture of that size".to_owned()))?;
        let mut frame = vec![0; size];
        let line = reader
            .next_frame(&mut frame)
            .map_err(|error| fault(&error))?
            .line_size;
        for (y, row) in frame.chunks_exact(line.max(1)).enumerate() {
            take(&mut ink, y as u32, row, color);
        }
    } else {
        let mut y = 0;
        while let Some(row) = reader.next_row().map_err(|error| fault(&error))? {
            take(&mut ink, y, row.data(), color);
            y += 1;
        }
    }
    reader.finish().map_err(|error| fault(&error))?;
    Ok(ink.blank())
}

/// Feeds a row; transparency lies on white paper.
fn take(ink: &mut Ink, y: u32, row: &[u8], color: ColorType) {
    let over_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha)) / 255) as u8
    };
    let grey: Vec<u8> = match color {
        ColorType::Grayscale | ColorType::Indexed => return ink.row(0, y, row),
        ColorType::GrayscaleAlpha => row.chunks_exact(2).map(|p| over_white(p[0], p[1])).collect(),
        ColorType::Rgb => row.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])).collect(),
        ColorType::Rgba => row
            .chunks_exact(4)
            .map(|p| over_white(luma(p[0], p[1], p[2]), p[3]))
            .collect(),
    };
    ink.row(0, y, &grey);
}

fn fault(error: &DecodingError) -> Fault {
    let code = match error {
        DecodingError::IoError(_) => FaultCode::Truncated,
        DecodingError::LimitsExceeded => FaultCode::LimitExceeded,
        DecodingError::Format(_) => FaultCode::DecodeError,
        DecodingError::Parameter(_) => FaultCode::Undecodable,
    };
    Fault::new(code, error.to_string())
}
