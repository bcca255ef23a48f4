//! Log drivers and their options; FireLens.
//!
//! Rule: API reference, LogConfiguration and FirelensConfiguration.

use super::{any, check_one_of, client, secrets};
use aws_api::ecs::{FirelensConfiguration, LogConfiguration, TaskDefinition, enums};
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
/// What drivers cannot do without.
const REQUIRED: [(&str, [&str; 2]); 2] = [
    ("awslogs", ["awslogs-region", "awslogs-group"]),
    ("splunk", ["splunk-url", "splunk-token"]),
];

/// The rules of this file, on a normal form.
///
/// # Errors
/// `ClientException`.
pub fn check(definition: &TaskDefinition) -> Result<(), AwsError> {
    let mut routers = 0;
    let (mut routed, mut with_secrets) = (false, false);
    for container in definition.container_definitions.iter().flatten() {
        if let Some(firelens) = &container.firelens_configuration {
            routers += 1;
            check_firelens(firelens)?;
        }
        if let Some(log) = &container.log_configuration {
            check_log(log)?;
            routed |= log.log_driver.as_deref() == Some("awsfirelens");
            with_secrets |= any(log.secret_options.as_ref());
        }
    }
    if routers > 1 {
        return Err(client(
            "Only one container of a task definition can have a firelensConfiguration.",
        ));
    }
    if routed && routers == 0 {
        return Err(client(
            "When awsfirelens log driver is specified in log configuration, a firelens \
             configuration object must be configured in one of the containers.",
        ));
    }
    if with_secrets && definition.execution_role_arn.is_none() {
        return Err(client(
            "When you are specifying container secrets, you must also specify a value for \
             'executionRoleArn'.",
        ));
    }
    Ok(())
}

/// A log configuration by itself.
///
/// # Errors
/// `ClientException`.
pub(super) fn check_log(log: &LogConfiguration) -> Result<(), AwsError> {
    let driver = log.log_driver.as_deref().unwrap_or_default();
    check_driver(driver, &DRIVERS)?;
    for secret in log.secret_options.iter().flatten() {
        let name = secret.name.as_deref().unwrap_or_default();
        secrets::check_source(name, secret.value_from.as_deref().unwrap_or_default())?;
    }
    let given = |option: &str| {
        let mut secrets = log.secret_options.iter().flatten();
        log.options
            .iter()
            .any(|options| options.contains_key(option))
            || secrets.any(|secret| secret.name.as_deref() == Some(option))
    };
    for (of, required) in REQUIRED {
        let missing: Vec<&str> = required.into_iter().filter(|name| !given(name)).collect();
        if of == driver && !missing.is_empty() {
            return Err(client(format!(
                "Log driver {driver} requires options: {}",
                missing.join(", ")
            )));
        }
    }
    let mode = log.options.as_ref().and_then(|options| options.get("mode"));
    let modes = ["blocking", "non-blocking"];
    check_one_of("Log driver mode", mode.map(String::as_str), &modes)
}

/// A log driver that is one of those named.
///
/// # Errors
/// `ClientException`.
pub fn check_driver(driver: &str, drivers: &[&str]) -> Result<(), AwsError> {
    if drivers.contains(&driver) {
        return Ok(());
    }
    Err(client(format!(
        "{driver} is not a valid log driver. Must be one of [{}]",
        drivers.join(",")
    )))
}

fn check_firelens(firelens: &FirelensConfiguration) -> Result<(), AwsError> {
    let kind = firelens.r#type.as_deref().unwrap_or_default();
    let kinds = enums::FIRELENS_CONFIGURATION_TYPE;
    check_one_of("firelensConfiguration.type", Some(kind), kinds)?;
    let option = |name: &str| {
        let options = firelens.options.as_ref();
        options.and_then(|options| options.get(name).map(String::as_str))
    };
    let source = option("config-file-type");
    check_one_of("config-file-type", source, &["s3", "file"])?;
    let value = option("config-file-value").unwrap_or_default();
    if source.is_some() && value.is_empty() {
        return Err(client(
            "firelensConfiguration with config-file-type requires options: config-file-value",
        ));
    }
    if source == Some("s3") && !value.starts_with("arn:") {
        return Err(client("Invalid arn syntax."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::table::{FINE, answers, container, one, task};
    use serde_json::{Value, json};

    fn log(driver: &str, options: Value) -> Value {
        let log = json!({"logDriver": driver, "options": options});
        container(json!({"logConfiguration": log}))
    }

    #[test]
    fn drivers() {
        let mut secret = log("splunk", json!({"splunk-url": "https://s"}));
        secret["containerDefinitions"][0]["logConfiguration"]["secretOptions"] =
            json!([{"name": "splunk-token", "valueFrom": "token"}]);
        let mut allowed = secret.clone();
        allowed["executionRoleArn"] = json!("exec");
        let mut malformed = allowed.clone();
        malformed["containerDefinitions"][0]["logConfiguration"]["secretOptions"][0]["valueFrom"] =
            json!("a b");
        answers(&[
            (log("json-file", json!({"max-size": "1m"})), FINE),
            (log("none", json!({})), FINE),
            (
                log("loki", json!({})),
                "loki is not a valid log driver. Must be one of [json-file,syslog,journald,gelf,\
                 fluentd,awslogs,splunk,awsfirelens,none]",
            ),
            (
                log("awslogs", json!({})),
                "Log driver awslogs requires options: awslogs-region, awslogs-group",
            ),
            (
                log("awslogs", json!({"awslogs-region": "us-east-1"})),
                "Log driver awslogs requires options: awslogs-group",
            ),
            (
                log(
                    "awslogs",
                    json!({"awslogs-region": "r", "awslogs-group": "g", "mode": "slow"}),
                ),
                "Log driver mode should be one of [blocking,non-blocking]",
            ),
            (
                log("splunk", json!({"splunk-url": "https://s"})),
                "Log driver splunk requires options: splunk-token",
            ),
            (
                secret,
                "When you are specifying container secrets, you must also specify a value for \
                 'executionRoleArn'.",
            ),
            (allowed, FINE),
            (
                malformed,
                "The Systems Manager parameter name specified for secret splunk-token is invalid.",
            ),
        ]);
    }

    #[test]
    fn routers() {
        let app = one(json!({"logConfiguration": {"logDriver": "awsfirelens"}}));
        let router = |name: &str, firelens: Value| {
            one(json!({"name": name, "firelensConfiguration": firelens}))
        };
        let of = |containers: Value| task(json!({"containerDefinitions": containers}));
        let bit = json!({"type": "fluentbit"});
        let from = |kind: &str, value: &str| {
            let options = json!({"config-file-type": kind, "config-file-value": value});
            of(json!([router(
                "r",
                json!({"type": "fluentd", "options": options})
            )]))
        };
        answers(&[
            (of(json!([app, router("r", bit.clone())])), FINE),
            (
                of(json!([app])),
                "When awsfirelens log driver is specified in log configuration, a firelens \
                 configuration object must be configured in one of the containers.",
            ),
            (
                of(json!([router("r", bit.clone()), router("s", bit)])),
                "Only one container of a task definition can have a firelensConfiguration.",
            ),
            (
                of(json!([router("r", json!({"type": "vector"}))])),
                "firelensConfiguration.type should be one of [fluentd,fluentbit]",
            ),
            (from("file", "/fluent.conf"), FINE),
            (from("s3", "arn:aws:s3:::bucket/fluent.conf"), FINE),
            (from("s3", "bucket/fluent.conf"), "Invalid arn syntax."),
            (
                from("http", "x"),
                "config-file-type should be one of [s3,file]",
            ),
            (
                from("file", ""),
                "firelensConfiguration with config-file-type requires options: config-file-value",
            ),
        ]);
    }
}
