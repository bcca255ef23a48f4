//! Reads JSON straight into shapes, without a tree in between.
//!
//! Any bytes are taken without a panic; nesting is bounded; a value of the wrong type is named as
//! AWS's services name it.

use super::lexer::{Lexer, malformed};
use aws_api::description::StructDescription;
use aws_api::{ReadError, ShapeReader};
use aws_types::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::borrow::Cow;

/// Objects and lists within each other beyond this depth are refused.
const DEPTH_MAX: usize = 64;
/// Values within one document beyond this many are refused: a byte of text becomes a whole value.
const DOCUMENT_VALUES_MAX: usize = 10_000;

/// Reads JSON without building a tree.
#[derive(Debug)]
pub struct JsonReader<'a> {
    lexer: Lexer<'a>,
    /// Per open object or list: whether its first entry was read, and, for structures, the member
    /// to look at first.
    open: Vec<(bool, usize)>,
}

impl<'a> JsonReader<'a> {
    /// A reader at the start of a text.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            lexer: Lexer::new(text),
            open: Vec::new(),
        }
    }

    /// Nothing may follow the value.
    ///
    /// # Errors
    /// Something follows.
    pub fn finish(&mut self) -> Result<(), ReadError> {
        if self.lexer.peek().is_none() {
            Ok(())
        } else {
            Err(malformed())
        }
    }

    /// Enters what begins with `sign`, or says what stands there instead.
    fn enter(&mut self, sign: u8, wanted: &str) -> Result<(), ReadError> {
        match self.lexer.peek() {
            Some(found) if found == sign => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(ReadError::new("the body is nested too deeply"));
                }
                self.lexer.pass();
                self.open.push((false, 0));
                Ok(())
            }
            other => Err(self.wrong(other, wanted)),
        }
    }

    /// Whether another entry follows before `end`, which closes the innermost object or list.
    fn more(&mut self, end: u8) -> Result<bool, ReadError> {
        if self.lexer.peek() == Some(end) {
            self.lexer.pass();
            self.open.pop();
            return Ok(false);
        }
        let started = self.open.last().is_some_and(|(started, _)| *started);
        if started {
            self.lexer.expect(b',')?;
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
                let rest = self.lexer.rest().iter().take_while(|byte| is_number(byte));
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

    fn number(&mut self, wanted: &str) -> Result<&'a str, ReadError> {
        match self.lexer.peek() {
            Some(b'0'..=b'9' | b'-') => self.lexer.number(),
            found => Err(self.wrong(found, wanted)),
        }
    }

    fn finite(&mut self, wanted: &str) -> Result<f64, ReadError> {
        let number: f64 = self.number(wanted)?.parse().map_err(|_| malformed())?;
        if number.is_finite() {
            Ok(number)
        } else {
            Err(ReadError::new(format!(
                "NUMBER_VALUE can not be converted to {wanted}"
            )))
        }
    }

    fn whole(&mut self, wanted: &str) -> Result<i64, ReadError> {
        let text = self.number(wanted)?;
        text.parse().or_else(|_| {
            let number: f64 = text.parse().map_err(|_| malformed())?;
            if number.abs() >= 9.0e15 {
                return Err(ReadError::new(format!(
                    "NUMBER_VALUE can not be converted to {wanted}"
                )));
            }
            // 5.0 is a whole number to the services too.
            if number.fract() == 0.0 {
                Ok(number as i64)
            } else {
                Err(ReadError::new(format!(
                    "DECIMAL_VALUE can not be converted to {wanted}"
                )))
            }
        })
    }

    /// Whether the value here is null; it is then behind us.
    fn null(&mut self) -> bool {
        self.lexer.peek();
        self.lexer.literal(b"null")
    }

    /// Skips any value.
    fn skip(&mut self) -> Result<(), ReadError> {
        match self.lexer.peek() {
            Some(b'"') => self.lexer.text().map(drop),
            Some(b'{') => {
                self.enter(b'{', "")?;
                while self.more(b'}')? {
                    self.lexer.peek();
                    self.lexer.text()?;
                    self.lexer.expect(b':')?;
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
            Some(b'0'..=b'9' | b'-') => self.number("").map(drop),
            _ if self.lexer.literal(b"true")
                || self.lexer.literal(b"false")
                || self.lexer.literal(b"null") =>
            {
                Ok(())
            }
            _ => Err(malformed()),
        }
    }
}

impl JsonReader<'_> {
    /// Any value; `left` more may come with it.
    fn any(&mut self, left: &mut usize) -> Result<Value, ReadError> {
        let after = left.checked_sub(1);
        *left = after.ok_or_else(|| ReadError::new("the document has too many values"))?;
        match self.lexer.peek() {
            Some(b'{') => {
                let mut members = serde_json::Map::new();
                self.enter(b'{', "")?;
                while self.more(b'}')? {
                    self.lexer.peek();
                    let name = self.lexer.text()?;
                    self.lexer.expect(b':')?;
                    members.insert(name.into_owned(), self.any(left)?);
                }
                Ok(members.into())
            }
            Some(b'[') => {
                let mut elements = Vec::new();
                self.enter(b'[', "")?;
                while self.more(b']')? {
                    elements.push(self.any(left)?);
                }
                Ok(elements.into())
            }
            Some(b'"') => self.string().map(Value::from),
            Some(b'0'..=b'9' | b'-') => {
                let text = self.lexer.number()?;
                let number = text.parse::<i64>().map(Value::from).ok();
                let fraction = || text.parse::<f64>().ok().filter(|number| number.is_finite());
                let number = number.or_else(|| fraction().map(Value::from));
                number.ok_or_else(|| ReadError::new("a number of the document is too large"))
            }
            _ if self.null() => Ok(Value::Null),
            _ if self.lexer.literal(b"true") => Ok(true.into()),
            _ if self.lexer.literal(b"false") => Ok(false.into()),
            _ => Err(malformed()),
        }
    }
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
            self.lexer.peek();
            let name = self.lexer.text()?;
            self.lexer.expect(b':')?;
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
            self.lexer.peek();
            let key = self.lexer.text()?;
            self.lexer.expect(b':')?;
            if !self.null() {
                return Ok(Some(key.into_owned()));
            }
        }
        Ok(None)
    }

    fn string(&mut self) -> Result<String, ReadError> {
        match self.lexer.peek() {
            Some(b'"') => self.lexer.text().map(Cow::into_owned),
            other => Err(self.wrong(other, "a String")),
        }
    }

    fn boolean(&mut self) -> Result<bool, ReadError> {
        let found = self.lexer.peek();
        if self.lexer.literal(b"true") {
            Ok(true)
        } else if self.lexer.literal(b"false") {
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
        self.finite("a Double")
    }

    fn timestamp(&mut self) -> Result<Timestamp, ReadError> {
        let seconds = self.finite("a Timestamp")?;
        Ok(Timestamp::from_seconds_f64(seconds))
    }

    fn blob(&mut self) -> Result<Vec<u8>, ReadError> {
        let text = self.string()?;
        STANDARD
            .decode(text)
            .map_err(|_| ReadError::new("a blob is no base64"))
    }
    fn document(&mut self) -> Result<Value, ReadError> {
        let mut left = DOCUMENT_VALUES_MAX;
        self.any(&mut left)
    }
}
