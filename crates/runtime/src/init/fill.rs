//! What the image has in a volume's place, copied into a volume that is empty.
//!
//! Docker's rules: content, owners, modes, times and extended attributes are copied, and those of the directory itself;
//! a volume that holds anything stays as it is. Two containers that start side by side fill it once: the directory is
//! locked meanwhile. A copy that fails is taken back, so that the next start tries again.

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid,
    XattrFlags, chownat, fchmod, fchown, fgetxattr, flistxattr, flistxattr_query, flock, fsetxattr,
    fstat, futimens, linkat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A directory that is read; a symbolic link in its place is an error.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// The kernel's bound on a name or value of an extended attribute, and on the list of names.
const ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;

/// Copies the directory `path` of the present root into `volume` if that is empty. Nothing at `path`, or no directory,
/// is nothing to copy.
pub fn from_image(path: &Path, volume: BorrowedFd<'_>) -> io::Result<()> {
    // Links of the image are followed, which leads no further than the present root.
    let source = match rustix::fs::open(path, DIRECTORY - OFlags::NOFOLLOW, Mode::empty()) {
        Ok(source) => source,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let volume = match openat(volume, ".", DIRECTORY, Mode::empty()) {
        Ok(volume) => volume,
        Err(Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    flock(&volume, FlockOperation::LockExclusive)?;
    if !names(volume.as_fd())?.is_empty() {
        return Ok(());
    }
    let mut copy = Copy {
        volume: volume.as_fd(),
        linked: BTreeMap::new(),
    };
    let copied = copy.directory(source.as_fd(), volume.as_fd(), Path::new(""));
    if copied.is_err() {
        // What cannot be taken away stays: the first error is the one to tell.
        let _ = clear(volume.as_fd());
    }
    copied
}

struct Copy<'v> {
    volume: BorrowedFd<'v>,
    /// Copied files of several names: where in the volume, by their number in the image.
    linked: BTreeMap<u64, PathBuf>,
}

/// A directory entry: the two directories it is in, and its name.
#[derive(Clone, Copy)]
struct Entry<'e> {
    from: BorrowedFd<'e>,
    to: BorrowedFd<'e>,
    name: &'e OsStr,
}

impl Copy<'_> {
    fn directory(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        here: &Path,
    ) -> io::Result<()> {
        for name in names(from)? {
            let name = name.as_os_str();
            self.entry(Entry { from, to, name }, &here.join(name))?;
        }
        // Last: what is made in it changes its times.
        describe(from, to, &fstat(from)?)
    }

    fn entry(&mut self, entry: Entry<'_>, path: &Path) -> io::Result<()> {
        let Entry { from, to, name } = entry;
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                mkdirat(to, name, Mode::RWXU)?;
                let inner = openat(from, name, DIRECTORY, Mode::empty())?;
                let copy = openat(to, name, DIRECTORY, Mode::empty())?;
                self.directory(inner.as_fd(), copy.as_fd(), path)
            }
            FileType::RegularFile => self.file(entry, &stat, path),
            FileType::Symlink => {
                let target = readlinkat(from, name, Vec::new())?;
                symlinkat(target, to, name)?;
                describe_name(to, name, &stat)
            }
            kind @ (FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo) => {
                mknodat(to, name, kind, mode(&stat), stat.st_rdev)?;
                describe_name(to, name, &stat)
            }
            // A socket is nothing without its program.
            FileType::Socket | FileType::Unknown => Ok(()),
        }
    }

    fn file(&mut self, entry: Entry<'_>, stat: &Stat, path: &Path) -> io::Result<()> {
        let Entry { from, to, name } = entry;
        if stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&stat.st_ino) {
                return Ok(linkat(self.volume, first, to, name, AtFlags::empty())?);
            }
            self.linked.insert(stat.st_ino, path.to_owned());
        }
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = openat(from, name, flags | OFlags::RDONLY, Mode::empty())?;
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let copy = openat(to, name, flags | new, Mode::RUSR | Mode::WUSR)?;
        let (mut source, mut copy) = (File::from(source), File::from(copy));
        io::copy(&mut source, &mut copy)?;
        describe(source.as_fd(), copy.as_fd(), stat)
    }
}

/// Owner, mode, extended attributes and times.
fn describe(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = owner(stat);
    fchown(to, Some(uid), Some(gid))?;
    // After the owner, whose change takes set-user-id bits and capabilities away.
    fchmod(to, mode(stat))?;
    copy_attributes(from, to)?;
    Ok(futimens(to, &times(stat))?)
}

/// The same of what cannot be opened; its mode is that of its making.
fn describe_name(dir: BorrowedFd<'_>, name: &OsStr, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = owner(stat);
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    chownat(dir, name, Some(uid), Some(gid), flags)?;
    Ok(utimensat(dir, name, &times(stat), flags)?)
}

fn copy_attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    match flistxattr_query(from) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut list = vec![0_u8; ATTRIBUTE_BYTES_MAX];
    let mut value = vec![0_u8; ATTRIBUTE_BYTES_MAX];
    let len = flistxattr(from, &mut list[..])?;
    for name in list[..len].split_inclusive(|byte| *byte == 0) {
        let name = CStr::from_bytes_with_nul(name).map_err(io::Error::other)?;
        let len = fgetxattr(from, name, &mut value[..])?;
        match fsetxattr(to, name, &value[..len], XattrFlags::empty()) {
            // The volume's file system has none of the kind.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

fn mode(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as i64),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as i64),
    }
}

/// Names in a directory. Read by a descriptor of its own, whose position is its own.
fn names(dir: BorrowedFd<'_>) -> io::Result<Vec<std::ffi::OsString>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            found.push(OsStr::from_bytes(name.to_bytes()).to_owned());
        }
    }
    Ok(found)
}

/// Removes all that is in a directory.
fn clear(dir: BorrowedFd<'_>) -> io::Result<()> {
    for name in names(dir)? {
        let name = name.as_os_str();
        match unlinkat(dir, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => {
                let inner: OwnedFd = openat(dir, name, DIRECTORY, Mode::empty())?;
                clear(inner.as_fd())?;
                unlinkat(dir, name, AtFlags::REMOVEDIR)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn fill(image: &Path, volume: &Path) -> io::Result<()> {
        from_image(image, File::open(volume)?.as_fd())
    }

    #[test]
    fn an_empty_volume_gets_all_that_the_image_has() {
        let dir = tempfile::tempdir().unwrap();
        let (image, volume) = (dir.path().join("image"), dir.path().join("volume"));
        fs::create_dir_all(image.join("sub/deep")).unwrap();
        fs::create_dir(&volume).unwrap();
        fs::write(image.join("sub/deep/file"), "content").unwrap();
        fs::hard_link(image.join("sub/deep/file"), image.join("twin")).unwrap();
        symlink("sub/deep", image.join("link")).unwrap();
        for (path, mode) in [("sub/deep/file", 0o640), ("sub/deep", 0o2750), ("", 0o1777)] {
            fs::set_permissions(image.join(path), PermissionsExt::from_mode(mode)).unwrap();
        }
        rustix::fs::setxattr(image.join("sub"), c"user.note", b"x", XattrFlags::empty()).unwrap();
        fill(&image, &volume).unwrap();
        for path in ["", "sub", "sub/deep", "sub/deep/file"] {
            let (from, to) = (image.join(path), volume.join(path));
            let (from, to) = (fs::metadata(from).unwrap(), fs::metadata(to).unwrap());
            let facts = |m: &fs::Metadata| (m.mode(), m.uid(), m.gid(), m.mtime(), m.mtime_nsec());
            assert_eq!(facts(&from), facts(&to), "{path}");
        }
        let inode = |path: &str| fs::metadata(volume.join(path)).unwrap().ino();
        assert_eq!(inode("sub/deep/file"), inode("twin"));
        assert_eq!(
            fs::read_to_string(volume.join("link/file")).unwrap(),
            "content"
        );
        let mut value = [0_u8; 8];
        let len = rustix::fs::getxattr(volume.join("sub"), c"user.note", &mut value[..]).unwrap();
        assert_eq!(&value[..len], b"x");
    }

    #[test]
    fn a_volume_that_holds_anything_stays_and_so_does_one_without_content_in_the_image() {
        let dir = tempfile::tempdir().unwrap();
        let (image, volume) = (dir.path().join("image"), dir.path().join("volume"));
        fs::create_dir(&volume).unwrap();
        fill(&image, &volume).unwrap();
        fs::write(&image, "a file").unwrap();
        fill(&image, &volume).unwrap();
        assert_eq!(fs::read_dir(&volume).unwrap().count(), 0);
        fs::remove_file(&image).unwrap();
        fs::create_dir(&image).unwrap();
        fs::write(image.join("new"), "").unwrap();
        fs::write(volume.join(".old"), "").unwrap();
        fill(&image, &volume).unwrap();
        assert!(!volume.join("new").exists());
    }

    #[test]
    fn what_was_copied_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        fs::write(dir.path().join("a/b/c"), "").unwrap();
        symlink("/", dir.path().join("root")).unwrap();
        clear(File::open(dir.path()).unwrap().as_fd()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
