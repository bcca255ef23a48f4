//! `longshore logs`: the awslogs streams of a task, once or followed.

use crate::api::Root;
use crate::cli::LogsOptions;
use crate::ps;
use crate::settings::Settings;
use anyhow::{Context, bail};
use aws_api::ecs::operations::DescribeTaskDefinition;
use aws_api::ecs::{DescribeTaskDefinitionRequest, Task};
use aws_api::logs::GetLogEventsRequest;
use aws_api::logs::operations::GetLogEvents;
use std::process::ExitCode;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// One container's stream, and how far it was read.
struct Stream {
    group: String,
    name: String,
    next: Option<String>,
}

/// Prints a task's log.
pub fn run(settings: &Settings, options: &LogsOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let root = Root::of(settings)?;
        let task = find(&root, options).await?;
        let mut streams = streams(&root, &task, options.container.as_deref()).await?;
        loop {
            for stream in &mut streams {
                print_new(&root, stream).await?;
            }
            if !options.follow {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
}

async fn find(root: &Root, options: &LogsOptions) -> anyhow::Result<Task> {
    let mut tasks = ps::list(root, &options.cluster, "RUNNING").await?;
    tasks.extend(ps::list(root, &options.cluster, "STOPPED").await?);
    let id = |task: &Task| {
        task.task_arn
            .as_deref()
            .and_then(|arn| arn.rsplit('/').next())
            .unwrap_or_default()
            .to_owned()
    };
    let wanted = options.task.rsplit('/').next().unwrap_or(&options.task);
    let mut found: Vec<Task> = tasks
        .into_iter()
        .filter(|task| id(task).starts_with(wanted))
        .collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => bail!("no task begins with {wanted}"),
        several => bail!("{several} tasks begin with {wanted}"),
    }
}

async fn streams(root: &Root, task: &Task, container: Option<&str>) -> anyhow::Result<Vec<Stream>> {
    let input = DescribeTaskDefinitionRequest {
        task_definition: task.task_definition_arn.clone(),
        ..Default::default()
    };
    let definition = root
        .call::<DescribeTaskDefinition>(&input)
        .await?
        .task_definition
        .context("no task definition")?;
    let id = task
        .task_arn
        .as_deref()
        .and_then(|arn| arn.rsplit('/').next())
        .unwrap_or_default();
    let mut streams = Vec::new();
    for defined in definition.container_definitions.unwrap_or_default() {
        let name = defined.name.unwrap_or_default();
        if container.is_some_and(|wanted| wanted != name) {
            continue;
        }
        let Some(log) = defined
            .log_configuration
            .filter(|log| log.log_driver.as_deref() == Some("awslogs"))
        else {
            continue;
        };
        let options = log.options.unwrap_or_default();
        let runtime_id = task
            .containers
            .iter()
            .flatten()
            .find(|running| running.name.as_deref() == Some(&name))
            .and_then(|running| running.runtime_id.clone());
        let stream = match options.get("awslogs-stream-prefix") {
            Some(prefix) => format!("{prefix}/{name}/{id}"),
            None => runtime_id.unwrap_or_default(),
        };
        let group = options.get("awslogs-group").cloned().unwrap_or_default();
        streams.push(Stream {
            group,
            name: stream,
            next: None,
        });
    }
    if streams.is_empty() {
        bail!("the task has no container with the log driver awslogs by that name");
    }
    Ok(streams)
}

async fn print_new(root: &Root, stream: &mut Stream) -> anyhow::Result<()> {
    loop {
        let input = GetLogEventsRequest {
            log_group_name: Some(stream.group.clone()),
            log_stream_name: Some(stream.name.clone()),
            start_from_head: Some(true),
            next_token: stream.next.clone(),
            ..Default::default()
        };
        let page = root.call::<GetLogEvents>(&input).await?;
        for event in page.events.unwrap_or_default() {
            println!("{}", event.message.unwrap_or_default());
        }
        if page.next_forward_token == stream.next {
            return Ok(());
        }
        stream.next = page.next_forward_token;
    }
}
