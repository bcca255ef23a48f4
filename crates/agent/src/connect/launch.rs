//! How this host's proxy is started: this very executable once more, outside the agent's control group.

use super::process::Launch;
use crate::config::AgentConfig;
use runtime::host::Runtime;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tracing::warn;

/// What it is called among the host's processes.
const NAME: &str = "longshore-proxy";
/// Selects lines of its log, as for every process of ours.
const LOG: &str = "LONGSHORE_LOG";

/// The real ones.
#[derive(Debug)]
pub struct OwnExecutable {
    data_dir: PathBuf,
    log: PathBuf,
    runtime: Arc<Runtime>,
}

impl OwnExecutable {
    /// Of this agent.
    #[must_use]
    pub fn new(config: &AgentConfig, runtime: &Arc<Runtime>) -> Self {
        Self {
            data_dir: config.data_dir.clone(),
            log: config.run_dir().join("proxy.log"),
            runtime: runtime.clone(),
        }
    }
}

/// A new one, beside what the last proxy said before it ended.
fn new_log(log: &Path) -> io::Result<File> {
    // Where there is none nothing is kept.
    let _ = std::fs::rename(log, log.with_extension("log.1"));
    File::create(log)
}

impl Launch for OwnExecutable {
    fn start(&self, door: OwnedFd) -> io::Result<()> {
        // The file may have been replaced since this process began; what runs is this build.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0(NAME)
            .arg("--data")
            .arg(&self.data_dir)
            .arg("proxy")
            .env_clear()
            .envs(std::env::var_os(LOG).map(|value| (LOG, value)))
            .current_dir("/")
            .stdin(door)
            .stdout(Stdio::null())
            .stderr(new_log(&self.log)?);
        // Whoever is dropped without having been waited for is waited for by the runtime.
        let child = tokio::process::Command::from(command).spawn()?;
        if let Some(pid) = child.id() {
            self.join(pid);
        }
        Ok(())
    }

    fn join(&self, pid: u32) {
        if let Err(error) = self.runtime.join_proxy(pid) {
            warn!(pid, %error, "the proxy stays in the agent's control group");
        }
    }

    fn clear(&self) {
        if let Err(error) = self.runtime.end_proxies() {
            warn!(%error, "a proxy could not be ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_the_last_proxy_said_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("proxy.log");
        new_log(&log).unwrap().write_all(b"panicked").unwrap();
        new_log(&log).unwrap();
        let said = |name| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(
            (said("proxy.log").as_str(), said("proxy.log.1").as_str()),
            ("", "panicked")
        );
    }
}
