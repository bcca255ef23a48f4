//! Disks of tasks: their bound, and that nothing is left of them. Needs root, loop devices and mkfs.ext4.

#![allow(clippy::unwrap_used)]

use runtime::task_disk::{self, Templates};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A disk that a failing test leaves is taken away too.
struct Disk<'d>(&'d Path);

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = task_disk::remove(self.0);
    }
}

fn loop_devices_of(dir: &Path) -> usize {
    let entries = fs::read_dir("/sys/block").unwrap().flatten();
    let files =
        entries.filter_map(|entry| fs::read_to_string(entry.path().join("loop/backing_file")).ok());
    files
        .filter(|file| file.contains(&*dir.to_string_lossy()))
        .count()
}

#[test]
fn what_is_written_has_a_bound_and_goes_with_the_disk() {
    let house = tempfile::tempdir().unwrap();
    let templates = Templates::new(house.path().join("templates"));
    let dir = house.path().join("disk");
    task_disk::make(&templates, &dir, 1).unwrap();
    let _disk = Disk(&dir);
    assert!(task_disk::is_mounted(&dir));
    assert_eq!(loop_devices_of(house.path()), 1);
    let files = task_disk::files(&dir);
    assert_eq!(fs::read_dir(&files).unwrap().count(), 0);
    let empty = task_disk::usage(&dir).unwrap();
    let gib = 1 << 30;
    assert!(empty.size_bytes > gib / 100 * 95 && empty.size_bytes <= gib);
    let on_host = || fs::metadata(dir.join("image")).unwrap().blocks() * 512;
    assert!(on_host() < 16 << 20, "an empty disk takes nothing");

    let mut file = fs::File::create(files.join("big")).unwrap();
    let piece = vec![7; 1 << 20];
    let mut written = 0;
    let error = loop {
        match file.write_all(&piece) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written <= 1024, "there is no bound");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert!(written > 900, "{written} MiB of 1,024");
    let full = task_disk::usage(&dir).unwrap();
    assert!(full.used_bytes > full.size_bytes / 100 * 97);
    // What is deleted is the host's again.
    file.sync_all().unwrap();
    let before = on_host();
    drop(file);
    fs::remove_file(files.join("big")).unwrap();
    assert!(on_host() < before / 2, "{before} bytes, then {}", on_host());

    task_disk::remove(&dir).unwrap();
    assert!(!dir.exists() && !task_disk::is_mounted(&dir));
    assert_eq!(loop_devices_of(house.path()), 0);
    task_disk::remove(&dir).unwrap();
}

#[test]
fn a_disk_that_cannot_be_made_leaves_nothing() {
    let house = tempfile::tempdir().unwrap();
    // Too small for a file system.
    let templates = Templates::new(house.path().join("templates"));
    let dir = house.path().join("disk");
    task_disk::make(&templates, &dir, 0).unwrap_err();
    assert!(!dir.exists());
    assert_eq!(loop_devices_of(house.path()), 0);
}

#[test]
fn many_are_made_at_once() {
    let house = tempfile::tempdir().unwrap();
    let templates = Templates::new(house.path().join("templates"));
    let dirs: Vec<_> = (0..64).map(|n| house.path().join(n.to_string())).collect();
    let _disks: Vec<_> = dirs.iter().map(|dir| Disk(dir)).collect();
    std::thread::scope(|scope| {
        for dir in &dirs {
            scope.spawn(|| task_disk::make(&templates, dir, 20).unwrap());
        }
    });
    assert_eq!(loop_devices_of(house.path()), 64);
    for dir in &dirs {
        assert!(task_disk::is_mounted(dir));
        fs::write(task_disk::files(dir).join("x"), "x").unwrap();
        task_disk::remove(dir).unwrap();
    }
    assert_eq!(loop_devices_of(house.path()), 0);
}
