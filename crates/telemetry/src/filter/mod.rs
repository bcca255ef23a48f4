//! Filter patterns of FilterLogEvents: parsed once, then matched against each message.
//!
//! Two languages share the parameter. Text patterns are terms and quoted phrases, all of which a
//! message must hold; `-` in front excludes, `?` makes alternatives of which one suffices. JSON
//! patterns stand in braces and select fields: `{ $.status = 500 && $.path = "/api*" }`.
//!
//! Matching is case-sensitive and never fails: a message that is no JSON matches no JSON pattern.
//! Rule: CloudWatch Logs user guide, "Filter pattern syntax for metric filters, subscription
//! filters, filter log events, and Live Tail".

mod json;
mod lexer;
mod text;

use std::fmt;

/// A filter pattern.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// The empty pattern.
    Everything,
    /// Terms and phrases.
    Text(text::TextPattern),
    /// Selectors on the fields of a JSON message.
    Json(json::Expression),
}

/// The text is no pattern; what was expected where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPattern(pub String);

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// It is malformed, or of a kind that is not served: space-delimited (`[…]`) or regular
    /// expressions (`%…%`).
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            Ok(Self::Everything)
        } else if trimmed.starts_with('{') {
            json::parse(trimmed).map(Self::Json)
        } else if trimmed.starts_with('[') {
            Err(InvalidPattern(
                "space-delimited patterns are not supported".into(),
            ))
        } else {
            text::parse(trimmed).map(Self::Text)
        }
    }

    /// Whether a message matches.
    #[must_use]
    pub fn matches(&self, message: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Text(pattern) => pattern.matches(message),
            Self::Json(expression) => {
                serde_json::from_str(message).is_ok_and(|value| expression.matches(&value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_makes_the_parser_or_the_matcher_panic(pattern in ".{0,40}", message in ".{0,40}") {
            if let Ok(pattern) = Pattern::parse(&pattern) {
                let _ = pattern.matches(&message);
            }
        }

        #[test]
        fn json_like_text_never_panics(pattern in r#"\{[ $.a\[\]0-9"'=!<>&|()*A-Z]{0,30}\}?"#) {
            let _ = Pattern::parse(&pattern).map(|pattern| pattern.matches(r#"{"a":[1,{"a":null}]}"#));
        }
    }
}
