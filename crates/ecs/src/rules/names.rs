//! Names that users give: 1 to 255 of `[A-Za-z0-9_-]`.
//!
//! Rule: API reference, `clusterName`, `family`, container and volume names.

use super::{client, invalid_parameter};
use aws_types::AwsError;

/// Longest name of anything in ECS.
const NAME_LEN_MAX: usize = 255;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    TooLong(usize),
    Character,
}

fn fault(name: &str) -> Option<Fault> {
    if name.is_empty() {
        return Some(Fault::Empty);
    }
    let length = name.chars().count();
    if length > NAME_LEN_MAX {
        return Some(Fault::TooLong(length));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.chars().all(plain)).then_some(Fault::Character)
}

/// Whether `name` is a name at all.
#[must_use]
pub fn is_name(name: &str) -> bool {
    fault(name).is_none()
}

/// The name of a new cluster or service.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_identifier(name: &str) -> Result<(), AwsError> {
    match fault(name) {
        None => Ok(()),
        Some(Fault::Empty) => Err(invalid_parameter("Identifier is empty.")),
        Some(Fault::TooLong(length)) => Err(invalid_parameter(format!(
            "Identifier is {length} characters long. The identifier can't be longer than \
             {NAME_LEN_MAX} characters."
        ))),
        Some(Fault::Character) => Err(invalid_parameter("Identifier contains invalid characters.")),
    }
}

/// A name inside a task definition: `what` is `Family`, `Container.name`, `Volume.name`.
///
/// # Errors
/// `ClientException`.
pub fn check_member(what: &str, name: Option<&str>) -> Result<(), AwsError> {
    match fault(name.unwrap_or_default()) {
        None => Ok(()),
        Some(Fault::Empty) => Err(client(format!("{what} should not be null or empty."))),
        Some(Fault::TooLong(_)) => Err(client(format!(
            "{what} cannot be longer than {NAME_LEN_MAX} characters."
        ))),
        Some(Fault::Character) => Err(client(format!("{what} contains invalid characters."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_1_to_255_of_letters_digits_hyphen_underscore() {
        let long = "a".repeat(256);
        for (name, expected) in [
            ("web", None),
            ("Web_1-a", None),
            (&long[..255], None),
            ("", Some("Identifier is empty.")),
            (
                &long,
                Some(
                    "Identifier is 256 characters long. The identifier can't be longer than 255 \
                     characters.",
                ),
            ),
            ("a b", Some("Identifier contains invalid characters.")),
            ("a/b", Some("Identifier contains invalid characters.")),
            ("é", Some("Identifier contains invalid characters.")),
        ] {
            let got = check_identifier(name).err();
            assert_eq!(got.as_ref().map(AwsError::message), expected, "{name}");
        }
    }

    #[test]
    fn a_member_is_named_in_its_error() {
        for (name, expected) in [
            (None, "Family should not be null or empty."),
            (Some(""), "Family should not be null or empty."),
            (Some("a.b"), "Family contains invalid characters."),
        ] {
            let error = check_member("Family", name).unwrap_err();
            assert_eq!(error.code().name, "ClientException");
            assert_eq!(error.message(), expected);
        }
    }
}
