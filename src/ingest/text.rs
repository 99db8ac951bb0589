//! Text as branches send it: UTF-8 from some machines, GBK (read as its superset GB18030) or UTF-16 from others.
//!
//! Invariant: a name or path that comes out is NFC, and free of separators, control and invisible characters, `.` and `..`.

use encoding_rs::{Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};
use unicode_normalization::UnicodeNormalization;

use crate::domain::{hex, reason::Reason};

/// Longest name of one component, in bytes as sent (NAME_MAX of common file systems).
pub const MAX_NAME_BYTES: usize = 255;
/// Deepest path taken from a client, a manifest or an archive.
pub const MAX_DEPTH: usize = 16;

/// How a name was encoded. With the raw bytes this gives back the name exactly as the client had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameEncoding {
    /// Valid UTF-8.
    Utf8,
    /// Not UTF-8, and GB18030 (GBK) without errors.
    Gb18030,
}

/// A decoded name of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name in NFC: what is compared, shown and recorded.
    pub nfc: String,
    /// What it was decoded from.
    pub encoding: NameEncoding,
}

/// Decodes one path component and refuses what can't be shown or compared safely.
pub fn decode_name(raw: &[u8]) -> Result<Name, Reason> {
    if raw.len() > MAX_NAME_BYTES {
        return Err(Reason::new(
            "name_too_long",
            format!(
                "the name is {} bytes long; at most {MAX_NAME_BYTES} are taken",
                raw.len()
            ),
            format!("文件名长度 {} 字节，最多 {MAX_NAME_BYTES} 字节", raw.len()),
        ));
    }
    let (text, encoding) = match std::str::from_utf8(raw) {
        Ok(text) => (text.into(), NameEncoding::Utf8),
        Err(_) => match GB18030.decode_without_bom_handling_and_without_replacement(raw) {
            Some(text) => (text, NameEncoding::Gb18030),
            None => {
                return Err(Reason::new(
                    "name_encoding",
                    "the name is neither UTF-8 nor GBK; set the client to UTF-8",
                    "文件名既不是 UTF-8 也不是 GBK 编码；请将客户端设置为 UTF-8",
                ));
            }
        },
    };
    Ok(Name {
        nfc: clean_component(&text)?,
        encoding,
    })
}

/// The nearest name that [`decode_name`] takes and gives back as it is: what it wouldn't take becomes `_`, and a name too
/// long loses its middle. For names that are shown as files.
pub fn harmless_name(text: &str) -> String {
    let safe = |c: char| {
        if c == '/' || c == '\\' || is_unshowable(c) {
            '_'
        } else {
            c
        }
    };
    let nfc: String = text.chars().map(safe).nfc().collect();
    let name = shortened(&nfc);
    match name.as_str() {
        "" | "." | ".." => "_".to_owned(),
        _ => name,
    }
}

/// At most [`MAX_NAME_BYTES`]: the beginning, and the end with the extension.
fn shortened(name: &str) -> String {
    const END_BYTES: usize = 32;
    if name.len() <= MAX_NAME_BYTES {
        return name.to_owned();
    }
    let head = (0..=MAX_NAME_BYTES - END_BYTES - 1)
        .rev()
        .find(|at| name.is_char_boundary(*at));
    let tail = (name.len() - END_BYTES..=name.len()).find(|at| name.is_char_boundary(*at));
    let (head, tail) = (head.unwrap_or(0), tail.unwrap_or(name.len()));
    // Composed once more: what begins the tail may join what ends the head.
    format!("{}~{}", &name[..head], &name[tail..]).nfc().collect()
}

/// Decodes the components of a client's path.
pub fn decode_path<C: AsRef<[u8]>>(components: &[C]) -> Result<Vec<Name>, Reason> {
    depth(components.len())?;
    components.iter().map(|raw| decode_name(raw.as_ref())).collect()
}

/// A relative path as a manifest, checksum file, bag or archive names it: NFC, `/` between components.
///
/// Windows separators are taken for `/` and a leading `./` is dropped; absolute paths, drive letters, `..` and empty
/// components are refused with `path_unsafe`.
pub fn relative_path(text: &str) -> Result<String, Reason> {
    let text = text.replace('\\', "/");
    let mut rest = text.as_str();
    while let Some(after) = rest.strip_prefix("./") {
        rest = after;
    }
    let drive = rest.as_bytes().get(1) == Some(&b':') && rest.as_bytes()[0].is_ascii_alphabetic();
    if rest.is_empty() || rest.starts_with('/') || drive {
        return Err(unsafe_path(&text));
    }
    depth(rest.split('/').count())?;
    let components: Result<Vec<String>, Reason> = rest.split('/').map(clean_component).collect();
    Ok(components?.join("/"))
}

/// Decodes a whole text file: by its byte-order mark, else as UTF-8, else as GB18030; `None` if it is none of them.
pub fn decode_document(bytes: &[u8]) -> Option<String> {
    let (encodings, body): (&[&'static Encoding], &[u8]) =
        match (Encoding::for_bom(bytes), utf16_without_mark(bytes)) {
            (Some((encoding, bom_length)), _) => (&[encoding], &bytes[bom_length..]),
            (None, Some(encoding)) => (&[encoding], bytes),
            (None, None) => (&[UTF_8, GB18030], bytes),
        };
    encodings
        .iter()
        .find_map(|encoding| encoding.decode_without_bom_handling_and_without_replacement(body))
        .filter(|text| !text.contains('\0'))
        // A file joined from others may carry a second mark.
        .map(|text| text.trim_start_matches('\u{feff}').to_owned())
}

/// Some tools drop the byte-order mark; text that starts in ASCII then shows a NUL beside its first character.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [first, 0, ..] if *first != 0 => Some(UTF_16LE),
        [0, second, ..] if *second != 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// A form for finding names that one file system or another would take for the same.
pub fn fold(nfc: &str) -> String {
    nfc.to_uppercase().to_lowercase().nfc().collect()
}

/// A SHA-256 in 64 hex digits of either case.
pub fn sha256_from_hex(text: &str) -> Option<[u8; 32]> {
    hex::decode_array(&text.to_ascii_lowercase()).ok()
}

fn clean_component(text: &str) -> Result<String, Reason> {
    let nfc: String = text.nfc().collect();
    if nfc.is_empty() || nfc == "." || nfc == ".." || nfc.contains(['/', '\\']) {
        return Err(unsafe_path(&nfc));
    }
    if let Some(c) = nfc.chars().find(|&c| is_unshowable(c)) {
        return Err(Reason::new(
            "name_characters",
            format!(
                "the name contains U+{:04X}, a control or invisible character; rename the file",
                c as u32
            ),
            format!("文件名含有控制字符或不可见字符 U+{:04X}，请重新命名", c as u32),
        ));
    }
    Ok(nfc)
}

/// Control characters, line separators, direction overrides, zero-width and tag characters, the replacement character.
fn is_unshowable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFD}' | '\u{E0000}'..='\u{E007F}')
}

fn depth(components: usize) -> Result<(), Reason> {
    if components <= MAX_DEPTH {
        return Ok(());
    }
    Err(Reason::new(
        "path_too_deep",
        format!("the path has {components} levels; at most {MAX_DEPTH} are taken"),
        format!("目录层级为 {components}，最多 {MAX_DEPTH} 层"),
    ))
}

fn unsafe_path(path: &str) -> Reason {
    Reason::new(
        "path_unsafe",
        format!("{path:?} is not a plain relative path; use names without .., drive letters or a leading /"),
        format!("路径 {path:?} 不安全；请使用不含 ..、盘符和开头斜杠的相对路径"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_harmless_name_is_taken_as_it_is(text in any::<String>(), wide in "[é长a./\\\\\u{301}\u{202e}]{0,300}") {
            for text in [text, wide] {
                let name = harmless_name(&text);
                let taken = decode_name(name.as_bytes()).map(|name| name.nfc);
                prop_assert_eq!(taken.as_ref(), Ok(&name));
                prop_assert_eq!(harmless_name(&name), name);
            }
        }
    }

    #[test]
    fn a_name_that_is_harmless_already_stays() {
        for name in [
            "000100012345_20260728_A0098877_WVID_01.mp4",
            "开户视频.mp4",
            "a b.tar.gz",
            ".x",
        ] {
            assert_eq!(harmless_name(name), name);
        }
        let long = format!("{}.mp4", "x".repeat(400));
        let short = harmless_name(&long);
        assert!(
            short.len() == MAX_NAME_BYTES && short.ends_with(".mp4") && short.contains('~'),
            "{short}"
        );
    }

    #[test]
    fn utf8_and_gbk_names_come_out_alike() {
        let utf8 = decode_name("开户视频.mp4".as_bytes()).unwrap();
        let gbk = decode_name(b"\xbf\xaa\xbb\xa7\xca\xd3\xc6\xb5.mp4").unwrap();
        assert_eq!(utf8.nfc, gbk.nfc);
        assert_eq!(
            (utf8.encoding, gbk.encoding),
            (NameEncoding::Utf8, NameEncoding::Gb18030)
        );
        assert_eq!(decode_name("e\u{301}.pdf".as_bytes()).unwrap().nfc, "é.pdf");
    }

    #[test]
    fn names_that_mislead_are_refused() {
        let code = |raw: &[u8]| decode_name(raw).unwrap_err().code;
        assert_eq!(code(b"\xff\xff\xff"), "name_encoding");
        assert_eq!(code(&[b'a'; 256]), "name_too_long");
        for bad in ["", ".", "..", "a/b", "a\\b"] {
            assert_eq!(code(bad.as_bytes()), "path_unsafe", "{bad:?}");
        }
        for bad in [
            "a\nb",
            "a\u{7f}",
            "\u{202E}4pm.exe",
            "a\u{200B}b",
            "\u{85}",
            "x\u{2066}y",
            "\u{FFFD}",
        ] {
            assert_eq!(code(bad.as_bytes()), "name_characters", "{bad:?}");
        }
        assert_eq!(
            decode_path(&vec![b"a".to_vec(); 17]).unwrap_err().code,
            "path_too_deep"
        );
        assert_eq!(decode_path(&[b"a".to_vec(), b"b".to_vec()]).unwrap().len(), 2);
    }

    #[test]
    fn declared_paths_stay_below_their_folder() {
        assert_eq!(relative_path(".\\a\\b.mp4").unwrap(), "a/b.mp4");
        assert_eq!(relative_path("././x.pdf").unwrap(), "x.pdf");
        for bad in [
            "",
            "/etc/passwd",
            "C:\\x",
            "c:x",
            "..",
            "a/../b",
            "a//b",
            "a/",
            "\\\\host\\x",
            "./",
        ] {
            assert_eq!(relative_path(bad).unwrap_err().code, "path_unsafe", "{bad:?}");
        }
    }

    #[test]
    fn documents_are_read_in_every_encoding_of_the_branches() {
        let text = "文件,大小\r\n";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            GB18030.encode(text).0.into_owned(),
            [b"\xff\xfe".as_slice(), &utf16].concat(),
            [b"\xfe\xff".as_slice(), &utf16be].concat(),
        ] {
            assert_eq!(decode_document(&bytes).as_deref(), Some(text), "{bytes:x?}");
        }
        let bare: Vec<u8> = "SHA256".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode_document(&bare).as_deref(), Some("SHA256"));
        assert_eq!(decode_document(b"\xff\xff\x80"), None);
        assert_eq!(decode_document(b"\x00\x00\x00"), None);
    }

    #[test]
    fn hex_digests_take_both_cases_and_nothing_else() {
        assert_eq!(sha256_from_hex(&"aB".repeat(32)), Some([0xab; 32]));
        for bad in ["", "ab", &"ab".repeat(33), &"g0".repeat(32), &"é".repeat(32)] {
            assert_eq!(sha256_from_hex(bad), None);
        }
    }
}
