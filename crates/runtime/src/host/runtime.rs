//! The runtime behind the trait: one zygote, one link per container, one lock against sweeps of what is being made.

use super::error::{InPlace, RuntimeError};
use super::link::Link;
use super::probe::{Capabilities, KernelFeature};
use super::spare::Spares;
use super::zygote::Zygote;
use super::{Attached, ContainerRuntime, Started, SweepReport, mount_points, namespaces, sweep};
use crate::capability::CapabilitySet;
use crate::cgroup::CgroupTree;
use crate::record::{self, StateRecord};
use crate::seccomp;
use crate::spec::{
    ContainerSpec, ExecResult, ExecSpec, ExitRecord, IdRange, RootFilesystem, Stats, TaskCgroupSpec,
};
use crate::wire::memory_file;
use async_trait::async_trait;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{RwLock, watch};

/// What a runtime is made from.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// The agent's data directory; exists.
    pub data_dir: PathBuf,
    /// Names this data directory among the host's control groups: 8 hexadecimal digits.
    pub tag: String,
    /// The static shim executable.
    pub shim_image: &'static [u8],
    /// Kernel calls that are not used though they be there, so that their fallbacks are.
    pub without: Vec<KernelFeature>,
}

/// Our own container runtime.
#[derive(Debug)]
pub struct Runtime {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub struct Inner {
    pub capabilities: Capabilities,
    pub cgroups: CgroupTree,
    pub zygote: Zygote,
    /// The lowest layer of every container.
    mount_points: PathBuf,
    pub(super) spares: Spares,
    /// Starts hold it shared, a sweep alone: what is being made has no record yet.
    pub(super) making: RwLock<()>,
    /// `std` mutexes: held for one look-up.
    pub links: Mutex<BTreeMap<PathBuf, Arc<Link>>>,
    pub tasks: Mutex<BTreeSet<String>>,
    /// Starts under way, by record directory.
    pub(super) starting: Mutex<BTreeMap<PathBuf, ContainerSpec>>,
    filters: Mutex<BTreeMap<CapabilitySet, Arc<OwnedFd>>>,
    /// True once this agent lets go of its containers.
    pub closing: watch::Sender<bool>,
}

impl Runtime {
    /// Probes the kernel and makes the shims' control group. Starts no process yet.
    pub fn new(config: RuntimeConfig) -> Result<Self, RuntimeError> {
        let cgroups = CgroupTree::detect(&config.tag)
            .place("looking for control groups in", Path::new("/proc"))?;
        cgroups
            .create_shims()
            .place("making control groups", Path::new(&cgroups.name))?;
        let capabilities = Capabilities::probe(&config.data_dir, &config.without);
        tracing::info!(?capabilities, "newer kernel calls looked for");
        let zygote = Zygote::new(config.shim_image)?;
        let mount_points = mount_points::prepare(&config.data_dir)
            .place("making mount points in", &config.data_dir)?;
        let spares = Spares::prepare(&config.data_dir)
            .place("making room for roots in", &config.data_dir)?;
        Ok(Self {
            inner: Arc::new(Inner {
                capabilities,
                cgroups,
                zygote,
                mount_points,
                spares,
                making: RwLock::new(()),
                links: Mutex::default(),
                tasks: Mutex::default(),
                starting: Mutex::default(),
                filters: Mutex::default(),
                closing: watch::Sender::new(false),
            }),
        })
    }

    /// How many root file systems are made ahead.
    pub fn spare_roots(&self) -> usize {
        self.inner.spares.len()
    }

    /// What this kernel can do.
    pub fn capabilities(&self) -> Capabilities {
        self.inner.capabilities
    }

    /// The zygote's process, while it runs.
    pub fn zygote_pid(&self) -> Option<u32> {
        self.inner.zygote.pid()
    }

    /// Moves a process that serves Service Connect out of the agent's control group: a service manager that ends all of
    /// that must not end it.
    pub fn join_proxy(&self, pid: u32) -> std::io::Result<()> {
        self.inner.cgroups.join_proxy(pid)
    }

    /// Ends those processes, and removes their group.
    pub fn end_proxies(&self) -> std::io::Result<()> {
        self.inner.cgroups.remove_proxy()
    }

    /// Ends the zygote and lets go of all containers; running ones and their shims live on. With `remove_groups` also removes the control groups
    /// of this data directory, which fails while a container is left: for `longshore down`.
    pub async fn shut_down(&self, remove_groups: bool) -> Result<(), RuntimeError> {
        let inner = Arc::clone(&self.inner);
        inner.closing.send_replace(true);
        inner
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let ended = tokio::task::spawn_blocking(move || {
            inner.spares.close();
            inner.zygote.stop();
            if remove_groups {
                inner.cgroups.remove_all()
            } else {
                Ok(())
            }
        });
        let ended = ended
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)));
        ended.place(
            "removing control groups",
            Path::new(&self.inner.cgroups.name),
        )
    }
}

impl Inner {
    pub(super) fn link(&self, dir: &Path) -> Result<Arc<Link>, RuntimeError> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .get(dir)
            .cloned()
            .ok_or_else(|| RuntimeError::NotFound(dir.to_path_buf()))
    }

    pub(super) fn keep(&self, link: Arc<Link>) {
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(link.dir.clone(), link);
    }

    /// Off the event loop, since it may have to wait for dying processes.
    pub async fn remove_container_group(
        self: &Inner,
        task_id: &str,
        id: &str,
    ) -> Result<(), RuntimeError> {
        let (cgroups, task, id) = (self.cgroups.clone(), task_id.to_owned(), id.to_owned());
        let path = Path::new(task_id).join(&id);
        let removed =
            tokio::task::spawn_blocking(move || cgroups.remove_container(&task, &id)).await;
        removed
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .place("removing the control group", &path)
    }

    /// The compiled filter of a capability set, made once.
    pub(super) fn filter(&self, set: CapabilitySet) -> Result<Arc<OwnedFd>, RuntimeError> {
        let mut filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(filter) = filters.get(&set) {
            return Ok(Arc::clone(filter));
        }
        let file = memory_file(c"seccomp", &seccomp::compile(set))
            .place("writing", Path::new("the filter"))?;
        let filter = Arc::new(file);
        filters.insert(set, Arc::clone(&filter));
        Ok(filter)
    }

    pub(super) fn with_mount_points(&self, spec: &ContainerSpec) -> ContainerSpec {
        let mut spec = spec.clone();
        let RootFilesystem::Overlay { layers, .. } = &mut spec.rootfs;
        layers.push(self.mount_points.clone());
        spec
    }
}

/// The record's process, not a later one with its number.
pub fn is_alive(state: &StateRecord) -> bool {
    record::boot_id().is_ok_and(|boot| boot == state.boot_id)
        && record::start_time_ticks(state.pid).is_ok_and(|ticks| ticks == state.start_time_ticks)
}

#[async_trait]
impl ContainerRuntime for Runtime {
    async fn create_task(&self, spec: &TaskCgroupSpec) -> Result<(), RuntimeError> {
        let _making = self.inner.making.read().await;
        self.inner
            .cgroups
            .create_task(spec)
            .place("making the control group of task", Path::new(&spec.task_id))?;
        self.inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(spec.task_id.clone());
        Ok(())
    }

    async fn make_namespaces(&self, ids: IdRange) -> Result<OwnedFd, RuntimeError> {
        namespaces::make(&self.inner, ids).await
    }

    async fn start(&self, spec: ContainerSpec) -> Result<Started, RuntimeError> {
        self.inner.start(spec).await
    }

    async fn give_up(&self, dir: &Path) -> Result<(), RuntimeError> {
        self.inner.give_up(dir).await
    }

    async fn attach(&self, dir: &Path) -> Result<Attached, RuntimeError> {
        let _making = self.inner.making.read().await;
        self.inner.attach(dir).await
    }

    async fn wait(&self, dir: &Path) -> Result<ExitRecord, RuntimeError> {
        self.inner.wait(dir).await
    }

    async fn signal(&self, dir: &Path, signal: i32) -> Result<(), RuntimeError> {
        self.inner.signal(dir, signal)
    }

    async fn exec(&self, dir: &Path, spec: ExecSpec) -> Result<ExecResult, RuntimeError> {
        self.inner.link(dir)?.exec(spec).await
    }

    async fn clear(&self, dir: &Path) -> Result<(), RuntimeError> {
        self.inner.clear(dir).await
    }

    async fn remove(&self, dir: &Path) -> Result<(), RuntimeError> {
        self.inner.remove(dir).await
    }

    async fn remove_task(&self, task_id: &str) -> Result<(), RuntimeError> {
        let (cgroups, task) = (self.inner.cgroups.clone(), task_id.to_owned());
        let removed = tokio::task::spawn_blocking(move || cgroups.remove_task(&task)).await;
        let removed = removed.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        removed.place("removing the control group of task", Path::new(task_id))?;
        self.inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(task_id);
        Ok(())
    }

    async fn stats(&self, dir: &Path) -> Result<Stats, RuntimeError> {
        let link = self.inner.link(dir)?;
        self.inner
            .cgroups
            .stats(&link.task_id, &link.id)
            .place("reading the control group of", dir)
    }

    async fn sweep(
        &self,
        known: &[PathBuf],
        tasks: &[String],
    ) -> Result<SweepReport, RuntimeError> {
        let _alone = self.inner.making.write().await;
        let (inner, known) = (Arc::clone(&self.inner), known.to_vec());
        let tasks = tasks.iter().cloned().collect();
        let swept = tokio::task::spawn_blocking(move || sweep::sweep(&inner, &known, tasks)).await;
        let swept = swept.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        swept.place(
            "sweeping the control groups",
            Path::new(&self.inner.cgroups.name),
        )
    }
}
