//! Two languages: a text is a pair at the place of use, Chinese first.

/// A language of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// Simplified Chinese, unless a person chose otherwise.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// All languages.
    pub const ALL: [Lang; 2] = [Lang::Zh, Lang::En];

    /// The text in this language: `lang.of("登录", "Sign in")`.
    pub fn of<T>(self, zh: T, en: T) -> T {
        match self {
            Lang::Zh => zh,
            Lang::En => en,
        }
    }

    /// The language of a cookie or a switch; `None` for what isn't one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// Its tag (BCP 47), as `<html lang>` and the cookie carry it.
    pub fn code(self) -> &'static str {
        self.of("zh-CN", "en")
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        self.of("中文", "English")
    }
}

/// A text in both languages, for where the reader isn't known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    zh: String,
    en: String,
}

impl Words {
    /// A pair.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Words {
            zh: zh.into(),
            en: en.into(),
        }
    }

    /// The text in one language.
    pub fn of(&self, lang: Lang) -> &str {
        lang.of(&self.zh, &self.en)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_unless_chosen_otherwise() {
        assert_eq!(Lang::default().of("登录", "Sign in"), "登录");
        assert_eq!(Lang::from_code("en"), Some(Lang::En));
        assert_eq!(Lang::from_code("zh-CN"), Some(Lang::Zh));
        for unknown in ["", "EN", "fr", "en-GB"] {
            assert_eq!(Lang::from_code(unknown), None);
        }
        assert_eq!(Words::new("否", "no").of(Lang::En), "no");
    }
}
