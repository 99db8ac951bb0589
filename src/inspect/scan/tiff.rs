//! TIFF and BigTIFF: every page, strip by strip or tile by tile.

use super::{
    Seen,
    exif::{dots_per_inch, rotation},
    guarded, holes,
    ink::{Ink, luma},
    limits::{Budget, MAX_PAGE_BYTES},
};
use crate::inspect::report::{Fault, FaultCode, MAX_PAGES, Page, Scan, printable};
use std::io::{Cursor, ErrorKind};
use tiff::{
    ColorType, TiffError,
    decoder::{Decoder, DecodingResult, Limits},
    tags::Tag,
};

type Pages<'a> = Decoder<Cursor<&'a [u8]>>;

/// Decodes a file and describes it.
pub(super) fn inspect(bytes: &[u8], budget: &mut Budget) -> Seen {
    let mut seen = Seen::default();
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MAX_PAGE_BYTES as usize;
    limits.intermediate_buffer_size = MAX_PAGE_BYTES as usize / 2;
    limits.ifd_value_size = 16 << 20;
    let mut decoder = match Decoder::new(Cursor::new(bytes)) {
        Ok(decoder) => decoder.with_limits(limits),
        Err(error) => {
            seen.faults.push(fault(&error));
            return seen;
        }
    };
    let mut scan = Scan {
        created: text(&mut decoder, Tag::DateTime),
        ..Scan::default()
    };
    let mut number = 0u32;
    loop {
        number += 1;
        if let Err(detail) = budget.take_page() {
            seen.faults
                .push(Fault::new(FaultCode::LimitExceeded, detail).on_page(number));
            break;
        }
        match guarded(|| inspect_page(&mut decoder, budget)) {
            Ok((page, trouble)) => {
                scan.page_count += 1;
                if scan.pages.len() < MAX_PAGES {
                    scan.pages.push(page);
                }
                seen.faults.extend(trouble.map(|fault| fault.on_page(number)));
            }
            Err(detail) => {
                seen.faults
                    .push(Fault::new(FaultCode::Undecodable, detail).on_page(number));
                break;
            }
        }
        if !decoder.more_images() {
            break;
        }
        if let Err(error) = decoder.next_image() {
            seen.faults.push(fault(&error).on_page(number + 1));
            break;
        }
    }
    seen.scan = Some(scan);
    seen
}

fn inspect_page(decoder: &mut Pages, budget: &mut Budget) -> (Page, Option<Fault>) {
    let mut page = Page::default();
    let unit = decoder
        .find_tag_unsigned::<u32>(Tag::ResolutionUnit)
        .ok()
        .flatten()
        .unwrap_or(2);
    let resolution = |decoder: &mut Pages, tag| match decoder.find_tag(tag) {
        Ok(Some(value)) => rational(value),
        _ => None,
    };
    let x = resolution(decoder, Tag::XResolution);
    let y = resolution(decoder, Tag::YResolution);
    page.dpi = x.zip(y).and_then(|(x, y)| dots_per_inch(x.min(y), unit));
    page.rotation = rotation(
        decoder
            .find_tag_unsigned::<u32>(Tag::Orientation)
            .ok()
            .flatten()
            .unwrap_or(1),
    );
    let mut trouble = decode(decoder, budget, &mut page).err();
    if let Some(fault) = trouble
        .as_mut()
        .filter(|fault| fault.code == FaultCode::DecodeError)
        && old_lzw(decoder)
    {
        *fault = Fault::new(FaultCode::Unsupported, "LZW as it was before TIFF 6.0");
    }
    (page, trouble)
}

fn decode(decoder: &mut Pages, budget: &mut Budget, page: &mut Page) -> Result<(), Fault> {
    let (width, height) = decoder.dimensions().map_err(|error| fault(&error))?;
    (page.width_px, page.height_px) = (width, height);
    let color = decoder.colortype().map_err(|error| fault(&error))?;
    let (samples, bits) = shape(color);
    page.bits_per_pixel = samples * u32::from(bits);
    budget
        .take_pixels(width, height)
        .map_err(|detail| Fault::new(FaultCode::LimitExceeded, detail))?;
    if width == 0 || height == 0 {
        return Err(Fault::new(FaultCode::Undecodable, "a page without pixels"));
    }
    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    if chunk_width == 0 || chunk_height == 0 {
        return Err(Fault::new(
            FaultCode::Undecodable,
            "strips or tiles without pixels",
        ));
    }
    let across = width.div_ceil(chunk_width);
    let chunks = match decoder.get_chunk_type() {
        tiff::decoder::ChunkType::Strip => decoder.strip_count(),
        tiff::decoder::ChunkType::Tile => decoder.tile_count(),
    }
    .map_err(|error| fault(&error))?;
    let in_plane = across * height.div_ceil(chunk_height);
    // Planes apart: each chunk has one sample a pixel, and the first plane says enough about ink.
    let here = if chunks > in_plane { 1 } else { samples };
    let mut ink = Ink::new(width, height);
    let mut measured = true;
    for chunk in 0..chunks {
        let data = decoder.read_chunk(chunk).map_err(|error| fault(&error))?;
        if chunk >= in_plane {
            continue;
        }
        let (data_width, _) = decoder.chunk_data_dimensions(chunk);
        let place = (chunk % across * chunk_width, chunk / across * chunk_height);
        measured &= take(&mut ink, place, data_width, &data, (here, bits), color);
    }
    page.blank = measured && ink.blank();
    hole(decoder).map_or(Ok(()), Err)
}

/// A hole in a strip or tile, by the page's compression. Deflate has no such check: zeros can be pixels there.
fn hole(decoder: &mut Pages) -> Option<Fault> {
    let compression = decoder
        .find_tag_unsigned::<u32>(Tag::Compression)
        .ok()
        .flatten()?;
    if !matches!(compression, 4 | 5 | 7) {
        return None;
    }
    let (offsets, lengths) = match decoder.get_chunk_type() {
        tiff::decoder::ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
        tiff::decoder::ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
    };
    let mut numbers = |tag| decoder.find_tag_unsigned_vec::<u64>(tag).ok().flatten();
    let (offsets, lengths) = (numbers(offsets)?, numbers(lengths)?);
    let tables = match decoder.find_tag(Tag::JPEGTables) {
        Ok(Some(tables)) => tables.into_u8_vec().unwrap_or_default(),
        _ => Vec::new(),
    };
    let bytes = *decoder.inner().get_ref();
    offsets.into_iter().zip(lengths).find_map(|(offset, length)| {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let chunk = bytes.get(start..end)?;
        match compression {
            4 => holes::group4(chunk),
            5 => holes::lzw(chunk),
            // Without the end of the tables and the begin of the picture they are one stream.
            _ => match (tables.split_last_chunk::<2>(), chunk.get(2..)) {
                (Some((tables, _)), Some(rest)) => holes::jpeg(&[tables, rest].concat()),
                _ => holes::jpeg(chunk),
            },
        }
    })
}

/// Before TIFF 6.0 LZW codes began at the lowest bit: the clear code, always first, reads 00 01 then.
fn old_lzw(decoder: &mut Pages) -> bool {
    let lzw = matches!(decoder.find_tag_unsigned::<u32>(Tag::Compression), Ok(Some(5)));
    let offsets = decoder.find_tag_unsigned_vec::<u64>(Tag::StripOffsets);
    let Ok(Some(first)) = offsets.map(|offsets| offsets.and_then(|offsets| offsets.first().copied())) else {
        return false;
    };
    let bytes = *decoder.inner().get_ref();
    let start = usize::try_from(first)
        .ok()
        .and_then(|first| bytes.get(first..)?.get(..2));
    lzw && matches!(start, Some([0, second]) if second & 1 == 1)
}

/// Feeds a strip or tile; says no for sample formats without a luma (floats, signed).
fn take(
    ink: &mut Ink,
    (x, y): (u32, u32),
    width: u32,
    data: &DecodingResult,
    (samples, bits): (u32, u8),
    color: ColorType,
) -> bool {
    let samples = samples as usize;
    let row_samples = width as usize * samples;
    let grey = |pixel: &[u8]| match color {
        ColorType::RGB(_) | ColorType::RGBA(_) if samples >= 3 => luma(pixel[0], pixel[1], pixel[2]),
        ColorType::CMYK(_) | ColorType::CMYKA(_) if samples >= 4 => {
            let light = |ink: u8| (u32::from(255 - ink) * u32::from(255 - pixel[3]) / 255) as u8;
            luma(light(pixel[0]), light(pixel[1]), light(pixel[2]))
        }
        _ => pixel[0],
    };
    let mut feed = |index: usize, row: &[u8]| {
        let row: Vec<u8> = row.chunks_exact(samples.max(1)).map(grey).collect();
        ink.row(x, y + index as u32, &row);
    };
    match data {
        DecodingResult::U8(bytes) if bits < 8 => {
            let row_bytes = (row_samples * usize::from(bits)).div_ceil(8);
            for (index, row) in bytes.chunks_exact(row_bytes.max(1)).enumerate() {
                feed(index, &unpack(row, row_samples, bits));
            }
        }
        DecodingResult::U8(bytes) => {
            for (index, row) in bytes.chunks_exact(row_samples.max(1)).enumerate() {
                feed(index, row);
            }
        }
        DecodingResult::U16(values) => {
            for (index, row) in values.chunks_exact(row_samples.max(1)).enumerate() {
                let row: Vec<u8> = row.iter().map(|value| (value >> 8) as u8).collect();
                feed(index, &row);
            }
        }
        _ => return false,
    }
    true
}

/// Samples of less than eight bits, the first in the highest bits, stretched to eight.
fn unpack(row: &[u8], count: usize, bits: u8) -> Vec<u8> {
    let bits = usize::from(bits.clamp(1, 8));
    let most = (1u32 << bits) - 1;
    (0..count)
        .map(|index| {
            let at = index * bits;
            let pair = u32::from(row[at / 8]) << 8 | u32::from(row.get(at / 8 + 1).copied().unwrap_or(0));
            ((pair >> (16 - bits - at % 8) & most) * 255 / most) as u8
        })
        .collect()
}

fn shape(color: ColorType) -> (u32, u8) {
    match color {
        ColorType::Gray(bits) | ColorType::Palette(bits) => (1, bits),
        ColorType::GrayA(bits) => (2, bits),
        ColorType::RGB(bits) | ColorType::YCbCr(bits) | ColorType::Lab(bits) => (3, bits),
        ColorType::RGBA(bits) | ColorType::CMYK(bits) => (4, bits),
        ColorType::CMYKA(bits) => (5, bits),
        ColorType::Multiband {
            bit_depth,
            num_samples,
        } => (u32::from(num_samples), bit_depth),
        _ => (1, 8),
    }
}

fn rational(value: tiff::decoder::ifd::Value) -> Option<f64> {
    use tiff::decoder::ifd::Value;
    match value {
        Value::Rational(over, under) if under > 0 => Some(f64::from(over) / f64::from(under)),
        Value::Float(value) => Some(f64::from(value)),
        Value::Double(value) => Some(value),
        Value::Short(value) => Some(f64::from(value)),
        Value::Unsigned(value) => Some(f64::from(value)),
        Value::List(values) => values.into_iter().next().and_then(rational),
        _ => None,
    }
}

fn text(decoder: &mut Pages, tag: Tag) -> Option<String> {
    let text = decoder.get_tag_ascii_string(tag).ok()?;
    Some(printable(text.trim())).filter(|text| !text.is_empty())
}

fn fault(error: &TiffError) -> Fault {
    let code = match error {
        TiffError::UnsupportedError(_) => FaultCode::Unsupported,
        TiffError::LimitsExceeded | TiffError::IntSizeError => FaultCode::LimitExceeded,
        TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => FaultCode::Truncated,
        TiffError::FormatError(_) | TiffError::IoError(_) => FaultCode::DecodeError,
        _ => FaultCode::Undecodable,
    };
    Fault::new(code, error.to_string())
}
