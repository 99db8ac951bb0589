//! Room and work in hand, for administrators. It shows counts and sizes, never content.

use crate::{
    access::keyring::Closed,
    blob::capacity::{VaultCapacity, capacity},
    catalog::{inspections, placements, reports},
    console::{
        Console,
        allows::Action,
        fault::Fault,
        layout::{Frame, page},
        page::{Tone, badge, definitions, panel, title},
        pages::terms::size,
        routes::{Need, Route, get},
        visit::Visit,
        words::Lang,
    },
    views::reports::coverage,
};
use axum::response::Response;
use maud::{Markup, html};
use std::fs;

pub(in crate::console) fn routes() -> Vec<Route> {
    vec![get("/capacity", Need::May(Action::SeeCapacity), show).menu("容量与状态", "Capacity and state")]
}

fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let heading = lang.of("容量与状态", "Capacity and state");
    let body = html! {
        @if console.room.layout.log_stopped().exists() {
            section.verdict.bad role="alert" {
                h2 { (lang.of("保管日志已停止写入", "THE CUSTODY LOG IS STOPPED")) }
                p { (lang.of("不再接收任何内容。原因在服务器日志和 log 旁的停止文件中；请与审计一起处理，切勿自行删除。", "Nothing is taken in. Why stands in the server's log and in the file beside the custody log: settle it together with audit, and don't remove it yourself.")) }
            }
        }
        (title(heading, None))
        (panel(lang.of("存储", "Store"), &store(console, lang)?))
        (panel(lang.of("证据", "Evidence"), &evidence(console, lang)?))
        (panel(lang.of("待办", "Work in hand"), &queues(console, lang)?))
        (panel(lang.of("状态", "State"), &state(console, lang)?))
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn store(console: &Console, lang: Lang) -> Result<Markup, Fault> {
    let room: VaultCapacity = capacity(&console.room.layout).map_err(Fault::internal)?;
    let whole = room.blocks.saturating_mul(room.block_size_bytes);
    let (free, reserve) = (room.available_bytes(), console.reserve_bytes);
    let standing = if free <= reserve {
        badge(
            Tone::Bad,
            lang.of(
                "已到预留空间，不再接收上传",
                "Down to the reserve: uploads are refused",
            ),
        )
    } else if free < reserve.saturating_mul(2) {
        badge(Tone::Watch, lang.of("接近预留空间", "Close to the reserve"))
    } else {
        badge(Tone::Good, lang.of("充足", "Enough"))
    };
    // Without the file it is 0 bytes: the page is for a look, not for a proof.
    let catalogue = fs::metadata(console.room.layout.catalog()).map_or(0, |file| file.len());
    let mut facts = vec![
        (lang.of("文件系统", "File system"), html! { (size(whole)) }),
        (lang.of("可用空间", "Free"), html! { (size(free)) " " (standing) }),
        (lang.of("预留空间", "Reserve"), html! { (size(reserve)) }),
        (lang.of("目录数据库", "Catalogue"), html! { (size(catalogue)) }),
    ];
    if room.inodes > 0 {
        facts.push((
            lang.of("可用 inode", "Free inodes"),
            html! { (room.inodes_available) " / " (room.inodes) },
        ));
    }
    Ok(definitions(&facts))
}

fn evidence(console: &Console, lang: Lang) -> Result<Markup, Fault> {
    let totals = console.catalogue.read(reports::totals)?;
    Ok(definitions(&[
        (lang.of("证据件数", "Pieces"), html! { (totals.evidence) }),
        (lang.of("版本数", "Versions"), html! { (totals.versions) }),
        (
            lang.of("原件合计", "Originals"),
            html! { (size(totals.size_bytes)) },
        ),
        (
            lang.of("加密存储合计", "Stored, encrypted"),
            html! { (size(totals.stored_bytes)) },
        ),
        (
            lang.of("衍生件存储合计", "Copies for viewing, stored"),
            html! { (size(totals.derived_bytes)) },
        ),
    ]))
}

fn queues(console: &Console, lang: Lang) -> Result<Markup, Fault> {
    let (placing, due, waiting) = console.catalogue.read(|connection| {
        Ok((
            placements::pending_count(connection)?,
            inspections::due_count(connection)?,
            reports::waiting_count(connection)?,
        ))
    })?;
    Ok(definitions(&[
        (
            lang.of("待写入最终位置的文件", "Files on their way to their places"),
            html! { (placing) },
        ),
        (
            lang.of("待深度检查的版本", "Versions to inspect in depth"),
            html! { (due) },
        ),
        (lang.of("未完成的上传", "Uploads that wait"), html! { (waiting) }),
        (
            lang.of("在线会话", "Live sessions"),
            html! { a href="/sessions" { (console.logins.list().len()) } },
        ),
    ]))
}

fn state(console: &Console, lang: Lang) -> Result<Markup, Fault> {
    let key = match console.room.contents.keyring().closed() {
        None => badge(
            Tone::Good,
            lang.of("已解锁，可以查阅", "Unlocked: content can be read"),
        ),
        Some(Closed::Locked) => badge(
            Tone::Watch,
            lang.of(
                "已锁定，由密钥保管人解锁",
                "Locked: for the key custodians to unlock",
            ),
        ),
        Some(Closed::IngestOnly) => badge(
            Tone::Plain,
            lang.of(
                "本服务器只接收，不持有密钥",
                "This server only takes in and holds no key",
            ),
        ),
    };
    let coverage = coverage(&console.room.log).map_err(Fault::internal)?;
    let checked = match coverage.last {
        None => badge(Tone::Watch, lang.of("从未做过", "Never done")),
        Some((_, at_ms, findings)) => {
            let tone = if findings == 0 { Tone::Good } else { Tone::Bad };
            let found = lang.of(format!("{findings} 个问题"), format!("{findings} findings"));
            html! { (console.zone.date_time(at_ms)) " " (badge(tone, &found)) }
        }
    };
    let published = console.room.log.published_size().map_err(Fault::internal)?;
    Ok(definitions(&[
        (lang.of("解密密钥", "Decryption key"), key),
        (
            lang.of("最近一次全库核验", "Last check of the whole store"),
            checked,
        ),
        (
            lang.of("保管日志记录数", "Entries of the custody log"),
            html! { (published) },
        ),
    ]))
}
