//! The peer of launches: `runc run --detach` of the same program, its root file system a directory.
//!
//! It does less: no registry of tasks, no report, no overlay, no log stream.

use anyhow::{Context, bail};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A bundle, and runc's own state beside it.
#[derive(Debug)]
pub struct Runc {
    directory: PathBuf,
}

impl Runc {
    /// Makes the bundle; `None` where runc is not installed.
    pub fn prepare() -> anyhow::Result<Option<Self>> {
        if Command::new("runc").arg("--version").output().is_err() {
            return Ok(None);
        }
        let name = format!("longshore-bench-runc-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let rootfs = directory.join("rootfs");
        std::fs::create_dir_all(&rootfs)?;
        let program = rootfs.join("hello");
        std::fs::write(&program, agent::hello_program())?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        let made = Command::new("runc")
            .args(["spec", "--bundle"])
            .arg(&directory)
            .output()?;
        if !made.status.success() {
            bail!("runc spec: {}", String::from_utf8_lossy(&made.stderr));
        }
        adapt(&directory.join("config.json"))?;
        Ok(Some(Self { directory }))
    }

    /// Time until `runc run --detach` has returned: the program runs. The container is deleted.
    pub fn launch(&self) -> anyhow::Result<Duration> {
        let name = format!("longshore-bench-{}", std::process::id());
        let began = Instant::now();
        let status = self
            .runc()
            .args(["run", "--detach", "--bundle"])
            .arg(&self.directory)
            .arg(&name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let elapsed = began.elapsed();
        let deleted = self.runc().args(["delete", "--force", &name]).output()?;
        if !status.success() || !deleted.status.success() {
            bail!(
                "runc run: {status}; {}",
                String::from_utf8_lossy(&deleted.stderr)
            );
        }
        Ok(elapsed)
    }

    fn runc(&self) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.directory.join("state"));
        command
    }
}

impl Drop for Runc {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The host's network, no terminal, our program.
fn adapt(path: &Path) -> anyhow::Result<()> {
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    config["process"]["args"] = json!(["/hello"]);
    config["process"]["env"] = json!(["PATH=/", "PORT=0"]);
    config["process"]["terminal"] = json!(false);
    let namespaces = config["linux"]["namespaces"].as_array_mut();
    namespaces
        .context("runc spec named no namespaces")?
        .retain(|namespace| namespace["type"] != "network");
    std::fs::write(path, config.to_string())?;
    Ok(())
}
