//! Tags: at most 50, keys of 1 to 128 and values of 0 to 256 characters, no `aws:` prefix.
//!
//! Rule: API reference, Tag. Setting replaces the value of a key; the rest stays. Tags whose keys
//! begin with `aws:` are the service's: nobody sets or removes them, and they do not count.

use super::invalid_parameter;
use crate::records::Tags;
use aws_api::ecs::Tag;
use aws_types::AwsError;

/// Tags that users may put on one resource.
const TAGS_MAX: usize = 50;
/// Characters of a key.
const KEY_LEN_MAX: usize = 128;
/// Characters of a value.
const VALUE_LEN_MAX: usize = 256;

/// The tags given when a resource is made.
///
/// # Errors
/// `InvalidParameterException`.
pub fn read(given: Option<&[Tag]>) -> Result<Tags, AwsError> {
    let mut tags = Tags::default();
    merge(&mut tags, given.unwrap_or_default())?;
    Ok(tags)
}

/// Adds tags, replacing values of keys that are there.
///
/// # Errors
/// `InvalidParameterException`; `tags` may then hold some of the given ones.
pub fn merge(tags: &mut Tags, given: &[Tag]) -> Result<(), AwsError> {
    for tag in given {
        let key = tag.key.as_deref().unwrap_or_default();
        let value = tag.value.as_deref().unwrap_or_default();
        check_key(key)?;
        check_value(value)?;
        tags.0.insert(key.into(), value.into());
    }
    if tags.0.keys().filter(|key| !is_reserved(key)).count() > TAGS_MAX {
        return Err(invalid_parameter(format!(
            "The maximum number of tags has been exceeded. The limit is {TAGS_MAX}."
        )));
    }
    Ok(())
}

/// Tags as answers show them, in order of key.
#[must_use]
pub fn shape(tags: &Tags) -> Vec<Tag> {
    tags.0
        .iter()
        .map(|(key, value)| Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}

/// A key that a user may set or remove.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_key(key: &str) -> Result<(), AwsError> {
    let length = key.chars().count();
    if length == 0 || length > KEY_LEN_MAX {
        return Err(invalid_parameter(format!(
            "Tag keys must be between 1 and {KEY_LEN_MAX} characters long."
        )));
    }
    check_removable(key)?;
    if !key.chars().all(is_tag_character) {
        return Err(invalid_parameter("Tag keys contain invalid characters."));
    }
    Ok(())
}

/// A key that a user may remove: any but the service's own.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_removable(key: &str) -> Result<(), AwsError> {
    match is_reserved(key) {
        true => Err(invalid_parameter("Tag keys cannot start with aws:.")),
        false => Ok(()),
    }
}

fn is_reserved(key: &str) -> bool {
    key.get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
}

fn check_value(value: &str) -> Result<(), AwsError> {
    if value.chars().count() > VALUE_LEN_MAX {
        return Err(invalid_parameter(format!(
            "Tag values cannot be longer than {VALUE_LEN_MAX} characters."
        )));
    }
    if !value.chars().all(is_tag_character) {
        return Err(invalid_parameter("Tag values contain invalid characters."));
    }
    Ok(())
}

fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: Some(key.into()),
            value: Some(value.into()),
        }
    }

    #[test]
    fn keys_and_values_have_limits() {
        let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
        for (key, value, accepted) in [
            ("team", "web", true),
            ("team", "", true),
            ("größe", "a b/c=d+e-f@g", true),
            ("", "x", false),
            (long_key.as_str(), "x", false),
            ("k", long_value.as_str(), false),
            ("aws:x", "y", false),
            ("AWS:x", "y", false),
            ("a{b}", "y", false),
            ("a", "tab\there", false),
        ] {
            let got = read(Some(&[tag(key, value)]));
            assert_eq!(got.is_ok(), accepted, "{key}={value}");
            if let Err(error) = got {
                assert_eq!(error.code().name, "InvalidParameterException");
            }
        }
    }

    #[test]
    fn at_most_fifty_tags_and_the_last_value_of_a_key_counts() {
        let many = |n: usize| -> Vec<Tag> { (0..n).map(|i| tag(&format!("k{i}"), "v")).collect() };
        assert!(read(Some(&many(50))).is_ok());
        assert!(read(Some(&many(51))).is_err());
        let mut managed = Tags::default();
        managed.0.insert("aws:ecs:clusterName".into(), "c".into());
        assert!(merge(&mut managed, &many(50)).is_ok(), "not counted");
        let tags = read(Some(&[tag("a", "1"), tag("a", "2")])).unwrap();
        assert_eq!(shape(&tags), [tag("a", "2")]);
    }
}
