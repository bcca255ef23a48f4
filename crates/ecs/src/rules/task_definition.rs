//! All rules of a task definition, in the order in which they answer.

use super::{
    client, containers, dependencies, devices, health, logging, names, network, platform, ports,
    resources, secrets, size, system_controls, volumes,
};
use aws_api::ecs::TaskDefinition;
use aws_types::AwsError;

/// Bytes of a whole definition as JSON.
const DEFINITION_LEN_MAX: usize = 65_536;

/// Whether AWS would register this normal form.
///
/// # Errors
/// `ClientException` of the first rule that it breaks.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    names::check_member("Family", definition.family.as_deref())?;
    containers::check(definition)?;
    network::check(definition)?;
    size::check(definition)?;
    ports::check(definition)?;
    volumes::check(definition)?;
    health::check(definition)?;
    dependencies::check(definition)?;
    logging::check(definition)?;
    secrets::check(definition)?;
    devices::check(definition)?;
    system_controls::check(definition)?;
    resources::check(definition)?;
    platform::check(definition)
}

/// Whether the definition, `length` bytes long when encoded, is small enough.
///
/// # Errors
/// `ClientException`.
pub fn check_length(length: usize) -> Result<(), AwsError> {
    if length > DEFINITION_LEN_MAX {
        return Err(client(format!(
            "Actual length: '{length}'. Max allowed length is '{DEFINITION_LEN_MAX}' bytes."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, task};
    use super::check_length;
    use serde_json::json;

    #[test]
    fn families() {
        let long = "a".repeat(256);
        answers(&[
            (task(json!({"family": "a".repeat(255)})), FINE),
            (
                task(json!({"family": null})),
                "Family should not be null or empty.",
            ),
            (
                task(json!({"family": ""})),
                "Family should not be null or empty.",
            ),
            (
                task(json!({"family": "a b"})),
                "Family contains invalid characters.",
            ),
            (
                task(json!({"family": long})),
                "Family cannot be longer than 255 characters.",
            ),
        ]);
    }

    #[test]
    fn length() {
        assert!(check_length(65_536).is_ok());
        let error = check_length(65_537).unwrap_err();
        let text = "Actual length: '65537'. Max allowed length is '65536' bytes.";
        assert_eq!(error.message(), text);
    }
}
