//! One request: what was asked, by whom and why, what became of it, and what who looks may do about it.

use super::{super::terms, REQUESTS, address, decision, told, words};
use crate::{
    access::{policy::Action, refusal::Refusal, register::RequestFile},
    catalog::access::{Grant, Request},
    console::{
        Console,
        fault::Fault,
        file_name,
        layout::{Frame, page},
        page::{Table, Weight, button, definitions, form, link_button, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/requests/{id}", Need::May(Action::SeeRequests), show),
        get("/requests/{id}/form", Need::May(Action::SeeRequests), scan),
        post(
            "/requests/{id}/withdraw",
            Need::May(Action::WithdrawRequest),
            withdraw,
        ),
    ]
}

fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    shown(console, visit, visit.param("id")?, None)
}

/// The page, with what was wrong with a decision that was tried.
pub(super) fn shown(
    console: &Console,
    visit: &Visit,
    id: &str,
    wrong: Option<Refusal>,
) -> Result<Response, Fault> {
    let lang = visit.lang;
    let file = console.room.request(&visit.who()?, id)?;
    let request = &file.request;
    let heading = lang.of("查阅申请", "Request for access");
    let body = html! {
        (title(heading, None))
        p { (words::request_state(lang, request)) }
        (panel(lang.of("申请内容", "What is asked for"), &facts(console, visit, &file)))
        @if file.decides.is_ok() {
            (panel(lang.of("审批", "Decide"), &decision::forms(visit, &file, wrong)))
        } @else {
            @if let Err(why @ (Refusal::OwnRequest | Refusal::Involved | Refusal::AlreadyEndorsed)) = file.decides
                && console.allows.may(visit.person()?, Action::DecideRequest).is_ok() {
                p.flash.note { (lang.of(why.zh(), why.en())) }
            }
            (panel(lang.of("资料", "Records"), &html! {
                ul.records { @for record in &file.records { li { (words::record(lang, record)) } } }
            }))
        }
        @if let Some((grant, covered)) = &file.grant {
            (panel(lang.of("授权", "The grant"), &html! {
                (definitions(&[
                    (lang.of("状态", "State"), words::grant_state(lang, grant, console.clock.now_ms())),
                    (lang.of("用途", "For"), html! { (terms::purpose_name(lang, &grant.purpose)) }),
                    (lang.of("到期", "Until"), until(console, visit, grant)),
                    (lang.of("涵盖", "Covers"), html! { (lang.of(format!("{} 件", covered.len()), format!("{} records", covered.len()))) }),
                ]))
                div.actions { (link_button(Weight::Plain, "/grants", lang.of("查阅授权", "Grants"))) }
            }))
        }
        (panel(lang.of("经过", "What happened"), &history(console, visit, &file)))
        @if file.may_withdraw {
            (form(visit, &format!("{}/withdraw", address(&request.id)), &html! {
                div.actions { (button(Weight::Danger, lang.of("撤回申请", "Withdraw the request"))) }
            }))
        }
    };
    let mut response = page(&Frame::of(console, visit), heading, &body);
    if wrong.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    Ok(response)
}

/// When a grant ends, and how long it is until then.
pub(super) fn until(console: &Console, visit: &Visit, grant: &Grant) -> Markup {
    let now_ms = console.clock.now_ms();
    html! {
        (console.zone.date_time(grant.expires_ms))
        @if grant.is_live(now_ms) { " " span.hint.word { (words::remaining(visit.lang, now_ms, grant.expires_ms)) } }
    }
}

fn facts(console: &Console, visit: &Visit, file: &RequestFile) -> Markup {
    let lang = visit.lang;
    let request = &file.request;
    let mut facts = vec![
        (
            lang.of("申请人", "Who asks"),
            html! { (words::person(&file.people, &request.person)) },
        ),
        (
            lang.of("提交时间", "Filed"),
            html! { (console.zone.date_time(request.requested_ms)) },
        ),
        (
            lang.of("用途", "For"),
            html! { (terms::purpose_name(lang, &request.purpose)) },
        ),
        (
            lang.of("依据", "Basis"),
            html! { (terms::basis_name(lang, &request.basis)) },
        ),
        (lang.of("理由", "Reason"), html! { (request.reason) }),
        (
            lang.of("时长", "For how long"),
            html! { (words::duration(lang, request.duration_s)) },
        ),
        (
            lang.of("资料", "Records"),
            html! { (lang.of(format!("{} 件", request.items), format!("{} records", request.items))) },
        ),
    ];
    if request.emergency {
        facts.push((
            lang.of("紧急查阅", "Emergency"),
            html! { (lang.of("须两位审批人同意，并在报告中单独列示", "takes two approvers, and is flagged in reports")) },
        ));
    }
    if let Some(name) = &request.form_name {
        facts.push((
            lang.of("审批单", "Signed form"),
            form_link(console, visit, request, name),
        ));
    }
    if let Some(reason) = &request.decided_reason {
        facts.push((lang.of("未批准的理由", "Why it was declined"), html! { (reason) }));
    }
    definitions(&facts)
}

fn form_link(console: &Console, visit: &Visit, request: &Request, name: &str) -> Markup {
    let lang = visit.lang;
    // Rounded up: nothing has no size.
    let size = html! { " " span.hint { (request.form_size_bytes.unwrap_or(0) / 1024 + 1) " KB" } };
    html! {
        @if console.room.contents.keyring().closed().is_none() {
            a href=(format!("{}/form", address(&request.id))) download { (name) } (size)
        } @else {
            (name) (size)
            p.hint { (lang.of("解密密钥未解锁，暂时无法打开。", "It can't be opened while the decryption key is locked.")) }
        }
    }
}

fn history(console: &Console, visit: &Visit, file: &RequestFile) -> Markup {
    let lang = visit.lang;
    let mut table = Table::new(lang.of("经过", "What happened"))
        .column(lang.of("时间", "When"))
        .column(lang.of("事项", "What"))
        .column(lang.of("经手人", "By"))
        .right(lang.of("日志位置", "Log position"));
    for entry in &file.history {
        table.row([
            html! { (console.zone.date_time(entry.time_ms)) },
            html! { (words::event(lang, &entry.kind)) },
            html! { (words::person(&file.people, &entry.actor)) },
            html! { (entry.leaf) },
        ]);
    }
    html! { (table) }
}

fn withdraw(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let id = visit.param("id")?;
    console.room.withdraw_request(&visit.who()?, id)?;
    let words = Words::new("申请已撤回。", "The request is withdrawn.");
    Ok(told(console, visit, REQUESTS, words))
}

/// The scan as it was filed: always to be saved, never shown inside the console.
fn scan(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let kept = console.room.request_form(&visit.who()?, visit.param("id")?)?;
    let disposition = file_name::attachment(&saved_name(&kept.name, kept.media_type));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kept.media_type)),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, kept.bytes).into_response())
}

/// The name to save a form under: its filer chose it, so it ends as what it is.
fn saved_name(name: &str, media_type: &str) -> String {
    let endings: &[&str] = match media_type {
        "application/pdf" => &[".pdf"],
        "image/jpeg" => &[".jpg", ".jpeg"],
        _ => &[".png"],
    };
    let lower = name.to_ascii_lowercase();
    match endings.iter().any(|ending| lower.ends_with(ending)) {
        true => name.to_owned(),
        false => format!("{name}{}", endings[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_saved_as_what_it_is() {
        for (name, media_type, saved) in [
            ("审批单.PDF", "application/pdf", "审批单.PDF"),
            ("scan.jpeg", "image/jpeg", "scan.jpeg"),
            ("form.html", "application/pdf", "form.html.pdf"),
            ("form.pdf", "image/png", "form.pdf.png"),
            ("", "image/jpeg", ".jpg"),
        ] {
            assert_eq!(saved_name(name, media_type), saved);
        }
    }
}
