//! A template filled in: `<name>` becomes its value.
//!
//! Inside of a JSON string a value is text, escaped; elsewhere it is JSON.

use serde_json::Value;
use std::collections::BTreeMap;

/// Fills in a template. A name without a value is `null`, and nothing at all inside of a string.
pub(super) fn fill(template: &str, values: &BTreeMap<&str, Value>) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    let mut in_text = false;
    while let Some(letter) = rest.chars().next() {
        if letter == '<'
            && let Some((name, after)) = placeholder(rest)
        {
            push(&mut filled, values.get(name), in_text);
            rest = after;
            continue;
        }
        let mut len = letter.len_utf8();
        match letter {
            '"' => in_text = !in_text,
            // What a backslash escapes ends no string.
            '\\' if in_text => len += rest[len..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        filled.push_str(&rest[..len]);
        rest = &rest[len..];
    }
    filled
}

/// The name between the brackets, and what follows.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('<')?.split_once('>')?;
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, after))
}

fn push(filled: &mut String, value: Option<&Value>, in_text: bool) {
    match (value, in_text) {
        (None, true) => {}
        (None, false) => filled.push_str("null"),
        (Some(value), false) => filled.push_str(&value.to_string()),
        (Some(value), true) => {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let quoted = Value::String(text).to_string();
            filled.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
}
