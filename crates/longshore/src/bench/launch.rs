//! RunTask until RUNNING is seen by DescribeTasks, one task at a time and many; memory besides.

use super::memory::{self, Memory};
use super::report::{Report, Row};
use super::runc::Runc;
use super::sample::Sample;
use super::subject::Subject;
use super::{IMAGE, tasks};
use crate::api::Session;
use crate::cli::LaunchBench;
use crate::settings::Settings;
use aws_api::ecs::NetworkConfiguration;
use std::time::{Duration, Instant};

const MODES: [&str; 4] = ["host", "none", "bridge", "awsvpc"];
/// Launches that are not counted: the first ones load files and make connections.
const WARM_UP: usize = 5;
/// An idle agent has then done what a start leaves to do.
const SETTLE: Duration = Duration::from_secs(1);

/// What is started.
struct Definition {
    arn: String,
    network: Option<NetworkConfiguration>,
}

impl Definition {
    async fn run(&self, session: &mut Session, count: usize) -> anyhow::Result<Vec<String>> {
        tasks::run_in(session, &self.arn, self.network.as_ref(), count).await
    }
}

/// Measures.
pub async fn run(settings: &Settings, what: &LaunchBench) -> anyhow::Result<Report> {
    let subject = Subject::find(settings).await?;
    let root = subject.root()?;
    let mut session = root.connect().await?;
    let mut definitions = Vec::new();
    for mode in MODES {
        let arn = tasks::register(&mut session, mode, IMAGE, None).await?;
        let network = match mode {
            "awsvpc" => Some(tasks::network(&root).await?),
            _ => None,
        };
        definitions.push(Definition { arn, network });
    }
    tokio::time::sleep(SETTLE).await;
    let idle = memory::read(&subject.settings)?;
    let mut report = Report::new("launch");
    latencies(&mut report, &mut session, &definitions, what.samples).await?;
    let mut loaded = Memory::default();
    for (mode, definition) in MODES.iter().zip(&definitions) {
        let (row, memory) = rate(&mut session, mode, definition, what.count, &subject).await?;
        report.push(row);
        loaded = memory;
    }
    report.push(
        Row::new("memory, idle")
            .with("server_mib", idle.server_mib)
            .with("agent_mib", idle.agent_mib)
            .with("rss_mib", idle.server_mib + idle.agent_mib),
    );
    let shims = loaded.shims.max(1) as f64;
    report.push(
        Row::new("memory, each container")
            .with("shim_mib", loaded.shims_mib / shims)
            .with("agent_mib", (loaded.agent_mib - idle.agent_mib) / shims)
            .with("n", loaded.shims as f64),
    );
    Ok(report)
}

/// One launch of each mode and of the peer in turn, so that all see the same machine.
async fn latencies(
    report: &mut Report,
    session: &mut Session,
    definitions: &[Definition],
    samples: usize,
) -> anyhow::Result<()> {
    let runc = Runc::prepare()?;
    let mut starts: Vec<Sample> = MODES.iter().map(|_| Sample::default()).collect();
    let mut stops: Vec<Sample> = MODES.iter().map(|_| Sample::default()).collect();
    let mut peer = Sample::default();
    for round in 0..WARM_UP + samples {
        let counts = round >= WARM_UP;
        for (at, definition) in definitions.iter().enumerate() {
            let began = Instant::now();
            let arns = definition.run(session, 1).await?;
            tasks::until(session, &arns, "RUNNING").await?;
            let running = began.elapsed();
            let began = Instant::now();
            tasks::stop(session, &arns).await?;
            if counts {
                starts[at].push(running);
                stops[at].push(began.elapsed());
            }
        }
        if let Some(runc) = &runc {
            let running = runc.launch()?;
            if counts {
                peer.push(running);
            }
        }
    }
    for (mode, sample) in MODES.iter().zip(&starts) {
        report.push(sample.row(format!("start, {mode}")));
    }
    match runc {
        Some(_) => report.push(peer.row("start, runc run --detach, host")),
        None => report.note("runc is not installed: no peer in this run"),
    }
    for (mode, sample) in MODES.iter().zip(&stops) {
        report.push(sample.row(format!("stop, {mode}")));
    }
    Ok(())
}

/// Starts `count` tasks as fast as RunTask answers, ten a call, and waits until all run.
async fn rate(
    session: &mut Session,
    mode: &str,
    definition: &Definition,
    count: usize,
    subject: &Subject,
) -> anyhow::Result<(Row, Memory)> {
    let began = Instant::now();
    let mut arns = Vec::new();
    while arns.len() < count {
        arns.extend(definition.run(session, count - arns.len()).await?);
    }
    tasks::until(session, &arns, "RUNNING").await?;
    let running = began.elapsed();
    let memory = memory::read(&subject.settings)?;
    let began = Instant::now();
    tasks::stop(session, &arns).await?;
    let stopped = began.elapsed();
    let per_second = |elapsed: Duration| arns.len() as f64 / elapsed.as_secs_f64();
    let row = Row::new(format!("rate, {mode}"))
        .with("per_second", per_second(running))
        .with("stops_per_s", per_second(stopped))
        .with("n", arns.len() as f64);
    Ok((row, memory))
}
