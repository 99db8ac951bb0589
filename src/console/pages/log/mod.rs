//! The custody log for auditors: what was signed last, how to check it elsewhere, every entry, and whether a checkpoint that was
//! kept outside is still a state of this log.
//!
//! Invariant: nothing here is to be believed because this page says it; whatever it claims can be downloaded and checked offline.

mod consistency;
mod entries;

use crate::{
    catalog::reports,
    console::{
        Console,
        allows::Action,
        download::attachment,
        fault::Fault,
        layout::{Frame, page},
        page::{Tone, Weight, badge, definitions, digest, empty, link_button, panel, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Lang,
    },
    tlog::{
        checkpoint::{self, Checkpoint, Opened},
        note::{Note, Verified},
    },
};
use axum::response::Response;
use maud::{Markup, html};

/// The overview.
const LOG: &str = "/log";
/// Signed notes, keys and proofs are lines of text.
const TEXT: &str = "text/plain; charset=utf-8";
/// Newest entries on the overview.
const NEWEST: usize = 10;

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::SeeLog);
    vec![
        get(LOG, need, overview).menu("保管日志", "Custody log"),
        get("/log/checkpoint", need, head_note),
        get("/log/witnessed", need, witnessed_note),
        get("/log/key", need, key),
        get("/log/entries", need, entries::list),
        get("/log/entries/{index}", need, entries::show),
        get("/log/entries/{index}/leaf", need, entries::leaf),
        get("/log/entries/{index}/tlog-proof", need, entries::proof),
        get("/log/consistency", need, consistency::ask),
        post("/log/consistency", need, consistency::compare).body_limit(consistency::BODY_BYTES),
        get("/log/consistency/proof", need, consistency::proof),
    ]
}

fn overview(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let head = console.room.log.head().map_err(Fault::internal)?;
    let witnessed = console.room.log.witnessed().map_err(Fault::internal)?;
    let newest = console
        .catalogue
        .read(|connection| reports::events(connection, None, NEWEST))?;
    let heading = lang.of("保管日志", "Custody log");
    let lead = lang.of(
        "所有接收、封存、查阅、拒绝和管理操作都在这里，只增不改。请把检查点保存在本系统之外，日后可据此证明日志没有被改写。",
        "Everything that was taken in, sealed, read, refused or administered stands here and is only ever added to. Keep checkpoints outside of this system: with one you can show later that the log wasn't rewritten.",
    );
    let body = html! {
        (title(heading, Some(lead)))
        @match head {
            Some(head) => (panel(lang.of("日志头", "Head of the log"), &head_panel(console, lang, &head, newest.first().map(|entry| entry.time_ms))?)),
            None => (empty(lang.of("日志还是空的", "The log is empty"), lang.of("第一个事件写入后才有检查点。", "There is a checkpoint once the first event is written."), None)),
        }
        (panel(lang.of("见证", "Witnesses"), &witness_panel(console, lang, witnessed.as_ref())?))
        (panel(lang.of("核对您保存的检查点", "Compare a checkpoint that you kept"), &html! {
            p { (lang.of(
                "粘贴以前保存的检查点，或回执的 .tlog-proof，看它是否仍是本日志的早期状态。",
                "Paste a checkpoint that you kept, or a receipt's .tlog-proof, to see whether it still is an earlier state of this log.",
            )) }
            div.actions { (link_button(Weight::Plain, "/log/consistency", lang.of("核对检查点", "Compare a checkpoint"))) }
        }))
        (panel(lang.of("离线核验", "Verify offline"), &offline(lang)))
        (panel(lang.of("最新记录", "Newest entries"), &html! {
            (entries::table(console, lang, &newest)?)
            div.actions { (link_button(Weight::Plain, "/log/entries", lang.of("查看全部记录", "All entries"))) }
        }))
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

/// A note of ours, opened with our own key and those of the configured witnesses. One that doesn't open is a failure of ours.
fn opened(console: &Console, note: &Note) -> Result<Opened, Fault> {
    let log = console.room.log.verifier();
    checkpoint::open_note(note, log, &console.witnesses).map_err(Fault::internal)
}

fn head_panel(console: &Console, lang: Lang, note: &Note, newest_ms: Option<i64>) -> Result<Markup, Fault> {
    let Opened {
        checkpoint,
        cosignatures,
    } = opened(console, note)?;
    let mut facts = checkpoint_facts(lang, &checkpoint);
    if let Some(newest_ms) = newest_ms {
        facts.push((
            lang.of("最新记录时间", "Newest entry"),
            html! { (console.zone.date_time(newest_ms)) },
        ));
    }
    facts.push((lang.of("签名", "Signed by"), html! {
        (badge(Tone::Good, lang.of("本日志密钥", "The log's own key"))) " " code { (console.room.log.verifier().name()) "+" (console.room.log.verifier().id()) }
    }));
    if !cosignatures.is_empty() {
        facts.push((
            lang.of("见证签名", "Cosigned by"),
            witnesses(console, &cosignatures),
        ));
    }
    Ok(html! {
        (definitions(&facts))
        div.actions {
            (link_button(Weight::Primary, "/log/checkpoint", lang.of("下载检查点", "Download the checkpoint")))
            (link_button(Weight::Plain, "/log/key", lang.of("下载日志公钥", "Download the log's public key")))
        }
    })
}

/// What a checkpoint says.
fn checkpoint_facts<'a>(lang: Lang, checkpoint: &Checkpoint) -> Vec<(&'a str, Markup)> {
    vec![
        (
            lang.of("日志名称", "Origin"),
            html! { code { (checkpoint.origin) } },
        ),
        (lang.of("记录数", "Entries"), html! { (checkpoint.size) }),
        (
            lang.of("树根（base64）", "Root (base64)"),
            digest(lang, &checkpoint.root.to_string()),
        ),
    ]
}

fn witnesses(console: &Console, cosignatures: &[Verified]) -> Markup {
    let time = |seconds: Option<u64>| {
        let seconds = i64::try_from(seconds?).ok()?;
        Some(console.zone.date_time(seconds.checked_mul(1_000)?))
    };
    html! {
        ul.plain {
            @for witness in cosignatures {
                li { code { (witness.name) "+" (witness.id) } @if let Some(time) = time(witness.time) { " " (time) } }
            }
        }
    }
}

fn witness_panel(console: &Console, lang: Lang, note: Option<&Note>) -> Result<Markup, Fault> {
    if console.witnesses.is_empty() {
        return Ok(html! { p { (lang.of(
            "尚未配置见证人。没有见证人时，只有保存在系统之外的检查点和回执才能揭露整个日志被替换。",
            "No witness is configured. Without one, only checkpoints and receipts that are kept elsewhere expose a log that was exchanged as a whole.",
        )) } });
    }
    let Some(note) = note else {
        return Ok(html! {
            p { (badge(Tone::Watch, lang.of("尚无见证签名", "Not witnessed yet"))) }
            p { (lang.of(
                "请见证人用 muniment-verify cosign 签署检查点，并通过 SFTP 放入 /witness。",
                "Have a witness sign the checkpoint with muniment-verify cosign and drop it into /witness by SFTP.",
            )) }
        });
    };
    let Opened {
        checkpoint,
        cosignatures,
    } = opened(console, note)?;
    let mut facts = checkpoint_facts(lang, &checkpoint);
    facts.push((
        lang.of("见证签名", "Cosigned by"),
        witnesses(console, &cosignatures),
    ));
    Ok(html! {
        (definitions(&facts))
        div.actions { (link_button(Weight::Plain, "/log/witnessed", lang.of("下载经见证的检查点", "Download the witnessed checkpoint"))) }
    })
}

fn offline(lang: Lang) -> Markup {
    html! {
        ol.steps {
            li { (lang.of(
                "用 SFTP 复制 /log 整个文件夹；日志公钥应当从别处取得，例如建库时的书面记录。",
                "Copy the folder /log by SFTP. Have the log's public key from somewhere else, such as the paper of the vault's creation.",
            )) }
            li { (lang.of("在另一台电脑上核验每一条记录：", "Verify every entry on another machine:"))
                pre { code { "muniment-verify log LOG --key log.pub --checkpoint checkpoint" } } }
            li { (lang.of(
                "单独一条记录：下载它的原文和证明，放在同一文件夹：",
                "A single entry: download its leaf and its proof into one folder:",
            ))
                pre { code { "muniment-verify receipt entry-42.tlog-proof --key log.pub" } } }
        }
        p.hint { (lang.of("无需本系统在线，也无需任何私钥。", "Neither this system nor any private key is needed.")) }
    }
}

fn head_note(console: &Console, _: &Visit) -> Result<Response, Fault> {
    let note = console.room.log.head().map_err(Fault::internal)?;
    let note = note.ok_or(Fault::NotFound)?;
    Ok(attachment("checkpoint", TEXT, note.to_string()))
}

fn witnessed_note(console: &Console, _: &Visit) -> Result<Response, Fault> {
    let note = console.room.log.witnessed().map_err(Fault::internal)?;
    let note = note.ok_or(Fault::NotFound)?;
    Ok(attachment("checkpoint.witnessed", TEXT, note.to_string()))
}

fn key(console: &Console, _: &Visit) -> Result<Response, Fault> {
    Ok(attachment(
        "log.pub",
        TEXT,
        format!("{}\n", console.room.log.verifier()),
    ))
}
