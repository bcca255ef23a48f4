//! What health checks cost: processor time with a check in each container, beside the same without.
//!
//! The command is a program that ends at once, so that what is left is what Longshore does for it:
//! the agent's clock, the way to the shim and back, and the process that enters the container.

use super::processor::{self, Processor};
use super::report::{Report, Row};
use super::subject::Subject;
use super::tasks;
use crate::api::Session;
use crate::cli::HealthBench;
use crate::settings::Settings;
use anyhow::{Context, bail};
use aws_api::ecs::operations::{DescribeTasks, RegisterTaskDefinition};
use aws_api::ecs::{
    ContainerDefinition, DescribeTasksRequest, HealthCheck, HostVolumeProperties, KeyValuePair,
    MountPoint, RegisterTaskDefinitionRequest, Task, Volume,
};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const IMAGE: &str = "longshore/hello";
/// MiB of each container.
const MEMORY: i32 = 8;
const PROGRAM: &str = "nothing";
const MOUNTED_AT: &str = "/bench";
/// DescribeTasks' most.
const DESCRIBE_MAX: usize = 100;
const PATIENCE: Duration = Duration::from_secs(180);
/// What a start leaves to do is then done.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures.
pub async fn run(settings: &Settings, what: &HealthBench) -> anyhow::Result<Report> {
    let subject = Subject::find(settings).await?;
    let root = subject.root()?;
    let program = Program::written()?;
    let mut report = Report::new("health");
    let mut uses = Vec::new();
    for checked in [false, true] {
        let mut session = root.connect().await?;
        let interval = checked.then_some(what.interval);
        let definition = register(&mut session, &program, interval).await?;
        let mut arns = Vec::new();
        while arns.len() < what.containers {
            let left = what.containers - arns.len();
            arns.extend(tasks::run(&mut session, &definition, left).await?);
        }
        tasks::until(&mut session, &arns, "RUNNING").await?;
        if checked {
            until_healthy(&mut session, &arns).await?;
        }
        tokio::time::sleep(SETTLE).await;
        let used = over(&subject.settings, what.seconds).await?;
        let name = if checked {
            "with checks"
        } else {
            "without checks"
        };
        report.push(row(name, &used).with("n", arns.len() as f64));
        uses.push(used);
        // The server has closed a connection that was idle for so long.
        let mut session = root.connect().await?;
        if checked {
            // Whatever was measured, it was checks that passed.
            until_healthy(&mut session, &arns).await?;
        }
        tasks::stop(&mut session, &arns).await?;
    }
    let [without, with] = &uses[..] else {
        bail!("two measurements are needed");
    };
    let per_second = what.containers as f64 / f64::from(what.interval.max(1));
    report.push(
        Row::new("the checks' own cost")
            .with("own_percent", with.own() - without.own())
            .with("inside_percent", with.inside - without.inside)
            .with("checks_per_s", per_second),
    );
    report.note("per cent of one core; own: server, agent with zygote and shims themselves (/proc/PID/stat and schedstat)");
    report.note("inside: the containers' control groups, which are their programs, the processes that enter them for a check, and the command (one that ends at once)");
    Ok(report)
}

/// Per cent of one core.
#[derive(Debug)]
struct Use {
    server: f64,
    agent: f64,
    shims: f64,
    inside: f64,
}

impl Use {
    fn own(&self) -> f64 {
        self.server + self.agent + self.shims
    }
}

async fn over(settings: &Settings, seconds: u64) -> anyhow::Result<Use> {
    let (before, began) = (processor::read(settings)?, Instant::now());
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (after, elapsed) = (processor::read(settings)?, began.elapsed());
    let Processor {
        server,
        agent,
        shims,
        inside,
    } = after - before;
    let per_cent = |used: Duration| used.as_secs_f64() / elapsed.as_secs_f64() * 100.0;
    Ok(Use {
        server: per_cent(server),
        agent: per_cent(agent),
        shims: per_cent(shims),
        inside: per_cent(inside),
    })
}

fn row(name: &str, used: &Use) -> Row {
    Row::new(name)
        .with("own_percent", used.own())
        .with("server", used.server)
        .with("agent", used.agent)
        .with("shims", used.shims)
        .with("inside_percent", used.inside)
}

async fn register(
    session: &mut Session,
    program: &Program,
    interval_s: Option<u32>,
) -> anyhow::Result<String> {
    let check = |seconds: u32| HealthCheck {
        command: Some(vec!["CMD".into(), format!("{MOUNTED_AT}/{PROGRAM}")]),
        interval: i32::try_from(seconds).ok(),
        ..Default::default()
    };
    let container = ContainerDefinition {
        name: Some("app".into()),
        image: Some(IMAGE.into()),
        memory: Some(MEMORY),
        // Without a network it can have any port.
        environment: Some(vec![KeyValuePair {
            name: Some("PORT".into()),
            value: Some("80".into()),
        }]),
        mount_points: Some(vec![MountPoint {
            source_volume: Some("bench".into()),
            container_path: Some(MOUNTED_AT.into()),
            read_only: Some(true),
        }]),
        health_check: interval_s.map(check),
        ..Default::default()
    };
    let input = RegisterTaskDefinitionRequest {
        family: Some("bench-health".into()),
        network_mode: Some("none".into()),
        container_definitions: Some(vec![container]),
        volumes: Some(vec![Volume {
            name: Some("bench".into()),
            host: Some(HostVolumeProperties {
                source_path: Some(program.directory.display().to_string()),
            }),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let answer = session.call::<RegisterTaskDefinition>(&input).await?;
    let definition = answer.task_definition.context("no task definition")?;
    definition.task_definition_arn.context("no ARN")
}

async fn until_healthy(session: &mut Session, arns: &[String]) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let is_healthy = |task: &Task| task.health_status.as_deref() == Some("HEALTHY");
    for some in arns.chunks(DESCRIBE_MAX) {
        let input = DescribeTasksRequest {
            tasks: Some(some.to_vec()),
            ..Default::default()
        };
        loop {
            let answer = session.call::<DescribeTasks>(&input).await?;
            if answer.tasks.unwrap_or_default().iter().all(is_healthy) {
                break;
            }
            if Instant::now() > deadline {
                bail!("tasks are not HEALTHY after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// A program that ends at once with 0, in a directory of its own; removed with this.
#[derive(Debug)]
struct Program {
    directory: PathBuf,
}

impl Program {
    fn written() -> anyhow::Result<Self> {
        let name = format!("longshore-bench-{}-program", std::process::id());
        let made = Self {
            directory: std::env::temp_dir().join(name),
        };
        let failed = || format!("cannot make {}", made.directory.display());
        std::fs::create_dir(&made.directory).with_context(failed)?;
        let path = made.directory.join(PROGRAM);
        write_executable(&path, &ends_at_once()).with_context(failed)?;
        Ok(made)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn write_executable(path: &Path, content: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, content)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

/// An ELF executable of this machine that is `exit(0)`: needs no library in the image, and costs
/// what the kernel's start of a program costs.
fn ends_at_once() -> Vec<u8> {
    #[cfg(target_arch = "x86_64")]
    const MACHINE: (u16, &[u8]) = (62, &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]);
    #[cfg(target_arch = "aarch64")]
    const MACHINE: (u16, &[u8]) = (
        183,
        &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4],
    );
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let (machine, code) = MACHINE;
    let size = HEADERS + code.len() as u64;
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let two = |elf: &mut Vec<u8>, values: &[u16]| {
        elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let eight = |elf: &mut Vec<u8>, values: &[u64]| {
        elf.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    // An executable, version 1; its entry, the program headers at 64, no sections, no flags.
    two(&mut elf, &[2, machine, 1, 0]);
    eight(&mut elf, &[BASE + HEADERS, 64, 0]);
    two(&mut elf, &[0, 0, 64, 56, 1, 0, 0, 0]);
    // One segment to load, readable and executable: the whole file.
    two(&mut elf, &[1, 0, 5, 0]);
    eight(&mut elf, &[0, BASE, BASE, size, size, 0x1000]);
    elf.extend(code);
    elf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_ends_at_once_and_well() {
        let program = Program::written().unwrap();
        let path = program.directory.join(PROGRAM);
        let status = std::process::Command::new(&path).status().unwrap();
        assert!(status.success(), "{status}");
        drop(program);
        assert!(!path.exists());
    }
}
