//! A container's end, and what comes after it: its removal, or room for another run in its place.

use super::error::{InPlace, RuntimeError};
use super::link::Link;
use super::runtime::Inner;
use crate::overlay;
use crate::record;
use crate::spec::ExitRecord;
use rustix::process::pidfd_send_signal;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

impl Inner {
    pub(super) async fn wait(&self, dir: &Path) -> Result<ExitRecord, RuntimeError> {
        let link = match self.link(dir) {
            Ok(link) => link,
            // Removed already; its record stays.
            Err(error) => {
                return record::read_exit(dir)
                    .place("reading the exit record in", dir)?
                    .ok_or(error);
            }
        };
        let mut exit = link.exit.clone();
        let ended = exit.wait_for(Option::is_some).await;
        ended
            .ok()
            .and_then(|exit| exit.clone())
            .ok_or_else(|| RuntimeError::ShimLost(dir.to_path_buf()))
    }

    pub(super) fn signal(&self, dir: &Path, signal: i32) -> Result<(), RuntimeError> {
        let link = self.link(dir)?;
        let named = rustix::process::Signal::from_named_raw(signal);
        let (Some(pidfd), Some(signal)) = (&link.pidfd, named) else {
            return match link.pidfd {
                None => Ok(()),
                Some(_) => Err(rustix::io::Errno::INVAL).place("sending a signal to", dir),
            };
        };
        match pidfd_send_signal(pidfd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).place("sending a signal to", dir),
        }
    }

    pub(super) async fn remove(&self, dir: &Path) -> Result<(), RuntimeError> {
        let Ok(link) = self.link(dir) else {
            return Ok(());
        };
        self.release(&link).await?;
        remove_directory(link.scratch.clone()).await?;
        self.forget(dir);
        Ok(())
    }

    /// The exit record goes last: until then the next agent finds the run ended.
    pub(super) async fn clear(&self, dir: &Path) -> Result<(), RuntimeError> {
        if let Ok(link) = self.link(dir) {
            self.release(&link).await?;
            remove_directory(overlay::work_directory(&link.scratch)).await?;
            self.forget(dir);
        }
        let exit = dir.join(record::EXIT_FILE);
        match std::fs::remove_file(&exit) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).place("removing", &exit)
            }
            _ => Ok(()),
        }
    }

    /// Its processes, its shim and its control group go.
    async fn release(&self, link: &Link) -> Result<(), RuntimeError> {
        if link.exit.borrow().is_none() {
            self.signal(&link.dir, libc::SIGKILL)?;
            self.wait(&link.dir).await?;
        }
        link.release().await;
        self.remove_container_group(&link.task_id, &link.id).await
    }

    fn forget(&self, dir: &Path) {
        for file in [record::SOCKET_FILE, record::STATE_FILE] {
            let _ = std::fs::remove_file(dir.join(file));
        }
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.remove(dir);
    }
}

pub(super) async fn remove_directory(dir: PathBuf) -> Result<(), RuntimeError> {
    let path = dir.clone();
    let removed = tokio::task::spawn_blocking(move || match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    });
    removed
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .place("removing", &dir)
}
