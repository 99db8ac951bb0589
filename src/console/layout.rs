//! The frame that every page stands in: header with menu and language, messages, content, footer.

use super::{
    Console,
    assets::Asset,
    guard::{LANG_FIELD, TOKEN_FIELD},
    next::HOME,
    routes::{Need, Route},
    session::{Flash, FlashKind},
    visit::Visit,
    words::Lang,
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

/// The product's name in both languages at once, as people here call it.
const PRODUCT: (&str, &str) = ("卷宗室", "Muniment");
/// What the footer says.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a page's frame shows: who is signed in, what is open to them, in which language.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The language.
    pub lang: Lang,
    /// The page itself, for the language switch.
    here: String,
    person: Option<Holder>,
    menu: Vec<Entry>,
    flashes: Vec<Flash>,
}

#[derive(Clone, Debug)]
struct Holder {
    name: String,
    token: String,
}

#[derive(Clone, Debug)]
struct Entry {
    path: &'static str,
    text: String,
    count: usize,
    is_current: bool,
}

impl Frame {
    /// For whoever it is: before anybody is known.
    pub(super) fn bare(lang: Lang) -> Self {
        Frame {
            lang,
            here: HOME.to_owned(),
            person: None,
            menu: Vec::new(),
            flashes: Vec::new(),
        }
    }

    /// For the person behind a request. Takes the messages that wait for them, so a frame is for a page that is shown.
    pub fn of(console: &Console, visit: &Visit) -> Self {
        let mut frame = Frame::bare(visit.lang);
        frame.here.clone_from(&visit.here);
        let Some(signed) = &visit.signed else {
            return frame;
        };
        frame.person = Some(Holder {
            name: signed.person.name.clone(),
            token: visit.token(),
        });
        frame.flashes = console.sessions.take_flashes(&signed.session.id);
        let is_open = |route: &&Route| match route.need {
            Need::Public | Need::SignedIn => true,
            Need::May(action) => console.allows.may(&signed.person, action).is_ok(),
        };
        let entries = console.menu.iter().filter(is_open).filter_map(|route| {
            let words = route.menu.as_ref()?;
            Some(Entry {
                path: route.path,
                text: words.of(visit.lang).to_owned(),
                count: route.count.map_or(0, |count| count(console, &signed.person)),
                is_current: is_below(&visit.path, route.path),
            })
        });
        frame.menu = entries.collect();
        frame
    }

    /// Whether somebody is signed in.
    pub(super) fn signed_in(&self) -> bool {
        self.person.is_some()
    }

    /// Entries of the menu besides the start page, as path and text: what is open to the person.
    pub fn open_pages(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let others = self.menu.iter().filter(|entry| entry.path != HOME);
        others.map(|entry| (entry.path, entry.text.as_str()))
    }
}

/// Whether a page belongs to a section of the menu.
fn is_below(path: &str, section: &str) -> bool {
    match path.strip_prefix(section) {
        Some(rest) => rest.is_empty() || (section != HOME && rest.starts_with('/')),
        None => false,
    }
}

/// A whole page.
pub fn page(frame: &Frame, heading: &str, body: &Markup) -> Response {
    let lang = frame.lang;
    let document = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            (head(lang, heading, &html! {}))
            body {
                a.skip href="#content" { (lang.of("跳到正文", "Skip to content")) }
                (header_bar(frame))
                main #content tabindex="-1" {
                    (messages(frame))
                    (body)
                }
                (footer(lang))
            }
        }
    };
    respond(&document)
}

/// A page for a browser that held the session's cookie back because the link came from another site: it asks for the same address
/// once more, now from here.
pub(super) fn bounce(lang: Lang, path: &str) -> Response {
    let title = lang.of("正在打开", "Opening");
    let refresh = html! { meta http-equiv="refresh" content=(format!("0; url={path}")); };
    let document = html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            (head(lang, title, &refresh))
            body { main { p { a.button href=(path) { (lang.of("继续", "Continue")) } } } }
        }
    };
    respond(&document)
}

fn head(lang: Lang, title: &str, more: &Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " · " (lang.of(PRODUCT.0, PRODUCT.1)) }
            (more)
            link rel="icon" type="image/svg+xml" href=(Asset::Mark.address());
            link rel="stylesheet" href=(Asset::Style.address());
            script src=(Asset::Script.address()) defer {}
        }
    }
}

fn respond(document: &Markup) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (StatusCode::OK, content_type, document.0.clone()).into_response()
}

fn header_bar(frame: &Frame) -> Markup {
    let lang = frame.lang;
    html! {
        header.top {
            div.bar {
                a.brand href=(HOME) {
                    img src=(Asset::Mark.address()) alt="" width="28" height="28";
                    span lang="zh-CN" { (PRODUCT.0) }
                    span.latin lang="en" { (PRODUCT.1) }
                }
                div.tools {
                    (language_switch(frame))
                    @if let Some(person) = &frame.person {
                        span.who {
                            span.sr { (lang.of("当前用户：", "Signed in as ")) }
                            (person.name)
                        }
                        form method="post" action="/sign-out" {
                            input type="hidden" name=(TOKEN_FIELD) value=(person.token);
                            button.quiet type="submit" { (lang.of("退出", "Sign out")) }
                        }
                    }
                }
            }
            @if !frame.menu.is_empty() {
                nav.menu aria-label=(lang.of("主菜单", "Main menu")) {
                    ul {
                        @for entry in &frame.menu {
                            li { a href=(entry.path) aria-current=[entry.is_current.then_some("page")] {
                                (entry.text)
                                @if entry.count > 0 { " " span.count { (entry.count) } }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// Links to this page in the other language.
fn language_switch(frame: &Frame) -> Markup {
    let joint = if frame.here.contains('?') { '&' } else { '?' };
    html! {
        @for other in Lang::ALL.into_iter().filter(|other| *other != frame.lang) {
            a.quiet lang=(other.code()) hreflang=(other.code()) rel="alternate"
                href=(format!("{}{joint}{LANG_FIELD}={}", frame.here, other.code())) { (other.name()) }
        }
    }
}

fn messages(frame: &Frame) -> Markup {
    html! {
        @for flash in &frame.flashes {
            @let (class, role) = match flash.kind {
                FlashKind::Done => ("flash done", "status"),
                FlashKind::Note => ("flash note", "status"),
                FlashKind::Failed => ("flash failed", "alert"),
            };
            p class=(class) role=(role) { (flash.words.of(frame.lang)) }
        }
    }
}

fn footer(lang: Lang) -> Markup {
    html! {
        footer.foot {
            p {
                (PRODUCT.0) " " (PRODUCT.1) " " (VERSION) " · "
                (lang.of(
                    "所有查阅都记入保管日志，任何人都不能更改。",
                    "Every access goes to the custody log, which nobody can alter.",
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_its_section() {
        for (path, section, expected) in [
            ("/", "/", true),
            ("/search", "/", false),
            ("/search", "/search", true),
            ("/search/saved", "/search", true),
            ("/searching", "/search", false),
        ] {
            assert_eq!(is_below(path, section), expected, "{path} {section}");
        }
    }
}
