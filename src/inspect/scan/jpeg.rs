//! JPEG: decoded strictly, as luma where it can be.

use super::{
    Seen,
    exif::{self, Exif},
    holes,
    ink::{Ink, luma},
    limits::{Budget, MAX_PAGE_BYTES, MAX_SIDE_PX},
};
use crate::inspect::report::{Fault, FaultCode, Page, Scan};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// What the segments before the first scan say.
#[derive(Default)]
struct Head {
    /// SOFn's n.
    process: Option<u8>,
    precision: u8,
    width: u32,
    height: u32,
    components: u8,
    jfif_dpi: Option<u32>,
    exif: Exif,
}

/// Decodes a file and describes it.
pub(super) fn inspect(bytes: &[u8], budget: &mut Budget) -> Seen {
    let head = Head::read(bytes);
    let mut page = Page {
        width_px: head.width,
        height_px: head.height,
        dpi: head.jfif_dpi.or(head.exif.dpi),
        rotation: head.exif.rotation,
        bits_per_pixel: u32::from(head.precision) * u32::from(head.components),
        ..Page::default()
    };
    let mut seen = Seen::default();
    match decode_with(bytes, &head, budget) {
        Ok(blank) => page.blank = blank,
        Err(fault) => seen.faults.push(fault),
    }
    seen.scan = Some(Scan::single(page, head.exif.created));
    seen
}

/// Decodes the JPEG of another file; says whether it is blank, and its bits a pixel. Its pixels have been taken already.
pub(super) fn decode(bytes: &[u8]) -> Result<(bool, u32), Fault> {
    let head = Head::read(bytes);
    let blank = decode_with(bytes, &head, &mut Budget::default())?;
    Ok((blank, u32::from(head.precision) * u32::from(head.components)))
}

fn decode_with(bytes: &[u8], head: &Head, budget: &mut Budget) -> Result<bool, Fault> {
    match head.process {
        None => return Err(Fault::new(FaultCode::Undecodable, "no frame header")),
        Some(0..=2) if head.precision == 8 => {}
        Some(process) => {
            let detail = format!("process SOF{process} with {} bits", head.precision);
            return Err(Fault::new(FaultCode::Unsupported, detail));
        }
    }
    budget
        .take_pixels(head.width, head.height)
        .map_err(|detail| Fault::new(FaultCode::LimitExceeded, detail))?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE_PX as usize)
        .set_max_height(MAX_SIDE_PX as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let undecodable = |detail: String| Fault::new(FaultCode::Undecodable, detail);
    decoder
        .decode_headers()
        .map_err(|error| undecodable(error.to_string()))?;
    let grey = matches!(
        decoder.input_colorspace(),
        Some(ColorSpace::YCbCr | ColorSpace::Luma)
    );
    let wanted = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    // Besides the picture, a progressive one's coefficients are held until the last scan, 16 bits each.
    let coefficients = if head.process == Some(2) {
        2 * u64::from(head.components)
    } else {
        0
    };
    let held = u64::from(head.width) * u64::from(head.height) * (coefficients + if grey { 1 } else { 3 });
    if held > MAX_PAGE_BYTES {
        let detail = format!("{held} bytes would be needed to decode it");
        return Err(Fault::new(FaultCode::LimitExceeded, detail));
    }
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let pixels = decoder
        .decode()
        .map_err(|error| Fault::new(FaultCode::DecodeError, error.to_string()))?;
    // Decoders take a hole for pixels.
    if let Some(hole) = holes::jpeg(bytes) {
        return Err(hole);
    }
    let mut ink = Ink::new(head.width, head.height);
    let width = head.width as usize;
    if grey {
        for (y, row) in pixels.chunks_exact(width).enumerate() {
            ink.row(0, y as u32, row);
        }
    } else {
        for (y, row) in pixels.chunks_exact(width * 3).enumerate() {
            let row: Vec<u8> = row
                .chunks_exact(3)
                .map(|pixel| luma(pixel[0], pixel[1], pixel[2]))
                .collect();
            ink.row(0, y as u32, &row);
        }
    }
    Ok(ink.blank())
}

impl Head {
    /// Walks the segments up to the first scan; what is damaged ends it.
    fn read(bytes: &[u8]) -> Self {
        let mut head = Head::default();
        let mut at = 2;
        while let (Some(&0xFF), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) {
            match marker {
                0xFF => {
                    at += 1;
                    continue;
                }
                0x01 | 0xD0..=0xD7 => {
                    at += 2;
                    continue;
                }
                0xDA | 0xD9 | 0x00 => break,
                _ => {}
            }
            let Some(length) = be16(bytes, at + 2) else { break };
            let Some(body) = bytes.get(at + 4..at + 2 + length.max(2) as usize) else {
                break;
            };
            match marker {
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) && head.process.is_none() => {
                    if let (Some(height), Some(width), &[precision, _, _, _, _, components, ..]) =
                        (be16(body, 1), be16(body, 3), body)
                    {
                        head.process = Some(marker - 0xC0);
                        (head.precision, head.components) = (precision, components);
                        (head.width, head.height) = (width, height);
                    }
                }
                0xE0 if body.starts_with(b"JFIF\0") => head.jfif_dpi = jfif_dpi(body),
                0xE1 if body.starts_with(b"Exif\0") && body.len() > 6 => head.exif = exif::read(&body[6..]),
                _ => {}
            }
            at += 2 + length.max(2) as usize;
        }
        head
    }
}

/// JFIF 1.02: unit 1 is inches, 2 centimetres, 0 an aspect ratio only.
fn jfif_dpi(body: &[u8]) -> Option<u32> {
    let (x, y) = (be16(body, 8)?, be16(body, 10)?);
    let unit = match body.get(7)? {
        1 => 2,
        2 => 3,
        _ => return None,
    };
    exif::dots_per_inch(f64::from(x.min(y)), unit)
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    let pair = bytes.get(at..at + 2)?;
    Some(u32::from(pair[0]) << 8 | u32::from(pair[1]))
}
