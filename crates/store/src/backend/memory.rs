//! A store in memory: for tests, the simulator and throw-away use.
//!
//! Clones share their rows, so that a "restart" on the same rows can be tried.

use super::{Limits, Store, StoreError};
use crate::key::Key;
use crate::txn::Change;
use crate::world::{Schema, World};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rows in memory, shared between clones.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    /// `std` mutex: held for one map operation, never across a wait.
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    rows: BTreeMap<(String, Key), Vec<u8>>,
    revision: u64,
    fence: u64,
}

impl MemoryStore {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        // Every change below is complete or not begun at each point where it could panic.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn load(&mut self, schema: &Schema) -> Result<World, StoreError> {
        let disk = self.disk();
        let mut world = World::empty(schema);
        for ((table, key), bytes) in &disk.rows {
            world.put_encoded(table, key, bytes)?;
        }
        world.set_revision(disk.revision);
        Ok(world)
    }

    fn commit(&mut self, batch: &[Change], revision: u64, fence: u64) -> Result<(), StoreError> {
        let mut disk = self.disk();
        if fence != disk.fence {
            return Err(StoreError::Deposed {
                ours: fence,
                current: disk.fence,
            });
        }
        for change in batch {
            let row = (change.table.to_owned(), change.key.clone());
            match &change.value {
                Some(bytes) => disk.rows.insert(row, bytes.clone()),
                None => disk.rows.remove(&row),
            };
        }
        disk.revision = revision;
        Ok(())
    }

    fn lead(&mut self, _name: &str, _ttl: Duration) -> Result<u64, StoreError> {
        let mut disk = self.disk();
        disk.fence += 1;
        Ok(disk.fence)
    }

    fn limits(&self) -> Limits {
        Limits::NONE
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
