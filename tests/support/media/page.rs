//! Scans that decode: a page of lines that look like text, with a photograph and a seal, in each format of a scanner.

use super::{cache, noise};
use std::fs;

/// A page before it is packed into a file.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// What the file declares; 0 to leave it out.
    pub dpi: u32,
    /// Nothing on it.
    pub blank: bool,
}

impl Default for Page {
    /// Large enough for anything that is asked of a scan.
    fn default() -> Self {
        Page {
            width: 1240,
            height: 1754,
            dpi: 300,
            blank: false,
        }
    }
}

impl Page {
    /// Grey pixels, rows from the top.
    pub fn grey(&self) -> Vec<u8> {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut pixels = vec![255u8; width * height];
        if self.blank {
            return pixels;
        }
        let mut fill = |left: usize, top: usize, right: usize, bottom: usize, shade: u8| {
            for row in top..bottom.min(height) {
                if left < right.min(width) {
                    pixels[row * width + left..row * width + right.min(width)].fill(shade);
                }
            }
        };
        // Words of changing length; edges on the grid of a JPEG's blocks keep the files small.
        let mut word = 1usize;
        for line in (96..height.saturating_sub(96)).step_by(48) {
            let mut left = 96;
            while left + 96 < width {
                word = word * 5 % 23 + 1;
                fill(left, line, left + 8 * (2 + word % 9), line + 16, 32);
                left += 8 * (4 + word % 9);
            }
        }
        // A photograph in steps of grey.
        for step in 0..16 {
            fill(
                width / 2,
                height / 2 + step * 16,
                width - 96,
                height / 2 + step * 16 + 16,
                (step * 15) as u8,
            );
        }
        // A seal.
        let (x, y, radius) = (width as i64 / 4, height as i64 * 3 / 4, width as i64 / 8);
        for row in (y - radius)..(y + radius) {
            for column in (x - radius)..(x + radius) {
                let distance = (row - y).pow(2) + (column - x).pow(2);
                if distance < radius * radius && distance > (radius - 12).pow(2) {
                    pixels[row as usize * width + column as usize] = 64;
                }
            }
        }
        pixels
    }

    fn made(&self, ext: &str, make: impl FnOnce(&Self) -> Vec<u8>) -> Vec<u8> {
        let path = cache::shared(&format!("page 1 {self:?}"), ext, |path| {
            fs::write(path, make(self)).unwrap();
        });
        fs::read(path).unwrap()
    }

    /// As a baseline JPEG.
    pub fn jpeg(&self) -> Vec<u8> {
        self.made("jpg", |page| {
            let mut bytes = Vec::new();
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 40);
            encoder.set_optimized_huffman_tables(true);
            encoder.set_density(match page.dpi {
                0 => jpeg_encoder::PixelDensity::default(),
                dpi => jpeg_encoder::PixelDensity::dpi(dpi as u16),
            });
            let (width, height) = (page.width as u16, page.height as u16);
            encoder
                .encode(&page.grey(), width, height, jpeg_encoder::ColorType::Luma)
                .unwrap();
            bytes
        })
    }

    /// As a grey PNG.
    pub fn png(&self) -> Vec<u8> {
        self.made("png", |page| {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, page.width, page.height);
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(png::BitDepth::Eight);
            let per_metre = (f64::from(page.dpi) / 0.0254).round() as u32;
            encoder.set_pixel_dims((page.dpi > 0).then_some(png::PixelDimensions {
                xppu: per_metre,
                yppu: per_metre,
                unit: png::Unit::Meter,
            }));
            let mut writer = encoder.write_header().unwrap();
            writer.write_image_data(&page.grey()).unwrap();
            writer.finish().unwrap();
            bytes
        })
    }

    /// As the CCITT Group 4 strip of a bilevel TIFF.
    pub fn group4(&self) -> Vec<u8> {
        self.made("g4", |page| {
            let mut encoder = fax::encoder::Encoder::new(fax::VecWriter::new());
            for row in page.grey().chunks(page.width as usize) {
                let shade = |grey: &u8| {
                    if *grey < 128 {
                        fax::Color::Black
                    } else {
                        fax::Color::White
                    }
                };
                encoder
                    .encode_line(row.iter().map(shade), page.width as u16)
                    .unwrap();
            }
            encoder.finish().unwrap().finish()
        })
    }
}

// --- files filled up with noise ------------------------------------------------------------------------------------

/// A JPEG of `size` bytes or as many as a page needs; noise in comments.
pub fn jpeg(size: usize, seed: u64) -> Vec<u8> {
    with_comments(&Page::default().jpeg(), size, seed)
}

/// A photograph in the sense of `PHOTO`, in the same way: a tenth of a page's pixels, for tests that need thousands.
pub fn photo(size: usize, seed: u64) -> Vec<u8> {
    with_comments(&SMALL.jpeg(), size, seed)
}

/// What a photograph needs and no more.
pub const SMALL: Page = Page {
    width: 420,
    height: 560,
    dpi: 0,
    blank: false,
};

/// A JPEG with comments of noise behind its first segment, up to `size`.
pub fn with_comments(base: &[u8], size: usize, seed: u64) -> Vec<u8> {
    let first = 4 + usize::from(u16::from_be_bytes([base[4], base[5]]));
    let mut bytes = base[..first].to_vec();
    let filling = size.saturating_sub(base.len()).max(20);
    let mut content = noise(filling, seed);
    let mut rest = content.as_mut_slice();
    // Each comment costs four bytes of its own; what would remain too short for one goes into the one before.
    while !rest.is_empty() {
        let length = if rest.len() <= 60_000 { rest.len() } else { 50_000 };
        let (comment, more) = rest.split_at_mut(length);
        comment[..2].copy_from_slice(&[0xff, 0xfe]);
        comment[2..4].copy_from_slice(&(length as u16 - 2).to_be_bytes());
        bytes.extend_from_slice(comment);
        rest = more;
    }
    bytes.extend_from_slice(&base[first..]);
    bytes
}

/// A PNG of `size` bytes or as many as a page needs; noise in a private chunk.
pub fn png(size: usize, seed: u64) -> Vec<u8> {
    let base = Page::default().png();
    // Behind the signature and IHDR.
    let at = 8 + 25;
    let filling = size.saturating_sub(base.len() + 12).max(16);
    let body = [b"muNi".as_slice(), &noise(filling, seed)].concat();
    let length = u32::try_from(filling).expect("a small chunk").to_be_bytes();
    let sum = crc32(&body).to_be_bytes();
    [&base[..at], &length, &body, &sum, &base[at..]].concat()
}

/// A TIFF with one CCITT page, of `size` bytes or as many as it needs; noise between the page and its directory.
pub fn tiff(size: usize, seed: u64) -> Vec<u8> {
    let page = Page::default();
    let strip = page.group4();
    let filling = size
        .saturating_sub(strip.len() + 8 + 2 + 14 * 12 + 4 + 16)
        .max(16);
    let pages = [TiffPage {
        page,
        compression: 4,
        strip,
        gap: noise(filling, seed),
        orientation: 1,
    }];
    tiff_of(&pages)
}

/// A page of a TIFF.
pub struct TiffPage {
    /// Its size and resolution.
    pub page: Page,
    /// 1 none (grey), 4 Group 4 (bilevel), 7 JPEG (grey).
    pub compression: u16,
    /// Its one strip, compressed.
    pub strip: Vec<u8>,
    /// Bytes behind the strip that nothing refers to.
    pub gap: Vec<u8>,
    /// TIFF's orientation, 1 to 8.
    pub orientation: u16,
}

impl TiffPage {
    /// A page compressed as Group 4.
    pub fn group4(page: Page) -> Self {
        Self::new(page, 4, page.group4())
    }

    /// A page compressed as JPEG.
    pub fn jpeg(page: Page) -> Self {
        Self::new(page, 7, page.jpeg())
    }

    fn new(page: Page, compression: u16, strip: Vec<u8>) -> Self {
        TiffPage {
            page,
            compression,
            strip,
            gap: Vec::new(),
            orientation: 1,
        }
    }
}

/// A little-endian TIFF of these pages.
pub fn tiff_of(pages: &[TiffPage]) -> Vec<u8> {
    const LONG: u16 = 4;
    const SHORT: u16 = 3;
    const RATIONAL: u16 = 5;
    let mut bytes = b"II*\0\0\0\0\0".to_vec();
    let mut link = 4;
    for one in pages {
        let strip_at = bytes.len() as u32;
        bytes.extend(&one.strip);
        bytes.extend(&one.gap);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let resolution_at = bytes.len() as u32;
        bytes.extend(one.page.dpi.to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
        // CCITT: white is 0. Grey: black is 0.
        let (bits, photometric) = if one.compression == 4 { (1, 0) } else { (8, 1) };
        let mut fields = vec![
            (256, LONG, one.page.width),
            (257, LONG, one.page.height),
            (258, SHORT, bits),
            (259, SHORT, u32::from(one.compression)),
            (262, SHORT, photometric),
            (273, LONG, strip_at),
            (274, SHORT, u32::from(one.orientation)),
            (277, SHORT, 1),
            (278, LONG, one.page.height),
            (279, LONG, one.strip.len() as u32),
        ];
        if one.page.dpi > 0 {
            fields.extend([
                (282, RATIONAL, resolution_at),
                (283, RATIONAL, resolution_at),
                (296, SHORT, 2),
            ]);
        }
        let directory = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&directory.to_le_bytes());
        bytes.extend((fields.len() as u16).to_le_bytes());
        for (tag, kind, value) in fields {
            let tag: u16 = tag;
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

// --- sums ----------------------------------------------------------------------------------------------------------

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
