//! Root file systems made ahead: the layers of an image that was started lately, mounted over empty
//! directories, attached nowhere.
//!
//! The next start of the image takes one, and its directories move to where the container keeps what it
//! writes: a start then neither makes directories, each of which ext4 seeks an inode for, nor mounts.
//! A mount is this process's alone and ends with it; its directories are removed by the next one. What
//! cannot be had ahead (another disk, mapped owners, an older kernel) is made by the container itself.

use super::runtime::Inner;
use crate::failure::{At, Failure, Stage};
use crate::overlay::{self, OverlayMethod};
use crate::spec::{ContainerSpec, RootFilesystem};
use std::fs;
use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NAME: &str = "spare-roots";
/// A start has done what follows it by then, and another may come; one is made when none does.
const QUIET: Duration = Duration::from_millis(10);
/// Images of which one is kept, those started last.
const KEPT_MOST: usize = 8;

/// One for each of a few images.
#[derive(Debug)]
pub struct Spares {
    dir: PathBuf,
    /// Of `dir`: only on it can a root's directories move.
    device: u64,
    /// Begins each name: what a container's mounts are called must never be another's.
    begun: u128,
    /// `std` mutex: held for a look-up.
    state: Mutex<State>,
    /// Held while one is made; whether no more is to be.
    closed: Mutex<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Layers of which one is being made.
    pending: Vec<Vec<PathBuf>>,
    /// The newest last.
    spares: Vec<Spare>,
}

#[derive(Debug)]
struct Spare {
    layers: Vec<Layer>,
    scratch: PathBuf,
    root: OwnedFd,
}

/// A layer as it was mounted. It may have been removed since, and unpacked again under its name.
#[derive(Debug)]
struct Layer {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Layer {
    fn of(path: &Path) -> Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// The mount holds the inode, so that no other has its number.
    fn is_still_there(&self) -> bool {
        let same = |now: Self| (now.device, now.inode) == (self.device, self.inode);
        Self::of(&self.path).is_ok_and(same)
    }
}

impl Spare {
    fn is_good(&self) -> bool {
        self.layers.iter().all(Layer::is_still_there)
    }

    fn is_of(&self, layers: &[PathBuf]) -> bool {
        self.layers.iter().map(|layer| &layer.path).eq(layers)
    }
}

impl Spares {
    /// Removes what an earlier process has left.
    pub fn prepare(data_dir: &Path) -> Result<Self> {
        let dir = data_dir.join("agent").join(NAME);
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)?,
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            device: fs::metadata(&dir)?.dev(),
            dir,
            begun: since.unwrap_or_default().as_nanos(),
            state: Mutex::default(),
            closed: Mutex::default(),
        })
    }

    /// The mounted root of these layers, its directories now at `scratch`; none where there is none, or
    /// where something is at `scratch` already.
    pub fn take(&self, layers: &[PathBuf], scratch: &Path) -> Option<OwnedFd> {
        let spare = {
            let mut state = self.state();
            let at = state.spares.iter().position(|spare| spare.is_of(layers))?;
            if scratch.exists() || !self.is_on_this_disk(scratch) {
                return None;
            }
            state.spares.remove(at)
        };
        if spare.is_good() && fs::rename(&spare.scratch, scratch).is_ok() {
            return Some(spare.root);
        }
        tokio::task::spawn_blocking(move || remove(spare));
        None
    }

    /// Whether the directory that `scratch` is to be in is where roots are made.
    fn is_on_this_disk(&self, scratch: &Path) -> bool {
        let parent = scratch
            .parent()
            .and_then(|parent| fs::metadata(parent).ok());
        parent.is_some_and(|parent| parent.dev() == self.device)
    }

    /// Whether one should be made, which is then up to the caller, by [`Self::make`].
    pub fn begin(&self, layers: &[PathBuf]) -> bool {
        let mut state = self.state();
        let is_here = state.spares.iter().any(|spare| spare.is_of(layers));
        if is_here || state.pending.iter().any(|pending| pending == layers) {
            return false;
        }
        state.pending.push(layers.to_vec());
        true
    }

    /// Makes one. Blocks.
    pub fn make(&self, layers: &[PathBuf]) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if *closed {
            return;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let scratch = self.dir.join(format!("{:x}-{number}", self.begun));
        let made = mount(layers, &scratch);
        let surplus = {
            let mut state = self.state();
            state.pending.retain(|pending| pending != layers);
            match made {
                Ok(spare) if spare.is_good() => state.spares.push(spare),
                // Its image went meanwhile; or the container's own start tells what is wrong, if it is so still.
                Ok(_) | Err(_) => {
                    let _ = fs::remove_dir_all(&scratch);
                }
            }
            let surplus = state.spares.len().saturating_sub(KEPT_MOST);
            state.spares.drain(..surplus).collect::<Vec<_>>()
        };
        surplus.into_iter().for_each(remove);
    }

    /// Removes those of images that are gone: a mount holds the files that were removed. Blocks.
    pub fn prune(&self) {
        let all = std::mem::take(&mut self.state().spares);
        let (mut kept, gone): (Vec<_>, Vec<_>) = all.into_iter().partition(Spare::is_good);
        {
            let mut state = self.state();
            kept.append(&mut state.spares);
            state.spares = kept;
        }
        gone.into_iter().for_each(remove);
    }

    /// Removes all; none is made any more. Blocks.
    pub fn close(&self) {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = true;
        let spares = std::mem::take(&mut self.state().spares);
        spares.into_iter().for_each(remove);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.state().spares.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The root that a container can have, of those made ahead.
    pub(super) fn spare_root(&self, spec: &ContainerSpec) -> Option<OwnedFd> {
        let RootFilesystem::Overlay {
            layers, scratch, ..
        } = &spec.rootfs;
        self.can_spare(spec)
            .then(|| self.spares.take(layers, scratch))
            .flatten()
    }

    /// Makes a root for the next container like this one, once no other is being started.
    pub(super) fn make_spare(self: &Arc<Self>, spec: &ContainerSpec) {
        let RootFilesystem::Overlay {
            layers, scratch, ..
        } = self.with_mount_points(spec).rootfs;
        let is_wanted = self.can_spare(spec) && self.spares.is_on_this_disk(&scratch);
        if !is_wanted || !self.spares.begin(&layers) {
            return;
        }
        let inner = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(QUIET).await;
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                if inner.making.try_write().is_ok() {
                    tokio::task::spawn_blocking(move || inner.spares.make(&layers));
                    return;
                }
            }
        });
    }

    fn can_spare(&self, spec: &ContainerSpec) -> bool {
        self.capabilities.overlay() == OverlayMethod::LayerDescriptors && spec.linux.ids.is_none()
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        self.close();
    }
}

fn remove(spare: Spare) {
    drop(spare.root);
    // What stays is removed by the next process.
    let _ = fs::remove_dir_all(spare.scratch);
}

fn mount(layers: &[PathBuf], scratch: &Path) -> std::result::Result<Spare, Failure> {
    let at = Stage::RootFilesystem;
    let what = || format!("preparing {}", scratch.display());
    // Before the mount: what it shows must be what is compared later.
    let known: Vec<Layer> = layers
        .iter()
        .map(|layer| Layer::of(layer))
        .collect::<Result<_>>()
        .at(at, what)?;
    let (upper, work) = overlay::writable_directories(scratch);
    for dir in [scratch, &upper, &work] {
        fs::create_dir(dir).at(at, what)?;
        // Whatever this process's mask is: the root of the container is as the upper one.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).at(at, what)?;
    }
    let root = overlay::mount_by_descriptors(layers, Some((&upper, &work)), None)?;
    Ok(Spare {
        layers: known,
        scratch: scratch.to_owned(),
        root,
    })
}
