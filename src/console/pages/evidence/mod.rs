//! One piece of evidence: what it is, what was found and checked, what happened to it, and what this person can do with it.
//!
//! No content passes here: what shows it has pages of its own, which read under a grant.

mod events;
mod history;
mod receipts;
mod record;
mod verify;

use super::terms::{document_types, grade, purpose_name, state, type_name};
use crate::{
    access::{authorizer::Who, find::EvidenceFile},
    catalog::{people, search::Evidence},
    console::{
        Console,
        allows::Action,
        fault::Fault,
        layout::{Frame, page},
        page::{Weight, button, form, link_button, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
    },
    domain::doctype::DocumentTypes,
};
use axum::response::Response;
use maud::{Markup, html};

pub(in crate::console) fn routes() -> Vec<Route> {
    let needs = Need::May(Action::SearchMetadata);
    vec![
        get("/evidence/{id}", needs, show),
        post(
            "/evidence/{id}/{version}/verify",
            Need::May(Action::VerifyObject),
            verify::verify,
        ),
        get(
            "/evidence/{id}/receipts/{number}/{form}",
            needs,
            receipts::download,
        ),
    ]
}

/// What the sections of the page are made from.
struct Shown<'a> {
    console: &'a Console,
    visit: &'a Visit,
    file: &'a EvidenceFile,
    /// The version that is looked at.
    row: &'a Evidence,
    types: Option<&'a DocumentTypes>,
    /// What its branch is called.
    branch: &'a str,
}

impl Shown<'_> {
    /// The log-in name of a person in the log; what isn't a person by its own name.
    fn person(&self, id: &str) -> String {
        let lang = self.visit.lang;
        match (self.file.people.get(id), id) {
            (Some(name), _) => name.clone(),
            (None, "operator") => lang.of("主机操作员", "Operator on the host").to_owned(),
            (None, "system") => lang.of("系统", "The system").to_owned(),
            (None, other) => other.to_owned(),
        }
    }

    fn time(&self, time_ms: i64) -> String {
        self.console.zone.date_time(time_ms)
    }

    fn may(&self, action: Action) -> Result<bool, Fault> {
        Ok(self.console.allows.may(self.visit.person()?, action).is_ok())
    }

    /// Address of what belongs to the version that is looked at.
    fn below(&self, what: &str) -> String {
        format!("/evidence/{}/{}/{what}", self.row.id, self.row.version)
    }
}

/// Where one version is shown.
fn address(id: &str, version: i64) -> String {
    format!("/evidence/{id}?v={version}")
}

fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let who = Who::person(visit.person()?.id.as_str());
    let file = console.room.evidence(&who, visit.param("id")?)?;
    let row = match visit.query.text("v") {
        None => file.versions.last(),
        Some(asked) => file.versions.iter().find(|row| row.version.to_string() == asked),
    };
    let types = document_types(console)?;
    let branches = console.catalogue.read(people::branches)?;
    let row = row.ok_or(Fault::NotFound)?;
    let branch = branches.iter().find(|branch| branch.code == row.branch);
    let shown = Shown {
        console,
        visit,
        file: &file,
        row,
        types: types.as_ref(),
        branch: branch.map_or("", |branch| branch.name.as_str()),
    };
    let lang = visit.lang;
    let name = type_name(lang, shown.types, &row.doctype);
    let heading = format!("{}-{} {name}", row.doctype, row.seq);
    let heading = heading.trim_end();
    let lead = lang.of(
        format!(
            "客户 {} · 流水 {} · 第 {} 版",
            row.customer, row.flow, row.version
        ),
        format!(
            "Customer {} · flow {} · version {}",
            row.customer, row.flow, row.version
        ),
    );
    let body = html! {
        (title(heading, Some(&lead)))
        p.badges { (state(lang, &row.state)) (grade(lang, &row.grade)) }
        (newer(&shown))
        (access(&shown)?)
        (record::facts(&shown))
        (record::versions(&shown))
        (record::inspections(&shown))
        (verify::fixity(&shown)?)
        (receipts::list(&shown))
        (history::timeline(&shown))
        (history::reads(&shown)?)
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

/// That this isn't the newest version, where it isn't.
fn newer(shown: &Shown<'_>) -> Markup {
    let lang = shown.visit.lang;
    let newest = shown.file.versions.last().map_or(0, |row| row.version);
    html! {
        @if newest > shown.row.version {
            p.flash.note {
                (lang.of("您看到的不是最新版本。", "This isn't the newest version. ")) " "
                a href=(address(&shown.row.id, newest)) { (lang.of("查看第 ", "See version ")) (newest) (lang.of(" 版", "")) }
            }
        }
    }
}

/// What this person can do with the content now.
fn access(shown: &Shown<'_>) -> Result<Markup, Fault> {
    let lang = shown.visit.lang;
    let grants = &shown.file.grants;
    let exports = grants.iter().any(|grant| grant.purpose == "export");
    let ask = |text| {
        link_button(
            if grants.is_empty() {
                Weight::Primary
            } else {
                Weight::Plain
            },
            &format!("/requests/new?evidence={}", shown.row.id),
            text,
        )
    };
    let may_ask = shown.may(Action::RequestAccess)?;
    let download = button(Weight::Plain, lang.of("下载原件", "Download the original"));
    let sheet = shown.file.derived.get(&shown.row.version);
    let has_sheet = sheet.is_some_and(|copies| copies.iter().any(|copy| copy.form == "contact_sheet"));
    let body = html! {
        @if grants.is_empty() {
            p { (lang.of(
                "您目前没有查阅该资料内容的有效授权；内容只有在他人批准后才能查看，每次查阅都会记入保管日志。",
                "You hold no live grant for its content: it opens only once somebody else has approved your request, and every reading goes on record.",
            )) }
            @if may_ask { div.actions { (ask(lang.of("申请查阅", "Request access"))) } }
            @else { p.hint { (lang.of("您的角色不能申请查阅内容。", "Your roles don't ask for content.")) } }
        } @else {
            @if has_sheet {
                img.sheet loading="lazy" src=(shown.below("sheet")) alt=(lang.of("画面缩略图", "Pictures from it"));
            }
            div.actions {
                (link_button(Weight::Primary, &shown.below("view"), lang.of("查看", "View")))
                @if exports { (form(shown.visit, &shown.below("download"), &download)) }
                @else if may_ask { (ask(lang.of("申请导出", "Request export"))) }
            }
            ul.grants {
                @for grant in grants {
                    li {
                        strong { (purpose_name(lang, &grant.purpose)) } " "
                        (lang.of("有效至 ", "until ")) (shown.time(grant.expires_ms))
                        (lang.of("，批准人 ", ", approved by ")) (shown.person(&grant.approver))
                    }
                }
            }
            p.hint { (lang.of("每次查看和下载都会先记入保管日志。", "Each view and each download goes on record first.")) }
        }
    };
    Ok(panel(lang.of("查阅内容", "Content"), &body))
}
