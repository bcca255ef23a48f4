//! A task that an earlier agent left: how its containers stand, and what of their output is owed.

use super::TaskContext;
use crate::api::now;
use crate::logs::Pipes;
use crate::task::machine::Command;
use crate::task::resume::{Found, resume, to_look_for};
use crate::task::state::{ContainerIndex, Logs, TaskState};
use aws_types::Timestamp;
use runtime::host::Attached;
use std::sync::Arc;
use tracing::warn;

impl TaskContext {
    /// Asks the runtime how the containers of an earlier agent stand, and goes on from there.
    pub(super) async fn look_and_resume(
        self: &Arc<Self>,
        state: &TaskState,
    ) -> (TaskState, Vec<Command>) {
        let mut found = Vec::new();
        let mut running = Vec::new();
        for index in to_look_for(state) {
            found.push((index, self.look(state, index, &mut running).await));
        }
        // Output that an earlier agent left in the pipes of what has ended, or read and did not
        // deliver.
        for (index, container) in state.containers.iter().enumerate() {
            let looked = found.iter().any(|(found, _)| *found == index);
            let open = !matches!(container.logs, Logs::No | Logs::Finished);
            if open && !looked {
                let pipes = match self.host.runtime.attach(&self.container_dir(index)).await {
                    Ok(Attached::Exited(_, pipes)) => {
                        pipes.map(|(stdout, stderr)| Pipes { stdout, stderr })
                    }
                    Ok(Attached::Running { .. } | Attached::Lost { .. } | Attached::NotFound)
                    | Err(_) => None,
                };
                self.host.logs.attach(self.log_spec(state, index), pipes);
            }
        }
        let (next, commands) = resume(state, &found, now());
        for index in running {
            let context = self.clone();
            tokio::spawn(async move { context.wait_for_exit(index).await });
        }
        (next, commands)
    }

    async fn look(
        &self,
        state: &TaskState,
        index: ContainerIndex,
        running: &mut Vec<ContainerIndex>,
    ) -> Found {
        let spec = self.log_spec(state, index);
        match self.host.runtime.attach(&self.container_dir(index)).await {
            Ok(Attached::Running { started }) => {
                let started_at_ms = started.started_at_ms;
                self.host.logs.attach(
                    spec,
                    Some(Pipes {
                        stdout: started.stdout,
                        stderr: started.stderr,
                    }),
                );
                running.push(index);
                Found::Running(Timestamp::from_millis(started_at_ms))
            }
            Ok(Attached::Exited(exit, pipes)) => {
                self.host
                    .logs
                    .attach(spec, pipes.map(|(stdout, stderr)| Pipes { stdout, stderr }));
                Found::Exited {
                    started_at: self.recorded_start(index),
                    exit_code: exit.exit_code,
                    out_of_memory: exit.oom_killed,
                    at: Timestamp::from_millis(exit.exited_at_ms),
                    reason: exit.reason,
                }
            }
            Ok(Attached::Lost { reason }) => {
                warn!(task = %state.arn, reason, "a container's shim is gone");
                self.host.logs.attach(spec, None);
                running.push(index);
                Found::Running(self.recorded_start(index).unwrap_or_else(now))
            }
            Ok(Attached::NotFound) => Found::Nothing,
            Err(error) => {
                warn!(task = %state.arn, %error, "a container could not be taken over");
                Found::Nothing
            }
        }
    }
    /// When the container's last run began, as its shim wrote it down.
    fn recorded_start(&self, index: ContainerIndex) -> Option<Timestamp> {
        let state = runtime::record::read_state(&self.container_dir(index)).ok()??;
        Some(Timestamp::from_millis(state.started_at_ms))
    }
}
