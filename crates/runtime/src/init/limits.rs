//! Resource limits of a container's processes.
//!
//! A hard limit above the host's own needs CAP_SYS_RESOURCE; where that is missing the host's own is used.

use crate::failure::{At, Failure, Stage};
use crate::spec::Ulimit;
use crate::sys;

/// Limits of a container that states none. Rule: the ECS-optimised image starts Docker with
/// `--default-ulimit nofile=32768:65536`.
const DEFAULT_OPEN_FILES: (u64, u64) = (32_768, 65_536);

/// Names of the ECS API by `RLIMIT_` number of the generic Linux ABI.
const NAMES: [(&str, u32); 15] = [
    ("cpu", 0),
    ("fsize", 1),
    ("data", 2),
    ("stack", 3),
    ("core", 4),
    ("rss", 5),
    ("nproc", 6),
    ("nofile", 7),
    ("memlock", 8),
    ("locks", 10),
    ("sigpending", 11),
    ("msgqueue", 12),
    ("nice", 13),
    ("rtprio", 14),
    ("rttime", 15),
];
const OPEN_FILES: u32 = 7;

/// Sets the limits of this process.
pub fn apply(ulimits: &[Ulimit]) -> Result<(), Failure> {
    if !ulimits.iter().any(|ulimit| ulimit.name == "nofile") {
        set(
            OPEN_FILES,
            "nofile",
            DEFAULT_OPEN_FILES.0,
            DEFAULT_OPEN_FILES.1,
        )?;
    }
    for ulimit in ulimits {
        let (name, number) = NAMES
            .iter()
            .find(|(name, _)| *name == ulimit.name)
            .ok_or_else(|| {
                Failure::text(Stage::Limit, format!("unknown ulimit {:?}", ulimit.name))
            })?;
        set(*number, name, value(ulimit.soft), value(ulimit.hard))?;
    }
    Ok(())
}

fn set(number: u32, name: &str, soft: u64, hard: u64) -> Result<(), Failure> {
    let what = || format!("setting the limit {name} to {soft}:{hard}");
    match sys::set_limit(number, soft, hard) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let highest = sys::hard_limit(number).at(Stage::Limit, what)?.min(hard);
            sys::set_limit(number, soft.min(highest), highest).at(Stage::Limit, what)
        }
        other => other.at(Stage::Limit, what),
    }
}

/// The API writes "unlimited" as -1.
fn value(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}
