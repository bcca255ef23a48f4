//! `longshore bench`: what this build does on this machine, measured through the public API beside
//! a peer where one is installed.
//!
//! Each bench starts a Longshore of its own in a temporary directory and removes it, unless `--data`
//! names a running one. It prints a table, or with `--json` one object. Absolute figures move with
//! the machine and its load: compare rows of one run.

mod api;
mod connect;
mod connect_load;
mod deploy;
mod health;
mod interfaces;
mod launch;
mod logs;
mod memory;
mod network;
mod network_calls;
mod placement;
mod processor;
mod pull;
mod registry;
mod replace;
mod report;
mod runc;
mod sample;
mod service_calls;
mod services;
mod state;
mod subject;
mod tasks;

use crate::cli::{BenchCommand, BenchOptions};
use crate::settings::Settings;
use std::process::ExitCode;

/// What most benches run.
const IMAGE: &str = "longshore/hello";

/// Runs one bench.
pub fn run(settings: &Settings, options: &BenchOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        match &options.what {
            BenchCommand::Launch(what) => launch::run(settings, what).await,
            BenchCommand::Api(what) => api::run(settings, what).await,
            BenchCommand::State(what) => state::run(settings, what).await,
            BenchCommand::Placement(what) => placement::run(what).await,
            BenchCommand::Services(what) => services::run(what),
            BenchCommand::Pull(what) => pull::run(settings, what).await,
            BenchCommand::Logs(what) => logs::run(settings, what).await,
            BenchCommand::Health(what) => health::run(settings, what).await,
            BenchCommand::Replace(what) => replace::run(settings, what).await,
            BenchCommand::Network(what) => network::run(what),
            BenchCommand::Interfaces(what) => interfaces::run(settings, what).await,
            BenchCommand::Connect(what) => connect::run(settings, what).await,
            BenchCommand::Deploy(what) => deploy::run(settings, what).await,
        }
    })?;
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    Ok(ExitCode::SUCCESS)
}
