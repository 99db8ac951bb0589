//! Signing in: by passkey, or by name, password and code together, so that a wrong one of them doesn't show which it was.

use super::factors::{
    code_field, grave, json, page_with, parsed, passkey_button, passkey_failed, passkey_script, words,
};
use crate::{
    access::credentials::{CredentialError, Typed, passkey::Assertion},
    console::{
        Console,
        fault::Fault,
        layout::Frame,
        next,
        page::{Field, Weight, button, form, panel, title},
        routes::{Need, Route, get, post},
        see_other,
        visit::Visit,
    },
};
use axum::{http::StatusCode, response::Response};
use maud::html;

/// Where a browser learns what to ask a passkey.
const OPTIONS: &str = "/sign-in/passkey";

pub(in crate::console) fn routes() -> Vec<Route> {
    vec![
        get("/sign-in", Need::Public, ask),
        post("/sign-in", Need::Public, by_password),
        get(OPTIONS, Need::Public, passkey_options),
        post(OPTIONS, Need::Public, by_passkey),
    ]
}

fn ask(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    if visit.signed.is_some() {
        return Ok(see_other(
            visit.query.get("next").and_then(next::local).unwrap_or("/"),
        ));
    }
    Ok(shown(console, visit, visit.query.get("next"), None))
}

fn by_password(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let field = |name| visit.form.get(name).unwrap_or_default();
    let typed = Typed {
        name: field("name"),
        password: field("password"),
        code: field("code"),
    };
    let done = console.credentials.sign_in(typed, visit.from());
    let next = visit.form.get("next");
    match done {
        Ok(signed_in) => console.sign_in(visit, &signed_in, next),
        Err(error) => Ok(shown(console, visit, next, Some(&grave(error)?))),
    }
}

fn passkey_options(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    // Sets the cookie that the challenge belongs to, where the page didn't yet.
    let _ = visit.token();
    match console.credentials.passkey_options(&visit.guest()) {
        Ok(options) => Ok(json(&options)),
        Err(CredentialError::NoPasskeys) => Err(Fault::NotFound),
        Err(error) => Err(Fault::internal(error)),
    }
}

fn by_passkey(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let next = visit.form.get("next");
    let done = match parsed::<Assertion>(visit, "answer") {
        None => Err(CredentialError::Refused),
        Some(answer) => console
            .credentials
            .sign_in_by_passkey(&answer, &visit.guest(), visit.from()),
    };
    match done {
        Ok(signed_in) => console.sign_in(visit, &signed_in, next),
        Err(CredentialError::NoPasskeys) => Err(Fault::NotFound),
        Err(error) => Ok(shown(console, visit, next, Some(&grave(error)?))),
    }
}

fn shown(console: &Console, visit: &Visit, next: Option<&str>, error: Option<&CredentialError>) -> Response {
    let lang = visit.lang;
    let next = next.and_then(next::local).unwrap_or_default();
    let name = Field {
        name: "name",
        label: lang.of("登录名", "Log-in name"),
        value: visit.form.get("name").unwrap_or_default(),
        autocomplete: Some("username"),
        max_length: Some(64),
        required: true,
        focused: true,
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: lang.of("密码", "Password"),
        kind: "password",
        autocomplete: Some("current-password"),
        required: true,
        ..Field::default()
    };
    // The first one is what the page is for.
    let weight = if console.credentials.has_passkeys() {
        Weight::Plain
    } else {
        Weight::Primary
    };
    let by_passkey = html! {
        input type="hidden" name="next" value=(next);
        input type="hidden" name="answer" value="";
        (passkey_button("button primary", &format!("get {OPTIONS} answer"), lang.of("用通行密钥登录", "Sign in with a passkey"), None))
        (passkey_failed(lang))
    };
    let by_password = html! {
        input type="hidden" name="next" value=(next);
        (name.input())
        (password.input())
        (code_field(lang, true, None))
        (button(weight, lang.of("登录", "Sign in")))
    };
    let heading = lang.of("登录", "Sign in");
    let body = html! {
        (title(heading, Some(lang.of(
            "登录需要两个因素：密码加验证码，或者一个通行密钥。登录与失败均记入保管日志。",
            "Two factors: a password with a code, or a passkey. Sign-ins and failures go to the custody log.",
        ))))
        @if let Some(error) = error { p.flash.failed role="alert" { (words(error).of(lang)) } }
        @if console.credentials.has_passkeys() {
            (panel(lang.of("通行密钥", "Passkey"), &form(visit, OPTIONS, &by_passkey)))
            (passkey_script())
        }
        (panel(lang.of("密码和验证码", "Password and code"), &form(visit, "/sign-in", &by_password)))
        p { (lang.of("首次使用，或者丢失了密码、手机？", "First time here, or lost your password or phone?")) " "
            a href="/join" { (lang.of("使用邀请码", "Use an invitation")) } }
    };
    let mut response = page_with(&Frame::of(console, visit), heading, &body, error);
    if error.is_some() {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}
