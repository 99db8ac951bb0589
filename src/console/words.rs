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

    /// The language that a program prefers, by its `Accept-Language` (RFC 9110, clause 12.5.4); Chinese where it names neither.
    pub fn preferred(accepted: &str) -> Self {
        let weighed = accepted.split(',').filter_map(|range| {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let weight: f32 = weight.trim().strip_prefix("q=")?.parse().ok()?;
            let primary = tag.trim().split('-').next()?;
            let lang = Self::ALL.into_iter().find(|lang| {
                let own = lang.code().split('-').next();
                own.is_some_and(|own| own.eq_ignore_ascii_case(primary))
            })?;
            (weight > 0.0).then_some((lang, weight))
        });
        let best = weighed.reduce(|best, other| if other.1 > best.1 { other } else { best });
        best.map(|(lang, _)| lang).unwrap_or_default()
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
        for (accepted, lang) in [
            ("", Lang::Zh),
            ("en", Lang::En),
            ("EN-gb;q=0.5", Lang::En),
            ("en-US,en;q=0.9,zh-CN;q=0.8", Lang::En),
            ("en;q=0.8, zh;q=0.9", Lang::Zh),
            ("fr, *;q=0.1", Lang::Zh),
            ("en;q=0", Lang::Zh),
            ("en;q=x,;;,", Lang::Zh),
        ] {
            assert_eq!(Lang::preferred(accepted), lang, "{accepted}");
        }
    }
}
