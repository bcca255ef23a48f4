//! All rules of a task definition, in the order in which they answer.

use super::{
    client, containers, dependencies, devices, health, logging, names, network, platform, ports,
    secrets, size, volumes,
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
