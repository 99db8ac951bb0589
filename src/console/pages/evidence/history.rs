//! What happened to a piece of evidence, and who read it.

use super::{
    super::terms::{purpose_name, size},
    Shown,
    events::said,
};
use crate::{
    catalog::access::Read,
    console::{
        allows::Action,
        fault::Fault,
        page::{Table, panel},
        words::Lang,
    },
};
use maud::{Markup, html};

/// Its custody events, newest first.
pub(super) fn timeline(shown: &Shown<'_>) -> Markup {
    let lang = shown.visit.lang;
    let body = html! {
        ol.timeline {
            @for entry in shown.file.timeline.iter().rev() {
                li {
                    p { (said(lang, &entry.kind, shown.file.facts.get(&entry.leaf))) }
                    p.hint {
                        time { (shown.time(entry.time_ms)) } " · " (shown.person(&entry.actor)) " · "
                        (position(lang, entry.leaf))
                    }
                }
            }
        }
    };
    panel(lang.of("保管过程", "Chain of custody"), &body)
}

/// Where an event stands in the log.
pub(super) fn position(lang: Lang, leaf: u64) -> String {
    lang.of(format!("日志第 {leaf} 条"), format!("log position {leaf}"))
}

/// Who read it: for those who may know, everybody; for others, themselves.
pub(super) fn reads(shown: &Shown<'_>) -> Result<Markup, Fault> {
    let lang = shown.visit.lang;
    let heading = lang.of("查阅记录", "Who read it");
    if !shown.may(Action::SeeGrants)? {
        return Ok(html! {});
    }
    if shown.file.reads.is_empty() {
        let nothing = lang.of("您可见的范围内没有查阅记录。", "No reading that you may see.");
        return Ok(panel(heading, &html! { p { (nothing) } }));
    }
    let mut table = Table::new(heading)
        .column(lang.of("时间", "When"))
        .column(lang.of("查阅人", "Who"))
        .column(lang.of("内容", "What"))
        .column(lang.of("用途", "For"))
        .column(lang.of("读取", "Read"))
        .column(lang.of("日志位置", "Log position"));
    for read in &shown.file.reads {
        table.row([
            html! { (shown.time(read.started_ms)) },
            html! { (shown.person(&read.person)) },
            html! { (what(lang, &read.part)) " v" (read.version) },
            html! { (purpose_name(lang, &read.purpose)) " · " (channel(lang, &read.channel)) },
            html! { (amount(lang, read)) },
            html! { (read.leaf) },
        ]);
    }
    let hint = lang.of(
        "最近 100 次查阅；每次都在读取之前记入日志。",
        "The last 100 readings, each on record before its first byte.",
    );
    Ok(panel(heading, &html! { (table) p.hint { (hint) } }))
}

fn what(lang: Lang, part: &str) -> &str {
    match part {
        "original" => lang.of("原件", "Original"),
        "contact_sheet" => lang.of("缩略图", "Contact sheet"),
        "playback" => lang.of("播放副本", "Playback copy"),
        other => other,
    }
}

fn channel(lang: Lang, channel: &str) -> &str {
    match channel {
        "console" => lang.of("控制台", "console"),
        "sftp" => "SFTP",
        "api" => lang.of("接口", "API"),
        other => other,
    }
}

/// How much left, in a line.
fn amount(lang: Lang, read: &Read) -> String {
    let Some(bytes) = read.bytes else {
        return lang.of("尚未结束", "Not ended").to_owned();
    };
    let ranges = read.ranges.unwrap_or_default();
    let mut line = size(bytes.unsigned_abs());
    if ranges > 1 {
        line.push_str(&lang.of(format!("（{ranges} 段）"), format!(" in {ranges} parts")));
    }
    if let Some(seconds) = read.watched_s.filter(|seconds| *seconds > 0) {
        line.push_str(&lang.of(
            format!("，播放 {seconds} 秒"),
            format!(", played for {seconds} s"),
        ));
    }
    line
}
