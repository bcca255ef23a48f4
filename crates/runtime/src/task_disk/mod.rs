//! A disk of a task's own: what its containers write to layers and volumes has a bound, and is gone with one file.
//!
//! A sparse file with ext4 in it, mounted by a loop device that goes with its mount. Quotas of the host's file system
//! would need it to be made and mounted for them, and an overlay's directories would have to be in one project; this
//! works on every file system that has sparse files. The host's disk holds what is written and no more.
//!
//! ```text
//! DIR/image   the file      DIR/files   where it is mounted
//! ```

mod loop_device;
mod template;

pub use template::Templates;

use rustix::fs::statvfs;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs::{self, DirBuilder, File};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

const IMAGE: &str = "image";
const FILES: &str = "files";
const BYTES_PER_GIB: u64 = 1 << 30;

/// What a disk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that it has room for.
    pub size_bytes: u64,
    /// Bytes that are taken.
    pub used_bytes: u64,
}

/// What this machine plainly lacks for disks of tasks.
pub fn lacking() -> Option<&'static str> {
    if template::tool().is_none() {
        Some("mkfs.ext4 (package e2fsprogs)")
    } else if !Path::new(loop_device::CONTROL).exists() {
        Some("/dev/loop-control (kernel module loop)")
    } else {
        None
    }
}

/// Where a disk's files are.
pub fn files(dir: &Path) -> PathBuf {
    dir.join(FILES)
}

/// Makes and mounts an empty disk of so many GiB, in a directory that is made. Blocks for some ten milliseconds.
///
/// # Errors
/// Nothing is left then.
pub fn make(templates: &Templates, dir: &Path, gib: u32) -> Result<()> {
    let made = try_make(templates, dir, gib);
    if made.is_err() {
        // The first error is the one to tell.
        let _ = remove(dir);
    }
    made
}

fn try_make(templates: &Templates, dir: &Path, gib: u32) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let (image, files) = (dir.join(IMAGE), files(dir));
    match fs::create_dir(&files) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let image = templates.copy(u64::from(gib) * BYTES_PER_GIB, &image)?;
    let device = loop_device::attach(&image)?;
    // Tables of inodes are not written in advance, which would fill the file; what is deleted is given back to the host.
    let options = c"discard,noinit_itable";
    let flags = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOATIME;
    mount(&device.path, &files, "ext4", flags, options)
        .map_err(|error| told(error, "mounting", &files))?;
    fs::remove_dir(files.join("lost+found"))
}

/// Whether the disk is there and mounted; after a restart of the machine it is not mounted.
pub fn is_mounted(dir: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let files = device(&files(dir));
    files.is_some() && files != device(dir)
}

/// What is on it now.
pub fn usage(dir: &Path) -> Result<Usage> {
    let stat = statvfs(files(dir))?;
    Ok(Usage {
        size_bytes: stat.f_blocks * stat.f_frsize,
        used_bytes: (stat.f_blocks - stat.f_bfree) * stat.f_frsize,
    })
}

/// Takes a disk away with all that is on it. Nothing may use it any more. Idempotent. Blocks.
pub fn remove(dir: &Path) -> Result<()> {
    let files = files(dir);
    if is_mounted(dir) {
        // Written nowhere: it is thrown away.
        let _ = shut_down(&files);
    }
    loop {
        match unmount(&files, UnmountFlags::DETACH) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT) => break,
            Err(error) => return Err(told(error, "unmounting", &files)),
        }
    }
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Everything that is not written yet is forgotten, and nothing can be written any more.
fn shut_down(files: &Path) -> Result<()> {
    // linux/ext4.h: EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), and EXT4_GOING_FLAGS_NOLOGFLUSH.
    const SHUTDOWN: u64 = 0x8004_587d;
    let without_log = 2u32;
    let root = File::open(files)?;
    // SAFETY: the request reads one number, which outlives the call.
    match unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &raw const without_log) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

fn told(error: Errno, what: &str, path: &Path) -> Error {
    let kind = Error::from(error).kind();
    Error::new(kind, format!("{what} {}: {error}", path.display()))
}
