//! The log's entries: a list from the newest down, and one leaf as it stands, with its proof.

use super::{LOG, TEXT};
use crate::{
    catalog::{people, reports, timeline::Entry},
    console::{
        Console,
        download::attachment,
        fault::Fault,
        kinds::{actor_words, kind_name, kind_words},
        layout::{Frame, page},
        page::{
            Field, Table, Weight, button, definitions, digest, link_button, pager, panel, query_form, title,
        },
        visit::Visit,
        words::{Lang, Words},
    },
    custody::log_view::LogViewError,
    domain::event::Leaf,
    tlog::{checkpoint::Checkpoint, merkle::leaf_hash, note::Note, proof::TlogProof},
};
use axum::response::Response;
use maud::{Markup, Render, html};
use std::collections::HashMap;

/// Entries on one page.
const PAGE: usize = 50;

pub(super) fn list(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let from = match visit.query.text("from") {
        Some(text) => Some(position(text)?),
        None => None,
    };
    let before = from.map(|from| from.saturating_add(1));
    // One more than is shown says whether there are older ones.
    let mut entries = console
        .catalogue
        .read(|connection| reports::events(connection, before, PAGE + 1))?;
    let older = (entries.len() > PAGE).then(|| entries.truncate(PAGE)).is_some();
    let heading = lang.of("日志记录", "Entries of the log");
    let (first, last) = (entries.first(), entries.last());
    let part = first.zip(last).map_or(String::new(), |(first, last)| {
        format!("{} – {}", first.leaf, last.leaf)
    });
    let next = last
        .filter(|last| older && last.leaf > 0)
        .map(|last| format!("/log/entries?from={}", last.leaf - 1));
    let newer = first
        .filter(|_| from.is_some())
        .map(|first| format!("/log/entries?from={}", first.leaf + PAGE as u64));
    let jump = Field {
        name: "from",
        label: lang.of("从位置", "From position"),
        value: visit.query.text("from").unwrap_or_default(),
        inputmode: Some("numeric"),
        max_length: Some(19),
        ..Field::default()
    };
    let body = html! {
        (title(heading, Some(lang.of("从新到旧。位置即记录在日志中的序号，从 0 开始。", "Newest first. The position is an entry's number in the log, from 0."))))
        (query_form("/log/entries", &html! { (jump.input()) (button(Weight::Plain, lang.of("转到", "Go"))) }))
        (table(console, lang, &entries)?)
        (pager(lang, newer.as_deref(), next.as_deref(), &part))
        div.actions { (link_button(Weight::Plain, LOG, lang.of("返回保管日志", "Back to the custody log"))) }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

/// A table of entries, each with a link to itself.
pub(super) fn table(console: &Console, lang: Lang, entries: &[Entry]) -> Result<Markup, Fault> {
    let names = console.catalogue.read(people::names)?;
    let mut table = Table::new(lang.of("日志记录", "Entries of the log"))
        .column(lang.of("位置", "Position"))
        .column(lang.of("时间", "Time"))
        .column(lang.of("事件", "Event"))
        .column(lang.of("对象编号", "About"))
        .column(lang.of("操作人", "By"));
    for entry in entries {
        table.row([
            html! { a href=(format!("/log/entries/{}", entry.leaf)) { (entry.leaf) } },
            html! { (console.zone.date_time(entry.time_ms)) },
            html! { (kind_words(lang, &entry.kind)) },
            html! { code { (entry.subject) } },
            html! { (actor(lang, &names, &entry.actor)) },
        ]);
    }
    Ok(table.render())
}

fn actor(lang: Lang, names: &HashMap<String, String>, actor: &str) -> String {
    actor_words(lang, actor)
        .map(str::to_owned)
        .or_else(|| names.get(actor).cloned())
        .unwrap_or_else(|| actor.to_owned())
}

pub(super) fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let (index, bytes) = bytes(console, visit)?;
    let leaf: Leaf = serde_json::from_slice(&bytes).map_err(Fault::internal)?;
    let names = console.catalogue.read(people::names)?;
    let heading = lang.of(format!("日志记录 {index}"), format!("Entry {index} of the log"));
    let facts = [
        (
            lang.of("事件", "Event"),
            html! { (kind_name(leaf.kind).of(lang)) " " code { (leaf.kind) } },
        ),
        (
            lang.of("时间", "Time"),
            html! { (console.zone.date_time(leaf.time_ms)) },
        ),
        (
            lang.of("操作人", "By"),
            html! { (actor(lang, &names, &leaf.actor)) " " code { (leaf.actor) } },
        ),
        (lang.of("事件编号", "Event id"), html! { code { (leaf.id) } }),
        (
            lang.of("叶哈希（base64）", "Leaf hash (base64)"),
            digest(lang, &leaf_hash(&bytes).to_string()),
        ),
    ];
    let evidence = leaf.text("evidence");
    let body = html! {
        (title(&heading, None))
        (panel(lang.of("记录", "Entry"), &html! {
            (definitions(&facts))
            @if let Some(evidence) = evidence {
                p { a href=(format!("/evidence/{evidence}")) { (lang.of("查看所涉证据", "The evidence it is about")) } }
            }
        }))
        (panel(lang.of("原文", "As it was logged"), &html! {
            p.hint { (lang.of(
                "日志中逐字节如此。姓名、客户号等不在日志中，只有加盐的承诺值（commit）。",
                "Byte by byte what the log holds. Names and customer numbers aren't in it, only salted commitments to them (commit).",
            )) }
            pre.leaf { code { (String::from_utf8_lossy(&bytes)) } }
            div.actions {
                (link_button(Weight::Primary, &format!("/log/entries/{index}/tlog-proof"), lang.of("下载存在证明", "Download the proof of its place")))
                (link_button(Weight::Plain, &format!("/log/entries/{index}/leaf"), lang.of("下载原文", "Download the leaf")))
            }
        }))
        div.actions { (link_button(Weight::Plain, &format!("/log/entries?from={index}"), lang.of("返回记录列表", "Back to the entries"))) }
    };
    Ok(page(&Frame::of(console, visit), &heading, &body))
}

pub(super) fn leaf(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let (index, bytes) = bytes(console, visit)?;
    Ok(attachment(
        &format!("entry-{index}.json"),
        "application/json",
        bytes,
    ))
}

/// The leaf's place under today's checkpoint (c2sp.org/tlog-proof), without openings.
pub(super) fn proof(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let index = position(visit.param("index")?)?;
    let log = &console.room.log;
    let checkpoint: Note = log.head().map_err(Fault::internal)?.ok_or(Fault::NotFound)?;
    let size = Checkpoint::parse(checkpoint.text())
        .map_err(Fault::internal)?
        .size;
    if index >= size {
        return Err(Fault::NotFound);
    }
    let hashes = log.inclusion(index, size).map_err(Fault::internal)?;
    let proof = TlogProof {
        extra: Vec::new(),
        index,
        hashes,
        checkpoint,
    };
    Ok(attachment(
        &format!("entry-{index}.tlog-proof"),
        TEXT,
        proof.to_string(),
    ))
}

fn bytes(console: &Console, visit: &Visit) -> Result<(u64, Vec<u8>), Fault> {
    let index = position(visit.param("index")?)?;
    match console.room.log.leaf(index) {
        Ok(bytes) => Ok((index, bytes)),
        Err(LogViewError::NoLeaf(_)) => Err(Fault::NotFound),
        Err(error) => Err(Fault::internal(error)),
    }
}

/// A position as people type it.
fn position(text: &str) -> Result<u64, Fault> {
    let is_plain = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = is_plain.then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| {
        Fault::BadRequest(Words::new(
            "位置应为从 0 开始的整数。",
            "A position is a whole number from 0.",
        ))
    })
}
