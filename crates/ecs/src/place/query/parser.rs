//! From a text to an [`Expression`].

use super::ast::{Comparison, Expression, Pattern, Predicate, Subject, Test};
use super::lexer::{Kind, Token, tokens};
use super::value;
use std::fmt;

/// API reference, PlacementConstraint, `expression`: characters.
const EXPRESSION_LEN_MAX: usize = 2000;
/// Parentheses and negations within each other; a text of the greatest length could otherwise use
/// up the stack.
const DEPTH_MAX: usize = 64;
/// A list's values.
const LIST_LEN_MAX: usize = 1000;

/// What is wrong with a text, for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    what: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Malformed {}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse(text: &str) -> Result<Expression, Malformed> {
    if text.chars().count() > EXPRESSION_LEN_MAX {
        return Err(malformed(format!(
            "longer than {EXPRESSION_LEN_MAX} characters"
        )));
    }
    let tokens = tokens(text).map_err(|at| malformed(format!("unreadable at character {at}")))?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        depth: 0,
    };
    let expression = parser.any()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(parser.unexpected("and, or, or the end")),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Expression, Malformed> {
        let mut of = vec![self.all()?];
        while self.takes_word_or_sign("or", "||") {
            of.push(self.all()?);
        }
        Ok(match of.len() {
            1 => of.remove(0),
            _ => Expression::Any(of),
        })
    }

    fn all(&mut self) -> Result<Expression, Malformed> {
        let mut of = vec![self.factor()?];
        while self.takes_word_or_sign("and", "&&") {
            of.push(self.factor()?);
        }
        Ok(match of.len() {
            1 => of.remove(0),
            _ => Expression::All(of),
        })
    }

    fn factor(&mut self) -> Result<Expression, Malformed> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(malformed(format!("nested more than {DEPTH_MAX} deep")));
        }
        let read = if self.takes_word_or_sign("not", "!") {
            Expression::Not(Box::new(self.factor()?))
        } else if self.takes_sign("(") {
            let inner = self.any()?;
            self.expect_sign(")")?;
            inner
        } else {
            Expression::Is(self.predicate()?)
        };
        self.depth -= 1;
        Ok(read)
    }

    fn predicate(&mut self) -> Result<Predicate, Malformed> {
        let subject = self.subject()?;
        let test = self.test()?;
        check(&subject, &test)?;
        Ok(Predicate { subject, test })
    }

    fn subject(&mut self) -> Result<Subject, Malformed> {
        let Some(Kind::Word(word)) = self.peek() else {
            return Err(self.unexpected("a subject"));
        };
        let subject = match word.as_str() {
            "agentConnected" => Subject::AgentConnected,
            "agentVersion" => Subject::AgentVersion,
            "ec2InstanceId" => Subject::Ec2InstanceId,
            "registeredAt" => Subject::RegisteredAt,
            "runningTasksCount" => Subject::RunningTasksCount,
            "task:group" => Subject::TaskGroup,
            other => match other.strip_prefix("attribute:") {
                Some(name) if !name.is_empty() => Subject::Attribute(name.into()),
                _ => return Err(self.unexpected("a subject")),
            },
        };
        self.next += 1;
        Ok(subject)
    }

    fn test(&mut self) -> Result<Test, Malformed> {
        let negated = self.takes_sign("!");
        let operator = match self.peek() {
            Some(Kind::Sign(sign)) if !negated => (*sign).to_owned(),
            Some(Kind::Word(word)) if negated => format!("!{word}"),
            Some(Kind::Word(word)) => word.clone(),
            _ => return Err(self.unexpected("an operator")),
        };
        let comparison = match operator.as_str() {
            "exists" => return self.done(Test::Exists(true)),
            "!exists" | "not_exists" => return self.done(Test::Exists(false)),
            "in" | "!in" | "not_in" => {
                self.next += 1;
                return Ok(Test::In(operator == "in", self.list()?));
            }
            "=~" | "matches" | "!~" | "not_matches" => {
                self.next += 1;
                let written = self.value()?;
                let pattern = Pattern::new(&written)
                    .ok_or_else(|| malformed(format!("{written} is no pattern")))?;
                let matches = matches!(operator.as_str(), "=~" | "matches");
                return Ok(Test::Matches(matches, pattern));
            }
            "==" | "equals" => Comparison::Equal,
            "!=" | "not_equals" => Comparison::NotEqual,
            ">" | "greater_than" => Comparison::Greater,
            ">=" | "greater_than_equal" => Comparison::GreaterEqual,
            "<" | "less_than" => Comparison::Less,
            "<=" | "less_than_equal" => Comparison::LessEqual,
            _ => return Err(self.unexpected("an operator")),
        };
        self.next += 1;
        Ok(Test::Compares(comparison, self.value()?))
    }

    fn done(&mut self, test: Test) -> Result<Test, Malformed> {
        self.next += 1;
        Ok(test)
    }

    fn list(&mut self) -> Result<Vec<String>, Malformed> {
        self.expect_sign("[")?;
        let mut list = vec![self.value()?];
        while self.takes_sign(",") {
            list.push(self.value()?);
        }
        self.expect_sign("]")?;
        match list.len() {
            0..=LIST_LEN_MAX => Ok(list),
            _ => Err(malformed(format!("a list of more than {LIST_LEN_MAX}"))),
        }
    }

    fn value(&mut self) -> Result<String, Malformed> {
        let Some(Kind::Word(text) | Kind::Quoted(text)) = self.peek() else {
            return Err(self.unexpected("a value"));
        };
        let text = text.clone();
        self.next += 1;
        Ok(text)
    }

    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn takes_sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Kind::Sign(found)) if *found == sign);
        self.next += usize::from(is);
        is
    }

    fn takes_word_or_sign(&mut self, word: &str, sign: &str) -> bool {
        let is = match self.peek() {
            Some(Kind::Word(found)) => found.eq_ignore_ascii_case(word),
            _ => false,
        };
        self.next += usize::from(is);
        is || self.takes_sign(sign)
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), Malformed> {
        match self.takes_sign(sign) {
            true => Ok(()),
            false => Err(self.unexpected(sign)),
        }
    }

    fn unexpected(&self, wanted: &str) -> Malformed {
        match self.tokens.get(self.next) {
            Some(token) => malformed(format!("expected {wanted} at character {}", token.at)),
            None => malformed(format!("expected {wanted} at the end")),
        }
    }
}

fn malformed(what: String) -> Malformed {
    Malformed { what }
}

/// Whether this may be asked of this subject, and whether the value is one of its kind.
fn check(subject: &Subject, test: &Test) -> Result<(), Malformed> {
    let ordered = matches!(test, Test::Compares(_, _));
    let fits = match subject {
        Subject::Attribute(_) => true,
        Subject::AgentVersion | Subject::RegisteredAt | Subject::RunningTasksCount => ordered,
        Subject::AgentConnected | Subject::Ec2InstanceId | Subject::TaskGroup => match test {
            Test::Compares(comparison, _) => !comparison.is_order(),
            Test::Matches(_, _) | Test::In(_, _) => true,
            Test::Exists(_) => false,
        },
    };
    if !fits {
        return Err(malformed(format!("{subject} takes no such operator")));
    }
    let Test::Compares(_, value) = test else {
        return Ok(());
    };
    let readable = match subject {
        Subject::AgentVersion => value::version(value).is_some(),
        Subject::RegisteredAt => value::moment(value).is_some(),
        Subject::RunningTasksCount => value.parse::<u32>().is_ok(),
        _ => true,
    };
    match readable {
        true => Ok(()),
        false => Err(malformed(format!("{value} is no value of {subject}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_and_signs_are_the_same_operators() {
        for (one, other) in [
            ("attribute:a == b", "attribute:a equals 'b'"),
            ("attribute:a==b", "attribute:a == \"b\""),
            ("attribute:a != b", "attribute:a not_equals b"),
            ("attribute:a =~ t2.*", "attribute:a matches 't2.*'"),
            ("attribute:a !~ t2.*", "attribute:a not_matches 't2.*'"),
            ("attribute:a !exists", "attribute:a not_exists"),
            ("attribute:a !in [b, c]", "attribute:a not_in ['b','c']"),
            (
                "runningTasksCount >= 1",
                "runningTasksCount greater_than_equal 1",
            ),
            ("runningTasksCount < 1", "runningTasksCount less_than 1"),
            ("!(task:group == a)", "not (task:group == a)"),
            (
                "task:group == a && task:group == b || task:group == c",
                "(task:group == a AND task:group == b) or task:group == c",
            ),
        ] {
            assert_eq!(parse(one).unwrap(), parse(other).unwrap(), "{one}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_apart() {
        for (text, expected) in [
            ("", "expected a subject at the end"),
            ("attribute:a", "expected an operator at the end"),
            ("attribute: == b", "expected a subject at character 0"),
            ("attribute:a ==", "expected a value at the end"),
            (
                "attribute:a == b c",
                "expected and, or, or the end at character 17",
            ),
            ("attribute:a == 'b", "unreadable at character 15"),
            ("(attribute:a == b", "expected ) at the end"),
            (
                "attribute:a == b)",
                "expected and, or, or the end at character 16",
            ),
            ("attribute:a in b", "expected [ at character 15"),
            ("attribute:a in []", "expected a value at character 16"),
            ("attribute:a in [b", "expected ] at the end"),
            ("attribute:a =~ '('", "( is no pattern"),
            ("attribute:a =~ 'a)(b'", "a)(b is no pattern"),
            ("colour == red", "expected a subject at character 0"),
            (
                "agentConnected exists",
                "agentConnected takes no such operator",
            ),
            (
                "agentConnected > true",
                "agentConnected takes no such operator",
            ),
            (
                "ec2InstanceId < i-1",
                "ec2InstanceId takes no such operator",
            ),
            ("agentVersion =~ 1", "agentVersion takes no such operator"),
            ("agentVersion > new", "new is no value of agentVersion"),
            (
                "registeredAt > yesterday",
                "yesterday is no value of registeredAt",
            ),
            (
                "runningTasksCount == many",
                "many is no value of runningTasksCount",
            ),
            (
                "runningTasksCount in [1]",
                "runningTasksCount takes no such operator",
            ),
            ("not", "expected a subject at the end"),
            ("attribute:a == b and", "expected a subject at the end"),
        ] {
            let got = parse(text).map_err(|error| error.to_string());
            assert_eq!(got, Err(expected.to_owned()), "{text}");
        }
        let deep = format!("{}attribute:a exists{}", "(".repeat(65), ")".repeat(65));
        assert!(parse(&deep).is_err());
        assert!(parse(&deep[2..deep.len() - 2]).is_ok());
        assert!(parse(&"!".repeat(1999)).is_err());
        let long = format!("attribute:a == {}", "b".repeat(2000));
        assert!(parse(&long).is_err());
    }

    fn values() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9 .,()!=|&-]{0,6}", "[a-z'()]{0,4}", "[a-z\"é]{0,4}"]
    }

    fn predicates() -> impl Strategy<Value = Expression> {
        let is = |subject, test| Expression::Is(Predicate { subject, test });
        let sign = prop::sample::select(vec![
            Comparison::Equal,
            Comparison::NotEqual,
            Comparison::Greater,
            Comparison::GreaterEqual,
            Comparison::Less,
            Comparison::LessEqual,
        ]);
        let name = || "[a-z.-]{1,5}".prop_map(Subject::Attribute);
        let pattern = "[a-z.*|]{0,5}".prop_filter_map("no pattern", |text| Pattern::new(&text));
        prop_oneof![
            (name(), any::<bool>()).prop_map(move |(s, is_there)| is(s, Test::Exists(is_there))),
            (name(), sign.clone(), values()).prop_map(move |(s, c, v)| is(s, Test::Compares(c, v))),
            (name(), any::<bool>(), pattern).prop_map(move |(s, b, p)| is(s, Test::Matches(b, p))),
            (any::<bool>(), prop::collection::vec(values(), 1..4))
                .prop_map(move |(b, list)| is(Subject::TaskGroup, Test::In(b, list))),
            (sign, 0u32..99).prop_map(move |(c, n)| is(
                Subject::RunningTasksCount,
                Test::Compares(c, n.to_string())
            )),
        ]
    }

    fn expressions() -> impl Strategy<Value = Expression> {
        predicates().prop_recursive(5, 24, 3, |inner| {
            let several = prop::collection::vec(inner.clone(), 2..4);
            prop_oneof![
                several.clone().prop_map(Expression::Any),
                several.prop_map(Expression::All),
                inner.prop_map(|one| Expression::Not(Box::new(one))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_again(expression in expressions()) {
            let text = expression.to_string();
            prop_assume!(text.chars().count() <= EXPRESSION_LEN_MAX);
            prop_assert_eq!(parse(&text), Ok(expression), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            if let Ok(expression) = parse(&text) {
                prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
            }
        }

        #[test]
        fn any_row_of_words_is_read_or_refused(
            words in prop::collection::vec(prop::sample::select(vec![
                "attribute:a", "task:group", "runningTasksCount", "==", "!=", "!", "(", ")", "[",
                "]", ",", "in", "exists", "and", "or", "not", "'x'", "7", "=~", "||", "&&", "'"
            ]), 0..20)
        ) {
            let text = words.join(" ");
            if let Ok(expression) = parse(&text) {
                prop_assert_eq!(parse(&expression.to_string()), Ok(expression));
            }
        }
    }
}
