//! Control groups of tasks and containers, on cgroup v1 and v2.
//!
//! Layout, per hierarchy: `longshore-TAG/shims` (all shims, without limits), `longshore-TAG/proxy` (Service Connect's,
//! without limits), `longshore-TAG/TASK` (the task's limits), `longshore-TAG/TASK/CONTAINER` (the container's). Making one that exists is not an error; removing one that does
//! not exist is not an error; a removal kills what is left inside.

mod delegated;
mod detect;
pub mod device_filter;
mod proxy;
mod remove;
mod stats;
mod v1;
mod v2;

use crate::spec::{ContainerSpec, Stats, SwapLimit, TaskCgroupSpec};
use device_filter::DeviceRule;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the group of all shims below the tree's own directory.
const SHIMS: &str = "shims";
/// A killed process needs some time to leave its group; with the growing pause this is about two seconds.
const REMOVE_ATTEMPTS: u32 = 60;
const REMOVE_PAUSE_MAX: Duration = Duration::from_millis(50);

/// One mounted cgroup v1 hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Its controllers, or `name=…` for one without.
    pub controllers: Vec<String>,
}

/// The kernel's interface in use on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// A hierarchy per controller.
    V1(Vec<Hierarchy>),
    /// One hierarchy, mounted here.
    V2(PathBuf),
}

/// Where the groups of one data directory are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupTree {
    /// v1 or v2.
    pub version: Version,
    /// Directory below each hierarchy's mount that holds everything of ours: `longshore-TAG`.
    pub name: String,
}

impl CgroupTree {
    /// Finds the host's hierarchies.
    pub fn detect(tag: &str) -> Result<Self> {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
        let version = detect::version(&mountinfo).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "no cgroup hierarchy with a memory controller is mounted",
            )
        })?;
        Ok(Self {
            version,
            name: format!("longshore-{tag}"),
        })
    }

    /// Makes the group of all shims and what leads to it.
    pub fn create_shims(&self) -> Result<()> {
        if let Version::V2(mount) = &self.version {
            let _alone = delegated::lock(mount)?;
            v2::make_parent(mount, Path::new(&self.name))?;
        }
        self.make(&Path::new(&self.name).join(SHIMS))
    }

    /// Moves a process into the group of all shims.
    pub fn join_shims(&self, pid: u32) -> Result<()> {
        self.join(&Path::new(&self.name).join(SHIMS), pid)
    }

    /// Processes in the group of all shims.
    pub fn shims(&self) -> Result<Vec<u32>> {
        self.processes(&Path::new(&self.name).join(SHIMS))
    }

    /// Removes the group of all shims, the proxy's with what is in it, and the tree's own directory. Fails while a
    /// shim or a task is there.
    pub fn remove_all(&self) -> Result<()> {
        self.remove_proxy()?;
        let shims = Path::new(&self.name).join(SHIMS);
        for dir in self
            .directories(&shims)
            .into_iter()
            .chain(self.directories(Path::new(&self.name)))
        {
            retry(|| remove::directory(&dir))?;
        }
        match &self.version {
            Version::V1(_) => Ok(()),
            Version::V2(mount) => delegated::restore(mount),
        }
    }

    /// Makes a task's group and sets its limits.
    pub fn create_task(&self, spec: &TaskCgroupSpec) -> Result<()> {
        let group = self.task(&spec.task_id);
        match &self.version {
            Version::V1(_) => {
                self.make(&group)?;
                v1::limit_task(self, &group, spec)
            }
            Version::V2(mount) => {
                v2::make_parent(mount, &group)?;
                v2::limit_task(&mount.join(&group), spec)
            }
        }
    }

    /// Makes a container's group and sets its limits, and allows the default devices and these.
    pub fn create_container(&self, spec: &ContainerSpec, devices: &[DeviceRule]) -> Result<()> {
        let group = self.container(&spec.task_id, &spec.id);
        match &self.version {
            Version::V1(_) => {
                self.make(&group)?;
                v1::limit_container(self, &group, spec, devices)
            }
            Version::V2(mount) => {
                v2::make_parent(mount, &self.task(&spec.task_id))?;
                self.make(&group)?;
                v2::limit_container(&mount.join(&group), spec, devices)
            }
        }
    }

    /// Moves a process into a container's group; 0 is the caller, which must have one thread.
    pub fn join_container(&self, task_id: &str, id: &str, pid: u32) -> Result<()> {
        self.join(&self.container(task_id, id), pid)
    }

    /// The v2 directory of a container, for a process to be born in; `None` on v1.
    pub fn birth_directory(&self, task_id: &str, id: &str) -> Option<PathBuf> {
        match &self.version {
            Version::V1(_) => None,
            Version::V2(mount) => Some(mount.join(self.container(task_id, id))),
        }
    }

    /// How many processes of the container the kernel has killed for lack of memory.
    pub fn oom_kills(&self, task_id: &str, id: &str) -> Result<u64> {
        let group = self.container(task_id, id);
        match &self.version {
            Version::V1(_) => v1::oom_kills(self, &group),
            Version::V2(mount) => v2::oom_kills(&mount.join(group)),
        }
    }

    /// What the container uses now.
    pub fn stats(&self, task_id: &str, id: &str) -> Result<Stats> {
        let group = self.container(task_id, id);
        match &self.version {
            Version::V1(_) => stats::read_v1(self, &group),
            Version::V2(mount) => stats::read_v2(&mount.join(group)),
        }
    }

    /// Kills what is left in a container's group and removes the group.
    pub fn remove_container(&self, task_id: &str, id: &str) -> Result<()> {
        self.kill_and_remove(&self.container(task_id, id))
    }

    /// Removes a task's group, with what a lost container may have left in it.
    pub fn remove_task(&self, task_id: &str) -> Result<()> {
        for id in self.containers_of(task_id)? {
            self.remove_container(task_id, &id)?;
        }
        self.kill_and_remove(&self.task(task_id))
    }

    /// Names of the task groups that exist.
    pub fn tasks(&self) -> Result<Vec<String>> {
        let mut names = self.children(Path::new(&self.name))?;
        names.retain(|name| name != SHIMS && name != proxy::GROUP);
        Ok(names)
    }

    /// Names of the container groups that exist below a task's.
    pub fn containers_of(&self, task_id: &str) -> Result<Vec<String>> {
        self.children(&self.task(task_id))
    }

    /// Processes in a container's group.
    pub fn container_processes(&self, task_id: &str, id: &str) -> Result<Vec<u32>> {
        self.processes(&self.container(task_id, id))
    }

    fn task(&self, task_id: &str) -> PathBuf {
        Path::new(&self.name).join(task_id)
    }

    fn container(&self, task_id: &str, id: &str) -> PathBuf {
        self.task(task_id).join(id)
    }

    /// The group's directory in every hierarchy that is used.
    fn directories(&self, group: &Path) -> Vec<PathBuf> {
        match &self.version {
            Version::V1(all) => all
                .iter()
                .filter(|h| h.is_used())
                .map(|hierarchy| hierarchy.mount.join(group))
                .collect(),
            Version::V2(mount) => vec![mount.join(group)],
        }
    }

    fn make(&self, group: &Path) -> Result<()> {
        for dir in self.directories(group) {
            make_directory(&dir)?;
        }
        Ok(())
    }

    fn join(&self, group: &Path, pid: u32) -> Result<()> {
        // A single-threaded caller that moves its own thread on v1 spares the kernel the lock of all forks and exits,
        // whose taking waits for an RCU grace period: 3 to 12 ms of every start.
        let file = match (&self.version, pid) {
            (Version::V1(_), 0) => "tasks",
            (Version::V1(_) | Version::V2(_), _) => "cgroup.procs",
        };
        for dir in self.directories(group) {
            write_value(&dir.join(file), &pid.to_string())?;
        }
        Ok(())
    }

    /// Processes of the group in any hierarchy, sorted.
    fn processes(&self, group: &Path) -> Result<Vec<u32>> {
        let mut pids = Vec::new();
        for dir in self.directories(group) {
            pids.extend(processes_in(&dir)?);
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    fn children(&self, group: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for dir in self.directories(group) {
            names.extend(children_of(&dir)?);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn kill_and_remove(&self, group: &Path) -> Result<()> {
        retry(|| {
            let mut result = Ok(());
            for dir in self.directories(group) {
                result = result.and(remove::tree(&dir));
            }
            if result.is_err() {
                for dir in self.directories(group) {
                    remove::kill(&dir)?;
                }
            }
            result
        })
    }
}

impl Hierarchy {
    /// Hierarchies in which a container gets a group of its own. `cpuset` would need its values copied down, and
    /// nothing in ECS sets it.
    fn is_used(&self) -> bool {
        const USED: [&str; 7] = [
            "memory", "cpu", "cpuacct", "pids", "devices", "freezer", "blkio",
        ];
        self.controllers
            .iter()
            .any(|name| USED.contains(&name.as_str()))
    }
}

/// Tries until it works, or long enough.
fn retry(mut attempt: impl FnMut() -> Result<()>) -> Result<()> {
    let mut pause = Duration::from_micros(200);
    for _ in 1..REMOVE_ATTEMPTS {
        if attempt().is_ok() {
            return Ok(());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(REMOVE_PAUSE_MAX);
    }
    attempt()
}

fn make_directory(dir: &Path) -> Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => fs::create_dir_all(dir),
        other => other,
    }
}

/// Processes of one directory's group; none where it does not exist.
fn processes_in(dir: &Path) -> Result<Vec<u32>> {
    match fs::read_to_string(dir.join("cgroup.procs")) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(error) if is_gone(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Names of the groups below a directory's; none where it does not exist.
fn children_of(dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// cgroup files answer ENODEV when their group is removed while they are read.
fn is_gone(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV)
}

fn write_value(path: &Path, value: &str) -> Result<()> {
    let written = OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()));
    written.map_err(|error| named(path, value, &error))
}

/// Keeps the error's number beside the path, since the caller shows one and decides by the other.
fn named(path: &Path, value: &str, error: &Error) -> Error {
    Error::new(
        error.kind(),
        format!("writing {value:?} to {}: {error}", path.display()),
    )
}

fn read_number(path: &Path) -> Result<u64> {
    let text = fs::read_to_string(path)?;
    text.trim()
        .parse()
        .map_err(|_| Error::other(format!("{}: not a number: {text:?}", path.display())))
}

/// The value of `key` in a file of `key value` lines; 0 without it.
fn read_key(path: &Path, key: &str) -> Result<u64> {
    Ok(value_of(&fs::read_to_string(path)?, key).unwrap_or(0))
}

fn value_of(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        line.strip_prefix(key)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

/// Swap beyond the memory limit: none where nothing was said.
fn swap_bytes(limit_mib: u64, memory_and_swap: Option<SwapLimit>) -> Option<u64> {
    match memory_and_swap {
        None => Some(0),
        Some(SwapLimit::Bytes(sum)) => Some(sum.saturating_sub(bytes(limit_mib))),
        Some(SwapLimit::Unlimited) => None,
    }
}

/// ECS states memory in MiB.
fn bytes(mib: u64) -> u64 {
    mib.saturating_mul(1024 * 1024)
}
