//! What stands in one cell of a manifest, and what Excel does to it.

use crate::domain::reason::Reason;
use crate::ingest::text::sha256_from_hex;

/// People keep Excel from eating zeros with `="0001"`, `'0001` or a leading tab: the value is what stands inside.
pub(super) fn unguard(value: &str) -> &str {
    let value = value.trim();
    match value
        .strip_prefix("=\"")
        .and_then(|inner| inner.strip_suffix('"'))
    {
        Some(inner) => inner.trim(),
        None => value.strip_prefix('\'').unwrap_or(value),
    }
}

/// Bytes, digits only or with commas between groups of three.
pub(super) fn size(value: &str) -> Result<u64, Reason> {
    let value = not_scientific(value)?;
    let mut groups = value.split(',');
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let grouped = rest.is_empty() || first.len() <= 3 && rest.iter().all(|group| group.len() == 3);
    let digits = format!("{first}{}", rest.concat());
    let plain = grouped && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).ok_or_else(|| {
        Reason::new(
            "manifest_size",
            format!("{value:?} is not a size in bytes; write digits only, not KB or MB"),
            format!("“{value}”不是以字节为单位的大小；请只填数字，不要写 KB、MB"),
        )
    })
}

pub(super) fn sha256(value: &str) -> Result<[u8; 32], Reason> {
    let hex: String = value.split_whitespace().collect();
    sha256_from_hex(&hex).ok_or_else(|| {
        Reason::new(
            "manifest_sha256",
            "a SHA-256 is 64 hex digits",
            "SHA-256 应为 64 位十六进制字符",
        )
    })
}

/// Excel turns long numbers in a "General" cell into 1.23457E+11 and drops the digits for good.
pub(super) fn not_scientific(value: &str) -> Result<&str, Reason> {
    let damaged = value.split_once(['E', 'e']).is_some_and(|(mantissa, exponent)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        digits(mantissa) && exponent.strip_prefix('+').is_some_and(digits)
    });
    if !damaged {
        return Ok(value);
    }
    Err(Reason::new(
        "manifest_excel_number",
        format!(
            "Excel has turned a long number into {value} and lost its digits; format the column as text, enter it again and save"
        ),
        format!("Excel 已将长数字改成 {value}，数字已丢失；请将该列设为“文本”格式，重新输入后保存"),
    ))
}
