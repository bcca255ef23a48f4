//! StartTask: one task on each instance named, without a placement.
//!
//! Rule: API reference, StartTask.

use super::run_task::{failure, tasks};
use crate::cluster;
use crate::place::problem;
use crate::place::solve::{Placement, Reason, Refusal, Refused, refuses};
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
    let (mut keys, mut placements) = (Vec::new(), Vec::new());
    let (mut failures, mut why) = (Vec::new(), Refused::default());
    let count = u32::try_from(named.len()).unwrap_or(u32::MAX);
    for instance in named {
        match start_on(txn, ctx, &cluster.name, instance, &launch) {
            Ok((key, placement)) => {
                keys.push(key);
                placements.push(placement);
            }
            Err(NotStarted::Missing(failure)) => failures.push(failure),
            Err(NotStarted::Refused(refusal)) => {
                failures.push(failure(ctx, &cluster.name, &refusal));
                *why.counts.entry(refusal.reason.name()).or_default() += 1;
                why.closest.push(refusal);
            }
        }
    }
    let placed = launch.placed(txn, ctx, count, (&keys, placements));
    ctx.decided(placed.with_refused(Some(why)));
    Ok(StartTaskResponse {
        tasks: Some(tasks(txn, &keys)),
        failures: Some(failures),
    })
}

/// Why an instance that was named got no task.
enum NotStarted {
    /// It is not there.
    Missing(Failure),
    /// It does not take the task.
    Refused(Refusal),
}

fn start_on(
    txn: &mut Txn,
    ctx: &mut Ctx,
    cluster: &str,
    named: &str,
    launch: &Launch,
) -> Result<(TaskKey, Placement), NotStarted> {
    let key = reference::instance(&ctx.scope, cluster, named);
    let record = key.and_then(|key| txn.get(&CONTAINER_INSTANCES, &key).cloned());
    let Some(record) = record else {
        let arn = reference::shown_arn(&ctx.scope, cluster, "container-instance", named);
        return Err(NotStarted::Missing(Failure {
            arn: Some(arn),
            reason: Some("MISSING".into()),
            detail: None,
        }));
    };
    let candidate = problem::candidate(txn, &record, &launch.group);
    let instance = record.key.id.clone();
    let refused = |reason| NotStarted::Refused(Refusal { instance, reason });
    match refuses(&candidate, &launch.requirement_now(txn, &ctx.scope)) {
        Some(reason) => Err(refused(reason)),
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
            match launch.insert(txn, ctx, &placement) {
                Ok(key) => Ok((key, placement)),
                Err(error) => Err(refused(Reason::Interface(error.to_string()))),
            }
        }
    }
}
