//! `longshore why`: why a task, a container instance, a service or a request went as it did.

mod connect;
mod service;
mod text;

use crate::api::Root;
use crate::settings::Settings;
use aws_wire::head::percent_encoded;
use clap::Args;
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;

/// What is asked.
#[derive(Args, Debug)]
pub struct Options {
    /// Task or container instance (ARN, id, or the first digits of one), a service (ARN, name or
    /// CLUSTER/NAME), or a request's id
    #[arg(value_name = "TASK|INSTANCE|SERVICE|REQUEST-ID")]
    pub of: String,
    /// Print the same as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints what the running server knows, and what the agent here counted.
pub fn run(settings: &Settings, options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let query = format!("of={}", percent_encoded(&options.of));
    let known = runtime.block_on(Root::of(settings)?.admin("/longshore/why", &query))?;
    let mut known: Value = serde_json::from_str(&known)?;
    runtime.block_on(connect::add(settings, &mut known));
    let shown = match options.json {
        true => format!("{known:#}\n"),
        false => text::of(&known),
    };
    std::io::stdout().write_all(shown.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
