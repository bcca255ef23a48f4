//! The words of a JSON pattern.

use super::InvalidPattern;

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// `$`, `.`, `(` and other single signs, comparisons, `&&`, `||`.
    Sign(&'static str),
    /// A bare word: a field's name, `IS`, `NULL`, a number, an unquoted value with `*`.
    Word(String),
    /// A quoted text.
    Quoted(String),
}

/// Longer signs stand before their beginnings.
const SIGNS: &[&str] = &[
    "&&", "||", "!=", "<=", ">=", "=", "<", ">", "(", ")", "{", "}", "[", "]", "$", ".",
];

/// Cuts a pattern into words.
pub fn tokens(text: &str) -> Result<Vec<Token>, InvalidPattern> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let (quoted, tail) = quoted(&rest[1..])?;
            found.push(Token::Quoted(quoted));
            rest = tail;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            // A number keeps its dot, a field path does not.
            let numeric = first.is_ascii_digit() || first == '-';
            let end = rest
                .find(|c: char| {
                    c.is_whitespace() || "&|!=<>(){}[]$\"".contains(c) || (c == '.' && !numeric)
                })
                .unwrap_or(rest.len());
            if end == 0 {
                return Err(InvalidPattern(format!("unexpected {first:?}")));
            }
            found.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

fn quoted(text: &str) -> Result<(String, &str), InvalidPattern> {
    let mut content = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((content, &text[at + 1..])),
            '\\' => content.extend(letters.next().map(|(_, escaped)| escaped)),
            other => content.push(other),
        }
    }
    Err(InvalidPattern("a quoted text has no end".into()))
}
