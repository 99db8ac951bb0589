//! Bounded reading for the walks: every read is inside the file and counts against a budget.

use std::io::SeekFrom;

use super::{ReadSeek, Structure};
use crate::domain::reason::Reason;

/// Most bytes one walk may read. Pictures are scanned whole; video isn't.
const MAX_READ_BYTES: u64 = 256 << 20;
/// Most reads one walk may make: an hour of Matroska has some thousands of clusters.
const MAX_READS: u32 = 1 << 20;

/// A file of known size, read in pieces.
pub(super) struct Window<'a> {
    content: &'a mut dyn ReadSeek,
    size: u64,
    bytes_left: u64,
    reads_left: u32,
}

/// Why a walk ended before it could say "whole".
#[derive(Debug)]
pub(super) enum Stop {
    Incomplete(Reason),
    Damaged(Reason),
    Unknown(Reason),
}

impl<'a> Window<'a> {
    pub(super) fn new(content: &'a mut dyn ReadSeek, size: u64) -> Self {
        Self {
            content,
            size,
            bytes_left: MAX_READ_BYTES,
            reads_left: MAX_READS,
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Exactly these bytes; beyond the end of the file is `truncated`.
    pub(super) fn bytes(&mut self, at: u64, length: usize) -> Result<Vec<u8>, Stop> {
        self.require(at.checked_add(length as u64), "part", "部分内容")?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(length as u64)
            .ok_or_else(Stop::too_complex)?;
        self.reads_left = self.reads_left.checked_sub(1).ok_or_else(Stop::too_complex)?;
        let mut bytes = vec![0; length];
        self.content
            .seek(SeekFrom::Start(at))
            .map_err(|_| Stop::unreadable())?;
        self.content
            .read_exact(&mut bytes)
            .map_err(|_| Stop::unreadable())?;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes(at, N)?);
        Ok(array)
    }

    /// A table whose length the file itself declares: refused as too complex above 8 MiB.
    pub(super) fn table(&mut self, at: u64, length: u64) -> Result<Vec<u8>, Stop> {
        match usize::try_from(length) {
            Ok(length) if length <= 8 << 20 => self.bytes(at, length),
            _ => Err(Stop::too_complex()),
        }
    }

    /// That something declared to end at `end` (`None`: beyond any file) does so inside the file.
    pub(super) fn require(&self, end: Option<u64>, part_en: &str, part_zh: &str) -> Result<u64, Stop> {
        end.filter(|&end| end <= self.size)
            .ok_or_else(|| Stop::truncated(part_en, part_zh))
    }

    /// Whether everything from `at` on is zero: padding that some cameras and writers add. Looks at 64 KiB at most.
    pub(super) fn only_zeros_from(&mut self, at: u64) -> Result<bool, Stop> {
        let rest = self.size.saturating_sub(at);
        Ok(rest <= 64 << 10 && self.bytes(at, rest as usize)?.iter().all(|&byte| byte == 0))
    }

    /// Ends a walk at `at`: nothing or only zeros may follow.
    pub(super) fn finish_at(&mut self, at: u64) -> Result<(), Stop> {
        if at >= self.size || self.only_zeros_from(at)? {
            return Ok(());
        }
        Err(Stop::unknown(
            "trailing_data",
            format!("{} bytes follow the end of the file's structure", self.size - at),
            format!("文件结构结束后还有 {} 字节", self.size - at),
        ))
    }
}

impl Stop {
    pub(super) fn into_structure(self) -> Structure {
        match self {
            Self::Incomplete(reason) => Structure::Incomplete { reason },
            Self::Damaged(reason) => Structure::Damaged { reason },
            Self::Unknown(reason) => Structure::Unknown { reason },
        }
    }

    pub(super) fn truncated(part_en: &str, part_zh: &str) -> Self {
        Self::Incomplete(Reason::new(
            "truncated",
            format!("the file ends too early: {part_en} is missing or cut off; resume the upload"),
            format!("文件未传完：{part_zh}缺失或被截断；请续传"),
        ))
    }

    /// The recording itself was never finished, or what finishes it hasn't arrived.
    pub(super) fn not_finished(part_en: &str, part_zh: &str) -> Self {
        Self::Incomplete(Reason::new(
            "not_finished",
            format!("{part_en} is missing: the upload or the recording was not finished"),
            format!("缺少{part_zh}：上传或录制未完成"),
        ))
    }

    pub(super) fn damaged(part_en: &str, part_zh: &str) -> Self {
        Self::Damaged(Reason::new(
            "damaged_structure",
            format!("the file is damaged: {part_en}"),
            format!("文件已损坏：{part_zh}"),
        ))
    }

    pub(super) fn unknown(code: &'static str, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self::Unknown(Reason::new(code, en, zh))
    }

    /// The format has nothing that marks its end.
    pub(super) fn cannot_tell() -> Self {
        Self::unknown(
            "cannot_tell",
            "this kind of file has no mark at its end; declare a checksum",
            "此类文件没有结束标记，无法判断是否完整；请提供校验值",
        )
    }

    pub(super) fn too_complex() -> Self {
        Self::unknown(
            "too_complex",
            "the file's structure is too large to follow",
            "文件结构过大，无法核查",
        )
    }

    pub(super) fn unreadable() -> Self {
        Self::unknown(
            "unreadable",
            "the stored content could not be read",
            "无法读取已存储的内容",
        )
    }
}

/// Up to eight bytes, most significant first.
pub(super) fn be(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// Up to eight bytes, least significant first.
pub(super) fn le(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}
