//! `longshore state`: the control plane's records, from the running server, or from the file when
//! none runs.

use crate::api::Root;
use crate::cli::StateCommand;
use crate::role;
use crate::settings::Settings;
use anyhow::{Context, bail};
use aws_wire::head::percent_encoded;
use std::io::Write;
use std::process::ExitCode;
use store::{RedbStore, Schema, Store, World};

/// Runs one of the commands.
pub fn run(settings: &Settings, command: &StateCommand) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let running = runtime
        .block_on(async { role::holder(&settings.data.run(), "server") })?
        .is_some();
    let (table, key) = match command {
        StateCommand::Get { table, key } => (table.as_deref(), key.as_deref()),
        StateCommand::Export => (None, None),
        StateCommand::Import => {
            if running {
                bail!(
                    "a server runs for {}: an import needs it stopped (`longshore down --keep`)",
                    settings.data.path().display()
                );
            }
            return import(settings);
        }
    };
    let text = if running {
        let pairs = [("table", table), ("key", key)];
        let query: Vec<_> = pairs
            .iter()
            .filter_map(|(name, value)| {
                value.map(|value| format!("{name}={}", percent_encoded(value)))
            })
            .collect();
        runtime.block_on(Root::of(settings)?.admin("/longshore/state", &query.join("&")))?
    } else {
        from_file(settings, table, key)?
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn open(settings: &Settings) -> anyhow::Result<(RedbStore, Schema)> {
    let path = settings.data.state().join("longshore.redb");
    let store =
        RedbStore::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok((store, Schema::new(&control::tables())))
}

fn from_file(
    settings: &Settings,
    table: Option<&str>,
    key: Option<&str>,
) -> anyhow::Result<String> {
    if !settings.data.state().join("longshore.redb").exists() {
        bail!("there is no state at {}", settings.data.path().display());
    }
    let (mut store, schema) = open(settings)?;
    let world: World = store.load(&schema)?;
    Ok(control::inspect(&world, table, key)?)
}

fn import(settings: &Settings) -> anyhow::Result<ExitCode> {
    settings.data.clone().create()?;
    let (mut store, schema) = open(settings)?;
    let rows = store::import(&mut store, &schema, &mut std::io::stdin().lock())?;
    println!("{rows} records imported");
    Ok(ExitCode::SUCCESS)
}
