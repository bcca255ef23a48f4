//! The way of a container into its task's user namespace.
//!
//! One process prepares with the host's privileges what the namespace's root could not: the layers, whose owners are
//! mapped, binds, device nodes, limits, network parameters. Then it becomes that root and forks the container's first
//! process, whose namespaces are so all the task's own; and ends. The host's tree is still seen by the fork, since the
//! kernel lets nobody mount `/proc` and `/sys` who does not see the host's in whole.

use super::streams::Streams;
use super::{Init, Outside, die_with_shim, limits, namespace_flags, private_mounts, sharing};
use super::{NetworkNamespace, Sharing, report};
use crate::failure::{At, Failure, Stage};
use crate::spec::ContainerSpec;
use crate::sys::{self, Side};
use crate::user_namespace::{self, IdRange, Mapping};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::os::fd::{AsFd, OwnedFd};

/// Namespaces of the process that prepares.
pub const OUTSIDE_FLAGS: u64 = libc::CLONE_NEWNS as u64;

/// Whether a container with ids of its own asks for nothing that only the host's root may give.
///
/// # Errors
/// The first thing that it cannot have.
pub fn check(spec: &ContainerSpec) -> Result<(), Failure> {
    if spec.linux.ids.is_none() {
        return Ok(());
    }
    let own_network = matches!(spec.network, NetworkNamespace::Path(_));
    let of_host = |sharing: Sharing| sharing == Sharing::Host;
    let refused = [
        (!own_network, "a network namespace that is not the task's"),
        (spec.privileged, "privileges"),
        (!spec.linux.devices.is_empty(), "devices of the host"),
        (of_host(spec.linux.pid), "processes of the host"),
        (of_host(spec.linux.ipc), "an IPC namespace of the host"),
    ];
    match refused.iter().find(|(is_asked, _)| *is_asked) {
        Some((_, what)) => {
            let text = format!("a container in a user namespace cannot have {what}");
            Err(Failure::text(Stage::Request, text))
        }
        None => Ok(()),
    }
}

/// By what a container's ids are mapped, if they are. This process is in its network namespace.
pub fn mapping(spec: &ContainerSpec) -> Result<Option<Mapping>, Failure> {
    let Some(range) = spec.linux.ids else {
        return Ok(None);
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let network = rustix::fs::open("/proc/self/ns/net", flags, Mode::empty())
        .at(Stage::Network, || "opening the network namespace")?;
    Mapping::of(range, network).map(Some)
}

/// What a process takes along that cannot be had inside: its streams as its own, and limits above the present ones.
pub fn take_along(range: IdRange, spec: &ContainerSpec, streams: &Streams) -> Result<(), Failure> {
    limits::apply(&spec.ulimits)?;
    let all = [
        Some(&streams.stdout),
        Some(&streams.stderr),
        streams.stdin.as_ref(),
    ];
    for stream in all.into_iter().flatten() {
        let owned = range.own_open(stream.as_fd());
        owned.at(Stage::Process, || "giving the task its standard streams")?;
    }
    Ok(())
}

impl Init<'_> {
    /// As [`Init::run`]; the id of the container's first process is written to `id`.
    pub fn run_mapped(mut self, streams: Streams, id: OwnedFd) -> ! {
        let prepared = self.prepare(&streams);
        let born = prepared.and_then(|outside| Ok((self.bear()?, outside)));
        match born {
            Err(failure) => report(streams.errors, &failure),
            Ok((Side::Parent { pid, .. }, _)) => {
                let _ = rustix::io::write(&id, &pid.to_ne_bytes());
                sys::exit_now(0)
            }
            Ok((Side::Child, outside)) => {
                drop(id);
                let entered = start_inside().and_then(|()| self.inside(outside));
                self.become_program(streams, entered)
            }
        }
    }

    /// The last step as the host's root.
    fn prepare(&mut self, streams: &Streams) -> Result<Outside, Failure> {
        let mut outside = self.outside()?;
        outside.root = detached(&outside.root)?;
        let Some(mapping) = &outside.mapping else {
            return Err(Failure::text(Stage::Request, "no ids to map to"));
        };
        take_along(mapping.range, self.spec, streams)?;
        sharing::enter_pid(self.spec.linux.pid)?;
        user_namespace::become_root(mapping.user_namespace.as_fd())?;
        Ok(outside)
    }

    fn bear(&self) -> Result<Side, Failure> {
        let flags = namespace_flags(self.spec) | libc::CLONE_PARENT as u64;
        sys::clone_into(flags, None).at(Stage::Process, || "making the container's first process")
    }
}

fn start_inside() -> Result<(), Failure> {
    // A change of ids has ended the bond; the parent is the shim again.
    die_with_shim()?;
    rustix::process::setsid().at(Stage::Process, || "making a session")?;
    private_mounts()
}

/// The root as a mount of nobody's, attached over the host's: the fork's copy of the host's own mounts is locked.
fn detached(root: &OwnedFd) -> Result<OwnedFd, Failure> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(root, "", flags).at(Stage::RootFilesystem, || "cloning the root file system")
}

/// Makes a detached root one of this mount namespace's, over the host's.
pub fn attach_root(root: &OwnedFd) -> Result<(), Failure> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(root, "", CWD, "/", flags).at(Stage::RootFilesystem, || "attaching the root")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Device, RootFilesystem};

    #[test]
    fn what_is_the_hosts_is_refused() {
        let spec: ContainerSpec = serde_json::from_value(serde_json::json!({
            "id": "0", "task_id": "t", "dir": "/d",
            "rootfs": RootFilesystem::Overlay { layers: Vec::new(), scratch: "/s".into(), read_only: false },
            "args": [], "env": [], "cwd": "", "user": null, "hostname": null,
            "network": NetworkNamespace::Path("/n".into()), "mounts": [],
            "etc_files": {"hosts": null, "hostname": null, "resolv_conf": null},
            "memory_limit_mib": null, "memory_reservation_mib": null, "cpu_shares": 2, "pids_limit": null,
            "capabilities_add": [], "capabilities_drop": [], "privileged": false, "ulimits": [],
            "linux": {"ids": {"first": 131_072}}, "stop_signal": null, "stdout": "Blocking", "stderr": "Blocking",
        }))
        .unwrap();
        assert_eq!(check(&spec), Ok(()));
        let with = |change: fn(&mut ContainerSpec)| {
            let mut spec = spec.clone();
            change(&mut spec);
            check(&spec)
        };
        assert!(with(|spec| spec.network = NetworkNamespace::Host).is_err());
        assert!(with(|spec| spec.network = NetworkNamespace::New).is_err());
        assert!(with(|spec| spec.privileged = true).is_err());
        assert!(with(|spec| spec.linux.devices = vec![Device::default()]).is_err());
        assert!(with(|spec| spec.linux.pid = Sharing::Host).is_err());
        assert!(with(|spec| spec.linux.ipc = Sharing::Host).is_err());
        let unmapped = with(|spec| {
            spec.privileged = true;
            spec.linux.ids = None;
        });
        assert_eq!(unmapped, Ok(()));
    }
}
