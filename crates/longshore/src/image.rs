//! `longshore image`: asks the running agent, which has the images open.

use crate::cli::ImageCommand;
use crate::settings::Settings;
use agent::ImageRequest;
use anyhow::Context;
use std::process::ExitCode;

/// Runs one of the commands.
pub fn run(settings: &Settings, command: &ImageCommand) -> anyhow::Result<ExitCode> {
    let request = match command {
        ImageCommand::Load { file } => {
            let path = std::fs::canonicalize(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            ImageRequest::Load(path)
        }
        ImageCommand::List => ImageRequest::List,
        ImageCommand::Remove { reference } => ImageRequest::Remove(reference.clone()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for line in runtime.block_on(agent::ask(&settings.data.run(), &request))? {
        match command {
            ImageCommand::Load { .. } => println!("Loaded image: {line}"),
            ImageCommand::List => println!("{line}"),
            ImageCommand::Remove { .. } => println!("Untagged: {line}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}
