//! `longshore image`: asks the running agent, which has the images open.

use crate::cli::ImageCommand;
use crate::settings::Settings;
use agent::{HostRequest, ImageSummary, Origin};
use anyhow::Context;
use aws_types::Timestamp;
use std::process::ExitCode;

/// Runs one of the commands.
pub fn run(settings: &Settings, command: &ImageCommand) -> anyhow::Result<ExitCode> {
    let request = match command {
        ImageCommand::Load { file } => {
            let path = std::fs::canonicalize(file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            HostRequest::Load(path)
        }
        ImageCommand::List => HostRequest::List,
        ImageCommand::Remove { reference } => HostRequest::Remove(reference.clone()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let lines = runtime.block_on(agent::ask(&settings.data.run(), &request))?;
    match command {
        ImageCommand::Load { .. } => lines
            .iter()
            .for_each(|name| println!("Loaded image: {name}")),
        ImageCommand::List => print(&lines)?,
        ImageCommand::Remove { .. } => lines.iter().for_each(|name| println!("Untagged: {name}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// A table of the agent's answers.
fn print(lines: &[String]) -> anyhow::Result<()> {
    let images = lines.iter().map(|line| serde_json::from_str(line));
    let images: Vec<ImageSummary> = images.collect::<Result<_, _>>()?;
    let names = images.iter().map(|image| image.reference.len());
    let name = names.max().unwrap_or_default().max(4);
    println!(
        "{:<name$}  {:<71}  {:>10}  {:<20}  {:<20}  {:<8}  IN USE",
        "NAME", "DIGEST", "SIZE", "CREATED", "HERE SINCE", "FROM",
    );
    for image in images {
        println!(
            "{:<name$}  {:<71}  {:>10}  {:<20}  {:<20}  {:<8}  {}",
            image.reference,
            image.digest,
            size(image.size_bytes),
            image.created.as_deref().map_or("-", to_seconds),
            to_seconds(&Timestamp::from_millis(image.since_ms as i64).iso8601()),
            match image.origin {
                Origin::Registry => "registry",
                Origin::Loaded => "loaded",
                Origin::BuiltIn => "built in",
            },
            match image.pins {
                0 => "-".to_owned(),
                1 => "1 container".to_owned(),
                more => format!("{more} containers"),
            },
        );
    }
    Ok(())
}

/// As Docker shows sizes: powers of 1000, three figures.
fn size(bytes: u64) -> String {
    let mut amount = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if amount < 999.5 {
            return match amount {
                _ if unit == "B" => format!("{amount} B"),
                small if small < 9.995 => format!("{small:.2} {unit}"),
                middle if middle < 99.95 => format!("{middle:.1} {unit}"),
                large => format!("{large:.0} {unit}"),
            };
        }
        amount /= 1000.0;
    }
    format!("{amount:.1} TB")
}

/// An RFC 3339 time without its fraction.
fn to_seconds(time: &str) -> &str {
    time.get(..19).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_docker_prints_them() {
        for (bytes, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (12_345, "12.3 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (7_340_000_000, "7.34 GB"),
            (5_000_000_000_000, "5.0 TB"),
        ] {
            assert_eq!(size(bytes), expected, "{bytes}");
        }
    }
}
