//! The last steps to the container's program, the same for its init and for an exec.
//!
//! Order matters: descriptors of the host are closed before a directory of the image is entered (a working directory
//! such as `/proc/self/fd/7` must lead nowhere); the filter is loaded while CAP_SYS_ADMIN is still there; capabilities
//! leave the bounding set before the ids change.

use super::streams::{Streams, connect};
use super::{apparmor, limits, program, user};
use crate::capability::CapabilitySet;
use crate::failure::{At, Failure, Stage};
use crate::reaper;
use crate::spec::{FirstProcess, Ulimit};
use crate::sys::{self, Side};
use crate::user_namespace::IDS;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The sealed executable that this process runs: never a file that the container could change.
const OWN_IMAGE: &str = "/proc/self/exe";

/// What the program is and what it may do.
#[derive(Debug)]
pub struct Launch<'a> {
    /// Program and arguments.
    pub args: &'a [String],
    /// Environment before the defaults are added.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub cwd: &'a str,
    /// What the present process becomes.
    pub first: FirstProcess,
    /// User as the spec has it.
    pub user: &'a str,
    /// There are no more ids than [`IDS`].
    pub is_mapped: bool,
    /// Resource limits.
    pub ulimits: &'a [Ulimit],
    /// Being executed gives no program privileges.
    pub no_new_privileges: bool,
    /// The AppArmor profile that takes effect with the program.
    pub apparmor_profile: Option<&'a str>,
    /// Capabilities of the container.
    pub capabilities: CapabilitySet,
    /// The compiled filter.
    pub filter: Option<Vec<u8>>,
}

/// Becomes the program. Returns only with the failure; the caller reports it through the error pipe, `errors`.
pub fn become_program(launch: &Launch<'_>, mut streams: Streams) -> (OwnedFd, Failure) {
    let failure = match prepare(launch, &mut streams) {
        Err(failure) => failure,
        Ok(ready) => ready.run(launch, streams.gate.take()),
    };
    (streams.errors, failure)
}

/// All that `execve` needs.
struct Ready {
    path: String,
    args: Vec<CString>,
    env: Vec<CString>,
    user: user::User,
}

fn prepare(launch: &Launch<'_>, streams: &mut Streams) -> Result<Ready, Failure> {
    limits::apply(launch.ulimits)?;
    let user = user::resolve(launch.user)?;
    if launch.is_mapped {
        check_mapped(&user)?;
    }
    connect(streams, user.uid)?;
    let gate = streams.gate.as_ref().map(AsFd::as_fd);
    let keep: Vec<i32> = [Some(streams.errors.as_fd()), gate]
        .iter()
        .flatten()
        .map(AsRawFd::as_raw_fd)
        .collect();
    // The streams stay open only as 0, 1 and 2; this process never touches the others again.
    sys::close_all_but(&keep);
    enter_directory(launch.cwd)?;
    // A process should not share the host's session keyring; a kernel without keyrings has none to share.
    let _ = sys::new_session_keyring();
    let env = environment(&launch.env, &user.home);
    let search = env
        .iter()
        .find(|(name, _)| name == "PATH")
        .map_or("", |(_, value)| value.as_str());
    let program = launch.args.first().map_or("", String::as_str);
    let path = match launch.first {
        FirstProcess::Holder => OWN_IMAGE.to_owned(),
        FirstProcess::Program | FirstProcess::Init => program::find(program, search)?,
    };
    let args = launch
        .args
        .iter()
        .map(|arg| c_string(arg))
        .collect::<Result<_, _>>()?;
    let env = env
        .iter()
        .map(|(name, value)| c_string(&format!("{name}={value}")))
        .collect::<Result<_, _>>()?;
    Ok(Ready {
        path,
        args,
        env,
        user,
    })
}

impl Ready {
    fn run(self, launch: &Launch<'_>, gate: Option<OwnedFd>) -> Failure {
        if let Err(failure) = give_up_privilege(launch, &self.user) {
            return failure;
        }
        if let Some(gate) = gate {
            let mut byte = [0u8; 1];
            // Nothing but the shim's byte lets the program start: an end of file means that the shim is gone.
            if !matches!(rustix::io::read(&gate, &mut byte[..]), Ok(1)) {
                sys::exit_now(1);
            }
        }
        // Cleared last: until here the death of the shim ends this process.
        let _ = sys::prctl(libc::PR_SET_PDEATHSIG, 0);
        match launch.first {
            FirstProcess::Program => self.execute(),
            FirstProcess::Holder => become_reaper(None),
            FirstProcess::Init => match sys::fork() {
                Ok(Side::Child) => {
                    let _ = rustix::process::setsid();
                    self.execute()
                }
                Ok(Side::Parent { pid, .. }) => become_reaper(Some(pid)),
                Err(error) => Failure::io(Stage::Process, "forking the program", &error),
            },
        }
    }

    fn execute(self) -> Failure {
        take_terminal();
        let path = match c_string(&self.path) {
            Ok(path) => path,
            Err(failure) => return failure,
        };
        let error = sys::execve(&path, &self.args, &self.env);
        let words = crate::failure::errno_words(error.raw_os_error().unwrap_or(libc::EIO));
        Failure::text(Stage::Program, format!("exec {}: {words}", self.path))
    }
}

/// A session leader whose standard input is a terminal gets it as its own; for any other this changes nothing.
fn take_terminal() {
    let _ = rustix::process::ioctl_tiocsctty(rustix::stdio::stdin());
}

/// This process becomes the reaper. Signals that come before it waits for them are kept.
fn become_reaper(program: Option<i32>) -> Failure {
    sys::block_signals();
    let id = program.map(|id| c_string(&id.to_string())).transpose();
    let (Ok(path), Ok(name), Ok(id)) = (c_string(OWN_IMAGE), c_string(reaper::NAME), id) else {
        return Failure::text(Stage::Process, "the init's name has a zero byte");
    };
    let args: Vec<CString> = [Some(name), id].into_iter().flatten().collect();
    let error = sys::execve(&path, &args, &[]);
    Failure::io(Stage::Process, "starting the init", &error)
}

fn check_mapped(user: &user::User) -> Result<(), Failure> {
    let mut ids = [user.uid].into_iter().chain(user.groups.iter().copied());
    match ids.find(|id| *id >= IDS) {
        Some(id) => {
            let text = format!("user or group {id}: a task has no ids above {}", IDS - 1);
            Err(Failure::text(Stage::User, text))
        }
        None => Ok(()),
    }
}

/// Bounding set, filter, groups, ids, then the sets of the process itself.
fn give_up_privilege(launch: &Launch<'_>, user: &user::User) -> Result<(), Failure> {
    let at = Stage::Capability;
    if let Some(profile) = launch.apparmor_profile {
        apparmor::confine_next(profile)?;
    }
    if let Some(filter) = &launch.filter {
        sys::load_filter(filter).at(Stage::Seccomp, || "loading the system call filter")?;
    }
    for number in 0..64 {
        if !launch.capabilities.has(number)
            && let Err(error) = sys::prctl(libc::PR_CAPBSET_DROP, u64::from(number))
        {
            // The first number that the kernel does not know ends the list.
            if error.raw_os_error() == Some(libc::EINVAL) {
                break;
            }
            return Err(error).at(at, || "dropping a capability");
        }
    }
    sys::set_ids(user.uid, user.gid, &user.groups)
        .at(at, || format!("becoming user {}:{}", user.uid, user.gid))?;
    // Docker's rule: a user other than root has capabilities in the bounding set only, none inheritable.
    let own = if user.uid == 0 {
        launch.capabilities.0
    } else {
        0
    };
    let known = own & kernel_capabilities();
    sys::set_capabilities(known, known, 0).at(at, || "setting capabilities")?;
    if launch.no_new_privileges {
        sys::prctl(libc::PR_SET_NO_NEW_PRIVS, 1).at(at, || "giving up new privileges")?;
    }
    Ok(())
}

/// All that this process may still have after the bounding set was cut.
fn kernel_capabilities() -> u64 {
    rustix::thread::capabilities(None).map_or(0, |sets| sets.permitted.bits())
}

fn enter_directory(cwd: &str) -> Result<(), Failure> {
    let cwd = if cwd.is_empty() { "/" } else { cwd };
    let at = Stage::WorkingDirectory;
    if let Err(first) = std::env::set_current_dir(cwd) {
        if first.kind() != std::io::ErrorKind::NotFound {
            return Err(first).at(at, || format!("chdir to cwd ({cwd:?})"));
        }
        std::fs::create_dir_all(cwd).at(at, || format!("mkdir {cwd}"))?;
        std::env::set_current_dir(cwd).at(at, || format!("chdir to cwd ({cwd:?})"))?;
    }
    // A directory outside of the root has no path.
    match std::env::current_dir() {
        Ok(path) if path.is_absolute() => Ok(()),
        _ => Err(Failure::text(
            at,
            format!("cwd {cwd:?} is outside of the container's root"),
        )),
    }
}

/// The spec's variables, then Docker's three where absent. A later value of the same name wins.
fn environment(given: &[(String, String)], home: &str) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::with_capacity(given.len() + 3);
    for (name, value) in given {
        match env.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1.clone_from(value),
            None => env.push((name.clone(), value.clone())),
        }
    }
    let hostname = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    for (name, value) in [
        ("PATH", program::DEFAULT_PATH),
        ("HOSTNAME", &hostname),
        ("HOME", home),
    ] {
        if !env.iter().any(|(known, _)| known == name) {
            env.push((name.to_owned(), value.to_owned()));
        }
    }
    env
}

fn c_string(text: &str) -> Result<CString, Failure> {
    CString::new(text)
        .map_err(|_| Failure::text(Stage::Request, "an argument or variable has a zero byte"))
}
