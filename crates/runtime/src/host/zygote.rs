//! Starts the zygote and hands it requests; starts another where it has died.

use super::error::{InPlace, RuntimeError};
use crate::cgroup::CgroupTree;
use crate::wire::{self, Order};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// The zygote of this process.
#[derive(Debug)]
pub struct Zygote {
    image: OwnedFd,
    /// `std` mutex: held for one short send, never across an await.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    socket: OwnedFd,
    process: Child,
}

impl Zygote {
    /// Seals the image into a memory file; nothing is started yet.
    pub fn new(image: &[u8]) -> Result<Self, RuntimeError> {
        let place = Path::new("memory file of the shim");
        let file = wire::memory_file(c"longshore-shim", image).place("writing", place)?;
        let seals = rustix::fs::SealFlags::WRITE
            | rustix::fs::SealFlags::GROW
            | rustix::fs::SealFlags::SHRINK
            | rustix::fs::SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&file, seals).place("sealing", place)?;
        Ok(Self {
            image: file,
            running: Mutex::new(None),
        })
    }

    /// The zygote's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .as_ref()
            .map(|r| r.process.id())
    }

    /// Hands over an order with its descriptors.
    pub fn send(
        &self,
        cgroups: &CgroupTree,
        order: &Order,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), RuntimeError> {
        let mut running = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(zygote) = running.as_mut() {
            if wire::send(&zygote.socket, order, descriptors).is_ok() {
                return Ok(());
            }
            // It was killed: reap it and start another.
            let _ = zygote.process.kill();
            let _ = zygote.process.wait();
        }
        let zygote = running.insert(self.spawn(cgroups)?);
        wire::send(&zygote.socket, order, descriptors).place("asking", Path::new("the zygote"))
    }

    fn spawn(&self, cgroups: &CgroupTree) -> Result<Running, RuntimeError> {
        let place = Path::new("the zygote");
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .place("making", place)?;
        let process = Command::new(format!("/proc/self/fd/{}", self.image.as_fd().as_raw_fd()))
            .arg0("longshore-zygote")
            .env_clear()
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .place("starting", place)?;
        cgroups
            .join_shims(process.id())
            .place("moving into its control group", place)?;
        Ok(Running {
            socket: ours,
            process,
        })
    }
}

impl Zygote {
    /// Ends the zygote by closing its socket; its shims live on.
    pub fn stop(&self) {
        let running = self
            .running
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(Running {
            socket,
            mut process,
        }) = running
        {
            drop(socket);
            // It is gone either way; waiting only reaps it.
            let _ = process.wait();
        }
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.stop();
    }
}
