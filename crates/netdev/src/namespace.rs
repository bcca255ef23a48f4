//! Network namespaces: made by a thread that leaves the host's, kept by a bind mount, entered by a thread.
//!
//! Only the calling thread changes its namespace, so a change happens on a thread of its own that ends
//! afterwards, or is taken back before anything else runs on it ([`visit`]): no worker of a runtime is ever left in
//! a container's namespace.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::abort;
use std::sync::OnceLock;
use std::thread;

use rustix::fs::statfs;
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

use crate::error::NetworkError;
use crate::netlink::Socket;
use crate::netlink::message::Batch;
use crate::netlink::route::LOOPBACK_INDEX;
use crate::sysctl;

const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";
const PROCESS_NAMESPACE: &str = "/proc/self/ns/net";
const NSFS_MAGIC: i64 = 0x6e73_6673;

/// Runs `work` on a new thread inside the namespace at `path` (a socket opened there stays there).
///
/// # Errors
/// The path cannot be opened or is no network namespace.
pub fn run_in<T: Send>(path: &Path, work: impl FnOnce() -> T + Send) -> Result<T, NetworkError> {
    let file = File::open(path).map_err(|e| NetworkError::path("open namespace", path, e))?;
    thread::scope(|scope| {
        scope
            .spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .map_err(|e| NetworkError::path("enter namespace", path, e))?;
                Ok(work())
            })
            .join()
            .map_err(|_| NetworkError::Thread("work inside a namespace"))?
    })
}

/// Runs `work`, which must not wait, inside this namespace on the calling thread, which is back in the process's own
/// when this returns. A tenth of what [`run_in`] costs.
///
/// # Errors
/// It is no network namespace, or may not be entered.
pub fn visit<T>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T) -> Result<T, NetworkError> {
    /// Goes home also where the work panics. A thread that cannot would do others' work in a stranger's network.
    struct Visit(BorrowedFd<'static>);
    impl Drop for Visit {
        fn drop(&mut self) {
            if move_into_link_name_space(self.0, Some(LinkNameSpaceType::Network)).is_err() {
                abort();
            }
        }
    }
    let _visit = Visit(home()?);
    move_into_link_name_space(netns, Some(LinkNameSpaceType::Network))
        .map_err(|e| NetworkError::kernel("enter a namespace", e))?;
    Ok(work())
}

/// The namespace of this process: its first thread never leaves it.
fn home() -> Result<BorrowedFd<'static>, NetworkError> {
    static HOME: OnceLock<File> = OnceLock::new();
    if let Some(home) = HOME.get() {
        return Ok(home.as_fd());
    }
    let home = File::open(PROCESS_NAMESPACE)
        .map_err(|e| NetworkError::path("open namespace", PROCESS_NAMESPACE, e))?;
    Ok(HOME.get_or_init(|| home).as_fd())
}

/// Moves the calling thread, which must end with its task, into a new namespace; keeps it at `path`.
/// Loopback is up, and what Docker sets in a container's namespace is set: any user may open low
/// ports and send ping. IPv6 is off on devices that come later.
pub(crate) fn create_here(path: &Path) -> Result<File, NetworkError> {
    take_here(path, None)
}

/// The same with a fresh namespace that another has made, in a user namespace of a task say.
#[allow(unsafe_code)]
pub(crate) fn take_here(path: &Path, made: Option<BorrowedFd<'_>>) -> Result<File, NetworkError> {
    let entered = match made {
        Some(made) => move_into_link_name_space(made, Some(LinkNameSpaceType::Network)),
        // SAFETY: NEWNET unshares no file descriptor table; memory safety does not depend on it.
        None => unsafe { unshare_unsafe(UnshareFlags::NEWNET) },
    };
    entered
        .map_err(|e| NetworkError::kernel(format!("new namespace for {}", path.display()), e))?;
    sysctl::write_if_present("ipv4/ip_unprivileged_port_start", "0")?;
    sysctl::write_if_present("ipv4/ping_group_range", "0 2147483647")?;
    sysctl::write_if_present("ipv6/conf/default/disable_ipv6", "1")?;
    let file =
        File::open(OWN_NAMESPACE).map_err(|e| NetworkError::path("open", OWN_NAMESPACE, e))?;
    let mut batch = Batch::new();
    batch.set_up(LOOPBACK_INDEX);
    Socket::route()
        .and_then(|mut socket| socket.transact(batch).map_err(|(_, e)| e.into()))
        .map_err(|e| NetworkError::kernel(format!("loopback of {}", path.display()), e))?;
    File::create_new(path).map_err(|e| NetworkError::path("create", path, e))?;
    mount_bind(OWN_NAMESPACE, path)
        .map_err(|e| NetworkError::path("bind namespace to", path, e))?;
    Ok(file)
}

/// Whether a namespace is mounted there (after a reboot the file is left, and empty).
pub(crate) fn is_mounted(path: &Path) -> bool {
    statfs(path).is_ok_and(|fs| i128::from(fs.f_type) == i128::from(NSFS_MAGIC))
}

/// Idempotent. Processes still inside keep the namespace itself alive.
pub(crate) fn remove(path: &Path) -> Result<(), NetworkError> {
    loop {
        match unmount(path, UnmountFlags::DETACH) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(e) => return Err(NetworkError::path("unmount", path, e)),
        }
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(NetworkError::path("remove", path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn here() -> PathBuf {
        fs::read_link(OWN_NAMESPACE).unwrap()
    }

    /// A namespace that ends with its descriptor.
    #[allow(unsafe_code)]
    fn another() -> File {
        let made = thread::spawn(|| {
            // SAFETY: NEWNET unshares no file descriptor table; memory safety does not depend on it.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            File::open(OWN_NAMESPACE).unwrap()
        });
        made.join().unwrap()
    }

    #[test]
    fn a_visit_is_over_when_it_returns_or_panics() {
        let (home, other) = (here(), another());
        let visited = visit(other.as_fd(), here).unwrap();
        assert_ne!(visited, home);
        assert_eq!(here(), home);
        let work = || drop(visit(other.as_fd(), || panic!("meant")));
        assert!(std::panic::catch_unwind(work).is_err());
        assert_eq!(here(), home);
        let no_namespace = File::open("/dev/null").unwrap();
        assert!(visit(no_namespace.as_fd(), here).is_err());
        assert_eq!(here(), home);
    }
}
