//! As much of CBOR (RFC 8949) as authenticators write: definite lengths, no floats, no tags, little nesting (CTAP2 clause 8).

use super::PasskeyError;

/// Levels of arrays and maps; CTAP2 has four.
const MAX_DEPTH: usize = 4;
/// Entries of one array or map.
const MAX_ENTRIES: u64 = 64;

/// Reads items one after another.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

/// The head of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// An integer.
    Integer(i64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text.
    Text(&'a str),
    /// An array of so many items, which follow.
    Array(u64),
    /// A map of so many pairs, which follow.
    Map(u64),
    /// `false`, `true`, `null`.
    Simple(u8),
}

type Result<T> = std::result::Result<T, PasskeyError>;

impl<'a> Reader<'a> {
    /// The next item; of an array or map only its head.
    pub(super) fn item(&mut self) -> Result<Item<'a>> {
        let first = self.take(1)?[0];
        let argument = match first & 31 {
            small @ 0..=23 => u64::from(small),
            24 => u64::from(self.take(1)?[0]),
            25 => u64::from(u16::from_be_bytes(self.array()?)),
            26 => u64::from(u32::from_be_bytes(self.array()?)),
            27 => u64::from_be_bytes(self.array()?),
            _ => return Err(PasskeyError::Malformed),
        };
        let integer = || i64::try_from(argument).map_err(|_| PasskeyError::Malformed);
        let length = || usize::try_from(argument).map_err(|_| PasskeyError::Malformed);
        Ok(match first >> 5 {
            0 => Item::Integer(integer()?),
            1 => Item::Integer(-1 - integer()?),
            2 => Item::Bytes(self.take(length()?)?),
            3 => Item::Text(std::str::from_utf8(self.take(length()?)?).map_err(|_| PasskeyError::Malformed)?),
            4 if argument <= MAX_ENTRIES => Item::Array(argument),
            5 if argument <= MAX_ENTRIES => Item::Map(argument),
            7 if matches!(first & 31, 20..=22) => Item::Simple(first & 31),
            _ => return Err(PasskeyError::Malformed),
        })
    }

    /// The pairs of a map.
    pub(super) fn map(&mut self) -> Result<u64> {
        match self.item()? {
            Item::Map(pairs) => Ok(pairs),
            _ => Err(PasskeyError::Malformed),
        }
    }

    /// Passes over one whole item.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(PasskeyError::Malformed);
        }
        let inner = match self.item()? {
            Item::Array(items) => items,
            Item::Map(pairs) => 2 * pairs,
            _ => 0,
        };
        for _ in 0..inner {
            self.skip_at(depth + 1)?;
        }
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(PasskeyError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| PasskeyError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949 appendix A.
    #[test]
    fn items_are_those_of_rfc_8949() {
        let item = |hex: &str| {
            Reader(&crate::domain::hex::decode(hex).unwrap())
                .item()
                .map(|item| format!("{item:?}"))
        };
        for (hex, wanted) in [
            ("00", "Integer(0)"),
            ("1818", "Integer(24)"),
            ("1903e8", "Integer(1000)"),
            ("1a000f4240", "Integer(1000000)"),
            ("1b000000e8d4a51000", "Integer(1000000000000)"),
            ("20", "Integer(-1)"),
            ("3903e7", "Integer(-1000)"),
            ("4401020304", "Bytes([1, 2, 3, 4])"),
            ("6449455446", "Text(\"IETF\")"),
            ("83010203", "Array(3)"),
            ("a201020304", "Map(2)"),
            ("f5", "Simple(21)"),
        ] {
            assert_eq!(item(hex).as_deref(), Ok(wanted), "{hex}");
        }
        for wrong in [
            "",
            "18",
            "1bffffffffffffffff",
            "f90000",
            "c074",
            "5f",
            "9f",
            "bf",
            "44010203",
            "62ff",
            "f8ff",
            "9841",
            "5bffffffffffffffff",
        ] {
            assert_eq!(item(wrong), Err(PasskeyError::Malformed), "{wrong}");
        }
    }

    #[test]
    fn skipping_is_bounded() {
        let skip = |bytes: &[u8]| {
            let mut reader = Reader(bytes);
            reader.skip().map(|()| reader.0.len())
        };
        assert_eq!(skip(&[0x82, 0x81, 1, 0xA1, 1, 2, 7]), Ok(1));
        assert_eq!(skip(&[0x81, 0x81, 0x81, 0x81, 1]), Ok(0));
        assert_eq!(skip(&[0x81; 100]), Err(PasskeyError::Malformed));
    }
}
