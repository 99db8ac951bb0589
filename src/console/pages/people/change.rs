//! Inviting and disabling a person, revoking a token of theirs.

use super::{PeopleError, address, by, by_factor, done, mendable, person_of, words};
use crate::{
    access::people::MAX_TEXT,
    catalog::{credentials, people::Person},
    console::{
        Console,
        fault::Fault,
        layout::{Frame, page},
        page::{Field, Weight, form, link_button, panel, title},
        pages::factors::confirmation,
        visit::Visit,
        words::Words,
    },
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};

pub(super) fn ask_invite(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    invite_page(console, visit, &person, None)
}

pub(super) fn invite(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let person = person_of(console, visit)?;
    let invited = by_factor(console, visit).and_then(|by| console.room.invite(by, &person.name));
    let invitation = match invited {
        Ok(invitation) => invitation,
        Err(error) => return invite_page(console, visit, &person, Some(&mendable(error)?)),
    };
    let heading = lang.of(
        format!("{} 的邀请码", person.name),
        format!("Invitation for {}", person.name),
    );
    let until = console.zone.date_time(invitation.expires_ms);
    let body = html! {
        (title(&heading, None))
        (panel(lang.of("只显示这一次", "Shown this once"), &html! {
            p { (lang.of(
                "请当面或通过电话告知本人，不要用邮件或聊天工具发送。持有此码的人可以以其身份设置登录方式。",
                "Tell it to them in person or by telephone, never by mail or chat: whoever has it can sign in as them.",
            )) }
            p.once { code { (invitation.code.as_str()) } }
            p { (lang.of(
                format!("本人在 /join 页面使用，有效至 {until}，只能用一次。"),
                format!("They use it on the page /join until {until}, once."),
            )) }
        }))
        div.actions { (link_button(Weight::Plain, &address(&person), lang.of("返回", "Back"))) }
    };
    Ok(page(&Frame::of(console, visit), &heading, &body))
}

fn invite_page(
    console: &Console,
    visit: &Visit,
    person: &Person,
    wrong: Option<&PeopleError>,
) -> Result<Response, Fault> {
    let lang = visit.lang;
    let intro = html! {
        p { (lang.of(
            "邀请码使用后，此人原有的密码、身份验证器、通行密钥和令牌全部作废，已登录的会话结束。",
            "Once the code is used, the password, app, passkeys and tokens that they had count no longer, and their sessions end.",
        )) }
    };
    let does = lang.of("发出邀请", "Invite");
    asked(console, visit, person, "invite", does, &intro, wrong)
}

pub(super) fn ask_disable(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    disable_page(console, visit, &person, None)
}

pub(super) fn disable(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    let reason = visit.form.text("reason").unwrap_or_default();
    let disabled = by_factor(console, visit).and_then(|by| {
        console
            .room
            .disable(by, console.logins.as_ref(), &person.name, Some(reason))
    });
    match disabled {
        Ok((_, ended)) => {
            let name = &person.name;
            let told = Words::new(
                format!("已停用 {name}，同时结束了 {ended} 个会话。"),
                format!("{name} is disabled; sessions ended with it: {ended}."),
            );
            Ok(done(console, visit, &address(&person), told))
        }
        Err(error) => disable_page(console, visit, &person, Some(&mendable(error)?)),
    }
}

fn disable_page(
    console: &Console,
    visit: &Visit,
    person: &Person,
    wrong: Option<&PeopleError>,
) -> Result<Response, Fault> {
    let lang = visit.lang;
    let reason = Field {
        name: "reason",
        label: lang.of("理由", "Reason"),
        value: visit.form.get("reason").unwrap_or_default(),
        hint: Some(lang.of("一行，会记录在案。", "One line; it goes on record.")),
        max_length: Some(MAX_TEXT),
        required: true,
        focused: true,
        ..Field::default()
    };
    let intro = html! {
        p { (lang.of(
            "立即生效：会话、正在进行的查阅、授权和令牌同时终止。此人不能再次启用，登录名也不能再用。",
            "It counts at once: sessions, open readings, grants and tokens end. It can't be taken back, and the log-in name is never used again.",
        )) }
        (reason.input())
    };
    let does = lang.of("停用", "Disable");
    asked(console, visit, person, "disable", does, &intro, wrong)
}

/// A page with one thing to confirm about a person.
pub(super) fn asked(
    console: &Console,
    visit: &Visit,
    person: &Person,
    step: &str,
    does: &str,
    intro: &Markup,
    wrong: Option<&PeopleError>,
) -> Result<Response, Fault> {
    let lang = visit.lang;
    let (factors, _) = console
        .credentials
        .factors(&visit.person()?.id)
        .map_err(Fault::internal)?;
    let heading = lang.of(
        format!("{does} {}", person.name),
        format!("{does} {}", person.name),
    );
    let action = format!("{}/{step}", address(person));
    let fields = html! { (intro) (confirmation(console, lang, &factors, does, None, None)) };
    let body = html! {
        (title(&heading, None))
        @if let Some(wrong) = wrong { p.flash.failed role="alert" { (words(wrong).of(lang)) } }
        section.panel { (form(visit, &action, &fields)) }
        div.actions { (link_button(Weight::Plain, &address(person), lang.of("取消", "Cancel"))) }
    };
    let status = wrong.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, page(&Frame::of(console, visit), &heading, &body)).into_response())
}

pub(super) fn revoke_token(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let (person, token) = (person_of(console, visit)?, visit.param("token")?);
    let known = console
        .catalogue
        .read(|connection| credentials::token(connection, token))?;
    if known.is_none_or(|row| row.person != person.id) {
        return Err(Fault::NotFound);
    }
    match console.room.revoke_any_token(by(visit)?, token) {
        Ok(_) => {
            let told = Words::new("令牌已撤销。", "The token is revoked.");
            Ok(done(console, visit, &address(&person), told))
        }
        Err(PeopleError::NoToken) => Err(Fault::NotFound),
        Err(error) => {
            let error = mendable(error)?;
            Err(Fault::BadRequest(words(&error)))
        }
    }
}
