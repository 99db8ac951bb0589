//! A report's rows: typed cells, so that a screen can link and mark them while a spreadsheet gets plain values.

use crate::{custody::sheet, domain::time::Zone};

/// A column's name. Where it is a word of the log there is no Chinese.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heading {
    /// In Chinese.
    pub zh: &'static str,
    /// In English.
    pub en: &'static str,
}

/// A word of a closed list, with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As the log and spreadsheets have it.
    pub id: String,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
    /// Somebody should look at it.
    pub alerts: bool,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Nothing to say.
    Empty,
    /// A text, from whomever.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Milliseconds since 1970.
    Time(i64),
    /// A position in the log.
    Leaf(u64),
    /// An evidence id.
    Evidence(String),
    /// A grant's id.
    Grant(String),
    /// A request's id.
    Request(String),
    /// A word of a closed list.
    Word(Word),
}

impl Cell {
    /// A word that needs no attention.
    pub fn word(id: &str, zh: &str, en: &str) -> Self {
        Cell::Word(Word {
            id: id.to_owned(),
            zh: zh.to_owned(),
            en: en.to_owned(),
            alerts: false,
        })
    }

    /// A word that somebody should look at.
    pub fn alert(id: &str, zh: &str, en: &str) -> Self {
        match Cell::word(id, zh, en) {
            Cell::Word(word) => Cell::Word(Word { alerts: true, ..word }),
            other => other,
        }
    }

    /// A time that may not have come.
    pub fn time(ms: Option<i64>) -> Self {
        ms.map_or(Cell::Empty, Cell::Time)
    }

    /// A number that may not be known.
    pub fn number(number: Option<i64>) -> Self {
        number.map_or(Cell::Empty, Cell::Number)
    }

    /// A text that may not be there.
    pub fn text(text: Option<String>) -> Self {
        text.map_or(Cell::Empty, Cell::Text)
    }

    /// As spreadsheets get it.
    pub fn plain(&self, zone: Zone) -> String {
        match self {
            Cell::Empty => String::new(),
            Cell::Text(text) | Cell::Evidence(text) | Cell::Grant(text) | Cell::Request(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Time(ms) => zone.date_time(*ms),
            Cell::Leaf(leaf) => leaf.to_string(),
            Cell::Word(word) => word.id.clone(),
        }
    }
}

/// A report: columns, rows, and where it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its columns.
    pub headings: Vec<Heading>,
    /// As many cells a row as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Position of the last row shown, where there are older ones; the span's `before` for those.
    pub older: Option<u64>,
    /// Position of each row in the log, for reports of what happened.
    positions: Vec<u64>,
}

impl Report {
    /// A report with these columns, as Chinese and English.
    pub fn new(columns: &[(&'static str, &'static str)]) -> Self {
        let headings = columns.iter().map(|(zh, en)| Heading { zh, en });
        Report {
            headings: headings.collect(),
            ..Report::default()
        }
    }

    /// Adds a row of what is.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a row of what happened at this position of the log.
    pub fn event(&mut self, leaf: u64, cells: impl IntoIterator<Item = Cell>) {
        self.positions.push(leaf);
        self.row(cells);
    }

    /// Keeps so many rows, and says where the others begin.
    pub(super) fn cut(&mut self, limit: usize) {
        if self.rows.len() > limit {
            self.rows.truncate(limit);
            self.older = limit
                .checked_sub(1)
                .and_then(|last| self.positions.get(last))
                .copied();
        }
    }

    /// A spreadsheet (RFC 4180, UTF-8 with a byte-order mark, no cell a formula). A last line says so where rows are left out.
    pub fn csv(&self, zone: Zone) -> Vec<u8> {
        let columns: Vec<String> = self
            .headings
            .iter()
            .map(|heading| format!("{} {}", heading.zh, heading.en).trim_start().to_owned())
            .collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let rows = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.plain(zone)).collect::<Vec<_>>());
        let left_out = self.older.map(|older| {
            vec![format!(
                "仅列出 {} 行，日志位置 {older} 之前的未列出 Only {} rows; what stands before position {older} of the log isn't listed",
                self.rows.len(),
                self.rows.len()
            )]
        });
        sheet::table(&columns, rows.chain(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said_and_no_cell_is_a_formula() {
        let mut report = Report::new(&[("时间", "Time"), ("理由", "Reason")]);
        for leaf in [9, 7, 4] {
            report.event(leaf, [Cell::Time(0), Cell::Text("=cmd|' /C calc'!A0".to_owned())]);
        }
        let whole = String::from_utf8(report.csv(Zone::default())).unwrap();
        assert!(whole.starts_with("\u{feff}时间 Time,理由 Reason\r\n1970-01-01 08:00:00 +08:00,'=cmd|"));
        assert_eq!(whole.lines().count(), 4);
        report.cut(2);
        assert_eq!((report.rows.len(), report.older), (2, Some(7)));
        let cut = String::from_utf8(report.csv(Zone::default())).unwrap();
        assert!(cut.lines().last().unwrap().contains("position 7"), "{cut}");
        report.cut(0);
        assert_eq!((report.rows.len(), report.older), (0, None));
    }
}
