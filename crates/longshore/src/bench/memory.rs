//! Memory of Longshore's own processes: proportional set sizes, and sealed memory files once.

use crate::role;
use crate::settings::Settings;
use anyhow::Context;
use std::collections::BTreeSet;
use std::path::Path;

/// MiB of each part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// The control plane.
    pub server_mib: f64,
    /// The agent, its zygote, and the executable that both hold in memory.
    pub agent_mib: f64,
    /// All shims.
    pub shims_mib: f64,
    /// Containers' shims that were found.
    pub shims: usize,
}

/// Reads what the processes of a data directory hold.
pub fn read(settings: &Settings) -> anyhow::Result<Memory> {
    let pid = |name: &str| {
        let holder = role::holder(&settings.data.run(), name)?;
        Ok::<_, anyhow::Error>(holder.with_context(|| format!("no {name} runs"))?.pid)
    };
    let (server, agent) = (pid("server")?, pid("agent")?);
    let shims = shims(&settings.data.path().join("agent/tasks"));
    let of_agent: Vec<i32> = std::iter::once(agent).chain(children(agent)).collect();
    let held = |pids: &[i32]| pids.iter().map(|pid| proportional_mib(*pid)).sum::<f64>();
    Ok(Memory {
        server_mib: proportional_mib(server),
        agent_mib: held(&of_agent) + memory_files_mib(&of_agent),
        shims_mib: held(&shims),
        shims: shims.len(),
    })
}

/// MiB of these processes together.
pub fn resident(pids: &[i32]) -> f64 {
    pids.iter().map(|pid| proportional_mib(*pid)).sum()
}

/// Zero for a process that has gone.
fn proportional_mib(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Process ids of a process's children.
pub fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            text.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Memory files that these processes have open, each counted once.
fn memory_files_mib(pids: &[i32]) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for pid in pids {
        let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for path in open.flatten().map(|entry| entry.path()) {
            let is_memory = std::fs::read_link(&path)
                .is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:"));
            if let (true, Ok(file)) = (is_memory, std::fs::metadata(&path))
                && seen.insert(file.ino())
            {
                bytes += file.blocks() * 512;
            }
        }
    }
    bytes as f64 / f64::from(1 << 20)
}

/// Process ids of the shims that the records name.
pub fn shims(tasks: &Path) -> Vec<i32> {
    recorded(tasks, "shim_pid")
}

/// Process ids of the containers' first processes that the records name.
pub fn containers(tasks: &Path) -> Vec<i32> {
    recorded(tasks, "pid")
}

fn recorded(tasks: &Path, member: &str) -> Vec<i32> {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    entries(tasks)
        .flat_map(|task| entries(&task.path().join("containers")).collect::<Vec<_>>())
        .filter_map(|container| std::fs::read(container.path().join("state.json")).ok())
        .filter_map(|state| serde_json::from_slice::<serde_json::Value>(&state).ok())
        .filter_map(|state| i32::try_from(state[member].as_i64()?).ok())
        .collect()
}
