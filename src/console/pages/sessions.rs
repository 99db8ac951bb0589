//! Who is here now, for administrators: sessions and open readings, and ending them.
//!
//! It must never show what is read: no record, no file's name, no customer.

use super::people::done;
use crate::{
    access::{
        logins::LiveSession,
        reading::{Channel, Opened},
    },
    catalog::people,
    console::{
        Console,
        allows::Action,
        fault::Fault,
        layout::{Frame, page},
        page::{Table, Tone, Weight, badge, button, empty, form, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::{Lang, Words},
    },
    domain::id::made_ms,
};
use axum::response::Response;
use maud::{Markup, Render, html};

const SESSIONS: &str = "/sessions";
const END: &str = "/sessions/end";
const END_READING: &str = "/sessions/readings/end";

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::AdministerSessions);
    vec![
        get(SESSIONS, need, list).menu("在线会话", "Live sessions"),
        post(END, need, end_session),
        post(END_READING, need, end_reading),
    ]
}

fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let sessions = console.logins.list();
    let readings = console.room.reads.list();
    let heading = lang.of("在线会话", "Live sessions");
    let body = html! {
        (title(heading, Some(lang.of(
            "谁在使用本系统。这里不显示查阅的内容。结束会话立即生效，并记录在案。",
            "Who uses the system now, not what they look at. Ending a session counts at once and goes on record.",
        ))))
        (panel(lang.of("会话", "Sessions"), &session_table(console, visit, &sessions)?))
        (panel(lang.of("正在进行的查阅", "Open readings"), &reading_table(console, visit, &sessions, &readings)?))
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn session_table(console: &Console, visit: &Visit, sessions: &[LiveSession]) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let own = &visit.signed()?.session.id;
    let mut table = Table::new(lang.of("会话", "Sessions"))
        .column(lang.of("人员", "Person"))
        .column(lang.of("途径", "Way"))
        .column(lang.of("地址", "Address"))
        .column(lang.of("开始", "Since"))
        .right("");
    for session in sessions {
        let way = match session.edge.as_str() {
            "console" => lang.of("控制台", "Console"),
            _ => "SFTP",
        };
        let end = html! {
            input type="hidden" name="session" value=(session.id);
            (button(Weight::Danger, lang.of("结束", "End")))
        };
        table.row([
            html! { (session.name) },
            html! { (way) },
            html! { (session.address) },
            html! { (console.zone.date_time(session.since_ms)) },
            if session.id == *own {
                badge(Tone::Good, lang.of("当前", "This one"))
            } else {
                form(visit, END, &end)
            },
        ]);
    }
    Ok(table.render())
}

fn reading_table(
    console: &Console,
    visit: &Visit,
    sessions: &[LiveSession],
    readings: &[Opened],
) -> Result<Markup, Fault> {
    let lang = visit.lang;
    if readings.is_empty() {
        let hint = lang.of("此刻没有人在查阅内容。", "Nobody reads content at this moment.");
        return Ok(empty(lang.of("没有", "None"), hint, None));
    }
    let names = console.catalogue.read(people::names)?;
    let mut table = Table::new(lang.of("正在进行的查阅", "Open readings"))
        .column(lang.of("人员", "Person"))
        .column(lang.of("途径", "Way"))
        .column(lang.of("地址", "Address"))
        .column(lang.of("开始", "Since"))
        .right("");
    for reading in readings {
        let held_by = sessions.iter().find(|session| session.id == reading.holder);
        let end = html! {
            input type="hidden" name="reading" value=(reading.id);
            (button(Weight::Danger, lang.of("结束", "End")))
        };
        table.row([
            html! { (names.get(&reading.person).unwrap_or(&reading.person)) },
            html! { (channel(lang, reading.channel)) },
            html! { (held_by.map_or("—", |session| session.address.as_str())) },
            html! { (made_ms(&reading.id).map(|at| console.zone.date_time(at)).unwrap_or_default()) },
            form(visit, END_READING, &end),
        ]);
    }
    Ok(table.render())
}

fn channel(lang: Lang, channel: Channel) -> &'static str {
    match channel {
        Channel::Console => lang.of("控制台", "Console"),
        Channel::Sftp => "SFTP",
        Channel::Api => lang.of("接口", "API"),
    }
}

fn end_session(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let session = visit.form.get("session").unwrap_or_default();
    if !console.logins.end(session, &visit.person()?.id) {
        return Err(Fault::NotFound);
    }
    tracing::info!(
        session,
        by = visit.person()?.id,
        "a session was ended by an administrator"
    );
    let told = Words::new("该会话已结束。", "That session ended.");
    Ok(done(console, visit, SESSIONS, told))
}

fn end_reading(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let reading = visit.form.get("reading").unwrap_or_default();
    if !console.room.reads.end_by(reading, &visit.person()?.id) {
        return Err(Fault::NotFound);
    }
    let told = Words::new("该查阅已结束。", "That reading ended.");
    Ok(done(console, visit, SESSIONS, told))
}
