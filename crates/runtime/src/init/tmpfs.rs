//! Memory file systems: Docker's mount options, read and made.
//!
//! Rule: ECS API, `Tmpfs.mountOptions`; Docker mounts with `noexec,nosuid,nodev` unless an option says otherwise.
//! Options about other mounts (`shared`, `private`, …) mean nothing here and are taken without effect, as Docker does.

use crate::failure::{At, Failure, Stage};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};
use std::os::fd::{AsFd, OwnedFd};

const STAGE: Stage = Stage::UserMount;

/// What the options come to.
#[derive(Debug, PartialEq, Eq)]
struct Options<'a> {
    attributes: MountAttrFlags,
    flags: Vec<&'a str>,
    values: Vec<(&'a str, &'a str)>,
}

/// A later option wins over an earlier one.
fn read(options: &str) -> Result<Options<'_>, String> {
    use MountAttrFlags as A;
    let mut read = Options {
        attributes: A::MOUNT_ATTR_NOEXEC | A::MOUNT_ATTR_NOSUID | A::MOUNT_ATTR_NODEV,
        flags: Vec::new(),
        values: Vec::new(),
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let (set, clear) = match option {
            "ro" => (A::MOUNT_ATTR_RDONLY, A::empty()),
            "rw" => (A::empty(), A::MOUNT_ATTR_RDONLY),
            "nosuid" => (A::MOUNT_ATTR_NOSUID, A::empty()),
            "suid" => (A::empty(), A::MOUNT_ATTR_NOSUID),
            "nodev" => (A::MOUNT_ATTR_NODEV, A::empty()),
            "dev" => (A::empty(), A::MOUNT_ATTR_NODEV),
            "noexec" => (A::MOUNT_ATTR_NOEXEC, A::empty()),
            "exec" => (A::empty(), A::MOUNT_ATTR_NOEXEC),
            "noatime" => (A::MOUNT_ATTR_NOATIME, A::MOUNT_ATTR_STRICTATIME),
            "strictatime" => (A::MOUNT_ATTR_STRICTATIME, A::MOUNT_ATTR_NOATIME),
            "atime" | "relatime" | "norelatime" | "nostrictatime" => (
                A::empty(),
                A::MOUNT_ATTR_NOATIME | A::MOUNT_ATTR_STRICTATIME,
            ),
            "nodiratime" => (A::MOUNT_ATTR_NODIRATIME, A::empty()),
            "diratime" => (A::empty(), A::MOUNT_ATTR_NODIRATIME),
            "sync" | "dirsync" => {
                read.flags.push(option);
                continue;
            }
            "defaults" | "async" | "mand" | "nomand" | "private" | "rprivate" | "shared"
            | "rshared" | "slave" | "rslave" | "unbindable" | "runbindable" => continue,
            other => {
                read.values.push(value(other)?);
                continue;
            }
        };
        read.attributes = (read.attributes - clear) | set;
    }
    Ok(read)
}

fn value(option: &str) -> Result<(&str, &str), String> {
    const KEYS: [&str; 7] = [
        "size",
        "mode",
        "uid",
        "gid",
        "nr_inodes",
        "nr_blocks",
        "mpol",
    ];
    option
        .split_once('=')
        .filter(|(key, _)| KEYS.contains(key))
        .ok_or_else(|| format!("Invalid tmpfs option {option:?}"))
}

/// A detached memory file system.
pub fn make(options: &str) -> Result<OwnedFd, Failure> {
    let what = || format!("mounting a tmpfs with {options:?}");
    let read = read(options).map_err(|text| Failure::text(STAGE, text))?;
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).at(STAGE, what)?;
    fsconfig_set_string(context.as_fd(), "source", "tmpfs").at(STAGE, what)?;
    for flag in &read.flags {
        fsconfig_set_flag(context.as_fd(), *flag).at(STAGE, what)?;
    }
    for (key, value) in &read.values {
        fsconfig_set_string(context.as_fd(), *key, *value).at(STAGE, what)?;
    }
    fsconfig_create(context.as_fd()).at(STAGE, what)?;
    fsmount(
        context.as_fd(),
        FsMountFlags::FSMOUNT_CLOEXEC,
        read.attributes,
    )
    .at(STAGE, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_docker_reads_them() {
        use MountAttrFlags as A;
        let safe = A::MOUNT_ATTR_NOEXEC | A::MOUNT_ATTR_NOSUID | A::MOUNT_ATTR_NODEV;
        let plain = read("size=64m").unwrap();
        assert_eq!(
            (plain.attributes, plain.values),
            (safe, vec![("size", "64m")])
        );
        let loose = read("size=1m,exec,suid,dev,mode=1777,uid=5,rw,noatime,private").unwrap();
        assert_eq!(loose.attributes, A::MOUNT_ATTR_NOATIME);
        assert_eq!(
            loose.values,
            [("size", "1m"), ("mode", "1777"), ("uid", "5")]
        );
        assert_eq!(
            read("noexec,exec,ro").unwrap().attributes,
            (safe - A::MOUNT_ATTR_NOEXEC) | A::MOUNT_ATTR_RDONLY
        );
        for odd in ["bind", "remount", "foo", "foo=1", "size"] {
            assert_eq!(read(odd), Err(format!("Invalid tmpfs option {odd:?}")));
        }
    }
}
