//! The start page: who you are here and what you can do; also the way out, and whether anybody is there at all.

use super::requests;
use crate::{
    console::{
        Console,
        allows::role_name,
        fault::Fault,
        layout::{Frame, page},
        page::{Weight, definitions, link_button, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
    domain::role::Role,
};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use maud::html;

pub(in crate::console) fn routes() -> Vec<Route> {
    vec![
        get("/", Need::SignedIn, start).menu("首页", "Start"),
        post("/sign-out", Need::SignedIn, sign_out),
        get("/healthz", Need::Public, healthz),
    ]
}

fn start(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let signed = visit.signed()?;
    let person = &signed.person;
    let frame = Frame::of(console, visit);
    // The catalogue holds roles of the closed list; one that this program doesn't know gives nothing and shows nothing.
    let roles: Vec<Role> = person.roles.iter().filter_map(|role| role.parse().ok()).collect();
    let heading = lang.of(
        format!("{}，您好", person.name),
        format!("Hello, {}", person.name),
    );
    let everywhere = lang.of("总部", "Head office");
    let facts = [
        (lang.of("登录名", "Log-in name"), html! { (person.name) }),
        (
            lang.of("营业部", "Branch"),
            html! { (person.branch.as_deref().unwrap_or(everywhere)) },
        ),
        (
            lang.of("本次登录", "Signed in"),
            html! { (console.zone.date_time(signed.session.started_ms)) },
        ),
        (
            lang.of("最迟到期", "Ends at the latest"),
            html! { (console.zone.date_time(signed.session.ends_ms)) },
        ),
    ];
    let pages: Vec<_> = frame.open_pages().collect();
    let body = html! {
        (title(&heading, Some(lang.of("您在这里能做什么，由您的角色决定。", "Your roles decide what you can do here."))))
        (requests::what_waits(console, visit)?)
        @if !pages.is_empty() {
            div.actions { @for (path, text) in &pages { (link_button(Weight::Plain, path, text)) } }
        }
        (requests::my_grants(console, visit)?)
        (panel(lang.of("您的角色", "Your roles"), &html! {
            ul.roles {
                @for role in &roles {
                    li { strong { (role_name(*role).of(lang)) } span { (duties(*role).of(lang)) } }
                }
            }
        }))
        (panel(lang.of("本次会话", "This session"), &definitions(&facts)))
    };
    Ok(page(&frame, lang.of("首页", "Start"), &body))
}

/// What a role may do, and what it never may, as the measures say it.
fn duties(role: Role) -> Words {
    let (zh, en) = match role {
        Role::Uploader => (
            "通过 SFTP 上传本营业部的资料，查看本营业部的回执。不能查阅已封存的证据。",
            "Upload for your branch by SFTP and see its receipts. Sealed evidence stays closed to you.",
        ),
        Role::Archivist => (
            "登记资料、确认交接。不能审批查阅，也不能更改内容。",
            "Register and confirm hand-overs. You approve no access and alter no content.",
        ),
        Role::Reviewer => (
            "复核分配给您的资料，通过或说明原因退回。不能复核自己经办或见证的资料。",
            "Pass what you are assigned, or return it with a reason; never what you uploaded or witnessed yourself.",
        ),
        Role::Retriever => (
            "在您的范围内检索、申请查阅，并在授权期内查看。不能批准自己的申请。",
            "Search in your scope, ask for access, and view within a grant. You never approve your own request.",
        ),
        Role::Approver => (
            "批准、缩小范围或拒绝他人的申请。自己的申请须由他人审批。",
            "Approve, narrow or refuse the requests of others. Your own are for somebody else to decide.",
        ),
        Role::Auditor => (
            "核验保管日志，查看登记簿和报告。不能更改任何内容；没有授权不能查看证据内容。",
            "Verify the custody log, read registers and reports. You change nothing, and see no content without a grant.",
        ),
        Role::Sysadmin => (
            "管理人员、登录密钥、容量和备份。不能接触证据内容。",
            "Run people, their keys of login, capacity and backups. Content is closed to you.",
        ),
        Role::KeyCustodian => (
            "启用和更换解密密钥。不能同时审批查阅。",
            "Unlock and rotate the decryption keys. You approve no access.",
        ),
    };
    Words::new(zh, en)
}

fn sign_out(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    Ok(console.sign_out(visit))
}

/// For a monitor: the console answers. It says nothing else to anybody.
fn healthz(_: &Console, _: &Visit) -> Result<Response, Fault> {
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], "ok\n").into_response())
}
