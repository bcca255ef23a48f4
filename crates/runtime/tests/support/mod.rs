//! What every test of a real container needs: the shim, a root file system of busybox, a clean end.

use runtime::host::{ContainerRuntime, KernelFeature, Runtime, RuntimeConfig};
use runtime::spec::*;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

include!("../../embed.rs");

/// Static executables of this crate, built once a process; cargo's own lock keeps several processes apart. Where there
/// is no cargo (in the test guest) `LONGSHORE_TEST_EMBEDDED` names the directory that holds them.
pub fn embedded(bin: &str) -> Vec<u8> {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let dir = DIRECTORY.get_or_init(|| {
        if let Some(built) = std::env::var_os("LONGSHORE_TEST_EMBEDDED") {
            return built.into();
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or(manifest.join("../../target"), PathBuf::from);
        build_embedded(
            manifest,
            &target.join("embedded"),
            &["longshore-shim", "longshore-probe"],
        )
        .unwrap()
    });
    std::fs::read(dir.join(bin)).unwrap()
}

pub fn shim() -> &'static [u8] {
    static SHIM: OnceLock<&'static [u8]> = OnceLock::new();
    SHIM.get_or_init(|| embedded("longshore-shim").leak())
}

/// A data directory with one layer and a runtime on it. Ends with nothing left, or panics.
pub struct House {
    pub dir: tempfile::TempDir,
    pub runtime: Runtime,
    pub tag: String,
    _ruin: Ruin,
    next: AtomicU32,
}

impl House {
    pub async fn new() -> Self {
        Self::without(&[]).await
    }

    /// As if the kernel lacked these.
    pub async fn without(features: &[KernelFeature]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let tag = format!("{:08x}", std::process::id() << 8 | number);
        let dir = tempfile::Builder::new()
            .prefix("longshore-test-")
            .tempdir()
            .unwrap();
        make_layer(&dir.path().join("layer"));
        let runtime = Self::open(dir.path(), &tag, features);
        let house = Self {
            dir,
            runtime,
            _ruin: Ruin(tag.clone()),
            tag,
            next: AtomicU32::new(0),
        };
        house
            .runtime
            .create_task(&TaskCgroupSpec {
                task_id: "task".into(),
                ..TaskCgroupSpec::default()
            })
            .await
            .unwrap();
        house
    }

    pub fn open(dir: &Path, tag: &str, without: &[KernelFeature]) -> Runtime {
        let config = RuntimeConfig {
            data_dir: dir.into(),
            tag: tag.into(),
            shim_image: shim(),
            without: without.to_vec(),
        };
        Runtime::new(config).unwrap()
    }

    /// A container that runs these arguments with everything at its default.
    pub fn spec(&self, args: &[&str]) -> ContainerSpec {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.path().join(format!("c{number}"));
        std::fs::create_dir(&dir).unwrap();
        let layers = vec![self.dir.path().join("layer")];
        let rootfs = RootFilesystem::Overlay {
            layers,
            scratch: dir.join("scratch"),
            read_only: false,
        };
        ContainerSpec {
            id: format!("{number:064x}"),
            task_id: "task".into(),
            dir,
            rootfs,
            args: args.iter().map(|s| (*s).to_owned()).collect(),
            env: Vec::new(),
            cwd: String::new(),
            user: None,
            hostname: None,
            network: NetworkNamespace::Host,
            mounts: Vec::new(),
            etc_files: EtcFiles::default(),
            memory_limit_mib: None,
            memory_reservation_mib: None,
            cpu_shares: 2,
            pids_limit: None,
            capabilities_add: Vec::new(),
            capabilities_drop: Vec::new(),
            privileged: false,
            ulimits: Vec::new(),
            linux: LinuxOptions::default(),
            stop_signal: None,
            stdout: StreamMode::Blocking,
            stderr: StreamMode::Blocking,
        }
    }

    /// A container that runs a shell script.
    pub fn script(&self, script: &str) -> ContainerSpec {
        self.spec(&["/bin/sh", "-c", script])
    }

    /// Starts, waits, reads both streams, removes.
    pub async fn run(&self, spec: ContainerSpec) -> (ExitRecord, String, String) {
        let ended = self.run_keeping(&spec).await;
        self.runtime.remove(&spec.dir).await.unwrap();
        ended
    }

    /// Starts, waits, reads both streams.
    pub async fn run_keeping(&self, spec: &ContainerSpec) -> (ExitRecord, String, String) {
        let started = self.runtime.start(spec.clone()).await.unwrap();
        let (stdout, stderr) = (read_all(started.stdout), read_all(started.stderr));
        let exit = self.runtime.wait(&spec.dir).await.unwrap();
        let (stdout, stderr) = (stdout.await.unwrap(), stderr.await.unwrap());
        (exit, stdout, stderr)
    }

    /// Removes the task and looks whether anything is left.
    pub async fn close(self) {
        self.runtime.remove_task("task").await.unwrap();
        self.close_without_task().await;
    }

    pub async fn close_without_task(self) {
        let Self {
            dir, runtime, tag, ..
        } = self;
        runtime.shut_down(true).await.unwrap();
        assert_no_trace(&tag, dir.path());
    }
}

/// A test that fails leaves nothing either: kills and removes every control group of the tag.
struct Ruin(String);

impl Drop for Ruin {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for _ in 0..100 {
            let mut is_clean = true;
            for hierarchy in hierarchies() {
                is_clean &= tear_down(&hierarchy.join(format!("longshore-{}", self.0)));
            }
            if is_clean {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// Major and minor number of the running kernel.
pub fn kernel_version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Roots of the host's hierarchies: of v2 the mount itself, of v1 the mounts in it.
pub fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let below = std::fs::read_dir(&root).unwrap().flatten();
    let mut all: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
    all.push(root);
    all
}

fn tear_down(group: &Path) -> bool {
    for child in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if child.path().is_dir() {
            tear_down(&child.path());
        }
    }
    for pid in std::fs::read_to_string(group.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
    {
        if let Some(pid) = pid.parse().ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    let _ = std::fs::remove_dir(group);
    !group.exists()
}

/// Reads a pipe to its end, beside the test.
pub fn read_all(fd: std::os::fd::OwnedFd) -> tokio::task::JoinHandle<String> {
    tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::fs::File::from(fd), &mut text).unwrap();
        text
    })
}

/// Debian's static busybox under the names that the tests use.
pub fn make_layer(layer: &Path) {
    for dir in ["bin", "etc", "tmp", "proc"] {
        std::fs::create_dir_all(layer.join(dir)).unwrap();
    }
    std::fs::copy("/bin/busybox", layer.join("bin/busybox")).expect("busybox-static is installed");
    for name in [
        "sh", "cat", "sleep", "true", "echo", "id", "ls", "mount", "dd", "ip", "yes", "head",
        "hostname", "kill", "pwd", "env", "grep", "touch", "seq", "stat",
    ] {
        std::os::unix::fs::symlink("busybox", layer.join("bin").join(name)).unwrap();
    }
    std::fs::write(
        layer.join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\n",
    )
    .unwrap();
    std::fs::write(
        layer.join("etc/group"),
        "root:x:0:\nadm:x:4:web\nwww:x:34:\n",
    )
    .unwrap();
}

/// No control group, mount or process of this tag is left.
pub fn assert_no_trace(tag: &str, dir: &Path) {
    let name = format!("longshore-{tag}");
    for hierarchy in hierarchies() {
        let group = hierarchy.join(&name);
        assert!(!group.exists(), "{} is left", group.display());
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&*dir.to_string_lossy()), "a mount is left");
}
