//! Finding evidence: what is looked for stands in the address, so that a search can be shared and come back to.
//!
//! It must never know more than the person's reach: `access::find` limits what is found.

use super::terms::{day, document_types, size, state, type_name};
use crate::{
    access::{authorizer::Who, find::Found},
    catalog::{
        people::{self, Branch},
        search::{Evidence, Filter},
    },
    console::{
        Console,
        allows::Action,
        fault::Fault,
        fields::Fields,
        layout::{Frame, page},
        page::{Field, Table, Tone, Weight, badge, button, empty, link_button, query_form, title},
        routes::{Need, Route, get},
        see_other,
        visit::Visit,
        words::{Lang, Words},
    },
    domain::{doctype::DocumentTypes, pattern::is_safe_component},
};
use axum::{http::StatusCode, response::Response};
use maud::{Markup, html};
use std::collections::BTreeMap;

const SEARCH: &str = "/search";
/// Rows of a page. Fewer than a session may hold readings: each contact sheet that is shown is one.
const ROWS: usize = 50;
/// Fields of the form, which are what an address says.
const FIELDS: [&str; 8] = [
    "customer", "flow", "doctype", "branch", "from", "to", "state", "sha256",
];
/// Where a page continues.
const AFTER: &str = "after";

pub(in crate::console) fn routes() -> Vec<Route> {
    vec![get(SEARCH, Need::May(Action::SearchMetadata), search).menu("检索", "Search")]
}

/// What is looked for, and what of it can't be, by field.
#[derive(Default)]
struct Asked {
    filter: Filter,
    wrong: BTreeMap<&'static str, Words>,
}

fn search(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let who = Who::person(visit.person()?.id.as_str());
    if let Some(shorter) = without_blanks(&visit.query) {
        return Ok(see_other(&shorter));
    }
    let own = console.room.scope(&who, Action::SearchMetadata)?;
    let mut branches = console.catalogue.read(people::branches)?;
    branches.retain(|branch| own.branch().is_none_or(|own| own == branch.code));
    let asked = read(&visit.query, own.branch().is_none().then_some(&branches[..]));
    let types = document_types(console)?;
    let form = form(visit, &asked, &branches, own.branch(), types.as_ref());
    let heading = visit.lang.of("检索", "Search");
    let lead = match own.branch() {
        None => visit
            .lang
            .of("检索全部营业部已封存的资料。", "Sealed evidence of every branch."),
        Some(_) => visit
            .lang
            .of("检索本营业部已封存的资料。", "Sealed evidence of your branch."),
    };
    let found = match asked.wrong.is_empty() {
        true => Some(console.room.search(&who, &asked.filter, ROWS)?),
        false => None,
    };
    let body = html! {
        (title(heading, Some(lead)))
        (form)
        @if let Some(found) = &found { (results(console, visit, found, types.as_ref())?) }
    };
    let mut response = page(&Frame::of(console, visit), heading, &body);
    if found.is_none() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// The address without fields that were left empty, where there are any.
fn without_blanks(query: &Fields) -> Option<String> {
    let blank = FIELDS
        .iter()
        .any(|name| query.get(name).is_some() && query.text(name).is_none());
    blank.then(|| {
        let mut address = form_urlencoded::Serializer::new(String::new());
        for name in FIELDS {
            if let Some(value) = query.text(name) {
                address.append_pair(name, value);
            }
        }
        match address.finish().as_str() {
            "" => SEARCH.to_owned(),
            query => format!("{SEARCH}?{query}"),
        }
    })
}

/// Reads the fields. `known` are the branches that exist, for whom all are open; somebody of a branch hears nothing of others.
fn read(query: &Fields, known: Option<&[Branch]>) -> Asked {
    let mut asked = Asked::default();
    let mut wrong = |name, zh: &str, en: &str| {
        asked.wrong.insert(name, Words::new(zh, en));
    };
    let mut number = |name, zh, en| {
        let value = query.text(name)?;
        if !is_safe_component(value) {
            wrong(name, zh, en);
        }
        Some(value.to_owned())
    };
    let plain = "只能含字母、数字、“-”和“_”，请完整填写。";
    asked.filter.customer = number(
        "customer",
        plain,
        "Letters, digits, - and _ only; give all of it.",
    );
    asked.filter.flow = number("flow", plain, "Letters, digits, - and _ only; give all of it.");
    asked.filter.branch = number("branch", "没有这个营业部。", "There is no such branch.");
    let doctype = number("doctype", "没有这个资料类型。", "There is no such document type.");
    asked.filter.doctype = doctype.map(|code| code.to_ascii_uppercase());
    if let (Some(known), Some(code)) = (known, &asked.filter.branch)
        && !known.iter().any(|branch| branch.code == *code)
    {
        wrong("branch", "没有这个营业部。", "There is no such branch.");
    }
    for (name, date) in [
        ("from", &mut asked.filter.date_from),
        ("to", &mut asked.filter.date_to),
    ] {
        let Some(text) = query.text(name) else { continue };
        *date = calendar_day(text);
        if date.is_none() {
            wrong(name, "日期请写成 2026-07-28。", "Write a day like 2026-07-28.");
        }
    }
    if let (Some(from), Some(to)) = (asked.filter.date_from, asked.filter.date_to)
        && from > to
    {
        wrong(
            "to",
            "结束日期早于开始日期。",
            "The last day is before the first.",
        );
    }
    if let Some(state) = query.text("state") {
        if STATES.iter().any(|(known, ..)| *known == state) {
            asked.filter.state = Some(state.to_owned());
        } else {
            wrong("state", "没有这种状态。", "There is no such state.");
        }
    }
    if let Some(text) = query.text("sha256") {
        match text.parse() {
            Ok(prefix) => asked.filter.sha256 = Some(prefix),
            Err(_) => wrong(
                "sha256",
                "请填写 SHA-256 的全部 64 位十六进制数字，或至少前 8 位。",
                "Give all 64 hexadecimal digits of a SHA-256, or at least the first 8.",
            ),
        }
    }
    if let Some(text) = query.text(AFTER) {
        asked.filter.after = cursor(text);
        if asked.filter.after.is_none() {
            wrong(
                AFTER,
                "续页位置无效，请重新检索。",
                "That isn't where a page goes on; search again.",
            );
        }
    }
    asked
}

/// States that can be asked for.
const STATES: [(&str, &str, &str); 2] = [
    ("sealed", "已封存", "Sealed"),
    ("needs_review", "待复核", "Needs review"),
];

/// `20260728` from `2026-07-28` or `20260728`.
fn calendar_day(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = text.parse().ok()?;
    (1..=9_999)
        .contains(&date.year())
        .then(|| i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day()))
}

/// Where the page before ended: business date and receipt number.
fn cursor(text: &str) -> Option<(i64, u64)> {
    let (date, receipt) = text.split_once('-')?;
    Some((date.parse().ok()?, receipt.parse().ok()?))
}

fn form(
    visit: &Visit,
    asked: &Asked,
    branches: &[Branch],
    own: Option<&str>,
    types: Option<&DocumentTypes>,
) -> Markup {
    let lang = visit.lang;
    let typed = |name: &str| visit.query.get(name).unwrap_or_default();
    let field = |name: &'static str, label| Field {
        name,
        label,
        value: typed(name),
        error: asked.wrong.get(name).map(|words| words.of(lang)),
        autocomplete: Some("off"),
        ..Field::default()
    };
    // A day that can't be read is kept as it was typed, which a field for days wouldn't do.
    let day_field = |name, label| Field {
        kind: if asked.wrong.contains_key(name) {
            "text"
        } else {
            "date"
        },
        ..field(name, label)
    };
    let any = lang.of("全部", "All");
    let offered: Vec<(String, String)> = branches
        .iter()
        .map(|branch| (branch.code.clone(), format!("{} {}", branch.code, branch.name)))
        .collect();
    let named = types.into_iter().flat_map(DocumentTypes::iter);
    let named = named.map(|kind| {
        (
            kind.code.clone(),
            format!("{} {}", kind.code, lang.of(&kind.name_zh, &kind.name_en)),
        )
    });
    let states = STATES.map(|(state, zh, en)| (state.to_owned(), lang.of(zh, en).to_owned()));
    let clear = link_button(Weight::Plain, SEARCH, lang.of("清除条件", "Clear"));
    let is_asked = FIELDS.iter().any(|name| visit.query.text(name).is_some());
    let fields = html! {
        (field("customer", lang.of("客户号", "Customer number")).input())
        (field("flow", lang.of("流水号", "Flow number")).input())
        (choice(&field("doctype", lang.of("资料类型", "Document type")), any, named.collect()))
        (choice(&field("branch", lang.of("营业部", "Branch")), own.map_or(any, |_| ""), offered))
        (day_field("from", lang.of("业务日期，从", "Business date, from")).input())
        (day_field("to", lang.of("业务日期，至", "Business date, to")).input())
        (choice(&field("state", lang.of("状态", "State")), any, states.into()))
        (field("sha256", lang.of("SHA-256 前 8 位起", "SHA-256, 8+ digits")).input())
        div.actions {
            (button(Weight::Primary, lang.of("检索", "Search")))
            @if is_asked { (clear) }
            a.quiet href="/doctypes" { (lang.of("资料类型表", "Document types")) }
        }
    };
    html! {
        section.panel.search {
            (query_form(SEARCH, &fields))
            @if let Some(words) = asked.wrong.get(AFTER) { p.hint role="alert" { (words.of(lang)) } }
        }
    }
}

/// A list to choose from. What was asked for stays in it, known or not; with no word for all, nothing else can be chosen.
fn choice(field: &Field<'_>, all: &str, mut offered: Vec<(String, String)>) -> Markup {
    let asked = field.value.trim();
    if !asked.is_empty() && !offered.iter().any(|(value, _)| value == asked) {
        offered.push((asked.to_owned(), asked.to_owned()));
    }
    let everything = Some(("", all)).filter(|_| !all.is_empty());
    let offered = offered
        .iter()
        .map(|(value, text)| (value.as_str(), text.as_str()));
    let options: Vec<(&str, &str)> = everything.into_iter().chain(offered).collect();
    Field {
        value: asked,
        ..field.clone()
    }
    .select(&options)
}

fn results(
    console: &Console,
    visit: &Visit,
    found: &Found,
    types: Option<&DocumentTypes>,
) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let is_later = visit.query.text(AFTER).is_some();
    if found.rows.is_empty() {
        return Ok(nothing(visit, is_later));
    }
    let may_request = console.allows.may(visit.person()?, Action::RequestAccess).is_ok();
    let count = found.rows.len();
    let said = match (is_later, found.next.is_some()) {
        (false, false) => lang.of(format!("共找到 {count} 件。"), format!("{count} found.")),
        _ => lang.of(
            format!("本页 {count} 件，按业务日期从新到旧。"),
            format!("{count} on this page, newest business date first."),
        ),
    };
    let table = table(lang, found, types, may_request);
    Ok(html! {
        p.found role="status" { (said) }
        @if may_request {
            form.picks method="get" action="/requests/new" {
                (table)
                div.actions {
                    (button(Weight::Plain, lang.of("申请查阅所选资料", "Request access to the selected")))
                    p.hint { (lang.of("勾选后可一次申请多件。", "Tick several to ask for them in one request.")) }
                }
            }
        } @else { (table) }
        (turns(visit, found, is_later))
    })
}

fn table(lang: Lang, found: &Found, types: Option<&DocumentTypes>, may_request: bool) -> Markup {
    let mut table = Table::new(lang.of("检索结果", "Results"));
    if may_request {
        table = table.column(lang.of("选择", "Select"));
    }
    table = table
        .column(lang.of("资料", "Document"))
        .column(lang.of("客户号", "Customer"))
        .column(lang.of("流水号", "Flow"))
        .column(lang.of("业务日期", "Business date"))
        .column(lang.of("营业部", "Branch"))
        .column(lang.of("版本", "Version"))
        .right(lang.of("大小", "Size"))
        .column(lang.of("状态", "State"));
    for row in &found.rows {
        let address = format!("/evidence/{}?v={}", row.id, row.version);
        let name = type_name(lang, types, &row.doctype);
        let newest = found.newest.get(&row.id).copied().unwrap_or(row.version);
        let mut cells = Vec::new();
        if may_request {
            cells.push(pick(lang, row));
        }
        cells.extend([
            html! {
                div.document {
                    @if found.sheets.contains(&row.receipt) { (sheet(lang, row, &address)) }
                    a href=(address) { (row.doctype) "-" (row.seq) @if !name.is_empty() { " " (name) } }
                }
            },
            html! { (row.customer) },
            html! { (row.flow) },
            html! { span.whole { (day(row.date)) } },
            html! { (row.branch) },
            html! {
                span { "v" (row.version) @if newest > row.version { span.hint { (lang.of("（最新 v", " (newest: v")) (newest) (lang.of("）", ")")) } } }
            },
            html! { span.whole { (size(row.size_bytes.unsigned_abs())) } },
            html! {
                span.badges {
                    (state(lang, &row.state))
                    @if found.viewable.contains(&row.id) { (badge(Tone::Plain, lang.of("授权有效", "Open to you"))) }
                }
            },
        ]);
        table.row(cells);
    }
    html! { (table) }
}

fn pick(lang: Lang, row: &Evidence) -> Markup {
    let label = lang.of(
        format!("选择 {} {}-{}", row.customer, row.doctype, row.seq),
        format!("Select {} {}-{}", row.customer, row.doctype, row.seq),
    );
    html! { label.tick { input type="checkbox" name="evidence" value=(row.id) aria-label=(label); } }
}

/// The contact sheet, as a logged reading under the person's grant; lazily, so that what isn't looked at isn't read.
fn sheet(lang: Lang, row: &Evidence, address: &str) -> Markup {
    let alt = lang.of("画面缩略图", "Pictures from it");
    html! {
        a href=(address) tabindex="-1" {
            img.thumb loading="lazy" alt=(alt) width="112" height="63" src=(format!("/evidence/{}/{}/sheet", row.id, row.version));
        }
    }
}

fn turns(visit: &Visit, found: &Found, is_later: bool) -> Markup {
    let lang = visit.lang;
    let to = |query: String| {
        if query.is_empty() {
            SEARCH.to_owned()
        } else {
            format!("{SEARCH}?{query}")
        }
    };
    let next = found.next.map(|(date, receipt)| format!("{date}-{receipt}"));
    html! {
        @if is_later || next.is_some() {
            nav.pager aria-label=(lang.of("分页", "Pages")) {
                @if is_later { a.button href=(to(visit.query.with(AFTER, None))) { (lang.of("回到第一页", "First page")) } }
                @if let Some(next) = &next { a.button rel="next" href=(to(visit.query.with(AFTER, Some(next)))) { (lang.of("下一页", "Next")) } }
            }
        }
    }
}

/// Nothing was found: what to do about it.
fn nothing(visit: &Visit, is_later: bool) -> Markup {
    let lang = visit.lang;
    let is_asked = FIELDS.iter().any(|name| visit.query.text(name).is_some());
    let clear = link_button(Weight::Plain, SEARCH, lang.of("清除条件", "Clear the search"));
    match (is_asked, is_later) {
        (_, true) => empty(
            lang.of("没有更多资料", "There is no more"),
            lang.of("已经到最后一页。", "The page before was the last."),
            Some(&link_button(
                Weight::Plain,
                &match visit.query.with(AFTER, None).as_str() {
                    "" => SEARCH.to_owned(),
                    query => format!("{SEARCH}?{query}"),
                },
                lang.of("回到第一页", "First page"),
            )),
        ),
        (true, false) => empty(
            lang.of("没有找到符合条件的资料", "Nothing fits"),
            lang.of(
                "请核对客户号和流水号是否完整（不支持只填一部分），或减少条件、放宽日期后再检索。尚未封存或不在您范围内的资料不会出现在这里。",
                "Check that customer and flow number are complete (a part of them finds nothing), or search with fewer conditions and more days. What isn't sealed yet, or isn't in your reach, doesn't show here.",
            ),
            Some(&clear),
        ),
        (false, false) => empty(
            lang.of("还没有封存的资料", "Nothing is sealed yet"),
            lang.of(
                "营业部通过 SFTP 上传并封存后，资料会出现在这里。",
                "Evidence shows here once a branch has uploaded it and it is sealed.",
            ),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_cursors_are_read_strictly() {
        for good in ["2026-07-28", "20260728"] {
            assert_eq!(calendar_day(good), Some(20_260_728));
        }
        for wrong in [
            "2026-02-30",
            "2026-7-28",
            "28.07.2026",
            "yesterday",
            "-000001-01-01",
            "2026-07-28'",
        ] {
            assert_eq!(calendar_day(wrong), None, "{wrong}");
        }
        assert_eq!(cursor("20260728-7"), Some((20_260_728, 7)));
        for wrong in ["", "20260728", "20260728-", "-7", "20260728--7", "20260728-7;"] {
            assert_eq!(cursor(wrong), None, "{wrong}");
        }
    }
}
