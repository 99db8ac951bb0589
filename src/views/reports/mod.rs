//! `/reports`: what an auditor reads about the vault as a whole.

use super::{shelf::Shelf, tasks, unavailable};
use crate::{
    catalog::{people, reports},
    custody::{log_view::LogView, sheet},
    domain::{
        event::{Kind, Leaf},
        role::Role,
        time::{Clock, Zone},
    },
    sftp::space::Result,
};
use std::sync::Arc;

/// How long a rendered report is good for: some count the whole catalogue.
const FRESH_MS: i64 = 10_000;
/// Fixity checks listed, newest first.
const CHECKS: u32 = 10_000;

/// The reports.
pub fn reports(log: LogView, zone: Zone, clock: Arc<dyn Clock>) -> Shelf {
    let logs = [log.clone(), log.clone(), log.clone(), log];
    let [branches, checks, people, waits] = logs;
    Shelf::new(clock, FRESH_MS)
        .with("evidence-by-branch.csv", move || {
            evidence_by_branch(&branches, zone)
        })
        .with("fixity.csv", move || fixity(&checks, zone))
        .with("users.csv", move || users(&people, zone))
        .with("waiting.csv", move || waiting(&waits, zone))
}

fn evidence_by_branch(log: &LogView, zone: Zone) -> Result<Vec<u8>> {
    let rows = log
        .catalogue()
        .read(reports::evidence_by_branch)
        .map_err(unavailable)?;
    let columns = [
        "机构 Branch",
        "名称 Name",
        "证据件数 Evidence",
        "版本数 Versions",
        "字节 Bytes",
        "已按申报核对 Declared",
        "仅服务器计算 Server only",
        "首次封存 First sealed",
        "最近封存 Last sealed",
    ];
    let cells = rows.into_iter().map(|row| {
        let time = |at: Option<i64>| at.map(|at| zone.date_time(at)).unwrap_or_default();
        vec![
            row.branch,
            row.name,
            row.evidence.to_string(),
            row.versions.to_string(),
            row.size_bytes.to_string(),
            row.declared.to_string(),
            (row.versions - row.declared).to_string(),
            time(row.sealed_ms.map(|(first, _)| first)),
            time(row.sealed_ms.map(|(_, last)| last)),
        ]
    });
    Ok(sheet::table(&columns, cells))
}

fn fixity(log: &LogView, zone: Zone) -> Result<Vec<u8>> {
    let kind = Kind::FixityChecked.to_string();
    let checks = log
        .catalogue()
        .read(|connection| reports::events_of_kind(connection, &kind, CHECKS))
        .map_err(unavailable)?;
    let columns = [
        "时间 Time",
        "日志位置 Log index",
        "操作 Actor",
        "对象数 Objects",
        "字节 Bytes",
        "问题数 Findings",
        "使用身份密钥 With identity",
        "完整 Complete",
    ];
    let rows: Vec<Vec<String>> = checks
        .into_iter()
        .map(|(index, actor, time_ms)| {
            let leaf = log.leaf(index).map_err(unavailable)?;
            let leaf: Leaf = serde_json::from_slice(&leaf).map_err(unavailable)?;
            let fact = |name: &str| {
                leaf.integer(name)
                    .map(|value| value.to_string())
                    .unwrap_or_default()
            };
            Ok(vec![
                zone.date_time(time_ms),
                index.to_string(),
                actor,
                fact("objects"),
                fact("bytes"),
                fact("findings"),
                fact("with_identity"),
                fact("complete"),
            ])
        })
        .collect::<Result<_>>()?;
    Ok(sheet::table(&columns, rows))
}

/// The role matrix: one column a role, so that a combination that shouldn't be shows in a row.
fn users(log: &LogView, zone: Zone) -> Result<Vec<u8>> {
    let mut people = log.catalogue().read(people::people).map_err(unavailable)?;
    people.sort_by(|one, other| one.id.cmp(&other.id));
    let before = ["人员编号 Person", "登录名 Name", "机构 Branch"];
    let after = ["公钥数 Keys", "保密协议 NDA", "启用 Added", "停用 Disabled"];
    let columns: Vec<&str> = before
        .into_iter()
        .chain(Role::ALL.map(Role::id))
        .chain(after)
        .collect();
    let rows = people.into_iter().map(|person| {
        let held = Role::ALL.map(|role| {
            let holds = person.roles.iter().any(|held| held == role.id());
            if holds { "1" } else { "" }.to_owned()
        });
        let mut cells = vec![person.id, person.name, person.branch.unwrap_or_default()];
        cells.extend(held);
        cells.extend([
            person.keys.len().to_string(),
            person.nda,
            zone.date_time(person.added_ms),
            person
                .disabled_ms
                .map(|at| zone.date_time(at))
                .unwrap_or_default(),
        ]);
        cells
    });
    Ok(sheet::table(&columns, rows))
}

fn waiting(log: &LogView, zone: Zone) -> Result<Vec<u8>> {
    let rows = log.catalogue().read(reports::waiting).map_err(unavailable)?;
    let columns: Vec<&str> = ["机构 Branch", "上传人 Uploader", "接收编号 Accession"]
        .into_iter()
        .chain(tasks::COLUMNS)
        .collect();
    let cells = rows.iter().map(|row| {
        let mut cells = vec![row.branch.clone(), row.name.clone(), row.id.clone()];
        cells.extend(tasks::cells(row, zone));
        cells
    });
    Ok(sheet::table(&columns, cells))
}
