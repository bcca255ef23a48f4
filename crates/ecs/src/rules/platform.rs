//! Launch types asked for, platform, shared namespaces, storage, roles and constraints of a task.
//!
//! Rule: API reference, RegisterTaskDefinition.

use super::{check_one_of, client, external, fargate, managed_instances};
use crate::place::constraint;
use crate::task_definition::compatibility::asks_for;
use aws_api::ecs::{EphemeralStorage, TaskDefinition, enums};
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
    check_windows(definition)?;
    if let Some(storage) = &definition.ephemeral_storage {
        check_ephemeral(storage)?;
        if asks_for(definition, "EC2") {
            return Err(client(
                "Tasks using the EC2 launch type do not support EphemeralStorage.",
            ));
        }
    }
    check_trusted_execution(definition)?;
    check_constraints(definition)?;
    for role in [&definition.task_role_arn, &definition.execution_role_arn] {
        check_role(role.as_deref())?;
    }
    if asks_for(definition, "FARGATE") {
        fargate::check(definition)?;
    }
    if asks_for(definition, "EXTERNAL") {
        external::check(definition)?;
    }
    if asks_for(definition, "MANAGED_INSTANCES") {
        managed_instances::check(definition)?;
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
        let kinds = enums::TASK_DEFINITION_PLACEMENT_CONSTRAINT_TYPE;
        check_one_of("Placement constraint type", Some(kind), kinds)?;
        let text = constraint.expression.as_deref().unwrap_or_default();
        if text.is_empty() {
            return Err(client("memberOf expression should be specified."));
        }
        // RunTask would refuse it with these words, whenever it came.
        constraint::expression(text).map_err(|error| client(error.message().to_owned()))?;
    }
    Ok(())
}

/// Room on a task's own disk, of a definition or an override.
///
/// # Errors
/// `ClientException`.
pub fn check_ephemeral(storage: &EphemeralStorage) -> Result<(), AwsError> {
    let gib = storage.size_in_gi_b.unwrap_or(0);
    let bound = match gib {
        gib if gib < *EPHEMERAL_GIB.start() => format!("at least {}", EPHEMERAL_GIB.start()),
        gib if gib > *EPHEMERAL_GIB.end() => format!("at most {}", EPHEMERAL_GIB.end()),
        _ => return Ok(()),
    };
    Err(client(format!("EphemeralStorage size should be {bound}")))
}

/// A Windows container has no namespaces to share.
fn check_windows(definition: &TaskDefinition) -> Result<(), AwsError> {
    let platform = definition.runtime_platform.as_ref();
    let system = platform.and_then(|platform| platform.operating_system_family.as_deref());
    if !system.is_some_and(|system| system.starts_with("WINDOWS")) {
        return Ok(());
    }
    for (given, what) in [
        (definition.pid_mode.is_some(), "pidMode"),
        (definition.ipc_mode.is_some(), "ipcMode"),
    ] {
        if given {
            return Err(client(format!("Windows containers do not support {what}.")));
        }
    }
    Ok(())
}

fn check_trusted_execution(definition: &TaskDefinition) -> Result<(), AwsError> {
    let Some(trusted) = &definition.trusted_execution_configuration else {
        return Ok(());
    };
    let mode = trusted.isolation_mode.as_deref();
    check_one_of("isolationMode", mode, enums::ISOLATION_MODE)?;
    match asks_for(definition, "MANAGED_INSTANCES") {
        true => Ok(()),
        false => Err(client(
            "trustedExecutionConfiguration is only supported with MANAGED_INSTANCES \
             compatibility.",
        )),
    }
}

/// A role's name, or `arn:PARTITION:iam::ACCOUNT:role/PATH`.
///
/// # Errors
/// `ClientException`.
pub fn check_role(role: Option<&str>) -> Result<(), AwsError> {
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

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, fargate, task};
    use serde_json::{Value, json};

    #[test]
    fn launch_types_and_platforms() {
        let asks = |names: Value| task(json!({"requiresCompatibilities": names}));
        let system = |patch: Value| {
            let mut patch = patch;
            let name = "WINDOWS_SERVER_2022_CORE";
            patch["runtimePlatform"] = json!({"operatingSystemFamily": name});
            task(patch)
        };
        let platform = |platform: Value| task(json!({"runtimePlatform": platform}));
        answers(&[
            (asks(json!(["EC2", "EXTERNAL"])), FINE),
            (
                asks(json!(["ECS"])),
                "Compatibility should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ),
            (platform(json!({"cpuArchitecture": "ARM64"})), FINE),
            (
                platform(json!({"cpuArchitecture": "arm64"})),
                "cpuArchitecture should be one of [X86_64,ARM64]",
            ),
            (task(json!({"pidMode": "host", "ipcMode": "none"})), FINE),
            (
                task(json!({"pidMode": "none"})),
                "pidMode should be one of [host,task]",
            ),
            (
                task(json!({"ipcMode": "pod"})),
                "ipcMode should be one of [host,task,none]",
            ),
            (system(json!({})), FINE),
            (
                system(json!({"pidMode": "task"})),
                "Windows containers do not support pidMode.",
            ),
            (
                system(json!({"ipcMode": "task"})),
                "Windows containers do not support ipcMode.",
            ),
        ]);
    }

    #[test]
    fn storage_roles_and_constraints() {
        let storage = |gib: i32| fargate(json!({"ephemeralStorage": {"sizeInGiB": gib}}));
        let on_ec2 = json!({
            "ephemeralStorage": {"sizeInGiB": 30}, "requiresCompatibilities": ["EC2"]
        });
        let role = |role: &str| task(json!({"taskRoleArn": role, "executionRoleArn": role}));
        let constraints = |n: usize| {
            let one = json!({"type": "memberOf", "expression": "attribute:a exists"});
            task(json!({"placementConstraints": vec![one; n]}))
        };
        let constraint = |one: Value| task(json!({"placementConstraints": [one]}));
        let trusted = |mode: &str, launch_type: &str| {
            task(json!({
                "trustedExecutionConfiguration": {"isolationMode": mode},
                "requiresCompatibilities": [launch_type],
            }))
        };
        answers(&[
            (storage(21), FINE),
            (storage(200), FINE),
            (storage(20), "EphemeralStorage size should be at least 21"),
            (storage(201), "EphemeralStorage size should be at most 200"),
            (
                task(on_ec2),
                "Tasks using the EC2 launch type do not support EphemeralStorage.",
            ),
            (role("app"), FINE),
            (role("arn:aws:iam::123456789012:role/team/app"), FINE),
            (
                role("arn:aws:iam::123456789012:user/app"),
                "Role is not valid",
            ),
            (role("arn:aws:s3:::app"), "Role is not valid"),
            (role("a role"), "Role is not valid"),
            (role(""), "Role is not valid"),
            (constraints(10), FINE),
            (
                constraints(11),
                "A task definition can have at most 10 placement constraints.",
            ),
            (
                constraint(json!({"type": "distinctInstance"})),
                "Placement constraint type should be one of [memberOf]",
            ),
            (
                constraint(json!({"type": "memberOf"})),
                "memberOf expression should be specified.",
            ),
            (
                constraint(json!({"type": "memberOf", "expression": "attribute:a is x"})),
                "Invalid expression 'attribute:a is x': expected an operator at character 12.",
            ),
            (trusted("ISOLATED_SANDBOX", "MANAGED_INSTANCES"), FINE),
            (
                trusted("ISOLATED_SANDBOX", "EC2"),
                "trustedExecutionConfiguration is only supported with MANAGED_INSTANCES \
                 compatibility.",
            ),
            (
                trusted("VM", "MANAGED_INSTANCES"),
                "isolationMode should be one of \
                 [SHARED,ISOLATED_SANDBOX,CONFIDENTIAL_SANDBOX]",
            ),
        ]);
    }
}
