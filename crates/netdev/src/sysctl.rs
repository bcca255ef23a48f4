//! Kernel settings below `/proc/sys/net`, which is the calling thread's own namespace.

use std::fs;
use std::path::Path;

use crate::error::NetworkError;

const ROOT: &str = "/proc/sys/net";

/// `key` as a path: `ipv4/ip_forward`.
pub fn write(key: &str, value: &str) -> Result<(), NetworkError> {
    let path = Path::new(ROOT).join(key);
    fs::write(&path, value).map_err(|e| NetworkError::path("write", path, e))
}

/// As [`write`], where the key may lack because the kernel has no such module.
pub fn write_if_present(key: &str, value: &str) -> Result<(), NetworkError> {
    if Path::new(ROOT).join(key).exists() {
        write(key, value)
    } else {
        Ok(())
    }
}

pub fn read(key: &str) -> Option<String> {
    fs::read_to_string(Path::new(ROOT).join(key))
        .ok()
        .map(|text| text.trim().to_owned())
}
