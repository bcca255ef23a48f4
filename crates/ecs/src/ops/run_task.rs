//! RunTask: places tasks by itself, inside its transaction.
//!
//! What finds no room is a `failure` with its reason, not an error. Rule: API reference, RunTask.

use crate::cluster;
use crate::place::feed::PLACEMENT;
use crate::place::index::Cluster;
use crate::place::solve::{Reason, Refusal};
use crate::records::container_instance::InstanceKey;
use crate::records::run_token::TokenKey;
use crate::records::task::{TASKS, TaskKey};
use crate::rules::{capacity, invalid_parameter, run_task as rules};
use crate::service::launch::by_provider;
use crate::service::providers;
use crate::task::launch::Launch;
use crate::task::{authorised, launch, shape, tokens};
use aws_api::ecs::{Failure, RunTaskRequest, RunTaskResponse, Task};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::borrow::Cow;
use store::{TableKey, Txn, World};

/// What AWS says where no capacity is left.
const NO_CAPACITY: &str = "Capacity is unavailable at this time. Please try again later or in a \
                           different availability zone";

/// The failure where all instances drain.
const NO_ACTIVE_INSTANCES: &str = "NO ACTIVE INSTANCES";

/// What the caller needs: to run this definition, and to hand over its roles.
#[must_use]
pub fn authorisation(input: &RunTaskRequest, world: &World, ctx: &Ctx) -> Vec<Ask> {
    let definition = input.task_definition.as_deref();
    authorised::to_launch(
        "ecs:RunTask",
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

/// Starts `count` tasks where there is room.
///
/// # Errors
/// `ClusterNotFoundException`, `InvalidParameterException`, `ClientException`,
/// `ConflictException`, each with AWS's text.
pub fn run_task(
    txn: &mut Txn,
    ctx: &mut Ctx,
    input: &RunTaskRequest,
) -> Result<RunTaskResponse, AwsError> {
    let cluster = cluster::require(txn, &ctx.scope, input.cluster.as_deref());
    let capacity = capacity::of(
        cluster.as_deref().ok(),
        input.launch_type.as_deref(),
        input.capacity_provider_strategy.as_ref(),
    )?;
    let count = rules::check_run(input, &capacity.launch_type)?;
    let cluster = cluster?;
    let token = input.client_token.as_ref().map(|token| TokenKey {
        scope: ctx.scope.clone(),
        cluster: cluster.name.clone(),
        token: token.clone(),
    });
    if let Some(tasks) = tokens::earlier(txn, token.as_ref(), input, ctx.now)? {
        let keys = tasks
            .into_iter()
            .map(|id| TaskKey::new(&ctx.scope, &cluster.name, &id.0));
        return Ok(answer(txn, &keys.collect::<Vec<_>>(), Vec::new()));
    }
    let asked = launch::Asked::from(input).launched_by(&capacity.launch_type);
    let launch = launch::prepare(txn, ctx, &cluster, asked)?;
    let index = txn.view(&PLACEMENT).cluster(&cluster.key().encode());
    if launch.fargate.is_none() && index.is_none_or(Cluster::is_empty) {
        return Err(invalid_parameter(
            "No Container Instances were found in your cluster.",
        ));
    }
    let turns = providers::of_call(&capacity.strategy, count);
    let (keys, refusals) = place(txn, ctx, &launch, turns);
    if let Some(token) = token {
        let ids = keys.iter().map(|key| key.id.clone()).collect();
        tokens::remember(txn, ctx, token, input, ids);
    }
    let failures = failures(ctx, &cluster.name, &refusals);
    Ok(answer(txn, &keys, failures))
}

/// Starts the tasks of each provider in turn; gives them, and what refused others.
fn place(
    txn: &mut Txn,
    ctx: &mut Ctx,
    launch: &Launch,
    turns: Vec<(Option<String>, u32)>,
) -> (Vec<TaskKey>, Vec<Refusal>) {
    let (mut all, mut refusals) = (Vec::new(), Vec::new());
    for (provider, count) in turns {
        let launch = match provider {
            Some(name) => Cow::Owned(by_provider(launch.clone(), &name)),
            None => Cow::Borrowed(launch),
        };
        let (keys, decision) = launch.place(txn, ctx, count);
        let placed = launch.placed(txn, ctx, count, (&keys, decision.placements));
        let refused = decision.refused.iter().flat_map(|why| &why.refusals);
        refusals.extend(refused.cloned());
        ctx.decided(placed.with_refused(decision.refused));
        all.extend(keys);
    }
    (all, refusals)
}

fn answer(world: &World, keys: &[TaskKey], failures: Vec<Failure>) -> RunTaskResponse {
    RunTaskResponse {
        tasks: Some(tasks(world, keys)),
        failures: Some(failures),
    }
}

/// Tasks as RunTask and StartTask answer them.
pub(super) fn tasks(world: &World, keys: &[TaskKey]) -> Vec<Task> {
    let records = keys.iter().filter_map(|key| world.get(&TASKS, key));
    records
        .map(|record| shape::task(world, record, true))
        .collect()
}

/// What RunTask answers for the tasks that found no room: of each instance its reason, or that there is none which might
/// take any. Rule: semantics 4.5.
fn failures(ctx: &Ctx, cluster: &str, refusals: &[Refusal]) -> Vec<Failure> {
    let is_inactive = |refusal: &Refusal| refusal.reason == Reason::Inactive;
    if !refusals.is_empty() && refusals.iter().all(is_inactive) {
        return vec![Failure {
            reason: Some(NO_ACTIVE_INSTANCES.into()),
            ..Failure::default()
        }];
    }
    let each = refusals.iter();
    each.map(|refusal| failure(ctx, cluster, refusal)).collect()
}

/// A refusal as RunTask and StartTask answer it.
pub(super) fn failure(ctx: &Ctx, cluster: &str, refusal: &Refusal) -> Failure {
    // Of launch type FARGATE no instance is shown.
    let id = Some(&refusal.instance.0).filter(|id| !id.is_empty());
    Failure {
        arn: id.map(|id| InstanceKey::new(&ctx.scope, cluster, id).arn()),
        reason: Some(refusal.reason.name().into()),
        detail: match refusal.reason {
            Reason::Capacity(_) => Some(NO_CAPACITY.into()),
            _ => None,
        },
    }
}
