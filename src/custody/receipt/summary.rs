//! One day's receipts as a table: `_summary.csv`.

use super::Receipt;
use crate::{custody::sheet, domain::time::Zone};

const COLUMNS: [&str; 15] = [
    "时间 Time",
    "回执编号 Receipt",
    "结果 Outcome",
    "文件 File",
    "大小 Size bytes",
    "SHA-256",
    "客户 Customer",
    "流水号 Flow",
    "资料类型 Type",
    "序号 Sequence",
    "版本 Version",
    "核对 Grade",
    "上传人 Uploader",
    "原因代码 Reason code",
    "原因 Reason",
];

/// The table of these rows, as [`summary_line`] makes them.
pub fn summary_csv<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = sheet::table(&COLUMNS, std::iter::empty::<[String; 0]>());
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
    }
    bytes
}

/// The row of one receipt, with its line end.
pub fn summary_line(receipt: &Receipt, zone: Zone) -> String {
    let leaf = &receipt.leaf;
    let fact = |name: &str| leaf.text(name).unwrap_or_default().to_owned();
    let opened = |name: &str| receipt.opened(name).unwrap_or_default().to_owned();
    let (codes, reason) = match receipt.brief() {
        Some(brief) => (brief.codes, brief.zh),
        None => (
            fact("reason"),
            receipt.private("reason_zh").unwrap_or_default().to_owned(),
        ),
    };
    sheet::line([
        zone.date_time(leaf.time_ms),
        receipt.number.to_string(),
        receipt.outcome.clone(),
        opened("path"),
        receipt.size_bytes().to_string(),
        fact("sha256"),
        opened("customer"),
        opened("flow"),
        fact("doctype"),
        opened("seq"),
        leaf.integer("version")
            .map(|version| version.to_string())
            .unwrap_or_default(),
        fact("grade"),
        receipt.uploader.clone(),
        codes,
        reason,
    ])
}
