//! The entropy-coded data of a baseline JPEG, code by code and without its pixels: does it hold as many blocks as the
//! picture has, no more and no fewer? Where blocks were lost, what follows is out of step, and this comes out.

/// Bytes behind the last block that aren't held against a picture.
const MOST_LEFT: usize = 8;
const TABLES: usize = 4;

/// Bits of a code that a table answers at once. Such a table is small: a hostile file may define one every few bytes.
const SHORT_BITS: u8 = 8;

/// A code with the bits behind it that belong to it, as a step through a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Step {
    /// Of the code and what it announces; 0 is no step.
    bits: u8,
    /// Values of the block; [`END`] is all that are left.
    values: u8,
}

/// More values than a block has.
const END: u8 = 128;

/// What a table's symbols mean (ITU-T T.81, F.1.2).
#[derive(Clone, Copy)]
enum Class {
    /// The size of a difference.
    Dc,
    /// Zeros in the high half, the size of the value behind them in the low one.
    Ac,
}

impl Class {
    fn step(self, length: u8, symbol: u8) -> Option<Step> {
        let (zeros, size) = (symbol >> 4, symbol & 15);
        let values = match (self, zeros, size) {
            (Class::Dc, 0, _) => 1,
            (Class::Dc, _, _) => return None,
            (Class::Ac, 15, 0) => 16,
            (Class::Ac, _, 0) => END,
            (Class::Ac, _, _) => zeros + 1,
        };
        Some(Step {
            bits: length + size,
            values,
        })
    }
}

/// What Huffman codes stand for.
struct Codes {
    class: Class,
    /// By the next [`SHORT_BITS`] bits. No step is no code, or a longer one.
    short: [Step; 1 << SHORT_BITS],
    /// Longer ones by length: the next sixteen bits of the first and behind the last, and where their symbols begin.
    long: Vec<(u8, usize, usize, usize)>,
    symbols: Vec<u8>,
}

impl Codes {
    /// Codes are given out from zero upwards, the shortest first (ITU-T T.81, annex C).
    fn new(class: Class, counts: &[u8], symbols: &[u8]) -> Self {
        let mut codes = Codes {
            class,
            short: [Step::default(); 1 << SHORT_BITS],
            long: Vec::new(),
            symbols: symbols.to_vec(),
        };
        let (mut given, mut next) = (0, 0usize);
        for (&count, length) in counts.iter().zip(1u8..=16) {
            let span = 1usize << (16 - length);
            // More than there is room for are none.
            let count = usize::from(count)
                .min(((1 << 16) - next) / span)
                .min(symbols.len() - given);
            let end = next + count * span;
            if length > SHORT_BITS {
                if count > 0 {
                    codes.long.push((length, next, end, given));
                }
            } else {
                let cells = span >> (16 - SHORT_BITS);
                let first = next >> (16 - SHORT_BITS);
                for (at, &symbol) in symbols[given..given + count].iter().enumerate() {
                    let step = class.step(length, symbol).unwrap_or_default();
                    codes.short[first + at * cells..first + (at + 1) * cells].fill(step);
                }
            }
            (given, next) = (given + count, end);
        }
        codes
    }

    /// The step that sixteen bits begin with.
    fn find(&self, bits: usize) -> Option<Step> {
        let step = self.short[bits >> (16 - SHORT_BITS) & ((1 << SHORT_BITS) - 1)];
        if step.bits > 0 {
            return Some(step);
        }
        self.long.iter().find_map(|&(length, first, end, given)| {
            let at = bits.checked_sub(first)? >> (16 - length);
            let symbol = self.symbols.get(given + at).filter(|_| bits < end)?;
            self.class.step(length, *symbol)
        })
    }
}

/// Tables of codes, and what the frame and the restart interval say.
#[derive(Default)]
pub(super) struct Picture {
    dc: [Option<Codes>; TABLES],
    ac: [Option<Codes>; TABLES],
    size: (u32, u32),
    /// Identifier, blocks across and down in a unit.
    components: Vec<(u8, u32, u32)>,
    baseline: bool,
    restart: u32,
}

/// What is wrong with a scan's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It ends before the last block does, or a restart comes too early.
    Short,
    /// It goes on behind the last block.
    Long,
    /// Bits that are no code, or a block of more than 64 values.
    NoCode,
}

impl Wrong {
    pub(super) fn text(self) -> &'static str {
        match self {
            Wrong::Short => "compressed pixels end too early",
            Wrong::Long => "more compressed pixels than the picture has",
            Wrong::NoCode => "compressed pixels that are no code",
        }
    }
}

impl Picture {
    /// DHT: one table.
    pub(super) fn define(&mut self, id: u8, counts: &[u8], values: &[u8]) {
        let (tables, class) = if id >> 4 == 0 {
            (&mut self.dc, Class::Dc)
        } else {
            (&mut self.ac, Class::Ac)
        };
        if let Some(table) = tables.get_mut(usize::from(id & 15)) {
            *table = Some(Codes::new(class, counts, values));
        }
    }

    /// SOFn.
    pub(super) fn frame(&mut self, process: u8, body: &[u8]) {
        let &[8, high, low, wide, narrow, _, ref components @ ..] = body else {
            return;
        };
        self.baseline = process <= 1;
        self.size = (
            u32::from(wide) << 8 | u32::from(narrow),
            u32::from(high) << 8 | u32::from(low),
        );
        self.components = components
            .chunks_exact(3)
            .map(|component| {
                let (across, down) = (component[1] >> 4, component[1] & 15);
                (component[0], u32::from(across), u32::from(down))
            })
            .collect();
    }

    /// DRI.
    pub(super) fn restart(&mut self, body: &[u8]) {
        if let &[high, low, ..] = body {
            self.restart = u32::from(high) << 8 | u32::from(low);
        }
    }

    /// Holds the data of a scan against the picture. Nothing is said of what this can't follow.
    pub(super) fn check(&self, header: &[u8], data: &[u8]) -> Option<Wrong> {
        let (&count, rest) = header.split_first()?;
        let parts = rest.get(..2 * usize::from(count))?;
        let mut largest = (0, 0);
        for &(_, across, down) in &self.components {
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return None;
            }
            largest = (across.max(largest.0), down.max(largest.1));
        }
        let (width, height) = self.size;
        // A height of 0 comes later, in a segment that scanners don't write.
        if !self.baseline || largest.0 == 0 || width == 0 || height == 0 {
            return None;
        }
        let mut blocks = Vec::new();
        let mut units = u64::from(width.div_ceil(8 * largest.0)) * u64::from(height.div_ceil(8 * largest.1));
        for part in parts.chunks_exact(2) {
            let &(_, across, down) = self.components.iter().find(|known| known.0 == part[0])?;
            let dc = self.dc.get(usize::from(part[1] >> 4))?.as_ref()?;
            let ac = self.ac.get(usize::from(part[1] & 15))?.as_ref()?;
            let in_unit = if count == 1 {
                let side = |pixels: u32, part: u32, whole: u32| (pixels * part).div_ceil(whole).div_ceil(8);
                units = u64::from(side(width, across, largest.0)) * u64::from(side(height, down, largest.1));
                1
            } else {
                across * down
            };
            blocks.extend((0..in_unit).map(|_| (dc, ac)));
        }
        if blocks.is_empty() {
            return None;
        }
        let mut bits = Bits::new(data);
        let mut until_restart = self.restart;
        while units > 0 {
            for (dc, ac) in &blocks {
                if let Err(wrong) = bits.block(dc, ac) {
                    return Some(wrong);
                }
            }
            units -= 1;
            if self.restart > 0 && units > 0 {
                until_restart -= 1;
                if until_restart == 0 {
                    until_restart = self.restart;
                    if let Err(wrong) = bits.restart() {
                        return Some(wrong);
                    }
                }
            }
        }
        (bits.left() > MOST_LEFT).then_some(Wrong::Long)
    }
}

/// Bits of stuffed bytes.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// Bits made up behind the end of the data or before a restart.
    made_up: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Bits {
            data,
            at: 0,
            held: 0,
            count: 0,
            made_up: 0,
        }
    }

    /// Enough bits for the next code. Called when there are less than 32.
    fn fill(&mut self) {
        // Four bytes at once, as long as none of them is a marker or is stuffed.
        if let Some(&four) = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<4>)
            && !four.contains(&0xFF)
        {
            self.held = self.held << 32 | u64::from(u32::from_be_bytes(four));
            (self.at, self.count) = (self.at + 4, self.count + 32);
            return;
        }
        while self.count <= 48 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                (Some(&byte), _) if byte != 0xFF => {
                    self.at += 1;
                    byte
                }
                _ => {
                    self.made_up += 8;
                    0
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// The next step. No step is longer than what `fill` leaves.
    fn step(&mut self, codes: &Codes) -> Option<Step> {
        if self.count < 32 {
            self.fill();
        }
        let step = codes.find((self.held >> (self.count - 16) & 0xFFFF) as usize)?;
        self.count -= u32::from(step.bits);
        Some(step)
    }

    fn block(&mut self, dc: &Codes, ac: &Codes) -> Result<(), Wrong> {
        let values = self.values(dc, ac);
        // Made-up bits are behind all others, and none are taken back.
        if self.count < self.made_up {
            return Err(Wrong::Short);
        }
        match values {
            Some(64 | END..) => Ok(()),
            _ => Err(Wrong::NoCode),
        }
    }

    /// Takes the steps of a block, and says how many values they have.
    fn values(&mut self, dc: &Codes, ac: &Codes) -> Option<u8> {
        let mut values = self.step(dc)?.values;
        while values < 64 {
            values += self.step(ac)?.values;
        }
        Some(values)
    }

    /// Goes on behind the restart marker, which must come next.
    fn restart(&mut self) -> Result<(), Wrong> {
        if self.left() > MOST_LEFT {
            return Err(Wrong::Long);
        }
        while let Some(&byte) = self.data.get(self.at) {
            let marker = self.data.get(self.at + 1);
            self.at += 1;
            if byte == 0xFF && matches!(marker, Some(0xD0..=0xD7)) {
                self.at += 1;
                (self.held, self.count, self.made_up) = (0, 0, 0);
                return Ok(());
            }
        }
        Err(Wrong::Short)
    }

    /// Whole bytes up to the next restart or the end that no block has taken.
    fn left(&self) -> usize {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let mut bytes = (self.count.saturating_sub(self.made_up) / 8) as usize;
        for pair in rest.windows(2) {
            if pair[0] == 0xFF && pair[1] != 0 {
                return bytes;
            }
            bytes += 1;
        }
        bytes + usize::from(rest.last().is_some_and(|&byte| byte != 0xFF))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(bits: u8, values: u8) -> Option<Step> {
        Some(Step { bits, values })
    }

    #[test]
    fn codes_of_all_lengths_are_found() {
        // One code of each length: 0, 10, 110, ... and fifteen ones before a zero. Symbols are one value behind some zeros.
        let symbols: Vec<u8> = (0..16).map(|zeros| zeros << 4 | 1).collect();
        let codes = Codes::new(Class::Ac, &[1; 16], &symbols);
        for length in 1..=16u8 {
            let bits = 0xFFFF_usize & !((1 << (16 - length)) - 1) & !(1 << (16 - length));
            assert_eq!(codes.find(bits), step(length + 1, length), "{bits:016b}");
            let filled = bits | ((1 << (16 - length)) - 1);
            assert_eq!(codes.find(filled), step(length + 1, length), "{filled:016b}");
        }
        assert_eq!(codes.find(0xFFFF), None, "all ones is no code");
    }

    #[test]
    fn symbols_are_steps() {
        assert_eq!(Class::Dc.step(3, 11), step(14, 1));
        assert_eq!(Class::Dc.step(3, 16), None, "a difference of 16 bits");
        assert_eq!(Class::Ac.step(11, 0xF0), step(11, 16), "sixteen zeros");
        assert_eq!(Class::Ac.step(4, 0), step(4, END), "the end of a block");
        assert_eq!(Class::Ac.step(16, 0xFF), step(31, 16));
    }

    #[test]
    fn tables_that_promise_more_than_there_is_room_for_hold_what_fits() {
        let codes = Codes::new(Class::Ac, &[255; 16], &[0x17; 255]);
        assert_eq!((codes.find(0), codes.find(0xFFFF)), (step(8, 2), step(8, 2)));
        let counts = [0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let short_of_symbols = Codes::new(Class::Dc, &counts, &[9]);
        assert_eq!(
            (short_of_symbols.find(0), short_of_symbols.find(0x4000)),
            (step(11, 1), None)
        );
        assert_eq!(Codes::new(Class::Dc, &[0; 16], &[]).find(0), None);
    }
}
