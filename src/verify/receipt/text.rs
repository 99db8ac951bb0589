//! The text of a receipt, held against its leaf.

use crate::{
    domain::{
        event::{Kind, Leaf, Openings},
        hex,
    },
    verify::Report,
};

/// How the lines of the text begin that give the receipt's number (FORMAT.md, "The text").
const NUMBER_LABELS: [&str; 2] = ["回执编号", "日志位置"];

/// The text proves nothing, but one that contradicts the leaf misleads people.
pub(super) fn check(text: &[u8], leaf: &Leaf, index: Option<u64>, openings: &Openings, report: &mut Report) {
    let text = String::from_utf8_lossy(text);
    let mut agrees = true;
    if let Some(sha256) = leaf.text("sha256") {
        let known = |digest: &str| {
            let opened = openings.values().any(|opening| opening.value.contains(digest));
            opened || leaf.data.values().any(|value| value.as_str() == Some(digest))
        };
        let digests: Vec<&str> = words(&text, |byte| byte.is_ascii_alphanumeric())
            .filter(|word| hex::decode_array::<32>(word).is_ok())
            .collect();
        if !digests.contains(&sha256) {
            report.failed("text", format!("it doesn't show the leaf's SHA-256 {sha256}"));
            agrees = false;
        }
        // A refused file's text also shows the digest that was declared; the leaf doesn't.
        let others = digests.into_iter().filter(|digest| !known(digest));
        for digest in
            others.filter(|_| !matches!(leaf.kind, Kind::AccessionRejected | Kind::AccessionReceived))
        {
            report.failed("text", format!("it shows {digest}, which the leaf doesn't have"));
            agrees = false;
        }
    }
    if let Some(index) = index.map(|index| index.to_string()) {
        let numbered = text
            .lines()
            .filter(|line| NUMBER_LABELS.iter().any(|label| line.starts_with(label)));
        let numbers: Vec<_> = numbered
            .map(|line| words(line, |byte| byte.is_ascii_digit()).next())
            .collect();
        if numbers.is_empty() || numbers.iter().any(|number| *number != Some(&index)) {
            report.failed(
                "text",
                format!("it doesn't show the receipt number {index}, or shows another"),
            );
            agrees = false;
        }
    }
    if agrees {
        let what =
            "its number and SHA-256 are the leaf's; nothing else in it was checked, and it proves nothing";
        report.limit("text", what);
    }
}

fn words(text: &str, belongs: impl Fn(&u8) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |character: char| {
        !u8::try_from(character).is_ok_and(|byte| byte.is_ascii() && belongs(&byte))
    })
    .filter(|word| !word.is_empty())
}
