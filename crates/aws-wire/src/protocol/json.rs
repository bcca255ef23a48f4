//! awsJson 1.0 and 1.1: objects in, objects out; moments are epoch seconds, bytes are base64.

use aws_api::description::{Member, StructDescription};
use aws_api::{ReadError, ShapeReader, ShapeWriter};
use aws_types::{AwsError, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Objects and lists within each other beyond this depth are refused.
const DEPTH_MAX: usize = 64;

/// Writes JSON.
#[derive(Debug, Default)]
pub struct JsonWriter {
    out: Vec<u8>,
    /// Whether the innermost object or list has something already.
    filled: Vec<bool>,
}

impl JsonWriter {
    /// The text.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn open(&mut self, sign: u8) {
        self.out.push(sign);
        self.filled.push(false);
    }

    fn close(&mut self, sign: u8) {
        self.filled.pop();
        self.out.push(sign);
    }

    fn next(&mut self) {
        if let Some(filled) = self.filled.last_mut() {
            if *filled {
                self.out.push(b',');
            }
            *filled = true;
        }
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        use std::io::Write;
        write!(self.out, "{value}").expect("a Vec takes every byte");
    }
}

impl ShapeWriter for JsonWriter {
    fn begin_struct(&mut self, _: &'static StructDescription) {
        self.open(b'{');
    }
    fn member(&mut self, member: &'static Member) {
        self.key(member.name);
    }
    fn end_struct(&mut self) {
        self.close(b'}');
    }
    fn begin_list(&mut self, _: usize) {
        self.open(b'[');
    }
    fn element(&mut self) {
        self.next();
    }
    fn end_list(&mut self) {
        self.close(b']');
    }
    fn begin_map(&mut self, _: usize) {
        self.open(b'{');
    }
    fn key(&mut self, key: &str) {
        self.next();
        self.string(key);
        self.out.push(b':');
    }
    fn end_map(&mut self) {
        self.close(b'}');
    }
    fn string(&mut self, value: &str) {
        self.out.push(b'"');
        let bytes = value.as_bytes();
        let mut from = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..=0x1f => &[],
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[from..at]);
            if escape.is_empty() {
                self.display(format_args!("\\u{byte:04x}"));
            } else {
                self.out.extend_from_slice(escape);
            }
            from = at + 1;
        }
        self.out.extend_from_slice(&bytes[from..]);
        self.out.push(b'"');
    }
    fn boolean(&mut self, value: bool) {
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
    }
    fn long(&mut self, value: i64) {
        self.display(value);
    }
    fn double(&mut self, value: f64) {
        // JSON has no other numbers; `{:?}` keeps `.0`, as AWS does.
        if value.is_finite() {
            self.display(format_args!("{value:?}"));
        } else {
            self.out.extend_from_slice(b"null");
        }
    }
    fn float(&mut self, value: f32) {
        if value.is_finite() {
            self.display(format_args!("{value:?}"));
        } else {
            self.out.extend_from_slice(b"null");
        }
    }
    fn timestamp(&mut self, value: Timestamp) {
        let (seconds, millis) = (
            value.millis().div_euclid(1000),
            value.millis().rem_euclid(1000),
        );
        self.display(format_args!("{seconds}.{millis:03}"));
    }
    fn blob(&mut self, value: &[u8]) {
        self.string(&STANDARD.encode(value));
    }
}

/// The body of an error.
#[must_use]
pub fn error(error: &AwsError) -> Vec<u8> {
    let mut writer = JsonWriter::default();
    writer.open(b'{');
    writer.key("__type");
    writer.string(error.code().name);
    writer.key("message");
    writer.string(error.message());
    for (name, values) in error.list_members() {
        writer.key(name);
        writer.begin_list(values.len());
        for value in values {
            writer.element();
            writer.string(value);
        }
        writer.end_list();
    }
    writer.close(b'}');
    writer.into_bytes()
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::{Shape, ecs};
    use proptest::prelude::*;

    fn read<T: Shape>(text: &str) -> Result<T, ReadError> {
        let mut reader = JsonReader::new(text.as_bytes());
        let value = T::read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    fn written<T: Shape>(value: &T) -> String {
        let mut writer = JsonWriter::default();
        value.write(&mut writer);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn a_request_reads_and_writes_back() {
        let text = r#"{"cluster":"c","count":3,"tags":[{"key":"k","value":"v \"ü\" \n"}],"enableExecuteCommand":false,"overrides":{"containerOverrides":[{"name":"a","command":["x"]}]}}"#;
        let request: ecs::RunTaskRequest = read(text).unwrap();
        assert_eq!(request.count, Some(3));
        assert_eq!(read::<ecs::RunTaskRequest>(&written(&request)), Ok(request));
    }

    #[test]
    fn moments_are_seconds_with_milliseconds() {
        let task = ecs::Task {
            created_at: Some(Timestamp::from_millis(1_707_741_897_056)),
            ..Default::default()
        };
        assert_eq!(written(&task), r#"{"createdAt":1707741897.056}"#);
    }

    #[test]
    fn wrong_types_are_named_and_unknown_or_null_members_skipped() {
        for (text, expected) in [
            (
                r#"{"count":"3"}"#,
                "STRING_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"count":3.5}"#,
                "DECIMAL_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"count":99999999999}"#,
                "NUMBER_VALUE can not be converted to an Integer",
            ),
            (
                r#"{"cluster":3}"#,
                "NUMBER_VALUE can not be converted to a String",
            ),
            (
                r#"{"tags":{}}"#,
                "START_OBJECT can not be converted to a list",
            ),
            (
                r#"{"enableExecuteCommand":"true"}"#,
                "STRING_VALUE can not be converted to Boolean",
            ),
            (
                r#"[]"#,
                "START_ARRAY can not be converted to RunTaskRequest",
            ),
        ] {
            assert_eq!(
                read::<ecs::RunTaskRequest>(text).unwrap_err().0,
                expected,
                "{text}"
            );
        }
        for text in [
            "",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{} x",
            "{\"cluster\":\"\\q\"}",
            "{,}",
            "{\"a\":1,}",
        ] {
            assert!(read::<ecs::RunTaskRequest>(text).is_err(), "{text}");
        }
        let request = read::<ecs::RunTaskRequest>(r#" { "new" : [ { "a" : [ 1e3 , null ] } , "\u00e9\ud83d\ude00" ] , "count" : null , "cluster" : "\u00e9\ud83d\ude00" } "#).unwrap();
        assert_eq!(
            (request.count, request.cluster.as_deref()),
            (None, Some("é😀"))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ecs::RegisterTaskDefinitionRequest::read(&mut JsonReader::new(&bytes));
        }

        #[test]
        fn no_json_like_text_makes_it_panic(text in r#"[\[\]{}:,"\\a-ftnu0-9.eE+ -]{0,80}"#) {
            let _ = ecs::RegisterTaskDefinitionRequest::read(&mut JsonReader::new(text.as_bytes()));
        }

        #[test]
        fn any_text_survives(text in any::<String>()) {
            let request = ecs::RunTaskRequest { cluster: Some(text), ..Default::default() };
            prop_assert_eq!(read::<ecs::RunTaskRequest>(&written(&request)), Ok(request));
        }

        #[test]
        fn deep_nesting_is_refused_and_does_not_overflow(depth in 65usize..5000) {
            let text = format!("{{\"x\":{}", "[".repeat(depth));
            prop_assert!(read::<ecs::RunTaskRequest>(&text).is_err());
        }
    }
}
