//! What a caller asks of the runtime, and what it gets back: plain data, no behaviour.
//!
//! These values cross the sockets between agent, zygote and shim as JSON, so both sides are built from this file.

pub use crate::linux::{Device, FirstProcess, LinuxOptions, Sharing, SwapLimit, Tmpfs};
pub use crate::user_namespace::IdRange;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The cgroup that holds all containers of a task, with the limits that the task as a whole has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCgroupSpec {
    /// The task's id; one path component.
    pub task_id: String,
    /// Hard quota of the task; 1,024 units are one CPU. `None`: no quota.
    pub cpu_units: Option<u32>,
    /// Hard limit of the task in MiB, swap included. `None`: no limit.
    pub memory_mib: Option<u64>,
    /// Most processes and threads of the task at once.
    pub pids: Option<u64>,
}

/// Which network a container sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkNamespace {
    /// The host's own.
    Host,
    /// An existing namespace, by the file it is bound to.
    Path(PathBuf),
    /// A namespace of its own with nothing but loopback, brought up.
    New,
}

/// A file or directory of the host shown in the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindMount {
    /// Absolute path on the host; must exist.
    pub source: PathBuf,
    /// Absolute path in the container; made if missing.
    pub target: String,
    /// Refuse writes, below nested mounts too.
    pub read_only: bool,
    /// What else is refused, below nested mounts too.
    #[serde(default)]
    pub options: Vec<MountOption>,
    /// A directory that is empty gets what the image has at the target, with owners and modes, before
    /// it is shown; one that is not stays as it is.
    #[serde(default)]
    pub filled_from_image: bool,
}

/// What a mount refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountOption {
    /// Set-user-id bits mean nothing.
    NoSuid,
    /// Device nodes cannot be opened.
    NoDev,
    /// Nothing can be executed.
    NoExec,
}

/// Where the container's root comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootFilesystem {
    /// Image layers with a writable directory of the container's own over them.
    Overlay {
        /// Unpacked layers, topmost first; at least one.
        layers: Vec<PathBuf>,
        /// Directory of this container alone; `upper` and `work` are made in it.
        scratch: PathBuf,
        /// The container may not write to its root.
        read_only: bool,
    },
}

/// Files of the host bound over `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtcFiles {
    /// Bound over `/etc/hosts`.
    pub hosts: Option<PathBuf>,
    /// Bound over `/etc/hostname`.
    pub hostname: Option<PathBuf>,
    /// Bound over `/etc/resolv.conf`.
    pub resolv_conf: Option<PathBuf>,
}

/// A resource limit by its name in the ECS API (`nofile`, `nproc`, …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Lower case, without `RLIMIT_`.
    pub name: String,
    /// The soft limit; -1 is unlimited.
    pub soft: i64,
    /// The hard limit; -1 is unlimited. Clamped to the host's own where raising it is not permitted.
    pub hard: i64,
}

/// What happens to a stream that nobody reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamMode {
    /// The pipe's own back-pressure: the container waits.
    #[default]
    Blocking,
    /// While no agent is connected the shim moves what comes into a spill file of at most this many bytes, and drops the rest.
    NonBlocking {
        /// Bound of the spill file in bytes.
        spill_bytes: u64,
    },
}

/// Everything needed to start one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// 64 lower-case hexadecimal digits.
    pub id: String,
    /// The task it belongs to; names the parent cgroup.
    pub task_id: String,
    /// The container's record directory; exists and is used by this container alone.
    pub dir: PathBuf,
    /// Its root file system.
    pub rootfs: RootFilesystem,
    /// Program and arguments; the program is searched in `PATH` unless it has a slash.
    pub args: Vec<String>,
    /// Environment. `PATH`, `HOSTNAME` and `HOME` are added where absent.
    pub env: Vec<(String, String)>,
    /// Working directory; made if missing. Empty means `/`.
    pub cwd: String,
    /// `uid`, `uid:gid`, `name` or `name:group`, resolved in the container's own files.
    pub user: Option<String>,
    /// Host name in the container; `None` keeps the host's.
    pub hostname: Option<String>,
    /// Its network.
    pub network: NetworkNamespace,
    /// Binds of the host's files.
    pub mounts: Vec<BindMount>,
    /// The three files of `/etc` that the runtime provides.
    pub etc_files: EtcFiles,
    /// Hard memory limit in MiB, swap included.
    pub memory_limit_mib: Option<u64>,
    /// Soft memory limit in MiB.
    pub memory_reservation_mib: Option<u64>,
    /// Relative share of CPU; less than 2 counts as 2.
    pub cpu_shares: u32,
    /// Most processes and threads at once.
    pub pids_limit: Option<u64>,
    /// Capabilities added to Docker's default 14, with or without `CAP_`; `ALL` is every one.
    pub capabilities_add: Vec<String>,
    /// Capabilities taken away; `ALL` is every one.
    pub capabilities_drop: Vec<String>,
    /// All capabilities and devices, no filter, nothing masked.
    pub privileged: bool,
    /// Limits that differ from the default.
    pub ulimits: Vec<Ulimit>,
    /// Everything else that the kernel is asked for.
    pub linux: LinuxOptions,
    /// The image's stop signal; kept for the caller, not used here.
    pub stop_signal: Option<i32>,
    /// What happens to unread standard output.
    pub stdout: StreamMode,
    /// What happens to unread standard error.
    pub stderr: StreamMode,
}

/// A further process in a running container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecSpec {
    /// Program and arguments.
    pub args: Vec<String>,
    /// Environment added to, and winning over, the container's own.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` is the container's.
    pub cwd: Option<String>,
    /// User; `None` is the container's.
    pub user: Option<String>,
    /// The process and its session are killed after this many milliseconds.
    pub timeout_ms: u64,
    /// Bytes kept of standard output and of standard error, each; what exceeds is read and dropped.
    pub output_bytes_max: u32,
}

/// How a further process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecResult {
    /// Its exit code; 128 + signal when a signal ended it.
    pub exit_code: i32,
    /// It ran longer than allowed and was killed.
    pub timed_out: bool,
    /// Standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

/// How a container ended; also the content of the file `exit` in its record directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// 0-255; 128 + signal when a signal ended it. `None`: not known.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The kernel killed a process of it for lack of memory.
    pub oom_killed: bool,
    /// Milliseconds since 1970.
    pub exited_at_ms: i64,
    /// Why `exit_code` is missing.
    pub reason: Option<String>,
}

/// What a container uses at this moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Memory charged to the container, in bytes, page cache included.
    pub memory_usage_bytes: u64,
    /// The part of it that is inactive page cache, in bytes.
    pub memory_inactive_file_bytes: u64,
    /// Its hard limit in bytes; `None` without one.
    pub memory_limit_bytes: Option<u64>,
    /// CPU time used since its start, in nanoseconds.
    pub cpu_usage_ns: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Bytes read from block devices since its start.
    pub block_read_bytes: u64,
    /// Bytes written to block devices since its start.
    pub block_write_bytes: u64,
}
