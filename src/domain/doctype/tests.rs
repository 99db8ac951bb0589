use super::*;
use proptest::prelude::*;

fn shipped() -> DocumentTypes {
    DocumentTypes::from_toml(DEFAULT_TABLE).unwrap()
}

/// A small table with one change made in its text.
fn error(change: impl FnOnce(&mut String)) -> String {
    let mut text = SMALL.to_owned();
    change(&mut text);
    DocumentTypes::from_toml(&text).unwrap_err().to_string()
}

const SMALL: &str = r#"
[type.VID]
category = "asset_account"
kind = "recording"
name_zh = "视频"
name_en = "Video"
shortest_seconds = { reject = 5 }
longest_seconds = "none"

[business.OPEN]
name_zh = "开户"
name_en = "Opening"
types = ["VID"]
"#;

#[test]
fn the_shipped_table_is_valid_and_covers_every_category_and_kind() {
    let types = shipped();
    for category in Category::ALL {
        assert!(
            types.iter().any(|t| t.category == category),
            "{}",
            category.code()
        );
    }
    for kind in Kind::ALL {
        assert!(types.iter().any(|t| t.kind == kind), "{}", kind.code());
    }
    let video = types.find("wvid").unwrap();
    assert_eq!(video.category, Category::AssetAccount);
    for ext in ["mp4", "MOV", "avi", "wmv", "mpg", "vob", "mkv", "flv"] {
        assert_eq!(video.extension(ext).unwrap(), ext.to_ascii_lowercase());
    }
    assert!(video.size(4 << 30).is_ok());
    let shortest = video.limit(Rule::ShortestSeconds);
    assert_eq!((shortest.reject, shortest.review), (Some(10), Some(60)));
    assert_eq!(video.severity(Code::NoAudio), Some(Severity::Reject));
    assert_eq!(types.find("WAUD").unwrap().severity(Code::NoVideo), None);
    assert_eq!(
        types.find("PHOTO").unwrap().limit(Rule::Dpi),
        Limit::default(),
        "a type lifts what its kind sets"
    );
    assert!(
        types
            .businesses()
            .any(|(code, needs)| code == "OPENW" && needs.types.contains(&"WVID".to_owned()))
    );
}

#[test]
fn refusals_list_what_is_allowed() {
    let types = shipped();
    let unknown = types.find("HOLIDAY").unwrap_err();
    assert!(unknown.code == "document_type" && unknown.en.contains("WVID") && unknown.zh.contains("WVID"));
    let video = types.find("WVID").unwrap();
    let exe = video.extension("exe").unwrap_err();
    assert!(exe.code == "extension" && exe.en.contains("mp4"));
    assert_eq!(video.size(u64::MAX).unwrap_err().code, "too_large");
}

#[test]
fn a_type_says_only_what_differs_and_the_published_text_says_all() {
    let small = DocumentTypes::from_toml(SMALL).unwrap();
    let video = small.find("VID").unwrap();
    assert_eq!(video.limit(Rule::ShortestSeconds).reject, Some(5));
    assert_eq!(
        video.limit(Rule::ShortestSeconds).review,
        None,
        "a limit is replaced whole"
    );
    assert_eq!(video.limit(Rule::LongestSeconds), Limit::default());
    // Kinds that were left out come from the shipped table, and stand in what is published.
    assert_eq!(video.limit(Rule::FrozenPercent).review, Some(33));
    let text = small.to_toml();
    for told in [
        "[kind.scan]",
        "no_audio = \"reject\"",
        "longest_seconds = \"none\"",
        "types = [\"VID\"]",
    ] {
        assert!(text.contains(told), "{told} is missing in\n{text}");
    }
    for code in Code::all().filter(|code| matches!(code.setting(), Setting::Severity(_))) {
        assert!(text.contains(&format!("\n{} = ", code.text())), "{}", code.text());
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "shortest_seconds",
            "shortest",
            &["type VID", "shortest:", "shortest_seconds"],
        ),
        (
            "{ reject = 5 }",
            "5",
            &["type VID", "shortest_seconds", "{ reject = 10"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5, review = 3 }",
            &["reject below review"],
        ),
        ("{ reject = 5 }", "{ forbid = 5 }", &["reject, review or note"]),
        ("{ reject = 5 }", "{ reject = -5 }", &["0 to 1000000"]),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\ndpi = { review = 200 }",
            &["dpi", "recording documents have no such value", "black_percent"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nmax_size = \"20 MB\"",
            &["type VID", "max_size", "MiB"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nmax_size = \"0 B\"",
            &["max_size", "above zero"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nextensions = [\"pdf\"]",
            &["type VID", "extensions", "mp4"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nextensions = []",
            &["extensions", "mp4"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nextensions = [\"mp4\", \"mp4\"]",
            &["extensions", "twice"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nfindings = { ugly = \"reject\" }",
            &["findings.ugly", "no_audio"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nfindings = { black = \"reject\" }",
            &["findings.black", "black_percent, black_seconds"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nfindings = { malware = \"ignore\" }",
            &["findings.malware", "no table can change it"],
        ),
        (
            "{ reject = 5 }",
            "{ reject = 5 }\nfindings = { no_audio = \"warn\" }",
            &["findings.no_audio", "ignore"],
        ),
        (
            "asset_account",
            "misc",
            &["type VID", "category", "agency_securities"],
        ),
        ("\"recording\"", "\"film\"", &["type VID", "kind", "bundle"]),
        ("name_zh = \"视频\"\n", "", &["type VID", "name_zh", "missing"]),
        ("\"Video\"", "\"=1+1\"", &["type VID", "name_en"]),
        ("[type.VID]", "[type.vid]", &["type vid", "code", "upper-case"]),
        ("[type.VID]", "[type.V_D]", &["code"]),
        (
            "[\"VID\"]",
            "[\"NONE\"]",
            &["business OPEN", "types", "NONE", "VID"],
        ),
        ("[\"VID\"]", "[\"VID\", \"VID\"]", &["business OPEN", "twice"]),
        (
            "[business.OPEN]",
            "[kind.film]\n[business.OPEN]",
            &["kind film", "recording"],
        ),
        (
            "[business.OPEN]",
            "[bizness.OPEN]",
            &["bizness", "findings, kind, type and business"],
        ),
        (
            "\n[type.VID]",
            "version = 3\n[type.VID]",
            &["version", "take the line out"],
        ),
        ("[type.VID]", "[type.VID", &["TOML"]),
    ];
    for (from, to, told) in cases {
        let words = error(|text| {
            assert!(text.contains(from), "{from}");
            *text = text.replacen(from, to, 1);
        });
        for word in *told {
            assert!(words.contains(word), "{to}: {words:?} doesn't say {word:?}");
        }
    }
    assert!(matches!(
        DocumentTypes::from_toml(""),
        Err(DocumentTypesError::Empty)
    ));
    assert!(matches!(
        DocumentTypes::from_toml(&" ".repeat(MAX_TABLE_BYTES + 1)),
        Err(DocumentTypesError::TooLarge)
    ));
}

#[test]
fn both_forms_of_the_shipped_table_lead_back() {
    let types = shipped();
    assert_eq!(DocumentTypes::from_toml(&types.to_toml()).unwrap(), types);
    let sheet = String::from_utf8(types.to_csv().unwrap()).unwrap();
    assert!(sheet.starts_with("\u{feff}row 行类型,code 代码,") && sheet.contains("\r\n"));
    let sheet = sheet.trim_start_matches('\u{feff}');
    assert_eq!(DocumentTypes::from_csv(sheet).unwrap(), types);
    // As Excel writes it where the comma is the decimal sign, and after somebody saved it with blank rows.
    let mut other = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    for record in csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(sheet.as_bytes())
        .records()
    {
        other.write_record(&record.unwrap()).unwrap();
    }
    let other = String::from_utf8(other.into_inner().unwrap()).unwrap();
    assert_eq!(DocumentTypes::from_csv(&format!("{other};;;\n")).unwrap(), types);
}

#[test]
fn a_wrong_cell_is_named_by_row_and_column() {
    let types = DocumentTypes::from_toml(SMALL).unwrap();
    let sheet = String::from_utf8(types.to_csv().unwrap()).unwrap();
    let sheet = sheet.trim_start_matches('\u{feff}');
    for (from, to, told) in [
        (
            ",reject=5,",
            ",5,",
            &["row 7", "type VID", "shortest_seconds", "reject=10; review=60"][..],
        ),
        (
            "type,VID,recording",
            "type,VID,film",
            &["row 7", "kind", "recording, audio"],
        ),
        (
            "type,VID",
            "tipe,VID",
            &["row 7", "findings, kind, type, business"],
        ),
        ("kind,scan", "kind,recording", &["twice"]),
        ("row 行类型", "line", &["the heading", "line", "there are row"]),
        ("code 代码", "row 行类型", &["the heading", "twice"]),
        (
            "business,OPEN,",
            "business,OPEN,scan",
            &["row 8", "kind", "must be empty"],
        ),
    ] {
        assert!(sheet.contains(from), "{from} isn't in\n{sheet}");
        let words = DocumentTypes::from_csv(&sheet.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        for word in told {
            assert!(words.contains(word), "{to}: {words:?} doesn't say {word:?}");
        }
    }
    assert!(DocumentTypes::from_csv("").is_err());
}

#[test]
fn changes_name_section_field_before_and_after() {
    let before = DocumentTypes::from_toml(SMALL).unwrap();
    assert!(before.changes_to(&before).is_empty());
    let after = SMALL
        .replace("{ reject = 5 }", "{ reject = 8, review = 20 }")
        .replace("longest_seconds = \"none\"\n", "")
        .replace("[business.OPEN]", "[kind.audio]\nextensions = [\"wav\"]\nmax_size = \"1 GiB\"\n[type.SND]\ncategory = \"customer\"\nkind = \"audio\"\nname_zh = \"录音\"\nname_en = \"Sound\"\n[business.OPEN]");
    let after = DocumentTypes::from_toml(&after).unwrap();
    let changes = before.changes_to(&after);
    let told: Vec<(&str, &str, Option<&str>, Option<&str>)> = changes
        .iter()
        .map(|c| {
            (
                c.section.as_str(),
                c.field.as_str(),
                c.before.as_deref(),
                c.after.as_deref(),
            )
        })
        .collect();
    assert!(told.contains(&(
        "type VID",
        "shortest_seconds",
        Some("reject=5"),
        Some("reject=8; review=20")
    )));
    assert!(told.contains(&("type VID", "longest_seconds", Some("none"), None)));
    assert!(told.contains(&("type SND", "", None, Some("Sound"))));
    assert!(told.contains(&(
        "kind audio",
        "extensions",
        Some("wav, mp3, m4a, wma"),
        Some("wav")
    )));
    assert!(!before.says_the_same(&after) && before.says_the_same(&before.clone().published_as(9)));
}

#[test]
fn the_current_table_only_goes_forward() {
    let current = CurrentTypes::new(shipped().published_as(2));
    let judged_by = current.current();
    current.advance(DocumentTypes::from_toml(SMALL).unwrap().published_as(3));
    assert_eq!((judged_by.version(), current.current().version()), (2, 3));
    current.advance(shipped().published_as(2));
    assert_eq!(current.current().version(), 3);
}

fn limit_of(rule: Rule) -> impl Strategy<Value = Limit> {
    let (low, high) = rule.range();
    let values = proptest::collection::btree_set(low..=high, 0..=3);
    (values, 0..3usize).prop_map(move |(values, shift)| {
        let mut values: Vec<i64> = values.into_iter().collect();
        if rule.bound() == Bound::Most {
            values.reverse();
        }
        let mut limit = Limit::default();
        let parts = [&mut limit.reject, &mut limit.review, &mut limit.note];
        let free = 3 - values.len();
        for (at, value) in values.iter().enumerate() {
            *parts[at + shift.min(free)] = Some(*value);
        }
        limit
    })
}

fn severities() -> impl Strategy<Value = table::Severities> {
    let settable: Vec<Code> = Code::all()
        .filter(|code| matches!(code.setting(), Setting::Severity(_)))
        .collect();
    let severity = prop_oneof![
        Just(None),
        Just(Some(Severity::Note)),
        Just(Some(Severity::Review)),
        Just(Some(Severity::Reject))
    ];
    proptest::collection::btree_map(proptest::sample::select(settable), severity, 0..8)
}

fn said(kind: Kind) -> impl Strategy<Value = table::Said> {
    let rules: Vec<Rule> = Rule::all().filter(|rule| rule.applies_to(kind)).collect();
    let limits = proptest::sample::subsequence(rules.clone(), 0..=rules.len()).prop_flat_map(|rules| {
        rules
            .into_iter()
            .map(|rule| limit_of(rule).prop_map(move |limit| (rule, limit)))
            .collect::<Vec<_>>()
    });
    let extensions = kind.extensions().to_vec();
    let extensions = proptest::sample::subsequence(extensions.clone(), 1..=extensions.len());
    (
        proptest::option::of(extensions),
        proptest::option::of(1..1u64 << 50),
        limits,
        severities(),
    )
        .prop_map(|(extensions, max_size_bytes, limits, findings)| table::Said {
            extensions: extensions.map(|list| list.into_iter().map(str::to_owned).collect()),
            max_size_bytes,
            rules: limits.into_iter().collect(),
            findings,
        })
}

const NAME: &str =
    "[\\p{Han}A-Za-z\"\\\\,;'#\\[][\\p{Han}A-Za-z0-9 \"\\\\,;'=]{0,18}[\\p{Han}A-Za-z0-9\"\\\\]";

fn section() -> impl Strategy<Value = table::TypeSection> {
    let kind = proptest::sample::select(Kind::ALL.to_vec());
    let category = proptest::sample::select(Category::ALL.to_vec());
    (kind, category, NAME, NAME).prop_flat_map(|(kind, category, name_zh, name_en)| {
        said(kind).prop_map(move |mut said| {
            said.extensions
                .get_or_insert_with(|| vec![kind.extensions()[0].to_owned()]);
            said.max_size_bytes.get_or_insert(1);
            table::TypeSection {
                category,
                kind,
                name_zh: name_zh.clone(),
                name_en: name_en.clone(),
                said,
            }
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_table_leads_back_through_both_forms(
        findings in severities(),
        scan in said(Kind::Scan),
        types in proptest::collection::btree_map("[A-Z][A-Z0-9]{1,15}", section(), 1..5),
        business in (NAME, NAME),
    ) {
        let needed = types.keys().cloned().collect();
        let table = Table {
            findings,
            kinds: [(Kind::Scan, scan)].into(),
            types,
            businesses: [("OPEN".to_owned(), Business { name_zh: business.0, name_en: business.1, types: needed })].into(),
        };
        let types = DocumentTypes::checked(table).unwrap();
        let sheet = String::from_utf8(types.to_csv().unwrap()).unwrap();
        let from_sheet = DocumentTypes::from_csv(sheet.trim_start_matches('\u{feff}')).unwrap();
        prop_assert_eq!(&from_sheet, &types);
        let text = from_sheet.to_toml();
        let from_text = DocumentTypes::from_toml(&text).unwrap();
        prop_assert_eq!(&from_text, &types);
        prop_assert_eq!(from_text.to_toml(), text);
    }
}
