//! Passkeys: one more, one less.

use super::{change::shown, changed, told};
use crate::{
    access::credentials::{CredentialError, passkey::Registration},
    console::{
        Console,
        fault::Fault,
        page::Field,
        pages::factors::{Given, confirmation, grave, json, parsed, wrong},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
};
use axum::response::Response;
use maud::html;

const OPTIONS: &str = "/account/passkeys/options";

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(OPTIONS, Need::SignedIn, options),
        get("/account/passkeys/add", Need::SignedIn, ask_new),
        post("/account/passkeys/add", Need::SignedIn, add),
        get("/account/passkeys/{id}/remove", Need::SignedIn, ask_removal),
        post("/account/passkeys/{id}/remove", Need::SignedIn, remove),
    ]
}

fn options(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    match console
        .credentials
        .creation_options(&signed.person, &signed.session.id)
    {
        Ok(options) => Ok(json(&options)),
        Err(CredentialError::NoPasskeys) => Err(Fault::NotFound),
        Err(error) => Err(Fault::internal(error)),
    }
}

fn ask_new(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    new_page(console, visit, None)
}

fn add(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let Some(answer) = parsed::<Registration>(visit, "answer") else {
        return new_page(console, visit, Some(&wrong(&CredentialError::Refused)));
    };
    let given = Given::of(visit);
    let done = console.credentials.add_passkey(
        &signed.person,
        &signed.session.id,
        given.shown(),
        &answer,
        visit.form.get("label").unwrap_or_default(),
    );
    match done {
        // More ways in take nothing away from other sessions.
        Ok(()) => {
            let mut response = told(
                console,
                visit,
                Words::new("通行密钥已添加。", "The passkey is added."),
            );
            console.renew(visit, &mut response)?;
            Ok(response)
        }
        Err(error) => new_page(console, visit, Some(&wrong(&grave(error)?))),
    }
}

fn new_page(console: &Console, visit: &Visit, wrong: Option<&Words>) -> Result<Response, Fault> {
    if !console.credentials.has_passkeys() {
        return Err(Fault::NotFound);
    }
    let lang = visit.lang;
    let (factors, _) = console
        .credentials
        .factors(&visit.person()?.id)
        .map_err(Fault::internal)?;
    let label = Field {
        name: "label",
        label: lang.of("名称", "Name"),
        hint: Some(lang.of(
            "便于以后区分，例如“办公电脑”。",
            "To tell it from others, for instance \"office PC\".",
        )),
        value: visit.form.get("label").unwrap_or_default(),
        max_length: Some(60),
        required: true,
        focused: true,
        ..Field::default()
    };
    let does = lang.of("添加通行密钥", "Add a passkey");
    let create = format!("create {OPTIONS} answer");
    let body = html! {
        (label.input())
        (confirmation(console, lang, &factors, does, Some(&create), None))
    };
    Ok(shown(console, visit, does, "/account/passkeys/add", &body, wrong))
}

fn ask_removal(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    removal_page(console, visit, None)
}

fn remove(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let given = Given::of(visit);
    let done = console.credentials.remove_passkey(
        &signed.person,
        &signed.session.id,
        given.shown(),
        visit.param("id")?,
    );
    match done {
        Ok(()) => changed(
            console,
            visit,
            Words::new(
                "通行密钥已删除，其他会话已结束。",
                "The passkey is removed; other sessions ended.",
            ),
        ),
        Err(CredentialError::Unknown) => Err(Fault::NotFound),
        Err(error) => removal_page(console, visit, Some(&wrong(&grave(error)?))),
    }
}

fn removal_page(console: &Console, visit: &Visit, wrong: Option<&Words>) -> Result<Response, Fault> {
    let lang = visit.lang;
    let id = visit.param("id")?;
    let (factors, passkeys) = console
        .credentials
        .factors(&visit.person()?.id)
        .map_err(Fault::internal)?;
    let row = passkeys.iter().find(|row| row.id == id).ok_or(Fault::NotFound)?;
    let does = lang.of("删除通行密钥", "Remove the passkey");
    let body = html! {
        p { (lang.of(
            format!("“{}”将不能再用于登录。", row.label),
            format!("\"{}\" will open nothing any more.", row.label),
        )) }
        (confirmation(console, lang, &factors, does, None, None))
    };
    Ok(shown(
        console,
        visit,
        does,
        &format!("/account/passkeys/{}/remove", row.id),
        &body,
        wrong,
    ))
}
