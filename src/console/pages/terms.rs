//! What the catalogue's words are called on pages: states, grades, categories, kinds, sizes, days, document types.
//!
//! Invariant: a word that this program doesn't know is shown as it is, never left out.

use crate::{
    catalog::doctypes,
    console::{
        Console,
        fault::Fault,
        page::{Tone, badge},
        words::Lang,
    },
    domain::{
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

/// What content is given out for.
pub(super) fn purpose(lang: Lang, purpose: &str) -> &str {
    match purpose {
        "view" => lang.of("查看", "View"),
        "export" => lang.of("导出", "Export"),
        other => other,
    }
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
        assert_eq!(purpose(Lang::En, "other"), "other");
    }
}
