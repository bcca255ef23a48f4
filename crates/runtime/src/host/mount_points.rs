//! A lowest layer for every container: the directories and files that something is mounted on.
//!
//! What an image lacks of them would else be made anew in each container's writable layer, some ten
//! inodes a start; ext4 looks for each past every inode that was deleted in the last minute.
//! Whatever an image has in these places hides this layer. (Docker does the same.)

use std::fs;
use std::io::{ErrorKind, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const NAME: &str = "mount-points";
const DIRECTORIES: [&str; 4] = ["proc", "dev", "sys", "etc"];
const FILES: [&str; 3] = ["etc/hosts", "etc/hostname", "etc/resolv.conf"];

/// Makes the layer below the data directory, or finds it there.
pub fn prepare(data_dir: &Path) -> Result<PathBuf> {
    let layer = data_dir.join("agent").join(NAME);
    for dir in [PathBuf::new()]
        .into_iter()
        .chain(DIRECTORIES.map(PathBuf::from))
    {
        let dir = layer.join(dir);
        fs::create_dir_all(&dir)?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
    }
    for file in FILES {
        let path = layer.join(file);
        match fs::File::create_new(&path) {
            Ok(_) => fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let layer = prepare(dir.path()).unwrap();
        assert_eq!(prepare(dir.path()).unwrap(), layer);
        let mode = |name: &str| fs::metadata(layer.join(name)).unwrap().permissions().mode();
        assert_eq!(mode("etc/hosts") & 0o7777, 0o644);
        assert_eq!(mode("proc") & 0o7777, 0o755);
    }
}
