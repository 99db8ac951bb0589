//! The entropy-coded data of a baseline JPEG, code by code and without its pixels: does it hold as many blocks as the
//! picture has, no more and no fewer? Where blocks were lost, what follows is out of step, and this comes out.

/// Bytes behind the last block that aren't held against a picture.
const MOST_LEFT: usize = 8;
const TABLES: usize = 4;

/// What a Huffman code stands for, by the next sixteen bits: its length, then the symbol. Length 0 is no code.
type Codes = Vec<(u8, u8)>;

/// Tables of codes, and what the frame and the restart interval say.
#[derive(Default)]
pub(super) struct Picture {
    dc: [Codes; TABLES],
    ac: [Codes; TABLES],
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
        let tables = if id >> 4 == 0 { &mut self.dc } else { &mut self.ac };
        let Some(table) = tables.get_mut(usize::from(id & 15)) else {
            return;
        };
        table.clear();
        table.resize(1 << 16, (0, 0));
        let (mut values, mut next) = (values.iter(), 0usize);
        for (&count, length) in counts.iter().zip(1u8..=16) {
            let span = 1usize << (16 - length);
            for _ in 0..count {
                let Some((&value, codes)) = values.next().zip(table.get_mut(next..next + span)) else {
                    return;
                };
                codes.fill((length, value));
                next += span;
            }
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
            let dc = self.dc.get(usize::from(part[1] >> 4))?;
            let ac = self.ac.get(usize::from(part[1] & 15))?;
            if dc.is_empty() || ac.is_empty() {
                return None;
            }
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

    fn fill(&mut self) {
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

    fn take(&mut self, bits: u32) -> Result<(), Wrong> {
        self.count = self.count.saturating_sub(bits);
        if self.count < self.made_up {
            return Err(Wrong::Short);
        }
        Ok(())
    }

    fn symbol(&mut self, codes: &Codes) -> Result<u8, Wrong> {
        if self.count < 32 {
            self.fill();
        }
        let next = (self.held >> (self.count - 16) & 0xFFFF) as usize;
        match codes.get(next) {
            Some(&(length @ 1.., symbol)) => {
                self.take(u32::from(length))?;
                Ok(symbol)
            }
            _ => Err(Wrong::NoCode),
        }
    }

    fn block(&mut self, dc: &Codes, ac: &Codes) -> Result<(), Wrong> {
        let size = self.symbol(dc)?;
        if size > 15 {
            return Err(Wrong::NoCode);
        }
        self.take(u32::from(size))?;
        let mut values = 1u32;
        while values < 64 {
            let symbol = self.symbol(ac)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => values += 16,
                (_, 0) => return Ok(()),
                (zeros, size) => {
                    self.take(u32::from(size))?;
                    values += u32::from(zeros) + 1;
                }
            }
        }
        if values > 64 {
            return Err(Wrong::NoCode);
        }
        Ok(())
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
