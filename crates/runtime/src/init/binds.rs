//! Files and directories of the host in the container: the caller's binds and memory file systems, then the three files
//! of `/etc`.
//!
//! Each source is cloned as a detached mount while the host's tree is still seen, and attached after the root has
//! changed; so a symbolic link in the image can lead no further than the container's own root.

use super::tmpfs;
use crate::failure::{At, Failure, Stage};
use crate::spec::{BindMount, EtcFiles, Tmpfs};
use crate::sys;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

const STAGE: Stage = Stage::UserMount;
const MOUNT_ATTR_RDONLY: u64 = 1;
const PROPAGATION_PRIVATE: u64 = libc::MS_PRIVATE;
/// `PROC_SUPER_MAGIC` of linux/magic.h.
const PROC_MAGIC: u64 = 0x9fa0;

/// A source, cloned and waiting for its place.
#[derive(Debug)]
pub struct Pending {
    tree: OwnedFd,
    target: PathBuf,
    is_directory: bool,
}

/// Clones all sources, ordered so that what lies deeper is attached later.
pub fn open(
    mounts: &[BindMount],
    memory: &[Tmpfs],
    etc: &EtcFiles,
) -> Result<Vec<Pending>, Failure> {
    let mut pending = Vec::with_capacity(mounts.len() + memory.len() + 3);
    for bind in mounts {
        pending.push(clone(&bind.source, &bind.target, bind.read_only)?);
    }
    for tmpfs in memory {
        check_target(&tmpfs.target, || "mounting a tmpfs".into())?;
        pending.push(Pending {
            tree: tmpfs::make(&tmpfs.options)?,
            target: PathBuf::from(&tmpfs.target),
            is_directory: true,
        });
    }
    pending.sort_by_key(|mount| mount.target.components().count());
    let etc = [
        (&etc.resolv_conf, "/etc/resolv.conf"),
        (&etc.hostname, "/etc/hostname"),
        (&etc.hosts, "/etc/hosts"),
    ];
    for (source, target) in etc {
        if let Some(source) = source {
            pending.push(clone(source, target, false)?);
        }
    }
    Ok(pending)
}

fn clone(source: &Path, target: &str, read_only: bool) -> Result<Pending, Failure> {
    let what = || format!("binding {} to {target}", source.display());
    check_target(target, what)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, source, flags).at(STAGE, what)?;
    let attributes = if read_only { MOUNT_ATTR_RDONLY } else { 0 };
    sys::set_mount_attributes(tree.as_fd(), attributes, PROPAGATION_PRIVATE, true)
        .at(STAGE, what)?;
    let stat = rustix::fs::fstat(&tree).at(STAGE, what)?;
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Ok(Pending {
        tree,
        target: PathBuf::from(target),
        is_directory,
    })
}

fn check_target(target: &str, what: impl FnOnce() -> String) -> Result<(), Failure> {
    if target.starts_with('/') && Path::new(target).parent().is_some() {
        return Ok(());
    }
    let text = format!(
        "{}: the target must be an absolute path other than /",
        what()
    );
    Err(Failure::text(STAGE, text))
}

/// Attaches what [`open`] cloned, in the present root. Missing targets are made.
pub fn attach(pending: Vec<Pending>) -> Result<(), Failure> {
    for bind in pending {
        let what = || format!("binding to {}", bind.target.display());
        make_target(&bind).at(STAGE, what)?;
        let target = rustix::fs::open(&bind.target, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
            .at(STAGE, what)?;
        let file_system = rustix::fs::fstatfs(&target).at(STAGE, what)?;
        if file_system.f_type as u64 == PROC_MAGIC {
            return Err(Failure::text(
                STAGE,
                format!("{}: the target is inside /proc", what()),
            ));
        }
        let flags =
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        move_mount(&bind.tree, "", &target, "", flags).at(STAGE, what)?;
    }
    Ok(())
}

fn make_target(bind: &Pending) -> std::io::Result<()> {
    if bind.target.exists() {
        return Ok(());
    }
    if bind.is_directory {
        return std::fs::create_dir_all(&bind.target);
    }
    if let Some(parent) = bind.target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&bind.target)
        .map(drop)
}
