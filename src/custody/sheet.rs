//! Tables as spreadsheet programs open them: CSV in UTF-8 with a byte-order mark and CRLF (RFC 4180).
//!
//! Invariant: no cell is a formula. What begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe
//! before it (OWASP, CSV injection): a file name is a stranger's text that somebody opens in Excel.

/// What a table begins with, so that Excel takes it for UTF-8.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A table of these columns.
pub fn table<R>(columns: &[&str], rows: impl IntoIterator<Item = R>) -> Vec<u8>
where
    R: IntoIterator<Item = String>,
{
    let mut text = BYTE_ORDER_MARK.to_owned();
    text.push_str(&line(columns.iter().map(|column| (*column).to_owned())));
    for row in rows {
        text.push_str(&line(row));
    }
    text.into_bytes()
}

/// One row with its line end.
pub fn line(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| quoted(&harmless(cell))).collect();
    format!("{}\r\n", cells.join(","))
}

fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell
    }
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_no_cell_ends_its_row() {
        let hostile = [
            "=1+1", "+1", "-1", "@x", "\tx", "\rx", "a,b", "a\"b", "a\r\nb", "客户", "",
        ];
        let table = table(&["甲 a"], [hostile.map(str::to_owned)]);
        assert_eq!(
            String::from_utf8(table.clone()).unwrap(),
            "\u{feff}甲 a\r\n'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\",\"a,b\",\"a\"\"b\",\"a\r\nb\",客户,\r\n"
        );
        // Read back by the reader that manifests go through.
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&table[3..]);
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(row.len(), hostile.len());
        assert!(
            row.iter()
                .zip(hostile)
                .all(|(cell, given)| cell.trim_start_matches('\'') == given)
        );
    }
}
