//! The unguessable parts of a task's paths, one for each container, kept beside the task's record: a
//! restarted agent answers at the same paths.

use crate::engine::random_hex;
use std::io;
use std::path::Path;

/// In the task's record directory.
const FILE: &str = "endpoints.json";
/// 128 bits.
const ID_BYTES: usize = 16;

/// The ids of a task with so many containers, made where none are kept.
///
/// # Errors
/// They cannot be written down: they would be others after a restart.
pub fn of_task(dir: &Path, containers: usize) -> io::Result<Vec<String>> {
    let kept = std::fs::read(dir.join(FILE)).ok();
    let kept: Option<Vec<String>> = kept.and_then(|text| serde_json::from_slice(&text).ok());
    if let Some(kept) = kept.filter(|kept| kept.len() == containers) {
        return Ok(kept);
    }
    let made: Vec<String> = (0..containers).map(|_| random_hex(ID_BYTES)).collect();
    runtime::record::write_file(dir, FILE, &serde_json::to_vec(&made)?, false)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_and_no_two_are_alike() {
        let dir = tempfile::tempdir().expect("a directory can be made");
        let made = of_task(dir.path(), 3).expect("written");
        assert_eq!(of_task(dir.path(), 3).expect("read"), made);
        let other = tempfile::tempdir().expect("a directory can be made");
        let others = of_task(other.path(), 3).expect("written");
        let all: std::collections::BTreeSet<&String> = made.iter().chain(&others).collect();
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|id| id.len() == 2 * ID_BYTES));
    }
}
