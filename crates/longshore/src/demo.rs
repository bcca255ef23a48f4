//! `longshore up --demo`: a first task through the public API, with the AWS CLI lines for it.

use crate::api::Root;
use crate::settings::Settings;
use anyhow::{Context, bail};
use aws_api::ecs::operations::{DescribeTasks, RegisterTaskDefinition, RunTask};
use aws_api::ecs::{
    ContainerDefinition, DescribeTasksRequest, PortMapping, RegisterTaskDefinitionRequest,
    RunTaskRequest,
};
use std::time::Duration;

const FAMILY: &str = "longshore-hello";
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the built-in image and prints where it answers.
pub async fn run(settings: &Settings) -> anyhow::Result<()> {
    let root = Root::of(settings)?;
    println!("\nA first task, as you would start it yourself:");
    println!(
        r#"  aws ecs register-task-definition --family {FAMILY} --network-mode bridge \
    --container-definitions '[{{"name":"hello","image":"longshore/hello","memory":32,"portMappings":[{{"containerPort":80}}]}}]'"#
    );
    let container = ContainerDefinition {
        name: Some("hello".into()),
        image: Some("longshore/hello".into()),
        memory: Some(32),
        port_mappings: Some(vec![PortMapping {
            container_port: Some(80),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let input = RegisterTaskDefinitionRequest {
        family: Some(FAMILY.into()),
        network_mode: Some("bridge".into()),
        container_definitions: Some(vec![container]),
        ..Default::default()
    };
    root.call::<RegisterTaskDefinition>(&input).await?;
    println!("  aws ecs run-task --task-definition {FAMILY}");
    let input = RunTaskRequest {
        task_definition: Some(FAMILY.into()),
        ..Default::default()
    };
    let ran = root.call::<RunTask>(&input).await?;
    if let Some(failure) = ran.failures.unwrap_or_default().first() {
        bail!(
            "the demo's task was not placed: {}",
            failure.reason.as_deref().unwrap_or_default()
        );
    }
    let arn = ran
        .tasks
        .unwrap_or_default()
        .into_iter()
        .next()
        .and_then(|task| task.task_arn)
        .context("no task")?;
    println!("  aws ecs describe-tasks --tasks {arn}");
    let port = tokio::time::timeout(PATIENCE, host_port(&root, &arn))
        .await
        .context("the demo's task does not run")??;
    println!("It answers at http://127.0.0.1:{port}/  (curl http://127.0.0.1:{port}/)");
    println!("Stop it with: aws ecs stop-task --task {arn}");
    Ok(())
}

async fn host_port(root: &Root, arn: &str) -> anyhow::Result<i32> {
    loop {
        let input = DescribeTasksRequest {
            tasks: Some(vec![arn.to_owned()]),
            ..Default::default()
        };
        let task = root
            .call::<DescribeTasks>(&input)
            .await?
            .tasks
            .unwrap_or_default()
            .into_iter()
            .next()
            .context("no task")?;
        if task.last_status.as_deref() == Some("STOPPED") {
            let reason = task
                .containers
                .iter()
                .flatten()
                .find_map(|container| container.reason.clone());
            bail!(
                "the demo's task stopped: {} {}",
                task.stopped_reason.unwrap_or_default(),
                reason.unwrap_or_default()
            );
        }
        let bindings = task
            .containers
            .iter()
            .flatten()
            .flat_map(|container| container.network_bindings.iter().flatten());
        if let Some(port) = bindings.filter_map(|binding| binding.host_port).next() {
            return Ok(port);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
