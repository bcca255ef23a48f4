//! One test of a field's value.

use super::cidr::Cidr;
use super::numeric::Range;
use super::wildcard::Wildcard;
use serde_json::Value;

/// A condition on one text, number, boolean or null.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Null,
    Bool(bool),
    Text(String),
    Number(f64),
    Prefix(Affix),
    Suffix(Affix),
    /// Held in lower case.
    IgnoreCase(String),
    Wildcard(Wildcard),
    Numeric(Range),
    Cidr(Cidr),
    /// Whether there is a value.
    Exists(bool),
    /// None of these holds.
    AnythingBut(Vec<Test>),
}

/// A beginning or an end of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Affix {
    /// In lower case where the case is ignored.
    pub text: String,
    pub ignore_case: bool,
}

impl Affix {
    fn holds(&self, text: &str, of: fn(&str, &str) -> bool) -> bool {
        match self.ignore_case {
            true => of(&text.to_lowercase(), &self.text),
            false => of(text, &self.text),
        }
    }
}

impl Test {
    /// Whether it holds of a value that is there.
    pub(super) fn holds(&self, leaf: &Value) -> bool {
        let text = leaf.as_str();
        match self {
            Self::Null => leaf.is_null(),
            Self::Bool(wanted) => leaf.as_bool() == Some(*wanted),
            Self::Text(wanted) => text == Some(wanted),
            Self::Number(wanted) => leaf.as_f64() == Some(*wanted),
            Self::Prefix(affix) => {
                text.is_some_and(|text| affix.holds(text, |text, start| text.starts_with(start)))
            }
            Self::Suffix(affix) => {
                text.is_some_and(|text| affix.holds(text, |text, end| text.ends_with(end)))
            }
            Self::IgnoreCase(wanted) => text.is_some_and(|text| text.to_lowercase() == *wanted),
            Self::Wildcard(wildcard) => text.is_some_and(|text| wildcard.matches(text)),
            Self::Numeric(range) => leaf.as_f64().is_some_and(|number| range.contains(number)),
            Self::Cidr(cidr) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| cidr.contains(address)),
            Self::Exists(wanted) => *wanted,
            Self::AnythingBut(tests) => !tests.iter().any(|test| test.holds(leaf)),
        }
    }
}
