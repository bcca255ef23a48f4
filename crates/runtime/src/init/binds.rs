//! Files and directories of the host in the container: the caller's binds and memory file systems, then the three files
//! of `/etc`.
//!
//! Each source is cloned as a detached mount while the host's tree is still seen, and attached after the root has
//! changed; so a symbolic link in the image can lead no further than the container's own root. An empty volume is filled
//! in between, while the root holds nothing but the image.

use super::{fill, tmpfs};
use crate::failure::{At, Failure, Stage};
use crate::mount_attributes;
use crate::spec::{BindMount, EtcFiles, MountOption, Tmpfs};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

const STAGE: Stage = Stage::UserMount;
// `MOUNT_ATTR_…` of linux/mount.h.
const READ_ONLY: u64 = 1;
const NO_SUID: u64 = 2;
const NO_DEV: u64 = 4;
const NO_EXEC: u64 = 8;
const PROPAGATION_PRIVATE: u64 = libc::MS_PRIVATE;
/// `PROC_SUPER_MAGIC` of linux/magic.h.
const PROC_MAGIC: u64 = 0x9fa0;

/// A source, cloned and waiting for its place.
#[derive(Debug)]
pub struct Pending {
    tree: OwnedFd,
    target: PathBuf,
    is_directory: bool,
    /// What it refuses once it is in its place.
    attributes: u64,
    filled_from_image: bool,
    /// Of the files in `/etc`, which come after the caller's mounts.
    is_last: bool,
}

/// Clones all sources.
pub fn open(mounts: &[BindMount], etc: &EtcFiles) -> Result<Vec<Pending>, Failure> {
    let mut pending = Vec::with_capacity(mounts.len() + 3);
    for bind in mounts {
        pending.push(clone(bind)?);
    }
    let etc = [
        (&etc.resolv_conf, "/etc/resolv.conf"),
        (&etc.hostname, "/etc/hostname"),
        (&etc.hosts, "/etc/hosts"),
    ];
    for (source, target) in etc {
        if let Some(source) = source {
            pending.push(Pending {
                is_last: true,
                ..clone(&BindMount {
                    source: source.clone(),
                    target: target.to_owned(),
                    ..BindMount::default()
                })?
            });
        }
    }
    Ok(pending)
}

/// Makes memory file systems, which are of the user namespace that they are made in.
pub fn add_memory(pending: &mut Vec<Pending>, memory: &[Tmpfs]) -> Result<(), Failure> {
    for tmpfs in memory {
        check_target(&tmpfs.target, || "mounting a tmpfs".into())?;
        pending.push(Pending {
            tree: tmpfs::make(&tmpfs.options)?,
            target: PathBuf::from(&tmpfs.target),
            is_directory: true,
            attributes: 0,
            filled_from_image: false,
            is_last: false,
        });
    }
    Ok(())
}

fn clone(bind: &BindMount) -> Result<Pending, Failure> {
    let (source, target) = (&bind.source, &bind.target);
    let what = || format!("binding {} to {target}", source.display());
    check_target(target, what)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, source, flags).at(STAGE, what)?;
    mount_attributes::add(tree.as_fd(), 0, PROPAGATION_PRIVATE, true).at(STAGE, what)?;
    let stat = rustix::fs::fstat(&tree).at(STAGE, what)?;
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    Ok(Pending {
        tree,
        target: PathBuf::from(target),
        is_directory,
        attributes: attributes(bind),
        filled_from_image: bind.filled_from_image,
        is_last: false,
    })
}

fn attributes(bind: &BindMount) -> u64 {
    let of = |option: &MountOption| match option {
        MountOption::NoSuid => NO_SUID,
        MountOption::NoDev => NO_DEV,
        MountOption::NoExec => NO_EXEC,
    };
    let read_only = if bind.read_only { READ_ONLY } else { 0 };
    bind.options
        .iter()
        .map(of)
        .fold(read_only, |all, one| all | one)
}

/// Fills volumes that are empty with what the present root, the image's alone, has in their places.
pub fn fill(pending: &[Pending]) -> Result<(), Failure> {
    let volumes = pending.iter().filter(|mount| mount.filled_from_image);
    for volume in volumes {
        let what = || format!("copying {} of the image", volume.target.display());
        fill::from_image(&volume.target, volume.tree.as_fd()).at(STAGE, what)?;
    }
    Ok(())
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

/// Attaches them in the present root, what lies deeper later. Missing targets are made.
pub fn attach(mut pending: Vec<Pending>) -> Result<(), Failure> {
    pending.sort_by_key(|mount| (mount.is_last, mount.target.components().count()));
    for bind in pending {
        let what = || format!("binding to {}", bind.target.display());
        if bind.attributes != 0 {
            mount_attributes::add(bind.tree.as_fd(), bind.attributes, 0, true).at(STAGE, what)?;
        }
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
