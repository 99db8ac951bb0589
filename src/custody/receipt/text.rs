//! The text form: Chinese and English side by side, 72 columns.

use super::{Receipt, inspection, page::Page};
use crate::domain::{category::Category, event::Kind, time::Zone};

/// Renders the whole page.
pub(super) fn render(receipt: &Receipt, zone: Zone) -> Vec<u8> {
    let mut page = Page::new();
    page.line("MUNIMENT  回执 RECEIPT");
    page.rule('=');
    upload(&mut page, receipt, zone);
    page.rule('-');
    match receipt.leaf.kind {
        Kind::EvidenceSealed => sealed(&mut page, receipt),
        Kind::AccessionDuplicate => duplicate(&mut page, receipt),
        Kind::AccessionReceived => waiting(&mut page, receipt, zone),
        Kind::DeclarationReceived => declaration(&mut page, receipt),
        Kind::EvidenceDeclared => declared(&mut page, receipt),
        Kind::EvidenceInspected => inspected(&mut page, receipt),
        _ => rejected(&mut page, receipt),
    }
    page.rule('-');
    place_in_the_log(&mut page, receipt);
    page.finish()
}

/// What was sent, by whom and when.
fn upload(page: &mut Page, receipt: &Receipt, zone: Zone) {
    let leaf = &receipt.leaf;
    let outcome = match receipt.outcome.as_str() {
        "ACCEPTED" => "已接收 ACCEPTED",
        "NEEDS_REVIEW" => "待复核 NEEDS_REVIEW",
        "REJECTED" => "已拒收 REJECTED",
        "DUPLICATE" => "重复 DUPLICATE",
        "WAITING" => "待补全 WAITING",
        other => other,
    };
    page.field("结果 Outcome", outcome);
    page.field("回执编号 Receipt no.", &receipt.number.to_string());
    page.field("机构 Branch", leaf.text("branch").unwrap_or_default());
    page.field("上传人 Uploader", &receipt.uploader);
    page.field("公钥指纹 Key", leaf.text("key").unwrap_or_default());
    page.field("文件 File", receipt.opened("path").unwrap_or_default());
    if let Some(started_ms) = leaf.integer("started_ms") {
        page.field("开始 Started", &zone.date_time(started_ms));
    }
    page.field("结束 Ended", &zone.date_time(leaf.time_ms));
    page.field("大小 Size", &size(receipt.size_bytes(), "字节 bytes"));
    let so_far = receipt.outcome == "WAITING";
    page.field(
        if so_far {
            "SHA-256 (至今收到 so far)"
        } else {
            "SHA-256"
        },
        leaf.text("sha256").unwrap_or_default(),
    );
    if let Some(root) = leaf.text("chunk_root") {
        page.field("分块根 Chunk root (RFC 6962, 1 MiB)", root);
    }
}

fn sealed(page: &mut Page, receipt: &Receipt) {
    let leaf = &receipt.leaf;
    evidence(page, receipt);
    if let (Some(previous), Some(version)) = (leaf.integer("previous"), leaf.integer("version")) {
        let before = version - 1;
        page.field(
            "前一版本 Previous",
            &format!("第 {before} 版 version {before}, 回执 receipt {previous}"),
        );
    }
    let category = leaf.text("category").unwrap_or_default();
    let category_zh = Category::from_code(category).map_or("", Category::name_zh);
    page.field("客户 Customer", receipt.opened("customer").unwrap_or_default());
    page.field("流水号 Flow", receipt.opened("flow").unwrap_or_default());
    let doctype = leaf.text("doctype").unwrap_or_default();
    page.field("资料类型 Type", &format!("{doctype} ({category_zh} {category})"));
    page.field("序号 Sequence", receipt.opened("seq").unwrap_or_default());
    if let Some(date) = leaf.integer("date") {
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        page.field("业务日期 Date", &format!("{year:04}-{month:02}-{day:02}"));
    }
    grade(page, leaf.text("grade").unwrap_or_default());
    inspection::write(page, receipt);
}

/// The background inspection of what was sealed before.
fn inspected(page: &mut Page, receipt: &Receipt) {
    let first = number(receipt, "of");
    evidence(page, receipt);
    page.field("封存回执 Sealed as", &first);
    page.paragraph(&format!(
        "对回执 {first} 所封存内容的后台完整检查；原件保持不变。"
    ));
    page.paragraph(&format!(
        "The background inspection of what receipt {first} sealed; the original stays as it is."
    ));
    inspection::write(page, receipt);
}

fn evidence(page: &mut Page, receipt: &Receipt) {
    page.field(
        "证据编号 Evidence id",
        receipt.leaf.text("evidence").unwrap_or_default(),
    );
    page.field("版本 Version", &number(receipt, "version"));
}

/// What was compared, and with what: a digest that only the server computed says nothing about the way here.
fn grade(page: &mut Page, grade: &str) {
    if grade == "declared" {
        page.field("核对 Grade", "已按申报核对 declared");
        page.paragraph("传输已按机构的申报核对。");
        page.paragraph("Transfer verified against the branch's declaration.");
    } else {
        page.field("核对 Grade", "仅服务器计算 server_only");
        page.paragraph("未申报：摘要由服务器在收到后计算，传输本身未经核对。");
        page.paragraph("Not declared: the transfer itself is not verified; the digest is the server's own, of what it received.");
    }
}

fn duplicate(page: &mut Page, receipt: &Receipt) {
    let first = number(receipt, "of");
    evidence(page, receipt);
    page.field("首次回执 First", &first);
    page.paragraph(&format!(
        "相同内容已封存，见回执 {first}；本次未新增版本，无需再次上传。"
    ));
    page.paragraph(&format!(
        "The same bytes are sealed already under receipt {first}; no version was added and nothing is left to do."
    ));
}

fn waiting(page: &mut Page, receipt: &Receipt, zone: Zone) {
    reason(page, receipt);
    if let Some(expires_ms) = receipt.leaf.integer("expires_ms") {
        page.field("补全期限 Complete by", &zone.date_time(expires_ms));
    }
    let path = receipt.opened("path").unwrap_or_default();
    page.paragraph("已收到的内容已保存，期限内可续传；逾期将拒收，已收到的内容仍单独留存。");
    page.paragraph(
        "What came so far is kept and can be resumed until then; after that it is rejected and kept aside, not lost.",
    );
    page.line("续传方法 How to resume, to the same path:");
    page.indented("WinSCP  再次上传，选择「续传」 upload again, choose Resume");
    page.indented(&format!("sftp    reput \"<file>\" \"/inbox/{path}\""));
    page.indented(&format!("lftp    put -c \"<file>\" -o \"/inbox/{path}\""));
    page.paragraph("若原因是名称或缺少申报：请改名，或上传 manifest.csv / .sha256 申报。");
    page.paragraph(
        "If the reason is the name or a missing declaration: rename it, or upload manifest.csv or .sha256.",
    );
}

fn rejected(page: &mut Page, receipt: &Receipt) {
    if receipt.is_inspected() {
        // The findings say the same, each with its place.
        page.field("原因 Reason", receipt.leaf.text("reason").unwrap_or_default());
        inspection::write(page, receipt);
    } else {
        reason(page, receipt);
    }
    let bytes = receipt.size_bytes();
    page.field("留存编号 Kept as", &receipt.leaf.id);
    page.paragraph(&format!(
        "收到的 {} 已全部加密单独留存，没有丢失。",
        size(bytes, "字节")
    ));
    page.paragraph(&format!(
        "All {} received are kept aside, encrypted; nothing is lost.",
        size(bytes, "bytes")
    ));
}

fn declaration(page: &mut Page, receipt: &Receipt) {
    let (form, rows) = (
        receipt.leaf.text("form").unwrap_or_default(),
        number(receipt, "rows"),
    );
    page.field("申报文件 Declaration", form);
    page.field("申报行数 Files named", &rows);
    page.paragraph("申报已留存；每个文件的核对结果见其自身回执。");
    page.paragraph("The declaration is kept; what it says of each file shows in that file's own receipt.");
}

/// A declaration that came after sealing.
fn declared(page: &mut Page, receipt: &Receipt) {
    let (first, agrees) = (
        number(receipt, "of"),
        receipt.leaf.text("result") == Some("match"),
    );
    evidence(page, receipt);
    page.field("封存回执 Sealed as", &first);
    if agrees {
        grade(page, "declared");
        return;
    }
    page.field(
        "申报值 Declared SHA-256",
        receipt.leaf.text("declared_sha256").unwrap_or_default(),
    );
    reason(page, receipt);
    page.field("核对 Grade", "仅服务器计算 server_only");
    page.paragraph("申报与封存内容不一致，传输未通过核对。");
    page.paragraph("The declaration disagrees with what is sealed: the transfer is not verified.");
    page.paragraph(&format!("回执 {first} 所封存的内容保持不变，没有丢失。"));
    page.paragraph(&format!(
        "What receipt {first} sealed stays as it is; nothing is lost."
    ));
}

/// Why, and how to mend it, in both languages.
fn reason(page: &mut Page, receipt: &Receipt) {
    page.field("原因 Reason", receipt.leaf.text("reason").unwrap_or_default());
    for name in ["reason_zh", "reason_en"] {
        if let Some(words) = receipt.private(name) {
            page.paragraph(words);
        }
    }
}

fn place_in_the_log(page: &mut Page, receipt: &Receipt) {
    page.field("日志位置 Log index", &receipt.number.to_string());
    page.field("日志大小 Tree size", &receipt.commit_size.to_string());
    page.field("日志名称 Log origin", &receipt.origin);
    let files = format!("{}.{}", receipt.name, receipt.outcome);
    page.paragraph("本文件便于阅读；证明以同名 .json 与 .tlog-proof 为准，可离线核验：");
    page.paragraph("This text is for reading; the proof is in the .json and .tlog-proof beside it, to be checked offline:");
    page.indented(&format!("muniment-verify receipt \"{files}.json\" --key log.pub"));
}

fn number(receipt: &Receipt, fact: &str) -> String {
    receipt
        .leaf
        .integer(fact)
        .map(|value| value.to_string())
        .unwrap_or_default()
}

/// `209,715,200 bytes (200.0 MiB)`, with the word for bytes given.
fn size(bytes: i64, word: &str) -> String {
    let bytes = bytes.unsigned_abs();
    let digits = bytes.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let units = [
        (1u64 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{grouped} {word} ({}.{} {name})", tenths / 10, tenths % 10)
        }
        None => format!("{grouped} {word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_in_bytes_and_units() {
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1_023, "1,023 bytes"),
            (1_024, "1,024 bytes (1.0 KiB)"),
            (209_715_200, "209,715,200 bytes (200.0 MiB)"),
            (i64::MAX, "9,223,372,036,854,775,807 bytes (8388607.9 TiB)"),
        ] {
            assert_eq!(size(bytes, "bytes"), shown);
        }
    }
}
