//! What a custody event says to people, from its kind and the public facts of its leaf.
//!
//! Invariant: an event of a kind that isn't known here is shown by its kind, never left out.

use crate::console::words::Lang;
use serde_json::{Map, Value};

/// The event in plain words.
pub(super) fn said(lang: Lang, kind: &str, facts: Option<&Map<String, Value>>) -> String {
    let text = |name: &str| facts.and_then(|facts| facts.get(name)?.as_str());
    let number = |name: &str| facts.and_then(|facts| facts.get(name)?.as_i64());
    let of_version = number("version").map_or_else(String::new, |version| {
        lang.of(format!("（第 {version} 版）"), format!(" (version {version})"))
    });
    let whole = |zh: &str, en: &str| lang.of(zh, en).to_owned();
    match kind {
        "accession.received" => match text("reason") {
            Some("inspecting") => whole("收到上传，正在检查", "The upload arrived and is being inspected"),
            _ => whole(
                "收到上传，等待补全或识别",
                "The upload arrived and waits to be completed or named",
            ),
        },
        "accession.rejected" => whole(
            "上传未被接受，内容另行保存",
            "The upload was refused; it is kept aside",
        ),
        "accession.duplicate" => whole(
            "收到相同内容，未重复封存",
            "The same content arrived again; it wasn't sealed twice",
        ),
        "accession.withdrawn" => whole(
            "上传人撤回了未封存的上传",
            "The uploader withdrew it before it was sealed",
        ),
        "evidence.sealed" => {
            let version = number("version").unwrap_or_default();
            let grade = match text("grade") {
                Some("declared") => {
                    lang.of("，与上传方声明一致", "; it agrees with what the branch declared")
                }
                Some("server_only") => lang.of("，上传方未提供校验值", "; the branch declared no digest"),
                _ => "",
            };
            lang.of(
                format!("封存为第 {version} 版{grade}"),
                format!("Sealed as version {version}{grade}"),
            )
        }
        "evidence.declared" => match text("result") {
            Some("match") => lang.of(
                format!("后到的声明与封存内容一致{of_version}"),
                format!("A declaration that came later agrees with what is sealed{of_version}"),
            ),
            _ => lang.of(
                format!("后到的声明与封存内容不一致{of_version}"),
                format!("A declaration that came later disagrees with what is sealed{of_version}"),
            ),
        },
        "evidence.inspected" => {
            let came_to = match text("verdict") {
                Some("accepted") => lang.of("：合格", ": accepted"),
                Some("needs_review") => lang.of("：需人工复核", ": a person has to look at it"),
                Some(_) => lang.of("：有问题", ": something is wrong"),
                None => "",
            };
            lang.of(
                format!("完成后台全面检查{came_to}{of_version}"),
                format!("Inspected in the background{came_to}{of_version}"),
            )
        }
        "derived.made" => match text("form") {
            Some("contact_sheet") => lang.of(
                format!("制作画面缩略图{of_version}"),
                format!("A contact sheet was made{of_version}"),
            ),
            Some("playback") => lang.of(
                format!("制作播放副本{of_version}"),
                format!("A playback copy was made{of_version}"),
            ),
            _ => lang.of(
                format!("制作副本{of_version}"),
                format!("A copy was made{of_version}"),
            ),
        },
        "inspection.requested" => lang.of(
            format!("要求重新检查{of_version}"),
            format!("Another inspection was asked for{of_version}"),
        ),
        "fixity.checked" => {
            let result = match (number("findings"), number("with_identity")) {
                (Some(0), Some(1)) => lang.of("：全部一致", ": everything as sealed"),
                (Some(0), _) => lang.of(
                    "：存储文件一致（未解密核对）",
                    ": stored files as sealed (not decrypted)",
                ),
                (Some(_), _) => lang.of("：发现不一致", ": something isn't as sealed"),
                (None, _) => "",
            };
            lang.of(
                format!("完整性核验{result}{of_version}"),
                format!("Fixity was checked{result}{of_version}"),
            )
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_event_about_evidence_has_its_words_in_both_languages() {
        let facts = json!({ "version": 2, "findings": 1, "result": "mismatch", "verdict": "needs_review", "form": "playback" });
        let kinds = [
            "accession.received",
            "accession.rejected",
            "accession.duplicate",
            "accession.withdrawn",
            "evidence.sealed",
            "evidence.declared",
            "evidence.inspected",
            "derived.made",
            "inspection.requested",
            "fixity.checked",
        ];
        for kind in kinds {
            for facts in [None, facts.as_object()] {
                let (zh, en) = (said(Lang::Zh, kind, facts), said(Lang::En, kind, facts));
                assert!(zh != kind && en.is_ascii() && zh != en, "{kind}: {zh} {en}");
            }
        }
        assert_eq!(said(Lang::Zh, "disposal.approved", None), "disposal.approved");
        assert!(said(Lang::Zh, "fixity.checked", facts.as_object()).contains("发现不一致"));
    }
}
