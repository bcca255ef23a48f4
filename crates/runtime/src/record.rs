//! Records in a container's directory: who it is while it runs (`state.json`), how it ended (`exit`).
//!
//! Written by temporary file and rename, so that a reader sees all or nothing. `exit` must survive power loss and is
//! synced with its directory. `state.json` speaks of a process of this boot only (it names the boot), so it is not
//! synced: that would cost half a millisecond of every start, and after power loss it says nothing anyway.

use crate::overflow::Dropped;
use crate::spec::ExitRecord;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Result, Write};
use std::path::{Path, PathBuf};

/// Name of the state record.
pub const STATE_FILE: &str = "state.json";
/// Name of the exit record.
pub const EXIT_FILE: &str = "exit";
/// Name of the shim's socket.
pub const SOCKET_FILE: &str = "shim.sock";
/// What a non-blocking standard output wrote while no agent was connected; older than anything in the pipe.
pub const SPILL_STDOUT_FILE: &str = "stdout.spill";
/// The same of standard error.
pub const SPILL_STDERR_FILE: &str = "stderr.spill";
/// Added to a spill file's name: a [`Dropped`] of what did not fit since the container's start. Absent where nothing
/// was dropped.
const DROPPED_SUFFIX: &str = ".dropped";

/// Which processes and control groups belong to a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRecord {
    /// The container's id.
    pub id: String,
    /// Its task.
    pub task_id: String,
    /// The init, in the host's pid namespace.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: tells a process from a later one with the same number.
    pub start_time_ticks: u64,
    /// The shim.
    pub shim_pid: u32,
    /// The kernel's id of the boot in which all this was true.
    pub boot_id: String,
    /// Milliseconds since 1970.
    pub started_at_ms: i64,
    /// The container's own directory; made for it alone, removed with it.
    pub scratch: PathBuf,
}

/// Replaces a file by one with this content; `durable` says whether it must survive power loss.
pub fn write_file(dir: &Path, name: &str, content: &[u8], durable: bool) -> Result<()> {
    let temporary = dir.join(format!(".{name}.new"));
    let mut file = File::create(&temporary)?;
    file.write_all(content)?;
    if durable {
        file.sync_all()?;
    }
    fs::rename(&temporary, dir.join(name))?;
    if durable {
        File::open(dir)?.sync_all()?;
    }
    Ok(())
}

/// Writes the state record.
pub fn write_state(dir: &Path, state: &StateRecord) -> Result<()> {
    write_file(dir, STATE_FILE, &serde_json::to_vec(state)?, false)
}

/// Writes the exit record, durably.
pub fn write_exit(dir: &Path, exit: &ExitRecord) -> Result<()> {
    write_file(dir, EXIT_FILE, &serde_json::to_vec(exit)?, true)
}

/// Reads the state record; `None` where there is none, or one that power loss cut short.
pub fn read_state(dir: &Path) -> Result<Option<StateRecord>> {
    Ok(read(&dir.join(STATE_FILE))?.and_then(|json| serde_json::from_slice(&json).ok()))
}

fn dropped_file(spill: &Path) -> PathBuf {
    let mut name = spill.to_owned().into_os_string();
    name.push(DROPPED_SUFFIX);
    name.into()
}

/// Replaces the count beside a spill file.
pub fn write_dropped(spill: &Path, dropped: &Dropped) -> Result<()> {
    let file = dropped_file(spill);
    match (
        file.parent(),
        file.file_name().and_then(|name| name.to_str()),
    ) {
        (Some(dir), Some(name)) => write_file(dir, name, &serde_json::to_vec(dropped)?, false),
        _ => Err(ErrorKind::InvalidInput.into()),
    }
}

/// What the shim dropped of a stream since the container's start.
pub fn read_dropped(spill: &Path) -> Result<Dropped> {
    let json = read(&dropped_file(spill))?;
    Ok(json
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default())
}

/// Reads the exit record; `None` where there is none.
pub fn read_exit(dir: &Path) -> Result<Option<ExitRecord>> {
    match read(&dir.join(EXIT_FILE))? {
        Some(json) => Ok(Some(serde_json::from_slice(&json)?)),
        None => Ok(None),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The kernel's id of this boot.
pub fn boot_id() -> Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// Field 22 of `/proc/PID/stat`, in clock ticks since boot.
pub fn start_time_ticks(pid: u32) -> Result<u64> {
    let mut stat = String::new();
    File::open(format!("/proc/{pid}/stat"))?.read_to_string(&mut stat)?;
    // The second field, the name, may contain spaces and brackets; field 3 follows its last bracket.
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(19))
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| std::io::Error::other(format!("unreadable /proc/{pid}/stat")))
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
