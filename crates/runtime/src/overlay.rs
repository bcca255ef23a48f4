//! Mounts a container's layers, from inside its mount namespace, over its scratch directory.
//!
//! Nothing of it is seen on the host, so nothing is left there whatever dies. `volatile`: the writable directory is
//! thrown away with the container, so syncing it would be for nothing.

use crate::failure::{At, Failure, Stage};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// How the kernel is told the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OverlayMethod {
    /// `fsconfig` with one `lowerdir+` a layer; Linux 6.8 and newer, no limit but the kernel's 500 layers.
    LayerByLayer,
    /// One option string of short relative names; about 500 layers fit into its page.
    OptionString,
}

const STAGE: Stage = Stage::RootFilesystem;

/// Mounts `layers` (topmost first) with a writable layer in `scratch` and returns the mounted root.
pub fn mount(
    layers: &[PathBuf],
    scratch: &Path,
    method: OverlayMethod,
) -> Result<OwnedFd, Failure> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    for dir in [scratch, &upper, &work] {
        match rustix::fs::mkdir(dir, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).at(STAGE, || format!("making {}", dir.display())),
        }
    }
    match method {
        OverlayMethod::LayerByLayer => {
            let mounted = mount_layer_by_layer(layers, Some((&upper, &work)))?;
            move_mount(
                &mounted,
                "",
                CWD,
                scratch,
                MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
            )
            .at(STAGE, || {
                format!("attaching the root file system to {}", scratch.display())
            })?;
            Ok(mounted)
        }
        OverlayMethod::OptionString => mount_option_string(layers, scratch),
    }
}

/// A detached overlay mount; read-only when no writable directories are given.
pub fn mount_layer_by_layer(
    layers: &[PathBuf],
    writable: Option<(&Path, &Path)>,
) -> Result<OwnedFd, Failure> {
    let context =
        fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(STAGE, || "opening overlayfs")?;
    for layer in layers {
        fsconfig_set_string(context.as_fd(), "lowerdir+", layer)
            .at(STAGE, || format!("adding the layer {}", layer.display()))?;
    }
    if let Some((upper, work)) = writable {
        for (key, dir) in [("upperdir", upper), ("workdir", work)] {
            fsconfig_set_string(context.as_fd(), key, dir)
                .at(STAGE, || format!("adding {key} {}", dir.display()))?;
        }
        fsconfig_set_flag(context.as_fd(), "volatile")
            .at(STAGE, || "asking for a volatile overlay")?;
    }
    fsconfig_create(context.as_fd()).at(STAGE, || {
        format!("mounting an overlay of {} layers", layers.len())
    })?;
    fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
    .at(STAGE, || "making the mount")
}

/// The option string is limited to a page, so each layer gets a short name in a directory that becomes the present one.
fn mount_option_string(layers: &[PathBuf], scratch: &Path) -> Result<OwnedFd, Failure> {
    let names = scratch.join("l");
    match rustix::fs::mkdir(&names, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error).at(STAGE, || format!("making {}", names.display())),
    }
    rustix::process::chdir(&names).at(STAGE, || format!("entering {}", names.display()))?;
    for (number, layer) in layers.iter().enumerate() {
        match rustix::fs::symlink(layer, number.to_string()) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => {
                return Err(error).at(STAGE, || format!("naming the layer {}", layer.display()));
            }
        }
    }
    let lower = (0..layers.len())
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(":");
    let options = format!("lowerdir={lower},upperdir=../upper,workdir=../work,volatile");
    let options = std::ffi::CString::new(options)
        .map_err(|_| Failure::text(STAGE, "a layer's name has a zero byte"))?;
    rustix::mount::mount(
        "overlay",
        scratch,
        "overlay",
        MountFlags::empty(),
        options.as_c_str(),
    )
    .at(STAGE, || {
        format!(
            "mounting an overlay of {} layers by one option string",
            layers.len()
        )
    })?;
    rustix::process::chdir("/").at(STAGE, || "leaving the layers' directory")?;
    rustix::fs::open(
        scratch,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .at(STAGE, || format!("opening {}", scratch.display()))
}
