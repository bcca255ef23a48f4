//! Log drivers and their options; FireLens.
//!
//! Rule: API reference, LogConfiguration and FirelensConfiguration.

use super::{check_one_of, client};
use aws_api::ecs::TaskDefinition;
use aws_types::AwsError;

/// The drivers of the API reference, and Docker's `none`.
const DRIVERS: [&str; 9] = [
    "json-file",
    "syslog",
    "journald",
    "gelf",
    "fluentd",
    "awslogs",
    "splunk",
    "awsfirelens",
    "none",
];
/// What the awslogs driver cannot do without.
const AWSLOGS_REQUIRED: [&str; 2] = ["awslogs-region", "awslogs-group"];

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let mut routers = 0;
    for container in definition.container_definitions.iter().flatten() {
        if let Some(firelens) = &container.firelens_configuration {
            routers += 1;
            check_one_of(
                "firelensConfiguration.type",
                Some(firelens.r#type.as_deref().unwrap_or_default()),
                &["fluentd", "fluentbit"],
            )?;
        }
        let Some(log) = &container.log_configuration else {
            continue;
        };
        let driver = log.log_driver.as_deref().unwrap_or_default();
        check_one_of("Log driver", Some(driver), &DRIVERS)?;
        let given = |name: &str| log.options.iter().any(|options| options.contains_key(name));
        if driver == "awslogs" && !AWSLOGS_REQUIRED.into_iter().all(given) {
            return Err(client(format!(
                "Log driver awslogs requires options: {}",
                AWSLOGS_REQUIRED.join(", ")
            )));
        }
    }
    if routers > 1 {
        return Err(client(
            "Only one container of a task definition can have a firelensConfiguration.",
        ));
    }
    Ok(())
}
