//! Makes one entry of a layer: file, directory, link, device, FIFO or whiteout.
//!
//! What stands where an entry goes is removed first, unless both are directories, and the new thing is
//! made with `O_EXCL` or a call that never follows a link. Owners are set before modes and attributes,
//! because the kernel clears setuid bits and file capabilities on chown.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use tar::EntryType;

use super::UnpackError;
use super::place::{Parents, Place};
use super::tar_stream::{Head, TarStream};

const WHITEOUT_PREFIX: &[u8] = b".wh.";
/// Says that nothing of the directory shows from below.
const OPAQUE_MARK: &[u8] = b".wh..wh..opq";
/// aufs's own bookkeeping, of no meaning here.
const AUFS_PREFIX: &[u8] = b".wh..wh.";
/// overlayfs's own attributes; one from an archive could redirect a directory elsewhere.
const OVERLAY_XATTRS: [&str; 2] = ["trusted.overlay.", "user.overlay."];

/// Writes the entries of one layer below one directory.
pub(super) struct Writer {
    parents: Parents,
    /// Directories get their time last: making things in them changes it.
    directory_times: Vec<(Place, (i64, u32))>,
    buffer: Vec<u8>,
}

impl Writer {
    pub(super) fn new(root: OwnedFd) -> Writer {
        Writer {
            parents: Parents::new(root),
            directory_times: Vec::new(),
            buffer: vec![0; 256 * 1024],
        }
    }

    /// Makes one entry; `content` is read to its end where the entry is a file.
    pub(super) fn write(
        &mut self,
        head: &Head,
        content: &mut TarStream,
    ) -> Result<(), UnpackError> {
        check_xattrs(head)?;
        let place = Place::parse(&head.path)?;
        if place.is_root() {
            return self.write_root(head);
        }
        let failed = |action| {
            move |source| UnpackError::Entry {
                action,
                path: head.shown(),
                source,
            }
        };
        let (above, name) = place.split();
        let parent = self.parents.open(above).map_err(failed("mkdir"))?;
        if name.as_bytes().starts_with(WHITEOUT_PREFIX) {
            return self.write_whiteout(head, parent.as_fd(), name);
        }
        match head.kind {
            EntryType::Regular | EntryType::Continuous => {
                self.clear(parent.as_fd(), name).map_err(failed("remove"))?;
                self.write_file(head, parent.as_fd(), name, content)
                    .map_err(failed("write"))
            }
            EntryType::Directory => {
                self.write_directory(head, parent.as_fd(), name)
                    .map_err(failed("mkdir"))?;
                self.directory_times.push((place, head.mtime));
                Ok(())
            }
            EntryType::Symlink => {
                self.clear(parent.as_fd(), name).map_err(failed("remove"))?;
                write_symlink(head, parent.as_fd(), name).map_err(failed("symlink"))
            }
            EntryType::Link => self.write_hard_link(head, &place, parent.as_fd(), name),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                self.clear(parent.as_fd(), name).map_err(failed("remove"))?;
                write_node(head, parent.as_fd(), name).map_err(failed("mknod"))
            }
            _ => Err(UnpackError::Refused {
                path: head.shown(),
                why: "unknown type of entry",
            }),
        }
    }

    /// Sets what had to wait for the last entry.
    pub(super) fn finish(mut self) -> Result<(), UnpackError> {
        for (place, time) in std::mem::take(&mut self.directory_times) {
            let (above, name) = place.split();
            // A later entry may have put something else in the directory's place.
            let Ok(parent) = self.parents.open(above) else {
                continue;
            };
            match rustix::fs::utimensat(&*parent, name, &times(time), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    fn write_root(&self, head: &Head) -> Result<(), UnpackError> {
        if head.kind != EntryType::Directory {
            return Err(UnpackError::Refused {
                path: head.shown(),
                why: "it would replace the root",
            });
        }
        let failed = |source| UnpackError::Entry {
            action: "chmod",
            path: head.shown(),
            source,
        };
        set_metadata(head, self.parents.root()).map_err(failed)
    }

    fn write_whiteout(
        &mut self,
        head: &Head,
        parent: BorrowedFd<'_>,
        name: &OsStr,
    ) -> Result<(), UnpackError> {
        let name = name.as_bytes();
        let failed = |source| UnpackError::Entry {
            action: "whiteout",
            path: head.shown(),
            source,
        };
        if name == OPAQUE_MARK {
            return mark_opaque(parent).map_err(failed);
        }
        if name.starts_with(AUFS_PREFIX) {
            return Ok(());
        }
        let hidden = &name[WHITEOUT_PREFIX.len()..];
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(UnpackError::LeavesRoot { path: head.shown() });
        }
        let hidden = OsStr::from_bytes(hidden);
        match rustix::fs::mknodat(parent, hidden, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => Ok(()),
            // Whiteouts hide what is below, never what the same layer holds.
            Err(Errno::EXIST) => match open_directory(parent, hidden) {
                Ok(directory) => mark_opaque(directory.as_fd()).map_err(failed),
                Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
                Err(error) => Err(failed(error.into())),
            },
            Err(error) => Err(failed(error.into())),
        }
    }

    fn write_file(
        &mut self,
        head: &Head,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        content: &mut TarStream,
    ) -> io::Result<()> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
        loop {
            let read = content.read(&mut self.buffer)?;
            if read == 0 {
                break;
            }
            let mut rest = &self.buffer[..read];
            while !rest.is_empty() {
                let written = rustix::io::write(&file, rest)?;
                rest = &rest[written..];
            }
        }
        set_metadata(head, file.as_fd())?;
        rustix::fs::futimens(&file, &times(head.mtime))?;
        Ok(())
    }

    fn write_directory(
        &mut self,
        head: &Head,
        parent: BorrowedFd<'_>,
        name: &OsStr,
    ) -> io::Result<()> {
        let mut hides_lower = false;
        let directory = match open_directory(parent, name) {
            Ok(directory) => directory,
            Err(error) => {
                if error != Errno::NOENT {
                    hides_lower = is_whiteout(parent, name)?;
                    self.clear(parent, name)?;
                }
                rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))?;
                open_directory(parent, name)?
            }
        };
        if hides_lower {
            mark_opaque(directory.as_fd())?;
        }
        set_metadata(head, directory.as_fd())
    }

    fn write_hard_link(
        &mut self,
        head: &Head,
        place: &Place,
        parent: BorrowedFd<'_>,
        name: &OsStr,
    ) -> Result<(), UnpackError> {
        let failed = |source| UnpackError::Entry {
            action: "link",
            path: head.shown(),
            source,
        };
        let target = Place::parse(&head.link)?;
        if target.is_root() {
            return Err(UnpackError::Refused {
                path: head.shown(),
                why: "it links to the root",
            });
        }
        if target == *place {
            return Ok(());
        }
        let (target_above, target_name) = target.split();
        // Duplicated: opening another parent replaces the remembered one.
        let from = self.parents.open(target_above).map_err(failed)?;
        self.clear(parent, name).map_err(failed)?;
        rustix::fs::linkat(&*from, target_name, parent, name, AtFlags::empty())
            .map_err(|error| failed(error.into()))
    }

    /// Removes what stands at `name`, a whole tree if it is one.
    fn clear(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) => self.parents.forget(),
            Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => {
                self.parents.forget();
                remove_tree(parent, name)?;
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn check_xattrs(head: &Head) -> Result<(), UnpackError> {
    let of_overlay = |name: &str| OVERLAY_XATTRS.iter().any(|prefix| name.starts_with(prefix));
    if head.xattrs.iter().any(|(name, _)| of_overlay(name)) {
        let why = "it carries an overlayfs attribute";
        return Err(UnpackError::Refused {
            path: head.shown(),
            why,
        });
    }
    Ok(())
}

fn write_symlink(head: &Head, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    rustix::fs::symlinkat(OsStr::from_bytes(&head.link), parent, name)?;
    own(head, parent, name)?;
    rustix::fs::utimensat(parent, name, &times(head.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

fn write_node(head: &Head, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let (kind, device) = match head.kind {
        EntryType::Char => (FileType::CharacterDevice, head.device),
        EntryType::Block => (FileType::BlockDevice, head.device),
        _ => (FileType::Fifo, (0, 0)),
    };
    let device = rustix::fs::makedev(device.0, device.1);
    rustix::fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device)?;
    own(head, parent, name)?;
    // Made above and not a link, so nothing is followed.
    rustix::fs::chmodat(
        parent,
        name,
        Mode::from_raw_mode(head.mode),
        AtFlags::empty(),
    )?;
    rustix::fs::utimensat(parent, name, &times(head.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

/// Owner, mode and attributes of an open file or directory.
fn set_metadata(head: &Head, fd: BorrowedFd<'_>) -> io::Result<()> {
    if (head.uid, head.gid) != (0, 0) {
        rustix::fs::fchown(
            fd,
            Some(Uid::from_raw(head.uid)),
            Some(Gid::from_raw(head.gid)),
        )?;
    }
    rustix::fs::fchmod(fd, Mode::from_raw_mode(head.mode))?;
    for (name, value) in &head.xattrs {
        let kept = name == "security.capability"
            || name.starts_with("user.")
            || name.starts_with("system.posix_acl_");
        if !kept {
            continue;
        }
        match rustix::fs::fsetxattr(fd, name.as_str(), value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn own(head: &Head, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(head.uid), Gid::from_raw(head.gid));
    rustix::fs::chownat(
        parent,
        name,
        Some(uid),
        Some(gid),
        AtFlags::SYMLINK_NOFOLLOW,
    )?;
    Ok(())
}

fn open_directory(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

fn mark_opaque(directory: BorrowedFd<'_>) -> io::Result<()> {
    // A path-only descriptor takes no attribute itself: name it through /proc.
    let path = format!("/proc/self/fd/{}", directory.as_raw_fd());
    Ok(rustix::fs::setxattr(
        path,
        "trusted.overlay.opaque",
        b"y",
        XattrFlags::empty(),
    )?)
}

fn is_whiteout(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    Ok(kind == FileType::CharacterDevice && stat.st_rdev == 0)
}

/// Removes a directory and all below it, following nothing.
fn remove_tree(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let mut open = vec![(open_directory(parent, name)?, name.to_owned())];
    while let Some((directory, _)) = open.last() {
        let mut deeper = None;
        for entry in rustix::fs::Dir::read_from(directory)? {
            let entry = entry?;
            let child = OsStr::from_bytes(entry.file_name().to_bytes());
            if matches!(child.as_bytes(), b"." | b"..") {
                continue;
            }
            match rustix::fs::unlinkat(directory, child, AtFlags::empty()) {
                Ok(()) => {}
                Err(Errno::ISDIR) => {
                    deeper = Some((open_directory(directory.as_fd(), child)?, child.to_owned()));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        match deeper {
            Some(child) => open.push(child),
            None => {
                let (_, gone) = open.pop().expect("the loop saw a last element");
                let above = open
                    .last()
                    .map_or(parent, |(directory, _)| directory.as_fd());
                rustix::fs::unlinkat(above, &gone, AtFlags::REMOVEDIR)?;
            }
        }
    }
    Ok(())
}

fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: i64::from(nanos),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
