//! Keys as a person reads and writes them: components joined by `/`.
//!
//! Text stands as it is, with `%`, `/`, control characters and a leading `#` or `~` as `%XX`; a
//! number is `#42`; bytes that are neither are `~` and hexadecimal digits. What is printed reads
//! back as the same key, always: where bytes could be either, both readings have the same bytes.

use crate::key::{Key, KeyReader};
use std::fmt::Write;

/// The key's readable form.
pub(crate) fn print(key: &Key) -> String {
    let mut out = Vec::new();
    let mut rest = key.reader();
    while !rest.is_empty() {
        out.push(print_component(&mut rest));
    }
    out.join("/")
}

/// The key of a readable form; `None` for text that `print` never gives.
pub(crate) fn parse(text: &str) -> Option<Key> {
    if text.is_empty() {
        return Some(Key::empty());
    }
    let mut key = Key::build();
    for component in text.split('/') {
        key = match component.split_at_checked(1) {
            Some(("#", number)) => key.number(number.parse().ok()?),
            Some(("~", digits)) => key.raw(&from_hex(digits)?),
            _ => key.text(&unescape(component)?),
        };
    }
    Some(key.finish())
}

fn print_component(rest: &mut KeyReader<'_>) -> String {
    let mut text = rest.clone();
    match text.text() {
        // An empty component would vanish between two slashes or at an end.
        Some(part) if !part.is_empty() => {
            *rest = text;
            return escape(&part);
        }
        Some(_) => {
            *rest = text;
            return "~0001".into();
        }
        None => {}
    }
    match rest.number() {
        Some(number) => format!("#{number}"),
        None => {
            let bytes = rest.take_rest();
            bytes.iter().fold("~".to_owned(), |mut out, byte| {
                let _ = write!(out, "{byte:02x}");
                out
            })
        }
    }
}

fn escape(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for (at, c) in part.chars().enumerate() {
        if matches!(c, '%' | '/') || c.is_ascii_control() || (at == 0 && matches!(c, '#' | '~')) {
            let _ = write!(out, "%{:02x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn unescape(part: &str) -> Option<String> {
    let mut pieces = part.split('%');
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let byte = *from_hex(piece.get(..2)?)?.first()?;
        out.push(char::from(byte));
        out.push_str(piece.get(2..)?);
    }
    Some(out)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_look_as_a_person_would_write_them() {
        let key = Key::build()
            .text("us-east-1")
            .text("web")
            .number(3)
            .finish();
        assert_eq!(print(&key), "us-east-1/web/#3");
        assert_eq!(print(&Key::of(&["a/b", "#c", "50%"])), "a%2fb/%23c/50%25");
        assert_eq!(print(&Key::empty()), "");
        assert_eq!(parse("#x"), None);
        assert_eq!(parse("a%2"), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(
            bytes in prop::collection::vec(prop_oneof![Just(0), Just(1), Just(0xff), any::<u8>()], 0..24),
            parts in prop::collection::vec("[a-c#~%/\0\n\u{e9}]{0,3}", 0..4),
            number in any::<u64>(),
        ) {
            let mixed = parts.iter().fold(Key::build().number(number), |key, part| key.text(part)).finish();
            for key in [Key::from_bytes(&bytes), mixed] {
                prop_assert_eq!(parse(&print(&key)), Some(key));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            parse(&text);
        }
    }
}
