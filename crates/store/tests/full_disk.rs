//! A full disk: the caller gets an error, reads go on, nothing acknowledged is lost, and writes go
//! on when there is space again. Needs root, to mount a small tmpfs.

#![allow(dead_code)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking; this one fills a disk and waits"
)]

mod support;

use aws_types::codes;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use store::{RedbStore, StateHandle, Store};
use support::{NOTES, ctx, key, note, schema};

/// A disk of 8 MiB, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "none"])
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(status.success(), "this test needs root, to mount a tmpfs");
        Self(directory)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.0.path());
    }
}

fn unmount(path: &Path) {
    drop(Command::new("umount").arg(path).status());
}

fn put(state: &StateHandle, name: &str, bytes: usize) -> Result<(), aws_types::AwsError> {
    let (name, text) = (name.to_owned(), "x".repeat(bytes));
    state.submit_blocking(ctx(), move |txn, _| {
        txn.put(&NOTES, note(&name, &text));
        Ok(())
    })
}

#[test]
fn a_full_disk_fails_the_caller_and_nothing_else() {
    let disk = SmallDisk::mount();
    let filler = disk.file("filler");
    std::fs::write(&filler, vec![0; 4 << 20]).unwrap();
    let store = RedbStore::open(&disk.file("state.redb")).unwrap();
    let (state, guard) = store::start(Box::new(store), schema()).unwrap();

    let mut acknowledged = Vec::new();
    let error = loop {
        let name = format!("{:04}", acknowledged.len());
        assert!(acknowledged.len() < 1000, "the disk never became full");
        match put(&state, &name, 64 << 10) {
            Ok(()) => acknowledged.push(name),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), codes::SERVICE_UNAVAILABLE);
    assert!(!acknowledged.is_empty());
    let world = state.snapshot();
    for name in &acknowledged {
        assert!(world.get(&NOTES, &key(name)).is_some(), "reads go on");
    }

    std::fs::remove_file(&filler).unwrap();
    let written_again = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        put(&state, "after", 1).is_ok()
    });
    assert!(written_again, "no write after space was freed");
    drop(guard);

    let mut store = RedbStore::open(&disk.file("state.redb")).unwrap();
    let world = store.load(&schema()).unwrap();
    for name in acknowledged.iter().map(String::as_str).chain(["after"]) {
        assert!(world.get(&NOTES, &key(name)).is_some(), "{name} is lost");
    }
}
