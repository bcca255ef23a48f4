//! A v2 root that is not the machine's: that of a container or of a delegated unit, in which processes sit.
//!
//! Rule: kernel documentation, cgroup-v2, "No Internal Process Constraint": but for the machine's own root, a group with
//! processes cannot give controllers to its children. So they move aside into a leaf, as container engines' images do
//! for an engine in a container; who goes last moves them back.

use super::{children_of, processes_in, remove, write_value};
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// Begins as the names of trees do, so that what is left of it would be found with them.
const LEAF: &str = "longshore-aside";
const TREES: &str = "longshore-";
/// Each pass moves what the one before had forked.
const PASSES: u32 = 100;

/// Holds off other Longshores of this machine while the first tree is made or the last one removed.
pub fn lock(mount: &Path) -> Result<File> {
    let dir = File::open(mount)?;
    dir.lock()?;
    Ok(dir)
}

/// Gives controllers on (`+memory +pids`), moving processes that are in the way.
pub fn enable(root: &Path, change: &str) -> Result<()> {
    let control = root.join("cgroup.subtree_control");
    for _ in 0..PASSES {
        match write_value(&control, change) {
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
            other => return other,
        }
        let leaf = root.join(LEAF);
        super::make_directory(&leaf)?;
        move_all(root, &leaf)?;
    }
    Err(Error::new(
        ErrorKind::ResourceBusy,
        format!(
            "processes come into {} faster than they can be moved",
            root.display()
        ),
    ))
}

/// Moves the processes back once no tree is left. Where another has come to use the controllers, all stays as it is.
pub fn restore(root: &Path) -> Result<()> {
    let leaf = root.join(LEAF);
    if !leaf.exists() {
        return Ok(());
    }
    let _alone = lock(root)?;
    let is_tree = |name: &String| name.starts_with(TREES) && name != LEAF;
    if children_of(root)?.iter().any(is_tree) {
        return Ok(());
    }
    let control = root.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&control)?;
    let change: Vec<_> = enabled
        .split_whitespace()
        .map(|name| format!("-{name}"))
        .collect();
    if !change.is_empty() && write_value(&control, &change.join(" ")).is_err() {
        return Ok(());
    }
    for _ in 0..PASSES {
        move_all(&leaf, root)?;
        if remove::directory(&leaf).is_ok() {
            return Ok(());
        }
    }
    remove::directory(&leaf)
}

/// A process that ends meanwhile needs no move; the kernel's own threads do not let themselves be moved.
fn move_all(from: &Path, to: &Path) -> Result<()> {
    for pid in processes_in(from)? {
        match write_value(&to.join("cgroup.procs"), &pid.to_string()) {
            Err(_) if !Path::new("/proc").join(pid.to_string()).exists() => {}
            other => other?,
        }
    }
    Ok(())
}
