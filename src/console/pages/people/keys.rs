//! The SSH keys of a person: one more, one less.

use super::{PeopleError, address, by_factor, change::asked, done, mendable, person_of};
use crate::{
    access::people::{KeyFile, KeyRefused},
    catalog::people::Person,
    console::{
        Console,
        fault::Fault,
        fields::Fields,
        page::{Field, Table, Weight, link_button},
        visit::Visit,
        words::{Lang, Words},
    },
};
use axum::response::Response;
use maud::{Markup, Render, html};

/// The keys, and what can be done about them.
pub(super) fn shown(lang: Lang, person: &Person) -> Markup {
    let is_active = person.disabled_ms.is_none();
    let mut table = Table::new(lang.of("SSH 公钥", "SSH keys"))
        .column(lang.of("指纹", "Fingerprint"))
        .right("");
    for key in &person.keys {
        let query = Fields::default().with("key", Some(key));
        let path = format!("{}/keys/revoke?{query}", address(person));
        table.row([
            html! { code { (key) } },
            html! { @if is_active { (link_button(Weight::Danger, &path, lang.of("撤销", "Revoke"))) } },
        ]);
    }
    html! {
        @if person.keys.is_empty() { p.hint { (lang.of("没有公钥，不能使用 SFTP。", "No key, so no SFTP.")) } }
        @else { (table.render()) }
        @if is_active {
            div.actions { (link_button(Weight::Plain, &format!("{}/keys/add", address(person)), lang.of("添加密钥", "Add a key"))) }
        }
    }
}

pub(super) fn ask_add(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    add_page(console, visit, &person, None)
}

pub(super) fn add(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    let key = KeyFile {
        name: super::add::PASTED.to_owned(),
        text: visit.form.text("key").unwrap_or_default().to_owned(),
    };
    let added = by_factor(console, visit).and_then(|by| console.room.add_key(by, &person.name, key));
    match added {
        Ok(added) => {
            let key = added.fingerprint;
            let told = Words::new(format!("已添加公钥 {key}。"), format!("Key {key} is added."));
            Ok(done(console, visit, &address(&person), told))
        }
        Err(error) => add_page(console, visit, &person, Some(&mendable(error)?)),
    }
}

fn add_page(
    console: &Console,
    visit: &Visit,
    person: &Person,
    wrong: Option<&PeopleError>,
) -> Result<Response, Fault> {
    let lang = visit.lang;
    // What must never leave its owner's machine isn't sent around once more.
    let value = match wrong {
        Some(PeopleError::Key(KeyRefused::Private(_))) => "",
        _ => visit.form.get("key").unwrap_or_default(),
    };
    let key = Field {
        name: "key",
        label: lang.of("SSH 公钥", "SSH public key"),
        value,
        hint: Some(lang.of(
            "ssh-keygen 或 PuTTYgen 生成的 .pub 文件内容，每次一把。切勿粘贴私钥。",
            "The text of the .pub file that ssh-keygen or PuTTYgen made, one at a time. Never a private key.",
        )),
        max_length: Some(16 * 1024),
        required: true,
        focused: true,
        ..Field::default()
    };
    let intro = html! {
        p { (lang.of(
            "请先与本人核对指纹：持有对应私钥的人可以以其身份登录 SFTP。",
            "Compare the fingerprint with the person first: whoever holds the private half can log in over SFTP as them.",
        )) }
        (key.textarea(3))
    };
    let does = lang.of("添加密钥", "Add a key");
    asked(console, visit, person, "keys/add", does, &intro, wrong)
}

pub(super) fn ask_revoke(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    let key = visit.query.text("key").unwrap_or_default();
    if !person.keys.iter().any(|theirs| theirs == key) {
        return Err(Fault::NotFound);
    }
    revoke_page(console, visit, &person, key, None)
}

pub(super) fn revoke(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let person = person_of(console, visit)?;
    let key = visit.form.text("key").unwrap_or_default();
    let revoked = by_factor(console, visit).and_then(|by| {
        console
            .room
            .revoke_key(by, console.logins.as_ref(), &person.name, key)
    });
    match revoked {
        Ok((_, ended)) => {
            let told = Words::new(
                format!("公钥已撤销，同时结束了 {ended} 个会话。"),
                format!("The key is revoked; sessions ended with it: {ended}."),
            );
            Ok(done(console, visit, &address(&person), told))
        }
        Err(error) => revoke_page(console, visit, &person, key, Some(&mendable(error)?)),
    }
}

fn revoke_page(
    console: &Console,
    visit: &Visit,
    person: &Person,
    key: &str,
    wrong: Option<&PeopleError>,
) -> Result<Response, Fault> {
    let lang = visit.lang;
    let intro = html! {
        p { code { (key) } }
        p { (lang.of(
            "立即生效：用这把公钥登录的 SFTP 会话及其中的查阅同时终止，以后不能再用它登录；历史记录保留。",
            "It counts at once: SFTP sessions that this key opened end, with what is read in them, and it lets nobody in again. History stays.",
        )) }
        input type="hidden" name="key" value=(key);
    };
    let does = lang.of("撤销密钥", "Revoke a key");
    asked(console, visit, person, "keys/revoke", does, &intro, wrong)
}
