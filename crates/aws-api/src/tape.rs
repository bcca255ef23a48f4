//! A shape as a flat row of tokens: the bridge between shapes and serde, and between two shapes in
//! tests.
//!
//! Containers carry their length, so that formats which need it first (MessagePack) get it; text
//! lies in one buffer, so that a shape costs two allocations and not one per member.

use crate::description::{Member, StructDescription};
use crate::shape::{ReadError, ShapeReader, ShapeWriter};
use aws_types::Timestamp;
use serde_json::{Map, Value};
use std::ops::Range;

/// One step of a walk over a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(f64),
    Float(f32),
    /// Where its text lies.
    String(Range<usize>),
    /// Where its bytes lie.
    Blob(Range<usize>),
    /// Its elements follow.
    List(usize),
    /// Its entries follow, each a key and a value.
    Map(usize),
    /// A structure's member name.
    Name(&'static str),
}

/// The tokens of one value.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    pub(crate) tokens: Vec<Token>,
    pub(crate) bytes: Vec<u8>,
    /// Indexes of the containers still open, while writing.
    open: Vec<usize>,
}

impl Tape {
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub(crate) fn push_string(&mut self, text: &str) {
        let range = self.push_bytes(text.as_bytes());
        self.tokens.push(Token::String(range));
    }

    pub(crate) fn text(&self, range: &Range<usize>) -> &str {
        self.bytes
            .get(range.clone())
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or_default()
    }

    fn begin(&mut self, token: Token) {
        self.open.push(self.tokens.len());
        self.tokens.push(token);
    }

    fn end(&mut self) {
        self.open.pop();
    }
}

impl ShapeWriter for Tape {
    fn begin_struct(&mut self, _: &'static StructDescription) {
        self.begin(Token::Map(0));
    }
    fn member(&mut self, member: &'static Member) {
        if let Some(Token::Map(len)) = self.open.last().map(|at| &mut self.tokens[*at]) {
            *len += 1;
        }
        self.tokens.push(Token::Name(member.name));
    }
    fn end_struct(&mut self) {
        self.end();
    }
    fn begin_list(&mut self, len: usize) {
        self.begin(Token::List(len));
    }
    fn element(&mut self) {}
    fn end_list(&mut self) {
        self.end();
    }
    fn begin_map(&mut self, len: usize) {
        self.begin(Token::Map(len));
    }
    fn key(&mut self, key: &str) {
        self.push_string(key);
    }
    fn end_map(&mut self) {
        self.end();
    }
    fn string(&mut self, value: &str) {
        self.push_string(value);
    }
    fn boolean(&mut self, value: bool) {
        self.tokens.push(Token::Boolean(value));
    }
    fn long(&mut self, value: i64) {
        self.tokens.push(Token::Integer(value));
    }
    fn double(&mut self, value: f64) {
        self.tokens.push(Token::Double(value));
    }
    fn float(&mut self, value: f32) {
        self.tokens.push(Token::Float(value));
    }
    fn timestamp(&mut self, value: Timestamp) {
        self.tokens.push(Token::Integer(value.millis()));
    }
    fn blob(&mut self, value: &[u8]) {
        let range = self.push_bytes(value);
        self.tokens.push(Token::Blob(range));
    }
    fn null(&mut self) {
        self.tokens.push(Token::Null);
    }
}

/// Reads a shape from a tape.
pub(crate) struct TapeReader<'a> {
    tape: &'a Tape,
    at: usize,
    /// How many entries each open container still has.
    left: Vec<usize>,
    /// Where to look for the next member first.
    hint: usize,
}

impl<'a> TapeReader<'a> {
    pub(crate) fn new(tape: &'a Tape) -> Self {
        Self {
            tape,
            at: 0,
            left: Vec::new(),
            hint: 0,
        }
    }

    fn next(&mut self) -> Result<&'a Token, ReadError> {
        let token = self
            .tape
            .tokens
            .get(self.at)
            .ok_or_else(|| unlike("a value"))?;
        self.at += 1;
        Ok(token)
    }

    /// Counts down the innermost container; `false` leaves it.
    fn step(&mut self) -> bool {
        match self.left.last_mut() {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => {
                self.left.pop();
                false
            }
        }
    }

    fn skip(&mut self) -> Result<(), ReadError> {
        let mut values = 1usize;
        while values > 0 {
            values -= 1;
            match self.next()? {
                Token::List(len) => values += len,
                Token::Map(len) => values += len * 2,
                _ => {}
            }
        }
        Ok(())
    }

    fn skip_null(&mut self) -> bool {
        let null = self.tape.tokens.get(self.at) == Some(&Token::Null);
        self.at += usize::from(null);
        null
    }

    fn text(&mut self) -> Result<&'a str, ReadError> {
        match self.next()? {
            Token::String(range) => Ok(self.tape.text(range)),
            Token::Name(name) => Ok(name),
            _ => Err(unlike("text")),
        }
    }
}

fn unlike(expected: &str) -> ReadError {
    ReadError::new(format!("the stored value is not {expected}"))
}

impl ShapeReader for TapeReader<'_> {
    fn begin_struct(&mut self, _: &'static StructDescription) -> Result<(), ReadError> {
        self.hint = 0;
        self.begin_map()
    }
    fn next_member(
        &mut self,
        description: &'static StructDescription,
    ) -> Result<Option<usize>, ReadError> {
        while self.step() {
            let name = self.text()?;
            if self.skip_null() {
                continue;
            }
            if let Some(index) = description.find(name.as_bytes(), self.hint) {
                self.hint = index + 1;
                return Ok(Some(index));
            }
            self.skip()?;
        }
        Ok(None)
    }
    fn begin_list(&mut self) -> Result<(), ReadError> {
        match self.next()? {
            Token::List(len) => self.left.push(*len),
            _ => return Err(unlike("a list")),
        }
        Ok(())
    }
    fn next_element(&mut self) -> Result<bool, ReadError> {
        while self.step() {
            if !self.skip_null() {
                return Ok(true);
            }
        }
        Ok(false)
    }
    fn begin_map(&mut self) -> Result<(), ReadError> {
        match self.next()? {
            Token::Map(len) => self.left.push(*len),
            _ => return Err(unlike("a map")),
        }
        Ok(())
    }
    fn next_key(&mut self) -> Result<Option<String>, ReadError> {
        while self.step() {
            let key = self.text()?.to_owned();
            if !self.skip_null() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }
    fn string(&mut self) -> Result<String, ReadError> {
        self.text().map(str::to_owned)
    }
    fn boolean(&mut self) -> Result<bool, ReadError> {
        match self.next()? {
            Token::Boolean(value) => Ok(*value),
            _ => Err(unlike("a truth value")),
        }
    }
    fn integer(&mut self) -> Result<i32, ReadError> {
        i32::try_from(self.long()?).map_err(|_| unlike("a number of 32 bits"))
    }
    fn long(&mut self) -> Result<i64, ReadError> {
        match self.next()? {
            Token::Integer(value) => Ok(*value),
            _ => Err(unlike("a whole number")),
        }
    }
    fn double(&mut self) -> Result<f64, ReadError> {
        match self.next()? {
            Token::Integer(value) => Ok(*value as f64),
            Token::Double(value) => Ok(*value),
            Token::Float(value) => Ok(f64::from(*value)),
            _ => Err(unlike("a number")),
        }
    }
    fn timestamp(&mut self) -> Result<Timestamp, ReadError> {
        self.long().map(Timestamp::from_millis)
    }
    fn blob(&mut self) -> Result<Vec<u8>, ReadError> {
        match self.next()? {
            Token::Blob(range) => Ok(self
                .tape
                .bytes
                .get(range.clone())
                .unwrap_or_default()
                .to_vec()),
            // Formats without bytes, such as JSON, store a list of numbers.
            Token::List(len) => (0..*len)
                .map(|_| u8::try_from(self.long()?).map_err(|_| unlike("a byte")))
                .collect(),
            _ => Err(unlike("bytes")),
        }
    }
    fn document(&mut self) -> Result<Value, ReadError> {
        Ok(match self.next()? {
            Token::Null => Value::Null,
            Token::Boolean(value) => (*value).into(),
            Token::Integer(value) => (*value).into(),
            Token::Double(value) => (*value).into(),
            Token::Float(value) => (*value).into(),
            Token::String(range) => self.tape.text(range).into(),
            Token::Name(name) => (*name).into(),
            Token::Blob(_) => return Err(unlike("a document")),
            Token::List(len) => (0..*len)
                .map(|_| self.document())
                .collect::<Result<_, _>>()?,
            Token::Map(len) => (0..*len)
                .map(|_| Ok((self.text()?.to_owned(), self.document()?)))
                .collect::<Result<Map<_, _>, ReadError>>()?
                .into(),
        })
    }
}
