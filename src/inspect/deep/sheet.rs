//! Contact sheets: a recording's pictures on one page, each with its time, as JPEG.
//!
//! Pictures come from a worker as raw pixels and are encoded here, so a worker's bytes are never served as a file. Bounded:
//! [`PICTURES`] of at most [`PICTURE_WIDTH`] × [`MAX_HEIGHT`] pixels.

use super::super::wire::{Picture, Sink};
use jpeg_encoder::{ColorType, Encoder};
use std::io;

/// Pictures on a sheet.
pub(super) const PICTURES: u32 = 12;
/// Their width, pixels.
pub(super) const PICTURE_WIDTH: u32 = 320;
/// Their height at the most, pixels: a telephone held upright.
const MAX_HEIGHT: u32 = 640;
const COLUMNS: u32 = 4;
const GAP: u32 = 4;
const BACKGROUND: u8 = 24;
const QUALITY: u8 = 80;
/// Pixels a dot of a digit is wide and high.
const DOT: u32 = 2;

/// Takes the pictures that were asked for, and nothing else.
#[derive(Default)]
pub(super) struct Pictures {
    taken: Vec<Picture>,
    /// The worker sent what it wasn't asked for.
    pub(super) overrun: bool,
}

impl Pictures {
    fn refuse(&mut self, what: &str) -> io::Result<()> {
        self.overrun = true;
        Err(io::Error::other(what.to_owned()))
    }
}

impl Sink for Pictures {
    fn picture(&mut self, picture: Picture) -> io::Result<()> {
        if self.taken.len() >= PICTURES as usize {
            return self.refuse("more pictures than were asked for");
        }
        if picture.width > PICTURE_WIDTH || picture.height > MAX_HEIGHT {
            return self.refuse("a picture larger than was asked for");
        }
        self.taken.push(picture);
        Ok(())
    }

    fn output(&mut self, _: &[u8]) -> io::Result<()> {
        self.refuse("output that nobody asked for")
    }
}

/// The sheet; nothing where there are no pictures.
///
/// # Errors
/// When the encoder refuses.
pub(super) fn compose(pictures: &Pictures) -> Result<Option<Vec<u8>>, String> {
    let pictures = &pictures.taken;
    let Some(cell_width) = pictures.iter().map(|picture| picture.width).max() else {
        return Ok(None);
    };
    let cell_height = pictures.iter().map(|picture| picture.height).max().unwrap_or(1);
    let columns = COLUMNS.min(pictures.len() as u32);
    let lines = (pictures.len() as u32).div_ceil(columns);
    let mut page = Page::new(
        columns * (cell_width + GAP) + GAP,
        lines * (cell_height + GAP) + GAP,
    );
    for (at, picture) in (0..).zip(pictures) {
        let left = GAP + at % columns * (cell_width + GAP);
        let top = GAP + at / columns * (cell_height + GAP);
        page.put(picture, left, top);
        page.stamp(&time(picture.at_ms), left + GAP, top + GAP);
    }
    let (width, height) = (u16::try_from(page.width), u16::try_from(page.height));
    let (Ok(width), Ok(height)) = (width, height) else {
        return Err("the sheet is too large".to_owned());
    };
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, QUALITY)
        .encode(&page.rgb, width, height, ColorType::Rgb)
        .map_err(|error| error.to_string())?;
    Ok(Some(jpeg))
}

/// `1:02:03`, or `02:03` below an hour.
fn time(at_ms: i64) -> String {
    let seconds = at_ms.max(0) / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

struct Page {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Page {
    fn new(width: u32, height: u32) -> Self {
        Page {
            width,
            height,
            rgb: vec![BACKGROUND; width as usize * height as usize * 3],
        }
    }

    fn put(&mut self, picture: &Picture, left: u32, top: u32) {
        let line_bytes = picture.width as usize * 3;
        for (line, pixels) in (top..).zip(picture.rgb.chunks_exact(line_bytes)) {
            let at = self.at(left, line);
            if let Some(target) = self.rgb.get_mut(at..at + line_bytes) {
                target.copy_from_slice(pixels);
            }
        }
    }

    /// Digits on a dark ground, so that they can be read on any picture.
    fn stamp(&mut self, text: &str, left: u32, top: u32) {
        let width = text.len() as u32 * 6 * DOT + DOT;
        self.fill(left, top, (width, 9 * DOT), 0);
        for (place, c) in (0..).zip(text.chars()) {
            for (line, bits) in (0..).zip(glyph(c)) {
                for column in 0..5 {
                    if bits >> (4 - column) & 1 == 1 {
                        let x = left + (1 + place * 6 + column) * DOT;
                        self.fill(x, top + (1 + line) * DOT, (DOT, DOT), 255);
                    }
                }
            }
        }
    }

    fn fill(&mut self, left: u32, top: u32, (width, height): (u32, u32), value: u8) {
        let right = (left + width).min(self.width);
        for line in top..(top + height).min(self.height) {
            let (from, to) = (self.at(left.min(right), line), self.at(right, line));
            if let Some(target) = self.rgb.get_mut(from..to) {
                target.fill(value);
            }
        }
    }

    fn at(&self, x: u32, y: u32) -> usize {
        (y as usize * self.width as usize + x as usize) * 3
    }
}

/// A character of 5 × 7 dots, line by line, the leftmost dot in bit 4.
fn glyph(c: char) -> [u8; 7] {
    match c {
        '0' => [14, 17, 19, 21, 25, 17, 14],
        '1' => [4, 12, 4, 4, 4, 4, 14],
        '2' => [14, 17, 1, 2, 4, 8, 31],
        '3' => [31, 2, 4, 2, 1, 17, 14],
        '4' => [2, 6, 10, 18, 31, 2, 2],
        '5' => [31, 16, 30, 1, 1, 17, 14],
        '6' => [6, 8, 16, 30, 17, 17, 14],
        '7' => [31, 1, 2, 4, 8, 8, 8],
        '8' => [14, 17, 17, 14, 17, 17, 14],
        '9' => [14, 17, 17, 15, 1, 2, 12],
        ':' => [0, 4, 4, 0, 4, 4, 0],
        _ => [0; 7],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, value: u8) -> Picture {
        Picture {
            width,
            height,
            at_ms: 3_723_000,
            rgb: vec![value; (width * height * 3) as usize],
        }
    }

    #[test]
    fn a_sheet_has_every_picture_in_its_place() {
        let mut pictures = Pictures::default();
        for value in 0..5 {
            pictures.picture(picture(320, 180, 100 + value * 30)).unwrap();
        }
        let jpeg = compose(&pictures).unwrap().unwrap();
        let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg));
        let pixels = decoder.decode().unwrap();
        let (width, height) = decoder.dimensions().unwrap();
        assert_eq!((width, height), (4 * 324 + 4, 2 * 184 + 4));
        let red = |x: usize, y: usize| pixels[(y * width + x) * 3];
        for (at, value) in [(0, 100u8), (1, 130), (2, 160), (3, 190), (4, 220)] {
            let (x, y) = (4 + at % 4 * 324 + 250, 4 + at / 4 * 184 + 150);
            assert!(red(x, y).abs_diff(value) < 6, "picture {at}: {}", red(x, y));
        }
        assert!(
            red(500, 280).abs_diff(BACKGROUND) < 6,
            "the places that stay empty"
        );
        // The stamp: white dots on black at the head of each picture.
        let stamp: Vec<u8> = (8..100)
            .flat_map(|x| (8..26).map(move |y| (x, y)))
            .map(|(x, y)| red(x, y))
            .collect();
        assert!(stamp.iter().any(|value| *value > 220) && stamp.iter().any(|value| *value < 30));
    }

    #[test]
    fn no_pictures_make_no_sheet_and_too_many_are_refused() {
        assert_eq!(compose(&Pictures::default()), Ok(None));
        let mut pictures = Pictures::default();
        assert!(pictures.picture(picture(321, 10, 0)).is_err() && pictures.overrun);
        let mut pictures = Pictures::default();
        assert!(pictures.picture(picture(320, 641, 0)).is_err());
        for _ in 0..PICTURES {
            pictures.picture(picture(320, 640, 0)).unwrap();
        }
        assert!(pictures.picture(picture(1, 1, 0)).is_err() && pictures.overrun);
        assert!(compose(&pictures).unwrap().is_some());
        assert!(Pictures::default().output(b"x").is_err());
    }

    #[test]
    fn times_read_as_players_show_them() {
        assert_eq!(time(0), "00:00");
        assert_eq!(time(-5), "00:00");
        assert_eq!(time(61_999), "01:01");
        assert_eq!(time(3_723_000), "1:02:03");
    }
}
