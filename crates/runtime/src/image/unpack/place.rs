//! Where an entry goes: its cleaned path, and its parent directory opened inside the root.
//!
//! A path never names anything above the root: `..` is cleaned away or refused, symbolic links on the
//! way are resolved by the kernel as if the root were `/`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::UnpackError;
use super::tar_stream::shown;

/// The kernel's own limits (`PATH_MAX`, `NAME_MAX`).
const PATH_LEN_MAX: usize = 4095;
const NAME_LEN_MAX: usize = 255;
/// As many links as the kernel follows in one look-up.
const LINKS_MAX: u32 = 40;

/// A path below the root: components without `.`, `..`, empty ones and NUL. Empty is the root itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(Vec<u8>);

impl Place {
    /// Cleans an archive's path, absolute or not.
    pub(super) fn parse(path: &[u8]) -> Result<Place, UnpackError> {
        let refused = |why| UnpackError::Refused {
            path: shown(path),
            why,
        };
        if path.len() > PATH_LEN_MAX {
            return Err(refused("the path is too long"));
        }
        let mut kept: Vec<&[u8]> = Vec::new();
        for component in path.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." if kept.pop().is_none() => {
                    return Err(UnpackError::LeavesRoot { path: shown(path) });
                }
                b".." => {}
                name if name.len() > NAME_LEN_MAX => return Err(refused("a name is too long")),
                name if name.contains(&0) => return Err(refused("a name holds a NUL")),
                name => kept.push(name),
            }
        }
        Ok(Place(kept.join(&b'/')))
    }

    pub(super) fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The parent's path and the last component.
    pub(super) fn split(&self) -> (&[u8], &OsStr) {
        match self.0.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&self.0[..slash], OsStr::from_bytes(&self.0[slash + 1..])),
            None => (b"", OsStr::from_bytes(&self.0)),
        }
    }
}

/// Opens directories below one root and remembers the last one.
pub(super) struct Parents {
    root: Rc<OwnedFd>,
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

impl Parents {
    pub(super) fn new(root: OwnedFd) -> Parents {
        Parents {
            root: Rc::new(root),
            last: None,
        }
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// To be called whenever a directory or link was removed: a remembered path may mean another now.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// The directory at `path`, made (root's, 0755) where it is missing.
    pub(super) fn open(&mut self, path: &[u8]) -> io::Result<Rc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        if let Some((known, fd)) = &self.last
            && known == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = match self.resolve(path) {
            Err(Errno::NOENT) => {
                self.make(path, &mut LINKS_MAX.clone())?;
                self.resolve(path)?
            }
            other => other?,
        };
        let fd = Rc::new(fd);
        self.last = Some((path.to_vec(), Rc::clone(&fd)));
        Ok(fd)
    }

    fn resolve(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(
            &*self.root,
            OsStr::from_bytes(path),
            flags,
            Mode::empty(),
            how,
        )
    }

    /// Makes each missing directory of `path`; where a link dangles, makes what it points to.
    fn make(&self, path: &[u8], links_left: &mut u32) -> io::Result<()> {
        let ends = (0..path.len())
            .filter(|&at| path[at] == b'/')
            .chain([path.len()]);
        for end in ends {
            let prefix = &path[..end];
            match self.resolve(prefix) {
                Ok(_) => continue,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            let place = Place(prefix.to_vec());
            let (above, name) = place.split();
            let above = if above.is_empty() {
                rustix::io::fcntl_dupfd_cloexec(&*self.root, 0)?
            } else {
                self.resolve(above)?
            };
            match rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    rustix::fs::chmodat(
                        &above,
                        name,
                        Mode::from_raw_mode(0o755),
                        AtFlags::empty(),
                    )?;
                }
                Err(Errno::EXIST) => {
                    let target = rustix::fs::readlinkat(&above, name, Vec::new())?;
                    *links_left = links_left.checked_sub(1).ok_or(Errno::LOOP)?;
                    self.make_target(place.split().0, target.as_bytes(), links_left)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn make_target(&self, from: &[u8], target: &[u8], links_left: &mut u32) -> io::Result<()> {
        let whole = match target.first() {
            Some(b'/') => target.to_vec(),
            _ => [from, b"/", target].concat(),
        };
        // `..` above the root is the root, as the kernel resolves it there.
        let mut kept: Vec<&[u8]> = Vec::new();
        for component in whole.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => drop(kept.pop()),
                name => kept.push(name),
            }
        }
        self.make(&kept.join(&b'/'), links_left)
    }
}
