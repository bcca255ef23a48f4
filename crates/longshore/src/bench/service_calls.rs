//! Services as benches need them, over one kept connection.

use super::tasks::POLL_EVERY;
use crate::api::Session;
use anyhow::{Context, bail};
use aws_api::ecs::operations::{
    CreateService, DeleteService, DescribeServices, DescribeTasks, ListTasks,
};
use aws_api::ecs::{
    CreateServiceRequest, DeleteServiceRequest, DeploymentConfiguration, DescribeServicesRequest,
    DescribeTasksRequest, ListTasksRequest, Service, Task,
};
use rustix::process::Pid;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(300);
const DESCRIBE_MAX: usize = 100;
/// What is not measured is looked for less often.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Creates a service of so many tasks.
pub async fn create(
    session: &mut Session,
    name: &str,
    definition: &str,
    desired: usize,
    configuration: DeploymentConfiguration,
) -> anyhow::Result<()> {
    let input = CreateServiceRequest {
        service_name: Some(name.into()),
        task_definition: Some(definition.into()),
        desired_count: i32::try_from(desired).ok(),
        deployment_configuration: Some(configuration),
        ..Default::default()
    };
    session.call::<CreateService>(&input).await.map(drop)
}

/// Describes a service.
pub async fn describe(session: &mut Session, name: &str) -> anyhow::Result<Service> {
    let input = DescribeServicesRequest {
        services: Some(vec![name.into()]),
        ..Default::default()
    };
    let answer = session.call::<DescribeServices>(&input).await?;
    let mut services = answer.services.unwrap_or_default();
    services.pop().with_context(|| format!("no service {name}"))
}

/// Waits until it tells of a steady state by another event than this one: every task counts as
/// healthy then. The event's id.
pub async fn steady(
    session: &mut Session,
    name: &str,
    told: Option<&str>,
) -> anyhow::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let service = describe(session, name).await?;
        let newest = service.events.iter().flatten().next();
        if let Some(event) = newest
            && let (Some(id), Some(text)) = (&event.id, &event.message)
            && text.ends_with("has reached a steady state.")
            && told != Some(id)
        {
            return Ok(id.clone());
        }
        if Instant::now() > deadline {
            let last = newest.and_then(|event| event.message.as_deref());
            let last = last.unwrap_or_default();
            bail!("{name} is not steady after {PATIENCE:?}: {last}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Polls every 2 ms until its PRIMARY deployment, another one than `before`, is COMPLETED.
pub async fn completed(session: &mut Session, name: &str, before: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let mut poll = tokio::time::interval(POLL_EVERY);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        let service = describe(session, name).await?;
        let primary = service.deployments.iter().flatten().next();
        let primary = primary.with_context(|| format!("{name} has no deployment"))?;
        let is_new = primary.id.as_deref() != Some(before);
        match primary.rollout_state.as_deref() {
            Some("COMPLETED") if is_new => return Ok(()),
            Some("FAILED") if is_new => {
                let why = primary.rollout_state_reason.as_deref();
                bail!("the deployment failed: {}", why.unwrap_or_default());
            }
            _ if Instant::now() > deadline => bail!("not COMPLETED after {PATIENCE:?}"),
            _ => {}
        }
    }
}

/// ARNs of its tasks with this desired status.
pub async fn list(
    session: &mut Session,
    name: &str,
    desired_status: &str,
) -> anyhow::Result<Vec<String>> {
    let mut arns = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListTasksRequest {
            service_name: Some(name.into()),
            desired_status: Some(desired_status.into()),
            next_token,
            ..Default::default()
        };
        let page = session.call::<ListTasks>(&input).await?;
        arns.extend(page.task_arns.unwrap_or_default());
        next_token = page.next_token;
        if next_token.is_none() {
            return Ok(arns);
        }
    }
}

/// Describes tasks.
pub async fn tasks(session: &mut Session, arns: &[String]) -> anyhow::Result<Vec<Task>> {
    let mut all = Vec::new();
    for some in arns.chunks(DESCRIBE_MAX) {
        let input = DescribeTasksRequest {
            tasks: Some(some.to_vec()),
            ..Default::default()
        };
        let answer = session.call::<DescribeTasks>(&input).await?;
        all.extend(answer.tasks.unwrap_or_default());
    }
    Ok(all)
}

/// Deletes a service and waits until none of its tasks is left.
pub async fn delete(session: &mut Session, name: &str) -> anyhow::Result<()> {
    let input = DeleteServiceRequest {
        service: Some(name.into()),
        force: Some(true),
        ..Default::default()
    };
    session.call::<DeleteService>(&input).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let service = describe(session, name).await?;
        let is_gone = service.status.as_deref() == Some("INACTIVE");
        if is_gone && service.running_count == Some(0) && service.pending_count == Some(0) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{name} still has tasks after {PATIENCE:?}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The first process of a task's container, as the record in the agent's directory names it.
pub fn first_process(tasks: &Path, arn: &str) -> anyhow::Result<Pid> {
    let id = arn.rsplit('/').next().unwrap_or(arn);
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    entries(tasks)
        .filter(|task| task.file_name().to_string_lossy().contains(id))
        .flat_map(|task| entries(&task.path().join("containers")).collect::<Vec<_>>())
        .filter_map(|container| std::fs::read(container.path().join("state.json")).ok())
        .filter_map(|state| serde_json::from_slice::<Value>(&state).ok())
        .filter_map(|state| i32::try_from(state["pid"].as_i64()?).ok())
        .find_map(Pid::from_raw)
        .with_context(|| format!("no container of {arn} runs on this machine"))
}
