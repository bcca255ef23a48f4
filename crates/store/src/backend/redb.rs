//! The default store: one redb file on this machine.
//!
//! A commit is one redb transaction with immediate durability. Only one process can have the file
//! open, so leadership is always granted; the fence grows all the same, durably. The file is made
//! with mode 0600: it holds secrets.

use super::{FORMAT, Limits, Store, StoreError};
use crate::key::Key;
use crate::txn::Change;
use crate::world::{Schema, World};
use redb::{Database, DatabaseError, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Records by table and key.
const ROWS: TableDefinition<'static, (&str, &[u8]), &[u8]> = TableDefinition::new("rows");
/// The numbers below.
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_REVISION: &str = "revision";
const META_FENCE: &str = "fence";

/// Pages that redb keeps in memory. The World is in memory anyway: this serves commits alone.
const CACHE_BYTES: usize = 32 << 20;

/// One redb file.
pub struct RedbStore {
    path: PathBuf,
    /// `None` between a failure and a successful `reopen`.
    database: Option<Database>,
}

impl RedbStore {
    /// Opens the file, making it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened, is open in another process, or has a newer format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        create_private(path)?;
        let mut store = Self {
            path: path.to_owned(),
            database: None,
        };
        store.reopen()?;
        Ok(store)
    }

    fn database(&self) -> Result<&Database, StoreError> {
        self.database.as_ref().ok_or_else(|| StoreError::Failed {
            doing: "use the store",
            why: "it is not open".into(),
        })
    }

    fn open_database(&self) -> Result<Database, StoreError> {
        Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&self.path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
                    path: self.path.display().to_string(),
                },
                other => failed("open", other),
            })
    }

    fn meta(&self, name: &str) -> Result<u64, StoreError> {
        read_meta(self.database()?, name)
    }
}

impl Store for RedbStore {
    fn load(&mut self, schema: &Schema) -> Result<World, StoreError> {
        let read = self
            .database()?
            .begin_read()
            .map_err(|e| failed("read", e))?;
        let rows = read.open_table(ROWS).map_err(|e| failed("read", e))?;
        let mut world = World::empty(schema);
        for row in rows.iter().map_err(|e| failed("read", e))? {
            let (key, value) = row.map_err(|e| failed("read", e))?;
            let (table, key) = key.value();
            world.put_encoded(table, &Key::from_bytes(key), value.value())?;
        }
        world.set_revision(self.meta(META_REVISION)?);
        Ok(world)
    }

    fn commit(&mut self, batch: &[Change], revision: u64, fence: u64) -> Result<(), StoreError> {
        let current = self.meta(META_FENCE)?;
        if fence != current {
            return Err(StoreError::Deposed {
                ours: fence,
                current,
            });
        }
        let write = begin_durable(self.database()?)?;
        {
            let mut rows = write.open_table(ROWS).map_err(|e| failed("commit", e))?;
            for change in batch {
                let key = (change.table, change.key.as_bytes());
                match &change.value {
                    Some(bytes) => rows.insert(key, bytes.as_slice()).map(drop),
                    None => rows.remove(key).map(drop),
                }
                .map_err(|e| failed("commit", e))?;
            }
        }
        put_meta(&write, META_REVISION, revision)?;
        write.commit().map_err(|e| failed("commit", e))
    }

    fn lead(&mut self, _name: &str, _ttl: Duration) -> Result<u64, StoreError> {
        let fence = self.meta(META_FENCE)? + 1;
        let write = begin_durable(self.database()?)?;
        put_meta(&write, META_FENCE, fence)?;
        write.commit().map_err(|e| failed("lead", e))?;
        Ok(fence)
    }

    fn limits(&self) -> Limits {
        Limits::NONE
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        // Closed first: the file is locked by whoever has it open.
        self.database = None;
        let database = self.open_database()?;
        // 0 is a new file, or one whose first commit never happened.
        let found = read_meta(&database, META_FORMAT)?;
        if found > FORMAT {
            return Err(StoreError::NewerFormat {
                found,
                known: FORMAT,
            });
        }
        if found < FORMAT {
            let write = begin_durable(&database)?;
            write.open_table(ROWS).map_err(|e| failed("open", e))?;
            put_meta(&write, META_FORMAT, FORMAT)?;
            write.commit().map_err(|e| failed("open", e))?;
        }
        self.database = Some(database);
        Ok(())
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedbStore({})", self.path.display())
    }
}

/// A transaction that is on the disk when its commit returns.
fn begin_durable(database: &Database) -> Result<redb::WriteTransaction, StoreError> {
    let mut write = database.begin_write().map_err(|e| failed("begin", e))?;
    write
        .set_durability(Durability::Immediate)
        .map_err(|e| failed("begin", e))?;
    Ok(write)
}

fn put_meta(write: &redb::WriteTransaction, name: &str, value: u64) -> Result<(), StoreError> {
    let mut meta = write.open_table(META).map_err(|e| failed("commit", e))?;
    meta.insert(name, value).map_err(|e| failed("commit", e))?;
    Ok(())
}

/// A number of the store; 0 where it was never written.
fn read_meta(database: &Database, name: &str) -> Result<u64, StoreError> {
    let read = database.begin_read().map_err(|e| failed("read", e))?;
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(failed("read", error)),
    };
    let value = meta.get(name).map_err(|e| failed("read", e))?;
    Ok(value.map_or(0, |value| value.value()))
}

/// Makes the file with mode 0600 where there is none, and its name durable.
fn create_private(path: &Path) -> Result<(), StoreError> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match opened {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed("create", error)),
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    OpenOptions::new()
        .read(true)
        .open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|e| failed("create", e))
}

fn failed(doing: &'static str, why: impl fmt::Display) -> StoreError {
    StoreError::Failed {
        doing,
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_and_an_open_file_is_not_opened_twice() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let mut store = RedbStore::open(&path).unwrap();
        assert!(matches!(
            RedbStore::open(&path),
            Err(StoreError::InUse { .. })
        ));
        let write = begin_durable(store.database().unwrap()).unwrap();
        put_meta(&write, META_FORMAT, FORMAT + 1).unwrap();
        write.commit().unwrap();
        let error = store.reopen().unwrap_err();
        assert_eq!(
            error.to_string(),
            "store: written in format 2, this version reads formats up to 1; use the newer version"
        );
    }

    #[test]
    fn rows_revision_and_fence_are_there_after_a_restart_and_an_old_fence_cannot_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        let schema = Schema::new(&[]);
        let mut store = RedbStore::open(&path).unwrap();
        let first = store.lead("writer", Duration::ZERO).unwrap();
        store.commit(&[], 7, first).unwrap();
        drop(store);
        let mut store = RedbStore::open(&path).unwrap();
        assert_eq!(store.load(&schema).unwrap().revision(), 7);
        let second = store.lead("writer", Duration::ZERO).unwrap();
        assert!(second > first);
        let error = store.commit(&[], 8, first).unwrap_err();
        assert!(matches!(error, StoreError::Deposed { .. }));
        assert_eq!(store.load(&schema).unwrap().revision(), 7);
    }

    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.redb");
        drop(RedbStore::open(&path).unwrap());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
