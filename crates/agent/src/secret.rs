//! Random secrets of this host, made once and kept in files that only root reads.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The secret of this file, in hexadecimal digits; one of so many bytes is made where there is none yet.
///
/// # Errors
/// The disk refused.
pub fn kept(file: &Path, bytes: usize) -> io::Result<String> {
    match std::fs::read_to_string(file) {
        Ok(found) => return Ok(found),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let temporary = file.with_extension("new");
    let _ = std::fs::remove_file(&temporary);
    let mut written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    written.write_all(secret.as_bytes())?;
    written.sync_all()?;
    std::fs::rename(&temporary, file)?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_secret_is_made_once_and_read_by_root_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let made = kept(&file, 32).unwrap();
        assert_eq!((made.len(), kept(&file, 32).unwrap()), (64, made));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(kept(&dir.path().join("no/where"), 1).is_err());
    }
}
