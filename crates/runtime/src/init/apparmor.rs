//! Confinement by a profile of AppArmor that the host has loaded.
//!
//! Where the host has no AppArmor a profile is refused, since what was asked for would silently not be there.

use crate::failure::{At, Failure, Stage};
use std::path::Path;

/// What "no profile" is called.
const UNCONFINED: &str = "unconfined";
const ENABLED: &str = "/sys/module/apparmor/parameters/enabled";
/// The module's own file, and the one that modules share on kernels that lack it.
const EXEC_FILES: [&str; 2] = [
    "/proc/thread-self/attr/apparmor/exec",
    "/proc/thread-self/attr/exec",
];

/// The next program of this process runs under the profile.
pub fn confine_next(profile: &str) -> Result<(), Failure> {
    let enabled = std::fs::read_to_string(ENABLED).is_ok_and(|text| text.starts_with('Y'));
    if !enabled {
        return if profile == UNCONFINED {
            Ok(())
        } else {
            let text = format!("apparmor profile {profile:?}: this host has no AppArmor");
            Err(Failure::text(Stage::Capability, text))
        };
    }
    let own = Path::new(EXEC_FILES[0]).exists();
    let file = if own { EXEC_FILES[0] } else { EXEC_FILES[1] };
    std::fs::write(file, format!("exec {profile}")).at(Stage::Capability, || {
        format!("applying the apparmor profile {profile:?}")
    })
}
