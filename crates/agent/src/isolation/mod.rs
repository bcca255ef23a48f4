//! What stands between a task of launch type FARGATE and its host: ids of its own, and a disk of its own.
//!
//! What a task was given is written down in its directory when it arrives, before anything of it is made; so a task of
//! an agent that knew neither goes on as it began, and a range is free again when the directory is gone.
//! Reasons: docs/decisions/0009-fargate.md.

mod disks;
mod ranges;

use crate::config::AgentConfig;
use crate::task::definition::TaskDefinition;
use disks::{Disks, USUAL_GIB};
use ranges::Ranges;
use runtime::host::Runtime;
use runtime::image::Image;
use runtime::spec::{ContainerSpec, IdRange};
use runtime::task_disk;
use runtime::user_namespace::IDS;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::warn;

/// In a task's directory: what it was given.
const FILE: &str = "isolation.json";
/// In a task's directory: its disk.
const DISK: &str = "disk";

/// What a task has that no other has. Nothing, of a task on a container instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Given {
    /// Its ids.
    pub ids: Option<IdRange>,
    /// The size of its disk.
    pub disk_gib: Option<u32>,
}

impl Given {
    /// Where what containers write is kept: on the task's disk, or in its directory.
    pub fn files(&self, task_dir: &Path) -> PathBuf {
        match self.disk_gib {
            Some(_) => task_disk::files(&task_dir.join(DISK)),
            None => task_dir.to_owned(),
        }
    }

    /// Gives a container of the task what it has: its ids, and the files that are made for it.
    ///
    /// # Errors
    /// The image has what cannot be owned in the task. The text follows `CannotCreateContainerError: `.
    pub fn apply(&self, spec: &mut ContainerSpec, image: &Image) -> Result<(), String> {
        let Some(ids) = self.ids else {
            return Ok(());
        };
        if image.highest_id >= IDS {
            return Err(format!(
                "{}: the image has files of the user or group {}, and a task of launch type FARGATE has ids up to {}",
                image.reference,
                image.highest_id,
                IDS - 1
            ));
        }
        spec.linux.ids = Some(ids);
        let etc = &spec.etc_files;
        let etc = [&etc.hosts, &etc.hostname, &etc.resolv_conf];
        let files = etc.into_iter().flatten();
        let volumes = spec.mounts.iter().map(|mount| &mount.source);
        for path in files.chain(volumes) {
            own(ids, path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// What is still the host's root's becomes the task's; what the task has given to one of its own stays that one's.
fn own(ids: IdRange, path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.uid() {
        0 => ids.own(path),
        _ => Ok(()),
    }
}

/// The host's ranges and disks.
#[derive(Debug)]
pub struct Isolation {
    with_ids: bool,
    /// `std` mutex: held for a look-up.
    ranges: Mutex<Ranges>,
    disks: Arc<Disks>,
}

impl Isolation {
    /// Keeps for every task what it has from an earlier agent.
    pub fn open(config: &AgentConfig) -> Self {
        let subordinate = ["/etc/subuid", "/etc/subgid"];
        let texts = subordinate.map(|path| fs::read_to_string(path).unwrap_or_default());
        let mut ranges = Ranges::new(&texts);
        let tasks = fs::read_dir(config.agent_dir().join("tasks"));
        for task in tasks.into_iter().flatten().flatten() {
            let given = read(&task.path()).and_then(|given| given.ids);
            given.into_iter().for_each(|ids| ranges.keep(ids));
        }
        Self {
            with_ids: config.fargate.user_namespace,
            ranges: Mutex::new(ranges),
            disks: Disks::open(config.agent_dir().join("disks")),
        }
    }

    /// Whether tasks can be kept apart here, found out by doing it.
    ///
    /// # Errors
    /// What this machine lacks.
    pub async fn check(&self, runtime: &Runtime, config: &AgentConfig) -> Result<(), String> {
        if self.with_ids {
            let ids = self.lock().take().ok_or("no range of ids is free")?;
            let probed = runtime.probe_ids(&config.data_dir, ids).await;
            self.lock().free(ids);
            probed.map_err(|error| format!("a user namespace for a task: {error}"))?;
        }
        let disks = self.disks.clone();
        let made = tokio::task::spawn_blocking(move || disks.check()).await;
        let made = made.unwrap_or_else(|error| Err(io::Error::other(error)));
        made.map_err(|error| format!("a disk for a task: {error}"))
    }

    /// What a task is given as it arrives, or was by an earlier agent: `is_new` tells the two apart where nothing is
    /// written down.
    ///
    /// # Errors
    /// There is none to give, or it cannot be written down. The text follows `ResourceInitializationError: `.
    pub fn give(&self, task: &TaskDefinition, dir: &Path, is_new: bool) -> Result<Given, String> {
        if let Some(given) = read(dir) {
            return Ok(given);
        }
        if !task.is_fargate() || !is_new {
            return Ok(Given::default());
        }
        let ids = match self.with_ids {
            true => Some(self.lock().take().ok_or("no range of ids is free")?),
            false => None,
        };
        let gib = task.longshore.ephemeral_storage_gib;
        let given = Given {
            ids,
            disk_gib: Some(gib.unwrap_or(USUAL_GIB)),
        };
        write(dir, &given).map_err(|error| {
            self.free(given);
            error.to_string()
        })?;
        Ok(given)
    }

    /// Makes the task's disk, or finds it made.
    ///
    /// # Errors
    /// The text follows `ResourceInitializationError: `.
    pub async fn make_disk(&self, given: Given, task_dir: &Path) -> Result<(), String> {
        let Some(gib) = given.disk_gib else {
            return Ok(());
        };
        let (disks, to) = (self.disks.clone(), task_dir.join(DISK));
        let taken = tokio::task::spawn_blocking(move || disks.take(gib, &to)).await;
        let taken = taken.unwrap_or_else(|error| Err(io::Error::other(error)));
        taken.map_err(|error| format!("the task's disk of {gib} GiB: {error}"))
    }

    /// Nothing of the task is left, its directory included.
    pub fn free(&self, given: Given) {
        given.ids.into_iter().for_each(|ids| self.lock().free(ids));
    }

    /// Takes away what was made ready for tasks. Blocks.
    pub fn destroy(&self) -> io::Result<()> {
        self.disks.destroy()
    }

    fn lock(&self) -> MutexGuard<'_, Ranges> {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a task's disk away, if it has one. Blocks.
pub fn remove_disk(task_dir: &Path) {
    let dir = task_dir.join(DISK);
    if dir.exists()
        && let Err(error) = task_disk::remove(&dir)
    {
        warn!(dir = %dir.display(), %error, "a task's disk could not be removed");
    }
}

fn read(dir: &Path) -> Option<Given> {
    serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()
}

/// Not synced: what it names is gone after a restart of the machine, and is made anew.
fn write(dir: &Path, given: &Given) -> io::Result<()> {
    let (temporary, path) = (dir.join(format!(".{FILE}.new")), dir.join(FILE));
    fs::write(&temporary, serde_json::to_vec(given)?)?;
    fs::rename(temporary, path)
}
