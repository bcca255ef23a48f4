//! The tree of an expression, and how it is written.

use std::fmt;

/// What an instance must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// One of these at least.
    Any(Vec<Expression>),
    /// Each of these.
    All(Vec<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// A single question.
    Is(Predicate),
}

/// A single question about an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// What is looked at.
    pub subject: Subject,
    /// What is asked of it.
    pub test: Test,
}

/// What of an instance is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Whether its agent's session is open: `true` or `false`.
    AgentConnected,
    /// Its agent's version, compared part by part.
    AgentVersion,
    /// Its EC2 id.
    Ec2InstanceId,
    /// When it was registered.
    RegisteredAt,
    /// Its `runningTasksCount`.
    RunningTasksCount,
    /// The attribute of this name.
    Attribute(String),
    /// The groups of its tasks: true if one of them passes.
    TaskGroup,
}

/// What is asked of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is there, or it is not.
    Exists(bool),
    /// How it compares.
    Compares(Comparison, String),
    /// It matches as a whole, or (`false`) it does not.
    Matches(bool, Pattern),
    /// It is one of these, or (`false`) it is none.
    In(bool, Vec<String>),
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

impl Comparison {
    /// Its sign.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Less => "<",
            Self::LessEqual => "<=",
        }
    }

    /// Whether it asks for more than equality.
    #[must_use]
    pub fn is_order(self) -> bool {
        match self {
            Self::Equal | Self::NotEqual => false,
            Self::Greater | Self::GreaterEqual | Self::Less | Self::LessEqual => true,
        }
    }
}

/// A regular expression that a text matches as a whole.
#[derive(Clone, Debug)]
pub struct Pattern {
    written: String,
    whole: regex::Regex,
}

/// A compiled pattern takes no more than this: expressions are kept with definitions.
const COMPILED_BYTES_MAX: usize = 256 * 1024;

impl Pattern {
    /// Reads a pattern; `None` where it is none, or one that no linear matcher can follow.
    #[must_use]
    pub fn new(written: &str) -> Option<Self> {
        let compile = |text: &str| {
            let mut builder = regex::RegexBuilder::new(text);
            builder.size_limit(COMPILED_BYTES_MAX).build().ok()
        };
        // Alone first: `a)(b` must not become whole by what is put around it.
        compile(written)?;
        Some(Self {
            written: written.into(),
            whole: compile(&format!("^(?:{written})$"))?,
        })
    }

    /// Whether all of the text matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pattern {}

impl Expression {
    /// Whether it asks of attributes alone, so that instances with equal attributes answer alike.
    #[must_use]
    pub fn asks_attributes_only(&self) -> bool {
        match self {
            Self::Any(of) | Self::All(of) => of.iter().all(Self::asks_attributes_only),
            Self::Not(inner) => inner.asks_attributes_only(),
            Self::Is(predicate) => matches!(predicate.subject, Subject::Attribute(_)),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(of) => joined(f, of, " or "),
            Self::All(of) => joined(f, of, " and "),
            Self::Not(inner) => write!(f, "not({inner})"),
            Self::Is(predicate) => predicate.fmt(f),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, of: &[Expression], by: &str) -> fmt::Result {
    for (at, one) in of.iter().enumerate() {
        if at > 0 {
            f.write_str(by)?;
        }
        match one {
            Expression::Any(_) | Expression::All(_) => write!(f, "({one})")?,
            Expression::Not(_) | Expression::Is(_) => write!(f, "{one}")?,
        }
    }
    Ok(())
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject.fmt(f)?;
        match &self.test {
            Test::Exists(true) => f.write_str(" exists"),
            Test::Exists(false) => f.write_str(" !exists"),
            Test::Compares(comparison, with) => {
                write!(f, " {} {}", comparison.sign(), Quoted(with))
            }
            Test::Matches(true, pattern) => write!(f, " =~ {}", Quoted(&pattern.written)),
            Test::Matches(false, pattern) => write!(f, " !~ {}", Quoted(&pattern.written)),
            Test::In(within, list) => {
                f.write_str(if *within { " in [" } else { " !in [" })?;
                for (at, one) in list.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{}", Quoted(one))?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AgentConnected => f.write_str("agentConnected"),
            Self::AgentVersion => f.write_str("agentVersion"),
            Self::Ec2InstanceId => f.write_str("ec2InstanceId"),
            Self::RegisteredAt => f.write_str("registeredAt"),
            Self::RunningTasksCount => f.write_str("runningTasksCount"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
            Self::TaskGroup => f.write_str("task:group"),
        }
    }
}

/// A text in quotes that it does not contain: the language has no escapes, so that no text that was
/// read contains both kinds.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('\'') { '"' } else { '\'' };
        write!(f, "{quote}{}{quote}", self.0)
    }
}
