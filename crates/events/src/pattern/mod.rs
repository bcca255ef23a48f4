//! Event patterns: parsed once, matched per event.
//!
//! Every field that a pattern names must match; a field matches when one of its tests holds of the
//! event's value, or of one element where the value is an array. Elements that are objects are each
//! looked at as a whole, so that fields of different elements never match together.
//! Rule: EventBridge user guide, "Event patterns" and "Comparison operators"; event-ruler's README
//! for what the guide leaves open.

mod cidr;
mod numeric;
mod parse;
mod test;
mod wildcard;

use serde_json::Value;
use test::Test;

/// A parsed event pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern(Fields);

/// Fields that must all match, and groups of which one alternative each must.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields {
    named: Vec<(String, Node)>,
    /// Each `$or`.
    either: Vec<Vec<Fields>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Fields(Fields),
    Tests(Vec<Test>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none, as `InvalidEventPatternException` tells it.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::pattern(text).map(Self)
    }

    /// Whether the event matches.
    #[must_use]
    pub fn matches(&self, event: &Value) -> bool {
        self.0.match_one(Some(event))
    }
}

impl Fields {
    /// Whether a value matches; an array does when one of its objects does.
    fn matches(&self, value: Option<&Value>) -> bool {
        let Some(Value::Array(elements)) = value else {
            return self.match_one(value);
        };
        let mut objects = elements
            .iter()
            .filter(|element| !is_leaf(element))
            .peekable();
        match objects.peek() {
            None => self.match_one(None),
            Some(_) => objects.any(|object| self.matches(Some(object))),
        }
    }

    fn match_one(&self, value: Option<&Value>) -> bool {
        let field = |name: &str| value.and_then(|value| value.get(name));
        let named = |(name, node): &(String, Node)| node.matches(field(name));
        let either = |group: &Vec<Self>| group.iter().any(|fields| fields.match_one(value));
        self.named.iter().all(named) && self.either.iter().all(either)
    }
}

impl Node {
    fn matches(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Fields(fields) => fields.matches(value),
            Self::Tests(tests) => {
                let mut leaves = Vec::new();
                collect(value, &mut leaves);
                match leaves.is_empty() {
                    true => tests.contains(&Test::Exists(false)),
                    false => leaves
                        .iter()
                        .any(|leaf| tests.iter().any(|test| test.holds(leaf))),
                }
            }
        }
    }
}

fn is_leaf(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// The texts, numbers, booleans and nulls of a value, those of nested arrays too.
fn collect<'v>(value: Option<&'v Value>, leaves: &mut Vec<&'v Value>) {
    match value {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(elements)) => {
            for element in elements {
                collect(Some(element), leaves);
            }
        }
        Some(leaf) => leaves.push(leaf),
    }
}

#[cfg(test)]
mod tests;
