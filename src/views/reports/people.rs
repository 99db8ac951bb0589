//! The role matrix: one column a role, so that a combination that shouldn't be shows in a row.

use super::{Cell, Report, ReportError};
use crate::{
    catalog::people::{self, Person},
    custody::log_view::LogView,
    domain::role::{Role, RoleError, RoleSet},
};

pub(super) fn users(log: &LogView) -> Result<Report, ReportError> {
    let mut people = log.catalogue().read(people::people)?;
    people.sort_by(|one, other| one.id.cmp(&other.id));
    let before = [("人员编号", "Person"), ("登录名", "Name"), ("机构", "Branch")];
    let after = [
        ("公钥数", "Keys"),
        ("保密协议", "NDA"),
        ("启用", "Added"),
        ("停用", "Disabled"),
        ("冲突", "Conflict"),
    ];
    let columns: Vec<(&str, &str)> = before
        .into_iter()
        .chain(Role::ALL.map(|role| ("", role.id())))
        .chain(after)
        .collect();
    let mut report = Report::new(&columns);
    for person in people {
        let conflict = conflict(&person);
        let held = Role::ALL.map(|role| match person.roles.iter().any(|held| held == role.id()) {
            true => Cell::word("1", "✓", "✓"),
            false => Cell::Empty,
        });
        let who = [
            Cell::Text(person.id),
            Cell::Text(person.name),
            Cell::text(person.branch),
        ];
        let rest = [
            Cell::Number(person.keys.len() as i64),
            Cell::Text(person.nda),
            Cell::Time(person.added_ms),
            Cell::time(person.disabled_ms),
            conflict,
        ];
        report.row(who.into_iter().chain(held).chain(rest));
    }
    Ok(report)
}

/// Why nobody may hold these roles together. Nothing that is administered here comes to that; a catalogue that was altered may.
fn conflict(person: &Person) -> Cell {
    let roles: Result<Vec<Role>, RoleError> = person.roles.iter().map(|role| role.parse()).collect();
    match roles.and_then(|roles| RoleSet::new(roles, person.branch.is_some())) {
        Ok(_) => Cell::Empty,
        Err(RoleError::Conflict(one, other, _)) => {
            let pair = format!("{one} + {other}");
            Cell::alert(&pair, &pair, &pair)
        }
        Err(error) => {
            let said = error.to_string();
            Cell::alert(&said, &said, &said)
        }
    }
}
