//! Deciding: approve as asked or less of it, or decline with a reason.

use super::{super::terms, address, inbox::APPROVALS, one, told, words};
use crate::{
    access::{
        policy::Action,
        refusal::{AccessError, Refusal},
        register::RequestFile,
        requests::{Approved, MAX_REASON, Narrowing},
    },
    console::{
        Console,
        fault::Fault,
        page::{Field, Weight, button, form, radio},
        routes::{Need, Route, post},
        visit::Visit,
        words::Words,
    },
    domain::access::Purpose,
};
use axum::response::Response;
use maud::{Markup, html};

pub(super) fn routes() -> Vec<Route> {
    let need = Need::May(Action::DecideRequest);
    vec![
        post("/requests/{id}/approve", need, approve),
        post("/requests/{id}/decline", need, decline),
    ]
}

fn approve(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let id = visit.param("id")?;
    let approved = match console.room.approve_request(&visit.who()?, id, narrowing(visit)?) {
        Ok(approved) => approved,
        Err(error) => return again(console, visit, id, error),
    };
    let words = match approved {
        Approved::Granted(_) => Words::new("已批准，授权即时生效。", "Approved: the grant counts from now."),
        Approved::Endorsed => Words::new(
            "已同意。这是紧急查阅，还须另一位审批人同意。",
            "You agreed. This is an emergency: another approver has to agree as well.",
        ),
    };
    Ok(told(console, visit, APPROVALS, words))
}

/// What of the request is approved: all of it, unless the form narrows it.
fn narrowing(visit: &Visit) -> Result<Narrowing, Fault> {
    let form = &visit.form;
    if form.get("narrow").is_none() {
        return Ok(Narrowing::default());
    }
    let unreadable = || {
        Fault::BadRequest(Words::new(
            "审批内容无法识别。",
            "What is approved can't be made out.",
        ))
    };
    let purpose = form.get("purpose").map(str::parse).transpose();
    let duration_s = form.get("duration_s").map(str::parse).transpose();
    Ok(Narrowing {
        evidence: Some(form.all("evidence").map(str::to_owned).collect()),
        purpose: purpose.map_err(|_| unreadable())?,
        duration_s: duration_s.map_err(|_| unreadable())?,
    })
}

fn decline(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let id = visit.param("id")?;
    let reason = visit.form.get("reason").unwrap_or_default();
    match console.room.decline_request(&visit.who()?, id, reason) {
        Ok(()) => {
            let words = Words::new("已拒绝该申请。", "The request is declined.");
            Ok(told(console, visit, APPROVALS, words))
        }
        Err(error) => again(console, visit, id, error),
    }
}

/// What a form got wrong is said on the request's page; any other no stands on a page of its own.
fn again(console: &Console, visit: &Visit, id: &str, error: AccessError) -> Result<Response, Fault> {
    match error {
        AccessError::Refused(
            refusal @ (Refusal::NoReason | Refusal::NoRecords | Refusal::Wider | Refusal::BadDuration),
        ) => one::shown(console, visit, id, Some(refusal)),
        error => Err(error.into()),
    }
}

/// The forms of somebody who may decide.
pub(super) fn forms(visit: &Visit, file: &RequestFile, wrong: Option<Refusal>) -> Markup {
    let lang = visit.lang;
    let request = &file.request;
    let is_endorsement = request.emergency && request.endorser.is_none();
    let (of_approval, of_decline) = match wrong {
        Some(Refusal::NoReason) => (None, wrong),
        other => (other, None),
    };
    let fields = html! {
        @if is_endorsement {
            ul.records { @for record in &file.records { li { (words::record(lang, record)) } } }
            p.hint { (lang.of(
                "紧急查阅须两位审批人：您同意后，由另一位审批人完成审批。",
                "An emergency takes two approvers: once you agree, another one completes it.",
            )) }
            div.actions { (button(Weight::Primary, lang.of("同意", "Agree"))) }
        } @else {
            (narrower(visit, file))
            @if let Some(wrong) = of_approval { p.error role="alert" { (lang.of(wrong.zh(), wrong.en())) } }
            div.actions { (button(Weight::Primary, lang.of("批准", "Approve"))) }
        }
    };
    html! {
        (form(visit, &format!("{}/approve", address(&request.id)), &fields))
        (decline_form(visit, &request.id, of_decline))
    }
}

/// What may be approved of a request: at the most what was asked for.
fn narrower(visit: &Visit, file: &RequestFile) -> Markup {
    let lang = visit.lang;
    let request = &file.request;
    let asked: Option<Purpose> = request.purpose.parse().ok();
    let mut times: Vec<i64> = words::DURATIONS_S.to_vec();
    times.retain(|seconds| *seconds < request.duration_s);
    times.push(request.duration_s);
    let options: Vec<(String, String)> = times
        .into_iter()
        .map(|seconds| (seconds.to_string(), words::duration(lang, seconds)))
        .collect();
    let options: Vec<(&str, &str)> = options
        .iter()
        .map(|(value, text)| (value.as_str(), text.as_str()))
        .collect();
    let asked_for_s = request.duration_s.to_string();
    let duration = Field {
        name: "duration_s",
        label: lang.of("时长（自现在起）", "For how long, from now"),
        value: &asked_for_s,
        ..Field::default()
    };
    html! {
        p.hint { (lang.of("可以缩小范围、用途或时长，不能扩大。", "You may give less than was asked for, never more.")) }
        input type="hidden" name="narrow" value="yes";
        fieldset {
            legend { (lang.of("资料", "Records")) }
            ul.choices {
                @for record in &file.records {
                    li { label.tick {
                        input type="checkbox" name="evidence" value=(record.id) checked;
                        (words::record(lang, record))
                    } }
                }
            }
        }
        fieldset {
            legend { (lang.of("用途", "For")) }
            @for known in Purpose::ALL.into_iter().filter(|known| asked.is_some_and(|asked| asked.serves(*known))) {
                @let (name, hint) = terms::purpose(known);
                (radio("purpose", known.id(), name.of(lang), Some(hint.of(lang)), asked == Some(known)))
            }
        }
        (duration.select(&options))
    }
}

/// Declining takes a reason, so it is a step away.
pub(super) fn decline_form(visit: &Visit, id: &str, wrong: Option<Refusal>) -> Markup {
    let lang = visit.lang;
    with_reason(
        visit,
        &format!("{}/decline", address(id)),
        lang.of("拒绝…", "Decline…"),
        lang.of("拒绝申请", "Decline the request"),
        lang.of("理由（申请人会看到）", "Reason, which the requester sees"),
        wrong,
    )
}

/// A step that takes a reason: closed until it is wanted, open where it went wrong.
pub(super) fn with_reason(
    visit: &Visit,
    action: &str,
    summary: &str,
    does: &str,
    label: &str,
    wrong: Option<Refusal>,
) -> Markup {
    let lang = visit.lang;
    let fields = html! {
        label.reason {
            span { (label) }
            input type="text" name="reason" required maxlength=(MAX_REASON) autocomplete="off"
                aria-invalid=[wrong.map(|_| "true")] value=(visit.form.get("reason").filter(|_| wrong.is_some()).unwrap_or_default());
        }
        @if let Some(wrong) = wrong { p.error role="alert" { (lang.of(wrong.zh(), wrong.en())) } }
        div.actions { (button(Weight::Danger, does)) }
    };
    html! {
        details.step open[wrong.is_some()] {
            summary.button.danger { (summary) }
            (form(visit, action, &fields))
        }
    }
}
