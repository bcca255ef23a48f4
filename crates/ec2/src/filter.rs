//! Filters of the Describe calls: several are all to match, of one's values any; `*` and `?` are wild.
//!
//! Rule: EC2 user guide, "Filter using the CLI or API".

use crate::errors::{invalid_value, missing};
use aws_api::ec2::Filter;
use aws_types::AwsError;
use std::collections::BTreeMap;
use store::World;

/// A property by which a kind of thing is filtered.
pub struct Field<R> {
    /// As filters name it.
    pub name: &'static str,
    /// What a thing has of it: none, one or several values.
    pub values: fn(&World, &R) -> Vec<String>,
}

impl<R> std::fmt::Debug for Field<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Fields, each a name and what a thing has of it: of anything that can be iterated.
macro_rules! fields {
    ($($name:literal => |$world:pat_param, $thing:pat_param| $values:expr),* $(,)?) => {
        &[$($crate::filter::Field {
            name: $name,
            values: |$world, $thing| $values.into_iter().collect(),
        }),*]
    };
}
pub(crate) use fields;

/// Filters, each of which is known.
pub struct Compiled<'a, R: 'static>(Vec<(Property<R>, &'a [String])>);

impl<R> std::fmt::Debug for Compiled<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} filters", self.0.len())
    }
}

enum Property<R: 'static> {
    Field(&'static Field<R>),
    Tag(String),
    TagKey,
    TagValue,
}

/// Reads filters.
///
/// # Errors
/// `InvalidParameterValue` for a filter that the fields have not.
pub fn compile<'a, R: 'static>(
    filters: Option<&'a Vec<Filter>>,
    fields: &'static [Field<R>],
) -> Result<Compiled<'a, R>, AwsError> {
    let mut compiled = Vec::new();
    for filter in filters.into_iter().flatten() {
        let name = filter
            .name
            .as_deref()
            .ok_or_else(|| missing("Filter.Name"))?;
        let property = if let Some(key) = name.strip_prefix("tag:") {
            Property::Tag(key.to_owned())
        } else if let Some(field) = fields.iter().find(|field| field.name == name) {
            Property::Field(field)
        } else {
            match name {
                "tag-key" => Property::TagKey,
                "tag-value" => Property::TagValue,
                _ => return Err(invalid_value(format!("The filter '{name}' is invalid"))),
            }
        };
        compiled.push((property, filter.values.as_deref().unwrap_or_default()));
    }
    Ok(Compiled(compiled))
}

impl<R> Compiled<'_, R> {
    /// Whether a thing with these tags passes all.
    pub fn matches(
        &self,
        world: &World,
        thing: &R,
        tags: impl Fn() -> BTreeMap<String, String>,
    ) -> bool {
        self.0.iter().all(|(property, wanted)| {
            let values = match property {
                Property::Field(field) => (field.values)(world, thing),
                Property::Tag(key) => tags().remove(key).into_iter().collect(),
                Property::TagKey => tags().into_keys().collect(),
                Property::TagValue => tags().into_values().collect(),
            };
            values
                .iter()
                .any(|value| wanted.iter().any(|pattern| is_like(pattern, value)))
        })
    }
}

/// Whether a text matches a pattern with `*`, `?` and `\` before what is meant literally.
#[must_use]
pub fn is_like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Where to go on when a later character fails: after the last star, one character further.
    let (mut p, mut t, mut retry) = (0, 0, None);
    loop {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            Some(&letter) => {
                let (wanted, width) = match (letter, pattern.get(p + 1)) {
                    ('\\', Some(&escaped)) => (escaped, 2),
                    _ => (letter, 1),
                };
                let is_wild = letter == '?';
                if text.get(t).is_some_and(|found| is_wild || *found == wanted) {
                    p += width;
                    t += 1;
                    continue;
                }
            }
            None => {}
        }
        match retry {
            Some((after_star, at)) if at < text.len() => {
                retry = Some((after_star, at + 1));
                (p, t) = (after_star, at + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The plain definition.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some('*'), _) => {
                naive(&pattern[1..], text) || (!text.is_empty() && naive(pattern, &text[1..]))
            }
            (Some('?'), Some(_)) => naive(&pattern[1..], &text[1..]),
            (Some(a), Some(b)) if a == b => naive(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn wildcards_mean_what_they_say(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(is_like(&pattern, &text), naive(&letters(&pattern), &letters(&text)));
        }
    }

    #[test]
    fn filters_are_all_to_match_of_their_values_any_and_unknown_ones_are_refused() {
        static FIELDS: [Field<(&str, &str)>; 2] = [
            Field {
                name: "a",
                values: |_, thing| vec![thing.0.into()],
            },
            Field {
                name: "b",
                values: |_, thing| vec![thing.1.into()],
            },
        ];
        let world = World::empty(&store::Schema::new(&[]));
        let tags = || BTreeMap::from([("K".to_owned(), "v w".to_owned())]);
        let filter = |name: &str, values: &[&str]| Filter {
            name: Some(name.into()),
            values: Some(values.iter().map(|v| (*v).to_owned()).collect()),
        };
        for (filters, passes) in [
            (vec![], true),
            (vec![filter("a", &["y", "x"])], true),
            (vec![filter("a", &["x"]), filter("b", &["x"])], false),
            (vec![filter("a", &["X"])], false),
            (vec![filter("tag:K", &["v*"])], true),
            (vec![filter("tag:L", &["*"])], false),
            (vec![filter("tag-key", &["K"])], true),
            (vec![filter("a", &[])], false),
            (vec![filter("a", &["\\*"])], false),
        ] {
            let compiled = compile(Some(&filters), &FIELDS).unwrap();
            assert_eq!(
                compiled.matches(&world, &("x", "z"), tags),
                passes,
                "{filters:?}"
            );
        }
        let unknown = vec![filter("c", &["x"])];
        let error = compile(Some(&unknown), &FIELDS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "InvalidParameterValue: The filter 'c' is invalid"
        );
    }
}
