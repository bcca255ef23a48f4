//! The group of the process that serves Service Connect: none of the agent's, which ends before it.

use super::CgroupTree;
use std::io::Result;
use std::path::{Path, PathBuf};

/// Its name beside that of all shims.
pub const GROUP: &str = "proxy";

impl CgroupTree {
    /// Moves a process into the group, which is made where it is not there.
    pub fn join_proxy(&self, pid: u32) -> Result<()> {
        let group = self.proxy();
        self.make(&group)?;
        self.join(&group, pid)
    }

    /// Kills what is in the group and removes it.
    pub fn remove_proxy(&self) -> Result<()> {
        self.kill_and_remove(&self.proxy())
    }

    fn proxy(&self) -> PathBuf {
        Path::new(&self.name).join(GROUP)
    }
}
