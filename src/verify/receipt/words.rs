//! What a proven leaf says happened, in words for people.

use crate::{
    domain::event::{Kind, Leaf},
    verify::{Meaning, facts, report::utc},
};

/// What the leaf says happened, in words. A proven refusal is still a refusal.
pub(super) fn meaning(leaf: &Leaf, index: u64) -> Meaning {
    let of = facts::count(leaf, "of")
        .map(|of| of.to_string())
        .unwrap_or_default();
    let version = facts::count(leaf, "version").unwrap_or_default();
    let grade = leaf.text("grade").unwrap_or_default();
    let (en, zh) = match leaf.kind {
        Kind::EvidenceSealed => (
            format!("the upload was accepted and sealed as version {version}, grade {grade}"),
            format!("上传已接收并封存，版本 {version}，等级 {grade}"),
        ),
        Kind::DeclarationReceived => (
            "the declaration was received and kept".to_owned(),
            "申报文件已接收并留存".to_owned(),
        ),
        Kind::AccessionRejected => (
            "the upload was REJECTED; the bytes are kept aside".to_owned(),
            "上传被拒绝，原字节另行留存".to_owned(),
        ),
        Kind::AccessionDuplicate => (
            format!("the upload has the same bytes as what receipt {of} sealed"),
            format!("上传内容与回执 {of} 已封存的内容相同"),
        ),
        Kind::AccessionReceived => (
            "the upload is WAITING: received, not accepted".to_owned(),
            "上传待补全：已收到，尚未接收入档".to_owned(),
        ),
        Kind::EvidenceDeclared if leaf.text("result") == Some("match") => (
            format!("a later declaration agrees with what receipt {of} sealed"),
            format!("后到的申报与回执 {of} 封存的内容一致"),
        ),
        Kind::EvidenceDeclared => (
            format!("a later declaration DISAGREES with what receipt {of} sealed"),
            format!("后到的申报与回执 {of} 封存的内容不一致"),
        ),
        Kind::EvidenceInspected => (
            format!(
                "the background inspection of what receipt {of} sealed ended, verdict {}",
                leaf.text("verdict").unwrap_or_default()
            ),
            format!(
                "对回执 {of} 所封存内容的后台检查已完成，结论 {}",
                leaf.text("verdict").unwrap_or_default()
            ),
        ),
        kind => (
            format!("the event {kind} was logged"),
            format!("事件 {kind} 已记入日志"),
        ),
    };
    let time = utc(u64::try_from(leaf.time_ms).unwrap_or_default());
    Meaning {
        en: format!("receipt {index} is in the log ({time}): {en}"),
        zh: format!("回执 {index} 已在日志中（{time}）：{zh}"),
    }
}
