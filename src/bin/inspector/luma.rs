//! What a picture's luma says: black, dark, bright, the same as before. A grid of points, not every pixel.

use ffmpeg_next::{
    format::Pixel,
    frame,
    software::scaling::{Context, Flags},
};
use muniment::inspect::{report::Deep, wire::Measures};

use crate::{raw, stretches::Runs};

/// Points across and down.
pub(crate) const GRID: (usize, usize) = (160, 90);
/// Points across and down of a part that is compared by itself, and parts across.
const PART: usize = 10;
const PARTS_ACROSS: usize = GRID.0 / PART;
/// A part may differ by so many times what the whole may.
const LOCALLY: u64 = 10;
/// A picture whose length isn't known.
const ASSUMED_MS: i64 = 40;

/// Judges pictures as they come.
pub(crate) struct Sight {
    measures: Measures,
    points: Vec<u8>,
    /// The picture that a frozen stretch began with.
    still: Vec<u8>,
    still_ms: i64,
    black: Runs,
    dark: Runs,
    bright: Runs,
    frozen: Runs,
    scaler: Option<Context>,
}

impl Sight {
    pub(crate) fn new(measures: &Measures) -> Self {
        let runs = || Runs::new(i64::from(measures.shortest_ms));
        Sight {
            measures: *measures,
            points: Vec::new(),
            still: Vec::new(),
            still_ms: 0,
            black: runs(),
            dark: runs(),
            bright: runs(),
            frozen: runs(),
            scaler: None,
        }
    }

    pub(crate) fn frame(&mut self, frame: &frame::Video, at_ms: i64, length_ms: i64) {
        if !raw::luma(frame, GRID, &mut self.points) && !self.converted(frame) {
            return;
        }
        let end_ms = at_ms.saturating_add(if length_ms > 0 { length_ms } else { ASSUMED_MS });
        let count = self.points.len().max(1);
        let black = self
            .points
            .iter()
            .filter(|&&luma| luma <= self.measures.black_luma)
            .count();
        let mean = self.points.iter().map(|&luma| u64::from(luma)).sum::<u64>() / count as u64;
        let is_black = black * 100 >= count * usize::from(self.measures.black_share_percent);
        self.black.see(at_ms, end_ms, is_black);
        self.dark.see(
            at_ms,
            end_ms,
            !is_black && mean < u64::from(self.measures.dark_luma),
        );
        self.bright
            .see(at_ms, end_ms, mean > u64::from(self.measures.bright_luma));
        self.frozen(at_ms, end_ms);
    }

    /// Held against the first picture of the stretch, so that a slow drift isn't a still.
    fn frozen(&mut self, at_ms: i64, end_ms: i64) {
        let same = self.still.len() == self.points.len()
            && same(
                &self.points,
                &self.still,
                u64::from(self.measures.frozen_difference_milli),
            );
        if same {
            self.frozen.see(self.still_ms, end_ms, true);
        } else {
            self.frozen.see(at_ms, end_ms, false);
            self.still.clone_from(&self.points);
            self.still_ms = at_ms;
        }
    }

    /// Formats whose first plane isn't luma.
    fn converted(&mut self, frame: &frame::Video) -> bool {
        if frame.width() == 0 || frame.height() == 0 {
            return false;
        }
        let fits = |scaler: &Context| {
            let input = scaler.input();
            (input.format, input.width, input.height) == (frame.format(), frame.width(), frame.height())
        };
        if !self.scaler.as_ref().is_some_and(fits) {
            let (width, height) = (GRID.0 as u32, GRID.1 as u32);
            self.scaler = Context::get(
                frame.format(),
                frame.width(),
                frame.height(),
                Pixel::GRAY8,
                width,
                height,
                Flags::BILINEAR,
            )
            .ok();
        }
        let mut gray = frame::Video::empty();
        let scaled = self
            .scaler
            .as_mut()
            .is_some_and(|scaler| scaler.run(frame, &mut gray).is_ok());
        scaled && raw::luma(&gray, GRID, &mut self.points)
    }

    pub(crate) fn finish(self, deep: &mut Deep) {
        deep.black = self.black.finish();
        deep.underexposed = self.dark.finish();
        deep.overexposed = self.bright.finish();
        deep.frozen = self.frozen.finish();
    }
}

/// Whether two grids are one picture. A mouth that moves is little of a picture and much of its place: both are held
/// against the limit, the whole and each part.
fn same(points: &[u8], still: &[u8], limit_milli: u64) -> bool {
    let (mut whole, mut parts) = (0, [0u64; PARTS_ACROSS]);
    for (row, (points, still)) in points.chunks(GRID.0).zip(still.chunks(GRID.0)).enumerate() {
        let pieces = points.chunks(PART).zip(still.chunks(PART));
        for (part, (points, still)) in parts.iter_mut().zip(pieces) {
            *part += points
                .iter()
                .zip(still)
                .map(|(&a, &b)| u64::from(a.abs_diff(b)))
                .sum::<u64>();
        }
        if (row + 1) % PART == 0 {
            let limit = limit_milli * LOCALLY * (PART * PART) as u64;
            if parts.iter().any(|part| part * 1_000 > limit) {
                return false;
            }
            whole += parts.iter().sum::<u64>();
            parts = [0; PARTS_ACROSS];
        }
    }
    whole * 1_000 < limit_milli * points.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_no_movement_and_a_mouth_is() {
        let still = vec![100; GRID.0 * GRID.1];
        assert!(same(&still, &still, 500));
        let mut pulse = still.clone();
        pulse.iter_mut().step_by(3).for_each(|luma| *luma += 1);
        assert!(same(&pulse, &still, 500));
        let mut mouth = still.clone();
        for row in 42..46 {
            mouth[row * GRID.0 + 71..row * GRID.0 + 79].fill(120);
        }
        assert!(!same(&mouth, &still, 500));
        let mut drift = still.clone();
        drift.iter_mut().step_by(2).for_each(|luma| *luma += 2);
        assert!(!same(&drift, &still, 500));
    }
}
