//! Namespaces that a container shares with the host or with its task's holder.
//!
//! Rule: Docker's `--pid` and `--ipc`, which `pidMode` and `ipcMode` of the ECS API ask for. The holder lives as long as
//! its task, so that its process id means no other process.

use crate::failure::{At, Failure, Stage};
use crate::spec::Sharing;
use crate::sys::{self, Side};
use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

const STAGE: Stage = Stage::Process;

fn open(process: &str, kind: &str) -> Result<File, Failure> {
    let path = format!("/proc/{process}/ns/{kind}");
    File::open(&path).at(STAGE, || format!("opening {path}"))
}

/// Forks by `fork` so that the child is born in the pid namespace that the container lives in.
pub fn in_pid_namespace(
    sharing: Sharing,
    fork: impl FnOnce() -> Result<Side, Failure>,
) -> Result<Side, Failure> {
    let Sharing::Of(_) = sharing else {
        return fork();
    };
    let own = open("self", "pid")?;
    enter_pid(sharing)?;
    let side = fork();
    if !matches!(side, Ok(Side::Child)) {
        // Later children of this process are not the container's.
        sys::setns(own.as_fd(), libc::CLONE_NEWPID).at(STAGE, || "leaving the pid namespace")?;
    }
    side
}

/// Makes the children of this process, for good, processes of a holder's pid namespace.
pub fn enter_pid(sharing: Sharing) -> Result<(), Failure> {
    let Sharing::Of(holder) = sharing else {
        return Ok(());
    };
    let shared = open(&holder.to_string(), "pid")?;
    sys::setns(shared.as_fd(), libc::CLONE_NEWPID).at(STAGE, || {
        format!("joining the pid namespace of process {holder}")
    })
}

/// Enters the IPC namespace of a holder.
pub fn enter_ipc(sharing: Sharing) -> Result<(), Failure> {
    let Sharing::Of(holder) = sharing else {
        return Ok(());
    };
    let shared = open(&holder.to_string(), "ipc")?;
    sys::setns(shared.as_fd(), libc::CLONE_NEWIPC).at(STAGE, || {
        format!("joining the ipc namespace of process {holder}")
    })
}

/// The `/dev/shm` that goes with a shared IPC namespace. The host's tree must still be seen.
pub fn shared_memory(sharing: Sharing) -> Result<Option<OwnedFd>, Failure> {
    let clone = || {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        open_tree(CWD, "/dev/shm", flags).at(Stage::SystemMount, || "sharing /dev/shm")
    };
    match sharing {
        Sharing::Own => Ok(None),
        Sharing::Host => clone().map(Some),
        Sharing::Of(holder) => {
            let what = || format!("visiting the mounts of process {holder}");
            let own = open("self", "mnt")?;
            let shared = open(&holder.to_string(), "mnt")?;
            sys::setns(shared.as_fd(), libc::CLONE_NEWNS).at(STAGE, what)?;
            let cloned = clone();
            sys::setns(own.as_fd(), libc::CLONE_NEWNS)
                .at(STAGE, || "returning to the own mounts")?;
            cloned.map(Some)
        }
    }
}
