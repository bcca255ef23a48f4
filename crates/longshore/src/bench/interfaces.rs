//! Many tasks with an interface of their own on one host: started, called in pairs that chance draws, stopped, and what
//! is left of them then.

use super::connect::{address, netns};
use super::report::{Report, Row};
use super::sample::Sample;
use super::subject::Subject;
use super::{IMAGE, service_calls, tasks};
use crate::api::{Root, Session};
use crate::cli::InterfacesBench;
use crate::settings::Settings;
use anyhow::{Context, ensure};
use aws_api::ecs::Task;
use netdev::namespace;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Of the built-in web server.
const PORT: u16 = 80;
/// A call that takes longer has failed.
const CALL_PATIENCE: Duration = Duration::from_secs(10);
/// Devices of stopped tasks go within some seconds; what is there after so long stays.
const LEAVE_PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Devices that a router has without any interface.
const OF_ROUTER: [&str; 3] = ["lo", "up0", "vx0"];
/// What the pairs follow from, so that two runs call the same.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Measures.
pub async fn run(settings: &Settings, what: &InterfacesBench) -> anyhow::Result<Report> {
    ensure!(what.tasks > 1, "a pair needs two tasks");
    let subject = Subject::find(settings).await?;
    let root = subject.root()?;
    let mut session = root.connect().await?;
    let definition = tasks::register(&mut session, "awsvpc", IMAGE, None).await?;
    let network = tasks::network(&root).await?;
    let data = subject.settings.data.path();
    let before = Left::look(&root, data).await?;
    let mut report = Report::new("interfaces");

    let began = Instant::now();
    let mut arns = Vec::new();
    while arns.len() < what.tasks {
        let more = what.tasks - arns.len();
        arns.extend(tasks::run_in(&mut session, &definition, Some(&network), more).await?);
    }
    let asked = began.elapsed();
    tasks::until(&mut session, &arns, "RUNNING").await?;
    let running = began.elapsed();
    report.push(
        Row::new(format!("{} tasks started", arns.len()))
            .with("asked_s", asked.as_secs_f64())
            .with("running_s", running.as_secs_f64())
            .with("per_second", arns.len() as f64 / running.as_secs_f64()),
    );
    let called = calls(&mut session, data, &arns, what.calls).await;

    // A running Longshore keeps none of them, whatever came of the calls.
    let began = Instant::now();
    tasks::stop(&mut session, &arns).await?;
    let stopped = began.elapsed();
    let (addresses, sample) = called?;
    report.push(sample.row("calls between random pairs, all answered"));
    let left = Left::settled(&root, data, before).await?;
    report.push(
        Row::new("stopped")
            .with("stopped_s", stopped.as_secs_f64())
            .with("gone_s", began.elapsed().as_secs_f64())
            .with("per_second", arns.len() as f64 / stopped.as_secs_f64()),
    );
    report.push(left.row(before, addresses));
    report.note(
        "left: beyond what was there before the first task; devices are those of the VPCs' routers",
    );
    Ok(report)
}

/// Calls from within a task's network to another task's address. How many addresses there are, and how long each call
/// took, connecting included.
async fn calls(
    session: &mut Session,
    data: &Path,
    arns: &[String],
    count: usize,
) -> anyhow::Result<(usize, Sample)> {
    let tasks = service_calls::tasks(session, arns).await?;
    let addresses: Vec<Ipv4Addr> = tasks.iter().filter_map(address).collect();
    let distinct = addresses.iter().collect::<BTreeSet<_>>().len();
    ensure!(
        distinct == arns.len(),
        "{} tasks have {distinct} addresses",
        arns.len()
    );
    let (mut sample, mut dice) = (Sample::default(), SEED);
    for _ in 0..count {
        let from = draw(&mut dice, tasks.len());
        let further = 1 + draw(&mut dice, tasks.len() - 1);
        let to = addresses[(from + further) % tasks.len()];
        sample.push(call(data, &tasks[from], to)?);
    }
    Ok((distinct, sample))
}

fn call(data: &Path, from: &Task, to: Ipv4Addr) -> anyhow::Result<Duration> {
    let netns = netns(&data.join("agent/tasks"), from)?;
    let page = || -> std::io::Result<(Duration, String)> {
        let began = Instant::now();
        let to = SocketAddrV4::new(to, PORT).into();
        let mut stream = TcpStream::connect_timeout(&to, CALL_PATIENCE)?;
        stream.set_read_timeout(Some(CALL_PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok((began.elapsed(), answer))
    };
    let (took, answer) =
        namespace::run_in(&netns, page)?.with_context(|| format!("no answer from {to}"))?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{to} said {answer}");
    Ok(took)
}

/// Below `count`; xorshift, which is even enough to draw pairs.
fn draw(state: &mut u64, count: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state % count.max(1) as u64) as usize
}

/// What a host and the records have of tasks' interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Left {
    /// Records.
    interfaces: usize,
    /// Of tasks.
    namespaces: usize,
    /// In routers.
    devices: usize,
}

impl Left {
    async fn look(root: &Root, data: &Path) -> anyhow::Result<Self> {
        let records = root
            .admin("/longshore/state", "table=ec2.interfaces")
            .await?;
        let vpc = data.join("run/net/vpc");
        let mut devices = 0;
        for router in entries(&vpc.join("routers")) {
            let text = namespace::run_in(&router.path(), || {
                std::fs::read_to_string("/proc/thread-self/net/dev")
            });
            // A router that has gone has none.
            devices += text
                .ok()
                .and_then(Result::ok)
                .map_or(0, |text| of_tasks(&text));
        }
        Ok(Self {
            interfaces: records.lines().count(),
            namespaces: entries(&vpc.join("ns")).count(),
            devices,
        })
    }

    /// Once it is as before, or after some patience.
    async fn settled(root: &Root, data: &Path, before: Self) -> anyhow::Result<Self> {
        let deadline = Instant::now() + LEAVE_PATIENCE;
        loop {
            let now = Self::look(root, data).await?;
            if now == before || Instant::now() > deadline {
                return Ok(now);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn row(self, before: Self, addresses: usize) -> Row {
        let beyond = |now: usize, then: usize| now.saturating_sub(then) as f64;
        Row::new(format!("left, of {addresses} addresses"))
            .with("interfaces", beyond(self.interfaces, before.interfaces))
            .with("namespaces", beyond(self.namespaces, before.namespaces))
            .with("devices", beyond(self.devices, before.devices))
    }
}

fn entries(path: &Path) -> impl Iterator<Item = std::fs::DirEntry> {
    std::fs::read_dir(path).into_iter().flatten().flatten()
}

/// Devices that `/proc/net/dev` names beside a router's own.
fn of_tasks(text: &str) -> usize {
    let names = text
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()));
    names.filter(|name| !OF_ROUTER.contains(name)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_of_tasks_are_counted() {
        let text = "Inter-|   Receive\n face |bytes\n    lo: 0 0\n   up0: 1 2\neac1f1005: 3 4\n   x1a: 0 0\n";
        assert_eq!(of_tasks(text), 2);
    }

    #[test]
    fn pairs_are_of_two_tasks_and_reach_all_of_them() {
        let mut dice = SEED;
        let drawn: BTreeSet<usize> = (0..200).map(|_| draw(&mut dice, 10)).collect();
        assert_eq!(drawn, (0..10).collect());
        for _ in 0..200 {
            let (from, further) = (draw(&mut dice, 3), 1 + draw(&mut dice, 2));
            assert_ne!(from, (from + further) % 3);
        }
    }
}
