//! Taking over what an earlier agent started: from the shim if it answers, else from its records.

use super::error::{InPlace, RuntimeError};
use super::link::{self, Link, Parts};
use super::runtime::{Inner, is_alive};
use super::{Attached, Started, lost};
use crate::record::{self, StateRecord};
use crate::spec::ExitRecord;
use crate::wire::{Event, Request};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use tokio::io::unix::AsyncFd;

impl Inner {
    /// How a container stands; from now on it is this agent's.
    pub(super) async fn attach(self: &Arc<Self>, dir: &Path) -> Result<Attached, RuntimeError> {
        let state = record::read_state(dir).place("reading the state in", dir)?;
        let socket = link::connect(dir)
            .await
            .place("connecting to the shim in", dir)?;
        if let Some(socket) = socket
            && let Some(attached) = self.attach_to_shim(dir, socket, state).await?
        {
            return Ok(attached);
        }
        // It failed to start, or died while it was asked: what it left on disk tells.
        let exit = record::read_exit(dir).place("reading the exit record in", dir)?;
        let state = record::read_state(dir).place("reading the state in", dir)?;
        match (state, exit) {
            (Some(state), Some(exit)) => {
                let parts = parts(dir, state, Some(exit.clone()));
                self.keep(Link::new(self, parts));
                Ok(Attached::Exited(exit, None))
            }
            (None, Some(exit)) => Ok(Attached::Exited(exit, None)),
            (Some(state), None) => Ok(self.lost(dir, state)),
            (None, None) => Ok(Attached::NotFound),
        }
    }

    /// `None` where the shim gives no answer that can be used.
    async fn attach_to_shim(
        self: &Arc<Self>,
        dir: &Path,
        socket: AsyncFd<OwnedFd>,
        state: Option<StateRecord>,
    ) -> Result<Option<Attached>, RuntimeError> {
        link::send(&socket, &Request::Attach)
            .await
            .place("asking the shim in", dir)?;
        let answer = answer(&socket).await.place("hearing the shim in", dir)?;
        // Read again: a shim that was still starting has written it meanwhile.
        let state = state.or(record::read_state(dir).place("reading the state in", dir)?);
        let (
            Some((
                Event::Attached {
                    pid,
                    started_at_ms,
                    exit,
                },
                descriptors,
            )),
            Some(state),
        ) = (answer, state)
        else {
            return Ok(None);
        };
        let (pidfd, stdout, stderr) = three(descriptors, dir)?;
        let parts = Parts {
            pidfd: Some(pidfd),
            socket: Some(socket),
            ..parts(dir, state, exit.clone())
        };
        self.keep(Link::new(self, parts));
        Ok(Some(match exit {
            Some(exit) => Attached::Exited(exit, Some((stdout, stderr))),
            None => Attached::Running {
                started: Started {
                    pid,
                    started_at_ms,
                    stdout,
                    stderr,
                },
            },
        }))
    }

    /// The container of a state record, whose shim does not answer.
    fn lost(self: &Arc<Self>, dir: &Path, state: StateRecord) -> Attached {
        let pidfd = if is_alive(&state) {
            i32::try_from(state.pid)
                .ok()
                .and_then(Pid::from_raw)
                .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
                // Looked at again: between the two looks the number may have gone to another process.
                .filter(|_| is_alive(&state))
        } else {
            None
        };
        let parts = Parts {
            pidfd,
            ..parts(dir, state, None)
        };
        self.keep(Link::new(self, parts));
        Attached::Lost {
            reason: lost::UNKNOWN.to_owned(),
        }
    }
}

/// What the shim answers. A container that ends between the connection and the request is told to everybody first: the
/// answer, which has the end and the output with it, still comes.
async fn answer(socket: &AsyncFd<OwnedFd>) -> std::io::Result<Option<(Event, Vec<OwnedFd>)>> {
    loop {
        match link::receive::<Event>(socket).await? {
            Some((Event::Exited(_), _)) => {}
            other => return Ok(other),
        }
    }
}

/// Of a container whose process and shim are not held.
fn parts(dir: &Path, state: StateRecord, exit: Option<ExitRecord>) -> Parts {
    Parts {
        dir: dir.to_path_buf(),
        id: state.id,
        task_id: state.task_id,
        scratch: state.scratch,
        pidfd: None,
        socket: None,
        exit,
    }
}

/// The three descriptors that come with a started or attached container.
pub(super) fn three(
    descriptors: Vec<OwnedFd>,
    dir: &Path,
) -> Result<(OwnedFd, OwnedFd, OwnedFd), RuntimeError> {
    let mut all = descriptors.into_iter();
    match (all.next(), all.next(), all.next()) {
        (Some(pidfd), Some(stdout), Some(stderr)) => Ok((pidfd, stdout, stderr)),
        _ => Err(RuntimeError::ShimLost(dir.to_path_buf())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ExitRecord;
    use crate::wire;
    use std::os::fd::AsFd;

    #[tokio::test]
    async fn an_end_that_is_told_before_the_answer_does_not_stand_for_it() {
        let exit = ExitRecord {
            exit_code: Some(9),
            signal: None,
            oom_killed: false,
            exited_at_ms: 1,
            reason: None,
        };
        let (ours, shim) = link::pair().unwrap();
        wire::send(&shim, &Event::Exited(exit.clone()), &[]).unwrap();
        let attached = Event::Attached {
            pid: 7,
            started_at_ms: 0,
            exit: Some(exit),
        };
        let output = std::io::pipe().unwrap();
        wire::send(&shim, &attached, &[output.0.as_fd()]).unwrap();
        let (answer, descriptors) = answer(&ours).await.unwrap().unwrap();
        assert!(matches!(answer, Event::Attached { exit: Some(_), .. }));
        assert_eq!(descriptors.len(), 1);
        drop(shim);
        assert!(super::answer(&ours).await.unwrap().is_none());
    }
}
