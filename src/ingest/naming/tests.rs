use super::*;
use crate::domain::doctype::DEFAULT_TABLE;

fn parse(path: &str) -> Result<Naming, NamingFault> {
    parse_with(&Templates::default(), path)
}

fn parse_with(templates: &Templates, path: &str) -> Result<Naming, NamingFault> {
    let components: Vec<&str> = path.split('/').collect();
    templates.parse(
        &components,
        &Numbers::default(),
        &DocumentTypes::from_toml(DEFAULT_TABLE).unwrap(),
    )
}

#[test]
fn file_names_and_folders_say_the_same() {
    let named = parse("000100012345_20260728_A0098877_WVID_01.mp4").unwrap();
    assert_eq!(named.customer.as_str(), "000100012345");
    assert_eq!(named.flow.as_str(), "A0098877");
    assert_eq!(
        (named.doctype.as_str(), named.seq, named.ext.as_str()),
        ("WVID", 1, "mp4")
    );
    assert_eq!(named.date, Some(Date::constant(2026, 7, 28)));
    let folders = parse("today/000100012345/A0098877/wvid_01.MP4").unwrap();
    assert_eq!(Naming { date: None, ..named }, folders);
    assert!(parse("a/b/000100012345_20260728_A0098877_WVID_01.mp4").is_ok());
}

#[test]
fn a_wrong_field_is_named_with_what_is_allowed() {
    for (path, field, code, mention) in [
        (
            "0001_20260728_A0098877_WVID_01.mp4",
            Field::Customer,
            "customer_number",
            "[0-9]{6,16}",
        ),
        (
            "000100012345_20260231_A0098877_WVID_01.mp4",
            Field::Date,
            "date",
            "YYYYMMDD",
        ),
        (
            "000100012345_20260728_A!_WVID_01.mp4",
            Field::Flow,
            "flow_number",
            "[A-Za-z0-9]{4,32}",
        ),
        (
            "000100012345_20260728_A0098877_FILM_01.mp4",
            Field::Doctype,
            "document_type",
            "WVID",
        ),
        (
            "000100012345_20260728_A0098877_WVID_00.mp4",
            Field::Seq,
            "sequence",
            "9999",
        ),
        (
            "000100012345_20260728_A0098877_WVID_01.exe",
            Field::Ext,
            "extension",
            "mp4",
        ),
        (
            "000100012345/A0098877/FILM_01.mp4",
            Field::Doctype,
            "document_type",
            "WVID",
        ),
    ] {
        let Err(NamingFault::Refused { field: found, reason }) = parse(path) else {
            panic!("{path}")
        };
        assert_eq!((found, reason.code), (field, code), "{path}");
        assert!(
            reason.en.contains(mention) && reason.zh.contains(mention),
            "{reason}"
        );
    }
}

#[test]
fn other_names_are_left_to_a_manifest() {
    for path in [
        "VID_0001.mp4",
        "a_b_c_d_e.f",
        "docs/2026/x_1.mp4",
        "无标题.mp4",
        "x",
        "",
        "_____.",
        "a_._",
    ] {
        assert!(matches!(parse(path), Err(NamingFault::Unrecognised(_))), "{path}");
    }
}

#[test]
fn any_takes_what_the_other_fields_leave() {
    let templates = Templates::new(["{customer}-{any}-{flow}-{doctype}.{ext}"]).unwrap();
    let named = parse_with(&templates, "000100012345-开户-二-次-A0098877-AOF.pdf").unwrap();
    assert_eq!(
        (named.flow.as_str(), named.doctype.as_str(), named.seq),
        ("A0098877", "AOF", 1)
    );
    assert!(parse_with(&templates, &format!("1{}", "-".repeat(254))).is_err());
}

#[test]
fn templates_that_could_mislead_are_refused() {
    let new = |source: &str| Templates::new([source]).unwrap_err();
    assert_eq!(Templates::new(Vec::<String>::new()), Err(TemplateError::None));
    for source in [
        "{customer}_{flow}_{doctype}.{extension}",
        "{customer",
        "customer}_{flow}",
    ] {
        assert!(matches!(new(source), TemplateError::Field(_)), "{source}");
    }
    for source in [
        "{customer}{flow}_{doctype}.{ext}",
        "{customer}/{customer}_{flow}_{doctype}.{ext}",
        "{any}_{any}_{customer}_{flow}_{doctype}.{ext}",
        "{customer}//{flow}_{doctype}.{ext}",
    ] {
        assert!(matches!(new(source), TemplateError::Ambiguous(_)), "{source}");
    }
    assert!(matches!(
        new("{customer}_{flow}.{ext}"),
        TemplateError::Missing(_)
    ));
}

#[test]
fn temporary_names_of_clients_are_known() {
    for (name, behind) in [
        ("a.mp4.filepart", Some("a.mp4")),
        ("a.mp4.1f2e3d4c.partial", Some("a.mp4")),
        ("a.mp4.partial", Some("a.mp4")),
        ("a.MP4.PART", Some("a.MP4")),
        ("视频.mp4.tmp", Some("视频.mp4")),
        ("a.crdownload", Some("a")),
        ("a.mp4", None),
        (".tmp", None),
        ("filepart", None),
        ("视频", None),
    ] {
        assert_eq!(final_name(name), behind, "{name}");
        assert_eq!(is_temporary_name(name), behind.is_some());
    }
}
