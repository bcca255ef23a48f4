//! The labels of volumes of Docker's, each in a file beside the volume's directory.
//!
//! Rule: Docker: a volume has the labels with which it was made; who names it later changes none.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// No directory of a volume is named so: a period in a volume's name is spelt out.
fn file(directory: &str) -> String {
    format!("{directory}.json")
}

/// Keeps the labels of the volume that is about to be made in this directory of `parent`, where it
/// is not there yet; `is_elsewhere`: a directory of the host is the volume.
///
/// # Errors
/// They cannot be written.
pub fn keep(
    parent: &Path,
    directory: &str,
    labels: &Labels,
    is_elsewhere: bool,
) -> Result<(), io::Error> {
    let file = file(directory);
    let is_made = !is_elsewhere && parent.join(directory).exists();
    if is_made || parent.join(&file).exists() {
        return Ok(());
    }
    std::fs::create_dir_all(parent)?;
    runtime::record::write_file(parent, &file, &serde_json::to_vec(labels)?, false)
}

/// Those of a volume of `parent`; none where it has none.
pub fn read(parent: &Path, directory: &str) -> Labels {
    let kept = std::fs::read(parent.join(file(directory))).unwrap_or_default();
    serde_json::from_slice(&kept).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(value: &str) -> Labels {
        BTreeMap::from([("a".to_owned(), value.to_owned())])
    }

    #[test]
    fn a_volume_has_those_with_which_it_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let parent = dir.path().join("volumes");
        assert_eq!(read(&parent, "v"), Labels::new());
        keep(&parent, "v", &labels("first"), false).unwrap();
        std::fs::create_dir(parent.join("v")).unwrap();
        keep(&parent, "v", &labels("later"), false).unwrap();
        assert_eq!(read(&parent, "v"), labels("first"));
        // One that was there before has none.
        std::fs::create_dir(parent.join("old")).unwrap();
        keep(&parent, "old", &labels("later"), false).unwrap();
        assert_eq!(read(&parent, "old"), Labels::new());
        // A directory of the host says nothing of when the volume was made.
        keep(&parent, "bound", &Labels::new(), true).unwrap();
        keep(&parent, "bound", &labels("later"), true).unwrap();
        assert_eq!(read(&parent, "bound"), Labels::new());
    }
}
