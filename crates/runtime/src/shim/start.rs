//! Makes a container. Whatever fails, nothing of it is left: no process, no control group, no socket, no record.

use super::streams::{self, Ours};
use super::terminal::Terminal;
use crate::capability::CapabilitySet;
use crate::cgroup::CgroupTree;
use crate::failure::{At, Failure, Stage};
use crate::init::devices::{self, HostDevice};
use crate::init::streams::Streams;
use crate::init::{self, Init, mapped, sharing, sysctl};
use crate::record::{self, StateRecord};
use crate::spec::{ContainerSpec, FirstProcess, RootFilesystem};
use crate::sys::{self, Side};
use crate::wire::StartRequest;
use crate::zygote;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Agents that may wait to be accepted.
const BACKLOG: i32 = 16;

/// A running container.
#[derive(Debug)]
pub struct Container {
    pub spec: ContainerSpec,
    pub cgroups: CgroupTree,
    pub capabilities: CapabilitySet,
    pub filter: Option<Vec<u8>>,
    pub pid: u32,
    pub pidfd: OwnedFd,
    pub started_at_ms: i64,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    /// Held open, never written.
    pub _stdin: Option<OwnedFd>,
    pub terminal: Option<Terminal>,
    pub listener: OwnedFd,
}

/// A child that has not become the program yet.
struct Born {
    pid: u32,
    pidfd: OwnedFd,
    ours: Ours,
    terminal: Option<Terminal>,
}

pub fn start(
    request: StartRequest,
    descriptors: Vec<OwnedFd>,
    control: &OwnedFd,
) -> Result<Container, Failure> {
    let StartRequest {
        spec,
        cgroups,
        overlay,
        has_filter,
        has_root,
    } = request;
    let mut descriptors = descriptors.into_iter();
    let filter = has_filter.then(|| descriptors.next()).flatten();
    let root = has_root.then(|| descriptors.next()).flatten();
    let capabilities = CapabilitySet::resolve(
        spec.privileged,
        &spec.capabilities_add,
        &spec.capabilities_drop,
    )
    .map_err(|text| Failure::text(Stage::Request, text))?;
    let filter = filter.map(read_filter).transpose()?;
    sysctl::check(&spec)?;
    mapped::check(&spec)?;
    let devices = devices::given(&spec.linux.devices)?;
    let listener = listen(&spec)?;
    let init = Init {
        spec: &spec,
        cgroups: &cgroups,
        devices: &devices,
        overlay,
        root,
        capabilities,
        filter: filter.clone(),
    };
    match make(init, control) {
        Ok((born, started_at_ms)) => Ok(Container {
            capabilities,
            filter,
            pid: born.pid,
            pidfd: born.pidfd,
            started_at_ms,
            stdout: born.ours.stdout,
            stderr: born.ours.stderr,
            _stdin: born.ours.stdin,
            terminal: born.terminal,
            listener,
            spec,
            cgroups,
        }),
        Err(failure) => {
            undo(&spec, &cgroups);
            Err(failure)
        }
    }
}

fn make(init: Init<'_>, control: &OwnedFd) -> Result<(Born, i64), Failure> {
    let spec = init.spec;
    let rules: Vec<_> = init.devices.iter().map(HostDevice::rule).collect();
    init.cgroups
        .create_container(spec, &rules)
        .at(Stage::Cgroup, || "making the container's control group")?;
    let mut born = bear(init)?;
    let started_at_ms = record::now_ms();
    let result = write_state(spec, born.pid, started_at_ms).and_then(|()| {
        if zygote::is_closed(control) {
            return Err(Failure::text(
                Stage::Request,
                "the agent that asked for the start has gone",
            ));
        }
        // A child that has failed meanwhile has closed the gate; its error pipe tells why.
        let _ = rustix::io::write(&born.ours.gate, b"g");
        wait_for_program(&born, spec)?;
        born.terminal = born.ours.take_terminal()?;
        Ok(())
    });
    match result {
        Ok(()) => Ok((born, started_at_ms)),
        Err(failure) => {
            let _ = rustix::process::pidfd_send_signal(&born.pidfd, rustix::process::Signal::KILL);
            let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
            Err(failure)
        }
    }
}

/// Removes all that [`make`] may have left; what is not there is no error.
fn undo(spec: &ContainerSpec, cgroups: &CgroupTree) {
    // The agent removes what resists here, as it does for a shim that died.
    let _ = cgroups.remove_container(&spec.task_id, &spec.id);
    for file in [record::STATE_FILE, record::SOCKET_FILE] {
        let _ = std::fs::remove_file(spec.dir.join(file));
    }
}

fn bear(init: Init<'_>) -> Result<Born, Failure> {
    let spec = init.spec;
    let (ours, streams) = streams::make(spec)?;
    let birth = match init.cgroups.birth_directory(&spec.task_id, &spec.id) {
        Some(dir) => {
            Some(File::open(&dir).at(Stage::Cgroup, || format!("opening {}", dir.display()))?)
        }
        None => None,
    };
    let birth = birth.as_ref().map(AsFd::as_fd);
    let (pid, pidfd) = match spec.linux.ids {
        None => bear_here(init, streams, birth)?,
        Some(_) => bear_mapped(init, streams, birth, &ours)?,
    };
    Ok(Born {
        pid,
        pidfd,
        ours,
        terminal: None,
    })
}

/// The first process as a child of this one.
fn bear_here(
    init: Init<'_>,
    streams: Streams,
    birth: Option<BorrowedFd<'_>>,
) -> Result<(u32, OwnedFd), Failure> {
    let at = Stage::Process;
    let flags = init::namespace_flags(init.spec);
    let side = sharing::in_pid_namespace(init.spec.linux.pid, || {
        sys::clone_into(flags, birth).at(at, || "making the container's first process")
    });
    match side? {
        Side::Child => init.run(streams),
        Side::Parent { pid, pidfd } => {
            let pidfd = pidfd.ok_or_else(|| Failure::text(at, "the kernel gave no pidfd"))?;
            Ok((pid as u32, pidfd))
        }
    }
}

/// The same by way of a process that prepares it, and tells its id.
fn bear_mapped(
    init: Init<'_>,
    streams: Streams,
    birth: Option<BorrowedFd<'_>>,
    ours: &Ours,
) -> Result<(u32, OwnedFd), Failure> {
    let at = Stage::Process;
    let (id, id_child) = pipe_with(PipeFlags::CLOEXEC).at(at, || "making a pipe")?;
    let side = sys::clone_into(mapped::OUTSIDE_FLAGS, birth)
        .at(at, || "making the container's first process")?;
    let Side::Parent { pidfd, .. } = side else {
        init.run_mapped(streams, id_child)
    };
    drop((streams, id_child));
    let first = told_id(id)?;
    if let Some(prepared) = &pidfd {
        // It ends as soon as it has told; its status says nothing.
        let _ = waitid(WaitId::PidFd(prepared.as_fd()), WaitIdOptions::EXITED);
    }
    let Some(first) = first else {
        let early = || Failure::text(at, "the container ended before it was made");
        return Err(streams::failure(&ours.errors)?.unwrap_or_else(early));
    };
    let pidfd = pidfd_open(first, PidfdFlags::empty()).at(at, || "opening a pidfd")?;
    Ok((first.as_raw_nonzero().get() as u32, pidfd))
}

/// The id that a child wrote before it ended; `None` if it failed.
pub fn told_id(pipe: OwnedFd) -> Result<Option<Pid>, Failure> {
    let mut bytes = Vec::new();
    File::from(pipe)
        .read_to_end(&mut bytes)
        .at(Stage::Process, || "reading the process's id")?;
    let id = <[u8; 4]>::try_from(bytes).ok().map(i32::from_ne_bytes);
    Ok(id.and_then(Pid::from_raw))
}

/// The error pipe ends when the program starts, or says why it does not.
fn wait_for_program(born: &Born, spec: &ContainerSpec) -> Result<(), Failure> {
    if let Some(failure) = streams::failure(&born.ours.errors)? {
        return Err(failure);
    }
    // A first process of ours runs the shim's own image for good.
    if spec.linux.first != FirstProcess::Program {
        return Ok(());
    }
    // A process killed before its program (by the limit of memory, say) closes the pipe just as a program does.
    let name = std::fs::read_link(format!("/proc/{}/exe", born.pid)).unwrap_or_default();
    let ours = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    if !name.as_os_str().is_empty() && name == ours {
        return Err(Failure::text(
            Stage::Process,
            "the container's first process died before its program started",
        ));
    }
    Ok(())
}

fn write_state(spec: &ContainerSpec, pid: u32, started_at_ms: i64) -> Result<(), Failure> {
    let at = |what: &'static str| move || what;
    let RootFilesystem::Overlay { scratch, .. } = &spec.rootfs;
    let state = StateRecord {
        id: spec.id.clone(),
        task_id: spec.task_id.clone(),
        pid,
        start_time_ticks: record::start_time_ticks(pid)
            .at(Stage::Request, at("reading the start time"))?,
        shim_pid: std::process::id(),
        boot_id: record::boot_id().at(Stage::Request, at("reading the boot's id"))?,
        started_at_ms,
        scratch: scratch.clone(),
    };
    record::write_state(&spec.dir, &state).at(Stage::Request, || {
        format!("writing the state to {}", spec.dir.display())
    })
}

/// A socket's name is limited to 108 bytes, so the directory is named by its descriptor.
fn listen(spec: &ContainerSpec) -> Result<OwnedFd, Failure> {
    let what = || format!("listening in {}", spec.dir.display());
    let dir = rustix::fs::open(
        &spec.dir,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .at(Stage::Request, what)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .at(Stage::Request, what)?;
    let address = SocketAddrUnix::new(format!(
        "/proc/self/fd/{}/{}",
        dir.as_raw_fd(),
        record::SOCKET_FILE
    ))
    .at(Stage::Request, what)?;
    rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::net::bind(&socket, &address).at(Stage::Request, what)?;
    rustix::net::listen(&socket, BACKLOG).at(Stage::Request, what)?;
    Ok(socket)
}

fn read_filter(file: OwnedFd) -> Result<Vec<u8>, Failure> {
    use std::os::unix::fs::FileExt;
    // Positioned reads: the description, and with it the offset, is shared with every other start.
    let file = File::from(file);
    let what = || "reading the system call filter";
    let length = file.metadata().at(Stage::Seccomp, what)?.len();
    let mut program = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut program, 0)
        .at(Stage::Seccomp, what)?;
    Ok(program)
}
