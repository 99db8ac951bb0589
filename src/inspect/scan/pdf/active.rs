//! Actions and attachments anywhere in a document: in any object, also one that nothing refers to any more.
//!
//! Links and jumps within the document are no actions here: every office program writes those.

use super::super::{guarded, limits::MAX_PDF_OBJECTS};
use crate::inspect::report::{Fault, FaultCode};
use hayro::hayro_syntax::{
    Pdf,
    object::{Array, Dict, MaybeRef, Name, Object},
};

/// Objects inside objects are followed so deep.
const MAX_DEPTH: u32 = 12;
/// Kinds of actions that do something to the reader (ISO 32000-2, table 201).
const ACTIONS: [&[u8]; 8] = [
    b"JavaScript",
    b"Launch",
    b"SubmitForm",
    b"ImportData",
    b"Rendition",
    b"GoToE",
    b"RichMediaExecute",
    b"Movie",
];

/// At most one fault for actions and one for attachments, and one where there is too much to look through.
pub(super) fn faults(pdf: &Pdf) -> Vec<Fault> {
    let mut search = Search::default();
    let searched = guarded(|| {
        for object in pdf.objects() {
            search.object(&object, 0);
            if search.looked_at > MAX_PDF_OBJECTS {
                break;
            }
        }
    });
    let mut faults = Vec::new();
    let mut found = |code, count: u32, detail: String| {
        if count > 0 {
            let mut fault = Fault::new(code, detail);
            fault.count = count;
            faults.push(fault);
        }
    };
    found(FaultCode::ActiveContent, search.actions, search.first_action);
    found(
        FaultCode::Attachments,
        search.attachments,
        "it carries embedded files".to_owned(),
    );
    let too_many = u32::from(search.looked_at > MAX_PDF_OBJECTS);
    found(
        FaultCode::LimitExceeded,
        too_many,
        format!("more than {MAX_PDF_OBJECTS} objects"),
    );
    if let Err(detail) = searched {
        found(FaultCode::DecodeError, 1, detail);
    }
    faults
}

#[derive(Default)]
struct Search {
    looked_at: usize,
    actions: u32,
    first_action: String,
    attachments: u32,
}

impl Search {
    fn object(&mut self, object: &Object<'_>, depth: u32) {
        self.looked_at += 1;
        if depth > MAX_DEPTH || self.looked_at > MAX_PDF_OBJECTS {
            return;
        }
        match object {
            Object::Dict(dict) => self.dict(dict, depth),
            Object::Stream(stream) => self.dict(stream.dict(), depth),
            Object::Array(array) => self.array(array, depth),
            _ => {}
        }
    }

    fn array(&mut self, array: &Array<'_>, depth: u32) {
        for item in array.raw_iter() {
            // What is referred to is an object of its own and looked at there.
            if let MaybeRef::NotRef(item) = item {
                self.object(&item, depth + 1);
            }
        }
    }

    fn dict(&mut self, dict: &Dict<'_>, depth: u32) {
        let kind = dict.get::<Name<'_>>("S");
        let action = kind.as_ref().and_then(|kind| {
            let kind: &[u8] = kind.as_ref();
            ACTIONS.iter().find(|action| **action == kind)
        });
        if let Some(action) = action {
            self.action(&String::from_utf8_lossy(action));
        } else if dict.contains_key("JS") {
            self.action("JavaScript");
        } else if dict.contains_key("XFA") {
            self.action("XFA");
        }
        // The key of a file specification, and the stream it names (ISO 32000-2, 7.11.3 and 7.11.4).
        let embedded = dict
            .get::<Name<'_>>("Type")
            .is_some_and(|kind| AsRef::<[u8]>::as_ref(&kind) == b"EmbeddedFile");
        if embedded || dict.contains_key("EF") {
            self.attachments += 1;
        }
        // Not `entries`, which takes every value for well-formed.
        let keys: Vec<Name<'_>> = dict.keys().collect();
        for key in keys {
            if let Some(MaybeRef::NotRef(value)) = dict.get_raw::<Object<'_>>(&key) {
                self.object(&value, depth + 1);
            }
        }
    }

    fn action(&mut self, kind: &str) {
        if self.actions == 0 {
            self.first_action = format!("an action of kind {kind}");
        }
        self.actions += 1;
    }
}
