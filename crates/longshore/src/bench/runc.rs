//! The peer of launches: `runc run --detach` of the same program, its root file system a directory.
//!
//! It does less: no registry of tasks, no report, no overlay, no log stream.

use anyhow::{Context, bail};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Starts (`start`), replaces (`replace`) or removes (`end`) so many containers, some at a time.
/// `runc delete --force` kills and waits for the end. Whether all went well is looked at afterwards.
const LOOP: &str = r#"
action=$1 prefix=$2 count=$3 by=$4 state=$5 bundle=$6
one() {
    case $action in
    start) runc --root "$state" run --detach --bundle "$bundle" "$prefix-old-$1" ;;
    replace)
        runc --root "$state" delete --force "$prefix-old-$1"
        runc --root "$state" run --detach --bundle "$bundle" "$prefix-new-$1"
        ;;
    end)
        runc --root "$state" delete --force "$prefix-old-$1"
        runc --root "$state" delete --force "$prefix-new-$1"
        ;;
    esac
}
at=0
while [ "$at" -lt "$count" ]; do
    one "$at" &
    at=$((at + 1))
    [ $((at % by)) -ne 0 ] || wait
done
wait
"#;

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

    /// Time until a shell loop has replaced so many running containers, `by` of them at a time and
    /// these at once. All are deleted afterwards.
    pub fn replace_all(&self, count: usize, by: usize) -> anyhow::Result<Duration> {
        let prefix = format!("longshore-bench-{}", std::process::id());
        let script = |action: &str| -> anyhow::Result<()> {
            let done = Command::new("sh")
                .args(["-c", LOOP, "sh", action, &prefix])
                .args([count.to_string(), by.to_string()])
                .arg(self.directory.join("state"))
                .arg(&self.directory)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()?;
            anyhow::ensure!(done.success(), "the shell loop over runc: {done}");
            Ok(())
        };
        let measured = script("start").and_then(|()| {
            let began = Instant::now();
            script("replace")?;
            let elapsed = began.elapsed();
            let listed = self.runc().args(["list", "--quiet"]).output()?;
            let running = String::from_utf8_lossy(&listed.stdout).lines().count();
            anyhow::ensure!(
                running == count,
                "runc runs {running} of {count} containers"
            );
            Ok(elapsed)
        });
        script("end")?;
        measured
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
