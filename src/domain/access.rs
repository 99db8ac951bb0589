//! What permits content to be given out, and for what: the words of requests and grants (D29–D31).
//!
//! Invariant: there is no other basis and no other purpose, and none isn't one.

use std::{fmt, str::FromStr};

/// What permits content to be given out (D31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// 法律: a law or a court demands it.
    Law,
    /// 监管: a regulator demands it.
    Regulator,
    /// 客户同意: the customer agreed.
    CustomerConsent,
    /// 尽职调查: due diligence on the customer.
    DueDiligence,
}

impl Basis {
    /// All of them.
    pub const ALL: [Basis; 4] = [
        Basis::Law,
        Basis::Regulator,
        Basis::CustomerConsent,
        Basis::DueDiligence,
    ];

    /// The id used in the log and on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Basis::Law => "law",
            Basis::Regulator => "regulator",
            Basis::CustomerConsent => "customer_consent",
            Basis::DueDiligence => "due_diligence",
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Basis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Basis::ALL.into_iter().find(|basis| basis.id() == text).ok_or_else(|| {
            format!("'{text}' is no basis for giving content out: law, regulator, customer_consent or due_diligence")
        })
    }
}

/// What content is given out for (D30). Whoever may export may also view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// 查看: looked at in the console, under a watermark.
    View,
    /// 导出: the bytes leave.
    Export,
}

impl Purpose {
    /// All of them, the narrower first.
    pub const ALL: [Purpose; 2] = [Purpose::View, Purpose::Export];

    /// The id used in the log and in addresses.
    pub fn id(self) -> &'static str {
        match self {
            Purpose::View => "view",
            Purpose::Export => "export",
        }
    }

    /// Whether a grant for this purpose serves a reading for `wanted`.
    pub fn serves(self, wanted: Purpose) -> bool {
        self >= wanted
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Purpose {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Purpose::ALL
            .into_iter()
            .find(|purpose| purpose.id() == text)
            .ok_or_else(|| format!("'{text}' is no purpose: view or export"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_and_nothing_else_does() {
        for basis in Basis::ALL {
            assert_eq!(basis.id().parse(), Ok(basis));
        }
        for purpose in Purpose::ALL {
            assert_eq!(purpose.id().parse(), Ok(purpose));
        }
        assert!("".parse::<Basis>().is_err() && "".parse::<Purpose>().is_err());
    }

    #[test]
    fn export_serves_viewing_and_not_the_other_way_round() {
        use Purpose::{Export, View};
        assert!(Export.serves(View) && Export.serves(Export) && View.serves(View));
        assert!(!View.serves(Export));
    }
}
