//! How requests and grants are spoken of: states, times, records and people.

use super::super::terms::day;
use crate::{
    access::register::Named,
    catalog::access::{Grant, Request},
    console::{
        page::{Tone, badge},
        words::Lang,
    },
};
use maud::{Markup, html};
use std::collections::BTreeMap;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;

/// Times that access may be asked for, in seconds.
pub(super) const DURATIONS_S: [i64; 6] = [HOUR_S, 4 * HOUR_S, DAY_S, 3 * DAY_S, 7 * DAY_S, 30 * DAY_S];
/// The one that stands in the form.
pub(super) const SUGGESTED_S: i64 = DAY_S;

/// States of a request as id and name, for choosing one.
pub(super) fn states(lang: Lang) -> [(&'static str, &'static str); 4] {
    [
        ("pending", lang.of("待审批", "Waiting")),
        ("approved", lang.of("已批准", "Approved")),
        ("declined", lang.of("未批准", "Declined")),
        ("withdrawn", lang.of("已撤回", "Withdrawn")),
    ]
}

/// The state of a request, and that it is an emergency.
pub(super) fn request_state(lang: Lang, request: &Request) -> Markup {
    let tone = match request.state.as_str() {
        "pending" => Tone::Watch,
        "approved" => Tone::Good,
        "declined" => Tone::Bad,
        _ => Tone::Plain,
    };
    let name = states(lang).into_iter().find(|(id, _)| *id == request.state);
    let name = name.map_or(request.state.as_str(), |(_, name)| name);
    html! {
        span.badges {
            (badge(tone, name))
            @if request.state == "pending" && request.endorser.is_some() {
                (badge(Tone::Watch, lang.of("已有一人同意", "One has agreed")))
            }
            @if request.emergency { (emergency(lang)) }
        }
    }
}

/// The state of a grant, and that it was given in an emergency.
pub(super) fn grant_state(lang: Lang, grant: &Grant, now_ms: i64) -> Markup {
    let state = if grant.revoked_ms.is_some() {
        badge(Tone::Bad, lang.of("已撤销", "Revoked"))
    } else if grant.is_live(now_ms) {
        badge(Tone::Good, lang.of("有效", "Live"))
    } else {
        badge(Tone::Plain, lang.of("已到期", "Expired"))
    };
    html! { span.badges { (state) @if grant.emergency { (emergency(lang)) } } }
}

/// The mark of an emergency.
pub(super) fn emergency(lang: Lang) -> Markup {
    badge(Tone::Bad, lang.of("紧急", "Emergency"))
}

/// How long, in the largest unit that says it exactly.
pub(super) fn duration(lang: Lang, seconds: i64) -> String {
    let (count, zh, one, many) = if seconds > 0 && seconds % DAY_S == 0 {
        (seconds / DAY_S, "天", "day", "days")
    } else if seconds > 0 && seconds % HOUR_S == 0 {
        (seconds / HOUR_S, "小时", "hour", "hours")
    } else {
        (seconds / MINUTE_S, "分钟", "minute", "minutes")
    };
    let unit = if count == 1 { one } else { many };
    lang.of(format!("{count} {zh}"), format!("{count} {unit}"))
}

/// How long it is until a time, rounded down to what one would say.
pub(super) fn remaining(lang: Lang, now_ms: i64, until_ms: i64) -> String {
    let seconds = until_ms.saturating_sub(now_ms) / 1_000;
    let (count, zh, en) = match seconds {
        ..=0 => return lang.of("已到期", "over").to_owned(),
        1..MINUTE_S => return lang.of("不到 1 分钟", "in under a minute").to_owned(),
        MINUTE_S..HOUR_S => (seconds / MINUTE_S, "分钟", "min"),
        HOUR_S..172_800 => (seconds / HOUR_S, "小时", "h"),
        _ => (seconds / DAY_S, "天", "days"),
    };
    lang.of(format!("还剩 {count} {zh}"), format!("in {count} {en}"))
}

/// A person as people call them.
pub(super) fn person<'a>(people: &'a BTreeMap<String, String>, id: &'a str) -> &'a str {
    people.get(id).map_or(id, String::as_str)
}

/// A record in one line; its id where nothing else may be shown.
pub(super) fn record(lang: Lang, record: &Named) -> Markup {
    let Some(row) = &record.row else {
        return html! {
            span.record { code { (record.id) } " " (lang.of("不在您的范围内", "outside your reach")) }
        };
    };
    let text = html! { (row.customer) " · " (row.flow) " · " (row.doctype) "-" (row.seq) };
    html! {
        span.record {
            @if record.is_in_reach { a href=(format!("/evidence/{}", record.id)) { (text) } } @else { (text) }
            " " span.hint { (day(row.date)) " · " (row.branch) }
        }
    }
}

/// The first records of a list row, and how many there are in all.
pub(super) fn records(lang: Lang, shown: &[Named], in_all: i64) -> Markup {
    let rest = in_all.saturating_sub(i64::try_from(shown.len()).unwrap_or(i64::MAX));
    html! {
        ul.records {
            @for one in shown { li { (record(lang, one)) } }
            @if rest > 0 {
                li.hint { (lang.of(format!("等共 {in_all} 件"), format!("and {rest} more"))) }
            }
        }
    }
}

/// What happened, in the words of the field.
pub(super) fn event(lang: Lang, kind: &str) -> &str {
    match kind {
        "access.requested" => lang.of("提交申请", "Filed"),
        "access.endorsed" => lang.of("第一位审批人同意", "The first approver agreed"),
        "access.approved" => lang.of("批准", "Approved"),
        "access.declined" => lang.of("不批准", "Declined"),
        "access.withdrawn" => lang.of("撤回申请", "Withdrawn"),
        "access.revoked" => lang.of("撤销授权", "Grant revoked"),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        assert_eq!(duration(Lang::Zh, DAY_S), "1 天");
        assert_eq!(duration(Lang::En, 3 * DAY_S), "3 days");
        assert_eq!(duration(Lang::En, 4 * HOUR_S), "4 hours");
        assert_eq!(duration(Lang::Zh, 90 * MINUTE_S), "90 分钟");
        for (seconds, zh, en) in [
            (-5, "已到期", "over"),
            (59, "不到 1 分钟", "in under a minute"),
            (61, "还剩 1 分钟", "in 1 min"),
            (3 * HOUR_S + 5, "还剩 3 小时", "in 3 h"),
            (2 * DAY_S - 1, "还剩 47 小时", "in 47 h"),
            (30 * DAY_S, "还剩 30 天", "in 30 days"),
        ] {
            assert_eq!(remaining(Lang::Zh, 1_000, 1_000 + seconds * 1_000), zh);
            assert_eq!(remaining(Lang::En, 1_000, 1_000 + seconds * 1_000), en);
        }
    }
}
