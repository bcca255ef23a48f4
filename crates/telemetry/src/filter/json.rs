//! JSON patterns: comparisons of fields, joined by `&&` and `||`.
//!
//! `{ $.a.b[0] = "x*" && ($.n >= 3 || $.gone NOT EXISTS) }`. A missing field fails every
//! comparison but `NOT EXISTS`; `!=` asks for a field that is there with another value.

use super::InvalidPattern;
use super::lexer::{Token, tokens};
use serde_json::Value;

/// Nesting of parentheses beyond which a pattern is refused.
const DEPTH_MAX: usize = 32;

/// A condition on a JSON message.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// Both sides hold.
    And(Box<Self>, Box<Self>),
    /// One side holds.
    Or(Box<Self>, Box<Self>),
    /// A field fulfils a test.
    Field(Vec<Step>, Test),
}

/// One step on the path to a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A member of an object.
    Member(String),
    /// An element of a list.
    Element(usize),
    /// Any element of a list.
    AnyElement,
}

/// What is asked of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A number compares so.
    Number(Comparison, f64),
    /// A text equals (with `*` for any letters), or does not.
    Text {
        /// Whether it must equal.
        equal: bool,
        /// The text with its wildcards.
        pattern: String,
    },
    /// `IS NULL`, `IS TRUE`, `IS FALSE`.
    Is(Value),
    /// `EXISTS` or `NOT EXISTS`.
    Exists(bool),
}

/// How numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Expression {
    /// Whether a message's value fulfils the condition.
    pub fn matches(&self, value: &Value) -> bool {
        match self {
            Self::And(left, right) => left.matches(value) && right.matches(value),
            Self::Or(left, right) => left.matches(value) || right.matches(value),
            Self::Field(path, Test::Exists(wanted)) => any(value, path, &|_| true) == *wanted,
            Self::Field(path, test) => any(value, path, &|field| test.holds(field)),
        }
    }
}

impl Test {
    fn holds(&self, field: &Value) -> bool {
        match self {
            Self::Number(comparison, wanted) => field
                .as_f64()
                .is_some_and(|number| comparison.holds(number, *wanted)),
            Self::Text { equal, pattern } => match field {
                Value::String(text) => wildcard(pattern, text) == *equal,
                Value::Number(number) => wildcard(pattern, &number.to_string()) == *equal,
                Value::Bool(flag) => {
                    wildcard(pattern, if *flag { "true" } else { "false" }) == *equal
                }
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            },
            Self::Is(wanted) => field == wanted,
            Self::Exists(wanted) => *wanted,
        }
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Whether any field that the path leads to fulfils `test`.
fn any(value: &Value, path: &[Step], test: &dyn Fn(&Value) -> bool) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return test(value);
    };
    match step {
        Step::Member(name) => value.get(name).is_some_and(|field| any(field, rest, test)),
        Step::Element(at) => value.get(at).is_some_and(|field| any(field, rest, test)),
        Step::AnyElement => value
            .as_array()
            .is_some_and(|list| list.iter().any(|field| any(field, rest, test))),
    }
}

/// `*` stands for any letters; everything else for itself. Linear in the text for each `*`.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Parses a pattern that begins with a brace.
pub fn parse(text: &str) -> Result<Expression, InvalidPattern> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        depth: 0,
    };
    parser.expect("{")?;
    let expression = parser.alternatives()?;
    parser.expect("}")?;
    if parser.tokens.is_empty() {
        Ok(expression)
    } else {
        Err(InvalidPattern("text after the closing brace".into()))
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Result<Expression, InvalidPattern> {
        let mut left = self.conjunction()?;
        while self.accept("||") {
            left = Expression::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expression, InvalidPattern> {
        let mut left = self.factor()?;
        while self.accept("&&") {
            left = Expression::And(Box::new(left), Box::new(self.factor()?));
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Expression, InvalidPattern> {
        if self.accept("(") {
            self.depth += 1;
            if self.depth > DEPTH_MAX {
                return Err(InvalidPattern("too many parentheses".into()));
            }
            let inner = self.alternatives()?;
            self.expect(")")?;
            self.depth -= 1;
            return Ok(inner);
        }
        self.expect("$")?;
        let path = self.path()?;
        let test = self.test()?;
        Ok(Expression::Field(path, test))
    }

    fn path(&mut self) -> Result<Vec<Step>, InvalidPattern> {
        let mut path = Vec::new();
        loop {
            if self.accept(".") {
                if self.peek("[") {
                    continue;
                }
                path.push(Step::Member(self.word("a field's name")?));
            } else if self.accept("[") {
                path.push(match self.next() {
                    Some(Token::Quoted(name)) => Step::Member(name),
                    Some(Token::Word(word)) if word == "*" => Step::AnyElement,
                    Some(Token::Word(word)) => {
                        match word.strip_prefix('\'').and_then(|w| w.strip_suffix('\'')) {
                            Some(name) => Step::Member(name.to_owned()),
                            None => Step::Element(
                                word.parse()
                                    .map_err(|_| InvalidPattern(format!("{word:?} is no index")))?,
                            ),
                        }
                    }
                    _ => return Err(InvalidPattern("an index is missing".into())),
                });
                self.expect("]")?;
            } else if path.is_empty() {
                return Err(InvalidPattern("a selector begins with $.".into()));
            } else {
                return Ok(path);
            }
        }
    }

    fn test(&mut self) -> Result<Test, InvalidPattern> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        for (sign, comparison) in [
            ("=", Equal),
            ("!=", NotEqual),
            ("<=", LessOrEqual),
            (">=", GreaterOrEqual),
            ("<", Less),
            (">", Greater),
        ] {
            if self.accept(sign) {
                return self.value(comparison);
            }
        }
        match self.word("a comparison")?.to_ascii_uppercase().as_str() {
            "EXISTS" => Ok(Test::Exists(true)),
            "NOT" if self.keyword("EXISTS") => Ok(Test::Exists(false)),
            "IS" => match self
                .word("NULL, TRUE or FALSE")?
                .to_ascii_uppercase()
                .as_str()
            {
                "NULL" => Ok(Test::Is(Value::Null)),
                "TRUE" => Ok(Test::Is(Value::Bool(true))),
                "FALSE" => Ok(Test::Is(Value::Bool(false))),
                other => Err(InvalidPattern(format!("IS {other}: NULL, TRUE or FALSE"))),
            },
            other => Err(InvalidPattern(format!("{other:?} is no comparison"))),
        }
    }

    fn value(&mut self, comparison: Comparison) -> Result<Test, InvalidPattern> {
        let text = match self.next() {
            Some(Token::Quoted(text)) => text,
            Some(Token::Word(word)) => {
                if let Ok(number) = word.parse::<f64>() {
                    return Ok(Test::Number(comparison, number));
                }
                // An unquoted value may hold dots: `$.host = a.example.*`.
                let mut text = word;
                while self.accept(".") {
                    text.push('.');
                    text.push_str(&self.word("a value")?);
                }
                text
            }
            _ => return Err(InvalidPattern("a value is missing".into())),
        };
        match comparison {
            Comparison::Equal => Ok(Test::Text {
                equal: true,
                pattern: text,
            }),
            Comparison::NotEqual => Ok(Test::Text {
                equal: false,
                pattern: text,
            }),
            _ => Err(InvalidPattern(format!("{text:?} is no number"))),
        }
    }

    fn next(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn peek(&self, sign: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Sign(found)) if *found == sign)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.peek(sign);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn keyword(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), InvalidPattern> {
        if self.accept(sign) {
            Ok(())
        } else {
            Err(InvalidPattern(format!("{sign:?} is missing")))
        }
    }

    fn word(&mut self, what: &str) -> Result<String, InvalidPattern> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(InvalidPattern(format!("{what} is missing"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filter::Pattern;

    const MESSAGE: &str = r#"{"level":"error","code":500,"ok":false,"none":null,"user":{"name":"ann lee","tags":["a","b"]},"items":[{"n":1},{"n":7}],"x-y":"z"}"#;

    #[test]
    fn selectors_compare_fields() {
        for (pattern, expected) in [
            (r#"{ $.level = "error" }"#, true),
            (r#"{$.level=error}"#, true),
            (r#"{ $.level != "error" }"#, false),
            (r#"{ $.gone != "error" }"#, false),
            (r#"{ $.level = "err*" }"#, true),
            (r#"{ $.level = "*rr*r" }"#, true),
            (r#"{ $.level = "er" }"#, false),
            (r#"{ $.code = 500 }"#, true),
            (r#"{ $.code >= 500.5 }"#, false),
            (r#"{ $.code > 499 && $.code < 501 }"#, true),
            (r#"{ $.code = 404 || $.level = "error" }"#, true),
            (
                r#"{ ($.code = 404 || $.code = 500) && $.ok IS FALSE }"#,
                true,
            ),
            (r#"{ $.none IS NULL }"#, true),
            (r#"{ $.ok IS TRUE }"#, false),
            (r#"{ $.gone NOT EXISTS }"#, true),
            (r#"{ $.level NOT EXISTS }"#, false),
            (r#"{ $.level EXISTS }"#, true),
            (r#"{ $.user.name = "ann lee" }"#, true),
            (r#"{ $.user.tags[1] = "b" }"#, true),
            (r#"{ $.user.tags[2] = "b" }"#, false),
            (r#"{ $.items[*].n = 7 }"#, true),
            (r#"{ $.items[0].n = 7 }"#, false),
            (r#"{ $.["x-y"] = "z" }"#, true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(MESSAGE),
                expected,
                "{pattern}"
            );
            assert!(
                !Pattern::parse(r#"{ $.level = "error" }"#)
                    .unwrap()
                    .matches("level error")
            );
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for bad in [
            "{",
            "{}",
            "{ $.a }",
            "{ $.a = }",
            "{ a = 1 }",
            "{ $.a = 1",
            "{ $.a = 1 } x",
            "{ $.a < \"x\" }",
            "{ ($.a = 1 }",
            "{ $.a IS MAYBE }",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
