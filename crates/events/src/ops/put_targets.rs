//! PutTargets: adds targets to a rule, or replaces those of the same id.
//!
//! A target is refused where its deliveries could never arrive as they were asked for.

use crate::destination::{Destination, NotADestination};
use crate::http_parameters;
use crate::input::Path;
use crate::records::{ENDPOINTS, RuleKey, TARGETS, TargetKey, TargetRecord};
use crate::rules::{TARGETS_MAX, ask_rule, check_bus, invalid, limit_exceeded, not_valid, rule};
use aws_api::Stored;
use aws_api::events::{PutTargetsRequest, PutTargetsResponse, Target};
use aws_types::{Arn, AwsError, Ctx, Scope};
use iam::Ask;
use std::collections::BTreeSet;
use store::{Key, TableKey, Txn, World};

/// Asks for the rule, and to hand over the targets' roles.
pub fn authorisation(input: &PutTargetsRequest, _: &World, ctx: &Ctx) -> Vec<Ask> {
    let mut asks = ask_rule(ctx, "PutTargets", input.rule.as_deref());
    let targets = input.targets.iter().flatten();
    let roles = targets.filter_map(|target| target.role_arn.as_ref());
    asks.extend(roles.map(|role| Ask::new("iam:PassRole", role)));
    asks
}

/// Checks every target, writes all of them.
pub fn put_targets(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &PutTargetsRequest,
) -> Result<PutTargetsResponse, AwsError> {
    check_bus(&ctx.scope, input.event_bus_name.as_deref())?;
    let key = RuleKey::new(&ctx.scope, input.rule.as_deref().unwrap_or_default());
    rule(txn, &key)?;
    let targets = input.targets.as_deref().unwrap_or_default();
    let mut ids = BTreeSet::new();
    for target in targets {
        check(txn, &ctx.scope, target)?;
        if !ids.insert(target.id.clone().unwrap_or_default()) {
            let id = target.id.as_deref().unwrap_or_default();
            return Err(invalid(format!("Duplicate target id: {id}")));
        }
    }
    let of_rule = key.encode();
    let there = txn.scan_prefix(&TARGETS, &of_rule, None);
    ids.extend(there.map(|(_, record)| record.key.id.clone()));
    if ids.len() > TARGETS_MAX {
        return Err(limit_exceeded());
    }
    for target in targets {
        let key = TargetKey {
            rule: key.clone(),
            id: target.id.clone().unwrap_or_default(),
        };
        let before = txn.get(&TARGETS, &key).map(|before| before.stream.clone());
        let record = TargetRecord {
            key,
            target: Stored(target.clone()),
            stream: before.unwrap_or_else(|| ctx.ids.uuid()),
        };
        txn.put(&TARGETS, record);
    }
    Ok(PutTargetsResponse {
        failed_entry_count: Some(0),
        failed_entries: Some(Vec::new()),
    })
}

fn check(world: &World, scope: &Scope, target: &Target) -> Result<(), AwsError> {
    let arn = target.arn.as_deref().unwrap_or_default();
    let destination = Destination::parse(scope, arn).map_err(|why| {
        let reason = match why {
            NotADestination::Malformed => "Provided Arn is not in correct format.",
            NotADestination::Elsewhere => "Targets must be in the rule's own account and region.",
            NotADestination::OtherService => {
                "This Longshore delivers to log groups, ECS clusters and declared API destinations."
            }
        };
        not_valid(arn, reason)
    })?;
    match &destination {
        Destination::LogGroup(_) => {}
        Destination::Cluster(_) => check_tasks(target, arn)?,
        Destination::Endpoint(name) => {
            let Some(endpoint) = world.get(&ENDPOINTS, &Key::of(&[name])) else {
                let reason = format!("API destination {name} is not declared in longshore.toml.");
                return Err(not_valid(arn, &reason));
            };
            check_path(target, &endpoint.url)?;
        }
    }
    check_parameters(target, &destination)?;
    check_input(target)
}

/// What running tasks needs: the parameters, and a role, which is checked by its shape alone.
fn check_tasks(target: &Target, arn: &str) -> Result<(), AwsError> {
    let id = target.id.as_deref().unwrap_or_default();
    if target.ecs_parameters.is_none() {
        return Err(invalid(format!(
            "Parameter EcsParameters must be specified for target: {id}."
        )));
    }
    let Some(role) = target.role_arn.as_deref() else {
        return Err(invalid(format!("RoleArn is required for target {arn}.")));
    };
    let role_of: Option<Arn> = role.parse().ok();
    let is_role =
        role_of.is_some_and(|role| role.service == "iam" && role.resource.starts_with("role/"));
    match is_role {
        true => Ok(()),
        false => Err(not_valid(role, "Provided Arn is not in correct format.")),
    }
}

/// Each `*` in the path of an endpoint's URL takes one value.
fn check_path(target: &Target, url: &str) -> Result<(), AwsError> {
    let Some(given) = &target.http_parameters else {
        return Ok(());
    };
    let values = given.path_parameter_values.as_ref().map_or(0, Vec::len);
    let wildcards = http_parameters::wildcards(url);
    match values == wildcards {
        true => Ok(()),
        false => {
            let id = target.id.as_deref().unwrap_or_default();
            Err(invalid(format!(
                "PathParameterValues for target {id} must have one value for each of the {wildcards} path \
                 wildcards of the API destination's endpoint."
            )))
        }
    }
}

/// Parameters of targets that there are not would be promises that nobody keeps.
fn check_parameters(target: &Target, destination: &Destination) -> Result<(), AwsError> {
    let is_cluster = matches!(destination, Destination::Cluster(_));
    let is_endpoint = matches!(destination, Destination::Endpoint(_));
    let given = [
        ("KinesisParameters", target.kinesis_parameters.is_some()),
        (
            "RunCommandParameters",
            target.run_command_parameters.is_some(),
        ),
        (
            "EcsParameters",
            target.ecs_parameters.is_some() && !is_cluster,
        ),
        ("BatchParameters", target.batch_parameters.is_some()),
        ("SqsParameters", target.sqs_parameters.is_some()),
        (
            "HttpParameters",
            target.http_parameters.is_some() && !is_endpoint,
        ),
        (
            "RedshiftDataParameters",
            target.redshift_data_parameters.is_some(),
        ),
        (
            "SageMakerPipelineParameters",
            target.sage_maker_pipeline_parameters.is_some(),
        ),
        ("AppSyncParameters", target.app_sync_parameters.is_some()),
        (
            "DeadLetterConfig",
            target
                .dead_letter_config
                .as_ref()
                .is_some_and(|to| to.arn.is_some()),
        ),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((name, _)) => {
            let id = target.id.as_deref().unwrap_or_default();
            let why = match *name {
                "DeadLetterConfig" => " This Longshore serves no SQS queue.",
                _ => "",
            };
            Err(invalid(format!(
                "Parameter {name} is not supported for target: {id}.{why}"
            )))
        }
    }
}

fn check_input(target: &Target) -> Result<(), AwsError> {
    let id = target.id.as_deref().unwrap_or_default();
    let given = [
        target.input.is_some(),
        target.input_path.is_some(),
        target.input_transformer.is_some(),
    ];
    if given.iter().filter(|is_given| **is_given).count() > 1 {
        return Err(invalid(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        )));
    }
    let input = target.input.as_deref();
    if input.is_some_and(|text| serde_json::from_str::<serde_json::Value>(text).is_err()) {
        return Err(invalid(format!(
            "JSON syntax error in Input for target {id}."
        )));
    }
    let transformer = target.input_transformer.as_ref();
    let paths = transformer.and_then(|transformer| transformer.input_paths_map.as_ref());
    let paths = paths.into_iter().flat_map(|paths| paths.values());
    let wrong = paths
        .chain(&target.input_path)
        .find(|path| Path::parse(path).is_none());
    if wrong.is_some() {
        return Err(invalid(format!("InputPath for target {id} is invalid.")));
    }
    let names = transformer.and_then(|transformer| transformer.input_paths_map.as_ref());
    let mut names = names.into_iter().flat_map(|paths| paths.keys());
    match names.find(|name| name.to_ascii_lowercase().starts_with("aws")) {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "InputPathsMap key {name} for target {id} is invalid: it must not start with AWS."
        ))),
    }
}
