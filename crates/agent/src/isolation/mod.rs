//! What stands between a task of launch type FARGATE and its host: ids of its own, and a disk of its own.
//!
//! What a task was given is written down in its directory when it arrives, before anything of it is made; so a task of
//! an agent that knew neither goes on as it began, and a range is free again when the directory is gone.
//! Reasons: docs/decisions/0009-fargate.md.

mod disks;
mod ranges;

use crate::actor;
use crate::config::AgentConfig;
use crate::task::definition::TaskDefinition;
use disks::{Disks, USUAL_GIB};
use ranges::Ranges;
use runtime::host::Runtime;
use runtime::image::Image;
use runtime::spec::{ContainerSpec, IdRange};
use runtime::task_disk::{self, Usage};
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

    /// What is on the task's disk, and the size that was asked for; `None` without a disk, or while it is not mounted.
    pub fn usage(&self, task_dir: &Path) -> Option<Usage> {
        let (gib, dir) = (self.disk_gib?, task_dir.join(DISK));
        let usage = task_disk::usage(&dir).ok();
        let usage = usage.filter(|_| task_disk::is_mounted(&dir))?;
        Some(Usage {
            size_bytes: u64::from(gib) << 30,
            ..usage
        })
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
            match read(&task.path()) {
                Ok(given) => {
                    let ids = given.and_then(|given| given.ids);
                    ids.into_iter().for_each(|ids| ranges.keep(ids));
                }
                Err(error) => warn!(error, "what a task has to itself is not known"),
            }
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
    /// There is none to give, or it cannot be written down or read. The text follows `ResourceInitializationError: `.
    pub fn give(&self, task: &TaskDefinition, dir: &Path, is_new: bool) -> Result<Given, String> {
        if let Some(given) = read(dir)? {
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

    /// Takes a task's directory away with all that is in it, after which what it was given is free. Blocks.
    pub fn drop_task(&self, dir: &Path) {
        let given = read(dir).ok().flatten();
        actor::remove_dir(dir);
        if !dir.exists() {
            given.into_iter().for_each(|given| self.free(given));
        }
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

/// `None`: of an agent that wrote nothing down. A file that says nothing is an error, since whose task it is has more
/// than nothing.
fn read(dir: &Path) -> Result<Option<Given>, String> {
    let path = dir.join(FILE);
    let told = |error: io::Error| format!("{}: {error}", path.display());
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| told(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(told(error)),
    }
}

/// Synced: without it a task that outlives a loss of power would go on as one that has nothing to itself.
fn write(dir: &Path, given: &Given) -> io::Result<()> {
    let (temporary, path) = (dir.join(format!(".{FILE}.new")), dir.join(FILE));
    fs::write(&temporary, serde_json::to_vec(given)?)?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(temporary, path)?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn isolation(dir: &Path) -> Isolation {
        Isolation {
            with_ids: true,
            ranges: Mutex::default(),
            disks: Disks::open(dir.join("disks")),
        }
    }

    fn task() -> TaskDefinition {
        let payload = json!({
            "arn": "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef",
            "desiredStatus": "RUNNING", "launchType": "FARGATE", "networkMode": "awsvpc",
            "cpu": 0.25, "memory": 512,
            "elasticNetworkInterfaces": [{"ec2Id": "eni-1", "attachmentArn": "a"}],
            "containers": [{"name": "app", "image": "i"}],
        });
        TaskDefinition::parse(&payload).expect("it is valid")
    }

    #[test]
    fn only_a_task_with_no_file_is_of_an_older_agent() {
        let house = tempfile::tempdir().expect("a directory can be made");
        let (isolation, dir, task) = (isolation(house.path()), house.path(), task());
        let older = isolation.give(&task, dir, false);
        assert_eq!(older, Ok(Given::default()));
        let given = isolation.give(&task, dir, true).expect("it is given");
        assert!(given.ids.is_some() && given.disk_gib == Some(USUAL_GIB));
        assert_eq!(isolation.give(&task, dir, false), Ok(given));
        let file = dir.join(FILE);
        for text in ["", "{\"ids\":"] {
            fs::write(&file, text).expect("written");
            isolation.give(&task, dir, false).expect_err("cut off");
        }
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("made");
        isolation.give(&task, dir, false).expect_err("unreadable");
    }

    #[test]
    fn what_a_dropped_task_was_given_is_free_again() {
        let house = tempfile::tempdir().expect("a directory can be made");
        let dirs = ["a", "b", "c"].map(|name| house.path().join(name));
        dirs.iter()
            .for_each(|dir| fs::create_dir(dir).expect("made"));
        let (isolation, task) = (isolation(house.path()), task());
        let first = isolation.give(&task, &dirs[0], true).expect("it is given");
        isolation.give(&task, &dirs[1], true).expect("it is given");
        isolation.drop_task(&dirs[0]);
        assert!(!dirs[0].exists());
        assert_eq!(isolation.give(&task, &dirs[2], true), Ok(first));
    }
}
