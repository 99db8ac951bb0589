//! Reports for auditors and approvers: on screen in pages, printed, and as a spreadsheet. The filters stand in the address.
//!
//! Invariant: screen, paper and spreadsheet show the rows of `views::reports` and nothing of their own.

mod words;

use crate::{
    catalog::{people, reports::Span},
    console::{
        Console,
        allows::{Action, role_name},
        download::attachment,
        fault::Fault,
        layout::{Frame, page},
        page::{
            Field, Table, Tone, Weight, badge, button, checkbox, definitions, empty, link_button, pager,
            panel, query_form, title,
        },
        routes::{Need, Route, get},
        visit::Visit,
        words::{Lang, Words},
    },
    domain::role::Role,
    views::reports::{self as report, Cell, Coverage, FILE_ROWS, Heading, Report, Subject, Word},
};
use axum::response::Response;
use maud::{Markup, Render, html};

/// The list of reports.
const REPORTS: &str = "/reports";
/// Rows on one page.
const PAGE: usize = 100;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::SeeReports);
    vec![
        get(REPORTS, need, list).menu("报告", "Reports"),
        get("/reports/{name}", need, show),
    ]
}

fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let coverage = report::coverage(&console.room.log).map_err(Fault::internal)?;
    let heading = lang.of("报告", "Reports");
    let groups = [
        (
            lang.of("完整性", "Integrity"),
            &[
                Subject::Fixity,
                Subject::Unchecked,
                Subject::Findings,
                Subject::EvidenceByBranch,
                Subject::Waiting,
            ][..],
        ),
        (
            lang.of("查阅", "Access"),
            &[
                Subject::Requests,
                Subject::Grants,
                Subject::Readings,
                Subject::Refusals,
                Subject::HostReads,
            ][..],
        ),
        (lang.of("人员", "People"), &[Subject::Users][..]),
    ];
    let body = html! {
        (title(heading, Some(lang.of("每份报告都可在屏幕上筛选、打印，或下载为电子表格。", "Each report can be filtered on screen, printed, or downloaded as a spreadsheet."))))
        (panel(lang.of("全库核验", "Checks of the whole store"), &covered(console, lang, &coverage)))
        @for (name, subjects) in groups {
            (panel(name, &html! {
                ul.reports {
                    @for subject in subjects {
                        li {
                            a href=(format!("{REPORTS}/{}", subject.id())) { (words::name(*subject).of(lang)) }
                            span { (words::lead(*subject).of(lang)) }
                        }
                    }
                }
            }))
        }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

/// When everything was last looked at, what was found, what came since.
fn covered(console: &Console, lang: Lang, coverage: &Coverage) -> Markup {
    let last = match coverage.last {
        None => badge(Tone::Watch, lang.of("从未做过", "Never done")),
        Some((_, at_ms, 0)) => {
            html! { (console.zone.date_time(at_ms)) " " (badge(Tone::Good, lang.of("未发现问题", "Nothing found"))) }
        }
        Some((_, at_ms, findings)) => {
            let found = lang.of(format!("{findings} 个问题"), format!("{findings} findings"));
            html! { (console.zone.date_time(at_ms)) " " (badge(Tone::Bad, &found)) }
        }
    };
    let facts = [
        (lang.of("最近一次", "The last one"), last),
        (
            match coverage.last {
                Some(_) => lang.of("此后封存", "Sealed since"),
                None => lang.of("已封存", "Sealed"),
            },
            html! {
                a href=(format!("{REPORTS}/{}", Subject::Unchecked.id())) {
                    (lang.of(format!("{} 个版本", coverage.sealed_since), format!("{} versions", coverage.sealed_since)))
                }
            },
        ),
    ];
    definitions(&facts)
}

fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let subject: Subject = visit.param("name")?.parse().map_err(|()| Fault::NotFound)?;
    let as_file = visit.query.get("format") == Some("csv");
    let span = Span {
        limit: if as_file { FILE_ROWS } else { PAGE },
        ..span(console, visit, subject)?
    };
    let now_ms = console.clock.now_ms();
    let made = report::report(subject, &console.room.log, console.zone, now_ms, &span);
    let made = made.map_err(Fault::internal)?;
    if as_file {
        let name = format!("{}-{}.csv", subject.id(), console.zone.date(now_ms));
        return Ok(attachment(
            &name,
            "text/csv; charset=utf-8",
            made.csv(console.zone),
        ));
    }
    screen(console, visit, subject, &made)
}

/// The span that the address asks for. What a report can't be filtered by isn't looked at.
fn span(console: &Console, visit: &Visit, subject: Subject) -> Result<Span, Fault> {
    let mut span = Span::default();
    if subject.has_dates() {
        let day = |name| match visit.query.text(name) {
            None => Ok(None),
            Some(text) => console.zone.midnight_ms(text).map(Some).ok_or_else(|| {
                Fault::BadRequest(Words::new(
                    "日期格式应为 2026-07-28。",
                    "A date is written 2026-07-28.",
                ))
            }),
        };
        span.from_ms = day("from")?.unwrap_or(i64::MIN);
        span.to_ms = day("to")?.map_or(i64::MAX, |day| day.saturating_add(DAY_MS));
        span.before = visit.query.text("before").and_then(|text| text.parse().ok());
    }
    if subject.has_person()
        && let Some(name) = visit.query.text("person")
    {
        let found = console
            .catalogue
            .read(|connection| people::by_name(connection, name))?;
        let found = found.ok_or_else(|| {
            Fault::BadRequest(Words::new(
                "没有这个登录名。已停用的人员也可以用原登录名查询。",
                "Nobody has this log-in name. People who were disabled keep theirs.",
            ))
        })?;
        span.person = Some(found.id);
    }
    if subject.has_grant() {
        span.grant = visit.query.text("grant").map(str::to_owned);
        span.emergency = visit.query.text("emergency") == Some("1");
    }
    Ok(span)
}

fn screen(console: &Console, visit: &Visit, subject: Subject, made: &Report) -> Result<Response, Fault> {
    let lang = visit.lang;
    let name = words::name(subject);
    let heading = name.of(lang);
    let names: Vec<String> = made
        .headings
        .iter()
        .map(|heading| column(lang, *heading))
        .collect();
    let mut table = Table::new(heading);
    for name in &names {
        table = table.column(name);
    }
    // Nobody is led to where they are refused, which would stand on record.
    let sees_log = console.allows.may(visit.person()?, Action::SeeLog).is_ok();
    for row in &made.rows {
        table.row(row.iter().map(|cell| shown(console, lang, cell, sees_log)));
    }
    let address = |query: String| format!("{REPORTS}/{}?{query}", subject.id());
    let file = address(visit.query.with("format", Some("csv")));
    let older = made
        .older
        .map(|older| address(visit.query.with("before", Some(&older.to_string()))));
    let newest = visit
        .query
        .text("before")
        .map(|_| address(visit.query.with("before", None)));
    let rows = made.rows.len();
    let part = lang.of(format!("本页 {rows} 行"), format!("{rows} rows on this page"));
    let body = html! {
        (title(heading, Some(words::lead(subject).of(lang))))
        @if subject.has_dates() { (filters(visit, subject)) }
        @if made.rows.is_empty() {
            (empty(lang.of("没有记录", "Nothing to list"), lang.of("在所选范围内没有记录。", "There is nothing in this span."), None))
        } @else {
            div.wide { (table.render()) }
            (pager(lang, None, older.as_deref(), &part))
        }
        div.actions {
            @if let Some(newest) = &newest { (link_button(Weight::Plain, newest, lang.of("回到最新", "Back to the newest"))) }
            (link_button(Weight::Plain, &file, lang.of("下载电子表格（CSV）", "Download as a spreadsheet (CSV)")))
            (link_button(Weight::Plain, REPORTS, lang.of("返回报告列表", "Back to the reports")))
        }
        (imprint(console, visit)?)
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn filters(visit: &Visit, subject: Subject) -> Markup {
    let lang = visit.lang;
    let action = format!("{REPORTS}/{}", subject.id());
    let field = |name, label, kind| Field {
        name,
        label,
        kind,
        value: visit.query.text(name).unwrap_or_default(),
        max_length: Some(64),
        ..Field::default()
    };
    query_form(
        &action,
        &html! {
            (field("from", lang.of("从", "From"), "date").input())
            (field("to", lang.of("到", "To"), "date").input())
            @if subject.has_person() { (field("person", lang.of("登录名", "Log-in name"), "").input()) }
            @if subject.has_grant() {
                (field("grant", lang.of("授权编号", "Grant"), "").input())
                (checkbox("emergency", "1", lang.of("仅紧急查阅", "Emergencies only"), visit.query.text("emergency") == Some("1")))
            }
            (button(Weight::Plain, lang.of("筛选", "Filter")))
        },
    )
}

fn column(lang: Lang, heading: Heading) -> String {
    if let (true, Ok(role)) = (heading.zh.is_empty(), heading.en.parse::<Role>()) {
        return role_name(role).of(lang).to_owned();
    }
    match lang {
        Lang::Zh if !heading.zh.is_empty() => heading.zh.to_owned(),
        _ => heading.en.to_owned(),
    }
}

fn shown(console: &Console, lang: Lang, cell: &Cell, sees_log: bool) -> Markup {
    match cell {
        Cell::Leaf(leaf) if sees_log => html! { a href=(format!("/log/entries/{leaf}")) { (leaf) } },
        Cell::Evidence(id) => html! { a.whole href=(format!("/evidence/{id}")) { code { (id) } } },
        Cell::Request(id) => html! { a.whole href=(format!("/requests/{id}")) { code { (id) } } },
        Cell::Grant(id) => html! { code.whole { (id) } },
        Cell::Time(_) => html! { span.whole { (cell.plain(console.zone)) } },
        Cell::Word(Word { zh, en, alerts, .. }) => {
            let said = lang.of(zh.as_str(), en.as_str());
            if *alerts {
                badge(Tone::Bad, said)
            } else {
                html! { (said) }
            }
        }
        other => html! { (other.plain(console.zone)) },
    }
}

/// What a printed report says of itself: who printed it, when, and at which state of the log.
fn imprint(console: &Console, visit: &Visit) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let size = console.room.log.published_size().map_err(Fault::internal)?;
    let now = console.zone.date_time(console.clock.now_ms());
    let name = &visit.person()?.name;
    Ok(html! {
        p.imprint { (lang.of(
            format!("{name} 于 {now} 生成，日志 {} 共 {size} 条记录。", console.room.log.verifier().name()),
            format!("Made by {name} at {now}, with {size} entries in the log {}.", console.room.log.verifier().name()),
        )) }
    })
}
