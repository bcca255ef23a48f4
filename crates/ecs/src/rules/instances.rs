//! How many container instances a call that changes them may name.

use super::invalid_parameter;
use aws_types::AwsError;

/// API reference, UpdateContainerInstancesState, `containerInstances`.
const INSTANCES_PER_CALL_MAX: usize = 10;

/// The instances of a call: one to ten.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_named(named: Option<&[String]>) -> Result<&[String], AwsError> {
    let named = named.unwrap_or_default();
    match named.len() {
        0 => Err(invalid_parameter("Container Instances cannot be empty.")),
        1..=INSTANCES_PER_CALL_MAX => Ok(named),
        _ => Err(invalid_parameter(format!(
            "Container Instances cannot be more than {INSTANCES_PER_CALL_MAX}."
        ))),
    }
}
