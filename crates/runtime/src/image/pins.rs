//! Who uses which image, and when each image was used last: small files of the store.
//!
//! A pin is a plain file, so that it outlives a killed agent. It need not outlive the power: neither do
//! containers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::digest::Digest;
use super::error::ImageError;

/// `pins/<owner>` and `used/<image>` below the store's directory.
#[derive(Debug)]
pub(super) struct Pins {
    pins: PathBuf,
    /// Each holds the image's id; its time is the image's last use.
    used: PathBuf,
}

impl Pins {
    pub(super) fn open(root: &Path) -> Result<Pins, ImageError> {
        let pins = Pins {
            pins: root.join("pins"),
            used: root.join("used"),
        };
        for path in [&pins.pins, &pins.used] {
            fs::create_dir_all(path).map_err(ImageError::io("mkdir", path))?;
        }
        Ok(pins)
    }

    /// Says that `owner` uses the image.
    pub(super) fn add(&self, owner: &str, id: &Digest) -> Result<(), ImageError> {
        let path = self.path(owner)?;
        let used = self.touch(id)?;
        // A link costs no inode. An owner's earlier pin is taken away, never written to: it may be a
        // link to another image's file.
        match fs::hard_link(&used, &path) {
            Ok(()) => Ok(()),
            Err(_) if read(&path).as_ref() == Some(id) => Ok(()),
            Err(_) => {
                let _ = fs::remove_file(&path);
                fs::write(&path, id.to_string()).map_err(ImageError::io("write", &path))
            }
        }
    }

    /// Takes a pin away; one that is not there is no error. The image was used until now.
    pub(super) fn remove(&self, owner: &str) -> Result<(), ImageError> {
        let path = self.path(owner)?;
        let Some(id) = read(&path) else {
            return Ok(());
        };
        self.touch(&id).map(drop)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ImageError::io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Owners and the ids of the images they use.
    ///
    /// # Errors
    /// They cannot be read: nothing may then be taken for unused.
    pub(super) fn all(&self) -> Result<BTreeMap<String, Digest>, ImageError> {
        let failed = || ImageError::io("read", &self.pins);
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&self.pins).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            if let (Ok(owner), Some(id)) = (entry.file_name().into_string(), read(&entry.path())) {
                all.insert(owner, id);
            }
        }
        Ok(all)
    }

    /// When the image was pinned or unpinned last, in milliseconds since 1970.
    pub(super) fn last_used_ms(&self, id: &Digest) -> Option<u64> {
        let modified = fs::metadata(self.used.join(id.hex()))
            .ok()?
            .modified()
            .ok()?;
        let since = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }

    /// Forgets when images were used that `keep` does not know.
    pub(super) fn forget_times(&self, keep: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.used).into_iter().flatten().flatten() {
            if !keep(&entry.file_name().to_string_lossy()) {
                // What cannot go now goes the next time.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The image is used now; the file that says so.
    fn touch(&self, id: &Digest) -> Result<PathBuf, ImageError> {
        let path = self.used.join(id.hex());
        let touch = || {
            let mut file = fs::File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            // Pins are links to it, and tell the id by what it holds.
            file.write_all(id.to_string().as_bytes())?;
            file.set_modified(SystemTime::now())
        };
        touch().map_err(ImageError::io("write", &path))?;
        Ok(path)
    }

    fn path(&self, owner: &str) -> Result<PathBuf, ImageError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if owner.is_empty() || owner.len() > 200 || !owner.bytes().all(plain) {
            return Err(ImageError::malformed("owner", owner));
        }
        Ok(self.pins.join(owner))
    }
}

fn read(path: &Path) -> Option<Digest> {
    Digest::parse(fs::read_to_string(path).ok()?.trim())
}
