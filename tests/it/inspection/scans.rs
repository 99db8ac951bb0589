//! The matrix of made scans, documents and bundles.

use super::{Case, run_matrix};
use crate::support::media::{
    self,
    document::{Pdf, zip},
    page::{Page, TiffPage, tiff_of},
};

fn case(
    what: &str,
    ext: &str,
    bytes: Vec<u8>,
    verdict: &'static str,
    codes: &'static [&'static str],
) -> Case {
    Case {
        what: format!("{ext} {what}"),
        name: format!("a.{ext}"),
        bytes,
        doctype: if ext == "zip" { "CBND" } else { "IDF" },
        deep: false,
        verdict,
        codes,
    }
}

const CUT: &[&str] = &["truncated", "index_missing", "data_missing", "archive_damaged"];
const HOLE: &[&str] = &[
    "data_missing",
    "decode_error",
    "undecodable",
    "truncated",
    "archive_damaged",
    "trailing_bytes",
    // A document whose objects are gone has a table that leads nowhere.
    "index_missing",
];

/// The formats with a good file each.
fn formats() -> Vec<(&'static str, Vec<u8>)> {
    let page = Page::default();
    vec![
        ("jpg", page.jpeg()),
        ("png", page.png()),
        ("tif", tiff_of(&[TiffPage::group4(page), TiffPage::jpeg(page)])),
        ("pdf", Pdf::scanned(&[page, page]).bytes()),
        (
            "zip",
            zip(&[("正面.jpg", &page.jpeg()), ("反面.png", &page.png())]),
        ),
    ]
}

#[test]
fn every_format_and_every_damage_gets_its_code() {
    let mut cases = Vec::new();
    for (ext, whole) in formats() {
        cases.push(case("good", ext, whole.clone(), "accepted", &[]));
        for permille in [100, 500, 900, 999] {
            let cut = whole[..whole.len() * permille / 1_000].to_vec();
            cases.push(case(
                &format!("cut at {permille} permille"),
                ext,
                cut,
                "rejected",
                CUT,
            ));
        }
        let mut headless = whole.clone();
        headless[..64].fill(0);
        cases.push(case(
            "header lost",
            ext,
            headless,
            "rejected",
            &["unreadable", "wrong_extension", "archive_damaged"],
        ));
        let mut holed = whole.clone();
        let (from, length) = (holed.len() / 3, holed.len() / 4);
        holed[from..from + length].fill(0);
        cases.push(case("hole", ext, holed, "!accepted", HOLE));
        cases.push(case("empty", ext, Vec::new(), "rejected", &["empty"]));
        let other = if ext == "png" { "jpg" } else { "png" };
        let mut misnamed = case("named wrongly", ext, whole, "rejected", &["wrong_extension"]);
        misnamed.name = format!("a.{other}");
        misnamed.doctype = "IDF";
        cases.push(misnamed);
    }
    run_matrix(&cases);
}

#[test]
fn fixtures_of_the_other_tests_pass() {
    let good = [
        ("jpg", media::jpeg(20_000, 1)),
        ("jpg", media::jpeg(1_000_000, 2)),
        ("png", media::png(100_000, 3)),
        ("tif", media::tiff(100_001, 4)),
        ("pdf", media::pdf(100_000, 5)),
        ("zip", media::zip(&[("正面.jpg", &media::jpeg(9_000, 9))])),
    ];
    let cases: Vec<Case> = good
        .into_iter()
        .map(|(ext, bytes)| case("fixture", ext, bytes, "accepted", &[]))
        .collect();
    run_matrix(&cases);
}

#[test]
fn pages_that_are_blank_small_or_coarse() {
    let page = Page::default();
    let blank = Page { blank: true, ..page };
    let coarse = Page { dpi: 72, ..page };
    let small = Page {
        width: 400,
        height: 560,
        ..page
    };
    let tiny = Page {
        width: 200,
        height: 280,
        ..page
    };
    let mut cases = Vec::new();
    for (ext, make) in [
        ("jpg", Page::jpeg as fn(&Page) -> Vec<u8>),
        ("png", Page::png),
        ("tif", |page| tiff_of(&[TiffPage::group4(*page)])),
        ("pdf", |page| Pdf::scanned(&[*page]).bytes()),
    ] {
        cases.push(case("blank", ext, make(&blank), "rejected", &["blank_page"]));
        cases.push(case(
            "of 72 dpi",
            ext,
            make(&coarse),
            "needs_review",
            &["dpi_low"],
        ));
        cases.push(case("small", ext, make(&small), "needs_review", &["pixels_low"]));
        cases.push(case("tiny", ext, make(&tiny), "rejected", &["pixels_low"]));
    }
    let mut one_blank = case(
        "with a blank page",
        "tif",
        tiff_of(&[TiffPage::group4(page), TiffPage::group4(blank)]),
        "needs_review",
        &["blank_page"],
    );
    one_blank.doctype = "AGR";
    cases.push(one_blank);
    run_matrix(&cases);
}

#[test]
fn pages_in_strips_are_judged_as_a_whole() {
    let page = Page::default();
    let blank = Page { blank: true, ..page };
    let strips = |page| Pdf::in_strips(page, 16).bytes();
    run_matrix(&[
        case("in strips", "pdf", strips(page), "accepted", &[]),
        case(
            "in strips, blank",
            "pdf",
            strips(blank),
            "rejected",
            &["blank_page"],
        ),
    ]);
}

#[test]
fn documents_with_more_than_pages() {
    let page = Page::default();
    let mut scripted = Pdf::scanned(&[page]);
    let script = scripted.object("<< /S /JavaScript /JS (app.alert\\(1\\)) >>");
    scripted.catalogue(&format!("/OpenAction {script} 0 R"));

    let mut launching = Pdf::scanned(&[page]);
    let action = launching.object("<< /S /Launch /F (calc.exe) >>");
    launching.pages(&format!("/AA << /O {action} 0 R >>"));

    let mut attached = Pdf::scanned(&[page]);
    let file = attached.stream("/Type /EmbeddedFile", b"MZ");
    let named = attached.object(format!(
        "<< /Type /Filespec /F (a.exe) /EF << /F {file} 0 R >> >>"
    ));
    attached.catalogue(&format!(
        "/Names << /EmbeddedFiles << /Names [(a.exe) {named} 0 R] >> >>"
    ));

    let mut encrypted = Pdf::scanned(&[page]);
    let (owner, user) = ("00".repeat(32), "11".repeat(32));
    let lock = encrypted.object(format!(
        "<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{owner}> /U <{user}> >>"
    ));
    encrypted.trailer(&format!("/Encrypt {lock} 0 R /ID [<{0}> <{0}>]", "22".repeat(16)));

    run_matrix(&[
        case(
            "with JavaScript",
            "pdf",
            scripted.bytes(),
            "rejected",
            &["active_content"],
        ),
        case(
            "that starts a program",
            "pdf",
            launching.bytes(),
            "rejected",
            &["active_content"],
        ),
        case(
            "with a file in it",
            "pdf",
            attached.bytes(),
            "rejected",
            &["attachments"],
        ),
        case("encrypted", "pdf", encrypted.bytes(), "rejected", &["encrypted"]),
    ]);
}

#[test]
fn bundles_that_must_not_be_opened() {
    let page = Page::default().jpeg();
    // The zip writer won't write such names itself, so equally long ones are changed afterwards.
    let renamed = |members: &[&str], from: &[u8], to: &[u8]| {
        assert_eq!(from.len(), to.len());
        let members: Vec<(&str, &[u8])> = members.iter().map(|name| (*name, page.as_slice())).collect();
        let mut bytes = zip(&members);
        let mut found = 0;
        while let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
        assert_eq!(found, 2, "a name stands in the header and in the directory");
        bytes
    };
    let one = ["aaaaaaa.jpg"];
    let traversal = renamed(&one, b"aaaaaaa.jpg", b"../../a.jpg");
    let absolute = renamed(&one, b"aaaaaaa.jpg", b"/etc/aa.jpg");
    let drive = renamed(&one, b"aaaaaaa.jpg", b"C:\\aaaa.jpg");
    let duplicate = renamed(&["a1.jpg", "a2.jpg"], b"a2.jpg", b"a1.jpg");
    let letter_case = zip(&[("a.jpg", &page), ("A.jpg", &page)]);
    // 正面 in GBK, where the UTF-8 flag isn't set.
    let gbk = renamed(&["abcd.jpg"], b"abcd.jpg", b"\xd5\xfd\xc3\xe6.jpg");
    let nested = zip(&[("a.jpg", &page), ("b.zip", &zip(&[("c.jpg", &page)]))]);
    let bomb = zip(&[("zeros.jpg", &vec![0; 64 << 20])]);
    let program = zip(&[("a.jpg", &page), ("a.exe", b"MZ\x90\0")]);
    let trailing = [zip(&[("a.jpg", &page)]), vec![7; 4_096]].concat();
    let mut locked = zip(&[("a.jpg", &page)]);
    for (head, flags) in [(b"PK\x03\x04".as_slice(), 6), (b"PK\x01\x02".as_slice(), 8)] {
        let at = locked.windows(4).position(|window| window == head).unwrap();
        locked[at + flags] |= 1;
    }
    run_matrix(&[
        case("climbing", "zip", traversal, "rejected", &["archive_path"]),
        case("absolute", "zip", absolute, "rejected", &["archive_path"]),
        case("of a drive", "zip", drive, "rejected", &["archive_path"]),
        case(
            "with one name twice",
            "zip",
            duplicate,
            "rejected",
            &["archive_duplicate"],
        ),
        case(
            "with two names for Windows",
            "zip",
            letter_case,
            "rejected",
            &["archive_duplicate"],
        ),
        case("with GBK names", "zip", gbk, "accepted", &[]),
        case("nested", "zip", nested, "rejected", &["archive_nested"]),
        case("bomb", "zip", bomb, "rejected", &["archive_bomb"]),
        case(
            "with a program",
            "zip",
            program,
            "needs_review",
            &["member_unknown"],
        ),
        case(
            "with more behind it",
            "zip",
            trailing,
            "rejected",
            &["trailing_bytes", "archive_damaged"],
        ),
        case("locked", "zip", locked, "rejected", &["encrypted"]),
    ]);
}
