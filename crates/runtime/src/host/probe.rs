//! Which newer kernel calls work here, found out by doing them once.

use super::lost;
use crate::overlay::{self, OverlayMethod};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

/// What this kernel can do. Tests switch members off to force the fallbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Layers are added one by one (`lowerdir+`); else by one option string.
    pub overlay_layer_by_layer: bool,
    /// A pidfd tells the exit status to others than the parent; else it is unknown when a shim is lost.
    pub pidfd_exit_status: bool,
}

impl Capabilities {
    /// Tries each call, with files below `data_dir` that are removed again.
    pub fn probe(data_dir: &Path) -> Self {
        Self {
            overlay_layer_by_layer: can_add_layers(data_dir),
            pidfd_exit_status: can_tell_exit_status(),
        }
    }

    /// How layers are mounted.
    pub(crate) fn overlay(self) -> OverlayMethod {
        if self.overlay_layer_by_layer {
            OverlayMethod::LayerByLayer
        } else {
            OverlayMethod::OptionString
        }
    }
}

fn can_add_layers(data_dir: &Path) -> bool {
    let dir = data_dir.join(format!(".probe-{}", std::process::id()));
    let layers = [dir.join("a"), dir.join("b")];
    let made = layers
        .iter()
        .all(|layer| std::fs::create_dir_all(layer).is_ok());
    // A detached mount: it goes with its descriptor.
    let works = made && overlay::mount_layer_by_layer(&layers, None).is_ok();
    let _ = std::fs::remove_dir_all(&dir);
    works
}

fn can_tell_exit_status() -> bool {
    let child = Command::new("/proc/self/exe")
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    let pidfd = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .map(|pid| pidfd_open(pid, PidfdFlags::empty()));
    let _ = child.kill();
    let _ = child.wait();
    matches!(pidfd, Some(Ok(pidfd)) if lost::exit_status(pidfd.as_fd()).is_some())
}
