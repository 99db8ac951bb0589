//! The inbox of an approver: what waits, emergencies first, then the oldest; approved as asked in one click.

use super::{super::terms, address, decision, words};
use crate::{
    access::{policy::Action, refusal::Refusal, register::Waiting},
    catalog::people::Person,
    console::{
        Console,
        fault::Fault,
        layout::{Frame, page},
        page::{Weight, button, definitions, empty, form, link_button, title},
        routes::{Need, Route, get},
        visit::Visit,
    },
};
use axum::response::Response;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The inbox.
pub(super) const APPROVALS: &str = "/approvals";

pub(super) fn routes() -> Vec<Route> {
    let inbox = get(APPROVALS, Need::May(Action::DecideRequest), inbox);
    vec![inbox.menu("待审批", "Approvals").counted(waiting)]
}

/// How many requests wait for a person. What can't be counted isn't shown; the inbox itself says why.
fn waiting(console: &Console, person: &Person) -> usize {
    console.room.waiting(person).unwrap_or_else(|error| {
        tracing::error!(%error, "waiting requests couldn't be counted");
        0
    })
}

/// For the start page: what waits for whoever decides requests.
pub(in crate::console::pages) fn what_waits(console: &Console, visit: &Visit) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let waiting = waiting(console, visit.person()?);
    Ok(html! {
        @if waiting > 0 {
            p.flash.note {
                a href=(APPROVALS) { (lang.of(format!("有 {waiting} 件申请等待您审批"), format!("{waiting} requests wait for you to decide"))) }
            }
        }
    })
}

fn inbox(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let (waiting, people) = console.room.inbox(&visit.who()?)?;
    let (mine, others): (Vec<Waiting>, Vec<Waiting>) =
        waiting.into_iter().partition(|row| row.decides.is_ok());
    let heading = lang.of("待审批", "Approvals");
    let lead = lang.of(
        "紧急的在前，其余按提交时间先后。",
        "Emergencies first, then the oldest.",
    );
    let body = html! {
        (title(heading, Some(lead)))
        @if mine.is_empty() {
            (empty(
                lang.of("没有等待您审批的申请", "Nothing waits for you"),
                lang.of("有新的申请时，菜单上会显示件数。", "The menu shows a number when something does."),
                None,
            ))
        }
        @for row in &mine { (card(console, visit, row, &people)) }
        @if !others.is_empty() {
            h2 { (lang.of("须由他人审批", "For somebody else to decide")) }
            @for row in &others { (card(console, visit, row, &people)) }
        }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn card(console: &Console, visit: &Visit, row: &Waiting, people: &BTreeMap<String, String>) -> Markup {
    let lang = visit.lang;
    let request = &row.request;
    let mut facts = vec![
        (
            lang.of("资料", "Records"),
            words::records(lang, &row.records, request.items),
        ),
        (
            lang.of("用途、时长", "For"),
            html! { (terms::purpose_name(lang, &request.purpose)) " · " (words::duration(lang, request.duration_s)) },
        ),
        (
            lang.of("依据", "Basis"),
            html! { (terms::basis_name(lang, &request.basis)) },
        ),
        (lang.of("理由", "Reason"), html! { (request.reason) }),
        (
            lang.of("提交时间", "Filed"),
            html! { (console.zone.date_time(request.requested_ms)) },
        ),
    ];
    if let Some(form) = &request.form_name {
        facts.push((lang.of("审批单", "Signed form"), html! { (form) }));
    }
    html! {
        section.panel {
            h3 { (words::person(people, &request.person)) " " (words::request_state(lang, request)) }
            (definitions(&facts))
            @match row.decides {
                Ok(()) => { (steps(visit, row)) }
                Err(why) => {
                    p.hint { (why_not(visit, why)) }
                    div.actions { (link_button(Weight::Plain, &address(&request.id), lang.of("查看", "Open"))) }
                }
            }
        }
    }
}

fn steps(visit: &Visit, row: &Waiting) -> Markup {
    let lang = visit.lang;
    let request = &row.request;
    let is_endorsement = request.emergency && request.endorser.is_none();
    let does = if is_endorsement {
        lang.of("同意", "Agree")
    } else {
        lang.of("按申请批准", "Approve as asked")
    };
    html! {
        div.actions {
            (form(visit, &format!("{}/approve", address(&request.id)), &button(Weight::Primary, does)))
            (link_button(Weight::Plain, &address(&request.id), lang.of("查看、缩小范围", "Open, or give less")))
        }
        (decision::decline_form(visit, &request.id, None))
    }
}

fn why_not(visit: &Visit, why: Refusal) -> &'static str {
    visit.lang.of(why.zh(), why.en())
}
