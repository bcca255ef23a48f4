//! Removal of groups, with those that a privileged container has made below its own.

use super::{children_of, is_gone, processes_in};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Result;
use std::path::Path;

/// Removes one directory's group; that it does not exist is not an error.
pub fn directory(dir: &Path) -> Result<()> {
    match fs::remove_dir(dir) {
        Err(error) if is_gone(&error) => Ok(()),
        other => other,
    }
}

/// Removes a directory's group and those below it. Fails while a process is in one.
pub fn tree(dir: &Path) -> Result<()> {
    if directory(dir).is_ok() {
        return Ok(());
    }
    for child in children_of(dir)? {
        tree(&dir.join(child))?;
    }
    directory(dir)
}

/// Kills every process in a directory's group and below. The kernel does it at once where it can (v2, Linux 5.14), so
/// that none escapes by forking; else the caller repeats it until all are gone.
pub fn kill(dir: &Path) -> Result<()> {
    match fs::write(dir.join("cgroup.kill"), "1") {
        Ok(()) => return Ok(()),
        // A v1 directory refuses to have the file made in it.
        Err(_) if !dir.exists() => return Ok(()),
        Err(_) => {}
    }
    for pid in processes_in(dir)? {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // A process that has left meanwhile is what was wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    for child in children_of(dir)? {
        kill(&dir.join(child))?;
    }
    Ok(())
}
