//! The account: what a person signs in with, where they are signed in, which tokens they gave out.

mod change;
mod passkeys;
mod tokens;

use super::factors::{CONFIRM, json};
use crate::{
    access::credentials::Ending,
    catalog::credentials::{Factors, PasskeyRow, TokenRow},
    console::{
        Console,
        fault::Fault,
        layout::{Frame, page},
        page::{Table, Tone, Weight, badge, definitions, empty, form, link_button, panel, title},
        routes::{Need, Route, get, post},
        see_other,
        session::{Flash, FlashKind},
        visit::Visit,
        words::Words,
    },
};
use axum::response::Response;
use maud::{Markup, html};

/// The overview.
pub(super) const ACCOUNT: &str = "/account";

pub(in crate::console) fn routes() -> Vec<Route> {
    let own = vec![
        get(ACCOUNT, Need::SignedIn, overview).menu("我的账户", "My account"),
        get(CONFIRM, Need::SignedIn, confirm_options),
        post("/account/sessions/end", Need::SignedIn, end_sessions),
    ];
    [own, change::routes(), passkeys::routes(), tokens::routes()].concat()
}

fn confirm_options(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let options = console
        .credentials
        .confirm_options(&signed.person.id, &signed.session.id);
    options
        .map_err(Fault::internal)?
        .map(|options| json(&options))
        .ok_or(Fault::NotFound)
}

fn overview(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let person = visit.person()?;
    let (factors, passkeys) = console.credentials.factors(&person.id).map_err(Fault::internal)?;
    let tokens = console.credentials.tokens(&person.id).map_err(Fault::internal)?;
    let heading = lang.of("我的账户", "My account");
    let body = html! {
        (title(heading, Some(lang.of("更改登录方式需要再次出示第二因素。", "Changing how you sign in needs your second factor again."))))
        (panel(lang.of("登录方式", "How you sign in"), &ways(console, visit, &factors, &passkeys)))
        (panel(lang.of("已登录的设备", "Where you are signed in"), &sessions(console, visit)?))
        (panel(lang.of("接口令牌", "Tokens for programs"), &token_list(console, visit, &tokens)))
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn ways(console: &Console, visit: &Visit, factors: &Factors, passkeys: &[PasskeyRow]) -> Markup {
    let lang = visit.lang;
    let state = |is_set: bool| match is_set {
        true => badge(Tone::Good, lang.of("已设置", "Set")),
        false => badge(Tone::Plain, lang.of("未设置", "Not set")),
    };
    let facts = [
        (lang.of("密码", "Password"), state(factors.password)),
        (lang.of("身份验证器", "Authenticator app"), state(factors.totp)),
    ];
    let mut table = Table::new(lang.of("通行密钥", "Passkeys"))
        .column(lang.of("通行密钥", "Passkey"))
        .column(lang.of("添加时间", "Added"))
        .right("");
    for row in passkeys {
        table.row([
            html! { (row.label) },
            html! { (console.zone.date_time(row.added_ms)) },
            link_button(
                Weight::Plain,
                &format!("/account/passkeys/{}/remove", row.id),
                lang.of("删除", "Remove"),
            ),
        ]);
    }
    html! {
        (definitions(&facts))
        @if !passkeys.is_empty() { (table) }
        div.actions {
            (link_button(Weight::Plain, "/account/password", lang.of("更改密码", "Change password")))
            (link_button(Weight::Plain, "/account/app", lang.of("更换身份验证器", "Set up another app")))
            @if console.credentials.has_passkeys() {
                (link_button(Weight::Plain, "/account/passkeys/add", lang.of("添加通行密钥", "Add a passkey")))
            }
        }
    }
}

fn sessions(console: &Console, visit: &Visit) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let signed = visit.signed()?;
    let mut table = Table::new(lang.of("会话", "Sessions"))
        .column(lang.of("浏览器", "Browser"))
        .column(lang.of("地址", "Address"))
        .column(lang.of("登录时间", "Signed in"))
        .column(lang.of("最近使用", "Last used"))
        .right("");
    for session in console.sessions.list(&signed.person.id) {
        let end = html! {
            input type="hidden" name="session" value=(session.id);
            button.button type="submit" { (lang.of("结束", "End")) }
        };
        table.row([
            html! { (session.agent) },
            html! { (session.address) },
            html! { (console.zone.date_time(session.started_ms)) },
            html! { (console.zone.date_time(session.seen_ms)) },
            if session.id == signed.session.id {
                badge(Tone::Good, lang.of("当前", "This one"))
            } else {
                form(visit, "/account/sessions/end", &end)
            },
        ]);
    }
    let everywhere = html! {
        input type="hidden" name="session" value="all";
        div.actions { button.button.danger type="submit" { (lang.of("全部退出", "Sign out everywhere")) } }
    };
    Ok(html! { (table) (form(visit, "/account/sessions/end", &everywhere)) })
}

fn end_sessions(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let person = &signed.person.id;
    match visit.form.get("session").unwrap_or_default() {
        "all" => {
            console.end_others(person, &signed.session.id, Ending::Elsewhere);
            Ok(console.sign_out(visit))
        }
        id => {
            // Only one of their own: another person's isn't there for them.
            let theirs = console
                .sessions
                .list(person)
                .into_iter()
                .any(|session| session.id == id);
            if !theirs || !console.sessions.end(id) {
                return Err(Fault::NotFound);
            }
            console.ended(person, id, Ending::Elsewhere);
            Ok(told(
                console,
                visit,
                Words::new("该会话已结束。", "That session ended."),
            ))
        }
    }
}

fn token_list(console: &Console, visit: &Visit, tokens: &[(TokenRow, Option<i64>)]) -> Markup {
    let lang = visit.lang;
    let now_ms = console.clock.now_ms();
    let issue = link_button(
        Weight::Plain,
        "/account/tokens/issue",
        lang.of("签发令牌", "Issue a token"),
    );
    if tokens.is_empty() {
        let hint = lang.of(
            "令牌供您单位的系统代您检索、申请和读取，角色不超过您本人。",
            "With a token a system of your house can search, ask and read for you, with no more roles than you have.",
        );
        return empty(lang.of("没有令牌", "No tokens"), hint, Some(&issue));
    }
    let mut table = Table::new(lang.of("令牌", "Tokens"))
        .column(lang.of("用途", "For"))
        .column(lang.of("角色", "Roles"))
        .column(lang.of("到期", "Until"))
        .column(lang.of("最近使用", "Last used"))
        .column(lang.of("状态", "State"))
        .right("");
    for (token, used) in tokens {
        let counts = token.revoked_ms.is_none() && now_ms < token.expires_ms;
        let state = match (token.revoked_ms, counts) {
            (Some(_), _) => badge(Tone::Bad, lang.of("已撤销", "Revoked")),
            (None, false) => badge(Tone::Plain, lang.of("已过期", "Ended")),
            (None, true) => badge(Tone::Good, lang.of("有效", "Counts")),
        };
        let revoke = html! { button.button.danger type="submit" { (lang.of("撤销", "Revoke")) } };
        table.row([
            html! { (token.label) },
            html! { (tokens::role_names(lang, &token.roles)) },
            html! { (console.zone.date_time(token.expires_ms)) },
            html! { (used.map_or_else(|| lang.of("启动以来未用", "Not since the start").to_owned(), |at| console.zone.date_time(at))) },
            state,
            html! { @if counts { (form(visit, &format!("/account/tokens/{}/revoke", token.id), &revoke)) } },
        ]);
    }
    html! { (table) div.actions { (issue) } }
}

/// Back to the overview, which opens with what was done.
pub(super) fn told(console: &Console, visit: &Visit, words: Words) -> Response {
    if let Some(signed) = &visit.signed {
        let kind = FlashKind::Done;
        console.sessions.flash(&signed.session.id, Flash { kind, words });
    }
    see_other(ACCOUNT)
}

/// After a factor changed: other sessions end, this one gets another secret.
pub(super) fn changed(console: &Console, visit: &Visit, words: Words) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    console.end_others(&signed.person.id, &signed.session.id, Ending::Credentials);
    let mut response = told(console, visit, words);
    console.renew(visit, &mut response)?;
    Ok(response)
}
