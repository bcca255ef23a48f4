//! Device nodes and links of a container's `/dev`: Docker's default list, and what the container was given.

use crate::cgroup::device_filter::{DeviceRule, Kind, MKNOD, READ, WRITE};
use crate::failure::{At, Failure, Stage};
use crate::spec::Device;
use rustix::fs::{CWD, FileType, Gid, Mode, Uid, chown, major, makedev, minor, mknodat, symlink};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::fs::Metadata;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

const STAGE: Stage = Stage::Device;
const NODES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];

/// A device node of the host.
#[derive(Debug, Clone)]
pub struct HostDevice {
    path: PathBuf,
    kind: FileType,
    mode: u32,
    number: u64,
    owner: (u32, u32),
    access: u32,
}

impl HostDevice {
    fn new(path: PathBuf, meta: &Metadata, access: u32) -> Option<Self> {
        let kind = meta.file_type();
        let kind = if kind.is_char_device() {
            FileType::CharacterDevice
        } else if kind.is_block_device() {
            FileType::BlockDevice
        } else {
            return None;
        };
        Some(Self {
            path,
            kind,
            mode: meta.mode(),
            number: meta.rdev(),
            owner: (meta.uid(), meta.gid()),
            access,
        })
    }

    /// With owner and mode as the caller has them.
    fn with(self, given: &Device) -> Self {
        let (uid, gid) = self.owner;
        Self {
            mode: given.mode.unwrap_or(self.mode),
            owner: (given.uid.unwrap_or(uid), given.gid.unwrap_or(gid)),
            ..self
        }
    }

    /// What the container's control group must allow.
    pub fn rule(&self) -> DeviceRule {
        let kind = match self.kind {
            FileType::BlockDevice => Kind::Block,
            _ => Kind::Character,
        };
        DeviceRule {
            kind,
            major: Some(major(self.number)),
            minor: Some(minor(self.number)),
            access: self.access,
        }
    }
}

/// The nodes that stand for what a container was given. Links are followed; a directory means all nodes below it.
///
/// # Errors
/// In Docker's words, the first that is not there or no device.
pub fn given(devices: &[Device]) -> Result<Vec<HostDevice>, Failure> {
    let mut found = Vec::new();
    for device in devices {
        let refuse = |why: &str| {
            let path = device.host_path.display();
            let text = format!(
                "error gathering device information while adding custom device \"{path}\": {why}"
            );
            Failure::text(STAGE, text)
        };
        let access = access(&device.permissions);
        let meta = std::fs::metadata(&device.host_path).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            refuse(&crate::failure::errno_words(errno))
        })?;
        if meta.is_dir() {
            below(&device.host_path, &device.path, access, &mut found);
        } else {
            let node = HostDevice::new(device.path.clone(), &meta, access);
            let node = node.ok_or_else(|| refuse("not a device node"))?;
            found.push(node.with(device));
        }
    }
    Ok(found)
}

/// Docker's letters; none is all.
fn access(letters: &str) -> u32 {
    let bit = |letter| match letter {
        'r' => READ,
        'w' => WRITE,
        'm' => MKNOD,
        _ => 0,
    };
    match letters.chars().map(bit).fold(0, |all, bit| all | bit) {
        0 => READ | WRITE | MKNOD,
        some => some,
    }
}

/// What cannot be read is not offered.
fn below(dir: &Path, path: &Path, access: u32, found: &mut Vec<HostDevice>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else {
            continue;
        };
        let path = path.join(entry.file_name());
        if meta.is_dir() {
            below(&entry.path(), &path, access, found);
        } else {
            found.extend(HostDevice::new(path, &meta, access));
        }
    }
}

/// One of the nodes that every container has, as the host's own.
#[derive(Debug)]
pub struct Node {
    path: &'static str,
    tree: OwnedFd,
}

/// The host's nodes, for a container that may make none. The host's tree must still be seen.
pub fn nodes() -> Result<Vec<Node>, Failure> {
    let clone = |(path, ..): (&'static str, u32, u32)| {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = open_tree(CWD, path, flags).at(STAGE, || format!("cloning {path}"))?;
        Ok(Node { path, tree })
    };
    NODES.into_iter().map(clone).collect()
}

/// Shows them in a fresh `/dev`, and makes the links.
pub fn show(nodes: Vec<Node>) -> Result<(), Failure> {
    for Node { path, tree } in nodes {
        let what = || format!("showing {path}");
        std::fs::File::create_new(path).at(STAGE, what)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&tree, "", CWD, path, flags).at(STAGE, what)?;
    }
    link()
}

/// Makes nodes and links. Expects a fresh `/dev` and no file creation mask.
pub fn make(extra: &[HostDevice]) -> Result<(), Failure> {
    for (path, major, minor) in NODES {
        mknodat(
            CWD,
            path,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            makedev(major, minor),
        )
        .at(STAGE, || format!("making {path}"))?;
    }
    link()?;
    for device in extra {
        make_like(device)?;
    }
    Ok(())
}

fn link() -> Result<(), Failure> {
    for (target, path) in LINKS {
        symlink(target, path).at(STAGE, || format!("linking {path}"))?;
    }
    if Path::new("/proc/kcore").exists() {
        symlink("/proc/kcore", "/dev/core").at(STAGE, || "linking /dev/core")?;
    }
    Ok(())
}

fn make_like(device: &HostDevice) -> Result<(), Failure> {
    let what = || format!("making {}", device.path.display());
    if let Some(parent) = device.path.parent() {
        std::fs::create_dir_all(parent).at(STAGE, what)?;
    }
    match mknodat(
        CWD,
        &device.path,
        device.kind,
        Mode::from_raw_mode(device.mode & 0o7777),
        device.number,
    ) {
        Ok(()) => {
            let (uid, gid) = device.owner;
            let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
            chown(&device.path, owner.0, owner.1).at(STAGE, what)
        }
        Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error).at(STAGE, what),
    }
}

/// All device nodes of the host, for a privileged container. Directories with a mount of the container's own are left out.
pub fn of_host() -> Vec<HostDevice> {
    let mut found = Vec::new();
    walk(Path::new("/dev"), &mut found);
    found
}

/// What cannot be read is not offered.
fn walk(dir: &Path, found: &mut Vec<HostDevice>) {
    const OWN: [&str; 3] = ["/dev/pts", "/dev/shm", "/dev/mqueue"];
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let (Ok(kind), Ok(meta)) = (entry.file_type(), entry.metadata()) else {
            continue;
        };
        if kind.is_dir() && !OWN.iter().any(|own| path == Path::new(own)) {
            walk(&path, found);
        } else {
            found.extend(HostDevice::new(path, &meta, READ | WRITE | MKNOD));
        }
    }
}
