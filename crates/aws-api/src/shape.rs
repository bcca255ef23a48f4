//! The one description of a shape, and the two sides that a protocol implements.
//!
//! Generated code says, per structure, which members it has ([`Structure`]); a protocol says how a
//! value looks on the wire ([`ShapeWriter`], [`ShapeReader`]). So the work is shapes + protocols,
//! not shapes × protocols; `dyn` keeps compile time flat.
//!
//! What always holds: a member that is `None` is not written; a reader skips members that are null
//! or unknown; a reader never recurses deeper than its own limit.

use crate::description::{Kind, Member, StructDescription};
use aws_types::{AwsError, Timestamp, codes};
use std::collections::BTreeMap;

/// The input could not be read as the shape; the text is for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError(pub String);

impl ReadError {
    /// An error with AWS's wording, where AWS has one.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<ReadError> for AwsError {
    fn from(error: ReadError) -> Self {
        codes::SERIALIZATION.with(error.0)
    }
}

/// Where values go: one per protocol.
pub trait ShapeWriter {
    /// Opens a structure.
    fn begin_struct(&mut self, description: &'static StructDescription);
    /// The next value is this member's.
    fn member(&mut self, member: &'static Member);
    /// Closes the structure opened last.
    fn end_struct(&mut self);
    /// Opens a list of `len` elements.
    fn begin_list(&mut self, len: usize);
    /// The next value is an element.
    fn element(&mut self);
    /// Closes the list opened last.
    fn end_list(&mut self);
    /// Opens a map of `len` entries.
    fn begin_map(&mut self, len: usize);
    /// The next value belongs to this key.
    fn key(&mut self, key: &str);
    /// Closes the map opened last.
    fn end_map(&mut self);
    /// Text, and enums.
    fn string(&mut self, value: &str);
    /// Truth.
    fn boolean(&mut self, value: bool);
    /// A whole number of at most 64 bits.
    fn long(&mut self, value: i64);
    /// A number with a fraction.
    fn double(&mut self, value: f64);
    /// A number with a short fraction: kept apart so that 0.1 stays `0.1`.
    fn float(&mut self, value: f32);
    /// A moment, in the protocol's own form.
    fn timestamp(&mut self, value: Timestamp);
    /// Bytes, in the protocol's own form.
    fn blob(&mut self, value: &[u8]);
    /// Nothing; stands in documents only.
    fn null(&mut self);
    /// Any JSON.
    fn document(&mut self, value: &serde_json::Value) {
        crate::document::write(value, self);
    }
}

/// Where values come from: one per protocol.
pub trait ShapeReader {
    /// Enters a structure.
    fn begin_struct(&mut self, description: &'static StructDescription) -> Result<(), ReadError>;
    /// Index of the next member that is present; `None` leaves the structure.
    fn next_member(
        &mut self,
        description: &'static StructDescription,
    ) -> Result<Option<usize>, ReadError>;
    /// Enters a list.
    fn begin_list(&mut self) -> Result<(), ReadError>;
    /// Whether another element follows; `false` leaves the list.
    fn next_element(&mut self) -> Result<bool, ReadError>;
    /// Enters a map.
    fn begin_map(&mut self) -> Result<(), ReadError>;
    /// The next key; `None` leaves the map.
    fn next_key(&mut self) -> Result<Option<String>, ReadError>;
    /// Text.
    fn string(&mut self) -> Result<String, ReadError>;
    /// Truth.
    fn boolean(&mut self) -> Result<bool, ReadError>;
    /// A whole number of 32 bits.
    fn integer(&mut self) -> Result<i32, ReadError>;
    /// A whole number of 64 bits.
    fn long(&mut self) -> Result<i64, ReadError>;
    /// A number with a fraction.
    fn double(&mut self) -> Result<f64, ReadError>;
    /// A moment.
    fn timestamp(&mut self) -> Result<Timestamp, ReadError>;
    /// Bytes.
    fn blob(&mut self) -> Result<Vec<u8>, ReadError>;
    /// Any JSON. Protocols of forms and XML have no documents (Smithy), nor a shape that holds one.
    fn document(&mut self) -> Result<serde_json::Value, ReadError> {
        Err(ReadError::new("this protocol has no documents"))
    }
}

/// Anything that travels: structures, lists, maps and scalars.
pub trait Shape: Sized {
    /// What it is, as data.
    const KIND: Kind;
    /// Hands the value to a protocol.
    fn write(&self, w: &mut dyn ShapeWriter);
    /// Takes a value from a protocol.
    fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError>;
}

/// A generated structure. Object-safe, so that the loops below exist once.
pub trait Structure {
    /// Writes every member that is present.
    fn write_members(&self, w: &mut dyn ShapeWriter);
    /// Reads the member of this index in the description.
    fn read_member(&mut self, index: usize, r: &mut dyn ShapeReader) -> Result<(), ReadError>;
}

/// An operation of a service.
pub trait Operation {
    /// What the caller sends.
    type Input: Shape;
    /// What the caller gets.
    type Output: Shape;
    /// As the model names it, e.g. `RunTask`.
    const NAME: &'static str;
    /// As the endpoint names it, e.g. `ecs`.
    const SERVICE: &'static str;
}

/// Input or output of an operation that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Empty {}

pub(crate) fn write_structure(
    description: &'static StructDescription,
    value: &dyn Structure,
    w: &mut dyn ShapeWriter,
) {
    w.begin_struct(description);
    value.write_members(w);
    w.end_struct();
}

pub(crate) fn read_structure(
    description: &'static StructDescription,
    value: &mut dyn Structure,
    r: &mut dyn ShapeReader,
) -> Result<(), ReadError> {
    r.begin_struct(description)?;
    while let Some(index) = r.next_member(description)? {
        value.read_member(index, r)?;
    }
    Ok(())
}

/// `structure!(Type, DESCRIPTION, member, …)`: the members in the description's order.
macro_rules! structure {
    ($type:ident, $description:ident $(, $member:ident)* $(,)?) => {
        impl crate::shape::Structure for $type {
            #[allow(unused_variables, unused_mut, unused_assignments)]
            fn write_members(&self, w: &mut dyn crate::shape::ShapeWriter) {
                let mut index = 0;
                $(
                    if let Some(value) = &self.$member {
                        w.member(&$description.members[index]);
                        crate::shape::Shape::write(value, w);
                    }
                    index += 1;
                )*
            }
            #[allow(unused_variables, unused_mut, unused_assignments)]
            fn read_member(
                &mut self,
                index: usize,
                r: &mut dyn crate::shape::ShapeReader,
            ) -> Result<(), crate::shape::ReadError> {
                let mut at = 0;
                $(
                    if index == at {
                        self.$member = Some(crate::shape::Shape::read(r)?);
                        return Ok(());
                    }
                    at += 1;
                )*
                Ok(())
            }
        }
        impl crate::shape::Shape for $type {
            const KIND: crate::description::Kind =
                crate::description::Kind::Structure(&$description);
            fn write(&self, w: &mut dyn crate::shape::ShapeWriter) {
                crate::shape::write_structure(&$description, self, w);
            }
            fn read(
                r: &mut dyn crate::shape::ShapeReader,
            ) -> Result<Self, crate::shape::ReadError> {
                let mut value = Self::default();
                crate::shape::read_structure(&$description, &mut value, r)?;
                Ok(value)
            }
        }
    };
}
pub(crate) use structure;

static EMPTY: StructDescription = StructDescription {
    name: "Empty",
    members: &[],
};
structure!(Empty, EMPTY);

/// A scalar: its kind, and the reader's and the writer's method of it.
macro_rules! scalar {
    ($type:ty, $kind:ident, |$w:ident, $value:ident| $write:expr, $read:ident) => {
        impl Shape for $type {
            const KIND: Kind = Kind::$kind;
            fn write(&self, $w: &mut dyn ShapeWriter) {
                let $value = self;
                $write;
            }
            fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError> {
                r.$read()
            }
        }
    };
}

scalar!(String, String, |w, value| w.string(value), string);
scalar!(bool, Boolean, |w, value| w.boolean(*value), boolean);
scalar!(i32, Integer, |w, value| w.long(i64::from(*value)), integer);
scalar!(i64, Long, |w, value| w.long(*value), long);
scalar!(f64, Double, |w, value| w.double(*value), double);
scalar!(
    Timestamp,
    Timestamp,
    |w, value| w.timestamp(*value),
    timestamp
);
scalar!(Vec<u8>, Blob, |w, value| w.blob(value), blob);

impl Shape for f32 {
    const KIND: Kind = Kind::Float;
    fn write(&self, w: &mut dyn ShapeWriter) {
        w.float(*self);
    }
    fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError> {
        Ok(r.double()? as Self)
    }
}

impl<T: Shape> Shape for Box<T> {
    const KIND: Kind = T::KIND;
    fn write(&self, w: &mut dyn ShapeWriter) {
        (**self).write(w);
    }
    fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError> {
        Ok(Self::new(T::read(r)?))
    }
}

impl<T: Shape> Shape for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
    fn write(&self, w: &mut dyn ShapeWriter) {
        w.begin_list(self.len());
        for element in self {
            w.element();
            element.write(w);
        }
        w.end_list();
    }
    fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError> {
        let mut list = Self::new();
        r.begin_list()?;
        while r.next_element()? {
            list.push(T::read(r)?);
        }
        Ok(list)
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    const KIND: Kind = Kind::Map(&T::KIND);
    fn write(&self, w: &mut dyn ShapeWriter) {
        w.begin_map(self.len());
        for (key, value) in self {
            w.key(key);
            value.write(w);
        }
        w.end_map();
    }
    fn read(r: &mut dyn ShapeReader) -> Result<Self, ReadError> {
        let mut map = Self::new();
        r.begin_map()?;
        while let Some(key) = r.next_key()? {
            map.insert(key, T::read(r)?);
        }
        Ok(map)
    }
}
