//! Removes what no record wants: control groups with their processes, and shims. Runs while nothing is being started.

use super::SweepReport;
use super::runtime::Inner;
use crate::record;
use std::collections::BTreeSet;
use std::io::Result;
use std::path::PathBuf;
use std::sync::PoisonError;

pub fn sweep(inner: &Inner, known: &[PathBuf], tasks: BTreeSet<String>) -> Result<SweepReport> {
    inner.spares.prune();
    let mut wanted = Wanted::of(inner, known);
    wanted.tasks.extend(tasks);
    let mut report = SweepReport::default();
    // Shims first: one that lives would record the end of a container that nobody asked about.
    for pid in inner.cgroups.shims()? {
        if Some(pid) == inner.zygote.pid() || wanted.shims.contains(&pid) {
            continue;
        }
        if let Some(target) = i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // One that has left meanwhile is what was wanted.
            let _ = rustix::process::kill_process(target, rustix::process::Signal::KILL);
            report.shims.push(pid);
        }
    }
    for task in inner.cgroups.tasks()? {
        let mut is_used = wanted.tasks.contains(&task);
        for id in inner.cgroups.containers_of(&task)? {
            if wanted.containers.contains(&id) {
                is_used = true;
            } else {
                inner.cgroups.remove_container(&task, &id)?;
                report.containers.push(id);
            }
        }
        if !is_used {
            inner.cgroups.remove_task(&task)?;
            report.tasks.push(task);
        }
    }
    Ok(report)
}

struct Wanted {
    containers: BTreeSet<String>,
    tasks: BTreeSet<String>,
    shims: BTreeSet<u32>,
}

impl Wanted {
    /// What the known records name. A container that has ended needs its shim, but no group.
    fn of(inner: &Inner, known: &[PathBuf]) -> Self {
        let tasks = inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut wanted = Self {
            containers: BTreeSet::new(),
            tasks,
            shims: BTreeSet::new(),
        };
        // Linked since the caller made its list: started or taken over by this very agent.
        let linked: Vec<PathBuf> = {
            let links = inner.links.lock().unwrap_or_else(PoisonError::into_inner);
            links.keys().cloned().collect()
        };
        for dir in known.iter().chain(&linked) {
            if let Ok(Some(state)) = record::read_state(dir) {
                wanted.containers.insert(state.id);
                wanted.tasks.insert(state.task_id);
                wanted.shims.insert(state.shim_pid);
            }
        }
        wanted
    }
}
