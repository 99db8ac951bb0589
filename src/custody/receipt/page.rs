//! A page of fixed width for people: labels in a column, paragraphs wrapped, Chinese characters two columns wide.

/// Columns of a page.
pub(super) const WIDTH: usize = 72;
/// Columns of a label, the gap after it included.
const LABEL: usize = 22;
/// Columns that a paragraph is set in by.
const INDENT: usize = 2;

/// A page being written.
pub(super) struct Page(String);

impl Page {
    /// An empty page, behind the byte-order mark that Notepad needs.
    pub(super) fn new() -> Self {
        Page("\u{feff}".to_owned())
    }

    /// A line of one character.
    pub(super) fn rule(&mut self, character: char) {
        self.line(&character.to_string().repeat(WIDTH));
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\r\n");
    }

    /// A label and its value; a value that doesn't fit beside it begins on the next line. Nothing in the value is lost
    /// or joined, so names and digests can be copied out.
    pub(super) fn field(&mut self, label: &str, value: &str) {
        let value = shown(value);
        if columns(&value) <= WIDTH - LABEL {
            let gap = " ".repeat(LABEL.saturating_sub(columns(label)).max(1));
            self.line(&format!("{label}{gap}{value}"));
            return;
        }
        self.line(label);
        let mut row = String::new();
        for character in value.chars() {
            if columns(&row) + width(character) > WIDTH - INDENT {
                self.indented(&row);
                row.clear();
            }
            row.push(character);
        }
        self.indented(&row);
    }

    /// Sentences, wrapped between words and between Chinese characters.
    pub(super) fn paragraph(&mut self, text: &str) {
        let mut row = String::new();
        for piece in pieces(&shown(text)) {
            let piece = if row.is_empty() { piece.trim_start() } else { piece };
            if !row.is_empty() && columns(&row) + columns(piece.trim_end()) > WIDTH - INDENT {
                self.indented(row.trim_end());
                row.clear();
                row.push_str(piece.trim_start());
            } else {
                row.push_str(piece);
            }
        }
        if !row.trim_end().is_empty() {
            self.indented(row.trim_end());
        }
    }

    /// A line set in: something to type, never broken.
    pub(super) fn indented(&mut self, text: &str) {
        self.line(&format!("{}{text}", " ".repeat(INDENT)));
    }

    /// The page's bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// Text without line breaks of its own: what a stranger wrote mustn't look like a line of the receipt.
fn shown(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

/// Words with the spaces after them, and single wide characters with the punctuation that mustn't begin a line.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut before: Option<char> = None;
    for (at, character) in text.char_indices() {
        let breaks = before.is_some_and(|before| {
            let after_space = before == ' ' && character != ' ';
            let beside_wide = (width(character) == 2 || width(before) == 2) && character != ' ';
            after_space
                || (beside_wide
                    && !"，。；：、！？）」』》,.;:!?)".contains(character)
                    && !"（「『《(".contains(before))
        });
        if breaks {
            pieces.push(&text[start..at]);
            start = at;
        }
        before = Some(character);
    }
    pieces.push(&text[start..]);
    pieces
}

fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Columns of a character in a terminal or an editor with a fixed-width Chinese font (UAX #11: W and F are two).
fn width(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(write: impl FnOnce(&mut Page)) -> Vec<String> {
        let mut page = Page::new();
        write(&mut page);
        let text = String::from_utf8(page.finish()).unwrap();
        text.trim_start_matches('\u{feff}')
            .split_terminator("\r\n")
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn nothing_is_wider_than_the_page_and_nothing_is_lost() {
        let mixed = "收到的文件 SHA-256 为 abcdef，与申报值不一致：文件已改动。Please copy it again from the original, and 请重新上传。".repeat(3);
        for row in lines(|page| page.paragraph(&mixed)) {
            assert!(columns(&row) <= WIDTH + 2, "{row}");
            assert!(!row.trim_start().starts_with(['，', '。', '：']), "{row}");
        }
        let name = "客".repeat(50) + &"n".repeat(90) + ".mp4";
        let rows = lines(|page| page.field("文件 File", &name));
        assert!(rows.iter().all(|row| columns(row) <= WIDTH));
        assert_eq!(
            rows[1..].iter().map(|row| &row[INDENT..]).collect::<String>(),
            name
        );
    }

    #[test]
    fn a_strangers_text_makes_no_line_of_its_own() {
        let rows = lines(|page| page.field("文件 File", "a\r\n结果 Outcome ACCEPTED"));
        assert_eq!(rows.len(), 1);
        assert_eq!(lines(|page| page.paragraph("a\nb")).len(), 1);
    }

    #[test]
    fn labels_stand_in_a_column() {
        let rows = lines(|page| {
            page.field("机构 Branch", "0101");
            page.field("SHA-256", "x");
        });
        let at = |row: &str, value: char| columns(&row[..row.rfind(value).unwrap()]);
        assert_eq!(columns(&rows[0]) - 4, LABEL);
        assert_eq!(at(&rows[1], 'x'), LABEL);
    }
}
