//! Composite alarms: a rule over the states of others, evaluated whenever one of these changes.
//!
//! Binding, from the loosest: OR, AND, NOT.
//! Rule: API reference, PutCompositeAlarm, `AlarmRule`; user guide, "Creating a composite alarm".

use super::records::{ALARMS, AlarmKey, State};
use crate::errors::invalid;
use aws_types::{AwsError, Scope};
use std::collections::BTreeSet;
use store::World;

/// API reference: alarms that a rule may name.
const CHILDREN_MAX: usize = 100;
/// API reference: elements of a rule.
const ELEMENTS_MAX: usize = 500;
/// Rules inside one another.
const DEPTH_MAX: usize = 50;

/// A parsed rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `TRUE` or `FALSE`.
    Constant(bool),
    /// `ALARM("name")` and its like.
    Is(State, String),
    /// `NOT rule`.
    Not(Box<Rule>),
    /// `rule AND rule`.
    And(Box<Rule>, Box<Rule>),
    /// `rule OR rule`.
    Or(Box<Rule>, Box<Rule>),
}

impl Rule {
    /// Names of the alarms that it names.
    #[must_use]
    pub fn children(&self) -> BTreeSet<&str> {
        match self {
            Self::Constant(_) => BTreeSet::new(),
            Self::Is(_, name) => BTreeSet::from([name.as_str()]),
            Self::Not(inner) => inner.children(),
            Self::And(one, other) | Self::Or(one, other) => &one.children() | &other.children(),
        }
    }

    /// Whether it holds. An alarm that is not there is in no state.
    #[must_use]
    pub fn holds(&self, world: &World, scope: &Scope) -> bool {
        match self {
            Self::Constant(is) => *is,
            Self::Is(state, name) => {
                let alarm = world.get(&ALARMS, &AlarmKey::new(scope, name));
                alarm.is_some_and(|alarm| alarm.state.value == *state)
            }
            Self::Not(inner) => !inner.holds(world, scope),
            Self::And(one, other) => one.holds(world, scope) && other.holds(world, scope),
            Self::Or(one, other) => one.holds(world, scope) || other.holds(world, scope),
        }
    }
}

/// Reads a rule. Alarms may be named by ARN, of this scope alone.
///
/// # Errors
/// `ValidationError`.
pub fn parse(text: &str, scope: &Scope) -> Result<Rule, AwsError> {
    let wrong = |why: &str| invalid(format!("AlarmRule must be valid: {why}."));
    let tokens = tokens(text).map_err(wrong)?;
    if tokens.len() > ELEMENTS_MAX * 4 {
        return Err(wrong("it has too many elements"));
    }
    let mut parser = Parser {
        tokens: &tokens,
        scope,
        depth: 0,
    };
    let rule = parser.any().map_err(wrong)?;
    if !parser.tokens.is_empty() {
        return Err(wrong("it goes on after its end"));
    }
    match rule.children().len() > CHILDREN_MAX {
        true => Err(wrong("it names more than 100 alarms")),
        false => Ok(rule),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Word(String),
    Quoted(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let (mut found, mut rest) = (Vec::new(), text);
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Ok(found);
        };
        let (token, len) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' | '\'' => {
                let end = rest[1..].find(first).ok_or("a name has no end")?;
                (Token::Quoted(rest[1..=end].to_owned()), end + 2)
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
                let len = rest.find(is_end).unwrap_or(rest.len());
                (Token::Word(rest[..len].to_owned()), len)
            }
        };
        found.push(token);
        rest = &rest[len..];
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    scope: &'a Scope,
    depth: usize,
}

type Parsed = Result<Rule, &'static str>;

impl Parser<'_> {
    fn next(&mut self) -> Result<Token, &'static str> {
        let (first, rest) = self.tokens.split_first().ok_or("it ends too early")?;
        self.tokens = rest;
        Ok(first.clone())
    }

    fn takes(&mut self, word: &str) -> bool {
        match self.tokens.split_first() {
            Some((Token::Word(first), rest)) if first == word => {
                self.tokens = rest;
                true
            }
            _ => false,
        }
    }

    fn any(&mut self) -> Parsed {
        let mut found = self.all()?;
        while self.takes("OR") {
            found = Rule::Or(Box::new(found), Box::new(self.all()?));
        }
        Ok(found)
    }

    fn all(&mut self) -> Parsed {
        let mut found = self.one()?;
        while self.takes("AND") {
            found = Rule::And(Box::new(found), Box::new(self.one()?));
        }
        Ok(found)
    }

    fn one(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("it is nested too deep");
        }
        let found = match self.next()? {
            Token::Open => {
                let inner = self.any()?;
                self.close()?;
                inner
            }
            Token::Word(word) => match word.as_str() {
                "TRUE" => Rule::Constant(true),
                "FALSE" => Rule::Constant(false),
                "NOT" => Rule::Not(Box::new(self.one()?)),
                name => {
                    let state = State::of(name).ok_or("a function is not known")?;
                    Rule::Is(state, self.name()?)
                }
            },
            Token::Close | Token::Quoted(_) => return Err("a state is expected"),
        };
        self.depth -= 1;
        Ok(found)
    }

    fn close(&mut self) -> Result<(), &'static str> {
        match self.next()? {
            Token::Close => Ok(()),
            _ => Err("a bracket is not closed"),
        }
    }

    /// `("name")`, `(name)`, `(ARN)`.
    fn name(&mut self) -> Result<String, &'static str> {
        if self.next()? != Token::Open {
            return Err("a name is expected in brackets");
        }
        let name = match self.next()? {
            Token::Quoted(name) | Token::Word(name) => name,
            Token::Open | Token::Close => return Err("a name is expected in brackets"),
        };
        self.close()?;
        let own = AlarmKey::new(self.scope, "").arn();
        match name.strip_prefix(&own) {
            Some(name) => Ok(name.to_owned()),
            None if name.starts_with("arn:") => Err("an alarm is of another account or region"),
            None => Ok(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scope() -> Scope {
        Scope::new("000000000000", "us-east-1")
    }

    fn is(state: State, name: &str) -> Box<Rule> {
        Box::new(Rule::Is(state, name.into()))
    }

    #[test]
    fn rules_are_read_as_they_bind() {
        use State::{Alarm, InsufficientData, Ok};
        let arn = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:d d";
        let text =
            format!("ALARM(a) OR NOT OK('b b') AND (INSUFFICIENT_DATA(\"c\") OR ALARM(\"{arn}\"))");
        let expected = Rule::Or(
            is(Alarm, "a"),
            Box::new(Rule::And(
                Box::new(Rule::Not(is(Ok, "b b"))),
                Box::new(Rule::Or(is(InsufficientData, "c"), is(Alarm, "d d"))),
            )),
        );
        assert_eq!(parse(&text, &scope()).unwrap(), expected);
        let children: Vec<_> = expected.children().into_iter().collect();
        assert_eq!(children, ["a", "b b", "c", "d d"]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for (text, reason) in [
            ("", "ends too early"),
            ("ALARM(a", "ends too early"),
            ("ALARM a", "in brackets"),
            ("ALARM(a) ALARM(b)", "goes on"),
            ("SOMETIMES(a)", "not known"),
            ("ALARM(\"a)", "no end"),
            ("(TRUE", "ends too early"),
            (
                "ALARM(arn:aws:cloudwatch:us-east-2:000000000000:alarm:a)",
                "another account",
            ),
        ] {
            let error = parse(text, &scope()).unwrap_err();
            assert_eq!(error.code().name, "ValidationError");
            assert!(
                error.message().contains(reason),
                "{text}: {}",
                error.message()
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([()\"' a]|ALARM|OK|NOT|AND|OR|TRUE){0,30}") {
            let _ = parse(&text, &scope());
        }

        #[test]
        fn deep_nesting_is_refused_and_does_not_overflow(depth in 60usize..2_000) {
            prop_assert!(parse(&"(".repeat(depth), &scope()).is_err());
            prop_assert!(parse(&"NOT ".repeat(depth), &scope()).is_err());
        }
    }
}
