//! An expression's text as tokens.

use super::{MathError, Operator};

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Operator(Operator),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

/// The tokens of an expression.
///
/// # Errors
/// A character that has no meaning, or a text without end.
pub fn tokens(text: &str) -> Result<Vec<Token>, MathError> {
    let mut rest = text;
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            return Ok(found);
        };
        let (token, len) = match first {
            '0'..='9' | '.' => number(rest)?,
            '"' | '\'' => quoted(rest, first)?,
            'a'..='z' | 'A'..='Z' | '_' => name(rest),
            _ => sign(rest, first)?,
        };
        found.push(token);
        rest = &rest[len..];
    }
}

fn number(rest: &str) -> Result<(Token, usize), MathError> {
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let mut len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    // 1e3, 2.5E-2
    if let Some(after) = rest[len..].strip_prefix(['e', 'E']) {
        let signed = after.strip_prefix(['+', '-']).unwrap_or(after);
        let digits = signed.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            len += 1 + (after.len() - signed.len()) + digits;
        }
    }
    let number = rest[..len].parse::<f64>().ok().filter(|n| n.is_finite());
    let number = number.ok_or_else(|| MathError::new(format!("{} is no number", &rest[..len])))?;
    Ok((Token::Number(number), len))
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), MathError> {
    let end = rest[1..].find(quote);
    let end = end.ok_or_else(|| MathError::new("a text has no end"))?;
    Ok((Token::Text(rest[1..=end].to_owned()), end + 2))
}

fn name(rest: &str) -> (Token, usize) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let token = match &rest[..len] {
        "AND" => Token::Operator(Operator::And),
        "OR" => Token::Operator(Operator::Or),
        name => Token::Name(name.to_owned()),
    };
    (token, len)
}

fn sign(rest: &str, first: char) -> Result<(Token, usize), MathError> {
    let pairs = [
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::AtMost),
        (">=", Operator::AtLeast),
        ("&&", Operator::And),
        ("||", Operator::Or),
    ];
    if let Some((_, operator)) = pairs.iter().find(|(pair, _)| rest.starts_with(pair)) {
        return Ok((Token::Operator(*operator), 2));
    }
    let token = match first {
        '+' => Token::Operator(Operator::Add),
        '-' => Token::Operator(Operator::Subtract),
        '*' => Token::Operator(Operator::Multiply),
        '/' => Token::Operator(Operator::Divide),
        '^' => Token::Operator(Operator::Power),
        '<' => Token::Operator(Operator::Less),
        '>' => Token::Operator(Operator::Greater),
        '(' => Token::Open,
        ')' => Token::Close,
        '[' => Token::OpenList,
        ']' => Token::CloseList,
        ',' => Token::Comma,
        other => return Err(MathError::new(format!("{other} has no meaning here"))),
    };
    Ok((token, first.len_utf8()))
}
