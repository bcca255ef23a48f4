//! The words and signs of an expression.

/// One of them, and the character at which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, an operator written as a word, or a value without quotes.
    Word(String),
    /// A value in quotes.
    Quoted(String),
    /// One of [`SIGNS`].
    Sign(&'static str),
}

/// Longest first, so that `>=` is not read as `>`.
const SIGNS: &[&str] = &[
    "==", "!=", ">=", "<=", "=~", "!~", "&&", "||", ">", "<", "!", "(", ")", "[", "]", ",",
];

/// Splits a text; `Err` is the character at which a quote is opened that is never closed, or at
/// which nothing begins.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, usize> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let (kind, len) = match first {
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or(at)?;
                (Kind::Quoted(rest[1..=end].into()), end + 2)
            }
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Kind::Sign(sign), sign.len()),
                None => match word_len(rest) {
                    0 => return Err(at),
                    len => (Kind::Word(rest[..len].into()), len),
                },
            },
        };
        tokens.push(Token { at, kind });
        rest = &rest[len..];
    }
}

/// A word ends at white space, a quote or a sign; `!`, `|`, `&` and `=` alone are part of it, as
/// patterns are written bare.
fn word_len(rest: &str) -> usize {
    let ends = |(at, c): (usize, char)| {
        let sign = || SIGNS.iter().any(|sign| rest[at..].starts_with(sign));
        c.is_whitespace()
            || matches!(c, '\'' | '"')
            || (c != '!' && sign())
            || (c == '!' && ["!=", "!~"].iter().any(|sign| rest[at..].starts_with(sign)))
    };
    let end = rest.char_indices().find(|one| ends(*one));
    end.map_or(rest.len(), |(at, _)| at)
}
