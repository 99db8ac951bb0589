//! Using an invitation: the code, then a password and a second factor. The code travels in forms only, never in an address.

use super::factors::{grave, page_with, parsed, passkey_button, passkey_failed, passkey_script, words};
use crate::{
    access::credentials::{
        CredentialError, Ending, Enrolment, Invited, Second,
        passkey::Registration,
        password::{MAX_CHARACTERS, MIN_CHARACTERS},
    },
    console::{
        Console,
        fault::Fault,
        layout::{Frame, page},
        page::{Field, Weight, button, form, link_button, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::{Lang, Words},
    },
};
use axum::response::Response;
use maud::{Markup, html};

pub(in crate::console) fn routes() -> Vec<Route> {
    vec![
        get("/join", Need::Public, ask),
        post("/join", Need::Public, begin),
        post("/join/finish", Need::Public, finish),
    ]
}

fn ask(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    Ok(code_page(console, visit, None))
}

fn begin(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let code = visit.form.get("code").unwrap_or_default();
    match console.credentials.invited(code, visit.from()) {
        Ok(invited) => Ok(choice(console, visit, code, &invited, &invited.enrolment, None)),
        Err(error) => Ok(code_page(console, visit, Some(&grave(error)?))),
    }
}

fn finish(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let field = |name| visit.form.get(name).unwrap_or_default();
    let code = field("code");
    if field("password") != field("again") {
        let words = Words::new("两次输入的密码不一致。", "The two passwords differ.");
        return again(console, visit, code, &words);
    }
    let answer: Option<Registration> = parsed(visit, "answer");
    let label = visit
        .form
        .text("label")
        .unwrap_or(visit.lang.of("我的设备", "My device"));
    let second = match &answer {
        Some(answer) => Second::Passkey(answer, label),
        None => Second::Totp(field("enrolment"), field("totp")),
    };
    match console
        .credentials
        .join(code, field("password"), second, visit.from())
    {
        Ok(person) => {
            // What was open under the old factors is over.
            console.end_person(&person.id, Ending::Credentials);
            console.room.reads.end_person(&person.id);
            Ok(done(console, visit))
        }
        Err(CredentialError::Refused) => {
            let words = Words::new(
                "验证码或通行密钥不正确。请确认身份验证器已扫描本页的二维码，再输入它当前显示的验证码。",
                "The code or passkey isn't right. Make sure that your app scanned the picture on this page, and type its present code.",
            );
            again(console, visit, code, &words)
        }
        Err(CredentialError::Invitation) => Ok(code_page(console, visit, Some(&CredentialError::Invitation))),
        Err(error) => again(console, visit, code, &words(&grave(error)?)),
    }
}

/// The second page once more, with the same secret while that counts.
fn again(console: &Console, visit: &Visit, code: &str, wrong: &Words) -> Result<Response, Fault> {
    let invited = match console.credentials.invited(code, visit.from()) {
        Ok(invited) => invited,
        Err(error) => return Ok(code_page(console, visit, Some(&grave(error)?))),
    };
    let sealed = visit.form.get("enrolment").unwrap_or_default();
    let kept = console
        .credentials
        .enrolment_again(&invited.person, sealed)
        .map_err(Fault::internal)?;
    let enrolment = kept.as_ref().unwrap_or(&invited.enrolment);
    Ok(choice(console, visit, code, &invited, enrolment, Some(wrong)))
}

fn code_page(console: &Console, visit: &Visit, error: Option<&CredentialError>) -> Response {
    let lang = visit.lang;
    let wrong = error.map(words);
    let code = Field {
        name: "code",
        label: lang.of("邀请码", "Invitation code"),
        hint: Some(lang.of(
            "由系统管理员当面或通过电话告知，24 小时内有效，只能使用一次。",
            "Your administrator tells you, in person or by telephone. It counts once, for 24 hours.",
        )),
        error: wrong.as_ref().map(|wrong| wrong.of(lang)),
        autocomplete: Some("off"),
        max_length: Some(64),
        required: true,
        focused: true,
        ..Field::default()
    };
    let heading = lang.of("使用邀请码", "Use an invitation");
    let body = html! {
        (title(heading, Some(lang.of(
            "设置密码和第二因素。如果您以前有过，旧的随即失效。",
            "Choose a password and a second factor. What you had before counts no longer.",
        ))))
        section.panel { (form(visit, "/join", &html! { (code.input()) (button(Weight::Primary, lang.of("继续", "Continue"))) })) }
        p { a href="/sign-in" { (lang.of("返回登录", "Back to sign-in")) } }
    };
    page_with(&Frame::of(console, visit), heading, &body, error)
}

fn choice(
    console: &Console,
    visit: &Visit,
    code: &str,
    invited: &Invited,
    enrolment: &Enrolment,
    wrong: Option<&Words>,
) -> Response {
    let lang = visit.lang;
    let heading = lang.of(
        format!("{}，您好", invited.person.name),
        format!("Hello, {}", invited.person.name),
    );
    let label = Field {
        name: "label",
        label: lang.of("通行密钥名称", "Name of the passkey"),
        hint: Some(lang.of(
            "便于以后区分，例如“办公电脑”。",
            "To tell it from others, for instance \"office PC\".",
        )),
        value: visit.form.get("label").unwrap_or_default(),
        max_length: Some(60),
        ..Field::default()
    };
    let body = html! {
        input type="hidden" name="code" value=(code);
        input type="hidden" name="enrolment" value=(enrolment.sealed);
        input type="hidden" name="answer" value="";
        h2 { (lang.of("1. 密码", "1. Password")) }
        (new_password(lang, &invited.person.name))
        h2 { (lang.of("2. 第二因素", "2. Second factor")) }
        (app(lang, enrolment, "totp"))
        (button(Weight::Primary, lang.of("完成，使用验证器", "Finish with the app")))
        @if let Some(options) = &invited.passkey {
            p.or { (lang.of("或者", "or")) }
            (label.input())
            (passkey_button("button", "create here answer", lang.of("完成，使用通行密钥", "Finish with a passkey"), Some(options)))
            (passkey_failed(lang))
            (passkey_script())
        }
    };
    let body = html! {
        (title(&heading, Some(lang.of("请设置今后登录所用的密码和第二因素。", "Choose how you will sign in from now on."))))
        @if let Some(wrong) = wrong { p.flash.failed role="alert" { (wrong.of(lang)) } }
        section.panel { (form(visit, "/join/finish", &body)) }
    };
    let error = wrong.map(|_| &CredentialError::Refused);
    page_with(&Frame::of(console, visit), &heading, &body, error)
}

/// The two fields for a new password, and whose it is, for a browser that keeps passwords.
pub(super) fn new_password(lang: Lang, name: &str) -> Markup {
    let hint = lang.of(
        format!("{MIN_CHARACTERS} 至 {MAX_CHARACTERS} 个字符，不含登录名。"),
        format!("{MIN_CHARACTERS} to {MAX_CHARACTERS} characters, without the log-in name."),
    );
    let first = Field {
        name: "password",
        label: lang.of("新密码", "New password"),
        kind: "password",
        hint: Some(&hint),
        autocomplete: Some("new-password"),
        required: true,
        ..Field::default()
    };
    let second = Field {
        name: "again",
        label: lang.of("再次输入新密码", "New password again"),
        kind: "password",
        autocomplete: Some("new-password"),
        required: true,
        ..Field::default()
    };
    html! {
        input type="text" name="username" value=(name) autocomplete="username" readonly hidden;
        (first.input())
        (second.input())
    }
}

/// A secret for an authenticator app, as picture and text, and the field for its first code.
pub(super) fn app(lang: Lang, enrolment: &Enrolment, name: &str) -> Markup {
    let code = Field {
        name,
        label: lang.of("新验证器显示的验证码", "Code that the new app shows"),
        autocomplete: Some("one-time-code"),
        inputmode: Some("numeric"),
        max_length: Some(12),
        ..Field::default()
    };
    html! {
        div.enrol {
            img.qr src=(enrolment.picture) alt=(lang.of("供身份验证器扫描的二维码", "QR code for an authenticator app"));
            div {
                p { (lang.of("用身份验证器应用扫描二维码，或者手工输入密钥：", "Scan this with an authenticator app, or type the key:")) }
                p.once { code { (enrolment.text) } }
                (code.input())
            }
        }
    }
}

fn done(console: &Console, visit: &Visit) -> Response {
    let lang = visit.lang;
    let heading = lang.of("设置完成", "All set");
    let body = html! {
        (title(heading, None))
        (panel(lang.of("现在可以登录", "You can sign in now"), &html! {
            p { (lang.of(
                "刚才用过的验证码不能再用，请用下一个。以前的密码、验证器、通行密钥和令牌均已失效，所有会话已结束。",
                "The code that you just used counts no more; use the next one. Earlier passwords, apps, passkeys and tokens count no longer, and every session ended.",
            )) }
            p { (link_button(Weight::Primary, "/sign-in", lang.of("前往登录", "Sign in"))) }
        }))
    };
    page(&Frame::of(console, visit), heading, &body)
}
