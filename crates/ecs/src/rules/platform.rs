//! Launch types asked for, platform, shared namespaces, storage, roles and constraints of a task.
//!
//! Rule: API reference, RegisterTaskDefinition.

use super::{check_one_of, client, fargate};
use crate::task_definition::compatibility::asks_for;
use aws_api::ecs::{TaskDefinition, enums};
use aws_types::AwsError;

/// GiB, API reference, EphemeralStorage.
const EPHEMERAL_GIB: std::ops::RangeInclusive<i32> = 21..=200;
/// Together with those of RunTask.
const CONSTRAINTS_MAX: usize = 10;

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    for launch_type in definition.requires_compatibilities.iter().flatten() {
        check_one_of("Compatibility", Some(launch_type), enums::COMPATIBILITY)?;
    }
    check_one_of("pidMode", definition.pid_mode.as_deref(), enums::PID_MODE)?;
    check_one_of("ipcMode", definition.ipc_mode.as_deref(), enums::IPC_MODE)?;
    if let Some(platform) = &definition.runtime_platform {
        let architecture = platform.cpu_architecture.as_deref();
        check_one_of("cpuArchitecture", architecture, enums::CPU_ARCHITECTURE)?;
        let system = platform.operating_system_family.as_deref();
        check_one_of("operatingSystemFamily", system, enums::OS_FAMILY)?;
    }
    if let Some(storage) = &definition.ephemeral_storage
        && !storage
            .size_in_gi_b
            .is_some_and(|gib| EPHEMERAL_GIB.contains(&gib))
    {
        return Err(client(format!(
            "Ephemeral storage must be between {} and {} GiB.",
            EPHEMERAL_GIB.start(),
            EPHEMERAL_GIB.end()
        )));
    }
    check_constraints(definition)?;
    for role in [&definition.task_role_arn, &definition.execution_role_arn] {
        check_role(role.as_deref())?;
    }
    if asks_for(definition, "FARGATE") {
        fargate::check(definition)?;
    }
    if asks_for(definition, "EXTERNAL") && definition.network_mode.as_deref() == Some("awsvpc") {
        return Err(client(
            "The EXTERNAL launch type does not support network mode awsvpc.",
        ));
    }
    Ok(())
}

fn check_constraints(definition: &TaskDefinition) -> Result<(), AwsError> {
    let constraints = definition
        .placement_constraints
        .as_deref()
        .unwrap_or_default();
    if constraints.len() > CONSTRAINTS_MAX {
        return Err(client(format!(
            "A task definition can have at most {CONSTRAINTS_MAX} placement constraints."
        )));
    }
    for constraint in constraints {
        let kind = constraint.r#type.as_deref().unwrap_or_default();
        check_one_of("Placement constraint type", Some(kind), &["memberOf"])?;
    }
    Ok(())
}

/// A role's name, or `arn:PARTITION:iam::ACCOUNT:role/PATH`.
fn check_role(role: Option<&str>) -> Result<(), AwsError> {
    let Some(role) = role else {
        return Ok(());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
    let valid = match role.strip_prefix("arn:") {
        None => !role.is_empty() && role.chars().all(plain),
        Some(_) => role
            .parse::<aws_types::Arn>()
            .is_ok_and(|arn| arn.service == "iam" && arn.resource.starts_with("role/")),
    };
    if valid {
        Ok(())
    } else {
        Err(client("Role is not valid"))
    }
}
