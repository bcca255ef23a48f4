//! Writes CBOR: structures as maps without a stated length, moments as tag 1.

use aws_api::ShapeWriter;
use aws_api::description::{Member, StructDescription};
use aws_types::Timestamp;

/// Writes CBOR.
#[derive(Debug, Default)]
pub struct CborWriter(Vec<u8>);

/// RFC 8949, 3.1: major types.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

impl CborWriter {
    /// The encoding.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        if let (true, Ok(small)) = (value < 24, u8::try_from(value)) {
            self.0.push(major | small);
        } else if let Ok(value) = u8::try_from(value) {
            self.0.extend_from_slice(&[major | 24, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.0.push(major | 25);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.0.push(major | 26);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else {
            self.0.push(major | 27);
            self.0.extend_from_slice(&value.to_be_bytes());
        }
    }

    fn counted(&mut self, major: u8, bytes: &[u8]) {
        self.head(major, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }
}

impl ShapeWriter for CborWriter {
    fn begin_struct(&mut self, _: &'static StructDescription) {
        self.0.push(0xbf);
    }
    fn member(&mut self, member: &'static Member) {
        self.string(member.name);
    }
    fn end_struct(&mut self) {
        self.0.push(0xff);
    }
    fn begin_list(&mut self, len: usize) {
        self.head(ARRAY, len as u64);
    }
    fn element(&mut self) {}
    fn end_list(&mut self) {}
    fn begin_map(&mut self, len: usize) {
        self.head(MAP, len as u64);
    }
    fn key(&mut self, key: &str) {
        self.string(key);
    }
    fn end_map(&mut self) {}
    fn string(&mut self, value: &str) {
        self.counted(TEXT, value.as_bytes());
    }
    fn boolean(&mut self, value: bool) {
        self.0.push(if value { 0xf5 } else { 0xf4 });
    }
    fn long(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            // -1 - value, which cannot overflow.
            Err(_) => self.head(NEGATIVE, !value as u64),
        }
    }
    fn double(&mut self, value: f64) {
        self.0.push(0xfb);
        self.0.extend_from_slice(&value.to_be_bytes());
    }
    fn float(&mut self, value: f32) {
        self.0.push(0xfa);
        self.0.extend_from_slice(&value.to_be_bytes());
    }
    fn timestamp(&mut self, value: Timestamp) {
        self.0.push(0xc1);
        self.double(value.millis() as f64 / 1000.0);
    }
    fn blob(&mut self, value: &[u8]) {
        self.counted(BYTES, value);
    }
    fn null(&mut self) {
        self.0.push(0xf6);
    }
}
