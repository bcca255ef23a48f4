//! Writes JSON: moments as epoch seconds with milliseconds, bytes as base64.

use aws_api::ShapeWriter;
use aws_api::description::{Member, StructDescription};
use aws_types::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

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

    pub(super) fn open(&mut self, sign: u8) {
        self.out.push(sign);
        self.filled.push(false);
    }

    pub(super) fn close(&mut self, sign: u8) {
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
    fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }
}
