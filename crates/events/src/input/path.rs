//! The paths that targets may name: `$`, `$.detail.a-b`, `$.detail['a']`, `$.resources[0]`, `[*]`.
//!
//! Rule: EventBridge user guide, "Using JSONPath": dots, names, indexes and wildcards, no filters.

use serde_json::Value;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    All,
}

impl Path {
    /// Reads a path; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, left) = match rest.strip_prefix('.') {
                Some(named) => member(named)?,
                None => bracketed(rest.strip_prefix('[')?)?,
            };
            steps.push(step);
            rest = left;
        }
        Some(Self(steps))
    }

    /// The value at this path; a wildcard gives an array of all that match.
    #[must_use]
    pub fn find(&self, value: &Value) -> Option<Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| step.of(value)).collect();
        }
        match self.0.contains(&Step::All) {
            true => Some(Value::Array(found.into_iter().cloned().collect())),
            false => found.first().map(|value| (*value).clone()),
        }
    }
}

fn member(text: &str) -> Option<(Step, &str)> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-');
    match name {
        "*" => Some((Step::All, rest)),
        name if !name.is_empty() && name.chars().all(is_name) => {
            Some((Step::Member(name.into()), rest))
        }
        _ => None,
    }
}

fn bracketed(text: &str) -> Option<(Step, &str)> {
    for quote in ['\'', '"'] {
        if let Some(quoted) = text.strip_prefix(quote) {
            let (name, rest) = quoted.split_once(quote)?;
            return Some((Step::Member(name.into()), rest.strip_prefix(']')?));
        }
    }
    let (inner, rest) = text.split_once(']')?;
    match inner {
        "*" => Some((Step::All, rest)),
        index => Some((Step::Element(index.parse().ok()?), rest)),
    }
}

impl Step {
    fn of<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Self::Element(at), Value::Array(elements)) => elements.get(*at).into_iter().collect(),
            (Self::All, Value::Array(elements)) => elements.iter().collect(),
            (Self::All, Value::Object(members)) => members.values().collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths_find_what_they_name() {
        let value = json!({"a-b": {"c": [1, {"d": 2}]}, "e f": 3});
        for (path, expected) in [
            ("$", Some(value.clone())),
            ("$.a-b.c[0]", Some(json!(1))),
            ("$.a-b.c[1].d", Some(json!(2))),
            ("$['e f']", Some(json!(3))),
            ("$.a-b.c[*].d", Some(json!([2]))),
            ("$.gone", None),
            ("$.a-b.c[7]", None),
        ] {
            assert_eq!(Path::parse(path).unwrap().find(&value), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_path_is_refused_without_a_panic(text in ".{0,20}") {
            prop_assert!(text.starts_with('$') || Path::parse(&text).is_none());
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in ["", "a", "$.", "$..a", "$[", "$[x]", "$['a]", "$.a b", "$a"] {
            assert_eq!(Path::parse(text), None, "{text}");
        }
    }
}
