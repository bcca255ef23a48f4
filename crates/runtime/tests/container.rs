//! Real containers: start, output, exit codes, errors, limits. Needs root.

#![allow(clippy::unwrap_used, dead_code)]

mod support;

use runtime::host::{ContainerRuntime, Phase};
use runtime::spec::*;
use support::{House, read_all};

#[tokio::test]
async fn a_program_runs_and_its_exit_code_and_output_are_known() {
    let house = House::new().await;
    let (exit, stdout, stderr) = house
        .run(house.script("echo out; echo err >&2; exit 7"))
        .await;
    assert_eq!(
        (exit.exit_code, exit.signal, exit.oom_killed),
        (Some(7), None, false)
    );
    assert_eq!((&*stdout, &*stderr), ("out\n", "err\n"));
    house.close().await;
}

#[tokio::test]
async fn a_missing_program_is_named_and_leaves_nothing() {
    let house = House::new().await;
    let spec = house.spec(&["foo"]);
    let dir = spec.dir.clone();
    let error = house.runtime.start(spec).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"exec: "foo": executable file not found in $PATH"#
    );
    assert_eq!(error.phase(), Phase::Start);
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 0);
    house.close().await;
}

#[tokio::test]
async fn a_container_over_its_memory_is_killed_and_says_so() {
    let house = House::new().await;
    let mut spec = house.spec(&["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]);
    spec.memory_limit_mib = Some(32);
    let (exit, ..) = house.run(spec).await;
    assert_eq!(
        (exit.exit_code, exit.signal, exit.oom_killed),
        (Some(137), Some(9), true)
    );
    house.close().await;
}

#[tokio::test]
async fn limits_of_task_and_container_are_in_force() {
    let house = House::new().await;
    let mut spec = house.script("i=0; while [ $i -lt 20 ]; do sleep 5 & i=$((i+1)); done; wait");
    spec.pids_limit = Some(6);
    spec.memory_limit_mib = Some(64);
    spec.cpu_shares = 512;
    let dir = spec.dir.clone();
    let started = house.runtime.start(spec).await.unwrap();
    let stderr = read_all(started.stderr);
    let stats = house.runtime.stats(&dir).await.unwrap();
    assert_eq!(stats.memory_limit_bytes, Some(64 << 20));
    let exit = house.runtime.wait(&dir).await.unwrap();
    assert_ne!(exit.exit_code, Some(0));
    house.runtime.remove(&dir).await.unwrap();
    assert!(stderr.await.unwrap().contains("can't fork"));
    house.close().await;
}

#[tokio::test]
async fn user_directory_environment_and_hostname_are_those_asked_for() {
    let house = House::new().await;
    let mut spec = house.script("id; pwd; hostname; echo $HOME:$PATH:$HOSTNAME:$A; touch /tmp/x || echo refused; echo to >/dev/stdout");
    spec.user = Some("web".into());
    spec.cwd = "/made/here".into();
    spec.hostname = Some("box".into());
    spec.env = vec![("A".into(), "1".into()), ("A".into(), "2".into())];
    spec.network = NetworkNamespace::New;
    let (_, stdout, stderr) = house.run(spec).await;
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let expected = format!(
        "uid=33(web) gid=34(www) groups=4(adm),34(www)\n/made/here\nbox\n/srv:{path}:box:2\nrefused\nto\n"
    );
    assert_eq!(stdout, expected, "{stderr}");
    house.close().await;
}

#[tokio::test]
async fn binds_and_a_read_only_root() {
    let house = House::new().await;
    let shared = house.dir.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(house.dir.path().join("hosts"), "127.0.0.1 here\n").unwrap();
    let script = "cat /etc/hosts; echo a >/data/a; touch /ro/b || echo ro; touch /c || echo root; cat /file/deep";
    let mut spec = house.script(script);
    let bind = |source: &std::path::Path, target: &str, read_only| BindMount {
        source: source.into(),
        target: target.into(),
        read_only,
        ..BindMount::default()
    };
    let hosts = house.dir.path().join("hosts");
    spec.mounts = vec![
        bind(&shared, "/data", false),
        bind(&shared, "/ro", true),
        bind(&hosts, "/file/deep", true),
    ];
    spec.etc_files.hosts = Some(hosts);
    let RootFilesystem::Overlay { read_only, .. } = &mut spec.rootfs;
    *read_only = true;
    let (_, stdout, _) = house.run(spec).await;
    assert_eq!(stdout, "127.0.0.1 here\nro\nroot\n127.0.0.1 here\n");
    assert_eq!(std::fs::read_to_string(shared.join("a")).unwrap(), "a\n");
    house.close().await;
}

#[tokio::test]
async fn a_new_network_has_loopback_up_and_a_named_one_is_joined() {
    let house = House::new().await;
    let mut spec = house.script("ip -o addr; ip -o link");
    spec.network = NetworkNamespace::New;
    let (_, stdout, _) = house.run(spec).await;
    assert!(
        stdout.contains("127.0.0.1/8") && stdout.contains("LOOPBACK,UP"),
        "{stdout}"
    );
    assert!(!stdout.contains("eth0"), "{stdout}");
    let mut spec = house.script("stat -Lc %i /proc/self/ns/net");
    spec.network = NetworkNamespace::Path("/proc/self/ns/net".into());
    // The shim's own, which is ours.
    let (_, stdout, _) = house.run(spec).await;
    let ours =
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata("/proc/self/ns/net").unwrap());
    assert_eq!(stdout.trim(), ours.to_string());
    house.close().await;
}

#[tokio::test]
async fn what_cannot_start_is_told_precisely_and_leaves_nothing() {
    let house = House::new().await;
    type Change = fn(&mut ContainerSpec);
    let table: [(Change, Phase, &str); 5] = [
        (
            |s| s.user = Some("nobody-here".into()),
            Phase::Start,
            "unable to find user nobody-here: no matching entries in passwd file",
        ),
        (
            |s| s.cwd = "/etc/passwd".into(),
            Phase::Start,
            r#"chdir to cwd ("/etc/passwd"): not a directory"#,
        ),
        (
            |s| {
                s.mounts = vec![BindMount {
                    source: "/no/such".into(),
                    target: "/x".into(),
                    ..BindMount::default()
                }];
            },
            Phase::Create,
            "binding /no/such to /x: no such file or directory",
        ),
        (
            |s| {
                s.mounts = vec![BindMount {
                    source: "/tmp".into(),
                    target: "/proc/x".into(),
                    ..BindMount::default()
                }];
            },
            Phase::Create,
            "binding to /proc/x: no such file or directory",
        ),
        (
            |s| s.capabilities_add = vec!["FLY".into()],
            Phase::Create,
            r#"unknown capability "FLY""#,
        ),
    ];
    for (change, phase, text) in table {
        let mut spec = house.spec(&["true"]);
        change(&mut spec);
        let dir = spec.dir.clone();
        let error = house.runtime.start(spec).await.unwrap_err();
        assert_eq!((error.phase(), error.to_string().as_str()), (phase, text));
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0, "{text}");
    }
    house.close().await;
}
