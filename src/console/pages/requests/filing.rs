//! Asking for access: which records, for what, on what basis, why and for how long, on one page.
//!
//! Records are named by evidence id, or found by customer and flow number in the asker's reach. What was found is shown before
//! it is asked for: the form sends the ids that stand on the page, never a search.

use super::{super::terms, NEW, REQUESTS, address, told, words};
use crate::{
    access::{
        authorizer::Who,
        policy::Action,
        refusal::{AccessError, Refusal},
        register::Named,
        requests::{Form, MAX_FORM_BYTES, MAX_REASON, MAX_RECORDS, NewRequest},
    },
    catalog::search::{Filter, PAGE_LIMIT},
    console::{
        Console,
        fault::Fault,
        guard::TOKEN_FIELD,
        layout::{Frame, page},
        limits::BODY_BYTES,
        page::{Field, Weight, button, link_button, panel, radio, title},
        routes::{Need, Route, get, post},
        visit::Visit,
        words::Words,
    },
    domain::access::{Basis, Purpose},
};
use axum::{http::StatusCode, response::Response};
use maud::{Markup, html};

/// Searches that may stand in one address.
const MAX_SEARCHES: usize = 20;
/// Bytes of the fields beside the scan: hundreds of records, each with the lines that a browser puts around it.
const FIELDS_BYTES: usize = 2 * BODY_BYTES;

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(NEW, Need::May(Action::RequestAccess), ask),
        post(REQUESTS, Need::May(Action::RequestAccess), file).body_limit(MAX_FORM_BYTES + FIELDS_BYTES),
    ]
}

/// What stands in the form, and what is wrong with it.
#[derive(Default)]
struct Draft {
    records: Vec<Named>,
    purpose: Option<Purpose>,
    basis: Option<Basis>,
    reason: String,
    duration_s: Option<i64>,
    emergency: bool,
    wrong: Vec<Refusal>,
    /// A search that gave nothing, or too much.
    search: Option<Words>,
}

fn ask(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let who = visit.who()?;
    let mut ids: Vec<String> = visit.query.all("evidence").map(str::to_owned).collect();
    let mut draft = Draft::default();
    for (customer, flow) in searches(visit) {
        match found(console, &who, &customer, &flow)? {
            Ok(more) => ids.extend(more),
            Err(wrong) => draft.search = Some(wrong),
        }
    }
    if ids.len() > MAX_RECORDS {
        ids.truncate(MAX_RECORDS);
        draft.wrong.push(Refusal::TooManyRecords);
    }
    draft.records = console.room.named(&who, &ids)?;
    shown(console, visit, &draft, StatusCode::OK)
}

/// Customer and flow numbers to search for: those of earlier searches, and the fields of the page.
fn searches(visit: &Visit) -> Vec<(String, String)> {
    let field = |name| visit.query.text(name).unwrap_or_default().to_owned();
    let earlier = visit.query.all("with").filter_map(|with| with.split_once('/'));
    let earlier = earlier.map(|(customer, flow)| (customer.to_owned(), flow.to_owned()));
    let mut searches: Vec<_> = earlier.take(MAX_SEARCHES).collect();
    searches.push((field("customer"), field("flow")));
    searches.retain(|(customer, flow)| !(customer.is_empty() && flow.is_empty()));
    searches
}

/// Every record in the asker's reach of a customer, a flow, or both.
fn found(
    console: &Console,
    who: &Who,
    customer: &str,
    flow: &str,
) -> Result<Result<Vec<String>, Words>, Fault> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let filter = Filter {
        customer: given(customer),
        flow: given(flow),
        ..Filter::default()
    };
    let found = console.room.search(who, &filter, PAGE_LIMIT)?;
    let mut ids: Vec<String> = Vec::new();
    for row in found.rows {
        if !ids.contains(&row.id) {
            ids.push(row.id);
        }
    }
    Ok(if ids.is_empty() {
        Err(Words::new(
            format!("在您的范围内没有找到：{customer} {flow}"),
            format!("Nothing in your reach for {customer} {flow}"),
        ))
    } else if found.next.is_some() || ids.len() > MAX_RECORDS {
        Err(Words::new(
            format!("{customer} {flow} 超过 {MAX_RECORDS} 件，请加上流水号。"),
            format!("{customer} {flow}: more than {MAX_RECORDS} records; add the flow number."),
        ))
    } else {
        Ok(ids)
    })
}

fn file(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let who = visit.who()?;
    let form = &visit.form;
    let mut draft = Draft {
        purpose: form.get("purpose").and_then(|id| id.parse().ok()),
        basis: form.get("basis").and_then(|id| id.parse().ok()),
        reason: form.get("reason").unwrap_or_default().to_owned(),
        duration_s: form.get("duration_s").and_then(|seconds| seconds.parse().ok()),
        emergency: form.get("emergency").is_some(),
        ..Draft::default()
    };
    let evidence: Vec<String> = form.all("evidence").map(str::to_owned).collect();
    let scan = form.file("form").map(|file| Form {
        name: file.name.clone(),
        bytes: file.bytes.to_vec(),
    });
    let request = NewRequest {
        evidence: evidence.clone(),
        purpose: draft.purpose.ok_or_else(no_purpose)?,
        basis: draft.basis,
        reason: draft.reason.clone(),
        duration_s: draft.duration_s.unwrap_or(0),
        emergency: draft.emergency,
        form: scan,
    };
    let refusal = match console.room.file_request(&who, request) {
        Ok(id) => {
            let filed = Words::new(
                "申请已提交，等待审批。",
                "Your request is filed and waits for an approver.",
            );
            return Ok(told(console, visit, &address(&id), filed));
        }
        Err(AccessError::Refused(refusal)) if field_of(refusal).is_some() => refusal,
        Err(error) => return Err(error.into()),
    };
    draft.wrong.push(refusal);
    if draft.basis.is_none() {
        draft.wrong.push(Refusal::NoBasis);
    }
    if draft.reason.trim().is_empty() {
        draft.wrong.push(Refusal::NoReason);
    }
    let evidence: Vec<String> = evidence.into_iter().take(MAX_RECORDS).collect();
    draft.records = console.room.named(&who, &evidence)?;
    shown(
        console,
        visit,
        &draft,
        Fault::from(AccessError::Refused(refusal)).status(),
    )
}

fn no_purpose() -> Fault {
    Fault::BadRequest(Words::new(
        "用途须为查看或导出。",
        "The purpose is to view or to export.",
    ))
}

/// Which part of the form a refusal is about.
fn field_of(refusal: Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::NoRecords | Refusal::TooManyRecords | Refusal::NotFound | Refusal::OutOfScope => {
            Some("evidence")
        }
        Refusal::NoBasis => Some("basis"),
        Refusal::NoReason => Some("reason"),
        Refusal::BadDuration => Some("duration_s"),
        Refusal::BadForm => Some("form"),
        _ => None,
    }
}

fn shown(console: &Console, visit: &Visit, draft: &Draft, status: StatusCode) -> Result<Response, Fault> {
    let lang = visit.lang;
    let heading = lang.of("申请查阅", "Ask for access");
    let lead = lang.of(
        "由他人审批；批准后在所选时长内有效，到期自动失效。每次查阅都会记录。",
        "Somebody else decides. Once approved, access lasts as long as you choose here and ends by itself; every access is on record.",
    );
    let body = html! {
        (title(heading, Some(lead)))
        @if !draft.wrong.is_empty() {
            p.flash.failed role="alert" { (lang.of("申请没有提交，请更正标出的内容。", "This wasn't filed: please mend what is marked.")) }
        }
        (panel(lang.of("添加资料", "Add records"), &search_form(visit, draft)))
        section.panel {
            h2 { (lang.of("申请内容", "What you ask for")) }
            form.stack method="post" action=(REQUESTS) enctype="multipart/form-data" {
                input type="hidden" name=(TOKEN_FIELD) value=(visit.token());
                (record_boxes(visit, draft))
                (purposes(visit, draft))
                (bases(visit, draft))
                (reason(visit, draft))
                (duration(visit, draft))
                (emergency(visit, draft))
                (scan(visit, draft))
                div.actions {
                    (button(Weight::Primary, lang.of("提交申请", "File the request")))
                    (link_button(Weight::Plain, REQUESTS, lang.of("取消", "Cancel")))
                }
            }
        }
    };
    let mut response = page(&Frame::of(console, visit), heading, &body);
    *response.status_mut() = status;
    Ok(response)
}

/// What was wrong with a part of the form.
fn error(visit: &Visit, draft: &Draft, field: &str) -> Option<&'static str> {
    let about = |refusal: &&Refusal| field_of(**refusal) == Some(field);
    let found = draft.wrong.iter().find(about)?;
    Some(match (found, draft.emergency) {
        // What an emergency can't mend.
        (Refusal::NotFound | Refusal::OutOfScope, true) => {
            visit.lang.of(Refusal::NotFound.zh(), Refusal::NotFound.en())
        }
        (found, _) => visit.lang.of(found.zh(), found.en()),
    })
}

fn search_form(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    let wrong = draft.search.as_ref().map(|words| words.of(lang).to_owned());
    let typed = |name| {
        wrong
            .as_ref()
            .and_then(|_| visit.query.text(name))
            .unwrap_or_default()
    };
    let customer = Field {
        name: "customer",
        label: lang.of("客户号", "Customer number"),
        value: typed("customer"),
        error: wrong.as_deref(),
        inputmode: Some("numeric"),
        autocomplete: Some("off"),
        focused: draft.records.is_empty(),
        ..Field::default()
    };
    let flow = Field {
        name: "flow",
        label: lang.of("流水号", "Flow number"),
        value: typed("flow"),
        autocomplete: Some("off"),
        ..Field::default()
    };
    html! {
        p.hint { (lang.of(
            "填一项或两项，添加您范围内的全部相关资料；也可以从检索结果进入。",
            "Fill in one or both to add all such records in your reach; or come here from a search.",
        )) }
        form.filters method="get" action=(NEW) {
            @for record in &draft.records { @if visit.query.all("evidence").any(|id| id == record.id) || !visit.method.is_safe() {
                input type="hidden" name="evidence" value=(record.id);
            } }
            @if wrong.is_none() {
                @for (customer, flow) in searches(visit) {
                    input type="hidden" name="with" value=(format!("{customer}/{flow}"));
                }
            } @else {
                @for with in visit.query.all("with").take(MAX_SEARCHES) { input type="hidden" name="with" value=(with); }
            }
            (customer.input()) (flow.input())
            (button(Weight::Plain, lang.of("添加", "Add")))
        }
    }
}

fn record_boxes(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    let wrong = error(visit, draft, "evidence");
    html! {
        fieldset aria-describedby=[wrong.map(|_| "evidence-error")] {
            legend { (lang.of("资料", "Records")) span.needed aria-hidden="true" { "*" } }
            @if draft.records.is_empty() {
                p.hint { (lang.of("还没有选择资料。", "None is named yet.")) }
            } @else if draft.records.len() > 1 {
                p.hint { (lang.of(
                    format!("共 {} 件；不需要的请取消勾选。", draft.records.len()),
                    format!("{} in all; untick what you don't need.", draft.records.len()),
                )) }
            }
            ul.choices {
                @for record in &draft.records {
                    li { label.tick {
                        input type="checkbox" name="evidence" value=(record.id) checked;
                        (words::record(lang, record))
                    } }
                }
            }
            @if let Some(wrong) = wrong { p.error #evidence-error { (wrong) } }
        }
    }
}

fn purposes(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    // The narrower one stands there.
    let chosen = draft.purpose.unwrap_or(Purpose::View);
    html! {
        fieldset {
            legend { (lang.of("用途", "What for")) span.needed aria-hidden="true" { "*" } }
            @for known in Purpose::ALL {
                @let (name, hint) = terms::purpose(known);
                (radio("purpose", known.id(), name.of(lang), Some(hint.of(lang)), known == chosen))
            }
        }
    }
}

fn bases(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    let wrong = error(visit, draft, "basis");
    html! {
        fieldset.pairs aria-describedby=[wrong.map(|_| "basis-error")] {
            legend { (lang.of("依据", "What permits it")) span.needed aria-hidden="true" { "*" } }
            @for known in Basis::ALL {
                @let (name, hint) = terms::basis(known);
                (radio("basis", known.id(), name.of(lang), Some(hint.of(lang)), draft.basis == Some(known)))
            }
            @if let Some(wrong) = wrong { p.error #basis-error { (wrong) } }
        }
    }
}

fn reason(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    let field = Field {
        name: "reason",
        label: lang.of("理由", "Reason"),
        hint: Some(lang.of(
            "一行写明事由和文号，审批人据此决定；请勿填写证件号码。",
            "One line with the matter and its reference, for the approver; no identity numbers.",
        )),
        value: &draft.reason,
        error: error(visit, draft, "reason"),
        max_length: Some(MAX_REASON),
        autocomplete: Some("off"),
        required: true,
        ..Field::default()
    };
    field.input()
}

fn duration(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    let seconds = draft.duration_s.unwrap_or(words::SUGGESTED_S).to_string();
    let options = words::DURATIONS_S.map(|known| (known.to_string(), words::duration(lang, known)));
    let options: Vec<(&str, &str)> = options
        .iter()
        .map(|(value, text)| (value.as_str(), text.as_str()))
        .collect();
    let field = Field {
        name: "duration_s",
        label: lang.of("时长（自批准起）", "For how long, from the approval"),
        value: &seconds,
        error: error(visit, draft, "duration_s"),
        required: true,
        ..Field::default()
    };
    field.select(&options)
}

fn emergency(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    html! {
        label.tick {
            input type="checkbox" name="emergency" value="yes" checked[draft.emergency];
            span {
                (lang.of("紧急查阅", "This is an emergency"))
                span.hint { (lang.of(
                    "用于您范围之外的资料或来不及走常规审批时：须两位审批人同意，最长 24 小时，并在报告中单独列示。",
                    "For records outside your reach, or where there is no time: it takes two approvers, lasts 24 hours at the most, and is flagged in reports.",
                )) }
            }
        }
    }
}

fn scan(visit: &Visit, draft: &Draft) -> Markup {
    let lang = visit.lang;
    let wrong = error(visit, draft, "form");
    // A browser doesn't send a file twice by itself.
    let lost = !draft.wrong.is_empty() && visit.form.file("form").is_some() && wrong.is_none();
    html! {
        div.field {
            label for="form" { (lang.of("查阅审批单扫描件（可选）", "Scan of the signed form (optional)")) }
            p.hint #form-hint { (lang.of("PDF、JPEG 或 PNG，不超过 2 MB。加密保存。", "PDF, JPEG or PNG, 2 MB at the most. It is kept encrypted.")) }
            input #form type="file" name="form" accept=".pdf,.jpg,.jpeg,.png" aria-describedby="form-hint"
                aria-invalid=[wrong.map(|_| "true")];
            @if let Some(wrong) = wrong { p.error { (wrong) } }
            @if lost { p.error { (lang.of("请重新选择文件。", "Please choose the file again.")) } }
        }
    }
}
