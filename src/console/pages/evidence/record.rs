//! What a version is: its identity, where it came from, its digests, its other versions, what inspections found.

use super::{
    super::terms::{category, day, foreign, grade, size, state, verdict},
    Shown, address,
};
use crate::{
    catalog::inspections::InspectionRow,
    console::{
        page::{Table, Tone, badge, definitions, digest, panel},
        words::Lang,
    },
    custody::receipt::looked_at,
    domain::{
        category::Category,
        finding::{Finding, Severity},
    },
};
use maud::{Markup, html};
use serde_json::Value;

/// What it is and where it came from.
pub(super) fn facts(shown: &Shown<'_>) -> Markup {
    let (lang, row) = (shown.visit.lang, shown.row);
    let known = Category::from_code(&row.category);
    let mut facts = vec![
        (lang.of("客户号", "Customer"), html! { (row.customer) }),
        (lang.of("流水号", "Flow"), html! { (row.flow) }),
        (
            lang.of("资料类别", "Category"),
            html! { (known.map_or(row.category.as_str(), |known| category(lang, known))) },
        ),
        (lang.of("业务日期", "Business date"), html! { (day(row.date)) }),
        (
            lang.of("营业部", "Branch"),
            html! { (row.branch) " " (shown.branch) },
        ),
        (
            lang.of("上传人", "Uploaded by"),
            html! { (shown.person(&row.person)) },
        ),
        (lang.of("文件名", "File name"), foreign(&row.file_name)),
        (
            lang.of("大小", "Size"),
            html! {
                (size(row.size_bytes.unsigned_abs())) span.hint { " (" (row.size_bytes) (lang.of(" 字节)", " bytes)")) }
            },
        ),
        (
            lang.of("开始上传", "Upload began"),
            html! { (shown.time(row.started_ms)) },
        ),
        (
            lang.of("封存时间", "Sealed"),
            html! {
                (shown.time(row.sealed_ms)) " " span.hint { (lang.of("日志第 ", "log position ")) (row.receipt) (lang.of(" 条", "")) }
            },
        ),
        ("SHA-256", digest(lang, &row.sha256)),
    ];
    if let Some(root) = &row.chunk_root {
        facts.push((lang.of("分块校验根", "Root over chunks"), digest(lang, root)));
    }
    facts.push((
        lang.of("校验依据", "Grade"),
        html! { (grade_said(lang, &row.grade)) },
    ));
    facts.push((lang.of("证据编号", "Evidence id"), html! { code { (row.id) } }));
    let declared = shown.file.declared.get(&row.version);
    let declared = declared.into_iter().flatten();
    let declared: Vec<(&str, Markup)> = declared
        .map(|(name, value)| (column(lang, name), foreign(value)))
        .collect();
    panel(
        lang.of("基本信息", "What it is"),
        &html! {
            (definitions(&facts))
            @if !declared.is_empty() {
                h3 { (lang.of("清单中的说明", "What its manifest said")) }
                (definitions(&declared))
            }
        },
    )
}

fn grade_said(lang: Lang, grade: &str) -> &str {
    match grade {
        "declared" => lang.of(
            "上传方提供的清单或校验值与收到的内容一致",
            "What the branch declared (manifest or checksum) agrees with what arrived",
        ),
        "server_only" => lang.of(
            "上传方没有提供校验值，由系统自行计算",
            "The branch declared nothing; the server computed the digest by itself",
        ),
        other => other,
    }
}

/// A manifest's column; one that the branch made up stands as it wrote it.
fn column(lang: Lang, name: &str) -> &str {
    match name {
        "witness1" => lang.of("见证人一", "First witness"),
        "witness2" => lang.of("见证人二", "Second witness"),
        "mode" => lang.of("见证方式", "Mode"),
        "disc_number" => lang.of("光盘编号", "Disc number"),
        "recorded_at" => lang.of("录制时间", "Recorded"),
        other => other,
    }
}

/// All versions, where there are several.
pub(super) fn versions(shown: &Shown<'_>) -> Markup {
    let lang = shown.visit.lang;
    if shown.file.versions.len() < 2 {
        return html! {};
    }
    let mut table = Table::new(lang.of("版本", "Versions"))
        .column(lang.of("版本", "Version"))
        .column(lang.of("封存时间", "Sealed"))
        .column(lang.of("文件名", "File name"))
        .right(lang.of("大小", "Size"))
        .column(lang.of("状态", "State"));
    for row in shown.file.versions.iter().rev() {
        let is_this = row.version == shown.row.version;
        table.row([
            html! {
                span.whole {
                    a href=(address(&row.id, row.version)) aria-current=[is_this.then_some("page")] {
                        (lang.of(format!("第 {} 版", row.version), format!("Version {}", row.version)))
                    }
                    @if is_this { (lang.of("（当前）", " (shown)")) }
                }
            },
            html! { (shown.time(row.sealed_ms)) },
            foreign(&row.file_name),
            html! { span.whole { (size(row.size_bytes.unsigned_abs())) } },
            html! { span.badges { (state(lang, &row.state)) (grade(lang, &row.grade)) } },
        ]);
    }
    let hint = lang.of(
        "新版本不会替换旧版本，每一版都完整保存。",
        "A newer version never replaces an older one; each is kept whole.",
    );
    panel(lang.of("版本", "Versions"), &html! { (table) p.hint { (hint) } })
}

/// What inspections of this version came to, and the copies that were made.
pub(super) fn inspections(shown: &Shown<'_>) -> Markup {
    let lang = shown.visit.lang;
    let none = Vec::new();
    let rows = shown.file.inspections.get(&shown.row.version).unwrap_or(&none);
    let copies = shown.file.derived.get(&shown.row.version);
    let body = html! {
        @if rows.is_empty() {
            p { (lang.of("没有检查记录。", "Nothing was inspected.")) }
        }
        @for row in rows.iter().rev() { (inspection(lang, row)) }
        @for copy in copies.into_iter().flatten() {
            p.hint {
                @match copy.form.as_str() {
                    "contact_sheet" => { (lang.of("已制作画面缩略图", "A contact sheet was made")) }
                    "playback" => { (lang.of("已制作播放副本", "A playback copy was made")) }
                    other => { (other) }
                }
                " · " (copy.media_type) " · " (size(copy.size_bytes.unsigned_abs()))
                " · " (lang.of("日志第 ", "log position ")) (copy.leaf) (lang.of(" 条（不代替原件）", " (never instead of the original)"))
            }
        }
    };
    panel(lang.of("内容检查", "Inspections"), &body)
}

fn inspection(lang: Lang, row: &InspectionRow) -> Markup {
    let tier = match row.tier.as_str() {
        "gate" => lang.of("入库检查", "At the gate"),
        "deep" => lang.of("后台全面检查", "In the background, all of it"),
        other => other,
    };
    let whole: Value = serde_json::from_str(&row.whole).unwrap_or_default();
    let report = whole.get("report").filter(|report| report.is_object());
    // Of a later or earlier program it may be: then the codes stand for the sentences.
    let findings: Option<Vec<Finding>> = whole
        .get("findings")
        .and_then(|findings| serde_json::from_value(findings.clone()).ok());
    html! {
        div.inspection {
            p.badges {
                strong { (tier) } (verdict(lang, &row.verdict))
                span.hint {
                    (lang.of("日志第 ", "log position ")) (row.leaf) (lang.of(" 条 · ", " · "))
                    a href="/doctypes" { (lang.of("资料类型表第 ", "document types, version ")) (row.types_version) (lang.of(" 版", "")) }
                }
            }
            @if let Some(report) = report { p.hint { (foreign(&looked_at(report))) } }
            @match &findings {
                Some(findings) if findings.is_empty() => { p { (lang.of("未发现问题。", "Nothing is held against it.")) } }
                Some(findings) => { ul.findings { @for one in findings { (finding(lang, one)) } } }
                None => { p { code { (row.findings) } } }
            }
        }
    }
}

fn finding(lang: Lang, finding: &Finding) -> Markup {
    let severity = match finding.severity {
        Severity::Reject => badge(Tone::Bad, lang.of("严重", "Grave")),
        Severity::Review => badge(Tone::Watch, lang.of("需复核", "To be looked at")),
        Severity::Note => badge(Tone::Plain, lang.of("提示", "Note")),
    };
    let measured = [
        (lang.of("位置：", "Where: "), &finding.place),
        (lang.of("实际：", "Found: "), &finding.found),
        (lang.of("要求：", "Expected: "), &finding.expected),
    ];
    html! {
        li {
            (severity) " " (lang.of(&finding.zh, &finding.en))
            p.hint {
                code { (finding.code) }
                @for (label, value) in measured.into_iter().filter(|(_, value)| !value.is_empty()) {
                    " · " (label) (foreign(value))
                }
            }
        }
    }
}
