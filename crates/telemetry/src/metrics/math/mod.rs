//! Metric math: expressions over metrics and over one another.
//!
//! * [`lexer`] and [`parser`]: text to an [`Expression`]. [`function`]: which functions there are.
//! * [`value`]: numbers and series. [`evaluate`]: an expression's value, within a [`budget`].
//!
//! Rule: CloudWatch user guide, "Using math expressions with CloudWatch metrics".

mod budget;
mod evaluate;
mod function;
mod lexer;
mod parser;
mod value;

pub use budget::Budget;
pub use evaluate::{Given, evaluate};
pub use parser::parse;
pub use value::{Series, Value};

use function::Function;
use std::collections::BTreeSet;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A constant.
    Number(f64),
    /// Text, which some functions take.
    Text(String),
    /// The result of another query.
    Reference(String),
    /// `-x`.
    Negative(Box<Expression>),
    /// `x + y` and its like.
    Both(Operator, Box<Expression>, Box<Expression>),
    /// `[x, y]`.
    List(Vec<Expression>),
    /// `METRICS()`: every metric of the request whose id starts with this text.
    Metrics(String),
    /// A function of arguments.
    Call(Function, Vec<Expression>),
}

/// What joins two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`
    Power,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `AND`, `&&`
    And,
    /// `OR`, `||`
    Or,
}

impl Expression {
    /// The queries that it names.
    #[must_use]
    pub fn references(&self) -> BTreeSet<&str> {
        match self {
            Self::Reference(id) => BTreeSet::from([id.as_str()]),
            Self::Number(_) | Self::Text(_) | Self::Metrics(_) => BTreeSet::new(),
            Self::Negative(inner) => inner.references(),
            Self::Both(_, one, other) => &one.references() | &other.references(),
            Self::List(all) | Self::Call(_, all) => all.iter().flat_map(Self::references).collect(),
        }
    }

    /// Whether it asks for all metrics of the request.
    #[must_use]
    pub fn has_metrics(&self) -> bool {
        match self {
            Self::Metrics(_) => true,
            Self::Number(_) | Self::Text(_) | Self::Reference(_) => false,
            Self::Negative(inner) => inner.has_metrics(),
            Self::Both(_, one, other) => one.has_metrics() || other.has_metrics(),
            Self::List(all) | Self::Call(_, all) => all.iter().any(Self::has_metrics),
        }
    }
}

/// Why an expression is none, or has no value; the text is for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MathError(pub String);

impl MathError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

#[cfg(test)]
mod tests;
