//! The process that holds the namespaces which a task's containers share. It lives as long as the task.

use super::TaskContext;
use crate::bundle;
use crate::engine::runtime_id;
use runtime::host::Attached;
use runtime::record;
use runtime::spec::{
    ContainerSpec, EtcFiles, FirstProcess, LinuxOptions, NetworkNamespace, RootFilesystem,
    StreamMode,
};
use std::path::PathBuf;
use tracing::warn;

/// No container has such a name; among their records it is found by who sweeps.
const NAME: &str = "~holder";

impl TaskContext {
    fn holder_dir(&self) -> PathBuf {
        self.dir.join("containers").join(NAME)
    }

    fn holder_files(&self) -> PathBuf {
        bundle::container_files(&self.files(), NAME)
    }

    /// The holder's process, once it is there.
    pub(super) fn holder(&self) -> Option<u32> {
        let state = record::read_state(&self.holder_dir()).ok().flatten();
        state.map(|state| state.pid)
    }

    /// Starts the holder where the task needs one and an earlier agent has not.
    pub(super) async fn ensure_holder(&self) -> Result<(), String> {
        if !self.definition.needs_holder() {
            return Ok(());
        }
        let _alone = self.holding.lock().await;
        let dir = self.holder_dir();
        for dir in [&dir, &self.holder_files()] {
            std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        let runtime = &self.host.runtime;
        match runtime.attach(&dir).await {
            Ok(Attached::Running { .. }) => Ok(()),
            Ok(Attached::NotFound) => match runtime.start(self.holder_spec()).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("the task's namespaces: {error}")),
            },
            Ok(Attached::Exited(..) | Attached::Lost { .. }) => {
                Err("the task's namespaces are gone".into())
            }
            Err(error) => Err(format!("the task's namespaces: {error}")),
        }
    }

    pub(super) async fn remove_holder(&self) {
        if !self.definition.needs_holder() {
            return;
        }
        let dir = self.holder_dir();
        // One that an earlier agent started is this agent's from here on.
        let _ = self.host.runtime.attach(&dir).await;
        if let Err(error) = self.host.runtime.remove(&dir).await {
            warn!(task = %self.definition.arn, %error, "a task's holder could not be removed; the sweep does it");
        }
    }

    fn holder_spec(&self) -> ContainerSpec {
        let dir = self.holder_dir();
        let ids = self.given().ids;
        // Only in a network of its user namespace's own may it have a `/sys`.
        let interface = self.adopted_interface().filter(|_| ids.is_some());
        let network = interface.map(|interface| NetworkNamespace::Path(interface.netns));
        let hosts = self.definition.containers.iter();
        let sizes = hosts.filter_map(|container| Some(container.host_config().ok()?.shm_size));
        ContainerSpec {
            id: runtime_id(),
            task_id: self.definition.id().unwrap_or_default().to_owned(),
            rootfs: RootFilesystem::Overlay {
                layers: Vec::new(),
                scratch: self.holder_files().join("scratch"),
                read_only: true,
            },
            dir,
            args: vec![NAME.into()],
            env: Vec::new(),
            cwd: String::new(),
            user: None,
            hostname: None,
            network: network.unwrap_or(NetworkNamespace::Host),
            mounts: Vec::new(),
            etc_files: EtcFiles::default(),
            memory_limit_mib: None,
            memory_reservation_mib: None,
            cpu_shares: 2,
            pids_limit: None,
            capabilities_add: Vec::new(),
            capabilities_drop: vec!["ALL".into()],
            privileged: false,
            ulimits: Vec::new(),
            linux: LinuxOptions {
                first: FirstProcess::Holder,
                // All share the one, so it is as large as any asks for.
                shm_bytes: sizes.max().filter(|bytes| *bytes > 0),
                ids,
                ..LinuxOptions::default()
            },
            stop_signal: None,
            stdout: StreamMode::Blocking,
            stderr: StreamMode::Blocking,
        }
    }
}
