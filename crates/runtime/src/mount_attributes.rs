//! Attributes of a mount by descriptor: `mount_setattr(2)`, which `rustix` lacks.

use crate::sys::check;
use std::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct mount_attr` of linux/mount.h.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub struct Attributes {
    pub set: u64,
    pub clear: u64,
    /// Zero leaves it as it is.
    pub propagation: u64,
    /// The descriptor of the one that ids are mapped by, where that is asked for.
    pub user_namespace: u64,
}

/// `mount_setattr(2)` on a mount by descriptor.
pub fn set(fd: BorrowedFd<'_>, to: Attributes, recursive: bool) -> Result<()> {
    const AT_RECURSIVE: i32 = 0x8000;
    let flags = libc::AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, `to` outlives the call and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const to,
            size_of_val(&to),
        )
    })
    .map(drop)
}

/// Sets attributes and, where given, the propagation type.
pub fn add(fd: BorrowedFd<'_>, attributes: u64, propagation: u64, recursive: bool) -> Result<()> {
    let to = Attributes {
        set: attributes,
        propagation,
        ..Attributes::default()
    };
    set(fd, to, recursive)
}
