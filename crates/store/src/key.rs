//! Ordered byte-string keys made of components.
//!
//! Encoded keys sort as their components sort, one after the other: text is written with `0x00`
//! escaped as `0x00 0xff` and ended by `0x00 0x01`, numbers big-endian. So a key that consists of
//! the first components of another is its prefix, and a range scan by prefix is a scan by component.

use std::fmt;
use std::sync::Arc;

/// What ends a text component.
pub(crate) const TEXT_END: [u8; 2] = [0, 1];

/// An encoded key. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// The readable form: `us-east-1/web/#3`.
    #[must_use]
    pub fn readable(&self) -> String {
        crate::key_text::print(self)
    }

    /// The key of a readable form; `None` for text that is none.
    #[must_use]
    pub fn from_readable(text: &str) -> Option<Self> {
        crate::key_text::parse(text)
    }

    /// The empty key: the prefix of every key.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from([].as_slice()))
    }

    /// A key of text components.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let len = parts.iter().map(|part| part.len() + TEXT_END.len()).sum();
        parts
            .iter()
            .fold(KeyWriter(Vec::with_capacity(len)), |key, part| {
                key.text(part)
            })
            .finish()
    }

    /// Starts a key of mixed components.
    #[must_use]
    pub fn build() -> KeyWriter {
        KeyWriter::default()
    }

    /// A key as it was stored.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }

    /// The encoded bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether `prefix`'s components are this key's first ones.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Reads the components back.
    #[must_use]
    pub fn reader(&self) -> KeyReader<'_> {
        KeyReader(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.0.escape_ascii())
    }
}

/// Writes components.
#[derive(Clone, Debug, Default)]
pub struct KeyWriter(Vec<u8>);

impl KeyWriter {
    /// A text component.
    #[must_use]
    pub fn text(mut self, part: &str) -> Self {
        // Text is copied in one piece up to each zero, of which there is hardly ever one.
        let mut pieces = part.as_bytes().split(|byte| *byte == 0);
        self.0.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.0.extend_from_slice(&[0, 0xff]);
            self.0.extend_from_slice(piece);
        }
        self.0.extend_from_slice(&TEXT_END);
        self
    }

    /// A number component; sorts by value.
    #[must_use]
    pub fn number(mut self, part: u64) -> Self {
        self.0.extend_from_slice(&part.to_be_bytes());
        self
    }

    /// Bytes as they stand in a key.
    #[must_use]
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(Arc::from(self.0))
    }
}

/// Reads components in the order in which they were written.
#[derive(Clone, Debug)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// Whether no component is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is left, as bytes.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// The next text component; `None` where there is none.
    pub fn text(&mut self) -> Option<String> {
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            match (self.0.get(at)?, self.0.get(at + 1)) {
                (0, Some(0xff)) => {
                    out.push(0);
                    at += 2;
                }
                (0, Some(1)) => {
                    self.0 = &self.0[at + 2..];
                    return String::from_utf8(out).ok();
                }
                (0, _) => return None,
                (&byte, _) => {
                    out.push(byte);
                    at += 1;
                }
            }
        }
    }

    /// The next number component; `None` where there is none.
    pub fn number(&mut self) -> Option<u64> {
        let (head, tail) = self.0.split_first_chunk::<8>()?;
        self.0 = tail;
        Some(u64::from_be_bytes(*head))
    }
}

/// A typed key of a table: `encode` must be injective and keep the order that listings show.
pub trait TableKey {
    /// The key's bytes.
    fn encode(&self) -> Key;
}

impl TableKey for Key {
    fn encode(&self) -> Key {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_as_their_components(a in prop::collection::vec("[a-c\0\u{1}]{0,3}", 0..4), b in prop::collection::vec("[a-c\0\u{1}]{0,3}", 0..4)) {
            let encode = |parts: &[String]| Key::of(&parts.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
        }

        #[test]
        fn components_read_back(text in ".{0,12}", number in any::<u64>(), tail in ".{0,4}") {
            let key = Key::build().text(&text).number(number).text(&tail).finish();
            let mut reader = key.reader();
            prop_assert_eq!(reader.text(), Some(text));
            prop_assert_eq!(reader.number(), Some(number));
            prop_assert_eq!(reader.text(), Some(tail));
            prop_assert_eq!(reader.text(), None);
        }
    }
}
