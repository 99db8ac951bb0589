//! What the pages about signing in share: a factor shown anew, the words for what went wrong, the button for a passkey.

use crate::{
    access::credentials::{
        CredentialError, MAX_LABEL, MAX_PASSKEYS, MAX_TOKENS, Shown, passkey::Assertion, password, token,
    },
    catalog::credentials::Factors,
    console::{
        Console,
        assets::Asset,
        fault::Fault,
        layout::{Frame, page},
        page::Field,
        visit::Visit,
        words::{Lang, Words},
    },
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Field with an app's code.
pub(super) const CODE: &str = "code";
/// Field with a passkey's answer.
pub(super) const PROOF: &str = "proof";
/// Where a browser learns what to ask a passkey to confirm with.
pub(super) const CONFIRM: &str = "/account/confirm";

/// The factor that a form brings along.
pub(super) enum Given {
    Code(String),
    Passkey(Assertion),
}

impl Given {
    /// From a form: a passkey's answer, or else a code, which may be empty.
    pub(super) fn of(visit: &Visit) -> Self {
        match parsed(visit, PROOF) {
            Some(answer) => Given::Passkey(answer),
            None => Given::Code(visit.form.get(CODE).unwrap_or_default().to_owned()),
        }
    }

    pub(super) fn shown(&self) -> Shown<'_> {
        match self {
            Given::Code(code) => Shown::Code(code),
            Given::Passkey(answer) => Shown::Passkey(answer),
        }
    }
}

/// What a script put into a field.
pub(super) fn parsed<T: DeserializeOwned>(visit: &Visit, field: &str) -> Option<T> {
    visit
        .form
        .text(field)
        .and_then(|text| serde_json::from_str(text).ok())
}

/// The end of a form that needs a factor: the code's field, the buttons. `more` are a passkey's further steps.
pub(super) fn confirmation(
    console: &Console,
    lang: Lang,
    factors: &Factors,
    does: &str,
    more: Option<&str>,
    error: Option<&str>,
) -> Markup {
    let by_passkey = factors.passkeys > 0 && console.credentials.has_passkeys();
    let steps = |verb: &str| match more {
        Some(more) => format!("{verb}{more}"),
        None => verb.trim_end_matches("; ").to_owned(),
    };
    let confirm = format!("get {CONFIRM} {PROOF}; ");
    html! {
        @if factors.totp { (code_field(lang, false, error)) }
        @else { @if let Some(error) = error { p.flash.failed role="alert" { (error) } } }
        input type="hidden" name=(PROOF) value="";
        @if more.is_some() { input type="hidden" name="answer" value=""; }
        div.actions {
            @if factors.totp {
                @match more {
                    Some(more) => (passkey_button("button primary", more, does, None)),
                    None => button.button.primary type="submit" { (does) },
                }
            }
            @if by_passkey {
                (passkey_button(if factors.totp { "button" } else { "button primary" }, &steps(&confirm),
                    &lang.of(format!("用通行密钥确认并{does}"), format!("{does}, confirmed by passkey")), None))
            }
        }
        (passkey_failed(lang))
        (passkey_script())
    }
}

/// The field for an app's code.
pub(super) fn code_field(lang: Lang, required: bool, error: Option<&str>) -> Markup {
    Field {
        name: CODE,
        label: lang.of("验证码", "Code from your app"),
        hint: Some(lang.of(
            "身份验证器中的 6 位数字，每个验证码只能用一次。",
            "Six digits. Each code counts once: after using one, wait for the next.",
        )),
        autocomplete: Some("one-time-code"),
        inputmode: Some("numeric"),
        max_length: Some(12),
        required,
        error,
        ..Field::default()
    }
    .input()
}

/// A button that asks a passkey and then sends its form. The script shows it where the browser has passkeys.
pub(super) fn passkey_button(class: &str, steps: &str, text: &str, options: Option<&Value>) -> Markup {
    let options = options.map(Value::to_string);
    html! {
        button class=(class) type="button" hidden data-passkey=(steps) data-options=[options] { (text) }
    }
}

/// What is shown when a browser doesn't give an answer.
pub(super) fn passkey_failed(lang: Lang) -> Markup {
    html! {
        p.flash.failed role="alert" hidden data-passkey-failed {
            (lang.of(
                "没有收到通行密钥的应答：可能已取消、超时，此设备上没有可用的通行密钥，或者它已经登记过。请重试。",
                "The passkey didn't answer: it was cancelled, took too long, there is none on this device, or it is registered already. Try again.",
            ))
        }
    }
}

/// The script that passkey buttons need.
pub(super) fn passkey_script() -> Markup {
    html! { script src=(Asset::Passkey.address()) defer {} }
}

/// A page with what was wrong on it.
pub(super) fn page_with(
    frame: &Frame,
    heading: &str,
    body: &Markup,
    error: Option<&CredentialError>,
) -> Response {
    let mut response = page(frame, heading, body);
    if error.is_some() {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

/// What a script asked for.
pub(super) fn json(value: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, value.to_string()).into_response()
}

/// What isn't for a form to show: throttling, and failures of ours.
pub(super) fn grave(error: CredentialError) -> Result<CredentialError, Fault> {
    match error {
        CredentialError::TooMany(too_many) => {
            let seconds = (too_many.wait_ms + 999) / 1000;
            Err(Fault::TooMany(u32::try_from(seconds).unwrap_or(u32::MAX)))
        }
        CredentialError::Busy => Err(Fault::Busy),
        CredentialError::Failed(_) => Err(Fault::internal(error)),
        other => Ok(other),
    }
}

/// What was wrong, for people.
pub(super) fn words(error: &CredentialError) -> Words {
    use password::PasswordError;
    let (least, most) = (password::MIN_CHARACTERS, password::MAX_CHARACTERS);
    match error {
        CredentialError::Refused => Words::new(
            "登录名、密码或验证码不正确，或者该验证码已经用过。请等待下一个验证码后重试。",
            "Name, password or code is wrong, or the code was used before. Wait for the next code and try again.",
        ),
        CredentialError::Invitation => Words::new(
            "邀请码无效、已使用或已过期。请向系统管理员索取新的邀请码。",
            "This invitation is wrong, used or expired. Ask your administrator for a new one.",
        ),
        CredentialError::Password(PasswordError::Short) => Words::new(
            format!("密码至少 {least} 个字符。几个不相干的词连在一起，又长又好记。"),
            format!("At least {least} characters. A few unrelated words are long and easy to remember."),
        ),
        CredentialError::Password(PasswordError::Long) => Words::new(
            format!("密码最多 {most} 个字符。"),
            format!("At most {most} characters."),
        ),
        CredentialError::Password(PasswordError::Name) => Words::new(
            "密码中不能包含登录名。",
            "The log-in name is no part of a password.",
        ),
        CredentialError::Password(PasswordError::Common) => Words::new(
            "这是最常被猜到的密码之一，请换一个。",
            "This is among the passwords that are tried first. Choose another.",
        ),
        CredentialError::LastFactor => Words::new(
            "这是您唯一的第二因素，请先添加另一个。",
            "This is your only second factor. Add another one first.",
        ),
        CredentialError::NoPasskeys => Words::new(
            "通行密钥需要通过域名访问本系统。",
            "Passkeys need an address with a host name.",
        ),
        CredentialError::PasskeyTaken => Words::new(
            format!("该通行密钥已登记，或者已达到 {MAX_PASSKEYS} 个。"),
            format!("This passkey is registered already, or there are {MAX_PASSKEYS}."),
        ),
        CredentialError::TooManyTokens => Words::new(
            format!("有效令牌已达 {MAX_TOKENS} 个，请先撤销一个。"),
            format!("{MAX_TOKENS} tokens count already. Revoke one first."),
        ),
        CredentialError::Roles => Words::new("请至少选择一个角色。", "Choose at least one role."),
        CredentialError::Days => Words::new(
            format!("有效期为 1 至 {} 天。", token::MAX_DAYS),
            format!("1 to {} days.", token::MAX_DAYS),
        ),
        CredentialError::Label => Words::new(
            format!("名称为 1 至 {MAX_LABEL} 个字符。"),
            format!("A name of 1 to {MAX_LABEL} characters."),
        ),
        CredentialError::Unknown => Words::new("该项已不存在。", "That isn't there any more."),
        CredentialError::TooMany(_) | CredentialError::Busy | CredentialError::Failed(_) => {
            Words::new("没有完成，请稍后重试。", "This wasn't done. Try again later.")
        }
    }
}

/// What was wrong, said to somebody who is signed in.
pub(super) fn wrong(error: &CredentialError) -> Words {
    match error {
        CredentialError::Refused => Words::new(
            "验证码或通行密钥不正确，或者该验证码已经用过。请等待下一个验证码后重试。",
            "The code or passkey isn't right, or the code was used before. Wait for the next code and try again.",
        ),
        other => words(other),
    }
}
