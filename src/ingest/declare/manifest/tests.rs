use super::*;
use crate::domain::doctype::DEFAULT_TABLE;
use proptest::prelude::*;

fn read(bytes: &[u8]) -> Result<Vec<Declared>, ManifestError> {
    parse(
        bytes,
        &Numbers::default(),
        &DocumentTypes::from_toml(DEFAULT_TABLE).unwrap(),
    )
}

fn fault(text: &str) -> (&'static str, Option<u64>, Option<Column>) {
    let error = read(text.as_bytes()).unwrap_err();
    (error.reason.code, error.row, error.column)
}

fn chinese(separator: char) -> String {
    let row = |cells: [&str; 10]| cells.join(&separator.to_string()) + "\r\n";
    row([
        "序号",
        "文件名",
        "大小（字节）",
        "SHA256",
        "客户编号",
        "流水号",
        "文件类别",
        "见证人1",
        "光盘编号",
        "备注",
    ]) + &row([
        "1",
        "视频\\开户.mp4",
        "1048576",
        &"AB".repeat(32),
        "000100012345",
        "A0098877",
        "wvid",
        "张三",
        "D-7",
        "重拍",
    ]) + &row(["", "", "", "", "", "", "", "", "", ""])
}

#[test]
fn excels_encodings_and_separators_read_alike() {
    for separator in [',', ';', '\t'] {
        let text = chinese(separator);
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            encoding_rs::GB18030.encode(&text).0.into_owned(),
            [b"\xff\xfe".as_slice(), &utf16].concat(),
            format!("sep={separator}\r\n{text}").into_bytes(),
        ] {
            let rows = read(&bytes).unwrap();
            assert_eq!(rows.len(), 1);
            let row = &rows[0];
            assert_eq!(row.path, "视频/开户.mp4");
            assert_eq!(
                (row.size_bytes, row.sha256, row.seq),
                (Some(1 << 20), Some([0xab; 32]), Some(1))
            );
            assert_eq!(row.customer.as_ref().unwrap().as_str(), "000100012345");
            assert_eq!(row.flow.as_ref().unwrap().as_str(), "A0098877");
            assert_eq!(row.doctype.as_deref(), Some("WVID"));
            let extra: Vec<_> = row.extra.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(
                extra,
                [("disc_number", "D-7"), ("witness1", "张三"), ("备注", "重拍")]
            );
        }
    }
}

#[test]
fn one_column_and_guarded_numbers_will_do() {
    assert_eq!(read("file\na.mp4".as_bytes()).unwrap()[0].path, "a.mp4");
    let rows =
        read("file,customer,size\n\"a, b.mp4\",\"=\"\"000100\"\"\",\"1,234,567\"\nc,'000100,0".as_bytes())
            .unwrap();
    assert_eq!(rows[0].path, "a, b.mp4");
    assert!(
        rows.iter()
            .all(|row| row.customer.as_ref().unwrap().as_str() == "000100")
    );
    assert_eq!(rows[0].size_bytes, Some(1_234_567));
}

#[test]
fn errors_name_row_and_column() {
    let at = |code, row, column| (code, Some(row), Some(column));
    let head = "file,customer,flow,doctype,seq,size,sha256\n";
    let row = |cells: &str| fault(&format!("{head}ok.pdf,,,,,,\n{cells}\n"));
    assert_eq!(
        row("a,1.23457E+11,,,,,"),
        at("manifest_excel_number", 3, Column::Customer)
    );
    assert_eq!(row("a,,1E+15,,,,"), at("manifest_excel_number", 3, Column::Flow));
    assert_eq!(row("a,12,,,,,"), at("customer_number", 3, Column::Customer));
    assert_eq!(row("a,,!,,,,"), at("flow_number", 3, Column::Flow));
    assert_eq!(row("a,,,NONE,,,"), at("document_type", 3, Column::Doctype));
    assert_eq!(row("a,,,,0,,"), at("sequence", 3, Column::Seq));
    assert_eq!(row("a,,,,,12 KB,"), at("manifest_size", 3, Column::Size));
    assert_eq!(row("a,,,,,\"12,34\","), at("manifest_size", 3, Column::Size));
    assert_eq!(row("a,,,,,,abc"), at("manifest_sha256", 3, Column::Sha256));
    assert_eq!(row("../a,,,,,,"), at("path_unsafe", 3, Column::File));
    assert_eq!(row("C:\\a,,,,,,"), at("path_unsafe", 3, Column::File));
    assert_eq!(row(",000100,,,,,"), at("manifest_row", 3, Column::File));
    assert_eq!(row("OK.pdf,,,,,,"), at("manifest_duplicate", 3, Column::File));
    assert_eq!(row(".\\ok.pdf,,,,,,"), at("manifest_duplicate", 3, Column::File));
    assert_eq!(row("a,,,,,,,stray"), ("manifest_row", Some(3), None));
    let error = read(format!("{head}a,1.2E+11,,,,,\n").as_bytes()).unwrap_err();
    assert!(
        error.reason.en.contains("row 2, column customer") && error.reason.zh.contains("第 2 行"),
        "{error}"
    );
}

#[test]
fn a_manifest_as_a_whole_can_be_wrong() {
    assert_eq!(fault("").0, "manifest_empty");
    assert_eq!(fault("file\n").0, "manifest_empty");
    assert_eq!(fault("customer,size\n000100,1\n").0, "manifest_heading");
    assert_eq!(fault("file,文件名\na,b\n").0, "manifest_heading");
    assert_eq!(fault(&"a,".repeat(65)).0, "manifest_too_large");
    let rows: String = (0..=MAX_ROWS).map(|n| format!("{n}.pdf\n")).collect();
    assert_eq!(fault(&format!("file\n{rows}")).0, "manifest_too_large");
    assert_eq!(
        read(&vec![b'a'; MAX_BYTES + 1]).unwrap_err().reason.code,
        "manifest_too_large"
    );
    assert_eq!(read(b"\xff\xff").unwrap_err().reason.code, "manifest_encoding");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_rows_panic(rows in "[a-z0-9,;\t\"'=E+.\r\n客户文件]{0,120}") {
        let _ = read(format!("file,size,customer,flow,doctype\n{rows}").as_bytes());
    }
}

#[test]
fn rows_are_counted_as_excel_counts_them() {
    assert_eq!(fault("file\n\n\n../x\n").1, Some(4));
    assert_eq!(fault("file\r\n\r\nok\r\n../x").1, Some(4));
    assert_eq!(fault("sep=;\r\nfile;size\r\nok;1\r\n../x;1\r\n").1, Some(4));
    assert_eq!(fault("file,备注\n,\nok,x\n../x,y\n").1, Some(4));
}
