//! Definitions and tasks as benches need them, over one kept connection.

use crate::api::{Root, Session};
use anyhow::{Context, bail};
use aws_api::ecs::operations::{DescribeTasks, RegisterTaskDefinition, RunTask, StopTask};
use aws_api::ecs::{
    AwsVpcConfiguration, ContainerDefinition, DescribeTasksRequest, KeyValuePair, LogConfiguration,
    NetworkConfiguration, PortMapping, RegisterTaskDefinitionRequest, RunTaskRequest,
    StopTaskRequest, Task,
};
use std::time::{Duration, Instant};

/// The poll of the launch figures (design, "Speed, measured").
pub const POLL_EVERY: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(120);
/// RunTask's most, and DescribeTasks'.
const COUNT_MAX: usize = 10;
const DESCRIBE_MAX: usize = 100;

/// Registers the built-in image as `bench-MODE`; `memory` in MiB.
pub async fn register(
    session: &mut Session,
    mode: &str,
    image: &str,
    log: Option<LogConfiguration>,
) -> anyhow::Result<String> {
    // Ports of an interface of its own are nobody else's.
    let is_shared = !matches!(mode, "bridge" | "awsvpc");
    let ports = (mode == "bridge").then(|| {
        vec![PortMapping {
            container_port: Some(80),
            ..Default::default()
        }]
    });
    // In host mode many of them live side by side: the kernel chooses the port.
    let environment = is_shared.then(|| {
        vec![KeyValuePair {
            name: Some("PORT".into()),
            value: Some("0".into()),
        }]
    });
    let container = ContainerDefinition {
        name: Some("app".into()),
        image: Some(image.into()),
        memory: Some(16),
        port_mappings: ports,
        environment,
        log_configuration: log,
        ..Default::default()
    };
    let input = RegisterTaskDefinitionRequest {
        family: Some(format!("bench-{mode}")),
        network_mode: Some(mode.into()),
        container_definitions: Some(vec![container]),
        ..Default::default()
    };
    let answer = session.call::<RegisterTaskDefinition>(&input).await?;
    let definition = answer.task_definition.context("no task definition")?;
    definition.task_definition_arn.context("no ARN")
}

/// A subnet of the default VPC, in the zone of this machine.
pub async fn network(root: &Root) -> anyhow::Result<NetworkConfiguration> {
    let rows = root.admin("/longshore/state", "table=ec2.subnets").await?;
    let rows = rows.lines().map(serde_json::from_str::<serde_json::Value>);
    let records = rows.filter_map(|row| Some(row.ok()?["record"].clone()));
    let here = |record: &serde_json::Value| {
        let zone = record["zone"].as_str().unwrap_or_default();
        record["default_for_az"] == true && zone.ends_with('a')
    };
    let record = records
        .into_iter()
        .find(here)
        .context("no default subnet")?;
    let id = record["key"]["id"]
        .as_str()
        .context("a subnet without id")?;
    Ok(NetworkConfiguration {
        awsvpc_configuration: Some(AwsVpcConfiguration {
            subnets: Some(vec![id.into()]),
            ..Default::default()
        }),
    })
}

/// Starts `count` tasks (at most ten).
pub async fn run(
    session: &mut Session,
    definition: &str,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    run_in(session, definition, None, count).await
}

/// The same, in this network.
pub async fn run_in(
    session: &mut Session,
    definition: &str,
    network: Option<&NetworkConfiguration>,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    let input = RunTaskRequest {
        task_definition: Some(definition.into()),
        network_configuration: network.cloned(),
        count: i32::try_from(count.min(COUNT_MAX)).ok(),
        ..Default::default()
    };
    let answer = session.call::<RunTask>(&input).await?;
    if let Some(failure) = answer.failures.unwrap_or_default().first() {
        let reason = failure.reason.as_deref().unwrap_or_default();
        bail!("a task was not placed: {reason}");
    }
    let tasks = answer.tasks.unwrap_or_default();
    Ok(tasks.into_iter().filter_map(|task| task.task_arn).collect())
}

/// Polls until every task has this status; the last of them as described.
pub async fn until(session: &mut Session, arns: &[String], status: &str) -> anyhow::Result<Task> {
    let deadline = Instant::now() + PATIENCE;
    let mut last = None;
    for some in arns.chunks(DESCRIBE_MAX) {
        let input = DescribeTasksRequest {
            tasks: Some(some.to_vec()),
            ..Default::default()
        };
        let mut poll = tokio::time::interval(POLL_EVERY);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            poll.tick().await;
            let answer = session.call::<DescribeTasks>(&input).await?;
            let tasks = answer.tasks.unwrap_or_default();
            let is = |task: &Task, status: &str| task.last_status.as_deref() == Some(status);
            if tasks.len() == some.len() && tasks.iter().all(|task| is(task, status)) {
                last = tasks.into_iter().next_back();
                break;
            }
            if let Some(task) = tasks.iter().find(|task| is(task, "STOPPED"))
                && status != "STOPPED"
            {
                bail!("a task stopped: {}", why(task));
            }
            if Instant::now() > deadline {
                bail!("tasks are not {status} after {PATIENCE:?}");
            }
        }
    }
    last.context("no task to wait for")
}

fn why(task: &Task) -> String {
    let of_container = task.containers.iter().flatten();
    let reason = of_container.filter_map(|container| container.reason.clone());
    let stopped = task.stopped_reason.clone().into_iter();
    stopped.chain(reason).collect::<Vec<_>>().join("; ")
}

/// Stops tasks and waits until they are STOPPED.
pub async fn stop(session: &mut Session, arns: &[String]) -> anyhow::Result<()> {
    for arn in arns {
        let input = StopTaskRequest {
            task: Some(arn.clone()),
            ..Default::default()
        };
        session.call::<StopTask>(&input).await?;
    }
    until(session, arns, "STOPPED").await.map(drop)
}
