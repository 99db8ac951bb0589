//! What the catalogue's words are called on pages: states, grades, bases, purposes, categories, kinds, sizes,
//! days, document types.
//!
//! Invariant: a word that this program doesn't know is shown as it is, never left out.

use crate::{
    catalog::doctypes,
    console::{
        Console,
        fault::Fault,
        page::{Tone, badge},
        words::{Lang, Words},
    },
    domain::{
        access::{Basis, Purpose},
        category::Category,
        doctype::{DocumentTypes, Kind},
    },
};
use maud::{Markup, html};

/// Where a version stands.
pub(super) fn state(lang: Lang, state: &str) -> Markup {
    match state {
        "sealed" => badge(Tone::Good, lang.of("已封存", "Sealed")),
        "needs_review" => badge(Tone::Watch, lang.of("待复核", "Needs review")),
        other => badge(Tone::Plain, other),
    }
}

/// How sure it is that what was sent arrived.
pub(super) fn grade(lang: Lang, grade: &str) -> Markup {
    match grade {
        "declared" => badge(Tone::Good, lang.of("与声明一致", "Matches its declaration")),
        "server_only" => badge(Tone::Plain, lang.of("仅系统校验", "Hashed by the server only")),
        other => badge(Tone::Plain, other),
    }
}

/// What an inspection came to.
pub(super) fn verdict(lang: Lang, verdict: &str) -> Markup {
    match verdict {
        "accepted" => badge(Tone::Good, lang.of("合格", "Accepted")),
        "needs_review" => badge(Tone::Watch, lang.of("需人工复核", "Needs a person's look")),
        "rejected" => badge(Tone::Bad, lang.of("不合格", "Rejected")),
        other => badge(Tone::Plain, other),
    }
}

/// What a receipt says in a word.
pub(super) fn outcome(lang: Lang, outcome: &str) -> Markup {
    match outcome {
        "ACCEPTED" => badge(Tone::Good, lang.of("已接收", "Accepted")),
        "NEEDS_REVIEW" => badge(Tone::Watch, lang.of("待复核", "Needs review")),
        "REJECTED" => badge(Tone::Bad, lang.of("已拒收", "Rejected")),
        "DUPLICATE" => badge(Tone::Plain, lang.of("重复", "Duplicate")),
        "WAITING" => badge(Tone::Plain, lang.of("等待补全", "Waiting")),
        other => badge(Tone::Plain, other),
    }
}

/// What permits access, and when it applies.
pub(super) fn basis(basis: Basis) -> (Words, Words) {
    let (name, hint) = match basis {
        Basis::Law => (
            ("法律", "Law"),
            (
                "法院、检察院、公安等机关依法调取。",
                "A court or an authority demands it by law.",
            ),
        ),
        Basis::Regulator => (
            ("监管", "Regulator"),
            ("监管机构检查或要求提供。", "A regulator inspects, or demands it."),
        ),
        Basis::CustomerConsent => (
            ("客户同意", "Customer's consent"),
            ("客户本人已书面同意。", "The customer agreed in writing."),
        ),
        Basis::DueDiligence => (
            ("尽职调查", "Due diligence"),
            (
                "对该客户开展尽职调查所必需。",
                "Due diligence on this customer needs it.",
            ),
        ),
    };
    (Words::new(name.0, name.1), Words::new(hint.0, hint.1))
}

/// What access is for, and what that gives.
pub(super) fn purpose(purpose: Purpose) -> (Words, Words) {
    match purpose {
        Purpose::View => (
            Words::new("查看", "View"),
            Words::new(
                "只在本系统页面内观看，画面带查阅人水印，文件不离开系统。",
                "Looked at on a page here, under a watermark; the file doesn't leave.",
            ),
        ),
        Purpose::Export => (
            Words::new("导出", "Export"),
            Words::new(
                "可以下载原件，提供给监管或司法机关等；也包含查看。",
                "The original may be downloaded, for a regulator or a court; viewing is included.",
            ),
        ),
    }
}

/// The name of a basis by its id.
pub(super) fn basis_name(lang: Lang, id: &str) -> String {
    let known = id.parse().map(|known| basis(known).0.of(lang).to_owned());
    known.unwrap_or_else(|_| id.to_owned())
}

/// The name of a purpose by its id.
pub(super) fn purpose_name(lang: Lang, id: &str) -> String {
    let known = id.parse().map(|known| purpose(known).0.of(lang).to_owned());
    known.unwrap_or_else(|_| id.to_owned())
}

/// A category of the measures.
pub(super) fn category(lang: Lang, category: Category) -> &'static str {
    let en = match category {
        Category::Customer => "Customer records",
        Category::AssetAccount => "Asset account records",
        Category::InternalSecurities => "Internal securities records",
        Category::InternalFund => "Internal fund records",
        Category::ProductInternal => "Product account internal records",
        Category::AgencySecurities => "Agency securities records",
    };
    lang.of(category.name_zh(), en)
}

/// What sort of file a document type takes.
pub(super) fn kind(lang: Lang, kind: Kind) -> &'static str {
    match kind {
        Kind::Recording => lang.of("录像", "Video"),
        Kind::Audio => lang.of("录音", "Sound"),
        Kind::Scan => lang.of("扫描件", "Scan"),
        Kind::Bundle => lang.of("压缩包", "Bundle"),
    }
}

/// A size as people read it: `209.7 MB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    // In tenths of the unit, so that nothing is lost in floating point.
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1_000, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A business date: `2026-07-28` from 20260728.
pub(super) fn day(date: i64) -> String {
    format!("{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100)
}

/// The name of a file that somebody outside chose, kept from turning the text around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// The published document types; `None` where none were published or their text was lost.
///
/// # Errors
/// When the catalogue can't be read.
pub(super) fn document_types(console: &Console) -> Result<Option<DocumentTypes>, Fault> {
    let published = console.catalogue.read(doctypes::newest)?;
    Ok(published.and_then(|published| {
        let types = DocumentTypes::from_toml(published.text.as_deref()?);
        let types =
            types.inspect_err(|error| tracing::error!(%error, "the published document types can't be read"));
        Some(types.ok()?.published_as(published.version))
    }))
}

/// What a document type is called; empty for one that the published table doesn't have.
pub(super) fn type_name<'t>(lang: Lang, types: Option<&'t DocumentTypes>, code: &str) -> &'t str {
    let found = types.and_then(|types| types.find(code).ok());
    found.map_or("", |found| {
        lang.of(found.name_zh.as_str(), found.name_en.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal_and_cut_not_rounded_up() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 KB"),
            (999_999, "999.9 KB"),
            (1_000_000, "1.0 MB"),
            (209_715_200, "209.7 MB"),
            (4_294_967_296, "4.2 GB"),
            (u64::MAX, "18446744.0 TB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
        assert_eq!(day(20_260_728), "2026-07-28");
    }

    #[test]
    fn a_word_nobody_knows_is_shown_as_it_is() {
        let hostile = "<b>";
        for shown in [
            state(Lang::Zh, hostile),
            grade(Lang::Zh, hostile),
            verdict(Lang::Zh, hostile),
            outcome(Lang::Zh, hostile),
        ] {
            assert!(shown.0.contains("&lt;b&gt;"), "{}", shown.0);
        }
        assert_eq!(purpose_name(Lang::En, "other"), "other");
    }

    #[test]
    fn every_basis_and_purpose_has_its_name() {
        for known in Basis::ALL {
            assert_ne!(basis_name(Lang::En, known.id()), known.id());
        }
        for known in Purpose::ALL {
            assert_ne!(purpose_name(Lang::Zh, known.id()), known.id());
        }
        assert_eq!(basis_name(Lang::Zh, "whim"), "whim");
    }
}
