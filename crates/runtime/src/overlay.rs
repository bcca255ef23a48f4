//! Mounts a container's layers, from inside its mount namespace, over its scratch directory.
//!
//! Nothing of it is seen on the host, so nothing is left there whatever dies. `volatile`: the writable directory is
//! thrown away with the container, so syncing it would be for nothing. Each layer is a private clone of its mount:
//! handed over by descriptor where the kernel takes that, else moved into a memory file system under a short name.

use crate::failure::{At, Failure, Stage};
use crate::user_namespace::Mapping;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
    fsconfig_create, fsconfig_set_fd, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
    move_mount, open_tree,
};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How the kernel is told the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OverlayMethod {
    /// One `lowerdir+` a layer, by descriptor; Linux 6.15 and newer. No limit but the kernel's 500 layers.
    LayerDescriptors,
    /// One `lowerdir+` a layer, by name; Linux 6.8 and newer.
    LayerNames,
    /// One option string of short relative names; about 500 layers fit into its page.
    OptionString,
}

const STAGE: Stage = Stage::RootFilesystem;
/// Directory in the scratch directory where clones are moved to.
const NAMES: &str = "l";

/// The kernel's part of a scratch directory. A `volatile` overlay leaves a mark in it and refuses to be mounted again.
pub fn work_directory(scratch: &Path) -> PathBuf {
    scratch.join("work")
}

/// What the container writes, and [`work_directory`].
pub fn writable_directories(scratch: &Path) -> (PathBuf, PathBuf) {
    (scratch.join("upper"), work_directory(scratch))
}

/// Mounts `layers` (topmost first) with a writable layer in `scratch` and returns the mounted root. The present
/// directory is `/` afterwards.
pub fn mount(
    layers: &[PathBuf],
    scratch: &Path,
    method: OverlayMethod,
    mapping: Option<&Mapping>,
) -> Result<OwnedFd, Failure> {
    let (upper, work) = writable_directories(scratch);
    for dir in [scratch, &upper, &work] {
        make_directory(dir)?;
    }
    if let Some(mapping) = mapping {
        let what = || format!("giving {} to the task", upper.display());
        mapping.range.own(&upper).at(STAGE, what)?;
    }
    match method {
        OverlayMethod::LayerDescriptors => {
            let mounted = mount_by_descriptors(layers, Some((&upper, &work)), mapping)?;
            attach(&mounted, scratch)?;
            Ok(mounted)
        }
        OverlayMethod::LayerNames => {
            let names = name_clones(layers, scratch, mapping)?;
            let writable = (Path::new("../upper"), Path::new("../work"));
            let mounted = mount_by_names(&names, Some(writable))?;
            leave_names()?;
            attach(&mounted, scratch)?;
            Ok(mounted)
        }
        OverlayMethod::OptionString => {
            let names = name_clones(layers, scratch, mapping)?;
            mount_option_string(&names, scratch)?;
            leave_names()?;
            open_directory(scratch)
        }
    }
}

/// A detached overlay mount of layers by descriptor; read-only when no writable directories are given.
pub fn mount_by_descriptors(
    layers: &[PathBuf],
    writable: Option<(&Path, &Path)>,
    mapping: Option<&Mapping>,
) -> Result<OwnedFd, Failure> {
    // All stay open until the mount is made: a detached clone ends with its descriptor.
    let clones = layers
        .iter()
        .map(|layer| clone_layer(layer, mapping))
        .collect::<Result<Vec<_>, _>>()?;
    let writable = match writable {
        Some((upper, work)) => Some((open_directory(upper)?, open_directory(work)?)),
        None => None,
    };
    assemble(|context| {
        for (clone, layer) in clones.iter().zip(layers) {
            fsconfig_set_fd(context, "lowerdir+", clone)
                .at(STAGE, || format!("adding the layer {}", layer.display()))?;
        }
        if let Some((upper, work)) = &writable {
            for (key, dir) in [("upperdir", upper), ("workdir", work)] {
                fsconfig_set_fd(context, key, dir).at(STAGE, || format!("adding the {key}"))?;
            }
        }
        Ok(())
    })
}

/// The same by name. The kernel takes no name of more than 255 bytes here.
pub fn mount_by_names(
    layers: &[PathBuf],
    writable: Option<(&Path, &Path)>,
) -> Result<OwnedFd, Failure> {
    let layers = layers.iter().map(|layer| ("lowerdir+", layer.as_path()));
    let writable = writable.map(|(upper, work)| [("upperdir", upper), ("workdir", work)]);
    assemble(|context| {
        for (key, dir) in layers.chain(writable.into_iter().flatten()) {
            fsconfig_set_string(context, key, dir)
                .at(STAGE, || format!("adding {key} {}", dir.display()))?;
        }
        Ok(())
    })
}

/// Makes the mount of what `add` has stated.
fn assemble(add: impl FnOnce(BorrowedFd<'_>) -> Result<(), Failure>) -> Result<OwnedFd, Failure> {
    let context =
        fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(STAGE, || "opening overlayfs")?;
    add(context.as_fd())?;
    fsconfig_set_flag(context.as_fd(), "volatile").at(STAGE, || "asking for a volatile overlay")?;
    fsconfig_create(context.as_fd()).at(STAGE, || "mounting an overlay")?;
    let flags = FsMountFlags::FSMOUNT_CLOEXEC;
    fsmount(context.as_fd(), flags, MountAttrFlags::empty()).at(STAGE, || "making the mount")
}

/// A layer as a detached mount.
pub fn clone_layer(layer: &Path, mapping: Option<&Mapping>) -> Result<OwnedFd, Failure> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let what = |doing: &str| format!("{doing} the layer {}", layer.display());
    let clone = open_tree(CWD, layer, flags).at(STAGE, || what("cloning"))?;
    if let Some(mapping) = mapping {
        let mapped = mapping.map(clone.as_fd());
        mapped.at(STAGE, || what("mapping the owners of"))?;
    }
    Ok(clone)
}

/// Moves a clone of each layer into a memory file system of this mount namespace, enters it, and returns the short
/// names that they have there.
fn name_clones(
    layers: &[PathBuf],
    scratch: &Path,
    mapping: Option<&Mapping>,
) -> Result<Vec<PathBuf>, Failure> {
    let dir = scratch.join(NAMES);
    make_directory(&dir)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("layers", &dir, "tmpfs", flags, c"mode=700")
        .at(STAGE, || "making a place for the layers")?;
    rustix::process::chdir(&dir).at(STAGE, || format!("entering {}", dir.display()))?;
    let mut names = Vec::with_capacity(layers.len());
    for (number, layer) in layers.iter().enumerate() {
        let name = PathBuf::from(number.to_string());
        make_directory(&name)?;
        attach(&clone_layer(layer, mapping)?, &name)?;
        names.push(name);
    }
    Ok(names)
}

/// The place of the names goes with the host's tree, when the container leaves that.
fn leave_names() -> Result<(), Failure> {
    rustix::process::chdir("/").at(STAGE, || "leaving the layers' directory")
}

/// The option string is limited to a page: hence the short names, relative to the present directory.
fn mount_option_string(names: &[PathBuf], scratch: &Path) -> Result<(), Failure> {
    let lower: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
    let options = format!(
        "lowerdir={},upperdir=../upper,workdir=../work,volatile",
        lower.join(":")
    );
    let options = std::ffi::CString::new(options)
        .map_err(|_| Failure::text(STAGE, "a layer's name has a zero byte"))?;
    let flags = MountFlags::empty();
    rustix::mount::mount("overlay", scratch, "overlay", flags, options.as_c_str()).at(STAGE, || {
        format!(
            "mounting an overlay of {} layers by one option string",
            names.len()
        )
    })
}

/// Shows a mount at `target`.
pub fn attach(mounted: &OwnedFd, target: &Path) -> Result<(), Failure> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(mounted, "", CWD, target, flags).at(STAGE, || {
        format!("attaching a mount to {}", target.display())
    })
}

fn make_directory(dir: &Path) -> Result<(), Failure> {
    match rustix::fs::mkdir(dir, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error).at(STAGE, || format!("making {}", dir.display())),
    }
}

fn open_directory(dir: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(dir, flags, Mode::empty()).at(STAGE, || format!("opening {}", dir.display()))
}
