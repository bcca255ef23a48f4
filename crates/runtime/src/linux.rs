//! What a container may ask of the kernel beyond its sizes: plain data, all of it absent by default.
//!
//! Rule: `linuxParameters`, `systemControls`, `dockerSecurityOptions`, `pidMode` and `ipcMode` of the ECS API, each as
//! Docker understands it.

use crate::user_namespace::IdRange;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Options of one container. The default is Docker's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LinuxOptions {
    /// No program gains privileges by being executed: set-user-id bits and file capabilities mean nothing.
    pub no_new_privileges: bool,
    /// No filter of system calls.
    pub unfiltered: bool,
    /// The AppArmor profile that confines the program; `None` is the host's default for it.
    pub apparmor_profile: Option<String>,
    /// Kernel parameters by their dotted names. Only such as belong to a namespace of the container's own.
    pub sysctls: Vec<(String, String)>,
    /// Size of `/dev/shm` in bytes; `None` is Docker's 64 MiB.
    pub shm_bytes: Option<u64>,
    /// Memory file systems.
    pub tmpfs: Vec<Tmpfs>,
    /// What the first process is.
    pub first: FirstProcess,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Memory and swap together in bytes; `None` is the memory limit alone, so no swap.
    pub memory_and_swap: Option<SwapLimit>,
    /// 0 (as little as possible) to 100. Has an effect on cgroup v1 only: v2 has one such setting for the whole host.
    pub swappiness: Option<u64>,
    /// Whose processes it sees.
    pub pid: Sharing,
    /// Whose System V and POSIX message queues, semaphores and shared memory it uses.
    pub ipc: Sharing,
    /// There is no `/dev/shm` at all.
    pub without_shm: bool,
    /// Standard input stays open though nobody writes to it; else it is empty.
    pub open_stdin: bool,
    /// All three standard streams are a terminal.
    pub terminal: bool,
    /// Its ids are this range of the host's. They are those of the user namespace which owns its network namespace; the
    /// `upper` directory and whatever else it may write to belong to the range.
    pub ids: Option<IdRange>,
}

/// What the first process of a container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstProcess {
    /// The program.
    #[default]
    Program,
    /// A small init of ours, that reaps and hands signals to the program, its child.
    Init,
    /// The same init without a program: it holds namespaces for others until it is told to end.
    Holder,
}

/// Whose namespace of a kind a container lives in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sharing {
    /// One of its own.
    #[default]
    Own,
    /// The host's.
    Host,
    /// That of the process with this id on the host.
    Of(u32),
}

/// A bound of memory and swap together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapLimit {
    /// As much as the host has.
    Unlimited,
    /// So many bytes; not less than the memory limit.
    Bytes(u64),
}

/// A memory file system in the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Absolute path in the container; made if missing.
    pub target: String,
    /// Mount options, comma separated (`size=64m,noexec`).
    pub options: String,
}

/// A device of the host in the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// A node of the host, a symbolic link to one, or a directory of nodes.
    pub host_path: PathBuf,
    /// Where it is in the container.
    pub path: PathBuf,
    /// Of `r` (read), `w` (write), `m` (mknod).
    pub permissions: String,
    /// Permission bits in place of those on the host.
    #[serde(default)]
    pub mode: Option<u32>,
    /// Owner in place of that on the host.
    #[serde(default)]
    pub uid: Option<u32>,
    /// Group in place of that on the host.
    #[serde(default)]
    pub gid: Option<u32>,
}
