//! `longshore down`: ends the processes, then every container of this data directory, and removes
//! all that carries its tag. The directory itself stays, unless `--purge`.
//!
//! It needs no server: containers are stopped from the agent's own records, and their results wait
//! there for the next `up`.

use crate::cli::DownOptions;
use crate::role;
use crate::settings::Settings;
use crate::up::ROLE_PATIENCE;
use anyhow::Context;
use std::process::ExitCode;
use std::time::Duration;

/// `up` ends when both of its roles have ended.
const UP_PATIENCE: Duration = Duration::from_secs(25);

/// Stops everything.
pub fn run(settings: &Settings, options: &DownOptions) -> anyhow::Result<ExitCode> {
    if !settings.data.path().exists() {
        println!("longshore: nothing at {}", settings.data.path().display());
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // The supervisor first, or it would start again what ends.
        for (name, patience) in [
            ("up", UP_PATIENCE),
            ("agent", ROLE_PATIENCE),
            ("server", ROLE_PATIENCE),
        ] {
            if let Some(holder) = role::holder(&settings.data.run(), name)? {
                holder.stop(patience).await;
            }
        }
        let _ = std::fs::remove_file(settings.data.run().join("server.json"));
        if options.keep {
            println!("longshore: stopped; containers go on running for the next `up`");
            return Ok(());
        }
        crate::agent_process::down(settings).await
    })?;
    if options.purge {
        let path = settings.data.path();
        std::fs::remove_dir_all(path)
            .with_context(|| format!("cannot delete {}", path.display()))?;
        println!("longshore: deleted {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
