//! Access: who asked for what and why, who granted it, who read how much of it, who was refused what.

use super::{Cell, Report, ReportError, integrity::read, refused};
use crate::{
    catalog::{
        access::{Grant, Request},
        people,
        reports::{self, Listed, Span},
    },
    custody::log_view::LogView,
    domain::access::Basis,
};
use std::collections::HashMap;

/// Names of people by id. Whoever isn't one keeps the id.
struct Names(HashMap<String, String>);

impl Names {
    fn of(log: &LogView) -> Result<Self, ReportError> {
        Ok(Names(log.catalogue().read(people::names)?))
    }

    fn cell(&self, id: &str) -> Cell {
        Cell::Text(self.0.get(id).cloned().unwrap_or_else(|| id.to_owned()))
    }

    fn maybe(&self, id: Option<&str>) -> Cell {
        id.map_or(Cell::Empty, |id| self.cell(id))
    }
}

fn emergency(is_one: bool) -> Cell {
    if is_one {
        Cell::alert("1", "紧急", "emergency")
    } else {
        Cell::Empty
    }
}

fn purpose(id: &str) -> Cell {
    match id {
        "view" => Cell::word(id, "查看", "view"),
        "export" => Cell::word(id, "导出", "export"),
        other => Cell::Text(other.to_owned()),
    }
}

fn basis(id: &str) -> Cell {
    let (zh, en) = match id.parse::<Basis>() {
        Ok(Basis::Law) => ("法律", "law"),
        Ok(Basis::Regulator) => ("监管", "regulator"),
        Ok(Basis::CustomerConsent) => ("客户同意", "customer consent"),
        Ok(Basis::DueDiligence) => ("尽职调查", "due diligence"),
        Err(_) => return Cell::Text(id.to_owned()),
    };
    Cell::word(id, zh, en)
}

pub(super) fn requests(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let rows = log
        .catalogue()
        .read(|connection| reports::requests(connection, span))?;
    let names = Names::of(log)?;
    let mut report = Report::new(&[
        ("提出时间", "Filed"),
        ("申请编号", "Request"),
        ("申请人", "Requester"),
        ("机构", "Branch"),
        ("用途", "Purpose"),
        ("依据", "Basis"),
        ("理由", "Reason"),
        ("件数", "Records"),
        ("紧急", "Emergency"),
        ("状态", "State"),
        ("第一审批人", "First approver"),
        ("处理人", "Decided by"),
        ("处理时间", "Decided"),
        ("处理意见", "Words"),
        ("授权编号", "Grant"),
    ]);
    for row in rows {
        let state = state(&row);
        report.event(
            row.leaf,
            [
                Cell::Time(row.requested_ms),
                Cell::Request(row.id),
                names.cell(&row.person),
                Cell::text(row.branch),
                purpose(&row.purpose),
                basis(&row.basis),
                Cell::Text(row.reason),
                Cell::Number(row.items),
                emergency(row.emergency),
                state,
                names.maybe(row.endorser.as_deref()),
                names.maybe(row.decided_by.as_deref()),
                Cell::time(row.decided_ms),
                Cell::text(row.decided_reason),
                row.grant.map_or(Cell::Empty, Cell::Grant),
            ],
        );
    }
    Ok(report)
}

fn state(request: &Request) -> Cell {
    match request.state.as_str() {
        "pending" => Cell::word("pending", "待审批", "waiting"),
        "approved" => Cell::word("approved", "已批准", "approved"),
        "declined" => Cell::word("declined", "已拒绝", "declined"),
        "withdrawn" => Cell::word("withdrawn", "已撤回", "withdrawn"),
        other => Cell::Text(other.to_owned()),
    }
}

pub(super) fn grants(log: &LogView, now_ms: i64, span: &Span) -> Result<Report, ReportError> {
    let rows = log
        .catalogue()
        .read(|connection| reports::grants(connection, span))?;
    let names = Names::of(log)?;
    let mut report = Report::new(&[
        ("批准时间", "Granted"),
        ("授权编号", "Grant"),
        ("被授权人", "Person"),
        ("审批人", "Approver"),
        ("另一审批人", "Other approver"),
        ("机构", "Branch"),
        ("用途", "Purpose"),
        ("依据", "Basis"),
        ("理由", "Reason"),
        ("件数", "Records"),
        ("紧急", "Emergency"),
        ("到期", "Until"),
        ("状态", "State"),
        ("撤销人", "Revoked by"),
        ("撤销时间", "Revoked"),
        ("撤销理由", "Why revoked"),
        ("申请编号", "Request"),
    ]);
    for row in rows {
        let state = standing(&row, now_ms);
        report.event(
            row.leaf,
            [
                Cell::Time(row.granted_ms),
                Cell::Grant(row.id),
                names.cell(&row.person),
                names.cell(&row.approver),
                names.maybe(row.endorser.as_deref()),
                Cell::text(row.branch),
                purpose(&row.purpose),
                basis(&row.basis),
                Cell::Text(row.reason),
                Cell::Number(row.items),
                emergency(row.emergency),
                Cell::Time(row.expires_ms),
                state,
                names.maybe(row.revoked_by.as_deref()),
                Cell::time(row.revoked_ms),
                Cell::text(row.revoked_reason),
                Cell::Request(row.request),
            ],
        );
    }
    Ok(report)
}

fn standing(grant: &Grant, now_ms: i64) -> Cell {
    if grant.revoked_ms.is_some() {
        Cell::word("revoked", "已撤销", "revoked")
    } else if grant.is_live(now_ms) {
        Cell::word("live", "有效", "live")
    } else {
        Cell::word("expired", "已到期", "expired")
    }
}

pub(super) fn readings(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let rows = log
        .catalogue()
        .read(|connection| reports::readings(connection, span))?;
    let names = Names::of(log)?;
    let mut report = Report::new(&[
        ("开始", "Began"),
        ("日志位置", "Log index"),
        ("查阅人", "Person"),
        ("证据", "Evidence"),
        ("版本", "Version"),
        ("内容", "Part"),
        ("用途", "Purpose"),
        ("途径", "Channel"),
        ("结束", "Ended"),
        ("字节", "Bytes"),
        ("段数", "Ranges"),
        ("播放秒数", "Seconds played"),
        ("紧急", "Emergency"),
        ("授权编号", "Grant"),
    ]);
    for (row, is_emergency) in rows {
        let part = match row.part.as_str() {
            "original" => Cell::word("original", "原件", "original"),
            "contact_sheet" => Cell::word("contact_sheet", "缩略图", "contact sheet"),
            "playback" => Cell::word("playback", "播放件", "playback copy"),
            other => Cell::Text(other.to_owned()),
        };
        let channel = match row.channel.as_str() {
            "console" => Cell::word("console", "控制台", "console"),
            "api" => Cell::word("api", "接口", "API"),
            "sftp" => Cell::word("sftp", "SFTP", "SFTP"),
            other => Cell::Text(other.to_owned()),
        };
        report.event(
            row.leaf,
            [
                Cell::Time(row.started_ms),
                Cell::Leaf(row.leaf),
                names.cell(&row.person),
                Cell::Evidence(row.evidence),
                Cell::Number(row.version),
                part,
                purpose(&row.purpose),
                channel,
                // No end: it is open, or the server ended first.
                Cell::time(row.ended_ms),
                Cell::number(row.bytes),
                Cell::number(row.ranges),
                Cell::number(row.watched_s),
                emergency(is_emergency),
                Cell::Grant(row.grant),
            ],
        );
    }
    Ok(report)
}

pub(super) fn refusals(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let events = log
        .catalogue()
        .read(|connection| reports::listed(connection, Listed::Refused, span))?;
    let names = Names::of(log)?;
    let mut report = Report::new(&[
        ("时间", "Time"),
        ("日志位置", "Log index"),
        ("何人", "Person"),
        ("尝试", "Tried"),
        ("原因", "Why"),
        ("次数", "Times"),
        ("证据", "Evidence"),
    ]);
    for event in events {
        let leaf = read(log, event.leaf)?;
        let who = match leaf.text("person") {
            Some(person) => names.cell(person),
            None => Cell::word(&event.actor, "身份不明", "nobody known"),
        };
        report.event(
            event.leaf,
            [
                Cell::Time(event.time_ms),
                Cell::Leaf(event.leaf),
                who,
                leaf.text("what").map_or(Cell::Empty, refused::tried),
                leaf.text("why").map_or(Cell::Empty, refused::why),
                Cell::Number(leaf.integer("times").unwrap_or(1)),
                leaf.text("evidence")
                    .map_or(Cell::Empty, |evidence| Cell::Evidence(evidence.to_owned())),
            ],
        );
    }
    Ok(report)
}

/// An operator on the host names who asked in the event's private half, so it isn't here.
pub(super) fn host_reads(log: &LogView, span: &Span) -> Result<Report, ReportError> {
    let events = log
        .catalogue()
        .read(|connection| reports::listed(connection, Listed::HostRead, span))?;
    let mut report = Report::new(&[
        ("时间", "Time"),
        ("日志位置", "Log index"),
        ("证据", "Evidence"),
        ("版本", "Version"),
        ("用途", "Purpose"),
        ("依据", "Basis"),
    ]);
    for event in events {
        let leaf = read(log, event.leaf)?;
        report.event(
            event.leaf,
            [
                Cell::Time(event.time_ms),
                Cell::Leaf(event.leaf),
                leaf.text("evidence")
                    .map_or(Cell::Empty, |evidence| Cell::Evidence(evidence.to_owned())),
                Cell::number(leaf.integer("version")),
                leaf.text("purpose").map_or(Cell::Empty, purpose),
                leaf.text("basis").map_or(Cell::Empty, basis),
            ],
        );
    }
    Ok(report)
}
