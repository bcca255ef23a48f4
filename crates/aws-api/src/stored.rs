//! A shape inside a stored record.
//!
//! The record's own format decides the bytes; names of members are kept in it, absent ones are not,
//! and a member that this version does not know is skipped. Timestamps are stored as milliseconds.
//! Formats must describe themselves (JSON, MessagePack, CBOR).

use crate::shape::Shape;
use crate::tape::{Tape, TapeReader, Token};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A shape that serde can store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored<T>(pub T);

impl<T> Deref for Stored<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Stored<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> From<T> for Stored<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Shape> Serialize for Stored<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tape = Tape::default();
        self.0.write(&mut tape);
        Cursor {
            tape: &tape,
            at: &Cell::new(0),
        }
        .serialize(serializer)
    }
}

impl<'de, T: Shape> Deserialize<'de> for Stored<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tape = Tape::default();
        Filler(&mut tape).deserialize(deserializer)?;
        T::read(&mut TapeReader::new(&tape))
            .map(Stored)
            .map_err(|e| D::Error::custom(e.0))
    }
}

/// The value at the tape's current place; serialising it moves on.
struct Cursor<'a> {
    tape: &'a Tape,
    at: &'a Cell<usize>,
}

impl Serialize for Cursor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let token = &self.tape.tokens[self.at.get()];
        self.at.set(self.at.get() + 1);
        match token {
            Token::Null => serializer.serialize_unit(),
            Token::Boolean(value) => serializer.serialize_bool(*value),
            Token::Integer(value) => serializer.serialize_i64(*value),
            Token::Double(value) => serializer.serialize_f64(*value),
            Token::Float(value) => serializer.serialize_f32(*value),
            Token::Name(name) => serializer.serialize_str(name),
            Token::String(range) => serializer.serialize_str(self.tape.text(range)),
            Token::Blob(range) => serializer.serialize_bytes(&self.tape.bytes[range.clone()]),
            Token::List(len) => {
                let mut list = serializer.serialize_seq(Some(*len))?;
                for _ in 0..*len {
                    list.serialize_element(self)?;
                }
                list.end()
            }
            Token::Map(len) => {
                let mut map = serializer.serialize_map(Some(*len))?;
                for _ in 0..*len {
                    map.serialize_key(self)?;
                    map.serialize_value(self)?;
                }
                map.end()
            }
        }
    }
}

/// Appends whatever comes to the tape.
struct Filler<'a>(&'a mut Tape);

impl<'de> DeserializeSeed<'de> for Filler<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Filler<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stored shape")
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.tokens.push(Token::Null);
        Ok(())
    }
    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.tokens.push(Token::Boolean(value));
        Ok(())
    }
    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.tokens.push(Token::Integer(value));
        Ok(())
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.visit_i64(i64::try_from(value).map_err(E::custom)?)
    }
    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.tokens.push(Token::Double(value));
        Ok(())
    }
    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.push_string(value);
        Ok(())
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<(), E> {
        let range = self.0.push_bytes(value);
        self.0.tokens.push(Token::Blob(range));
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let start = self.0.tokens.len();
        self.0.tokens.push(Token::List(0));
        let mut len = 0;
        while list.next_element_seed(Filler(&mut *self.0))?.is_some() {
            len += 1;
        }
        self.0.tokens[start] = Token::List(len);
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let start = self.0.tokens.len();
        self.0.tokens.push(Token::Map(0));
        let mut len = 0;
        while map.next_key_seed(Filler(&mut *self.0))?.is_some() {
            map.next_value_seed(Filler(&mut *self.0))?;
            len += 1;
        }
        self.0.tokens[start] = Token::Map(len);
        Ok(())
    }
}
