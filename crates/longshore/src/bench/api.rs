//! Signed reads and durable writes a second, over many connections.
//!
//! The load is signed beforehand, so that what is measured is the server, not the signer; the
//! server verifies each request. Client and server share the machine's processors.

use super::report::{Report, Row};
use super::sample::Sample;
use super::subject::Subject;
use super::tasks;
use crate::api::Root;
use crate::cli::ApiBench;
use crate::http::Connection;
use crate::settings::Settings;
use anyhow::ensure;
use aws_api::ecs::operations::{DescribeTasks, ListClusters, RegisterTaskDefinition, TagResource};
use aws_api::ecs::{
    ContainerDefinition, DescribeTasksRequest, ListClustersRequest, RegisterTaskDefinitionRequest,
    Tag, TagResourceRequest,
};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// Measures.
pub async fn run(settings: &Settings, what: &ApiBench) -> anyhow::Result<Report> {
    let subject = Subject::find(settings).await?;
    let root = subject.root()?;
    let mut session = root.connect().await?;
    let definition = tasks::register(&mut session, "none", "longshore/hello", None).await?;
    let arns = tasks::run(&mut session, &definition, 1).await?;
    let task = tasks::until(&mut session, &arns, "RUNNING").await?;
    let cluster = task.cluster_arn.clone().unwrap_or_default();
    let mut report = Report::new("api");
    let load = Load {
        root: &root,
        connections: what.connections,
        lasting: Duration::from_secs(what.seconds),
    };
    let describe = root.signed::<DescribeTasks>(&DescribeTasksRequest {
        tasks: Some(arns.clone()),
        ..Default::default()
    });
    let list = root.signed::<ListClusters>(&ListClustersRequest::default());
    report.push(
        load.run("read: DescribeTasks", |_| describe.clone())
            .await?,
    );
    report.push(load.run("read: ListClusters", |_| list.clone()).await?);
    let register = |at: usize| root.signed::<RegisterTaskDefinition>(&definition_of(at));
    report.push(load.run("write: RegisterTaskDefinition", register).await?);
    let tag = |at: usize| {
        root.signed::<TagResource>(&TagResourceRequest {
            resource_arn: Some(cluster.clone()),
            tags: Some(vec![Tag {
                key: Some(format!("bench-{}", at % 8)),
                value: Some(at.to_string()),
            }]),
        })
    };
    report.push(load.run("write: TagResource", tag).await?);
    // The session was idle for longer than the server keeps a silent connection.
    tasks::stop(&mut root.connect().await?, &arns).await?;
    report.note(format!(
        "{} connections, requests signed beforehand, client and server on {} processors",
        what.connections,
        std::thread::available_parallelism().map_or(1, usize::from)
    ));
    Ok(report)
}

fn definition_of(at: usize) -> RegisterTaskDefinitionRequest {
    RegisterTaskDefinitionRequest {
        family: Some(format!("bench-api-{at}")),
        container_definitions: Some(vec![ContainerDefinition {
            name: Some("app".into()),
            image: Some("longshore/hello".into()),
            memory: Some(16),
            ..Default::default()
        }]),
        ..Default::default()
    }
}

struct Load<'a> {
    root: &'a Root,
    connections: usize,
    lasting: Duration,
}

impl Load<'_> {
    /// Each connection sends its own request again and again, one at a time.
    async fn run(
        &self,
        what: &str,
        mut request: impl FnMut(usize) -> Vec<u8>,
    ) -> anyhow::Result<Row> {
        let mut connections = Vec::new();
        for at in 0..self.connections {
            connections.push((Connection::open(self.root.server()).await?, request(at)));
        }
        let began = Instant::now();
        let until = began + self.lasting;
        let local = LocalSet::new();
        let running: Vec<_> = connections
            .into_iter()
            .map(|(connection, request)| {
                local.spawn_local(drive(connection, request.into(), until))
            })
            .collect();
        local.await;
        let elapsed = began.elapsed();
        let mut sample = Sample::default();
        for one in running {
            sample.extend(one.await??);
        }
        Ok(Row::new(what)
            .with("per_second", sample.len() as f64 / elapsed.as_secs_f64())
            .with("p50_ms", sample.percentile_ms(50))
            .with("p99_ms", sample.percentile_ms(99))
            .with("n", sample.len() as f64))
    }
}

async fn drive(
    mut connection: Connection,
    request: Rc<[u8]>,
    until: Instant,
) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    loop {
        let began = Instant::now();
        if began >= until {
            return Ok(sample);
        }
        let (status, body) = connection.exchange(&request).await?;
        ensure!(
            status == 200,
            "{status}: {}",
            String::from_utf8_lossy(&body)
        );
        sample.push(began.elapsed());
    }
}
