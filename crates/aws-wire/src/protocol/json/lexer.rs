//! The words of JSON: strings, numbers and signs. Rule: RFC 8259.

use aws_api::ReadError;
use std::borrow::Cow;

/// A text, and how far it is read.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Goes past the next byte, which was looked at before.
    pub(super) fn pass(&mut self) {
        self.at += 1;
    }

    pub(super) fn peek(&mut self) -> Option<u8> {
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
        {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    pub(super) fn expect(&mut self, sign: u8) -> Result<(), ReadError> {
        if self.peek() == Some(sign) {
            self.at += 1;
            Ok(())
        } else {
            Err(malformed())
        }
    }

    pub(super) fn literal(&mut self, literal: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(literal);
        if found {
            self.at += literal.len();
        }
        found
    }

    /// A number, whose first byte was looked at before.
    pub(super) fn number(&mut self) -> Result<&'a str, ReadError> {
        let rest = self.rest();
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let number = &rest[..length];
        if !is_number(number) {
            return Err(malformed());
        }
        self.at += length;
        std::str::from_utf8(number).map_err(|_| malformed())
    }

    /// A string; borrowed where nothing in it is escaped.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, ReadError> {
        self.expect(b'"')?;
        let plain = self.plain()?;
        if self.text[self.at] == b'"' {
            self.at += 1;
            return std::str::from_utf8(plain)
                .map(Cow::Borrowed)
                .map_err(|_| malformed());
        }
        let mut out = plain.to_vec();
        loop {
            self.at += 1;
            match self.text[self.at - 1] {
                b'"' => {
                    return String::from_utf8(out)
                        .map(Cow::Owned)
                        .map_err(|_| malformed());
                }
                b'\\' => self.escape(&mut out)?,
                _ => return Err(malformed()),
            }
            out.extend_from_slice(self.plain()?);
        }
    }

    /// What comes before the next quote, backslash or control character, where the reader then is.
    fn plain(&mut self) -> Result<&'a [u8], ReadError> {
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\') || *byte < 0x20)
            .ok_or_else(malformed)?;
        self.at += length;
        Ok(&rest[..length])
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        let letter = *self.text.get(self.at).ok_or_else(malformed)?;
        self.at += 1;
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.code_point()?,
            _ => return Err(malformed()),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// Behind `\\u`. Half of a surrogate pair is no character: what stands for one is taken.
    fn code_point(&mut self) -> Result<char, ReadError> {
        let first = self.hex4()?;
        let after_first = self.at;
        if (0xd800..0xdc00).contains(&first) && self.literal(b"\\u") {
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).ok_or_else(malformed);
            }
            self.at = after_first;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, ReadError> {
        let digits = self.text.get(self.at..self.at + 4).ok_or_else(malformed)?;
        self.at += 4;
        digits
            .iter()
            .try_fold(0, |sum, digit| {
                Some(sum * 16 + char::from(*digit).to_digit(16)?)
            })
            .ok_or_else(malformed)
    }
}

/// Whether this is a number as JSON writes it. Rule: RFC 8259, section 6.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent
            .strip_prefix(b"+")
            .or_else(|| exponent.strip_prefix(b"-"))
            .unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}

pub(super) fn malformed() -> ReadError {
    ReadError::new("Could not parse the request body as JSON")
}
