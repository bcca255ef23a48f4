//! A container's start: asked of the zygote, answered by the shim, undone where it fails or is given up.

use super::attach::three;
use super::end::remove_directory;
use super::error::{InPlace, RuntimeError};
use super::link::{self, Link, Parts};
use super::runtime::Inner;
use super::{Started, namespaces};
use crate::capability::CapabilitySet;
use crate::failure::{Failure, Stage};
use crate::overlay;
use crate::record;
use crate::spec::{ContainerSpec, RootFilesystem};
use crate::wire::{Event, Order, StartRequest};
use rustix::process::{Pid, Signal, kill_process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, PoisonError};
use tokio::io::unix::AsyncFd;

/// The shim's first word, with what came along.
type Answer = (AsyncFd<OwnedFd>, Event, Vec<OwnedFd>);

impl Inner {
    pub(super) async fn start(
        self: &Arc<Self>,
        spec: ContainerSpec,
    ) -> Result<Started, RuntimeError> {
        let _making = self.making.read().await;
        self.check_unused(&spec.dir).await?;
        self.undo_cut_off(&spec).await?;
        let dir = spec.dir.clone();
        self.note_start(&dir, Some(spec.clone()));
        let made = self.make_or_ask_again(&spec).await;
        let started = self.answer(spec, made).await;
        self.note_start(&dir, None);
        started
    }

    /// Undoes a start whose future was dropped. Its shim may hang: it is ended, or ends when it finds its agent gone.
    pub(super) async fn give_up(&self, dir: &Path) -> Result<(), RuntimeError> {
        let _making = self.making.read().await;
        let Some(spec) = self.note_start(dir, None) else {
            return Ok(());
        };
        if let Ok(Some(state)) = record::read_state(dir) {
            let shims = self.cgroups.shims().place("looking for shims of", dir)?;
            let shim = i32::try_from(state.shim_pid).ok().and_then(Pid::from_raw);
            if let (true, Some(shim)) = (shims.contains(&state.shim_pid), shim) {
                // One that has left meanwhile is what was wanted.
                let _ = kill_process(shim, Signal::KILL);
            }
        }
        self.undo(&spec).await;
        Ok(())
    }

    /// Keeps what is being started, or takes it out; gives what was kept.
    fn note_start(&self, dir: &Path, spec: Option<ContainerSpec>) -> Option<ContainerSpec> {
        let starting = self.starting.lock();
        let mut starting = starting.unwrap_or_else(PoisonError::into_inner);
        match spec {
            Some(spec) => starting.insert(dir.to_path_buf(), spec),
            None => starting.remove(dir),
        }
    }

    async fn make_or_ask_again(&self, spec: &ContainerSpec) -> Result<Answer, RuntimeError> {
        let mut made = self.make(spec).await;
        for _ in 1..namespaces::TRIES {
            if !matches!(made, Err(RuntimeError::ShimLost(_))) {
                break;
            }
            // What a shim may have begun is undone first.
            self.undo(spec).await;
            made = self.make(spec).await;
        }
        made
    }

    async fn answer(
        self: &Arc<Self>,
        spec: ContainerSpec,
        made: Result<Answer, RuntimeError>,
    ) -> Result<Started, RuntimeError> {
        let (socket, event, descriptors) = match made {
            Ok(made) => made,
            Err(error) => {
                self.undo(&spec).await;
                return Err(error);
            }
        };
        match event {
            Event::Started { pid, started_at_ms } => {
                let (pidfd, stdout, stderr) = three(descriptors, &spec.dir)?;
                self.make_spare(&spec);
                let RootFilesystem::Overlay { scratch, .. } = spec.rootfs;
                let parts = Parts {
                    dir: spec.dir,
                    id: spec.id,
                    task_id: spec.task_id,
                    scratch,
                    pidfd: Some(pidfd),
                    socket: Some(socket),
                    exit: None,
                };
                self.keep(Link::new(self, parts));
                Ok(Started {
                    pid,
                    started_at_ms,
                    stdout,
                    stderr,
                })
            }
            Event::Failed(failure) => {
                self.undo(&spec).await;
                Err(RuntimeError::Failed(failure))
            }
            Event::Attached { .. } | Event::Executed { .. } | Event::Exited(_) => {
                self.undo(&spec).await;
                Err(RuntimeError::ShimLost(spec.dir))
            }
        }
    }

    /// Asks for the container and waits for the shim's word.
    async fn make(&self, spec: &ContainerSpec) -> Result<Answer, RuntimeError> {
        let (ours, theirs) = link::pair().place("making a socket for", &spec.dir)?;
        let set = CapabilitySet::resolve(
            spec.privileged,
            &spec.capabilities_add,
            &spec.capabilities_drop,
        )
        .map_err(|text| RuntimeError::Failed(Failure::text(Stage::Request, text)))?;
        let filter = if spec.privileged || spec.linux.unfiltered {
            None
        } else {
            Some(self.filter(set)?)
        };
        let asked = self.with_mount_points(spec);
        let root = self.spare_root(&asked);
        let request = StartRequest {
            has_root: root.is_some(),
            spec: asked,
            cgroups: self.cgroups.clone(),
            overlay: self.capabilities.overlay(),
            has_filter: filter.is_some(),
        };
        let all = [
            Some(theirs.as_fd()),
            filter.as_ref().map(|filter| filter.as_fd()),
            root.as_ref().map(AsFd::as_fd),
        ];
        let descriptors: Vec<BorrowedFd<'_>> = all.into_iter().flatten().collect();
        let order = Order::Start(Box::new(request));
        self.zygote.send(&self.cgroups, &order, &descriptors)?;
        drop(theirs);
        match link::receive::<Event>(&ours)
            .await
            .place("hearing the shim of", &spec.dir)?
        {
            Some((event, descriptors)) => Ok((ours, event, descriptors)),
            None => Err(RuntimeError::ShimLost(spec.dir.clone())),
        }
    }

    /// Removes what a shim that died in the middle of a start has left.
    async fn undo(&self, spec: &ContainerSpec) {
        if let Err(error) = self.remove_container_group(&spec.task_id, &spec.id).await {
            tracing::warn!(container = %spec.id, %error, "control group of a failed start not removed");
        }
        for file in [record::STATE_FILE, record::SOCKET_FILE] {
            let _ = std::fs::remove_file(spec.dir.join(file));
        }
        let RootFilesystem::Overlay { scratch, .. } = &spec.rootfs;
        let _ = std::fs::remove_dir_all(scratch);
    }

    /// What a start left that an earlier agent did not see to its end: its processes, and an overlay's mark that it is
    /// mounted, with which it could not be mounted again. After a run that ended there is neither.
    async fn undo_cut_off(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        let RootFilesystem::Overlay { scratch, .. } = &spec.rootfs;
        let work = overlay::work_directory(scratch);
        if !work.exists() {
            return Ok(());
        }
        self.remove_container_group(&spec.task_id, &spec.id).await?;
        remove_directory(work).await
    }

    /// A stale socket is removed; a living one means that the directory is used.
    async fn check_unused(&self, dir: &Path) -> Result<(), RuntimeError> {
        let is_known = self
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(dir);
        if is_known || dir.join(record::EXIT_FILE).exists() {
            return Err(RuntimeError::InUse(dir.to_path_buf()));
        }
        let socket = dir.join(record::SOCKET_FILE);
        if socket.exists() {
            if link::connect(dir)
                .await
                .place("connecting to", &socket)?
                .is_some()
            {
                return Err(RuntimeError::InUse(dir.to_path_buf()));
            }
            std::fs::remove_file(&socket).place("removing", &socket)?;
        }
        Ok(())
    }
}
