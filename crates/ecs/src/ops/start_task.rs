//! StartTask: one task on each instance named, without a placement.
//!
//! Rule: API reference, StartTask.

use super::run_task::{failure, tasks};
use crate::cluster;
use crate::place::problem;
use crate::place::solve::{Placement, Reason, Refusal, refuses};
use crate::records::container_instance::CONTAINER_INSTANCES;
use crate::records::task::TaskKey;
use crate::rules::run_task as rules;
use crate::task::launch::Launch;
use crate::task::{authorised, launch, reference};
use aws_api::ecs::{Failure, StartTaskRequest, StartTaskResponse};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use store::{Txn, World};

/// What the caller needs: to start this definition, and to hand over its roles.
#[must_use]
pub fn authorisation(input: &StartTaskRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let definition = input.task_definition.as_deref();
    authorised::to_launch(
        "ecs:StartTask",
        world,
        ctx,
        definition,
        input.overrides.as_ref(),
    )
    .into_iter()
    .chain(authorised::to_tag(
        world,
        ctx,
        input.cluster.as_deref(),
        input.tags.as_deref(),
    ))
    .collect()
}

/// Starts a task on each instance that takes it.
///
/// # Errors
/// `ClusterNotFoundException`, `InvalidParameterException`, `ClientException`.
pub fn start_task(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &StartTaskRequest,
) -> Result<StartTaskResponse, AwsError> {
    let named = rules::check_start(input)?;
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref())?;
    let launch = launch::prepare(txn, ctx, &cluster, launch::Asked::from(input))?;
    let (mut keys, mut failures) = (Vec::new(), Vec::new());
    for instance in named {
        match start_on(txn, ctx, &cluster.name, instance, &launch) {
            Ok(key) => keys.push(key),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(StartTaskResponse {
        tasks: Some(tasks(txn, &keys)),
        failures: Some(failures),
    })
}

fn start_on(
    txn: &mut Txn,
    ctx: &mut Ctx,
    cluster: &str,
    named: &str,
    launch: &Launch,
) -> Result<TaskKey, Failure> {
    let key = reference::instance(&ctx.scope, cluster, named);
    let record = key.and_then(|key| txn.get(&CONTAINER_INSTANCES, &key).cloned());
    let Some(record) = record else {
        return Err(Failure {
            arn: Some(reference::shown_arn(
                &ctx.scope,
                cluster,
                "container-instance",
                named,
            )),
            reason: Some("MISSING".into()),
            detail: None,
        });
    };
    let candidate = problem::candidate(txn, &record, &launch.group);
    let refuse = |reason: Reason| {
        let instance = record.key.id.clone();
        failure(ctx, cluster, &Refusal { instance, reason })
    };
    match refuses(&candidate, &launch.requirement) {
        Some(reason) => Err(refuse(reason)),
        None => {
            let gpus = candidate.free.gpus.iter();
            let placement = Placement {
                instance: record.key.id.clone(),
                gpus: gpus
                    .take(launch.requirement.gpus as usize)
                    .cloned()
                    .collect(),
                tasks_of_group: candidate.tasks_of_group,
                tasks: candidate.tasks,
            };
            Ok(launch.insert(txn, ctx, &placement))
        }
    }
}
