//! Pages and bundles.

use super::{Hits, shown::printable_name};
use crate::{
    domain::{
        doctype::{Limit, Rule},
        finding::Code,
    },
    inspect::report::{Bundle, Page, Scan},
};

impl Hits<'_> {
    /// Holds the pages of a picture or document against the type. `place` is the member of a bundle it is, or nothing.
    pub(super) fn scan(&mut self, scan: &Scan, place: &str) {
        for (at, page) in scan.pages.iter().enumerate() {
            let mut here = place.to_owned();
            if scan.page_count > 1 {
                let separator = if place.is_empty() { "" } else { ", " };
                here = format!("{here}{separator}page {}", at + 1);
            }
            self.page(page, &here);
        }
    }

    pub(super) fn page_count(&mut self, pages: u64) {
        let shown = |pages: u64| format!("{pages} pages");
        self.least(Rule::FewestPages, pages, "", shown);
        self.most(Rule::MostPages, pages, "", shown);
    }

    /// Holds a bundle against the type. `unknown_told`: it has members of a kind that isn't inspected.
    pub(super) fn bundle(&mut self, bundle: &Bundle, unknown_told: bool) {
        if bundle.member_count == 0 {
            self.set(Code::Empty, "", "0 files", "≥ 1");
        }
        let mut pages = 0u64;
        for member in &bundle.members {
            let name = printable_name(&member.name);
            if let Some(scan) = &member.scan {
                self.scan(scan, &name);
                pages += u64::from(scan.page_count);
            }
            if let Some(media) = &member.media {
                self.media(media, &name, false);
            }
        }
        // Texts and checksums alone. Of what nobody here knows the kind there is a finding already.
        let only_texts = bundle.members.iter().all(|member| member.container == "unknown");
        if bundle.member_count > 0 && only_texts && !unknown_told {
            self.set(Code::Empty, "", "neither page nor recording", "≥ 1");
        }
        self.page_count(pages);
    }

    fn page(&mut self, page: &Page, place: &str) {
        if page.rotation != 0 {
            self.set(Code::Rotated, place, &format!("{} degrees", page.rotation), "0");
        }
        if page.blank {
            // Its size and resolution say nothing more.
            self.set(Code::BlankPage, place, "blank", "");
            return;
        }
        if page.vector {
            return;
        }
        self.dpi(page, place);
        let short = u64::from(page.width_px.min(page.height_px));
        let under = |limit: i64| u64::try_from(limit).is_ok_and(|limit| short < limit);
        if let Some((severity, limit)) = self.doctype.limit(Rule::PageShortSidePx).broken(under) {
            let found = format!("{}x{} px", page.width_px, page.height_px);
            self.add(Code::PixelsLow, severity, place, &found, &format!("≥ {limit} px"));
        }
    }

    fn dpi(&mut self, page: &Page, place: &str) {
        match page.dpi {
            Some(dpi) => self.least(Rule::Dpi, u64::from(dpi), place, |dpi| format!("{dpi} dpi")),
            // Only worth a word where it would have been looked at.
            None if self.doctype.limit(Rule::Dpi) != Limit::default() => {
                self.set(Code::DpiUnknown, place, "no dpi stated", "");
            }
            None => {}
        }
    }
}
