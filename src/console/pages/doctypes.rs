//! The document types that head office published: what each takes, and what makes one good.

use super::terms::{category, kind, size};
use crate::{
    catalog::doctypes::{self, Published},
    console::{
        Console,
        allows::Action,
        fault::Fault,
        layout::{Frame, page},
        page::{Table, definitions, digest, empty, panel, title},
        routes::{Need, Route, get},
        visit::Visit,
        words::Lang,
    },
    domain::{
        doctype::{DocumentType, DocumentTypes, Rule},
        finding::Severity,
    },
};
use axum::response::Response;
use maud::{Markup, html};

pub(in crate::console) fn routes() -> Vec<Route> {
    vec![get("/doctypes", Need::May(Action::SearchMetadata), show)]
}

fn show(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let lang = visit.lang;
    let heading = lang.of("资料类型表", "Document types");
    let lead = lang.of(
        "总部统一发布；营业部不能更改。每件资料都记录了当时适用的版本。",
        "Published by head office; no branch can change it. Each record says which version judged it.",
    );
    let published = console.catalogue.read(doctypes::newest)?;
    let body = html! {
        (title(heading, Some(lead)))
        @match &published {
            None => { (empty(heading, lang.of("总部还没有发布资料类型表。", "Head office hasn't published any yet."), None)) }
            Some(published) => { (tables(console, lang, published)?) }
        }
    };
    Ok(page(&Frame::of(console, visit), heading, &body))
}

fn tables(console: &Console, lang: Lang, published: &Published) -> Result<Markup, Fault> {
    let text = published.text.as_deref().unwrap_or_default();
    let types = DocumentTypes::from_toml(text).map_err(Fault::internal)?;
    let by = match published.actor.as_str() {
        "operator" => lang.of("主机操作员", "Operator on the host"),
        "system" => lang.of("系统（随程序提供）", "The system (as shipped)"),
        other => other,
    };
    let facts = [
        (lang.of("版本", "Version"), html! { (published.version) }),
        (
            lang.of("发布时间", "Published"),
            html! { (console.zone.date_time(published.time_ms)) },
        ),
        (lang.of("发布人", "By"), html! { (by) }),
        (lang.of("日志位置", "Log position"), html! { (published.leaf) }),
        ("SHA-256", digest(lang, &published.sha256)),
    ];
    Ok(html! {
        (panel(lang.of("现行版本", "In force"), &definitions(&facts)))
        (types_table(lang, &types))
        @if types.businesses().next().is_some() { (businesses(lang, &types)) }
    })
}

fn types_table(lang: Lang, types: &DocumentTypes) -> Markup {
    let mut table = Table::new(lang.of("资料类型", "Document types"))
        .column(lang.of("代码", "Code"))
        .column(lang.of("名称", "Name"))
        .column(lang.of("类别", "Category"))
        .column(lang.of("格式", "Formats"))
        .right(lang.of("大小上限", "Largest"))
        .column(lang.of("要求", "Rules"));
    for one in types.iter() {
        table.row([
            html! { code.whole { (one.code) } },
            html! { (lang.of(&one.name_zh, &one.name_en)) },
            html! { (category(lang, one.category)) },
            html! { div { (kind(lang, one.kind)) p.hint { (one.extensions.join(" ")) } } },
            html! { span.whole { (size(one.max_size_bytes)) } },
            rules(lang, one),
        ]);
    }
    html! { (table) }
}

/// The limits of a type, folded away: they are many.
fn rules(lang: Lang, one: &DocumentType) -> Markup {
    let limits: Vec<(Rule, String)> = one
        .limits()
        .map(|(rule, limit)| {
            let parts = limit.parts().into_iter();
            let parts = parts.filter_map(|(severity, value)| {
                Some(format!("{} {}", severity_name(lang, severity), value?))
            });
            (rule, parts.collect::<Vec<_>>().join(lang.of("，", ", ")))
        })
        .collect();
    let count = limits.len();
    html! {
        @if limits.is_empty() { (lang.of("无", "None")) } @else {
            details {
                summary { (lang.of(format!("{count} 项"), format!("{count} rules"))) }
                ul.limits {
                    @for (rule, said) in &limits {
                        @let (zh, en) = rule.meaning();
                        li { (lang.of(zh, en)) (lang.of("：", ": ")) (said) }
                    }
                }
            }
        }
    }
}

fn severity_name(lang: Lang, severity: Severity) -> &'static str {
    match severity {
        Severity::Reject => lang.of("拒收", "reject"),
        Severity::Review => lang.of("复核", "review"),
        Severity::Note => lang.of("提示", "note"),
    }
}

/// Which types each business needs.
fn businesses(lang: Lang, types: &DocumentTypes) -> Markup {
    let mut table = Table::new(lang.of("业务", "Businesses"))
        .column(lang.of("代码", "Code"))
        .column(lang.of("业务", "Business"))
        .column(lang.of("所需资料", "Documents that it needs"));
    for (code, business) in types.businesses() {
        let needed = business.types.iter().map(|code| match types.find(code) {
            Ok(found) => format!("{code} {}", lang.of(&found.name_zh, &found.name_en)),
            Err(_) => code.clone(),
        });
        table.row([
            html! { code.whole { (code) } },
            html! { (lang.of(&business.name_zh, &business.name_en)) },
            html! { (needed.collect::<Vec<_>>().join(lang.of("、", ", "))) },
        ]);
    }
    panel(
        lang.of("各项业务所需资料", "What each business needs"),
        &html! { (table) },
    )
}
