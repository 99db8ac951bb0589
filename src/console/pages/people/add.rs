//! A new person: log-in name, roles, branch, the agreement's reference, a key for SFTP.

use super::{PEOPLE, PeopleError, by_factor, done, mendable, words};
use crate::{
    access::people::{KeyFile, KeyRefused, MAX_TEXT, NewPerson},
    catalog::people,
    console::{
        Console,
        allows::role_name,
        fault::Fault,
        layout::{Frame, page},
        page::{Field, Weight, checkbox, form, link_button, title},
        pages::factors::confirmation,
        visit::Visit,
        words::Words,
    },
    domain::role::Role,
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::html;

/// Where the form is and goes.
const ADD: &str = "/people/add";
/// What a key that was pasted is called in a refusal.
pub(super) const PASTED: &str = "SSH";

pub(super) fn ask(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    shown(console, visit, None)
}

pub(super) fn add(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let form = &visit.form;
    let key = form.text("key").map(|text| KeyFile {
        name: PASTED.to_owned(),
        text: text.to_owned(),
    });
    let person = NewPerson {
        name: form.text("name").unwrap_or_default().to_owned(),
        roles: form.all("role").map(str::to_owned).collect(),
        branch: form.text("branch").map(str::to_owned),
        keys: key.into_iter().collect(),
        nda: form.text("nda").unwrap_or_default().to_owned(),
    };
    let name = person.name.clone();
    let added = by_factor(console, visit).and_then(|by| console.room.add_person(by, person));
    match added {
        Ok(added) => {
            let path = format!("{PEOPLE}/{}", added.id);
            let told = Words::new(
                format!("已新增 {name}。请发出邀请，以便其登录控制台。"),
                format!("{name} is added. Invite them, so that they can sign in to the console."),
            );
            Ok(done(console, visit, &path, told))
        }
        Err(error) => shown(console, visit, Some(&mendable(error)?)),
    }
}

fn shown(console: &Console, visit: &Visit, wrong: Option<&PeopleError>) -> Result<Response, Fault> {
    let lang = visit.lang;
    let (factors, _) = console
        .credentials
        .factors(&visit.person()?.id)
        .map_err(Fault::internal)?;
    let branches = console.catalogue.read(people::branches)?;
    let labels: Vec<String> = branches
        .iter()
        .map(|branch| format!("{} {}", branch.code, branch.name))
        .collect();
    let mut choices = vec![("", lang.of("总部（无营业部）", "Head office (no branch)"))];
    choices.extend(
        branches
            .iter()
            .zip(&labels)
            .map(|(branch, label)| (branch.code.as_str(), label.as_str())),
    );
    let field = |name, label, hint, max_length| Field {
        name,
        label,
        value: visit.form.get(name).unwrap_or_default(),
        hint: Some(hint),
        max_length: Some(max_length),
        ..Field::default()
    };
    let name = Field {
        required: true,
        focused: true,
        autocomplete: Some("off"),
        ..field(
            "name",
            lang.of("登录名", "Log-in name"),
            lang.of(
                "a-z、0-9、“.”“_”“-”，最多 32 个字符，以字母或数字开头；以后不能更改。",
                "Up to 32 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit. It stays for ever.",
            ),
            32,
        )
    };
    let nda = Field {
        required: true,
        ..field(
            "nda",
            lang.of("保密协议编号", "Confidentiality agreement"),
            lang.of(
                "没有保密协议的人员不能启用。",
                "Nobody gets access without one: its reference.",
            ),
            MAX_TEXT,
        )
    };
    let branch = field(
        "branch",
        lang.of("营业部", "Branch"),
        lang.of(
            "经办、档案管理员和复核必须属于一个营业部。",
            "Uploaders, archivists and reviewers work for one branch.",
        ),
        12,
    );
    let is_secret = matches!(wrong, Some(PeopleError::Key(KeyRefused::Private(_))));
    let key = field(
        "key",
        lang.of("SSH 公钥（可选）", "SSH public key (optional)"),
        lang.of("ssh-keygen 或 PuTTYgen 生成的 .pub 文件内容。经办必须提供。切勿粘贴私钥。", "The text of the .pub file that ssh-keygen or PuTTYgen made. Uploaders need one. Never a private key."),
        16 * 1024,
    );
    // What must never leave its owner's machine isn't sent around once more.
    let key = if is_secret {
        Field { value: "", ..key }
    } else {
        key
    };
    let does = lang.of("新增人员", "Add a person");
    let fields = html! {
        (name.input())
        fieldset {
            legend { (lang.of("角色", "Roles")) span.needed aria-hidden="true" { "*" } }
            p.hint { (lang.of("系统管理与业务、审计与其他角色不能兼任，复核不能兼任经办或档案管理员。", "Administration goes with no other role, nor does audit; reviewers neither upload nor keep records.")) }
            @for role in Role::ALL {
                (checkbox("role", role.id(), role_name(role).of(lang), visit.form.all("role").any(|ticked| ticked == role.id())))
            }
        }
        (branch.select(&choices))
        (nda.input())
        (key.textarea(3))
        (confirmation(console, lang, &factors, does, None, None))
    };
    let body = html! {
        (title(does, None))
        @if let Some(wrong) = wrong { p.flash.failed role="alert" { (words(wrong).of(lang)) } }
        section.panel { (form(visit, ADD, &fields)) }
        div.actions { (link_button(Weight::Plain, PEOPLE, lang.of("返回人员列表", "Back to the people"))) }
    };
    let status = wrong.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
    Ok((status, page(&Frame::of(console, visit), does, &body)).into_response())
}
