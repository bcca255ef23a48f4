//! The Longshore that is measured: one of the bench's own in a temporary directory, or a running one.

use crate::api::{self, Root};
use crate::cli::Timing;
use crate::data_dir::DataDir;
use crate::role;
use crate::settings::Settings;
use anyhow::{Context, bail};
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const READY_PATIENCE: Duration = Duration::from_secs(60);
/// How often an answer is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What is measured.
#[derive(Debug)]
pub struct Subject {
    /// Its settings.
    pub settings: Settings,
    /// `None` where it is somebody else's.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    directory: PathBuf,
    supervisor: Option<Child>,
}

impl Subject {
    /// The running Longshore that `--data` named, else one of the bench's own, started now.
    pub async fn find(settings: &Settings) -> anyhow::Result<Self> {
        if settings.data_was_named {
            let server = role::holder(&settings.data.run(), "server")?;
            server.with_context(|| {
                let data = settings.data.path().display();
                format!("nothing runs at {data}: without --data a bench starts its own")
            })?;
            return Ok(Self {
                settings: settings.clone(),
                own: None,
            });
        }
        let mut subject = Self::prepare(settings)?;
        subject.up().await?;
        Ok(subject)
    }

    /// One of the bench's own, not started yet.
    pub fn prepare(settings: &Settings) -> anyhow::Result<Self> {
        // Unix sockets lie below it: a short name.
        let name = format!("longshore-bench-{}-{}", std::process::id(), free_port()?);
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let settings = Settings {
            data: DataDir::new(&directory.join("data"))?,
            listen: ([127, 0, 0, 1], free_port()?).into(),
            timing: Some(Timing::Fast),
            ..settings.clone()
        };
        let own = Some(Own {
            directory,
            supervisor: None,
        });
        Ok(Self { settings, own })
    }

    /// Starts it and waits until it answers and its host is connected.
    pub async fn up(&mut self) -> anyhow::Result<()> {
        self.start("up")?;
        self.until_ready(|settings| async move { api::is_ready(&settings).await })
            .await
    }

    /// Starts a role (`up`, `server`) without waiting.
    pub fn start(&mut self, role: &str) -> anyhow::Result<()> {
        let own = self.own.as_mut().context("somebody else's Longshore")?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(own.directory.join("bench.log"))?;
        let child = command(role, &self.settings)
            .args(["--timing", "fast"])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `longshore {role}`"))?;
        own.supervisor = Some(child);
        Ok(())
    }

    /// Looks every millisecond until `ready` says so.
    pub async fn until_ready<F: Future<Output = bool>>(
        &mut self,
        mut ready: impl FnMut(Settings) -> F,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY_PATIENCE;
        while !ready(self.settings.clone()).await {
            if Instant::now() > deadline {
                bail!("no answer after {READY_PATIENCE:?}\n{}", self.log());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Root's calls of it.
    pub fn root(&self) -> anyhow::Result<Root> {
        Root::of(&self.settings)
    }

    /// Ends its processes; the data stays. Containers are stopped.
    pub fn down(&mut self) -> anyhow::Result<()> {
        let Some(own) = &mut self.own else {
            return Ok(());
        };
        let ended = command("down", &self.settings).output()?;
        if let Some(mut child) = own.supervisor.take() {
            child.wait()?;
        }
        if !ended.status.success() {
            bail!("{}", String::from_utf8_lossy(&ended.stderr));
        }
        Ok(())
    }

    fn log(&self) -> String {
        let of = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let own = self.own.as_ref();
        let own = own.map(|own| of(&own.directory.join("bench.log")));
        let logs = self.settings.data.log();
        [
            own.unwrap_or_default(),
            of(&logs.join("server.log")),
            of(&logs.join("agent.log")),
        ]
        .join("\n")
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Err(error) = self.down() {
            eprintln!("longshore: the bench's own Longshore did not end cleanly: {error:#}");
        }
        if let Some(own) = &self.own {
            let _ = std::fs::remove_dir_all(&own.directory);
        }
    }
}

/// This very program with the subject's data directory.
pub fn command(name: &str, settings: &Settings) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args(name.split(' '))
        .arg("--data")
        .arg(settings.data.path())
        .args(["--listen", &settings.listen.to_string()])
        .args(["--account", &settings.account])
        .args(["--regions", &settings.regions.join(",")])
        .stdin(Stdio::null());
    command
}

/// A port of loopback that nobody listens on at this moment.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
