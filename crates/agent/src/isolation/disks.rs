//! Disks of tasks, some of the usual size made beforehand, since making one takes longer than starting a container.
//!
//! ```text
//! agent/disks/sizes/     empty file systems to copy       agent/disks/new-…   being made
//! agent/disks/ready-…    mounted, nobody's yet            agent/tasks/ID/disk a task's
//! ```
//! A disk goes from one place to the next by renaming, so that an agent that is killed leaves it in one of them.

use crate::engine::random_hex;
use runtime::task_disk::{self, Templates};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::warn;

/// GiB of a task that asks for no other size. Rule: API reference, `EphemeralStorage`.
pub const USUAL_GIB: u32 = 20;
/// So many of them wait for tasks.
const READY_COUNT: usize = 4;
const READY: &str = "ready-";
const NEW: &str = "new-";

/// Disks of one host.
#[derive(Debug)]
pub struct Disks {
    dir: PathBuf,
    templates: Templates,
    /// `std` mutex: held for one push or pop.
    ready: Mutex<VecDeque<PathBuf>>,
    /// One thread at a time makes them.
    is_filling: AtomicBool,
    /// Held while one is made beforehand; true once no more are to be.
    is_closed: Mutex<bool>,
}

impl Disks {
    /// In a directory that is made when it is needed. Keeps what an earlier agent made ready.
    pub fn open(dir: PathBuf) -> Arc<Self> {
        let mut ready = VecDeque::new();
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if name.starts_with(READY) && task_disk::is_mounted(&path) {
                ready.push_back(path);
            } else if name.starts_with(READY) || name.starts_with(NEW) {
                remove(&path);
            }
        }
        Arc::new(Self {
            templates: Templates::new(dir.join("sizes")),
            dir,
            ready: Mutex::new(ready),
            is_filling: AtomicBool::new(false),
            is_closed: Mutex::new(false),
        })
    }

    /// Makes one ready, which shows whether this machine can. Others follow with the first task. Blocks.
    ///
    /// # Errors
    /// It cannot.
    pub fn check(&self) -> io::Result<()> {
        if self.lock().is_empty() {
            let made = self.make(USUAL_GIB)?;
            self.put(&made)?;
        }
        Ok(())
    }

    /// Puts an empty disk of this size to `to`, where none is yet. Blocks.
    pub fn take(self: &Arc<Self>, gib: u32, to: &Path) -> io::Result<()> {
        if task_disk::is_mounted(to) {
            return Ok(());
        }
        // From before a restart of the machine.
        task_disk::remove(to)?;
        let ready = match gib {
            USUAL_GIB => self.lock().pop_front(),
            _ => None,
        };
        self.fill_behind();
        let disk = match ready {
            Some(disk) => disk,
            None => self.make(gib)?,
        };
        fs::rename(&disk, to)
    }

    /// Takes away those that are nobody's. Blocks.
    pub fn destroy(&self) -> io::Result<()> {
        let mut is_closed = lock(&self.is_closed);
        *is_closed = true;
        self.lock().clear();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            task_disk::remove(&entry.path())?;
        }
        Ok(())
    }

    fn make(&self, gib: u32) -> io::Result<PathBuf> {
        let dir = self.dir.join(format!("{NEW}{}", random_hex(8)));
        task_disk::make(&self.templates, &dir, gib)?;
        Ok(dir)
    }

    fn put(&self, made: &Path) -> io::Result<()> {
        let ready = self.dir.join(format!("{READY}{}", random_hex(8)));
        fs::rename(made, &ready)?;
        self.lock().push_back(ready);
        Ok(())
    }

    fn fill_behind(self: &Arc<Self>) {
        if self.is_filling.swap(true, Ordering::AcqRel) {
            return;
        }
        let disks = self.clone();
        std::thread::spawn(move || {
            // Whoever needs one that cannot be made hears why.
            while disks.lock().len() < READY_COUNT && disks.add().is_ok_and(|added| added) {}
            disks.is_filling.store(false, Ordering::Release);
        });
    }

    /// One more; false when no more are to be made.
    fn add(&self) -> io::Result<bool> {
        let is_closed = lock(&self.is_closed);
        if *is_closed {
            return Ok(false);
        }
        let made = self.make(USUAL_GIB).and_then(|made| self.put(&made));
        made.inspect_err(|error| warn!(%error, "a disk for tasks could not be made ready"))?;
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<PathBuf>> {
        lock(&self.ready)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove(dir: &Path) {
    if let Err(error) = task_disk::remove(dir) {
        warn!(dir = %dir.display(), %error, "a disk could not be removed");
    }
}
