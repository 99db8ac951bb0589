//! What an inspection came to, as a receipt tells it: the verdict, what was looked at, each finding with its remedy.
//!
//! It reads the event's private half as JSON, which is older or newer than this program as it may be. Invariant: a part that
//! can't be read is left out or stands as its code, never guessed; the verdict is the leaf's.

use super::{Receipt, page::Page};
use crate::domain::finding::{Finding, Severity};
use serde_json::Value;

/// The sentences of a finding that a table has room for.
pub(super) struct Brief {
    /// Codes, separated by a space.
    pub(super) codes: String,
    /// Chinese sentences of what isn't only a remark.
    pub(super) zh: String,
}

impl Receipt {
    /// Whether the event says what an inspection came to.
    pub(super) fn is_inspected(&self) -> bool {
        self.leaf.text("verdict").is_some()
    }

    /// What a table says of an inspection that found something to do.
    pub(super) fn brief(&self) -> Option<Brief> {
        let verdict = self.leaf.text("verdict")?;
        let graver: Vec<Finding> = self
            .findings()?
            .into_iter()
            .filter(|finding| finding.severity > Severity::Note)
            .collect();
        (verdict != "accepted").then(|| Brief {
            codes: graver
                .iter()
                .map(|finding| finding.code.as_str())
                .collect::<Vec<_>>()
                .join(" "),
            zh: graver.iter().map(|finding| finding.zh.as_str()).collect(),
        })
    }

    fn findings(&self) -> Option<Vec<Finding>> {
        let findings = self.private.get("inspection")?.get("findings")?;
        serde_json::from_value(findings.clone()).ok()
    }
}

/// The inspection's part of the page; nothing where there was none.
pub(super) fn write(page: &mut Page, receipt: &Receipt) {
    let leaf = &receipt.leaf;
    let Some(verdict) = leaf.text("verdict") else {
        return;
    };
    let shown = match verdict {
        "accepted" => "合格 accepted",
        "needs_review" => "需人工复核 needs_review",
        "rejected" => "不合格 rejected",
        other => other,
    };
    page.field("检查结论 Verdict", shown);
    let report = receipt
        .private
        .get("inspection")
        .and_then(|whole| whole.get("report"))
        .filter(|report| report.is_object());
    if let Some(report) = report {
        page.field("检查内容 Looked at", &looked_at(report));
    }
    if let Some(version) = leaf.integer("types_version") {
        page.field(
            "资料类型表 Rules",
            &format!("第 {version} 版 document types version {version}"),
        );
    }
    match receipt.findings() {
        Some(findings) => {
            for (at, finding) in findings.iter().enumerate() {
                write_finding(page, at + 1, finding);
            }
            if findings.is_empty() {
                page.paragraph("未发现问题。");
                page.paragraph("Nothing is held against it.");
            }
        }
        None => page.field("发现 Findings", &codes(leaf.data.get("findings"))),
    }
    if receipt.findings().is_some_and(|findings| !findings.is_empty()) {
        page.line("");
    }
    match verdict {
        "needs_review" => {
            page.paragraph("内容已封存，不会丢失；须由复核人员查看后决定。如可按上述方法改正，请尽快重新上传（将成为新版本）。");
            page.paragraph(
                "It is sealed and can't be lost; a reviewer must look at it and decides. If you can mend it as said above, upload \
                 it again soon: that becomes a new version.",
            );
        }
        "accepted" if leaf.text("deep") == Some("due") => {
            page.paragraph("后台将对全部内容解码检查；如发现问题，将另发回执。");
            page.paragraph(
                "All of it is decoded in the background; if that finds something, another receipt says so.",
            );
        }
        _ => {}
    }
}

fn write_finding(page: &mut Page, number: usize, finding: &Finding) {
    let severity = match finding.severity {
        Severity::Reject => "拒收 reject",
        Severity::Review => "复核 review",
        Severity::Note => "提示 note",
    };
    page.line("");
    page.field(
        &format!("发现 Finding {number}"),
        &format!("{} ({severity})", finding.code),
    );
    for (label, value) in [
        ("  位置 Where", &finding.place),
        ("  实际 Found", &finding.found),
        ("  要求 Expected", &finding.expected),
    ] {
        if !value.is_empty() {
            page.field(label, value);
        }
    }
    page.paragraph(&finding.zh);
    page.paragraph(&finding.en);
}

fn codes(findings: Option<&Value>) -> String {
    let codes: Vec<&str> = findings
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    codes.join(" ")
}

/// What was looked at in one line: `mp4, 12:30, 1280x720 h264 25 fps, aac 48 kHz 2 ch`.
pub fn looked_at(report: &Value) -> String {
    let mut parts = vec![text(report, "container")];
    if let Some(media) = report.get("media").filter(|media| media.is_object()) {
        parts.push(length(number(media, "measured_ms")));
        parts.extend(list(media, "video").map(video));
        parts.extend(list(media, "audio").map(audio));
    }
    if let Some(scan) = report.get("scan").filter(|scan| scan.is_object()) {
        parts.push(format!("{} 页 pages", number(scan, "page_count")));
        parts.extend(resolution(scan));
    }
    if let Some(bundle) = report.get("bundle").filter(|bundle| bundle.is_object()) {
        parts.push(format!("{} 个文件 files", number(bundle, "member_count")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

fn video(stream: &Value) -> String {
    let tenths = number(stream, "frame_rate_milli") / 100;
    let fraction = match tenths % 10 {
        0 => String::new(),
        rest => format!(".{rest}"),
    };
    format!(
        "{}x{} {} {}{fraction} fps",
        number(stream, "width"),
        number(stream, "height"),
        text(stream, "codec"),
        tenths / 10
    )
}

fn audio(stream: &Value) -> String {
    let hz = number(stream, "sample_rate_hz");
    let rate = match (hz / 1_000, hz % 1_000 / 100) {
        (khz, 0) => format!("{khz} kHz"),
        (khz, tenths) => format!("{khz}.{tenths} kHz"),
    };
    format!(
        "{} {rate} {} ch",
        text(stream, "codec"),
        number(stream, "channels")
    )
}

/// Dots per inch over all pages that say so, else the pixels of the first.
fn resolution(scan: &Value) -> Option<String> {
    let dpi = || list(scan, "pages").filter_map(|page| page.get("dpi")?.as_u64());
    if let (Some(least), Some(most)) = (dpi().min(), dpi().max()) {
        return Some(if least == most {
            format!("{least} dpi")
        } else {
            format!("{least}-{most} dpi")
        });
    }
    let first = list(scan, "pages").next()?;
    let (width, height) = (number(first, "width_px"), number(first, "height_px"));
    (width > 0).then(|| format!("{width}x{height} px"))
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn length(length_ms: u64) -> String {
    let seconds = length_ms / 1_000;
    match seconds / 3_600 {
        0 => format!("{:02}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}
