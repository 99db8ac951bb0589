//! Another password, another authenticator app.

use super::{ACCOUNT, changed};
use crate::{
    access::credentials::CredentialError,
    console::{
        Console,
        fault::Fault,
        layout::Frame,
        page::{Weight, form, link_button, title},
        pages::{
            factors::{Given, confirmation, grave, page_with, wrong},
            join::{app, new_password},
        },
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
};
use axum::response::Response;
use maud::{Markup, html};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/account/password", Need::SignedIn, ask_password),
        post("/account/password", Need::SignedIn, change_password),
        get("/account/app", Need::SignedIn, ask_app),
        post("/account/app", Need::SignedIn, change_app),
    ]
}

fn ask_password(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    password_page(console, visit, None)
}

fn change_password(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let field = |name| visit.form.get(name).unwrap_or_default();
    if field("password") != field("again") {
        return password_page(
            console,
            visit,
            Some(&Words::new("两次输入的密码不一致。", "The two passwords differ.")),
        );
    }
    let given = Given::of(visit);
    let done = console.credentials.change_password(
        &signed.person,
        &signed.session.id,
        given.shown(),
        field("password"),
    );
    match done {
        Ok(()) => changed(
            console,
            visit,
            Words::new(
                "密码已更改，其他会话已结束。",
                "Your password is changed; other sessions ended.",
            ),
        ),
        Err(error) => password_page(console, visit, Some(&wrong(&grave(error)?))),
    }
}

fn password_page(console: &Console, visit: &Visit, wrong: Option<&Words>) -> Result<Response, Fault> {
    let lang = visit.lang;
    let (factors, _) = console
        .credentials
        .factors(&visit.person()?.id)
        .map_err(Fault::internal)?;
    let does = lang.of("更改密码", "Change password");
    let body = html! {
        (new_password(lang, &visit.person()?.name))
        (confirmation(console, lang, &factors, does, None, None))
    };
    Ok(shown(console, visit, does, "/account/password", &body, wrong))
}

fn ask_app(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    app_page(console, visit, None)
}

fn change_app(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let field = |name| visit.form.get(name).unwrap_or_default();
    let given = Given::of(visit);
    let done = console.credentials.change_totp(
        &signed.person,
        &signed.session.id,
        given.shown(),
        field("enrolment"),
        field("totp"),
    );
    match done {
        Ok(()) => changed(
            console,
            visit,
            Words::new(
                "身份验证器已更换，其他会话已结束。",
                "Your app is changed; other sessions ended.",
            ),
        ),
        Err(error) => app_page(console, visit, Some(&wrong(&grave(error)?))),
    }
}

fn app_page(console: &Console, visit: &Visit, wrong: Option<&Words>) -> Result<Response, Fault> {
    let lang = visit.lang;
    let person = visit.person()?;
    let (factors, _) = console.credentials.factors(&person.id).map_err(Fault::internal)?;
    let sealed = visit.form.get("enrolment").unwrap_or_default();
    let kept = console
        .credentials
        .enrolment_again(person, sealed)
        .map_err(Fault::internal)?;
    let enrolment = match kept {
        Some(kept) => kept,
        None => console.credentials.enrolment(person).map_err(Fault::internal)?,
    };
    let does = lang.of("更换身份验证器", "Set up another app");
    let body = html! {
        input type="hidden" name="enrolment" value=(enrolment.sealed);
        h2 { (lang.of("1. 新的身份验证器", "1. The new app")) }
        (app(lang, &enrolment, "totp"))
        h2 { (lang.of("2. 用现有的第二因素确认", "2. Confirm with what you have now")) }
        (confirmation(console, lang, &factors, does, None, None))
    };
    Ok(shown(console, visit, does, "/account/app", &body, wrong))
}

/// A page with one form on it, and the way back.
pub(super) fn shown(
    console: &Console,
    visit: &Visit,
    heading: &str,
    action: &str,
    fields: &Markup,
    wrong: Option<&Words>,
) -> Response {
    let lang = visit.lang;
    let body = html! {
        (title(heading, None))
        @if let Some(wrong) = wrong { p.flash.failed role="alert" { (wrong.of(lang)) } }
        section.panel { (form(visit, action, fields)) }
        div.actions { (link_button(Weight::Plain, ACCOUNT, lang.of("返回我的账户", "Back to my account"))) }
    };
    let error = wrong.map(|_| &CredentialError::Refused);
    page_with(&Frame::of(console, visit), heading, &body, error)
}
