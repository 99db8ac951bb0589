//! What is drawn on a page: images are decoded, placed and measured; of everything else only that it is there.
//!
//! Dots an inch are an image's pixels over the inches it is drawn at, in the page's own points. An image drawn again is
//! measured once. A page is `vector` when it has marks and its images cover less than half of it.

use super::super::{
    guarded,
    ink::{Ink, luma},
    jpeg,
    limits::{Budget, MAX_PAGE_IMAGES},
};
use crate::inspect::report::{Fault, FaultCode, Page};
use hayro::{
    hayro_interpret::{
        BlendMode, CacheKey, ClipPath, Device, GlyphDrawMode, Image, ImageData, LumaData, Paint,
        PathDrawMode, RasterImage, SoftMask, font::Glyph,
    },
    hayro_syntax::Filter,
    vello_cpu::kurbo::{Affine, BezPath, Rect, Shape},
};
use std::collections::HashMap;

/// Stencils of more aren't letters.
const SMALL_STENCIL_PIXELS: u64 = 1 << 16;

/// Pixels of one image: what decoding it said.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    blank: bool,
    bits: u32,
    fault: Option<Fault>,
}

/// An image on the page.
struct Placed {
    width: u32,
    height: u32,
    /// Dots an inch across and down, as the image lies.
    dpi: (f64, f64),
    bounds: Rect,
    measured: Measured,
}

/// What a page came to.
pub(super) struct Seen {
    pub(super) page: Page,
    pub(super) faults: Vec<Fault>,
    /// An image has something on it.
    pub(super) inked: bool,
    /// There are images.
    pub(super) images: bool,
    /// One image is the page.
    pub(super) single: bool,
    /// Text, lines or areas are drawn.
    pub(super) marks: bool,
}

/// A device that looks instead of drawing.
pub(super) struct Probe<'b> {
    budget: &'b mut Budget,
    known: &'b mut HashMap<u128, Measured>,
    placed: Vec<Placed>,
    marks: bool,
    too_many: bool,
}

impl<'b> Probe<'b> {
    pub(super) fn new(budget: &'b mut Budget, known: &'b mut HashMap<u128, Measured>) -> Self {
        Probe {
            budget,
            known,
            placed: Vec::new(),
            marks: false,
            too_many: false,
        }
    }

    /// Sums the page up, whose visible part is `area`.
    pub(super) fn finish(self, area: Rect) -> Seen {
        let mut page = Page::default();
        let mut faults: Vec<Fault> = Vec::new();
        for fault in self
            .placed
            .iter()
            .filter_map(|image| image.measured.fault.as_ref())
        {
            match faults.iter_mut().find(|known| known.code == fault.code) {
                Some(known) => known.count += 1,
                None => faults.push(fault.clone()),
            }
        }
        if self.too_many {
            let detail = format!("more than {MAX_PAGE_IMAGES} images on it");
            faults.push(Fault::new(FaultCode::LimitExceeded, detail));
        }
        let visible = |image: &Placed| image.bounds.intersect(area).area();
        let covered: f64 = self.placed.iter().map(visible).sum();
        page.vector = self.marks && covered < area.area() / 2.0;
        let largest = self
            .placed
            .iter()
            .max_by_key(|image| u64::from(image.width) * u64::from(image.height));
        if let Some(largest) = largest {
            page.bits_per_pixel = largest.measured.bits;
            (page.width_px, page.height_px) = self.pixels(largest);
            let dpi = largest.dpi.0.min(largest.dpi.1);
            page.dpi = (!page.vector && dpi.is_finite() && dpi >= 1.0).then(|| dpi.round().min(1e6) as u32);
        }
        Seen {
            page,
            faults,
            inked: self.placed.iter().any(|image| !image.measured.blank),
            single: self.placed.len() == 1 && covered >= area.area() / 2.0,
            images: !self.placed.is_empty(),
            marks: self.marks,
        }
    }

    /// Pixels of the largest image. Some scanners store a page in strips: those of the same width and resolution make one.
    fn pixels(&self, largest: &Placed) -> (u32, u32) {
        let alike = |other: &&Placed| {
            other.width == largest.width
                && (other.dpi.0 - largest.dpi.0).abs() < largest.dpi.0 * 0.02
                && (other.bounds.x0 - largest.bounds.x0).abs() < 2.0
                && (other.bounds.x1 - largest.bounds.x1).abs() < 2.0
        };
        let strips = self.placed.iter().filter(alike);
        let bounds = strips
            .clone()
            .fold(largest.bounds, |all, strip| all.union(strip.bounds));
        let inches = bounds.height() / 72.0;
        if strips.count() > 1 && largest.bounds.height() > 0.0 && bounds.height() > largest.bounds.height() {
            let height = (inches * largest.dpi.1).round().clamp(0.0, 1e6) as u32;
            return (largest.width, height.max(largest.height));
        }
        (largest.width, largest.height)
    }

    fn mark(&mut self, paint: &Paint<'_>) {
        self.marks |= match paint {
            Paint::Color(color) => color.to_rgba().to_rgba8()[3] > 0,
            Paint::Pattern(_) => true,
        };
    }

    fn measure(&mut self, image: &Image<'_, '_>, (width, height): (u32, u32)) -> Measured {
        let key = key(image);
        if let Some(known) = key.and_then(|key| self.known.get(&key)) {
            return known.clone();
        }
        let mut measured = Measured {
            blank: false,
            bits: 1,
            fault: None,
        };
        if let Err(detail) = self.budget.take_pixels(width, height) {
            measured.fault = Some(Fault::new(FaultCode::LimitExceeded, detail));
        } else {
            let decoded = guarded(|| match image {
                Image::Stencil(stencil) => {
                    let mut measured = measured.clone();
                    let mut said = None;
                    stencil.with_stencil(|data, _| said = Some(data), None);
                    measured.judge(said.map(|data| (grey(&data), 1)), height);
                    measured
                }
                Image::Raster(raster) => Self::raster(raster, height),
            });
            match decoded {
                Ok(decoded) => measured = decoded,
                Err(detail) => measured.fault = Some(Fault::new(FaultCode::DecodeError, detail)),
            }
        }
        if let Some(key) = key {
            self.known.insert(key, measured.clone());
        }
        measured
    }

    fn raster(raster: &RasterImage<'_>, height: u32) -> Measured {
        let mut measured = Measured {
            blank: false,
            bits: 8,
            fault: None,
        };
        let stream = raster.stream();
        let bits = stream
            .dict()
            .get::<u32>("BitsPerComponent")
            .or_else(|| stream.dict().get::<u32>("BPC"))
            .unwrap_or(8);
        // A JPEG as it is in its own file: held to the same standard, and cheaper so. Exotic ones are left to the other
        // decoder.
        if let [Filter::DctDecode] = stream.filters().as_slice() {
            match jpeg::decode(&stream.raw_data()) {
                Ok((blank, bits)) => {
                    (measured.blank, measured.bits) = (blank, bits);
                    return measured;
                }
                Err(fault) if fault.code == FaultCode::Unsupported => {}
                Err(mut fault) => {
                    if fault.code == FaultCode::Undecodable {
                        fault.code = FaultCode::DecodeError;
                    }
                    measured.fault = Some(fault);
                    return measured;
                }
            }
        }
        let mut said = None;
        raster.with_rgba(|image, _| said = Some(image), None);
        let judged = said.map(|image| match image {
            ImageData::Luma(data) => (grey(&data), bits),
            ImageData::Rgb(data) => {
                let mut ink = Ink::new(data.width, data.height);
                for (y, row) in data
                    .data
                    .chunks_exact((data.width as usize * 3).max(1))
                    .enumerate()
                {
                    let row: Vec<u8> = row.chunks_exact(3).map(|p| luma(p[0], p[1], p[2])).collect();
                    ink.row(0, y as u32, &row);
                }
                ((ink.blank(), data.height, data.scale_factors.1), bits * 3)
            }
        });
        measured.judge(judged, height);
        measured
    }
}

impl Measured {
    /// Takes whether it is blank, its rows and their scale, and its bits; nothing when it couldn't be decoded. Rows that are
    /// missing are not made up for.
    fn judge(&mut self, decoded: Option<((bool, u32, f32), u32)>, height: u32) {
        match decoded {
            None => {
                self.fault = Some(Fault::new(
                    FaultCode::DecodeError,
                    "an image on it can't be decoded",
                ))
            }
            Some(((blank, rows, scale), bits)) => {
                (self.blank, self.bits) = (blank, bits);
                if (rows as f32 * scale.max(1.0)) < height as f32 * 0.99 {
                    let detail = format!("an image has {rows} of {height} rows");
                    self.fault = Some(Fault::new(FaultCode::DecodeError, detail));
                }
            }
        }
    }
}

/// What an image is known by. The interpreter's own key is of its dictionary only, which two pages of a scanner share, so
/// the data goes in as well. A stencil's can't be had: small ones, letters of recognised text, are taken by their dictionary.
fn key(image: &Image<'_, '_>) -> Option<u128> {
    let dictionary = image.cache_key();
    match image {
        Image::Raster(raster) => {
            let mut hash = blake3::Hasher::new();
            hash.update(&dictionary.to_le_bytes());
            hash.update(&raster.stream().raw_data());
            hash.finalize()
                .as_bytes()
                .first_chunk::<16>()
                .map(|start| u128::from_le_bytes(*start))
        }
        Image::Stencil(_) => {
            let pixels = u64::from(image.width()) * u64::from(image.height());
            (pixels <= SMALL_STENCIL_PIXELS).then_some(dictionary)
        }
    }
}

/// Whether a grey image or a stencil is blank, its rows, and their scale.
fn grey(data: &LumaData) -> (bool, u32, f32) {
    let mut ink = Ink::new(data.width, data.height);
    for (y, row) in data.data.chunks_exact((data.width as usize).max(1)).enumerate() {
        ink.row(0, y as u32, row);
    }
    (ink.blank(), data.height, data.scale_factors.1)
}

impl<'a> Device<'a> for Probe<'_> {
    fn draw_image(&mut self, image: Image<'a, '_>, transform: Affine) {
        if self.placed.len() >= MAX_PAGE_IMAGES {
            self.too_many = true;
            return;
        }
        let (width, height) = (image.width(), image.height());
        let measured = self.measure(&image, (width, height));
        let [a, b, c, d, ..] = transform.as_coeffs();
        let bounds = (transform * Rect::new(0.0, 0.0, f64::from(width), f64::from(height)).to_path(0.1))
            .bounding_box();
        self.placed.push(Placed {
            width,
            height,
            dpi: (72.0 / a.hypot(b), 72.0 / c.hypot(d)),
            bounds,
            measured,
        });
    }

    fn draw_path(&mut self, path: &BezPath, _: Affine, paint: &Paint<'a>, _: &PathDrawMode) {
        if !path.is_empty() {
            self.mark(paint);
        }
    }

    fn draw_glyph(&mut self, _: &Glyph<'a>, _: Affine, _: Affine, paint: &Paint<'a>, mode: &GlyphDrawMode) {
        // Text recognised under a scan is there to be searched, not seen.
        if !matches!(mode, GlyphDrawMode::Invisible) {
            self.mark(paint);
        }
    }

    fn set_soft_mask(&mut self, _: Option<SoftMask<'a>>) {}
    fn set_blend_mode(&mut self, _: BlendMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_clip_path(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
