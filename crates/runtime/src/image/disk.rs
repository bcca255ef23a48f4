//! The store's directory: layers published whole, names kept in the index, the unused swept away.
//!
//! ```text
//! index.json   what there is            lock   held by the one process that uses the store
//! l/<id>/      one layer each; short names, because 40 of them must fit a page of mount options
//! l/empty/     stands for an image without layers
//! pins/, used/ who uses which image, and until when one was used
//! tmp/         work in progress; emptied at open
//! ```
//! Blocking; callers in async code run it on blocking threads.

mod usage;

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Image;
use super::digest::Digest;
use super::error::ImageError;
use super::index::{ImageRecord, Index, LayerRecord, NameRecord, Origin};
use super::layer::{Expected, unpack_blob};
use super::pins::Pins;
use super::unpack::Limits;

/// Digits of a layer's digest in its directory's name; more where two layers would share it.
const LAYER_NAME_LENS: [usize; 3] = [16, 32, 64];
const EMPTY_LAYER: &str = "empty";

/// Layers, images and names below one directory.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    limits: Limits,
    /// Swapped whole; read for the time of a clone of the pointer.
    index: RwLock<Arc<Index>>,
    /// Held while the index is changed and written, so that changes follow one another.
    writing: Mutex<()>,
    /// `std` mutex: held for a look-up, never across an await.
    layer_locks: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Read by whoever adds images, written by the sweep: layers without an image yet are no waste.
    adding: tokio::sync::RwLock<()>,
    next_temporary: AtomicU64,
    /// Held from looking who uses an image until it is removed, so that no pin comes between.
    pins: Mutex<Pins>,
    _lock: File,
}

impl Disk {
    /// Opens or makes the store, and removes what an earlier process left half done.
    pub(super) fn open(root: &Path, limits: Limits) -> Result<Disk, ImageError> {
        for directory in ["", "l", "tmp", "l/empty"] {
            let path = root.join(directory);
            fs::create_dir_all(&path).map_err(ImageError::io("mkdir", &path))?;
        }
        let lock_path = root.join("lock");
        let lock = File::create(&lock_path).map_err(ImageError::io("open", &lock_path))?;
        lock.try_lock().map_err(|_| ImageError::StoreLocked {
            path: root.to_owned(),
        })?;
        let index = Index::read(&root.join("index.json"))?;
        let disk = Disk {
            root: root.to_owned(),
            limits,
            index: RwLock::new(Arc::new(index)),
            writing: Mutex::new(()),
            layer_locks: Mutex::default(),
            adding: tokio::sync::RwLock::new(()),
            next_temporary: AtomicU64::new(0),
            pins: Mutex::new(Pins::open(root)?),
            _lock: lock,
        };
        disk.remove_unnamed()?;
        Ok(disk)
    }

    pub(super) fn layers_dir(&self) -> PathBuf {
        self.root.join("l")
    }

    /// Uncompressed bytes of one layer or archive.
    pub(super) fn layer_bytes_max(&self) -> u64 {
        self.limits.layer_bytes_max
    }

    pub(super) fn index(&self) -> Arc<Index> {
        Arc::clone(&self.index.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// To be held (shared) from the first layer of an image to the image's own record.
    pub(super) fn adding(&self) -> &tokio::sync::RwLock<()> {
        &self.adding
    }

    /// To be held while one layer is fetched and unpacked, so that it is done once.
    pub(super) fn layer_lock(&self, diff_id: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self
            .layer_locks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let known = locks.get(diff_id).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let lock = Arc::default();
            locks.insert(diff_id.clone(), Arc::downgrade(&lock));
            lock
        })
    }

    pub(super) fn has_layer(&self, diff_id: &Digest) -> bool {
        self.index().layers.contains_key(diff_id)
    }

    /// Unpacks, checks, syncs and publishes one layer. The layer's lock must be held.
    pub(super) fn add_layer(
        &self,
        blob: Box<dyn Read + Send>,
        expected: &Expected,
    ) -> Result<(), ImageError> {
        let temporary = Temporary::new(self.temporary_path())?;
        let unpacked = unpack_blob(blob, expected, &temporary.directory, self.limits)?;
        rustix::fs::syncfs(&temporary.directory)
            .map_err(|error| ImageError::io("syncfs", &temporary.path)(error.into()))?;
        let directory = self.layer_name(&expected.diff_id);
        let published = self.layers_dir().join(&directory);
        fs::rename(&temporary.path, &published).map_err(ImageError::io("rename", &published))?;
        let parent = self.layers_dir();
        File::open(&parent)
            .and_then(|dir| dir.sync_all())
            .map_err(ImageError::io("sync", &parent))?;
        let record = LayerRecord {
            directory,
            bytes: unpacked.file_bytes,
            highest_id: Some(unpacked.highest_id),
        };
        let named =
            self.update(|index| drop(index.layers.insert(expected.diff_id.clone(), record)));
        if named.is_err() {
            // Left there it would be in the next attempt's way; what cannot go now goes at open.
            let _ = fs::remove_dir_all(&published);
        }
        named
    }

    /// Records an image whose layers are all published, under names. `manifests` are digests by which
    /// a registry knows it.
    pub(super) fn add_image(
        &self,
        id: &Digest,
        image: ImageRecord,
        names: &[(String, Digest, Origin)],
        manifests: &[Digest],
    ) -> Result<(), ImageError> {
        self.update(|index| {
            index.images.insert(id.clone(), image);
            for (name, digest, origin) in names {
                let record = NameRecord {
                    image: id.clone(),
                    digest: digest.clone(),
                    origin: *origin,
                    since_ms: now_ms(),
                };
                index.names.insert(name.clone(), record);
            }
            index
                .manifests
                .extend(manifests.iter().map(|digest| (digest.clone(), id.clone())));
        })
    }

    /// Changes the index: on disk first, then for readers.
    pub(super) fn update(&self, change: impl FnOnce(&mut Index)) -> Result<(), ImageError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Index::clone(&self.index());
        change(&mut next);
        next.write(&self.root.join("index.json"))?;
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// The image with this id as callers see it.
    pub(super) fn image(
        &self,
        id: &Digest,
        reference: &str,
        digest: &Digest,
        origin: Origin,
    ) -> Option<Image> {
        let index = self.index();
        let record = index.images.get(id)?;
        let mut seen = BTreeSet::new();
        let mut layers = Vec::new();
        let (mut size_bytes, mut highest_id) = (0, 0);
        for diff_id in record.layers.iter().rev() {
            let layer = index.layers.get(diff_id)?;
            // overlayfs refuses a directory twice; applied again on top it hides its lower self anyway.
            if seen.insert(diff_id) {
                layers.push(self.layers_dir().join(&layer.directory));
                size_bytes += layer.bytes;
                highest_id = highest_id.max(layer.highest_id.unwrap_or(0));
            }
        }
        if layers.is_empty() {
            layers.push(self.layers_dir().join(EMPTY_LAYER));
        }
        Some(Image {
            reference: reference.to_owned(),
            id: id.to_string(),
            digest: digest.to_string(),
            from_registry: origin == Origin::Registry,
            config: record.config.clone(),
            layers,
            size_bytes,
            highest_id,
        })
    }

    fn layer_name(&self, diff_id: &Digest) -> String {
        let index = self.index();
        let taken = |name: &str| {
            (index.layers.iter()).any(|(other, layer)| other != diff_id && layer.directory == name)
        };
        let mut names = LAYER_NAME_LENS.iter().map(|&len| &diff_id.hex()[..len]);
        names
            .find(|name| !taken(name))
            .unwrap_or(diff_id.hex())
            .to_owned()
    }

    /// A fresh path below `tmp/`.
    pub(super) fn temporary_path(&self) -> PathBuf {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        self.root.join("tmp").join(number.to_string())
    }

    /// Removes layer directories that the index does not name, and what is left in `tmp/`.
    fn remove_unnamed(&self) -> Result<(), ImageError> {
        let index = self.index();
        let named: BTreeSet<&str> = index
            .layers
            .values()
            .map(|layer| layer.directory.as_str())
            .collect();
        for (directory, keep_named) in [("l", true), ("tmp", false)] {
            let path = self.root.join(directory);
            for entry in fs::read_dir(&path)
                .map_err(ImageError::io("read", &path))?
                .flatten()
            {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if keep_named && (name == EMPTY_LAYER || named.contains(&*name)) {
                    continue;
                }
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let removed = match is_directory {
                    true => fs::remove_dir_all(entry.path()),
                    false => fs::remove_file(entry.path()),
                };
                removed.map_err(ImageError::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// A directory that is removed with all it holds unless it was renamed away.
struct Temporary {
    path: PathBuf,
    directory: File,
}

impl Temporary {
    fn new(path: PathBuf) -> Result<Temporary, ImageError> {
        use std::os::unix::fs::PermissionsExt;
        fs::create_dir(&path).map_err(ImageError::io("mkdir", &path))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, mode).map_err(ImageError::io("chmod", &path))?;
        let directory = File::open(&path).map_err(ImageError::io("open", &path))?;
        Ok(Temporary { path, directory })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was published; else a failure is mended at the next open.
        let _ = fs::remove_dir_all(&self.path);
    }
}
