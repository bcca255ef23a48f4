//! Reads JSON straight into shapes, without a tree in between.
//!
//! Any bytes are taken without a panic; nesting is bounded; a value of the wrong type is named as
//! AWS's services name it.

use aws_api::description::StructDescription;
use aws_api::{ReadError, ShapeReader};
use aws_types::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Objects and lists within each other beyond this depth are refused.
const DEPTH_MAX: usize = 64;

/// Reads JSON without building a tree.
#[derive(Debug)]
pub struct JsonReader<'a> {
    text: &'a [u8],
    at: usize,
    /// Per open object or list: whether its first entry was read, and, for structures, the member
    /// to look at first.
    open: Vec<(bool, usize)>,
}

impl<'a> JsonReader<'a> {
    /// A reader at the start of a text.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            open: Vec::new(),
        }
    }

    /// Nothing may follow the value.
    ///
    /// # Errors
    /// Something follows.
    pub fn finish(&mut self) -> Result<(), ReadError> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    fn peek(&mut self) -> Option<u8> {
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
        {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, sign: u8) -> Result<(), ReadError> {
        if self.peek() == Some(sign) {
            self.at += 1;
            Ok(())
        } else {
            Err(malformed())
        }
    }

    /// Enters what begins with `sign`, or says what stands there instead.
    fn enter(&mut self, sign: u8, wanted: &str) -> Result<(), ReadError> {
        match self.peek() {
            Some(found) if found == sign => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(ReadError::new("the body is nested too deeply"));
                }
                self.at += 1;
                self.open.push((false, 0));
                Ok(())
            }
            other => Err(self.wrong(other, wanted)),
        }
    }

    /// Whether another entry follows before `end`, which closes the innermost object or list.
    fn more(&mut self, end: u8) -> Result<bool, ReadError> {
        if self.peek() == Some(end) {
            self.at += 1;
            self.open.pop();
            return Ok(false);
        }
        let started = self.open.last().is_some_and(|(started, _)| *started);
        if started {
            self.expect(b',')?;
        }
        if let Some((started, _)) = self.open.last_mut() {
            *started = true;
        }
        Ok(true)
    }

    fn wrong(&self, found: Option<u8>, wanted: &str) -> ReadError {
        let found = match found {
            Some(b'"') => "STRING_VALUE",
            Some(b'{') => "START_OBJECT",
            Some(b'[') => "START_ARRAY",
            Some(b't') => "TRUE_VALUE",
            Some(b'f') => "FALSE_VALUE",
            Some(b'0'..=b'9' | b'-') => {
                let is_number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let rest = self.text[self.at..]
                    .iter()
                    .take_while(|byte| is_number(byte));
                if rest.clone().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
                    "DECIMAL_VALUE"
                } else {
                    "NUMBER_VALUE"
                }
            }
            _ => return malformed(),
        };
        ReadError::new(format!("{found} can not be converted to {wanted}"))
    }

    fn literal(&mut self, literal: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(literal);
        if found {
            self.at += literal.len();
        }
        found
    }

    fn number(&mut self, wanted: &str) -> Result<&'a str, ReadError> {
        let found = self.peek();
        if !matches!(found, Some(b'0'..=b'9' | b'-')) {
            return Err(self.wrong(found, wanted));
        }
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        self.at += length;
        std::str::from_utf8(&rest[..length]).map_err(|_| malformed())
    }

    fn whole(&mut self, wanted: &str) -> Result<i64, ReadError> {
        let text = self.number(wanted)?;
        text.parse().or_else(|_| {
            let number: f64 = text.parse().map_err(|_| malformed())?;
            // 5.0 is a whole number to the services too.
            if number.fract() == 0.0 && number.abs() < 9.0e15 {
                Ok(number as i64)
            } else {
                Err(ReadError::new(format!(
                    "DECIMAL_VALUE can not be converted to {wanted}"
                )))
            }
        })
    }

    fn text(&mut self) -> Result<String, ReadError> {
        self.expect(b'"')?;
        let mut out = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\') || *byte < 0x20)
                .ok_or_else(malformed)?;
            out.extend_from_slice(&rest[..plain]);
            self.at += plain + 1;
            match rest[plain] {
                b'"' => return String::from_utf8(out).map_err(|_| malformed()),
                b'\\' => self.escape(&mut out)?,
                _ => return Err(malformed()),
            }
        }
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
            b'u' => {
                let first = self.hex4()?;
                let code = if (0xd800..0xdc00).contains(&first) && self.literal(b"\\u") {
                    let second = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(malformed());
                    }
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return Err(malformed()),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
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

    /// Whether the value here is null; it is then behind us.
    fn null(&mut self) -> bool {
        self.peek();
        self.literal(b"null")
    }

    /// Skips any value.
    fn skip(&mut self) -> Result<(), ReadError> {
        match self.peek() {
            Some(b'"') => self.text().map(drop),
            Some(b'{') => {
                self.enter(b'{', "")?;
                while self.more(b'}')? {
                    self.peek();
                    self.text()?;
                    self.expect(b':')?;
                    self.skip()?;
                }
                Ok(())
            }
            Some(b'[') => {
                self.enter(b'[', "")?;
                while self.more(b']')? {
                    self.skip()?;
                }
                Ok(())
            }
            Some(b'0'..=b'9' | b'-') => self
                .number("")?
                .parse::<f64>()
                .map(drop)
                .map_err(|_| malformed()),
            _ if self.literal(b"true") || self.literal(b"false") || self.literal(b"null") => Ok(()),
            _ => Err(malformed()),
        }
    }
}

fn malformed() -> ReadError {
    ReadError::new("Could not parse the request body as JSON")
}

impl ShapeReader for JsonReader<'_> {
    fn begin_struct(&mut self, description: &'static StructDescription) -> Result<(), ReadError> {
        self.enter(b'{', description.name)
    }

    fn next_member(
        &mut self,
        description: &'static StructDescription,
    ) -> Result<Option<usize>, ReadError> {
        while self.more(b'}')? {
            self.peek();
            let name = self.text()?;
            self.expect(b':')?;
            let hint = self.open.last().map_or(0, |(_, hint)| *hint);
            let found = description.find(name.as_bytes(), hint);
            if self.null() {
                continue;
            }
            if let Some(index) = found {
                if let Some((_, hint)) = self.open.last_mut() {
                    *hint = index + 1;
                }
                return Ok(Some(index));
            }
            self.skip()?;
        }
        Ok(None)
    }

    fn begin_list(&mut self) -> Result<(), ReadError> {
        self.enter(b'[', "a list")
    }

    fn next_element(&mut self) -> Result<bool, ReadError> {
        while self.more(b']')? {
            if !self.null() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn begin_map(&mut self) -> Result<(), ReadError> {
        self.enter(b'{', "a map")
    }

    fn next_key(&mut self) -> Result<Option<String>, ReadError> {
        while self.more(b'}')? {
            self.peek();
            let key = self.text()?;
            self.expect(b':')?;
            if !self.null() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn string(&mut self) -> Result<String, ReadError> {
        match self.peek() {
            Some(b'"') => self.text(),
            other => Err(self.wrong(other, "a String")),
        }
    }

    fn boolean(&mut self) -> Result<bool, ReadError> {
        let found = self.peek();
        if self.literal(b"true") {
            Ok(true)
        } else if self.literal(b"false") {
            Ok(false)
        } else {
            Err(self.wrong(found, "Boolean"))
        }
    }

    fn integer(&mut self) -> Result<i32, ReadError> {
        let number = self.whole("an Integer")?;
        i32::try_from(number)
            .map_err(|_| ReadError::new("NUMBER_VALUE can not be converted to an Integer"))
    }

    fn long(&mut self) -> Result<i64, ReadError> {
        self.whole("a Long")
    }

    fn double(&mut self) -> Result<f64, ReadError> {
        self.number("a Double")?.parse().map_err(|_| malformed())
    }

    fn timestamp(&mut self) -> Result<Timestamp, ReadError> {
        let seconds: f64 = self
            .number("a Timestamp")?
            .parse()
            .map_err(|_| malformed())?;
        Ok(Timestamp::from_seconds_f64(seconds))
    }

    fn blob(&mut self) -> Result<Vec<u8>, ReadError> {
        let text = self.string()?;
        STANDARD
            .decode(text)
            .map_err(|_| ReadError::new("a blob is no base64"))
    }
}
