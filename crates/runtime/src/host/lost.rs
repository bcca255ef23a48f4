//! What is done for a container whose shim was killed: wait for its process, find out how it ended, clean up.
//!
//! The exit status of another's child is known to its parent, and from Linux 6.15 on to whoever holds a pidfd.

use super::link::{self, Link};
use super::runtime::Inner;
use crate::record;
use crate::spec::ExitRecord;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// The exit status is there once the new parent has reaped the process; with this pause, for five seconds.
const ATTEMPTS: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);
/// Told where no exit status can be had.
pub const UNKNOWN: &str = "exit status unknown (shim lost)";

/// Waits for the container's process, records its end and removes its control group.
pub async fn wait(inner: &Inner, link: &Link) -> ExitRecord {
    let status = match &link.pidfd {
        Some(pidfd) => match pidfd.try_clone().and_then(link::register) {
            Ok(pidfd) => ended(&pidfd, inner.capabilities.tells_exit_status()).await,
            Err(_) => None,
        },
        None => None,
    };
    let oom_killed = inner
        .cgroups
        .oom_kills(&link.task_id, &link.id)
        .unwrap_or(0)
        > 0;
    let signal = status
        .map(|status| status & 0x7f)
        .filter(|&signal| signal != 0);
    let exit_code = status.map(|status| signal.map_or((status >> 8) & 0xff, |signal| 128 + signal));
    let exit = ExitRecord {
        exit_code,
        signal,
        oom_killed,
        exited_at_ms: record::now_ms(),
        reason: exit_code.is_none().then(|| UNKNOWN.to_owned()),
    };
    if let Err(error) = record::write_exit(&link.dir, &exit) {
        tracing::warn!(container = %link.id, %error, "exit record of a lost container not written");
    }
    if let Err(error) = inner.remove_container_group(&link.task_id, &link.id).await {
        tracing::warn!(container = %link.id, %error, "control group of a lost container not removed");
    }
    exit
}

/// Waits until the process has ended; its wait status where the kernel tells.
async fn ended(pidfd: &AsyncFd<OwnedFd>, can_tell: bool) -> Option<i32> {
    // An error here would be one of the event loop itself; the status is then asked for at once.
    let _ = pidfd.readable().await;
    if !can_tell {
        return None;
    }
    for _ in 0..ATTEMPTS {
        if let Some(status) = exit_status(std::os::fd::AsFd::as_fd(pidfd.get_ref())) {
            return Some(status);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// The wait status of a reaped process. `None`: not reaped yet, or the kernel does not tell.
pub fn exit_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    /// `struct pidfd_info` of linux/pidfd.h, first version.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
    }
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    // _IOWR(0xff, 11, struct pidfd_info)
    const PIDFD_GET_INFO: u64 = 3 << 30 | (size_of::<Info>() as u64) << 16 | 0xff << 8 | 11;
    let mut info = Info {
        mask: PIDFD_INFO_EXIT,
        ..Info::default()
    };
    // SAFETY: the structure has the size that the request number states and outlives the call.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) };
    (result == 0 && info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}
