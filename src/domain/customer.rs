//! Customer numbers and flow numbers: strings in which leading zeros count.
//!
//! Invariant: a value that exists is a safe path component (letters, digits, `-`, `_`), whichever patterns are configured.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pattern::{Pattern, is_safe_component};
use super::reason::Reason;

/// How the numbers of this broker look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Numbers {
    /// Customer numbers; `[0-9]{6,16}` unless configured.
    pub customer: Pattern,
    /// Flow numbers; `[A-Za-z0-9]{4,32}` unless configured.
    pub flow: Pattern,
}

impl Default for Numbers {
    fn default() -> Self {
        let fixed = |source: &str| {
            source
                .parse()
                .unwrap_or_else(|_| unreachable!("a literal the tests parse"))
        };
        Self {
            customer: fixed("[0-9]{6,16}"),
            flow: fixed("[A-Za-z0-9]{4,32}"),
        }
    }
}

impl Numbers {
    /// A customer number, or `customer_number` with the pattern it should have.
    pub fn customer(&self, text: &str) -> Result<CustomerNumber, Reason> {
        if self.customer.matches(text) {
            return Ok(CustomerNumber(text.to_owned()));
        }
        Err(Reason::new(
            "customer_number",
            format!(
                "{text:?} is not a customer number; expected {}, with leading zeros",
                self.customer
            ),
            format!("“{text}”不是客户编号；应符合 {}，前导零不可省略", self.customer),
        ))
    }

    /// A flow number, or `flow_number` with the pattern it should have.
    pub fn flow(&self, text: &str) -> Result<FlowNumber, Reason> {
        if self.flow.matches(text) {
            return Ok(FlowNumber(text.to_owned()));
        }
        Err(Reason::new(
            "flow_number",
            format!("{text:?} is not a flow number; expected {}", self.flow),
            format!("“{text}”不是业务流水号；应符合 {}", self.flow),
        ))
    }
}

/// A stored number that isn't a safe path component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored number is not made of letters, digits, - and _")]
pub struct UnsafeNumber;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The number as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// From the catalogue or a record: patterns may have changed since, safety may not.
        impl TryFrom<String> for $name {
            type Error = UnsafeNumber;

            fn try_from(text: String) -> Result<Self, UnsafeNumber> {
                if is_safe_component(&text) { Ok(Self(text)) } else { Err(UnsafeNumber) }
            }
        }

        impl From<$name> for String {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

number!(
    /// The number of a customer: the key the vault is ordered by (D16).
    CustomerNumber
);
number!(
    /// The number of one business flow of a customer.
    FlowNumber
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_zeros_count_and_the_refusal_says_what_is_allowed() {
        let numbers = Numbers::default();
        assert_eq!(numbers.customer("000100012345").unwrap().as_str(), "000100012345");
        let reason = numbers.customer("1234").unwrap_err();
        assert_eq!(reason.code, "customer_number");
        assert!(reason.en.contains("[0-9]{6,16}") && reason.zh.contains("[0-9]{6,16}"));
        assert_eq!(numbers.flow("A0!").unwrap_err().code, "flow_number");
    }

    #[test]
    fn stored_numbers_stay_safe() {
        for bad in ["", "..", "a/b", "a b", "1\n"] {
            assert_eq!(
                CustomerNumber::try_from(bad.to_owned()),
                Err(UnsafeNumber),
                "{bad:?}"
            );
            assert!(serde_json::from_value::<FlowNumber>(serde_json::json!(bad)).is_err());
        }
        assert!(FlowNumber::try_from("A0098877".to_owned()).is_ok());
    }
}
