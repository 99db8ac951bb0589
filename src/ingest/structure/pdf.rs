//! PDF (ISO 32000): header, last `startxref` and what it points at, `%%EOF` at the end; a linearised file's own length.

use super::window::{Stop, Window};

const TAIL_BYTES: u64 = 2_048;

pub(super) fn walk(w: &mut Window) -> Result<(), Stop> {
    let head = w.bytes(0, w.size().min(1_024) as usize)?;
    // Annex F.3.3: /L is the length of the whole linearised file; later updates only make it longer.
    if let Some(length) = find(&head, b"/Linearized").and(number_after(&head, b"/L ")) {
        w.require(Some(length), "part of the pages", "部分页面")?;
    }
    let tail_start = w.size().saturating_sub(TAIL_BYTES);
    let tail = w.bytes(tail_start, (w.size() - tail_start) as usize)?;
    let cut = || Stop::truncated("the end of the document (%%EOF)", "文档结尾（%%EOF）");
    let end = rfind(&tail, b"%%EOF").ok_or_else(cut)?;
    if !tail[end + 5..]
        .iter()
        .all(|byte| byte.is_ascii_whitespace() || *byte == 0)
    {
        return Err(cut());
    }
    let pointer = rfind(&tail[..end], b"startxref").ok_or_else(cut)?;
    let target = number_after(&tail[pointer..end], b"startxref").unwrap_or(u64::MAX);
    // A linearised file closes its first part with 0: what follows that part hasn't arrived.
    if target == 0 {
        return Err(cut());
    }
    if target >= w.size() {
        return Err(Stop::damaged(
            "its cross-reference lies outside",
            "交叉引用表位于文件之外",
        ));
    }
    let there = w.bytes(target, (w.size() - target).min(32) as usize)?;
    let there = there.trim_ascii_start();
    if there.starts_with(b"xref") || there.first().is_some_and(u8::is_ascii_digit) {
        return Ok(());
    }
    // Writers that count from another place are common and readers forgive them.
    Err(Stop::unknown(
        "cannot_tell",
        "the document ends properly but its cross-reference is not where it should be",
        "文档结尾正常，但交叉引用表不在声明的位置",
    ))
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

fn rfind(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).rposition(|window| window == word)
}

fn number_after(text: &[u8], word: &[u8]) -> Option<u64> {
    let rest = text[find(text, word)? + word.len()..].trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}
