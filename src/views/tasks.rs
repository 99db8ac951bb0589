//! `/tasks`: what an uploader has still to do.

use super::{shelf::Shelf, unavailable};
use crate::{
    catalog::{
        Catalogue,
        reports::{self, Waiting},
    },
    custody::sheet,
    domain::time::{Clock, Zone},
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// How long a rendered list is good for. Short: a clerk looks right after an upload.
const FRESH_MS: i64 = 500;

pub(super) const COLUMNS: [&str; 6] = [
    "文件 File",
    "已收字节 Bytes here",
    "收到时间 Received",
    "补全期限 Complete by",
    "原因 Reason",
    "Reason (English)",
];

/// The tasks of one person.
pub fn tasks(catalogue: Catalogue, person: String, zone: Zone, clock: Arc<dyn Clock>) -> Shelf {
    Shelf::new(clock, FRESH_MS).with("waiting.csv", move || {
        let rows = catalogue
            .read(|connection| reports::waiting_of(connection, &person))
            .map_err(unavailable)?;
        Ok(sheet::table(&COLUMNS, rows.iter().map(|row| cells(row, zone))))
    })
}

/// The cells that an uploader's list and an auditor's have in common.
pub(super) fn cells(row: &Waiting, zone: Zone) -> Vec<String> {
    let [zh, en] = reason(row.private.as_deref());
    vec![
        row.path.clone(),
        row.size_bytes.to_string(),
        zone.date_time(row.time_ms),
        row.expires_ms.map(|at| zone.date_time(at)).unwrap_or_default(),
        zh,
        en,
    ]
}

fn reason(private: Option<&str>) -> [String; 2] {
    let Some(private) = private else {
        // No receipt is given for a name that its client is about to change.
        return [
            "仍为临时文件名：上传未结束；请续传，或改为正式名称".to_owned(),
            "still under a temporary name: the upload didn't end; resume it, or rename it".to_owned(),
        ];
    };
    let facts: Map<String, Value> = serde_json::from_str(private).unwrap_or_default();
    let text = |name: &str| {
        facts
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    [text("reason_zh"), text("reason_en")]
}
