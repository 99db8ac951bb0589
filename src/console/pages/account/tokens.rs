//! Tokens for programs: issued with a factor, shown once, revoked without asking.

use super::{ACCOUNT, change::shown, told};
use crate::{
    access::credentials::{
        CredentialError,
        token::{MAX_DAYS, NewToken},
    },
    console::{
        Console,
        allows::role_name,
        fault::Fault,
        layout::{Frame, page},
        page::{Field, Weight, checkbox, link_button, panel, title},
        pages::factors::{Given, confirmation, grave, wrong},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::{Lang, Words},
    },
    domain::role::Role,
};
use axum::response::Response;
use maud::html;

/// Days that stand in the form.
const SUGGESTED_DAYS: &str = "90";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/account/tokens/issue", Need::SignedIn, ask),
        post("/account/tokens/issue", Need::SignedIn, issue),
        post("/account/tokens/{id}/revoke", Need::SignedIn, revoke),
    ]
}

fn ask(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    form_page(console, visit, None)
}

fn issue(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let signed = visit.signed()?;
    let given = Given::of(visit);
    let new = NewToken {
        roles: visit.form.all("role").map(str::to_owned).collect(),
        days: visit
            .form
            .text("days")
            .and_then(|days| days.parse().ok())
            .unwrap_or(0),
        label: visit.form.get("label").unwrap_or_default().to_owned(),
    };
    let done = console
        .credentials
        .issue_token(&signed.person, &signed.session.id, given.shown(), new);
    let token = match done {
        Ok(token) => token,
        Err(error) => return form_page(console, visit, Some(&wrong(&grave(error)?))),
    };
    let heading = lang.of("令牌已签发", "The token is issued");
    let body = html! {
        (title(heading, None))
        (panel(lang.of("只显示这一次", "Shown this once"), &html! {
            p { (lang.of(
                "请立即复制到使用它的系统中。本系统不保存令牌，离开本页后无法再次查看。",
                "Copy it into the program that uses it now. It is kept nowhere, so it can't be shown again.",
            )) }
            p.once { code { (token.as_str()) } }
            p { button.copy type="button" data-copy=(token.as_str()) hidden { (lang.of("复制", "Copy")) } }
        }))
        div.actions { (link_button(Weight::Plain, ACCOUNT, lang.of("返回我的账户", "Back to my account"))) }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn form_page(console: &Console, visit: &Visit, wrong: Option<&Words>) -> Result<Response, Fault> {
    let lang = visit.lang;
    let person = visit.person()?;
    let (factors, _) = console.credentials.factors(&person.id).map_err(Fault::internal)?;
    let label = Field {
        name: "label",
        label: lang.of("用途", "What it is for"),
        value: visit.form.get("label").unwrap_or_default(),
        max_length: Some(60),
        required: true,
        focused: true,
        ..Field::default()
    };
    let hint = lang.of(
        format!("最多 {MAX_DAYS} 天。"),
        format!("{MAX_DAYS} at the most."),
    );
    let days = Field {
        name: "days",
        label: lang.of("有效天数", "Days that it counts"),
        hint: Some(&hint),
        value: visit.form.text("days").unwrap_or(SUGGESTED_DAYS),
        inputmode: Some("numeric"),
        max_length: Some(3),
        required: true,
        ..Field::default()
    };
    let held = Role::ALL.into_iter().filter(|role| person.holds(*role));
    let does = lang.of("签发令牌", "Issue a token");
    let body = html! {
        (label.input())
        fieldset {
            legend { (lang.of("角色", "Roles")) }
            @for role in held {
                (checkbox("role", role.id(), role_name(role).of(lang), visit.form.all("role").any(|ticked| ticked == role.id())))
            }
        }
        (days.input())
        (confirmation(console, lang, &factors, does, None, None))
    };
    Ok(shown(console, visit, does, "/account/tokens/issue", &body, wrong))
}

fn revoke(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let token = visit.param("id")?;
    match console.credentials.revoke_token(visit.person()?, token) {
        Ok(()) => {
            console.room.reads.end_holder(token);
            let words = Words::new("令牌已撤销。", "The token is revoked.");
            Ok(told(console, visit, words))
        }
        Err(CredentialError::Unknown) => Err(Fault::NotFound),
        Err(error) => Err(Fault::internal(error)),
    }
}

/// Roles as people call them.
pub(super) fn role_names(lang: Lang, roles: &[String]) -> String {
    let known = roles.iter().filter_map(|role| role.parse::<Role>().ok());
    let names: Vec<String> = known.map(|role| role_name(role).of(lang).to_owned()).collect();
    names.join(lang.of("、", ", "))
}
