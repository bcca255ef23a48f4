//! A user namespace of a task's own: its ids are a range of the host's, so that root in it is nobody outside.
//!
//! It is made together with the task's network namespace, which it owns: only then may its root mount `/sys`. Whoever
//! has the network namespace finds the user namespace by it, so the one is all that has to be kept.
//! Image layers stay owned as they are and are mapped where they are mounted; what a task writes is owned by its range.

use crate::failure::{At, Failure, Stage};
use crate::mount_attributes::{self, Attributes};
use crate::sys::{self, Side};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};
use std::io::{Error, Result as IoResult};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// How many ids a task has: 0 to 65,535, which is what images are made for.
pub const IDS: u32 = 65_536;

const STAGE: Stage = Stage::Process;

/// The host's ids that stand for a task's: [`IDS`] of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IdRange {
    /// Which of the host's ids is the task's 0.
    pub first: u32,
}

impl IdRange {
    /// The task's root, as a file's owner.
    pub fn root(self) -> (Uid, Gid) {
        (Uid::from_raw(self.first), Gid::from_raw(self.first))
    }

    /// Gives a file or directory, or the link itself, to the task's root.
    pub fn own(self, path: &Path) -> IoResult<()> {
        std::os::unix::fs::lchown(path, Some(self.first), Some(self.first))
    }

    /// Gives what is open to the task's root.
    pub fn own_open(self, file: BorrowedFd<'_>) -> IoResult<()> {
        let (uid, gid) = self.root();
        Ok(rustix::fs::fchown(file, Some(uid), Some(gid))?)
    }

    /// As `uid_map` and `gid_map` are written.
    fn map(self) -> String {
        format!("0 {} {IDS}\n", self.first)
    }
}

/// Makes a user namespace with these ids and a network namespace in it; gives the latter. Only for single-threaded
/// processes with the host's privileges.
pub fn make(range: IdRange) -> Result<OwnedFd, Failure> {
    let (held, hold) = pipe_with(PipeFlags::CLOEXEC).at(STAGE, || "making a pipe")?;
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNET;
    let side = sys::clone_into(flags as u64, None).at(STAGE, || "making a user namespace")?;
    let Side::Parent { pid, .. } = side else {
        // Nothing but its namespaces is wanted of the child: it ends when its maker has let go of the pipe.
        drop(hold);
        let _ = rustix::io::read(&held, &mut [0u8; 1][..]);
        sys::exit_now(0)
    };
    for kind in ["uid", "gid"] {
        std::fs::write(format!("/proc/{pid}/{kind}_map"), range.map())
            .at(STAGE, || format!("mapping {kind}s {}", range.first))?;
    }
    let path = format!("/proc/{pid}/ns/net");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::open(&path, flags, Mode::empty()).at(STAGE, || format!("opening {path}"))
}

/// The user namespace that owns a namespace.
pub fn owner_of(namespace: BorrowedFd<'_>) -> IoResult<OwnedFd> {
    // linux/nsfs.h: _IO(0xb7, 1).
    const NS_GET_USERNS: u64 = 0xb701;
    // SAFETY: the request takes no argument; a descriptor that it returns is new and nobody else's.
    unsafe {
        let fd = libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _);
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Shows the files of a detached mount as owned by the ids that a user namespace has for theirs.
pub fn map_mount(tree: BorrowedFd<'_>, user_namespace: BorrowedFd<'_>) -> IoResult<()> {
    // linux/mount.h.
    const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
    let attributes = Attributes {
        set: MOUNT_ATTR_IDMAP,
        user_namespace: user_namespace.as_raw_fd() as u64,
        ..Default::default()
    };
    mount_attributes::set(tree, attributes, false)
}

/// This process, single threaded, becomes root of the namespace.
pub fn become_root(user_namespace: BorrowedFd<'_>) -> Result<(), Failure> {
    sys::setns(user_namespace, libc::CLONE_NEWUSER)
        .at(STAGE, || "entering the task's user namespace")?;
    sys::set_ids(0, 0, &[]).at(STAGE, || "becoming root of the task's user namespace")
}

/// The namespaces that a mapped container is made in.
#[derive(Debug)]
pub struct Mapping {
    /// Its ids.
    pub range: IdRange,
    /// The user namespace.
    pub user_namespace: OwnedFd,
}

impl Mapping {
    /// That of the task whose network namespace this is.
    pub fn of(range: IdRange, network: impl AsFd) -> Result<Self, Failure> {
        let user_namespace =
            owner_of(network.as_fd()).at(STAGE, || "looking for the task's user namespace")?;
        Ok(Self {
            range,
            user_namespace,
        })
    }

    /// As [`map_mount`].
    pub fn map(&self, tree: BorrowedFd<'_>) -> IoResult<()> {
        map_mount(tree, self.user_namespace.as_fd())
    }
}
