//! Requests, approvals and grants: the pages on which access is asked for, given and ended. They show and send; who may is
//! decided by the access desk, inside the transaction that commits it.

mod decision;
mod filing;
mod grants;
mod inbox;
mod one;
mod words;

pub(super) use grants::my_grants;
pub(super) use inbox::what_waits;

use super::terms;
use crate::{
    access::policy::Action,
    catalog::access::Which,
    console::{
        Console,
        fault::Fault,
        layout::{Frame, page},
        page::{Field, Table, Weight, button, empty, link_button, pager, query_form, title},
        routes::{Need, Route, get},
        see_other,
        session::{Flash, FlashKind},
        visit::Visit,
        words::Words,
    },
};
use axum::response::Response;
use maud::{Markup, html};

/// The list of requests.
const REQUESTS: &str = "/requests";
/// The form.
const NEW: &str = "/requests/new";
/// Rows of a page.
const ROWS: usize = 50;

pub(in crate::console) fn routes() -> Vec<Route> {
    let list = vec![get(REQUESTS, Need::May(Action::SeeRequests), list).menu("查阅申请", "Requests")];
    [
        list,
        filing::routes(),
        one::routes(),
        decision::routes(),
        inbox::routes(),
        grants::routes(),
    ]
    .concat()
}

/// On to another page, which opens with what was done.
fn told(console: &Console, visit: &Visit, path: &str, words: Words) -> Response {
    if let Some(signed) = &visit.signed {
        let kind = FlashKind::Done;
        console.sessions.flash(&signed.session.id, Flash { kind, words });
    }
    see_other(path)
}

fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let who = visit.who()?;
    let sees_others = console.room.scope(&who, Action::SeeRequests)?.owner().is_none();
    let is_mine = sees_others && visit.query.get("whose") == Some("mine");
    let state = visit.query.text("state");
    let state = state.filter(|state| words::states(lang).iter().any(|(id, _)| id == state));
    let which = Which {
        person: is_mine.then(|| who.person.clone()),
        state: state.map(str::to_owned),
        before: before(visit),
        ..Which::default()
    };
    let listed = console.room.requests(&who, &which, ROWS)?;
    let may_ask = console.allows.may(visit.person()?, Action::RequestAccess).is_ok();
    let file = link_button(Weight::Primary, NEW, lang.of("提交申请", "File a request"));
    let mut table = Table::new(lang.of("查阅申请", "Requests for access"))
        .column(lang.of("提交时间", "Filed"))
        .column(lang.of("申请人", "Who asks"))
        .column(lang.of("资料", "Records"))
        .column(lang.of("用途", "For"))
        .column(lang.of("依据", "Basis"))
        .column(lang.of("状态", "State"));
    for row in &listed.rows {
        let request = &row.request;
        table.row([
            html! { a href=(address(&request.id)) { (console.zone.date_time(request.requested_ms)) } },
            html! { (words::person(&listed.people, &request.person)) },
            words::records(lang, &row.records, request.items),
            html! { span.word { (terms::purpose_name(lang, &request.purpose)) } },
            html! { span.word { (terms::basis_name(lang, &request.basis)) } },
            words::request_state(lang, request),
        ]);
    }
    let heading = lang.of("查阅申请", "Requests for access");
    let body = html! {
        (title(heading, None))
        @if may_ask { div.actions { (file) } }
        (filters(visit, sees_others, state))
        @if listed.rows.is_empty() {
            (empty(lang.of("没有申请", "No requests"), lang.of("需要查阅证据时，先检索，再提交申请。", "When you need evidence, search first, then file a request."), None))
        } @else { (table) (parts(visit, REQUESTS, listed.next)) }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn filters(visit: &Visit, sees_others: bool, state: Option<&str>) -> Markup {
    let lang = visit.lang;
    let mut states = vec![("", lang.of("全部", "All"))];
    states.extend(words::states(lang));
    let by_state = Field {
        name: "state",
        label: lang.of("状态", "State"),
        value: state.unwrap_or_default(),
        ..Field::default()
    };
    query_form(
        REQUESTS,
        &html! {
            (by_state.select(&states))
            @if sees_others { (whose(visit)) }
            (button(Weight::Plain, lang.of("筛选", "Show")))
        },
    )
}

/// Whose requests or grants, for those who see more than their own.
fn whose(visit: &Visit) -> Markup {
    let lang = visit.lang;
    let everybody = match visit
        .signed
        .as_ref()
        .and_then(|signed| signed.person.branch.as_ref())
    {
        Some(_) => lang.of("本营业部", "My branch's"),
        None => lang.of("全部", "Everybody's"),
    };
    let field = Field {
        name: "whose",
        label: lang.of("范围", "Whose"),
        value: visit.query.get("whose").unwrap_or_default(),
        ..Field::default()
    };
    field.select(&[("", everybody), ("mine", lang.of("我的", "Mine"))])
}

/// Where a part of a list begins.
fn before(visit: &Visit) -> Option<u64> {
    visit.query.text("before").and_then(|before| before.parse().ok())
}

/// The way to the next part of a list, and back to its beginning.
fn parts(visit: &Visit, path: &str, next: Option<u64>) -> Markup {
    let lang = visit.lang;
    let to = |before: Option<&str>| match visit.query.with("before", before).as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    let next = next.map(|leaf| to(Some(&leaf.to_string())));
    html! {
        @if next.is_some() { (pager(lang, None, next.as_deref(), lang.of("新的在前", "Newest first"))) }
        @if before(visit).is_some() {
            div.actions { (link_button(Weight::Plain, &to(None), lang.of("回到最新", "Back to the newest"))) }
        }
    }
}

/// The page of a request.
fn address(id: &str) -> String {
    format!("{REQUESTS}/{id}")
}
