//! The access logs of tasks' proxies: a pipe for each task, from its proxies to its log driver.
//!
//! Agent and proxy both hold both ends, so that what was written and not read outlives either of them.

use super::Connect;
use crate::actor::TaskContext;
use crate::logs::{LogStreamSpec, Pipes};
use crate::task::connect::AccessLog;
use crate::task::machine::LOG_WAIT;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use sha2::{Digest, Sha256};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use tokio::time::timeout;

/// As a container's pipe.
const PIPE_BYTES: usize = 1 << 20;
/// In a task's directory: what the log driver keeps there.
const DIR: &str = "service-connect";

/// Both ends of a pipe.
#[derive(Debug)]
pub struct LogEnds {
    read: OwnedFd,
    write: OwnedFd,
}

impl LogEnds {
    /// Of a new pipe.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        // A smaller one loses lines sooner.
        let _ = fcntl_setpipe_size(&write, PIPE_BYTES);
        Ok(Self { read, write })
    }

    /// As the proxy is given them, and gives them back.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.read.as_fd(), self.write.as_fd()]
    }

    /// What the proxy gave back.
    ///
    /// # Errors
    /// It is not two ends.
    pub fn given(ends: Vec<OwnedFd>) -> io::Result<Self> {
        let ends: [OwnedFd; 2] = ends
            .try_into()
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let [read, write] = ends;
        Ok(Self { read, write })
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            read: self.read.try_clone()?,
            write: self.write.try_clone()?,
        })
    }
}

impl Connect {
    /// The pipe of a task's access log, which its log driver reads from now on.
    ///
    /// # Errors
    /// There can be none, or the driver cannot take it.
    pub(super) async fn log_ends(
        &self,
        task: &TaskContext,
        wanted: &AccessLog,
        netns: &Path,
    ) -> io::Result<LogEnds> {
        let arn = &task.definition.arn;
        let spec = spec(task, wanted);
        let found = {
            let state = self.0.state.lock().await;
            if let Some(known) = state.logs.get(arn) {
                return known.try_clone();
            }
            match &state.process {
                Some(of) if state.found.contains_key(netns) => of.log_ends(netns).await.ok(),
                _ => None,
            }
        };
        let ends = match found {
            // It was read before: its driver must not wait for the server.
            Some(ends) => ends,
            None => {
                std::fs::create_dir_all(&spec.container_dir)?;
                let prepared = task.host.logs.prepare(&spec).await;
                prepared.map_err(io::Error::other)?;
                LogEnds::new()?
            }
        };
        let (given, nothing) = (ends.try_clone()?, LogEnds::new()?);
        let pipes = Pipes {
            stdout: ends.read.try_clone()?,
            stderr: nothing.read,
        };
        let mut state = self.0.state.lock().await;
        if let Some(known) = state.logs.get(arn) {
            // On the bridge another container of the task was here first.
            return known.try_clone();
        }
        task.host.logs.attach(spec, Some(pipes));
        state.logs.insert(arn.clone(), ends);
        Ok(given)
    }

    /// Once no proxy of the task is left: returns when what was written is delivered, or after as long as STOPPED waits
    /// for containers' lines.
    pub async fn finish_log(&self, task: &TaskContext) {
        let wanted = task.definition.service_connect();
        let Some(wanted) = wanted.and_then(|wanted| wanted.access_log.as_ref()) else {
            return;
        };
        let (arn, logs) = (&task.definition.arn, &task.host.logs);
        let was_read = {
            let mut state = self.0.state.lock().await;
            if state.open.values().any(|of| of.namespace.task == *arn) {
                return;
            }
            state.logs.remove(arn).is_some()
        };
        let spec = spec(task, wanted);
        let id = spec.runtime_id.clone();
        if !was_read {
            // What an earlier agent read and did not deliver.
            logs.attach(spec, None);
        }
        // It goes on when nobody waits any more, and ends with the task's directory.
        let logs = logs.clone();
        let finished = tokio::spawn(async move { logs.finish(&id).await });
        let _ = timeout(LOG_WAIT, finished).await;
    }
}

fn spec(task: &TaskContext, wanted: &AccessLog) -> LogStreamSpec {
    let digest = Sha256::digest(format!("{}/{DIR}", task.definition.arn));
    LogStreamSpec {
        runtime_id: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        task_dir: task.dir.clone(),
        container_dir: task.dir.join(DIR),
        container: DIR.to_owned(),
        driver: wanted.driver.clone(),
        options: wanted.options.clone(),
        signer: task.log_signer(),
    }
}
