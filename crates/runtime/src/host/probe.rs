//! Which newer kernel calls work here, found out by doing them once at the agent's start.

use super::lost;
use crate::failure::Failure;
use crate::overlay::{self, OverlayMethod};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A kernel call newer than the oldest kernel served, by the name that the configuration has for it. All but the last have a fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelFeature {
    /// Overlay layers added one by one (Linux 6.8); else by one option string.
    LowerdirPlus,
    /// Overlay layers by file descriptor (Linux 6.15); else by names in a private memory file system.
    LayerFd,
    /// A pidfd tells the exit status to others than the parent (Linux 6.15); else the exit code is unknown when a shim
    /// is lost.
    PidfdInfoExit,
    /// Overlay layers whose owners are mapped (Linux 5.19); without them no task has ids of its own.
    IdmappedLayers,
}

/// What this kernel can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    overlay: OverlayMethod,
    pidfd_exit_status: bool,
    may_map_layers: bool,
}

impl Capabilities {
    /// Tries each call, with files below `data_dir` that are removed again. What is in `without` counts as lacking.
    pub fn probe(data_dir: &Path, without: &[KernelFeature]) -> Self {
        let has = |feature| !without.contains(&feature);
        let by_name = |layers: &[PathBuf]| overlay::mount_by_names(layers, None);
        let by_descriptor = |layers: &[PathBuf]| overlay::mount_by_descriptors(layers, None, None);
        let lowerdir_plus = has(KernelFeature::LowerdirPlus) && can_mount(data_dir, by_name);
        let layer_fd = has(KernelFeature::LayerFd) && can_mount(data_dir, by_descriptor);
        Self {
            overlay: match (lowerdir_plus, layer_fd) {
                (true, true) => OverlayMethod::LayerDescriptors,
                (true, false) => OverlayMethod::LayerNames,
                (false, _) => OverlayMethod::OptionString,
            },
            pidfd_exit_status: has(KernelFeature::PidfdInfoExit) && can_tell_exit_status(),
            may_map_layers: has(KernelFeature::IdmappedLayers),
        }
    }

    /// How layers are mounted.
    pub fn overlay(self) -> OverlayMethod {
        self.overlay
    }

    /// Nobody said that layers are not to be mapped; whether they can is not known by this.
    pub(super) fn may_map_layers(self) -> bool {
        self.may_map_layers
    }

    /// Whether an exit code is known though its shim was lost.
    pub fn tells_exit_status(self) -> bool {
        self.pidfd_exit_status
    }
}

fn can_mount(data_dir: &Path, mount: impl FnOnce(&[PathBuf]) -> Result<OwnedFd, Failure>) -> bool {
    let dir = data_dir.join(format!(".probe-{}", std::process::id()));
    let layers = [dir.join("a"), dir.join("b")];
    let made = layers
        .iter()
        .all(|layer| std::fs::create_dir_all(layer).is_ok());
    // A detached mount: it goes with its descriptor.
    let works = made && mount(&layers).is_ok();
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
