//! Receipts of a piece of evidence, to take away: the text for people, the leaf as logged, the proof that it is in the log.
//!
//! Invariant: the bytes are those that the branch gets over SFTP, because both come from `custody::receipt`.

use super::{super::terms::outcome, Shown};
use crate::{
    access::authorizer::Who,
    console::{
        Console,
        fault::Fault,
        file_name::attachment,
        page::{Table, panel},
        visit::Visit,
        words::Lang,
    },
    custody::receipt::Form,
};
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, html};

/// What branches got back, with links to each form.
pub(super) fn list(shown: &Shown<'_>) -> Markup {
    let lang = shown.visit.lang;
    let mut table = Table::new(lang.of("回执", "Receipts"))
        .column(lang.of("编号", "Number"))
        .column(lang.of("版本", "Version"))
        .column(lang.of("结果", "Outcome"))
        .column(lang.of("下载", "Download"));
    for (version, receipts) in &shown.file.receipts {
        for (number, said) in receipts {
            let links = html! {
                span.links {
                    @for form in [Form::Text, Form::Json, Form::Proof] {
                        a download href=(format!("/evidence/{}/receipts/{number}/{}", shown.row.id, form.suffix())) {
                            (form_name(lang, form)) span.sr { " " (number) }
                        }
                    }
                }
            };
            table.row([
                html! { (number) },
                html! { "v" (version) },
                outcome(lang, said),
                links,
            ]);
        }
    }
    let hint = lang.of(
        "文本回执供阅读；日志原文与日志证明合用，可用 muniment-verify 离线验证。",
        "The text is for people; the log entry and its proof together can be verified offline with muniment-verify.",
    );
    panel(
        lang.of("回执与证明", "Receipts and proofs"),
        &html! { (table) p.hint { (hint) } },
    )
}

fn form_name(lang: Lang, form: Form) -> &'static str {
    match form {
        Form::Text => lang.of("文本回执", "Text"),
        Form::Json => lang.of("日志原文", "Log entry"),
        Form::Proof => lang.of("日志证明", "Proof"),
    }
}

/// One form of one receipt.
pub(super) fn download(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let who = Who::person(visit.person()?.id.as_str());
    let number = visit.param("number")?.parse().map_err(|_| Fault::NotFound)?;
    let form = Form::from_suffix(visit.param("form")?).ok_or(Fault::NotFound)?;
    let room = &console.room;
    let receipt = room.receipt(&who, visit.param("id")?, number)?;
    let bytes = receipt
        .render(form, &room.log, console.zone)
        .map_err(Fault::internal)?;
    let media_type = match form {
        Form::Json => "application/json",
        Form::Text | Form::Proof => "text/plain; charset=utf-8",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, attachment(&receipt.file_name(form))),
    ];
    Ok((headers, bytes).into_response())
}
