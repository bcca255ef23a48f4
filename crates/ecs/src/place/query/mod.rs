//! The cluster query language: expressions over container instances.
//!
//! `memberOf` constraints and ListContainerInstances' `filter` are written in it. An expression is
//! read once ([`parse`]) into a tree that can be printed back and evaluated ([`Expression::holds`])
//! over whatever knows the [`Facts`] of an instance.
//! Rule: ECS developer guide, "Create expressions to define container instances".

mod ast;
mod evaluate;
mod lexer;
mod parser;
mod value;

pub use ast::{Comparison, Expression, Pattern, Predicate, Subject, Test};
pub use evaluate::Facts;
pub use parser::{Malformed, parse};
