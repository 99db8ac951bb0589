//! "Verify now": one version read again and compared, check by check, and what earlier checks came to.

use super::{
    super::terms::{document_types, size, type_name},
    Shown, address,
    events::said,
    history::position,
};
use crate::{
    access::{
        authorizer::Who,
        check::{Check, Checked, Compared, Outcome},
        refusal::{AccessError, Refusal},
    },
    console::{
        Console,
        allows::Action,
        fault::Fault,
        layout::{Frame, page},
        page::{Table, Tone, Weight, badge, button, form, link_button, panel, title},
        see_other,
        session::{Flash, FlashKind},
        visit::Visit,
        words::{Lang, Words},
    },
};
use axum::response::Response;
use maud::{Markup, html};

/// Earlier checks shown.
const CHECKS_SHOWN: usize = 5;

/// What earlier checks of this evidence came to, and the button for another one.
pub(super) fn fixity(shown: &Shown<'_>) -> Result<Markup, Fault> {
    let lang = shown.visit.lang;
    let number = |leaf: u64, name: &str| shown.file.facts.get(&leaf)?.get(name)?.as_i64();
    let result = |leaf| match number(leaf, "findings") {
        Some(0) => badge(Tone::Good, lang.of("一致", "Passed")),
        Some(_) => badge(Tone::Bad, lang.of("不一致", "Failed")),
        None => html! {},
    };
    let checks = shown.file.timeline.iter().rev();
    let checks: Vec<_> = checks
        .filter(|entry| entry.kind == "fixity.checked" && number(entry.leaf, "version") == Some(shown.row.version))
        .take(CHECKS_SHOWN)
        .collect();
    let bytes = size(shown.row.stored_size_bytes.unsigned_abs());
    let hint = lang.of(
        format!("将重新读取全部存储内容（{bytes}）并逐项核对；大文件可能需要几分钟，请等待页面打开，不要重复点击。"),
        format!("Reads all that is stored ({bytes}) again and compares it. A large file may take minutes: wait for the page, and don't click again."),
    );
    let body = html! {
        @if checks.is_empty() {
            p { (lang.of("封存后还没有对这一版单独核验过。", "Since it was sealed nobody has had this version checked by itself.")) }
        } @else {
            ul.checked {
                @for entry in &checks {
                    li {
                        (result(entry.leaf)) " " (said(lang, &entry.kind, shown.file.facts.get(&entry.leaf)))
                        p.hint { (shown.time(entry.time_ms)) " · " (shown.person(&entry.actor)) " · " (position(lang, entry.leaf)) }
                    }
                }
            }
        }
        @if shown.may(Action::VerifyObject)? {
            (form(shown.visit, &shown.below("verify"), &html! {
                p.hint { (hint) }
                div.actions { (button(Weight::Plain, lang.of("立即核验", "Verify now"))) }
            }))
        }
    };
    Ok(panel(lang.of("完整性核验", "Fixity"), &body))
}

/// Checks one version and shows what that came to.
pub(super) fn verify(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let signed = visit.signed()?;
    let who = Who::person(signed.person.id.as_str());
    let id = visit.param("id")?;
    let version: u32 = visit.param("version")?.parse().map_err(|_| Fault::NotFound)?;
    let checked = match console.room.check_version(&who, id, version) {
        Err(AccessError::Refused(Refusal::Checking)) => {
            let words = Words::new(Refusal::Checking.zh(), Refusal::Checking.en());
            let kind = FlashKind::Failed;
            console.sessions.flash(&signed.session.id, Flash { kind, words });
            return Ok(see_other(&address(id, i64::from(version))));
        }
        checked => checked?,
    };
    let file = console.room.evidence(&who, id)?;
    let row = file.versions.iter().find(|row| row.version == i64::from(version));
    let row = row.ok_or(Fault::NotFound)?;
    let lang = visit.lang;
    let types = document_types(console)?;
    let name = type_name(lang, types.as_ref(), &row.doctype);
    let heading = lang.of("核验结果", "What the check came to");
    let lead = format!(
        "{} · {} · {}-{} {name} · v{version}",
        row.customer, row.flow, row.doctype, row.seq
    );
    let body = html! {
        (title(heading, Some(&lead)))
        (summary(console, lang, &checked))
        (table(lang, &checked.checks))
        div.actions { (link_button(Weight::Plain, &address(id, row.version), lang.of("返回该资料", "Back to the evidence"))) }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn summary(console: &Console, lang: Lang, checked: &Checked) -> Markup {
    let skipped = checked
        .checks
        .iter()
        .any(|check| check.outcome == Outcome::NotChecked);
    let (class, role, words) = match (checked.has_finding(), skipped) {
        (true, _) => ("flash failed", "alert", lang.of(
            "发现不一致：存储内容与封存时不符。请立即通知系统管理员，从备份核对和修复。",
            "Something isn't as it was sealed. Tell the system administrators at once: it has to be compared with the backups.",
        )),
        (false, true) => ("flash note", "status", lang.of(
            "已核对的项目全部一致；有的项目这次没有核对，原因见下表。",
            "Everything that was compared is as it was sealed; the table says what couldn't be compared this time, and why.",
        )),
        (false, false) => ("flash done", "status", lang.of(
            "全部一致：存储内容与封存时逐字节相同。",
            "Everything is as it was sealed, byte for byte.",
        )),
    };
    let at = console.zone.date_time(console.clock.now_ms());
    html! {
        p class=(class) role=(role) { (words) }
        p.hint {
            (at) " · " (lang.of("读取 ", "read ")) (size(checked.bytes)) " · "
            (lang.of("结果已记入", "on record at ")) (position(lang, checked.leaf))
        }
    }
}

fn table(lang: Lang, checks: &[Check]) -> Markup {
    let mut table = Table::new(lang.of("核验项目", "Checks"))
        .column(lang.of("项目", "What"))
        .column(lang.of("结果", "Result"))
        .column(lang.of("明细", "Detail"));
    for check in checks {
        let (name, meaning) = compared(lang, check.what);
        let outcome = match check.outcome {
            Outcome::Passed => badge(Tone::Good, lang.of("一致", "Passed")),
            Outcome::Failed => badge(Tone::Bad, lang.of("不一致", "Failed")),
            Outcome::NotChecked => badge(Tone::Watch, lang.of("未核对", "Not checked")),
        };
        table.row([
            html! { div { strong { (name) } p.hint { (meaning) } } },
            outcome,
            html! { code { (check.detail) } },
        ]);
    }
    html! { (table) }
}

/// What is compared, and what that shows.
fn compared(lang: Lang, what: Compared) -> (&'static str, &'static str) {
    match what {
        Compared::Leaf => (
            lang.of("保管日志", "Custody log"),
            lang.of(
                "封存事件在日志中，并由签名检查点证明",
                "The event of its sealing is in the log, proved by a signed checkpoint",
            ),
        ),
        Compared::Catalogue => (
            lang.of("目录记录", "Catalogue"),
            lang.of("目录所载与日志一致", "The catalogue says what the log says"),
        ),
        Compared::Body => (
            lang.of("存储内容（加密）", "Stored body (encrypted)"),
            lang.of(
                "长度和 BLAKE3 摘要与日志一致",
                "Its length and BLAKE3 digest are those in the log",
            ),
        ),
        Compared::Header => (
            lang.of("密钥头", "Key header"),
            lang.of("与放入时相同", "As it was when it was put there"),
        ),
        Compared::Record => (
            lang.of("证据记录", "Record"),
            lang.of("与放入时相同", "As it was when it was put there"),
        ),
        Compared::Original => (
            lang.of("原件（解密后）", "Original (decrypted)"),
            lang.of(
                "每一块都通过认证，全文 SHA-256 与日志一致",
                "Every chunk is authentic, and the SHA-256 of all of it is the one in the log",
            ),
        ),
    }
}
