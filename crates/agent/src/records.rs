//! The agent's records: `agent.json`, `fargate.json`, and one directory per task.
//!
//! Each file is replaced by temporary file and renaming, so that a reader sees all or nothing. What
//! must survive power loss is synced: who this agent is, what a task was asked to be, and how it
//! ended.

use crate::part::Part;
use crate::task::state::TaskState;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who this agent is, in one part.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentRecord {
    /// Its container instance, once registered.
    pub container_instance_arn: Option<String>,
    /// Its EC2 id, then likewise.
    pub ec2_instance_id: Option<String>,
    /// Its EC2 instance type, where it has one: of the settings or of its launch template.
    pub ec2_instance_type: Option<String>,
    /// Where it answers tasks of network mode `host`, on loopback.
    pub endpoint_port: Option<u16>,
    /// The latest manifest or payload number.
    pub latest_seq_num: i64,
}

/// Directory of the agent's records.
#[derive(Clone, Debug)]
pub struct Records {
    dir: PathBuf,
    /// By part, as they are on disk. `std` mutex: held over one small write, so that records do not cross.
    parts: Arc<Mutex<BTreeMap<Part, AgentRecord>>>,
}

/// A task as an earlier agent left it.
#[derive(Debug)]
pub struct StoredTask {
    /// Its directory.
    pub dir: PathBuf,
    /// The payload's task as it came.
    pub payload: serde_json::Value,
    /// Its last written state, if it got that far.
    pub state: Option<TaskState>,
}

impl Records {
    /// Opens or makes the directory.
    pub fn open(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir.join("tasks"))?;
        let kept = |part: Part| Some((part, read(&dir.join(part.file()))?));
        let parts = [Part::Instance, Part::Fargate].into_iter();
        Ok(Self {
            parts: Arc::new(Mutex::new(parts.filter_map(kept).collect())),
            dir: dir.to_owned(),
        })
    }

    /// Who this agent is in a part.
    pub fn agent(&self, part: Part) -> AgentRecord {
        self.lock().get(&part).cloned().unwrap_or_default()
    }

    /// Writes down which container instance this agent is. Another instance's numbers begin anew:
    /// what the last one was told may be higher, where the control plane's clock was set back.
    pub fn keep_instance(&self, part: Part, arn: Option<String>) -> io::Result<()> {
        let mut parts = self.lock();
        let agent = parts.entry(part).or_default();
        let latest_seq_num = match agent.container_instance_arn == arn {
            true => agent.latest_seq_num,
            false => 0,
        };
        let changed = AgentRecord {
            container_instance_arn: arn,
            latest_seq_num,
            ..agent.clone()
        };
        write(&self.dir, part.file(), &changed, true)?;
        *agent = changed;
        Ok(())
    }

    /// Writes down the EC2 id and type of a part. Not synced: the next registration tells them again.
    pub fn keep_ec2(&self, part: Part, id: Option<String>, kind: Option<String>) -> io::Result<()> {
        let mut parts = self.lock();
        let agent = parts.entry(part).or_default();
        if agent.ec2_instance_id == id && agent.ec2_instance_type == kind {
            return Ok(());
        }
        let changed = AgentRecord {
            ec2_instance_id: id,
            ec2_instance_type: kind,
            ..agent.clone()
        };
        write(&self.dir, part.file(), &changed, false)?;
        *agent = changed;
        Ok(())
    }

    /// The port of the endpoints on loopback, which is one for the machine.
    pub fn endpoint_port(&self) -> Option<u16> {
        self.agent(Part::Instance).endpoint_port
    }

    /// Writes down the port of the endpoints on loopback: containers were told it.
    pub fn keep_endpoint_port(&self, port: u16) -> io::Result<()> {
        let (mut parts, part) = (self.lock(), Part::Instance);
        let agent = parts.entry(part).or_default();
        let changed = AgentRecord {
            endpoint_port: Some(port),
            ..agent.clone()
        };
        write(&self.dir, part.file(), &changed, false)?;
        *agent = changed;
        Ok(())
    }

    /// Writes down the number of a manifest or payload, if it is the highest yet. Not synced: after
    /// power loss the control plane's next number is higher all the same.
    pub fn keep_seq_num(&self, part: Part, seq_num: i64) -> io::Result<()> {
        let mut parts = self.lock();
        let agent = parts.entry(part).or_default();
        if seq_num <= agent.latest_seq_num {
            return Ok(());
        }
        let changed = AgentRecord {
            latest_seq_num: seq_num,
            ..agent.clone()
        };
        write(&self.dir, part.file(), &changed, false)?;
        *agent = changed;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, AgentRecord>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory of a task.
    pub fn task_dir(&self, task_id: &str) -> PathBuf {
        self.dir.join("tasks").join(task_id)
    }

    /// Makes a task's directory and keeps its payload.
    pub fn write_task(&self, task_id: &str, payload: &serde_json::Value) -> io::Result<PathBuf> {
        let dir = self.task_dir(task_id);
        std::fs::create_dir_all(dir.join("containers"))?;
        write(&dir, "task.json", payload, false)?;
        Ok(dir)
    }

    /// Ids of every task that may exist.
    pub fn task_ids(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(self.dir.join("tasks"))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    /// Record directories of every container that may exist. Removes nothing, since tasks come and
    /// go meanwhile.
    pub fn container_dirs(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for task in std::fs::read_dir(self.dir.join("tasks"))? {
            match std::fs::read_dir(task?.path().join("containers")) {
                Ok(containers) => {
                    for container in containers {
                        found.push(container?.path());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Makes the payloads of tasks survive power loss. Blocks.
    pub fn sync_tasks(&self, task_ids: &[String]) -> io::Result<()> {
        for id in task_ids {
            let dir = self.task_dir(id);
            for path in [dir.join("task.json"), dir] {
                match std::fs::File::open(path) {
                    Ok(file) => file.sync_all()?,
                    // Over already.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        std::fs::File::open(self.dir.join("tasks"))?.sync_all()
    }

    /// Every task that an earlier agent left. For its start alone: what is cut off is removed.
    pub fn tasks(&self) -> io::Result<Vec<StoredTask>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.dir.join("tasks"))? {
            let dir = entry?.path();
            match read(&dir.join("task.json")) {
                Some(payload) => found.push(StoredTask {
                    payload,
                    state: read(&dir.join("state.json")),
                    dir,
                }),
                // Cut off between mkdir and the payload: nothing was started.
                None => std::fs::remove_dir_all(&dir)?,
            }
        }
        Ok(found)
    }
}

/// Writes a task's state; `durable` where it must survive power loss.
pub fn write_state(dir: &Path, state: &TaskState, durable: bool) -> io::Result<()> {
    write(dir, "state.json", state, durable)
}

/// A task's state as it was last written.
pub fn read_task_state(dir: &Path) -> Option<TaskState> {
    read(&dir.join("state.json"))
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn write(dir: &Path, name: &str, value: &impl Serialize, durable: bool) -> io::Result<()> {
    let (temporary, path) = (dir.join(format!(".{name}.new")), dir.join(name));
    std::fs::write(&temporary, serde_json::to_vec(value)?)?;
    if durable {
        std::fs::File::open(&temporary)?.sync_all()?;
    }
    // The old file becomes the next temporary one: a new inode for each write costs a search past
    // all that were deleted lately.
    if renameat_with(CWD, &temporary, CWD, &path, RenameFlags::EXCHANGE).is_err() {
        std::fs::rename(&temporary, &path)?;
    }
    if durable {
        std::fs::File::open(dir)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_grow_and_begin_anew_with_another_instance() {
        let dir = std::env::temp_dir().join(format!("ls-records-{}", std::process::id()));
        let records = Records::open(&dir).expect("a directory can be made");
        let latest = || records.agent(Part::Instance).latest_seq_num;
        let keep = |arn: &str| records.keep_instance(Part::Instance, Some(arn.into()));
        keep("a").expect("written");
        records.keep_seq_num(Part::Instance, 7).expect("written");
        records.keep_seq_num(Part::Instance, 5).expect("written");
        assert_eq!(latest(), 7);
        keep("a").expect("written");
        assert_eq!(latest(), 7, "registered again as the same");
        keep("b").expect("written");
        assert_eq!(latest(), 0);
        assert_eq!(records.agent(Part::Fargate).container_instance_arn, None);
        std::fs::remove_dir_all(&dir).expect("removed");
    }
}
