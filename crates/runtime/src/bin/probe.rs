//! Prints what a process may do: capabilities, system calls, masks, devices, mounts.
//!
//! Run by tests under our init, our exec and runc, which must print the same. Each call is harmless if it is let
//! through: arguments are such that the kernel itself refuses after the filter has agreed, or the process ends soon.
#![allow(unsafe_code)]

use std::fs;
use std::io::Error;

fn main() {
    status_lines();
    for (name, answer) in calls() {
        println!("call {name}: {answer}");
    }
    protected_paths();
    devices();
    mounts();
}

fn status_lines() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines() {
        if ["Cap", "NoNewPrivs", "Seccomp:", "Uid", "Gid", "Groups"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            println!("{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
}

fn words(result: i64) -> String {
    if result >= 0 {
        "ok".to_owned()
    } else {
        Error::last_os_error()
            .raw_os_error()
            .unwrap_or(0)
            .to_string()
    }
}

/// In a child, so that one call does not change what the next may do.
fn apart(call: impl FnOnce() -> i64) -> String {
    // SAFETY: single threaded; the child only makes its call and ends.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            let result = call();
            let code = if result >= 0 {
                0
            } else {
                Error::last_os_error().raw_os_error().unwrap_or(255)
            };
            libc::_exit(code);
        }
        let mut status = 0;
        libc::waitpid(pid, &raw mut status, 0);
        match status {
            0 => "ok".to_owned(),
            status if libc::WIFEXITED(status) => libc::WEXITSTATUS(status).to_string(),
            status => format!("signal {}", libc::WTERMSIG(status)),
        }
    }
}

fn calls() -> Vec<(&'static str, String)> {
    let null = std::ptr::null::<u8>();
    let raw = |number: i64, args: [i64; 5]| {
        apart(move || {
            // SAFETY: arguments are numbers or null; the kernel checks them.
            unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4]) }
        })
    };
    let none = [0; 5];
    let first = |value: i64| [value, 0, 0, 0, 0];
    let newuser = i64::from(libc::CLONE_NEWUSER);
    vec![
        ("unshare user", raw(libc::SYS_unshare, first(newuser))),
        (
            "unshare mount",
            raw(libc::SYS_unshare, first(i64::from(libc::CLONE_NEWNS))),
        ),
        ("clone user", clone_with(newuser | i64::from(libc::SIGCHLD))),
        ("clone", clone_with(i64::from(libc::SIGCHLD))),
        ("clone3", raw(libc::SYS_clone3, none)),
        ("setns", raw(libc::SYS_setns, first(-1))),
        ("mount", raw(libc::SYS_mount, none)),
        ("umount2", raw(libc::SYS_umount2, none)),
        ("keyctl", raw(libc::SYS_keyctl, [0, -3, 0, 0, 0])),
        ("add_key", raw(libc::SYS_add_key, none)),
        ("bpf", raw(libc::SYS_bpf, none)),
        ("perf_event_open", raw(libc::SYS_perf_event_open, none)),
        ("open_by_handle_at", raw(libc::SYS_open_by_handle_at, none)),
        ("kexec_load", raw(libc::SYS_kexec_load, [0, 99, 0, 0, 0])),
        ("init_module", raw(libc::SYS_init_module, none)),
        ("swapon", raw(libc::SYS_swapon, none)),
        ("reboot", raw(libc::SYS_reboot, none)),
        ("userfaultfd", raw(libc::SYS_userfaultfd, none)),
        ("io_uring_setup", raw(libc::SYS_io_uring_setup, none)),
        (
            "personality no random",
            raw(libc::SYS_personality, first(0x0004_0000)),
        ),
        (
            "personality query",
            raw(libc::SYS_personality, first(0xffff_ffff)),
        ),
        ("ptrace traceme", raw(libc::SYS_ptrace, none)),
        ("socket vsock", raw(libc::SYS_socket, [40, 1, 0, 0, 0])),
        ("socket alg", raw(libc::SYS_socket, [38, 5, 0, 0, 0])),
        ("socket inet", raw(libc::SYS_socket, [2, 1, 0, 0, 0])),
        ("socket raw", raw(libc::SYS_socket, [2, 3, 1, 0, 0])),
        ("setuid", raw(libc::SYS_setuid, first(1000))),
        ("settimeofday", raw(libc::SYS_settimeofday, none)),
        (
            "chroot",
            apart(|| {
                // SAFETY: the path is a literal that ends in NUL.
                unsafe { i64::from(libc::chroot(c"/".as_ptr())) }
            }),
        ),
        ("unknown call", raw(999, none)),
        ("mknod and open a disk", disk(null)),
    ]
}

fn clone_with(flags: i64) -> String {
    apart(|| {
        // SAFETY: no stack and no CLONE_VM: the child goes on with a copy and ends at once.
        unsafe {
            let pid = libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0);
            if pid == 0 {
                libc::_exit(0);
            }
            pid
        }
    })
}

/// Making the node is allowed, using it is not.
fn disk(_: *const u8) -> String {
    // SAFETY: C strings and numbers.
    unsafe {
        let path = c"/tmp/.probe-disk";
        let made = words(i64::from(libc::mknod(
            path.as_ptr(),
            libc::S_IFBLK | 0o600,
            libc::makedev(254, 0),
        )));
        let opened = words(i64::from(libc::open(path.as_ptr(), libc::O_RDONLY)));
        libc::unlink(path.as_ptr());
        format!("{made} {opened}")
    }
}

fn protected_paths() {
    for path in [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/sched_debug",
        "/proc/scsi",
        "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ] {
        let seen = match fs::metadata(path) {
            Err(error) => format!("{:?}", error.kind()),
            Ok(meta) if meta.is_dir() => {
                format!("{} entries", fs::read_dir(path).map_or(0, Iterator::count))
            }
            Ok(_) => format!("{} bytes", fs::read(path).map_or(0, |bytes| bytes.len())),
        };
        println!("masked {path}: {seen}");
    }
    for path in [
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        let opened = fs::OpenOptions::new().write(true).open(path);
        println!(
            "write {path}: {:?}",
            opened.map(drop).map_err(|error| error.raw_os_error())
        );
    }
}

fn devices() {
    let mut names: Vec<String> = fs::read_dir("/dev")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            use std::os::unix::fs::MetadataExt;
            let path = entry.path();
            let shown = fs::read_link(&path)
                .map(|to| to.display().to_string())
                .unwrap_or_else(|_| {
                    fs::metadata(&path).map_or(String::new(), |meta| {
                        format!("{:o} {}", meta.mode(), meta.rdev())
                    })
                });
            format!("{} {shown}", path.display())
        })
        .collect();
    names.sort();
    for name in names {
        println!("device {name}");
    }
    for path in [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/random",
        "/dev/urandom",
    ] {
        println!(
            "open {path}: {:?}",
            fs::File::open(path)
                .map(drop)
                .map_err(|error| error.raw_os_error())
        );
    }
}

/// Place, kind and flags, without numbers that differ from mount to mount.
fn mounts() {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut lines: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<&str> = left.split(' ').collect();
            let kind = right.split(' ').next()?;
            Some(format!("mount {} {kind} {}", left.get(4)?, left.get(5)?))
        })
        .filter(|line| !line.starts_with("mount / "))
        .collect();
    lines.sort();
    lines.dedup();
    for line in lines {
        println!("{line}");
    }
}
