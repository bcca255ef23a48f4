//! Containers whose ids are a range of the host's. Needs root.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::{ContainerRuntime, KernelFeature, RuntimeError};
use runtime::spec::*;
use rustix::process::{Pid, Signal, kill_process};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use support::House;

const IDS: IdRange = IdRange { first: 131_072 };

/// The network namespace of a task, kept by its file.
struct Network {
    path: PathBuf,
}

impl Network {
    async fn new(house: &House, ids: IdRange) -> Self {
        let namespace = house.runtime.make_namespaces(ids).await.unwrap();
        let path = house.dir.path().join(format!("net-{}", ids.first));
        std::fs::File::create_new(&path).unwrap();
        let source = format!("/proc/self/fd/{}", namespace.as_raw_fd());
        rustix::mount::mount_bind(source, &path).unwrap();
        Self { path }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.path, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

fn mapped(mut spec: ContainerSpec, network: &Network, ids: IdRange) -> ContainerSpec {
    spec.network = NetworkNamespace::Path(network.path.clone());
    spec.linux.ids = Some(ids);
    spec
}

fn exec(args: &[&str]) -> ExecSpec {
    ExecSpec {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: Vec::new(),
        cwd: None,
        user: None,
        timeout_ms: 60_000,
        output_bytes_max: 10_000,
    }
}

fn owned(dir: &Path, ids: IdRange) -> PathBuf {
    std::fs::create_dir_all(dir).unwrap();
    ids.own(dir).unwrap();
    dir.to_owned()
}

/// Each line is what is seen from inside, whichever way the layers are mounted.
#[tokio::test]
async fn its_root_is_nobody_on_the_host_and_owns_all_that_it_sees() {
    use KernelFeature::{LayerFd, LowerdirPlus};
    for features in [&[][..], &[LayerFd], &[LowerdirPlus]] {
        let house = House::without(features).await;
        let layer = house.dir.path().join("layer");
        std::fs::write(layer.join("etc/of-web"), "old\n").unwrap();
        lchown(layer.join("etc/of-web"), Some(33), Some(34)).unwrap();
        let network = Network::new(&house, IDS).await;
        let script = "cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '
            stat -c '%u:%g' / /etc /etc/of-web /dev/null /proc/self/
            echo new >>/etc/of-web && cat /etc/of-web && stat -c %u:%g /etc/of-web
            touch /made && chown 5:6 /made && stat -c %u:%g /made
            echo x >/dev/null && head -c 1 /dev/zero | wc -c
            id -u; hostname; ls /sys/class/net; mount | grep -c cgroup
            echo to-stdout >/dev/stdout; kill -0 1 && echo done";
        let mut spec = mapped(house.script(script), &network, IDS);
        spec.hostname = Some("inside".into());
        let RootFilesystem::Overlay { scratch, .. } = spec.rootfs.clone();
        let (exit, stdout, stderr) = house.run_keeping(&spec).await;
        assert_eq!(exit.exit_code, Some(0), "{features:?}: {stdout}{stderr}");
        let lines: Vec<&str> = stdout.lines().map(str::trim).collect();
        assert_eq!(lines[..2], ["0 131072 65536"; 2], "{features:?}");
        // The one thing that is not its own: a node of the host's.
        assert_eq!(lines[2..7], ["0:0", "0:0", "33:34", "65534:65534", "0:0"]);
        assert_eq!(lines[7..11], ["old", "new", "33:34", "5:6"]);
        assert_eq!(lines[11..15], ["1", "0", "inside", "lo"]);
        assert_ne!(lines[15], "0", "control groups are shown");
        assert_eq!(lines[16..], ["to-stdout", "done"]);
        assert_eq!(stderr, "");
        let made = std::fs::metadata(scratch.join("upper/made")).unwrap();
        assert_eq!((made.uid(), made.gid()), (131_077, 131_078));
        let layer = std::fs::metadata(layer.join("etc/of-web")).unwrap();
        assert_eq!(
            (layer.uid(), layer.len()),
            (33, 4),
            "the layer is as it was"
        );
        house.runtime.remove(&spec.dir).await.unwrap();
        drop(network);
        house.close().await;
    }
}

#[tokio::test]
async fn volumes_tmpfs_users_and_limits_work_as_without() {
    let house = House::new().await;
    let network = Network::new(&house, IDS).await;
    let layer = house.dir.path().join("layer");
    std::fs::create_dir_all(layer.join("srv/data")).unwrap();
    std::fs::write(layer.join("srv/data/seed"), "seed\n").unwrap();
    lchown(layer.join("srv/data/seed"), Some(33), Some(34)).unwrap();
    let volume = owned(&house.dir.path().join("volume"), IDS);
    let hosts = house.dir.path().join("hosts");
    std::fs::write(&hosts, "127.0.0.1 me\n").unwrap();
    IDS.own(&hosts).unwrap();
    let script = "id -u; id -g; cat /srv/data/seed; stat -c %u:%g /srv/data/seed
        echo more >>/srv/data/seed; stat -f -c %T /mem; touch /mem/x && stat -c %u /mem/x
        cat /etc/hosts; ulimit -n; cat /proc/sys/net/ipv4/ip_local_port_range | tr -s '\\t' ' '
        echo gone 2>/dev/null >/etc/passwd || echo protected; touch /srv/data/x && echo written";
    let mut spec = mapped(house.script(script), &network, IDS);
    spec.user = Some("web".into());
    spec.mounts = vec![BindMount {
        source: volume.clone(),
        target: "/srv/data".into(),
        filled_from_image: true,
        ..BindMount::default()
    }];
    spec.etc_files.hosts = Some(hosts);
    spec.linux.tmpfs = vec![Tmpfs {
        target: "/mem".into(),
        options: "size=1m,mode=1777".into(),
    }];
    spec.linux.sysctls = vec![
        ("net.ipv4.ip_local_port_range".into(), "20000 30000".into()),
        ("kernel.shmmni".into(), "99".into()),
    ];
    spec.ulimits = vec![Ulimit {
        name: "nofile".into(),
        soft: 1234,
        hard: 2345,
    }];
    let (exit, stdout, stderr) = house.run(spec).await;
    let expected = "33\n34\nseed\n33:34\ntmpfs\n33\n127.0.0.1 me\n1234\n20000 30000\nprotected\n";
    assert_eq!(stdout, expected, "{stderr}");
    assert_eq!(
        exit.exit_code,
        Some(1),
        "the volume is root's, as in the image"
    );
    let seed = std::fs::metadata(volume.join("seed")).unwrap();
    assert_eq!((seed.uid(), seed.len()), (131_105, 10));
    drop(network);
    house.close().await;
}

#[tokio::test]
async fn a_terminal_an_open_input_and_a_read_only_root_work_as_without() {
    let house = House::new().await;
    let network = Network::new(&house, IDS).await;
    let script = "test -t 0 && test -t 1 && echo terminal; test -c /dev/console && echo console
        touch /x 2>/dev/null || echo protected; echo x >/dev/null && touch /dev/shm/x && echo memory";
    let mut spec = mapped(house.script(script), &network, IDS);
    spec.linux.terminal = true;
    spec.user = Some("web".into());
    let RootFilesystem::Overlay { read_only, .. } = &mut spec.rootfs;
    *read_only = true;
    let (_, stdout, _) = house.run(spec).await;
    assert_eq!(stdout, "terminal\r\nconsole\r\nprotected\r\nmemory\r\n");
    let mut open = mapped(
        house.script("stat -Lc %F-%u /dev/stdin; echo x >/dev/stdin && head -c 2 /dev/stdin"),
        &network,
        IDS,
    );
    open.linux.open_stdin = true;
    assert_eq!(house.run(open).await.1, "fifo-0\nx\n");
    drop(network);
    house.close().await;
}

#[tokio::test]
async fn a_further_process_is_in_the_same_namespaces() {
    let house = House::new().await;
    let network = Network::new(&house, IDS).await;
    let mut spec = mapped(house.script("exec sleep 600"), &network, IDS);
    spec.user = Some("web".into());
    let started = house.runtime.start(spec.clone()).await.unwrap();
    let run = |args: &[&str], user: Option<&str>| {
        let mut exec = exec(args);
        exec.user = user.map(str::to_owned);
        house.runtime.exec(&spec.dir, exec)
    };
    let script = "cat /proc/self/uid_map | tr -s ' '; id -u; grep -E 'Seccomp:|CapEff' /proc/self/status; echo err >&2
        echo x >/dev/stdout";
    let result = run(&["sh", "-c", script], Some("0")).await.unwrap();
    let caps = "CapEff:\t00000000a80425fb\nSeccomp:\t2\n";
    assert_eq!(
        result.stdout,
        format!(" 0 131072 65536\n0\n{caps}x\n"),
        "{}",
        result.stderr
    );
    assert_eq!(result.stderr, "err\n");
    let result = run(
        &[
            "sh",
            "-c",
            "for kind in user net pid mnt ipc uts cgroup; do
            [ $(busybox readlink /proc/self/ns/$kind) = $(busybox readlink /proc/1/ns/$kind) ] || echo $kind
        done; id -u; echo y >/dev/stdout; cat /proc/1/environ >/dev/null && echo read",
        ],
        None,
    );
    assert_eq!(result.await.unwrap().stdout, "33\ny\nread\n");
    let status = std::fs::read_to_string(format!("/proc/{}/status", started.pid)).unwrap();
    let uid = status
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .unwrap();
    assert_eq!(uid, "Uid:\t131105\t131105\t131105\t131105");
    house.runtime.remove(&spec.dir).await.unwrap();
    drop((network, started));
    house.close().await;
}

#[tokio::test]
async fn a_further_run_finds_what_the_last_one_wrote() {
    let house = House::new().await;
    let network = Network::new(&house, IDS).await;
    let spec = mapped(
        house.script("echo run >>/etc/runs; grep -c run /etc/runs"),
        &network,
        IDS,
    );
    for count in ["1\n", "2\n"] {
        assert_eq!(house.run_keeping(&spec).await.1, count);
        house.runtime.clear(&spec.dir).await.unwrap();
    }
    house.runtime.remove(&spec.dir).await.unwrap();
    drop(network);
    house.close().await;
}

#[tokio::test]
async fn containers_of_a_task_share_a_holders_processes() {
    let house = House::new().await;
    let network = Network::new(&house, IDS).await;
    let mut holder = mapped(house.spec(&["~holder"]), &network, IDS);
    holder.linux.first = FirstProcess::Holder;
    holder.capabilities_drop = vec!["ALL".into()];
    let held = house.runtime.start(holder.clone()).await.unwrap();
    let mut sleeper = mapped(house.script("exec sleep 4321"), &network, IDS);
    sleeper.linux.pid = Sharing::Of(held.pid);
    let sleeping = house.runtime.start(sleeper.clone()).await.unwrap();
    let mut looker = mapped(
        house.script("grep -c 4321 /proc/[0-9]*/cmdline | grep -c ':1'"),
        &network,
        IDS,
    );
    looker.linux.pid = Sharing::Of(held.pid);
    let (_, stdout, stderr) = house.run(looker).await;
    assert!(
        stdout.trim().parse::<u32>().is_ok_and(|seen| seen >= 1),
        "{stdout}{stderr}"
    );
    for spec in [&sleeper, &holder] {
        house.runtime.remove(&spec.dir).await.unwrap();
    }
    drop((network, held, sleeping));
    house.close().await;
}

#[tokio::test]
async fn a_start_that_fails_says_why_and_leaves_nothing() {
    let house = House::new().await;
    let network = Network::new(&house, IDS).await;
    let cases: [(fn(&mut ContainerSpec), &str); 5] = [
        (
            |spec| spec.args = vec!["/bin/missing".into()],
            "no such file",
        ),
        (
            |spec| spec.user = Some("70000".into()),
            "no ids above 65535",
        ),
        (
            |spec| spec.network = NetworkNamespace::Host,
            "cannot have a network namespace",
        ),
        (
            |spec| {
                spec.mounts = vec![BindMount {
                    source: "/nowhere".into(),
                    target: "/x".into(),
                    ..BindMount::default()
                }];
            },
            "/nowhere",
        ),
        (
            |spec| spec.network = NetworkNamespace::Path("/proc/self/ns/net".into()),
            "mapping the owners",
        ),
    ];
    for (change, words) in cases {
        let mut spec = mapped(house.script("true"), &network, IDS);
        change(&mut spec);
        let error = house.runtime.start(spec).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    // What the pids limit counts includes the process that prepares, which is gone by then.
    let mut narrow = mapped(house.script("echo one"), &network, IDS);
    narrow.pids_limit = Some(2);
    assert_eq!(house.run(narrow).await.1, "one\n");
    drop(network);
    house.close().await;
}

#[tokio::test]
async fn two_tasks_have_nothing_of_each_other() {
    let house = House::new().await;
    let other = IdRange {
        first: IDS.first + 65_536,
    };
    let (network, of_other) = (
        Network::new(&house, IDS).await,
        Network::new(&house, other).await,
    );
    let private = owned(&house.dir.path().join("private"), other);
    std::fs::write(private.join("secret"), "secret\n").unwrap();
    other.own(&private.join("secret")).unwrap();
    std::fs::set_permissions(
        private.join("secret"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let show = |spec: ContainerSpec| ContainerSpec {
        mounts: vec![BindMount {
            source: private.clone(),
            target: "/p".into(),
            ..BindMount::default()
        }],
        ..spec
    };
    let script = "cat /p/secret; chmod 666 /p/secret; chown 0 /p/secret; rm -f /p/secret; touch /p/new; stat -c %u /p/secret";
    let foreign = show(mapped(house.script(script), &network, IDS));
    let (_, stdout, stderr) = house.run(foreign).await;
    assert_eq!(
        (stdout.as_str(), stderr.lines().count()),
        ("65534\n", 5),
        "{stderr}"
    );
    let own = show(mapped(house.script("cat /p/secret"), &of_other, other));
    assert_eq!(house.run(own).await.1, "secret\n");
    drop((network, of_other));
    house.close().await;
}

#[tokio::test]
async fn the_probe_does_it_and_leaves_nothing() {
    let house = House::new().await;
    let entries = || std::fs::read_dir(house.dir.path()).unwrap().count();
    let before = entries();
    house
        .runtime
        .probe_ids(house.dir.path(), IDS)
        .await
        .unwrap();
    assert_eq!(entries(), before);
    // Beyond the last id there is no range.
    let beyond = IdRange {
        first: u32::MAX - 10,
    };
    let refused = house.runtime.probe_ids(house.dir.path(), beyond).await;
    assert!(
        matches!(refused, Err(RuntimeError::Failed(_))),
        "{refused:?}"
    );
    house.close().await;
}

#[tokio::test]
async fn a_sweep_lets_namespaces_be_made() {
    let house = House::new().await;
    let is_done = std::cell::Cell::new(false);
    let sweeps = async {
        while !is_done.get() {
            house.runtime.sweep(&[], &[]).await.unwrap();
        }
    };
    let makes = async {
        let mut lost = Vec::new();
        for _ in 0..10 {
            lost.extend(house.runtime.make_namespaces(IDS).await.err());
        }
        is_done.set(true);
        lost
    };
    let ((), lost) = tokio::join!(sweeps, makes);
    assert!(lost.is_empty(), "{lost:?}");
    house.close().await;
}

#[tokio::test]
async fn namespaces_are_asked_for_again_where_the_zygote_was_killed_with_the_request() {
    let house = House::new().await;
    drop(house.runtime.make_namespaces(IDS).await.unwrap());
    let zygote = house.runtime.zygote_pid().unwrap();
    let signal = |signal| {
        let pid = Pid::from_raw(i32::try_from(zygote).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    };
    // It takes nothing from its queue any more.
    signal(Signal::STOP);
    let (made, ()) = tokio::join!(house.runtime.make_namespaces(IDS), async {
        signal(Signal::KILL);
    });
    made.unwrap();
    assert_ne!(house.runtime.zygote_pid(), Some(zygote));
    house.close().await;
}
