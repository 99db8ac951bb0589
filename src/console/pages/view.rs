//! Looking at evidence under a grant, and taking it away under one: each opens a reading, which stands in the log before its first byte.

use crate::{
    access::{
        authorizer::Who,
        find::EvidenceFile,
        live::Reading,
        reading::{Channel, Wanted, What},
        shown::{Form, Shown, shown},
    },
    catalog::search::Evidence,
    console::{
        Console,
        allows::Action,
        assets::Asset,
        fault::Fault,
        layout::{Frame, page},
        page::{Weight, definitions, form, link_button, panel, title},
        routes::{Need, Route, get, post},
        see_other,
        visit::Visit,
        words::Lang,
    },
    domain::access::Purpose,
};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use std::sync::Arc;

/// Bytes of a contact sheet at the most; it is answered whole.
const MAX_SHEET_BYTES: u64 = 8 * 1024 * 1024;
/// How often the text of the watermark stands over what is shown.
const WATERMARKS: usize = 5;

pub(in crate::console) fn routes() -> Vec<Route> {
    let need = Need::May(Action::ReadContent);
    vec![
        get("/evidence/{id}/{version}/view", need, view),
        get("/evidence/{id}/{version}/sheet", need, sheet),
        post("/evidence/{id}/{version}/download", need, download),
    ]
}

/// The version that an address names.
fn named(visit: &Visit) -> Result<(&str, u32), Fault> {
    let version = visit.param("version")?.parse().map_err(|_| Fault::NotFound)?;
    Ok((visit.param("id")?, version))
}

/// Opens a reading that this session holds.
fn open(console: &Console, visit: &Visit, what: What, purpose: Purpose) -> Result<Arc<Reading>, Fault> {
    let (evidence, version) = named(visit)?;
    let signed = visit.signed()?;
    let wanted = Wanted {
        evidence: evidence.to_owned(),
        version,
        what,
        purpose,
        channel: Channel::Console,
        holder: signed.session.id.clone(),
    };
    let who = Who::person(signed.person.id.as_str());
    let reading = console.room.open(&who, &wanted)?;
    // A session that ended meanwhile ended its readings before this one was there.
    if !console.sessions.is_open(&signed.session.id) {
        console.room.reads.end_holder(&signed.session.id);
        return Err(Fault::SignedOut);
    }
    Ok(reading)
}

fn view(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let (id, version) = named(visit)?;
    let who = Who::person(visit.person()?.id.as_str());
    let file = console.room.evidence(&who, id)?;
    let number = i64::from(version);
    let row = file
        .versions
        .iter()
        .find(|row| row.version == number)
        .ok_or(Fault::NotFound)?;
    let none = Vec::new();
    let inspections = file.inspections.get(&number).unwrap_or(&none);
    let found = shown(inspections, file.derived.get(&number).map_or(&[], Vec::as_slice));
    let body = match found {
        None => not_shown(visit, &file, row),
        Some(shown) => {
            let reading = open(console, visit, shown.what, Purpose::View)?;
            player(console, visit, row, shown, &reading)?
        }
    };
    Ok(page(&Frame::of(console, visit), &row.file_name, &body))
}

/// Which record this is, in a line.
fn lead(lang: Lang, row: &Evidence) -> String {
    let Evidence {
        customer,
        flow,
        doctype,
        seq,
        version,
        ..
    } = row;
    lang.of(
        format!("客户 {customer} · 流水 {flow} · {doctype}-{seq} · 第 {version} 版"),
        format!("Customer {customer} · flow {flow} · {doctype}-{seq} · version {version}"),
    )
}

/// What a browser can't show is taken away, or a copy of it is awaited.
fn not_shown(visit: &Visit, file: &EvidenceFile, row: &Evidence) -> Markup {
    let lang = visit.lang;
    let may_export = file
        .grants
        .iter()
        .any(|grant| grant.purpose == Purpose::Export.id());
    let address = format!("/evidence/{}/{}/download", row.id, row.version);
    html! {
        (title(&row.file_name, Some(&lead(lang, row))))
        (panel(lang.of("此文件不能在浏览器中查看", "A browser can't show this file"), &html! {
            p { (lang.of(
                "浏览器不支持这种格式，或可播放的副本尚未生成。持有导出授权时可以下载原件，用合适的软件打开。",
                "Browsers don't know this format, or its copy for playback isn't made yet. Under an export grant you can download the original and open it with a program that does.",
            )) }
            @if may_export {
                (form(visit, &address, &html! { div.actions {
                    button.button.primary type="submit" { (lang.of("下载原件", "Download the original")) }
                    (back(lang, row))
                } }))
            } @else {
                div.actions {
                    (link_button(Weight::Primary, &format!("/requests/new?evidence={}", row.id), lang.of("申请导出授权", "Request an export grant")))
                    (back(lang, row))
                }
            }
        }))
    }
}

fn back(lang: Lang, row: &Evidence) -> Markup {
    let address = format!("/evidence/{}?v={}", row.id, row.version);
    link_button(
        Weight::Plain,
        &address,
        lang.of("返回证据页", "Back to the evidence"),
    )
}

/// The stage with what is shown, under the viewer's watermark; what is known about the reading below it.
fn player(
    console: &Console,
    visit: &Visit,
    row: &Evidence,
    shown: Shown,
    reading: &Reading,
) -> Result<Markup, Fault> {
    let lang = visit.lang;
    let person = visit.person()?;
    let opened = reading.opened();
    let base = format!("/readings/{}", opened.id);
    let content = format!("{base}/content");
    let now_ms = console.clock.now_ms();
    let mark = format!("{} · {}", person.name, person.id);
    let here = format!("/evidence/{}/{}/view", row.id, row.version);
    let request = format!("/requests/new?evidence={}", row.id);
    let kind = match shown.form {
        Form::Film => "film",
        Form::Sound => "sound",
        Form::Picture => "picture",
        Form::Pages => "pages",
    };
    let facts = [
        (
            lang.of("授权到期", "The grant expires"),
            html! { (console.zone.date_time(opened.expires_ms)) },
        ),
        (
            lang.of("保管日志", "Custody log"),
            html! { (lang.of(format!("第 {} 号事件", opened.leaf), format!("event {}", opened.leaf))) },
        ),
        (
            lang.of("查阅的内容", "What is shown"),
            html! { @match shown.what {
                What::Original => { (lang.of("原件", "The original")) }
                What::Playback => { (lang.of("由原件生成的播放副本（画质可能较低）", "A copy made from the original for playback; its quality may be lower")) }
                What::ContactSheet => { (lang.of("缩略图", "Thumbnails")) }
            } },
        ),
    ];
    Ok(html! {
        (title(&row.file_name, Some(&lead(lang, row))))
        div.viewer data-reading=(base) data-csrf=(visit.token()) data-now=(now_ms) data-offset=(console.zone.offset_ms())
            data-signed-out=(lang.of("会话已结束，查阅已停止；请重新登录。", "Your session is over and reading stopped; please sign in again."))
            data-failed=(lang.of("浏览器无法继续播放此内容。", "Your browser can't go on playing this.")) {
            div class=(format!("stage {kind}")) {
                @match shown.form {
                    Form::Film => video controls preload="metadata" playsinline disablepictureinpicture disableremoteplayback
                        controlslist="nodownload nofullscreen noremoteplayback" src=(content) {},
                    Form::Sound => audio controls preload="metadata" disableremoteplayback controlslist="nodownload noremoteplayback" src=(content) {},
                    Form::Picture => img src=(content) alt=(row.file_name);,
                    // Its own bar would offer to save and to print.
                    Form::Pages => iframe src=(format!("{content}#toolbar=0")) title=(row.file_name) {},
                }
                div.watermark aria-hidden="true" {
                    @for _ in 0..WATERMARKS { span { (mark) br; span.clock { (console.zone.date_time(now_ms)) } } }
                }
                div.stopped role="alert" hidden {
                    h2 { (lang.of("查阅已停止", "Reading has stopped")) }
                    p.why {}
                    p.detail hidden { code {} }
                    p { a.button.again href=(here) { (lang.of("重新打开", "Open it again")) } }
                    p { a.button.anew hidden href=(request) { (lang.of("重新申请查阅", "Request access again")) } }
                }
                @if shown.form != Form::Sound {
                    button.button.fill type="button" hidden
                        data-leave=(lang.of("退出全屏", "Leave full screen")) { (lang.of("全屏", "Full screen")) }
                }
            }
            div.actions { (back(lang, row)) }
        }
        (panel(lang.of("本次查阅", "This reading"), &html! {
            p.hint { (lang.of(
                "本次查阅已记入保管日志；结束时还会记录读取的区间和播放时长。画面带有您的身份水印，请勿录屏或外传。",
                "This reading stands in the custody log; when it ends, what was read and how long it was played are added. Your name is shown over it: don't record it or pass it on.",
            )) }
            (definitions(&facts))
        }))
        script src=(Asset::Viewer.address()) defer {}
    })
}

/// The contact sheet, as a reading that is over with its last byte.
fn sheet(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let reading = open(console, visit, What::ContactSheet, Purpose::View)?;
    let picture = whole(&reading);
    console.room.reads.end(&reading.opened().id);
    let headers = [(header::CONTENT_TYPE, "image/jpeg")];
    Ok((headers, picture?).into_response())
}

fn whole(reading: &Reading) -> Result<Vec<u8>, Fault> {
    let is_picture = reading.opened().media_type.as_deref() == Some("image/jpeg");
    if !is_picture || reading.size_bytes() > MAX_SHEET_BYTES {
        return Err(Fault::NotFound);
    }
    let mut bytes = vec![0; usize::try_from(reading.size_bytes()).map_err(Fault::internal)?];
    let read = reading.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Takes the original away, under an export grant.
fn download(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let reading = open(console, visit, What::Original, Purpose::Export)?;
    Ok(see_other(&format!("/readings/{}/content", reading.opened().id)))
}
