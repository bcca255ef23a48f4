//! Tokens to an expression.
//!
//! Binding, from the loosest: OR, AND, comparisons, `+ -`, `* /`, `^`, the sign.

use super::function::Function;
use super::lexer::{Token, tokens};
use super::{Expression, MathError, Operator};

/// Expressions inside one another.
const DEPTH_MAX: usize = 50;

/// Reads an expression.
///
/// # Errors
/// It is none, or names a function that is not served.
pub fn parse(text: &str) -> Result<Expression, MathError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let found = parser.level(0)?;
    match parser.peek() {
        None => Ok(found),
        Some(_) => Err(MathError::new("the expression goes on after its end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

const LEVELS: [&[Operator]; 6] = [
    &[Operator::Or],
    &[Operator::And],
    &[
        Operator::Equal,
        Operator::Unequal,
        Operator::Less,
        Operator::AtMost,
        Operator::Greater,
        Operator::AtLeast,
    ],
    &[Operator::Add, Operator::Subtract],
    &[Operator::Multiply, Operator::Divide],
    &[Operator::Power],
];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, MathError> {
        let token = self.peek().cloned();
        self.at += 1;
        token.ok_or_else(|| MathError::new("the expression ends too early"))
    }

    fn expect(&mut self, wanted: &Token, name: &str) -> Result<(), MathError> {
        match self.next()? == *wanted {
            true => Ok(()),
            false => Err(MathError::new(format!("{name} is expected"))),
        }
    }

    fn level(&mut self, level: usize) -> Result<Expression, MathError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.signed();
        };
        let mut found = self.level(level + 1)?;
        while let Some(Token::Operator(operator)) = self.peek() {
            let operator = *operator;
            if !operators.contains(&operator) {
                break;
            }
            self.at += 1;
            // A power binds to the right.
            let next = match operator {
                Operator::Power => self.deeper(|parser| parser.level(level))?,
                _ => self.level(level + 1)?,
            };
            found = Expression::Both(operator, Box::new(found), Box::new(next));
        }
        Ok(found)
    }

    fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, MathError>,
    ) -> Result<T, MathError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(MathError::new("the expression is nested too deep"));
        }
        let found = inner(self)?;
        self.depth -= 1;
        Ok(found)
    }

    fn signed(&mut self) -> Result<Expression, MathError> {
        match self.next()? {
            Token::Operator(Operator::Subtract) => {
                let inner = self.deeper(Self::signed)?;
                Ok(Expression::Negative(Box::new(inner)))
            }
            Token::Operator(Operator::Add) => self.deeper(Self::signed),
            Token::Number(number) => Ok(Expression::Number(number)),
            Token::Text(text) => Ok(Expression::Text(text)),
            Token::Open => {
                let inner = self.deeper(|parser| parser.level(0))?;
                self.expect(&Token::Close, ")")?;
                Ok(inner)
            }
            Token::OpenList => {
                let all = self.deeper(|parser| parser.list(&Token::CloseList))?;
                Ok(Expression::List(all))
            }
            Token::Name(name) if self.peek() == Some(&Token::Open) => {
                self.at += 1;
                let arguments = self.deeper(|parser| parser.list(&Token::Close))?;
                call(&name, arguments)
            }
            Token::Name(name) => Ok(Expression::Reference(name)),
            _ => Err(MathError::new("a value is expected")),
        }
    }

    fn list(&mut self, end: &Token) -> Result<Vec<Expression>, MathError> {
        let mut all = Vec::new();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(all);
        }
        loop {
            all.push(self.level(0)?);
            match self.next()? {
                Token::Comma => {}
                token if token == *end => return Ok(all),
                _ => return Err(MathError::new("a list is not closed")),
            }
        }
    }
}

fn call(name: &str, arguments: Vec<Expression>) -> Result<Expression, MathError> {
    if name == "METRICS" {
        return match arguments.as_slice() {
            [] => Ok(Expression::Metrics(String::new())),
            [Expression::Text(start)] => Ok(Expression::Metrics(start.clone())),
            _ => Err(MathError::new("METRICS takes one text, or nothing")),
        };
    }
    let function = Function::of(name)
        .ok_or_else(|| MathError::new(format!("the function {name} is not supported")))?;
    let (least, most) = function.arguments();
    match (least..=most).contains(&arguments.len()) {
        true => Ok(Expression::Call(function, arguments)),
        false => Err(MathError::new(format!(
            "the function {name} takes another number of arguments"
        ))),
    }
}
