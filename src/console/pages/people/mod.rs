//! People, for administrators: who there is, what they may do, how they come in. Never what they do with content.
//!
//! Invariant: whatever lets somebody in or out needs the administrator's second factor anew; a code that lets somebody in is
//! on the one page that answers the form, and in no address.

mod add;
mod change;
mod keys;
mod words;

use super::factors::{Given, grave};
use crate::{
    access::{
        authorizer::Who,
        credentials::CredentialError,
        people::{By, PeopleError},
    },
    catalog::{
        credentials::{self, Factors, TokenRow},
        people::{self, Person},
    },
    console::{
        Console,
        allows::{Action, role_name},
        fault::Fault,
        layout::{Frame, page},
        page::{
            Field, Table, Tone, Weight, badge, button, definitions, empty, form, link_button, pager, panel,
            query_form, title,
        },
        routes::{Need, Route, get, post},
        see_other,
        session::{Flash, FlashKind},
        visit::Visit,
        words::{Lang, Words},
    },
    domain::role::Role,
};
use axum::response::Response;
use maud::{Markup, Render, html};

pub(super) use words::words;

/// The list.
const PEOPLE: &str = "/people";
/// People on one page.
const PAGE: usize = 100;

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::AdministerPeople);
    vec![
        get(PEOPLE, need, list).menu("人员", "People"),
        get("/people/add", need, add::ask),
        post("/people/add", need, add::add),
        get("/people/{id}", need, show),
        get("/people/{id}/invite", need, change::ask_invite),
        post("/people/{id}/invite", need, change::invite),
        get("/people/{id}/disable", need, change::ask_disable),
        post("/people/{id}/disable", need, change::disable),
        get("/people/{id}/keys/add", need, keys::ask_add),
        post("/people/{id}/keys/add", need, keys::add),
        get("/people/{id}/keys/revoke", need, keys::ask_revoke),
        post("/people/{id}/keys/revoke", need, keys::revoke),
        post("/people/{id}/tokens/{token}/revoke", need, change::revoke_token),
    ]
}

/// On whose word a form that needs no factor is carried out.
pub(super) fn by(visit: &Visit) -> Result<By, Fault> {
    Ok(By::Person(Who::person(visit.person()?.id.as_str()), None))
}

/// On whose word, with the factor that the form brought along.
fn by_factor(console: &Console, visit: &Visit) -> Result<By, PeopleError> {
    let signed = visit.signed().map_err(|_| CredentialError::Refused)?;
    let given = Given::of(visit);
    let confirmed = console
        .credentials
        .confirmed(&signed.person.id, &signed.session.id, given.shown())?;
    Ok(By::Person(
        Who::person(signed.person.id.as_str()),
        Some(confirmed),
    ))
}

/// What isn't for a form to show: throttling, what isn't theirs, and failures of ours.
pub(super) fn mendable(error: PeopleError) -> Result<PeopleError, Fault> {
    match error {
        PeopleError::Credential(error) => Ok(PeopleError::Credential(grave(error)?)),
        PeopleError::Denied(refusal) => Err(Fault::Refused(refusal)),
        PeopleError::Commit(_) | PeopleError::Catalogue(_) | PeopleError::Random => {
            Err(Fault::internal(error))
        }
        other => Ok(other),
    }
}

/// Back to a page, which opens with what was done.
pub(super) fn done(console: &Console, visit: &Visit, path: &str, words: Words) -> Response {
    if let Some(signed) = &visit.signed {
        let kind = FlashKind::Done;
        console.sessions.flash(&signed.session.id, Flash { kind, words });
    }
    see_other(path)
}

/// The person whose id stands in the address.
fn person_of(console: &Console, visit: &Visit) -> Result<Person, Fault> {
    let id = visit.param("id")?;
    let found = console
        .catalogue
        .read(|connection| people::by_id(connection, id))?;
    found.ok_or(Fault::NotFound)
}

fn address(person: &Person) -> String {
    format!("{PEOPLE}/{}", person.id)
}

fn state(lang: Lang, person: &Person) -> Markup {
    match person.disabled_ms {
        None => badge(Tone::Good, lang.of("有效", "Active")),
        Some(_) => badge(Tone::Bad, lang.of("已停用", "Disabled")),
    }
}

/// Whether somebody can come in to the console.
fn ways_in(lang: Lang, factors: &Factors, now_ms: i64) -> Markup {
    let has_second = factors.passkeys > 0 || (factors.password && factors.totp);
    let is_invited = factors.invited_until_ms.is_some_and(|until| now_ms < until);
    match (has_second, is_invited) {
        (true, false) => badge(Tone::Good, lang.of("已登记", "Enrolled")),
        (true, true) => badge(
            Tone::Watch,
            lang.of("已登记，另有邀请", "Enrolled, invited again"),
        ),
        (false, true) => badge(Tone::Watch, lang.of("已邀请", "Invited")),
        (false, false) => badge(Tone::Plain, lang.of("未登记", "Not enrolled")),
    }
}

fn roles(lang: Lang, person: &Person) -> String {
    let known = person.roles.iter().filter_map(|role| role.parse::<Role>().ok());
    let names: Vec<String> = known.map(|role| role_name(role).of(lang).to_owned()).collect();
    names.join(lang.of("、", ", "))
}

fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let (everybody, branches) = console
        .catalogue
        .read(|connection| Ok((people::people(connection)?, people::branches(connection)?)))?;
    let wanted = |name| visit.query.text(name);
    let fits = |person: &&Person| {
        wanted("name").is_none_or(|name| person.name.contains(name))
            && wanted("branch").is_none_or(|code| person.branch.as_deref() == Some(code))
            && wanted("role").is_none_or(|role| person.roles.iter().any(|held| held == role))
            && match wanted("state") {
                Some("active") => person.disabled_ms.is_none(),
                Some("disabled") => person.disabled_ms.is_some(),
                _ => true,
            }
    };
    let found: Vec<&Person> = everybody.iter().filter(fits).collect();
    let pages = found.len().div_ceil(PAGE).max(1);
    let number = wanted("page")
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(1)
        .clamp(1, pages);
    let shown = found.iter().skip((number - 1) * PAGE).take(PAGE);
    let rows = console.catalogue.read(|connection| {
        let row = |person: &&Person| {
            let factors = credentials::factors(connection, &person.id)?;
            Ok((
                (*person).clone(),
                factors,
                people::last_sign_in(connection, &person.id)?,
            ))
        };
        shown.map(row).collect::<crate::catalog::Result<Vec<_>>>()
    })?;
    let at = |page: usize| {
        let page = page.to_string();
        format!("{PEOPLE}?{}", visit.query.with("page", Some(&page)))
    };
    let previous = (number > 1).then(|| at(number - 1));
    let next = (number < pages).then(|| at(number + 1));
    let heading = lang.of("人员", "People");
    let body = html! {
        (title(heading, Some(lang.of(
            "谁可以进入本系统、能做什么。角色在新增时确定；岗位变动时停用旧账户、另建新账户，历史记录不变。",
            "Who may come in and what they may do. Roles are given once: for another post disable the account and add a new one; history stays.",
        ))))
        div.actions {
            (link_button(Weight::Primary, "/people/add", lang.of("新增人员", "Add a person")))
            (link_button(Weight::Plain, "/branches", lang.of("营业部", "Branches")))
        }
        (filters(visit, &branches))
        @if rows.is_empty() {
            (empty(lang.of("没有符合条件的人员", "Nobody fits"), lang.of("请放宽筛选条件。", "Ask for less."), None))
        } @else {
            (table(console, lang, &rows))
            (pager(lang, previous.as_deref(), next.as_deref(), &format!("{number} / {pages}")))
        }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn filters(visit: &Visit, branches: &[people::Branch]) -> Markup {
    let lang = visit.lang;
    let all = lang.of("全部", "All");
    let value = |name| visit.query.text(name).unwrap_or_default();
    let field = |name, label| Field {
        name,
        label,
        value: value(name),
        max_length: Some(32),
        ..Field::default()
    };
    let labels: Vec<String> = branches
        .iter()
        .map(|branch| format!("{} {}", branch.code, branch.name))
        .collect();
    let mut of_branch = vec![("", all)];
    of_branch.extend(
        branches
            .iter()
            .zip(&labels)
            .map(|(branch, label)| (branch.code.as_str(), label.as_str())),
    );
    let names = Role::ALL.map(role_name);
    let mut of_role = vec![("", all)];
    of_role.extend(
        Role::ALL
            .into_iter()
            .zip(&names)
            .map(|(role, name)| (role.id(), name.of(lang))),
    );
    let states = [
        ("", all),
        ("active", lang.of("有效", "Active")),
        ("disabled", lang.of("已停用", "Disabled")),
    ];
    query_form(
        PEOPLE,
        &html! {
            (field("name", lang.of("登录名", "Log-in name")).input())
            (field("branch", lang.of("营业部", "Branch")).select(&of_branch))
            (field("role", lang.of("角色", "Role")).select(&of_role))
            (field("state", lang.of("状态", "State")).select(&states))
            (button(Weight::Plain, lang.of("筛选", "Filter")))
        },
    )
}

fn table(console: &Console, lang: Lang, rows: &[(Person, Factors, Option<i64>)]) -> Markup {
    let now_ms = console.clock.now_ms();
    let mut table = Table::new(lang.of("人员", "People"))
        .column(lang.of("登录名", "Log-in name"))
        .column(lang.of("角色", "Roles"))
        .column(lang.of("营业部", "Branch"))
        .column(lang.of("保密协议", "Confidentiality agreement"))
        .column(lang.of("状态", "State"))
        .column(lang.of("控制台登录方式", "Console sign-in"))
        .column(lang.of("最近登录控制台", "Last signed in"));
    for (person, factors, last_ms) in rows {
        table.row([
            html! { a href=(address(person)) { (person.name) } },
            html! { (roles(lang, person)) },
            html! { (person.branch.as_deref().unwrap_or(lang.of("总部", "Head office"))) },
            html! { (person.nda) },
            state(lang, person),
            ways_in(lang, factors, now_ms),
            html! { (last_ms.map_or_else(|| "—".to_owned(), |at| console.zone.date_time(at))) },
        ]);
    }
    table.render()
}

fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let person = person_of(console, visit)?;
    let (factors, tokens, last_ms) = console.catalogue.read(|connection| {
        Ok((
            credentials::factors(connection, &person.id)?,
            credentials::tokens(connection, Some(&person.id))?,
            people::last_sign_in(connection, &person.id)?,
        ))
    })?;
    let time = |ms: Option<i64>| ms.map_or_else(|| "—".to_owned(), |at| console.zone.date_time(at));
    let set = |is_set: bool| {
        lang.of(
            if is_set { "已设置" } else { "未设置" },
            if is_set { "set" } else { "not set" },
        )
    };
    let mut facts = vec![
        (lang.of("登录名", "Log-in name"), html! { (person.name) }),
        (
            lang.of("日志中的编号", "Id in the log"),
            html! { code { (person.id) } },
        ),
        (lang.of("状态", "State"), state(lang, &person)),
        (lang.of("角色", "Roles"), html! { (roles(lang, &person)) }),
        (
            lang.of("营业部", "Branch"),
            html! { (person.branch.as_deref().unwrap_or(lang.of("总部", "Head office"))) },
        ),
        (
            lang.of("保密协议", "Confidentiality agreement"),
            html! { (person.nda) },
        ),
        (
            lang.of("新增时间", "Added"),
            html! { (time(Some(person.added_ms))) },
        ),
    ];
    if person.disabled_ms.is_some() {
        facts.push((
            lang.of("停用时间", "Disabled"),
            html! { (time(person.disabled_ms)) },
        ));
    }
    let now_ms = console.clock.now_ms();
    let mut ways = vec![
        (
            lang.of("控制台登录方式", "Console sign-in"),
            ways_in(lang, &factors, now_ms),
        ),
        (lang.of("密码", "Password"), html! { (set(factors.password)) }),
        (
            lang.of("身份验证器", "Authenticator app"),
            html! { (set(factors.totp)) },
        ),
        (lang.of("通行密钥", "Passkeys"), html! { (factors.passkeys) }),
        (
            lang.of("最近登录控制台", "Last signed in"),
            html! { (time(last_ms)) },
        ),
    ];
    if let Some(until) = factors.invited_until_ms.filter(|until| now_ms < *until) {
        ways.push((
            lang.of("邀请有效至", "Invited until"),
            html! { (time(Some(until))) },
        ));
    }
    let is_active = person.disabled_ms.is_none();
    let body = html! {
        (title(&person.name, None))
        (panel(lang.of("人员", "Person"), &definitions(&facts)))
        (panel(lang.of("登录", "Signing in"), &html! {
            (definitions(&ways))
            @if is_active {
                div.actions { (link_button(Weight::Plain, &format!("{}/invite", address(&person)), lang.of("发出邀请", "Invite"))) }
            }
        }))
        (panel(lang.of("SSH 公钥", "SSH keys"), &keys::shown(lang, &person)))
        (panel(lang.of("接口令牌", "Tokens for programs"), &token_table(console, visit, &person, &tokens)))
        @if is_active {
            (panel(lang.of("收回权限", "Take access away"), &html! {
                p { (lang.of(
                    "停用立即生效：会话、正在进行的查阅、授权和令牌同时终止，且不能恢复；历史记录保留。",
                    "This counts at once: sessions, open readings, grants and tokens end with it, and it can't be taken back. History stays.",
                )) }
                div.actions { (link_button(Weight::Danger, &format!("{}/disable", address(&person)), lang.of("停用此人", "Disable this person"))) }
            }))
        }
        div.actions { (link_button(Weight::Plain, PEOPLE, lang.of("返回人员列表", "Back to the people"))) }
    };
    Ok(page(&Frame::of(console, visit), &person.name, &body))
}

fn token_table(console: &Console, visit: &Visit, person: &Person, tokens: &[TokenRow]) -> Markup {
    let lang = visit.lang;
    if tokens.is_empty() {
        return html! { p.hint { (lang.of("没有令牌。", "None.")) } };
    }
    let now_ms = console.clock.now_ms();
    let mut table = Table::new(lang.of("令牌", "Tokens"))
        .column(lang.of("编号", "Id"))
        .column(lang.of("用途", "For"))
        .column(lang.of("到期", "Until"))
        .column(lang.of("状态", "State"))
        .right("");
    for token in tokens {
        let counts = token.revoked_ms.is_none() && now_ms < token.expires_ms;
        let state = match (token.revoked_ms, counts) {
            (Some(_), _) => badge(Tone::Bad, lang.of("已撤销", "Revoked")),
            (None, false) => badge(Tone::Plain, lang.of("已过期", "Ended")),
            (None, true) => badge(Tone::Good, lang.of("有效", "Counts")),
        };
        let revoke = button(Weight::Danger, lang.of("撤销", "Revoke"));
        let action = format!("{}/tokens/{}/revoke", address(person), token.id);
        table.row([
            html! { code { (token.id) } },
            html! { (token.label) },
            html! { (console.zone.date_time(token.expires_ms)) },
            state,
            html! { @if counts { (form(visit, &action, &revoke)) } },
        ]);
    }
    table.render()
}
