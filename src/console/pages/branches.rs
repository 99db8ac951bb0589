//! Branches, for administrators: which there are, and a new one.

use super::people::{by, done, mendable, words};
use crate::{
    access::people::{MAX_TEXT, PeopleError},
    catalog::people,
    console::{
        Console,
        allows::Action,
        fault::Fault,
        layout::{Frame, page},
        page::{Field, Table, Weight, button, empty, form, link_button, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::html;

const BRANCHES: &str = "/branches";

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::AdministerPeople);
    vec![
        get(BRANCHES, need, list).menu("营业部", "Branches"),
        post(BRANCHES, need, add),
    ]
}

fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    shown(console, visit, None)
}

fn add(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let field = |name| visit.form.text(name).unwrap_or_default();
    let (code, name) = (field("code"), field("name"));
    match console.room.add_branch(by(visit)?, code, name) {
        Ok(_) => {
            let told = Words::new(
                format!("已新增营业部 {code}。"),
                format!("Branch {code} is added."),
            );
            Ok(done(console, visit, BRANCHES, told))
        }
        Err(error) => shown(console, visit, Some(&mendable(error)?)),
    }
}

fn shown(console: &Console, visit: &Visit, wrong: Option<&PeopleError>) -> Result<Response, Fault> {
    let lang = visit.lang;
    let branches = console.catalogue.read(people::branches)?;
    let heading = lang.of("营业部", "Branches");
    let mut table = Table::new(heading)
        .column(lang.of("代码", "Code"))
        .column(lang.of("名称", "Name"))
        .right(lang.of("有效人员", "Active people"));
    for branch in &branches {
        table.row([
            html! { (branch.code) },
            html! { (branch.name) },
            html! { a href=(format!("/people?branch={}", branch.code)) { (branch.people) } },
        ]);
    }
    let field = |name, label, hint, max_length| Field {
        name,
        label,
        hint,
        value: visit.form.get(name).unwrap_or_default(),
        max_length: Some(max_length),
        required: true,
        ..Field::default()
    };
    let hint = lang.of(
        "2 至 12 个英文字母或数字；以后不能更改。",
        "2 to 12 letters and digits. It stays for ever.",
    );
    let fields = html! {
        (field("code", lang.of("代码", "Code"), Some(hint), 12).input())
        (field("name", lang.of("名称", "Name"), None, MAX_TEXT).input())
        div.actions { (button(Weight::Primary, lang.of("新增营业部", "Add a branch"))) }
    };
    let body = html! {
        (title(heading, None))
        @if let Some(wrong) = wrong { p.flash.failed role="alert" { (words(wrong).of(lang)) } }
        @if branches.is_empty() {
            (empty(lang.of("还没有营业部", "No branch yet"), lang.of("先新增营业部，再新增其人员。", "Add a branch first, then its people."), None))
        } @else { (table) }
        (panel(lang.of("新增营业部", "Add a branch"), &form(visit, BRANCHES, &fields)))
        div.actions { (link_button(Weight::Plain, "/people", lang.of("人员", "People"))) }
    };
    let status = wrong.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, page(&Frame::of(console, visit), heading, &body)).into_response())
}
