//! Mounts that every container has, made after the root has changed, in Docker's order.
//!
//! All paths are the container's own. `/proc`, `/sys` and `/dev` must be real directories: an image that makes one of
//! them a symbolic link would escape the masks.

use crate::cgroup::{CgroupTree, Version};
use crate::failure::{At, Failure, Stage};
use crate::mount_attributes;
use crate::spec::ContainerSpec;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, move_mount, open_tree,
};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

const STAGE: Stage = Stage::SystemMount;
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];
const MOUNT_ATTR_RDONLY: u64 = 1;
/// Docker's `/dev/shm`.
const SHM_BYTES: u64 = 64 * 1024 * 1024;

/// `/proc` and `/sys`, made while the host's are still seen: where they are not seen in whole the kernel refuses them
/// to a user namespace.
pub struct KernelMounts {
    proc: OwnedFd,
    sys: OwnedFd,
}

impl KernelMounts {
    /// Both, as detached mounts of this process's namespaces.
    pub fn make(spec: &ContainerSpec) -> Result<Self, Failure> {
        use MountAttrFlags as A;
        let safe = A::MOUNT_ATTR_NOSUID | A::MOUNT_ATTR_NOEXEC | A::MOUNT_ATTR_NODEV;
        let of_sys = match spec.privileged {
            true => safe,
            false => safe | A::MOUNT_ATTR_RDONLY,
        };
        Ok(Self {
            proc: detached("proc", safe)?,
            sys: detached("sysfs", of_sys)?,
        })
    }
}

fn detached(kind: &'static str, attributes: MountAttrFlags) -> Result<OwnedFd, Failure> {
    let what = || format!("mounting {kind}");
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).at(STAGE, what)?;
    fsconfig_set_string(context.as_fd(), "source", kind).at(STAGE, what)?;
    fsconfig_create(context.as_fd()).at(STAGE, what)?;
    fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(STAGE, what)
}

/// `/proc`, `/dev` and what lies below it, `/sys` and the control groups.
///
/// `shared_memory` is the `/dev/shm` of an IPC namespace that is not the container's own.
pub fn mount_system(
    cgroups: &CgroupTree,
    spec: &ContainerSpec,
    kernel: KernelMounts,
    shared_memory: Option<OwnedFd>,
) -> Result<(), Failure> {
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    let sys_flags = if spec.privileged {
        safe
    } else {
        safe | MountFlags::RDONLY
    };
    place(&kernel.proc, "/proc")?;
    one(
        "tmpfs",
        "/dev",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::STRICTATIME,
        "mode=755,size=65536k",
    )?;
    let pts = "newinstance,ptmxmode=0666,mode=0620,gid=5";
    one(
        "devpts",
        "/dev/pts",
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        pts,
    )?;
    place(&kernel.sys, "/sys")?;
    mount_cgroups(cgroups, sys_flags)?;
    one("mqueue", "/dev/mqueue", "mqueue", safe, "")?;
    if spec.linux.without_shm {
        return Ok(());
    }
    let bytes = spec.linux.shm_bytes.unwrap_or(SHM_BYTES);
    one(
        "shm",
        "/dev/shm",
        "tmpfs",
        safe,
        &format!("mode=1777,size={bytes}"),
    )?;
    let Some(tree) = shared_memory else {
        return Ok(());
    };
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&tree, "", CWD, "/dev/shm", flags).at(STAGE, || "sharing /dev/shm")
}

/// Hides and protects parts of `/proc` and `/sys`. Parts that this kernel lacks are skipped.
pub fn mask() -> Result<(), Failure> {
    for path in READ_ONLY {
        let Some(tree) = clone_tree(path)? else {
            continue;
        };
        mount_attributes::add(tree.as_fd(), MOUNT_ATTR_RDONLY, 0, true)
            .at(STAGE, || format!("making {path} read-only"))?;
        move_mount(
            &tree,
            "",
            CWD,
            path,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )
        .at(STAGE, || format!("making {path} read-only"))?;
    }
    for path in MASKED {
        let Ok(stat) = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            one("tmpfs", path, "tmpfs", MountFlags::RDONLY, "size=0k")?;
        } else {
            mount("/dev/null", path, "", MountFlags::BIND, None)
                .at(STAGE, || format!("masking {path}"))?;
        }
    }
    Ok(())
}

/// Refuses writes to the root itself; mounts below keep what they have.
pub fn protect_root() -> Result<(), Failure> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .at(STAGE, || "opening the root")?;
    mount_attributes::add(root.as_fd(), MOUNT_ATTR_RDONLY, 0, false)
        .at(STAGE, || "making the root file system read-only")
}

fn clone_tree(path: &str) -> Result<Option<rustix::fd::OwnedFd>, Failure> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    match open_tree(CWD, path, flags) {
        Err(rustix::io::Errno::NOENT) => Ok(None),
        other => other
            .map(Some)
            .at(STAGE, || format!("making {path} read-only")),
    }
}

/// The container sees its own group as the root, because it has a cgroup namespace.
fn mount_cgroups(cgroups: &CgroupTree, flags: MountFlags) -> Result<(), Failure> {
    let hierarchies = match &cgroups.version {
        Version::V2(_) => return one("cgroup", "/sys/fs/cgroup", "cgroup2", flags, ""),
        Version::V1(hierarchies) => hierarchies,
    };
    let writable = flags - MountFlags::RDONLY;
    one("tmpfs", "/sys/fs/cgroup", "tmpfs", writable, "mode=755")?;
    for hierarchy in hierarchies {
        let name = hierarchy.directory_name().to_string_lossy();
        one(
            "cgroup",
            &format!("/sys/fs/cgroup/{name}"),
            "cgroup",
            flags,
            &hierarchy.controllers.join(","),
        )?;
        for controller in hierarchy
            .controllers
            .iter()
            .filter(|c| **c != name && !c.contains('='))
        {
            rustix::fs::symlink(&*name, format!("/sys/fs/cgroup/{controller}"))
                .at(STAGE, || format!("linking /sys/fs/cgroup/{controller}"))?;
        }
    }
    if flags.contains(MountFlags::RDONLY) {
        rustix::mount::mount_remount("/sys/fs/cgroup", flags, "mode=755")
            .at(STAGE, || "making /sys/fs/cgroup read-only")?;
    }
    Ok(())
}

/// Mounts on a directory, made where it is missing.
fn one(
    source: &str,
    target: &str,
    kind: &str,
    flags: MountFlags,
    options: &str,
) -> Result<(), Failure> {
    let what = || format!("mounting {kind} on {target}");
    make_directory(target)?;
    let options = CString::new(options).map_err(|_| Failure::text(STAGE, what()))?;
    mount(source, target, kind, flags, options.as_c_str()).at(STAGE, what)
}

/// Attaches a detached mount.
fn place(tree: &OwnedFd, target: &str) -> Result<(), Failure> {
    make_directory(target)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(tree, "", CWD, target, flags).at(STAGE, || format!("mounting on {target}"))
}

fn make_directory(target: &str) -> Result<(), Failure> {
    match rustix::fs::mkdir(target, Mode::from_raw_mode(0o755)) {
        Ok(()) => Ok(()),
        // Below `/sys` nothing can be made; mount itself says what is missing.
        Err(Errno::EXIST | Errno::PERM | Errno::ROFS | Errno::ACCESS) => real_directory(target),
        Err(error) => Err(error).at(STAGE, || format!("making {target}")),
    }
}

fn real_directory(target: &str) -> Result<(), Failure> {
    let what = || format!("{target} of the image");
    let stat = rustix::fs::statat(CWD, target, AtFlags::SYMLINK_NOFOLLOW).at(STAGE, what)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Ok(()),
        _ => Err(Failure::text(
            STAGE,
            format!("{target} of the image is not a directory"),
        )),
    }
}
