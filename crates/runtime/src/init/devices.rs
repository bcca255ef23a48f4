//! Device nodes and links of a container's `/dev`. Rule: Docker's default list.

use crate::failure::{At, Failure, Stage};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat, symlink};
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
    for (target, path) in LINKS {
        symlink(target, path).at(STAGE, || format!("linking {path}"))?;
    }
    if Path::new("/proc/kcore").exists() {
        symlink("/proc/kcore", "/dev/core").at(STAGE, || "linking /dev/core")?;
    }
    for device in extra {
        make_like(device)?;
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
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
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
        } else if kind.is_char_device() || kind.is_block_device() {
            let kind = if kind.is_char_device() {
                FileType::CharacterDevice
            } else {
                FileType::BlockDevice
            };
            found.push(HostDevice {
                path,
                kind,
                mode: meta.mode(),
                number: meta.rdev(),
            });
        }
    }
}
