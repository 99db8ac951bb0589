//! Actions and attachments anywhere in a document: in any object, also one that nothing refers to any more.
//!
//! Links and jumps within the document are no actions here: every office program writes those.
//!
//! Invariant: what the parser gives up on hides nothing that stands beside it. Each step into the document is guarded by
//! itself, and of an array that can't be read through the words are looked for.

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

/// Keys of scripts and forms, and of attachments: looked for as words where the structure can't be read.
const KEYS: [&[u8]; 2] = [b"JS", b"XFA"];
const ATTACHED: [&[u8]; 2] = [b"EmbeddedFile", b"EF"];

/// At most one fault for actions and one for attachments, one where there is too much to look through, and one where the
/// parser gave up.
pub(super) fn faults(pdf: &Pdf) -> Vec<Fault> {
    let mut search = Search::default();
    if let Some(objects) = search.guarded(|| pdf.objects().into_iter()) {
        search.all(objects);
    }
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
    let gave_up = u32::from(search.gave_up.is_some());
    found(
        FaultCode::DecodeError,
        gave_up,
        search.gave_up.unwrap_or_default(),
    );
    faults
}

#[derive(Default)]
struct Search {
    looked_at: usize,
    actions: u32,
    first_action: String,
    attachments: u32,
    /// What the parser said when it gave up for the first time.
    gave_up: Option<String>,
}

impl Search {
    /// Runs a step of the parser; nothing when it gave up, which counts as something looked at, so that it comes to an end.
    fn guarded<T>(&mut self, step: impl FnOnce() -> T) -> Option<T> {
        match guarded(step) {
            Ok(done) => Some(done),
            Err(detail) => {
                self.looked_at += 1;
                self.gave_up.get_or_insert(detail);
                None
            }
        }
    }

    fn all<'a>(&mut self, mut objects: impl Iterator<Item = Object<'a>>) {
        while self.looked_at <= MAX_PDF_OBJECTS {
            match self.guarded(|| objects.next()) {
                Some(Some(object)) => self.object(&object, 0),
                Some(None) => return,
                // The iterator is past what it gave up on.
                None => {}
            }
        }
    }

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
        let mut items = array.raw_iter();
        loop {
            match self.guarded(|| items.next()) {
                // What is referred to is an object of its own and looked at there.
                Some(Some(MaybeRef::NotRef(item))) => self.object(&item, depth + 1),
                Some(Some(MaybeRef::Ref(_))) => {}
                Some(None) => return,
                // It doesn't get past what it gave up on.
                None => return self.words(array.data()),
            }
        }
    }

    /// Looks for names, as they are mostly written, in what can't be read as objects.
    fn words(&mut self, raw: &[u8]) {
        let names = raw.split(|byte| *byte == b'/').skip(1).map(|rest| {
            let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
            &rest[..end.unwrap_or(rest.len())]
        });
        for name in names {
            if ACTIONS.contains(&name) || KEYS.contains(&name) {
                self.action(&String::from_utf8_lossy(name));
            } else if ATTACHED.contains(&name) {
                self.attachments += 1;
            }
        }
    }

    fn dict(&mut self, dict: &Dict<'_>, depth: u32) {
        let kind = self.guarded(|| dict.get::<Name<'_>>("S")).flatten();
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
        let kind = self.guarded(|| dict.get::<Name<'_>>("Type")).flatten();
        let embedded = kind.is_some_and(|kind| AsRef::<[u8]>::as_ref(&kind) == b"EmbeddedFile");
        if embedded || dict.contains_key("EF") {
            self.attachments += 1;
        }
        // Not `entries`, which takes every value for well-formed.
        let keys: Vec<Name<'_>> = dict.keys().collect();
        for key in keys {
            if let Some(MaybeRef::NotRef(value)) = self.guarded(|| dict.get_raw::<Object<'_>>(&key)).flatten()
            {
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
