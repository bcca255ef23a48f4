//! The container's first process, from its birth in new namespaces to the program's first instruction.
//!
//! Runs in a child of the shim, single threaded. It reports a failure through its error pipe, which closes by itself
//! when the program starts. Order of steps: `docs/decisions` and each module's own text; the outer order is here.

mod apparmor;
mod binds;
pub mod devices;
mod fill;
pub mod launch;
pub mod limits;
pub mod mapped;
mod mounts;
mod program;
pub mod sharing;
pub mod streams;
pub mod sysctl;
mod tmpfs;
mod user;

use crate::capability::CapabilitySet;
use crate::cgroup::{CgroupTree, Version};
use crate::failure::{At, Failure, Stage};
use crate::overlay::{self, OverlayMethod};
use crate::spec::{ContainerSpec, NetworkNamespace, RootFilesystem, Sharing};
use crate::sys;
use crate::user_namespace::Mapping;
use binds::Pending;
use devices::{HostDevice, Node};
use launch::Launch;
use mounts::KernelMounts;
use rustix::fs::Mode;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use streams::Streams;

/// What the shim hands to its child.
#[derive(Debug)]
pub struct Init<'a> {
    /// The container.
    pub spec: &'a ContainerSpec,
    /// Where control groups are.
    pub cgroups: &'a CgroupTree,
    /// Devices of the host that the container was given.
    pub devices: &'a [HostDevice],
    /// How layers are mounted.
    pub overlay: OverlayMethod,
    /// The root, where it was mounted ahead, over the scratch directory.
    pub root: Option<OwnedFd>,
    /// The container's capabilities.
    pub capabilities: CapabilitySet,
    /// The compiled filter.
    pub filter: Option<Vec<u8>>,
}

/// Namespaces that the child is born in; its cgroup namespace is made once it is in its group.
pub fn namespace_flags(spec: &ContainerSpec) -> u64 {
    let network = match spec.network {
        NetworkNamespace::New => libc::CLONE_NEWNET,
        NetworkNamespace::Host | NetworkNamespace::Path(_) => 0,
    };
    let own = |sharing: Sharing, flag: i32| match sharing {
        Sharing::Own => flag,
        Sharing::Host | Sharing::Of(_) => 0,
    };
    let flags = libc::CLONE_NEWNS
        | libc::CLONE_NEWUTS
        | own(spec.linux.pid, libc::CLONE_NEWPID)
        | own(spec.linux.ipc, libc::CLONE_NEWIPC);
    (flags | network) as u64
}

/// What is made with the host's privileges and its tree in view, for what comes after.
struct Outside {
    root: OwnedFd,
    binds: Vec<Pending>,
    /// Nodes to be made, of a container that can make them.
    devices: Vec<HostDevice>,
    /// Nodes of the host to be shown, of one that cannot.
    nodes: Vec<Node>,
    shared_memory: Option<OwnedFd>,
    mapping: Option<Mapping>,
}

impl Init<'_> {
    /// The child's whole life before the program.
    pub fn run(mut self, streams: Streams) -> ! {
        let entered = self.outside().and_then(|outside| self.inside(outside));
        self.become_program(streams, entered)
    }

    fn become_program(self, streams: Streams, entered: Result<(), Failure>) -> ! {
        let (errors, failure) = match entered {
            Ok(()) => {
                let launch = launch_of(self.spec, self.capabilities, self.filter);
                launch::become_program(&launch, streams)
            }
            Err(failure) => (streams.errors, failure),
        };
        report(errors, &failure)
    }

    /// Everything that needs the host's tree, or its privileges.
    fn outside(&mut self) -> Result<Outside, Failure> {
        let spec = self.spec;
        die_with_shim()?;
        sys::reset_signals();
        rustix::process::setsid().at(Stage::Process, || "making a session")?;
        rustix::process::umask(Mode::empty());
        self.join_cgroup()?;
        self.enter_network()?;
        sharing::enter_ipc(spec.linux.ipc)?;
        private_mounts()?;
        reset_oom_score();
        sysctl::apply(&spec.linux.sysctls, sysctl::is_network)?;
        let mapping = mapped::mapping(spec)?;
        let binds = binds::open(&spec.mounts, &spec.etc_files)?;
        let mut devices = if spec.privileged {
            devices::of_host()
        } else {
            Vec::new()
        };
        devices.extend(self.devices.iter().cloned());
        let nodes = match mapping {
            Some(_) => devices::nodes()?,
            None => Vec::new(),
        };
        let shared_memory = sharing::shared_memory(spec.linux.ipc)?;
        let RootFilesystem::Overlay {
            layers, scratch, ..
        } = &spec.rootfs;
        let root = match self.root.take() {
            Some(root) => {
                overlay::attach(&root, scratch)?;
                root
            }
            None => overlay::mount(layers, scratch, self.overlay, mapping.as_ref())?,
        };
        Ok(Outside {
            root,
            binds,
            devices,
            nodes,
            shared_memory,
            mapping,
        })
    }

    /// Everything up to the container's own view of the world.
    fn inside(&self, outside: Outside) -> Result<(), Failure> {
        let spec = self.spec;
        sys::unshare(libc::CLONE_NEWCGROUP).at(Stage::Cgroup, || "making a cgroup namespace")?;
        let kernel = KernelMounts::make(spec)?;
        if outside.mapping.is_some() {
            mapped::attach_root(&outside.root)?;
        }
        change_root(&outside.root)?;
        let mut binds = outside.binds;
        binds::add_memory(&mut binds, &spec.linux.tmpfs)?;
        binds::fill(&binds)?;
        if let Some(hostname) = &spec.hostname {
            rustix::system::sethostname(hostname.as_bytes()).at(Stage::Hostname, || {
                format!("setting the host name {hostname:?}")
            })?;
        }
        mounts::mount_system(self.cgroups, spec, kernel, outside.shared_memory)?;
        if outside.mapping.is_some() {
            devices::show(outside.nodes)?;
        } else {
            devices::make(&outside.devices)?;
        }
        binds::attach(binds)?;
        sysctl::apply(&spec.linux.sysctls, |name| !sysctl::is_network(name))?;
        if !spec.privileged {
            mounts::mask()?;
        }
        let RootFilesystem::Overlay { read_only, .. } = spec.rootfs;
        if read_only {
            mounts::protect_root()?;
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
        Ok(())
    }

    /// On v2 the process was born in its group.
    fn join_cgroup(&self) -> Result<(), Failure> {
        if matches!(self.cgroups.version, Version::V1(_)) {
            self.cgroups
                .join_container(&self.spec.task_id, &self.spec.id, 0)
                .at(Stage::Cgroup, || "joining the container's control group")?;
        }
        Ok(())
    }

    fn enter_network(&self) -> Result<(), Failure> {
        match &self.spec.network {
            NetworkNamespace::Host => Ok(()),
            NetworkNamespace::New => {
                sys::loopback_up().at(Stage::Network, || "bringing loopback up")
            }
            NetworkNamespace::Path(path) => {
                let what = || format!("joining the network namespace {}", path.display());
                let namespace = std::fs::File::open(path).at(Stage::Network, what)?;
                sys::setns(namespace.as_fd(), libc::CLONE_NEWNET).at(Stage::Network, what)
            }
        }
    }
}

/// The container's own program.
pub fn launch_of(
    spec: &ContainerSpec,
    capabilities: CapabilitySet,
    filter: Option<Vec<u8>>,
) -> Launch<'_> {
    Launch {
        args: &spec.args,
        env: spec.env.clone(),
        cwd: &spec.cwd,
        first: spec.linux.first,
        user: spec.user.as_deref().unwrap_or_default(),
        is_mapped: spec.linux.ids.is_some(),
        ulimits: &spec.ulimits,
        no_new_privileges: spec.linux.no_new_privileges,
        apparmor_profile: spec.linux.apparmor_profile.as_deref(),
        capabilities,
        filter,
    }
}

/// Tells the shim why there is no program, and ends.
pub fn report(errors: OwnedFd, failure: &Failure) -> ! {
    // If even this cannot be written the shim sees an early end of the process.
    if let Ok(json) = serde_json::to_vec(failure) {
        let _ = std::fs::File::from(errors).write_all(&json);
    }
    sys::exit_now(1)
}

/// While the container is being made, the death of its shim must end it.
fn die_with_shim() -> Result<(), Failure> {
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)
        .at(Stage::Process, || "binding to the shim's life")
}

/// Nothing that is mounted from here on is seen on the host.
fn private_mounts() -> Result<(), Failure> {
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", flags).at(
        Stage::RootFilesystem,
        || "separating mounts from the host's",
    )
}

/// The old root is mounted under the new one and detached at once, so no directory is needed for it.
fn change_root(root: &OwnedFd) -> Result<(), Failure> {
    let at = Stage::RootFilesystem;
    rustix::process::fchdir(root).at(at, || "entering the root file system")?;
    rustix::process::pivot_root(".", ".").at(at, || "changing the root")?;
    unmount(".", UnmountFlags::DETACH).at(at, || "leaving the host's tree")?;
    rustix::process::chdir("/").at(at, || "entering the new root")
}

/// The shim may run with a lower score than ours; raising it is always allowed.
fn reset_oom_score() {
    // Without the file (no /proc entry for it) the score is what it is: the container still runs.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}
