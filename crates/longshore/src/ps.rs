//! `longshore ps`: tasks, a line each.

use crate::api::Root;
use crate::cli::PsOptions;
use crate::settings::Settings;
use aws_api::ecs::operations::{DescribeTasks, ListTasks};
use aws_api::ecs::{Container, DescribeTasksRequest, ListTasksRequest, Task};
use std::process::ExitCode;

/// Prints the tasks of a cluster.
pub fn run(settings: &Settings, options: &PsOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = runtime.block_on(async {
        let root = Root::of(settings)?;
        let mut tasks = list(&root, &options.cluster, "RUNNING").await?;
        if options.all {
            tasks.extend(list(&root, &options.cluster, "STOPPED").await?);
        }
        anyhow::Ok(tasks)
    })?;
    println!(
        "{:<34}{:<24}{:<11}CONTAINERS",
        "TASK", "DEFINITION", "STATUS"
    );
    for task in tasks {
        let last = |arn: &Option<String>| {
            arn.as_deref()
                .and_then(|arn| arn.rsplit('/').next())
                .unwrap_or_default()
                .to_owned()
        };
        let containers: Vec<_> = task.containers.iter().flatten().map(container).collect();
        println!(
            "{:<34}{:<24}{:<11}{}",
            last(&task.task_arn),
            last(&task.task_definition_arn),
            task.last_status.unwrap_or_default(),
            containers.join("  ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn container(container: &Container) -> String {
    let name = container.name.as_deref().unwrap_or_default();
    let ports: Vec<_> = container
        .network_bindings
        .iter()
        .flatten()
        .map(|binding| {
            let text = |one: Option<i32>, range: &Option<String>| {
                let range = range.clone();
                range.unwrap_or_else(|| one.unwrap_or_default().to_string())
            };
            let host = text(binding.host_port, &binding.host_port_range);
            let inside = text(binding.container_port, &binding.container_port_range);
            format!("{host}->{inside}")
        })
        .collect();
    match (ports.is_empty(), container.exit_code) {
        (_, Some(code)) => format!("{name} (exit {code})"),
        (true, None) => name.to_owned(),
        (false, None) => format!("{name} ({})", ports.join(", ")),
    }
}

/// The tasks of a cluster with this desired status.
pub async fn list(root: &Root, cluster: &str, desired: &str) -> anyhow::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListTasksRequest {
            cluster: Some(cluster.into()),
            desired_status: Some(desired.into()),
            next_token,
            ..Default::default()
        };
        let page = root.call::<ListTasks>(&input).await?;
        let arns = page.task_arns.unwrap_or_default();
        if !arns.is_empty() {
            let input = DescribeTasksRequest {
                cluster: Some(cluster.into()),
                tasks: Some(arns),
                ..Default::default()
            };
            tasks.extend(
                root.call::<DescribeTasks>(&input)
                    .await?
                    .tasks
                    .unwrap_or_default(),
            );
        }
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(tasks);
        }
    }
}
