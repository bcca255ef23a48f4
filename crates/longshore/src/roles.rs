//! `longshore server` and `longshore agent`: one process each, started by `up` or by hand; and what the agent starts.

use crate::cli::{AgentOptions, Timing, TlsOptions};
use crate::data_dir::ServerInfo;
use crate::role::RoleLock;
use crate::settings::Settings;
use anyhow::Context;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the control plane until SIGTERM or SIGINT.
pub fn server(settings: &Settings, tls: &TlsOptions) -> anyhow::Result<ExitCode> {
    let mut settings = settings.clone();
    settings.data.create()?;
    start_log();
    let _lock = RoleLock::claim(&settings.data.run(), "server")?;
    let config = control::ServerConfig {
        state_dir: settings.data.state(),
        keys_dir: settings.data.keys(),
        listen: settings.listen,
        tls: tls_mode(&settings, tls),
        account: settings.account.clone(),
        regions: settings.regions.clone(),
        timing: settings.waits(Timing::Aws),
        host_lost_after: settings.host_lost_after,
        targets: settings.targets.clone(),
        routes: routes(),
    };
    let ready = |endpoint: &control::Endpoint| {
        let info = ServerInfo {
            url: endpoint.url.clone(),
            ca_file: endpoint.anchor_file.clone(),
            region: settings.regions[0].clone(),
            account: settings.account.clone(),
        };
        write_info(&settings.data.run().join("server.json"), &info)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(control::run(config, ready, asked_to_stop()?))?;
    Ok(ExitCode::SUCCESS)
}

/// Where this machine knows a way to.
fn routes() -> Vec<ipnet::Ipv4Net> {
    let all = netdev::device::destinations().into_iter();
    all.filter_map(|to| ipnet::Ipv4Net::new(to.network(), to.prefix_len()).ok())
        .collect()
}

/// Runs this host's agent until SIGTERM or SIGINT.
pub fn agent(settings: &Settings, options: &AgentOptions) -> anyhow::Result<ExitCode> {
    let mut settings = settings.clone();
    settings.data.create()?;
    start_log();
    let _lock = RoleLock::claim(&settings.data.run(), "agent")?;
    crate::agent_process::run(&settings, options)
}

/// Runs this host's proxy of Service Connect until the agent ends it.
pub fn proxy() -> anyhow::Result<ExitCode> {
    start_log();
    agent::run_proxy().context("the proxy cannot run")?;
    Ok(ExitCode::SUCCESS)
}

fn tls_mode(settings: &Settings, options: &TlsOptions) -> control::TlsMode {
    match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => control::TlsMode::Given {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        _ if settings.listen.ip().is_loopback() => control::TlsMode::Off,
        _ => control::TlsMode::Own {
            names: options.tls_names.clone(),
        },
    }
}

/// Resolves when the process is asked to end.
pub fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    // A multi-thread runtime's handle is not entered yet: the signals are taken inside.
    Ok(async {
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            // Without handlers the signals' default action ends the process, which is as good.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Lines of fields on standard error; `LONGSHORE_LOG` selects (default `info`).
pub fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LONGSHORE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would tell of a line that could not be written by a line that must be: on a full disk
        // that is a panic.
        .log_internal_errors(false)
        .try_init();
}

fn write_info(path: &Path, info: &ServerInfo) -> anyhow::Result<()> {
    let temporary = path.with_extension("json.new");
    std::fs::write(&temporary, serde_json::to_vec(info)?)
        .and_then(|()| std::fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
