//! Is there anything on this page? Measured on luma, while rows go by.
//!
//! The page is divided into cells, [`CELLS`] along its longer side (0.85 mm on A4), each with the mean of its pixels:
//! that averages a scanner's noise away. Paper is the median of the cells around, so that a shadow across the page or a
//! grey or inverted page is paper too. A cell is ink when it differs from its paper by [`CONTRAST`] and one of its
//! neighbours does too: specks of dust are alone. The outermost [`MARGIN_PERCENT`] of each side don't count, and what
//! hangs together with them doesn't within [`BORDER_PERCENT`]: a scanner's dark border, also when the page lies askew.
//! A page with less than [`MIN_INK_PPM`] of ink is blank; a line of text has about five times as much.
//!
//! It must never know which format the rows come from.

use super::limits::MAX_SIDE_PX;
use std::ops::Range;

/// Cells along the longer side.
const CELLS: u32 = 350;
/// Difference of luma between a cell and its paper.
const CONTRAST: u8 = 16;
/// Part of each side that isn't looked at, per cent.
const MARGIN_PERCENT: usize = 3;
/// Part of each side in which a border is forgiven, per cent.
const BORDER_PERCENT: usize = 10;
/// Tiles along each side, each with its own paper.
const TILES: usize = 8;
/// Ink cells of a million, below which a page is blank.
const MIN_INK_PPM: u64 = 300;

/// The cells of one page.
pub(super) struct Ink {
    width: u32,
    height: u32,
    cell: u32,
    columns: usize,
    rows: usize,
    bands: Vec<Band>,
    /// The mean luma of each cell, row by row; none where nothing came, or its band isn't complete.
    means: Vec<Option<u8>>,
    /// Sums of bands that are complete, zeroes again.
    spare: Vec<Vec<u32>>,
}

/// The pixels of one row of cells. Few are open at one time, so what is added to them is near.
enum Band {
    Untouched,
    Open {
        /// For each column of pixels: how many there were, in units of [`PIXEL`], and the sum of them. A row of pixels is added
        /// all at once, which is what processors are good at.
        sums: Vec<u32>,
        /// Pixels that haven't come yet.
        missing: u64,
    },
    Complete,
}

/// One pixel, above the sum of their luma.
const PIXEL: u32 = 1 << 16;
const _: () = assert!(MAX_SIDE_PX.div_ceil(CELLS) * 255 < PIXEL);

impl Ink {
    /// An empty page of so many pixels.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let cell = width.max(height).div_ceil(CELLS).max(1);
        let (columns, rows) = (width.div_ceil(cell) as usize, height.div_ceil(cell) as usize);
        Ink {
            width,
            height,
            cell,
            columns,
            rows,
            bands: (0..rows).map(|_| Band::Untouched).collect(),
            means: vec![None; columns * rows],
            spare: Vec::new(),
        }
    }

    /// Takes a piece of row `y` that begins at `x`; what lies outside the page is left out, and what comes again, too.
    pub(super) fn row(&mut self, x: u32, y: u32, luma: &[u8]) {
        if y >= self.height || x >= self.width {
            return;
        }
        let width = self.width as usize;
        let luma = &luma[..luma.len().min(width - x as usize)];
        let row = y / self.cell;
        let band = &mut self.bands[row as usize];
        if let Band::Untouched = band {
            let lines = self.cell.min(self.height - row * self.cell);
            *band = Band::Open {
                sums: self.spare.pop().unwrap_or_else(|| vec![0; width]),
                missing: u64::from(lines) * u64::from(self.width),
            };
        }
        let Band::Open { sums, missing } = band else {
            return;
        };
        for (sum, &pixel) in sums[x as usize..].iter_mut().zip(luma) {
            // It overflows only where a part comes many times over and another doesn't, which no decoder does.
            *sum = sum.wrapping_add(PIXEL + u32::from(pixel));
        }
        *missing = missing.saturating_sub(luma.len() as u64);
        if *missing == 0 {
            self.close(row as usize);
        }
    }

    /// Makes the means of a band, if it is open.
    fn close(&mut self, row: usize) {
        let Band::Open { mut sums, .. } = std::mem::replace(&mut self.bands[row], Band::Complete) else {
            return;
        };
        let means = &mut self.means[row * self.columns..(row + 1) * self.columns];
        for (mean, cell) in means.iter_mut().zip(sums.chunks(self.cell as usize)) {
            let (mut count, mut sum) = (0, 0);
            for &pixels in cell {
                count += pixels / PIXEL;
                sum += pixels % PIXEL;
            }
            *mean = sum.checked_div(count).map(|mean| mean as u8);
        }
        sums.fill(0);
        self.spare.push(sums);
    }

    /// The mean luma of each cell.
    fn means(&mut self) -> &[Option<u8>] {
        (0..self.rows).for_each(|row| self.close(row));
        &self.means
    }

    /// Whether nothing is on the page.
    pub(super) fn blank(mut self) -> bool {
        let (columns, rows) = (self.columns, self.rows);
        let margin = |cells: usize| cells * MARGIN_PERCENT / 100;
        let (left, top) = (margin(columns), margin(rows));
        let (right, bottom) = (columns - left, rows - top);
        let means = self.means();
        let mut ink = vec![false; columns * rows];
        for tile in 0..TILES * TILES {
            let part = |from: usize, to: usize, index: usize| {
                let cells = to - from;
                from + cells * index / TILES..from + cells * (index + 1) / TILES
            };
            let across = part(left, right, tile % TILES);
            let rows = part(top, bottom, tile / TILES).map(|row| row * columns);
            let lines = rows.map(|row| row + across.start..row + across.end);
            mark_tile(means, lines, &mut ink);
        }
        forgive_borders(&mut ink, columns, rows, (left, top));
        let near = |column: usize, row: usize| {
            (row.saturating_sub(1)..(row + 2).min(rows)).any(|y| {
                (column.saturating_sub(1)..(column + 2).min(columns))
                    .any(|x| (x, y) != (column, row) && ink[y * columns + x])
            })
        };
        let inked = inked(&ink, columns)
            .filter(|&(column, row)| near(column, row))
            .count() as u64;
        let looked_at = ((right - left) * (bottom - top)) as u64;
        inked * 1_000_000 < looked_at * MIN_INK_PPM || inked == 0
    }
}

/// Column and row of each cell that is ink.
fn inked(ink: &[bool], columns: usize) -> impl Iterator<Item = (usize, usize)> {
    let rows = ink.chunks(columns.max(1)).enumerate();
    rows.flat_map(|(row, cells)| {
        let inked = cells.iter().enumerate().filter(|(_, is_ink)| **is_ink);
        inked.map(move |(column, _)| (column, row))
    })
}

/// Marks what differs from the paper of a tile, whose cells lie in these lines.
fn mark_tile(means: &[Option<u8>], lines: impl Iterator<Item = Range<usize>> + Clone, ink: &mut [bool]) {
    let mut cells_of_luma = [0usize; 256];
    for line in lines.clone() {
        for mean in means[line].iter().flatten() {
            cells_of_luma[usize::from(*mean)] += 1;
        }
    }
    let middle = cells_of_luma.iter().sum::<usize>() / 2;
    let mut darker = 0;
    let paper = (0u8..=255).find(|&luma| {
        darker += cells_of_luma[usize::from(luma)];
        darker > middle
    });
    let Some(paper) = paper else {
        return;
    };
    for line in lines {
        for (ink, mean) in ink[line.clone()].iter_mut().zip(&means[line]) {
            *ink = mean.is_some_and(|mean| mean.abs_diff(paper) >= CONTRAST);
        }
    }
}

/// Takes away the ink near the edges that hangs together with the margin.
fn forgive_borders(ink: &mut [bool], columns: usize, rows: usize, (left, top): (usize, usize)) {
    let (right, bottom) = (columns - left, rows - top);
    let (far_x, far_y) = (columns * BORDER_PERCENT / 100, rows * BORDER_PERCENT / 100);
    let near_edge = |x: usize, y: usize| x < far_x || y < far_y || x + far_x >= columns || y + far_y >= rows;
    let on_edge = |x: usize, y: usize| x == left || y == top || x + 1 == right || y + 1 == bottom;
    let mut pending: Vec<usize> = inked(ink, columns)
        .filter(|&(x, y)| on_edge(x, y))
        .map(|(x, y)| y * columns + x)
        .collect();
    while let Some(at) = pending.pop() {
        let (x, y) = (at % columns, at / columns);
        if !std::mem::take(&mut ink[at]) {
            continue;
        }
        for (next_x, next_y) in [
            (x.wrapping_sub(1), y),
            (x + 1, y),
            (x, y.wrapping_sub(1)),
            (x, y + 1),
        ] {
            if next_x < columns
                && next_y < rows
                && near_edge(next_x, next_y)
                && ink[next_y * columns + next_x]
            {
                pending.push(next_y * columns + next_x);
            }
        }
    }
}

/// Luma of a pixel (ITU-R BT.601).
pub(super) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 77 + u32::from(green) * 150 + u32::from(blue) * 29) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: u32, height: u32, pixel: impl Fn(u32, u32) -> u8) -> bool {
        let mut ink = Ink::new(width, height);
        for y in 0..height {
            let row: Vec<u8> = (0..width).map(|x| pixel(x, y)).collect();
            ink.row(0, y, &row);
        }
        ink.blank()
    }

    /// A cheap generator; its seed is in the test.
    fn noise(x: u32, y: u32) -> u8 {
        let mut value = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ 0x1234_5678;
        value ^= value >> 15;
        value = value.wrapping_mul(0x2C1B_3C6D);
        (value >> 24) as u8
    }

    #[test]
    fn empty_paper_is_blank_whatever_its_shade() {
        for shade in [0, 90, 255] {
            assert!(page(827, 1169, |_, _| shade), "shade {shade}");
        }
    }

    #[test]
    fn noise_shadow_and_specks_are_no_ink() {
        assert!(page(1240, 1754, |x, y| 230 - noise(x, y) / 8), "noise");
        assert!(page(827, 1169, |x, _| 250 - (x / 10) as u8), "a shadow");
        assert!(
            page(1240, 1754, |x, y| if x % 311 < 2 && y % 307 < 2 {
                0
            } else {
                240
            }),
            "dust"
        );
        let bits = |x, y| if noise(x, y) == 0 { 0 } else { 255 };
        assert!(page(1240, 1754, bits), "bilevel noise");
    }

    #[test]
    fn a_dark_border_is_no_ink_even_askew() {
        assert!(page(1240, 1754, |x, y| if x < 30 + y / 30 || y < 20 {
            5
        } else {
            240
        }));
    }

    #[test]
    fn a_line_of_text_a_signature_and_a_photograph_are_ink() {
        let text = |x: u32, y: u32| {
            let inside = (300..900).contains(&x) && (800..825).contains(&y);
            if inside && x % 9 < 3 { 20 } else { 245 }
        };
        assert!(!page(1240, 1754, text));
        let stroke = |x: u32, y: u32| {
            let on = (700..1_000).contains(&x) && y.abs_diff(1_500 + (x % 60)) < 3;
            if on { 60 } else { 245 }
        };
        assert!(!page(1240, 1754, stroke));
        let photograph = |x: u32, y: u32| (((x / 50) * 37 + (y / 50) * 61) % 256) as u8;
        assert!(!page(600, 400, photograph));
    }

    #[test]
    fn rows_in_pieces_are_rows_and_strays_are_left_out() {
        let mut whole = Ink::new(1_000, 10);
        let mut pieces = Ink::new(1_000, 10);
        let row: Vec<u8> = (0..1_000).map(|x| noise(x, 1)).collect();
        whole.row(0, 3, &row);
        pieces.row(0, 3, &row[..333]);
        pieces.row(333, 3, &row[333..]);
        pieces.row(1_000, 3, &row);
        pieces.row(0, 10, &row);
        assert_eq!(whole.means(), pieces.means());
    }
}
