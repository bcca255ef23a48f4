//! `longshore ps`: tasks, a line each.

use crate::api::Root;
use crate::cli::PsOptions;
use crate::settings::Settings;
use agent::{ContainerLabels, HostRequest};
use aws_api::Shape;
use aws_api::ecs::operations::{DescribeTasks, ListTasks};
use aws_api::ecs::{Container, DescribeTasksRequest, ListTasksRequest, Task};
use aws_wire::protocol::json::JsonWriter;
use serde_json::Value;
use std::collections::HashMap;
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
    if options.json {
        let labels = runtime.block_on(labels(settings))?;
        println!("{}", json(&tasks, &labels)?);
    } else {
        print(&tasks);
    }
    Ok(ExitCode::SUCCESS)
}

/// The labels of this machine's containers by their runtime ids; none where no agent runs.
async fn labels(settings: &Settings) -> anyhow::Result<HashMap<String, ContainerLabels>> {
    let Ok(lines) = agent::ask(&settings.data.run(), &HostRequest::Labels).await else {
        return Ok(HashMap::new());
    };
    let each = lines.iter().map(|line| {
        let of: ContainerLabels = serde_json::from_str(line)?;
        Ok((of.runtime_id.clone(), of))
    });
    each.collect()
}

/// A JSON list: each task as the API has it, with `labels` of each container that is here, and
/// `volumeLabels` of the volumes that it sees and that have some.
fn json(tasks: &[Task], labels: &HashMap<String, ContainerLabels>) -> anyhow::Result<String> {
    let mut all = Vec::new();
    for task in tasks {
        let mut writer = JsonWriter::default();
        task.write(&mut writer);
        let mut shown: Value = serde_json::from_slice(&writer.into_bytes())?;
        for container in shown["containers"].as_array_mut().into_iter().flatten() {
            let of = container["runtimeId"]
                .as_str()
                .and_then(|id| labels.get(id));
            if let Some(of) = of {
                container["labels"] = serde_json::to_value(&of.labels)?;
                if !of.volumes.is_empty() {
                    container["volumeLabels"] = serde_json::to_value(&of.volumes)?;
                }
            }
        }
        all.push(shown);
    }
    Ok(serde_json::to_string_pretty(&all)?)
}

fn print(tasks: &[Task]) {
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
            task.last_status.as_deref().unwrap_or_default(),
            containers.join("  ")
        );
    }
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
