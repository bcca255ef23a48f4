//! `longshore events`: what ECS emitted, from the running server's history.

mod text;

use crate::api::Root;
use crate::settings::Settings;
use aws_wire::head::percent_encoded;
use clap::{Args, ValueEnum};
use serde_json::Value;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// How often the history is asked for more.
const PAUSE: Duration = Duration::from_millis(300);

/// What is asked.
#[derive(Args, Debug)]
pub struct Options {
    /// Wait for more
    #[arg(long, short)]
    pub follow: bool,
    /// Print each event as one line of JSON, as rules see it
    #[arg(long)]
    pub json: bool,
    /// Only events of this cluster
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Only events of this service, its deployments and its tasks
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Only events of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<Kind>,
}

/// A type of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// ECS Task State Change
    Task,
    /// ECS Container Instance State Change
    Instance,
    /// ECS Deployment State Change
    Deployment,
    /// ECS Service Action
    Action,
    /// Scheduled Event
    Schedule,
}

impl Kind {
    fn detail_type(self) -> &'static str {
        match self {
            Self::Task => "ECS Task State Change",
            Self::Instance => "ECS Container Instance State Change",
            Self::Deployment => "ECS Deployment State Change",
            Self::Action => "ECS Service Action",
            Self::Schedule => "Scheduled Event",
        }
    }
}

/// Prints the kept events, then those that come.
pub fn run(settings: &Settings, options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let root = Root::of(settings)?;
    runtime.block_on(follow(&root, options))?;
    Ok(ExitCode::SUCCESS)
}

async fn follow(root: &Root, options: &Options) -> anyhow::Result<()> {
    let mut query = String::new();
    loop {
        let told = match root.admin("/longshore/events", &query).await {
            Ok(told) => told,
            // A server that is started again is followed on.
            Err(_) if options.follow && !query.is_empty() => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let told: Value = serde_json::from_str(&told)?;
        show(&told, options)?;
        let of = told["of"].as_str().unwrap_or_default();
        query = format!("of={}&after={}", percent_encoded(of), told["next"]);
        match (told["is_last"] == true, options.follow) {
            (true, false) => return Ok(()),
            (true, true) => tokio::time::sleep(PAUSE).await,
            (false, _) => {}
        }
    }
}

fn show(told: &Value, options: &Options) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let events = told["events"].as_array().into_iter().flatten();
    for event in events.filter(|event| text::concerns(event, options)) {
        match options.json {
            true => writeln!(out, "{event}")?,
            false => writeln!(out, "{}", text::line(event))?,
        }
    }
    out.flush()
}
