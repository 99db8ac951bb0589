//! What pages are made of. Each part is a function from values to markup; all texts are escaped.

use super::{guard::TOKEN_FIELD, visit::Visit, words::Lang};
use maud::{Markup, Render, html};

/// How weighty a button is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// What the page is for; one a page.
    Primary,
    /// Anything else.
    Plain,
    /// What can't be undone.
    Danger,
}

impl Weight {
    fn class(self) -> &'static str {
        match self {
            Weight::Primary => "button primary",
            Weight::Plain => "button",
            Weight::Danger => "button danger",
        }
    }
}

/// What a state means to whoever reads it. Colour never says it alone: the text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Somebody should look.
    Watch,
    /// Wrong, refused or over.
    Bad,
    /// Neither.
    Plain,
}

/// The page's heading, and a line under it.
pub fn title(heading: &str, lead: Option<&str>) -> Markup {
    html! {
        h1 { (heading) }
        @if let Some(lead) = lead { p.lead { (lead) } }
    }
}

/// A part of a page with a heading of its own.
pub fn panel(heading: &str, body: &Markup) -> Markup {
    html! { section.panel { h2 { (heading) } (body) } }
}

/// A state in a word.
pub fn badge(tone: Tone, text: &str) -> Markup {
    let class = match tone {
        Tone::Good => "badge good",
        Tone::Watch => "badge watch",
        Tone::Bad => "badge bad",
        Tone::Plain => "badge",
    };
    html! { span class=(class) { (text) } }
}

/// A form's button.
pub fn button(weight: Weight, text: &str) -> Markup {
    html! { button class=(weight.class()) type="submit" { (text) } }
}

/// A form's button that says which of several it was.
pub fn choice_button(weight: Weight, name: &str, value: &str, text: &str) -> Markup {
    html! { button class=(weight.class()) type="submit" name=(name) value=(value) { (text) } }
}

/// A link that looks like a button.
pub fn link_button(weight: Weight, address: &str, text: &str) -> Markup {
    html! { a class=(weight.class()) href=(address) { (text) } }
}

/// A form that changes something, with the token that the guard asks for.
pub fn form(visit: &Visit, action: &str, body: &Markup) -> Markup {
    html! {
        form.stack method="post" action=(action) {
            input type="hidden" name=(TOKEN_FIELD) value=(visit.token());
            (body)
        }
    }
}

/// A form that asks for a page: its fields end up in the address, so it can be shared.
pub fn query_form(action: &str, body: &Markup) -> Markup {
    html! { form.filters method="get" action=(action) { (body) } }
}

/// One thing to be sure of before it is done: what will happen, a button that does it, a way back.
pub fn confirm(visit: &Visit, action: &str, words: &str, weight: Weight, does: &str, back: &str) -> Markup {
    let cancel = visit.lang.of("取消", "Cancel");
    let body = html! {
        p { (words) }
        div.actions { (button(weight, does)) (link_button(Weight::Plain, back, cancel)) }
    };
    html! { div.confirm { (form(visit, action, &body)) } }
}

/// A field of a form: what it is called, a hint, what was wrong with what was sent.
#[derive(Clone, Debug, Default)]
pub struct Field<'a> {
    /// Its name in the form; also its id on the page.
    pub name: &'a str,
    /// What people call it.
    pub label: &'a str,
    /// `text` when empty; `password`, `date`, `search` and so on.
    pub kind: &'a str,
    /// What stands in it.
    pub value: &'a str,
    /// How to fill it in.
    pub hint: Option<&'a str>,
    /// What was wrong.
    pub error: Option<&'a str>,
    /// `username`, `current-password`, `one-time-code` and so on.
    pub autocomplete: Option<&'a str>,
    /// `numeric` for digits.
    pub inputmode: Option<&'a str>,
    /// Characters at most.
    pub max_length: Option<usize>,
    /// It can't be left empty.
    pub required: bool,
    /// The cursor starts here.
    pub focused: bool,
}

impl Field<'_> {
    fn is_marked(&self) -> Option<&'static str> {
        self.error.map(|_| "true")
    }

    /// Ids of hint and error, for who hears the page.
    fn described_by(&self) -> Option<String> {
        let hint = self.hint.map(|_| format!("{}-hint", self.name));
        let error = self.error.map(|_| format!("{}-error", self.name));
        match (hint, error) {
            (Some(hint), Some(error)) => Some(format!("{hint} {error}")),
            (hint, error) => hint.or(error),
        }
    }

    fn around(&self, control: &Markup) -> Markup {
        html! {
            div.field {
                label for=(self.name) { (self.label) @if self.required { span.needed aria-hidden="true" { "*" } } }
                @if let Some(hint) = self.hint { p.hint id=(format!("{}-hint", self.name)) { (hint) } }
                (control)
                @if let Some(error) = self.error { p.error id=(format!("{}-error", self.name)) { (error) } }
            }
        }
    }

    /// One line.
    pub fn input(&self) -> Markup {
        let kind = if self.kind.is_empty() { "text" } else { self.kind };
        self.around(&html! {
            input id=(self.name) name=(self.name) type=(kind) value=(self.value) required[self.required]
                autofocus[self.focused] autocomplete=[self.autocomplete] inputmode=[self.inputmode]
                maxlength=[self.max_length] aria-invalid=[self.is_marked()] aria-describedby=[self.described_by()];
        })
    }

    /// Several lines.
    pub fn textarea(&self, rows: u32) -> Markup {
        self.around(&html! {
            textarea id=(self.name) name=(self.name) rows=(rows) required[self.required] autofocus[self.focused]
                maxlength=[self.max_length] aria-invalid=[self.is_marked()] aria-describedby=[self.described_by()] {
                (self.value)
            }
        })
    }

    /// One of several, as value and text.
    pub fn select(&self, options: &[(&str, &str)]) -> Markup {
        self.around(&html! {
            select id=(self.name) name=(self.name) required[self.required] autofocus[self.focused]
                aria-invalid=[self.is_marked()] aria-describedby=[self.described_by()] {
                @for (value, text) in options {
                    option value=(value) selected[*value == self.value] { (text) }
                }
            }
        })
    }
}

/// A box to tick.
pub fn checkbox(name: &str, value: &str, label: &str, is_ticked: bool) -> Markup {
    html! {
        label.tick { input type="checkbox" name=(name) value=(value) checked[is_ticked]; span { (label) } }
    }
}

/// One of several that exclude each other, with a line that says what it means.
pub fn radio(name: &str, value: &str, label: &str, hint: Option<&str>, is_chosen: bool) -> Markup {
    html! {
        label.tick {
            input type="radio" name=(name) value=(value) checked[is_chosen];
            span { (label) @if let Some(hint) = hint { span.hint { (hint) } } }
        }
    }
}

/// Names and what they are of one thing.
pub fn definitions(items: &[(&str, Markup)]) -> Markup {
    html! { dl.facts { @for (name, value) in items { div { dt { (name) } dd { (value) } } } } }
}

/// A table of rows with as many cells as columns. On a narrow screen each row becomes a card.
pub struct Table<'a> {
    caption: &'a str,
    columns: Vec<(&'a str, bool)>,
    rows: Vec<Vec<Markup>>,
}

impl<'a> Table<'a> {
    /// A table that says to who hears the page what it is of.
    pub fn new(caption: &'a str) -> Self {
        Table {
            caption,
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a column.
    pub fn column(mut self, name: &'a str) -> Self {
        self.columns.push((name, false));
        self
    }

    /// Adds a column of numbers or buttons, which stand to the right.
    pub fn right(mut self, name: &'a str) -> Self {
        self.columns.push((name, true));
        self
    }

    /// Adds a row. Cells without a column aren't shown.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Markup>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl Render for Table<'_> {
    fn render(&self) -> Markup {
        let class = |is_right: bool| is_right.then_some("right");
        html! {
            div.table tabindex="0" role="region" aria-label=(self.caption) {
                table {
                    caption.sr { (self.caption) }
                    thead { tr { @for (name, is_right) in &self.columns { th scope="col" class=[class(*is_right)] { (name) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for ((name, is_right), cell) in self.columns.iter().zip(row) {
                                    td data-label=(name) class=[class(*is_right)] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What stands where a list would, were there anything: what it would show, and what to do about it.
pub fn empty(heading: &str, hint: &str, action: Option<&Markup>) -> Markup {
    html! {
        div.empty { h2 { (heading) } p { (hint) } @if let Some(action) = action { p { (action) } } }
    }
}

/// The way to the pages before and after, and which part this is.
pub fn pager(lang: Lang, previous: Option<&str>, next: Option<&str>, part: &str) -> Markup {
    html! {
        nav.pager aria-label=(lang.of("分页", "Pages")) {
            @if let Some(address) = previous { a.button rel="prev" href=(address) { (lang.of("上一页", "Previous")) } }
            span { (part) }
            @if let Some(address) = next { a.button rel="next" href=(address) { (lang.of("下一页", "Next")) } }
        }
    }
}

/// A long value for machines: cut on the screen, whole in the clipboard.
pub fn digest(lang: Lang, value: &str) -> Markup {
    html! {
        span.digest {
            code { (value) }
            button.copy type="button" data-copy=(value) hidden { (lang.of("复制", "Copy")) }
        }
    }
}
