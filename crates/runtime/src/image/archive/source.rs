//! The files of an archive on disk: a directory or a tar, found by name and read in place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use tar::EntryType;

use crate::image::digest::Digest;
use crate::image::disk::Disk;
use crate::image::error::ImageError;
use crate::image::layer::{decompress, mismatch};
use crate::image::manifest::JSON_LEN_MAX;
use crate::image::unpack::{TarStream, UnpackError};

/// Links from file to file within an archive are followed so many times.
const LINKS_MAX: usize = 8;
/// Files of one archive: some 20 for each of the deepest images; more is no archive of images.
const FILES_MAX: usize = 100_000;
const BLOCK: u64 = 512;

/// The files of an archive, by name.
pub(super) enum Source {
    Directory(PathBuf),
    Tar {
        file: Arc<File>,
        files: BTreeMap<String, (u64, u64)>,
        links: BTreeMap<String, String>,
    },
}

impl Source {
    pub(super) fn open(disk: &Disk, path: &Path) -> Result<Source, ImageError> {
        let failed = || ImageError::io("open", path);
        let mut file = File::open(path).map_err(failed())?;
        let kind = file.metadata().map_err(failed())?.file_type();
        if kind.is_dir() {
            return Ok(Source::Directory(path.to_owned()));
        }
        if !kind.is_file() {
            return Err(ImageError::malformed("image archive", "it is no file"));
        }
        let mut magic = [0; 4];
        let read = file.read_at(&mut magic, 0).map_err(failed())?;
        if magic[..read].starts_with(&[0x1f, 0x8b]) || magic == [0x28, 0xb5, 0x2f, 0xfd] {
            file = written_out(disk, file)?;
        }
        scan(file).map_err(|error| match error {
            UnpackError::Read(error) => failed()(error),
            error => ImageError::malformed("image archive", error),
        })
    }

    pub(super) fn open_file(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, ImageError> {
        match self {
            Source::Directory(root) => {
                let within = rustix::fs::ResolveFlags::IN_ROOT;
                // A FIFO must not hold us up.
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let path = root.join(name);
                let dir = File::open(root).map_err(ImageError::io("open", root))?;
                let mode = rustix::fs::Mode::empty();
                match rustix::fs::openat2(&dir, name, flags, mode, within) {
                    Ok(fd) => Ok(Some(Box::new(File::from(fd)))),
                    Err(rustix::io::Errno::NOENT) => Ok(None),
                    Err(error) => Err(ImageError::io("open", &path)(error.into())),
                }
            }
            Source::Tar { file, files, links } => {
                let mut name = clean(name);
                for _ in 0..LINKS_MAX {
                    match links.get(&name) {
                        Some(target) => name = target.clone(),
                        None => break,
                    }
                }
                let part = files.get(&name).map(|&(at, left)| {
                    Box::new(Part {
                        file: Arc::clone(file),
                        at,
                        left,
                    }) as Box<dyn Read + Send>
                });
                Ok(part)
            }
        }
    }

    /// The whole of a small file, if it is there.
    pub(super) fn json(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some(reader) = self.open_file(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        reader
            .take(JSON_LEN_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(ImageError::io("read", Path::new(name)))?;
        if bytes.len() as u64 > JSON_LEN_MAX {
            return Err(ImageError::malformed(
                "image archive",
                format!("{name:?} is too long"),
            ));
        }
        Ok(Some(bytes))
    }

    pub(super) fn blob(&self, digest: &Digest) -> Result<Vec<u8>, ImageError> {
        let name = blob_name(digest);
        let bytes = self.json(&name)?.ok_or_else(|| missing(&name))?;
        let actual = Digest::of(&bytes);
        if actual != *digest {
            return Err(mismatch("image archive", digest, actual));
        }
        Ok(bytes)
    }
}

/// A decompressed copy, already unlinked.
fn written_out(disk: &Disk, compressed: File) -> Result<File, ImageError> {
    let path = disk.temporary_path();
    let failed = || ImageError::io("write", &path);
    let damaged = |error: io::Error| ImageError::malformed("image archive", error);
    let mut options = File::options();
    let options = options.read(true).write(true).create_new(true);
    let mut out = options.open(&path).map_err(failed())?;
    std::fs::remove_file(&path).map_err(failed())?;
    let mut whole = decompress(compressed).map_err(damaged)?;
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = whole.read(&mut buffer).map_err(damaged)?;
        if read == 0 {
            break;
        }
        length += read as u64;
        if length > disk.layer_bytes_max() {
            return Err(ImageError::malformed("image archive", "it is too large"));
        }
        out.write_all(&buffer[..read]).map_err(failed())?;
    }
    out.rewind().map_err(failed())?;
    Ok(out)
}

/// Finds every file of the tar. Only headers are read, and no header makes it hold more than the tar
/// reader's own limit.
fn scan(file: File) -> Result<Source, UnpackError> {
    let file = Arc::new(file);
    let length = file.metadata()?.len();
    let (mut files, mut links) = (BTreeMap::new(), BTreeMap::new());
    let mut at = 0;
    loop {
        let mut rest = Part {
            file: Arc::clone(&file),
            at,
            left: length.saturating_sub(at),
        };
        let Some(head) = TarStream::new(&mut rest).next_entry()? else {
            break;
        };
        if head.size > rest.left || files.len() + links.len() >= FILES_MAX {
            return Err(UnpackError::Damaged {
                why: "it ends within an entry, or holds too many",
            });
        }
        let name = clean(&String::from_utf8_lossy(&head.path));
        match head.kind {
            EntryType::Regular | EntryType::Continuous => {
                files.insert(name, (rest.at, head.size));
            }
            EntryType::Symlink | EntryType::Link => {
                let target = String::from_utf8_lossy(&head.link);
                // A symbolic link is relative to its own directory, a hard link to the archive.
                let above = name.rsplit_once('/').map_or("", |(above, _)| above);
                let target = match head.kind {
                    EntryType::Symlink => clean(&format!("{above}/{target}")),
                    _ => clean(&target),
                };
                links.insert(name, target);
            }
            _ => {}
        }
        at = rest.at + head.size.div_ceil(BLOCK) * BLOCK;
    }
    Ok(Source::Tar { file, files, links })
}

/// Without `.`, `..` and doubled slashes: a key of the archive's own map, never a path to open.
fn clean(name: &str) -> String {
    let mut kept = Vec::new();
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    kept.join("/")
}

/// A stretch of a file. Has its own position, so that threads may read the file at once.
struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let read = self.file.read_at(&mut buf[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Where an OCI layout has a blob.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

pub(super) fn missing(name: &str) -> ImageError {
    ImageError::malformed("image archive", format!("{name:?} is missing"))
}
