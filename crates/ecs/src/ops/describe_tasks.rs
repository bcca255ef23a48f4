//! DescribeTasks: tasks by id or ARN; what is not there is a failure `MISSING`.
//!
//! Rule: API reference, DescribeTasks.

use crate::cluster;
use crate::records::task::TASKS;
use crate::rules::invalid_parameter;
use crate::task::{reference, shape};
use aws_api::ecs::{DescribeTasksRequest, DescribeTasksResponse, Failure};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use store::World;

/// API reference, DescribeTasks, `tasks`: at most 100.
const TASKS_PER_CALL_MAX: usize = 100;

/// What the caller needs, for each task; who names none may still learn that he has to.
#[must_use]
pub fn authorisation(input: &DescribeTasksRequest, _world: &World, ctx: &Ctx) -> Vec<Ask> {
    let cluster = cluster::name_of(&ctx.scope, input.cluster.as_deref()).unwrap_or_default();
    let tasks = input.tasks.iter().flatten();
    let arn = |task: &String| reference::shown_arn(&ctx.scope, &cluster, "task", task);
    let asks: Vec<_> = tasks
        .map(|task| Ask::new("ecs:DescribeTasks", arn(task)))
        .collect();
    match asks.is_empty() {
        true => vec![Ask::any("ecs:DescribeTasks")],
        false => asks,
    }
}

/// Describes tasks, each once, in the order asked.
///
/// # Errors
/// `ClusterNotFoundException`; `InvalidParameterException` for none or too many.
pub fn describe_tasks(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeTasksRequest,
) -> Result<DescribeTasksResponse, AwsError> {
    let cluster = cluster::require(world, &ctx.scope, input.cluster.as_deref())?;
    let named = input.tasks.as_deref().unwrap_or_default();
    match named.len() {
        0 => return Err(invalid_parameter("Tasks cannot be empty.")),
        1..=TASKS_PER_CALL_MAX => {}
        _ => {
            return Err(invalid_parameter(format!(
                "Tasks cannot be more than {TASKS_PER_CALL_MAX}."
            )));
        }
    }
    let include = input.include.as_deref().unwrap_or_default();
    if include.iter().any(|what| what != "TAGS") {
        return Err(invalid_parameter("include should be one of [TAGS]"));
    }
    let (mut tasks, mut failures, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for text in named {
        let key = reference::task(&ctx.scope, &cluster.name, text);
        match key.and_then(|key| world.get(&TASKS, &key)) {
            Some(record) if seen.insert(&record.key) => {
                tasks.push(shape::task(world, record, !include.is_empty()));
            }
            Some(_) => {}
            None => failures.push(Failure {
                arn: Some(reference::shown_arn(
                    &ctx.scope,
                    &cluster.name,
                    "task",
                    text,
                )),
                reason: Some("MISSING".into()),
                detail: None,
            }),
        }
    }
    Ok(DescribeTasksResponse {
        tasks: Some(tasks),
        failures: Some(failures),
    })
}
