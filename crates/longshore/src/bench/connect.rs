//! What Service Connect costs: requests, connections and bytes through the proxy, beside the same straight to the
//! target.
//!
//! Two tasks, whose containers do nothing. This process serves in the one's network and calls from the other's, so that
//! both ways have the same ends.

use super::connect_load::{self as load, Figures, Load};
use super::report::{Report, Row};
use super::subject::Subject;
use super::{IMAGE, memory, processor, service_calls as services, tasks};
use crate::api::Session;
use crate::cli::ConnectBench;
use crate::settings::Settings;
use anyhow::Context;
use aws_api::ecs::operations::{
    CreateCluster, CreateService, DeleteCluster, RegisterTaskDefinition,
};
use aws_api::ecs::{
    ClusterServiceConnectDefaultsRequest, ContainerDefinition, CreateClusterRequest,
    CreateServiceRequest, DeleteClusterRequest, NetworkConfiguration, PortMapping,
    RegisterTaskDefinitionRequest, ServiceConnectClientAlias, ServiceConnectConfiguration,
    ServiceConnectService, Task,
};
use aws_api::servicediscovery::DeleteNamespaceRequest;
use aws_api::servicediscovery::operations::DeleteNamespace;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The server's ports: by name, with what is spoken there.
const PORTS: [(&str, u16, Option<&str>); 2] = [("http", 9001, Some("http")), ("tcp", 9002, None)];
/// The aliases' addresses follow from their names' order.
const FIRST_ALIAS: u32 = 0x7fff_0001;

/// Measures.
pub async fn run(settings: &Settings, what: &ConnectBench) -> anyhow::Result<Report> {
    let subject = Subject::find(settings).await?;
    let mut session = subject.root()?.connect().await?;
    let network = tasks::network(&subject.root()?).await?;
    let names = Names::new();
    let space = names.make(&mut session).await?;
    let measured = measure(&mut session, &subject.settings, (&names, network), what).await;
    // A running Longshore keeps nothing of it either way. Its server has closed what was silent for the loads' time.
    let mut session = subject.root()?.connect().await?;
    names.remove(&mut session, &space).await?;
    let mut report = measured?;
    report.note(format!(
        "{} connections kept, {} s a load, in {} turns, of which the middle is shown; client, servers and proxy \
         share the processors",
        what.connections, what.seconds, what.rounds
    ));
    Ok(report)
}

async fn measure(
    session: &mut Session,
    settings: &Settings,
    (names, network): (&Names, NetworkConfiguration),
    what: &ConnectBench,
) -> anyhow::Result<Report> {
    let exposed = PORTS.map(|(name, port, _)| exposed(name, port));
    let server = names
        .service(session, &names.server, network.clone(), exposed.into())
        .await?;
    let client = names
        .service(session, &names.client, network, Vec::new())
        .await?;
    let tasks = settings.data.path().join("agent/tasks");
    let address = address(&server).context("a task without an address")?;
    load::serve(&netns(&tasks, &server)?, PORTS.map(|(_, port, _)| port))?;
    let ways = ways(address);
    let load = Load {
        netns: netns(&tasks, &client)?,
        connections: what.connections,
        time: Duration::from_secs(what.seconds.max(1)),
    };
    let mut rounds: Vec<Vec<Figures>> = vec![Vec::new(); ways.len()];
    for _ in 0..what.rounds.max(1) {
        for ((_, to), figures) in ways.iter().zip(&mut rounds) {
            let used = || processor::named(&proxies(settings));
            figures.push(load.run(*to, used)?);
        }
    }
    let mut report = Report::new("connect");
    for ((name, _), figures) in ways.iter().zip(&rounds) {
        report.push(row(name, figures));
    }
    let resident = memory::resident(&proxies(settings));
    report.push(Row::new("memory, proxy").with("rss_mib", resident));
    Ok(report)
}

/// Straight, and by each alias.
fn ways(address: Ipv4Addr) -> Vec<(&'static str, SocketAddrV4)> {
    let aliases = (FIRST_ALIAS..).map(Ipv4Addr::from);
    let proxied = PORTS.iter().zip(aliases);
    let proxied = proxied.map(|((name, port, _), alias)| (*name, SocketAddrV4::new(alias, *port)));
    let straight = ("straight", SocketAddrV4::new(address, PORTS[0].1));
    std::iter::once(straight).chain(proxied).collect()
}

fn row(name: &str, rounds: &[Figures]) -> Row {
    let middle = |figure: fn(&Figures) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Row::new(name)
        .with("req_per_s", middle(|f| f.requests_per_second))
        .with("p50_ms", middle(|f| f.p50_ms))
        .with("p99_ms", middle(|f| f.p99_ms))
        .with("conn_per_s", middle(|f| f.connections_per_second))
        .with("gbit_per_s", middle(|f| f.bits_per_second / 1e9))
        .with("proxy_us_req", middle(|f| f.proxy_us_per_request))
}

/// What the bench makes, by names of its own.
struct Names {
    space: String,
    server: String,
    client: String,
}

/// What is to be removed by its id.
struct Made {
    cluster: String,
    namespace: String,
}

impl Names {
    fn new() -> Self {
        let id = std::process::id();
        Self {
            space: format!("bench-connect-{id}"),
            server: format!("bench-connect-server-{id}"),
            client: format!("bench-connect-client-{id}"),
        }
    }

    /// A namespace comes with a cluster whose default it is.
    async fn make(&self, session: &mut Session) -> anyhow::Result<Made> {
        let input = CreateClusterRequest {
            cluster_name: Some(self.space.clone()),
            service_connect_defaults: Some(ClusterServiceConnectDefaultsRequest {
                namespace: Some(self.space.clone()),
            }),
            ..Default::default()
        };
        let answer = session.call::<CreateCluster>(&input).await?;
        let cluster = answer.cluster.context("no cluster")?;
        let defaults = cluster.service_connect_defaults.context("no namespace")?;
        let arn = defaults.namespace.unwrap_or_default();
        Ok(Made {
            cluster: cluster.cluster_arn.context("no ARN")?,
            namespace: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        })
    }

    async fn remove(&self, session: &mut Session, made: &Made) -> anyhow::Result<()> {
        for name in [&self.client, &self.server] {
            // One that was not made is not there to be deleted.
            if services::describe(session, name).await.is_ok() {
                services::delete(session, name).await?;
            }
        }
        let input = DeleteClusterRequest {
            cluster: Some(made.cluster.clone()),
        };
        session.call::<DeleteCluster>(&input).await?;
        let input = DeleteNamespaceRequest {
            id: Some(made.namespace.clone()),
        };
        session.call::<DeleteNamespace>(&input).await.map(drop)
    }

    /// A service of one task, once that is well.
    async fn service(
        &self,
        session: &mut Session,
        name: &str,
        network: NetworkConfiguration,
        exposed: Vec<ServiceConnectService>,
    ) -> anyhow::Result<Task> {
        let connect = ServiceConnectConfiguration {
            enabled: Some(true),
            namespace: Some(self.space.clone()),
            services: (!exposed.is_empty()).then_some(exposed),
            ..Default::default()
        };
        let input = CreateServiceRequest {
            service_name: Some(name.into()),
            task_definition: Some(register(session).await?),
            desired_count: Some(1),
            network_configuration: Some(network),
            service_connect_configuration: Some(connect),
            ..Default::default()
        };
        session.call::<CreateService>(&input).await?;
        services::steady(session, name, None).await?;
        let running = services::list(session, name, "RUNNING").await?;
        let tasks = services::tasks(session, &running).await?;
        tasks.into_iter().next().context("no task runs")
    }
}

async fn register(session: &mut Session) -> anyhow::Result<String> {
    let mapping = |(name, port, protocol): (&str, u16, Option<&str>)| PortMapping {
        name: Some(name.into()),
        container_port: Some(port.into()),
        app_protocol: protocol.map(Into::into),
        ..Default::default()
    };
    let container = ContainerDefinition {
        name: Some("app".into()),
        image: Some(IMAGE.into()),
        memory: Some(16),
        port_mappings: Some(PORTS.map(mapping).into()),
        ..Default::default()
    };
    let input = RegisterTaskDefinitionRequest {
        family: Some("bench-connect".into()),
        network_mode: Some("awsvpc".into()),
        container_definitions: Some(vec![container]),
        ..Default::default()
    };
    let answer = session.call::<RegisterTaskDefinition>(&input).await?;
    let definition = answer.task_definition.context("no task definition")?;
    definition.task_definition_arn.context("no ARN")
}

fn exposed(name: &str, port: u16) -> ServiceConnectService {
    ServiceConnectService {
        port_name: Some(name.into()),
        client_aliases: Some(vec![ServiceConnectClientAlias {
            port: Some(port.into()),
            dns_name: Some(format!("bench-{name}")),
            ..Default::default()
        }]),
        ..Default::default()
    }
}

/// Of a task's interface.
pub fn address(task: &Task) -> Option<Ipv4Addr> {
    let attachments = task.attachments.iter().flatten();
    let mut details = attachments.flat_map(|one| one.details.iter().flatten());
    let detail = details.find(|detail| detail.name.as_deref() == Some("privateIPv4Address"))?;
    detail.value.as_ref()?.parse().ok()
}

/// Of a task of this machine, by its first container's process.
pub fn netns(tasks: &Path, task: &Task) -> anyhow::Result<PathBuf> {
    let arn = task.task_arn.as_deref().unwrap_or_default();
    let pid = services::first_process(tasks, arn)?;
    Ok(PathBuf::from(format!(
        "/proc/{}/ns/net",
        pid.as_raw_nonzero()
    )))
}

/// What marks the proxy of this data directory among processes: its command line.
fn proxies(settings: &Settings) -> Vec<i32> {
    let data = settings.data.path().as_os_str().as_encoded_bytes();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        words.next() == Some(b"longshore-proxy") && words.any(|word| word == data)
    };
    pids.filter(is_ours).collect()
}
