//! Attributes that users put on container instances.
//!
//! Rule: API reference, Attribute, PutAttributes. Names that begin with `ecs.` or with
//! `com.amazonaws.` are the agent's and the service's.

use super::invalid_parameter;
use aws_api::ecs::Attribute;
use aws_types::AwsError;

/// API reference, PutAttributes, DeleteAttributes: in one call.
const ATTRIBUTES_PER_CALL_MAX: usize = 10;
/// API reference, PutAttributes: custom ones on one instance.
pub const CUSTOM_MAX: usize = 10;
/// Characters of a name and of a value.
const LEN_MAX: usize = 128;
/// The only kind of target.
pub const CONTAINER_INSTANCE: &str = "container-instance";

/// The attributes of a call.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_call(given: Option<&[Attribute]>) -> Result<&[Attribute], AwsError> {
    let given = given.unwrap_or_default();
    match given.len() {
        0 => Err(invalid_parameter("attributes can not be empty.")),
        1..=ATTRIBUTES_PER_CALL_MAX => Ok(given),
        _ => Err(invalid_parameter(format!(
            "attributes can not have more than {ATTRIBUTES_PER_CALL_MAX} elements."
        ))),
    }
}

/// Whether the name is one that users may put and delete.
#[must_use]
pub fn is_custom(name: &str) -> bool {
    // `longshore.`: what other hosts go by, and only the host itself may say.
    let reserved = ["ecs.", "com.amazonaws.", "longshore."];
    !reserved.iter().any(|prefix| name.starts_with(prefix))
}

/// The name of an attribute that a user may put or delete.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_name(name: Option<&str>) -> Result<&str, AwsError> {
    let name = name.unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./\\-".contains(c);
    if name.is_empty() || name.len() > LEN_MAX || !name.chars().all(plain) {
        return Err(invalid_parameter(format!(
            "Attribute names must be 1 to {LEN_MAX} letters, numbers, hyphens, underscores, \
             slashes, back slashes and periods."
        )));
    }
    match is_custom(name) {
        true => Ok(name),
        false => Err(invalid_parameter(format!(
            "The attribute name {name} is reserved."
        ))),
    }
}

/// The value of an attribute, if it has one.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_value(value: Option<&str>) -> Result<(), AwsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./\\@: -".contains(c);
    let fits = |value: &str| {
        let edges = value.starts_with(' ') || value.ends_with(' ');
        !value.is_empty() && value.len() <= LEN_MAX && !edges && value.chars().all(plain)
    };
    match value.is_none_or(fits) {
        true => Ok(()),
        false => Err(invalid_parameter(format!(
            "Attribute values must be 1 to {LEN_MAX} letters, numbers, hyphens, underscores, \
             periods, at signs, slashes, back slashes, colons and spaces, without a space at \
             either end."
        ))),
    }
}

/// The kind of target; `None` stays `None`.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_target_type(given: Option<&str>) -> Result<(), AwsError> {
    match given {
        None | Some(CONTAINER_INSTANCE) => Ok(()),
        Some(_) => Err(invalid_parameter(format!(
            "targetType should be one of [{CONTAINER_INSTANCE}]"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_have_their_letters() {
        let long = "a".repeat(129);
        for (name, accepted) in [
            ("stack", true),
            (r"a.b/c\d-e_f", true),
            (&long[..128], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a:b", false),
            ("ecs.os-type", false),
            ("com.amazonaws.ecs.capability.x", false),
            ("ecstatic", true),
        ] {
            assert_eq!(check_name(Some(name)).is_ok(), accepted, "{name}");
        }
        for (value, accepted) in [
            (None, true),
            (Some("production"), true),
            (Some(r"a b@c:d/e\f.g_h-i"), true),
            (Some(&long[..128]), true),
            (Some(&long), false),
            (Some(""), false),
            (Some(" a"), false),
            (Some("a "), false),
            (Some("a,b"), false),
        ] {
            assert_eq!(check_value(value).is_ok(), accepted, "{value:?}");
        }
    }

    #[test]
    fn one_to_ten_a_call() {
        let some = vec![Attribute::default(); 11];
        for (given, accepted) in [
            (None, false),
            (Some(&some[..0]), false),
            (Some(&some[..1]), true),
            (Some(&some[..10]), true),
            (Some(&some[..]), false),
        ] {
            assert_eq!(check_call(given).is_ok(), accepted);
        }
    }
}
