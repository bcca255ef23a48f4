//! `longshore up`: the supervisor of this machine's server and agent.
//!
//! It starts them, starts again what dies, adopts those that outlived an earlier supervisor, and
//! says where things are. Killing it ends nothing: the roles run in sessions of their own. SIGINT
//! or SIGTERM does what `down --keep` does.

use crate::cli::{Timing, TlsOptions, UpOptions};
use crate::role::{self, RoleLock};
use crate::settings::Settings;
use anyhow::Context;
use rustix::process::Signal;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The processes that `up` looks after, in the order in which they start.
pub const ROLES: [&str; 2] = ["server", "agent"];
/// A role that is asked to end and has not after this time is killed.
pub const ROLE_PATIENCE: Duration = Duration::from_secs(10);
/// Waits between starts of a role that keeps dying; it starts at the first and doubles to the last.
const RESTART_WAIT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));
/// A role that lived this long starts again at once.
const STEADY: Duration = Duration::from_secs(10);
/// How long `up` waits for the first answer of its server.
const READY_PATIENCE: Duration = Duration::from_secs(120);

/// Runs until a signal asks to stop.
pub fn run(settings: &Settings, options: &UpOptions) -> anyhow::Result<ExitCode> {
    let mut settings = settings.clone();
    settings.data.create()?;
    let _lock = RoleLock::claim(&settings.data.run(), "up")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(supervise(&settings, options))
}

async fn supervise(settings: &Settings, options: &UpOptions) -> anyhow::Result<ExitCode> {
    let (stop, stopping) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A fresh server writes it again; an old one must not be taken for it.
    if role::holder(&settings.data.run(), "server")?.is_none() {
        let _ = std::fs::remove_file(settings.data.run().join("server.json"));
    }
    let roles: Vec<_> = ROLES
        .into_iter()
        .map(|name| {
            tokio::spawn(keep_alive(
                name,
                settings.clone(),
                options.tls.clone(),
                stopping.clone(),
            ))
        })
        .collect();
    let greeting = async {
        ready(settings).await?;
        settings.data.hand_over_root_key()?;
        welcome(settings)?;
        if options.demo {
            crate::demo::run(settings).await?;
        }
        std::future::pending::<anyhow::Result<()>>().await
    };
    let outcome = tokio::select! {
        outcome = greeting => outcome,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    println!(
        "longshore: stopping server and agent; containers go on running. `longshore up` takes them over again, `longshore down` stops them."
    );
    stop.send_replace(true);
    for role in roles {
        role.await?;
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Keeps one role running until asked to stop.
async fn keep_alive(
    name: &'static str,
    settings: Settings,
    tls: TlsOptions,
    mut stopping: watch::Receiver<bool>,
) {
    let mut wait = RESTART_WAIT.0;
    while !*stopping.borrow() {
        let started = Instant::now();
        if let Err(error) = run_once(name, &settings, &tls, &mut stopping).await {
            eprintln!("longshore: {name}: {error:#}");
        }
        if *stopping.borrow() {
            return;
        }
        if started.elapsed() > STEADY {
            wait = RESTART_WAIT.0;
        }
        eprintln!(
            "longshore: the {name} ended; starting it again (log: {})",
            log_path(&settings, name).display()
        );
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => {}
        }
        wait = (wait * 2).min(RESTART_WAIT.1);
    }
}

/// Adopts or starts the role and returns when its process has ended.
async fn run_once(
    name: &'static str,
    settings: &Settings,
    tls: &TlsOptions,
    stopping: &mut watch::Receiver<bool>,
) -> anyhow::Result<()> {
    if let Some(holder) = role::holder(&settings.data.run(), name)? {
        println!("longshore: adopted the running {name} (pid {})", holder.pid);
        tokio::select! {
            () = holder.ended() => {}
            () = asked(stopping) => holder.stop(ROLE_PATIENCE).await,
        }
        return Ok(());
    }
    let mut child = command(name, settings, tls)?
        .spawn()
        .with_context(|| format!("cannot start the {name}"))?;
    let pid = child.id();
    tokio::select! {
        status = child.wait() => {
            let status = status?;
            eprintln!("longshore: {name} (pid {}): {status}", pid.unwrap_or_default());
        }
        () = asked(stopping) => {
            if let Some(pid) = pid.and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
                let _ = rustix::process::kill_process(pid, Signal::TERM);
            }
            if tokio::time::timeout(ROLE_PATIENCE, child.wait()).await.is_err() {
                child.kill().await?;
            }
        }
    }
    Ok(())
}

/// Resolves when the roles are to stop.
async fn asked(stopping: &mut watch::Receiver<bool>) {
    // The sender lives as long as the supervisor; its end means the same.
    let _ = stopping.wait_for(|stop| *stop).await.map(drop);
}

/// The command line of a role: this very program, in a session of its own, logging to a file that
/// outlives the supervisor's terminal.
fn command(name: &str, settings: &Settings, tls: &TlsOptions) -> anyhow::Result<Command> {
    let log_path = log_path(settings, name);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log_path)
        .with_context(|| format!("cannot open {}", log_path.display()))?;
    // Not by path: an upgrade may have replaced the installed file.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg(name)
        .args(handed_on(settings))
        .args(tls_arguments(name, tls))
        .args(lending(name, settings))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .kill_on_drop(false);
    Ok(command)
}

/// This machine's own agent lends FARGATE capacity besides, where it can and its settings do not say otherwise.
fn lending(name: &str, settings: &Settings) -> Option<&'static str> {
    match settings.agent.fargate {
        _ if name != "agent" => None,
        Some(false) => None,
        Some(true) => Some("--fargate=also"),
        None => Some("--fargate=able"),
    }
}

fn tls_arguments(name: &str, tls: &TlsOptions) -> Vec<OsString> {
    let mut arguments = Vec::new();
    if name == "server" {
        for (flag, file) in [("--tls-cert", &tls.tls_cert), ("--tls-key", &tls.tls_key)] {
            if let Some(file) = file {
                arguments.extend([flag.into(), file.into()]);
            }
        }
        if !tls.tls_names.is_empty() {
            arguments.extend(["--tls-names".into(), tls.tls_names.join(",").into()]);
        }
    }
    arguments
}

/// The settings of a role as its command line has them: what was asked of `up` holds for both.
fn handed_on(settings: &Settings) -> Vec<OsString> {
    let timing = match settings.timing.unwrap_or(Timing::Fast) {
        Timing::Aws => "aws",
        Timing::Fast => "fast",
    };
    let mut arguments: Vec<OsString> = vec!["--data".into(), settings.data.path().into()];
    for (flag, value) in [
        ("--listen", settings.listen.to_string()),
        ("--account", settings.account.clone()),
        ("--regions", settings.regions.join(",")),
        ("--timing", timing.into()),
        (
            "--host-lost-after",
            format!("{}ms", settings.host_lost_after.as_millis()),
        ),
    ] {
        arguments.extend([flag.into(), value.into()]);
    }
    if let Some(time) = settings.stopped_tasks_visible {
        let value = format!("{}ms", time.0.as_millis());
        arguments.extend(["--stopped-tasks-visible".into(), value.into()]);
    }
    if let Some(file) = &settings.config {
        arguments.extend(["--config".into(), file.into()]);
    }
    arguments
}

fn log_path(settings: &Settings, name: &str) -> std::path::PathBuf {
    settings.data.log().join(format!("{name}.log"))
}

/// Returns when the server answers and this machine is a container instance.
async fn ready(settings: &Settings) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_PATIENCE;
    loop {
        if crate::api::is_ready(settings).await {
            return Ok(());
        }
        if Instant::now() > deadline {
            anyhow::bail!(
                "no answer after {} s; see {}",
                READY_PATIENCE.as_secs(),
                log_tail_hint(&settings.data.log())
            );
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn log_tail_hint(log: &Path) -> String {
    format!(
        "{0}/server.log and {0}/agent.log, or run `longshore doctor`",
        log.display()
    )
}

fn welcome(settings: &Settings) -> anyhow::Result<()> {
    let info = settings.data.server_info()?;
    let data = settings.data.path().display();
    let flag = if settings.data.path() == Path::new("/var/lib/longshore") {
        String::new()
    } else {
        format!(" --data {data}")
    };
    println!(
        "longshore {version} is up.
  API      {url}  (region {region}, account {account})
  data     {data}
  logs     {data}/log/server.log, agent.log
  cluster  default, with this machine as its container instance
In another shell:
  eval \"$(longshore env{flag})\"
  aws ecs list-container-instances
Stop with Ctrl-C (containers go on) or `longshore down{flag}` (nothing is left).",
        version = env!("CARGO_PKG_VERSION"),
        url = info.url,
        region = info.region,
        account = info.account,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn a_role_reads_what_up_was_asked_for() {
        let words = [
            "longshore",
            "up",
            "--data",
            "/tmp/longshore-of-a-test",
            "--listen",
            "127.0.0.1:1234",
            "--account",
            "123456789012",
            "--regions",
            "eu-west-1,us-east-1",
            "--timing",
            "aws",
            "--stopped-tasks-visible",
            "36h",
        ];
        let asked = Settings::resolve(&Cli::parse_from(words).global).unwrap();
        let words = ["longshore".into(), "server".into()];
        let words = words.into_iter().chain(handed_on(&asked));
        let read = Settings::resolve(&Cli::parse_from(words).global).unwrap();
        assert_eq!(format!("{read:?}"), format!("{asked:?}"));
        let waits = read.waits(Timing::Aws);
        assert_eq!(waits.stopped_task_visible.as_secs(), 36 * 3600);
        assert_eq!(waits.slow_tick, control::Timing::AWS.slow_tick);
    }
}
