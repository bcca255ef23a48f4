//! What a container asks of the kernel beyond its sizes, looked at from inside.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::ContainerRuntime;
use runtime::spec::*;
use support::{House, read_all};

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn capabilities_filter_and_new_privileges_are_those_asked_for() {
    let house = House::new().await;
    let look = "grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status";
    let mut spec = house.script(look);
    spec.capabilities_add = names(&["SYS_ADMIN"]);
    spec.capabilities_drop = names(&["ALL"]);
    spec.linux.no_new_privileges = true;
    let dir = spec.dir.clone();
    let (_, stdout, stderr) = house.run(spec).await;
    let expected = "CapEff:\t0000000000200000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
    assert_eq!(stdout, expected, "{stderr} {}", dir.display());
    let mut spec = house.script(look);
    spec.linux.unfiltered = true;
    let (_, stdout, _) = house.run(spec).await;
    assert!(stdout.contains("Seccomp:\t0\n") && stdout.contains("NoNewPrivs:\t0\n"));
    let mut spec = house.script("true");
    spec.linux.apparmor_profile = Some("no-such-profile".into());
    let error = house.runtime.start(spec).await.unwrap_err().to_string();
    assert!(error.contains("no-such-profile"), "{error}");
    house.close().await;
}

/// Where LONGSHORE_TEST_APPARMOR names a profile that is loaded, which forbids to read /etc/passwd, it is to be seen at
/// work; elsewhere (above) that what is not there is refused.
#[tokio::test]
async fn a_profile_that_the_host_has_confines_the_program() {
    let Ok(profile) = std::env::var("LONGSHORE_TEST_APPARMOR") else {
        let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
        assert!(
            !enabled.is_ok_and(|enabled| enabled.starts_with('Y')),
            "load a profile that forbids to read /etc/passwd, and name it in LONGSHORE_TEST_APPARMOR"
        );
        return;
    };
    let house = House::new().await;
    let mut spec =
        house.script("cat /proc/self/attr/current; echo secret >/etc/passwd; cat /etc/passwd");
    spec.linux.apparmor_profile = Some(profile.clone());
    let (_, stdout, stderr) = house.run(spec).await;
    assert_eq!(stdout, format!("{profile} (enforce)\n"), "{stderr}");
    assert!(stderr.contains("Permission denied"), "{stderr}");
    house.close().await;
}

#[tokio::test]
async fn kernel_parameters_of_its_own_namespaces_are_set_and_others_refused() {
    let house = House::new().await;
    let sysctls = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
    };
    let script = "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax; echo 1 >/proc/sys/net/core/somaxconn";
    let mut spec = house.script(script);
    spec.network = NetworkNamespace::New;
    spec.linux.sysctls = sysctls(&[("net.core.somaxconn", "777"), ("kernel.msgmax", "12345")]);
    let (_, stdout, stderr) = house.run(spec).await;
    assert_eq!(stdout, "777\n12345\n");
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    for (name, words) in [
        (
            "net.core.somaxconn",
            "not allowed in host network namespace",
        ),
        ("kernel.panic", "is not in a separate kernel namespace"),
    ] {
        let mut spec = house.script("true");
        spec.linux.sysctls = sysctls(&[(name, "1")]);
        let error = house.runtime.start(spec).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    house.close().await;
}

#[tokio::test]
async fn memory_file_systems_have_their_sizes_and_options() {
    let house = House::new().await;
    let script = "for m in /dev/shm /cache /cache/deep; do grep \" $m \" /proc/mounts; done; stat -c %a:%u /cache; touch /cache/deep/x || echo ro";
    let mut spec = house.script(script);
    spec.linux.shm_bytes = Some(3 << 20);
    let tmpfs = |target: &str, options: &str| Tmpfs {
        target: target.into(),
        options: options.into(),
    };
    spec.linux.tmpfs = vec![
        tmpfs("/cache/deep", "size=1m,ro,exec"),
        tmpfs("/cache", "size=2m,mode=750,uid=33"),
    ];
    let (_, stdout, stderr) = house.run(spec).await;
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(
        lines[0].contains("/dev/shm") && lines[0].contains("size=3072k"),
        "{stdout}"
    );
    assert!(
        lines[1].contains("nosuid,nodev,noexec") && lines[1].contains("size=2048k"),
        "{stdout}"
    );
    assert!(lines[2].contains(" ro,nosuid,nodev,relatime"), "{stdout}");
    assert_eq!(lines[3..], ["750:33", "ro"], "{stderr}");
    let mut spec = house.script("true");
    spec.linux.tmpfs = vec![tmpfs("/cache", "remount")];
    let error = house.runtime.start(spec).await.unwrap_err().to_string();
    assert_eq!(error, "Invalid tmpfs option \"remount\"");
    house.close().await;
}

#[tokio::test]
async fn devices_are_there_with_the_permissions_given() {
    let house = House::new().await;
    let device = |host: &str, path: &str, permissions: &str| Device {
        host_path: host.into(),
        path: path.into(),
        permissions: permissions.into(),
        ..Device::default()
    };
    let script = "stat -c %F:%t:%T /dev/given; (: </dev/given) && echo read; \
                  (: >/dev/given) 2>/dev/null || echo refused; ls /dev/sub";
    let mut spec = house.script(script);
    // The tunnel driver: in no default list, and opening it has no effect.
    let (node, link) = (house.dir.path().join("tun"), house.dir.path().join("link"));
    make_node(&node, 10, 200);
    std::os::unix::fs::symlink(&node, &link).unwrap();
    let below = house.dir.path().join("nodes");
    std::fs::create_dir(&below).unwrap();
    make_node(&below.join("zero"), 1, 5);
    spec.linux.devices = vec![
        device(link.to_str().unwrap(), "/dev/given", "r"),
        device(below.to_str().unwrap(), "/dev/sub", "rwm"),
    ];
    let (_, stdout, stderr) = house.run(spec).await;
    assert_eq!(
        stdout, "character special file:a:c8\nread\nrefused\nzero\n",
        "{stderr}"
    );
    for (path, why) in [
        ("/dev/no-such", "no such file or directory"),
        ("/etc/passwd", "not a device node"),
    ] {
        let mut spec = house.script("true");
        spec.linux.devices = vec![device(path, "/dev/x", "rwm")];
        let error = house.runtime.start(spec).await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "error gathering device information while adding custom device \"{path}\": {why}"
            )
        );
    }
    house.close().await;
}

fn make_node(path: &std::path::Path, major: u32, minor: u32) {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let kind = FileType::CharacterDevice;
    mknodat(
        CWD,
        path,
        kind,
        Mode::from_raw_mode(0o666),
        makedev(major, minor),
    )
    .unwrap();
}

#[tokio::test]
async fn an_init_reaps_forwards_signals_and_ends_as_the_program_does() {
    let house = House::new().await;
    // The orphan's parent becomes process 1; were it not reaped, it would stay as a zombie.
    let script = "(sleep 0.05 & ) ; cat /proc/1/cmdline; echo; trap 'echo got; exit 7' USR1; echo up; \
                  while :; do sleep 0.02; done";
    let mut spec = house.script(script);
    spec.linux.first = FirstProcess::Init;
    spec.user = Some("web".into());
    let dir = spec.dir.clone();
    let started = house.runtime.start(spec).await.unwrap();
    let orphans = ExecSpec {
        args: names(&[
            "/bin/sh",
            "-c",
            "while grep -q '^State:.Z' /proc/[0-9]*/status; do sleep 0.02; done; \
                       while grep -l '^Name:.sleep' /proc/[0-9]*/status | grep -q x; do :; done; cat /proc/2/comm",
        ]),
        env: Vec::new(),
        cwd: None,
        user: None,
        timeout_ms: 10_000,
        output_bytes_max: 1000,
    };
    let seen = house.runtime.exec(&dir, orphans).await.unwrap();
    assert_eq!((seen.timed_out, seen.stdout.as_str()), (false, "sh\n"));
    house.runtime.signal(&dir, libc::SIGUSR1).await.unwrap();
    let exit = house.runtime.wait(&dir).await.unwrap();
    let stdout = read_all(started.stdout).await.unwrap();
    assert_eq!(stdout, "longshore-init\x002\x00\nup\ngot\n");
    assert_eq!(exit.exit_code, Some(7));
    house.runtime.remove(&dir).await.unwrap();
    let mut spec = house.script("kill -9 $$");
    spec.linux.first = FirstProcess::Init;
    assert_eq!(house.run(spec).await.0.exit_code, Some(137));
    let mut spec = house.spec(&["/bin/none"]);
    spec.linux.first = FirstProcess::Init;
    let error = house.runtime.start(spec).await.unwrap_err().to_string();
    assert!(error.contains("no such file or directory"), "{error}");
    house.close().await;
}

#[tokio::test]
async fn input_is_empty_open_or_a_terminal() {
    let house = House::new().await;
    let (exit, ..) = house.run(house.script("cat")).await;
    assert_eq!(exit.exit_code, Some(0));
    let mut spec = house.script("stat -Lc %F /dev/stdin; cat; echo ended");
    spec.linux.open_stdin = true;
    let dir = spec.dir.clone();
    let started = house.runtime.start(spec).await.unwrap();
    let mut line = [0; 5];
    std::io::Read::read_exact(&mut std::fs::File::from(started.stdout), &mut line).unwrap();
    assert_eq!(&line, b"fifo\n");
    // It reads, and nothing comes: it ends only because it is killed.
    house.runtime.signal(&dir, libc::SIGKILL).await.unwrap();
    assert_eq!(house.runtime.wait(&dir).await.unwrap().exit_code, Some(137));
    house.runtime.remove(&dir).await.unwrap();
    for first in [FirstProcess::Program, FirstProcess::Init] {
        let script = "for n in 0 1 2; do test -t $n && echo $n; done; echo err >&2; test -c /dev/console && (echo c >/dev/tty)";
        let mut spec = house.script(script);
        spec.user = Some("web".into());
        spec.linux.terminal = true;
        spec.linux.first = first;
        let (exit, stdout, stderr) = house.run(spec).await;
        assert_eq!(stdout, "0\r\n1\r\n2\r\nerr\r\nc\r\n", "{first:?} {exit:?}");
        assert_eq!(stderr, "");
    }
    let mut spec = house.script("seq 100000");
    spec.linux.terminal = true;
    let (_, stdout, _) = house.run(spec).await;
    assert_eq!(stdout.lines().count(), 100_000);
    house.close().await;
}

#[tokio::test]
async fn swap_beyond_the_memory_limit_is_bounded() {
    let house = House::new().await;
    let mut spec = house.script("cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/memory/memory.swappiness 2>/dev/null || cat /sys/fs/cgroup/memory.swap.max");
    spec.memory_limit_mib = Some(64);
    spec.linux.memory_and_swap = Some(SwapLimit::Bytes(96 << 20));
    spec.linux.swappiness = Some(17);
    let (_, stdout, _) = house.run(spec).await;
    let (v1, v2) = (format!("{}\n17\n", 96 << 20), format!("{}\n", 32 << 20));
    assert!(stdout == v1 || stdout == v2, "{stdout}");
    house.close().await;
}

#[tokio::test]
async fn a_holders_processes_and_shared_memory_are_seen_by_all_who_share_them() {
    let house = House::new().await;
    let mut holder = house.spec(&["holder"]);
    holder.linux.first = FirstProcess::Holder;
    let holder_dir = holder.dir.clone();
    let held = house.runtime.start(holder).await.unwrap();
    let share = |mut spec: ContainerSpec| {
        spec.linux.pid = Sharing::Of(held.pid);
        spec.linux.ipc = Sharing::Of(held.pid);
        spec
    };
    let first = share(house.script("echo here >/dev/shm/note; exec sleep 1000"));
    let first_dir = first.dir.clone();
    house.runtime.start(first).await.unwrap();
    let script = "until [ -s /dev/shm/note ]; do :; done; cat /dev/shm/note; \
                  until grep -q ^sleep /proc/[0-9]*/cmdline; do :; done; cat /proc/1/cmdline";
    let (exit, stdout, stderr) = house.run(share(house.script(script))).await;
    assert_eq!(stdout, "here\nlongshore-init\0", "{stderr}");
    // The end of one is not the end of the others.
    assert_eq!(exit.exit_code, Some(0));
    house
        .runtime
        .signal(&first_dir, libc::SIGKILL)
        .await
        .unwrap();
    assert_eq!(
        house.runtime.wait(&first_dir).await.unwrap().exit_code,
        Some(137)
    );
    house.runtime.remove(&first_dir).await.unwrap();
    house
        .runtime
        .signal(&holder_dir, libc::SIGTERM)
        .await
        .unwrap();
    assert_eq!(
        house.runtime.wait(&holder_dir).await.unwrap().exit_code,
        Some(0)
    );
    house.runtime.remove(&holder_dir).await.unwrap();
    let mut spec = house.script("cat /proc/1/comm; ls /dev/shm >/dev/null && echo shm");
    spec.linux.pid = Sharing::Host;
    spec.linux.without_shm = true;
    let (_, stdout, _) = house.run(spec).await;
    assert_eq!(stdout, std::fs::read_to_string("/proc/1/comm").unwrap());
    house.close().await;
}
