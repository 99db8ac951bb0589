//! A checkpoint that an auditor kept, held against the log as it is now; what comes out is said so that nobody can miss it.
//!
//! Like a witness's checkpoint: one that this log signed and this tree doesn't have proves a rollback or a fork, and stops the log.

use super::{LOG, TEXT, checkpoint_facts, witnesses};
use crate::{
    console::{
        Console,
        download::attachment,
        fault::Fault,
        guard::TOKEN_FIELD,
        layout::{Frame, page},
        page::{Field, Weight, button, definitions, link_button, panel, title},
        visit::Visit,
        words::{Lang, Words},
    },
    custody::held::{self, Held, HoldError},
    tlog::{
        checkpoint::{self, Checkpoint, CheckpointError, Opened},
        note::{MAX_NOTE_BYTES, NoteError},
        proof::MAX_PROOF_BYTES,
    },
};
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use std::borrow::Cow;

/// The largest proof as a form sends it, where a byte may take three.
pub(super) const BODY_BYTES: usize = 3 * MAX_PROOF_BYTES + 4_096;
/// The form's field for what is pasted.
const NOTE: &str = "checkpoint";
/// The form's field for a file.
const FILE: &str = "file";

pub(super) fn ask(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    Ok(shown(console, visit, "", None))
}

/// What came out of a comparison.
enum Verdict {
    /// A state that this log went through.
    Sound(Box<Sound>),
    /// The log's own signature on what the log doesn't hold.
    Alarm {
        kept: Checkpoint,
        heading: Words,
        meaning: Words,
    },
    /// It says nothing about this log: garbled, another log's, unsigned.
    Worthless { heading: Words, meaning: Words },
    /// Its signature is right, but the log's files can't show more.
    Untold(String),
}

struct Sound {
    kept: Opened,
    head: Checkpoint,
    spoiled: Option<String>,
}

pub(super) fn compare(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let given = given(visit);
    let verdict = judged(console, &given)?;
    let status = match &verdict {
        Verdict::Sound(_) => StatusCode::OK,
        Verdict::Alarm { .. } => StatusCode::CONFLICT,
        Verdict::Worthless { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Verdict::Untold(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    if let Verdict::Alarm { kept, meaning, .. } = &verdict {
        let reason = meaning.of(Lang::En).to_owned();
        tracing::error!(
            reason,
            size = kept.size,
            "AN AUDITOR HOLDS A SIGNED CHECKPOINT THAT THIS LOG DOESN'T HAVE; the log is stopped"
        );
        console.room.custody.fence(reason);
    }
    let result = said(console, visit.lang, &verdict);
    Ok((status, shown(console, visit, &given, Some(&result))).into_response())
}

/// The file that was chosen, else what was pasted.
fn given(visit: &Visit) -> Cow<'_, str> {
    match visit.form.file(FILE) {
        Some(file) => String::from_utf8_lossy(&file.bytes),
        None => Cow::Borrowed(visit.form.get(NOTE).unwrap_or_default()),
    }
}

fn judged(console: &Console, given: &str) -> Result<Verdict, Fault> {
    let log = console.room.log.verifier();
    let note = held::pasted(given);
    let opened = checkpoint::open(note.as_bytes(), log, &console.witnesses);
    // A spoiled cosignature must not hide a fork: the log's own signature is judged by itself.
    let (kept, spoiled) = match opened {
        Err(error) if spoils_a_witness(&error, log.name()) => {
            match checkpoint::open(note.as_bytes(), log, &[]) {
                Ok(opened) => (opened, Some(error.to_string())),
                Err(error) => return Ok(worthless(&error, log.name())),
            }
        }
        Err(CheckpointError::KeyKind(key)) => return Err(Fault::internal(CheckpointError::KeyKind(key))),
        Err(error) => return Ok(worthless(&error, log.name())),
        Ok(opened) => (opened, None),
    };
    let size = kept.checkpoint.size;
    let alarm = |heading, meaning| Verdict::Alarm {
        kept: kept.checkpoint.clone(),
        heading,
        meaning,
    };
    Ok(match held::hold(&console.room.log, &kept.checkpoint) {
        Ok(Held::Extends { head, .. }) => Verdict::Sound(Box::new(Sound { kept, head, spoiled })),
        Ok(Held::Forked { ours }) => alarm(
            Words::new(
                "发现问题：日志历史被替换（分叉）",
                "FINDING: the log's history was exchanged (a fork)",
            ),
            Words::new(
                format!(
                    "本日志的密钥签署过另一棵含 {size} 条记录的树：您的检查点与现存日志前 {size} 条记录的树根不同（现存树根 {ours}）。其中必有一份历史是另造的。"
                ),
                format!(
                    "This log's key has signed another tree of {size} entries than the one it holds: your checkpoint has another root than the log's first {size} entries have now ({ours}). One of the two histories was made up."
                ),
            ),
        ),
        Ok(Held::RolledBack { held }) => alarm(
            Words::new(
                "发现问题：日志被退回到旧状态",
                "FINDING: the log was put back to an older state",
            ),
            Words::new(
                format!(
                    "本日志的密钥签署过 {size} 条记录，而现存日志只有 {held} 条：末尾的记录被删去，或恢复了旧副本。"
                ),
                format!(
                    "This log's key has signed {size} entries, and the log now holds only {held}: its end was cut off, or an old copy was put back."
                ),
            ),
        ),
        Err(HoldError::Unproven(why)) => Verdict::Untold(why),
        Err(HoldError::Log(error)) => return Err(Fault::internal(error)),
    })
}

/// Whether it is a witness's line that is wrong, and not the log's.
fn spoils_a_witness(error: &CheckpointError, log: &str) -> bool {
    matches!(error, CheckpointError::Note(NoteError::BadSignature { name, .. }) if name != log)
}

fn worthless(error: &CheckpointError, log: &str) -> Verdict {
    let (heading, meaning) = match error {
        CheckpointError::Origin(origin) => (
            Words::new("这是另一个日志的检查点", "This is another log's checkpoint"),
            Words::new(
                format!("它属于日志“{origin}”，本日志是“{log}”，无法比较。"),
                format!("It is of the log “{origin}”; this one is “{log}”. They can't be compared."),
            ),
        ),
        CheckpointError::Unsigned(_) => (
            Words::new("没有本日志密钥的签名", "This log's key didn't sign it"),
            Words::new(
                "检查点上没有本日志当前公钥的签名，因此不能证明任何事。如果它确实来自本系统，日志密钥可能被更换过：请与建库时记录的公钥核对。",
                "No signature by this log's public key is on it, so it proves nothing. If it did come from here, the log's key may have been exchanged: compare the public key with the one noted when the vault was made.",
            ),
        ),
        CheckpointError::Note(NoteError::BadSignature { name, .. }) => (
            Words::new("签名不正确", "The signature is wrong"),
            Words::new(
                format!(
                    "以“{name}”名义的签名与内容不符：检查点在保存或复制时被改动，或者是伪造的。请用原件重试。"
                ),
                format!(
                    "The signature in the name of “{name}” doesn't fit the text: the checkpoint was altered when it was kept or copied, or it was forged. Try again with the original."
                ),
            ),
        ),
        CheckpointError::Note(NoteError::TooLarge) => (
            Words::new("内容过长，不是检查点", "Too long for a checkpoint"),
            Words::new(
                format!("检查点最多 {} KB。", MAX_NOTE_BYTES / 1024),
                format!("A checkpoint has {} KB at the most.", MAX_NOTE_BYTES / 1024),
            ),
        ),
        other => (
            Words::new("这不是检查点", "This is no checkpoint"),
            Words::new(
                format!(
                    "检查点以日志名称、记录数、树根三行开头，空一行后是以“—”开头的签名行，请整段粘贴。（{other}）"
                ),
                format!(
                    "A checkpoint begins with three lines: the log's name, the number of entries, the root. After an empty line come signature lines that begin with “—”. Paste all of it. ({other})"
                ),
            ),
        ),
    };
    Verdict::Worthless { heading, meaning }
}

fn said(console: &Console, lang: Lang, verdict: &Verdict) -> Markup {
    match verdict {
        Verdict::Sound(sound) => sound_said(console, lang, sound),
        Verdict::Alarm {
            kept,
            heading,
            meaning,
        } => html! {
            section.verdict.bad role="alert" {
                h2 { (heading.of(lang)) }
                p { (meaning.of(lang)) }
                p { strong { (lang.of(
                    "请立即保全这份检查点，它就是证据；并马上通知审计负责人和系统管理员。本系统已停止写入日志，不再接收任何内容。",
                    "KEEP THIS CHECKPOINT: it is the proof. Tell your head of audit and the system administrator at once. The log is stopped: nothing is taken in from now on.",
                )) } }
                (definitions(&checkpoint_facts(lang, kept)))
            }
        },
        Verdict::Worthless { heading, meaning } => html! {
            section.verdict.watch role="alert" {
                h2 { (lang.of("未能核对：", "Not compared: ")) (heading.of(lang)) }
                p { (meaning.of(lang)) }
            }
        },
        Verdict::Untold(why) => html! {
            section.verdict.watch role="alert" {
                h2 { (lang.of("签名正确，但目前无法得出结论", "The signature is right, but this can't be told now")) }
                p { (lang.of(
                    "日志文件缺失、损坏或尚未写完，既不能证明一致，也不能证明不一致。请稍后重试；若仍如此，请通知系统管理员核验日志文件。",
                    "Files of the log are missing, damaged or not written yet, so neither yes nor no is proven. Try again; if it stays, have the administrators verify the log's files.",
                )) }
                p.hint { (why) }
            }
        },
    }
}

fn sound_said(console: &Console, lang: Lang, sound: &Sound) -> Markup {
    let (kept, head) = (&sound.kept.checkpoint, &sound.head);
    let since = head.size - kept.size;
    html! {
        section.verdict.good role="status" {
            h2 { (lang.of("一致：日志没有被改写", "Consistent: the log wasn't rewritten")) }
            p { @if since == 0 { (lang.of(
                "您的检查点就是日志的当前状态，签名和树根都相符。",
                "Your checkpoint is the log's state of now; signature and root agree.",
            )) } @else { (lang.of(
                format!("您的检查点（{} 条记录）是当前日志（{} 条）的开头，此后新增 {since} 条。签名正确，一致性证明已核对。", kept.size, head.size),
                format!("Your checkpoint of {} entries is the beginning of today's log of {}; {since} were added since. Its signature is right, and the consistency proof was checked.", kept.size, head.size),
            )) } }
            (definitions(&checkpoint_facts(lang, kept)))
            @if !sound.kept.cosignatures.is_empty() {
                p { (lang.of("见证签名：", "Cosigned by:")) } (witnesses(console, &sound.kept.cosignatures))
            }
            @if let Some(spoiled) = &sound.spoiled {
                p.flash.failed role="alert" { (lang.of("其中一个见证签名不正确：", "One of the cosignatures is wrong: ")) (spoiled) }
            }
            div.actions {
                (link_button(Weight::Plain, &format!("/log/consistency/proof?old={}&new={}", kept.size, head.size),
                    lang.of("下载一致性证明", "Download the consistency proof")))
            }
        }
    }
}

fn shown(console: &Console, visit: &Visit, given: &str, result: Option<&Markup>) -> Response {
    let lang = visit.lang;
    let heading = lang.of("核对检查点", "Compare a checkpoint");
    let field = Field {
        name: NOTE,
        label: lang.of("检查点", "Checkpoint"),
        value: given,
        hint: Some(lang.of(
            "整段粘贴：检查点、经见证的检查点，或回执的 .tlog-proof。",
            "All of it: a checkpoint, a witnessed one, or a receipt's .tlog-proof.",
        )),
        ..Field::default()
    };
    let file = Field {
        name: FILE,
        label: lang.of("或选择文件", "Or a file"),
        kind: "file",
        ..Field::default()
    };
    let fields = html! {
        input type="hidden" name=(TOKEN_FIELD) value=(visit.token());
        (field.textarea(10))
        (file.input())
        div.actions { (button(Weight::Primary, lang.of("核对", "Compare"))) }
    };
    let body = html! {
        (title(heading, Some(lang.of(
            "您在本系统之外保存的检查点，能证明日志没有被整体替换。",
            "Checkpoints kept outside of this system are what shows that the log wasn't exchanged as a whole.",
        ))))
        @if let Some(result) = result { (result) }
        (panel(lang.of("您保存的检查点", "The checkpoint that you kept"), &html! {
            form.stack method="post" action="/log/consistency" enctype="multipart/form-data" { (fields) }
        }))
        div.actions { (link_button(Weight::Plain, LOG, lang.of("返回保管日志", "Back to the custody log"))) }
    };
    page(&Frame::of(console, visit), heading, &body)
}

/// The proof that the log's first `old` entries are the beginning of its first `new`, with the checkpoint of `new`
/// (`docs/FORMAT.md`, The custody log).
pub(super) fn proof(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let size = |name| visit.query.text(name).and_then(|text| text.parse::<u64>().ok());
    let (old, new) = size("old").zip(size("new")).ok_or(Fault::NotFound)?;
    let log = &console.room.log;
    let published = log.published_size().map_err(Fault::internal)?;
    if old > new || new > published {
        return Err(Fault::NotFound);
    }
    let note = log.checkpoint(new).map_err(|_| Fault::NotFound)?;
    let root = held::root(log, old).map_err(Fault::internal)?;
    let mut text = format!("muniment-consistency/v1\nold {old} {root}\nnew {new}\n");
    for hash in held::consistency(log, old, new).map_err(Fault::internal)? {
        text.push_str(&format!("{hash}\n"));
    }
    text.push_str(&format!("\n{note}"));
    Ok(attachment(&format!("consistency-{old}-{new}.txt"), TEXT, text))
}
