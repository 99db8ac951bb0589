//! Grants: what may be read now, until when, by whose leave; and ending one before its time.

use super::{super::terms, address, before, decision, one::until, parts, told, whose, words};
use crate::{
    access::{
        policy::Action,
        refusal::{AccessError, Refusal},
        register::{GrantRow, Listed, MAX_ROWS},
    },
    catalog::access::Which,
    console::{
        Console,
        fault::Fault,
        layout::{Frame, page},
        page::{Table, Weight, button, empty, link_button, panel, query_form, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
};
use axum::{http::StatusCode, response::Response};
use maud::{Markup, html};

/// The list.
const GRANTS: &str = "/grants";
/// Grants that have ended, on one page.
const ROWS: usize = 50;
/// Live grants on the start page.
const ON_START: usize = 5;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(GRANTS, Need::May(Action::SeeGrants), list).menu("查阅授权", "Grants"),
        post("/grants/{id}/revoke", Need::May(Action::RevokeGrant), revoke),
    ]
}

/// For the start page: what the person may read now.
pub(in crate::console::pages) fn my_grants(console: &Console, visit: &Visit) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let person = visit.person()?;
    let may_hold = console.allows.may(person, Action::ReadContent).is_ok();
    if !may_hold || console.allows.may(person, Action::SeeGrants).is_err() {
        return Ok(html! {});
    }
    let which = Which {
        person: Some(person.id.clone()),
        open: true,
        ..Which::default()
    };
    let live = console.room.grants(&visit.who()?, &which, ON_START)?;
    Ok(html! {
        @if !live.rows.is_empty() {
            (panel(lang.of("我的有效授权", "My live grants"), &html! {
                (table(console, visit, &live, lang.of("我的有效授权", "My live grants"), false))
                div.actions { (link_button(Weight::Plain, GRANTS, lang.of("全部授权", "All grants"))) }
            }))
        }
    })
}

fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let who = visit.who()?;
    let sees_others = console.room.scope(&who, Action::SeeGrants)?.owner().is_none();
    let is_mine = sees_others && visit.query.get("whose") == Some("mine");
    let person = is_mine.then(|| who.person.clone());
    let live = Which {
        person: person.clone(),
        open: true,
        ..Which::default()
    };
    let over = Which {
        person,
        over: true,
        before: before(visit),
        ..Which::default()
    };
    let live = console.room.grants(&who, &live, MAX_ROWS)?;
    let over = console.room.grants(&who, &over, ROWS)?;
    let heading = lang.of("查阅授权", "Grants");
    let (now, ended) = (lang.of("有效", "Live now"), lang.of("已结束", "Ended"));
    let body = html! {
        (title(heading, Some(lang.of("授权到期自动失效；撤销后，正在播放的内容立即停止。", "A grant ends by itself; revoking it stops at once what is being played."))))
        @if sees_others { (query_form(GRANTS, &html! { (whose(visit)) (button(Weight::Plain, lang.of("筛选", "Show"))) })) }
        @if live.rows.is_empty() {
            (empty(lang.of("没有有效的授权", "No grant is live"), lang.of("申请获批后会列在这里。", "What is approved is listed here."), None))
        } @else {
            h2 { (now) }
            (table(console, visit, &live, now, sees_others))
            @if live.next.is_some() {
                p.hint { (lang.of(format!("只列出最新的 {MAX_ROWS} 件。"), format!("The newest {MAX_ROWS} are shown."))) }
            }
        }
        @if !over.rows.is_empty() {
            h2 { (ended) }
            (table(console, visit, &over, ended, sees_others))
        }
        (parts(visit, GRANTS, over.next))
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn table(
    console: &Console,
    visit: &Visit,
    grants: &Listed<GrantRow>,
    caption: &str,
    names_holders: bool,
) -> Markup {
    let lang = visit.lang;
    let now_ms = console.clock.now_ms();
    let has_steps = grants.rows.iter().any(|row| row.may_revoke);
    let mut table = Table::new(caption);
    if names_holders {
        table = table.column(lang.of("持有人", "Holder"));
    }
    table = table
        .column(lang.of("资料", "Covers"))
        .column(lang.of("用途", "For"))
        .column(lang.of("到期", "Until"))
        .column(lang.of("审批人", "Approved by"))
        .column(lang.of("状态", "State"));
    if has_steps {
        table = table.column("");
    }
    for row in &grants.rows {
        let grant = &row.grant;
        let name = |id| words::person(&grants.people, id);
        let mut cells = Vec::new();
        if names_holders {
            cells.push(html! { (name(&grant.person)) });
        }
        cells.extend([
            html! { div {
                (words::records(lang, &row.records, grant.items))
                a.hint href=(address(&grant.request)) { (lang.of("查看申请", "The request")) }
            } },
            html! { span.word { (terms::purpose_name(lang, &grant.purpose)) } },
            html! { div { (until(console, visit, grant)) } },
            html! { div { (name(&grant.approver)) @if let Some(endorser) = &grant.endorser { (lang.of("、", ", ")) (name(endorser)) } } },
            html! { div {
                (words::grant_state(lang, grant, now_ms))
                @if let Some(reason) = &grant.revoked_reason { " " span.hint { (reason) } }
            } },
            html! { @if row.may_revoke { (revoke_form(visit, &grant.id, None)) } },
        ]);
        table.row(cells);
    }
    html! { (table) }
}

fn revoke_form(visit: &Visit, id: &str, wrong: Option<Refusal>) -> Markup {
    let lang = visit.lang;
    decision::with_reason(
        visit,
        &format!("{GRANTS}/{id}/revoke"),
        lang.of("撤销…", "Revoke…"),
        lang.of("撤销授权", "Revoke the grant"),
        lang.of("理由", "Reason"),
        wrong,
    )
}

fn revoke(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let id = visit.param("id")?;
    let reason = visit.form.get("reason").unwrap_or_default();
    match console.room.revoke_grant(&visit.who()?, id, reason) {
        Ok(()) => {
            let words = Words::new(
                "授权已撤销，立即生效。",
                "The grant is revoked, as of this moment.",
            );
            Ok(told(console, visit, GRANTS, words))
        }
        Err(AccessError::Refused(wrong @ Refusal::NoReason)) => Ok(revoke_again(console, visit, id, wrong)),
        Err(error) => Err(error.into()),
    }
}

/// The step once more, with what was wrong. It says nothing about the grant, which may not be theirs to see.
fn revoke_again(console: &Console, visit: &Visit, id: &str, wrong: Refusal) -> Response {
    let lang = visit.lang;
    let heading = lang.of("撤销授权", "Revoke the grant");
    let body = html! {
        (title(heading, None))
        (panel(heading, &revoke_form(visit, id, Some(wrong))))
        div.actions { (link_button(Weight::Plain, GRANTS, lang.of("返回", "Back"))) }
    };
    let mut response = page(&Frame::of(console, visit), heading, &body);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}
