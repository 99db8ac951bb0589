//! Pictures for a contact sheet, spread over a recording and turned as a player turns them: raw pixels, on the way.

use ffmpeg_next::{
    format::Pixel,
    frame,
    software::scaling::{Context, Flags},
};
use muniment::inspect::wire::{MAX_PICTURE_BYTES, Picture, Worker};

use crate::raw;

/// Of one sheet.
const MAX_PICTURES: u32 = 64;
/// Where the length isn't known, a picture each so often.
const EVERY_MS: i64 = 10_000;

/// Which pictures are still to be sent.
pub(crate) struct Pictures {
    wanted: u32,
    width: u32,
    sent: u32,
    length_ms: Option<i64>,
    rotation: u32,
    begin_ms: Option<i64>,
}

impl Pictures {
    /// So many, so wide.
    pub(crate) fn new(wanted: u32, width: u32) -> Self {
        Pictures {
            wanted: wanted.min(MAX_PICTURES),
            width: width.clamp(16, 1_024),
            sent: 0,
            length_ms: None,
            rotation: 0,
            begin_ms: None,
        }
    }

    /// Over this length, turned clockwise by these degrees.
    pub(crate) fn spread(&mut self, length_ms: Option<i64>, rotation: u32) {
        self.length_ms = length_ms;
        self.rotation = rotation;
    }

    /// When the next is due, from the begin.
    fn due_ms(&self) -> i64 {
        let next = i64::from(self.sent);
        match self.length_ms {
            Some(length) => length.saturating_mul(2 * next + 1) / (2 * i64::from(self.wanted.max(1))),
            None => next * EVERY_MS,
        }
    }

    /// Sends the picture if one is due.
    pub(crate) fn offer(&mut self, frame: &frame::Video, at_ms: i64, worker: &mut Worker) {
        if self.sent >= self.wanted {
            return;
        }
        let begin = *self.begin_ms.get_or_insert(at_ms);
        if at_ms.saturating_sub(begin) < self.due_ms() {
            return;
        }
        self.sent += 1;
        if let Some(picture) = self.scaled(frame, at_ms) {
            // A parent that is gone is noticed at the answer.
            let _ = worker.picture(&picture);
        }
    }

    fn scaled(&self, frame: &frame::Video, at_ms: i64) -> Option<Picture> {
        let (width, height) = raw::shown_size(frame);
        let turned = matches!(self.rotation, 90 | 270);
        let (across, down) = if turned { (height, width) } else { (width, height) };
        if across == 0 || down == 0 {
            return None;
        }
        let final_width = u64::from(self.width);
        let most = MAX_PICTURE_BYTES as u64 / 3 / final_width;
        let final_height = (final_width * u64::from(down) / u64::from(across)).clamp(1, most);
        let (scaled_width, scaled_height) = match turned {
            true => (final_height as u32, final_width as u32),
            false => (final_width as u32, final_height as u32),
        };
        let mut scaler = Context::get(
            frame.format(),
            frame.width(),
            frame.height(),
            Pixel::RGB24,
            scaled_width,
            scaled_height,
            Flags::BILINEAR,
        )
        .ok()?;
        let mut rgb = frame::Video::empty();
        scaler.run(frame, &mut rgb).ok()?;
        let pixels = raw::rgb(&rgb)?;
        Some(Picture {
            width: final_width as u32,
            height: final_height as u32,
            at_ms,
            rgb: turn(
                &pixels,
                scaled_width as usize,
                scaled_height as usize,
                self.rotation,
            ),
        })
    }
}

/// Turns RGB pixels clockwise.
fn turn(pixels: &[u8], width: usize, height: usize, degrees: u32) -> Vec<u8> {
    let mut turned = Vec::with_capacity(pixels.len());
    let mut put = |x: usize, y: usize| {
        let at = (y * width + x) * 3;
        turned.extend_from_slice(pixels.get(at..at + 3).unwrap_or(&[0; 3]));
    };
    match degrees {
        90 => (0..width).for_each(|x| (0..height).rev().for_each(|y| put(x, y))),
        180 => (0..height)
            .rev()
            .for_each(|y| (0..width).rev().for_each(|x| put(x, y))),
        270 => (0..width).rev().for_each(|x| (0..height).for_each(|y| put(x, y))),
        _ => return pixels.to_vec(),
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::turn;

    #[test]
    fn pictures_turn_clockwise() {
        let pixel = |value: u8| [value; 3];
        // 1 2
        // 3 4
        // 5 6
        let picture: Vec<u8> = (1..=6).flat_map(pixel).collect();
        let values =
            |degrees| -> Vec<u8> { turn(&picture, 2, 3, degrees).iter().copied().step_by(3).collect() };
        assert_eq!(values(0), [1, 2, 3, 4, 5, 6]);
        assert_eq!(values(90), [5, 3, 1, 6, 4, 2]);
        assert_eq!(values(180), [6, 5, 4, 3, 2, 1]);
        assert_eq!(values(270), [2, 4, 6, 1, 3, 5]);
    }
}
