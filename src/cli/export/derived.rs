//! Derived copies in a bag, where they were asked for: the newest of each form, under names that say what they are.

use super::{BLOCK_BYTES, Failure, Reading, bag::Bag};
use muniment::{
    access::content::{Part, Unlocked},
    catalog::{
        inspections::{self, Derived},
        search::Evidence,
    },
    domain::hex,
};
use std::collections::BTreeMap;

/// Adds the copies and a text that ties them to the original.
pub(super) fn add(
    bag: &mut Bag,
    reading: &Reading,
    row: &Evidence,
    unlocked: &Unlocked<'_>,
) -> Result<(), Failure> {
    let made = reading
        .catalogue
        .read(|catalogue| inspections::derived_of(catalogue, &row.id, row.version))?;
    let newest: BTreeMap<String, Derived> = made.into_iter().map(|copy| (copy.form.clone(), copy)).collect();
    bag.folder("data/derived")?;
    for (form, copy) in &newest {
        let name = match copy.media_type.as_str() {
            "image/jpeg" => format!("data/derived/{form}.jpg"),
            _ => format!("data/derived/{form}.mp4"),
        };
        let event = copy.id.clone();
        let part = match form.as_str() {
            "playback" => Part::Playback { event },
            _ => Part::ContactSheet { event },
        };
        let label = format!("the {form} of {} version {}", row.id, row.version);
        let mut unreadable = None;
        let written = bag.add(&name, |out| {
            let opened = unlocked.open(&part);
            let mut source = opened.inspect_err(|error| unreadable = Some(error.to_string()))?;
            let (mut block, mut offset) = (vec![0; BLOCK_BYTES], 0);
            loop {
                let read = source.read_at(offset, &mut block);
                let count = read.inspect_err(|error| unreadable = Some(error.to_string()))?;
                if count == 0 {
                    return Ok(());
                }
                out.write_all(&block[..count])?;
                offset += count as u64;
            }
        });
        if let Some(error) = unreadable {
            return Err(Failure::Finding(format!(
                "{label} can't be read to its end ({error}): the folder stays marked as incomplete"
            )));
        }
        if hex::encode(written?.sha256) != copy.sha256 {
            return Err(Failure::Finding(format!(
                "{label} isn't what was made: the folder stays marked as incomplete"
            )));
        }
    }
    let list = serde_json::json!({
        "note": "Derived copies, made by the vault for viewing. The evidence is the original beside them.",
        "original_sha256": row.sha256,
        "derived": newest.values().collect::<Vec<_>>(),
    });
    let list = serde_json::to_string_pretty(&list)?;
    bag.add("data/derived/derived.json", |out| {
        Ok(out.write_all(list.as_bytes())?)
    })?;
    Ok(())
}
