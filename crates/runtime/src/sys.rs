//! System calls that `rustix` lacks or wraps otherwise than a container's init needs.
//!
//! Every function is safe to call from a single-threaded process; those that fork say so.

use std::io::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Which side of a fork this is.
#[derive(Debug)]
pub enum Side {
    /// The new process.
    Child,
    /// The old process; the child's id in its own pid namespace, and a pidfd where one was asked for.
    Parent { pid: i32, pidfd: Option<OwnedFd> },
}

/// The error of a system call that returned this.
pub(crate) fn check(value: libc::c_long) -> Result<libc::c_long> {
    if value < 0 {
        Err(Error::last_os_error())
    } else {
        Ok(value)
    }
}

/// Forks into new namespaces (`flags` are `CLONE_NEW*`), with a pidfd; into the v2 cgroup when its directory is given.
/// Only for single-threaded processes: the child goes on with a copy of the heap.
pub fn clone_into(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side> {
    let mut pidfd: RawFd = -1;
    let mut args = libc::clone_args {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        child_tid: 0,
        parent_tid: 0,
        // A sibling ends as its parent's child does, and may name no signal of its own.
        exit_signal: if flags & libc::CLONE_PARENT as u64 == 0 {
            libc::SIGCHLD as u64
        } else {
            0
        },
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    if let Some(cgroup) = cgroup {
        // linux/sched.h; the constant of `libc` has too narrow a type.
        const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: no CLONE_VM: the child has its own copy of memory and of this stack frame; `args` outlives the call.
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const args,
            size_of::<libc::clone_args>(),
        )
    })?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: the kernel just stored a new descriptor there and nobody else owns it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Side::Parent {
        pid: pid as i32,
        pidfd: Some(pidfd),
    })
}

/// Forks a sibling: its parent is the caller's parent. Only for single-threaded processes.
pub fn clone_sibling() -> Result<Side> {
    // SAFETY: no CLONE_VM and no stack: the child continues on its copy of this stack.
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::CLONE_PARENT | libc::SIGCHLD,
            0,
            0,
            0,
            0,
        )
    })?;
    Ok(if pid == 0 {
        Side::Child
    } else {
        Side::Parent {
            pid: pid as i32,
            pidfd: None,
        }
    })
}

/// `fork(2)`. Only for single-threaded processes.
pub fn fork() -> Result<Side> {
    // SAFETY: the process is single threaded, so the child may do whatever the parent may.
    let pid = check(libc::c_long::from(unsafe { libc::fork() }))?;
    Ok(if pid == 0 {
        Side::Child
    } else {
        Side::Parent {
            pid: pid as i32,
            pidfd: None,
        }
    })
}

/// Ends the process at once, running no destructor of the parent's copied state.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: ends this process; nothing of it is used afterwards.
    unsafe { libc::_exit(code) }
}

/// Gives every signal its default action and unblocks all.
pub fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL needs no handler; signals that cannot be set are refused by the kernel.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero sigset_t is the empty set of the kernel's layout.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Blocks every signal that can be blocked, so that they wait for [`wait_for_signal`].
pub fn block_signals() {
    // SAFETY: the set is filled before it is used.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

/// Waits for a blocked signal and takes it.
pub fn wait_for_signal() -> i32 {
    // SAFETY: the set is filled before it is used; no information about the signal is asked for.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigwaitinfo(&raw const all, std::ptr::null_mut())
    }
}

/// Ignores every signal that can be ignored, except SIGCHLD, whose action `children` chooses.
pub fn ignore_signals(children: Children) {
    for signal in (1..=64).filter(|&s| s != libc::SIGCHLD) {
        // SAFETY: SIG_IGN needs no handler.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    let action = match children {
        Children::ReapedByKernel => libc::SIG_IGN,
        Children::WaitedFor => libc::SIG_DFL,
    };
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGCHLD, action) };
}

/// Who collects the exit status of this process's children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Children {
    /// Nobody wants it.
    ReapedByKernel,
    /// This process calls `waitid`.
    WaitedFor,
}

/// `prctl` with one argument.
pub fn prctl(option: i32, value: u64) -> Result<()> {
    // SAFETY: only options with a plain number are passed by this crate.
    check(libc::c_long::from(unsafe {
        libc::prctl(option, value, 0, 0, 0)
    }))
    .map(drop)
}

/// Moves into the namespaces of a pidfd, or the one of a namespace file.
pub fn setns(fd: BorrowedFd<'_>, flags: i32) -> Result<()> {
    // SAFETY: plain numbers.
    check(libc::c_long::from(unsafe {
        libc::setns(fd.as_raw_fd(), flags)
    }))
    .map(drop)
}

/// Leaves namespaces for new ones.
pub fn unshare(flags: i32) -> Result<()> {
    // SAFETY: plain numbers.
    check(libc::c_long::from(unsafe { libc::unshare(flags) })).map(drop)
}

/// Installs a compiled system call filter (an array of `struct sock_filter`).
pub fn load_filter(program: &[u8]) -> Result<()> {
    if !program.len().is_multiple_of(size_of::<libc::sock_filter>()) {
        return Err(Error::from_raw_os_error(libc::EINVAL));
    }
    // Copied, since bytes from a file need not be aligned.
    let filters: Vec<libc::sock_filter> = program
        .chunks_exact(8)
        .map(|c| libc::sock_filter {
            code: u16::from_ne_bytes([c[0], c[1]]),
            jt: c[2],
            jf: c[3],
            k: u32::from_ne_bytes([c[4], c[5], c[6], c[7]]),
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(filters.len()).map_err(|_| Error::from_raw_os_error(libc::E2BIG))?,
        filter: filters.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program during the call; `filters` lives until its end.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        )
    })
    .map(drop)
}

/// Sets permitted, effective and inheritable capabilities of this process.
pub fn set_capabilities(permitted: u64, effective: u64, inheritable: u64) -> Result<()> {
    // linux/capability.h: _LINUX_CAPABILITY_VERSION_3, two 32-bit words each.
    let header: [u32; 2] = [0x2008_0522, 0];
    let low = |v: u64| v as u32;
    let high = |v: u64| (v >> 32) as u32;
    let data: [u32; 6] = [
        low(effective),
        low(permitted),
        low(inheritable),
        high(effective),
        high(permitted),
        high(inheritable),
    ];
    // SAFETY: both arrays have the layout of the version named in the header and outlive the call.
    check(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) }).map(drop)
}

/// Sets supplementary groups, then all group ids, then all user ids.
pub fn set_ids(uid: u32, gid: u32, groups: &[u32]) -> Result<()> {
    // SAFETY: the slice outlives the call; single threaded, so the raw calls concern the whole process.
    unsafe {
        check(libc::syscall(
            libc::SYS_setgroups,
            groups.len(),
            groups.as_ptr(),
        ))?;
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
    }
    Ok(())
}

/// Marks every descriptor from `first` on close-on-exec.
pub fn close_on_exec_from(first: u32) -> Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: changes flags only.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) })
        .map(drop)
}

/// Closes every descriptor above 2 that is not in `keep`. The caller must not use any other afterwards.
pub fn close_all_but(keep: &[RawFd]) {
    let mut keep: Vec<u32> = keep
        .iter()
        .filter_map(|&fd| u32::try_from(fd).ok())
        .filter(|&fd| fd > 2)
        .collect();
    keep.sort_unstable();
    let mut first = 3u32;
    for fd in keep.into_iter().chain([u32::MAX]) {
        if fd > first {
            // SAFETY: the caller promises that no closed descriptor is used again.
            unsafe { libc::syscall(libc::SYS_close_range, first, fd - 1, 0) };
        }
        first = fd.saturating_add(1);
    }
}

/// Sets one resource limit of this process; `u64::MAX` is unlimited.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: `limit` outlives the call.
    check(libc::c_long::from(unsafe {
        libc::setrlimit(resource, &raw const limit)
    }))
    .map(drop)
}

/// The hard limit of this process.
pub fn hard_limit(resource: u32) -> Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is writable and outlives the call.
    check(libc::c_long::from(unsafe {
        libc::getrlimit(resource, &raw mut limit)
    }))?;
    Ok(limit.rlim_max)
}

/// Leaves the session keyring of the host for an empty one.
pub fn new_session_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
    // SAFETY: a null name asks for an anonymous keyring.
    check(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<u8>(),
        )
    })
    .map(drop)
}

/// Brings the loopback interface of the present network namespace up.
pub fn loopback_up() -> Result<()> {
    // SAFETY: plain socket; the request is a zeroed structure with a name and flags, as SIOCSIFFLAGS wants.
    unsafe {
        let fd = check(libc::c_long::from(libc::socket(
            libc::AF_INET,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            0,
        )))?;
        let socket = OwnedFd::from_raw_fd(fd as RawFd);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::c_long::from(libc::ioctl(
            socket.as_raw_fd(),
            libc::SIOCSIFFLAGS,
            &raw const request,
        )))
        .map(drop)
    }
}

/// Replaces this process. Returns only on failure.
pub fn execve(
    path: &std::ffi::CStr,
    args: &[std::ffi::CString],
    env: &[std::ffi::CString],
) -> Error {
    let pointers = |list: &[std::ffi::CString]| {
        list.iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect::<Vec<*const libc::c_char>>()
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: both lists end with a null pointer and their strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr()) };
    Error::last_os_error()
}
