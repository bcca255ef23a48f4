//! Reads what a frame shows from the running server.

use super::model::Seen;
use super::view::View;
use crate::api::{self, Root, Session};
use aws_api::ecs::operations::{
    DescribeClusters, DescribeServices, DescribeTasks, ListClusters, ListServices, ListTasks,
};
use aws_api::ecs::{
    DescribeClustersRequest, DescribeServicesRequest, DescribeTasksRequest, ListClustersRequest,
    ListServicesRequest, ListTasksRequest,
};

/// More are counted and not read: a frame comes twice a second, and a cluster may have 100,000 tasks.
const SERVICES_MAX: usize = 200;
const TASKS_MAX: usize = 300;
/// What one call describes at most.
const CLUSTERS_DESCRIBED_MAX: usize = 100;
const SERVICES_DESCRIBED_MAX: usize = 10;
const TASKS_DESCRIBED_MAX: usize = 100;
const PAGE_LEN: i32 = 100;

/// Reads everything that `view` looks at, which moves to what is there.
pub async fn fetch(session: &mut Session, root: &Root, view: &mut View) -> anyhow::Result<Seen> {
    let mut seen = Seen {
        at: api::now(),
        server: root.server().url().to_owned(),
        ..Seen::default()
    };
    clusters(session, &mut seen).await?;
    if !seen.clusters.iter().any(|row| row.name == view.cluster) {
        // It was deleted, or there is none yet.
        return Ok(seen);
    }
    services(session, &view.cluster, &mut seen).await?;
    view.settle_service(&seen);
    tasks(session, view, &mut seen).await?;
    view.settle(&seen);
    Ok(seen)
}

async fn clusters(session: &mut Session, seen: &mut Seen) -> anyhow::Result<()> {
    let mut next_token = None;
    loop {
        let input = ListClustersRequest {
            max_results: Some(PAGE_LEN),
            next_token,
        };
        let page = session.call::<ListClusters>(&input).await?;
        let arns = page.cluster_arns.unwrap_or_default();
        for some in arns.chunks(CLUSTERS_DESCRIBED_MAX) {
            let input = DescribeClustersRequest {
                clusters: Some(some.to_vec()),
                ..Default::default()
            };
            let answer = session.call::<DescribeClusters>(&input).await?;
            let clusters = answer.clusters.unwrap_or_default();
            seen.clusters.extend(clusters.iter().map(Into::into));
        }
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    seen.clusters.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

async fn services(session: &mut Session, cluster: &str, seen: &mut Seen) -> anyhow::Result<()> {
    let mut arns = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListServicesRequest {
            cluster: Some(cluster.into()),
            max_results: Some(PAGE_LEN),
            next_token,
            ..Default::default()
        };
        let page = session.call::<ListServices>(&input).await?;
        arns.extend(page.service_arns.unwrap_or_default());
        next_token = page.next_token;
        if next_token.is_none() || arns.len() >= SERVICES_MAX {
            break;
        }
    }
    let counted = seen.clusters.iter().find(|row| row.name == cluster);
    let counted = counted.map_or(0, |row| row.services);
    seen.services_len = len(&arns, next_token.is_some(), counted);
    arns.truncate(SERVICES_MAX);
    for some in arns.chunks(SERVICES_DESCRIBED_MAX) {
        let input = DescribeServicesRequest {
            cluster: Some(cluster.into()),
            services: Some(some.to_vec()),
            ..Default::default()
        };
        let answer = session.call::<DescribeServices>(&input).await?;
        let services = answer.services.unwrap_or_default();
        seen.services.extend(services.iter().map(Into::into));
    }
    seen.services.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

/// Tasks that are to run: of the service, or, where there is none or all are asked for, of the
/// cluster.
async fn tasks(session: &mut Session, view: &View, seen: &mut Seen) -> anyhow::Result<()> {
    let service = view.service.clone().filter(|_| !view.is_all);
    let mut arns = Vec::new();
    let mut next_token = None;
    loop {
        let input = ListTasksRequest {
            cluster: Some(view.cluster.clone()),
            service_name: service.clone(),
            max_results: Some(PAGE_LEN),
            next_token,
            ..Default::default()
        };
        let page = session.call::<ListTasks>(&input).await?;
        arns.extend(page.task_arns.unwrap_or_default());
        next_token = page.next_token;
        if next_token.is_none() || arns.len() >= TASKS_MAX {
            break;
        }
    }
    let of_service = view.service_at(seen).filter(|_| service.is_some());
    let counted = match of_service.map(|at| &seen.services[at]) {
        Some(row) => row.running + row.pending,
        None => {
            let cluster = seen.clusters.iter().find(|row| row.name == view.cluster);
            cluster.map_or(0, |row| row.running + row.pending)
        }
    };
    seen.tasks_len = len(&arns, next_token.is_some(), counted);
    arns.truncate(TASKS_MAX);
    for some in arns.chunks(TASKS_DESCRIBED_MAX) {
        let input = DescribeTasksRequest {
            cluster: Some(view.cluster.clone()),
            tasks: Some(some.to_vec()),
            ..Default::default()
        };
        let answer = session.call::<DescribeTasks>(&input).await?;
        let tasks = answer.tasks.unwrap_or_default();
        seen.tasks.extend(tasks.iter().map(Into::into));
    }
    // The newest first: of a deployment, what it is starting.
    let newest = |task: &super::model::TaskRow| (std::cmp::Reverse(task.since), task.id.clone());
    seen.tasks.sort_by_key(newest);
    Ok(())
}

/// How many there are: those listed, or, where the listing was left off, as many as are counted.
fn len(listed: &[String], has_more: bool, counted: i32) -> usize {
    let counted = usize::try_from(counted).unwrap_or(0);
    match has_more {
        true => counted.max(listed.len()),
        false => listed.len(),
    }
}
